"""What `alvh check` finds."""

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """What a check found."""

    PASS = "pass"  # noqa: S105 not a password
    WARN = "warn"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    check: str
    outcome: Outcome
    found: str
    fix: str = ""
