"""Carry out one plan: write it down, send it, walk its price, and leave nothing behind.

Every attempt at a price is an order of its own with a derived id. A walk cancels, waits for the
broker to confirm, and only then sends the remainder at the next price; a combo is never modified
in place. Each step is written in two transactions: SENDING before the first byte, the broker's
answer after it. Asking again after a crash at any line therefore finds the same orders.

A broker that cannot be reached costs a step, not the walk. An order whose sending was interrupted
or whose acknowledgement was lost is never sent again: it is UNKNOWN until the broker proves what
became of it (``doubts``), and a cancel of it is asked for when its time is over.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

import structlog

from bot.engine.admission import Admission, record_step
from bot.engine.break_records import open_breaks
from bot.engine.breaks import order_breaks
from bot.engine.closing_times import ClosingTimes
from bot.engine.doubts import doubt_interrupted, look_for_lost
from bot.engine.errands import (
    RESTING,
    UNSENT,
    Errand,
    Moment,
    Step,
    Walker,
    errands_of,
    in_order_of,
    is_forbidden,
)
from bot.engine.margins import preview_margins
from bot.engine.prices import OrderClass, QuoteGuard, WalkPolicy, Walks
from bot.engine.synchronise import record_reports, synchronise
from bot.errors import (
    BooksDisagree,
    BrokerUnavailable,
    OrderRejected,
    OutcomeUnknown,
    RetryLater,
    SkipInterval,
)
from bot.ports import Broker, Clock, MarketData, OrderReport
from state.crash_points import CrashPoint, crash_point
from state.ledger import Ledger
from state.orders import StoredOrder
from strategies.model.book import Book
from strategies.model.calendars import TradingCalendar
from strategies.model.ids import ClientOrderId
from strategies.model.lifecycle import OPEN_STATUSES, OrderStatus
from strategies.model.limits import Limits, MarginFacts, Readiness
from strategies.model.orders import ApprovedOrder, PositionEffect
from strategies.risk.gate import Refusal, wants_preview

log = structlog.get_logger(__name__)

# An order that still rests after its cancel is asked to go again; a cancel may be repeated
_CANCELS_MOST = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionRules:
    """What may be said of the execution of orders besides the common walk.

    Attributes:
        classes: Walks of order classes that do not walk the common way.
        width_max: A leg wider than so much of its mid is not priced ...
        width_floor: ... unless it is no wider than so many points.
        withdraw_before: Orders are withdrawn so long before their market closes.
        no_opens_before: Nothing opens in so much time before it closes.
    """

    classes: Mapping[OrderClass, WalkPolicy] = field(default_factory=dict)
    width_max: float = 1.0
    width_floor: float = 5.0
    withdraw_before: timedelta = timedelta(seconds=10)
    no_opens_before: timedelta = timedelta(0)

    def walker(self, common: WalkPolicy, limits: Limits, calendar: TradingCalendar) -> Walker:
        """Return who decides the steps of walks by these rules."""
        return Walker(
            walks=Walks(common=common, classes=self.classes),
            guard=QuoteGuard(
                age_max=limits.quote_age_max,
                width_max=self.width_max,
                width_floor=self.width_floor,
            ),
            closing_times=ClosingTimes(
                calendar=calendar,
                withdraw_before=self.withdraw_before,
                no_opens_before=self.no_opens_before,
            ),
            limits=limits,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Executor:
    """Works the orders of one plan at a time, through ports."""

    ledger: Ledger
    broker: Broker
    market_data: MarketData
    clock: Clock
    walker: Walker
    readiness: Callable[[], Readiness]
    book: Callable[[], Book]
    on_refusal: Callable[[Refusal], None]  # of the gate

    async def carry_out(self, plan_id: str, decided_at: datetime) -> None:
        """Work every order of a plan until it is done or its time is over, then cancel the rest.

        May be called again for the same plan after a crash: steps whose time has passed are not
        repeated, and nothing that may have been sent is sent again.

        Raises: BrokerUnavailable if the rest could not be cancelled, HaltTrading.
        """
        doubt_interrupted(self.ledger, self.clock.now())
        times = self._times(plan_id, decided_at)
        for due, following in pairwise(times):
            if not await self._reach(due, following):
                continue
            try:
                errands = await self._ask(plan_id)
                if not errands:
                    return
                await self._work(plan_id, errands, (due - decided_at).total_seconds())
            except RetryLater as cause:
                log.warning("step left out", plan_id=plan_id, due=str(due), reason=str(cause))
            except SkipInterval as cause:
                await self._wait_for_a_market(plan_id, str(cause))
        await self._reach(times[-1], None)
        await self._stop([errand.order for errand in await self._ask(plan_id)])

    async def withdraw(self) -> None:
        """Cancel every order that may still trade, whichever plan it belongs to.

        Raises: BrokerUnavailable; state.errors if the answers cannot be recorded.
        """
        doubt_interrupted(self.ledger, self.clock.now())
        await self._cancel(
            [order for order in self.ledger.open_intents() if order.status in OPEN_STATUSES]
        )
        await look_for_lost(self.ledger, self.broker, self.clock.now())

    async def _stop(self, orders: Sequence[StoredOrder]) -> None:
        """End what is left: cancel what may rest, drop what was not sent."""
        open_orders = [order for order in orders if order.status in OPEN_STATUSES]
        for _ in range(_CANCELS_MOST):
            await self._cancel(open_orders)
            latest = [self.ledger.order(order.client_order_id) for order in open_orders]
            open_orders = [order for order in latest if order.status in RESTING]
        if unsent := [order for order in orders if order.status in UNSENT]:
            now = self.clock.now()
            with self.ledger.transaction() as tx:
                for order in unsent:
                    tx.record_order_event(
                        order.client_order_id,
                        now,
                        OrderStatus.CANCELLED,
                        note="its time was over before it was sent",
                    )

    async def _wait_for_a_market(self, plan_id: str, reason: str) -> None:
        """Withdraw what would open while nobody can say what it is worth (faults B14, D9).

        What reduces may go on resting at the price it was given.
        """
        log.warning("no market", plan_id=plan_id, reason=reason)
        opening = [
            errand.order
            for errand in self._errands(plan_id)
            if errand.order.status in OPEN_STATUSES
            and errand.order.intent.effect is PositionEffect.OPEN
        ]
        try:
            await self._cancel(opening)
        except RetryLater as cause:
            log.warning("opening orders may rest still", plan_id=plan_id, reason=str(cause))

    def _times(self, plan_id: str, decided_at: datetime) -> Sequence[datetime]:
        """Return when each step of a plan is due, and last when all of its time is over."""
        intents = [order.intent for order in self.ledger.orders_of_plan(plan_id)]
        return self.walker.times(intents, decided_at)

    async def _reach(self, due: datetime, following: datetime | None) -> bool:
        """Wait for a step's time; False if the time of the step after it has come already."""
        now = self.clock.now()
        if following is not None and now >= following:
            return False
        if now < due:
            await self.clock.sleep((due - now).total_seconds())
        return True

    async def _ask(self, plan_id: str) -> list[Errand]:
        """Take over what the broker knows, and return what is not over."""
        await synchronise(self.ledger, self.broker, self.clock.now())
        await look_for_lost(self.ledger, self.broker, self.clock.now())
        return self._errands(plan_id)

    def _errands(self, plan_id: str) -> list[Errand]:
        return errands_of(self.ledger.orders_of_plan(plan_id))

    async def _work(self, plan_id: str, errands: Sequence[Errand], elapsed_s: float) -> None:
        """Do what is due of each errand: withdraw first, then send what is lacking."""
        instruments = {leg.instrument for errand in errands for leg in errand.order.intent.legs}
        quotes = await self.market_data.fetch_quotes(sorted(instruments, key=lambda i: i.symbol))
        moment = Moment(
            elapsed_s=elapsed_s,
            now=self.clock.now(),
            quotes=quotes,
            readiness=self.readiness(),
        )
        steps = [
            step for errand in errands if (step := self.walker.step(errand, moment)) is not None
        ]
        self._keep([step for step in steps if step.sends is None], moment.now)
        if gone := [step.order for step in steps if step.withdraws]:
            await self._cancel(gone)
            replaced = {order.intent.purpose for order in gone}
            again = [
                step
                for errand in self._errands(plan_id)
                if errand.order.intent.purpose in replaced
                and (step := self.walker.step(errand, moment)) is not None
            ]
            steps += again
        await self._send(
            in_order_of(errands, [step for step in steps if step.sends is not None]), moment
        )

    def _keep(self, steps: Sequence[Step], at: datetime) -> None:
        """Record steps at which nothing is sent; nothing outside depends on these records."""
        if steps:
            with self.ledger.transaction(durable=False) as tx:
                for step in steps:
                    record_step(tx, step, at)

    async def _cancel(self, orders: Sequence[StoredOrder]) -> None:
        """Cancel orders and record them as the broker confirmed them, with what it did meanwhile.

        Where the answer to a cancel was lost the order is UNKNOWN, unless the broker says in the
        same breath what became of it.
        """
        if not orders:
            return
        reports: list[OrderReport] = []
        for order in orders:
            crash_point(CrashPoint.ORDER_BEFORE_CANCEL)
            try:
                reports.append(await self.broker.cancel(order.client_order_id))
            except OutcomeUnknown as doubt:
                self._doubt(order, f"cancel: {doubt}")
            crash_point(CrashPoint.ORDER_AFTER_CANCEL)
        await synchronise(self.ledger, self.broker, self.clock.now(), reports)

    def _doubt(self, order: StoredOrder, note: str) -> None:
        log.warning("order in doubt", purpose=order.intent.purpose, reason=note)
        if order.status is OrderStatus.UNKNOWN:
            return  # what is on record of the doubt stands: it says since when it is looked for
        with self.ledger.transaction() as tx:
            tx.record_order_event(
                order.client_order_id, self.clock.now(), OrderStatus.UNKNOWN, note=note
            )

    async def _send(self, steps: Sequence[Step], moment: Moment) -> None:
        admission = Admission(
            ledger=self.ledger,
            clock=self.clock,
            limits=self.walker.limits,
            readiness=self.readiness,
            book=self.book,
            on_refusal=self.on_refusal,
        )
        steps, margins = await self._with_margins(steps)
        approved = admission.admit(steps, moment, margins)
        reports: list[OrderReport] = []
        in_doubt: ClientOrderId | None = None
        for order in approved:
            if in_doubt is not None:  # the broker is asked before anything else is sent
                reports.append(_unsent(order, f"{in_doubt} is in doubt"))
                continue
            if is_forbidden(order.intent, ready := self.readiness()):  # fault E21
                reports.append(_unsent(order, f"the bot is {ready.state}"))
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
            crash_point(CrashPoint.ORDER_AFTER_SUBMIT)
        if not reports:
            return
        now = self.clock.now()
        with self.ledger.transaction() as tx:
            impossible = record_reports(tx, reports, now)
            sent = self.ledger.sent_order_ids()
            found = order_breaks(reports, (), sent, frozenset(), now)
            breaks = open_breaks(tx, self.ledger, found, now)
        others = {each.key for each in breaks}
        await self._cancel_on_sight([order.client_order_id for order in approved], others)
        if words := [*impossible, *(each.detail for each in breaks)]:
            raise BooksDisagree("; ".join(words))

    async def _with_margins(
        self, steps: Sequence[Step]
    ) -> tuple[Sequence[Step], Mapping[ClientOrderId, MarginFacts]]:
        """Return what may be asked for now, with the margin of what opens.

        While the broker does not say what opening orders take, they wait for another step.
        """
        limits = self.walker.limits
        intents = [step.sends for step in steps if step.sends is not None]
        try:
            return steps, await preview_margins(self.broker, intents, limits)
        except RetryLater as cause:
            log.warning("nothing opens in this step", reason=str(cause))
        reducing = [
            step for step in steps if step.sends is None or not wants_preview(step.sends, limits)
        ]
        return reducing, {}

    async def _cancel_on_sight(
        self, sent: Iterable[ClientOrderId], others: Collection[str]
    ) -> None:
        """Cancel what was under way when a halt was committed (E21), or is not what was sent."""
        readiness = self.readiness()
        orders = (self.ledger.order(client_order_id) for client_order_id in sent)
        await self._cancel(
            [
                order
                for order in orders
                if order.status in OPEN_STATUSES
                and (order.client_order_id in others or is_forbidden(order.intent, readiness))
            ]
        )


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
