"""Identity: no order twice, one at a time for a purpose, and few in one contract and side."""

from strategies.model.structures import legs_at_work
from strategies.risk.checks.request import RefusalReason, Request, Verdict


def check_identity(request: Request) -> Verdict:
    """No order is sent twice, and a purpose has one order at work."""
    intent = request.intent
    if intent.client_order_id in request.orders_seen:
        return RefusalReason.DUPLICATE, f"{intent.client_order_id} was sent before"
    for order in request.book.working:
        if order.purpose == intent.purpose:
            detail = f"{order.client_order_id} already works for {intent.purpose}"
            return RefusalReason.PURPOSE_AT_WORK, detail
    return None


def check_active_orders(request: Request) -> Verdict:
    """The broker takes so many orders in one contract and side, and refuses more (fault B11)."""
    most = request.limits.active_orders_per_side_max
    if len(request.book.working) < most:
        return None
    at_work = [legs_at_work(order) for order in request.book.working]
    for instrument, ratio in request.legs:
        count = sum(
            any(leg == instrument and leg_ratio * ratio > 0 for leg, leg_ratio in legs)
            for legs in at_work
        )
        if count >= most:
            side = "buy" if ratio > 0 else "sell"
            return RefusalReason.ACTIVE_ORDERS, f"{count} orders at work {side} {instrument}"
    return None
