"""Contract cards: what every broker behind the port must do, one numbered card a promise.

Each card names its prerequisite, its action and what is expected. A broker joins by adding a bench
to ``BENCHES``.
"""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from bot.errors import BrokerUnavailable, OrderRejected, OutcomeUnknown
from strategies.model.fills import CashKind, ExternalSource, Side
from strategies.model.lifecycle import OrderStatus
from tests.bot.brokers.benches import SimulatedBench, approved, legs_of
from tests.bot.brokers.wire_bench import WireBench
from tests.bot.exchange.venue.fakes import CALL, CONDOR, CONDOR_CLOSE, VX
from tests.builders import AT, instant, instrument

Bench = SimulatedBench | WireBench
BENCHES: dict[str, Callable[[Path], Bench]] = {"simulated": SimulatedBench, "wire": WireBench}
BEGINNING = AT - timedelta(days=1)
A_WHILE_S = 60.0
SYMBOL = instrument(CALL).symbol


@pytest.fixture(params=sorted(BENCHES))
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    """A connected bench with an empty account."""
    made = BENCHES[request.param](tmp_path / "journal.jsonl")
    await made.open()
    try:
        await made.broker.connect()
        yield made
    finally:
        await made.close()


async def bought(bench: Bench, legs: str = CALL, quantity: int = 5, attempt: int = 1):
    """A marketable order that has had time to fill."""
    limit = await bench.price(legs, 1.5)
    order = approved(legs, quantity, limit, attempt=attempt)
    await bench.broker.submit(order)
    await bench.clock.sleep(A_WHILE_S)
    return order


async def report_of(bench: Bench, order):
    """What the broker says about an order when asked for all of them."""
    return next(
        report
        for report in await bench.broker.fetch_orders()
        if report.client_order_id == order.client_order_id
    )


async def test_b01_an_accepted_order_is_live_and_has_a_permanent_id(bench):
    """B01. An accepted order is live and has a permanent id.

    Prerequisite: Connected.
    Action: Submit an order far below the market.
    Expected: LIVE, permanent id, in the order list.
    """
    order = approved(CALL, 5, Decimal("0.01"))
    report = await bench.broker.submit(order)
    assert report.status is OrderStatus.LIVE
    assert report.broker_order_id
    assert (report.filled_quantity, report.leaves_quantity) == (0, 5)
    assert report.limit_price == Decimal("0.01")
    assert await bench.broker.fetch_orders() == (report,)


async def test_b02_a_marketable_order_fills_within_its_limit(bench):
    """B02. A marketable order fills within its limit.

    Prerequisite: Connected.
    Action: Submit above natural and wait.
    Expected: FILLED, an execution a leg, position, no worse.
    """
    order = await bought(bench)
    report = await report_of(bench, order)
    assert (report.status, report.filled_quantity) == (OrderStatus.FILLED, 5)
    (fill,) = await bench.broker.fetch_fills(BEGINNING)
    assert fill.client_order_id == order.client_order_id
    assert (fill.symbol, fill.side, fill.quantity) == (SYMBOL, Side.BUY, 5)
    assert fill.price <= order.intent.limit_price
    assert fill.commission_usd > 0
    assert AT < fill.executed_at <= bench.clock.now()
    assert await bench.broker.fetch_positions() == {SYMBOL: 5}


async def test_b03_a_combo_fills_its_legs_together_at_one_net_price(bench):
    """B03. A combo fills its legs together at one net price.

    Prerequisite: Connected.
    Action: Submit a condor above natural.
    Expected: Four executions, in ratio, net within the limit.
    """
    order = await bought(bench, CONDOR, 2)
    fills = await bench.broker.fetch_fills(BEGINNING)
    assert len(fills) == 4
    assert len({fill.exec_root for fill in fills}) == 4
    assert {fill.quantity for fill in fills} == {2}
    assert sum(f.side.sign * f.price for f in fills) <= order.intent.limit_price
    positions = await bench.broker.fetch_positions()
    assert sorted(positions.values()) == [-2, -2, 2, 2]


async def test_b04_a_big_order_fills_in_parts_that_add_up(bench):
    """B04. A big order fills in parts that add up.

    Prerequisite: Connected.
    Action: Submit more than the market shows.
    Expected: PARTIALLY_FILLED, then FILLED, nothing lost.
    """
    order = approved(CALL, 450, await bench.price(CALL, 8.0))
    await bench.broker.submit(order)
    seen = []
    for _ in range(60):
        await bench.clock.sleep(10)
        report = await report_of(bench, order)
        seen.append(report.status)
        fills = await bench.broker.fetch_fills(BEGINNING)
        assert sum(fill.quantity for fill in fills) == report.filled_quantity
        assert report.filled_quantity + report.leaves_quantity == 450
    assert seen[0] is OrderStatus.PARTIALLY_FILLED
    assert seen[-1] is OrderStatus.FILLED


async def test_b05_a_confirmed_cancel_is_final(bench):
    """B05. A confirmed cancel is final.

    Prerequisite: A live order.
    Action: Cancel.
    Expected: CANCELLED with its rest, no execution however long one waits.
    """
    order = approved(CALL, 5, Decimal("0.01"))
    await bench.broker.submit(order)
    report = await bench.broker.cancel(order.client_order_id)
    assert report.status is OrderStatus.CANCELLED
    assert (report.filled_quantity, report.leaves_quantity) == (0, 5)
    await bench.clock.sleep(3600)
    assert await report_of(bench, order) == report
    assert await bench.broker.fetch_fills(BEGINNING) == ()


async def test_b06_a_cancel_after_the_fill_reports_the_fill(bench):
    """B06. A cancel after the fill reports the fill.

    Prerequisite: A filled order.
    Action: Cancel.
    Expected: FILLED, unchanged.
    """
    order = await bought(bench)
    report = await bench.broker.cancel(order.client_order_id)
    assert (report.status, report.filled_quantity) == (OrderStatus.FILLED, 5)


async def test_b07_a_cancel_keeps_what_was_filled(bench):
    """B07. A cancel keeps what was filled.

    Prerequisite: A partly filled order.
    Action: Cancel.
    Expected: CANCELLED, its fills stay, its rest is told.
    """
    order = approved(CALL, 450, await bench.price(CALL, 8.0))
    await bench.broker.submit(order)
    await bench.clock.sleep(10)
    report = await bench.broker.cancel(order.client_order_id)
    assert report.status is OrderStatus.CANCELLED
    assert 0 < report.filled_quantity < 450
    assert report.leaves_quantity == 450 - report.filled_quantity
    assert await bench.broker.fetch_positions() == {SYMBOL: report.filled_quantity}


async def test_b08_a_cancel_of_an_unknown_order_is_no_proof_of_anything(bench):
    """B08. A cancel of an unknown order is no proof of anything.

    Prerequisite: No such order.
    Action: Cancel.
    Expected: OutcomeUnknown.
    """
    with pytest.raises(OutcomeUnknown):
        await bench.broker.cancel(approved(CALL, 1, Decimal("0.01")).client_order_id)


@pytest.mark.parametrize(
    ("legs", "quantity", "limit", "reason"),
    [
        ("VIX 17JUN20 25 C", 1, "0.50", "not listed"),
        ("-1 VIX 18MAR20 25 C", 1, "-0.50", "uncovered"),
        (CONDOR, 500, "-4.00", "excess liquidity"),
        (VX, 200, "17.00", "excess liquidity"),
    ],
)
async def test_b09_a_refusal_says_why(bench, legs, quantity, limit, reason):
    """B09. A refusal says why.

    Prerequisite: Connected.
    Action: Submit what may not be.
    Expected: OrderRejected with the reason, REJECTED in the list.
    """
    order = approved(legs, quantity, Decimal(limit))
    with pytest.raises(OrderRejected, match=reason):
        await bench.broker.submit(order)
    report = await report_of(bench, order)
    assert report.status is OrderStatus.REJECTED
    assert reason in report.note
    assert await bench.broker.fetch_positions() == {}


async def test_b10_outside_session_hours_nothing_is_taken(bench):
    """B10. Outside session hours nothing is taken.

    Prerequisite: The session has closed.
    Action: Submit.
    Expected: OrderRejected.
    """
    bench.clock.move_to(instant("2020-02-03 16:20"))
    with pytest.raises(OrderRejected, match="session"):
        await bench.broker.submit(approved(CALL, 1, Decimal("0.50")))


async def test_b11_submitting_twice_places_one_order(bench):
    """B11. Submitting twice places one order.

    Prerequisite: A live order.
    Action: Submit it again, before and after its fill.
    Expected: One order, one execution.
    """
    order = await bought(bench)
    report = await bench.broker.submit(order)
    await bench.clock.sleep(A_WHILE_S)
    assert report.status is OrderStatus.FILLED
    assert await bench.broker.fetch_orders() == (report,)
    assert len(await bench.broker.fetch_fills(BEGINNING)) == 1


async def test_b12_a_refused_order_is_refused_again(bench):
    """B12. A refused order is refused again.

    Prerequisite: A rejected order.
    Action: Submit it again.
    Expected: The same refusal, nothing new in the list.
    """
    order = approved("-1 VIX 18MAR20 25 C", 1, Decimal("-0.50"))
    for _ in range(2):
        with pytest.raises(OrderRejected, match="uncovered"):
            await bench.broker.submit(order)
    assert len(await bench.broker.fetch_orders()) == 1


async def test_b13_executions_are_told_since_an_instant_oldest_first(bench):
    """B13. Executions are told since an instant oldest first.

    Prerequisite: Two executions.
    Action: Ask since the second.
    Expected: Only that one; since later: none.
    """
    await bought(bench)
    await bought(bench, attempt=2)
    first, second = await bench.broker.fetch_fills(BEGINNING)
    assert first.executed_at < second.executed_at
    assert await bench.broker.fetch_fills(second.executed_at) == (second,)
    assert await bench.broker.fetch_fills(bench.clock.now()) == ()


async def test_b14_an_account_without_positions_says_so(bench):
    """B14. An account without positions says so.

    Prerequisite: Empty account.
    Action: Ask for positions, open and close.
    Expected: {}, the position, {}.
    """
    assert await bench.broker.fetch_positions() == {}
    await bought(bench, CONDOR, 2)
    assert len(await bench.broker.fetch_positions()) == 4
    await bought(bench, CONDOR_CLOSE, 2)
    assert await bench.broker.fetch_positions() == {}


async def test_b15_cash_is_what_deposits_and_executions_explain(bench):
    """B15. Cash is what deposits and executions explain.

    Prerequisite: Trades done.
    Action: Ask for the account.
    Expected: Cash to the last decimal, liquidation near it, margin.
    """
    start = await bench.broker.fetch_account()
    assert start.cash_usd == start.net_liquidation_usd == bench.starting_cash_usd
    await bought(bench, CONDOR, 2)
    await bought(bench)
    account = await bench.broker.fetch_account()
    fills = await bench.broker.fetch_fills(BEGINNING)
    assert account.cash_usd == start.cash_usd + sum(fill.cash_flow_usd for fill in fills)
    assert account.maintenance_margin_usd == account.initial_margin_usd == 2 * 50 * 100
    assert account.excess_liquidity_usd == account.cash_usd - account.maintenance_margin_usd
    assert abs(account.net_liquidation_usd - start.cash_usd) < 1_000


async def test_b16_variation_of_a_future_is_a_cash_movement(bench):
    """B16. Variation of a future is a cash movement.

    Prerequisite: A future held over its daily settlement.
    Action: Ask for movements.
    Expected: One VARIATION, cash follows.
    """
    await bought(bench, VX, 2)
    bench.clock.move_to(instant("2020-02-03 16:20"))
    (movement,) = await bench.broker.fetch_cash_movements(AT)
    assert (movement.kind, movement.symbol) == (CashKind.VARIATION, instrument(VX).symbol)
    fills = await bench.broker.fetch_fills(BEGINNING)
    fees = sum(fill.commission_usd for fill in fills)
    account = await bench.broker.fetch_account()
    assert account.cash_usd == bench.starting_cash_usd - fees + movement.amount_usd


async def test_b17_an_expiry_is_a_cash_movement_that_closes_the_position(bench):
    """B17. An expiry is a cash movement that closes the position.

    Prerequisite: An option held to expiry.
    Action: Ask for movements.
    Expected: One SETTLEMENT of the whole position.
    """
    text = "SPXW 05FEB20 3150 C"
    await bought(bench, text, 3)
    bench.clock.move_to(instant("2020-02-05 16:20"))
    (movement,) = await bench.broker.fetch_cash_movements(AT)
    assert (movement.kind, movement.symbol) == (CashKind.SETTLEMENT, instrument(text).symbol)
    assert movement.quantity == -3
    assert movement.price is not None
    assert movement.amount_usd == 3 * movement.price * 100
    assert await bench.broker.fetch_positions() == {}


async def test_b18_the_starting_cash_is_a_deposit(bench):
    """B18. The starting cash is a deposit.

    Prerequisite: New account.
    Action: Ask for movements since the beginning.
    Expected: The deposit, and asking is repeatable.
    """
    (deposit,) = await bench.broker.fetch_cash_movements(BEGINNING)
    assert (deposit.kind, deposit.amount_usd) == (CashKind.DEPOSIT, bench.starting_cash_usd)
    assert await bench.broker.fetch_cash_movements(BEGINNING) == (deposit,)


async def test_b19_a_day_order_does_not_outlive_its_day(bench):
    """B19. A day order does not outlive its day.

    Prerequisite: A live order.
    Action: Let the session close.
    Expected: CANCELLED with the reason.
    """
    order = approved(CALL, 5, Decimal("0.01"))
    await bench.broker.submit(order)
    bench.clock.move_to(instant("2020-02-03 16:20"))
    report = await report_of(bench, order)
    assert report.status is OrderStatus.CANCELLED
    assert report.note  # in the broker's words


async def test_b20_nothing_is_sent_before_connecting(bench, tmp_path):
    """B20. Nothing is sent before connecting.

    Prerequisite: Not connected.
    Action: Submit or ask.
    Expected: BrokerUnavailable, and after connecting nothing was sent.
    """
    fresh = type(bench)(tmp_path / "fresh.jsonl")
    await fresh.open()
    with pytest.raises(BrokerUnavailable):
        await fresh.broker.submit(approved(CALL, 1, Decimal("0.01")))
    with pytest.raises(BrokerUnavailable):
        await fresh.broker.fetch_positions()
    await fresh.broker.connect()
    assert await fresh.broker.fetch_orders() == ()
    await fresh.close()


async def test_b21_a_new_process_finds_everything_where_it_was(bench):
    """B21. A new process finds everything where it was.

    Prerequisite: Orders filled and live.
    Action: Restart.
    Expected: Same orders, executions, positions and cash; the same id is still the same order.
    """
    filled = await bought(bench)
    live = approved(CALL, 5, Decimal("0.01"), attempt=2)
    await bench.broker.submit(live)
    questions = ("fetch_orders", "fetch_positions", "fetch_account")
    before = [await getattr(bench.broker, question)() for question in questions]
    fills = await bench.broker.fetch_fills(BEGINNING)
    await bench.restart()
    assert [await getattr(bench.broker, question)() for question in questions] == before
    assert await bench.broker.fetch_fills(BEGINNING) == fills
    assert (await bench.broker.submit(live)).status is OrderStatus.LIVE
    assert (await bench.broker.submit(filled)).status is OrderStatus.FILLED


async def test_b22_a_broker_ahead_of_the_clock_does_not_go_back(bench):
    """B22. A broker ahead of the clock does not go back.

    Prerequisite: The clock is set back after a restart.
    Action: Submit what was already sent.
    Expected: Its state as of later; cancel what is done: unchanged.
    """
    order = await bought(bench)
    later = await report_of(bench, order)
    bench.clock.move_to(AT)
    assert await bench.broker.submit(order) == later
    assert await bench.broker.cancel(order.client_order_id) == later


async def test_b23_executions_of_others_are_told_apart_from_ours(bench):
    """B23. Executions of others are told apart from ours.

    Prerequisite: An order of ours, one by hand and a liquidation, all filled.
    Action: Ask for fills and for foreign fills.
    Expected: Each among its own, legs without the package's line, by whom; positions count both.
    """
    await bought(bench)
    await bench.trade_by_hand(CONDOR, 2, await bench.price(CONDOR, 1.5), "manual")
    await bench.trade_by_hand("-1 " + CALL, 3, Decimal("-0.05"), "liquidation 1")
    await bench.clock.sleep(A_WHILE_S)
    (ours,) = await bench.broker.fetch_fills(BEGINNING)
    assert ours.quantity == 5
    *legs, sale = await bench.broker.fetch_foreign_fills(BEGINNING)
    assert {leg.source for leg in legs} == {ExternalSource.MANUAL}
    assert {leg.reference for leg in legs} == {"manual"}
    assert sorted(leg.signed_quantity for leg in legs) == [-2, -2, 2, 2]
    assert (sale.source, sale.reference) == (ExternalSource.LIQUIDATION, "liquidation 1")
    assert (sale.symbol, sale.signed_quantity) == (SYMBOL, -3)
    assert sale.commission_usd > 0
    assert sale.exec_root != ours.exec_root
    assert await bench.broker.fetch_foreign_fills(bench.clock.now()) == ()
    assert (await bench.broker.fetch_positions())[SYMBOL] == 2
    cash = sum(each.cash_flow_usd for each in (ours, *legs, sale))
    assert (await bench.broker.fetch_account()).cash_usd == bench.starting_cash_usd + cash


async def test_b24_orders_of_others_at_work_are_told_apart_from_ours(bench):
    """B24. Orders of others at work are told apart from ours.

    Prerequisite: A live order of ours, and two by hand.
    Action: Ask for orders and for foreign orders; again after they have filled or expired.
    Expected: Each among its own, with signed legs; none in the end.
    """
    assert await bench.broker.fetch_foreign_orders() == ()
    await bench.broker.submit(approved(CALL, 5, Decimal("0.01")))
    await bench.trade_by_hand(CONDOR, 2, Decimal("-9.00"), "by hand")
    await bench.trade_by_hand(CALL, 7, Decimal("0.01"), "by hand too")
    await bench.clock.sleep(A_WHILE_S)
    assert len(await bench.broker.fetch_orders()) == 1
    package, single = await bench.broker.fetch_foreign_orders()
    wanted = {(each.instrument.symbol, each.ratio) for each in legs_of(CONDOR)}
    assert set(package.legs) == wanted
    assert (package.quantity, package.filled_quantity) == (2, 0)
    assert (package.limit_price, package.source) == (Decimal(-9), ExternalSource.MANUAL)
    assert (single.legs, single.quantity) == (((SYMBOL, 1),), 7)
    assert (single.limit_price, single.reference) == (Decimal("0.01"), "by hand too")
    bench.clock.move_to(instant("2020-02-03 16:20"))
    assert await bench.broker.fetch_foreign_orders() == ()


async def test_b25_a_preview_places_nothing(bench):
    """B25. A preview places nothing.

    Prerequisite: Empty account.
    Action: Ask what a condor would do to margin, and one nobody could carry.
    Expected: The margin it then has, to the cent; for the other more than there is, or why not.
    """
    order = approved(CONDOR, 2, await bench.price(CONDOR, 1.5))
    seen = await bench.broker.preview(order.intent)
    assert seen.initial_margin_after_usd == seen.maintenance_margin_after_usd == 2 * 50 * 100
    start = await bench.broker.fetch_account()
    excess = start.excess_liquidity_usd - 2 * 50 * 100
    assert abs(seen.excess_liquidity_after_usd - excess) < 1_000
    assert seen.note == ""
    huge = await bench.broker.preview(approved(CONDOR, 500, Decimal(-4)).intent)
    assert huge.excess_liquidity_after_usd < 0
    assert await bench.broker.fetch_orders() == ()
    assert await bench.broker.fetch_positions() == {}
    assert await bench.broker.fetch_account() == start


async def test_b26_the_broker_says_what_time_it_is(bench):
    """B26. The broker says what time it is.

    Prerequisite: Connected.
    Action: Ask for the time, let an hour pass, ask again.
    Expected: Within a second of the clock, both times.
    """
    for _ in range(2):
        at = await bench.broker.server_time()
        assert at.utcoffset() is not None
        assert abs(at - bench.clock.now()) <= timedelta(seconds=1)
        await bench.clock.sleep(3600)


async def test_b27_what_others_did_outlives_the_process(bench):
    """B27. What others did outlives the process.

    Prerequisite: An execution and an order at work, both by hand.
    Action: Restart.
    Expected: The same.
    """
    await bench.trade_by_hand(CALL, 3, await bench.price(CALL, 1.5), "manual 1")
    await bench.trade_by_hand(CALL, 7, Decimal("0.01"), "manual 2")
    await bench.clock.sleep(A_WHILE_S)
    fills = await bench.broker.fetch_foreign_fills(BEGINNING)
    orders = await bench.broker.fetch_foreign_orders()
    assert len(fills) == len(orders) == 1
    await bench.restart()
    assert await bench.broker.fetch_foreign_fills(BEGINNING) == fills
    assert await bench.broker.fetch_foreign_orders() == orders
    assert await bench.broker.fetch_orders() == ()


async def test_b28_what_others_hold_settles_with_ours(bench):
    """B28. What others hold settles with ours.

    Prerequisite: An option held to expiry, part of it bought by hand.
    Action: Ask for movements.
    Expected: One SETTLEMENT of the whole position; cash is what all of it explains.
    """
    text = "SPXW 05FEB20 3150 C"
    await bought(bench, text, 3)
    await bench.trade_by_hand(text, 2, await bench.price(text, 1.5), "manual")
    await bench.clock.sleep(A_WHILE_S)
    (theirs,) = await bench.broker.fetch_foreign_fills(BEGINNING)
    bench.clock.move_to(instant("2020-02-05 16:20"))
    (movement,) = await bench.broker.fetch_cash_movements(AT)
    assert (movement.kind, movement.quantity) == (CashKind.SETTLEMENT, -5)
    (ours,) = await bench.broker.fetch_fills(BEGINNING)
    cash = ours.cash_flow_usd + theirs.cash_flow_usd + movement.amount_usd
    assert (await bench.broker.fetch_account()).cash_usd == bench.starting_cash_usd + cash
