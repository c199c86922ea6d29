"""G9: while VIX has come apart from SPX no hedge order crosses the market."""

from dataclasses import replace

import pytest

from strategies.alvh.orders import order_of
from strategies.alvh.passive import dislocation_gate, without_crossing
from strategies.alvh.rebalance import Trade
from strategies.model.orders import PositionEffect, Urgency
from strategies.signals.readings import read_signals
from tests.builders import instrument, market_snapshot
from tests.strategies.alvh.builders import RULES

SIGNALS = read_signals(market_snapshot(), RULES)


def signals(z):
    dislocated = None if z is None else abs(z) > RULES.signals.dislocation_z
    return replace(SIGNALS, dislocation_z=z, dislocated=dislocated)


def trade(*rules, contracts=5, urgency=Urgency.NORMAL):
    return Trade(
        instrument=instrument("VIX 18MAR20 22 C"),
        layer="L2",
        contracts=contracts,
        effect=PositionEffect.OPEN if contracts > 0 else PositionEffect.CLOSE,
        unit_vega_usd=10.0,
        bid=0.60,
        ask=0.70,
        rules=rules,
        urgency=urgency,
    )


@pytest.mark.parametrize(
    ("z", "urgency"),
    [
        (3.0, Urgency.NORMAL),
        (2.99, Urgency.NORMAL),
        (3.01, Urgency.PASSIVE),
        (-3.01, Urgency.PASSIVE),
        (-3.0, Urgency.NORMAL),
        (None, Urgency.NORMAL),
    ],
)
def test_g9_orders_are_passive_beyond_the_limit(z, urgency):
    (left,) = without_crossing([trade("L2")], signals(z))
    assert left.urgency is urgency
    assert order_of(left, "plan").urgency is urgency


def test_g9_nothing_but_the_urgency_changes():
    before = trade("B8", "G7", contracts=-5, urgency=Urgency.URGENT)
    (after,) = without_crossing([before], signals(4.0))
    assert after == replace(before, urgency=Urgency.PASSIVE)


@pytest.mark.parametrize("rule", ["G6", "G8"])
def test_g9_what_safety_demands_is_exempt(rule):
    before = trade("B10", rule, contracts=-5, urgency=Urgency.URGENT)
    assert without_crossing([before], signals(9.0)) == (before,)


@pytest.mark.parametrize(("z", "passed"), [(3.0, True), (3.01, False), (None, True)])
def test_g9_its_gate_tells_the_dislocation(z, passed):
    gate = dislocation_gate(signals(z), RULES.signals)
    assert (gate.rule, gate.value, gate.threshold, gate.passed) == ("G9", z, 3.0, passed)
