"""A new process finds the orders, executions and ids of the one that ended."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from bot.exchange.exchange import Exchange
from bot.gateway.faults import FaultKind
from strategies.model.lifecycle import OrderStatus
from tests.bot.exchange.venue.fakes import CALL, CONDOR, new_order, open_exchange
from tests.bot.gateway.desk.trading import Case, fault, limit, order, spelled
from tests.builders import AT


@pytest.fixture
def reborn(tmp_path: Path):
    def exchange() -> Exchange:
        return open_exchange(journal_path=tmp_path / "sim.exchange.jsonl")

    return exchange


def facts_of(case: Case) -> tuple:
    """Everything a client can ask for."""
    return (
        case.desk.open_orders(None),
        case.desk.completed_orders(False),
        case.desk.executions({}, case.at),
        case.desk.next_valid_id(1),
    )


def test_open_completed_and_executed_orders_are_found_again(reborn):
    case = Case(exchange=reborn())
    case.place(1, CONDOR, limit("BUY", 2, "-2.00", order_ref="A1"))
    case.wait(20)
    case.place(2, CONDOR, limit("BUY", 1, "-20.00", order_ref="A2"))
    case.place(3, f"+1 {CALL}", limit("SELL", 1, "0.40"))  # uncovered
    case.place(4, CONDOR, limit("BUY", 1, "-21.00"))
    case.cancel(4)
    other = Case(exchange=reborn(), at=case.at)
    assert facts_of(other) == facts_of(case)
    assert spelled(other.desk.completed_orders(False)) == [
        "completedOrder Filled",
        "completedOrder Inactive",
        "completedOrder Cancelled",
    ]
    assert other.cancel(2) == ["status Cancelled 0/1", "error 202"]


def test_a_change_is_remembered(reborn):
    case = Case(exchange=reborn())
    case.place(1, CONDOR, limit("BUY", 2, "-20.00", order_ref="A1"))
    contract = case.last("openOrder")
    again = case.desk._blotter.find(1, 1).contract
    case.modify(1, again, limit("BUY", 3, "-21.00", order_ref="A1"))
    assert contract.values["permId"] == case.last("openOrder").values["permId"]
    other = Case(exchange=reborn(), at=case.at)
    (message, _) = other.desk.open_orders(1)
    assert message.values["lmtPrice"] == Decimal("-21.00")
    assert message.values["totalQuantity"] == 3


def test_what_another_of_its_group_left_of_an_order_is_remembered(reborn):
    case = Case(exchange=reborn())
    case.place(1, f"+1 {CALL}", limit("BUY", 300, "0.10", oca_group="g", oca_type=3))
    case.place(2, f"+1 {CALL}", limit("BUY", 300, "0.60", oca_group="g", oca_type=3))
    assert case.wait(10)[-1] == "status Submitted 0/112"
    other = Case(exchange=reborn(), at=case.at)
    assert facts_of(other) == facts_of(case)
    assert other.wait(10)[-1] == "status Submitted 0/27"
    assert other.cancel(1) == ["status Cancelled 0/27", "error 202"]


@pytest.mark.parametrize("holds_orders", [False, True])
def test_what_is_inactive_stays_so(reborn, holds_orders):
    script = fault(FaultKind.ORDER_INACTIVE)
    case = Case(exchange=reborn(), faults=script, holds_orders=holds_orders)
    case.place(1, CONDOR, limit("BUY", 1, "-2.00", order_ref="A1"))
    other = Case(exchange=reborn(), at=case.at, holds_orders=holds_orders)
    assert facts_of(other) == facts_of(case)
    assert other.wait(60) == []
    assert other.cancel(1) == ["status Cancelled 0/1", "error 202"]


def test_what_waits_goes_on_waiting(reborn):
    case = Case(exchange=reborn())
    case.place(2, f"+1 {CALL}", order("BUY", 1, "STP", aux_price=Decimal("2.00")))
    other = Case(exchange=reborn(), at=case.at)
    other.wait(60)
    assert other.open_orders()[-1] == "status PreSubmitted 0/1 trigger"


def test_an_order_given_up_before_it_was_transmitted_is_found_again(reborn, tmp_path):
    case = Case(exchange=reborn(), holds_orders=True)
    case.place(1, CONDOR, limit("BUY", 2, "-2.00", transmit=False))
    assert case.cancel(1) == ["status Cancelled 0/2", "error 202"]
    other = Case(exchange=reborn(), at=case.at, holds_orders=True)
    assert facts_of(other) == facts_of(case)
    memory = tmp_path / "sim.exchange.desk.jsonl"
    memory.write_text(memory.read_text().splitlines(keepends=True)[0])  # killed between the two
    third = Case(exchange=reborn(), at=case.at, holds_orders=True)
    assert third.wait(60) == []
    assert third.exchange.records() == ()
    assert third.desk.next_valid_id(1) == 2


def test_an_order_that_never_reached_the_exchange_is_not_known(reborn, tmp_path):
    case = Case(exchange=reborn())
    case.place(1, CONDOR, limit("BUY", 1, "-20.00", order_ref="A1"))
    journal = tmp_path / "sim.exchange.jsonl"
    before = journal.read_bytes()
    case.place(2, CONDOR, limit("BUY", 1, "-21.00", order_ref="A2"))
    journal.write_bytes(before)  # killed between the two files
    other = Case(exchange=reborn(), at=case.at)
    assert len(other.desk.open_orders(1)) == 2
    assert other.desk.next_valid_id(1) == 3
    other.place(3, CONDOR, limit("BUY", 1, "-21.00", order_ref="A2"))
    assert other.exchange.record("A2") is not None


def test_an_order_placed_without_a_gateway_is_a_manual_one(reborn):
    exchange = reborn()
    exchange.submit(new_order("A1", CONDOR, 1, "-20.00"), AT)
    exchange.submit(new_order("A2", f"+1 {CALL}", 2, "0.60"), AT)
    exchange.advance_to(AT + timedelta(seconds=30))
    case = Case(exchange=exchange, at=exchange.now)
    opened, _ = case.desk.open_orders(0)
    assert (opened.values["orderId"], opened.values["orderRef"]) == (-1, "A1")
    assert spelled(case.desk.completed_orders(False)) == ["completedOrder Filled"]
    assert case.desk.completed_orders(True) == []
    assert len(case.desk.executions({}, case.at)) == 2
    assert case.cancel(-1, client=0) == ["status Cancelled 0/1", "error 202"]


def test_what_was_torn_takes_nothing_with_it(reborn, tmp_path):
    case = Case(exchange=reborn())
    case.place(1, CONDOR, limit("BUY", 2, "-20.00", order_ref="A1"))
    with (tmp_path / "sim.exchange.desk.jsonl").open("ab") as file:
        file.write(b'{"kind":"pla')
    second = Case(exchange=reborn(), at=case.at)
    second.place(2, CONDOR, limit("BUY", 3, "-21.00", order_ref="A2"))
    third = Case(exchange=reborn(), at=second.at)
    assert facts_of(third) == facts_of(second)
    assert third.cancel(2) == ["status Cancelled 0/3", "error 202"]


@pytest.mark.parametrize("kept", range(3))
def test_an_heir_has_the_orders_of_a_memory_that_was_lost(reborn, tmp_path, kept):
    case = Case(exchange=reborn())
    case.place(1, CONDOR, limit("BUY", 2, "-20.00", order_ref="A1"))
    case.place(2, f"+1 {CALL}", limit("BUY", 3, "0.40", order_ref="A2"))
    memory = tmp_path / "sim.exchange.desk.jsonl"
    lines = memory.read_text().splitlines(keepends=True)
    memory.write_text("".join(lines[:kept]))
    other = Case(exchange=reborn(), at=case.at, heir=1)
    opened = [each.values for each in other.desk.open_orders(1) if each.kind == "openOrder"]
    assert [(each["orderRef"], each["orderId"]) for each in opened] == [("A1", 1), ("A2", 2)]
    assert other.cancel(1) == ["status Cancelled 0/2", "error 202"]
    assert other.exchange.record("A1").report.status is OrderStatus.CANCELLED


def test_yesterday_is_forgotten_also_by_a_new_process(reborn):
    case = Case(exchange=reborn())
    case.place(1, CONDOR, limit("BUY", 2, "-2.00", order_ref="A1"))
    case.place(2, CONDOR, limit("BUY", 2, "-20.00", order_ref="A2"))
    case.wait(24 * 3600)
    case.place(3, CONDOR, limit("BUY", 2, "-20.00", order_ref="A3"))
    other = Case(exchange=reborn(), at=case.at)
    for each in (case, other):
        assert each.desk.executions({}, each.at) == []
        assert each.desk.completed_orders(False) == []
        assert each.place(1, CONDOR, limit("BUY", 1, "-2.00")) == ["error 103"]
    assert facts_of(other) == facts_of(case)


def test_a_leftover_of_another_journal_is_removed(reborn, tmp_path):
    case = Case(exchange=reborn())
    case.place(7, CONDOR, limit("BUY", 2, "-20.00"))
    (tmp_path / "sim.exchange.jsonl").unlink()
    assert Case(exchange=reborn()).desk.next_valid_id(1) == 1


def test_a_correction_is_remembered_where_nothing_reached_the_exchange_since(reborn):
    """The exchange's own journal ends with the order: fill and correction come after it."""
    script = fault(FaultKind.EXECUTION_CORRECTED, seconds=15)
    case = Case(exchange=reborn(), faults=script)
    case.place(1, f"+1 {CALL}", limit("BUY", 2, "0.60"))
    case.wait(60)
    other = Case(exchange=reborn(), at=case.at)
    other.wait(0)
    assert facts_of(other) == facts_of(case)
    (execution, _) = other.desk.executions({}, other.at)
    assert execution.values["execId"].endswith(".02")


@pytest.mark.parametrize("looks", [1, 4])
def test_what_is_inactive_ends_at_midnight_whoever_looks(looks):
    case = Case(faults=fault(FaultKind.ORDER_INACTIVE))
    case.place(1, f"+1 {CALL}", limit("BUY", 1, "0.60"))
    child = limit("BUY", 1, "0.60", parent_id=1, tif="GTD", good_till_date="20200204 10:00:00")
    case.place(2, f"+1 {CALL}", child)
    for _ in range(looks):
        case.wait(86_400 / looks)
    ended = [m.values["orderId"] for m in case.messages("orderStatus")][-2:]
    assert ended == [1, 2], "the child goes with its parent, before its own time is over"
    assert case.open_orders() == []
