"""The registry of what injects each class of faults.

An ``Injector`` is one fault at work: it stands around every call of the broker and of the market
data, hears every crash point, and may act on the exchange. Families of injectors register
themselves in modules of their own.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import ClassVar, Final, TypeVar

import numpy as np

from bot.app.simulation.faults import Answer, Argument, Call, Decided, Fault
from bot.app.simulation.stage import Stage
from state.crash_points import CrashPoint


class Injector:
    """One fault at work. A class that does nothing in a method leaves it out."""

    fault_id: ClassVar[str]
    weight: ClassVar[float]  # how often it is drawn
    lasts_s: ClassVar[tuple[float, float]]  # least and most
    kills: ClassVar[bool]  # the process dies of it
    waits: ClassVar[bool]  # for its occasion, for days if need be

    def __init__(self, fault: Fault, stage: Stage) -> None:
        self.fault = fault
        self.stage = stage
        self.has_fired = False
        self.is_over = False
        self.fired_at: datetime | None = None  # first
        self._lets_pass = int(fault.arguments.get("lets_pass", 0))

    @property
    def is_latent(self) -> bool:
        """Whether it only waits for its occasion, and disturbs nothing yet."""
        return self.waits and not self.has_fired

    @classmethod
    def draw_arguments(cls, dice: np.random.Generator) -> dict[str, Argument]:
        """Return what else a fault of this class is drawn with."""
        del dice
        return {}

    def begin(self) -> None:
        """Act when its time has come."""

    def end(self) -> None:
        """Clean up when its time is over; what it leaves must be healthy again."""

    async def before(self, call: Call) -> None:
        """Raise to keep a call from the world; wait to delay it."""

    def instead(self, call: Call) -> Answer:
        """Answer instead of the world; None to let the call reach it."""
        del call
        return None

    def after(self, call: Call, answer: Answer) -> Answer:
        """Change an answer on its way back, or raise to lose it."""
        del call
        return answer

    def decided(self, decided: Decided) -> Decided:
        """Change what was decided."""
        return decided

    def at_point(self, point: CrashPoint) -> None:
        """Raise to let the process die there, or to let its storage fail."""

    def is_its_turn(self) -> bool:
        """Count an occasion, and return whether it is the one this fault waits for."""
        self._lets_pass -= 1
        return self._lets_pass < 0

    def fire(self, *, ends: bool = False) -> None:
        """Count it as injected; with ``ends`` it happens only once."""
        if not self.has_fired:
            self.has_fired, self.fired_at = True, self.stage.now()
        self.stage.note_effect()
        self.is_over = self.is_over or ends


_LASTS_S: Final = (30.0, 300.0)
_LETS_PASS: Final = 6.0  # occasions, on average
_WAITS_S: Final = (86400.0, 12 * 86400.0)
INJECTORS: Final[dict[str, type[Injector]]] = {}
_Class = TypeVar("_Class", bound=type[Injector])


def injects(
    fault_id: str,
    *,
    weight: float = 1.0,
    lasts_s: tuple[float, float] | None = None,
    kills: bool = False,
    waits: bool = False,
) -> Callable[[_Class], _Class]:
    """Register a class of faults.

    Args:
        fault_id: Its id in the catalogue.
        weight: How often it is drawn, others being 1.
        lasts_s: How long it lasts, least and most; also how long it waits for its occasion.
        kills: Whether the process dies of it.
        waits: Whether it waits for its occasion, for days if need be, and disturbs nothing before.
    """

    def register(injector: _Class) -> _Class:
        assert fault_id not in INJECTORS, f"fault {fault_id} has two injectors"
        injector.fault_id, injector.weight = fault_id, weight
        injector.lasts_s = lasts_s or (_WAITS_S if waits else _LASTS_S)
        injector.kills, injector.waits = kills, waits
        INJECTORS[fault_id] = injector
        return injector

    return register


def inject(fault: Fault, stage: Stage) -> Injector:
    """Return a fault at work on a stage."""
    return INJECTORS[fault.fault_id](fault, stage)


def draw_fault(dice: np.random.Generator, fault_id: str, at: datetime) -> Fault:
    """Return a fault of a class that begins at an instant."""
    injector = INJECTORS[fault_id]
    least, most = injector.lasts_s
    lasts = least * (most / least) ** dice.random() if least > 0 else 0.0
    arguments = injector.draw_arguments(dice)
    if injector.waits:  # else the first orders of a month would all be lost
        arguments["lets_pass"] = int(dice.exponential(_LETS_PASS))
    return Fault(
        fault_id=fault_id,
        at=at,
        until=at + timedelta(seconds=round(lasts)),
        arguments=arguments,
    )
