"""Everything that must be true of a ledger, looked at from outside and without writing.

``verify`` reads one moment of a database, also while the bot writes, and returns one ``Check`` for
each thing that must hold. What is wrong is named by the first event of the chain that shows it.
"""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from itertools import zip_longest
from pathlib import Path
from typing import Any

from sqlalchemy.exc import DBAPIError

from state import chain
from state.anchors import Anchor, lost, read_anchor
from state.chain import Event
from state.errors import LedgerBehindAnchor, StateError
from state.orders import instrument_of
from state.readers import Reader
from state.rebuilding import rebuild_and_compare
from state.snapshots import UnreadableSnapshot, decompress
from state.tables import APPEND_ONLY, table_of
from strategies.model.breaks import BreakKind
from strategies.model.errors import DomainError
from strategies.model.instruments import OptionContract, Right
from strategies.model.lifecycle import OrderStatus, may_follow

# What damaged bytes become on their way through SQLite, JSON and our own words
_UNREADABLE = (
    sqlite3.DatabaseError,
    DBAPIError,
    StateError,
    DomainError,
    ArithmeticError,
    KeyError,
    TypeError,
    ValueError,
)
_FILLS = frozenset({"record_fill", "record_external_fill"})
_MOVING = _FILLS | {"record_cash_movement", "open_break"}
# What says that a short without its long was known
_KNOWN = frozenset(
    {
        BreakKind.STRUCTURE,
        BreakKind.UNCOVERED,
        BreakKind.BUST,
        BreakKind.FOREIGN_FILL,
        BreakKind.OVERFILL,
        BreakKind.POSITION,
    }
)
_BEFORE_THE_WIRE = frozenset({OrderStatus.PLANNED, OrderStatus.ARMED, OrderStatus.SENDING})
_NEVER_SENT = frozenset({OrderStatus.CANCELLED, OrderStatus.REJECTED})


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, and the event that shows it, where one does."""

    what: str
    event: Event | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must hold: how much was looked at, and what was found."""

    name: str
    looked_at: str
    findings: tuple[Finding, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


def verify(database: Path) -> tuple[Check, ...]:
    """Check a ledger, as it is at one moment, without writing.

    Raises: as ``Reader.open`` does.
    """
    with Reader.open(database) as reader:
        anchored = _read_anchor(database)  # first: the bot may write on meanwhile
        with reader.moment():
            return _Verifier(reader.connection, anchored).checks()


class _Verifier:
    """The checks of one moment."""

    def __init__(self, connection: sqlite3.Connection, anchored: Anchor | str | None) -> None:
        self._connection = connection
        self._anchored = anchored
        self._events: tuple[Event, ...] = ()

    def checks(self) -> tuple[Check, ...]:
        """Run every check; one that cannot be run has found something."""
        connection = self._connection
        file = _check("file", "every page", lambda: _file(connection))
        unreadable = _check("events", "all", self._read)
        events, orders = self._events, _Orders()
        held = f"{len(events)} events"
        lives = _check("life cycles", "", lambda: orders.take_all(events))
        sent = f"{orders.sent} orders sent"
        return (
            *(check for check in (unreadable,) if not check.holds),
            file,
            _check("append-only", f"{len(APPEND_ONLY)} tables", lambda: _triggers(connection)),
            _check("chain", held, lambda: _chain(events)),
            _check("anchor", _anchor_text(self._anchored), self._anchor),
            _check("contents", "every blob", lambda: _contents(connection, events)),
            _check("tables", f"rebuilt from {held}", lambda: _tables(connection, events)),
            _check("sums", "every fill and settlement", lambda: _sums(connection)),
            _check("cover", held, lambda: _cover(events)),
            Check("intent before wire", sent, tuple(orders.unannounced)),
            Check("sent once", sent, tuple(orders.twice)),
            Check("life cycles", f"{len(orders.status)} orders", lives.findings),
        )

    def _read(self) -> Iterator[Finding]:
        self._events = tuple(chain.events_from(self._connection, 0))
        return iter(())

    def _anchor(self) -> Iterator[Finding]:
        anchor = self._anchored
        if isinstance(anchor, str):
            yield Finding(anchor)
        elif anchor is not None:
            at_anchor = chain.hash_at(self._connection, anchor.head.seq)
            why = lost(anchor, chain.last(self._connection), at_anchor)
            if why is not None:
                yield Finding(why)


def _check(name: str, looked_at: str, find: Callable[[], Iterator[Finding]]) -> Check:
    try:
        findings = tuple(find())
    except _UNREADABLE as cause:
        findings = (Finding(f"cannot be read: {cause}".splitlines()[0]),)
    return Check(name, looked_at, findings)


def _read_anchor(database: Path) -> Anchor | str | None:
    try:
        return read_anchor(database)
    except LedgerBehindAnchor as behind:
        return behind.why


def _anchor_text(anchored: Anchor | str | None) -> str:
    if anchored is None:
        return "there is none"
    return "unreadable" if isinstance(anchored, str) else f"event {anchored.head.seq}"


def first_bad_event(checks: tuple[Check, ...]) -> Event | None:
    """Return the earliest event that any check names.

    A row that is otherwise is named by the first event that speaks of it, which is less exact: it
    only counts where nothing else names one.
    """
    named = [
        (check.name == "tables", finding.event.seq, finding.event)
        for check in checks
        for finding in check.findings
        if finding.event is not None
    ]
    return min(named)[-1] if named else None


def _file(connection: sqlite3.Connection) -> Iterator[Finding]:
    try:
        rows = connection.execute("PRAGMA integrity_check(5)").fetchall()
    except sqlite3.DatabaseError as cause:
        yield Finding(str(cause))
        return
    yield from (Finding(str(row[0])) for row in rows if row[0] != "ok")


def _triggers(connection: sqlite3.Connection) -> Iterator[Finding]:
    query = "SELECT name FROM sqlite_schema WHERE type = 'trigger'"
    present = {name for (name,) in connection.execute(query)}
    for row in APPEND_ONLY:
        name = table_of(row).name
        for verb in ("UPDATE", "DELETE"):
            if f"{name}_refuse_{verb.lower()}" not in present:
                yield Finding(f"{name} does not refuse {verb} any more")


def _chain(events: tuple[Event, ...]) -> Iterator[Finding]:
    bad = chain.first_bad_link(iter(events))
    if bad is not None:
        yield Finding(bad.what, bad.event)


def _contents(connection: sqlite3.Connection, events: tuple[Event, ...]) -> Iterator[Finding]:
    """Check that stored bytes are those that their digest names."""
    bad: dict[str, str] = {}
    for digest, size, data in connection.execute("SELECT digest, size, data FROM blobs"):
        try:
            unpacked = decompress(data)
        except UnreadableSnapshot as cause:
            bad[digest] = str(cause)
            continue
        if sha256(unpacked).hexdigest() != digest or len(unpacked) != size:
            bad[digest] = "is not what its digest names"
    for digest, what in bad.items():
        event = next((event for event in events if digest in event.body), None)
        yield Finding(f"blob {digest[:16]}: {what}", event)


def _tables(connection: sqlite3.Connection, events: tuple[Event, ...]) -> Iterator[Finding]:
    for mismatch in rebuild_and_compare(connection):
        event = mismatch.event
        if event is None and mismatch.key:
            event = next((each for each in events if f'"{mismatch.key}"' in each.body), None)
        yield Finding(mismatch.what, event)


_ADDED_UP = """
SELECT symbol, sum(quantity) FROM (
    SELECT symbol, CASE side WHEN 'BUY' THEN quantity ELSE -quantity END AS quantity
    FROM current_fills
    UNION ALL
    SELECT symbol, CASE side WHEN 'BUY' THEN quantity ELSE -quantity END
    FROM external_fills AS these WHERE NOT EXISTS (
        SELECT 1 FROM external_fills AS newer
        WHERE newer.exec_root = these.exec_root AND newer.revision > these.revision)
    UNION ALL
    SELECT symbol, quantity FROM cash_movements WHERE kind = 'SETTLEMENT')
GROUP BY symbol HAVING sum(quantity) <> 0 ORDER BY symbol
"""
_FLOWS = """
SELECT exec_root, symbol, CASE side WHEN 'BUY' THEN quantity ELSE -quantity END,
       price_micros, commission_usd_micros, cash_flow_usd_micros FROM fills
UNION ALL
SELECT exec_root, symbol, CASE side WHEN 'BUY' THEN quantity ELSE -quantity END,
       price_micros, commission_usd_micros, cash_flow_usd_micros FROM external_fills
"""


def _sums(connection: sqlite3.Connection) -> Iterator[Finding]:
    """Check positions and cash flows without the ledger's own arithmetic."""
    added_up = dict(connection.execute(_ADDED_UP).fetchall())
    stored = dict(connection.execute("SELECT symbol, net_contracts FROM positions").fetchall())
    for symbol in sorted(added_up.keys() | stored.keys()):
        if added_up.get(symbol, 0) != stored.get(symbol, 0):
            fills, position = added_up.get(symbol, 0), stored.get(symbol, 0)
            yield Finding(f"{symbol}: fills add up to {fills}, the position is {position}")
    for root, symbol, signed, price, commission, flow in connection.execute(_FLOWS):
        instrument = instrument_of(symbol)
        premium = 0
        if isinstance(instrument, OptionContract):
            premium = signed * price * instrument.multiplier
        if flow != -premium - commission:
            yield Finding(f"fill {root}: cash flow is {flow}, should be {-premium - commission}")
    both = "SELECT exec_root FROM fills INTERSECT SELECT exec_root FROM external_fills"
    for (root,) in connection.execute(both):
        yield Finding(f"fill {root} is the bot's and somebody else's")


def _cover(events: tuple[Event, ...]) -> Iterator[Finding]:
    """Check that no short option was without its long at the end of any instant, unless known.

    What counts is when it happened: the legs of one match may be told hours apart (faults A20,
    A22). What is known is on record as a break before all is covered again.
    """
    moves = sorted((event for event in events if event.kind in _MOVING), key=lambda each: each.at)
    fills: dict[str, tuple[str, int]] = {}
    net: Counter[str] = Counter()
    naked: Finding | None = None
    for event, following in zip_longest(moves, moves[1:]):
        if event.kind in _FILLS:
            fill = chain.body_of(event)["fill"]
            symbol, before = fills.get(fill["exec_root"], (fill["symbol"], 0))
            net[symbol] -= before
            signed = fill["quantity"] * (1 if fill["side"] == "BUY" else -1)
            fills[fill["exec_root"]] = fill["symbol"], signed
            net[fill["symbol"]] += signed
        elif event.kind == "record_cash_movement":
            movement = chain.body_of(event)["movement"]
            if movement["kind"] == "SETTLEMENT":
                net[movement["symbol"]] += movement["quantity"]
        elif event.kind == "open_break":
            if chain.body_of(event)["found"]["kind"] in _KNOWN:
                naked = None
            continue
        if following is not None and (following.at, following.kind) == (event.at, event.kind):
            continue  # the legs of one match, or settlements of one instant
        short = uncovered(net)
        if short is None:
            if naked is not None:
                yield naked
                naked = None
        elif naked is None:
            naked = Finding(f"{short} was short without a long", event)
    if naked is not None:
        yield naked


def uncovered(net: Mapping[str, int]) -> str | None:
    """Return a short option that no long covers; None if all are.

    A long covers shorts of its root and right that expire with it or earlier; with VIX options only
    those that expire with it (another expiry has another underlying).
    """
    sides: defaultdict[tuple[object, ...], list[tuple[OptionContract, int]]] = defaultdict(list)
    for symbol, count in net.items():
        contract = instrument_of(symbol)
        if count and isinstance(contract, OptionContract):
            group: tuple[str | Right, ...] = contract.root, contract.right
            if contract.underlying == "VIX":
                group = (*group, contract.expiry.isoformat())
            sides[group].append((contract, count))
    for held in sides.values():
        balance = 0
        # The latest expiry first, and its longs before its shorts
        for contract, count in sorted(held, key=lambda each: (each[0].expiry, each[1]))[::-1]:
            balance += count
            if balance < 0:
                return contract.symbol
    return None


class _Orders:
    """What the chain says of orders, event after event."""

    def __init__(self) -> None:
        self.status: dict[str, OrderStatus] = {}
        self.sent = 0
        self._sending: set[str] = set()
        self.unannounced: list[Finding] = []
        self.twice: list[Finding] = []
        self.illegal: list[Finding] = []

    def take(self, event: Event) -> None:
        """Look at one event."""
        takers: dict[str, Callable[[Event, dict[str, Any]], None]] = {
            "record_order_event": self._moved,
            "record_fill": self._filled,
        }
        if event.kind in takers:
            takers[event.kind](event, chain.body_of(event))

    def take_all(self, events: tuple[Event, ...]) -> Iterator[Finding]:
        """Look at every event; yield those that cannot follow from the ones before."""
        for event in events:
            try:
                self.take(event)
            except _UNREADABLE:
                yield Finding("cannot be read", event)
        yield from self.illegal

    def _moved(self, event: Event, body: dict[str, Any]) -> None:
        order_id, status = body["client_order_id"], OrderStatus(body["status"])
        before = self.status.get(order_id, OrderStatus.PLANNED)
        if not may_follow(before, status):
            self.illegal.append(Finding(f"order {order_id}: {before} -> {status}", event))
        self.status[order_id] = status
        if status is OrderStatus.SENDING:
            if order_id in self._sending and before is not OrderStatus.SENDING:
                self.twice.append(Finding(f"order {order_id} was sent again", event))
            self._sending.add(order_id)
            self.sent = len(self._sending)
        elif status not in _BEFORE_THE_WIRE | _NEVER_SENT and order_id not in self._sending:
            self.unannounced.append(
                Finding(f"order {order_id} is {status} and was never SENDING", event)
            )

    def _filled(self, event: Event, body: dict[str, Any]) -> None:
        order_id = body["fill"]["client_order_id"]
        if order_id not in self._sending:
            self.unannounced.append(
                Finding(f"order {order_id} filled and was never SENDING", event)
            )
