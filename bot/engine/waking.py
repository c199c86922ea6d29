"""A clock whose sleepers can be woken: a command must not wait for the next step of a walk."""

import asyncio
from datetime import datetime

from bot.ports import Clock


class WakingClock:
    """Another clock, with sleeps that ``wake`` ends early.

    Whoever sleeps only waits for a time to come, and looks again at everything afterwards; being
    woken early costs an order nothing but a price that comes a few seconds sooner.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._woken = asyncio.Event()

    def now(self) -> datetime:
        """Return the current instant, aware, in UTC."""
        return self._clock.now()

    async def sleep(self, seconds: float) -> None:
        """Wait for ``seconds``, or until woken; a call to ``wake`` before it counts once."""
        sleeper = asyncio.ensure_future(self._clock.sleep(seconds))
        waker = asyncio.ensure_future(self._woken.wait())
        try:
            await asyncio.wait((sleeper, waker), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeper.cancel()
            waker.cancel()
            self._woken.clear()

    def wake(self) -> None:
        """End the sleep that is under way, or the next one."""
        self._woken.set()
