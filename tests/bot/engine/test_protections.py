"""Protections: what trips each breaker, what its lock stops, and how it ends."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from bot.engine.breakers import Facts, ProtectionPolicy, tripped
from bot.engine.requests import Request, RequestKind, carry_out
from bot.errors import BrokerUnavailable, MarketDataMissing, OrderRejected
from state.activity import Activity
from strategies.model.limits import HaltScope, SystemState
from strategies.model.locks import WHOLE_BOOK, LockKind
from strategies.risk.gate import RefusalReason
from tests.bot.engine.fakes import Faults, committed, hedge
from tests.bot.exchange.venue.fakes import CALL
from tests.builders import AT, instrument
from tests.state.test_ledger import daily

POLICY = ProtectionPolicy()
QUIET = Activity(
    orders_last_minute=0,
    opens_today=0,
    cancels_today=0,
    rejected_last_hour=0,
    rejected_in_a_row=0,
)
NEXT = AT + timedelta(minutes=15)
THIRD = NEXT + timedelta(minutes=15)


def facts(**changes):
    given = {
        "at": AT,
        "session": AT.date(),
        "net_liquidation_usd": Decimal(1_000_000),
        "excess_liquidity_usd": Decimal(900_000),
        "opening_usd": Decimal(1_000_000),
        "peak_usd": Decimal(1_000_000),
        "activity": QUIET,
    }
    return Facts(**(given | changes))


def usd(amount):
    return Decimal(amount)


# --- what trips ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "quiet", "too_much"),
    [
        (
            LockKind.DAILY_LOSS,
            {"net_liquidation_usd": usd(940_001)},
            {"net_liquidation_usd": usd(940_000)},
        ),
        (
            LockKind.DRAWDOWN,
            {"peak_usd": usd(1_333_333)},
            {"peak_usd": usd(1_333_334)},
        ),
        (
            LockKind.ORDER_RATE,
            {"activity": replace(QUIET, orders_last_minute=60, cancels_today=1000)},
            {"activity": replace(QUIET, orders_last_minute=61)},
        ),
        (
            LockKind.ORDER_RATE,
            {"activity": replace(QUIET, cancels_today=1000)},
            {"activity": replace(QUIET, cancels_today=1001)},
        ),
        (
            LockKind.REJECT_STREAK,
            {"activity": replace(QUIET, rejected_in_a_row=4, rejected_last_hour=9)},
            {"activity": replace(QUIET, rejected_in_a_row=5)},
        ),
        (
            LockKind.REJECT_STREAK,
            {"activity": replace(QUIET, rejected_last_hour=9)},
            {"activity": replace(QUIET, rejected_last_hour=10)},
        ),
        (LockKind.STALE_DATA, {"skipped_in_a_row": 3}, {"skipped_in_a_row": 4}),
        (
            LockKind.STALE_DATA,
            {"data_at": AT - timedelta(hours=1)},
            {"data_at": AT - timedelta(minutes=61)},
        ),
        (
            LockKind.CLOCK_SKEW,
            {"skew": timedelta(seconds=-2)},
            {"skew": timedelta(seconds=-2.1)},
        ),
        (
            LockKind.MARGIN,
            {"excess_liquidity_usd": usd(100_000)},
            {"excess_liquidity_usd": usd(99_999)},
        ),
    ],
)
def test_each_breaker_trips_at_its_threshold_and_not_before(kind, quiet, too_much):
    assert kind not in tripped(POLICY, facts(**quiet))
    assert list(tripped(POLICY, facts(**too_much))) == [kind]


def test_a_silent_operator_locks_only_where_the_configuration_asks_for_signs():
    silent = facts(silent_since=AT - timedelta(hours=49))
    assert tripped(POLICY, silent) == {}
    watched = replace(POLICY, operator_silence=timedelta(hours=48))
    assert list(tripped(watched, silent)) == [LockKind.OPERATOR]
    assert tripped(watched, facts(silent_since=AT - timedelta(hours=48))) == {}


def test_a_fraction_of_zero_turns_a_breaker_off():
    off = replace(POLICY, daily_loss=usd(0), drawdown=usd(0), margin_floor=usd(0))
    ruined = facts(net_liquidation_usd=usd(1), excess_liquidity_usd=usd(-5))
    assert tripped(off, ruined) == {}


def test_money_locks_condors_only_and_what_is_not_known_locks_everything():
    locks = tripped(POLICY, facts(net_liquidation_usd=usd(1), skipped_in_a_row=9))
    assert locks[LockKind.DAILY_LOSS].key == locks[LockKind.DRAWDOWN].key == "SPX"
    assert locks[LockKind.STALE_DATA].key == WHOLE_BOOK


# --- what a lock stops, and how it ends ---------------------------------------------------------


def held(desk):
    return [lock.kind for lock in desk.ledger.locks(desk.at)]


def account_with(desk, **changes):
    desk.broker.change["fetch_account"] = lambda account: replace(account, **changes)


def test_a_margin_below_its_floor_reduces_only_until_it_is_back(desk):
    """Fault E4."""
    account_with(desk, excess_liquidity_usd=usd(1_000))
    desk.plan(AT, hedge(CALL, 10, "0.53"))
    desk.plan(NEXT, hedge(CALL, 10, "0.53"))
    found = []

    def look(_at):
        found.extend([held(desk), desk.ledger.system_state().state, desk.ledger.positions()])
        desk.broker.change.clear()

    desk.between = look
    desk.run(AT, NEXT)
    assert found == [[LockKind.MARGIN], SystemState.REDUCE_ONLY, {}]
    assert desk.alerts.raised[0][0] == "page"
    assert held(desk) == []
    assert desk.ledger.system_state().state is SystemState.RUNNING
    assert desk.ledger.positions() == {instrument(CALL).symbol: 10}


def test_a_lock_outlives_a_restart_and_names_its_reason_in_every_refusal(desk):
    account_with(desk, excess_liquidity_usd=usd(1_000))
    desk.run(AT)
    desk.reopen()
    account_with(desk, excess_liquidity_usd=usd(1_000))
    assert held(desk) == [LockKind.MARGIN]
    desk.plan(NEXT, hedge(CALL, 10, "0.53"))
    desk.run(NEXT)
    (note,) = desk.notes(desk.ledger.last_decision().plan_id)
    assert note.startswith((RefusalReason.REDUCE_ONLY, RefusalReason.LOCKED))


def test_a_lost_connection_locks_openings_until_everything_has_been_compared(desk):
    """Faults B1, B2, B4: a full reconciliation comes first, whatever the connection says."""
    desk.broker.hook = Faults({("server_time", "before", 2): BrokerUnavailable("1100")})
    assert desk.run(AT) == ["ran"]
    desk.broker.hook = Faults({("server_time", "before", 1): BrokerUnavailable("1100")})
    assert desk.run(NEXT, start=False) == ["skipped: 1100"]
    assert held(desk) == [LockKind.CONNECTION]
    fetched = []
    desk.broker.hook = lambda call, phase, argument: fetched.append(call)
    desk.plan(THIRD, hedge(CALL, 10, "0.53"))
    assert desk.run(THIRD) == ["ran"]
    assert held(desk) == []
    assert "fetch_positions" in fetched
    assert desk.ledger.positions() == {instrument(CALL).symbol: 10}


def test_what_was_filled_while_the_connection_was_away_is_on_record_before_anything_opens(desk):
    """LEAN-IB #249: executions of the 1100 window are asked for after it."""
    desk.plan(AT, hedge(CALL, 10, "0.53"))
    sent = []

    def go_dark(call, phase, argument):
        if (call, phase) == ("submit", "before"):
            sent.append(argument)
        elif sent:
            raise BrokerUnavailable("1100")

    desk.broker.hook = go_dark
    desk.run(AT)
    assert held(desk) == [LockKind.CONNECTION]
    assert desk.ledger.positions() == {}
    desk.broker.hook = None

    async def live():
        engine = desk.engine()
        assert await engine.keep_in_touch()

    desk.live(live)
    assert desk.ledger.positions() == {instrument(CALL).symbol: 10}
    assert held(desk) == []


def test_a_broker_that_says_nothing_is_away(desk):
    """Fault B4: a half-open socket never answers; the question has a deadline."""

    async def nothing(call, phase, argument):
        if (call, phase) == ("server_time", "before"):
            await desk.clock.sleep(3600)

    desk.broker.hook = nothing
    assert desk.run(AT) == ["skipped: no sign of life within 10 s"]
    assert held(desk) == [LockKind.CONNECTION]


def test_a_clock_that_differs_locks_openings_until_it_agrees(desk):
    """Fault C15."""
    desk.broker.change["server_time"] = lambda told: told - timedelta(hours=1)
    desk.run(AT)
    assert held(desk) == [LockKind.CLOCK_SKEW]
    desk.broker.change.clear()
    desk.run(NEXT, start=False)
    assert held(desk) == []


def test_intervals_without_a_market_lock_openings_until_a_look_has_gone_well(desk):
    """Faults B2, B14, D9: the first usable look decides under the lock, the next one is free."""
    inner = desk.market_data

    class Gone:
        async def fetch_market(self):
            raise MarketDataMissing("no SPX chain")

        def __getattr__(self, name):
            return getattr(inner, name)

    desk.protections = replace(POLICY, skips_in_a_row=2)

    async def live():
        engine = desk.engine()
        await engine.start()
        for at in (AT, NEXT):
            await desk.clock.sleep((at - desk.clock.now()).total_seconds())
            await engine.run_interval(at, entry_due=False)
        assert [lock.kind for lock in engine.protections.locks()] == [LockKind.STALE_DATA]
        engine._market_data = inner
        for at in (THIRD, THIRD + timedelta(minutes=15)):
            await desk.clock.sleep((at - desk.clock.now()).total_seconds())
            assert await engine.run_interval(at, entry_due=False) == "ran"
        assert engine.protections.locks() == ()

    desk.market_data = Gone()
    desk.live(live)


def test_orders_that_the_broker_refuses_one_after_the_other_lock_openings_for_an_hour(desk):
    """Fault A17: nothing is retried blindly, and nothing opens while it goes on."""
    desk.protections = replace(POLICY, rejects_in_a_row=1)
    desk.broker.hook = Faults({("submit", "before", 1): OrderRejected("201 no permission")})
    desk.plan(AT, hedge(CALL, 10, "0.53"))
    desk.plan(NEXT, hedge(CALL, 10, "0.53"))
    later = AT + timedelta(minutes=90)
    desk.plan(later, hedge(CALL, 10, "0.53"))
    desk.run(AT, NEXT)
    assert held(desk) == [LockKind.REJECT_STREAK]
    assert desk.ledger.positions() == {}
    desk.run(later)
    assert held(desk) == []
    assert desk.ledger.positions() == {instrument(CALL).symbol: 10}


def test_a_runaway_is_halted_until_an_operator_has_looked(desk):
    """Fault A33, invariant I16: tripping latches."""
    desk.protections = replace(POLICY, orders_per_minute=1)
    desk.plan(AT, hedge(CALL, 1, "0.53"), hedge("VIX 18MAR20 30 C", 1, "0.53"))
    desk.run(AT, AT + timedelta(seconds=45))
    stored = desk.ledger.system_state()
    assert (stored.state, stored.scope) == (SystemState.HALTED, HaltScope.REDUCE_ONLY)
    assert held(desk) == [LockKind.ORDER_RATE]


def test_what_the_gate_refuses_for_its_rate_latches_as_a_runaway_does(desk):
    """Invariant I16, fault A33: the gate's own limit is the nearer one."""
    desk.limits = replace(desk.limits, orders_per_minute_max=0)
    desk.plan(AT, hedge(CALL, 2, "0.60"))
    desk.run(AT)
    assert statuses_of(desk) == {"REJECTED"}
    assert {lock.kind for lock in desk.ledger.locks(desk.at)} == {LockKind.ORDER_RATE}
    stored = desk.ledger.system_state()
    assert (stored.state, stored.scope) == (SystemState.HALTED, HaltScope.REDUCE_ONLY)
    desk.run(NEXT)  # it outlives a restart
    assert desk.ledger.system_state().scope is HaltScope.REDUCE_ONLY


def statuses_of(desk):
    plan_id = desk.ledger.last_decision().plan_id
    return {order.status.value for order in desk.ledger.orders_of_plan(plan_id)}


def test_an_operator_ends_a_drawdown_and_its_peak_counts_from_then_on(desk):
    """It would end by itself only once the loss is made up for, or after 90 days."""
    desk.protections = replace(POLICY, daily_loss=usd(0))
    desk.run(AT)
    session = AT.date() - timedelta(days=3)
    profit = daily(session=session, net_liquidation_usd=Decimal(2_000_000))
    with desk.ledger.transaction() as tx:
        tx.record_daily_pnl(profit)
    desk.run(NEXT, start=True)
    (lock,) = desk.ledger.locks(desk.at)
    assert lock.kind is LockKind.DRAWDOWN
    request = Request(
        kind=RequestKind.UNLOCK, by="ops", reason="understood", at=desk.at, lock_id=lock.lock_id[:4]
    )
    assert "is released: drawdown" in carry_out(request, desk.ledger, desk.at)
    desk.run(THIRD)
    assert desk.ledger.locks(desk.at) == ()
    assert committed(desk.database, "SELECT set_by, reason FROM lock_releases") == [
        ("ops", "understood")
    ]


def test_a_takeover_is_seen_before_the_next_order(desk):
    """Invariant I12: the gate hears of a lease that is lost, and so does every transaction."""
    engine = desk.engine()
    assert engine._readiness().lease_held
    desk.ledger.epoch -= 1
    assert not engine._readiness().lease_held
    desk.ledger.epoch += 1


def index_of(desk, name, factor):
    """Let the market show another print of an index."""
    inner = desk.market_data

    class Odd:
        async def fetch_market(self):
            market = await inner.fetch_market()
            told = market.indices[name]
            odd = replace(told, value=told.value * factor)
            return replace(market, indices={**market.indices, name: odd})

        def __getattr__(self, call):
            return getattr(inner, call)

    desk.market_data = Odd()
    return inner


@pytest.mark.parametrize(
    ("name", "factor", "words"),
    [("SPX", 1.1, "its options say"), ("VIX", 4.0, "VX")],
)
def test_a_market_that_contradicts_itself_opens_nothing_on_that_underlying(
    desk, name, factor, words
):
    """Faults D6, D7 and D8: for half an hour after it was seen last, and then it is over."""
    sound = index_of(desk, name, factor)
    desk.plan(AT, hedge(CALL, 10, "0.53"))
    desk.run(AT)
    (lock,) = desk.ledger.locks(desk.at)
    assert (lock.kind, lock.key) == (LockKind.IMPLAUSIBLE, name)
    assert words in lock.reason
    assert desk.alerts.raised[-1][0] == "page"
    assert bool(desk.ledger.positions()) is (name == "SPX"), "the other underlying goes on"
    desk.run(NEXT, start=False)
    (again,) = desk.ledger.locks(desk.at)
    assert again.until == NEXT + POLICY.doubt_lock, "renewed while the doubt lasts"
    desk.market_data = sound
    desk.run(THIRD, THIRD + timedelta(minutes=15), start=False)
    assert held(desk) == []
