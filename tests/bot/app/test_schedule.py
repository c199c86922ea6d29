"""The schedule: one job at a time, nothing lost without a row, nothing failed without a halt."""

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from bot.app.config.schema import ScheduleSection
from bot.app.run import scheduled_triggers
from bot.app.schedule import Schedule, ScheduledJob
from bot.clock import SystemClock, virtual_time
from bot.errors import BooksDisagree
from state.errors import LeaseLost, StorageFailed
from strategies.model.calendars import EXCHANGE_ZONE
from tests.bot.engine.fakes import InterceptedLedger, committed
from tests.builders import AT, instant
from tests.state import records

GRACE_S = 450


class Desk:
    """A schedule on an empty ledger, at 10:00 on a quiet Monday, with a list of what it did."""

    def __init__(self, folder):
        self.clock = SystemClock()
        self.did = []
        self.halts = []
        self.path = folder / "ledger.sqlite"
        self.ledger = InterceptedLedger.open(
            self.path, mode=records.MODE, account=records.ACCOUNT, now=AT
        )
        self.schedule = None
        self.clock_at = AT  # when the last life ended

    def job(self, name, trigger, act=None):
        """A job that notes when it ran, does ``act`` and says what that returned."""

        async def run(scheduled_at):
            self.did.append((name, scheduled_at.astimezone(UTC), self.clock.now()))
            outcome = None if act is None else await act()
            return outcome or "ran"

        return ScheduledJob(name=name, trigger=trigger, run=run)

    def live(self, *jobs, until, start=AT, decided_at=None):
        """Run jobs from ``start`` to ``until`` in virtual time."""

        async def finish():
            self.schedule.stop()

        async def main():
            self.schedule = Schedule(
                self.ledger, self.clock, misfire_grace_s=GRACE_S, halt=self.halts.append
            )
            end = self.job("~finish", DateTrigger(run_date=until), finish)
            for job in (*jobs, replace(end, however_late=True)):
                self.schedule.add(job)
            await self.schedule.run_until_stopped(decided_at=decided_at)

        with virtual_time(start) as loop:
            loop.run_until_complete(main())
            self.clock_at = self.clock.now()

    def rows(self):
        """(job, minutes after ten, outcome, note) of every row but the last."""
        query = "SELECT job, scheduled_at, outcome, note FROM job_runs ORDER BY sequence"
        return [
            (job, (datetime.fromisoformat(at) - AT) / timedelta(minutes=1), outcome, note)
            for job, at, outcome, note in committed(self.path, query)
            if job != "~finish"
        ]


@pytest.fixture
def desk(tmp_path):
    made = Desk(tmp_path)
    yield made
    made.ledger.close()


def every(minutes):
    return IntervalTrigger(minutes=minutes, start_date=AT, timezone=EXCHANGE_ZONE)


def later(minutes):
    return AT + timedelta(minutes=minutes)


def names(desk):
    return [name for name, _, _ in desk.did if name != "~finish"]


# --- order --------------------------------------------------------------------------------------


def test_jobs_of_one_instant_run_in_order_of_their_names_one_at_a_time(desk):
    at_work = []

    async def work():
        assert at_work == []
        at_work.append(1)
        await desk.clock.sleep(120)
        at_work.pop()

    jobs = [desk.job(name, every(15), work) for name in ("interval", "entry", "end_of_day")]
    desk.live(*jobs, until=later(20))
    assert names(desk) == ["end_of_day", "entry", "interval"] * 2
    starts = [(started - AT).total_seconds() for *_, started in desk.did[:3]]
    assert starts == [0, 120, 240]


def test_a_job_is_told_its_scheduled_instant_to_the_microsecond(desk):
    async def work():
        await desk.clock.sleep(37)

    desk.live(desk.job("a", every(15), work), desk.job("b", every(15)), until=later(50))
    assert {(at - AT) % timedelta(minutes=15) for _, at, _ in desk.did[:-1]} == {timedelta(0)}


def test_the_effective_settings_are_those_that_were_asked_for(desk):
    seen = []

    async def look():
        seen.extend(desk.schedule._scheduler.get_jobs())

    desk.live(desk.job("a", every(15), look), until=later(1))
    assert {job.id for job in seen} == {"a", "~finish"}
    for job in seen:
        patience = (2, None) if job.id == "~finish" else (1, GRACE_S)  # that comes however late
        assert (job.coalesce, job.max_instances, job.misfire_grace_time) == (True, *patience)
        assert asyncio.iscoroutinefunction(job.func), "else it would run in a thread"
    assert str(desk.schedule._scheduler.timezone) == "America/New_York"


def test_a_job_that_is_no_coroutine_function_is_refused(desk):
    job = ScheduledJob(name="a", trigger=every(15), run=lambda at: "ran")
    with pytest.raises(AssertionError, match="thread"):
        desk.live(job, until=later(1))


# --- what becomes of a run ----------------------------------------------------------------------


def test_each_run_leaves_a_row_with_its_outcome(desk):
    outcomes = iter(["ran", "skipped: no session", "ran: its orders are left"])

    async def work():
        return next(outcomes)

    desk.live(desk.job("a", every(15), work), until=later(40))
    assert desk.rows() == [
        ("a", 0, "ran", ""),
        ("a", 15, "skipped", "no session"),
        ("a", 30, "ran", "its orders are left"),
    ]


def test_a_job_that_fails_halts_is_recorded_and_propagates(desk):
    async def fail():
        raise BooksDisagree("cash: ledger has 1, broker has 2")

    with pytest.raises(BooksDisagree, match="cash"):
        desk.live(desk.job("a", every(15), fail), desk.job("b", every(15)), until=later(60))
    assert names(desk) == ["a"], "nothing runs after a failure"
    assert desk.halts == ["cash: ledger has 1, broker has 2"]
    assert desk.rows() == [("a", 0, "failed", "cash: ledger has 1, broker has 2")]


def test_what_nobody_foresaw_halts_too(desk):
    async def fail():
        return {}["absent"]

    with pytest.raises(KeyError):
        desk.live(desk.job("a", every(15), fail), until=later(60))
    assert desk.halts == ["unexpected KeyError('absent')"]


def test_a_failure_that_cannot_be_recorded_stops_the_schedule_all_the_same(desk):
    failure = StorageFailed(desk.path, "disk full")

    def refuse(boundary):
        raise failure

    async def fail():
        desk.ledger.hook = refuse
        raise failure

    with pytest.raises(StorageFailed):
        desk.live(desk.job("a", every(15), fail), until=later(60))
    assert len(desk.halts) == 1
    assert names(desk) == ["a"]


def test_a_run_that_cannot_be_recorded_is_a_failure(desk):
    def refuse(boundary):
        raise LeaseLost(desk.path, own_epoch=1, current_epoch=2)

    async def work():
        desk.ledger.hook = refuse

    with pytest.raises(LeaseLost):
        desk.live(desk.job("a", every(15), work), until=later(60))
    assert names(desk) == ["a"]
    assert "taken over" in desk.halts[0]


def test_the_end_of_the_process_is_no_job_failure(desk):
    async def end():
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        desk.live(desk.job("a", every(15), end), desk.job("b", every(15)), until=later(60))
    assert desk.halts == []
    assert names(desk) == ["a"]


# --- what did not run ---------------------------------------------------------------------------


class Stall:
    """Lets time pass without the loop noticing, as a suspended machine does."""

    def __init__(self, desk, minutes):
        self.desk = desk
        self.minutes = minutes

    async def __call__(self):
        if self.minutes:
            minutes, self.minutes = self.minutes, 0
            asyncio.get_running_loop()._virtual._advance(minutes * 60)


def stalled(desk, stall):
    """A job every quarter of an hour, and a stall from a minute past ten."""
    return desk.job("stall", DateTrigger(run_date=later(1)), stall), desk.job("a", every(15))


def test_a_stall_shorter_than_the_grace_time_costs_nothing(desk):
    stall = Stall(desk, 16)
    desk.live(*stalled(desk, stall), until=later(40))
    rows = [row for row in desk.rows() if row[0] == "a"]
    assert [row[:3] for row in rows] == [("a", 0, "ran"), ("a", 15, "late"), ("a", 30, "ran")]
    assert rows[1][3] == "120 s"


def test_an_instant_missed_by_more_than_the_grace_time_leaves_a_row(desk):
    stall = Stall(desk, 26)
    desk.live(*stalled(desk, stall), until=later(40))
    assert [row for row in desk.rows() if row[0] == "a"] == [
        ("a", 0, "ran", ""),
        ("a", 15, "missed", "later than the grace time"),
        ("a", 30, "ran", ""),
    ]


def test_every_instant_of_a_long_stall_leaves_a_row(desk):
    stall = Stall(desk, 62)
    desk.live(*stalled(desk, stall), until=later(80))
    assert [row[:3] for row in desk.rows() if row[0] == "a"] == [
        ("a", 0, "ran"),
        ("a", 15, "missed"),
        ("a", 30, "missed"),
        ("a", 45, "missed"),
        ("a", 60, "late"),
        ("a", 75, "ran"),
    ]


def test_an_instant_at_which_the_job_was_still_running_leaves_a_row(desk):
    lengths = iter([20 * 60, 0])

    async def work():
        await desk.clock.sleep(next(lengths))

    desk.live(desk.job("a", every(15), work), until=later(40))
    assert [row[:3] for row in desk.rows()] == [
        ("a", 15, "missed"),
        ("a", 0, "ran"),
        ("a", 30, "ran"),
    ]
    assert desk.rows()[0][3] == "the one before it was still running"


def test_a_job_that_must_run_runs_however_late(desk):
    stall = Stall(desk, 62)
    must = replace(desk.job("must", DateTrigger(run_date=later(2))), however_late=True)
    desk.live(*stalled(desk, stall), must, until=later(80))
    assert [row for row in desk.rows() if row[0] == "must"] == [("must", 2, "late", "3660 s")]


def test_a_miss_that_cannot_be_recorded_stops_the_schedule(desk):
    async def stall():
        asyncio.get_running_loop()._virtual._advance(26 * 60)
        desk.ledger.hook = refuse

    def refuse(boundary):
        raise StorageFailed(desk.path, "disk full")

    with pytest.raises(StorageFailed):
        desk.live(
            desk.job("a", every(15)),
            desk.job("stall", DateTrigger(run_date=later(1)), stall),
            until=later(300),
        )
    assert len(desk.halts) == 1


# --- stopping -----------------------------------------------------------------------------------


def test_stop_lets_the_job_at_work_finish_and_starts_no_other(desk):
    ended = []

    async def work():
        asyncio.get_running_loop().call_later(30, desk.schedule.stop)
        await desk.clock.sleep(90)
        ended.append(desk.clock.now())

    jobs = desk.job("a", every(15), work), desk.job("b", every(15))
    desk.live(*jobs, until=later(60))
    assert ended == [AT + timedelta(seconds=90)]
    assert names(desk) == ["a"]
    assert desk.rows() == [("a", 0, "ran", "")]


def test_a_job_that_fails_while_the_schedule_is_stopping_is_not_overlooked(desk):
    async def work():
        desk.schedule.stop()
        await desk.clock.sleep(90)
        raise BooksDisagree("cash")

    with pytest.raises(BooksDisagree):
        desk.live(desk.job("a", every(15), work), until=later(60))
    assert desk.halts == ["cash"]


def test_a_stop_before_the_start_runs_nothing(desk):
    async def main():
        schedule = Schedule(desk.ledger, desk.clock, misfire_grace_s=1, halt=desk.halts.append)
        schedule.add(desk.job("a", every(15)))
        schedule.stop()
        await schedule.run_until_stopped()
        await desk.clock.sleep(3600)

    with virtual_time(AT) as loop:
        loop.run_until_complete(main())
    assert desk.did == []


# --- the bot's own triggers ---------------------------------------------------------------------


def fired(section, name, first, last):
    """The instants of one of the bot's jobs from one day to another, in UTC."""
    trigger = scheduled_triggers(section)[name]
    at = datetime.combine(first, time(), tzinfo=EXCHANGE_ZONE)
    end = datetime.combine(last, time(23), tzinfo=EXCHANGE_ZONE)
    found = []
    while (at := trigger.get_next_fire_time(found[-1] if found else None, at)) and at < end:
        found.append(at)
    return [each.astimezone(UTC) for each in found]


@pytest.mark.parametrize(
    ("first", "last", "hours"),
    [
        (date(2020, 3, 6), date(2020, 3, 9), [15, 14]),  # clocks go forward on the 8th
        (date(2020, 10, 30), date(2020, 11, 2), [14, 15]),  # and back on 1 November
    ],
)
def test_exchange_time_is_kept_over_a_change_of_clocks(first, last, hours):
    assert [at.hour for at in fired(ScheduleSection(), "entry", first, last)] == hours
    intervals = fired(ScheduleSection(), "interval", first, last)
    local = [at.astimezone(EXCHANGE_ZONE).time() for at in intervals]
    assert local == [*ScheduleSection().intervals()] * 2


def test_a_week_with_a_change_of_clocks_runs_every_job_at_its_exchange_time(desk):
    triggers = scheduled_triggers(ScheduleSection())
    jobs = [desk.job(name, trigger) for name, trigger in triggers.items()]
    desk.live(*jobs, start=instant("2020-03-06 09:00"), until=instant("2020-03-10 18:00"))
    assert all(at == started for _, at, started in desk.did)
    local = [(name, at.astimezone(EXCHANGE_ZONE)) for name, at, _ in desk.did]
    days = [6, 9, 10]
    entries = [(at.day, at.time()) for name, at in local if name == "entry"]
    assert entries == [(6, time(10)), (9, time(10))]
    evenings = [(at.day, at.time()) for name, at in local if name == "end_of_day"]
    assert evenings == [(day, time(16, 20)) for day in days]
    assert [name for name, at in local if name == "housekeeping"] == ["housekeeping"]
    assert sum(name == "interval" for name, _ in local) == 26 * 3
    assert [row for row in desk.rows() if row[2] != "ran"] == []


def test_the_shipped_day_has_26_intervals_and_entries_go_before_them():
    day = date(2020, 2, 3)
    intervals = fired(ScheduleSection(), "interval", day, day)
    assert (len(intervals), intervals[0].hour, intervals[-1].hour) == (26, 14, 21)
    assert set(fired(ScheduleSection(), "entry", day, day)) < set(intervals)
    assert sorted(scheduled_triggers(ScheduleSection())) == [
        "end_of_day",
        "entry",
        "housekeeping",
        "interval",
    ]


@pytest.mark.parametrize("minutes", [1, 5, 20, 30, 45, 60, 195, 375])
def test_any_allowed_spacing_gives_the_intervals_it_names(minutes):
    section = ScheduleSection(interval_minutes=minutes, entries="mon 09:45")
    day = date(2020, 2, 3)
    found = fired(section, "interval", day, day)
    assert [each.astimezone(EXCHANGE_ZONE).time() for each in found] == [*section.intervals()]


def test_weekends_have_nothing_to_do():
    for name in ("interval", "end_of_day", "entry", "housekeeping"):
        instants = fired(ScheduleSection(), name, date(2020, 2, 1), date(2020, 3, 1))
        assert instants
        assert {at.weekday() for at in instants} <= {0, 1, 2, 3, 4}
    assert CronTrigger(day_of_week="mon", timezone=EXCHANGE_ZONE).get_next_fire_time(
        None, instant("2020-02-02 00:00")
    ) == instant("2020-02-03 00:00"), "names, never numbers"


# --- what was due while no bot ran --------------------------------------------------------------


def due_times(desk):
    """(job, due time) of every row but the last jobs, with the outcome."""
    query = "SELECT job, scheduled_at, outcome FROM job_runs ORDER BY sequence"
    return [
        (job, datetime.fromisoformat(at), outcome)
        for job, at, outcome in committed(desk.path, query)
        if job != "~finish"
    ]


def bots_jobs(desk, section):
    triggers = scheduled_triggers(section)
    return [desk.job(name, trigger) for name, trigger in triggers.items()]


def test_what_was_due_while_no_bot_ran_leaves_a_row_at_the_next_start(desk):
    desk.live(desk.job("a", every(15)), until=later(20))
    desk.live(desk.job("a", every(15)), start=later(50), until=later(70))
    assert [row for row in desk.rows() if row[0] == "a"] == [
        ("a", 0, "ran", ""),
        ("a", 15, "ran", ""),
        ("a", 30, "missed", "the bot was not running"),
        ("a", 45, "missed", "the bot was not running"),
        ("a", 60, "ran", ""),
    ]


def test_a_job_that_was_cut_off_and_finished_by_the_start_is_none_that_was_missed(desk):
    """Fault C1: killed in the midst of a job that had decided; its row says so."""
    desk.live(desk.job("a", every(15)), desk.job("b", every(15)), until=later(20))
    made = [replace(desk.job(name, every(15)), decides=True) for name in ("a", "b")]
    decided_at = later(30) + timedelta(seconds=2)
    desk.live(*made, start=later(50), until=later(61), decided_at=decided_at)
    assert [row for row in desk.rows() if row[1] in (30, 45)] == [
        ("a", 30, "late", "cut off with its process, and finished at the next start"),
        ("a", 45, "missed", "the bot was not running"),
        ("b", 30, "skipped", "decided before"),
        ("b", 45, "missed", "the bot was not running"),
    ]


def test_a_decision_whose_job_has_its_row_was_not_cut_off(desk):
    made = [replace(desk.job(name, every(15)), decides=True) for name in ("a", "b")]
    desk.live(*made, until=later(20))
    decided_at = later(15) + timedelta(seconds=2)
    desk.live(*made, start=later(50), until=later(61), decided_at=decided_at)
    assert {row[2] for row in desk.rows() if row[1] in (30, 45)} == {"missed"}


def test_a_start_at_the_very_instant_misses_nothing(desk):
    desk.live(desk.job("a", every(15)), until=later(20))
    desk.live(desk.job("a", every(15)), start=later(30), until=later(40))
    assert [row[1:3] for row in desk.rows() if row[0] == "a"] == [
        (0, "ran"),
        (15, "ran"),
        (30, "ran"),
    ]


@pytest.mark.parametrize("sunday", [date(2026, 11, 1), date(2027, 3, 14)])
@given(data=st.data())
@settings(max_examples=6, deadline=None, phases=[Phase.generate])
def test_every_due_instant_around_a_change_of_clocks_has_exactly_one_row(
    tmp_path_factory, sunday, data
):
    """Faults C15, C16: restarts, suspended machines and a change of clocks lose and double none."""
    desk = Desk(tmp_path_factory.mktemp("change"))
    section = ScheduleSection(interval_minutes=75, entries="mon,fri 11:00")
    begin = datetime.combine(sunday - timedelta(days=2), time(9), tzinfo=EXCHANGE_ZONE)
    end = begin + timedelta(days=3, hours=12)
    minutes = st.integers(0, int((end - begin) / timedelta(minutes=1)))
    cuts = sorted(data.draw(st.sets(minutes, min_size=0, max_size=4), label="stops and starts"))
    stalls = data.draw(st.lists(st.tuples(minutes, st.sampled_from([2, 20, 60])), max_size=2))
    at = begin.astimezone(UTC)
    bounds = [at + timedelta(minutes=cut) for cut in cuts] + [end.astimezone(UTC)]
    try:
        for index, bound in enumerate(bounds):
            if index % 2 == 0 or index == len(bounds) - 1:  # else the bot is not running
                naps = [
                    desk.job(f"nap-{n}", DateTrigger(run_date=nap), Stall(desk, length))
                    for n, (minute, length) in enumerate(stalls)
                    if at < (nap := begin.astimezone(UTC) + timedelta(minutes=minute)) < bound
                ]
                desk.live(*bots_jobs(desk, section), *naps, start=at, until=bound)
                at = max(desk.clock_at, bound)
            else:
                at = max(at, bound)
        rows = [(job, due) for job, due, _ in due_times(desk) if not job.startswith("nap")]
        assert len(rows) == len(set(rows)), "no instant has two rows"
        for name in scheduled_triggers(section):
            expected = {
                due for due in fired(section, name, begin.date(), end.date()) if begin <= due < end
            }
            assert {due for job, due in rows if job == name and due < end} == expected
    finally:
        desk.ledger.close()
