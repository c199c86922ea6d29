"""Whole decisions: return and capital (G4, G5, S12), T3's profile, B12, G9, and B1's journal."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest

from strategies.alvh.holdings import LAYERS
from strategies.decide import decide
from strategies.model.memory import Curve, Memory, RegimeMemory
from strategies.model.orders import PositionEffect, Urgency
from strategies.model.rules import Rules
from tests.builders import (
    TODAY,
    VX_CURVE,
    account,
    book,
    condor_position,
    daily_history,
    hedge_position,
    market_quotes,
    market_snapshot,
)

RULES = Rules()
INVERTED = {day: 34.0 - 3.0 * n for n, day in enumerate(VX_CURVE)}
CONDOR = condor_position("SPXW 20MAR20 3040/3050/3405/3415", quantity=33, credit="2.50")
CALLS = hedge_position("VIX 18MAR20 22 C", 40, cost="0.80")
L1_CALLS = hedge_position("VIX 19FEB20 20 C", 30, cost="0.40")
SETTLED = Memory(
    session=TODAY,
    regime=RegimeMemory(curve=Curve.CONTANGO),
    condors_insured=("C0001",),
    rsi_vix_high=True,  # L1 is boosted
)
# Vol was realised at more than a third above VIX
FAIR = daily_history(spx=3000 * np.exp(np.cumsum(0.0135 * (-1.0) ** np.arange(300))))


def plan_of(held, *, memory=SETTLED, holder=None, rules=RULES, history=None, **market):
    snapshot = market_snapshot(
        market=market_quotes(**market) if market else None, entry_due=False, history=history
    )
    return decide(snapshot, held, holder or account(), memory, rules)


def gate_of(plan, rule, name=""):
    (found,) = [gate for gate in plan.gates if gate.rule == rule and name in gate.name]
    return found


def bought(plan):
    return sum(
        order.quantity
        for order in plan.orders
        if order.layer is not None and order.effect is PositionEffect.OPEN
    )


# --- G4, G5, S12 ----------------------------------------------------------------------------------


def test_g4_what_the_book_can_carry_is_bought_and_its_rate_is_told():
    plan, _ = plan_of(book(condors=[CONDOR]))
    gate = gate_of(plan, "G4", "annual rate")
    assert gate.passed
    assert gate.value > 0.18
    assert bought(plan) > 0
    assert plan.after.irr == pytest.approx(gate.value, abs=1e-6)
    assert plan.before.irr > plan.after.irr


def test_g4_below_the_hurdle_nothing_is_added_and_the_state_says_so():
    plan, _ = plan_of(book(condors=[CONDOR]), history=FAIR)
    gate = gate_of(plan, "G4", "annual rate")
    assert plan.before.irr < 0.18
    assert not gate.passed
    assert bought(plan) == 0
    assert plan.layers[0].binding_cap == "G4"
    assert plan.hedge_state == "under-hedged: G4"


def test_g4_in_a_spike_the_vega_floor_wins():
    spike = replace(SETTLED, regime=RegimeMemory(curve=Curve.CONTANGO, spike=True))
    calm, _ = plan_of(book(condors=[CONDOR]), history=FAIR)
    plan, _ = plan_of(book(condors=[CONDOR]), memory=spike, history=FAIR, vix=26.0)
    assert bought(calm) == 0 < bought(plan)
    assert not gate_of(plan, "G4", "annual rate").passed


def test_g4_never_sells():
    plan, _ = plan_of(book(condors=[CONDOR], hedges=[CALLS]), history=FAIR)
    assert not [order for order in plan.orders if "G4" in order.rules]


def test_g4_without_history_it_is_silent_and_named():
    plan, _ = plan_of(book(condors=[CONDOR]), history=daily_history(sessions=30))
    assert plan.before.irr is None
    assert any(line.startswith("G4 expected rate") for line in plan.missing)
    assert gate_of(plan, "G4", "annual rate").value is None
    assert bought(plan) > 0


def test_g5_the_cost_of_capital_is_recorded_and_raises_the_hurdle():
    plan, _ = plan_of(book(condors=[CONDOR]), holder=account("100000"))
    assert plan.before.wacc is not None
    assert gate_of(plan, "G4", "annual rate").threshold == 0.18
    flat = replace(RULES, governors=replace(RULES.governors, equity_risk_premium=0.0))
    debtor = account("100000", cash="-50000", maintenance_margin="20000")
    plan, _ = plan_of(book(condors=[CONDOR]), holder=debtor, rules=flat, rate=0.25)
    assert plan.before.wacc == pytest.approx((100 * 0.25 + 70 * 0.265) / 170, abs=1e-6)
    assert gate_of(plan, "G4", "annual rate").threshold == plan.before.wacc


def test_s12_is_recorded_with_the_measures():
    plan, _ = plan_of(book(condors=[CONDOR], hedges=[CALLS]))
    net = plan.before.condor_factor_vega_usd + plan.before.hedge_factor_vega_usd
    expected = abs(net) / plan.before.theta_usd_per_day
    assert plan.before.vega_per_theta == pytest.approx(expected, abs=1e-5)


def test_g3_its_cap_is_scaled_by_the_condors_beta_and_not_by_their_hedge_s():
    bare, _ = plan_of(book(condors=[CONDOR]))
    hedged, _ = plan_of(book(condors=[CONDOR], hedges=[CALLS]))
    caps = [gate_of(plan, "G3", "hedge notional in USD").threshold for plan in (bare, hedged)]
    assert caps[0] == caps[1]
    assert bare.before.capm_beta > hedged.before.capm_beta


def test_g3_without_an_index_its_beta_is_named():
    market = market_quotes()
    indices = {name: each for name, each in market.indices.items() if name != "SPX"}
    plan, _ = plan_of(book(condors=[CONDOR]), indices=indices)
    assert "G3 beta of the condors: not adjusted for it" in plan.missing


# --- C12, T3 --------------------------------------------------------------------------------------


def test_c12_break_evens_are_tracked_alone_and_hedged_today_and_shocked():
    plan, _ = plan_of(book(condors=[CONDOR], hedges=[CALLS]))
    for measures in (plan.before, plan.after):
        assert len(measures.breakevens) == 6
        assert measures.worst_shock.startswith("SPX")
        assert measures.worst_shock_usd < 0


def test_t3_the_forward_vega_of_every_layer_and_of_the_hedge_is_recorded():
    plan, _ = plan_of(book(condors=[CONDOR], hedges=[CALLS]))
    names = [row[0] for row in plan.before.forward_vega]
    assert names == [*LAYERS, "book"]
    whole = plan.before.forward_vega[-1]
    assert whole[1] == pytest.approx(plan.before.hedge_factor_vega_usd, abs=1e-5)
    assert whole[3] > 0 == whole[4]  # in 60 days the March calls are gone
    assert plan.after.forward_vega[-1][1] == pytest.approx(
        plan.after.hedge_factor_vega_usd, abs=1e-5
    )


# --- B12 ------------------------------------------------------------------------------------------


def test_b12_a_call_worth_four_times_its_cost_is_harvested_down_to_the_floor_and_remembered():
    cheap = hedge_position("VIX 19FEB20 20 C", 84, cost="0.02")
    plan, memory = plan_of(book(condors=[CONDOR], hedges=[cheap]))
    (harvest,) = [order for order in plan.orders if order.layer == "L1"]
    assert harvest.rules == ("B12",)
    assert 0 < harvest.quantity <= 42
    assert plan.after.net_vega_per_condor >= -0.05
    symbol = cheap.instrument.symbol
    assert (memory.halving, memory.harvested) == (((symbol, 84 - harvest.quantity),), ())
    held = hedge_position("VIX 19FEB20 20 C", 84 - harvest.quantity, cost="0.02")
    again, memory = plan_of(book(condors=[CONDOR], hedges=[held]), memory=memory)
    assert not [order for order in again.orders if "B12" in order.rules]
    assert (memory.halving, memory.harvested) == ((), ((symbol, TODAY.isoformat()),))
    assert gate_of(plan, "B12", "dearest").passed
    assert "B12" in plan.layers[0].rules


def test_b12_what_is_armed_is_remembered_until_it_fires():
    armed = replace(SETTLED, harvest_armed=True)
    quiet, memory = plan_of(book(condors=[CONDOR], hedges=[CALLS]), memory=armed)
    fires = gate_of(quiet, "B12", "MACD").passed
    assert memory.harvest_armed
    assert bool(memory.harvesting) is (fires and any("B12" in o.rules for o in quiet.orders))
    assert gate_of(quiet, "B12", "arm").passed


def test_b12_nothing_is_harvested_or_forgotten_while_something_has_no_value():
    odd = hedge_position("VIX 18MAR20 22.25 C", 4, cost="0.01")
    memory = replace(
        SETTLED,
        harvest_armed=True,
        harvesting=(("Y", 4),),
        halving=(("Z", 2),),
        harvested=(("X", "2020-02-01"),),
    )
    for held in (
        book(condors=[CONDOR], hedges=[CALLS, odd]),
        book(condors=[condor_position("SPXW 20MAR20 3041/3050/3405/3415")], hedges=[CALLS]),
    ):
        plan, after = plan_of(held, memory=memory)
        assert not [order for order in plan.orders if "B12" in order.rules]
        assert (after.harvest_armed, after.harvested) == (True, memory.harvested)
        assert (after.harvesting, after.halving) == (memory.harvesting, memory.halving)


# --- G9 -------------------------------------------------------------------------------------------


STEP = np.arange(300)
TOGETHER = daily_history(  # VIX, its future and SPX move as one, nearly
    spx=3250 * (1 - 0.004 * np.sin(1.7 * STEP) + 0.0005 * np.sin(2.9 * STEP)),
    vix=15.5 + np.sin(1.7 * STEP) + 0.05 * np.sin(0.9 * STEP),
    vx1=16.5 + 0.5 * np.sin(1.7 * STEP) + 0.05 * np.sin(2.3 * STEP),
)


def test_g9_under_dislocation_every_hedge_order_stays_passive():
    held = book(condors=[CONDOR], hedges=[L1_CALLS])
    plans = [plan_of(held)[0], plan_of(held, history=TOGETHER, vix=40.0)[0]]
    calm, apart = ([order for order in plan.orders if order.layer] for plan in plans)
    assert [gate_of(plan, "G9").passed for plan in plans] == [True, False]
    assert calm
    assert apart
    assert all(order.urgency is Urgency.PASSIVE for order in apart)
    assert all(order.urgency is not Urgency.PASSIVE for order in calm)


def test_g9_what_g6_demands_goes_on_urgently():
    broke = account("60000", cash="10000", maintenance_margin="40000")
    future = hedge_position("VX 18MAR20", 2, cost="17.0")
    plan, _ = plan_of(book(hedges=[future]), holder=broke, history=TOGETHER, vix=40.0)
    assert not gate_of(plan, "G9").passed
    sales = [order for order in plan.orders if "G6" in order.rules]
    assert sales
    assert all(order.urgency is Urgency.URGENT for order in sales)


# --- B1 -------------------------------------------------------------------------------------------


def test_b1_a_flip_s_journal_is_never_empty_where_the_book_has_a_value():
    history = daily_history(vx1=[16.0] * 40 + [19.0] * 2, vx2=[17.0] * 40 + [18.0] * 2)
    memory = replace(SETTLED, session=TODAY - timedelta(days=3))
    for credit in ("2.50", "0.60", "7.00"):
        sold = replace(CONDOR, entry_credit=Decimal(credit))
        plan, _ = plan_of(
            book(condors=[sold], hedges=[L1_CALLS]),
            memory=memory,
            history=history,
            curve=INVERTED,
            vix=36.0,
        )
        journal = [g for g in plan.gates if g.rule == "B1" and "VIX +" in g.name]
        assert len(journal) == 6
        assert all(gate.value is not None for gate in journal)
