"""What the commands read before they work: configuration, times, file names."""

import gzip
import os
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path

from bot.app.config.loader import LoadedConfig, load_config
from bot.app.exit_codes import CommandFailed, ExitCode
from bot.app.paths import RunPaths, run_paths
from bot.clock import SystemClock
from state.errors import InstanceRunning
from state.leases import Lease
from strategies.model.calendars import EXCHANGE_ZONE

_DATE_LENGTH = len("2020-03-09")


def read_config(path: Path, flags: Sequence[str]) -> LoadedConfig:
    """Return the effective configuration; raises ConfigInvalid."""
    return load_config(path, environment=os.environ, flags=flags)


def paths_of(config: LoadedConfig, state_dir: Path) -> RunPaths:
    """Return the files of the bot that a configuration names."""
    return run_paths(state_dir, mode=config.mode, account=config.account)


def parse_time(text: str | None, option: str, *, end_of_day: bool = False) -> datetime | None:
    """Return an instant typed by a person; without a zone it is New York time.

    A date alone is its first instant, or with ``end_of_day`` the first of the next day.

    Raises: CommandFailed.
    """
    if text is None:
        return None
    try:
        if len(text) == _DATE_LENGTH:
            midnight = datetime.combine(date.fromisoformat(text), datetime.min.time())
            if end_of_day:
                midnight += timedelta(days=1)
            return midnight.replace(tzinfo=EXCHANGE_ZONE)
        at = datetime.fromisoformat(text)
    except ValueError as cause:
        message = f"{option}: expected a time like 2020-03-09 or 2020-03-09T10:00, found {text!r}"
        raise CommandFailed(message, ExitCode.USAGE) from cause
    return at if at.tzinfo else at.replace(tzinfo=EXCHANGE_ZONE)


def write_text(path: Path, text: str) -> None:
    """Write a result file, packed where its name ends in .gz; raises CommandFailed if it cannot."""
    data = text.encode()
    try:
        path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
    except OSError as cause:
        message = f"{path}: cannot be written: {cause.strerror}"
        raise CommandFailed(message, ExitCode.USAGE) from cause


def process_of(database: Path) -> int | None:
    """Return the process that has a ledger; None if nobody has, 0 if it cannot be told which."""
    if not database.exists():
        return None
    try:
        Lease.take(database, SystemClock().now()).release()
    except InstanceRunning as running:
        return running.pid or 0
    return None
