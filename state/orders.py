"""Orders as rows, and back."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache, lru_cache

from sqlalchemy import bindparam, select

from state.columns import among
from state.decisions import Row, joined
from state.statements import Statement
from state.tables import (
    DecisionRow,
    OrderLegRow,
    OrderRow,
    OrderStateRow,
    columns_of,
    table_of,
)
from strategies.model.ids import ClientOrderId
from strategies.model.instruments import parse_symbol
from strategies.model.lifecycle import OPEN_STATUSES, OrderStatus
from strategies.model.orders import Leg, OrderIntent, PositionEffect, Urgency

# An order in one of these may still do something; the others are over
UNFINISHED = OPEN_STATUSES | {OrderStatus.PLANNED, OrderStatus.ARMED}

# Parsing a symbol takes 6 us, and a book of 60 condors has 240 of them
instrument_of = lru_cache(maxsize=4096)(parse_symbol)

_ORDERS = table_of(OrderRow)
_STATES = table_of(OrderStateRow)
_LEGS = table_of(OrderLegRow)
_DECISIONS = table_of(DecisionRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredOrder:
    """An order as intended, and where it is now."""

    intent: OrderIntent
    status: OrderStatus
    filled_quantity: int  # packages
    leaves_quantity: int  # packages that may still fill; 0 once it is over
    limit_price: Decimal  # as last sent; the intent's before that
    arrival_mid: Decimal | None  # package mid when it was sent
    broker_order_id: str  # "" = not acknowledged yet
    note: str  # of its last event
    planned_at: datetime
    updated_at: datetime

    @property
    def client_order_id(self) -> ClientOrderId:
        """The derived identity of the attempt."""
        return self.intent.client_order_id

    @property
    def is_unfinished(self) -> bool:
        """Whether it may still do something."""
        return self.status in UNFINISHED


def order_row(intent: OrderIntent, decision_id: int, planned_at: datetime) -> Row:
    """Return the row of an intent."""
    return {
        "client_order_id": intent.client_order_id,
        "decision_id": decision_id,
        "planned_at": planned_at,
        "purpose": intent.purpose,
        "attempt": intent.attempt,
        "effect": intent.effect.value,
        "urgency": intent.urgency.value,
        "quantity": intent.quantity,
        "limit_price": intent.limit_price,
        "worst_price": intent.worst_price,
        "layer": intent.layer,
        "condor_id": intent.condor_id,
        "rules": joined(intent.rules),
    }


def leg_rows(intent: OrderIntent) -> list[Row]:
    """Return one row a leg."""
    order_id = intent.client_order_id
    return [
        {
            "client_order_id": order_id,
            "position": position,
            "symbol": leg.instrument.symbol,
            "ratio": leg.ratio,
        }
        for position, leg in enumerate(intent.legs)
    ]


def legs_of(connection: sqlite3.Connection, ids: Sequence[str]) -> dict[str, list[tuple[str, int]]]:
    """Return symbols and ratios by order id."""
    legs: dict[str, list[tuple[str, int]]] = {order_id: [] for order_id in ids}
    if legs:
        for order_id, symbol, ratio in _legs_query().tuples(connection, ids=ids):
            legs[order_id].append((symbol, ratio))
    return legs


def stored_orders(
    connection: sqlite3.Connection, by: str, value: object
) -> tuple[StoredOrder, ...]:
    """Return orders by ``"status"`` (a list of them), ``"plan_id"`` or ``"client_order_id"``.

    Oldest first, in the order of their plan; later attempts after earlier ones.
    """
    rows = _orders_query(by).rows(connection, value=value)
    legs = legs_of(connection, [row["client_order_id"] for row in rows])
    return tuple(
        StoredOrder(
            intent=_to_intent(row, legs[row["client_order_id"]]),
            status=OrderStatus(row["status"]),
            filled_quantity=row["filled"],
            leaves_quantity=row["leaves"],
            limit_price=row["limit_price_now"],
            arrival_mid=row["arrival_mid"],
            broker_order_id=row["broker_order_id"],
            note=row["note"],
            planned_at=row["planned_at"],
            updated_at=row["updated_at"],
        )
        for row in rows
    )


def _to_intent(row: Row, legs: Sequence[tuple[str, int]]) -> OrderIntent:
    return OrderIntent(
        plan_id=row["plan_id"],
        purpose=row["purpose"],
        legs=tuple(Leg(instrument=instrument_of(symbol), ratio=ratio) for symbol, ratio in legs),
        quantity=row["quantity"],
        limit_price=row["limit_price"],
        worst_price=row["worst_price"],
        effect=PositionEffect(row["effect"]),
        urgency=Urgency(row["urgency"]),
        rules=tuple(row["rules"].split(",")) if row["rules"] else (),
        layer=row["layer"],
        condor_id=row["condor_id"],
        attempt=row["attempt"],
    )


@cache
def _orders_query(by: str) -> Statement:
    query = (
        select(
            *columns_of(_ORDERS),
            _DECISIONS.c.plan_id,
            *columns_of(_STATES, "status", "filled", "leaves", "arrival_mid"),
            *columns_of(_STATES, "broker_order_id", "note", "updated_at"),
            _STATES.c.limit_price.label("limit_price_now"),
        )
        .join(_DECISIONS, _DECISIONS.c.decision_id == _ORDERS.c.decision_id)
        .join(_STATES, _STATES.c.client_order_id == _ORDERS.c.client_order_id)
        .order_by(_ORDERS.c.planned_at, _ORDERS.c.sequence)
    )
    if by == "status":
        return Statement(query.where(among(_STATES.c.status, "value")))
    column = _DECISIONS.c.plan_id if by == "plan_id" else _ORDERS.c[by]
    return Statement(query.where(column == bindparam("value")))


@cache
def _legs_query() -> Statement:
    return Statement(
        select(_LEGS.c.client_order_id, _LEGS.c.symbol, _LEGS.c.ratio)
        .where(among(_LEGS.c.client_order_id, "ids"))
        .order_by(_LEGS.c.client_order_id, _LEGS.c.position)
    )
