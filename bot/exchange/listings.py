"""Which contracts are listed on a session: expiries as they existed, strikes fixed at the open.

The listing depends on the previous close alone, never on what happens during the session. It is a
subset of the real one, dense where condors are opened (5-point strikes around the 10 to 25 delta of
the expiries 40 to 47 days away) and coarse elsewhere. Strikes are absolute multiples over a wide
range, so that most of yesterday's are listed again today.
"""

import math
from calendar import FRIDAY, THURSDAY, TUESDAY
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

import numpy as np

from strategies.model.calendars import TradingCalendar
from strategies.model.expiries import (
    series_instants,
    spx_am_expiries,
    spxw_expiries,
)
from strategies.model.quotes import BoolArray, FloatArray, IntArray, Series

SPX_HORIZON_DAYS: Final = 185
VIX_SERIES_MOST: Final = 6

_WEEKLIES_DAYS: Final = 65
_DAILY_SINCE: Final = date(2022, 4, 18)  # before it, a Tuesday or Thursday stands for another day
_DAILY_CYCLE_DAYS: Final = 38  # Tuesdays and Thursdays are listed for the nearest five weeks
_THIRD_WEEK: Final = range(15, 22)

_SPX_FLOOR: Final = 0.65  # of the previous close; lower in stress
_SPX_CEILING: Final = 1.15
_FARTHEST: Final = 8.0  # deviations; near expiries need no strikes beyond
_SHORTEST_DAYS: Final = 4.0  # tenor that sets the strikes of nearer expiries
_CALMEST_VIX: Final = 18.0  # strikes are no closer together for a lower one: it may rise
_STEPS: Final = (5.0, 10.0, 25.0, 50.0, 100.0)
_TAIL_STEP: Final = 100.0


@dataclass(frozen=True, slots=True)
class _Zone:
    """Strikes in a range of deviations (VIX x sqrt(years)) from the previous close.

    The step is the finest that needs no more than ``rows_most`` rows.
    """

    below: float
    above: float
    rows_most: float


_CONDOR_DAYS: Final = range(40, 48)  # the expiries that entries choose
_CONDOR_ZONES: Final = (
    _Zone(-1.6, -0.6, math.inf),  # 10 to 25 delta puts, and room for a fall
    _Zone(0.4, 0.9, math.inf),  # calls
    _Zone(-2.1, 1.2, 40),
)
_HOLDING_DAYS: Final = range(20, 66)  # where condors are held, rolled and adjusted
_HOLDING_ZONES: Final = (_Zone(-1.8, 1.1, 26),)
_OTHER_ZONES: Final = (_Zone(-2.2, 1.5, 19),)

_VIX_FINE: Final = (10.0, 15.0, 0.5)
_VIX_MIDDLE: Final = (15.0, 50.0, 1.0)
_VIX_COARSE: Final = (50.0, 100.0, 5.0)
_VIX_TAIL_STEP: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Listing:
    """Option rows of one underlying in chain order: k series, m rows."""

    series: tuple[Series, ...]
    series_index: IntArray  # (m,)
    strike: FloatArray  # (m,)

    def alive_at(self, at: datetime) -> "Listing":
        """Return the listing without the series that no longer trade at ``at``."""
        alive = [is_trading(series, at) for series in self.series]
        if all(alive):
            return self
        keep = np.array(alive)
        rows: BoolArray = keep[self.series_index]
        renumbered = np.cumsum(keep) - 1
        return Listing(
            series=tuple(series for series, is_in in zip(self.series, alive, strict=True) if is_in),
            series_index=renumbered[self.series_index[rows]],
            strike=self.strike[rows],
        )


def is_trading(series: Series, at: datetime) -> bool:
    """Return whether a series is still quoted: up to its last trade, and never at settlement."""
    return at <= series.last_trade_at and at < series.settles_at


def build_listing(strikes: Iterable[tuple[Series, Iterable[float]]]) -> Listing:
    """Return a listing of series with their strikes, which may repeat."""
    by_key: dict[tuple[date, str], tuple[Series, set[float]]] = {}
    for series, values in strikes:
        by_key.setdefault((series.expiry, series.root), (series, set()))[1].update(values)
    ordered = [by_key[key] for key in sorted(by_key)]
    sorted_strikes = [sorted(values) for _, values in ordered]
    lengths = [len(values) for values in sorted_strikes]
    return Listing(
        series=tuple(series for series, _ in ordered),
        series_index=np.repeat(np.arange(len(ordered)), lengths),
        strike=np.array([strike for values in sorted_strikes for strike in values]),
    )


def spx_strikes(
    session: date, calendar: TradingCalendar, previous_close: float, previous_vix: float
) -> list[tuple[Series, FloatArray]]:
    """Return the SPX and SPXW series listed on a session with their strikes.

    Args:
        session: The day.
        calendar: Must reach ``SPX_HORIZON_DAYS`` and two months past the session.
        previous_close: SPX, index points.
        previous_vix: VIX, index points.
    """
    last = session + timedelta(days=SPX_HORIZON_DAYS)
    weeklies = [
        ("SPXW", expiry)
        for expiry in spxw_expiries(session, last, calendar)
        if _is_listed_weekly((expiry - session).days, expiry)
    ]
    tomorrow = session + timedelta(days=1)
    standard = [("SPX", expiry) for expiry in spx_am_expiries(tomorrow, last, calendar)]
    return [
        (
            series_instants(root, expiry, calendar),
            _strikes_around(previous_close, previous_vix, (expiry - session).days),
        )
        for root, expiry in weeklies + standard
    ]


def vix_strikes(
    session: date, calendar: TradingCalendar, expiries: Iterable[date], previous_vix: float
) -> list[tuple[Series, FloatArray]]:
    """Return the VIX series of the given expiries after ``session`` with their strikes.

    Every $0.50 from 10 to 15, $1 to 50, $5 to 100, and $10 on from there when the VIX is high.
    """
    top = max(_VIX_COARSE[1], 10.0 * math.ceil(2.0 * previous_vix / 10.0))
    tiers = (_VIX_FINE, _VIX_MIDDLE, _VIX_COARSE, (_VIX_COARSE[1], top, _VIX_TAIL_STEP))
    strikes = np.concatenate([np.arange(low, high, step) for low, high, step in tiers] + [[top]])
    return [
        (series_instants("VIX", expiry, calendar), strikes)
        for expiry in sorted(expiries)[:VIX_SERIES_MOST]
        if expiry > session
    ]


def _is_listed_weekly(days: int, expiry: date) -> bool:
    is_third_friday = expiry.weekday() == FRIDAY and expiry.day in _THIRD_WEEK
    if days > _WEEKLIES_DAYS:
        return is_third_friday
    is_tuesday_or_thursday = expiry.weekday() in (TUESDAY, THURSDAY)
    is_month_end = (expiry + timedelta(days=1)).month != expiry.month
    is_of_daily_cycle = expiry >= _DAILY_SINCE and is_tuesday_or_thursday and not is_month_end
    return days <= _DAILY_CYCLE_DAYS or not is_of_daily_cycle


def _strikes_around(close: float, vix: float, days: int) -> FloatArray:
    deviation = max(vix, _CALMEST_VIX) / 100.0 * math.sqrt(max(days, _SHORTEST_DAYS) / 365.0)
    if days in _CONDOR_DAYS:
        zones: tuple[_Zone, ...] = _CONDOR_ZONES
    else:
        zones = _HOLDING_ZONES if days in _HOLDING_DAYS else _OTHER_ZONES
    low = min(_SPX_FLOOR, math.exp(-2.6 * deviation))
    high = max(_SPX_CEILING, math.exp(1.6 * deviation))
    low = close * max(low, math.exp(-_FARTHEST * deviation))
    high = close * min(high, math.exp(_FARTHEST * deviation))
    parts = [_multiples(low, high, _TAIL_STEP)]
    for zone in zones:
        start = max(low, close * math.exp(zone.below * deviation))
        stop = min(high, close * math.exp(zone.above * deviation))
        step = next((step for step in _STEPS if stop - start <= zone.rows_most * step), _STEPS[-1])
        parts.append(_multiples(start, stop, step))
    return np.unique(np.concatenate(parts))


def _multiples(low: float, high: float, step: float) -> FloatArray:
    counts = np.arange(math.ceil(low / step), math.floor(high / step) + 1, dtype=np.float64)
    return counts * step
