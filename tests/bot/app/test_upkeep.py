"""Backups, archives, restoring and migrating from the command line; what a supervisor is told."""

import getpass
import json
import shutil
import sqlite3
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.app.cli import app
from bot.clock import SystemClock
from bot.engine.heartbeat import Heartbeat, read_heartbeat, write_heartbeat
from state.backups import DATABASE, read_manifest, verify_backup
from state.errors import BackupFailed
from state.leases import Lease

NAME = "simulated-DU0000001"
ROOT = Path(__file__).parents[3]
HEADER_BYTES = 100


@pytest.fixture
def folder(copy, monkeypatch) -> Path:
    """The folder of a run of one session, to be changed, as the working directory."""
    monkeypatch.chdir(copy)
    monkeypatch.setenv("COLUMNS", "200")
    return copy


def call(*arguments, code=0):
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == code, result.output + result.stderr
    return result


def answer(*arguments, code=0):
    return json.loads(call(*arguments, "--format", "json", code=code).stdout)


def rows(table):
    return answer("audit", table)["rows"]


def test_a_backup_is_a_folder_that_says_what_it_is(folder):
    told = answer("backup", "--to", "copies/first")
    manifest = verify_backup(folder / "copies" / "first")
    assert (manifest.mode, manifest.account) == ("simulated", "DU0000001")
    assert {file.name for file in manifest.files} >= {DATABASE, "exchange.jsonl"}
    assert told["files"] == [
        {"name": file.name, "size": file.size, "sha256": file.sha256} for file in manifest.files
    ]
    assert told["removed"] == []
    assert [path.name for path in (folder / "copies").iterdir()] == ["first"]


def test_a_backup_overwrites_nothing(folder):
    (folder / "precious").mkdir()
    result = call("backup", "--to", "precious", code=4)
    assert "never overwrites" in result.stderr
    assert list((folder / "precious").iterdir()) == []


def test_only_the_newest_backups_of_the_account_are_kept(folder):
    other = folder / "var" / "backups" / "of-another-account"
    answer("backup", "--to", str(other))
    manifest = json.loads((other / "manifest.json").read_text())
    (other / "manifest.json").write_text(json.dumps(manifest | {"account": "DU2"}))
    for _ in range(2):
        answer("backup")
    told = answer("backup", "--keep", "2")
    assert len(told["removed"]) == 1
    kept = sorted((folder / "var" / "backups").iterdir())
    assert len(kept) == 3  # two of ours, and what is not ours
    assert other in kept


def test_what_was_backed_up_while_the_bot_ran_is_restored_and_goes_on_to_the_same_end(folder):
    """A drill: back up in the middle, lose everything, restore, run on, compare the fills."""
    whole = folder / "whole"
    call("run", "--until", "2020-02-04T10:30", "--state-dir", str(whole))
    fills = answer("audit", "fills", "--state-dir", str(whole))["rows"]
    process = subprocess.Popen(
        [sys.executable, "-m", "bot.app", "run", "--until", "2020-02-04T10:30"],
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    taken = 0
    while process.poll() is None:
        result = CliRunner().invoke(app, ["backup", "--to", f"copies/{taken}"])
        assert result.exit_code == 0, result.stderr
        taken += 1
        time.sleep(0.2)  # noqa: TID251 a real process is waited for
    assert process.returncode == 0
    for number in {taken // 2, taken - 1}:
        told = answer("restore", f"copies/{number}", "--reason", "drill")
        assert told["by"] == getpass.getuser()
        call("run", "--until", "2020-02-04T10:30")
        assert rows("fills") == fills
        assert any("restored from" in str(row["reason"]) for row in rows("states"))
    assert len(list((folder / "var" / "aside").iterdir())) >= 1


def test_restoring_keeps_what_was_there_and_says_who_and_why(folder):
    answer("backup", "--to", "copies/first")
    before = (folder / "var" / f"{NAME}.sqlite").read_bytes()
    told = answer("restore", "copies/first", "--reason", "the disk made noises")
    kept = (Path(told["aside"]) / f"{NAME}.sqlite").read_bytes()
    assert kept[HEADER_BYTES:] == before[HEADER_BYTES:]  # the header says how it is journalled
    last = rows("states")[-1]
    assert last["state"] == "STARTING"
    assert last["reason"] == "restored from copies/first: the disk made noises"
    assert last["by"] == getpass.getuser()


def test_a_halt_in_a_backup_stands_after_it_is_restored(folder):
    call("halt", "--reason", "margin call", "--scope", "opens")
    answer("backup", "--to", "copies/halted")
    call("resume", "--reason", "paid")
    answer("restore", "copies/halted", "--reason", "drill")
    last = rows("states")[-1]
    assert (last["state"], last["scope"]) == ("HALTED", "opens")
    assert last["reason"].startswith("margin call; restored from")


@pytest.mark.parametrize("damage", ["a flipped bit", "a file too many", "a file too few", "a lie"])
def test_a_backup_that_is_not_what_it_says_changes_nothing(folder, damage):
    answer("backup", "--to", "copies/first")
    copy = folder / "copies" / "first"
    match damage:
        case "a flipped bit":
            data = bytearray((copy / DATABASE).read_bytes())
            data[len(data) // 2] ^= 1
            (copy / DATABASE).write_bytes(bytes(data))
        case "a file too many":
            (copy / "exchange.more.jsonl").touch()
        case "a file too few":
            (copy / "exchange.jsonl").unlink()
        case "a lie":
            stored = json.loads((copy / "manifest.json").read_text())
            (copy / "manifest.json").write_text(json.dumps(stored | {"account": "DU0000002"}))
    before = (folder / "var" / f"{NAME}.sqlite").read_bytes()
    call("restore", "copies/first", "--reason", "drill", code=4)
    assert (folder / "var" / f"{NAME}.sqlite").read_bytes() == before
    assert not (folder / "var" / "aside").exists()


def test_a_backup_of_another_account_is_refused(folder):
    answer("backup", "--to", "copies/first")
    setting = ["--set", "broker.account=DU0000002"]
    result = call("restore", "copies/first", "--reason", "drill", *setting, code=4)
    assert "belongs to mode simulated, account DU0000001" in result.stderr


@pytest.mark.parametrize("command", ["run", "restore", "migrate", "archive"])
def test_nothing_is_moved_under_a_running_bot(folder, command):
    """Fault C11: a second instance ends with 4, and has not said a word to the exchange."""
    journal = folder / "var" / f"{NAME}.exchange.jsonl"
    told = journal.read_bytes()
    answer("backup", "--to", "copies/first")
    arguments = ["copies/first", "--reason", "drill"] if command == "restore" else []
    lease = Lease.take(folder / "var" / f"{NAME}.sqlite", SystemClock().now())
    try:
        result = call(command, *arguments, code=4)
    finally:
        lease.release()
    assert "has this ledger" in result.stderr
    assert journal.read_bytes() == told


def test_restoring_needs_a_reason(folder):
    answer("backup", "--to", "copies/first")
    assert "--reason" in call("restore", "copies/first", "--reason", " ", code=2).stderr
    call("restore", "copies/first", code=2)
    call("restore", "nowhere", "--reason", "drill", code=2)
    assert "no backup" in call("restore", "var", "--reason", "drill", code=4).stderr


def test_an_archive_is_one_file_and_can_be_restored(folder):
    told = answer("archive", "--to", "finished.tar.gz")
    assert told["bytes"] == (folder / "finished.tar.gz").stat().st_size
    fills = rows("fills")
    shutil.rmtree(folder / "var")
    answer("restore", "finished.tar.gz", "--reason", "drill")
    assert rows("fills") == fills
    assert "overwrites" in call("archive", "--to", "finished.tar.gz", code=4).stderr
    call("archive", "--to", "finished.zip", code=2)


def test_an_archive_that_is_cut_off_is_refused(folder):
    answer("archive", "--to", "finished.tar.gz")
    data = (folder / "finished.tar.gz").read_bytes()
    (folder / "cut.tar.gz").write_bytes(data[: len(data) // 2])
    (folder / "noise.tar.gz").write_bytes(b"noise")
    for name in ("cut.tar.gz", "noise.tar.gz"):
        call("restore", name, "--reason", "drill", code=4)


def test_a_ledger_that_is_up_to_date_is_not_migrated(folder):
    assert answer("migrate")["outcome"] == "unchanged"
    call("migrate", "--state-dir", "nowhere", code=2)


def test_a_newer_ledger_is_neither_migrated_nor_restored(folder):
    """Fault C10."""
    answer("backup", "--to", "copies/first")
    for file in (folder / "var" / f"{NAME}.sqlite", folder / "copies" / "first" / DATABASE):
        with sqlite3.connect(file) as newer:
            newer.execute("UPDATE alembic_version SET version_num = '0999'")
        newer.close()
    for command in (["migrate"], ["run"]):
        assert "newer than this program" in call(*command, code=4).stderr
    with pytest.raises(BackupFailed, match="not the file that was backed up"):
        verify_backup(folder / "copies" / "first")


# --- healthcheck ------------------------------------------------------------------------------


def beat(folder, *, late_s=-60):
    now = SystemClock().now()
    file = folder / "var" / f"{NAME}.heartbeat.json"
    by = now - timedelta(seconds=late_s)
    write_heartbeat(file, Heartbeat(at=now, process_id=1, state="RUNNING", next_by=by))
    return file


def health(code):
    told = answer("healthcheck", code=code)
    return {row["check"]: row["outcome"] for row in told["rows"]}


@pytest.fixture
def running(folder):
    """A process that has the lease, and beats."""
    beat(folder)
    lease = Lease.take(folder / "var" / f"{NAME}.sqlite", SystemClock().now())
    yield folder
    lease.release()


def test_a_bot_that_runs_and_beats_is_well(running):
    assert health(0) == dict.fromkeys(("process", "heartbeat", "disk", "database"), "pass")


def test_a_bot_that_does_not_run_is_not_well(folder):
    beat(folder)
    assert health(1)["process"] == "FAIL"


def test_a_bot_that_hangs_is_not_well(running):
    beat(running, late_s=30)
    assert health(1)["heartbeat"] == "FAIL"


def test_a_bot_that_never_beat_is_not_well(running):
    file = beat(running)
    file.write_text("{")
    assert read_heartbeat(file) is None
    assert health(1)["heartbeat"] == "FAIL"


def test_a_halt_has_an_exit_code_of_its_own(folder):
    call("halt", "--reason", "margin call")
    beat(folder)
    lease = Lease.take(folder / "var" / f"{NAME}.sqlite", SystemClock().now())
    assert health(5)["halted"] == "warn"
    lease.release()


def test_a_full_disk_and_a_damaged_database_are_not_well(running, monkeypatch):
    """Faults C5 and C18."""
    monkeypatch.setattr("bot.app.commands.upkeep.FREE_BYTES_MIN", 1 << 60)
    (running / "var" / f"{NAME}.sqlite").write_bytes(b"noise")
    found = health(1)
    assert (found["disk"], found["database"]) == ("FAIL", "FAIL")


def test_a_manifest_of_another_version_is_refused(tmp_path):
    (tmp_path / "manifest.json").write_text('{"format": 2}')
    with pytest.raises(BackupFailed, match="another version"):
        read_manifest(tmp_path)
    (tmp_path / "manifest.json").write_text("[]")
    with pytest.raises(BackupFailed, match="cannot be read"):
        read_manifest(tmp_path)
