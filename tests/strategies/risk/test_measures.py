"""The book in numbers (C12)."""

import pytest

from strategies.model.rules import Rules
from strategies.pricing.repricing import Repricer
from strategies.pricing.returns import Expectation, irr, realised_ratio
from strategies.pricing.shock_table import shock_table
from strategies.pricing.shocks import shock_pnl
from strategies.pricing.valuation import Valuer
from strategies.risk.measures import Measurer, condor_vega_usd, vega_per_theta
from tests.builders import (
    TODAY,
    account,
    condor_position,
    daily_history,
    hedge_position,
    index_values,
    market_quotes,
)

CONDOR = condor_position("SPXW 20MAR20 3040/3050/3405/3415", quantity=10, credit="2.50")
OTHER = condor_position(
    "SPXW 20MAR20 3000/3005/3380/3385", condor_id="C0002", quantity=4, credit="1.00"
)
CALLS = hedge_position("VIX 18MAR20 22 C", 20)
FUTURE = hedge_position("VXM 15APR20", 3, cost="17.4")
VALUER = Valuer(market_quotes(), TODAY)


def values(*condors):
    return {each.condor_id: VALUER.condor(each.legs) for each in condors}


def measures(condors=(), hedges=(), *, holder=None, history=None):
    measurer = Measurer(VALUER, holder or account(), history or daily_history(), Rules())
    return measurer.measure(condors, hedges, values(*condors))


def test_an_empty_book_measures_nothing():
    empty = measures()
    assert empty.condor_contracts == 0
    assert empty.net_vega_per_condor is None
    assert empty.breakeven_low is None
    assert empty.loss_vix_8_usd == 0


def test_net_vega_per_condor_is_the_sum_over_a_hundred_contracts():
    both = measures((CONDOR,), (CALLS, FUTURE))
    condor_usd = 10 * VALUER.condor(CONDOR.legs).factor_vega_usd
    hedge_usd = (
        20 * VALUER.value(CALLS.instrument).factor_vega_usd
        + 3 * VALUER.value(FUTURE.instrument).factor_vega_usd
    )
    assert condor_usd < 0 < hedge_usd
    assert both.condor_factor_vega_usd == pytest.approx(condor_usd, abs=1e-5)
    assert both.hedge_factor_vega_usd == pytest.approx(hedge_usd, abs=1e-5)
    assert both.net_vega_per_condor == pytest.approx((condor_usd + hedge_usd) / 1000, abs=1e-5)
    assert condor_vega_usd((CONDOR,), values(CONDOR)) == pytest.approx(condor_usd)


def test_delta_and_gamma_are_the_condors_and_theta_is_the_whole_book_s():
    alone, hedged = measures((CONDOR,)), measures((CONDOR,), (CALLS, FUTURE))
    assert hedged.delta_usd == alone.delta_usd
    assert hedged.gamma_usd == alone.gamma_usd < 0
    assert alone.theta_usd_per_day > 0
    paid = 20 * 100 * VALUER.value(CALLS.instrument).theta
    assert hedged.theta_usd_per_day == pytest.approx(alone.theta_usd_per_day + paid, abs=1e-5)


def test_shock_losses_go_with_the_usual_fall():
    both = measures((CONDOR,), (CALLS,))
    expected = shock_pnl(VALUER, (CONDOR,), (CALLS,), -0.07, 8.0)
    assert both.loss_vix_8_usd == pytest.approx(expected, abs=1e-5)
    assert measures((CONDOR,)).loss_vix_8_usd < both.loss_vix_8_usd
    assert measures((CONDOR,)).loss_vix_5_usd < 0


def test_break_evens_are_the_nearest_of_all_condors():
    both = measures((CONDOR, OTHER))
    assert both.condor_contracts == 14
    assert both.breakeven_low == pytest.approx(3047.5)
    assert both.breakeven_high == pytest.approx(3381.0)


def test_what_cannot_be_priced_leaves_no_measures():
    odd = condor_position("SPXW 20MAR20 3041/3050/3405/3415")
    assert measures((odd,)) is None
    assert condor_vega_usd((odd,), values(odd)) is None
    assert measures((CONDOR,), (hedge_position("VIX 18MAR20 22.25 C", 1),)) is None
    assert measures((), (hedge_position("VX 16SEP20", 1),)) is None


def test_c12_the_worst_shock_is_that_of_the_table_with_the_hedge_s_share():
    both = measures((CONDOR, OTHER), (CALLS, FUTURE))
    cell = shock_table(VALUER, (CONDOR, OTHER), (CALLS, FUTURE)).worst()
    assert both.worst_shock == str(cell)
    assert both.worst_shock_usd == pytest.approx(cell.book_usd, abs=0.01)
    assert both.shock_coverage == pytest.approx(cell.hedges_usd / -cell.condors_usd, abs=1e-6)
    assert measures((CONDOR,)).shock_coverage == 0.0


def test_c12_the_book_s_break_evens_today_are_those_with_the_hedge():
    rich = condor_position(CONDOR.legs, quantity=10, credit="6.00")
    both = measures((rich,), (CALLS,))
    (today,) = [row for row in both.breakevens if row.hedged and row.vix_points == 0]
    assert (both.book_breakeven_low, both.book_breakeven_high) == (
        today.today_low,
        today.today_high,
    )
    assert both.book_breakeven_low is not None


@pytest.mark.parametrize(
    ("vega", "theta", "expected"),
    [
        (-320.0, 100.0, 3.2),
        (330.0, 100.0, 3.3),
        (0.0, 5.0, 0.0),
        (-320.0, 0.0, None),
        (5.0, -1.0, None),
    ],
)
def test_s12_is_net_dollar_vega_over_theta_where_theta_is_earned(vega, theta, expected):
    assert vega_per_theta(vega, theta) == expected


def test_s12_is_read_from_the_whole_book():
    both = measures((CONDOR, OTHER), (CALLS,))
    net = both.condor_factor_vega_usd + both.hedge_factor_vega_usd
    assert both.vega_per_theta == pytest.approx(abs(net) / both.theta_usd_per_day, abs=1e-5)
    paying = measures((OTHER,), (hedge_position("VIX 18MAR20 22 C", 200),))
    assert paying.theta_usd_per_day < 0
    assert paying.vega_per_theta is None


def test_g4_the_rate_is_that_of_condors_and_hedge_held_to_expiry():
    history = daily_history()
    expected = Expectation(
        VALUER, Repricer(VALUER, ratio=realised_ratio(history, VALUER.session)), "ib"
    )
    flows = expected.condors((CONDOR,), values(CONDOR))
    flows = flows + expected.hedges([(CALLS.instrument, 20), (FUTURE.instrument, 3)])
    assert measures((CONDOR,), (CALLS, FUTURE)).irr == pytest.approx(irr(flows).rate, abs=1e-6)
    assert measures((CONDOR,)).irr > measures((CONDOR,), (CALLS,)).irr


def test_g4_without_a_ratio_or_a_spot_there_is_no_rate():
    assert measures((CONDOR,), history=daily_history(sessions=30)).irr is None
    indices = {name: each for name, each in index_values().items() if name != "VIX"}
    blind = Valuer(market_quotes(indices=indices), TODAY)
    measurer = Measurer(blind, account(), daily_history(), Rules())
    book = measurer.measure((CONDOR,), (FUTURE,), {"C0001": blind.condor(CONDOR.legs)})
    assert book.irr is None
    assert book.loss_vix_8_usd < 0  # all else is known


def test_g5_beta_and_wacc_are_the_whole_book_s():
    both = measures((CONDOR,), (CALLS,))
    dollars = both.delta_usd * 3250.0 - both.hedge_factor_vega_usd / 0.00875
    assert both.capm_beta == pytest.approx(dollars / 1e6, abs=1e-6)
    assert both.wacc == pytest.approx(0.015 + both.capm_beta * 0.05, abs=1e-6)


def test_g6_the_quick_ratio_is_the_account_s():
    holder = account(cash="150000", maintenance_margin="400000")
    assert measures((CONDOR,), holder=holder).quick_ratio == pytest.approx(1.875)
    assert measures((CONDOR,)).quick_ratio is None


def test_a_second_book_of_a_decision_measures_as_if_it_were_the_first():
    measurer = Measurer(VALUER, account(), daily_history(), Rules())
    held = values(CONDOR, OTHER)
    measurer.measure((OTHER,), (FUTURE,), held)
    again = measurer.measure((CONDOR, OTHER), (CALLS,), held)
    assert again == measures((CONDOR, OTHER), (CALLS,))
