"""Parity watch (D4): what a conversion or a reversal at natural prices would lock in.

A conversion sells the call at its bid, buys the put at its offer and holds the forward; a reversal
is its mirror. With m = (C - P) - D (F - K) at mids, D the discount factor, s the spreads of put and
call together and h half the spread of the forward, the better of the two locks in

    abs(m) - s / 2 - D h

and what is left of it after commissions is the edge. The forward of a VIX option is the VX future
of its expiry. That of an SPX option is what the other strikes of its expiry imply (h = 0): a strike
is judged by its neighbours, never by itself.
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
from strategies.model.quotes import CALL, PUT, BoolArray, FloatArray, OptionChain
from strategies.pricing.valuation import Valuer

_OPTION_MULTIPLIER = 100
_LEAST_SPREAD = 0.01  # points; keeps the weight of a locked market finite
_FEWEST_OTHERS = 3  # strikes that judge one
_SPX_LEGS = 4  # the forward of SPX is itself bought as a synthetic
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
    size = np.diff(chain.row_starts)
    put_bid, call_bid = chain.bid[:, PUT], chain.bid[:, CALL]
    put_ask, call_ask = chain.ask[:, PUT], chain.ask[:, CALL]
    counts = np.repeat(forwards.ok, size) & (put_bid > 0) & (call_bid > 0)
    counts &= (put_ask >= put_bid) & (call_ask >= call_bid)
    spread = call_ask - call_bid + put_ask - put_bid
    discount = np.repeat(forwards.discount, size)
    dear = 0.5 * (call_bid + call_ask - put_bid - put_ask)
    dear -= discount * (np.repeat(forwards.forward, size) - chain.strike)
    costs = 0.5 * spread
    if is_spx:
        dear -= _dear_among_others(chain, dear, spread, counts)
    else:
        costs += discount * np.repeat(_half_spreads(chain, valuer), size)
    edges = np.abs(dear) - costs
    known = np.flatnonzero(counts & np.isfinite(edges))
    if not known.size:
        raise MissingData(f"no {underlying} strike to hold against a forward")
    best = int(known[edges[known].argmax()])
    quoted_in = chain.series[int(chain.series_index[best])]
    return ParityEdge(
        underlying=underlying,
        root=quoted_in.root,
        expiry=quoted_in.expiry,
        strike=float(chain.strike[best]),
        trade=ParityTrade.CONVERSION if dear[best] > 0 else ParityTrade.REVERSAL,
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


def _dear_among_others(
    chain: OptionChain, dear: FloatArray, spread: FloatArray, counts: BoolArray
) -> FloatArray:
    """Return what the other strikes of each strike's series say ``dear`` should be.

    The others count that agree with the fitted forward within their own spreads, by 1 / spread^2.
    NaN where fewer than three do.
    """
    size = np.diff(chain.row_starts)
    agrees = counts & (np.abs(dear) <= 0.5 * spread)
    weight = agrees / np.maximum(spread, _LEAST_SPREAD) ** 2

    def among_others(each: FloatArray) -> FloatArray:
        """Return the sums over the series, less each strike's own part."""
        sums = np.bincount(chain.series_index, each, len(chain.series))
        return np.repeat(sums, size) - each

    known = among_others(agrees.astype(np.float64)) >= _FEWEST_OTHERS
    total = np.where(known, among_others(weight), np.nan)
    return among_others(weight * dear) / total


def _half_spreads(chain: OptionChain, valuer: Valuer) -> FloatArray:
    """Return half the spread of the future that is each VIX series' forward; NaN without one."""
    spreads = []
    for series in chain.series:
        future = valuer.future(FutureContract(root="VX", expiry=series.expiry)) or valuer.future(
            FutureContract(root="VXM", expiry=series.expiry)
        )
        spreads.append(np.nan if future is None else 0.5 * (future.ask - future.bid))
    return np.array(spreads)
