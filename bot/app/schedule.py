"""When things happen: APScheduler triggers in exchange time, and a record of every run.

APScheduler drops a job that is a second late and only logs a job that fails. Here lateness up to
half an interval still runs, a failure halts the bot, and both leave a row in ``job_runs``.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

import structlog
from apscheduler.events import (
    EVENT_JOB_MAX_INSTANCES,
    EVENT_JOB_MISSED,
    EVENT_JOB_SUBMITTED,
    JobExecutionEvent,
    JobSubmissionEvent,
)
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

from bot.errors import BotError
from bot.ports import Clock
from state.errors import StateError
from state.ledger import Ledger
from strategies.model.calendars import EXCHANGE_ZONE
from strategies.model.errors import DomainError

log = structlog.get_logger(__name__)

JobFunction = Callable[[datetime], Awaitable[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledJob:
    """One recurring duty. Jobs due at the same instant run in order of their names."""

    name: str
    trigger: BaseTrigger
    run: JobFunction  # takes the scheduled instant; returns "ran" or "skipped: why"


class Schedule:
    """Runs jobs one at a time and stops everything at the first failure."""

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        *,
        misfire_grace_s: int,
        halt: Callable[[str], None],
    ) -> None:
        self._ledger = ledger
        self._halt = halt
        self._clock = clock
        self._turn = asyncio.Lock()
        self._due: dict[str, datetime] = {}
        self._stopped: asyncio.Future[BaseException | None] = (
            asyncio.get_running_loop().create_future()
        )
        self._scheduler = AsyncIOScheduler(
            timezone=EXCHANGE_ZONE,
            job_defaults={
                "coalesce": True,
                "max_instances": 1,
                "misfire_grace_time": misfire_grace_s,
            },
        )
        self._scheduler.add_listener(self._note_due, EVENT_JOB_SUBMITTED)
        self._scheduler.add_listener(self._note_missed, EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)

    def add(self, job: ScheduledJob) -> None:
        """Register a job; its coroutine runs on the loop, never in a thread."""

        async def run() -> None:
            await self._run(job)

        self._scheduler.add_job(run, job.trigger, id=job.name, name=job.name)

    async def run_until_stopped(self) -> None:
        """Start the scheduler and return when ``stop`` is called; the job at work is finished.

        Raises: whatever a job raised.
        """
        self._scheduler.start()
        try:
            failure = await self._stopped
        finally:
            self._scheduler.pause()
            async with self._turn:  # drain: shutdown would cancel a coroutine in mid-order
                self._scheduler.shutdown(wait=False)
        if failure is not None:
            raise failure

    def stop(self, failure: BaseException | None = None) -> None:
        """Ask ``run_until_stopped`` to return, or to raise ``failure``."""
        if not self._stopped.done():
            self._stopped.set_result(failure)

    async def _run(self, job: ScheduledJob) -> None:
        scheduled_at = self._due[job.name]
        async with self._turn:
            if self._stopped.done():
                return
            started_at = self._clock.now()
            try:
                outcome = await job.run(scheduled_at)
            except Exception as failure:  # noqa: BLE001 the scheduler's edge: whatever it is halts
                is_known = isinstance(failure, (BotError, StateError, DomainError))
                reason = str(failure) if is_known else f"unexpected {failure!r}"
                self._halt(reason)
                self._record(job.name, scheduled_at, started_at, f"failed: {reason}")
                self.stop(failure)
                return
            self._record(job.name, scheduled_at, started_at, outcome)

    def _record(
        self, name: str, scheduled_at: datetime, started_at: datetime, outcome: str
    ) -> None:
        word, _, note = outcome.partition(": ")
        with self._ledger.transaction(durable=False) as tx:  # nothing outside depends on it
            tx.record_job_run(
                job=name,
                scheduled_at=scheduled_at,
                started_at=started_at,
                finished_at=self._clock.now(),
                outcome=word,
                note=note,
            )

    def _note_due(self, event: JobSubmissionEvent) -> None:
        self._due[event.job_id] = event.scheduled_run_times[-1]

    def _note_missed(self, event: JobExecutionEvent) -> None:
        now = self._clock.now()
        log.error("job missed", job=event.job_id)
        self._record(event.job_id, now, now, "missed: later than the grace time")
