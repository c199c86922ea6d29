"""A power cut under a whole episode: what the disk was not told to keep is gone.

The ledger writes through a file layer that keeps account of what was synced. At the cut every file
becomes what a disk may have of it; the process is gone, and the machine comes back later.
"""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from bot.app.simulation.faults import Fault
from bot.app.simulation.injectors import Injector
from bot.app.simulation.stage import Stage
from state.connections import driven_by
from state.crash_points import CrashPoint, SimulatedDeath
from strategies.model.ids import is_own_id
from tests.simulation.apsw_driver import Connection, Disk, Failure


class Machine:
    """The disk under an episode: a new one, with what is left of the old, after each power cut."""

    def __init__(self) -> None:
        self.disk = Disk()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let every ledger inside the block write to this machine's disk."""
        with driven_by(self._connect):
            yield

    def cut(self) -> None:
        """Let nothing reach the disk any more."""
        self.disk._failure, self.disk.has_failed = Failure.POWER_CUT, True

    def come_back(self, folder: Path) -> None:
        """Put what a disk may have of each file in its place."""
        left = self.disk.after_power_cut(np.random.default_rng(7))
        for name, content in left.items():
            (folder / name).write_bytes(content)
        self.disk = Disk()

    def _connect(self, path: Path) -> Connection:
        return self.disk.connect(path)


class PowerCut(Injector):
    """The power goes after an order was acknowledged, before the answer is on record."""

    fault_id, waits, kills = "C2", True, True

    def __init__(self, at: datetime, machine: Machine, stage: Stage) -> None:
        super().__init__(Fault(fault_id="C2", at=at, until=at + timedelta(hours=4)), stage)
        self._machine = machine

    def at_point(self, point: CrashPoint) -> None:
        """Cut the power at the first order after its time."""
        if point is CrashPoint.ORDER_AFTER_SUBMIT and self.stage.now() >= self.fault.at:
            self.fire(ends=True)
            self._machine.cut()
            raise SimulatedDeath(point)

    def end(self) -> None:
        """Bring the machine back with what its disk has, and see what that is."""
        if not self.has_fired:
            return
        database = self.stage.paths.database
        self._machine.come_back(database.parent)
        for order_id in sorted(self._acted_upon() - _on_record(database)):
            self.stage.violate("I18", f"{order_id} is at the exchange and not on record any more")

    def _acted_upon(self) -> set[str]:
        """Return what the world outside has, on the strength of what was acknowledged."""
        records = self.stage.exchange.records()
        orders = (record.order.client_order_id for record in records)
        return {order_id for order_id in orders if is_own_id(order_id)}


def _on_record(database: Path) -> set[str]:
    """Return the orders whose sending is on record, as another program would read a copy."""
    query = "SELECT DISTINCT client_order_id FROM order_events WHERE status = 'SENDING'"
    with tempfile.TemporaryDirectory() as folder:
        for path in database.parent.glob(f"{database.name}*"):
            shutil.copy(path, folder)
        with closing(sqlite3.connect(Path(folder) / database.name)) as connection:
            try:
                return {order_id for (order_id,) in connection.execute(query)}
            except sqlite3.DatabaseError:  # not even the tables are left
                return set()
