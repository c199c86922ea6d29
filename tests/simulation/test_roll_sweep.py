"""A condor that is rolled, filled in part, killed and resumed ends where a peaceful one does.

The real engine, the real exchange and real files; the market turns away in the middle of the roll,
so that some of the condors become others and some stay, and the rest is rolled again under an id of
its own. Each job is then lived again from every point at which a process can die.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from bot.app.commands.inputs import paths_of
from bot.app.config.loader import LoadedConfig
from bot.app.ports import standing
from bot.app.wiring import Wiring
from bot.brokers.simulated import SimulatedBroker, SimulatedMarketData
from bot.clock import SystemClock
from bot.exchange.matching import FillModel
from state.audit import AuditReader, Filters
from strategies.model.book import Book, CondorLegs
from strategies.model.orders import OrderIntent, PositionEffect
from strategies.model.plan import CondorClose, Plan
from strategies.model.quotes import Quote
from tests.bot.engine.fakes import InterceptedLedger, ScriptedDecisions
from tests.bot.exchange.venue.fakes import ScriptedMarket, open_exchange
from tests.builders import condor_legs, instant, option
from tests.simulation.test_crash_sweep import Sweep, World, priced
from tests.state import records

FIRST = condor_legs("SPXW 06MAR20 3090/3100/3300/3310")
IN = condor_legs("SPXW 06MAR20 3090/3100/3260/3270")  # the calls rolled in
LATER = replace(  # the puts of the rest rolled out in time
    FIRST, short_put=option("SPXW 20MAR20 3100 P"), long_put=option("SPXW 20MAR20 3090 P")
)
TURN = instant("2020-02-03 10:16:15")  # after the first match of the roll
QUANTITY = 20


def until_it_turns(before: str, after: str) -> Callable[[datetime], Quote]:
    """Return a quote that changes when the market turns."""

    def quoted(at: datetime) -> Quote:
        bid, ask = (before if at < TURN else after).split(" x ")
        return Quote(bid=float(bid), ask=float(ask))

    return quoted


MARKET = ScriptedMarket(
    scripted={
        option("SPXW 06MAR20 3260 C"): until_it_turns("17.40 x 17.60", "13.40 x 13.60"),
        option("SPXW 20MAR20 3100 P"): Quote(bid=13.40, ask=13.60),
        option("SPXW 20MAR20 3090 P"): Quote(bid=11.40, ask=11.60),
    },
    settlements={FIRST.short_put: 3080.0, FIRST.long_put: 3080.0},
)
JOBS = {
    "open": instant("2020-02-03 10:00"),
    "roll": instant("2020-02-03 10:15"),
    "roll the rest": instant("2020-02-03 10:30"),
    "close one": instant("2020-02-03 10:45"),
    "end of day": instant("2020-02-03 16:20"),
}


def at_market(job: str, order: OrderIntent) -> OrderIntent:
    """Return an order that starts at mid, as the real ones do, and walks to the natural price."""
    limit, worst = priced(JOBS[job], order.legs, 0.9, MARKET)
    return replace(order, limit_price=limit, worst_price=worst)


def decisions() -> ScriptedDecisions:
    """Return what is decided at each instant; quantities are those of the book."""

    def opened(plan_id: str, _book: Book) -> Plan:
        order = records.condor_intent(plan_id, "C0001", FIRST, QUANTITY)
        return records.plan(
            plan_id,
            at=JOBS["open"].astimezone(UTC),
            orders=[at_market("open", order)],
            opens=[records.condor_open("C0001", FIRST, QUANTITY)],
        )

    def rolled(job: str, new_id: str, legs: CondorLegs) -> Callable[[str, Book], Plan]:
        def make(plan_id: str, book: Book) -> Plan:
            (held,) = [each for each in book.condors if each.condor_id == "C0001"]
            order = records.roll_intent(plan_id, "C0001", FIRST, legs, held.quantity)
            return records.plan(
                plan_id,
                at=JOBS[job].astimezone(UTC),
                orders=[at_market(job, order)],
                adjusts=[records.condor_adjust("C0001", new_id, legs, held.quantity)],
            )

        return make

    def closed(plan_id: str, book: Book) -> Plan:
        (held,) = [each for each in book.condors if each.condor_id == "C0001-1"]
        order = records.condor_intent(
            plan_id, "C0001-1", IN, held.quantity, effect=PositionEffect.CLOSE
        )
        return records.plan(
            plan_id,
            at=JOBS["close one"].astimezone(UTC),
            orders=[at_market("close one", order)],
            closes=[CondorClose(condor_id="C0001-1", rules=("C9",), mark_debit=None, note="")],
        )

    plans = {
        "open": opened,
        "roll": rolled("roll", "C0001-1", IN),
        "roll the rest": rolled("roll the rest", "C0001-2", LATER),
        "close one": closed,
    }
    return ScriptedDecisions({JOBS[job].astimezone(UTC): make for job, make in plans.items()})


def wire(folder: Path, config: LoadedConfig) -> Wiring:
    """Wire a new process over the scripted market and decisions."""
    exchange = open_exchange(
        MARKET,
        account_id=config.account,
        journal_path=paths_of(config, folder).exchange_journal,
        fill_model=FillModel(spx_option_packages=(9, 12)),  # two matches an order
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
        decide=decisions(),
    )


@pytest.fixture(scope="module")
def story(tmp_path_factory) -> Sweep:
    """The story, lived in peace."""
    folder = tmp_path_factory.mktemp("rolled")
    world = World(
        folder / "world",
        wire,
        first="2020-02-03",
        last="2020-03-31",
        opens="10:00",
        closes="10:45",
    )
    return Sweep(world, folder, list(JOBS.values()))


def ledger_of(sweep: Sweep) -> InterceptedLedger:
    paths = paths_of(sweep.world.config, sweep.last)
    return InterceptedLedger.open(
        paths.database,
        mode=sweep.world.config.mode,
        account=sweep.world.config.account,
        now=SystemClock().now(),
    )


def test_c10_a_roll_fills_in_part_and_the_rest_is_rolled_under_another_id(story):
    with AuditReader.open(paths_of(story.world.config, story.last).database) as audit:
        condors = {row["condor"]: row for row in audit.condors().records()}
        orders = {row["purpose"] for row in audit.orders(Filters(rule="C10")).records()}
    assert orders == {"condor:C0001:adjust"}
    first, part, rest = (condors[name] for name in ("C0001", "C0001-1", "C0001-2"))
    assert (first["status"], first["quantity"]) == ("ROLLED", 0)
    assert 0 < part["opened_quantity"] < QUANTITY
    assert part["opened_quantity"] + rest["opened_quantity"] == QUANTITY
    assert (part["status"], rest["status"]) == ("CLOSED", "OPEN")
    assert {part["rolled_from"], rest["rolled_from"]} == {"C0001"}
    assert Decimal(part["entry_credit"]) > Decimal(first["entry_credit"])
    assert first["rolled_cash_usd"] == first["entry_cash_usd"]
    assert Decimal(first["realised_usd"]) == 0


def test_c10_the_day_adds_up_to_the_cent_and_the_ledger_to_its_records(story):
    with ledger_of(story) as ledger:
        day = ledger.daily_pnl(JOBS["end of day"].date())
        book = ledger.book(JOBS["end of day"])
        assert ledger.rebuild_projections_and_compare() == ()
    (held,) = book.condors
    assert (held.condor_id, held.legs, held.adjustments) == ("C0001-2", LATER, 1)
    assert held.rolled_on == JOBS["roll"].date()
    assert held.opened_at < JOBS["roll"]
    gained = day.condor_realised_usd + day.condor_unrealised_usd - day.fees_usd
    assert abs(day.net_liquidation_usd - (1_000_000 + gained)) < Decimal("0.01")


@pytest.mark.parametrize(("job", "every"), [("roll", 5), ("roll the rest", 8), ("close one", 9)])
def test_c10_a_death_anywhere_in_a_roll_changes_nothing(story, job, every, record_property):
    covered, wrong = story.die_everywhere(list(JOBS).index(job), every)
    record_property("crash_points", covered)
    assert wrong == []
    assert covered >= 4


@pytest.mark.slow
@pytest.mark.parametrize("job", JOBS)
def test_c10_a_death_at_every_single_point_of_the_story_changes_nothing(
    story, job, record_property
):
    covered, wrong = story.die_everywhere(list(JOBS).index(job))
    record_property("crash_points", covered)
    assert wrong == []


def test_c10_two_deaths_in_one_roll_change_nothing(story, record_property):
    job = list(JOBS).index("roll")
    wrong = [story.die_at(job, 12, second) for second in (5, 17, 29)]
    record_property("crash_points", 2 * len(wrong))
    assert wrong == [None] * len(wrong)
