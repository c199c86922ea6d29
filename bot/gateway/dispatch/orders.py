"""Requests about orders and executions; what they mean is the order desk's."""

from bot.gateway.dispatch.call import Call, Handler, Refused
from bot.gateway.protocol.builders import contract_of, order_of
from bot.gateway.protocol.message import Message

_READ_ONLY = (
    "Error validating request.-'bN' : cause - The API interface is currently in Read-Only mode."
)


def place(call: Call) -> None:
    """Place or modify an order."""
    _check_writable(call)
    call.parts.desk.place(
        call.session.client_id,
        call.values["orderId"],
        contract_of(call.values),
        order_of(call.values),
        call.at,
    )


def cancel(call: Call) -> None:
    """Cancel an order."""
    _check_writable(call)
    call.parts.desk.cancel(call.session.client_id, call.values["orderId"], call.at)


def global_cancel(call: Call) -> None:
    """Cancel every order of the account."""
    _check_writable(call)
    call.parts.desk.global_cancel(call.session.client_id, call.at)


def open_orders(call: Call) -> None:
    """Send the client's open orders, those placed by hand being client 0's; the master's: all."""
    client_id = call.session.client_id
    is_master = call.parts.roster.sees_all(client_id)
    _send_all(call, call.parts.desk.open_orders(None if is_master else client_id))
    call.send("openOrderEnd")


def all_open_orders(call: Call) -> None:
    """Send everybody's open orders, once."""
    _send_all(call, call.parts.desk.open_orders(None))
    call.send("openOrderEnd")


def auto_open_orders(call: Call) -> None:
    """Bind orders placed by hand, which are told to client 0 in any case."""
    if call.session.client_id != 0:
        raise Refused(321, "Error validating request.-'bB' : cause - Only client 0 can bind orders")


def completed_orders(call: Call) -> None:
    """Send the orders that are done."""
    _send_all(call, call.parts.desk.completed_orders(call.values["apiOnly"]))
    call.send("completedOrdersEnd")


def executions(call: Call) -> None:
    """Send the executions of today that pass a filter, each with its commission."""
    for message in call.parts.desk.executions(call.values, call.at):
        if "reqId" in message.values:
            answer = Message(message.kind, {**message.values, "reqId": call.req_id})
            call.session.send(answer)
        else:
            call.session.send(message)
    call.send("execDetailsEnd", reqId=call.req_id)


def exercise(call: Call) -> None:
    """Refuse to exercise an option."""
    call.parts.desk.exercise(call.session.client_id, call.req_id)


def _check_writable(call: Call) -> None:
    """Refuse where nobody may trade through the API; raises Refused."""
    if call.parts.settings.is_read_only:
        raise Refused(321, _READ_ONLY)


def _send_all(call: Call, messages: list[Message]) -> None:
    for message in messages:
        call.session.send(message)


HANDLERS: dict[str, Handler] = {
    "placeOrder": place,
    "cancelOrder": cancel,
    "reqGlobalCancel": global_cancel,
    "reqOpenOrders": open_orders,
    "reqAllOpenOrders": all_open_orders,
    "reqAutoOpenOrders": auto_open_orders,
    "reqCompletedOrders": completed_orders,
    "reqExecutions": executions,
    "exerciseOptions": exercise,
}
