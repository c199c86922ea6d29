"""Parity watch (D4): the better of conversion and reversal, beyond natural prices and costs."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from strategies.model.errors import MissingData
from strategies.model.fees import DEFAULT_FEES
from strategies.model.quotes import CALL, PUT, OptionChain
from strategies.pricing.parity_watch import (
    ParityEdge,
    ParityTrade,
    best_parity_edge,
    fine_tuning_gate,
    package_cost,
    parity_gate,
)
from strategies.pricing.valuation import Valuer
from tests.builders import AT, TODAY, market_quotes, spx_chain, vix_chain, vx_futures
from tests.builders import VX_CURVE as CURVE

FREE = replace(
    DEFAULT_FEES,
    **{
        name: type(value)(0) if not isinstance(value, tuple) else tuple(0 * each for each in value)
        for name, value in (
            (name, getattr(DEFAULT_FEES, name)) for name in DEFAULT_FEES.__dataclass_fields__
        )
        if name != "as_of"
    },
)


def edge_of(market, underlying="SPX", fees=DEFAULT_FEES, **valuer) -> ParityEdge:
    return best_parity_edge(Valuer(market, TODAY, **valuer), underlying, fees)


def moved(chain: OptionChain, row: int, column: int, points: float) -> OptionChain:
    """The chain with one option's bid and offer moved."""
    bid, ask = chain.bid.copy(), chain.ask.copy()
    bid[row, column] += points
    ask[row, column] += points
    return replace(chain, bid=bid, ask=ask)


def row_of(chain: OptionChain, strike: float, series: int = 3) -> int:
    rows = chain.rows_of(series)
    return int(rows.start) + int(np.searchsorted(chain.strike[rows], strike))


def natural_edges(chain, row, *, low, high, discount) -> tuple[float, float]:
    """Conversion and reversal as they are traded, package by package."""
    strike = chain.strike[row]
    return (
        chain.bid[row, CALL] - chain.ask[row, PUT] - discount * (high - strike),
        discount * (low - strike) - (chain.ask[row, CALL] - chain.bid[row, PUT]),
    )


# --- SPX ------------------------------------------------------------------------------------------


def test_d4_a_fair_spx_chain_has_no_edge():
    edge = edge_of(market_quotes())
    assert edge.points < 0
    assert edge.underlying == "SPX"


@pytest.mark.parametrize(
    ("column", "points", "trade"),
    [
        (CALL, 30.0, ParityTrade.CONVERSION),
        (PUT, -30.0, ParityTrade.CONVERSION),
        (PUT, 30.0, ParityTrade.REVERSAL),
        (CALL, -30.0, ParityTrade.REVERSAL),
    ],
)
def test_d4_an_spx_option_off_its_neighbours_is_found_with_the_package_that_earns_it(
    column, points, trade
):
    chain = spx_chain()
    row = row_of(chain, 3250.0)
    edge = edge_of(market_quotes(spx_options=moved(chain, row, column, points)))
    assert (edge.trade, edge.strike, edge.root) == (trade, 3250.0, "SPXW")
    assert edge.expiry == chain.series[3].expiry
    forwards = Valuer(market_quotes(), TODAY).spx.forwards
    expected = max(
        natural_edges(
            moved(chain, row, column, points),
            row,
            low=forwards.forward[3],
            high=forwards.forward[3],
            discount=forwards.discount[3],
        )
    ) - package_cost("SPX", DEFAULT_FEES)
    assert edge.points == pytest.approx(expected, abs=0.02)
    assert edge.points > 20


def test_d4_an_spx_strike_is_judged_by_the_others_and_not_by_itself():
    """One strike with a far tighter market than all others cannot pull the forward its way."""
    chain = spx_chain(days=(32,), spread=lambda mid: 0 * mid + 2.0)
    row = row_of(chain, 3250.0, series=0)
    bid, ask = chain.bid.copy(), chain.ask.copy()
    for column, off in ((CALL, 0.9), (PUT, -0.9)):
        mid = 0.5 * (bid[row, column] + ask[row, column]) + off
        bid[row, column], ask[row, column] = mid - 0.005, mid + 0.005
    tight = replace(chain, bid=bid, ask=ask)
    edge = edge_of(market_quotes(spx_options=tight), fees=FREE)
    assert edge.strike == 3250.0
    assert edge.points == pytest.approx(1.8 - 0.01, abs=0.06)


def test_d4_an_edge_begins_where_it_exceeds_the_costs():
    chain = spx_chain()
    row = row_of(chain, 3250.0)
    gross = edge_of(market_quotes(spx_options=moved(chain, row, CALL, 10.0)), fees=FREE).points
    cost = package_cost("SPX", DEFAULT_FEES)
    at_cost = 10.0 - (gross - cost)
    for off, violates in ((0.0, False), (0.001, True), (-0.001, False)):
        market = market_quotes(spx_options=moved(chain, row, CALL, at_cost + off))
        gate = parity_gate(replace(edge_of(market), points=round(edge_of(market).points, 4)))
        assert gate.passed is violates
        assert gate.threshold == 0.0


def test_d4_a_strike_needs_three_others_to_be_judged():
    at = slice(0, 4)
    chain = spx_chain(days=(32,), strikes=np.array([3100.0, 3150, 3200, 3250, 3300, 3350, 3400]))
    assert edge_of(market_quotes(spx_options=chain)).points < 0
    bid = chain.bid.copy()
    bid[at] = 0.0  # three are left, of which each has two others
    few = replace(chain, bid=bid)
    with pytest.raises(MissingData, match="no SPX strike to hold against a forward"):
        edge_of(market_quotes(spx_options=few))
    bid[3] = chain.bid[3]
    assert edge_of(market_quotes(spx_options=replace(chain, bid=bid))).points < 0


@pytest.mark.parametrize("side", ["bid", "ask"])
def test_d4_quotes_that_are_one_sided_or_crossed_offer_nothing(side):
    chain = moved(spx_chain(), row_of(spx_chain(), 3250.0), CALL, 30.0)
    row = row_of(chain, 3250.0)
    prices = getattr(chain, side).copy()
    prices[row, PUT] = 0.0 if side == "bid" else chain.bid[row, PUT] / 2
    edge = edge_of(market_quotes(spx_options=replace(chain, **{side: prices})))
    assert edge.points < 0


def test_d4_a_chain_that_is_too_old_is_absent():
    stale = spx_chain(at=AT - timedelta(minutes=3))
    stale = replace(stale, quoted_at=AT - timedelta(minutes=3))
    market = market_quotes(spx_options=stale)
    with pytest.raises(MissingData):
        edge_of(market, max_age=timedelta(minutes=2))
    assert edge_of(market, max_age=timedelta(minutes=4)).points < 0


# --- VIX ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "trade"), [(CALL, ParityTrade.CONVERSION), (PUT, ParityTrade.REVERSAL)]
)
def test_d4_vix_options_are_held_against_the_bid_and_the_offer_of_their_future(column, trade):
    chain = vix_chain()
    row = row_of(chain, 20.0, series=1)
    shifted = moved(chain, row, column, 3.0)
    market = market_quotes(vix_options=shifted)
    edge = edge_of(market, "VIX")
    future = next(
        each
        for each in market.futures
        if each.contract.root == "VX" and each.contract.expiry == chain.series[1].expiry
    )
    discount = Valuer(market, TODAY).vix.forwards.discount[1]
    expected = natural_edges(shifted, row, low=future.bid, high=future.ask, discount=discount)
    assert edge.points == pytest.approx(max(expected) - package_cost("VIX", DEFAULT_FEES), abs=1e-5)
    assert edge.strike == 20.0
    assert edge.trade is trade


def test_d4_vix_expiries_without_a_vx_take_the_mini_and_without_either_nothing():
    minis = market_quotes(futures=vx_futures(at=AT, curve=CURVE, roots=["VXM"]))
    assert edge_of(minis, "VIX").points < 0
    with pytest.raises(MissingData, match="no VIX strike to hold against a forward"):
        edge_of(market_quotes(futures=()), "VIX")
    first = min(CURVE)
    one = market_quotes(futures=vx_futures(at=AT, curve={first: CURVE[first]}))
    assert edge_of(one, "VIX").expiry == first


def test_d4_an_empty_chain_is_absent():
    chain = spx_chain()
    none = replace(
        chain,
        series=(),
        series_index=np.empty(0, dtype=np.int64),
        strike=np.empty(0),
        bid=np.empty((0, 2)),
        ask=np.empty((0, 2)),
    )
    with pytest.raises(MissingData):
        edge_of(market_quotes(spx_options=none))


# --- costs, and what is done with an edge ---------------------------------------------------------


def test_d4_costs_are_the_commissions_of_every_leg_in_points():
    # four SPX options at 0.65 + 0.45 + 0.033 + 0.025; two VIX options and a tenth of a VX
    assert package_cost("SPX", DEFAULT_FEES) == pytest.approx(4 * 1.158 / 100)
    assert package_cost("VIX", DEFAULT_FEES) == pytest.approx((2 * 1.208 + 0.238) / 100)
    assert package_cost("SPX", FREE) == package_cost("VIX", FREE) == 0.0


def an_edge(points: float) -> ParityEdge:
    return ParityEdge(
        underlying="VIX",
        root="VIX",
        expiry=date(2020, 3, 18),
        strike=20.0,
        trade=ParityTrade.REVERSAL,
        points=points,
    )


@pytest.mark.parametrize(("points", "passed"), [(0.0, False), (1e-6, True), (-1e-6, False)])
def test_d4_is_recorded_and_holds_strictly_above_zero(points, passed):
    gate = parity_gate(an_edge(points))
    assert (gate.rule, gate.value, gate.threshold) == ("D4", points, 0.0)
    assert gate.passed is passed
    assert gate.note == "reversal at 20 of VIX 2020-03-18"
    assert (fine_tuning_gate(an_edge(points), None, TODAY) is not None) is passed


def test_d4_chooses_the_outright_at_most_once_a_week():
    monday = date(2020, 2, 3)
    gate = fine_tuning_gate(an_edge(0.1), None, monday)
    assert (gate.rule, gate.value) == ("D4", "outright")
    assert "G8" in gate.note
    for used, again in (
        (monday, False),
        (date(2020, 2, 2), True),  # Sunday: the week before
        (date(2019, 2, 4), True),  # the same week of another year
    ):
        assert (fine_tuning_gate(an_edge(0.1), used, date(2020, 2, 7)) is not None) is again
