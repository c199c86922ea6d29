"""What operators decide about breaks: who and why are on record, and the locks follow."""

from decimal import Decimal

import pytest

from bot.engine.requests import (
    CashReason,
    Request,
    RequestKind,
    RequestRefused,
    submit_request,
    waiting_requests,
)
from state.errors import AdoptionConflict
from strategies.model.breaks import BreakKind
from tests.bot.engine.books import SHORT_CALL, Books, kinds
from tests.bot.engine.fakes import committed
from tests.bot.exchange.venue.fakes import CALL
from tests.builders import AT, instrument

SYMBOL = instrument(CALL).symbol
ENDED = "SELECT resolution, set_by, reason FROM break_resolutions ORDER BY sequence"


@pytest.fixture
def books(bench):
    """The books of an account in which somebody has bought three calls by hand."""
    made = Books(bench)
    made.start()
    made.trade("manual-1", CALL, 3, "0.60")
    made.look()
    return made


def ended(books):
    return committed(books.bench.database, ENDED)


def test_an_ignored_break_locks_nothing_and_stays_ignored(books):
    (found,) = books.bench.ledger.open_breaks()
    assert "ignored while it stays as it is" in books.decide(RequestKind.IGNORE, found)
    assert ended(books) == [("ignored", "ops", "looked")]
    assert books.look() == []
    assert books.locked == set()


def test_an_ignored_difference_is_raised_again_with_other_values(books):
    books.decide(RequestKind.IGNORE, books.bench.ledger.open_breaks()[0])
    books.tell_position({SYMBOL: 7})
    (found,) = books.look()
    books.decide(RequestKind.IGNORE, found)
    assert books.look() == []
    books.tell_position({SYMBOL: 6})
    assert kinds(books.look()) == [BreakKind.POSITION]


def test_an_adopted_fill_is_its_layers(books):
    (found,) = books.bench.ledger.open_breaks()
    assert books.bench.ledger.book(books.bench.at).hedges == ()
    assert books.decide(RequestKind.ADOPT, found, layer="L1").endswith("adopted for L1")
    (held,) = books.bench.ledger.book(books.bench.at).hedges
    assert held.net_contracts == 3
    assert ended(books) == [("adopted", "ops", "looked")]
    assert books.look() == []
    with pytest.raises(RequestRefused, match="no one break is called"):
        books.decide(RequestKind.ADOPT, found, layer="L1")


def test_the_lock_of_a_break_is_not_taken_away_by_hand(books):
    (lock,) = books.bench.ledger.locks(books.bench.at)
    with pytest.raises(RequestRefused, match="`alvh reconcile` says what ends it"):
        books.decide(RequestKind.UNLOCK, lock_id=lock.lock_id)
    with pytest.raises(RequestRefused, match=f"there are: {lock.lock_id}"):
        books.decide(RequestKind.UNLOCK, lock_id="K0000")
    with pytest.raises(RequestRefused, match=f"there are: {lock.lock_id}"):
        books.decide(RequestKind.UNLOCK)
    assert books.bench.ledger.locks(books.bench.at) == (lock,)


def test_what_does_not_belong_to_a_condor_is_not_adopted_for_it(bench):
    books = Books(bench)
    books.open_condor()
    books.trade("manual-1", CALL, 3, "0.60")
    (found,) = books.look()
    with pytest.raises(AdoptionConflict):
        books.decide(RequestKind.ADOPT, found, condor_id="C0001")
    assert books.bench.ledger.open_breaks() == (found,)


def test_only_executions_are_adopted(books):
    books.tell_position({SYMBOL: 7})
    found = next(each for each in books.look() if each.kind is BreakKind.POSITION)
    with pytest.raises(RequestRefused, match="only fills are adopted"):
        books.decide(RequestKind.ADOPT, found, layer="L1")


@pytest.mark.parametrize("name", ["", "X", "Y1234"])
def test_a_break_must_be_named_without_doubt(books, name):
    books.tell_position({SYMBOL: 7, SHORT_CALL: 0})
    books.look()
    request = Request(
        kind=RequestKind.IGNORE, by="ops", reason="looked", at=books.bench.at, break_id=name
    )
    submit_request(books.control_dir, request)
    before = books.bench.ledger.open_breaks()
    assert len(before) == 2
    assert books.look() == list(before)
    assert [path.suffix for path in books.control_dir.iterdir()] == [".refused"]
    assert any("request refused" in text for _, text in books.alerts.raised)


def test_cash_that_is_balanced_agrees_and_says_why(books):
    books.decide(RequestKind.IGNORE, books.bench.ledger.open_breaks()[0])
    with pytest.raises(RequestRefused, match="no comparison has found a difference"):
        books.balance("3.20")
    books.tell_cash("3.20")
    assert kinds(books.look()) == [BreakKind.CASH]
    assert books.balance("3.20") == "booked interest +3.20 USD: looked"
    assert ended(books)[-1] == ("balanced", "ops", "interest +3.20 USD: looked")
    assert books.look() == []
    assert books.locked == set()


def test_cash_that_is_balanced_in_part_is_a_break_of_the_rest(books):
    books.decide(RequestKind.IGNORE, books.bench.ledger.open_breaks()[0])
    books.tell_cash("3.20")
    books.look()
    books.balance("3.00")
    (found,) = books.look()
    assert found.broker_value == "+0.2"


def test_a_running_bot_takes_requests_from_its_folder(books):
    """Each waits as a file; a comparison is answered by its file being gone."""
    (found,) = books.bench.ledger.open_breaks()
    for kind, parts in (
        (RequestKind.IGNORE, {"break_id": found.break_id[:6]}),
        (RequestKind.BALANCE, {"amount_usd": Decimal(1), "cash_reason": CashReason.FEE}),
        (RequestKind.COMPARE, {}),
    ):
        request = Request(kind=kind, by="ops", reason="looked", at=AT, **parts)
        submit_request(books.control_dir, request)
    assert len(waiting_requests(books.control_dir)) == 3
    assert books.look(whole=False) == []
    assert waiting_requests(books.control_dir) == []
    assert [path.suffix for path in books.control_dir.iterdir()] == [".refused"]  # no cash break
    assert ended(books) == [("ignored", "ops", "looked")]


def test_what_is_no_request_is_put_aside(books):
    (books.control_dir).mkdir(exist_ok=True)
    (books.control_dir / "x.request").write_text('{"kind": "sell everything"}')
    books.look()
    assert [path.name for path in books.control_dir.iterdir()] == ["x.refused"]
