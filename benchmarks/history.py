"""What reading history and building calendars costs; prints a table.

``python -m benchmarks.history``. Start-up figures are taken in fresh processes, because the second
import is free.
"""

import statistics
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from time import perf_counter

from bot.calendars.build import build_calendar
from bot.history.store import History
from strategies.model.expiries import spxw_expiries

_FRESH = {
    "import bot.history.store": "import bot.history.store",
    "pyarrow, then SPX, VIX and VX": (
        "from bot.history.store import History; history = History.bundled();"
        "history.daily('SPX'); history.daily('VIX'); history.vx_settlements()"
    ),
    "import bot.calendars, build three years": (
        "from datetime import date; from bot.calendars.build import build_calendar;"
        "build_calendar(date(2018, 1, 1), date(2021, 3, 31))"
    ),
}


def fresh_seconds(program: str, repeats: int = 5) -> float:
    """Return the median seconds a statement takes in a new interpreter, without its start."""
    timed = f"from time import perf_counter; t = perf_counter(); {program}; print(perf_counter()-t)"
    runs = [
        subprocess.run([sys.executable, "-c", timed], check=True, capture_output=True, text=True)
        for _ in range(repeats)
    ]
    return statistics.median(float(run.stdout) for run in runs)


def warm_seconds(call: Callable[[], object], repeats: int) -> float:
    """Return the median seconds of a call in this process, after one that is not counted."""
    call()
    seconds = []
    for _ in range(repeats):
        started = perf_counter()
        call()
        seconds.append(perf_counter() - started)
    return statistics.median(seconds)


def read_core() -> None:
    """Read what every replay needs."""
    history = History.bundled()
    history.daily("SPX")
    history.daily("VIX")
    history.vx_settlements()


def main() -> None:
    """Measure and print."""
    for name, program in _FRESH.items():
        print(f"{name:<44} {fresh_seconds(program) * 1e3:10.2f} ms")
    history = History.bundled()
    calendar = build_calendar(date(2018, 1, 1), date(2021, 3, 31))
    session = date(2020, 3, 16)
    calls: dict[str, tuple[Callable[[], object], int]] = {
        "read SPX, VIX and VX": (read_core, 20),
        "daily_history": (lambda: history.daily_history(session), 2000),
        "events_ahead": (lambda: history.events_ahead(session, calendar), 2000),
        "vx_contracts_on": (lambda: history.vx_contracts_on(session), 2000),
        "rate_on": (lambda: history.rate_on(session), 2000),
        "spxw_expiries, 90 days": (
            lambda: spxw_expiries(session, date(2020, 6, 14), calendar),
            500,
        ),
        "fingerprint of a new History": (lambda: History.bundled().fingerprint(), 20),
        "describe": (lambda: History.bundled().describe(date(2026, 11, 20)), 10),
    }
    for name, (call, repeats) in calls.items():
        print(f"{name:<44} {warm_seconds(call, repeats) * 1e3:10.4f} ms")


if __name__ == "__main__":
    main()
