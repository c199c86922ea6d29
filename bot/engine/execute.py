"""Carry out one plan: write it down, send it, walk its price, and leave nothing behind.

Every attempt at a price is an order of its own with a derived id. A walk cancels, waits for the
broker to confirm, and only then sends the remainder at the next price; a combo is never modified
in place. Each step is written in two transactions: SENDING before the first byte, the broker's
answer after it. Asking again after a crash at any line therefore finds the same orders.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

import structlog

from bot.engine.prices import PackageQuote, WalkPolicy, package_quote, walk_price
from bot.engine.synchronise import record_reports, synchronise
from bot.errors import BrokerUnavailable, OrderRejected, OutcomeUnknown
from bot.ports import Broker, Clock, MarketData, OrderReport
from state.ledger import Ledger
from state.orders import StoredOrder
from strategies.model.book import Book
from strategies.model.ids import ClientOrderId
from strategies.model.lifecycle import OrderStatus
from strategies.model.limits import Limits, Readiness
from strategies.model.orders import ApprovedOrder, OrderIntent
from strategies.model.quotes import Quote, to_price
from strategies.risk.gate import Refusal, approve

log = structlog.get_logger(__name__)

_RESTING = frozenset({OrderStatus.LIVE, OrderStatus.PARTIALLY_FILLED})
# SENDING is found only after a crash: the broker recognises the id if the order did arrive.
_TO_SEND = frozenset({OrderStatus.PLANNED, OrderStatus.SENDING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Executor:
    """Works the orders of one plan at a time, through ports."""

    ledger: Ledger
    broker: Broker
    market_data: MarketData
    clock: Clock
    limits: Limits
    policy: WalkPolicy
    readiness: Callable[[], Readiness]
    book: Callable[[], Book]

    async def carry_out(self, plan_id: str, decided_at: datetime) -> None:
        """Work every order of a plan until it is done or its time is over, then cancel the rest.

        May be called again for the same plan after a crash: steps whose time has passed are not
        repeated, orders the broker already has are not sent twice.

        Raises: OutcomeUnknown, BrokerUnavailable, HaltTrading.
        """
        for step in range(self.policy.steps):
            if not await self._reach(decided_at, step):
                continue
            working = await self._working(plan_id)
            if not working:
                return
            await self._work(working, step)
        await self._reach(decided_at, self.policy.steps)
        await self._stop(await self._working(plan_id))

    async def _stop(self, working: Sequence[StoredOrder]) -> None:
        """End what is left: cancel what rests, drop what was not sent, doubt what may have been."""
        await self._cancel([order for order in working if order.status in _RESTING])
        unsent = [order for order in working if order.status in _TO_SEND]
        if not unsent:
            return
        now = self.clock.now()
        with self.ledger.transaction() as tx:
            for order in unsent:
                if order.status is OrderStatus.PLANNED:
                    status, note = OrderStatus.CANCELLED, "its time was over before it was sent"
                else:
                    status, note = OrderStatus.UNKNOWN, "no proof that it reached the broker"
                tx.record_order_event(order.client_order_id, now, status, note=note)

    async def _reach(self, decided_at: datetime, step: int) -> bool:
        """Wait for a step's time; False if the time of the step after it has come already."""
        step_length = timedelta(seconds=self.policy.step_s)
        due = decided_at + step * step_length
        now = self.clock.now()
        if now >= due + step_length:
            return False
        if now < due:
            await self.clock.sleep((due - now).total_seconds())
        return True

    async def _working(self, plan_id: str) -> list[StoredOrder]:
        """Return the latest attempt of each purpose that still wants to trade."""
        await synchronise(self.ledger, self.broker, self.clock.now())
        latest: dict[str, StoredOrder] = {}
        for order in self.ledger.orders_of_plan(plan_id):
            latest[order.intent.purpose] = order
        return [
            order
            for order in latest.values()
            if order.status in _TO_SEND | _RESTING
            or (order.status is OrderStatus.CANCELLED and _unfilled(order) > 0)
        ]

    async def _work(self, working: Sequence[StoredOrder], step: int) -> None:
        instruments = {leg.instrument for order in working for leg in order.intent.legs}
        quotes = await self.market_data.fetch_quotes(sorted(instruments, key=lambda i: i.symbol))
        to_cancel, to_send = [], []
        for order in working:
            if order.status in _TO_SEND:
                to_send.append(order.intent)
                continue
            quote = package_quote(order.intent.legs, quotes)
            if quote is None:
                continue
            price = self._price(order, quote, step)
            if order.status in _RESTING and price != order.intent.limit_price:
                to_cancel.append(order)
        stopped = [
            *await self._cancel(to_cancel),
            *(order for order in working if order.status is OrderStatus.CANCELLED),
        ]
        for order in stopped:
            to_send.extend(self._next_attempt(order, quotes, step))
        await self._send(to_send, quotes)

    def _next_attempt(
        self, order: StoredOrder, quotes: dict[str, Quote], step: int
    ) -> list[OrderIntent]:
        if order.status is not OrderStatus.CANCELLED or _unfilled(order) == 0:
            return []  # it filled while the cancel was on its way
        quote = package_quote(order.intent.legs, quotes)
        if quote is None:
            return []
        return [
            replace(
                order.intent,
                quantity=_unfilled(order),
                limit_price=self._price(order, quote, step),
                attempt=order.intent.attempt + 1,
            )
        ]

    def _price(self, order: StoredOrder, quote: PackageQuote, step: int) -> Decimal:
        return walk_price(order.intent, quote, step, self.policy.steps, self.limits)

    async def _cancel(self, orders: Sequence[StoredOrder]) -> list[StoredOrder]:
        """Cancel and return the orders as the broker confirmed them."""
        if not orders:
            return []
        reports = [await self.broker.cancel(order.client_order_id) for order in orders]
        await synchronise(self.ledger, self.broker, self.clock.now(), reports)
        return [self.ledger.order(order.client_order_id) for order in orders]

    async def _send(self, intents: Sequence[OrderIntent], quotes: dict[str, Quote]) -> None:
        approved = self._approve(intents, quotes)
        reports: list[OrderReport] = []
        unknown: OutcomeUnknown | None = None
        for order in approved:
            try:
                reports.append(await self.broker.submit(order))
            except OrderRejected as refusal:
                reports.append(_failed(order, OrderStatus.REJECTED, str(refusal)))
            except BrokerUnavailable as absence:
                reports.append(_failed(order, OrderStatus.CANCELLED, f"not sent: {absence}"))
            except OutcomeUnknown as cause:
                reports.append(_failed(order, OrderStatus.UNKNOWN, str(cause)))
                unknown = cause
                break
        if reports:
            with self.ledger.transaction() as tx:
                record_reports(tx, reports, self.clock.now())
        if unknown is not None:
            raise unknown

    def _approve(
        self, intents: Sequence[OrderIntent], quotes: dict[str, Quote]
    ) -> list[ApprovedOrder]:
        """Ask the gate for each order, and write down what may go before any of it goes."""
        if not intents:
            return []
        now = self.clock.now()
        readiness = self.readiness()
        approved: list[ApprovedOrder] = []
        with self.ledger.transaction() as tx:
            for intent in intents:
                tx.record_intent(intent, now)
                verdict = approve(
                    intent,
                    readiness=replace(
                        readiness,
                        orders_today=readiness.orders_today + len(approved),
                        quotes_at=now,
                    ),
                    limits=self.limits,
                    book=_without(self.book(), intent.client_order_id),
                    quotes=quotes,
                    orders_seen=self.ledger.sent_order_ids() - {intent.client_order_id},
                )
                quote = package_quote(intent.legs, quotes)
                if isinstance(verdict, Refusal):
                    note = f"{verdict.reason}: {verdict.detail}"
                    log.warning("order refused", purpose=intent.purpose, reason=note)
                    tx.record_order_event(
                        intent.client_order_id, now, OrderStatus.REJECTED, note=note
                    )
                    continue
                tx.record_order_event(
                    intent.client_order_id,
                    now,
                    OrderStatus.SENDING,
                    limit_price=intent.limit_price,
                    arrival_mid=_mid(quote),
                )
                approved.append(verdict)
        return approved


def _without(book: Book, client_order_id: ClientOrderId) -> Book:
    """Return the book as if one order were not at work: a resumed one must not block itself."""
    working = (order for order in book.working if order.client_order_id != client_order_id)
    return replace(book, working=tuple(working))


def _unfilled(order: StoredOrder) -> int:
    return order.intent.quantity - order.filled_quantity


def _mid(quote: PackageQuote | None) -> Decimal | None:
    return None if quote is None else to_price(quote.mid)


def _failed(order: ApprovedOrder, status: OrderStatus, note: str) -> OrderReport:
    return OrderReport(
        client_order_id=order.client_order_id,
        broker_order_id="",
        status=status,
        filled_quantity=0,
        leaves_quantity=0 if status is OrderStatus.REJECTED else order.intent.quantity,
        limit_price=order.intent.limit_price,
        note=note,
    )
