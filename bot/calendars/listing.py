"""The rows of ``alvh calendar``: expiries of one symbol, holidays and early closes of a year."""

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Final

from bot.calendars.build import build_calendar, special_days
from bot.calendars.special_days import DayKind
from bot.errors import BotError
from strategies.model.calendars import EQUITIES_EARLY_CLOSE, OPTIONS_EARLY_CLOSE, TradingCalendar
from strategies.model.expiries import (
    future_instants,
    series_instants,
    spx_am_expiries,
    spxw_expiries,
    third_friday,
    vx_expiries,
)

_MARGIN: Final = timedelta(days=62)  # a VX expiry leans on the third Friday of the next month
_WEDNESDAY: Final = 2
_FRIDAY: Final = 4


class UnknownSymbol(BotError):
    """A symbol whose expiries nobody here knows."""


_EXPIRIES: Final[Mapping[str, Callable[[date, date, TradingCalendar], tuple[date, ...]]]] = {
    "SPX": spx_am_expiries,
    "SPXW": spxw_expiries,
    "VIX": vx_expiries,
    "VX": vx_expiries,
    "VXM": vx_expiries,
}
CALENDAR_SYMBOLS: Final = tuple(_EXPIRIES)
CALENDAR_YEARS: Final = range(1990, 2101)


def calendar_rows(symbol: str, year: int, overrides: Path | None = None) -> list[dict[str, str]]:
    """Return the expiries, holidays and early closes of a year, by date.

    Args:
        symbol: One of ``CALENDAR_SYMBOLS``, in any case.
        year: One of ``CALENDAR_YEARS``.
        overrides: The operator's ``date,kind,reason`` file.

    Returns: One row a date and event, every cell text: ``kind`` (expiry, holiday, early close),
        ``date``, ``weekday``, ``last_trade`` (New York time), ``settlement`` (AM or PM and the
        time), ``note``. Cells that do not apply are empty.

    Raises: UnknownSymbol, CalendarFileInvalid.
    """
    assert year in CALENDAR_YEARS, f"{year} is not in {CALENDAR_YEARS}"
    root = symbol.strip().upper()
    if root not in _EXPIRIES:
        known = ", ".join(CALENDAR_SYMBOLS)
        raise UnknownSymbol(f"no calendar for '{symbol}'; known: {known}")
    first, last = date(year, 1, 1), date(year, 12, 31)
    calendar = build_calendar(first - _MARGIN, last + _MARGIN, overrides)
    rows = [
        _expiry_row(root, expiry, calendar) for expiry in _EXPIRIES[root](first, last, calendar)
    ]
    for special in special_days(first, last, overrides):
        is_closed = special.kind is DayKind.CLOSED
        hours = f"index options {_clock(OPTIONS_EARLY_CLOSE)}, equities and expiring SPXW "
        rows.append(
            _row(
                kind="holiday" if is_closed else "early close",
                day=special.day,
                note=special.reason
                if is_closed
                else f"{special.reason}: {hours}{_clock(EQUITIES_EARLY_CLOSE)}",
            )
        )
    return sorted(rows, key=lambda row: (row["date"], row["kind"]))


def _expiry_row(root: str, expiry: date, calendar: TradingCalendar) -> dict[str, str]:
    if root in {"VX", "VXM"}:
        last_trade_at, settles_at = future_instants(expiry, calendar)
    else:
        series = series_instants(root, expiry, calendar)
        last_trade_at, settles_at = series.last_trade_at, series.settles_at
    return _row(
        kind="expiry",
        day=expiry,
        last_trade=f"{last_trade_at:%Y-%m-%d %H:%M}",
        settlement=f"{'PM' if root == 'SPXW' else 'AM'} {_clock(settles_at)}",
        note=_shift_note(root, expiry, calendar),
    )


def _shift_note(root: str, expiry: date, calendar: TradingCalendar) -> str:
    """Say why an expiry is not on its usual weekday."""
    if root == "SPXW":
        return "end of month" if calendar.next_session(expiry).month != expiry.month else ""
    if root == "SPX":
        return "" if expiry.weekday() == _FRIDAY else f"{expiry:%A}: the third Friday is a holiday"
    if expiry.weekday() == _WEDNESDAY:
        return ""
    month = expiry.replace(day=1) + timedelta(days=32)
    reference = third_friday(month.year, month.month)
    cause = "the Wednesday" if calendar.is_session(reference) else "the reference Friday"
    return f"{expiry:%A}: {cause} is a holiday"


def _row(
    *, kind: str, day: date, last_trade: str = "", settlement: str = "", note: str = ""
) -> dict[str, str]:
    return {
        "kind": kind,
        "date": day.isoformat(),
        "weekday": f"{day:%A}",
        "last_trade": last_trade,
        "settlement": settlement,
        "note": note,
    }


def _clock(at: datetime | time) -> str:
    return f"{at:%H:%M}"
