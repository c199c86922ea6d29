"""C12: break-evens at expiry, today, and under a VIX shock."""

import math
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.model.quotes import to_price
from strategies.pricing.breakevens import (
    expiry_breakevens,
    shocked_breakevens,
    today_breakevens,
)
from strategies.pricing.shocks import shock_pnl
from strategies.pricing.valuation import Valuer
from tests.builders import (
    TODAY,
    condor_legs,
    condor_position,
    hedge_position,
    market_quotes,
    skewed_vol,
)

LEGS = condor_legs("SPXW 20MAR20 3000/3050/3400/3450")
MARKET = market_quotes(spx_vol=skewed_vol(0.16))
VALUER = Valuer(MARKET, TODAY)
DEBIT = VALUER.condor(LEGS).mid_debit


def test_c12_at_expiry_the_break_evens_are_the_shorts_and_the_credit():
    assert expiry_breakevens(LEGS, Decimal("5.25")) == (3044.75, 3405.25)


RATIO = replace(LEGS, short_ratio=2, long_ratio=3)


@pytest.mark.parametrize(
    ("legs", "credit", "expected"),
    [
        (RATIO, "5.25", (3047.375, 3402.625)),  # a credit for two shorts
        (RATIO, "99.90", (3000.05, 3449.95)),
        (RATIO, "100.00", (None, None)),  # it pays for all that both shorts can cost
        (LEGS, "49.95", (3000.05, 3449.95)),
        (LEGS, "50.00", (None, None)),
        (LEGS, "60.00", (None, None)),
        (LEGS, "0.00", (None, None)),  # nothing gained anywhere
        (condor_legs("SPXW 20MAR20 3040/3050/3400/3450"), "20.00", (None, 3420.0)),
        (condor_legs("SPXW 20MAR20 3000/3050/3400/3410"), "20.00", (3030.0, None)),
    ],
)
def test_c12_break_evens_at_expiry_are_where_the_payoff_really_is_nothing(legs, credit, expected):
    assert expiry_breakevens(legs, Decimal(credit)) == expected


def test_c12_of_a_ratio_wing_the_break_even_next_to_the_short_is_named_not_the_far_one():
    low, high = expiry_breakevens(RATIO, Decimal(20))

    def payoff(level):
        return 20 + sum(
            sign * max(0.0, (1 if contract.right == "C" else -1) * (level - float(contract.strike)))
            for contract, sign in RATIO.signed()
        )

    assert payoff(low) == payoff(high) == pytest.approx(0.0)
    assert payoff(low + 1) > 0 > payoff(low - 1)
    assert payoff(high - 1) > 0 > payoff(high + 1)
    assert payoff(2920.0) == pytest.approx(0.0)  # far out the third long has paid for the loss
    assert payoff(2900.0) > 0


def test_c12_today_s_break_evens_of_a_ratio_condor_bound_the_region_between_its_shorts():
    debit = VALUER.condor(RATIO).mid_debit
    low, high = today_breakevens(RATIO, to_price(debit + 4.0), VALUER, 1.0)
    assert low is None or low < 3400
    assert high is None or high > 3050
    position = condor_position(RATIO)
    for level in (low, high):
        if level is not None:
            moved = shock_pnl(VALUER, [position], [], level / 3250.0 - 1, 1.0)
            assert moved + 400 == pytest.approx(0.0, abs=6.0)


def test_c12_beyond_ratio_wings_the_gain_of_a_crash_does_not_hide_the_loss_between_the_shorts():
    wide = replace(condor_legs("SPXW 20MAR20 2950/3050/3400/3450"), long_ratio=2)
    debit = VALUER.condor(wide).mid_debit
    table = shocked_breakevens(wide, to_price(debit - 60.0), VALUER, [0.0])
    assert table.today_gains.tolist() == [False]
    crash = shock_pnl(VALUER, [condor_position(wide)], [], -0.25, 0.0)
    assert crash > 6000


def test_c12_shorts_within_one_step_of_the_grid_are_looked_at_all_the_same():
    close = condor_legs("SPXW 20MAR20 3200/3250/3255/3305")
    debit = VALUER.condor(close).mid_debit
    low, high = today_breakevens(close, to_price(debit + 2.0), VALUER)
    assert low < 3250 < 3255 < high
    far = condor_legs("SPXW 20MAR20 2600/2605/2610/2615")
    table = shocked_breakevens(far, Decimal("4.95"), VALUER, [0.0])
    assert table.today_gains.tolist() == [True]


@given(hedge=st.floats(-20.0, 150.0))
def test_c12_at_expiry_a_ratio_condor_with_its_hedge_is_worth_nothing_at_a_break_even(hedge):
    table = shocked_breakevens(RATIO, Decimal("5.25"), VALUER, [0.0], hedge)
    banked = 5.25 + hedge
    low = float(table.expiry_low[0])
    if math.isnan(low):
        assert banked <= 0 or banked >= 100
    else:
        assert banked - 2 * (3050 - low) == pytest.approx(0.0, abs=1e-9)


@given(gain=st.floats(0.3, 6.0), points=st.sampled_from([0.0, 2.0]))
def test_c12_at_a_break_even_the_condor_would_cost_its_credit(gain, points):
    credit = to_price(DEBIT + gain)
    levels = today_breakevens(LEGS, credit, VALUER, points)
    position = condor_position(LEGS)
    now = gain * 100  # gained so far, in USD
    for level in levels:
        if level is None:
            continue
        moved = shock_pnl(VALUER, [position], [], level / 3250.0 - 1, points)
        assert moved + now == pytest.approx(0.0, abs=3.0)


def test_c12_break_evens_lie_on_both_sides_of_the_index_and_widen_with_the_credit():
    narrow = today_breakevens(LEGS, to_price(DEBIT + 0.5), VALUER)
    wide = today_breakevens(LEGS, to_price(DEBIT + 3.0), VALUER)
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_c12_a_vix_shock_draws_the_break_evens_together_until_none_is_left():
    credit = to_price(DEBIT + 4.0)
    calm = today_breakevens(LEGS, credit, VALUER)
    shocked = today_breakevens(LEGS, credit, VALUER, 2.0)
    assert calm[0] < shocked[0] < shocked[1] < calm[1]
    assert today_breakevens(LEGS, to_price(DEBIT - 3.0), VALUER, 8.0) == (None, None)


def test_c12_a_condor_that_cannot_lose_today_has_no_break_even():
    assert today_breakevens(LEGS, Decimal(60), VALUER) == (None, None)


def test_c12_without_an_index_or_a_surface_there_is_no_break_even():
    blind = Valuer(replace(MARKET, indices={}), TODAY)
    assert today_breakevens(LEGS, Decimal(10), blind) == (None, None)
    unknown = condor_legs("SPXW 21MAR20 3000/3050/3400/3450")
    assert today_breakevens(unknown, Decimal(10), VALUER) == (None, None)


# --- several shocks at once, and with the hedge -------------------------------------------------

SHOCKS = [-3.0, 0.0, 2.0, 5.0, 8.0]


@pytest.mark.parametrize("gain", [-3.0, 0.5, 2.0, 4.0, 9.0, 50.0])
def test_c12_many_shocks_at_once_give_the_levels_of_each(gain):
    credit = to_price(max(DEBIT + gain, 0.05))
    table = shocked_breakevens(LEGS, credit, VALUER, SHOCKS)
    assert table.vix_points.tolist() == SHOCKS
    for n, points in enumerate(SHOCKS):
        low, high = today_breakevens(LEGS, credit, VALUER, points)
        assert table.today_low[n] == pytest.approx(math.nan if low is None else low, nan_ok=True)
        assert table.today_high[n] == pytest.approx(math.nan if high is None else high, nan_ok=True)


def test_c12_it_tells_no_gain_from_no_loss():
    nowhere = shocked_breakevens(LEGS, to_price(DEBIT - 3.0), VALUER, [8.0])
    assert np.isnan([nowhere.today_low[0], nowhere.today_high[0]]).all()
    assert nowhere.today_gains.tolist() == [False]
    everywhere = shocked_breakevens(LEGS, Decimal(60), VALUER, [0.0])
    assert np.isnan([everywhere.today_low[0], everywhere.today_high[0]]).all()
    assert everywhere.today_gains.tolist() == [True]
    assert np.isnan([everywhere.expiry_low[0], everywhere.expiry_high[0]]).all()
    assert everywhere.expiry_gains.tolist() == [True]


def test_c12_at_expiry_a_vix_shock_alone_moves_nothing():
    credit = Decimal("5.25")
    table = shocked_breakevens(LEGS, credit, VALUER, SHOCKS)
    assert table.expiry_low.tolist() == [expiry_breakevens(LEGS, credit)[0]] * len(SHOCKS)
    assert table.expiry_high.tolist() == [expiry_breakevens(LEGS, credit)[1]] * len(SHOCKS)


def test_c12_the_hedge_widens_what_a_spike_draws_together():
    credit = to_price(DEBIT + 2.0)
    hedge = [hedge_position("VIX 18MAR20 22 C", 2)]
    usd = np.array([shock_pnl(VALUER, [], hedge, 0.0, points) for points in SHOCKS])
    alone = shocked_breakevens(LEGS, credit, VALUER, SHOCKS)
    both = shocked_breakevens(LEGS, credit, VALUER, SHOCKS, usd / 100)
    spiked = slice(2, None)
    assert (both.expiry_low[spiked] < alone.expiry_low[spiked]).all()
    assert (both.expiry_high[spiked] > alone.expiry_high[spiked]).all()
    assert both.expiry_low[1] == alone.expiry_low[1]
    for n in range(2, len(SHOCKS)):
        if alone.today_gains[n]:
            assert both.today_low[n] < alone.today_low[n]
            assert both.today_high[n] > alone.today_high[n]
    assert both.today_gains.sum() >= alone.today_gains.sum()


@given(hedge=st.floats(-4.0, 10.0), points=st.sampled_from([0.0, 2.0, 5.0]))
def test_c12_with_the_hedge_the_whole_is_worth_nothing_at_a_break_even(hedge, points):
    credit = to_price(DEBIT + 3.0)
    table = shocked_breakevens(LEGS, credit, VALUER, [points], hedge)
    position = condor_position(LEGS)
    for level in (float(table.today_low[0]), float(table.today_high[0])):
        if math.isnan(level):
            continue
        moved = shock_pnl(VALUER, [position], [], level / 3250.0 - 1, points)
        assert moved + 300 + 100 * hedge == pytest.approx(0.0, abs=4.0)


@given(hedge=st.floats(-20.0, 60.0))
def test_c12_at_expiry_the_payoff_with_the_hedge_is_nothing_at_a_break_even(hedge):
    table = shocked_breakevens(LEGS, Decimal("5.25"), VALUER, [0.0], hedge)
    banked = 5.25 + hedge
    assert table.expiry_gains.tolist() == [banked > 0]

    def payoff(level):
        puts = max(3050 - level, 0.0) - max(3000 - level, 0.0)
        calls = max(level - 3400, 0.0) - max(level - 3450, 0.0)
        return banked - puts - calls

    for level in (float(table.expiry_low[0]), float(table.expiry_high[0])):
        if math.isnan(level):
            assert banked <= 0 or banked >= 50
        else:
            assert payoff(level) == pytest.approx(0.0, abs=1e-9)


def test_c12_without_an_index_or_a_surface_there_is_no_table():
    blind = Valuer(replace(MARKET, indices={}), TODAY)
    assert shocked_breakevens(LEGS, Decimal(10), blind, SHOCKS) is None
    unknown = condor_legs("SPXW 21MAR20 3000/3050/3400/3450")
    assert shocked_breakevens(unknown, Decimal(10), VALUER, SHOCKS) is None
