"""What the hedge gains in a spike for each dollar, by which C11 measures its rolls."""

from dataclasses import replace
from decimal import Decimal

import pytest

from strategies.alvh.instruments import rank_candidates
from strategies.alvh.relief import spike_relief
from strategies.model.fees import DEFAULT_FEES, fee_per_contract
from strategies.model.rules import Rules
from strategies.pricing.shocks import shock_pnl
from strategies.pricing.valuation import Valuer
from tests.builders import TODAY, hedge_position, market_quotes

RULES = Rules()
MARKET = market_quotes()


def test_c11_the_rival_is_l1_s_first_choice_with_its_premium_and_fees():
    values = Valuer(MARKET, TODAY)
    best = rank_candidates(values, "L1", RULES)[0]
    assert best.is_call
    relief = spike_relief(values, RULES)
    one = hedge_position(str(best.instrument), 1)
    assert relief.gain_usd == pytest.approx(shock_pnl(values, (), [one], -0.07, 8.0))
    fees = fee_per_contract(best.instrument, Decimal(repr(best.ask)), DEFAULT_FEES, is_combo=False)
    assert relief.cost_usd == pytest.approx(best.ask * 100 + float(fees))
    assert relief.per_dollar == relief.gain_usd / relief.cost_usd


def test_c11_a_future_costs_its_spread_and_fees():
    calls_too_dear = replace(RULES, layers=replace(RULES.layers, min_premium=99.0))
    values = Valuer(MARKET, TODAY)
    best = rank_candidates(values, "L1", calls_too_dear)[0]
    assert not best.is_call
    relief = spike_relief(values, calls_too_dear)
    multiplier = best.instrument.multiplier
    fees = fee_per_contract(best.instrument, Decimal(1), DEFAULT_FEES, is_combo=False)
    assert relief.cost_usd == pytest.approx((best.ask - best.bid) * multiplier + float(fees))
    beta = values.future(best.instrument).beta
    assert relief.gain_usd == pytest.approx(8.0 * beta * multiplier)


def test_c11_with_nothing_to_buy_there_is_no_rival():
    values = Valuer(replace(MARKET, indices={}), TODAY)
    assert spike_relief(values, RULES) is None
