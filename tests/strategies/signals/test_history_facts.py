"""Facts of recorded history that the signals and regimes must reproduce."""

import csv
import gzip
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from strategies.model.calendars import EXCHANGE_ZONE
from strategies.model.memory import Curve, Memory
from strategies.model.rules import Rules
from strategies.model.snapshots import DailyHistory
from strategies.signals.indicators import rsi
from strategies.signals.readings import read_signals
from strategies.signals.regimes import Regime, classify_regime
from tests.builders import instant
from tests.strategies.signals.builders import cut, snapshot

RULES = Rules()
HISTORY_BARS = 420
SOURCES = {
    "spx_close": ("spx_daily.csv", "close"),
    "vix_close": ("vix_daily.csv", "close"),
    "vvix_close": ("vvix_daily.csv", "close"),
    "vx1_settle": ("vx_term_structure_m1_m9.csv.gz", "m1"),
    "vx2_settle": ("vx_term_structure_m1_m9.csv.gz", "m2"),
    "vx2_days": ("vx_term_structure_m1_m9.csv.gz", "m2_days"),
    "net_breadth": ("nyse_advance_decline_daily.csv.gz", "net_breadth"),
    "skew_close": ("skew_daily.csv", "close"),
    "cor1m_close": ("cor1m_daily.csv", "close"),
}


def read_column(path: Path, name: str) -> dict[str, float]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt") as file:
        rows = csv.DictReader(file)
        assert rows.fieldnames is not None
        day = rows.fieldnames[0]
        return {row[day]: float(row[name] or "nan") for row in rows}


@pytest.fixture(scope="module")
def recorded(shared_data) -> DailyHistory:
    """Every session since the curve has two months, as one history."""
    columns = {name: read_column(shared_data / file, c) for name, (file, c) in SOURCES.items()}
    days = [day for day in columns["spx_close"] if "2006-10-23" <= day <= "2026-05-29"]
    return DailyHistory(
        session=np.array(days, dtype="datetime64[D]"),
        **{
            name: np.array([column.get(day, np.nan) for day in days])
            for name, column in columns.items()
        },
    )


@pytest.fixture(scope="module")
def early_2020(recorded) -> dict[date, list[Regime]]:
    """The regimes of four intervals of each session, all at that day's closing values."""
    memory, regimes = Memory(), {}
    days = recorded.session
    first, last = np.searchsorted(days, np.array(["2020-02-03", "2020-07-01"], "datetime64[D]"))
    for bar in range(first, last):
        session = days[bar].astype(date)
        expiry = session + timedelta(days=int(recorded.vx2_days[bar]))
        taken = snapshot(
            cut(recorded, slice(bar - HISTORY_BARS, bar)),
            at=instant(f"{session} 16:00"),
            spx=float(recorded.spx_close[bar]),
            vix=float(recorded.vix_close[bar]),
            vvix=float(recorded.vvix_close[bar]),
            curve={
                expiry - timedelta(days=28): float(recorded.vx1_settle[bar]),
                expiry: float(recorded.vx2_settle[bar]),
            },
        )
        regimes[session] = []
        for _ in range(4):
            signals = read_signals(taken, RULES)
            regime, regime_memory, latch = classify_regime(signals, taken, memory, RULES)
            memory = Memory(session=session, rsi_vix_high=latch, regime=regime_memory)
            regimes[session].append(regime)
    return regimes


CALM = date(2020, 2, 10)  # the alarm of late January is over


def first_day(regimes, holds) -> date:
    return next(
        day for day, intervals in regimes.items() if day >= CALM and any(map(holds, intervals))
    )


def test_r1_confirms_backwardation_in_the_last_week_of_february_2020(early_2020):
    assert early_2020[date(2020, 2, 21)][-1].curve is Curve.CONTANGO
    flip = first_day(early_2020, lambda regime: regime.flipped_now)
    assert date(2020, 2, 24) <= flip <= date(2020, 2, 28)


def test_r1_restores_contango_in_may_2020(early_2020):
    restored = first_day(early_2020, lambda regime: regime.restored_now)
    assert date(2020, 5, 1) <= restored <= date(2020, 5, 31)
    assert all(
        intervals[-1].curve is Curve.BACKWARDATION
        for day, intervals in early_2020.items()
        if date(2020, 2, 28) <= day <= date(2020, 4, 28)
    )


def test_r3_is_on_from_24_february_2020_until_vix_subsides(early_2020):
    assert first_day(early_2020, lambda regime: regime.spike) == date(2020, 2, 24)
    assert all(
        intervals[-1].spike
        for day, intervals in early_2020.items()
        if date(2020, 2, 24) <= day <= date(2020, 3, 18)
    )
    assert early_2020[date(2020, 4, 9)][-1].spike is False


def test_r4_is_on_by_5_march_2020_and_over_by_june(early_2020):
    began = first_day(early_2020, lambda regime: regime.shift)
    assert date(2020, 2, 27) <= began <= date(2020, 3, 5)
    assert early_2020[date(2020, 3, 31)][-1].shift is True
    assert early_2020[date(2020, 6, 5)][-1].shift is False


def test_s1_low_is_as_rare_as_the_rule_book_says(recorded):
    strength = rsi(recorded.vix_close, 14)
    share = float((strength < 30).mean())
    assert 0.0003 < share < 0.0015


def test_every_signal_that_has_a_feed_is_present_on_a_recorded_day(recorded):
    bar = int(np.searchsorted(recorded.session, np.datetime64("2020-03-09")))
    taken = snapshot(
        cut(recorded, slice(bar - HISTORY_BARS, bar)),
        at=instant("2020-03-09 11:00"),
        spx=2760.0,
        vix=52.0,
        vvix=180.0,
        curve={date(2020, 3, 18): 45.0, date(2020, 4, 15): 38.0},
    )
    assert taken.at.tzinfo is EXCHANGE_ZONE
    assert read_signals(taken, RULES).missing == (
        "S9 order_flow_z: no history of vix_call_volume and vix_put_volume",
    )
