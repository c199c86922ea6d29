"""The chain of events: each change of a record, in order, bound to the one before by its hash.

Every public write method of ``LedgerTransaction`` that changes something appends one event in the
same transaction. Its body is the canonical JSON of the method's arguments; what is large (a market,
the inputs and the plan of a decision, configuration and rules of a start) stands once in its own
table and in the body by its SHA-256. Calling the same methods with the same arguments again makes
the same tables again: ``state.rebuilding`` does, and compares.

The hash of an event is the SHA-256 of the one before, its number, instant, kind and body, each with
its length, so that nothing can be changed, left out, added or moved without breaking every later
one. That the tail is still there the chain cannot tell: ``state.anchors`` does.
"""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from inspect import signature
from json.encoder import encode_basestring_ascii as quoted
from typing import (
    Any,
    Concatenate,
    NamedTuple,
    ParamSpec,
    Protocol,
    TypeVar,
    cast,
    get_type_hints,
)

from state.amounts import instant_text
from strategies.model.encoding import UndecodableValue, decode, to_json
from strategies.model.fills import Fill

GENESIS = hashlib.sha256(b"alvh ledger").digest()  # what the first event has before it
_APPEND = "INSERT INTO events (seq, at, kind, body, prev_hash, hash) VALUES (?, ?, ?, ?, ?, ?)"
_LAST = "SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1"
_FROM = "SELECT seq, at, kind, body, prev_hash, hash FROM events WHERE seq >= ? ORDER BY seq"


class Head(NamedTuple):
    """The end of a chain."""

    seq: int
    hash: bytes


START = Head(0, GENESIS)


class Event(NamedTuple):
    """One event as it is stored."""

    seq: int
    at: str
    kind: str
    body: str
    prev_hash: bytes
    hash: bytes

    def __str__(self) -> str:
        """Return what a person looks it up by."""
        return f"event {self.seq} ({self.kind}, {self.at})"


@dataclass(frozen=True, slots=True)
class BadLink:
    """The first event that does not follow from the one before it."""

    event: Event
    what: str


def event_hash(prev_hash: bytes, seq: int, at: str, kind: str, body: str) -> bytes:
    """Return the SHA-256 of an event; its parts cannot run into each other."""
    texts = [part.encode() for part in (at, kind, body)]
    sizes = b"".join(len(text).to_bytes(8, "big") for text in texts)
    return hashlib.sha256(b"".join((prev_hash, seq.to_bytes(8, "big"), sizes, *texts))).digest()


def append(
    connection: sqlite3.Connection,
    head: Head,
    at: datetime,
    kind: str,
    body: str,
) -> Head:
    """Write one event behind ``head`` and return the new end; ``body`` is canonical JSON."""
    seq, text = head.seq + 1, instant_text(at)
    own = event_hash(head.hash, seq, text, kind, body)
    connection.execute(_APPEND, (seq, text, kind, body, head.hash, own))
    return Head(seq, own)


def last(connection: sqlite3.Connection) -> Head:
    """Return the end of the chain as stored."""
    row = connection.execute(_LAST).fetchone()
    return START if row is None else Head(*row)


def hash_at(connection: sqlite3.Connection, seq: int) -> bytes | None:
    """Return the hash of one event; None if there is no such event."""
    row = connection.execute("SELECT hash FROM events WHERE seq = ?", (seq,)).fetchone()
    return None if row is None else bytes(row[0])


def events_from(connection: sqlite3.Connection, seq: int) -> Iterator[Event]:
    """Yield the events from a number on, in order."""
    for row in connection.execute(_FROM, (seq,)):
        yield Event(*row)


def first_bad_link(events: Iterator[Event], before: Head | None = START) -> BadLink | None:
    """Return the first event that breaks the chain; ``before`` None trusts what the first says."""
    for event in events:
        if before is None:
            before = Head(event.seq - 1, event.prev_hash)
        if event.seq != before.seq + 1:
            return BadLink(event, f"follows event {before.seq}; what stood between is gone")
        if event.prev_hash != before.hash:
            return BadLink(event, "names another event before it")
        if event.hash != event_hash(before.hash, event.seq, event.at, event.kind, event.body):
            return BadLink(event, "says something else than when it was written")
        before = Head(event.seq, event.hash)
    return None


# --- from method calls to events, and back --------------------------------------------------------


class Chained(Protocol):
    """Something whose method calls become events."""

    def append_event(self, kind: str, at: datetime, body: str) -> None:
        """Append one event; its body is canonical JSON."""
        ...


S = TypeVar("S", bound=Chained)
P = ParamSpec("P")
R = TypeVar("R")
Call = Callable[Concatenate[S, P], R]

_KINDS: dict[str, Callable[..., object]] = {}


def event(
    at: Callable[[Any], datetime] | str = "at",
    body: Callable[[Mapping[str, Any]], str] = to_json,
) -> Callable[[Call[S, P, R]], Call[S, P, R]]:
    """Make each call of a method one event, unless it returns False: then it changed nothing.

    Args:
        at: Which argument is the instant of the event, or how to get it from the first argument.
        body: How to write the arguments as ``to_json`` would, where that takes too long.
    """

    def of(method: Call[S, P, R]) -> Call[S, P, R]:
        kind = method.__name__
        names = tuple(signature(method).parameters)[1:]
        place = names.index(at) if isinstance(at, str) else 0
        _KINDS[kind] = method

        @wraps(method)
        def append_too(self: S, *args: P.args, **kwargs: P.kwargs) -> R:
            result = method(self, *args, **kwargs)
            if result is not False:
                given = {**dict(zip(names, args, strict=False)), **kwargs}
                value: Any = given[names[place]]
                instant: datetime = value if isinstance(at, str) else at(value)
                self.append_event(kind, instant, body(given))
            return result

        return cast("Call[S, P, R]", append_too)

    return of


def fill_body(given: Mapping[str, Any]) -> str:
    """Return the canonical JSON of a fill that is recorded, in a fifth of the time."""
    fill: Fill = given["fill"]
    return (
        f'{{"fill":{{"client_order_id":{quoted(fill.client_order_id)}'
        f',"commission_usd":"{fill.commission_usd}"'
        f',"exec_root":{quoted(fill.exec_root)}'
        f',"executed_at":"{fill.executed_at.astimezone(UTC).isoformat()}"'
        f',"price":"{fill.price}","quantity":{fill.quantity},"revision":{fill.revision}'
        f',"side":"{fill.side.value}","symbol":{quoted(fill.symbol)}}}}}'
    )


def body_of(event: Event) -> dict[str, Any]:
    """Return the body of an event as plain JSON types; raises UndecodableValue."""
    try:
        body: dict[str, Any] = json.loads(event.body)
    except json.JSONDecodeError as cause:
        raise UndecodableValue(f"{event.kind}: {cause.msg}") from cause
    return body


def arguments_of(kind: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of the call that an event's body was made of.

    Raises: UndecodableValue; KeyError for a kind that this version does not know.
    """
    hints = get_type_hints(_KINDS[kind])
    return {name: decode(hints[name], value) for name, value in data.items()}
