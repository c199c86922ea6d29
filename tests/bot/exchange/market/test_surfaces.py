"""The surfaces: no static arbitrage, and the index they were made of comes out again."""

import math
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.exchange.spx_surface import SpxSurface, VolLevels, option_values
from bot.exchange.vix_surface import vix_option_values, vix_smiles

TENORS = np.array([0.2, 1, 2, 4, 7, 9, 14, 21, 28, 30, 35, 45, 60, 80, 93, 130, 183]) / 365
K = np.linspace(-1.8, 0.9, 541)
LEAST_PRICE = 0.05  # the strip of the VIX stops where nobody bids


def spring_and_calm_days(history, calendar) -> list[VolLevels]:
    days = calendar.sessions_between(date(2020, 2, 3), date(2020, 4, 30))
    days += calendar.sessions_between(date(2017, 11, 1), date(2017, 11, 30))
    days += calendar.sessions_between(date(2023, 6, 1), date(2023, 7, 14))
    names = {"vix9d": "VIX9D", "vix": "VIX", "vix3m": "VIX3M", "vix6m": "VIX6M", "vvix": "VVIX"}
    return [
        VolLevels(**{key: history.daily(name).close_on(day) for key, name in names.items()})
        for day in days
    ]


def calls_in_moneyness(surface: SpxSurface, k: np.ndarray) -> np.ndarray:
    """Undiscounted calls on a forward of 1, (tenors, strikes)."""
    tenors, strikes = len(TENORS), len(k)
    index = np.repeat(np.arange(tenors), strikes)
    ones = np.ones(tenors)
    values = option_values(surface.at(TENORS), index, ones, np.tile(np.exp(k), tenors), ones)
    return values[:, 1].reshape(tenors, strikes)


def assert_no_static_arbitrage(calls: np.ndarray, k: np.ndarray) -> None:
    slopes = np.diff(calls, axis=-1) / np.diff(np.exp(k))
    assert (slopes > -1 - 1e-9).all()
    assert (slopes < 1e-12).all()
    assert (np.diff(slopes, axis=-1) > -1e-8).all(), "a butterfly has a negative price"


def test_spx_smiles_hold_no_butterfly_and_no_calendar_arbitrage_on_any_day(history, calendar):
    for levels in spring_and_calm_days(history, calendar):
        calls = calls_in_moneyness(SpxSurface(levels), K)
        assert_no_static_arbitrage(calls, K)
        assert (np.diff(calls, axis=0) > -1e-12).all(), f"a calendar is free at {levels}"


@given(
    vix=st.floats(9.0, 90.0),
    short=st.floats(-0.35, 0.35),
    three_months=st.floats(-0.3, 0.3),
    six_months=st.floats(-0.2, 0.2),
    vvix=st.floats(60.0, 220.0),
)
def test_spx_smiles_hold_no_arbitrage_whatever_the_indices_say(
    vix, short, three_months, six_months, vvix
):
    levels = VolLevels(
        vix9d=vix * math.exp(short),
        vix=vix,
        vix3m=vix * math.exp(three_months),
        vix6m=vix * math.exp(three_months + six_months),
        vvix=vvix,
    )
    calls = calls_in_moneyness(SpxSurface(levels), K)
    assert_no_static_arbitrage(calls, K)
    assert (np.diff(calls, axis=0) > -1e-12).all()


def strip_variance(
    surface: SpxSurface, t_years: float, forward: float, least_price: float = LEAST_PRICE
) -> float:
    """Total variance by the formula of the VIX, with 5-point strikes and no worthless ones."""
    strikes = np.arange(math.ceil(forward * 0.15 / 5) * 5.0, forward * 1.8, 5.0)
    one = np.ones(1)
    index = np.zeros(len(strikes), dtype=np.int64)
    values = option_values(surface.at(one * t_years), index, one * forward, strikes, one)
    below = strikes[strikes <= forward].max()
    price = np.where(strikes < below, values[:, 0], values[:, 1])
    price = np.where(strikes == below, values.mean(axis=1), price)
    price = np.where(price < least_price, 0.0, price)
    return 2.0 * float((5.0 / strikes**2 * price).sum()) - (forward / below - 1.0) ** 2


def test_the_strip_of_the_surface_reproduces_the_vix_print(history, calendar):
    for levels in spring_and_calm_days(history, calendar):
        variance = strip_variance(SpxSurface(levels), 30 / 365, 3000.0)
        assert 100 * math.sqrt(variance * 365 / 30) == pytest.approx(levels.vix, abs=0.15)


def test_listed_expiries_interpolated_as_the_vix_does_reproduce_it_too(history, calendar):
    """24 and 31 days away; the curve of a crash is bent at 30 days, hence the tolerance."""
    for levels in spring_and_calm_days(history, calendar):
        surface = SpxSurface(levels)
        near, far = (strip_variance(surface, days / 365, 3000.0) for days in (24, 31))
        total = near * 1 / 7 + far * 6 / 7  # 30 days lie 6/7 of the way
        printed = 100 * math.sqrt(total * 365 / 30)
        assert printed == pytest.approx(levels.vix, abs=max(0.15, 0.006 * levels.vix))


@pytest.mark.parametrize(("days", "name"), [(9, "vix9d"), (93, "vix3m"), (183, "vix6m")])
def test_each_index_comes_out_of_the_tenor_it_went_into(days, name, history, calendar):
    """With every strike: those under 0.05 are a twentieth of a calm VIX9D in the model."""
    for levels in spring_and_calm_days(history, calendar):
        variance = strip_variance(SpxSurface(levels), days / 365, 3000.0, least_price=0.0)
        printed = 100 * math.sqrt(variance * 365 / days)
        assert printed == pytest.approx(getattr(levels, name), rel=0.015)


def test_a_higher_vvix_makes_the_smile_steeper():
    def skew(vvix: float) -> float:
        levels = VolLevels(vix9d=19.0, vix=20.0, vix3m=21.5, vix6m=22.5, vvix=vvix)
        smiles = SpxSurface(levels).at(np.array([45 / 365]))
        return float(smiles.core.chi[0] / math.sqrt(smiles.core.theta[0]))

    assert skew(120.0) < skew(100.0) < skew(85.0) < 0


@given(
    future=st.floats(10.0, 85.0),
    days=st.floats(0.1, 260.0),
    vvix=st.floats(60.0, 220.0),
)
def test_vix_smiles_hold_no_butterfly_arbitrage(future, days, vvix):
    k = np.linspace(-2.0, 3.0, 501)
    one = np.ones(1)
    smiles = vix_smiles(one * future, one * days / 365, vvix)
    index = np.zeros(len(k), dtype=np.int64)
    calls = vix_option_values(smiles, index, one * future, future * np.exp(k), one)[:, 1]
    assert_no_static_arbitrage(calls / future, k)


def test_vix_smiles_slope_upward_and_fall_with_the_tenor():
    futures = np.array([18.0, 19.0, 19.5])
    smiles = vix_smiles(futures, np.array([20, 50, 110]) / 365, 95.0)
    vols = np.sqrt(smiles.theta / (np.array([20, 50, 110]) / 365))
    assert (smiles.chi > 0).all()
    assert (np.diff(vols) < 0).all()
