"""The price walk stays on ticks, inside the plan's worst price, and moves one way."""

import math
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.app.config.limits import load_limits
from bot.engine.prices import (
    OrderClass,
    PackageQuote,
    QuoteGuard,
    Unpriceable,
    WalkPolicy,
    Walks,
    class_of,
    package_quote,
    walk_fraction,
    walk_price,
)
from strategies.model.instruments import FutureContract, OptionContract, Right
from strategies.model.orders import Leg, OrderIntent, PositionEffect, Urgency
from strategies.model.quotes import Quote
from strategies.model.ticks import order_tick
from tests.builders import AT

CALL = OptionContract("VIX", date(2020, 3, 18), Right.CALL, Decimal(20))
HIGHER = OptionContract("VIX", date(2020, 3, 18), Right.CALL, Decimal(25))
LIMITS = load_limits(Path(__file__).parents[3] / "limits.yaml")
FUTURE = FutureContract("VX", date(2020, 3, 18))
GUARD = QuoteGuard(age_max=timedelta(seconds=90))
WALK = WalkPolicy(duration_s=180, step_s=30)


def at(bid, ask, *, age_s=0.0):
    return Quote(bid=bid, ask=ask, quoted_at=AT - timedelta(seconds=age_s))


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
    quotes = {CALL.symbol: at(1.0, 1.2), HIGHER.symbol: at(0.4, 0.5)}
    quote = package_quote(legs, quotes, GUARD, AT)
    assert quote.mid == pytest.approx(0.65)
    assert quote.natural == pytest.approx(0.8)
    assert quote.bid == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (None, "nobody offers it"),
        (at(0.0, 0.0), "nobody offers it"),
        (at(1.0, math.nan), "nobody offers it"),
        (at(math.nan, 1.2), "nan x 1.2 is crossed"),
        (at(1.3, 1.2), "1.3 x 1.2 is crossed"),
        (at(1.2, 1.2), "1.2 x 1.2 is locked"),
        (at(2.0, 8.0), "2 x 8 is too wide"),
        (at(1.0, 1.2, age_s=91), "its quote is 91 s old"),
        (Quote(bid=1.0, ask=1.2), "nobody says how old its quote is"),
    ],
)
def test_a_leg_without_a_sound_quote_leaves_the_package_without_one(bad, why):
    """Fault D1, fault D2, fault D3."""
    quotes = {} if bad is None else {CALL.symbol: bad}
    found = package_quote((Leg(instrument=CALL, ratio=1),), quotes, GUARD, AT)
    assert found == Unpriceable(f"{CALL}: {why}")


@pytest.mark.parametrize(
    "sound", [at(0.0, 5.0), at(0.0, 0.05), at(10.0, 20.0), at(1, 1.2, age_s=90)]
)
def test_a_wide_leg_that_is_cheap_or_usual_has_a_quote(sound):
    quotes = {CALL.symbol: sound}
    found = package_quote((Leg(instrument=CALL, ratio=1),), quotes, GUARD, AT)
    assert isinstance(found, PackageQuote)


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
    prices = [walk_price(order, quote, step, WALK, LIMITS) for step in range(6)]
    assert all(price <= worst for price in prices)
    assert prices == sorted(prices)
    assert all(price % order_tick([FUTURE], price) == 0 for price in prices)


def test_a_sale_walks_from_mid_down_to_the_bid():
    order = intent((Leg(instrument=CALL, ratio=-1),), "-1.10", "-1.00")
    quote = package_quote(order.legs, {CALL.symbol: at(1.0, 1.2)}, GUARD, AT)
    prices = [walk_price(order, quote, step, WALK, LIMITS) for step in range(6)]
    assert prices[0] == Decimal("-1.10")
    assert prices[-1] == Decimal("-1.00")


def test_the_walk_stops_at_the_collar_that_the_gate_would_refuse():
    order = intent((Leg(instrument=CALL, ratio=1),), "1.00", "9.00", Urgency.URGENT)
    wide = PackageQuote(mid=1.0, natural=9.0)
    last = walk_price(order, wide, 5, WALK, LIMITS)
    assert last == Decimal(1) + LIMITS.price_collar_points


@given(bid_ticks=st.integers(1, 400), spread_ticks=st.integers(1, 40), step=st.integers(0, 5))
def test_g9_a_passive_order_never_reaches_the_other_side_of_the_market(
    bid_ticks, spread_ticks, step
):
    bid, ask = bid_ticks * 0.05, (bid_ticks + spread_ticks) * 0.05
    quotes = {FUTURE.symbol: at(bid, ask)}
    for ratio, worst, other_side in ((1, "99.00", ask), (-1, "0.00", -bid)):
        order = intent((Leg(instrument=FUTURE, ratio=ratio),), "-99.00", worst, Urgency.PASSIVE)
        quote = package_quote(order.legs, quotes, GUARD, AT)
        price = walk_price(order, quote, step, WALK, LIMITS)
        assert float(price) < other_side
        assert float(price) <= ratio * (bid + ask) / 2 + 1e-9


# --- classes of orders ----------------------------------------------------------------------------


def condor_order(effect, urgency):
    order = intent((Leg(instrument=CALL, ratio=1),), "1.00", "1.20", urgency)
    return replace(order, layer=None, condor_id="C0001", effect=effect)


def hedge_order(effect, urgency=Urgency.NORMAL, rules=("L1",)):
    order = intent((Leg(instrument=CALL, ratio=1),), "1.00", "1.20", urgency)
    return replace(order, effect=effect, rules=rules)


@pytest.mark.parametrize(
    ("order", "wanted"),
    [
        (condor_order(PositionEffect.OPEN, Urgency.PATIENT), OrderClass.CONDOR_ENTRY),
        (condor_order(PositionEffect.CLOSE, Urgency.PATIENT), OrderClass.CONDOR_EXIT),
        (condor_order(PositionEffect.CLOSE, Urgency.NORMAL), OrderClass.CONDOR_STOP),
        (condor_order(PositionEffect.CLOSE, Urgency.URGENT), OrderClass.CONDOR_STOP),
        (hedge_order(PositionEffect.OPEN), OrderClass.HEDGE_ADD),
        (hedge_order(PositionEffect.CLOSE), OrderClass.HEDGE_REDUCE),
        (hedge_order(PositionEffect.CLOSE, Urgency.URGENT, ("B8",)), OrderClass.HEDGE_URGENT),
        (hedge_order(PositionEffect.CLOSE, rules=("B1", "G8")), OrderClass.HEDGE_URGENT),
        (hedge_order(PositionEffect.CLOSE, rules=("G6",)), OrderClass.HEDGE_URGENT),
    ],
)
def test_a_reduction_that_safety_asks_for_is_not_an_addition(order, wanted):
    assert class_of(order) is wanted
    fast = WalkPolicy(duration_s=20, step_s=10)
    walks = Walks(common=WALK, classes={wanted: fast})
    assert walks.of(order) == fast
    assert Walks(common=WALK).of(order) == WALK


def test_a_walk_says_which_step_is_due_and_when_its_time_is_over():
    policy = WalkPolicy(duration_s=60, step_s=20)
    assert policy.times() == (0, 20, 40, 60)
    assert [policy.step_at(seconds) for seconds in (0, 19, 20, 59, 60)] == [0, 0, 1, 2, None]
    assert [policy.is_due(seconds) for seconds in (0, 20, 30)] == [True, True, False]


@given(
    fraction=st.floats(0.0, 1.0),
    points=st.none() | st.integers(1, 40).map(lambda ticks: ticks * Decimal("0.05")),
    urgency=st.sampled_from(Urgency),
    step=st.integers(0, 5),
)
def test_a_class_never_gives_away_more_than_its_slippage(fraction, points, urgency, step):
    policy = replace(WALK, slippage_fraction=fraction, slippage_points=points)
    quote = PackageQuote(mid=10.0, natural=12.0)
    order = intent((Leg(instrument=FUTURE, ratio=1),), "9.00", "99.00", urgency)
    price = walk_price(order, quote, step, policy, LIMITS)
    assert price <= Decimal(10) + Decimal(repr(2 * fraction)) + Decimal("0.0001")
    assert points is None or price <= Decimal(10) + points
