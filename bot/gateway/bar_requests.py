"""What a request for bars asks for, and which requests IB refuses."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot.errors import BotError
from strategies.model.calendars import EXCHANGE_ZONE

DAY: Final = timedelta(days=1)
_SIZES: Final[dict[str, timedelta]] = {
    **{f"{n} sec{'s' * many}": timedelta(seconds=n) for n in (1, 5, 10, 15, 30) for many in (0, 1)},
    **{
        f"{n} min{'s' * many}": timedelta(minutes=n)
        for n in (1, 2, 3, 5, 10, 15, 20, 30)
        for many in (0, 1)
    },
    **{f"{n} hour{'s' * many}": timedelta(hours=n) for n in (1, 2, 3, 4, 8) for many in (0, 1)},
    "1 day": DAY,
    **dict.fromkeys(("1 week", "1W", "1 W"), 7 * DAY),
    **dict.fromkeys(("1 month", "1M", "1 M"), 30 * DAY),
}
_UNIT_DAYS: Final = {"D": 1, "W": 7, "M": 30, "Y": 365}
_DURATION: Final = re.compile(r"(\d{1,5}) ?([SDWMY])")
_SECONDS_MOST: Final = 86_400
_DAYS_MOST: Final = 365
_END: Final = re.compile(r"(\d{8})[ -]+(\d{2}:\d{2}:\d{2})(?: (\S+))?")
_WRONG_END: Final = (
    "End Date/Time: The date, time, or time-zone entered is invalid. The correct format is "
    "yyyymmdd hh:mm:ss xx/xxxx where yyyymmdd and xx/xxxx are optional."
)
_SHOWN: Final = frozenset(
    (
        *("TRADES", "MIDPOINT", "BID", "ASK", "BID_ASK", "ADJUSTED_LAST", "SCHEDULE"),
        *("HISTORICAL_VOLATILITY", "OPTION_IMPLIED_VOLATILITY", "FEE_RATE", "AGGTRADES"),
        *("YIELD_BID", "YIELD_ASK", "YIELD_BID_ASK", "YIELD_LAST"),
    )
)


class BarsRefused(BotError):
    """A request for bars without an answer; ``code`` and ``text`` are what IB sends."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


def invalid(cause: str) -> BarsRefused:
    """Return the error of a request that cannot be read."""
    return BarsRefused(321, f"Error validating request.-'bI' : cause - {cause}")


def history_error(cause: str) -> BarsRefused:
    """Return the error of a request that can be read and has no answer."""
    return BarsRefused(162, f"Historical Market Data Service error message:{cause}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BarRequest:
    """A request for bars, read and found to be in order."""

    req_id: int
    end: datetime | None  # None = now
    size: timedelta  # a day, a week (7 days), a month (30 days), or less than a day
    seconds: int  # how far back, if asked in seconds; else 0
    days: int  # else, in days: sessions where the unit is D
    in_sessions: bool
    shown: str  # TRADES, MIDPOINT, BID, ASK, BID_ASK ...
    is_epoch: bool  # formatDate 2: intraday bars dated in seconds since 1970
    keep_up_to_date: bool

    @property
    def is_intraday(self) -> bool:
        """Whether bars are shorter than a day."""
        return self.size < DAY


def read_bar_request(values: Mapping[str, Any]) -> BarRequest:
    """Return what a reqHistoricalData asks for; raises BarsRefused (321)."""
    size = _SIZES.get(values["barSize"].strip())
    if size is None:
        raise invalid(
            "Historical data bar size setting is invalid. Legal ones are: 1 secs, 5 secs, "
            "10 secs, 15 secs, 30 secs, 1 min, 2 mins, 3 mins, 5 mins, 10 mins, 15 mins, "
            "20 mins, 30 mins, 1 hour, 2 hours, 3 hours, 4 hours, 8 hours, 1 day, 1W, 1M"
        )
    seconds, days, in_sessions = _span(values["duration"])
    shown = values["whatToShow"].strip().upper()
    if shown not in _SHOWN:
        raise invalid("Please enter a valid whatToShow")
    if shown == "SCHEDULE" and size != DAY:
        raise invalid("Only 1 day bar size is supported for SCHEDULE")
    end = _end(values["endDateTime"])
    keep_up_to_date = bool(values.get("keepUpToDate", False))
    if keep_up_to_date and end is not None:
        raise invalid("End Date/Time: not supported with keepUpToDate")
    return BarRequest(
        req_id=values["reqId"],
        end=end,
        size=size,
        seconds=seconds,
        days=days,
        in_sessions=in_sessions,
        shown=shown,
        is_epoch=int(values.get("formatDate", 1)) == 2,  # noqa: PLR2004 IB's number
        keep_up_to_date=keep_up_to_date,
    )


def _span(text: str) -> tuple[int, int, bool]:
    """Return seconds, days, and whether days are sessions; one of the first two is zero."""
    found = _DURATION.fullmatch(text.strip().upper())
    if found is None or int(found.group(1)) == 0:
        raise invalid(
            "Historical data query duration string is invalid. Legal duration: "
            "an integer followed by a space and S, D, W, M or Y"
        )
    count, unit = int(found.group(1)), found.group(2)
    if unit == "S":
        if count > _SECONDS_MOST:
            raise invalid(
                "Historical data requests for durations longer than 86400 seconds "
                "must be made in days"
            )
        return count, 0, False
    days = count * _UNIT_DAYS[unit]
    if unit != "Y" and days > _DAYS_MOST:
        raise invalid(
            "Historical data requests for durations longer than 365 days must be made in years."
        )
    return 0, days, unit == "D"


def _end(text: str) -> datetime | None:
    """Return an end as an instant: with a zone, in UTC if spelled with a dash, else New York."""
    if not text.strip():
        return None
    found = _END.fullmatch(text.strip())
    if found is None:
        raise invalid(_WRONG_END)
    day, clock, zone_name = found.groups()
    try:
        local = datetime.strptime(f"{day} {clock}", "%Y%m%d %H:%M:%S")  # noqa: DTZ007 added below
        zone = ZoneInfo(zone_name) if zone_name else UTC if "-" in text else EXCHANGE_ZONE
    except (ValueError, ZoneInfoNotFoundError) as cause:
        raise invalid(_WRONG_END) from cause
    return local.replace(tzinfo=zone)
