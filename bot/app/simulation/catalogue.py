"""The catalogue of faults and invariants, as data: what goes wrong and what must stay true."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_FILE = Path(__file__).with_name("catalogue.toml")
FAMILIES = {
    "A": "Submit, acknowledge, fill",
    "B": "Connectivity and gateway",
    "C": "Persistence and host",
    "D": "Market data and calendar",
    "E": "People, configuration, security",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CataloguedFault:
    """One way in which the world misbehaves."""

    fault_id: str  # "A1" .. "E25"; text for people says "fault A1"
    what: str
    required: str  # what the bot must do then


@dataclass(frozen=True, slots=True, kw_only=True)
class Invariant:
    """One statement that must hold in every state that can be reached."""

    invariant_id: str  # "I1" .. "I24"
    name: str
    holds: str


@cache
def catalogued_faults() -> tuple[CataloguedFault, ...]:
    """Return every fault of the catalogue, in its order."""
    return tuple(
        CataloguedFault(fault_id=fault_id, what=row["fault"], required=row["required"])
        for fault_id, row in _tables()["faults"].items()
    )


@cache
def invariants() -> tuple[Invariant, ...]:
    """Return every invariant, in its order."""
    return tuple(
        Invariant(invariant_id=invariant_id, name=row["name"], holds=row["holds"])
        for invariant_id, row in _tables()["invariants"].items()
    )


def _tables() -> dict[str, dict[str, dict[str, str]]]:
    return tomllib.loads(_FILE.read_text())
