"""Whole hedges of one interval: a book in the quiet market, and what the rules ask of it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import cache

from strategies.alvh.hedge import plan_hedge
from strategies.alvh.hedge_plan import HedgeInputs, HedgePlan
from strategies.model.book import CondorPosition, HedgePosition
from strategies.model.instruments import Instrument
from strategies.model.memory import Curve, Memory, RegimeMemory
from strategies.model.snapshots import MarketSnapshot
from strategies.pricing.valuation import Valuer
from strategies.risk.measures import condor_vega_usd
from tests.builders import (
    TODAY,
    account,
    book,
    condor_position,
    market_quotes,
    market_snapshot,
)
from tests.strategies.alvh.builders import RULES, regime, usd
from tests.strategies.signals.builders import signals

CONDOR = condor_position("SPXW 20MAR20 3040/3050/3405/3415", quantity=33, credit="2.50")
SETTLED = Memory(
    session=TODAY, regime=RegimeMemory(curve=Curve.CONTANGO), condors_insured=("C0001",)
)


@cache
def quiet_market() -> tuple[MarketSnapshot, Valuer]:
    """The market of the builders and its values, worked out once."""
    quotes = market_quotes()
    return market_snapshot(market=quotes), Valuer(quotes, TODAY)


def condor_vega(condors: Sequence[CondorPosition]) -> float:
    """V_c in the quiet market, USD per VIX point."""
    _, valuer = quiet_market()
    values = {condor.condor_id: valuer.condor(condor.legs) for condor in condors}
    vega = condor_vega_usd(condors, values)
    assert vega is not None
    return vega


def hedge_inputs(
    *,
    condors: Sequence[CondorPosition] = (CONDOR,),
    hedges: Sequence[HedgePosition] = (),
    working=(),
    cost: float = 0.0,
    read=None,
    state=None,
    where: tuple[MarketSnapshot, Valuer] | None = None,
    **facts,
) -> HedgeInputs:
    """Inputs of one interval; ``facts`` are fields of them."""
    snapshot, valuer = where or quiet_market()
    held = book(condors=condors, hedges=hedges, working=working, hedge_cost_365d_usd=str(cost))
    usual = {
        "rsi_vix_high": False,
        "account": account(),
        "condor_vega_usd": None if "condor_vega_usd" in facts else condor_vega(condors),
        "lacking_usd": usd(0),
        "memory": SETTLED,
        "rules": RULES,
    }
    return HedgeInputs(
        snapshot=snapshot,
        valuer=valuer,
        signals=read or signals(),
        regime=state or regime(),
        book=held,
        condors=tuple(condors),
        plan_id="p",
        **(usual | facts),
    )


def hedge_plan(**facts) -> HedgePlan:
    """The hedge of one interval."""
    return plan_hedge(hedge_inputs(**facts))


def layer(plan: HedgePlan, name: str):
    """One layer of a plan."""
    (found,) = [each for each in plan.layers if each.layer == name]
    return found


def gates_of(plan: HedgePlan, rule: str):
    """The gates of one rule, by name."""
    return {gate.name: gate for gate in plan.gates if gate.rule == rule}


def contracts_of(hedges: Sequence[HedgePosition]) -> dict[Instrument, int]:
    """What is held, by instrument."""
    return {hedge.instrument: hedge.net_contracts for hedge in hedges}


def filled(inputs: HedgeInputs, plan: HedgePlan) -> HedgeInputs:
    """The next interval in the same market, every order of the plan filled at its limit.

    What it opened counts as older than the session: fresh positions would be spared surplus sales.
    """
    held = {hedge.instrument: hedge for hedge in inputs.book.hedges}
    for order in (*plan.reductions, *plan.additions):
        (leg,) = order.legs
        before = held.get(leg.instrument)
        contracts = leg.ratio * order.quantity
        held[leg.instrument] = HedgePosition(
            instrument=leg.instrument,
            net_contracts=contracts + (before.net_contracts if before else 0),
            average_cost=before.average_cost if before else abs(order.limit_price),
            opened_on=before.opened_on if before else TODAY - timedelta(days=7),
        )
    memory = replace(
        inputs.memory,
        rotation=plan.rotation,
        boost=plan.boost,
        core_contracts=plan.core_contracts,
        condors_insured=plan.condors_insured,
        harvest_armed=plan.harvest_armed,
        harvesting=plan.harvesting,
        halving=plan.halving,
        harvested=plan.harvested,
    )
    hedges = tuple(hedge for hedge in held.values() if hedge.net_contracts)
    return replace(inputs, book=replace(inputs.book, hedges=hedges), memory=memory)


def intervals(inputs: HedgeInputs, most: int) -> Iterator[tuple[HedgeInputs, HedgePlan]]:
    """The intervals in one market until a plan has nothing to trade, or so many."""
    for _ in range(most):
        plan = plan_hedge(inputs)
        yield inputs, plan
        if not plan.trades:
            return
        inputs = filled(inputs, plan)
