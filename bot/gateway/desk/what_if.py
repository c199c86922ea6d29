"""What an order would cost and bind, without placing it."""

from decimal import Decimal

from bot.exchange.entry import Estimate, Refusal
from bot.exchange.exchange import Exchange
from bot.exchange.orders import RejectReason
from bot.gateway.desk import pricing
from bot.gateway.desk.reading import Refused, refusal_words
from bot.gateway.desk.ticket import Status, Ticket
from bot.gateway.protocol.builders import open_order_message
from bot.gateway.protocol.message import Message
from bot.gateway.words import OrderState

_CENT = Decimal("0.01")
_CURRENCY = "USD"


def what_if_messages(ticket: Ticket, exchange: Exchange, *, unset_first: bool) -> list[Message]:
    """Return the openOrder with margins before, changed and after; a permanent id of 0.

    Args:
        ticket: The order; it is not placed.
        exchange: Where it would be.
        unset_first: Whether an openOrder without margins comes before it.

    Raises: Refused where the order could not work at all.
    """
    session = exchange.session_at(exchange.now)
    limit = None
    if session is not None:
        limit = pricing.limit_of(ticket, exchange.market, exchange.now)
    if limit is None:
        limit = ticket.sign * (ticket.order.limit_price or Decimal(0))
    order = ticket.exchange_order(limit, ticket.total)
    verdict = exchange.verdict(order)
    warning = ""
    if isinstance(verdict, Refusal):
        if verdict.reason is not RejectReason.MARGIN:
            raise Refused(*refusal_words(verdict))
        warning = str(verdict)
    states = [_state(exchange.estimate(order), warning)]
    if unset_first:
        states.insert(0, OrderState(status=Status.PRE_SUBMITTED))
    return [
        open_order_message(
            ticket.order_id, ticket.client_id, 0, ticket.contract, ticket.order, state
        )
        for state in states
    ]


def _state(estimate: Estimate, warning: str) -> OrderState:
    def cents(amount: Decimal) -> Decimal:
        return amount.quantize(_CENT)

    return OrderState(
        status=Status.PRE_SUBMITTED,
        init_margin_before=cents(estimate.initial_before),
        maint_margin_before=cents(estimate.maintenance_before),
        equity_with_loan_before=cents(estimate.equity_before),
        init_margin_change=cents(estimate.initial_after - estimate.initial_before),
        maint_margin_change=cents(estimate.maintenance_after - estimate.maintenance_before),
        equity_with_loan_change=cents(estimate.equity_after - estimate.equity_before),
        init_margin_after=cents(estimate.initial_after),
        maint_margin_after=cents(estimate.maintenance_after),
        equity_with_loan_after=cents(estimate.equity_after),
        commission=cents(estimate.fees),
        commission_currency=_CURRENCY,
        warning_text=warning,
    )
