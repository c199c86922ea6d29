"""Rolls in the ledger: what is recorded, what follows from it, and what an auditor is told."""

from dataclasses import replace
from decimal import Decimal

import pytest

from state.audit import AuditReader, Filters
from state.errors import DecisionConflict
from state.totals import read_totals
from strategies.model.lifecycle import OrderStatus
from strategies.model.orders import PositionEffect
from tests import builders
from tests.state import records
from tests.state.records import AT, SESSION

OLD = builders.condor_legs(records.LEGS)
NEW = builders.condor_legs("SPXW 20MAR20 3000/3010/3360/3370")
OPEN = records.condor_intent("plan-1", "C0001", OLD, 12)
ROLL = records.roll_intent("plan-2", "C0001", OLD, NEW, 12)


def bought(packages: int, root: str, intent=ROLL, at=AT):
    """The executions of one match of the roll: 0.45 a package."""
    prices = {
        leg.instrument: price
        for leg, price in zip(
            sorted(intent.legs, key=lambda leg: leg.instrument.symbol),
            ("3.30", "2.40", "2.10", "1.65"),
            strict=True,
        )
    }
    return tuple(
        records.fill(
            intent.client_order_id,
            leg.instrument.symbol,
            leg.ratio * packages,
            prices[leg.instrument],
            root=f"{root}.{n}",
            commission=str(Decimal("1.15") * packages),
            at=at,
        )
        for n, leg in enumerate(intent.legs)
    )


@pytest.fixture
def held(ledger):
    """A ledger that holds twelve condors and has decided to roll them."""
    with ledger.transaction() as tx:
        records.record(
            tx,
            records.plan(opens=[records.condor_open("C0001", OLD, 12)], orders=[OPEN]),
        )
        records.sent(tx, OPEN)
        for fill in records.condor_fills(OPEN, 12, root="0a"):
            tx.record_fill(fill)
    with ledger.transaction() as tx:
        change = records.condor_adjust("C0001", "C0001-1", NEW, 12)
        records.record(
            tx,
            records.plan("plan-2", at=records.minutes(15), orders=[ROLL], adjusts=[change]),
        )
        records.sent(tx, ROLL, records.minutes(15))
    return ledger


def book(ledger):
    return {condor.condor_id: condor for condor in ledger.book(AT).condors}


def condors_counted(ledger):
    totals = read_totals(ledger)
    return totals.condors_opened, totals.condors_closed, totals.condors_open


def test_c10_a_partial_fill_leaves_both_in_the_book(held):
    assert list(book(held)) == ["C0001"]
    with held.transaction() as tx:
        for fill in bought(5, "0b", at=records.minutes(16)):
            tx.record_fill(fill)
    old, new = book(held)["C0001"], book(held)["C0001-1"]
    assert (old.quantity, new.quantity) == (7, 5)
    assert (old.legs, new.legs) == (OLD, NEW)
    assert (old.adjustments, new.adjustments) == (0, 1)
    assert (old.rolled_on, new.rolled_on) == (None, SESSION)
    assert condors_counted(held) == (1, 0, 1)
    assert new.entry_credit == old.entry_credit + Decimal("0.45")
    assert (new.opened_at, new.entry_spot) == (old.opened_at, 3250.0)
    assert held.open_condor_ids() == {"C0001"}
    assert held.rebuild_projections_and_compare() == ()


def test_c10_every_attempt_at_a_roll_moves_condors_to_the_same_one(held):
    second = replace(ROLL, quantity=7, attempt=2)
    with held.transaction() as tx:
        for fill in bought(5, "0b"):
            tx.record_fill(fill)
        tx.record_order_event(ROLL.client_order_id, AT, OrderStatus.CANCELLED, filled=5)
        tx.record_intent(second, AT)
        records.sent(tx, second)
        for fill in bought(7, "0c", second):
            tx.record_fill(fill)
    assert [(name, each.quantity) for name, each in book(held).items()] == [("C0001-1", 12)]
    assert held.realised_pnl().condors_usd == 0
    assert held.rebuild_projections_and_compare() == ()


def test_c10_a_corrected_entry_carries_over_into_what_it_was_rolled_into(held):
    with held.transaction() as tx:
        for fill in bought(12, "0b"):
            tx.record_fill(fill)
    before = book(held)["C0001-1"].entry_credit
    first = records.condor_fills(OPEN, 12, root="0a")[1]  # the short put
    with held.transaction() as tx:
        tx.record_fill(replace(first, revision=2, price=first.price + Decimal("0.10")))
    assert book(held)["C0001-1"].entry_credit == before + Decimal("0.10")
    assert held.rebuild_projections_and_compare() == ()


def test_c10_the_close_of_a_rolled_condor_is_its_own(held):
    close = records.condor_intent("plan-3", "C0001-1", NEW, 12, effect=PositionEffect.CLOSE)
    with held.transaction() as tx:
        for fill in bought(12, "0b"):
            tx.record_fill(fill)
        records.record(tx, records.plan("plan-3", at=records.minutes(30), orders=[close]))
        records.sent(tx, close, records.minutes(30))
        for fill in records.condor_fills(
            close, 12, root="0d", prices=("1.00", "1.30", "0.80", "0.60"), at=records.minutes(31)
        ):
            tx.record_fill(fill)
    assert book(held) == {}
    assert condors_counted(held) == (1, 1, 0)
    expected = 12 * 100 * (Decimal("1.15") + Decimal("0.45") - Decimal("0.50"))
    assert held.realised_pnl().condors_usd == expected
    assert held.rebuild_projections_and_compare() == ()


def test_c10_an_id_is_given_to_one_roll_only(held):
    again = records.condor_adjust("C0001", "C0001-1", OLD, 3)
    with pytest.raises(DecisionConflict), held.transaction() as tx:
        records.record(tx, records.plan("plan-9", at=records.minutes(45), adjusts=[again]))


def test_c10_an_auditor_sees_what_became_of_what(held):
    with held.transaction() as tx:
        for fill in bought(5, "0b"):
            tx.record_fill(fill)
    with AuditReader.open(held.path) as audit:
        rows = {row["condor"]: row for row in audit.condors().records()}
        (decision,) = [row for row in audit.decisions().records() if row["plan_id"] == "plan-2"]
        family = audit.condors(Filters(condor="C0001")).records()
        why = audit.why(ROLL.client_order_id)
        positions = {row["symbol"]: row for row in audit.positions().records()}
    old, new = rows["C0001"], rows["C0001-1"]
    assert (new["rolled_from"], new["adjustments"], new["note"]) == ("C0001", 1, "calls in")
    assert (old["rolled_quantity"], new["opened_quantity"]) == (5, 5)
    assert Decimal(old["rolled_cash_usd"]) == 5 * Decimal("115.00")
    assert Decimal(new["entry_cash_usd"]) == 5 * Decimal("160.00")
    assert (new["short_ratio"], new["long_ratio"], new["rolled_on"]) == (1, 1, "2020-02-03")
    fees = [Decimal(each["fees_usd"]) for each in (old, new)]
    assert fees == [12 * 4 * Decimal("1.15"), 5 * 4 * Decimal("1.15")]
    assert (decision["opens"], decision["rolls"]) == (0, 1)
    assert {row["condor"] for row in family} == {"C0001", "C0001-1"}
    assert why.condor["condor"] == "C0001"
    assert positions[NEW.short_call.symbol]["condors"] == "C0001-1"
    assert set(positions[OLD.short_put.symbol]["condors"].split(",")) == {"C0001", "C0001-1"}


def test_c5_ratios_are_kept(ledger):
    legs = replace(OLD, short_ratio=2, long_ratio=3)
    intent = records.condor_intent("plan-1", "C0001", legs, 4)
    with ledger.transaction() as tx:
        records.record(
            tx,
            records.plan(opens=[records.condor_open("C0001", legs, 4)], orders=[intent]),
        )
        records.sent(tx, intent)
        for fill in records.condor_fills(intent, 3, root="0a"):
            tx.record_fill(fill)
    (condor,) = ledger.book(AT).condors
    assert (condor.legs, condor.quantity) == (legs, 3)
    assert condor.entry_credit == 2 * (Decimal("3.80") + Decimal("2.10")) - 3 * (
        Decimal("3.10") + Decimal("1.65")
    )
