"""Connections to a ledger's file: how they are made, set, closed, and what their errors mean."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Connection, Engine, NullPool, create_engine
from sqlalchemy.exc import StatementError

from state.errors import LedgerCorrupt, NotALedger, StateError
from state.files import APPLICATION_ID, ours

_WAL_BYTES_MAX = 64 * 1024 * 1024
_OPENING: ContextVar[Path] = ContextVar("the file that is being opened")

Driver = Callable[[Path], sqlite3.Connection]


def _standard(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)


_drivers: list[Driver] = [_standard]


@contextmanager
def driven_by(driver: Driver) -> Iterator[None]:
    """Let ``driver`` open every file inside the block: a test's disk that fails when it is told."""
    _drivers.append(driver)
    try:
        yield
    finally:
        _drivers.pop()


def connect(path: Path, *, busy_timeout_ms: int) -> Connection:
    """Return a connection for writing, with nothing looked at yet.

    It commits each statement on its own unless the caller says BEGIN.
    """
    with storage_errors(path):
        opening = _OPENING.set(path)
        try:
            connection = _engine().connect().execution_options(isolation_level="AUTOCOMMIT")
        finally:
            _OPENING.reset(opening)
    try:
        with storage_errors(path):
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {busy_timeout_ms}")
            connection.exec_driver_sql("PRAGMA trusted_schema = OFF")
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
        "sqlite://", creator=lambda: _drivers[-1](_OPENING.get()), poolclass=NullPool
    )


def set_pragmas(connection: Connection) -> None:
    """Let the connection lose nothing that was committed, and refuse what makes no sense."""
    for pragma in (
        "foreign_keys = ON",
        "recursive_triggers = ON",  # else INSERT OR REPLACE slips past a DELETE trigger
        "mmap_size = 0",
        "journal_mode = WAL",
        "synchronous = FULL",
        f"journal_size_limit = {_WAL_BYTES_MAX}",
    ):
        connection.exec_driver_sql(f"PRAGMA {pragma}")


def check_contents(connection: Connection, path: Path) -> None:
    """Check that the file is a ledger or empty, and whole; raises NotALedger, LedgerCorrupt."""
    application = connection.exec_driver_sql("PRAGMA application_id").scalar_one()
    objects = connection.exec_driver_sql("SELECT count(*) FROM sqlite_schema").scalar_one()
    if objects and application != APPLICATION_ID:
        raise NotALedger(path, "a database of another program")
    found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
    if found != "ok":
        raise LedgerCorrupt(path, str(found).splitlines()[-1])


def close(connection: Connection) -> None:
    """Close the connection, and with it the file."""
    connection.close()


def raw_of(connection: Connection) -> sqlite3.Connection:
    """Return the driver's connection."""
    return cast("sqlite3.Connection", cast("Any", connection.connection).driver_connection)


def roll_back(connection: Connection) -> None:
    """Undo the transaction, if there still is one.

    A full disk or an I/O error ends a transaction by itself; a ROLLBACK would then fail too, and
    its error would stand in the place of the one that matters.
    """
    if raw_of(connection).in_transaction:
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
