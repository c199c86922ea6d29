"""Dated flows and their annual rate: by hand, against numpy and scipy roots, and as properties."""

import math
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

from strategies.pricing.repricing import Repricer
from strategies.pricing.returns import (
    Expectation,
    Flows,
    NoRate,
    condor_irr,
    irr,
    realised_ratio,
)
from strategies.pricing.valuation import Valuer
from tests.builders import (
    TODAY,
    condor_legs,
    condor_position,
    daily_history,
    index_values,
    instrument,
    market_quotes,
)

VALUER = Valuer(market_quotes(), TODAY)
LEGS = condor_legs("SPXW 20MAR20 3040/3050/3405/3415")
CONDOR = condor_position(LEGS, quantity=10, credit="2.50")
DAYS = (LEGS.short_put.expiry - TODAY).days


def flows(*dated):
    days, usd = zip(*dated, strict=True)
    return Flows(days=np.array(days, dtype=np.float64), usd=np.array(usd, dtype=np.float64))


# --- the rate -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dated", "rate"),
    [
        ([(0, -100.0), (365, 118.0)], 0.18),
        ([(0, -100.0), (365, 100.0)], 0.0),
        ([(0, -100.0), (365, 82.0)], -0.18),
        ([(0, -100.0), (73, 110.0)], 1.1**5 - 1),  # 73 days are a fifth of a year
        ([(0, -60.0), (0, -40.0), (365, 118.0)], 0.18),  # a day counts as its sum
        ([(10, -100.0), (375, 118.0)], 0.18),  # only the days between matter
        ([(0, -100.0), (365, 60.0), (730, 60.0)], (60 + math.sqrt(3600 + 4 * 6000)) / 200 - 1),
    ],
)
def test_g4_the_rate_is_the_one_at_which_flows_discount_to_zero(dated, rate):
    answer = irr(flows(*dated))
    assert answer.rate == pytest.approx(rate, abs=1e-12)
    assert answer.reason is None


def test_g4_yearly_flows_agree_with_the_polynomial_s_root():
    usd = [-1000.0, -200.0, 300.0, 500.0, 700.0]
    answer = irr(flows(*((365 * year, amount) for year, amount in enumerate(usd))))
    roots = np.roots(usd[::-1])  # in x = 1 / (1 + r)
    (x,) = [root.real for root in roots if abs(root.imag) < 1e-12 and root.real > 0]
    assert answer.rate == pytest.approx(1 / x - 1, rel=1e-10)


@pytest.mark.parametrize(
    ("dated", "reason"),
    [
        ([(0, 100.0), (30, 5.0)], NoRate.NOTHING_INVESTED),
        ([(0, 100.0), (30, -5.0)], NoRate.NOTHING_INVESTED),  # borrowed, not invested
        ([(0, 0.0)], NoRate.NOTHING_INVESTED),
        ([(0, -100.0), (30, -5.0)], NoRate.NOTHING_BACK),
        ([(0, -100.0), (0, 200.0), (30, -50.0), (60, 10.0)], NoRate.SEVERAL_TURNS),
        ([(0, -100.0), (30, 200.0), (60, -50.0)], NoRate.SEVERAL_TURNS),
    ],
)
def test_g4_flows_without_one_change_of_sign_have_no_rate_and_say_why(dated, reason):
    answer = irr(flows(*dated))
    assert (answer.rate, answer.reason) == (None, reason)


def test_g4_a_rate_beyond_a_hundred_thousand_percent_is_returned_as_that():
    assert irr(flows((0, -1.0), (7, 50.0))).rate == pytest.approx(1000.0)
    assert irr(flows((0, -1.0), (30, 1.7))).rate == pytest.approx(1.7 ** (365 / 30) - 1)


def test_g4_a_rate_reaches_a_hurdle_from_the_hurdle_on():
    answer = irr(flows((0, -100.0), (365, 118.0)))
    assert answer.reaches(answer.rate) is True
    assert answer.reaches(answer.rate - 1e-9) is True
    assert answer.reaches(answer.rate + 1e-9) is False


def test_g4_nothing_back_reaches_no_hurdle_and_nothing_invested_says_nothing():
    assert irr(flows((0, -100.0))).reaches(-0.99) is False
    assert irr(flows((0, 100.0))).reaches(0.18) is None


def test_g4_a_loss_of_all_but_nothing_within_a_day_has_a_rate():
    # Found by hypothesis: the discount factors of the later receipt overflowed
    lost = irr(flows((30, -804_751.0), (31, 1.0), (85, 1.0)))
    assert lost.rate == pytest.approx(-1.0, abs=1e-8)
    assert lost.reaches(-0.99) is False


money = st.floats(1.0, 1e6)
paid = st.lists(st.tuples(st.integers(0, 30), money), min_size=1, max_size=5)
received = st.lists(st.tuples(st.integers(31, 400), money), min_size=1, max_size=8)


@given(paid=paid, received=received)
def test_g4_the_rate_agrees_with_scipy_and_leaves_nothing(paid, received):
    dated = [(day, -usd) for day, usd in paid] + received
    answer = irr(flows(*dated)).rate
    first = min(day for day, _ in dated)

    def worth(u):
        return sum(usd * math.exp(u * (day - first) / 365) for day, usd in dated)

    if -0.99 < answer < 999.0:  # beyond, one digit of the rate is many of its discount factor
        u = -math.log1p(answer)
        scale = sum(abs(usd) * math.exp(u * (day - first) / 365) for day, usd in dated)
        assert abs(worth(u)) <= 1e-9 * scale
        assert brentq(worth, u - 1.0, u + 1.0, xtol=1e-12) == pytest.approx(u, abs=1e-8)


@given(paid=paid, received=received, more=st.floats(0.0, 1e5), which=st.integers(0, 7))
def test_g4_more_money_back_never_lowers_the_rate(paid, received, more, which):
    dated = [(day, -usd) for day, usd in paid]
    better = list(received)
    day, usd = better[which % len(better)]
    better[which % len(better)] = (day, usd + more)
    assert irr(flows(*dated, *better)).rate >= irr(flows(*dated, *received)).rate - 1e-9


# --- what vol is worth ----------------------------------------------------------------------------


def history_of(daily_move, vix, sessions=400):
    """Closes that go up and down by so much each day: a realised vol known by hand."""
    moves = np.where(np.arange(sessions) % 2 == 0, daily_move, -daily_move)
    return daily_history(
        sessions=sessions, spx=3000 * np.exp(np.cumsum(moves)), vix=np.full(sessions, vix)
    )


def test_c8_the_ratio_is_realised_over_implied_vol():
    realised = 0.01 * math.sqrt(252) * 100
    assert realised_ratio(history_of(0.01, 20.0), TODAY) == pytest.approx(realised / 20)
    assert realised_ratio(history_of(0.01, 16.0), TODAY) == pytest.approx(realised / 16)


@pytest.mark.parametrize(("vix", "ratio"), [(100.0, 0.5), (31.0, 0.512), (8.0, 1.5), (11.0, 1.443)])
def test_c8_the_ratio_stays_between_a_half_and_one_and_a_half(vix, ratio):
    assert realised_ratio(history_of(0.01, vix), TODAY) == pytest.approx(ratio, abs=5e-4)


@pytest.mark.parametrize(("sessions", "known"), [(81, True), (80, False), (21, False), (5, False)])
def test_c8_sixty_ratios_are_needed(sessions, known):
    assert (realised_ratio(history_of(0.01, 20.0, sessions), TODAY) is not None) is known


def test_c8_the_ratio_compares_vix_with_the_vol_that_came_after_it():
    history = daily_history(vix=[10.0] * 279 + [40.0] * 21)  # today's VIX has not been tested yet
    calm = daily_history(vix=[10.0])
    assert realised_ratio(history, TODAY) == realised_ratio(calm, TODAY)


def test_c8_the_ratio_knows_nothing_of_the_session_and_of_later_ones():
    wild = daily_history(before=TODAY + timedelta(days=28), spx=[100.0, 400.0] * 10, vix=[15.0])
    completed = int(np.searchsorted(wild.session, np.datetime64(TODAY, "D")))
    calm = replace(wild, spx_close=wild.spx_close.copy())
    calm.spx_close[completed:] = calm.spx_close[completed - 1]
    assert completed == len(wild.session) - 20
    assert realised_ratio(wild, TODAY) == realised_ratio(calm, TODAY)


# --- condors --------------------------------------------------------------------------------------


def rate(credit="2.50", hedge="0", ratio=0.8, legs=LEGS, valuer=VALUER):
    return condor_irr(
        valuer,
        legs,
        credit=Decimal(credit),
        hedge_usd=Decimal(hedge),
        ratio=ratio,
        convention="ib",
    )


def test_c8_the_rate_of_a_condor_by_hand():
    """Ten points of margin, 2.50 received: 750 USD go out, what is left of 1,000 comes back."""
    terms = VALUER.terms([contract for contract, _ in LEGS.signed()])
    vol = VALUER.spx.vol(terms.series_index, terms.strike)
    payoff = 0.0
    for (_, sign), k, f, t, v, call in zip(
        LEGS.signed(), terms.strike, terms.forward, terms.t_years, vol, terms.is_call, strict=True
    ):
        payoff -= sign * integral(f, k, 0.8 * v * math.sqrt(t), call)
    expected = (1000 - 100 * payoff) / (1000 - 250)
    assert rate().rate == pytest.approx(expected ** (365 / DAYS) - 1, rel=1e-6)


def integral(forward, strike, deviation, is_call):
    """The expected payoff by quadrature over the lognormal."""
    z = np.linspace(-9, 9, 200_001)
    settles = forward * np.exp(deviation * z - deviation**2 / 2)
    pays = np.maximum(settles - strike if is_call else strike - settles, 0.0)
    density = np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    return float(np.trapezoid(pays * density, z))


def test_c8_the_hedge_s_cost_lowers_the_rate():
    assert rate(hedge="25").rate < rate().rate
    assert rate(hedge="25").rate == pytest.approx(rate(credit="2.25").rate)


def test_c8_the_higher_vol_is_expected_the_lower_the_rate():
    assert rate(ratio=0.6).rate > rate(ratio=0.8).rate > rate(ratio=1.2).rate


def test_c8_without_a_ratio_or_a_price_there_is_no_rate():
    assert rate(ratio=None).reason is NoRate.NO_RATIO
    odd = condor_legs("SPXW 21MAR20 3040/3050/3405/3415")
    assert rate(legs=odd).reason is NoRate.UNPRICEABLE


@given(cents=st.integers(1, 900), more=st.integers(0, 90))
def test_c8_more_credit_never_lowers_the_rate(cents, more):
    low, high = Decimal(cents) / 100, Decimal(cents + more) / 100
    assert rate(credit=str(high)).rate >= rate(credit=str(low)).rate - 1e-12


def expectation(ratio=0.8, valuer=VALUER, convention="ib"):
    return Expectation(valuer, Repricer(valuer, ratio=ratio), convention)


def sums(of):
    by_day = {}
    for day, usd in zip(of.days.tolist(), of.usd.tolist(), strict=True):
        by_day[day] = by_day.get(day, 0.0) + usd
    return by_day


def test_g4_a_condor_held_is_sold_at_its_mids_once_more():
    value = VALUER.condor(LEGS)
    by_day = sums(expectation().condors([CONDOR], {"C0001": value}))
    assert by_day.keys() == {0.0, float(DAYS)}
    assert by_day[0.0] == pytest.approx(1000 * value.mid_debit - 10_000)
    assert 0 < by_day[float(DAYS)] < 10_000
    again = rate(credit=str(round(value.mid_debit, 9)))
    assert irr(expectation().condors([CONDOR], {"C0001": value})).rate == pytest.approx(again.rate)


def rolled_out(days=14):
    """A condor whose calls have been rolled out in time."""
    late = LEGS.short_call.expiry + timedelta(days=days)
    return replace(
        LEGS,
        short_call=replace(LEGS.short_call, expiry=late),
        long_call=replace(LEGS.long_call, expiry=late),
    )


def test_g4_the_margin_of_a_side_comes_back_when_its_short_expires():
    legs = rolled_out()
    rolled = condor_position(legs, quantity=1, credit="2.00")
    by_day = sums(expectation().condors([rolled], {"C0001": VALUER.condor(legs)}))
    assert by_day.keys() == {0.0, float(DAYS), float(DAYS + 14)}
    assert by_day[0.0] == pytest.approx(100 * VALUER.condor(legs).mid_debit - 2_000)
    assert 0 < by_day[float(DAYS)] < 1_000
    assert 0 < by_day[float(DAYS + 14)] < 1_000


def test_g4_a_book_with_a_condor_rolled_out_in_time_still_has_a_rate():
    """Else G4 would cap nothing from the first roll out on."""
    legs = rolled_out()
    book = [
        condor_position("SPXW 06MAR20 3040/3050/3405/3415", condor_id="C0001", credit="2.00"),
        condor_position(legs, condor_id="C0002", quantity=1, credit="2.00"),
    ]
    values = {each.condor_id: VALUER.condor(each.legs) for each in book}
    answer = irr(expectation().condors(book, values))
    assert (answer.reason, answer.rate is None) == (None, False)


def test_g4_a_condor_without_a_value_has_no_flows():
    assert expectation().condors([CONDOR], {"C0001": None}) is None
    odd = condor_position("SPXW 21MAR20 3040/3050/3405/3415")
    assert expectation().condors([odd], {"C0001": None}) is None
    assert sums(expectation().condors([], {})) == {0.0: 0.0}


# --- hedges ---------------------------------------------------------------------------------------

CALL, FUTURE = instrument("VIX 18MAR20 22 C"), instrument("VXM 15APR20")


def test_g4_a_call_costs_its_mid_and_pays_what_it_is_expected_to():
    value = VALUER.value(CALL)
    by_day = sums(expectation().hedges([(CALL, 20)]))
    assert by_day[0.0] == pytest.approx(-2000 * value.mid)
    paid = integral(value.forward, 22.0, 0.8 * value.vol * math.sqrt(value.t_years), is_call=True)
    assert by_day[float(value.days)] == pytest.approx(2000 * paid, rel=1e-6)


def test_g4_a_future_ties_up_margin_and_goes_half_way_to_spot():
    value = VALUER.value(FUTURE)  # 17.40, in contango: spot is 16
    margin = 100 * 1.25 * 0.45 * 17.4 * 0.75  # more than 60 days: a back month
    long, short = (sums(expectation().hedges([(FUTURE, n)])) for n in (3, -3))
    assert value.mid == pytest.approx(17.4)
    assert long[0.0] == short[0.0] == pytest.approx(-3 * margin)
    assert long[float(value.days)] == pytest.approx(3 * margin + 300 * 0.5 * (16 - 17.4))
    assert short[float(value.days)] == pytest.approx(3 * margin - 300 * 0.5 * (16 - 17.4))


def test_g4_a_hedge_without_a_value_has_no_flows():
    assert expectation().hedges([(instrument("VX 16SEP20"), 1)]) is None
    assert expectation().hedges([(instrument("VIX 16SEP20 22 C"), 1)]) is None
    indices = {name: each for name, each in index_values().items() if name != "VIX"}
    blind = Valuer(market_quotes(indices=indices), TODAY)
    assert expectation(valuer=blind).hedges([(FUTURE, 1)]) is None
    assert expectation(valuer=blind).hedges([(CALL, 1)]) is not None


def test_g4_calls_bought_above_what_they_pay_lower_the_book_s_rate():
    both = expectation()
    condors = both.condors([CONDOR], {"C0001": VALUER.condor(LEGS)})
    alone, hedged = irr(condors).rate, irr(condors + both.hedges([(CALL, 5)])).rate
    assert hedged < alone
    twice = irr(condors + both.hedges([(CALL, 5)]) * 2).rate
    assert twice == pytest.approx(irr(condors + both.hedges([(CALL, 10)])).rate)
    assert twice < hedged
