"""What the data connection streams: settled once a session, and whenever positions change."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Final

import structlog

from bot.brokers.ib import lean_ticks
from bot.brokers.ib.connection import IbSession
from bot.brokers.ib.contracts import INDEX_NAMES, NotOurs
from bot.brokers.ib.data_settings import IbDataSettings
from bot.brokers.ib.errors_table import Code
from bot.brokers.ib.health import FeedHealth
from bot.brokers.ib.library import IB, Contract, Ticker
from bot.brokers.ib.lines import Streamed
from bot.brokers.ib.listing import SessionListing, read_listing
from bot.brokers.ib.qualifier import Qualifier
from bot.brokers.ib.quotes import Streams, first_prices, price
from bot.brokers.ib.selection import Appetite, Needs, View, choose, everything, needs
from bot.brokers.ib.smiles import SeriesKey, Smile
from bot.errors import BrokerUnavailable, MarketDataMissing
from bot.ports import Clock
from strategies.model.calendars import TradingCalendar
from strategies.model.instruments import (
    FutureContract,
    Instrument,
    OptionContract,
    Right,
    parse_symbol,
)

_OPTIONAL: Final = frozenset(INDEX_NAMES) - {"SPX", "VIX"}
_LEVELS: Final = 2  # indices that strikes follow from: SPX and VIX
# So long after a fence a look at what is streamed needs none of its own
_A_MOMENT: Final = timedelta(seconds=1)
_SERIES_LENGTH: Final = 12  # root and date of an OCC symbol

_log = structlog.get_logger(__name__)


class ChainStreams:
    """The listing of a session and the subscriptions to it."""

    def __init__(
        self,
        session: IbSession,
        *,
        clock: Clock,
        calendar: TradingCalendar,
        qualifier: Qualifier,
        appetite: Appetite,
        settings: IbDataSettings,
        working: Callable[[], Iterable[Instrument]],
        progress: Callable[[str], None] | None,
    ) -> None:
        """Ask for nothing yet; see ``IbMarketData``."""
        self._session = session
        self._clock = clock
        self._calendar = calendar
        self._qualifier = qualifier
        self._appetite = appetite
        self._settings = settings
        self._working = working
        self._progress = progress or _report
        self._health = FeedHealth(allows_delayed=settings.allows_delayed)
        self._streams = Streams(allows_delayed=settings.allows_delayed)
        self._listing: SessionListing | None = None
        self._with_positions: IB | None = None
        self._chosen_for: frozenset[Instrument] | None = None
        self._said: set[str] = set()  # what is not seen for want of lines
        self._fenced_at: datetime | None = None
        self.generation = 0  # changes with what is streamed
        session.on_resubscribe(self._start_over)
        session.on_request_code(self._hear)

    @property
    def tickers(self) -> Mapping[str, Ticker]:
        """Everything that is streamed, by name or symbol."""
        return self._streams.tickers

    def futures(self) -> tuple[FutureContract, ...]:
        """Return the futures that are streamed, by expiry, then root."""
        return tuple(each for each in self._listed().futures if each.symbol in self._streams)

    def rows(self, underlying_roots: Iterable[str]) -> dict[SeriesKey, list[str]]:
        """Return the streamed options of some roots, by series."""
        roots = frozenset(underlying_roots)
        found: dict[SeriesKey, list[str]] = {}
        prefixes: dict[str, SeriesKey] = {}
        for series in self._listed().series:
            prefixes[series.symbols[0][:_SERIES_LENGTH]] = (series.root, series.expiry)
        for symbol in self._streams.tickers:
            if len(symbol) <= _SERIES_LENGTH:
                continue
            prefix = symbol[:_SERIES_LENGTH]
            if prefix not in prefixes:
                instrument = parse_symbol(symbol)
                prefixes[prefix] = (instrument.root, instrument.expiry)
            if prefixes[prefix][0] in roots:
                found.setdefault(prefixes[prefix], []).append(symbol)
        return found

    @property
    def is_limited(self) -> bool:
        """Whether there are fewer lines than instruments, so that some are chosen."""
        return self._settings.lines is not None

    @property
    def are_fresh(self) -> bool:
        """Whether everything sent until a moment ago has arrived, and nothing is known to lack."""
        fenced_at = self._fenced_at
        is_recent = fenced_at is not None and self._clock.now() - fenced_at <= _A_MOMENT
        return is_recent and self._session.is_whole

    async def prepare(self, session: date) -> None:
        """Have everything sent so far arrived; without a limit, have everything streamed.

        Raises: BrokerUnavailable; MarketDataMissing where quotes may not be used.
        """
        await self._fence()
        held = await self._held()
        if self._listing is None or self._listing.session != session:
            await self._open(session, held)
        if not self.is_limited:
            await self._stream_all(held)
            self._require_health()

    async def adapt(self, smiles: Mapping[SeriesKey, Smile]) -> bool:
        """Have streamed what a decision needs, by what the last look measured.

        Returns: Whether something is streamed that was not at the last look.

        Raises: BrokerUnavailable; MarketDataMissing where quotes may not be used.
        """
        generation = self.generation
        await self._stream_needs(await self._held(), smiles)
        self._require_health()
        return self.generation != generation

    async def look(self) -> None:
        """Have everything sent so far, or until a moment ago, arrived, and stream nothing new.

        Raises: BrokerUnavailable; MarketDataMissing where quotes may not be used.
        """
        if not self.are_fresh:
            await self._fence()
        self._require_health()

    def _require_health(self) -> None:
        self._health.require(
            optional=_OPTIONAL,
            tickers=self._streams.tickers,
            farms=self._session.truth().farms,
        )

    async def _fence(self) -> None:
        asked_at = self._clock.now()
        await self._session.fence()
        self._fenced_at = asked_at

    async def _start_over(self) -> None:
        """Take note that no subscription is left; the next look makes them again."""
        self._fenced_at = None
        self._streams.forget()
        self._health.forget()
        self._with_positions = None
        self._chosen_for = None

    def _hear(self, request_id: int, code: Code, text: str) -> None:
        self._health.hear(self._streams.name_of(request_id), code.code, text)

    async def _held(self) -> frozenset[Instrument]:
        """Return open positions as this connection knows them, as fresh as the last fence."""
        ib = await self._session.ready()
        if self._with_positions is not ib:
            await self._session.ask("positions", ib.reqPositionsAsync)
            self._with_positions = ib
        found = set()
        for position in ib.positions(self._session.settings.account):
            try:
                found.add(self._qualifier.instrument(position.contract))
            except NotOurs as cause:  # what it is doing there is asked when books are compared
                _log.debug("position_not_streamed", why=str(cause))
        return frozenset(found)

    async def _open(self, session: date, held: frozenset[Instrument]) -> None:
        """Learn what is listed today; indices are streamed anew, without yesterday's prints."""
        self._listing = await read_listing(
            self._qualifier,
            self._calendar,
            session,
            appetite=None if self._settings.lines is None else self._appetite,
            held=held,
            progress=self._progress,
        )
        self._streams.drop([name for name in INDEX_NAMES if name in self._streams])
        self._chosen_for = None
        self._said.clear()

    def _ask_refused_again(self) -> bool:
        """Forget streams IB has refused: permissions and lines come back without a word."""
        refused = [name for name in self._health.refused if name in self._streams]
        self._streams.drop(refused)
        self._health.forgive(refused)
        return bool(refused)

    async def _stream_all(self, held: frozenset[Instrument]) -> None:
        """Subscribe to everything, if something is missing."""
        if not self._ask_refused_again() and self._chosen_for == held:
            return
        listing = self._listed()  # there are lines enough: both rights of a held strike
        symbols = [symbol for each in held for symbol in _row_of(each)]
        await self._stream(everything(listing.series, listing.futures, symbols))
        self._chosen_for = held

    async def _stream_needs(
        self, held: frozenset[Instrument], smiles: Mapping[SeriesKey, Smile]
    ) -> None:
        """Subscribe to what a decision needs, and to more of it, if a need is not streamed."""
        self._ask_refused_again()
        listing, lines = self._listed(), self._chain_lines
        symbols = frozenset(each.symbol for each in (*held, *self._working()))
        first = [name for name in INDEX_NAMES[:_LEVELS] if name not in self._streams]
        if first:  # strikes follow from levels, those of calls on VIX from futures
            near = [each.symbol for each in listing.futures if each.root == "VX"]
            room = max(lines - len(self._streams) - len(first), 0)
            new = [symbol for symbol in near if symbol not in self._streams]
            await self._subscribe(await self._contracts([*first, *new[:room]]))
            self._require_health()
        for name in INDEX_NAMES[:_LEVELS]:
            if not self.level(name):
                raise MarketDataMissing(f"IB has sent no print of {name}")
        view = View(
            session=listing.session,
            spx=self.level("SPX"),
            vix=self.level("VIX"),
            futures=self._future_mids(),
            smiles=smiles,
            streamed=self._streamed(),
        )
        args = listing.series, listing.futures
        needed = needs(*args, view=view, held=symbols, appetite=self._appetite, lines=lines)
        self._say(needed)
        contracts = await self._contracts(needed.symbols)
        if all(name in self._streams for name in contracts):
            return
        await self._stream(
            choose(needed, *args, view=view, held=symbols, appetite=self._appetite, lines=lines)
        )

    async def _stream(self, names: Iterable[str]) -> None:
        """Stream these and nothing else."""
        wanted = await self._contracts(names)
        await self._unsubscribe(wanted)
        await self._subscribe(wanted)
        if any(name not in self._streams for name in wanted):
            raise BrokerUnavailable("the connection was lost while a chain was subscribed to")
        self.generation += 1

    def _say(self, needed: Needs) -> None:
        """Say what is not seen for want of lines, each thing once a session."""
        news = [each for each in needed.left_out if each not in self._said]
        self._said.update(news)
        if news:
            _log.warning("lines_too_few", lines=self._settings.lines, not_seen=news)

    async def _unsubscribe(self, wanted: Collection[str]) -> None:
        """Stop streaming what is not wanted; the throttle must not hold back a fence too long."""
        stale = [name for name in self._streams.tickers if name not in wanted]
        for batch in self._batches(stale):
            self._streams.drop(batch)
            await self._fence()

    async def _subscribe(self, wanted: Mapping[str, Contract]) -> None:
        """Stream what is wanted and not streamed yet, and wait for its first prices."""
        ib = await self._session.ready()
        lean_ticks.install(ib)
        new = [name for name in wanted if name not in self._streams]
        for batch in self._batches(new):
            self._streams.add(ib, {name: wanted[name] for name in batch})
            await self._fence()
        if new and self._settings.first_prices_s > 0:
            tickers = [self._streams.tickers[name] for name in new if name in self._streams]
            await first_prices(tickers, self._clock, self._settings.first_prices_s)

    def _batches(self, names: Sequence[str]) -> Iterator[Sequence[str]]:
        """Yield names in portions that the throttle lets pass within a fence's patience."""
        settings = self._session.settings
        size = int(settings.requests_per_second * settings.answer_s / 2) or len(names)
        for start in range(0, len(names), size or 1):
            yield names[start : start + size]

    @property
    def _chain_lines(self) -> int:
        """How many lines there are beside those of legs at work."""
        assert self._settings.lines is not None, "lines are counted where they are limited"
        return max(self._settings.lines - self._settings.leg_lines, 1)

    def _streamed(self) -> Streamed:
        """Return what is streamed, and what of it has been heard of but is not quoted."""
        tickers = self._streams.tickers
        unquoted = (
            name
            for name, ticker in tickers.items()
            if ticker.time is not None and not (price(ticker.bid) and price(ticker.ask))
        )
        return Streamed(frozenset(tickers), frozenset(unquoted))

    def _future_mids(self) -> dict[date, float]:
        """Return what VX cost, as far as they are streamed and quoted on both sides."""
        found = {}
        for future in self.futures():
            ticker = self._streams.tickers[future.symbol]
            bid, ask = price(ticker.bid), price(ticker.ask)
            if future.root == "VX" and bid and ask:
                found[future.expiry] = (bid + ask) / 2
        return found

    async def _contracts(self, names: Iterable[str]) -> dict[str, Contract]:
        indices = self._listed().indices
        found: dict[str, Contract | None] = {}
        for name in names:
            if name not in INDEX_NAMES:
                found[name] = self._qualifier.known(name)
            elif name in indices:
                found[name] = indices[name]
        unknown = [parse_symbol(name) for name, contract in found.items() if contract is None]
        if unknown:  # held strikes that are no longer listed
            found |= await self._qualifier.qualify(unknown)
        return {name: contract for name, contract in found.items() if contract is not None}

    def level(self, name: str) -> float:
        """Return the last print of an index; 0 where there is none."""
        ticker = self._streams.tickers.get(name)
        return 0.0 if ticker is None else price(ticker.last)

    def _listed(self) -> SessionListing:
        assert self._listing is not None, "a session is opened before it is streamed"
        return self._listing


def _row_of(instrument: Instrument) -> tuple[str, ...]:
    if not isinstance(instrument, OptionContract):
        return (instrument.symbol,)
    strike = instrument.strike
    return tuple(
        OptionContract(instrument.root, instrument.expiry, right, strike).symbol for right in Right
    )


def _report(progress: str) -> None:
    _log.info("reading_chain", progress=progress)
