"""What goes wrong between a plan and its fills, fault by fault."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from bot.engine.execute import ExecutionRules
from bot.engine.prices import OrderClass, WalkPolicy
from bot.engine.synchronise import synchronise
from bot.errors import BooksDisagree, MarketDataMissing
from bot.exchange.orders import WORKING
from state.crash_points import CrashPoint, SimulatedDeath, crashing
from strategies.model.breaks import BreakKind
from strategies.model.lifecycle import OrderStatus
from strategies.model.limits import HaltScope, SystemState
from strategies.model.orders import Urgency
from tests.bot.engine.fakes import Faults, InterceptedBroker, fills_of, hedge, statuses
from tests.bot.exchange.venue.fakes import CALL, VX
from tests.builders import AT, instant, instrument
from tests.state import records

# The quiet market shows 0.44 x 0.53 for CALL and 16.95 x 17.05 for VX
RESTING = hedge(CALL, 10, "0.48", urgency=Urgency.PASSIVE)
OTHER = hedge("VIX 18MAR20 30 C", 10, "0.30", layer="L2", urgency=Urgency.PASSIVE)


def at_work(bench):
    """The orders the exchange still works."""
    return [report for report in bench.exchange.orders() if report.status in WORKING]


# --- what the broker holds is not what was sent ---------------------------------------------------


@pytest.mark.parametrize("echo", ["tif GTC, sent DAY", "quantity 9, sent 10"])
def test_an_order_echoed_otherwise_is_cancelled_at_once_and_everything_halts(bench, echo):
    """Fault A26, fault A27."""
    bench.broker.change["submit"] = lambda report: replace(report, echo_differs=echo)
    bench.decide(RESTING)
    with pytest.raises(BooksDisagree, match=echo):
        bench.carry_out()
    assert at_work(bench) == []
    assert bench.at == AT, "at once"
    (found,) = bench.ledger.open_breaks()
    assert (found.kind, found.key) == (BreakKind.ECHO_DIFFERS, RESTING.client_order_id)
    assert found.halts
    assert bench.lives() == [["PLANNED", "SENDING", "LIVE", "CANCELLED"]]


def test_more_filled_than_was_asked_for_is_booked_and_halts(bench):
    """Fault A32: the truth is booked, and I2 is broken by the broker."""
    bench.decide(hedge(CALL, 10, "0.53"))
    bench.broker.change["fetch_fills"] = lambda fills: tuple(
        replace(fill, quantity=fill.quantity + 2) for fill in fills
    )
    with pytest.raises(BooksDisagree):
        bench.carry_out()
    assert bench.ledger.positions() == {instrument(CALL).symbol: 12}
    assert [each.kind for each in bench.ledger.open_breaks()] == [BreakKind.OVERFILL]


@pytest.mark.parametrize(("price", "halts"), [("0.60", True), ("0.54", False), ("0.40", False)])
def test_a_fill_beyond_the_limit_halts_and_a_better_one_does_not(bench, price, halts):
    """Fault A31: more than a tick worse should be impossible, better is accepted."""
    bench.decide(hedge(CALL, 10, "0.53"))
    bench.broker.change["fetch_fills"] = lambda fills: tuple(
        replace(fill, price=Decimal(price)) for fill in fills
    )
    if halts:
        with pytest.raises(BooksDisagree):
            bench.carry_out()
    else:
        bench.carry_out()
    kinds = [each.kind for each in bench.ledger.open_breaks()]
    assert kinds == ([BreakKind.WORSE_PRICE] if halts else [])
    assert bench.ledger.positions() == {instrument(CALL).symbol: 10}


def test_a_move_that_cannot_be_halts_in_words_and_the_rest_is_booked(bench):
    """The table decides what may follow; what is told beside it is on record all the same."""
    bench.decide(hedge(CALL, 10, "0.53"), hedge(VX, 2, "17.05", layer="L2"))
    bench.carry_out()
    (first, second) = bench.ledger.orders_of_plan("plan-1")
    bench.decide(replace(RESTING, plan_id="plan-2"), plan_id="plan-2")
    (report, other) = bench.exchange.orders()
    gone = replace(report, status=OrderStatus.CANCELLED)

    async def live():
        await bench.broker.connect()
        told = replace(other, note="a note that is new")
        await synchronise(bench.ledger, bench.broker, bench.clock.now(), [gone, told])

    with pytest.raises(BooksDisagree, match="FILLED -> CANCELLED cannot be; FILLED is followed by"):
        bench.live(live)
    assert bench.ledger.order(first.client_order_id).status is OrderStatus.FILLED
    assert bench.ledger.order(second.client_order_id).note == "a note that is new"


def test_what_a_person_has_agreed_to_is_sent_and_dropped_with_its_time(bench):
    bench.decide(hedge(CALL, 10, "0.53"))
    (order,) = bench.ledger.orders_of_plan("plan-1")
    with bench.ledger.transaction() as tx:
        tx.record_order_event(order.client_order_id, AT, OrderStatus.ARMED)
    bench.carry_out()
    assert bench.lives() == [["PLANNED", "ARMED", "SENDING", "LIVE", "FILLED"]]


# --- cancels --------------------------------------------------------------------------------------


class Deaf(InterceptedBroker):
    """Says of the first cancel that it cannot be done, and shows the order as it stands."""

    refusals = 1

    async def cancel(self, client_order_id):
        if self.refusals:
            self.refusals -= 1
            reports = await self.fetch_orders()
            return next(each for each in reports if each.client_order_id == client_order_id)
        return await super().cancel(client_order_id)


def test_a_refused_cancel_is_never_called_cancelled(bench):
    """Fault A15: after 10147 or 10148 the order is what the broker's lists say, here still live."""
    bench.broker = Deaf(bench.broker)
    bench.decide(hedge(CALL, 10, "0.48", "0.53"))
    bench.carry_out()
    lives = bench.lives()
    assert lives[0] == ["PLANNED", "SENDING", "LIVE", "CANCELLED"]
    assert lives[-1][-1] == "FILLED"
    assert len(lives) == 3, "one step was lost to the cancel that did not work"
    assert bench.ledger.positions() == {instrument(CALL).symbol: 10}


def test_i2_no_purpose_ever_has_two_orders_at_work_and_none_is_changed_in_place(bench):
    """Invariant I2, fault A24: replaced means cancelled, confirmed, and sent under another id."""
    seen = []

    def look(call, phase, argument):
        if call == "submit" and phase == "before":
            assert at_work(bench) == []
            seen.append((argument.client_order_id, argument.intent.limit_price))

    bench.broker.hook = look
    bench.decide(hedge(CALL, 10, "0.48", "0.53"))
    bench.carry_out()
    assert len({order_id for order_id, _ in seen}) == len(seen) == 4
    known = {report.client_order_id: report.limit_price for report in bench.exchange.orders()}
    assert known == dict(seen)


def test_a_fill_after_a_refusal_is_kept(bench):
    """Fault A19: what had traded before the rest was refused is booked."""
    bench.decide(hedge(CALL, 10, "0.53"))

    def refused(reports):
        return tuple(
            replace(report, status=OrderStatus.REJECTED, filled_quantity=0) for report in reports
        )

    bench.broker.change["fetch_orders"] = refused
    bench.broker.change["submit"] = lambda report: replace(report, status=OrderStatus.REJECTED)
    bench.carry_out()
    bench.at += timedelta(seconds=30)
    bench.synchronise()
    assert bench.ledger.fills_since(AT) == fills_of(bench.exchange)
    assert bench.ledger.positions() == {instrument(CALL).symbol: 10}
    assert len(bench.exchange.orders()) == 1, "a refusal is not argued with"


class Blind:
    """Market data that is gone between two steps of a walk."""

    def __init__(self, inner, clock, gone_s):
        self._inner, self._clock = inner, clock
        self._from, self._to = (AT + timedelta(seconds=each) for each in gone_s)

    async def fetch_quotes(self, instruments):
        if self._from <= self._clock.now() < self._to:
            raise MarketDataMissing("no quotes")
        return await self._inner.fetch_quotes(instruments)


def test_what_would_open_does_not_rest_while_there_is_no_market(bench):
    """Faults B14 and D9: withdrawn at the first step without quotes, sent again once they are back.

    The order farm works, or trading is halted everywhere: cancels pass in both.
    """
    bench.market_data = Blind(bench.market_data, bench.clock, (30, 90))
    bench.decide(hedge(CALL, 10, "0.48", "0.53"))
    bench.carry_out()
    first, last = bench.ledger.orders_of_plan("plan-1")
    assert first.status is OrderStatus.CANCELLED
    assert first.updated_at == AT + timedelta(seconds=30)
    assert last.status is OrderStatus.FILLED
    assert last.planned_at == AT + timedelta(seconds=90)


def test_what_reduces_goes_on_resting_while_there_is_no_market(bench):
    """Fault B14: a reduction stands at the price it was given, until its time is over."""
    bench.decide(hedge(CALL, 10, "0.53"))
    bench.carry_out()
    bench.market_data = Blind(bench.market_data, bench.clock, (150, 10**6))
    sale = hedge(f"-1 {CALL}", 10, "-0.52", plan_id="plan-2", urgency=Urgency.PASSIVE)
    bench.decide(sale, plan_id="plan-2")
    began = bench.at
    bench.carry_out("plan-2", decided_at=began)
    (order,) = bench.ledger.orders_of_plan("plan-2")
    assert order.status is OrderStatus.CANCELLED
    assert order.updated_at == began + timedelta(seconds=120)


# --- halts and loops ------------------------------------------------------------------------------


def test_a_halt_that_commits_during_a_submit_has_the_order_cancelled_on_sight(bench):
    """Fault E21: at worst one order goes out, and it is gone again before anything else happens."""
    stop = {("submit", "after", 1): lambda: bench.halt(SystemState.HALTED, HaltScope.ALL)}
    bench.broker.hook = Faults(stop)
    bench.decide(RESTING, OTHER)
    bench.carry_out()
    first = statuses(bench.database, RESTING.client_order_id)
    assert first == ["PLANNED", "SENDING", "LIVE", "CANCELLED"]
    assert bench.ledger.order(RESTING.client_order_id).updated_at == AT, "on sight"
    assert statuses(bench.database, OTHER.client_order_id) == ["PLANNED", "SENDING", "CANCELLED"]
    assert bench.ledger.order(OTHER.client_order_id).note == "not sent: the bot is HALTED"
    assert len(bench.exchange.orders()) == 1


def test_a_plan_that_is_emitted_again_sends_nothing(bench):
    """Fault A33: the same plan has the same ids, and the ledger has them already."""
    order = hedge(CALL, 10, "0.53")
    bench.decide(order)
    bench.carry_out()
    for _ in range(3):
        with bench.ledger.transaction() as tx:
            assert not records.record(tx, records.plan("plan-1", at=AT, orders=[order]))
            assert not tx.record_intent(order, AT)
        bench.carry_out(decided_at=bench.at)
    assert len(bench.exchange.orders()) == 1
    assert bench.ledger.positions() == {instrument(CALL).symbol: 10}


# --- classes and closing times --------------------------------------------------------------------


def test_classes_of_one_plan_walk_side_by_side(bench):
    """An urgent reduction is through before a patient addition has moved twice."""
    bench.decide(hedge(CALL, 10, "0.53"))
    bench.carry_out()
    bench.execution = ExecutionRules(
        classes={OrderClass.HEDGE_URGENT: WalkPolicy(duration_s=20, step_s=10)}
    )
    began = bench.at
    sale = replace(
        hedge(f"-1 {CALL}", 10, "-0.49", "-0.44", plan_id="plan-2"),
        urgency=Urgency.URGENT,
        rules=("G6",),
    )
    purchase = hedge(VX, 2, "17.00", "17.05", layer="L2", plan_id="plan-2")
    bench.decide(sale, purchase, plan_id="plan-2")
    bench.carry_out("plan-2")
    orders = bench.ledger.orders_of_plan("plan-2")
    sold = [each for each in orders if each.intent.purpose == sale.purpose]
    bought = [each for each in orders if each.intent.purpose == purchase.purpose]
    assert [each.planned_at - began for each in sold] == [timedelta(0), timedelta(seconds=10)]
    assert sold[-1].status is OrderStatus.FILLED
    assert {each.planned_at - began for each in bought} <= {
        timedelta(seconds=30 * step) for step in range(4)
    }
    assert bought[-1].status is OrderStatus.FILLED


def test_a_class_whose_time_is_over_leaves_while_others_walk_on(bench):
    bench.execution = ExecutionRules(
        classes={OrderClass.HEDGE_ADD: WalkPolicy(duration_s=20, step_s=10)}
    )
    bench.decide(RESTING)
    bench.carry_out()
    assert bench.at == AT + timedelta(seconds=20)
    assert at_work(bench) == []


def test_nothing_opens_in_the_minutes_before_the_close(make_bench):
    bench = make_bench(at=instant("2020-02-03 16:01"))
    bench.execution = ExecutionRules(no_opens_before=timedelta(minutes=15))
    bench.decide(RESTING)
    bench.carry_out()
    assert bench.lives() == [["PLANNED", "CANCELLED"]]
    assert bench.exchange.orders() == ()


# --- where a process may die ----------------------------------------------------------------------


def test_a_walk_passes_every_crash_point_of_an_order(bench):
    seen = []
    bench.decide(hedge(CALL, 10, "0.48", "0.53"))
    with crashing(seen.append):
        bench.carry_out()
    assert {
        CrashPoint.ORDER_BEFORE_GATE,
        CrashPoint.ORDER_BEFORE_SENDING,
        CrashPoint.ORDER_AFTER_SENDING,
        CrashPoint.ORDER_AFTER_SUBMIT,
        CrashPoint.ORDER_BEFORE_CANCEL,
        CrashPoint.ORDER_AFTER_CANCEL,
    } <= set(seen)


@pytest.mark.parametrize("point", [point for point in CrashPoint if point.startswith("order.")])
def test_a_death_at_each_point_of_an_order_ends_in_agreeing_books(bench, point):
    """Faults A5 to A8: whatever was lost, nothing is doubled and the books agree."""

    def die(passed):
        if passed is point:
            raise SimulatedDeath(point)

    bench.decide(hedge(CALL, 10, "0.48", "0.53"))
    with crashing(die), pytest.raises(SimulatedDeath):
        bench.carry_out()
    bench.reopen()
    bench.carry_out(decided_at=AT)
    bench.live(bench.executor.withdraw)
    assert at_work(bench) == []
    assert bench.ledger.positions() == bench.exchange.positions()
    assert bench.ledger.cash_usd() == bench.exchange.account().cash_usd
    assert sum(order.filled_quantity for order in bench.ledger.orders_of_plan("plan-1")) <= 10
    ids = [report.client_order_id for report in bench.exchange.orders()]
    assert len(ids) == len(set(ids))
