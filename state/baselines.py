"""What a ledger held before its chain began: a file of a version that knew no chain.

The first event of such a file says how many rows each table had and what their SHA-256 is. The rows
themselves stay where they are: they are the first of their table, since nothing was ever removed.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any

from state.tables import APPEND_ONLY, DailyPnlRow, EventRow, LedgerRow, table_of

_ROWS: tuple[type[LedgerRow], ...] = (
    *(row for row in APPEND_ONLY if row is not EventRow),
    DailyPnlRow,
)
_TABLES = tuple(table_of(row).name for row in _ROWS)
# Tables without row numbers, and the column by which the first of their rows are found
_BY_DECISION = ("gate_results", "layer_plans", "condor_closes")


def begin_with(connection: sqlite3.Connection) -> dict[str, Any]:
    """Return what stands in every table, in short, and daily results whole: they may change."""
    tables = {}
    for name in _TABLES:
        hasher, count = hashlib.sha256(), 0
        for row in _rows(connection, name):
            hasher.update(_text(row))
            count += 1
        tables[name] = {"rows": count, "sha256": hasher.hexdigest()}
    daily = [list(row) for row in _rows(connection, "daily_pnl")]
    return {"tables": tables, "daily_pnl": daily}


def copy_baseline(
    source: sqlite3.Connection, target: sqlite3.Connection, body: Mapping[str, Any]
) -> list[str]:
    """Copy what stood before the chain; return the tables whose rows are not what they were."""
    changed = []
    for name, said in body["tables"].items():
        hasher, rows = hashlib.sha256(), []
        found = (
            iter(tuple(row) for row in body["daily_pnl"])
            if name == "daily_pnl"
            else _first_rows(source, name, said["rows"], body["tables"])
        )
        for row in found:
            hasher.update(_text(row))
            rows.append(row)
        if (len(rows), hasher.hexdigest()) != (said["rows"], said["sha256"]):
            changed.append(name)
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            target.executemany(f"INSERT INTO {name} VALUES ({marks})", rows)  # noqa: S608 our table
    return changed


def _rows(connection: sqlite3.Connection, name: str) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a table, oldest first, or by their key where they have no number."""
    numbered = not connection.execute(
        "SELECT 1 FROM pragma_table_list(?) WHERE wr = 1", (name,)
    ).fetchone()
    order = " ORDER BY rowid" if numbered else ""
    yield from connection.execute(f"SELECT * FROM {name}{order}")  # noqa: S608 our table


def _first_rows(
    connection: sqlite3.Connection, name: str, count: int, said: Mapping[str, Any]
) -> Iterator[tuple[Any, ...]]:
    if name in _BY_DECISION:
        wanted = "decision_id IN (SELECT decision_id FROM decisions ORDER BY rowid LIMIT ?)"
        parameters = (said["decisions"]["rows"],)
    elif name == "order_legs":
        wanted = "client_order_id IN (SELECT client_order_id FROM orders ORDER BY rowid LIMIT ?)"
        parameters = (said["orders"]["rows"],)
    elif name == "walk_steps":
        wanted, parameters = "? < 0", (0,)  # younger than any chain
    else:
        query = f"SELECT * FROM {name} ORDER BY rowid LIMIT ?"  # noqa: S608 our table
        yield from connection.execute(query, (count,))
        return
    yield from connection.execute(f"SELECT * FROM {name} WHERE {wanted}", parameters)  # noqa: S608


def _text(row: tuple[Any, ...]) -> bytes:
    cells = [cell.hex() if isinstance(cell, bytes) else cell for cell in row]
    return json.dumps(cells, separators=(",", ":")).encode()
