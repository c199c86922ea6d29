"""Builds the trading calendar of Cboe index options.

NYSE sessions, from a table bundled for 1990 to 2030 and from the calendar library outside it; on
every NYSE half day index options close at 13:15, 24 December and 3 July included; then the
operator's overrides, because circulars override the rules.
"""

from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Final

from bot.calendars.library import library_special_days, weekdays
from bot.calendars.special_days import DayKind, SpecialDay, read_special_days
from strategies.model.calendars import TradingCalendar

BUNDLED_TABLE: Final = Path(__file__).with_name("data") / "special_days.csv"
TABLE_FIRST: Final = date(1990, 1, 1)
TABLE_LAST: Final = date(2030, 12, 31)


def build_calendar(first: date, last: date, overrides: Path | None = None) -> TradingCalendar:
    """Return the sessions from ``first`` to ``last``, both included.

    An expiry rule looks up to two months past the expiry; leave that margin.

    Args:
        first: First day that may be asked about.
        last: Last day that may be asked about.
        overrides: A ``date,kind,reason`` CSV file; see ``special_days``.

    Raises: CalendarFileInvalid.
    """
    kinds = {special.day: special.kind for special in special_days(first, last, overrides)}
    return TradingCalendar(
        sessions=tuple(
            day for day in weekdays(first, last) if kinds.get(day) is not DayKind.CLOSED
        ),
        early_closes=frozenset(day for day, kind in kinds.items() if kind is DayKind.EARLY_CLOSE),
    )


def special_days(first: date, last: date, overrides: Path | None = None) -> tuple[SpecialDay, ...]:
    """Return the closures and early closes from ``first`` to ``last``, by date.

    The tightest of table and overrides wins, except that an ``open`` row cancels what the table
    says about its day.

    Raises: CalendarFileInvalid.
    """
    days = {special.day: special for special in _known_days(first, last)}
    for theirs in read_special_days(overrides) if overrides is not None else ():
        ours = days.get(theirs.day)
        if theirs.kind is DayKind.OPEN:
            days.pop(theirs.day, None)
        elif first <= theirs.day <= last and (
            ours is None or theirs.kind.tightness > ours.kind.tightness
        ):
            days[theirs.day] = theirs
    return tuple(sorted(days.values()))


def library_disagreements(first: date, last: date) -> tuple[str, ...]:
    """Return where the bundled table and the installed calendar library differ, in words.

    Imports the library, which takes a second; for ``alvh check``.
    """
    first, last = max(first, TABLE_FIRST), min(last, TABLE_LAST)
    ours = {special.day: special.kind for special in _table() if first <= special.day <= last}
    theirs = {special.day: special.kind for special in library_special_days(first, last)}
    return tuple(
        f"{day}: table {ours.get(day, DayKind.OPEN)}, library {theirs.get(day, DayKind.OPEN)}"
        for day in sorted(ours.keys() | theirs.keys())
        if ours.get(day) is not theirs.get(day)
    )


def _known_days(first: date, last: date) -> list[SpecialDay]:
    known = [special for special in _table() if first <= special.day <= last]
    if first < TABLE_FIRST:
        known += library_special_days(first, min(last, TABLE_FIRST - timedelta(days=1)))
    if last > TABLE_LAST:
        known += library_special_days(max(first, TABLE_LAST + timedelta(days=1)), last)
    return known


@cache
def _table() -> tuple[SpecialDay, ...]:
    return read_special_days(BUNDLED_TABLE)
