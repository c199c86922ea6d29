"""Shadow mode put together: connections that only look, a tape, and an exchange on it."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import date, timedelta

from bot.app.accounts import open_account
from bot.app.config.schema import IbShadowBrokerSection
from bot.app.ib_ports import IbAccess, appetite_of
from bot.app.paths import RunPaths
from bot.app.ports import Connect, Ports
from bot.brokers.ib.connection import IbSession
from bot.brokers.ib.history import DailyBars, IbHistory, IbSettlementPrices
from bot.brokers.ib.market_data import IbMarketData
from bot.brokers.ib.qualifier import Qualifier
from bot.brokers.shadow import ShadowBroker, ShadowMarketData, working_instruments
from bot.exchange.exchange import GRID, Exchange, Outside
from bot.exchange.tape import Tape, TapeMarket, TapeUnusable
from bot.ports import Clock
from state.ledger import Ledger
from strategies.model.calendars import TradingCalendar
from strategies.model.instruments import Instrument

_LASTS = timedelta(days=365)  # a calendar is known so far ahead


def open_shadow(
    broker: IbShadowBrokerSection, calendar: TradingCalendar, paths: RunPaths, today: date
) -> tuple[Exchange, Tape]:
    """Open the tape and the journal of a shadow account, or begin them today.

    Raises: TapeUnusable, JournalMismatch, JournalDamaged.
    """
    tape = Tape(
        paths.tape,
        account_id=broker.account,
        first=today if calendar.is_session(today) else calendar.next_session(today),
        last=calendar.sessions_between(today, today + _LASTS)[-1],
    )
    if tape.last_session < today:
        raise TapeUnusable(paths.tape, f"it was for a year, to {tape.last_session}")
    market = TapeMarket(tape, calendar, stands=GRID)
    outside = Outside(name=tape.name, marks=TapeMarket(tape, calendar, stands=None))
    return open_account(broker, market, paths.exchange_journal, outside), tape


class ShadowEnd:
    """Our end: two sessions that only look, and the ports of the simulated account."""

    def __init__(self, access: IbAccess, exchange: Exchange, tape: Tape, clock: Clock) -> None:
        """Make everything; nothing is connected until it is used."""
        assert not access.settings.is_trading, "a shadow only looks"
        calendar = access.calendar
        self.trading = IbSession(access.settings, clock)  # for legs at work, beside the chains
        self.data = IbSession(access.settings.for_data(), clock)
        qualifier = Qualifier(self.data, calendar)
        bars = DailyBars(self.data)

        def of_interest() -> Iterable[Instrument]:
            held = (holding.instrument for holding in exchange.holdings())
            return (*held, *working_instruments(exchange))

        real = IbMarketData(
            self.data,
            self.trading,
            clock=clock,
            calendar=calendar,
            qualifier=qualifier,
            rate=access.rate,
            history=IbHistory(
                bars, qualifier, calendar, access.history_before, tops_up=access.tops_up
            ),
            appetite=appetite_of(access.rules),
            settings=access.data,
            working=of_interest,
            progress=access.progress,
        )
        quotes = ShadowMarketData(real, exchange, tape, clock)
        self._broker = ShadowBroker(
            exchange,
            quotes,
            IbSettlementPrices(bars, qualifier, clock),
            self.trading.connect,
            clock,
        )
        self.ports = Ports(broker=self._broker, market_data=quotes)

    async def close(self) -> None:
        """Leave the gateway."""
        await self._broker.close()
        self.trading.disconnect()
        self.data.disconnect()


@asynccontextmanager
async def looking(
    access: IbAccess, exchange: Exchange, tape: Tape, clock: Clock
) -> AsyncIterator[ShadowEnd]:
    """Give our end of the connections, and leave the gateway afterwards."""
    end = ShadowEnd(access, exchange, tape, clock)
    try:
        yield end
    finally:
        await end.close()


def in_the_shadow(access: IbAccess, exchange: Exchange, tape: Tape, clock: Clock) -> Connect:
    """Return how to reach a shadow account."""

    @asynccontextmanager
    async def connect(_ledger: Ledger) -> AsyncIterator[Ports]:
        async with looking(access, exchange, tape, clock) as end:
            yield end.ports

    return connect
