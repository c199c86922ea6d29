"""The engine: one interval is collect, decide, remember, act, remember. It knows ports only."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from bot.approvals.overrides import NOBODY, OverridePolicy
from bot.engine.breakers import ProtectionPolicy
from bot.engine.collect import (
    EventsAhead,
    FactorOf,
    Factors,
    closed_because,
    collect_snapshot,
    nothing_fed,
)
from bot.engine.control import Controls
from bot.engine.doubts import long_in_doubt
from bot.engine.execute import ExecutionRules, Executor
from bot.engine.overrides import overrides_in_force, take_overrides
from bot.engine.pages import Pages
from bot.engine.prices import WalkPolicy
from bot.engine.profit import measure_profit
from bot.engine.protections import Protections
from bot.engine.reconcile import Reconciler
from bot.engine.reconcile_policy import ReconcilePolicy
from bot.engine.repairs import carry_out_repairs
from bot.engine.requests import waiting_requests
from bot.engine.synchronise import find_differences, synchronise
from bot.engine.waking import WakingClock
from bot.errors import (
    BooksDisagree,
    BrokerUnavailable,
    MarketDataMissing,
    RetryLater,
    SkipInterval,
)
from bot.ports import Alerts, Broker, Clock, MarketData
from state.crash_points import CrashPoint, crash_point
from state.ledger import DailyPnl, LastDecision, Ledger
from strategies.decide import decide
from strategies.model.book import Account, Book
from strategies.model.breaks import BreakKind
from strategies.model.calendars import EXCHANGE_ZONE, TradingCalendar, at_exchange
from strategies.model.instruments import parse_symbol
from strategies.model.lifecycle import OPEN_STATUSES
from strategies.model.limits import HaltScope, Limits, Readiness, SystemState, Throughput
from strategies.model.memory import Memory
from strategies.model.overrides import Override
from strategies.model.plan import Plan
from strategies.model.rules import Rules
from strategies.model.snapshots import MarketSnapshot
from strategies.pricing.plausibility import market_doubts
from strategies.risk.flatten import flatten, is_flat

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
    reconcile: ReconcilePolicy = field(default_factory=ReconcilePolicy)
    read_factor: FactorOf = nothing_fed  # E: the feeds that do not come from the broker
    protections: ProtectionPolicy = field(default_factory=ProtectionPolicy)
    in_real_time: bool = False  # commands come at any moment, and wake who waits


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
        self._waking = WakingClock(clock)
        self.pages = Pages(alerts, clock, settings.protections.page_again)
        self.controls = Controls(ledger, clock, alerts, settings.control_dir)
        self.protections = Protections(
            settings.protections,
            ledger=ledger,
            clock=clock,
            controls=self.controls,
            pages=self.pages,
        )
        self._on_interval = on_interval
        self._on_session = on_session
        self._decide = decide
        self._factors = Factors(settings.rules.panel.factors, settings.read_factor)
        self._connected = False
        self._reconciled = False
        self._books = Reconciler(
            ledger, broker, clock, alerts, settings.reconcile, settings.control_dir
        )
        self._executor = Executor(
            ledger=ledger,
            broker=broker,
            market_data=market_data,
            clock=self._waking if settings.in_real_time else clock,
            walker=settings.execution.walker(settings.walk, settings.limits, settings.calendar),
            readiness=self._readiness,
            book=self._book,
            on_refusal=self.protections.note_refusal,
        )

    async def start(self) -> None:
        """Connect, reconcile, and finish whatever a stop left unfinished. Start-up is recovery.

        Raises: BrokerUnavailable, HaltTrading.
        """
        self.controls.take()
        was_halted = self._ledger.system_state().state is SystemState.HALTED
        if not was_halted:  # a halt stands through any number of restarts
            self.controls.set_state(SystemState.RECONCILING, reason="start")
        await self._broker.connect()
        self._connected = True
        await self._reconcile()
        if not was_halted:
            self.controls.set_state(SystemState.RUNNING, reason="reconciled")
        await self._finish(self._ledger.last_decision())

    async def run_interval(self, scheduled_at: datetime, *, entry_due: bool) -> str:
        """Run one interval; return ``ran``, or why it was skipped.

        An instant that has been decided already is not decided again.

        Raises: HaltTrading.
        """
        self.controls.take()
        if (reason := closed_because(self._settings.calendar, scheduled_at)) is not None:
            return f"skipped: {reason}"
        last = self._ledger.last_decision()
        if last is not None and last.at >= scheduled_at:
            return DECIDED_BEFORE
        session = _session_of(scheduled_at)
        try:
            await self.beat()
            if self._is_behind(last):
                await self._catch_up(last)
            decided_on = None if last is None else last.at
            look = partial(self._look, session, entry_due=entry_due, decided_on=decided_on)
            snapshot, account = await look()
            await self._books.check_books()
            if self._is_old(snapshot):  # the broker took its time over the books
                snapshot, account = await look()
            if self._is_old(snapshot):
                raise MarketDataMissing(f"the market of {snapshot.at.isoformat()} is old by now")
        except RetryLater as cause:
            return self._skip(cause)
        except SkipInterval as cause:
            self.protections.note_skip(str(cause))
            return self._skip(cause)
        self.protections.judge(account, session)
        self.protections.note_data(snapshot.at)
        self.protections.note_doubts(market_doubts(snapshot.market))
        self._books.may_go_on()
        snapshot = replace(snapshot, overrides=self._overrides())
        book = self._book()
        memory = last.memory if last is not None else Memory()
        is_flattening = self.controls.is_flattening
        decide_now = flatten if is_flattening else self._decide
        crash_point(CrashPoint.JOB_BEFORE_DECISION)
        plan, memory_after = decide_now(snapshot, book, account, memory, self._settings.rules)
        crash_point(CrashPoint.JOB_AFTER_DECISION)
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
                self._lose(str(cause))
                log.warning("interval left unfinished", plan_id=plan.plan_id, reason=str(cause))
                outcome = f"ran: its orders are left to the next interval: {cause}"
        if outcome == "ran":
            await self._mend()
        self._on_interval(Interval(snapshot=snapshot, account=account, book=book, plan=plan))
        if is_flattening and outcome == "ran":
            return await self._flatten_on(book)
        return outcome

    async def obey(self, at: datetime) -> str:
        """Do at once what a command asks for that was just taken: withdraw, flatten, reconcile.

        Raises: HaltTrading.
        """
        self.controls.take()
        try:
            if self.controls.stored.state is SystemState.HALTED:
                await self.withdraw()
            elif self._is_behind(None):
                await self._catch_up(self._ledger.last_decision())
            await self._books.answer_requests()
        except RetryLater as cause:
            return self._skip(cause)
        if self.controls.is_flattening:
            return await self.run_interval(at, entry_due=False)
        return "ran"

    def requests_waiting(self) -> frozenset[Path]:
        """Return what operators have asked for about breaks and locks; ``obey`` answers it."""
        return frozenset(waiting_requests(self._settings.control_dir))

    async def _mend(self) -> None:
        """Send what makes broken condors even again, where the configuration says so."""
        if self._settings.reconcile.repair != "execute":
            return
        carry_out, now = self._executor.carry_out, self._clock.now()
        try:
            await carry_out_repairs(self._ledger, self._market_data, carry_out, now)
        except (RetryLater, SkipInterval) as cause:  # the next interval proposes it again
            log.warning("repair left unfinished", reason=str(cause))

    async def beat(self) -> None:
        """Ask the broker what time it is: it answers, and its clock and ours agree (fault B4).

        Raises: BrokerUnavailable without an answer in time; HaltTrading.
        """
        answer = self._settings.protections.answer
        asked_at = self._clock.now()
        try:
            async with asyncio.timeout(answer.total_seconds()):
                told = await self._broker.server_time()
        except TimeoutError as cause:
            seconds = answer.total_seconds()
            raise BrokerUnavailable(f"no sign of life within {seconds:g} s") from cause
        # It was told at some instant between the question and now
        self.protections.note_time(told, min(max(told, asked_at), self._clock.now()))

    async def keep_in_touch(self) -> bool:
        """Ask for a sign of life between looks; return whether there was one.

        A connection that was lost is followed by a full reconciliation before anything opens
        (faults B1, B2); what was filled meanwhile is on record then.

        Raises: HaltTrading.
        """
        try:
            await self.beat()
            if not self._reconciled:
                await self._reconcile()
        except RetryLater as cause:
            self._lose(str(cause))
            return False
        return True

    async def end_of_day(self, scheduled_at: datetime) -> str:
        """Book the day: settlements, variation margin, profit and loss; reconcile to the cent.

        Raises: HaltTrading if something stands with which nothing may be traded.
        """
        self.controls.take()
        session = _session_of(scheduled_at)
        if not self._settings.calendar.is_session(session):
            return f"skipped: {session} is no session"
        if self._ledger.daily_pnl(session) is not None:
            return "skipped: booked before"
        try:
            await self._catch_up(self._ledger.last_decision())
            await self._books.check_books(whole=True)
            profit = await self.profit()
        except RetryLater as cause:
            self._alerts.raise_alert("warning", f"{session} is not booked: {cause}")
            return f"skipped: {cause}"
        with self._ledger.transaction() as tx:
            tx.record_daily_pnl(profit)
        self._on_session(profit)
        self._books.may_go_on()
        return "ran"

    async def withdraw(self) -> None:
        """Cancel everything that may still trade; raises BrokerUnavailable."""
        if self._connected:
            await self._executor.withdraw()

    def halt(self, reason: str) -> None:
        """Halt everything and say why, durably. Only an operator's resume ends it.

        One that was asked for before is answered first: whoever asked did not know of this.
        """
        self.controls.take()
        self.controls.set_state(SystemState.HALTED, scope=HaltScope.ALL, reason=reason)
        self._alerts.raise_alert("critical", f"halted: {reason}")

    def wake(self) -> None:
        """End the wait of a price walk: what may be sent has changed."""
        self._waking.wake()

    def freeze(self, reason: str) -> None:
        """Let nothing open until an operator has looked, and call for one; all else goes on."""
        if self.controls.stored.state is not SystemState.HALTED:
            self.controls.set_state(SystemState.HALTED, scope=HaltScope.REDUCE_ONLY, reason=reason)
        self.pages.page("freeze", f"nothing opens any more: {reason}")

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

    def _is_old(self, snapshot: MarketSnapshot) -> bool:
        """Whether quotes are older than anything may be decided on (I14)."""
        age = self._clock.now() - snapshot.market.at
        return age > self._settings.limits.quote_age_max

    def _skip(self, cause: Exception) -> str:
        """Return the outcome of an interval that cannot be, and remember a lost connection."""
        log.warning("interval skipped", reason=str(cause))
        if isinstance(cause, RetryLater):
            self._lose(str(cause))
        return f"skipped: {cause}"

    def _lose(self, reason: str) -> None:
        self._reconciled = False
        self.protections.note_lost(reason)

    async def _reconcile(self) -> None:
        await self._books.reconcile()
        self._reconciled = True
        self.protections.note_reconciled()

    async def _flatten_on(self, before: Book) -> str:
        """Go on closing while there is progress; halt everything once all is closed."""
        book = self._book()
        if is_flat(book):
            self.controls.end_flatten()
        elif (book.condors, book.hedges) != (before.condors, before.hedges):
            outcome = await self.run_interval(self._clock.now(), entry_due=False)
            return outcome if outcome == "ran" else f"ran: flattening goes on later: {outcome}"
        return "ran"

    def _is_behind(self, last: LastDecision | None) -> bool:
        """Whether books are to be compared, or an interval or an order is left from before."""
        return (
            not self._reconciled
            or self.controls.stored.state is SystemState.RECONCILING
            or (last is not None and not last.completed)
            or any(order.status in OPEN_STATUSES for order in self._ledger.open_intents())
        )

    async def _catch_up(self, last: LastDecision | None) -> None:
        """Be where a start would be: in step with the broker, with nothing left from before."""
        if self.controls.stored.state is SystemState.RECONCILING:  # a halt was lifted
            await self._reconcile()
            self.controls.set_state(SystemState.RUNNING, reason="reconciled")
        elif not self._reconciled:  # the connection was lost
            await self._reconcile()
        else:
            await synchronise(self._ledger, self._broker, self._clock.now())
        await self._finish(last)

    async def _finish(self, last: LastDecision | None) -> None:
        """Finish an interval that was begun, and cancel what no interval looks after any more."""
        if last is not None and not last.completed:
            log.info("resuming an interval", plan_id=last.plan_id, at=last.at.isoformat())
            await self._act(last.plan_id, last.at)
        await self._executor.withdraw()
        for order in long_in_doubt(self._ledger, self._clock.now()):
            words = f"{order.intent.purpose}: {order.client_order_id} is in doubt since yesterday"
            self.pages.page(f"doubt {order.client_order_id}", f"{words}: {order.note}")

    async def _act(self, plan_id: str, decided_at: datetime) -> None:
        await self._executor.carry_out(plan_id, decided_at)
        crash_point(CrashPoint.JOB_BEFORE_COMPLETION)
        with self._ledger.transaction() as tx:
            tx.complete_interval(plan_id, self._clock.now())

    def _book(self) -> Book:
        now = self._clock.now()
        return self._ledger.book(now)

    def _readiness(self) -> Readiness:
        self.controls.take()
        now = self._clock.now()
        current = self.controls.stored
        activity = self._ledger.activity(now)
        return Readiness(
            at=now,
            state=current.state,
            halt_scope=current.scope,
            connected=self._connected,
            reconciled=self._reconciled,
            lease_held=self._ledger.holds_lease(),  # and again by every transaction
            orders_today=self._ledger.orders_sent_on(_session_of(now)),
            locks=self.protections.locks(),
            unqualified=self._unqualified(),
            calendar=self._settings.calendar,
            throughput=Throughput(
                orders_last_minute=activity.orders_last_minute,
                opens_today=activity.opens_today,
                cancels_today=activity.cancels_today,
                turnover_usd_today=self._turnover_usd(now),
            ),
        )

    def _unqualified(self) -> frozenset[str]:
        """Return the symbols whose terms at the broker are not what they were (fault D20)."""
        breaks = self._ledger.open_breaks()
        return frozenset(each.key for each in breaks if each.kind is BreakKind.CONTRACT_CHANGED)

    def _turnover_usd(self, now: datetime) -> Decimal:
        """Return what was traded today: price x multiplier x contracts of every fill (I16)."""
        return sum(
            (
                abs(fill.price) * fill.quantity * parse_symbol(fill.symbol).multiplier
                for fill in self._ledger.fills_since(at_exchange(_session_of(now), time()))
            ),
            Decimal(0),
        )

    def _overrides(self) -> tuple[Override, ...]:
        """Take the signed overrides that wait, and return those in force (D3)."""
        policy, now = self._settings.overrides, self._clock.now()
        take_overrides(self._settings.control_dir, policy, self._ledger, self._alerts, now)
        return overrides_in_force(policy, self._ledger, self._alerts, now)


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
