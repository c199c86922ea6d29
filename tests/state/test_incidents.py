"""Breaks and locks: found once, known until they end, and after a restart."""

from dataclasses import replace
from datetime import timedelta

import pytest

from state.errors import UnknownRecord
from strategies.model.breaks import Resolution
from strategies.model.locks import WHOLE_BOOK, Lock, LockKind
from tests.state import records
from tests.state.records import AT, BREAK, LOCK, minutes

OTHER = replace(BREAK, broker_value="14", found_at=minutes(1))


def opened(ledger, found):
    with ledger.transaction() as tx:
        return tx.open_break(found)


def resolved(ledger, resolution, at=AT, break_id=BREAK.break_id):
    with ledger.transaction() as tx:
        return tx.resolve_break(break_id, at, resolution, by="alice", reason="why")


def locked(ledger, lock):
    with ledger.transaction() as tx:
        return tx.set_lock(lock, by="bot")


def test_a_break_is_open_until_it_is_resolved(ledger, path):
    assert opened(ledger, BREAK)
    assert not opened(ledger, replace(BREAK, found_at=minutes(1)))
    assert ledger.open_breaks() == (BREAK,)
    ledger.close()
    with records.open_ledger(path) as again:
        assert again.open_breaks() == (BREAK,)
        assert resolved(again, Resolution.GONE)
        assert not resolved(again, Resolution.GONE)
        assert again.open_breaks() == again.ignored_breaks() == ()


def test_a_break_with_other_values_stands_for_the_one_before(ledger):
    assert opened(ledger, BREAK)
    assert opened(ledger, OTHER)
    assert ledger.open_breaks() == (OTHER,)


def test_what_is_gone_and_comes_back_is_raised_again(ledger):
    opened(ledger, BREAK)
    resolved(ledger, Resolution.GONE)
    assert opened(ledger, BREAK)
    assert ledger.open_breaks() == (BREAK,)


def test_an_ignored_break_is_not_raised_again_while_its_values_stay(ledger):
    opened(ledger, BREAK)
    assert resolved(ledger, Resolution.IGNORED)
    assert not opened(ledger, BREAK)
    assert ledger.open_breaks() == ()
    assert ledger.ignored_breaks() == (BREAK,)
    assert opened(ledger, OTHER)
    assert ledger.open_breaks() == (OTHER,)
    assert ledger.ignored_breaks() == ()


def test_an_ignored_break_may_end_otherwise_and_is_then_raised_again(ledger):
    opened(ledger, BREAK)
    resolved(ledger, Resolution.IGNORED)
    assert resolved(ledger, Resolution.GONE)
    assert ledger.ignored_breaks() == ()
    assert opened(ledger, BREAK)


def test_a_break_nobody_found_cannot_be_resolved(ledger):
    with pytest.raises(UnknownRecord, match="no break 'X0'"):
        resolved(ledger, Resolution.GONE, break_id="X0")


def test_a_lock_holds_until_it_is_released_and_after_a_restart(ledger, path):
    assert locked(ledger, LOCK)
    assert not locked(ledger, replace(LOCK, set_at=minutes(1), reason="again"))
    ledger.close()
    with records.open_ledger(path) as again:
        assert again.locks(minutes(9999)) == (LOCK,)
        with again.transaction() as tx:
            assert tx.release_lock(LOCK.lock_id, minutes(1), by="alice", reason="fixed")
            assert not tx.release_lock(LOCK.lock_id, minutes(2), by="alice", reason="fixed")
        assert again.locks(minutes(1)) == ()
        assert locked(again, replace(LOCK, set_at=minutes(3)))


def test_a_lock_with_an_end_ends_by_itself_and_can_be_prolonged(ledger):
    until = AT + timedelta(hours=1)
    short = Lock(
        kind=LockKind.DAILY_LOSS, key=WHOLE_BOOK, reason="down 5 %", set_at=AT, until=until
    )
    assert locked(ledger, short)
    assert ledger.locks(until - timedelta(seconds=1)) == (short,)
    assert ledger.locks(until) == ()
    assert not locked(ledger, replace(short, until=until - timedelta(minutes=1)))
    longer = replace(short, set_at=minutes(5), until=until + timedelta(hours=1))
    assert locked(ledger, longer)
    assert ledger.locks(until) == (longer,)
    for_good = replace(short, set_at=minutes(6), until=None)
    assert locked(ledger, for_good)
    assert not locked(ledger, longer)
    assert ledger.locks(minutes(9999)) == (for_good,)


def test_a_lock_that_has_ended_cannot_be_released_and_can_be_set_again(ledger):
    short = replace(LOCK, until=minutes(1))
    locked(ledger, short)
    with ledger.transaction() as tx:
        assert not tx.release_lock(LOCK.lock_id, minutes(2), by="alice", reason="")
    assert locked(ledger, replace(LOCK, set_at=minutes(2)))


def test_who_took_a_lock_away_by_hand_is_known(ledger):
    assert ledger.lock_released_by_hand(LOCK.lock_id, bot="bot") is None
    other = replace(LOCK, key="SPX")
    for lock, minute, by in (
        (LOCK, 1, "alice"),
        (LOCK, 3, "carol"),
        (LOCK, 5, "bot"),
        (other, 7, "bot"),
    ):
        locked(ledger, replace(lock, set_at=minutes(minute)))
        with ledger.transaction() as tx:
            tx.release_lock(lock.lock_id, minutes(minute + 1), by=by, reason="fixed")
    assert ledger.lock_released_by_hand(LOCK.lock_id, bot="bot") == minutes(4)
    assert ledger.lock_released_by_hand(other.lock_id, bot="bot") is None


def test_a_lock_nobody_set_cannot_be_released(ledger):
    with pytest.raises(UnknownRecord, match="no lock 'K0'"), ledger.transaction() as tx:
        tx.release_lock("K0", AT, by="alice", reason="")
