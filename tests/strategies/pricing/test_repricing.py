"""A repricer: every book is a sum over options that are priced once."""

import numpy as np
import pytest

from strategies.pricing.repricing import Repricer, Shocks
from strategies.pricing.shocks import shock_pnl
from strategies.pricing.valuation import Valuer
from tests.builders import TODAY, condor_position, hedge_position, market_quotes

VALUER = Valuer(market_quotes(), TODAY)
CONDOR = condor_position("SPXW 20MAR20 3040/3050/3405/3415", quantity=10, credit="2.50")
OTHER = condor_position(
    "SPXW 6MAR20 3050/3060/3350/3360", condor_id="C0002", quantity=4, credit="1.00"
)
HEDGES = (hedge_position("VIX 18MAR20 22 C", 20), hedge_position("VXM 15APR20", -3, cost="17.4"))
WIDE = Shocks.of([-0.07, 0.0, 0.02], [0.0, 8.0])
NARROW = Shocks.of([-0.01], [1.0])


def test_every_gain_is_the_repricing_of_its_shock_in_each_grid():
    repricer = Repricer(VALUER, (WIDE, NARROW))
    short, hedge = repricer.condors([CONDOR, OTHER]), repricer.hedges(HEDGES)
    for number, grid in enumerate((WIDE, NARROW)):
        gains = repricer.gains_usd(short, number) + repricer.gains_usd(hedge, number)
        assert gains.shape == (len(grid.spx_fraction), len(grid.vix_points))
        for row, fraction in enumerate(grid.spx_fraction):
            for column, points in enumerate(grid.vix_points):
                expected = shock_pnl(VALUER, [CONDOR, OTHER], HEDGES, fraction, points)
                assert gains[row, column] == pytest.approx(expected, abs=1e-6)


def test_a_book_asked_for_later_does_not_change_an_earlier_one():
    repricer = Repricer(VALUER, (WIDE,), ratio=0.8)
    first = repricer.condors([CONDOR])
    before = repricer.gains_usd(first), repricer.value_usd(first), *repricer.payoffs_usd(first)
    second = repricer.condors([CONDOR, OTHER])
    after = repricer.gains_usd(first), repricer.value_usd(first), *repricer.payoffs_usd(first)
    for was, now in zip(before, after, strict=True):
        assert np.array_equal(was, now)
    alone = Repricer(VALUER, (WIDE,), ratio=0.8)
    other = alone.condors([OTHER])
    assert repricer.gains_usd(second) == pytest.approx(before[0] + alone.gains_usd(other))


def test_a_book_is_worth_what_it_would_cost_by_the_model():
    repricer = Repricer(VALUER)
    value = VALUER.condor(CONDOR.legs)
    assert repricer.value_usd(repricer.condors([CONDOR])) == pytest.approx(
        -1000 * value.mid_debit, rel=0.05
    )
    future = VALUER.value(HEDGES[1].instrument)
    assert repricer.value_usd(repricer.hedges(HEDGES[1:])) == pytest.approx(-300 * future.mid)


def test_condors_that_share_an_option_add_up():
    repricer = Repricer(VALUER, (WIDE,))
    twice = repricer.gains_usd(repricer.condors([CONDOR, CONDOR]))
    assert twice == pytest.approx(2 * repricer.gains_usd(repricer.condors([CONDOR])))


def test_what_is_paid_at_expiry_is_known_at_every_strike():
    levels, paid = (repricer := Repricer(VALUER)).at_expiry_usd(repricer.condors([CONDOR]))
    assert levels.tolist() == [3040, 3050, 3405, 3415]
    assert paid.tolist() == [-10_000, 0, 0, -10_000]


def test_c12_what_has_no_value_has_no_holding():
    repricer = Repricer(VALUER)
    assert repricer.condors([condor_position("SPXW 21MAR20 3040/3050/3405/3415")]) is None
    assert repricer.hedges([hedge_position("VIX 16SEP20 22 C", 1)]) is None
    assert repricer.hedges([hedge_position("VX 16SEP20", 1)]) is None


def test_an_empty_book_gains_nothing():
    repricer = Repricer(VALUER, (WIDE,))
    assert (repricer.gains_usd(repricer.holding(())) == 0).all()
    assert repricer.value_usd(repricer.holding(())) == 0
