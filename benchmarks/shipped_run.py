"""The shipped run: seconds, decisions per second, peak memory, and where the time goes.

Prints one JSON document. The first run, in a process of its own, gives the figures; a second,
profiled one over the crash's first weeks only says for which part of the code the time is spent:
what a library or a built-in takes counts with the part that called it.
"""

import cProfile
import json
import os
import pstats
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bot.app.config.loader import load_config
from bot.app.paths import run_paths
from bot.app.reports import RunOptions
from bot.app.run import run_bot

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / "paper_config.yaml"
PROFILED = ["broker.market.from=2020-02-20", "broker.market.to=2020-03-13"]
# The first pattern that a file's path, below the checkout, begins with names its part
PARTS = (
    ("/state/", "persistence"),
    ("/strategies/model/encoding", "encoding"),
    ("/strategies/signals/", "decision: signals"),
    ("/strategies/condor/", "decision: condors"),
    ("/strategies/alvh/", "decision: hedge"),
    ("/strategies/", "decision: values, measures and the rest"),
    ("/bot/exchange/", "simulated market"),
    ("/bot/brokers/", "simulated market"),
    ("/bot/history/", "simulated market"),
    ("/bot/engine/", "engine"),
    ("/bot/", "start, schedule and reports"),
)
REST = "event loop and the rest"
_STEPS_UP = 25


class Silent:
    """An observer that looks away."""

    def on_interval(self, report):
        """Ignore an interval."""

    def on_session(self, report):
        """Ignore a session."""

    def on_note(self, text):
        """Ignore a note."""


def headline(folder):
    """Run ``alvh run`` in a process of its own and return its summary's figures."""
    command = [sys.executable, "-m", "bot.app", "run", "--config", str(CONFIG)]
    command += ["--state-dir", str(folder), "--format", "json"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True)
    summary = json.loads(done.stdout)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "seconds": round(summary["seconds"], 1),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
        "decisions": summary["decisions"],
        "decisions_per_second": round(summary["decisions"] / summary["seconds"], 1),
        "orders": summary["orders"],
        "fills": summary["fills"],
        "peak_memory_mb": round(summary["peak_memory_mb"]),
        "database_mb": round(Path(summary["database"]).stat().st_size / 1e6, 1),
        "limits": {"seconds": 60, "peak_memory_mb": 500},
    }


def shares(folder):
    """Profile a shorter run and return the share of time each part of the code is the cause of."""
    config = load_config(CONFIG, environment={}, flags=PROFILED)
    paths = run_paths(folder, mode=config.mode, account=config.account)
    profile = cProfile.Profile()
    profile.runcall(run_bot, config, paths, RunOptions(), Silent())
    stats = pstats.Stats(profile).stats
    causes = causes_of({name: callers for name, (_, _, _, _, callers) in stats.items()})
    spent = dict.fromkeys([*dict(PARTS).values(), REST], 0.0)
    for function, (_, _, own_s, _, _) in stats.items():
        for part, share in causes[function].items():
            spent[part] += share * own_s
        spent[REST] += (1.0 - sum(causes[function].values())) * own_s
    total = sum(spent.values())
    ranked = sorted(spent.items(), key=lambda item: -item[1])
    return {part: round(seconds / total, 3) for part, seconds in ranked}


def causes_of(callers):
    """Return by function the share of each part in its calls.

    A function of no part is there for its callers, in the proportion in which they spent time in
    it; going up a caller at a time, and round where they call each other.
    """
    parts = {function: part_of(function[0]) for function in callers}
    causes = {function: {part: 1.0} if part else {} for function, part in parts.items()}
    for _ in range(_STEPS_UP):
        for function in (each for each, part in parts.items() if part is None):
            total = sum(spent for _, _, _, spent in callers[function].values()) or 1.0
            found = {}
            for caller, (_, _, _, spent) in callers[function].items():
                for part, share in causes.get(caller, {}).items():
                    found[part] = found.get(part, 0.0) + share * spent / total
            causes[function] = found
    return causes


def part_of(file):
    """Return the part that a file belongs to; None for libraries and built-ins."""
    if not file.startswith(str(ROOT)) or "site-packages" in file:
        return None
    place = file.removeprefix(str(ROOT))
    return next((part for pattern, part in PARTS if place.startswith(pattern)), None)


def main():
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        figures = headline(Path(folder) / "whole")
        figures["share_of_time"] = shares(Path(folder) / "profiled")
    print(json.dumps({"shipped_run": figures}, indent=2))


if __name__ == "__main__":
    main()
