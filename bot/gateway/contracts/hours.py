"""Trading hours in IB's words: ``20261120:0830-20261120:1515;20261121:CLOSED``.

Only the regular session trades here, so trading hours and liquid hours are the same.
"""

from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from bot.gateway.contracts.symbols import eight_digits
from strategies.model.calendars import EXCHANGE_ZONE, TradingCalendar
from strategies.model.errors import MissingData

_DAYS: Final = 7


def hours_text(
    calendar: TradingCalendar, first: date, zone: ZoneInfo, last_trade_at: datetime | None
) -> str:
    """Return the hours of a week from ``first`` on, on a zone's clocks.

    Args:
        calendar: Days it does not reach are left out.
        first: The first day.
        zone: Of the contract's ``timeZoneId``.
        last_trade_at: When the contract stops trading; None = never.
    """
    texts = []
    for offset in range(_DAYS):
        day = first + timedelta(days=offset)
        try:
            is_session = calendar.is_session(day)
        except MissingData:
            break
        texts.append(
            _day_text(calendar, day, zone, last_trade_at)
            if is_session
            else f"{eight_digits(day)}:CLOSED"
        )
    return ";".join(texts)


def local_day(at: datetime) -> date:
    """Return the day of an instant where the exchanges' sessions are counted."""
    return at.astimezone(EXCHANGE_ZONE).date()


def _day_text(
    calendar: TradingCalendar, day: date, zone: ZoneInfo, last_trade_at: datetime | None
) -> str:
    opens_at, closes_at = calendar.opens_at(day), calendar.closes_at(day)
    if last_trade_at is not None:
        closes_at = min(closes_at, last_trade_at)
    if closes_at <= opens_at:
        return f"{eight_digits(day)}:CLOSED"
    ends = (opens_at.astimezone(zone), closes_at.astimezone(zone))
    return "-".join(f"{end:%Y%m%d:%H%M}" for end in ends)
