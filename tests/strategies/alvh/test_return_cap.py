"""G4: what the hedge adds is what the book can carry at its hurdle."""

from dataclasses import replace
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.alvh.rebalance import Trade
from strategies.alvh.return_cap import Returns, cap_by_return
from strategies.model.orders import PositionEffect, Urgency
from strategies.model.rules import GovernorRules
from strategies.pricing.repricing import Repricer
from strategies.pricing.returns import Expectation, irr
from strategies.pricing.valuation import Valuer
from tests.builders import TODAY, condor_position, instrument, market_quotes

VALUER = Valuer(market_quotes(), TODAY)
CONDOR = condor_position("SPXW 20MAR20 3040/3050/3405/3415", quantity=10, credit="2.50")
EXPECTATION = Expectation(VALUER, Repricer(VALUER, ratio=0.8), "ib")
CONDORS = EXPECTATION.condors([CONDOR], {"C0001": VALUER.condor(CONDOR.legs)})
RETURNS = Returns(expectation=EXPECTATION, condors=CONDORS, wacc=0.05)
RULES = GovernorRules()
L1, L2, L3 = (
    instrument(text) for text in ("VIX 19FEB20 20 C", "VIX 18MAR20 22 C", "VIX 17JUN20 25 C")
)
L3_SOONER = instrument("VIX 20MAY20 25 C")
UNITS = {L1: 9.0, L2: 10.0, L3: 6.0, L3_SOONER: 7.0}
LAYER = {L1: "L1", L2: "L2", L3: "L3", L3_SOONER: "L3"}


def trade(what, contracts, unit=None):
    return Trade(
        instrument=what,
        layer=LAYER[what],
        contracts=contracts,
        effect=PositionEffect.OPEN,
        unit_vega_usd=unit or UNITS[what],
        bid=0.9,
        ask=1.0,
        rules=("L2",),
        urgency=Urgency.NORMAL,
    )


def capped(*trades, held=(), core=None, spare=inf, returns=RETURNS, hurdle=None):
    rules = RULES if hurdle is None else replace(RULES, hurdle=hurdle)
    return cap_by_return(
        trades,
        held=held,
        core=core or {},
        spare_vega_usd=spare,
        returns=returns,
        rules=rules,
    )


def rate(*positions):
    flows = CONDORS + EXPECTATION.hedges(positions)
    return irr(flows).rate


def kept(outcome):
    return {trade.instrument: trade.contracts for trade in outcome.kept}


ALONE = rate()


def test_g4_additions_that_the_book_can_carry_stay():
    outcome = capped(trade(L2, 5))
    assert kept(outcome) == {L2: 5}
    assert outcome.left_out == {}
    gate = outcome.gate
    assert (gate.rule, gate.passed, gate.note) == ("G4", True, "")
    assert gate.value == pytest.approx(rate((L2, 5)), abs=1e-6)
    assert gate.threshold == 0.18


@pytest.mark.parametrize(("above", "left"), [(-1e-6, 20), (0.0, 20), (1e-6, 19)])
def test_g4_binds_just_below_the_hurdle_and_not_at_it(above, left):
    at = rate((L2, 20))
    outcome = capped(trade(L2, 20), hurdle=at + above)
    assert kept(outcome) == {L2: left}
    assert outcome.gate.passed is (left == 20)


def test_g4_leaves_out_only_what_it_has_to():
    hurdle = rate((L2, 12))
    outcome = capped(trade(L2, 40), hurdle=hurdle)
    assert kept(outcome) == {L2: 12}
    assert outcome.left_out == {"L2": 28}
    assert outcome.gate.note == "28 contracts of L2 left out"
    assert outcome.gate.value == pytest.approx(rate((L2, 40)), abs=1e-6)  # as it was wanted


def test_g4_the_newest_layer_goes_first():
    everything = (trade(L1, 10), trade(L2, 10), trade(L3, 10))
    assert kept(capped(*everything, hurdle=rate((L1, 10), (L2, 10), (L3, 4)))) == {
        L1: 10,
        L2: 10,
        L3: 4,
    }
    assert kept(capped(*everything, hurdle=rate((L1, 10), (L2, 3)))) == {L1: 10, L2: 3}
    assert kept(capped(*everything, hurdle=rate((L1, 2)))) == {L1: 2}


def test_g4_within_a_layer_the_longest_expiry_goes_first():
    hurdle = rate((L3_SOONER, 5), (L3, 2))
    assert kept(capped(trade(L3_SOONER, 5), trade(L3, 5), hurdle=hurdle)) == {L3_SOONER: 5, L3: 2}


def test_g4_the_core_is_never_touched():
    outcome = capped(trade(L1, 10), core={L1: 6}, hurdle=ALONE)
    assert kept(outcome) == {L1: 6}
    assert outcome.left_out == {"L1": 4}
    assert kept(capped(trade(L1, 6), core={L1: 6}, hurdle=ALONE)) == {L1: 6}


def test_g4_nothing_is_added_where_the_hedge_held_leaves_too_little():
    outcome = capped(trade(L2, 5), held=[(L2, 200)])
    assert rate((L2, 200)) < 0.18
    assert outcome.kept == ()
    assert not outcome.gate.passed


@pytest.mark.parametrize(("spare", "left"), [(0.0, 10), (9.9, 10), (10.0, 9), (55.0, 5), (inf, 0)])
def test_g4_in_a_spike_what_the_floor_needs_stays(spare, left):
    outcome = capped(trade(L2, 10), spare=spare, hurdle=ALONE)
    assert kept(outcome) == ({L2: left} if left else {})
    assert not outcome.gate.passed


def test_g4_what_is_spare_is_spent_once():
    outcome = capped(trade(L2, 10), trade(L3, 10), spare=61.0, hurdle=ALONE)
    assert kept(outcome) == {L2: 10}  # ten of L3 are 60 of 61
    assert outcome.left_out == {"L3": 10}


@pytest.mark.parametrize(
    ("wacc", "hurdle"), [(0.17, 0.18), (0.18, 0.18), (0.30, 0.30), (None, 0.18)]
)
def test_g5_wacc_is_a_floor_under_the_hurdle(wacc, hurdle):
    outcome = capped(trade(L2, 1), returns=replace(RETURNS, wacc=wacc))
    assert outcome.gate.threshold == hurdle


def test_g4_without_an_expectation_nothing_is_capped_and_the_plan_says_so():
    for returns, held in ((None, ()), (RETURNS, [(instrument("VX 16SEP20"), 1)])):
        outcome = capped(trade(L2, 500), returns=returns, held=held)
        assert kept(outcome) == {L2: 500}
        assert outcome.gate.value is None
        assert outcome.missing == ("G4 expected rate: realised to implied vol, or a price",)


def test_g4_what_is_bought_has_to_have_a_price_too():
    far = instrument("VIX 16SEP20 25 C")
    outcome = capped(replace(trade(L3, 5), instrument=far))
    assert kept(outcome) == {far: 5}
    assert outcome.missing


def test_g4_without_capital_nothing_is_judged():
    nothing = replace(RETURNS, condors=EXPECTATION.condors([], {}))
    outcome = capped(returns=nothing)
    assert (outcome.gate.value, outcome.gate.passed) == ("nothing is invested", True)


def test_g4_futures_sold_short_count_and_can_be_left_out():
    vx = instrument("VXM 19FEB20")
    short = replace(trade(L1, -8), instrument=vx)
    hurdle = min(ALONE, rate((vx, -8))) - 1e-6
    assert kept(capped(short, hurdle=hurdle)) == {vx: -8}


@given(counts=st.tuples(*[st.integers(0, 60)] * 3), hurdle=st.floats(0.18, 0.25))
def test_g4_never_adds_and_never_keeps_more_than_the_hurdle_lets_through(counts, hurdle):
    wanted = [trade(what, count) for what, count in zip((L1, L2, L3), counts, strict=True) if count]
    outcome = capped(*wanted, hurdle=hurdle)
    left = kept(outcome)
    assert all(
        0 < left[what] <= count
        for what, count in zip((L1, L2, L3), counts, strict=True)
        if what in left
    )
    assert rate(*left.items()) >= hurdle
