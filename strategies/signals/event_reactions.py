"""Event reactions (T2): what VIX and SKEW did on past days of the kind of event that is next."""

from dataclasses import dataclass
from datetime import date

from strategies.model.snapshots import EventKind


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
