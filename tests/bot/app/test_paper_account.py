"""A paper account, played by a gateway in another process: what is proven before anything else."""

import json
import shutil
import signal
import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.app.cli import app
from bot.app.exit_codes import ExitCode
from tests.bot.app.test_gateway_command import started

ROOT = Path(__file__).parents[3]
CONFIG = """\
name: paper-test
limits: limits.yaml
broker:
  kind: ib_paper
  port: {port}
  client_id: 17
  account: {account}
"""


@pytest.fixture
def paper(tmp_path, monkeypatch):
    """A gateway in a process of its own; returns how to ask `alvh` about an account behind it."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "limits.yaml", tmp_path)
    process, port = started(tmp_path, "--market", "synthetic:7")

    def ask(*arguments: str, account: str = "DU0000001", port: int = port, more: str = ""):
        text = CONFIG.format(port=port, account=account) + more
        (tmp_path / "ib.yaml").write_text(text)
        return CliRunner().invoke(app, [*arguments, "--config", "ib.yaml"])

    yield ask
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == ExitCode.SIGTERM, errors


def test_a_check_looks_behind_the_connection(paper):
    result = paper("check", "--format", "json")
    rows = {row["check"]: row for row in json.loads(result.stdout)["rows"]}
    for check in ("connection", "account", "data farms", "SPX index", "VIX index"):
        assert rows[check]["outcome"] == "pass", rows[check]
    for root in ("SPX", "SPXW", "VIX", "VX", "VXM"):
        assert rows[root]["outcome"] == "pass", rows[root]
    assert rows["VIXW"]["outcome"] == "warn"
    assert "server version 176" in rows["connection"]["found"]
    assert "DU0000001" not in result.stdout.partition('"connection"')[2], "accounts are masked"


def test_a_shadow_is_checked_as_the_account_is_whose_quotes_it_reads(paper):
    result = paper(
        "check",
        "--format",
        "json",
        "--set",
        "broker.kind=ib_shadow",
        more="  starting_cash_usd: 1_000_000\n  seed: 7\n",
    )
    rows = {row["check"]: row for row in json.loads(result.stdout)["rows"]}
    for check in ("connection", "account", "SPXW", "VX"):
        assert rows[check]["outcome"] == "pass", rows[check]


def test_another_account_is_refused_for_safety_and_leaves_no_halt(paper):
    result = paper("run", "--once", account="DU7654321")
    assert result.exit_code == ExitCode.UNSAFE
    assert "is not among those of this login" in result.stderr
    status = paper("status", "--format", "json", account="DU7654321")
    assert status.exit_code == ExitCode.OK, status.output
    assert "HALTED" not in status.stdout


def test_a_closed_port_is_no_broker(paper):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and nobody listens
        result = paper("run", "--once", port=taken.getsockname()[1])
    assert result.exit_code == ExitCode.UNREACHABLE
    assert "nothing listens on 127.0.0.1" in result.stderr


def test_real_time_has_one_speed(paper):
    result = paper("run", "--speed", "60")
    assert result.exit_code == ExitCode.USAGE
    assert "runs in real time" in result.stderr
