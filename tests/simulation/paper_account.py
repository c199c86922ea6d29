"""A bot with a paper account: wired as ``ib_paper``, with a simulated gateway in the role of IB.

Bot and gateway share one loop of virtual time, so that days pass in seconds. The gateway has IB's
limits: messages a second, market data lines, requests for bars. What goes wrong is planned.
"""

import asyncio
import shutil
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import time_machine

from bot.app.commands.inputs import paths_of, read_config
from bot.app.config.loader import LoadedConfig
from bot.app.ib_ports import connected, paper_access
from bot.app.ports import Ports
from bot.app.reports import IntervalReport, RunOptions, SessionReport
from bot.app.run import Outcome, live
from bot.app.wire import in_flight
from bot.app.wiring import PaperWorld, Wiring, build_world, wire
from bot.clock import SystemClock, VirtualTimeLoop
from bot.engine.engine import Decide
from bot.exchange.exchange import Exchange
from bot.exchange.market import Market
from bot.gateway.fault_plan import FaultPlan, PlannedFault
from bot.gateway.feed.settings import FeedSettings
from bot.gateway.gateway import Gateway
from bot.gateway.settings import GatewaySettings
from state.ledger import Ledger
from strategies.decide import decide
from strategies.model.calendars import EXCHANGE_ZONE
from tests.builders import instant

ROOT = Path(__file__).parents[2]
ACCOUNT = "DU7654321"
CASH = Decimal(1_000_000)
CONFIG = """\
name: paper-account
broker:
  kind: ib_paper
  port: 4002
  client_id: 17
  account: {account}
  market_data_lines: {lines}
limits: limits.yaml
schedule: {{{schedule}}}
"""


@dataclass(frozen=True, slots=True)
class Job:
    """One row of ``job_runs``: what became of something that was due."""

    at: datetime  # New York
    name: str
    outcome: str
    note: str


@dataclass(kw_only=True)
class PaperAccount:
    """The account and its gateway, which outlive the bot; files of the bot in ``folder``."""

    folder: Path
    market: Market
    faults: Sequence[PlannedFault] = ()
    schedule: str = "interval_minutes: 15"
    lines: int = 100
    pump_every_s: float = 60.0
    decide: Decide = decide
    decided: list[IntervalReport] = field(default_factory=list)
    days: list[SessionReport] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)  # books that did not agree with the exchange's

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "limits.yaml", self.folder)
        path = self.folder / "config.yaml"
        path.write_text(CONFIG.format(account=ACCOUNT, lines=self.lines, schedule=self.schedule))
        self.config: LoadedConfig = read_config(path, [])
        self.paths = paths_of(self.config, self.folder / "var")
        self.exchange = Exchange(self.market, account_id=ACCOUNT, starting_cash_usd=CASH, seed=7)
        self.plan = FaultPlan(self.faults)
        self.gateway: Gateway | None = None

    # --- living -------------------------------------------------------------------------------

    def live(self, begin: str, until: str) -> Outcome:
        """Live from one New York time to another."""
        begins_at, ends_at = instant(begin), instant(until)
        with time_machine.travel(begins_at, tick=False):
            world = build_world(self.config)
            assert isinstance(world, PaperWorld)
            wiring = wire(world, self.paths)
        with Ledger.open(
            self.paths.database,
            mode=self.config.mode,
            account=self.config.account,
            now=begins_at,
        ) as ledger:
            self._ledger = ledger
            return live(
                self.config,
                self.paths,
                RunOptions(until=ends_at),
                self,
                wiring=self._in_one_loop(wiring, world),
                ledger=ledger,
            )

    def _in_one_loop(self, wiring: Wiring, world: PaperWorld) -> Wiring:
        """Put the gateway into the bot's loop, whose time it shares."""
        clock = SystemClock()

        @asynccontextmanager
        async def connect(ledger: Ledger) -> AsyncIterator[Ports]:
            settings = GatewaySettings(
                market_data_lines=self.lines,
                holds_orders=True,
                pump_every_s=self.pump_every_s,
                feed=FeedSettings(greeks=False),
            )
            gateway = Gateway(self.exchange, self.market.calendar, clock, settings, self.plan)
            self.gateway = gateway
            port = await gateway.start()
            access = paper_access(
                world.broker.model_copy(update={"port": port}),
                calendar=wiring.calendar,
                history=world.history,
                rules=world.rules,
                first_session=wiring.first_session,
                events_folder=self.paths.ib_events,
            )
            loop = asyncio.get_running_loop()
            assert isinstance(loop, VirtualTimeLoop)
            try:
                async with connected(access, clock, ledger) as end:
                    with loop.watch(lambda: in_flight(gateway, end)):
                        yield end.ports
            finally:
                await gateway.stop()

        return replace(wiring, connect=connect, in_real_time=False, decide=self.decide)

    # --- watching -----------------------------------------------------------------------------

    def on_interval(self, report: IntervalReport) -> None:
        """Remember what was decided."""
        self.decided.append(report)

    def on_session(self, report: SessionReport) -> None:
        """Compare the day's books with the exchange's own."""
        self.days.append(report)
        self.wrong += [f"{report.session}: {each}" for each in self._differences()]

    def on_note(self, text: str) -> None:
        pass

    def _differences(self) -> Iterable[str]:
        ledger, exchange = self._ledger, self.exchange
        if ledger.cash_usd() != exchange.account().cash_usd:
            yield f"cash {ledger.cash_usd()}, at the exchange {exchange.account().cash_usd}"
        if ledger.positions() != exchange.positions():
            yield f"positions {ledger.positions()}, at the exchange {exchange.positions()}"
        ours = {_line(fill) for fill in ledger.fills_since(instant("2000-01-01"))}
        theirs = {_line(fill) for fill in exchange.fills(instant("2000-01-01"))}
        if ours != theirs:
            yield f"fills {sorted(ours ^ theirs)}"

    def jobs(self, name: str | None = None) -> list[Job]:
        """Return what was due and what became of it, in order."""
        rows = self.rows("SELECT scheduled_at, job, outcome, note FROM job_runs ORDER BY 1, 2")
        found = [
            Job(datetime.fromisoformat(at).astimezone(EXCHANGE_ZONE), job, outcome, note)
            for at, job, outcome, note in rows
        ]
        return [job for job in found if name in (None, job.name)]

    def looks(self, day: str) -> dict[str, str]:
        """Return what became of each interval of a day, by its time."""
        return {
            f"{job.at:%H:%M}": f"{job.outcome}: {job.note}" if job.note else job.outcome
            for job in self.jobs()
            if job.name in ("entry", "interval") and f"{job.at:%Y-%m-%d}" == day
        }

    def doubled(self) -> list[str]:
        """Return every purpose for which more was traded than was ever meant."""
        rows = self.rows(
            "SELECT decision_id, purpose, min(attempt), quantity, sum(filled) FROM order_states"
            " JOIN orders USING (client_order_id) GROUP BY decision_id, purpose"
        )
        return [f"{plan} {purpose}" for plan, purpose, _, meant, filled in rows if filled > meant]

    def order_states(self) -> Counter[str]:
        """Return how many orders ended in each state."""
        return Counter(dict(self.rows("SELECT status, count(*) FROM order_states GROUP BY 1")))

    def breaches(self) -> int:
        """Return how often IB would have said that messages came too fast."""
        events = (
            line
            for path in sorted(self.paths.ib_events.glob("*.jsonl"))
            for line in path.read_text().splitlines()
        )
        return sum('"code": 100,' in line or '"code":100,' in line for line in events)

    def rows(self, query: str) -> list[tuple]:
        """Return what the ledger answers to a query."""
        connection = sqlite3.connect(f"file:{self.paths.database}?mode=ro", uri=True)
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()


def _line(fill) -> tuple:
    return (fill.exec_root, fill.symbol, fill.side, fill.quantity, fill.price, fill.commission_usd)
