"""The four ports: what the engine needs from the world, and nothing about who provides it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from strategies.model.book import Account
from strategies.model.fills import CashMovement, ExternalFill, ExternalSource, Fill
from strategies.model.ids import ClientOrderId
from strategies.model.instruments import Instrument
from strategies.model.lifecycle import OrderStatus
from strategies.model.orders import ApprovedOrder, OrderIntent
from strategies.model.quotes import FloatArray, Quote
from strategies.model.snapshots import DailyHistory, MarketQuotes


class Clock(Protocol):
    """Time as the bot knows it."""

    def now(self) -> datetime:
        """Return the current instant, aware, in UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for ``seconds`` of this clock's time."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderReport:
    """What the broker says about one order of ours."""

    client_order_id: ClientOrderId
    broker_order_id: str  # permanent id (IB's permId)
    status: OrderStatus
    filled_quantity: int  # packages
    leaves_quantity: int  # packages
    limit_price: Decimal
    note: str = ""  # the broker's words, the reason of a rejection
    echo_differs: str = ""  # how the order the broker holds is another than was sent (fault A26)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignOrder:
    """An order at work in the account that is not the bot's."""

    broker_order_id: str
    source: ExternalSource
    reference: str  # orderRef, client id: whatever the broker says of who it was
    legs: tuple[tuple[str, int], ...]  # (symbol, signed contracts of one package, bought > 0)
    quantity: int  # packages
    filled_quantity: int
    limit_price: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginImpact:
    """What the account would look like once an order has filled, USD."""

    initial_margin_after_usd: Decimal
    maintenance_margin_after_usd: Decimal
    excess_liquidity_after_usd: Decimal
    note: str = ""  # the broker's words, if it would refuse the order


class Broker(Protocol):
    """Order entry and account truth. Silence is an error, never an empty answer."""

    async def connect(self) -> None:
        """Connect and return once every question below can be answered.

        Raises: BrokerUnavailable.
        """
        ...

    async def submit(self, order: ApprovedOrder) -> OrderReport:
        """Send ``order`` once and return the broker's acknowledgement.

        Raises: BrokerUnavailable (nothing was sent), OutcomeUnknown, OrderRejected.
        """
        ...

    async def cancel(self, client_order_id: ClientOrderId) -> OrderReport:
        """Ask to cancel and return the order's state once the broker has confirmed one.

        Raises: BrokerUnavailable, OutcomeUnknown.
        """
        ...

    async def fetch_orders(self) -> tuple[OrderReport, ...]:
        """Return every order of ours the broker knows, open and completed."""
        ...

    async def fetch_fills(self, since: datetime) -> tuple[Fill, ...]:
        """Return the executions of ours at or after ``since``, oldest first."""
        ...

    async def fetch_foreign_orders(self) -> tuple[ForeignOrder, ...]:
        """Return the orders at work in the account that are not ours."""
        ...

    async def fetch_foreign_fills(self, since: datetime) -> tuple[ExternalFill, ...]:
        """Return executions in the account at or after ``since`` that are not ours."""
        ...

    async def preview(self, order: OrderIntent) -> MarginImpact:
        """Return what the account would look like with the order filled; nothing is placed.

        Raises: BrokerUnavailable.
        """
        ...

    async def server_time(self) -> datetime:
        """Return what time the broker says it is; proves that it still answers.

        Raises: BrokerUnavailable.
        """
        ...

    async def fetch_cash_movements(self, since: datetime) -> tuple[CashMovement, ...]:
        """Return settlements and variation margin booked at or after ``since``, oldest first."""
        ...

    async def fetch_positions(self) -> dict[str, int]:
        """Return net contracts by symbol, without zeros; an empty dict is a statement."""
        ...

    async def fetch_marks(self) -> dict[str, float]:
        """Return the broker's own mark of each position by symbol, index points."""
        ...

    async def fetch_account(self) -> Account:
        """Return the account values."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DailyCloses:
    """The closes of one symbol, oldest first; arrays (n,)."""

    day: NDArray[np.datetime64]  # datetime64[D], ascending
    close: FloatArray


class MarketData(Protocol):
    """Quotes and history."""

    async def fetch_market(self) -> MarketQuotes:
        """Return every quote as it stands now.

        Raises: MarketDataMissing, BrokerUnavailable.
        """
        ...

    async def fetch_quotes(self, instruments: Sequence[Instrument]) -> dict[str, Quote]:
        """Return current quotes by symbol, each with its time; what nobody quotes is left out."""
        ...

    async def fetch_history(self, before: date) -> DailyHistory:
        """Return completed daily bars of sessions strictly before ``before``.

        The same object all session: what is worked out of a history is kept by its identity.
        """
        ...

    async def fetch_closes(self, symbol: str, before: date) -> DailyCloses | None:
        """Return a symbol's daily closes strictly before ``before``; None if it is not supplied.

        Raises: BrokerUnavailable.
        """
        ...


class Alerts(Protocol):
    """Tell a person."""

    def raise_alert(self, severity: str, text: str) -> None:
        """Deliver ``text``; never blocks trading and never raises."""
        ...
