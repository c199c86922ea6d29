"""Intraday paths: every print of the day is touched, nothing beyond it."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.exchange.paths import (
    Bar,
    activity_clock,
    clean_bar,
    follower_path,
    future_path,
    spx_and_vix_paths,
)
from bot.exchange.residuals import bridges, share_known

NODES, CLOSE = 2431, 2340
CLOCK = activity_clock(NODES, CLOSE)


@st.composite
def bars(draw, level: float) -> Bar:
    prices = [
        round(level * (1 + draw(st.floats(-0.15, 0.15, allow_nan=False))), 2) for _ in range(4)
    ]
    low, high = min(prices), max(prices)
    # flat bars and bars that open or close on an extreme are as welcome as any
    return Bar(open=prices[0], high=high, low=low, close=prices[1])


@given(spx=bars(3000.0), vix=bars(25.0), seed=st.integers(0, 2**32))
def test_paths_touch_open_high_low_and_close_and_stay_inside(spx, vix, seed):
    rng = np.random.default_rng(seed)
    spx_path, vix_path = spx_and_vix_paths(rng, CLOCK, CLOSE, spx, vix)
    for path, bar, end in ((spx_path, spx, CLOSE), (vix_path, vix, NODES - 1)):
        assert path[0] == bar.open
        assert path.max() == bar.high
        assert path.min() == bar.low
        assert path[end] == bar.close
    assert (spx_path[CLOSE:] == spx.close).all()


@given(spx=bars(3000.0), vix=bars(25.0), seed=st.integers(0, 2**32))
def test_a_flat_day_is_flat(spx, vix, seed):
    flat = Bar(open=spx.close, high=spx.close, low=spx.close, close=spx.close)
    path, _ = spx_and_vix_paths(np.random.default_rng(seed), CLOCK, CLOSE, flat, vix)
    assert (path == spx.close).all()


def test_vix_mirrors_spx_within_the_day(generator):
    spx = Bar(open=3000.0, high=3040.0, low=2960.0, close=2990.0)
    vix = Bar(open=25.0, high=28.0, low=23.0, close=26.0)
    correlations = []
    for _ in range(40):
        a, b = spx_and_vix_paths(generator, CLOCK, CLOSE, spx, vix)
        correlations.append(np.corrcoef(np.diff(a[:CLOSE:30]), np.diff(b[:CLOSE:30]))[0, 1])
    assert -0.93 < np.median(correlations) < -0.84


def test_a_path_has_no_jump_that_its_bar_does_not_ask_for(generator):
    spx = Bar(open=3000.0, high=3100.0, low=2900.0, close=3050.0)
    vix = Bar(open=25.0, high=28.0, low=23.0, close=26.0)
    steps = [
        np.abs(np.diff(spx_and_vix_paths(generator, CLOCK, CLOSE, spx, vix)[0])).max()
        for _ in range(50)
    ]
    assert max(steps) < 0.2 * (spx.high - spx.low)
    assert np.median(steps) < 0.08 * (spx.high - spx.low)


def test_the_clock_runs_faster_near_the_open_and_the_close():
    speed = np.diff(CLOCK)
    assert CLOCK[0] == 0
    assert CLOCK[CLOSE] == 1
    assert speed[0] > 2 * speed[CLOSE // 2]
    assert speed[CLOSE - 2] > 1.4 * speed[CLOSE // 2]


def test_a_bar_is_widened_to_its_close_and_an_open_outside_is_clamped():
    assert clean_bar(10.0, 12.0, 11.0, 13.0) == Bar(open=11.0, high=13.0, low=11.0, close=13.0)
    assert clean_bar(math.nan, 12.0, 10.0, 11.0).open == 11.0
    assert clean_bar(math.nan, math.nan, math.nan, 11.0) == Bar(
        open=11.0, high=11.0, low=11.0, close=11.0
    )


def test_a_follower_starts_and_ends_where_it_should():
    vix = np.linspace(20.0, 30.0, NODES)
    bar = Bar(open=18.0, high=30.0, low=17.0, close=25.0)
    share = share_known(CLOCK, NODES - 1, 0.0)
    path = follower_path(share, vix, 0.6, bar, np.zeros(NODES))
    assert path[0] == 18.0
    assert path[-1] == 25.0
    assert (np.diff(path) > 0).all()


def test_a_follower_stays_in_its_range_however_it_wanders(generator):
    vix = np.linspace(20.0, 30.0, NODES)
    bar = Bar(open=18.0, high=25.5, low=17.8, close=25.0)
    share = share_known(CLOCK, NODES - 1, 0.0)
    for noise in 0.1 * bridges(generator, share, 20, 0.5):
        path = follower_path(share, vix, 0.6, bar, noise)
        assert bar.low <= path.min()
        assert path.max() <= bar.high
        assert path[-1] == 25.0


def test_a_future_ends_on_its_settlement_at_the_equities_close(generator):
    vix = np.concatenate([np.linspace(20.0, 35.0, CLOSE + 1), np.full(NODES - CLOSE - 1, 33.0)])
    share = share_known(CLOCK, CLOSE, 0.25)
    for noise in bridges(generator, share, 3, 0.85):
        path = future_path(
            share,
            CLOSE,
            vix,
            vix_before=19.0,
            beta=0.5,
            settle_before=21.0,
            settle=26.625,
            noise=noise,
        )
        assert path[CLOSE] == pytest.approx(26.625, abs=1e-9)
        # after the settlement only beta is left
        assert path[-1] == pytest.approx(26.625 + 0.5 * (33.0 - 35.0))


def test_a_bridge_has_come_part_of_its_way_before_the_open(generator):
    share = share_known(CLOCK, CLOSE, 0.25)
    found = bridges(generator, share, 4000, 0.0)
    assert share[0] == 0.25
    assert (share[CLOSE:] == 1.0).all()
    assert np.abs(found[:, CLOSE:]).max() < 1e-9
    assert found[:, 0].var() == pytest.approx(0.25 * 0.75, rel=0.1)


def test_two_bridges_are_as_alike_as_asked(generator):
    share = share_known(CLOCK, CLOSE, 0.25)
    pairs = np.array([bridges(generator, share, 2, 0.85)[:, CLOSE // 2] for _ in range(2000)])
    assert np.corrcoef(pairs.T)[0, 1] == pytest.approx(0.85, abs=0.03)


def test_what_a_bridge_has_shown_says_nothing_of_the_rest_of_a_sum_as_wide_as_usual(generator):
    share = share_known(CLOCK, CLOSE, 0.25)
    sums = generator.standard_normal(4000)
    paths = sums[:, None] * share + bridges(generator, share, 4000, 0.0)
    seen = paths[:, 90]
    assert abs(np.corrcoef(seen, sums - seen)[0, 1]) < 0.05


@pytest.mark.parametrize(
    ("spx", "vix"),
    [
        (
            Bar(open=3000.0, high=3010.0, low=2980.0, close=3008.0),
            Bar(open=20.0, high=20.9, low=19.5, close=19.6),
        ),
        (
            Bar(open=3000.0, high=3000.0, low=2900.0, close=2905.0),
            Bar(open=20.0, high=25.0, low=20.0, close=24.5),
        ),
    ],
    ids=["a day of ups and downs", "a day that only falls"],
)
def test_a_path_does_not_freeze_at_an_end_of_its_range(spx, vix, generator):
    for _ in range(20):
        path, _ = spx_and_vix_paths(generator, CLOCK, CLOSE, spx, vix)
        inner = path[:CLOSE]
        assert (inner == spx.high).mean() < 0.01
        assert (inner == spx.low).mean() < 0.01
