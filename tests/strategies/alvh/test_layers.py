"""L1-L4, L6 and B2: when layers act, and how much factor vega they want."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.alvh.layers import ShortVega, layer_targets
from strategies.model.memory import RotationMemory
from strategies.model.plan import LayerReason
from strategies.model.rules import Rules
from tests.builders import TODAY
from tests.strategies.alvh.builders import RULES, regime
from tests.strategies.signals.builders import signals

SHORT = ShortVega(now_usd=1000.0)
CUT = RotationMemory(l1_cut=0.5, flips_rotated=1)


def targets(
    read=None, *, high=False, rotation=None, short=SHORT, core=0.0, state=None, rules=RULES
):
    result, _ = layer_targets(
        read or signals(),
        state or regime(),
        rsi_vix_high=high,
        rotation=rotation or RotationMemory(),
        short_vega=short,
        core_vega_usd=core,
        rules=rules,
    )
    return result


def gate(name, read=None, *, high=False, state=None):
    _, gates = layer_targets(
        read or signals(),
        state or regime(),
        rsi_vix_high=high,
        rotation=RotationMemory(),
        short_vega=SHORT,
        core_vega_usd=0.0,
        rules=RULES,
    )
    (found,) = [each for each in gates if each.name == name]
    return found


# --- L1 -------------------------------------------------------------------------------------------


def test_l1_holds_its_core_without_a_trigger():
    l1 = targets(core=80.0)["L1"]
    assert l1.reason is LayerReason.CORE
    assert l1.active
    assert l1.vega_usd == pytest.approx(80.0)
    assert l1.scale == pytest.approx(80 / 500)
    assert l1.rules == ("L1", "G2")


@pytest.mark.parametrize(
    ("read", "high", "fired"),
    [
        (signals(), True, ("L1", "S1")),
        (signals(ad_divergence=True), False, ("L1", "S5")),
        (signals(ad_divergence=True), True, ("L1", "S1", "S5")),
    ],
)
def test_l1_is_boosted_to_its_share_by_rsi_or_divergence(read, high, fired):
    l1 = targets(read, high=high, core=80.0)["L1"]
    assert l1.reason is LayerReason.BOOST
    assert l1.vega_usd == pytest.approx(500.0)
    assert l1.scale == 1.0
    assert l1.rules == fired


@pytest.mark.parametrize("divergence", [False, None])
def test_l1_absent_or_no_divergence_boosts_nothing(divergence):
    assert targets(signals(ad_divergence=divergence))["L1"].reason is LayerReason.CORE


def test_l1_a_core_above_its_largest_scale_is_not_wanted_in_full():
    assert targets(core=900.0)["L1"].vega_usd == pytest.approx(750.0)
    assert targets(core=900.0)["L1"].scale == pytest.approx(1.5)


def test_l1_without_condors_not_even_the_core_is_wanted():
    nothing = targets(high=True, core=80.0, short=ShortVega(now_usd=0.0))
    assert [each.vega_usd for each in nothing.values()] == [0.0, 0.0, 0.0]


# --- L2 -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("weak", "fraction", "expected"),
    [
        (True, 0.0301, 300.0),
        (True, 0.03, 0.0),  # above 3 %, not at it
        (True, 0.0299, 0.0),
        (False, 0.05, 0.0),
        (None, 0.05, 0.0),
        (True, None, 0.0),
    ],
)
def test_l2_acts_in_a_weak_and_inverted_market(weak, fraction, expected):
    read = signals(rsi_spx_weak=weak, backwardation_fraction=fraction)
    l2 = targets(read)["L2"]
    assert l2.vega_usd == pytest.approx(expected)
    assert l2.active is (expected > 0)


def test_l2_acts_after_a_rotation_as_strongly_as_l1_is_cut():
    half_way = replace(CUT, l1_cut=0.25)
    assert targets(rotation=half_way)["L2"].vega_usd == pytest.approx(150.0)
    assert targets(rotation=CUT)["L2"].vega_usd == pytest.approx(300.0)
    assert targets(rotation=CUT)["L2"].rules == ("L2", "B1")


def test_b1_the_freed_vega_adds_to_l2_within_its_largest_scale():
    some = replace(CUT, l1_weight_at_flip=0.2)  # L1 held 200 of 1,000: 100 are freed
    assert targets(rotation=some)["L2"].vega_usd == pytest.approx(400.0)
    much = replace(CUT, l1_weight_at_flip=0.75)
    assert targets(rotation=much)["L2"].scale == 1.5


def test_b11_unwinding_fades_l2_with_the_cut():
    fading = replace(CUT, l1_cut=0.2, l1_cut_at_restore=0.5, restoring_since=TODAY)
    l2 = targets(rotation=fading)["L2"]
    assert l2.vega_usd == pytest.approx(0.4 * 300.0)
    assert l2.rules == ("L2", "B11")


def test_b1_cuts_l1_s_boost_by_the_same_fraction():
    assert targets(high=True, rotation=CUT)["L1"].vega_usd == pytest.approx(250.0)
    assert targets(high=True, rotation=CUT)["L1"].rules == ("L1", "S1", "B1")


@pytest.mark.parametrize(
    ("points", "scale"), [(3.0001, 1.25), (3.0, 1.0), (2.9999, 1.0), (None, 1.0)]
)
def test_b2_adds_a_quarter_above_three_points(points, scale):
    read = signals(rsi_spx_weak=True, backwardation_fraction=0.1, backwardation_points=points)
    assert targets(read)["L2"].scale == pytest.approx(scale)
    assert ("B2" in targets(read)["L2"].rules) is (scale > 1)


@pytest.mark.parametrize(("points", "scale"), [(3.0001, 0.25), (3.0, 0.0), (None, 0.0)])
def test_b2_activates_l2_by_itself_with_a_quarter_of_its_share(points, scale):
    l2 = targets(signals(backwardation_points=points))["L2"]
    assert l2.scale == pytest.approx(scale)
    assert l2.active is (scale > 0)
    assert l2.rules == (("L2", "B2") if scale else ("L2",))


def test_b2_adds_the_same_quarter_to_whatever_else_l2_wants():
    read = signals(backwardation_points=4.0)
    half_way = replace(CUT, l1_cut=0.25)
    assert targets(read, rotation=half_way)["L2"].scale == pytest.approx(0.75)
    much = replace(CUT, l1_weight_at_flip=0.75)
    assert targets(read, rotation=much)["L2"].scale == 1.5


# --- L3 -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("shift", "expected"), [(True, 200.0), (False, 0.0), (None, 0.0)])
def test_l3_acts_on_a_regime_shift(shift, expected):
    l3 = targets(state=regime(shift=shift))["L3"]
    assert l3.vega_usd == pytest.approx(expected)
    assert l3.rules == (("L3", "R4") if shift else ("L3",))


ASLEEP = {"rsi_vix_l3_low": True, "spx_below_sma20": True, "spx_below_5_days_ago": True}


@pytest.mark.parametrize("missing", [None, *ASLEEP])
@pytest.mark.parametrize("answer", [False, None])
def test_l3_acts_when_vix_sleeps_while_spx_keeps_falling(missing, answer):
    read = signals(**(ASLEEP | ({missing: answer} if missing else {})))
    assert targets(read)["L3"].active is (missing is None)


# --- L4, L6 ---------------------------------------------------------------------------------------


def test_l4_target_is_share_times_short_vega_times_scale():
    rules = replace(RULES, layers=replace(RULES.layers, l1_share=0.6, l3_share=0.1))
    result = targets(high=True, state=regime(shift=True), rules=rules)
    assert result["L1"].vega_usd == pytest.approx(600.0)
    assert result["L3"].vega_usd == pytest.approx(100.0)
    assert result["L1"].most_usd(rules.layers) == pytest.approx(900.0)


def test_l6_a_book_that_is_not_short_wants_no_l1_and_the_long_layers_what_a_fall_would_make():
    long_now = ShortVega(now_usd=0.0, in_a_fall_usd=400.0)
    result = targets(
        signals(rsi_spx_weak=True, backwardation_fraction=0.1),
        high=True,
        core=50.0,
        short=long_now,
        state=regime(shift=True),
    )
    assert result["L1"].vega_usd == 0
    assert result["L2"].vega_usd == pytest.approx(120.0)
    assert result["L3"].vega_usd == pytest.approx(80.0)
    flat = replace(long_now, in_a_fall_usd=0.0)
    assert targets(high=True, short=flat, state=regime(shift=True))["L3"].vega_usd == 0


@given(
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.floats(0, 1e6),
    st.floats(0, 1e6),
    st.floats(0, 0.6),
    st.floats(0, 5),
    st.floats(-5, 20),
)
def test_l4_no_scale_ever_leaves_zero_to_one_and_a_half(
    high, weak, shift, short, core, cut, weight, points
):
    result = targets(
        signals(rsi_spx_weak=weak, backwardation_fraction=0.1, backwardation_points=points),
        high=high,
        rotation=RotationMemory(l1_cut=cut, l1_weight_at_flip=weight),
        short=ShortVega(now_usd=short),
        core=core,
        state=regime(shift=shift),
    )
    for each in result.values():
        assert 0 <= each.scale <= 1.5
        assert 0 <= each.vega_usd <= 1.5 * each.share * short + 1e-6


# --- gates ----------------------------------------------------------------------------------------


def test_every_activation_gate_is_recorded_with_value_and_threshold():
    read = signals(
        rsi_vix=71.0,
        rsi_spx=30.0,
        rsi_spx_weak=True,
        backwardation_fraction=0.02,
        backwardation_points=0.4,
        ad_divergence=False,
    )
    assert gate("RSI(VIX) latched high", read, high=True).value == 71.0
    assert gate("RSI(VIX) latched high", read, high=True).passed
    assert gate("RSI(SPX) weak", read).threshold == 35.0
    assert gate("RSI(SPX) weak", read).passed
    assert not gate("backwardation", read).passed
    assert gate("VX1 - VX2 points", read).threshold == 3.0
    assert gate("breadth diverges", read).value == "no"
    assert gate("breadth diverges").value is None
    assert gate("SPX keeps falling").value is None
    assert gate("SPX keeps falling", signals(**ASLEEP)).passed
    assert gate("regime shift", state=regime(shift=True)).passed


def test_rules_are_the_shipped_defaults():
    assert Rules() == RULES
