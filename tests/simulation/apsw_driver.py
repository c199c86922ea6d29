"""A disk that fails when it is told, under the real ledger.

The ledger speaks to SQLite through Python's own ``sqlite3``, whose file layer cannot be reached.
APSW brings a SQLite of its own whose file layer can be written in Python. ``Disk`` is such a layer:
it numbers every write, truncation, sync and deletion, makes one of them fail as an operating system
would, and keeps account of what a power cut would leave. ``Disk.connect`` is a connection as the
ledger's engine wants one, to be put in place with ``state.connections.driven_by``.
"""

import itertools
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import apsw
import numpy as np

_SECTOR_BYTES = 512
# Keeps the index of the log in memory: two copies of SQLite in one process undo each other's locks,
# and readers of the ledger go on with Python's
_BASE = "unix-excl"
_names = itertools.count()


class Failure(StrEnum):
    """What the operating system says of one operation."""

    FULL = "ENOSPC"
    BROKEN = "EIO"
    SHORT = "half of it is written"
    POWER_CUT = "the power is gone"


@dataclass(slots=True)
class _Image:
    """One file as the disk has it, and what it was told since the last sync."""

    durable: bytearray
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)  # None: cut off there

    def sync(self) -> None:
        for offset, data in self.pending:
            _apply(self.durable, offset, data)
        self.pending.clear()

    def after_power_cut(self, dice: np.random.Generator) -> bytes:
        """Return what may be left: any of the writes since the last sync, the last one torn."""
        left = bytearray(self.durable)
        for offset, data in self.pending:
            if dice.random() < 0.5:
                continue
            if data is None or dice.random() < 0.7:
                _apply(left, offset, data)
            else:
                sectors = int(dice.integers(0, len(data) // _SECTOR_BYTES + 1))
                _apply(left, offset, data[: sectors * _SECTOR_BYTES])
        return bytes(left)


def _apply(content: bytearray, offset: int, data: bytes | None) -> None:
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    if data is None:
        del content[offset:]
    else:
        content[offset : offset + len(data)] = data


class Disk(apsw.VFS):
    """A disk whose n-th operation fails."""

    def __init__(self, *, fails_at: int | None = None, failure: Failure = Failure.FULL) -> None:
        self._fails_at = fails_at
        self._failure = failure
        self._next: str | None = None  # the operation that fails when it is asked for next
        self.vfs_name = f"disk-{next(_names)}"
        self.operations: list[str] = []
        self.has_failed = False
        self.failed_on = ""  # the name of that file
        self._images: dict[str, _Image] = {}
        super().__init__(self.vfs_name, _BASE)

    def connect(self, path: Path) -> "Connection":
        """Open a database on this disk."""
        with _sqlite_errors():
            return Connection(apsw.Connection(str(path), vfs=self.vfs_name))

    def fail_next(self, operation: str, failure: Failure) -> None:
        """Fail the next write, sync, truncation or deletion, once."""
        self._next = operation
        self._failure = failure

    def after_power_cut(self, dice: np.random.Generator) -> dict[str, bytes]:
        """Return the files that are left, by name."""
        return {name: image.after_power_cut(dice) for name, image in sorted(self._images.items())}

    def xOpen(self, name: apsw.URIFilename | str | None, flags: list[int]) -> "_File":
        return _File(self, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        self.before("delete", Path(filename).name)
        self._images.pop(Path(filename).name, None)
        super().xDelete(filename, syncdir)

    def excepthook(self, *_: object) -> None:
        """Say nothing: what fails here is meant to."""

    def before(self, operation: str, name: str) -> Failure | None:
        """Count an operation; raise if it fails, return SHORT if half of it is to be done first."""
        number = len(self.operations)
        self.operations.append(operation)
        is_gone = self.has_failed and self._failure is Failure.POWER_CUT
        if number != self._fails_at and operation != self._next and not is_gone:
            return None
        self.has_failed = True
        self._next = None
        self.failed_on = name
        if self._failure is Failure.SHORT and operation == "write":
            return Failure.SHORT
        raise _system_error(operation, self._failure)

    def image(self, name: str, path: Path) -> _Image:
        """Return the account that is kept of a file, from what is on disk when it is opened."""
        if name not in self._images:
            self._images[name] = _Image(bytearray(path.read_bytes() if path.exists() else b""))
        return self._images[name]


def _system_error(operation: str, failure: Failure) -> Exception:
    """Return what SQLite's own file layer makes of an error of the operating system."""
    if failure in (Failure.FULL, Failure.SHORT) and operation == "write":
        return apsw.exception_for(apsw.SQLITE_FULL)
    codes = {
        "write": apsw.SQLITE_IOERR_WRITE,
        "sync": apsw.SQLITE_IOERR_FSYNC,
        "truncate": apsw.SQLITE_IOERR_TRUNCATE,
        "delete": apsw.SQLITE_IOERR_DELETE,
    }
    return apsw.exception_for(codes[operation])


class _File(apsw.VFSFile):
    """One open file of a ``Disk``."""

    def __init__(self, disk: Disk, name: apsw.URIFilename | str | None, flags: list[int]) -> None:
        self._disk = disk
        self._image, self._name = None, ""  # a temporary file has no name
        if name is not None:
            path = Path(name.filename() if isinstance(name, apsw.URIFilename) else name)
            self._name = path.name
            self._image = disk.image(path.name, path)
        super().__init__(_BASE, name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        if self._disk.before("write", self._name) is Failure.SHORT:
            self._write(bytes(data)[: len(data) // 2], offset)
            raise _system_error("write", Failure.SHORT)
        self._write(bytes(data), offset)

    def _write(self, data: bytes, offset: int) -> None:
        if self._image is not None:
            self._image.pending.append((offset, data))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:
        self._disk.before("truncate", self._name)
        if self._image is not None:
            self._image.pending.append((newsize, None))
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:
        self._disk.before("sync", self._name)
        if self._image is not None:
            self._image.sync()
        super().xSync(flags)

    def excepthook(self, *_: object) -> None:
        """Say nothing: what fails here is meant to."""


class Connection:
    """As much of a ``sqlite3.Connection`` as SQLAlchemy asks for."""

    isolation_level = None
    row_factory = None

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    def cursor(self, *_: object) -> "Cursor":
        return Cursor(self._connection)

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> "Cursor":
        return self.cursor().execute(statement, parameters)

    def create_function(self, name: str, narg: int, func: Any, **_: object) -> None:
        self._connection.create_scalar_function(name, func, narg)

    def commit(self) -> None:
        if self.in_transaction:
            self.cursor().execute("COMMIT")

    def rollback(self) -> None:
        if self.in_transaction:
            self.cursor().execute("ROLLBACK")

    def close(self) -> None:
        with _sqlite_errors():
            self._connection.close(force=True)


class Cursor:
    """As much of a ``sqlite3.Cursor`` as SQLAlchemy asks for; rows are read at once."""

    arraysize = 1

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self.description: tuple[tuple[Any, ...], ...] | None = None
        self.rowcount = -1
        self.lastrowid: int | None = None
        self._rows: Iterator[tuple[Any, ...]] = iter(())

    def execute(self, statement: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> "Cursor":
        self.description = None

        def describe(cursor: apsw.Cursor, *_: object) -> bool:
            columns = cursor.get_description()
            none = (None,) * 6
            self.description = tuple((name, *none) for name, *_ in columns) or None
            return True

        with _sqlite_errors():
            cursor = self._connection.cursor()
            cursor.exec_trace = describe
            before = self._connection.total_changes()
            self._rows = iter(cursor.execute(statement, parameters or None).fetchall())
            changed = self._connection.total_changes() - before
        writes = statement.lstrip()[:6].upper() in ("INSERT", "UPDATE", "DELETE")
        self.rowcount = min(changed, self._connection.changes()) if writes else -1
        self.lastrowid = self._connection.last_insert_rowid()
        return self

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]]) -> "Cursor":
        for row in rows:
            self.execute(statement, row)
        return self

    def fetchone(self) -> tuple[Any, ...] | None:
        return next(self._rows, None)

    def fetchmany(self, size: int = 1) -> list[tuple[Any, ...]]:
        return list(itertools.islice(self._rows, size))

    def fetchall(self) -> list[tuple[Any, ...]]:
        return list(self._rows)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return self._rows

    def close(self) -> None:
        self._rows = iter(())


class _sqlite_errors:  # noqa: N801 reads as a verb where it is used
    """Turn APSW's errors into those of ``sqlite3``, names included."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if not isinstance(error, apsw.Error):
            return
        code = getattr(error, "extendedresult", getattr(error, "result", apsw.SQLITE_ERROR))
        name = apsw.mapping_extended_result_codes.get(code) or apsw.mapping_result_codes.get(
            code & 0xFF, "SQLITE_ERROR"
        )
        kind = sqlite3.OperationalError
        if isinstance(error, apsw.ConstraintError):
            kind = sqlite3.IntegrityError
        elif isinstance(error, (apsw.CorruptError, apsw.NotADBError)):
            kind = sqlite3.DatabaseError
        found = kind(str(error) or "disk I/O error")  # what SQLite itself says
        found.sqlite_errorname = str(name)
        found.sqlite_errorcode = code
        raise found from error
