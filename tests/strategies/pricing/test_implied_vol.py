"""Implied vols: exact where the price tells one, refused where it does not, never NaN."""

import math

import numpy as np
import pytest
import QuantLib
from hypothesis import given
from hypothesis import strategies as st

from strategies.pricing import black76, black_inverse
from strategies.pricing.implied_vol import implied_greeks, implied_vol

EPSILON = float(np.finfo(float).eps)


def test_recovers_the_vols_of_a_chain_to_twelve_digits(generator):
    count = 20_000
    forward = 3250.0
    strike = forward * np.exp(generator.uniform(-0.35, 0.2, count))
    t_years = generator.uniform(0.005, 1.0, count)
    vol = generator.uniform(0.08, 1.2, count)
    discount = np.exp(-0.03 * t_years)
    is_call = strike >= forward
    price = black76.price(forward, strike, t_years, vol, discount, is_call)
    quoted = price >= 0.01  # the smallest price there is
    found = implied_vol(price, forward, strike, t_years, discount, is_call)
    assert found.ok[quoted].all()
    assert np.abs(found.vol - vol)[quoted].max() < 1e-12


@given(
    log_strike=st.floats(-1.0, 1.0),
    deviation=st.floats(0.005, 3.0),
    t_years=st.floats(1e-4, 3.0),
    discount=st.floats(0.7, 1.0),
    is_call=st.booleans(),
)
def test_the_round_trip_loses_no_more_than_the_rounding_of_the_price(
    log_strike, deviation, t_years, discount, is_call
):
    forward = 1000.0
    strike = forward * math.exp(log_strike)
    vol = deviation / math.sqrt(t_years)
    price = float(black76.price(forward, strike, t_years, vol, discount, is_call))
    found = implied_vol(price, forward, strike, t_years, discount, is_call)
    d1 = -log_strike / deviation + deviation / 2
    slope = discount * forward * math.exp(-d1 * d1 / 2) / math.sqrt(2 * math.pi)
    lost = 8 * EPSILON * (forward + strike) / slope if slope > 0 else math.inf
    if lost < 1e-7 * deviation:
        assert found.ok
    if found.ok:
        assert abs(float(found.vol) - vol) * math.sqrt(t_years) <= lost + 1e-13 * deviation
    else:
        assert found.vol == 0.0


@given(
    price=st.floats(allow_nan=True, allow_infinity=True),
    forward=st.floats(-1.0, 1e4),
    strike=st.floats(-1.0, 1e4),
    t_years=st.floats(-0.1, 3.0),
    discount=st.floats(-0.1, 1.1),
    is_call=st.booleans(),
)
def test_any_input_gives_a_vol_or_an_explicit_refusal(
    price, forward, strike, t_years, discount, is_call
):
    found = implied_vol(price, forward, strike, t_years, discount, is_call)
    assert np.isfinite(found.vol)
    assert (found.vol > 0) == found.ok


@pytest.mark.parametrize(
    ("price", "is_call"),
    [
        (0.0, True),  # nothing
        (-1.0, True),
        (9.8, False),  # the put's discounted intrinsic value
        (9.0, False),  # below it
        (98.0, True),  # the discounted forward
        (120.0, True),  # above it
        (107.8, False),  # the discounted strike
        (math.nan, True),
        (math.inf, True),
    ],
)
def test_a_price_without_a_vol_is_refused(price, is_call):
    found = implied_vol(price, 100.0, 110.0, 0.25, 0.98, is_call)
    assert not found.ok
    assert found.vol == 0.0


def test_a_time_value_lost_in_the_rounding_of_a_deep_price_is_refused():
    price = black76.price(3000.0, 1500.0, 0.05, 0.2, 1.0, True)  # all intrinsic to the last digit
    assert price == pytest.approx(1500.0)
    assert not implied_vol(price, 3000.0, 1500.0, 0.05, 1.0, True).ok


def test_a_put_and_a_call_in_parity_have_one_vol():
    strike = np.linspace(2800, 3600, 33)
    put, call = (
        implied_vol(
            black76.price(3250.0, strike, 0.12, 0.21, 0.995, is_call),
            3250.0,
            strike,
            0.12,
            0.995,
            is_call,
        )
        for is_call in (False, True)
    )
    assert put.ok.all()
    assert call.ok.all()
    assert put.vol == pytest.approx(call.vol, abs=1e-9)


def test_agrees_with_quantlib(generator):
    for _ in range(200):
        strike = float(3250.0 * math.exp(generator.uniform(-0.3, 0.15)))
        price = float(generator.uniform(0.05, 150.0))
        right = QuantLib.Option.Call if strike >= 3250.0 else QuantLib.Option.Put
        reference = QuantLib.blackFormulaImpliedStdDev(
            right, strike, 3250.0, price, 0.99, 0.0, 0.2, 1e-14
        )
        found = implied_vol(price, 3250.0, strike, 0.1, 0.99, strike >= 3250.0)
        assert found.ok
        assert float(found.vol) * math.sqrt(0.1) == pytest.approx(reference, abs=1e-9)


def test_extreme_moneyness_and_vol_still_converge():
    log_strike = -np.array([1e-8, 1e-4, 0.01, 0.5, 2.0, 5.0])[:, None]
    deviation = np.array([0.01, 0.1, 1.0, 3.0, 6.0])
    strike = np.exp(-log_strike)
    price = black76.price(1.0, strike, 1.0, deviation, 1.0, True)
    found = implied_vol(price, 1.0, strike, 1.0, 1.0, True)
    told = price > 1e-8
    assert found.ok[told].all()
    assert found.vol[told] == pytest.approx(np.broadcast_to(deviation, told.shape)[told], rel=1e-6)


def test_shapes_broadcast_and_an_empty_request_is_answered():
    assert implied_vol(5.0, 100.0, [90.0, 100.0], [[0.1], [0.2]], 1.0, True).vol.shape == (2, 2)
    assert implied_vol([], 100.0, [], 0.1, 1.0, True).vol.shape == (0,)


def test_long_columns_are_the_same_row_by_row(generator):
    """Blocks, the pass over all rows and the iteration of some must not show."""
    count = 9_000  # more than one block
    strike = 3250.0 * np.exp(generator.uniform(-2.5, 1.5, count))
    t_years = np.exp(generator.uniform(np.log(1e-5), np.log(3.0), count))
    vol = generator.uniform(0.05, 2.5, count)
    is_call = strike >= 3250.0
    price = black76.price(3250.0, strike, t_years, vol, 0.98, is_call)
    found = implied_greeks(price, 3250.0, strike, t_years, 0.98, is_call, 0.01)
    assert found.ok.mean() > 0.6  # the rest are worth nothing or all intrinsic
    for n in generator.integers(0, count, 200):
        alone = implied_greeks(price[n], 3250.0, strike[n], t_years[n], 0.98, is_call[n], 0.01)
        assert alone.ok == found.ok[n]
        for name in ("vol", "delta", "gamma", "vega", "theta", "vanna"):
            expected = getattr(found, name)[n]
            assert float(getattr(alone, name)) == pytest.approx(expected, rel=1e-12, abs=1e-15)


# Forward 1000, discount 1, out of the money: ln(K/F), years, vol, and the price to seventeen digits
# as computed by mpmath 1.4 with sixty
DEEP = [
    (-0.9, 0.05, 0.2, 3.1667024315681233e-90),
    (0.6, 0.05, 0.15, 1.8214574142935957e-71),
    (-2.0, 0.1, 0.25, 1.913279555393293e-141),
    (1.2, 0.02, 0.4, 1.7439930293924799e-99),
    (-0.25, 0.004, 0.12, 5.893059860742969e-239),
    (0.05, 1e-05, 0.5, 4.594074060061858e-221),
    (-3.0, 0.5, 0.7, 1.1399224080914116e-08),
    (0.3, 0.012, 0.08, 1.1730537564463214e-257),
]


@pytest.mark.parametrize(("log_strike", "t_years", "vol", "price"), DEEP)
def test_the_deepest_wings_tell_their_vol(log_strike, t_years, vol, price):
    strike = 1000.0 * math.exp(log_strike)
    found = implied_vol(price, 1000.0, strike, t_years, 1.0, strike >= 1000.0)
    assert found.ok
    assert abs(float(found.vol) - vol) < 1e-12


def test_a_vol_that_is_not_found_in_time_is_refused_and_not_guessed(monkeypatch):
    price = black76.price(1000.0, 1100.0, 1.0, 6.0, 1.0, is_call=True)
    assert float(implied_vol(price, 1000.0, 1100.0, 1.0, 1.0, True).vol) == pytest.approx(6.0)
    monkeypatch.setattr(black_inverse, "_MOST_STEPS", 0)
    assert not implied_vol(price, 1000.0, 1100.0, 1.0, 1.0, True).ok


# Range of |ln(K/F)| over s, and of s = vol sqrt(T)
REGIONS = {
    "at the money": ((0.0, 0.5), (0.01, 1.0)),
    "near": ((0.5, 3.0), (0.01, 1.0)),
    "wings": ((3.0, 9.0), (0.01, 1.0)),
    "deep wings": ((9.0, 37.0), (0.01, 0.5)),
    "deep wings of large deviation": ((5.0, 25.0), (0.5, 3.0)),
    "large deviation": ((0.0, 1.0), (1.0, 6.0)),
    "small deviation": ((0.0, 6.0), (1e-6, 1e-2)),
}


@pytest.mark.parametrize("region", REGIONS)
def test_every_price_out_of_the_money_tells_its_vol_to_twelve_digits(region, generator):
    mpmath = pytest.importorskip("mpmath", reason="of the dependency group bench")
    distances, deviations = REGIONS[region]
    for _ in range(40):
        s = float(np.exp(generator.uniform(*np.log(deviations))))
        side = generator.choice([-1.0, 1.0])
        strike = 1000.0 * math.exp(side * s * generator.uniform(*distances))
        vol = float(generator.uniform(0.1, 1.5))
        t_years = (s / vol) ** 2
        with mpmath.workdps(60):
            exact = mpmath.mpf(vol) * mpmath.sqrt(t_years)
            d1 = mpmath.log(mpmath.mpf(1000) / strike) / exact + exact / 2
            near, far = mpmath.ncdf(side * d1), mpmath.ncdf(side * (d1 - exact))
            price = float(side * (1000 * near - strike * far))
        found = implied_vol(price, 1000.0, strike, t_years, 1.0, side > 0)
        assert found.ok
        assert abs(float(found.vol) - vol) < 1e-12


def test_only_a_price_lost_in_its_own_rounding_is_refused():
    """A put ever deeper in the money: refused from where a digit of the price moves the vol."""
    strike = 1000.0 * np.exp(np.linspace(0.0, 0.8, 81))
    s = 0.1
    price = black76.price(1000.0, strike, 1.0, s, 1.0, False)
    found = implied_vol(price, 1000.0, strike, 1.0, 1.0, False)
    d1 = -np.log(strike / 1000.0) / s + s / 2
    vega = 1000.0 * np.exp(-0.5 * d1 * d1) / math.sqrt(2 * math.pi)
    uncertain = EPSILON * price / (vega * s)
    assert found.ok[uncertain < 2e-7].all()
    assert not found.ok[uncertain > 4e-7].any()
    assert found.vol[found.ok] == pytest.approx(s, rel=1e-5)


def test_the_greeks_of_a_chain_are_those_at_its_vols(generator):
    count = 4_000
    forward = generator.uniform(15.0, 6000.0, count)
    t_years = np.exp(generator.uniform(np.log(1e-3), np.log(2.0), count))
    vol = generator.uniform(0.08, 1.6, count)
    strike = forward * np.exp(generator.uniform(-6.0, 4.0, count) * vol * np.sqrt(t_years))
    rate = 0.03
    discount = np.exp(-rate * t_years)
    is_call = generator.random(count) < 0.5  # in the money as well
    price = black76.price(forward, strike, t_years, vol, discount, is_call)
    found = implied_greeks(price, forward, strike, t_years, discount, is_call, rate)
    plain = implied_vol(price, forward, strike, t_years, discount, is_call)
    assert (found.vol == plain.vol).all()
    assert (found.ok == plain.ok).all()
    ok = found.ok
    terms = [each[ok] for each in (forward, strike, t_years, found.vol, discount, is_call)]
    expected = black76.greeks(*terms, rate)
    assert found.delta[ok] == pytest.approx(expected.delta, rel=1e-9, abs=1e-12)
    assert found.gamma[ok] == pytest.approx(expected.gamma, rel=1e-9, abs=1e-14)
    for name in ("vega", "theta"):
        assert getattr(found, name)[ok] == pytest.approx(
            getattr(expected, name), rel=1e-9, abs=1e-9
        )
    low, high = (
        black76.greeks(*terms[:3], found.vol[ok] + move, *terms[4:], rate).delta
        for move in (-1e-5, 1e-5)
    )
    assert found.vanna[ok] == pytest.approx((high - low) / 2e-3, rel=1e-4, abs=1e-8)


def test_at_the_money_and_in_the_far_wings_the_greeks_are_numbers():
    strike = np.array([1.0, 500.0, 1000.0, 2000.0, 1e6])
    price = np.array([1e-250, 1e-90, 20.0, 1e-120, 1e-200])
    found = implied_greeks(price, 1000.0, strike, 0.1, 1.0, strike >= 1000.0, 0.0)
    assert found.ok.all()
    expected = black76.greeks(1000.0, strike, 0.1, found.vol, 1.0, strike >= 1000.0, 0.0)
    for name in ("delta", "gamma", "vega", "theta"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-9)


def test_where_there_is_no_vol_there_are_no_greeks():
    found = implied_greeks([5.0, 0.0, math.nan], 100.0, 100.0, 0.25, 1.0, True, 0.02)
    assert found.ok.tolist() == [True, False, False]
    for name in ("vol", "delta", "gamma", "vega", "theta", "vanna"):
        assert getattr(found, name)[1:].tolist() == [0.0, 0.0]
        assert getattr(found, name)[0] != 0.0


def test_no_row_of_the_widest_chain_settles_on_a_wrong_vol(generator):
    count = 100_000
    s = np.exp(generator.uniform(np.log(1e-4), np.log(16.0), count))
    log_strike = np.clip(generator.uniform(-9.0, 9.0, count) * s, -30.0, 30.0)
    strike, is_call = np.exp(log_strike), generator.random(count) < 0.5
    price = black76.price(1.0, strike, 1.0, s, 1.0, is_call)
    found = implied_vol(price, 1.0, strike, 1.0, 1.0, is_call)
    d1 = -log_strike / s + s / 2
    vega = np.exp(-0.5 * d1 * d1) / math.sqrt(2 * math.pi)
    lost = 32 * EPSILON * (1.0 + strike) / np.maximum(vega, 1e-300)  # in price and exponent
    told = found.ok & (lost < 1e-7 * s)
    assert told.mean() > 0.45
    assert (np.abs(found.vol - s)[told] <= 1e-12 * s[told] + lost[told]).all()
    assert found.ok[lost < 1e-8 * s].all()


def test_a_price_with_hardly_a_digit_left_is_refused():
    found = implied_vol([5e-324, 1e-309, 1e-300], 1000.0, 2000.0, 0.1, 1.0, True)
    assert found.ok.tolist() == [False, False, True]
