"""Black-76 against golden figures, QuantLib, and what must hold for any option."""

import math

import numpy as np
import pytest
import QuantLib
from hypothesis import given
from hypothesis import strategies as st

from strategies.pricing import black76

forwards = st.floats(5.0, 8000.0)
log_strikes = st.floats(-0.8, 0.8)
years = st.floats(1e-3, 2.0)
vols = st.floats(0.03, 2.0)
rates = st.floats(-0.01, 0.08)


def test_the_golden_vector_of_the_market_reference():
    t_years = 30 / 365
    discount = math.exp(-0.04 * t_years)
    call, put = black76.price(18, 20, t_years, 0.9, discount, [True, False])
    assert call == pytest.approx(1.106037, abs=5e-7)
    assert put == pytest.approx(3.099472, abs=5e-7)
    assert call - put == pytest.approx(-1.993435, abs=5e-7)


def test_prices_and_greeks_agree_with_quantlib(generator):
    count = 400
    forward = generator.uniform(10, 7000, count)
    strike = forward * np.exp(generator.uniform(-0.5, 0.5, count))
    t_years = generator.uniform(0.002, 2.0, count)
    vol = generator.uniform(0.05, 1.5, count)
    rate = generator.uniform(-0.01, 0.08, count)
    is_call = generator.random(count) < 0.5
    discount = np.exp(-rate * t_years)
    price = black76.price(forward, strike, t_years, vol, discount, is_call)
    greeks = black76.greeks(forward, strike, t_years, vol, discount, is_call, rate)
    for n in range(count):
        right = QuantLib.Option.Call if is_call[n] else QuantLib.Option.Put
        reference = QuantLib.BlackCalculator(
            QuantLib.PlainVanillaPayoff(right, float(strike[n])),
            float(forward[n]),
            float(vol[n] * math.sqrt(t_years[n])),
            float(discount[n]),
        )
        f, t = float(forward[n]), float(t_years[n])
        close = {"rel": 1e-9, "abs": 1e-9}
        assert price[n] == pytest.approx(reference.value(), **close)
        assert greeks.delta[n] == pytest.approx(reference.deltaForward(), **close)
        assert greeks.gamma[n] == pytest.approx(reference.gammaForward(), **close)
        assert greeks.vega[n] == pytest.approx(reference.vega(t) / 100, **close)
        assert greeks.theta[n] == pytest.approx(reference.theta(f, t) / 365, **close)


@given(forward=forwards, log_strike=log_strikes, t_years=years, vol=vols, rate=rates)
def test_put_and_call_are_in_parity(forward, log_strike, t_years, vol, rate):
    strike = forward * math.exp(log_strike)
    discount = math.exp(-rate * t_years)
    call, put = black76.price(forward, strike, t_years, vol, discount, [True, False])
    assert call - put == pytest.approx(discount * (forward - strike), abs=1e-10 * forward)


@given(forward=forwards, log_strike=log_strikes, t_years=years, vol=vols, is_call=st.booleans())
def test_a_price_lies_between_intrinsic_and_its_bound(forward, log_strike, t_years, vol, is_call):
    strike = forward * math.exp(log_strike)
    value = float(black76.price(forward, strike, t_years, vol, 1.0, is_call))
    intrinsic = max(forward - strike if is_call else strike - forward, 0.0)
    assert intrinsic - 1e-10 * forward <= value <= (forward if is_call else strike)


@given(forward=forwards, t_years=years, vol=vols, discount=st.floats(0.8, 1.0))
def test_calls_fall_and_puts_rise_with_the_strike_and_both_rise_with_vol(
    forward, t_years, vol, discount
):
    strike = forward * np.exp(np.linspace(-0.6, 0.6, 25))
    slack = 1e-10 * forward
    for is_call, sign in ((True, -1), (False, 1)):
        value = black76.price(forward, strike, t_years, vol, discount, is_call)
        assert (sign * np.diff(value) >= -slack).all()
        assert (
            black76.price(forward, strike, t_years, vol + 0.05, discount, is_call) >= value - slack
        ).all()


@given(
    forward=st.floats(10.0, 5000.0),
    deviations=st.floats(-2.0, 2.0),
    t_years=st.floats(0.02, 1.5),
    vol=st.floats(0.08, 1.2),
    rate=rates,
    is_call=st.booleans(),
)
def test_greeks_are_the_slopes_of_the_price(forward, deviations, t_years, vol, rate, is_call):
    strike = forward * math.exp(deviations * vol * math.sqrt(t_years))

    def value(*, f=forward, t=t_years, v=vol):
        return float(black76.price(f, strike, t, v, math.exp(-rate * t), is_call))

    greeks = black76.greeks(forward, strike, t_years, vol, math.exp(-rate * t_years), is_call, rate)
    step = 1e-4 * forward * vol * math.sqrt(t_years)
    scale = 1e-6
    slope = (value(f=forward + step) - value(f=forward - step)) / (2 * step)
    assert float(greeks.delta) == pytest.approx(slope, abs=scale)
    wide = 100 * step
    bend = (value(f=forward + wide) - 2 * value() + value(f=forward - wide)) / wide**2
    assert float(greeks.gamma) == pytest.approx(bend, rel=5e-3, abs=1e-7 / forward)
    per_vol = (value(v=vol + 1e-5) - value(v=vol - 1e-5)) / 2e-5
    assert float(greeks.vega) == pytest.approx(per_vol / 100, abs=scale * forward)
    day = 1e-4 * t_years
    per_year = (value(t=t_years - day) - value(t=t_years + day)) / (2 * day)
    assert float(greeks.theta) == pytest.approx(per_year / 365, abs=scale * forward)


@pytest.mark.parametrize(("t_years", "vol"), [(0.0, 0.2), (0.1, 0.0), (0.0, 0.0)])
def test_without_time_or_vol_an_option_is_its_intrinsic_value(t_years, vol):
    strike = np.array([90.0, 100.0, 110.0])
    value = black76.price(100.0, strike, t_years, vol, 0.99, True)
    assert value == pytest.approx([9.9, 0.0, 0.0])
    greeks = black76.greeks(100.0, strike, t_years, vol, 0.99, True, 0.0)
    assert greeks.delta == pytest.approx([0.99, 0.495, 0.0])
    for flat in (greeks.gamma, greeks.vega, greeks.theta):
        assert flat == pytest.approx(np.zeros(3))


def test_arguments_broadcast_against_each_other():
    value = black76.price([[100.0], [110.0]], [90.0, 100.0, 110.0], 0.5, 0.2, 0.98, True)
    assert value.shape == (2, 3)
    assert value[1, 2] == black76.price(110.0, 110.0, 0.5, 0.2, 0.98, True)


SECOND = ("gamma", "vanna", "volga", "charm", "veta")


def test_second_order_greeks_are_the_differences_of_quantlibs_first(generator):
    for _ in range(150):
        forward = float(generator.uniform(10, 7000))
        t_years = float(generator.uniform(0.02, 2.0))
        vol = float(generator.uniform(0.08, 1.5))
        rate = float(generator.uniform(-0.01, 0.08))
        strike = forward * math.exp(float(generator.uniform(-2.5, 2.5)) * vol * t_years**0.5)
        is_call = bool(generator.random() < 0.5)
        payoff = QuantLib.PlainVanillaPayoff(
            QuantLib.Option.Call if is_call else QuantLib.Option.Put, strike
        )

        def at(f=forward, t=t_years, v=vol, payoff=payoff, rate=rate):
            return QuantLib.BlackCalculator(payoff, f, v * math.sqrt(t), math.exp(-rate * t))

        up, day, point = 1e-4 * forward, 1e-4 * t_years, 1e-4 * vol
        later, sooner = at(t=t_years - day), at(t=t_years + day)
        expected = {
            "gamma": (at(f=forward + up).deltaForward() - at(f=forward - up).deltaForward())
            / (2 * up),
            "vanna": (at(v=vol + point).deltaForward() - at(v=vol - point).deltaForward())
            / (200 * point),
            "volga": (at(v=vol + point).vega(t_years) - at(v=vol - point).vega(t_years))
            / (20000 * point),
            "charm": (later.deltaForward() - sooner.deltaForward()) / (2 * day * 365),
            "veta": (later.vega(t_years - day) - sooner.vega(t_years + day)) / (200 * day * 365),
        }
        found = black76.second_greeks(
            forward, strike, t_years, vol, math.exp(-rate * t_years), is_call, rate
        )
        scales = {
            "gamma": 1 / forward / vol / t_years**0.5,
            "vanna": 0.01 / vol,
            "volga": 1e-4 * forward * t_years**0.5 / vol,
            "charm": 1 / t_years / 365,
            "veta": 0.01 * forward / t_years**0.5 / 365,
        }
        for name in SECOND:
            close = {"rel": 1e-5, "abs": 1e-6 * scales[name]}
            assert float(getattr(found, name)) == pytest.approx(expected[name], **close), name
        assert float(found.gamma) == pytest.approx(at().gammaForward(), rel=1e-9)


def test_vanna_is_also_the_change_of_vega_with_the_forward():
    strike = np.linspace(60.0, 160.0, 21)
    terms = (strike, 0.4, 0.3, 0.98, True, 0.05)
    vanna = black76.second_greeks(100.0, *terms).vanna
    high, low = (black76.greeks(100.0 + move, *terms).vega for move in (0.01, -0.01))
    assert vanna == pytest.approx((high - low) / 0.02, rel=1e-5, abs=1e-8)


@given(forward=forwards, log_strike=log_strikes, t_years=st.floats(0.01, 2.0), vol=vols, rate=rates)
def test_put_and_call_share_their_second_order_but_for_the_accrual_of_delta(
    forward, log_strike, t_years, vol, rate
):
    strike, discount = forward * math.exp(log_strike), math.exp(-rate * t_years)
    call, put = (
        black76.second_greeks(forward, strike, t_years, vol, discount, right, rate)
        for right in (True, False)
    )
    for name in ("gamma", "vanna", "volga", "veta"):
        assert getattr(call, name) == getattr(put, name)
    assert float(call.charm - put.charm) == pytest.approx(rate * discount / 365, abs=1e-12)
    assert call.gamma >= 0


@pytest.mark.parametrize(("t_years", "vol"), [(0.0, 0.2), (0.1, 0.0), (0.0, 0.0)])
def test_without_time_or_vol_nothing_is_left_of_the_second_order(t_years, vol):
    strike = np.array([90.0, 100.0, 110.0])
    found = black76.second_greeks(100.0, strike, t_years, vol, 0.99, True, 0.02)
    for name in SECOND:
        assert getattr(found, name).tolist() == [0.0, 0.0, 0.0]
