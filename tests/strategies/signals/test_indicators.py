"""RSI, MACD, means and deviations against published numbers and plain recursions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.signals.indicators import (
    MIN_WARM_BARS,
    SEED_WEIGHT,
    YEAR_BARS,
    Macd,
    Side,
    is_below_mean,
    macd,
    macd_warm_bars,
    rsi,
    rsi_warm_bars,
    run_lengths,
    trailing_sd_before,
    week_deviation_z,
    week_z_bars,
)

# Market mechanics, section 10: 20 closes and the Wilder-14 RSI of the last six
GOLDEN_CLOSES = np.array(
    [
        44.3389, 44.0902, 44.1497, 43.6124, 44.3278, 44.8264, 45.0955, 45.4245, 45.8433, 46.0826,
        45.8931, 46.0328, 45.6140, 46.2820, 46.2820, 46.0028, 46.0328, 46.4116, 46.2222, 45.6439,
    ]
)  # fmt: skip
GOLDEN_RSI = [70.53, 66.32, 66.55, 69.41, 66.36, 57.97]


def plain_rsi(closes, period):
    changes = np.diff(closes)
    gain, loss = np.maximum(changes, 0), np.maximum(-changes, 0)
    up, down = gain[:period].mean(), loss[:period].mean()
    out = [np.nan] * period
    for k in range(period - 1, len(changes)):
        if k >= period:
            up = (up * (period - 1) + gain[k]) / period
            down = (down * (period - 1) + loss[k]) / period
        out.append(50.0 if up + down == 0 else 100 * up / (up + down))
    return np.array(out)


def plain_ema(values, period):
    alpha, out = 2 / (period + 1), [values[0]]
    for value in values[1:]:
        out.append(out[-1] + alpha * (value - out[-1]))
    return np.array(out)


def walk(seed, bars=420, level=100.0):
    return level + np.cumsum(np.random.default_rng(seed).normal(0, 1, bars))


def test_s1_rsi_gives_the_published_wilder_values():
    assert rsi(GOLDEN_CLOSES, 14)[14:].round(2).tolist() == GOLDEN_RSI


@pytest.mark.parametrize("period", [2, 7, 14, 50])
def test_s1_rsi_equals_wilders_recursion(period):
    closes = walk(period)
    expected = plain_rsi(closes, period)
    np.testing.assert_allclose(rsi(closes, period), expected, rtol=0, atol=1e-9)


def test_s1_rsi_without_losses_is_100_and_without_gains_0():
    rising = np.arange(1.0, 31.0)
    assert (rsi(rising, 14)[14:] == 100).all()
    assert (rsi(rising[::-1].copy(), 14)[14:] == 0).all()


def test_s1_rsi_of_a_series_that_never_moved_is_50_until_it_moves():
    closes = np.full(30, 20.0)
    closes[-1] = 19.0
    strength = rsi(closes, 14)
    assert np.isnan(strength[:14]).all()
    assert (strength[14:-1] == 50).all()
    assert strength[-1] == 0


def test_s3_macd_seeded_by_ta_lib_equals_the_plain_recursion_once_warm():
    values = walk(3)
    warm = macd_warm_bars(26, 9) - 1
    ours = macd(values, 12, 26, 9)
    line = plain_ema(values, 12) - plain_ema(values, 26)
    scale = np.abs(values - values.mean()).max()
    np.testing.assert_allclose(ours.line[warm:], line[warm:], rtol=0, atol=SEED_WEIGHT * scale)
    signal = plain_ema(line, 9)
    np.testing.assert_allclose(ours.signal[warm:], signal[warm:], rtol=0, atol=SEED_WEIGHT * scale)


@pytest.mark.parametrize(("fast", "slow", "signal"), [(12, 26, 9), (10, 30, 9), (3, 60, 12)])
def test_s3_a_different_distant_past_moves_a_warm_macd_by_less_than_a_thousandth(
    fast, slow, signal
):
    bars = macd_warm_bars(slow, signal)
    values = walk(5, bars)
    jolted = values.copy()
    jolted[:slow] += 10.0  # exactly the values of the slow seed
    moved = macd(jolted, fast, slow, signal).line[-1] - macd(values, fast, slow, signal).line[-1]
    assert abs(moved) < 10.0 * SEED_WEIGHT


def test_s1_a_different_distant_past_moves_a_warm_rsi_by_less_than_a_tenth():
    for period in (7, 14, 30):
        bars = rsi_warm_bars(period)
        changes = np.random.default_rng(period).normal(0, 1, bars - 1)
        jolted = changes.copy()
        jolted[:period] = 3.0
        values = [np.concatenate(([0.0], np.cumsum(each))) for each in (changes, jolted)]
        one, other = (rsi(each, period)[-1] for each in values)
        assert abs(one - other) < 100 * 3 * SEED_WEIGHT


def test_no_indicator_is_warm_before_130_bars_and_slow_ones_take_longer():
    assert MIN_WARM_BARS == 130
    assert [rsi_warm_bars(n) for n in (2, 7, 14, 50)] == [130, 130, 130, 392]
    assert macd_warm_bars(26, 9) == 130
    assert macd_warm_bars(30, 9) == 143
    assert macd_warm_bars(100, 9) == 455


def macd_of(*gaps):
    return Macd(line=np.array(gaps, dtype=np.float64), signal=np.zeros(len(gaps)))


@pytest.mark.parametrize(
    ("gaps", "side", "has_crossed"),
    [
        ((-1.0, 1e-9), Side.BULLISH, True),
        ((0.0, 1.0), Side.BULLISH, True),
        ((0.5, 1.0), Side.BULLISH, False),
        ((1.0, -1e-9), Side.BEARISH, True),
        ((-1.0, -2.0), Side.BEARISH, False),
        ((1.0, 0.0), Side.LEVEL, False),
        ((1.0, 1e-12), Side.LEVEL, False),
    ],
)
def test_s3_the_side_is_that_of_the_line_and_a_crossing_is_a_new_side(gaps, side, has_crossed):
    assert macd_of(*gaps).side() is side
    assert macd_of(*gaps).has_crossed is has_crossed


def test_s3_bearish_bars_are_those_below_the_signal():
    assert macd_of(np.nan, -1.0, 0.0, 1.0).is_bearish.tolist() == [False, True, False, False]


def test_s3_macd_of_a_flat_series_is_level():
    assert macd(np.full(140, 16.37), 12, 26, 9).side() is Side.LEVEL


def test_a_value_is_below_its_mean_only_strictly_and_only_with_enough_bars():
    flat = np.full(10, 0.1)
    assert not is_below_mean(flat, 5).any()
    assert is_below_mean(np.append(flat, 0.0999), 5)[-1]
    assert not is_below_mean(np.append(flat, 0.1001), 5)[-1]
    assert not is_below_mean(np.array([3.0, 2.0, 1.0]), 5).any()


def test_r3_week_z_is_the_deviation_over_the_scale_of_the_year_before():
    closes = 20 + walk(9, week_z_bars() + 3, level=0.0) * 0.3
    deviations = np.array([closes[k] - closes[k - 5 : k].mean() for k in range(5, len(closes))])
    expected = deviations[-1] / deviations[-1 - YEAR_BARS : -1].std()
    assert week_deviation_z(closes)[-1] == pytest.approx(expected, rel=1e-9)


def test_r3_week_z_starts_with_the_first_bar_that_has_a_year_before_it():
    z = week_deviation_z(walk(2, week_z_bars()))
    assert np.isnan(z[:-1]).all()
    assert np.isfinite(z[-1])
    assert np.isnan(week_deviation_z(walk(2, week_z_bars() - 1))).all()
    assert np.isnan(week_deviation_z(walk(2, 3))).all()


def test_r3_week_z_of_a_flat_year_is_not_a_number():
    assert np.isnan(week_deviation_z(np.append(np.full(300, 14.0), 20.0))[-1])


def test_a_trailing_scale_does_not_know_the_bar_it_judges():
    values = walk(4, 60)
    jumped = values.copy()
    jumped[-1] += 1000
    assert trailing_sd_before(values, 50)[-1] == trailing_sd_before(jumped, 50)[-1]
    assert trailing_sd_before(values, 50)[-1] == pytest.approx(values[-51:-1].std(), rel=1e-9)
    assert np.isnan(trailing_sd_before(values, 60)).all()


@given(st.lists(st.integers(-1, 1), min_size=1, max_size=60))
def test_run_lengths_count_equal_entries_back_to_the_last_change(states):
    expected = []
    for k, state in enumerate(states):
        expected.append(expected[-1] + 1 if k and states[k - 1] == state else 1)
    assert run_lengths(np.array(states)).tolist() == expected
