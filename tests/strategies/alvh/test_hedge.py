"""The hedge of one interval as a whole: that each rule reaches the plan, and what it says of it."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from strategies.alvh.hedge import plan_hedge
from strategies.alvh.instruments import rank_candidates
from strategies.model.book import WorkingOrder
from strategies.model.ids import ClientOrderId
from strategies.model.lifecycle import OrderStatus
from strategies.model.memory import BoostMemory, Curve, RotationMemory
from strategies.model.orders import PositionEffect, Urgency
from strategies.model.plan import LayerReason
from strategies.pricing.valuation import Valuer
from strategies.signals.indicators import Side
from strategies.signals.panel import Panel, Verdict
from tests.builders import (
    AT,
    TODAY,
    VX_CURVE,
    account,
    condor_position,
    hedge_position,
    instrument,
    market_quotes,
    market_snapshot,
    spx_chain,
)
from tests.strategies.alvh.builders import RULES, regime
from tests.strategies.alvh.planning import (
    CONDOR,
    SETTLED,
    condor_vega,
    gates_of,
    hedge_inputs,
    hedge_plan,
    layer,
    quiet_market,
)
from tests.strategies.alvh.test_boost import analogues
from tests.strategies.alvh.test_pre_event import reactions
from tests.strategies.signals.builders import signals

POSITIVE = replace(RULES, condor=replace(RULES.condor, bias="positive", wings="ratio"))
SPIKE = regime(spike=True)
EVENT = replace(regime(), pre_event=True)
IN_FORCE = replace(SETTLED, boost=BoostMemory(in_force=True))
L1_CALLS = hedge_position("VIX 19FEB20 20 C", 40, cost="0.60")
L2_CALLS = hedge_position("VIX 18MAR20 22 C", 40, cost="0.50")
ROOMY = {"account": account("10000000"), "condors": (replace(CONDOR, quantity=200),)}


def panel(verdict) -> Panel:
    return Panel(votes=(), mean=None, verdict=verdict)


def bought(plan, name):
    """Factor vega that a plan adds to a layer, USD per VIX point."""
    return sum(t.vega_usd for t in plan.trades if t.layer == name and t.contracts > 0)


def trades_of(plan, name):
    return {str(t.instrument): t.contracts for t in plan.trades if t.layer == name}


# --- B3, T1, T3 -----------------------------------------------------------------------------------

FALLING = signals(slope_falling_days=3, basis_macd=Side.BULLISH)


def test_b3_ahead_of_a_flip_a_quarter_of_l1_is_sold_and_l2_begins():
    plan = hedge_plan(hedges=(L1_CALLS,), read=FALLING, memory=replace(SETTLED, core_contracts=40))
    assert trades_of(plan, "L1") == {"VIX 19FEB20 20 C": -10}
    assert "B3" in plan.trades[0].rules
    l1, l2 = layer(plan, "L1"), layer(plan, "L2")
    assert "B3" in l1.rules
    assert l2.rules[:2] == ("L2", "B3")
    assert bought(plan, "L2") > 0
    assert plan.rotation.shifted == 0.25
    assert plan.rotation.shifted_on == TODAY
    assert all(gate.passed for gate in gates_of(plan, "B3").values())
    assert "T3" in {gate.rule for gate in plan.gates}
    assert plan.core_contracts == 30


@pytest.mark.parametrize(
    ("read", "past", "moves"),
    [
        (FALLING, None, True),
        (signals(slope_falling_days=2, basis_macd=Side.BULLISH), None, False),
        (signals(slope_falling_days=3, basis_macd=Side.BEARISH), None, False),
        (signals(slope_falling_days=3, basis_macd=Side.BEARISH), analogues(may_rise=True), True),
        (signals(), analogues(may_rise=True), False),
    ],
)
def test_b3_moves_when_its_signals_say_so(read, past, moves):
    plan = hedge_plan(hedges=(L1_CALLS,), read=read, analogues=past)
    assert (plan.rotation.shifted > 0) is moves
    assert layer(plan, "L2").active is moves
    assert gates_of(plan, "T3").keys() == (
        {"short in 60 days, over short in 30, USD per VIX point"} if moves else set()
    )


def test_t3_sends_b3_s_weight_to_l3_where_l2_already_hedges():
    plan = hedge_plan(hedges=(L1_CALLS, replace(L2_CALLS, net_contracts=400)), read=FALLING)
    assert plan.rotation.shifted_to == "L3"
    assert layer(plan, "L3").rules[:2] == ("L3", "B3")
    assert not layer(plan, "L2").active
    poor = account(cash="300000", maintenance_margin="900000")  # G6: L3 may not grow
    kept = hedge_plan(
        hedges=(L1_CALLS, replace(L2_CALLS, net_contracts=400)), read=FALLING, account=poor
    )
    assert kept.rotation.shifted_to == "L2"


def test_b3_waits_while_l1_has_no_value():
    unknown = hedge_position("VIX 19FEB20 20.25 C", 5)
    plan = hedge_plan(hedges=(L1_CALLS, unknown), read=FALLING)
    assert plan.rotation == RotationMemory()


def test_b11_unwinds_b3_and_l2_gives_up_what_it_was_given():
    shifted = RotationMemory(l1_cut=0.25, shifted=0.25, shifted_on=date(2020, 1, 20))
    plan = hedge_plan(
        hedges=(L1_CALLS, replace(L2_CALLS, net_contracts=150)),
        state=regime(Curve.CONTANGO, closes=5),
        memory=replace(SETTLED, rotation=shifted),
    )
    assert plan.rotation.l1_cut == pytest.approx(0.2)
    assert "B11" in layer(plan, "L2").rules
    assert trades_of(plan, "L2")["VIX 18MAR20 22 C"] < 0


# --- B4, T2 ---------------------------------------------------------------------------------------


def test_b4_before_an_event_l2_acts():
    calm = hedge_plan(migration=-0.4)
    near = hedge_plan(migration=-0.4, state=EVENT)
    assert not layer(calm, "L2").active
    l2 = layer(near, "L2")
    assert l2.active
    assert l2.rules[:2] == ("L2", "B4")
    assert l2.target_vega_usd == pytest.approx(1.2 * 0.3 * -condor_vega((CONDOR,)))
    assert gates_of(near, "B4")["scale of L2 before an event"].value == pytest.approx(1.2)


def test_b4_without_s10_l2_stays_as_it_is():
    assert not layer(hedge_plan(state=EVENT), "L2").active


def test_t2_in_the_window_every_layer_is_sized_on_the_projected_vega():
    far = condor_position("SPXW 20MAR20 2900/2910/3600/3610", quantity=33, credit="1.00")
    facts = {"condors": (far,), "migration": 0.0, "rsi_vix_high": True, "memory": IN_FORCE}
    plain = hedge_plan(state=EVENT, **facts)
    projected = hedge_plan(state=EVENT, reactions=reactions(4.0), **facts)
    (gate,) = gates_of(projected, "T2").values()
    assert gate.passed
    ratio = gate.value / gate.threshold
    for name in ("L1", "L2"):
        assert layer(projected, name).target_vega_usd == pytest.approx(
            ratio * layer(plain, name).target_vega_usd
        )
    outside = hedge_plan(reactions=reactions(4.0), **facts)
    assert gates_of(outside, "T2") == {}
    assert layer(outside, "L1").target_vega_usd == layer(plain, "L1").target_vega_usd


# --- B5, E ----------------------------------------------------------------------------------------


def step_of(**facts):
    return bought(hedge_plan(rsi_vix_high=True, memory=IN_FORCE, **ROOMY, **facts), "L1")


def test_b5_above_its_limit_a_layer_goes_to_its_target_now():
    """A quarter of the target without it."""
    target = layer(hedge_plan(rsi_vix_high=True, memory=IN_FORCE, **ROOMY), "L1").target_vega_usd
    assert step_of(vega_per_theta=3.2) == pytest.approx(0.25 * target, abs=12)
    assert step_of(vega_per_theta=3.3) == pytest.approx(target, abs=12)


def test_b5_sells_what_a_layer_holds_above_its_target_too():
    facts = {
        "hedges": (replace(L2_CALLS, net_contracts=90),),
        "state": EVENT,
        "migration": 0.0,
    }
    calm = hedge_plan(vega_per_theta=1.0, **facts)
    assert trades_of(calm, "L2") == {}
    assert layer(calm, "L2").note.endswith("the layer acts and v is in the band (B8)")
    (sale,) = [t for t in hedge_plan(vega_per_theta=9.0, **facts).trades if t.layer == "L2"]
    assert sale.contracts < 0
    assert "B5" in sale.rules
    short = facts | {"condor_vega_usd": -1100.0}  # a book that is short of vega sells none
    assert trades_of(hedge_plan(vega_per_theta=9.0, **short), "L2") == {}


def test_b5_gives_up_no_hedge_in_a_spike():
    facts = {"hedges": (replace(L2_CALLS, net_contracts=90),), "migration": 0.0}
    spike = replace(EVENT, spike=True)
    assert trades_of(hedge_plan(vega_per_theta=9.0, state=EVENT, **facts), "L2") != {}
    plan = hedge_plan(vega_per_theta=9.0, state=spike, **facts)
    assert [trade for trade in plan.trades if trade.contracts < 0] == []
    (gate,) = gates_of(plan, "B5").values()
    assert (gate.passed, gate.note) == (False, "S12: no surplus is sold at once in a spike (R3)")


def test_b9_what_was_opened_in_this_session_is_no_surplus_before_the_next():
    old = replace(L2_CALLS, net_contracts=90)
    fresh = replace(old, opened_on=TODAY)
    assert trades_of(hedge_plan(hedges=(old,)), "L2")["VIX 18MAR20 22 C"] < 0
    kept = hedge_plan(hedges=(fresh,))
    assert trades_of(kept, "L2") == {}
    assert layer(kept, "L2").note.endswith("opened in this session, it stays until the next (B9)")
    above = hedge_plan(hedges=(replace(fresh, net_contracts=120),))
    assert "B8" in above.trades[0].rules  # the ceiling does not wait


def test_b8_above_the_ceiling_l2_s_surplus_goes_and_not_what_l1_wants():
    """L1 is boosted and short of its target; L2 does not act and holds more than is too much."""
    hedges = (replace(L1_CALLS, net_contracts=30), replace(L2_CALLS, net_contracts=120))
    plan = hedge_plan(hedges=hedges, rsi_vix_high=True, memory=IN_FORCE)
    assert layer(plan, "L1").target_vega_usd >= layer(plan, "L1").current_vega_usd > 0
    (sale,) = plan.trades
    assert (sale.layer, sale.rules[:2]) == ("L2", ("B8", "G7"))


def test_b5_governors_and_the_ceiling_still_cap():
    facts = {"rsi_vix_high": True, "memory": IN_FORCE, "vega_per_theta": 9.0}
    plan = hedge_plan(cost=9_900, **facts)
    assert layer(plan, "L1").binding_cap == "G1"
    assert bought(plan, "L1") < layer(plan, "L1").target_vega_usd
    full = hedge_plan(hedges=(replace(L2_CALLS, net_contracts=90),), **facts)
    assert layer(full, "L1").binding_cap == "G7"


@pytest.mark.parametrize(
    ("verdict", "state", "times"),
    [
        (Verdict.FEAR, SPIKE, 2),
        (Verdict.FEAR, regime(), 1),  # no spike, no verdict
        (Verdict.UNDECIDED, SPIKE, 1),
    ],
)
def test_e_fear_doubles_the_step_in_a_spike(verdict, state, times):
    plain = step_of(state=state)
    assert step_of(state=state, panel=panel(verdict)) == pytest.approx(times * plain, abs=12)


def test_e_a_technical_spike_halves_l1_s_boost():
    facts = {"rsi_vix_high": True, "memory": IN_FORCE, "state": SPIKE, **ROOMY}
    whole = layer(hedge_plan(**facts), "L1")
    half = layer(hedge_plan(panel=panel(Verdict.TECHNICAL), **facts), "L1")
    vega = -condor_vega(ROOMY["condors"])
    assert whole.rules == ("L1", "S1", "B8")  # the floor raises it further
    assert half.rules[:3] == ("L1", "S1", "E")
    assert gates_of(hedge_plan(**facts), "E") == {}
    assert vega > 0


def test_t1_a_boost_that_waits_is_remembered():
    facts = {"rsi_vix_high": True, "analogues": analogues(lower=True)}
    first = hedge_plan(**facts)
    assert layer(first, "L1").reason is LayerReason.CORE
    assert layer(first, "L1").note.startswith("T1 holds up")
    second = hedge_plan(memory=replace(SETTLED, boost=first.boost), **facts)
    assert layer(second, "L1").reason is LayerReason.BOOST
    assert second.boost.in_force


# --- B6 -------------------------------------------------------------------------------------------

FRIDAY = date(2020, 2, 21)


def late_market(days_left=8):
    at = AT + timedelta(days=(FRIDAY - TODAY).days - days_left)
    quotes = market_quotes(at=at, spx_options=spx_chain(at=at, days=(days_left, days_left + 28)))
    return market_snapshot(market=quotes), Valuer(quotes, at.date())


@pytest.mark.parametrize(("days_left", "acts"), [(11, False), (10, True), (7, True), (6, False)])
def test_b6_in_the_theta_window_l2_adds_options(days_left, acts):
    condor = condor_position("SPXW 21FEB20 3100/3110/3350/3360", quantity=33, credit="2.50")
    plan = hedge_plan(condors=(condor,), condor_vega_usd=-600.0, where=late_market(days_left))
    l2 = layer(plan, "L2")
    assert l2.active is acts
    assert ("B6" in l2.rules) is acts
    if acts:
        assert l2.scale == 1.5  # far more would be needed: L4 caps it
        options = [t.instrument for t in plan.trades if t.layer == "L2"]
        assert options
        assert all(each.symbol.startswith("VIX ") for each in options)


def test_l5_in_the_theta_window_options_go_before_futures():
    """Where carry alone decides futures are cheaper."""
    carry = replace(RULES, layers=replace(RULES.layers, convexity_weight=0.0))
    where = late_market()
    best, *_ = rank_candidates(where[1], "L2", carry)
    assert not best.is_call
    condor = condor_position("SPXW 21FEB20 3100/3110/3350/3360", quantity=330, credit="2.50")
    plan = hedge_plan(
        condors=(condor,),
        condor_vega_usd=-6000.0,
        where=where,
        rules=carry,
        account=account("10000000"),
    )
    (gate,) = [g for g in plan.gates if g.name == "score of L2's choice, VIX points"]
    assert gate.note.startswith("VIX ")


# --- B10: the reach of L1 -------------------------------------------------------------------------


def test_b10_l1_buys_the_next_month_while_the_front_one_is_too_short():
    at = AT + timedelta(days=10)  # six days before the February expiry
    quotes = market_quotes(at=at)
    plan = hedge_plan(
        condor_vega_usd=-600.0,
        rsi_vix_high=True,
        memory=IN_FORCE,
        where=(market_snapshot(market=quotes), Valuer(quotes, at.date())),
    )
    assert {t.instrument.expiry for t in plan.trades if t.layer == "L1"} == {date(2020, 3, 18)}
    assert layer(plan, "L1").binding_cap == "B9"


# --- L6 -------------------------------------------------------------------------------------------


def test_l6_l1_is_short_futures_against_a_book_meant_to_be_vega_positive():
    plan = hedge_plan(
        rules=POSITIVE, condor_vega_usd=900.0, condors=(replace(CONDOR, quantity=200),)
    )
    l1 = layer(plan, "L1")
    assert "L6" in l1.rules
    assert l1.reason is LayerReason.ACTIVE
    assert l1.target_vega_usd == pytest.approx(-450.0)
    assert l1.planned_vega_usd < 0
    assert l1.change_contracts < 0
    (order,) = [order for order in plan.additions if order.layer == "L1"]
    assert order.effect is PositionEffect.OPEN
    assert order.legs[0].ratio == -1
    assert order.purpose == f"hedge:L1:add:{order.legs[0].instrument.symbol}"
    assert order.limit_price < 0
    assert plan.cap == "B9"
    assert bought(plan, "L1") == 0


@pytest.mark.parametrize(("rules", "vega"), [(RULES, 1500.0), (POSITIVE, -1500.0)])
def test_l6_shorts_are_bought_back_at_once_when_the_book_no_longer_asks_for_them(rules, vega):
    plan = hedge_plan(
        rules=rules, condor_vega_usd=vega, hedges=(hedge_position("VXM 18MAR20", -8, cost="17"),)
    )
    (order,) = plan.reductions
    assert order.purpose == f"hedge:L2:reduce:{instrument('VXM 18MAR20').symbol}"
    assert (order.legs[0].ratio, order.quantity) == (1, 8)
    assert order.effect is PositionEffect.CLOSE
    assert order.urgency is Urgency.URGENT


def test_l6_nothing_is_sold_short_while_a_lot_has_no_value():
    plan = hedge_plan(
        rules=POSITIVE,
        condor_vega_usd=1500.0,
        hedges=(hedge_position("VIX 18MAR20 22.25 C", 1),),
    )
    assert plan.additions == ()


# --- what a plan says -----------------------------------------------------------------------------


def test_a_layer_lists_all_its_trades_and_its_main_one():
    held = (hedge_position("VIX 18MAR20 22 C", 60), hedge_position("VIX 15APR20 25 C", 60))
    plan = hedge_plan(hedges=held, condors=(replace(CONDOR, quantity=10),))
    l2 = layer(plan, "L2")
    assert len(l2.trades) > 1
    assert dict(l2.trades) == {
        t.instrument.symbol: t.contracts for t in plan.trades if t.layer == "L2"
    }
    main = max((t for t in plan.trades if t.layer == "L2"), key=lambda trade: abs(trade.vega_usd))
    assert (l2.instrument, l2.change_contracts) == (main.instrument.symbol, main.contracts)


def test_l5_a_plan_says_what_it_chose_over_what_with_both_scores():
    plan = hedge_plan(rsi_vix_high=True, memory=IN_FORCE, **ROOMY)
    best, second, *_ = rank_candidates(quiet_market()[1], "L1", RULES)
    gate = gates_of(plan, "L5")["score of L1's choice, VIX points"]
    assert gate.value == pytest.approx(best.score, abs=1e-6)
    assert gate.threshold == pytest.approx(second.score, abs=1e-6)
    assert gate.note == f"{best.instrument} over {second.instrument}"
    assert gate.passed
    assert layer(plan, "L1").runner_up == second.instrument.symbol


def test_a_plan_says_which_cap_binds_with_its_value_and_limit():
    plan = hedge_plan(rsi_vix_high=True, memory=IN_FORCE, **ROOMY)
    gate = gates_of(plan, "B9")["contracts L1 lacks"]
    assert gate.value > gate.threshold == sum(trades_of(plan, "L1").values())
    assert not gate.passed
    spent = hedge_plan(
        rsi_vix_high=True, memory=IN_FORCE, cost=10_001, **(ROOMY | {"account": account("1000000")})
    )
    assert gates_of(spent, "G1")["contracts L1 lacks"].threshold == 0


def test_g7_a_wish_that_the_ceiling_lowers_to_what_is_held_is_told_in_vega():
    """Every layer acts and is there: together they would pass the inner line."""
    held = (
        hedge_position("VIX 19FEB20 22 C", 250, cost="0.01"),
        hedge_position("VIX 18MAR20 22 C", 120, cost="0.01"),
        hedge_position("VIX 20MAY20 25 C", 75, cost="0.01"),
    )
    plan = hedge_plan(
        rsi_vix_high=True,
        memory=replace(IN_FORCE, harvested=tuple((h.instrument.symbol, "x") for h in held)),
        hedges=held,
        condor_vega_usd=-3300.0,
        state=replace(regime(shift=True), pre_event=True),
        migration=-1.0,
    )
    capped = [each.layer for each in plan.layers if each.binding_cap == "G7"]
    assert capped
    for name in capped:
        gate = gates_of(plan, "G7").get(f"{name}'s wish, USD per VIX point")
        assert gate is None or gate.value > gate.threshold
    assert any(name.endswith("wish, USD per VIX point") for name in gates_of(plan, "G7"))


@pytest.mark.parametrize(
    ("hedges", "facts", "name", "why"),
    [
        ((replace(L2_CALLS, net_contracts=60),), {"state": EVENT, "migration": 0.0}, "L2", "acts"),
        ((replace(L2_CALLS, net_contracts=60),), {}, "L2", "what the vega floor needs"),
        ((replace(L2_CALLS, net_contracts=90),), {}, "L2", "the rest follows by increments (B9)"),
        (
            (replace(L1_CALLS, net_contracts=60),),
            {"memory": replace(SETTLED, condors_insured=())},
            "L1",
            "may become the core of a new condor (G2)",
        ),
        (
            (
                replace(L2_CALLS, net_contracts=80),
                hedge_position("VIX 18MAR20 22.25 C", 1),
            ),
            {},
            "L2",
            "no value for VIX 18MAR20 22.25 C",
        ),
    ],
)
def test_a_layer_above_its_target_says_why(hedges, facts, name, why):
    found = layer(hedge_plan(hedges=hedges, **facts), name)
    assert "above its target" in found.note
    assert why in found.note


def test_a_layer_whose_sale_is_at_work_says_so():
    symbol = instrument("VIX 18MAR20 22 C").symbol
    order = WorkingOrder(
        client_order_id=ClientOrderId("A1"),
        purpose=f"hedge:L2:reduce:{symbol}",
        status=OrderStatus.LIVE,
        legs=((symbol, -1),),
        leaves_quantity=1,
        limit_price=Decimal("-0.60"),
        layer="L2",
        condor_id=None,
    )
    found = layer(hedge_plan(hedges=(replace(L2_CALLS, net_contracts=80),), working=(order,)), "L2")
    assert found.note.endswith("inside the no-trade zone (B9), or its sale is at work")


def test_a_layer_at_its_target_has_no_note():
    assert layer(hedge_plan(), "L3").note == ""


def test_without_a_price_of_the_condors_each_layer_says_that_it_has_no_target():
    near = f"VIX {TODAY + timedelta(days=5):%d%b%y} 20 C".upper()
    plan = plan_hedge(
        hedge_inputs(hedges=(L1_CALLS, hedge_position(near, 5)), condor_vega_usd=None)
    )
    assert plan.rotation == SETTLED.rotation
    assert plan.boost == SETTLED.boost
    for found in plan.layers:
        assert found.note == "the book cannot be priced: no target"
        assert found.target_vega_usd == 0
    assert layer(plan, "L1").current_contracts == 45
    assert layer(plan, "L1").trades == ()


def test_b10_goes_on_while_the_condors_have_no_price():
    day = min(VX_CURVE)
    at = AT + timedelta(days=(day - TODAY).days - 5)
    quotes = market_quotes(at=at)
    plan = hedge_plan(
        hedges=(L1_CALLS,),
        condor_vega_usd=None,
        where=(market_snapshot(market=quotes), Valuer(quotes, at.date())),
    )
    assert layer(plan, "L1").trades == ((instrument("VIX 19FEB20 20 C").symbol, -40),)
    assert layer(plan, "L1").change_contracts == -40


# --- what else reaches it -------------------------------------------------------------------------


def test_l4_without_condors_nothing_is_hedged():
    empty = hedge_plan(condors=(), rsi_vix_high=True, state=regime(shift=True))
    assert empty.trades == ()
    assert all(each.target_vega_usd == 0 for each in empty.layers)


def test_l4_a_book_that_is_not_short_now_is_measured_in_a_fall():
    plan = hedge_plan(condor_vega_usd=100.0, state=regime(shift=True))
    assert layer(plan, "L1").target_vega_usd == 0
    assert layer(plan, "L3").target_vega_usd >= 0
    assert layer(plan, "L3").active


def test_b1_in_its_steps_l1_only_sells_whatever_its_boost():
    few = replace(L1_CALLS, net_contracts=16)
    facts = {"rsi_vix_high": True, "memory": IN_FORCE, "hedges": (few,)}
    plan = hedge_plan(state=regime(Curve.BACKWARDATION, flipped=True), **facts)
    assert trades_of(plan, "L1") == {"VIX 19FEB20 20 C": -2}
    l1 = layer(plan, "L1")
    assert l1.target_vega_usd == pytest.approx(l1.planned_vega_usd)
    assert bought(plan, "L2") > 0


def test_g2_a_core_waits_while_calls_or_a_lot_have_no_value():
    new = replace(SETTLED, condors_insured=())
    snapshot, valuer = quiet_market()
    indices = {k: v for k, v in snapshot.market.indices.items() if k != "VIX"}
    blind = replace(snapshot, market=replace(snapshot.market, indices=indices))
    plan = hedge_plan(memory=new, where=(blind, valuer))
    assert "G2 core: VIX or its options; it waits" in plan.missing
    assert "G3 volatility forecast ratio: VIX or its history; taken as 1" in plan.missing
    assert plan.condors_insured == ()
    unknown = hedge_position("VIX 18MAR20 22.25 C", 1)
    assert hedge_plan(memory=new, hedges=(unknown,)).condors_insured == ()


def test_l5_a_layer_adds_to_what_it_holds_rather_than_to_a_strike_a_little_better():
    best, second, *_ = rank_candidates(quiet_market()[1], "L1", RULES)
    assert second.score - best.score < RULES.layers.held_margin
    few = replace(L1_CALLS, instrument=second.instrument, net_contracts=3)
    facts = {"rsi_vix_high": True, "memory": IN_FORCE, **ROOMY}
    assert set(trades_of(hedge_plan(**facts), "L1")) == {str(best.instrument)}
    assert set(trades_of(hedge_plan(hedges=(few,), **facts), "L1")) == {str(second.instrument)}


def test_b12_a_layer_that_is_harvested_adds_nothing():
    dear = replace(L1_CALLS, average_cost=Decimal("0.05"), net_contracts=100)
    plan = hedge_plan(hedges=(dear,), rsi_vix_high=True, memory=IN_FORCE, condor_vega_usd=-800.0)
    assert trades_of(plan, "L1")["VIX 19FEB20 20 C"] < 0
    assert len(trades_of(plan, "L1")) == 1
    assert "harvested in this interval" in layer(plan, "L1").note


def test_g3_the_beta_of_the_condors_scales_the_notional():
    plain, scaled = hedge_plan(), hedge_plan(condor_beta=0.5)
    name = "hedge notional in USD"
    assert gates_of(scaled, "G3")[name].threshold > gates_of(plain, "G3")[name].threshold
    assert any(line.startswith("G3 beta") for line in plain.missing)
    assert not any(line.startswith("G3 beta") for line in scaled.missing)
