"""`alvh price`: implied vol and greeks of a quote file."""

import sys
from pathlib import Path

from bot.app.exit_codes import CommandFailed, ExitCode
from bot.app.pricing_file import ADDED, NUMERIC, QuoteFileInvalid, price_quotes, read_quotes
from bot.app.render.console import note
from bot.app.render.tables import Grid, print_grid

_SHOWN = 6  # row numbers named in the note


def price_command(source: str, *, output: str) -> ExitCode:
    """Print the quotes with implied vol and greeks; ``-`` reads stdin."""
    try:
        if source == "-":
            quotes = read_quotes(sys.stdin, "stdin")
        else:
            with Path(source).open(encoding="utf-8-sig", newline="") as lines:
                quotes = read_quotes(lines, source)
    except QuoteFileInvalid as cause:
        raise CommandFailed(str(cause), ExitCode.USAGE) from cause
    except OSError as cause:
        message = f"{source}: cannot be read: {cause.strerror}"
        raise CommandFailed(message, ExitCode.USAGE) from cause
    except UnicodeDecodeError as cause:
        message = f"{source}: not UTF-8 text; expected a CSV file"
        raise CommandFailed(message, ExitCode.USAGE) from cause
    priced = price_quotes(quotes)
    grid = Grid(columns=priced.columns, rows=priced.rows)
    if output != "csv":  # which gives the input back as it was
        grid = _with_numbers(grid)
    if output == "table":  # a narrow terminal should lose input columns, not results
        grid = _results_first(grid)
    print_grid(grid, output)
    if priced.unpriced:
        named = ", ".join(str(row) for row in priced.unpriced[:_SHOWN])
        more = "" if len(priced.unpriced) <= _SHOWN else ", ..."
        note(
            f"{len(priced.unpriced)} of {len(priced.rows)} rows have no implied vol: no vol "
            f"explains their price (rows {named}{more})"
        )
    return ExitCode.OK


def _with_numbers(grid: Grid) -> Grid:
    numeric = {index for index, name in enumerate(grid.columns) if name in NUMERIC}
    rows = tuple(
        tuple(_number(cell) if index in numeric else cell for index, cell in enumerate(row))
        for row in grid.rows
    )
    return Grid(columns=grid.columns, rows=rows)


def _number(cell: object) -> object:
    try:
        return float(str(cell))
    except ValueError:  # bid and ask are not read where there is a price
        return cell


def _results_first(grid: Grid) -> Grid:
    leading = [name for name in ("strike", "right", *ADDED) if name in grid.columns]
    order = [*leading, *(name for name in grid.columns if name not in leading)]
    indices = [grid.columns.index(name) for name in order]
    rows = tuple(tuple(row[index] for index in indices) for row in grid.rows)
    return Grid(columns=tuple(order), rows=rows)
