from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.model.errors import InvalidInstrument
from strategies.model.instruments import (
    ROOTS,
    FutureContract,
    OptionContract,
    Right,
    Settlement,
    parse_symbol,
)

PUT = OptionContract("SPXW", date(2026, 12, 18), Right.PUT, Decimal(5800))
OPTION_ROOTS = sorted(root for root, spec in ROOTS.items() if spec.is_option)
FUTURE_ROOTS = sorted(root for root, spec in ROOTS.items() if not spec.is_option)
# Two-digit years of the OCC scheme mean 1969 to 2068 to the standard library.
DAYS = st.dates(date(1990, 1, 1), date(2068, 12, 31))


def test_an_option_is_named_by_its_occ_symbol():
    assert PUT.symbol == "SPXW  261218P05800000"
    assert str(PUT) == "SPXW 18DEC26 5800 P"
    half = OptionContract("VIX", date(2020, 3, 18), Right.CALL, Decimal("12.5"))
    assert half.symbol == "VIX   200318C00012500"
    assert str(half) == "VIX 18MAR20 12.5 C"


def test_a_future_is_named_by_root_and_settlement_date():
    future = FutureContract("VX", date(2020, 4, 15))
    assert future.symbol == "VX    200415"
    assert str(future) == "VX 15APR20"
    assert future.underlying == "VIX"


@given(
    st.sampled_from(OPTION_ROOTS),
    DAYS,
    st.sampled_from(Right),
    st.integers(1, 99_999_999),
)
def test_an_option_symbol_names_the_contract_it_came_from(root, expiry, right, thousandths):
    contract = OptionContract(root, expiry, right, Decimal(thousandths) / 1000)
    assert len(contract.symbol) == 21
    assert parse_symbol(contract.symbol) == contract


@given(st.sampled_from(FUTURE_ROOTS), DAYS)
def test_a_future_symbol_names_the_contract_it_came_from(root, expiry):
    contract = FutureContract(root, expiry)
    assert len(contract.symbol) == 12
    assert parse_symbol(contract.symbol) == contract


@pytest.mark.parametrize(
    "symbol",
    [
        "",
        "SPXW",
        "SPXW  261218X05800000",
        "SPXW  261318P05800000",
        "SPXW  261218P0580000x",
        "SPXW  261218P00000000",
        "SPY   261218P05800000",
        "VX    261218P05800000",
        "VX    261318",
        "SPX   261218",
        "SPXW  261218P058000000",
        "SPXW  261218P 5800000",
        "SPXW  261218P+5800000",
        "SPXW  261218P058_0000",
        "SPXW  2612 8P05800000",
        " SPXW 261218P05800000",
    ],
)
def test_what_is_no_symbol_is_refused(symbol):
    with pytest.raises(InvalidInstrument):
        parse_symbol(symbol)


@given(st.text(max_size=25))
def test_any_text_is_parsed_or_refused_never_anything_else(text):
    try:
        instrument = parse_symbol(text)
    except InvalidInstrument:
        return
    assert instrument.symbol == text


@pytest.mark.parametrize("strike", [Decimal(0), Decimal(-5), Decimal("0.0005")])
def test_a_strike_is_a_positive_multiple_of_a_thousandth(strike):
    with pytest.raises(InvalidInstrument, match="strike"):
        OptionContract("SPX", date(2026, 12, 18), Right.PUT, strike)


@pytest.mark.parametrize(
    ("root", "underlying", "settlement", "multiplier"),
    [
        ("SPX", "SPX", Settlement.AM, 100),
        ("SPXW", "SPX", Settlement.PM, 100),
        ("VIX", "VIX", Settlement.AM, 100),
        ("VIXW", "VIX", Settlement.AM, 100),
    ],
)
def test_the_root_says_underlying_settlement_and_multiplier(
    root, underlying, settlement, multiplier
):
    option = OptionContract(root, date(2026, 12, 18), Right.CALL, Decimal(20))
    assert (option.underlying, option.settlement) == (underlying, settlement)
    assert option.multiplier == multiplier


def test_ten_mini_futures_are_one_future():
    expiry = date(2026, 12, 16)
    assert FutureContract("VX", expiry).multiplier == 10 * FutureContract("VXM", expiry).multiplier


def test_contracts_sort_by_root_expiry_right_and_strike():
    later = OptionContract("SPXW", date(2027, 1, 15), Right.CALL, Decimal(5000))
    higher = OptionContract("SPXW", date(2026, 12, 18), Right.PUT, Decimal(5900))
    assert sorted([later, higher, PUT]) == [PUT, higher, later]
