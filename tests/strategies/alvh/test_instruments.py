"""L5 and L7: what a layer buys, and in which expiries."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from strategies.alvh.instruments import is_staggered, rank_candidates
from strategies.model.instruments import FutureContract, OptionContract
from strategies.model.quotes import CALL
from strategies.model.rules import LayerRules
from strategies.pricing import black76
from strategies.pricing.factor_vega import future_beta
from strategies.pricing.valuation import Valuer
from tests.builders import (
    AT,
    TODAY,
    VX_CURVE,
    instant,
    market_quotes,
    vix_chain,
    vx_futures,
)
from tests.strategies.alvh.builders import RULES

STEEP = {day: 14.0 + 0.8 * n for n, day in enumerate(VX_CURVE)}  # contango: futures roll down
INVERTED = {day: 40.0 - 4.0 * n for n, day in enumerate(VX_CURVE)}


def ranked(layer, *, market=None, rules=RULES, session=TODAY):
    return rank_candidates(Valuer(market or market_quotes(), session), layer, rules)


def test_l5_candidates_lie_in_the_layer_s_tenor():
    for layer, low, high in (("L1", 0, 30), ("L2", 31, 90), ("L3", 91, 190)):
        days = {each.days for each in ranked(layer)}
        assert days
        assert all(low <= each <= high for each in days)


def test_l5_calls_are_picked_by_delta_on_the_vix_surface_and_by_price():
    valuer = Valuer(market_quotes(), TODAY)
    for each in ranked("L2"):
        if each.is_call:
            value = valuer.option(each.instrument)
            assert 0.10 <= value.delta <= 0.30
            assert value.mid >= 0.10
            assert each.unit_vega_usd == pytest.approx(value.factor_vega_usd)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [({"min_premium": 0.50}, 0.50), ({"min_premium": 1.0}, 1.0)],
)
def test_l5_cheap_options_are_not_bought(changes, expected):
    rules = replace(RULES, layers=replace(RULES.layers, **changes))
    calls = [each for each in ranked("L2", rules=rules) if each.is_call]
    assert calls
    assert all((each.bid + each.ask) / 2 >= expected for each in calls)


@pytest.mark.parametrize(("use", "roots"), [(True, {"VX", "VXM"}), (False, {"VX"})])
def test_l5_minis_are_used_if_the_rules_say_so(use, roots):
    rules = replace(RULES, layers=replace(RULES.layers, use_vxm=use))
    futures = {c.instrument.root for c in ranked("L2", rules=rules) if not c.is_call}
    assert futures == roots


def test_l5_minis_are_used_only_where_they_are_quoted():
    market = market_quotes(futures=vx_futures(roots=("VX",)))
    assert {c.instrument.root for c in ranked("L2", market=market) if not c.is_call} == {"VX"}


def test_l5_what_is_held_goes_before_what_is_better_by_no_more_than_the_margin():
    plain = ranked("L1")
    best, held = plain[0], plain[2]
    behind = held.score - best.score
    for margin, first in ((behind * 0.999, best), (behind * 1.001, held), (0.0, best)):
        rules = replace(RULES, layers=replace(RULES.layers, held_margin=margin))
        valuer = Valuer(market_quotes(), TODAY)
        found = rank_candidates(valuer, "L1", rules, {held.instrument})
        assert found[0] == first
        assert [each for each in found if each != held] == [each for each in plain if each != held]


def test_l5_of_several_that_are_held_the_best_goes_first():
    plain = ranked("L2")
    held = {plain[1].instrument, plain[4].instrument}
    found = rank_candidates(Valuer(market_quotes(), TODAY), "L2", RULES, held)
    assert plain[4].score - plain[0].score < RULES.layers.held_margin
    assert found[:3] == (plain[1], plain[4], plain[0])


def test_l5_nothing_beyond_the_sixth_month():
    curve = VX_CURVE | {date(2020, 7, 22): 17.9, date(2020, 8, 6): 18.0}
    market = market_quotes(curve=curve)  # 185 days away, and the seventh month
    assert max(each.days for each in ranked("L3", market=market)) == 170


@pytest.mark.parametrize(
    ("day", "calls", "futures"),
    # The February expiry on the 19th: calls roll at 5 days, futures at 3, held 5 at least
    [(9, True, True), (10, False, True), (11, False, True), (12, False, False)],
)
def test_b10_nothing_is_bought_that_would_be_rolled_within_five_days(day, calls, futures):
    now = instant(f"2020-02-{day:02d} 10:00")
    found = ranked("L1", market=market_quotes(at=now), session=now.date())
    assert any(each.is_call for each in found) is calls
    assert any(not each.is_call for each in found) is futures


def test_l5_the_score_of_a_future_is_its_roll_and_spread_per_unit():
    (front,) = [c for c in ranked("L1") if isinstance(c.instrument, FutureContract)][:1]
    beta = float(future_beta(16))
    assert front.score == pytest.approx((10 * (16.5 - 16.0) / 16 + 0.05) / beta)
    assert front.unit_vega_usd == pytest.approx(beta * front.instrument.multiplier)


def test_l5_the_score_of_a_call_is_carry_less_convexity_per_unit():
    valuer = Valuer(market_quotes(), TODAY)
    each = next(c for c in ranked("L2") if c.is_call)
    value = valuer.option(each.instrument)
    beta = float(future_beta(each.days))
    unit = value.delta * beta
    discount = np.exp(-0.015 * value.t_years)
    roll_down = (value.forward - 16.0) / each.days
    carry = (10 * (value.delta * roll_down - value.theta) + each.ask - each.bid) / unit

    def price(forward):
        return black76.price(
            forward, float(each.instrument.strike), value.t_years, value.vol, discount, True
        )

    gain = float(price(value.forward + 8 * beta) - price(value.forward))
    assert each.score == pytest.approx(carry - (gain / unit - 8), rel=1e-6)


def test_l5_weights_decide_between_carry_and_convexity():
    only_carry = replace(RULES, layers=replace(RULES.layers, convexity_weight=0.0))
    only_convexity = replace(RULES, layers=replace(RULES.layers, carry_weight=0.0))
    assert not ranked("L2", rules=only_carry)[0].is_call
    assert ranked("L2", rules=only_convexity)[0].is_call


def test_l5_futures_win_where_the_curve_pays_for_holding_them():
    inverted = market_quotes(vix=44.0, curve=INVERTED)
    steep = market_quotes(vix=12.5, curve=STEEP)
    assert not ranked("L2", market=inverted)[0].is_call
    assert ranked("L2", market=steep)[0].is_call


def test_l5_ties_go_to_the_order_of_the_rule_book():
    flat = replace(RULES, layers=replace(RULES.layers, carry_weight=0.0, convexity_weight=0.0))
    assert ranked("L1", rules=flat)[0].is_call
    assert not ranked("L2", rules=flat)[0].is_call
    assert ranked("L3", rules=flat)[0].is_call


def test_l5_the_best_comes_first():
    for layer in ("L1", "L2", "L3"):
        scores = [each.score for each in ranked(layer)]
        assert scores == sorted(scores)


def test_l5_without_spot_vix_nothing_can_be_compared():
    market = market_quotes()
    indices = {name: each for name, each in market.indices.items() if name != "VIX"}
    assert ranked("L1", market=replace(market, indices=indices)) == ()


def test_l5_calls_need_the_future_behind_them_and_two_sides():
    no_futures = market_quotes(futures=())
    assert ranked("L2", market=no_futures) == ()
    chain = vix_chain(at=AT)
    bid = chain.bid.copy()
    bid[:, CALL] = 0.0
    no_bids = market_quotes(vix_options=replace(chain, bid=bid))
    assert not any(isinstance(c.instrument, OptionContract) for c in ranked("L2", market=no_bids))


def test_premium_and_notional_of_one_contract():
    call = next(c for c in ranked("L2") if c.is_call)
    future = next(c for c in ranked("L2") if not c.is_call)
    assert call.premium_usd == call.notional_usd == pytest.approx(call.ask * 100)
    assert future.premium_usd == 0
    assert future.notional_usd == pytest.approx(future.ask * future.instrument.multiplier, rel=1e-9)


@pytest.mark.parametrize(
    ("at_expiry", "in_layer", "expected"),
    [(3, 3, True), (4, 4, False), (3, 4, False), (3, 5, True), (6, 10, True), (7, 10, False)],
)
def test_l7_no_expiry_holds_more_than_60_percent_from_four_contracts_on(
    at_expiry, in_layer, expected
):
    assert is_staggered(at_expiry, in_layer, LayerRules()) is expected


@pytest.mark.parametrize("layer", ["L1", "L2", "L3"])
def test_l5_the_score_is_its_carry_less_its_convexity(layer):
    weights = replace(RULES.layers, carry_weight=2.0, convexity_weight=0.5)
    found = ranked(layer, rules=replace(RULES, layers=weights))
    assert found
    for each in found:
        assert each.score == pytest.approx(2.0 * each.carry - 0.5 * each.convexity)
        assert (each.convexity > 0) is each.is_call


@pytest.mark.parametrize(("months", "last"), [(4, 4), (5, 5), (6, 6)])
def test_l5_no_month_beyond_the_last_one_allowed_is_bought(months, last):
    rules = replace(RULES, layers=replace(RULES.layers, months=months))
    listed = sorted(VX_CURVE)
    assert max(each.expiry for each in ranked("L3", rules=rules)) == listed[last - 1]


def test_l5_carry_is_measured_over_the_days_of_the_rules():
    short, long = (
        {
            each.instrument: each.carry
            for each in ranked(
                "L2", rules=replace(RULES, layers=replace(RULES.layers, carry_days=days))
            )
        }
        for days in (5, 20)
    )
    assert short.keys() == long.keys()
    calls = [each for each in short if isinstance(each, OptionContract)]
    assert calls
    assert all(long[each] > short[each] for each in calls)  # theta goes on
