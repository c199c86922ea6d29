"""A login that pays for a hundred market data lines sees enough to trade."""

import shutil
from pathlib import Path

import pytest

from bot.app.commands.inputs import paths_of, read_config
from bot.app.config.loader import LoadedConfig
from bot.app.config.problems import ConfigInvalid
from bot.app.reports import RunOptions
from bot.app.run import run_bot

ROOT = Path(__file__).parents[3]
CONFIG = """\
name: few-lines
broker:
  kind: simulated
  transport: {transport}
  market_data_lines: {lines}
  starting_cash_usd: 1_000_000
  seed: 7
  market: {{kind: replay, from: 2020-02-03, to: {last}}}
limits: limits.yaml
schedule: {{interval_minutes: 30, first_interval: "10:00", entries: "mon,wed 10:00"}}
"""


class Silent:
    def on_interval(self, report):
        pass

    def on_session(self, report):
        pass


def configured(
    folder: Path, *, transport: str = "wire", lines: int = 100, last: str = "2020-02-05"
) -> LoadedConfig:
    shutil.copy(ROOT / "limits.yaml", folder)
    path = folder / "config.yaml"
    path.write_text(CONFIG.format(transport=transport, lines=lines, last=last))
    return read_config(path, [])


def test_a_hundred_lines_open_condors_hedge_them_and_reconcile(tmp_path):
    config = configured(tmp_path)
    summary = run_bot(config, paths_of(config, tmp_path / "var"), RunOptions(), Silent())
    assert summary.decisions == 3 * 13, "the gateway refuses one line more, and an interval with it"
    assert summary.condors_opened == 2
    assert summary.hedge_trades["L1"] > 0
    assert summary.reconciliation_breaks == ()
    assert summary.halted is None


def test_forty_lines_decide_with_what_they_show(tmp_path):
    config = configured(tmp_path, lines=40, last="2020-02-03")
    summary = run_bot(config, paths_of(config, tmp_path / "var"), RunOptions(), Silent())
    assert summary.decisions == 13
    assert summary.reconciliation_breaks == ()
    assert summary.halted is None


def test_what_needs_no_lines_refuses_to_be_given_some(tmp_path):
    with pytest.raises(ConfigInvalid, match="in_process sees everything"):
        configured(tmp_path, transport="in_process")
