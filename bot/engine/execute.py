"""Carry out one plan: write it down, send it, walk its price, and leave nothing behind.

Every attempt at a price is an order of its own with a derived id. A walk cancels, waits for the
broker to confirm, and only then sends the remainder at the next price; a combo is never modified
in place. Each step is written in two transactions: SENDING before the first byte, the broker's
answer after it. Asking again after a crash at any line therefore finds the same orders.

A broker that cannot be reached costs a step, not the walk. An order whose acknowledgement was lost
is never sent again: it is UNKNOWN until the broker tells what became of it, and a cancel of it is
asked for when its time is over.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

import structlog

from bot.engine.prices import PackageQuote, WalkPolicy, package_quote, walk_price
from bot.engine.synchronise import record_reports, synchronise
from bot.errors import BrokerUnavailable, OrderRejected, OutcomeUnknown, RetryLater, SkipInterval
from bot.ports import Broker, Clock, MarketData, OrderReport
from state.ledger import Ledger
from state.orders import StoredOrder
from strategies.model.book import Book, WorkingOrder
from strategies.model.ids import ClientOrderId
from strategies.model.lifecycle import OPEN_STATUSES, OrderStatus
from strategies.model.limits import HaltScope, Limits, Readiness, SystemState
from strategies.model.orders import ApprovedOrder, OrderIntent, PositionEffect, Urgency
from strategies.model.quotes import Quote, to_price
from strategies.risk.gate import Refusal, approve

log = structlog.get_logger(__name__)

_RESTING = frozenset({OrderStatus.LIVE, OrderStatus.PARTIALLY_FILLED})
# SENDING is found only after a crash: the broker recognises the id if the order did arrive.
_TO_SEND = frozenset({OrderStatus.PLANNED, OrderStatus.SENDING})
# An order that still rests after its cancel is asked to go again; a cancel may be repeated
_CANCELS_MOST = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Errand:
    """One purpose of a plan: its latest attempt, and what all attempts together still lack."""

    order: StoredOrder
    remaining: int  # packages

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to send, to watch or to cancel."""
        if self.order.is_unfinished:
            return False
        return self.order.status is not OrderStatus.CANCELLED or self.remaining <= 0


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

        Raises: BrokerUnavailable if the rest could not be cancelled, HaltTrading.
        """
        for step in range(self.policy.steps):
            if not await self._reach(decided_at, step):
                continue
            try:
                errands = await self._ask(plan_id)
                if not errands:
                    return
                await self._work(plan_id, errands, step)
            except (RetryLater, SkipInterval) as cause:
                log.warning("step left out", plan_id=plan_id, step=step, reason=str(cause))
        await self._reach(decided_at, self.policy.steps)
        await self._stop([errand.order for errand in await self._ask(plan_id)])

    async def withdraw(self) -> None:
        """Cancel every order that may still trade, whichever plan it belongs to.

        Raises: BrokerUnavailable; state.errors if the answers cannot be recorded.
        """
        await self._cancel(
            [order for order in self.ledger.open_intents() if order.status in OPEN_STATUSES]
        )

    async def _stop(self, orders: Sequence[StoredOrder]) -> None:
        """End what is left: cancel what may rest, drop what was not sent."""
        open_orders = [order for order in orders if order.status in OPEN_STATUSES]
        for _ in range(_CANCELS_MOST):
            await self._cancel(open_orders)
            latest = [self.ledger.order(order.client_order_id) for order in open_orders]
            open_orders = [order for order in latest if order.status in _RESTING]
        if unsent := [order for order in orders if order.status is OrderStatus.PLANNED]:
            now = self.clock.now()
            with self.ledger.transaction() as tx:
                for order in unsent:
                    tx.record_order_event(
                        order.client_order_id,
                        now,
                        OrderStatus.CANCELLED,
                        note="its time was over before it was sent",
                    )

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

    async def _ask(self, plan_id: str) -> list[_Errand]:
        """Take over what the broker knows, and return what is not over."""
        await synchronise(self.ledger, self.broker, self.clock.now())
        return self._errands(plan_id)

    def _errands(self, plan_id: str) -> list[_Errand]:
        attempts: dict[str, list[StoredOrder]] = {}
        for order in self.ledger.orders_of_plan(plan_id):
            attempts.setdefault(order.intent.purpose, []).append(order)
        errands = [
            _Errand(
                order=orders[-1],
                remaining=orders[0].intent.quantity
                - sum(order.filled_quantity for order in orders),
            )
            for orders in attempts.values()
        ]
        return [errand for errand in errands if not errand.is_over]

    async def _work(self, plan_id: str, errands: Sequence[_Errand], step: int) -> None:
        instruments = {leg.instrument for errand in errands for leg in errand.order.intent.legs}
        quotes = await self.market_data.fetch_quotes(sorted(instruments, key=lambda i: i.symbol))
        readiness = self.readiness()
        to_cancel = [
            errand.order
            for errand in errands
            if errand.order.status in _RESTING
            and (
                _is_forbidden(errand.order.intent, readiness)
                or errand.order.leaves_quantity > errand.remaining
                or self._has_moved(errand.order, quotes, step)
            )
        ]
        if to_cancel:
            await self._cancel(to_cancel)
            errands = self._errands(plan_id)
        # In the order of the plan, so that a repeated step asks for the same in the same order
        await self._send([*self._due(errands, quotes, step)], quotes)

    def _has_moved(self, order: StoredOrder, quotes: Mapping[str, Quote], step: int) -> bool:
        """Whether the walk wants another price than the order rests at; passive ones stay (G9)."""
        if order.intent.urgency is Urgency.PASSIVE:
            return False
        quote = package_quote(order.intent.legs, quotes)
        return quote is not None and self._price(order, quote, step) != order.intent.limit_price

    def _due(
        self, errands: Sequence[_Errand], quotes: Mapping[str, Quote], step: int
    ) -> Iterable[OrderIntent]:
        """Return what is to be sent now: first attempts, and what cancelled ones still lack."""
        for errand in errands:
            order = errand.order
            if order.status in _TO_SEND:
                yield order.intent
            elif order.status is OrderStatus.CANCELLED:
                quote = package_quote(order.intent.legs, quotes)
                if quote is not None:
                    yield replace(
                        order.intent,
                        quantity=errand.remaining,
                        limit_price=self._price(order, quote, step),
                        attempt=order.intent.attempt + 1,
                    )

    def _price(self, order: StoredOrder, quote: PackageQuote, step: int) -> Decimal:
        return walk_price(order.intent, quote, step, self.policy.steps, self.limits)

    async def _cancel(self, orders: Sequence[StoredOrder]) -> None:
        """Cancel orders and record them as the broker confirmed them, with what it did meanwhile.

        Where the answer to a cancel was lost the order is UNKNOWN, unless the broker says in the
        same breath what became of it.
        """
        if not orders:
            return
        reports: list[OrderReport] = []
        for order in orders:
            try:
                reports.append(await self.broker.cancel(order.client_order_id))
            except OutcomeUnknown as doubt:
                self._doubt(order, f"cancel: {doubt}")
        await synchronise(self.ledger, self.broker, self.clock.now(), reports)

    def _doubt(self, order: StoredOrder, note: str) -> None:
        log.warning("order in doubt", purpose=order.intent.purpose, reason=note)
        with self.ledger.transaction() as tx:
            tx.record_order_event(
                order.client_order_id, self.clock.now(), OrderStatus.UNKNOWN, note=note
            )

    async def _send(self, intents: Sequence[OrderIntent], quotes: Mapping[str, Quote]) -> None:
        approved = self._approve(intents, quotes)
        reports: list[OrderReport] = []
        in_doubt: ClientOrderId | None = None
        for order in approved:
            if in_doubt is not None:  # the broker is asked before anything else is sent
                reports.append(_unsent(order, f"{in_doubt} is in doubt"))
                continue
            try:
                reports.append(await self.broker.submit(order))
            except OrderRejected as refusal:
                reports.append(_failed(order, OrderStatus.REJECTED, str(refusal)))
            except BrokerUnavailable as absence:
                reports.append(_unsent(order, str(absence)))
            except OutcomeUnknown as doubt:
                log.warning("order in doubt", purpose=order.intent.purpose, reason=str(doubt))
                reports.append(_failed(order, OrderStatus.UNKNOWN, str(doubt)))
                in_doubt = order.client_order_id
        if reports:
            with self.ledger.transaction() as tx:
                record_reports(tx, reports, self.clock.now())

    def _approve(
        self, intents: Sequence[OrderIntent], quotes: Mapping[str, Quote]
    ) -> list[ApprovedOrder]:
        """Ask the gate for each order, and write down what may go before any of it goes."""
        if not intents:
            return []
        now = self.clock.now()
        readiness = self.readiness()
        seen = set(self.ledger.sent_order_ids())
        again = {intent.client_order_id for intent in intents} & seen  # by a process that crashed
        seen -= again
        approved: list[ApprovedOrder] = []
        book = self.book()  # read once; what is approved is put to work in it as the ledger would
        with self.ledger.transaction() as tx:
            for intent in intents:
                tx.record_intent(intent, now)
                verdict = approve(
                    intent,
                    readiness=replace(
                        readiness,
                        orders_today=readiness.orders_today - len(again) + len(approved),
                        quotes_at=_oldest(intent, quotes),
                    ),
                    limits=self.limits,
                    book=_without(book, intent.client_order_id),
                    quotes=quotes,
                    orders_seen=seen,
                )
                quote = package_quote(intent.legs, quotes)
                if isinstance(verdict, Refusal):
                    note = f"{verdict.reason}: {verdict.detail}"
                    log.warning("order refused", purpose=intent.purpose, reason=note)
                    # What may have been sent before the refusal is not proven to be nowhere
                    is_sent = intent.client_order_id in again
                    tx.record_order_event(
                        intent.client_order_id,
                        now,
                        OrderStatus.UNKNOWN if is_sent else OrderStatus.REJECTED,
                        note=note,
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
                seen.add(intent.client_order_id)
                book = _with_at_work(book, intent)
        return approved


def _is_forbidden(intent: OrderIntent, readiness: Readiness) -> bool:
    """Whether a halt wants an order gone that rests already; the gate judges new ones."""
    opens = intent.effect is PositionEffect.OPEN
    match readiness.state, readiness.halt_scope:
        case SystemState.RUNNING, _:
            return False
        case SystemState.HALTED, HaltScope.OPENS:
            return opens and intent.condor_id is not None
        case (SystemState.REDUCE_ONLY, _) | (SystemState.HALTED, HaltScope.REDUCE_ONLY):
            return opens
        case _:
            return True


def _without(book: Book, client_order_id: ClientOrderId) -> Book:
    """Return the book as if one order were not at work: a resumed one must not block itself."""
    working = (order for order in book.working if order.client_order_id != client_order_id)
    return replace(book, working=tuple(working))


def _with_at_work(book: Book, intent: OrderIntent) -> Book:
    """Return the book with one order that is being sent among those at work."""
    book = _without(book, intent.client_order_id)
    order = WorkingOrder(
        client_order_id=intent.client_order_id,
        purpose=intent.purpose,
        status=OrderStatus.SENDING,
        legs=tuple((leg.instrument.symbol, leg.ratio) for leg in intent.legs),
        leaves_quantity=intent.quantity,
        limit_price=intent.limit_price,
        layer=intent.layer,
        condor_id=intent.condor_id,
    )
    return replace(book, working=(*book.working, order))


def _mid(quote: PackageQuote | None) -> Decimal | None:
    return None if quote is None else to_price(quote.mid)


def _unsent(order: ApprovedOrder, reason: str) -> OrderReport:
    return _failed(order, OrderStatus.CANCELLED, f"not sent: {reason}")


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


def _oldest(intent: OrderIntent, quotes: Mapping[str, Quote]) -> datetime | None:
    """Return when the oldest quote of an order's legs was true; None if one has no time."""
    stamps = [
        quote.quoted_at
        for leg in intent.legs
        if (quote := quotes.get(leg.instrument.symbol)) is not None
    ]
    known = [stamp for stamp in stamps if stamp is not None]
    return min(known) if known and len(known) == len(stamps) else None
