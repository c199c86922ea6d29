"""Ask the gate for each order, and write down what may go before any of it goes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from bot.engine.errands import Moment, Step
from bot.ports import Clock
from state.crash_points import CrashPoint, crash_point
from state.ledger import Ledger, LedgerTransaction
from strategies.model.book import Book, WorkingOrder
from strategies.model.ids import ClientOrderId
from strategies.model.lifecycle import OrderStatus
from strategies.model.limits import Limits, MarginFacts, Readiness
from strategies.model.orders import ApprovedOrder, OrderIntent
from strategies.model.quotes import Quote, to_price
from strategies.risk.gate import Refusal, approve

log = structlog.get_logger(__name__)


def record_step(tx: LedgerTransaction, step: Step, at: datetime) -> None:
    """Record what one step of a walk saw and did, for cost analysis."""
    quote, order = step.quote, step.order.intent if step.sends is None else step.sends
    tx.record_walk_step(
        order.client_order_id,
        at,
        step=step.number,
        bid=None if quote is None else to_price(quote.bid),
        mid=None if quote is None else to_price(quote.mid),
        natural=None if quote is None else to_price(quote.natural),
        limit_price=order.limit_price,
        reason=step.reason,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """The gate, with the ledger that remembers what it said."""

    ledger: Ledger
    clock: Clock
    limits: Limits
    readiness: Callable[[], Readiness]
    book: Callable[[], Book]
    on_refusal: Callable[[Refusal], None]  # called once the refusal is on record

    def admit(
        self,
        steps: Sequence[Step],
        moment: Moment,
        margins: Mapping[ClientOrderId, MarginFacts],
    ) -> list[ApprovedOrder]:
        """Return the orders of these steps that may go; they are SENDING and committed then.

        Each counts against the next, as if it were at work already.
        """
        if not steps:
            return []
        crash_point(CrashPoint.ORDER_BEFORE_GATE)
        now = self.clock.now()
        readiness = self.readiness()
        seen = set(self.ledger.sent_order_ids())
        approved: list[ApprovedOrder] = []
        refused: list[Refusal] = []
        book = self.book()  # read once; what is approved is put to work in it as the ledger would
        with self.ledger.transaction() as tx:
            for step in steps:
                intent = step.sends
                assert intent is not None, "only what is to be sent is asked for"
                tx.record_intent(intent, now)
                verdict = approve(
                    intent,
                    readiness=replace(
                        readiness,
                        orders_today=readiness.orders_today + len(approved),
                        throughput=replace(
                            readiness.throughput,
                            orders_last_minute=readiness.throughput.orders_last_minute
                            + len(approved),
                        ),
                        quotes_at=_oldest(intent, moment.quotes),
                        margin=margins.get(intent.client_order_id),
                    ),
                    limits=self.limits,
                    book=_without(book, intent.client_order_id),
                    quotes=moment.quotes,
                    orders_seen=seen,
                )
                if isinstance(verdict, Refusal):
                    note = f"{verdict.reason}: {verdict.detail}"
                    log.warning("order refused", purpose=intent.purpose, reason=note)
                    tx.record_order_event(
                        intent.client_order_id, now, OrderStatus.REJECTED, note=note
                    )
                    tx.record_denial(intent, now, reason=verdict.reason, detail=verdict.detail)
                    refused.append(verdict)
                    continue
                assert step.quote is not None, "what has no quote has no price"
                record_step(tx, step, now)
                tx.record_order_event(
                    intent.client_order_id,
                    now,
                    OrderStatus.SENDING,
                    limit_price=intent.limit_price,
                    arrival_mid=to_price(step.quote.mid),
                )
                approved.append(verdict)
                seen.add(intent.client_order_id)
                book = _with_at_work(book, intent)
            crash_point(CrashPoint.ORDER_BEFORE_SENDING)
        crash_point(CrashPoint.ORDER_AFTER_SENDING)
        for refusal in refused:
            self.on_refusal(refusal)
        return approved


def _without(book: Book, client_order_id: ClientOrderId) -> Book:
    """Return the book as if one order were not at work: it must not block itself."""
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


def _oldest(intent: OrderIntent, quotes: Mapping[str, Quote]) -> datetime | None:
    """Return when the oldest quote of an order's legs was true; None if one has no time."""
    stamps = [
        quote.quoted_at
        for leg in intent.legs
        if (quote := quotes.get(leg.instrument.symbol)) is not None
    ]
    known = [stamp for stamp in stamps if stamp is not None]
    return min(known) if known and len(known) == len(stamps) else None
