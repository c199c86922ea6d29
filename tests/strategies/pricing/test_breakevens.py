"""C12: break-evens at expiry, today, and under a VIX shock."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.model.quotes import to_price
from strategies.pricing.breakevens import expiry_breakevens, today_breakevens
from strategies.pricing.shocks import shock_pnl
from strategies.pricing.valuation import Valuer
from tests.builders import TODAY, condor_legs, condor_position, market_quotes, skewed_vol

LEGS = condor_legs("SPXW 20MAR20 3000/3050/3400/3450")
MARKET = market_quotes(spx_vol=skewed_vol(0.16))
VALUER = Valuer(MARKET, TODAY)
DEBIT = VALUER.condor(LEGS).mid_debit


def test_c12_at_expiry_the_break_evens_are_the_shorts_and_the_credit():
    assert expiry_breakevens(LEGS, Decimal("5.25")) == (3044.75, 3405.25)


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
