"""The journal: what a killed exchange remembers, and which files it refuses."""

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from bot.exchange.exchange import GRID, Exchange
from bot.exchange.journal import JournalDamaged, JournalMismatch
from bot.exchange.matching import FillModel
from strategies.model.fees import DEFAULT_FEES
from strategies.model.lifecycle import OrderStatus
from tests.bot.exchange.venue.fakes import (
    CALL,
    CASH,
    CONDOR,
    VX,
    ScriptedMarket,
    new_order,
    open_exchange,
    restless_market,
)
from tests.builders import AT, future, instant, quote


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "exchange" / "journal.jsonl"


def lived(path: Path) -> Exchange:
    """An exchange with orders filled, cancelled, refused and at work."""
    exchange = open_exchange(restless_market(), journal_path=path)
    exchange.submit(new_order("condor", CONDOR, 40, "-4.50"), AT)
    exchange.submit(new_order("vx", VX, 2, "19.00"), AT + GRID)
    exchange.submit(new_order("refused", CALL, 0, "0.50"), AT + GRID)
    exchange.submit(new_order("resting", CALL, 10, "0.05"), AT + timedelta(minutes=3))
    exchange.submit(new_order("working", CALL, 10, "0.06"), AT + timedelta(minutes=3))
    exchange.cancel("resting", AT + timedelta(minutes=5))
    return exchange


def state(exchange: Exchange) -> tuple[object, ...]:
    """Everything an exchange can be asked."""
    return (
        exchange.now,
        exchange.orders(),
        exchange.fills(AT - timedelta(days=9)),
        exchange.cash_movements(AT - timedelta(days=9)),
        exchange.positions(),
        exchange.account(),
    )


def test_a_new_process_holds_what_the_killed_one_held(path):
    before = lived(path)
    after = open_exchange(restless_market(), journal_path=path)
    assert after.now == AT + timedelta(minutes=5)
    assert state(after) == state(before)
    for later in ("2020-02-03 16:20", "2020-03-20 12:00"):
        before.advance_to(instant(later))
        after.advance_to(instant(later))
        assert state(after) == state(before)
    assert {report.status for report in after.orders()} >= {
        OrderStatus.FILLED,
        OrderStatus.CANCELLED,
        OrderStatus.REJECTED,
    }


def test_a_new_process_goes_on_writing_where_the_killed_one_stopped(path):
    lived(path)
    second = open_exchange(restless_market(), journal_path=path)
    second.submit(new_order("more", CALL, 5, "0.90"), AT + timedelta(hours=1))
    second.advance_to(AT + timedelta(hours=2))
    third = open_exchange(restless_market(), journal_path=path)
    third.advance_to(AT + timedelta(hours=2))
    assert state(third) == state(second)


def test_an_input_is_on_disk_before_it_takes_effect(path):
    class Watching(ScriptedMarket):
        """Notes how long the journal is whenever the exchange asks for a price."""

        def quote(self, instrument, at):
            lengths.append(len(path.read_text().splitlines()))
            return super().quote(instrument, at)

    lengths: list[int] = []
    exchange = open_exchange(Watching(), journal_path=path)
    exchange.submit(new_order("a", CALL, 1, "0.90"), AT)
    exchange.submit(new_order("b", CALL, 1, "0.90"), AT)
    assert lengths[0] == 2
    assert lengths[-1] == 3


def test_questions_and_repetitions_are_not_written_down(path):
    exchange = lived(path)
    before = path.read_bytes()
    exchange.submit(new_order("vx", VX, 2, "19.00"), AT)
    exchange.submit(new_order("vx", VX, 3, "19.00"), AT)
    exchange.cancel("vx", AT)
    exchange.cancel("resting", AT)
    exchange.advance_to(AT + timedelta(days=1))
    exchange.account()
    assert path.read_bytes() == before


def test_a_torn_last_line_never_happened(path):
    lived(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])  # the cancel of "resting" was cut while being written
    exchange = open_exchange(restless_market(), journal_path=path)
    resting = next(r for r in exchange.orders() if r.client_order_id == "resting")
    assert resting.status is OrderStatus.LIVE
    exchange.cancel("resting", AT + timedelta(minutes=5))
    assert path.read_bytes() == whole


@pytest.mark.parametrize("text", ["precious", "precious\n", "precious\nwords"])
def test_a_file_of_somebody_else_s_is_left_as_it_is(path, text):
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(JournalDamaged):
        open_exchange(journal_path=path)
    assert path.read_text() == text


def test_a_journal_torn_in_its_first_line_starts_anew(path):
    lived(path)
    path.write_bytes(path.read_bytes()[:30])
    exchange = open_exchange(restless_market(), journal_path=path)
    assert exchange.orders() == ()
    assert len(path.read_text().splitlines()) == 1


def test_an_empty_journal_is_a_new_one(path):
    path.parent.mkdir()
    path.touch()
    assert open_exchange(journal_path=path).orders() == ()


@pytest.mark.parametrize(
    "line", ["not json", "[]", '{"kind":"wish"}', '{"kind":"cancel","at":"2020-02-03T15:00:00"}']
)
def test_a_damaged_line_in_the_middle_is_not_skipped(path, line):
    lived(path)
    lines = path.read_text().splitlines()
    lines[2] = line
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(JournalDamaged, match="line 3"):
        open_exchange(restless_market(), journal_path=path)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"account_id": "SIM2"}, "account_id"),
        ({"seed": 8}, "seed"),
        ({"starting_cash_usd": Decimal(999)}, "starting_cash_usd"),
        ({"margin_convention": "cboe"}, "margin"),
        ({"fees": replace(DEFAULT_FEES, orf=Decimal("0.04"))}, "terms"),
        ({"fill_model": FillModel(probability_max=0.3)}, "terms"),
    ],
)
def test_a_journal_of_another_world_is_refused(path, changes, named):
    lived(path)
    with pytest.raises(JournalMismatch, match=f"{named} is"):
        open_exchange(restless_market(), journal_path=path, **changes)


def test_a_journal_of_another_market_is_refused(path):
    lived(path)
    with pytest.raises(JournalMismatch, match="market is"):
        open_exchange(ScriptedMarket(), journal_path=path)


def test_a_refusal_says_what_to_do(path):
    lived(path)
    with pytest.raises(JournalMismatch, match=r"seed is 7 there and 8 here.*--state-dir.*remove"):
        open_exchange(restless_market(), journal_path=path, seed=8)


def test_a_journal_of_an_older_version_is_refused(path):
    lived(path)
    path.write_text(path.read_text().replace('"version":2', '"version":1', 1))
    with pytest.raises(JournalMismatch, match="version is 1 there and 2 here"):
        open_exchange(restless_market(), journal_path=path)


# --- inputs that cannot have happened: the exchange, or the file, is not what it was --------------


def generous(path: Path) -> Exchange:
    """The exchange of a later version of the program, which gives orders away."""

    class Later(Exchange):
        """Fills whatever rests, at a cent a leg."""

        def _match(self, record, package):
            self._execute(record, record.report.leaves_quantity, (1,) * len(package.legs))

    return Later(
        restless_market(),
        account_id="SIM1",
        starting_cash_usd=CASH,
        seed=7,
        journal_path=path,
    )


def test_an_exchange_that_would_have_done_otherwise_refuses_the_journal(path):
    lived(path)
    before = path.read_bytes()
    with pytest.raises(JournalDamaged, match=r"line 3: the exchange then had 1 orders.*comes to"):
        generous(path)
    assert path.read_bytes() == before


def rewritten(path: Path, number: int, **changes: object) -> None:
    """Change fields of one line of a journal."""
    lines = path.read_text().splitlines()
    lines[number - 1] = json.dumps({**json.loads(lines[number - 1]), **changes})
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("number", "changes", "found"),
    [
        (3, {"at": "2020-02-03T14:59:00+00:00"}, "before the one above it"),
        (5, {"before": "5 orders, 0 at work, 0 fills, 1 USD"}, "this program comes to"),
        (7, {"client_order_id": "condor"}, "order condor was not at work"),
        (7, {"client_order_id": "stranger"}, "order stranger was not at work"),
    ],
)
def test_an_input_that_contradicts_the_others_is_named(path, number, changes, found):
    lived(path)
    rewritten(path, number, **changes)
    with pytest.raises(JournalDamaged, match=f"line {number}: .*{found}.*--state-dir"):
        open_exchange(restless_market(), journal_path=path)


def test_an_order_that_stands_twice_is_named(path):
    lived(path)
    order = json.loads(path.read_text().splitlines()[1])["order"]
    rewritten(path, 3, order=order)
    with pytest.raises(JournalDamaged, match="line 3: order condor was there already"):
        open_exchange(restless_market(), journal_path=path)


def test_a_refused_journal_is_left_as_it_was(path):
    lived(path)
    before = path.read_bytes()
    with pytest.raises(JournalMismatch):
        open_exchange(restless_market(), journal_path=path, seed=8)
    assert path.read_bytes() == before


def test_the_journal_reads_as_plain_lines(path):
    lived(path)
    kinds = [json.loads(line)["kind"] for line in path.read_text().splitlines()]
    assert kinds == ["world", *["submit"] * 5, "cancel"]


# --- the cost of time ---------------------------------------------------------------------------


def test_idle_months_ask_the_market_for_nothing():
    asked = []

    class Counting(ScriptedMarket):
        """Counts the questions for single quotes."""

        def quote(self, instrument, at):
            asked.append(at)
            return super().quote(instrument, at)

    exchange = open_exchange(Counting(scripted={future(VX): quote("17.00 x 17.05")}))
    exchange.submit(new_order("a", VX, 1, "17.05"), AT)
    exchange.advance_to(AT + GRID)
    before = len(asked)
    exchange.advance_to(instant("2020-03-17 12:00"))
    assert len(asked) == before
    assert len(exchange.cash_movements(AT)) == 30  # a variation a session


def test_a_day_of_working_orders_asks_once_a_grid_instant():
    asked = []

    class Counting(ScriptedMarket):
        """Counts the questions for single quotes."""

        def quote(self, instrument, at):
            asked.append(at)
            return super().quote(instrument, at)

    exchange = open_exchange(Counting())
    for name in "ab":  # two orders on one contract share its quote
        exchange.submit(new_order(name, CALL, 1, "0.01"), AT)
    asked.clear()
    exchange.advance_to(instant("2020-03-17 12:00"))
    assert len(asked) == len(set(asked)) == (6 * 60 + 15) * 6 - 1
