"""What the order book makes of IB's words, where a gateway in good order would not say them."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from bot.brokers.ib.contracts import instrument_of
from bot.brokers.ib.errors_table import code_of
from bot.brokers.ib.library import (
    CommissionReport,
    Contract,
    Execution,
    Order,
    OrderState,
)
from bot.brokers.ib.order_book import OrderBook
from bot.brokers.ib.orders import LegLine, Package
from strategies.model.ids import ClientOrderId
from strategies.model.lifecycle import OrderStatus
from tests.bot.exchange.venue.fakes import calendar

OURS = ClientOrderId("A" + "0" * 20)
OTHER = ClientOrderId("A" + "1" * 20)
CALL = Contract(secType="OPT", conId=11, localSymbol="VIX   200318C00025000", tradingClass="VIX")
PUT = Contract(secType="OPT", conId=12, localSymbol="VIX   200318P00015000", tradingClass="VIX")
BAG = Contract(secType="BAG", symbol="VIX", conId=28812380)
ONE_LEG = Package(legs=(LegLine(11, 1),), quantity=5, limit_price=Decimal("0.50"))
TWO_LEGS = Package(legs=(LegLine(11, 1), LegLine(12, -2)), quantity=3, limit_price=Decimal(-1))
AT = datetime(2020, 2, 3, 15, 0, 10, tzinfo=UTC)
EVER = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def book() -> OrderBook:
    """A book with one order sent as number 7, which IB has as 900."""
    made = OrderBook(lambda contract: instrument_of(contract, calendar()))
    made.reconnected(1)
    made.send(OURS, ONE_LEG, 7)
    made.order_status(7, "Submitted", 0, 900, 1)
    return made


def executed(
    book: OrderBook,
    exec_id: str,
    shares: int,
    *,
    contract: Contract = CALL,
    side: str = "BOT",
    reference: str = OURS,
    perm_id: int = 900,
    price: float = 0.5,
) -> None:
    book.execution(
        contract,
        Execution(
            execId=exec_id,
            time=AT,
            side=side,
            shares=float(shares),
            price=price,
            permId=perm_id,
            orderRef=reference,
        ),
    )


def cost(book: OrderBook, exec_id: str, commission: float = 1.25) -> None:
    book.commission(CommissionReport(execId=exec_id, commission=commission))


def status(book: OrderBook, reference: ClientOrderId = OURS) -> OrderStatus:
    return book.report(reference).status


def test_a_status_says_filled_and_executions_prove_it(book):
    """Fault A20: the price and the quantity are those of executions."""
    book.order_status(7, "Filled", 5, 900, 1)
    assert status(book) is OrderStatus.LIVE
    assert "IB counts 5 filled, its executions come to 0" in book.sums.missing()
    executed(book, "a.01", 5)
    assert status(book) is OrderStatus.FILLED
    assert "commission of a.01" in book.sums.missing()
    cost(book, "a.01")
    assert book.sums.missing() == ""


def test_a_cancel_waits_for_the_fills_it_counts(book):
    book.order_status(7, "Cancelled", 2, 900, 1)
    assert status(book) is OrderStatus.LIVE
    executed(book, "a.01", 2)
    report = book.report(OURS)
    assert (report.status, report.filled_quantity) == (OrderStatus.CANCELLED, 2)
    assert report.leaves_quantity == 3


def test_a_fill_after_the_cancel_counts(book):
    """Fault A14: a fill that crosses a confirmed cancel is told, and the order is filled."""
    book.order_status(7, "Cancelled", 0, 900, 1)
    assert status(book) is OrderStatus.CANCELLED
    executed(book, "a.01", 5)
    assert status(book) is OrderStatus.FILLED


def test_a_late_status_does_not_raise_the_dead(book):
    book.order_status(7, "Cancelled", 0, 900, 1)
    book.order_status(7, "Submitted", 0, 900, 1)
    assert status(book) is OrderStatus.CANCELLED


def test_a_cancel_by_another_client_is_recognised_by_the_permanent_id(book):
    book.order_status(3, "Cancelled", 0, 900, 42)
    assert status(book) is OrderStatus.CANCELLED


def test_a_number_given_out_twice_raises_a_doubt_and_nothing_else(book):
    book.order_status(7, "Filled", 5, 901, 1)
    assert status(book) is OrderStatus.LIVE
    assert book.has_doubts()


def test_an_order_of_another_connection_keeps_its_numbers_to_itself(book):
    book.reconnected(1)
    assert not book.names(7)
    book.order_status(7, "Cancelled", 0, 0, 1)
    assert status(book) is OrderStatus.LIVE


def test_an_order_of_another_client_has_no_number_here(book):
    theirs = Order(
        action="BUY", totalQuantity=1, lmtPrice=1.0, orderRef=OTHER, permId=950, clientId=2
    )
    book.open_order(7, CALL, theirs, OrderState(status="Submitted"))
    assert book.order(OTHER).order_id == 0
    book.order_error(7, code_of(201, about_order=True), "no")
    assert status(book, OTHER) is OrderStatus.LIVE


@pytest.mark.parametrize("perm_id", [0, 555])
def test_a_number_of_another_client_says_nothing_of_an_order_nobody_has_answered(perm_id):
    book = OrderBook(lambda contract: instrument_of(contract, calendar()))
    book.reconnected(1)
    book.send(OURS, ONE_LEG, 7)
    book.order_status(7, "Filled", 5, perm_id, 42)
    assert not book.is_acknowledged(OURS)
    assert book.sums.missing() == ""
    book.order_status(7, "Submitted", 0, 900, 1)
    assert book.report(OURS).broker_order_id == "900"


def test_an_order_of_earlier_days_has_fills_and_is_not_listed():
    book = OrderBook(lambda contract: instrument_of(contract, calendar()))
    book.begin_lists()
    executed(book, "a.01", 5)
    cost(book, "a.01")
    book.end_lists(are_whole=True)
    assert book.reports() == ()
    assert status(book) is OrderStatus.UNKNOWN
    assert len(book.fills(EVER)) == 1
    assert book.sums.missing() == ""


def test_a_part_of_an_order_that_was_cancelled_before_this_process_is_not_all_of_it():
    book = OrderBook(lambda contract: instrument_of(contract, calendar()))
    over = Order(
        action="BUY", totalQuantity=2, filledQuantity=3.0, orderRef=OURS, permId=900, lmtPrice=0.5
    )
    book.completed_order(CALL, over, OrderState(status="Cancelled"))
    executed(book, "a.01", 3)
    report = book.report(OURS)
    assert (report.status, report.filled_quantity) == (OrderStatus.CANCELLED, 3)
    assert report.leaves_quantity == 2


def test_a_copy_of_an_order_leaves_it_in_doubt_until_the_copy_is_over(book):
    """Fault A24: copied by hand in TWS, or doubled by IB; the same reference, another id."""
    book.order_status(7, "Cancelled", 0, 900, 1)
    copy = Order(action="BUY", totalQuantity=5, orderRef=OURS, permId=901, lmtPrice=0.5, clientId=1)
    book.open_order(8, CALL, copy, OrderState(status="Submitted"))
    assert status(book) is OrderStatus.UNKNOWN
    assert book.order(OURS).order_id == 7
    book.order_status(8, "Submitted", 0, 901, 1)
    assert status(book) is OrderStatus.UNKNOWN
    book.completed_order(CALL, copy, OrderState(status="Cancelled"))
    assert status(book) is OrderStatus.CANCELLED


def test_a_correction_to_less_is_not_waited_for(book):
    executed(book, "a.01", 5)
    book.order_status(7, "Filled", 5, 900, 1)
    executed(book, "a.02", 4)
    cost(book, "a.02")
    assert book.sums.missing() == ""
    assert book.report(OURS).filled_quantity == 4


def test_a_correction_replaces_and_a_repetition_changes_nothing(book):
    executed(book, "a.01", 5, price=0.5)
    cost(book, "a.01")
    executed(book, "a.02", 4, price=0.45)
    cost(book, "a.02", 1.0)
    executed(book, "a.01", 5, price=0.5)
    (fill,) = book.fills(EVER)
    assert (fill.revision, fill.quantity, fill.price) == (2, 4, Decimal("0.45"))
    assert fill.commission_usd == 1
    assert book.report(OURS).filled_quantity == 4


def test_what_the_exchange_takes_back_is_a_revision_of_nothing(book):
    """Fault A13: a bust is told as quantity 0 and costs nothing; its order is over."""
    executed(book, "a.01", 5, price=0.5)
    cost(book, "a.01")
    book.order_status(7, "Filled", 5, 900, 1)
    assert status(book) is OrderStatus.FILLED
    executed(book, "a.02", 0, price=0.5)
    (fill,) = book.fills(EVER)
    assert (fill.revision, fill.quantity, fill.commission_usd) == (2, 0, 0)
    assert fill.cash_flow_usd == 0
    assert book.sums.missing() == ""
    report = book.report(OURS)
    assert (report.status, report.filled_quantity) == (OrderStatus.CANCELLED, 0)
    assert not book.has_open_orders()


def test_one_leg_of_a_package_taken_back_leaves_the_others():
    """Fault A13: what is left is told leg by leg, whether or not it is a package any more."""
    book = OrderBook(lambda contract: instrument_of(contract, calendar()))
    book.send(OURS, TWO_LEGS, 7)
    for exec_id, shares, contract, side in (
        ("a.1.01", 3, CALL, "BOT"),
        ("a.2.01", 6, PUT, "SLD"),
    ):
        executed(book, exec_id, shares, contract=contract, side=side)
        cost(book, exec_id)
    book.order_status(7, "Filled", 3, 900, 0)
    executed(book, "a.2.02", 0, contract=PUT, side="SLD")
    assert [fill.signed_quantity for fill in book.fills(EVER)] == [3, 0]
    assert book.report(OURS).filled_quantity == 0
    assert book.sums.missing_truth() == ""  # the legs are loose, and that is the truth


@pytest.mark.parametrize(
    ("side", "shares", "price"), [("BOT", 5, 0.45), ("BOT", 3, 0.5), ("SLD", 5, 0.5)]
)
def test_a_correction_may_be_of_price_quantity_or_side(book, side, shares, price):
    """Fault A12: the latest revision is told, whatever it changes."""
    executed(book, "a.01", 5, price=0.5)
    cost(book, "a.01")
    executed(book, "a.02", shares, side=side, price=price)
    cost(book, "a.02")
    (fill,) = book.fills(EVER)
    assert fill.revision == 2
    assert fill.signed_quantity == (shares if side == "BOT" else -shares)
    assert fill.price == Decimal(str(price))


def test_a_fill_beyond_the_order_is_told_as_it_is(book):
    """Fault A32: the quantity that was filled, and nothing left; the engine halts."""
    executed(book, "a.01", 5)
    executed(book, "b.01", 2)
    for exec_id in ("a.01", "b.01"):
        cost(book, exec_id)
    report = book.report(OURS)
    assert (report.status, report.filled_quantity) == (OrderStatus.FILLED, 7)
    assert report.leaves_quantity == 0
    assert sum(fill.quantity for fill in book.fills(EVER)) == 7


def test_a_cost_that_is_told_again_is_told_as_it_is_now(book):
    """Fault A22: the later figure is the true one; the revision is still that of the execution."""
    executed(book, "a.01", 5)
    cost(book, "a.01", 1.25)
    cost(book, "a.01", 1.75)
    (fill,) = book.fills(EVER)
    assert (fill.revision, fill.commission_usd) == (1, Decimal("1.75"))


def test_a_correction_without_a_cost_of_its_own_keeps_the_earlier_one(book):
    executed(book, "a.01", 5)
    cost(book, "a.01")
    executed(book, "a.02", 5, price=0.45)
    assert book.sums.missing_truth()
    book.sums.keep_earlier_commissions()
    assert book.sums.missing_truth() == ""
    (fill,) = book.fills(EVER)
    assert (fill.revision, fill.price, fill.commission_usd) == (2, Decimal("0.45"), Decimal("1.25"))


def test_an_unset_commission_is_no_commission(book):
    executed(book, "a.01", 5)
    cost(book, "a.01", 1.7976931348623157e308)
    assert book.fills(EVER) == ()
    cost(book, "a.01", 1.5)
    assert len(book.fills(EVER)) == 1


def test_the_line_of_a_bag_is_no_position_and_has_no_cost():
    """Fault A30: positions are those of the legs."""
    book = OrderBook(lambda contract: instrument_of(contract, calendar()))
    book.send(OURS, TWO_LEGS, 7)
    executed(book, "a.0.01", 3, contract=BAG)
    assert book.report(OURS).filled_quantity == 0
    executed(book, "a.1.01", 3)
    assert book.sums.has_loose_legs()
    executed(book, "a.2.01", 6, contract=PUT, side="SLD")
    assert not book.sums.has_loose_legs()
    assert book.report(OURS).filled_quantity == 3
    for line in ("a.1.01", "a.2.01"):
        cost(book, line)
    assert book.sums.missing() == ""
    assert [fill.signed_quantity for fill in book.fills(EVER)] == [3, -6]


def test_an_execution_that_comes_before_everything_else_waits_for_its_order():
    """Fault A21: also where it does not say whose it is."""
    book = OrderBook(lambda contract: instrument_of(contract, calendar()))
    executed(book, "a.01", 5, reference="")
    assert not book.knows(OURS)
    order = Order(
        action="BUY", totalQuantity=5, orderType="LMT", lmtPrice=0.5, orderRef=OURS, permId=900
    )
    book.open_order(7, CALL, order, OrderState(status="Submitted"))
    assert status(book) is OrderStatus.FILLED


def test_executions_and_orders_of_others_are_left_alone(book):
    executed(book, "z.01", 1, reference="tg:spx", perm_id=77)
    manual = Order(action="BUY", totalQuantity=1, orderRef="", permId=78)
    book.open_order(-1, CALL, manual, OrderState(status="Submitted"))
    book.completed_order(CALL, manual, OrderState(status="Cancelled"))
    book.order_status(-1, "Filled", 1, 78, 0)
    assert [report.client_order_id for report in book.reports()] == [OURS]


@pytest.mark.parametrize("word", ["Inactive", "Cancelled", "ApiCancelled", "PendingSubmit"])
def test_a_refusal_counts_where_the_order_does_not_work(word):
    book = OrderBook(lambda contract: instrument_of(contract, calendar()))
    book.send(OURS, ONE_LEG, 7)
    book.order_error(7, code_of(201, about_order=True), "Order rejected - reason:no")
    assert status(book) is OrderStatus.REJECTED
    book.order_status(7, word, 0, 900, 1)
    assert status(book) is OrderStatus.REJECTED
    assert book.report(OURS).note == "201 Order rejected - reason:no"


def test_a_refusal_of_an_order_that_works_is_a_reason_to_ask(book):
    book.order_error(7, code_of(110, about_order=True), "price")
    assert status(book) is OrderStatus.LIVE
    assert book.has_doubts()


def test_what_is_parked_is_unknown_until_ib_lists_it_among_what_is_over(book):
    """Fault A18: Inactive is neither the end of an order nor a working one."""
    book.order_status(7, "Inactive", 0, 900, 1)
    assert status(book) is OrderStatus.UNKNOWN
    over = Order(action="BUY", totalQuantity=5, lmtPrice=0.5, orderRef=OURS, permId=900)
    book.completed_order(CALL, over, OrderState(status="Inactive", completedStatus="no margin"))
    assert status(book) is OrderStatus.REJECTED
    assert book.report(OURS).note == "no margin"


def test_an_order_ib_does_not_list_is_not_listed(book):
    book.begin_lists()
    book.end_lists(are_whole=False)
    assert len(book.reports()) == 1
    book.begin_lists()
    book.end_lists(are_whole=True)
    assert book.reports() == ()
    book.order_status(7, "Submitted", 0, 900, 1)
    assert len(book.reports()) == 1


def test_what_was_sent_and_never_answered_is_in_doubt_and_not_listed():
    book = OrderBook(lambda contract: instrument_of(contract, calendar()))
    book.send(OURS, ONE_LEG, 7)
    assert book.has_doubts()
    assert book.reports() == ()
    book.unsend(OURS)
    assert not book.knows(OURS)


def test_an_order_ib_changed_is_taken_as_ib_has_it(book):
    smaller = Order(action="BUY", totalQuantity=3, lmtPrice=0.5, orderRef=OURS, permId=900)
    book.open_order(7, CALL, smaller, OrderState(status="Submitted"))
    assert book.report(OURS).leaves_quantity == 3


async def test_waiting_ends_with_a_message_or_with_time(book):
    assert not await book.wait(lambda: False, 0.01)
    assert await book.wait(lambda: True, 0.01)
