"""Breaks and locks as rows: each that was found or set, and how it ended."""

import json
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from sqlalchemy import Connection, RowMapping, Select, func, select
from sqlalchemy.dialects.sqlite import insert

from state.errors import UnknownRecord
from state.tables import (
    BreakResolutionRow,
    BreakRow,
    LockReleaseRow,
    LockRow,
    columns_of,
    table_of,
)
from strategies.model.breaks import Break, BreakKind, Resolution
from strategies.model.locks import Lock, LockKind

if TYPE_CHECKING:  # SQLAlchemy 2.0, which also works, has other type parameters
    Query: TypeAlias = Select[*tuple[Any, ...]]

_BREAKS = table_of(BreakRow)
_RESOLUTIONS = table_of(BreakResolutionRow)
_LOCKS = table_of(LockRow)
_RELEASES = table_of(LockReleaseRow)


class _StoredBreak(NamedTuple):
    sequence: int
    found: Break
    resolution: Resolution | None  # None = open


class _StoredLock(NamedTuple):
    sequence: int
    lock: Lock
    released: bool


def open_break(connection: Connection, found: Break) -> bool:
    """Store a break; False if it is open, or known and ignored, with the same values."""
    standing = _newest_breaks(connection).get(found.break_id)
    if (
        standing is not None
        and standing.resolution in (None, Resolution.IGNORED)
        and _values(standing.found) == _values(found)
    ):
        return False
    row = {
        "break_id": found.break_id,
        "kind": found.kind.value,
        "key": found.key,
        "detail": found.detail,
        "ledger_value": found.ledger_value,
        "broker_value": found.broker_value,
        "locks_json": json.dumps(found.locks, separators=(",", ":")),
        "found_at": found.found_at,
    }
    connection.execute(insert(_BREAKS), row)
    return True


def resolve_break(
    connection: Connection,
    break_id: str,
    at: datetime,
    resolution: Resolution,
    *,
    by: str,
    reason: str,
) -> bool:
    """Store how a break ended; False if it had ended like this already.

    One that is ignored may be resolved otherwise, and is then raised again when it is found again.

    Raises: UnknownRecord.
    """
    standing = _newest_breaks(connection).get(break_id)
    if standing is None:
        raise UnknownRecord("break", break_id)
    if standing.resolution is not None and (
        standing.resolution is resolution or standing.resolution is not Resolution.IGNORED
    ):
        return False
    row = {"break_sequence": standing.sequence, "at": at, "resolution": resolution.value}
    connection.execute(insert(_RESOLUTIONS), {**row, "set_by": by, "reason": reason})
    return True


def breaks_resolved(connection: Connection, resolution: Resolution | None) -> tuple[Break, ...]:
    """Return the breaks that last ended in one way (None: those that are open), oldest first."""
    return tuple(
        stored.found
        for stored in sorted(_newest_breaks(connection).values())
        if stored.resolution is resolution
    )


def set_lock(connection: Connection, lock: Lock, by: str) -> bool:
    """Store a lock; False if one with its id holds already, for as long or longer."""
    standing = _newest_locks(connection).get(lock.lock_id)
    if standing is not None and not standing.released and standing.lock.holds_at(lock.set_at):
        until = standing.lock.until
        if until is None or (lock.until is not None and lock.until <= until):
            return False
    row = {
        "lock_id": lock.lock_id,
        "kind": lock.kind.value,
        "key": lock.key,
        "reason": lock.reason,
        "set_at": lock.set_at,
        "until": lock.until,
        "set_by": by,
    }
    connection.execute(insert(_LOCKS), row)
    return True


def release_lock(
    connection: Connection, lock_id: str, at: datetime, *, by: str, reason: str
) -> bool:
    """Store that a lock is taken away; False if it does not hold. Raises: UnknownRecord."""
    standing = _newest_locks(connection).get(lock_id)
    if standing is None:
        raise UnknownRecord("lock", lock_id)
    if standing.released or not standing.lock.holds_at(at):
        return False
    row = {"lock_sequence": standing.sequence, "at": at, "set_by": by, "reason": reason}
    connection.execute(insert(_RELEASES), row)
    return True


def locks(connection: Connection, at: datetime) -> tuple[Lock, ...]:
    """Return the locks that hold at an instant, oldest first."""
    return tuple(
        stored.lock
        for stored in sorted(_newest_locks(connection).values())
        if not stored.released and stored.lock.holds_at(at)
    )


def released_by_hand(connection: Connection, lock_id: str, bot: str) -> datetime | None:
    """Return when somebody other than the bot last took a lock away; None if nobody did."""
    query = (
        select(func.max(_RELEASES.c.at))
        .join(_LOCKS, _LOCKS.c.sequence == _RELEASES.c.lock_sequence)
        .where(_LOCKS.c.lock_id == lock_id, _RELEASES.c.set_by != bot)
    )
    released: datetime | None = connection.execute(query).scalar()
    return released


def _values(found: Break) -> tuple[object, ...]:
    return found.ledger_value, found.broker_value, found.locks


def _newest_breaks(connection: Connection) -> dict[str, _StoredBreak]:
    return {
        row["break_id"]: _StoredBreak(
            row["sequence"],
            _to_break(row),
            None if row["resolution"] is None else Resolution(row["resolution"]),
        )
        for row in connection.execute(_breaks_query()).mappings()
    }


def _newest_locks(connection: Connection) -> dict[str, _StoredLock]:
    return {
        row["lock_id"]: _StoredLock(row["sequence"], _to_lock(row), row["release"] is not None)
        for row in connection.execute(_locks_query()).mappings()
    }


@cache
def _breaks_query() -> "Query":
    """Return the query of the newest row of each break, with how that ended last."""
    newest = select(func.max(_BREAKS.c.sequence)).group_by(_BREAKS.c.break_id)
    ended = (
        select(_RESOLUTIONS.c.resolution)
        .where(_RESOLUTIONS.c.break_sequence == _BREAKS.c.sequence)
        .order_by(_RESOLUTIONS.c.sequence.desc())
        .limit(1)
        .scalar_subquery()
    )
    query = select(*columns_of(_BREAKS), ended.label("resolution"))
    return query.where(_BREAKS.c.sequence.in_(newest))


@cache
def _locks_query() -> "Query":
    """Return the query of the newest row of each lock, with its release."""
    newest = select(func.max(_LOCKS.c.sequence)).group_by(_LOCKS.c.lock_id)
    released = select(func.max(_RELEASES.c.sequence)).where(
        _RELEASES.c.lock_sequence == _LOCKS.c.sequence
    )
    query = select(*columns_of(_LOCKS), released.scalar_subquery().label("release"))
    return query.where(_LOCKS.c.sequence.in_(newest))


def _to_break(row: RowMapping) -> Break:
    return Break(
        kind=BreakKind(row["kind"]),
        key=row["key"],
        detail=row["detail"],
        ledger_value=row["ledger_value"],
        broker_value=row["broker_value"],
        locks=tuple(json.loads(row["locks_json"])),
        found_at=row["found_at"],
    )


def _to_lock(row: RowMapping) -> Lock:
    return Lock(
        kind=LockKind(row["kind"]),
        key=row["key"],
        reason=row["reason"],
        set_at=row["set_at"],
        until=row["until"],
    )
