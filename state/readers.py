"""Reading a ledger without being able to change it, also while the bot runs.

The connection is read-only three times over: the file is opened so, the connection is told so, and
the SQL of others passes an authorizer that lets nothing through but reading.
"""

import math
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from state.amounts import from_micros
from state.errors import NoLedger, NotALedger, QueryRefused, SchemaTooOld
from state.files import APPLICATION_ID, check_file, check_revision, ours
from state.migrations import HEAD

Cell = str | int | float | bool | None
Parameters = Mapping[str, object] | Sequence[object]

BUSY_TIMEOUT_S = 5.0
_MICROS = "_micros"
_FLAGS = frozenset({"active", "entry_due", "last_decision_completed", "passed"})
_WHOLE_SECONDS = ".000000Z"
# A callback in Python now and then lets Ctrl-C stop a query that would run for ever
_STEPS_BETWEEN_SIGNALS = 100_000
_READING = frozenset(
    {
        sqlite3.SQLITE_SELECT,
        sqlite3.SQLITE_READ,
        sqlite3.SQLITE_FUNCTION,
        sqlite3.SQLITE_RECURSIVE,
    }
)
# What SQLite asks about when a table function such as json_each declares its columns; a statement
# of the user's that really did this is refused by SQLite itself
_DECLARING = frozenset({sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE})
_SCHEMA_TABLES = frozenset({"sqlite_master", "sqlite_temp_master"})
_FUNCTIONS_REFUSED = frozenset({"load_extension"})
# Pragmas that look at the schema whatever their argument, and those that only look without one
_PRAGMAS_WITH_ARGUMENT = frozenset(
    {
        "foreign_key_check",
        "foreign_key_list",
        "index_info",
        "index_list",
        "index_xinfo",
        "integrity_check",
        "quick_check",
        "table_info",
        "table_list",
        "table_xinfo",
    }
)
_PRAGMAS_ALONE = frozenset(
    {
        "application_id",
        "collation_list",
        "compile_options",
        "database_list",
        "encoding",
        "freelist_count",
        "function_list",
        "journal_mode",
        "page_count",
        "page_size",
        "pragma_list",
        "user_version",
    }
)
_ACTIONS = {
    getattr(sqlite3, f"SQLITE_{name}"): name.replace("_", " ")
    for name in (
        "INSERT",
        "UPDATE",
        "DELETE",
        "PRAGMA",
        "ATTACH",
        "DETACH",
        "TRANSACTION",
        "SAVEPOINT",
        "ANALYZE",
        "REINDEX",
        "ALTER_TABLE",
        "FUNCTION",
        "CREATE_INDEX",
        "CREATE_TABLE",
        "CREATE_TEMP_TABLE",
        "CREATE_TEMP_VIEW",
        "CREATE_TRIGGER",
        "CREATE_VIEW",
        "CREATE_VTABLE",
        "DROP_INDEX",
        "DROP_TABLE",
        "DROP_TRIGGER",
        "DROP_VIEW",
    )
}


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under named columns, every cell ready for JSON.

    Amounts are exact decimals as text, instants ISO-8601 in UTC, quantities signed.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def __len__(self) -> int:
        return len(self.rows)

    def records(self) -> list[dict[str, Cell]]:
        """Return each row as a dictionary."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]

    def column(self, name: str) -> list[Cell]:
        """Return the cells of one column."""
        index = self.columns.index(name)
        return [row[index] for row in self.rows]

    def as_json(self) -> dict[str, Any]:
        """Return ``{"columns": [...], "rows": [{...}, ...]}``."""
        return {"columns": list(self.columns), "rows": self.records()}


class Reader:
    """A connection that can only read."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a ledger for reading.

        Raises: NoLedger, NotALedger, LedgerCorrupt, LedgerBusy, SchemaTooNew, SchemaTooOld,
            StorageFailed.
        """
        if not path.exists():
            raise NoLedger(path)
        check_file(path)
        with _errors(path):
            connection = sqlite3.connect(
                f"file:{quote(str(path.absolute()))}?mode=ro",
                uri=True,
                timeout=BUSY_TIMEOUT_S,
                isolation_level=None,
            )
        try:
            with _errors(path):
                _check(path, connection)
        except BaseException:
            connection.close()
            raise
        connection.set_progress_handler(lambda: 0, _STEPS_BETWEEN_SIGNALS)
        return cls(path, connection)

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection itself, for what reads the whole file."""
        return self._connection

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @contextmanager
    def moment(self) -> Iterator[None]:
        """Let every question of a block see the ledger as it was at one moment."""
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.execute("COMMIT")

    def table(self, query: str, parameters: Parameters = ()) -> Table:
        """Return the answer to one of our own queries.

        Columns whose names end in ``_micros`` become exact decimals and lose the ending.
        """
        with _errors(self.path):
            cursor = self._connection.execute(query, parameters)
            names = [column[0] for column in cursor.description]
            rows = tuple(
                tuple(_shown(name, cell) for name, cell in zip(names, row, strict=True))
                for row in cursor
            )
        return Table(tuple(name.removesuffix(_MICROS) for name in names), rows)

    def record(self, query: str, parameters: Parameters = ()) -> dict[str, Cell] | None:
        """Return the first row of an answer, as a dictionary; None if there is none."""
        records = self.table(query, parameters).records()
        return records[0] if records else None

    def raw(self, query: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
        """Return the rows of an answer as SQLite has them."""
        with _errors(self.path):
            return self._connection.execute(query, parameters).fetchall()

    def sql(self, query: str, *, seconds: float | None = None) -> Table:
        """Return the answer to somebody else's query, amounts and instants as they are stored.

        Raises: QueryRefused if the query would do anything but read, is not SQL, or takes longer
            than ``seconds``.
        """
        guard = _Guard()
        ends_at = math.inf if seconds is None else perf_counter() + seconds
        self._connection.set_authorizer(guard)
        self._connection.set_progress_handler(
            lambda: perf_counter() > ends_at, _STEPS_BETWEEN_SIGNALS
        )
        try:
            with _errors(self.path):
                cursor = self._connection.execute(query)
                names = _distinct([column[0] for column in cursor.description or ()])
                rows = tuple(tuple(_plain(cell) for cell in row) for row in cursor)
        except KeyboardInterrupt as cause:  # as an interrupted query is told here
            if perf_counter() > ends_at:
                raise QueryRefused(f"stopped: it takes longer than {seconds:g} s") from cause
            raise
        except (sqlite3.Error, sqlite3.Warning) as cause:
            if guard.refused is not None:
                raise QueryRefused(f"this can only read; refused: {guard.refused}") from cause
            raise QueryRefused(f"SQL: {cause}") from cause
        finally:
            self._connection.set_authorizer(None)
            self._connection.set_progress_handler(lambda: 0, _STEPS_BETWEEN_SIGNALS)
        return Table(names, rows)


class _Guard:
    """SQLite's authorizer: lets reading pass and remembers the first thing that is not."""

    def __init__(self) -> None:
        self.refused: str | None = None

    def __call__(self, action: int, first: str | None, second: str | None, *_: str | None) -> int:
        if action in _READING and second not in _FUNCTIONS_REFUSED:
            return sqlite3.SQLITE_OK
        if action in _DECLARING and first in _SCHEMA_TABLES:
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_PRAGMA and (
            first in _PRAGMAS_WITH_ARGUMENT or (first in _PRAGMAS_ALONE and second is None)
        ):
            return sqlite3.SQLITE_OK
        if self.refused is None:
            words = (_ACTIONS.get(action, "this"), first, second)
            self.refused = " ".join(word for word in words if word)
        return sqlite3.SQLITE_DENY


@contextmanager
def _errors(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorname", "") == "SQLITE_INTERRUPT":
            raise KeyboardInterrupt from error
        found = ours(path, error)
        if found is None:
            raise
        raise found from error


def _check(path: Path, connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA query_only = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise NotALedger(path, "a database of another program")
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    revision = None if row is None else row[0]
    check_revision(path, revision)
    if revision != HEAD:
        raise SchemaTooOld(path, revision=revision, newest_known=HEAD)


def _shown(name: str, cell: Any) -> Cell:  # noqa: ANN401 whatever SQLite stores
    if cell is None:
        return None
    if name.endswith(_MICROS):
        return str(from_micros(cell))
    if name in _FLAGS:
        return bool(cell)
    if isinstance(cell, str) and cell.endswith(_WHOLE_SECONDS):
        return cell.removesuffix(_WHOLE_SECONDS) + "Z"
    return _plain(cell)


def _plain(cell: Any) -> Cell:  # noqa: ANN401 whatever SQLite stores
    if isinstance(cell, bytes):
        return f"<{len(cell)} bytes>"
    if isinstance(cell, float) and not math.isfinite(cell):
        return str(cell)
    plain: Cell = cell
    return plain


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Return names with a number behind the second and later ones of a kind."""
    taken: set[str] = set()
    result = []
    for name in names:
        candidate, count = name, 2
        while candidate in taken:
            candidate, count = f"{name}_{count}", count + 1
        taken.add(candidate)
        result.append(candidate)
    return tuple(result)
