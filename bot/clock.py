"""Time: the wall clock, and a virtual one that drives a whole event loop.

In a simulated run nothing waits. ``VirtualTimeLoop`` is an asyncio loop whose selector, instead of
sleeping until the next timer, moves time there. time-machine makes every reader of the wall clock
in the process (APScheduler above all) see the same instant, so the real scheduler runs unchanged.

Where both ends of a socket are in this process, bytes in the kernel look like silence to a
selector: while a watcher says that some are under way, time stands still until they have arrived.
"""

import asyncio
import selectors
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import time_machine

_MICROS_PER_SECOND = 1_000_000
# Selecting with nothing scheduled would be a deadlock; look at real sockets this often instead.
_IDLE_POLL_S = 0.05
# Loopback takes microseconds; the longer bound is for a machine that is busy with something else.
_IN_FLIGHT_POLL_S = 0.001
_IN_FLIGHT_MAX_S = 30.0


class BytesStuck(RuntimeError):
    """Bytes are said to be under way and never arrive: a count of them is wrong."""


class SystemClock:
    """The wall clock of the running loop: real, or virtual under ``virtual_time``."""

    def now(self) -> datetime:
        """Return the current instant, in UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait for ``seconds``; returns at once for zero or less."""
        await asyncio.sleep(max(0.0, seconds))


def real_now() -> datetime:
    """Return the instant outside of any virtual time, for those who watch from there."""
    now: datetime = time_machine.escape_hatch.datetime.datetime.now(UTC)
    return now


class _JumpingSelector(selectors.BaseSelector):
    """A selector that moves virtual time where a real one would wait."""

    def __init__(self, start: datetime, speed: float | None, *, runs_free: bool) -> None:
        self._inner = selectors.DefaultSelector()
        self._speed = speed
        self._runs_free = runs_free
        self._start = start
        self._micros = 0
        self._moved_at = time.perf_counter()
        self.traveller: time_machine.Traveller | None = None
        self.watchers: list[Callable[[], bool]] = []

    def elapsed_s(self) -> float:
        """Virtual seconds since the start."""
        return self._micros / _MICROS_PER_SECOND

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return ready files; without any, move time forward by ``timeout``.

        Raises: BytesStuck.
        """
        if self._runs_free:
            return self._select_free(timeout)
        ready = self._inner.select(0)
        if timeout is not None and timeout <= 0:
            return ready
        if self.watchers and (ready := ready or self._arrivals()):
            return ready
        if self._speed is not None:
            return self._select_paced(ready, timeout, self._speed)
        if timeout is None:
            return ready or self._inner.select(_IDLE_POLL_S)
        if not ready:
            self._advance(timeout)
        return ready

    def _select_paced(
        self, ready: list[tuple[selectors.SelectorKey, int]], timeout: float | None, speed: float
    ) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait as long as ``timeout`` lasts at this speed, and move time by what has passed.

        Time moves while files are busy too, but never past the next timer.
        """
        wait = _IDLE_POLL_S if timeout is None else timeout / speed
        if not ready:
            ready = self._inner.select(max(0.0, wait - (time.perf_counter() - self._moved_at)))
        passed = (time.perf_counter() - self._moved_at) * speed
        self._moved_at = time.perf_counter()
        if timeout is None or ready:
            self._advance(passed if timeout is None else min(timeout, passed))
        else:
            self._advance(timeout)
        return ready

    def _select_free(self, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait like a real selector, while time passes at its speed whatever happens."""
        assert self._speed is not None, "time that runs free has a speed"
        ready = self._inner.select(_IDLE_POLL_S if timeout is None else timeout / self._speed)
        passed = (time.perf_counter() - self._moved_at) * self._speed
        self._moved_at += passed / self._speed
        self._advance(passed)
        return ready

    def _arrivals(self) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait in real time for bytes that are under way; none are if nothing is returned."""
        began = time.perf_counter()
        while any(in_flight() for in_flight in self.watchers):
            if ready := self._inner.select(_IN_FLIGHT_POLL_S):
                return ready
            if time.perf_counter() - began > _IN_FLIGHT_MAX_S:
                raise BytesStuck(f"bytes under way for {_IN_FLIGHT_MAX_S:.0f} s have not arrived")
        return []

    def jump_to(self, at: datetime) -> None:
        """Move time to a later instant at once."""
        self._advance((at - self._start).total_seconds() - self.elapsed_s())

    def _advance(self, seconds: float) -> None:
        self._micros += max(1, round(seconds * _MICROS_PER_SECOND))
        assert self.traveller is not None, "the loop runs inside virtual_time"
        self.traveller.move_to(self._start + timedelta(microseconds=self._micros), tick=False)

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:  # noqa: ANN401 as in the base class
        """Register a file object with the real selector."""
        return self._inner.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:  # noqa: ANN401 as in the base class
        """Unregister a file object from the real selector."""
        return self._inner.unregister(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        """Return the real selector's registrations."""
        return self._inner.get_map()

    def close(self) -> None:
        """Close the real selector."""
        self._inner.close()


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is virtual."""

    def __init__(self, selector: _JumpingSelector) -> None:
        super().__init__(selector)
        self._virtual = selector
        self._clock_resolution = 1 / _MICROS_PER_SECOND

    def time(self) -> float:
        """Return virtual seconds since the start."""
        return self._virtual.elapsed_s()

    def jump_to(self, at: datetime) -> None:
        """Move time to a later instant at once; what was due before is due then."""
        self._virtual.jump_to(at)

    @contextmanager
    def watch(self, in_flight: Callable[[], bool]) -> Iterator[None]:
        """Keep time from moving while ``in_flight`` says that bytes are under way.

        Args:
            in_flight: Whether one end of a socket in this process has sent what the other has not
                received. Asked each time before time moves, so it must be quick.
        """
        self._virtual.watchers.append(in_flight)
        try:
            yield
        finally:
            self._virtual.watchers.remove(in_flight)


@contextmanager
def virtual_time(
    start: datetime, *, speed: float | None = None, runs_free: bool = False
) -> Iterator[VirtualTimeLoop]:
    """Yield an event loop whose clock stands at ``start`` and jumps from timer to timer.

    It is the thread's event loop meanwhile: ib_insync asks asyncio for that one.
    ``speed`` limits it to that many virtual seconds a second; None means as fast as it can. Then
    time still waits for whoever is at work, so that no timer is late; ``runs_free`` lets it pass as
    real time does, which is what a peer in another process expects.
    """
    assert start.tzinfo is not None, "virtual time starts at an aware instant"
    selector = _JumpingSelector(start.astimezone(UTC), speed, runs_free=runs_free)
    with time_machine.travel(start, tick=False) as traveller:
        selector.traveller = traveller
        loop = VirtualTimeLoop(selector)
        asyncio.set_event_loop(loop)
        try:
            yield loop
        finally:
            asyncio.set_event_loop(None)
            loop.close()
