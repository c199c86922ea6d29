"""`alvh audit replay`: a finished run decided again, and what was tampered with named."""

import json
import signal
import sqlite3
import subprocess
import sys
import zlib
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.app import replaying
from bot.app.cli import app
from tests.bot.app.shell import DATABASE, alvh

SESSION = ("--since", "2020-02-03T10:00", "--until", "2020-02-03T11:01")


def replayed(*arguments: str):
    return CliRunner().invoke(app, ["audit", "replay", "--format", "json", *arguments])


def change(query: str, *parameters: object, table: str = "decisions") -> None:
    """Write past the ledger, as nobody should: with the trigger out of the way."""
    with closing(sqlite3.connect(DATABASE)) as connection, connection:
        connection.execute(f"DROP TRIGGER {table}_refuse_update")
        assert connection.execute(query, parameters).rowcount == 1


def stored(column: str, time: str) -> bytes:
    with closing(sqlite3.connect(DATABASE)) as connection:
        query = f"SELECT {column} FROM decisions WHERE at LIKE ?"
        return connection.execute(query, (f"2020-02-03T{time}%",)).fetchone()[0]


def repacked(data: bytes, **changes: object) -> bytes:
    values = json.loads(zlib.decompress(data)) | changes
    text = json.dumps(values, separators=(",", ":"), sort_keys=True)
    return zlib.compress(text.encode(), 3)


@pytest.fixture
def tampered(copy, monkeypatch) -> Path:
    monkeypatch.chdir(copy)
    return copy


def test_a_finished_run_decides_again_to_the_byte(ran):
    result = alvh("audit", "replay", cwd=ran[0])
    assert result.returncode == 0, result.stderr
    assert result.stdout == "26 decisions decided again: 0 differences\n"
    assert "decisions/s" in result.stderr


def test_replay_reads_only(ran, ask):
    before = (ran[0] / DATABASE).read_bytes()
    answer = ask("audit", "replay", "--format", "json")
    assert answer.exit_code == 0
    assert json.loads(answer.stdout) == {
        "decisions": 26,
        "differences": 0,
        "intervals": {
            "columns": ["at", "field", "stored", "decided", "plan_id"],
            "rows": [],
        },
    }
    assert (ran[0] / DATABASE).read_bytes() == before


def test_times_and_run_choose_what_is_replayed(ask):
    run_id = json.loads(ask("audit", "runs", "--format", "json").stdout)["rows"][0]["run_id"]
    assert json.loads(ask("audit", "replay", *SESSION, "-f", "json").stdout)["decisions"] == 5
    hour = ("--from", "2020-02-03T15:00", "--to", "2020-02-03")
    assert json.loads(ask("audit", "replay", *hour, "-f", "json").stdout)["decisions"] == 5
    for name in (run_id, run_id[:4]):
        answer = ask("audit", "replay", "--run", name, *SESSION, "--format", "json")
        assert json.loads(answer.stdout)["decisions"] == 5


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--run", "nonsense"), "no run 'nonsense' is stored"),
        (("--since", "2031-01-01"), "no decision is stored there"),
        (("--since", "yesterday"), "--since: expected a time"),
    ],
)
def test_replay_of_nothing_is_bad_usage(ask, arguments, expected):
    answer = ask("audit", "replay", *arguments)
    assert answer.exit_code == 2
    assert expected in answer.stderr
    assert answer.stdout == ""


def test_a_tampered_plan_is_found_and_its_field_is_named(tampered):
    data = stored("plan", "15:30")
    change("UPDATE decisions SET plan = ? WHERE plan = ?", repacked(data, hedge_state="fine"), data)
    result = replayed()
    assert result.exit_code == 1
    answer = json.loads(result.stdout)
    assert (answer["decisions"], answer["differences"]) == (26, 1)
    (row,) = answer["intervals"]["rows"]
    assert row["field"] == "plan.hedge_state"
    assert row["stored"] == "fine"
    assert row["at"].startswith("2020-02-03T15:30")
    text = CliRunner().invoke(app, ["audit", "replay"]).stdout
    assert "26 decisions decided again: 1 difference\n" in text
    assert "Mon 2020-02-03 10:30 EST  plan.hedge_state\n    stored   fine\n" in text
    assert max(len(line) for line in text.splitlines()) <= 100


def test_a_field_inside_a_list_is_named_by_its_place(tampered):
    data = stored("plan", "15:30")
    layers = json.loads(zlib.decompress(data))["layers"]
    layers[1]["scale"] = 9.5
    change("UPDATE decisions SET plan = ? WHERE plan = ?", repacked(data, layers=layers), data)
    (row,) = json.loads(replayed(*SESSION).stdout)["intervals"]["rows"]
    assert (row["field"], row["stored"]) == ("plan.layers[1].scale", "9.5")


def test_a_tampered_book_makes_another_plan(tampered):
    data = stored("inputs", "15:30")
    account = json.loads(zlib.decompress(data))["account"] | {"cash_usd": "5"}
    change(
        "UPDATE decisions SET inputs = ? WHERE inputs = ?", repacked(data, account=account), data
    )
    (row,) = json.loads(replayed(*SESSION).stdout)["intervals"]["rows"]
    assert row["field"] == "plan.plan_id"


def test_memory_that_was_not_left_by_the_decision_before_is_named(tampered):
    text = stored("memory_json", "15:15")
    other = json.loads(text) | {"condors_opened": 77}
    change(
        "UPDATE decisions SET memory_json = ? WHERE at LIKE '2020-02-03T15:15%'",
        json.dumps(other, separators=(",", ":"), sort_keys=True),
    )
    rows = json.loads(replayed(*SESSION).stdout)["intervals"]["rows"]
    assert [(row["at"][11:16], row["field"]) for row in rows] == [
        ("15:15", "memory.condors_opened"),
        ("15:30", "memory given.condors_opened"),
    ]


def test_other_rules_are_named_first(tampered):
    with closing(sqlite3.connect(DATABASE)) as connection, connection:
        connection.execute("DROP TRIGGER runs_refuse_update")
        (text,) = connection.execute("SELECT rules_json FROM runs").fetchone()
        rules = json.loads(text)
        rules["condor"]["short_delta"] = 0.2
        connection.execute("UPDATE runs SET rules_json = ?", (json.dumps(rules),))
    rows = json.loads(replayed(*SESSION).stdout)["intervals"]["rows"]
    assert {row["field"] for row in rows} == {"plan.rules_hash"}


def test_a_decision_that_does_not_unpack_is_named(tampered):
    change("UPDATE decisions SET plan = x'00' WHERE plan = ?", stored("plan", "15:30"))
    result = replayed(*SESSION)
    assert result.exit_code == 1
    assert "cannot be read back (stored bytes do not unpack" in result.stderr
    assert "it is damaged" in result.stderr
    assert result.stdout == ""


def test_a_decision_of_another_version_is_named(tampered):
    data = stored("inputs", "15:30")
    book = json.loads(zlib.decompress(data))["book"] | {"colour": "red"}
    change("UPDATE decisions SET inputs = ? WHERE inputs = ?", repacked(data, book=book), data)
    result = replayed(*SESSION)
    assert result.exit_code == 1
    assert "unknown key 'colour'" in result.stderr
    assert "another version of the program stored it" in result.stderr
    assert result.stdout == ""


def test_ctrl_c_does_not_reach_a_helping_process_before_it_is_ready():
    code = "import signal; print(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ()))"
    command = [sys.executable, "-c", code]
    with replaying._interrupts_held_back():
        held_back = subprocess.run(command, capture_output=True, check=True).stdout
    assert held_back == b"True\n"
    assert subprocess.run(command, capture_output=True, check=True).stdout == b"False\n"


def test_ctrl_c_ends_a_helping_process_without_a_word():
    code = "import os, signal; from bot.app.replaying import _end_by_interrupts as ready; ready(); "
    code += "os.kill(os.getpid(), signal.SIGINT)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (ended.returncode, ended.stderr) == (-signal.SIGINT, b"")
