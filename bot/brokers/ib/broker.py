"""Interactive Brokers behind the Broker port: order entry and account truth over one connection.

An order is sent once. What became of it is known from IB's own messages, put together by our ids in
``OrderBook``; every question first waits until whatever IB said before has arrived. A view that is
not whole is no answer: a fill whose commission is missing, or a status whose executions are, makes
a question fail rather than half succeed.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Protocol, TypeVar

import structlog

from bot.brokers.ib.connection import IbSession
from bot.brokers.ib.foreign import external_fill
from bot.brokers.ib.library import IB, Contract, Order, RequestError
from bot.brokers.ib.margin import ask_margin, impact_of, margin_refusal, unchanged
from bot.brokers.ib.order_book import OrderBook
from bot.brokers.ib.orders import ExecutionLine, contract_of, order_of, package_of
from bot.brokers.ib.sent_orders import SentOrders
from bot.brokers.ib.values import account_of
from bot.errors import BrokerUnavailable, MarketDataMissing, OrderRejected, OutcomeUnknown
from bot.ports import Clock, ForeignOrder, MarginImpact, OrderReport
from strategies.model.book import Account
from strategies.model.fills import CashMovement, ExternalFill, Fill
from strategies.model.ids import ClientOrderId
from strategies.model.instruments import Instrument
from strategies.model.lifecycle import OrderStatus
from strategies.model.orders import ApprovedOrder, OrderIntent, PositionEffect

log = structlog.get_logger(__name__)

T = TypeVar("T")

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_OVERLAP = timedelta(days=1)  # late executions and corrections of earlier ones are told again


class Contracts(Protocol):
    """Who knows IB's contracts."""

    async def qualify(self, instruments: Iterable[Instrument]) -> Mapping[str, Contract]:
        """Return the contract of each instrument by symbol.

        Raises: BrokerUnavailable, MarketDataMissing.
        """
        ...

    def instrument(self, contract: Contract) -> Instrument:
        """Return what a contract is; raises ValueError for what the bot does not trade."""
        ...

    async def symbol(self, con_id: int) -> str:
        """Return the symbol of a contract by IB's id; IB's own words for what is not traded.

        Raises: BrokerUnavailable, MarketDataMissing.
        """
        ...


class CashMovements(Protocol):
    """Who works out the cash movements IB's API never tells."""

    def take(self, fills: Iterable[Fill]) -> None:
        """Take over executions; those known already change nothing."""
        ...

    async def movements(self, since: datetime, until: datetime) -> tuple[CashMovement, ...]:
        """Return what was booked from ``since`` to ``until``, oldest first."""
        ...


# Begins the cash movements, given the account's cash when the bot first looked
OpenCash = Callable[[Decimal], CashMovements]


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
        self._patience = patience or Patience()
        self._sent = SentOrders() if sent is None else sent
        self._prove = prove
        book.expect(session.settings.account, self._sent)
        self._cash: CashMovements | None = None
        self._cash_from = _BEGINNING
        self._is_started = False

    # --- the connection -----------------------------------------------------------------------

    async def connect(self) -> None:
        """Connect, prove the account, and have everything told once.

        Raises: BrokerUnavailable, WrongAccount; HaltTrading if orders may not be sent.
        """
        await self._session.connect()
        if self._prove is not None:
            await self._prove()
            self._prove = None
        self._is_started = True
        if self._cash is None:
            self._cash = self._open_cash((await self.fetch_account()).cash_usd)

    async def _arrive(self) -> None:
        """Have everything IB said until now, and its lists where something is in doubt.

        A message can be lost without a trace, so while an order is open the lists are asked for
        every few minutes in any case.
        """
        if not self._is_started:
            raise BrokerUnavailable("not connected; nothing was sent")
        await self._session.arrive()
        is_old = self._session.view_age_s > self._patience.recheck_s
        if self._book.has_doubts() or (is_old and self._book.has_open_orders()):
            await self._session.synchronise()

    async def _state(self) -> None:
        """Have all that IB lists, from lists told a moment ago: what they leave out is not there.

        Raises: BrokerUnavailable rather than half of it.
        """
        await self._arrive()
        if self._session.view_age_s > self._patience.statement_s:
            await self._session.synchronise()

    # --- orders -------------------------------------------------------------------------------

    async def submit(self, order: ApprovedOrder) -> OrderReport:
        """Send an order; one that IB knows already is not sent again, its state is returned.

        Nor is one sent again that a process before this one sent and IB does not list: it may
        still be under way.

        Raises: BrokerUnavailable (nothing was sent), OutcomeUnknown, OrderRejected.
        """
        reference = order.client_order_id
        if not self._is_started:
            raise BrokerUnavailable("not connected; nothing was sent")
        await self._session.ready()
        if self._book.knows(reference):
            await self._arrive()
            return self._answer(reference)
        if reference in self._sent:
            await self._state()
            if not self._book.knows(reference):
                raise OutcomeUnknown(
                    f"{reference}: sent by an earlier process, and in none of IB's lists"
                )
            return self._answer(reference)
        if self._session.settings.is_near_restart(self._clock.now()):
            raise BrokerUnavailable(
                f"the gateway restarts at {self._session.settings.restarts_at:%H:%M} New York "
                "time; nothing is sent shortly before and after it"
            )
        contract, ib_order = await self._prepared(order)
        if order.intent.effect is PositionEffect.OPEN:
            await self._check_margin(order, contract, ib_order)
        await self._place(reference, contract, ib_order)
        return self._answer(reference)

    async def _prepared(self, order: ApprovedOrder) -> tuple[Contract, Order]:
        """Return the order in IB's words; one whose legs IB does not have is refused here."""
        try:
            return await self._in_ib_words(order.intent)
        except MarketDataMissing as unknown:
            reason = f"not listed: {unknown}"
            self._book.refuse(order.client_order_id, order.intent.limit_price, reason)
            raise OrderRejected(reason) from unknown

    async def _in_ib_words(self, intent: OrderIntent) -> tuple[Contract, Order]:
        try:
            contracts = await self._contracts.qualify(leg.instrument for leg in intent.legs)
        except ConnectionError as cause:
            raise BrokerUnavailable(f"contracts: {cause}; nothing was sent") from cause
        return contract_of(intent, contracts), order_of(intent, self._session.settings.account)

    async def _check_margin(
        self, order: ApprovedOrder, contract: Contract, ib_order: Order
    ) -> None:
        """Ask what the order would do to margin; refuse one the account cannot carry.

        Without an answer nothing is sent, and the same order may be tried again later.

        Raises: BrokerUnavailable, OrderRejected.
        """
        reference = order.client_order_id
        try:
            state = await ask_margin(
                self._session, contract, ib_order, within_s=self._patience.margin_s
            )
        except RequestError as refusal:
            reason = f"{refusal.code} {refusal.message}"
        else:
            reason = margin_refusal(state)
        if reason:
            self._book.refuse(reference, order.intent.limit_price, reason)
            raise OrderRejected(reason)

    async def _place(self, reference: ClientOrderId, contract: Contract, ib_order: Order) -> None:
        """Send an order and wait for the first word about it.

        Raises: BrokerUnavailable if no byte has left, OutcomeUnknown.
        """
        ib = await self._session.ready()
        # From here to the send nothing waits, so what was checked holds
        client_id, package = self._session.settings.client_id, package_of(contract, ib_order)
        used = max(self._sent.highest_id(client_id), self._book.highest_id)
        ib.client.updateReqId(used + 1)
        ib_order.orderId = ib.client.getReqId()
        self._sent.record(reference, package, order_id=ib_order.orderId, client_id=client_id)
        self._book.send(reference, package, ib_order.orderId)
        try:
            ib.placeOrder(contract, ib_order)
        except ConnectionError as cause:
            self._book.unsend(reference)
            self._sent.take_back(reference)
            raise BrokerUnavailable(
                f"the connection was lost; nothing was sent: {cause}"
            ) from cause
        if await self._hears(
            lambda: self._book.is_acknowledged(reference), self._patience.acknowledge_s
        ):
            return
        self._book.doubt(reference)
        if not self._session.is_connected:
            raise OutcomeUnknown(f"{reference}: the connection was lost after the order was sent")
        await self._look_again(reference)
        if not self._book.is_acknowledged(reference):
            raise OutcomeUnknown(
                f"{reference}: sent, not acknowledged within {self._patience.acknowledge_s:g} s, "
                "and in none of IB's lists"
            )

    def _answer(self, reference: ClientOrderId) -> OrderReport:
        """Return the state of an order; raises OrderRejected, OutcomeUnknown as it stands."""
        report = self._book.report(reference)
        if report.status is OrderStatus.REJECTED:
            raise OrderRejected(report.note)
        order = self._book.order(reference)
        if report.status is OrderStatus.UNKNOWN:
            raise OutcomeUnknown(
                f"{reference}: parked by IB (Inactive), may come back: {report.note}"
            )
        if order is not None and not (order.is_listed and self._book.is_acknowledged(reference)):
            raise OutcomeUnknown(f"{reference}: sent before, and in none of IB's lists")
        return report

    async def cancel(self, client_order_id: ClientOrderId) -> OrderReport:
        """Cancel what is left of an order; the state of a done order is returned unchanged.

        Only IB's status with executions that add up to it is believed. Where IB says that it cannot
        cancel and lists the order as open, that is returned: it may be asked again.

        Raises: BrokerUnavailable, OutcomeUnknown.
        """
        book = self._book
        await self._arrive()
        if not book.knows(client_order_id):
            await self._session.synchronise()
        if not book.knows(client_order_id):
            raise OutcomeUnknown(f"{client_order_id} is not known to IB")
        if book.is_done(client_order_id):
            return book.report(client_order_id)
        order = book.order(client_order_id)
        assert order is not None, "what was never sent is done"
        if not (order.order_id or order.is_listed):
            raise OutcomeUnknown(f"{client_order_id} was sent, and is in none of IB's lists")
        if not order.order_id:
            raise OutcomeUnknown(
                f"{client_order_id} is not an order of client id "
                f"{self._session.settings.client_id}, so it cannot be cancelled from here; set "
                "broker.client_id to that of its owner, or cancel it in TWS"
            )
        order.cancel_refusal = ""
        ib = await self._session.ready()
        try:
            ib.cancelOrder(
                Order(
                    orderId=order.order_id,
                    clientId=self._session.settings.client_id,
                    permId=order.perm_id,
                )
            )
        except ConnectionError as cause:
            raise BrokerUnavailable(
                f"the connection was lost; nothing was sent: {cause}"
            ) from cause
        await self._hears(
            lambda: book.is_done(client_order_id) or bool(order.cancel_refusal),
            self._patience.cancel_s,
        )
        if not self._session.is_connected:
            raise OutcomeUnknown(f"{client_order_id}: the connection was lost during the cancel")
        if book.is_done(client_order_id):
            await self._session.fence()  # a fill that crossed the cancel is under way no longer
            return book.report(client_order_id)
        return await self._after_unconfirmed_cancel(client_order_id, order.cancel_refusal)

    async def _after_unconfirmed_cancel(
        self, reference: ClientOrderId, refusal: str
    ) -> OrderReport:
        self._book.doubt(reference)
        await self._look_again(reference)
        await self._hears(lambda: self._book.is_done(reference), self._patience.drain_s)
        report = self._book.report(reference)
        order = self._book.order(reference)
        is_proven_open = order is not None and order.is_listed and bool(refusal)
        if self._book.is_done(reference) or is_proven_open:
            return report
        raise OutcomeUnknown(
            f"{reference}: cancel not confirmed within {self._patience.cancel_s:g} s"
            + (f" ({refusal})" if refusal else "")
        )

    async def _look_again(self, reference: ClientOrderId) -> None:
        """Have IB's lists told; raises OutcomeUnknown if they are not."""
        try:
            await self._session.synchronise()
        except (BrokerUnavailable, ConnectionError) as cause:
            raise OutcomeUnknown(f"{reference}: {cause}") from cause

    async def _hears(self, is_true: Callable[[], bool], seconds: float) -> bool:
        """Wait for something to be heard; also ends when the connection does."""
        await self._book.wait(lambda: is_true() or not self._session.is_connected, seconds)
        return is_true()

    # --- questions ----------------------------------------------------------------------------

    async def fetch_orders(self) -> tuple[OrderReport, ...]:
        """Return every order of ours that IB speaks of, and those refused before they were sent.

        Open orders and those of today that are over, of whichever client: a whole statement.

        Raises: BrokerUnavailable rather than part of it.
        """
        await self._state()
        return self._book.reports()

    async def fetch_fills(self, since: datetime) -> tuple[Fill, ...]:
        """Return the executions at or after ``since``, oldest first.

        Waits for what IB's own figures say is missing: first a little, then by asking for all
        executions again, then longer where legs of a package are lacking. Legs that stay away are
        IB's truth and are told; a missing commission or execution is not, and raises.

        Raises: BrokerUnavailable.
        """
        await self._arrive()
        sums, patience = self._book.sums, self._patience
        if sums.missing() and not await self._hears(lambda: not sums.missing(), patience.drain_s):
            await self._session.synchronise()
            sums.keep_earlier_commissions()
            if sums.has_loose_legs():
                await self._hears(lambda: not sums.has_loose_legs(), patience.legs_s)
            if missing := sums.missing_truth():
                raise BrokerUnavailable(f"the executions are not whole: {missing}")
        return self._book.fills(since)

    async def fetch_foreign_orders(self) -> tuple[ForeignOrder, ...]:
        """Return the orders at work in the account that bear no reference of ours.

        Raises: BrokerUnavailable.
        """
        await self._state()
        account, foreign = self._session.settings.account, self._book.foreign
        legs = {each: await self._contracts.symbol(each) for each in foreign.leg_ids(account)}
        return foreign.orders(account, self._symbol, legs)

    async def fetch_foreign_fills(self, since: datetime) -> tuple[ExternalFill, ...]:
        """Return executions in the account that no order of ours explains, oldest first.

        Raises: BrokerUnavailable, also where what one of them cost has not been told.
        """
        await self._state()
        account, book = self._session.settings.account, self._book
        cost = book.executions.commission_of

        def lines() -> tuple[ExecutionLine, ...]:
            return book.foreign.lines(since, account)

        def is_whole() -> bool:
            return all(cost(line) is not None for line in lines())

        if not is_whole() and not await self._hears(is_whole, self._patience.drain_s):
            await self._session.synchronise()
        found = []
        for line in lines():
            if (commission_usd := cost(line)) is None:
                raise BrokerUnavailable(f"the commission of {line.exec_id} has not been told")
            found.append(external_fill(line, self._symbol(line.contract), commission_usd))
        return tuple(found)

    async def preview(self, order: OrderIntent) -> MarginImpact:
        """Return what the account would look like with the order filled; nothing is placed.

        Of an order that IB would not take the note says why; the account is as it stands.

        Raises: BrokerUnavailable.
        """
        if not self._is_started:
            raise BrokerUnavailable("not connected")
        try:
            contract, ib_order = await self._in_ib_words(order)
            state = await ask_margin(
                self._session, contract, ib_order, within_s=self._patience.margin_s
            )
        except MarketDataMissing as unknown:
            return unchanged(await self.fetch_account(), f"not listed: {unknown}")
        except RequestError as refusal:
            return unchanged(await self.fetch_account(), f"{refusal.code} {refusal.message}")
        return impact_of(state)

    async def server_time(self) -> datetime:
        """Return what time IB says it is, to the second; without an answer the connection ends.

        Raises: BrokerUnavailable.
        """
        if not self._is_started:
            raise BrokerUnavailable("not connected")
        return await self._session.fence()

    async def fetch_cash_movements(self, since: datetime) -> tuple[CashMovement, ...]:
        """Return deposits, settlements and variation at or after ``since``, oldest first.

        Raises: BrokerUnavailable.
        """
        fills = await self.fetch_fills(self._cash_from)
        assert self._cash is not None, "connected before"
        self._cash.take(fills)
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

    async def _fetch(self, what: str, question: Callable[[IB], Awaitable[T]]) -> T:
        if not self._is_started:
            raise BrokerUnavailable("not connected")
        return await self._session.fetch(what, question)

    def _symbol(self, contract: Contract) -> str:
        try:
            return self._contracts.instrument(contract).symbol
        except ValueError:
            return str(contract.localSymbol or contract.symbol or contract.conId)
