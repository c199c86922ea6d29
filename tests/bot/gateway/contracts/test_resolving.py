"""Descriptions, ids and local symbols lead to contracts as they do at IB, and a little further."""

from dataclasses import replace
from datetime import date, time, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.gateway import words
from bot.gateway.contracts.book import ContractBook
from bot.gateway.contracts.errors import Ambiguous, Malformed, NoDefinition
from bot.gateway.contracts.numbers import con_id_of, instrument_of
from strategies.model.calendars import at_exchange
from strategies.model.instruments import FutureContract, OptionContract, Right

FIRST, LAST = date(2025, 6, 2), date(2025, 6, 30)
SPX_OPTION = {"symbol": "SPX", "sec_type": "OPT", "exchange": "SMART", "currency": "USD"}
THIRD_FRIDAY = "20250620"


def whole_chain(book, at):
    classes = (("SPX", "SPX"), ("SPX", "SPXW"), ("VIX", "VIX"))
    return [
        listed
        for symbol, trading_class in classes
        for listed in book.find(
            words.Contract(symbol=symbol, sec_type="OPT", trading_class=trading_class), at
        )
    ]


# --- every listed contract --------------------------------------------------------------------


def test_the_whole_chain_of_the_market_is_listed(june_2025, book, noon):
    quotes = june_2025.quotes_at(noon)
    rows = len(quotes.spx_options.strike) + len(quotes.vix_options.strike)

    chain = whole_chain(book, noon)

    assert len(chain) == 2 * rows > 4000
    assert len({listed.con_id for listed in chain}) == len(chain)


def test_every_option_is_found_by_its_own_contract_id_and_local_symbol(book, noon):
    for listed in whole_chain(book, noon):
        canonical = listed.contract
        by_id = words.Contract(con_id=listed.con_id)
        by_name = words.Contract(sec_type="OPT", local_symbol=canonical.local_symbol)
        described = replace(canonical, con_id=0, local_symbol="")

        assert book.find(canonical, noon) == (listed,)
        assert book.find(described, noon) == (listed,)
        assert book.find(by_id, noon) == (listed,)
        assert book.find(by_name, noon) == (listed,)
        assert book.of(listed.instrument) is listed


def test_another_process_reads_the_same_ids_without_having_listed_anything(book, june_2025, noon):
    strangers = ContractBook(june_2025)
    for listed in whole_chain(book, noon)[::50]:
        assert strangers.by_con_id(listed.con_id) == listed


options = st.builds(
    OptionContract,
    st.sampled_from(["SPX", "SPXW"]),
    st.dates(date(2004, 1, 1), date(2080, 1, 1)),
    st.sampled_from(Right),
    st.integers(1, 5999).map(lambda steps: Decimal(5 * steps)),
) | st.builds(
    OptionContract,
    st.sampled_from(["VIX", "VIXW"]),
    st.dates(date(2004, 1, 1), date(2080, 1, 1)),
    st.sampled_from(Right),
    st.integers(1, 5999).map(lambda steps: steps * Decimal("0.5")),
)
futures = st.builds(
    FutureContract, st.sampled_from(["VX", "VXM"]), st.dates(date(2004, 1, 1), date(2080, 1, 1))
)


@given(options | futures)
def test_an_id_can_be_read_back(instrument):
    con_id = con_id_of(instrument)

    assert con_id is not None
    assert 0 < con_id < 2**31
    assert instrument_of(con_id) == instrument


@given(st.integers(0, 2**31 - 1))
def test_a_number_that_can_be_read_is_the_id_of_what_it_spells(number):
    instrument = instrument_of(number)

    assert instrument is None or con_id_of(instrument) == number


def test_ids_of_indices_are_those_clients_know(book, noon):
    assert book.index("SPX").con_id == 416904
    assert book.index("VIX").con_id == 13455763
    assert book.find(words.Contract(con_id=416904), noon) == (book.index("SPX"),)


# --- forgiving descriptions -------------------------------------------------------------------


@pytest.mark.parametrize("right", ["P", "PUT", "Put", "put"])
@pytest.mark.parametrize("symbol", ["SPX", "SPXW"])
@pytest.mark.parametrize("multiplier", ["", "100", "100.0"])
def test_an_option_may_be_described_in_many_ways(names, right, symbol, multiplier):
    found = names(
        symbol=symbol,
        sec_type="OPT",
        last_trade_date="20250718 15:00 US/Central",
        strike=5900.0,
        right=right,
        multiplier=multiplier,
        trading_class="SPXW",
        exchange="CBOE",
    )

    assert found == ["SPXW  250718P05900000"]


def test_the_exchange_asked_for_comes_back(book, noon):
    cboe = replace(words.Contract(**SPX_OPTION), trading_class="SPXW", exchange="CBOE")

    assert {listed.contract.exchange for listed in book.find(cboe, noon)} == {"CBOE"}


@pytest.mark.parametrize("right", ["", "0", "?"])
def test_an_open_right_gives_both(names, right):
    found = names(
        **SPX_OPTION, last_trade_date="20250718", strike=5900.0, right=right, trading_class="SPXW"
    )

    assert found == ["SPXW  250718C05900000", "SPXW  250718P05900000"]


def test_a_month_gives_every_series_that_expires_in_it(names):
    found = names(**SPX_OPTION, last_trade_date="202507", strike=5900.0, right="C")

    assert "SPX   250718C05900000" in found
    assert "SPXW  250718C05900000" in found
    assert {name[6:10] for name in found} == {"2507"}


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (THIRD_FRIDAY, ["SPX   250620P05900000", "SPXW  250620P05900000"]),
        # Juneteenth closes the Thursday, so the AM series last trades on the Wednesday
        ("20250618", ["SPXW  250618P05900000", "SPX   250620P05900000"]),
        ("20250717", ["SPXW  250717P05900000", "SPX   250718P05900000"]),
    ],
)
def test_without_a_trading_class_the_third_week_is_ambiguous(names, day, expected):
    assert names(**SPX_OPTION, last_trade_date=day, strike=5900.0, right="P") == expected


@pytest.mark.parametrize(
    ("trading_class", "day", "expected"),
    [
        ("SPX", "20250717", "SPX   250718P05900000"),
        ("SPX", "20250718", "SPX   250718P05900000"),
        ("SPXW", "20250718", "SPXW  250718P05900000"),
    ],
)
def test_a_trading_class_makes_it_clear(names, trading_class, day, expected):
    found = names(
        **SPX_OPTION, last_trade_date=day, strike=5900.0, right="P", trading_class=trading_class
    )

    assert found == [expected]


@pytest.mark.parametrize("day", ["20250715", "20250716"])
def test_a_vix_option_is_found_by_its_tuesday_and_by_its_wednesday(names, day):
    found = names(symbol="VIX", sec_type="OPT", last_trade_date=day, strike=20.0, right="C")

    assert found == ["VIX   250716C00020000"]


def test_a_strike_that_is_not_listed_exists_if_the_market_would_price_it(june_2025, names, noon):
    chain = june_2025.quotes_at(noon).spx_options
    row = chain.find_series("SPXW", date(2025, 6, 30))
    listed = set(chain.strike[chain.rows_of(row)].tolist())
    unlisted = next(strike for strike in range(5000, 6000, 5) if float(strike) not in listed)
    series = {**SPX_OPTION, "last_trade_date": "20250630", "right": "C", "trading_class": "SPXW"}

    assert names(**series, strike=float(unlisted)) == [f"SPXW  250630C{unlisted * 1000:08d}"]
    assert names(**series, strike=unlisted + 1.0) == []


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"symbol": "VIX", "last_trade_date": "202506"}, ["VXM5"]),
        ({"symbol": "VIX", "last_trade_date": "20250618", "trading_class": "VX"}, ["VXM5"]),
        ({"symbol": "VX", "last_trade_date": "202507"}, ["VXN5"]),
        ({"local_symbol": "VXN5"}, ["VXN5"]),
        ({"local_symbol": "VXMN5"}, ["VXMN5"]),
        ({"symbol": "VXM", "last_trade_date": "202507"}, ["VXMN5"]),
        ({"symbol": "VIX", "last_trade_date": "202507", "multiplier": "100"}, ["VXMN5"]),
        ({"symbol": "VIX", "last_trade_date": "202507", "multiplier": "1000"}, ["VXN5"]),
        ({"symbol": "VIX", "last_trade_date": "20250717"}, []),
        ({"symbol": "VIX", "exchange": "SMART"}, []),
        ({"symbol": "VIX", "last_trade_date": "202505"}, []),
        ({"symbol": "VIX", "last_trade_date": "202505", "include_expired": True}, ["VXK5"]),
    ],
)
def test_futures(names, fields, expected):
    assert names(**{"sec_type": "FUT", "exchange": "CFE"} | fields) == expected


def test_a_bare_vix_future_gives_the_monthlies(names):
    found = names(symbol="VIX", sec_type="FUT", exchange="CFE")

    assert found[:3] == ["VXM5", "VXN5", "VXQ5"]
    assert not any(name.startswith("VXM") and name != "VXM5" for name in found)


@pytest.mark.parametrize(
    "name", ["SPX", "VIX", "VVIX", "VIX9D", "VIX3M", "VIX6M", "SET", "VRO", "SKEW", "COR1M"]
)
def test_indices(names, name):
    assert names(symbol=name, sec_type="IND", exchange="CBOE", currency="USD") == [name]


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"symbol": "EUR", "sec_type": "CASH", "exchange": "IDEALPRO"}, "EUR.USD"),
        ({"symbol": "SPY", "sec_type": "STK", "exchange": "SMART"}, "SPY"),
        ({"symbol": "AAPL", "sec_type": "STK", "exchange": "NASDAQ"}, "AAPL"),
    ],
)
def test_what_clients_probe_for_is_known(names, fields, name):
    assert names(**fields, currency="USD") == [name]


# --- refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        SPX_OPTION | {"last_trade_date": "20250621"},
        SPX_OPTION | {"exchange": "NYSE"},
        SPX_OPTION | {"currency": "EUR"},
        SPX_OPTION | {"multiplier": "10"},
        SPX_OPTION | {"local_symbol": "SPXW 250718"},
        SPX_OPTION | {"symbol": "NDX"},
        {"symbol": "NDX", "sec_type": "IND", "exchange": "CBOE"},
        {"symbol": "SPX", "sec_type": "IND", "exchange": "NYSE"},
        {"symbol": "SPX", "sec_type": "BOND"},
        {"con_id": 42},
        {"con_id": 2_147_483_647},
    ],
)
def test_what_nothing_fits_is_error_200(book, noon, fields):
    with pytest.raises(NoDefinition) as refused:
        book.one(words.Contract(**fields), noon)

    assert refused.value.code == 200
    assert refused.value.text == "No security definition has been found for the request"


@pytest.mark.parametrize(
    "fields",
    [
        {"symbol": "SPX", "sec_type": "OPTION"},
        {"symbol": "SPX"},
        {"sec_type": "OPT"},
        {"symbol": "SPX", "sec_type": "BAG"},
        SPX_OPTION | {"right": "X"},
        SPX_OPTION | {"last_trade_date": "next week"},
        SPX_OPTION | {"last_trade_date": "20251341"},
        SPX_OPTION | {"multiplier": "many"},
        SPX_OPTION | {"strike": float("nan")},
    ],
)
def test_what_cannot_be_read_is_error_321(book, noon, fields):
    with pytest.raises(Malformed) as refused:
        book.find(words.Contract(**fields), noon)

    assert refused.value.code == 321


def test_one_of_several_is_ambiguous(book, noon):
    third_friday = words.Contract(
        **SPX_OPTION, last_trade_date=THIRD_FRIDAY, strike=5900.0, right="P"
    )
    with pytest.raises(Ambiguous, match="SPX is ambiguous"):
        book.one(third_friday, noon)


# --- time -------------------------------------------------------------------------------------


def test_before_the_open_the_listing_is_that_of_the_coming_session(book):
    monday = date(2025, 6, 9)
    sunday_night = at_exchange(monday - timedelta(days=1), time(22))

    assert whole_chain(book, sunday_night) == whole_chain(book, at_exchange(monday, time(9, 30)))


def test_an_expired_series_is_not_listed_but_its_contract_is_known_until_midnight(book):
    expiry = date(2025, 6, 4)
    series = words.Contract(**SPX_OPTION, trading_class="SPXW", last_trade_date="20250604")
    held = book.find(series, at_exchange(expiry, time(15)))[0]
    by_id = words.Contract(con_id=held.con_id)

    evening = at_exchange(expiry, time(16, 5))
    assert book.find(series, evening) == ()
    assert book.find(by_id, evening) == (held,)
    assert book.find(held.contract, evening) == (held,)
    assert book.find(by_id, evening + timedelta(hours=8)) == ()
    assert book.by_con_id(held.con_id) == held


def test_an_am_option_held_over_its_last_night_is_known(june_2025):
    option = OptionContract("SPX", date(2025, 6, 20), Right.PUT, Decimal(5800))
    book = ContractBook(june_2025)
    held = book.of(option)
    friday_morning = at_exchange(date(2025, 6, 20), time(9, 45))

    assert book.find(words.Contract(con_id=held.con_id), friday_morning) == (held,)


def test_an_id_that_only_spells_a_contract_does_not_make_it_exist(book, noon):
    far_away = con_id_of(OptionContract("VIX", date(2026, 12, 16), Right.CALL, Decimal(20)))
    weekly = con_id_of(OptionContract("VIXW", date(2025, 6, 11), Right.CALL, Decimal(20)))

    assert book.by_con_id(far_away) is not None
    assert book.find(words.Contract(con_id=far_away), noon) == ()
    assert book.by_con_id(weekly) is None


def test_what_expired_is_forgotten_and_the_rest_of_the_chain_stays(book):
    week = [at_exchange(date(2025, 6, day), time(12)) for day in (4, 16)]
    expiring = words.Contract(**SPX_OPTION, trading_class="SPXW", last_trade_date="20250604")
    lasting = words.Contract(
        **SPX_OPTION,
        trading_class="SPX",
        last_trade_date="20250717",
        strike=6000.0,
        right="C",
    )
    gone, kept = book.find(expiring, week[0])[0], book.one(lasting, week[0])

    assert book.one(lasting, week[1]) is kept
    assert book.by_con_id(gone.con_id) == gone
    assert book.find(words.Contract(con_id=gone.con_id), week[1]) == ()


def test_past_the_market_its_last_listing_stays(book):
    last = whole_chain(book, at_exchange(LAST, time(16, 15)))

    assert last
    assert whole_chain(book, at_exchange(LAST + timedelta(days=40), time(12))) == last


def test_before_the_market_its_first_listing_is_there(book):
    first = whole_chain(book, at_exchange(FIRST, time(9, 30)))

    assert whole_chain(book, at_exchange(FIRST - timedelta(days=40), time(12))) == first


@pytest.mark.parametrize(
    "instrument",
    [
        OptionContract("SPXW", date(2025, 7, 18), Right.CALL, Decimal("5802.5")),
        OptionContract("SPXW", date(2025, 7, 19), Right.CALL, Decimal(5800)),  # a Saturday
        OptionContract("SPXW", date(2040, 7, 18), Right.CALL, Decimal(5800)),
        OptionContract("SPX", date(1999, 7, 16), Right.CALL, Decimal(1400)),
        FutureContract("VX", date(2025, 7, 19)),
    ],
)
def test_what_cannot_be_listed_is_no_contract(book, instrument):
    with pytest.raises(NoDefinition):
        book.of(instrument)


def test_a_future_is_known_on_its_last_morning(book):
    at = at_exchange(date(2025, 6, 18), time(9, 15))  # it settles at 09:30
    june = words.Contract(symbol="VIX", sec_type="FUT", last_trade_date="202506")
    found = book.one(june, at)

    assert found.contract.local_symbol == "VXM5"
    assert book.find(words.Contract(con_id=found.con_id), at) == (found,)
    late = at + timedelta(days=1)
    assert book.find(words.Contract(con_id=found.con_id), late) == ()
    by_id = words.Contract(con_id=found.con_id, include_expired=True)
    assert book.find(by_id, late) == (found,)


def test_a_month_past_the_calendar_has_no_future(names):
    assert names(symbol="VIX", sec_type="FUT", last_trade_date="203907") == []


def test_an_index_nobody_knows_has_no_contract(book):
    with pytest.raises(NoDefinition):
        book.index("NDX")


# --- overviews --------------------------------------------------------------------------------


def test_option_params_are_unions_a_class_and_exchange(book, noon):
    params = book.option_params(book.index("SPX"), noon)

    assert [(each["exchange"], each["tradingClass"]) for each in params] == [
        ("SMART", "SPXW"),
        ("SMART", "SPX"),
        ("CBOE", "SPXW"),
        ("CBOE", "SPX"),
    ]
    am = params[1]
    assert am["underConId"] == 416904
    assert am["multiplier"] == "100"
    assert am["expirations"][:2] == ("20250618", "20250717")  # last trade dates
    assert 5900.0 in am["strikes"]


def test_a_typed_name_finds_the_symbol_first(book):
    assert book.matching("SPX")[0]["conId"] == 416904
    assert [each["symbol"] for each in book.matching("vix")][:2] == ["VIX", "VIX9D"]
    assert book.matching("volatility")
    assert book.matching("nothing like it") == book.matching(" ") == ()
