"""Faults as data, and what one that is at work can do.

A ``Fault`` says which class of the catalogue happens, from when, until when, and with which
arguments; it can be written down as JSON and read back.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeAlias

from state.crash_points import CrashPoint
from strategies.model.memory import Memory
from strategies.model.plan import Plan

Argument = str | int | float
Decided: TypeAlias = tuple[Plan, Memory]
Answer: TypeAlias = Any  # of any port


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong in an episode."""

    fault_id: str  # of the catalogue, "A2"
    at: datetime
    until: datetime
    arguments: dict[str, Argument] = field(default_factory=dict)

    def number(self, name: str) -> float:
        """Return a numeric argument."""
        value = self.arguments[name]
        assert isinstance(value, (int, float)), f"{name} is a number"
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a port, on its way."""

    port: str  # "broker" or "data"
    name: str
    arguments: tuple[Any, ...]

    @property
    def is_wire(self) -> bool:
        """Whether it asks the broker, market data aside."""
        return self.port == "broker"


class AtWork(Protocol):
    """A fault that is under way."""

    fault: Fault
    has_fired: bool  # it did something
    is_over: bool  # it will not do any more

    @property
    def is_latent(self) -> bool:
        """Whether it only waits for its occasion, and disturbs nothing yet."""
        ...

    def begin(self) -> None:
        """Act when its time has come."""
        ...

    def end(self) -> None:
        """Clean up when its time is over; what it leaves must be healthy again."""
        ...

    async def before(self, call: Call) -> None:
        """Raise to keep a call from the world; wait to delay it."""
        ...

    def instead(self, call: Call) -> Answer:
        """Answer instead of the world; None to let the call reach it."""
        ...

    def after(self, call: Call, answer: Answer) -> Answer:
        """Change an answer on its way back, or raise to lose it."""
        ...

    def decided(self, decided: Decided) -> Decided:
        """Change what was decided."""
        ...

    def at_point(self, point: CrashPoint) -> None:
        """Raise to let the process die there, or to let its storage fail."""
        ...
