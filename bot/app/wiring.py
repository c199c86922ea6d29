"""Wiring: the one place that picks the mode and builds what stands behind the ports."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path

from bot.app.accounts import open_account
from bot.app.config.loader import LoadedConfig
from bot.app.config.schema import (
    IbLiveBrokerSection,
    IbPaperBrokerSection,
    IbShadowBrokerSection,
    PaperLogin,
    ReplayMarketSection,
    SimulatedBrokerSection,
    SyntheticMarketSection,
)
from bot.app.paths import RunPaths
from bot.app.ports import Connect, standing
from bot.brokers.simulated import SimulatedBroker, SimulatedMarketData
from bot.calendars.build import build_calendar
from bot.clock import SystemClock
from bot.engine.collect import EventsAhead, FactorOf, nothing_fed
from bot.engine.engine import Decide
from bot.errors import MarketDataMissing
from bot.exchange.exchange import Exchange, world_of
from bot.exchange.journal import require_world
from bot.exchange.market import Market
from bot.exchange.replay import ReplayMarket
from bot.exchange.synthetic import SyntheticMarket
from bot.history.factors import FactorFiles, Observations
from bot.history.store import INDEX_SERIES, History
from strategies.decide import decide
from strategies.model.calendars import EXCHANGE_ZONE, TradingCalendar, at_exchange
from strategies.model.rules import Rules
from strategies.model.snapshots import EventAhead

NOT_TRADED = {
    "ib_live": "this version trades no real money; use broker.kind ib_paper (docs/ib.md)",
}
_DAY_BEGINS = time(9, 0)
# Signals look back about 450 sessions, hedges look ahead about nine months.
_CALENDAR_BEFORE = timedelta(days=1100)
_CALENDAR_AFTER = timedelta(days=500)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What a simulated run happens in, before any file of the bot is touched."""

    broker: SimulatedBrokerSection
    history: History
    calendar: TradingCalendar
    market: Market
    factors: FactorFiles
    rules: Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperWorld:
    """What a run with an account at Interactive Brokers, or with its quotes, happens in."""

    broker: PaperLogin
    history: History
    calendar: TradingCalendar
    factors: FactorFiles
    rules: Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """Who decides, how the ports are reached, and the span of time a run can be over."""

    connect: Connect  # entered inside the loop; what it opened is closed at its end
    clock: SystemClock
    calendar: TradingCalendar
    events_ahead: EventsAhead
    seed: int | None
    first_session: date
    last_session: date | None  # None: until somebody stops it
    begins_at: datetime  # when a new run begins
    known_until: datetime  # the latest instant the broker has seen; a run resumes from here
    in_real_time: bool = False
    decide: Decide = decide
    read_factor: FactorOf = nothing_fed  # E: the feeds that do not come from the broker


def build_world(config: LoadedConfig) -> World | PaperWorld:
    """Build calendar and market for the mode of ``config``; nothing is connected.

    Raises: ConfigInvalid where this version has no broker of that kind, or does not know the days
        or factors asked for; HistoryFileInvalid.
    """
    broker = config.bot.broker
    match broker:
        case SimulatedBrokerSection():
            return _simulated_world(config, broker)
        case IbPaperBrokerSection() | IbShadowBrokerSection():
            return _paper_world(config, broker)
        case IbLiveBrokerSection():
            raise config.refusal(("broker", "kind"), NOT_TRADED[broker.kind])


def _simulated_world(config: LoadedConfig, broker: SimulatedBrokerSection) -> World:
    history = load_history(config)
    calendar = load_calendar(config, broker.market.first, broker.market.last)
    market = build_market(config, broker, history, calendar)
    factors = factor_files(config, history)
    for index in range(len(config.rules.panel.factors)):
        observations(config, index, factors, market)
    return World(
        broker=broker,
        history=history,
        calendar=calendar,
        market=market,
        factors=factors,
        rules=config.rules,
    )


def _paper_world(config: LoadedConfig, broker: PaperLogin) -> PaperWorld:
    history = load_history(config)
    today = _today()
    factors = factor_files(config, history)
    for rule in config.rules.panel.factors:
        if rule.source != "ib":
            factors.read(rule)
    return PaperWorld(
        broker=broker,
        history=history,
        calendar=load_calendar(config, today, today),
        factors=factors,
        rules=config.rules,
    )


def wire(world: World | PaperWorld, paths: RunPaths) -> Wiring:
    """Put the broker and its market data behind their ports.

    Call it with the ledger open: one process at a time may have the exchange's journal.

    Raises: JournalMismatch, JournalDamaged, TapeUnusable.
    """
    match world:
        case World():
            return _wire_simulated(world, paths)
        case PaperWorld():
            return _wire_ib(world, paths)


def _wire_simulated(world: World, paths: RunPaths) -> Wiring:
    broker, history, calendar, market = world.broker, world.history, world.calendar, world.market
    paths.exchange_journal.parent.mkdir(parents=True, exist_ok=True)
    exchange = open_account(broker, market, paths.exchange_journal)
    clock = SystemClock()

    def events_ahead(session: date) -> tuple[EventAhead, ...] | None:
        return history.events_ahead(session, calendar)

    return Wiring(
        connect=_transport(broker, exchange, clock, world.rules),
        clock=clock,
        calendar=calendar,
        events_ahead=events_ahead,
        seed=broker.seed,
        first_session=market.first_session,
        last_session=market.last_session,
        begins_at=at_exchange(market.first_session, _DAY_BEGINS),
        known_until=exchange.now,
        read_factor=world.factors.before,
    )


def _wire_ib(world: PaperWorld, paths: RunPaths) -> Wiring:
    from bot.app.ib_ports import paper_access, to_a_gateway  # the client library takes a while

    clock = SystemClock()
    today = _today()
    broker, history, calendar = world.broker, world.history, world.calendar
    access = paper_access(
        broker,
        calendar=calendar,
        history=history,
        rules=world.rules,
        first_session=today,
        events_folder=paths.ib_events,
    )
    if isinstance(broker, IbShadowBrokerSection):
        from bot.app.shadow import in_the_shadow, open_shadow

        exchange, tape = open_shadow(broker, calendar, paths, today)
        connect, seed = in_the_shadow(access, exchange, tape, clock), broker.seed
    else:
        connect, seed = to_a_gateway(access, clock), None

    def events_ahead(session: date) -> tuple[EventAhead, ...] | None:
        return history.events_ahead(session, calendar)

    return Wiring(
        connect=connect,
        clock=clock,
        calendar=calendar,
        events_ahead=events_ahead,
        seed=seed,
        first_session=today,
        last_session=None,
        begins_at=clock.now(),
        known_until=clock.now(),
        in_real_time=True,
        read_factor=world.factors.before,
    )


def _transport(
    broker: SimulatedBrokerSection, exchange: Exchange, clock: SystemClock, rules: Rules
) -> Connect:
    match broker.transport:
        case "in_process":
            return standing(SimulatedBroker(exchange, clock), SimulatedMarketData(exchange, clock))
        case "wire":
            from bot.app.wire import over_the_wire  # the client library takes a while to import

            return over_the_wire(exchange, clock, rules, broker.market_data_lines)


def require_same_world(broker: SimulatedBrokerSection, market: Market, paths: RunPaths) -> None:
    """Check that the account has traded in this world, if it has traded at all.

    Raises: JournalMismatch, JournalDamaged.
    """
    world = world_of(
        market,
        account_id=broker.account,
        starting_cash_usd=broker.starting_cash_usd,
        seed=broker.seed,
        fees=broker.fees,
        margin_convention=broker.margin,
        fill_model=broker.fill_model,
    )
    require_world(paths.exchange_journal, world)


def _today() -> date:
    return SystemClock().now().astimezone(EXCHANGE_ZONE).date()


def load_history(config: LoadedConfig) -> History:
    """Return bundled history with the configuration's own files on top."""
    overrides = config.bot.history.overrides
    return History.bundled({name: config.resolve(path) for name, path in overrides.items()})


def factor_files(config: LoadedConfig, history: History) -> FactorFiles:
    """Return the factor feeds of the configuration that do not come from the broker."""
    return FactorFiles(history, config.resolve, _today())


def observations(
    config: LoadedConfig, index: int, files: FactorFiles, market: Market
) -> Observations:
    """Return everything there is of the factor feed at ``index``.

    Raises: ConfigInvalid if the broker does not supply it, HistoryFileInvalid.
    """
    rule = config.rules.panel.factors[index]
    if rule.source != "ib":
        return files.read(rule)
    closes = market.closes(rule.series, date.max)
    if closes is None:
        known = [name for name in INDEX_SERIES if market.closes(name, date.min) is not None]
        key = ("rules", "panel", "factors", index, "series")
        message = f"the simulated broker supplies {', '.join(known)}; found {rule.series!r}"
        raise config.refusal(key, message)
    return Observations(day=closes.day, value=closes.close)


def load_calendar(config: LoadedConfig, first: date, last: date) -> TradingCalendar:
    """Return the calendar from well before ``first`` to well after ``last``."""
    overrides = config.bot.calendar_overrides
    return calendar_around(first, last, None if overrides is None else config.resolve(overrides))


def calendar_around(first: date, last: date, overrides: Path | None = None) -> TradingCalendar:
    """Return the calendar from well before ``first`` to well after ``last``."""
    return build_calendar(first - _CALENDAR_BEFORE, last + _CALENDAR_AFTER, overrides)


def build_market(
    config: LoadedConfig,
    broker: SimulatedBrokerSection,
    history: History,
    calendar: TradingCalendar,
) -> Market:
    """Return the simulated market that the configuration describes.

    Raises: ConfigInvalid at the date that lies outside what is known.
    """
    first, last = broker.market.first, broker.market.last
    try:
        return _market(broker, history, calendar, first, last)
    except MarketDataMissing as cause:
        sessions = calendar.sessions_between(first, last)
        end = "to" if sessions and _is_known(broker, history, calendar, sessions[0]) else "from"
        message = f"{cause}; `alvh data list` shows what is known"
        raise config.refusal(("broker", "market", end), message) from cause


def _is_known(
    broker: SimulatedBrokerSection, history: History, calendar: TradingCalendar, session: date
) -> bool:
    try:
        _market(broker, history, calendar, session, session)
    except MarketDataMissing:
        return False
    return True


def _market(
    broker: SimulatedBrokerSection,
    history: History,
    calendar: TradingCalendar,
    first: date,
    last: date,
) -> Market:
    match broker.market:
        case ReplayMarketSection():
            return ReplayMarket(history, calendar, first=first, last=last, seed=broker.seed)
        case SyntheticMarketSection():
            return SyntheticMarket(
                calendar, first=first, last=last, seed=broker.seed, events=history.events()
            )
