"""When contracts expire, stop trading and settle: rules as functions of a given calendar.

Every rule asks the calendar about each day it leans on and raises MissingData where the calendar
ends; nothing is guessed past its edge. Sources: Cboe SPX, SPXW and VIX option specifications, CFE
rule 1202 (VX).
"""

from calendar import FRIDAY, MONDAY, THURSDAY, TUESDAY, WEDNESDAY, monthrange
from datetime import date, datetime, time, timedelta
from typing import Final, NamedTuple

from strategies.model.calendars import OPTIONS_OPEN, TradingCalendar, at_exchange
from strategies.model.errors import InvalidInstrument
from strategies.model.instruments import ROOTS, Settlement
from strategies.model.quotes import Series

VX_LAST_TRADE: Final = time(9, 0)  # 08:00 in Chicago, on the day of final settlement

_VIX_TENOR: Final = timedelta(days=30)  # VIX measures 30 days, so its products lead SPX by 30
_DAYS_TO_THIRD_WEEK: Final = 14
_DAYS_OF_WEEK: Final = 7
_DECEMBER: Final = 12

# Since when each weekday has PM-settled SPXW expiries of its own.
_WEEKLY_SINCE: Final = {
    FRIDAY: date(2005, 10, 28),
    WEDNESDAY: date(2016, 2, 23),
    MONDAY: date(2016, 8, 15),
    TUESDAY: date(2022, 4, 18),
    THURSDAY: date(2022, 5, 11),
}
_END_OF_MONTH_SINCE: Final = date(2014, 7, 7)


class FutureInstants(NamedTuple):
    """The two instants that matter of a VX future."""

    last_trade_at: datetime
    settles_at: datetime


def third_friday(year: int, month: int) -> date:
    """Return the nominal third Friday of a month, holiday or not."""
    first = date(year, month, 1)
    return first + timedelta(days=(FRIDAY - first.weekday()) % _DAYS_OF_WEEK + _DAYS_TO_THIRD_WEEK)


def vx_expiry(year: int, month: int, calendar: TradingCalendar) -> date:
    """Return the final settlement date of the monthly VX future and the VIX options of a month.

    30 days before the third Friday of the next month, normally a Wednesday; the business day
    before it if that Wednesday or that Friday is a holiday.

    Raises: MissingData if the calendar does not reach the next month's third Friday.
    """
    next_year, next_month = (year + 1, 1) if month == _DECEMBER else (year, month + 1)
    reference = third_friday(next_year, next_month)
    wednesday = reference - _VIX_TENOR
    if calendar.is_session(wednesday) and calendar.is_session(reference):
        return wednesday
    return _previous_session(wednesday, calendar)


def vx_expiries(first: date, last: date, calendar: TradingCalendar) -> tuple[date, ...]:
    """Return the monthly VX and VIX option expiries from ``first`` to ``last``, ascending."""
    expiries = (vx_expiry(year, month, calendar) for year, month in _months(first, last))
    return tuple(expiry for expiry in expiries if first <= expiry <= last)


def spx_am_expiry(year: int, month: int, calendar: TradingCalendar) -> date:
    """Return when the AM-settled SPX options of a month settle.

    The third Friday, or the business day before it if that is a holiday.
    """
    friday = third_friday(year, month)
    return friday if calendar.is_session(friday) else _previous_session(friday, calendar)


def spx_am_expiries(first: date, last: date, calendar: TradingCalendar) -> tuple[date, ...]:
    """Return the AM-settled SPX expiries from ``first`` to ``last``, ascending."""
    expiries = (spx_am_expiry(year, month, calendar) for year, month in _months(first, last))
    return tuple(expiry for expiry in expiries if first <= expiry <= last)


def spxw_expiries(first: date, last: date, calendar: TradingCalendar) -> tuple[date, ...]:
    """Return the PM-settled SPXW expiries from ``first`` to ``last``, ascending.

    Fridays (third Fridays included), Wednesdays, Mondays, Tuesdays, Thursdays and ends of month,
    each since its introduction. On a holiday Monday the expiry is the next business day, on any
    other holiday the one before. How long before an expiry it was listed is not considered.

    Raises: MissingData if the calendar does not cover the range and the week around it.
    """
    around = timedelta(days=_DAYS_OF_WEEK)
    found = set()
    day = first - around
    while day <= last + around:
        since = _WEEKLY_SINCE.get(day.weekday())
        if since is not None and since <= day:
            found.add(_shifted(day, calendar))
        if day >= _END_OF_MONTH_SINCE and day.day == monthrange(day.year, day.month)[1]:
            is_session = calendar.is_session(day)
            found.add(day if is_session else _previous_session(day, calendar))
        day += timedelta(days=1)
    return tuple(sorted(expiry for expiry in found if first <= expiry <= last))


def series_instants(root: str, expiry: date, calendar: TradingCalendar) -> Series:
    """Return the series of an option root and expiry with its last trade and settlement.

    AM: settles at 09:30 on the expiry, trades until the index option close of the session before.
    PM: trades until equities close on the expiry and settles to that close. Early closes count.

    Raises: InvalidInstrument if ``root`` is no option root or ``expiry`` no session; MissingData.
    """
    spec = ROOTS.get(root)
    if spec is None or not spec.is_option:
        raise InvalidInstrument(f"{root!r} is not the root of an option")
    _check_expiry(root, expiry, calendar)
    if spec.settlement is Settlement.PM:
        close = calendar.equities_close_at(expiry)
        return Series(root=root, expiry=expiry, last_trade_at=close, settles_at=close)
    return Series(
        root=root,
        expiry=expiry,
        last_trade_at=calendar.closes_at(_previous_session(expiry, calendar)),
        settles_at=at_exchange(expiry, OPTIONS_OPEN),
    )


def future_instants(expiry: date, calendar: TradingCalendar) -> FutureInstants:
    """Return when the VX future of an expiry stops trading (09:00) and settles (09:30).

    Raises: InvalidInstrument if ``expiry`` is no session; MissingData.
    """
    _check_expiry("VX", expiry, calendar)
    return FutureInstants(
        last_trade_at=at_exchange(expiry, VX_LAST_TRADE),
        settles_at=at_exchange(expiry, OPTIONS_OPEN),
    )


def _shifted(day: date, calendar: TradingCalendar) -> date:
    if calendar.is_session(day):
        return day
    is_monday = day.weekday() == MONDAY
    return calendar.next_session(day) if is_monday else _previous_session(day, calendar)


def _previous_session(day: date, calendar: TradingCalendar) -> date:
    # previous_session() answers for days past the calendar's end too; is_session() does not.
    calendar.is_session(day)
    return calendar.previous_session(day)


def _check_expiry(root: str, expiry: date, calendar: TradingCalendar) -> None:
    if not calendar.is_session(expiry):
        raise InvalidInstrument(f"{root} cannot expire on {expiry}: not a session")


def _months(first: date, last: date) -> list[tuple[int, int]]:
    """Return (year, month) of every month from ``first`` to ``last``."""
    start = first.year * _DECEMBER + first.month - 1
    stop = last.year * _DECEMBER + last.month
    return [(index // _DECEMBER, index % _DECEMBER + 1) for index in range(start, stop)]
