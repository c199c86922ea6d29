"""B8, B9, B10, G7 and L7: from targets to trades."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.alvh.governors import Budget
from strategies.alvh.holdings import LAYERS
from strategies.alvh.orders import order_of
from strategies.alvh.rebalance import (
    Band,
    Purchases,
    Sales,
    Trade,
    Wish,
    layer_wishes,
    sell_above_ceiling,
    sell_above_wish,
    sell_due,
    sell_rotated,
)
from strategies.model.orders import PositionEffect, Urgency
from strategies.model.plan import LayerReason
from tests.builders import account, condor_position, instrument, leg
from tests.strategies.alvh.builders import (
    RULES,
    candidate,
    days_ahead,
    lot,
    regime,
    target,
    usd,
)

L1_CALL = "VIX 19FEB20 20 C"
L2_CALL = "VIX 18MAR20 22 C"
L2_LATER = "VIX 15APR20 24 C"
L3_CALL = "VIX 20MAY20 25 C"
FUTURE_L1 = "VX 19FEB20"
NOTHING = dict.fromkeys(LAYERS, 0.0)  # is wanted


# --- B8: what layers should hold ------------------------------------------------------------------


def everything(_layer, wish_usd):
    """Whatever a layer wants can be bought."""
    return wish_usd


def wishes(
    l1=0.0,
    l2=0.0,
    l3=0.0,
    *,
    held=(0.0, 0.0, 0.0),
    floor=0.0,
    ceiling=1e9,
    permitted=LAYERS,
    reach=everything,
):
    result = layer_wishes(
        {
            "L1": target("L1", l1, reason=LayerReason.CORE),
            "L2": target("L2", l2),
            "L3": target("L3", l3),
        },
        dict(zip(LAYERS, held, strict=True)),
        band=Band(floor_usd=floor, ceiling_usd=ceiling, inner_usd=ceiling, keep_usd=0.0),
        permitted=permitted,
        reach=reach,
        rules=RULES,
    )
    return tuple(pytest.approx(result[layer].vega_usd) for layer in LAYERS), result


@pytest.mark.parametrize(
    ("floor", "expected"),
    [
        (499.0, (100.0, 250.0, 150.0)),  # inside the band nothing is raised
        (500.0, (100.0, 250.0, 150.0)),
        (600.0, (200.0, 250.0, 150.0)),
        (1400.0, (750.0, 450.0, 200.0)),  # L1 and L2 to their scale of 1.5, L3 takes the rest
        (9999.0, (750.0, 450.0, 300.0)),
    ],
)
def test_b8_the_floor_raises_permitted_layers_to_their_largest_scale(floor, expected):
    result, _ = wishes(100, 250, 150, floor=floor)
    assert result == expected


def test_b8_the_cheapest_layer_is_raised_first():
    result, _ = wishes(floor=400, permitted=("L3", "L2"))
    assert result == (0.0, 100.0, 300.0)


def test_b8_a_layer_that_is_not_permitted_is_not_raised():
    result, detail = wishes(100, floor=900, permitted=("L2",))
    assert result == (100.0, 450.0, 0.0)
    assert detail["L2"].floor_raise_usd == pytest.approx(450)
    assert detail["L1"].floor_raise_usd == 0


def test_b1_the_floor_raises_l1_no_further_than_the_cut_leaves_of_its_largest_scale():
    cut = {
        "L1": replace(target("L1", 100.0, reason=LayerReason.CORE), cut=0.5),
        "L2": target("L2", 0.0, reason=LayerReason.INACTIVE),
        "L3": target("L3", 0.0, reason=LayerReason.INACTIVE),
    }
    result = layer_wishes(
        cut,
        dict.fromkeys(LAYERS, 0.0),
        band=Band(floor_usd=900.0, ceiling_usd=1e9, inner_usd=1e9, keep_usd=0.0),
        permitted=("L1",),
        reach=everything,
        rules=RULES,
    )
    assert result["L1"].vega_usd == pytest.approx(0.5 * 750.0)


@pytest.mark.parametrize(
    ("most", "expected"),
    [
        ({"L1": 0.0}, (0.0, 450.0, 50.0)),
        ({"L1": 200.0}, (200.0, 300.0, 0.0)),
        ({"L1": 0.0, "L2": 200.0}, (0.0, 200.0, 300.0)),
        ({"L1": 0.0, "L2": 0.0}, (200.0, 0.0, 300.0)),  # what is left stays with the cheapest
        ({"L1": 0.0, "L2": 0.0, "L3": 0.0}, (500.0, 0.0, 0.0)),
    ],
)
def test_b8_what_a_layer_cannot_buy_is_asked_of_the_next(most, expected):
    result, _ = wishes(floor=500, reach=lambda layer, wish: min(wish, most.get(layer, 9e9)))
    assert result == expected


def test_b8_a_target_that_cannot_be_bought_does_not_count_toward_the_floor():
    result, _ = wishes(
        l2=300, floor=300, permitted=("L1",), reach=lambda layer, wish: wish * (layer != "L2")
    )
    assert result == (300.0, 300.0, 0.0)


def test_b8_what_is_held_serves_the_floor_before_anything_is_bought_longest_first():
    result, _ = wishes(0, 0, 0, held=(300, 200, 100), floor=150)
    assert result == (0.0, 50.0, 100.0)
    result, _ = wishes(0, 0, 0, held=(300, 200, 100), floor=700, permitted=("L1",))
    assert result == (400.0, 200.0, 100.0)


def test_g7_the_ceiling_lowers_the_shortest_first():
    result, detail = wishes(500, 300, 200, ceiling=450)
    assert result == (0.0, 250.0, 200.0)
    assert [detail[layer].is_lowered for layer in LAYERS] == [True, True, False]
    assert detail["L1"].uncapped_usd == pytest.approx(500)


@pytest.mark.parametrize(
    ("vega", "condors", "floor", "ceiling"),
    [
        (-2000.0, 100, 1500.0, 3000.0),
        (-2000.0, 0, 0.0, 0.0),
        (500.0, 100, -1000.0, 500.0),
        (5000.0, 100, -5500.0, 0.0),
    ],
)
def test_b8_band_edges_in_dollars(vega, condors, floor, ceiling):
    band = Band.of(vega, condors, RULES)
    assert band.floor_usd == pytest.approx(floor)
    assert band.ceiling_usd == pytest.approx(ceiling)


def test_g7_what_is_held_below_the_ceiling_is_not_lowered_to_make_room():
    result, detail = wishes(500, 300, 200, held=(200, 100, 0), ceiling=450)
    assert result == (200.0, 100.0, 150.0)
    assert all(detail[layer].is_lowered for layer in LAYERS)


@pytest.mark.parametrize(
    ("vega", "condors", "inner"), [(-2000.0, 100, 2850.0), (-2000.0, 0, 0.0), (5000.0, 100, 0.0)]
)
def test_g7_the_inner_line_lies_a_tenth_of_the_band_below_its_upper_edge(vega, condors, inner):
    """0.085 of a band from -0.05 to 0.10."""
    band = Band.of(vega, condors, RULES)
    assert band.inner_usd == pytest.approx(inner)
    assert band.keep_usd - band.floor_usd == pytest.approx(1.5 * condors)  # and above the lower one


@pytest.mark.parametrize(("held", "trimmed"), [(100, 0), (95, 0), (101, 16), (120, 35)])
def test_b8_trims_begin_above_the_ceiling_and_end_at_the_inner_line(held, trimmed):
    lots = (lot(L2_CALL, held),)
    sales = Sales(lots, ())
    sell_above_ceiling(
        sales, lots, Band(floor_usd=0.0, ceiling_usd=1000.0, inner_usd=850.0, keep_usd=0.0), NOTHING
    )
    assert sold(sales) == ({L2_CALL: trimmed} if trimmed else {})


def test_g7_the_lower_of_ceiling_and_band_counts():
    tighter = replace(RULES, governors=replace(RULES.governors, max_net_vega=0.05))
    assert Band.of(-2000.0, 100, tighter).ceiling_usd == pytest.approx(2500.0)


# --- sales ----------------------------------------------------------------------------------------


def sold(sales):
    return {str(t.instrument): -t.contracts for t in sales.trades}


def test_b10_what_is_due_is_sold_whole_and_at_once():
    near, far = f"VIX {days_ahead(5)} 20 C", f"VIX {days_ahead(6)} 20 C"
    future = f"VX {days_ahead(3)}"
    lots = (lot(future, 2, unit=600), lot(near, 50), lot(far, 50))
    sales = Sales(lots, ())
    sell_due(sales, lots, RULES)
    assert sold(sales) == {future: 2, near: 50}
    assert all(trade.rules == ("B10",) for trade in sales.trades)


def test_a_sale_leaves_alone_what_is_being_sold_and_what_nobody_bids_for():
    lots = (
        lot(L1_CALL, 10, selling=4),
        lot(L2_CALL, 10, bid=0.0),
        lot(L2_LATER, 10),
    )
    busy = {f"hedge:L2:reduce:{instrument(L2_LATER).symbol}"}
    sales = Sales(lots, busy)
    for each in lots:
        sales.sell(each, 99, ("B8",))
    assert sold(sales) == {L1_CALL: 6}
    assert sales.reasons == [
        f"B8: nobody bids for {L2_CALL}",
        f"B8: {L2_LATER} is being sold already",
    ]
    assert sales.left_vega_usd("L1") == 0
    assert sales.left_vega_usd() == pytest.approx(200)


def test_two_rules_that_sell_one_instrument_make_one_trade():
    (held,) = lots = (lot(L1_CALL, 10),)
    sales = Sales(lots, ())
    sales.sell(held, 3, ("B1",))
    sales.sell(held, 4, ("B8", "G7"), Urgency.URGENT)
    sales.sell(held, 1, ("B1",))
    (trade,) = sales.trades
    assert trade.contracts == -8
    assert trade.rules == ("B1", "B8", "G7")
    assert trade.urgency is Urgency.URGENT


def test_b1_sells_l1_down_to_what_is_kept():
    lots = (lot(L1_CALL, 10), lot(L2_CALL, 10))
    sales = Sales(lots, ())
    keep = {instrument(L1_CALL).symbol: 7, instrument(L2_CALL).symbol: 1}
    sell_rotated(sales, lots, keep, "B1")
    assert sold(sales) == {L1_CALL: 3}


@pytest.mark.parametrize(
    ("ceiling", "expected"),
    [
        (300.0, {}),
        (299.0, {L1_CALL: 1}),
        (290.0, {L1_CALL: 1}),
        (200.0, {L1_CALL: 10}),
        (195.0, {L1_CALL: 10, L2_CALL: 1}),
        (0.0, {L1_CALL: 10, L2_CALL: 10, L3_CALL: 10}),
    ],
)
def test_b8_above_the_ceiling_the_shortest_is_trimmed_first_and_unthrottled(ceiling, expected):
    lots = (lot(L1_CALL, 10), lot(L2_CALL, 10), lot(L3_CALL, 10))
    sales = Sales(lots, ())
    sell_above_ceiling(
        sales,
        lots,
        Band(floor_usd=0, ceiling_usd=ceiling, inner_usd=ceiling, keep_usd=0.0),
        NOTHING,
    )
    assert sold(sales) == expected
    for trade in sales.trades:
        assert trade.urgency is Urgency.URGENT
        assert trade.rules == ("B8", "G7")


UPPER = Band(floor_usd=0.0, ceiling_usd=200.0, inner_usd=150.0, keep_usd=50.0)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"L1": 100.0}, {L2_CALL: 10, L3_CALL: 5}),  # L2's and L3's surplus is enough
        ({"L1": 100.0, "L2": 60.0}, {L2_CALL: 4, L3_CALL: 10, L1_CALL: 1}),
        ({"L1": 95.0, "L3": 50.0}, {L2_CALL: 10, L3_CALL: 5}),  # no whole call of L1 is surplus
        ({"L1": 90.0, "L3": 50.0}, {L1_CALL: 1, L2_CALL: 10, L3_CALL: 4}),
        ({"L1": 100.0, "L2": 100.0, "L3": 100.0}, {L1_CALL: 10, L2_CALL: 5}),
    ],
)
def test_b8_a_trim_takes_what_layers_hold_beyond_their_wishes_first(wanted, expected):
    lots = (lot(L1_CALL, 10), lot(L2_CALL, 10), lot(L3_CALL, 10))
    sales = Sales(lots, ())
    given = sell_above_ceiling(sales, lots, UPPER, NOTHING | wanted)
    assert sold(sales) == expected
    assert sum(given.values()) == pytest.approx(150.0)
    assert given["L2"] == pytest.approx(10.0 * expected.get(L2_CALL, 0))


@pytest.mark.parametrize(("core", "expected"), [(0, 10), (6, 4), (10, 0), (12, 0)])
def test_g2_a_trim_counts_the_core_as_no_surplus(core, expected):
    lots = (lot(L1_CALL, 10), lot(L2_CALL, 20))
    sales = Sales(lots, ())
    sell_above_ceiling(sales, lots, UPPER, NOTHING, keep_calls=core)
    assert sold(sales).get(L1_CALL, 0) == expected
    assert sales.left_vega_usd() == pytest.approx(150.0)


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        (170.0, {FUTURE_L1: 1}),  # from 220 to exactly the line
        (171.0, {L2_CALL: 5}),  # less would be left: the calls bring v inside
    ],
)
def test_b8_a_trim_does_not_end_below_the_line_at_which_surplus_is_kept(unit, expected):
    lots = (lot(FUTURE_L1, 1, unit=unit), lot(L2_CALL, 5, unit=(220.0 - unit) / 5))
    sales = Sales(lots, ())
    sell_above_ceiling(sales, lots, UPPER, NOTHING)
    assert sold(sales) == expected
    assert sales.left_vega_usd() >= UPPER.keep_usd


def test_g7_a_contract_too_large_for_the_band_goes_all_the_same():
    lots = (lot(FUTURE_L1, 1, unit=300.0),)
    sales = Sales(lots, ())
    assert sell_above_ceiling(sales, lots, UPPER, NOTHING)["L1"] == 300.0
    assert sold(sales) == {FUTURE_L1: 1}


@pytest.mark.parametrize(
    ("trimmed", "expected"), [(0.0, 25), (100.0, 17), (250.0, 6), (340.0, 0), (1000.0, 0)]
)
def test_b9_what_the_ceiling_took_is_part_of_the_increment(trimmed, expected):
    """A quarter of what the layer held before it, less what has gone."""
    lots = (lot(L2_CALL, 100),)
    sales = Sales(lots, ())
    sell_above_wish(sales, lots, wish(0.0), layer="L2", trimmed_usd=trimmed, **REDUCE)
    assert sold(sales) == ({L2_CALL: expected} if expected else {})


REDUCE = {"keep_usd": 0.0, "asked_by": ("L2",), "rules": RULES}


def wish(vega: float, *, lowered: bool = False) -> Wish:
    return Wish(vega_usd=vega, uncapped_usd=vega, floor_raise_usd=0.0, is_lowered=lowered)


@pytest.mark.parametrize(
    ("contracts", "wanted", "expected"),
    [
        (100, 1000.0, 0),
        (100, 950.0, 0),  # inside the zone of a tenth
        (100, 910.0, 0),
        (100, 900.0, 10),
        (100, 700.0, 25),  # a quarter of what is held
        (100, 0.0, 25),
        (2, 10.0, 1),  # one contract at least
        (2, 10.1, 0),  # ... if a whole one is too much
        (3, 0.0, 1),
    ],
)
def test_b9_a_layer_is_reduced_by_increments_outside_the_no_trade_zone(contracts, wanted, expected):
    lots = (lot(L2_CALL, contracts),)
    sales = Sales(lots, ())
    sell_above_wish(sales, lots, wish(wanted), layer="L2", **REDUCE)
    assert sold(sales) == ({L2_CALL: expected} if expected else {})
    for trade in sales.trades:
        assert trade.rules == ("L2", "B9")
        assert trade.urgency is Urgency.NORMAL


def test_b9_one_increment_runs_over_lots_shortest_first():
    lots = (lot(L1_CALL, 50), lot(L2_CALL, 10), lot(L2_LATER, 30))
    sales = Sales(lots, ())
    sell_above_wish(sales, lots, wish(0.0), layer="L2", **REDUCE)
    assert sold(sales) == {L2_CALL: 10}
    lots = (lot(L2_CALL, 4), lot(L2_LATER, 36))
    sales = Sales(lots, ())
    sell_above_wish(sales, lots, wish(0.0), layer="L2", **REDUCE)
    assert sold(sales) == {L2_CALL: 4, L2_LATER: 6}


@pytest.mark.parametrize(
    ("floor", "expected"), [(1500.0, 0), (1490.0, 1), (1400.0, 10), (1000.0, 25), (-9e9, 25)]
)
def test_b8_no_surplus_is_sold_below_the_line_above_the_floor(floor, expected):
    lots = (lot(L1_CALL, 50), lot(L2_CALL, 100))
    sales = Sales(lots, ())
    facts = REDUCE | {"keep_usd": floor}
    sell_above_wish(sales, lots, wish(0.0), layer="L2", **facts)
    assert sold(sales) == ({L2_CALL: expected} if expected else {})


@pytest.mark.parametrize(("core", "expected"), [(0, 10), (4, 6), (10, 0), (12, 0)])
def test_g2_the_core_is_no_surplus(core, expected):
    """A future sells what one step leaves of it, and calls beyond the core go after it."""
    lots = (lot(L1_CALL, 10), lot("VXM 19FEB20", 2, unit=30.0))
    sales = Sales(lots, ())
    facts = REDUCE | {"rules": replace(RULES, rotation=replace(RULES.rotation, increment=1.0))}
    sell_above_wish(sales, lots, wish(0.0), layer="L1", keep_calls=core, **facts)
    calls = {L1_CALL: expected} if expected else {}
    assert sold(sales) == calls | {"VXM 19FEB20": 2}


# --- purchases ------------------------------------------------------------------------------------

CONDORS = (condor_position("SPXW 20MAR20 3040/3050/3405/3415", quantity=1000, credit="2.00"),)


def purchases(
    lots=(), *, ceiling=1e9, at_work=(), cost=0.0, condors=CONDORS, sales=None, state=None
):
    lots = tuple(lots)
    return Purchases(
        lots,
        sales or Sales(lots, ()),
        budget=Budget(
            account=account("10000000"),
            hedge_cost_usd=usd(cost),
            lots=lots,
            condors=condors,
            regime=state or regime(),
            forecast=1.0,
            rules=RULES.governors,
        ),
        ceiling_usd=ceiling,
        purposes_at_work=at_work,
        rules=RULES,
    )


def fill(wanted, ranked, *, layer="L2", floor=0.0, **facts):
    buying = purchases(**facts)
    filled = buying.fill(layer, wish(wanted), ranked, floor_missing_usd=floor, asked_by=(layer,))
    return {str(t.instrument): t.contracts for t in buying.trades}, filled


BEST = candidate(L2_CALL, score=1.0)
WORSE = candidate("VIX 18MAR20 24 C", score=2.0)
LATER = candidate(L2_LATER, score=3.0)
FUTURE = candidate("VX 18MAR20", unit=500.0, score=0.0, bid=16.95, ask=17.0)


@pytest.mark.parametrize(
    ("held", "wanted", "expected", "cap"),
    [
        (0, 1000.0, 25, "B9"),
        (75, 1000.0, 25, None),
        (80, 1000.0, 20, None),
        (90, 1000.0, 10, None),  # a gap of exactly a tenth is traded
        (91, 1000.0, 0, None),  # less is not
        (0, 30.0, 1, "B9"),  # one contract at least
        (2, 30.0, 1, None),
        (0, 19.9, 1, None),
        (0, 9.9, 0, "L4"),  # rounded toward zero
        (99, 999.0, 0, None),  # less than one contract and than a tenth
    ],
)
def test_b9_a_layer_grows_by_a_quarter_of_its_target_outside_the_no_trade_zone(
    held, wanted, expected, cap
):
    bought, filled = fill(wanted, [BEST], lots=[lot(L2_CALL, held)])
    assert bought == ({L2_CALL: expected} if expected else {})
    assert filled.cap == cap


def test_l5_the_best_is_bought_and_the_runner_up_is_named():
    bought, filled = fill(1000.0, [BEST, WORSE])
    assert bought == {L2_CALL: 25}
    assert filled.runner_up == WORSE


def test_l5_without_anything_to_buy_the_layer_says_so():
    bought, filled = fill(1000.0, [])
    assert bought == {}
    assert filled.cap == "L5"


def test_l4_an_instrument_too_coarse_for_the_gap_gives_way():
    bought, filled = fill(400.0, [FUTURE, BEST])
    assert bought == {L2_CALL: 10}
    assert filled.cap == "B9"


def test_l5_a_purpose_at_work_or_a_contract_being_sold_is_not_bought():
    busy = {f"hedge:L2:add:{BEST.instrument.symbol}"}
    assert fill(1000.0, [BEST, WORSE], at_work=busy)[0] == {str(WORSE.instrument): 25}
    selling = [lot(L2_CALL, 5, selling=5)]
    assert fill(1000.0, [BEST, WORSE], lots=selling)[0] == {str(WORSE.instrument): 25}
    held = (lot(L2_CALL, 5),)
    sales = Sales(held, ())
    sales.sell(held[0], 5, ("B10",))
    assert fill(1000.0, [BEST, WORSE], lots=held, sales=sales)[0] == {str(WORSE.instrument): 25}


@pytest.mark.parametrize(
    ("wanted", "ranked", "facts", "expected"),
    [
        (400.0, [BEST], {}, 400.0),
        (405.0, [BEST], {}, 405.0),  # what rounding leaves is inside B9's zone
        (400.0, [FUTURE], {}, 0.0),  # L4: one contract is too coarse
        (700.0, [FUTURE], {}, 500.0),
        (700.0, [FUTURE, BEST], {}, 700.0),
        (400.0, [], {}, 0.0),
        (400.0, [BEST], {"cost": 100_000 - 64 * 7}, 70.0),
        (400.0, [BEST], {"ceiling": 120.0}, 120.0),
        (400.0, [BEST], {"lots": [lot(L2_CALL, 37)]}, 400.0),
        (400.0, [], {"lots": [lot(L2_CALL, 37)]}, 400.0),  # the zone again
        (400.0, [], {"lots": [lot(L2_CALL, 36)]}, 360.0),
    ],
)
def test_b8_the_reach_of_a_layer_is_what_governors_and_whole_contracts_leave(
    wanted, ranked, facts, expected
):
    reached = purchases(**facts).reach_usd("L2", wanted, ranked, floor_missing_usd=0.0)
    assert reached == pytest.approx(expected)


def test_b9_what_is_being_bought_counts_as_held():
    assert fill(1000.0, [WORSE], lots=[lot(L2_CALL, 0, buying=100)])[0] == {}


@pytest.mark.parametrize(
    ("ceiling", "expected", "cap"),
    [(250.0, 25, "G7"), (249.9, 24, "G7"), (9.9, 0, "G7"), (300.0, 25, "B9")],
)
def test_g7_a_purchase_stops_at_the_ceiling(ceiling, expected, cap):
    bought, filled = fill(1000.0, [BEST], ceiling=ceiling)
    assert bought == ({L2_CALL: expected} if expected else {})
    assert filled.cap == cap


def test_g7_assumes_that_no_sale_of_the_plan_fills():
    held = (lot(L1_CALL, 90),)
    sales = Sales(held, ())
    sales.sell(held[0], 90, ("B1",))
    bought, filled = fill(1000.0, [BEST], lots=held, sales=sales, ceiling=1000.0)
    assert bought == {L2_CALL: 10}
    assert filled.cap == "G7"


@pytest.mark.parametrize(
    ("cost", "expected", "cap"),
    [(100_000 - 64 * 10, 10, "G1"), (100_000, 0, "G1"), (0, 25, "B9")],
)
def test_g1_a_purchase_stops_at_the_cost_limit(cost, expected, cap):
    bought, filled = fill(1000.0, [BEST], cost=cost)
    assert bought == ({L2_CALL: expected} if expected else {})
    assert filled.cap == cap


def test_g3_prefers_what_can_fill_the_whole_gap_inside_the_cap():
    """10 condors of 8 x 100: the cap is 2,000 USD, a future 17,000."""
    small = (replace(CONDORS[0], quantity=10),)
    bought, filled = fill(1000.0, [FUTURE, BEST], condors=small)
    assert bought == {L2_CALL: 25}
    assert filled.cap == "B9"
    bought, _ = fill(1000.0, [FUTURE, BEST])
    assert bought == {"VX 18MAR20": 1}


def test_g3_lets_the_floor_through_in_a_spike_with_the_least_notional():
    none = ()
    assert fill(1000.0, [FUTURE, BEST], condors=none)[0] == {}
    assert fill(1000.0, [FUTURE, BEST], condors=none)[1].cap == "G3"
    spike = {"condors": none, "state": regime(spike=True)}
    assert fill(1000.0, [FUTURE, BEST], floor=1000.0, **spike)[0] == {L2_CALL: 25}
    assert fill(1000.0, [FUTURE, BEST], floor=55.0, **spike)[0] == {L2_CALL: 5}
    assert fill(1000.0, [FUTURE, BEST], floor=0.0, **spike)[0] == {}


def test_l7_purchases_are_spread_over_expiries():
    bought, filled = fill(1000.0, [BEST, WORSE, LATER])
    assert bought == {L2_CALL: 15, L2_LATER: 10}
    assert filled.cap == "B9"
    crowded = [lot("VIX 18MAR20 30 C", 20)]
    bought, _ = fill(1000.0, [BEST, LATER], lots=crowded)
    assert bought == {L2_CALL: 7, L2_LATER: 18}


def test_l7_up_to_three_contracts_may_stand_in_one_expiry():
    assert fill(35.0, [BEST, LATER], lots=[lot(L2_CALL, 2)])[0] == {L2_CALL: 1}
    assert fill(45.0, [BEST, LATER], lots=[lot(L2_CALL, 3)])[0] == {L2_LATER: 1}


def test_l7_one_expiry_in_the_tenor_leaves_nothing_to_stagger():
    assert fill(1000.0, [BEST, WORSE])[0] == {L2_CALL: 25}


def test_l7_stops_where_the_other_expiry_has_no_room():
    busy = {f"hedge:L2:add:{LATER.instrument.symbol}"}
    dear = candidate(L2_LATER, score=3.0, bid=900.0, ask=900.0)  # beyond every cap
    bought, filled = fill(1000.0, [BEST, dear], at_work=busy | set())
    assert bought == {L2_CALL: 25}  # the later one is at work: one expiry is left
    bought, filled = fill(1000.0, [BEST, dear], cost=50_000)
    assert bought == {L2_CALL: 3}
    assert filled.cap == "G1"  # closes the later expiry, so that L7 stops the near one
    finer = candidate("VXM 15APR20", unit=40.0, score=4.0, bid=17.3, ask=17.4)
    larger = candidate("VX 15APR20", unit=400.0, score=3.0, bid=17.3, ask=17.4)
    bought, filled = fill(1000.0, [BEST, larger, finer])
    assert bought == {L2_CALL: 6, "VXM 15APR20": 4}  # what still fits into the step
    bought, filled = fill(1000.0, [BEST, larger], lots=[lot(L2_CALL, 3)])
    assert bought == {"VX 15APR20": 1}  # B9: one contract at least
    coarse = candidate(L2_LATER, unit=1_000.0, score=3.0)
    bought, filled = fill(1000.0, [BEST, coarse])
    assert bought == {L2_CALL: 3}
    assert filled.cap == "L7"


@given(
    st.integers(0, 60),
    st.integers(0, 60),
    st.floats(0, 2000),
    st.floats(0, 2000),
    st.floats(0, 100_000),
    st.lists(
        st.tuples(
            st.sampled_from([L2_CALL, "VIX 18MAR20 24 C", L2_LATER, "VIX 15APR20 28 C"]),
            st.floats(2, 50),
            st.floats(0.2, 3),
        ),
        max_size=4,
        unique_by=lambda each: each[0],
    ),
)
def test_no_purchase_passes_a_cap(near, later, wanted, ceiling, cost, offers):
    lots = (lot(L2_CALL, near), lot(L2_LATER, later))
    ranked = [candidate(text, unit=unit, bid=ask, ask=ask) for text, unit, ask in offers]
    buying = purchases(lots, ceiling=ceiling, cost=cost)
    held = 10.0 * (near + later)
    buying.fill("L2", wish(wanted), ranked, floor_missing_usd=0.0, asked_by=("L2",))
    bought = buying.vega_usd("L2")
    assert all(trade.contracts > 0 for trade in buying.trades)
    if not buying.trades:
        return
    unit = max(trade.unit_vega_usd for trade in buying.trades)
    assert held + bought <= min(wanted, ceiling) + 1e-6  # L4, G7
    assert bought <= max(unit, 0.25 * wanted) + 1e-6  # B9
    premium = sum(t.contracts * t.ask * 100 for t in buying.trades)
    assert cost + premium <= 100_000 + 1e-6  # G1
    assert 60 * (near + later) + premium <= 0.25 * 800_000 + 1e-6  # G3


@given(
    st.floats(-3000, -1000),
    st.lists(st.floats(-65, 65), min_size=5, max_size=26),
    st.integers(0, 400),
    st.floats(2, 20),
)
def test_g7_a_slowly_moving_market_does_not_buy_and_sell_the_same_contracts(
    vega, swings, held, unit
):
    """One session: v swings by less than the zone of 0.015 while L2 wants more than there is room.

    100 condors; every order of B8 and G7 fills.
    """
    bought = 0
    for swing in swings:
        band = Band.of(vega + swing, 100, RULES)
        lots = (lot(L2_CALL, held, unit=unit),)
        sales = Sales(lots, ())
        sell_above_ceiling(sales, lots, band, NOTHING)
        wanted = layer_wishes(
            {
                "L1": target("L1", 0.0, reason=LayerReason.CORE),
                "L2": target("L2", 9e9, short=3e10),
                "L3": target("L3", 0.0, reason=LayerReason.INACTIVE),
            },
            {layer: sales.left_vega_usd(layer) for layer in LAYERS},
            band=band,
            permitted=("L2",),
            reach=everything,
            rules=RULES,
        )
        buying = purchases(lots, sales=sales, ceiling=band.inner_usd)
        call = candidate(L2_CALL, unit=unit)
        buying.fill("L2", wanted["L2"], [call], floor_missing_usd=0.0, asked_by=("L2",))
        sale, purchase = -sum(t.contracts for t in sales.trades), buying.vega_usd("L2")
        if bought:
            assert sale == 0, "sold what it bought this session"
        bought += purchase > 0
        held += round(purchase / unit) - sale


# --- orders ---------------------------------------------------------------------------------------


def trade(text, contracts, bid, ask, *, layer="L2", effect=None):
    return Trade(
        instrument=instrument(text),
        layer=layer,
        contracts=contracts,
        effect=effect or (PositionEffect.OPEN if contracts > 0 else PositionEffect.CLOSE),
        unit_vega_usd=10.0,
        bid=bid,
        ask=ask,
        rules=("L2",),
        urgency=Urgency.NORMAL,
    )


@pytest.mark.parametrize(
    ("text", "contracts", "bid", "ask", "limit", "worst"),
    [
        (L2_CALL, 5, 0.60, 0.65, "0.62", "0.65"),
        (L2_CALL, -5, 0.60, 0.65, "-0.63", "-0.60"),
        (L2_CALL, 5, 3.10, 3.30, "3.20", "3.30"),
        (L2_CALL, -5, 3.05, 3.30, "-3.20", "-3.05"),
        (L2_CALL, 5, 2.97, 3.04, "3.00", "3.00"),  # the tick grows at 3
        ("VX 18MAR20", 2, 16.95, 17.00, "16.95", "17.00"),
        ("VX 18MAR20", -2, 16.95, 17.00, "-17.00", "-16.95"),
        ("VXM 18MAR20", 2, 16.95, 17.00, "16.97", "17.00"),
        (L2_CALL, 1, 0.60, 0.60, "0.60", "0.60"),
    ],
)
def test_orders_start_at_mid_and_never_pass_the_other_side(text, contracts, bid, ask, limit, worst):
    order = order_of(trade(text, contracts, bid, ask), "p")
    assert (order.limit_price, order.worst_price) == (Decimal(limit), Decimal(worst))
    assert order.legs == (leg(f"{'+' if contracts > 0 else '-'}1 {text}"),)
    assert order.quantity == abs(contracts)
    side, effect = (
        ("add", PositionEffect.OPEN)
        if contracts > 0
        else (
            "reduce",
            PositionEffect.CLOSE,
        )
    )
    assert order.purpose == f"hedge:L2:{side}:{instrument(text).symbol}"
    assert order.effect is effect
