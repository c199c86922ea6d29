"""A bot that dies anywhere, and is started again, ends where one that never died does.

A day is lived job by job, and an image of the database and the exchange's journal is kept after
each. Then each job is lived again from the image before it, once for every point at which a process
can die: before, in and after each transaction, before and after each call of the broker. A new
process takes over from the files and finishes the job. Fills, positions, cash, condors, orders and
everything the exchange was told must be those of the day nobody disturbed.

One kind of death may change what is traded: between the commit of SENDING and the arrival of the
order. Nobody can know then whether it left, so its purpose waits a minute and is attempted anew, at
the prices of that minute. What must hold after such a death is written in ``unsound``: the same
things were wanted, none was traded twice, and the books are the exchange's.

The summary of the test run says how many points were covered.
"""

import json
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from math import sin
from pathlib import Path

import numpy as np
import pytest

from bot.app.commands.inputs import paths_of, read_config
from bot.app.config.loader import LoadedConfig
from bot.app.ports import Connect, Ports, standing
from bot.app.reports import RunOptions
from bot.app.run import Outcome, live
from bot.app.wiring import Wiring, build_world, wire
from bot.brokers.simulated import SimulatedBroker, SimulatedMarketData
from bot.clock import SystemClock
from bot.exchange.replay import ReplayMarket
from state.ledger import Ledger
from strategies.model.orders import Leg, OrderIntent, PositionEffect, Urgency
from strategies.model.plan import CondorClose, CondorOpen, Plan
from strategies.model.quotes import to_price
from strategies.model.ticks import order_tick, round_down, round_up
from tests.bot.engine.fakes import InterceptedBroker, InterceptedLedger, ScriptedDecisions
from tests.bot.exchange.venue.fakes import CALL, VX, ScriptedMarket, open_exchange
from tests.builders import condor_legs, instant, leg
from tests.state import records

ROOT = Path(__file__).parents[2]
CONFIG = """\
name: crash-sweep
broker:
  kind: simulated
  transport: {transport}
  starting_cash_usd: 1_000_000
  seed: 7
  market: {{kind: replay, from: {first}, to: {last}}}
limits: limits.yaml
schedule: {{first_interval: "{opens}", last_interval: "{closes}"}}
"""
# What must not depend on where a process died. Rows of runs, jobs and states tell of each process.
TABLES = {
    "fills": "SELECT * FROM fills ORDER BY exec_root, revision",
    "cash": "SELECT * FROM cash_movements ORDER BY movement_id",
    "positions": "SELECT * FROM positions ORDER BY symbol",
    "hedges": "SELECT * FROM hedges ORDER BY symbol",
    "condors": "SELECT * FROM condor_states ORDER BY condor_id",
    "decisions": "SELECT plan_id, at FROM decisions ORDER BY at",
    "completions": "SELECT count(*) FROM completions",
    "orders": "SELECT client_order_id, status, filled, leaves FROM order_states ORDER BY 1",
    "days": "SELECT * FROM daily_pnl ORDER BY session",
}


# What must be so whatever an order that was lost on its way did to prices and times
WANTED = {
    "decisions": TABLES["decisions"],
    "completions": TABLES["completions"],
    "purposes": "SELECT DISTINCT decision_id, purpose FROM orders ORDER BY 1, 2",
    "sessions": "SELECT session FROM daily_pnl ORDER BY 1",
}
LOST = "SELECT DISTINCT client_order_id FROM order_events WHERE note LIKE 'not found%'"
DOUBLED = """
    SELECT decision_id, purpose FROM orders JOIN order_states USING (client_order_id)
    GROUP BY decision_id, purpose HAVING sum(filled) > max(quantity)
"""
# Where a process dies that loses an order: after SENDING is committed, before the last one is sent
LOSES = {"committed", "submit before", "submit after"}


class Killed(BaseException):
    """The process is gone."""


class Killer:
    """Counts the points at which a process can die, and dies at one of them."""

    def __init__(self, at: int | None = None) -> None:
        self._at = at
        self.points: list[str] = []

    def __call__(self, *words: object) -> None:
        if len(self.points) == self._at:  # what was asked at the same time dies with it
            raise Killed(self.points[-1])
        self.points.append(" ".join(map(str, words)))
        if len(self.points) == self._at:
            raise Killed(self.points[-1])

    def call(self, call: str, phase: str, argument: object) -> None:
        """Die before or after a call of the broker."""
        self(call, phase)


class Silent:
    """An observer that looks away."""

    def on_interval(self, report: object) -> None:
        pass

    def on_session(self, report: object) -> None:
        pass

    def on_note(self, text: str) -> None:
        pass


def intercepted(connect: Connect, killer: Killer) -> Connect:
    """Return a connection whose calls may kill."""

    @asynccontextmanager
    async def connect_intercepted(ledger: Ledger) -> AsyncIterator[Ports]:
        async with connect(ledger) as ports:
            yield replace(ports, broker=InterceptedBroker(ports.broker, killer.call))

    return connect_intercepted


class World:
    """What every life of a story shares: its configuration, and how a new process is wired."""

    def __init__(
        self, folder: Path, wire_up: Callable[[Path, LoadedConfig], Wiring], **config: object
    ) -> None:
        folder.mkdir()
        shutil.copy(ROOT / "limits.yaml", folder)
        text = CONFIG.format(**({"transport": "in_process"} | config))
        (folder / "config.yaml").write_text(text)
        self.config = read_config(folder / "config.yaml", [])
        self._wire_up = wire_up

    def live(self, folder: Path, until: datetime, killer: Killer | None = None) -> Outcome:
        """Live from the files of ``folder`` until an instant, or until killed."""
        paths = paths_of(self.config, folder)
        ledger = InterceptedLedger.open(
            paths.database,
            mode=self.config.mode,
            account=self.config.account,
            now=SystemClock().now(),
        )
        try:
            wiring = self._wire_up(folder, self.config)
            if killer is not None:
                ledger.hook = killer
                wiring = replace(wiring, connect=intercepted(wiring.connect, killer))
            return live(
                self.config,
                paths,
                RunOptions(until=until),
                Silent(),
                wiring=wiring,
                ledger=ledger,
            )
        finally:
            ledger.hook = None
            ledger.close()

    def facts(self, folder: Path) -> dict[str, object]:
        """Return everything that must not depend on where a process died."""
        paths = paths_of(self.config, folder)
        connection = sqlite3.connect(paths.database)
        try:
            found = {name: connection.execute(text).fetchall() for name, text in TABLES.items()}
        finally:
            connection.close()
        return found | {"told": self.told(folder)}

    def told(self, folder: Path) -> list[dict[str, object]]:
        """Return everything the exchange was told."""
        journal = paths_of(self.config, folder).exchange_journal
        return [_told(line) for line in journal.read_text().splitlines()]

    def answers(self, folder: Path, query: str) -> list[tuple]:
        """Return what the ledger answers to a query."""
        connection = sqlite3.connect(paths_of(self.config, folder).database)
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()

    def unsound(self, lived: Path, peaceful: Path, lost: set[str]) -> list[str]:
        """Return what is wrong with a life in which orders were lost on their way."""
        wrong = [
            name
            for name, query in WANTED.items()
            if self.answers(lived, query) != self.answers(peaceful, query)
        ]
        told = self.told(lived)
        submitted = [each["order"]["client_order_id"] for each in told if "order" in each]
        if lost & set(submitted):
            wrong.append("an order was called lost that had arrived")
        if len(submitted) != len(set(submitted)):
            wrong.append("an id was submitted twice")
        if self.answers(lived, DOUBLED):
            wrong.append("more was traded than was ever wanted")
        return wrong


def _told(line: str) -> dict[str, object]:
    """Return an input of the exchange; 1.2 and 1.20 are one price, and the ledger keeps either."""
    told = json.loads(line)
    if "order" in told:
        told["order"]["limit_price"] = Decimal(told["order"]["limit_price"])
    return told


def image(source: Path, target: Path) -> Path:
    """Copy the files of a bot."""
    shutil.rmtree(target, ignore_errors=True)
    return shutil.copytree(source, target)


class Sweep:
    """A story lived once in peace, then once for each point of death in the jobs asked for."""

    def __init__(self, world: World, folder: Path, instants: Sequence[datetime]) -> None:
        self.world = world
        self._folder = folder
        self._instants = instants
        self._images = [folder / "image-0"]
        self._images[0].mkdir()
        for number, at in enumerate(instants, start=1):
            self._images.append(image(self._images[-1], folder / f"image-{number}"))
            outcome = world.live(self._images[-1], at)
            assert outcome.halted is None
            assert outcome.differences == ()

    @property
    def begun(self) -> Path:
        """The image after the first job."""
        return self._images[1]

    @property
    def last(self) -> Path:
        """The image after the last job."""
        return self._images[-1]

    def facts(self) -> dict[str, object]:
        """What the story came to in peace."""
        return self.world.facts(self.last)

    def points(self, job: int) -> list[str]:
        """Return the points of death of one job, in order."""
        counter = Killer()
        lived = image(self._images[job], self._folder / "counted")
        self.world.live(lived, self._instants[job], counter)
        assert self.world.facts(lived) == self.world.facts(self._images[job + 1])
        return counter.points

    def die_at(
        self, job: int, *points: int, damage: Callable[[Path], None] = lambda _: None
    ) -> str | None:
        """Die at a point of a job, start again, die again..., and return what then differs.

        Each death does some ``damage`` to the files.
        """
        lived = image(self._images[job], self._folder / "lived")
        deaths = []
        for point in points:
            killer = Killer(point)
            try:
                self.world.live(lived, self._instants[job], killer)
            except Killed as death:
                deaths.append(f"{point}, {death}")
                damage(lived)
        assert deaths, "a life outlived its death"
        outcome = self.world.live(lived, self._instants[job])
        peaceful = self._images[job + 1]
        wanted, found = self.world.facts(peaceful), self.world.facts(lived)
        lost = {order_id for (order_id,) in self.world.answers(lived, LOST)}
        if lost and any(death.partition(", ")[2] in LOSES for death in deaths):
            different = self.world.unsound(lived, peaceful, lost)
        else:
            different = [name for name in wanted if wanted[name] != found[name]]
        if outcome.halted is None and not outcome.differences and not different:
            return None
        what = f"{different} differ; halted: {outcome.halted}; books: {outcome.differences}"
        return f"{self._instants[job]:%H:%M}, died at {' and '.join(deaths)}: {what}"

    def die_everywhere(self, job: int, every: int = 1, first: int = 1) -> tuple[int, list[str]]:
        """Die at every ``every``-th point of a job; return how many, and what went wrong."""
        chosen = range(first, len(self.points(job)) + 1, every)
        found = [self.die_at(job, point) for point in chosen]
        return len(chosen), [text for text in found if text is not None]


# --- a scripted story ---------------------------------------------------------------------------


def seconds(at: datetime) -> float:
    """Return seconds since the story began."""
    return (at - instant("2020-02-03 10:00")).total_seconds()


MARKET = ScriptedMarket(  # quiet enough for a walk of four prices to catch it
    spx=lambda at: 3200 + 40 * sin(seconds(at) / 9000) + 0.5 * sin(seconds(at) / 37),
    vix=lambda at: 17 - 2 * sin(seconds(at) / 9000) + 0.02 * sin(seconds(at) / 53),
)
MONDAY, WEDNESDAY = date(2020, 2, 3), date(2020, 2, 5)
SHORT = condor_legs("SPXW 05FEB20 3100/3150/3250/3300")  # settles on Wednesday
LONG = condor_legs("SPXW 06MAR20 3050/3100/3300/3350")
NEXT_CALL = "VIX 15APR20 25 C"
JOBS = {
    "open with core hedge": instant("2020-02-03 10:00"),
    "add in parts": instant("2020-02-03 10:15"),
    "roll": instant("2020-02-03 10:30"),
    "open another": instant("2020-02-03 10:45"),
    "close it": instant("2020-02-03 11:00"),
    "end of day": instant("2020-02-03 16:20"),
    "two quiet days": instant("2020-02-05 15:00"),
    "settlement": instant("2020-02-05 16:20"),
}


def priced(
    at: datetime, legs: Sequence[Leg], share: float = 3.0, market: ScriptedMarket = MARKET
) -> tuple[Decimal, Decimal]:
    """Return a limit at mid, and a worst price beyond natural, since the market moves, on ticks."""
    mid = natural = 0.0
    for each in legs:
        quote = market.quote(each.instrument, at)
        mid += each.ratio * quote.mid
        natural += each.ratio * (quote.ask if each.ratio > 0 else quote.bid)
    tick = order_tick([each.instrument for each in legs], to_price(mid))
    worst = to_price(mid + share * (natural - mid))
    return round_down(to_price(mid), tick), round_up(worst, tick)


def hedge_order(at: datetime, text: str, quantity: int, layer: str) -> OrderIntent:
    """Return a hedge order at the prices of an instant; -1 in front of ``text`` sells."""
    only = leg(text)
    limit, worst = priced(at, [only])
    return OrderIntent(
        plan_id="to be filled in",
        purpose=f"hedge:{layer}:{'add' if only.ratio > 0 else 'reduce'}:{only.instrument.symbol}",
        legs=(only,),
        quantity=quantity,
        limit_price=limit,
        worst_price=worst,
        effect=PositionEffect.OPEN if only.ratio > 0 else PositionEffect.CLOSE,
        urgency=Urgency.NORMAL,
        rules=("L1",),
        layer=layer,
    )


def condor_order(at, condor_id, legs, quantity, effect=PositionEffect.OPEN) -> OrderIntent:
    """Return the order that opens or closes a condor at the prices of an instant."""
    made = records.condor_intent("to be filled in", condor_id, legs, quantity, effect=effect)
    limit, worst = priced(at, made.legs)
    return replace(made, limit_price=limit, worst_price=worst)


def scripted_plans() -> dict[datetime, Callable[..., Plan]]:
    """Return what is decided at each instant of the story."""
    plans = {}

    def decide_at(
        job: str,
        *orders: OrderIntent,
        opens: Sequence[CondorOpen] = (),
        closes: Sequence[CondorClose] = (),
    ) -> None:
        at = JOBS[job].astimezone(UTC)

        def make(plan_id: str, _book: object) -> Plan:
            filled_in = [replace(order, plan_id=plan_id) for order in orders]
            return records.plan(plan_id, at=at, orders=filled_in, opens=opens, closes=closes)

        plans[at] = make

    at = JOBS["open with core hedge"]
    decide_at(
        "open with core hedge",
        condor_order(at, "C0001", SHORT, 5),
        hedge_order(at, CALL, 30, "L1"),
        opens=[records.condor_open("C0001", SHORT, 5)],
    )
    at = JOBS["add in parts"]
    decide_at("add in parts", hedge_order(at, CALL, 450, "L1"), hedge_order(at, VX, 8, "L2"))
    at = JOBS["roll"]
    decide_at("roll", hedge_order(at, f"-1 {CALL}", 60, "L1"), hedge_order(at, NEXT_CALL, 60, "L2"))
    at = JOBS["open another"]
    decide_at(
        "open another",
        condor_order(at, "C0002", LONG, 3),
        opens=[records.condor_open("C0002", LONG, 3)],
    )
    at = JOBS["close it"]
    decide_at(
        "close it",
        condor_order(at, "C0002", LONG, 3, PositionEffect.CLOSE),
        hedge_order(at, f"-1 {CALL}", 20, "L1"),
        closes=[CondorClose(condor_id="C0002", rules=("C9",), mark_debit=None, note="")],
    )
    return plans


def wire_scripted(folder: Path, config: LoadedConfig) -> Wiring:
    """Wire a new process over the scripted market and decisions."""
    exchange = open_exchange(
        MARKET, account_id=config.account, journal_path=paths_of(config, folder).exchange_journal
    )
    clock = SystemClock()
    return Wiring(
        connect=standing(SimulatedBroker(exchange, clock), SimulatedMarketData(exchange, clock)),
        clock=clock,
        calendar=MARKET.calendar,
        events_ahead=lambda session: (),
        seed=7,
        first_session=MARKET.first_session,
        last_session=MARKET.last_session,
        begins_at=instant("2020-02-03 09:00"),
        known_until=exchange.now,
        decide=ScriptedDecisions(scripted_plans()),
    )


@pytest.fixture(scope="module")
def scripted(tmp_path_factory) -> Sweep:
    """The scripted story, lived in peace."""
    folder = tmp_path_factory.mktemp("scripted")
    world = World(
        folder / "world",
        wire_scripted,
        first="2020-02-03",
        last="2020-03-31",
        opens="10:00",
        closes="11:00",
    )
    return Sweep(world, folder, list(JOBS.values()))


def test_the_scripted_story_has_what_a_sweep_is_for(scripted):
    facts = scripted.facts()
    states = {row[0]: row[1] for row in facts["condors"]}
    assert states == {"C0001": "SETTLED", "C0002": "CLOSED"}
    by_order: dict[str, set[str]] = {}
    for fill in facts["fills"]:
        by_order.setdefault(fill[2], set()).add(fill[0].split(".")[1])
    assert any(len(matches) > 1 for matches in by_order.values()), "an order filled in parts"
    cancels = sum(told["kind"] == "cancel" for told in facts["told"])
    assert cancels >= 5, "prices were walked"
    kinds = {row[1] for row in facts["cash"]}
    assert {"VARIATION", "SETTLEMENT"} <= kinds
    assert len(facts["days"]) == 3


@pytest.mark.parametrize(
    ("job", "every"),
    [
        ("open with core hedge", 4),
        ("add in parts", 6),
        ("roll", 9),
        ("close it", 8),
        ("end of day", 4),
        ("settlement", 4),
    ],
)
def test_a_death_anywhere_changes_nothing(scripted, job, every, record_property):
    covered, wrong = scripted.die_everywhere(list(JOBS).index(job), every)
    record_property("crash_points", covered)
    assert wrong == []
    assert covered >= 8


@pytest.mark.slow
@pytest.mark.parametrize("job", JOBS)
def test_a_death_at_every_single_point_changes_nothing(scripted, job, record_property):
    covered, wrong = scripted.die_everywhere(list(JOBS).index(job))
    record_property("crash_points", covered)
    assert wrong == []


# --- the real decisions on a real market ----------------------------------------------------------

CRASH_DAY = [
    instant("2020-02-24 09:45"),
    instant("2020-02-24 10:00"),
    instant("2020-02-24 10:15"),
    instant("2020-02-24 16:20"),
]


def first_day_of_the_crash(folder: Path, instants: Sequence[datetime], transport: str) -> Sweep:
    """Live the first day of the crash of 2020 under the shipped rules in peace."""
    markets: list[ReplayMarket] = []

    def wire_up(state_dir: Path, config: LoadedConfig) -> Wiring:
        world = build_world(config)
        markets[:] = markets or [world.market]  # a pure function: a new process has the same one
        return wire(replace(world, market=markets[0]), paths_of(config, state_dir))

    world = World(
        folder / "world",
        wire_up,
        first="2020-02-24",
        last="2020-02-28",
        opens="09:45",
        closes="16:00",
        transport=transport,
    )
    return Sweep(world, folder, instants)


@pytest.fixture(scope="module")
def replayed(tmp_path_factory) -> Sweep:
    """The first day of the crash, in process."""
    return first_day_of_the_crash(tmp_path_factory.mktemp("replayed"), CRASH_DAY, "in_process")


@pytest.fixture(scope="module")
def on_the_wire(tmp_path_factory) -> Sweep:
    """Its first entry, with the gateway between; both die together."""
    return first_day_of_the_crash(tmp_path_factory.mktemp("wire"), CRASH_DAY[:2], "wire")


def desk_memory(folder: Path) -> Path:
    """Return the file in which the gateway keeps whose orders are."""
    return folder / "simulated-DU0000001.exchange.desk.jsonl"


def tear(folder: Path) -> None:
    """Leave half a last line."""
    data = desk_memory(folder).read_bytes()
    desk_memory(folder).write_bytes(data[:-40])


def lose(folder: Path) -> None:
    """Leave no file."""
    desk_memory(folder).unlink()


@pytest.mark.parametrize("damage", [tear, lose])
def test_a_death_that_spoils_the_memory_of_the_gateway_changes_nothing(on_the_wire, damage):
    points = on_the_wire.points(1)
    submits = [n for n, point in enumerate(points, start=1) if point == "submit after"]
    assert on_the_wire.die_at(1, submits[0], damage=damage) is None
    assert on_the_wire.die_at(1, submits[-1], 30, damage=damage) is None


@pytest.mark.slow
def test_a_death_anywhere_on_the_wire_changes_nothing(on_the_wire, record_property):
    covered, wrong = on_the_wire.die_everywhere(1)
    record_property("crash_points", covered)
    assert wrong == []


def test_a_death_in_the_first_entry_of_the_crash_changes_nothing(replayed, record_property):
    assert replayed.facts()["fills"], "a day without fills proves nothing"
    covered, wrong = replayed.die_everywhere(1, every=12)
    record_property("crash_points", covered)
    assert wrong == []


@pytest.mark.slow
@pytest.mark.parametrize("job", range(len(CRASH_DAY)))
def test_a_death_anywhere_on_the_first_day_of_the_crash_changes_nothing(
    replayed, job, record_property
):
    covered, wrong = replayed.die_everywhere(job, every=1 if job < 3 else 37)
    record_property("crash_points", covered)
    assert wrong == []


@pytest.mark.parametrize("first", [55, 100])
def test_two_deaths_in_one_job_change_nothing(scripted, first, record_property):
    """Die in the middle of a job, and again while recovering from it."""
    job = list(JOBS).index("add in parts")
    recoveries = range(7, 100, 19)
    wrong = [scripted.die_at(job, first, second) for second in recoveries]
    record_property("crash_points", 2 * len(wrong))
    assert wrong == [None] * len(wrong)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_random_deaths_through_the_week_of_the_crash_change_nothing(
    replayed, tmp_path, seed, record_property
):
    """One life after the other, each as long as luck has it, until one reaches the weekend."""
    end = instant("2020-02-28 18:00")
    replayed.world.live(image(replayed.begun, tmp_path / "whole"), end)
    lived = image(replayed.begun, tmp_path / "lived")
    generator = np.random.default_rng(seed)
    deaths = 0
    while True:
        longest = generator.choice([60, 400, 3000])
        try:
            replayed.world.live(lived, end, Killer(int(generator.integers(1, longest))))
        except Killed:
            deaths += 1
        else:
            break
    outcome = replayed.world.live(lived, end)
    record_property("crash_points", deaths)
    assert deaths > 3
    assert outcome.halted is None
    assert outcome.differences == ()
    assert replayed.world.facts(lived) == replayed.world.facts(tmp_path / "whole")
