"""The MarketData port over IB: chains on a connection of their own, working legs beside the orders.

A fence before each look makes every tick that IB sent before it part of the picture. What is
streamed is settled once a session; a look then reads tickers that are laid out in columns.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Final

from bot.brokers.ib.chain_streams import ChainStreams
from bot.brokers.ib.columns import Columns, SeriesTerms, lay_out
from bot.brokers.ib.connection import IbSession
from bot.brokers.ib.contracts import INDEX_NAMES
from bot.brokers.ib.data_settings import IbDataSettings
from bot.brokers.ib.history import IbHistory
from bot.brokers.ib.hours import session_at
from bot.brokers.ib.leg_quotes import LegQuotes
from bot.brokers.ib.qualifier import Qualifier
from bot.brokers.ib.quotes import newest_tick, price, quote_of
from bot.brokers.ib.selection import Appetite
from bot.brokers.ib.smiles import SeriesKey, Smile, measured
from bot.errors import MarketDataMissing
from bot.ports import Clock, DailyCloses
from strategies.model.calendars import TradingCalendar
from strategies.model.expiries import future_instants
from strategies.model.instruments import ROOTS, Instrument
from strategies.model.quotes import FutureQuote, IndexValue, OptionChain, Quote
from strategies.model.snapshots import DailyHistory, MarketQuotes

_OPTION_ROOTS: Final = {
    underlying: tuple(
        root for root, spec in ROOTS.items() if spec.is_option and spec.underlying == underlying
    )
    for underlying in ("SPX", "VIX")
}
_LOOKS: Final = 4  # at most, at what strikes follow from


class IbMarketData:
    """The MarketData port over two connections."""

    def __init__(
        self,
        data: IbSession,
        trading: IbSession,
        *,
        clock: Clock,
        calendar: TradingCalendar,
        qualifier: Qualifier,
        rate: Callable[[datetime], float],
        history: IbHistory,
        appetite: Appetite,
        settings: IbDataSettings,
        working: Callable[[], Iterable[Instrument]] = tuple,
        progress: Callable[[str], None] | None = None,
    ) -> None:
        """Ask for nothing yet.

        Args:
            data: The connection for chains.
            trading: The connection that trades; legs at work are streamed there.
            clock: Time.
            calendar: Sessions, and when series stop trading.
            qualifier: Contracts at IB.
            rate: The interest rate of an instant, continuously compounded.
            history: Daily bars.
            appetite: What the rules may look at, where lines are limited.
            settings: Of the login.
            working: The legs of orders at work, streamed before others where lines are limited.
            progress: Told how far a chain has been read; a line of the log unless given.
        """
        self._clock = clock
        self._calendar = calendar
        self._rate = rate
        self._history = history
        self._settings = settings
        self._streams = ChainStreams(
            data,
            clock=clock,
            calendar=calendar,
            qualifier=qualifier,
            appetite=appetite,
            settings=settings,
            working=working,
            progress=progress,
        )
        self._smiles: Mapping[SeriesKey, Smile] = {}  # of the last look
        self._terms = SeriesTerms(calendar)
        self._columns: dict[str, Columns] = {}
        self._laid_out = -1  # the generation of streams the columns are of
        self._legs = LegQuotes(
            trading,
            clock=clock,
            calendar=calendar,
            qualifier=qualifier,
            settings=settings,
            terms=self._terms,
        )

    async def fetch_market(self) -> MarketQuotes:
        """Return every quote as it stands now.

        Raises: MarketDataMissing outside session hours or where IB shows no live quotes;
            BrokerUnavailable.
        """
        session = session_at(self._calendar, self._clock.now())
        await self._streams.prepare(session)
        if self._streams.is_limited:
            await self._adapt(session)
        return self._read()

    async def _adapt(self, session: date) -> None:
        """Look, and stream what the look asks for, until it asks for nothing else."""
        await self._streams.adapt(self._smiles)
        for _ in range(_LOOKS):
            self._smiles = measured(self._read(), session)
            if not await self._streams.adapt(self._smiles):
                return

    def _read(self) -> MarketQuotes:
        """Return everything that is streamed, as it stands."""
        now = self._clock.now()
        self._lay_out(now)
        return MarketQuotes(
            at=now,
            indices=self._indices(now),
            futures=tuple(self._futures(now)),
            spx_options=self._chain("SPX", now),
            vix_options=self._chain("VIX", now),
            rate=self._rate(now),
        )

    async def fetch_quotes(self, instruments: Sequence[Instrument]) -> dict[str, Quote]:
        """Return current quotes by symbol; an instrument nobody quotes is left out.

        What is streamed beside the chains tells a moment after a look, and where lines are few.

        Raises: MarketDataMissing outside session hours or where IB shows no live quotes;
            BrokerUnavailable.
        """
        if not (self._streams.is_limited or self._streams.are_fresh):
            return await self._legs.fetch(instruments)
        quotes = await self._seen(instruments)
        others = [each for each in instruments if each.symbol not in quotes]
        return quotes | (await self._legs.fetch(others) if others else {})

    async def fetch_history(self, before: date) -> DailyHistory:
        """Return completed daily bars of sessions strictly before ``before``."""
        return await self._history.before(before)

    async def fetch_closes(self, symbol: str, before: date) -> DailyCloses | None:
        """Return an index's daily closes strictly before ``before``; None if IB has none."""
        return await self._history.closes(symbol, before)

    async def _seen(self, instruments: Sequence[Instrument]) -> dict[str, Quote]:
        """Return quotes of what is streamed beside the chains: a line is too dear to have twice."""
        now = self._clock.now()
        session_at(self._calendar, now)
        await self._streams.look()
        tickers, now = self._streams.tickers, self._clock.now()
        alive = [
            each
            for each in instruments
            if each.symbol in tickers and self._terms.is_alive(each, now)
        ]
        if not alive:  # as before the first look at the chains
            return {}
        is_real = self._settings.grid is None
        known_at = self._known_at(now, newest_tick(tickers.values())) if is_real else now
        quotes = {each.symbol: quote_of(tickers[each.symbol], known_at) for each in alive}
        return {symbol: each for symbol, each in quotes.items() if each.bid or each.ask}

    def _lay_out(self, now: datetime) -> None:
        streams = self._streams
        if self._laid_out == streams.generation and all(
            columns.are_alive(now) for columns in self._columns.values()
        ):
            return
        self._columns = {
            underlying: lay_out(underlying, streams.rows(roots), streams.tickers, self._terms, now)
            for underlying, roots in _OPTION_ROOTS.items()
        }
        self._laid_out = streams.generation

    def _known_at(self, now: datetime, ticked_at: datetime | None) -> datetime:
        """Return when a price was last known to be true; raises MarketDataMissing if never."""
        grid = self._settings.grid
        if grid is not None:
            opens_at = self._calendar.opens_at(session_at(self._calendar, now))
            return opens_at + (now - opens_at) // grid * grid
        if ticked_at is None:
            raise MarketDataMissing("IB has not sent a price yet")
        return ticked_at

    def _indices(self, now: datetime) -> dict[str, IndexValue]:
        tickers = self._streams.tickers
        found = {
            name: IndexValue(value=ticker.last, quoted_at=self._known_at(now, ticker.time))
            for name in INDEX_NAMES
            if (ticker := tickers.get(name)) is not None and price(ticker.last) > 0
        }
        for name in ("SPX", "VIX"):
            if name not in found:
                raise MarketDataMissing(f"IB has sent no print of {name}")
        return found

    def _futures(self, now: datetime) -> Iterator[FutureQuote]:
        for contract in self._streams.futures():
            ticker = self._streams.tickers[contract.symbol]
            bid, ask = price(ticker.bid), price(ticker.ask)
            if not (bid or ask):
                continue
            instants = future_instants(contract.expiry, self._calendar)
            yield FutureQuote(
                contract=contract,
                bid=bid,
                ask=ask,
                prior_settle=ticker.close,
                last_trade_at=instants.last_trade_at,
                settles_at=instants.settles_at,
                quoted_at=self._known_at(now, ticker.time),
            )

    def _chain(self, underlying: str, now: datetime) -> OptionChain:
        """Return a chain; an option that does not tick is one whose quote stands.

        IB sends changes only, so the newest tick of a chain is what proves that the others stand.
        """
        columns = self._columns[underlying]
        if self._settings.grid is not None:
            return columns.chain(self._known_at(now, None))
        ticked_at = newest_tick(columns.tickers)
        if ticked_at is None:
            raise MarketDataMissing(f"IB has sent no quotes of {underlying} options")
        return columns.chain(ticked_at)
