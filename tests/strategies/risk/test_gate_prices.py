"""The gate on contracts and prices: what the broker knows, and how far a limit may reach."""

from dataclasses import replace
from decimal import Decimal

import pytest

from strategies.model.orders import PositionEffect
from strategies.risk.gate import RefusalReason
from tests.builders import book, hedge_position, leg, quote
from tests.strategies.risk.test_gate import (
    LIMITS,
    QUOTES,
    READY,
    ask,
    close_condor,
    hedge,
    open_condor,
    reason,
    sell,
)

_R = RefusalReason
VX = leg("VX 18MAR20").instrument
WIDE = replace(LIMITS, price_collar_fraction=Decimal("0.5"))


@pytest.mark.parametrize("intent", [open_condor(), close_condor(), hedge(), sell()])
def test_d20_a_contract_the_broker_knows_otherwise_is_not_traded(intent):
    """Fault D20: contract details changed overnight."""
    changed = frozenset({intent.legs[-1].instrument.symbol})
    assert reason(ask(intent, readiness=replace(READY, unqualified=changed))) is _R.NOT_QUALIFIED
    other = frozenset({VX.symbol})
    assert reason(ask(intent, readiness=replace(READY, unqualified=other))) is None


@pytest.mark.parametrize(
    ("ratio", "price", "expected"),
    [
        (1, "18.70", None),  # 10 % above an offer of 17.00
        (1, "18.75", _R.THROUGH_MARKET),
        (-1, "-15.30", None),  # 10 % below a bid of 17.00
        (-1, "-15.25", _R.THROUGH_MARKET),
    ],
)
@pytest.mark.parametrize("effect", PositionEffect)
def test_d10_a_future_s_limit_stays_near_the_other_side(ratio, price, effect, expected):
    """Fault D10: the exchange refuses more than a tenth through the market."""
    sides = "16.00 x 17.00" if ratio > 0 else "17.00 x 18.00"
    intent = hedge("VX 18MAR20", 1, ratio=ratio, limit=price, worst=price, effect=effect)
    held = book(hedges=[hedge_position("VX 18MAR20", -ratio)])
    verdict = ask(
        intent,
        held=held if effect is PositionEffect.CLOSE else book(),
        quotes=QUOTES | {VX.symbol: quote(sides)},
        limits=WIDE,
    )
    assert reason(verdict) is expected


def test_d10_packages_and_options_know_no_such_bound():
    """Fault D10."""
    calls = QUOTES | {leg("VIX 18MAR20 22 C").instrument.symbol: quote("0.30 x 0.40")}
    assert reason(ask(hedge(limit="0.60", worst="0.60"), quotes=calls)) is None


@pytest.mark.parametrize("limit", ["-1.25", "-1.20"])
def test_i15_a_credit_order_never_takes_less_than_the_plan_s_minimum(limit):
    forged = open_condor(worst="-1.25")
    object.__setattr__(forged, "limit_price", Decimal(limit))
    assert reason(ask(forged)) is (None if limit == "-1.25" else _R.WORSE_THAN_PLAN)


def test_i15_a_debit_order_never_pays_more_than_the_plan_s_most():
    forged = hedge(worst="0.64")
    object.__setattr__(forged, "limit_price", Decimal("0.65"))
    assert reason(ask(forged)) is _R.WORSE_THAN_PLAN
