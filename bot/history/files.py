"""Reads files that a user hands over to extend or replace a bundled series.

Nothing in such a file is believed: size, row count, columns, every date and every number are
checked, and the first fault is reported with the file, the row, the column and what was expected.
"""

import csv
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bot.errors import BotError
from strategies.model.snapshots import EventKind

Columns = dict[str, NDArray[Any]]

MAX_BYTES: Final = 32 * 1024 * 1024
MAX_ROWS: Final = 500_000
_MAX_UNPACKED_BYTES: Final = 512 * 1024 * 1024
_SATURDAY: Final = 5
_MAX_PRICE: Final = 1e6


class HistoryFileInvalid(BotError):
    """A history file that cannot be used, and where and why."""

    def __init__(
        self, path: Path, expected: str, *, row: int | None = None, column: str | None = None
    ) -> None:
        """Say what was expected at a place in a file.

        Args:
            path: The file.
            expected: What was expected and what was found instead.
            row: Line of a CSV file, or row of a parquet file counted from 1.
            column: Name of the column.
        """
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


class Unexpected(Exception):
    """A cell that is not what its column holds; the argument says what was expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLayout:
    """What the columns of a file must hold."""

    key: tuple[str, ...]  # columns that together name a row, once
    required: Mapping[str, Callable[[object], Any]]
    optional: Mapping[str, Callable[[object], Any]]
    check_row: Callable[[Mapping[str, Any]], None]  # raises Unexpected
    check_header: Callable[[list[str]], None] = lambda _names: None


def read_user_file(path: Path, layout: FileLayout) -> Columns:
    """Return the columns of a CSV or parquet file, checked and sorted by the key.

    Raises: HistoryFileInvalid.
    """
    return _to_columns(path, layout, parsed_rows(path, layout))


def parsed_rows(path: Path, layout: FileLayout) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the rows of a CSV or parquet file as they stand, each with its line or row number.

    Raises: HistoryFileInvalid.
    """
    for count, (number, cells) in enumerate(_rows(path, layout)):
        if count == MAX_ROWS:
            raise HistoryFileInvalid(path, f"expected at most {MAX_ROWS:,} rows", row=number)
        yield number, _parse_row(path, number, cells, layout)


def read_header(path: Path) -> list[str]:
    """Return the column names of a CSV or parquet file in lower case; raises HistoryFileInvalid."""
    header: list[str] = []

    def keep(found: list[str]) -> None:
        header.extend(found)

    anything = FileLayout(key=(), required={}, optional={}, check_row=accept, check_header=keep)
    next(_rows(path, anything), None)
    return header


def _rows(path: Path, layout: FileLayout) -> Iterator[tuple[int, Mapping[str, object]]]:
    try:
        size = path.stat().st_size
    except OSError as cause:
        raise HistoryFileInvalid(path, f"cannot be read: {cause.strerror}") from cause
    if size > MAX_BYTES:
        raise HistoryFileInvalid(path, f"expected at most {MAX_BYTES:,} bytes, found {size:,}")
    match path.suffix.lower():
        case ".csv":
            return _csv_rows(path, layout)
        case ".parquet":
            return _parquet_rows(path, layout)
        case suffix:
            raise HistoryFileInvalid(path, f"expected a .csv or .parquet file, found '{suffix}'")


def _to_columns(
    path: Path, layout: FileLayout, rows: Iterator[tuple[int, dict[str, Any]]]
) -> Columns:
    first_seen: dict[tuple[Any, ...], int] = {}
    values: list[dict[str, Any]] = []
    for number, row in rows:
        key = tuple(row[name] for name in layout.key)
        if key in first_seen:
            shown = " and ".join(str(part) for part in key)
            raise HistoryFileInvalid(
                path,
                f"expected each key once, but {shown} is already in row {first_seen[key]}",
                row=number,
                column=layout.key[0],
            )
        first_seen[key] = number
        values.append(row)
    if not values:
        raise HistoryFileInvalid(path, "expected at least one row of data, found none")
    values.sort(key=lambda row: tuple(row[name] for name in layout.key))
    names = [*layout.required, *layout.optional]
    return {name: _to_array([row[name] for row in values]) for name in names}


def _to_array(values: list[Any]) -> NDArray[Any]:
    match values[0]:
        case date():
            return np.array(values, dtype="datetime64[D]")
        case float():
            return np.array(values, dtype=np.float64)
        case _:
            return np.array(values, dtype=object)


def _parse_row(
    path: Path, number: int, cells: Mapping[str, object], layout: FileLayout
) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name, parse in (*layout.required.items(), *layout.optional.items()):
        try:
            row[name] = parse(cells.get(name))
        except Unexpected as fault:
            raise HistoryFileInvalid(path, str(fault), row=number, column=name) from None
    try:
        layout.check_row(row)
    except Unexpected as fault:
        raise HistoryFileInvalid(path, str(fault), row=number) from None
    return row


def _check_header(path: Path, header: list[str], layout: FileLayout) -> None:
    for name in header:
        if header.count(name) > 1:
            raise HistoryFileInvalid(path, "expected each column once", row=1, column=name)
    for name in layout.required:
        if name not in header:
            found = ", ".join(header) or "nothing"
            raise HistoryFileInvalid(
                path, f"expected this column in the header, found {found}", row=1, column=name
            )
    layout.check_header(header)


def _csv_rows(path: Path, layout: FileLayout) -> Iterator[tuple[int, Mapping[str, object]]]:
    try:
        # The signature that spreadsheets put in front is not part of the first column's name.
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = [name.strip().lower() for name in next(reader, [])]
            _check_header(path, header, layout)
            for cells in reader:
                if not cells:
                    continue
                if len(cells) != len(header):
                    raise HistoryFileInvalid(
                        path,
                        f"expected {len(header)} fields as in the header, found {len(cells)}",
                        row=reader.line_num,
                    )
                yield reader.line_num, dict(zip(header, cells, strict=True))
    except UnicodeDecodeError as cause:
        raise HistoryFileInvalid(path, f"expected UTF-8 text: {cause.reason}") from cause
    except csv.Error as cause:
        raise HistoryFileInvalid(path, f"expected comma-separated text: {cause}") from cause
    except OSError as cause:
        raise HistoryFileInvalid(path, f"cannot be read: {cause.strerror}") from cause


def _parquet_rows(path: Path, layout: FileLayout) -> Iterator[tuple[int, Mapping[str, object]]]:
    import pyarrow as pa  # most runs read no user file
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            facts = file.metadata
            if facts.num_rows > MAX_ROWS:
                raise HistoryFileInvalid(
                    path, f"expected at most {MAX_ROWS:,} rows, found {facts.num_rows:,}"
                )
            unpacked = sum(
                facts.row_group(index).total_byte_size for index in range(facts.num_row_groups)
            )
            if unpacked > _MAX_UNPACKED_BYTES:
                raise HistoryFileInvalid(
                    path,
                    f"expected at most {_MAX_UNPACKED_BYTES:,} bytes unpacked, found {unpacked:,}",
                )
            stored = file.schema_arrow.names
            header = [name.strip().lower() for name in stored]
            _check_header(path, header, layout)
            known = (*layout.required, *layout.optional)
            wanted = {name: own for name, own in zip(header, stored, strict=True) if name in known}
            table = file.read(columns=list(wanted.values()))
        for number, cells in enumerate(table.to_pylist(), start=1):
            yield number, {name: cells[own] for name, own in wanted.items()}
    except (pa.ArrowException, OSError, ValueError, OverflowError) as cause:
        # Damaged pages surface as any of these, dates beyond the year 9999 as OverflowError.
        raise HistoryFileInvalid(path, f"expected a parquet file: {cause}") from cause


def _shown(value: object) -> str:
    if value is None or value == "":
        return "nothing"
    text = str(value)
    return f"'{text[:40]}'"


def parse_day(value: object) -> date:
    """Return a day as a file writes it; raises Unexpected."""
    match value:
        case datetime():
            return value.date()
        case date():
            return value
        case str():
            with suppress(ValueError):
                return date.fromisoformat(value.strip())
        case _:
            pass
    raise Unexpected(f"expected a date written 2026-03-31, found {_shown(value)}")


def _parse_weekday(value: object) -> date:
    day = parse_day(value)
    if day.weekday() >= _SATURDAY:
        raise Unexpected(f"expected a weekday, found {day} ({day:%A})")
    return day


def number_between(low: float, high: float, meaning: str) -> Callable[[object], float]:
    """Return the parser of a number from ``low`` to ``high``, which raises Unexpected."""

    def parse(value: object) -> float:
        number = math.nan
        if isinstance(value, str) and "_" not in value:
            with suppress(ValueError):
                number = float(value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            number = float(value)
        if not low <= number <= high:  # also refuses NaN
            raise Unexpected(f"expected {meaning}, found {_shown(value)}")
        return number

    return parse


def _or_nan(parse: Callable[[object], float]) -> Callable[[object], float]:
    def parse_or_nan(value: object) -> float:
        is_absent = value is None or (isinstance(value, str) and not value.strip())
        return math.nan if is_absent else parse(value)

    return parse_or_nan


def _parse_event(value: object) -> EventKind:
    name = value.strip().lower() if isinstance(value, str) else ""
    try:
        return EventKind("fomc" if name == "fomc_decision" else name)
    except ValueError:
        kinds = ", ".join(EventKind)
        raise Unexpected(f"expected one of {kinds}, found {_shown(value)}") from None


def _parse_time(value: object) -> str | None:
    match value:
        case None | "":
            return None
        case time():
            return f"{value:%H:%M}"
        case str():
            with suppress(ValueError):
                return f"{time.fromisoformat(value.strip()):%H:%M}"
        case _:
            pass
    raise Unexpected(f"expected a time written 08:30, found {_shown(value)}")


def _check_range(row: Mapping[str, Any], inside: str | None) -> None:
    low, high = row["low"], row["high"]
    if low > high:
        raise Unexpected(f"expected low at or below high, found {low} and {high}")
    if inside is not None and (row[inside] < low or row[inside] > high):
        raise Unexpected(f"expected {inside} between low {low} and high {high}")


def _check_daily(row: Mapping[str, Any]) -> None:
    _check_range(row, "close")


def _check_future(row: Mapping[str, Any]) -> None:
    if row["trade_date"] > row["contract_expiry"]:
        raise Unexpected("expected trade_date on or before contract_expiry")
    _check_range(row, None)  # a settlement may lie outside what was traded


def accept(_row: Mapping[str, Any]) -> None:
    """Take any row."""


_PRICE = number_between(5e-324, _MAX_PRICE, "a price above 0")
_BARS = {name: _or_nan(_PRICE) for name in ("open", "high", "low")}
_PERCENT = number_between(-10.0, 100.0, "a rate in percent from -10 to 100")
_COUNT = number_between(0.0, 1e9, "a number of contracts, 0 or more")
_CLOSES = {
    "BREADTH": number_between(-1.0, 1.0, "a share from -1 to 1"),
    "RATE": _PERCENT,
    "BAA10Y": _PERCENT,
    "DBAA": _PERCENT,
    "T10Y3M": _PERCENT,
}

VX_LAYOUT: Final = FileLayout(
    key=("trade_date", "contract_expiry"),
    required={"trade_date": _parse_weekday, "contract_expiry": _parse_weekday, "settle": _PRICE},
    optional=_BARS,
    check_row=_check_future,
)
EVENTS_LAYOUT: Final = FileLayout(
    key=("date", "event"),
    required={"date": parse_day, "event": _parse_event},
    optional={"time_et": _parse_time},
    check_row=accept,
)
VIX_VOLUME_LAYOUT: Final = FileLayout(
    key=("date",),
    required={"date": _parse_weekday, "call_volume": _COUNT, "put_volume": _COUNT},
    optional={},
    check_row=accept,
)


def daily_layout(name: str) -> FileLayout:
    """Return what a file with one row a day must hold for the series ``name``."""
    if name in _CLOSES:
        required = {"date": _parse_weekday, "close": _CLOSES[name]}
        return FileLayout(key=("date",), required=required, optional={}, check_row=accept)
    return FileLayout(
        key=("date",),
        required={"date": _parse_weekday, "close": _PRICE},
        optional=_BARS,
        check_row=_check_daily,
    )
