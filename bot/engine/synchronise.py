"""Take over what the broker knows: fills, cash movements and order states, each exactly once."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from bot.errors import BooksDisagree
from bot.ports import Broker, OrderReport
from state.errors import UnknownRecord
from state.ledger import Ledger, LedgerTransaction
from strategies.model.fills import Fill
from strategies.model.lifecycle import OPEN_STATUSES, OrderStatus

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
# Reports may reach us out of order; asking again costs little, and what is stored is left out.
_OVERLAP = timedelta(hours=1)
_IN_DOUBT = frozenset({OrderStatus.SENDING, OrderStatus.UNKNOWN})


async def synchronise(
    ledger: Ledger,
    broker: Broker,
    at: datetime,
    answers: Sequence[OrderReport] = (),
    *,
    from_the_beginning: bool = False,
) -> None:
    """Record every fill, cash movement and order state the ledger does not have yet.

    ``answers`` are reports the broker has just given; they are recorded in the same transaction.
    What the broker does not mention stays as it is: silence is not flat.

    Raises: BrokerUnavailable; BooksDisagree if the broker filled an order that is not on record;
        state.errors.FillConflict or CashConflict if it contradicts what is stored.
    """
    fills_from = _BEGINNING if from_the_beginning else _with_overlap(ledger.last_fill_at())
    stored_fills = set(ledger.fills_since(fills_from))
    new_fills = [fill for fill in await broker.fetch_fills(fills_from) if fill not in stored_fills]
    newest_cash = ledger.last_cash_movement_at()
    cash_from = _BEGINNING if from_the_beginning else _with_overlap(newest_cash)
    stored_cash = set(ledger.cash_movements_since(cash_from))
    new_cash = [
        movement
        for movement in await broker.fetch_cash_movements(cash_from)
        if movement not in stored_cash
    ]
    answered = {report.client_order_id for report in answers}
    reports = [
        *answers,
        *(
            report
            for report in await _changed_orders(ledger, broker)
            if report.client_order_id not in answered
        ),
    ]
    if not (new_fills or new_cash or reports):
        return
    with ledger.transaction() as tx:
        for fill in new_fills:
            _record_fill(tx, fill)
        for movement in new_cash:
            tx.record_cash_movement(movement)
        record_reports(tx, reports, at)


def record_reports(tx: LedgerTransaction, reports: Sequence[OrderReport], at: datetime) -> None:
    """Record what the broker said about orders of ours; a repeated statement changes nothing."""
    for report in reports:
        tx.record_order_event(
            report.client_order_id,
            at,
            report.status,
            note=report.note,
            broker_order_id=report.broker_order_id,
            filled=report.filled_quantity,
        )


def _record_fill(tx: LedgerTransaction, fill: Fill) -> None:
    try:
        tx.record_fill(fill)
    except UnknownRecord as cause:
        raise BooksDisagree(
            f"the broker executed {fill.side} {fill.quantity} {fill.symbol} for order "
            f"{fill.client_order_id}, which is not in this ledger"
        ) from cause


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


async def reconcile(ledger: Ledger, broker: Broker, at: datetime) -> None:
    """Take over everything the broker knows, then demand that positions and cash agree exactly.

    Raises: BrokerUnavailable; BooksDisagree with every difference: nothing may be traded until a
        person has looked.
    """
    await synchronise(ledger, broker, at, from_the_beginning=True)
    if differences := await find_differences(ledger, broker):
        raise BooksDisagree("; ".join(differences))


async def close_lost_orders(ledger: Ledger, broker: Broker, at: datetime) -> None:
    """End the orders of a day that is over which never reached the broker.

    Call it after the close, once positions and cash agree. An order in doubt that the broker does
    not list then has traded nothing and, being a day order, can trade nothing any more.

    Raises: BrokerUnavailable.
    """
    in_doubt = [order for order in ledger.open_intents() if order.status in _IN_DOUBT]
    if not in_doubt:
        return
    listed = {report.client_order_id for report in await broker.fetch_orders()}
    with ledger.transaction() as tx:
        for order in in_doubt:
            if order.client_order_id not in listed:
                note = "its day is over, the books agree and the broker does not know it"
                tx.record_order_event(order.client_order_id, at, OrderStatus.CANCELLED, note=note)


async def _changed_orders(ledger: Ledger, broker: Broker) -> list[OrderReport]:
    known = {
        order.client_order_id: order
        for order in ledger.open_intents()
        if order.status in OPEN_STATUSES
    }
    if not known:
        return []
    return [
        report
        for report in await broker.fetch_orders()
        if (order := known.get(report.client_order_id)) is not None
        and (order.status, order.filled_quantity) != (report.status, report.filled_quantity)
    ]


def _with_overlap(newest: datetime | None) -> datetime:
    return _BEGINNING if newest is None else newest - _OVERLAP
