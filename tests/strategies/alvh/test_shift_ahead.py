"""B3 and T3: when weight moves ahead of a flip, and where to."""

import pytest

from strategies.alvh.shift_ahead import asks_for_shift, shortest_tenor
from strategies.model.memory import Curve
from strategies.signals.indicators import Side
from tests.strategies.alvh.builders import RULES, regime
from tests.strategies.alvh.test_boost import analogues
from tests.strategies.signals.builders import signals


def asks(*, days=3, side=Side.BULLISH, curve=Curve.CONTANGO, past=None):
    return asks_for_shift(
        signals(slope_falling_days=days, basis_macd=side), regime(curve), past, RULES.rotation
    )


@pytest.mark.parametrize(("days", "expected"), [(2, False), (3, True), (4, True), (None, False)])
def test_b3_asks_once_the_slope_has_been_falling_for_three_days(days, expected):
    asked, (_, falling, _) = asks(days=days)
    assert asked is expected
    assert (falling.value, falling.threshold, falling.passed) == (days, 3.0, expected)


@pytest.mark.parametrize(
    ("curve", "expected"),
    [
        (Curve.CONTANGO, True),
        (Curve.FLAT, False),
        (Curve.BACKWARDATION, False),
        (Curve.UNKNOWN, False),
    ],
)
def test_b3_asks_only_in_contango(curve, expected):
    asked, (gate, _, _) = asks(curve=curve)
    assert asked is gate.passed is expected
    assert gate.value == (None if curve is Curve.UNKNOWN else str(curve))


@pytest.mark.parametrize("side", [Side.BEARISH, None])
def test_b3_needs_a_bullish_basis_unless_the_past_says_that_vix_may_rise(side):
    assert not asks(side=side)[0]
    assert not asks(side=side, past=analogues())[0]
    asked, (_, _, gate) = asks(side=side, past=analogues(may_rise=True))
    assert asked
    assert gate.passed
    assert gate.note == "S4; T1 stands in for it"


def test_b3_the_past_alone_moves_nothing():
    assert not asks(days=2, past=analogues(may_rise=True))[0]
    assert asks(past=analogues(may_rise=True))[1][2].note == "S4"


# --- T3 -------------------------------------------------------------------------------------------


def tenor(forward, *, short=1000.0, grows=True):
    return shortest_tenor(forward, short, may_l3_grow=grows, rules=RULES.layers)


@pytest.mark.parametrize(
    ("forward", "layer"),
    [
        ((0.0, 0.0), "L2"),  # short of 500 in 30 days, of 200 in 60
        ((299.0, 0.0), "L2"),  # 201 and 200
        ((301.0, 0.0), "L3"),  # 199 and 200
        ((600.0, 0.0), "L3"),  # nothing lacks in 30 days
        ((600.0, 200.0), "L2"),  # nothing lacks in 60 either
        ((600.0, 199.0), "L3"),
        (None, "L2"),
    ],
)
def test_t3_the_weight_goes_where_the_forward_profile_is_short(forward, layer):
    found, gate = tenor(forward)
    assert found == layer
    assert gate.rule == "T3"
    assert gate.passed is (layer == "L3")
    assert layer in gate.note
    if forward is None:
        assert gate.value is None
        assert gate.threshold is None
    else:
        assert gate.threshold == pytest.approx(500.0 - forward[0])
        assert gate.value == pytest.approx(200.0 - forward[1])


def test_t3_nothing_goes_to_l3_while_it_may_not_grow():
    assert tenor((600.0, 0.0), grows=False)[0] == "L2"
