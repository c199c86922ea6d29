"""Ledger files before and while SQLite has them: what they are, and what goes wrong with them."""

import sqlite3
from pathlib import Path

from state.errors import (
    LedgerBusy,
    LedgerCorrupt,
    NotALedger,
    SchemaTooNew,
    StateError,
    StorageFailed,
)
from state.migrations import HEAD, REVISIONS

APPLICATION_ID = 0x414C5648  # "ALVH": marks the file as ours
_FILE_MAGIC = b"SQLite format 3\0"
# What SQLite says, under its general error code, of a header whose numbers make no sense
_DAMAGED_HEADER = frozenset({"unsupported file format", "unsupported encoding"})


def check_file(path: Path) -> None:
    """Raise NotALedger unless the file is absent, empty, or begins like a SQLite database."""
    try:
        if not path.exists():
            return
        if not path.is_file():
            raise NotALedger(path, "not a file")
        with path.open("rb") as file:
            start = file.read(len(_FILE_MAGIC))
    except OSError as cause:
        raise StorageFailed(path, cause.strerror or str(cause)) from cause
    if start and start != _FILE_MAGIC:
        raise NotALedger(path, "not a SQLite database")


def check_revision(path: Path, revision: str | None) -> None:
    """Raise SchemaTooNew if a newer version of the program wrote the file."""
    if revision is not None and revision not in REVISIONS:
        raise SchemaTooNew(path, revision=revision, newest_known=HEAD)


def ours(path: Path, cause: BaseException | None) -> StateError | None:
    """Return our error for one of SQLite's about the file; None if it is about a statement."""
    if not isinstance(cause, sqlite3.Error):
        return None
    name: str = getattr(cause, "sqlite_errorname", "")
    match name.removeprefix("SQLITE_").split("_")[0]:
        case "BUSY" | "LOCKED":
            return LedgerBusy(path)
        case "CORRUPT":
            return LedgerCorrupt(path, str(cause))
        case "NOTADB":
            return NotALedger(path, "not a SQLite database")
        case "FULL" | "IOERR" | "READONLY" | "CANTOPEN" | "PERM":
            return StorageFailed(path, str(cause))
        case "ERROR" if str(cause) in _DAMAGED_HEADER:
            return LedgerCorrupt(path, str(cause))
        case _:
            return None
