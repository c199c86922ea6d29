"""Drills of faults E by those who mean harm: files, names, web pages, markup, packages, queries."""

import asyncio
import contextlib
import io
import json
import logging
import re
from pathlib import Path

import pytest
import structlog

from bot.app.config.documents import DEPTH_MAX, FILE_BYTES_MAX, read_document
from bot.app.config.loader import load_config
from bot.app.config.problems import ConfigInvalid
from bot.app.logs import start_logging
from bot.app.paths import run_paths
from bot.app.render.console import data_console
from bot.app.render.svg import Line, Panel, picture
from bot.app.render.tables import Grid, print_table
from bot.history.files import HistoryFileInvalid
from bot.history.store import History
from state.audit import AuditReader, Filters
from state.exports import write_csv
from state.readers import Table
from tests.bot.app.shell import ROOT, shipped
from tests.bot.gateway.running import Running, running_gateway
from tests.bot.gateway.wire import Wire
from tests.faults.drilling import Dice, a_ledger, drill, in_real_time, own_logging
from tests.faults.test_people_and_security import lock_flaws
from tests.state import records

_LIVE = (ROOT / "live_config.yaml").read_text()


# --- files ----------------------------------------------------------------------------------------


@drill("E8")
def a_malicious_configuration(seed: int, folder: Path) -> None:
    """Tags, aliases, merges, depth and size build nothing, and no key is unknown or looked up."""
    dice = Dice(seed)
    word, deep = dice.word(), dice.whole(DEPTH_MAX + 1, 3_000)
    text = dice.pick(
        [
            f"{word}: !!python/object/apply:os.{word} ['true']\n",
            f"{word}: !{word} x\n",
            f"a: &{word} [x]\nb: *{word}\n",
            "a: &a [x,x,x,x,x,x,x,x,x]\n"
            + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}]\n" for n in range(9)),
            f"a: &a {{x: 1}}\nb: {{<<: *a, {word}: 1}}\n",
            "a: " + "[" * deep + "]" * deep + "\n",
            "x" * dice.whole(FILE_BYTES_MAX + 1, FILE_BYTES_MAX + 1_000),
            f"{word}: \0{word}\n",
        ]
    )
    path = folder / "hostile.yaml"
    path.write_text(text)
    with pytest.raises(ConfigInvalid):
        read_document(path)
    path.write_text(f"{word}: ${{HOME}}\n")
    assert read_document(path).values == {word: "${HOME}"}
    file = shipped(folder) / "paper_config.yaml"
    file.write_text(file.read_text() + f"\n{word}_x: 1\n")
    with pytest.raises(ConfigInvalid, match=f"{word}_x"):
        load_config(file, environment={})


@drill("E9")
def a_malicious_file_of_prices(seed: int, folder: Path) -> None:
    """It is refused with its place; what is exported runs in no spreadsheet."""
    dice = Dice(seed)
    good = b"date,close\n" + b"".join(b"2020-01-%02d,%d\n" % (day, day) for day in (2, 3, 6, 7))
    cell = dice.pick([b"=cmd()", b"1\0", b"nan", b"inf", b"-5", b"1e999", b"", b"\xff\xfe", b"1,1"])
    path = folder / "SPX.csv"
    path.write_bytes(good + b"2020-01-08," + cell + b"\n")
    with pytest.raises(HistoryFileInvalid, match=r"SPX\.csv"):
        History.bundled({"SPX": path}).daily("SPX")
    formula = dice.pick("=+-@") + dice.word() + "(1)"
    write_csv(Table(("note",), ((formula,),)), folder / "t.csv")
    assert (folder / "t.csv").read_text().splitlines()[1] == f"'{formula}"


@drill("E10")
def a_name_leads_out_of_the_folder(seed: int, folder: Path) -> None:
    """No account names a file elsewhere, and every file is named by mode and account."""
    dice = Dice(seed)
    account = dice.pick(
        [
            f"DU1/../../{dice.word()}",
            f"../DU{dice.whole(1, 10**7)}",
            f"DU{dice.whole(1, 10**7)}\n",
            f"DU{dice.whole(1, 10**7)}\0",
            f"/{dice.word()}",
            "." * dice.whole(1, 4),
            "DU" + "1" * dice.whole(40, 300),
            f"DU1\\{dice.word()}",
        ]
    )
    with pytest.raises(ConfigInvalid, match="account"):
        load_config(
            shipped(folder) / "paper_config.yaml",
            environment={},
            flags=[f"broker.account={account}"],
        )
    paths = run_paths(folder, mode="simulated", account=f"DU{dice.whole(1, 10**7)}")
    for name in paths.__slots__:
        assert Path(getattr(paths, name)).resolve().is_relative_to(folder.resolve()), name


@drill("E11")
def a_secret_is_planted(seed: int, folder: Path) -> None:
    """It is in no configuration shown or stored, in no refusal and in no line of a log."""
    dice = Dice(seed)
    canary = f"canary-{dice.word(16)}"
    filled = _LIVE.replace('account: ""', "account: U1234567")
    filled = filled.replace('confirmation: ""', "confirmation: this account trades real money")
    file = shipped(folder) / "live_config.yaml"
    file.write_text(filled)
    said = []
    config = load_config(file, environment={"ALVH_BROKER__ARM_TOKEN": canary})
    said += [config.redacted_json, repr(config), str(config.values), config.config_hash]
    place = dice.pick(["file", "flag", "wrong broker", "wrong value"])
    flags, path = [], file
    if place == "file":
        file.write_text(filled.replace("broker:\n", f"broker:\n  arm_token: {canary}\n", 1))
    elif place == "flag":
        flags = [f"broker.arm_token={canary}", "broker.port=x"]
    elif place == "wrong broker":
        path, flags = folder / "paper_config.yaml", [f"broker.arm_token={canary}"]
    else:
        flags = [f"broker.arm_token={canary}", f"schedule.{dice.word()}=1"]
    screen = io.StringIO()
    with contextlib.redirect_stderr(screen), own_logging():
        start_logging(folder / "bot.log", "info")
        try:
            load_config(path, environment={}, flags=flags)
        except ConfigInvalid as refusal:
            said.append(str(refusal))
            structlog.get_logger("test").exception("refused", config=repr(config))
        else:
            raise AssertionError(f"a secret in the {place} was taken")
    assert (folder / "bot.log").stat().st_size > 0
    said += [(folder / "bot.log").read_text(), screen.getvalue()]
    for text in said:
        assert canary not in text


# --- web pages, and whoever tries the port --------------------------------------------------------


async def _served_still(running: Running) -> None:
    assert running.exchange.records() == ()
    wire = await Wire.greeted(running.port)
    await wire.close()


async def _sent(running: Running, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    with contextlib.suppress(ConnectionError):
        writer.write(data)
        if writer.can_write_eof():
            writer.write_eof()
        answer = await asyncio.wait_for(reader.read(), 5)
        writer.close()
        return answer
    return b""


def _browser_tries(seed: int) -> None:
    dice = Dice(seed)
    host = dice.pick(["evil.example", "127.0.0.1", "localhost", f"{dice.word()}.example:4002"])
    method = dice.pick(["POST", "GET", "PUT", "OPTIONS", "DELETE", "CONNECT"])
    body = dice.word(dice.whole(0, 200))
    request = (
        f"{method} /{dice.word()} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\n"
        f"Content-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    )

    async def tried() -> None:
        async with running_gateway() as running:
            assert b"HTTP" not in await _sent(running, request.encode())
            await _served_still(running)

    in_real_time(tried())


@drill("E12")
def a_web_page_posts_to_the_port(seed: int, folder: Path) -> None:
    """There is no dashboard: the only port is the gateway's, and no web page is answered there."""
    _browser_tries(seed)


@drill("E13")
def a_name_is_rebound_to_this_machine(seed: int, folder: Path) -> None:
    """As a web page would reach the port by a name of its own: nothing is answered or done."""
    _browser_tries(seed + 1_000_000)


@drill("E14")
def markup_is_hidden_in_a_name(seed: int, folder: Path) -> None:
    """It is text, in pictures and in tables."""
    dice = Dice(seed)
    word = dice.word()
    markup = dice.pick(
        [
            f"<script>{word}</script>[red]x[/red]",
            f'"><img src=x onerror={word}>[link=http://{word}]x[/link]',
            f"</text><script>{word}</script>[bold]",
            f"&lt;{word}<svg onload={word}>[/]",
        ]
    )
    line = Line(name=markup, points=[(0.0, 1.0), (1.0, 2.0)], colour="#000000")
    drawn = picture(markup, [Panel(y_label=markup, lines=[line])], [(0.0, markup)])
    for tag in ("<script", "<img", "<svg onload"):
        assert tag not in drawn
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        print_table(data_console(), Grid(columns=("reference",), rows=((markup,),)))
    flat = re.sub(r"[\s│|]+", "", shown.getvalue())
    assert re.sub(r"\s+", "", markup.rpartition("[")[2]) in flat


@drill("E17")
def somebody_tries_the_port_again_and_again(seed: int, folder: Path) -> None:
    """There is no password to guess: bytes of any kind get nowhere, and others are served."""
    dice = Dice(seed)

    async def tried() -> None:
        async with running_gateway() as running:
            for _ in range(dice.whole(3, 12)):
                length = dice.whole(0, 300)
                greeting = dice.pick([b"", b"API\0", b"API\0\0\0\0\tv100..176"])
                await _sent(running, greeting + dice.generator.bytes(length))
            await _served_still(running)

    in_real_time(tried())


# --- packages, queries, logs ----------------------------------------------------------------------


@drill("E18")
def a_package_is_tampered_with(seed: int, folder: Path) -> None:
    """A pin without its hash, a version that floats, an address: each is found in the lock."""
    dice = Dice(seed)
    lock = dice.pick([ROOT / "requirements.lock", ROOT / "requirements-dev.lock"])
    text = lock.read_text()
    assert lock_flaws(text) == []
    pins = re.findall(r"^[\w.\-\[\]]+==\S+", text, re.MULTILINE)
    pin = dice.pick(pins)
    name = pin.partition("==")[0]
    at = text.index(f"\n{pin}") + 1 if f"\n{pin}" in text else text.index(pin)
    end = text.find("\n", text.rindex("--hash", at, _end_of(text, at))) + 1
    block = text[at:end]
    changed = dice.pick(
        [
            f"{pin}\n",
            block.replace("==", ">=", 1),
            block.replace(pin, f"{name} @ https://{dice.word()}.example/{name}.whl", 1),
            block.replace("--hash=sha256:", "--hash=md5:"),
        ]
    )
    assert lock_flaws(text[:at] + changed + text[end:])


def _end_of(text: str, at: int) -> int:
    """Return where the entry of a pin ends."""
    following = re.compile(r"^(?=[\w\[#])", re.MULTILINE).search(text, text.index("\n", at) + 1)
    return len(text) if following is None else following.start()


@drill("E19")
def a_filter_carries_sql(seed: int, folder: Path) -> None:
    """It is a value."""
    dice = Dice(seed)
    word = dice.word()
    text = dice.pick(
        [
            f"{word}'; DROP TABLE fills; --",
            f"' OR '{word}'='{word}",
            f"\"; ATTACH '{word}' AS {word}; --",
            f"' UNION SELECT sql, * FROM sqlite_schema --{word}",
            f"{word}\0' OR 1=1",
            "%' --",
        ]
    )
    path = a_ledger(folder)
    with records.open_ledger(path) as ledger, ledger.transaction() as tx:
        tx.record_job_run("interval", records.AT, records.AT, records.AT, "ran")
    before = path.read_bytes()
    with AuditReader.open(path) as reader:
        for question in (reader.fills, reader.orders):
            for field in ("layer", "rule", "condor"):
                assert question(Filters(**{field: text})).rows == ()
        assert reader.fills().rows == ()
    assert path.read_bytes() == before


@drill("E20")
def a_message_forges_lines_of_the_log(seed: int, folder: Path) -> None:
    """Whatever it holds, it is one line, and reads back as it was."""
    dice = Dice(seed)
    ends = ["\n", "\r\n", "\r", "\x0b", "\x0c", "\x85", "\u2028", "\u2029", "\x1b[2K", "\0"]
    forged = dice.word()
    for end in dice.some(ends, dice.whole(1, len(ends))):
        forged += end + json.dumps({"event": dice.word(), "level": "critical"})
    with own_logging():
        start_logging(folder / "bot.log", "info")
        structlog.get_logger("broker").warning("order refused", reason=forged)
        logging.getLogger("library").warning("%s", forged)
    lines = (folder / "bot.log").read_bytes().split(b"\n")
    assert len(lines) == 3
    assert lines[-1] == b""
    assert json.loads(lines[0])["reason"] == forged
    assert forged in json.loads(lines[1])["event"]
