"""The command line as a user's shell runs it: a folder with the shipped files, and a process."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[3]
DATABASE = Path("var/simulated-DU0000001.sqlite")


def alvh(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "bot.app", *arguments],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def start(*arguments: str, cwd: Path) -> subprocess.Popen[str]:
    """Start a command and return while it runs."""
    return subprocess.Popen(
        [sys.executable, "-m", "bot.app", *arguments],
        cwd=cwd,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def environment() -> dict[str, str]:
    """Return this process's environment without a configuration of its own."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("ALVH_")}
    return {**kept, "PYTHONPATH": str(ROOT), "COLUMNS": "100"}


def shipped(folder: Path) -> Path:
    """Return ``folder`` with the shipped configuration in it."""
    for name in ("paper_config.yaml", "limits.yaml"):
        shutil.copy(ROOT / name, folder)
    return folder


def wait_for(condition: Callable[[], bool], seconds: float = 40.0) -> None:
    """Wait in real time until something holds."""
    ends_at = time.perf_counter() + seconds
    while not condition():
        assert time.perf_counter() < ends_at, "waited long enough"
