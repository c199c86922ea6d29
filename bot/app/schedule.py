"""When things happen: APScheduler triggers in exchange time, and a record of every run.

APScheduler drops a job that is a second late, forgets the instants that passed while it was busy
and only logs a job that fails. Here lateness up to half an interval still runs, a failure halts the
bot, and every instant that was due leaves a row in ``job_runs``.
"""

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

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
from state.crash_points import CrashPoint, crash_point
from state.errors import StateError
from state.ledger import Ledger
from strategies.model.calendars import EXCHANGE_ZONE
from strategies.model.errors import DomainError

log = structlog.get_logger(__name__)

JobFunction = Callable[[datetime], Coroutine[Any, Any, str]]
_LATE_AFTER = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledJob:
    """One recurring duty. Jobs due at the same instant run in order of their names."""

    name: str
    trigger: BaseTrigger
    run: JobFunction  # takes the scheduled instant; returns "ran" or "skipped", ": why" after it
    however_late: bool = False  # the grace time does not apply


class Schedule:
    """Runs jobs one at a time and stops everything at the first failure.

    Args:
        ledger: Where runs are recorded.
        clock: What time it is.
        misfire_grace_s: How late a job may still start.
        halt: Called with the reason when a job fails; must not raise.
    """

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
        self._jobs: dict[str, ScheduledJob] = {}
        self._due: dict[str, datetime] = {}  # the instant a job runs for
        self._settled: dict[str, datetime] = {}  # the latest instant that runs or has a row
        self._stopped = asyncio.Event()
        self._failure: BaseException | None = None
        self._scheduler = AsyncIOScheduler(
            timezone=EXCHANGE_ZONE,
            job_defaults={
                "coalesce": True,
                "max_instances": 1,
                "misfire_grace_time": misfire_grace_s,
            },
        )
        self._scheduler.add_listener(self._note_due, EVENT_JOB_SUBMITTED)
        self._scheduler.add_listener(self._note_missed, EVENT_JOB_MISSED)
        self._scheduler.add_listener(self._note_busy, EVENT_JOB_MAX_INSTANCES)

    def add(self, job: ScheduledJob) -> None:
        """Register a job; its coroutine runs on the loop, never in a thread."""
        assert inspect.iscoroutinefunction(job.run), f"{job.name} would run in a thread"

        async def run() -> None:
            await self._run(job)

        self._jobs[job.name] = job
        grace = {"misfire_grace_time": None} if job.however_late else {}
        self._scheduler.add_job(run, job.trigger, id=job.name, name=job.name, **grace)

    async def run_until_stopped(self) -> None:
        """Start the scheduler and return when ``stop`` is called; the job at work is finished.

        Raises: whatever a job raised.
        """
        self._scheduler.start()
        try:
            await self._stopped.wait()
        finally:
            self._scheduler.pause()
            async with self._turn:  # drain: shutdown would cancel a coroutine in mid-order
                self._scheduler.shutdown(wait=False)
        if self._failure is not None:
            raise self._failure

    def stop(self, failure: BaseException | None = None) -> None:
        """Ask ``run_until_stopped`` to return, or to raise ``failure`` if it is the first."""
        self._failure = self._failure or failure
        self._stopped.set()

    async def _run(self, job: ScheduledJob) -> None:
        scheduled_at = self._due[job.name]
        async with self._turn:
            if self._stopped.is_set():
                return
            started_at = self._clock.now()
            try:
                outcome = await job.run(scheduled_at)
                late = started_at - scheduled_at
                if outcome == "ran" and late > _LATE_AFTER:
                    outcome = f"late: {late.total_seconds():.0f} s"
                self._record(job.name, scheduled_at, started_at, outcome)
            except Exception as failure:  # noqa: BLE001 the scheduler's edge: whatever it is halts
                self._fail(job.name, scheduled_at, started_at, failure)
            except BaseException as ending:  # the process is being ended; APScheduler would go on
                self.stop(ending)
                raise

    def _fail(
        self, name: str, scheduled_at: datetime, started_at: datetime | None, failure: Exception
    ) -> None:
        """Stop, halt and record, in this order: each of them may be what cannot be done."""
        self.stop(failure)
        is_known = isinstance(failure, (BotError, StateError, DomainError))
        reason = str(failure) if is_known else f"unexpected {failure!r}"
        self._halt(reason)
        try:
            self._record(name, scheduled_at, started_at, f"failed: {reason}")
        except StateError as cause:
            log.exception("the failure of a job is not on record", job=name, cause=str(cause))

    def _record(
        self, name: str, scheduled_at: datetime, started_at: datetime | None, outcome: str
    ) -> None:
        """Write a row of ``job_runs``; a job that never started never finished either."""
        word, _, note = outcome.partition(": ")
        with self._ledger.transaction(durable=False) as tx:  # nothing outside depends on it
            tx.record_job_run(
                job=name,
                scheduled_at=scheduled_at,
                started_at=started_at,
                finished_at=None if started_at is None else self._clock.now(),
                outcome=word,
                note=note,
            )
        crash_point(CrashPoint.JOB_RECORDED)

    # --- what APScheduler says, outside of any job ---------------------------------------------

    def _note_due(self, event: JobSubmissionEvent) -> None:
        """Remember which instant a job runs for, and record those that it runs instead of."""
        due = event.scheduled_run_times[-1]
        trigger = self._jobs[event.job_id].trigger
        at = self._settled.get(event.job_id)
        while at is not None and (at := trigger.get_next_fire_time(at, at)) and at < due:
            self._note_lost(event.job_id, at, "the next one was due before it could start")
        self._due[event.job_id] = self._settled[event.job_id] = due

    def _note_missed(self, event: JobExecutionEvent) -> None:
        self._note_lost(event.job_id, event.scheduled_run_time, "later than the grace time")

    def _note_busy(self, event: JobSubmissionEvent) -> None:
        for at in event.scheduled_run_times:
            self._note_lost(event.job_id, at, "the one before it was still running")
            self._settled[event.job_id] = at

    def _note_lost(self, name: str, scheduled_at: datetime, why: str) -> None:
        if self._stopped.is_set():
            return
        log.error("job missed", job=name, scheduled_at=scheduled_at.isoformat(), reason=why)
        try:
            self._record(name, scheduled_at, None, f"missed: {why}")
        except StateError as failure:  # APScheduler would swallow it
            self._fail(name, scheduled_at, None, failure)
