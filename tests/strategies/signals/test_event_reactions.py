"""Event reactions (T2): which past days count, what they did, and what is absent."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from strategies.model.errors import MissingData
from strategies.model.rules import Rules
from strategies.model.snapshots import DailyHistory, EventAhead, EventKind
from strategies.signals.event_reactions import (
    FEWEST_EVENTS,
    EventReactions,
    event_gate,
    read_event_reactions,
)
from tests.strategies.signals.builders import random_history, snapshot, with_columns

BARS = 420
COLUMNS = {EventKind.FOMC: "is_fomc", EventKind.CPI: "is_cpi", EventKind.PPI: "is_ppi"}


def ahead(kind: EventKind, trading_days: int = 3) -> EventAhead:
    return EventAhead(kind=kind, day=date(2020, 2, 6), trading_days=trading_days)


def history_of(changes: dict[EventKind, list[float]], skew: bool = True) -> DailyHistory:
    """Flat bars but for the given VIX changes on event days ten bars apart, the newest last.

    SKEW falls by the double of each.
    """
    vix, skews = np.full(BARS, 16.0), np.full(BARS, 1300.0 if skew else np.nan)
    flags = {column: np.zeros(BARS) for column in COLUMNS.values()}
    for number, (kind, each) in enumerate(changes.items()):
        for back, change in enumerate(reversed(each)):
            bar = BARS - 3 - 3 * number - 10 * back
            flags[COLUMNS[kind]][bar] = 1.0
            vix[bar:] += change
            skews[bar:] -= 2 * change
    return with_columns(random_history(), vix_close=vix, skew_close=skews, **flags)


def react(history: DailyHistory, *events: EventAhead, last: int = 24) -> EventReactions:
    rules = Rules()
    rules = replace(rules, time=replace(rules.time, event_reactions=last))
    return read_event_reactions(snapshot(history, events=events), rules)


CHANGES = [1.0, -2.0, 3.0, -4.0, 5.0, -6.0]


def test_t2_mean_and_90_percent_absolute_change_of_vix_and_skew():
    found = react(history_of({EventKind.CPI: CHANGES}), ahead(EventKind.CPI))
    assert (found.kind, found.events, found.trading_days) == (EventKind.CPI, 6, 3)
    assert found.vix_mean == pytest.approx(-0.5)
    assert found.vix_abs90 == pytest.approx(5.5)  # between the two largest of six
    assert found.skew_mean == pytest.approx(1.0)
    assert found.skew_abs90 == pytest.approx(11.0)


def test_t2_only_the_last_events_of_the_kind_count():
    history = history_of({EventKind.CPI: [99.0, *CHANGES], EventKind.PPI: [50.0] * 6})
    assert react(history, ahead(EventKind.CPI), last=6).vix_abs90 == pytest.approx(5.5)
    assert react(history, ahead(EventKind.CPI), last=7).vix_abs90 > 40
    assert react(history, ahead(EventKind.CPI), last=7).events == 7


def test_t2_is_absent_below_six_events():
    assert FEWEST_EVENTS == 6
    six, five = (history_of({EventKind.FOMC: CHANGES[:n]}) for n in (6, 5))
    assert react(six, ahead(EventKind.FOMC)).events == 6
    with pytest.raises(MissingData, match=r"^fewer than 6 past fomc days with VIX$"):
        react(five, ahead(EventKind.FOMC))


def test_t2_an_event_day_without_a_change_of_vix_does_not_count():
    history = history_of({EventKind.FOMC: CHANGES})
    for gap in (BARS - 3, BARS - 4):  # its own close, or the one before it
        vix = history.vix_close.copy()
        vix[gap] = np.nan
        with pytest.raises(MissingData):
            react(with_columns(history, vix_close=vix), ahead(EventKind.FOMC))


def test_t2_without_skew_vix_is_projected_all_the_same():
    found = react(history_of({EventKind.FOMC: CHANGES}, skew=False), ahead(EventKind.FOMC))
    assert found.vix_abs90 == pytest.approx(5.5)
    assert (found.skew_mean, found.skew_abs90) == (None, None)
    assert "SKEW unknown" in event_gate(found).note


def test_t2_the_soonest_event_is_the_one_that_is_projected():
    history = history_of({EventKind.CPI: CHANGES, EventKind.PPI: [8.0] * 6})
    events = ahead(EventKind.CPI, 2), ahead(EventKind.PPI, 1)
    assert react(history, *events).kind is EventKind.PPI
    assert react(history, *reversed(events)).kind is EventKind.PPI
    assert react(history, ahead(EventKind.CPI, 1), ahead(EventKind.PPI, 2)).kind is EventKind.CPI


def test_t2_of_two_on_one_day_the_stronger_reaction_is_projected():
    history = history_of({EventKind.CPI: CHANGES, EventKind.PPI: [8.0] * 6})
    events = ahead(EventKind.CPI), ahead(EventKind.PPI)
    assert react(history, *events).kind is EventKind.PPI
    assert react(history, *reversed(events)).kind is EventKind.PPI
    # a kind with too few past days does not silence the other
    few = history_of({EventKind.CPI: CHANGES, EventKind.PPI: [8.0] * 5})
    assert react(few, *events).kind is EventKind.CPI
    with pytest.raises(MissingData, match="fomc days with VIX; fewer than 6 past ppi"):
        react(few, ahead(EventKind.FOMC), ahead(EventKind.PPI))


@pytest.mark.parametrize("events", [None, ()])
def test_t2_without_a_calendar_or_an_event_is_absent(events):
    with pytest.raises(MissingData, match="no event ahead is known"):
        read_event_reactions(snapshot(events=events), Rules())


def test_t2_an_unknown_past_is_absent():
    history = with_columns(random_history(), is_fomc=np.full(BARS, np.nan))
    with pytest.raises(MissingData):
        react(history, ahead(EventKind.FOMC))


def test_t2_is_recorded():
    gate = event_gate(react(history_of({EventKind.CPI: CHANGES}), ahead(EventKind.CPI)))
    assert (gate.rule, gate.value, gate.passed) == ("T2", pytest.approx(5.5), True)
    assert gate.name == "90 % absolute change of VIX on cpi days"
    assert gate.note == "6 days, mean -0.50; SKEW 11.00 (mean +1.00); next 2020-02-06"
