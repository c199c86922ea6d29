"""The simulated exchange in-process, behind the two ports of a broker.

Both adapters first bring the exchange to the clock's instant. After a restart the exchange may
already be ahead of the clock; it never goes back, and answers as of its own instant.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime

from bot.errors import BrokerUnavailable, OrderRejected
from bot.exchange.exchange import Exchange
from bot.exchange.orders import NewOrder
from bot.ports import Clock, DailyCloses, OrderReport
from strategies.model.book import Account
from strategies.model.fills import CashMovement, Fill
from strategies.model.ids import ClientOrderId
from strategies.model.instruments import Instrument
from strategies.model.lifecycle import OrderStatus
from strategies.model.orders import ApprovedOrder
from strategies.model.quotes import Quote
from strategies.model.snapshots import DailyHistory, MarketQuotes


class SimulatedBroker:
    """The Broker port over an exchange and a clock."""

    def __init__(self, exchange: Exchange, clock: Clock) -> None:
        self._exchange = exchange
        self._clock = clock
        self._is_connected = False

    async def connect(self) -> None:
        """Start answering."""
        self._is_connected = True
        self._arrive()

    async def submit(self, order: ApprovedOrder) -> OrderReport:
        """Send an order; one the exchange knows already is not sent again, its state is returned.

        Raises: BrokerUnavailable before ``connect``, OrderRejected with the exchange's reason.
        """
        exchange = self._arrive()
        intent = order.intent
        report = exchange.submit(
            NewOrder(
                client_order_id=order.client_order_id,
                legs=intent.legs,
                quantity=intent.quantity,
                limit_price=intent.limit_price,
            ),
            self._clock.now(),
        )
        if report.status is OrderStatus.REJECTED:
            raise OrderRejected(report.note)
        return report

    async def cancel(self, client_order_id: ClientOrderId) -> OrderReport:
        """Cancel what is left of an order; the state of a done order is returned unchanged.

        Raises: BrokerUnavailable before ``connect``, OutcomeUnknown for an id never seen.
        """
        return self._arrive().cancel(client_order_id, self._clock.now())

    async def fetch_orders(self) -> tuple[OrderReport, ...]:
        """Return every order of the account, open and completed, rejected ones included."""
        return self._arrive().orders()

    async def fetch_fills(self, since: datetime) -> tuple[Fill, ...]:
        """Return the executions at or after ``since``, oldest first."""
        return self._arrive().fills(since)

    async def fetch_cash_movements(self, since: datetime) -> tuple[CashMovement, ...]:
        """Return deposits, settlements and variation at or after ``since``, oldest first."""
        return self._arrive().cash_movements(since)

    async def fetch_positions(self) -> dict[str, int]:
        """Return net contracts by symbol, without zeros."""
        return self._arrive().positions()

    async def fetch_marks(self) -> dict[str, float]:
        """Return the mark of each position by symbol, index points."""
        return self._arrive().marks()

    async def fetch_account(self) -> Account:
        """Return the account values."""
        return self._arrive().account()

    def _arrive(self) -> Exchange:
        """Bring the exchange to the clock's instant."""
        if not self._is_connected:
            raise BrokerUnavailable("not connected; nothing was sent")
        self._exchange.advance_to(self._clock.now())
        return self._exchange


class SimulatedMarketData:
    """The MarketData port: the exchange's market, with every option the account holds in it."""

    def __init__(self, exchange: Exchange, clock: Clock) -> None:
        self._exchange = exchange
        self._clock = clock

    async def fetch_market(self) -> MarketQuotes:
        """Return every quote as it stands now.

        Raises: MarketDataMissing outside session hours or outside the market's range.
        """
        now = self._clock.now()
        self._exchange.advance_to(now)
        return self._exchange.quotes_at(now)

    async def fetch_quotes(self, instruments: Sequence[Instrument]) -> dict[str, Quote]:
        """Return current quotes by symbol; an instrument nobody quotes is left out.

        Raises: MarketDataMissing outside session hours or outside the market's range.
        """
        now = self._clock.now()
        market = self._exchange.market
        quotes = {each.symbol: market.quote(each, now) for each in instruments}
        return {
            symbol: replace(quote, quoted_at=now)
            for symbol, quote in quotes.items()
            if quote is not None
        }

    async def fetch_history(self, before: date) -> DailyHistory:
        """Return completed daily bars of sessions strictly before ``before``."""
        return self._exchange.market.history(before)

    async def fetch_closes(self, symbol: str, before: date) -> DailyCloses | None:
        """Return an index's daily closes strictly before ``before``; None if there is none."""
        return self._exchange.market.closes(symbol, before)
