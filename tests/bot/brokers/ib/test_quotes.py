"""Prices as IB spells them."""

import math

import pytest

from bot.brokers.ib.quotes import price

UNSET_DOUBLE = 1.7976931348623157e308


@pytest.mark.parametrize("sentinel", [math.nan, -1.0, 0.0, math.inf, -math.inf])
def test_fault_d3_what_is_no_price_is_nobody_s_quote(sentinel):
    assert price(sentinel) == 0.0


def test_fault_d3_the_unset_double_is_no_price_either():
    assert price(UNSET_DOUBLE) == 0.0


def test_a_price_is_itself():
    assert price(3.15) == 3.15
