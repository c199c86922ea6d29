"""Flatten: everything held is closed, condors first, each order at a price the quotes bear."""

from dataclasses import replace
from decimal import Decimal

import pytest

from strategies.model.book import LoosePosition, WorkingOrder
from strategies.model.ids import ClientOrderId
from strategies.model.lifecycle import OrderStatus
from strategies.model.memory import Memory
from strategies.model.orders import PositionEffect, Urgency
from strategies.model.quotes import PUT
from strategies.model.rules import Rules
from strategies.risk.flatten import FLATTENING, flatten, is_flat
from tests.builders import (
    account,
    book,
    condor_legs,
    condor_position,
    hedge_position,
    instrument,
    market_quotes,
    market_snapshot,
    option,
)

CONDOR = "SPXW 20MAR20 3000/3010/3400/3410"
CALL = "VIX 18MAR20 25 C"
VX = "VX 18MAR20"
SNAPSHOT = market_snapshot()


def plan_of(held, snapshot=SNAPSHOT):
    return flatten(snapshot, held, account(), Memory(condors_opened=3), Rules())


def at_work(purpose):
    return WorkingOrder(
        client_order_id=ClientOrderId("a" * 24),
        purpose=purpose,
        status=OrderStatus.LIVE,
        legs=(),
        leaves_quantity=1,
        limit_price=Decimal(1),
        layer=None,
        condor_id="C0001",
    )


def with_chain(chain_name, text, *, bid=None, ask=None):
    """The quiet market with one option quoted otherwise."""
    market = market_quotes()
    chain = getattr(market, chain_name)
    contract = option(text)
    row, column = chain.find_row(contract), PUT if contract.right == "P" else 1
    columns = {"bid": chain.bid.copy(), "ask": chain.ask.copy()}
    for name, price in (("bid", bid), ("ask", ask)):
        if price is not None:
            columns[name][row, column] = price
    return market_snapshot(market=replace(market, **{chain_name: replace(chain, **columns)}))


def test_condors_are_bought_back_at_once_and_the_hedge_waits_for_them():
    held = book(condors=[condor_position(CONDOR, quantity=2)], hedges=[hedge_position(CALL, 10)])
    plan, memory = plan_of(held)
    (order,) = plan.orders
    assert (order.purpose, order.quantity) == ("condor:C0001:close", 2)
    assert (order.effect, order.urgency) == (PositionEffect.CLOSE, Urgency.URGENT)
    assert 0 < order.limit_price < order.worst_price <= 10
    legs = {leg.instrument: leg.ratio for leg in order.legs}
    assert legs == {leg: -sign for leg, sign in condor_legs(CONDOR).signed()}
    assert plan.hedge_state == FLATTENING
    assert plan.no_trade_reasons == ("FLATTEN: VIX 18MAR20 25 C stays until no condor is left",)
    assert [close.condor_id for close in plan.closes] == ["C0001"]
    assert memory.condors_opened == 3


@pytest.mark.parametrize(
    ("text", "held", "layer", "ratio"),
    [
        (CALL, 10, "L2", -1),
        ("VIX 19FEB20 25 C", 4, "L1", -1),
        (VX, 3, "L2", -1),
        (VX, -3, "L2", 1),
        ("VX 20MAY20", 1, "L3", -1),
    ],
)
def test_hedges_go_once_no_condor_is_left(text, held, layer, ratio):
    plan, _ = plan_of(book(hedges=[hedge_position(text, held)]))
    (order,) = plan.orders
    assert (order.layer, order.quantity) == (layer, abs(held))
    assert [leg.ratio for leg in order.legs] == [ratio]
    assert order.limit_price <= order.worst_price
    assert order.effect is PositionEffect.CLOSE


def test_what_has_no_price_stays_and_says_so():
    no_offer = with_chain("spx_options", "SPXW 20MAR20 3010 P", ask=0.0, bid=0.0)
    plan, _ = plan_of(book(condors=[condor_position(CONDOR)]), no_offer)
    assert plan.orders == ()
    assert plan.no_trade_reasons == (
        "FLATTEN: C0001 stays for now (nobody offers SPXW 20MAR20 3010 P)",
    )
    crossed = with_chain("spx_options", "SPXW 20MAR20 3010 P", bid=9.0, ask=8.0)
    plan, _ = plan_of(book(condors=[condor_position(CONDOR)]), crossed)
    assert "is crossed, 9 x 8" in plan.no_trade_reasons[0]
    absent = condor_position("SPXW 17APR20 100/110/9400/9410")
    assert plan_of(book(condors=[absent]))[0].orders == ()


def test_a_hedge_nobody_takes_stays_and_says_so():
    held = book(hedges=[hedge_position(CALL, 10)])
    for quotes, reason in (
        ({"bid": 0.0}, "nobody takes it"),
        ({"bid": 2.0, "ask": 1.0}, "it is crossed, 2 x 1"),
    ):
        plan, _ = plan_of(held, with_chain("vix_options", CALL, **quotes))
        assert plan.orders == ()
        assert plan.no_trade_reasons == (f"FLATTEN: {CALL} stays for now ({reason})",)
    unquoted = book(hedges=[hedge_position("VX 16DEC20", 1)])
    assert plan_of(unquoted)[0].orders == ()


def test_what_is_at_work_is_not_asked_for_twice():
    held = book(condors=[condor_position(CONDOR)], working=[at_work("condor:C0001:close")])
    plan, _ = plan_of(held)
    assert plan.orders == ()
    assert "its close is at work" in plan.no_trade_reasons[0]
    symbol = instrument(CALL).symbol
    selling = at_work(f"hedge:L2:reduce:{symbol}")
    plan, _ = plan_of(book(hedges=[hedge_position(CALL, 1)], working=[selling]))
    assert plan.orders == ()
    assert "its reduction is at work" in plan.no_trade_reasons[0]


def test_more_longs_than_shorts_may_be_worth_something_to_close():
    legs = replace(condor_legs(CONDOR), long_ratio=2)
    plan, _ = plan_of(book(condors=[condor_position(legs)]))
    (order,) = plan.orders
    assert order.limit_price < order.worst_price


def test_flat_is_nothing_held_nothing_at_work_and_nothing_loose():
    assert is_flat(book())
    loose = replace(
        book(), loose=(LoosePosition(instrument=option("SPXW 20MAR20 3000 P"), net_contracts=1),)
    )
    assert not is_flat(loose)
    assert not is_flat(book(hedges=[hedge_position(CALL, 1)]))
    plan, _ = plan_of(loose)
    assert plan.no_trade_reasons == ("FLATTEN: +1 SPXW 20MAR20 3000 P belongs to no structure",)


def test_the_same_inputs_give_the_same_plan():
    held = book(condors=[condor_position(CONDOR)])
    assert plan_of(held) == plan_of(held)
