"""The one writing connection: what is checked before anything is written."""

from pathlib import Path

from sqlalchemy import Connection

from state.connections import (
    check_contents,
    close,
    connect,
    roll_back,
    set_pragmas,
    storage_errors,
)
from state.files import APPLICATION_ID, check_file, check_file_system
from state.upgrades import bring_up_to_date, migrate, needs_upgrade, stored_revision, upgrade_file

__all__ = [
    "APPLICATION_ID",
    "close",
    "migrate",
    "open_for_writing",
    "roll_back",
    "storage_errors",
    "stored_revision",
]


def open_for_writing(path: Path, *, busy_timeout_ms: int) -> Connection:
    """Return a checked connection to an up-to-date ledger file, which is created if need be.

    An older file is migrated on a copy, which takes its place once it is proved; the older one
    stays beside it (``state.upgrades``). The connection commits each statement on its own unless
    the caller says BEGIN. The caller has the lease of the file.

    Raises: NotALedger, LedgerCorrupt, LedgerBusy, SchemaTooNew, MigrationFailed, StorageFailed.
    """
    check_file(path)
    check_file_system(path)
    connection = _checked(path, busy_timeout_ms)
    try:
        with storage_errors(path):
            if needs_upgrade(connection, path):
                close(connection)
                upgrade_file(path, busy_timeout_ms=busy_timeout_ms)
                connection = _checked(path, busy_timeout_ms)
            set_pragmas(connection)
            bring_up_to_date(connection, path)
    except BaseException:
        close(connection)
        raise
    return connection


def _checked(path: Path, busy_timeout_ms: int) -> Connection:
    connection = connect(path, busy_timeout_ms=busy_timeout_ms)
    try:
        with storage_errors(path):
            check_contents(connection, path)
    except BaseException:
        close(connection)
        raise
    return connection
