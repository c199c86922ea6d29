"""Time-shifting over the whole bundled history: no reading of a day knows that day or a later one.

Each session is read twice, at its own closing values: once from a history that ends the day before,
and once from the whole history in which every input of that day and later has become another.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from bot.history.store import History
from strategies.model.errors import MissingData
from strategies.model.memory import Memory
from strategies.model.quotes import FloatArray
from strategies.model.rules import FactorRule, Rules
from strategies.model.snapshots import (
    DailyHistory,
    EventAhead,
    EventKind,
    FactorSeries,
    MarketSnapshot,
)
from strategies.signals.analogues import Analogues, find_analogues
from strategies.signals.event_reactions import EventReactions, read_event_reactions
from strategies.signals.panel import Panel, Verdict, read_panel
from strategies.signals.readings import read_signals
from strategies.signals.regimes import classify_regime
from tests.builders import instant
from tests.strategies.signals.builders import snapshot

LAST = date(2026, 5, 29)
FIRST = 300  # bars before the first session that is read
FEED = "fear"
RULES = replace(
    Rules(),
    panel=replace(
        Rules().panel,
        factors=(
            FactorRule(
                name=FEED, source="csv", series="fear.csv", transform="percentile", fear_above=80.0
            ),
        ),
    ),
)
Columns = dict[str, FloatArray]


@pytest.fixture(scope="module")
def recorded() -> DailyHistory:
    """Every bundled session, with volumes of VIX options, which are not bundled, made up."""
    history = History.bundled().daily_history(LAST)
    bars = np.arange(len(history.session))
    return replace(
        history,
        vix_call_volume=500_000.0 + 200_000.0 * np.sin(bars),
        vix_put_volume=300_000.0 + 100_000.0 * np.cos(2.0 * bars),
    )


def columns_of(history: DailyHistory) -> Columns:
    names = history.__dataclass_fields__
    return {name: getattr(history, name) for name in names if name != "session"}


def changed(columns: Columns) -> Columns:
    """Other values for every input, known or not."""
    generator = np.random.default_rng(7)
    return {
        name: np.where(
            np.isfinite(values), values * generator.uniform(0.2, 5.0, len(values)) + 1.0, 1.0
        )
        for name, values in columns.items()
    }


def readings_of(taken: MarketSnapshot) -> tuple[object, ...]:
    """Everything that is read of a snapshot, absent readings by their reason."""
    signals = read_signals(taken, RULES)
    regime, memory, latch = classify_regime(signals, taken, Memory(), RULES)
    answers: list[object] = []
    for find in (
        lambda: find_analogues(taken, signals, RULES),
        lambda: read_event_reactions(taken, RULES),
    ):
        try:
            answers.append(find())
        except MissingData as reason:
            answers.append(str(reason))
    return signals, regime, memory, latch, read_panel(taken, signals, RULES), *answers


def pairs(
    recorded: DailyHistory, step: int, first: int = FIRST
) -> Iterator[tuple[MarketSnapshot, MarketSnapshot]]:
    """Yield each session with a past that ends before it, and with a future that is not its own."""
    known = columns_of(recorded)
    other = changed(known)
    feed = known["vix_close"]
    kinds = list(EventKind)
    for bar in range(first, len(recorded.session), step):
        session = recorded.session[bar].astype(date)
        days = known["vx2_days"][bar]
        has_curve = np.isfinite(days)
        expiry = session + timedelta(days=int(days) if has_curve else 0)
        curve = {
            expiry - timedelta(days=28): float(known["vx1_settle"][bar]),
            expiry: float(known["vx2_settle"][bar]),
        }
        vvix = float(known["vvix_close"][bar])
        past, whole = (
            DailyHistory(session=recorded.session[:bar], **{n: v[:bar] for n, v in known.items()}),
            DailyHistory(
                session=recorded.session,
                **{n: np.concatenate([v[:bar], other[n][bar:]]) for n, v in known.items()},
            ),
        )
        taken = snapshot(
            past,
            at=instant(f"{session} 16:00"),
            spx=float(known["spx_close"][bar]),
            vix=float(known["vix_close"][bar]),
            vvix=vvix if np.isfinite(vvix) else None,
            curve=curve if has_curve else {},
            events=(EventAhead(kind=kinds[bar % 3], day=session, trading_days=bar % 5),),
        )
        before = FactorSeries(name=FEED, day=recorded.session[:bar], value=feed[:bar])
        later = FactorSeries(
            name=FEED,
            day=recorded.session,
            value=np.concatenate([feed[:bar], other["vix_close"][bar:]]),
        )
        yield (
            replace(taken, factors=(before,)),
            replace(taken, history=whole, factors=(later,)),
        )


def compare(recorded: DailyHistory, step: int) -> None:
    seen = {"analogues": 0, "reactions": 0, "verdicts": set[Verdict]()}
    for past, whole in pairs(recorded, step):
        expected, found = readings_of(past), readings_of(whole)
        assert found == expected, f"{past.session} knows its future"
        *_, panel, analogues, reactions = found
        seen["analogues"] += isinstance(analogues, Analogues)
        seen["reactions"] += isinstance(reactions, EventReactions)
        assert isinstance(panel, Panel)
        seen["verdicts"].add(panel.verdict)
    sessions = (len(recorded.session) - FIRST) / step
    assert seen["analogues"] > 0.75 * sessions
    assert seen["reactions"] > 0.95 * sessions
    assert seen["verdicts"] == set(Verdict)


def test_no_reading_of_a_recorded_day_knows_its_future(recorded):
    compare(recorded, step=29)


@pytest.mark.slow
def test_no_reading_of_any_recorded_day_knows_its_future(recorded):
    compare(recorded, step=1)


@pytest.mark.parametrize("bar", [2000, 4100])
def test_each_daily_input_of_before_a_day_is_one_that_it_knows(recorded, bar):
    """The test above can fail: a change of yesterday's bar, input by input, is noticed."""
    (taken, _), *_ = pairs(replace_session(recorded, bar), 10_000)
    base = readings_of(taken)
    for name, values in columns_of(taken.history).items():
        if not np.isfinite(values[-1]):
            continue
        other = values.copy()
        last = -1 if not name.startswith("is_") else int(np.flatnonzero(values)[-1])
        other[last] = 1.37 * other[last] + 1.0
        market = replace(taken, history=replace(taken.history, **{name: other}))
        events = tuple(
            EventAhead(kind=kind, day=taken.session, trading_days=0)
            for kind in EventKind
            if name == f"is_{kind}"
        )
        if events:
            base_of = readings_of(replace(taken, events=events))
            assert readings_of(replace(market, events=events)) != base_of, name
        else:
            assert readings_of(market) != base, name


def replace_session(history: DailyHistory, bar: int, before: int = FIRST) -> DailyHistory:
    """The history from so many bars before ``bar`` on."""
    rows = slice(bar - before, None)
    return DailyHistory(
        session=history.session[rows], **{n: v[rows] for n, v in columns_of(history).items()}
    )


# --- what the panel said of spikes that are known -------------------------------------------------


@pytest.mark.parametrize(
    ("day", "verdict"),
    [
        ("2008-10-10", Verdict.FEAR),  # the banks
        ("2020-03-09", Verdict.FEAR),
        ("2025-04-07", Verdict.FEAR),
        ("2018-02-05", Verdict.UNDECIDED),  # VIX alone, but everything fell with it
        ("2021-11-26", Verdict.TECHNICAL),  # a holiday market, forgotten within days
        ("2024-08-05", Verdict.TECHNICAL),  # quotes of VIX options, not SPX
        ("2024-12-18", Verdict.TECHNICAL),
    ],
)
def test_r5_of_spikes_that_are_known(recorded, day, verdict):
    without_volumes = replace(
        recorded,
        vix_call_volume=np.full(len(recorded.session), np.nan),
        vix_put_volume=np.full(len(recorded.session), np.nan),
    )
    bar = int(np.searchsorted(recorded.session, np.datetime64(day)))
    (taken, _), *_ = pairs(replace_session(without_volumes, bar, before=420), 10_000, first=420)
    rules = Rules()
    panel = read_panel(taken, read_signals(taken, rules), rules)
    assert str(taken.session) == day
    assert panel.verdict is verdict
