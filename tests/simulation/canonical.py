"""The twelve canonical scenarios of a condor account, as one story of three weeks.

Each scenario is one job of the story: an opening, a fill in parts, an adjustment, a rotation of the
hedge, a future beside it, an evening on which options expire into cash, and so on. The market is a
simple function of time and the decisions are scripted; engine, executor, ledger and exchange are
the real ones.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import sin
from pathlib import Path

from bot.app.commands.inputs import paths_of
from bot.app.config.loader import LoadedConfig
from bot.app.ports import standing
from bot.app.wiring import Wiring
from bot.approvals.overrides import OverrideRecord, sign_override
from bot.approvals.signatures import SigningKey
from bot.brokers.simulated import SimulatedBroker, SimulatedMarketData
from bot.clock import SystemClock
from bot.engine.control import Command, submit_command
from bot.engine.overrides import submit_override
from bot.errors import BrokerUnavailable
from bot.exchange.exchange import Exchange
from bot.exchange.matching import FillModel
from bot.ports import Clock
from strategies.model.book import Book, CondorLegs
from strategies.model.limits import HaltScope, SystemState
from strategies.model.orders import Leg, OrderIntent, PositionEffect, Urgency
from strategies.model.plan import CondorClose, Plan
from strategies.model.quotes import to_price
from strategies.model.ticks import order_tick, round_down, round_up
from tests.bot.engine.fakes import InterceptedBroker, ScriptedDecisions
from tests.bot.exchange.venue.fakes import ScriptedMarket, new_order, open_exchange
from tests.builders import condor_legs, instant, leg
from tests.state import records

STEWARD = SigningKey.generate()
CONFIG = f"""\
name: canonical
broker:
  kind: simulated
  transport: in_process
  starting_cash_usd: 1_000_000
  seed: 7
  market: {{kind: replay, from: 2020-02-03, to: 2020-03-31}}
limits: limits.yaml
schedule: {{first_interval: "10:00", last_interval: "12:15"}}
governance: {{keys: {{steward: {STEWARD.public_text}}}}}
"""

_BEGAN = instant("2020-02-03 10:00")


def _seconds(at: datetime) -> float:
    return (at - _BEGAN).total_seconds()


MARKET = ScriptedMarket(  # quiet enough for a walk of four prices to catch it
    spx=lambda at: 3200 + 40 * sin(_seconds(at) / 9000) + 0.5 * sin(_seconds(at) / 37),
    vix=lambda at: 17 - 2 * sin(_seconds(at) / 9000) + 0.02 * sin(_seconds(at) / 53),
)
FILLS = FillModel(spx_option_packages=(2, 3))  # an order of some condors fills in parts

PM = condor_legs("SPXW 05FEB20 3100/3150/3250/3300")
MONTHLY = condor_legs("SPXW 06MAR20 3050/3100/3300/3350")
ADJUSTED = condor_legs("SPXW 06MAR20 3050/3100/3290/3340")
AM = condor_legs("SPX 21FEB20 3050/3100/3300/3350")
LATE = condor_legs("SPXW 20MAR20 3050/3100/3300/3350")
CALL, NEXT_CALL, SOON_CALL = "VIX 18MAR20 25 C", "VIX 15APR20 25 C", "VIX 19FEB20 18 C"
VX = "VX 18MAR20"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One job of the story."""

    at: datetime
    make: Callable[[str, Book, datetime], Plan] | None = None  # None: nothing is decided
    before: Callable[[Path, LoadedConfig], None] | None = None  # what people do just before it
    broker_away: tuple[datetime, datetime] | None = None
    is_swept: bool = True


# --- what is decided ------------------------------------------------------------------------------


def priced(at: datetime, legs: tuple[Leg, ...]) -> tuple[Decimal, Decimal]:
    """Return a limit at mid and a worst price well beyond natural, on ticks."""
    mid = natural = 0.0
    for each in legs:
        quote = MARKET.quote(each.instrument, at)
        mid += each.ratio * quote.mid
        natural += each.ratio * (quote.ask if each.ratio > 0 else quote.bid)
    tick = order_tick([each.instrument for each in legs], to_price(mid))
    return round_down(to_price(mid), tick), round_up(to_price(mid + 3 * (natural - mid)), tick)


def at_market(at: datetime, order: OrderIntent) -> OrderIntent:
    """Return an order that starts at mid and may walk past natural."""
    limit, worst = priced(at, order.legs)
    return replace(order, limit_price=limit, worst_price=worst)


def hedge(at: datetime, plan_id: str, text: str, quantity: int, layer: str) -> OrderIntent:
    """Return a hedge order; -1 in front of ``text`` sells what is held."""
    only = leg(text)
    limit, worst = priced(at, (only,))
    action = "add" if only.ratio > 0 else "reduce"
    return OrderIntent(
        plan_id=plan_id,
        purpose=f"hedge:{layer}:{action}:{only.instrument.symbol}",
        legs=(only,),
        quantity=quantity,
        limit_price=limit,
        worst_price=worst,
        effect=PositionEffect.OPEN if only.ratio > 0 else PositionEffect.CLOSE,
        urgency=Urgency.NORMAL,
        rules=("L1",),
        layer=layer,
    )


def opening(
    condor_id: str, legs: CondorLegs, quantity: int, *hedges: tuple[str, int, str]
) -> Callable[[str, Book, datetime], Plan]:
    """Return a plan that opens a condor, with hedges beside it."""

    def make(plan_id: str, _book: Book, at: datetime) -> Plan:
        condor = at_market(at, records.condor_intent(plan_id, condor_id, legs, quantity))
        orders = [condor, *(hedge(at, plan_id, *each) for each in hedges)]
        opened = records.condor_open(condor_id, legs, quantity)
        return records.plan(plan_id, at=at.astimezone(UTC), orders=orders, opens=[opened])

    return make


def hedging(*hedges: tuple[str, int, str]) -> Callable[[str, Book, datetime], Plan]:
    """Return a plan of hedge orders."""

    def make(plan_id: str, _book: Book, at: datetime) -> Plan:
        orders = [hedge(at, plan_id, *each) for each in hedges]
        return records.plan(plan_id, at=at.astimezone(UTC), orders=orders)

    return make


def adjusting(plan_id: str, book: Book, at: datetime) -> Plan:
    """Roll the calls of what is held of C0002."""
    held = [each for each in book.condors if each.condor_id == "C0002"]
    if not held:
        return records.plan(plan_id, at=at.astimezone(UTC))
    quantity = held[0].quantity
    order = at_market(at, records.roll_intent(plan_id, "C0002", MONTHLY, ADJUSTED, quantity))
    order = replace(order, worst_price=max(order.limit_price, min(order.worst_price, Decimal(0))))
    adjusted = records.condor_adjust("C0002", "C0002-1", ADJUSTED, quantity)
    return records.plan(plan_id, at=at.astimezone(UTC), orders=[order], adjusts=[adjusted])


def closing(plan_id: str, book: Book, at: datetime) -> Plan:
    """Close what is held of C0002 in either form."""
    forms = {"C0002": MONTHLY, "C0002-1": ADJUSTED}
    held = [each for each in book.condors if each.condor_id in forms]
    orders = [
        at_market(
            at,
            records.condor_intent(
                plan_id,
                each.condor_id,
                each.legs,
                each.quantity,
                effect=PositionEffect.CLOSE,
            ),
        )
        for each in held
    ]
    closes = [
        CondorClose(condor_id=each.condor_id, rules=("C9",), mark_debit=None, note="")
        for each in held
    ]
    return records.plan(plan_id, at=at.astimezone(UTC), orders=orders, closes=closes)


# --- what people do -------------------------------------------------------------------------------


def command(state: SystemState, scope: HaltScope | None) -> Callable[[Path, LoadedConfig], None]:
    """Return an operator who asks for something."""

    def act(folder: Path, config: LoadedConfig) -> None:
        asked = Command(
            state=state, scope=scope, reason="a drill", by="operator", at=SystemClock().now()
        )
        submit_command(paths_of(config, folder).control_dir, asked)

    return act


def approving(folder: Path, config: LoadedConfig) -> None:
    """Sign an override and hand it in."""
    record = OverrideRecord(
        action="skip_entries",
        reason="a settlement is due",
        signer="steward",
        account=config.account,
        serial=1,
        issued_at=instant("2020-02-03 11:40"),
        expires_at=instant("2020-02-03 18:00"),
    )
    submit_override(paths_of(config, folder).control_dir, sign_override(record, STEWARD))


def interfering(folder: Path, config: LoadedConfig) -> None:
    """Trade by hand what the bot holds: sell some of its calls."""
    exchange = exchange_of(folder, config)
    at = instant("2020-02-03 12:10")
    bid = MARKET.quote(leg(CALL).instrument, at).bid
    exchange.submit(new_order("manual-1", f"-1 {CALL}", 3, f"-{bid:.2f}"), at)
    exchange.advance_to(at + timedelta(seconds=20))


STORY: dict[str, Scenario] = {
    "open": Scenario(
        at=instant("2020-02-03 10:00"), make=opening("C0001", PM, 2, (CALL, 30, "L1"))
    ),
    "partial": Scenario(at=instant("2020-02-03 10:15"), make=opening("C0002", MONTHLY, 5)),
    "adjust": Scenario(at=instant("2020-02-03 10:30"), make=adjusting),
    "roll": Scenario(
        at=instant("2020-02-03 10:45"),
        make=hedging((f"-1 {CALL}", 20, "L1"), (NEXT_CALL, 20, "L2")),
    ),
    "hedge": Scenario(
        at=instant("2020-02-03 11:00"),
        make=hedging((VX, 4, "L2"), (SOON_CALL, 10, "L1"), (CALL, 15, "L1")),
    ),
    "AM series": Scenario(
        at=instant("2020-02-03 11:15"), make=opening("C0003", AM, 2), is_swept=False
    ),
    "halt": Scenario(
        at=instant("2020-02-03 11:30"),
        make=opening("C0004", LATE, 2, (CALL, 5, "L1")),
        before=command(SystemState.HALTED, HaltScope.OPENS),
    ),
    "approval": Scenario(
        at=instant("2020-02-03 11:45"),
        make=closing,
        before=lambda folder, config: (
            command(SystemState.RUNNING, None)(folder, config),
            approving(folder, config),
        )[0],
    ),
    "nightly restart": Scenario(
        at=instant("2020-02-03 12:00"),
        make=opening("C0005", LATE, 2, (f"-1 {CALL}", 10, "L1")),
        broker_away=(instant("2020-02-03 12:00:25"), instant("2020-02-03 12:01:10")),
    ),
    "quiet days": Scenario(at=instant("2020-02-05 12:15"), is_swept=False),
    "expiry PM": Scenario(at=instant("2020-02-05 16:20")),
    "more quiet days": Scenario(at=instant("2020-02-18 16:20"), is_swept=False),
    "VIX expiry Tuesday": Scenario(at=instant("2020-02-19 16:20")),
    "one more day": Scenario(at=instant("2020-02-21 12:15"), is_swept=False),
    "expiry AM": Scenario(at=instant("2020-02-21 16:20")),
}
INTERFERENCE = Scenario(at=instant("2020-02-03 16:20"), before=interfering)


# --- a process ------------------------------------------------------------------------------------


def exchange_of(folder: Path, config: LoadedConfig) -> Exchange:
    """Return the exchange as its journal has it."""
    return open_exchange(
        MARKET,
        account_id=config.account,
        journal_path=paths_of(config, folder).exchange_journal,
        fill_model=FILLS,
    )


def wire(folder: Path, config: LoadedConfig) -> Wiring:
    """Wire a new process over the scripted market and decisions."""
    exchange = exchange_of(folder, config)
    clock = SystemClock()
    broker = InterceptedBroker(SimulatedBroker(exchange, clock), _absences(clock))
    plans = {
        scenario.at.astimezone(UTC): _plan_at(scenario.make, scenario.at)
        for scenario in STORY.values()
        if scenario.make is not None
    }
    return Wiring(
        connect=standing(broker, SimulatedMarketData(exchange, clock)),
        clock=clock,
        calendar=MARKET.calendar,
        events_ahead=lambda session: (),
        seed=7,
        first_session=MARKET.first_session,
        last_session=MARKET.last_session,
        begins_at=instant("2020-02-03 09:00"),
        known_until=exchange.now,
        decide=ScriptedDecisions(plans),
    )


def _plan_at(
    make: Callable[[str, Book, datetime], Plan], at: datetime
) -> Callable[[str, Book], Plan]:
    return lambda plan_id, book: make(plan_id, book, at)


def _absences(clock: Clock) -> Callable[[str, str, object], None]:
    """Return a hook that refuses calls while the gateway restarts."""
    away = [each.broker_away for each in STORY.values() if each.broker_away is not None]

    def refuse(call: str, phase: str, _argument: object) -> None:
        if phase == "before" and any(first <= clock.now() < last for first, last in away):
            raise BrokerUnavailable(f"the gateway restarts; {call} was not asked")

    return refuse
