"""A run that is killed and started again ends with the fills of one that never was.

Unless a kill met an order between its commit and its arrival: nobody can know whether such a one
left, so it costs a minute and the prices of that minute. The books must agree all the same, and
nothing may have been traded twice.
"""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
ALVH = [sys.executable, "-m", "bot.app"]
CONFIG = """\
name: kill-test
broker:
  kind: simulated
  transport: {transport}
  starting_cash_usd: 1_000_000
  seed: 11
  market: {{kind: replay, from: {first}, to: {last}}}
limits: limits.yaml
schedule: {{last_interval: "{closes}"}}
"""


def write_config(folder, **values):
    (folder / "limits.yaml").write_text((ROOT / "limits.yaml").read_text())
    config = folder / "config.yaml"
    config.write_text(CONFIG.format(**values))
    return config


def start(config, state_dir):
    command = [*ALVH, "run", "--config", str(config), "--state-dir", str(state_dir)]
    return subprocess.Popen(
        [*command, "--format", "json"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def finish(config, state_dir):
    process = start(config, state_dir)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err.decode()
    return json.loads(out)


def audit(config, state_dir, table):
    command = [*ALVH, "audit", table, "--config", str(config), "--state-dir", str(state_dir)]
    done = subprocess.run(
        [*command, "--format", "json"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=True,
    )
    return json.loads(done.stdout)["rows"]


def kill_after(config, state_dir, seconds):
    """Start the run and SIGKILL it ``seconds`` after its first new order; True if that hit it."""
    journal = state_dir / "simulated-DU0000001.exchange.jsonl"
    before = size(journal)
    process = start(config, state_dir)
    while process.poll() is None and size(journal) == before:
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.01)
    try:
        process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return True
    assert process.returncode == 0
    return False


def size(path):
    return path.stat().st_size if path.exists() else 0


def compare_killed_with_uninterrupted(
    tmp_path, *, first, last, kills, seed, longest_s, transport="in_process", closes="16:00"
):
    config = write_config(tmp_path, first=first, last=last, transport=transport, closes=closes)
    whole = finish(config, tmp_path / "whole")
    assert whole["fills"] > 0, "a run without fills proves nothing"
    generator = np.random.default_rng(seed)
    killed = 0
    while killed < kills and kill_after(
        config, tmp_path / "killed", float(generator.uniform(0.0, longest_s))
    ):
        killed += 1
    resumed = finish(config, tmp_path / "killed")
    assert killed > 0, "no kill hit the run"
    assert resumed["reconciliation_breaks"] == []
    assert traded_twice(tmp_path / "killed") == []
    if orders_lost(tmp_path / "killed"):
        assert Decimal(resumed["reconciliation_difference_usd"]) == 0
        return
    assert audit(config, tmp_path / "killed", "fills") == audit(config, tmp_path / "whole", "fills")
    assert resumed["final_nlv_usd"] == whole["final_nlv_usd"]


def ask_ledger(state_dir, query):
    (database,) = state_dir.glob("*.sqlite")
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def orders_lost(state_dir):
    """Return the orders that a kill met between their commit and their arrival."""
    return ask_ledger(
        state_dir, "SELECT client_order_id FROM order_events WHERE note LIKE 'not found%'"
    )


def traded_twice(state_dir):
    """Return the purposes for which more was traded than was ever wanted."""
    return ask_ledger(
        state_dir,
        "SELECT decision_id, purpose FROM orders JOIN order_states USING (client_order_id)"
        " GROUP BY decision_id, purpose HAVING sum(filled) > max(quantity)",
    )


def test_a_few_kills_in_the_first_days_of_the_crash_change_no_fill(tmp_path):
    compare_killed_with_uninterrupted(
        tmp_path, first="2020-02-21", last="2020-02-27", kills=4, seed=5, longest_s=2.0
    )


def test_kills_of_bot_and_gateway_on_the_wire_change_no_fill(tmp_path):
    compare_killed_with_uninterrupted(
        tmp_path,
        first="2020-02-24",
        last="2020-02-24",
        kills=2,
        seed=5,
        longest_s=0.3,
        transport="wire",
        closes="11:00",
    )


@pytest.mark.slow
@pytest.mark.parametrize("transport", ["in_process", "wire"])
@pytest.mark.parametrize("seed", range(4))
def test_many_kills_over_the_crash_change_no_fill(tmp_path, seed, transport):
    compare_killed_with_uninterrupted(
        tmp_path,
        first="2020-02-18",
        last="2020-03-20",
        kills=12,
        seed=seed,
        longest_s=6.0,
        transport=transport,
    )
