"""A ledger of a version that knew no chain: brought up to date, and held to what it was before."""

import shutil
import sqlite3
from contextlib import closing
from datetime import timedelta
from decimal import Decimal

import pytest

from state.anchors import anchor_path
from state.database import close, migrate, open_for_writing
from state.verification import verify
from strategies.model.lifecycle import OrderStatus
from tests import builders
from tests.state import records
from tests.state.records import AT, record

LEGS = builders.condor_legs(records.LEGS)
FIRST = "0001"
LATER = AT + timedelta(days=1)


def write_what_that_version_knew(ledger, *, even=True):
    """Write a condor with its close, a hedge, cash, and what belongs to a day."""
    condor = records.condor_intent("plan-1", "C0001", LEGS, 3)
    hedge = records.hedge_intent("plan-1")
    with ledger.transaction() as tx:
        opens = [records.condor_open("C0001", LEGS, 3)]
        record(
            tx,
            records.plan(
                opens=opens,
                orders=[condor, hedge],
                gates=[records.gate()],
                layers=[records.layer()],
            ),
        )
        for intent in (condor, hedge):
            records.sent(tx, intent)
        fills = records.condor_fills(condor, 3, root="e")
        if not even:
            fills = (fills[0], *records.condor_fills(condor, 2, root="f")[1:])
        for fill in fills:
            tx.record_fill(fill)
        symbol = hedge.legs[0].instrument.symbol
        tx.record_fill(records.fill(hedge.client_order_id, symbol, 4, "0.50", root="h"))
        tx.record_order_event(hedge.client_order_id, AT, OrderStatus.CANCELLED)
        tx.record_cash_movement(records.deposit())
        tx.complete_interval("plan-1", AT)
        tx.record_job_run("interval", AT, AT, AT, "ran")


def bring_back(path):
    """Leave a file as the first version would have: without a chain, and without an anchor."""
    connection = open_for_writing(path, busy_timeout_ms=0)
    migrate(connection, FIRST)
    close(connection)
    anchor_path(path).unlink()


@pytest.fixture(params=[True, False], ids=["even legs", "uneven legs"])
def legacy(path, request):
    """A ledger of the first version."""
    with records.open_ledger(path) as ledger:
        write_what_that_version_knew(ledger, even=request.param)
    bring_back(path)
    return path


@pytest.fixture
def continued(legacy):
    """The same, opened by this version, which went on writing."""
    with records.open_ledger(legacy, now=LATER) as ledger:
        assert ledger.rebuild_projections_and_compare() == ()
        intent = records.hedge_intent("plan-2")
        with ledger.transaction() as tx:
            record(
                tx, records.plan("plan-2", at=LATER, orders=[intent], gates=[records.gate("C7")])
            )
            records.sent(tx, intent, LATER)
            symbol = intent.legs[0].instrument.symbol
            tx.record_fill(
                records.fill(intent.client_order_id, symbol, 2, "0.60", root="i", at=LATER)
            )
    return legacy


def wrong(path):
    return {check.name: check.findings[0].what for check in verify(path) if not check.holds}


def test_an_older_ledger_opens_says_what_it_said_and_goes_on(legacy):
    with closing(sqlite3.connect(legacy)) as before:
        held = dict(before.execute("SELECT symbol, net_contracts FROM positions").fetchall())
    with records.open_ledger(legacy) as ledger:
        assert ledger.positions() == held
        assert ledger.rebuild_projections_and_compare() == ()
        (condor,) = ledger.book(AT).condors
        assert condor.quantity == 2 + (len(ledger.book(AT).loose) == 0)


def test_its_chain_begins_with_what_it_held(continued):
    with closing(sqlite3.connect(continued)) as raw:
        kinds = [kind for (kind,) in raw.execute("SELECT kind FROM events ORDER BY seq")]
    assert kinds[:2] == ["begin_with", "take_lease"]
    assert kinds.count("record_fill") == 1
    assert kinds.count("begin_with") == 1


def test_what_stood_before_the_chain_and_after_is_rebuilt(continued):
    # The orders of that time were never told to a chain: that they were announced it cannot know
    assert wrong(continued).keys() <= {"intent before wire"}
    with records.open_ledger(continued, now=LATER) as again:
        assert again.cash_usd() > Decimal(0)
    assert wrong(continued).keys() <= {"intent before wire"}


@pytest.mark.parametrize(
    ("table", "statement"),
    [
        (
            "fills",
            "UPDATE fills SET executed_at = replace(executed_at, 'T', ' ') WHERE exec_root = 'h'",
        ),
        ("gate_results", "UPDATE gate_results SET note = 'otherwise' WHERE decision_id = 1"),
        ("order_legs", "UPDATE order_legs SET ratio = ratio * 2 WHERE position = 0"),
        ("job_runs", "DELETE FROM job_runs"),
    ],
)
def test_what_stood_before_the_chain_cannot_be_changed_unseen(
    continued, tmp_path, table, statement
):
    copy = tmp_path / "changed.db"
    shutil.copy(continued, copy)
    with closing(sqlite3.connect(copy)) as raw:
        for verb in ("update", "delete"):
            raw.execute(f"DROP TRIGGER {table}_refuse_{verb}")
        raw.execute(statement)
        raw.commit()
    assert f"{table}: rows are not what they were" in wrong(copy)["tables"]
