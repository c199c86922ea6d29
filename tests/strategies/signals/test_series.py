"""Signals look back on a fixed number of bars, however long the history is."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies.model.errors import MissingData
from strategies.model.memory import Memory
from strategies.model.rules import Rules
from strategies.model.snapshots import DailyHistory
from strategies.signals.panel import read_panel
from strategies.signals.readings import read_signals
from strategies.signals.regimes import classify_regime
from strategies.signals.series import SIGNAL_BARS, SnapshotSeries
from tests.strategies.signals.builders import cut, random_history, snapshot, with_columns

RULES = Rules()


def at_its_bounds(group):
    """A group of rules with every number as large as its bounds allow."""
    highest = {
        entry.name: type(getattr(group, entry.name))(entry.metadata["high"])
        for entry in fields(group)
        if entry.metadata.get("high") is not None
    }
    return replace(group, **highest)


def test_s_and_e_no_window_within_its_bounds_wants_more_bars_than_are_looked_at():
    groups = ("signals", "regime", "layers", "panel", "time", "rotation")
    rules = replace(RULES, **{name: at_its_bounds(getattr(RULES, name)) for name in groups})
    snap = snapshot(random_history(bars=SIGNAL_BARS + 500))
    signals = read_signals(snap, rules)
    assert signals.missing == ()
    assert [each for each in read_panel(snap, signals, rules).missing if "bars" in each] == []


def series(history: DailyHistory) -> SnapshotSeries:
    return SnapshotSeries(snapshot(history), RULES.signals)


@settings(max_examples=10)
@given(seed=st.integers(0, 1000), bars=st.integers(SIGNAL_BARS, 1500))
def test_s_and_r_are_the_same_numbers_on_a_longer_history(seed, bars):
    longer = random_history(seed, bars)
    last = cut(longer, slice(bars - SIGNAL_BARS, bars))
    for name in ("vix", "spx", "vvix_over_vix"):
        whole, recent = getattr(series(longer), name), getattr(series(last), name)
        assert len(whole) == SIGNAL_BARS + 1
        assert whole.tobytes() == recent.tobytes()
    long_signals, signals = (read_signals(snapshot(each), RULES) for each in (longer, last))
    assert len(signals.values) > 20
    assert repr(long_signals.values) == repr(signals.values)
    assert long_signals.missing == signals.missing
    memory = Memory()
    assert (
        classify_regime(long_signals, snapshot(longer), memory, RULES)[0].labels
        == classify_regime(signals, snapshot(last), memory, RULES)[0].labels
    )


def test_a_bar_before_the_window_is_not_read_and_the_first_inside_it_is():
    history = random_history(bars=SIGNAL_BARS + 2)
    vix = history.vix_close.copy()
    vix[1] = 99.0
    assert 99.0 not in series(with_columns(history, vix_close=vix)).vix
    vix[2] = 98.0
    assert series(with_columns(history, vix_close=vix)).vix[0] == 98.0


def test_a_column_known_only_before_the_window_is_absent():
    history = random_history(bars=SIGNAL_BARS + 5)
    vvix = np.full(SIGNAL_BARS + 5, np.nan)
    vvix[:5] = 90.0
    with pytest.raises(MissingData, match="no history of vvix_close"):
        series(with_columns(history, vvix_close=vvix)).rows("vvix_close")


def test_rows_are_those_of_the_whole_history():
    history = random_history(bars=SIGNAL_BARS + 30)
    rows = series(history).rows("spx_close")
    assert (rows[0], rows[-1]) == (30, SIGNAL_BARS + 29)
    assert series(history).session_of(int(rows[0])) == history.session[30].item()
