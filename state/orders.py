"""Orders as rows, and back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache

from sqlalchemy import RowMapping

from state.decisions import Row, joined
from strategies.model.ids import ClientOrderId
from strategies.model.instruments import parse_symbol
from strategies.model.lifecycle import OPEN_STATUSES, OrderStatus
from strategies.model.orders import Leg, OrderIntent, PositionEffect, Urgency

# An order in one of these may still do something; the others are over
UNFINISHED = OPEN_STATUSES | {OrderStatus.PLANNED, OrderStatus.ARMED}

# Parsing a symbol takes 6 us, and a book of 60 condors has 240 of them
instrument_of = lru_cache(maxsize=4096)(parse_symbol)


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


def to_intent(row: RowMapping, legs: Sequence[tuple[str, int]]) -> OrderIntent:
    """Return the intent of a row that carries its decision's ``plan_id``."""
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
