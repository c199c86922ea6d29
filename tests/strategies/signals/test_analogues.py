"""Analogues (T1): which past days are chosen, what followed them, and nothing of the future."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from strategies.model.errors import MissingData
from strategies.model.rules import Rules
from strategies.model.snapshots import DailyHistory
from strategies.signals.analogues import HORIZONS, Analogues, analogue_gates, find_analogues
from strategies.signals.readings import read_signals
from tests.builders import instant
from tests.strategies.signals.builders import (
    TODAY,
    cut,
    random_history,
    signals,
    snapshot,
    with_columns,
)

BARS = 900
FEW = 5


def with_time(**values) -> Rules:
    rules = Rules()
    return replace(rules, time=replace(rules.time, analogues=FEW, **values))


RULES = with_time()


def look_back(history: DailyHistory | None = None, rules: Rules = RULES, **live) -> Analogues:
    taken = snapshot(random_history(bars=BARS) if history is None else history, **live)
    return find_analogues(taken, read_signals(taken, rules), rules)


def rows_of(history: DailyHistory, found: Analogues) -> np.ndarray:
    days = np.array(found.days, dtype="datetime64[D]")
    return np.searchsorted(history.session, days)


# --- the choice -----------------------------------------------------------------------------------


def test_t1_finds_the_day_that_was_exactly_like_today():
    """The live values of an earlier day, with the bars up to it, find that day first."""
    history = random_history(bars=BARS)
    bar = 600
    session = history.session[bar].astype(date)
    known = cut(history, slice(0, bar))
    expiry = session + timedelta(days=int(history.vx2_days[bar]))
    taken = snapshot(
        known,
        at=instant(f"{session} 16:00"),
        spx=float(history.spx_close[bar]),
        vix=float(history.vix_close[bar]),
        vvix=float(history.vvix_close[bar]),
        curve={
            expiry - timedelta(days=28): float(history.vx1_settle[bar]),
            expiry: float(history.vx2_settle[bar]),
        },
    )
    state = read_signals(taken, RULES)
    now = snapshot(history)
    # today's signals are those of that day, and so is what T1 reads itself: VIX, VVIX, drawdown
    same = replace(
        taken,
        session=now.session,
        market=replace(
            taken.market,
            at=now.at,
            indices={
                name: replace(index, quoted_at=now.at)
                for name, index in taken.market.indices.items()
            },
        ),
        history=with_columns(history, spx_close=history.spx_close[bar - 19 : bar]),
    )
    found = find_analogues(same, state, RULES)
    assert found.days[0] == session


def test_t1_chosen_days_are_the_gap_apart_and_no_nearer():
    history = random_history(bars=BARS)
    for gap in (1, 10, 40):
        rules = with_time(analogue_gap_days=gap)
        rows = np.sort(rows_of(history, look_back(history, rules)))
        assert len(rows) == FEW
        assert np.diff(rows).min() >= gap
    # with a smaller gap a nearer day is let in, at exactly the gap
    close = np.sort(rows_of(history, look_back(history, with_time(analogue_gap_days=1))))
    assert np.diff(close).min() < 10


def test_t1_the_gap_is_met_by_days_exactly_that_far_apart():
    """All days alike: the nearest is the oldest, the next one follows at exactly the gap."""
    history = random_history(bars=BARS)
    rules = with_time(analogue_gap_days=7)
    flat = {
        name: np.full(BARS, value)
        for name, value in {
            "spx_close": 3250.0,
            "vix_close": 16.0,
            "vvix_close": 95.0,
            "vx1_settle": 16.5,
            "vx2_settle": 17.0,
            "vx2_days": 44.0,
        }.items()
    }
    alike = with_columns(history, **flat)
    taken = snapshot(alike)
    found = find_analogues(taken, read_signals(taken, rules), rules)
    assert np.diff(rows_of(alike, found)).tolist() == [7] * (FEW - 1)
    assert (found.median_21, found.p90_21, found.farthest) == (0.0, 0.0, 0.0)


def test_t1_an_analogue_has_its_21_sessions_behind_it():
    """The newest candidate is the 22nd bar before today."""
    history = random_history(bars=BARS)
    last = BARS - 1 - HORIZONS[-1]
    rules = with_time(analogue_gap_days=1)
    for copied, expected in ((last, True), (last + 1, False)):
        twin = twin_of_today(history, copied)
        found = look_back(twin, rules, vix=30.0)
        assert (twin.session[copied].astype(date) in found.days) is expected


def twin_of_today(history: DailyHistory, bar: int) -> DailyHistory:
    """Bars of which one has the VIX of a today at 30, the rest far lower."""
    vix = np.full(BARS, 12.0) + np.sin(np.arange(BARS))
    vix[bar] = 30.0
    return with_columns(history, vix_close=vix)


# --- what followed --------------------------------------------------------------------------------


def stepped(change_21: list[float]) -> DailyHistory:
    """Bars whose five analogues of a VIX at 30 are followed by the given changes."""
    history = random_history(bars=BARS)
    vix = 12.0 + 0.5 * np.sin(np.arange(BARS))
    for number, change in enumerate(change_21):
        bar = 300 + 60 * number
        vix[bar - 3 : bar + 25] = 30.0
        vix[bar + 21] = 30.0 + change
    return with_columns(history, vix_close=vix)


@pytest.mark.parametrize("changes", [[-4.0, -2.0, 1.0, 3.0, 7.0], [0.0, 0.0, 0.0, 0.0, 0.0]])
def test_t1_the_distribution_is_that_of_the_changes_after_the_chosen_days(changes):
    history = stepped(changes)
    found = look_back(history, with_time(analogue_gap_days=50), vix=30.0)
    rows = rows_of(history, found)
    for sessions, figures in zip(
        HORIZONS,
        (
            (found.median_5, found.p75_5, found.p90_5),
            (found.median_10, found.p75_10, found.p90_10),
            (found.median_21, found.p75_21, found.p90_21),
        ),
        strict=True,
    ):
        after = history.vix_close[rows + sessions] - history.vix_close[rows]
        assert figures == pytest.approx(np.percentile(after, [50, 75, 90]).tolist())


def found_with(**figures) -> Analogues:
    names = [f"{what}_{days}" for what in ("median", "p75", "p90") for days in HORIZONS]
    values = dict.fromkeys(names, 0.0) | {"resolves_lower": False, "may_rise": False} | figures
    return Analogues(days=(TODAY,) * FEW, farthest=1.0, **values)


def test_t1_resolves_lower_needs_a_falling_median_and_a_tame_tail():
    histories = [random_history(seed, BARS) for seed in range(8)]
    found = [look_back(each) for each in histories]
    fell = next(n for n, each in enumerate(found) if each.median_21 < 0)
    rose = next(n for n, each in enumerate(found) if each.median_21 >= 0)
    tail = found[fell].p90_21
    assert found[fell].p75_21 < tail - 1e-6
    for calm, expected in ((tail, False), (tail - 1e-6, False), (tail + 1e-6, True), (30.0, True)):
        rules = with_time(analogue_calm_p90=calm)
        assert look_back(histories[fell], rules).resolves_lower is expected
    assert not look_back(histories[rose], with_time(analogue_calm_p90=30)).resolves_lower


def test_t1_a_median_of_zero_does_not_resolve_lower():
    history = with_columns(random_history(bars=BARS), vix_close=np.full(BARS, 16.0))
    found = look_back(history)
    assert (found.median_21, found.p90_21) == (0.0, 0.0)
    assert found.resolves_lower is False


def test_t1_may_rise_strictly_above_its_threshold():
    base = look_back()
    for act, expected in (
        (base.p75_21, False),
        (base.p75_21 - 1e-6, True),
        (base.p75_21 + 1e-6, False),
    ):
        assert look_back(rules=with_time(analogue_act_p75=act)).may_rise is expected


# --- absence --------------------------------------------------------------------------------------


def test_t1_is_absent_with_fewer_candidates_than_it_needs():
    history = random_history(bars=BARS)
    with pytest.raises(MissingData, match=r"^\d+ analogues, 5 needed$"):
        look_back(history, with_time(analogue_gap_days=400))
    with pytest.raises(MissingData, match="no past day with all of its state"):
        look_back(cut(history, slice(BARS - 145, None)))
    exactly = with_time(analogue_gap_days=1)  # RSI wants 130 bars, the windows the last 21
    assert len(look_back(cut(history, slice(BARS - 155, None)), exactly).days) == FEW
    with pytest.raises(MissingData, match="4 analogues, 5 needed"):
        look_back(cut(history, slice(BARS - 154, None)), exactly)


@pytest.mark.parametrize("bars", [0, 1, 4, 9, 20, 22, 129, 150])
def test_t1_a_short_history_is_absent_whatever_its_length(bars):
    known = signals(slope=0.1, backwardation_fraction=-0.05, rsi_vix=50.0, rsi_spx=50.0)
    history = cut(random_history(bars=BARS), slice(BARS - bars, None))
    with pytest.raises(MissingData):
        find_analogues(snapshot(history), known, RULES)


@pytest.mark.parametrize("name", ["slope", "backwardation_fraction", "rsi_vix", "rsi_spx"])
def test_t1_is_absent_without_a_dimension_of_today(name):
    taken = snapshot(random_history(bars=BARS))
    known = replace(read_signals(taken, RULES), **{name: None})
    with pytest.raises(MissingData, match=r"S[1267] is absent"):
        find_analogues(taken, known, RULES)


@pytest.mark.parametrize("live", [{"vix": None}, {"vvix": None}, {"spx": None}])
def test_t1_is_absent_without_a_live_index(live):
    taken = snapshot(random_history(bars=BARS), **live)
    known = read_signals(snapshot(random_history(bars=BARS)), RULES)
    with pytest.raises(MissingData, match="is not quoted"):
        find_analogues(taken, known, RULES)


@pytest.mark.parametrize(
    "column",
    ["spx_close", "vix_close", "vvix_close", "vx1_settle", "vx2_settle", "vx2_days"],
)
def test_t1_a_day_without_a_part_of_its_state_is_no_analogue(column):
    history = random_history(bars=BARS)
    first = look_back(history).days[0]
    row = int(np.searchsorted(history.session, np.datetime64(first)))
    gap = getattr(history, column).copy()
    gap[row] = np.nan
    assert first not in look_back(with_columns(history, **{column: gap})).days


# --- no look-ahead, and the record ----------------------------------------------------------------


def test_t1_bars_of_today_and_later_change_nothing():
    history = random_history(bars=BARS)
    taken = snapshot(history)
    later = np.concatenate(
        [history.session, np.datetime64(TODAY) + np.arange(30).astype("timedelta64[D]")]
    )
    longer = DailyHistory(
        session=later,
        **{
            name: np.append(getattr(history, name), np.full(30, 80.0))
            for name in history.__dataclass_fields__
            if name != "session"
        },
    )
    known = read_signals(taken, RULES)
    assert find_analogues(replace(taken, history=longer), known, RULES) == find_analogues(
        taken, known, RULES
    )


def test_t1_is_recorded_with_its_thresholds():
    figures = {"median_21": -1.0, "p90_21": 8.0, "p75_21": 5.5, "may_rise": True}
    gates = analogue_gates(found_with(**figures), Rules())
    assert [gate.rule for gate in gates] == ["T1"] * 3
    assert [gate.value for gate in gates] == [-1.0, 8.0, 5.5]
    assert [gate.threshold for gate in gates] == [0.0, 8.0, 5.0]
    assert [gate.passed for gate in gates] == [True, False, True]
    assert gates[0].note.startswith(f"after {FEW} days like today, nearest {TODAY}")
