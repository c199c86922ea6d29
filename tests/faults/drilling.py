"""Drills: one fault of the catalogue injected against the real code, in a variation its seed draws.

A drill is for a fault that the simulation of whole months cannot inject: it lies in a file, on the
wire, in a calendar or in a person's hands. Modules of drills register them here by the fault's id.
"""

import asyncio
import atexit
import logging
import shutil
import tempfile
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import structlog

from bot.gateway.fault_plan import FaultPlan, PlannedFault
from tests.bot.brokers.wire_bench import Scenario, run_in_virtual_time
from tests.bot.engine.books import Books
from tests.bot.engine.fakes import Bench, EngineBench
from tests.state import records

__all__ = [
    "DRILLS",
    "Dice",
    "a_bench",
    "a_desk",
    "a_ledger",
    "drill",
    "in_real_time",
    "on_the_wire",
    "own_logging",
    "some_books",
]

Drill = Callable[[int, Path], None]
DRILLS: dict[str, Drill] = {}
_Drill = TypeVar("_Drill", bound=Drill)
_T = TypeVar("_T")


def drill(*fault_ids: str) -> Callable[[_Drill], _Drill]:
    """Register the drill of a fault, or of several that are one and the same injection."""

    def register(function: _Drill) -> _Drill:
        for fault_id in fault_ids:
            assert fault_id not in DRILLS, f"fault {fault_id} has two drills"
            DRILLS[fault_id] = function
        return function

    return register


class Dice:
    """What a seed draws."""

    def __init__(self, seed: int) -> None:
        self.generator = np.random.default_rng(seed)

    def whole(self, least: int, most: int) -> int:
        """Return a whole number, both ends possible."""
        return int(self.generator.integers(least, most + 1))

    def share(self, least: float = 0.0, most: float = 1.0) -> float:
        """Return a number in between."""
        return float(self.generator.uniform(least, most))

    def pick(self, choices: Sequence[_T]) -> _T:
        """Return one of several."""
        return choices[self.whole(0, len(choices) - 1)]

    def some(self, choices: Sequence[_T], count: int) -> list[_T]:
        """Return several, in any order, none twice."""
        places = self.generator.permutation(len(choices))[:count]
        return [choices[int(place)] for place in places]

    def word(self, length: int = 8) -> str:
        """Return letters."""
        return "".join(self.pick("abcdefghijklmnopqrstuvwxyz") for _ in range(length))


# --- what drills stand on -------------------------------------------------------------------------


@cache
def _template() -> Path:
    """Return a closed ledger with one run: made once and copied, since making one takes 0.1 s."""
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    path = Path(folder.name) / "empty.sqlite"
    with records.open_ledger(path) as ledger, ledger.transaction() as tx:
        records.start_run(tx)
    return path


def a_ledger(folder: Path, name: str = "ledger.sqlite") -> Path:
    """Return a closed ledger with one run and nothing else."""
    return Path(shutil.copy(_template(), folder / name))


@contextmanager
def a_bench(folder: Path, kind: type[Bench] = Bench, **options: object) -> Iterator[Any]:
    """Give a bench of the engine, and close it."""
    bench = kind(folder, _template(), **options)
    try:
        yield bench
    finally:
        bench.ledger.close()


@contextmanager
def a_desk(folder: Path, **options: object) -> Iterator[EngineBench]:
    """Give a whole engine, and close it."""
    with a_bench(folder, EngineBench, **options) as desk:
        yield desk


@contextmanager
def some_books(folder: Path, **options: object) -> Iterator[Books]:
    """Give a bench whose books are compared, and close it."""
    with a_bench(folder, **options) as bench:
        yield Books(bench)


@contextmanager
def own_logging() -> Iterator[None]:
    """Put back what logging was before."""
    root, config = logging.getLogger(), structlog.get_config()
    before, level, disabled = root.handlers[:], root.level, root.manager.disable
    logging.disable(logging.NOTSET)
    try:
        yield
    finally:
        for handler in root.handlers[:]:
            if handler not in before:
                handler.close()
        root.handlers[:] = before
        root.setLevel(level)
        logging.disable(disabled)
        structlog.configure(**config)


def on_the_wire(
    folder: Path, scenario: Scenario, *faults: PlannedFault, **changes: object
) -> FaultPlan:
    """Run a scenario over a real socket to the simulated gateway; every fault planned strikes."""
    plan = run_in_virtual_time(folder, scenario, *faults, **changes)
    kinds = {fault.kind for fault in faults}
    assert {struck.kind for struck in plan.struck} == kinds, "not every fault planned has struck"
    return plan


def in_real_time(act: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine that waits for sockets."""
    return asyncio.run(act)
