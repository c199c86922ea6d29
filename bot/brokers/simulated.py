"""The simulated exchange in-process, behind the two ports of a broker.

Both adapters first bring the exchange to the clock's instant. After a restart the exchange may
already be ahead of the clock; it never goes back, and answers as of its own instant.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime

from bot.errors import BrokerUnavailable, OrderRejected
from bot.exchange.exchange import Exchange
from bot.exchange.orders import WORKING, NewOrder, OrderRecord
from bot.ports import Clock, DailyCloses, ForeignOrder, MarginImpact, OrderReport
from state.crash_points import CrashPoint, crash_point
from strategies.model.book import Account
from strategies.model.fills import CashMovement, ExternalFill, ExternalSource, Fill
from strategies.model.ids import ClientOrderId, is_own_id
from strategies.model.instruments import Instrument
from strategies.model.lifecycle import OrderStatus
from strategies.model.orders import ApprovedOrder, OrderIntent
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
        crash_point(CrashPoint.SUBMIT_BEFORE_WIRE)
        report = exchange.submit(_new_order(order.intent), self._clock.now())
        crash_point(CrashPoint.SUBMIT_AFTER_WIRE)
        if report.status is OrderStatus.REJECTED:
            raise OrderRejected(report.note)
        crash_point(CrashPoint.SUBMIT_BEFORE_ACK)
        return report

    async def cancel(self, client_order_id: ClientOrderId) -> OrderReport:
        """Cancel what is left of an order; the state of a done order is returned unchanged.

        Raises: BrokerUnavailable before ``connect``, OutcomeUnknown for an id never seen.
        """
        exchange = self._arrive()
        crash_point(CrashPoint.CANCEL_BEFORE_WIRE)
        report = exchange.cancel(client_order_id, self._clock.now())
        crash_point(CrashPoint.CANCEL_AFTER_WIRE)
        return report

    async def fetch_orders(self) -> tuple[OrderReport, ...]:
        """Return every order of ours, open and completed, rejected ones included."""
        reports = self._arrive().orders()
        return tuple(report for report in reports if is_own_id(report.client_order_id))

    async def fetch_fills(self, since: datetime) -> tuple[Fill, ...]:
        """Return the executions of ours at or after ``since``, oldest first."""
        fills = self._arrive().fills(since)
        return tuple(fill for fill in fills if is_own_id(fill.client_order_id))

    async def fetch_foreign_orders(self) -> tuple[ForeignOrder, ...]:
        """Return the orders at work in the account that have no id of ours."""
        records = self._arrive().records()
        return tuple(
            _foreign_order(record)
            for record in records
            if record.report.status in WORKING and not is_own_id(record.order.client_order_id)
        )

    async def fetch_foreign_fills(self, since: datetime) -> tuple[ExternalFill, ...]:
        """Return the executions of orders that have no id of ours, oldest first."""
        fills = self._arrive().fills(since)
        return tuple(_external(fill) for fill in fills if not is_own_id(fill.client_order_id))

    async def preview(self, order: OrderIntent) -> MarginImpact:
        """Return what the account would look like with the order filled; nothing is placed."""
        exchange = self._arrive()
        estimate = exchange.estimate(_new_order(order))
        return MarginImpact(
            initial_margin_after_usd=estimate.initial_after,
            maintenance_margin_after_usd=estimate.maintenance_after,
            excess_liquidity_after_usd=estimate.equity_after - estimate.maintenance_after,
        )

    async def server_time(self) -> datetime:
        """Return the exchange's instant."""
        return self._arrive().now

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


def _new_order(intent: OrderIntent) -> NewOrder:
    return NewOrder(
        client_order_id=intent.client_order_id,
        legs=intent.legs,
        quantity=intent.quantity,
        limit_price=intent.limit_price,
    )


def _foreign_order(record: OrderRecord) -> ForeignOrder:
    order, report = record.order, record.report
    return ForeignOrder(
        broker_order_id=report.broker_order_id,
        source=_source_of(order.client_order_id),
        reference=order.client_order_id,
        legs=tuple((leg.instrument.symbol, leg.ratio) for leg in order.legs),
        quantity=order.quantity,
        filled_quantity=report.filled_quantity,
        limit_price=order.limit_price,
    )


def _external(fill: Fill) -> ExternalFill:
    return ExternalFill(
        exec_root=fill.exec_root,
        revision=fill.revision,
        source=_source_of(fill.client_order_id),
        reference=fill.client_order_id,
        symbol=fill.symbol,
        side=fill.side,
        quantity=fill.quantity,
        price=fill.price,
        commission_usd=fill.commission_usd,
        executed_at=fill.executed_at,
    )


def _source_of(reference: str) -> ExternalSource:
    """Return who placed an order at the simulated exchange, by the beginning of its id."""
    if reference.startswith("liquidation"):
        return ExternalSource.LIQUIDATION
    return ExternalSource.CLIENT if reference.startswith("client") else ExternalSource.MANUAL
