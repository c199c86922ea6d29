"""The shipped run: seconds, decisions per second, peak memory, and where the time goes.

Prints one JSON document. The first run, in a process of its own, gives the figures; a second,
profiled one over the crash's first weeks only says which part of the code the time is spent in.
"""

import cProfile
import json
import pstats
import subprocess
import sys
import tempfile
from pathlib import Path

from bot.app.config.loader import load_config
from bot.app.paths import run_paths
from bot.app.reports import RunOptions
from bot.app.run import run_bot

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "paper_config.yaml"
PROFILED = ["broker.market.from=2020-02-20", "broker.market.to=2020-03-13"]
# The first pattern that a file's path contains names its part
PARTS = (
    ("state/", "persistence"),
    ("sqlalchemy", "persistence"),
    ("sqlite3", "persistence"),
    ("zlib", "persistence"),
    ("strategies/", "decision"),
    ("bot/exchange", "simulated market"),
    ("bot/brokers", "simulated market"),
    ("bot/history", "simulated market"),
    ("bot/", "engine"),
    ("apscheduler", "engine"),
    ("asyncio", "engine"),
    ("numpy", "numpy and scipy"),
    ("scipy", "numpy and scipy"),
)


class Silent:
    """An observer that looks away."""

    def on_interval(self, report):
        """Ignore an interval."""

    def on_session(self, report):
        """Ignore a session."""


def headline(folder):
    """Run ``alvh run`` in a process of its own and return its summary's figures."""
    command = [sys.executable, "-m", "bot.app", "run", "--config", str(CONFIG)]
    command += ["--state-dir", str(folder), "--format", "json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    summary = json.loads(done.stdout)
    return {
        "seconds": round(summary["seconds"], 1),
        "decisions": summary["decisions"],
        "decisions_per_second": round(summary["decisions"] / summary["seconds"], 1),
        "orders": summary["orders"],
        "fills": summary["fills"],
        "peak_memory_mb": round(summary["peak_memory_mb"]),
        "database_mb": round(Path(summary["database"]).stat().st_size / 1e6, 1),
        "limits": {"seconds": 60, "peak_memory_mb": 500},
    }


def shares(folder):
    """Profile a shorter run and return the share of own time of each part of the code."""
    config = load_config(CONFIG, environment={}, flags=PROFILED)
    paths = run_paths(folder, mode=config.mode, account=config.account)
    profile = cProfile.Profile()
    profile.runcall(run_bot, config, paths, RunOptions(), Silent())
    spent = dict.fromkeys([*dict(PARTS).values(), "rest"], 0.0)
    for (file, _, name), (_, _, own_s, _, _) in pstats.Stats(profile).stats.items():
        place = f"{file} {name}".replace(str(ROOT), "")
        part = next((part for pattern, part in PARTS if pattern in place), "rest")
        spent[part] += own_s
    total = sum(spent.values())
    return {part: round(seconds / total, 3) for part, seconds in spent.items()}


def main():
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        figures = headline(Path(folder) / "whole")
        figures["share_of_time"] = shares(Path(folder) / "profiled")
    print(json.dumps({"shipped_run": figures}, indent=2))


if __name__ == "__main__":
    main()
