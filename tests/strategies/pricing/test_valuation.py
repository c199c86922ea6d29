"""The Valuer: right numbers where there is a quote, no number where there is none."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from strategies.model.quotes import CALL, PUT
from strategies.pricing import black76
from strategies.pricing.factor_vega import future_beta, spx_vega_weight
from strategies.pricing.valuation import Valuer
from tests.builders import (
    AT,
    TODAY,
    VX_CURVE,
    condor_legs,
    future,
    market_quotes,
    option,
    skewed_vol,
    spx_chain,
    vix_chain,
    vx_futures,
)

RATE = 0.015
VOL = skewed_vol(0.16)
VIX_VOL = skewed_vol(0.85, slope=0.15, curvature=0.0)
MARKET = market_quotes(spx_vol=VOL, vix_vol=VIX_VOL)
CONDOR = condor_legs("SPXW 20MAR20 3050/3055/3395/3400")
SHORT_PUT = "SPXW 20MAR20 3055 P"
VIX_CALL = "VIX 18MAR20 22 C"


@pytest.fixture
def valuer():
    return Valuer(MARKET, TODAY)


def with_quote(chain, text, bid, ask):
    """The chain with one other quote."""
    contract = option(text)
    row = chain.find_row(contract)
    column = PUT if contract.right == "P" else CALL
    bids, asks = chain.bid.copy(), chain.ask.copy()
    bids[row, column], asks[row, column] = bid, ask
    return replace(chain, bid=bids, ask=asks)


def spx_market(text, bid, ask):
    return replace(MARKET, spx_options=with_quote(MARKET.spx_options, text, bid, ask))


@pytest.mark.parametrize("text", [SHORT_PUT, "SPXW 20MAR20 3400 C", "SPXW 06MAR20 3100 P"])
def test_an_spx_option_has_its_quote_and_the_greeks_of_the_surface(valuer, text):
    contract = option(text)
    value = valuer.option(contract)
    quote = MARKET.spx_options.quote(contract)
    assert (value.bid, value.ask, value.mid) == (quote.bid, quote.ask, quote.mid)
    strike, is_call = float(contract.strike), contract.right == "C"
    series = MARKET.spx_options.series[
        MARKET.spx_options.find_series(contract.root, contract.expiry)
    ]
    assert value.t_years == series.years_from(AT)
    assert value.days == (contract.expiry - TODAY).days
    assert value.forward == pytest.approx(3250.0, abs=0.05)
    assert value.vol == pytest.approx(VOL(np.array([strike]), 3250.0, value.t_years)[0], abs=5e-4)
    expected = black76.greeks(
        value.forward,
        strike,
        value.t_years,
        value.vol,
        np.exp(-RATE * value.t_years),
        is_call,
        RATE,
    )
    assert value.delta == pytest.approx(float(expected.delta))
    assert value.gamma == pytest.approx(float(expected.gamma))
    assert value.vega == pytest.approx(float(expected.vega))
    assert value.theta == pytest.approx(float(expected.theta))
    weight = float(spx_vega_weight(value.days))
    assert value.factor_vega_usd == pytest.approx(value.vega * 100 * weight)


def test_a_vix_option_hangs_on_the_future_of_its_expiry_and_moves_by_its_beta(valuer):
    contract = option(VIX_CALL)
    value = valuer.option(contract)
    assert value.forward == pytest.approx(VX_CURVE[contract.expiry])
    assert value.vol == pytest.approx(
        VIX_VOL(np.array([22.0]), value.forward, value.t_years)[0], abs=0.01
    )
    beta = float(future_beta((contract.expiry - TODAY).days))
    assert value.factor_vega_usd == pytest.approx(value.delta * 100 * beta)
    put = valuer.option(option("VIX 18MAR20 15 P"))
    assert put.delta < 0
    assert put.factor_vega_usd < 0


def test_a_future_moves_by_its_beta_times_its_multiplier(valuer):
    for text, multiplier in (("VX 18MAR20", 1000), ("VXM 18MAR20", 100)):
        value = valuer.value(future(text))
        assert value.mid == pytest.approx(17.0)
        assert value.days == 44
        assert value.beta == pytest.approx(float(future_beta(44)))
        assert value.factor_vega_usd == pytest.approx(multiplier * value.beta)


def test_the_put_and_the_call_of_a_strike_are_in_parity(valuer):
    put, call = (valuer.option(option(f"SPXW 20MAR20 3200 {right}")) for right in "PC")
    discount = np.exp(-RATE * put.t_years)
    assert call.delta - put.delta == pytest.approx(discount)
    assert (call.gamma, call.vega, call.vol) == (put.gamma, put.vega, put.vol)
    accrual = RATE * discount * (put.forward - 3200) / 365
    assert call.theta - put.theta == pytest.approx(accrual)


@pytest.mark.parametrize(("bid", "ask"), [(0.0, 0.0), (5.0, 0.0), (5.0, 4.9)])
def test_an_option_that_nobody_offers_or_whose_quote_is_crossed_has_no_value(bid, ask):
    valuer = Valuer(spx_market(SHORT_PUT, bid, ask), TODAY)
    assert valuer.option(option(SHORT_PUT)) is None
    assert valuer.condor(CONDOR) is None
    assert valuer.option(option("SPXW 20MAR20 3050 P")) is not None


def test_an_option_that_nobody_bids_for_is_marked_at_half_its_offer():
    value = Valuer(spx_market(SHORT_PUT, 0.0, 0.30), TODAY).option(option(SHORT_PUT))
    assert (value.bid, value.mid) == (0.0, 0.15)


@pytest.mark.parametrize(
    "text",
    ["SPXW 20MAR20 3052 P", "SPXW 21MAR20 3055 P", "SPX 20MAR20 3055 P", "VIXW 18MAR20 22 C"],
)
def test_a_contract_that_is_not_quoted_has_no_value(valuer, text):
    assert valuer.option(option(text)) is None
    assert valuer.future(future("VX 19AUG20")) is None


def test_a_vix_option_has_no_value_without_a_future_of_its_expiry():
    expiry = date(2020, 3, 18)
    others = tuple(each for each in vx_futures() if each.contract.expiry != expiry)
    valuer = Valuer(replace(MARKET, futures=others), TODAY)
    assert valuer.option(option(VIX_CALL)) is None
    assert valuer.option(option("VIX 15APR20 22 C")) is not None


@pytest.mark.parametrize(("bid", "ask"), [(0.0, 17.05), (17.0, 0.0), (17.1, 17.0)])
def test_a_future_not_quoted_on_both_sides_has_no_value(bid, ask):
    futures = tuple(replace(each, bid=bid, ask=ask) for each in vx_futures())
    valuer = Valuer(replace(MARKET, futures=futures), TODAY)
    assert valuer.value(future("VX 18MAR20")) is None


@pytest.mark.parametrize("minutes", [-10, 10])
def test_quotes_further_from_now_than_the_greatest_age_have_no_value(minutes):
    old = AT - timedelta(minutes=minutes)
    market = replace(
        MARKET,
        spx_options=replace(MARKET.spx_options, quoted_at=old),
        vix_options=replace(MARKET.vix_options, quoted_at=old),
    )
    strict = Valuer(market, TODAY, max_age=timedelta(minutes=2))
    assert strict.option(option(SHORT_PUT)) is None
    assert strict.option(option(VIX_CALL)) is None
    assert not strict.spx.ok.any()
    assert strict.future(future("VX 18MAR20")) is not None
    assert Valuer(market, TODAY).option(option(SHORT_PUT)) is not None
    stale_futures = tuple(replace(each, quoted_at=old) for each in market.futures)
    strict = Valuer(replace(MARKET, futures=stale_futures), TODAY, max_age=timedelta(minutes=2))
    assert strict.future(future("VX 18MAR20")) is None
    assert strict.option(option(VIX_CALL)) is None


@pytest.mark.parametrize(
    "condor",
    [
        CONDOR,
        replace(CONDOR, long_ratio=2),
        replace(CONDOR, short_ratio=2, long_ratio=3),
        replace(
            CONDOR,
            long_put=replace(CONDOR.long_put, expiry=TODAY + timedelta(days=60)),
            long_call=replace(CONDOR.long_call, expiry=TODAY + timedelta(days=74)),
        ),
    ],
    ids=["plain", "2:1", "3:2", "diagonal"],
)
def test_a_condor_is_the_sum_of_its_legs_and_is_bought_back_dearer_than_mid(valuer, condor):
    value = valuer.condor(condor)
    legs = [(valuer.option(contract), sign) for contract, sign in condor.signed()]
    assert value.mid_debit == pytest.approx(-sum(sign * leg.mid for leg, sign in legs))
    natural = sum(-sign * (leg.ask if sign < 0 else leg.bid) for leg, sign in legs)
    assert value.natural_debit == pytest.approx(natural)
    assert value.natural_debit > value.mid_debit
    for name in ("delta", "gamma", "vega", "theta", "factor_vega_usd"):
        expected = sum(sign * getattr(leg, name) for leg, sign in legs)
        assert getattr(value, name) == pytest.approx(expected)


def test_a_plain_condor_costs_something_and_earns_by_waiting(valuer):
    value = valuer.condor(CONDOR)
    assert value.mid_debit > 0
    assert value.vega < 0 < value.theta
    assert value.factor_vega_usd == pytest.approx(value.vega * 100 * float(spx_vega_weight(46)))


def test_narrow_wings_have_the_small_negative_vega_of_rule_c4(valuer):
    assert -0.6 < valuer.condor(CONDOR).vega < -0.1


@pytest.mark.parametrize("underlying", ["SPX", "VIX"])
def test_a_series_in_columns_says_what_its_options_say(valuer, underlying):
    chain = MARKET.spx_options if underlying == "SPX" else MARKET.vix_options
    index = 3
    columns = valuer.options_in_series(underlying, index)
    series = chain.series[index]
    assert columns.strike.tolist() == chain.strike[chain.rows_of(index)].tolist()
    assert columns.bid.shape == columns.quoted.shape == (len(columns.strike), 2)
    assert columns.ok
    for row in range(0, len(columns.strike), 17):
        for column, right in ((PUT, "P"), (CALL, "C")):
            text = f"{series.root} {series.expiry:%d%b%y} {columns.strike[row]:g} {right}"
            value = valuer.option(option(text.upper()))
            if value is None:
                assert not columns.quoted[row, column]
                assert columns.mid[row, column] == 0
                continue
            assert columns.quoted[row, column]
            for name in ("bid", "ask", "mid", "vol", "delta", "gamma", "vega", "theta"):
                assert getattr(columns, name)[row, column] == getattr(value, name)


def test_a_series_without_a_surface_is_in_columns_but_not_quoted():
    chain = spx_chain(days=[14, 46])
    bid = chain.bid.copy()
    bid[chain.rows_of(0)] = 0.0
    valuer = Valuer(market_quotes(spx_options=replace(chain, bid=bid)), TODAY)
    dead, alive = (valuer.options_in_series("SPX", index) for index in (0, 1))
    assert not dead.ok
    assert not dead.quoted.any()
    assert np.isfinite(dead.delta).all()
    assert alive.quoted.any()


def test_terms_are_known_for_unquoted_strikes_of_a_known_series_only(valuer):
    between = option("SPXW 20MAR20 3052 P")
    terms = valuer.terms([between, option(VIX_CALL)])
    assert terms.is_spx.tolist() == [True, False]
    assert terms.forward == pytest.approx([3250.0, VX_CURVE[date(2020, 3, 18)]], abs=0.05)
    assert valuer.terms([between, option("SPXW 21MAR20 3055 P")]) is None
    assert valuer.terms([]).strike.shape == (0,)


def test_a_chain_without_series_prices_nothing():
    empty = replace(
        vix_chain(),
        series=(),
        series_index=np.array([], dtype=np.int64),
        strike=np.array([]),
        bid=np.empty((0, 2)),
        ask=np.empty((0, 2)),
    )
    valuer = Valuer(replace(MARKET, vix_options=empty), TODAY)
    assert valuer.option(option(VIX_CALL)) is None
    assert valuer.option(option(SHORT_PUT)) is not None
