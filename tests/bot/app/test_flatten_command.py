"""From a shell: everything is closed on request, and a reader that leaves fails nothing."""

import json
import subprocess
import sys
from datetime import datetime

from bot.engine.control import acknowledged_at
from tests.bot.app.shell import alvh, environment


def test_flatten_closes_the_account_and_halts_it_until_somebody_resumes(copy):
    answer = alvh("flatten", "--reason", "leaving", "--format", "json", cwd=copy)
    assert json.loads(answer.stdout)["command"] == "flatten"
    status = json.loads(alvh("status", "--format", "json", cwd=copy).stdout)
    assert status["status"]["scope"] == "flatten"
    assert "flattening" in alvh("status", cwd=copy).stdout
    refused = alvh("resume", "--reason", "back", cwd=copy)
    assert "not resumed: everything is being closed" in refused.stdout
    ran = alvh("run", "--until", "2020-02-04T12:00", "--format", "json", cwd=copy)
    assert ran.returncode == 1, "a halt stands"
    summary = json.loads(ran.stdout)
    assert summary["condors_open"] == 0
    status = json.loads(alvh("status", "--format", "json", cwd=copy).stdout)["status"]
    assert (status["state"], status["scope"]) == ("HALTED", "all")
    assert status["reason"] == "flat: leaving"
    assert (status["condors_open"], status["hedges_held"]) == (0, 0)
    replayed = alvh("audit", "replay", cwd=copy)
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr


def test_a_reader_that_leaves_does_not_fail_a_run(copy):
    """``alvh run | head -1`` ends as the run does."""
    run = subprocess.Popen(
        [sys.executable, "-m", "bot.app", "run", "--until", "2020-02-03"],
        cwd=copy,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert run.stdout is not None
    run.stdout.close()
    assert run.wait(timeout=120) == 0


def test_an_operator_can_say_that_somebody_has_looked(copy):
    assert alvh("status", "--ack", cwd=copy).returncode == 0
    seen = acknowledged_at(copy / "var" / "control" / "simulated-DU0000001")
    assert isinstance(seen, datetime)
