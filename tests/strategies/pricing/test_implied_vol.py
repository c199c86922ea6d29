"""Implied vols: exact where the price tells one, refused where it does not, never NaN."""

import math

import numpy as np
import pytest
import QuantLib
from hypothesis import given
from hypothesis import strategies as st

from strategies.pricing import black76
from strategies.pricing.implied_vol import implied_vol

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
