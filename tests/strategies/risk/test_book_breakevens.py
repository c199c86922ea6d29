"""C12: where condors, and condors with their hedge, break even: today, shocked, at expiry."""

import numpy as np
import pytest

from strategies.model.rules import Rules
from strategies.pricing.breakevens import expiry_breakevens, shocked_breakevens
from strategies.pricing.shocks import shock_pnl, shocked_prices
from strategies.pricing.valuation import Valuer
from strategies.risk.book_breakevens import PROFILE, VIX_SHOCKS, _cubic_zero
from strategies.risk.measures import Measurer
from tests.builders import (
    TODAY,
    account,
    condor_legs,
    condor_position,
    daily_history,
    hedge_position,
    index_values,
    market_quotes,
)

VALUER = Valuer(market_quotes(), TODAY)
CONDOR = condor_position("SPXW 20MAR20 3040/3050/3405/3415", quantity=10, credit="6.00")
WIDER = condor_position(
    "SPXW 20MAR20 3000/3005/3435/3440", condor_id="C0002", quantity=20, credit="3.00"
)
CALLS = hedge_position("VIX 18MAR20 22 C", 20, cost="0.30")
FUTURE = hedge_position("VXM 15APR20", 5, cost="17.0")


def rows(condors, hedges=(), valuer=VALUER):
    values = {each.condor_id: valuer.condor(each.legs) for each in condors}
    measures = Measurer(valuer, account(), daily_history(), Rules()).measure(
        condors, hedges, values
    )
    return {(row.hedged, row.vix_points): row for row in measures.breakevens}


def test_c12_there_is_a_row_for_each_shock_alone_and_hedged():
    assert rows([CONDOR]).keys() == {(h, v) for h in (False, True) for v in (0.0, 5.0, 8.0)}
    assert VIX_SHOCKS == (0.0, 5.0, 8.0)
    assert rows([], [CALLS]) == {}


@pytest.mark.parametrize("points", VIX_SHOCKS)
def test_c12_one_condor_breaks_even_where_its_own_break_evens_say(points):
    row = rows([CONDOR])[False, points]
    one = shocked_breakevens(CONDOR.legs, CONDOR.entry_credit, VALUER, [points])
    assert row.today_low == pytest.approx(one.today_low[0], abs=0.5)
    assert row.today_high == pytest.approx(one.today_high[0], abs=0.5)
    assert (row.expiry_low, row.expiry_high) == expiry_breakevens(CONDOR.legs, CONDOR.entry_credit)


@pytest.mark.parametrize("points", VIX_SHOCKS)
@pytest.mark.parametrize("hedges", [(), (CALLS, FUTURE)])
def test_c12_at_its_break_evens_the_book_has_gained_nothing(points, hedges):
    """Repriced in full at the level that was found."""
    condors = [CONDOR, WIDER]
    row = rows(condors, hedges)[True, points]
    gained = sum(
        100 * each.quantity * (float(each.entry_credit) - model_debit(each)) for each in condors
    ) + sum(
        each.net_contracts
        * each.instrument.multiplier
        * (model_worth(each) - float(each.average_cost))
        for each in hedges
    )
    for level in (row.today_low, row.today_high):
        moved = shock_pnl(VALUER, condors, hedges, level / 3250.0 - 1.0, points)
        assert abs(gained + moved) < 10.0  # USD; a point of SPX is a hundred times that


def model_debit(condor):
    terms = VALUER.terms([contract for contract, _ in condor.legs.signed()])
    signs = np.array([sign for _, sign in condor.legs.signed()])
    return -float(shocked_prices(VALUER, terms, 0.0, 0.0) @ signs)


def model_worth(hedge):
    if hedge is FUTURE:
        return VALUER.value(hedge.instrument).mid
    return float(shocked_prices(VALUER, VALUER.terms([hedge.instrument]), 0.0, 0.0)[0])


def test_c12_the_hedge_moves_them_apart_in_a_spike():
    shocked = rows([CONDOR], [CALLS])
    assert shocked[True, 8.0].today_low < shocked[False, 8.0].today_low
    assert shocked[True, 8.0].expiry_low < shocked[True, 5.0].expiry_low
    assert shocked[True, 8.0].expiry_high > shocked[True, 0.0].expiry_high


def test_c12_at_expiry_the_book_is_exact_on_its_strikes():
    """By hand: 10 x 6.00 + 20 x 3.00 are 120 points of credit; from 3,050 to 3,040 ten of it go."""
    both = rows([CONDOR, WIDER])[False, 0.0]
    # a point, 100 in all, and from 3,005 on twenty a point
    assert both.expiry_low == pytest.approx(3005 - (120 - 100) / 20)
    assert both.expiry_high == pytest.approx(3435 + (120 - 100) / 20)


def test_c12_under_water_there_is_no_level_today_and_one_at_expiry():
    poor = condor_position(CONDOR.legs, quantity=10, credit="0.50")
    row = rows([poor])[False, 0.0]
    assert (row.today_low, row.today_high) == (None, None)
    assert (row.expiry_low, row.expiry_high) == (3049.5, 3405.5)


def test_c12_what_never_loses_has_no_level_and_neither_has_what_never_gains():
    rich = condor_position(CONDOR.legs, quantity=10, credit="10.50")
    row = rows([rich])[False, 0.0]
    assert (row.today_low, row.today_high, row.expiry_low, row.expiry_high) == (None,) * 4
    lost = condor_position(CONDOR.legs, quantity=10, credit="-0.50")
    row = rows([lost])[False, 0.0]
    assert (row.today_low, row.today_high, row.expiry_low, row.expiry_high) == (None,) * 4


def test_c12_what_a_ratio_wing_gains_far_out_does_not_count():
    legs = condor_legs("SPXW 20MAR20 3040/3050/3405/3415")
    ratio = type(legs)(
        long_put=legs.long_put,
        short_put=legs.short_put,
        short_call=legs.short_call,
        long_call=legs.long_call,
        short_ratio=1,
        long_ratio=3,
    )
    row = rows([condor_position(ratio, quantity=1, credit="1.00")])[False, 0.0]
    assert (row.expiry_low, row.expiry_high) == (3049.0, 3406.0)


def test_c12_shorts_between_two_levels_of_the_grid_are_looked_at_as_well():
    narrow = condor_position("SPXW 20MAR20 3225/3235/3240/3250", quantity=1, credit="9.80")
    row = rows([narrow])[False, 0.0]
    assert row.expiry_low == pytest.approx(3235 - 9.8)


@pytest.mark.parametrize("root", [-0.21, -0.206, -0.15, -0.108, 0.0, 0.003, 0.19, 0.2099])
def test_c12_a_cubic_s_zero_is_found_anywhere_on_the_grid(root):
    levels = 3250 * (1 + PROFILE.spx_fraction)
    zero = 3250 * (1 + root)
    gained = (levels - zero) * (1 + ((levels - 3300) / 900) ** 2)
    above = int(np.flatnonzero(levels > zero)[0])
    for losing, gaining, values in (
        (above - 1, above, gained),
        (above, above - 1, -gained),
    ):
        assert _cubic_zero(levels, values, losing, gaining) == pytest.approx(zero, abs=1e-4)


def test_c12_without_the_index_there_are_no_break_evens_of_the_book():
    indices = {name: each for name, each in index_values().items() if name != "SPX"}
    blind = Valuer(market_quotes(indices=indices), TODAY)
    values = {"C0001": blind.condor(CONDOR.legs)}
    measures = Measurer(blind, account(), daily_history(), Rules()).measure([CONDOR], [], values)
    assert measures.breakevens == ()
    assert (measures.book_breakeven_low, measures.capm_beta, measures.wacc) == (None, None, None)
    assert measures.breakeven_low == pytest.approx(3044.0)  # at expiry, the condors' own
