"""Keep the projections true: write what records add up to, and compare it with what is stored."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import (
    Column,
    Connection,
    CursorResult,
    Select,
    Table,
    and_,
    delete,
    exists,
    func,
    or_,
    select,
)
from sqlalchemy.dialects.sqlite import Insert, insert

from state.columns import among
from state.decisions import Row
from state.orders import UNFINISHED, instrument_of
from state.projections import (
    CondorHistory,
    CondorState,
    LegFill,
    LegSettlement,
    Trade,
    follow_family,
    hold_hedge,
    packages_filled,
)
from state.tables import (
    LEG_NAMES,
    PROJECTIONS,
    AdoptionRow,
    CashMovementRow,
    CondorRow,
    CondorStateRow,
    ExternalFillRow,
    FillRow,
    HedgeCashRow,
    HedgeRow,
    LedgerRow,
    OrderEventRow,
    OrderLegRow,
    OrderRow,
    OrderStateRow,
    PositionRow,
    columns_of,
    table_of,
)
from strategies.model.fills import CashKind, Side
from strategies.model.lifecycle import OrderStatus
from strategies.model.orders import PositionEffect

if TYPE_CHECKING:  # SQLAlchemy 2.0, which also works, has other type parameters
    Query: TypeAlias = Select[*tuple[Any, ...]]
    Rows: TypeAlias = CursorResult[*tuple[Any, ...]]

_FILLS = table_of(FillRow)
_MOVEMENTS = table_of(CashMovementRow)
_EXTERNAL = table_of(ExternalFillRow)
_ADOPTIONS = table_of(AdoptionRow)
_ORDERS = table_of(OrderRow)
_LEGS = table_of(OrderLegRow)
_EVENTS = table_of(OrderEventRow)
_CONDORS = table_of(CondorRow)
_ROLLED = _CONDORS.alias("rolled")
# The condor that an order's fills belong to: the one it rolls into, or else its own
_SERVED = func.coalesce(_ROLLED.c.condor_id, _ORDERS.c.condor_id).label("condor_id")
_HEDGE_ROOTS = ("VIX", "VIXW", "VX", "VXM")


def current_fills(*columns: str) -> "Query":
    """Return the query of every execution in its latest revision."""
    return _latest(_FILLS, *columns)


def current_external_fills(*columns: str) -> "Query":
    """Return the query of every execution that is not the bot's, in its latest revision."""
    return _latest(_EXTERNAL, *columns)


@cache
def _latest(table: Table, *columns: str) -> "Query":
    newer = table.alias("newer")
    superseded = exists().where(
        and_(newer.c.exec_root == table.c.exec_root, newer.c.revision > table.c.revision)
    )
    return select(*columns_of(table, *columns)).where(~superseded)


@dataclass(slots=True)
class Touched:
    """What a transaction may have moved."""

    symbols: set[str] = field(default_factory=set)
    condors: set[str] = field(default_factory=set)
    orders: set[str] = field(default_factory=set)
    hedge_sessions: set[date] = field(default_factory=set)

    def clear(self) -> None:
        """Forget everything."""
        for names in (self.symbols, self.condors, self.orders):
            names.clear()
        self.hedge_sessions.clear()

    def __bool__(self) -> bool:
        return bool(self.symbols or self.condors or self.orders or self.hedge_sessions)


@dataclass(frozen=True, slots=True)
class Difference:
    """A projected row that is not what the records add up to; None = there is no such row."""

    table: str
    key: str
    stored: Mapping[str, object] | None
    rebuilt: Mapping[str, object] | None

    def __str__(self) -> str:
        """Return one line: which row, and the columns that differ."""
        if self.stored is None or self.rebuilt is None:
            what = "is missing" if self.stored is None else "should not be there"
            return f"{self.table} {self.key}: {what}"
        columns = [
            f"{name} is {self.stored[name]}, should be {value}"
            for name, value in self.rebuilt.items()
            if self.stored[name] != value
        ]
        return f"{self.table} {self.key}: {'; '.join(columns)}"


def refresh(connection: Connection, touched: Touched) -> None:
    """Write the projections of everything touched."""
    if touched.orders:
        rows = order_states(connection, touched.orders)
        _replace(connection, OrderStateRow, touched.orders, rows)
    if touched.symbols:
        positions, hedges = holdings(connection, touched.symbols)
        _replace(connection, PositionRow, touched.symbols, positions)
        _replace(connection, HedgeRow, touched.symbols, hedges)
    if touched.condors:
        rows = condor_states(connection, touched.condors)
        _replace(connection, CondorStateRow, touched.condors, rows)
    if touched.hedge_sessions:
        rows = hedge_cash(connection, touched.hedge_sessions)
        _replace(connection, HedgeCashRow, touched.hedge_sessions, rows)
    touched.clear()


def compare(connection: Connection) -> tuple[Difference, ...]:
    """Rebuild every projection from the records; return each row that is stored otherwise."""
    positions, hedges = holdings(connection, None)
    rebuilt: dict[type[LedgerRow], list[Row]] = {
        OrderStateRow: order_states(connection, None),
        PositionRow: positions,
        HedgeRow: hedges,
        CondorStateRow: condor_states(connection, None),
        HedgeCashRow: hedge_cash(connection, None),
    }
    assert set(rebuilt) == set(PROJECTIONS), "every projection can be rebuilt"
    differences: list[Difference] = []
    for row_class, rows in rebuilt.items():
        differences += _differences(connection, table_of(row_class), rows)
    return tuple(differences)


def order_states(connection: Connection, orders: Collection[str] | None) -> list[Row]:
    """Return where orders are: their last event, and what their fills make up."""
    fetch = _Fetch(connection, orders)
    ratios: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for order_id, symbol, ratio in fetch(_legs_query):
        ratios[order_id][symbol] = ratio
    signed: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
    for order_id, symbol, side, quantity in fetch(_order_fills_query):
        signed[order_id][symbol] += Side(side).sign * quantity
    rows = []
    for event in fetch(_last_events_query).mappings():
        order_id = event["client_order_id"]
        filled = max(event["filled"], packages_filled(ratios[order_id], signed[order_id]))
        rows.append(state_row(event, event["quantity"], filled))
    return rows


def state_row(event: Mapping[Any, Any], quantity: int, filled: int) -> Row:
    """Return where an order of ``quantity`` packages is after its last event."""
    over = OrderStatus(event["status"]) not in UNFINISHED
    return {
        "client_order_id": event["client_order_id"],
        "status": event["status"],
        "filled": filled,
        "leaves": 0 if over else max(0, quantity - filled),
        "limit_price": event["limit_price"],
        "arrival_mid": event["arrival_mid"],
        "broker_order_id": event["broker_order_id"],
        "note": event["note"],
        "updated_at": event["at"],
    }


def holdings(
    connection: Connection, symbols: Collection[str] | None
) -> tuple[list[Row], list[Row]]:
    """Return the rows of positions and of hedges, for some symbols or for all."""
    fetch = _Fetch(connection, symbols)
    net: Counter[str] = Counter()
    trades: defaultdict[str, list[Trade]] = defaultdict(list)  # those of the bot's structures
    for symbol, at, root, side, quantity, price in fetch(_symbol_fills_query):
        signed = Side(side).sign * quantity
        net[symbol] += signed
        trades[symbol].append(Trade(at, f"fill {root}", signed, price))
    for symbol, at, root, side, quantity, price, layer in fetch(_symbol_external_query):
        signed = Side(side).sign * quantity
        net[symbol] += signed
        if layer is not None:
            trades[symbol].append(Trade(at, f"fill {root}", signed, price))
    settled = list(fetch(_settlements_query))
    for symbol, at, movement_id, quantity, price in settled:
        # What others hold settles with it: only what the bot holds leaves the bot's books
        ours = -sum(trade.quantity for trade in trades[symbol])
        if part := quantity if net[symbol] == -ours else ours:
            trades[symbol].append(Trade(at, f"settlement {movement_id}", part, price))
    for symbol, _, _, quantity, _ in settled:
        net[symbol] += quantity

    positions = [
        {"symbol": symbol, "net_contracts": count} for symbol, count in net.items() if count
    ]
    hedges = []
    for symbol, changes in trades.items():
        instrument = instrument_of(symbol)
        if instrument.underlying == "VIX" and changes:
            state = hold_hedge(changes, instrument.multiplier)
            hedges.append({"symbol": symbol, **asdict(state)})
    return positions, hedges


def condor_states(connection: Connection, condors: Collection[str] | None) -> list[Row]:
    """Return where condors are, and those they were rolled from or into; None = all."""
    family: Collection[str] | None = None
    if condors is not None:
        family = set(connection.execute(_family_query(), {"ids": list(condors)}).scalars())
    fetch = _Fetch(connection, family)
    legs: dict[str, dict[str, int]] = {}
    rolled_from: dict[str, str | None] = {}
    for row in fetch(_condor_legs_query).mappings():
        ratios = (row["long_ratio"], -row["short_ratio"], -row["short_ratio"], row["long_ratio"])
        symbols = (row[name] for name in LEG_NAMES)
        legs[row["condor_id"]] = dict(zip(symbols, ratios, strict=True))
        rolled_from[row["condor_id"]] = row["rolled_from"]
    statuses: defaultdict[tuple[str, str], list[OrderStatus]] = defaultdict(list)
    for condor_id, effect, status in fetch(_condor_orders_query):
        statuses[condor_id, effect].append(OrderStatus(status))
    leg_fills: defaultdict[str, list[LegFill]] = defaultdict(list)
    for row in fetch(_condor_fills_query).mappings():
        leg_fills[row["condor_id"]].append(
            LegFill(
                symbol=row["symbol"],
                effect=PositionEffect(row["effect"]),
                quantity=Side(row["side"]).sign * row["quantity"],
                price=row["price"],
                commission_usd=row["commission_usd"],
                at=row["executed_at"],
            )
        )
    for row in fetch(_adopted_fills_query).mappings():
        signed = Side(row["side"]).sign * row["quantity"]
        adds = signed * legs[row["condor_id"]][row["symbol"]] > 0
        leg_fills[row["condor_id"]].append(
            LegFill(
                symbol=row["symbol"],
                effect=PositionEffect.OPEN if adds else PositionEffect.CLOSE,
                quantity=signed,
                price=row["price"],
                commission_usd=row["commission_usd"],
                at=row["executed_at"],
            )
        )
    every_leg = {leg for four in legs.values() for leg in four}
    settlements = {
        symbol: LegSettlement(price, at)
        for symbol, at, _, _, price in _Fetch(connection, every_leg)(_settlements_query)
    }
    settling = {
        leg for four in legs.values() if not settlements.keys().isdisjoint(four) for leg in four
    }
    held = _held(connection, settling) if settling else {}
    histories = {
        condor_id: CondorHistory(
            legs=four,
            fills=tuple(leg_fills[condor_id]),
            settlements={leg: settlements[leg] for leg in four if leg in settlements},
            held=held,
            opening=tuple(statuses[condor_id, PositionEffect.OPEN.value]),
            closing=tuple(statuses[condor_id, PositionEffect.CLOSE.value]),
            rolled_from=rolled_from[condor_id],
        )
        for condor_id, four in legs.items()
    }
    return [_condor_row(condor_id, state) for condor_id, state in follow_family(histories).items()]


def _condor_row(condor_id: str, state: CondorState) -> Row:
    row = {"condor_id": condor_id, **asdict(state)}
    return row | {"loose_json": json.dumps(row.pop("loose"), separators=(",", ":"))}


def hedge_cash(connection: Connection, sessions: Collection[date] | None) -> list[Row]:
    """Return G1's cash flows by session: layer fills with fees, and movements of VIX products."""
    fetch = _Fetch(connection, sessions)
    totals: defaultdict[date, Decimal] = defaultdict(Decimal)
    for query in (_hedge_fills_query, _hedge_adopted_query, _hedge_movements_query):
        for session, amount in fetch(query):
            totals[session] += amount
    return [{"session": day, "cash_flow_usd": total} for day, total in totals.items()]


def condors_with_leg(connection: Connection, symbol: str) -> set[str]:
    """Return the condors that have a symbol among their legs."""
    legs = (_CONDORS.c[name] for name in LEG_NAMES)
    query = select(_CONDORS.c.condor_id).where(or_(*(leg == symbol for leg in legs)))
    return set(connection.execute(query).scalars())


def _held(connection: Connection, symbols: Collection[str]) -> dict[str, int]:
    """Return net contracts of some symbols, from the records and not from their projection."""
    positions, _ = holdings(connection, symbols)
    return {row["symbol"]: row["net_contracts"] for row in positions}


# --- queries: built once, each for everything (scoped False) or for the ids it is given ----------


class _Fetch:
    """Run queries for some ids, or for everything."""

    def __init__(self, connection: Connection, ids: Collection[Any] | None) -> None:
        self._connection = connection
        self._ids = ids

    def __call__(self, query: Callable[[bool], "Query"]) -> "Rows":
        if self._ids is None:
            return self._connection.execute(query(False))
        return self._connection.execute(query(True), {"ids": list(self._ids)})


def _within(query: "Query", column: Column[Any], scoped: bool) -> "Query":
    return query.where(among(column, "ids")) if scoped else query


@cache
def _legs_query(scoped: bool) -> "Query":
    query = select(_LEGS.c.client_order_id, _LEGS.c.symbol, _LEGS.c.ratio)
    return _within(query, _LEGS.c.client_order_id, scoped)


@cache
def _order_fills_query(scoped: bool) -> "Query":
    query = current_fills("client_order_id", "symbol", "side", "quantity")
    return _within(query, _FILLS.c.client_order_id, scoped)


def _last_event_ids(query: "Query") -> "Query":
    """Return the newest event of each order; ``query`` selects from order events."""
    newest = query.with_only_columns(func.max(_EVENTS.c.sequence))
    return newest.group_by(_EVENTS.c.client_order_id)


@cache
def _last_events_query(scoped: bool) -> "Query":
    newest = _last_event_ids(_within(select(_EVENTS), _EVENTS.c.client_order_id, scoped))
    return (
        select(*columns_of(_EVENTS), _ORDERS.c.quantity)
        .join(_ORDERS, _ORDERS.c.client_order_id == _EVENTS.c.client_order_id)
        .where(_EVENTS.c.sequence.in_(newest))
    )


@cache
def _symbol_fills_query(scoped: bool) -> "Query":
    query = current_fills("symbol", "executed_at", "exec_root", "side", "quantity", "price")
    return _within(query, _FILLS.c.symbol, scoped)


@cache
def _symbol_external_query(scoped: bool) -> "Query":
    names = ("symbol", "executed_at", "exec_root", "side", "quantity", "price")
    adopted = _ADOPTIONS.c.exec_root == _EXTERNAL.c.exec_root
    query = current_external_fills(*names).add_columns(_ADOPTIONS.c.layer)
    return _within(query.outerjoin(_ADOPTIONS, adopted), _EXTERNAL.c.symbol, scoped)


@cache
def _adopted_fills_query(scoped: bool) -> "Query":
    names = ("symbol", "side", "quantity", "price", "commission_usd", "executed_at")
    query = (
        current_external_fills(*names)
        .add_columns(_ADOPTIONS.c.condor_id)
        .join(_ADOPTIONS, _ADOPTIONS.c.exec_root == _EXTERNAL.c.exec_root)
        .where(_ADOPTIONS.c.condor_id.is_not(None))
    )
    return _within(query, _ADOPTIONS.c.condor_id, scoped)


@cache
def _settlements_query(scoped: bool) -> "Query":
    names = ("symbol", "booked_at", "movement_id", "quantity", "price")
    query = select(*columns_of(_MOVEMENTS, *names)).where(
        _MOVEMENTS.c.kind == CashKind.SETTLEMENT.value
    )
    return _within(query, _MOVEMENTS.c.symbol, scoped)


@cache
def _family_query() -> "Query":
    """Return the query of some condors with all they were rolled from and into."""
    own = select(*columns_of(_CONDORS, "condor_id", "rolled_from")).where(
        among(_CONDORS.c.condor_id, "ids")
    )
    family = own.cte("family", recursive=True)
    other = _CONDORS.alias("other")
    is_related = or_(
        other.c.condor_id == family.c.rolled_from, other.c.rolled_from == family.c.condor_id
    )
    related = select(other.c.condor_id, other.c.rolled_from).join(family, is_related)
    return select(family.union(related).c.condor_id)


@cache
def _condor_legs_query(scoped: bool) -> "Query":
    names = ("condor_id", *LEG_NAMES, "short_ratio", "long_ratio", "rolled_from")
    query = _within(select(*columns_of(_CONDORS, *names)), _CONDORS.c.condor_id, scoped)
    return query.order_by(_CONDORS.c.decision_id, _CONDORS.c.condor_id)


def _with_rolls(query: "Query") -> "Query":
    """Join to orders the condor that each of them rolls its own into, if it does."""
    is_roll = and_(
        _ROLLED.c.decision_id == _ORDERS.c.decision_id,
        _ROLLED.c.rolled_from == _ORDERS.c.condor_id,
        _ORDERS.c.effect == PositionEffect.OPEN.value,
    )
    return query.outerjoin(_ROLLED, is_roll)


@cache
def _condor_orders_query(scoped: bool) -> "Query":
    of_condors = (
        _with_rolls(select(_SERVED, _ORDERS.c.effect, _EVENTS.c.status).select_from(_ORDERS))
        .join(_EVENTS, _EVENTS.c.client_order_id == _ORDERS.c.client_order_id)
        .where(_ORDERS.c.condor_id.is_not(None))
    )
    of_condors = _within(of_condors, _ORDERS.c.condor_id, scoped)
    return of_condors.where(_EVENTS.c.sequence.in_(_last_event_ids(of_condors)))


@cache
def _condor_fills_query(scoped: bool) -> "Query":
    names = ("symbol", "side", "quantity", "price", "commission_usd", "executed_at")
    query = (
        current_fills(*names)
        .add_columns(_SERVED, _ORDERS.c.effect)
        .join(_ORDERS, _ORDERS.c.client_order_id == _FILLS.c.client_order_id)
        .where(_FILLS.c.condor_id.is_not(None))
    )
    query = _with_rolls(query)
    return _within(query, _FILLS.c.condor_id, scoped)


@cache
def _hedge_fills_query(scoped: bool) -> "Query":
    query = current_fills("session").add_columns(func.sum(_FILLS.c.cash_flow_usd))
    query = query.where(_FILLS.c.layer.is_not(None)).group_by(_FILLS.c.session)
    return _within(query, _FILLS.c.session, scoped)


@cache
def _hedge_adopted_query(scoped: bool) -> "Query":
    adopted = _ADOPTIONS.c.exec_root == _EXTERNAL.c.exec_root
    flows = func.sum(_EXTERNAL.c.cash_flow_usd)
    query = current_external_fills("session").add_columns(flows).join(_ADOPTIONS, adopted)
    query = query.where(_ADOPTIONS.c.layer.is_not(None)).group_by(_EXTERNAL.c.session)
    return _within(query, _EXTERNAL.c.session, scoped)


@cache
def _hedge_movements_query(scoped: bool) -> "Query":
    query = (
        select(_MOVEMENTS.c.session, func.sum(_MOVEMENTS.c.amount_usd))
        .where(or_(*(_MOVEMENTS.c.symbol.startswith(f"{root:<6}") for root in _HEDGE_ROOTS)))
        .group_by(_MOVEMENTS.c.session)
    )
    return _within(query, _MOVEMENTS.c.session, scoped)


def _replace(
    connection: Connection, row_class: type[LedgerRow], keys: Collection[Any], rows: list[Row]
) -> None:
    """Write the rows of some keys; a key without a row loses the one it had."""
    table = table_of(row_class)
    (key,) = table.primary_key
    if gone := set(keys) - {row[key.key] for row in rows}:
        connection.execute(delete(table).where(key.in_(gone)))
    if rows:
        connection.execute(upsert_into(table), rows)


@cache
def upsert_into(table: Table) -> Insert:
    """Return the statement that inserts a row or replaces the one with its key."""
    statement = insert(table)
    keys = [column.name for column in table.primary_key]
    changes = {
        column.key: statement.excluded[column.key]
        for column in table.columns
        if not column.primary_key
    }
    return statement.on_conflict_do_update(index_elements=keys, set_=changes)


def _differences(connection: Connection, table: Table, rows: Iterable[Row]) -> list[Difference]:
    (key,) = (column.key for column in table.primary_key)
    stored = {
        row[key]: dict(row) for row in connection.execute(select(*columns_of(table))).mappings()
    }
    rebuilt = {row[key]: row for row in rows}
    return [
        Difference(table.name, str(name), stored.get(name), rebuilt.get(name))
        for name in sorted({*stored, *rebuilt}, key=str)
        if stored.get(name) != rebuilt.get(name)
    ]
