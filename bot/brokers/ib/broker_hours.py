"""Whether IB's trading hours agree with the trading calendar, read from its own words.

``20261120:0830-20261120:1515;20261121:CLOSED``, on the clocks of the contract's time zone. The
calendar may be tighter than IB, and is then what counts; a day that IB ends early or closes
altogether is one nobody has told the bot about (faults D11, D13).
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from strategies.model.calendars import EXCHANGE_ZONE, TradingCalendar
from strategies.model.errors import MissingData

_DAY: Final = re.compile(r"(\d{8}):(?:CLOSED|\d{4}-(\d{8}):(\d{4}))")
# Hours of an index may end some minutes before those of its options
_EARLIER_BY: Final = timedelta(hours=1)


def surprising_days(hours: str, zone_name: str, calendar: TradingCalendar) -> list[str]:
    """Return the days that IB closes, or ends early, and the calendar does not, in words.

    Args:
        hours: IB's ``liquidHours``; what cannot be read is no word on that day.
        zone_name: IB's ``timeZoneId``.
        calendar: The bot's.
    """
    try:
        zone = ZoneInfo(zone_name)
    except (ZoneInfoNotFoundError, ValueError):
        return []
    return [
        words
        for day, closes_at in sorted(_last_closes(hours, zone).items())
        if (words := _surprise(day, closes_at, calendar)) is not None
    ]


def _last_closes(hours: str, zone: ZoneInfo) -> dict[date, datetime | None]:
    """Return when each day ends; None where it is closed."""
    found: dict[date, datetime | None] = {}
    for day, closes_at in _closes(hours, zone):
        known = found.get(day)
        if known is None or (closes_at is not None and closes_at > known):
            found[day] = closes_at
    return found


def _closes(hours: str, zone: ZoneInfo) -> Iterator[tuple[date, datetime | None]]:
    for opens_on, closes_on, closes_at in _DAY.findall(hours):
        try:
            day = _date(closes_on or opens_on)
            ends = time(int(closes_at[:2]), int(closes_at[2:])) if closes_at else None
        except ValueError:
            continue
        at = None if ends is None else datetime.combine(day, ends, tzinfo=zone)
        yield day, None if at is None else at.astimezone(UTC)


def _date(digits: str) -> date:
    return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))


def _surprise(day: date, closes_at: datetime | None, calendar: TradingCalendar) -> str | None:
    try:
        if not calendar.is_session(day):
            return None
    except MissingData:  # beyond the calendar nothing is traded anyway
        return None
    ours = calendar.closes_at(day)
    if closes_at is None:
        return f"{day} is closed"
    if closes_at <= ours - _EARLIER_BY:
        local = closes_at.astimezone(EXCHANGE_ZONE)
        return f"{day} closes at {local:%H:%M}, not {ours.astimezone(EXCHANGE_ZONE):%H:%M}"
    return None
