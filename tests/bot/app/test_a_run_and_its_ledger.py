"""A short run from the command line, and every question that can be asked of what it left."""

import csv
import io
import json
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from bot.app.cli import app
from tests.bot.app.shell import ROOT, alvh, environment, shipped, start, wait_for

TABLES = (
    "fills",
    "orders",
    "hedge",
    "decisions",
    "condors",
    "pnl",
    "positions",
    "jobs",
    "states",
    "runs",
    "steward",
)


def test_a_run_prints_one_json_document_and_a_line_a_session_on_stderr(ran):
    folder, result = ran
    summary = json.loads(result.stdout)
    assert summary["decisions"] == 26
    assert summary["sessions"] == 1
    assert summary["halted"] is None
    assert summary["reconciliation_breaks"] == []
    assert float(summary["reconciliation_difference_usd"]) == 0
    assert (folder / summary["database"]).exists()
    assert result.stderr.startswith("2020-02-03  net liq. ")
    assert len(result.stderr.splitlines()) == 1


def test_a_run_leaves_pictures_that_are_well_formed(ran):
    folder, result = ran
    pictures = json.loads(result.stdout)["pictures"]
    assert {Path(path).name for path in pictures} >= {"layers.svg", "pnl.svg", "curve.svg"}
    for path in pictures:
        ElementTree.parse(folder / path)


@pytest.mark.parametrize("name", TABLES)
def test_each_table_is_one_json_document_with_the_columns_it_names(ask, name):
    result = ask("audit", name, "--format", "json")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert all(list(row) == document["columns"] for row in document["rows"])
    assert document["rows"]


@pytest.mark.parametrize("name", TABLES)
def test_each_table_fits_100_columns_for_a_person(ask, name):
    result = ask("audit", name)
    assert result.exit_code == 0
    assert max(len(line) for line in result.stdout.splitlines()) <= 100


def test_the_documented_keys_are_there(ask):
    fills = json.loads(ask("audit", "fills", "--format", "json").stdout)["columns"]
    wanted = {"exec_id", "symbol", "side", "quantity", "price", "commission", "layer", "condor"}
    assert wanted <= set(fills)
    hedge = json.loads(ask("audit", "hedge", "--format", "json").stdout)["columns"]
    assert {"layer", "rules", "net_vega_before", "net_vega_after"} <= set(hedge)


def test_filters_keep_what_they_say(ask):
    rows = json.loads(ask("audit", "hedge", "--layer", "l1", "--format", "json").stdout)["rows"]
    assert {row["layer"] for row in rows} == {"L1"}
    rows = json.loads(ask("audit", "orders", "--condor", "c0001", "-f", "json").stdout)["rows"]
    assert {row["condor"] for row in rows} == {"C0001"}
    hour = ("--since", "2020-02-03T12:00", "--until", "2020-02-03T13:00")
    rows = json.loads(ask("audit", "decisions", *hour, "--format", "json").stdout)["rows"]
    assert len(rows) == 4
    rows = json.loads(ask("audit", "decisions", "--last", "2", "-f", "json").stdout)["rows"]
    assert [row["at"][11:16] for row in rows] == ["20:45", "21:00"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("pnl", "--layer", "L1"), "--layer does not apply to `alvh audit pnl`"),
        (("positions", "--since", "2020-02-03"), "`alvh audit positions`; filters: none"),
        (("runs", "--rule", "B1"), "filters: --since, --until"),
        (("condors", "--layer", "L1"), "filters: --condor, --rule, --since, --until"),
        (("overrides", "--condor", "C0001"), "--condor does not apply"),
    ],
)
def test_a_filter_that_does_not_apply_is_refused(ask, arguments, expected):
    result = ask("audit", *arguments)
    assert result.exit_code == 2
    assert expected in result.stderr
    assert result.stdout == ""


def test_csv_and_parquet_hold_the_same_rows(ask, tmp_path):
    table = json.loads(ask("audit", "fills", "--format", "json").stdout)
    rows = list(csv.DictReader(io.StringIO(ask("audit", "fills", "--format", "csv").stdout)))
    assert [row["exec_id"] for row in rows] == [row["exec_id"] for row in table["rows"]]
    path = tmp_path / "fills.parquet"
    result = ask("audit", "fills", "--format", "parquet", "--out", str(path))
    assert result.exit_code == 0
    assert result.stdout == ""
    assert pyarrow.parquet.read_table(path).column_names == table["columns"]


def test_why_goes_from_a_fill_back_to_the_configuration(ask):
    fill = json.loads(ask("audit", "fills", "--format", "json").stdout)["rows"][0]
    text = ask("audit", "why", fill["exec_id"]).stdout
    for word in (fill["exec_id"], fill["order_id"], "gates", "signals", "regime", "config_hash="):
        assert word in text
    assert max(len(line) for line in text.splitlines()) <= 100
    chain = json.loads(ask("audit", "why", fill["exec_id"], "--format", "json").stdout)
    assert chain["order"]["order_id"] == fill["order_id"]
    assert chain["provenance"]["config_hash"]


def test_why_of_nothing_is_bad_usage(ask):
    result = ask("audit", "why", "nonsense")
    assert result.exit_code == 2
    assert "nonsense" in result.stderr


def test_coverage_shows_layers_shocks_and_the_payoff(ask):
    text = ask("audit", "coverage", "--at", "2020-02-03T12:00").stdout
    for word in ("Mon 2020-02-03 12:00 EST", "Condors", "Hedges", "Layers", "break-even"):
        assert word in text
    assert max(len(line) for line in text.splitlines()) <= 100
    answer = json.loads(
        ask("audit", "coverage", "--at", "2020-02-03T12:00", "--format", "json").stdout
    )
    shocks = {row["vix_points"]: row for row in answer["shocks"]["rows"]}
    measures = {row["measure"]: row["before"] for row in answer["measures"]["rows"]}
    assert shocks[8.0]["spx_fraction"] == pytest.approx(-0.07)
    assert shocks[8.0]["total_usd"] == pytest.approx(measures["loss_vix_8_usd"], abs=0.01)


def test_coverage_before_the_first_decision_is_bad_usage(ask):
    result = ask("audit", "coverage", "--at", "2019-01-01")
    assert result.exit_code == 2
    assert "no decision is stored at or before 2019-01-01" in result.stderr


def test_sql_reads_and_never_writes(ask):
    result = ask("audit", "sql", "SELECT count(*) AS n FROM decisions", "--format", "json")
    assert json.loads(result.stdout)["rows"] == [{"n": 26}]
    for query in ("DELETE FROM fills", "DROP TABLE fills", "SELEC 1"):
        result = ask("audit", "sql", query)
        assert result.exit_code == 2
        assert result.stdout == ""


def test_sql_that_never_ends_is_stopped(ask):
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    result = ask("audit", "sql", endless, "--timeout", "0.2")
    assert result.exit_code == 2
    assert result.stderr == "stopped: it takes longer than 0.2 s\n"


def test_a_run_that_ends_before_it_begins_says_so(tmp_path):
    folder = shipped(tmp_path)
    result = alvh("run", "--until", "2020-01-15", cwd=folder)
    assert result.returncode == 0
    assert "Nothing decided: no interval was due" in result.stdout


def test_a_reader_that_leaves_early_does_not_change_how_a_run_ended(copy):
    alvh("halt", "--reason", "test", cwd=copy)
    command = f"{sys.executable} -m bot.app run --until 2020-02-03 | true; exit ${{PIPESTATUS[0]}}"
    result = subprocess.run(
        ["bash", "-c", command], cwd=copy, env=environment(), capture_output=True, text=True,
        check=False, timeout=120,
    )  # fmt: skip
    assert result.returncode == 1, result.stderr
    assert "Traceback" not in result.stderr
    assert "BrokenPipe" not in result.stderr


def test_decisions_are_short_for_a_person(ask):
    text = ask("audit", "decisions").stdout
    assert "entry due" not in text
    assert "no trade reasons" not in text
    assert len(text.splitlines()) < 2 * 26


def documented(command: str) -> list[str]:
    """The keys that the operator's page has for one command."""
    page = (ROOT / "docs/operating.md").read_text()
    row = re.search(rf"^\| {re.escape(command)} \| (.*) \|$", page, flags=re.MULTILINE)
    return re.findall(r"`(\w+)`", row[1])


def test_the_json_of_each_command_has_the_documented_keys(ask, ran, tmp_path):
    fill = json.loads(ask("audit", "fills", "--format", "json").stdout)["rows"][0]["exec_id"]
    path = tmp_path / "snapshot.json"
    ask("snapshot", "--at", "2020-02-03T11:00", "--out", str(path))
    answers = {
        "`run`": json.loads(ran[1].stdout),
        "`status`": json.loads(ask("status", "--format", "json").stdout),
        "`audit coverage`": json.loads(ask("audit", "coverage", "--format", "json").stdout),
        "`audit why`": json.loads(ask("audit", "why", fill, "--format", "json").stdout),
        "`audit replay`": json.loads(
            ask("audit", "replay", "--since", "2020-02-03T15:30", "--format", "json").stdout
        ),
        "`decide`": json.loads(ask("decide", str(path), "--format", "json").stdout),
    }
    answers["`status`, under `status`"] = answers["`status`"]["status"]
    for command, answer in answers.items():
        assert set(answer) == set(documented(command)), command
    check = json.loads(ask("check", "--format", "json").stdout)
    assert check["columns"] == documented("`check`")
    overrides = json.loads(ask("audit", "overrides", "--format", "json").stdout)
    assert set(overrides) - {"columns", "rows"} == set(documented("`audit overrides`"))


def test_status_tells_state_holdings_and_jobs(ask):
    text = ask("status").stdout
    assert "simulated DU0000001, not running" in text
    assert "RUNNING" in text
    answer = json.loads(ask("status", "--format", "json").stdout)
    assert answer["status"]["decisions"] == 26
    assert answer["status"]["process"] is None
    assert [row["layer"] for row in answer["layers"]["rows"]] == ["L1", "L2", "L3"]


def test_a_stored_snapshot_decides_to_the_stored_plan_byte_for_byte(ask, ran, tmp_path):
    path = tmp_path / "snapshot.json"
    assert ask("snapshot", "--at", "2020-02-03T11:00", "--out", str(path)).exit_code == 0
    first = ask("decide", str(path), "--format", "json")
    assert first.exit_code == 0
    assert first.stdout == ask("decide", str(path), "--format", "json").stdout
    plan_id = json.loads(first.stdout)["plan"]["plan_id"]
    rows = json.loads(ask("audit", "decisions", "--format", "json").stdout)["rows"]
    stored = [row["plan_id"] for row in rows if row["at"].startswith("2020-02-03T16:00")]
    assert stored == [plan_id]


def test_a_snapshot_nobody_took_is_made_from_history(ask, tmp_path):
    path = tmp_path / "snapshot.json"
    result = ask("snapshot", "--at", "2020-03-09T10:00", "--out", str(path))
    assert result.exit_code == 0
    assert "simulated market, empty book" in result.stderr
    assert "2020-03-09 10:00 New York" in result.stderr
    text = ask("decide", str(path)).stdout
    assert "Mon 2020-03-09 10:00 EDT" in text
    assert max(len(line) for line in text.splitlines()) <= 100


def test_a_snapshot_at_night_is_refused(ask):
    result = ask("snapshot", "--at", "2020-03-09T03:00")
    assert result.exit_code in (1, 2)
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


def _change(data: dict, path: str, value: object) -> None:
    *parents, last = path.split("/")
    for name in parents:
        data = data[int(name)] if isinstance(data, list) else data[name]
    data[last] = value


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("snapshot/session", 3, "snapshot.session: expected date, found 3"),
        ("snapshot/market/futures/1/bid", "x", "snapshot.market.futures[1].bid: expected float"),
        ("snapshot/market/colour", "red", "unknown key 'colour'"),
        ("book/condors", {}, "book.condors: expected"),
        ("account/cash_usd", 5, "account.cash_usd: expected"),
        ("memory/regime/curve", "bent", "memory.regime.curve: 'bent' is not a Curve"),
        ("rules/condor/short_delta", 0.5, "rules.condor.short_delta: 0.5 is outside 0.15 .. 0.2"),
        ("extra", 1, "extra: unknown key; expected snapshot, book, account, memory, rules"),
    ],
)
def test_a_bad_snapshot_names_the_place_in_the_json(ask, tmp_path, path, value, expected):
    file = tmp_path / "snapshot.json"
    ask("snapshot", "--at", "2020-02-03T11:00", "--out", str(file))
    data = json.loads(file.read_text())
    _change(data, path, value)
    file.write_text(json.dumps(data))
    result = ask("decide", str(file))
    assert result.exit_code == 2
    assert expected in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("book/condors/0/quantity", 0, "book.condors[0].quantity: expected 1 or more, found 0"),
        ("book/condors/0/quantity", -3, "book.condors[0].quantity: expected 1 or more, found -3"),
        ("book/condors/0/entry_credit", "NaN", "book.condors[0].entry_credit: 'NaN' is not a"),
        ("book/condors/0/entry_spot", None, "book.condors[0].entry_spot: expected an index level"),
        ("book/condors/0/entry_sigma_sqrt_t", 0, "book.condors[0].entry_sigma_sqrt_t: expected"),
        (
            "book/condors/0/legs/long_put",
            "SPXW  200117P03000000",
            "book.condors[0].legs.long_put: SPXW 17JAN20 3000 P expired before 2020-02-03",
        ),
        (
            "book/condors/0/legs/long_call",
            "SPXW  200320P03400000",
            "book.condors[0].legs.long_call: expected a call on SPX, found SPXW 20MAR20 3400 P",
        ),
        (
            "book/condors/0/legs/long_put",
            "SPXW  201218P09000000",
            "book.condors[0].legs.long_put: SPXW 18DEC20 9000 P is not below",
        ),
        ("book/condors/0/legs/short_ratio", 2, "book.condors[0].legs.long_ratio: expected"),
        ("book/hedges/0/net_contracts", 0, "book.hedges[0].net_contracts: 0 is not held"),
        ("book/hedges/0/instrument", "VIX   200122C00020000", "expired before 2020-02-03"),
        ("book/hedges/0/instrument", "SPXW  200320P03000000", "is no hedge"),
        ("account/net_liquidation_usd", "Infinity", "account.net_liquidation_usd: 'Infinity' is"),
        ("snapshot/market/rate", 1e999, "Infinity is not a JSON number"),
    ],
)
def test_a_book_that_cannot_be_is_refused_at_its_place(ask, tmp_path, path, value, expected):
    file = tmp_path / "snapshot.json"
    ask("snapshot", "--at", "2020-02-03T14:00", "--out", str(file))
    data = json.loads(file.read_text())
    assert data["book"]["condors"]
    assert data["book"]["hedges"]
    _change(data, path, value)
    file.write_text(json.dumps(data))
    result = ask("decide", str(file))
    assert result.exit_code == 2
    assert expected in result.stderr
    assert result.stdout == ""


def test_the_same_condor_or_hedge_twice_is_refused(ask, tmp_path):
    file = tmp_path / "snapshot.json"
    ask("snapshot", "--at", "2020-02-03T14:00", "--out", str(file))
    data = json.loads(file.read_text())
    for name, expected in (
        ("hedges", "book.hedges[1].instrument: VIX"),
        ("condors", "book.condors[1].condor_id: C0001 is there twice"),
    ):
        data["book"][name] = [data["book"][name][0]] * 2
        file.write_text(json.dumps(data))
        result = ask("decide", str(file))
        assert result.exit_code == 2
        assert expected in result.stderr


@pytest.mark.parametrize("text", ["", "{", "[]", '{"snapshot": NaN}', "{}", "[" * 100_000])
def test_a_file_that_is_no_snapshot_is_bad_usage(ask, tmp_path, text):
    file = tmp_path / "snapshot.json"
    file.write_text(text)
    result = ask("decide", str(file))
    assert result.exit_code == 2
    assert str(file) in result.stderr
    assert "Traceback" not in result.stderr


def test_check_passes_after_a_run(ask):
    result = ask("check", "--format", "json")
    rows = {row["check"]: row for row in json.loads(result.stdout)["rows"]}
    assert result.exit_code == 0
    assert rows["database"]["outcome"] == "pass"
    assert rows["broker"]["found"].startswith("simulated, replay")


def test_check_finds_a_ledger_of_another_account(copy, monkeypatch):
    monkeypatch.chdir(copy)
    shutil.copy("var/simulated-DU0000001.sqlite", "var/simulated-DU0000002.sqlite")
    result = CliRunner().invoke(
        app, ["check", "--set", "broker.account=DU0000002", "--format", "json"]
    )
    rows = {row["check"]: row for row in json.loads(result.stdout)["rows"]}
    assert result.exit_code == 1
    assert "belongs to simulated DU0000001" in rows["database"]["found"]


@pytest.mark.parametrize(
    ("setting", "check", "expected"),
    [
        ("broker.market.from=1995-01-03", "history", "VX runs from 2004"),
        ("broker.market.to=2027-12-31", "history", "choose dates inside"),
        ("rules.condor.max_loss_fraction=0.03", "limits", ""),
    ],
)
def test_check_says_what_a_run_would_stumble_over(copy, monkeypatch, setting, check, expected):
    monkeypatch.chdir(copy)
    result = CliRunner().invoke(app, ["check", "--set", setting, "--format", "json"])
    rows = {row["check"]: row for row in json.loads(result.stdout)["rows"]}
    assert expected in f"{rows[check]['found']} {rows[check]['fix']}"
    assert "Traceback" not in result.stderr


def test_a_halt_of_a_stopped_bot_is_on_record_and_lasts_until_it_is_lifted(copy, monkeypatch):
    monkeypatch.chdir(copy)

    def state() -> dict:
        result = CliRunner().invoke(app, ["status", "--format", "json"])
        return json.loads(result.stdout)["status"]

    run = CliRunner().invoke
    result = run(app, ["halt", "--reason", "test", "--scope", "reduce-only", "--format", "json"])
    assert json.loads(result.stdout)["outcome"] == "recorded"
    assert (state()["state"], state()["scope"], state()["reason"]) == (
        "HALTED",
        "reduce-only",
        "test",
    )
    assert state()["state_at"].startswith("2020-02-0")  # the bot's time, not today
    result = run(app, ["resume", "--reason", "over", "--format", "json"])
    assert json.loads(result.stdout)["outcome"] == "recorded"
    assert state()["state"] == "STARTING"
    result = run(app, ["resume", "--reason", "again", "--format", "json"])
    assert json.loads(result.stdout)["outcome"] == "unchanged"


def test_a_ledger_that_is_no_database_is_refused_for_safety(copy, monkeypatch):
    monkeypatch.chdir(copy)
    Path("var/simulated-DU0000001.sqlite").write_text("not a database at all")
    for command in (["status"], ["audit", "fills"], ["halt", "--reason", "x"], ["run"]):
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 4
        assert "not an alvh ledger" in result.stderr


def test_a_running_bot_obeys_keeps_others_out_and_stops_cleanly(tmp_path):
    folder = shipped(tmp_path)
    process = start("run", "--speed", "1200", "--format", "json", cwd=folder)
    try:
        wait_for(lambda: _decisions(folder) > 0)
        second = alvh("run", cwd=folder)
        assert second.returncode == 4
        assert "another instance" in second.stderr
        answer = alvh("halt", "--reason", "test", "--format", "json", cwd=folder)
        assert json.loads(answer.stdout)["outcome"] == "submitted"
        wait_for(lambda: _status(folder)["state"] == "HALTED")
        assert _status(folder)["process"] == process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 143, stderr
    assert json.loads(stdout)["stopped_by"] == "SIGTERM"


def _status(folder: Path) -> dict:
    result = alvh("status", "--format", "json", cwd=folder)
    return json.loads(result.stdout)["status"] if result.returncode == 0 else {"decisions": 0}


def _decisions(folder: Path) -> int:
    return int(_status(folder)["decisions"])
