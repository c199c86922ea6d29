"""From one schema to the next: on a copy, which takes the file's place once it is proved.

The file itself is not touched until then. The copy is migrated in one transaction, checked
(SQLite's own check, references, that no record is gone, projections against records, and the chain
of events), written through to the disk, and renamed over the file, which stays beside it under a
name of its own. Whatever fails on the way leaves the file as it was.
"""

import os
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, func, select
from sqlalchemy.exc import SQLAlchemyError

from state import chain
from state.connections import (
    check_contents,
    close,
    connect,
    raw_of,
    roll_back,
    set_pragmas,
    storage_errors,
)
from state.errors import BindingMismatch, LedgerBusy, LedgerCorrupt, MigrationFailed, StateError
from state.files import (
    APPLICATION_ID,
    check_file,
    check_file_system,
    check_revision,
    reach_disk,
)
from state.migrations import HEAD, REVISIONS
from state.projector import compare, write_columns
from state.tables import APPEND_ONLY, PROJECTIONS, table_of

# Of a revision, or of the copy; whatever else happens, the file is as it was
_FAILURES = (StateError, SQLAlchemyError, sqlite3.Error, OSError, AssertionError, ValueError)
_MIGRATIONS = Path(__file__).parent / "migrations"


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrade:
    """What became of a file of an older schema."""

    before: str
    after: str
    records: Mapping[str, int]  # rows of each table of records, the same before and after
    kept: Path  # the file as it was


def stored_revision(connection: Connection) -> str | None:
    """Return the schema revision of the file; None for a new one."""
    known = "SELECT count(*) FROM sqlite_schema WHERE name = 'alembic_version'"
    if not connection.exec_driver_sql(known).scalar_one():
        return None
    revision = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return None if revision is None else str(revision)


def needs_upgrade(connection: Connection, path: Path) -> bool:
    """Return whether the file holds an older schema; raises SchemaTooNew."""
    revision = stored_revision(connection)
    check_revision(path, revision)
    return revision is not None and revision != HEAD


def bring_up_to_date(connection: Connection, path: Path) -> None:
    """Make the tables of a new file; do nothing if they are there.

    Raises: SchemaTooNew.
    """
    revision = stored_revision(connection)
    check_revision(path, revision)
    if revision != HEAD:
        migrate(connection, HEAD)


def upgrade_file(
    path: Path, *, busy_timeout_ms: int, head: str = HEAD, versions: tuple[Path, ...] = ()
) -> Upgrade:
    """Migrate a file of an older schema on a copy, and let the copy take its place.

    The caller has the lease of the file; nobody may have it open, not even for reading.

    Args:
        path: The ledger.
        busy_timeout_ms: How long a reader is waited for.
        head: Where to.
        versions: Further folders of revisions.

    Raises: MigrationFailed, LedgerBusy, LedgerCorrupt, StorageFailed; the file is then as it was.
    """
    copy = path.with_name(f"{path.name}.migrating")
    _forget(copy)
    try:
        with storage_errors(path):
            before, counts = _copy_whole(path, copy, busy_timeout_ms)
        try:
            _migrate_copy(copy, counts, head, versions)
        except LedgerBusy:
            raise
        except _FAILURES as cause:
            raise MigrationFailed(path, to=head, cause=cause) from cause
        kept = _swap(path, copy, before)
    finally:
        _forget(copy)
    return Upgrade(before=before, after=head, records=counts, kept=kept)


def migrate(connection: Connection, revision: str, *, versions: tuple[Path, ...] = ()) -> None:
    """Move the schema up or down to ``revision`` (or ``"base"``) in one transaction.

    ``versions`` are further folders of revisions.
    """
    from alembic import command  # 0.1 to 1.3 s to load, and seldom needed
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.set_main_option("path_separator", "newline")
    folders = (_MIGRATIONS / "versions", *versions)
    config.set_main_option("version_locations", "\n".join(str(folder) for folder in folders))
    config.attributes["connection"] = connection
    current = stored_revision(connection)
    down = revision == "base" or (
        current is not None
        and revision in REVISIONS
        and (current not in REVISIONS or REVISIONS.index(revision) < REVISIONS.index(current))
    )
    # Copying a table drops the old one, which foreign keys would refuse
    connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
    try:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        try:
            (command.downgrade if down else command.upgrade)(config, revision)
            connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
            assert broken is None, f"migration to {revision} broke a reference: {broken}"
        except BaseException:
            roll_back(connection)
            raise
        connection.exec_driver_sql("COMMIT")
    finally:
        connection.exec_driver_sql("PRAGMA foreign_keys = ON")


def _copy_whole(path: Path, copy: Path, busy_timeout_ms: int) -> tuple[str, dict[str, int]]:
    """Bring everything into the one file, copy it; return its revision and how much it holds.

    Without its write-ahead log a file can be renamed: a log that stays behind would be taken for
    the log of whatever file has the name next. SQLite gives the log up only while nobody reads.
    """
    with _opened(path, busy_timeout_ms) as connection:
        mode = connection.exec_driver_sql("PRAGMA journal_mode = DELETE").scalar_one()
        if mode != "delete":
            raise LedgerBusy(path)
        revision = stored_revision(connection)
        assert revision is not None, "a new file needs no copy"
        counts = _record_counts(connection)
        # Until the copy is made no other process may write, whatever it thinks of leases
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        try:
            shutil.copyfile(path, copy)
        except OSError as cause:
            raise MigrationFailed(path, to=HEAD, cause=cause) from cause
        finally:
            roll_back(connection)
    return revision, counts


def _migrate_copy(
    copy: Path, counts: Mapping[str, int], head: str, versions: tuple[Path, ...]
) -> None:
    with _opened(copy, busy_timeout_ms=0) as connection:
        set_pragmas(connection)
        before = _projected_columns(connection)
        migrate(connection, head, versions=versions)
        after = _projected_columns(connection)
        # What a revision puts there is a default: the records say what belongs there
        new = {name: columns - before.get(name, columns) for name, columns in after.items()}
        if any(new.values()):
            write_columns(raw_of(connection), new)
        check_contents(connection, copy)
        _prove(connection, copy, counts)
        connection.exec_driver_sql("PRAGMA journal_mode = DELETE")


def _projected_columns(connection: Connection) -> dict[str, frozenset[str]]:
    named = "SELECT name FROM pragma_table_info(?)"
    tables = [table_of(row).name for row in PROJECTIONS]
    return {
        table: frozenset(connection.exec_driver_sql(named, (table,)).scalars()) for table in tables
    }


def _prove(connection: Connection, copy: Path, counts: Mapping[str, int]) -> None:
    """Check that a migrated ledger says what it said before."""
    after = _record_counts(connection)
    for name, rows in counts.items():
        if after.get(name) != rows:
            raise LedgerCorrupt(copy, f"{name} had {rows} rows and has {after.get(name)}")
    bad = chain.first_bad_link(chain.events_from(raw_of(connection), 0))
    if bad is not None:
        raise LedgerCorrupt(copy, f"{bad.event} {bad.what}")
    differences = compare(connection)
    if differences:
        raise LedgerCorrupt(copy, f"projections do not follow records: {differences[0]}")


def _record_counts(connection: Connection) -> dict[str, int]:
    query = "SELECT name FROM sqlite_schema WHERE type = 'table'"
    present = {str(name) for (name,) in connection.exec_driver_sql(query)}
    return {
        table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
        for table in map(table_of, APPEND_ONLY)
        if table.name in present
    }


def _swap(path: Path, copy: Path, before: str) -> Path:
    """Give the copy the file's name; the file stays under another name, whatever happens."""
    kept = _free_name(path, before)
    try:
        reach_disk(copy)
        _keep(path, kept)
        copy.replace(path)
        reach_disk(path.parent)
    except OSError as cause:
        raise MigrationFailed(path, to=HEAD, cause=cause) from cause
    return kept


def _keep(path: Path, kept: Path) -> None:
    try:
        os.link(path, kept)
    except OSError:  # a file system without second names
        shutil.copyfile(path, kept)
        reach_disk(kept)


def _free_name(path: Path, before: str) -> Path:
    number = 1
    while (name := path.with_name(f"{path.name}.schema-{before}.{number}")).exists():
        number += 1
    return name


@contextmanager
def _opened(path: Path, busy_timeout_ms: int) -> Iterator[Connection]:
    connection = connect(path, busy_timeout_ms=busy_timeout_ms)
    try:
        yield connection
    finally:
        close(connection)


def _forget(copy: Path) -> None:
    for ending in ("", "-wal", "-shm", "-journal"):
        copy.with_name(copy.name + ending).unlink(missing_ok=True)


def upgrade_if_older(
    path: Path, *, binding: tuple[str, str], busy_timeout_ms: int
) -> Upgrade | None:
    """Bring a ledger up to date if it is an older one; None if it is up to date already.

    The caller has the lease of the file.

    Raises: NotALedger, BindingMismatch if it is another mode's or account's, SchemaTooNew, and what
        ``upgrade_file`` raises.
    """
    check_file(path)
    check_file_system(path)
    with storage_errors(path), _opened(path, busy_timeout_ms) as connection:
        check_contents(connection, path)
        if not needs_upgrade(connection, path):
            return None
        bound = connection.exec_driver_sql("SELECT mode, account FROM binding").one_or_none()
        if bound is not None and tuple(bound) != binding:
            raise BindingMismatch(path, bound=(bound[0], bound[1]), wanted=binding)
    return upgrade_file(path, busy_timeout_ms=busy_timeout_ms)
