"""`alvh conformance` at the simulated gateway: all cards pass, and a fault fails the right one.

The gateway's market is of another day, so bot, recorder and gateway share a loop whose time passes
by itself as real time does, only quicker, from that day's morning.
"""

import asyncio
import shutil
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.app.cli import app
from bot.app.commands.conformance import conform
from bot.app.commands.conformance_cards import Card
from bot.app.commands.inputs import read_config
from bot.app.exit_codes import ExitCode
from bot.app.ib_ports import paper_access
from bot.app.wiring import PaperWorld, build_world
from bot.clock import SystemClock, virtual_time
from bot.errors import WrongAccount
from bot.exchange.exchange import Exchange
from bot.gateway.fault_plan import FaultPlan, PlannedFault
from bot.gateway.faults import FaultKind
from bot.gateway.feed.settings import FeedSettings, Product
from bot.gateway.gateway import Gateway
from bot.gateway.settings import GatewaySettings
from bot.gateway.transcripts import Transcript
from tests.bot.app.test_gateway_command import started
from tests.bot.brokers.ib.worlds import spring
from tests.builders import instant

ROOT = Path(__file__).parents[3]
ACCOUNT = "DU7654321"
BEGIN = "2020-02-24 10:00:03"
CONFIG = """\
name: conformance-test
limits: limits.yaml
broker:
  kind: {kind}
  port: {port}
  client_id: 17
  account: {account}
"""


def tried(
    folder: Path,
    *faults: PlannedFault,
    with_orders: bool = False,
    account: str = ACCOUNT,
    **feed: object,
) -> tuple[list[Card], list[Path], Exchange]:
    """Return the cards of an account, their transcripts, and the exchange behind it."""
    shutil.copy(ROOT / "limits.yaml", folder)
    text = CONFIG.format(kind="ib_paper", port=4002, account=account)
    (folder / "ib.yaml").write_text(text)
    config = read_config(folder / "ib.yaml", [])
    market = spring(date(2020, 2, 24), date(2020, 3, 20))
    exchange = Exchange(market, account_id=ACCOUNT, starting_cash_usd=Decimal(1_000_000), seed=7)
    with virtual_time(instant(BEGIN), speed=3.0, runs_free=True) as loop:
        clock = SystemClock()
        world = build_world(config)
        assert isinstance(world, PaperWorld)
        settings = GatewaySettings(pump_every_s=0.25, feed=FeedSettings(greeks=False, **feed))
        gateway = Gateway(exchange, market.calendar, clock, settings, FaultPlan(faults))

        async def whole() -> tuple[list[Card], list[Path]]:
            access = paper_access(
                world.broker.model_copy(update={"port": await gateway.start()}),
                calendar=world.calendar,
                history=world.history,
                rules=world.rules,
                first_session=date(2020, 2, 24),
                events_folder=None,
            )
            try:
                return await conform(
                    access, config.limits, clock, with_orders=with_orders, folder=folder / "out"
                )
            finally:
                await gateway.stop()

        cards, transcripts = loop.run_until_complete(asyncio.wait_for(whole(), 300))
    return cards, transcripts, exchange


def results(cards: list[Card]) -> dict[str, str]:
    return {card.number: card.result for card in cards}


def test_every_card_passes_and_the_order_is_gone(tmp_path):
    cards, transcripts, exchange = tried(tmp_path, with_orders=True)
    assert [card for card in cards if not card.passed] == []
    assert [card.number for card in cards] == [f"C{number:02d}" for number in range(1, 18)]
    (record,) = exchange.records()
    assert record.report.status.name == "CANCELLED"
    assert len(record.order.legs) == 4
    assert exchange.fills(instant("2000-01-01")) == ()

    said = [Transcript.read(path) for path in transcripts]
    assert len(said) == 2, "one that trades, one for data"
    text = "".join(path.read_text() for path in transcripts)
    assert ACCOUNT not in text, "accounts are masked"
    assert '"placeOrder"' in text


def test_without_orders_nothing_is_placed(tmp_path):
    cards, _, exchange = tried(tmp_path)
    assert set(results(cards).values()) == {"pass"}
    assert cards[-1].number == "C12"
    assert exchange.records() == ()


def test_a_login_without_options_fails_what_needs_them(tmp_path):
    permissions = frozenset(Product) - {Product.OPTIONS}
    cards, _, exchange = tried(tmp_path, with_orders=True, permissions=permissions)
    found = results(cards)
    assert found["C10"] == "FAIL"
    assert {found[number] for number in ("C11", "C12", "C13", "C16")} == {"not run"}
    assert {found[number] for number in ("C01", "C02", "C03", "C04", "C05")} == {"pass"}
    assert exchange.records() == ()


def test_a_cancel_that_is_ignored_fails_its_card(tmp_path):
    fault = PlannedFault(kind=FaultKind.CANCEL_IGNORED)
    cards, _, _ = tried(tmp_path, fault, with_orders=True)
    found = results(cards)
    assert found["C15"] == "pass"
    assert found["C16"] == "FAIL"
    assert "by hand" in cards[15].found


def test_another_account_is_refused_at_once(tmp_path):
    with pytest.raises(WrongAccount, match="is not among those of this login"):
        tried(tmp_path, account="DU1111111")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "limits.yaml", tmp_path)
    return tmp_path


def ask(here: Path, kind: str, port: int, *arguments: str):
    (here / "ib.yaml").write_text(CONFIG.format(kind=kind, port=port, account="DU0000001"))
    return CliRunner().invoke(app, ["conformance", "--config", "ib.yaml", *arguments])


def test_the_command_prints_cards_and_says_where_transcripts_are(here):
    """A gateway whose clock is of another year fails that card, and those of the market."""
    process, port = started(here, "--market", "replay:2020-02-24..2020-02-28")
    try:
        result = ask(here, "ib_paper", port, "--format", "json")
    finally:
        process.terminate()
        process.communicate(timeout=30)
    assert result.exit_code == ExitCode.FAILED
    assert '"card": "C01", "result": "pass"' in result.stdout
    assert '"card": "C03", "result": "FAIL"' in result.stdout
    assert "transcript, accounts masked: var/conformance/conformance-" in result.stderr


@pytest.mark.parametrize(
    ("kind", "code", "expected"),
    [
        ("ib_paper", ExitCode.UNREACHABLE, "nothing listens on 127.0.0.1:1."),
        ("ib_shadow\n  seed: 1\n  starting_cash_usd: 10000", ExitCode.USAGE, "use ib_paper"),
    ],
)
def test_what_cannot_be_tried_is_refused(here, kind, code, expected):
    result = ask(here, kind, 1)
    assert result.exit_code == code
    assert expected in result.stderr
