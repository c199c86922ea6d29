"""Bids and offers: on the tick, around the value, never crossed."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.exchange.spreads import future_quote, spx_option_quotes, vix_option_quotes
from strategies.model.ticks import leg_tick
from tests.builders import future, option

SPX_OPTION = option("SPXW 18MAR20 3000 P")
VIX_OPTION = option("VIX 18MAR20 20 C")


def is_on_tick(instrument, price: float) -> bool:
    exact = Decimal(repr(price))
    return exact % leg_tick(instrument, exact) == 0


@pytest.mark.parametrize(
    ("quote", "instrument"), [(spx_option_quotes, SPX_OPTION), (vix_option_quotes, VIX_OPTION)]
)
@given(value=st.floats(0.0, 2500.0), vix=st.floats(9.0, 90.0))
def test_option_quotes_lie_on_ticks_around_the_value(quote, instrument, value, vix):
    bid, ask = (float(side[0]) for side in quote(np.array([value]), vix))
    assert is_on_tick(instrument, bid)
    assert is_on_tick(instrument, ask)
    assert 0 <= bid < ask
    assert bid <= value + 1e-6
    assert ask >= value - 1e-6


@given(value=st.floats(9.0, 90.0), month=st.integers(1, 9), vix=st.floats(9.0, 90.0))
@pytest.mark.parametrize("root", ["VX", "VXM"])
def test_future_quotes_lie_on_ticks_around_the_value(root, value, month, vix):
    bid, ask = future_quote(value, root, month, vix)
    contract = future(f"{root} 18MAR20")
    assert is_on_tick(contract, bid)
    assert is_on_tick(contract, ask)
    assert bid < value < ask


def test_a_worthless_wing_has_no_bid_and_one_tick_of_offer():
    bid, ask = spx_option_quotes(np.array([0.0, 0.004]), 15.0)
    assert bid.tolist() == [0.0, 0.0]
    assert ask.tolist() == [0.05, 0.05]


def test_spreads_widen_with_price_and_with_the_vix():
    values = np.array([2.0, 20.0, 100.0])
    widths = {vix: np.subtract(*spx_option_quotes(values, vix)[::-1]) for vix in (15.0, 60.0)}
    assert (np.diff(widths[15.0]) > 0).all()
    assert (widths[60.0] > 2 * widths[15.0]).all()


def test_the_front_vx_is_one_or_two_ticks_wide_in_calm_markets():
    widths = [np.subtract(*future_quote(v, "VX", 1, 15.0)[::-1]) for v in np.arange(14, 16, 0.013)]
    assert max(widths) < 0.11
    assert np.median(widths) < 0.06
