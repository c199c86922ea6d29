"""Breaks: each way in which the ledger and the broker can disagree, as a value with an id.

A break locks what it touches and stays on record until it is gone or an operator has resolved it.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from strategies.model.ids import digest

_ID_LENGTH = 8


class BreakKind(StrEnum):
    """What does not agree. The comment says what the key names."""

    POSITION = "position"  # symbol
    CASH = "cash"  # "USD"
    FOREIGN_FILL = "foreign fill"  # root of the execution id
    FOREIGN_ORDER = "foreign order"  # the broker's order id
    UNRECORDED_ORDER = "unrecorded order"  # orderRef that looks like ours and is not on record
    LOST_ORDER = "lost order"  # client order id that the broker does not know
    ECHO_DIFFERS = "echo differs"  # client order id: the broker holds another order than was sent
    OVERFILL = "overfill"  # client order id
    WORSE_PRICE = "worse price"  # client order id: filled beyond its limit
    BUST = "bust"  # root of the execution id that was taken back
    STRUCTURE = "structure"  # condor id: its legs are not held in their ratio
    UNCOVERED = "uncovered"  # symbol of a short without a long
    SETTLEMENT_OVERDUE = "settlement overdue"  # symbol
    CONTRACT_CHANGED = "contract changed"  # symbol
    ASSIGNMENT = "assignment"  # symbol of what nobody can be assigned


class Resolution(StrEnum):
    """How a break ended."""

    GONE = "gone"  # the next comparison did not find it any more
    ADOPTED = "adopted"  # what was foreign is the bot's from now on
    IGNORED = "ignored"  # an operator knows, and it stays as it is
    BALANCED = "balanced"  # an operator booked the difference


# With these the bot cannot know what it owns or owes: everything stops. Others lock what they name
_HALTING = frozenset(
    {
        BreakKind.UNRECORDED_ORDER,
        BreakKind.ECHO_DIFFERS,
        BreakKind.OVERFILL,
        BreakKind.WORSE_PRICE,
        BreakKind.UNCOVERED,
        BreakKind.CONTRACT_CHANGED,
        BreakKind.ASSIGNMENT,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """One disagreement."""

    kind: BreakKind
    key: str
    detail: str  # one sentence for a person
    ledger_value: str
    broker_value: str
    locks: tuple[str, ...]  # keys of ``strategies.model.locks`` under which nothing opens
    found_at: datetime

    @property
    def break_id(self) -> str:
        """Derived from what disagrees, so that finding it again finds the same break."""
        return "X" + digest(self.kind, self.key)[:_ID_LENGTH]

    @property
    def halts(self) -> bool:
        """Whether everything stops until a person has looked."""
        return self.kind in _HALTING
