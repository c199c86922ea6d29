"""The VIX index of a chain: thirty-day variance as the exchange adds it up from quotes.

For one expiry, with Q(K) the midquote of the out-of-the-money option,

    s^2 = (2 / T) sum_i dK_i / K_i^2 e^(RT) Q(K_i) - (1 / T) (F / K0 - 1)^2,

F from put-call parity where put and call are closest, K0 the strike at or next below it. Strikes
count outward from K0 until two in a row have no bid. The variances of the expiries on both sides of
thirty days are interpolated in minutes. Source: Cboe, VIX white paper (2019).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import ArrayLike

from strategies.model.calendars import EXCHANGE_ZONE
from strategies.model.instruments import ROOTS, Settlement
from strategies.model.quotes import CALL, PUT, BoolArray, FloatArray, OptionChain, Series

_MINUTE = timedelta(minutes=1)
_MINUTES_PER_YEAR = 525_600.0
_MINUTES_OF_30_DAYS = 43_200.0
_TOO_NEAR_DAYS, _TOO_FAR_DAYS = 23, 37  # expiries lie strictly between
_FEWEST_STRIKES = 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StripVariance:
    """The variance of one expiry and the strikes that it was added up from."""

    variance: float  # annualised
    forward: float  # index points
    k0: float
    strike: FloatArray  # (n,) those that count, ascending
    contribution: FloatArray  # (n,) of each to the sum, before 2 / T


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VixReading:
    """The index and the two expiries that it was interpolated from."""

    value: float  # index points: 100 x annualised deviation
    near: Series
    near_strip: StripVariance
    next: Series
    next_strip: StripVariance


def strip_variance(
    strike: FloatArray, bid: FloatArray, ask: FloatArray, t_years: float, rate: float
) -> StripVariance | None:
    """Return the variance of one expiry; None if its quotes do not tell one.

    That is so without a strike at which put and call are both quoted, without a strike at or below
    the forward, and with fewer than three strikes that count.

    Shapes: ``strike`` (n,) ascending, ``bid`` and ``ask`` (n, 2) with the columns PUT and CALL.
    Units: index points, years of 365 days, ``rate`` continuously compounded per year.
    """
    mid = 0.5 * (bid + ask)
    both = np.flatnonzero((bid > 0).all(axis=1) & (ask >= bid).all(axis=1))
    if not len(both):
        return None
    apart = mid[both, CALL] - mid[both, PUT]
    closest = int(np.argmin(np.abs(apart)))
    growth = float(np.exp(rate * t_years))
    forward = float(strike[both[closest]] + growth * apart[closest])
    at_money = int(np.searchsorted(strike, forward, side="right")) - 1
    if at_money < 0:
        return None
    puts = at_money - 1 - np.flatnonzero(_counting(bid[:at_money, PUT][::-1]))
    calls = at_money + 1 + np.flatnonzero(_counting(bid[at_money + 1 :, CALL]))
    rows = np.concatenate([puts[::-1], [at_money], calls])
    if len(rows) < _FEWEST_STRIKES:
        return None
    quote = np.where(rows < at_money, mid[rows, PUT], mid[rows, CALL])
    quote[len(puts)] = mid[at_money].mean()
    used = strike[rows]
    contribution = growth * quote * _widths(used) / used**2
    k0 = float(strike[at_money])
    variance = (2.0 * float(contribution.sum()) - (forward / k0 - 1.0) ** 2) / t_years
    return StripVariance(
        variance=variance, forward=forward, k0=k0, strike=used, contribution=contribution
    )


def vix_index(chain: OptionChain, at: datetime, rate: ArrayLike) -> VixReading | None:
    """Return the VIX index of an SPX chain; None if it has no expiry on each side of thirty days.

    Expiries more than 23 and fewer than 37 calendar days away count, one a week: the last (Friday,
    or what stands for it), and of two series on one day the AM-settled one, as at the exchange.

    Shapes: ``rate`` a scalar, or (k,) with one for each series of the chain.
    Units: ``rate`` continuously compounded per year.
    """
    rates = np.broadcast_to(np.asarray(rate, dtype=np.float64), (len(chain.series),))
    around = _around_thirty_days(chain, at)
    if around is None:
        return None
    strips = []
    for index in around:
        rows = chain.rows_of(index)
        strip = strip_variance(
            chain.strike[rows],
            chain.bid[rows],
            chain.ask[rows],
            _minutes(chain.series[index], at) / _MINUTES_PER_YEAR,
            float(rates[index]),
        )
        if strip is None:
            return None
        strips.append(strip)
    near, following = (chain.series[index] for index in around)
    n_near, n_next = _minutes(near, at), _minutes(following, at)
    nearer = (n_next - _MINUTES_OF_30_DAYS) / (n_next - n_near)
    total = n_near * strips[0].variance * nearer + n_next * strips[1].variance * (1.0 - nearer)
    if total <= 0:
        return None
    return VixReading(
        value=100.0 * float(np.sqrt(total / _MINUTES_OF_30_DAYS)),
        near=near,
        near_strip=strips[0],
        next=following,
        next_strip=strips[1],
    )


def _around_thirty_days(chain: OptionChain, at: datetime) -> tuple[int, int] | None:
    """Return the series next below (or at) and next above thirty days."""
    today = at.astimezone(EXCHANGE_ZONE).date()
    by_week: dict[tuple[int, int], int] = {}
    for index, series in enumerate(chain.series):
        if not _TOO_NEAR_DAYS < (series.expiry - today).days < _TOO_FAR_DAYS:
            continue
        year, week, _ = series.expiry.isocalendar()
        held = by_week.get((year, week))
        if held is None or _preference(series) > _preference(chain.series[held]):
            by_week[year, week] = index
    minutes = {index: _minutes(chain.series[index], at) for index in by_week.values()}
    below = [index for index, each in minutes.items() if each <= _MINUTES_OF_30_DAYS]
    above = [index for index, each in minutes.items() if each > _MINUTES_OF_30_DAYS]
    if not below or not above:
        return None
    return max(below, key=minutes.__getitem__), min(above, key=minutes.__getitem__)


def _preference(series: Series) -> tuple[int, bool]:
    return series.expiry.toordinal(), ROOTS[series.root].settlement is Settlement.AM


def _minutes(series: Series, at: datetime) -> float:
    """Return the minutes to settlement by the clock on the wall: every day has 1,440."""
    settles = series.settles_at.astimezone(EXCHANGE_ZONE).replace(tzinfo=None)
    return (settles - at.astimezone(EXCHANGE_ZONE).replace(tzinfo=None)) / _MINUTE


def _counting(bids: FloatArray) -> BoolArray:
    """Return which bids count, going outward: those that are, up to the first two that are not."""
    missing = bids <= 0
    twice = np.flatnonzero(missing[1:] & missing[:-1])
    counting = ~missing
    if len(twice):
        counting[twice[0] :] = False
    return counting


def _widths(strike: FloatArray) -> FloatArray:
    """Return half the distance between the neighbours of each strike; at the ends, to the one."""
    widths = np.empty(len(strike))
    widths[1:-1] = 0.5 * (strike[2:] - strike[:-2])
    widths[0], widths[-1] = strike[1] - strike[0], strike[-1] - strike[-2]
    return widths
