"""What is asked about margin before an order opens, and what its answer becomes for the gate."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bot.engine.margins import preview_margins
from bot.errors import BrokerUnavailable
from strategies.model.limits import MarginFacts
from strategies.model.orders import PositionEffect
from tests.bot.engine.fakes import LIMITS, Faults, committed, hedge, statuses
from tests.bot.exchange.venue.fakes import CALL, VX

NEEDED = replace(LIMITS, margin_required=True)


def ask(bench, *intents, limits=NEEDED):
    """Return what the broker says of orders, and which of its functions were called for it."""
    calls, answers = [], {}

    async def act():
        await bench.broker.connect()
        bench.broker.hook = hook or (
            lambda call, phase, argument: calls.append(call) if phase == "before" else None
        )
        answers.update(await preview_margins(bench.broker, intents, limits))

    hook = bench.broker.hook
    bench.live(act)
    return answers, calls


def test_the_account_is_asked_once_and_each_opening_order_for_itself(bench):
    call, future = hedge(CALL, 10, "0.53"), hedge(VX, 2, "17.05", layer="L2")
    facts, calls = ask(bench, future, call)
    assert calls == ["fetch_account", "preview", "preview"]
    assert set(facts) == {call.client_order_id, future.client_order_id}
    of_future = facts[future.client_order_id]
    assert isinstance(of_future, MarginFacts)
    assert of_future.maintenance_margin_after_usd > 0
    assert of_future.initial_margin_after_usd > of_future.maintenance_margin_after_usd
    left = of_future.net_liquidation_usd - of_future.maintenance_margin_after_usd
    assert of_future.excess_liquidity_after_usd == pytest.approx(left, abs=Decimal(500))
    assert of_future.refusal == ""


def test_nobody_is_asked_about_what_closes_or_where_margin_is_not_required(bench):
    sale = replace(hedge(f"-1 {CALL}", 10, "-0.44"), effect=PositionEffect.CLOSE)
    assert ask(bench, sale) == ({}, [])
    assert ask(bench, hedge(CALL, 10, "0.53"), limits=replace(LIMITS, margin_required=False)) == (
        {},
        [],
    )


def test_a_broker_that_does_not_answer_is_no_word_on_margin(bench):
    bench.broker.hook = Faults({("preview", "before", 1): BrokerUnavailable("gone")})
    with pytest.raises(BrokerUnavailable):
        ask(bench, hedge(CALL, 10, "0.53"))


def test_what_orders_before_it_would_take_is_taken_off(bench):
    """They may all be on their way at once."""
    first, second = hedge(VX, 2, "17.05", layer="L2"), hedge(VX, 2, "17.05", layer="L3")
    facts, _ = ask(bench, first, second)
    one, two = (facts[each.client_order_id].excess_liquidity_after_usd for each in (first, second))
    alone, _ = ask(bench, second)
    assert alone[second.client_order_id].excess_liquidity_after_usd == one
    taken = facts[first.client_order_id].net_liquidation_usd - one
    assert one - two == pytest.approx(taken, abs=Decimal(1))


def test_opening_orders_wait_while_the_broker_does_not_say_what_margin_they_take(bench):
    """Fault E4: nothing opens on a guess, and what reduces goes on."""
    bench.limits = NEEDED
    bench.broker.hook = Faults({("preview", "before", 1): BrokerUnavailable("busy")})
    order = hedge(CALL, 10, "0.53")
    bench.decide(order)
    bench.carry_out()
    assert statuses(bench.database, order.client_order_id)[:2] == ["PLANNED", "SENDING"]
    sent = "SELECT at FROM order_events WHERE status = 'SENDING' ORDER BY at LIMIT 1"
    ((first,),) = committed(bench.database, sent)
    assert str(first).startswith("2020-02-03T15:00:30")  # a step later


def test_an_order_that_leaves_too_little_margin_is_refused_with_its_reason(bench):
    bench.limits = replace(NEEDED, margin_headroom_fraction=Decimal("0.9999"))
    order = hedge(VX, 10, "17.05", layer="L2")
    bench.decide(order)
    bench.carry_out()
    assert statuses(bench.database, order.client_order_id) == ["PLANNED", "REJECTED"]
    notes = committed(bench.database, "SELECT note FROM order_events WHERE status = 'REJECTED'")
    assert notes[0][0].startswith("margin headroom: ")
