"""Between looks: signs of life, calls for a person, jobs that hang, tasks that die, commands."""

from datetime import UTC, timedelta
from itertools import pairwise

import pytest
from apscheduler.triggers.date import DateTrigger

from bot.app.config.protections import ProtectionsSection
from bot.app.schedule import Schedule, ScheduledJob
from bot.app.watching import Watch
from bot.engine.control import Command, submit_command
from bot.engine.heartbeat import read_heartbeat
from bot.engine.requests import Request, RequestKind, submit_request, waiting_requests
from bot.errors import BrokerUnavailable, HaltTrading
from strategies.model.limits import HaltScope, SystemState
from strategies.model.orders import Urgency
from tests.bot.engine.fakes import EngineBench, Faults, committed, hedge
from tests.bot.exchange.venue.fakes import CALL
from tests.builders import AT, instant

SECTION = ProtectionsSection()
GRACE_S = 450


@pytest.fixture
def make_desk(make_bench):
    """Makes desks at other times of the day."""
    return lambda at: make_bench(kind=EngineBench, at=at)


def live(desk, job, *, minutes, section=SECTION, started=True):
    """Run a schedule with one job, at the desk's time, and everything that watches it."""
    made = {}

    async def main():
        engine = desk.engine()
        made["engine"] = engine
        if started:
            await engine.start()
        schedule = Schedule(desk.ledger, desk.clock, misfire_grace_s=GRACE_S, halt=engine.halt)
        made["schedule"] = schedule

        async def finish(_at):
            schedule.stop()
            return "ran"

        async def run(at):
            return await job(engine, at)

        began = desk.clock.now()
        ends = DateTrigger(run_date=began + timedelta(minutes=minutes))
        schedule.add(ScheduledJob(name="~finish", trigger=ends, run=finish, however_late=True))
        if job is not None:
            due = DateTrigger(run_date=began + timedelta(seconds=2))
            schedule.add(ScheduledJob(name="interval", trigger=due, run=run))
        watch = Watch(
            section,
            engine=engine,
            schedule=schedule,
            clock=desk.clock,
            calendar=desk.market.calendar,
            heartbeat_file=desk.database.parent / "heartbeat.json",
        )
        made["watch"] = watch
        watch.start()
        try:
            await schedule.run_until_stopped()
        finally:
            await watch.stop()

    desk.in_real_time = True
    try:
        desk.live(main)
    finally:
        desk.made = made


def pages(desk):
    return [text for severity, text in desk.alerts.raised if severity == "page"]


def command(desk, state, scope=None):
    made = Command(state=state, scope=scope, reason="test", by="ops", at=AT.astimezone(UTC))
    submit_command(desk.control_dir, made)


def test_a_sign_of_life_is_left_and_renewed(desk):
    live(desk, None, minutes=3)
    beat = read_heartbeat(desk.database.parent / "heartbeat.json")
    assert desk.at - beat.at <= timedelta(seconds=SECTION.heartbeat_seconds)
    assert beat.next_by > desk.at
    assert beat.state == SystemState.RUNNING


def test_a_lost_broker_is_asked_again_more_and_more_seldom_and_compared_once_it_is_back(desk):
    """Faults B1, B2: bounded back-off, then a full reconciliation before anything opens."""
    asked = []
    back_at = AT + timedelta(minutes=20)

    def away(call, phase, argument):
        if (call, phase) == ("server_time", "before"):
            asked.append(desk.clock.now())
            if AT < desk.clock.now() < back_at:
                raise BrokerUnavailable("1100")

    desk.broker.hook = away
    live(desk, None, minutes=40)
    gaps = [later - earlier for earlier, later in pairwise(asked)]
    away_gaps = gaps[: sum(at < back_at for at in asked) - 1]
    assert max(away_gaps) <= timedelta(seconds=330)
    assert len(away_gaps) < 10
    assert desk.ledger.locks(desk.at) == ()
    assert desk.made["engine"]._reconciled


def test_somebody_is_called_again_and_again_while_the_bot_is_blind(desk):
    """Fault B3, LEAN-IB #246: three days blind and nobody told."""
    desk.broker.hook = Faults({("server_time", "before", 0): BrokerUnavailable("1100")})
    live(desk, None, minutes=60)
    blind = [text for text in pages(desk) if text.startswith("blind")]
    assert 3 <= len(blind) <= 4
    assert "blind for 10 minutes" in blind[0]


@pytest.mark.parametrize("began", ["2020-02-03 23:45", "2020-02-04 00:05"])
def test_nobody_is_called_during_the_nightly_restart(make_desk, began):
    desk = make_desk(instant(began))
    desk.broker.hook = Faults({("server_time", "before", 0): BrokerUnavailable("restart")})
    live(desk, None, minutes=25, started=False)
    assert [text for text in pages(desk) if text.startswith("blind")] == []


def test_a_login_that_is_missing_before_the_open_is_noticed_before_it(make_desk):
    """Fault B6: a missing Sunday login is noticed before 09:30."""
    desk = make_desk(instant("2020-02-03 08:00"))
    desk.broker.hook = Faults({("server_time", "before", 0): BrokerUnavailable("not logged in")})
    live(desk, None, minutes=89, started=False)
    assert any("the market opens at 09:30" in text for text in pages(desk))


def test_a_session_that_another_login_has_taken_is_not_fought_for(desk):
    """Fault B7: halt, and ask no more."""
    desk.broker.hook = Faults(
        {("server_time", "before", 2): HaltTrading("another session (10197)")}
    )
    with pytest.raises(HaltTrading, match="10197"):
        live(desk, None, minutes=30)
    stored = desk.ledger.system_state()
    assert (stored.state, stored.scope) == (SystemState.HALTED, HaltScope.ALL)


def test_a_job_that_does_not_end_lets_nothing_open_and_withdraws_what_rests(desk):
    """Fault C14: the engine's own watchdog sees an await that hangs."""

    async def hang(engine, at):
        await desk.clock.sleep(40 * 60)
        return "ran"

    live(desk, hang, minutes=41)
    stored = desk.ledger.system_state()
    assert (stored.state, stored.scope) == (SystemState.HALTED, HaltScope.REDUCE_ONLY)
    assert "has not ended since" in stored.reason
    assert len([text for text in pages(desk) if "does not open" in text or "opens" in text]) == 1


def test_a_task_that_dies_halts_the_bot(desk):
    """Fault C14: no silent task death."""

    def break_it(call, phase, argument):
        if desk.clock.now() > AT + timedelta(minutes=1):
            raise ZeroDivisionError("nobody foresaw")

    desk.broker.hook = break_it
    with pytest.raises(RuntimeError, match=r"heartbeat.*ZeroDivisionError"):
        live(desk, None, minutes=10)
    assert desk.ledger.system_state().state is SystemState.HALTED


def test_a_command_is_obeyed_within_seconds_also_in_the_middle_of_a_walk(desk):
    """Fault E21, invariant I9: not only at the next step of the walk, and not at the next look."""
    desk.plan(AT + timedelta(seconds=2), hedge(CALL, 10, "0.48", urgency=Urgency.PASSIVE))
    times = []

    def note(call, phase, argument):
        if (call, phase) == ("submit", "after"):
            command(desk, SystemState.HALTED, HaltScope.ALL)
            times.append(desk.clock.now())
        if (call, phase) == ("cancel", "after"):
            times.append(desk.clock.now())

    desk.broker.hook = note

    async def look(engine, at):
        return await engine.run_interval(at, entry_due=False)

    live(desk, look, minutes=5)
    submitted, cancelled = times[:2]
    assert cancelled - submitted <= timedelta(seconds=3)


def request(desk, **parts):
    made = Request(by="ops", reason="test", at=desk.clock.now(), **parts)
    return submit_request(desk.control_dir, made)


def test_what_operators_ask_for_about_breaks_is_answered_between_looks(desk):
    taken, files = [], []

    async def ask(engine, at):
        files.append(request(desk, kind=RequestKind.COMPARE))
        files.append(request(desk, kind=RequestKind.IGNORE, break_id="X1"))
        asked = desk.clock.now()

        def note(call, phase, argument):
            if (call, phase) == ("fetch_positions", "after"):
                taken.append(desk.clock.now() - asked)

        desk.broker.hook = note
        return "ran"

    live(desk, ask, minutes=5)
    left, refused = files
    assert not left.exists()
    assert refused.with_suffix(".refused").exists()
    assert taken[0] <= timedelta(seconds=3)
    rows = committed(desk.database, "SELECT outcome FROM job_runs WHERE job = 'command'")
    assert rows == [("ran",)]


def test_what_cannot_be_answered_now_is_not_asked_for_every_second(desk):
    """The next look answers it; a broker that is away is asked more and more seldom."""
    away = BrokerUnavailable("1100")

    async def ask(engine, at):
        request(desk, kind=RequestKind.COMPARE)
        desk.broker.hook = Faults({(each, "before", 0): away for each in ("fetch_orders",)})
        return "ran"

    live(desk, ask, minutes=5)
    rows = committed(desk.database, "SELECT outcome FROM job_runs WHERE job = 'command'")
    assert rows == [("skipped",)]
    assert len(waiting_requests(desk.control_dir)) == 1


def test_a_command_that_comes_while_one_is_obeyed_is_obeyed_after_it(desk):
    """It is no run that was missed."""
    seen = []

    def hold(call, phase, argument):
        if (call, phase) == ("fetch_positions", "before") and desk.made_request:
            seen.append(call)
            if len(seen) == 1:
                request(desk, kind=RequestKind.COMPARE)
                return desk.clock.sleep(10)
        return None

    async def ask(engine, at):
        desk.made_request = True
        request(desk, kind=RequestKind.COMPARE)
        return "ran"

    desk.made_request = False
    desk.broker.hook = hold
    live(desk, ask, minutes=5)
    rows = committed(desk.database, "SELECT outcome FROM job_runs WHERE job = 'command'")
    assert {outcome for (outcome,) in rows} <= {"ran", "late"}
    assert len(rows) == 2
    assert waiting_requests(desk.control_dir) == []


def test_a_stop_ends_the_tasks_quietly(desk):
    live(desk, None, minutes=1)
    assert desk.made["watch"]._tasks == []
    assert desk.ledger.system_state().state is SystemState.RUNNING
