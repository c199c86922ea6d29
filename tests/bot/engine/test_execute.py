"""Carrying out a plan: what is written before what is sent, and what is left behind: nothing."""

import asyncio
import shutil
import tempfile
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.engine.doubts import NOT_FOUND
from bot.errors import BrokerUnavailable, OrderRejected, OutcomeUnknown
from bot.exchange.orders import WORKING
from bot.ports import OrderReport
from strategies.model.lifecycle import OPEN_STATUSES, OrderStatus
from strategies.model.limits import HaltScope, SystemState
from strategies.model.orders import Urgency
from strategies.risk.gate import RefusalReason
from tests.bot.engine.fakes import Bench, Faults, InterceptedBroker, fills_of, hedge, statuses
from tests.bot.exchange.venue.fakes import CALL, VX, ScriptedMarket
from tests.builders import AT, condor_legs, instant, instrument, quote
from tests.state import records

# The quiet market shows 0.44 x 0.53 for CALL and 16.95 x 17.05 for VX
LEGS = "SPXW 06MAR20 3000/3050/3350/3400"
AWAY = "VIX 18MAR20 30 C"


def at_work(bench):
    """The orders the exchange still works."""
    return [report for report in bench.exchange.orders() if report.status in WORKING]


def calls_of(bench, *names):
    """Start listing broker calls by name with their id."""
    seen = []

    def note(call, phase, argument):
        if call in names and phase == "before":
            seen.append((call, getattr(argument, "client_order_id", argument)))

    bench.broker.hook = note
    return seen


def later(bench, seconds, act):
    """Return a coroutine function that carries the plan out while ``act`` happens after a while."""

    async def live():
        await bench.broker.connect()
        asyncio.get_running_loop().call_later(seconds, act)
        await bench.executor.carry_out("plan-1", AT)

    return live


# --- what the ledger knows, and when ------------------------------------------------------------


def test_when_an_order_arrives_its_intent_and_its_sending_have_been_committed(bench):
    seen = []
    first, second = hedge(CALL, 10, "0.53"), hedge(VX, 2, "17.05", layer="L2")

    def look(call, phase, argument):
        if call == "submit" and phase == "before":
            ids = (first.client_order_id, second.client_order_id)
            seen.append([statuses(bench.database, each) for each in ids])

    bench.broker.hook = look
    bench.decide(first, second)
    bench.carry_out()
    assert seen == [[["PLANNED", "SENDING"], ["PLANNED", "SENDING"]]] * 2
    assert bench.lives() == [["PLANNED", "SENDING", "LIVE", "FILLED"]] * 2


def test_a_walk_cancels_and_hears_of_it_before_it_sends_the_next_price(bench):
    seen = []

    def look(call, phase, argument):
        if phase == "before" and call in ("submit", "cancel"):
            seen.append((call, [life[-1] for life in bench.lives()]))

    bench.broker.hook = look
    bench.decide(hedge(CALL, 10, "0.48", "0.53"))
    bench.carry_out()
    assert seen == [
        ("submit", ["SENDING"]),
        ("cancel", ["LIVE"]),
        ("submit", ["CANCELLED", "SENDING"]),
        ("cancel", ["CANCELLED", "LIVE"]),
        ("submit", ["CANCELLED", "CANCELLED", "SENDING"]),
        ("cancel", ["CANCELLED", "CANCELLED", "LIVE"]),
        ("submit", ["CANCELLED", "CANCELLED", "CANCELLED", "SENDING"]),
    ]
    assert bench.orders() == [
        (10, "CANCELLED", 0, Decimal("0.48")),
        (10, "CANCELLED", 0, Decimal("0.50")),
        (10, "CANCELLED", 0, Decimal("0.51")),
        (10, "FILLED", 10, Decimal("0.53")),
    ]


def test_a_price_that_has_not_moved_is_left_alone(bench):
    bench.decide(hedge(CALL, 10, "0.48", urgency=Urgency.PASSIVE))
    seen = calls_of(bench, "submit", "cancel")
    bench.carry_out()
    assert [call for call, _ in seen] == ["submit", "cancel"]
    assert bench.at == AT + timedelta(seconds=120)
    assert bench.orders() == [(10, "CANCELLED", 0, Decimal("0.48"))]
    assert at_work(bench) == []


@pytest.mark.parametrize(
    ("then", "outcome"),
    [("0.48 x 0.57", ("CANCELLED", 0)), ("0.38 x 0.48", ("FILLED", 10))],
    ids=["the market goes away", "the market comes to it"],
)
def test_g9_a_passive_order_rests_where_it_was_put_and_crosses_nothing(make_bench, then, outcome):
    turn = AT + timedelta(seconds=45)
    market = ScriptedMarket(
        scripted={instrument(CALL): lambda at: quote("0.44 x 0.53" if at < turn else then)}
    )
    bench = make_bench(market)
    bench.decide(hedge(CALL, 10, "0.48", "0.53", urgency=Urgency.PASSIVE))
    bench.carry_out()
    assert bench.orders() == [(10, *outcome, Decimal("0.48"))]
    assert at_work(bench) == []


def test_what_was_filled_is_not_asked_for_again(make_bench):
    turn = AT + timedelta(seconds=15)
    market = ScriptedMarket(
        scripted={instrument(CALL): lambda at: quote("0.44 x 0.48" if at < turn else "0.50 x 0.60")}
    )
    bench = make_bench(market)
    bench.decide(hedge(CALL, 450, "0.48", "0.60"))
    bench.carry_out()
    attempts = bench.orders()
    filled = attempts[0][2]
    assert 0 < filled < 450, "the market showed a part of it"
    assert [quantity for quantity, *_ in attempts] == [450, *[450 - filled] * 3]
    assert sum(attempt[2] for attempt in attempts) <= 450
    assert bench.ledger.positions() == bench.exchange.positions()
    assert bench.ledger.cash_usd() == bench.exchange.account().cash_usd


def test_a_fill_that_crosses_the_cancel_is_the_end_of_it(make_bench):
    turn = AT + timedelta(seconds=40)
    market = ScriptedMarket(
        scripted={
            instrument(CALL): lambda at: quote("0.40 x 0.48" if at >= turn else "0.50 x 0.60")
        }
    )
    bench = make_bench(market)
    # The network takes 10 s to bring the first cancel, and the order fills meanwhile
    bench.broker.hook = Faults({("cancel", "before", 1): lambda: bench.clock.sleep(10)})
    bench.decide(hedge(CALL, 10, "0.50", "0.60"))
    bench.carry_out()
    assert bench.orders() == [(10, "FILLED", 10, Decimal("0.50"))]
    assert bench.ledger.positions() == {instrument(CALL).symbol: 10}


class Liar(InterceptedBroker):
    """Says of the first cancel that it worked, and forgets to pass it on."""

    lies = 1

    async def cancel(self, client_order_id):
        if self.lies:
            self.lies -= 1
            (report,) = await self.fetch_orders()
            return replace(report, status=OrderStatus.CANCELLED)
        return await super().cancel(client_order_id)


@pytest.mark.parametrize("quantity", [10, 900])
def test_a_fill_after_a_confirmed_cancel_counts_against_what_replaced_it(bench, quantity):
    turn = AT + timedelta(seconds=40)
    bench.market.scripted = {
        instrument(CALL): lambda at: quote("0.40 x 0.48" if at >= turn else "0.50 x 0.60")
    }
    bench.broker = Liar(bench.broker)
    bench.decide(hedge(CALL, quantity, "0.50", "0.52"))
    bench.carry_out()
    first, second, *others = bench.ledger.orders_of_plan("plan-1")
    assert first.filled_quantity > 0, "both were at work, and both filled"
    assert second.filled_quantity > 0
    if quantity == 10:
        assert others == []
    else:
        assert others[0].intent.quantity < second.intent.quantity - second.filled_quantity
    assert bench.ledger.positions() == bench.exchange.positions()


# --- doubt --------------------------------------------------------------------------------------


def test_an_order_whose_acknowledgement_was_lost_is_found_at_the_broker(bench):
    bench.broker.hook = Faults({("submit", "after", 1): OutcomeUnknown("no answer")})
    bench.decide(hedge(CALL, 10, "0.53"))
    bench.carry_out()
    assert bench.lives() == [["PLANNED", "SENDING", "UNKNOWN", "FILLED"]]
    assert len(bench.exchange.orders()) == 1


def test_a_live_order_whose_acknowledgement_was_lost_walks_on_once_it_is_proven(bench):
    bench.broker.hook = Faults({("submit", "after", 1): OutcomeUnknown("no answer")})
    bench.decide(hedge(CALL, 10, "0.48", "0.53"))
    bench.carry_out()
    assert bench.lives()[0] == ["PLANNED", "SENDING", "UNKNOWN", "LIVE", "CANCELLED"]
    assert bench.orders()[-1] == (10, "FILLED", 10, Decimal("0.53"))
    assert bench.ledger.positions() == {instrument(CALL).symbol: 10}


def test_an_order_found_nowhere_twice_is_attempted_anew_and_never_sent_again(bench):
    """Fault A1, fault A4: two passes a minute apart, and then a new attempt with a new id."""
    bench.broker.hook = Faults({("submit", "before", 1): OutcomeUnknown("line went dead")})
    bench.decide(hedge(CALL, 10, "0.48", "0.53"))
    seen = calls_of(bench, "submit")
    lose = Faults({("submit", "before", 1): OutcomeUnknown("line went dead")})
    watch = bench.broker.hook

    def both(call, phase, argument):
        watch(call, phase, argument)
        return lose(call, phase, argument)

    bench.broker.hook = both
    bench.carry_out()
    assert bench.lives() == [
        ["PLANNED", "SENDING", "UNKNOWN", "UNKNOWN", "CANCELLED"],
        ["PLANNED", "SENDING", "LIVE", "FILLED"],
    ]
    assert bench.notes()[0].startswith(NOT_FOUND)
    ids = [client_order_id for _, client_order_id in seen]
    assert len(ids) == len(set(ids)) == 2
    assert len(bench.exchange.orders()) == 1


def test_nothing_new_is_sent_for_a_purpose_in_doubt(bench):
    """Law 5: the gate counts an UNKNOWN order as one at work on its purpose."""
    bench.broker.hook = Faults({("submit", "before", 1): OutcomeUnknown("line went dead")})
    bench.broker.change["fetch_positions"] = lambda positions: {instrument(CALL).symbol: 3}
    bench.decide(hedge(CALL, 10, "0.53"))
    bench.carry_out()
    again = hedge(CALL, 4, "0.53", plan_id="plan-2")
    bench.decide(again, plan_id="plan-2")
    bench.carry_out("plan-2", decided_at=bench.at)
    assert bench.orders("plan-2") == [(4, "REJECTED", 0, Decimal("0.53"))]
    assert bench.notes("plan-2")[0].startswith(RefusalReason.PURPOSE_AT_WORK)


def test_the_broker_is_asked_before_anything_else_follows_an_order_in_doubt(bench):
    seen = calls_of(bench, "submit", "fetch_orders")
    watch = bench.broker.hook
    lose = Faults({("submit", "after", 1): OutcomeUnknown("no answer")})

    def both(call, phase, argument):
        watch(call, phase, argument)
        return lose(call, phase, argument)

    bench.broker.hook = both
    bench.decide(hedge(CALL, 10, "0.53"), hedge(AWAY, 10, "0.40", "0.45", layer="L2"))
    bench.carry_out()
    calls = [call for call, _ in seen]
    assert calls[: calls.index("submit") + 2] == ["submit", "fetch_orders"]
    held_back, sent = bench.ledger.orders_of_plan("plan-1")[1:3]
    assert held_back.note.endswith("is in doubt")
    assert held_back.status is OrderStatus.CANCELLED
    assert sent.intent.attempt == 2


def test_a_cancel_without_an_answer_leaves_the_order_to_what_the_broker_then_says(bench):
    bench.broker.hook = Faults({("cancel", "before", 1): OutcomeUnknown("no answer")})
    bench.decide(hedge(CALL, 10, "0.48", "0.53"))
    bench.carry_out()
    assert bench.lives()[0] == ["PLANNED", "SENDING", "LIVE", "UNKNOWN", "LIVE", "CANCELLED"]
    assert bench.orders()[-1][1] == "FILLED"
    assert sum(filled for _, _, filled, _ in bench.orders()) == 10


def test_a_cancel_whose_answer_was_lost_is_replaced_in_the_same_step(bench):
    bench.broker.hook = Faults({("cancel", "after", 1): OutcomeUnknown("no answer")})
    bench.decide(hedge(CALL, 10, "0.48", "0.53"))
    bench.carry_out()
    assert bench.lives()[0] == ["PLANNED", "SENDING", "LIVE", "UNKNOWN", "CANCELLED"]
    assert [limit for *_, limit in bench.orders()] == [
        Decimal("0.48"),
        Decimal("0.50"),
        Decimal("0.51"),
        Decimal("0.53"),
    ]


def test_a_last_cancel_that_was_lost_on_its_way_is_asked_for_again(bench):
    lost = OutcomeUnknown("no answer")
    bench.broker.hook = Faults({("cancel", "before", 1): lost, ("cancel", "before", 2): lost})
    bench.decide(hedge(CALL, 10, "0.48", urgency=Urgency.PASSIVE))
    bench.carry_out()
    assert at_work(bench) == []
    assert bench.lives()[0][-1] == "CANCELLED"


# --- refusals -----------------------------------------------------------------------------------


def test_a_refusal_of_the_broker_is_kept_with_its_reason_and_not_argued_with(bench):
    bench.broker.hook = Faults({("submit", "before", 0): OrderRejected("margin: too little of it")})
    bench.decide(hedge(CALL, 10, "0.48", "0.53"))
    seen = []
    refuse = bench.broker.hook

    def count(call, phase, argument):
        seen.extend([call] if (call, phase) == ("submit", "before") else [])
        refuse(call, phase, argument)

    bench.broker.hook = count
    bench.carry_out()
    assert bench.lives() == [["PLANNED", "SENDING", "REJECTED"]]
    assert bench.notes() == ["margin: too little of it"]
    assert len(seen) == 1


def test_an_order_that_could_not_be_sent_is_attempted_at_the_next_step(bench):
    bench.broker.hook = Faults({("submit", "before", 1): BrokerUnavailable("no connection")})
    bench.decide(hedge(CALL, 10, "0.53"))
    bench.carry_out()
    lives = bench.lives()
    assert lives[0] == ["PLANNED", "SENDING", "CANCELLED"]
    assert bench.notes()[0] == "not sent: no connection"
    assert lives[-1] == ["PLANNED", "SENDING", "LIVE", "FILLED"]
    assert len(bench.exchange.orders()) == len(lives) - 1


def test_a_refusal_of_the_gate_is_kept_with_its_reason_and_nothing_is_sent(bench):
    bench.limits = replace(bench.limits, hedge_contracts_max=9)
    bench.decide(hedge(CALL, 10, "0.53"))
    seen = calls_of(bench, "submit")
    bench.carry_out()
    assert bench.lives() == [["PLANNED", "REJECTED"]]
    assert bench.notes()[0].startswith(f"{RefusalReason.HEDGE_CONTRACTS}: ")
    assert seen == []


def test_the_gate_counts_each_order_of_a_plan_against_the_next(bench):
    bench.limits = replace(bench.limits, orders_per_day_max=1)
    bench.decide(hedge(CALL, 10, "0.53"), hedge(AWAY, 10, "0.40", layer="L2"))
    bench.carry_out()
    lives = bench.lives()
    assert lives[0][-1] == "FILLED"
    assert lives[1] == ["PLANNED", "REJECTED"]
    assert bench.notes()[1].startswith(RefusalReason.ORDERS_PER_DAY)


# --- a halt in the middle -----------------------------------------------------------------------


def test_a_halt_of_everything_stops_sends_in_mid_walk_and_cancels_still_flow(bench):
    bench.decide(hedge(CALL, 10, "0.48", "0.53"))
    seen = calls_of(bench, "submit", "cancel")
    bench.live(later(bench, 45, lambda: bench.halt(SystemState.HALTED, HaltScope.ALL)))
    assert [call for call, _ in seen] == ["submit", "cancel", "submit", "cancel"]
    assert bench.lives()[-1] == ["PLANNED", "REJECTED"]
    assert bench.notes()[-1].startswith(RefusalReason.HALTED)
    assert at_work(bench) == []
    assert bench.at == AT + timedelta(seconds=90), "there was nothing left to wait for"


def test_an_order_whose_price_stands_still_is_withdrawn_by_a_halt_too(bench):
    bench.decide(hedge(CALL, 10, "0.48", urgency=Urgency.PASSIVE))
    bench.live(later(bench, 15, lambda: bench.halt(SystemState.HALTED, HaltScope.ALL)))
    assert at_work(bench) == []
    assert bench.orders() == [
        (10, "CANCELLED", 0, Decimal("0.48")),
        (10, "REJECTED", 0, Decimal("0.48")),
    ]


def test_a_halt_of_opens_withdraws_the_condor_and_lets_the_hedge_go_on(bench):
    opened = records.condor_open("C0001", condor_legs(LEGS), 2)
    condor = replace(
        records.condor_intent("plan-1", "C0001", opened.legs, 2, limit="-9.00"),
        worst_price=Decimal("-8.90"),
    )
    bench.decide(condor, hedge(CALL, 10, "0.48", "0.53"), opens=(opened,))
    bench.live(later(bench, 15, lambda: bench.halt(SystemState.HALTED, HaltScope.OPENS)))
    by_purpose = {
        order.intent.purpose: order.status for order in bench.ledger.orders_of_plan("plan-1")
    }
    assert by_purpose == {
        "condor:C0001:open": OrderStatus.REJECTED,
        hedge(CALL, 10, "0.48").purpose: OrderStatus.FILLED,
    }
    assert at_work(bench) == []


# --- time ---------------------------------------------------------------------------------------


def test_a_step_without_the_broker_is_left_out_and_the_walk_goes_on(bench):
    # Every second question for fills goes unanswered, the one of the last step among them
    bench.broker.hook = Faults(
        {("fetch_fills", "before", n): BrokerUnavailable("no connection") for n in (2, 4)}
    )
    bench.decide(hedge(CALL, 10, "0.48", "0.53"))
    bench.carry_out()
    assert len(bench.orders()) < 4
    assert at_work(bench) == []
    assert sum(filled for _, _, filled, _ in bench.orders()) in (0, 10)


def test_a_walk_into_the_close_is_withdrawn_before_it(make_bench):
    bench = make_bench(at=instant("2020-02-03 16:14"))
    bench.decide(hedge(CALL, 10, "0.48", "0.52"))
    bench.carry_out()
    assert [status for _, status, _, _ in bench.orders()] == ["CANCELLED", "CANCELLED"]
    last = bench.ledger.orders_of_plan("plan-1")[-1]
    assert last.updated_at == instant("2020-02-03 16:14:50"), "ten seconds before the close"
    assert at_work(bench) == []


def test_orders_that_were_never_sent_in_time_are_dropped(bench):
    bench.decide(hedge(CALL, 10, "0.53"))
    seen = calls_of(bench, "submit")
    bench.at += timedelta(minutes=5)
    bench.carry_out(decided_at=AT)
    assert bench.lives() == [["PLANNED", "CANCELLED"]]
    assert bench.notes() == ["its time was over before it was sent"]
    assert seen == []


class Crash(BaseException):
    """The process is gone."""


def crash_before_the_first_submit(bench):
    """Die between SENDING and the first byte, and come back with a new process."""
    bench.broker.hook = Faults({("submit", "before", 1): lambda: (_ for _ in ()).throw(Crash)})
    bench.decide(hedge(CALL, 10, "0.48", "0.53"))
    with pytest.raises(Crash):
        bench.carry_out()
    assert bench.lives()[0] == ["PLANNED", "SENDING"]
    bench.reopen()


def test_a_crash_between_writing_and_sending_costs_a_minute_and_an_id(bench):
    """Fault A5: what was SENDING is in doubt, and its id is never sent by a later process."""
    crash_before_the_first_submit(bench)
    seen = calls_of(bench, "submit")
    bench.carry_out(decided_at=AT)
    lost, *sent = bench.ledger.orders_of_plan("plan-1")
    assert bench.lives()[0] == ["PLANNED", "SENDING", "UNKNOWN", "UNKNOWN", "CANCELLED"]
    assert bench.lives()[-1] == ["PLANNED", "SENDING", "LIVE", "FILLED"]
    assert [identity for _, identity in seen] == [order.client_order_id for order in sent]
    assert sent[0].planned_at == AT + timedelta(seconds=60)
    assert lost.client_order_id not in {order.client_order_id for order in sent}


def test_a_crash_after_sending_finds_the_order_and_sends_nothing(bench):
    """Fault A6, fault A7: the broker lists what arrived before the process died."""
    bench.broker.hook = Faults({("submit", "after", 1): lambda: (_ for _ in ()).throw(Crash)})
    bench.decide(hedge(CALL, 10, "0.48", urgency=Urgency.PASSIVE))
    with pytest.raises(Crash):
        bench.carry_out()
    bench.reopen()
    seen = calls_of(bench, "submit")
    bench.carry_out(decided_at=AT)
    assert bench.lives() == [["PLANNED", "SENDING", "UNKNOWN", "LIVE", "CANCELLED"]]
    assert seen == []
    assert len(bench.exchange.orders()) == 1


def test_a_crash_between_writing_and_sending_stays_in_doubt_once_its_time_is_over(bench):
    crash_before_the_first_submit(bench)
    bench.at += timedelta(minutes=5)
    bench.carry_out(decided_at=AT)
    assert bench.lives() == [["PLANNED", "SENDING", "UNKNOWN", "UNKNOWN"]]
    bench.at += timedelta(minutes=10)
    bench.live(bench.executor.withdraw)
    assert bench.lives() == [["PLANNED", "SENDING", "UNKNOWN", "UNKNOWN", "CANCELLED"]]
    assert bench.exchange.orders() == ()


def test_a_halt_after_that_crash_does_not_call_rejected_what_may_have_been_sent(bench):
    crash_before_the_first_submit(bench)
    bench.halt(SystemState.HALTED, HaltScope.ALL)
    bench.carry_out(decided_at=AT)
    assert bench.lives() == [
        ["PLANNED", "SENDING", "UNKNOWN", "UNKNOWN", "CANCELLED"],
        ["PLANNED", "REJECTED"],
    ]
    assert bench.exchange.orders() == ()


def test_the_daily_limit_counts_what_may_have_been_sent(bench):
    bench.limits = replace(bench.limits, orders_per_day_max=1)
    crash_before_the_first_submit(bench)
    bench.carry_out(decided_at=AT)
    assert bench.lives()[-1] == ["PLANNED", "REJECTED"]
    assert bench.notes()[-1].startswith(RefusalReason.ORDERS_PER_DAY)


def test_withdraw_takes_away_what_no_walk_looks_after(bench):
    bench.decide(hedge(CALL, 10, "0.48", urgency=Urgency.PASSIVE))

    async def half():
        await bench.broker.connect()
        bench.broker.hook = Faults({("cancel", "before", 1): BrokerUnavailable("gone")})
        with pytest.raises(BrokerUnavailable):
            await bench.executor.carry_out("plan-1", AT)
        assert len(at_work(bench)) == 1
        await bench.executor.withdraw()

    bench.live(half)
    assert at_work(bench) == []
    assert bench.orders() == [(10, "CANCELLED", 0, Decimal("0.48"))]


# --- anything may go wrong anywhere ---------------------------------------------------------------

CALLS = ("submit", "cancel", "fetch_orders", "fetch_fills", "fetch_cash_movements")


def possible(call: str) -> st.SearchStrategy:
    """Return what a call may raise: before it arrives, or its answer on the way back."""
    before = [BrokerUnavailable("no connection")]
    if call in ("submit", "cancel"):
        doubt = OutcomeUnknown("no answer")
        return st.sampled_from([("before", before[0]), ("before", doubt), ("after", doubt)])
    return st.just(("before", before[0]))


fault = st.sampled_from(CALLS).flatmap(
    lambda call: st.tuples(st.just(call), st.integers(1, 6), possible(call))
)


@settings(max_examples=30)
@given(faults=st.lists(fault, max_size=5), quantity=st.sampled_from([3, 450]))
def test_whatever_fails_no_order_is_sent_twice_and_no_fill_is_lost(empty_ledger, faults, quantity):
    folder = Path(tempfile.mkdtemp())
    bench = Bench(folder, empty_ledger)
    try:
        bench.broker.hook = Faults({(call, when, n): what for call, n, (when, what) in faults})
        wanted = hedge(CALL, quantity, "0.48", "0.53"), hedge(VX, 2, "17.00", "17.05", layer="L2")
        bench.decide(*wanted)
        with suppress(BrokerUnavailable):
            bench.carry_out()
        bench.broker.hook = None
        bench.carry_out(decided_at=AT)  # as the next interval would, before it decides
        bench.live(bench.executor.withdraw)
        bench.synchronise()
        assert at_work(bench) == []
        assert bench.ledger.fills_since(AT) == tuple(
            sorted(fills_of(bench.exchange), key=lambda fill: (fill.executed_at, fill.exec_root))
        )
        assert bench.ledger.positions() == bench.exchange.positions()
        assert bench.ledger.cash_usd() == bench.exchange.account().cash_usd
        assert all(
            bench.ledger.positions().get(each.legs[0].instrument.symbol, 0) <= each.quantity
            for each in wanted
        )
        known = {report.client_order_id: report for report in bench.exchange.orders()}
        for order in bench.ledger.orders_of_plan("plan-1"):
            agree(order, known.pop(order.client_order_id, None))
        assert known == {}, "no order without its intent"
    finally:
        bench.ledger.close()
        shutil.rmtree(folder)


def agree(order, report: OrderReport | None):
    """The ledger says of an order what the broker says, or that nobody knows."""
    if report is None:
        never_arrived = {OrderStatus.REJECTED, OrderStatus.CANCELLED, OrderStatus.UNKNOWN}
        assert order.status in never_arrived
        assert order.filled_quantity == 0
    else:
        assert order.status not in OPEN_STATUSES
        assert (order.status, order.filled_quantity) == (report.status, report.filled_quantity)
