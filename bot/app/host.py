"""What a run needs of the machine it runs on: room on the disk, time zones that are right."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from bot.app.exit_codes import CommandFailed, ExitCode

FREE_BYTES_MIN = 500_000_000  # a day of a busy account takes a hundredth of it
# Instants at which clocks are changed, and by how much UTC is ahead before and after. 2007 is the
# year in which the United States moved both; the rest is what the next two years rely on.
_TRANSITIONS = (
    ("America/New_York", datetime(2007, 3, 11, 7, tzinfo=UTC), -5, -4),
    ("America/New_York", datetime(2026, 11, 1, 6, tzinfo=UTC), -4, -5),
    ("America/New_York", datetime(2027, 3, 14, 7, tzinfo=UTC), -5, -4),
    ("America/Chicago", datetime(2026, 11, 1, 7, tzinfo=UTC), -5, -6),
    ("America/Chicago", datetime(2027, 3, 14, 8, tzinfo=UTC), -6, -5),
    ("Europe/Berlin", datetime(2027, 3, 28, 1, tzinfo=UTC), 1, 2),
)
_MOMENT = timedelta(seconds=1)


def wrong_transition() -> str | None:
    """Return a change of clocks that this machine's time zones do not know; None if they do.

    Raises: ZoneInfoNotFoundError, a KeyError, where there is no such zone at all.
    """
    for name, at, before, after in _TRANSITIONS:
        zone = ZoneInfo(name)
        for instant, hours in ((at - _MOMENT, before), (at, after)):
            if instant.astimezone(zone).utcoffset() != timedelta(hours=hours):
                return f"{name} at {instant.isoformat()} is not {hours:+d} hours from UTC"
    return None


def require_time_zones() -> None:
    """Refuse to run by time zones that are missing or out of date (fault C17).

    Raises: CommandFailed.
    """
    try:
        wrong = wrong_transition()
    except KeyError as cause:
        wrong = str(cause.args[0])
    if wrong is not None:
        message = f"time zones: {wrong}; update tzdata: the schedule would be an hour off"
        raise CommandFailed(message, ExitCode.UNSAFE)


def require_room(folder: Path) -> None:
    """Refuse to begin on a disk that is about to be full (fault C18).

    Raises: CommandFailed.
    """
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < FREE_BYTES_MIN:
        wanted = f"{FREE_BYTES_MIN / 1_000_000:,.0f} MB are wanted"
        message = f"{folder}/: {free / 1_000_000:,.0f} MB are free, {wanted} to begin with"
        raise CommandFailed(message, ExitCode.UNSAFE)
