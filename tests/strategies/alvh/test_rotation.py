"""B1, B3 and B11: from L1 into a longer layer on a flip or ahead of it, and back."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.alvh.rotation import (
    advance_rotation,
    contracts_to_keep,
    is_selling_step,
    is_selling_underway,
    moved_to,
    rotation_rule,
    rotation_strength,
)
from strategies.model.encoding import from_json, to_json
from strategies.model.memory import Curve, RotationMemory
from strategies.model.rules import RotationRules
from tests.builders import TODAY, instrument
from tests.strategies.alvh.builders import lot, regime

RULES = RotationRules()
FLIP = regime(Curve.BACKWARDATION, flipped=True)
INVERTED = regime(Curve.BACKWARDATION)
CALL = "VIX 19FEB20 20 C"
FLIPPED_ON = date(2020, 1, 29)
THREE_LATER = np.arange(np.datetime64("2020-01-29"), np.datetime64("2020-02-01"))
NO_SESSIONS = np.array([], dtype="datetime64[D]")


def advance(
    rotation,
    state,
    lots=(),
    *,
    session=TODAY,
    sessions=NO_SESSIONS,
    short=1000.0,
    rules=RULES,
    priced=True,
    shift=None,
):
    return advance_rotation(
        rotation,
        regime=state,
        shift_to=shift,
        l1_lots=list(lots) if priced else None,
        short_vega_usd=short,
        session=session,
        sessions_before=sessions,
        rules=rules,
    )


def keep(rotation, text=CALL):
    return contracts_to_keep(rotation).get(instrument(text).symbol)


def test_b1_without_a_flip_nothing_rotates():
    rotation = advance(RotationMemory(), INVERTED, [lot(CALL, 40)])
    assert rotation == RotationMemory()
    assert rotation_strength("L2", rotation, RULES) == 0
    assert not is_selling_underway(rotation)


def test_b1_cuts_half_of_l1_in_four_equal_parts():
    rotation, kept, cuts = RotationMemory(), [], []
    held = 40
    for state in (FLIP, INVERTED, INVERTED, INVERTED):
        rotation = advance(rotation, state, [lot(CALL, held)])
        held = keep(rotation)
        kept.append(held)
        cuts.append(rotation.l1_cut)
        assert is_selling_underway(rotation)
    assert kept == [35, 30, 25, 20]
    assert cuts == pytest.approx([0.125, 0.25, 0.375, 0.5])
    assert rotation_strength("L2", rotation, RULES) == 1.0
    done = advance(rotation, INVERTED, [lot(CALL, 20)])
    assert not is_selling_underway(done)
    assert (done.l1_cut, done.flips_rotated) == (0.5, 1)


@pytest.mark.parametrize(
    ("contracts", "left"), [(1, 1), (2, 1), (3, 2), (7, 4), (10, 5), (0, None)]
)
def test_b1_rounds_in_favour_of_keeping(contracts, left):
    rotation = RotationMemory()
    for state in (FLIP, INVERTED, INVERTED, INVERTED):
        rotation = advance(rotation, state, [lot(CALL, contracts)])
    assert keep(rotation) == left


def test_b1_remembers_what_the_flip_found_as_a_weight():
    rotation = advance(RotationMemory(), FLIP, [lot(CALL, 20, unit=10.0)], short=1000.0)
    assert rotation.l1_weight_at_flip == pytest.approx(0.2)
    later = advance(rotation, INVERTED, [lot(CALL, 18, unit=99.0)], short=5.0)
    assert later.l1_weight_at_flip == rotation.l1_weight_at_flip


def test_b1_a_part_that_did_not_fill_is_asked_for_again():
    rotation = RotationMemory()
    for state in (FLIP, INVERTED, INVERTED, INVERTED):
        rotation = advance(rotation, state, [lot(CALL, 40)])  # nothing was sold
    unsold = advance(rotation, INVERTED, [lot(CALL, 40)])
    assert is_selling_underway(unsold)
    assert keep(unsold) == 20


def test_b1_what_has_been_sold_down_may_be_bought_again_while_the_rest_is_asked_for():
    other = "VIX 19FEB20 25 C"
    rotation = RotationMemory()
    for state in (FLIP, INVERTED, INVERTED, INVERTED):
        before = rotation
        rotation = advance(rotation, state, [lot(CALL, 40), lot(other, 20)])
        assert is_selling_step(before, rotation)
    after = advance(rotation, INVERTED, [lot(CALL, 40), lot(other, 10)])
    assert not is_selling_step(rotation, after)
    assert is_selling_underway(after)
    assert keep(after) == 20
    assert keep(after, other) is None


@pytest.mark.parametrize("priced", [True, False])
def test_b1_a_bot_that_starts_in_backwardation_takes_the_rotation_as_completed(priced):
    found = regime(Curve.BACKWARDATION, found_inverted=True)
    lots = [lot(CALL, 40)]
    rotation = advance(RotationMemory(), found, lots, session=FLIPPED_ON, priced=priced)
    assert rotation.l1_cut == 0.5
    assert rotation_strength("L2", rotation, RULES) == 1.0
    assert not is_selling_underway(rotation)
    assert not is_selling_step(RotationMemory(), rotation)
    later = advance(rotation, INVERTED, lots)
    assert (later.l1_cut, later.flips_rotated) == (0.5, 0)
    restored = advance(later, regime(Curve.CONTANGO, closes=3), lots, sessions=THREE_LATER)
    assert restored.l1_cut == pytest.approx(0.4)


def test_b1_waits_while_the_book_cannot_be_priced():
    rotation = advance(RotationMemory(), FLIP, priced=False)
    assert rotation.steps_left == 4
    assert rotation.l1_cut == 0
    rotation = advance(rotation, INVERTED, [lot(CALL, 8)])
    assert rotation.steps_left == 3
    assert keep(rotation) == 7


def answered(rotation, held, **facts):
    """A flip and the intervals after it, every sale filling."""
    for state in (FLIP, INVERTED, INVERTED, INVERTED, INVERTED):
        rotation = advance(rotation, state, [lot(CALL, held)], **facts)
        held = keep(rotation) or held
    return rotation, held


def test_b1_flips_while_l1_is_cut_do_not_compound():
    rotation, held = answered(RotationMemory(), 80)
    assert held == 40
    for flips in (2, 3, 4):
        rotation, held = answered(rotation, held)
        assert held == 40
        assert (rotation.flips_rotated, rotation.l1_cut) == (flips, 0.5)
        assert rotation.l1_weight_at_flip == pytest.approx(0.8)
        assert not is_selling_underway(rotation)


def test_b1_a_flip_in_the_middle_of_b11_cuts_from_where_it_stands_to_the_fraction():
    rotation, _ = answered(RotationMemory(), 80, session=FLIPPED_ON)
    rotation = advance(rotation, regime(Curve.CONTANGO, closes=3), sessions=THREE_LATER)
    assert rotation.l1_cut == pytest.approx(0.4)
    rotation, held = answered(rotation, 48)  # L1 had come back to 60 % of 80
    assert held == 40
    assert rotation.l1_cut == pytest.approx(0.5)
    assert rotation.l1_weight_at_flip == pytest.approx(0.8)


def test_b1_the_next_flip_after_b11_is_complete_cuts_anew():
    restored = RotationMemory(flips_rotated=1)
    rotation, held = answered(restored, 16)
    assert held == 8
    assert (rotation.flips_rotated, rotation.l1_cut) == (2, 0.5)
    assert rotation.l1_weight_at_flip == pytest.approx(0.16)


@pytest.mark.parametrize(
    ("closes", "curve", "restores"),
    [
        (2, Curve.CONTANGO, False),
        (3, Curve.CONTANGO, True),
        (4, Curve.CONTANGO, True),
        (3, Curve.FLAT, False),
        (None, Curve.CONTANGO, False),
    ],
)
def test_b11_begins_with_three_contango_closes(closes, curve, restores):
    cut = RotationMemory(l1_cut=0.5, flips_rotated=1)
    rotation = advance(cut, regime(curve, closes=closes))
    assert (rotation.restoring_since is not None) is restores
    assert rotation.l1_cut == pytest.approx(0.4 if restores else 0.5)


@pytest.mark.parametrize(("since", "restores"), [(0, False), (2, False), (3, True)])
def test_b11_counts_the_closes_on_or_after_the_session_of_the_flip(since, restores):
    """Twelve closes in contango lie behind the flip, or ``since`` of them after it."""
    rotation, _ = answered(RotationMemory(), 80, session=FLIPPED_ON)
    assert rotation.flipped_on == FLIPPED_ON
    before = np.array(["2020-01-27", "2020-01-28"], dtype="datetime64[D]")
    rotation = advance(
        rotation,
        regime(Curve.CONTANGO, closes=12),
        sessions=np.concatenate([before, THREE_LATER[:since]]),
    )
    assert (rotation.restoring_since is not None) is restores


def test_b11_unwinds_in_equal_parts_over_five_sessions():
    rotation = RotationMemory(l1_cut=0.5, flips_rotated=1, l1_weight_at_flip=0.3)
    days = [date(2020, 2, day) for day in (3, 4, 5, 6, 7)]
    cuts, strengths = [], []
    for n, day in enumerate(days):
        for _ in range(3):  # every interval of a session says the same
            rotation = advance(
                rotation,
                regime(Curve.CONTANGO, closes=3 + n),
                session=day,
                sessions=np.array([date(2020, 1, 31), *days[:n]], dtype="datetime64[D]"),
            )
        cuts.append(rotation.l1_cut)
        strengths.append(rotation_strength("L2", rotation, RULES))
    assert cuts == pytest.approx([0.4, 0.3, 0.2, 0.1, 0.0])
    assert strengths == pytest.approx([0.8, 0.6, 0.4, 0.2, 0.0])
    assert rotation == RotationMemory(flips_rotated=1)


def test_b11_ends_at_a_new_flip():
    rotation = RotationMemory(l1_cut=0.5, flips_rotated=1)
    rotation = advance(rotation, regime(Curve.CONTANGO, closes=3))
    rotation = advance(rotation, FLIP, [lot(CALL, 80)])
    assert rotation.restoring_since is None
    assert rotation.l1_cut == pytest.approx(0.425)  # a quarter of the way from 0.4 to 0.5
    assert keep(rotation) == 77


def test_b11_stops_a_flip_that_is_still_being_answered():
    rotation = advance(RotationMemory(), FLIP, [lot(CALL, 40)], session=FLIPPED_ON)
    rotation = advance(
        rotation, regime(Curve.CONTANGO, closes=3), [lot(CALL, 35)], sessions=THREE_LATER
    )
    assert rotation.steps_left == 0
    assert rotation.l1_cut == pytest.approx(0.8 * 0.125)


def test_b11_ends_what_a_flip_has_still_to_sell():
    rotation = advance(RotationMemory(), FLIP, [lot(CALL, 40)], session=FLIPPED_ON)
    rotation = advance(
        rotation, regime(Curve.CONTANGO, closes=3), [lot(CALL, 40)], sessions=THREE_LATER
    )
    assert not is_selling_underway(rotation)
    assert contracts_to_keep(rotation) == {}


# --- B3: ahead of a flip --------------------------------------------------------------------------

CALM = regime(Curve.CONTANGO)


def ahead(held=40, *, layer="L2", **facts):
    return advance(RotationMemory(), CALM, [lot(CALL, held)], shift=layer, **facts)


def test_b3_moves_a_quarter_of_l1_in_one_step():
    rotation = ahead()
    assert (rotation.l1_cut, rotation.shifted) == (0.25, 0.25)
    assert rotation.shifted_on == TODAY
    assert rotation.l1_weight_at_flip == pytest.approx(0.4)
    assert keep(rotation) == 30
    assert is_selling_step(RotationMemory(), rotation)
    assert rotation_strength("L2", rotation, RULES) == 0.5  # half of B1's cut
    assert rotation_rule(rotation) == "B3"
    assert rotation.flips_rotated == 0
    later = advance(rotation, CALM, [lot(CALL, 30)])
    assert not is_selling_step(rotation, later)
    assert not is_selling_underway(later)
    assert later.l1_cut == 0.25


def test_b3_what_did_not_fill_is_asked_for_again():
    for shift in (None, "L2"):
        later = advance(ahead(), CALM, [lot(CALL, 40)], shift=shift)
        assert keep(later) == 30
        assert is_selling_underway(later)


@pytest.mark.parametrize(("share", "left"), [(0.05, 38), (0.25, 30), (0.5, 20)])
def test_b3_the_share_follows_the_rules(share, left):
    rotation = ahead(rules=replace(RULES, shift_ahead=share))
    assert keep(rotation) == left
    assert rotation.l1_cut == share


@pytest.mark.parametrize(
    ("shift", "facts"),
    [(None, {}), ("L2", {"priced": False}), ("L2", {"short": 0.0})],
    ids=["not asked for", "the book cannot be priced", "nothing is short"],
)
def test_b3_nothing_moves(shift, facts):
    assert ahead(layer=shift, **facts) == RotationMemory()


def test_b3_goes_to_the_layer_that_t3_names_and_stays_there():
    rotation = ahead(layer="L3")
    assert moved_to("L3", rotation) == 0.25
    assert moved_to("L2", rotation) == 0
    assert rotation_strength("L3", rotation, RULES) == 0.5
    again = advance(rotation, CALM, [lot(CALL, 30)], shift="L2")
    assert again.shifted_to == "L3"
    assert moved_to("L2", ahead()) == 0.25
    assert moved_to("L3", ahead()) == moved_to("L1", ahead()) == 0


def test_b1_after_b3_cuts_from_where_it_stands_to_the_fraction():
    rotation, held, cuts = ahead(), 30, []
    for state in (FLIP, INVERTED, INVERTED, INVERTED):
        rotation = advance(rotation, state, [lot(CALL, held)])
        held = keep(rotation)
        cuts.append(rotation.l1_cut)
    assert cuts == pytest.approx([0.3125, 0.375, 0.4375, 0.5])
    assert held == 20  # half of the forty that B3 found
    assert rotation.l1_weight_at_flip == pytest.approx(0.4)  # measured on those
    assert rotation_rule(rotation) == "B1"
    assert rotation.flips_rotated == 1


def test_b1_gives_l2_what_it_adds_to_a_shift_into_l3():
    rotation, held = ahead(layer="L3"), 30
    for state in (FLIP, INVERTED, INVERTED, INVERTED):
        rotation = advance(rotation, state, [lot(CALL, held)])
        held = keep(rotation)
    assert moved_to("L2", rotation) == moved_to("L3", rotation) == 0.25


def test_b3_does_not_act_on_l1_that_b1_has_cut_or_b11_restores():
    cut = RotationMemory(l1_cut=0.5, flips_rotated=1, flipped_on=FLIPPED_ON)
    assert advance(cut, CALM, [lot(CALL, 20)], shift="L2") == cut
    restoring = advance(
        cut, regime(Curve.CONTANGO, closes=3), [lot(CALL, 20)], sessions=THREE_LATER, shift="L2"
    )
    assert restoring.shifted == 0
    assert restoring.l1_cut == pytest.approx(0.4)


@pytest.mark.parametrize(("since", "restores"), [(0, False), (2, False), (3, True)])
def test_b11_unwinds_b3_three_closes_after_it_was_last_asked_for(since, restores):
    rotation = replace(ahead(), shifted_on=FLIPPED_ON, l1_at_flip=())
    before = np.array(["2020-01-27", "2020-01-28"], dtype="datetime64[D]")
    sessions = np.concatenate([before, THREE_LATER[:since]])
    calm = regime(Curve.CONTANGO, closes=90)
    after = advance(rotation, calm, [lot(CALL, 30)], sessions=sessions)
    assert (after.restoring_since is not None) is restores
    assert after.l1_cut == pytest.approx(0.2 if restores else 0.25)
    if restores:
        assert rotation_rule(after) == "B11"


def test_b3_asked_for_again_begins_the_count_anew():
    rotation = replace(ahead(), shifted_on=FLIPPED_ON)
    again = advance(rotation, CALM, [lot(CALL, 30)], shift="L2")
    assert again.shifted_on == TODAY
    assert again.l1_cut == 0.25
    assert not is_selling_underway(again)


def test_b11_leaves_nothing_of_a_shift():
    rotation = replace(ahead(), shifted_on=FLIPPED_ON)
    days = [date(2020, 2, day) for day in (3, 4, 5, 6, 7)]
    for n, day in enumerate(days):
        rotation = advance(
            rotation,
            regime(Curve.CONTANGO, closes=3 + n),
            [lot(CALL, 30)],
            session=day,
            sessions=np.concatenate([THREE_LATER, np.array(days[:n], dtype="datetime64[D]")]),
        )
        assert moved_to("L2", rotation) == pytest.approx(rotation.l1_cut)
    assert rotation == RotationMemory()


# --- determinism ----------------------------------------------------------------------------------


@given(st.integers(1, 200), st.floats(0.5, 99.0), st.floats(10.0, 1e5))
def test_the_last_bit_of_a_value_does_not_enter_the_memory(contracts, unit, short):
    """Two machines may differ in it, and plan ids hash the memory."""
    plain = advance(RotationMemory(), FLIP, [lot(CALL, contracts, unit=unit)], short=short)
    nudged = advance(
        RotationMemory(),
        FLIP,
        [lot(CALL, contracts, unit=float(np.nextafter(unit, 1e9)))],
        short=float(np.nextafter(short, 0)),
    )
    weight, other = plain.l1_weight_at_flip, nudged.l1_weight_at_flip
    assert weight == pytest.approx(other, rel=1.1e-8)
    assert float(f"{weight:.9g}") == weight  # nine digits and no more
    assert replace(nudged, l1_weight_at_flip=weight) == plain


def test_an_ulp_leaves_the_memory_as_it_is():
    plain = advance(RotationMemory(), FLIP, [lot(CALL, 33, unit=7.1)], short=912.3)
    nudged = advance(
        RotationMemory(), FLIP, [lot(CALL, 33, unit=float(np.nextafter(7.1, 8)))], short=912.3
    )
    assert to_json(nudged) == to_json(plain)


def test_a_rotation_survives_its_json():
    rotation = advance(RotationMemory(), FLIP, [lot(CALL, 40), lot("VX 19FEB20", 2, unit=600.0)])
    assert from_json(RotationMemory, to_json(rotation)) == rotation


@given(
    st.integers(0, 500),
    st.sampled_from([0.4, 0.5, 0.6]),
    st.integers(1, 8),
)
def test_b1_sells_the_fraction_in_the_end_and_never_more(contracts, cut, intervals):
    rules = replace(RULES, flip_cut=cut, flip_intervals=intervals)
    rotation, held = RotationMemory(), contracts
    states = [FLIP] + [INVERTED] * (intervals + 1)
    for state in states:
        rotation = advance(rotation, state, [lot(CALL, held)], rules=rules)
        left = contracts_to_keep(rotation).get(instrument(CALL).symbol, held)
        assert left <= held
        held = left
    assert held >= (1 - cut) * contracts - 1e-6
    assert held <= (1 - cut) * contracts + 1
    assert rotation.l1_cut == pytest.approx(cut)
