"""Days that are not ordinary sessions, as read from a ``date,kind,reason`` file.

The bundled table and the operator's overrides have the same form.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Final, TextIO

from bot.errors import BotError

MAX_BYTES: Final = 1024 * 1024
_HEADER: Final = ("date", "kind", "reason")
_SATURDAY: Final = 5


class DayKind(StrEnum):
    """What a day is, from loosest to tightest."""

    OPEN = "open"
    EARLY_CLOSE = "early_close"
    CLOSED = "closed"

    @property
    def tightness(self) -> int:
        """How little trading the day allows: 0, 1 or 2."""
        return list(DayKind).index(self)


@dataclass(frozen=True, slots=True, order=True)
class SpecialDay:
    """A weekday on which the exchange is closed or closes early."""

    day: date
    kind: DayKind
    reason: str


class CalendarFileInvalid(BotError):
    """A calendar file that cannot be used, and where and why."""

    def __init__(
        self, path: Path, expected: str, *, row: int | None = None, column: str | None = None
    ) -> None:
        """Say what was expected at a place in a file; ``row`` is a line number."""
        self.path = path
        self.row = row
        self.column = column
        self.expected = expected
        place = str(path)
        if row is not None:
            place += f", row {row}"
        if column is not None:
            place += f", column '{column}'"
        super().__init__(f"{place}: {expected}")


def read_special_days(path: Path) -> tuple[SpecialDay, ...]:
    """Return the days of a ``date,kind,reason`` CSV file, by date, the tightest kind of each.

    A file with a header and no rows is valid: nothing is overridden.

    Raises: CalendarFileInvalid.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise CalendarFileInvalid(path, f"expected at most {MAX_BYTES:,} bytes, found {size:,}")
        with path.open(encoding="utf-8-sig", newline="") as file:
            days = sorted(_rows(path, file), key=_by_tightness)
    except OSError as cause:
        raise CalendarFileInvalid(path, f"cannot be read: {cause.strerror}") from cause
    except UnicodeDecodeError as cause:
        raise CalendarFileInvalid(path, f"expected UTF-8 text: {cause.reason}") from cause
    except csv.Error as cause:
        raise CalendarFileInvalid(path, f"expected comma-separated text: {cause}") from cause
    return tuple({special.day: special for special in days}.values())


def _by_tightness(special: SpecialDay) -> tuple[date, int]:
    return special.day, special.kind.tightness


def _rows(path: Path, file: TextIO) -> Iterator[SpecialDay]:
    reader = csv.reader(file, strict=True)
    header = tuple(name.strip().lower() for name in next(reader, []))
    if header != _HEADER:
        found = ",".join(header) or "nothing"
        raise CalendarFileInvalid(
            path, f"expected the header {','.join(_HEADER)}, found {found}", row=1
        )
    for cells in reader:
        if not cells:
            continue
        row = reader.line_num
        if len(cells) != len(_HEADER):
            raise CalendarFileInvalid(
                path, f"expected {len(_HEADER)} fields, found {len(cells)}", row=row
            )
        day_text, kind_text, reason = (cell.strip() for cell in cells)
        yield SpecialDay(_day(path, row, day_text), _kind(path, row, kind_text), reason)


def _day(path: Path, row: int, text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise CalendarFileInvalid(
            path,
            f"expected a date written 2026-12-24, found '{text[:40]}'",
            row=row,
            column="date",
        ) from None
    if day.weekday() >= _SATURDAY:
        raise CalendarFileInvalid(
            path, f"expected a weekday, found {day} ({day:%A})", row=row, column="date"
        )
    return day


def _kind(path: Path, row: int, text: str) -> DayKind:
    try:
        return DayKind(text.lower())
    except ValueError:
        kinds = ", ".join(DayKind)
        raise CalendarFileInvalid(
            path, f"expected one of {kinds}, found '{text[:40]}'", row=row, column="kind"
        ) from None
