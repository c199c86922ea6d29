"""L1-L4, L6 and B2: when layers act, and how much factor vega they want."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.alvh.boost import Boost
from strategies.alvh.layers import Asked, ShortVega, layer_targets
from strategies.model.memory import BoostMemory, RotationMemory
from strategies.model.plan import LayerReason
from strategies.model.rules import Rules
from tests.builders import TODAY
from tests.strategies.alvh.builders import RULES, regime
from tests.strategies.signals.builders import signals

SHORT = ShortVega(now_usd=1000.0)
CUT = RotationMemory(l1_cut=0.5, flips_rotated=1)
AHEAD = RotationMemory(l1_cut=0.25, shifted=0.25, shifted_on=TODAY)


def boost(*asking, scale=1.0, note=""):
    """A boost in force that these rules ask for; none without them."""
    return Boost(memory=BoostMemory(), scale=scale if asking else 0.0, rules=asking, note=note)


def decided(read=None, *, short=SHORT, state=None, rules=RULES, boosted=None, rotation=None, **ask):
    return layer_targets(
        read or signals(),
        state or regime(),
        asked=Asked(boost=boosted or boost(), rotation=rotation or RotationMemory(), **ask),
        short_vega=short,
        rules=rules,
    )


def targets(read=None, *, core=0.0, **facts):
    result, _ = decided(read, core_vega_usd=core, **facts)
    return result


def gate(name, read=None, *, state=None):
    _, gates = decided(read, state=state)
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


@pytest.mark.parametrize("asking", [("S1",), ("S5",), ("S1", "S5")])
def test_l1_is_boosted_to_its_share(asking):
    l1 = targets(boosted=boost(*asking), core=80.0)["L1"]
    assert l1.reason is LayerReason.BOOST
    assert l1.vega_usd == pytest.approx(500.0)
    assert l1.scale == 1.0
    assert l1.rules == ("L1", *asking)


def test_l1_a_smaller_boost_is_a_smaller_part_of_its_share():
    l1 = targets(boosted=boost("S1", "E", scale=0.5), core=80.0)["L1"]
    assert l1.vega_usd == pytest.approx(250.0)
    assert l1.rules == ("L1", "S1", "E")


def test_l1_a_boost_that_waits_leaves_the_core_and_says_so():
    waiting = Boost(memory=BoostMemory(), scale=0.0, rules=("T1",), note="T1 holds it up")
    l1 = targets(boosted=waiting, core=80.0)["L1"]
    assert l1.reason is LayerReason.CORE
    assert l1.vega_usd == pytest.approx(80.0)
    assert l1.rules == ("L1", "G2", "T1")
    assert l1.note == "T1 holds it up"


def test_l1_a_core_above_its_largest_scale_is_not_wanted_in_full():
    assert targets(core=900.0)["L1"].vega_usd == pytest.approx(750.0)
    assert targets(core=900.0)["L1"].scale == pytest.approx(1.5)


def test_l1_without_condors_not_even_the_core_is_wanted():
    nothing = targets(boosted=boost("S1"), core=80.0, short=ShortVega(now_usd=0.0))
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
    assert targets(boosted=boost("S1"), rotation=CUT)["L1"].vega_usd == pytest.approx(250.0)
    assert targets(boosted=boost("S1"), rotation=CUT)["L1"].rules == ("L1", "S1", "B1")


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


# --- B3, B4, B6: L2's other reasons ---------------------------------------------------------------


def test_b3_gives_l2_half_of_what_a_completed_b1_would():
    """A quarter of L1 is half of B1's cut: half of L2's share, and what L1 held of it."""
    l2 = targets(rotation=replace(AHEAD, l1_weight_at_flip=0.2))["L2"]
    assert l2.vega_usd == pytest.approx(150.0 + 0.25 * 0.2 * 1000)
    assert l2.rules == ("L2", "B3")


def test_b3_cuts_l1_s_boost_and_what_the_floor_may_make_of_it():
    l1 = targets(boosted=boost("S1"), rotation=AHEAD)["L1"]
    assert l1.vega_usd == pytest.approx(375.0)
    assert l1.rules == ("L1", "S1", "B3")
    assert l1.most_for_floor_usd(RULES.layers) == pytest.approx(0.75 * 750)


def test_t3_the_weight_of_b3_goes_to_l3_where_it_was_sent():
    far = replace(AHEAD, shifted_to="L3", l1_weight_at_flip=0.2)
    result = targets(rotation=far)
    assert result["L3"].vega_usd == pytest.approx(100.0 + 0.25 * 0.2 * 1000)
    assert result["L3"].rules == ("L3", "B3")
    assert not result["L2"].active


def test_t3_what_b1_adds_to_a_shift_into_l3_goes_to_l2():
    both = replace(AHEAD, shifted_to="L3", l1_cut=0.5)
    result = targets(rotation=both)
    assert result["L2"].vega_usd == pytest.approx(150.0)
    assert result["L3"].vega_usd == pytest.approx(100.0)
    assert result["L2"].rules == ("L2", "B1")


@pytest.mark.parametrize(
    ("event", "weak", "expected"),
    [(None, False, 0.0), (1.0, False, 1.0), (1.3, False, 1.3), (0.5, True, 1.0), (1.3, True, 1.3)],
)
def test_b4_l2_takes_the_strongest_of_event_and_market(event, weak, expected):
    read = signals(rsi_spx_weak=weak, backwardation_fraction=0.1)
    l2 = targets(read, event_scale=event)["L2"]
    assert l2.scale == pytest.approx(expected)
    assert ("B4" in l2.rules) is (event is not None)


@pytest.mark.parametrize(
    ("window", "expected"), [(None, 0.0), (30.0, 30.0), (449.0, 449.0), (451.0, 450.0)]
)
def test_b6_l2_grows_by_what_the_theta_window_asks_for_within_its_largest_scale(window, expected):
    l2 = targets(theta_window_usd=window)["L2"]
    assert l2.vega_usd == pytest.approx(expected)
    assert ("B6" in l2.rules) is (window is not None)


def test_b6_asks_nothing_of_a_book_that_is_not_short():
    assert not targets(short=ShortVega(now_usd=0.0), theta_window_usd=100.0)["L2"].active


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
    result = targets(boosted=boost("S1"), state=regime(shift=True), rules=rules)
    assert result["L1"].vega_usd == pytest.approx(600.0)
    assert result["L3"].vega_usd == pytest.approx(100.0)
    assert result["L1"].most_usd(rules.layers) == pytest.approx(900.0)


def test_l6_a_book_that_is_not_short_wants_no_l1_and_the_long_layers_what_a_fall_would_make():
    long_now = ShortVega(now_usd=0.0, in_a_fall_usd=400.0)
    result = targets(
        signals(rsi_spx_weak=True, backwardation_fraction=0.1),
        boosted=boost("S1"),
        core=50.0,
        short=long_now,
        state=regime(shift=True),
    )
    assert result["L1"].vega_usd == 0
    assert result["L2"].vega_usd == pytest.approx(120.0)
    assert result["L3"].vega_usd == pytest.approx(80.0)
    flat = replace(long_now, in_a_fall_usd=0.0)
    assert targets(boosted=boost("S1"), short=flat, state=regime(shift=True))["L3"].vega_usd == 0


@given(
    st.floats(0, 1),
    st.booleans(),
    st.booleans(),
    st.floats(0, 1e6),
    st.floats(0, 1e6),
    st.floats(0, 0.6),
    st.floats(0, 0.5),
    st.sampled_from(["L2", "L3"]),
    st.floats(0, 5),
    st.floats(-5, 20),
    st.none() | st.floats(0.5, 1.5),
    st.none() | st.floats(0, 1e7),
)
def test_l4_no_scale_ever_leaves_zero_to_one_and_a_half(
    boosted, weak, shift, short, core, cut, ahead, tenor, weight, points, event, window
):
    result = targets(
        signals(rsi_spx_weak=weak, backwardation_fraction=0.1, backwardation_points=points),
        boosted=boost("S1", scale=boosted),
        rotation=RotationMemory(
            l1_cut=max(cut, ahead), shifted=ahead, shifted_to=tenor, l1_weight_at_flip=weight
        ),
        short=ShortVega(now_usd=short),
        core=core,
        state=regime(shift=shift),
        event_scale=event,
        theta_window_usd=window,
    )
    for each in result.values():
        assert 0 <= each.scale <= 1.5
        assert 0 <= each.vega_usd <= 1.5 * each.share * short + 1e-6


# --- gates ----------------------------------------------------------------------------------------


def test_every_activation_gate_is_recorded_with_value_and_threshold():
    read = signals(
        rsi_spx=30.0,
        rsi_spx_weak=True,
        backwardation_fraction=0.02,
        backwardation_points=0.4,
    )
    assert gate("RSI(SPX) weak", read).threshold == 35.0
    assert gate("RSI(SPX) weak", read).passed
    assert not gate("backwardation", read).passed
    assert gate("VX1 - VX2 points", read).threshold == 3.0
    assert gate("SPX keeps falling").value is None
    assert gate("SPX keeps falling", signals(**ASLEEP)).passed
    assert gate("SPX keeps falling", signals(**(ASLEEP | {"spx_below_sma20": False}))).value == "no"
    assert gate("regime shift", state=regime(shift=True)).passed


def test_rules_are_the_shipped_defaults():
    assert Rules() == RULES
