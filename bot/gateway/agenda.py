"""What the gateway means to do later, by the clock it is given.

Everything due is done when somebody pumps the gateway. So that something due does not wait for a
request, a timer of the event loop asks for a pump when its instant has come: in virtual time at
exactly that instant, for a clock that a test moves by hand whenever the clock has got there.
"""

import asyncio
import heapq
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count

from bot.ports import Clock

_SOONEST_S = 0.001
_LONGEST_S = 3600.0


class Agenda:
    """Actions with the instants at which they are due."""

    def __init__(self, clock: Clock, wake: Callable[[], None]) -> None:
        self._clock = clock
        self._wake = wake
        self._heap: list[tuple[datetime, int, Callable[[], None] | None]] = []
        self._order = count()
        self._timer: asyncio.TimerHandle | None = None

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something so many seconds from now."""
        self.at(self._clock.now() + timedelta(seconds=seconds), action)

    def at(self, instant: datetime, action: Callable[[], None] | None) -> None:
        """Do something at an instant; None only asks for a pump."""
        heapq.heappush(self._heap, (instant, next(self._order), action))
        self._arm()

    def run(self, at: datetime) -> None:
        """Do everything that is due, in the order of the instants."""
        while self._heap and self._heap[0][0] <= at:
            action = heapq.heappop(self._heap)[2]
            if action is not None:
                action()
        self._arm()

    def clear(self) -> None:
        """Forget everything."""
        self._heap.clear()
        self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._heap:
            seconds = (self._heap[0][0] - self._clock.now()).total_seconds()
            seconds = min(max(seconds, _SOONEST_S), _LONGEST_S)
            self._timer = asyncio.get_running_loop().call_later(seconds, self._rung)

    def _rung(self) -> None:
        self._timer = None
        if self._heap and self._heap[0][0] <= self._clock.now():
            self._wake()
        if self._timer is None:
            self._arm()
