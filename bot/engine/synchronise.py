"""Take over what the broker knows: fills, cash movements and order states, each exactly once.

What the broker tells is taken over even where it should not be: an execution that was taken back,
one beyond the limit, one of somebody else. What is wrong with it is a break in the same
transaction, so that nothing is decided on one without the other.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from bot.engine.break_records import BOT, open_breaks, set_locks
from bot.engine.breaks import (
    bust_break,
    foreign_fill_break,
    instrument_or_none,
    most_packages_of,
    overfill_break,
    packages_of,
    unrecorded,
    worse_price_break,
)
from bot.engine.doubts import revived
from bot.errors import BooksDisagree
from bot.ports import Broker, OrderReport
from state.crash_points import CrashPoint, crash_point
from state.errors import UnknownRecord
from state.ledger import Ledger, LedgerTransaction
from state.orders import StoredOrder
from strategies.model.breaks import Break, BreakKind, Resolution
from strategies.model.fills import CashMovement, ExternalFill, ExternalSource, Fill
from strategies.model.ids import ClientOrderId
from strategies.model.lifecycle import OPEN_STATUSES, ImpossibleMove, OrderStatus

log = structlog.get_logger(__name__)

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
# Reports may reach us out of order; asking again costs little, and what is stored is left out.
_OVERLAP = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _News:
    """What the broker told that is not on record."""

    fills: Sequence[Fill]
    foreign: Sequence[ExternalFill]
    cash: Sequence[CashMovement]
    reports: Sequence[OrderReport]

    def __bool__(self) -> bool:
        return bool(self.fills or self.foreign or self.cash or self.reports)


async def synchronise(
    ledger: Ledger,
    broker: Broker,
    at: datetime,
    answers: Sequence[OrderReport] = (),
    *,
    from_the_beginning: bool = False,
    of_others: bool = False,
) -> None:
    """Record every fill, cash movement and order state the ledger does not have yet.

    ``answers`` are reports the broker has just given; they are recorded in the same transaction.
    What the broker does not mention stays as it is: silence is not flat. ``of_others`` asks for the
    executions of others too, as ``from_the_beginning`` does.

    Raises: BrokerUnavailable; BooksDisagree, with everything recorded, if what was taken over must
        halt; state.errors.FillConflict or CashConflict if it contradicts what is stored.
    """
    news = await _ask(
        ledger,
        broker,
        answers,
        from_the_beginning=from_the_beginning,
        of_others=of_others or from_the_beginning,
    )
    if not news:
        return
    if news.fills:
        crash_point(CrashPoint.FILLS_BEFORE_COMMIT)
    opened: tuple[Break, ...] = ()
    with ledger.transaction() as tx:
        found = _take_fills(tx, ledger, news.fills, at)
        found += _take_foreign(tx, news.foreign, at)
        for movement in news.cash:
            tx.record_cash_movement(movement)
        impossible = record_reports(tx, news.reports, at)
        if found:
            opened = open_breaks(tx, ledger, found, at)
    if news.fills:
        crash_point(CrashPoint.FILLS_BOOKED)
    if halts := [*impossible, *(each.detail for each in opened if each.halts)]:
        raise BooksDisagree("; ".join(halts))


async def _ask(
    ledger: Ledger,
    broker: Broker,
    answers: Sequence[OrderReport],
    *,
    from_the_beginning: bool,
    of_others: bool,
) -> _News:
    fills_from = _BEGINNING if from_the_beginning else _with_overlap(ledger.last_fill_at())
    told = await broker.fetch_fills(fills_from)
    oldest = min((fill.executed_at for fill in told), default=fills_from)  # more than was asked for
    stored_fills = set(ledger.fills_since(min(oldest, fills_from)))
    fills = [fill for fill in told if fill not in stored_fills]
    foreign = await broker.fetch_foreign_fills(fills_from) if of_others else ()
    if fills or foreign:  # also of orders with our form that are not on record
        known = {
            (fill.exec_root, fill.revision) for fill in ledger.external_fills_since(fills_from)
        }
        fills = [fill for fill in fills if (fill.exec_root, fill.revision) not in known]
        foreign = tuple(fill for fill in foreign if (fill.exec_root, fill.revision) not in known)
    newest_cash = ledger.last_cash_movement_at()
    cash_from = _BEGINNING if from_the_beginning else _with_overlap(newest_cash)
    stored_cash = set(ledger.cash_movements_since(cash_from))
    cash = [
        movement
        for movement in await broker.fetch_cash_movements(cash_from)
        if movement not in stored_cash
    ]
    answered = {report.client_order_id for report in answers}
    reports = [
        *answers,
        *(
            report
            for report in await _changed_orders(ledger, broker, whole=of_others)
            if report.client_order_id not in answered
        ),
    ]
    return _News(fills=fills, foreign=foreign, cash=cash, reports=reports)


def record_reports(
    tx: LedgerTransaction, reports: Sequence[OrderReport], at: datetime
) -> list[str]:
    """Record what the broker said about orders of ours; a repeated statement changes nothing.

    Returns: What cannot be, in words. It is not recorded, all else is, and everything should halt.
    """
    impossible = []
    for report in reports:
        try:
            tx.record_order_event(
                report.client_order_id,
                at,
                report.status,
                note=report.note,
                broker_order_id=report.broker_order_id,
                filled=report.filled_quantity,
            )
        except ImpossibleMove as move:
            impossible.append(f"order {report.client_order_id}: {move}")
    return impossible


# --- executions -----------------------------------------------------------------------------------


def _take_fills(
    tx: LedgerTransaction, ledger: Ledger, fills: Iterable[Fill], at: datetime
) -> list[Break]:
    """Record executions of ours; return what is wrong with them."""
    found: list[Break] = []
    orders: dict[ClientOrderId, StoredOrder] = {}  # as they were before
    for fill in fills:
        order_id = fill.client_order_id
        try:
            order = orders[order_id] if order_id in orders else ledger.order(order_id)
        except UnknownRecord:
            found += _take_unrecorded(tx, fill, at)
            continue
        orders[order_id] = order
        if tx.record_fill(fill) and fill.revision > 1:
            log.warning("execution restated", exec_root=fill.exec_root, revision=fill.revision)
            if fill.quantity == 0:
                found.append(bust_break(fill, order, at))
    for order in orders.values():
        own = [
            fill
            for fill in ledger.fills_since(order.planned_at)
            if fill.client_order_id == order.client_order_id
        ]
        found += _judge(tx, ledger, order, own, at)
        _note_late_fill(tx, order, packages_of(order, own), at)
    return found


def _take_unrecorded(tx: LedgerTransaction, fill: Fill, at: datetime) -> list[Break]:
    """Book an execution of an order that has our form and is not on record as somebody else's."""
    is_known = instrument_or_none(fill.symbol) is not None
    external = ExternalFill(
        exec_root=fill.exec_root,
        revision=fill.revision,
        source=ExternalSource.CLIENT,
        reference=fill.client_order_id,
        symbol=fill.symbol,
        side=fill.side,
        quantity=fill.quantity,
        price=fill.price,
        commission_usd=fill.commission_usd,
        executed_at=fill.executed_at,
    )
    if is_known:
        tx.record_external_fill(external)
    what = f"it executed {fill.side} {fill.quantity} {fill.symbol}"
    return [unrecorded(fill.client_order_id, what, at)]


def _judge(
    tx: LedgerTransaction, ledger: Ledger, order: StoredOrder, own: Sequence[Fill], at: datetime
) -> list[Break]:
    """Return whether an order filled beyond its quantity or its limit; end what is so no more."""
    packages, most = packages_of(order, own), most_packages_of(order, own)
    found = [overfill_break(order, most, at)] if most > order.intent.quantity else []
    if (worse := worse_price_break(order, own, packages, at)) is not None:
        found.append(worse)
    still = {each.break_id for each in found}
    mended = [
        each
        for each in ledger.open_breaks()
        if each.kind in (BreakKind.OVERFILL, BreakKind.WORSE_PRICE)
        and each.key == order.client_order_id
        and each.break_id not in still
    ]
    for each in mended:
        reason = "its executions were corrected"
        tx.resolve_break(each.break_id, at, Resolution.GONE, by=BOT, reason=reason)
    if mended:
        set_locks(tx, ledger, at)
    return found


def _note_late_fill(tx: LedgerTransaction, order: StoredOrder, packages: int, at: datetime) -> None:
    """Say that an order filled after its cancel was confirmed (fault A14)."""
    if order.status is not OrderStatus.CANCELLED or packages <= order.filled_quantity:
        return
    is_whole = packages >= order.intent.quantity
    log.warning("filled after its cancel", purpose=order.intent.purpose, packages=packages)
    tx.record_order_event(
        order.client_order_id,
        at,
        OrderStatus.FILLED if is_whole else OrderStatus.CANCELLED,
        note="filled late, after its cancel was confirmed",
        filled=packages,
    )


def _take_foreign(
    tx: LedgerTransaction, fills: Iterable[ExternalFill], at: datetime
) -> list[Break]:
    """Book the executions of others; what the bot cannot trade is not booked, only named."""
    found = []
    for fill in fills:
        is_new = instrument_or_none(fill.symbol) is None or tx.record_external_fill(fill)
        if is_new:
            found.append(foreign_fill_break(fill, at))
    return found


# --- differences ----------------------------------------------------------------------------------


async def find_differences(ledger: Ledger, broker: Broker) -> list[str]:
    """Return one sentence for each position or cent on which ledger and broker differ."""
    positions = await broker.fetch_positions()
    account = await broker.fetch_account()
    ours = ledger.positions()
    differences = [
        f"{symbol}: ledger has {ours.get(symbol, 0)}, broker has {positions.get(symbol, 0)}"
        for symbol in sorted(ours.keys() | positions.keys())
        if ours.get(symbol, 0) != positions.get(symbol, 0)
    ]
    if (cash := ledger.cash_usd()) != account.cash_usd:
        differences.append(f"cash: ledger has {cash} USD, broker has {account.cash_usd} USD")
    return differences


async def _changed_orders(ledger: Ledger, broker: Broker, *, whole: bool) -> list[OrderReport]:
    """Return what is new of our orders; asked for in any case if ``whole``."""
    known = {
        order.client_order_id: order
        for order in ledger.open_intents()
        if order.status in OPEN_STATUSES
    }
    if not known and not whole:
        return []
    reports = await broker.fetch_orders()
    changed = [
        report
        for report in reports
        if (order := known.get(report.client_order_id)) is not None
        and (order.status, order.filled_quantity) != (report.status, report.filled_quantity)
    ]
    return [*changed, *revived(ledger, reports)]


def _with_overlap(newest: datetime | None) -> datetime:
    return _BEGINNING if newest is None else newest - _OVERLAP
