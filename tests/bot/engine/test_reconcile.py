"""Comparing ledger and broker: each difference is one typed break that locks what it touches."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from bot.engine.breaks import LEGS_ARRIVE_WITHIN
from bot.engine.reconcile import structures_to_mend
from bot.engine.requests import RequestKind
from bot.errors import BooksDisagree, BrokerUnavailable
from bot.ports import OrderReport
from strategies.model.breaks import BreakKind
from strategies.model.fills import Side
from strategies.model.lifecycle import OrderStatus
from strategies.model.limits import HaltScope, SystemState
from strategies.model.locks import LockKind
from strategies.model.orders import Urgency
from tests.bot.engine.books import (
    LEGS,
    LONG_CALL,
    LONG_PUT,
    SHORT_CALL,
    SHORT_PUT,
    Books,
    kinds,
)
from tests.bot.engine.fakes import Faults, committed, hedge
from tests.bot.exchange.venue.fakes import CALL, VX
from tests.builders import AT, condor_legs, instant, instrument
from tests.state import records

SYMBOL = instrument(CALL).symbol
OTHERS_ID = "A" + "0" * 20  # has the form of ours and is not on record
CLOSE_CALLS = "+1 SPXW 20MAR20 3350 C, -1 SPXW 20MAR20 3400 C"
QUESTIONS = (
    "fetch_orders",
    "fetch_fills",
    "fetch_foreign_orders",
    "fetch_foreign_fills",
    "fetch_cash_movements",
    "fetch_positions",
    "fetch_account",
)


@pytest.fixture
def books(bench):
    """The books of a bench that owns nothing yet."""
    return Books(bench)


@pytest.fixture
def traded(books):
    """The books of a bench that owns ten calls."""
    books.bench.decide(hedge(CALL, 10, "0.53"))
    books.bench.carry_out()
    return books


def order_of(books):
    """The only order of the first plan."""
    (order,) = books.bench.ledger.orders_of_plan("plan-1")
    return order


# --- nothing wrong ------------------------------------------------------------------------------


def test_books_that_agree_leave_nothing_on_record(traded):
    """Invariants I3, I4 and I5: the same fills, positions and cash on both sides."""
    traded.start()
    assert traded.look() == []
    for table in ("breaks", "locks"):
        assert committed(traded.bench.database, f"SELECT count(*) FROM {table}") == [(0,)]
    assert set(traded.bench.ledger.fills_since(AT)) == set(traded.bench.exchange.fills(AT))


def test_executions_told_thrice_and_backwards_count_once(traded):
    """Faults A10, A11 and B13: duplicates, by event and by request, in any order."""
    traded.bench.broker.change["fetch_fills"] = lambda fills: (*reversed(fills), *fills, *fills)
    traded.start()
    assert traded.look() == []
    assert traded.bench.ledger.positions() == {SYMBOL: 10}


def test_what_moves_between_two_questions_is_no_difference(traded):
    asked = []

    def hurried(positions):
        asked.append(positions)
        return positions if len(asked) > 1 else {**positions, SYMBOL: 9}

    traded.bench.broker.change["fetch_positions"] = hurried
    assert traded.look() == []
    assert len(asked) == 2


@pytest.mark.parametrize("question", QUESTIONS)
def test_part_of_an_answer_changes_nothing(traded, question):
    """Faults B1 and B2: silence is not flat; a lost connection makes and ends no break."""
    traded.tell_position({SYMBOL: 7})
    (found,) = traded.look()
    traded.tell_the_truth()
    traded.bench.broker.hook = Faults({(question, "before", 0): BrokerUnavailable("1100")})
    with pytest.raises(BrokerUnavailable):
        traded.look()
    assert traded.bench.ledger.open_breaks() == (found,)
    traded.bench.broker.hook = None
    assert traded.look() == []


def test_a_difference_is_told_once_and_again_when_it_changes(traded):
    traded.tell_position({SYMBOL: 7})
    for _ in range(3):
        traded.look()
    traded.tell_position({SYMBOL: 6})
    traded.look()
    assert [text.rpartition(": ")[2] for _, text in traded.alerts.raised] == [
        "ledger has 10, broker has 7",
        "ledger has 10, broker has 6",
    ]


# --- positions and cash -------------------------------------------------------------------------


def test_a_position_that_differs_locks_its_underlying_until_it_agrees(traded):
    traded.tell_position({SYMBOL: 7})
    (found,) = traded.look()
    assert (found.kind, found.key) == (BreakKind.POSITION, SYMBOL)
    assert (found.ledger_value, found.broker_value) == ("10", "7")
    assert traded.locked == {"VIX", SYMBOL}
    traded.tell_the_truth()
    assert traded.look() == []
    assert traded.locked == set()


def test_a_break_does_not_go_while_an_order_is_at_work(traded):
    traded.tell_position({SYMBOL: 7})
    traded.look()
    traded.tell_the_truth()
    resting = hedge(CALL, 5, "0.40", urgency=Urgency.PASSIVE, plan_id="plan-2")
    traded.bench.decide(resting, plan_id="plan-2")
    order_id = resting.client_order_id
    with traded.bench.ledger.transaction() as tx:
        tx.record_order_event(order_id, traded.bench.at, OrderStatus.SENDING)
        tx.record_order_event(order_id, traded.bench.at, OrderStatus.LIVE)
    assert kinds(traded.look()) == [BreakKind.LOST_ORDER, BreakKind.POSITION]


def test_what_the_bot_cannot_trade_halts(books):
    """Fault E23: nobody can be assigned shares of an index."""
    books.tell_position({"SPY": 100})
    with pytest.raises(BooksDisagree, match="SPY: ledger has 0, broker has 100"):
        books.start()
    (found,) = books.bench.ledger.open_breaks()
    assert found.kind is BreakKind.ASSIGNMENT
    assert books.locked == {"*"}
    books.bench.halt(SystemState.HALTED, HaltScope.ALL)
    books.reconciler.may_go_on()  # it has stopped already
    books.bench.halt(SystemState.RUNNING)
    with pytest.raises(BooksDisagree, match="SPY: ledger has 0, broker has 100"):
        books.reconciler.may_go_on()
    books.tell_the_truth()
    books.start()
    books.reconciler.may_go_on()


@pytest.mark.parametrize(("more", "tolerance", "broken"), [("0.01", "0", True), ("3", "3", False)])
def test_cash_beyond_its_tolerance_locks_every_opening(bench, more, tolerance, broken):
    books = Books(bench, cash_tolerance_usd=Decimal(tolerance))
    books.start()
    books.tell_cash(more)
    assert kinds(books.look()) == ([BreakKind.CASH] if broken else [])
    assert books.locked == ({"*"} if broken else set())


def test_a_short_that_nothing_covers_halts(books):
    """Invariant I7 as the broker sees it."""
    books.open_condor()
    books.tell_position({LONG_CALL: 0})
    with pytest.raises(BooksDisagree, match="no long covers"):
        books.start()
    assert kinds(books.bench.ledger.open_breaks()) == [BreakKind.POSITION, BreakKind.UNCOVERED]


# --- orders -------------------------------------------------------------------------------------


def test_an_order_of_our_form_that_is_not_on_record_halts(books):
    """Two bots on one login: whose order it is cannot be told from its reference."""
    books.trade(OTHERS_ID, CALL, 4, "0.60")
    with pytest.raises(BooksDisagree, match=f"order {OTHERS_ID}, which is not in this ledger"):
        books.start()
    (fill,) = books.bench.ledger.external_fills_since(AT)
    assert (fill.reference, fill.symbol, fill.quantity) == (OTHERS_ID, SYMBOL, 4)
    assert kinds(books.bench.ledger.open_breaks()) == [BreakKind.UNRECORDED_ORDER]
    with pytest.raises(BooksDisagree):  # and so at the next start
        books.start()
    (found,) = books.bench.ledger.open_breaks()
    books.decide(RequestKind.ADOPT, found, layer="L1")
    books.start()
    assert [hedge.net_contracts for hedge in books.bench.ledger.book(books.bench.at).hedges] == [4]


def test_an_order_of_our_form_at_work_halts_too(books):
    books.trade(OTHERS_ID, CALL, 4, "0.10")
    with pytest.raises(BooksDisagree, match="it is LIVE with 0 filled"):
        books.start()


def test_an_acknowledged_order_that_the_broker_does_not_know_is_lost_after_a_while(books):
    resting = hedge(CALL, 5, "0.40", urgency=Urgency.PASSIVE)
    books.bench.decide(resting)
    with books.bench.ledger.transaction() as tx:
        tx.record_order_event(resting.client_order_id, books.bench.at, OrderStatus.SENDING)
        tx.record_order_event(resting.client_order_id, books.bench.at, OrderStatus.LIVE)
    assert books.look(after=timedelta(seconds=30)) == []
    (found,) = books.look()
    assert (found.kind, found.key) == (BreakKind.LOST_ORDER, resting.client_order_id)
    assert books.locked == {SYMBOL}
    assert len(books.pages) == 1


def test_an_order_the_broker_holds_otherwise_than_sent_halts(books):
    """Faults A26 and A27 as the comparison sees them."""
    resting = hedge(CALL, 5, "0.40", urgency=Urgency.PASSIVE)
    books.bench.decide(resting)
    report = replace(_report(resting), echo_differs="tif GTC, sent DAY")
    with books.bench.ledger.transaction() as tx:
        tx.record_order_event(resting.client_order_id, books.bench.at, OrderStatus.SENDING)
    books.bench.broker.change["fetch_orders"] = lambda reports: (report,)
    with pytest.raises(BooksDisagree, match="tif GTC, sent DAY"):
        books.start()


def _report(intent):
    return OrderReport(
        client_order_id=intent.client_order_id,
        broker_order_id="77",
        status=OrderStatus.LIVE,
        filled_quantity=0,
        leaves_quantity=intent.quantity,
        limit_price=intent.limit_price,
    )


def test_filled_without_executions_is_waited_for_and_then_told(books):
    """Fault A20: no execution is made up; fault A21: it may come before or after the status."""
    books.bench.decide(hedge(CALL, 10, "0.53"))
    books.bench.broker.change["fetch_fills"] = lambda fills: ()
    books.bench.carry_out()
    assert order_of(books).status is OrderStatus.FILLED
    assert kinds(books.look()) == [BreakKind.CASH, BreakKind.LOST_ORDER, BreakKind.POSITION]
    assert any("the broker filled 10, its executions make 0" in page for page in books.pages)
    assert books.bench.ledger.fills_since(AT) == ()
    books.tell_the_truth()
    books.start()
    assert books.bench.ledger.open_breaks() == ()


def test_a_rejection_after_a_partial_fill_keeps_what_was_filled(traded):
    """Fault A19, and A28 of one leg: three of ten are held, and nothing else is assumed."""
    (order,) = traded.bench.exchange.orders()
    cut = replace(order, status=OrderStatus.REJECTED, filled_quantity=3, leaves_quantity=0)
    fresh = Books(traded.bench)
    assert cut.filled_quantity == 3
    assert fresh.look() == []


# --- executions ---------------------------------------------------------------------------------


def test_a_correction_restates_position_and_cash(traded):
    """Fault A12: the latest revision takes the place of all before it, side included."""
    (fill,) = traded.bench.ledger.fills_since(AT)
    right = replace(fill, revision=2, price=Decimal("0.45"), quantity=9)
    traded.tell_fills(lambda fill: (fill, right))
    traded.tell_position({SYMBOL: 9})
    traded.tell_cash(right.cash_flow_usd - fill.cash_flow_usd)
    assert traded.look() == []
    assert traded.bench.ledger.positions() == {SYMBOL: 9}
    wrong_side = replace(fill, revision=3, side=Side.SELL, quantity=9)
    traded.tell_fills(lambda fill: (fill, right, wrong_side))
    traded.tell_position({SYMBOL: -9})
    traded.tell_cash(wrong_side.cash_flow_usd - fill.cash_flow_usd)
    assert BreakKind.POSITION not in kinds(traded.look())
    assert traded.bench.ledger.positions() == {SYMBOL: -9}


def test_a_correction_of_what_executed_hours_ago_is_found_by_the_comparison(traded):
    """Faults A12 and A13: an interval asks for the last hour only; a difference asks for all."""
    bench = traded.bench
    (fill,) = bench.ledger.fills_since(AT)
    bench.at += timedelta(hours=3)
    bench.decide(hedge(VX, 1, "17.05", layer="L2", plan_id="plan-2"), plan_id="plan-2")
    bench.carry_out("plan-2", decided_at=bench.at)
    bust = replace(fill, revision=2, quantity=0, commission_usd=Decimal(0))
    bench.broker.change["fetch_fills"] = lambda fills: tuple(
        told
        for each in fills
        for told in ((each, bust) if each.exec_root == fill.exec_root else (each,))
    )
    traded.tell_position({SYMBOL: 0})
    traded.tell_cash(-fill.cash_flow_usd)
    assert kinds(traded.look()) == [BreakKind.BUST]


def test_a_commission_told_late_is_a_revision(traded):
    """Fault A22: the execution is booked at once, and its fee when it is known."""
    (fill,) = traded.bench.ledger.fills_since(AT)
    dearer = replace(fill, revision=2, commission_usd=fill.commission_usd + 1)
    traded.tell_fills(lambda fill: (fill, dearer))
    traded.tell_cash(-1)
    assert traded.look() == []


def test_an_execution_taken_back_breaks_its_condor(books):
    """Fault A13: a bust of one leg is booked, its condor is locked, and somebody is called."""
    books.open_condor()
    leg = next(fill for fill in books.bench.ledger.fills_since(AT) if fill.symbol == LONG_CALL)
    bust = replace(leg, revision=2, quantity=0, commission_usd=Decimal(0))
    books.tell_fills(lambda fill: (fill, bust) if fill == leg else (fill,))
    books.tell_position({LONG_CALL: 2 - leg.quantity})
    books.tell_cash(bust.cash_flow_usd - leg.cash_flow_usd)
    found = books.look()
    assert kinds(found) == [BreakKind.BUST, BreakKind.STRUCTURE, BreakKind.UNCOVERED]
    assert books.locked == {"C0001", "*"}
    assert len(books.pages) == 3
    with pytest.raises(BooksDisagree):
        books.reconciler.require_agreement()


def test_a_fill_after_a_confirmed_cancel_is_booked(books):
    """Faults A14 and A15: the order is FILLED, late, and not cancelled for being told so."""
    books.bench.decide(hedge(CALL, 10, "0.53"))
    books.bench.broker.change["fetch_fills"] = lambda fills: ()
    books.bench.broker.change["fetch_orders"] = lambda reports: ()
    books.bench.broker.change["submit"] = lambda report: replace(
        report, status=OrderStatus.LIVE, filled_quantity=0, leaves_quantity=10
    )
    books.bench.broker.change["cancel"] = lambda report: replace(
        report, status=OrderStatus.CANCELLED, filled_quantity=0
    )
    books.bench.carry_out()
    orders = books.bench.ledger.orders_of_plan("plan-1")
    assert {order.status for order in orders} == {OrderStatus.CANCELLED}
    books.tell_the_truth()
    books.start()
    first = books.bench.ledger.orders_of_plan("plan-1")[0]
    assert (first.status, first.filled_quantity) == (OrderStatus.FILLED, 10)
    assert first.note == "filled late, after its cancel was confirmed"


def test_more_filled_than_ordered_is_booked_and_halts(traded):
    """Fault A32: the truth first, then nothing more."""
    (fill,) = traded.bench.ledger.fills_since(AT)
    more = replace(fill, exec_root="more", quantity=2)
    traded.tell_fills(lambda fill: (fill, more))
    with pytest.raises(BooksDisagree, match="12 filled of 10 ordered"):
        traded.look()
    assert traded.bench.ledger.positions() == {SYMBOL: 12}
    assert [found.kind for found in traded.bench.ledger.open_breaks()] == [BreakKind.OVERFILL]
    corrected = replace(more, revision=2, quantity=0, commission_usd=Decimal(0))
    traded.tell_fills(lambda fill: (fill, corrected))
    assert kinds(traded.look()) == [BreakKind.BUST]


@pytest.mark.parametrize(("price", "halts"), [("0.55", True), ("0.54", False), ("0.30", False)])
def test_a_price_beyond_the_limit_halts_and_a_better_one_is_taken(traded, price, halts):
    """Fault A31: one tick worse is a rounding, more should be impossible."""
    (fill,) = traded.bench.ledger.fills_since(AT)
    order = order_of(traded)
    assert order.limit_price <= Decimal("0.53")
    told = replace(fill, revision=2, price=Decimal(price) + order.limit_price - Decimal("0.53"))
    traded.tell_fills(lambda fill: (fill, told))
    traded.tell_cash(told.cash_flow_usd - fill.cash_flow_usd)
    if not halts:
        assert traded.look() == []
        return
    with pytest.raises(BooksDisagree, match="its limit was"):
        traded.look()
    assert traded.locked == {"*"}
    corrected = replace(fill, revision=3)
    traded.tell_fills(lambda fill: (fill, told, corrected))
    traded.tell_cash("0")
    assert traded.look() == []
    assert traded.locked == set()


# --- structures ---------------------------------------------------------------------------------


def _without_a_leg(books, symbol):
    """Open two condors of which the broker filled a leg once only."""
    opened = records.condor_open("C0001", condor_legs(LEGS), 2)
    order = records.condor_intent("plan-1", "C0001", opened.legs, 2, limit="-4.60")
    books.bench.decide(order, opens=[opened])
    books.tell_fills(
        lambda fill: (replace(fill, quantity=1),) if fill.symbol == symbol else (fill,)
    )
    books.bench.carry_out()


def test_legs_that_came_unevenly_are_a_broken_structure_at_the_next_look(books):
    """Fault A29, and A30: only executions of legs count, and one condor is whole."""
    _without_a_leg(books, SHORT_CALL)
    book = books.bench.ledger.book(books.bench.at)
    assert [condor.quantity for condor in book.condors] == [1]
    books.reconciler._compared_at = books.bench.at  # as after a whole comparison
    (found,) = books.look(whole=False)
    assert (found.kind, found.key) == (BreakKind.STRUCTURE, "C0001")
    assert found.detail == (
        "C0001 is not whole: beside 1 condors it holds +1 SPXW 20MAR20 3400 C, "
        "+1 SPXW 20MAR20 3000 P, -1 SPXW 20MAR20 3050 P; proposed: buy 1 SPXW 20MAR20 3050 P"
    )
    assert books.locked == {"C0001"}


def test_legs_that_are_still_arriving_are_no_broken_structure(books):
    """Faults A20, A21 and A28: executions come one by one, in any order."""
    _without_a_leg(books, SHORT_CALL)
    books.reconciler._compared_at = books.bench.at  # as after a whole comparison
    books.bench.at = max(fill.executed_at for fill in books.bench.ledger.fills_since(AT))
    assert books.look(whole=False, after=LEGS_ARRIVE_WITHIN - timedelta(microseconds=1)) == []
    assert kinds(books.look(whole=False, after=timedelta(microseconds=1))) == [BreakKind.STRUCTURE]
    assert timedelta(minutes=1) == LEGS_ARRIVE_WITHIN


def test_a_condor_that_others_made_owns_what_is_loose_in_its_legs(books):
    """No order of the bot says whose the leg is: every execution of the condor was adopted."""
    bench = books.bench
    legs = condor_legs(LEGS)
    order = records.condor_intent("plan-1", "C0001", legs, 1, limit="-4.60")
    bench.decide(order, opens=[records.condor_open("C0001", legs, 1)])
    with bench.ledger.transaction() as tx:
        for number, (contract, ratio) in enumerate(legs.signed()):
            root = f"x{number}"
            tx.record_external_fill(records.external_fill(contract.symbol, ratio, root=root))
            tx.adopt_external_fill(root, AT, condor_id="C0001", layer=None, by="ops", reason="ours")
        tx.record_external_fill(records.external_fill(SHORT_CALL, 1, root="y"))
    assert structures_to_mend(bench.ledger, AT) == ()  # it has just traded
    (found,) = structures_to_mend(bench.ledger, AT + LEGS_ARRIVE_WITHIN)
    assert found.condor_id == "C0001"
    assert {leg.symbol: n for leg, n in found.uneven.items()} == {
        LONG_PUT: 1,
        SHORT_PUT: -1,
        LONG_CALL: 1,
    }


def test_three_of_four_condors_are_three_whole_condors(books):
    """Fault A28: a partial fill of packages breaks nothing."""
    opened = records.condor_open("C0001", condor_legs(LEGS), 4)
    order = records.condor_intent("plan-1", "C0001", opened.legs, 4, limit="-4.60")
    books.bench.decide(order, opens=[opened])
    books.tell_fills(lambda fill: (replace(fill, quantity=3),))
    books.bench.carry_out()
    symbols = {LONG_PUT: 3, SHORT_PUT: -3, SHORT_CALL: -3, LONG_CALL: 3}
    assert books.bench.ledger.positions() == symbols
    assert BreakKind.STRUCTURE not in kinds(books.look())


# --- what others do -----------------------------------------------------------------------------


def test_half_a_condor_closed_by_hand_is_booked_and_locks_its_underlying(books):
    """Fault E1, invariant I24: booked EXTERNAL, never merged, its condor broken."""
    books.open_condor()
    books.trade("manual-1", CLOSE_CALLS, 2, "20.00")
    found = books.look()
    expected = [BreakKind.FOREIGN_FILL, BreakKind.FOREIGN_FILL, BreakKind.STRUCTURE]
    assert kinds(found) == expected
    assert books.locked == {"SPX", "C0001"}
    assert books.bench.ledger.positions() == books.bench.exchange.positions()
    assert [c.quantity for c in books.bench.ledger.book(books.bench.at).condors] == [2]
    broken = next(each for each in found if each.kind is BreakKind.STRUCTURE)
    assert "adopt or ignore what others traded, then buy 2 SPXW 20MAR20 3050 P" in broken.detail
    for each in found:
        if each.kind is BreakKind.FOREIGN_FILL:
            books.decide(RequestKind.ADOPT, each, condor_id="C0001")
    assert kinds(books.look()) == [BreakKind.STRUCTURE]
    assert books.locked == {"C0001"}


def test_another_programs_order_locks_its_underlying_while_it_is_at_work(books):
    """Fault E2."""
    books.trade("client-7", VX, 1, "10.00")
    (found,) = books.look()
    assert found.kind is BreakKind.FOREIGN_ORDER
    assert "another program has an order at work" in found.detail
    (lock,) = books.bench.ledger.locks(books.bench.at)
    assert (lock.kind, lock.key) == (LockKind.FOREIGN_ACTIVITY, "VIX")
    books.bench.exchange.cancel("client-7", books.bench.at)
    assert books.look() == []
    assert books.locked == set()


def test_a_liquidation_locks_everything_and_pages(books):
    """Fault E3."""
    books.trade("liquidation-1", CALL, 3, "0.60")
    (found,) = books.look()
    assert found.kind is BreakKind.FOREIGN_FILL
    assert books.locked == {"*"}
    assert len(books.pages) == 1
    books.decide(RequestKind.IGNORE, found)
    assert books.look() == []
    assert books.locked == set()


def test_somebody_elses_execution_that_was_taken_back_counts_no_more(books):
    books.trade("manual-1", CALL, 3, "0.60")
    (found,) = books.look()
    (fill,) = books.bench.ledger.external_fills_since(AT)
    bust = replace(fill, revision=2, quantity=0, commission_usd=Decimal(0))
    books.bench.broker.change["fetch_foreign_fills"] = lambda fills: (*fills, bust)
    books.tell_position({SYMBOL: 0})
    books.tell_cash(-fill.cash_flow_usd)
    (again,) = books.look()
    assert again.break_id == found.break_id
    assert again.broker_value == f"BUY 0 {SYMBOL} at {fill.price}"
    assert books.bench.ledger.positions() == {}


# --- settlements --------------------------------------------------------------------------------


def _at_expiry(books):
    opened = records.condor_open("C0001", condor_legs("SPXW 05FEB20 3100/3150/3250/3300"), 1)
    order = records.condor_intent("plan-1", "C0001", opened.legs, 1, limit="-13.60")
    books.bench.decide(order, opens=[opened])
    books.bench.carry_out()
    assert len(books.bench.ledger.positions()) == 4
    books.bench.at = instant("2020-02-05 16:20")


def test_what_expires_settles_into_cash_without_a_break(books):
    """Fault E24: what is in the money and what is not, each closed with an event."""
    _at_expiry(books)
    assert books.look() == []
    assert books.bench.ledger.positions() == {}


def test_a_settlement_that_stays_away_is_awaited_and_then_overdue(books):
    """Fault D18, invariant I22: the position stays as it is, and no value is guessed."""
    _at_expiry(books)
    movements = ("fetch_cash_movements", lambda movements: movements[:1])
    books.bench.broker.change.update([movements])
    before = books.bench.ledger.positions()
    assert BreakKind.POSITION not in kinds(books.look())
    found = books.look(after=timedelta(days=1))
    assert kinds(found).count(BreakKind.SETTLEMENT_OVERDUE) == 4
    assert books.bench.ledger.positions() == before
    books.tell_the_truth()
    assert books.look() == []
