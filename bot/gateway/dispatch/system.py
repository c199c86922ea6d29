"""Requests about the connection itself."""

from datetime import timedelta

from bot.gateway.dispatch.call import Call, Handler
from bot.gateway.faults import FaultKind


def next_valid_id(call: Call) -> None:
    """Send the first order id that is free, or a lower one when ids roll back."""
    order_id = call.parts.desk.next_valid_id(call.session.client_id)
    rollback = call.parts.faults.strikes(
        FaultKind.ORDER_ID_ROLLBACK, client_id=call.session.client_id, message_kind=call.kind
    )
    if rollback is not None:
        order_id = max(1, order_id - int(rollback.details.get("orders", 1)))
    call.send("nextValidId", orderId=order_id)


def managed_accounts(call: Call) -> None:
    """Send the account."""
    call.send("managedAccounts", accounts=call.parts.account_id)


def current_time(call: Call) -> None:
    """Send the gateway's time; everything older has been sent before it."""
    now = call.at + timedelta(seconds=call.parts.weather.skew_s)
    call.send("currentTime", time=int(now.timestamp()))


def log_level(call: Call) -> None:
    """Accept a level of logging; nothing is answered."""


HANDLERS: dict[str, Handler] = {
    "reqIds": next_valid_id,
    "reqManagedAccts": managed_accounts,
    "reqCurrentTime": current_time,
    "setServerLogLevel": log_level,
}
