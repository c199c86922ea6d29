"""What is said of contracts: golden details, dates, hours and price rules."""

import time as wall
from datetime import date, time
from decimal import Decimal

import pytest

from bot.gateway import words
from bot.gateway.contracts.canonical import CHICAGO
from bot.gateway.contracts.hours import hours_text
from bot.gateway.contracts.rules import market_rule, rule_id_of
from bot.gateway.protocol.codec import encode_reply
from bot.gateway.protocol.frames import frame
from bot.gateway.protocol.message import Message
from strategies.model.calendars import at_exchange
from strategies.model.instruments import ROOTS, FutureContract, OptionContract, Right
from strategies.model.ticks import leg_tick

WEEK = (
    "20250603:0830-20250603:1515;20250604:0830-20250604:1515;20250605:0830-20250605:1515;"
    "20250606:0830-20250606:1515;20250607:CLOSED;20250608:CLOSED;20250609:0830-20250609:1515"
)
GOLDEN = {
    "SPXW  250718P05900000": {
        "symbol": "SPX",
        "secType": "OPT",
        "lastTradeDateOrContractMonth": "20250718 15:00 US/Central",
        "strike": 5900.0,
        "right": "P",
        "exchange": "SMART",
        "tradingClass": "SPXW",
        "multiplier": "100",
        "minTick": Decimal("0.05"),
        "marketRuleIds": "110,110",
        "validExchanges": "SMART,CBOE",
        "underConId": 416904,
        "underSymbol": "SPX",
        "underSecType": "IND",
        "contractMonth": "202507",
        "realExpirationDate": "20250718",
        "longName": "S&P 500 Stock Index",
    },
    "SPX   250718C05900000": {
        "symbol": "SPX",
        "lastTradeDateOrContractMonth": "20250717 15:15 US/Central",
        "right": "C",
        "tradingClass": "SPX",
        "minTick": Decimal("0.05"),
        "contractMonth": "202507",
        "realExpirationDate": "20250718",
    },
    "VIX   250716C00020000": {
        "symbol": "VIX",
        "lastTradeDateOrContractMonth": "20250715 15:15 US/Central",
        "strike": 20.0,
        "tradingClass": "VIX",
        "multiplier": "100",
        "minTick": Decimal("0.01"),
        "marketRuleIds": "109,109",
        "underConId": 13455763,
        "underSymbol": "VIX",
        "realExpirationDate": "20250716",
        "longName": "CBOE Volatility Index",
    },
    "VXN5": {
        "symbol": "VIX",
        "secType": "FUT",
        "lastTradeDateOrContractMonth": "20250716 08:00 US/Central",
        "exchange": "CFE",
        "validExchanges": "CFE",
        "tradingClass": "VX",
        "multiplier": "1000",
        "minTick": Decimal("0.05"),
        "marketRuleIds": "67",
        "contractMonth": "202507",
        "realExpirationDate": "20250716",
    },
}


@pytest.mark.parametrize("local_symbol", GOLDEN)
def test_golden_details(book, noon, local_symbol):
    sec_type = "OPT" if " " in local_symbol else "FUT"
    listed = book.one(words.Contract(sec_type=sec_type, local_symbol=local_symbol), noon)

    details = book.details(listed, noon)

    expected = GOLDEN[local_symbol]
    assert {key: details[key] for key in expected} == expected
    assert details["conId"] == listed.con_id
    assert details["localSymbol"] == local_symbol
    assert details["currency"] == "USD"
    assert details["timeZoneId"] == "US/Central"
    assert details["tradingHours"] == details["liquidHours"] == WEEK
    assert (details["minSize"], details["sizeIncrement"]) == (1, 1)
    assert {"LMT", "MKT", "MOC", "STP"} <= set(details["orderTypes"].split(","))


@pytest.mark.parametrize("local_symbol", [*GOLDEN, "SPX", "SPY", "EUR.USD"])
def test_ib_insync_reads_details_as_they_are_meant(book, noon, as_read, local_symbol):
    sec_type = {"SPX": "IND", "SPY": "STK", "EUR.USD": "CASH"}.get(
        local_symbol, "OPT" if " " in local_symbol else "FUT"
    )
    listed = book.one(words.Contract(sec_type=sec_type, local_symbol=local_symbol), noon)

    details = as_read(listed, noon)

    contract = details.contract
    meant = listed.contract
    assert contract.conId == listed.con_id
    assert contract.localSymbol == local_symbol
    assert contract.lastTradeDateOrContractMonth == meant.last_trade_date
    assert (contract.strike, contract.right) == (meant.strike, meant.right)
    assert (contract.exchange, contract.tradingClass) == (meant.exchange, meant.trading_class)
    assert contract.primaryExchange == meant.primary_exchange
    assert details.minTick == float(listed.min_tick)
    assert details.longName
    assert len(details.tradingSessions()) == 5
    assert details.sizeIncrement == 1


@pytest.mark.parametrize("version", [157, 163, 176, 178])
def test_frames_of_a_chain_are_those_of_the_codec(book, noon, version):
    options = book.find(words.Contract(symbol="VIX", sec_type="OPT"), noon)
    futures = book.find(words.Contract(symbol="VIX", sec_type="FUT"), noon)
    found = [*options, *futures, book.index("SPX"), book.index("VIX")]

    pieces = list(book.details_frames(found, 77, noon, version))

    assert b"".join(pieces) == b"".join(
        frame(
            encode_reply(
                Message("contractDetails", {"reqId": 77, **book.details(listed, noon)}), version
            )
        )
        for listed in found
    )
    assert max(map(len, pieces)) < 32_768


def test_a_whole_chain_is_described_within_a_tenth_of_a_second(book, noon):
    chain = book.find(words.Contract(symbol="SPX", sec_type="OPT"), noon)
    best = min(_seconds_of(book, chain, noon) for _ in range(3))

    assert len(chain) > 4000
    assert best < 0.1


def _seconds_of(book, chain, at) -> float:
    began = wall.perf_counter()
    for listed in chain:
        book.details(listed, at)
    return wall.perf_counter() - began


# --- dates of market_mechanics, 2026 and 2027 -------------------------------------------------

VX_EXPIRIES = (
    *(["20260121", "20260218", "20260318", "20260415", "20260519", "20260617"]),
    *(["20260722", "20260819", "20260916", "20261021", "20261118", "20261216"]),
    *(["20270120", "20270217", "20270317", "20270421", "20270518", "20270616"]),
    *(["20270721", "20270818", "20270915", "20271020", "20271117", "20271222"]),
)
SPX_AM = {
    "20260116": "20260115",
    "20260220": "20260219",
    "20260320": "20260319",
    "20260417": "20260416",
    "20260515": "20260514",
    "20260618": "20260617",
    "20260717": "20260716",
    "20260821": "20260820",
    "20260918": "20260917",
    "20261016": "20261015",
    "20261120": "20261119",
    "20261218": "20261217",
    "20270115": "20270114",
    "20270617": "20270616",
    "20271217": "20271216",
}


@pytest.mark.parametrize("expiry", VX_EXPIRIES)
def test_a_vx_last_trades_on_its_settlement_day_and_vix_options_the_day_before(book, expiry):
    day = date.fromisoformat(expiry)
    future = book.of(FutureContract("VX", day))
    option = book.of(OptionContract("VIX", day, Right.CALL, Decimal(20)))

    assert future.contract.last_trade_date == expiry
    assert book.by_con_id(future.con_id) == future
    last_trade = date.fromisoformat(option.contract.last_trade_date)
    assert (day - last_trade).days == 1
    assert last_trade.weekday() in (0, 1)  # a Monday where the expiry is a Tuesday


@pytest.mark.parametrize(("expiry", "last_trade"), SPX_AM.items())
def test_an_am_spx_option_last_trades_the_session_before(book, expiry, last_trade):
    option = OptionContract("SPX", date.fromisoformat(expiry), Right.PUT, Decimal(5000))
    listed = book.of(option)

    assert listed.contract.last_trade_date == last_trade
    details = book.details(listed, at_exchange(date(2025, 6, 3), time(12)))
    assert details["realExpirationDate"] == expiry


# --- hours ------------------------------------------------------------------------------------


def test_a_holiday_and_an_early_close_show_in_the_hours(june_2025):
    text = hours_text(june_2025.calendar, date(2025, 7, 2), CHICAGO, None)

    assert text.split(";")[1:3] == ["20250703:0830-20250703:1215", "20250704:CLOSED"]


def test_an_expiring_series_stops_at_its_last_trade(book):
    at = at_exchange(date(2025, 6, 4), time(12))
    day = words.Contract(
        symbol="SPX", sec_type="OPT", trading_class="SPXW", last_trade_date="20250604"
    )
    hours = book.details(book.find(day, at)[0], at)["tradingHours"].split(";")

    assert hours[:2] == ["20250604:0830-20250604:1500", "20250605:CLOSED"]


# --- price rules ------------------------------------------------------------------------------


@pytest.mark.parametrize("root", ROOTS)
@pytest.mark.parametrize("price", ["0.01", "1.5", "2.99", "3", "3.05", "25", "120"])
def test_market_rules_are_the_ticks_orders_must_keep(root, price):
    spec = ROOTS[root]
    instrument = (
        OptionContract(root, date(2025, 7, 16), Right.CALL, Decimal(20))
        if spec.is_option
        else FutureContract(root, date(2025, 7, 16))
    )
    steps = market_rule(rule_id_of(root))
    assert steps is not None

    increment = [step["increment"] for step in steps if step["lowEdge"] <= float(price)][-1]

    assert Decimal(str(increment)) == leg_tick(instrument, Decimal(price))


def test_a_rule_nobody_wrote_is_not_there(book):
    assert book.market_rule(4711) is None
    assert book.market_rule(26) == ({"lowEdge": 0.0, "increment": 0.01},)
