import shutil
import subprocess
import sys
from datetime import date, time
from pathlib import Path

import numpy as np
import pytest

from bot.calendars.build import build_calendar
from bot.history.files import HistoryFileInvalid
from bot.history.store import (
    BUNDLED_FOLDER,
    DAILY_SERIES,
    HISTORY_FROM,
    SERIES,
    History,
    event_flags,
)
from strategies.model.errors import MissingData
from strategies.model.expiries import vx_expiry
from strategies.model.snapshots import EventKind

CALENDAR = build_calendar(date(1999, 12, 1), date(2028, 12, 31))
TUESDAYS = {
    date(2008, 2, 19),
    date(2014, 3, 18),
    date(2019, 3, 19),
    date(2022, 3, 15),
    date(2024, 6, 18),
    date(2025, 3, 18),
    date(2026, 5, 19),
}


def override(folder, text, name="theirs.csv"):
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("name", "session", "close"),
    [
        ("SPX", date(2007, 10, 9), 1565.15),
        ("SPX", date(2008, 10, 15), 907.84),
        ("SPX", date(2009, 3, 9), 676.53),
        ("SPX", date(2018, 2, 5), 2648.94),
        ("SPX", date(2020, 3, 23), 2237.40),
        ("SPX", date(2024, 8, 5), 5186.33),
        ("VIX", date(2008, 11, 20), 80.86),
        ("VIX", date(2018, 2, 5), 37.32),
        ("VIX", date(2020, 3, 16), 82.69),
        ("VIX", date(2024, 8, 5), 38.57),
    ],
)
def test_published_closes_are_in_the_bundle(history, name, session, close):
    assert history.daily(name).close_on(session) == pytest.approx(close, abs=0.005)


def test_published_vx_settlements_are_in_the_bundle(history):
    assert dict(history.vx_contracts_on(date(2018, 2, 5)))[date(2018, 2, 14)] == 33.225
    assert dict(history.vx_contracts_on(date(2020, 3, 16)))[date(2020, 3, 18)] == 72.625
    assert dict(history.vx_contracts_on(date(2024, 8, 5)))[date(2024, 8, 21)] == 32.0986
    assert history.final_settlement(date(2020, 3, 18)) == 69.76


@pytest.mark.parametrize("name", DAILY_SERIES)
def test_a_daily_series_ascends_over_sessions_and_its_closes_are_present(history, name):
    series = history.daily(name)
    assert (np.diff(series.session).astype(int) > 0).all()
    assert np.isin(series.session, history.sessions).all()
    assert np.isfinite(series.close).all()
    for column in (series.open, series.high, series.low, series.close, series.ohlc_ok):
        assert column.shape == series.session.shape
        assert not column.flags.writeable


@pytest.mark.parametrize("name", ["SPX", "VIX", "VVIX", "VIX9D", "VIX3M", "VIX6M"])
def test_bars_are_positive_and_in_order_where_marked_so(history, name):
    series = history.daily(name)
    bars = np.stack([series.open, series.high, series.low, series.close])
    assert (bars[np.isfinite(bars)] > 0).all()
    ok = series.ohlc_ok & np.isfinite(bars).all(axis=0)
    assert ok.mean() > 0.5
    assert (bars[2, ok] <= bars[:, ok].min(axis=0)).all()
    assert (bars[1, ok] >= bars[:, ok].max(axis=0)).all()


def test_the_known_bars_out_of_order_are_marked(history):
    marked = {name: int((~history.daily(name).ohlc_ok).sum()) for name in DAILY_SERIES}
    assert {name: count for name, count in marked.items() if count} == {"VIX": 45, "VIX6M": 1}


def test_sessions_are_those_of_the_calendar(history):
    days = history.sessions.tolist()
    calendar = build_calendar(days[0], days[-1])
    assert tuple(days) == calendar.sessions


def test_spx_opens_start_in_2008_because_older_ones_repeat_the_close(history):
    spx = history.daily("SPX")
    is_old = spx.session < np.datetime64("2008-01-01")
    assert np.isnan(spx.open[is_old]).all()
    assert np.isfinite(spx.open[~is_old]).all()


def test_the_bloomberg_part_of_vix3m_and_the_unreliable_part_of_vvix_are_left_out(history):
    assert history.daily("VIX3M").session[0] == np.datetime64("2006-07-17")
    assert history.daily("VVIX").session[0] == np.datetime64("2007-01-03")


def test_every_vx_expiry_follows_the_rule_but_two_of_2004(history):
    expiries = np.unique(history.vx_settlements().contract_expiry).tolist()
    by_rule = {vx_expiry(day.year, day.month, CALENDAR) for day in expiries}
    assert set(expiries) - by_rule == {date(2004, 7, 14), date(2004, 10, 13)}
    assert {day for day in expiries if day.weekday() == 1} == TUESDAYS
    assert len(expiries) > 260


def test_every_final_settlement_until_october_2023_is_known(history):
    expiries = np.unique(history.vx_settlements().contract_expiry).tolist()
    known = [day for day in expiries if date(2004, 6, 1) < day < date(2023, 11, 1)]
    assert all(history.final_settlement(day) is not None for day in known)
    assert history.final_settlement(date(2023, 11, 15)) is None
    assert history.final_settlement(date(2020, 3, 17)) is None


def test_vx_settlements_are_sorted_unique_and_positive(history):
    rows = history.vx_settlements()
    order = np.lexsort([rows.contract_expiry, rows.trade_date])
    assert (order == np.arange(len(order))).all()
    keys = rows.trade_date.astype(int) * 100_000 + rows.contract_expiry.astype(int)
    assert len(np.unique(keys)) == len(keys)
    assert (rows.settle > 0).all()
    assert (rows.trade_date <= rows.contract_expiry).all()
    assert np.isin(np.unique(rows.trade_date), history.sessions).all()


def test_contracts_of_a_day_leave_out_the_one_settling_that_morning(history):
    contracts = history.vx_contracts_on(date(2020, 3, 18))
    assert contracts[0] == (date(2020, 4, 15), 70.475)
    assert [expiry for expiry, _ in contracts] == sorted(expiry for expiry, _ in contracts)
    assert history.vx_contracts_on(date(2020, 3, 21)) == ()


def test_the_curve_agrees_with_the_published_term_structure(history, shared_data):
    import pandas as pd

    published = pd.read_csv(shared_data / "vx_term_structure_m1_m9.csv.gz")
    published = published[published["trade_date"] >= "2006-10-23"]
    days = published["trade_date"].to_numpy().astype("datetime64[D]")
    is_session = np.isin(days, history.sessions)
    curve = history.vx_curve(ranks=5)
    rows = np.searchsorted(curve.session, days[is_session])
    for rank in range(5):
        settle = published[f"m{rank + 1}"].to_numpy()[is_session]
        np.testing.assert_array_equal(curve.settle[rows, rank], settle)
        tenor = published[f"m{rank + 1}_days"].to_numpy()[is_session]
        np.testing.assert_array_equal(curve.days[rows, rank], tenor)


def test_daily_history_ends_strictly_before_the_day(history):
    bars = history.daily_history(date(2020, 3, 16))
    assert bars.session.shape == (4019,)
    assert bars.session[0] == np.datetime64(HISTORY_FROM)
    assert bars.session[-1] == np.datetime64("2020-03-13")
    assert bars.vix_close[-1] == 57.83
    assert bars.spx_close[-1] == pytest.approx(2711.02, abs=0.005)
    assert (bars.vx1_settle[-1], bars.vx2_days[-1]) == (53.425, 33)
    assert history.daily_history(date(2020, 3, 14)).session[-1] == bars.session[-1]


@pytest.mark.parametrize("session", [date(2007, 1, 3), date(2020, 2, 3), date(2026, 6, 2)])
def test_no_bar_of_the_day_or_later_is_in_its_daily_history(history, session):
    bars = history.daily_history(session)
    assert (bars.session < np.datetime64(session)).all()
    for name in ("vix_close", "vx1_settle", "vx2_settle"):
        assert np.isfinite(getattr(bars, name)[-30:]).all()


def test_daily_history_begins_with_the_first_futures_and_is_read_only(history):
    assert history.daily_history(date(1990, 1, 2)).session.shape == (0,)
    assert history.daily_history(HISTORY_FROM).session.shape == (0,)
    bars = history.daily_history(date(2004, 4, 5))
    assert bars.session.shape == (6,)
    assert np.isfinite(bars.vx1_settle).all()
    with pytest.raises(ValueError, match="read-only"):
        bars.spx_close[0] = 1.0


def test_the_same_date_gives_the_same_history_object_and_shared_columns(history):
    bars, next_day = (history.daily_history(date(2020, 3, day)) for day in (16, 17))
    assert history.daily_history(date(2020, 3, 16)) is bars
    assert next_day is not bars
    assert np.shares_memory(bars.spx_close, next_day.spx_close)


def row_of(bars, session):
    return int(np.searchsorted(bars.session, np.datetime64(session)))


def test_s13_skew_and_implied_correlation_are_those_of_the_day(history):
    bars = history.daily_history(date(2020, 3, 17))
    assert bars.skew_close[-1] == history.daily("SKEW").close_on(date(2020, 3, 16))
    assert bars.cor1m_close[-1] == history.daily("COR1M").close_on(date(2020, 3, 16))
    assert np.isnan(bars.cor1m_close[row_of(bars, date(2005, 12, 30))])


def test_the_credit_spread_of_a_day_is_the_one_published_on_it_of_the_session_before(history):
    spread = history.daily("BAA10Y")
    bars = history.daily_history(date(2020, 3, 17))  # Tuesday morning
    assert bars.session[-1] == np.datetime64("2020-03-16")
    assert bars.credit_spread[-1] == spread.close_on(date(2020, 3, 13)) == 3.3
    assert bars.credit_spread[row_of(bars, date(2020, 3, 13))] == spread.close_on(date(2020, 3, 12))
    # Columbus Day: bonds had no value, and nothing was published the day after
    assert spread.close_on(date(2019, 10, 14)) is None
    assert np.isnan(bars.credit_spread[row_of(bars, date(2019, 10, 15))])


@pytest.mark.parametrize("session", [date(2008, 10, 15), date(2020, 3, 16), date(2026, 3, 2)])
def test_no_figure_published_on_the_day_or_later_is_in_its_history(history, session, tmp_path):
    """Change every figure from the session on, and of credit from the eve on: nothing moves."""
    eve = history.daily_history(session).session[-1].item()
    later = [day for day in history.sessions.tolist() if day >= session]
    overrides = {}
    for name, days in {
        "SKEW": later,
        "COR1M": later,
        "VIX": later,
        "BREADTH": later,
        "BAA10Y": [eve, *later],
    }.items():
        rows = "".join(f"{day},0.5\n" for day in days)
        overrides[name] = override(tmp_path, "date,close\n" + rows, f"{name}.csv")
    changed = History.bundled(overrides).daily_history(session)
    for name, column in vars_of(history.daily_history(session)).items():
        np.testing.assert_array_equal(column, getattr(changed, name), err_msg=name)


def vars_of(bars):
    return {name: getattr(bars, name) for name in bars.__dataclass_fields__}


def test_t2_event_flags_follow_the_calendar_and_end_with_it(history):
    bars = history.daily_history(date(2026, 8, 22))
    fomc = bars.session[bars.is_fomc == 1].tolist()
    assert date(2020, 1, 29) in fomc
    assert date(2020, 3, 18) not in fomc  # cancelled
    scheduled = {event.day for event in history.events() if event.kind is EventKind.FOMC}
    assert set(fomc) == {day for day in scheduled if HISTORY_FROM <= day <= date(2026, 8, 21)}
    cpi = bars.session[bars.is_cpi == 1].tolist()
    assert date(2020, 4, 13) in cpi  # released on Good Friday, answered on Monday
    assert set(np.unique(bars.is_ppi).tolist()) == {0.0, 1.0}


def test_t2_event_flags_are_unknown_outside_the_calendar_of_their_kind(history):
    sessions = np.arange("2026-12-01", "2027-01-15", dtype="datetime64[D]")
    flags = event_flags(history.events(), sessions)
    last_cpi = np.datetime64("2026-12-10")
    assert np.isnan(flags["is_cpi"][sessions > last_cpi]).all()
    assert np.isfinite(flags["is_cpi"][sessions <= last_cpi]).all()
    assert np.isfinite(flags["is_fomc"]).all()  # known until December 2027
    assert all(np.isnan(column).all() for column in event_flags((), sessions).values())


def test_s9_volumes_of_vix_options_are_unknown_until_a_file_brings_them(tmp_path, history):
    bars = history.daily_history(date(2020, 3, 17))
    assert np.isnan(bars.vix_call_volume).all()
    assert np.isnan(bars.vix_put_volume).all()
    text = "date,call_volume,put_volume\n2020-03-13,900000,400000\n2020-03-16,0,1\n"
    path = override(tmp_path, text)
    theirs = History.bundled({"VIX_VOLUME": path})
    bars = theirs.daily_history(date(2020, 3, 17))
    assert bars.vix_call_volume[-2:].tolist() == [900_000, 0]
    assert bars.vix_put_volume[-2:].tolist() == [400_000, 1]
    assert np.isnan(bars.vix_call_volume[:-2]).all()
    facts = theirs.describe(date(2020, 3, 20))[-1]
    assert (facts.name, facts.rows, facts.gaps, facts.source) == (
        "VIX_VOLUME",
        2,
        0,
        "theirs.csv (2 rows)",
    )
    assert theirs.fingerprint() != history.fingerprint()


@pytest.mark.parametrize("volumes", ["-1,5", "nan,5", ",5", "many,5"])
def test_s9_a_volume_that_is_no_count_is_refused(tmp_path, volumes):
    text = f"date,call_volume,put_volume\n2020-03-13,{volumes}\n"
    with pytest.raises(HistoryFileInvalid, match="row 2, column 'call_volume': expected a number"):
        History.bundled({"VIX_VOLUME": override(tmp_path, text)})


def test_the_bundled_rates_are_what_fred_defines_them_to_be(history):
    day = date(2020, 3, 23)
    baa, spread = history.daily("DBAA").close_on(day), history.daily("BAA10Y").close_on(day)
    assert baa - spread == pytest.approx(0.76, abs=0.001)  # DGS10
    assert history.daily("T10Y3M").close_on(day) == pytest.approx(0.74, abs=0.001)


def test_the_real_exchange_rate_is_dated_when_it_was_out(history):
    rates = history.daily("RBUSBIS")
    assert rates.session[-1] == np.datetime64("2024-03-01")  # January's
    assert all(day.day <= 5 for day in rates.session.tolist())
    assert (np.diff(rates.session).astype(int) <= 34).all()


def test_the_front_future_rolls_on_the_morning_it_settles(history):
    bars = history.daily_history(date(2020, 3, 19))
    front = dict(zip(bars.session.tolist(), bars.vx1_settle.tolist(), strict=True))
    assert front[date(2020, 3, 17)] == history.vx_contracts_on(date(2020, 3, 17))[0][1]
    assert front[date(2020, 3, 18)] == 70.475  # April


def test_the_rate_is_the_one_published_before_the_open(history):
    # DGS3MO of 2020-03-13 was 0.28 %.
    assert history.rate_on(date(2020, 3, 16)) == pytest.approx(0.0028, abs=2e-5)
    assert history.rate_on(date(2019, 10, 15)) == history.rate_on(
        date(2019, 10, 14)
    )  # Columbus Day
    with pytest.raises(MissingData, match="before 1990-01-02"):
        history.rate_on(date(1990, 1, 2))


def test_events_are_scheduled_ones_without_the_spurious_release(history):
    events = history.events()
    assert [event.day for event in events] == sorted(event.day for event in events)
    assert date(2000, 1, 17) not in {event.day for event in events}
    assert date(2020, 3, 15) not in {event.day for event in events}  # unscheduled
    assert (date(2020, 3, 11), EventKind.CPI, time(8, 30)) in events
    assert (date(2020, 4, 29), EventKind.FOMC, time(14, 0)) in events


def test_s11_counts_sessions_to_the_next_event_of_each_kind(history):
    ahead = history.events_ahead(date(2020, 3, 9), CALENDAR)
    assert [(event.kind, event.day, event.trading_days) for event in ahead] == [
        (EventKind.CPI, date(2020, 3, 11), 2),
        (EventKind.PPI, date(2020, 3, 12), 3),
        (EventKind.FOMC, date(2020, 4, 29), 36),
    ]
    today = history.events_ahead(date(2020, 3, 11), CALENDAR)
    assert (today[0].day, today[0].trading_days) == (date(2020, 3, 11), 0)


def test_s11_counts_a_release_on_a_holiday_to_the_session_after_it(history):
    before = {event.kind: event for event in history.events_ahead(date(2020, 4, 9), CALENDAR)}
    assert before[EventKind.CPI].day == date(2020, 4, 10)  # Good Friday
    assert before[EventKind.CPI].trading_days == 1
    after = {event.kind: event for event in history.events_ahead(date(2020, 4, 13), CALENDAR)}
    assert after[EventKind.CPI].day == date(2020, 5, 12)


def test_s11_is_unknown_outside_the_event_calendar(history):
    assert history.events_ahead(date(1999, 12, 15), CALENDAR) is None
    assert history.events_ahead(date(2026, 12, 11), CALENDAR) is None  # no CPI of 2027 yet
    assert history.events_ahead(date(2026, 12, 10), CALENDAR) is not None


def test_s11_refuses_to_count_past_the_end_of_the_trading_calendar(history):
    short = build_calendar(date(2020, 1, 1), date(2020, 3, 31))
    with pytest.raises(MissingData):
        history.events_ahead(date(2020, 3, 9), short)


def test_describe_says_range_gaps_age_source_and_note(history):
    facts = {row.name: row for row in history.describe(date(2026, 11, 20))}
    assert tuple(facts) == SERIES
    spx = facts["SPX"]
    assert (spx.first, spx.last, spx.rows) == (date(1990, 1, 2), date(2026, 8, 21), 9227)
    assert (spx.gaps, spx.age_days) == (0, 91)
    assert facts["VIX"].gaps == 4
    assert facts["VX"].gaps == 0
    assert facts["EVENTS"].age_days < 0
    assert facts["RBUSBIS"].gaps == 0  # monthly
    assert "Cboe" in facts["VIX"].source
    assert all(row.source for row in facts.values())
    assert not any("bloomberg" in row.source.lower() for row in facts.values())


def test_an_override_replaces_the_same_date_and_adds_new_ones(tmp_path, history):
    path = override(tmp_path, "date,close\n2026-08-21,15.00\n2026-08-24,14.50\n2026-08-25,14.25\n")
    extended = History.bundled({"VIX": path})
    vix, bundled = extended.daily("VIX"), history.daily("VIX")
    assert len(vix.session) == len(bundled.session) + 2
    assert vix.close[-3:].tolist() == [15.0, 14.5, 14.25]
    assert np.isnan(vix.high[-3])  # the row is replaced whole
    assert vix.close_on(date(2026, 8, 20)) == bundled.close_on(date(2026, 8, 20))
    facts = {row.name: row for row in extended.describe(date(2026, 8, 25))}
    assert facts["VIX"].age_days == 0
    assert facts["VIX"].source.startswith("theirs.csv (3 rows) over Cboe")


def test_daily_history_follows_an_extended_spx(tmp_path):
    spx = override(tmp_path, "date,close\n2026-08-24,7700\n", "spx.csv")
    vix = override(tmp_path, "date,close\n2026-08-24,14.5\n", "vix.csv")
    bars = History.bundled({"SPX": spx, "VIX": vix}).daily_history(date(2026, 8, 25))
    assert bars.session[-1] == np.datetime64("2026-08-24")
    assert (bars.spx_close[-1], bars.vix_close[-1]) == (7700, 14.5)
    assert np.isnan(bars.vx1_settle[-1])


def test_index_rows_on_a_holiday_are_dropped_and_an_spx_row_on_one_is_refused(tmp_path):
    path = override(tmp_path, "date,close\n2026-07-03,16\n2026-07-06,17\n")
    vix = History.bundled({"VIX": path}).daily("VIX")
    assert vix.close_on(date(2026, 7, 3)) is None
    assert vix.close_on(date(2026, 7, 6)) == 17
    with pytest.raises(HistoryFileInvalid, match="SPX did not trade on 2026-07-03"):
        History.bundled({"SPX": path})


def test_futures_are_extended_and_settled_by_a_file(tmp_path, history):
    text = (
        "trade_date,contract_expiry,settle\n2026-06-01,2026-06-17,18.5\n2026-06-17,2026-06-17,17\n"
    )
    extended = History.bundled({"VX": override(tmp_path, text)})
    assert len(extended.vx_settlements().settle) == len(history.vx_settlements().settle) + 1
    assert extended.vx_contracts_on(date(2026, 6, 1))[0] == (date(2026, 6, 17), 18.5)
    assert extended.final_settlement(date(2026, 6, 17)) == 17
    assert history.final_settlement(date(2026, 6, 17)) is None


def test_an_event_file_replaces_its_kind_between_its_first_and_last_date(tmp_path, history):
    text = "date,event\n2026-09-15,cpi\n2027-01-13,cpi\n2027-02-12,cpi\n"
    extended = History.bundled({"EVENTS": override(tmp_path, text)})
    cpi = [event.day for event in extended.events() if event.kind is EventKind.CPI]
    assert cpi[-3:] == [date(2026, 9, 15), date(2027, 1, 13), date(2027, 2, 12)]
    ppi = [event for event in history.events() if event.kind is EventKind.PPI]
    assert [event for event in extended.events() if event.kind is EventKind.PPI] == ppi


def test_overrides_are_checked_before_anything_is_read(tmp_path):
    bad = override(tmp_path, "date,close\n2026-08-24,-1\n")
    with pytest.raises(HistoryFileInvalid, match="row 2, column 'close'"):
        History(tmp_path / "no such folder", {"VIX": bad})
    with pytest.raises(HistoryFileInvalid, match="found 'SPY'"):
        History.bundled({"SPY": bad})


def test_the_fingerprint_follows_the_files(tmp_path, history):
    one = override(tmp_path, "date,close\n2026-08-24,14.50\n", "one.csv")
    other = override(tmp_path, "date,close\n2026-08-24,14.51\n", "other.csv")
    prints = [
        history.fingerprint(),
        History.bundled({"VIX": one}).fingerprint(),
        History.bundled({"VIX": other}).fingerprint(),
        History.bundled({"VVIX": one}).fingerprint(),
    ]
    assert len(set(prints)) == 4
    copy = tmp_path / "copy"
    shutil.copytree(BUNDLED_FOLDER, copy)
    assert History(copy).fingerprint() == history.fingerprint()


def test_reading_history_does_not_import_pandas():
    program = (
        "import sys; from datetime import date; from bot.history.store import History;"
        "assert 'pyarrow' not in sys.modules;"
        "history = History.bundled(); history.daily_history(date(2020, 3, 16));"
        "history.events(); history.describe(date(2026, 11, 20)); assert 'pandas' not in sys.modules"
    )
    checkout = Path(__file__).parents[3]
    subprocess.run([sys.executable, "-c", program], check=True, cwd=checkout)


def test_the_bundle_is_small_and_tells_where_it_comes_from():
    files = sorted(path.name for path in BUNDLED_FOLDER.iterdir())
    assert files == sorted([*(f"{name}.parquet" for name in SERIES), "PROVENANCE.md"])
    assert sum(path.stat().st_size for path in BUNDLED_FOLDER.iterdir()) < 4_000_000
