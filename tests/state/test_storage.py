"""The file itself: one writer, nothing rewritten, nothing half done, clear words when it is bad."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from state.audit import AuditReader
from state.database import APPLICATION_ID
from state.errors import (
    BindingMismatch,
    InstanceRunning,
    LeaseLost,
    LedgerBehindAnchor,
    LedgerBusy,
    LedgerCorrupt,
    NotALedger,
    SchemaTooNew,
    StorageFailed,
)
from state.ledger import Ledger
from state.tables import APPEND_ONLY
from strategies.model.breaks import Resolution
from strategies.model.lifecycle import OrderStatus
from strategies.model.plan import CondorClose
from tests import builders
from tests.state import records
from tests.state.records import AT, record, sent

LEGS = builders.condor_legs(records.LEGS)
CHECKOUT = Path(__file__).resolve().parents[2]


def fill_every_table(ledger: Ledger) -> None:
    """Write at least one row into each append-only table."""
    condor = records.condor_intent("plan-1", "C0001", LEGS, 3)
    with ledger.transaction() as tx:
        record(
            tx,
            records.plan(
                opens=[records.condor_open("C0001", LEGS, 3)],
                orders=[condor],
                gates=[records.gate()],
                layers=[records.layer()],
            ),
        )
        sent(tx, condor)
        for fill in records.condor_fills(condor, 3, root="e"):
            tx.record_fill(fill)
        tx.record_cash_movement(records.deposit())
        tx.complete_interval("plan-1", AT)
        tx.record_job_run("interval", AT, AT, AT, "ran")
        tx.set_system_state(ledger.system_state().state, AT, None, "start", by="bot")
        tx.record_override(records.override(), AT)
        tx.record_config_edit(records.RUN, AT, records.EDIT)
        tx.record_denial(condor, AT, reason="LIMIT", detail="too many orders")
        records.walk_step(tx, condor)
        tx.record_external_fill(records.external_fill(condor.legs[0].instrument.symbol, 0))
        tx.adopt_external_fill("x1", AT, condor_id="C0001", layer=None, by="alice", reason="mine")
        tx.open_break(records.BREAK)
        tx.resolve_break(records.BREAK.break_id, AT, Resolution.GONE, by="bot", reason="agrees")
        tx.set_lock(records.LOCK, by="bot")
        tx.release_lock(records.LOCK.lock_id, AT, by="alice", reason="looked at it")
    closing = CondorClose(condor_id="C0001", rules=("C9",), mark_debit=None, note="")
    with ledger.transaction() as tx:
        record(tx, records.plan("plan-2", at=records.minutes(15), closes=[closing]))


# --- append-only ------------------------------------------------------------------------------


def test_no_record_can_be_changed_or_removed(ledger):
    fill_every_table(ledger)
    connection = ledger._connection
    for row in APPEND_ONLY:
        table = str(row.__tablename__)
        key = row.__table__.primary_key.columns.values()[0].name
        count = connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one()
        assert count > 0, f"{table} has nothing to protect in this test"
        for statement in (
            f"UPDATE {table} SET {key} = {key}",
            f"DELETE FROM {table}",
            f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}",
        ):
            with pytest.raises(IntegrityError, match=f"{table} is append-only"):
                connection.exec_driver_sql(statement)
        left = connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one()
        assert left == count


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE order_states SET status = 'HAPPY'",
        "UPDATE order_states SET limit_price_micros = 0.5 WHERE 0 = 1 OR 1 = 1",
        "INSERT INTO positions VALUES ('VIX   200318C00025000', 0)",
        "INSERT INTO cash_movements VALUES ('m', 'GIFT', NULL, 0, NULL, 1, 'x', 'y')",
        "INSERT INTO cash_movements VALUES ('m', 'DEPOSIT', NULL, 0, NULL, 1.5, 'x', 'y')",
        "INSERT INTO cash_movements VALUES ('m', 'DEPOSIT', NULL, 0, NULL, 'ten', 'x', 'y')",
        "INSERT INTO cash_movements VALUES ('m', 'SETTLEMENT', NULL, 1, NULL, 1, 'x', 'y')",
        "INSERT INTO cash_movements VALUES ('m', 'DEPOSIT', NULL, 3, NULL, 1, 'x', 'y')",
        "INSERT INTO system_states VALUES (9, 'x', 'HALTED', NULL, '', '')",
        "INSERT INTO binding VALUES (2, 'live', 'U1', 'x')",
        "INSERT INTO completions VALUES (12345, 'x')",
        "UPDATE condor_states SET quantity = 99",
    ],
)
def test_rows_that_make_no_sense_are_refused_by_the_database_itself(ledger, statement):
    fill_every_table(ledger)
    if "limit_price" in statement:
        statement = "UPDATE hedges SET average_cost_micros = 0.5"
        ledger._connection.exec_driver_sql("INSERT INTO hedges VALUES ('VX', 1, 1, NULL, 0)")
    with pytest.raises(IntegrityError):
        ledger._connection.exec_driver_sql(statement)


def test_the_connection_is_set_to_lose_nothing(ledger):
    wanted = {
        "journal_mode": "wal",
        "synchronous": 2,  # FULL
        "foreign_keys": 1,
        "trusted_schema": 0,
        "recursive_triggers": 1,
        "mmap_size": 0,
        "busy_timeout": 50,
        "application_id": APPLICATION_ID,
    }
    for pragma, value in wanted.items():
        found = ledger._connection.exec_driver_sql(f"PRAGMA {pragma}").scalar_one()
        assert found == value, pragma


def test_every_transaction_waits_for_the_disk_unless_told_otherwise(path, ledger, tmp_path):
    level = "PRAGMA synchronous"
    for durable, expected in ((True, 2), (False, 1), (False, 1), (True, 2)):
        with ledger.transaction(durable=durable):
            assert ledger._connection.exec_driver_sql(level).scalar_one() == expected
    with ledger.transaction(durable=False) as tx:
        tx.record_cash_movement(records.deposit())
    with records.open_ledger(copy_as_killed(path, tmp_path / "killed")) as after:
        assert after.cash_usd() == 1_000_000  # a killed process loses nothing all the same


# --- one writer -------------------------------------------------------------------------------


def test_a_second_instance_is_told_who_has_the_ledger(path, ledger):
    with pytest.raises(InstanceRunning, match=str(os.getpid())) as refusal:
        records.open_ledger(path)
    assert refusal.value.pid == os.getpid()
    assert refusal.value.since == "2020-02-03T15:00:00.000000Z"


def test_a_second_process_is_kept_out_and_the_lease_dies_with_its_holder(path):
    script = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from tests.state import records\n"
        "ledger = records.open_ledger(Path(sys.argv[1]))\n"
        "print('ready', flush=True)\n"
        "sys.stdin.read()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(path)],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout.readline() == "ready\n"
        with pytest.raises(InstanceRunning, match=f"process {holder.pid}"):
            records.open_ledger(path)
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.communicate()
    with records.open_ledger(path) as ledger:
        assert ledger.epoch == 3  # the template's, the killed process's, and ours


def test_a_writer_whose_lease_was_taken_over_cannot_commit(path, ledger):
    with ledger.transaction() as tx:
        tx.record_cash_movement(records.deposit())
    usurper = sqlite3.connect(path)
    usurper.execute("INSERT INTO leases VALUES (99, 1, '2020-02-03T16:00:00.000000Z')")
    usurper.commit()
    usurper.close()
    with pytest.raises(LeaseLost, match="lease 99"), ledger.transaction() as tx:
        tx.complete_interval("plan-1", AT)
    assert ledger.cash_usd() == 1_000_000


def test_closing_gives_the_lease_back(path):
    for _ in range(2):
        records.open_ledger(path).close()
    ledger = records.open_ledger(path)
    ledger.close()
    ledger.close()


def test_a_refused_opening_leaves_no_lease_behind(path):
    with pytest.raises(BindingMismatch):
        Ledger.open(path, mode="ib_live", account="U1", now=AT)
    records.open_ledger(path).close()


def test_a_ledger_belongs_to_one_mode_and_account(path):
    """Fault E7: a paper account's database is used with a live one."""
    with pytest.raises(BindingMismatch, match="mode simulated, account SIM1") as refusal:
        Ledger.open(path, mode="simulated", account="DU12345", now=AT)
    assert refusal.value.bound_account == "SIM1"
    assert refusal.value.wanted_account == "DU12345"


def test_a_locked_database_is_waited_for_only_so_long(path, ledger):
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(LedgerBusy, match="locked"), ledger.transaction():
        pytest.fail("the lock was not seen")
    other.execute("ROLLBACK")
    other.close()
    with ledger.transaction() as tx:
        tx.record_cash_movement(records.deposit())


def test_opening_a_locked_database_says_so(path):
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(LedgerBusy, match="locked"):
        records.open_ledger(path)
    other.close()


# --- files that are something else ------------------------------------------------------------


def test_a_file_that_is_no_database_is_left_alone(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("buy low, sell high")
    with pytest.raises(NotALedger, match="not a SQLite database"):
        records.open_ledger(path)
    assert path.read_text() == "buy low, sell high"


def test_a_folder_is_no_ledger(tmp_path):
    folder = tmp_path / "folder.db"
    folder.mkdir()
    with pytest.raises(NotALedger, match="not a file"):
        records.open_ledger(folder)


def test_a_database_of_another_program_is_left_alone(tmp_path):
    path = tmp_path / "other.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE recipes (name)")
    other.commit()
    other.close()
    with pytest.raises(NotALedger, match="another program"):
        records.open_ledger(path)
    other = sqlite3.connect(path)
    tables = other.execute("SELECT name FROM sqlite_schema").fetchall()
    other.close()
    assert tables == [("recipes",)]


def test_a_ledger_of_a_newer_version_is_refused(path):
    newer = sqlite3.connect(path)
    newer.execute("UPDATE alembic_version SET version_num = '0999'")
    newer.commit()
    newer.close()
    with pytest.raises(SchemaTooNew, match="0999") as refusal:
        records.open_ledger(path)
    assert refusal.value.revision == "0999"


def test_a_damaged_ledger_is_noticed_when_it_is_opened(path):
    with records.open_ledger(path) as ledger:
        fill_every_table(ledger)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2)
        file.write(os.urandom(size // 4))
    with pytest.raises(LedgerCorrupt, match="damaged"):
        records.open_ledger(path)


def test_an_empty_file_becomes_a_ledger(tmp_path):
    path = tmp_path / "empty.db"
    path.touch()
    with records.open_ledger(path) as ledger:
        assert ledger.last_decision() is None


def test_missing_folders_are_made(tmp_path):
    path = tmp_path / "var" / "sim" / "new.db"
    records.open_ledger(path).close()
    assert path.exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(StorageFailed, match="ermission"):
        records.open_ledger(tmp_path / "new.db")


# --- kills ------------------------------------------------------------------------------------


def copy_as_killed(path: Path, where: Path) -> Path:
    """Return what the disk has at this moment: database and log, but no process."""
    where.mkdir()
    for file in path.parent.glob(path.name + "*"):
        if not file.name.endswith(("-shm", ".lock")):
            shutil.copy(file, where / file.name)
    return where / path.name


def test_a_kill_in_the_middle_of_a_transaction_loses_that_transaction_only(path, ledger, tmp_path):
    intent = records.hedge_intent("plan-1")
    symbol = intent.legs[0].instrument.symbol
    with ledger.transaction() as tx:
        record(tx, records.plan(orders=[intent]))
        sent(tx, intent)
    with ledger.transaction() as tx:
        tx.record_fill(records.fill(intent.client_order_id, symbol, 4, "0.50", root="e1"))
        tx.record_order_event(intent.client_order_id, AT, OrderStatus.PARTIALLY_FILLED, filled=4)
        tx.refresh_projections()
        killed = copy_as_killed(path, tmp_path / "killed")
    with records.open_ledger(killed) as after:
        assert after.positions() == {}
        (order,) = after.open_intents()
        assert (order.status, order.filled_quantity) == (OrderStatus.LIVE, 0)
        assert not after.last_decision().completed
        assert after.rebuild_projections_and_compare() == ()
        with after.transaction() as tx:  # the broker reports the fill again
            assert tx.record_fill(
                records.fill(intent.client_order_id, symbol, 4, "0.50", root="e1")
            )
        assert after.positions() == {symbol: 4}


def test_a_kill_between_any_two_transactions_loses_nothing(path, ledger, tmp_path):
    intent = records.hedge_intent("plan-1")
    symbol = intent.legs[0].instrument.symbol
    with ledger.transaction() as tx:
        record(tx, records.plan(orders=[intent]))
        sent(tx, intent)
    for number in range(1, 4):
        with ledger.transaction() as tx:
            tx.record_fill(
                records.fill(intent.client_order_id, symbol, 1, "0.50", root=f"e{number}")
            )
        killed = copy_as_killed(path, tmp_path / f"killed-{number}")
        with records.open_ledger(killed) as after:
            assert after.positions() == {symbol: number}
            assert after.cash_usd() == number * (Decimal("-50.00") - Decimal("0.65"))


def test_a_log_cut_off_anywhere_is_noticed_and_holds_an_exact_earlier_state(path, ledger, tmp_path):
    """Fault C3: SQLite opens what is left of the log without a word; the anchor knows better."""
    intent = records.hedge_intent("plan-1")
    symbol = intent.legs[0].instrument.symbol
    with ledger.transaction() as tx:
        record(tx, records.plan(orders=[intent]))
    for number in range(1, 6):
        with ledger.transaction() as tx:
            tx.record_fill(
                records.fill(intent.client_order_id, symbol, 1, "0.50", root=f"e{number}")
            )
    log = path.with_name(path.name + "-wal").read_bytes()
    seen = set()
    for index, length in enumerate(range(len(log), 0, -len(log) // 12)):
        killed = copy_as_killed(path, tmp_path / f"cut-{index}")
        killed.with_name(killed.name + "-wal").write_bytes(log[:length])
        if index:
            with pytest.raises(LedgerBehindAnchor, match="something was lost"):
                records.open_ledger(killed)
        killed.with_name(killed.name + ".anchor").unlink()
        with records.open_ledger(killed) as after:
            count = len(after.fills_since(AT))
            assert after.positions() == ({symbol: count} if count else {})
            assert after.rebuild_projections_and_compare() == ()
        seen.add(count)
    assert max(seen) == 5
    assert len(seen) > 2


# --- projections that went wrong --------------------------------------------------------------


def test_a_projection_that_was_tampered_with_is_named(ledger):
    fill_every_table(ledger)
    connection = ledger._connection
    symbol = LEGS.long_put.symbol
    for statement in (
        f"UPDATE positions SET net_contracts = 7 WHERE symbol = '{symbol}'",
        f"DELETE FROM positions WHERE symbol = '{LEGS.short_put.symbol}'",
        "INSERT INTO positions VALUES ('VX    200318', 4)",
        "UPDATE condor_states SET realised_usd_micros = 5000000",
        "INSERT INTO hedge_cash VALUES ('2020-02-03', 1)",
    ):
        connection.exec_driver_sql(statement)
    assert [str(difference) for difference in ledger.rebuild_projections_and_compare()] == [
        "positions SPXW  200320P03000000: net_contracts is 7, should be 3",
        "positions SPXW  200320P03010000: is missing",
        "positions VX    200318: should not be there",
        "condor_states C0001: realised_usd is 5.00, should be 0.00",
        "hedge_cash 2020-02-03: should not be there",
    ]


@pytest.mark.parametrize("at_commit", [False, True])
def test_a_full_disk_is_said_in_one_line_and_the_ledger_goes_on_afterwards(ledger, at_commit):
    """SQLite ends the transaction by itself; the error that counts is the first one."""
    connection = ledger._connection
    pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    if at_commit:
        connection.exec_driver_sql(
            "CREATE TABLE child (parent REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED)"
        )
        connection.exec_driver_sql("CREATE TABLE parents (id PRIMARY KEY)")
        with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"), ledger.transaction():
            connection.exec_driver_sql("INSERT INTO child VALUES (1)")
    else:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StorageFailed, match="full"), ledger.transaction() as tx:
            tx.record_job_run("large", AT, AT, AT, "ran", "x" * 1_000_000)
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages * 1000}")
    assert not connection.connection.driver_connection.in_transaction
    with ledger.transaction() as tx:
        tx.record_job_run("afterwards", AT, AT, AT, "ran")
    jobs = "SELECT count(*) FROM job_runs"
    assert connection.exec_driver_sql(jobs).scalar_one() == 1


@pytest.mark.parametrize("offset", range(40, 60))
@pytest.mark.parametrize("value", [0x00, 0x07, 0xFF])
def test_a_header_whose_numbers_make_no_sense_never_surprises(path, offset, value):
    """Every byte of schema, cache, vacuum and encoding: read, or refused in our words."""
    data = bytearray(path.read_bytes())
    data[offset] = value
    path.write_bytes(bytes(data))
    for attempt in (
        lambda: AuditReader.open(path).close(),
        lambda: records.open_ledger(path).close(),
    ):
        try:
            attempt()
        except (LedgerCorrupt, NotALedger):
            path.write_bytes(bytes(data))


def test_an_unsupported_schema_format_is_a_damaged_file(path):
    data = bytearray(path.read_bytes())
    data[47] = 0xFF
    path.write_bytes(bytes(data))
    with pytest.raises(LedgerCorrupt, match="unsupported file format"):
        AuditReader.open(path)
    with pytest.raises(LedgerCorrupt, match="unsupported file format"):
        records.open_ledger(path)
