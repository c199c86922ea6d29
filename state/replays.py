"""Stored decisions with everything they depended on, to be decided again."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from state.amounts import instant_of, instant_text
from state.decisions import of_this_version, unpack_inputs, unpack_text
from state.errors import AmbiguousId, NothingStored, UnknownRecord
from state.readers import Reader
from state.snapshots import Daily, decompress, read_daily, read_snapshot
from strategies.model.book import Account, Book
from strategies.model.encoding import from_json
from strategies.model.memory import Memory
from strategies.model.plan import Plan
from strategies.model.rules import Rules
from strategies.model.snapshots import MarketSnapshot

_YEARS_KEPT = 256  # of history and factors; the next session shares all but one of each
_ONE = """
SELECT decisions.at, decisions.session, decisions.inputs, decisions.plan,
       decisions.memory_json,
       (SELECT earlier.memory_json FROM decisions AS earlier
        WHERE earlier.decision_id < decisions.decision_id
        ORDER BY earlier.decision_id DESC LIMIT 1) AS memory_left_json,
       runs.rules_json, decisions.market_digest, decisions.history_digest
FROM decisions JOIN runs ON runs.run_id = decisions.run_id
WHERE decisions.plan_id = ?
"""
_NEWEST = "SELECT plan_id FROM decisions WHERE at <= ? ORDER BY decision_id DESC LIMIT 1"
_BETWEEN = """
SELECT plan_id FROM decisions
WHERE (:since IS NULL OR at >= :since) AND (:until IS NULL OR at < :until)
  AND (:run IS NULL OR run_id = :run)
ORDER BY decision_id
"""
_RUN = "SELECT run_id FROM runs WHERE substr(run_id, 1, length(:run)) = :run ORDER BY run_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which decisions; None = all of them."""

    since: datetime | None = None  # at or after
    until: datetime | None = None  # before
    run: str | None = None  # of this start of the bot; the beginning of its id will do


EVERYTHING = Selection()


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
    memory_left_json: str | None  # what the decision before left; None for the first of all

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


def plan_ids(reader: Reader, selection: Selection = EVERYTHING) -> tuple[str, ...]:
    """Return the plans of the selected decisions, oldest first.

    Raises: UnknownRecord or AmbiguousId for a run that no run, or more than one, is meant by.
    """
    bounds = {
        "since": None if selection.since is None else instant_text(selection.since),
        "until": None if selection.until is None else instant_text(selection.until),
        "run": None if selection.run is None else _run_id(reader, selection.run),
    }
    return tuple(plan_id for (plan_id,) in reader.raw(_BETWEEN, bounds))


def _run_id(reader: Reader, start: str) -> str:
    found = [str(run_id) for (run_id,) in reader.raw(_RUN, {"run": start})]
    if not found:
        raise UnknownRecord("run", start)
    if len(found) > 1 and start not in found:
        raise AmbiguousId(start, tuple(found))
    return start if start in found else found[0]


def stored_decisions(reader: Reader, selection: Selection = EVERYTHING) -> Iterator[StoredDecision]:
    """Yield the selected decisions, oldest first, one at a time."""
    yield from stored_decisions_of(reader, plan_ids(reader, selection))


def stored_decisions_of(reader: Reader, plans: Iterable[str]) -> Iterator[StoredDecision]:
    """Yield decisions by their plans' ids, one at a time; raises UnknownRecord."""
    loader = _Loader(reader)
    for plan_id in plans:
        yield loader.load(plan_id)


class _Loader:
    """Loads decisions; the history and the rules, which seldom change, are kept in between."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._daily: tuple[str, Daily] | None = None
        self._year = lru_cache(maxsize=_YEARS_KEPT)(self._blob)
        self._rules: tuple[str, Rules] = ("", Rules())

    def load(self, plan_id: str) -> StoredDecision:
        """Return one decision; raises UnknownRecord, UnreadableDecision."""
        rows = self._reader.raw(_ONE, (plan_id,))
        if not rows:
            raise UnknownRecord("plan", plan_id)
        with of_this_version(plan_id):
            return self._loaded(plan_id, rows[0])

    def _loaded(self, plan_id: str, row: tuple[Any, ...]) -> StoredDecision:
        at, session, packed_inputs, packed_plan, memory_json, left_json, rules_json = row[:7]
        inputs = unpack_inputs(packed_inputs)
        market_digest, history_digest = row[7:]
        if self._daily is None or self._daily[0] != history_digest:
            # Read once: what is worked out once a history is kept by its identity
            daily = read_daily(self._blob(history_digest), self._year)
            self._daily = (history_digest, daily)
        if self._rules[0] != rules_json:
            self._rules = (rules_json, from_json(Rules, rules_json))
        return StoredDecision(
            plan_id=plan_id,
            at=instant_of(at),
            session=date.fromisoformat(session),
            snapshot=read_snapshot(self._blob(market_digest), self._daily[1]),
            book=inputs.book,
            account=inputs.account,
            memory=inputs.memory,
            rules=self._rules[1],
            plan_json=unpack_text(packed_plan),
            memory_json=memory_json,
            memory_left_json=left_json,
        )

    def _blob(self, digest: str) -> bytes:
        rows = self._reader.raw("SELECT data FROM blobs WHERE digest = ?", (digest,))
        return decompress(rows[0][0])
