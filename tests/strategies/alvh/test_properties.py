"""What holds for every hedge of every book, whatever the rules ask for."""

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from strategies.alvh.governors import Budget
from strategies.alvh.hedge import plan_hedge
from strategies.alvh.holdings import read_lots
from strategies.alvh.rebalance import Band
from strategies.alvh.short_side import short_ceiling_usd
from strategies.model.encoding import to_json
from strategies.model.instruments import OptionContract
from strategies.model.memory import BoostMemory, Curve, RotationMemory
from strategies.model.orders import PositionEffect
from strategies.pricing.capital import quick_ratio
from strategies.signals.indicators import Side
from tests.builders import TODAY, account, condor_legs, hedge_position
from tests.strategies.alvh.builders import RULES, regime
from tests.strategies.alvh.planning import (
    CONDOR,
    SETTLED,
    contracts_of,
    filled,
    hedge_inputs,
    intervals,
    quiet_market,
)
from tests.strategies.signals.builders import signals

CALLS = (
    "VIX 19FEB20 20 C",
    "VIX 19FEB20 22 C",
    "VIX 18MAR20 22 C",
    "VIX 15APR20 25 C",
    "VIX 20MAY20 25 C",
)
FUTURES = ("VX 18MAR20", "VXM 19FEB20", "VXM 15APR20", "VXM 17JUN20")
POSITIVE = replace(RULES, condor=replace(RULES.condor, bias="positive", wings="ratio"))
_EPSILON = 1e-6


def vega_of(plan) -> float:
    """V_h once the plan has filled, USD per VIX point."""
    return sum(each.planned_vega_usd for each in plan.layers)


# --- books, markets and memories ------------------------------------------------------------------


@st.composite
def positions(draw, *, shorts=False):
    chosen = draw(st.lists(st.sampled_from(CALLS + FUTURES), max_size=5, unique=True))
    held = []
    for text in chosen:
        is_call = text in CALLS
        contracts = draw(st.integers(1, 200 if is_call else 10))
        if shorts and not is_call:
            contracts = -contracts
        held.append(hedge_position(text, contracts, cost="0.80" if is_call else "17.00"))
    return tuple(held)


@st.composite
def markets(draw):
    """What signals, regime and the other rules may say."""
    sides = st.none() | st.sampled_from(list(Side))
    return {
        "read": signals(
            rsi_spx_weak=draw(st.booleans()),
            backwardation_fraction=draw(st.sampled_from([-0.05, 0.03, 0.1])),
            backwardation_points=draw(st.sampled_from([-1.0, 1.0, 4.0])),
            slope_falling_days=draw(st.integers(0, 4)),
            basis_macd=draw(sides),
            macd_vvix_vix=draw(sides),
            macd_spx=draw(sides),
        ),
        "state": replace(
            regime(
                draw(st.sampled_from([Curve.CONTANGO, Curve.BACKWARDATION])),
                spike=draw(st.booleans()),
                shift=draw(st.booleans()),
            ),
            pre_event=draw(st.booleans()),
        ),
        "rsi_vix_high": draw(st.booleans()),
        "migration": draw(st.none() | st.floats(-2, 1)),
        "vega_per_theta": draw(st.none() | st.floats(0, 8)),
    }


@st.composite
def memories(draw):
    ahead = draw(st.sampled_from([0.0, 0.25]))
    cut = draw(st.sampled_from([ahead, 0.5]))
    return replace(
        SETTLED,
        core_contracts=draw(st.integers(0, 30)),
        boost=BoostMemory(in_force=draw(st.booleans())),
        rotation=RotationMemory(
            l1_cut=cut,
            shifted=ahead,
            shifted_on=TODAY if ahead else None,
            shifted_to=draw(st.sampled_from(["L2", "L3"])),
            l1_weight_at_flip=draw(st.floats(0, 0.6)),
        ),
        condors_insured=draw(st.sampled_from([(), ("C0001",)])),
    )


@st.composite
def everything(draw, *, rules=RULES, shorts=False):
    """Facts of ``hedge_inputs``."""
    quantity = draw(st.sampled_from([0, 3, 33, 200]))
    condors = (replace(CONDOR, quantity=quantity),) if quantity else ()
    low, high = (-60.0, 15.0) if not shorts else (-15.0, 40.0)
    margin = draw(st.sampled_from(["0", "600000", "900000", "1100000"]))
    return {
        "condors": condors,
        "hedges": draw(positions(shorts=shorts)),
        "condor_vega_usd": quantity * draw(st.floats(low, high)),
        "memory": draw(memories()),
        "cost": draw(st.sampled_from([0, 9_000, 15_000, 25_000])),
        "account": account(maintenance_margin=margin),
        **({} if rules is RULES else {"rules": rules}),
        **draw(markets()),
    }


# --- caps -----------------------------------------------------------------------------------------


def lots_of(inputs):
    _, valuer = quiet_market()
    return read_lots(inputs.book, valuer, TODAY, inputs.rules.layers)


def budget_of(inputs):
    return Budget(
        account=inputs.account,
        hedge_cost_usd=inputs.book.hedge_cost_365d_usd,
        lots=lots_of(inputs),
        condors=inputs.condors,
        regime=inputs.regime,
        forecast=forecast(inputs),
        rules=inputs.rules.governors,
    )


def forecast(inputs):
    snapshot, _ = quiet_market()
    closes = snapshot.history.vix_close[-252:]
    return min(max(snapshot.market.indices["VIX"].value / closes.mean(), 0.5), 2.0)


@given(everything())
def test_no_plan_passes_a_cap(facts):
    inputs = hedge_inputs(**facts)
    plan, budget = plan_hedge(inputs), budget_of(inputs)
    bought = [trade for trade in plan.trades if trade.effect is PositionEffect.OPEN]
    assert all(trade.contracts > 0 for trade in bought)
    condors = sum(condor.quantity for condor in inputs.condors)
    band = Band.of(inputs.condor_vega_usd, condors, inputs.rules)
    held = sum(lot.contracts * lot.unit_vega_usd for lot in lots_of(inputs))
    ratio = quick_ratio(inputs.account)
    if bought:  # with none of the plan's sales filled
        assert held + sum(t.vega_usd for t in bought) <= band.inner_usd + _EPSILON, "G7"
        assert ratio is None or ratio >= 1, "G6"
    if any(trade.layer == "L3" for trade in bought):
        assert ratio is None or ratio >= inputs.rules.governors.quick_ratio, "G6"
    premium = sum(
        trade.contracts * trade.ask * 100
        for trade in bought
        if isinstance(trade.instrument, OptionContract)
    )
    notional = sum(trade.contracts * trade.ask * trade.instrument.multiplier for trade in bought)
    liquid = max(0.0, float(inputs.account.excess_liquidity_usd))
    assert premium <= liquid + _EPSILON, "G6"
    if bought and not budget.is_emergency:
        assert budget.cost_usd + premium <= 0.02 * 1e6 + _EPSILON, "G1"
        core = sum(trade.contracts for trade in bought if "G2" in trade.rules)
        if not core:
            assert budget.cost_usd + premium <= 0.01 * 1e6 + _EPSILON, "G1"
        assert budget.notional_usd + notional <= budget.notional_cap_usd + _EPSILON, "G3"
    for each in plan.layers:
        assert 0 <= each.scale <= 1.5, "L4"
        added = [trade for trade in bought if trade.layer == each.layer and "G2" not in trade.rules]
        step = plan_step(inputs) * each.target_vega_usd
        unit = max((trade.unit_vega_usd for trade in added), default=0.0)
        assert sum(trade.vega_usd for trade in added) <= max(step, unit) + _EPSILON, "B9"


@given(everything())
def test_b8_sales_from_above_the_ceiling_end_above_the_line_at_which_surplus_is_kept(facts):
    """Trim and surplus sales of one plan together, but for contracts as large as the band."""
    inputs = hedge_inputs(**facts)
    band = Band.of(inputs.condor_vega_usd, sum(c.quantity for c in inputs.condors), inputs.rules)
    held = sum(lot.contracts * lot.unit_vega_usd for lot in lots_of(inputs))
    assume(held > band.ceiling_usd + _EPSILON)
    sold = [t for t in plan_hedge(inputs).trades if t.contracts < 0]
    assume(not {"B1", "B3", "B10", "B12", "G6"} & {rule for trade in sold for rule in trade.rules})
    left = held + sum(trade.vega_usd for trade in sold)
    assert left <= band.ceiling_usd + _EPSILON
    coarse = max(trade.unit_vega_usd for trade in sold) > band.ceiling_usd - band.keep_usd
    assert left >= band.keep_usd - _EPSILON or coarse


def plan_step(inputs):
    """B9's step of the interval: all of it under B5."""
    ratio = inputs.vega_per_theta
    return 1.0 if ratio is not None and ratio > 3.2 else 0.25


@given(everything())
def test_g8_a_reduction_never_opens_and_nothing_ends_short(facts):
    inputs = hedge_inputs(**facts)
    plan = plan_hedge(inputs)
    held = contracts_of(inputs.book.hedges)
    for order in plan.reductions:
        (leg,) = order.legs
        assert order.effect is PositionEffect.CLOSE
        assert leg.ratio == -1
        assert order.quantity <= held[leg.instrument]
    after = contracts_of(filled(inputs, plan).book.hedges)
    assert all(contracts > 0 for contracts in after.values())
    assert {order.legs[0].instrument for order in plan.reductions}.isdisjoint(
        order.legs[0].instrument for order in plan.additions
    ), "one instrument is not bought and sold at once"


@given(everything(rules=POSITIVE, shorts=True))
def test_l6_against_a_book_meant_long_only_futures_are_short_and_v_stays_inside(facts):
    inputs = hedge_inputs(**facts)
    plan = plan_hedge(inputs)
    held = contracts_of(inputs.book.hedges)
    for order in plan.reductions:
        (leg,) = order.legs
        assert leg.ratio * held[leg.instrument] < 0
        assert order.quantity <= abs(held[leg.instrument])
    condors = sum(condor.quantity for condor in inputs.condors)
    sold = [t for t in plan.trades if t.contracts < 0 and t.effect is PositionEffect.OPEN]
    for trade in sold:
        assert not isinstance(trade.instrument, OptionContract), "G8"
        assert held.get(trade.instrument, 0) <= 0
        assert inputs.condor_vega_usd > 0
    if sold:  # with nothing that the plan buys filled
        short = -sum(lot.contracts * lot.unit_vega_usd for lot in lots_of(inputs))
        short -= sum(trade.vega_usd for trade in sold)
        most = short_ceiling_usd(inputs.condor_vega_usd, condors, inputs.rules)
        assert short <= most + _EPSILON, "G7"


# --- what does not matter -------------------------------------------------------------------------


@given(everything(), st.randoms(use_true_random=False))
def test_the_order_of_positions_means_nothing(facts, random):
    inputs = hedge_inputs(**facts)
    shuffled = list(inputs.book.hedges)
    random.shuffle(shuffled)
    other = replace(inputs, book=replace(inputs.book, hedges=tuple(shuffled)))
    assert to_json(plan_hedge(other).layers) == to_json(plan_hedge(inputs).layers)
    assert plan_hedge(other) == plan_hedge(inputs)


@given(everything(), st.integers(-2, 2))
def test_the_last_bits_of_a_value_change_no_order_and_no_memory(facts, ulps):
    inputs = hedge_inputs(**facts)
    vega = inputs.condor_vega_usd
    nudged = replace(inputs, condor_vega_usd=vega * (1 + ulps * 2.3e-16))
    plain, other = plan_hedge(inputs), plan_hedge(nudged)
    assert other.reductions == plain.reductions
    assert other.additions == plain.additions
    assert to_json(other.rotation) == to_json(plain.rotation)


# --- convergence ----------------------------------------------------------------------------------


@given(everything())
def test_b9_in_a_still_market_plans_come_to_rest_without_churn(facts):
    """What one plan buys no later one sells; what is sold, but by a trim, is not bought again."""
    inputs = hedge_inputs(**facts)
    bought, sold, plans = set(), set(), 0
    for _, plan in intervals(inputs, 60):
        plans += 1
        for trade in plan.trades:
            if trade.contracts > 0:
                assert trade.instrument not in sold
                bought.add(trade.instrument)
            else:
                assert trade.instrument not in bought
                if "B8" not in trade.rules:
                    sold.add(trade.instrument)
    assert not plan.trades, f"not at rest after {plans} intervals"


def at_rest(inputs):
    """The last interval in a still market: its inputs and its plan."""
    *_, (inputs, plan) = intervals(inputs, 80)
    assert not plan.trades
    return inputs, plan


# --- more of the same is hedged the same ----------------------------------------------------------

QUANTITY = 100
UNCAPPED = {"account": account("1000000000")}


WIDE = replace(CONDOR, legs=condor_legs("SPXW 20MAR20 2600/3050/3405/3640"))


def calm_book(vega, facts, *, times=1):
    """A book without a hedge, in an account and of a loss that no governor binds."""
    condors = (replace(WIDE, quantity=QUANTITY * times),)
    return hedge_inputs(condors=condors, condor_vega_usd=vega * times, **UNCAPPED, **facts)


@given(everything(), st.floats(1.0, 3.0))
def test_more_short_vega_never_means_less_hedge(facts, more):
    """What the layers should hold, governors and all, grows with what the condors are short."""
    inputs = hedge_inputs(**facts)
    assume(inputs.condor_vega_usd < 0)
    shorter = replace(inputs, condor_vega_usd=inputs.condor_vega_usd * more)
    wanted = [sum(each.target_vega_usd for each in plan_hedge(i).layers) for i in (inputs, shorter)]
    assert wanted[1] >= wanted[0] - _EPSILON


@given(st.floats(-60, -2), st.floats(1.15, 3.0), markets())
def test_more_short_vega_ends_in_no_less_hedge(vega, more, facts):
    """At rest, and more by more than B9's no-trade zone: where G3's money does not run out."""
    facts["vega_per_theta"] = None
    _, little = at_rest(calm_book(QUANTITY * vega, facts))
    _, much = at_rest(calm_book(QUANTITY * vega * more, facts))
    assert vega_of(much) >= vega_of(little) - _EPSILON


@given(st.floats(-60, -2), markets())
def test_ten_times_the_book_is_hedged_ten_times(vega, facts):
    facts["vega_per_theta"] = None
    _, once = at_rest(calm_book(QUANTITY * vega, facts))
    _, ten = at_rest(calm_book(QUANTITY * vega, facts, times=10))
    for small, large in zip(once.layers, ten.layers, strict=True):
        assert large.target_vega_usd == pytest.approx(10 * small.target_vega_usd, rel=0.25, abs=700)
        rounding = 0.1 * small.target_vega_usd + 35.0  # B9's zone, and the largest call
        assert large.planned_vega_usd / 10 == pytest.approx(small.planned_vega_usd, abs=rounding)
