"""Orders on their way to IB: sent once, cancelled until that is proven, tried without sending."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from bot.brokers.ib.connection import IbSession
from bot.brokers.ib.library import Contract, Order, OrderState, RequestError
from bot.brokers.ib.margin import ask_margin, margin_refusal
from bot.brokers.ib.order_book import OrderBook
from bot.brokers.ib.orders import contract_of, order_of, package_of
from bot.brokers.ib.sent_orders import SentOrders
from bot.brokers.ib.view import View
from bot.errors import BrokerUnavailable, MarketDataMissing, OrderRejected, OutcomeUnknown
from bot.ports import Clock, OrderReport
from strategies.model.ids import ClientOrderId
from strategies.model.instruments import Instrument
from strategies.model.lifecycle import OrderStatus
from strategies.model.orders import ApprovedOrder, OrderIntent, PositionEffect


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


class OrderEntry:
    """Sends and cancels over one connection.

    Args:
        session: The connection that trades.
        book: What IB said about our orders.
        contracts: Qualifies legs.
        view: Brings the book up to date.
        clock: The bot's.
        sent: What this machine has sent before.
    """

    def __init__(
        self,
        session: IbSession,
        book: OrderBook,
        contracts: Contracts,
        view: View,
        clock: Clock,
        sent: SentOrders,
    ) -> None:
        self._session = session
        self._book = book
        self._contracts = contracts
        self._view = view
        self._clock = clock
        self._sent = sent

    async def submit(self, order: ApprovedOrder) -> OrderReport:
        """Send an order; one that IB knows already is not sent again, its state is returned.

        Nor is one sent again that a process before this one sent and IB does not list: it may
        still be under way.

        Raises: BrokerUnavailable (nothing was sent), OutcomeUnknown, OrderRejected.
        """
        reference = order.client_order_id
        self._view.require()
        await self._session.ready()
        if self._book.knows(reference):
            await self._view.arrive()
            return self._answer(reference)
        if reference in self._sent:
            await self._view.whole()
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
        opens = order.intent.effect is PositionEffect.OPEN
        if opens and self._session.is_slowed:
            raise BrokerUnavailable("IB says that we send too many messages (100); nothing opens")
        contract, ib_order = await self._prepared(order)
        if opens:
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
                self._session, contract, ib_order, within_s=self._view.patience.margin_s
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
        if await self._view.hears(
            lambda: self._book.is_acknowledged(reference), self._view.patience.acknowledge_s
        ):
            return
        self._book.doubt(reference)
        if not self._session.is_connected:
            raise OutcomeUnknown(f"{reference}: the connection was lost after the order was sent")
        await self._look_again(reference)
        if not self._book.is_acknowledged(reference):
            within_s = self._view.patience.acknowledge_s
            raise OutcomeUnknown(
                f"{reference}: sent, not acknowledged within {within_s:g} s, and in none of IB's "
                "lists"
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
        await self._view.arrive()
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
        await self._view.hears(
            lambda: book.is_done(client_order_id) or bool(order.cancel_refusal),
            self._view.patience.cancel_s,
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
        await self._view.hears(lambda: self._book.is_done(reference), self._view.patience.drain_s)
        report = self._book.report(reference)
        order = self._book.order(reference)
        is_proven_open = order is not None and order.is_listed and bool(refusal)
        if self._book.is_done(reference) or is_proven_open:
            return report
        raise OutcomeUnknown(
            f"{reference}: cancel not confirmed within {self._view.patience.cancel_s:g} s"
            + (f" ({refusal})" if refusal else "")
        )

    async def _look_again(self, reference: ClientOrderId) -> None:
        """Have IB's lists told; raises OutcomeUnknown if they are not."""
        try:
            await self._session.synchronise()
        except (BrokerUnavailable, ConnectionError) as cause:
            raise OutcomeUnknown(f"{reference}: {cause}") from cause

    async def what_if(self, intent: OrderIntent) -> OrderState:
        """Return IB's answer to a what-if; nothing is placed.

        Raises: BrokerUnavailable; MarketDataMissing if IB does not list a leg; RequestError if it
            would not take the order.
        """
        contract, ib_order = await self._in_ib_words(intent)
        return await ask_margin(
            self._session, contract, ib_order, within_s=self._view.patience.margin_s
        )
