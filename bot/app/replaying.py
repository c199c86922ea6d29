"""Decide again what a ledger has on record, and say where anything came out differently.

The engine is pure, so a stored interval decided again from its stored inputs must give the stored
plan and memory to the byte (D1, law 1). One process loads and decides at about the speed of the run
itself; intervals do not depend on each other, so several processes share them.
"""

import json
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path

from state.audit import AuditReader
from state.replays import Selection, StoredDecision, plan_ids, stored_decisions_of
from strategies.decide import decide
from strategies.model.encoding import to_json
from strategies.model.errors import DomainError
from strategies.model.memory import Memory
from strategies.model.plan import Plan
from strategies.risk.flatten import FLATTENING, flatten

_CHUNK = 50  # intervals a process is given at a time
_ALONE = 200  # fewer are decided before another process has started
_PROCESSES_MAX = 4
_SHOWN = 80  # characters of a value that differs
_ABSENT = "(absent)"
_FLATTENING = f'"hedge_state":"{FLATTENING}"'  # of a plan that closes everything there is


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The first field in which an interval, decided again, is not what is stored."""

    plan_id: str
    at: datetime
    field: str  # "plan.layers[1].scale"
    stored: str
    decided: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What deciding again came to."""

    decisions: int
    differences: tuple[Difference, ...]  # one an interval at most, oldest first


def replay(database: Path, selection: Selection, on_progress: Callable[[int, int], None]) -> Replay:
    """Decide every selected interval of a ledger again.

    Args:
        database: The ledger, only read; a bot may be writing it.
        selection: Which intervals.
        on_progress: Told how many of how many are done.

    Raises: as ``AuditReader.open`` does, and LedgerCorrupt for inputs that cannot be read back.
    """
    with AuditReader.open(database) as reader:
        plans = plan_ids(reader, selection)
    differences: list[Difference] = []
    done = 0
    on_progress(done, len(plans))
    for count, found in _chunks(database, plans):
        done += count
        differences += found
        on_progress(done, len(plans))
    return Replay(decisions=len(plans), differences=tuple(differences))


def _chunks(database: Path, plans: tuple[str, ...]) -> Iterator[tuple[int, tuple[Difference, ...]]]:
    chunks = [plans[start : start + _CHUNK] for start in range(0, len(plans), _CHUNK)]
    processes = min(os.cpu_count() or 1, _PROCESSES_MAX)
    if processes == 1 or len(plans) < _ALONE:
        yield from map(_decide_chunk, repeat(database), chunks)
        return
    with ProcessPoolExecutor(
        processes, mp_context=get_context("spawn"), initializer=_end_by_interrupts
    ) as pool:
        try:
            with _interrupts_held_back():
                found = pool.map(_decide_chunk, repeat(database), chunks)
            yield from found
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Keep Ctrl-C from processes started meanwhile until they say that they are ready for it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_by_interrupts() -> None:
    """Let Ctrl-C end this process at once and without a word: the one that asks has the word."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _decide_chunk(database: Path, plans: Iterable[str]) -> tuple[int, tuple[Difference, ...]]:
    with AuditReader.open(database) as reader:
        found = [find_difference(stored) for stored in stored_decisions_of(reader, plans)]
    return len(found), tuple(difference for difference in found if difference is not None)


def find_difference(stored: StoredDecision) -> Difference | None:
    """Decide one stored interval again; return the first field that differs, None if none does."""
    given, left = to_json(stored.memory), stored.memory_left_json
    if left is not None and given != left:
        return _difference(stored, "memory given", left, given, Memory)
    try:
        decided_by = flatten if _FLATTENING in stored.plan_json else decide
        plan, memory = decided_by(
            stored.snapshot, stored.book, stored.account, stored.memory, stored.rules
        )
    except (DomainError, AssertionError, ArithmeticError) as cause:
        refusal = f"{type(cause).__name__}: {cause}"
        return _named(stored, "plan", "a plan", refusal)
    if (again := to_json(plan)) != stored.plan_json:
        return _difference(stored, "plan", stored.plan_json, again, Plan)
    if (again := to_json(memory)) != stored.memory_json:
        return _difference(stored, "memory", stored.memory_json, again, Memory)
    return None


def _difference(stored: StoredDecision, name: str, was: str, now: str, kind: type) -> Difference:
    # The hash of the rules goes first: with other rules everything may differ
    order = ["rules_hash", *(entry.name for entry in fields(kind))]
    path, before, after = _first_difference(json.loads(was), json.loads(now), name, order)
    return _named(stored, path, before, after)


def _named(stored: StoredDecision, field: str, was: str, now: str) -> Difference:
    return Difference(
        plan_id=stored.plan_id, at=stored.at, field=field, stored=was[:_SHOWN], decided=now[:_SHOWN]
    )


def _first_difference(
    was: object, now: object, path: str, order: Iterable[str] = ()
) -> tuple[str, str, str]:
    """Return path and texts of the first difference of two unequal JSON values."""
    if isinstance(was, dict) and isinstance(now, dict):
        keys = list(dict.fromkeys([*order, *was, *now]))
        for key in keys:
            if was.get(key, _ABSENT) != now.get(key, _ABSENT):
                return _first_difference(
                    was.get(key, _ABSENT), now.get(key, _ABSENT), f"{path}.{key}"
                )
    if isinstance(was, list) and isinstance(now, list):
        for index, (left, right) in enumerate(zip(was, now, strict=False)):
            if left != right:
                return _first_difference(left, right, f"{path}[{index}]")
        return f"{path}: length", str(len(was)), str(len(now))
    return path, _spelled(was), _spelled(now)


def _spelled(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
