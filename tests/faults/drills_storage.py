"""Drills of faults C: the file of the ledger, the disk under it, and the machine around both."""

import os
import shutil
import sqlite3
import zoneinfo
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime, time, timedelta
from importlib import resources
from pathlib import Path

import pytest
import structlog

from bot.app import logs
from bot.app.config.schema import ScheduleSection
from bot.app.exit_codes import CommandFailed
from bot.app.host import require_time_zones
from bot.app.run import scheduled_triggers
from bot.errors import BotError
from state.anchors import anchor_path
from state.errors import (
    ForeignWriter,
    LeaseLost,
    LedgerBehindAnchor,
    LedgerCorrupt,
    LedgerForked,
    LedgerReplaced,
    NetworkStorage,
    NotALedger,
    SchemaTooNew,
)
from state.files import file_system_of
from strategies.model.calendars import EXCHANGE_ZONE
from strategies.model.limits import SystemState
from strategies.model.locks import LockKind
from tests.bot.app.test_schedule import Desk, bots_jobs, due_times, fired
from tests.bot.engine.test_protections import held
from tests.bot.engine.test_watching import live as live_watched
from tests.builders import AT
from tests.faults.drilling import Dice, a_desk, a_ledger, drill, own_logging
from tests.simulation.apsw_driver import Disk, Failure
from tests.state import records
from tests.state.test_failing_disk import SCENARIOS, live, operations, points, require_nothing_lost
from tests.state.test_host_faults import MOUNTS, deposit, opened, with_deposits
from tests.state.test_storage import fill_every_table

_WHOLE = 5 * records.deposit().amount_usd


@drill("C2")
def the_power_goes(seed: int, folder: Path) -> None:
    """What was not synced is lost in part and torn; nothing that was acknowledged is."""
    dice = Dice(seed)
    path, scenario = a_ledger(folder), SCENARIOS[dice.pick(list(SCENARIOS))]
    asked = operations(path, folder, scenario)
    index = dice.pick(list(points(asked, Failure.POWER_CUT)))
    copy = Path(shutil.copy(path, folder / "cut.db"))
    disk = Disk(fails_at=index, failure=Failure.POWER_CUT)
    story = live(copy, disk, scenario)
    left = folder / "left"
    left.mkdir()
    for name, content in disk.after_power_cut(dice.generator).items():
        (left / name).write_bytes(content)
    require_nothing_lost(left / copy.name, story)


def _with_log(folder: Path, change: Callable[[bytearray], None]) -> None:
    """Change the log of a ledger; what is opened then is whole, or refused."""
    path = a_ledger(folder)
    log = bytearray(with_deposits(path))
    change(log)
    for rest in folder.glob(f"{path.name}-*"):
        if not rest.samefile(anchor_path(path)):
            rest.unlink()
    path.with_name(path.name + "-wal").write_bytes(bytes(log))
    found = opened(path)
    assert found == _WHOLE or "nothing is traded on it" in str(found), found


@drill("C3")
def the_log_loses_its_tail(seed: int, folder: Path) -> None:
    """SQLite opens to an earlier state without a word; the anchor knows better."""
    dice = Dice(seed)

    def cut(log: bytearray) -> None:
        del log[dice.whole(0, len(log)) :]

    _with_log(folder, cut)


@drill("C4")
def a_bit_of_the_log_flips(seed: int, folder: Path) -> None:
    """SQLite drops that commit and every later one without a word."""
    dice = Dice(seed)

    def flip(log: bytearray) -> None:
        log[dice.whole(0, len(log) - 1)] ^= 1 << dice.whole(0, 7)

    _with_log(folder, flip)


@drill("C5")
def a_bit_of_a_page_flips(seed: int, folder: Path) -> None:
    """Refused, or the bit stood where nothing is stored."""
    dice = Dice(seed)
    path = a_ledger(folder)
    with records.open_ledger(path) as ledger:
        fill_every_table(ledger)
        wanted = ledger.cash_usd(), ledger.positions()
    damaged = bytearray(path.read_bytes())
    damaged[dice.whole(100, len(damaged) - 1)] ^= 1 << dice.whole(0, 7)
    path.write_bytes(bytes(damaged))
    try:
        with records.open_ledger(path) as ledger:
            assert (ledger.cash_usd(), ledger.positions()) == wanted
    except (LedgerCorrupt, LedgerBehindAnchor, NotALedger):
        pass


@drill("C9")
def the_file_goes_under_the_bot(seed: int, folder: Path) -> None:
    """Deleted or replaced, the file or its log: nothing more is acknowledged."""
    dice = Dice(seed)
    what, suffix = dice.pick(["deleted", "replaced"]), dice.pick(["", "-wal"])
    path = a_ledger(folder)
    with records.open_ledger(path) as ledger:
        for number in range(dice.whole(1, 4)):
            deposit(ledger, f"d{number}")
        victim = path.with_name(path.name + suffix)
        if what == "replaced":
            shutil.copy(victim, folder / "older")
            (folder / "older").replace(victim)
        else:
            victim.unlink()
        for name in ("later", "later still"):
            with pytest.raises(LedgerReplaced, match=what):
                deposit(ledger, name)


@drill("C10")
def the_schema_is_of_a_newer_program(seed: int, folder: Path) -> None:
    """Refused, and left as it is."""
    path = a_ledger(folder)
    with closing(sqlite3.connect(path)) as newer, newer:
        version = f"{Dice(seed).whole(10, 9999):04d}"
        newer.execute("UPDATE alembic_version SET version_num = ?", (version,))
    before = path.read_bytes()
    with pytest.raises(SchemaTooNew, match="newer than this program"):
        records.open_ledger(path)
    assert path.read_bytes() == before


@drill("C12")
def a_child_has_its_parent_s_connection(seed: int, folder: Path) -> None:
    """The child is refused, and the parent goes on."""
    before = Dice(seed).whole(0, 3)
    with records.open_ledger(a_ledger(folder)) as ledger:
        for number in range(before):
            deposit(ledger, f"d{number}")
        child = os.fork()
        if child == 0:
            code = 1
            try:
                deposit(ledger, "of the child")
            except LedgerForked:
                code = 0
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        assert deposit(ledger, "of the parent")
        assert ledger.cash_usd() == (before + 1) * records.deposit().amount_usd


@drill("C13")
def the_folder_is_a_network_share(seed: int, folder: Path) -> None:
    """Refused before a file is made; a local disk below it is not."""
    dice = Dice(seed)
    kind = dice.pick(["nfs", "nfs4", "cifs", "smb3", "fuse.sshfs"])
    share = folder / f"{dice.word()} {dice.word()}"
    (share / "local").mkdir(parents=True)
    table = folder / "mountinfo"
    table.write_text(MOUNTS.format(share=str(share).replace(" ", r"\040"), kind=kind))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("state.files._MOUNTS", table)
        with pytest.raises(NetworkStorage, match=kind):
            records.open_ledger(share / "ledger.db")
        assert not (share / "ledger.db").exists(), list(share.iterdir())
        assert file_system_of(share / "local" / "ledger.db") == "xfs"


@drill("C14")
def a_task_dies(seed: int, folder: Path) -> None:
    """It is fatal, and said."""
    dice = Dice(seed)
    dies_at = AT + timedelta(seconds=dice.whole(10, 200))
    failure = dice.pick([ZeroDivisionError, MemoryError, OSError, KeyError, RecursionError])

    def break_it(call: str, phase: str, argument: object) -> None:
        if desk.clock.now() > dies_at:
            raise failure("nobody foresaw")

    with a_desk(folder) as desk:
        desk.broker.hook = break_it
        with pytest.raises((RuntimeError, BotError), match=r"nobody foresaw"):
            live_watched(desk, None, minutes=10)
        assert desk.ledger.system_state().state is SystemState.HALTED


@drill("C15")
def the_clock_is_off(seed: int, folder: Path) -> None:
    """Two seconds either way are borne; beyond, nothing opens until the clocks agree."""
    dice = Dice(seed)
    off = timedelta(seconds=dice.pick([-1, 1]) * dice.pick([1, 1.9, 2.5, 30, 3600, 7200]))
    with a_desk(folder) as desk:
        desk.broker.change["server_time"] = lambda told: told + off
        desk.run(AT)
        expected = [LockKind.CLOCK_SKEW] if abs(off) > timedelta(seconds=2) else []
        assert held(desk) == expected
        desk.broker.change.clear()
        desk.run(AT + timedelta(minutes=15), start=False)
        assert held(desk) == []


@drill("C16")
def the_clocks_change(seed: int, folder: Path) -> None:
    """Each instant due about it has one row, through a stop and a start."""
    dice = Dice(seed)
    sunday = dice.pick([date(2026, 11, 1), date(2027, 3, 14), date(2020, 3, 8), date(2021, 11, 7)])
    minutes, entry = dice.pick([(75, "11:00"), (195, "13:00"), (375, "09:45")])
    section = ScheduleSection(interval_minutes=minutes, entries=f"mon,fri {entry}")
    begin = datetime.combine(sunday - timedelta(days=2), time(9), tzinfo=EXCHANGE_ZONE)
    end = (begin + timedelta(days=3, hours=12)).astimezone(UTC)
    at = begin.astimezone(UTC)
    stops_at = at + dice.share() * (end - at)
    desk = Desk(folder)
    try:
        desk.live(*bots_jobs(desk, section), start=at, until=stops_at)
        again = max(desk.clock_at, stops_at) + timedelta(minutes=dice.whole(0, 600))
        if again < end:
            desk.live(*bots_jobs(desk, section), start=again, until=end)
        ends_at = end if again < end else stops_at
        rows = [(job, due) for job, due, _ in due_times(desk)]
        assert len(rows) == len(set(rows))
        for name in scheduled_triggers(section):
            due = fired(section, name, begin.date(), end.date())
            expected = {each for each in due if begin <= each < ends_at}
            assert {each for job, each in rows if job == name and each < ends_at} == expected
    finally:
        desk.ledger.close()


def _zone_file(name: str) -> bytes:
    """Return the time zone of that name as this machine, or tzdata, has it."""
    places = [Path(place, name) for place in zoneinfo.TZPATH]
    found = next((place for place in places if place.exists()), None)
    if found is not None:
        return found.read_bytes()
    return resources.files("tzdata.zoneinfo").joinpath(*name.split("/")).read_bytes()


@drill("C17")
def the_time_zones_are_wrong(seed: int, folder: Path) -> None:
    """Missing or outdated, a run does not begin."""
    dice = Dice(seed)
    name = dice.pick(["America/New_York", "America/Chicago"])
    other = _zone_file(dice.pick(["Etc/GMT+5", "Etc/GMT+6", "Etc/UTC", "America/Bogota"]))
    before = zoneinfo.TZPATH
    (folder / name).parent.mkdir(parents=True)
    (folder / name).write_bytes(other)
    try:
        zoneinfo.reset_tzpath([folder, *before])
        zoneinfo.ZoneInfo.clear_cache()
        with pytest.raises(CommandFailed, match="an hour off"):
            require_time_zones()
    finally:
        zoneinfo.reset_tzpath(before)
        zoneinfo.ZoneInfo.clear_cache()
    require_time_zones()


@drill("C18")
def the_log_never_ends(seed: int, folder: Path) -> None:
    """Whatever is said, and however often, files stay within their bounds."""
    dice = Dice(seed)
    bound = dice.whole(2_000, 20_000)
    with own_logging(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(logs, "_FILE_BYTES_MAX", bound)
        logs.start_logging(folder / "bot.log", "info")
        text = "x" * dice.whole(1, 400)
        for number in range(300):
            structlog.get_logger("test").info(text, number=number)
    files = list(folder.glob("bot.log*"))
    assert 1 <= len(files) <= 1 + logs._FILES_KEPT
    assert all(file.stat().st_size <= bound for file in files)


@drill("C19")
def another_program_writes(seed: int, folder: Path) -> None:
    """Noticed before anything more is stored."""
    dice = Dice(seed)
    path = a_ledger(folder)
    with records.open_ledger(path) as ledger:
        deposit(ledger)
        with closing(sqlite3.connect(path)) as other:
            statement = dice.pick(
                [
                    "DELETE FROM positions",
                    "CREATE TABLE notes (id INTEGER)",
                    "PRAGMA user_version = 77",
                    "INSERT INTO leases VALUES (77, 1, '2020-02-03T15:00:00.000000Z')",
                ]
            )
            other.execute(statement)
            other.commit()
        for number in range(dice.whole(1, 3)):
            with pytest.raises(
                (ForeignWriter, LeaseLost), match=r"another program wrote|taken over"
            ):
                deposit(ledger, f"later {number}")
