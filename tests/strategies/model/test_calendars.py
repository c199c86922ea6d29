from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.model.calendars import TradingCalendar, at_exchange
from strategies.model.errors import MissingData

# The week of Thanksgiving 2026, without Thursday and with a half Friday.
WEEK = TradingCalendar(
    sessions=(
        date(2026, 11, 23),
        date(2026, 11, 24),
        date(2026, 11, 25),
        date(2026, 11, 27),
        date(2026, 11, 30),
    ),
    early_closes=frozenset({date(2026, 11, 27)}),
)


def utc(day, hour, minute):
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


def test_a_holiday_and_a_weekend_are_no_sessions():
    assert WEEK.is_session(date(2026, 11, 25))
    assert not WEEK.is_session(date(2026, 11, 26))
    assert not WEEK.is_session(date(2026, 11, 28))


@pytest.mark.parametrize("day", [date(2026, 11, 20), date(2026, 12, 1)])
def test_outside_the_calendar_nothing_is_known(day):
    with pytest.raises(MissingData, match="outside the calendar"):
        WEEK.is_session(day)


def test_an_empty_calendar_knows_nothing():
    empty = TradingCalendar(sessions=(), early_closes=frozenset())
    with pytest.raises(MissingData):
        empty.is_session(date(2026, 11, 23))


def test_neighbours_skip_holidays_and_end_with_the_calendar():
    assert WEEK.previous_session(date(2026, 11, 27)) == date(2026, 11, 25)
    assert WEEK.next_session(date(2026, 11, 25)) == date(2026, 11, 27)
    assert WEEK.next_session(date(2026, 11, 26)) == date(2026, 11, 27)
    with pytest.raises(MissingData):
        WEEK.previous_session(date(2026, 11, 23))
    with pytest.raises(MissingData):
        WEEK.next_session(date(2026, 11, 30))


def test_trading_days_are_counted_after_today_up_to_the_day():
    today = date(2026, 11, 25)
    assert WEEK.trading_days_until(today, today) == 0
    assert WEEK.trading_days_until(today, date(2026, 11, 26)) == 0
    assert WEEK.trading_days_until(today, date(2026, 11, 27)) == 1
    assert WEEK.trading_days_until(today, date(2026, 11, 30)) == 2


def test_sessions_between_includes_both_ends():
    assert WEEK.sessions_between(date(2026, 11, 25), date(2026, 11, 27)) == (
        date(2026, 11, 25),
        date(2026, 11, 27),
    )


def test_hours_are_new_york_hours_and_end_early_on_half_days():
    assert WEEK.opens_at(date(2026, 11, 25)) == utc(25, 14, 30)
    assert WEEK.closes_at(date(2026, 11, 25)) == utc(25, 21, 15)
    assert WEEK.equities_close_at(date(2026, 11, 25)) == utc(25, 21, 0)
    assert WEEK.closes_at(date(2026, 11, 27)) == utc(27, 18, 15)
    assert WEEK.equities_close_at(date(2026, 11, 27)) == utc(27, 18, 0)


def test_hours_follow_daylight_saving_time():
    winter, summer = date(2026, 3, 6), date(2026, 3, 9)  # clocks change on 8 March
    calendar = TradingCalendar(sessions=(winter, summer), early_closes=frozenset())
    assert calendar.opens_at(winter) == datetime(2026, 3, 6, 14, 30, tzinfo=UTC)
    assert calendar.opens_at(summer) == datetime(2026, 3, 9, 13, 30, tzinfo=UTC)


def test_a_day_without_trading_has_no_hours():
    with pytest.raises(AssertionError):
        WEEK.opens_at(date(2026, 11, 26))
    with pytest.raises(AssertionError):
        WEEK.closes_at(date(2026, 11, 26))
    with pytest.raises(AssertionError):
        WEEK.equities_close_at(date(2026, 11, 26))


def test_sessions_that_do_not_ascend_or_closes_without_session_are_our_mistake():
    day = date(2026, 11, 25)
    with pytest.raises(AssertionError):
        TradingCalendar(sessions=(day, day), early_closes=frozenset())
    with pytest.raises(AssertionError):
        TradingCalendar(sessions=(day,), early_closes=frozenset({date(2026, 11, 27)}))


def test_an_exchange_instant_is_aware():
    assert at_exchange(date(2026, 7, 1), time(16, 15)).utcoffset() == timedelta(hours=-4)


@given(st.sets(st.dates(date(2020, 1, 1), date(2021, 1, 1)), min_size=3))
def test_neighbours_are_inverse_and_counts_add_up(days):
    calendar = TradingCalendar(sessions=tuple(sorted(days)), early_closes=frozenset())
    first, *_, last = calendar.sessions
    for session in calendar.sessions[:-1]:
        assert calendar.previous_session(calendar.next_session(session)) == session
    assert calendar.trading_days_until(first, last) == len(days) - 1
    assert calendar.sessions_between(first, last) == calendar.sessions
