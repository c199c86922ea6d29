"""Taking over what the broker knows: once, in any order, and never mistaking silence for flat."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from bot.engine.synchronise import (
    find_differences,
    synchronise,
)
from bot.errors import OutcomeUnknown
from state.errors import CashConflict, FillConflict
from strategies.model.lifecycle import OrderStatus
from strategies.model.orders import Urgency
from tests.bot.engine.fakes import Faults, committed, hedge, statuses
from tests.bot.exchange.venue.fakes import CALL, VX
from tests.builders import AT, instrument
from tests.state import records

SYMBOL = instrument(CALL).symbol
TABLES = ("fills", "cash_movements", "order_events", "positions")


@pytest.fixture
def traded(bench):
    """A bench that owns ten calls and a future."""
    bench.decide(hedge(CALL, 10, "0.53"), hedge(VX, 1, "17.05", layer="L2"))
    bench.carry_out()
    return bench


def rows(bench):
    """How many rows each table has."""
    return {
        table: committed(bench.database, f"SELECT count(*) FROM {table}")[0][0] for table in TABLES
    }


def ask(bench, question, *arguments, **options):
    """Return the answer of one of the functions under test."""
    answers = []

    async def live():
        await bench.broker.connect()
        answers.append(await question(bench.ledger, bench.broker, *arguments, **options))

    bench.live(live)
    return answers[0]


def test_asking_again_changes_nothing(traded):
    before = rows(traded)
    for _ in range(3):
        traded.synchronise()
    assert rows(traded) == before


def test_executions_in_any_order_are_each_taken_once(bench):
    bench.decide(hedge(CALL, 450, "0.53"))
    bench.broker.change["fetch_fills"] = lambda fills: (*reversed(fills), *fills)
    bench.carry_out()
    parts = len(bench.exchange.fills(AT))
    assert parts > 1, "it filled in parts"
    assert rows(bench)["fills"] == parts
    assert bench.ledger.positions() == bench.exchange.positions()


def test_silence_is_not_flat(traded):
    before = rows(traded)
    for call in ("fetch_fills", "fetch_cash_movements", "fetch_orders"):
        traded.broker.change[call] = lambda answer: ()
    traded.synchronise()
    assert rows(traded) == before
    assert traded.ledger.positions()[SYMBOL] == 10


def test_a_correction_takes_the_place_of_what_it_corrects_and_both_stay(traded):
    wrong = next(fill for fill in traded.ledger.fills_since(AT) if fill.symbol == SYMBOL)
    right = replace(wrong, revision=2, price=Decimal("0.40"))
    cash = traded.ledger.cash_usd()
    traded.broker.change["fetch_fills"] = lambda fills: (*fills, right)
    for _ in range(2):
        traded.synchronise()
    assert traded.ledger.cash_usd() - cash == (wrong.price - right.price) * 100 * wrong.quantity
    assert rows(traded)["fills"] == len(traded.ledger.fills_since(AT)) + 1


def test_an_execution_with_two_contents_is_a_conflict_and_changes_nothing(traded):
    before = rows(traded)
    traded.broker.change["fetch_fills"] = lambda fills: tuple(
        replace(fill, price=fill.price + 1) for fill in fills
    )
    with pytest.raises(FillConflict):
        traded.synchronise()
    assert rows(traded) == before


def test_a_cash_movement_with_two_contents_is_a_conflict(traded):
    traded.broker.change["fetch_cash_movements"] = lambda movements: tuple(
        replace(movement, amount_usd=movement.amount_usd + 1) for movement in movements
    )
    with pytest.raises(CashConflict):
        ask(traded, synchronise, traded.at, from_the_beginning=True)


def test_an_execution_told_hours_late_is_found_by_the_next_start(bench):
    """Every interval asks for the last hour; a start asks for everything."""
    bench.decide(hedge(CALL, 10, "0.53"))
    bench.broker.change["fetch_fills"] = lambda fills: ()
    bench.carry_out()
    late = {fill.exec_root for fill in bench.exchange.fills(AT)}
    bench.at += timedelta(hours=3)
    bench.decide(hedge(CALL, 1, "0.53", plan_id="plan-2"), plan_id="plan-2")
    bench.broker.change["fetch_fills"] = lambda fills: tuple(
        fill for fill in fills if fill.exec_root not in late
    )
    bench.carry_out("plan-2", decided_at=bench.at)
    bench.broker.change.clear()
    bench.synchronise()
    assert bench.ledger.positions()[SYMBOL] == 1
    ask(bench, synchronise, bench.at, from_the_beginning=True)
    assert bench.ledger.positions()[SYMBOL] == 11


@pytest.mark.parametrize(
    ("call", "change", "sentence"),
    [
        (
            "fetch_positions",
            lambda positions: {},
            f"{SYMBOL}: ledger has 10, broker has 0",
        ),
        (
            "fetch_positions",
            lambda positions: {**positions, "SPY": -3},
            "SPY: ledger has 0, broker has -3",
        ),
        (
            "fetch_account",
            lambda account: replace(account, cash_usd=Decimal(7)),
            "USD, broker has 7 USD",
        ),
    ],
)
def test_every_difference_is_a_sentence(traded, call, change, sentence):
    assert ask(traded, find_differences) == []
    traded.broker.change[call] = change
    assert sentence in "; ".join(ask(traded, find_differences))


def test_answers_and_what_they_bring_are_one_transaction(bench):
    boundaries = []
    bench.decide(hedge(CALL, 10, "0.48", "0.53", urgency=Urgency.PASSIVE))
    bench.carry_out()
    (report,) = bench.exchange.orders()
    bench.ledger.hook = boundaries.append
    ask(bench, synchronise, bench.at, [replace(report, note="again, louder")])
    assert boundaries == ["begin", "written", "committed"]


def test_an_order_that_works_although_it_was_over_is_taken_over_at_the_whole_look(bench):
    """Fault A14: it was found nowhere twice, and turns up after all."""
    bench.broker.change["fetch_orders"] = lambda reports: ()
    bench.broker.hook = Faults(
        {
            ("submit", "after", 1): OutcomeUnknown("no answer"),
            ("cancel", "before", 0): OutcomeUnknown("no answer"),
        }
    )
    order = hedge(CALL, 10, "0.48", urgency=Urgency.PASSIVE)
    bench.decide(order)

    async def live():
        await bench.broker.connect()
        await bench.executor.carry_out("plan-1", AT)

    bench.live(live)
    assert statuses(bench.database, order.client_order_id)[-1] == OrderStatus.CANCELLED
    bench.broker.change.clear()
    bench.broker.hook = None
    ask(bench, synchronise, bench.at, of_others=True)
    assert statuses(bench.database, order.client_order_id)[-1] == OrderStatus.LIVE
    bench.live(bench.executor.withdraw)
    assert statuses(bench.database, order.client_order_id)[-1] == OrderStatus.CANCELLED


def test_orders_are_asked_for_while_one_is_at_work_and_at_every_whole_look(bench):
    asked = []
    bench.broker.hook = lambda call, phase, argument: asked.append(call)
    ask(bench, synchronise, AT)
    assert "fetch_orders" not in asked
    ask(bench, synchronise, AT, of_others=True)
    assert "fetch_orders" in asked
    order = hedge(CALL, 10, "0.48", urgency=Urgency.PASSIVE)
    bench.decide(order)
    with bench.ledger.transaction() as tx:
        tx.record_order_event(order.client_order_id, AT, OrderStatus.SENDING)
    asked.clear()
    ask(bench, synchronise, AT)
    assert "fetch_orders" in asked


def test_executions_and_cash_are_asked_for_an_hour_back_and_at_the_start_from_the_beginning(traded):
    asked = {}
    traded.broker.hook = lambda call, phase, since: asked.__setitem__(call, since)
    with traded.ledger.transaction() as tx:
        tx.record_cash_movement(records.deposit(at=AT))
    ask(traded, synchronise, AT)
    hour = timedelta(hours=1)
    assert asked["fetch_fills"] == traded.ledger.last_fill_at() - hour
    assert asked["fetch_cash_movements"] == traded.ledger.last_cash_movement_at() - hour
    assert "fetch_foreign_fills" not in asked
    ask(traded, synchronise, AT, from_the_beginning=True)
    beginning = datetime(1970, 1, 1, tzinfo=UTC)
    questions = ("fetch_fills", "fetch_cash_movements", "fetch_foreign_fills")
    assert [asked[question] for question in questions] == [beginning] * 3


def test_what_is_restated_of_a_cancelled_order_does_not_fill_it_again(bench):
    """A later commission is no late fill (fault A14)."""
    order = hedge(CALL, 10, "0.53")
    part = records.fill(order.client_order_id, SYMBOL, 2, "0.53", root="e1")
    bench.decide(order)
    with bench.ledger.transaction() as tx:
        for status in (OrderStatus.SENDING, OrderStatus.LIVE):
            tx.record_order_event(order.client_order_id, AT, status)
        tx.record_fill(part)
        cancelled = OrderStatus.CANCELLED
        tx.record_order_event(order.client_order_id, AT, cancelled, filled=2, note="withdrawn")
    dearer = replace(part, revision=2, commission_usd=Decimal(2))
    bench.broker.change["fetch_fills"] = lambda fills: (dearer,)
    bench.broker.change["fetch_orders"] = lambda reports: ()
    bench.synchronise()
    assert bench.ledger.fills_since(AT) == (dearer,)
    assert bench.notes() == ["withdrawn"]
