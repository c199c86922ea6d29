"""Discretionary exceptions from the rules, as values (D3).

An override reaches a decision only once its signature was verified (``bot/approvals``); the
decision itself asks nothing but what it says and whether it is in force.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from strategies.model.errors import DomainError

_TARGETS = {
    "hold_layer": r"L[123]",
    "close_condor": r"C\d{4,}(-\d+)?",
    "hold_condor": r"C\d{4,}(-\d+)?",
}


class InvalidOverride(DomainError):
    """An override that asks for nothing known, or is in force for no time at all."""


class OverrideKind(StrEnum):
    """What an override may ask for; everything else is the rules'."""

    SKIP_ENTRIES = "skip_entries"  # no condor is entered
    HOLD_LAYER = "hold_layer"  # a layer is not traded, but for safety and the ceiling
    CLOSE_CONDOR = "close_condor"
    HOLD_CONDOR = "hold_condor"  # C9 and rolls leave it alone, until its last two days


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """One exception that somebody signed for, with a reason and an end."""

    override_id: str  # derived from its signed content
    action: str  # "skip_entries", "hold_layer:L2", "close_condor:C0007", "hold_condor:C0007"
    reason: str
    signer: str  # the name its key has in the configuration
    issued_at: datetime  # in force from here
    expires_at: datetime  # up to and without this instant

    def __post_init__(self) -> None:
        check_action(self.action)
        if self.expires_at <= self.issued_at:
            raise InvalidOverride(f"it expires at {self.expires_at.isoformat()}, before it begins")

    @property
    def kind(self) -> OverrideKind:
        """What it asks for."""
        return OverrideKind(self.action.partition(":")[0])

    @property
    def target(self) -> str:
        """The layer or condor it is about, rolled or not; empty for entries."""
        return self.action.partition(":")[2]

    def in_force(self, at: datetime) -> bool:
        """Return whether it holds at an instant."""
        return self.issued_at <= at < self.expires_at


def check_action(action: str) -> None:
    """Raise InvalidOverride unless ``action`` is one that an override may ask for."""
    kind, colon, target = action.partition(":")
    if action == OverrideKind.SKIP_ENTRIES or (
        colon and re.fullmatch(_TARGETS.get(kind, r"\Z."), target)
    ):
        return
    known = "skip_entries, hold_layer:L2, close_condor:C0007 or hold_condor:C0007"
    raise InvalidOverride(f"expected {known}, found {action!r}")
