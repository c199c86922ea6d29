"""The engine: each instant decided once, skipped for a reason, halted until a person says so."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from bot.engine.control import Command, submit_command
from bot.errors import (
    BooksDisagree,
    BrokerUnavailable,
    MarketDataMissing,
    OutcomeUnknown,
    WrongAccount,
)
from bot.exchange.orders import WORKING
from strategies.model.lifecycle import OrderStatus
from strategies.model.limits import HaltScope, SystemState
from strategies.model.orders import Urgency
from strategies.risk.gate import RefusalReason
from tests.bot.engine.fakes import EngineBench, Faults, committed, hedge
from tests.bot.exchange.venue.fakes import CALL, EARLY_CLOSE, PRESIDENTS_DAY, VX, ScriptedMarket
from tests.builders import AT, instant, instrument

NEXT = AT + timedelta(minutes=15)
THIRD = NEXT + timedelta(minutes=15)
EVENING = instant("2020-02-03 16:20")


def command(desk, state, scope=None, *, reason="test", at=AT):
    """Drop an operator's command into the control folder."""
    made = Command(state=state, scope=scope, reason=reason, by="ops", at=at.astimezone(UTC))
    submit_command(desk.control_dir, made)


def state_of(desk):
    stored = desk.ledger.system_state()
    return stored.state, stored.scope, stored.reason


def decided(desk):
    """The instants on record, in order."""
    rows = committed(desk.database, "SELECT at FROM decisions ORDER BY decision_id")
    return [datetime.fromisoformat(at) for (at,) in rows]


class Feed:
    """Market data that are missing, or of some other time, until the second interval."""

    def __init__(self, desk, fault):
        self._desk = desk
        self._inner = desk.market_data
        self._fault = fault

    async def fetch_market(self):
        market = await self._inner.fetch_market()
        if isinstance(self._fault, timedelta):
            return replace(market, at=market.at - self._fault)
        if self._desk.clock.now() < NEXT:
            raise self._fault
        return market

    def __getattr__(self, name):
        return getattr(self._inner, name)


# --- once, or not at all ------------------------------------------------------------------------


def test_an_instant_is_decided_once(desk):
    assert desk.run(AT, AT, NEXT) == ["ran", "skipped: decided before", "ran"]
    assert desk.run(AT, NEXT) == ["skipped: decided before"] * 2
    assert decided(desk) == [AT, NEXT]


@pytest.mark.parametrize(
    ("at", "reason"),
    [
        (instant("2020-02-03 09:25"), "the market opens at 09:30"),
        (instant("2020-02-03 16:15"), "the market closed at 16:15"),
        (datetime.combine(PRESIDENTS_DAY, AT.timetz()), "2020-02-17 is no session"),
        (instant("2020-02-08 10:00"), "2020-02-08 is no session"),
        (datetime.combine(EARLY_CLOSE, AT.timetz()).replace(hour=13, minute=15), "early, at 13:15"),
    ],
)
def test_a_closed_market_is_a_reason_not_to_decide(make_bench, at, reason):
    desk = make_bench(kind=EngineBench, at=at)
    (outcome,) = desk.run(at)
    assert outcome.startswith("skipped: ")
    assert outcome.endswith(reason)
    assert decided(desk) == []


def test_the_last_interval_before_an_early_close_is_decided(make_bench):
    at = datetime.combine(EARLY_CLOSE, AT.timetz()).replace(hour=13)
    assert make_bench(kind=EngineBench, at=at).run(at) == ["ran"]


def test_an_interval_without_market_data_is_skipped_and_the_next_one_runs(desk):
    desk.market_data = Feed(desk, MarketDataMissing("no SPX chain"))
    assert desk.run(AT, NEXT) == ["skipped: no SPX chain", "ran"]
    assert decided(desk) == [NEXT]


@pytest.mark.parametrize(
    ("off_s", "outcome"),
    [
        (120, "ran"),
        (121, "skipped: the market data is of 2020-02-03T14:57:59+00:00, not of now"),
        (-1, "ran"),
        (-3, "skipped: the market data is of 2020-02-03T15:00:03+00:00, not of now"),
    ],
)
def test_market_data_of_another_time_is_no_market(desk, off_s, outcome):
    desk.market_data = Feed(desk, timedelta(seconds=off_s))
    assert desk.run(AT) == [outcome]


def test_market_data_that_stand_still_are_decided_on_once(desk):
    desk.limits = replace(desk.limits, quote_age_max=timedelta(hours=1))
    desk.run(AT)
    desk.market_data = Feed(desk, NEXT - AT)
    assert desk.run(NEXT) == [
        "skipped: the market data stands still since 2020-02-03T15:00:00+00:00"
    ]


def test_an_interval_without_a_broker_is_skipped_and_the_next_one_runs(desk):
    desk.broker.hook = Faults({("fetch_account", "before", 2): BrokerUnavailable("no connection")})
    assert desk.run(AT, NEXT) == ["skipped: no connection", "ran"]


def test_a_decision_gets_the_memory_of_the_last_one_that_was_kept(desk):
    desk.run(AT, NEXT)
    assert desk.ledger.last_decision().memory.session == AT.date()
    assert [interval.plan.at for interval in desk.intervals] == [AT, NEXT]


# --- one look -----------------------------------------------------------------------------------


class SlowFeed:
    """Market data that take a while."""

    def __init__(self, desk, seconds):
        self._desk = desk
        self._inner = desk.market_data
        self._seconds = seconds

    async def fetch_market(self):
        await self._desk.clock.sleep(self._seconds)
        return await self._inner.fetch_market()

    def __getattr__(self, name):
        return getattr(self._inner, name)


class SlowQuestions:
    """A hook that makes the broker's answers take a while, and writes down when they came."""

    def __init__(self, desk, **seconds):
        self._desk = desk
        self._seconds = seconds
        self.answered = []

    async def __call__(self, call, phase, argument):
        if phase == "before":
            await self._desk.clock.sleep(self._seconds.get(call, 0))
        else:
            self.answered.append((call, self._desk.clock.now()))


def test_market_account_and_books_are_asked_for_at_once(desk):
    desk.market_data = SlowFeed(desk, 1)
    desk.broker.hook = SlowQuestions(desk, fetch_account=1, fetch_fills=1)
    assert desk.run(NEXT) == ["ran"]
    assert decided(desk) == [NEXT + timedelta(seconds=1)]


def test_what_was_asked_beside_a_slow_look_is_asked_again(desk):
    desk.market_data = SlowFeed(desk, 10)
    desk.broker.hook = questions = SlowQuestions(desk)
    assert desk.run(NEXT) == ["ran"]
    seen_at = NEXT + timedelta(seconds=10)
    assert {("fetch_fills", seen_at), ("fetch_account", seen_at)} <= set(questions.answered)


def test_i14_a_market_that_got_old_while_the_books_were_compared_is_looked_at_again(desk):
    """Invariant I14: the broker takes its time over orders, and quotes do not wait for it."""
    desk.broker.hook = SlowQuestions(desk, fetch_foreign_orders=121)
    noon = instant("2020-02-03 12:00")
    assert desk.run(noon) == ["ran"]
    assert decided(desk) == [noon + timedelta(seconds=121)]


def test_i14_nothing_is_decided_on_a_market_that_got_old_beside_the_account(desk):
    """Invariant I14: whatever the broker took its time over."""
    desk.broker.hook = SlowQuestions(desk, fetch_account=121)
    noon = instant("2020-02-03 12:00")
    (outcome,) = desk.run(noon)
    assert outcome.startswith("skipped: the market of 2020-02-03T17:0")
    assert decided(desk) == []


def test_of_several_failures_the_one_that_halts_counts(desk):
    desk.market_data = Feed(desk, MarketDataMissing("no SPX chain"))
    desk.broker.hook = Faults(
        {
            ("fetch_fills", "before", 2): BrokerUnavailable("no connection"),
            ("fetch_account", "before", 2): WrongAccount("somebody else's"),
        }
    )
    with pytest.raises(WrongAccount):
        desk.run(AT)


def test_no_question_is_left_under_way(desk):
    desk.market_data = Feed(desk, MarketDataMissing("no SPX chain"))
    desk.broker.hook = questions = SlowQuestions(desk, fetch_account=5)
    at = AT + timedelta(minutes=1)
    assert desk.run(at) == ["skipped: no SPX chain"]
    assert questions.answered[-1] == ("fetch_account", at + timedelta(seconds=5))


# --- finishing what was begun -------------------------------------------------------------------


def test_orders_that_could_not_be_cancelled_are_cancelled_before_the_next_decision(desk):
    desk.plan(AT, hedge(CALL, 10, "0.48", urgency=Urgency.PASSIVE))
    desk.broker.hook = Faults({("cancel", "before", 1): BrokerUnavailable("no connection")})
    first, second = desk.run(AT, NEXT)
    assert first == "ran: its orders are left to the next interval: no connection"
    assert second == "ran"
    (report,) = desk.exchange.orders()
    assert report.status not in WORKING
    assert desk.intervals[1].book.working == ()
    assert committed(desk.database, "SELECT count(*) FROM completions") == [(2,)]


def silent_while(desk, call, first, last):
    """Leave one question unanswered between two instants."""

    def answer(given):
        if first <= desk.clock.now() < last:
            raise BrokerUnavailable("no answer")
        return given

    desk.broker.change[call] = answer


def test_an_order_that_turns_up_late_is_withdrawn_by_the_next_interval(desk):
    """Its acknowledgement is lost, and the broker tells nothing whole until the walk is over."""
    desk.plan(AT, hedge(CALL, 10, "0.48", urgency=Urgency.PASSIVE))
    desk.broker.hook = Faults({("submit", "after", 1): OutcomeUnknown("no answer")})
    desk.broker.change["fetch_orders"] = lambda reports: () if desk.clock.now() < NEXT else reports
    silent_while(desk, "fetch_positions", AT + timedelta(seconds=1), NEXT)
    assert desk.run(AT, NEXT)[1] == "ran"
    assert desk.intervals[1].book.working == ()
    (report,) = desk.exchange.orders()
    assert report.status not in WORKING


def test_a_start_finishes_the_interval_that_a_crash_interrupted(desk):
    desk.plan(AT, hedge(CALL, 10, "0.48", "0.53"))

    class Crash(BaseException):
        """The process is gone."""

    desk.broker.hook = Faults({("cancel", "after", 2): lambda: (_ for _ in ()).throw(Crash)})
    with pytest.raises(Crash):
        desk.run(AT)
    assert not desk.ledger.last_decision().completed
    desk.reopen()
    desk.run()
    assert desk.ledger.last_decision().completed
    assert desk.ledger.positions() == {instrument(CALL).symbol: 10}


def test_an_order_found_nowhere_blocks_its_purpose_until_the_second_pass(desk):
    """Fault A4: the broker answers again only after the walk, and the passes span two looks."""
    order = hedge(CALL, 10, "0.53")
    for at in (AT, NEXT, THIRD):
        desk.plan(at, order)
    desk.broker.hook = Faults({("submit", "before", 1): OutcomeUnknown("line went dead")})
    silent_while(desk, "fetch_positions", AT + timedelta(seconds=1), NEXT)
    desk.run(AT, NEXT, THIRD)
    lives = committed(
        desk.database,
        "SELECT group_concat(status, ' ') FROM (SELECT * FROM order_events ORDER BY sequence)"
        " GROUP BY client_order_id ORDER BY min(sequence)",
    )
    unproven, blocked, free = (life for (life,) in lives)
    assert unproven == "PLANNED SENDING UNKNOWN UNKNOWN CANCELLED"
    assert blocked == "PLANNED REJECTED"
    assert free == "PLANNED SENDING LIVE FILLED"


def test_i19_an_order_in_doubt_overnight_calls_for_a_person(desk):
    """Invariant I19: not proven by the next day, and somebody is told."""
    order = hedge(CALL, 10, "0.48", urgency=Urgency.PASSIVE)
    desk.plan(AT, order)
    desk.broker.hook = Faults(
        {
            ("submit", "after", 1): OutcomeUnknown("no answer"),
            ("cancel", "before", 0): OutcomeUnknown("no answer"),
        }
    )
    desk.broker.change["fetch_orders"] = lambda reports: tuple(
        replace(report, status=OrderStatus.UNKNOWN) for report in reports
    )
    desk.run(AT, AT + timedelta(days=1))
    pages = [text for severity, text in desk.alerts.raised if severity == "page"]
    assert any(order.purpose in text and "in doubt since yesterday" in text for text in pages)


# --- halts --------------------------------------------------------------------------------------


def test_a_halt_is_obeyed_before_the_next_send_and_resume_reconciles_first(desk):
    desk.plan(AT, hedge(CALL, 10, "0.53"))
    desk.plan(NEXT, hedge(CALL, 10, "0.53"))
    command(desk, SystemState.HALTED, HaltScope.ALL, reason="look at this")
    refusals = []

    def lift(_at):
        (order,) = desk.ledger.orders_of_plan(desk.ledger.last_decision().plan_id)
        refusals.append(order.note)
        assert state_of(desk) == (SystemState.HALTED, HaltScope.ALL, "look at this")
        command(desk, SystemState.RUNNING, reason="looked")

    desk.between = lift
    desk.run(AT, NEXT)
    assert refusals[0].startswith(RefusalReason.HALTED)
    states = committed(desk.database, "SELECT state, reason FROM system_states ORDER BY sequence")
    assert states[-2:] == [("RECONCILING", "looked"), ("RUNNING", "reconciled")]
    assert len(desk.exchange.orders()) == 1
    assert desk.ledger.positions() == {instrument(CALL).symbol: 10}
    assert list(desk.control_dir.iterdir()) == []


def test_a_halt_in_mid_walk_is_taken_before_the_next_price(desk):
    desk.plan(AT, hedge(CALL, 10, "0.48", "0.53"))
    seen = []

    def drop(call, phase, argument):
        if (call, phase) == ("submit", "after"):
            seen.append(argument)
            if len(seen) == 2:
                command(desk, SystemState.HALTED, HaltScope.ALL)

    desk.broker.hook = drop
    desk.run(AT)
    assert len(seen) == 2
    assert [report.status for report in desk.exchange.orders() if report.status in WORKING] == []
    assert desk.ledger.last_decision().completed


def test_a_halt_stands_through_restarts(desk):
    command(desk, SystemState.HALTED, HaltScope.REDUCE_ONLY, reason="margin call")
    desk.run(AT)
    desk.reopen()
    desk.plan(NEXT, hedge(CALL, 10, "0.53"))
    desk.run(NEXT)
    assert state_of(desk) == (SystemState.HALTED, HaltScope.REDUCE_ONLY, "margin call")
    assert desk.notes(desk.ledger.last_decision().plan_id)[0].startswith(RefusalReason.REDUCE_ONLY)


def test_a_halt_is_on_record_while_the_market_is_closed(desk):
    command(desk, SystemState.HALTED, HaltScope.ALL)
    desk.run(instant("2020-02-08 10:00"))
    assert state_of(desk)[0] is SystemState.HALTED


def test_a_resume_without_a_halt_changes_nothing(desk):
    command(desk, SystemState.RUNNING)
    desk.run(AT)
    states = committed(desk.database, "SELECT set_by FROM system_states")
    assert ("ops",) not in states
    assert list(desk.control_dir.iterdir()) == []


def test_a_resume_while_the_cause_persists_halts_again(desk):
    command(desk, SystemState.HALTED, HaltScope.ALL)
    desk.run(AT)
    desk.broker.change["fetch_positions"] = lambda positions: {**positions, "ABC": 1}
    command(desk, SystemState.RUNNING)
    with pytest.raises(BooksDisagree, match="ABC"):
        desk.run(NEXT, start=False)


def test_a_resume_asked_for_before_a_failure_does_not_lift_the_halt_that_follows(desk):
    command(desk, SystemState.HALTED, HaltScope.ALL)
    desk.run(AT)
    command(desk, SystemState.RUNNING)
    engine = desk.engine()
    engine.halt("something new")
    assert state_of(desk) == (SystemState.HALTED, HaltScope.ALL, "something new")
    assert list(desk.control_dir.iterdir()) == []
    assert desk.alerts.raised == [("critical", "halted: something new")]


# --- the books ----------------------------------------------------------------------------------


def test_a_position_altered_behind_the_ledgers_back_locks_its_underlying_until_it_is_gone(desk):
    desk.plan(AT, hedge(CALL, 10, "0.53"))
    desk.run(AT)
    symbol = instrument(CALL).symbol
    desk.broker.change["fetch_positions"] = lambda positions: {**positions, symbol: 7}
    assert desk.run(EVENING, start=False) == ["ran"]
    (found,) = desk.ledger.open_breaks()
    assert found.detail == f"{symbol}: ledger has 10, broker has 7"
    assert {lock.key for lock in desk.ledger.locks(desk.at)} == {"VIX", symbol}
    assert state_of(desk)[0] is SystemState.RUNNING
    desk.broker.change.clear()
    desk.run()  # a start compares again
    assert desk.ledger.open_breaks() == ()
    assert desk.ledger.locks(desk.at) == ()


def test_the_day_is_on_record_even_if_the_books_disagree(desk):
    def assign(_at):
        desk.broker.change["fetch_positions"] = lambda positions: {**positions, "SPY": 100}

    desk.between = assign
    with pytest.raises(BooksDisagree, match="SPY: ledger has 0, broker has 100"):
        desk.run(AT, EVENING)
    assert desk.ledger.daily_pnl(AT.date()) is not None
    with pytest.raises(BooksDisagree, match="SPY"):
        desk.run(EVENING)  # and so at the next start


def test_a_cent_that_is_missing_locks_every_opening_and_halts_nothing(desk):
    desk.run(AT)
    desk.broker.change["fetch_account"] = lambda account: replace(
        account, cash_usd=account.cash_usd - Decimal("0.01")
    )
    assert desk.run(EVENING, start=False) == ["ran"]
    (found,) = desk.ledger.open_breaks()
    assert found.detail == "cash: ledger has 1000000.00 USD, broker has 999999.99 USD"
    assert [lock.key for lock in desk.ledger.locks(desk.at)] == ["*"]


def test_a_fill_of_an_order_nobody_sent_is_named(desk):
    desk.plan(AT, hedge(CALL, 10, "0.53"))
    desk.run(AT)

    def other(fills):
        return tuple(replace(fill, exec_root="x", client_order_id="A-foreign") for fill in fills)

    desk.broker.change["fetch_fills"] = other
    with pytest.raises(BooksDisagree, match=r"A-foreign, .* not in this ledger: .* BUY 10 VIX"):
        desk.run(NEXT, start=False)


def test_a_start_without_a_broker_says_so_and_halts_nothing(desk):
    desk.broker.hook = Faults({("connect", "before", 1): BrokerUnavailable("no connection")})
    with pytest.raises(BrokerUnavailable):
        desk.run(AT)
    assert state_of(desk)[0] is SystemState.RECONCILING
    assert desk.run(AT) == ["ran"]


# --- the end of a day ---------------------------------------------------------------------------


def test_an_end_of_day_is_booked_once_and_on_sessions_only(desk):
    saturday = instant("2020-02-08 16:20")
    outcomes = desk.run(AT, EVENING, EVENING, saturday)
    assert outcomes[1:] == ["ran", "skipped: booked before", "skipped: 2020-02-08 is no session"]
    assert [day.session for day in desk.days] == [AT.date()]


def test_an_end_of_day_without_a_broker_is_told_and_made_up_for_by_nobody(desk):
    desk.broker.hook = Faults({("fetch_marks", "before", 1): BrokerUnavailable("no connection")})
    assert desk.run(AT, EVENING)[1] == "skipped: no connection"
    assert desk.alerts.raised == [("warning", "2020-02-03 is not booked: no connection")]
    assert desk.run(EVENING) == ["ran"]


def test_variation_and_settlement_reach_the_ledger_with_the_day(make_bench):
    market = ScriptedMarket(
        vix=lambda at: 16.0 if at.date() < instant("2020-02-04 00:00").date() else 18.0
    )
    desk = make_bench(market, kind=EngineBench)
    desk.plan(AT, hedge(VX, 2, "17.05"))
    desk.run(AT, EVENING, EVENING + timedelta(days=1))
    first, second = desk.days
    assert second.net_liquidation_usd - first.net_liquidation_usd == 2 * 2 * 1000
    assert second.cash_usd == desk.exchange.account().cash_usd
    for day in desk.days:
        explained = day.hedge_realised_usd + day.hedge_unrealised_usd - day.fees_usd
        assert 1_000_000 + explained == day.net_liquidation_usd


def test_housekeeping_adds_everything_up_again(desk):
    desk.plan(AT, hedge(CALL, 10, "0.53"))
    desk.run(AT)
    assert desk.engine().keep_house() == "ran"
