"""Tables: on a terminal as wide as fits 100 columns, for scripts as one JSON document or CSV."""

import csv
import io
import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Literal, Self

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from bot.app.render.console import data_console, print_json
from strategies.model.calendars import EXCHANGE_ZONE

_PADDING = 3  # columns a cell needs beside its text in SIMPLE_HEAD
_EDGES = 2
_WRAPPED_LEAST = 12  # text shorter than this does not wrap
_WRAPPED_MOST = 28  # a longer word is broken
_HIDDEN_NAMED = 4

Row = Sequence[object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Columns and rows to show. Rows hold plain values; formatting happens here."""

    columns: tuple[str, ...]  # most important first: the last ones give way on a narrow terminal
    rows: tuple[Row, ...]
    title: str = ""
    leading: int | None = None  # a terminal is shown at most this many columns; None = all


def print_grid(grid: Grid, output: str) -> None:
    """Write a grid to stdout as ``table``, ``json`` or ``csv``."""
    match output:
        case "json":
            print_json(grid_json(grid))
        case "csv":
            sys.stdout.write(grid_csv(grid))
        case _:
            print_table(data_console(), grid)


def grid_json(grid: Grid) -> str:
    """Return ``{"columns": [...], "rows": [{...}]}``: exact decimals, ISO-8601 UTC times."""
    rows = [
        {name: plain(value) for name, value in zip(grid.columns, row, strict=True)}
        for row in grid.rows
    ]
    return json.dumps({"columns": list(grid.columns), "rows": rows}, allow_nan=False)


def grid_csv(grid: Grid) -> str:
    """Return the grid as CSV with a header line; values as in JSON, nothing for null."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(grid.columns)
    for row in grid.rows:
        cells = [plain(value) for value in row]
        writer.writerow(["" if cell is None else _csv_cell(cell) for cell in cells])
    return buffer.getvalue()


def _csv_cell(cell: object) -> object:
    return json.dumps(cell) if isinstance(cell, bool | list | dict) else cell


def plain(value: object) -> Any:  # noqa: ANN401 JSON has no closed type
    """Return a value as JSON has it: decimals and times as text, tuples as lists."""
    match value:
        case Enum():
            return value.value
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case Decimal():
            return f"{value:f}"
        case datetime():
            return value.astimezone(UTC).isoformat()
        case date():
            return value.isoformat()
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case _:
            return str(value)


def print_table(console: Console, grid: Grid) -> None:
    """Write a grid for a person; columns that do not fit are named below it."""
    cells = [[cell_text(value) for value in row] for row in grid.rows]
    columns = [
        _Column.of(name, [row[index] for row in grid.rows], [row[index] for row in cells])
        for index, name in enumerate(grid.columns)
    ]
    widths = _fitted_widths(columns[: grid.leading], console.width)
    table = RichTable(box=SIMPLE_HEAD, title=grid.title or None, title_justify="left")
    for index, width in widths.items():
        column = columns[index]
        justify: Literal["left", "right"] = "right" if column.is_numeric else "left"
        table.add_column(column.heading, justify=justify, overflow="fold", width=width)
    for row in cells:
        table.add_row(*(Text(row[index]) for index in widths))
    console.print(table)
    if not grid.rows:
        console.print("  (no rows)")
    hidden = [name for index, name in enumerate(grid.columns) if index not in widths]
    if hidden:
        names = ", ".join(hidden[:_HIDDEN_NAMED]) + (", ..." if hidden[_HIDDEN_NAMED:] else "")
        plural = "s" if len(hidden) > 1 else ""
        console.print(Text(f"  and {len(hidden)} more column{plural} in --format json: {names}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    heading: str
    is_numeric: bool
    least: int  # characters below which it is not worth showing
    most: int  # characters that show everything

    @classmethod
    def of(cls, name: str, values: Sequence[object], texts: Sequence[str]) -> Self:
        heading = name.replace("_", " ")
        is_numeric = _is_numeric(values)
        longest = max((len(text) for text in texts), default=0)
        # Numbers and times are never broken; words may wrap, between words rather than inside
        word = max((len(word) for text in texts for word in text.split()), default=0)
        is_whole = is_numeric or any(isinstance(value, date) for value in values)
        cell = longest if is_whole else min(longest, max(_WRAPPED_LEAST, word))
        heading_word = max(len(word) for word in heading.split())
        return cls(
            heading=heading,
            is_numeric=is_numeric,
            least=max(heading_word, min(cell, _WRAPPED_MOST)),
            most=max(len(heading), longest),
        )


def _fitted_widths(columns: Sequence[_Column], width: int) -> dict[int, int]:
    """Return the width of each leading column that fits; what room is left goes to the narrow."""
    room = width - _EDGES
    widths: dict[int, int] = {}
    for index, column in enumerate(columns):
        if column.least + _PADDING <= room or not widths:
            widths[index] = min(column.least, width - _EDGES - _PADDING)
            room -= widths[index] + _PADDING
    for index in sorted(widths, key=lambda index: columns[index].most):
        more = min(room, columns[index].most - widths[index])
        widths[index] += max(0, more)
        room -= max(0, more)
    return widths


def _is_numeric(values: Sequence[object]) -> bool:
    known = [value for value in values if value is not None]
    return bool(known) and all(
        isinstance(value, int | float | Decimal) and not isinstance(value, bool) for value in known
    )


def cell_text(value: object) -> str:
    """Return a value as a person reads it: New York times, grouped thousands, blank for null."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case Enum():
            return str(value.value)
        case datetime():
            return f"{value.astimezone(EXCHANGE_ZONE):%Y-%m-%d %H:%M}"
        case date():
            return value.isoformat()
        case Decimal():
            return f"{value:,f}"
        case float():
            return f"{value:,.4g}" if abs(value) < 1 else f"{value:,.2f}"
        case int():
            return f"{value:,}"
        case list() | tuple():
            return " ".join(cell_text(item) for item in value)
        case _:
            return str(value)
