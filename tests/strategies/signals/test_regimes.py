"""Regimes R1-R4 and the S1 latch: thresholds, hysteresis, closes counted once."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.model.memory import Curve, Memory, RegimeMemory
from strategies.model.rules import Rules
from strategies.model.snapshots import EventAhead, EventKind
from strategies.signals.indicators import Side
from strategies.signals.readings import read_signals
from strategies.signals.regimes import classify_regime, held
from tests.builders import instant
from tests.strategies.signals.builders import (
    AT,
    NO_EVENT_SOON,
    TODAY,
    cut,
    random_history,
    remembered,
    signals,
    snapshot,
    wavy,
    with_columns,
)

RULES = Rules()
BARS = 420
YESTERDAY = date(2020, 1, 31)  # the session before TODAY
CONTANGO, FLAT, BACKWARDATION = -0.03, 0.002, 0.02


def calm(**columns):
    """A history in contango with a calm VIX and a rising SPX, and what the test is about."""
    quiet = {
        "spx_close": 3000.0 + np.arange(BARS) * 0.5,
        "vix_close": wavy(BARS, 16.0, 0.2),
        "vx1_settle": np.full(BARS, 16.5),
        "vx2_settle": np.full(BARS, 17.0),
        "net_breadth": wavy(BARS, 0.0, 0.2, 4.0),
    }
    return with_columns(with_columns(random_history(), **quiet), **columns)


def closes_at(*fractions):
    """Columns of a curve whose newest closes have these VX1 / VX2 - 1."""
    return {"vx1_settle": 17.0 * (1 + np.array(fractions))}


def classify(memory, given=None, history=None, at=AT, rules=RULES, **readings):
    """One call with hand-made signals; the memory of the next call comes back whole."""
    taken = snapshot(calm() if history is None else history, at=at)
    regime, regime_memory, latch = classify_regime(
        signals(**readings) if given is None else given, taken, memory, rules
    )
    return regime, Memory(session=taken.session, rsi_vix_high=latch, regime=regime_memory)


def run(memory, fractions):
    """Several intervals of today; the regime of each, and the memory after the last."""
    regimes = []
    for fraction in fractions:
        regime, memory = classify(memory, backwardation_fraction=fraction)
        regimes.append(regime)
    return regimes, memory


# --- R1: intervals ------------------------------------------------------------------------------


def test_r1_four_intervals_beyond_the_band_confirm_backwardation_and_flip_once():
    regimes, memory = run(remembered(), [BACKWARDATION] * 6)
    assert [r.curve for r in regimes] == [Curve.CONTANGO] * 3 + [Curve.BACKWARDATION] * 3
    assert [r.flipped_now for r in regimes] == [False, False, False, True, False, False]
    assert not any(r.restored_now for r in regimes)
    assert memory.regime.candidate is Curve.BACKWARDATION
    assert memory.regime.candidate_intervals == 6


def test_r1_leaves_the_same_way_to_the_other_side():
    regimes, _ = run(remembered(Curve.BACKWARDATION), [CONTANGO] * 5)
    assert [r.curve for r in regimes] == [Curve.BACKWARDATION] * 3 + [Curve.CONTANGO] * 2
    assert [r.restored_now for r in regimes] == [False, False, False, True, False]
    assert not any(r.flipped_now for r in regimes)


def test_r1_inside_the_band_for_four_intervals_is_flat_and_neither_flips_nor_restores():
    regimes, memory = run(remembered(), [FLAT] * 5)
    assert [r.curve for r in regimes] == [Curve.CONTANGO] * 3 + [Curve.FLAT] * 2
    assert not any(r.flipped_now or r.restored_now for r in regimes)
    regimes, _ = run(memory, [BACKWARDATION] * 4)
    assert [r.flipped_now for r in regimes] == [False, False, False, True]
    regimes, _ = run(memory, [CONTANGO] * 4)
    assert regimes[-1].curve is Curve.CONTANGO
    assert not any(r.restored_now for r in regimes)  # it had never left for the other side


def test_r1_flat_in_between_makes_no_second_flip():
    inverted, memory = run(remembered(), [BACKWARDATION] * 4)
    assert inverted[-1].flipped_now
    for _ in range(3):
        regimes, memory = run(memory, [FLAT] * 4 + [BACKWARDATION] * 4)
        assert regimes[3].curve is Curve.FLAT
        assert regimes[-1].curve is Curve.BACKWARDATION
        assert not any(r.flipped_now or r.restored_now for r in regimes)
    regimes, memory = run(memory, [FLAT] * 4 + [CONTANGO] * 4 + [FLAT] * 4 + [BACKWARDATION] * 4)
    assert [k for k, r in enumerate(regimes) if r.restored_now] == [7]
    assert [k for k, r in enumerate(regimes) if r.flipped_now] == [15]


@pytest.mark.parametrize(
    ("fraction", "expected"),
    [
        (0.005, Curve.FLAT),
        (0.0051, Curve.BACKWARDATION),
        (0.0049, Curve.FLAT),
        (-0.005, Curve.FLAT),
        (-0.0051, Curve.CONTANGO),
        (-0.0049, Curve.FLAT),
    ],
)
def test_r1_the_edges_of_the_dead_band_are_flat(fraction, expected):
    regimes, _ = run(remembered(Curve.UNKNOWN), [fraction] * 4)
    assert regimes[-1].curve is expected


def test_r1_an_interval_on_another_side_or_without_a_reading_starts_the_count_again():
    for odd in (CONTANGO, FLAT, None):
        regimes, _ = run(remembered(), [BACKWARDATION] * 3 + [odd] + [BACKWARDATION] * 3)
        assert {r.curve for r in regimes} == {Curve.CONTANGO}
    _, memory = run(remembered(), [BACKWARDATION, None])
    assert memory.regime.candidate is Curve.UNKNOWN
    assert memory.regime.candidate_intervals == 0


def test_r1_intervals_in_a_row_may_span_two_sessions():
    _, memory = run(remembered(), [BACKWARDATION] * 3)
    regime, _ = classify(
        memory,
        at=instant("2020-02-04 10:00"),
        history=random_history_to_monday(),
        backwardation_fraction=BACKWARDATION,
    )
    assert regime.flipped_now


def random_history_to_monday():
    return with_columns(
        random_history(before=date(2020, 2, 4)),
        vx1_settle=np.full(BARS, 16.5),
        vx2_settle=np.full(BARS, 17.0),
    )


@given(st.lists(st.floats(-0.005, 0.005), min_size=1, max_size=30))
def test_r1_noise_inside_the_dead_band_never_flips_or_restores(fractions):
    for start in (Curve.CONTANGO, Curve.BACKWARDATION, Curve.FLAT, Curve.UNKNOWN):
        regimes, _ = run(remembered(start), fractions)
        assert not any(r.flipped_now or r.restored_now for r in regimes)
        assert {r.curve for r in regimes} <= {start, Curve.FLAT}


@given(st.lists(st.sampled_from([CONTANGO, FLAT, BACKWARDATION, None]), min_size=1, max_size=40))
def test_r1_changes_only_after_four_equal_intervals_in_a_row(fractions):
    regimes, _ = run(remembered(), fractions)
    curve = Curve.CONTANGO
    for k, regime in enumerate(regimes):
        if regime.curve is not curve:
            assert len(set(fractions[max(0, k - 3) : k + 1])) == 1
            assert k >= 3
        sides = [Curve.CONTANGO] + [r.curve for r in regimes[:k] if r.curve is not Curve.FLAT]
        assert regime.flipped_now == (
            regime.curve is Curve.BACKWARDATION and sides[-1] is Curve.CONTANGO
        )
        curve = regime.curve


# --- R1: closes ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("newest", "expected"),
    [
        ((0.006, 0.006), Curve.BACKWARDATION),
        ((0.006, 0.005), Curve.CONTANGO),  # the second close is on the band's edge
        ((0.005, 0.006), Curve.CONTANGO),
        ((0.0, 0.0), Curve.FLAT),
        ((0.02,), Curve.CONTANGO),
    ],
)
def test_r1_two_closes_confirm_on_the_first_call_of_a_session(newest, expected):
    regime, _ = classify(remembered(session=YESTERDAY), history=calm(**closes_at(*newest)))
    assert regime.curve is expected
    assert regime.flipped_now == (expected is Curve.BACKWARDATION)


def test_r1_closes_count_on_the_first_call_of_a_session_only():
    history = calm(**closes_at(0.02, 0.02))
    regime, memory = classify(remembered(session=YESTERDAY), history=history)
    assert regime.flipped_now
    regime, memory = classify(memory, history=history, backwardation_fraction=0.02)
    assert regime.curve is Curve.BACKWARDATION
    assert not regime.flipped_now
    # the same two closes do not undo what four intervals of today said since
    for _ in range(4):
        regime, memory = classify(memory, history=history, backwardation_fraction=CONTANGO)
    assert regime.restored_now
    regime, memory = classify(memory, history=history, backwardation_fraction=CONTANGO)
    assert regime.curve is Curve.CONTANGO


def test_r1_closes_missed_while_away_are_gone_through_in_order():
    history = calm(**closes_at(0.02, 0.02, 0.02, -0.02, 0.0, -0.02))
    week_ago = date(2020, 1, 23)
    regime, _ = classify(remembered(session=week_ago), history=history)
    assert regime.curve is Curve.BACKWARDATION  # nothing was confirmed after it
    two_ago = date(2020, 1, 30)
    regime, _ = classify(remembered(session=two_ago), history=history)
    assert regime.curve is Curve.CONTANGO  # only the newest closes are new, and disagree


def test_r1_closes_of_before_the_change_do_not_undo_it():
    """Contango to yesterday, a flip today by intervals: two new closes end it, not one."""
    regimes, memory = run(remembered(), [BACKWARDATION] * 4)
    assert regimes[-1].flipped_now
    for session, curve in (("2020-02-04", Curve.BACKWARDATION), ("2020-02-05", Curve.CONTANGO)):
        at = instant(f"{session} 10:00")
        history = with_columns(
            random_history(before=at.date()),
            vx1_settle=np.full(BARS, 16.5),
            vx2_settle=np.full(BARS, 17.0),
        )
        regime, memory = classify(memory, at=at, history=history)
        assert regime.curve is curve
    assert regime.restored_now


def test_r1_a_flip_missed_while_away_is_a_flip_and_one_that_was_undone_is_none():
    there_and_back = calm(**closes_at(-0.02, -0.02, 0.02, 0.02))
    inverted = remembered(Curve.BACKWARDATION, session=date(2020, 1, 23))
    regime, _ = classify(inverted, history=there_and_back)
    assert regime.flipped_now
    undone = calm(**closes_at(0.02, 0.02, -0.02, -0.02))
    regime, _ = classify(remembered(session=date(2020, 1, 23)), history=undone)
    assert regime.curve is Curve.CONTANGO
    assert not regime.flipped_now


def test_r1_the_first_call_ever_takes_its_state_from_the_closes_without_a_flip():
    for newest, expected in (
        ((0.02, 0.02, 0.0, 0.02), Curve.BACKWARDATION),
        ((-0.02, -0.02), Curve.CONTANGO),
        ((0.0, 0.0, 0.02), Curve.FLAT),
    ):
        regime, memory = classify(Memory(), history=calm(**closes_at(*newest)))
        assert regime.found_inverted is (expected is Curve.BACKWARDATION)
        assert not classify(memory, history=calm())[0].found_inverted
        assert regime.curve is memory.regime.curve is expected
        assert not regime.flipped_now
        assert not regime.restored_now


def test_r1_a_live_flip_in_the_first_call_ever_is_a_flip():
    rules = replace(RULES, regime=replace(RULES.regime, confirm_intervals=1))
    regime, _ = classify(Memory(), rules=rules, backwardation_fraction=BACKWARDATION)
    assert regime.flipped_now
    assert not regime.found_inverted


def test_r1_without_closes_the_curve_is_unknown_until_intervals_tell_and_that_is_no_flip():
    nothing = cut(random_history(), slice(0, 0))
    memory = Memory()
    for interval in range(4):
        regime, memory = classify(memory, history=nothing, backwardation_fraction=BACKWARDATION)
        assert regime.labels["R1"] == ("absent" if interval < 3 else "backwardation")
        assert regime.found_inverted is (interval == 3)
        assert not regime.flipped_now
    assert regime.curve is Curve.BACKWARDATION


def test_r1_passes_on_the_closes_in_contango_that_b11_counts():
    regime, _ = classify(remembered(), contango_closes=3)
    assert regime.contango_closes == 3


# --- R2 -----------------------------------------------------------------------------------------


def events_in(*days, kinds=tuple(EventKind)):
    return tuple(
        EventAhead(kind=kind, day=TODAY + timedelta(days=ahead), trading_days=ahead)
        for kind, ahead in zip(kinds, days, strict=False)
    )


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ((3, 20, 20), True),
        ((4, 20, 20), False),
        ((20, 2, 20), True),
        ((20, 20, 0), True),  # the day itself
        ((20, 20, 21), False),  # the day after: the next one is far
    ],
)
def test_r2_holds_from_three_trading_days_before_an_event_through_its_day(days, expected):
    regime, _ = classify(remembered(), events=events_in(*days))
    assert regime.pre_event is expected
    assert regime.labels["R2"] == ("pre-event" if expected else "none")


def test_r2_is_absent_without_a_calendar_or_with_one_that_lacks_a_kind():
    for events in (None, (), events_in(20, 20)):
        regime, _ = classify(remembered(), events=events)
        assert regime.pre_event is None
        assert regime.labels["R2"] == "absent"
    regime, _ = classify(remembered(), events=events_in(2))
    assert regime.pre_event is True


# --- R3 -----------------------------------------------------------------------------------------


def vix_day(points=0.0, fraction=0.0, z=0.0, **others):
    return {
        "vix_day_change_points": points,
        "vix_day_change_fraction": fraction,
        "vix_z5": z,
    } | others


SUBSIDED = {"vix_below_5_mean": True, "macd_vix": Side.BEARISH}


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (vix_day(points=4.0), True),
        (vix_day(points=3.99), False),
        (vix_day(points=4.01), True),
        (vix_day(fraction=0.2), True),
        (vix_day(fraction=0.1999), False),
        (vix_day(fraction=0.2001), True),
        (vix_day(z=3.0), True),
        (vix_day(z=2.99), False),
        (vix_day(z=3.01), True),
        (vix_day(z=None), False),
        (vix_day(points=4.0, z=None), True),
        (vix_day(points=-5.0, fraction=-0.3, z=-4.0), False),
    ],
)
def test_r3_enters_at_each_of_its_thresholds(day, expected):
    regime, memory = classify(remembered(), **day)
    assert regime.spike is memory.regime.spike is expected
    assert regime.labels["R3"] == ("spike" if expected else "none")


@pytest.mark.parametrize(
    ("readings", "stays"),
    [
        (SUBSIDED, False),
        ({"vix_below_5_mean": False, "macd_vix": Side.BEARISH}, True),
        ({"vix_below_5_mean": True, "macd_vix": Side.BULLISH}, True),
        ({"vix_below_5_mean": True, "macd_vix": Side.LEVEL}, True),
        ({"vix_below_5_mean": None, "macd_vix": Side.BEARISH}, True),
        ({"vix_below_5_mean": True, "macd_vix": None}, True),
    ],
)
def test_r3_leaves_when_vix_is_below_its_5_day_mean_and_its_macd_bearish(readings, stays):
    regime, _ = classify(remembered(spike=True), **vix_day(), **readings)
    assert regime.spike is stays


def test_r3_entering_wins_over_leaving():
    regime, _ = classify(remembered(), **vix_day(points=4.0), **SUBSIDED)
    assert regime.spike is True


def test_r3_without_vix_is_absent_and_remembered():
    regime, memory = classify(remembered(spike=True), **SUBSIDED)
    assert regime.spike is None
    assert regime.labels["R3"] == "absent"
    assert memory.regime.spike is True


@given(st.lists(st.floats(-3.99, 3.99), max_size=30))
def test_r3_never_enters_on_days_below_every_threshold(changes):
    memory = remembered()
    for points in changes:
        regime, memory = classify(memory, **vix_day(points, points / 20, points / 2))
        assert regime.spike is False


@pytest.mark.parametrize(
    ("newest", "expected"),
    [
        ([16.0, 20.0], True),  # +4 points
        ([16.0, 18.9], False),  # +18 %
        ([16.0, 19.2], True),  # +20 %
        ([16.0, 20.0, 20.0], True),  # nothing ended it
    ],
)
def test_r3_takes_a_spike_at_the_close_from_the_first_call_of_the_next_session(newest, expected):
    lively = wavy(BARS, 16.0, 2.5)  # so that the 5-day z stays small
    history = calm(vix_close=np.concatenate((lively, newest))[-BARS:])
    for memory in (Memory(), remembered(session=date(2020, 1, 30))):
        _, kept = classify(memory, history=history)
        assert kept.regime.spike is expected
    _, kept = classify(remembered(), history=history)
    assert kept.regime.spike is False  # within the session the closes are no news


def test_r3_a_spike_that_subsided_at_the_closes_is_over():
    history = calm(vix_close=np.concatenate(([20.5], np.linspace(20, 14, 12))))
    _, kept = classify(Memory(), history=history)
    assert kept.regime.spike is False


# --- R4 -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("readings", "expected"),
    [
        ({"deep": 3, "sma": True, "ad": False}, True),
        ({"deep": 3, "sma": False, "ad": True}, True),
        ({"deep": 3, "sma": False, "ad": False}, False),
        ({"deep": 2, "sma": True, "ad": True}, False),
        ({"deep": 4, "sma": True, "ad": None}, True),
        ({"deep": 3, "sma": None, "ad": True}, True),
        ({"deep": 3, "sma": False, "ad": None}, None),
        ({"deep": 2, "sma": None, "ad": None}, False),
        ({"deep": None, "sma": True, "ad": True}, None),
    ],
)
def test_r4_enters_after_three_deep_closes_with_a_weak_index(readings, expected):
    regime, memory = classify(
        remembered(),
        deep_backwardation_closes=readings["deep"],
        contango_closes=None if readings["deep"] is None else 0,
        spx_below_sma50=readings["sma"],
        ad_divergence=readings["ad"],
    )
    assert regime.shift is expected
    assert memory.regime.shift is bool(expected)
    assert regime.labels["R4"] == {True: "shift", False: "none", None: "absent"}[expected]


@pytest.mark.parametrize(("contango", "stays"), [(4, True), (5, False), (6, False), (0, True)])
def test_r4_leaves_after_five_closes_in_contango(contango, stays):
    regime, _ = classify(
        remembered(shift=True), deep_backwardation_closes=0, contango_closes=contango
    )
    assert regime.shift is stays


def test_r4_without_a_curve_is_absent_and_remembered():
    regime, memory = classify(remembered(shift=True))
    assert regime.shift is None
    assert memory.regime.shift is True


WEAK = {"spx_close": np.full(3, 2900.0)}  # far below the 50-day mean


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (closes_at(0.031, 0.031, 0.031) | WEAK, True),
        (closes_at(0.031, 0.030, 0.031) | WEAK, False),
        (closes_at(0.031, 0.031) | WEAK, False),
        (closes_at(0.031, 0.031, 0.031), False),
        (closes_at(0.031, 0.031, 0.031) | {"net_breadth": np.full(15, -0.9)}, True),  # by S5
        (closes_at(0.04, 0.04, 0.04, -0.02, -0.02, -0.02, -0.02) | WEAK, False),
    ],
)
def test_r4_takes_what_held_at_a_close_from_the_first_call_of_the_next_session(columns, expected):
    _, kept = classify(remembered(session=YESTERDAY), history=calm(**columns))
    assert kept.regime.shift is expected


def test_r4_the_first_call_ever_finds_a_shift_that_has_not_ended():
    fallen = {"spx_close": np.full(9, 2900.0)}
    four = calm(**closes_at(0.04, 0.04, 0.04, -0.02, -0.02, -0.02, -0.02), **fallen)
    _, kept = classify(Memory(), history=four)
    assert kept.regime.shift is True
    five = calm(**closes_at(0.04, 0.04, 0.04, -0.02, -0.02, -0.02, -0.02, -0.02), **fallen)
    _, kept = classify(Memory(), history=five)
    assert kept.regime.shift is False


def test_r4_at_the_closes_does_without_breadth():
    history = calm(**closes_at(0.031, 0.031, 0.031), **WEAK, net_breadth=np.full(BARS, np.nan))
    _, kept = classify(remembered(session=YESTERDAY), history=history)
    assert kept.regime.shift is True


# --- S1 latch -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "strength", "after"),
    [
        (False, 60.0, False),
        (False, 60.01, True),
        (False, 59.99, False),
        (True, 50.0, True),
        (True, 49.99, False),
        (True, 50.01, True),
        (True, None, True),
        (False, None, False),
    ],
)
def test_s1_latches_high_above_60_and_resets_below_50(before, strength, after):
    _, memory = classify(remembered(latch=before), rsi_vix=strength)
    assert memory.rsi_vix_high is after


@given(st.booleans(), st.lists(st.floats(0, 100), max_size=40))
def test_s1_latch_is_what_the_last_decisive_reading_said(start, strengths):
    memory = remembered(latch=start)
    for strength in strengths:
        _, memory = classify(memory, rsi_vix=strength)
    decisive = [s for s in strengths if s > 60 or s < 50]
    assert memory.rsi_vix_high == (decisive[-1] > 60 if decisive else start)


def test_s1_latch_catches_up_with_the_closes_on_the_first_call_of_a_session():
    rising = calm(vix_close=np.array([17.0, 19.0, 22.0]))
    assert classify(Memory(), history=rising)[1].rsi_vix_high is True
    assert classify(remembered(session=YESTERDAY), history=rising)[1].rsi_vix_high is True
    assert classify(remembered(), history=rising)[1].rsi_vix_high is False
    subsided = calm(vix_close=np.concatenate(([17.0, 19.0, 22.0], np.linspace(20, 13, 8))))
    assert classify(Memory(), history=subsided)[1].rsi_vix_high is False


def test_s1_latch_ignores_closes_before_rsi_is_warm():
    early = calm()
    early.vix_close[:100] = np.linspace(10, 60, 100)
    early.vix_close[100:] = 60.0
    _, memory = classify(
        Memory(), history=cut(early, slice(0, 128)), at=instant("2018-12-27 10:00")
    )
    assert memory.rsi_vix_high is False


# --- the whole ----------------------------------------------------------------------------------


def test_what_is_absent_moves_nothing():
    memory = Memory(
        session=TODAY,
        rsi_vix_high=True,
        regime=RegimeMemory(
            curve=Curve.BACKWARDATION, side=Curve.BACKWARDATION, spike=True, shift=True
        ),
    )
    nothing = cut(random_history(), slice(0, 0))
    for session in (TODAY, YESTERDAY, None):
        regime, after = classify(replace(memory, session=session), history=nothing)
        assert after == memory
        assert regime.curve is Curve.BACKWARDATION
        assert regime.labels == {
            "R1": "backwardation",
            "R2": "absent",
            "R3": "absent",
            "R4": "absent",
        }


@pytest.mark.parametrize(
    ("enters", "leaves", "start", "expected"),
    [
        ([], [], True, True),
        ([0, 0], [0, 0], False, False),
        ([1, 0], [0, 1], False, False),
        ([0, 1], [1, 0], False, True),
        ([1], [1], False, True),
        ([1, 0, 0], [0, 0, 0], False, True),
    ],
)
def test_a_two_state_regime_is_what_its_last_decisive_bar_said(enters, leaves, start, expected):
    after = held(
        start, enters=np.array(enters, dtype=np.bool_), leaves=np.array(leaves, dtype=np.bool_)
    )
    assert after is expected


@given(st.integers(0, 20), st.integers(280, 410))
def test_closes_gone_through_day_by_day_or_all_at_once_lead_to_the_same_state(seed, start):
    """A bot away for two weeks, and one that looked every morning, agree on what closes say."""
    history = random_history(seed)

    def at_open(bars, memory):
        seen = cut(history, slice(0, bars))
        session = history.session[bars].astype(date)
        taken = snapshot(seen, at=instant(f"{session} 10:00"), curve={}, vix=None, spx=None)
        absent = read_signals(taken, RULES)
        # leave out what today's call would add to the closes
        silent = replace(absent, contango_closes=None, deep_backwardation_closes=None)
        _, regime, latch = classify_regime(silent, taken, memory, RULES)
        return Memory(session=session, rsi_vix_high=latch, regime=regime)

    first = at_open(start, Memory())
    daily = first
    for bars in range(start + 1, start + 9):
        daily = at_open(bars, daily)
    at_once = at_open(start + 8, first)
    assert daily == at_once


def test_no_event_soon_is_no_event_soon():
    assert {each.kind for each in NO_EVENT_SOON} == set(EventKind)
