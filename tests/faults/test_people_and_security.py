"""Family E of the fault catalogue: people, configuration, and those who mean harm."""

import asyncio
import json
import logging
import re
import tomllib
from pathlib import Path

import pytest
import structlog

from bot.app.config.documents import read_document
from bot.app.config.loader import load_config
from bot.app.config.problems import ConfigInvalid
from bot.app.logs import start_logging
from bot.app.paths import run_paths
from bot.app.render.console import data_console
from bot.app.render.svg import Line, Panel, picture
from bot.app.render.tables import Grid, print_table
from bot.history.files import MAX_BYTES, HistoryFileInvalid
from bot.history.store import History
from state.audit import AuditReader, Filters
from state.exports import write_csv
from state.readers import Table
from tests.bot.app.shell import ROOT, alvh, shipped
from tests.bot.gateway.running import running_gateway
from tests.bot.gateway.wire import Wire
from tests.state import records

CANARY = "canary-7f3a9d"
_LOCKS = [*ROOT.glob("*.lock"), *ROOT.glob("tests/clients/requirements/*.lock")]


# --- what a configuration may carry ---------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x]\nb: *a\n",
        "a: !!python/object/apply:os.system ['true']\n",
        "a: &a {x: 1}\nb: {<<: *a}\n",
        "a: " + "[" * 50 + "]" * 50 + "\n",
        "x" * 1_000_001,
    ],
    ids=["alias", "tag", "merge", "depth", "size"],
)
def test_fault_e8_a_malicious_file_builds_nothing(tmp_path, text):
    path = tmp_path / "paper_config.yaml"
    path.write_text(text)
    with pytest.raises(ConfigInvalid):
        read_document(path)


def test_fault_e8_no_text_is_looked_up_in_the_environment_and_no_key_counts_twice(tmp_path):
    path = tmp_path / "paper_config.yaml"
    path.write_text("a: ${HOME}\na: 2\n")
    document = read_document(path)
    assert document.values == {"a": "${HOME}"}
    assert "written twice" in str(document.problems[0])


@pytest.mark.parametrize(
    "account",
    ["DU1/../../etc/x", "../DU0000001", "DU0000001\n", "DU00000\0", "..", "DU" + "1" * 60],
)
def test_fault_e10_no_account_leads_a_file_out_of_the_state_folder(tmp_path, account):
    shipped(tmp_path)
    flags = [f"broker.account={account}"]
    with pytest.raises(ConfigInvalid, match="account"):
        load_config(tmp_path / "paper_config.yaml", environment={}, flags=flags)


def test_fault_e10_every_file_of_a_bot_is_named_by_mode_and_account_under_one_root():
    paths = run_paths(Path("var"), mode="simulated", account="DU0000001")
    for name in paths.__slots__:
        assert Path(getattr(paths, name)).is_relative_to("var"), name


def test_fault_e11_a_planted_secret_is_in_no_file_and_on_no_screen(tmp_path):
    """Invariant I21: a run with a secret in its environment leaves no trace of it."""
    shipped(tmp_path)
    live = (ROOT / "live_config.yaml").read_text()
    live = live.replace('account: ""', "account: U1234567")
    live = live.replace('confirmation: ""', "confirmation: this account trades real money")
    (tmp_path / "live_config.yaml").write_text(live)
    load_config(tmp_path / "live_config.yaml", environment={"ALVH_BROKER__ARM_TOKEN": CANARY})
    ran = alvh("run", "--once", "--set", f"broker.arm_token={CANARY}", cwd=tmp_path)
    assert ran.returncode == 2  # a simulated broker has no such key; said without its value
    said = alvh("check", "--config", "live_config.yaml", "--show-origin", cwd=tmp_path)
    done = alvh("run", "--once", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for text in (ran.stdout, ran.stderr, said.stdout, said.stderr, done.stdout, done.stderr):
        assert CANARY not in text
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or CANARY.encode() not in path.read_bytes(), path


# --- what a file of data may carry ----------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [b"date,close\n2020-01-02,=cmd()\n", b"date,close\n2020-01-02,1\0\n", b"\xff\xfe\x00d"],
    ids=["formula", "nul", "encoding"],
)
def test_fault_e9_a_malicious_file_of_history_is_refused_with_its_place(tmp_path, content):
    path = tmp_path / "SPX.csv"
    path.write_bytes(content)
    with pytest.raises(HistoryFileInvalid, match=r"SPX\.csv"):
        History.bundled({"SPX": path})


def test_fault_e9_a_file_beyond_the_bound_is_refused_unread(tmp_path):
    path = tmp_path / "SPX.csv"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(HistoryFileInvalid, match="at most"):
        History.bundled({"SPX": path})


def test_fault_e9_an_exported_note_runs_in_no_spreadsheet(tmp_path):
    write_csv(Table(("note",), (("=HYPERLINK(1)",),)), tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text().splitlines()[1] == "'=HYPERLINK(1)"


# --- what a web page may try ----------------------------------------------------------------------


POST = (
    b"POST / HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\n"
    b"Content-Type: text/plain\r\nContent-Length: 12\r\n\r\nplaceOrder=1"
)


@pytest.mark.parametrize("request_bytes", [POST, POST.replace(b"POST", b"GET")])
async def test_faults_e12_and_e13_a_browser_s_request_to_the_gateway_s_port_does_nothing(
    request_bytes,
):
    """There is no dashboard: the only port is the gateway's, and a web page may reach it too."""
    async with running_gateway() as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        writer.write(request_bytes)
        answer = await asyncio.wait_for(reader.read(), 5)
        writer.close()
        assert b"HTTP" not in answer
        assert running.exchange.records() == ()
        wire = await Wire.greeted(running.port)  # and everybody else is still served
        await wire.close()


def test_faults_e12_e13_and_e17_nothing_listens_beyond_this_machine(tmp_path):
    """No dashboard, no login, no password: what does not exist cannot be guessed or forged."""
    listeners = [
        path
        for folder in ("bot", "state", "strategies")
        for path in (ROOT / folder).rglob("*.py")
        if re.search(
            r"start_server|create_server|sock\w*\.bind\(|uvicorn|http\.server", path.read_text()
        )
    ]
    assert {path.relative_to(ROOT).parts[:2] for path in listeners} <= {("bot", "gateway")}
    refused = alvh("gateway", "--host", "0.0.0.0", cwd=shipped(tmp_path))
    assert refused.returncode == 2  # there is no such option


MARKUP = "<script>alert(1)</script>[red]x[/red]"


def test_fault_e14_a_foreign_reference_is_text_in_pictures_and_tables(capsys):
    line = Line(name=MARKUP, points=[(0.0, 1.0), (1.0, 2.0)], colour="#000000")
    drawn = picture(MARKUP, [Panel(y_label=MARKUP, lines=[line])], [(0.0, MARKUP)])
    assert "<script" not in drawn
    print_table(data_console(), Grid(columns=("reference",), rows=((MARKUP,),)))
    assert "[red]x[/red]" in capsys.readouterr().out


# --- supply chain ---------------------------------------------------------------------------------


def lock_flaws(text: str) -> list[str]:
    """Return what is wrong with a lock: pins without a hash, versions that float, addresses."""
    entries = re.findall(r"^[\w\[].*$", text, re.MULTILINE)
    pins = [entry for entry in entries if re.match(r"[\w.\-\[\]]+==\S+", entry)]
    hashed = re.findall(r"^[\w.\-\[\]]+==[^\n]*\\\n(?:    --hash=sha256:)", text, re.MULTILINE)
    flaws = [f"not pinned: {entry}" for entry in entries if entry not in pins]
    if len(pins) != len(hashed):
        flaws.append(f"{len(pins)} pins, {len(hashed)} of them with a hash")
    if "://" in text:
        flaws.append("an address")
    return flaws if pins else ["no pin at all"]


def test_fault_e18_every_dependency_is_pinned_by_hash_and_by_no_address():
    assert len(_LOCKS) >= 2
    for lock in _LOCKS:
        assert lock_flaws(lock.read_text()) == [], lock.name
    makefile = (ROOT / "Makefile").read_text()
    installs = [
        line for line in makefile.splitlines() if " -r " in line and "install" in line.lower()
    ]
    assert installs
    assert all("--require-hashes" in line for line in installs if "PIP" in line)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "ib_insync==0.9.86" in project["project"]["dependencies"]  # frozen upstream


# --- what a query and a message may carry ---------------------------------------------------------


def test_fault_e19_a_filter_is_a_value_and_never_sql(tmp_path):
    path = tmp_path / "ledger.sqlite"
    records.open_ledger(path).close()
    with AuditReader.open(path) as reader:
        for text in ("L1'; DROP TABLE fills; --", "' OR 1=1 --", '"; VACUUM; --'):
            assert reader.fills(Filters(layer=text)).rows == ()
            assert reader.orders(Filters(rule=text)).rows == ()
        assert reader.fills().rows == ()


def test_fault_e20_a_message_with_newlines_is_one_line_of_the_log(tmp_path):
    try:
        start_logging(tmp_path / "bot.log", "info")
        forged = 'rejected\n{"event": "halted", "level": "critical"}\r\nx'
        structlog.get_logger("broker").warning("order refused", reason=forged)
        lines = (tmp_path / "bot.log").read_text().splitlines()
    finally:
        for handler in logging.getLogger().handlers[:]:
            logging.getLogger().removeHandler(handler)
            handler.close()
        structlog.reset_defaults()
    assert len(lines) == 1
    assert json.loads(lines[0])["reason"] == forged
