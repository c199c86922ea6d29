"""Parity watch (D4): what a conversion or a reversal at natural prices would lock in.

A conversion sells the call at its bid, buys the put at its offer and holds the forward; a reversal
is its mirror. With m how far C - P lies from D (F - K) at mids, s the spreads of put and call
together and h half of what the forward costs to trade, the better of the two locks in

    abs(m) - s / 2 - h

and what is left of it after commissions is the edge. The forward of a VIX option is the VX future
of its expiry. That of an SPX option is bought and sold as the synthetics of the two strikes around
it: D (F - K) is straight in K, so that their mean, weighted to meet K, is what C - P should be,
whatever forward and rate the market has in mind. A strike is never judged by itself.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

import numpy as np

from strategies.model.errors import MissingData
from strategies.model.fees import FeeSchedule
from strategies.model.instruments import FutureContract
from strategies.model.plan import Gate
from strategies.model.quotes import CALL, PUT, FloatArray, IntArray, OptionChain
from strategies.pricing.valuation import Valuer

_OPTION_MULTIPLIER = 100
_SPX_LEGS = 4  # the forward of SPX is itself a put and a call, of two strikes
_VIX_LEGS = 2


class ParityTrade(StrEnum):
    """The package that would earn the edge."""

    CONVERSION = "conversion"  # call sold, put bought, forward bought
    REVERSAL = "reversal"  # call bought, put sold, forward sold


@dataclass(frozen=True, slots=True, kw_only=True)
class ParityEdge:
    """The best package of one chain; usually it would cost more than it locks in."""

    underlying: str
    root: str
    expiry: date
    strike: float
    trade: ParityTrade
    points: float  # index points beyond costs; > 0 violates put-call parity


def best_parity_edge(valuer: Valuer, underlying: str, fees: FeeSchedule) -> ParityEdge:
    """Return the strike and package with the largest edge of the chain on ``underlying``.

    Strikes count whose put and call are quoted on both sides and not crossed, in series with a
    forward. Commissions are those of the dearest premium tier.

    Raises: MissingData if there is no such strike, or nothing to judge it by.
    Source: rule D4.
    """
    is_spx = underlying == "SPX"
    chain = valuer.market.spx_options if is_spx else valuer.market.vix_options
    forwards = (valuer.spx if is_spx else valuer.vix).forwards
    put_bid, call_bid = chain.bid[:, PUT], chain.bid[:, CALL]
    put_ask, call_ask = chain.ask[:, PUT], chain.ask[:, CALL]
    counts = np.repeat(forwards.ok, np.diff(chain.row_starts)) & (put_bid > 0) & (call_bid > 0)
    counts &= (put_ask >= put_bid) & (call_ask >= call_bid)
    rows = np.flatnonzero(counts)
    half_spread = 0.5 * (call_ask - call_bid + put_ask - put_bid)[rows]
    call_less_put = 0.5 * (call_bid + call_ask - put_bid - put_ask)[rows]
    if is_spx:
        miss, cost = _against_neighbours(chain, rows, call_less_put, half_spread)
        rows, half_spread = rows[1:-1], half_spread[1:-1]
    else:
        miss, cost = _against_futures(chain, valuer, rows, call_less_put)
    edges = np.abs(miss) - half_spread - cost
    known = np.flatnonzero(~np.isnan(edges))
    if not known.size:
        raise MissingData(f"no {underlying} strike to hold against a forward")
    best = int(known[edges[known].argmax()])
    series = chain.series[int(chain.series_index[rows[best]])]
    return ParityEdge(
        underlying=underlying,
        root=series.root,
        expiry=series.expiry,
        strike=float(chain.strike[rows[best]]),
        trade=ParityTrade.CONVERSION if miss[best] > 0 else ParityTrade.REVERSAL,
        points=round(float(edges[best]) - package_cost(underlying, fees), 6),
    )


def package_cost(underlying: str, fees: FeeSchedule) -> float:
    """Return the commissions of one package in index points.

    VIX: put, call and the tenth of a VX that covers them. SPX: put, call and a synthetic forward.
    """
    each = fees.option_commission + fees.orf + fees.occ
    if underlying == "SPX":
        usd = _SPX_LEGS * (each + fees.spx_exchange)
    else:
        future = fees.vx_commission + fees.vx_exchange + fees.futures_regulatory
        usd = _VIX_LEGS * (each + max(fees.vix_exchange_complex)) + future / Decimal(10)
    return float(usd) / _OPTION_MULTIPLIER


def parity_gate(edge: ParityEdge) -> Gate:
    """Return the best edge of a chain as a plan records it; passed = parity is violated."""
    return Gate(
        rule="D4",
        name=f"{edge.underlying} parity edge beyond costs",
        value=edge.points,
        threshold=0.0,
        passed=edge.points > 0,
        note=f"{edge.trade} at {edge.strike:g} of {edge.root} {edge.expiry}",
    )


def fine_tuning_gate(edge: ParityEdge, used_on: date | None, session: date) -> Gate | None:
    """Return which instrument an edge in VIX options chooses for fine-tuning delta.

    It is always the outright. A synthetic long future is a long call and a short put, which nothing
    in the book covers (G8); a synthetic short one would be short a call. None without an edge, and
    for the rest of the calendar week in which one has been used.
    """
    if edge.points <= 0 or _week(used_on) == _week(session):
        return None
    return Gate(
        rule="D4",
        name="synthetic or outright",
        value="outright",
        threshold=None,
        passed=True,
        note="a synthetic future holds a short option that nothing covers (G8)",
    )


def _week(day: date | None) -> tuple[int, int] | None:
    return None if day is None else day.isocalendar()[:2]


def _against_neighbours(
    chain: OptionChain, rows: IntArray, call_less_put: FloatArray, half_spread: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the miss of all rows but the outer two, and what trading their neighbours costs.

    Shapes: (n,) each -> (n - 2,) each; NaN where a neighbour is of another series.
    """
    series, strike = chain.series_index[rows], chain.strike[rows]
    lower, upper = slice(None, -2), slice(2, None)
    one_series = series[lower] == series[upper]
    width = np.where(one_series, strike[upper] - strike[lower], np.nan)
    weight = (strike[upper] - strike[1:-1]) / width

    def between(each: FloatArray) -> FloatArray:
        mean: FloatArray = weight * each[lower] + (1.0 - weight) * each[upper]
        return mean

    return call_less_put[1:-1] - between(call_less_put), between(half_spread)


def _against_futures(
    chain: OptionChain, valuer: Valuer, rows: IntArray, call_less_put: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the miss of each row against its future, and half the future's spread, discounted."""
    forwards, series = valuer.vix.forwards, chain.series_index[rows]
    discount = forwards.discount[series]
    miss = call_less_put - discount * (forwards.forward[series] - chain.strike[rows])
    return miss, discount * _half_spreads(chain, valuer)[series]


def _half_spreads(chain: OptionChain, valuer: Valuer) -> FloatArray:
    """Return half the spread of the future that is each VIX series' forward; NaN without one."""
    spreads = []
    for series in chain.series:
        future = valuer.future(FutureContract(root="VX", expiry=series.expiry)) or valuer.future(
            FutureContract(root="VXM", expiry=series.expiry)
        )
        spreads.append(np.nan if future is None else 0.5 * (future.ask - future.bid))
    return np.array(spreads)
