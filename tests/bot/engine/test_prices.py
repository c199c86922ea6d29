"""The price walk stays on ticks, inside the plan's worst price, and moves one way."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.app.config.limits import load_limits
from bot.engine.prices import PackageQuote, package_quote, walk_fraction, walk_price
from strategies.model.instruments import FutureContract, OptionContract, Right
from strategies.model.orders import Leg, OrderIntent, PositionEffect, Urgency
from strategies.model.quotes import Quote
from strategies.model.ticks import order_tick

CALL = OptionContract("VIX", date(2020, 3, 18), Right.CALL, Decimal(20))
HIGHER = OptionContract("VIX", date(2020, 3, 18), Right.CALL, Decimal(25))
LIMITS = load_limits(Path(__file__).parents[3] / "limits.yaml")
FUTURE = FutureContract("VX", date(2020, 3, 18))


def intent(legs, limit, worst, urgency=Urgency.NORMAL):
    return OrderIntent(
        plan_id="p",
        purpose="hedge:L1:add",
        legs=legs,
        quantity=1,
        limit_price=Decimal(limit),
        worst_price=Decimal(worst),
        effect=PositionEffect.OPEN,
        urgency=urgency,
        rules=("L1",),
        layer="L1",
    )


def test_a_package_costs_its_legs_at_the_side_they_trade_on():
    legs = (Leg(instrument=CALL, ratio=1), Leg(instrument=HIGHER, ratio=-1))
    quotes = {CALL.symbol: Quote(bid=1.0, ask=1.2), HIGHER.symbol: Quote(bid=0.4, ask=0.5)}
    quote = package_quote(legs, quotes)
    assert quote.mid == pytest.approx(0.65)
    assert quote.natural == pytest.approx(0.8)


@pytest.mark.parametrize("bad", [None, Quote(bid=1.3, ask=1.2), Quote(bid=0.0, ask=0.0)])
def test_a_missing_or_crossed_leg_leaves_the_package_without_a_quote(bad):
    quotes = {} if bad is None else {CALL.symbol: bad}
    assert package_quote((Leg(instrument=CALL, ratio=1),), quotes) is None


@pytest.mark.parametrize(
    ("urgency", "first", "last"),
    [
        (Urgency.PASSIVE, 0.0, 0.0),
        (Urgency.PATIENT, 0.0, 0.6),
        (Urgency.NORMAL, 0.0, 1.0),
        (Urgency.URGENT, 0.5, 1.0),
    ],
)
def test_each_urgency_starts_and_ends_where_it_says(urgency, first, last):
    assert walk_fraction(urgency, 0, 6) == first
    assert walk_fraction(urgency, 5, 6) == pytest.approx(last)


@given(
    bid_ticks=st.integers(1, 400),
    spread_ticks=st.integers(0, 40),
    urgency=st.sampled_from(Urgency),
    worst_ticks=st.integers(1, 500),
)
def test_the_walk_never_pays_more_than_the_worst_price_and_never_steps_back(
    bid_ticks, spread_ticks, urgency, worst_ticks
):
    """Fault E16: what was agreed to at one price is not done at a worse one."""
    bid, ask = bid_ticks * 0.05, (bid_ticks + spread_ticks) * 0.05
    quote = PackageQuote(mid=(bid + ask) / 2, natural=ask)
    worst = worst_ticks * Decimal("0.05")
    order = intent((Leg(instrument=FUTURE, ratio=1),), "0.05", worst, urgency)
    prices = [walk_price(order, quote, step, 6, LIMITS) for step in range(6)]
    assert all(price <= worst for price in prices)
    assert prices == sorted(prices)
    assert all(price % order_tick([FUTURE], price) == 0 for price in prices)


def test_a_sale_walks_from_mid_down_to_the_bid():
    order = intent((Leg(instrument=CALL, ratio=-1),), "-1.10", "-1.00")
    quote = package_quote(order.legs, {CALL.symbol: Quote(bid=1.0, ask=1.2)})
    prices = [walk_price(order, quote, step, 6, LIMITS) for step in range(6)]
    assert prices[0] == Decimal("-1.10")
    assert prices[-1] == Decimal("-1.00")


def test_the_walk_stops_at_the_collar_that_the_gate_would_refuse():
    order = intent((Leg(instrument=CALL, ratio=1),), "1.00", "9.00", Urgency.URGENT)
    wide = PackageQuote(mid=1.0, natural=9.0)
    last = walk_price(order, wide, 5, 6, LIMITS)
    assert last == Decimal(1) + LIMITS.price_collar_points


@given(bid_ticks=st.integers(1, 400), spread_ticks=st.integers(1, 40), step=st.integers(0, 5))
def test_g9_a_passive_order_never_reaches_the_other_side_of_the_market(
    bid_ticks, spread_ticks, step
):
    bid, ask = bid_ticks * 0.05, (bid_ticks + spread_ticks) * 0.05
    quotes = {FUTURE.symbol: Quote(bid=bid, ask=ask)}
    for ratio, worst, other_side in ((1, "99.00", ask), (-1, "0.00", -bid)):
        order = intent((Leg(instrument=FUTURE, ratio=ratio),), "-99.00", worst, Urgency.PASSIVE)
        price = walk_price(order, package_quote(order.legs, quotes), step, 6, LIMITS)
        assert float(price) < other_side
        assert float(price) <= ratio * (bid + ask) / 2 + 1e-9
