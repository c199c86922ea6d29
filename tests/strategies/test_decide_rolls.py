"""Rolls within the whole decision (C10, C11): what comes before them, and who sees what they do."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from strategies.decide import decide
from strategies.model.encoding import from_json, to_json
from strategies.model.memory import Curve, Memory, RegimeMemory
from strategies.model.orders import ApprovedOrder, PositionEffect
from strategies.model.plan import Plan
from strategies.model.rules import Rules
from strategies.risk.gate import approve
from tests.builders import (
    TODAY,
    VX_CURVE,
    account,
    book,
    condor_legs,
    condor_position,
    daily_history,
    index_values,
    instant,
    market_quotes,
    market_snapshot,
    option,
    vix_chain,
    vx_futures,
)
from tests.strategies.condor.roll_markets import narrow, spx_market
from tests.strategies.risk.test_gate import LIMITS, READY
from tests.strategies.test_decide import fill, stale, working

RULES = Rules()
CONDOR = condor_position(
    "SPXW 06MAR20 3070/3080/3380/3390", quantity=20, credit="2.50", spot=3250.0
)
QUIET = RegimeMemory(curve=Curve.CONTANGO, side=Curve.CONTANGO)
MEMORY = Memory(session=TODAY, regime=QUIET, condors_insured=("C0001",))
SPIKING = replace(MEMORY, regime=replace(QUIET, spike=True))
DIAGONAL = replace(
    condor_legs("SPXW 06MAR20 2965/3080/3380/3440"),
    long_put=option("SPXW 27MAR20 2965 P"),
    long_call=option("SPXW 27MAR20 3440 C"),
)
LATE = condor_position(DIAGONAL, quantity=1, credit="2.60")


def snapshot(spot=3150.0, vol=0.20, *, vix=22.0, due=False, spread=None, at=None):
    chain = spx_market(spot, vol, days=(25, 28, 32, 36, 39, 42, 44, 53, 60, 65), spread=spread)
    market = market_quotes(spx=spot, vix=vix, spx_options=chain)
    history = daily_history(vix=[18.0] * 260)
    return market_snapshot(market=market, history=history, entry_due=due)


def plan_of(*condors, memory=MEMORY, holder=None, rules=RULES, snap=None, working=()) -> Plan:
    held = book(condors=condors, working=working)
    return decide(snap or snapshot(), held, holder or account(), memory, rules)[0]


def test_c10_a_tested_condor_is_rolled_after_reductions_and_before_entries():
    plan, memory = decide(
        snapshot(due=True), book(condors=[CONDOR]), account("5000000"), MEMORY, RULES
    )
    (change,) = plan.adjusts
    assert (change.condor_id, change.new_condor_id) == ("C0001", "C0001-1")
    purposes = [order.purpose for order in plan.orders if order.condor_id is not None]
    assert purposes[0] == "condor:C0001:adjust"
    assert memory.rolls == (("C0001", 1),)
    effects = [order.effect for order in plan.orders]
    first_open = effects.index(PositionEffect.OPEN)
    assert PositionEffect.CLOSE not in effects[first_open:]
    assert from_json(Plan, to_json(plan)) == plan


def test_c10_what_is_closed_is_not_rolled():
    due = replace(CONDOR, legs=condor_legs("SPXW 28FEB20 3070/3080/3380/3390"))
    rules = replace(RULES, condor=replace(RULES.condor, time_exit_dte=25))
    plan = plan_of(due, rules=rules)
    assert [close.condor_id for close in plan.closes] == ["C0001"]
    assert plan.adjusts == ()
    assert not [gate for gate in plan.gates if gate.rule == "C10"]


def test_c10_the_hedge_and_the_measures_see_the_condors_as_they_will_be():
    plan = plan_of(CONDOR)
    held = fill(book(condors=[CONDOR]), plan)
    assert plan.adjusts
    assert plan.after.condor_factor_vega_usd != plan.before.condor_factor_vega_usd
    again, memory = decide(snapshot(), held, account(), MEMORY, RULES)
    assert again.before.condor_factor_vega_usd == pytest.approx(plan.after.condor_factor_vega_usd)
    assert again.before.hedge_factor_vega_usd == pytest.approx(plan.after.hedge_factor_vega_usd)
    assert again.adjusts == ()  # once a session
    assert memory.condors_insured == ("C0001",)  # under its first id, and no second core
    assert not [gate for gate in again.gates if gate.rule == "G2"]


def test_c10_an_entry_trades_no_leg_the_other_way_that_a_roll_trades():
    plan = plan_of(CONDOR, holder=account("5000000"), snap=snapshot(due=True, spread=narrow))
    traded: dict = {}
    for order in plan.orders:
        for leg in order.legs:
            assert traded.setdefault(leg.instrument, leg.ratio) * leg.ratio > 0
    assert [order.purpose.rpartition(":")[2] for order in plan.orders if order.condor_id] == [
        "adjust",
        "open",
    ]


def test_c10_every_roll_passes_the_gate():
    snap = snapshot()
    held = book(condors=[CONDOR, replace(CONDOR, condor_id="C0002")])
    plan, _ = decide(snap, held, account(), MEMORY, RULES)
    assert len(plan.adjusts) == 2
    quotes = {
        leg.instrument.symbol: snap.market.spx_options.quote(leg.instrument)
        for order in plan.orders
        for leg in order.legs
        if order.condor_id
    }
    for order in plan.orders:
        if order.condor_id:
            verdict = approve(
                order,
                readiness=READY,
                limits=LIMITS,
                book=held,
                quotes=quotes,
                orders_seen=frozenset(),
            )
            assert isinstance(verdict, ApprovedOrder), verdict


def test_c10_a_tested_condor_that_is_not_rolled_is_named():
    plan = plan_of(replace(CONDOR, adjustments=2))
    assert plan.adjusts == ()
    assert "C10: C0001 is not rolled: 2 adjustments of at most 2" in plan.no_trade_reasons


def test_c10_a_roll_at_work_is_not_asked_for_again():
    order = next(order for order in plan_of(CONDOR).orders if order.condor_id)
    plan = plan_of(CONDOR, working=[working(order)])
    assert plan.adjusts == ()
    assert "C10: C0001 is not rolled: condor:C0001:adjust is at work" in plan.no_trade_reasons


def test_g6_nothing_is_rolled_below_a_quick_ratio_of_one():
    holder = account("1000000", cash="100000", maintenance_margin="600000")
    plan = plan_of(CONDOR, replace(CONDOR, condor_id="C0002"), holder=holder)
    assert plan.adjusts == ()
    assert any("is not rolled: G6" in reason for reason in plan.no_trade_reasons) or plan.closes


def test_c10_nothing_is_rolled_while_something_held_has_no_value():
    unknown = condor_position("SPXW 07MAR20 3070/3080/3380/3390", condor_id="C0002")
    plan = plan_of(CONDOR, unknown)
    assert plan.adjusts == ()
    assert any(
        "C0001 is not rolled: C12: the whole book has a value no" in reason
        for reason in plan.no_trade_reasons
    )


# --- C11 ------------------------------------------------------------------------------------------

SHAKEN = {"spot": 3200.0, "vol": 0.20, "spread": narrow}


def test_c11_in_a_spike_shorts_are_moved_out_before_the_hedge_is_sized():
    plan = plan_of(LATE, memory=SPIKING, snap=snapshot(**SHAKEN))
    assert plan.regime["R3"] != "no"
    (change,) = plan.adjusts
    assert change.rules == ("C11",)
    assert plan.after.loss_vix_8_usd > plan.before.loss_vix_8_usd


def test_c11_only_while_r3_holds():
    assert plan_of(LATE, snap=snapshot(**SHAKEN, vix=18.5)).adjusts == ()
    assert plan_of(LATE, snap=snapshot(**SHAKEN, vix=22.5)).adjusts  # R3 begins


def test_c11_can_be_switched_off():
    rules = replace(RULES, condor=replace(RULES.condor, spike_rolls=False))
    plan = plan_of(LATE, memory=SPIKING, snap=snapshot(**SHAKEN), rules=rules)
    assert plan.adjusts == ()
    assert not [gate for gate in plan.gates if gate.rule == "C11"]


def test_c11_the_rival_is_named_in_the_gate():
    plan = plan_of(LATE, memory=SPIKING, snap=snapshot(**SHAKEN))
    (gate,) = [each for each in plan.gates if each.name.startswith("spike loss saved")]
    assert "the hedge is V" in gate.note
    assert gate.value > gate.threshold > 0


def test_c11_the_rival_may_stand_in_the_next_month_where_l1_reaches_to_it():
    """In the last days of a VIX month L1 buys the next: that is the hedge a roll must beat."""
    snap = snapshot(**SHAKEN)
    later = {day: mid for day, mid in VX_CURVE.items() if day.month > 2}
    options, futures = vix_chain(curve=later), vx_futures(curve=later)
    market = replace(snap.market, vix_options=options, futures=futures)
    plan = plan_of(LATE, memory=SPIKING, snap=replace(snap, market=market))
    (gate,) = [each for each in plan.gates if each.name.startswith("spike loss saved")]
    assert "the hedge is V" in gate.note
    assert "no hedge to buy" not in gate.note


def test_c11_without_vix_quotes_there_is_no_hedge_to_beat():
    snap = snapshot(**SHAKEN)
    options, futures = stale(snap.market.vix_options), ()
    market = replace(snap.market, vix_options=options, futures=futures)
    plan = plan_of(LATE, memory=SPIKING, snap=replace(snap, market=market))
    (gate,) = [each for each in plan.gates if each.name.startswith("spike loss saved")]
    assert gate.threshold == 0.0
    assert "no hedge to buy" in gate.note
    assert [change.rules for change in plan.adjusts] == [("C11",)]


def test_c11_an_absent_spike_is_no_spike():
    snap = snapshot(**SHAKEN)
    indices = {k: v for k, v in index_values(spx=3200.0).items() if k != "VIX"}
    blind = replace(snap, market=replace(snap.market, indices=indices))
    plan = plan_of(LATE, memory=MEMORY, snap=blind)
    assert not [gate for gate in plan.gates if gate.rule == "C11"]


def test_c10_the_next_session_may_roll_again_and_then_no_more():
    held, memory = book(condors=[CONDOR]), MEMORY
    rolled = []
    for session, spot in enumerate((3150.0, 3105.0, 3080.0, 3060.0)):
        at = instant("2020-02-03 10:00") + timedelta(days=session)
        chain = spx_market(spot, 0.22, days=(25 - session, 32 - session, 39 - session), at=at)
        snap = market_snapshot(
            market=market_quotes(at=at, spx=spot, spx_options=chain), entry_due=False
        )
        rules = replace(RULES, condor=replace(RULES.condor, stop_loss_credits=5.0))
        plan, memory = decide(snap, held, account(), memory, rules)
        rolled += [(each.new_condor_id, each.adjustments) for each in plan.adjusts]
        held = fill(held, plan)
    assert rolled == [("C0001-1", 1), ("C0001-2", 2)]
    (condor,) = held.condors
    assert condor.max_loss_usd < CONDOR.max_loss_usd
    assert condor.entry_credit > Decimal("2.50")
