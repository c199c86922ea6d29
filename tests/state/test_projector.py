"""Projections of what was touched: what is asked for comes back, and nothing else is looked at."""

from datetime import timedelta

import pytest

from state import projector
from state.connections import raw_of
from state.tallies import Touched
from strategies.model.lifecycle import OrderStatus
from strategies.model.orders import PositionEffect
from tests import builders
from tests.state import records
from tests.state.records import AT, SESSION
from tests.state.test_ledger import CALL, FUTURE, buy_hedge, open_condor

NEXT_DAY = AT + timedelta(days=1)


@pytest.fixture
def traded(ledger):
    """The connection of a ledger with two condors, and hedges bought on two days."""
    for number in (1, 2):
        open_condor(ledger, f"C000{number}", plan_id=f"plan-{number}", filled=30)
    buy_hedge(ledger)
    buy_hedge(
        ledger, instrument="VX 18MAR20", quantity=1, price="17.05", plan_id="hedge-2", at=NEXT_DAY
    )
    with ledger.transaction() as tx:
        tx.record_external_fill(records.external_fill(FUTURE, 1, "17.00", root="x1"))
        tx.record_external_fill(records.external_fill(CALL, 2, root="x2", at=NEXT_DAY))
        for root in ("x1", "x2"):
            tx.adopt_external_fill(root, AT, condor_id=None, layer="L1", by="ops", reason="ours")
        tx.record_cash_movement(records.settlement(FUTURE, -2, "18", at=NEXT_DAY, multiplier=1000))
    return raw_of(ledger._connection)


def test_some_orders_are_asked_for_alone(traded):
    orders = projector.order_tallies(traded, None)
    assert len(orders) == 4
    for order_id, order in orders.items():
        assert projector.order_tallies(traded, {order_id}) == {order_id: order}


def test_some_symbols_are_asked_for_alone(traded):
    held = projector.holdings(traded, None)
    hedges = {name: each.hedge_row() for name, each in held.items() if each.is_hedge}
    assert {name: row["net_contracts"] for name, row in hedges.items()} == {CALL: 12, FUTURE: 0}
    for symbol, holding in held.items():
        (alone,) = projector.holdings(traded, {symbol}).values()
        assert alone.position_row() == holding.position_row()
        assert alone.hedge_row() == holding.hedge_row()


def test_some_condors_are_asked_for_alone(traded):
    condors = projector.condor_states(traded, None)
    assert [row["condor_id"] for row in condors] == ["C0001", "C0002"]
    for row in condors:
        assert projector.condor_states(traded, {row["condor_id"]}) == [row]


def test_some_sessions_are_asked_for_alone(traded):
    cash = projector.hedge_cash(traded, None)
    assert set(cash) == {SESSION, SESSION + timedelta(days=1)}
    for session, total in cash.items():
        assert projector.hedge_cash(traded, {session}) == {session: total}


def test_a_condor_has_a_symbol_as_any_of_its_legs(traded):
    for leg, _ in builders.condor_legs(records.LEGS).signed():
        assert projector.condors_with_leg(traded, leg.symbol) == {"C0001", "C0002"}
    assert projector.condors_with_leg(traded, CALL) == set()


def test_what_was_touched_is_something_until_it_is_forgotten():
    for name in ("symbols", "condors", "orders", "hedge_sessions"):
        touched = Touched()
        assert not touched
        getattr(touched, name).add("C0001")
        assert touched
        touched.clear()
        assert not touched


def test_a_condor_follows_its_own_orders_and_no_others(ledger):
    legs = builders.condor_legs(records.LEGS)
    names = ("C0001", "C0002")
    orders = [records.condor_intent("plan-1", name, legs, 2) for name in names]
    with ledger.transaction() as tx:
        opens = [records.condor_open(name, legs, 2) for name in names]
        records.record(tx, records.plan(opens=opens, orders=orders))
        records.sent(tx, orders[0])
        tx.record_order_event(orders[1].client_order_id, AT, OrderStatus.CANCELLED)
    assert statuses(ledger) == {"C0001": "PENDING", "C0002": "UNFILLED"}
    close = records.condor_intent(
        "plan-2", "C0001", legs, 2, effect=PositionEffect.CLOSE, limit="1.00"
    )
    with ledger.transaction() as tx:
        for fill in records.condor_fills(orders[0], 2, root="e"):
            tx.record_fill(fill)
        tx.record_order_event(orders[0].client_order_id, AT, OrderStatus.FILLED, filled=2)
        records.record(tx, records.plan("plan-2", at=NEXT_DAY, orders=[close]))
    assert statuses(ledger) == {"C0001": "OPEN", "C0002": "UNFILLED"}
    with ledger.transaction() as tx:
        records.sent(tx, close, NEXT_DAY)
    assert statuses(ledger) == {"C0001": "CLOSING", "C0002": "UNFILLED"}


def statuses(ledger):
    rows = projector.condor_states(raw_of(ledger._connection), None)
    return {row["condor_id"]: row["status"] for row in rows}
