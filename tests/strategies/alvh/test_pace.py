"""B5, B9 and E: how fast layers go to their targets."""

from dataclasses import replace

import pytest

from strategies.alvh.pace import pace_of
from strategies.signals.panel import Verdict
from tests.strategies.alvh.builders import RULES


@pytest.mark.parametrize(
    ("ratio", "increment"), [(3.19, 0.25), (3.2, 0.25), (3.2001, 1.0), (50.0, 1.0), (None, 0.25)]
)
def test_b5_above_the_limit_layers_go_to_target_now(ratio, increment):
    pace = pace_of(ratio, None, RULES)
    assert pace.increment == increment
    assert pace.is_to_target is (increment == 1)
    assert pace.rules == (("B5",) if increment == 1 else ())
    (gate,) = pace.gates
    assert (gate.rule, gate.value, gate.threshold) == ("B5", ratio, 3.2)
    assert gate.passed is pace.is_to_target
    assert ("no theta" in gate.note) is (ratio is None)


@pytest.mark.parametrize(
    ("verdict", "increment"),
    [(None, 0.25), (Verdict.FEAR, 0.5), (Verdict.TECHNICAL, 0.25), (Verdict.UNDECIDED, 0.25)],
)
def test_e_fear_doubles_b9_s_step(verdict, increment):
    pace = pace_of(1.0, verdict, RULES)
    assert pace.increment == increment
    assert not pace.is_to_target
    assert pace.rules == (("E",) if increment > 0.25 else ())


def test_e_no_step_is_larger_than_the_whole_target():
    eager = replace(RULES, panel=replace(RULES.panel, fear_step=4.0))
    large = replace(eager, rotation=replace(RULES.rotation, increment=0.4))
    assert pace_of(None, Verdict.FEAR, large).increment == 1.0


def test_b5_wins_over_fear():
    pace = pace_of(9.0, Verdict.FEAR, RULES)
    assert (pace.increment, pace.rules) == (1.0, ("B5",))


def test_b9_the_step_of_the_interval_is_the_one_the_rules_then_have():
    paced = pace_of(None, Verdict.FEAR, RULES).apply(RULES)
    assert paced.rotation.increment == 0.5
    assert replace(paced, rotation=RULES.rotation) == RULES
