"""Runs from start to end: stopped, resumed, halted, refused; and every day adds up."""

import json
import logging
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.app.cli import app
from bot.app.commands.inputs import paths_of, read_config
from bot.app.logs import start_logging
from bot.app.reports import RunOptions
from bot.app.run import live, run_bot
from bot.app.wiring import build_world, wire
from bot.clock import SystemClock
from bot.engine.control import Command, submit_command
from bot.errors import BrokerUnavailable, MarketDataMissing
from bot.exchange.orders import WORKING
from strategies.model.limits import HaltScope, SystemState
from tests.bot.engine.fakes import Faults, InterceptedBroker, InterceptedLedger, committed
from tests.builders import instant

ROOT = Path(__file__).parents[3]
CONFIG = """\
name: run-test
broker:
  kind: simulated
  transport: in_process
  starting_cash_usd: 1_000_000
  seed: 11
  market: {{kind: replay, from: {first}, to: {last}}}
limits: limits.yaml
"""
FILLS = "SELECT * FROM fills ORDER BY exec_root, revision"
# What a repeated start does not repeat
PER_PROCESS = {"run_id", "seconds", "peak_memory_mb"}


class Bot:
    """A configuration and a state folder, to be run in this process or in another."""

    def __init__(self, folder: Path, first: str = "2020-02-24", last: str = "2020-02-25") -> None:
        self.folder = folder
        if not folder.exists():
            folder.mkdir()
            shutil.copy(ROOT / "limits.yaml", folder)
            (folder / "config.yaml").write_text(CONFIG.format(first=first, last=last))
        self.state_dir = folder / "var"
        self.sessions = []
        self.watch = None

    @property
    def config(self):
        return read_config(self.folder / "config.yaml", [])

    @property
    def paths(self):
        return paths_of(self.config, self.state_dir)

    def on_interval(self, report):
        if self.watch is not None:
            self.watch(report)

    def on_session(self, report):
        self.sessions.append(report)

    def on_note(self, text):
        pass

    def run(self, **options):
        """Run in this process."""
        return run_bot(self.config, self.paths, RunOptions(**options), self)

    def live(self, change=None, *, busy_timeout_ms=50, **options):
        """Live with a broker that can be tampered with; return the outcome, broker, exchange."""
        config, paths = self.config, self.paths
        ledger = InterceptedLedger.open(
            paths.database,
            mode=config.mode,
            account=config.account,
            now=SystemClock().now(),
            busy_timeout_ms=busy_timeout_ms,
        )
        with ledger:
            self.ledger = ledger
            wiring = wire(build_world(config), paths)
            wiring = replace(wiring, connect=self.intercepted(wiring.connect, change))
            return live(config, paths, RunOptions(**options), self, wiring=wiring, ledger=ledger)

    def intercepted(self, connect, change):
        """Return a connection to a broker that can be tampered with."""

        @asynccontextmanager
        async def connect_intercepted(ledger):
            async with connect(ledger) as ports:
                self.exchange = ports.broker._exchange
                self.broker = InterceptedBroker(ports.broker)
                self.market_data = ports.market_data
                changes = {} if change is None else change(self) or {}
                yield replace(ports, broker=self.broker, **changes)

        return connect_intercepted

    def ask(self, query, *values):
        """What another process finds in the database."""
        return committed(self.paths.database, query, *values)

    def states(self):
        query = "SELECT state, reason, set_by FROM system_states ORDER BY sequence"
        return self.ask(query)

    def alvh(self, *arguments):
        """Call the command line in this process."""
        where = ("--config", str(self.folder / "config.yaml"), "--state-dir", str(self.state_dir))
        return CliRunner().invoke(app, [*arguments, *where])

    def start(self, *arguments):
        """Start ``alvh run`` in another process."""
        command = [sys.executable, "-m", "bot.app", "run", "--format", "json", *arguments]
        where = ("--config", str(self.folder / "config.yaml"), "--state-dir", str(self.state_dir))
        return subprocess.Popen(
            [*command, *where],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def bot(tmp_path):
    return Bot(tmp_path / "bot")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Eight sessions around the first week of the crash, never disturbed, and their summary."""
    made = Bot(tmp_path_factory.mktemp("whole") / "bot", "2020-02-21", "2020-03-03")
    summary = made.run()
    assert summary.fills > 0, "a run without fills proves nothing"
    return made, summary


# --- what a run leaves --------------------------------------------------------------------------


def test_every_day_adds_up_to_the_net_liquidation_value(whole):
    """Deposits + realised + unrealised - fees. The cost of a hedge is an average kept to the
    millionth of a point, so that a few hundred contracts may be off by a tenth of a cent."""
    bot, summary = whole
    rows = bot.ask(
        "SELECT session, 1000000000000 + condor_realised_usd_micros + condor_unrealised_usd_micros"
        " + hedge_realised_usd_micros + hedge_unrealised_usd_micros - fees_usd_micros"
        " - net_liquidation_usd_micros FROM daily_pnl"
    )
    assert len(rows) == 8
    assert max(abs(difference) for _, difference in rows) < 5_000
    assert summary.reconciliation_difference_usd == 0
    assert summary.reconciliation_breaks == ()


def test_the_attribution_of_the_summary_adds_up(whole):
    _, summary = whole
    parts = summary.condor_pnl_usd + summary.hedge_pnl_usd - summary.fees_usd
    assert abs(parts - summary.total_pnl_usd) < Decimal("0.005")
    assert summary.start_nlv_usd == 1_000_000
    assert sum(summary.hedge_trades.values()) <= summary.fills


def test_every_instant_has_a_row_and_none_was_late(whole):
    bot, summary = whole
    rows = bot.ask("SELECT job, outcome, count(*) FROM job_runs GROUP BY 1, 2 ORDER BY 1, 2")
    assert ("end_of_day", "ran", 8) in rows
    assert ("housekeeping", "ran", 2) in rows
    intervals = {outcome: n for job, outcome, n in rows if job == "interval"}
    entries = {outcome: n for job, outcome, n in rows if job == "entry"}
    assert sum(intervals.values()) == 8 * 26
    assert intervals["ran"] + entries["ran"] == summary.decisions == 8 * 26
    assert {outcome for _, outcome, _ in rows} == {"ran", "skipped"}


def test_the_observer_hears_of_every_session(whole):
    bot, summary = whole
    assert [report.decisions for report in bot.sessions] == [26] * 8
    assert sum(report.fills for report in bot.sessions) == summary.fills
    assert bot.sessions[-1].nlv_usd == summary.final_nlv_usd


def test_intervals_without_market_data_are_skipped_and_on_record(bot):
    class Feed:
        """Market data that know nothing before eleven."""

        def __init__(self, inner):
            self.inner = inner

        async def fetch_market(self):
            if SystemClock().now() < instant("2020-02-24 11:00"):
                raise MarketDataMissing("no SPX chain")
            return await self.inner.fetch_market()

        def __getattr__(self, name):
            return getattr(self.inner, name)

    until = instant("2020-02-24 11:15")
    outcome = bot.live(lambda bot: {"market_data": Feed(bot.market_data)}, until=until)
    assert outcome.halted is None
    skipped = "SELECT job, note FROM job_runs WHERE outcome = 'skipped' ORDER BY sequence"
    # five intervals, and the entry of ten o'clock
    assert bot.ask(skipped) == [
        ("interval", "no SPX chain"),
        ("entry", "no SPX chain"),
        *[("interval", "no SPX chain")] * 4,
    ]
    assert bot.ask("SELECT count(*) FROM decisions") == [(2,)]


# --- stopping and going on ----------------------------------------------------------------------


def test_a_finished_run_that_is_started_again_says_the_same_and_trades_nothing(whole, tmp_path):
    bot, summary = whole
    again = Bot(Path(shutil.copytree(bot.folder, tmp_path / "again")))
    journal = again.paths.exchange_journal.read_bytes()
    second = again.run()
    for field in fields(summary):
        if field.name not in PER_PROCESS | {"database", "reports_dir", "pictures"}:
            assert getattr(second, field.name) == getattr(summary, field.name), field.name
    assert again.paths.exchange_journal.read_bytes() == journal
    assert again.sessions == []


def test_a_run_in_pieces_is_the_run_in_one(whole, tmp_path):
    """Stopped in the middle of a walk, between intervals, overnight and over a weekend."""
    bot, summary = whole
    pieces = Bot(tmp_path / "pieces", "2020-02-21", "2020-03-03")
    for until in (
        "2020-02-21 09:00",
        "2020-02-24 10:00",
        "2020-02-24 13:07",
        "2020-02-26 16:19",
        "2020-02-26 22:00",
        "2020-02-29 12:00",
    ):
        piece = pieces.run(until=instant(until))
        assert piece.last_at is None or piece.last_at <= instant(until)
    last = pieces.run()
    assert pieces.ask(FILLS) == bot.ask(FILLS)
    assert last.final_nlv_usd == summary.final_nlv_usd
    assert last.decisions == summary.decisions
    days = "SELECT session, net_liquidation_usd_micros FROM daily_pnl"
    assert pieces.ask(days) == bot.ask(days)


def test_until_stops_after_the_last_interval_at_or_before_it(bot):
    at = instant("2020-02-24 10:15")
    assert bot.run(until=at).last_at == at
    assert bot.run(until=at - timedelta(days=9)).decisions == 3, "what is done stays done"
    assert bot.run(until=at + timedelta(minutes=14)).decisions == 3
    assert bot.run(until=at + timedelta(minutes=15)).decisions == 4


def test_a_start_that_finds_its_end_gone_by_finishes_what_was_under_way_and_stops(bot):
    """With an interval a minute a job may be half a minute late, and a walk takes two."""

    class Killed(BaseException):
        """The process is gone."""

    config = bot.folder / "config.yaml"
    config.write_text(config.read_text() + "schedule: {interval_minutes: 1}\n")
    at = instant("2020-02-24 10:00")
    bot.run(until=at - timedelta(minutes=1))

    def die(bot):
        bot.broker.hook = Faults({("submit", "after", 1): lambda: (_ for _ in ()).throw(Killed)})

    with pytest.raises(Killed):
        bot.live(die, until=at)
    summary = bot.run(until=at)
    assert summary.last_at == at
    assert bot.ask("SELECT count(*) FROM completions") == [(summary.decisions,)]


def test_once_is_one_interval_and_the_next_once_is_the_next_one(bot):
    for number, at in enumerate(("09:45", "10:00", "10:15", "10:30"), start=1):
        summary = bot.run(once=True)
        assert summary.decisions == number
        assert summary.last_at == instant(f"2020-02-24 {at}")
    straight = Bot(bot.folder.with_name("straight"))
    straight.run(until=instant("2020-02-24 10:30"))
    assert bot.ask(FILLS) == straight.ask(FILLS)
    decided = "SELECT plan_id FROM decisions ORDER BY at"
    assert bot.ask(decided) == straight.ask(decided)


def test_a_run_that_is_terminated_stops_cleanly_and_goes_on_to_the_same_fills(bot, tmp_path):
    straight = Bot(tmp_path / "straight")
    straight.run()
    process = bot.start()
    try:
        assert process.stderr.readline().startswith("2020-02-24"), "the first session is over"
        process.send_signal(signal.SIGTERM)
        stdout, stderr = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 143, stderr
    stopped = json.loads(stdout)
    assert stopped["stopped_by"] == "SIGTERM"
    assert stopped["halted"] is None
    assert stopped["reconciliation_breaks"] == []
    assert stopped["decisions"] < 52
    second = bot.run()
    assert second.decisions == 52
    assert bot.ask(FILLS) == straight.ask(FILLS)


def test_a_second_instance_is_refused_and_touches_nothing(bot):
    process = bot.start("--speed", "3000")  # two sessions take 20 s
    try:
        ends_at = time.perf_counter() + 60
        while not bot.paths.exchange_journal.exists():
            assert process.poll() is None
            assert time.perf_counter() < ends_at, "waited long enough"
        journal = bot.paths.exchange_journal
        with journal.open("a") as file:
            file.write('{"kind":"sub')  # as if the first one were in the middle of writing
        before = journal.read_bytes()
        second = bot.alvh("run")
        assert journal.read_bytes()[: len(before)] == before
    finally:
        process.kill()
        process.communicate()
    assert second.exit_code == 4
    assert f"another instance (process {process.pid})" in second.stderr
    assert len(second.stderr.splitlines()) == 1


# --- halts --------------------------------------------------------------------------------------


def operator(bot, state, scope=None, reason="margin call"):
    """Leave a command for the bot."""
    at = SystemClock().now()
    submit_command(
        bot.paths.control_dir, Command(state=state, scope=scope, reason=reason, by="ops", at=at)
    )


def test_a_halt_and_a_resume_during_a_run_are_obeyed(bot):
    at = iter(range(100))

    def watch(report):
        number = next(at)
        if number == 0:
            operator(bot, SystemState.HALTED, HaltScope.ALL)
        if number == 3:
            operator(bot, SystemState.RUNNING, reason="paid")

    bot.watch = watch
    summary = bot.run(until=instant("2020-02-24 12:00"))
    assert summary.halted is None
    assert [state for state, *_ in bot.states()] == [
        "RECONCILING",
        "RUNNING",
        "HALTED",
        "RECONCILING",
        "RUNNING",
    ]
    halted = "at < '2020-02-24T15:45'"
    sent = f"SELECT count(*) FROM order_events WHERE status = 'SENDING' AND {halted}"
    refused = f"SELECT count(*) FROM order_events WHERE note LIKE 'halted: %' AND {halted}"
    assert bot.ask(sent) == [(0,)]
    assert bot.ask(refused)[0][0] > 0


def test_a_halt_outlives_the_process_and_the_summary_says_so(bot):
    bot.run(until=instant("2020-02-24 09:45"))
    operator(bot, SystemState.HALTED, HaltScope.ALL)
    for until in ("2020-02-24 10:00", "2020-02-24 11:00"):
        summary = bot.run(until=instant(until))
        assert summary.halted == "margin call (by ops); resume with alvh resume"
        assert summary.fills == 0
    assert bot.alvh("run", "--until", "2020-02-24T11:00").exit_code == 1
    assert bot.alvh("resume", "--reason", "paid").exit_code == 0
    assert bot.run(until=instant("2020-02-24 12:00")).halted is None
    assert bot.states()[-3:] == [
        ("STARTING", "paid", bot.states()[-3][2]),
        ("RECONCILING", "start", "bot"),
        ("RUNNING", "reconciled", "bot"),
    ]


def test_a_command_the_bot_did_not_live_to_see_comes_before_a_later_one(bot):
    """An unseen resume must not lift the halt that was asked for after it."""
    bot.run(until=instant("2020-02-24 09:45"))
    operator(bot, SystemState.RUNNING, reason="stale")
    assert bot.alvh("halt", "--reason", "new").exit_code == 0
    assert list(bot.paths.control_dir.glob("*.json")) == []
    assert bot.run(until=instant("2020-02-24 10:00")).halted.startswith("new (by ")


def test_books_that_disagree_lock_what_they_touch_and_say_so_until_they_agree(bot):
    def steal(bot):
        def taken(positions):
            late = bot.exchange.now >= instant("2020-02-24 16:20")
            return {**positions, "SPXW  200320P03000000": 2} if late else positions

        bot.broker.change["fetch_positions"] = taken

    outcome = bot.live(steal)
    difference = "SPXW  200320P03000000: ledger has 0, broker has 2"
    assert outcome.halted is None
    assert outcome.differences == (difference,)
    assert any(difference in lock for lock in outcome.locks)
    rows = bot.ask("SELECT outcome FROM job_runs WHERE job = 'end_of_day'")
    assert rows == [("ran",), ("ran",)]
    opened = "SELECT count(*) FROM orders WHERE condor_id IS NOT NULL AND planned_at > ?"
    assert bot.ask(opened, "2020-02-24T21:20") == [(0,)]
    # The books agree again, so that nothing is left of it
    again = bot.run()
    assert (again.halted, again.reconciliation_breaks, again.locks) == (None, (), ())


def test_cash_that_disagrees_at_the_start_lets_nothing_open(bot):
    bot.run(until=instant("2020-02-24 11:00"))

    def steal(bot):
        bot.broker.change["fetch_account"] = lambda account: replace(
            account, cash_usd=account.cash_usd + 5
        )

    outcome = bot.live(steal)
    assert outcome.halted is None
    assert any("cash: ledger has" in lock for lock in outcome.locks)
    sent = (
        "SELECT count(*) FROM order_events JOIN orders USING (client_order_id)"
        " WHERE effect = 'OPEN' AND status = 'SENDING' AND at > ?"
    )
    assert bot.ask(sent, "2020-02-24T00:00")[0][0] > 0
    assert bot.ask(sent, "2020-02-24T16:02") == [(0,)]


def test_what_nobody_foresaw_halts_withdraws_and_is_not_hidden(bot):
    seen = []

    def break_down(bot):
        def crash():
            seen.append(len([o for o in bot.exchange.orders() if o.status in WORKING]))
            raise IndexError("nobody foresaw this")

        bot.broker.hook = Faults({("submit", "after", 2): crash})

    with pytest.raises(IndexError):
        bot.live(break_down)
    assert seen[0] > 0, "an order was at work"
    assert [order for order in bot.exchange.orders() if order.status in WORKING] == []
    state, reason, by = bot.states()[-1]
    assert (state, by) == ("HALTED", "bot")
    assert reason.startswith("unexpected IndexError")


def test_a_broker_that_cannot_be_reached_at_the_start_is_no_halt(bot):
    def cut(bot):
        bot.broker.hook = Faults({("connect", "before", 1): BrokerUnavailable("no connection")})

    with pytest.raises(BrokerUnavailable):
        bot.live(cut)
    assert bot.states()[-1][0] == "RECONCILING"
    assert bot.run(once=True).decisions == 1


def test_a_database_that_somebody_locks_halts_the_run_even_though_it_cannot_be_written_down(bot):
    locks = []

    def lock(report):
        if not locks:
            locks.append(sqlite3.connect(bot.paths.database, isolation_level=None))
            locks[0].execute("BEGIN IMMEDIATE")

    bot.watch = lock
    outcome = bot.live()
    locks[0].close()
    assert "locked by another program" in outcome.halted
    assert "could not be recorded" in outcome.halted
    assert bot.ask("SELECT count(*) FROM decisions") == [(1,)]
    bot.watch = None
    assert bot.run(once=True).decisions == 2


def test_a_process_that_lost_its_lease_leaves_the_orders_to_the_other_one(bot):
    cancels = []

    def lose(bot):
        def note(call, phase, argument):
            if call == "cancel":
                cancels.append(argument)
            if (call, phase) == ("submit", "after"):
                other = sqlite3.connect(bot.paths.database)
                other.execute(
                    "INSERT INTO leases (epoch, process_id, taken_at)"
                    " SELECT max(epoch) + 1, 1, taken_at FROM leases"
                )
                other.commit()
                other.close()

        bot.broker.hook = note

    outcome = bot.live(lose)
    assert "taken over" in outcome.halted
    assert cancels == []


# --- refusals -----------------------------------------------------------------------------------


def one_line(result, code):
    """The refusal of a command, which is one line and carries its exit code."""
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    return line


@pytest.fixture
def begun(bot):
    bot.run(until=instant("2020-02-24 10:00"))
    return bot


def test_another_seed_over_the_same_files_is_refused_with_a_way_out(begun):
    config = begun.folder / "config.yaml"
    config.write_text(config.read_text().replace("seed: 11", "seed: 12"))
    line = one_line(begun.alvh("run"), 4)
    assert "seed is 11 there and 12 here" in line
    assert "another --state-dir" in line
    assert f"{begun.paths.exchange_journal}" in line
    begun.paths.exchange_journal.unlink()
    for path in begun.state_dir.glob("*.sqlite*"):
        path.unlink()
    assert begun.alvh("run", "--once").exit_code == 0


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("starting_cash_usd: 1_000_000", "starting_cash_usd: 500_000", "starting_cash_usd is"),
        ("seed: 11", "seed: 11\n  margin: cboe", "margin is 'ib' there and 'cboe' here"),
        ("to: 2020-02-25", "to: 2020-02-26", "market is"),
    ],
)
def test_another_world_over_the_same_files_is_refused_by_name(begun, old, new, named):
    config = begun.folder / "config.yaml"
    assert old in config.read_text()
    config.write_text(config.read_text().replace(old, new))
    assert named in one_line(begun.alvh("run"), 4)


def test_a_journal_that_contradicts_itself_is_refused_in_one_line(begun):
    journal = begun.paths.exchange_journal
    header, first, *others = journal.read_text().splitlines()
    journal.write_text("\n".join([header, first.replace("0 fills", "9 fills"), *others]) + "\n")
    assert "line 2: the exchange then had" in one_line(begun.alvh("run"), 4)


def test_a_lost_journal_is_noticed_and_named(begun):
    assert begun.ask("SELECT count(*) FROM fills")[0][0] > 0
    begun.paths.exchange_journal.unlink()
    summary = begun.run(until=instant("2020-02-24 11:00"))
    assert summary.halted is None
    assert any("ledger has" in each for each in summary.reconciliation_breaks)
    assert any("cash: ledger has" in lock for lock in summary.locks)
    assert summary.condors_opened == 1


def test_a_lost_database_is_noticed_and_named(begun):
    for path in begun.state_dir.glob("*.sqlite*"):
        path.unlink()
    summary = begun.run()
    assert "which is not in this ledger" in summary.halted
    assert summary.decisions == 0


def test_a_locked_database_is_one_line(begun):
    lock = sqlite3.connect(begun.paths.database, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    try:
        assert "locked by another program" in one_line(begun.alvh("run"), 1)
    finally:
        lock.close()


def test_a_damaged_database_is_one_line_and_unsafe(begun):
    database = begun.paths.database
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    data = bytearray(database.read_bytes())
    data[4096 * 3 : 4096 * 6] = b"\xa5" * 4096 * 3
    database.write_bytes(data)
    assert "damaged" in one_line(begun.alvh("run"), 4)


def test_a_refused_configuration_leaves_no_files(bot):
    config = bot.folder / "config.yaml"
    config.write_text(config.read_text().replace("from: 2020-02-24", "from: 1980-01-02"))
    assert bot.alvh("run").exit_code != 0
    assert not list(bot.state_dir.glob("*.sqlite"))


# --- logs ---------------------------------------------------------------------------------------


def test_an_error_is_one_line_for_a_person_and_everything_in_the_file(tmp_path, capsys):
    file = tmp_path / "logs" / "bot.log"
    start_logging(file, "info")
    logging.getLogger("some.library").error("it failed", exc_info=ValueError("the cause"))
    logging.getLogger("some.library").warning("only for the file")
    (line,) = capsys.readouterr().err.splitlines()
    assert "it failed" in line
    assert "the cause" in line
    failed, warned = (json.loads(text) for text in file.read_text().splitlines())
    assert "ValueError: the cause" in failed["exception"]
    assert warned["event"] == "only for the file"
    assert "exception" not in warned


def test_a_terminal_that_goes_away_does_not_stop_trading(bot):
    seen = []

    def hang_up(report):
        seen.append(report)
        raise BrokenPipeError(32, "Broken pipe")

    bot.watch = hang_up
    summary = bot.run(until=datetime(2020, 2, 24, 16, 0, tzinfo=UTC))
    assert summary.halted is None
    assert summary.decisions > 1
    assert len(seen) == 1
