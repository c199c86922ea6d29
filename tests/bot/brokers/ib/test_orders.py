"""Orders in IB's words, and the tables beside them."""

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from bot.brokers.ib.errors_table import CODES, Reaction, Scope, code_of
from bot.brokers.ib.journal import EventJournal, masked
from bot.brokers.ib.library import Contract, Execution, Order, OrderState, is_set
from bot.brokers.ib.margin import margin_refusal
from bot.brokers.ib.orders import (
    completed_package_of,
    contract_of,
    line_of,
    order_of,
    package_of,
)
from bot.brokers.ib.values import account_of
from bot.errors import BrokerUnavailable
from strategies.model.ids import is_own_id
from tests.bot.brokers.benches import ManualClock, approved
from tests.bot.exchange.venue.fakes import CALL, CONDOR, VX
from tests.builders import AT

UNSET = 1.7976931348623157e308


def in_words(legs: str, quantity: int, limit: str) -> tuple[Contract, Order]:
    intent = approved(legs, quantity, Decimal(limit)).intent
    contracts = {
        leg.instrument.symbol: Contract(
            conId=100 + number,
            symbol=leg.instrument.underlying,
            exchange="CFE" if leg.instrument.root == "VX" else "SMART",
            currency="USD",
        )
        for number, leg in enumerate(intent.legs)
    }
    return contract_of(intent, contracts), order_of(intent, "DU1")


@pytest.mark.parametrize(
    ("legs", "limit", "action", "price"),
    [(CALL, "0.50", "BUY", 0.5), ("-1 " + CALL, "-0.50", "SELL", 0.5), (VX, "17.05", "BUY", 17.05)],
)
def test_a_single_leg_has_a_side_and_a_positive_price(legs, limit, action, price):
    contract, order = in_words(legs, 3, limit)
    assert (order.action, order.lmtPrice, order.totalQuantity) == (action, price, 3)
    assert contract.conId == 100


def test_a_package_is_bought_at_its_net_price_without_prices_for_legs():
    contract, order = in_words(CONDOR, 2, "-4.45")
    assert (order.action, order.lmtPrice) == ("BUY", -4.45)
    assert order.orderComboLegs == []
    assert (contract.secType, contract.symbol, contract.exchange) == ("BAG", "SPX", "SMART")
    legs = [(leg.conId, leg.ratio, leg.action) for leg in contract.comboLegs]
    assert legs == [(100, 1, "BUY"), (101, 1, "SELL"), (102, 1, "SELL"), (103, 1, "BUY")]


def test_nothing_is_left_to_a_preset():
    _, order = in_words(CALL, 1, "0.50")
    assert (order.tif, order.outsideRth, order.transmit) == ("DAY", False, True)
    assert (order.orderType, order.account) == ("LMT", "DU1")
    assert is_own_id(order.orderRef)


@pytest.mark.parametrize("legs", [CALL, "-1 " + CALL, CONDOR])
def test_an_order_comes_back_as_it_went(legs):
    limit = "0.50" if legs == CALL else "-0.50"
    package = package_of(*in_words(legs, 2, limit))
    assert package.limit_price == Decimal(limit)
    intent = approved(legs, 2, Decimal(limit)).intent
    assert [leg.ratio for leg in package.legs] == [leg.ratio for leg in intent.legs]


@pytest.mark.parametrize(
    ("left", "filled", "is_filled", "quantity"),
    [(0, 4.0, True, 4), (4, 4.0, True, 4), (3, 2.0, False, 5), (5, UNSET, False, 5)],
)
def test_the_size_of_a_completed_order_is_what_it_filled_and_what_is_left(
    left, filled, is_filled, quantity
):
    contract, order = in_words(CALL, 1, "0.50")
    order.totalQuantity, order.filledQuantity = left, filled
    assert completed_package_of(contract, order, is_filled=is_filled).quantity == quantity


@pytest.mark.parametrize("reference", ["", "tg:condor", "A123", "a" + "0" * 20, "A" + "G" * 20])
def test_what_is_not_spelled_like_ours_is_not_ours(reference):
    assert not is_own_id(reference)


@pytest.mark.parametrize(
    ("exec_id", "root", "revision"),
    [("0000e0d5.1.01.02", "0000e0d5.1.01", 2), ("abc", "abc", 1), ("a.b", "a.b", 1)],
)
def test_an_execution_id_has_a_revision_at_its_end(exec_id, root, revision):
    line = line_of(Contract(), Execution(execId=exec_id, side="SLD", time=AT))
    assert (line.exec_root, line.revision) == (root, revision)


# --- codes ---------------------------------------------------------------------------------------


def test_every_code_says_where_it_is_from():
    assert len(CODES) > 80
    assert all(row.source and row.meaning for row in CODES.values())


@pytest.mark.parametrize("code", [10999, 3, 777])
def test_an_unknown_code_on_an_order_asks_and_ends_nothing(code):
    assert code_of(code, about_order=True).reaction is Reaction.RECONCILE
    assert code_of(code, about_order=False).reaction is Reaction.REQUEST_FAILED


def test_unknown_remarks_are_remarks():
    assert code_of(2150, about_order=True).reaction is Reaction.NOTICE
    assert code_of(2150, about_order=False).scope is Scope.CONNECTION


def test_no_code_by_itself_says_that_an_order_is_cancelled():
    told = [row.code for row in CODES.values() if row.reaction is Reaction.CANCEL_TOLD]
    assert told == [202]


# --- margin and values ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("margin", "equity", "refused"),
    [("100", "100", False), ("100.01", "100", True), ("1.7976931348623157E308", "100", False)],
)
def test_margin_beyond_equity_is_refused(margin, equity, refused):
    state = OrderState(initMarginAfter=margin, equityWithLoanAfter=equity)
    assert bool(margin_refusal(state)) is refused


@pytest.mark.parametrize(
    ("text", "known"),
    [("", False), (None, False), ("1.7976931348623157E308", False), ("0", True), (-1.5, True)],
)
def test_unset_has_many_spellings(text, known):
    assert is_set(text) is known


class Told:
    def __init__(self, tag: str, value: str, currency: str = "USD") -> None:
        self.tag, self.value, self.currency = tag, value, currency


VALUES = {
    "NetLiquidation": "1000.5",
    "$LEDGER-TotalCashBalance": "900.1234",
    "InitMarginReq": "10",
    "MaintMarginReq": "9",
    "ExcessLiquidity": "991",
}


def test_account_values_cross_exactly_with_or_without_a_prefix():
    account = account_of([Told(tag, value) for tag, value in VALUES.items()])
    assert account.cash_usd == Decimal("900.1234")
    assert account.net_liquidation_usd == Decimal("1000.5")


@pytest.mark.parametrize("lacking", VALUES)
def test_an_account_value_that_is_not_told_is_named(lacking):
    told = [Told(tag, value, "EUR" if tag == lacking else "USD") for tag, value in VALUES.items()]
    with pytest.raises(BrokerUnavailable, match=lacking.removeprefix("$LEDGER-")):
        account_of(told)


# --- the journal ---------------------------------------------------------------------------------


def test_events_are_lines_a_day_with_the_account_masked(tmp_path):
    clock = ManualClock(AT)
    journal = EventJournal(tmp_path / "events", clock, files_max=2)
    _, order = in_words(CALL, 1, "0.50")
    for day in range(3):
        clock.move_to(AT + timedelta(days=day))
        journal.write("openOrder", {"orderId": day, "order": replace(order, account="DU1234567")})
    journal.close()
    names = sorted(path.name for path in (tmp_path / "events").iterdir())
    assert names == ["events-2020-02-04.jsonl", "events-2020-02-05.jsonl"]
    (line,) = (tmp_path / "events" / names[1]).read_text().splitlines()
    event = json.loads(line)
    assert (event["event"], event["orderId"]) == ("openOrder", 2)
    assert event["order"]["account"] == "DU*****67"
    assert "1234567" not in line
    assert "volatility" not in event["order"]


def test_a_journal_does_not_grow_without_end(tmp_path):
    journal = EventJournal(tmp_path, ManualClock(AT), bytes_max=300)
    for number in range(50):
        journal.write("error", {"id": number, "text": "x" * 20})
    journal.close()
    (path,) = tmp_path.iterdir()
    assert path.stat().st_size < 500
    assert path.read_text().splitlines()[-1].endswith('"journalFull"}')


@pytest.mark.parametrize(("account", "shown"), [("DU1234567", "DU*****67"), ("U1", "**"), ("", "")])
def test_an_account_shows_its_kind_and_its_end(account, shown):
    assert masked(account) == shown
