"""Halts, flatten and resume: on record first, obeyed by whoever sends next, lifted on purpose."""

from datetime import UTC, timedelta

import pytest

from bot.engine.control import Command, acknowledge, acknowledged_at, submit_command
from bot.errors import BooksDisagree, BrokerUnavailable
from bot.exchange.orders import WORKING
from strategies.model.limits import HaltScope, SystemState
from strategies.model.orders import Urgency
from strategies.risk.flatten import FLATTENING
from tests.bot.engine.fakes import Faults, committed, hedge
from tests.bot.exchange.venue.fakes import CALL
from tests.builders import AT, instrument

NEXT = AT + timedelta(minutes=15)
THIRD = NEXT + timedelta(minutes=15)


def command(desk, state, scope=None, *, reason="test", ends_flatten=False):
    made = Command(
        state=state,
        scope=scope,
        reason=reason,
        by="ops",
        at=AT.astimezone(UTC),
        ends_flatten=ends_flatten,
    )
    submit_command(desk.control_dir, made)


def state_of(desk):
    stored = desk.ledger.system_state()
    return stored.state, stored.scope, stored.reason


def states(desk):
    query = "SELECT state, halt_scope FROM system_states ORDER BY sequence"
    return committed(desk.database, query)


@pytest.fixture
def holding(desk):
    """A desk with ten calls."""
    desk.plan(AT, hedge(CALL, 10, "0.53"))
    desk.run(AT)
    assert desk.ledger.positions() == {instrument(CALL).symbol: 10}
    return desk


def test_flatten_closes_what_is_held_and_then_halts_everything(holding):
    command(holding, SystemState.HALTED, HaltScope.FLATTEN, reason="leaving")
    assert holding.run(NEXT) == ["ran"]
    assert holding.ledger.positions() == {}
    assert state_of(holding) == (SystemState.HALTED, HaltScope.ALL, "flat: leaving")
    assert holding.intervals[-1].plan.hedge_state == FLATTENING
    assert holding.alerts.raised[-1] == ("page", "everything is closed (leaving); halted")


def test_flatten_goes_on_through_a_restart_until_all_is_closed(holding):
    command(holding, SystemState.HALTED, HaltScope.FLATTEN)
    holding.broker.hook = Faults({("submit", "before", 0): BrokerUnavailable("no connection")})
    holding.run(NEXT, start=False)
    assert state_of(holding)[:2] == (SystemState.HALTED, HaltScope.FLATTEN)
    holding.reopen()
    assert holding.run(THIRD) == ["ran"]
    assert holding.ledger.positions() == {}
    assert state_of(holding)[1] is HaltScope.ALL


def test_a_flatten_is_obeyed_between_two_looks(holding):
    """I9: at once on command, not only at the next interval."""
    command(holding, SystemState.HALTED, HaltScope.FLATTEN)

    async def live():
        engine = holding.engine()
        await engine.start()
        assert await engine.obey(holding.clock.now()) == "ran"

    holding.live(live)
    assert holding.ledger.positions() == {}
    assert state_of(holding)[1] is HaltScope.ALL


def test_a_resume_ends_a_flatten_only_if_it_says_so(holding):
    command(holding, SystemState.HALTED, HaltScope.FLATTEN)
    holding.broker.hook = Faults({("submit", "before", 0): BrokerUnavailable("no connection")})
    holding.run(NEXT, start=False)
    command(holding, SystemState.RUNNING)
    holding.engine().controls.take()
    assert state_of(holding)[1] is HaltScope.FLATTEN
    assert holding.alerts.raised[-1][1].startswith("not resumed: everything is being closed")
    command(holding, SystemState.RUNNING, ends_flatten=True)
    holding.engine().controls.take()
    assert state_of(holding)[0] is SystemState.RECONCILING


def test_a_halt_during_a_submit_is_on_record_first_and_cancels_the_order_on_sight(desk):
    """Fault E21, invariant I9: worst case one order, withdrawn at the next step of its walk."""
    desk.plan(AT, hedge(CALL, 10, "0.48", urgency=Urgency.PASSIVE))

    def press(call, phase, argument):
        if (call, phase) == ("submit", "before"):
            command(desk, SystemState.HALTED, HaltScope.ALL, reason="stop")
            engine.controls.take()

    engine = desk.engine()
    desk.broker.hook = press
    desk.run(AT)
    (report,) = desk.exchange.orders()
    assert report.status not in WORKING
    rows = committed(desk.database, "SELECT at FROM system_states WHERE reason = 'stop'")
    live = committed(desk.database, "SELECT at FROM order_events WHERE status = 'CANCELLED'")
    assert rows
    assert rows[0] <= live[0]


def test_withdrawing_goes_on_under_a_halt(desk):
    """Invariant I9: after a halt commits, cancels still flow."""
    desk.plan(AT, hedge(CALL, 10, "0.48", urgency=Urgency.PASSIVE))
    desk.broker.hook = Faults({("cancel", "before", 1): BrokerUnavailable("no connection")})
    desk.run(AT)
    desk.broker.hook = None
    command(desk, SystemState.HALTED, HaltScope.ALL)

    async def live():
        engine = desk.engine()
        await engine.start()
        await engine.obey(desk.clock.now())

    desk.live(live)
    (report,) = desk.exchange.orders()
    assert report.status not in WORKING


def test_a_resume_while_the_cause_persists_stays_halted(desk):
    """Fault E22: leaving a halt re-runs the checks of a start."""
    command(desk, SystemState.HALTED, HaltScope.ALL, reason="look")
    desk.run(AT)
    desk.broker.change["fetch_positions"] = lambda positions: {**positions, "SPY": 100}
    command(desk, SystemState.RUNNING)

    async def live():
        engine = desk.engine()
        await engine.obey(desk.clock.now())

    with pytest.raises(BooksDisagree, match="SPY"):
        desk.run(NEXT)
    assert ("RUNNING", None) not in states(desk)[-2:]


def test_a_further_halt_never_loosens_the_one_that_stands(desk):
    """Invariant I9."""
    command(desk, SystemState.HALTED, HaltScope.FLATTEN)
    desk.engine().controls.take()
    command(desk, SystemState.HALTED, HaltScope.OPENS)
    desk.engine().controls.take()
    assert state_of(desk)[1] is HaltScope.FLATTEN


def test_a_sign_of_an_operator_is_kept_and_damage_to_it_is_none(tmp_path):
    assert acknowledged_at(tmp_path / "control") is None
    acknowledge(tmp_path / "control", AT)
    assert acknowledged_at(tmp_path / "control") == AT
    (tmp_path / "control" / "acknowledged").write_text("yesterday")
    assert acknowledged_at(tmp_path / "control") is None
