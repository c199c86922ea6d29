"""Stands between a client library's decoder and its state: what IB says is written down first.

Then it reaches our own order book, and only then the library. The library never sees an error that
names an order: from any but a few codes it would conclude that the order is cancelled, also where
the order lives on and fills. Codes about the connection are the session's business alone.
"""

import sys
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from bot.brokers.ib.errors_table import Code, Reaction, Scope, code_of
from bot.brokers.ib.journal import EventLog, masked
from bot.brokers.ib.library import (
    IB,
    CommissionReport,
    Contract,
    Execution,
    Order,
    OrderState,
    RequestError,
    is_set,
)


class OrderEvents(Protocol):
    """Who keeps book of what IB says about orders."""

    def reconnected(self, client_id: int) -> None:
        """Forget the numbers that only meant something on the connection before."""
        ...

    def begin_lists(self) -> None:
        """Take note that every order and execution is about to be told."""
        ...

    def end_lists(self, *, are_whole: bool) -> None:
        """Take note that they have been told, or not to the end."""
        ...

    def wake(self) -> None:
        """Let those who wait for a message see that the connection has changed."""
        ...

    def names(self, order_id: int) -> bool:
        """Whether a message's id is that of an order on this connection."""
        ...

    def open_order(
        self, order_id: int, contract: Contract, order: Order, state: OrderState
    ) -> None:
        """Take an openOrder message that is not the answer to a what-if."""
        ...

    def order_status(
        self, order_id: int, status: str, filled: float, perm_id: int, client_id: int
    ) -> None:
        """Take an orderStatus message."""
        ...

    def execution(self, contract: Contract, execution: Execution) -> None:
        """Take an execution, live or asked for."""
        ...

    def commission(self, report: CommissionReport) -> None:
        """Take a commission report."""
        ...

    def completed_order(self, contract: Contract, order: Order, state: OrderState) -> None:
        """Take an order of today that is over."""
        ...

    def order_error(self, order_id: int, code: Code, text: str) -> None:
        """Take an error message that names an order."""
        ...


class SessionEvents(Protocol):
    """Who keeps the state of the connection."""

    def handshaken(self) -> None:
        """Take note that a gateway has answered the greeting."""
        ...

    def connection_code(self, code: Code, text: str) -> None:
        """Take a message about the connection."""
        ...

    def request_code(self, request_id: int, code: Code, text: str) -> None:
        """Take a message about a request."""
        ...

    def data_type(self, data_type: int) -> None:
        """Take note of a kind of market data: 1 live, 2 frozen, 3 delayed, 4 delayed frozen."""
        ...

    def lost(self) -> None:
        """Take note of the end of a connection that was in use."""
        ...

    def broken(self, cause: BaseException) -> None:
        """Take note that a message could not be dealt with."""
        ...


def install(ib: IB, session: SessionEvents, orders: OrderEvents | None, log: EventLog) -> None:
    """Put the shim into a client that has not connected yet."""
    assert not ib.isConnected(), "nothing may be heard before the shim is in place"
    _Shim(ib, session, orders, log).install()


# What may not be missed: messages by number, as the decoder names some, and by name, as others
_NUMBERS_OF_ORDERS = frozenset({"3", "5", "11", "59", "61", "101"})
_NAMES_OF_ORDERS = frozenset({"orderStatus"})


class _Unread:
    """Stands where the library's decoder logs a message that it cannot read, and drops it."""

    def __init__(self, shim: "_Shim") -> None:
        self._shim = shim

    def exception(self, text: str) -> None:
        """Take what the decoder would log while it handles an exception."""
        self._shim.unread(text, sys.exc_info()[1])


class _Shim:
    def __init__(
        self, ib: IB, session: SessionEvents, orders: OrderEvents | None, log: EventLog
    ) -> None:
        self._wrapper = ib.wrapper
        self._ib = ib
        self._session = session
        self._orders = orders
        self._log = log
        self._library: dict[str, Callable[..., Any]] = {}

    def install(self) -> None:
        ours: dict[str, Callable[..., None]] = {
            "openOrder": self._open_order,
            "orderStatus": self._order_status,
            "execDetails": self._execution,
            "commissionReport": self._commission,
            "completedOrder": self._completed_order,
            "position": self._position,
            "error": self._error,
            "connectAck": self._handshaken,
            "connectionClosed": self._closed,
            "marketDataType": self._data_type,
        }
        for name, hear in ours.items():
            self._library[name] = getattr(self._wrapper, name)
            setattr(self._wrapper, name, self._guarded(hear))
        self._ib.client.decoder.logger = _Unread(self)

    def unread(self, text: str, cause: BaseException | None) -> None:
        """Deal with a message that did not get here whole.

        A time zone the machine does not know is enough to lose every fill that way.
        """
        self._write("unread", text=text, cause=repr(cause))
        number = text.partition("['")[2].partition("'")[0]
        name = text.removeprefix("Error for ").partition(":")[0].partition("(")[0]
        about_orders = number in _NUMBERS_OF_ORDERS or name in _NAMES_OF_ORDERS
        if self._orders is not None and about_orders and cause is not None:
            self._session.broken(cause)

    def _guarded(self, ours: Callable[..., None]) -> Callable[..., None]:
        """Let the session know of a failure: the library's decoder would only log it."""

        def heard(*args: Any, **named: Any) -> None:  # noqa: ANN401 whatever the library passes
            try:
                ours(*args, **named)
            except BaseException as cause:
                self._session.broken(cause)
                raise

        return heard

    # --- orders -------------------------------------------------------------------------------

    def _open_order(
        self, order_id: int, contract: Contract, order: Order, state: OrderState
    ) -> None:
        self._write("openOrder", orderId=order_id, contract=contract, order=order, state=state)
        if order.whatIf:
            # The first of two answers has no margins. ib_insync takes it for the answer.
            if is_set(state.initMarginChange) or is_set(state.initMarginAfter):
                self._wrapper._endReq(order.orderId, state)  # noqa: SLF001 as the library does
            return
        if self._orders is not None:
            self._orders.open_order(order_id, contract, order, state)
        self._library["openOrder"](order_id, contract, order, state)

    def _order_status(
        self,
        order_id: int,
        status: str,
        filled: float,
        remaining: float,
        average_price: float,
        perm_id: int,
        parent_id: int,
        last_price: float,
        client_id: int,
        why_held: str,
        cap_price: float = 0.0,
    ) -> None:
        self._write(
            "orderStatus",
            orderId=order_id,
            status=status,
            filled=filled,
            remaining=remaining,
            avgFillPrice=average_price,
            permId=perm_id,
            clientId=client_id,
            whyHeld=why_held,
        )
        if self._orders is not None:
            self._orders.order_status(order_id, status, filled, perm_id, client_id)
        self._library["orderStatus"](
            order_id,
            status,
            filled,
            remaining,
            average_price,
            perm_id,
            parent_id,
            last_price,
            client_id,
            why_held,
            cap_price,
        )

    def _execution(self, request_id: int, contract: Contract, execution: Execution) -> None:
        self._write("execDetails", reqId=request_id, contract=contract, execution=execution)
        if self._orders is not None:
            self._orders.execution(contract, execution)
        self._library["execDetails"](request_id, contract, execution)

    def _commission(self, report: CommissionReport) -> None:
        self._write("commissionReport", report=report)
        if self._orders is not None:
            self._orders.commission(report)
        self._library["commissionReport"](report)

    def _completed_order(self, contract: Contract, order: Order, state: OrderState) -> None:
        self._write("completedOrder", contract=contract, order=order, state=state)
        if self._orders is not None:
            self._orders.completed_order(contract, order, state)
        if "completedOrders" in self._wrapper._results:  # noqa: SLF001 unasked: both stumble
            self._library["completedOrder"](contract, order, state)

    def _position(
        self, account: str, contract: Contract, position: float, average_cost: float
    ) -> None:
        self._write(
            "position", account=masked(account), contract=contract, position=float(position)
        )
        self._library["position"](account, contract, position, average_cost)

    # --- errors -------------------------------------------------------------------------------

    def _error(self, number: int, code: int, text: str, advanced: str = "") -> None:
        self._write("error", id=number, code=code, text=text, advanced=advanced)
        is_request = number in self._wrapper._futures  # noqa: SLF001 the only place that knows
        is_order = not is_request and self._orders is not None and self._orders.names(number)
        meaning = code_of(code, about_order=is_order)
        if meaning.scope is Scope.CONNECTION:
            self._session.connection_code(meaning, text)
            if is_request and meaning.reaction is not Reaction.NOTICE:
                self._refuse(number, code, text)
            return
        if is_order:
            assert self._orders is not None
            self._orders.order_error(number, meaning, text)
        elif is_request and meaning.reaction is not Reaction.NOTICE:
            self._refuse(number, code, text)
        self._session.request_code(number, meaning, text)
        if is_order or meaning.reaction is Reaction.NOTICE:
            self._ib.errorEvent.emit(number, code, text, None)
        elif not is_request:
            self._library["error"](number, code, text, advanced)

    def _refuse(self, number: int, code: int, text: str) -> None:
        """End a request; each library takes some refusals for remarks, and would wait on."""
        refusal = RequestError(number, code, text)
        self._wrapper._endReq(number, refusal, success=False)  # noqa: SLF001 as the library does
        self._ib.errorEvent.emit(number, code, text, None)

    # --- the connection -----------------------------------------------------------------------

    def _handshaken(self) -> None:
        self._write("connected", serverVersion=self._ib.client.serverVersion())
        self._session.handshaken()
        self._library["connectAck"]()

    def _closed(self) -> None:
        self._write("connectionClosed")
        self._session.lost()
        self._library["connectionClosed"]()

    def _data_type(self, request_id: int, data_type: int) -> None:
        self._session.data_type(data_type)
        self._library["marketDataType"](request_id, data_type)

    def _write(self, event: str, **values: object) -> None:
        found: Mapping[str, object] = values
        self._log.write(event, found)
