"""Real kills of real processes at random instants (fault C1); the rest is in ``sigkill``."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("kills", [6, pytest.param(500, marks=pytest.mark.slow)])
def test_a_bot_that_is_killed_anywhere_ends_with_the_books_of_its_exchange(
    tmp_path, kills, record_property
):
    """Fault C1: SIGKILL, restart, until the story ends; then ledger and exchange agree."""
    command = [sys.executable, "-m", "tests.simulation.sigkill", "--seed", "1"]
    done = subprocess.run(
        [*command, "--kills", str(kills), "--out", str(tmp_path / "evidence.json")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    evidence = json.loads((tmp_path / "evidence.json").read_text())
    assert evidence["kills"] >= kills
    assert evidence["failures"] == []
    record_property("kills", evidence["kills"])
