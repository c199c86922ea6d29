"""C10: a tested side, what is rolled for it, and what keeps it from being rolled."""

import re
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies.model.instruments import Right
from strategies.model.memory import Memory
from strategies.model.orders import PositionEffect, Urgency
from strategies.model.plan import Gate
from strategies.model.structures import after_roll, option_positions
from strategies.pricing.margin import condor_margin_usd, is_covered
from tests.builders import TODAY, account, book, condor_legs, condor_position, option
from tests.strategies.condor.roll_markets import (
    CONDOR,
    LEGS,
    RULES,
    adjust,
    at_work,
    later,
    narrow,
    spx_market,
    valuer,
    with_rules,
)

FALLEN = valuer(spx_market(3150.0, 0.20), 3150.0)  # the puts at a delta of 0.35
RISEN = valuer(spx_market(3330.0, 0.13), 3330.0)  # the calls at 0.35
CALM = valuer(spx_market())


def gate_of(adjustments, name) -> Gate:
    (gate,) = [each for each in adjustments.gates if each.name.startswith(name)]
    return gate


def delta_of(values, contract) -> float:
    return abs(values.option(contract).delta)


def only(adjustments):
    (ordered,) = adjustments.ordered
    return ordered


# --- when a side is tested ------------------------------------------------------------------------


def test_c10_a_condor_whose_shorts_are_far_is_left_alone():
    made = adjust(CALM, CONDOR)
    assert made.ordered == ()
    assert made.reasons == ()
    (gate,) = made.gates
    assert (gate.rule, gate.passed, gate.threshold) == ("C10", True, 0.30)
    assert gate.value == pytest.approx(0.16, abs=0.005)


@pytest.mark.parametrize("side", [-1, 0, 1])
def test_c10_the_side_is_tested_from_its_threshold_on(side):
    delta = delta_of(FALLEN, LEGS.short_put)
    rules = with_rules(tested_delta=delta + side * 1e-9)
    made = adjust(FALLEN, CONDOR, rules=rules)
    assert bool(made.ordered) is (side <= 0)
    assert gate_of(made, "short delta").passed is (side > 0)


def test_c10_a_gate_never_shows_a_threshold_that_was_not_reached():
    delta = delta_of(FALLEN, LEGS.short_put)
    made = adjust(FALLEN, CONDOR, rules=with_rules(tested_delta=round(delta + 5e-6, 4)))
    gate = gate_of(made, "short delta")
    assert gate.passed is (gate.value < gate.threshold)


# --- the untested side in -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "right"), [(FALLEN, Right.CALL), (RISEN, Right.PUT)], ids=["puts", "calls"]
)
def test_c10_the_untested_side_is_rolled_in_to_c3_s_delta_for_a_credit(values, right):
    made = adjust(values, CONDOR)
    ordered = only(made)
    new, order = ordered.adjust.new_legs, ordered.order
    short = new.short_call if right is Right.CALL else new.short_put
    assert delta_of(values, short) == pytest.approx(RULES.condor.short_delta, abs=0.01)
    assert short.expiry == LEGS.short_call.expiry
    assert (new.put_width, new.call_width) == (LEGS.put_width, LEGS.call_width)
    if right is Right.CALL:
        assert (new.short_put, new.long_put) == (LEGS.short_put, LEGS.long_put)
        assert LEGS.short_put.strike < new.short_call.strike < LEGS.short_call.strike
    else:
        assert (new.short_call, new.long_call) == (LEGS.short_call, LEGS.long_call)
        assert LEGS.short_put.strike < new.short_put.strike < LEGS.short_call.strike
    assert order.worst_price <= Decimal("-0.05")
    assert order.limit_price <= order.worst_price


def test_c10_the_order_closes_one_side_and_opens_the_other_in_one_package():
    ordered = only(adjust(FALLEN, CONDOR))
    order, change = ordered.order, ordered.adjust
    assert order.purpose == "condor:C0001:adjust"
    assert (order.condor_id, order.quantity) == ("C0001", CONDOR.quantity)
    assert (order.effect, order.urgency) == (PositionEffect.OPEN, Urgency.PATIENT)
    assert order.rules == change.rules == ("C10",)
    legs = tuple((leg.instrument, leg.ratio) for leg in order.legs)
    assert after_roll(LEGS, legs) == change.new_legs
    assert (change.new_condor_id, change.adjustments) == ("C0001-1", 1)
    assert (change.entry_spot, change.entry_sigma_sqrt_t) == (3250.0, 0.05)
    value = FALLEN.condor(change.new_legs)
    assert change.net_vega == pytest.approx(value.vega)
    assert change.short_put_delta < 0 < change.short_call_delta
    becomes = ordered.becomes
    assert (becomes.condor_id, becomes.legs) == ("C0001-1", change.new_legs)
    assert becomes.entry_credit == CONDOR.entry_credit - order.limit_price
    assert (becomes.rolled_on, becomes.opened_at) == (TODAY, CONDOR.opened_at)


def test_c10_the_walk_gives_up_no_more_than_an_entry_does():
    ordered = only(adjust(FALLEN, CONDOR))
    mid = natural = 0.0
    for leg in ordered.order.legs:
        value = FALLEN.option(leg.instrument)
        mid -= leg.ratio * value.mid
        natural -= leg.ratio * (value.ask if leg.ratio > 0 else value.bid)
    assert ordered.adjust.mid_credit == pytest.approx(mid)
    least = mid + RULES.condor.entry_concession * (natural - mid)
    assert 0 <= least + float(ordered.order.worst_price) < 0.05


def test_c10_an_untested_side_at_c3_already_is_not_rolled_out_instead():
    rolled = only(adjust(FALLEN, CONDOR)).becomes
    made = adjust(FALLEN, replace(rolled, rolled_on=None))
    assert made.ordered == ()
    assert gate_of(made, "net credit of rolling C0001-1 in").note == "nothing fits"
    (reason,) = made.reasons
    assert reason.startswith("C10: C0001-1 is not rolled: in: nothing fits; out in time: puts")


def test_c10_without_a_credit_on_the_price_the_order_accepts_nothing_is_rolled():
    wide = spx_market(3150.0, 0.20, spread=lambda mid: np.maximum(0.10, 0.12 * mid))
    refused = adjust(valuer(wide, 3150.0), CONDOR)
    assert refused.ordered == ()
    gate = gate_of(refused, "net credit of rolling C0001 in")
    assert gate.value < gate.threshold == 0.05
    assert "0.05 is needed" in gate.note


@pytest.mark.parametrize("concession", [0.0, 0.5, 1.0])
def test_c10_what_the_order_may_give_up_is_a_rule_value(concession):
    rolled = only(adjust(FALLEN, CONDOR, rules=with_rules(entry_concession=concession)))
    half_way = only(adjust(FALLEN, CONDOR))
    assert (rolled.order.worst_price < half_way.order.worst_price) is (concession < 0.5)
    assert rolled.order.limit_price == half_way.order.limit_price or concession == 0.0


# --- the tested side out --------------------------------------------------------------------------

# Later longs: rolled out, they bring a credit while their spread is narrow
DIAGONAL = replace(
    condor_legs("SPXW 06MAR20 2965/3080/3380/3440"),
    long_put=option("SPXW 27MAR20 2965 P"),
    long_call=option("SPXW 27MAR20 3440 C"),
)
LATE = condor_position(DIAGONAL, quantity=1, credit="2.60")
FAR = spx_market(3150.0, 0.25, days=(25, 32, 39, 44, 53, 60, 65), spread=narrow)
LIQUID = valuer(FAR, 3150.0)


def test_c10_the_tested_side_goes_out_in_time_where_the_other_cannot_come_in():
    made = adjust(LIQUID, LATE)
    ordered = only(made)
    new = ordered.adjust.new_legs
    assert (new.short_call, new.long_call) == (DIAGONAL.short_call, DIAGONAL.long_call)
    assert new.short_put.expiry == later(39)
    assert new.long_put.expiry - new.short_put.expiry == timedelta(days=21)
    assert (new.short_put.strike, new.long_put.strike) == (Decimal(3080), Decimal(2965))
    assert ordered.order.worst_price <= Decimal("-0.05")
    assert not gate_of(made, "net credit of rolling C0001 in").passed


def test_c10_a_roll_out_stays_inside_the_window():
    assert adjust(LIQUID, LATE, rules=with_rules(max_dte=39)).ordered
    assert not adjust(LIQUID, LATE, rules=with_rules(max_dte=38)).ordered
    assert adjust(LIQUID, LATE, rules=with_rules(min_roll_dte=39)).ordered
    assert adjust(LIQUID, LATE, rules=with_rules(min_roll_dte=44)).ordered
    assert not adjust(LIQUID, LATE, rules=with_rules(min_roll_dte=45)).ordered


def test_c10_in_goes_before_out_and_the_other_is_named_as_the_runner_up():
    """A condor of which both can be rolled: its calls lie far away."""
    wide = replace(DIAGONAL, short_call=option("SPXW 06MAR20 3540 C"))
    wide = replace(wide, long_call=option("SPXW 06MAR20 3620 C"))
    made = adjust(LIQUID, replace(LATE, legs=wide))
    ordered = only(made)
    assert ordered.adjust.new_legs.short_put == wide.short_put
    assert gate_of(made, "net credit of rolling C0001 in").note == ordered.adjust.note
    assert gate_of(made, "net credit of rolling C0001 out").note.startswith("runner-up: puts")


RATIO = replace(condor_legs("SPXW 06MAR20 3025/3080/3380/3425"), short_ratio=2, long_ratio=3)


def test_c10_no_roll_out_gives_up_what_a_ratio_wing_gains_in_a_fall():
    made = adjust(LIQUID, condor_position(RATIO, credit="7.20"))
    assert made.ordered == ()
    gate = gate_of(made, "net credit of rolling C0001 out")
    assert not gate.passed
    assert re.search(r"with SPX -7% it loses \d+ USD more", gate.note)


def test_c10_a_call_side_is_judged_by_a_rise():
    risen = spx_market(3340.0, 0.25, days=(25, 32, 39, 44, 53, 60, 65), spread=narrow)
    made = adjust(valuer(risen, 3340.0), condor_position(RATIO, credit="7.20"))
    gate = gate_of(made, "net credit of rolling C0001 out")
    assert not gate.passed
    assert "with SPX +7% it loses" in gate.note


# --- what is not rolled ---------------------------------------------------------------------------


@pytest.mark.parametrize(("most", "rolls"), [(0, False), (1, False), (2, True)])
def test_c10_a_condor_is_adjusted_no_more_than_the_rule_allows(most, rolls):
    once = replace(CONDOR, condor_id="C0001-1", adjustments=1, rolled_on=later(-1))
    made = adjust(FALLEN, once, rules=with_rules(max_adjustments=most))
    assert bool(made.ordered) is rolls
    if not rolls:
        assert made.reasons == (f"C10: C0001-1 is not rolled: 1 adjustments of at most {most}",)


@pytest.mark.parametrize(("day", "rolls"), [(0, False), (-1, True)])
def test_c10_a_condor_is_rolled_once_a_session(day, rolls):
    made = adjust(FALLEN, replace(CONDOR, rolled_on=later(day)))
    assert bool(made.ordered) is rolls


@pytest.mark.parametrize("verb", ["close", "open", "adjust"])
def test_c10_a_condor_with_an_order_at_work_is_left_to_it(verb):
    working = at_work(f"condor:C0001:{verb}")
    made = adjust(FALLEN, CONDOR, book=book(condors=[CONDOR], working=[working]))
    assert made.ordered == ()
    assert made.reasons == (f"C10: C0001 is not rolled: condor:C0001:{verb} is at work",)


def test_c10_an_order_of_another_condor_is_no_obstacle():
    other = replace(at_work("condor:C0002:close"), condor_id="C0002")
    assert adjust(FALLEN, CONDOR, book=book(condors=[CONDOR], working=[other])).ordered


def test_c10_nothing_is_rolled_past_a_gate_that_nothing_opens_past():
    gate = Gate(
        rule="G6", name="quick ratio to open anything", value=0.9, threshold=1, passed=False
    )
    made = adjust(FALLEN, CONDOR, safety=[replace(gate, passed=True), gate])
    assert made.ordered == ()
    assert made.reasons == ("C10: C0001 is not rolled: G6: quick ratio to open anything 0.9",)


def test_c10_a_condor_without_a_value_is_not_judged():
    unknown = condor_position("SPXW 07MAR20 3070/3080/3380/3390")
    made = adjust(FALLEN, unknown)
    (gate,) = made.gates
    assert (gate.value, gate.passed, gate.note) == (None, False, "it cannot be priced")
    assert (made.ordered, made.reasons) == ((), ())


@pytest.mark.parametrize(("exit_days", "rolls"), [(24, True), (25, False)])
def test_c10_nothing_is_rolled_in_the_last_days(exit_days, rolls):
    early = condor_position("SPXW 28FEB20 3070/3080/3380/3390", quantity=5, credit="2.00")
    made = adjust(FALLEN, early, rules=with_rules(time_exit_dte=exit_days))
    assert bool(made.ordered) is rolls
    if not rolls:
        assert "25 days are left, more than 25 are needed" in made.reasons[0]


# --- ids ------------------------------------------------------------------------------------------


def test_c10_a_roll_that_did_not_fill_is_asked_for_again_under_a_new_id():
    first = adjust(FALLEN, CONDOR)
    assert first.rolls == (("C0001", 1),)
    again = adjust(FALLEN, CONDOR, memory=Memory(rolls=first.rolls))
    assert only(again).adjust.new_condor_id == "C0001-2"
    assert again.rolls == (("C0001", 2),)


def asked_in(intervals, rules, session=TODAY):
    """The intervals in which a roll is asked for that nobody ever takes."""
    memory, asked = Memory(), []
    for interval in range(intervals):
        made = adjust(FALLEN, CONDOR, memory=memory, rules=rules)
        memory = Memory(session=session, rolls=made.rolls, roll_waits=made.waits)
        if made.orders:
            asked.append(interval)
    return asked


@pytest.mark.parametrize(
    ("wait", "asked"), [(1, [0, 1, 2, 3, 4, 5, 6, 7, 8]), (2, [0, 2, 4, 6, 8]), (8, [0, 8])]
)
def test_c10_a_roll_that_nobody_took_is_asked_for_again_after_a_while(wait, asked):
    assert asked_in(9, with_rules(roll_wait_intervals=wait)) == asked


def test_c10_a_roll_that_nobody_took_is_asked_for_again_in_the_next_session():
    assert asked_in(3, with_rules(roll_wait_intervals=100), session=later(-1)) == [0, 1, 2]


def test_c10_the_plan_says_how_long_a_roll_waits_and_of_which_condor():
    memory = Memory(session=TODAY, rolls=(("C0001", 1),), roll_waits=(("C0001", 3), ("C0009", 5)))
    twin = replace(CONDOR, condor_id="C0002")
    made = adjust(FALLEN, CONDOR, twin, memory=memory)
    assert [change.condor_id for change in made.adjusts] == ["C0002"]
    (reason,) = made.reasons
    assert reason == (
        "C10: C0001 is not rolled: nobody took the last roll; 2 intervals until the next, "
        "or the next session"
    )
    assert made.waits == (("C0001", 2), ("C0002", 8))  # nothing is left of C0009
    rest = adjust(FALLEN, replace(CONDOR, condor_id="C0001-1", adjustments=1), memory=memory)
    assert rest.orders == ()  # what an order filled in part has made waits alike


def test_c10_a_second_roll_counts_on_under_the_first_id():
    once = replace(CONDOR, condor_id="C0001-1", adjustments=1, rolled_on=later(-3))
    made = adjust(FALLEN, once, memory=Memory(rolls=(("C0001", 1), ("C0009", 4))))
    change = only(made).adjust
    assert (change.condor_id, change.new_condor_id) == ("C0001-1", "C0001-2")
    assert change.adjustments == 2
    assert made.rolls == (("C0001", 2),)  # nothing is left of C0009


def test_c10_two_condors_of_the_same_legs_are_rolled_alike():
    twin = replace(CONDOR, condor_id="C0002")
    made = adjust(FALLEN, CONDOR, twin)
    first, second = (each.adjust.new_legs for each in made.ordered)
    assert first == second
    assert [each.adjust.new_condor_id for each in made.ordered] == ["C0001-1", "C0002-1"]


def test_c10_an_adjustment_can_be_held_back():
    made = adjust(FALLEN, CONDOR, replace(CONDOR, condor_id="C0002"))
    left = made.without([made.orders[0]])
    assert [change.condor_id for change in left.adjusts] == ["C0002"]
    assert left.after([CONDOR]) == (CONDOR,)
    assert left.closed_legs == {LEGS.short_call, LEGS.long_call}


# --- properties -----------------------------------------------------------------------------------

MARKETS = {
    (spot, vol): valuer(spx_market(spot, vol, spread=narrow if vol > 0.2 else None), spot)
    for spot, vol in ((3150.0, 0.2), (3100.0, 0.28), (3330.0, 0.13), (3200.0, 0.25))
}
CONDORS = [
    LEGS,
    DIAGONAL,
    RATIO,
    condor_legs("SPXW 10MAR20 3100/3105/3400/3405"),
    condor_legs("SPXW 06MAR20 3090/3110/3315/3325"),
]
books = st.lists(
    st.tuples(st.sampled_from(CONDORS), st.integers(1, 40), st.integers(2, 8)),
    min_size=1,
    max_size=4,
)


@settings(max_examples=60)
@given(st.sampled_from(sorted(MARKETS)), books, st.booleans())
def test_c10_no_roll_breaks_c7_leaves_a_short_bare_or_nets(market, drawn, spike):
    values = MARKETS[market]
    condors = tuple(
        condor_position(legs, condor_id=f"C000{n}", quantity=quantity, credit=f"{credit / 2:.2f}")
        for n, (legs, quantity, credit) in enumerate(drawn, start=1)
    )
    made = adjust(values, *condors, spike=spike)
    held = {condor.condor_id: condor for condor in condors}
    most = Decimal("0.025") * account().net_liquidation_usd
    for ordered in made.ordered:
        old, new = held[ordered.adjust.condor_id], ordered.becomes
        least = replace(new, entry_credit=old.entry_credit - ordered.order.worst_price)
        assert least.max_loss_usd <= max(most, old.max_loss_usd)
        assert ordered.order.worst_price <= 0
        assert (new.expiry - TODAY).days > RULES.condor.time_exit_dte
    after = made.after(condors)
    assert len(after) == len(condors)
    assert is_covered(option_positions(book(condors=after))) == []
    margin = sum(condor_margin_usd(c.legs, c.quantity, "ib") for c in after)
    before = sum(condor_margin_usd(c.legs, c.quantity, "ib") for c in condors)
    assert margin <= max(before, account().net_liquidation_usd / 2)
    # positions of one sign never turn, and nothing is bought and sold in one plan
    positions = option_positions(book(condors=condors))
    traded: dict = {}
    for order in made.orders:
        for leg in order.legs:
            assert traded.setdefault(leg.instrument, leg.ratio) * leg.ratio > 0
            was = positions.get(leg.instrument, 0)
            now = option_positions(book(condors=after)).get(leg.instrument, 0)
            assert was * now >= 0
    # applying the rolls and deciding again rolls nothing more
    again = adjust(values, *after, spike=spike, memory=Memory(rolls=made.rolls))
    moved = {ordered.becomes.condor_id for ordered in made.ordered}
    assert not moved & {ordered.adjust.condor_id for ordered in again.ordered}
