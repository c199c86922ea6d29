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
from tests.strategies.pricing.recorded_chains import rate_on, read_chain, spx_sessions

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


def natural_box(chain, row, trade) -> float:
    """What a synthetic sold or bought locks in against those of the strikes around it."""
    bought = chain.ask[:, CALL] - chain.bid[:, PUT]
    sold = chain.bid[:, CALL] - chain.ask[:, PUT]
    around = [row - 1, row + 1]  # the strikes are evenly spaced
    if trade is ParityTrade.CONVERSION:
        return float(sold[row] - bought[around].mean())
    return float(sold[around].mean() - bought[row])


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
    assert edge.points == pytest.approx(
        natural_box(moved(chain, row, column, points), row, trade)
        - package_cost("SPX", DEFAULT_FEES)
    )
    assert edge.points > 20


def test_d4_a_strike_between_unequal_steps_is_met_by_both_in_proportion():
    strikes = np.array([3100.0, 3150, 3200, 3225, 3300, 3350, 3400])
    chain = spx_chain(days=(32,), strikes=strikes, spread=lambda mid: 0.0 * mid + 0.1)
    edge = edge_of(market_quotes(spx_options=moved(chain, 3, CALL, 9.0)), fees=FREE)
    assert (edge.strike, edge.trade) == (3225.0, ParityTrade.CONVERSION)
    assert edge.points == pytest.approx(9.0 - 2 * 0.1, abs=0.06)  # half the spread of four options


@pytest.mark.parametrize("rate", [-0.02, 0.0, 0.10])
def test_d4_the_rate_that_is_assumed_makes_no_edge_far_from_the_money(rate):
    """Synthetics are straight in the strike, whatever rate the market discounts at."""
    market = market_quotes(spx_options=spx_chain(days=(74,), rate=0.03))
    assert edge_of(replace(market, rate=rate)).points < 0


def test_d4_recorded_spx_chains_have_no_edge(shared_data):
    folder = shared_data / "spx_option_chains"
    for session, taken in spx_sessions(folder)[::6]:
        chain = read_chain(folder / f"{session}.csv.gz", "SPX", session, taken)
        market = replace(
            market_quotes(spx_options=chain), at=chain.quoted_at, rate=rate_on(shared_data, session)
        )
        assert best_parity_edge(Valuer(market, session), "SPX", DEFAULT_FEES).points < 0, session


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


def test_d4_a_strike_needs_a_neighbour_of_its_series_on_either_side():
    """Of two series with three quoted strikes each, only the middle ones are judged."""
    strikes = np.array([3200.0, 3250, 3300])
    chain = spx_chain(days=(32, 46), strikes=strikes)
    for row, middle in ((0, 1), (2, 1), (3, 4), (5, 4)):  # outer strikes that are far off
        dear = moved(chain, row, CALL, 40.0)
        edge = edge_of(market_quotes(spx_options=dear))
        assert edge.strike == 3250.0
        assert edge.expiry == chain.series[middle // 3].expiry
    bid = chain.bid.copy()
    bid[[0, 3]] = 0.0
    with pytest.raises(MissingData, match="no SPX strike to hold against a forward"):
        edge_of(market_quotes(spx_options=replace(chain, bid=bid)))


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
