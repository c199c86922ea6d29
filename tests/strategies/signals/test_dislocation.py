"""S8: VIX against what SPX and VX1 explain."""

import numpy as np
import pytest

from strategies.model.errors import MissingData
from strategies.signals.dislocation import dislocation_z, vx1_changes
from strategies.signals.series import FuturesCurve

WINDOW = 252


def market(bars=WINDOW + 2, seed=11, noise=0.3):
    """VIX that is -100 x return + 0.5 x VX1 change + noise, with a roll every 20 bars."""
    generator = np.random.default_rng(seed)
    returns = generator.normal(0, 0.01, bars)
    future_changes = generator.normal(0, 0.5, bars)
    days = 60.0 - np.arange(bars) % 20
    vx1, vx2 = np.empty(bars), np.empty(bars)
    vx1[0], vx2[0] = 18.0, 23.0
    for k in range(1, bars):
        rolled = days[k] > days[k - 1]
        vx1[k] = (vx2[k - 1] if rolled else vx1[k - 1]) + future_changes[k]
        vx2[k] = vx1[k] + 5.0  # a steep curve, so that a roll taken for a change would show
    explained = -100 * returns + 0.5 * future_changes
    vix = 20 + np.cumsum(explained + generator.normal(0, noise, bars))
    spx = 3000 * np.cumprod(1 + returns)
    return vix, spx, FuturesCurve(vx1=vx1, vx2=vx2, vx2_days=days)


def z_of(vix, spx, curve):
    return dislocation_z(vix=vix, spx=spx, curve=curve, window=WINDOW)


def test_s8_on_a_roll_day_the_change_of_vx1_is_that_of_the_same_contract():
    curve = FuturesCurve(
        vx1=np.array([15.0, 15.5, 17.2]),
        vx2=np.array([17.0, 17.4, 18.0]),
        vx2_days=np.array([36.0, 35.0, 62.0]),
    )
    np.testing.assert_allclose(vx1_changes(curve), [0.5, 17.2 - 17.4])


def test_s8_is_linear_in_todays_vix_and_blind_to_it_in_its_scale():
    vix, spx, curve = market()
    base = z_of(vix, spx, curve)
    for extra in (1.0, 5.0, -8.0):
        moved = vix.copy()
        moved[-1] += extra
        again = vix.copy()
        again[-1] += 2 * extra
        assert z_of(again, spx, curve) - base == pytest.approx(
            2 * (z_of(moved, spx, curve) - base), rel=1e-9
        )


def test_s8_recovers_the_noise_as_its_scale():
    vix, spx, curve = market(seed=3)
    moved = vix.copy()
    moved[-1] += 3.0
    assert 3.0 / (z_of(moved, spx, curve) - z_of(vix, spx, curve)) == pytest.approx(0.3, rel=0.15)


def test_s8_equals_a_plain_regression():
    vix, spx, curve = market(seed=5)
    change, returns, future = np.diff(vix), spx[1:] / spx[:-1] - 1, vx1_changes(curve)
    design = np.stack([np.ones_like(returns), returns, future], axis=1)
    past, today = design[:-1][-WINDOW:], design[-1]
    beta = np.linalg.inv(past.T @ past) @ past.T @ change[:-1][-WINDOW:]
    residuals = change[:-1][-WINDOW:] - past @ beta
    expected = (change[-1] - today @ beta) / np.sqrt((residuals**2).sum() / (WINDOW - 3))
    assert z_of(vix, spx, curve) == pytest.approx(expected, rel=1e-9)


def test_s8_a_roll_today_is_no_dislocation():
    vix, spx, curve = market(bars=WINDOW + 9)  # 261 bars: the last one is a roll day
    assert curve.vx2_days[-1] > curve.vx2_days[-2]
    assert abs(z_of(vix, spx, curve)) < 3


def test_s8_needs_the_whole_window_and_today():
    vix, spx, curve = market(bars=WINDOW + 1)
    with pytest.raises(MissingData, match="253 bars, 254 needed"):
        z_of(vix, spx, curve)


def test_s8_without_variation_there_is_no_regression():
    vix, spx, curve = market()
    with pytest.raises(MissingData, match="SPX and VX1 did not vary"):
        z_of(vix, np.full_like(spx, 3000.0), curve)
    with pytest.raises(MissingData, match="VIX did not vary"):
        z_of(np.full_like(vix, 16.0), spx, curve)
