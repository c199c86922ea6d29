"""The futures curve: S6, S7 and what R1 reads from it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.model.memory import Curve
from strategies.signals.curve import (
    contango_closes,
    curve_at,
    curve_signs,
    deep_backwardation_lengths,
    falling_days,
    slopes,
)
from strategies.signals.series import FuturesCurve

BAND = 0.005


def curve(vx1, vx2, days=None):
    vx1, vx2 = np.asarray(vx1, dtype=np.float64), np.asarray(vx2, dtype=np.float64)
    days = np.full(len(vx1), 40.0) if days is None else np.asarray(days, dtype=np.float64)
    return FuturesCurve(vx1=vx1, vx2=vx2, vx2_days=days)


def fractions(*values):
    return curve([20 * (1 + value) for value in values], [20.0] * len(values))


@pytest.mark.parametrize(
    ("vx1", "vx2", "expected"),
    [
        (20.1, 20.0, Curve.FLAT),  # exactly 0.5 %, which plain floats put outside the band
        (20.11, 20.0, Curve.BACKWARDATION),
        (20.09, 20.0, Curve.FLAT),
        (20.0, 20.0, Curve.FLAT),
        (19.9, 20.0, Curve.FLAT),
        (19.91, 20.0, Curve.FLAT),
        (19.89, 20.0, Curve.CONTANGO),
    ],
)
def test_r1_reads_flat_inside_the_dead_band_with_its_edges(vx1, vx2, expected):
    assert curve_at(vx1 / vx2 - 1, BAND) is expected


@given(st.floats(-BAND, BAND))
def test_r1_nothing_inside_the_dead_band_has_a_sign(fraction):
    assert curve_signs(np.array([fraction]), BAND).tolist() == [0]


def test_s7_is_backwardation_in_percent_and_in_points():
    reading = curve([22.0], [20.0])
    assert reading.fraction[0] == pytest.approx(0.10)
    assert reading.points[0] == 2.0


def test_s7_contango_closes_are_those_in_a_row_up_to_the_last():
    assert contango_closes(fractions(-0.02, 0.01, -0.01, -0.02, -0.006), BAND) == 3
    assert contango_closes(fractions(-0.02, -0.02, -0.005), BAND) == 0  # the last one is flat
    assert contango_closes(fractions(-0.02, -0.005, -0.02), BAND) == 1


def test_r4_deep_closes_are_strictly_above_the_threshold():
    lengths = deep_backwardation_lengths(fractions(0.031, 0.031, 0.03, 0.0301, 0.05, 0.029), 0.03)
    assert lengths.tolist() == [1, 2, 0, 1, 2, 0]


def test_s6_slope_is_vx2_over_spot_per_day():
    assert slopes(curve([16.0], [18.0], [40]), np.array([16.0])).tolist() == [0.05]


def test_s6_falling_days_count_back_to_the_last_rise():
    vix = np.full(5, 16.0)
    assert falling_days(curve(np.zeros(5), [18, 19, 18.5, 18, 17.5]), vix) == 3
    assert falling_days(curve(np.zeros(5), [18, 19, 18.5, 18, 18.0]), vix) == 0  # equal: no fall
    assert falling_days(curve(np.zeros(5), [19, 18.5, 18, 17.5, 17]), vix) == 4
    assert falling_days(curve([0.0], [18.0]), vix[:1]) == 0


def test_s6_a_roll_neither_ends_nor_lengthens_a_run_of_falling_days():
    vix = np.full(5, 16.0)
    days = [31, 30, 57, 56, 55]  # the third day has a new VX2
    falling = curve(np.zeros(5), [18.0, 17.7, 17.9, 17.6, 17.3], days)
    assert falling_days(falling, vix) == 3
    rising_after_the_roll = curve(np.zeros(5), [18.0, 17.7, 17.9, 18.2, 17.3], days)
    assert falling_days(rising_after_the_roll, vix) == 1
