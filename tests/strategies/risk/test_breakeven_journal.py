"""B1's journal: how far break-evens move and what is lost, known whenever it can be known."""

from dataclasses import replace

import pytest

from strategies.model.rules import Rules
from strategies.pricing.valuation import Valuer
from strategies.risk.breakeven_journal import flip_journal
from strategies.risk.measures import Measurer
from tests.builders import (
    TODAY,
    account,
    condor_position,
    daily_history,
    hedge_position,
    market_quotes,
)

VALUER = Valuer(market_quotes(), TODAY)
CONDOR = condor_position("SPXW 20MAR20 3040/3050/3405/3415", quantity=10, credit="6.00")
POOR = replace(CONDOR, entry_credit=CONDOR.entry_credit - 5)  # 1.00: under water today
CALLS = hedge_position("VIX 18MAR20 22 C", 20, cost="0.30")


def measures(condors=(CONDOR,), hedges=(CALLS,)):
    values = {each.condor_id: VALUER.condor(each.legs) for each in condors}
    return Measurer(VALUER, account(), daily_history(), Rules()).measure(condors, hedges, values)


def row(of, points):
    return next(each for each in of.breakevens if each.hedged and each.vix_points == points)


def test_b1_the_journal_tells_shifts_and_losses_for_both_shocks():
    gates = flip_journal(measures())
    assert [gate.name for gate in gates] == [
        "shift of the lower break-even for VIX +5",
        "shift of the upper break-even for VIX +5",
        "profit and loss for VIX +5 in USD",
        "shift of the lower break-even for VIX +8",
        "shift of the upper break-even for VIX +8",
        "profit and loss for VIX +8 in USD",
    ]
    assert all(gate.rule == "B1" and gate.passed for gate in gates)
    assert all(gate.value is not None for gate in gates)


@pytest.mark.parametrize(("points", "first"), [(5.0, 0), (8.0, 3)])
def test_b1_a_shift_is_the_shocked_level_less_the_calm_one(points, first):
    book = measures()
    lower, upper, loss = flip_journal(book)[first : first + 3]
    calm, shocked = row(book, 0.0), row(book, points)
    assert lower.value == pytest.approx(shocked.today_low - calm.today_low, abs=0.006)
    assert upper.value == pytest.approx(shocked.today_high - calm.today_high, abs=0.006)
    assert lower.note == upper.note == "of condors and hedge, today"
    assert loss.value == (book.loss_vix_5_usd if first == 0 else book.loss_vix_8_usd)


def test_b1_under_water_the_levels_at_expiry_take_their_place():
    book = measures((POOR,))
    calm, shocked = row(book, 0.0), row(book, 8.0)
    assert calm.today_low is None
    lower, upper = flip_journal(book)[3:5]
    assert lower.value == pytest.approx(shocked.expiry_low - calm.expiry_low, abs=0.006)
    assert lower.value < 0 < upper.value
    assert lower.note == upper.note == "of condors and hedge, at expiry"


def test_b1_where_the_hedge_carries_the_book_everywhere_the_condors_alone_are_told():
    rich = hedge_position("VIX 18MAR20 22 C", 20_000, cost="0.01")
    book = measures((CONDOR,), (rich,))
    assert row(book, 8.0).expiry_low is None
    gates = flip_journal(book)
    alone = flip_journal(measures((CONDOR,), ()))
    assert [gate.value for gate in gates[3:5]] == [gate.value for gate in alone[3:5]]
    assert {gate.note for gate in gates[3:5]} == {"of condors alone, today"}


def test_b1_without_a_hedge_a_shock_moves_nothing_at_expiry():
    assert flip_journal(measures((POOR,), ()))[0].value == 0.0


def test_b1_what_cannot_be_known_is_said_so():
    lost = replace(CONDOR, entry_credit=-CONDOR.entry_credit)
    nowhere = "there is none: the book loses everywhere, or nowhere on this side"
    for book, note in (
        (None, "the book cannot be priced"),
        (measures(()), "no condors"),
        (replace(measures(), breakevens=()), "the book cannot be priced"),
        (measures((lost,), ()), nowhere),
    ):
        shifts = [gate for gate in flip_journal(book) if "shift" in gate.name]
        assert [(gate.value, gate.note) for gate in shifts] == [(None, note)] * 4
