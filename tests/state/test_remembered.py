"""Answers of a ledger are kept between its transactions, and no longer."""

from datetime import timedelta

from state.remembered import remembered
from strategies.model.limits import SystemState
from tests.state.records import AT


class Shelf:
    """Counts how often it is really asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.kept: dict | None = {}

    def answers(self) -> dict | None:
        """Return what is kept; None while something is written."""
        return self.kept

    @remembered
    def twice(self, number: int) -> int:
        """Return the double."""
        self.asked += 1
        return 2 * number


def test_a_question_is_asked_once_until_something_is_written():
    shelf = Shelf()
    assert [shelf.twice(2), shelf.twice(2), shelf.twice(3), shelf.twice(number=3)] == [4, 4, 6, 6]
    assert shelf.asked == 3
    shelf.kept = None
    assert [shelf.twice(2), shelf.twice(2)] == [4, 4]
    assert shelf.asked == 5


def test_no_more_than_a_few_answers_are_kept():
    shelf = Shelf()
    for number in range(1000):
        assert shelf.twice(number) == 2 * number
    assert len(shelf.kept or ()) <= 64


def test_a_ledger_answers_what_was_written_last(ledger):
    for later, state in enumerate((SystemState.RECONCILING, SystemState.RUNNING)):
        with ledger.transaction() as tx:
            at = AT + timedelta(minutes=later)
            tx.set_system_state(state, at, scope=None, reason="test", by="test")
            assert ledger.system_state().state is state
        assert ledger.system_state().state is state
