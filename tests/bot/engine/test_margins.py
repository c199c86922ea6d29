"""What is asked about margin before an order opens, and what its answer becomes for the gate."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bot.engine.margins import preview_margins
from bot.errors import BrokerUnavailable
from strategies.model.limits import MarginFacts
from strategies.model.orders import PositionEffect
from tests.bot.engine.fakes import LIMITS, Faults, hedge
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
    facts, calls = ask(bench, call, future)
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
