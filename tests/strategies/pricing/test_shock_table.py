"""The shock table: every cell is the full repricing of one shock, all in one call."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.pricing.shock_table import SPX_FRACTIONS, VIX_POINTS, Cell, shock_table
from strategies.pricing.shocks import shock_pnl, shock_pnls, shocked_prices
from strategies.pricing.valuation import Valuer
from tests.builders import (
    TODAY,
    condor_position,
    hedge_position,
    market_quotes,
    option,
    skewed_vol,
)

MARKET = market_quotes(spx_vol=skewed_vol(0.16))
VALUER = Valuer(MARKET, TODAY)
CONDORS = [
    condor_position("SPXW 20MAR20 3000/3050/3400/3450", quantity=3),
    condor_position("SPXW 6MAR20 3050/3100/3350/3400", quantity=1),
]
HEDGES = [
    hedge_position("VIX 18MAR20 22 C", 10),
    hedge_position("VX 15APR20", 1),
    hedge_position("VXM 15APR20", -3),
]


def test_the_usual_table_reaches_from_a_crash_to_a_calm():
    assert (SPX_FRACTIONS[0], SPX_FRACTIONS[-1]) == (-0.20, 0.10)
    assert (VIX_POINTS[0], VIX_POINTS[-1]) == (-10.0, 30.0)
    table = shock_table(VALUER, CONDORS, HEDGES)
    assert table.shocks.spx_fraction.tolist() == list(SPX_FRACTIONS)
    assert table.shocks.vix_points.tolist() == list(VIX_POINTS)
    shape = (len(SPX_FRACTIONS), len(VIX_POINTS))
    assert table.condors_usd.shape == table.hedges_usd.shape == table.book_usd.shape == shape


def test_every_cell_is_the_repricing_of_its_shock():
    table = shock_table(VALUER, CONDORS, HEDGES)
    for row in range(0, len(SPX_FRACTIONS), 3):
        for column in range(0, len(VIX_POINTS), 4):
            shock = (SPX_FRACTIONS[row], VIX_POINTS[column])
            cell = (row, column)
            assert table.condors_usd[cell] == pytest.approx(shock_pnl(VALUER, CONDORS, [], *shock))
            assert table.hedges_usd[cell] == pytest.approx(shock_pnl(VALUER, [], HEDGES, *shock))
            assert table.book_usd[cell] == pytest.approx(shock_pnl(VALUER, CONDORS, HEDGES, *shock))


def test_without_a_move_nothing_is_gained():
    table = shock_table(VALUER, CONDORS, HEDGES)
    here = (SPX_FRACTIONS.index(0.0), VIX_POINTS.index(0.0))
    assert table.condors_usd[here] == pytest.approx(0.0, abs=1e-9)
    assert table.hedges_usd[here] == 0.0


def test_the_worst_cell_is_named():
    table = shock_table(VALUER, CONDORS, HEDGES)
    worst = table.worst()
    shock = (worst.spx_fraction, worst.vix_points)
    fraction, points = np.meshgrid(SPX_FRACTIONS, VIX_POINTS, indexing="ij")
    assert worst.book_usd == table.book_usd[fraction * points <= 0].min() < 0
    assert worst.book_usd == pytest.approx(shock_pnl(VALUER, CONDORS, HEDGES, *shock))
    assert worst.condors_usd == pytest.approx(shock_pnl(VALUER, CONDORS, [], *shock))


def test_no_hedge_is_judged_by_a_crash_that_calms_the_market():
    # A long hedge loses most where VIX falls, which a crash does not do
    table = shock_table(VALUER, [], [hedge_position("VX 15APR20", 1)], [-0.2, 0.1], [-10.0, 0.0])
    worst = table.worst()
    assert table.book_usd.argmin() == 0  # the first cell: SPX -20 %, VIX -10
    assert (worst.spx_fraction, worst.vix_points) == (0.1, -10.0)


def test_the_hedge_covers_its_gain_over_the_condors_loss():
    shock = {"spx_fraction": -0.20, "vix_points": 10.0}
    loss = Cell(**shock, condors_usd=-200.0, hedges_usd=50.0)
    assert loss.coverage == 0.25
    assert str(loss) == "SPX -20 %, VIX +10"
    assert Cell(**shock, condors_usd=-200.0, hedges_usd=-50.0).coverage == -0.25
    assert Cell(**shock, condors_usd=0.0, hedges_usd=-50.0).coverage is None


def test_the_hedge_does_not_ask_where_spx_went():
    table = shock_table(VALUER, CONDORS, HEDGES)
    assert (table.hedges_usd == table.hedges_usd[0]).all()
    assert (np.diff(shock_table(VALUER, [], HEDGES[:2]).hedges_usd[0]) >= 0).all()


@given(
    fractions=st.lists(st.floats(-0.3, 0.2), min_size=1, max_size=4),
    points=st.lists(st.floats(-12.0, 60.0), min_size=1, max_size=4),
)
def test_condors_never_lose_more_than_their_width_in_any_cell(fractions, points):
    table = shock_table(VALUER, CONDORS, [], fractions, points)
    most = sum(50 * 100 * each.quantity for each in CONDORS)
    assert (np.abs(table.condors_usd) <= most + 1e-6).all()
    assert (table.hedges_usd == 0).all()


def test_an_empty_book_gains_nothing():
    assert (shock_table(VALUER, [], []).book_usd == 0).all()


def test_what_cannot_be_priced_has_no_table():
    unknown = [hedge_position("VIX 19AUG20 22 C", 1), hedge_position("VX 19AUG20", 1)]
    for hedge in unknown:
        assert shock_table(VALUER, CONDORS, [hedge]) is None
    strange = condor_position("SPXW 21MAR20 3000/3050/3400/3450")
    assert shock_table(VALUER, [strange], HEDGES) is None
    no_futures = Valuer(replace(MARKET, futures=()), TODAY)
    assert shock_table(no_futures, [], HEDGES[:1]) is None


def test_several_shocks_of_a_book_are_those_of_the_table():
    shocks = [(-0.07, 8.0), (0.02, -2.0)]
    table = shock_table(VALUER, CONDORS, HEDGES, [-0.07, 0.02], [8.0, -2.0])
    several = shock_pnls(VALUER, CONDORS, HEDGES, shocks)
    assert several == pytest.approx([table.book_usd[0, 0], table.book_usd[1, 1]])


def test_prices_take_shocks_on_axes_of_their_own():
    terms = VALUER.terms(
        [option("SPXW 20MAR20 3050 P"), option("VIX 18MAR20 22 C"), option("SPXW 20MAR20 3400 C")]
    )
    fractions, points = np.array([-0.1, 0.0, 0.05]), np.array([-5.0, 0.0, 5.0, 20.0])
    grid = shocked_prices(VALUER, terms, fractions[:, None, None], points[:, None])
    assert grid.shape == (3, 4, 3)
    for row, fraction in enumerate(fractions):
        for column, move in enumerate(points):
            one = shocked_prices(VALUER, terms, float(fraction), float(move))
            assert grid[row, column] == pytest.approx(one)
    only_vix = VALUER.terms([option("VIX 18MAR20 22 C")])
    column = shocked_prices(VALUER, only_vix, 0.0, points[:, None])
    assert column.shape == (4, 1)
    assert (np.diff(column[:, 0]) > 0).all()
