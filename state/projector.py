"""Keep the projections true: write what records add up to, and compare it with what is stored."""

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import (
    Column,
    Connection,
    Select,
    Table,
    and_,
    bindparam,
    delete,
    exists,
    func,
    or_,
    select,
    update,
)

from state.columns import among
from state.connections import raw_of
from state.decisions import Row
from state.projections import (
    CondorHistory,
    CondorState,
    LegFill,
    LegSettlement,
    Trade,
    follow_family,
    hold_hedge,
)
from state.statements import Statement, replacement
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
from state.tallies import Holding, OrderTally, Tallies, Touched
from strategies.model.fills import CashKind, Side
from strategies.model.lifecycle import OrderStatus
from strategies.model.orders import PositionEffect

if TYPE_CHECKING:  # SQLAlchemy 2.0, which also works, has other type parameters
    Query: TypeAlias = Select[*tuple[Any, ...]]

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


def refresh(connection: sqlite3.Connection, touched: Touched, tallies: Tallies) -> None:
    """Write the projections of everything touched, added up again, and of what moved with it."""
    moved = tallies.moved
    if touched.orders:
        tallies.orders |= order_tallies(connection, touched.orders)
    if touched.symbols:
        tallies.holdings |= holdings(connection, touched.symbols)
    if touched.hedge_sessions:
        for session in touched.hedge_sessions:
            tallies.hedge_cash.pop(session, None)  # nothing may be left of it
        tallies.hedge_cash |= hedge_cash(connection, touched.hedge_sessions)
    if orders := touched.orders | moved.orders:
        _write(connection, OrderStateRow, {i: tallies.orders[i].state_row() for i in orders})
    if symbols := touched.symbols | moved.symbols:
        held = {symbol: tallies.holdings[symbol] for symbol in symbols}
        _write(connection, PositionRow, {name: each.position_row() for name, each in held.items()})
        hedges = {name: each.hedge_row() for name, each in held.items() if each.is_hedge}
        _write(connection, HedgeRow, hedges)
    if touched.condors:
        states = {row["condor_id"]: row for row in condor_states(connection, touched.condors)}
        _write(connection, CondorStateRow, dict.fromkeys(touched.condors) | states)
    if sessions := touched.hedge_sessions | moved.hedge_sessions:
        cash = {day: _cash_row(day, tallies.hedge_cash.get(day)) for day in sessions}
        _write(connection, HedgeCashRow, cash)
    touched.clear()
    moved.clear()


def compare(connection: Connection) -> tuple[Difference, ...]:
    """Rebuild every projection from the records; return each row that is stored otherwise."""
    raw = raw_of(connection)
    differences: list[Difference] = []
    for row_class, rows in rebuilt(raw).items():
        differences += _differences(raw, table_of(row_class), rows)
    return tuple(differences)


def write_all(connection: sqlite3.Connection) -> None:
    """Write every projection of records that no transaction of ours has written."""
    for row_class, rows in rebuilt(connection).items():
        replacement(table_of(row_class)).run_all(connection, rows)


def write_columns(connection: sqlite3.Connection, names: Mapping[str, Collection[str]]) -> None:
    """Fill some columns of projections, by the name of the table: an older schema had no such."""
    for row_class, rows in rebuilt(connection).items():
        table = table_of(row_class)
        (key,) = table.primary_key
        new = [column for column in table.columns if column.name in names.get(table.name, ())]
        if new:
            values: dict[str, Any] = {column.key: bindparam(f"new_{column.key}") for column in new}
            statement = Statement(update(table).where(key == bindparam("id")).values(values))
            for row in rows:
                given = {f"new_{column.key}": row[column.key] for column in new}
                statement.run(connection, {"id": row[key.key], **given})


def rebuilt(connection: sqlite3.Connection) -> dict[type[LedgerRow], list[Row]]:
    """Return every row of every projection, as the records have it."""
    held = holdings(connection, None).values()
    rows: dict[type[LedgerRow], Iterable[Row | None]] = {
        OrderStateRow: (tally.state_row() for tally in order_tallies(connection, None).values()),
        PositionRow: (holding.position_row() for holding in held),
        HedgeRow: (holding.hedge_row() for holding in held),
        CondorStateRow: condor_states(connection, None),
        HedgeCashRow: (_cash_row(*each) for each in hedge_cash(connection, None).items()),
    }
    assert set(rows) == set(PROJECTIONS), "every projection can be rebuilt"
    return {kind: [row for row in every if row is not None] for kind, every in rows.items()}


def order_tallies(
    connection: sqlite3.Connection, orders: Collection[str] | None
) -> dict[str, OrderTally]:
    """Return where orders are: their last event, and what their fills make up; None = all."""
    fetch = _Fetch(connection, orders)
    ratios: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for order_id, symbol, ratio in fetch.tuples(_legs_query):
        ratios[order_id][symbol] = ratio
    signed: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for order_id, symbol, side, quantity in fetch.tuples(_order_fills_query):
        signed[order_id][symbol] += Side(side).sign * quantity
    events = {event["client_order_id"]: event for event in fetch.rows(_last_events_query)}
    return {
        order_id: OrderTally(event, ratios[order_id], signed[order_id])
        for order_id, event in events.items()
    }


def holdings(connection: sqlite3.Connection, symbols: Collection[str] | None) -> dict[str, Holding]:
    """Return what is held and was earned, for some symbols, or for all that were ever traded."""
    fetch = _Fetch(connection, symbols)
    net: Counter[str] = Counter(dict.fromkeys(symbols or (), 0))
    trades: defaultdict[str, list[Trade]] = defaultdict(list)  # those of the bot's structures
    for symbol, at, root, side, quantity, price in fetch.tuples(_symbol_fills_query):
        signed = Side(side).sign * quantity
        net[symbol] += signed
        trades[symbol].append(Trade(at, f"fill {root}", signed, price))
    for symbol, at, root, side, quantity, price, layer in fetch.tuples(_symbol_external_query):
        signed = Side(side).sign * quantity
        net[symbol] += signed
        if layer is not None:
            trades[symbol].append(Trade(at, f"fill {root}", signed, price))
    settled = fetch.tuples(_settlements_query)
    for symbol, at, movement_id, quantity, price in settled:
        # What others hold settles with it: only what the bot holds leaves the bot's books
        ours = -sum(trade.quantity for trade in trades[symbol])
        if part := quantity if net[symbol] == -ours else ours:
            trades[symbol].append(Trade(at, f"settlement {movement_id}", part, price))
    for symbol, _, _, quantity, _ in settled:
        net[symbol] += quantity
    held = {symbol: Holding(symbol, count) for symbol, count in net.items()}
    for symbol, holding in held.items():
        if holding.is_hedge:
            holding.account = hold_hedge(trades[symbol])
    for symbol, *_ in settled:
        held[symbol].has_settled = True
    return held


def condor_states(connection: sqlite3.Connection, condors: Collection[str] | None) -> list[Row]:
    """Return where condors are, and those they were rolled from or into; None = all."""
    family: Collection[str] | None = None
    if condors is not None:
        family = {name for (name,) in _family_query().tuples(connection, ids=list(condors))}
    fetch = _Fetch(connection, family)
    legs: dict[str, dict[str, int]] = {}
    rolled_from: dict[str, str | None] = {}
    for row in fetch.rows(_condor_legs_query):
        ratios = (row["long_ratio"], -row["short_ratio"], -row["short_ratio"], row["long_ratio"])
        symbols = (row[name] for name in LEG_NAMES)
        legs[row["condor_id"]] = dict(zip(symbols, ratios, strict=True))
        rolled_from[row["condor_id"]] = row["rolled_from"]
    statuses: defaultdict[tuple[str, str], list[OrderStatus]] = defaultdict(list)
    for condor_id, effect, status in fetch.tuples(_condor_orders_query):
        statuses[condor_id, effect].append(OrderStatus(status))
    leg_fills: defaultdict[str, list[LegFill]] = defaultdict(list)
    for row in fetch.rows(_condor_fills_query):
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
    for row in fetch.rows(_adopted_fills_query):
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
        for symbol, at, _, _, price in _Fetch(connection, every_leg).tuples(_settlements_query)
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


def hedge_cash(
    connection: sqlite3.Connection, sessions: Collection[date] | None
) -> dict[date, Decimal]:
    """Return G1's cash flows by session: layer fills with fees, and movements of VIX products."""
    fetch = _Fetch(connection, sessions)
    totals: defaultdict[date, Decimal] = defaultdict(Decimal)
    for query in (_hedge_fills_query, _hedge_adopted_query, _hedge_movements_query):
        for session, amount in fetch.tuples(query):
            totals[session] += amount
    return dict(totals)


def _cash_row(session: date, total: Decimal | None) -> Row | None:
    return None if total is None else {"session": session, "cash_flow_usd": total}


def condors_with_leg(connection: sqlite3.Connection, symbol: str) -> set[str]:
    """Return the condors that have a symbol among their legs."""
    found = _condors_with_leg_query().tuples(connection, symbol=symbol)
    return {condor_id for (condor_id,) in found}


def _held(connection: sqlite3.Connection, symbols: Collection[str]) -> dict[str, int]:
    """Return net contracts of some symbols, from the records and not from their projection."""
    return {name: each.net_contracts for name, each in holdings(connection, symbols).items()}


# --- statements: made once, each for everything (scoped False) or for the ids it is given --------


class _Fetch:
    """Run queries for some ids, or for everything."""

    def __init__(self, connection: sqlite3.Connection, ids: Collection[Any] | None) -> None:
        self._connection = connection
        self._scoped = ids is not None
        self._given = {} if ids is None else {"ids": ids}

    def tuples(self, query: Callable[[bool], Statement]) -> list[tuple[Any, ...]]:
        """Return rows as tuples."""
        return query(self._scoped).tuples(self._connection, **self._given)

    def rows(self, query: Callable[[bool], Statement]) -> list[Row]:
        """Return rows by the names of their columns."""
        return query(self._scoped).rows(self._connection, **self._given)


def _within(query: "Query", column: Column[Any], scoped: bool) -> "Query":
    return query.where(among(column, "ids")) if scoped else query


@cache
def _legs_query(scoped: bool) -> Statement:
    query = select(_LEGS.c.client_order_id, _LEGS.c.symbol, _LEGS.c.ratio)
    return Statement(_within(query, _LEGS.c.client_order_id, scoped))


@cache
def _order_fills_query(scoped: bool) -> Statement:
    query = current_fills("client_order_id", "symbol", "side", "quantity")
    return Statement(_within(query, _FILLS.c.client_order_id, scoped))


def _last_event_ids(query: "Query") -> "Query":
    """Return the newest event of each order; ``query`` selects from order events."""
    newest = query.with_only_columns(func.max(_EVENTS.c.sequence))
    return newest.group_by(_EVENTS.c.client_order_id)


@cache
def _last_events_query(scoped: bool) -> Statement:
    newest = _last_event_ids(_within(select(_EVENTS), _EVENTS.c.client_order_id, scoped))
    return Statement(
        select(*columns_of(_EVENTS), *columns_of(_ORDERS, "quantity", "layer", "condor_id"))
        .join(_ORDERS, _ORDERS.c.client_order_id == _EVENTS.c.client_order_id)
        .where(_EVENTS.c.sequence.in_(newest))
    )


@cache
def _symbol_fills_query(scoped: bool) -> Statement:
    query = current_fills("symbol", "executed_at", "exec_root", "side", "quantity", "price")
    return Statement(_within(query, _FILLS.c.symbol, scoped))


@cache
def _symbol_external_query(scoped: bool) -> Statement:
    names = ("symbol", "executed_at", "exec_root", "side", "quantity", "price")
    adopted = _ADOPTIONS.c.exec_root == _EXTERNAL.c.exec_root
    query = current_external_fills(*names).add_columns(_ADOPTIONS.c.layer)
    return Statement(_within(query.outerjoin(_ADOPTIONS, adopted), _EXTERNAL.c.symbol, scoped))


@cache
def _adopted_fills_query(scoped: bool) -> Statement:
    names = ("symbol", "side", "quantity", "price", "commission_usd", "executed_at")
    query = (
        current_external_fills(*names)
        .add_columns(_ADOPTIONS.c.condor_id)
        .join(_ADOPTIONS, _ADOPTIONS.c.exec_root == _EXTERNAL.c.exec_root)
        .where(_ADOPTIONS.c.condor_id.is_not(None))
    )
    return Statement(_within(query, _ADOPTIONS.c.condor_id, scoped))


@cache
def _settlements_query(scoped: bool) -> Statement:
    names = ("symbol", "booked_at", "movement_id", "quantity", "price")
    query = select(*columns_of(_MOVEMENTS, *names)).where(
        _MOVEMENTS.c.kind == CashKind.SETTLEMENT.value
    )
    return Statement(_within(query, _MOVEMENTS.c.symbol, scoped))


@cache
def _condors_with_leg_query() -> Statement:
    legs = (_CONDORS.c[name] for name in LEG_NAMES)
    is_leg = or_(*(leg == bindparam("symbol") for leg in legs))
    return Statement(select(_CONDORS.c.condor_id).where(is_leg))


@cache
def _family_query() -> Statement:
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
    return Statement(select(family.union(related).c.condor_id))


@cache
def _condor_legs_query(scoped: bool) -> Statement:
    names = ("condor_id", *LEG_NAMES, "short_ratio", "long_ratio", "rolled_from")
    query = _within(select(*columns_of(_CONDORS, *names)), _CONDORS.c.condor_id, scoped)
    return Statement(query.order_by(_CONDORS.c.decision_id, _CONDORS.c.condor_id))


def _with_rolls(query: "Query") -> "Query":
    """Join to orders the condor that each of them rolls its own into, if it does."""
    is_roll = and_(
        _ROLLED.c.decision_id == _ORDERS.c.decision_id,
        _ROLLED.c.rolled_from == _ORDERS.c.condor_id,
        _ORDERS.c.effect == PositionEffect.OPEN.value,
    )
    return query.outerjoin(_ROLLED, is_roll)


@cache
def _condor_orders_query(scoped: bool) -> Statement:
    of_condors = (
        _with_rolls(select(_SERVED, _ORDERS.c.effect, _EVENTS.c.status).select_from(_ORDERS))
        .join(_EVENTS, _EVENTS.c.client_order_id == _ORDERS.c.client_order_id)
        .where(_ORDERS.c.condor_id.is_not(None))
    )
    of_condors = _within(of_condors, _ORDERS.c.condor_id, scoped)
    return Statement(of_condors.where(_EVENTS.c.sequence.in_(_last_event_ids(of_condors))))


@cache
def _condor_fills_query(scoped: bool) -> Statement:
    names = ("symbol", "side", "quantity", "price", "commission_usd", "executed_at")
    query = (
        current_fills(*names)
        .add_columns(_SERVED, _ORDERS.c.effect)
        .join(_ORDERS, _ORDERS.c.client_order_id == _FILLS.c.client_order_id)
        .where(_FILLS.c.condor_id.is_not(None))
    )
    query = _with_rolls(query)
    return Statement(_within(query, _FILLS.c.condor_id, scoped))


@cache
def _hedge_fills_query(scoped: bool) -> Statement:
    query = current_fills("session").add_columns(func.sum(_FILLS.c.cash_flow_usd))
    query = query.where(_FILLS.c.layer.is_not(None)).group_by(_FILLS.c.session)
    return Statement(_within(query, _FILLS.c.session, scoped))


@cache
def _hedge_adopted_query(scoped: bool) -> Statement:
    adopted = _ADOPTIONS.c.exec_root == _EXTERNAL.c.exec_root
    flows = func.sum(_EXTERNAL.c.cash_flow_usd)
    query = current_external_fills("session").add_columns(flows).join(_ADOPTIONS, adopted)
    query = query.where(_ADOPTIONS.c.layer.is_not(None)).group_by(_EXTERNAL.c.session)
    return Statement(_within(query, _EXTERNAL.c.session, scoped))


@cache
def _hedge_movements_query(scoped: bool) -> Statement:
    query = (
        select(_MOVEMENTS.c.session, func.sum(_MOVEMENTS.c.amount_usd))
        .where(or_(*(_MOVEMENTS.c.symbol.startswith(f"{root:<6}") for root in _HEDGE_ROOTS)))
        .group_by(_MOVEMENTS.c.session)
    )
    return Statement(_within(query, _MOVEMENTS.c.session, scoped))


def _write(
    connection: sqlite3.Connection,
    row_class: type[LedgerRow],
    rows: Mapping[Any, Row | None],
) -> None:
    """Write the rows of some keys; a key without a row loses the one it had."""
    table = table_of(row_class)
    there = [row for row in rows.values() if row is not None]
    if there:
        replacement(table).run_all(connection, there)
    if len(there) < len(rows):
        gone = [key for key, row in rows.items() if row is None]
        _removal(table).run(connection, {"ids": gone})


@cache
def _removal(table: Table) -> Statement:
    (key,) = table.primary_key
    return Statement(delete(table).where(among(key, "ids")))


def _differences(
    connection: sqlite3.Connection, table: Table, rows: Iterable[Row]
) -> list[Difference]:
    (key,) = (column.key for column in table.primary_key)
    stored = {row[key]: row for row in Statement(select(*columns_of(table))).rows(connection)}
    rebuilt = {row[key]: row for row in rows}
    return [
        Difference(table.name, str(name), stored.get(name), rebuilt.get(name))
        for name in sorted({*stored, *rebuilt}, key=str)
        if stored.get(name) != rebuilt.get(name)
    ]
