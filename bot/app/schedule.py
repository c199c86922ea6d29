"""When things happen: APScheduler triggers in exchange time, and a record of every run.

APScheduler drops a job that is a second late, forgets the instants that passed while it was busy
or not running, and only logs a job that fails. Here lateness up to half an interval still runs, a
failure halts the bot, and every instant that was due leaves exactly one row in ``job_runs``, those
at which no bot was running among them.
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
from apscheduler.triggers.date import DateTrigger

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
_TICK = timedelta(microseconds=1)
# A bot that was away for longer begins its record anew
_AWAY_MAX = timedelta(days=370)
NOT_RUNNING = "the bot was not running"
CUT_OFF = "cut off with its process, and finished at the next start"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledJob:
    """One recurring duty. Jobs due at the same instant run in order of their names."""

    name: str
    trigger: BaseTrigger
    run: JobFunction  # takes the scheduled instant; returns "ran" or "skipped", ": why" after it
    however_late: bool = False  # the grace time does not apply
    decides: bool = False  # it leaves a decision, which a start finishes


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
        self._busy_with: tuple[str, datetime] | None = None  # a job, and when it began
        self._last: tuple[str, datetime, str] | None = None  # job, due time, outcome
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
        # What may come however late may also be asked for again while it is under way
        patient = {"misfire_grace_time": None, "max_instances": 2} if job.however_late else {}
        self._scheduler.add_job(run, job.trigger, id=job.name, name=job.name, **patient)

    async def run_until_stopped(self, *, decided_at: datetime | None = None) -> None:
        """Start the scheduler and return when ``stop`` is called; the job at work is finished.

        Args:
            decided_at: When an earlier process decided last. If its job left no row, that process
                was ended in the midst of it.

        Raises: whatever a job raised.
        """
        self._record_absence(self._clock.now(), decided_at)
        self._scheduler.start()
        try:
            await self._stopped.wait()
        finally:
            self._scheduler.pause()
            async with self._turn:  # drain: shutdown would cancel a coroutine in mid-order
                self._scheduler.shutdown(wait=False)
        if self._failure is not None:
            raise self._failure

    @property
    def busy_with(self) -> tuple[str, datetime] | None:
        """The job under way and when it began; None between jobs."""
        return self._busy_with

    @property
    def last_run(self) -> tuple[str, datetime, str] | None:
        """The job that ended last: its name, its due time and what came of it."""
        return self._last

    def next_due(self) -> datetime | None:
        """Return when the next job is due; None if none is."""
        due = [job.next_run_time for job in self._scheduler.get_jobs() if job.next_run_time]
        return min(due, default=None)

    def fail(self, name: str, failure: Exception) -> None:
        """Halt and stop because of a failure outside of any job; the first one is raised."""
        now = self._clock.now()
        self._fail(name, now, now, failure)

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
            self._busy_with = job.name, started_at
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
            finally:
                self._busy_with = None

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
        self._last = name, scheduled_at, outcome
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

    def _record_absence(self, now: datetime, decided_at: datetime | None) -> None:
        """Leave a row for every instant that was due while no bot was running (C15, C16)."""
        known = self._ledger.last_due_times()
        # A job without a row was not due while a bot ran, which was up to then at least
        began = min(known.values(), default=None)
        told = {known[job.name] for job in self._jobs.values() if job.decides and job.name in known}
        for job in self._jobs.values():
            if isinstance(job.trigger, DateTrigger):  # due once, and never in another life
                continue
            last = known.get(job.name, began)
            if last is not None:
                since = max(last, now - _AWAY_MAX)
                self._note_absence(job, since, now, decided_at=decided_at, told=told)
            # From here on nothing is lost, whenever the scheduler first looks at its triggers
            self._settled[job.name] = now - _TICK

    def _note_absence(
        self,
        job: ScheduledJob,
        since: datetime,
        now: datetime,
        *,
        decided_at: datetime | None,
        told: set[datetime],
    ) -> None:
        """Record every instant of a job in which no bot ran; ``told``: those with a decider."""
        due = _after(job.trigger, since)
        while due is not None and due < now:
            following = _after(job.trigger, due)
            is_of_decision = (
                job.decides
                and decided_at is not None
                and due <= decided_at
                and (following is None or decided_at < following)
            )
            if not is_of_decision:
                self._record(job.name, due, None, f"missed: {NOT_RUNNING}")
            elif due in told:
                self._record(job.name, due, None, "skipped: decided before")
            else:
                told.add(due)
                self._record(job.name, due, decided_at, f"late: {CUT_OFF}")
            due = following

    # --- what APScheduler says, outside of any job ---------------------------------------------

    def _note_due(self, event: JobSubmissionEvent) -> None:
        """Remember which instant a job runs for, and record those that it runs instead of."""
        due = event.scheduled_run_times[-1]
        trigger = self._jobs[event.job_id].trigger
        at = self._settled.get(event.job_id)
        while at is not None and (at := _after(trigger, at)) and at < due:
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


def _after(trigger: BaseTrigger, at: datetime) -> datetime | None:
    """Return the first instant strictly after ``at`` at which a trigger fires."""
    following: datetime | None = trigger.get_next_fire_time(None, at + _TICK)
    return following if following is not None and following > at else None
