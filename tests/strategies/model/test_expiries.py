from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.calendars.build import build_calendar
from strategies.model.calendars import EXCHANGE_ZONE, TradingCalendar
from strategies.model.errors import InvalidInstrument, MissingData
from strategies.model.expiries import (
    future_instants,
    series_instants,
    spx_am_expiries,
    spx_am_expiry,
    spxw_expiries,
    third_friday,
    vx_expiries,
    vx_expiry,
)

CALENDAR = build_calendar(date(2004, 1, 1), date(2028, 3, 31))

# Golden dates: Cboe and CFE expiry calendars.
VX_2026 = [(1, 21), (2, 18), (3, 18), (4, 15), (5, 19), (6, 17), (7, 22), (8, 19), (9, 16),
           (10, 21), (11, 18), (12, 16)]  # fmt: skip
VX_2027 = [(1, 20), (2, 17), (3, 17), (4, 21), (5, 18), (6, 16), (7, 21), (8, 18), (9, 15),
           (10, 20), (11, 17), (12, 22)]  # fmt: skip
SPX_2026 = [(1, 16, 15), (2, 20, 19), (3, 20, 19), (4, 17, 16), (5, 15, 14), (6, 18, 17),
            (7, 17, 16), (8, 21, 20), (9, 18, 17), (10, 16, 15), (11, 20, 19),
            (12, 18, 17)]  # fmt: skip
SPX_2027 = [(1, 15, 14), (2, 19, 18), (3, 19, 18), (4, 16, 15), (5, 21, 20), (6, 17, 16),
            (7, 16, 15), (8, 20, 19), (9, 17, 16), (10, 15, 14), (11, 19, 18),
            (12, 17, 16)]  # fmt: skip


@pytest.mark.parametrize(("year", "golden"), [(2026, VX_2026), (2027, VX_2027)])
def test_vx_expiries_are_the_published_ones(year, golden):
    expected = [date(year, month, day) for month, day in golden]
    assert [vx_expiry(year, month, CALENDAR) for month in range(1, 13)] == expected
    assert list(vx_expiries(date(year, 1, 1), date(year, 12, 31), CALENDAR)) == expected


@pytest.mark.parametrize(
    "tuesday",
    [
        date(2014, 3, 18),
        date(2019, 3, 19),
        date(2022, 3, 15),
        date(2024, 6, 18),
        date(2025, 3, 18),
        date(2026, 5, 19),
        date(2027, 5, 18),
    ],
)
def test_vx_expires_on_a_tuesday_if_its_wednesday_or_reference_friday_is_a_holiday(tuesday):
    """Fault D17: VIX expiries moved to a Tuesday by a holiday."""
    assert vx_expiry(tuesday.year, tuesday.month, CALENDAR) == tuesday
    assert tuesday.weekday() == 1


@pytest.mark.parametrize(("year", "golden"), [(2026, SPX_2026), (2027, SPX_2027)])
def test_spx_am_expiries_and_last_trades_are_the_published_ones(year, golden):
    for month, expiry_day, last_day in golden:
        expiry = spx_am_expiry(year, month, CALENDAR)
        assert expiry == date(year, month, expiry_day)
        stops_at = series_instants("SPX", expiry, CALENDAR).last_trade_at
        assert stops_at.astimezone(EXCHANGE_ZONE).date() == date(year, month, last_day)
    expiries = spx_am_expiries(date(year, 1, 1), date(year, 12, 31), CALENDAR)
    assert [day.day for day in expiries] == [expiry_day for _, expiry_day, _ in golden]


def test_vix_options_stop_the_session_before_they_expire():
    for expiry, last in ((date(2026, 12, 16), 15), (date(2026, 5, 19), 18)):
        stops_at = series_instants("VIX", expiry, CALENDAR).last_trade_at
        assert stops_at.astimezone(EXCHANGE_ZONE).date() == expiry.replace(day=last)


@given(st.dates(date(2004, 2, 1), date(2027, 12, 31)))
def test_third_friday_is_the_friday_from_15_to_21(day):
    friday = third_friday(day.year, day.month)
    assert (friday.year, friday.month) == (day.year, day.month)
    assert friday.weekday() == 4
    assert 15 <= friday.day <= 21


@given(st.integers(2004 * 12 + 1, 2027 * 12 + 11))
def test_vx_expiry_is_a_session_of_its_month_about_30_days_before_the_next_spx_expiry(index):
    year, month = index // 12, index % 12 + 1
    expiry = vx_expiry(year, month, CALENDAR)
    assert CALENDAR.is_session(expiry)
    assert (expiry.year, expiry.month) == (year, month)
    following = third_friday(*((year + 1, 1) if month == 12 else (year, month + 1)))
    assert timedelta(30) <= following - expiry <= timedelta(35)


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        # 2007: Fridays only.
        (date(2007, 3, 1), date(2007, 3, 31), [2, 9, 16, 23, 30]),
        # 2015: Fridays and the end of the month.
        (date(2015, 3, 1), date(2015, 3, 31), [6, 13, 20, 27, 31]),
        # 2016-02-24 is the first Wednesday; Friday the 25th of March is Good Friday.
        (date(2016, 2, 15), date(2016, 2, 29), [19, 24, 26, 29]),
        (date(2016, 3, 21), date(2016, 3, 31), [23, 24, 30, 31]),
        # Mondays from 2016-08-15; Labor Day's expiry is on Tuesday.
        (date(2016, 9, 1), date(2016, 9, 14), [2, 6, 7, 9, 12, 14]),
        # The replayed spring of 2020: Presidents' Day moves to Tuesday, Good Friday to Thursday.
        (date(2020, 2, 10), date(2020, 2, 21), [10, 12, 14, 18, 19, 21]),
        (date(2020, 4, 6), date(2020, 4, 17), [6, 8, 9, 13, 15, 17]),
        # Every day from May 2022.
        (date(2022, 4, 18), date(2022, 4, 29), [18, 19, 20, 22, 25, 26, 27, 29]),
        (date(2022, 5, 9), date(2022, 5, 13), [9, 10, 11, 12, 13]),
    ],
)
def test_spxw_expiries_are_those_of_their_time(first, last, expected):
    assert [day.day for day in spxw_expiries(first, last, CALENDAR)] == expected


def test_spxw_expires_on_every_session_since_may_2022():
    first, last = date(2022, 6, 1), date(2027, 12, 31)
    assert spxw_expiries(first, last, CALENDAR) == CALENDAR.sessions_between(first, last)


def test_an_end_of_month_on_a_weekend_or_holiday_moves_to_the_last_session():
    march = spxw_expiries(date(2024, 3, 25), date(2024, 3, 31), CALENDAR)
    assert march[-1] == date(2024, 3, 28)  # Good Friday and a weekend follow
    assert date(2015, 5, 29) in spxw_expiries(date(2015, 5, 1), date(2015, 5, 31), CALENDAR)


@given(st.dates(date(2006, 1, 1), date(2027, 10, 1)), st.integers(0, 60))
def test_spxw_expiries_ascend_are_sessions_and_do_not_depend_on_the_window(first, days):
    last = first + timedelta(days=days)
    expiries = spxw_expiries(first, last, CALENDAR)
    assert list(expiries) == sorted(set(expiries))
    assert all(CALENDAR.is_session(day) and first <= day <= last for day in expiries)
    wide = spxw_expiries(first - timedelta(days=9), last + timedelta(days=9), CALENDAR)
    assert expiries == tuple(day for day in wide if first <= day <= last)


def test_am_series_settle_at_the_open_and_stop_the_evening_before():
    series = series_instants("SPX", date(2020, 3, 20), CALENDAR)
    assert series.last_trade_at == datetime(2020, 3, 19, 20, 15, tzinfo=UTC)
    assert series.settles_at == datetime(2020, 3, 20, 13, 30, tzinfo=UTC)
    vix = series_instants("VIX", date(2020, 3, 18), CALENDAR)
    assert vix.last_trade_at == datetime(2020, 3, 17, 20, 15, tzinfo=UTC)
    assert vix.settles_at == datetime(2020, 3, 18, 13, 30, tzinfo=UTC)
    assert (vix.root, vix.expiry) == ("VIX", date(2020, 3, 18))


def test_pm_series_trade_and_settle_until_equities_close():
    series = series_instants("SPXW", date(2020, 3, 20), CALENDAR)
    assert series.last_trade_at == series.settles_at == datetime(2020, 3, 20, 20, 0, tzinfo=UTC)
    half_day = series_instants("SPXW", date(2026, 12, 24), CALENDAR)
    assert half_day.settles_at == datetime(2026, 12, 24, 18, 0, tzinfo=UTC)


def test_an_early_close_ends_the_last_trading_day_of_am_series():
    calendar = TradingCalendar(
        sessions=(date(2026, 12, 15), date(2026, 12, 16)),
        early_closes=frozenset({date(2026, 12, 15)}),
    )
    series = series_instants("VIX", date(2026, 12, 16), calendar)
    assert series.last_trade_at == datetime(2026, 12, 15, 18, 15, tzinfo=UTC)


def test_futures_stop_at_nine_and_settle_at_half_past():
    instants = future_instants(date(2020, 3, 18), CALENDAR)
    assert instants.last_trade_at == datetime(2020, 3, 18, 13, 0, tzinfo=UTC)
    assert instants.settles_at == datetime(2020, 3, 18, 13, 30, tzinfo=UTC)


def test_nothing_expires_on_a_holiday_and_only_options_have_series():
    with pytest.raises(InvalidInstrument, match="not a session"):
        series_instants("SPXW", date(2026, 7, 3), CALENDAR)
    with pytest.raises(InvalidInstrument, match="not a session"):
        future_instants(date(2026, 7, 4), CALENDAR)
    with pytest.raises(InvalidInstrument, match="'VX' is not the root of an option"):
        series_instants("VX", date(2026, 7, 22), CALENDAR)


@pytest.mark.parametrize(
    "ask",
    [
        lambda calendar: vx_expiry(2020, 3, calendar),
        lambda calendar: vx_expiries(date(2020, 3, 1), date(2020, 3, 31), calendar),
        lambda calendar: spx_am_expiry(2020, 4, calendar),
        lambda calendar: spxw_expiries(date(2020, 3, 10), date(2020, 3, 31), calendar),
        lambda calendar: spxw_expiries(date(2020, 3, 2), date(2020, 3, 13), calendar),
        lambda calendar: series_instants("SPX", date(2020, 4, 17), calendar),
        lambda calendar: series_instants("VIX", date(2020, 4, 15), calendar),
        lambda calendar: series_instants("VIX", date(2020, 3, 2), calendar),
        lambda calendar: series_instants("SPX", date(2020, 3, 2), calendar),
        lambda calendar: series_instants("SPXW", date(2020, 4, 17), calendar),
        lambda calendar: future_instants(date(2020, 4, 15), calendar),
    ],
)
def test_nothing_is_guessed_past_the_edge_of_the_calendar(ask):
    march = build_calendar(date(2020, 3, 2), date(2020, 3, 31))
    with pytest.raises(MissingData):
        ask(march)
