"""What could be lost if orders filled, added up without the gate."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from bot.app.config.limits import load_limits
from bot.app.simulation.bounds import Pending, beyond_limits, worst_loss_usd

LIMITS = load_limits(Path(__file__).parents[4] / "limits.yaml")
CONDOR = (
    ("SPXW  200320P02900000", 1),
    ("SPXW  200320P02910000", -1),
    ("SPXW  200320C03300000", -1),
    ("SPXW  200320C03310000", 1),
)
VIX_CALL = "VIX   200318C00025000"


def pending(name: str, quantity: int, legs=CONDOR, price: str = "-3.00") -> Pending:
    """Return an order at work, by default of condors that bring 3 points each."""
    return Pending(name=name, legs=tuple(legs), quantity=quantity, limit_price=Decimal(price))


def held(quantity: int) -> dict[str, int]:
    """Return the positions of some condors."""
    return {symbol: ratio * quantity for symbol, ratio in CONDOR}


def test_a_condor_loses_its_width_less_what_it_brought():
    assert worst_loss_usd(held(2), Decimal(600)) == 2 * 1000 - 600
    assert worst_loss_usd({}, Decimal(0)) == 0


def test_a_short_call_alone_can_lose_everything_and_a_short_put_its_strike():
    assert worst_loss_usd({"SPXW  200320C03300000": -1}, Decimal(0)) is None
    assert worst_loss_usd({"SPXW  200320P02910000": -1}, Decimal(0)) == 291_000


@pytest.mark.parametrize(
    ("limits", "orders", "found"),
    [
        ({}, [pending("a", 3)], []),
        ({"total_max_loss_usd": Decimal(2_000)}, [pending("a", 3)], ["a"]),
        ({"total_max_loss_usd": Decimal(1_500)}, [pending("a", 2), pending("b", 2)], ["a, b"]),
        ({"condors_max": 3}, [pending("a", 2), pending("b", 2)], ["a, b"]),
        ({"hedge_contracts_max": 5}, [pending("h", 6, [(VIX_CALL, 1)], "1.00")], ["h"]),
        ({"futures_contracts_max": 2}, [pending("f", 30, [("VXM   200318", -1)], "15")], ["f"]),
    ],
)
def test_every_combination_of_orders_is_within_the_limits(limits, orders, found):
    told = list(beyond_limits({}, Decimal(0), orders, replace(LIMITS, **limits)))
    assert [each.split(" once ")[1].removesuffix(" filled") for each in told] == found


def test_what_is_beyond_already_is_no_order_s_fault():
    tight = replace(LIMITS, total_max_loss_usd=Decimal(500))
    assert list(beyond_limits(held(1), Decimal(300), [pending("a", 1)], tight)) == []


def test_of_many_orders_all_together_are_looked_at():
    orders = [pending(str(number), 1) for number in range(8)]
    tight = replace(LIMITS, total_max_loss_usd=Decimal(5_000))
    assert len(list(beyond_limits({}, Decimal(0), orders, tight))) == 1
