"""Make a ledger again from its chain of events, in memory, and compare every table row by row."""

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, StaticPool, create_engine
from sqlalchemy.exc import DBAPIError

from state import chain, projector
from state.amounts import instant_of
from state.baselines import begin_with, copy_baseline
from state.chain import Event
from state.decisions import DecisionTexts, sha256, unpack_inputs, unpack_plan, unpack_text
from state.errors import StateError
from state.ledger import LedgerTransaction, SentOrders
from state.snapshots import Daily, UnreadableSnapshot, decompress, read_daily, read_snapshot
from state.tables import EventRow, LedgerRow, table_of
from strategies.model.encoding import UndecodableValue, from_json
from strategies.model.errors import DomainError
from strategies.model.memory import Memory

_EVENTS_AT_ONCE = 2_000  # between two refreshes of the projections
_YEARS_KEPT = 256
# What an event may fail with: it cannot be read, or what it builds on could not be replayed either
_UNREPLAYABLE = (
    UndecodableValue,
    UnreadableSnapshot,
    DomainError,
    StateError,
    DBAPIError,
    sqlite3.Error,
    KeyError,
    TypeError,
)
# Columns of compressed bytes are compared by what they unpack to: zlib has versions
_COMPRESSED = {"blobs": ("data",), "decisions": ("inputs", "plan")}


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Something the chain does not bear out; the event is the one that says otherwise, if known."""

    event: Event | None
    what: str
    key: str = ""  # of the row, its first part


class _Broken(Exception):
    """An event whose contents are not there, or not what they were."""


class Rebuilding:
    """Replays the chain of one ledger into an empty one."""

    def __init__(self, source: sqlite3.Connection) -> None:
        self._source = source
        self._year = lru_cache(maxsize=_YEARS_KEPT)(self._blob)
        self._daily: tuple[str, Daily] | None = None
        self.mismatches: list[Mismatch] = []

    def run(self) -> tuple[Mismatch, ...]:
        """Replay every event, compare every table; return what is otherwise, events first."""
        engine = create_engine("sqlite://", poolclass=StaticPool)
        with engine.connect() as connection:
            LedgerRow.metadata.create_all(connection)
            self._replay(connection)
            self.mismatches += _compare(self._source, _raw(connection))
        engine.dispose()
        return tuple(self.mismatches)

    def _replay(self, target: Connection) -> None:
        conditions: dict[Any, int] = {}
        tx = LedgerTransaction(target, SentOrders(), lambda: conditions, None)
        for event in chain.events_from(self._source, 0):
            try:
                self._apply(tx, target, event, conditions)
            except _Broken as cause:
                self.mismatches.append(Mismatch(event, str(cause)))
            except _UNREPLAYABLE as cause:
                why = str(cause).splitlines()[0]
                self.mismatches.append(Mismatch(event, f"cannot be replayed: {why}"))
            if event.seq % _EVENTS_AT_ONCE == 0:
                tx.refresh_projections()
        tx.refresh_projections()

    def _apply(
        self,
        tx: LedgerTransaction,
        target: Connection,
        event: Event,
        conditions: dict[Any, int],
    ) -> None:
        body: dict[str, Any] = chain.body_of(event)
        if event.kind == begin_with.__name__:
            for name in copy_baseline(self._source, _raw(target), body):
                self.mismatches.append(Mismatch(event, f"{name}: rows are not what they were"))
            projector.write_all(_raw(target))
            known = "SELECT rule, name, threshold, condition_id FROM gate_conditions"
            for rule, name, least, number in _raw(target).execute(known):
                conditions[rule, name, least] = number
        elif event.kind == "record_decision":
            self._decide(tx, body)
        elif event.kind == "start_run":
            columns = ("config_json", "rules_json")
            texts = self._contents("runs", "run_id", body["run_id"], columns)
            names = ("config_redacted_json", "rules_json")
            for name, column in zip(names, columns, strict=True):
                body[name] = _as_said(f"runs.{column}", texts[column], body[name])
            body["at"] = instant_of(body["at"])
            tx.start_run(**body)
        else:
            given = chain.arguments_of(event.kind, body)  # only of kinds there are
            getattr(tx, event.kind)(**given)

    def _decide(self, tx: LedgerTransaction, body: Mapping[str, Any]) -> None:
        columns = ("inputs", "plan", "memory_json")
        row = self._contents("decisions", "plan_id", body["plan_id"], columns)
        texts = DecisionTexts(
            _as_said("decisions.inputs", unpack_text(row["inputs"]), body["inputs"]),
            _as_said("decisions.plan", unpack_text(row["plan"]), body["plan"]),
            _as_said("decisions.memory_json", row["memory_json"], body["memory_after"]),
        )
        history = body["history"]
        if self._daily is None or self._daily[0] != history:
            self._daily = (history, read_daily(self._blob(history), self._year))
        inputs = unpack_inputs(row["inputs"])
        tx.record_decision(
            body["run_id"],
            read_snapshot(self._blob(body["market"]), self._daily[1]),
            inputs.book,
            inputs.account,
            unpack_plan(row["plan"]),
            inputs.memory,
            from_json(Memory, row["memory_json"]),
            texts,
        )

    def _contents(
        self, table: str, key: str, value: str, columns: tuple[str, ...]
    ) -> dict[str, Any]:
        query = f"SELECT {', '.join(columns)} FROM {table} WHERE {key} = ?"  # noqa: S608 our names
        row = self._source.execute(query, (value,)).fetchone()
        if row is None:
            raise _Broken(f"{table} has no {value}")
        return dict(zip(columns, row, strict=True))

    def _blob(self, digest: str) -> bytes:
        row = self._source.execute("SELECT data FROM blobs WHERE digest = ?", (digest,)).fetchone()
        if row is None:
            raise _Broken(f"blob {digest[:16]} is gone")
        return decompress(row[0])


def _as_said(where: str, text: str, digest: str) -> str:
    if sha256(text) != digest:
        raise _Broken(f"{where} is not what it was")
    return text


def rebuild_and_compare(source: sqlite3.Connection) -> tuple[Mismatch, ...]:
    """Replay a ledger's chain in memory; return everything its tables say otherwise."""
    return Rebuilding(source).run()


def _raw(connection: Connection) -> sqlite3.Connection:
    raw: Any = connection.connection.driver_connection
    assert isinstance(raw, sqlite3.Connection)
    return raw


def _compare(source: sqlite3.Connection, rebuilt: sqlite3.Connection) -> Iterator[Mismatch]:
    for name, table in LedgerRow.metadata.tables.items():
        if table is table_of(EventRow):
            continue
        keys = [column.name for column in table.primary_key]
        columns = [column.name for column in table.columns]
        query = f"SELECT {', '.join(columns)} FROM {name} ORDER BY {', '.join(keys)}"  # noqa: S608
        packed = [columns.index(column) for column in _COMPRESSED.get(name, ())]
        key_places = [columns.index(key) for key in keys]
        rows = [
            {tuple(row[n] for n in key_places): row for row in connection.execute(query)}
            for connection in (source, rebuilt)
        ]
        for key in sorted({*rows[0], *rows[1]}, key=str):
            stored, made = rows[0].get(key), rows[1].get(key)
            shown = "/".join(map(str, key))
            if stored is None or made is None:
                what = "is missing" if stored is None else "is in no event"
                yield Mismatch(None, f"{name} {shown} {what}", str(key[0]))
            elif stored != made:
                different = [
                    columns[n]
                    for n in range(len(columns))
                    if stored[n] != made[n]
                    and not (n in packed and decompress(stored[n]) == decompress(made[n]))
                ]
                if different:
                    n = columns.index(different[0])
                    yield Mismatch(
                        None,
                        f"{name} {shown}: {different[0]} is {stored[n]!r:.60}, "
                        f"the chain says {made[n]!r:.60}",
                        str(key[0]),
                    )
