"""Parity watch (D4): what a conversion or a reversal at natural prices would lock in.

A conversion sells the call at its bid, buys the put at its offer and holds the underlying forward;
a reversal is its mirror. Per package, with D the discount factor,

    conversion   (C bid - P ask) - D (F ask - K)
    reversal     D (F bid - K) - (C ask - P bid)

and what is left after commissions is the edge. The forward of a VIX option is the VX future of its
expiry at its own bid and offer. That of an SPX option is the forward which the other strikes of
its expiry imply, at their mids: each strike is judged by its neighbours, never by itself.
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
from strategies.model.quotes import CALL, PUT, BoolArray, FloatArray, IntArray, OptionChain
from strategies.pricing.forwards import Forwards
from strategies.pricing.valuation import FutureValue, Valuer

_OPTION_MULTIPLIER = 100
_LEAST_SPREAD = 0.01  # points; keeps the weight of a locked market finite
_FEWEST_OTHERS = 3  # strikes that judge one
_SPX_LEGS = 4  # the forward of SPX is itself bought as a synthetic
_VIX_LEGS = 2


class ParityTrade(StrEnum):
    """The package that would earn the edge."""

    CONVERSION = "conversion"  # call sold, put bought, underlying held
    REVERSAL = "reversal"  # call bought, put sold, underlying sold


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

    Pairs count of which all four sides are quoted and not crossed, in series with a forward.
    Commissions are those of the dearest premium tier.

    Raises: MissingData if there is no such pair, or nothing to judge it by.
    Source: rule D4.
    """
    if underlying == "SPX":
        chain, forwards = valuer.market.spx_options, valuer.spx.forwards
    else:
        chain, forwards = valuer.market.vix_options, valuer.vix.forwards
    rows = np.flatnonzero(
        forwards.ok[chain.series_index] & ((chain.bid > 0) & (chain.ask >= chain.bid)).all(axis=1)
    )
    discount = forwards.discount[chain.series_index[rows]]
    if underlying == "SPX":
        low, known = _forward_of_others(chain, forwards, rows)
        high = low
    else:
        low, high, known = _future_quotes(chain, valuer, rows)
    rows, discount, low, high = rows[known], discount[known], low[known], high[known]
    if not rows.size:
        raise MissingData(f"no {underlying} pair to hold against a forward")
    strike, bid, ask = chain.strike[rows], chain.bid[rows], chain.ask[rows]
    edges = np.stack(
        [
            bid[:, CALL] - ask[:, PUT] - discount * (high - strike),
            discount * (low - strike) - (ask[:, CALL] - bid[:, PUT]),
        ]
    )
    trade, best = divmod(int(edges.argmax()), len(rows))
    series = chain.series[int(chain.series_index[rows[best]])]
    return ParityEdge(
        underlying=underlying,
        root=series.root,
        expiry=series.expiry,
        strike=float(strike[best]),
        trade=tuple(ParityTrade)[trade],
        points=round(float(edges[trade, best]) - package_cost(underlying, fees), 6),
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


def _forward_of_others(
    chain: OptionChain, forwards: Forwards, rows: IntArray
) -> tuple[FloatArray, BoolArray]:
    """Return for each pair the forward that the others of its series imply, and whether one can.

    The others count that agree with the fitted forward within their own spreads, by 1 / spread^2.
    """
    series, strike = chain.series_index[rows], chain.strike[rows]
    bid, ask = chain.bid[rows], chain.ask[rows]
    call_less_put = 0.5 * (bid[:, CALL] + ask[:, CALL] - bid[:, PUT] - ask[:, PUT])
    implied = strike + call_less_put / forwards.discount[series]
    spread = np.maximum((ask - bid).sum(axis=1), _LEAST_SPREAD)
    agrees = np.abs(implied - forwards.forward[series]) <= 0.5 * spread
    weight = agrees / (spread * spread)
    count = len(chain.series)
    total = np.bincount(series, weight, count)[series] - weight
    # taken about the strikes' own fitted forward, so that nothing is lost to cancellation
    miss = implied - forwards.forward[series]
    missed = np.bincount(series, weight * miss, count)[series] - weight * miss
    others = np.bincount(series, agrees, count)[series] - agrees
    known = others >= _FEWEST_OTHERS
    forward = forwards.forward[series] + missed / np.where(known, total, 1.0)
    return forward, known


def _future_quotes(
    chain: OptionChain, valuer: Valuer, rows: IntArray
) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Return for each pair the bid and the offer of its future, and whether it has one."""
    quotes = [_future(valuer, series.expiry) for series in chain.series]
    low = np.array([0.0 if each is None else each.bid for each in quotes])
    high = np.array([0.0 if each is None else each.ask for each in quotes])
    series = chain.series_index[rows]
    return low[series], high[series], low[series] > 0


def _future(valuer: Valuer, expiry: date) -> FutureValue | None:
    large = valuer.future(FutureContract(root="VX", expiry=expiry))
    return large or valuer.future(FutureContract(root="VXM", expiry=expiry))
