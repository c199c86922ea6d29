"""Repairs: orders that make a broken condor even again, and never add risk on the way.

Uncovered shorts are bought back first. What is left over is sold once nothing short is left that
it might cover (fault A29). A repair is an order like any other: it goes through the gate, and it
is carried out only where the configuration says so.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

import structlog

from bot.engine.reconcile import structures_to_mend
from bot.engine.structures import Structure
from bot.ports import MarketData
from state.ledger import Ledger
from strategies.model.instruments import Instrument
from strategies.model.orders import Leg, OrderIntent, PositionEffect, Urgency
from strategies.model.quotes import Quote, to_price
from strategies.model.ticks import order_tick, round_up

log = structlog.get_logger(__name__)

_RULES = ("G8",)  # what is short is covered


def repair_orders(
    structure: Structure, quotes: Mapping[str, Quote], plan_id: str, attempts: Mapping[str, int]
) -> tuple[OrderIntent, ...]:
    """Return the next orders that mend a condor; none for what has no quote.

    Args:
        structure: What is held.
        quotes: Of its legs, by symbol.
        plan_id: The decision that they follow.
        attempts: How often each purpose was attempted under that decision.
    """
    intents = []
    for instrument, change in structure.changes:
        quote = quotes.get(instrument.symbol)
        if quote is None or quote.ask <= 0 or quote.bid > quote.ask:
            continue
        purpose = f"repair:{structure.condor_id}:{instrument.symbol}"
        ratio = 1 if change > 0 else -1
        # What is bought is paid for at the offer if need be, what is sold goes at the bid
        natural = quote.ask if change > 0 else -quote.bid
        worst = _on_tick(instrument, natural)
        limit = min(_on_tick(instrument, ratio * (quote.bid + quote.ask) / 2), worst)
        intents.append(
            OrderIntent(
                plan_id=plan_id,
                purpose=purpose,
                legs=(Leg(instrument=instrument, ratio=ratio),),
                quantity=abs(change),
                limit_price=limit,
                worst_price=worst,
                effect=PositionEffect.CLOSE,
                urgency=Urgency.URGENT,
                rules=_RULES,
                condor_id=structure.condor_id,
                attempt=1 + attempts.get(purpose, 0),
            )
        )
    return tuple(intents)


async def carry_out_repairs(
    ledger: Ledger,
    market_data: MarketData,
    carry_out: Callable[[str, datetime], Awaitable[None]],
    at: datetime,
) -> tuple[OrderIntent, ...]:
    """Send the next repair of every broken condor, as errands of the last decision; return them.

    Raises: BrokerUnavailable, MarketDataMissing, HaltTrading.
    """
    last = ledger.last_decision()
    broken = [each for each in structures_to_mend(ledger, at) if each.is_own]
    if not broken or last is None or not last.completed:
        return ()
    instruments = {instrument for each in broken for instrument, _ in each.changes}
    quotes = await market_data.fetch_quotes(sorted(instruments, key=lambda each: each.symbol))
    attempts: dict[str, int] = {}
    for order in ledger.orders_of_plan(last.plan_id):
        attempts[order.intent.purpose] = order.intent.attempt
    intents: Sequence[OrderIntent] = [
        intent for each in broken for intent in repair_orders(each, quotes, last.plan_id, attempts)
    ]
    if not intents:
        return ()
    with ledger.transaction() as tx:
        for intent in intents:
            log.warning("repair", purpose=intent.purpose, quantity=intent.quantity)
            tx.record_intent(intent, at)
    await carry_out(last.plan_id, at)
    return tuple(intents)


def _on_tick(instrument: Instrument, price: float) -> Decimal:
    exact = to_price(price)
    return round_up(exact, order_tick([instrument], exact))
