"""Take over what the broker knows: fills, cash movements and order states, each exactly once."""

from datetime import datetime

from bot.errors import BooksDisagree
from bot.ports import Broker
from state.ledger import Ledger
from strategies.model.lifecycle import OPEN_STATUSES


async def synchronise(ledger: Ledger, broker: Broker, at: datetime) -> int:
    """Record every fill, cash movement and order state the ledger does not have yet.

    Returns the number of fills that were new. What the broker does not mention stays as it is:
    silence is not flat.

    Raises: BrokerUnavailable; state.errors.FillConflict if the broker contradicts a stored fill.
    """
    fills = await broker.fetch_fills(ledger.last_fill_at())
    movements = await broker.fetch_cash_movements(ledger.last_cash_movement_at())
    at_broker = {
        order.client_order_id: order
        for order in ledger.open_orders()
        if order.status in OPEN_STATUSES
    }
    reports = [
        report
        for report in (await broker.fetch_orders() if at_broker else ())
        if (known := at_broker.get(report.client_order_id)) is not None
        and (known.status, known.leaves_quantity) != (report.status, report.leaves_quantity)
    ]
    new_fills = [fill for fill in fills if not ledger.has_fill(fill)]
    new_movements = [m for m in movements if not ledger.has_cash_movement(m)]
    if not (new_fills or new_movements or reports):
        return 0
    with ledger.transaction() as tx:
        for fill in new_fills:
            tx.record_fill(fill)
        for movement in new_movements:
            tx.record_cash_movement(movement)
        for report in reports:
            tx.record_order_report(report, at)
    return len(new_fills)


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
    """Synchronise, then demand that positions and cash agree exactly.

    Raises: BooksDisagree with every difference; nothing may be traded until a person has looked.
    """
    await synchronise(ledger, broker, at)
    if differences := await find_differences(ledger, broker):
        raise BooksDisagree("; ".join(differences))
