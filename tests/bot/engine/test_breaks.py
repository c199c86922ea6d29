"""Each way in which ledger and broker can disagree: when it is one, what it says, what it locks."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from bot.engine import breaks
from bot.ports import ForeignOrder, OrderReport
from state.orders import StoredOrder
from strategies.model.breaks import Break, BreakKind
from strategies.model.fills import ExternalFill, ExternalSource, Fill, Side
from strategies.model.lifecycle import OrderStatus
from strategies.model.locks import WHOLE_BOOK, LockKind
from tests.builders import AT, condor_legs, instant, instrument
from tests.state import records

CALL = instrument("VIX 18MAR20 25 C").symbol
FUTURE = instrument("VX 18MAR20").symbol
WEEKLY = instrument("SPXW 20MAR20 3400 C").symbol
LEGS = condor_legs("SPXW 20MAR20 3000/3050/3350/3400")
LONG_PUT, SHORT_PUT, SHORT_CALL, LONG_CALL = (contract.symbol for contract, _ in LEGS.signed())
SHARE = "SPY"
TICK = timedelta(microseconds=1)
MINUTE = timedelta(minutes=1)
CONDOR = records.condor_intent("plan-1", "C0001", LEGS, 2, limit="-4.60")
HEDGE = records.hedge_intent("plan-1", limit="0.50")


def stored(intent=HEDGE, *, status=OrderStatus.LIVE, filled=0) -> StoredOrder:
    """Return an order that last changed at AT."""
    return StoredOrder(
        intent=intent,
        status=status,
        filled_quantity=filled,
        leaves_quantity=intent.quantity - filled,
        limit_price=intent.limit_price,
        arrival_mid=None,
        broker_order_id="",
        note="",
        planned_at=AT,
        updated_at=AT,
    )


def report(intent=HEDGE, status=OrderStatus.LIVE, filled=0, **more) -> OrderReport:
    """Return what the broker says of an order."""
    return OrderReport(
        client_order_id=intent.client_order_id,
        broker_order_id="77",
        status=status,
        filled_quantity=filled,
        leaves_quantity=intent.quantity - filled,
        limit_price=intent.limit_price,
        **more,
    )


def executed(symbol: str, signed: int, price: str = "1.00", revision: int = 1) -> Fill:
    """Return an execution; nobody looks at whose it is."""
    root = f"e.{symbol}.{price}"
    return records.fill(HEDGE.client_order_id, symbol, signed, price, root=root, revision=revision)


# --- positions and cash ---------------------------------------------------------------------------


def test_each_symbol_held_differently_is_a_break_with_both_numbers():
    ours, theirs = {CALL: 10, FUTURE: -2, LONG_PUT: 3}, {CALL: 9, FUTURE: -2, SHORT_PUT: -4}
    found = list(breaks.position_breaks(ours, theirs, AT))
    assert [(each.key, each.ledger_value, each.broker_value) for each in found] == [
        (LONG_PUT, "3", "0"),
        (SHORT_PUT, "0", "-4"),
        (CALL, "10", "9"),
    ]
    assert {each.kind for each in found} == {BreakKind.POSITION}
    assert [each.locks for each in found] == [("SPX", LONG_PUT), ("SPX", SHORT_PUT), ("VIX", CALL)]
    assert found[2].detail == f"{CALL}: ledger has 10, broker has 9"


def test_fault_e23_what_the_bot_cannot_trade_locks_everything():
    (found,) = breaks.position_breaks({}, {SHARE: 100}, AT)
    assert (found.kind, found.locks) == (BreakKind.ASSIGNMENT, (WHOLE_BOOK,))


@pytest.mark.parametrize(
    ("symbol", "at", "over"),
    [
        (WEEKLY, "2020-03-19 23:59", False),
        (WEEKLY, "2020-03-20 15:59", False),
        (WEEKLY, "2020-03-20 16:00", True),
        (WEEKLY, "2020-03-21 00:00", True),
        (CALL, "2020-03-17 23:59", False),
        (CALL, "2020-03-18 00:00", True),
        (FUTURE, "2020-03-18 00:00", True),
    ],
)
def test_fault_d18_what_trades_no_more_is_not_missed(symbol, at, over):
    at = instant(at)
    assert breaks.trades_no_more(breaks.instrument_or_none(symbol), at) is over
    assert bool(list(breaks.position_breaks({symbol: 1}, {}, at))) is not over
    assert list(breaks.position_breaks({symbol: 1}, {symbol: 2}, at)) != []  # more is never right


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [("100.00", None), ("100.50", None), ("99.50", None), ("100.51", "+0.51"), ("99.4", "-0.6")],
)
def test_cash_may_differ_by_its_tolerance(theirs, expected):
    found = list(breaks.cash_breaks(Decimal(100), Decimal(theirs), Decimal("0.50"), AT))
    assert [each.broker_value for each in found] == [expected] * (expected is not None)
    assert all(each.locks == (WHOLE_BOOK,) and each.ledger_value == "0" for each in found)


@pytest.mark.parametrize(
    ("at", "overdue"), [("2020-03-21 12:00", False), ("2020-03-21 12:00:01", True)]
)
def test_fault_d18_a_settlement_is_awaited_for_twenty_hours(at, overdue):
    found = list(breaks.settlement_breaks({SHARE: 1, WEEKLY: -3}, instant(at)))
    assert [(each.key, each.ledger_value, each.locks) for each in found] == [
        (WEEKLY, "-3", (WEEKLY,))
    ] * overdue


# --- orders ---------------------------------------------------------------------------------------


def order_breaks(reports=(), recent=(), sent=(HEDGE.client_order_id,), adopted=(), at=AT):
    return list(breaks.order_breaks(reports, recent, frozenset(sent), frozenset(adopted), at))


def test_an_order_that_both_sides_know_is_no_break():
    assert order_breaks([report()], [stored()], at=AT + MINUTE) == []


@pytest.mark.parametrize(
    ("status", "adopted", "broken"),
    [
        (OrderStatus.LIVE, False, True),
        (OrderStatus.FILLED, False, True),
        (OrderStatus.LIVE, True, True),  # it may still trade
        (OrderStatus.FILLED, True, False),
    ],
)
def test_an_order_that_is_not_on_record_is_one_unless_it_is_over_and_adopted(
    status, adopted, broken
):
    own = [HEDGE.client_order_id]
    found = order_breaks([report(status=status)], sent=(), adopted=own if adopted else ())
    assert [each.kind for each in found] == [BreakKind.UNRECORDED_ORDER] * broken
    assert all(each.locks == (WHOLE_BOOK,) for each in found)


@pytest.mark.parametrize(
    ("status", "echo", "broken"),
    [
        (OrderStatus.LIVE, "price 0.60", True),
        (OrderStatus.LIVE, "", False),
        (OrderStatus.FILLED, "price 0.60", False),
    ],
)
def test_fault_a26_an_echo_counts_while_the_order_is_open(status, echo, broken):
    found = order_breaks([report(status=status, echo_differs=echo)])
    assert [each.kind for each in found] == [BreakKind.ECHO_DIFFERS] * broken


@pytest.mark.parametrize(
    ("status", "after", "lost"),
    [
        (OrderStatus.LIVE, MINUTE, True),
        (OrderStatus.LIVE, MINUTE - TICK, False),
        (OrderStatus.PLANNED, MINUTE, False),
    ],
)
def test_an_open_order_that_the_broker_does_not_list_is_lost_after_a_minute(status, after, lost):
    found = order_breaks([], [stored(status=status)], at=AT + after)
    assert [each.kind for each in found] == [BreakKind.LOST_ORDER] * lost
    assert all(each.locks == (CALL,) and each.broker_value == "not listed" for each in found)


@pytest.mark.parametrize(
    ("told", "known", "after", "missing"),
    [
        (3, 2, MINUTE, True),
        (3, 2, MINUTE - TICK, False),
        (3, 3, MINUTE, False),
        (2, 3, MINUTE, False),
        (3, None, MINUTE, False),  # its executions do not judge it
        (None, 2, MINUTE, False),
    ],
)
def test_fault_a20_executions_that_stay_away_are_missed_after_a_minute(told, known, after, missing):
    reports = [] if told is None else [report(CONDOR, OrderStatus.LIVE, told)]
    executions = {} if known is None else {CONDOR.client_order_id: known}
    found = list(
        breaks.lost_execution_breaks(reports, [stored(CONDOR, filled=1)], executions, AT + after)
    )
    assert [(each.key, each.broker_value, each.ledger_value, each.locks) for each in found] == [
        (CONDOR.client_order_id, "3 filled", "LIVE, 1 filled", ("C0001",))
    ] * missing


@pytest.mark.parametrize(
    ("source", "symbols", "locks"),
    [
        (ExternalSource.MANUAL, [CALL, FUTURE], ("VIX",)),
        (ExternalSource.CLIENT, [WEEKLY, CALL], ("SPX", "VIX")),
        (ExternalSource.CLIENT, [WEEKLY, SHARE], (WHOLE_BOOK,)),
        (ExternalSource.LIQUIDATION, [CALL], (WHOLE_BOOK,)),
    ],
)
def test_an_order_of_others_locks_the_underlyings_it_trades(source, symbols, locks):
    order = ForeignOrder(
        broker_order_id="9",
        source=source,
        reference="r",
        legs=tuple((symbol, 1) for symbol in symbols),
        quantity=2,
        filled_quantity=0,
        limit_price=None,
    )
    (found,) = breaks.foreign_order_breaks([order], AT)
    assert (found.kind, found.key, found.locks) == (BreakKind.FOREIGN_ORDER, "9", locks)
    assert f"+1 {symbols[0]}" in found.broker_value


# --- executions -----------------------------------------------------------------------------------


def test_what_others_traded_is_named_and_locks_its_underlying():
    fill = ExternalFill(
        exec_root="x.1",
        revision=1,
        source=ExternalSource.MANUAL,
        reference="desk",
        symbol=CALL,
        side=Side.BUY,
        quantity=3,
        price=Decimal("0.60"),
        commission_usd=Decimal(1),
        executed_at=AT,
    )
    found = breaks.foreign_fill_break(fill, AT)
    assert (found.key, found.locks, found.broker_value) == (
        "x.1",
        ("VIX",),
        f"BUY 3 {CALL} at 0.60",
    )
    assert found.detail == f"a person traded in the account: BUY 3 {CALL} at 0.60 (desk)"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (BreakKind.FOREIGN_FILL, LockKind.FOREIGN_ACTIVITY),
        (BreakKind.FOREIGN_ORDER, LockKind.FOREIGN_ACTIVITY),
        (BreakKind.POSITION, LockKind.BREAK),
    ],
)
def test_a_lock_says_whether_somebody_else_was_at_work(kind, expected):
    found = Break(
        kind=kind,
        key="k",
        detail="d",
        ledger_value="",
        broker_value="",
        locks=("VIX",),
        found_at=AT,
    )
    lock = breaks.lock_of(found, "VIX")
    assert (lock.kind, lock.key, lock.set_at, lock.until) == (expected, "VIX", AT, None)
    assert lock.reason == f"{found.break_id} d"


@pytest.mark.parametrize(
    ("legs", "least", "most"),
    [
        ({}, 0, 0),
        ({LONG_PUT: 2, SHORT_PUT: -2, SHORT_CALL: -2, LONG_CALL: 2}, 2, 2),
        ({LONG_PUT: 2, SHORT_PUT: -1, SHORT_CALL: -3, LONG_CALL: 2}, 1, 3),
        ({LONG_PUT: 2, SHORT_PUT: -2, SHORT_CALL: -2}, 0, 2),
        ({LONG_PUT: -1}, 0, 0),
    ],
)
def test_packages_are_counted_by_the_least_and_the_most_filled_leg(legs, least, most):
    fills = [executed(symbol, signed) for symbol, signed in legs.items()]
    assert breaks.packages_of(stored(CONDOR), fills) == least
    assert breaks.most_packages_of(stored(CONDOR), fills) == most


@pytest.mark.parametrize(("contracts", "least", "most"), [(3, 1, 2), (4, 2, 2), (5, 2, 3)])
def test_a_leg_of_two_makes_half_a_package_of_one_contract(contracts, least, most):
    twice = replace(HEDGE, legs=(replace(HEDGE.legs[0], ratio=2),))
    fills = [executed(CALL, contracts)]
    assert breaks.packages_of(stored(twice), fills) == least
    assert breaks.most_packages_of(stored(twice), fills) == most


@pytest.mark.parametrize(
    ("price", "broken"), [("0.49", False), ("0.50", False), ("0.51", False), ("0.52", True)]
)
def test_fault_a31_a_purchase_may_cost_a_tick_more_than_its_limit(price, broken):
    fills = [executed(CALL, 4, price), executed(CALL, 6, price, revision=2)]
    found = breaks.worse_price_break(stored(), fills, 10, AT)
    assert (found is not None) is broken
    if found is not None:
        assert (found.ledger_value, found.broker_value) == ("0.50", "0.5200")
        assert found.locks == (WHOLE_BOOK,)


def test_fault_a31_a_sale_may_bring_a_tick_less_than_its_limit():
    sale = records.hedge_intent("plan-1", ratio=-1, limit="-0.50")
    for price, broken in (("0.49", False), ("0.48", True)):
        found = breaks.worse_price_break(stored(sale), [executed(CALL, -10, price)], 10, AT)
        assert (found is not None) is broken


def test_fault_a31_a_package_is_judged_once_it_is_whole():
    whole = [
        executed(LONG_PUT, 2, "10.00"),
        executed(SHORT_PUT, -2, "10.00"),
        executed(SHORT_CALL, -2, "10.00"),
        executed(LONG_CALL, 2, "10.00"),
    ]
    found = breaks.worse_price_break(stored(CONDOR), whole, 2, AT)
    assert found is not None
    assert found.broker_value == "0.0000"
    assert breaks.worse_price_break(stored(CONDOR), whole[:3], 0, AT) is None
    uneven = [*whole, executed(LONG_CALL, 1, "11.00")]
    assert breaks.worse_price_break(stored(CONDOR), uneven, 2, AT) is None


def test_fault_a13_and_a32_busts_and_overfills_name_the_order_they_are_of():
    bust = breaks.bust_break(executed(LONG_PUT, 0, revision=2), stored(CONDOR), AT)
    assert (bust.kind, bust.locks, bust.ledger_value) == (
        BreakKind.BUST,
        ("C0001",),
        "revision 2",
    )
    over = breaks.overfill_break(stored(CONDOR), 3, AT)
    assert (over.kind, over.key, over.locks) == (
        BreakKind.OVERFILL,
        CONDOR.client_order_id,
        (WHOLE_BOOK,),
    )
    assert (over.ledger_value, over.broker_value) == ("2", "3")
