"""What of a factor feed was known before a session (E)."""

from datetime import date

import numpy as np
from numpy.typing import NDArray

from strategies.model.quotes import FloatArray
from strategies.model.rules import FactorRule
from strategies.model.snapshots import HISTORY_FROM, FactorSeries


def known_before(
    day: NDArray[np.datetime64], value: FloatArray, rule: FactorRule, session: date
) -> FactorSeries:
    """Return the observations since ``HISTORY_FROM`` that were published strictly before a session.

    An observation is published on its own day, and with a ``lag`` that many weekdays later; one of
    a weekend counts as Monday's then.

    Args:
        day: (n,) datetime64[D], ascending.
        value: (n,).
        rule: Of the feed.
        session: The day of the decision.
    """
    published = np.busday_offset(day, rule.lag, roll="forward") if rule.lag else day
    start = int(np.searchsorted(day, np.datetime64(HISTORY_FROM)))
    stop = int(np.searchsorted(published, np.datetime64(session)))
    rows = slice(start, max(start, stop))
    return FactorSeries(name=rule.name, day=day[rows], value=value[rows])


def absent(rule: FactorRule, problem: str) -> FactorSeries:
    """Return a feed without observations, and why."""
    nothing = np.empty(0, dtype="datetime64[D]")
    return FactorSeries(name=rule.name, day=nothing, value=np.empty(0), problem=problem)
