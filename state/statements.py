"""Statements that SQLAlchemy spells once and the driver's connection runs.

The tables say how values are stored; SQLAlchemy says so in SQL. What it does at each execution (to
look the spelling up, to wrap parameters and rows) takes ten times as long as what SQLite does, and
a fill is some fifteen statements: so each is compiled once, and runs on the driver's connection
with the same conversions of the same column types.
"""

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Dialect, Select, Table
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite import Insert, insert
from sqlalchemy.sql.dml import Delete, Update
from sqlalchemy.types import TypeEngine

from state.tables import LedgerRow, table_of

_DIALECT: Dialect = sqlite.dialect(paramstyle="named")

Values = Mapping[str, Any]
Converter = Callable[[Any], Any]


class Statement:
    """One statement, for any connection; values go in and come out as the domain has them."""

    def __init__(
        self, core: Select[Any] | Insert | Update | Delete, columns: Sequence[str] | None = None
    ) -> None:
        """Compile a statement; ``columns`` are those that an insertion names, all if not given."""
        compiled = core.compile(
            dialect=_DIALECT,
            column_keys=None if columns is None else list(columns),
            compile_kwargs={"render_postcompile": True},
        )
        self.text = str(compiled)
        binders = {
            name: convert
            for name, parameter in compiled.binds.items()
            if (convert := _implementation(parameter.type).bind_processor(_DIALECT)) is not None
        }
        given = {} if isinstance(core, Insert) else compiled.params
        self._constants = {
            name: binders.pop(name)(value) if name in binders else value
            for name, value in given.items()
            if value is not None
        }
        self._binders = tuple(binders.items())
        selected = core.selected_columns if isinstance(core, Select) else ()
        self._names = [str(column.key) for column in selected]
        self._converters = [
            (place, convert)
            for place, column in enumerate(selected)
            if (convert := _implementation(column.type).result_processor(_DIALECT, None))
            is not None
        ]

    def run(self, connection: sqlite3.Connection, values: Values) -> sqlite3.Cursor:
        """Execute it; raises InexactAmount, sqlite3.Error."""
        return connection.execute(self.text, self._bound(values))

    def run_all(self, connection: sqlite3.Connection, rows: Iterable[Values]) -> None:
        """Execute it once a row; raises InexactAmount, sqlite3.Error."""
        for values in rows:
            connection.execute(self.text, self._bound(values))

    def tuples(self, connection: sqlite3.Connection, **values: object) -> list[tuple[Any, ...]]:
        """Return every row as a tuple, in the order of the columns."""
        rows = connection.execute(self.text, self._bound(values)).fetchall()
        if not self._converters:
            return rows
        return [self._converted(row) for row in rows]

    def rows(self, connection: sqlite3.Connection, **values: object) -> list[dict[str, Any]]:
        """Return every row by the names of its columns."""
        names = self._names
        return [dict(zip(names, row, strict=True)) for row in self.tuples(connection, **values)]

    def first(self, connection: sqlite3.Connection, **values: object) -> dict[str, Any] | None:
        """Return the first row by the names of its columns; None if there is none."""
        row = connection.execute(self.text, self._bound(values)).fetchone()
        return None if row is None else dict(zip(self._names, self._converted(row), strict=True))

    def scalar(self, connection: sqlite3.Connection, **values: object) -> Any:  # noqa: ANN401 the column's type
        """Return the first column of the first row; None if there is no row."""
        row = connection.execute(self.text, self._bound(values)).fetchone()
        return None if row is None else self._converted(row)[0]

    def _bound(self, values: Values) -> Values:
        if not self._binders and not self._constants:
            return values
        bound = {**self._constants, **values}
        for name, convert in self._binders:
            bound[name] = convert(bound[name])
        return bound

    def _converted(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        if not self._converters:
            return row
        cells = list(row)
        for place, convert in self._converters:
            cells[place] = convert(cells[place])
        return tuple(cells)


def _implementation(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    return kind.dialect_impl(_DIALECT)


@cache
def insertion(row_class: type[LedgerRow], columns: tuple[str, ...]) -> Statement:
    """Return the statement that inserts a row; columns that are not named get their defaults."""
    return Statement(insert(table_of(row_class)), columns)


@cache
def new_insertion(row_class: type[LedgerRow]) -> Statement:
    """Return the statement that inserts a row unless one with its key is there (rowcount 0)."""
    return Statement(insert(table_of(row_class)).on_conflict_do_nothing())


@cache
def replacement(table: Table) -> Statement:
    """Return the statement that inserts a row or replaces the one with its key."""
    statement = insert(table)
    keys = [column.name for column in table.primary_key]
    changes = {
        column.key: statement.excluded[column.key]
        for column in table.columns
        if not column.primary_key
    }
    return Statement(statement.on_conflict_do_update(index_elements=keys, set_=changes))
