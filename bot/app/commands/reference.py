"""`alvh calendar` and `alvh data list`: what the bot knows of dates and of history."""

from pathlib import Path

from bot.app.commands.inputs import read_config
from bot.app.exit_codes import ExitCode
from bot.app.render.tables import Grid, print_grid
from bot.calendars.listing import calendar_rows
from bot.clock import SystemClock
from bot.history.store import History
from strategies.model.calendars import EXCHANGE_ZONE

_CALENDAR_COLUMNS = ("date", "kind", "weekday", "last_trade", "settlement", "note")
_SERIES_COLUMNS = ("name", "first", "last", "rows", "gaps", "age_days", "source", "note")


def calendar_command(symbol: str, year: int, overrides: Path | None, *, output: str) -> ExitCode:
    """Print the expiries, holidays and early closes of one symbol and year."""
    rows = tuple(
        tuple(row[name] for name in _CALENDAR_COLUMNS)
        for row in calendar_rows(symbol, year, overrides)
    )
    title = f"{symbol.upper()} {year} (New York time)"
    print_grid(Grid(columns=_CALENDAR_COLUMNS, rows=rows, title=title), output)
    return ExitCode.OK


def data_list_command(config: Path | None, *, output: str) -> ExitCode:
    """Print what history there is, the user's files counted in where a configuration names them."""
    overrides: dict[str, Path] = {}
    if config is not None:
        loaded = read_config(config, ())
        named = loaded.bot.history.overrides.items()
        overrides = {name: loaded.resolve(path) for name, path in named}
    today = SystemClock().now().astimezone(EXCHANGE_ZONE).date()
    rows = tuple(
        tuple(getattr(series, name) for name in _SERIES_COLUMNS)
        for series in History.bundled(overrides).describe(today)
    )
    print_grid(Grid(columns=_SERIES_COLUMNS, rows=rows, title="History"), output)
    return ExitCode.OK
