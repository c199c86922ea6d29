"""Analogues (T1): what VIX did after the past days that were most like today."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True, kw_only=True)
class Analogues:
    """The nearest past days, and the changes of VIX over the 5, 10 and 21 sessions after them.

    Units: VIX points; ``median_5`` is the median of the changes over 5 sessions, and so on.
    """

    days: tuple[date, ...]  # nearest first
    farthest: float  # distance of the last, in standard deviations of the state
    median_5: float
    p75_5: float
    p90_5: float
    median_10: float
    p75_10: float
    p90_10: float
    median_21: float
    p75_21: float
    p90_21: float
    resolves_lower: bool  # a boost not yet in force waits an interval
    may_rise: bool  # B3 may act without S4
