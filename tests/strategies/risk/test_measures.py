"""The book in numbers (C12)."""

import pytest

from strategies.model.rules import Rules
from strategies.pricing.shocks import shock_pnl
from strategies.pricing.valuation import Valuer
from strategies.risk.measures import Measurer, condor_vega_usd
from tests.builders import (
    TODAY,
    account,
    condor_position,
    daily_history,
    hedge_position,
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


def measures(condors=(), hedges=()):
    measurer = Measurer(VALUER, account(), daily_history(), Rules())
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
