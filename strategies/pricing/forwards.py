"""Forwards and discount factors of every series of a chain.

SPX forwards come from put-call parity, ``F = K + (C - P) / D``, at the strikes around the money.
A VIX option's forward is the VX future of the same expiry, never spot VIX.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np

from strategies.model.quotes import CALL, PUT, BoolArray, FloatArray, FutureQuote, OptionChain

_PAIRS_EACH_SIDE = 8  # strikes with a two-sided put and call, below and above the money
_FEWEST_PAIRS = 3
_LEAST_SPREAD = 0.01  # points; keeps the weight of a locked market finite
_LEAST_AGREEMENT = 0.5  # share of the pairs that must agree on the forward within their spreads


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Forwards:
    """One entry a series of the chain, shape (k,). Forward is 0 where not ok."""

    forward: FloatArray  # index points
    discount: FloatArray
    t_years: FloatArray
    ok: BoolArray


def parity_forwards(chain: OptionChain, at: datetime, rate: float) -> Forwards:
    """Return forwards implied by put-call parity near the money.

    Each strike at which put and call have two-sided quotes gives one estimate. The up to sixteen
    around the money vote: their median, then the mean of those that agree with it within their
    own spreads, weighted by 1 / spread^2. Not ok: settled series, fewer than three pairs, or less
    than half of the pairs agreeing.

    Units: ``rate`` continuously compounded per year.
    """
    t_years, discount = _times(chain, at, rate)
    series_count = len(chain.series)
    rows = np.flatnonzero(((chain.bid > 0) & (chain.ask >= chain.bid)).all(axis=1))
    if not len(rows):
        return _forwards(np.zeros(series_count), discount, t_years, np.zeros(series_count, bool))
    series = chain.series_index[rows]
    bid, ask = chain.bid[rows], chain.ask[rows]
    call_less_put = 0.5 * (bid[:, CALL] + ask[:, CALL] - bid[:, PUT] - ask[:, PUT])
    estimate = chain.strike[rows] + call_less_put / discount[series]
    spread = np.maximum((ask - bid).sum(axis=1), _LEAST_SPREAD)

    # (k, window) of pairs around the money. Calls are worth more than puts below the forward, so
    # counting those finds the money even where single quotes are wild.
    count = np.bincount(series, minlength=series_count)
    below = np.bincount(series[call_less_put > 0], minlength=series_count)
    position = below[:, None] + np.arange(-_PAIRS_EACH_SIDE, _PAIRS_EACH_SIDE)
    inside = (position >= 0) & (position < count[:, None])
    pair = np.where(inside, (np.cumsum(count) - count)[:, None] + position, 0)
    votes = estimate[pair]
    voters = inside.sum(axis=1)
    ranked = np.sort(np.where(inside, votes, np.inf), axis=1)
    middle = np.stack([np.maximum(voters - 1, 0) // 2, np.minimum(voters // 2, voters.max() - 1)])
    median = np.take_along_axis(ranked, middle.T, axis=1).mean(axis=1)
    agree = inside & (np.abs(votes - median[:, None]) <= 0.5 * spread[pair])
    weight = agree / spread[pair] ** 2
    total = weight.sum(axis=1)
    forward = (weight * votes).sum(axis=1) / np.where(total > 0, total, 1.0)
    ok = (voters >= _FEWEST_PAIRS) & (agree.sum(axis=1) >= _LEAST_AGREEMENT * voters)
    return _forwards(forward, discount, t_years, ok)


def future_forwards(
    chain: OptionChain, futures: Sequence[FutureQuote], at: datetime, rate: float
) -> Forwards:
    """Return the mid of the VX future, else of the VXM, with each series' own expiry.

    Not ok: settled series, and expiries without a future quoted on both sides.

    Units: ``rate`` continuously compounded per year.
    """
    t_years, discount = _times(chain, at, rate)
    mids: dict[tuple[str, date], float] = {
        (each.contract.root, each.contract.expiry): each.quote.mid
        for each in futures
        if each.quote.is_two_sided
    }
    forward = np.array(
        [
            mids.get(("VX", series.expiry), mids.get(("VXM", series.expiry), 0.0))
            for series in chain.series
        ],
        dtype=np.float64,
    )
    return _forwards(forward, discount, t_years, forward > 0)


def _times(chain: OptionChain, at: datetime, rate: float) -> tuple[FloatArray, FloatArray]:
    t_years = np.array([series.years_from(at) for series in chain.series], dtype=np.float64)
    return t_years, np.exp(-rate * np.maximum(t_years, 0.0))


def _forwards(
    forward: FloatArray, discount: FloatArray, t_years: FloatArray, ok: BoolArray
) -> Forwards:
    ok = ok & (t_years > 0) & (forward > 0)
    return Forwards(forward=np.where(ok, forward, 0.0), discount=discount, t_years=t_years, ok=ok)
