"""B6: the days before a monthly expiry in which L2 adds options."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from strategies.alvh.instruments import rank_candidates
from strategies.alvh.theta_window import (
    days_to_monthly_expiry,
    is_monthly,
    net_gamma_usd,
    theta_window,
)
from strategies.model.rules import RotationRules
from strategies.pricing.factor_vega import future_beta
from strategies.pricing.shocks import shock_pnl, usual_spx_fraction
from strategies.pricing.valuation import Valuer
from tests.builders import (
    AT,
    TODAY,
    condor_position,
    hedge_position,
    instrument,
    market_quotes,
    option_series,
    spx_chain,
)
from tests.strategies.alvh.builders import RULES

FRIDAY = date(2020, 2, 21)  # the third of February, 18 days after today


def market(days_left: int):
    """The quiet market, so many days before the February expiry."""
    at = AT + timedelta(days=(FRIDAY - TODAY).days - days_left)
    return market_quotes(at=at, spx_options=spx_chain(at=at, days=(days_left, days_left + 28)))


def condor(text="SPXW 21FEB20 3100/3110/3350/3360", quantity=10):
    return condor_position(text, quantity=quantity, credit="2.50")


def window(days_left=8, *, condors=None, hedges=(), rules=RULES.rotation, calls=True):
    valuer = Valuer(market(days_left), FRIDAY - timedelta(days=days_left))

    def candidates():
        found = rank_candidates(valuer, "L2", RULES)
        return [each for each in found if each.is_call is calls]

    held = (condor(),) if condors is None else condors
    return theta_window(valuer, held, hedges, candidates, rules)


@pytest.mark.parametrize(
    ("days_left", "is_open"), [(6, False), (7, True), (8, True), (10, True), (11, False)]
)
def test_b6_the_window_is_open_from_ten_to_seven_days_before_the_monthly_expiry(days_left, is_open):
    found = window(days_left)
    assert found.is_open is is_open
    assert found.gates[0].value == days_left
    assert found.gates[0].threshold == "7 .. 10"
    assert found.gates[0].passed is is_open
    assert (found.wanted_usd > 0) is is_open  # the condors are short of gamma


def test_b6_the_window_follows_the_rules():
    assert window(12, rules=replace(RotationRules(), theta_window_first=12)).is_open
    assert not window(8, rules=replace(RotationRules(), theta_window_last=9)).is_open


@pytest.mark.parametrize(
    ("day", "listed", "expected"),
    [
        (FRIDAY, (), True),
        (FRIDAY, (date(2020, 2, 20),), True),
        (date(2020, 2, 20), (FRIDAY,), False),  # a Thursday's weekly
        (date(2020, 2, 20), (), True),  # Friday is a holiday: nothing expires
        (date(2020, 2, 19), (), False),
        (date(2020, 2, 14), (), False),
        (date(2020, 2, 28), (), False),
    ],
)
def test_b6_a_monthly_expiry_is_the_third_friday_or_the_day_before_a_holiday(day, listed, expected):
    assert is_monthly(day, listed) is expected


def test_b6_the_nearest_monthly_expiry_of_the_book_counts():
    weekly = condor("SPXW 19FEB20 3100/3110/3350/3360")
    later = condor("SPXW 20MAR20 3100/3110/3350/3360")
    listed = [FRIDAY, date(2020, 3, 20)]
    assert days_to_monthly_expiry((weekly, later, condor()), listed, TODAY) == 18
    assert days_to_monthly_expiry((weekly, later), listed, TODAY) == 46
    assert days_to_monthly_expiry((weekly,), listed, TODAY) is None


def test_b6_without_a_monthly_condor_the_window_stays_shut():
    found = window(condors=())
    assert not found.is_open
    assert found.gates[0].value is None
    assert found.gates[0].note == "no condor has one"


# --- gamma ----------------------------------------------------------------------------------------


def test_b6_gamma_is_what_a_point_up_and_a_point_down_gain_together():
    valuer = Valuer(market(8), FRIDAY - timedelta(days=8))
    held, hedges = (condor(),), (hedge_position("VIX 18MAR20 22 C", 40),)
    gains = [
        shock_pnl(valuer, held, hedges, usual_spx_fraction(move), move) for move in (1.0, -1.0)
    ]
    assert net_gamma_usd(valuer, held, hedges) == pytest.approx(sum(gains))
    assert net_gamma_usd(valuer, held, ()) < 0 < net_gamma_usd(valuer, (), hedges)


def test_b6_a_call_s_factor_gamma_is_its_gamma_times_beta_squared():
    valuer = Valuer(market(8), FRIDAY - timedelta(days=8))
    text = "VIX 18MAR20 20 C"
    value = valuer.option(instrument(text))
    exact = net_gamma_usd(valuer, (), (hedge_position(text, 100),))
    assert 100 * 100 * value.gamma * float(future_beta(value.days)) ** 2 == pytest.approx(
        exact, rel=0.02
    )


def test_b6_l2_asks_for_as_many_calls_as_make_the_gamma_zero():
    valuer = Valuer(market(8), FRIDAY - timedelta(days=8))
    call = next(each for each in rank_candidates(valuer, "L2", RULES) if each.is_call)
    found = window()
    contracts = round(found.wanted_usd / call.unit_vega_usd)
    assert found.target_usd(100.0) == 100.0 + found.wanted_usd
    bought = hedge_position(str(call.instrument), contracts)
    whole = net_gamma_usd(valuer, (condor(),), (bought,))
    assert abs(whole) < 0.05 * abs(net_gamma_usd(valuer, (condor(),), ()))
    assert found.gates[1].value == pytest.approx(net_gamma_usd(valuer, (condor(),), ()))
    assert (found.gates[1].threshold, found.gates[1].passed) == (0.0, False)


def test_b6_a_book_long_of_gamma_asks_for_nothing():
    found = window(hedges=(hedge_position("VIX 18MAR20 20 C", 5000),))
    assert found.is_open
    assert found.target_usd(100.0) is None
    assert found.gates[1].passed


def test_b6_without_a_call_nothing_can_be_asked_for():
    found = window(calls=False)
    assert found.wanted_usd == 0
    assert found.gates[1].note == "L2 finds no call"


def test_b6_what_cannot_be_priced_asks_for_nothing():
    found = window(hedges=(hedge_position("VIX 18NOV20 20 C", 1),))
    assert found.is_open
    assert found.wanted_usd == 0
    assert found.gates[1].value is None


def test_b6_series_listed_in_the_market_are_looked_at():
    """A Thursday condor beside a listed third Friday is a weekly one."""
    at = AT + timedelta(days=9)
    chain = spx_chain(at=at, days=(8, 9))
    assert {series.expiry for series in chain.series} == {date(2020, 2, 20), FRIDAY}
    assert option_series("SPXW", FRIDAY) in chain.series
    valuer = Valuer(market_quotes(at=at, spx_options=chain), at.date())
    thursday = condor("SPXW 20FEB20 3100/3110/3350/3360")
    assert not theta_window(valuer, (thursday,), (), list, RULES.rotation).is_open
    assert theta_window(valuer, (condor(),), (), list, RULES.rotation).is_open
