"""Orders and their executions: what is none, what an attempt is, what cash moves."""

from dataclasses import replace
from decimal import Decimal

import pytest

from strategies.model.errors import InvalidOrder
from strategies.model.fills import Fill, Side
from strategies.model.ids import ClientOrderId
from strategies.model.limits import HaltScope
from strategies.model.orders import (
    ApprovedOrder,
    Leg,
    OrderIntent,
    PositionEffect,
    Urgency,
)
from tests.builders import AT, future, option
from tests.strategies.risk.test_gate import ask, hedge

CALL = option("VIX 18MAR20 22 C")
ORDER = OrderIntent(
    plan_id="plan",
    purpose="hedge:L2:add",
    legs=(Leg(instrument=CALL, ratio=1),),
    quantity=3,
    limit_price=Decimal("1.10"),
    worst_price=Decimal("1.20"),
    effect=PositionEffect.OPEN,
    urgency=Urgency.NORMAL,
    rules=("L2",),
    layer="L2",
)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"legs": ()}, "needs legs"),
        ({"quantity": 0}, "positive quantity"),
        ({"legs": (Leg(instrument=CALL, ratio=0),)}, "needs legs with ratios"),
        (
            {"legs": (Leg(instrument=CALL, ratio=1), Leg(instrument=CALL, ratio=-1))},
            "one instrument stands in two legs",
        ),
        ({"limit_price": Decimal("1.105")}, "off the tick grid"),
        ({"worst_price": Decimal("1.205")}, "off the tick grid"),
        ({"worst_price": Decimal("1.09")}, "worst price is better than the limit"),
        ({"layer": None}, "serves a layer or a condor"),
        ({"condor_id": "C0001"}, "serves a layer or a condor"),
    ],
)
def test_what_is_no_order_is_refused_with_the_reason(changed, why):
    with pytest.raises(InvalidOrder, match=why):
        replace(ORDER, **changed)


def test_a_leg_is_spelt_with_its_sign():
    assert [str(Leg(instrument=CALL, ratio=ratio)) for ratio in (2, -1)] == [
        "+2 VIX 18MAR20 22 C",
        "-1 VIX 18MAR20 22 C",
    ]


def test_an_attempt_has_an_id_of_its_own():
    assert replace(ORDER, attempt=2).client_order_id != ORDER.client_order_id
    assert replace(ORDER).client_order_id == ORDER.client_order_id
    assert replace(ORDER, quantity=4).client_order_id != ORDER.client_order_id


def test_an_approved_order_has_the_id_of_its_attempt():
    intent = hedge()
    verdict = ask(intent)
    assert isinstance(verdict, ApprovedOrder)
    assert verdict.client_order_id == intent.client_order_id


def test_nobody_but_the_gate_makes_an_approved_order():
    with pytest.raises(AssertionError, match=r"only strategies\.risk\.gate\.approve"):
        ApprovedOrder(intent=ORDER, approved_at=AT, key=object())


# --- halts ----------------------------------------------------------------------------------------


def test_a_further_halt_never_loosens_the_one_that_stands():
    scopes = list(HaltScope)
    for index, scope in enumerate(scopes):
        assert scope.at_least(None) is scope
        assert [scope.at_least(other) for other in scopes] == [
            scopes[max(index, other)] for other in range(len(scopes))
        ]


# --- executions -----------------------------------------------------------------------------------


def fill(symbol: str, side: Side) -> Fill:
    return Fill(
        exec_root="E1",
        revision=1,
        client_order_id=ClientOrderId("A1"),
        symbol=symbol,
        side=side,
        quantity=3,
        price=Decimal("1.10"),
        commission_usd=Decimal("2.10"),
        executed_at=AT,
    )


@pytest.mark.parametrize(
    ("symbol", "side", "signed", "cash"),
    [
        (CALL.symbol, Side.BUY, 3, "-332.10"),
        (CALL.symbol, Side.SELL, -3, "327.90"),
        (future("VX 18MAR20").symbol, Side.BUY, 3, "-2.10"),  # futures pay no premium
        (future("VXM 18MAR20").symbol, Side.SELL, -3, "-2.10"),
    ],
)
def test_what_an_execution_moves(symbol, side, signed, cash):
    made = fill(symbol, side)
    assert made.signed_quantity == signed
    assert made.cash_flow_usd == Decimal(cash)
