"""Quotes of the few legs being worked, streamed on the connection that trades."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Final

from bot.brokers.ib.columns import SeriesTerms
from bot.brokers.ib.connection import IbSession
from bot.brokers.ib.data_settings import IbDataSettings
from bot.brokers.ib.errors_table import Code
from bot.brokers.ib.health import FeedHealth
from bot.brokers.ib.hours import session_at
from bot.brokers.ib.library import Contract
from bot.brokers.ib.qualifier import Qualifier
from bot.brokers.ib.quotes import Streams, first_prices, quote_of
from bot.errors import BrokerUnavailable
from bot.exchange.listings import is_trading
from bot.ports import Clock
from strategies.model.calendars import TradingCalendar
from strategies.model.expiries import future_instants
from strategies.model.instruments import Instrument, OptionContract
from strategies.model.quotes import Quote

# A quote this old may stand or be lost; the gate refuses what is too old to trade on
_STANDS: Final = timedelta(seconds=30)


class LegQuotes:
    """Streams legs for as long as there are lines for them; the longest unused go first."""

    def __init__(
        self,
        session: IbSession,
        *,
        clock: Clock,
        calendar: TradingCalendar,
        qualifier: Qualifier,
        settings: IbDataSettings,
        terms: SeriesTerms,
    ) -> None:
        """Stream nothing yet; see ``IbMarketData``."""
        self._session = session
        self._clock = clock
        self._calendar = calendar
        self._qualifier = qualifier
        self._settings = settings
        self._terms = terms
        self._health = FeedHealth(allows_delayed=settings.allows_delayed)
        self._streams = Streams(allows_delayed=settings.allows_delayed)
        self._used: dict[str, None] = {}  # symbols, the longest unused first
        session.on_resubscribe(self._start_over)
        session.on_request_code(self._hear)

    async def fetch(self, instruments: Sequence[Instrument]) -> dict[str, Quote]:
        """Return current quotes by symbol; see ``IbMarketData.fetch_quotes``."""
        session_at(self._calendar, self._clock.now())
        contracts = list((await self._contracts(instruments)).items())
        size = len(contracts) if self._settings.lines is None else self._settings.leg_lines
        quotes: dict[str, Quote] = {}
        for start in range(0, len(contracts), size or 1):
            quotes |= await self._quotes(dict(contracts[start : start + size]))
        return quotes

    async def _quotes(self, contracts: dict[str, Contract]) -> dict[str, Quote]:
        """Return quotes of no more contracts than there are lines for."""
        ib = await self._session.ready()
        self._streams.drop(self._standing(contracts))
        refused = [name for name in self._health.refused if name in self._streams]
        self._streams.drop(refused)
        self._health.forgive(refused)
        self._make_room(contracts)
        new = self._streams.add(ib, contracts)
        await self._session.fence()
        tickers = self._streams.tickers
        if any(symbol not in tickers for symbol in contracts):
            raise BrokerUnavailable("the connection was lost while legs were subscribed to")
        if new and self._settings.first_prices_s > 0:
            wanted = [tickers[name] for name in new]
            await first_prices(wanted, self._clock, self._settings.first_prices_s)
        self._health.require(optional=(), tickers=tickers, farms=self._session.truth().farms)
        now = self._clock.now()
        is_real = self._settings.grid is None
        quotes = {
            symbol: quote_of(tickers[symbol], (tickers[symbol].time or now) if is_real else now)
            for symbol in contracts
        }
        return {symbol: each for symbol, each in quotes.items() if each.bid or each.ask}

    def _standing(self, names: Iterable[str]) -> list[str]:
        """Return legs without a tick of late: streamed anew, IB says whether their quotes stand."""
        if self._settings.grid is not None:
            return []
        since = self._clock.now() - _STANDS
        streamed = ((name, self._streams.tickers.get(name)) for name in names)
        return [
            name
            for name, ticker in streamed
            if ticker is not None and (ticker.time is None or ticker.time < since)
        ]

    async def _contracts(self, instruments: Sequence[Instrument]) -> dict[str, Contract]:
        """Return the contracts of what still trades; what IB does not know nobody quotes."""
        now = self._clock.now()
        alive = []
        for each in dict.fromkeys(instruments):
            if isinstance(each, OptionContract):
                is_alive = is_trading(self._terms.of(each.root, each.expiry), now)
            else:
                is_alive = now <= future_instants(each.expiry, self._calendar).last_trade_at
            if is_alive:
                alive.append(each)
        found = await asyncio.gather(*(self._qualifier.find(each) for each in alive))
        pairs = zip(alive, found, strict=True)
        return {each.symbol: contract for each, contract in pairs if contract is not None}

    def _make_room(self, contracts: dict[str, Contract]) -> None:
        for symbol in contracts:
            self._used.pop(symbol, None)
            self._used[symbol] = None
        while len(self._used) > max(len(contracts), self._settings.leg_lines):
            oldest = next(iter(self._used))
            del self._used[oldest]
            if oldest in self._streams:
                self._streams.drop([oldest])

    async def _start_over(self) -> None:
        """Take note that no subscription is left; legs are streamed again when they are needed."""
        self._streams.forget()
        self._health.forget()
        self._used.clear()

    def _hear(self, request_id: int, code: Code, text: str) -> None:
        self._health.hear(self._streams.name_of(request_id), code.code, text)
