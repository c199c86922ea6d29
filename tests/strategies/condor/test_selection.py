"""C2, C3 and C4: which expiry, which shorts and which wings."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest

from strategies.condor.selection import choose_condor, choose_expiry, short_strike
from strategies.model.quotes import PUT
from strategies.model.rules import CondorRules
from strategies.pricing.valuation import Valuer
from tests.builders import AT, TODAY, market_quotes, option, spx_chain

RULES = CondorRules()


def valuer(**chain) -> Valuer:
    return Valuer(market_quotes(spx_options=spx_chain(**chain)), TODAY)


def chosen_days(days, rules=RULES, **chain):
    each = valuer(days=days, **chain)
    index, gate = choose_expiry(each, TODAY, rules)
    assert gate.rule == "C2"
    assert gate.passed is (index is not None)
    if index is None:
        return None
    return (each.market.spx_options.series[index].expiry - TODAY).days


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ((21, 32, 44, 60), 44),
        ((32, 40), 40),
        ((40, 46), 40),  # 46 is nearer and outside the window
        ((30,), 30),
        ((29,), None),
        ((45,), 45),
        ((46,), None),
    ],
)
def test_c2_takes_the_expiry_nearest_to_45_days_inside_the_window(days, expected):
    assert chosen_days(days) == expected


def test_c2_takes_the_earlier_of_two_that_are_equally_near():
    assert chosen_days((43, 47), replace(RULES, max_dte=50)) == 43


def test_c2_takes_am_settled_expiries_only_if_the_rules_allow_them():
    assert chosen_days((44,), root="SPX") is None
    assert chosen_days((44,), replace(RULES, allow_am_settled=True), root="SPX") == 44


def test_c2_passes_over_an_expiry_without_a_surface():
    strikes = np.arange(2600.0, 3640.0, 5.0)
    chain = spx_chain(days=(40, 44), strikes=strikes)
    bid = chain.bid.copy()
    bid[chain.rows_of(1)] = 0.0
    market = market_quotes(spx_options=replace(chain, bid=bid))
    each = Valuer(market, TODAY)
    index, _ = choose_expiry(each, TODAY, RULES)
    assert index == 0


def choose(positions=None, rules=RULES, **chain):
    each = valuer(days=(46,), **chain)
    return choose_condor(each, 0, positions=positions or {}, rules=rules)


def gates_of(rule, gates):
    return [gate for gate in gates if gate.rule == rule]


def test_c3_sells_the_strikes_whose_smoothed_delta_is_nearest_to_16():
    choice, gates = choose()
    each = valuer(days=(46,))
    values = each.options_in_series("SPX", 0)
    for contract, column in ((choice.legs.short_put, 0), (choice.legs.short_call, 1)):
        distance = np.abs(np.abs(values.delta[:, column]) - 0.16)
        assert float(contract.strike) == values.strike[np.argmin(distance)]
    assert choice.short_put_delta == pytest.approx(-0.16, abs=0.005)
    assert choice.short_call_delta == pytest.approx(0.16, abs=0.005)
    assert [gate.passed for gate in gates_of("C3", gates)] == [True, True]


def test_c3_is_not_moved_by_one_wild_quote():
    quiet, _ = choose()
    chain = spx_chain(days=(46,))
    row = chain.find_row(quiet.legs.short_put)
    ask = chain.ask.copy()
    ask[row, 0] *= 1.5  # one offer gone far away
    each = Valuer(market_quotes(spx_options=replace(chain, ask=ask)), TODAY)
    moved, _ = choose_condor(each, 0, positions={}, rules=RULES)
    assert moved.legs.short_put == quiet.legs.short_put


def test_c3_refuses_a_chain_without_such_a_delta():
    choice, gates = choose(strikes=np.arange(3150.0, 3351.0, 5.0))
    assert choice is None
    assert [gate.passed for gate in gates_of("C3", gates)] == [False, False]
    assert gates[0].note == "no quoted strike is near that delta"


@pytest.mark.parametrize(("side", "sells"), [(-1e-9, False), (0.0, True), (1e-9, True)])
def test_c3_sells_no_strike_further_from_its_delta_than_the_tolerance(side, sells):
    values = valuer(days=(46,)).options_in_series("SPX", 0)
    only = np.arange(len(values.strike)) == np.flatnonzero(values.strike == 3100.0)[0]
    delta = abs(float(values.delta[only, PUT][0]))
    rules = replace(RULES, delta_tolerance=abs(delta - RULES.short_delta) + side)
    assert rules.delta_tolerance > 0.005
    short = short_strike(values, PUT, only, rules)
    assert (short is not None) is sells
    if short is not None:
        assert short.delta == pytest.approx(-delta)


def test_c4_keeps_net_vega_inside_the_window_with_equal_wings():
    choice, gates = choose()
    assert -0.35 <= choice.net_vega <= -0.15
    assert choice.legs.put_width == choice.legs.call_width
    (gate,) = gates_of("C4", gates)
    assert gate.passed
    assert gate.value == pytest.approx(choice.net_vega, abs=1e-4)


def test_c4_wider_wings_are_more_vega_negative_and_fall_out_of_the_window():
    narrow, _ = choose(rules=replace(RULES, min_net_vega=-0.20))
    wide, _ = choose(rules=replace(RULES, min_net_vega=-1.0, max_net_vega=-0.5))
    assert narrow.legs.width == 5
    assert wide.legs.width > 15
    assert wide.net_vega < narrow.net_vega


@pytest.mark.parametrize("offset", [0.001, -0.001])
def test_c4_the_edges_of_the_window_belong_to_it(offset):
    inside, _ = choose()
    edge = inside.net_vega + offset
    again, _ = choose(rules=replace(RULES, min_net_vega=edge, max_net_vega=-0.15))
    assert (again is not None and again.net_vega == inside.net_vega) is (offset < 0)


def test_c4_refuses_when_no_width_fits_and_says_what_the_nearest_was():
    choice, gates = choose(rules=replace(RULES, min_net_vega=-0.05, max_net_vega=-0.01))
    assert choice is None
    (gate,) = gates_of("C4", gates)
    assert not gate.passed
    assert gate.value == pytest.approx(-0.157, abs=0.03)  # the narrowest, 5 points
    assert "nearest width 5" in gate.note


def test_c4_takes_the_best_credit_over_max_loss_among_equal_wings():
    rules = replace(RULES, min_net_vega=-1.0)
    choice, _ = choose(rules=rules)
    each = valuer(days=(46,))
    best = None
    for width in range(5, 60, 5):
        legs = choice.legs
        put = replace(legs.long_put, strike=legs.short_put.strike - width)
        call = replace(legs.long_call, strike=legs.short_call.strike + width)
        value = each.condor(replace(legs, long_put=put, long_call=call))
        if not -1.0 <= value.vega <= -0.15:
            continue
        credit = value.mid_debit - 0.5 * (value.natural_debit - value.mid_debit)
        ratio = credit / (width - credit)
        if best is None or ratio > best[0]:
            best = (ratio, width)
    assert choice.legs.width == best[1]


def test_c4_takes_unequal_wings_where_no_equal_pair_is_listed():
    """Fault D4: strikes are missing; the nearest listed structure is taken."""
    below = np.arange(2700.0, 3100.0, 5.0)
    above = np.concatenate([np.arange(3100.0, 3401.0, 5.0), [3405.0, 3413.0, 3421.0]])
    choice, _ = choose(
        strikes=np.concatenate([below, above]), rules=replace(RULES, min_net_vega=-0.5)
    )
    assert choice.legs.put_width != choice.legs.call_width
    assert -0.5 <= choice.net_vega <= -0.15


def test_c4_sells_only_for_a_credit_after_the_concession():
    """Spreads so wide that half way to natural nothing is left."""
    choice, gates = choose(spread=4.0, vol=None)
    assert choice is None
    assert not gates_of("C4", gates)[0].passed


@pytest.mark.parametrize("concession", [0.0, 0.5, 1.0])
def test_the_least_credit_concedes_part_of_the_way_to_natural_and_is_on_the_grid(concession):
    choice, _ = choose(rules=replace(RULES, entry_concession=concession))
    value = valuer(days=(46,)).condor(choice.legs)
    least = value.mid_debit - concession * (value.natural_debit - value.mid_debit)
    assert choice.mid_credit == pytest.approx(value.mid_debit)
    assert choice.credit % Decimal("0.05") == 0
    assert -1e-9 <= least - float(choice.credit) < 0.05


# --- no netting -----------------------------------------------------------------------------------


def test_a_leg_held_the_other_way_is_passed_over():
    free, _ = choose()
    legs = free.legs
    taken, _ = choose(positions={legs.short_put: 3, legs.long_call: -2})
    assert taken.legs.short_put != legs.short_put
    assert taken.legs.long_call != legs.long_call
    signs = dict(taken.legs.signed())
    assert signs.get(legs.short_put) != -1
    assert signs.get(legs.long_call) != 1


def test_a_leg_held_the_same_way_is_no_obstacle():
    free, _ = choose()
    positions = {contract: 5 * sign for contract, sign in free.legs.signed()}
    again, _ = choose(positions=positions)
    assert again.legs == free.legs


def test_positions_of_other_series_are_no_obstacle():
    free, _ = choose()
    other = option("SPXW 13MAR20 3050 P")
    again, _ = choose(positions={replace(other, strike=free.legs.short_put.strike): 9})
    assert again.legs == free.legs


def test_what_has_no_bid_is_neither_sold_nor_bought():
    free, _ = choose()
    chain = spx_chain(days=(46,))
    bid = chain.bid.copy()
    bid[chain.find_row(free.legs.long_put), 0] = 0.0
    each = Valuer(market_quotes(spx_options=replace(chain, bid=bid)), TODAY)
    choice, _ = choose_condor(each, 0, positions={}, rules=RULES)
    assert choice.legs.long_put != free.legs.long_put


def test_sigma_sqrt_t_is_that_of_the_money():
    choice, _ = choose()
    each = valuer(days=(46,))
    years = each.market.spx_options.series[0].years_from(AT)
    assert choice.sigma_sqrt_t == pytest.approx(each.spx.atm_vol(0) * years**0.5)
    assert timedelta(days=365 * years).days == 46
