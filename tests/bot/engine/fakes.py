"""A bench for the engine: a real ledger, the simulated exchange, virtual time, and wrappers.

The wrappers let a hook see every call of the broker and every transaction of the ledger go by; a
hook that raises is a fault, one that waits is a slow network.
"""

import shutil
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path

from bot.app.config.limits import load_limits
from bot.brokers.simulated import SimulatedBroker, SimulatedMarketData
from bot.clock import SystemClock, virtual_time
from bot.engine.breakers import ProtectionPolicy
from bot.engine.engine import Engine, EngineSettings, Interval
from bot.engine.execute import ExecutionRules, Executor
from bot.engine.prices import WalkPolicy
from bot.engine.synchronise import synchronise
from bot.exchange.exchange import Exchange
from bot.exchange.matching import FillModel
from bot.ports import Broker, ForeignOrder, MarginImpact, OrderReport
from state.ledger import DailyPnl, Ledger, LedgerTransaction
from strategies.model.book import Account, Book
from strategies.model.calendars import EXCHANGE_ZONE
from strategies.model.encoding import to_json
from strategies.model.fills import CashMovement, ExternalFill, Fill
from strategies.model.ids import ClientOrderId, digest
from strategies.model.limits import HaltScope, Readiness, SystemState
from strategies.model.memory import Memory
from strategies.model.orders import ApprovedOrder, OrderIntent, PositionEffect, Urgency
from strategies.model.plan import CondorClose, CondorOpen, Plan
from strategies.model.rules import Rules
from strategies.model.snapshots import MarketSnapshot
from tests.bot.exchange.venue.fakes import ScriptedMarket, open_exchange
from tests.builders import AT, leg
from tests.state import records

LIMITS = load_limits(Path(__file__).parents[3] / "limits.yaml")
WALK = WalkPolicy(duration_s=120, step_s=30)
AFTER_CLOSE = time(16, 20)
# Orders fill at the offer or not at all, so that no test depends on luck
NO_LUCK = FillModel(probability_max=0.0)

BrokerHook = Callable[[str, str, object], Awaitable[None] | None]


class InterceptedBroker:
    """A broker that tells a hook ``(call, "before" | "after", argument)`` around each call.

    ``change`` may alter an answer on its way, by the name of the call.
    """

    def __init__(self, broker: Broker, hook: BrokerHook | None = None) -> None:
        self._broker = broker
        self.hook = hook
        self.change: dict[str, Callable[[object], object]] = {}

    async def _pass(self, call: str, *arguments: object) -> object:
        argument = arguments[0] if arguments else None
        await self._tell(call, "before", argument)
        answer = await getattr(self._broker, call)(*arguments)
        await self._tell(call, "after", argument)
        return self.change.get(call, lambda unchanged: unchanged)(answer)

    async def _tell(self, call: str, phase: str, argument: object) -> None:
        if self.hook is not None and (waiting := self.hook(call, phase, argument)) is not None:
            await waiting

    async def connect(self) -> None:
        await self._pass("connect")

    async def submit(self, order: ApprovedOrder) -> OrderReport:
        return await self._pass("submit", order)

    async def cancel(self, client_order_id: ClientOrderId) -> OrderReport:
        return await self._pass("cancel", client_order_id)

    async def fetch_orders(self) -> tuple[OrderReport, ...]:
        return await self._pass("fetch_orders")

    async def fetch_fills(self, since: datetime) -> tuple[Fill, ...]:
        return await self._pass("fetch_fills", since)

    async def fetch_cash_movements(self, since: datetime) -> tuple[CashMovement, ...]:
        return await self._pass("fetch_cash_movements", since)

    async def fetch_positions(self) -> dict[str, int]:
        return await self._pass("fetch_positions")

    async def fetch_marks(self) -> dict[str, float]:
        return await self._pass("fetch_marks")

    async def fetch_account(self) -> Account:
        return await self._pass("fetch_account")

    async def fetch_foreign_orders(self) -> tuple[ForeignOrder, ...]:
        return await self._pass("fetch_foreign_orders")

    async def fetch_foreign_fills(self, since: datetime) -> tuple[ExternalFill, ...]:
        return await self._pass("fetch_foreign_fills", since)

    async def preview(self, order: OrderIntent) -> MarginImpact:
        return await self._pass("preview", order)

    async def server_time(self) -> datetime:
        return await self._pass("server_time")


class InterceptedLedger(Ledger):
    """A ledger that tells a hook ``"begin"``, ``"written"`` and ``"committed"``."""

    hook: Callable[[str], None] | None = None

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[LedgerTransaction]:
        self._tell("begin")
        with super().transaction(durable=durable) as tx:
            yield tx
            self._tell("written")
        self._tell("committed")

    def _tell(self, boundary: str) -> None:
        if self.hook is not None:
            self.hook(boundary)


class Faults:
    """A hook that does something at the n-th time a call comes by: raises, or calls it back.

    Keys are ``(call, "before" | "after", n)``; n counts from one, 0 stands for every time.
    """

    def __init__(
        self,
        faults: Mapping[tuple[str, str, int], Exception | Callable[[], Awaitable[None] | None]],
    ) -> None:
        self._faults = faults
        self._seen: Counter[tuple[str, str]] = Counter()

    def __call__(self, call: str, phase: str, argument: object) -> Awaitable[None] | None:
        self._seen[call, phase] += 1
        at = (call, phase, self._seen[call, phase])
        fault = self._faults.get(at, self._faults.get((call, phase, 0)))
        if isinstance(fault, Exception):
            raise fault
        return None if fault is None else fault()


class Silent:
    """Alerts that are kept for the test to read."""

    def __init__(self) -> None:
        self.raised: list[tuple[str, str]] = []

    def raise_alert(self, severity: str, text: str) -> None:
        self.raised.append((severity, text))


def committed(database: Path, query: str, *values: object) -> list[tuple]:
    """Return rows as another process would see them: what is committed, and nothing else."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        return connection.execute(query, values).fetchall()
    finally:
        connection.close()


def statuses(database: Path, client_order_id: str) -> list[str]:
    """Return the committed life of one order."""
    query = "SELECT status FROM order_events WHERE client_order_id = ? ORDER BY sequence"
    return [status for (status,) in committed(database, query, client_order_id)]


def hedge(
    text: str,
    quantity: int,
    limit: str,
    worst: str | None = None,
    *,
    layer: str = "L1",
    urgency: Urgency = Urgency.NORMAL,
    plan_id: str = "plan-1",
) -> OrderIntent:
    """Return a hedge order: ``hedge("VIX 18MAR20 25 C", 10, "0.48", "0.53")``; a -1 sells."""
    only = leg(text)
    verb = "add" if only.ratio > 0 else "reduce"
    return OrderIntent(
        plan_id=plan_id,
        purpose=f"hedge:{layer}:{verb}:{only.instrument.symbol}",
        legs=(only,),
        quantity=quantity,
        limit_price=Decimal(limit),
        worst_price=Decimal(worst or limit),
        effect=PositionEffect.OPEN if only.ratio > 0 else PositionEffect.CLOSE,
        urgency=urgency,
        rules=("L1",),
        layer=layer,
    )


class Bench:
    """An executor with everything it needs, at 10:00 on a quiet Monday."""

    def __init__(
        self,
        folder: Path,
        empty_ledger: Path,
        market: ScriptedMarket | None = None,
        *,
        at: datetime = AT,
    ) -> None:
        self.at = at
        self.market = market or ScriptedMarket()
        self.database = folder / "ledger.sqlite"
        self.journal = folder / "exchange.jsonl"
        self.limits = LIMITS
        self.execution = ExecutionRules()
        shutil.copy(empty_ledger, self.database)
        self._open()
        self.halt(SystemState.RUNNING)

    def _open(self) -> None:
        self.clock = SystemClock()
        self.ledger = InterceptedLedger.open(
            self.database, mode=records.MODE, account=records.ACCOUNT, now=self.at
        )
        self.exchange = open_exchange(self.market, journal_path=self.journal, fill_model=NO_LUCK)
        self.broker = InterceptedBroker(SimulatedBroker(self.exchange, self.clock))
        self.market_data = SimulatedMarketData(self.exchange, self.clock)

    def reopen(self) -> None:
        """Replace ledger, exchange and broker by those of a new process."""
        self.ledger.close()
        self._open()

    @property
    def executor(self) -> Executor:
        """An executor with the limits in force."""
        return Executor(
            ledger=self.ledger,
            broker=self.broker,
            market_data=self.market_data,
            clock=self.clock,
            walker=self.execution.walker(WALK, self.limits, self.market.calendar),
            readiness=self._readiness,
            book=lambda: self.ledger.book(self.clock.now()),
            on_refusal=lambda refusal: None,
        )

    def halt(self, state: SystemState, scope: HaltScope | None = None) -> None:
        """Write down what the bot may do."""
        with self.ledger.transaction() as tx:
            tx.set_system_state(state, self.at, scope, "test", "test")

    def _readiness(self) -> Readiness:
        now = self.clock.now()
        stored = self.ledger.system_state()
        return Readiness(
            at=now,
            state=stored.state,
            halt_scope=stored.scope,
            connected=True,
            reconciled=True,
            lease_held=True,
            orders_today=self.ledger.orders_sent_on(_day(now)),
        )

    def decide(
        self,
        *intents: OrderIntent,
        plan_id: str = "plan-1",
        opens: Sequence[CondorOpen] = (),
        closes: Sequence[CondorClose] = (),
    ) -> None:
        """Put a plan on record."""
        made = records.plan(plan_id, at=self.at, orders=intents, opens=opens, closes=closes)
        with self.ledger.transaction() as tx:
            records.record(tx, made)

    def carry_out(self, plan_id: str = "plan-1", *, decided_at: datetime | None = None) -> None:
        """Carry a plan out in virtual time, which goes on from where it stopped."""
        began = decided_at or self.at

        async def act() -> None:
            await self.broker.connect()
            await self.executor.carry_out(plan_id, began)

        self.live(act)

    def synchronise(self) -> None:
        """Take over what the broker knows."""

        async def act() -> None:
            await self.broker.connect()
            await synchronise(self.ledger, self.broker, self.clock.now())

        self.live(act)

    def live(self, act: Callable[[], Awaitable[None]]) -> None:
        """Run something in virtual time and remember what time it then was."""
        with virtual_time(self.at) as loop:
            try:
                loop.run_until_complete(act())
            finally:
                self.at = self.clock.now()

    def orders(self, plan_id: str = "plan-1") -> list[tuple[int, str, int, Decimal]]:
        """Return (quantity, status, filled, limit) of every attempt of a plan."""
        return [
            (each.intent.quantity, each.status.value, each.filled_quantity, each.limit_price)
            for each in self.ledger.orders_of_plan(plan_id)
        ]

    def notes(self, plan_id: str = "plan-1") -> list[str]:
        """Return the last word on every attempt of a plan."""
        return [each.note for each in self.ledger.orders_of_plan(plan_id)]

    def lives(self, plan_id: str = "plan-1") -> list[list[str]]:
        """Return the committed life of every attempt of a plan."""
        return [
            statuses(self.database, each.client_order_id)
            for each in self.ledger.orders_of_plan(plan_id)
        ]


# What a scripted decision makes of its plan's id and the book
MakePlan = Callable[[str, Book], Plan]


class ScriptedDecisions:
    """Stands in for ``decide``: plans by instant, their id derived from what was looked at.

    The id depends on market, book, account and memory, as the real one does, so a run that lost or
    gained a cent anywhere plans under other ids from then on.
    """

    def __init__(self, plans: Mapping[datetime, MakePlan] | None = None) -> None:
        self.plans = dict(plans or {})
        self.asked: list[MarketSnapshot] = []

    def __call__(
        self, snapshot: MarketSnapshot, book: Book, account: Account, memory: Memory, rules: Rules
    ) -> tuple[Plan, Memory]:
        self.asked.append(snapshot)
        spx = snapshot.market.indices["SPX"].value
        plan_id = digest(to_json((snapshot.at, spx, book, account, memory)))[:16]
        make = self.plans.get(snapshot.at)
        made = records.plan(plan_id, at=snapshot.at) if make is None else make(plan_id, book)
        after = Memory(
            session=snapshot.session, condors_opened=memory.condors_opened + len(made.opens)
        )
        return made, after


class EngineBench(Bench):
    """A whole engine on scripted decisions. ``between`` is called once, after the first job."""

    def __init__(self, *arguments: object, **options: object) -> None:
        self.decisions = ScriptedDecisions()
        self.alerts = Silent()
        self.intervals: list[Interval] = []
        self.days: list[DailyPnl] = []
        self.between: Callable[[datetime], None] | None = None
        self.protections = ProtectionPolicy()
        self.in_real_time = False
        super().__init__(*arguments, **options)
        self.control_dir = self.database.parent / "control"

    def engine(self) -> Engine:
        """A new engine over the bench's ledger and broker."""
        return Engine(
            EngineSettings(
                run_id=records.RUN,
                calendar=self.market.calendar,
                events_ahead=lambda session: (),
                rules=Rules(),
                limits=self.limits,
                walk=WALK,
                execution=self.execution,
                control_dir=self.control_dir,
                protections=self.protections,
                in_real_time=self.in_real_time,
            ),
            ledger=self.ledger,
            broker=self.broker,
            market_data=self.market_data,
            clock=self.clock,
            alerts=self.alerts,
            on_interval=self.intervals.append,
            on_session=self.days.append,
            decide=self.decisions,
        )

    def plan(self, at: datetime, *intents: OrderIntent, **parts: object) -> None:
        """Decide these orders at an instant; their plan's id is filled in then."""

        def make(plan_id: str, book: Book) -> Plan:
            orders = [replace(intent, plan_id=plan_id) for intent in intents]
            return records.plan(plan_id, at=at.astimezone(UTC), orders=orders, **parts)

        self.decisions.plans[at.astimezone(UTC)] = make

    def run(self, *instants: datetime, start: bool = True) -> list[str]:
        """Start an engine and run its interval at each instant; an end of day after the close."""
        outcomes: list[str] = []

        async def live() -> None:
            engine = self.engine()
            if start:
                await engine.start()
            for at in instants:
                await self.clock.sleep((at - self.clock.now()).total_seconds())
                if at.astimezone(EXCHANGE_ZONE).time() >= AFTER_CLOSE:
                    outcomes.append(await engine.end_of_day(at))
                else:
                    outcomes.append(await engine.run_interval(at, entry_due=False))
                if self.between is not None:
                    self.between(at)
                    self.between = None

        self.live(live)
        return outcomes


def _day(at: datetime) -> date:
    return at.astimezone(EXCHANGE_ZONE).date()


def fills_of(exchange: Exchange) -> tuple[Fill, ...]:
    """Return every execution of an exchange."""
    return exchange.fills(AT.replace(year=1990))
