"""Run the bot: open the ledger, start the clock, schedule the jobs, and say what came of it."""

import asyncio
import resource
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

import structlog
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.combining import OrTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger

from bot.app.config.loader import LoadedConfig
from bot.app.config.schema import WEEKDAYS, ScheduleSection
from bot.app.config.watch import ConfigWatch, edit_words, rule_changes
from bot.app.host import require_room, require_time_zones
from bot.app.logs import LogAlerts, start_logging
from bot.app.paths import RunPaths
from bot.app.ports import Ports
from bot.app.render.pictures import write_run_pictures
from bot.app.render.plans import lock_words
from bot.app.reports import (
    IntervalReport,
    RunObserver,
    RunOptions,
    RunSummary,
    SessionReport,
)
from bot.app.schedule import JobFunction, Schedule, ScheduledJob
from bot.app.watching import Watch, sign_of_life
from bot.app.wiring import Wiring, build_world, wire
from bot.clock import SystemClock, real_now, virtual_time
from bot.engine.engine import DECIDED_BEFORE, Engine, EngineSettings, Interval
from bot.errors import BotError, RetryLater, WrongAccount
from state.errors import LeaseLost, StateError
from state.ledger import DailyPnl, Ledger
from state.totals import read_totals
from strategies.model.book import root_id
from strategies.model.calendars import EXCHANGE_ZONE, at_exchange
from strategies.model.encoding import to_json
from strategies.model.errors import DomainError
from strategies.model.ids import digest
from strategies.model.instruments import parse_symbol
from strategies.model.limits import SystemState
from strategies.model.rules import rules_hash

log = structlog.get_logger(__name__)

_Report = TypeVar("_Report", IntervalReport, SessionReport, str)

_RUN_ID_LENGTH = 12
_HOUSEKEEPING_AT = clock_time(17, 0)
_LAST_DAY_ENDS = clock_time(18, 0)
_NEXT_SIGN = timedelta(minutes=5)  # of real time: in simulated time each look leaves a sign
_BOOK_AGAIN_AFTER = timedelta(minutes=10)
_KIB_PER_MIB = 1024
_DECIDING = frozenset({"entry", "interval"})  # jobs that leave decisions
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True, kw_only=True)
class Outcome:
    """How a life of the bot ended, gathered while its loop still runs."""

    run_id: str
    halted: str | None = None
    stopped_by: str | None = None
    differences: tuple[str, ...] = ()
    cash_difference_usd: Decimal = Decimal(0)  # broker's less the ledger's
    profit: DailyPnl | None = None
    locks: tuple[str, ...] = ()


def run_bot(
    config: LoadedConfig, paths: RunPaths, options: RunOptions, observer: RunObserver
) -> RunSummary:
    """Run the bot of ``config`` to its end, or until it is stopped or halts.

    Raises: what wiring and opening the ledger raise, BrokerUnavailable if there is no broker to
        begin with; a halt is part of the summary instead.
    """
    began = time.perf_counter()
    require_time_zones()
    require_room(paths.state_dir)
    start_logging(paths.log_file, config.bot.logging.level)
    world = build_world(config)
    # The ledger's lease comes first: who does not have it must not touch the exchange's journal
    with Ledger.open(
        paths.database, mode=config.mode, account=config.account, now=SystemClock().now()
    ) as ledger:
        wiring = wire(world, paths)
        outcome = live(config, paths, options, observer, wiring=wiring, ledger=ledger)
        totals = read_totals(ledger)
    reports_dir = paths.reports_dir / f"{config.mode}-{config.account}"
    pictures = _draw(paths, reports_dir)
    profit = outcome.profit
    cash = totals.deposits_usd
    return RunSummary(
        run_id=outcome.run_id,
        mode=config.mode,
        account=config.account,
        config_hash=config.config_hash,
        first_at=totals.first_at,
        last_at=totals.last_at,
        sessions=totals.sessions,
        decisions=totals.decisions,
        orders=totals.orders,
        fills=totals.fills,
        condors_opened=totals.condors_opened,
        condors_closed=totals.condors_closed,
        condors_open=totals.condors_open,
        hedge_trades=totals.hedge_fills,
        rules_fired=totals.rules_fired,
        start_nlv_usd=cash,
        final_nlv_usd=cash if profit is None else profit.net_liquidation_usd,
        condor_pnl_usd=_sum(profit, "condor_realised_usd", "condor_unrealised_usd"),
        hedge_pnl_usd=_sum(profit, "hedge_realised_usd", "hedge_unrealised_usd"),
        fees_usd=_sum(profit, "fees_usd"),
        reconciliation_difference_usd=outcome.cash_difference_usd,
        reconciliation_breaks=outcome.differences,
        halted=outcome.halted,
        stopped_by=outcome.stopped_by,
        locks=outcome.locks,
        seconds=time.perf_counter() - began,
        peak_memory_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _KIB_PER_MIB,
        database=paths.database,
        reports_dir=reports_dir,
        pictures=pictures,
    )


def _draw(paths: RunPaths, reports_dir: Path) -> tuple[Path, ...]:
    """Draw the run's pictures; a disk that has no room for them does not undo the run."""
    try:
        return tuple(write_run_pictures(paths.database, reports_dir))
    except OSError as cause:
        log.warning("no pictures could be drawn", folder=str(reports_dir), cause=cause.strerror)
        return ()


def live(
    config: LoadedConfig,
    paths: RunPaths,
    options: RunOptions,
    observer: RunObserver,
    *,
    wiring: Wiring,
    ledger: Ledger,
) -> Outcome:
    """Live one life of the bot, from the last instant that ledger or broker know, to its end.

    In real time it begins now, and ends when it is stopped.

    Raises: BrokerUnavailable if there is no broker to begin with, and what nobody foresaw.
    """
    start = max(wiring.begins_at, wiring.known_until, ledger.last_event_at() or _LONG_AGO)
    if wiring.in_real_time:
        start = wiring.clock.now()
    run_id = digest(config.config_hash, start.isoformat(), str(ledger.epoch))[:_RUN_ID_LENGTH]
    life = _Life(config, paths, options, observer, wiring, ledger, run_id)
    if wiring.in_real_time:
        return asyncio.run(life.live(start))
    with virtual_time(start, speed=options.speed) as loop:
        return loop.run_until_complete(life.live(start))


def _sum(profit: DailyPnl | None, *names: str) -> Decimal:
    return sum((getattr(profit, name) for name in names if profit is not None), Decimal(0))


class _Life:
    """One life of the bot, from start-up to the last job, inside its loop."""

    def __init__(
        self,
        config: LoadedConfig,
        paths: RunPaths,
        options: RunOptions,
        observer: RunObserver,
        wiring: Wiring,
        ledger: Ledger,
        run_id: str,
    ) -> None:
        self._config = config
        self._options = options
        self._observer = observer
        self._wiring = wiring
        self._ledger = ledger
        self._run_id = run_id
        self._outcome = Outcome(run_id=run_id)
        self._ends_at = _end_of(wiring, options)
        self._sessions = (
            ()
            if self._ends_at is None
            else wiring.calendar.sessions_between(
                wiring.first_session, self._ends_at.astimezone(EXCHANGE_ZONE).date()
            )
        )
        self._day = _Day()
        self._deposits_usd = Decimal(0)
        self._is_watched = True
        self._alerts = LogAlerts()
        self._watch = ConfigWatch(in_force=config.files)
        self._paths = paths
        self._engine: Engine  # there is one while the ports are connected

    async def live(self, start: datetime) -> Outcome:
        """Connect, run the schedule to its end, and take stock."""
        self._record_start(start)
        async with self._wiring.connect(self._ledger) as ports:
            self._engine = self._build_engine(ports)
            return await self._live(start)

    def _build_engine(self, ports: Ports) -> Engine:
        config, wiring = self._config, self._wiring
        return Engine(
            EngineSettings(
                run_id=self._run_id,
                calendar=wiring.calendar,
                events_ahead=wiring.events_ahead,
                read_factor=wiring.read_factor,
                rules=config.rules,
                limits=config.limits,
                walk=config.bot.execution.walk,
                execution=config.bot.execution.rules,
                control_dir=self._paths.control_dir,
                overrides=config.override_policy,
                protections=config.bot.protections.policy(
                    interval_minutes=config.bot.schedule.interval_minutes,
                    in_real_time=wiring.in_real_time,
                    broker_answer_s=config.bot.broker.answer_seconds,
                ),
                in_real_time=wiring.in_real_time,
                reconcile=config.reconcile_policy,
            ),
            ledger=self._ledger,
            broker=ports.broker,
            market_data=ports.market_data,
            clock=wiring.clock,
            alerts=self._alerts,
            on_interval=self._on_interval,
            on_session=self._on_session,
            decide=wiring.decide,
        )

    async def _live(self, start: datetime) -> Outcome:
        schedule = self._build_schedule()
        self._obey_signals(schedule)
        owns_orders = True
        watch = self._build_watch(schedule)
        last = self._ledger.last_decision()
        decided_at = None if last is None else last.at
        self._note("connecting and comparing the books")
        try:
            await self._engine.start()
            self._note(f"the books agree; {looks_in_words(self._config.bot.schedule)}")
            self._deposits_usd = read_totals(self._ledger).deposits_usd
            if self._ends_at is None or start < self._ends_at:
                if watch is not None:
                    watch.start()
                await schedule.run_until_stopped(decided_at=decided_at)
        except (BotError, StateError, DomainError) as failure:
            owns_orders = not isinstance(failure, LeaseLost)  # else another process has them now
            if self._outcome.halted is None:  # at start-up; the schedule halts by itself
                if isinstance(failure, (RetryLater, WrongAccount)):
                    raise  # nothing has happened
                self._halt(str(failure))
        finally:
            if watch is not None:
                await watch.stop()
            if self._outcome.halted is not None and owns_orders:
                await self._withdraw()
        if owns_orders:
            await self._take_stock()
        else:
            self._outcome.differences = ("could not be compared: another process has the ledger",)
        self._outcome.locks = tuple(
            lock_words(lock) for lock in self._ledger.locks(self._wiring.clock.now())
        )
        stored = self._ledger.system_state()
        if stored.state is SystemState.HALTED and self._outcome.halted is None:
            self._outcome.halted = f"{stored.reason} (by {stored.by}); resume with alvh resume"
        return self._outcome

    def _build_watch(self, schedule: Schedule) -> Watch | None:
        """Return who looks after the bot between jobs; simulated time has no between."""
        if not self._wiring.in_real_time:
            return None
        return Watch(
            self._config.bot.protections,
            engine=self._engine,
            schedule=schedule,
            clock=self._wiring.clock,
            calendar=self._wiring.calendar,
            heartbeat_file=self._paths.heartbeat,
        )

    def _build_schedule(self) -> Schedule:
        plan, wiring = self._config.bot.schedule, self._wiring
        schedule = Schedule(
            self._ledger,
            wiring.clock,
            misfire_grace_s=plan.interval_minutes * 30,
            halt=self._halt,
        )

        async def entry(at: datetime) -> str:
            return await self._interval(at, schedule, entry_due=True)

        async def interval(at: datetime) -> str:
            return await self._interval(at, schedule, entry_due=False)

        async def end_of_day(at: datetime) -> str:
            outcome = await self._engine.end_of_day(at)
            self._book_again(schedule, end_of_day)
            return outcome

        async def housekeeping(_at: datetime) -> str:
            return self._engine.keep_house()

        async def finish(_at: datetime) -> str:
            schedule.stop()
            return "ran"

        duties = {
            "entry": entry,
            "interval": interval,
            "end_of_day": end_of_day,
            "housekeeping": housekeeping,
        }
        for name, trigger in scheduled_triggers(plan).items():
            decides = name in _DECIDING
            job = ScheduledJob(name=name, trigger=trigger, run=duties[name], decides=decides)
            schedule.add(job)
        if self._ends_at is not None:
            # A start may find its end gone by, after finishing what was under way
            end = DateTrigger(run_date=self._ends_at)
            schedule.add(ScheduledJob(name="finish", trigger=end, run=finish, however_late=True))
        if wiring.in_real_time:  # simulated time has no evenings to miss
            self._book_again(schedule, end_of_day)
        return schedule

    def _book_again(self, schedule: Schedule, end_of_day: JobFunction) -> None:
        """Book a day later that was traded and is not booked: the broker was away, or the bot."""
        now = self._wiring.clock.now().astimezone(EXCHANGE_ZONE)
        session, last = now.date(), self._ledger.last_decision()
        was_traded = last is not None and last.at.astimezone(EXCHANGE_ZONE).date() == session
        is_over = now.time() >= self._config.bot.schedule.end_of_day
        again = now + _BOOK_AGAIN_AFTER
        is_tonight = again.date() == session
        if was_traded and is_over and is_tonight and self._ledger.daily_pnl(session) is None:
            trigger = DateTrigger(run_date=again)
            schedule.add(ScheduledJob(name="end_of_day_again", trigger=trigger, run=end_of_day))

    async def _interval(self, at: datetime, schedule: Schedule, *, entry_due: bool) -> str:
        self._look_at_configuration(at)
        self._announce(at)
        outcome = await self._engine.run_interval(at, entry_due=entry_due)
        if not self._wiring.in_real_time:  # else the watch does
            sign_of_life(self._paths.heartbeat, self._engine, _NEXT_SIGN, real_now())
        if outcome != "ran" and outcome != DECIDED_BEFORE:
            self._note(f"{at.astimezone(EXCHANGE_ZONE):%a %H:%M} {outcome}")
        if self._options.once and outcome.startswith("ran"):
            schedule.stop()
        return outcome

    def _announce(self, at: datetime) -> None:
        """Say that the first look of a session begins: a broker that is far away takes its time."""
        local = at.astimezone(EXCHANGE_ZONE)
        if self._day.session != local.date() and self._wiring.calendar.is_session(local.date()):
            self._note(f"{local:%a %H:%M} reads today's option chains; the log says how far it is")

    def _look_at_configuration(self, at: datetime) -> None:
        """Say and record it if a file was edited; what the bot began with stays in force (D1)."""
        for edit in self._watch.look():
            self._alerts.raise_alert("warning", edit_words(edit))
            with self._ledger.transaction() as tx:
                tx.record_config_edit(self._run_id, at, edit)

    def _obey_signals(self, schedule: Schedule) -> None:
        loop = asyncio.get_running_loop()

        def stop(number: signal.Signals) -> None:
            self._outcome.stopped_by = number.name
            schedule.stop()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop, number)

    def _record_start(self, start: datetime) -> None:
        config = self._config
        before = self._ledger.last_rules()
        if before is not None and before[0] != rules_hash(config.rules):
            changes = "; ".join(rule_changes(before[1], config.rules)) or "the rule book itself"
            self._alerts.raise_alert("warning", f"other rules than at the last start: {changes}")
        with self._ledger.transaction() as tx:
            tx.start_run(
                self._run_id,
                start,
                mode=config.mode,
                account=config.account,
                config_text_hash=config.config_hash,
                config_redacted_json=config.redacted_json,
                rules_json=to_json(config.rules),
                rules_hash=rules_hash(config.rules),
                package_version=version("alvh-bot"),
                seed=self._wiring.seed,
            )

    def _halt(self, reason: str) -> None:
        self._outcome.halted = reason
        try:
            self._engine.halt(reason)
        except StateError as cause:  # then the database itself is what failed
            log.exception("the halt is not on record", reason=reason)
            self._outcome.halted = f"{reason}; the halt could not be recorded: {cause}"

    async def _withdraw(self) -> None:
        """Leave no order at work behind a halt, as far as broker and database still allow it."""
        try:
            await self._engine.withdraw()
        except (BotError, StateError, DomainError):
            log.exception("orders may still be at work")

    async def _take_stock(self) -> None:
        """Measure profit and compare the books once more; a halted bot may be past answering."""
        try:
            self._outcome.differences = tuple(await self._engine.differences())
            self._outcome.profit = profit = await self._engine.profit()
            self._outcome.cash_difference_usd = profit.cash_usd - self._ledger.cash_usd()
        except (BotError, StateError, DomainError) as failure:
            log.exception("the books could not be compared at the end")
            if not isinstance(failure, RetryLater):  # a broker that is away is no difference
                self._outcome.halted = self._outcome.halted or str(failure)
            self._outcome.differences = (f"could not be compared: {failure}",)

    # --- telling the observer -----------------------------------------------------------------

    def _on_interval(self, interval: Interval) -> None:
        snapshot, account = interval.snapshot, interval.account
        condors = frozenset(root_id(condor.condor_id) for condor in interval.book.condors)
        if self._day.session != snapshot.session:
            last = self._ledger.last_daily_pnl(snapshot.session)
            self._day = _Day(
                session=snapshot.session,
                condors=condors,
                began_usd=self._deposits_usd if last is None else last.net_liquidation_usd,
            )
        self._day.decisions += 1
        indices = snapshot.market.indices
        self._tell(
            self._observer.on_interval,
            IntervalReport(
                at=snapshot.at,
                session=snapshot.session,
                progress=self._progress(snapshot.session),
                spx=indices["SPX"].value if "SPX" in indices else None,
                vix=indices["VIX"].value if "VIX" in indices else None,
                futures=tuple(
                    (future.bid + future.ask) / 2
                    for future in snapshot.market.futures
                    if future.contract.root == "VX"
                ),
                regime=interval.plan.regime,
                plan=interval.plan,
                nlv_usd=account.net_liquidation_usd,
                day_pnl_usd=account.net_liquidation_usd - self._day.began_usd,
                total_pnl_usd=account.net_liquidation_usd - self._deposits_usd,
                condors_open=len(interval.book.condors),
                locks=tuple(lock_words(lock) for lock in self._engine.protections.locks()),
            ),
        )

    def _on_session(self, profit: DailyPnl) -> None:
        fills = self._ledger.fills_since(at_exchange(profit.session, clock_time()))
        condors = self._ledger.open_condor_ids()
        self._tell(
            self._observer.on_session,
            SessionReport(
                session=profit.session,
                decisions=self._day.decisions,
                fills=len(fills),
                nlv_usd=profit.net_liquidation_usd,
                day_pnl_usd=profit.net_liquidation_usd - self._day.began_usd,
                condors_opened=len(condors - self._day.condors),
                condors_closed=len(self._day.condors - condors),
                hedge_changes=sum(parse_symbol(fill.symbol).underlying == "VIX" for fill in fills),
            ),
        )

    def _note(self, text: str) -> None:
        """Say what happens where it takes its time: between looks there may be a night."""
        if self._wiring.in_real_time:
            self._tell(self._observer.on_note, text)

    def _tell(self, on_report: Callable[[_Report], None], report: _Report) -> None:
        """Report, unless whoever watched has gone: a closed terminal must not stop trading."""
        if not self._is_watched:
            return
        try:
            on_report(report)
        except OSError as cause:
            self._is_watched = False
            log.warning("nobody watches any more", cause=str(cause))

    def _progress(self, session: date) -> float:
        return (self._sessions.index(session) + 1) / len(self._sessions) if self._sessions else 0.0


def _end_of(wiring: Wiring, options: RunOptions) -> datetime | None:
    """Return when a life ends by itself; None if only by being stopped."""
    ends = []
    if wiring.last_session is not None:
        ends.append(at_exchange(wiring.last_session, _LAST_DAY_ENDS))
    if options.until is not None:
        ends.append(options.until + timedelta(seconds=1))
    return min(ends, default=None)


@dataclass(slots=True, kw_only=True)
class _Day:
    """What the day looked like when it began."""

    session: date | None = None
    condors: frozenset[str] = frozenset()
    began_usd: Decimal = Decimal(0)
    decisions: int = 0


def scheduled_triggers(plan: ScheduleSection) -> dict[str, BaseTrigger]:
    """Return when each recurring job is due, by its name."""
    return {
        "entry": _weekly(plan.entries.days, plan.entries.at),
        "interval": _intervals(plan),
        "end_of_day": _weekly(WEEKDAYS, plan.end_of_day),
        "housekeeping": _weekly(("fri",), _HOUSEKEEPING_AT),
    }


def looks_in_words(plan: ScheduleSection) -> str:
    """Return when the bot looks at the market."""
    return (
        f"on trading days it looks every {plan.interval_minutes} minutes, "
        f"{plan.first_interval:%H:%M} to {plan.last_interval:%H:%M} New York"
    )


def _weekly(days: Iterable[str], at: clock_time) -> CronTrigger:
    return CronTrigger(
        day_of_week=",".join(days), hour=at.hour, minute=at.minute, timezone=EXCHANGE_ZONE
    )


def _intervals(plan: ScheduleSection) -> OrTrigger:
    """Return a trigger for every interval; hours with the same minutes share one cron entry."""
    minutes_of_hour: dict[int, list[int]] = {}
    for at in plan.intervals():
        minutes_of_hour.setdefault(at.hour, []).append(at.minute)
    hours_with: dict[str, list[int]] = {}
    for hour, minutes in minutes_of_hour.items():
        hours_with.setdefault(",".join(map(str, minutes)), []).append(hour)
    return OrTrigger(
        [
            CronTrigger(
                day_of_week="mon-fri",
                hour=",".join(map(str, hours)),
                minute=minutes,
                timezone=EXCHANGE_ZONE,
            )
            for minutes, hours in hours_with.items()
        ]
    )
