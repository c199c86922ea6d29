"""What IB's answer to a what-if says: whether the account could carry the order."""

from decimal import Decimal

from bot.brokers.ib.library import OrderState, is_set


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
