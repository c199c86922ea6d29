"""Instruments in IB's words and back, whatever its dates say."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.brokers.ib.contracts import (
    NotOurs,
    described,
    futures_contract,
    index_contract,
    instrument_of,
    qualified,
    series_contract,
    wrong_terms,
)
from bot.brokers.ib.library import Contract
from bot.gateway import words
from bot.gateway.contracts.book import ContractBook
from strategies.model.expiries import vx_expiries
from strategies.model.instruments import FutureContract, Instrument
from tests.bot.brokers.ib.worlds import calendar, spring
from tests.builders import AT, instrument

EVERY_KIND = (
    "SPXW 20MAR20 3000 P",
    "SPX 20MAR20 3400 C",
    "VIX 18MAR20 22.5 C",
    "VX 18MAR20",
    "VXM 18AUG21",
)


def in_words(contract: Contract) -> words.Contract:
    return words.Contract(
        con_id=contract.conId,
        symbol=contract.symbol,
        sec_type=contract.secType,
        last_trade_date=contract.lastTradeDateOrContractMonth,
        strike=contract.strike,
        right=contract.right,
        multiplier=contract.multiplier,
        exchange=contract.exchange,
        currency=contract.currency,
        local_symbol=contract.localSymbol,
        trading_class=contract.tradingClass,
    )


def from_words(listed: words.Contract, **changes: str) -> Contract:
    values = {
        "conId": listed.con_id,
        "symbol": listed.symbol,
        "secType": listed.sec_type,
        "lastTradeDateOrContractMonth": listed.last_trade_date,
        "strike": listed.strike,
        "right": listed.right,
        "multiplier": listed.multiplier,
        "exchange": listed.exchange,
        "currency": listed.currency,
        "localSymbol": listed.local_symbol,
        "tradingClass": listed.trading_class,
    }
    return Contract(**(values | changes))


def listed_instruments() -> list[Instrument]:
    quotes = spring().quotes_at(AT)
    found: list[Instrument] = [each.contract for each in quotes.futures]
    for chain in (quotes.spx_options, quotes.vix_options):
        for row in range(0, len(chain.strike), 7):
            series = chain.series[chain.series_index[row]]
            found.append(
                instrument(f"{series.root} {series.expiry:%d%b%y} {chain.strike[row]:g} P")
            )
    return found


def test_every_listed_instrument_is_found_by_its_description_and_comes_back():
    book = ContractBook(spring())
    for each in listed_instruments():
        (found,) = book.find(in_words(described(each)), AT)
        assert found.instrument == each
        assert instrument_of(from_words(found.contract), calendar()) == each


@pytest.mark.parametrize("text", EVERY_KIND)
def test_a_qualified_contract_is_the_instrument_again(text):
    each = instrument(text)
    local = (
        each.symbol if " " in text[5:] else f"{each.root}{'FGHJKMNQUVXZ'[each.expiry.month - 1]}"
    )
    if isinstance(each, FutureContract):
        local += f"{each.expiry.year % 10}"
    contract = qualified(each, 7, f"{each.expiry:%Y%m%d}", local)
    assert instrument_of(contract, calendar()) == each
    assert contract.conId == 7
    assert wrong_terms(contract, each) is None


@given(st.integers(-1, 1), st.sampled_from(EVERY_KIND[:3]))
def test_a_gateway_in_another_time_zone_shifts_no_expiry_of_an_option(shift, text):
    each = instrument(text)
    moved = date.fromordinal(each.expiry.toordinal() + shift)
    contract = qualified(each, 7, f"{moved:%Y%m%d} 04:00:00 Asia/Shanghai", each.symbol)
    assert instrument_of(contract, calendar()) == each


@pytest.mark.parametrize("shift", [-1, 0, 1])
def test_nor_one_of_any_future_ever_listed(shift):
    for expiry in vx_expiries(date(2016, 2, 1), date(2022, 6, 30), calendar()):
        each = FutureContract("VX", expiry)
        moved = date.fromordinal(expiry.toordinal() + shift)
        local = f"VX{'FGHJKMNQUVXZ'[expiry.month - 1]}{expiry.year % 10}"
        contract = qualified(each, 7, f"{moved:%Y%m%d}", local)
        assert instrument_of(contract, calendar()) == each


def test_the_real_expiration_date_decides_where_there_is_no_occ_symbol():
    contract = Contract(
        secType="OPT",
        symbol="SPX",
        tradingClass="SPX",
        lastTradeDateOrContractMonth="20200319",
        strike=3000.0,
        right="PUT",
        currency="USD",
    )
    assert instrument_of(contract, calendar(), "20200320") == instrument("SPX 20MAR20 3000 P")
    with pytest.raises(NotOurs, match="no OCC symbol and no expiration date"):
        instrument_of(contract, calendar())


def test_a_future_s_real_expiration_date_comes_before_the_rule():
    # the day of mourning of December 2018 moved a settlement by a day
    contract = futures_contract("VX")
    contract.localSymbol = "VXZ8"
    assert instrument_of(contract, calendar(), "20181220") == instrument("VX 20DEC18")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"secType": "STK"}, "is a STK"),
        ({"secType": ""}, "contract without a type"),
        ({"currency": "EUR"}, "is in EUR"),
        ({"secType": "FUT", "localSymbol": "VX01F0", "tradingClass": "VX01"}, "no monthly VX"),
        ({"secType": "FUT", "localSymbol": "ESH0", "tradingClass": "ES"}, "no monthly VX"),
        ({"secType": "FUT", "localSymbol": "VXH0"}, "no contract month"),
        (
            {"secType": "FUT", "localSymbol": "VXH5", "lastTradeDateOrContractMonth": "20350321"},
            "outside the calendar",
        ),
        ({"secType": "OPT", "localSymbol": "XSP   200320P00300000"}, "not the root of an option"),
        ({"secType": "OPT", "localSymbol": "SPXW  20O320P03000000"}, "not an OCC symbol"),
    ],
)
def test_what_the_bot_does_not_trade_is_named(changes, problem):
    with pytest.raises(NotOurs, match=problem):
        instrument_of(Contract(**({"currency": "USD", "conId": 5} | changes)), calendar())


def test_unknown_roots_are_named_also_without_an_occ_symbol():
    contract = Contract(secType="OPT", tradingClass="SPXX", right="C", strike=1.0, currency="USD")
    with pytest.raises(NotOurs, match="SPXX"):
        instrument_of(contract, calendar(), "20200320")


def test_terms_other_than_the_bot_s_are_told():
    spx = instrument("SPXW 20MAR20 3000 P")
    contract = qualified(spx, 7, "20200320", spx.symbol)
    contract.multiplier = "10"
    assert wrong_terms(contract, spx) == "its multiplier is 10, expected 100"
    contract.multiplier, contract.currency = "100", "EUR"
    assert wrong_terms(contract, spx) == "its currency is EUR, expected USD"


def test_descriptions_leave_open_what_is_asked_for():
    series = series_contract("SPXW", "20200320")
    assert (series.symbol, series.strike, series.right) == ("SPX", 0.0, "")
    assert index_contract("VRO").exchange == "CBOE"
    assert futures_contract("VXM").symbol == "VXM"
