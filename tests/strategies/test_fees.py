"""Fees against the worked examples of the market reference."""

from decimal import Decimal

import pytest

from strategies.model.fees import DEFAULT_FEES, fee_per_contract, order_minimum_top_up
from tests.builders import instrument


def fee(text: str, price: str, *, is_combo: bool = False) -> Decimal:
    return fee_per_contract(instrument(text), Decimal(price), DEFAULT_FEES, is_combo=is_combo)


def test_a_condor_with_two_legs_under_a_dollar_costs_4_452_one_way():
    prices = ["0.55", "1.40", "1.20", "0.80"]
    strikes = ["6100 P", "6150 P", "7050 C", "7100 C"]
    legs = [
        fee(f"SPXW 18DEC26 {strike}", price, is_combo=True)
        for strike, price in zip(strikes, prices, strict=True)
    ]
    assert sum(legs) == Decimal("4.452")


def test_a_vx_round_turn_costs_4_76_and_a_vxm_round_turn_0_94():
    assert 2 * fee("VX 16DEC26", "18.50") == Decimal("4.76")
    assert 2 * fee("VXM 16DEC26", "18.50") == Decimal("0.94")


@pytest.mark.parametrize(
    ("price", "expected"),
    [("0.04", "0.668"), ("0.05", "0.918"), ("0.09", "0.918"), ("0.10", "1.068"), ("1", "1.158")],
)
def test_a_cheap_spx_option_pays_less_commission_and_a_lower_exchange_fee(price, expected):
    assert fee("SPX 18DEC26 6000 P", price) == Decimal(expected)


@pytest.mark.parametrize(
    ("price", "simple", "combo"),
    [
        ("0.10", "0.10", "0.05"),
        ("0.11", "0.25", "0.17"),
        ("0.99", "0.25", "0.17"),
        ("1.00", "0.45", "0.35"),
        ("1.99", "0.45", "0.35"),
        ("2.00", "0.50", "0.50"),
    ],
)
def test_the_exchange_fee_of_a_vix_option_rises_with_its_premium(price, simple, combo):
    broker_and_regulators = Decimal("0.65") + Decimal("0.058")
    assert fee("VIX 16DEC26 30 C", price) == Decimal(simple) + broker_and_regulators
    assert fee("VIX 16DEC26 30 C", price, is_combo=True) == Decimal(combo) + broker_and_regulators


@pytest.mark.parametrize(
    ("commission", "top_up"), [("0.65", "0.35"), ("1.00", "0"), ("1.30", "0"), ("0", "1.00")]
)
def test_an_option_order_pays_at_least_the_minimum_commission(commission, top_up):
    assert order_minimum_top_up(Decimal(commission), DEFAULT_FEES) == Decimal(top_up)
