"""Faults C: the process and its disk."""

from datetime import timedelta

import numpy as np

from bot.app.simulation.faults import Answer, Argument, Call, Fault
from bot.app.simulation.injectors import Injector, injects
from bot.app.simulation.stage import Stage
from bot.clock import SystemClock
from state.crash_points import CrashPoint, SimulatedDeath
from state.errors import InstanceRunning, LedgerBusy, StorageFailed
from state.ledger import Ledger


@injects("C1", weight=4.0, kills=True, waits=True)
class Killed(Injector):
    """SIGKILL at any instruction."""

    @classmethod
    def draw_arguments(cls, dice: np.random.Generator) -> dict[str, Argument]:
        """Return how many crash points it lets pass."""
        return {"after": int(np.exp(dice.uniform(0, np.log(150)))) - 1}

    def __init__(self, fault: Fault, stage: Stage) -> None:
        super().__init__(fault, stage)
        self._left = int(self.fault.number("after"))

    def at_point(self, point: CrashPoint) -> None:
        """Die at the one that is due."""
        self._left -= 1
        if self._left < 0:
            self.fire(ends=True)
            raise SimulatedDeath(point)


@injects("C6", weight=0.3, lasts_s=(5.0, 120.0))
class DatabaseBusy(Injector):
    """A backup or a viewer holds the database for longer than the bot waits."""

    def at_point(self, point: CrashPoint) -> None:
        """Refuse to begin."""
        if point is CrashPoint.LEDGER_BEFORE_BEGIN:
            self.fire()
            raise LedgerBusy(self.stage.paths.database)


@injects("C7", weight=0.25, lasts_s=(5.0, 600.0))
class DiskFull(Injector):
    """Nothing can be committed until somebody makes room."""

    def at_point(self, point: CrashPoint) -> None:
        """Refuse to commit."""
        if point is CrashPoint.LEDGER_BEFORE_COMMIT:
            self.fire()
            raise StorageFailed(self.stage.paths.database, "database or disk is full")


@injects("C8", weight=0.3, lasts_s=(60.0, 600.0))
class SyncFailed(Injector):
    """fsync fails once; what was to be committed is not."""

    def at_point(self, point: CrashPoint) -> None:
        """Fail one commit."""
        if point is CrashPoint.LEDGER_BEFORE_COMMIT:
            self.fire(ends=True)
            raise StorageFailed(self.stage.paths.database, "disk I/O error")


@injects("C11", weight=0.5, lasts_s=(60.0, 3600.0))
class SecondInstance(Injector):
    """Somebody starts the bot a second time."""

    async def before(self, call: Call) -> None:
        """Try to open the ledger beside the bot that has it."""
        config = self.stage.config
        self.fire(ends=True)
        try:
            second = Ledger.open(
                self.stage.paths.database,
                mode=config.mode,
                account=config.account,
                now=SystemClock().now(),
            )
        except InstanceRunning:
            return
        second.close()
        self.stage.violate("I12", f"a second instance has the ledger during {call.name}")


@injects("C15", weight=0.4, lasts_s=(1.0, 600.0))
class ClockJumps(Injector):
    """The bot's clock and the broker's disagree."""

    @classmethod
    def draw_arguments(cls, dice: np.random.Generator) -> dict[str, Argument]:
        """Return by how much, seconds."""
        return {"jump_s": float(dice.choice([-3600, -5, 5, 3600]))}

    def after(self, call: Call, answer: Answer) -> Answer:
        """Tell another time."""
        if call.name == "server_time":
            self.fire()
            return answer + timedelta(seconds=self.fault.number("jump_s"))
        return answer
