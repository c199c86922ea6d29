"""B10: lots, their tenor buckets and when they are due."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from strategies.alvh.holdings import layer_of, read_lots, with_reach
from strategies.model.book import WorkingOrder
from strategies.model.ids import ClientOrderId
from strategies.model.lifecycle import OrderStatus
from strategies.model.rules import LayerRules, RotationRules, Rules
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
    assert (third.contracts, third.selling, third.closable, third.expected) == (10, 4, 6, 6)
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


# --- B10: L1 reaches the expiry it can buy --------------------------------------------------------


def reach(*days, rules=None):
    """How far L1 reaches where VIX expiries are listed so many days ahead."""
    curve = {TODAY + timedelta(days=each): 16.0 for each in days}
    return with_reach(rules or Rules(), market_quotes(curve=curve), TODAY).layers.l1_max_days


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ((10, 38), 30),  # it can be held five days before B10 sells it
        ((9, 37), 37),
        ((9, 44), 44),
        ((9, 30, 58), 30),
        ((9, 31, 58), 31),
        ((9, 91), 30),  # nothing to reach for: a month is missing
        ((9, 90), 90),
        ((9,), 30),
    ],
)
def test_b10_l1_reaches_the_next_month_while_none_of_its_tenor_can_be_bought(days, expected):
    assert reach(*days) == expected


def test_b10_what_l1_reaches_is_l1_until_a_nearer_month_can_be_bought():
    """The day's walk of the second month: L2, then L1 to the end, never back."""
    second, layers = 44, []
    for day in range(second - 5):
        rules = with_reach(
            Rules(),
            market_quotes(
                curve={TODAY + timedelta(days=n - day): 16.0 for n in (16, second) if n > day}
            ),
            TODAY,
        )
        layers.append(layer_of(second - day, rules.layers))
    assert layers == ["L2"] * 7 + ["L1"] * 32


def test_b10_the_reach_follows_the_days_at_which_options_roll():
    late = replace(Rules(), rotation=replace(RotationRules(), option_roll_days=8))
    assert reach(13, 41, rules=late) == 30
    assert reach(12, 40, rules=late) == 40
