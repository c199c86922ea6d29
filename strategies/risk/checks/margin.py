"""Margin: the broker's own word on an opening order, with headroom on top (fault E4)."""

from strategies.model.limits import Limits
from strategies.model.orders import OrderIntent, PositionEffect
from strategies.risk.checks.request import REPAIR_PREFIX, RefusalReason, Request, Verdict


def wants_preview(intent: OrderIntent, limits: Limits) -> bool:
    """Whether the gate wants the broker's what-if of an order before it is asked."""
    opens = intent.effect is PositionEffect.OPEN and not intent.purpose.startswith(REPAIR_PREFIX)
    return limits.margin_required and opens


def check_margin(request: Request) -> Verdict:
    """Once the order has filled, the account keeps its headroom."""
    if not request.opens:
        return None
    facts, limits = request.readiness.margin, request.limits
    if facts is None:
        if limits.margin_required:
            return RefusalReason.MARGIN_UNKNOWN, "the broker has not said what margin it takes"
        return None
    if facts.refusal:
        return RefusalReason.MARGIN, f"the broker would refuse it: {facts.refusal}"
    floor = limits.margin_headroom_fraction * facts.net_liquidation_usd
    if facts.excess_liquidity_after_usd < floor:
        after = facts.excess_liquidity_after_usd
        return RefusalReason.MARGIN, f"{after:.0f} USD would be left, {floor:.0f} must be"
    return None
