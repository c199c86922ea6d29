"""What has been told: waited for until now, or asked for anew where what is left out matters."""

from collections.abc import Callable
from dataclasses import dataclass

from bot.brokers.ib.connection import IbSession
from bot.brokers.ib.order_book import OrderBook
from bot.errors import BrokerUnavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long IB may take, seconds.

    Attributes:
        acknowledge_s: From sending an order to the first word about it.
        cancel_s: From asking to cancel to the confirmed end.
        margin_s: For a what-if; some are never answered.
        drain_s: For executions and commissions that IB's own figures say are under way.
        legs_s: For the other legs of a package of which one has traded.
        recheck_s: After so long IB's lists are asked for again while an order is open.
        statement_s: How old IB's lists may be where what they do not name is of weight.
    """

    acknowledge_s: float = 10.0
    cancel_s: float = 10.0
    margin_s: float = 5.0
    drain_s: float = 3.0
    legs_s: float = 30.0
    recheck_s: float = 300.0
    statement_s: float = 20.0


class View:
    """The view of orders and executions over one connection.

    Args:
        session: The connection that trades.
        book: What IB said about our orders.
        patience: How long things may take.
    """

    def __init__(self, session: IbSession, book: OrderBook, patience: Patience) -> None:
        self._session = session
        self._book = book
        self.patience = patience
        self.is_open = False  # connected once; from then on a lost connection is made anew

    def require(self) -> None:
        """Raise BrokerUnavailable unless there was a connection."""
        if not self.is_open:
            raise BrokerUnavailable("not connected; nothing was sent")

    async def arrive(self) -> None:
        """Have everything IB said until now, and its lists where something is in doubt.

        A message can be lost without a trace, so while an order is open the lists are asked for
        every few minutes in any case.
        """
        self.require()
        await self._session.arrive()
        is_old = self._session.view_age_s > self.patience.recheck_s
        if self._book.has_doubts() or (is_old and self._book.has_open_orders()):
            await self._session.synchronise()

    async def whole(self) -> None:
        """Have all that IB lists, from lists told a moment ago: what they leave out is not there.

        Raises: BrokerUnavailable rather than half of it.
        """
        await self.arrive()
        if self._session.view_age_s > self.patience.statement_s:
            await self._session.synchronise()

    async def hears(self, is_true: Callable[[], bool], seconds: float) -> bool:
        """Wait for something to be heard; also ends when the connection does."""
        await self._book.wait(lambda: is_true() or not self._session.is_connected, seconds)
        return is_true()
