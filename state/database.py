"""The one writing connection: pragmas, checks, migrations, and SQLite's errors in our words."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path

from sqlalchemy import Connection, Engine, NullPool, create_engine
from sqlalchemy.exc import StatementError

from state.errors import LedgerCorrupt, NotALedger, StateError
from state.files import APPLICATION_ID, check_file, check_revision, ours
from state.migrations import HEAD, REVISIONS

_WAL_BYTES_MAX = 64 * 1024 * 1024
_MIGRATIONS = Path(__file__).parent / "migrations"
_OPENING: ContextVar[Path] = ContextVar("the file that is being opened")


def open_for_writing(path: Path, *, busy_timeout_ms: int) -> Connection:
    """Return a checked connection to an up-to-date ledger file, which is created if need be.

    The connection commits each statement on its own unless the caller says BEGIN.

    Raises: NotALedger, LedgerCorrupt, LedgerBusy, SchemaTooNew, StorageFailed.
    """
    check_file(path)
    with storage_errors(path):
        opening = _OPENING.set(path)
        try:
            connection = _engine().connect().execution_options(isolation_level="AUTOCOMMIT")
        finally:
            _OPENING.reset(opening)
    try:
        with storage_errors(path):
            _set_pragmas(connection, busy_timeout_ms)
            _check_contents(connection, path)
            bring_up_to_date(connection, path)
    except BaseException:
        close(connection)
        raise
    return connection


@cache
def _engine() -> Engine:
    """Return the process's one engine: statements are compiled once, whichever file they are for.

    It keeps no connection: each is opened for the file that is being opened, and closed for good.
    """
    return create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(_OPENING.get(), isolation_level=None),
        poolclass=NullPool,
    )


def close(connection: Connection) -> None:
    """Close the connection, and with it the file."""
    connection.close()


def roll_back(connection: Connection) -> None:
    """Undo the transaction, if there still is one.

    A full disk or an I/O error ends a transaction by itself; a ROLLBACK would then fail too, and
    its error would stand in the place of the one that matters.
    """
    raw = connection.connection.driver_connection
    assert isinstance(raw, sqlite3.Connection), "the engine is SQLite's"
    if raw.in_transaction:
        connection.exec_driver_sql("ROLLBACK")


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors about the file into our own, and unwrap ours; others pass."""
    try:
        yield
    except (StatementError, sqlite3.Error) as error:
        cause = error.orig if isinstance(error, StatementError) else error
        found = cause if isinstance(cause, StateError) else ours(path, cause)
        if found is None:
            raise
        raise found from error


def _set_pragmas(connection: Connection, busy_timeout_ms: int) -> None:
    for pragma in (
        f"busy_timeout = {busy_timeout_ms}",
        "trusted_schema = OFF",
        "foreign_keys = ON",
        "recursive_triggers = ON",  # else INSERT OR REPLACE slips past a DELETE trigger
        "mmap_size = 0",
        "journal_mode = WAL",
        "synchronous = FULL",
        f"journal_size_limit = {_WAL_BYTES_MAX}",
    ):
        connection.exec_driver_sql(f"PRAGMA {pragma}")


def _check_contents(connection: Connection, path: Path) -> None:
    application = connection.exec_driver_sql("PRAGMA application_id").scalar_one()
    objects = connection.exec_driver_sql("SELECT count(*) FROM sqlite_schema").scalar_one()
    if objects and application != APPLICATION_ID:
        raise NotALedger(path, "a database of another program")
    found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
    if found != "ok":
        raise LedgerCorrupt(path, str(found).splitlines()[-1])


def stored_revision(connection: Connection) -> str | None:
    """Return the schema revision of the file; None for a new one."""
    known = "SELECT count(*) FROM sqlite_schema WHERE name = 'alembic_version'"
    if not connection.exec_driver_sql(known).scalar_one():
        return None
    revision = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return None if revision is None else str(revision)


def bring_up_to_date(connection: Connection, path: Path) -> None:
    """Migrate the file to the newest revision, all or nothing; do nothing if it is there.

    Raises: SchemaTooNew.
    """
    revision = stored_revision(connection)
    if revision == HEAD:
        return
    check_revision(path, revision)
    migrate(connection, HEAD)


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
