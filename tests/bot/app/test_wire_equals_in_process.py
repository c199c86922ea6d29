"""Over the wire or straight, a run decides, trades and books the same to the last digit.

Everything in the ledger is compared, but what names a process, an order at its broker, or the
broker's own words about one.
"""

import shutil
import sqlite3
from pathlib import Path

import pytest

from bot.app.commands.inputs import paths_of, read_config
from bot.app.reports import RunOptions
from bot.app.run import run_bot

ROOT = Path(__file__).parents[3]
CONFIG = """\
name: two-ways
broker:
  kind: simulated
  transport: {transport}
  starting_cash_usd: 1_000_000
  seed: 11
  market: {{kind: {kind}, from: {first}, to: {last}}}
limits: limits.yaml
schedule: {{interval_minutes: {every}, first_interval: "10:00"}}
"""
# of which the chain of changes has each row once more, with hashes over names
OF_THE_PROCESS = {"binding", "leases", "runs", "events"}
NAMES = {"run_id", "broker_order_id", "note", "process_id"}


class Silent:
    def on_interval(self, report):
        pass

    def on_session(self, report):
        pass

    def on_note(self, text):
        pass


def ledger_of(folder: Path, config: str):
    """Run a configuration and return everything it left, by table, and its summary."""
    folder.mkdir()
    shutil.copy(ROOT / "limits.yaml", folder)
    path = folder / "config.yaml"
    path.write_text(config)
    loaded = read_config(path, [])
    paths = paths_of(loaded, folder / "var")
    summary = run_bot(loaded, paths, RunOptions(), Silent())
    return contents(paths.database), summary


def contents(database: Path) -> dict[str, list[tuple]]:
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {
            name: connection.execute(f"SELECT {columns(connection, name)} FROM {name}").fetchall()
            for (name,) in tables.fetchall()
            if name not in OF_THE_PROCESS
        }
    finally:
        connection.close()


def columns(connection: sqlite3.Connection, table: str) -> str:
    rows = connection.execute(f"PRAGMA table_info({table})").fetchall()
    return ", ".join(name for _, name, *_ in rows if name not in NAMES)


def both(folder: Path, **values: object):
    """Run both ways and compare table by table; return the ledger and the summary."""
    straight, _ = ledger_of(folder / "straight", CONFIG.format(transport="in_process", **values))
    wired, summary = ledger_of(folder / "wired", CONFIG.format(transport="wire", **values))
    assert wired.keys() == straight.keys()
    for table, rows in straight.items():
        assert wired[table] == rows, f"{table} differs"
    return wired, summary


def test_the_first_days_of_the_crash(tmp_path):
    _, summary = both(tmp_path, kind="replay", first="2020-02-24", last="2020-02-26", every=60)
    assert summary.fills > 5, "a run without fills proves nothing"
    assert summary.reconciliation_breaks == ()


def test_an_invented_world(tmp_path):
    _, summary = both(tmp_path, kind="synthetic", first="2026-03-02", last="2026-03-03", every=60)
    assert summary.decisions == 14
    assert summary.reconciliation_breaks == ()


@pytest.mark.slow
def test_the_shipped_run(tmp_path):
    _, summary = both(tmp_path, kind="replay", first="2020-02-03", last="2020-04-30", every=15)
    assert summary.fills > 500
