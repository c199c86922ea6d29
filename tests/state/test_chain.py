"""The chain: every event bound to the one before, and the first that is not is named."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest

from state import chain
from state.chain import Event, Head
from strategies.model.encoding import UndecodableValue, to_json

AT = datetime(2020, 2, 3, 15, tzinfo=UTC)
HASH = "71dd0938b66cc3187ad75a1c231603f4cdd085e55b8256fda66647ca12253e94"  # as ever


@pytest.fixture
def raw():
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE events (seq, at, kind, body, prev_hash, hash)")
        yield connection


def append(raw, count):
    head = chain.last(raw)
    for number in range(count):
        head = chain.append(raw, head, AT, "note", to_json({"number": number}))
    return head


def test_events_follow_one_another_from_one_on(raw):
    assert chain.last(raw) == chain.START == Head(0, chain.GENESIS)
    head = append(raw, 3)
    assert chain.last(raw) == head
    events = list(chain.events_from(raw, 0))
    assert [event.seq for event in events] == [1, 2, 3]
    assert [event.prev_hash for event in events] == [
        chain.GENESIS,
        events[0].hash,
        events[1].hash,
    ]
    assert list(chain.events_from(raw, 2)) == events[1:]
    assert chain.hash_at(raw, 2) == events[1].hash
    assert chain.hash_at(raw, 4) is None
    assert str(events[1]) == "event 2 (note, 2020-02-03T15:00:00.000000Z)"


def test_the_hash_is_of_the_words_and_their_lengths():
    told = chain.event_hash(b"before", 1, "at", "kind", "body")
    assert told.hex() == HASH
    others = [
        chain.event_hash(b"before2", 1, "at", "kind", "body"),
        chain.event_hash(b"before", 2, "at", "kind", "body"),
        chain.event_hash(b"before", 1, "atk", "ind", "body"),
        chain.event_hash(b"before", 1, "at", "kindb", "ody"),
    ]
    assert len({told, *others}) == 5


def link(before: Head, seq: int, body: str = "{}") -> Event:
    own = chain.event_hash(before.hash, seq, "at", "note", body)
    return Event(seq, "at", "note", body, before.hash, own)


FIRST = link(chain.START, 1)
SECOND = link(Head(1, FIRST.hash), 2)
THIRD = link(Head(2, SECOND.hash), 3)


@pytest.mark.parametrize(
    ("events", "before", "bad"),
    [
        ([FIRST, SECOND, THIRD], chain.START, None),
        ([], chain.START, None),
        ([SECOND, THIRD], None, None),
        ([SECOND, THIRD], chain.START, (2, "follows event 0; what stood between is gone")),
        ([FIRST, THIRD], chain.START, (3, "follows event 1; what stood between is gone")),
        ([FIRST, FIRST], chain.START, (1, "follows event 1; what stood between is gone")),
        ([FIRST, link(Head(1, b"x"), 2)], chain.START, (2, "names another event before it")),
        (
            [FIRST, SECOND._replace(body="[]"), THIRD],
            chain.START,
            (2, "says something else than when it was written"),
        ),
        (
            [SECOND._replace(hash=b"x"), THIRD],
            None,
            (2, "says something else than when it was written"),
        ),
    ],
)
def test_the_first_event_that_does_not_follow_is_named(events, before, bad):
    found = chain.first_bad_link(iter(events), before)
    assert (None if found is None else (found.event.seq, found.what)) == bad


class Diary:
    """Something whose entries become events."""

    def __init__(self):
        self.events = []

    def append_event(self, kind, at, body):
        self.events.append((kind, at, body))

    @chain.event()
    def diary_dated(self, words: str, at: datetime, *, urgent: bool = False) -> bool | None:
        return False if words == "nothing" else None

    @chain.event(at=lambda words: AT)
    def diary_undated(self, words: str) -> bool:
        return words != "nothing"


def test_a_call_that_changes_something_is_one_event_with_what_was_given():
    diary = Diary()
    assert diary.diary_dated("a", AT, urgent=True) is None
    assert diary.diary_dated(at=AT, words="b") is None
    assert diary.diary_undated("c") is True
    assert diary.events == [
        ("diary_dated", AT, to_json({"words": "a", "at": AT, "urgent": True})),
        ("diary_dated", AT, to_json({"words": "b", "at": AT})),
        ("diary_undated", AT, to_json({"words": "c"})),
    ]


def test_a_call_that_changes_nothing_is_none():
    diary = Diary()
    assert diary.diary_dated("nothing", AT) is False
    assert diary.diary_undated("nothing") is False
    assert diary.events == []


def test_the_body_of_an_event_becomes_the_arguments_again():
    body = '{"at":"2020-02-03T15:00:00.000000Z","words":"a"}'
    event = link(chain.START, 1, body)
    assert chain.arguments_of("diary_dated", chain.body_of(event)) == {"at": AT, "words": "a"}
    with pytest.raises(UndecodableValue, match="note: Expecting value"):
        chain.body_of(link(chain.START, 1, ""))
