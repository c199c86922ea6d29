"""L6: futures sold short against a book that is meant to be vega-positive."""

from dataclasses import replace

import pytest

from strategies.alvh.governors import Budget
from strategies.alvh.holdings import LAYERS
from strategies.alvh.rebalance import Band, Purchases, Sales, sell_above_ceiling, sell_due
from strategies.alvh.short_side import (
    buy_back,
    sell_short,
    short_ceiling_usd,
    short_side,
    short_usd,
    vega_above,
)
from strategies.model.orders import PositionEffect, Urgency
from strategies.model.plan import Measures
from tests.builders import account, condor_position
from tests.strategies.alvh.builders import RULES, candidate, days_ahead, lot, regime, usd

POSITIVE = replace(RULES, condor=replace(RULES.condor, bias="positive", wings="ratio"))
VX, MINI, NEXT = "VX 19FEB20", "VXM 19FEB20", "VXM 18MAR20"
CONDORS = (condor_position("SPXW 20MAR20 3040/3050/3405/3415", quantity=1000, credit="2.00"),)


def mini(text=MINI, *, unit=50.0, score=0.0):
    return candidate(text, unit=unit, score=score, bid=16.95, ask=17.0)


# --- how much -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("vega", "target"), [(1000.0, 500.0), (0.01, 0.005), (0.0, 0.0), (-1000.0, 0.0)]
)
def test_l6_against_a_vega_positive_book_l1_is_short_for_its_share(vega, target):
    found = short_side(vega, POSITIVE)
    assert found.target_usd == pytest.approx(target)
    assert (found.gate.rule, found.gate.value) == ("L6", vega)
    assert found.gate.passed is (vega > 0)


@pytest.mark.parametrize("bias", ["negative", "neutral"])
def test_l6_a_book_not_meant_to_be_vega_positive_is_never_sold_against(bias):
    rules = replace(POSITIVE, condor=replace(POSITIVE.condor, bias=bias))
    found = short_side(1000.0, rules)
    assert found.target_usd == 0
    assert found.gate is None


def test_g7_the_mirrored_ceiling_keeps_v_above_the_mirrored_band():
    """v = -0.085: 1,000 of the condors, and 850 for a hundred of them."""
    assert short_ceiling_usd(1000.0, 100, POSITIVE) == pytest.approx(1850.0)
    assert short_ceiling_usd(-5000.0, 100, POSITIVE) == 0


def test_b8_the_upper_edge_bounds_what_the_hedge_adds_to_a_book_meant_long():
    band = Band.of(2000.0, 100, POSITIVE)
    assert (band.ceiling_usd, band.inner_usd) == pytest.approx((1000.0, 850.0))
    assert band.floor_usd == pytest.approx(-2500.0)
    assert Band.of(2000.0, 100, RULES).ceiling_usd == 0  # by accident, it is over-hedged
    assert Band.of(-2000.0, 100, POSITIVE) == Band.of(-2000.0, 100, RULES)


def measures(condor_vega, hedge_vega, condors=10) -> Measures:
    net = (condor_vega + hedge_vega) / (100 * condors) if condors else None
    numbers = dict.fromkeys(
        ("delta_usd", "gamma_usd", "theta_usd_per_day", "loss_vix_5_usd", "loss_vix_8_usd"), 0.0
    )
    return Measures(
        condor_contracts=condors,
        condor_factor_vega_usd=condor_vega,
        hedge_factor_vega_usd=hedge_vega,
        net_vega_per_condor=net,
        breakeven_low=None,
        breakeven_high=None,
        **numbers,
    )


@pytest.mark.parametrize(
    ("condors", "rules", "expected"),
    [(-300.0, RULES, 0.10), (-300.0, POSITIVE, 0.10), (300.0, POSITIVE, 0.40), (300.0, RULES, 0.7)],
)
def test_g7_v_is_judged_by_what_the_hedge_adds_to_a_book_meant_long(condors, rules, expected):
    assert vega_above(measures(condors, 400.0), rules) == pytest.approx(expected)


def test_g7_without_condors_there_is_no_v():
    assert vega_above(measures(0.0, 0.0, condors=0), POSITIVE) is None


# --- buying back ----------------------------------------------------------------------------------

WIDE_BAND = Band(floor_usd=-9e9, ceiling_usd=9e9, inner_usd=9e9, keep_usd=0.0)


def bought_back(lots, target, *, band=WIDE_BAND, rules=POSITIVE):
    sales = Sales(lots, ())
    buy_back(sales, lots, target, band, rules)
    assert all(trade.effect is PositionEffect.CLOSE for trade in sales.trades)
    return {str(t.instrument): t.contracts for t in sales.trades}, sales.trades


def short_lot(text=MINI, contracts=-20, **facts):
    return lot(text, contracts, unit=50.0, bid=16.95, ask=17.0, cost_usd=1_700.0, **facts)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (1000.0, {}),
        (951.0, {}),  # inside the zone of one contract and a tenth
        (910.0, {}),
        (900.0, {MINI: 2}),
        (500.0, {MINI: 5}),  # a quarter of what is held
        (0.01, {MINI: 5}),
        (0.0, {MINI: 20}),  # no target: at once
    ],
)
def test_l6_what_is_short_beyond_the_target_is_bought_back_by_increments(target, expected):
    found, trades = bought_back((short_lot(),), target)
    assert found == expected
    for trade in trades:
        assert trade.urgency is (Urgency.URGENT if target == 0 else Urgency.NORMAL)
        assert trade.rules == (("L6",) if target == 0 else ("L6", "B9"))


@pytest.mark.parametrize(("floor", "contracts"), [(-1000.0, 5), (-999.0, 10)])
def test_b8_below_the_band_shorts_are_bought_back_down_to_the_target_at_once(floor, contracts):
    band = replace(WIDE_BAND, floor_usd=floor)
    assert bought_back((short_lot(),), 500.0, band=band)[0] == {MINI: contracts}


def test_l6_shorts_are_bought_back_shortest_first_and_longs_left_alone():
    lots = (short_lot(contracts=-2), lot("VIX 19FEB20 20 C", 9), short_lot(NEXT, -18))
    assert bought_back(lots, 500.0)[0] == {MINI: 2, NEXT: 3}
    assert bought_back(lots, 0.0)[0] == {MINI: 2, NEXT: 18}


def test_l6_what_is_bought_back_already_is_not_bought_twice():
    lots = (short_lot(buying=4),)
    assert short_usd(lots, Sales(lots, ())) == pytest.approx(800.0)
    assert bought_back(lots, 0.0)[0] == {MINI: 16}
    assert bought_back((short_lot(priced=False),), 0.0)[0] == {}


def test_b10_a_short_future_is_bought_back_at_three_days():
    near, later = f"VXM {days_ahead(3)}", f"VXM {days_ahead(4)}"
    lots = (short_lot(near, -2), short_lot(later, -2))
    sales = Sales(lots, ())
    sell_due(sales, lots, POSITIVE)
    assert {str(t.instrument): t.contracts for t in sales.trades} == {near: 2}


def test_b8_a_trim_above_the_ceiling_sells_no_more_short():
    lots = (short_lot(contracts=-1), lot("VIX 18MAR20 22 C", 30))
    sales = Sales(lots, ())
    none = Band(floor_usd=0, ceiling_usd=0, inner_usd=0, keep_usd=0)
    sell_above_ceiling(sales, lots, none, dict.fromkeys(LAYERS, 0.0))
    assert {str(t.instrument): t.contracts for t in sales.trades} == {"VIX 18MAR20 22 C": -25}


# --- selling short --------------------------------------------------------------------------------


def sold_short(target, ranked, lots=(), *, ceiling=9e9, holder=None, at_work=(), sales=None):
    lots = tuple(lots)
    sales = sales or Sales(lots, ())
    selling = Purchases(
        lots,
        sales,
        budget=Budget(
            account=holder or account("10000000"),
            hedge_cost_usd=usd(0),
            lots=lots,
            condors=CONDORS,
            regime=regime(),
            forecast=1.0,
            rules=POSITIVE.governors,
        ),
        ceiling_usd=ceiling,
        purposes_at_work=at_work,
        rules=POSITIVE,
        side=-1,
    )
    attempt = sell_short(selling, lots, sales, target, ranked, POSITIVE)
    assert all(trade.effect is PositionEffect.OPEN for trade in selling.trades)
    assert all(trade.rules[:2] == ("L1", "L6") for trade in selling.trades)
    return {str(t.instrument): t.contracts for t in selling.trades}, attempt


@pytest.mark.parametrize(
    ("held", "target", "expected", "cap"),
    [
        (0, 1000.0, -5, "B9"),
        (-15, 1000.0, -5, None),
        (-18, 1000.0, -2, None),
        (-19, 1000.0, 0, None),  # inside the no-trade zone
        (-20, 1000.0, 0, None),
        (0, 49.0, 0, "L4"),
        (0, 50.0, -1, None),
    ],
)
def test_l6_futures_are_sold_short_by_increments(held, target, expected, cap):
    lots = (short_lot(contracts=held),) if held else ()
    found, attempt = sold_short(target, [mini()], lots)
    assert found == ({MINI: expected} if expected else {})
    assert attempt.cap == cap


def test_g8_a_call_is_never_sold_short():
    call = candidate("VIX 19FEB20 20 C", score=-9.0)
    assert sold_short(1000.0, [call])[0] == {}
    assert sold_short(1000.0, [call])[1].cap == "L5"
    assert sold_short(1000.0, [call, mini()])[0] == {MINI: -5}


def test_l5_the_future_whose_roll_costs_the_buyer_most_is_sold():
    """Equal spreads: what is dear to hold is cheap to be short of."""
    cheap, dear = mini(NEXT, score=1.0), mini(MINI, score=3.0)
    found, attempt = sold_short(100.0, [cheap, dear])
    assert found == {MINI: -1}
    assert attempt.runner_up.instrument == cheap.instrument
    assert attempt.chosen.score == pytest.approx(2 * 0.05 * 100 / 50 - 3.0)


def test_l7_short_futures_are_staggered_too():
    found, _ = sold_short(4000.0, [mini(), mini(NEXT)])
    assert found == {MINI: -12, NEXT: -8}


def test_g7_short_sales_stop_at_the_mirrored_ceiling():
    lots = (short_lot(contracts=-10, selling=2),)
    found, attempt = sold_short(4000.0, [mini(NEXT)], lots, ceiling=700.0)
    assert found == {NEXT: -2}
    assert attempt.cap == "G7"


def test_g6_margin_of_a_short_future_is_that_of_a_long_one():
    """One mini ties up 1.25 x 0.45 x 17 x 100 = 956 USD."""
    holder = replace(account("10000000"), excess_liquidity_usd=usd(2_000))
    found, attempt = sold_short(4000.0, [mini()], holder=holder)
    assert found == {MINI: -2}
    assert attempt.cap == "G6"


def test_g3_short_futures_count_by_what_they_were_sold_at():
    """A cap of 200,000 USD, 115 minis at 1,700 held: 4,500 are left."""
    lots = (short_lot(contracts=-115),)
    found, attempt = sold_short(20_000.0, [mini(NEXT)], lots)
    assert found == {NEXT: -2}
    assert attempt.cap == "G3"


def test_l6_a_long_position_is_not_turned_short_in_one_plan():
    lots = (lot(MINI, 3, unit=50.0, bid=16.95, ask=17.0, cost_usd=1_700.0),)
    assert sold_short(1000.0, [mini()], lots)[1].cap == "L5"
    busy = {f"hedge:L1:add:{mini().instrument.symbol}"}
    assert sold_short(1000.0, [mini()], at_work=busy)[1].cap == "L5"
    shorts = (short_lot(buying=1),)
    assert sold_short(9000.0, [mini()], shorts)[1].cap == "L5"
