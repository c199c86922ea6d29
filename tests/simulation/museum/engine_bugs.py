"""Bugs of the engine, of the ledger and of whoever calls for a person.

As in ``adapter_bugs``, a patch is our own code as it would be with the bug.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection

from bot.brokers.ib import tracked
from bot.brokers.ib.broker import IbBroker
from bot.brokers.ib.connection import IbSession
from bot.brokers.ib.errors_table import CODES, Reaction
from bot.brokers.ib.library import Contract, Order, OrderState
from bot.brokers.ib.order_book import OrderBook
from bot.engine import errands, execute, synchronise
from bot.engine.errands import Errand, Walker
from bot.engine.execute import Executor
from bot.engine.pages import Pages
from bot.errors import BrokerUnavailable
from state import database
from state.ledger import Ledger, LedgerTransaction
from state.orders import StoredOrder
from strategies.model.lifecycle import OrderStatus


def blind(patch: pytest.MonkeyPatch) -> None:
    """Ask nothing while the flag says that IB is away, so that nothing can take the flag back."""
    ready = IbSession.ready

    async def ready_unless_frozen(session: IbSession) -> Any:
        if session._is_frozen:
            raise BrokerUnavailable("the gateway has no connection to IB (1100)")
        return await ready(session)

    patch.setattr(IbSession, "ready", ready_unless_frozen)
    patch.setattr(Pages, "page", lambda pages, trouble, text: None)


def modified_in_place(patch: pytest.MonkeyPatch) -> None:
    """Move an order by sending it again at another price, instead of cancelling it first."""
    move, work, open_order = Walker._move, Executor._work, OrderBook.open_order
    spelled: dict[str, Contract] = {}  # as IB spells a package: it knows no other way
    moved: list[tuple[StoredOrder, Any]] = []

    def note_move(walker: Walker, order: StoredOrder, number: int, quote: Any, price: Any) -> Any:
        step = move(walker, order, number, quote, price)
        if step.withdraws:
            moved.append((order, price))
        return replace(step, withdraws=False)

    async def work_and_modify(executor: Executor, *arguments: Any) -> None:
        await work(executor, *arguments)
        while moved:
            order, price = moved.pop()
            await executor.broker.modify(order.client_order_id, price)

    def as_spelled(
        book: OrderBook, number: int, contract: Contract, order: Order, state: OrderState
    ) -> None:
        spelled[order.orderRef] = contract
        open_order(book, number, contract, order, state)

    async def modify(broker: IbBroker, reference: str, price: Any) -> None:
        ib = await broker._session.ready()
        for trade in ib.openTrades():
            if trade.order.orderRef == reference:
                trade.order.lmtPrice = float(price)
                ib.placeOrder(spelled[reference], trade.order)

    patch.setattr(OrderBook, "open_order", as_spelled)
    patch.setattr(Walker, "_move", note_move)
    patch.setattr(Executor, "_work", work_and_modify)
    patch.setattr(IbBroker, "modify", modify, raising=False)


def silence_is_a_refusal(patch: pytest.MonkeyPatch) -> None:
    """Take an order for refused, for good, that is not acknowledged in time; try another."""
    failed = execute._failed

    def over(order: Any, status: OrderStatus, note: str) -> Any:
        is_in_doubt = status is OrderStatus.UNKNOWN
        return failed(order, OrderStatus.CANCELLED if is_in_doubt else status, note)

    patch.setattr(execute, "_failed", over)
    patch.setattr(synchronise, "revived", lambda ledger, reports: [])


def remarks_are_refusals(patch: pytest.MonkeyPatch) -> None:
    """Take remark 10349 for a refusal, and send what was refused again."""
    patch.setitem(CODES, 10349, replace(CODES[10349], reaction=Reaction.REFUSED))
    patch.setattr(tracked, "_is_refused", lambda order: bool(order.refusal))
    patch.setattr(errands, "_TO_SEND", errands._TO_SEND | {OrderStatus.REJECTED})

    def is_over(errand: Errand) -> bool:
        is_tried_again = errand.order.status in (OrderStatus.CANCELLED, OrderStatus.REJECTED)
        return not (errand.order.is_unfinished or is_tried_again) or errand.remaining <= 0

    patch.setattr(Errand, "is_over", property(is_over))


def not_waiting_for_the_disk(patch: pytest.MonkeyPatch) -> None:
    """Commit without waiting until the log is on the disk."""
    set_pragmas, transaction = database.set_pragmas, Ledger.transaction

    def normal(connection: Connection) -> None:
        set_pragmas(connection)
        connection.exec_driver_sql("PRAGMA synchronous = NORMAL")

    @contextmanager
    def as_it_is(ledger: Ledger, *, durable: bool = True) -> Iterator[LedgerTransaction]:
        ledger._durable = durable  # so that nothing is switched
        with transaction(ledger, durable=durable) as tx:
            yield tx

    patch.setattr(database, "set_pragmas", normal)
    patch.setattr(Ledger, "transaction", as_it_is)


def parent_not_told(patch: pytest.MonkeyPatch) -> None:
    """Send each attempt for the quantity of the plan, whatever the ones before it filled."""
    errands_of = errands.errands_of

    def whole(orders: Iterable[StoredOrder]) -> list[Errand]:
        stored = tuple(orders)
        first: dict[str, int] = {}
        for order in stored:
            first.setdefault(order.intent.purpose, order.intent.quantity)
        return [
            replace(errand, remaining=first[errand.order.intent.purpose])
            for errand in errands_of(stored)
        ]

    patch.setattr(execute, "errands_of", whole)
