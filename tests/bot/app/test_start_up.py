"""What a start refuses, and where it says the fault is: dates, factor feeds, folders, worlds."""

import json
import os
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.app.cli import app
from bot.app.commands.inputs import paths_of, read_config
from state.audit import AuditReader
from state.replays import stored_decisions

ROOT = Path(__file__).parents[3]
CONFIG = """\
name: start-test
broker:
  kind: simulated
  transport: in_process
  starting_cash_usd: 1_000_000
  seed: 11
  market: {kind: replay, from: 2020-02-24, to: 2020-02-25}
limits: limits.yaml
schedule:
  interval_minutes: 120
  first_interval: "10:00"
"""
FACTORS = """\
rules:
  panel:
    factors:
      - {name: stress, source: csv, series: stress.csv, fear_above: 1}
      - {name: corporate_yield, source: fred, series: DBAA, fear_above: 5, lag: 1}
      - {name: skew, source: ib, series: SKEW, fear_above: 140}
"""
STRESS = "date,value\n2020-02-20,0.5\n2020-02-21,0.75\n2020-02-24,9\n2020-02-25,8\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "limits.yaml", tmp_path)
    (tmp_path / "stress.csv").write_text(STRESS)
    return tmp_path


def call(folder: Path, command: str, *, text: str = CONFIG, settings=(), options=()):
    path = folder / "config.yaml"
    path.write_text(text)
    flags = [part for setting in settings for part in ("--set", setting)]
    arguments = [command, "--config", str(path), "--state-dir", str(folder / "var"), *flags]
    return CliRunner().invoke(app, [*arguments, *options])


def check(folder: Path, **given) -> dict[str, dict[str, str]]:
    result = call(folder, "check", options=["--format", "json"], **given)
    return {row["check"]: row for row in json.loads(result.stdout)["rows"]}


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        ("from: 1995-01-03, to: 1995-02-01", "config.yaml:7:32: broker.market.from: VVIX has no"),
        ("from: 2026-05-18, to: 2026-06-30", "config.yaml:7:48: broker.market.to: VX has 0"),
        ("from: 2020-02-22, to: 2020-02-23", "config.yaml:7:32: broker.market.from: no session"),
        ("from: 1980-01-02, to: 2020-02-25", "config.yaml:7:32: broker.market.from: 1980-01-02 is"),
        ("from: 2020-02-24, to: 2200-01-01", "config.yaml:7:48: broker.market.to: 2200-01-01 is"),
    ],
)
def test_days_outside_history_are_a_configuration_error_at_their_line(folder, dates, expected):
    text = CONFIG.replace("from: 2020-02-24, to: 2020-02-25", dates)
    for command in ("run", "snapshot"):
        result = call(folder, command, text=text)
        assert result.exit_code == 2
        assert expected in result.stderr


def test_check_names_the_line_of_days_that_no_market_can_be_made_of(folder):
    text = CONFIG.replace("to: 2020-02-25", "to: 2026-06-30").replace("2020-02-24", "2026-05-18")
    rows = check(folder, text=text)
    assert rows["broker"]["outcome"] == "FAIL"
    assert rows["broker"]["found"].startswith("config.yaml:7:48: broker.market.to: VX has 0")


@pytest.mark.parametrize(
    ("contents", "expected"),
    [
        (STRESS + "2020-02-26,x\n", "stress.csv, row 6, column 'value': expected a finite number"),
        (STRESS + "2020-03-30,1\n", "stress.csv, row 6, column 'date': expected observations at"),
        (None, "stress.csv: cannot be read: No such file"),
    ],
)
def test_e_a_broken_factor_file_ends_a_start_with_its_line(folder, contents, expected):
    path = folder / "stress.csv"
    path.unlink() if contents is None else path.write_text(contents)
    result = call(folder, "run", text=CONFIG + FACTORS)
    assert result.exit_code == 2
    assert expected in result.stderr
    result = call(folder, "check", text=CONFIG + FACTORS, options=["--format", "json"])
    assert result.exit_code == 1
    rows = [row for row in json.loads(result.stdout)["rows"] if row["check"] == "factors"]
    assert [row["outcome"] for row in rows] == ["FAIL", "pass", "pass"]
    assert expected in rows[0]["found"]


def test_e_what_the_broker_does_not_supply_is_refused_at_its_line(folder):
    text = CONFIG + FACTORS.replace("series: SKEW", "series: DVOL")
    result = call(folder, "run", text=text)
    assert result.exit_code == 2
    assert "config.yaml:17:42: rules.panel.factors[2].series: the simulated broker" in result.stderr
    assert "SPX, VIX, VVIX, VIX9D, VIX3M, VIX6M, SKEW, COR1M; found 'DVOL'" in result.stderr
    text = text.replace("DVOL", "SKEW").replace("kind: replay", "kind: synthetic")
    result = call(folder, "run", text=text)
    assert "VIX9D, VIX3M, VIX6M; found 'SKEW'" in result.stderr


def test_e_check_says_which_factor_will_abstain_at_the_end_of_the_run(folder):
    text = (CONFIG + FACTORS).replace("to: 2020-02-25", "to: 2020-04-30")
    (row, *_) = [
        row
        for row in json.loads(
            call(folder, "check", text=text, options=["--format", "json"]).stdout
        )["rows"]
        if row["check"] == "factors"
    ]
    assert row["outcome"] == "warn"
    assert row["found"] == "stress: 2020-02-25 at last is known on 2020-04-30; it will abstain"


def test_e_factors_reach_the_ledger_once_a_session_and_never_know_the_day(folder):
    result = call(folder, "run", text=CONFIG + FACTORS)
    assert result.exit_code == 0, result.stderr
    database = paths_of(read_config(folder / "config.yaml", ()), folder / "var").database
    with AuditReader.open(database) as reader:
        decisions = list(stored_decisions(reader))
    assert len(decisions) == 8
    for decision in decisions:
        names = [factor.name for factor in decision.snapshot.factors]
        assert names == ["stress", "corporate_yield", "skew"]
        for factor in decision.snapshot.factors:
            assert factor.problem == ""
            assert (factor.day < decision.session).all()
    first, last = decisions[0].snapshot, decisions[-1].snapshot
    assert first.factors[0].value.tolist() == [0.5, 0.75]
    assert last.factors[0].value.tolist() == [0.5, 0.75, 9.0]
    assert str(last.factors[1].day[-1]) == "2020-02-21"  # Monday's is out on Tuesday
    assert str(last.factors[2].day[-1]) == "2020-02-24"
    path = folder / "snapshot.json"
    text = CONFIG + FACTORS
    assert call(folder, "snapshot", text=text, options=["--out", str(path)]).exit_code == 0
    assert path.stat().st_size < 1_500_000
    decided = CliRunner().invoke(app, ["decide", str(path), "--format", "json"])
    assert json.loads(decided.stdout)["plan"]["plan_id"] == decisions[-1].plan_id


def test_e_a_snapshot_of_a_market_carries_the_factors_too(folder):
    result = call(folder, "snapshot", text=CONFIG + FACTORS)
    assert result.exit_code == 0, result.stderr
    stress, *_ = json.loads(result.stdout)["snapshot"]["factors"]
    assert stress == {
        "name": "stress",
        "day": ["2020-02-20", "2020-02-21"],
        "value": [0.5, 0.75],
        "problem": "",
    }
    assert len(result.stdout) < 1_500_000


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_check_fails_where_the_state_folder_cannot_be_written(folder):
    (folder / "var").mkdir(mode=0o500)
    rows = check(folder)
    assert rows["state"]["outcome"] == "FAIL"
    assert "--state-dir" in rows["state"]["fix"]


def test_check_fails_where_the_state_folder_is_a_file(folder):
    (folder / "var").write_text("")
    rows = check(folder)
    assert rows["state"]["outcome"] == "FAIL"
    assert "Not a directory" in rows["state"]["found"]


def test_check_says_that_the_journal_is_of_another_world_before_a_run_does(folder):
    assert check(folder)["world"]["found"].startswith("the account begins in this world")
    assert not (folder / "var").exists()
    assert call(folder, "run").exit_code == 0
    assert check(folder)["world"]["found"].startswith("the account goes on in this world")
    rows = check(folder, settings=["broker.seed=12"])
    assert rows["world"]["outcome"] == "FAIL"
    assert "seed is 11 there and 12 here" in rows["world"]["found"]
    assert call(folder, "run", settings=["broker.seed=12"]).exit_code == 4
