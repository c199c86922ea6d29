"""How ledger and broker can disagree, each way a function from values to breaks.

Nothing here asks or writes; ``bot.engine.reconcile`` does. What a break locks is the structure it
breaks, the symbol it is about, or the whole underlying where somebody else trades in it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, time, timedelta
from decimal import Decimal

from bot.ports import ForeignOrder, OrderReport
from state.orders import StoredOrder, instrument_of
from strategies.model.breaks import Break, BreakKind
from strategies.model.calendars import EXCHANGE_ZONE, at_exchange
from strategies.model.errors import InvalidInstrument
from strategies.model.fills import ExternalFill, ExternalSource, Fill
from strategies.model.ids import ClientOrderId
from strategies.model.instruments import ROOTS, Instrument, Settlement
from strategies.model.lifecycle import OPEN_STATUSES
from strategies.model.locks import WHOLE_BOOK, Lock, LockKind
from strategies.model.ticks import order_tick

# The broker may take so long to say a thing twice, or to say all of it
ORDERS_SETTLE_WITHIN = timedelta(minutes=1)
# Executions of the legs of one package come one by one; other programs wait half of this for them
LEGS_ARRIVE_WITHIN = timedelta(minutes=1)
# A settlement value is out on the evening of the day, or the next morning at the latest
SETTLES_WITHIN = timedelta(hours=20)
_LAST_TRADE = time(16)

_FOREIGN = frozenset({BreakKind.FOREIGN_FILL, BreakKind.FOREIGN_ORDER})


def lock_of(found: Break, key: str) -> Lock:
    """Return the lock that a break sets under one of its keys, until it is resolved."""
    is_foreign = found.kind in _FOREIGN
    return Lock(
        kind=LockKind.FOREIGN_ACTIVITY if is_foreign else LockKind.BREAK,
        key=key,
        reason=f"{found.break_id} {found.detail}",
        set_at=found.found_at,
        until=None,
    )


# --- positions and cash ---------------------------------------------------------------------------


def position_breaks(
    ours: Mapping[str, int], theirs: Mapping[str, int], at: datetime
) -> Iterator[Break]:
    """Yield each symbol of which ledger and broker hold different numbers.

    What trades no more is not missed: its settlement is awaited (fault D18). What the bot cannot
    trade should not be there at all: no index option makes anybody own a share (fault E23).
    """
    for symbol in sorted(ours.keys() | theirs.keys()):
        own, broker = ours.get(symbol, 0), theirs.get(symbol, 0)
        if own == broker:
            continue
        instrument = instrument_or_none(symbol)
        if instrument is not None and not broker and trades_no_more(instrument, at):
            continue
        yield Break(
            kind=BreakKind.ASSIGNMENT if instrument is None else BreakKind.POSITION,
            key=symbol,
            detail=f"{symbol}: ledger has {own}, broker has {broker}",
            ledger_value=str(own),
            broker_value=str(broker),
            locks=(WHOLE_BOOK,) if instrument is None else (instrument.underlying, symbol),
            found_at=at,
        )


def cash_breaks(
    own_usd: Decimal, broker_usd: Decimal, tolerance_usd: Decimal, at: datetime
) -> Iterator[Break]:
    """Yield a break if the cash differs by more than is tolerated.

    Its value is the difference: what is bought and sold meanwhile does not make it another one.
    """
    difference = broker_usd - own_usd
    if abs(difference) > tolerance_usd:
        yield Break(
            kind=BreakKind.CASH,
            key="USD",
            detail=f"cash: ledger has {own_usd} USD, broker has {broker_usd} USD",
            ledger_value="0",
            broker_value=f"{difference.normalize():+f}",
            locks=(WHOLE_BOOK,),
            found_at=at,
        )


def settlement_breaks(ours: Mapping[str, int], at: datetime) -> Iterator[Break]:
    """Yield what expired and should long have settled (fault D18, invariant I22)."""
    for symbol, contracts in sorted(ours.items()):
        instrument = instrument_or_none(symbol)
        if instrument is None:
            continue
        due_by = at_exchange(instrument.expiry, _LAST_TRADE) + SETTLES_WITHIN
        if at > due_by:
            yield Break(
                kind=BreakKind.SETTLEMENT_OVERDUE,
                key=symbol,
                detail=f"{contracts} {instrument} expired and have not settled",
                ledger_value=str(contracts),
                broker_value="no settlement",
                locks=(symbol,),
                found_at=at,
            )


# --- orders ---------------------------------------------------------------------------------------


def order_breaks(
    reports: Sequence[OrderReport],
    recent: Iterable[StoredOrder],
    sent: frozenset[ClientOrderId],
    adopted: frozenset[str],
    at: datetime,
) -> Iterator[Break]:
    """Yield orders that only one side knows, or that the two know differently.

    Args:
        reports: Every order of ours that the broker knows.
        recent: Orders on record that may still do something.
        sent: The ids of every order on record that may have left.
        adopted: The ids of others whose executions an operator has given to a structure.
        at: Now.
    """
    listed = {report.client_order_id for report in reports}
    for report in reports:
        is_open = report.status in OPEN_STATUSES
        if report.client_order_id not in sent:
            if report.client_order_id in adopted and not is_open:
                continue
            yield unrecorded(
                report.client_order_id,
                f"it is {report.status} with {report.filled_quantity} filled",
                at,
            )
        elif report.echo_differs and is_open:
            yield Break(
                kind=BreakKind.ECHO_DIFFERS,
                key=report.client_order_id,
                detail=f"the broker holds another order than was sent: {report.echo_differs}",
                ledger_value="as sent",
                broker_value=report.echo_differs,
                locks=(WHOLE_BOOK,),
                found_at=at,
            )
    for order in recent:
        is_due = at - order.updated_at >= ORDERS_SETTLE_WITHIN
        if order.status in OPEN_STATUSES and order.client_order_id not in listed and is_due:
            purpose = order.intent.purpose
            yield _lost(order, f"{purpose}: the broker does not know it", "not listed", at)


def lost_execution_breaks(
    reports: Sequence[OrderReport],
    recent: Iterable[StoredOrder],
    executed: Mapping[ClientOrderId, int],
    at: datetime,
) -> Iterator[Break]:
    """Yield orders said to have filled whose executions have not come for too long (fault A20).

    ``executed`` counts whole packages by order, of the orders that can be judged by them. No price
    is ever made up for what is missing.
    """
    filled = {report.client_order_id: report.filled_quantity for report in reports}
    for order in recent:
        told = filled.get(order.client_order_id, 0)
        known = executed.get(order.client_order_id, told)
        if told > known and at - order.updated_at >= ORDERS_SETTLE_WITHIN:
            detail = (
                f"{order.intent.purpose}: the broker filled {told}, its executions make {known}"
            )
            yield _lost(order, detail, f"{told} filled", at)


def _lost(order: StoredOrder, detail: str, broker_value: str, at: datetime) -> Break:
    return Break(
        kind=BreakKind.LOST_ORDER,
        key=order.client_order_id,
        detail=detail,
        ledger_value=f"{order.status}, {order.filled_quantity} filled",
        broker_value=broker_value,
        locks=_touched(order),
        found_at=at,
    )


def unrecorded(client_order_id: str, what: str, at: datetime) -> Break:
    """Return the break of an order that has the form of ours and is not on record."""
    return Break(
        kind=BreakKind.UNRECORDED_ORDER,
        key=client_order_id,
        detail=f"the broker knows order {client_order_id}, which is not in this ledger: {what}",
        ledger_value="not on record",
        broker_value="known",  # what becomes of it does not make it another disagreement
        locks=(WHOLE_BOOK,),
        found_at=at,
    )


def foreign_order_breaks(orders: Iterable[ForeignOrder], at: datetime) -> Iterator[Break]:
    """Yield each order at work that somebody else placed (faults E1 to E3)."""
    for order in orders:
        legs = ", ".join(f"{ratio:+d} {symbol}" for symbol, ratio in order.legs)
        yield Break(
            kind=BreakKind.FOREIGN_ORDER,
            key=order.broker_order_id,
            detail=f"{_who(order.source)} has an order at work: {order.quantity} x {legs}",
            ledger_value="not the bot's",
            broker_value=f"{order.quantity} x {legs} at {order.limit_price}",
            locks=_foreign_locks(order.source, [symbol for symbol, _ in order.legs]),
            found_at=at,
        )


# --- executions -----------------------------------------------------------------------------------


def foreign_fill_break(fill: ExternalFill, at: datetime) -> Break:
    """Return the break of an execution that no order of the bot explains (invariant I24)."""
    what = f"{fill.side} {fill.quantity} {fill.symbol} at {fill.price}"
    return Break(
        kind=BreakKind.FOREIGN_FILL,
        key=fill.exec_root,
        detail=f"{_who(fill.source)} traded in the account: {what} ({fill.reference})",
        ledger_value="not the bot's",
        broker_value=what,
        locks=_foreign_locks(fill.source, [fill.symbol]),
        found_at=at,
    )


def bust_break(fill: Fill, order: StoredOrder, at: datetime) -> Break:
    """Return the break of an execution that the exchange took back (fault A13)."""
    return Break(
        kind=BreakKind.BUST,
        key=fill.exec_root,
        detail=f"the exchange took back an execution of {fill.symbol} for {order.intent.purpose}",
        ledger_value=f"revision {fill.revision}",
        broker_value="taken back",
        locks=_touched(order),
        found_at=at,
    )


def overfill_break(order: StoredOrder, packages: int, at: datetime) -> Break:
    """Return the break of an order that filled more than it asked for (fault A32)."""
    return Break(
        kind=BreakKind.OVERFILL,
        key=order.client_order_id,
        detail=f"{order.intent.purpose}: {packages} filled of {order.intent.quantity} ordered",
        ledger_value=str(order.intent.quantity),
        broker_value=str(packages),
        locks=(WHOLE_BOOK,),
        found_at=at,
    )


def worse_price_break(
    order: StoredOrder, fills: Sequence[Fill], packages: int, at: datetime
) -> Break | None:
    """Return the break of an order that paid more than its limit by over a tick (fault A31).

    Of a package only the whole tells: ``fills`` are every execution of the order, and ``packages``
    what they make up; with loose legs among them it is too early to say. Better is as it should be.
    """
    ratios = {leg.instrument.symbol: leg.ratio for leg in order.intent.legs}
    signed = signed_contracts(fills)
    if not packages or any(signed[symbol] != n * packages for symbol, n in ratios.items()):
        return None
    paid = sum((fill.signed_quantity * fill.price for fill in fills), Decimal(0)) / packages
    tick = order_tick([leg.instrument for leg in order.intent.legs], order.limit_price)
    if paid <= order.limit_price + tick:
        return None
    return Break(
        kind=BreakKind.WORSE_PRICE,
        key=order.client_order_id,
        detail=f"{order.intent.purpose}: paid {paid:.4f}, its limit was {order.limit_price}",
        ledger_value=str(order.limit_price),
        broker_value=f"{paid:.4f}",
        locks=(WHOLE_BOOK,),
        found_at=at,
    )


def packages_of(order: StoredOrder, fills: Iterable[Fill]) -> int:
    """Return how many packages an order's executions make up: as many as its least filled leg."""
    signed = signed_contracts(fills)
    legs = order.intent.legs
    return max(0, min(signed[leg.instrument.symbol] // leg.ratio for leg in legs))


def most_packages_of(order: StoredOrder, fills: Iterable[Fill]) -> int:
    """Return for how many packages the most filled leg of an order would be enough."""
    signed = signed_contracts(fills)
    return max(-(-signed[leg.instrument.symbol] // leg.ratio) for leg in order.intent.legs)


def signed_contracts(fills: Iterable[Fill]) -> Counter[str]:
    """Return contracts by symbol, bought > 0."""
    signed: Counter[str] = Counter()
    for fill in fills:
        signed[fill.symbol] += fill.signed_quantity
    return signed


# --- words ----------------------------------------------------------------------------------------


def instrument_or_none(symbol: str) -> Instrument | None:
    """Return what a symbol names; None for what the bot cannot trade."""
    try:
        return instrument_of(symbol)
    except InvalidInstrument:
        return None


def trades_no_more(instrument: Instrument, at: datetime) -> bool:
    """Whether an instrument's last trade is over, early closes left out."""
    local = at.astimezone(EXCHANGE_ZONE)
    if local.date() != instrument.expiry:
        return local.date() > instrument.expiry
    return ROOTS[instrument.root].settlement is Settlement.AM or local.time() >= _LAST_TRADE


def _touched(order: StoredOrder) -> tuple[str, ...]:
    """Return what an order in trouble locks: its condor, or the instruments it trades."""
    if order.intent.condor_id is not None:
        return (order.intent.condor_id,)
    return tuple(leg.instrument.symbol for leg in order.intent.legs)


def _foreign_locks(source: ExternalSource, symbols: Iterable[str]) -> tuple[str, ...]:
    """Return what somebody else's trading locks: the underlying, or all of it (fault E3)."""
    instruments = [instrument_or_none(symbol) for symbol in symbols]
    if source is ExternalSource.LIQUIDATION or None in instruments:
        return (WHOLE_BOOK,)
    return tuple(sorted({each.underlying for each in instruments if each is not None}))


def _who(source: ExternalSource) -> str:
    return {
        ExternalSource.MANUAL: "a person",
        ExternalSource.CLIENT: "another program",
        ExternalSource.LIQUIDATION: "the broker, to liquidate,",
    }[source]
