from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.model.instruments import FutureContract, OptionContract, Right
from strategies.model.ticks import leg_tick, order_tick, round_down, round_up

EXPIRY = date(2026, 12, 16)
TICKS = st.sampled_from([Decimal("0.01"), Decimal("0.05"), Decimal("0.10")])
PRICES = st.decimals(Decimal(-500), Decimal(500), places=5)


def option(root):
    return OptionContract(root, EXPIRY, Right.CALL, Decimal(20))


def future(root):
    return FutureContract(root, EXPIRY)


@pytest.mark.parametrize(
    ("instrument", "below_three", "from_three"),
    [
        (option("SPX"), "0.05", "0.10"),
        (option("SPXW"), "0.05", "0.10"),
        (option("VIX"), "0.01", "0.05"),
        (option("VIXW"), "0.01", "0.01"),
        (future("VX"), "0.05", "0.05"),
        (future("VXM"), "0.01", "0.01"),
    ],
)
def test_single_legs_trade_on_the_grid_of_their_contract(instrument, below_three, from_three):
    assert leg_tick(instrument, Decimal("2.99")) == Decimal(below_three)
    assert leg_tick(instrument, Decimal("3.00")) == Decimal(from_three)
    assert order_tick([instrument], Decimal("3.00")) == Decimal(from_three)


@pytest.mark.parametrize(
    ("root", "tick"), [("SPX", "0.05"), ("SPXW", "0.05"), ("VIX", "0.01"), ("VIXW", "0.01")]
)
@pytest.mark.parametrize("price", [Decimal("-12.35"), Decimal("0.40"), Decimal("7.15")])
def test_packages_trade_on_one_net_grid_at_any_price(root, tick, price):
    assert order_tick([option(root), option(root)], price) == Decimal(tick)


@given(PRICES, TICKS)
def test_rounding_stays_on_the_grid_within_a_tick_and_on_its_side(price, tick):
    down, up = round_down(price, tick), round_up(price, tick)
    assert down % tick == 0
    assert up % tick == 0
    assert down <= price <= up
    assert price - down < tick
    assert up - price < tick


@given(PRICES, TICKS)
def test_rounding_twice_changes_nothing(price, tick):
    assert round_down(round_down(price, tick), tick) == round_down(price, tick)
    assert round_up(round_up(price, tick), tick) == round_up(price, tick)


def test_rounding_goes_the_same_way_for_credits():
    assert round_down(Decimal("-1.02"), Decimal("0.05")) == Decimal("-1.05")
    assert round_up(Decimal("-1.02"), Decimal("0.05")) == Decimal("-1.00")
