"""What the broker says an opening order would leave of the margin, asked before the gate is."""

from collections.abc import Sequence
from decimal import Decimal

from bot.ports import Broker
from strategies.model.ids import ClientOrderId
from strategies.model.limits import Limits, MarginFacts
from strategies.model.orders import OrderIntent
from strategies.risk.gate import wants_preview


async def preview_margins(
    broker: Broker, intents: Sequence[OrderIntent], limits: Limits
) -> dict[ClientOrderId, MarginFacts]:
    """Return the facts for ``Readiness.margin`` of every order of which the gate wants them.

    The broker looks at each order alone. What those before it in the list would take of the excess
    is taken off: they may all be on their way at once.

    Raises: BrokerUnavailable.
    """
    wanted = [intent for intent in intents if wants_preview(intent, limits)]
    if not wanted:
        return {}
    account = await broker.fetch_account()
    facts: dict[ClientOrderId, MarginFacts] = {}
    taken = Decimal(0)
    for intent in wanted:
        impact = await broker.preview(intent)
        left = impact.excess_liquidity_after_usd - taken
        taken += max(Decimal(0), account.excess_liquidity_usd - impact.excess_liquidity_after_usd)
        facts[intent.client_order_id] = MarginFacts(
            net_liquidation_usd=account.net_liquidation_usd,
            initial_margin_after_usd=impact.initial_margin_after_usd,
            maintenance_margin_after_usd=impact.maintenance_margin_after_usd,
            excess_liquidity_after_usd=left,
            refusal=impact.note,
        )
    return facts
