"""Bugs of the adapter: what somebody would have written between the client library and our words.

A patch puts our own code in place as it would be with the bug. Nothing else is taken away: what the
bot has against the consequences stays, and some bugs are caught because of what it then does.
"""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from weakref import WeakKeyDictionary

import pytest

from bot.brokers.ib import contracts, order_book, order_entry
from bot.brokers.ib.broker import IbBroker
from bot.brokers.ib.connection import IbSession
from bot.brokers.ib.executions import Executions
from bot.brokers.ib.library import Contract, Execution, Order, library
from bot.brokers.ib.order_book import OrderBook
from bot.brokers.ib.order_entry import OrderEntry
from bot.brokers.ib.sent_orders import SentOrders
from bot.brokers.ib.shim import _Shim
from bot.brokers.ib.view import View
from bot.errors import BrokerUnavailable
from strategies.model.instruments import FutureContract
from strategies.model.orders import OrderIntent


def numbers_of_the_gateway(patch: pytest.MonkeyPatch) -> None:
    """Take the number the gateway names for free, and know orders by their numbers."""
    execution = OrderBook.execution

    def by_number(book: OrderBook, contract: Contract, told: Execution) -> None:
        told.orderRef = book._by_order_id.get(told.orderId, told.orderRef)
        execution(book, contract, told)

    patch.setattr(SentOrders, "highest_id", lambda sent, client_id: 0)
    patch.setattr(OrderBook, "_see_id", lambda book, order_id, client_id: None)
    patch.setattr(IbSession, "_keep_highest_id", lambda session, ib: None)
    patch.setattr(OrderBook, "execution", by_number)


def no_executions_asked(patch: pytest.MonkeyPatch) -> None:
    """Do not ask for executions after a reconnect."""

    async def ask_nothing(session: IbSession, ib: object) -> None:
        pass

    patch.setattr(IbSession, "_ask_executions", ask_nothing)


def leg_prices(patch: pytest.MonkeyPatch) -> None:
    """Name a price for each leg of a package."""
    order_of = order_entry.order_of

    def priced(intent: OrderIntent, account: str) -> Order:
        order = order_of(intent, account)
        if len(intent.legs) > 1:
            price = round(abs(float(intent.limit_price)) / len(intent.legs), 2)
            order.orderComboLegs = [library.OrderComboLeg(price=price) for _ in intent.legs]
        return order

    patch.setattr(order_entry, "order_of", priced)


def executions_of_unopened_orders_dropped(patch: pytest.MonkeyPatch) -> None:
    """Drop an execution whose order has not been opened, as one that has been dealt with."""
    execution = OrderBook.execution
    seen: WeakKeyDictionary[OrderBook, set[str]] = WeakKeyDictionary()

    def known_only(book: OrderBook, contract: Contract, told: Execution) -> None:
        dealt_with = seen.setdefault(book, set())
        if told.execId in dealt_with:
            return
        dealt_with.add(told.execId)
        if told.permId in book._by_perm_id:
            execution(book, contract, told)

    patch.setattr(OrderBook, "execution", known_only)


def details_of_a_package(patch: pytest.MonkeyPatch) -> None:
    """Ask for the contract details of a package before it is sent, and wait for them."""
    in_ib_words = OrderEntry._in_ib_words

    async def with_details(entry: OrderEntry, intent: OrderIntent) -> tuple[Contract, Order]:
        contract, order = await in_ib_words(entry, intent)
        if contract.secType == "BAG":
            await entry._session.ib.reqContractDetailsAsync(contract)
        return contract, order

    patch.setattr(OrderEntry, "_in_ib_words", with_details)


def the_library_is_believed(patch: pytest.MonkeyPatch) -> None:
    """Show the library errors that name orders, and take the states it concludes."""
    error = _Shim._error

    def shown(shim: _Shim, number: int, code: int, text: str, advanced: str = "") -> None:
        error(shim, number, code, text, advanced)
        orders = shim._orders
        if orders is None or not orders.names(number):
            return
        shim._library["error"](number, code, text, advanced)
        for trade in shim._ib.trades():
            if trade.order.orderId == number and trade.orderStatus.status == "Cancelled":
                order = trade.order
                orders.order_status(number, "Cancelled", 0, order.permId, order.clientId)

    patch.setattr(_Shim, "_error", shown)


def strangers_executions_dropped(patch: pytest.MonkeyPatch) -> None:
    """Pass an execution on only if its order is known."""
    execution = OrderBook.execution

    def of_known_orders(book: OrderBook, contract: Contract, told: Execution) -> None:
        if told.permId in book._by_perm_id or told.orderRef in book._orders:
            execution(book, contract, told)

    patch.setattr(OrderBook, "execution", of_known_orders)


def corrections_beside_what_they_correct(patch: pytest.MonkeyPatch) -> None:
    """Know executions by their whole id, so that a correction is another one."""
    line_of = order_book.line_of

    def whole(contract: Contract, execution: Execution) -> Any:
        line = line_of(contract, execution)
        if line.revision == 1:
            return line
        return replace(line, exec_root=execution.execId, revision=1)

    def commission(executions: Executions, exec_id: str, amount_usd: Decimal) -> None:
        executions._commissions[exec_id] = amount_usd
        for line in executions._lines.values():
            if line.exec_id == exec_id:
                executions._book(line)

    patch.setattr(order_book, "line_of", whole)
    patch.setattr(Executions, "commission", commission)


def wiped(patch: pytest.MonkeyPatch) -> None:
    """Forget everything when the connection ends, and answer from memory until there is another."""
    lost, arrive, whole, fetch = IbSession.lost, View.arrive, View.whole, IbBroker._fetch
    is_acknowledged = OrderBook.is_acknowledged

    def wipe(session: IbSession) -> None:
        lost(session)
        if isinstance(book := session._orders, OrderBook):
            book.__init__(book.executions._instrument_of)

    async def arrive_or_not(view: View) -> None:
        try:
            await arrive(view)
        except BrokerUnavailable:
            view.require()

    async def whole_or_not(view: View) -> None:
        try:
            await whole(view)
        except BrokerUnavailable:
            view.require()

    async def fetch_or_not(broker: IbBroker, what: str, question: Any) -> Any:
        try:
            return await fetch(broker, what, question)
        except BrokerUnavailable:
            if what != "positions":
                raise
            return []

    def knows_and_is(book: OrderBook, reference: Any) -> bool:
        return book.knows(reference) and is_acknowledged(book, reference)

    patch.setattr(OrderBook, "is_acknowledged", knows_and_is)
    patch.setattr(IbSession, "lost", wipe)
    patch.setattr(View, "arrive", arrive_or_not)
    patch.setattr(View, "whole", whole_or_not)
    patch.setattr(IbBroker, "_fetch", fetch_or_not)


def vix_on_tuesday(patch: pytest.MonkeyPatch) -> None:
    """Take the day before for the expiry of a month of VIX."""
    future = contracts._future

    def early(*told: Any) -> FutureContract:
        found = future(*told)
        return replace(found, expiry=found.expiry - timedelta(days=1))

    patch.setattr(contracts, "_future", early)
