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
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from bot.app.render.console import data_console, print_json
from strategies.model.calendars import EXCHANGE_ZONE

_PADDING = 3  # columns a cell needs beside its text in SIMPLE_HEAD
_EDGES = 2
_CELL_WIDTH_MAX = 48  # longer text wraps inside its cell
_CELL_WIDTH_MIN = 8

Row = Sequence[object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Columns and rows to show. Rows hold plain values; formatting happens here."""

    columns: tuple[str, ...]  # most important first: the last ones give way on a narrow terminal
    rows: tuple[Row, ...]
    title: str = ""


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
    shown = _columns_that_fit(grid.columns, cells, console.width)
    table = RichTable(box=SIMPLE_HEAD, title=grid.title or None, title_justify="left")
    for index in shown:
        right = _is_numeric(row[index] for row in grid.rows)
        table.add_column(
            grid.columns[index].replace("_", " "),
            justify="right" if right else "left",
            overflow="fold",
            no_wrap=right,
            min_width=min(_CELL_WIDTH_MIN, max((len(row[index]) for row in cells), default=0)),
        )
    for row in cells:
        table.add_row(*(Text(row[index]) for index in shown))
    console.print(table)
    if not grid.rows:
        console.print("  (no rows)")
    hidden = [name for index, name in enumerate(grid.columns) if index not in shown]
    if hidden:
        console.print(Text(f"  not shown here: {', '.join(hidden)} (use --format json)"))


def _columns_that_fit(
    columns: Sequence[str], cells: Sequence[Sequence[str]], width: int
) -> list[int]:
    """Return the indices of the leading columns that fit, shrinking text before dropping any."""
    room = width - _EDGES
    shown: list[int] = []
    for index, name in enumerate(columns):
        longest = max((len(row[index]) for row in cells), default=0)
        needed = max(len(name), min(longest, _CELL_WIDTH_MAX)) + _PADDING
        if shown and needed > room:
            if longest <= _CELL_WIDTH_MIN or room < max(len(name), _CELL_WIDTH_MIN) + _PADDING:
                continue
            needed = room
        shown.append(index)
        room -= needed
    return shown


def _is_numeric(values: Any) -> bool:  # noqa: ANN401 any iterable of values
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
