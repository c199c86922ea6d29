"""Rewrites the bundled table of holidays and half days: ``python -m bot.calendars.prepare``.

The table spares every start of the bot the second that importing the library takes, and does not
change under a running installation when the library does.
"""

import csv
from pathlib import Path

from bot.calendars.build import BUNDLED_TABLE, TABLE_FIRST, TABLE_LAST
from bot.calendars.library import library_special_days


def prepare(target: Path) -> None:
    """Write every special day from ``TABLE_FIRST`` to ``TABLE_LAST`` to ``target``."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["date", "kind", "reason"])
        for special in library_special_days(TABLE_FIRST, TABLE_LAST):
            writer.writerow([special.day.isoformat(), special.kind.value, special.reason])


if __name__ == "__main__":
    prepare(BUNDLED_TABLE)
