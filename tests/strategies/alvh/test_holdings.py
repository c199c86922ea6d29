"""B10: lots, their tenor buckets and when they are due."""

from decimal import Decimal

import pytest

from strategies.alvh.holdings import layer_of, read_lots
from strategies.model.book import WorkingOrder
from strategies.model.ids import ClientOrderId
from strategies.model.lifecycle import OrderStatus
from strategies.model.rules import LayerRules, RotationRules
from strategies.pricing.valuation import Valuer
from tests.builders import TODAY, book, hedge_position, instrument, market_quotes
from tests.strategies.alvh.builders import days_ahead, lot


def test_b10_a_position_belongs_to_the_layer_of_its_days_left():
    layers = [layer_of(days, LayerRules()) for days in (0, 30, 31, 90, 91, 400)]
    assert layers == ["L1", "L1", "L2", "L2", "L3", "L3"]


@pytest.mark.parametrize(
    ("text", "days", "due"),
    [
        ("VIX {} 25 C", 6, False),
        ("VIX {} 25 C", 5, True),
        ("VX {}", 4, False),
        ("VX {}", 3, True),
        ("VXM {}", 3, True),
    ],
)
def test_b10_options_are_due_at_five_days_and_futures_at_three(text, days, due):
    assert lot(text.format(days_ahead(days)), 1).is_due(RotationRules()) is due


def working(symbol: str, ratio: int, leaves: int, *, layer="L2") -> WorkingOrder:
    side = "add" if ratio > 0 else "reduce"
    return WorkingOrder(
        client_order_id=ClientOrderId("A1"),
        purpose=f"hedge:L2:{side}:{symbol}",
        status=OrderStatus.LIVE,
        legs=((symbol, ratio),),
        leaves_quantity=leaves,
        limit_price=Decimal("0.50"),
        layer=layer,
        condor_id=None,
    )


def lots_of(held):
    return read_lots(held, Valuer(market_quotes(), TODAY), TODAY, LayerRules())


def test_lots_join_what_is_held_and_what_is_at_work_shortest_first():
    near, far = "VIX 18MAR20 22 C", "VIX 15APR20 25 C"
    held = book(
        hedges=[hedge_position(far, 10, cost="0.80"), hedge_position("VX 19FEB20", 2, cost="16")],
        working=[
            working(instrument(far).symbol, -1, 4),
            working(instrument(near).symbol, 1, 6),
        ],
    )
    first, second, third = lots_of(held)
    assert [str(each.instrument) for each in (first, second, third)] == [
        "VX 19FEB20",
        near,
        far,
    ]
    assert (second.contracts, second.buying, second.expected) == (0, 6, 6)
    assert second.cost_usd == pytest.approx(50.0)
    assert (third.contracts, third.selling, third.sellable, third.expected) == (10, 4, 6, 6)
    assert third.cost_usd == pytest.approx(80.0)
    assert first.cost_usd == pytest.approx(16_000.0)
    assert [each.layer for each in (first, second, third)] == ["L1", "L2", "L2"]
    assert first.unit_vega_usd > 500
    assert not first.is_call
    assert third.is_call


def test_a_lot_nobody_can_price_has_no_vega():
    (unpriced,) = lots_of(book(hedges=[hedge_position("VIX 18MAR20 22.5 C", 1)]))
    assert unpriced.value is not None
    (unpriced,) = lots_of(book(hedges=[hedge_position("VIX 18MAR20 22.25 C", 1)]))
    assert unpriced.value is None
    assert unpriced.unit_vega_usd == 0


def test_condor_orders_are_no_hedge_lots():
    order = working(instrument("SPXW 20MAR20 3050 P").symbol, -1, 4, layer=None)
    assert lots_of(book(working=[order])) == ()
