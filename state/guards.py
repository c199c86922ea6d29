"""What must stay true of an open file: the same one, ours alone, on a disk that works."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from state.errors import DiskBroken, ForeignWriter, LeaseLost, LedgerReplaced, StateError
from state.files import OpenFile

_FINAL = (DiskBroken, ForeignWriter, LedgerReplaced, LeaseLost)


class Guard:
    """Stands before and behind every transaction of one open ledger.

    What cannot be mended while the file is open stays: every later transaction is refused with the
    first failure, the process halts, and the next one recovers from what the disk really has.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection
        self._open_file = OpenFile.now(path)
        self._version = self._data_version()
        self._failure: StateError | None = None

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Refuse to begin after a failure that is final, and remember one that happens inside.

        Raises: LedgerForked, LedgerReplaced, and the first failure again.
        """
        if self._failure is not None:
            raise self._failure
        try:
            self._open_file.require_same()
            yield
            # Committed into a file that nobody will find again is not committed
            self._open_file.require_same()
        except _FINAL as failure:
            self._failure = failure
            raise

    def require_alone(self) -> None:
        """Check, inside a transaction, that nobody else has written since the file was opened.

        Two writers are what the lease is there to prevent, and what SQLite before 3.51.3 may
        answer with a damaged file (the WAL-reset bug).

        Raises: ForeignWriter.
        """
        if self._data_version() != self._version:
            raise ForeignWriter(self._path)

    def _data_version(self) -> int:
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        return int(version)
