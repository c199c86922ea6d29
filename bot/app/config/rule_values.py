"""The ``rules`` section of a configuration, generated from the rule declarations.

Names, defaults, kinds, bounds and choices come from ``strategies/model/rules.py`` and stand
nowhere else; only relations between two values are written here.
"""

from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, fields
from functools import cache
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import PlainSerializer, PlainValidator, create_model, model_validator

from bot.app.config.factor_values import Factors, require_own_names
from bot.app.config.scalars import Number, Switch, Text, Whole
from bot.app.config.sections import Section, misplaced, within
from strategies.model.encoding import encode
from strategies.model.rules import Rules

_KINDS: Mapping[type, Any] = {int: Whole, float: Number, bool: Switch, str: Text}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """Two values of one group that must stay in order."""

    lower: str
    upper: str
    may_be_equal: bool = False


_ORDERS: Mapping[str, tuple[_Order, ...]] = {
    "condor": (
        _Order(lower="min_dte", upper="target_dte", may_be_equal=True),
        _Order(lower="target_dte", upper="max_dte", may_be_equal=True),
        _Order(lower="time_exit_dte", upper="min_dte"),
        _Order(lower="time_exit_dte", upper="min_roll_dte"),
        _Order(lower="min_net_vega", upper="max_net_vega"),
        _Order(lower="positive_min_net_vega", upper="positive_max_net_vega"),
    ),
    "signals": (
        _Order(lower="macd_fast", upper="macd_slow"),
        _Order(lower="basis_fast", upper="basis_slow"),
        _Order(lower="rsi_vix_low", upper="rsi_vix_reset"),
        _Order(lower="rsi_vix_reset", upper="rsi_vix_high"),
    ),
    "layers": (
        _Order(lower="l1_max_days", upper="l2_max_days"),
        _Order(lower="l2_max_days", upper="l3_max_days"),
        _Order(lower="call_delta_low", upper="call_delta_high"),
    ),
    "rotation": (
        _Order(lower="band_low", upper="band_high"),
        _Order(lower="event_scale_low", upper="event_scale_high"),
        _Order(lower="theta_window_last", upper="theta_window_first"),
    ),
    "governors": (_Order(lower="cost_soft", upper="cost_hard", may_be_equal=True),),
}


def _keep_order(group: str) -> Callable[[Section], Section]:
    def check(section: Section) -> Section:
        for order in _ORDERS.get(group, ()):
            lower, upper = getattr(section, order.lower), getattr(section, order.upper)
            if lower > upper or (lower == upper and not order.may_be_equal):
                relation = "at most" if order.may_be_equal else "below"
                message = f"{lower} must be {relation} {order.upper}, which is {upper}"
                raise misplaced(order.lower, message)
        return section

    return check


def _fit_bias(section: Section) -> Section:
    bias, wings = section.bias, section.wings  # type: ignore[attr-defined]  # made from the rules
    if bias != "negative" and wings == "one_by_one":
        message = (
            f"one_by_one can never give the {bias} bias asked for: in a condor of one expiry each "
            "long lies further out than its short and has less vega, so its net vega is below "
            "zero; use ratio, diagonal or either (rule C5)"
        )
        raise misplaced("wings", message)
    if bias == "negative" and wings != "one_by_one":
        message = f"{wings} goes with a neutral or positive bias; negative is one_by_one (rule C4)"
        raise misplaced("wings", message)
    return section


def _harvest_above_latch(section: Section) -> Section:
    latch = section.signals.rsi_vix_high  # type: ignore[attr-defined]  # made from the rules
    harvest = section.rotation.harvest_rsi  # type: ignore[attr-defined]
    if harvest < latch:
        message = (
            f"{harvest} must be at least signals.rsi_vix_high, which is {latch}: a fall from where "
            "boosts begin would sell what they buy (rule B12)"
        )
        raise misplaced(("rotation", "harvest_rsi"), message)
    return section


def _value_type(entry: Field[Any], kind: type) -> Any:  # noqa: ANN401 an annotation
    metadata = entry.metadata
    owner = f"rule {metadata['rule']}: {metadata['what']}"
    if metadata["choices"]:
        return Literal[metadata["choices"]]
    if kind in (int, float):
        return Annotated[_KINDS[kind], within(metadata["low"], metadata["high"], owner)]
    return _KINDS[kind]


def _group_section(name: str, kind: type) -> type[Section]:
    hints = get_type_hints(kind)
    values: dict[str, Any] = {
        entry.name: (_value_type(entry, hints[entry.name]), entry.default)
        for entry in fields(kind)
        if "rule" in entry.metadata
    }
    if name == "panel":
        values["factors"] = (Factors, ())
    checks: dict[str, Any] = {"order": model_validator(mode="after")(_keep_order(name))}
    if name == "condor":
        checks["wings_fit_bias"] = model_validator(mode="after")(_fit_bias)
    if name == "panel":
        checks["names"] = model_validator(mode="after")(require_own_names)
    return create_model(
        f"{kind.__name__}Section", __base__=Section, __validators__=checks, **values
    )


@cache
def rules_section() -> type[Section]:
    """Return the model of the ``rules`` section: one nested section a group of rules."""
    groups: dict[str, Any] = {}
    for name, kind in get_type_hints(Rules).items():
        section = _group_section(name, kind)
        groups[name] = (section, section())
    checks: dict[str, Any] = {"harvest": model_validator(mode="after")(_harvest_above_latch)}
    return create_model("RulesSection", __base__=Section, __validators__=checks, **groups)


def parse_rules(data: object) -> Rules:
    """Return the rules a ``rules`` section asks for, defaults where it says nothing.

    Raises: pydantic.ValidationError.
    """
    if isinstance(data, Rules):
        return data
    section = rules_section().model_validate(data)
    return Rules(
        **{
            name: _group(kind, getattr(section, name))
            for name, kind in get_type_hints(Rules).items()
        }
    )


def _group(kind: type, section: Section) -> Any:  # noqa: ANN401 one group of rules
    values = dict(section)
    if "factors" in values:
        values["factors"] = tuple(factor.rule for factor in values["factors"])
    return kind(**values)


RuleValues = Annotated[Rules, PlainValidator(parse_rules), PlainSerializer(encode)]
