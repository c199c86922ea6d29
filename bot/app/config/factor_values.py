"""The ``rules.panel.factors`` list: one block a factor feed of the evidence panel (E).

What a block must hold is said by ``FactorRule`` and its own check, and stands nowhere else; here
each fault gets the key it is about.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, model_validator

from bot.app.config.scalars import Number, Text, Whole, expected
from bot.app.config.sections import Section, misplaced, within
from strategies.model.rules import FACTOR_BOUNDS, FactorRule, factor_faults


class FactorSection(Section):
    """One factor feed."""

    name: Text
    source: Literal["csv", "parquet", "fred", "ib"]
    series: Text
    transform: Literal["level", "change", "zscore", "percentile"] = "level"
    window: Annotated[Whole, within(*FACTOR_BOUNDS["window"])] = 252
    fear_above: Number | None = None
    fear_below: Number | None = None
    technical_above: Number | None = None
    technical_below: Number | None = None
    weight: Annotated[Number, within(*FACTOR_BOUNDS["weight"])] = 1.0
    max_age: Annotated[Whole, within(*FACTOR_BOUNDS["max_age"])] = 7
    lag: Annotated[Whole, within(*FACTOR_BOUNDS["lag"])] = 0

    @property
    def rule(self) -> FactorRule:
        """The value that the rules hold."""
        return FactorRule(**self.model_dump())

    @model_validator(mode="after")
    def _is_sound(self) -> Self:
        for key, message in factor_faults(self.rule):
            raise misplaced(key, f"{message} (rule E)")
        return self


def _listed(value: Any) -> Any:  # noqa: ANN401 whatever the file holds
    if value is None:
        return ()
    if not isinstance(value, list | tuple):
        raise expected("a list of blocks, each beginning with '- name:'", value)
    return value


Factors = Annotated[tuple[FactorSection, ...], BeforeValidator(_listed)]


def require_own_names(section: Section) -> Section:
    """Refuse a panel in which two factors have one name."""
    names: list[str] = []
    for index, factor in enumerate(section.factors):  # type: ignore[attr-defined]  # of the panel
        if factor.name in names:
            first = names.index(factor.name)
            message = f"{factor.name!r} is the name of factors[{first}] already (rule E)"
            raise misplaced(("factors", index, "name"), message)
        names.append(factor.name)
    return section
