"""The tail anchor: two slots in turn, the newer one counts, and neither is believed blindly."""

import errno
import os
from pathlib import Path

import pytest

from state.anchors import Anchor, AnchorFile, anchor_path, lost, read_anchor
from state.chain import Head
from state.errors import LedgerBehindAnchor, StorageFailed
from strategies.model.lifecycle import OrderStatus
from strategies.model.limits import SystemState
from tests.state import records
from tests.state.records import AT


def anchor(seq: int, epoch: int = 1) -> Anchor:
    return Anchor(Head(seq, bytes([seq]) * 32), epoch)


@pytest.fixture
def database(tmp_path):
    return tmp_path / "ledger.db"


def write(database, *anchors, durable=False):
    file = AnchorFile.open(database)
    for each in anchors:
        file.write(each, durable=durable)
    file.close()


def test_a_database_without_an_anchor_has_none(database):
    assert read_anchor(database) is None
    write(database)  # made, and nothing written: the process died
    assert anchor_path(database).read_bytes() == b""
    assert read_anchor(database) is None


def test_the_anchor_written_last_counts(database):
    for count in (1, 2, 3, 4):
        write(database, *(anchor(seq, epoch=seq + 1) for seq in range(1, count + 1)))
        assert read_anchor(database) == anchor(count, epoch=count + 1)


def test_two_slots_are_written_in_turn_also_after_a_restart(database):
    write(database, anchor(1), anchor(2), anchor(3))
    assert anchor_path(database).read_bytes() == anchor(3).slot() + anchor(2).slot()
    write(database, anchor(4))  # over the older one
    assert anchor_path(database).read_bytes() == anchor(3).slot() + anchor(4).slot()
    write(database, anchor(5))
    assert anchor_path(database).read_bytes() == anchor(5).slot() + anchor(4).slot()


def test_an_empty_slot_is_filled_before_the_other_is_touched(database):
    write(database, anchor(1))
    write(database, anchor(2))
    assert anchor_path(database).read_bytes() == anchor(1).slot() + anchor(2).slot()


def test_a_slot_is_one_line_of_256_bytes_with_a_checksum(database):
    slot = anchor(7, epoch=3).slot()
    assert len(slot) == 256
    assert slot.endswith(b" \n")
    word, seq, own_hash, epoch, check = slot.split()
    assert (word, seq, own_hash, epoch) == (b"alvh-anchor-1", b"7", b"07" * 32, b"3")
    assert len(check) == 16


@pytest.mark.parametrize("slots", [(0,), (1,), (0, 1)])
@pytest.mark.parametrize("place", [0, 14, 20, 85, 95])  # word, number, hash, epoch, checksum
def test_a_slot_that_was_changed_is_not_believed(database, slots, place):
    write(database, anchor(1), anchor(2))
    data = bytearray(anchor_path(database).read_bytes())
    for slot in slots:
        data[slot * 256 + place] ^= 1
    anchor_path(database).write_bytes(data)
    if slots == (0, 1):
        with pytest.raises(LedgerBehindAnchor, match=r"ledger.db.anchor cannot be read"):
            read_anchor(database)
    else:
        assert read_anchor(database) == anchor(2 if slots == (0,) else 1)


def test_something_else_than_an_anchor_is_not_believed(database):
    for data in (b"\xff" * 512, b"a b c d e\n", anchor(1).slot()[:40]):
        anchor_path(database).write_bytes(data)
        with pytest.raises(LedgerBehindAnchor, match="cannot be read"):
            read_anchor(database)


@pytest.mark.parametrize(
    ("end", "at_anchor", "why"),
    [
        (5, bytes([5]) * 32, None),
        (6, bytes([5]) * 32, None),
        (4, None, "it ends with event 4, and had 5"),
        (5, bytes([6]) * 32, "event 5 is not the one it was"),
        (6, None, "event 5 is not the one it was"),
    ],
)
def test_a_chain_must_reach_its_anchor(end, at_anchor, why):
    assert lost(anchor(5), Head(end, b""), at_anchor) == why


def test_the_disk_is_waited_for_only_if_asked(database, monkeypatch):
    waited = []
    monkeypatch.setattr(os, "fdatasync", waited.append)
    write(database, anchor(1), anchor(2))
    assert waited == []
    write(database, anchor(3), durable=True)
    assert len(waited) == 1


def test_only_its_owner_may_read_it(database):
    write(database, anchor(1))
    assert anchor_path(database).stat().st_mode & 0o777 == 0o600


def test_closing_again_changes_nothing_and_a_closed_one_says_so(database):
    file = AnchorFile.open(database)
    descriptor = file._descriptor
    file.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
    other = os.open(database.parent, os.O_RDONLY)  # may have the same number
    file.close()
    os.fstat(other)
    os.close(other)
    with pytest.raises(StorageFailed, match="Bad file descriptor"):
        file.write(anchor(1), durable=False)


def test_what_stands_in_its_place_is_named(database):
    anchor_path(database).mkdir()
    with pytest.raises(StorageFailed, match="Is a directory"):
        AnchorFile.open(database)
    with pytest.raises(StorageFailed, match="Is a directory"):
        read_anchor(database)


# --- in a ledger --------------------------------------------------------------------------------


def _send(tx, order):
    tx.record_order_event(order.client_order_id, AT, OrderStatus.SENDING)


def _cancel(tx, order):
    tx.record_order_event(order.client_order_id, AT, OrderStatus.CANCELLED)


@pytest.mark.parametrize(
    ("write", "waits"),
    [
        (_send, True),  # before the first byte leaves
        (lambda tx, _: tx.complete_interval("plan-1", AT), True),
        (lambda tx, _: tx.set_system_state(SystemState.RUNNING, AT, None, "", "ops"), True),
        (_cancel, False),
        (lambda tx, _: tx.record_job_run("interval", AT, AT, AT, "ran"), False),
        (lambda tx, _: tx.record_cash_movement(records.deposit()), False),
    ],
)
def test_a_commit_that_something_depends_on_waits_for_the_anchor(ledger, monkeypatch, write, waits):
    order = records.hedge_intent("plan-1")
    with ledger.transaction() as tx:
        records.record(tx, records.plan(orders=[order]))
    waited = []
    monkeypatch.setattr(os, "fdatasync", waited.append)
    before = read_anchor(ledger.path)
    with ledger.transaction() as tx:
        write(tx, order)
    assert len(waited) == waits
    after = read_anchor(ledger.path)
    assert (after.head.seq, after.epoch) == (before.head.seq + 1, ledger.epoch)


def test_a_commit_that_does_not_wait_for_the_disk_leaves_the_anchor(ledger):
    before = read_anchor(ledger.path)
    with ledger.transaction(durable=False) as tx:
        tx.record_job_run("interval", AT, AT, AT, "ran")
    assert read_anchor(ledger.path) == before
    with ledger.transaction() as tx:
        tx.record_job_run("interval", AT, AT, AT, "ran")
    assert read_anchor(ledger.path).head.seq == before.head.seq + 2


def test_a_transaction_without_a_word_leaves_the_anchor_where_it_is(ledger):
    before = read_anchor(ledger.path)
    with ledger.transaction():
        pass
    assert read_anchor(ledger.path) == before
    assert ledger.holds_lease()


def test_an_opening_that_fails_leaves_nothing_open(path, monkeypatch):
    """Fault C1: the disk is full when the anchor is written."""

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", full)
        with pytest.raises(StorageFailed, match="No space left"):
            records.open_ledger(path)
    links = [os.readlink(link) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    assert [name for name in links if name.startswith(str(path))] == []
    records.open_ledger(path).close()
