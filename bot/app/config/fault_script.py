"""A fault script: what goes wrong at a simulated gateway and when, one block a fault."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from bot.app.config.documents import read_document
from bot.app.config.scalars import Number, Switch, Text, Whole, expected
from bot.app.config.sections import Section, within
from bot.app.config.validation import Layers, validate
from bot.gateway.fault_plan import FaultPlan, PlannedFault
from bot.gateway.faults import FaultKind
from strategies.model.calendars import EXCHANGE_ZONE

_SECONDS_MAX = 7 * 24 * 3600


def _instant(value: Any) -> datetime:  # noqa: ANN401 whatever the file holds
    """Return an instant; without a zone it is New York time."""
    try:
        at = datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise expected("a time like 2020-03-09T10:00", value) from None
    return at if at.tzinfo else at.replace(tzinfo=EXCHANGE_ZONE)


def _listed(value: Any) -> Any:  # noqa: ANN401 whatever the file holds
    if not isinstance(value, list):
        raise expected("a list of blocks, each beginning with '- kind:'", value)
    return value


def _times(value: Any) -> int | None:  # noqa: ANN401 whatever the file holds
    """Return how often a fault strikes; None is always."""
    if value == "always":
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise expected("a number from 1 or always", value)
    return value


class FaultWhere(Section):
    """What it must be about to strike."""

    message_kind: Text | None = None
    client_id: Whole | None = None
    order_ref: Text | None = None
    sec_type: Text | None = None


class FaultEntry(Section):
    """One fault."""

    kind: Literal[tuple(FaultKind)]  # type: ignore[valid-type]  # all of them, by name
    at: Annotated[datetime, BeforeValidator(_instant)] | None = None
    nth: Annotated[Whole, within(1, 1_000_000)] | None = None
    probability: Annotated[Number, within(0, 1)] | None = None
    times: Annotated[int | None, BeforeValidator(_times)] = 1
    where: FaultWhere = FaultWhere()
    seconds: Annotated[Number, within(-_SECONDS_MAX, _SECONDS_MAX)] | None = None
    code: Annotated[Whole, within(1, 100_000)] | None = None
    text: Text | None = None
    price_change: Number | None = None
    data_kept: Switch | None = None
    orders: Annotated[Whole, within(1, 1_000_000)] | None = None
    repeat_every: Annotated[Number, within(0, _SECONDS_MAX)] | None = None
    processed: Switch | None = None

    def planned(self) -> PlannedFault:
        """Return the entry as the gateway's plan takes it."""
        details = self.model_dump(exclude_none=True, exclude=_CONDITIONS)
        return PlannedFault(
            kind=FaultKind(self.kind),
            at=self.at,
            nth=self.nth,
            probability=self.probability,
            matching=self.where.model_dump(exclude_none=True),
            times=self.times,
            details=details,
        )


_CONDITIONS = {"kind", "at", "nth", "probability", "times", "where"}


class FaultScript(Section):
    """A whole script."""

    seed: Annotated[Whole, within(0, 2**63 - 1)] = 0
    faults: Annotated[tuple[FaultEntry, ...], BeforeValidator(_listed)] = Field(...)


def load_fault_script(path: Path) -> FaultPlan:
    """Return the plan in the file at ``path``; raises ConfigInvalid."""
    script = validate(FaultScript, Layers(document=read_document(path)))
    return FaultPlan((entry.planned() for entry in script.faults), seed=script.seed)
