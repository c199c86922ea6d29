"""L1's boost: S1 and S5 ask, E and T1 hold it up, E and B7 make it smaller."""

from datetime import date

import pytest

from strategies.alvh.boost import advance_boost
from strategies.model.memory import BoostMemory
from strategies.model.plan import Gate
from strategies.signals.analogues import Analogues
from strategies.signals.indicators import Side
from strategies.signals.panel import Verdict
from tests.strategies.alvh.builders import RULES
from tests.strategies.signals.builders import signals

IN_FORCE = BoostMemory(asked_intervals=1, in_force=True)
PERMITS = {"macd_vvix_vix": Side.BULLISH, "macd_spx": Side.BEARISH}
OPPOSES = {"macd_vvix_vix": Side.BEARISH, "macd_spx": Side.BULLISH}


def analogues(*, lower=False, may_rise=False) -> Analogues:
    figures = dict.fromkeys(
        [f"{name}_{days}" for name in ("median", "p75", "p90") for days in (5, 10, 21)], 1.0
    )
    return Analogues(
        days=(date(2018, 2, 5),),
        farthest=1.0,
        resolves_lower=lower,
        may_rise=may_rise,
        **figures,
    )


def boost(
    memory=None, *, high=True, verdict=None, past=None, diverges=False, rules=RULES, **momentum
):
    return advance_boost(
        memory or BoostMemory(),
        signals(ad_divergence=diverges, **momentum),
        rsi_vix_high=high,
        verdict=verdict,
        analogues=past,
        rules=rules,
    )


def gate(boosted, rule) -> Gate | None:
    found = [each for each in boosted.gates if each.rule == rule]
    assert len(found) < 2
    return found[0] if found else None


# --- who asks -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("high", "diverges", "fired"),
    [
        (True, False, ("S1",)),
        (False, True, ("S5",)),
        (True, True, ("S1", "S5")),
        (False, False, ()),
        (False, None, ()),
    ],
)
def test_l1_rsi_and_divergence_ask_for_a_boost(high, diverges, fired):
    boosted = boost(high=high, diverges=diverges)
    assert boosted.rules == fired
    assert boosted.scale == (1.0 if fired else 0.0)
    assert boosted.memory.in_force is bool(fired)


def test_l1_both_gates_are_recorded():
    boosted = advance_boost(
        BoostMemory(),
        signals(rsi_vix=71.0, ad_divergence=False),
        rsi_vix_high=True,
        verdict=None,
        analogues=None,
        rules=RULES,
    )
    high, diverges = [each for each in boosted.gates if each.rule == "L1"]
    assert (high.value, high.threshold, high.passed) == (71.0, "latch", True)
    assert (diverges.value, diverges.passed) == ("no", False)
    assert [each.value for each in boost(diverges=None).gates if each.note == "S5"] == [None]
    assert [each.value for each in boost(diverges=True).gates if each.note == "S5"] == ["yes"]


def test_l1_a_boost_nobody_asks_for_is_forgotten():
    assert boost(IN_FORCE, high=False).memory == BoostMemory()


# --- E: the nature of the spike -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdict", "scale"),
    [(None, 1.0), (Verdict.FEAR, 1.0), (Verdict.UNDECIDED, 1.0), (Verdict.TECHNICAL, 0.5)],
)
def test_e_a_technical_spike_halves_the_boost(verdict, scale):
    boosted = boost(IN_FORCE, verdict=verdict)
    assert boosted.scale == scale
    assert ("E" in boosted.rules) is (scale < 1)


def test_e_a_technical_spike_asks_for_a_second_confirming_interval():
    first = boost(verdict=Verdict.TECHNICAL)
    assert first.scale == 0
    assert first.rules == ("E",)
    assert first.note == "E holds up the boost asked for by S1"
    waiting = gate(first, "E")
    assert (waiting.value, waiting.threshold, waiting.passed) == (1.0, 2.0, False)
    second = boost(first.memory, verdict=Verdict.TECHNICAL)
    assert second.scale == 0.5
    assert gate(second, "E").passed
    assert boost(second.memory, verdict=Verdict.TECHNICAL).scale == 0.5


def test_e_the_intervals_that_ask_must_follow_each_other():
    first = boost(verdict=Verdict.TECHNICAL)
    broken = boost(first.memory, high=False, verdict=Verdict.TECHNICAL)
    assert boost(broken.memory, verdict=Verdict.TECHNICAL).scale == 0


def test_e_a_boost_in_force_is_not_taken_back_by_a_technical_spike():
    boosted = boost(boost().memory, verdict=Verdict.TECHNICAL)
    assert boosted.scale == 0.5
    assert gate(boosted, "E") is None


# --- T1: what followed days like this one ---------------------------------------------------------


@pytest.mark.parametrize(("past", "scale"), [(None, 1.0), (False, 1.0), (True, 0.0)])
def test_t1_a_boost_not_in_force_waits_one_interval_where_days_like_this_resolved_lower(
    past, scale
):
    past = None if past is None else analogues(lower=past)
    first = boost(past=past)
    assert first.scale == scale
    assert boost(first.memory, past=past).scale == 1.0
    if scale == 0:
        assert first.rules == ("T1",)
        assert not gate(first, "T1").passed
        assert gate(boost(first.memory, past=past), "T1").note == "it has waited"


def test_t1_a_boost_in_force_does_not_wait():
    boosted = boost(IN_FORCE, past=analogues(lower=True))
    assert boosted.scale == 1.0
    assert gate(boosted, "T1") is None


def test_t1_waits_again_for_the_next_boost():
    past = analogues(lower=True)
    memory = boost(boost(past=past).memory, past=past).memory
    gone = boost(memory, high=False, past=past).memory
    assert boost(gone, past=past).scale == 0


def test_t1_waits_on_top_of_e():
    past, scales, memory = analogues(lower=True), [], BoostMemory()
    for _ in range(4):
        boosted = boost(memory, past=past, verdict=Verdict.TECHNICAL)
        memory = boosted.memory
        scales.append(boosted.scale)
    assert scales == [0, 0, 0.5, 0.5]


# --- B7: momentum ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("momentum", "scale"),
    [
        (PERMITS, 1.0),
        (OPPOSES, 0.75),
        ({"macd_vvix_vix": Side.BULLISH, "macd_spx": Side.BULLISH}, 1.0),
        ({"macd_vvix_vix": Side.BEARISH, "macd_spx": Side.BEARISH}, 1.0),
        ({"macd_vvix_vix": Side.BEARISH, "macd_spx": None}, 1.0),
        ({"macd_vvix_vix": None, "macd_spx": Side.BULLISH}, 1.0),
    ],
)
def test_b7_the_opposite_pair_takes_a_quarter_of_the_boost(momentum, scale):
    boosted = boost(**momentum)
    assert boosted.scale == pytest.approx(scale)
    assert ("B7" in boosted.rules) is (scale < 1)


def test_b7_and_e_both_make_it_smaller():
    boosted = boost(IN_FORCE, verdict=Verdict.TECHNICAL, **OPPOSES)
    assert boosted.scale == pytest.approx(0.375)
    assert boosted.rules == ("S1", "E", "B7")


def test_b7_permission_lets_a_boost_skip_t1_s_wait():
    boosted = boost(past=analogues(lower=True), **PERMITS)
    assert boosted.scale == 1.0
    assert gate(boosted, "T1").note == "B7 permits it"


def test_b7_permission_starts_no_boost():
    boosted = boost(high=False, **PERMITS)
    assert boosted.scale == 0
    assert gate(boosted, "B7").passed


@pytest.mark.parametrize(
    ("momentum", "value", "note"),
    [
        (PERMITS, "bullish, bearish", "S3: permits adding"),
        (OPPOSES, "bearish, bullish", "S3: cuts boosts"),
        ({"macd_vvix_vix": Side.BULLISH, "macd_spx": Side.BULLISH}, "bullish, bullish", None),
        ({}, None, "S3: neither"),
    ],
)
def test_b7_the_pair_is_recorded(momentum, value, note):
    recorded = gate(boost(**momentum), "B7")
    assert recorded.value == value
    assert recorded.note == (note or "S3: neither")
    assert recorded.passed is (momentum == PERMITS)
