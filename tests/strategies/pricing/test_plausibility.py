"""Markets whose parts contradict each other are doubted, and no others."""

from dataclasses import replace
from datetime import timedelta

import pytest

from strategies.model.quotes import IndexValue
from strategies.pricing.plausibility import market_doubts
from tests.builders import AT, VX_CURVE, market_quotes, spx_chain, vix_chain, vx_futures

FLAT = dict.fromkeys(VX_CURVE, 20.0)


def index(name: str, value: float) -> dict[str, IndexValue]:
    good = market_quotes().indices
    return {**good, name: IndexValue(value=value, quoted_at=AT)}


def keys(market) -> list[str]:
    return [doubt.underlying for doubt in market_doubts(market)]


def test_a_market_that_fits_together_is_not_doubted():
    assert market_doubts(market_quotes()) == ()


@pytest.mark.parametrize(("print_", "doubted"), [(3200.0, False), (3140.0, True), (3360.0, True)])
def test_fault_d6_an_index_that_lags_its_options_is_doubted(print_, doubted):
    market = market_quotes(indices=index("SPX", print_))
    assert keys(market) == (["SPX"] if doubted else [])


def test_fault_d8_one_wild_print_of_the_index_opens_nothing():
    doubt = market_doubts(market_quotes(indices=index("SPX", 32500.0)))
    assert [each.underlying for each in doubt] == ["SPX"]
    assert "SPX is 32500.00, its options say 32" in doubt[0].reason


def test_fault_d6_the_nearest_series_judges_and_carry_is_allowed_for():
    """A year ahead a forward may differ by six percent more."""
    apart = 3250.0 * (1 + 0.015 + 0.05)
    near = market_quotes(spx_options=spx_chain(spot=apart, days=(7, 360)))
    far = market_quotes(spx_options=spx_chain(spot=apart, days=(360,), rate=0.0))
    assert keys(near) == ["SPX"]
    assert keys(far) == []


@pytest.mark.parametrize(
    ("vix", "doubted"), [(50.0, False), (50.1, True), (10.0, False), (9.99, True), (0.0, False)]
)
def test_fault_d7_a_vix_that_has_left_its_futures_behind_is_doubted(vix, doubted):
    market = market_quotes(
        futures=vx_futures(curve=FLAT), vix_options=vix_chain(curve=FLAT), indices=index("VIX", vix)
    )
    assert keys(market) == (["VIX"] if doubted else [])
    if doubted:
        assert f"VIX is {vix:.2f}" in market_doubts(market)[0].reason


@pytest.mark.parametrize(("futures", "doubted"), [(1.09, False), (1.15, True), (0.85, True)])
def test_fault_d7_vix_options_that_contradict_their_future_are_doubted(futures, doubted):
    moved = {**FLAT, max(FLAT): 20.0 * futures}  # of one expiry only
    market = market_quotes(
        futures=vx_futures(curve=moved), vix_options=vix_chain(curve=FLAT), indices=index("VIX", 20)
    )
    assert keys(market) == (["VIX"] if doubted else [])
    if doubted:
        assert f"the VIX options of {max(FLAT)} say 20.0" in market_doubts(market)[0].reason


def test_what_is_absent_contradicts_nothing():
    good = market_quotes()
    late = AT + timedelta(days=1000)
    for bare in (
        replace(good, indices={}),
        replace(good, futures=()),
        market_quotes(indices=index("SPX", float("nan"))),
        market_quotes(indices=index("SPX", 0.0)),
        replace(good, at=late),  # every series has expired
    ):
        assert market_doubts(bare) == ()
