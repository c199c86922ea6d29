"""What the protections count: orders sent, cancelled and rejected lately, to the microsecond."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from state.activity import Activity
from strategies.model.lifecycle import OrderStatus
from tests import builders
from tests.state import records
from tests.state.records import AT, record
from tests.state.test_ledger import daily

LEGS = builders.condor_legs(records.LEGS)
TICK = timedelta(microseconds=1)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
MIDNIGHT = AT.replace(hour=5)  # in New York
REJECTED, CANCELLED, LIVE = OrderStatus.REJECTED, OrderStatus.CANCELLED, OrderStatus.LIVE
NOTHING = Activity(
    orders_last_minute=0,
    opens_today=0,
    cancels_today=0,
    rejected_last_hour=0,
    rejected_in_a_row=0,
)


@pytest.fixture
def orders(ledger):
    """Six orders on record: hedges of one to four contracts, and two attempts at a condor."""
    hedges = [records.hedge_intent("plan-1", quantity=n) for n in (1, 2, 3, 4)]
    first = records.condor_intent("plan-1", "C0001", LEGS, 2)
    opens = [records.condor_open("C0001", LEGS, 2)]
    with ledger.transaction() as tx:
        record(tx, records.plan(opens=opens, orders=[*hedges, first]))
        second = replace(first, attempt=2)
        tx.record_intent(second, AT)
    return [each.client_order_id for each in (*hedges, first, second)]


def send(ledger, order_id, at, *became):
    """Record that an order was sent, and what became of it when."""
    with ledger.transaction() as tx:
        tx.record_order_event(order_id, at, OrderStatus.SENDING)
        for status, when in became:
            tx.record_order_event(order_id, when, status)


def test_where_nothing_was_sent_nothing_is_counted(ledger, orders):
    assert ledger.activity(AT) == NOTHING


def test_i16_orders_count_for_a_minute(ledger, orders):
    for order_id, at in zip(orders, (AT - MINUTE, AT - MINUTE + TICK, AT), strict=False):
        send(ledger, order_id, at)
    assert ledger.activity(AT) == replace(NOTHING, orders_last_minute=2)
    assert ledger.activity(AT + MINUTE) == NOTHING


def test_i16_cancels_count_from_midnight_in_new_york(ledger, orders):
    for order_id, when in zip(orders, (MIDNIGHT - TICK, MIDNIGHT, AT), strict=False):
        send(ledger, order_id, MIDNIGHT - HOUR, (LIVE, MIDNIGHT - HOUR), (CANCELLED, when))
    assert ledger.activity(AT).cancels_today == 2
    assert ledger.activity(MIDNIGHT).cancels_today == 2  # later ones have not been asked away


def test_i16_a_condor_begins_once_however_often_it_is_attempted(ledger, orders):
    *hedges, first, second = orders
    send(ledger, first, MIDNIGHT, (REJECTED, MIDNIGHT))
    send(ledger, second, AT)
    send(ledger, hedges[0], AT)
    assert ledger.activity(AT).opens_today == 1


def test_i16_a_condor_of_yesterday_did_not_begin_today(ledger, orders):
    send(ledger, orders[4], MIDNIGHT - TICK)
    assert ledger.activity(MIDNIGHT).opens_today == 0
    assert ledger.activity(MIDNIGHT).orders_last_minute == 1


def test_rejections_count_for_an_hour_from_when_the_order_was_sent(ledger, orders):
    for order_id, at in zip(orders, (AT - HOUR, AT - HOUR + TICK), strict=False):
        send(ledger, order_id, at, (REJECTED, AT))
    assert ledger.activity(AT) == replace(NOTHING, rejected_last_hour=1, rejected_in_a_row=1)


def test_rejections_before_midnight_count_as_well(ledger, orders):
    send(ledger, orders[0], MIDNIGHT - MINUTE, (REJECTED, MIDNIGHT - MINUTE))
    assert ledger.activity(MIDNIGHT + MINUTE).rejected_last_hour == 1


@pytest.mark.parametrize(
    ("became", "in_a_row"),
    [
        ([REJECTED, REJECTED, REJECTED], 3),
        ([REJECTED, REJECTED, None], 2),  # not answered yet
        ([REJECTED, LIVE, REJECTED], 1),
        ([REJECTED, REJECTED, LIVE], 0),
    ],
)
def test_rejections_in_a_row_are_those_of_the_orders_sent_last(ledger, orders, became, in_a_row):
    for order_id, status in zip(orders, became, strict=False):
        send(ledger, order_id, AT - MINUTE, *([] if status is None else [(status, AT)]))
    assert ledger.activity(AT).rejected_in_a_row == in_a_row
    assert ledger.activity(AT).rejected_last_hour == became.count(REJECTED)


def test_what_our_own_gate_refused_was_never_sent(ledger, orders):
    with ledger.transaction() as tx:
        tx.record_order_event(orders[0], AT, REJECTED)
    assert ledger.activity(AT) == NOTHING


def test_the_peak_is_the_highest_end_of_a_session_from_a_day_on(ledger):
    days = [records.SESSION + timedelta(days=n) for n in range(3)]
    with ledger.transaction() as tx:
        for day, amount in zip(days, ("300", "100", "200"), strict=True):
            tx.record_daily_pnl(daily(session=day, net_liquidation_usd=Decimal(amount)))
    peaks = [ledger.peak_net_liquidation_usd(day) for day in (*days, days[-1] + HOUR * 24)]
    assert peaks == [Decimal(300), Decimal(200), Decimal(200), None]
    assert ledger.last_daily_pnl(days[1]) == daily(
        session=days[0], net_liquidation_usd=Decimal(300)
    )
    assert ledger.last_daily_pnl(days[0]) is None


def test_each_job_has_its_latest_due_time(ledger):
    with ledger.transaction() as tx:
        for job, minute in (("interval", 0), ("interval", 5), ("heartbeat", 1)):
            at = records.minutes(minute)
            tx.record_job_run(job, at, at, at, "ran")
    assert ledger.last_due_times() == {
        "interval": records.minutes(5),
        "heartbeat": records.minutes(1),
    }
