"""What the walk of a price saw and cost, as an auditor reads it."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bot.engine.prices import class_of
from state.audit import AuditReader
from strategies.model.lifecycle import OrderStatus
from strategies.model.orders import PositionEffect, Urgency
from strategies.risk.gate import RefusalReason
from tests.bot.engine.fakes import committed, hedge
from tests.bot.exchange.venue.fakes import CALL, VX, ScriptedMarket
from tests.builders import AT, condor_legs, instrument, quote
from tests.state import records

LEGS = condor_legs("SPXW 06MAR20 3000/3050/3350/3400")


def costs(bench):
    """Return the table of costs, by purpose, with its amounts as numbers."""
    with AuditReader.open(bench.database) as audit:
        rows = audit.costs().records()
    exact = ("arrival_mid", "fill", "slippage", "slippage_usd", "fees_usd")
    return {row["purpose"]: row | {key: Decimal(row[key]) for key in exact} for row in rows}


def test_a_walk_is_on_record_step_by_step_with_its_reasons(bench):
    bench.decide(hedge(CALL, 10, "0.48", "0.53"))
    bench.carry_out()
    rows = committed(
        bench.database,
        "SELECT step, bid_micros, mid_micros, natural_micros, limit_price_micros, reason"
        " FROM walk_steps ORDER BY at, limit_price_micros",
    )
    assert [row[0] for row in rows] == [0, 1, 1, 2, 2, 3, 3]
    assert {row[1:4] for row in rows} == {(440_000, 485_000, 530_000)}
    assert [(limit / 1e6, reason) for *_, limit, reason in rows] == [
        (0.48, "the plan's price"),
        (0.48, "moves to 0.5"),
        (0.50, "the walk's price"),
        (0.50, "moves to 0.51"),
        (0.51, "the walk's price"),
        (0.51, "moves to 0.53"),
        (0.53, "the walk's price"),
    ]


def test_what_was_paid_beyond_the_first_mid_is_slippage(bench):
    bench.decide(
        hedge(CALL, 10, "0.48", "0.53"),
        hedge(VX, 2, "17.05", layer="L2"),
    )
    bench.carry_out()
    table = costs(bench)
    call = table[hedge(CALL, 10, "0.48").purpose]
    assert call["class"] == "hedge_add"
    assert (call["arrival_mid"], call["fill"]) == (Decimal("0.485"), Decimal("0.53"))
    assert call["slippage"] == Decimal("0.045")
    assert call["slippage_usd"] == Decimal(45)
    assert (call["attempts"], call["steps"], call["seconds"]) == (4, 7, 100)
    future = table[hedge(VX, 2, "17.05", layer="L2").purpose]
    assert future["slippage_usd"] == Decimal(100), "two futures, five hundredths, 1000 a point"
    assert future["fees_usd"] > 0


def test_a_condor_costs_what_its_legs_came_to(bench):
    opened = records.condor_open("C0001", LEGS, 2)
    condor = replace(
        records.condor_intent("plan-1", "C0001", opened.legs, 2, limit="-5.20"),
        worst_price=Decimal("-4.00"),
        urgency=Urgency.URGENT,
    )
    bench.decide(condor, opens=(opened,))
    bench.carry_out()
    (row,) = costs(bench).values()
    assert row["class"] == "condor_entry"
    paid = sum(
        fill.price * fill.signed_quantity for fill in bench.ledger.fills_since(AT)
    ) / Decimal(row["filled"])
    assert row["fill"] == paid.quantize(Decimal("0.000001"))
    assert row["slippage"] == row["fill"] - row["arrival_mid"]


@pytest.mark.parametrize("urgency", [Urgency.PATIENT, Urgency.NORMAL, Urgency.URGENT])
@pytest.mark.parametrize("rules", [("L1",), ("B1", "G6"), ("G8",)])
@pytest.mark.parametrize("effect", PositionEffect)
def test_the_table_and_the_walk_call_classes_alike(bench, urgency, rules, effect):
    order = replace(hedge(CALL, 1, "0.53"), urgency=urgency, rules=rules, effect=effect)
    bench.decide(order)
    with bench.ledger.transaction() as tx:
        tx.record_order_event(
            order.client_order_id, AT, OrderStatus.SENDING, arrival_mid=Decimal(1)
        )
        symbol = instrument(CALL).symbol
        tx.record_fill(records.fill(order.client_order_id, symbol, 1, "0.53", root="X1"))
        tx.record_order_event(order.client_order_id, AT, OrderStatus.FILLED, filled=1)
    (row,) = costs(bench).values()
    assert row["class"] == class_of(order)


def test_a_step_without_a_sound_quote_is_left_out_and_says_why(make_bench):
    """Fault D2: crossed for a minute, and priced again afterwards."""
    market = ScriptedMarket(
        scripted={
            instrument(CALL): lambda at: quote(
                "0.44 x 0.53" if (at - AT).total_seconds() >= 60 else "0.60 x 0.53"
            )
        }
    )
    bench = make_bench(market)
    bench.decide(hedge(CALL, 10, "0.53"))
    bench.carry_out()
    reasons = committed(bench.database, "SELECT reason FROM walk_steps ORDER BY at")
    assert reasons[0] == ("left out: VIX 18MAR20 25 C: 0.6 x 0.53 is crossed",)
    assert bench.orders()[-1][1] == "FILLED"


def test_every_refusal_of_the_gate_is_a_denial(bench):
    bench.limits = replace(bench.limits, hedge_contracts_max=9)
    bench.decide(hedge(CALL, 10, "0.53"))
    bench.carry_out()
    (denial,) = committed(bench.database, "SELECT purpose, quantity, reason FROM denials")
    assert denial == (hedge(CALL, 10, "0.53").purpose, 10, RefusalReason.HEDGE_CONTRACTS)
