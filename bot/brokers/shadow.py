"""Shadow trading: real quotes, simulated fills, and no way from one to the other's orders.

Quotes come from a data feed and are taken down on a tape as they are read; orders go to an exchange
that trades on that tape. While orders are at work their legs are read ahead of every instant at
which the exchange looks. What was not read is not known, and nothing trades on it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final, Protocol

import structlog

from bot.brokers.simulated import SimulatedBroker
from bot.errors import BotError, BrokerUnavailable, MarketDataMissing
from bot.exchange.exchange import GRID, Due, Exchange
from bot.exchange.orders import WORKING
from bot.exchange.tape import Tape
from bot.ports import Clock, DailyCloses, ForeignOrder, MarginImpact, MarketData, OrderReport
from strategies.model.book import Account
from strategies.model.fills import CashMovement, ExternalFill, Fill
from strategies.model.ids import ClientOrderId
from strategies.model.instruments import FutureContract, Instrument, OptionContract
from strategies.model.orders import ApprovedOrder, OrderIntent
from strategies.model.quotes import Quote
from strategies.model.snapshots import DailyHistory, MarketQuotes

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_JUST_AFTER: Final = timedelta(microseconds=1)
_AHEAD: Final = timedelta(seconds=2)  # legs are read so long before the exchange looks
# A bar of the day is provisional for some minutes; what is not there yet is asked for again
_PUBLISHED_AFTER: Final = timedelta(minutes=10)
_ASK_AGAIN: Final = timedelta(minutes=5)
_NOBODY: Final = Quote(bid=0.0, ask=0.0)

log = structlog.get_logger(__name__)


class Publications(Protocol):
    """Who knows what contracts settled at, once it is published."""

    async def settlement_value(self, instrument: Instrument) -> float | None:
        """Return what an expired instrument settles to; None while it is not published."""
        ...

    async def daily_settle(self, contract: FutureContract, session: date) -> float | None:
        """Return the daily settlement of a future; None while it is not published."""
        ...


class ShadowMarketData:
    """The MarketData port: real quotes, each taken down before anybody sees it."""

    def __init__(self, source: MarketData, exchange: Exchange, tape: Tape, clock: Clock) -> None:
        """Read from ``source``; ``exchange`` trades on ``tape``."""
        self._source = source
        self._exchange = exchange
        self._tape = tape
        self._clock = clock
        self._turn = asyncio.Lock()  # the source streams legs for one at a time
        # The exchange forgets how far it came without orders; what it then looked at stays as it is
        if tape.last_at is not None:
            exchange.advance_to(tape.last_at + GRID)

    async def fetch_market(self) -> MarketQuotes:
        """Return every quote as it stands now; those of positions are taken down."""
        market = await self._source.fetch_market()
        self._take_down(
            _held(market, (holding.instrument for holding in self._exchange.holdings())),
            {name: each.value for name, each in market.indices.items() if each.value > 0},
        )
        return market

    async def fetch_quotes(self, instruments: Sequence[Instrument]) -> dict[str, Quote]:
        """Return current quotes by symbol; that nobody quotes an instrument is taken down too."""
        async with self._turn:
            quotes = await self._source.fetch_quotes(instruments)
        self._take_down({each.symbol: quotes.get(each.symbol, _NOBODY) for each in instruments}, {})
        return quotes

    async def fetch_history(self, before: date) -> DailyHistory:
        """Return completed daily bars of sessions strictly before ``before``."""
        return await self._source.fetch_history(before)

    async def fetch_closes(self, symbol: str, before: date) -> DailyCloses | None:
        """Return an index's daily closes strictly before ``before``; None if there is none."""
        return await self._source.fetch_closes(symbol, before)

    def _take_down(self, quotes: Mapping[str, Quote], indices: Mapping[str, float]) -> None:
        at = max(self._clock.now(), self._exchange.now + _JUST_AFTER)
        self._tape.record(at, quotes, indices)
        self._exchange.advance_to(at)


class ShadowBroker:
    """The Broker port: the simulated exchange, kept in step with the quotes of a real one.

    Args:
        exchange: Trades on the tape behind ``quotes``.
        quotes: Real quotes.
        publications: Settlements as they are published.
        connect: Connects whatever ``quotes`` reads from.
        clock: The wall clock.
    """

    def __init__(
        self,
        exchange: Exchange,
        quotes: ShadowMarketData,
        publications: Publications,
        connect: Callable[[], Awaitable[None]],
        clock: Clock,
    ) -> None:
        self._exchange = exchange
        self._quotes = quotes
        self._publications = publications
        self._connect = connect
        self._clock = clock
        self._simulated = SimulatedBroker(exchange, clock)
        self._watch: asyncio.Task[None] | None = None
        self._asked: dict[Due, datetime] = {}
        self._settling = asyncio.Lock()

    async def connect(self) -> None:
        """Connect to the quotes, and look after orders a process before this one left at work.

        Raises: BrokerUnavailable, WrongAccount.
        """
        await self._connect()
        await self._simulated.connect()
        self._keep_watch()

    async def close(self) -> None:
        """Look after nothing any more."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)

    async def submit(self, order: ApprovedOrder) -> OrderReport:
        """Send an order to the simulated exchange, which must have seen its legs.

        Raises: BrokerUnavailable without quotes of the legs, OrderRejected.
        """
        await self._catch_up()
        if self._exchange.record(order.client_order_id) is None:
            await self._see([leg.instrument for leg in order.intent.legs])
        report = await self._simulated.submit(order)
        self._keep_watch()
        return report

    async def cancel(self, client_order_id: ClientOrderId) -> OrderReport:
        """Cancel what is left of an order; raises OutcomeUnknown for an id never seen."""
        await self._catch_up()
        return await self._simulated.cancel(client_order_id)

    async def fetch_orders(self) -> tuple[OrderReport, ...]:
        """Return every order of the simulated account."""
        await self._catch_up()
        return await self._simulated.fetch_orders()

    async def fetch_fills(self, since: datetime) -> tuple[Fill, ...]:
        """Return the simulated executions at or after ``since``, oldest first."""
        await self._catch_up()
        return await self._simulated.fetch_fills(since)

    async def fetch_foreign_orders(self) -> tuple[ForeignOrder, ...]:
        """Return the orders at work in the simulated account that are not ours."""
        await self._catch_up()
        return await self._simulated.fetch_foreign_orders()

    async def fetch_foreign_fills(self, since: datetime) -> tuple[ExternalFill, ...]:
        """Return the simulated executions that are not ours, oldest first."""
        await self._catch_up()
        return await self._simulated.fetch_foreign_fills(since)

    async def preview(self, order: OrderIntent) -> MarginImpact:
        """Return what the simulated account would look like with the order filled.

        Raises: BrokerUnavailable without quotes of the legs.
        """
        await self._catch_up()
        await self._see([leg.instrument for leg in order.legs])
        return await self._simulated.preview(order)

    async def server_time(self) -> datetime:
        """Return what time the simulated exchange says it is; it goes by the bot's own clock."""
        await self._catch_up()
        return await self._simulated.server_time()

    async def fetch_cash_movements(self, since: datetime) -> tuple[CashMovement, ...]:
        """Return deposits, settlements and variation at or after ``since``, oldest first."""
        await self._catch_up()
        return await self._simulated.fetch_cash_movements(since)

    async def fetch_positions(self) -> dict[str, int]:
        """Return net contracts by symbol, without zeros."""
        await self._catch_up()
        return await self._simulated.fetch_positions()

    async def fetch_marks(self) -> dict[str, float]:
        """Return the last mid seen of each position by symbol, index points."""
        await self._catch_up()
        return await self._simulated.fetch_marks()

    async def fetch_account(self) -> Account:
        """Return the account values, at the last quotes seen."""
        await self._catch_up()
        return await self._simulated.fetch_account()

    # --- quotes of legs at work ---------------------------------------------------------------

    async def _see(self, instruments: Sequence[Instrument]) -> None:
        """Take down quotes of legs that are about to trade."""
        if self._exchange.session_at(self._clock.now()) is None:
            return  # the exchange refuses the order for that
        try:
            await self._quotes.fetch_quotes(instruments)
        except MarketDataMissing as cause:
            raise BrokerUnavailable(f"{cause}; nothing was sent") from cause

    def _keep_watch(self) -> None:
        if self._watch is not None and self._watch.done():
            self._watch.result()  # what it did not survive must not be passed over
            self._watch = None
        if self._watch is None and working_instruments(self._exchange):
            self._watch = asyncio.create_task(self._look_ahead())

    async def _look_ahead(self) -> None:
        """While orders work, read their legs ahead of each instant the exchange looks at."""
        while legs := working_instruments(self._exchange):
            looks_at = _EPOCH + ((self._clock.now() + _AHEAD - _EPOCH) // GRID + 1) * GRID
            await self._sleep_until(looks_at - _AHEAD)
            try:
                await self._quotes.fetch_quotes(legs)
            except BotError as cause:
                log.warning("legs not seen", at=looks_at.isoformat(), reason=str(cause))
            await self._sleep_until(looks_at)
            self._exchange.advance_to(self._clock.now())

    async def _sleep_until(self, at: datetime) -> None:
        await self._clock.sleep((at - self._clock.now()).total_seconds())

    # --- settlements --------------------------------------------------------------------------

    async def _catch_up(self) -> None:
        """Bring the exchange to the clock's instant, and book what has been published by then."""
        self._exchange.advance_to(self._clock.now())
        self._keep_watch()
        async with self._settling:
            try:
                for due, since in self._exchange.awaited().items():
                    await self._settle(due, since)
            except BrokerUnavailable as cause:  # so are the others; the account stands without
                log.warning("settlements not learnt", reason=str(cause))

    async def _settle(self, due: Due, since: datetime) -> None:
        now = self._clock.now()
        asked_at = self._asked.get(due)
        if now < since + _PUBLISHED_AFTER or (asked_at and now < asked_at + _ASK_AGAIN):
            return
        self._asked[due] = now
        try:
            points = await self._ask(due)
        except MarketDataMissing as cause:
            log.warning("settlement not learnt", symbol=due.instrument.symbol, reason=str(cause))
            return
        if points is None:
            log.info("settlement not published", symbol=due.instrument.symbol)
            return
        self._exchange.tell(due, points, self._clock.now())

    async def _ask(self, due: Due) -> float | None:
        if due.is_final:
            return await self._publications.settlement_value(due.instrument)
        assert isinstance(due.instrument, FutureContract), "only futures are marked"
        return await self._publications.daily_settle(due.instrument, due.session)


def working_instruments(exchange: Exchange) -> tuple[Instrument, ...]:
    """Return the legs of the orders at work, each once."""
    legs = (
        leg.instrument
        for record in exchange.records()
        if record.report.status in WORKING
        for leg in record.order.legs
    )
    return tuple(sorted(set(legs), key=lambda each: each.symbol))


def _held(market: MarketQuotes, instruments: Iterable[Instrument]) -> dict[str, Quote]:
    """Return the quotes of those instruments that the market shows; no quote hides an older one."""
    chains = {"SPX": market.spx_options, "VIX": market.vix_options}
    futures = {each.contract: each.quote for each in market.futures}
    found: dict[str, Quote] = {}
    for each in instruments:
        if isinstance(each, OptionContract):
            chain = chains[each.underlying]
            if chain.find_row(each) is not None:
                found[each.symbol] = chain.quote(each)
        elif each in futures:
            found[each.symbol] = futures[each]
    return {symbol: quote for symbol, quote in found.items() if quote.bid or quote.ask}
