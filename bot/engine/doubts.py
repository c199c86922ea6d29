"""Orders in doubt: sent, or perhaps sent, and not proven to be anywhere (faults A1 to A6).

Such an order is UNKNOWN and counts at its worst. It is never sent again. It leaves doubt by proof:
the broker lists it or tells an execution of it, and that is what became of it; or the broker has
been asked twice, at least a minute apart, and each time neither its lists of orders nor its
executions named it and its positions in every leg were ours. It was then not found, is CANCELLED
with words that say so, and its purpose may be attempted anew under a new id. Should it turn up
later after all, it is taken over like any other order.

The ledger keeps when the first pass was made, as the order's last event: a restart does not begin
again. A pass that finds positions different counts for nothing, so that an order whose day is over
- IB then no longer lists it - does not go missing with what it traded.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog

from bot.ports import Broker, OrderReport
from state.ledger import Ledger
from state.orders import StoredOrder
from strategies.model.calendars import EXCHANGE_ZONE
from strategies.model.lifecycle import OrderStatus

log = structlog.get_logger(__name__)

PASSES_APART: Final = timedelta(seconds=60)
NOT_FOUND: Final = "not found: "
_ONCE: Final = "not found once: "
_WORKING: Final = frozenset({OrderStatus.LIVE, OrderStatus.PARTIALLY_FILLED})
_OVER: Final = frozenset({OrderStatus.CANCELLED, OrderStatus.REJECTED})
_NOWHERE: Final = "the broker names neither order nor execution of it, and its positions are ours"


def doubt_interrupted(ledger: Ledger, at: datetime) -> None:
    """Put in doubt what was being sent when a process died: nobody knows whether it left (A5, A6).

    Call it where nothing can be under way: at the beginning of a life, of a walk, of a withdrawal.
    """
    interrupted = _orders(ledger, OrderStatus.SENDING)
    if not interrupted:
        return
    log.warning("sending was interrupted", orders=[order.intent.purpose for order in interrupted])
    with ledger.transaction() as tx:
        for order in interrupted:
            tx.record_order_event(
                order.client_order_id,
                at,
                OrderStatus.UNKNOWN,
                note="sending was interrupted; it may be under way",
            )


async def look_for_lost(ledger: Ledger, broker: Broker, at: datetime) -> None:
    """Ask the broker once more for every order in doubt, and write down that it had nothing.

    Call it after ``synchronise``, which takes over what the broker does have.

    Raises: BrokerUnavailable; half an answer proves nothing.
    """
    in_doubt = _orders(ledger, OrderStatus.UNKNOWN)
    due = [order for order in in_doubt if not _is_first_pass_recent(order, at)]
    if not due:
        return
    named = {report.client_order_id for report in await broker.fetch_orders()}
    since = min(order.planned_at for order in due)
    named |= {fill.client_order_id for fill in await broker.fetch_fills(since)}
    theirs, ours = await broker.fetch_positions(), ledger.positions()
    lost = []
    for order in due:
        if order.client_order_id in named:
            continue  # found, and for synchronise to take over
        symbols = [leg.instrument.symbol for leg in order.intent.legs]
        if moved := [each for each in symbols if theirs.get(each, 0) != ours.get(each, 0)]:
            log.warning("an order in doubt may have traded", order=order.client_order_id, in_=moved)
            continue
        lost.append(order)
    if not lost:
        return
    with ledger.transaction() as tx:
        for order in lost:
            if _was_missed_before(order):
                status, note = OrderStatus.CANCELLED, f"{NOT_FOUND}{_NOWHERE}, twice"
            else:
                status, note = OrderStatus.UNKNOWN, f"{_ONCE}{_NOWHERE}"
            log.warning("order in doubt", purpose=order.intent.purpose, reason=note)
            tx.record_order_event(order.client_order_id, at, status, note=note)


def long_in_doubt(ledger: Ledger, at: datetime) -> Sequence[StoredOrder]:
    """Return the orders of earlier days that are still in doubt: for a person to look at (I19)."""
    today = at.astimezone(EXCHANGE_ZONE).date()
    return [
        order
        for order in _orders(ledger, OrderStatus.UNKNOWN)
        if order.planned_at.astimezone(EXCHANGE_ZONE).date() < today
    ]


def revived(ledger: Ledger, reports: Iterable[OrderReport]) -> list[OrderReport]:
    """Return what the broker works although the ledger has it for over (A14, and A4's last risk).

    It is taken over, counts again, and is withdrawn like anything no walk looks after.
    """
    sent = ledger.sent_order_ids()
    working = [
        report for report in reports if report.status in _WORKING and report.client_order_id in sent
    ]
    return [report for report in working if ledger.order(report.client_order_id).status in _OVER]


def _orders(ledger: Ledger, status: OrderStatus) -> list[StoredOrder]:
    return [order for order in ledger.open_intents() if order.status is status]


def _was_missed_before(order: StoredOrder) -> bool:
    return order.note.startswith(_ONCE)


def _is_first_pass_recent(order: StoredOrder, at: datetime) -> bool:
    return _was_missed_before(order) and at - order.updated_at < PASSES_APART
