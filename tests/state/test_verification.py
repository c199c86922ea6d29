"""Whoever changes, removes, adds or moves something in a ledger is found, and told by the event."""

import re
import shutil
import sqlite3
from contextlib import closing

import pytest

from state import chain
from state.anchors import anchor_path
from state.errors import LedgerBehindAnchor, LedgerCorrupt, StateError
from state.rebuilding import rebuild_and_compare
from state.snapshots import compress, decompress
from state.tables import APPEND_ONLY, LedgerRow
from state.verification import first_bad_event, uncovered, verify
from strategies.model.lifecycle import OrderStatus
from tests import builders
from tests.state import records
from tests.state.records import AT
from tests.state.test_storage import fill_every_table


@pytest.fixture(scope="module")
def whole(empty_ledger_file, tmp_path_factory):
    """A closed ledger with something in every table, in one file."""
    path = tmp_path_factory.mktemp("whole") / "ledger.db"
    shutil.copy(empty_ledger_file, path)
    with records.open_ledger(path) as ledger:
        fill_every_table(ledger)
    return path


@pytest.fixture
def copy(whole, tmp_path):
    """A copy of it with its anchor."""
    path = tmp_path / "ledger.db"
    shutil.copy(whole, path)
    shutil.copy(anchor_path(whole), anchor_path(path))
    return path


def tamper(path, *statements, triggers=()):
    """Change a ledger behind the back of its triggers, and put them back."""
    with closing(sqlite3.connect(path)) as raw:
        kept = raw.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _ in kept:
            raw.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            raw.execute(statement)
        for name, sql in kept:
            if name not in triggers:
                raw.execute(sql)
        raw.commit()


def wrong(path):
    """Return the names of the checks that find something, and the first event named."""
    checks = verify(path)
    event = first_bad_event(checks)
    named = None if event is None else (event.seq, event.kind)
    return {check.name for check in checks if not check.holds}, named


def test_a_whole_ledger_has_nothing_wrong(copy):
    assert wrong(copy) == (set(), None)


def test_it_can_be_verified_while_the_bot_writes(copy):
    with records.open_ledger(copy) as ledger:
        with ledger.transaction() as tx:
            tx.record_job_run("interval", AT, AT, AT, "ran")
        assert wrong(copy) == (set(), None)


def test_verifying_writes_nothing(copy):
    before = copy.read_bytes()
    verify(copy)
    assert copy.read_bytes() == before


@pytest.mark.parametrize(
    ("statement", "check", "event"),
    [
        ("UPDATE fills SET price_micros = 1 WHERE exec_root = 'e.1'", "tables", (9, "record_fill")),
        ("UPDATE fills SET quantity = 9 WHERE exec_root = 'e.0'", "sums", (8, "record_fill")),
        ("DELETE FROM fills WHERE exec_root = 'e.2'", "tables", (10, "record_fill")),
        ("UPDATE events SET at = '2020-02-04' WHERE seq = 6", "chain", (6, "record_order_event")),
        ("UPDATE events SET body = replace(body, '-1.20', '-1.25') WHERE seq = 6", "chain", None),
        ("DELETE FROM events WHERE seq = 7", "chain", (8, "record_fill")),
        ("DELETE FROM events WHERE seq = 1", "chain", (2, "take_lease")),
        ("UPDATE blobs SET data = x'00' WHERE kind = 'market'", "contents", (5, "record_decision")),
        ("UPDATE decisions SET memory_json = '{}' WHERE decision_id = 1", "tables", None),
        ("UPDATE runs SET config_json = '{}'", "tables", (3, "start_run")),
        ("UPDATE system_states SET reason = 'nobody'", "tables", None),
        ("UPDATE positions SET net_contracts = net_contracts + 1", "sums", None),
        ("INSERT INTO leases VALUES (77, 1, '2020-02-03T15:00:00.000000Z')", "tables", None),
    ],
)
def test_what_was_changed_is_named(copy, statement, check, event):
    tamper(copy, statement)
    found, named = wrong(copy)
    assert check in found
    if event is not None:
        assert named == event


def test_events_that_changed_places_are_named(copy):
    tamper(
        copy,
        "UPDATE events SET seq = -8 WHERE seq = 8",
        "UPDATE events SET seq = 8 WHERE seq = 9",
        "UPDATE events SET seq = 9 WHERE seq = -8",
    )
    found, named = wrong(copy)
    assert "chain" in found
    assert named == (8, "record_fill")


def test_a_chain_made_again_behind_the_change_meets_its_anchor(copy):
    """Fault E25: whoever writes all hashes anew still has another end than was written down."""
    with closing(sqlite3.connect(copy)) as raw:
        events = list(chain.events_from(raw, 0))
    rewritten, head = [], chain.START
    for event in events:
        at = event.at if event.seq != 12 else "2020-02-03T16:00:00.000000Z"
        own = chain.event_hash(head.hash, event.seq, at, event.kind, event.body)
        rewritten.append((at, head.hash, own, event.seq))
        head = chain.Head(event.seq, own)
    with closing(sqlite3.connect(copy)) as raw:
        raw.execute("DROP TRIGGER events_refuse_update")
        raw.executemany(
            "UPDATE events SET at = ?, prev_hash = ?, hash = ? WHERE seq = ?", rewritten
        )
        raw.commit()
    found, _ = wrong(copy)
    assert "anchor" in found
    assert "chain" not in found
    with pytest.raises(LedgerBehindAnchor, match="is not the one it was"):
        records.open_ledger(copy)


def test_a_tail_that_is_gone_meets_its_anchor(copy):
    """Faults C4 and C9: the end of the chain was lost, or an older file put in its place."""
    with closing(sqlite3.connect(copy)) as raw:
        last = chain.last(raw).seq
    tamper(copy, f"DELETE FROM events WHERE seq = {last}")
    assert "anchor" in wrong(copy)[0]
    with pytest.raises(LedgerBehindAnchor, match=f"ends with event {last - 1}, and had {last}"):
        records.open_ledger(copy)


def test_a_broken_tail_is_refused_when_the_file_is_opened(copy):
    tamper(copy, "UPDATE events SET body = '{}' WHERE seq = 21")
    with pytest.raises(LedgerCorrupt, match=r"event 21 \(adopt_external_fill"):
        records.open_ledger(copy)


def test_a_missing_trigger_is_named(copy):
    tamper(copy, triggers=("fills_refuse_update",))
    assert wrong(copy)[0] == {"append-only"}


def test_an_anchor_that_cannot_be_read_is_named(copy):
    anchor_path(copy).write_bytes(b"\0" * 512)
    assert wrong(copy)[0] == {"anchor"}
    with pytest.raises(LedgerBehindAnchor, match="cannot be read"):
        records.open_ledger(copy)


def test_a_torn_slot_of_the_anchor_leaves_the_other(copy):
    data = anchor_path(copy).read_bytes()
    anchor_path(copy).write_bytes(data[:256] + b"\0" * 256)
    assert wrong(copy) == (set(), None)


def contents(path):
    """Return every row of every table."""
    with closing(sqlite3.connect(path)) as raw:
        return {
            name: raw.execute(f"SELECT * FROM {name} ORDER BY 1, 2").fetchall()
            for name in LedgerRow.metadata.tables
        }


def test_a_flipped_byte_anywhere_is_found_or_changes_nothing(whole, tmp_path):
    """Bytes that SQLite does not use may flip as they like."""
    original, told = whole.read_bytes(), contents(whole)
    path = tmp_path / "ledger.db"
    shutil.copy(anchor_path(whole), anchor_path(path))
    for place in range(100, len(original), len(original) // 24):
        damaged = bytearray(original)
        damaged[place] ^= 0x55
        path.write_bytes(damaged)
        try:
            found = not all(check.holds for check in verify(path))
        except StateError:
            found = True
        if not found:
            assert contents(path) == told, f"byte {place}"


# --- orders and cover -------------------------------------------------------------------------


@pytest.fixture
def sent(ledger):
    """The order of three condors, planned."""
    legs = builders.condor_legs(records.LEGS)
    intent = records.condor_intent("plan-1", "C0001", legs, 3)
    with ledger.transaction() as tx:
        opens = [records.condor_open("C0001", legs, 3)]
        records.record(tx, records.plan(opens=opens, orders=[intent]))
    return intent


def test_a_fill_of_an_order_that_was_never_sent_is_named(ledger, sent):
    with ledger.transaction() as tx:
        for fill in records.condor_fills(sent, 3, root="e"):
            tx.record_fill(fill)
    found, named = wrong(ledger.path)
    assert found == {"intent before wire"}
    assert named[1] == "record_fill"


def test_an_order_that_is_sent_again_is_named(ledger, sent, monkeypatch):
    monkeypatch.setattr("state.ledger.advance", lambda _, reported: reported)
    order_id = sent.client_order_id
    with ledger.transaction() as tx:
        records.sent(tx, sent)
        tx.record_order_event(order_id, AT, OrderStatus.SENDING)
    assert wrong(ledger.path)[0] == {"sent once", "life cycles"}


def test_a_short_without_its_long_is_named_unless_it_was_known(ledger, sent):
    long_put, short_put, short_call, long_call = records.condor_fills(sent, 3, root="e")
    with ledger.transaction() as tx:
        records.sent(tx, sent)
        for fill in (long_put, short_put, short_call):
            tx.record_fill(fill)
        tx.record_job_run("interval", AT, AT, AT, "ran")
    assert wrong(ledger.path)[0] == {"cover"}
    with ledger.transaction() as tx:
        tx.open_break(records.BREAK)
        tx.record_fill(long_call)
    assert wrong(ledger.path)[0] == set()


def test_legs_that_are_told_one_after_the_other_were_never_apart(ledger, sent):
    *first, last = records.condor_fills(sent, 3, root="e")
    with ledger.transaction() as tx:
        records.sent(tx, sent)
        for fill in first:
            tx.record_fill(fill)
    with ledger.transaction() as tx:
        tx.record_job_run("interval", AT, AT, AT, "ran")
        tx.record_fill(last)  # of the same instant
    assert wrong(ledger.path)[0] == set()


@pytest.mark.parametrize(
    ("held", "short"),
    [
        ({"SPXW 20MAR20 3000 P": 3, "SPXW 20MAR20 3010 P": -3}, None),
        ({"SPXW 27MAR20 3000 P": 3, "SPXW 20MAR20 3010 P": -3}, None),
        ({"SPXW 20MAR20 3000 P": 3, "SPXW 27MAR20 3010 P": -3}, "SPXW  200327P03010000"),
        ({"SPX 20MAR20 3000 P": 3, "SPXW 20MAR20 3010 P": -3}, "SPXW  200320P03010000"),
        ({"SPXW 20MAR20 3000 C": 3, "SPXW 20MAR20 3010 P": -3}, "SPXW  200320P03010000"),
        ({"VIX 18MAR20 25 C": 1, "VIX 18MAR20 35 C": -1}, None),
        ({"VIX 15APR20 25 C": 1, "VIX 18MAR20 35 C": -1}, "VIX   200318C00035000"),
        ({"VX 18MAR20": -5}, None),
    ],
)
def test_a_long_covers_what_ends_with_it_or_before(held, short):
    net = {builders.instrument(name).symbol: count for name, count in held.items()}
    assert uncovered(net) == short


# --- rebuilding ---------------------------------------------------------------------------------


def test_every_table_is_rebuilt_from_the_chain(whole):
    with closing(sqlite3.connect(whole)) as raw:
        counts = [
            raw.execute(f"SELECT count(*) FROM {row.__tablename__}").fetchone()[0]
            for row in APPEND_ONLY
        ]
        assert all(counts)
        assert rebuild_and_compare(raw) == ()


@pytest.mark.parametrize(
    ("statement", "kind", "what"),
    [
        (
            "UPDATE fills SET price_micros = 1 WHERE exec_root = 'e.1'",
            None,
            "fills e.1/1: price_micros is 1, the chain says 3800000",
        ),
        ("DELETE FROM fills WHERE exec_root = 'e.2'", None, "fills e.2/1 is missing"),
        (
            "INSERT INTO leases VALUES (77, 1, '2020-02-03T15:00:00.000000Z')",
            None,
            "leases 77 is in no event",
        ),
        ("DELETE FROM decisions", "record_decision", "decisions has no plan-1"),
        (
            "UPDATE decisions SET memory_json = '{}'",
            "record_decision",
            "decisions.memory_json is not what it was",
        ),
        ("UPDATE runs SET rules_json = '{}'", "start_run", "runs.rules_json is not what it was"),
        ("UPDATE runs SET config_json = '{}'", "start_run", "runs.config_json is not what it was"),
        (
            "UPDATE events SET kind = 'record_dream' WHERE kind = 'record_walk_step'",
            "record_dream",
            "cannot be replayed: 'record_dream'",
        ),
        (
            "UPDATE events SET kind = 'head' WHERE kind = 'record_walk_step'",
            "head",
            "cannot be replayed: 'head'",
        ),
        (
            "UPDATE events SET body = '' WHERE kind = 'record_walk_step'",
            "record_walk_step",
            "cannot be replayed: record_walk_step: Expecting value",
        ),
    ],
)
def test_what_the_chain_does_not_bear_out_is_named_first(copy, statement, kind, what):
    tamper(copy, statement)
    with closing(sqlite3.connect(copy)) as raw:
        first = rebuild_and_compare(raw)[0]
    assert (first.event and first.event.kind, first.what) == (kind, what)


@pytest.mark.parametrize("kind", ["market", "history"])
def test_what_builds_on_a_decision_that_is_gone_is_named_after_it(copy, kind):
    tamper(copy, f"DELETE FROM blobs WHERE kind = '{kind}'")
    with closing(sqlite3.connect(copy)) as raw:
        first, second, *_ = rebuild_and_compare(raw)
    assert first.event.kind == "record_decision"
    assert re.fullmatch(r"blob [0-9a-f]{16} is gone", first.what)
    assert second.event.seq == first.event.seq + 1
    assert re.fullmatch(r"cannot be replayed: no order '\w+' is stored", second.what)


def test_bytes_packed_otherwise_are_the_same(copy):
    """Another version of zlib, or another level, packs the same words into other bytes."""
    query = "SELECT plan FROM decisions WHERE decision_id = 1"
    with closing(sqlite3.connect(copy)) as raw:
        (plan,) = raw.execute(query).fetchone()
    packed = compress(decompress(plan), 1).hex()
    tamper(copy, f"UPDATE decisions SET plan = x'{packed}' WHERE decision_id = 1")
    with closing(sqlite3.connect(copy)) as raw:
        assert raw.execute(query).fetchone() != (plan,)
        assert rebuild_and_compare(raw) == ()
