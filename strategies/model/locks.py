"""Locks: what may not be opened for now, why, and until when. Reductions pass every lock."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from strategies.model.ids import digest

WHOLE_BOOK = "*"  # the key of a lock that holds for every opening order
_ID_LENGTH = 8


class LockKind(StrEnum):
    """What set a lock."""

    DAILY_LOSS = "daily loss"
    DRAWDOWN = "drawdown"
    ORDER_RATE = "order rate"
    REJECT_STREAK = "reject streak"
    STALE_DATA = "stale data"
    IMPLAUSIBLE = "implausible market"  # its parts contradict each other
    CLOCK_SKEW = "clock skew"
    CONNECTION = "connection"
    MARGIN = "margin"
    BREAK = "break"  # ledger and broker, or a structure and its plan, do not agree
    FOREIGN_ACTIVITY = "foreign activity"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """One reason to open nothing under a key, persisted until it ends or is released."""

    kind: LockKind
    key: str  # WHOLE_BOOK, an underlying ("SPX"), a condor ("C0007"), or a symbol
    reason: str
    set_at: datetime
    until: datetime | None  # None = until it is released

    @property
    def lock_id(self) -> str:
        """Derived from what it locks and why, so that the same trouble sets one lock."""
        return "K" + digest(self.kind, self.key)[:_ID_LENGTH]

    def holds_at(self, at: datetime) -> bool:
        """Whether it still holds."""
        return self.until is None or at < self.until

    def covers(self, *keys: str) -> bool:
        """Whether an opening order that touches ``keys`` is under this lock."""
        return self.key == WHOLE_BOOK or self.key in keys
