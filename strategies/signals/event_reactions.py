"""Event reactions (T2): what VIX and SKEW did on past days of the kind of event that is next."""

from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from strategies.model.errors import MissingData
from strategies.model.plan import Gate
from strategies.model.quotes import FloatArray
from strategies.model.rules import Rules
from strategies.model.snapshots import DailyHistory, EventAhead, EventKind, MarketSnapshot
from strategies.signals.indicators import tidy

FEWEST_EVENTS = 6
_COLUMNS = {
    EventKind.FOMC: "is_fomc",
    EventKind.CPI: "is_cpi",
    EventKind.PPI: "is_ppi",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EventReactions:
    """Close-to-close changes on the past event days of the kind that is next.

    Units: VIX points, SKEW points. ``..._abs90``: the 90th percentile of the absolute change.
    """

    kind: EventKind
    day: date  # of the event ahead
    trading_days: int  # sessions after today up to and including it; 0 = today
    events: int  # past event days looked at
    vix_mean: float
    vix_abs90: float
    skew_mean: float | None  # None = too few event days with SKEW
    skew_abs90: float | None


class _Reaction(NamedTuple):
    """The changes of one series on past event days."""

    events: int
    mean: float
    abs90: float


def read_event_reactions(snapshot: MarketSnapshot, rules: Rules) -> EventReactions:
    """Return the reactions to the kind of event that is next; of several that day, the strongest.

    The last ``event_reactions`` event days of the kind before today count, of each the change from
    the close before it to its own close.

    Raises: MissingData if no event is known to be ahead, or if fewer than six past days of its kind
        have a change of VIX.
    Source: rule T2.
    """
    if not snapshot.events:
        raise MissingData("no event ahead is known")
    soonest = min(event.trading_days for event in snapshot.events)
    reactions, reasons = [], []
    for event in snapshot.events:
        if event.trading_days == soonest:
            try:
                reactions.append(_reactions_to(event, snapshot, rules.time.event_reactions))
            except MissingData as reason:
                reasons.append(str(reason))
    if not reactions:
        raise MissingData("; ".join(reasons))
    return max(reactions, key=lambda each: (each.vix_abs90, each.kind))


def event_gate(reactions: EventReactions) -> Gate:
    """Return T2's projection as a plan records it; it holds wherever it is known."""
    skew = "unknown"
    if reactions.skew_abs90 is not None:
        skew = f"{reactions.skew_abs90:.2f} (mean {reactions.skew_mean:+.2f})"
    return Gate(
        rule="T2",
        name=f"90 % absolute change of VIX on {reactions.kind} days",
        value=reactions.vix_abs90,
        threshold=None,
        passed=True,
        note=(
            f"{reactions.events} days, mean {reactions.vix_mean:+.2f}; SKEW {skew}; "
            f"next {reactions.day}"
        ),
    )


def _reactions_to(event: EventAhead, snapshot: MarketSnapshot, last: int) -> EventReactions:
    history = snapshot.history
    completed = int(np.searchsorted(history.session, np.datetime64(snapshot.session, "D")))
    vix = _reaction(history, completed, event.kind, "vix_close", last)
    if vix is None:
        raise MissingData(f"fewer than {FEWEST_EVENTS} past {event.kind} days with VIX")
    skew = _reaction(history, completed, event.kind, "skew_close", last)
    return EventReactions(
        kind=event.kind,
        day=event.day,
        trading_days=event.trading_days,
        events=vix.events,
        vix_mean=vix.mean,
        vix_abs90=vix.abs90,
        skew_mean=None if skew is None else skew.mean,
        skew_abs90=None if skew is None else skew.abs90,
    )


@lru_cache(maxsize=16)
def _reaction(
    history: DailyHistory, completed: int, kind: EventKind, column: str, last: int
) -> _Reaction | None:
    """Return how one series changed on the last events; None if they are too few.

    A history is compared by its identity: one is made a session, and its days do not change.
    """
    is_event: FloatArray = getattr(history, _COLUMNS[kind])[1:completed]
    changes: FloatArray = np.diff(getattr(history, column)[:completed])
    known = changes[(is_event == 1) & np.isfinite(changes)][-last:]
    if len(known) < FEWEST_EVENTS:
        return None
    return _Reaction(
        events=len(known),
        mean=tidy(float(known.mean())),
        abs90=tidy(float(np.percentile(np.abs(known), 90))),
    )
