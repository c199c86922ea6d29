"""Drills of faults A: orders, their acknowledgements and their fills."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from bot.brokers.ib.contracts import instrument_of
from bot.brokers.ib.order_book import OrderBook
from bot.errors import BooksDisagree, BrokerUnavailable, OutcomeUnknown
from bot.exchange.orders import WORKING
from bot.gateway.fault_plan import PlannedFault
from bot.gateway.faults import FaultKind
from state.crash_points import CrashPoint, SimulatedDeath, crashing
from strategies.model.breaks import BreakKind
from strategies.model.lifecycle import OrderStatus
from strategies.model.limits import HaltScope, SystemState
from tests.bot.brokers.benches import approved
from tests.bot.brokers.ib.agreement import assert_agreement, insist, order, status_of
from tests.bot.brokers.ib.test_order_book import BAG, OURS, TWO_LEGS, executed
from tests.bot.brokers.ib.test_order_book import PUT as VIX_PUT
from tests.bot.brokers.wire_bench import bytes_to_arrive
from tests.bot.engine.books import LEGS, LONG_CALL, LONG_PUT, SHORT_CALL, SHORT_PUT, kinds
from tests.bot.engine.fakes import hedge
from tests.bot.exchange.venue.fakes import CALL, CONDOR, VX, calendar
from tests.builders import AT, condor_legs, instrument
from tests.faults.drilling import Dice, a_bench, a_desk, drill, on_the_wire, some_books
from tests.state import records

_FAR = Decimal("0.01")
_NEXT = AT + timedelta(minutes=15)
_SYMBOL = instrument(CALL).symbol


def _echo(**fields: object) -> PlannedFault:
    return PlannedFault(kind=FaultKind.ECHO_CHANGED, details=fields)


@drill("A9")
def dies_between_a_fill_and_the_hedge(seed: int, folder: Path) -> None:
    """The next process decides the same hedge under the same id, and sends it once."""
    dice = Dice(seed)
    dies_at, nth = dice.pick(
        [
            (CrashPoint.JOB_BEFORE_COMPLETION, 1),
            (CrashPoint.JOB_BEFORE_DECISION, 2),
            (CrashPoint.JOB_AFTER_DECISION, 2),
            (CrashPoint.JOB_BEFORE_COMPLETION, 2),
        ]
    )
    passed = 0

    def die(point: CrashPoint) -> None:
        nonlocal passed
        passed += point is dies_at
        if point is dies_at and passed == nth:
            raise SimulatedDeath(point)

    calls, futures = dice.whole(1, 20), dice.whole(1, 4)
    with a_desk(folder) as desk:
        desk.plan(AT, hedge(CALL, calls, "0.53"))
        desk.plan(_NEXT, hedge(VX, futures, "17.05", layer="L2"))
        with crashing(die), pytest.raises(SimulatedDeath):
            desk.run(AT, _NEXT)
        desk.reopen()
        desk.run(_NEXT)
        assert desk.ledger.positions() == desk.exchange.positions()
        assert desk.ledger.positions() == {_SYMBOL: calls, instrument(VX).symbol: futures}
        assert len(desk.exchange.orders()) == 2


@drill("A13")
def the_exchange_takes_a_fill_back(seed: int, folder: Path) -> None:
    """One leg is gone: booked as nothing, the condor broken and locked, somebody called."""
    dice = Dice(seed)
    symbol = dice.pick([LONG_PUT, SHORT_PUT, SHORT_CALL, LONG_CALL])
    with some_books(folder) as books:
        books.open_condor(dice.whole(1, 5))
        fills = books.bench.ledger.fills_since(AT)
        leg = next(fill for fill in fills if fill.symbol == symbol)
        bust = replace(leg, revision=2, quantity=0, commission_usd=Decimal(0))
        books.tell_fills(lambda fill: (fill, bust) if fill == leg else (fill,))
        left = books.bench.ledger.positions()[symbol] - leg.signed_quantity
        books.tell_position({symbol: left})
        books.tell_cash(bust.cash_flow_usd - leg.cash_flow_usd)
        found = kinds(books.look(after=timedelta(minutes=dice.whole(1, 300))))
        assert {BreakKind.BUST, BreakKind.STRUCTURE} <= set(found)
        assert "C0001" in books.locked
        assert len(books.pages) >= 2
        assert books.bench.ledger.positions().get(symbol, 0) == left


@drill("A21")
def an_execution_comes_before_its_order(seed: int, folder: Path) -> None:
    """It waits, and is booked once."""
    dice = Dice(seed)
    legs, quantity = dice.pick([CALL, CONDOR]), dice.whole(1, 9)

    async def scenario(bench) -> None:
        placed = await order(bench, legs, quantity)
        await bench.broker.submit(placed)
        await bench.clock.sleep(60)
        assert await status_of(bench, placed.client_order_id) is OrderStatus.FILLED
        await assert_agreement(bench)

    on_the_wire(folder, scenario, PlannedFault(kind=FaultKind.FILL_BEFORE_OPEN_ORDER))


@drill("A23")
def order_numbers_are_rolled_back(seed: int, folder: Path) -> None:
    """The next number is above all that were ever used, and no order is taken for another."""
    dice = Dice(seed)
    restarts = dice.whole(2, 4)

    async def scenario(bench) -> None:
        numbers = []
        for attempt in range(1, restarts + 1):
            await bench.broker.submit(approved(CALL, attempt, _FAR, attempt=attempt))
            numbers.append(bench.book.highest_id)
            bench.detach()
            await bytes_to_arrive()
            bench.attach()
            await bench.broker.connect()
        assert numbers == sorted(set(numbers))
        assert len(bench.exchange.orders()) == restarts
        gone = approved(CALL, 1, _FAR, attempt=1).client_order_id
        assert (await bench.broker.cancel(gone)).status is OrderStatus.CANCELLED
        await assert_agreement(bench)

    fault = PlannedFault(
        kind=FaultKind.ORDER_ID_ROLLBACK, details={"orders": dice.whole(1, 500)}, times=None
    )
    on_the_wire(folder, scenario, fault)


@drill("A24")
def a_second_order_under_the_same_reference(seed: int, folder: Path) -> None:
    """Both are known: the order is in doubt until the copy is over, and is not sent again."""
    dice = Dice(seed)
    quantity = dice.whole(1, 20)

    async def scenario(bench) -> None:
        placed = approved(CALL, quantity, _FAR)
        await bench.broker.submit(placed)
        await bench.clock.sleep(dice.whole(1, 120))
        await bench.trade_by_hand(CALL, quantity, _FAR, placed.client_order_id)
        await bench.clock.sleep(60)
        assert await status_of(bench, placed.client_order_id) is OrderStatus.UNKNOWN
        with pytest.raises(OutcomeUnknown):
            await bench.broker.submit(placed)

    on_the_wire(folder, scenario)


@drill("A25")
def a_price_is_to_move_while_the_link_is_down(seed: int, folder: Path) -> None:
    """Neither cancel nor new price leaves while 1100 stands, and nothing changes in place ever."""
    dice = Dice(seed)
    lasts = dice.whole(20, 100)

    async def scenario(bench) -> None:
        first = approved(CALL, 5, _FAR)
        await bench.broker.submit(first)
        await bench.clock.sleep(3)
        assert bench.session.is_frozen
        with pytest.raises(BrokerUnavailable):
            await bench.broker.cancel(first.client_order_id)
        second = approved(CALL, 5, _FAR * dice.whole(2, 9), attempt=2)
        with pytest.raises(BrokerUnavailable):
            await bench.broker.submit(second)
        assert len(bench.exchange.orders()) == 1
        await bench.clock.sleep(lasts + 20)
        await insist(bench.broker.fetch_orders, bench)
        assert (await bench.broker.cancel(first.client_order_id)).status is OrderStatus.CANCELLED
        assert (await bench.broker.submit(second)).status is OrderStatus.LIVE
        prices = {each.client_order_id: each.limit_price for each in bench.exchange.orders()}
        assert prices[first.client_order_id] == _FAR
        assert prices[second.client_order_id] == second.intent.limit_price

    fault = PlannedFault(
        kind=FaultKind.CONNECTIVITY_LOST,
        at=AT + timedelta(seconds=2),
        details={"seconds": lasts, "data_kept": dice.pick([True, False])},
    )
    on_the_wire(folder, scenario, fault)


def _seen_at_once(folder: Path, echo: dict[str, object], words: str) -> None:
    """Let IB hold another order; a desk that hears it cancels and halts."""

    async def scenario(bench) -> None:
        report = await bench.broker.submit(approved(CALL, 5, _FAR))
        assert words in report.echo_differs, report.echo_differs

    on_the_wire(folder, scenario, _echo(**echo))
    with a_bench(folder) as bench:
        bench.broker.change["submit"] = lambda report: replace(report, echo_differs=words)
        placed = hedge(CALL, 5, "0.48")
        bench.decide(placed)
        with pytest.raises(BooksDisagree, match=words):
            bench.carry_out()
        assert all(each.status not in WORKING for each in bench.exchange.orders())
        (found,) = bench.ledger.open_breaks()
        assert found.kind is BreakKind.ECHO_DIFFERS
        assert found.halts


@drill("A26")
def a_preset_changes_the_time_in_force(seed: int, folder: Path) -> None:
    """Time in force is always said, and compared."""
    tif = Dice(seed).pick(["GTC", "GTD", "IOC", "OPG", "FOK", "AUC"])
    _seen_at_once(folder, {"tif": tif}, f"time in force is {tif}, sent DAY")


@drill("A27")
def the_broker_holds_another_order(seed: int, folder: Path) -> None:
    """Quantity, limit, side or type differ from what was sent."""
    dice = Dice(seed)
    quantity, limit = dice.pick([1, 2, 3, 4, 6, 7, 50]), dice.whole(2, 40)
    echo, words = dice.pick(
        [
            ({"totalQuantity": Decimal(quantity)}, f"quantity is {quantity}, sent 5"),
            ({"lmtPrice": Decimal(limit) / 100}, f"limit is {Decimal(limit) / 100}, sent 0.01"),
            ({"orderType": "MKT"}, "order type is MKT, sent LMT"),
            ({"action": "SELL"}, "legs is -1x"),
        ]
    )
    _seen_at_once(folder, echo, words)


@drill("A29")
def a_leg_is_filled_less_than_the_others(seed: int, folder: Path) -> None:
    """The condor is broken, locked and named with what would mend it."""
    dice = Dice(seed)
    symbol = dice.pick([LONG_PUT, SHORT_PUT, SHORT_CALL, LONG_CALL])
    quantity = dice.whole(2, 6)
    filled = dice.whole(1, quantity - 1)
    with some_books(folder) as books:
        opened = records.condor_open("C0001", condor_legs(LEGS), quantity)
        sent = records.condor_intent("plan-1", "C0001", opened.legs, quantity, limit="-4.60")
        books.bench.decide(sent, opens=[opened])
        books.tell_fills(
            lambda fill: (replace(fill, quantity=filled),) if fill.symbol == symbol else (fill,)
        )
        books.bench.carry_out()
        book = books.bench.ledger.book(books.bench.at)
        assert [condor.quantity for condor in book.condors] == [filled]
        books.reconciler._compared_at = books.bench.at  # as after a whole comparison
        try:
            books.look(whole=False)
        except BooksDisagree:  # a short without its long
            assert symbol in (LONG_PUT, LONG_CALL)
        found = {each.kind: each for each in books.bench.ledger.open_breaks()}
        assert "proposed: " in found[BreakKind.STRUCTURE].detail
        assert "C0001" in books.locked
        assert books.pages


@drill("A30")
def the_package_has_an_execution_of_its_own(seed: int, folder: Path) -> None:
    """It is no position, wherever among its legs' executions it is told."""
    dice = Dice(seed)
    book = OrderBook(lambda contract: instrument_of(contract, calendar()))
    book.send(OURS, TWO_LEGS, 7)
    lines = [
        lambda: executed(book, "a.0.01", 3, contract=BAG),
        lambda: executed(book, "a.1.01", 3),
        lambda: executed(book, "a.2.01", 6, contract=VIX_PUT, side="SLD"),
    ]
    for tell in dice.some(lines + lines[: dice.whole(0, 2)], 5):
        tell()
    assert book.report(OURS).filled_quantity == 3
    assert not book.sums.has_loose_legs()


@drill("A31")
def a_fill_beyond_its_limit(seed: int, folder: Path) -> None:
    """More than a tick worse halts; better is taken."""
    dice = Dice(seed)
    price = Decimal(dice.pick([*range(1, 54), 54, *range(55, 90), *range(55, 90)])) / 100
    with a_bench(folder) as bench:
        bench.decide(hedge(CALL, 10, "0.53"))
        bench.broker.change["fetch_fills"] = lambda fills: tuple(
            replace(fill, price=price) for fill in fills
        )
        if price > Decimal("0.54"):
            with pytest.raises(BooksDisagree):
                bench.carry_out()
        else:
            bench.carry_out()
        found = [each.kind for each in bench.ledger.open_breaks()]
        assert found == ([BreakKind.WORSE_PRICE] if price > Decimal("0.54") else [])
        assert bench.ledger.positions() == {_SYMBOL: 10}


@drill("A32")
def more_is_filled_than_was_ordered(seed: int, folder: Path) -> None:
    """The truth is booked, and everything halts."""
    dice = Dice(seed)
    ordered, more = dice.whole(1, 30), dice.whole(1, 30)
    with a_bench(folder) as bench:
        bench.decide(hedge(CALL, ordered, "0.53"))
        bench.broker.change["fetch_fills"] = lambda fills: tuple(
            replace(fill, quantity=fill.quantity + more) for fill in fills
        )
        with pytest.raises(BooksDisagree):
            bench.carry_out()
        assert bench.ledger.positions() == {_SYMBOL: ordered + more}
        assert [each.kind for each in bench.ledger.open_breaks()] == [BreakKind.OVERFILL]


@drill("A33")
def a_plan_is_emitted_again_and_again(seed: int, folder: Path) -> None:
    """The same plan has the same ids and sends nothing; too many orders latch a halt."""
    dice = Dice(seed)
    placed = hedge(CALL, dice.whole(1, 20), "0.53")
    with a_bench(folder) as bench:
        bench.decide(placed)
        bench.carry_out()
        for _ in range(dice.whole(1, 5)):
            with bench.ledger.transaction() as tx:
                assert not tx.record_intent(placed, AT)
            bench.carry_out(decided_at=bench.at)
        assert len(bench.exchange.orders()) == 1
    (folder / "again").mkdir()
    with a_desk(folder / "again") as desk:
        count = dice.whole(2, 4)
        strikes = dice.some([25, 26, 28, 30], count)
        desk.protections = replace(desk.protections, orders_per_minute=count - 1)
        desk.plan(AT, *(hedge(f"VIX 18MAR20 {strike} C", 1, "0.53") for strike in strikes))
        desk.run(AT, AT + timedelta(seconds=45))
        stored = desk.ledger.system_state()
        assert (stored.state, stored.scope) == (SystemState.HALTED, HaltScope.REDUCE_ONLY)
