"""From trades to orders: one instrument, one side, one purpose each.

A purchase starts at mid and pays at most the offer; a sale starts at mid and accepts at least the
bid; either may open or close (L6: futures are sold short and bought back). Limits are rounded away
from paying more; a worst price stays reachable on the tick grid.
"""

from decimal import Decimal

from strategies.alvh.rebalance import Trade
from strategies.model.orders import Leg, OrderIntent, PositionEffect
from strategies.model.quotes import to_price
from strategies.model.ticks import leg_tick, round_down, round_up


def order_of(trade: Trade, plan_id: str) -> OrderIntent:
    """Return the order that carries out one trade of the hedge."""
    buys = trade.contracts > 0
    sign = 1 if buys else -1
    opens = trade.effect is PositionEffect.OPEN
    mid = sign * to_price((trade.bid + trade.ask) / 2)
    natural = to_price(trade.ask) if buys else -to_price(trade.bid)
    worst = _rounded(trade, natural, up=not buys)
    limit = min(_rounded(trade, mid, up=False), worst)
    return OrderIntent(
        plan_id=plan_id,
        purpose=f"hedge:{trade.layer}:{'add' if opens else 'reduce'}:{trade.instrument.symbol}",
        legs=(Leg(instrument=trade.instrument, ratio=sign),),
        quantity=abs(trade.contracts),
        limit_price=limit,
        worst_price=worst,
        effect=trade.effect,
        urgency=trade.urgency,
        rules=trade.rules,
        layer=trade.layer,
    )


def _rounded(trade: Trade, price: Decimal, *, up: bool) -> Decimal:
    tick = leg_tick(trade.instrument, price)
    return round_up(price, tick) if up else round_down(price, tick)
