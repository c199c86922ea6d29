"""Stored decisions with everything they depended on, to be decided again."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from state.amounts import instant_of, instant_text
from state.decisions import unpack_inputs, unpack_text
from state.errors import NothingStored, UnknownRecord
from state.readers import Reader
from state.snapshots import decompress, read_snapshot
from strategies.model.book import Account, Book
from strategies.model.encoding import from_json
from strategies.model.memory import Memory
from strategies.model.plan import Plan
from strategies.model.rules import Rules
from strategies.model.snapshots import MarketSnapshot

_ONE = """
SELECT decisions.plan_id, decisions.at, decisions.session, decisions.inputs, decisions.plan,
       decisions.memory_json, runs.rules_json, decisions.market_digest, decisions.history_digest
FROM decisions JOIN runs ON runs.run_id = decisions.run_id
WHERE decisions.plan_id = ?
"""
_NEWEST = "SELECT plan_id FROM decisions WHERE at <= ? ORDER BY decision_id DESC LIMIT 1"
_BETWEEN = """
SELECT plan_id FROM decisions
WHERE (:since IS NULL OR at >= :since) AND (:until IS NULL OR at < :until)
ORDER BY decision_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDecision:
    """One decision: its five inputs, and what came of it as canonical JSON."""

    plan_id: str
    at: datetime
    session: date
    snapshot: MarketSnapshot
    book: Book
    account: Account
    memory: Memory  # before
    rules: Rules
    plan_json: str  # to_json(plan), to compare to the byte
    memory_json: str  # to_json(memory after)

    @property
    def plan(self) -> Plan:
        """The plan as a value."""
        return from_json(Plan, self.plan_json)


def stored_decision(reader: Reader, plan_id: str) -> StoredDecision:
    """Return one decision by its plan's id; raises UnknownRecord."""
    return _Loader(reader).load(plan_id)


def decision_at(reader: Reader, at: datetime) -> StoredDecision:
    """Return the newest decision at or before an instant; raises NothingStored."""
    rows = reader.raw(_NEWEST, (instant_text(at),))
    if not rows:
        raise NothingStored(at)
    return _Loader(reader).load(rows[0][0])


def plan_ids(
    reader: Reader, since: datetime | None = None, until: datetime | None = None
) -> tuple[str, ...]:
    """Return the plans decided from ``since`` up to and without ``until``, oldest first."""
    return tuple(plan_id for (plan_id,) in reader.raw(_BETWEEN, _bounds(since, until)))


def stored_decisions(
    reader: Reader, since: datetime | None = None, until: datetime | None = None
) -> Iterator[StoredDecision]:
    """Yield decisions from ``since`` up to and without ``until``, oldest first, one at a time."""
    loader = _Loader(reader)
    for plan_id in plan_ids(reader, since, until):
        yield loader.load(plan_id)


def _bounds(since: datetime | None, until: datetime | None) -> dict[str, str | None]:
    return {
        "since": None if since is None else instant_text(since),
        "until": None if until is None else instant_text(until),
    }


class _Loader:
    """Loads decisions; the history and the rules, which seldom change, are kept in between."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._history: tuple[str, bytes] = ("", b"")
        self._rules: tuple[str, Rules] = ("", Rules())

    def load(self, plan_id: str) -> StoredDecision:
        """Return one decision; raises UnknownRecord."""
        rows = self._reader.raw(_ONE, (plan_id,))
        if not rows:
            raise UnknownRecord("plan", plan_id)
        _, at, session, packed_inputs, packed_plan, memory_json, rules_json, *digests = rows[0]
        inputs = unpack_inputs(packed_inputs)
        market_digest, history_digest = digests
        if self._history[0] != history_digest:
            self._history = (history_digest, self._blob(history_digest))
        if self._rules[0] != rules_json:
            self._rules = (rules_json, from_json(Rules, rules_json))
        return StoredDecision(
            plan_id=plan_id,
            at=instant_of(at),
            session=date.fromisoformat(session),
            snapshot=read_snapshot(self._blob(market_digest), self._history[1]),
            book=inputs.book,
            account=inputs.account,
            memory=inputs.memory,
            rules=self._rules[1],
            plan_json=unpack_text(packed_plan),
            memory_json=memory_json,
        )

    def _blob(self, digest: str) -> bytes:
        rows = self._reader.raw("SELECT data FROM blobs WHERE digest = ?", (digest,))
        return decompress(rows[0][0])
