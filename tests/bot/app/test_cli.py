"""The command line: help, usage errors, exit codes, streams."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.app.cli import app

ROOT = Path(__file__).parents[3]
COMMANDS = [
    ["run"],
    ["check"],
    ["status"],
    ["halt"],
    ["resume"],
    ["decide"],
    ["snapshot"],
    ["price"],
    ["calendar"],
    ["data", "list"],
    ["audit", "fills"],
    ["audit", "orders"],
    ["audit", "hedge"],
    ["audit", "decisions"],
    ["audit", "pnl"],
    ["audit", "why"],
    ["audit", "coverage"],
    ["audit", "sql"],
    ["audit", "replay"],
    ["audit", "steward"],
    ["audit", "overrides"],
    ["audit", "edits"],
    ["override", "sign"],
    ["override", "submit"],
    ["override", "list"],
    ["keys", "new"],
    ["keys", "list"],
]


@pytest.fixture
def invoke(tmp_path, monkeypatch):
    """Run the command line in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    runner = CliRunner()
    return lambda *arguments, **more: runner.invoke(app, list(arguments), **more)


@pytest.fixture
def folder(tmp_path):
    for name in ("paper_config.yaml", "live_config.yaml", "limits.yaml"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    return tmp_path


def alvh(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bot.app", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_the_help_of_each_command_shows_an_example(invoke, command):
    result = invoke(*command, "--help")
    assert result.exit_code == 0
    assert f"Example: alvh {' '.join(command)}" in result.stdout


def test_the_first_help_names_every_command_and_how_to_start(invoke):
    result = invoke("--help")
    assert result.exit_code == 0
    for command in COMMANDS:
        assert command[0] in result.stdout
    assert "alvh run" in result.stdout


def test_help_imports_no_heavy_package():
    """Measured 0.18 s; what makes it slow is imports, so they are what is held."""
    code = (
        "import sys; from bot.app.cli import app; "
        "print([name for name in ('numpy', 'pydantic', 'sqlalchemy', 'pandas', 'scipy', 'ruamel')"
        " if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_a_mistyped_command_is_suggested(invoke):
    result = invoke("rn")
    assert result.exit_code == 2
    assert "Did you mean 'run'?" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("command", ["run", "check", "status", "snapshot"])
def test_a_missing_config_is_bad_usage(invoke, command):
    result = invoke(command)
    assert result.exit_code == 2
    assert result.stderr == "paper_config.yaml: no such file\n"
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("seed: 7 ", "seed: seven ", "paper_config.yaml:22:9: broker.seed: expected a whole"),
        ("name: paper", "name: [paper", "not YAML"),
        ("short_delta", "short_dleta", "did you mean 'short_delta'?"),
        ("short_delta: 0.16", "short_delta: 0.5", "0.5 is outside 0.15 .. 0.2 (rule C3"),
        ("name: paper", "name: paper\nname: x", "name: is written twice; first on line 12"),
        ("kind: replay", "kind: reply", "did you mean 'replay'?"),
    ],
)
def test_a_bad_config_is_exit_code_2_and_one_screen_without_a_traceback(
    invoke, folder, old, new, expected
):
    path = folder / "paper_config.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    result = invoke("check", "--format", "json")
    assert result.exit_code == 2
    assert expected in result.stderr
    assert "Traceback" not in result.stderr
    assert len(result.stderr.splitlines()) <= 25
    assert result.stdout == ""


def test_a_bad_override_from_the_environment_names_the_variable(invoke, folder):
    result = invoke("check", env={"ALVH_BROKER__SEED": "x"})
    assert result.exit_code == 2
    assert "environment ALVH_BROKER__SEED: broker.seed: expected a whole number" in result.stderr


def test_the_unedited_live_config_is_refused_for_safety(invoke, folder):
    for command in ("run", "check"):
        result = invoke(command, "--config", "live_config.yaml")
        assert result.exit_code == 4
        assert "broker.account: empty; fill in the live account" in result.stderr


def test_a_filled_in_live_config_says_that_no_real_money_is_traded(invoke, folder):
    path = folder / "live_config.yaml"
    text = path.read_text().replace('account: ""', "account: U1234567")
    path.write_text(
        text.replace('confirmation: ""', "confirmation: this account trades real money")
    )
    result = invoke("run", "--config", "live_config.yaml")
    assert result.exit_code == 2
    assert "trades no real money" in result.stderr


def test_show_origin_lists_every_value_and_who_said_so(invoke, folder):
    result = invoke(
        "check",
        "--show-origin",
        "--format",
        "json",
        "--set",
        "broker.market.to=2020-02-28",
        env={"ALVH_BROKER__SEED": "9"},
    )
    assert result.exit_code == 0
    rows = {row["key"]: row for row in json.loads(result.stdout)["rows"]}
    assert rows["broker.seed"] == {
        "key": "broker.seed",
        "value": "9",
        "origin": "environment ALVH_BROKER__SEED",
    }
    assert rows["broker.market.to"]["origin"] == "flag --set broker.market.to"
    assert rows["rules.governors.quick_ratio"]["origin"] == "default"
    assert rows["name"]["origin"].startswith("paper_config.yaml:")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--until", "soon"], "--until: expected a time like 2020-03-09"),
        (["--speed", "0"], "--speed: expected max or a number above 0"),
        (["--speed", "fast"], "--speed: expected max or a number above 0"),
    ],
)
def test_a_bad_option_of_run_is_bad_usage(invoke, folder, arguments, expected):
    result = invoke("run", *arguments)
    assert result.exit_code == 2
    assert expected in result.stderr


def test_a_reason_is_required_to_halt(invoke, folder):
    assert invoke("halt").exit_code == 2
    result = invoke("halt", "--reason", "  ")
    assert (result.exit_code, result.stderr) == (2, "--reason: expected 1 to 500 characters\n")


def test_a_state_dir_that_is_a_file_is_said_in_one_line(invoke, folder, tmp_path):
    place = tmp_path / "file"
    place.write_text("")
    result = invoke("run", "--state-dir", str(place))
    assert result.exit_code == 2
    assert result.stderr.startswith("no place for the bot's files: ")
    assert "--state-dir" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_there_is_nothing_to_halt_before_the_first_run(invoke, folder):
    result = invoke("halt", "--reason", "test")
    assert result.exit_code == 2
    assert "no ledger there yet" in result.stderr


@pytest.mark.parametrize("arguments", [["calendar", "VIX", "--year", "2020"], ["data", "list"]])
@pytest.mark.parametrize("width", ["80", "100", "200"])
def test_tables_in_a_pipe_are_plain_and_fit_100_columns(tmp_path, arguments, width):
    result = alvh(*arguments, cwd=tmp_path, COLUMNS=width)
    assert result.returncode == 0
    assert "\x1b" not in result.stdout
    assert max(len(line) for line in result.stdout.splitlines()) <= 100
    assert result.stderr == ""


def test_json_on_stdout_is_one_document_and_nothing_else(tmp_path):
    result = alvh("calendar", "VX", "--year", "2020", "--format", "json", cwd=tmp_path)
    document = json.loads(result.stdout)
    assert document["columns"] == [
        "date",
        "kind",
        "weekday",
        "last_trade",
        "settlement",
        "note",
    ]
    assert {row["date"] for row in document["rows"] if row["kind"] == "expiry"} >= {"2020-03-18"}


def test_an_unknown_symbol_is_bad_usage(invoke):
    result = invoke("calendar", "AAPL", "--year", "2020")
    assert result.exit_code == 2
    assert "known: SPX, SPXW, VIX, VX, VXM" in result.stderr


def test_a_reader_that_stops_early_is_no_error(tmp_path):
    alvh = f"{sys.executable} -m bot.app"
    command = f"{alvh} data list --format csv | head -1; exit ${{PIPESTATUS[0]}}"
    result = subprocess.run(
        ["bash", "-c", command],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0
    assert result.stderr == ""


def test_what_nobody_foresaw_is_one_line_and_a_file(tmp_path):
    from bot.app.failures import explain

    code, text = explain(ZeroDivisionError("division\nby zero"), state_dir=tmp_path)
    assert code == 1
    first, second = text.splitlines()
    assert first == "unexpected ZeroDivisionError: division"
    (file,) = (tmp_path / "logs").iterdir()
    assert file.name in second
    assert "ZeroDivisionError" in file.read_text()
