"""The book as the projections have it: condors, hedges, orders at work, and what hedging cost."""

import sqlite3
from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from functools import cache

from sqlalchemy import bindparam, func, select

from state.amounts import from_micros
from state.columns import among
from state.decisions import Row
from state.orders import instrument_of, legs_of
from state.statements import Statement
from state.tables import (
    LEG_NAMES,
    CashMovementRow,
    CondorRow,
    CondorStateRow,
    HedgeCashRow,
    HedgeRow,
    OrderRow,
    OrderStateRow,
    PositionRow,
    columns_of,
    table_of,
)
from strategies.model.book import (
    CondorLegs,
    CondorPosition,
    HedgePosition,
    LoosePosition,
    WorkingOrder,
)
from strategies.model.fills import CashKind
from strategies.model.ids import ClientOrderId
from strategies.model.instruments import OptionContract
from strategies.model.lifecycle import OPEN_STATUSES, OrderStatus

HEDGE_COST_DAYS = 365  # G1
OPEN_CONDORS = ("OPEN", "CLOSING")

_CONDORS = table_of(CondorRow)
_CONDOR_STATES = table_of(CondorStateRow)
_HEDGES = table_of(HedgeRow)
_HEDGE_CASH = table_of(HedgeCashRow)
_ORDERS = table_of(OrderRow)
_STATES = table_of(OrderStateRow)
_POSITIONS = table_of(PositionRow)
_MOVEMENTS = table_of(CashMovementRow)


def open_condors(
    connection: sqlite3.Connection, known_legs: dict[str, CondorLegs]
) -> tuple[CondorPosition, ...]:
    """Return the condors that are held; legs, which never change, are kept in ``known_legs``."""
    return tuple(
        CondorPosition(
            condor_id=row["condor_id"],
            legs=known_legs.get(row["condor_id"])
            or known_legs.setdefault(row["condor_id"], _legs(row)),
            quantity=row["whole_quantity"],
            entry_credit=row["entry_credit"],
            opened_at=row["opened_at"],
            entry_spot=row["entry_spot"],
            entry_sigma_sqrt_t=row["entry_sigma_sqrt_t"],
            adjustments=row["adjustments"],
            rolled_on=row["rolled_on"],
        )
        for row in _condors_query().rows(connection)
    )


def held_hedges(connection: sqlite3.Connection) -> tuple[HedgePosition, ...]:
    """Return every VIX instrument that is held."""
    return tuple(
        HedgePosition(
            instrument=instrument_of(row["symbol"]),
            net_contracts=row["net_contracts"],
            average_cost=row["average_cost"],
            opened_on=row["opened_on"],
        )
        for row in _hedges_query().rows(connection)
    )


def loose_positions(
    connection: sqlite3.Connection,
    condors: Sequence[CondorPosition],
    hedges: Sequence[HedgePosition],
    session: date,
) -> tuple[LoosePosition, ...]:
    """Return what the account should hold beyond whole condors and hedges, by symbol.

    A leg that has settled is not missing, nor one that two condors held on opposite sides: such a
    leg ends with its day and without a settlement.
    """
    net = Counter(net_contracts(connection))
    loose = net.copy()
    for condor in condors:
        for contract, ratio in condor.legs.signed():
            loose[contract.symbol] -= ratio * condor.quantity
    for hedge in hedges:
        loose[hedge.instrument.symbol] -= hedge.net_contracts
    left = sorted(symbol for symbol, count in loose.items() if count)
    gone = {symbol for (symbol,) in _settled_query().tuples(connection, ids=left)} if left else ()
    return tuple(
        LoosePosition(instrument=instrument_of(symbol), net_contracts=loose[symbol])
        for symbol in left
        if net[symbol] or not (symbol in gone or instrument_of(symbol).expiry < session)
    )


def net_contracts(connection: sqlite3.Connection) -> dict[str, int]:
    """Return net contracts of the account by symbol, without zeros."""
    return dict(_positions_query().tuples(connection))


def working_orders(connection: sqlite3.Connection) -> tuple[WorkingOrder, ...]:
    """Return every order that may still trade."""
    rows = _working_query().rows(connection)
    legs = legs_of(connection, [row["client_order_id"] for row in rows])
    return tuple(
        WorkingOrder(
            client_order_id=ClientOrderId(row["client_order_id"]),
            purpose=row["purpose"],
            status=OrderStatus(row["status"]),
            legs=tuple(legs[row["client_order_id"]]),
            leaves_quantity=row["leaves"],
            limit_price=row["limit_price"],
            layer=row["layer"],
            condor_id=row["condor_id"],
        )
        for row in rows
    )


def hedge_cost(connection: sqlite3.Connection, session: date) -> Decimal:
    """Return what hedging cost on the 365 dates that end with ``session``; a cost is > 0."""
    days = {"after": session - timedelta(days=HEDGE_COST_DAYS), "until": session}
    received: Decimal | None = _hedge_cash_query().scalar(connection, **days)
    return -received if received else from_micros(0)


def _legs(row: Row) -> CondorLegs:
    long_put, short_put, short_call, long_call = (_option(row[name]) for name in LEG_NAMES)
    return CondorLegs(
        long_put=long_put,
        short_put=short_put,
        short_call=short_call,
        long_call=long_call,
        short_ratio=row["short_ratio"],
        long_ratio=row["long_ratio"],
    )


def _option(symbol: str) -> OptionContract:
    instrument = instrument_of(symbol)
    assert isinstance(instrument, OptionContract), f"{symbol} is no option"
    return instrument


@cache
def _condors_query() -> Statement:
    return Statement(
        select(
            *columns_of(_CONDOR_STATES, "whole_quantity", "entry_credit", "opened_at", "rolled_on"),
            *columns_of(_CONDORS),
        )
        .join(_CONDORS, _CONDORS.c.condor_id == _CONDOR_STATES.c.condor_id)
        .where(_CONDOR_STATES.c.status.in_(OPEN_CONDORS), _CONDOR_STATES.c.whole_quantity > 0)
        .order_by(_CONDOR_STATES.c.condor_id)
    )


@cache
def _positions_query() -> Statement:
    return Statement(select(_POSITIONS.c.symbol, _POSITIONS.c.net_contracts))


@cache
def _settled_query() -> Statement:
    is_one = _MOVEMENTS.c.kind == CashKind.SETTLEMENT.value
    return Statement(select(_MOVEMENTS.c.symbol).where(is_one, among(_MOVEMENTS.c.symbol, "ids")))


@cache
def _hedges_query() -> Statement:
    held = _HEDGES.c.net_contracts != 0
    return Statement(select(*columns_of(_HEDGES)).where(held).order_by(_HEDGES.c.symbol))


@cache
def _working_query() -> Statement:
    return Statement(
        select(
            *columns_of(_ORDERS, "client_order_id", "purpose", "layer", "condor_id"),
            *columns_of(_STATES, "status", "leaves", "limit_price"),
        )
        .join(_STATES, _STATES.c.client_order_id == _ORDERS.c.client_order_id)
        .where(_STATES.c.status.in_(OPEN_STATUSES))
        .order_by(_ORDERS.c.planned_at, _ORDERS.c.sequence)
    )


@cache
def _hedge_cash_query() -> Statement:
    return Statement(
        select(func.sum(_HEDGE_CASH.c.cash_flow_usd)).where(
            _HEDGE_CASH.c.session > bindparam("after"), _HEDGE_CASH.c.session <= bindparam("until")
        )
    )
