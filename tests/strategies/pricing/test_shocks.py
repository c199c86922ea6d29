"""Shocks: no move no gain, small moves are the greeks, large ones a whole new market."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.pricing.factor_vega import future_beta, spx_vega_weight
from strategies.pricing.shocks import shock_pnl, usual_spx_fraction
from strategies.pricing.valuation import Valuer
from tests.builders import (
    TODAY,
    VX_CURVE,
    condor_position,
    hedge_position,
    market_quotes,
    option,
    skewed_vol,
    vx_futures,
)

VOL = skewed_vol(0.16)
MARKET = market_quotes(spx_vol=VOL)
VALUER = Valuer(MARKET, TODAY)
CONDOR = condor_position("SPXW 20MAR20 3000/3050/3400/3450", quantity=3)
HEDGES = [
    hedge_position("VIX 18MAR20 22 C", 10),
    hedge_position("VX 15APR20", 1),
    hedge_position("VXM 15APR20", -3),
]


def test_vix_plus_eight_usually_goes_with_spx_minus_seven_percent():
    assert usual_spx_fraction(8.0) == pytest.approx(-0.07)


def test_without_a_move_nothing_is_gained():
    assert shock_pnl(VALUER, [CONDOR], HEDGES, 0.0, 0.0) == 0.0
    assert shock_pnl(VALUER, [], [], -0.07, 8.0) == 0.0


def test_a_small_vix_move_gains_the_factor_vega():
    condor_usd = VALUER.condor(CONDOR.legs).factor_vega_usd * CONDOR.quantity
    gained = shock_pnl(VALUER, [CONDOR], [], 0.0, 0.01)
    assert gained == pytest.approx(condor_usd * 0.01, rel=0.01)
    for hedge in HEDGES:
        hedge_usd = VALUER.value(hedge.instrument).factor_vega_usd * hedge.net_contracts
        gained = shock_pnl(VALUER, [], [hedge], 0.0, 0.01)
        assert gained == pytest.approx(hedge_usd * 0.01, rel=0.01)


def test_the_usual_spike_costs_the_condor_and_pays_the_hedge():
    fraction = usual_spx_fraction(8.0)
    assert shock_pnl(VALUER, [CONDOR], [], fraction, 8.0) < -2500
    assert shock_pnl(VALUER, [], HEDGES[:2], fraction, 8.0) > 3000


def test_an_spx_shock_is_the_market_that_would_then_be_quoted():
    """The surface travels with the index: what the builder quotes at the new level."""
    fraction, points = -0.05, 5.0

    def risen(strike, forward, t_years):
        return VOL(strike, forward, t_years) + 0.01 * points * float(spx_vega_weight(46))

    after = Valuer(market_quotes(spx=3250.0 * (1 + fraction), spx_vol=risen), TODAY)
    gained = shock_pnl(VALUER, [CONDOR], [], fraction, points)
    before_debit = VALUER.condor(CONDOR.legs).mid_debit
    after_debit = after.condor(CONDOR.legs).mid_debit
    expected = -(after_debit - before_debit) * 100 * CONDOR.quantity
    assert gained == pytest.approx(expected, rel=0.03)


def test_a_vix_call_keeps_its_vol_while_its_future_moves():
    expiry = date(2020, 3, 18)
    move = 5.0 * float(future_beta((expiry - TODAY).days))
    held = hedge_position("VIX 18MAR20 22 C", 1)
    here = VALUER.option(held.instrument)
    moved = {**VX_CURVE, expiry: VX_CURVE[expiry] + move}
    same_vol = market_quotes(curve=moved, vix_vol=lambda k, f, t: 0 * k + here.vol)
    after = Valuer(same_vol, TODAY).option(held.instrument)
    gained = shock_pnl(VALUER, [], [held], 0.0, 5.0)
    assert gained == pytest.approx((after.mid - here.mid) * 100, abs=2.0)


@given(points=st.floats(-10.0, 40.0), fraction=st.floats(-0.3, 0.2))
def test_no_shock_costs_a_condor_more_than_its_width(points, fraction):
    gained = shock_pnl(VALUER, [CONDOR], [], fraction, points)
    assert abs(gained) <= 50 * 100 * CONDOR.quantity + 1e-6


@given(points=st.floats(0.0, 60.0), more=st.floats(0.01, 10.0))
def test_a_long_call_gains_the_more_the_further_vix_rises(points, more):
    low, high = (shock_pnl(VALUER, [], HEDGES[:1], 0.0, x) for x in (points, points + more))
    assert low < high


def test_a_collapse_of_vix_leaves_futures_and_options_above_nothing():
    gained = shock_pnl(VALUER, [], HEDGES[:2], 0.0, -100.0)
    future = VALUER.future(HEDGES[1].instrument)
    call = VALUER.option(HEDGES[0].instrument)
    assert gained >= -(future.mid * 1000 + call.mid * 1.2 * 1000)


def test_what_cannot_be_priced_has_no_shock():
    unknown = [hedge_position("VIX 19AUG20 22 C", 1), hedge_position("VX 19AUG20", 1)]
    for hedge in unknown:
        assert shock_pnl(VALUER, [CONDOR], [hedge], -0.07, 8.0) is None
    no_futures = Valuer(replace(MARKET, futures=()), TODAY)
    assert shock_pnl(no_futures, [], HEDGES[:1], 0.0, 8.0) is None


def test_a_strike_without_a_quote_is_still_shocked_in_a_known_series():
    row = MARKET.spx_options.find_row(option("SPXW 20MAR20 3050 P"))
    ask = MARKET.spx_options.ask.copy()
    bid = MARKET.spx_options.bid.copy()
    ask[row] = bid[row] = 0.0
    valuer = Valuer(
        replace(MARKET, spx_options=replace(MARKET.spx_options, bid=bid, ask=ask)), TODAY
    )
    assert valuer.condor(CONDOR.legs) is None
    expected = shock_pnl(VALUER, [CONDOR], [], -0.07, 8.0)
    assert shock_pnl(valuer, [CONDOR], [], -0.07, 8.0) == pytest.approx(expected, rel=0.01)


def test_the_mini_future_gains_a_tenth():
    big, mini = (
        shock_pnl(VALUER, [], [hedge_position(f"{root} 15APR20", 1)], 0.0, 4.0)
        for root in ("VX", "VXM")
    )
    assert big == pytest.approx(10 * mini)
    assert len(vx_futures()) == 12
