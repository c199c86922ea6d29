"""`alvh reconcile`, `adopt`, `ignore` and `balance` over a ledger in which somebody else traded."""

import json
from pathlib import Path

import pytest

from bot.app.accounts import open_account
from bot.app.commands.inputs import paths_of, read_config
from bot.app.wiring import World, build_world
from state.ledger import Ledger
from tests.bot.app.shell import alvh
from tests.bot.exchange.venue.fakes import new_order
from tests.builders import instant

IN_PROCESS = ("--set", "broker.transport=in_process")
WHEN = instant("2020-02-03 16:00")


def trade_by_hand(folder: Path) -> str:
    """Buy two VX futures in the account while no bot runs; return their symbol."""
    config = read_config(folder / "paper_config.yaml", ["broker.transport=in_process"])
    world = build_world(config)
    assert isinstance(world, World)
    paths = paths_of(config, folder / "var")
    exchange = open_account(world.broker, world.market, paths.exchange_journal)
    exchange.submit(new_order("manual-1", "VX 18MAR20", 2, "40.00"), max(WHEN, exchange.now))
    exchange.advance_to(instant("2020-02-03 16:14"))
    (fill,) = {fill.symbol for fill in exchange.fills(WHEN) if fill.client_order_id == "manual-1"}
    return fill


@pytest.fixture
def account(copy):
    """A folder with a stopped bot whose account was traded by hand."""
    trade_by_hand(copy)
    return copy


def reconcile(folder, code):
    answer = alvh("reconcile", *IN_PROCESS, "--format", "json", cwd=folder)
    assert answer.returncode == code, answer.stderr
    return json.loads(answer.stdout)["rows"]


def test_a_stopped_bots_books_are_compared_adopted_and_agree(account):
    (row, *more) = reconcile(account, 1)
    assert (row["kind"], row["status"], row["locks"]) == ("foreign fill", "open", ["VIX"])
    assert "alvh adopt" in row["what_to_do"]
    for each in (row, *more):
        done = alvh("adopt", each["break_id"], "--layer", "L2", "--reason", "mine", cwd=account)
        assert done.returncode == 0, done.stderr
        assert "adopted for L2" in done.stdout
    assert reconcile(account, 0) == []


def test_what_is_ignored_is_listed_and_counts_as_settled(account):
    for row in reconcile(account, 1):
        alvh("ignore", row["break_id"], "--reason", "my own", cwd=account)
    assert {row["status"] for row in reconcile(account, 0)} == {"ignored"}
    table = alvh("reconcile", *IN_PROCESS, cwd=account)
    assert "a person traded in the account" in table.stdout


def test_a_running_bot_is_left_a_request(account):
    database = account / "var" / "simulated-DU0000001.sqlite"
    with Ledger.open(database, mode="simulated", account="DU0000001", now=WHEN):
        asked = alvh("reconcile", "--wait", "0", cwd=account)
        left = alvh("ignore", "X1", "--reason", "r", "--format", "json", cwd=account)
    assert asked.returncode == 0
    assert "has not compared yet" in asked.stderr
    assert json.loads(left.stdout)["outcome"] == "submitted"
    control = account / "var" / "control" / "simulated-DU0000001"
    kinds = [path.stem.rpartition("-")[2] for path in sorted(control.glob("*.request"))]
    assert kinds == ["compare", "ignore"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("adopt", "X1", "--reason", "r"), "give one of --condor and --layer"),
        (("ignore", "X1", "--reason", " "), "--reason: expected 1 to 500 characters"),
        (("ignore", "X1", "--reason", "r"), "no one break is called 'X1'; there are: none"),
        (("unlock", "K1", "--reason", "r"), "no one lock is called 'K1'; there are: none"),
        (("balance", "--amount", "x", "--kind", "fee", "--reason", "r"), "--amount: expected USD"),
        (("balance", "--amount", "0", "--kind", "fee", "--reason", "r"), "not zero"),
        (("balance", "--amount", "1", "--kind", "fee", "--reason", "r"), "no comparison has found"),
    ],
)
def test_what_cannot_be_done_is_said(ask, arguments, message):
    answer = ask(*arguments)
    assert answer.exit_code == 2
    assert message in answer.stderr


def test_without_a_ledger_there_is_nothing_to_compare(ask):
    answer = ask("reconcile", "--state-dir", "elsewhere")
    assert answer.exit_code == 2
    assert answer.stdout == ""
