"""One episode: the real bot lives a month on a stage, dies, is started again, is resumed.

Each life is what a process is: a ledger is opened, the bot runs until it is done, halts or dies,
and the files stay. Between two lives the exchange goes on. An operator looks in when the bot has
halted, and resumes it once the cause is gone.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from datetime import time as clock_time
from pathlib import Path
from typing import Final

import structlog

from bot.app.accounts import open_account
from bot.app.config.schema import SimulatedBrokerSection
from bot.app.paths import run_paths
from bot.app.reports import IntervalReport, RunOptions, SessionReport
from bot.app.run import Outcome, live
from bot.app.simulation.injectors import inject
from bot.app.simulation.invariants import Auditor
from bot.app.simulation.operator import Operator
from bot.app.simulation.plan import EpisodePlan
from bot.app.simulation.stage import Stage, Violation
from bot.app.simulation.worlds import build_scenery, write_config
from bot.app.wiring import Wiring
from bot.errors import BotError
from state.anchors import read_anchor
from state.crash_points import CrashPoint, SimulatedDeath, crashing
from state.errors import StateError
from state.ledger import Ledger
from state.verification import verify
from strategies.decide import decide
from strategies.model.calendars import at_exchange
from strategies.model.snapshots import EventAhead

log = structlog.get_logger(__name__)

_VERIFIED_EVERY: Final = 20  # seeds
_LIVES_MOST: Final = 400
_SUPERVISED_AFTER: Final = (  # how long a process stays dead, in turn
    timedelta(seconds=5),
    timedelta(minutes=1),
    timedelta(seconds=20),
    timedelta(minutes=12),
    timedelta(seconds=5),
    timedelta(seconds=40),
    timedelta(minutes=3),
    timedelta(hours=14),
)
_PATIENCE, _PATIENCE_MOST = timedelta(minutes=1), timedelta(minutes=30)
_OPERATOR_AFTER: Final = (timedelta(minutes=15), timedelta(minutes=90), timedelta(hours=17))


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeResult:
    """What one episode came to."""

    seed: int
    first: date
    sessions: int
    lives: int
    halts: int
    deaths: Counter[CrashPoint]
    faults: Counter[str]
    effects: int
    checks: Counter[str]
    points: Counter[CrashPoint]
    violations: tuple[Violation, ...]
    decisions: int
    orders: int
    fills: int
    ledger_hash: str  # the end of its chain of events
    seconds: float
    process: int = 0  # where it was lived
    rss_mb: float = 0.0  # the memory of that process afterwards


def run_episode(
    plan: EpisodePlan,
    limits: Path,
    folder: Path,
    *,
    prepare: Callable[[Stage], None] = lambda _: None,
) -> EpisodeResult:
    """Live one episode in an empty folder, which is left as the bot left it.

    Args:
        plan: The world and what goes wrong in it.
        limits: The limits file the bot obeys.
        folder: Made new; on a file system in memory all this is quicker.
        prepare: Called once with the stage, before the first life: what else stands on it.
    """
    began = time.process_time()
    episode = _Episode(plan, limits, folder)
    prepare(episode.stage)
    episode.run()
    return episode.result(time.process_time() - began)


class _Episode:
    def __init__(self, plan: EpisodePlan, limits: Path, folder: Path) -> None:
        self._plan = plan
        self._scenery = build_scenery(plan.world)
        self._config = write_config(plan.world, limits, folder)
        self._paths = run_paths(folder, mode=self._config.mode, account=self._config.account)
        broker = self._config.bot.broker
        assert isinstance(broker, SimulatedBrokerSection), "the configuration was written for it"
        exchange = open_account(broker, self._scenery.market, None)
        self._stage = Stage(self._scenery, self._config, self._paths, exchange, plan.faults, inject)
        self._auditor = Auditor(self._stage)
        self._operator = Operator(self._stage)
        self._operator_is_called = False
        self._lives = 0
        self._halts = 0
        self._failed = 0  # starts in a row
        self._hash = ""
        self._ends_at = at_exchange(self._scenery.market.last_session, _EVENING)

    @property
    def stage(self) -> Stage:
        """Where all this happens."""
        return self._stage

    def run(self) -> None:
        """Live one life after the other until the month is over."""
        while self._stage.seen_at < self._ends_at:
            self._lives += 1
            if self._lives > _LIVES_MOST:
                self._stage.violate("I19", f"{_LIVES_MOST} lives and the month is not over")
                break
            try:
                outcome = self._live()
            except SimulatedDeath:
                self._failed = 0
                self._wait(_in_turn(_SUPERVISED_AFTER, self._stage.deaths.total()))
            except (BotError, StateError):  # the supervisor starts it again, ever more patiently
                self._wait(min(2**self._failed * _PATIENCE, _PATIENCE_MOST))
                self._failed += 1
            else:
                self._failed = 0
                if outcome.halted is None:
                    break
                self._operate(outcome.halted)
        self._close()

    def _live(self) -> Outcome:
        stage = self._stage
        stage.is_dead = False
        ledger = Ledger.open(
            self._paths.database,
            mode=self._config.mode,
            account=self._config.account,
            now=stage.seen_at,
        )
        try:
            self._auditor.on_start(ledger)
            self._operator.look_in(ledger, is_called=self._operator_is_called)
            self._operator_is_called = False
            with crashing(stage.hook):
                stage.is_living = True
                return live(
                    self._config,
                    self._paths,
                    RunOptions(),
                    _NOBODY,
                    wiring=self._wire(),
                    ledger=ledger,
                )
        finally:
            stage.is_living = False
            stage.ledger = None
            ledger.close()

    def _wire(self) -> Wiring:
        scenery, market = self._scenery, self._scenery.market

        def events_ahead(session: date) -> tuple[EventAhead, ...] | None:
            return scenery.history.events_ahead(session, scenery.calendar)

        return Wiring(
            connect=self._stage.connect,
            clock=self._stage.clock,
            calendar=scenery.calendar,
            events_ahead=events_ahead,
            seed=self._plan.world.seed,
            first_session=market.first_session,
            last_session=market.last_session,
            begins_at=at_exchange(market.first_session, _MORNING),
            known_until=self._stage.exchange.now,
            decide=self._auditor.watched(decide),
            read_factor=scenery.factors.before,
        )

    # --- between lives ----------------------------------------------------------------------------

    def _wait(self, pause: timedelta) -> None:
        """Let the world go on without the bot."""
        stage = self._stage
        stage.seen_at = max(stage.seen_at, stage.exchange.now) + pause
        stage.exchange.advance_to(stage.seen_at)
        stage.wake()

    def _operate(self, reason: str) -> None:
        """Call the operator to a bot that has halted; it takes a while."""
        self._halts += 1
        log.warning("halted", seed=self._plan.seed, at=str(self._stage.seen_at), reason=reason)
        if not reason:
            self._stage.violate("I19", "halted without a reason")
        self._wait(_in_turn(_OPERATOR_AFTER, self._halts))
        self._operator_is_called = True

    def _close(self) -> None:
        """Look at the books once more when the month is over."""
        self._stage.end_faults()
        with Ledger.open(
            self._paths.database,
            mode=self._config.mode,
            account=self._config.account,
            now=self._stage.seen_at,
        ) as ledger:
            self._auditor.on_start(ledger)
            self._auditor.on_end(ledger)
        if self._plan.seed % _VERIFIED_EVERY == 0:  # it rebuilds the whole ledger
            self._auditor.on_verified(verify(self._paths.database))
        anchor = read_anchor(self._paths.database)
        self._hash = "" if anchor is None else anchor.head.hash.hex()

    def result(self, seconds: float) -> EpisodeResult:
        """Return what it came to."""
        stage, market = self._stage, self._scenery.market
        sessions = self._scenery.calendar.sessions_between(
            market.first_session, market.last_session
        )
        return EpisodeResult(
            seed=self._plan.seed,
            first=self._plan.world.first,
            sessions=len(sessions),
            lives=self._lives,
            halts=self._halts,
            deaths=stage.deaths,
            faults=stage.fired,
            effects=stage.effects,
            checks=self._auditor.checks,
            points=stage.points,
            violations=tuple(stage.violations),
            decisions=self._auditor.checks["I14"],
            orders=len(stage.exchange.orders()),
            fills=len(stage.truth.fills()),
            ledger_hash=self._hash,
            seconds=seconds,
        )


def _in_turn(pauses: Sequence[timedelta], number: int) -> timedelta:
    return pauses[number % len(pauses)]


class _Nobody:
    """An observer that looks away."""

    def on_interval(self, report: IntervalReport) -> None:
        """Look away."""

    def on_session(self, report: SessionReport) -> None:
        """Look away."""

    def on_note(self, text: str) -> None:
        """Look away."""


_NOBODY = _Nobody()
_MORNING = clock_time(9, 0)
_EVENING = clock_time(18, 0)
