"""Pictures are well-formed SVG with the right shapes in them; payoffs are right to the dollar."""

import math
from dataclasses import replace
from datetime import date, timedelta
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.app.render.payoffs import layer_bars, payoff_at_expiry, payoff_curve, payoff_text
from bot.app.render.pictures import write_plan_pictures
from bot.app.render.svg import (
    CurveShot,
    LayerHistory,
    ProfitHistory,
    curve_svg,
    layers_svg,
    payoff_svg,
    profit_svg,
)
from strategies.pricing.valuation import Valuer
from tests.bot.app import samples
from tests.builders import TODAY, condor_legs, condor_position, market_quotes

SVG = "{http://www.w3.org/2000/svg}"
CONDORS = [
    condor_position("SPXW 20MAR20 3000/3010/3400/3410", quantity=20, credit="1.10"),
    condor_position("SPXW 20MAR20 3050/3060/3450/3460", quantity=30, credit="1.20"),
]


def parse(text: str) -> ElementTree.Element:
    root = ElementTree.fromstring(text)
    assert root.tag == f"{SVG}svg"
    return root


def test_the_payoff_of_one_condor_is_credit_inside_and_width_less_credit_outside():
    levels = np.array([2900.0, 3000.0, 3005.0, 3010.0, 3200.0, 3400.0, 3410.0, 4000.0])
    payoff = payoff_at_expiry(CONDORS[:1], levels)
    lost = (1.10 - 10) * 20 * 100
    kept = 1.10 * 20 * 100
    half = (1.10 - 5) * 20 * 100
    expected = [lost, lost, half, kept, kept, kept, lost, lost]
    assert payoff == pytest.approx(expected)


def test_the_payoff_of_ratio_wings_turns_up_beyond_them_and_the_picture_shows_four_break_evens():
    legs = replace(condor_legs("SPXW 20MAR20 3050/3060/3400/3410"), short_ratio=2, long_ratio=3)
    condor = condor_position(legs, quantity=5, credit="4.00")
    levels = np.array([3000.0, 3034.0, 3050.0, 3058.0, 3060.0, 3200.0, 3402.0, 3410.0, 3460.0])
    points = np.array([34.0, 0.0, -16.0, 0.0, 4.0, 4.0, 0.0, -16.0, 34.0])
    assert payoff_at_expiry([condor], levels) == pytest.approx(points * 500)
    found = payoff_curve([condor], 3230.0).breakevens
    assert found == pytest.approx([3034.0, 3058.0, 3402.0, 3426.0], abs=2.0)


def test_a_later_long_counts_at_its_intrinsic_value():
    plain = CONDORS[0]
    late = replace(plain.legs.long_put, expiry=plain.legs.long_put.expiry + timedelta(days=14))
    diagonal = replace(plain, legs=replace(plain.legs, long_put=late))
    levels = np.linspace(2900.0, 3500.0, 50)
    assert payoff_at_expiry([diagonal], levels).tolist() == (
        payoff_at_expiry([plain], levels).tolist()
    )


def test_breakevens_are_where_the_payoff_is_zero():
    payoff = payoff_curve(CONDORS, 3230.0)
    assert len(payoff.breakevens) == 2
    at_zero = payoff_at_expiry(CONDORS, np.array(payoff.breakevens))
    assert at_zero == pytest.approx([0.0, 0.0], abs=900)  # between two levels of the curve


def test_the_payoff_picture_is_well_formed_whatever_its_title():
    root = parse(payoff_svg(payoff_curve(CONDORS, 3230.0), 'a <b> & "c"'))
    assert root.find(f"{SVG}title").text == 'a <b> & "c"'
    assert len(root.findall(f"{SVG}polyline")) == 1


def test_the_payoff_of_today_is_drawn_beside_that_of_expiry_and_lies_between_its_bounds():
    market = market_quotes()
    condors = [condor_position("SPXW 20MAR20 3000/3010/3400/3410", quantity=20, credit="1.10")]
    curve = payoff_curve(condors, 3250.0, Valuer(market, TODAY))
    assert len(parse(payoff_svg(curve, "t")).findall(f"{SVG}polyline")) == 2
    assert curve.today_usd is not None
    assert min(curve.at_expiry_usd) - 1 <= min(curve.today_usd)
    assert max(curve.today_usd) <= max(curve.at_expiry_usd) + 1


def test_the_payoff_as_text_fits_and_names_spot_and_breakevens():
    text = payoff_text(payoff_curve(CONDORS, 3230.0))
    assert "SPX 3,230" in text
    assert "break-even at expiry: 3,0" in text
    assert max(len(line) for line in text.splitlines()) <= 100


def test_no_condors_draw_no_payoff():
    assert payoff_text(payoff_curve([], 3230.0)) == "no condors, no payoff"


def test_layer_bars_show_held_against_target():
    text = layer_bars([("L1", 2000.0, 4000.0), ("L2", 0.0, 0.0)])
    first, second = text.splitlines()
    assert first.count("#") == first.count(".") == 25
    assert "#" not in second
    assert max(len(line) for line in text.splitlines()) <= 100
    assert layer_bars([]) == ""


def test_the_curve_picture_has_a_line_a_day():
    shots = [
        CurveShot(label="3 Feb", days=[16, 44, 72], prices=[17.0, 17.2, 17.5]),
        CurveShot(label="9 Mar", days=[9, 37, 65], prices=[50.0, 42.0, 35.0]),
    ]
    root = parse(curve_svg(shots, "curve"))
    assert len(root.findall(f"{SVG}polyline")) == 2
    assert len(root.findall(f"{SVG}circle")) == 6


def layer_history(size: int) -> LayerHistory:
    sessions = [date(2020, 2, 3) + timedelta(index // 26) for index in range(size)]
    values = [math.sin(index) for index in range(size)]
    return LayerHistory(
        sessions=sessions,
        vix=[None if index % 7 == 0 else 15.0 for index in range(size)],
        curve=["contango" if index < size // 2 else "backwardation" for index in range(size)],
        current_usd={"L1": values, "L2": values, "L3": values},
        target_usd={"L1": values, "L2": values, "L3": values},
    )


@pytest.mark.parametrize("size", [0, 1, 2, 300])
def test_the_layer_picture_is_well_formed_at_any_length(size):
    root = parse(layers_svg(layer_history(size), "layers"))
    if size == 300:
        rectangles = root.findall(f"{SVG}rect")
        assert len(rectangles) == 1 + 4 * 2  # paper, and two states of the curve in four panels


def test_a_gap_in_the_data_is_a_gap_in_the_line():
    history = layer_history(22)
    whole = parse(layers_svg(history, "layers"))
    assert len(whole.findall(f"{SVG}polyline")) == 3 + 6  # VIX in three pieces, two lines a layer


@given(
    st.lists(st.floats(-1e9, 1e9), max_size=30),
)
def test_profit_pictures_are_well_formed_for_any_amounts(amounts):
    sessions = [date(2020, 2, 3) + timedelta(index) for index in range(len(amounts))]
    history = ProfitHistory(
        sessions=sessions, total_usd=amounts, condors_usd=amounts, hedge_usd=amounts
    )
    text = profit_svg(history, "profit")
    parse(text)
    assert "nan" not in text.lower()


def test_t3_the_forward_vega_of_a_plan_is_drawn_before_and_after(tmp_path):
    measures = replace(
        samples.MEASURES,
        forward_vega=(("L1", 400.0, 300.0, 100.0, 0.0), ("book", 800.0, 700.0, 600.0, 500.0)),
    )
    made = replace(samples.plan(), before=measures, after=measures)
    paths = write_plan_pictures(made, tmp_path / "pictures")
    assert [path.name for path in paths] == ["plan.svg", "forward.svg"]
    bars, forward = (path.read_text() for path in paths)
    for text in (bars, forward):
        ElementTree.fromstring(text)
    assert "target 800" in bars
    assert forward.count("<polyline") == 4
    assert "book: factor vega" in forward
    assert [path.name for path in write_plan_pictures(samples.plan(), tmp_path)] == ["plan.svg"]


def test_the_legend_of_the_curve_stays_clear_of_its_label():
    days = (10.0, 40.0)
    shots = [
        CurveShot(label=f"{day:02} Feb 09:45, VIX 18.3", days=days, prices=(18.0, 17.0))
        for day in (3, 14, 28)
    ]
    tree = ElementTree.fromstring(curve_svg(shots, "VIX futures curve"))
    texts = [item for item in tree.iter() if item.tag.endswith("text")]
    label = next(item for item in texts if "by days" in (item.text or ""))
    first = min(float(item.get("x")) for item in texts if "VIX 18.3" in (item.text or ""))
    assert float(label.get("x")) + 7 * len(label.text) < first - 22
