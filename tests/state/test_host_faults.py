"""What a host does to the file of a ledger: each fault by its name in the catalogue."""

import os
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from state.anchors import anchor_path
from state.audit import AuditReader
from state.backups import DATABASE, restore_backup, take_backup
from state.connections import driven_by
from state.errors import (
    BackupFailed,
    DiskBroken,
    ForeignWriter,
    InstanceRunning,
    LedgerBehindAnchor,
    LedgerBusy,
    LedgerCorrupt,
    LedgerReplaced,
    NetworkStorage,
    NotALedger,
    StorageFailed,
)
from state.files import check_file_system, file_system_of
from tests.simulation.apsw_driver import Disk, Failure
from tests.state import records
from tests.state.records import AT
from tests.state.test_storage import fill_every_table

CHECKOUT = Path(__file__).resolve().parents[2]


def deposit(ledger, name="d1"):
    with ledger.transaction() as tx:
        return tx.record_cash_movement(replace(records.deposit(), movement_id=name))


def test_fault_c5_a_flipped_bit_in_a_page_is_never_read_as_truth(path, tmp_path):
    """Fault C5: found when the file is opened, or the bit stood where nothing is stored."""
    with records.open_ledger(path) as ledger:
        fill_every_table(ledger)
        wanted = ledger.cash_usd(), ledger.positions()
    whole = path.read_bytes()
    found = 0
    for offset in range(100, len(whole), len(whole) // 47):
        damaged = bytearray(whole)
        damaged[offset] ^= 0x10
        copy = tmp_path / "damaged.db"
        copy.write_bytes(bytes(damaged))
        try:
            with records.open_ledger(copy) as ledger:
                assert (ledger.cash_usd(), ledger.positions()) == wanted
        except (LedgerCorrupt, NotALedger):
            found += 1
        for rest in tmp_path.glob("damaged.db*"):
            rest.unlink()
    assert found > 0


def test_fault_c6_a_viewer_does_not_hold_the_writer_up(path, ledger):
    """Fault C6: a reader in the middle of a long answer, and a backup."""
    with AuditReader.open(path) as reader, reader.moment():
        before = reader.raw("SELECT count(*) FROM cash_movements")
        assert deposit(ledger)
        assert reader.raw("SELECT count(*) FROM cash_movements") == before
    take_backup(path, path.parent / "copy", {}, AT)
    assert deposit(ledger, "d2")


def test_fault_c6_who_locks_the_file_is_waited_for_only_so_long_and_nothing_is_lost(path, ledger):
    """Fault C6: the same transaction goes through once the lock is gone."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(LedgerBusy, match="close it and retry"):
        deposit(ledger)
    other.execute("ROLLBACK")
    other.close()
    assert deposit(ledger)
    assert ledger.cash_usd() == records.deposit().amount_usd


def test_fault_c7_a_full_disk_stores_nothing_and_is_no_end(path):
    """Fault C7: nothing is stored, nothing is lost, and it goes on where there is room again."""
    disk = Disk()
    with driven_by(disk.connect), records.open_ledger(path) as ledger:
        deposit(ledger)
        disk.fail_next("write", Failure.FULL)
        with pytest.raises(StorageFailed, match="full") as failure:
            deposit(ledger, "d2")
        assert not isinstance(failure.value, DiskBroken)
        assert deposit(ledger, "d2")
    with records.open_ledger(path) as ledger:
        assert ledger.cash_usd() == 2 * records.deposit().amount_usd


def test_fault_c8_after_a_failed_sync_nothing_more_is_stored_by_this_process(path):
    """Fault C8: what the disk holds is not known; only the next process reads what is there."""
    disk = Disk()
    with driven_by(disk.connect), records.open_ledger(path) as ledger:
        deposit(ledger)
        disk.fail_next("sync", Failure.BROKEN)
        with pytest.raises(DiskBroken, match="disk I/O error"):
            deposit(ledger, "d2")
        asked = len(disk.operations)
        with pytest.raises(DiskBroken, match="disk I/O error"):
            deposit(ledger, "d3")
        assert len(disk.operations) == asked  # not even tried
    with records.open_ledger(path) as ledger:
        assert deposit(ledger, "d3")


@pytest.mark.parametrize("file", ["", "-wal"])
@pytest.mark.parametrize("what", ["deleted", "replaced"])
def test_fault_c9_a_file_that_is_deleted_or_replaced_is_noticed_before_anything_is_lost(
    path, ledger, file, what
):
    """Fault C9."""
    deposit(ledger)
    victim = path.with_name(path.name + file)
    if what == "deleted":
        victim.unlink()
    else:
        shutil.copy(victim, path.with_name("older"))
        path.with_name("older").replace(victim)
    for name in ("d2", "d3"):
        with pytest.raises(LedgerReplaced, match=what):
            deposit(ledger, name)


def test_fault_c9_a_file_that_goes_in_the_middle_of_a_transaction_is_not_acknowledged(path, ledger):
    """Fault C9: the commit succeeds, into a file that nobody will find again."""
    with pytest.raises(LedgerReplaced, match="deleted"), ledger.transaction():
        path.unlink()


def test_fault_c11_a_second_instance_is_told_who_has_the_ledger(path, ledger):
    """Fault C11: at the ledger; ``alvh run`` opens it before anything else."""
    with pytest.raises(InstanceRunning, match=f"process {os.getpid()}"):
        records.open_ledger(path)


IN_A_CHILD = """\
import os, sys
from pathlib import Path
from state.errors import LedgerForked
from tests.state import records

with records.open_ledger(Path(sys.argv[1])) as ledger:
    child = os.fork()
    if child == 0:
        try:
            with ledger.transaction() as tx:
                tx.record_cash_movement(records.deposit())
        except LedgerForked as refusal:
            os.write(1, f"{refusal}\\n".encode())
        os._exit(0)
    os.waitpid(child, 0)
    with ledger.transaction() as tx:
        os.write(1, f"{tx.record_cash_movement(records.deposit())}".encode())
"""


def test_fault_c12_a_child_does_not_use_its_parents_connection(path):
    """Fault C12: SQLite's locks do not survive a fork."""
    run = subprocess.run(
        [sys.executable, "-c", IN_A_CHILD, str(path)],
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        check=True,
    )
    refused, stored = run.stdout.splitlines()
    assert "open it after the fork" in refused
    assert stored == "True"


MOUNTS = """\
23 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
40 23 0:35 / {share} rw - {kind} server:/export rw
41 40 0:36 / {share}/local rw - xfs /dev/vdb rw
"""


@pytest.fixture
def mounts(tmp_path, monkeypatch):
    """Make the system say that a folder is a mounted share."""

    def mount(kind):
        share = tmp_path / "a share"
        (share / "local").mkdir(parents=True, exist_ok=True)
        table = tmp_path / "mountinfo"
        table.write_text(MOUNTS.format(share=str(share).replace(" ", r"\040"), kind=kind))
        monkeypatch.setattr("state.files._MOUNTS", table)
        return share

    return mount


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "fuse.sshfs"])
def test_fault_c13_a_ledger_on_a_network_file_system_is_refused(mounts, kind):
    """Fault C13."""
    share = mounts(kind)
    with pytest.raises(NetworkStorage, match=f"network file system \\({kind}\\)"):
        records.open_ledger(share / "ledger.db")
    assert not (share / "ledger.db").exists()


def test_fault_c13_the_innermost_mount_counts(mounts, tmp_path, monkeypatch):
    """Fault C13: a local disk below a share, a share that is none, and no such table at all."""
    share = mounts("nfs4")
    assert file_system_of(share / "local" / "ledger.db") == "xfs"
    check_file_system(share / "local" / "ledger.db")
    check_file_system(tmp_path / "ledger.db")
    monkeypatch.setattr("state.files._MOUNTS", tmp_path / "nowhere")
    assert file_system_of(share / "ledger.db") is None
    check_file_system(share / "ledger.db")


WITHOUT_DESCRIPTORS = """\
import os, resource, sys
from pathlib import Path
from state.errors import StorageFailed
from tests.state import records

path = Path(sys.argv[1])
ledger = records.open_ledger(path)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
held = []
try:
    while True:
        held.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    pass
with ledger.transaction() as tx:
    tx.record_cash_movement(records.deposit())
print("stored")
try:
    records.open_ledger(path.with_name("other.db"))
except StorageFailed as refusal:
    print(refusal)
"""


def test_fault_c14_without_file_descriptors_an_open_ledger_goes_on_and_a_new_one_says_so(path):
    """Fault C14."""
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT_DESCRIPTORS, str(path)],
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        check=True,
    )
    stored, refused = run.stdout.splitlines()
    assert stored == "stored"
    assert "Too many open files" in refused
    with records.open_ledger(path) as ledger:
        assert ledger.cash_usd() == records.deposit().amount_usd


def test_fault_c19_another_writer_is_noticed_before_anything_more_is_stored(path, ledger):
    """Fault C19: two writers may damage a file (the WAL-reset bug); the lease is the only one."""
    deposit(ledger)
    other = sqlite3.connect(path)
    other.execute("DELETE FROM positions")
    other.commit()
    other.close()
    for name in ("d2", "d3"):
        with pytest.raises(ForeignWriter, match="another program wrote"):
            deposit(ledger, name)


def test_fault_c19_readers_and_backups_are_no_writers(path, ledger):
    """Fault C19: nothing but the bot may bring its log into the file, either."""
    for number in range(3):
        with AuditReader.open(path) as reader:
            reader.status()
        take_backup(path, path.parent / f"copy-{number}", {}, AT)
        assert deposit(ledger, f"d{number}")


WITH_LITTLE_ROOM = """\
import resource, sys
from pathlib import Path
from state.anchors import anchor_path
from state.backups import DATABASE, restore_backup, take_backup
from state.errors import StateError
from tests.state.records import AT

for room in map(int, sys.argv[3:]):
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
    try:
        take_backup(Path(sys.argv[1]), Path(sys.argv[2]), {}, AT)
    except StateError as refusal:
        assert list(Path(sys.argv[2]).parent.iterdir()) == []
    else:
        print("made with", room)
"""


def test_fault_c7_a_backup_that_has_no_room_is_not_there(path, tmp_path):
    """Fault C7: wherever the disk ends, there is no backup and nothing of one."""
    with records.open_ledger(path) as ledger:
        fill_every_table(ledger)
    size = path.stat().st_size
    rooms = [*range(0, size, size // 20 // 512 * 512), size - 1, size * 4]
    run = subprocess.run(
        [sys.executable, "-c", WITH_LITTLE_ROOM, path, tmp_path / "copies" / "b", *map(str, rooms)],
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == f"made with {size * 4}\n"
    assert [file.name for file in (tmp_path / "copies").iterdir()] == ["b"]


def test_a_backup_of_a_damaged_ledger_is_refused(path, tmp_path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)
    path.write_bytes(bytes(data))
    with pytest.raises((BackupFailed, LedgerCorrupt), match="damaged"):
        take_backup(path, tmp_path / "copy", {}, AT)
    assert not (tmp_path / "copy").exists()


# --- what the anchor is for -------------------------------------------------------------------


def with_deposits(path, count=5):
    """Return the log of a ledger whose deposits are all in it."""
    with records.open_ledger(path) as ledger:
        for number in range(count):
            deposit(ledger, f"d{number}")
        log = path.with_name(path.name + "-wal").read_bytes()
        database = path.read_bytes()
    path.write_bytes(database)
    return log


def opened(path):
    """Return what the ledger says it is when it is opened: its cash, or why not."""
    try:
        with records.open_ledger(path) as ledger:
            return ledger.cash_usd()
    except (LedgerBehindAnchor, LedgerCorrupt) as refusal:
        return str(refusal)


def test_fault_c3_a_log_that_lost_its_tail_is_not_traded_on(path):
    """Fault C3: SQLite opens to an earlier state without a word; the anchor knows better."""
    log = with_deposits(path)
    whole = 5 * records.deposit().amount_usd
    refused = 0
    database, anchor = path.read_bytes(), anchor_path(path).read_bytes()
    for length in range(len(log), -1, -max(1, len(log) // 40)):
        for rest in path.parent.glob(f"{path.name}-*"):
            rest.unlink()
        path.write_bytes(database)
        anchor_path(path).write_bytes(anchor)
        path.with_name(path.name + "-wal").write_bytes(log[:length])
        found = opened(path)
        refused += found != whole
        assert found == whole or "nothing is traded on it" in found
    assert refused > 30


def test_fault_c4_a_flipped_bit_in_the_log_is_not_traded_on(path):
    """Fault C4: SQLite drops that commit and every later one without a word."""
    log = with_deposits(path)
    whole = 5 * records.deposit().amount_usd
    database, anchor = path.read_bytes(), anchor_path(path).read_bytes()
    refused = 0
    for offset in range(40, len(log), len(log) // 40):
        for rest in path.parent.glob(f"{path.name}-*"):
            rest.unlink()
        path.write_bytes(database)
        anchor_path(path).write_bytes(anchor)
        damaged = bytearray(log)
        damaged[offset] ^= 0x04
        path.with_name(path.name + "-wal").write_bytes(bytes(damaged))
        found = opened(path)
        refused += found != whole
        assert found == whole or "nothing is traded on it" in found
    assert refused > 30


def test_fault_c9_an_older_file_is_accepted_through_restore_only(path, tmp_path):
    """Faults C9 and E25: by hand it is refused, by restoring it is on record."""
    take_backup(path, tmp_path / "copy", {}, AT)
    with records.open_ledger(path) as ledger:
        deposit(ledger)
    shutil.copy(tmp_path / "copy" / DATABASE, path)
    with pytest.raises(LedgerBehindAnchor, match="Restore the newest backup"):
        records.open_ledger(path)
    aside = tmp_path / "aside"
    binding = (records.MODE, records.ACCOUNT)
    restore_backup(tmp_path / "copy", path, {}, binding=binding, aside=aside)
    with records.open_ledger(path) as ledger:
        assert ledger.cash_usd() == 0
    assert (aside / anchor_path(path).name).exists()


def test_a_backup_whose_chain_was_mended_by_hand_is_refused(path, tmp_path):
    """Fault E25: whoever changes a record and every hash in the manifest has not changed enough."""
    with records.open_ledger(path) as ledger:
        deposit(ledger)
    with sqlite3.connect(path) as forger:
        forger.execute("DROP TRIGGER events_refuse_update")
        forger.execute("UPDATE events SET body = replace(body, '1000000', '2000000')")
    forger.close()
    with pytest.raises(BackupFailed, match="says something else than when it was written"):
        take_backup(path, tmp_path / "copy", {}, AT)
