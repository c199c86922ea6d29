"""What the data connection streams: settled once a session, and whenever positions change."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Final

import structlog

from bot.brokers.ib import lean_ticks
from bot.brokers.ib.columns import SeriesKey
from bot.brokers.ib.connection import IbSession
from bot.brokers.ib.contracts import INDEX_NAMES, NotOurs
from bot.brokers.ib.data_settings import IbDataSettings
from bot.brokers.ib.errors_table import Code
from bot.brokers.ib.health import FeedHealth
from bot.brokers.ib.library import IB, Contract, Ticker
from bot.brokers.ib.listing import SessionListing, read_listing
from bot.brokers.ib.qualifier import Qualifier
from bot.brokers.ib.quotes import Streams, first_prices, price
from bot.brokers.ib.selection import Appetite, choose
from bot.errors import BrokerUnavailable
from bot.ports import Clock
from strategies.model.calendars import TradingCalendar
from strategies.model.instruments import (
    FutureContract,
    Instrument,
    OptionContract,
    Right,
    parse_symbol,
)

_DRIFTS: Final = {"SPX": 0.01, "VIX": 0.10}  # after such moves strikes are chosen anew
_OPTIONAL: Final = frozenset(INDEX_NAMES) - {"SPX", "VIX"}
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
        self._chosen_for: tuple[frozenset[Instrument], frozenset[Instrument]] | None = None
        self._chosen_at: dict[str, float] = {}
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

    async def prepare(self, session: date) -> None:
        """Have everything streamed that is to be streamed now, and everything sent so far arrived.

        Raises: BrokerUnavailable; MarketDataMissing where quotes may not be used.
        """
        await self._session.fence()
        held = await self._held()
        if self._listing is None or self._listing.session != session:
            await self._open(session, held)
        await self._stream(held)
        self._health.require(
            optional=_OPTIONAL,
            tickers=self._streams.tickers,
            farms=self._session.truth().farms,
        )

    async def _start_over(self) -> None:
        """Take note that no subscription is left; the next look makes them again."""
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

    async def _stream(self, held: frozenset[Instrument]) -> None:
        """Subscribe to what is to be streamed now, if that has changed."""
        refused = [name for name in self._health.refused if name in self._streams]
        if refused:  # ask again: permissions and lines come back without a word
            self._streams.drop(refused)
            self._health.forgive(refused)
            self._chosen_for = None
        is_limited = self._settings.lines is not None
        working = frozenset(self._working()) if is_limited else frozenset()
        if self._chosen_for == (held, working) and not self._has_drifted():
            return
        ib = await self._session.ready()
        lean_ticks.install(ib)
        if is_limited:  # strikes follow from the levels
            indices = self._listed().indices
            await self._subscribe(ib, indices)
        wanted = await self._contracts(self._choose(held, working))
        await self._unsubscribe(wanted)
        await self._subscribe(ib, wanted)
        if any(name not in self._streams for name in wanted):
            raise BrokerUnavailable("the connection was lost while a chain was subscribed to")
        self._chosen_for = held, working
        self._chosen_at = {name: self.level(name) for name in _DRIFTS}
        self.generation += 1

    async def _unsubscribe(self, wanted: Collection[str]) -> None:
        """Stop streaming what is not wanted; the throttle must not hold back a fence too long."""
        stale = [name for name in self._streams.tickers if name not in wanted]
        for batch in self._batches(stale):
            self._streams.drop(batch)
            await self._session.fence()

    async def _subscribe(self, ib: IB, wanted: Mapping[str, Contract]) -> None:
        """Stream what is wanted and not streamed yet, and wait for its first prices."""
        new = [name for name in wanted if name not in self._streams]
        for batch in self._batches(new):
            self._streams.add(ib, {name: wanted[name] for name in batch})
            await self._session.fence()
        if new and self._settings.first_prices_s > 0:
            tickers = [self._streams.tickers[name] for name in new if name in self._streams]
            await first_prices(tickers, self._clock, self._settings.first_prices_s)

    def _batches(self, names: Sequence[str]) -> Iterator[Sequence[str]]:
        """Yield names in portions that the throttle lets pass within a fence's patience."""
        settings = self._session.settings
        size = int(settings.requests_per_second * settings.answer_s / 2) or len(names)
        for start in range(0, len(names), size or 1):
            yield names[start : start + size]

    def _choose(
        self, held: frozenset[Instrument], working: frozenset[Instrument]
    ) -> tuple[str, ...]:
        lines = self._settings.lines
        if lines is None:  # where there are lines enough, both rights of a held strike
            symbols = [symbol for each in held for symbol in _row_of(each)]
        else:
            lines = max(lines - self._settings.leg_lines, 1)
            symbols = [each.symbol for each in held]
        listing = self._listed()
        return choose(
            listing.series,
            listing.futures,
            session=listing.session,
            spx=self.level("SPX"),
            vix=self.level("VIX"),
            held=symbols,
            working=[each.symbol for each in working],
            appetite=self._appetite,
            lines=lines,
        )

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

    def _has_drifted(self) -> bool:
        """Return whether strikes of interest are other ones than those that are streamed."""
        if self._settings.lines is None:
            return False
        return any(
            abs(self.level(name) - chosen_at) > _DRIFTS[name] * chosen_at
            for name, chosen_at in self._chosen_at.items()
        )

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
