"""S5: the index near its high while breadth lags."""

import numpy as np
import pytest

from strategies.signals.breadth import breadth_bars, is_breadth_lagging, is_near_high

WINDOW = 20


@pytest.mark.parametrize(
    ("last", "expected"), [(1990.0, True), (1990.01, True), (1989.99, False), (2000.0, True)]
)
def test_s5_near_is_within_half_a_percent_of_the_20_day_high(last, expected):
    closes = np.full(WINDOW, 1980.0)
    closes[3] = 2000.0
    closes[-1] = last
    assert is_near_high(closes, window=WINDOW, within=0.005)[-1] == expected


def test_s5_an_older_high_is_forgotten_after_20_days():
    closes = np.full(WINDOW + 1, 1980.0)
    closes[0] = 2000.0
    assert not is_near_high(closes[:-1], window=WINDOW, within=0.005)[-1]
    assert is_near_high(closes, window=WINDOW, within=0.005)[-1]


def test_s5_near_needs_the_whole_window():
    assert not is_near_high(np.full(WINDOW - 1, 1980.0), window=WINDOW, within=0.005).any()


def breadth_with_gap(sigmas: float) -> np.ndarray:
    """Breadth whose line ends so many sigmas below its 20-day high."""
    breadth = np.random.default_rng(7).normal(0, 0.3, breadth_bars(WINDOW) + 10)
    line = np.cumsum(breadth)
    changes = line[WINDOW:] - line[:-WINDOW]
    sigma = changes[-253:-1].std()
    high = line[-WINDOW:-1].max()
    breadth[-1] = high - sigmas * sigma - line[-2]
    return breadth


@pytest.mark.parametrize(("sigmas", "expected"), [(1.0, False), (1.0001, True), (0.9999, False)])
def test_s5_lagging_is_more_than_one_sigma_of_the_20_day_change_below_the_high(sigmas, expected):
    lagging = is_breadth_lagging(breadth_with_gap(sigmas), window=WINDOW, sigmas=1.0)
    assert lagging[-1] == expected


def test_s5_lagging_needs_a_year_of_20_day_changes_before_the_bar():
    breadth = breadth_with_gap(3.0)[-breadth_bars(WINDOW) :]
    assert is_breadth_lagging(breadth, window=WINDOW, sigmas=1.0)[-1]
    assert not is_breadth_lagging(breadth[1:], window=WINDOW, sigmas=1.0).any()


def test_s5_does_not_depend_on_where_the_line_starts():
    breadth = breadth_with_gap(1.5)
    breadth[0] += 50.0
    assert is_breadth_lagging(breadth, window=WINDOW, sigmas=1.0)[-1]
