"""Factor vega: the measured betas, and the worked hedge of the market reference."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.pricing import black76
from strategies.pricing.factor_vega import (
    MEASURED_2021_2026,
    fitted_future_beta,
    future_beta,
    spx_vega_weight,
)
from tests.builders import future


@pytest.mark.parametrize(
    ("days", "beta"),
    [
        (1, 0.69),
        (4, 0.69),
        (11, 0.65),
        (18, 0.56),
        (26, 0.57),
        (38, 0.46),
        (53, 0.41),
        (75.5, 0.32),
        (105.5, 0.25),
        (135.5, 0.22),
        (165.5, 0.19),
        (225.5, 0.16),
    ],
)
def test_beta_is_the_measured_one_in_the_middle_of_each_bucket(days, beta):
    assert float(future_beta(days)) == pytest.approx(beta)


def test_beta_is_interpolated_between_buckets_and_goes_on_falling_after_the_last():
    assert float(future_beta(32)) == pytest.approx((0.57 + 0.46) / 2)
    assert float(future_beta(451)) == pytest.approx(0.16 * 2**-0.57)


@given(days=st.floats(0, 1000))
def test_beta_lies_between_zero_and_one_and_has_no_jumps(days):
    here, next_day = future_beta([days, days + 1])
    assert 0 < here <= 1
    assert abs(next_day - here) < 0.02


def test_the_power_law_follows_the_table_from_twenty_days_on():
    days = np.array([26, 38, 53, 75.5, 105.5, 135.5, 165.5, 225.5])
    assert fitted_future_beta(days) == pytest.approx(future_beta(days), abs=0.04)
    assert fitted_future_beta([0, 1, 5]).tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("days", "weight"), [(30, 1.0), (120, 0.5), (7, (30 / 7) ** 0.5), (0, (30 / 7) ** 0.5)]
)
def test_an_spx_vega_counts_by_the_root_of_its_tenor_seven_days_at_least(days, weight):
    assert float(spx_vega_weight(days)) == pytest.approx(weight)


STRIKES = np.array([6100.0, 6150.0, 7050.0, 7100.0])
SIGNS = np.array([1, -1, -1, 1])


@pytest.mark.parametrize(
    ("put_vol", "call_vol", "vega_usd"), [(0.17, 0.17, -126.0), (0.20, 0.14, -142.0)]
)
def test_the_condor_of_the_worked_hedge_has_the_vega_it_should(put_vol, call_vol, vega_usd):
    vol = np.array([put_vol, put_vol, call_vol, call_vol])
    is_call = STRIKES > 6700
    greeks = black76.greeks(6700.0, STRIKES, 45 / 365, vol, 1.0, is_call, 0.0)
    assert float(SIGNS @ greeks.vega) * 100 == pytest.approx(vega_usd, abs=1.5)


def test_ten_such_condors_are_hedged_by_2_96_vx_or_29_6_vxm_in_a_parallel_shift():
    beta = float(future_beta(38, MEASURED_2021_2026))  # the bucket of 31 to 45 days
    assert beta == 0.48
    assert 1423 / (future("VX 15APR20").multiplier * beta) == pytest.approx(2.96, abs=0.005)
    assert 1423 / (future("VXM 15APR20").multiplier * beta) == pytest.approx(29.6, abs=0.05)


def test_and_by_2_82_vx_with_the_factor_weight_and_the_fitted_beta():
    factor_vega_usd = 1423 * float(spx_vega_weight(45))
    beta = float(fitted_future_beta(45))
    assert beta == pytest.approx(0.413, abs=0.0005)
    assert factor_vega_usd / (1000 * beta) == pytest.approx(2.82, abs=0.01)
