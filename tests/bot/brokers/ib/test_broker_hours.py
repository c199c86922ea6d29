"""IB's hours against the calendar: what the calendar does not know of ends the start."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from bot.brokers.ib.broker_hours import surprising_days
from bot.errors import HaltTrading
from bot.gateway.contracts.hours import hours_text
from strategies.model.calendars import EXCHANGE_ZONE
from tests.bot.brokers.ib.test_doubts import proven
from tests.bot.gateway.running import trading_calendar
from tests.builders import instant, weekday_calendar

CALENDAR = weekday_calendar(date(2026, 12, 1), date(2026, 12, 31), holidays=[date(2026, 12, 25)])
CHICAGO = "US/Central"


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        ("20261223:0830-20261223:1515", []),
        ("20261223:0830-20261223:1500", []),  # of the index, not of its options
        ("20261224:0830-20261224:1215", ["2026-12-24 closes at 13:15, not 16:15"]),
        ("20261223:0830-20261223:1515;20261224:CLOSED", ["2026-12-24 is closed"]),
        ("20261225:CLOSED;20261226:CLOSED", []),
        ("20261225:0830-20261225:1515", []),  # tighter than IB is what counts
        ("20261222:1915-20261223:0815;20261223:0830-20261223:1515", []),  # a night session
        ("20261223:0830-20261223:1515;20261223:CLOSED", []),
        ("20270104:CLOSED", []),  # beyond the calendar nothing is traded anyway
        ("20261324:CLOSED;20261223:9999-20261223:9999;nonsense;", []),
        ("20261223:0930-1600,1700-1800", []),  # as IB spelt it before 2018
        ("", []),
    ],
)
def test_a_day_that_ib_ends_early_or_closes_is_named(hours, expected):
    """Faults D11 and D13."""
    assert surprising_days(hours, CHICAGO, CALENDAR) == expected


@pytest.mark.parametrize("name", ["", "Mars/Phobos", "../etc", "\0"])
def test_hours_on_clocks_nobody_knows_say_nothing(name):
    assert surprising_days("20261223:CLOSED", name, CALENDAR) == []


def test_what_a_gateway_says_of_the_same_calendar_is_no_surprise():
    for days in range(0, 700, 7):
        first = date(2020, 1, 2) + timedelta(days=days)
        text = hours_text(trading_calendar(), first, EXCHANGE_ZONE, None)
        assert surprising_days(text, EXCHANGE_ZONE.key, trading_calendar()) == []


async def test_a_calendar_that_is_as_tight_as_ib_or_tighter_is_no_hindrance():
    known = trading_calendar()
    await proven(calendar=known)
    await proven(calendar=replace(known, early_closes=known.early_closes | {date(2020, 2, 7)}))


async def test_a_start_on_a_calendar_with_a_session_too_many_is_refused():
    """Faults D11 and D13: here the calendar lacks Presidents' Day."""
    calendar = weekday_calendar(date(2020, 1, 2), date(2020, 3, 31))
    with pytest.raises(HaltTrading, match=r"2020-02-17 is closed; write that into"):
        await proven(calendar=calendar, at=instant("2020-02-13 10:00"))
