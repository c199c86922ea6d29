"""L6 in whole decisions: a ratio condor that is vega-positive, and its short futures."""

from dataclasses import replace

import pytest

from strategies.decide import decide
from strategies.model.book import HedgePosition
from strategies.model.limits import Readiness, SystemState
from strategies.model.memory import Memory
from strategies.model.orders import ApprovedOrder
from strategies.model.quotes import Quote
from strategies.risk.gate import approve
from tests.builders import (
    AT,
    TODAY,
    account,
    book,
    condor_legs,
    condor_position,
    hedge_position,
    market_quotes,
    market_snapshot,
)
from tests.strategies.alvh.builders import RULES
from tests.strategies.risk.test_gate import LIMITS

POSITIVE = replace(RULES, condor=replace(RULES.condor, bias="positive", wings="ratio"))
RATIO = condor_position(
    replace(condor_legs("SPXW 20MAR20 2950/3100/3370/3450"), long_ratio=2),
    quantity=60,
    credit="13.30",
)
SETTLED = Memory(session=TODAY, condors_insured=("C0001",))
MARKET = market_snapshot(market=market_quotes(), entry_due=False)
HOLDER = account("5000000")


def plan_of(held, memory=SETTLED, rules=POSITIVE):
    return decide(MARKET, held, HOLDER, memory, rules)


def filled(held, plan):
    """The book once the hedge's orders have filled."""
    hedges = {each.instrument: each for each in held.hedges}
    for order in plan.orders:
        (leg,) = order.legs
        before = hedges.get(leg.instrument)
        contracts = leg.ratio * order.quantity + (before.net_contracts if before else 0)
        hedges[leg.instrument] = HedgePosition(
            instrument=leg.instrument,
            net_contracts=contracts,
            average_cost=abs(order.limit_price),
            opened_on=TODAY,
        )
    return replace(held, hedges=tuple(each for each in hedges.values() if each.net_contracts))


def hedged():
    """The book once nothing more is sold short, and its last plan and memory."""
    held, memory = book(condors=[RATIO]), SETTLED
    for _ in range(20):
        plan, memory = plan_of(held, memory)
        if not plan.orders:
            return held, plan, memory
        held = filled(held, plan)
    raise AssertionError("no rest")


def test_l6_half_of_a_vega_positive_book_is_sold_in_futures_and_the_state_says_so():
    first, _ = plan_of(book(condors=[RATIO]))
    vega = first.before.condor_factor_vega_usd
    assert vega > 0
    assert first.hedge_state.startswith("under-hedged: ")
    held, plan, _ = hedged()
    assert plan.hedge_state == "hedged"
    assert plan.after.hedge_factor_vega_usd == pytest.approx(-0.5 * vega, abs=0.1 * vega)
    assert all(hedge.net_contracts < 0 for hedge in held.hedges)
    assert plan.after.net_vega_per_condor > 0
    assert next(gate for gate in plan.gates if gate.rule == "G7").passed


def test_l6_the_gate_lets_the_short_sale_through():
    plan, _ = plan_of(book(condors=[RATIO]))
    quotes = {
        quote.contract.symbol: Quote(bid=quote.bid, ask=quote.ask)
        for quote in MARKET.market.futures
    }
    (order,) = [order for order in plan.orders if order.layer == "L1"]
    verdict = approve(
        order,
        readiness=Readiness(
            at=AT,
            state=SystemState.RUNNING,
            halt_scope=None,
            connected=True,
            reconciled=True,
            lease_held=True,
            orders_today=0,
            quotes_at=AT,
        ),
        limits=LIMITS,
        book=book(condors=[RATIO]),
        quotes=quotes,
        orders_seen=frozenset(),
    )
    assert isinstance(verdict, ApprovedOrder), verdict


def test_l6_shorts_are_bought_back_when_the_bias_is_given_up():
    held, _, memory = hedged()
    plan, _ = plan_of(held, memory, RULES)
    closes = [order for order in plan.orders if order.layer is not None]
    assert closes
    assert filled(held, replace(plan, orders=tuple(closes))).hedges == ()


def test_l6_too_much_long_vega_on_a_book_meant_long_is_over_hedged():
    held = book(condors=[RATIO], hedges=[hedge_position("VX 18MAR20", 3, cost="17")])
    plan, _ = plan_of(held)
    reduced = [order for order in plan.orders if order.legs[0].ratio < 0]
    assert reduced
    assert "B8" in reduced[0].rules
