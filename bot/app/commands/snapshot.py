"""`alvh snapshot`: what an interval saw, from the ledger, or would see, from the market."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

from bot.app.commands.inputs import parse_time, paths_of, read_config, write_text
from bot.app.config.loader import LoadedConfig
from bot.app.config.schema import WEEKDAYS, SimulatedBrokerSection
from bot.app.exit_codes import CommandFailed, ExitCode
from bot.app.render.console import note, print_json
from bot.app.stored_snapshots import DecisionInputs, encode_inputs
from bot.app.wiring import build_market, factor_files, load_calendar, load_history
from bot.engine.collect import Factors, collect_snapshot
from bot.exchange.market import Market
from bot.ports import DailyCloses
from state.audit import AuditReader
from state.errors import NothingStored
from state.replays import StoredDecision, decision_at
from strategies.model.book import Account, Book
from strategies.model.calendars import EXCHANGE_ZONE, at_exchange
from strategies.model.instruments import Instrument
from strategies.model.memory import Memory
from strategies.model.quotes import Quote
from strategies.model.snapshots import DailyHistory, EventAhead, MarketQuotes


def snapshot_command(
    config_path: Path,
    *,
    at: str | None,
    out: Path | None,
    flags: Sequence[str],
    state_dir: Path,
) -> ExitCode:
    """Write the inputs of the last decision at or before a time, or of one nobody has made yet."""
    config = read_config(config_path, flags)
    instant = parse_time(at, "--at")
    inputs, source = find_inputs(config, paths_of(config, state_dir).database, instant)
    text = encode_inputs(inputs)
    if out is None:
        print_json(text)
    else:
        write_text(out, text + "\n")
    note(f"{source}; {inputs.snapshot.at.astimezone(EXCHANGE_ZONE):%Y-%m-%d %H:%M} New York")
    return ExitCode.OK


def find_inputs(
    config: LoadedConfig, database: Path, at: datetime | None
) -> tuple[DecisionInputs, str]:
    """Return the inputs of the last decision of a session up to ``at``, and where they are from.

    Without a time: of the newest decision. What the ledger does not have is taken from the
    configuration's market: the first entry where no time is given.

    Raises: CommandFailed, MarketDataMissing, and what opening a ledger raises.
    """
    if database.exists():
        with AuditReader.open(database) as reader:
            last = reader.status()["last_decision_at"]
            wanted = at or (last and datetime.fromisoformat(str(last)))
            stored = _stored_decision(reader, wanted) if wanted and last else None
        if stored is not None:
            return _inputs_of(stored), f"decision {stored.plan_id[:16]} in {database}"
    inputs = inputs_from_history(config, at)
    return inputs, "simulated market, empty book, starting account"


def _stored_decision(reader: AuditReader, at: datetime) -> StoredDecision | None:
    try:
        stored = decision_at(reader, at)
    except NothingStored:
        return None
    return stored if stored.session == at.astimezone(EXCHANGE_ZONE).date() else None


def _inputs_of(stored: StoredDecision) -> DecisionInputs:
    return DecisionInputs(
        snapshot=stored.snapshot,
        book=stored.book,
        account=stored.account,
        memory=stored.memory,
        rules=stored.rules,
    )


@dataclass(frozen=True, slots=True)
class _Standing:
    """A market that stands still at one instant, behind the port of market data."""

    market: Market
    at: datetime

    async def fetch_market(self) -> MarketQuotes:
        return self.market.quotes_at(self.at)

    async def fetch_quotes(self, instruments: Sequence[Instrument]) -> dict[str, Quote]:
        quotes = {item.symbol: self.market.quote(item, self.at) for item in instruments}
        return {symbol: quote for symbol, quote in quotes.items() if quote is not None}

    async def fetch_history(self, before: date) -> DailyHistory:
        return self.market.history(before)

    async def fetch_closes(self, symbol: str, before: date) -> DailyCloses | None:
        return self.market.closes(symbol, before)


def inputs_from_history(config: LoadedConfig, at: datetime | None) -> DecisionInputs:
    """Return the inputs of an interval with an empty book and the starting account.

    Without a time: of the entry time of the market's first session.

    Raises: CommandFailed, MarketDataMissing outside the market's hours or range.
    """
    broker = config.bot.broker
    if not isinstance(broker, SimulatedBrokerSection):
        message = f"broker.kind {broker.kind}: only a simulated market can be asked about any time"
        raise CommandFailed(message, ExitCode.USAGE)
    history = load_history(config)
    calendar = load_calendar(config, broker.market.first, broker.market.last)
    market = build_market(config, broker, history, calendar)
    entries = config.bot.schedule.entries
    at = at or at_exchange(market.first_session, entries.at)
    local = at.astimezone(EXCHANGE_ZONE)
    is_entry_day = local.weekday() < len(WEEKDAYS) and WEEKDAYS[local.weekday()] in entries.days

    def events_ahead(session: date) -> tuple[EventAhead, ...] | None:
        return history.events_ahead(session, calendar)

    snapshot = asyncio.run(
        collect_snapshot(
            _Standing(market, at),
            session=local.date(),
            entry_due=is_entry_day and local.time() == entries.at,
            calendar=calendar,
            events_ahead=events_ahead,
            factors=Factors(config.rules.panel.factors, factor_files(config, history).before),
            now=lambda: at,
            max_age=config.limits.quote_age_max,
            decided_on=None,
        )
    )
    cash = broker.starting_cash_usd
    zero = Decimal(0)
    return DecisionInputs(
        snapshot=snapshot,
        book=Book(condors=(), hedges=(), working=(), hedge_cost_365d_usd=zero),
        account=Account(
            net_liquidation_usd=cash,
            cash_usd=cash,
            initial_margin_usd=zero,
            maintenance_margin_usd=zero,
            excess_liquidity_usd=cash,
        ),
        memory=Memory(),
        rules=config.rules,
    )
