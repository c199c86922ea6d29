"""What the calendar library knows about NYSE holidays and half days.

Cboe index options trade on NYSE sessions. The library's own Cboe calendar is not used: it misses
the half days of 3 July and 24 December and the closures of September 2001.
"""

import warnings
from datetime import date, time
from typing import Final

from bot.calendars.special_days import DayKind, SpecialDay
from strategies.model.calendars import EXCHANGE_ZONE

# Later closes (15:30 on 1997-10-27, 15:56 on 2005-06-01) were halts, not half days.
_LAST_HALF_DAY_CLOSE: Final = time(14, 30)

_UNSCHEDULED: Final = {
    date(1994, 4, 27): "mourning of President Nixon",
    date(2001, 9, 11): "attacks of 11 September",
    date(2001, 9, 12): "attacks of 11 September",
    date(2001, 9, 13): "attacks of 11 September",
    date(2001, 9, 14): "attacks of 11 September",
    date(2004, 6, 11): "mourning of President Reagan",
    date(2007, 1, 2): "mourning of President Ford",
    date(2012, 10, 29): "hurricane Sandy",
    date(2012, 10, 30): "hurricane Sandy",
    date(2018, 12, 5): "mourning of President G. H. W. Bush",
    date(2025, 1, 9): "mourning of President Carter",
}
_HOLIDAY_OF_MONTH: Final = {
    1: "Martin Luther King Day",
    2: "Washington's Birthday",
    3: "Good Friday",
    4: "Good Friday",
    5: "Memorial Day",
    6: "Juneteenth",
    7: "Independence Day",
    9: "Labor Day",
    11: "Thanksgiving",
    12: "Christmas",
}
_HALF_DAY_OF_MONTH: Final = {
    7: "Independence Day half day",
    11: "day after Thanksgiving",
    12: "Christmas half day",
}


def library_special_days(first: date, last: date) -> tuple[SpecialDay, ...]:
    """Return the weekdays from ``first`` to ``last`` on which NYSE is closed or closes early.

    None where ``first`` is after ``last``. Imports pandas and the library, which takes a second.
    """
    if first > last:
        return ()
    import pandas_market_calendars  # not for every start of the bot

    with warnings.catch_warnings():
        # The library calls two functions that pandas 4 will take away.
        for message in (r"Series\.dt\.weekday is deprecated", r"Series\.values returning an"):
            warnings.filterwarnings("ignore", message, DeprecationWarning)
        calendar = pandas_market_calendars.get_calendar("NYSE")
        schedule = calendar.schedule(first, last)
    closes = schedule["market_close"].dt.tz_convert(EXCHANGE_ZONE)
    sessions = {close.date(): close.time() for close in closes}
    found = [
        SpecialDay(day, DayKind.EARLY_CLOSE, _HALF_DAY_OF_MONTH.get(day.month, "early close"))
        for day, closes_at in sessions.items()
        if closes_at <= _LAST_HALF_DAY_CLOSE
    ]
    found += [
        SpecialDay(day, DayKind.CLOSED, _holiday(day))
        for day in weekdays(first, last)
        if day not in sessions
    ]
    return tuple(sorted(found))


def weekdays(first: date, last: date) -> tuple[date, ...]:
    """Return the days from Monday to Friday between two dates, both included."""
    ordinals = range(first.toordinal(), last.toordinal() + 1)
    # Day 1 of the proleptic calendar was a Monday.
    return tuple(date.fromordinal(number) for number in ordinals if number % 7 not in {0, 6})


def _holiday(day: date) -> str:
    if day in _UNSCHEDULED:
        return _UNSCHEDULED[day]
    is_new_year = (day.month, day.day) in {(12, 31), (1, 1), (1, 2)}
    return "New Year's Day" if is_new_year else _HOLIDAY_OF_MONTH[day.month]
