"""A tape: what was seen, for as long as it counts, and nothing else."""

from datetime import date, timedelta

import pytest

from bot.errors import MarketDataMissing
from bot.exchange.exchange import GRID
from bot.exchange.tape import Tape, TapeMarket, TapeUnusable
from strategies.model.quotes import Quote
from tests.bot.exchange.venue.fakes import CALL, calendar
from tests.builders import AT, instrument

FIRST, LAST = date(2020, 2, 3), date(2020, 12, 31)
OPTION = instrument(CALL)
SECOND = timedelta(seconds=1)


def open_tape(folder, account: str = "DU1234567") -> Tape:
    return Tape(folder / "x.tape.jsonl", account_id=account, first=FIRST, last=LAST)


def test_a_quote_stands_for_one_look_of_the_exchange(tmp_path):
    tape = open_tape(tmp_path)
    market = TapeMarket(tape, calendar(), stands=GRID)
    marks = TapeMarket(tape, calendar(), stands=None)
    tape.record(AT, {OPTION.symbol: Quote(bid=1.1, ask=1.2)}, {"SPX": 3200.25})
    assert market.quote(OPTION, AT - SECOND) is None
    assert market.quote(OPTION, AT) == Quote(bid=1.1, ask=1.2, quoted_at=AT)
    assert market.quote(OPTION, AT + GRID - SECOND) is not None
    assert market.quote(OPTION, AT + GRID) is None
    assert marks.quote(OPTION, AT + timedelta(days=3)) is not None
    assert market.index_at("SPX", AT + timedelta(days=3)) == 3200.25
    with pytest.raises(MarketDataMissing, match="VIX was not seen"):
        market.index_at("VIX", AT)


def test_that_nobody_quotes_is_seen_too(tmp_path):
    tape = open_tape(tmp_path)
    marks = TapeMarket(tape, calendar(), stands=None)
    tape.record(AT, {OPTION.symbol: Quote(bid=1.1, ask=1.2)}, {})
    tape.record(AT + SECOND, {OPTION.symbol: Quote(bid=0.0, ask=0.0)}, {})
    assert marks.quote(OPTION, AT) is not None
    assert marks.quote(OPTION, AT + SECOND) is None


def test_a_tape_is_read_again_to_its_last_whole_line(tmp_path):
    tape = open_tape(tmp_path)
    tape.record(AT, {OPTION.symbol: Quote(bid=1.1, ask=1.2)}, {})
    with (tmp_path / "x.tape.jsonl").open("a") as file:
        file.write('{"at":"2020-02-03T15:00:01+00:00","quo')
    again = open_tape(tmp_path)
    assert again.last_at == AT
    assert again.quote(OPTION.symbol, AT, GRID) == tape.quote(OPTION.symbol, AT, GRID)
    assert (again.first_session, again.last_session) == (FIRST, LAST)


def test_nothing_is_added_to_the_past(tmp_path):
    tape = open_tape(tmp_path)
    tape.record(AT, {}, {"SPX": 3200.0})
    with pytest.raises(AssertionError, match="in the past"):
        tape.record(AT, {}, {"SPX": 3201.0})


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"version":1,"account":"DU7","first":"2020-02-03","last":"2020-12-31"}', "no tape of"),
        ('{"version":1,"account":"DU1234567","first":"soon","last":"2020-12-31"}', "damaged"),
        ("nonsense", "damaged"),
    ],
)
def test_another_tape_is_refused(tmp_path, line, why):
    (tmp_path / "x.tape.jsonl").write_text(line + "\n")
    with pytest.raises(TapeUnusable, match=why):
        open_tape(tmp_path)
