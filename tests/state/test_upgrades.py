"""An older ledger meets a newer program: proved on a copy, swapped at once, or left as it was."""

import shutil
import sqlite3
import textwrap
from pathlib import Path

import pytest

from state.anchors import anchor_path
from state.connections import driven_by
from state.database import close, migrate, open_for_writing, stored_revision
from state.errors import BindingMismatch, LedgerBusy, MigrationFailed, StateError
from state.migrations import HEAD, REVISIONS
from state.upgrades import upgrade_file, upgrade_if_older
from tests.simulation.apsw_driver import Disk, Failure
from tests.state import records
from tests.state.test_failing_disk import Story, book_fills
from tests.state.test_storage import fill_every_table

NEXT = textwrap.dedent('''
    """Copy a table, and whatever a test has in mind besides."""

    import sqlalchemy as sa
    from alembic import op

    revision = "next"
    down_revision = "{head}"
    branch_labels = None
    depends_on = None


    def upgrade() -> None:
        with op.batch_alter_table("fills", recreate="always") as batch:
            batch.add_column(sa.Column("legs", sa.Integer(), nullable=False, server_default="1"))
        {more}


    def downgrade() -> None:
        pass
''')
HEADER_BYTES = 100  # says how the file is journalled


@pytest.fixture
def filled(path):
    """A closed ledger with something in every table."""
    with records.open_ledger(path) as ledger:
        fill_every_table(ledger)
    return path


@pytest.fixture
def upgrade(tmp_path):
    """Bring a file to a revision that does what it is told."""

    def to_next(file: Path, more: str = "pass"):
        folder = tmp_path / "versions"
        folder.mkdir(exist_ok=True)
        (folder / "next.py").write_text(NEXT.format(head=HEAD, more=more))
        return upgrade_file(file, busy_timeout_ms=0, head="next", versions=(folder,))

    return to_next


def ask(file: Path, query: str):
    connection = sqlite3.connect(file)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def revision(file: Path) -> str:
    return ask(file, "SELECT version_num FROM alembic_version")[0][0]


def test_the_copy_takes_the_files_place_and_the_file_stays_beside_it(filled, upgrade):
    fills = ask(filled, "SELECT * FROM fills ORDER BY exec_root")
    done = upgrade(filled)
    assert (done.before, done.after) == (HEAD, "next")
    assert done.records["fills"] == len(fills) > 0
    assert revision(filled) == "next"
    assert [row[:-1] for row in ask(filled, "SELECT * FROM fills ORDER BY exec_root")] == fills
    assert done.kept.name == f"{filled.name}.schema-{HEAD}.1"
    assert revision(done.kept) == HEAD
    assert not list(filled.parent.glob("*.migrating*"))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("raise ValueError('no')", "it is as it was: no"),
        ("op.execute('DELETE FROM job_runs')", "job_runs had 1 rows and has 0"),
        ("op.execute('UPDATE positions SET net_contracts = 7')", "projections do not follow"),
        ("op.execute('DELETE FROM orders')", "broke a reference"),
    ],
)
def test_a_migration_that_fails_or_loses_something_leaves_the_file_as_it_was(
    filled, upgrade, more, said
):
    before = filled.read_bytes()
    with pytest.raises(MigrationFailed, match=said):
        upgrade(filled, more)
    assert filled.read_bytes()[HEADER_BYTES:] == before[HEADER_BYTES:]
    assert not list(filled.parent.glob("*.migrating*"))
    assert not list(filled.parent.glob("*.schema-*"))
    records.open_ledger(filled).close()


def test_nobody_may_read_while_the_file_changes_places(filled, upgrade):
    connection = open_for_writing(filled, busy_timeout_ms=0)  # makes the log that readers read
    reader = sqlite3.connect(filled)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM fills").fetchone()
    close(connection)
    with pytest.raises(LedgerBusy):
        upgrade(filled)
    reader.close()
    assert revision(filled) == HEAD
    assert upgrade(filled).after == "next"


def test_what_a_killed_migration_left_behind_is_no_hindrance(filled, upgrade):
    for name in (".migrating", ".migrating-wal", f".schema-{HEAD}.1"):
        filled.with_name(filled.name + name).write_bytes(b"half")
    assert upgrade(filled).kept.name.endswith(".2")
    assert not list(filled.parent.glob("*.migrating*"))


@pytest.mark.parametrize("failure", [Failure.FULL, Failure.BROKEN, Failure.SHORT])
def test_whatever_fails_on_the_disk_there_is_one_whole_ledger(
    filled, upgrade, tmp_path, failure, record_property
):
    """Faults C7, C8 and C10: every write and sync of a migration."""
    counted = shutil.copy(filled, tmp_path / "counted.db")
    disk = Disk()
    with driven_by(disk.connect):
        upgrade(counted)
    fills = ask(filled, "SELECT count(*) FROM fills")
    kinds = {"write", "sync", "truncate"} if failure is Failure.BROKEN else {"write"}
    points = [n for n, operation in enumerate(disk.operations) if operation in kinds]
    for point in points[:: max(1, len(points) // 60)]:
        copy = Path(shutil.copy(filled, tmp_path / f"{point}.db"))
        failing = Disk(fails_at=point, failure=failure)
        with driven_by(failing.connect):
            try:
                upgrade(copy)
                wanted = "next"
            except StateError:
                wanted = HEAD
        assert revision(copy) == wanted
        assert failing.has_failed
        assert ask(copy, "PRAGMA quick_check") == [("ok",)]
        assert ask(copy, "SELECT count(*) FROM fills") == fills
    record_property("disk_faults", len(points))


@pytest.fixture
def older(path):
    """A ledger as the version before this one left it."""
    with records.open_ledger(path) as ledger:
        book_fills(ledger, Story())
    connection = open_for_writing(path, busy_timeout_ms=0)
    migrate(connection, REVISIONS[-2])
    assert stored_revision(connection) == REVISIONS[-2]
    close(connection)
    anchor_path(path).unlink()  # which that version did not know
    return path


def test_opening_an_older_ledger_does_the_same(older):
    with records.open_ledger(older) as ledger:
        assert ledger.rebuild_projections_and_compare() == ()
    assert revision(older) == HEAD
    assert revision(older.with_name(f"{older.name}.schema-{REVISIONS[-2]}.1")) == REVISIONS[-2]


def test_an_older_ledger_of_another_account_is_not_touched(older):
    before = older.read_bytes()
    with pytest.raises(BindingMismatch, match="refused for mode ib_paper"):
        upgrade_if_older(older, binding=("ib_paper", "DU1"), busy_timeout_ms=0)
    assert older.read_bytes() == before
    done = upgrade_if_older(older, binding=(records.MODE, records.ACCOUNT), busy_timeout_ms=0)
    assert done.before == REVISIONS[-2]
    assert upgrade_if_older(older, binding=("a", "b"), busy_timeout_ms=0) is None
