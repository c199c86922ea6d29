"""B5, B9 and E: how fast layers go to their targets."""

from dataclasses import replace

import pytest

from strategies.alvh.pace import pace_of
from strategies.signals.panel import Verdict
from tests.strategies.alvh.builders import RULES

SHORT, LONG = -500.0, 500.0


@pytest.mark.parametrize(
    ("ratio", "is_above"),
    [(3.19, False), (3.2, False), (3.2001, True), (50.0, True), (None, False)],
)
def test_b5_above_the_limit_layers_go_to_target_now(ratio, is_above):
    pace = pace_of(ratio, SHORT, None, RULES, is_spike=False)
    assert pace.buying.increment == (1.0 if is_above else 0.25)
    assert pace.buying.rules == (("B5",) if is_above else ())
    (gate,) = pace.gates
    assert (gate.rule, gate.value, gate.threshold) == ("B5", ratio, 3.2)
    assert gate.passed is is_above
    assert ("no theta" in gate.note) is (ratio is None)


def test_b5_acts_on_the_side_that_brings_the_net_vega_down():
    short = pace_of(9.0, SHORT, None, RULES, is_spike=False)
    assert (short.buying.increment, short.selling.increment) == (1.0, 0.25)
    assert not short.sells_surplus
    assert short.gates[0].note == "S12: what lacks is bought at once"
    long = pace_of(9.0, LONG, None, RULES, is_spike=False)
    assert (long.buying.increment, long.selling.increment) == (0.25, 1.0)
    assert long.sells_surplus
    assert long.selling.rules == ("B5",)
    assert long.gates[0].note == "S12: surplus is sold at once"


@pytest.mark.parametrize("verdict", [Verdict.FEAR, Verdict.TECHNICAL, Verdict.UNDECIDED, None])
def test_b5_sells_nothing_in_a_spike_and_still_buys(verdict):
    plain = pace_of(1.0, LONG, verdict, RULES, is_spike=True)
    long = pace_of(9.0, LONG, verdict, RULES, is_spike=True)
    assert (long.buying, long.selling, long.sells_surplus) == (plain.buying, plain.selling, False)
    assert not long.gates[0].passed
    assert long.gates[0].note == "S12: no surplus is sold at once in a spike (R3)"
    short = pace_of(9.0, SHORT, verdict, RULES, is_spike=True)
    assert (short.buying.increment, short.buying.rules) == (1.0, ("B5",))
    assert short.gates[0].passed


def test_b5_has_no_side_where_the_net_vega_is_nil():
    nil = pace_of(9.0, 0.0, None, RULES, is_spike=False)
    assert (nil.buying.increment, nil.selling.increment) == (0.25, 0.25)
    assert not nil.gates[0].passed


@pytest.mark.parametrize(
    ("verdict", "increment"),
    [(None, 0.25), (Verdict.FEAR, 0.5), (Verdict.TECHNICAL, 0.25), (Verdict.UNDECIDED, 0.25)],
)
def test_e_fear_doubles_b9_s_step(verdict, increment):
    pace = pace_of(1.0, SHORT, verdict, RULES, is_spike=verdict is not None)
    for step in (pace.buying, pace.selling):
        assert step.increment == increment
        assert step.rules == (("E",) if increment > 0.25 else ())


def test_e_no_step_is_larger_than_the_whole_target():
    eager = replace(RULES, panel=replace(RULES.panel, fear_step=4.0))
    large = replace(eager, rotation=replace(RULES.rotation, increment=0.4))
    assert pace_of(None, SHORT, Verdict.FEAR, large, is_spike=True).buying.increment == 1.0


def test_b5_wins_over_fear():
    pace = pace_of(9.0, SHORT, Verdict.FEAR, RULES, is_spike=True)
    assert (pace.buying.increment, pace.buying.rules) == (1.0, ("B5",))
    assert (pace.selling.increment, pace.selling.rules) == (0.5, ("E",))


def test_b9_the_step_of_the_interval_is_the_one_the_rules_then_have():
    paced = pace_of(None, SHORT, Verdict.FEAR, RULES, is_spike=True).buying.apply(RULES)
    assert paced.rotation.increment == 0.5
    assert replace(paced, rotation=RULES.rotation) == RULES
