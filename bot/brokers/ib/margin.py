"""What-ifs: what an order would do to margin, and whether the account could carry it."""

from decimal import Decimal, InvalidOperation

import structlog

from bot.brokers.ib.connection import IbSession
from bot.brokers.ib.library import Contract, Order, OrderState, is_set
from bot.errors import BrokerUnavailable
from bot.ports import MarginImpact
from strategies.model.book import Account

log = structlog.get_logger(__name__)


async def ask_margin(
    session: IbSession, contract: Contract, order: Order, *, within_s: float
) -> OrderState:
    """Return IB's answer to a what-if, which it may not give at all; asked twice.

    It answers in two steps of which the first says nothing; the shim keeps that back.

    Raises: BrokerUnavailable without an answer; RequestError if IB refuses the order.
    """
    for attempt in (1, 2):
        ib = await session.ready()
        try:
            return await session.ask(
                "what-if", ib.whatIfOrderAsync, contract, order, within_s=within_s
            )
        except BrokerUnavailable as silence:
            log.warning("what-if not answered", attempt=attempt, reason=str(silence))
    raise BrokerUnavailable("IB did not say what the order does to margin; nothing was sent")


def impact_of(state: OrderState) -> MarginImpact:
    """Return the account as IB says it would be.

    Raises: BrokerUnavailable if the answer has no figures.
    """
    try:
        initial, maintenance, equity = (
            Decimal(str(value))
            for value in (state.initMarginAfter, state.maintMarginAfter, state.equityWithLoanAfter)
            if is_set(value)
        )
    except (ValueError, InvalidOperation) as cause:
        raise BrokerUnavailable("IB answered a what-if without margins") from cause
    return MarginImpact(
        initial_margin_after_usd=initial,
        maintenance_margin_after_usd=maintenance,
        excess_liquidity_after_usd=equity - maintenance,
        note=margin_refusal(state),
    )


def unchanged(account: Account, reason: str) -> MarginImpact:
    """Return the account as it is, where IB would not take the order."""
    return MarginImpact(
        initial_margin_after_usd=account.initial_margin_usd,
        maintenance_margin_after_usd=account.maintenance_margin_usd,
        excess_liquidity_after_usd=account.excess_liquidity_usd,
        note=reason,
    )


def margin_refusal(state: OrderState) -> str:
    """Return why an order may not be sent, or an empty text.

    IB compares the initial margin after the order with equity with loan value after it.
    """
    if not (is_set(state.initMarginAfter) and is_set(state.equityWithLoanAfter)):
        return ""  # it said what the order changes and nothing against it
    margin, equity = Decimal(str(state.initMarginAfter)), Decimal(str(state.equityWithLoanAfter))
    if margin <= equity:
        return ""
    return (
        f"insufficient excess liquidity: initial margin {margin:f} USD after the order, "
        f"equity {equity:f} USD"
    )
