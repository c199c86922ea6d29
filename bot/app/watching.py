"""Between looks: the sign of life, commands at once, the broker, and a loop that hangs.

A run in real time spends most of its time waiting. Meanwhile one task looks for commands every
second, and another asks the broker for a sign of life, renews the heartbeat file, and notices a job
that does not end. A task that dies takes the bot with it, halted: nobody is left to notice later.
"""

import asyncio
import os
from collections.abc import Callable, Coroutine
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

import structlog
from apscheduler.triggers.date import DateTrigger

from bot.app.config.protections import ProtectionsSection
from bot.app.schedule import Schedule, ScheduledJob
from bot.engine.engine import Engine
from bot.engine.heartbeat import Heartbeat, write_heartbeat
from bot.errors import BotError, RetryLater
from bot.ports import Clock
from state.errors import StateError
from strategies.model.calendars import EXCHANGE_ZONE, TradingCalendar
from strategies.model.errors import DomainError

log = structlog.get_logger(__name__)

_COMMANDS_EVERY_S = 1.0
_BACK_OFF_MAX_S = 300.0
_LATE_FACTOR = 4  # signs of life that may be missing before a reader takes it for a hang
_OPEN = time(9, 30)
_BEFORE_OPEN = timedelta(minutes=45)


def sign_of_life(file: Path, engine: Engine, patience: timedelta, now: datetime) -> None:
    """Renew the heartbeat file; the next sign comes within ``patience``."""
    stored = engine.controls.stored
    beat = Heartbeat(
        at=now,
        process_id=os.getpid(),
        state=stored.state if stored.scope is None else f"{stored.state} ({stored.scope})",
        next_by=now + patience,
    )
    try:
        write_heartbeat(file, beat)
    except OSError as cause:  # a full disk; the readers of the file notice by its age
        log.warning("no sign of life could be left", cause=str(cause))


class Watch:
    """What goes on beside the schedule of a run in real time."""

    def __init__(
        self,
        section: ProtectionsSection,
        *,
        engine: Engine,
        schedule: Schedule,
        clock: Clock,
        calendar: TradingCalendar,
        heartbeat_file: Path,
    ) -> None:
        self._section = section
        self._engine = engine
        self._schedule = schedule
        self._clock = clock
        self._calendar = calendar
        self._file = heartbeat_file
        self._blind_since: datetime | None = None
        self._ask_again_at: datetime | None = None
        self._failures = 0
        self._obeying = False
        self._asked: frozenset[Path] = frozenset()  # requests that a job has been asked to answer
        self._frozen_job: datetime | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin, on the running loop."""
        beat_s = float(self._section.heartbeat_seconds)
        for name, every_s, duty in (
            ("commands", _COMMANDS_EVERY_S, self._look_for_commands),
            ("heartbeat", beat_s, self._beat),
        ):
            task = asyncio.get_running_loop().create_task(self._repeat(every_s, duty), name=name)
            task.add_done_callback(self._note_end)
            self._tasks.append(task)

    async def stop(self) -> None:
        """End, and leave no sign of life that could be taken for one later."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _repeat(self, every_s: float, duty: Callable[[], Coroutine[Any, Any, None]]) -> None:
        while True:
            await duty()
            await self._clock.sleep(every_s)

    def _note_end(self, task: asyncio.Task[None]) -> None:
        """No task dies in silence (fault C14)."""
        if task not in self._tasks:  # it was ended with the run
            return
        failure = None if task.cancelled() else task.exception()
        if isinstance(failure, (BotError, StateError, DomainError)):
            self._schedule.fail(task.get_name(), failure)
            return
        reason = f"the task {task.get_name()!r} of the bot has ended: {failure!r}"
        self._schedule.fail(task.get_name(), RuntimeError(reason))

    # --- commands -----------------------------------------------------------------------------

    async def _look_for_commands(self) -> None:
        waiting = self._engine.requests_waiting()
        # What a job could not answer, the next look does
        is_asked = bool(waiting - self._asked)
        self._asked = waiting
        if self._engine.controls.take():
            self._engine.wake()
        elif not is_asked:
            return
        if not self._obeying:
            self._obeying = True
            trigger = DateTrigger(run_date=self._clock.now())
            job = ScheduledJob(name="command", trigger=trigger, run=self._obey, however_late=True)
            self._schedule.add(job)

    async def _obey(self, at: datetime) -> str:
        self._obeying = False  # what comes while it is obeyed asks for another time
        return await self._engine.obey(at)

    # --- signs of life ------------------------------------------------------------------------

    async def _beat(self) -> None:
        now = self._clock.now()
        patience = timedelta(seconds=_LATE_FACTOR * self._section.heartbeat_seconds)
        sign_of_life(self._file, self._engine, patience, now)
        busy = self._schedule.busy_with
        if busy is not None:
            await self._notice_hang(*busy, now)
            return  # the job itself talks to the broker
        if self._ask_again_at is not None and now < self._ask_again_at:
            self._call(now)
            return
        await self._ask(now)

    async def _notice_hang(self, job: str, began_at: datetime, now: datetime) -> None:
        """A job that does not end: nothing opens any more, and what rests is withdrawn."""
        if self._frozen_job == began_at:
            return
        if now - began_at < timedelta(minutes=self._section.hung_minutes):
            return
        self._frozen_job = began_at
        self._engine.freeze(f"the job {job!r} has not ended since {began_at.isoformat()}")
        try:
            async with asyncio.timeout(self._section.hung_minutes * 60):
                await self._engine.withdraw()
        except (TimeoutError, RetryLater) as cause:
            log.exception("orders may still be at work", cause=str(cause))

    async def _ask(self, now: datetime) -> None:
        """Ask the broker for a sign of life, more and more seldom while there is none."""
        if await self._engine.keep_in_touch():
            self._failures, self._ask_again_at = 0, None
            self._blind_since = None
            for trouble in ("blind", "open"):
                self._engine.pages.over(trouble)
            return
        self._failures += 1
        self._blind_since = self._blind_since or now
        wait_s = min(self._section.heartbeat_seconds * 2.0**self._failures, _BACK_OFF_MAX_S)
        self._ask_again_at = self._clock.now() + timedelta(seconds=wait_s)
        self._call(now)

    def _call(self, now: datetime) -> None:
        """Call for somebody while the broker is away: again and again (faults B3, B6)."""
        since = self._blind_since
        assert since is not None, "asked again only while the broker is away"
        local = now.astimezone(EXCHANGE_ZONE)
        minutes = (now - since) / timedelta(minutes=1)
        if self._opens_soon(local):
            text = f"no broker since {minutes:.0f} minutes, and the market opens at {_OPEN:%H:%M}"
            self._engine.pages.page("open", text)
        if minutes >= self._section.blind_minutes and not self._is_reset(local.time()):
            text = f"blind for {minutes:.0f} minutes: the broker does not answer; log in again?"
            self._engine.pages.page("blind", text)

    def _opens_soon(self, local: datetime) -> bool:
        opens_at = datetime.combine(local.date(), _OPEN, tzinfo=EXCHANGE_ZONE)
        is_near = opens_at - _BEFORE_OPEN <= local < opens_at
        return is_near and self._calendar.is_session(local.date())

    def _is_reset(self, at: time) -> bool:
        """Whether the broker's gateway restarts about now, as it does every night."""
        begin, end = self._section.reset_from, self._section.reset_to
        if begin <= end:
            return begin <= at < end
        return at >= begin or at < end
