"""The gate on margin, rates, turnover and orders at work: each cap at its limit."""

from dataclasses import replace
from decimal import Decimal

import pytest

from strategies.model.limits import MarginFacts, Throughput
from strategies.risk.gate import REPAIR_PREFIX, RefusalReason, wants_preview
from tests.builders import book, hedge_position
from tests.strategies.risk.test_gate import (
    CALL,
    HELD,
    LIMITS,
    READY,
    ask,
    at_work,
    close_condor,
    hedge,
    open_condor,
    reason,
    sell,
)
from tests.strategies.risk.test_gate_rolls import BOOK as ROLLED_BOOK
from tests.strategies.risk.test_gate_rolls import QUOTES as ROLL_QUOTES
from tests.strategies.risk.test_gate_rolls import roll

_R = RefusalReason
FACTS = MarginFacts(
    net_liquidation_usd=Decimal(1_000_000),
    initial_margin_after_usd=Decimal(850_000),
    maintenance_margin_after_usd=Decimal(800_000),
    excess_liquidity_after_usd=Decimal(200_000),
)
NEEDED = replace(LIMITS, margin_required=True)


# --- margin ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("intent", [open_condor(), hedge()])
def test_nothing_opens_while_the_margin_is_unknown_where_it_must_be_known(intent):
    assert reason(ask(intent, limits=NEEDED)) is _R.MARGIN_UNKNOWN
    assert reason(ask(intent, limits=NEEDED, readiness=replace(READY, margin=FACTS))) is None
    assert reason(ask(intent)) is None


@pytest.mark.parametrize(
    ("left", "expected"), [("100000", None), ("99999.99", _R.MARGIN), ("-1", _R.MARGIN)]
)
@pytest.mark.parametrize("limits", [LIMITS, NEEDED])
def test_e4_the_headroom_is_left_once_an_order_has_filled(left, limits, expected):
    """Fault E4: house margin raised intraday."""
    readiness = replace(READY, margin=replace(FACTS, excess_liquidity_after_usd=Decimal(left)))
    assert reason(ask(open_condor(), limits=limits, readiness=readiness)) is expected
    assert reason(ask(hedge(), limits=limits, readiness=readiness)) is expected


def test_what_the_broker_would_refuse_is_not_sent():
    readiness = replace(READY, margin=replace(FACTS, refusal="201 not enough equity"))
    verdict = ask(open_condor(), readiness=readiness)
    assert reason(verdict) is _R.MARGIN
    assert verdict.detail == "the broker would refuse it: 201 not enough equity"


@pytest.mark.parametrize("intent", [close_condor(), sell()])
def test_a_reduction_needs_no_word_on_margin(intent):
    none_left = replace(FACTS, excess_liquidity_after_usd=Decimal(0), refusal="no")
    for margin in (None, none_left):
        assert reason(ask(intent, limits=NEEDED, readiness=replace(READY, margin=margin))) is None


def test_a_preview_is_wanted_of_what_opens_where_it_is_required():
    assert wants_preview(open_condor(), NEEDED)
    assert wants_preview(roll(), NEEDED)
    assert not wants_preview(open_condor(), LIMITS)
    assert not wants_preview(close_condor(), NEEDED)
    assert not wants_preview(replace(hedge(), purpose=REPAIR_PREFIX + "C0001"), NEEDED)


# --- rates ----------------------------------------------------------------------------------------


def lately(**counts):
    return replace(READY, throughput=Throughput(**counts))


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({"orders_last_minute": 59}, None),
        ({"orders_last_minute": 60}, _R.ORDER_RATE),
        ({"cancels_today": 299}, None),
        ({"cancels_today": 300}, _R.CANCELS_PER_DAY),
        ({"opens_today": 9}, None),
        ({"opens_today": 10}, _R.OPENS_PER_DAY),
    ],
)
def test_i16_a_cap_that_is_reached_stops_condors_from_opening(counts, expected):
    """Fault A33: a strategy that asks again at every tick."""
    assert reason(ask(open_condor(), readiness=lately(**counts))) is expected


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({"orders_last_minute": 60}, _R.ORDER_RATE),
        ({"cancels_today": 300}, _R.CANCELS_PER_DAY),
        ({"opens_today": 10}, None),  # of condors
    ],
)
def test_i16_hedges_are_stopped_by_the_caps_on_orders_and_cancels(counts, expected):
    assert reason(ask(hedge(), readiness=lately(**counts))) is expected


def test_i16_the_rest_of_a_condor_and_a_roll_begin_no_other():
    full = lately(opens_today=10)
    assert reason(ask(replace(open_condor(), attempt=2), readiness=full)) is None
    assert reason(ask(roll(), held=ROLLED_BOOK, quotes=ROLL_QUOTES, readiness=full)) is None


@pytest.mark.parametrize(("attempt", "expected"), [(8, None), (9, _R.ATTEMPTS)])
def test_i16_one_opening_order_is_tried_so_many_times(attempt, expected):
    assert reason(ask(replace(open_condor(), attempt=attempt))) is expected
    assert reason(ask(replace(close_condor(), attempt=attempt))) is None


@pytest.mark.parametrize(
    ("before", "expected"),
    [("19993390", None), ("19993390.01", _R.TURNOVER)],
)
def test_i16_turnover_counts_every_leg_of_the_order_in_question(before, expected):
    """One condor at mid: 20.10 + 20.90 + 12.90 + 12.20 points, 100 USD each: 6,610 USD."""
    readiness = lately(turnover_usd_today=Decimal(before))
    assert reason(ask(open_condor(1), readiness=readiness)) is expected
    readiness = lately(turnover_usd_today=Decimal(before) - 9 * 6_610)
    assert reason(ask(open_condor(10), readiness=readiness)) is expected


def test_i16_no_cap_stops_a_reduction():
    readiness = lately(
        orders_last_minute=1_000,
        opens_today=1_000,
        cancels_today=1_000,
        turnover_usd_today=Decimal(10**12),
    )
    for intent in (close_condor(), sell()):
        assert reason(ask(intent, readiness=readiness)) is None


# --- orders at work in one contract ---------------------------------------------------------------


def working(count: int, intent):
    return tuple(at_work(intent, 1, purpose=str(n)) for n in range(count))


@pytest.mark.parametrize(("orders", "expected"), [(14, None), (15, _R.ACTIVE_ORDERS)])
def test_fault_b11_a_contract_and_side_has_so_many_orders_at_work(orders, expected):
    """Fault B11: the broker takes fifteen."""
    buying = replace(HELD, working=working(orders, hedge(quantity=1)))
    assert reason(ask(hedge(), held=buying)) is expected
    assert reason(ask(sell(), held=buying)) is None  # the other side
    selling = replace(
        HELD, hedges=(hedge_position(CALL, 100),), working=working(orders, sell(quantity=1))
    )
    assert reason(ask(sell(), held=selling)) is expected  # the broker would not take it either
    assert reason(ask(hedge(), held=selling)) is None


def test_fault_b11_every_leg_of_a_package_counts():
    """Fault B11."""
    held = book(working=working(15, open_condor(1)))
    verdict = ask(open_condor(), held=held)
    assert reason(verdict) is _R.ACTIVE_ORDERS
    assert verdict.detail == "15 orders at work buy SPXW 20MAR20 3050 P"
    sold = ask(close_condor(1), held=replace(HELD, working=working(15, open_condor(1))))
    assert reason(sold) is None


def test_fault_b11_other_contracts_do_not_count():
    """Fault B11."""
    held = replace(HELD, working=working(15, hedge("VX 18MAR20", 1, limit="17", worst="17")))
    assert reason(ask(hedge(), held=held)) is None
