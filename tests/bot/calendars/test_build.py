import subprocess
import sys
from datetime import date, time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.calendars import build
from bot.calendars.build import (
    BUNDLED_TABLE,
    TABLE_FIRST,
    TABLE_LAST,
    build_calendar,
    library_disagreements,
    special_days,
)
from bot.calendars.library import library_special_days, weekdays
from bot.calendars.prepare import prepare
from bot.calendars.special_days import CalendarFileInvalid, DayKind, SpecialDay
from strategies.model.calendars import EXCHANGE_ZONE

HOLIDAYS_2026 = ["01-01", "01-19", "02-16", "04-03", "05-25", "06-19", "07-03", "09-07", "11-26",
                 "12-25"]  # fmt: skip
HOLIDAYS_2027 = ["01-01", "01-18", "02-15", "03-26", "05-31", "06-18", "07-05", "09-06", "11-25",
                 "12-24"]  # fmt: skip


def year_of(calendar_year):
    return date(calendar_year, 1, 1), date(calendar_year, 12, 31)


def overrides(folder, *rows):
    path = folder / "overrides.csv"
    path.write_text("date,kind,reason\n" + "".join(f"{row}\n" for row in rows))
    return path


@pytest.mark.parametrize(("year", "golden"), [(2026, HOLIDAYS_2026), (2027, HOLIDAYS_2027)])
def test_exchange_holidays_are_the_published_ones(year, golden):
    closed = [day for day in special_days(*year_of(year)) if day.kind is DayKind.CLOSED]
    assert [f"{special.day:%m-%d}" for special in closed] == golden


@pytest.mark.parametrize("day", [date(2018, 12, 5), date(2025, 1, 9), date(2012, 10, 29)])
def test_ad_hoc_closures_are_no_sessions(day):
    """Fault D13: an ad hoc closure."""
    assert not build_calendar(*year_of(day.year)).is_session(day)


@pytest.mark.parametrize(
    "day",
    [
        date(2024, 7, 3),
        date(2025, 7, 3),
        date(2024, 12, 24),
        date(2025, 12, 24),
        date(2026, 11, 27),
        date(2026, 12, 24),
    ],
)
def test_half_days_close_index_options_at_a_quarter_past_one(day):
    """Fault D11: early closes are those of the own table."""
    calendar = build_calendar(*year_of(day.year))
    closes_at = calendar.closes_at(day).astimezone(EXCHANGE_ZONE)
    assert (closes_at.date(), closes_at.time()) == (day, time(13, 15))
    assert calendar.equities_close_at(day).astimezone(EXCHANGE_ZONE).time() == time(13)


@pytest.mark.filterwarnings(r"ignore:Series\.values returning an:DeprecationWarning")
def test_the_table_agrees_with_the_second_library_from_2000_to_2027():
    import exchange_calendars

    first, last = date(2000, 1, 3), date(2027, 10, 29)
    theirs = exchange_calendars.get_calendar("XNYS", start=str(first), end=str(last))
    ours = build_calendar(first, last)
    assert list(ours.sessions) == [session.date() for session in theirs.sessions]
    assert ours.early_closes == {session.date() for session in theirs.early_closes}


def test_the_table_agrees_with_the_installed_library():
    assert library_disagreements(date(1980, 1, 1), date(2040, 12, 31)) == ()


def test_the_bundled_table_is_what_prepare_writes(tmp_path):
    prepare(tmp_path / "special_days.csv")
    assert (tmp_path / "special_days.csv").read_text() == BUNDLED_TABLE.read_text()


def test_a_disagreement_with_the_library_is_told_in_words(monkeypatch):
    table = library_special_days(*year_of(2026))
    monkeypatch.setattr(build, "_table", lambda: table[1:])
    assert library_disagreements(*year_of(2026)) == ("2026-01-01: table open, library closed",)


def test_outside_the_table_the_library_answers():
    calendar = build_calendar(date(2030, 12, 2), date(2031, 1, 31))
    assert calendar.is_session(date(2031, 1, 2))
    assert not calendar.is_session(date(2031, 1, 1))
    early = build_calendar(date(1989, 12, 1), date(1990, 1, 31))
    assert not early.is_session(date(1989, 12, 25))
    assert not early.is_session(date(1990, 1, 1))


def test_a_calendar_of_three_years_imports_no_library():
    program = (
        "import sys; from datetime import date; from bot.calendars.build import build_calendar;"
        "build_calendar(date(2018, 1, 1), date(2021, 3, 31)); assert 'pandas' not in sys.modules"
    )
    checkout = Path(__file__).parents[3]
    subprocess.run([sys.executable, "-c", program], check=True, cwd=checkout)


def test_an_override_closes_a_session(tmp_path):
    """Fault D13: an ad hoc closure."""
    path = overrides(tmp_path, "2026-12-17,closed,day of mourning")
    calendar = build_calendar(*year_of(2026), path)
    assert not calendar.is_session(date(2026, 12, 17))
    assert len(calendar.sessions) == len(build_calendar(*year_of(2026)).sessions) - 1


def test_the_tightest_of_table_and_overrides_wins(tmp_path):
    path = overrides(
        tmp_path,
        "2026-12-24,closed,power failure",
        "2026-12-25,early_close,mistaken circular",
        "2026-12-28,early_close,power failure",
        "2026-12-29,early_close,first word",
        "2026-12-29,closed,last word",
        "2026-12-30,closed,first word",
        "2026-12-30,open,loosest",
    )
    kinds = {special.day.day: special for special in special_days(*year_of(2026), path)}
    assert {day: kinds[day].kind for day in (24, 25, 28, 29, 30) if day in kinds} == {
        24: DayKind.CLOSED,
        25: DayKind.CLOSED,
        28: DayKind.EARLY_CLOSE,
        29: DayKind.CLOSED,
        30: DayKind.CLOSED,
    }
    assert kinds[24].reason == "power failure"
    assert kinds[25].reason == "Christmas"


def test_an_open_override_cancels_what_the_table_says(tmp_path):
    path = overrides(tmp_path, "2025-01-09,open,what if", "2025-12-24,open,")
    calendar = build_calendar(*year_of(2025), path)
    assert calendar.is_session(date(2025, 1, 9))
    assert date(2025, 12, 24) not in calendar.early_closes
    assert calendar.is_session(date(2025, 12, 24))


def test_overrides_outside_the_range_change_nothing(tmp_path):
    path = overrides(tmp_path, "2027-03-01,early_close,later")
    assert build_calendar(*year_of(2026), path) == build_calendar(*year_of(2026))


def test_a_bad_override_file_is_refused(tmp_path):
    with pytest.raises(CalendarFileInvalid, match=r"row 2, column 'kind'"):
        build_calendar(*year_of(2026), overrides(tmp_path, "2026-12-24,halted,x"))


@given(st.dates(TABLE_FIRST, TABLE_LAST), st.integers(0, 900))
def test_a_calendar_holds_exactly_the_weekdays_that_are_not_closed(first, days):
    last = min(TABLE_LAST, date.fromordinal(first.toordinal() + days))
    calendar = build_calendar(first, last)
    closed = {day.day for day in special_days(first, last) if day.kind is DayKind.CLOSED}
    assert set(calendar.sessions) | closed == set(weekdays(first, last))
    assert not closed & set(calendar.sessions)


@given(st.dates(date(1990, 1, 1), date(2030, 1, 1)))
def test_weekdays_are_monday_to_friday(day):
    assert (day in weekdays(day, day)) is (day.weekday() < 5)


def test_every_special_day_has_a_reason():
    days = special_days(TABLE_FIRST, TABLE_LAST)
    assert all(special.reason for special in days)
    assert SpecialDay(date(2026, 4, 3), DayKind.CLOSED, "Good Friday") in days


def test_no_days_past_the_table_are_no_special_days():
    assert library_special_days(date(2050, 1, 2), date(2050, 1, 1)) == ()
    assert build_calendar(date(2050, 1, 2), date(2050, 1, 1)).sessions == ()
