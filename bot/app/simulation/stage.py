"""The stage of one episode: the world outside the bot, the faults at work in it, and the wrappers.

Everything here survives the deaths of the bot: the exchange, what is true there, which faults are
under way, and what has been counted. The bot meets the stage at its two ports, at its crash points
and in its folder of commands.
"""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, cast

from bot.app.config.loader import LoadedConfig
from bot.app.paths import RunPaths
from bot.app.ports import Connect, Ports
from bot.app.simulation.faults import Answer, AtWork, Call, Decided, Fault
from bot.app.simulation.truth import Truth
from bot.app.simulation.worlds import Scenery
from bot.brokers.simulated import SimulatedBroker, SimulatedMarketData
from bot.clock import SystemClock
from bot.exchange.exchange import Exchange
from bot.ports import Broker, MarketData, OrderReport
from state.crash_points import CrashPoint, SimulatedDeath
from state.ledger import Ledger
from strategies.model.book import Account
from strategies.model.calendars import EXCHANGE_ZONE
from strategies.model.snapshots import MarketQuotes


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One invariant that did not hold."""

    invariant: str  # "I1" .. "I24"
    detail: str
    at: datetime


class Stage:
    """The world of one episode, and everything that was counted in it."""

    def __init__(
        self,
        scenery: Scenery,
        config: LoadedConfig,
        paths: RunPaths,
        exchange: Exchange,
        faults: Sequence[Fault],
        inject: Callable[[Fault, "Stage"], AtWork],
    ) -> None:
        self.scenery = scenery
        self.config = config
        self.paths = paths
        self.truth = Truth(exchange=exchange)
        self.clock = SystemClock()
        self.ledger: Ledger | None = None  # of the life that is being lived
        self.listeners: list[Callable[[str, Call | CrashPoint], None]] = []
        self.violations: list[Violation] = []
        self.points: Counter[CrashPoint] = Counter()
        self.deaths: Counter[CrashPoint] = Counter()
        self.fired: Counter[str] = Counter()  # faults that took effect, by id
        self.effects = 0  # calls and points at which they did
        self.is_dead = False
        self.is_living = False  # else the clock is nobody's, and ``seen_at`` is the time
        self.seen_at = exchange.now
        self.disturbed_at: datetime | None = None  # when a fault was last at work
        self.reach: Connect = self._in_process  # the broker, whatever lies between
        self._waiting = sorted(faults, key=lambda fault: (fault.at, fault.fault_id), reverse=True)
        self._inject = inject
        self._at_work: list[AtWork] = []

    # --- what faults and invariants ask -----------------------------------------------------------

    @property
    def exchange(self) -> Exchange:
        """The exchange and broker back office."""
        return self.truth.exchange

    def now(self) -> datetime:
        """Return the instant."""
        if self.is_living:
            self.seen_at = self.clock.now()
        return self.seen_at

    def is_open(self) -> bool:
        """Whether index options trade now, with some minutes to spare."""
        now = self.now()
        session = now.astimezone(EXCHANGE_ZONE).date()
        calendar = self.scenery.calendar
        if not calendar.is_session(session):
            return False
        return calendar.opens_at(session) <= now <= calendar.closes_at(session) - _TO_SPARE

    @property
    def is_calm(self) -> bool:
        """Whether no fault is at work; one that waits for its occasion is not."""
        return all(each.is_latent for each in self._at_work)

    def violate(self, invariant: str, detail: str) -> None:
        """Put on record that an invariant does not hold."""
        self.violations.append(Violation(invariant=invariant, detail=detail, at=self.now()))

    def aged(self, answer: Answer, *, minutes: int) -> Answer:
        """Return quotes as old as they would be if the feed stood still."""
        age = timedelta(minutes=minutes)
        if isinstance(answer, MarketQuotes):
            return replace(answer, at=answer.at - age)
        return {
            symbol: replace(quote, quoted_at=quote.quoted_at and quote.quoted_at - age)
            for symbol, quote in answer.items()
        }

    # --- faults come and go -----------------------------------------------------------------------

    def wake(self) -> None:
        """Begin the faults whose time has come, and end those whose time is over."""
        now = self.now()
        for injector in [*self._at_work]:
            if injector.is_over or now >= injector.fault.until:
                self._end(injector)
        while self._waiting and self._waiting[-1].at <= now:
            fault = self._waiting.pop()
            if now < fault.until:
                injector = self._inject(fault, self)
                self._at_work.append(injector)
                injector.begin()
        if not self.is_calm:
            self.disturbed_at = now

    def note_effect(self) -> None:
        """Count a call or a point at which a fault took effect."""
        self.effects += 1
        self.disturbed_at = self.now()

    def end_faults(self) -> None:
        """End everything that is under way: the operator has seen to it."""
        for injector in [*self._at_work]:
            self._end(injector)

    def _end(self, injector: AtWork) -> None:
        self._at_work.remove(injector)
        if injector.has_fired:
            self.fired[injector.fault.fault_id] += 1
        injector.end()

    # --- where the bot meets the stage ------------------------------------------------------------

    def hook(self, point: CrashPoint) -> None:
        """Hear a crash point: the process may die here, or its storage fail."""
        if self.is_dead:  # what was under way beside what died
            raise SimulatedDeath(point)
        self.points[point] += 1
        self.wake()
        for listener in self.listeners:
            listener("point", point)
        try:
            for injector in [*self._at_work]:
                if not injector.is_over:
                    injector.at_point(point)
        except SimulatedDeath:
            self.is_dead = True
            self.deaths[point] += 1
            raise

    async def pass_on(self, call: Call, method: Callable[..., Awaitable[Any]]) -> Answer:
        """Take a call of the bot to the world and its answer back, through every fault at work."""
        self.wake()
        injectors = [each for each in self._at_work if not each.is_over]
        if call.name == "submit":
            self._tell("submit", call)
        for injector in injectors:
            await injector.before(call)
        answer = None
        if call.name == "cancel":
            answer = self.truth.pretended(call.arguments[0])
        for injector in injectors:
            if answer is None and not injector.is_over:
                answer = injector.instead(call)
        if answer is None:
            answer = await method(*call.arguments)
        answer = self._as_told(answer)
        self._tell("called", call)
        for injector in injectors:
            if not injector.is_over:
                answer = injector.after(call, answer)
        return answer

    def decided(self, decided: Decided) -> Decided:
        """Return what was decided, as faults leave it."""
        for injector in self._at_work:
            if not injector.is_over:
                decided = injector.decided(decided)
        return decided

    def _tell(self, what: str, call: Call) -> None:
        for listener in self.listeners:
            listener(what, call)

    def _as_told(self, answer: Answer) -> Answer:
        """Return an answer of the exchange as the broker tells it."""
        truth = self.truth
        if isinstance(answer, OrderReport):
            return truth.told(answer)
        if isinstance(answer, Account):
            return truth.told_account(answer)
        if isinstance(answer, tuple) and answer:
            if isinstance(answer[0], OrderReport):
                return tuple(truth.told(each) for each in answer)
            if truth.corrections and hasattr(answer[0], "exec_root"):
                return tuple(truth.corrections.get(each.exec_root, each) for each in answer)
        return answer

    @asynccontextmanager
    async def connect(self, ledger: Ledger) -> AsyncIterator[Ports]:
        """Give one life of the bot its ports."""
        self.ledger = ledger
        async with self.reach(ledger) as inner:
            yield Ports(
                broker=cast("Broker", _Intercepted("broker", inner.broker, self)),
                market_data=cast("MarketData", _Intercepted("data", inner.market_data, self)),
            )

    @asynccontextmanager
    async def _in_process(self, _ledger: Ledger) -> AsyncIterator[Ports]:
        """Put nothing between the bot and the exchange."""
        yield Ports(
            broker=SimulatedBroker(self.exchange, self.clock),
            market_data=SimulatedMarketData(self.exchange, self.clock),
        )


class _Intercepted:
    """A port all of whose calls go over the stage; whatever the port can be asked, it can be."""

    def __init__(self, port: str, inner: object, stage: Stage) -> None:
        self._port = port
        self._inner = inner
        self._stage = stage

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        method = getattr(self._inner, name)

        async def call(*arguments: Answer) -> Answer:
            passing = Call(port=self._port, name=name, arguments=arguments)
            return await self._stage.pass_on(passing, method)

        return call


_TO_SPARE = timedelta(minutes=5)
