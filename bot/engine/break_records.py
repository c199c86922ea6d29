"""Breaks on record, and the locks that follow from them: what is open locks, what is not does not.

Every function works inside a transaction of its caller, so that what was taken over and what does
not agree with it are on record together or not at all.
"""

from collections.abc import Collection, Iterable
from datetime import datetime

import structlog

from bot.engine.breaks import lock_of
from state.ledger import Ledger, LedgerTransaction
from strategies.model.breaks import Break, BreakKind, Resolution
from strategies.model.locks import Lock, LockKind

log = structlog.get_logger(__name__)

BOT = "bot"
_OF_BREAKS = frozenset({LockKind.BREAK, LockKind.FOREIGN_ACTIVITY})


def open_breaks(
    tx: LedgerTransaction, ledger: Ledger, found: Iterable[Break], at: datetime
) -> tuple[Break, ...]:
    """Record breaks with their locks; return those that were not open with these values before.

    One that an operator chose to ignore stays ignored while its values stay.
    """
    opened = []
    for each in found:
        if tx.open_break(each):
            log.error("ledger and broker do not agree", kind=each.kind, detail=each.detail)
            opened.append(each)
    if opened:
        set_locks(tx, ledger, at)
    return tuple(opened)


def close_gone(
    tx: LedgerTransaction,
    ledger: Ledger,
    found: Collection[Break],
    looked_for: Collection[BreakKind],
    at: datetime,
) -> None:
    """Resolve the open breaks of some kinds that a comparison did not find any more."""
    still = {each.break_id for each in found}
    gone = [
        each
        for each in ledger.open_breaks()
        if each.kind in looked_for and each.break_id not in still
    ]
    for each in gone:
        reason = "a comparison does not find it any more"
        tx.resolve_break(each.break_id, at, Resolution.GONE, by=BOT, reason=reason)
        log.warning("break gone", kind=each.kind, key=each.key)
    if gone:
        set_locks(tx, ledger, at)


def set_locks(tx: LedgerTransaction, ledger: Ledger, at: datetime) -> None:
    """Set the locks of the open breaks, and release those that no break needs any more."""
    wanted: dict[str, Lock] = {}
    for each in ledger.open_breaks():
        for key in each.locks:
            lock = lock_of(each, key)
            wanted.setdefault(lock.lock_id, lock)
    held = {lock.lock_id for lock in ledger.locks(at) if lock.kind in _OF_BREAKS}
    for lock_id in wanted.keys() - held:
        tx.set_lock(wanted[lock_id], by=BOT)
    for lock_id in held - wanted.keys():
        tx.release_lock(lock_id, at, by=BOT, reason="no break needs it any more")


def halting(ledger: Ledger) -> tuple[Break, ...]:
    """Return the open breaks with which nothing may be traded."""
    return tuple(each for each in ledger.open_breaks() if each.halts)
