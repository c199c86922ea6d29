"""The evidence panel (E) and the nature of a spike (R5): fear, technical or undecided."""

from dataclasses import dataclass
from enum import StrEnum

from strategies.model.plan import Gate


class Verdict(StrEnum):
    """What a spike is, as the panel sees it (R5)."""

    FEAR = "fear"
    TECHNICAL = "technical"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One factor's vote."""

    name: str
    vote: int | None  # +1 fear, -1 technical, 0 inside its neutral band; None = absent
    value: float | None
    threshold: str  # "fear > 1, technical < -1"
    weight: float
    note: str = ""  # why it is absent

    @property
    def gate(self) -> Gate:
        """The vote as a plan records it; passed = it voted fear or technical."""
        said = {1: "fear", -1: "technical", 0: "abstains", None: "absent"}[self.vote]
        return Gate(
            rule="E",
            name=f"{self.name}: {said}",
            value=self.value,
            threshold=self.threshold,
            passed=bool(self.vote),
            note=self.note,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Every vote of one interval, and what they come to."""

    votes: tuple[Vote, ...]
    mean: float | None  # weighted, of those that voted fear or technical; None = nobody did
    verdict: Verdict
