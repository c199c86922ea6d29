"""Condors that are not whole: whose they are, what is uneven of them, and what would mend it."""

from dataclasses import replace

import pytest

from bot.engine.structures import Structure, broken_structures, structure_break, uncovered_breaks
from strategies.model.book import Book, LoosePosition
from strategies.model.breaks import BreakKind
from strategies.model.locks import WHOLE_BOOK
from tests import builders
from tests.builders import AT, condor_legs, instant, instrument

LEGS = condor_legs("SPXW 20MAR20 3000/3050/3350/3400")
RATIOS = dict(LEGS.signed())
LONG_PUT, SHORT_PUT, SHORT_CALL, LONG_CALL = RATIOS
OWNERS = dict.fromkeys([leg.symbol for leg in RATIOS], "C0001")
LAST_TRADE = instant("2020-03-20 16:00")


def book(whole: int, loose: dict) -> Book:
    """Return a book of whole condors and loose contracts."""
    condors = [builders.condor_position(LEGS, quantity=whole)] if whole else []
    return replace(
        builders.book(condors=condors),
        loose=tuple(LoosePosition(instrument=leg, net_contracts=n) for leg, n in loose.items()),
    )


def broken(whole: int, loose: dict, *, known: bool = False, at=AT) -> tuple[Structure, ...]:
    return broken_structures(book(whole, loose), OWNERS, {"C0001": RATIOS} if known else {}, at)


def test_what_is_loose_of_a_condor_is_counted_with_the_whole_ones():
    (found,) = broken(2, {SHORT_CALL: 1})
    assert found.held == {LONG_PUT: 2, SHORT_PUT: -2, SHORT_CALL: -1, LONG_CALL: 2}
    assert found.whole == 1
    assert found.uneven == {LONG_PUT: 1, SHORT_PUT: -1, LONG_CALL: 1}
    assert not found.is_own  # only an execution of somebody else can have made it so


@pytest.mark.parametrize("whole", [0, 3])
def test_legs_beyond_whole_condors_are_uneven(whole):
    (found,) = broken(whole, {SHORT_PUT: -1, LONG_CALL: 2}, known=True)
    assert found.whole == whole
    assert found.uneven == {SHORT_PUT: -1, LONG_CALL: 2}
    assert found.is_own


def test_legs_that_make_a_whole_condor_are_one():
    (found,) = broken(0, {**RATIOS, LONG_PUT: 2}, known=True)
    assert (found.whole, found.uneven) == (1, {LONG_PUT: 1})
    (unknown,) = broken(0, RATIOS)  # nobody knows what its legs were
    assert (unknown.whole, unknown.uneven) == (0, RATIOS)


def test_a_leg_turned_round_makes_no_condor_less_than_none():
    (found,) = broken(0, {LONG_PUT: -1}, known=True)
    assert (found.whole, found.uneven) == (0, {LONG_PUT: -1})


def test_what_is_held_no_more_is_not_named():
    (found,) = broken(1, {LONG_CALL: -1})
    assert found.held == {LONG_PUT: 1, SHORT_PUT: -1, SHORT_CALL: -1}


def test_nobody_s_contracts_and_expired_ones_break_nothing():
    stray = instrument("SPXW 20MAR20 3100 P")
    assert broken(1, {stray: 1}) == ()
    assert broken(1, {SHORT_PUT: 1}, at=LAST_TRADE) == ()
    assert broken(1, {}) == ()


def test_shorts_are_bought_back_before_anything_is_sold():
    (found,) = broken(0, {SHORT_PUT: -2, LONG_CALL: 1, SHORT_CALL: -1})
    assert found.changes == ((SHORT_CALL, 1), (SHORT_PUT, 2))
    (rest,) = broken(0, {LONG_PUT: 2, LONG_CALL: 1})
    assert rest.changes == ((LONG_CALL, -1), (LONG_PUT, -2))


def test_the_break_says_what_is_held_and_what_to_do():
    (found,) = broken(0, {SHORT_PUT: -2, LONG_CALL: 1})
    told = structure_break(found, AT)
    assert (told.kind, told.key, told.locks) == (BreakKind.STRUCTURE, "C0001", ("C0001",))
    assert told.ledger_value == f"+1 {LONG_CALL}, -2 {SHORT_PUT}"
    assert told.broker_value == "0 whole"
    assert told.detail == (
        f"C0001 is not whole: beside 0 condors it holds +1 {LONG_CALL}, -2 {SHORT_PUT}; "
        f"proposed: buy 2 {SHORT_PUT}"
    )
    sold = structure_break(replace(found, uneven={LONG_CALL: 1}), AT)
    assert sold.detail.endswith(f"proposed: sell 1 {LONG_CALL}")
    both = structure_break(replace(found, uneven={SHORT_PUT: -1, SHORT_CALL: -2}), AT)
    assert both.detail.endswith(f"proposed: buy 2 {SHORT_CALL} and buy 1 {SHORT_PUT}")


def test_what_others_traded_is_an_operators_business_first():
    (found,) = broken(1, {SHORT_CALL: 1})
    assert "proposed: adopt or ignore what others traded, then buy 1" in (
        structure_break(found, AT).detail
    )


def test_a_condor_that_is_even_again_needs_nothing():
    even = Structure(condor_id="C0001", held={}, whole=0, uneven={}, is_own=True)
    assert structure_break(even, AT).detail.endswith("it holds nothing; proposed: nothing")


def test_i7_each_short_that_no_long_covers_is_named_until_it_expires():
    held = {SHORT_PUT.symbol: -2, LONG_PUT.symbol: 1, SHORT_CALL.symbol: -1, LONG_CALL.symbol: 1}
    (found,) = uncovered_breaks(held | {"SPY": -5}, AT, "the broker")
    assert (found.key, found.broker_value, found.locks) == (SHORT_PUT.symbol, "-2", (WHOLE_BOOK,))
    assert found.detail == f"the broker holds -2 {SHORT_PUT}, and no long covers all of them"
    assert list(uncovered_breaks(held, LAST_TRADE)) == []
    assert list(uncovered_breaks(held | {LONG_PUT.symbol: 2}, AT)) == []
