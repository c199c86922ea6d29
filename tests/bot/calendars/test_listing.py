from datetime import date

import pytest

from bot.calendars.listing import CALENDAR_SYMBOLS, UnknownSymbol, calendar_rows


def expiries(rows):
    return [row for row in rows if row["kind"] == "expiry"]


def test_vix_lists_twelve_expiries_and_says_why_one_is_a_tuesday():
    rows = expiries(calendar_rows("vix", 2026))
    assert len(rows) == 12
    assert rows[4] == {
        "kind": "expiry",
        "date": "2026-05-19",
        "weekday": "Tuesday",
        "last_trade": "2026-05-18 16:15",
        "settlement": "AM 09:30",
        "note": "Tuesday: the reference Friday is a holiday",
    }
    assert [row["note"] for row in rows if row["date"] != "2026-05-19"] == [""] * 11


def test_a_holiday_wednesday_is_told_from_a_holiday_friday():
    (row,) = [row for row in calendar_rows("VX", 2024) if row["date"] == "2024-06-18"]
    assert row["note"] == "Tuesday: the Wednesday is a holiday"  # Juneteenth
    assert row["last_trade"] == "2024-06-18 09:00"


def test_spx_says_when_the_third_friday_is_a_holiday():
    (row,) = [row for row in expiries(calendar_rows("SPX", 2026)) if row["note"]]
    assert (row["date"], row["last_trade"]) == ("2026-06-18", "2026-06-17 16:15")
    assert row["note"] == "Thursday: the third Friday is a holiday"


def test_spxw_lists_every_session_with_its_close():
    rows = {row["date"]: row for row in expiries(calendar_rows("SPXW", 2026))}
    assert len(rows) == 251
    assert rows["2026-03-31"]["note"] == "end of month"
    assert rows["2026-03-31"]["settlement"] == "PM 16:00"
    assert rows["2026-12-24"]["last_trade"] == "2026-12-24 13:00"


@pytest.mark.parametrize("symbol", CALENDAR_SYMBOLS)
def test_holidays_and_early_closes_are_listed_for_every_symbol(symbol):
    rows = calendar_rows(symbol, 2026)
    assert [row["date"] for row in rows] == sorted(row["date"] for row in rows)
    assert sum(row["kind"] == "holiday" for row in rows) == 10
    early = {row["date"]: row["note"] for row in rows if row["kind"] == "early close"}
    assert early == {
        "2026-11-27": "day after Thanksgiving: index options 13:15, equities and expiring SPXW "
        "13:00",
        "2026-12-24": "Christmas half day: index options 13:15, equities and expiring SPXW 13:00",
    }


def test_the_operators_overrides_move_expiries(tmp_path):
    path = tmp_path / "overrides.csv"
    path.write_text("date,kind,reason\n2026-12-16,closed,storm\n")
    rows = calendar_rows("VX", 2026, path)
    last = expiries(rows)[-1]
    assert (last["date"], last["note"]) == ("2026-12-15", "Tuesday: the Wednesday is a holiday")
    assert {"2026-12-16": "storm"}.items() <= {row["date"]: row["note"] for row in rows}.items()


@pytest.mark.parametrize("year", [1990, 2004, 2031])
def test_any_year_of_the_range_can_be_listed(year):
    rows = calendar_rows("SPX", year)
    assert len(expiries(rows)) == 12
    assert all(date.fromisoformat(row["date"]).year == year for row in rows)


def test_an_unknown_symbol_is_refused_with_the_known_ones():
    with pytest.raises(UnknownSymbol, match=r"no calendar for 'SPY'; known: SPX, SPXW, VIX, VX"):
        calendar_rows("SPY", 2026)
