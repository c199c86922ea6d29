"""The engine: one interval is collect, decide, remember, act, remember. It knows ports only."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog

from bot.approvals.overrides import NOBODY, OverridePolicy
from bot.engine.collect import (
    EventsAhead,
    FactorOf,
    Factors,
    closed_because,
    collect_snapshot,
    nothing_fed,
)
from bot.engine.control import Command, pending_commands
from bot.engine.execute import ExecutionRules, Executor
from bot.engine.overrides import overrides_in_force, take_overrides
from bot.engine.prices import WalkPolicy
from bot.engine.profit import measure_profit
from bot.engine.synchronise import (
    close_lost_orders,
    find_differences,
    reconcile,
    synchronise,
)
from bot.errors import BooksDisagree, RetryLater, SkipInterval
from bot.ports import Alerts, Broker, Clock, MarketData
from state.ledger import DailyPnl, LastDecision, Ledger
from strategies.decide import decide
from strategies.model.book import Account, Book
from strategies.model.calendars import EXCHANGE_ZONE, TradingCalendar
from strategies.model.lifecycle import OPEN_STATUSES
from strategies.model.limits import HaltScope, Limits, Readiness, SystemState
from strategies.model.memory import Memory
from strategies.model.overrides import Override
from strategies.model.plan import Plan
from strategies.model.rules import Rules
from strategies.model.snapshots import MarketSnapshot

log = structlog.get_logger(__name__)

# What is asked at once may take so long to be of one moment
_ONE_MOMENT = timedelta(seconds=2)

# ``strategies.decide.decide``, or what a test puts in its place
Decide = Callable[[MarketSnapshot, Book, Account, Memory, Rules], tuple[Plan, Memory]]

DECIDED_BEFORE = "skipped: decided before"  # of an interval: at its instant another job decided


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """What an interval saw and decided, for whoever watches."""

    snapshot: MarketSnapshot
    account: Account
    book: Book
    plan: Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """What the engine is told once, at wiring."""

    run_id: str
    calendar: TradingCalendar
    events_ahead: EventsAhead
    rules: Rules
    limits: Limits
    walk: WalkPolicy
    control_dir: Path
    execution: ExecutionRules = field(default_factory=ExecutionRules)
    overrides: OverridePolicy = NOBODY  # whose overrides are believed (D3)
    read_factor: FactorOf = nothing_fed  # E: the feeds that do not come from the broker


class Engine:
    """Runs intervals and ends of day against one ledger, one broker and one clock."""

    def __init__(
        self,
        settings: EngineSettings,
        *,
        ledger: Ledger,
        broker: Broker,
        market_data: MarketData,
        clock: Clock,
        alerts: Alerts,
        on_interval: Callable[[Interval], None],
        on_session: Callable[[DailyPnl], None],
        decide: Decide = decide,
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._broker = broker
        self._market_data = market_data
        self._clock = clock
        self._alerts = alerts
        self._on_interval = on_interval
        self._on_session = on_session
        self._decide = decide
        self._factors = Factors(settings.rules.panel.factors, settings.read_factor)
        self._connected = False
        self._reconciled = False
        self._executor = Executor(
            ledger=ledger,
            broker=broker,
            market_data=market_data,
            clock=clock,
            walker=settings.execution.walker(settings.walk, settings.limits, settings.calendar),
            readiness=self._readiness,
            book=self._book,
        )

    async def start(self) -> None:
        """Connect, reconcile, and finish whatever a stop left unfinished. Start-up is recovery.

        Raises: BrokerUnavailable, HaltTrading.
        """
        self._take_commands()
        was_halted = self._ledger.system_state().state is SystemState.HALTED
        if not was_halted:  # a halt stands through any number of restarts
            self._set_state(SystemState.RECONCILING, scope=None, reason="start", by="bot")
        await self._broker.connect()
        self._connected = True
        await reconcile(self._ledger, self._broker, self._clock.now())
        self._reconciled = True
        if not was_halted:
            self._set_state(SystemState.RUNNING, scope=None, reason="reconciled", by="bot")
        await self._finish(self._ledger.last_decision())

    async def run_interval(self, scheduled_at: datetime, *, entry_due: bool) -> str:
        """Run one interval; return ``ran``, or why it was skipped.

        An instant that has been decided already is not decided again.

        Raises: HaltTrading.
        """
        self._take_commands()
        if (reason := closed_because(self._settings.calendar, scheduled_at)) is not None:
            return f"skipped: {reason}"
        last = self._ledger.last_decision()
        if last is not None and last.at >= scheduled_at:
            return DECIDED_BEFORE
        try:
            if self._is_behind(last):
                await self._catch_up(last)
            snapshot, account = await self._look(
                _session_of(scheduled_at),
                entry_due=entry_due,
                decided_on=None if last is None else last.at,
            )
        except (SkipInterval, RetryLater) as cause:
            log.warning("interval skipped", reason=str(cause))
            return f"skipped: {cause}"
        snapshot = replace(snapshot, overrides=self._overrides())
        book = self._book()
        memory = last.memory if last is not None else Memory()
        plan, memory_after = self._decide(snapshot, book, account, memory, self._settings.rules)
        with self._ledger.transaction() as tx:
            tx.record_decision(
                run_id=self._settings.run_id,
                snapshot=snapshot,
                book=book,
                account=account,
                plan=plan,
                memory_before=memory,
                memory_after=memory_after,
            )
            if not plan.orders:
                tx.complete_interval(plan.plan_id, plan.at)
        outcome = "ran"
        if plan.orders:
            try:
                await self._act(plan.plan_id, plan.at)
            except RetryLater as cause:  # the next interval finishes it before it decides
                log.warning("interval left unfinished", plan_id=plan.plan_id, reason=str(cause))
                outcome = f"ran: its orders are left to the next interval: {cause}"
        self._on_interval(Interval(snapshot=snapshot, account=account, book=book, plan=plan))
        return outcome

    async def end_of_day(self, scheduled_at: datetime) -> str:
        """Book the day: settlements, variation margin, profit and loss; reconcile to the cent.

        Raises: HaltTrading if ledger and broker differ.
        """
        self._take_commands()
        session = _session_of(scheduled_at)
        if not self._settings.calendar.is_session(session):
            return f"skipped: {session} is no session"
        if self._ledger.daily_pnl(session) is not None:
            return "skipped: booked before"
        try:
            await self._catch_up(self._ledger.last_decision())
            differences = await find_differences(self._ledger, self._broker)
            profit = await self.profit()
        except RetryLater as cause:
            self._alerts.raise_alert("warning", f"{session} is not booked: {cause}")
            return f"skipped: {cause}"
        with self._ledger.transaction() as tx:
            tx.record_daily_pnl(profit)
        self._on_session(profit)
        if differences:
            raise BooksDisagree("; ".join(differences))
        await close_lost_orders(self._ledger, self._broker, self._clock.now())
        return "ran"

    async def withdraw(self) -> None:
        """Cancel everything that may still trade; raises BrokerUnavailable."""
        if self._connected:
            await self._executor.withdraw()

    def halt(self, reason: str) -> None:
        """Halt everything and say why, durably. Only an operator's resume ends it.

        One that was asked for before is answered first: whoever asked did not know of this.
        """
        self._take_commands()
        self._set_state(SystemState.HALTED, scope=HaltScope.ALL, reason=reason, by="bot")
        self._alerts.raise_alert("critical", f"halted: {reason}")

    async def differences(self) -> list[str]:
        """Return every difference between ledger and broker, after synchronising."""
        await synchronise(self._ledger, self._broker, self._clock.now())
        return await find_differences(self._ledger, self._broker)

    async def profit(self) -> DailyPnl:
        """Return profit and loss as it stands; raises BrokerUnavailable."""
        now = self._clock.now()
        return await measure_profit(
            self._ledger, self._broker, self._market_data, session=_session_of(now), at=now
        )

    def keep_house(self) -> str:
        """Add up the whole ledger again and compare it with what it says it holds.

        Raises: BooksDisagree if a table does not follow from its records.
        """
        if differences := self._ledger.rebuild_projections_and_compare():
            raise BooksDisagree("; ".join(str(difference) for difference in differences))
        return "ran"

    async def _look(
        self, session: date, *, entry_due: bool, decided_on: datetime | None
    ) -> tuple[MarketSnapshot, Account]:
        """Return market and account, asked for at once, with the ledger in step with the broker.

        The first look of a session takes seconds; what was asked beside it is asked again then.

        Raises: RetryLater, SkipInterval, HaltTrading.
        """
        asked_at = self._clock.now()
        market = asyncio.ensure_future(
            collect_snapshot(
                self._market_data,
                session=session,
                entry_due=entry_due,
                calendar=self._settings.calendar,
                events_ahead=self._settings.events_ahead,
                factors=self._factors,
                now=self._clock.now,
                max_age=self._settings.limits.quote_age_max,
                decided_on=decided_on,
            )
        )
        account = asyncio.ensure_future(self._broker.fetch_account())
        in_step = asyncio.ensure_future(synchronise(self._ledger, self._broker, asked_at))
        await _all_answered(market, account, in_step)
        if self._clock.now() - asked_at <= _ONE_MOMENT:
            return market.result(), account.result()
        await synchronise(self._ledger, self._broker, self._clock.now())
        return market.result(), await self._broker.fetch_account()

    def _is_behind(self, last: LastDecision | None) -> bool:
        """Whether a halt was lifted, or an interval or an order is left from before."""
        return (
            self._ledger.system_state().state is SystemState.RECONCILING
            or (last is not None and not last.completed)
            or any(order.status in OPEN_STATUSES for order in self._ledger.open_intents())
        )

    async def _catch_up(self, last: LastDecision | None) -> None:
        """Be where a start would be: in step with the broker, with nothing left from before."""
        if self._ledger.system_state().state is SystemState.RECONCILING:  # a halt was lifted
            await reconcile(self._ledger, self._broker, self._clock.now())
            self._set_state(SystemState.RUNNING, scope=None, reason="reconciled", by="bot")
        else:
            await synchronise(self._ledger, self._broker, self._clock.now())
        await self._finish(last)

    async def _finish(self, last: LastDecision | None) -> None:
        """Finish an interval that was begun, and cancel what no interval looks after any more."""
        if last is not None and not last.completed:
            log.info("resuming an interval", plan_id=last.plan_id, at=last.at.isoformat())
            await self._act(last.plan_id, last.at)
        await self._executor.withdraw()

    async def _act(self, plan_id: str, decided_at: datetime) -> None:
        await self._executor.carry_out(plan_id, decided_at)
        with self._ledger.transaction() as tx:
            tx.complete_interval(plan_id, self._clock.now())

    def _book(self) -> Book:
        now = self._clock.now()
        return self._ledger.book(now)

    def _readiness(self) -> Readiness:
        self._take_commands()
        now = self._clock.now()
        current = self._ledger.system_state()
        return Readiness(
            at=now,
            state=current.state,
            halt_scope=current.scope,
            connected=self._connected,
            reconciled=self._reconciled,
            lease_held=True,  # checked again by every transaction, SENDING's included
            orders_today=self._ledger.orders_sent_on(_session_of(now)),
        )

    def _overrides(self) -> tuple[Override, ...]:
        """Take the signed overrides that wait, and return those in force (D3)."""
        policy, now = self._settings.overrides, self._clock.now()
        take_overrides(self._settings.control_dir, policy, self._ledger, self._alerts, now)
        return overrides_in_force(policy, self._ledger, self._alerts, now)

    def _take_commands(self) -> None:
        """Record and obey halt and resume requests dropped by another process."""
        for path, command in pending_commands(self._settings.control_dir):
            if command.state is SystemState.HALTED:
                self._obey(command, SystemState.HALTED)
            elif self._ledger.system_state().state is SystemState.HALTED:
                # Leaving a halt re-runs the checks of a start
                self._obey(command, SystemState.RECONCILING)
            path.unlink()

    def _obey(self, command: Command, state: SystemState) -> None:
        log.warning("operator command", state=command.state, reason=command.reason)
        self._set_state(state, scope=command.scope, reason=command.reason, by=command.by)

    def _set_state(
        self, state: SystemState, *, scope: HaltScope | None, reason: str, by: str
    ) -> None:
        with self._ledger.transaction() as tx:
            tx.set_system_state(state, self._clock.now(), scope=scope, reason=reason, by=by)


async def _all_answered(*questions: asyncio.Future[Any]) -> None:
    """Wait until none is under way; raise what went wrong, what halts before what may be retried.

    An answer nobody waits for any more could be taken for that to the next question.
    """
    answers = await asyncio.gather(*questions, return_exceptions=True)
    failures = [answer for answer in answers if isinstance(answer, BaseException)]
    for failure in sorted(failures, key=lambda each: isinstance(each, (RetryLater, SkipInterval))):
        raise failure


def _session_of(at: datetime) -> date:
    return at.astimezone(EXCHANGE_ZONE).date()
