"""`alvh gateway` as a process: it starts, serves a client, obeys its console, and ends in words."""

import asyncio
import re
import signal
import subprocess
import sys

import pytest
from ib_insync import IB, Index
from typer.testing import CliRunner

from bot.app.cli import app
from bot.app.exit_codes import ExitCode
from tests.bot.app.shell import environment


def started(folder, *options):
    """Start a gateway and return its process and port once it listens."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bot.app", "gateway", "--port", "0", *options],
        cwd=folder,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    line = process.stdout.readline()
    found = re.search(r"^SIMULATED IB Gateway: account DU\d+, port (\d+), ", line)
    assert found, line + process.stderr.read()
    return process, int(found[1])


def test_a_client_is_served_and_an_interrupt_ends_it(tmp_path):
    process, port = started(tmp_path, "--market", "replay:2020-02-24..2020-02-28")

    async def look():
        ib = IB()
        await ib.connectAsync("127.0.0.1", port, clientId=1, timeout=20)
        (spx,) = await ib.qualifyContractsAsync(Index("SPX", "CBOE"))
        at = await ib.reqCurrentTimeAsync()
        accounts = ib.managedAccounts()
        ib.disconnect()
        return spx.conId, at.date().isoformat(), accounts

    assert asyncio.run(look()) == (416904, "2020-02-24", ["DU0000001"])
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == ExitCode.SIGINT, errors


def test_the_console_takes_lines_and_quits(tmp_path):
    process, _ = started(tmp_path, "--console", "--market", "synthetic:3:2026-03-02..2026-03-06")
    answers, errors = process.communicate("status\nsell everything\nquit\n", timeout=30)
    assert process.returncode == ExitCode.OK, errors
    assert "account DU0000001 net 1000000.00" in answers
    assert "sell everything: how many?" in answers


def test_nights_are_skipped_and_the_end_of_the_market_ends_it(tmp_path):
    """Two sessions of six and three quarter hours at a speed that makes them seconds."""
    process, _ = started(tmp_path, "--speed", "10000", "--market", "replay:2020-02-27..2020-02-28")
    answers, errors = process.communicate(timeout=60)
    assert process.returncode == ExitCode.OK, errors
    assert "the market is over" in answers


@pytest.mark.parametrize(
    ("options", "code", "expected"),
    [
        (["--port", "7496"], ExitCode.UNSAFE, "port 7496 is where live gateways listen"),
        (["--account", "U1234567"], ExitCode.USAGE, "expected DU and 3 to 10 digits"),
        (["--market", "replay:1980-01-02..1980-02-01"], ExitCode.USAGE, "alvh data list"),
        (["--market", "replay:soon"], ExitCode.USAGE, "expected replay:FROM..TO"),
        (["--market", "replay:2020-13-01..2020-14-01"], ExitCode.USAGE, "--market: "),
        (["--pacing", "fast"], ExitCode.USAGE, "expected a number above 0 or off"),
        (["--without", "stocks"], ExitCode.USAGE, "expected indices, options, futures"),
        (["--at", "1999-01-04T10:00"], ExitCode.USAGE, "outside the market"),
        (["--record", "nowhere"], ExitCode.USAGE, "expected HOST:PORT"),
        (["--control", "no/such/folder"], ExitCode.USAGE, "--control no/such/folder: No such file"),
        (["--journal", "/dev/null/x"], ExitCode.USAGE, "--journal /dev/null/x: File exists"),
        (["--replay", "nothing.jsonl"], ExitCode.USAGE, "nothing.jsonl"),
    ],
)
def test_what_cannot_be_is_refused_in_words(tmp_path, monkeypatch, options, code, expected):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["gateway", "--port", "0", *options])
    assert result.exit_code == code, result.output
    assert expected in result.stderr
