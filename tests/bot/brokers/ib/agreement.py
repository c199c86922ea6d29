"""Whether the adapter and the exchange behind the gateway tell the same story."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

from bot.errors import BotError, BrokerUnavailable, OrderRejected, OutcomeUnknown
from bot.ports import OrderReport
from strategies.model.ids import ClientOrderId
from strategies.model.lifecycle import OrderStatus
from strategies.model.orders import ApprovedOrder
from tests.bot.brokers.benches import approved
from tests.bot.brokers.wire_bench import WireBench
from tests.builders import AT

T = TypeVar("T")
BEGINNING = AT - timedelta(days=1)
_PATIENCE = 40  # asked again every half minute


async def insist(question: Callable[[], Awaitable[T]], bench: WireBench) -> T:
    """Ask again while the broker is unavailable, as one interval after the other does."""
    for _ in range(_PATIENCE):
        try:
            return await question()
        except BrokerUnavailable:
            await bench.clock.sleep(30)
    return await question()


async def tried(action: Awaitable[OrderReport]) -> OrderReport | BotError:
    """Return what came of an action: a report, or the error the engine would deal with."""
    try:
        return await action
    except (BrokerUnavailable, OutcomeUnknown, OrderRejected) as outcome:
        return outcome


async def order(
    bench: WireBench, legs: str, quantity: int, share: float = 1.5, *, attempt: int = 1
) -> ApprovedOrder:
    """Return an order so far through the market."""
    return approved(legs, quantity, await bench.price(legs, share), attempt=attempt)


async def status_of(bench: WireBench, reference: ClientOrderId) -> OrderStatus | None:
    """Return what the broker lists of an order; None if it does not."""
    reports = await insist(bench.broker.fetch_orders, bench)
    return next((each.status for each in reports if each.client_order_id == reference), None)


async def assert_agreement(bench: WireBench) -> None:
    """Compare fills, positions, cash, marks and orders to the last digit."""
    broker, exchange = bench.broker, bench.exchange
    fills = await insist(lambda: broker.fetch_fills(BEGINNING), bench)
    assert [replace(fill, revision=1) for fill in fills] == list(exchange.fills(BEGINNING))
    assert await insist(broker.fetch_positions, bench) == exchange.positions()
    assert await insist(broker.fetch_account, bench) == exchange.account()
    assert await insist(broker.fetch_marks, bench) == exchange.marks()
    ours = {
        report.client_order_id: (report.status, report.filled_quantity)
        for report in await insist(broker.fetch_orders, bench)
    }
    theirs = {
        report.client_order_id: (report.status, report.filled_quantity)
        for report in exchange.orders()
    }
    for reference, (status, filled) in theirs.items():
        assert ours[reference] == (status, filled), reference
