"""Interactive Brokers behind the Broker port: order entry and account truth over one connection.

An order is sent once. What became of it is known from IB's own messages, put together by our ids in
``OrderBook``; every question first waits until whatever IB said before has arrived. A view that is
not whole is no answer: a fill whose commission is missing, or a status whose executions are, makes
a question fail rather than half succeed.
"""

from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Protocol, TypeVar

from bot.brokers.ib.connection import IbSession
from bot.brokers.ib.foreign import external_fill
from bot.brokers.ib.library import IB, Contract, RequestError
from bot.brokers.ib.margin import impact_of, unchanged
from bot.brokers.ib.order_book import OrderBook
from bot.brokers.ib.order_entry import Contracts, OrderEntry
from bot.brokers.ib.orders import ExecutionLine
from bot.brokers.ib.sent_orders import SentOrders
from bot.brokers.ib.values import account_of
from bot.brokers.ib.view import Patience, View
from bot.errors import BrokerUnavailable, MarketDataMissing
from bot.ports import Clock, ForeignOrder, MarginImpact, OrderReport
from strategies.model.book import Account
from strategies.model.fills import CashMovement, ExternalFill, Fill
from strategies.model.ids import ClientOrderId
from strategies.model.orders import ApprovedOrder, OrderIntent

T = TypeVar("T")

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_OVERLAP = timedelta(days=1)  # late executions and corrections of earlier ones are told again


class CashMovements(Protocol):
    """Who works out the cash movements IB's API never tells."""

    def take(self, fills: Iterable[Fill | ExternalFill]) -> None:
        """Take over executions; those known already change nothing."""
        ...

    async def movements(self, since: datetime, until: datetime) -> tuple[CashMovement, ...]:
        """Return what was booked from ``since`` to ``until``, oldest first."""
        ...


# Begins the cash movements, given the account's cash when the bot first looked
OpenCash = Callable[[Decimal], CashMovements]


class IbBroker:
    """The Broker port over a connection to an IB Gateway.

    Args:
        session: The connection that trades; its order events go to ``book``.
        book: What IB said about our orders.
        contracts: Qualifies legs and says what positions are.
        open_cash: Begins the derived cash movements.
        clock: The bot's.
        patience: How long things may take.
        sent: What this machine has sent before.
        prove: Proves once that orders may be sent; raises HaltTrading if they may not.
    """

    def __init__(
        self,
        session: IbSession,
        book: OrderBook,
        contracts: Contracts,
        open_cash: OpenCash,
        clock: Clock,
        patience: Patience | None = None,
        sent: SentOrders | None = None,
        prove: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._session = session
        self._book = book
        self._contracts = contracts
        self._open_cash = open_cash
        self._clock = clock
        self._view = View(session, book, patience or Patience())
        sent = SentOrders() if sent is None else sent
        self._entry = OrderEntry(session, book, contracts, self._view, clock, sent)
        self._prove = prove
        book.expect(session.settings.account, sent)
        self._cash: CashMovements | None = None
        self._cash_from = _BEGINNING

    # --- the connection -----------------------------------------------------------------------

    async def connect(self) -> None:
        """Connect, prove the account, and have everything told once.

        Raises: BrokerUnavailable, WrongAccount; HaltTrading if orders may not be sent.
        """
        await self._session.connect()
        if self._prove is not None:
            await self._prove()
            self._prove = None
        self._view.is_open = True
        if self._cash is None:
            self._cash = self._open_cash((await self.fetch_account()).cash_usd)

    # --- orders -------------------------------------------------------------------------------

    async def submit(self, order: ApprovedOrder) -> OrderReport:
        """Send an order; one that was sent already is not sent again, its state is returned.

        Raises: BrokerUnavailable (nothing was sent), OutcomeUnknown, OrderRejected.
        """
        return await self._entry.submit(order)

    async def cancel(self, client_order_id: ClientOrderId) -> OrderReport:
        """Cancel what is left of an order; the state of a done order is returned unchanged.

        Raises: BrokerUnavailable, OutcomeUnknown.
        """
        return await self._entry.cancel(client_order_id)

    # --- questions ----------------------------------------------------------------------------

    async def fetch_orders(self) -> tuple[OrderReport, ...]:
        """Return every order of ours that IB speaks of, and those refused before they were sent.

        Open orders and those of today that are over, of whichever client: a whole statement.

        Raises: BrokerUnavailable rather than part of it.
        """
        await self._view.whole()
        return self._book.reports()

    async def fetch_fills(self, since: datetime) -> tuple[Fill, ...]:
        """Return the executions at or after ``since``, oldest first.

        Waits for what IB's own figures say is missing: first a little, then by asking for all
        executions again, then longer where legs of a package are lacking. Legs that stay away are
        IB's truth and are told; a missing commission or execution is not, and raises.

        Raises: BrokerUnavailable.
        """
        await self._view.arrive()
        sums, view = self._book.sums, self._view
        patience = view.patience
        if sums.missing() and not await view.hears(lambda: not sums.missing(), patience.drain_s):
            await self._session.synchronise()
            sums.keep_earlier_commissions()
            if sums.has_loose_legs():
                await self._view.hears(lambda: not sums.has_loose_legs(), patience.legs_s)
            if missing := sums.missing_truth():
                raise BrokerUnavailable(f"the executions are not whole: {missing}")
        return self._book.fills(since)

    async def fetch_foreign_orders(self) -> tuple[ForeignOrder, ...]:
        """Return the orders at work in the account that bear no reference of ours.

        Raises: BrokerUnavailable.
        """
        await self._view.whole()
        account, foreign = self._session.settings.account, self._book.foreign
        legs = {each: await self._contracts.symbol(each) for each in foreign.leg_ids(account)}
        return foreign.orders(account, self._symbol, legs)

    async def fetch_foreign_fills(self, since: datetime) -> tuple[ExternalFill, ...]:
        """Return executions in the account that no order of ours explains, oldest first.

        Raises: BrokerUnavailable, also where what one of them cost has not been told.
        """
        await self._view.whole()
        account, book = self._session.settings.account, self._book
        cost = book.executions.commission_of

        def lines() -> tuple[ExecutionLine, ...]:
            return book.foreign.lines(since, account)

        def is_whole() -> bool:
            return all(cost(line) is not None for line in lines())

        if not is_whole() and not await self._view.hears(is_whole, self._view.patience.drain_s):
            await self._session.synchronise()
        if (unknown := next((line for line in lines() if cost(line) is None), None)) is not None:
            raise BrokerUnavailable(f"the commission of {unknown.exec_id} has not been told")
        return self._told_of_others(since)

    async def preview(self, order: OrderIntent) -> MarginImpact:
        """Return what the account would look like with the order filled; nothing is placed.

        Of an order that IB would not take the note says why; the account is as it stands.

        Raises: BrokerUnavailable.
        """
        self._view.require()
        try:
            state = await self._entry.what_if(order)
        except MarketDataMissing as unknown:
            return unchanged(await self.fetch_account(), f"not listed: {unknown}")
        except RequestError as refusal:
            return unchanged(await self.fetch_account(), f"{refusal.code} {refusal.message}")
        return impact_of(state)

    async def server_time(self) -> datetime:
        """Return what time IB says it is, to the second; without an answer the connection ends.

        Raises: BrokerUnavailable.
        """
        self._view.require()
        return await self._session.fence()

    async def fetch_cash_movements(self, since: datetime) -> tuple[CashMovement, ...]:
        """Return deposits, settlements and variation at or after ``since``, oldest first.

        Raises: BrokerUnavailable.
        """
        fills = await self.fetch_fills(self._cash_from)
        assert self._cash is not None, "connected before"
        self._cash.take(fills)
        self._cash.take(self._told_of_others(self._cash_from))
        if fills:
            self._cash_from = fills[-1].executed_at - _OVERLAP
        return await self._cash.movements(since, self._clock.now())

    async def fetch_positions(self) -> dict[str, int]:
        """Return net contracts by symbol, without zeros, from a list asked for now.

        What the bot does not trade stands there under IB's name, so that it is a difference.

        Raises: BrokerUnavailable.
        """
        told = await self._fetch("positions", lambda ib: ib.reqPositionsAsync())
        latest = {
            position.contract.conId: position
            for position in told
            if position.account == self._session.settings.account
        }
        return {
            self._symbol(position.contract): int(position.position)
            for position in latest.values()
            if position.position
        }

    async def fetch_marks(self) -> dict[str, float]:
        """Return IB's mark of each position by symbol, index points.

        Raises: BrokerUnavailable.
        """
        await self._tell_account()
        account = self._session.settings.account
        return {
            self._symbol(item.contract): float(item.marketPrice)
            for item in self._session.ib.portfolio(account)
            if item.position
        }

    async def fetch_account(self) -> Account:
        """Return the account values.

        Raises: BrokerUnavailable.
        """
        await self._tell_account()
        account = self._session.settings.account
        return account_of(self._session.ib.accountValues(account))

    async def _tell_account(self) -> None:
        """Have account values and portfolio told anew: IB sends changes every three minutes."""
        account = self._session.settings.account
        await self._fetch("account values", lambda ib: ib.reqAccountUpdatesAsync(account))

    def _told_of_others(self, since: datetime) -> tuple[ExternalFill, ...]:
        """Return the foreign executions of which everything has been told."""
        cost = self._book.executions.commission_of
        return tuple(
            external_fill(line, self._symbol(line.contract), commission_usd)
            for line in self._book.foreign.lines(since, self._session.settings.account)
            if (commission_usd := cost(line)) is not None
        )

    async def _fetch(self, what: str, question: Callable[[IB], Awaitable[T]]) -> T:
        self._view.require()
        return await self._session.fetch(what, question)

    def _symbol(self, contract: Contract) -> str:
        try:
            return self._contracts.instrument(contract).symbol
        except ValueError:
            return str(contract.localSymbol or contract.symbol or contract.conId)
