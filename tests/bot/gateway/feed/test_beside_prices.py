"""Greeks, ticks asked for by number, bars, single ticks and calculations."""

from datetime import timedelta

import numpy as np
import pytest

from bot.gateway import words
from bot.gateway.feed.settings import FeedSettings
from bot.gateway.protocol.builders import contract_values
from strategies.model.quotes import CALL, PUT
from strategies.pricing.forwards import future_forwards, parity_forwards
from strategies.pricing.implied_vol import implied_greeks
from tests.bot.gateway.feed.conftest import World
from tests.builders import future, instant, option
from tests.ib_client import Contract

MORNING = instant("2020-03-03 10:00")
PUT_3000 = option("SPXW 20MAR20 3000 P")


@pytest.fixture
def full() -> World:
    """A feed with everything switched on."""
    return World(FeedSettings())


def asked(world, contract):
    """Return the values that describe a contract in a request."""
    return contract_values(world.book.of(contract).contract)


def test_greeks_are_those_of_the_pricing_package(full, client):
    call = full.book.of(option("VIX 18MAR20 30 C"))
    tickers = [
        full.stream(client, n, each, MORNING)
        for n, each in enumerate([full.book.of(PUT_3000), call])
    ]
    full.refresh(MORNING)
    quotes = full.exchange.quotes_at(MORNING)
    spx, vix = quotes.spx_options, quotes.vix_options
    cases = (
        (tickers[0], spx, PUT_3000, PUT, parity_forwards(spx, MORNING, quotes.rate)),
        (
            tickers[1],
            vix,
            call.instrument,
            CALL,
            future_forwards(vix, quotes.futures, MORNING, quotes.rate),
        ),
    )
    for ticker, chain, contract, column, forwards in cases:
        row = chain.find_row(contract)
        series = chain.series_index[row]
        mid = (chain.bid[row, column] + chain.ask[row, column]) / 2
        forward = forwards.forward[series]
        found = implied_greeks(
            mid,
            forward,
            chain.strike[row],
            forwards.t_years[series],
            forwards.discount[series],
            column == CALL,
            quotes.rate,
        )
        model = ticker.modelGreeks
        assert model.impliedVol == pytest.approx(float(found.vol), rel=1e-12)
        assert model.delta == pytest.approx(float(found.delta), rel=1e-12)
        assert model.gamma == pytest.approx(float(found.gamma), rel=1e-12)
        assert model.vega == pytest.approx(float(found.vega), rel=1e-12)
        assert model.theta == pytest.approx(float(found.theta), rel=1e-12)
        assert (model.optPrice, model.undPrice) == (mid, forward)
        assert ticker.bidGreeks.impliedVol < model.impliedVol < ticker.askGreeks.impliedVol


def test_greeks_are_said_again_when_they_change_only(full, client):
    ticker = full.stream(client, 1, full.book.of(PUT_3000), MORNING)
    full.refresh(MORNING)
    before = ticker.modelGreeks
    client.forget()
    full.refresh(MORNING + timedelta(seconds=5))
    full.refresh(MORNING + timedelta(minutes=1))
    assert ticker.modelGreeks != before
    assert {each[2] for each in client.of("21", 1)} == {"10", "11", "13"}


def test_a_price_that_tells_no_vol_has_no_greeks(full, client):
    chain = full.exchange.quotes_at(MORNING).spx_options
    first = chain.series[0]
    unbid = next(row for row in range(len(chain.strike)) if chain.bid[row, PUT] == 0)
    strikes = [f"{chain.strike[row]:.0f}" for row in (unbid, 0)]
    assert chain.series_index[unbid] == 0
    about = f"{first.root} {first.expiry:%d%b%y}"
    far = full.book.of(option(f"{about} {strikes[0]} P"))
    ticker = full.stream(client, 1, far, MORNING)
    inside = full.book.of(option(f"{about} {strikes[1]} C"))
    deep = full.stream(client, 2, inside, MORNING)
    full.refresh(MORNING)
    assert ticker.bidGreeks is None
    assert ticker.askGreeks.impliedVol > 0
    assert deep.bidGreeks.impliedVol is None  # below its intrinsic value
    assert deep.bidGreeks.delta is None
    assert deep.bidGreeks.optPrice == deep.bid


def test_generic_ticks_are_sent_where_they_were_asked_for(full, client):
    generics = "100,101,104,106,221,233,236"
    put = full.stream(client, 1, full.book.of(PUT_3000), MORNING, generics)
    spx = full.stream(client, 2, full.index("SPX"), MORNING, generics)
    plain = full.stream(client, 3, full.book.of(PUT_3000), MORNING)
    full.refresh(MORNING)
    assert put.markPrice == pytest.approx((put.bid + put.ask) / 2)
    assert (put.putOpenInterest, put.putVolume) == (1000, 100)
    assert put.impliedVolatility == put.modelGreeks.impliedVol
    assert spx.impliedVolatility == full.exchange.market.index_at("VIX", MORNING) / 100
    assert 0.1 < spx.histVolatility < 0.6
    assert spx.rtTime == MORNING
    assert spx.markPrice == spx.last
    assert np.isnan(plain.markPrice)


def test_delayed_data_has_tick_types_of_its_own(client):
    world = World(FeedSettings(permissions=frozenset()))
    world.ask(client, "reqMarketDataType", MORNING, type=4)
    world.stream(client, 1, world.book.of(PUT_3000), MORNING)
    world.stream(client, 2, world.index("SPX"), MORNING)
    world.stream(client, 3, world.book.of(future("VX 18MAR20")), MORNING)
    world.refresh(instant("2020-03-03 15:00"))
    types = {each[3] for number in "123" for each in client.of("1", int(number))}
    assert types == {"66", "67", "68", "75"}
    assert {each[2] for each in client.of("21", 1)} == {"80", "81", "83"}
    assert {each[3] for each in client.of("46", 2)} == {"88"}
    client.forget()
    world.refresh(instant("2020-03-03 20:00"))
    assert client.of("58", 1) == [["58", "1", "1", "4"]]


def test_real_time_bars_are_five_seconds_long(full, client):
    bars = client.ib.wrapper
    got = []
    bars.realtimeBar = lambda *fields: got.append(fields)
    client.ib.client.decoder.handlers[50] = client.ib.client.decoder.wrap(
        "realtimeBar", [int, int, float, float, float, float, float, float, int]
    )
    full.ask(
        client,
        "reqRealTimeBars",
        MORNING,
        reqId=4,
        whatToShow="MIDPOINT",
        **asked(full, PUT_3000),
    )
    full.refresh(MORNING + timedelta(seconds=21))
    start = MORNING.timestamp()
    assert [each[1] - start for each in got] == [5, 10, 15]
    quote = full.exchange.market.quote(PUT_3000, MORNING + timedelta(seconds=5))
    assert got[0][2:6] == (pytest.approx(quote.mid),) * 4
    full.refresh(MORNING + timedelta(hours=1))
    assert len(got) == 3 + 12  # of an hour that was jumped over, the last minute
    full.ask(client, "cancelRealTimeBars", MORNING + timedelta(hours=1), reqId=4)
    full.refresh(MORNING + timedelta(hours=2))
    assert len(got) == 15


@pytest.mark.parametrize(
    ("tick_type", "fields"), [("BidAsk", 9), ("MidPoint", 5), ("Last", 9), ("AllLast", 9)]
)
def test_single_ticks_come_when_the_price_is_another(full, client, tick_type, fields):
    ticker = client.ib.wrapper.startTicker(6, Contract(conId=6), tick_type)
    vx = future("VX 18MAR20")
    full.ask(client, "reqTickByTickData", MORNING, reqId=6, tickType=tick_type, **asked(full, vx))
    for seconds in (0, 5, 60):
        full.refresh(MORNING + timedelta(seconds=seconds))
    assert {len(each) for each in client.of("99", 6)} == {fields}
    assert len(client.of("99", 6)) == 2  # the market stood still for the first ten seconds
    assert len(ticker.tickByTicks) == 1  # those of the last packet
    full.ask(client, "cancelTickByTickData", MORNING, reqId=6)
    client.forget()
    full.refresh(MORNING + timedelta(hours=1))
    assert client.frames == []


def test_calculations_are_each_others_inverse(full, client):
    future_ = client.ib.wrapper
    found = {}
    future_.tickOptionComputation = lambda *fields: found.update({fields[0]: fields})
    client.ib.client.decoder.handlers[21] = client.ib.client.decoder.tickOptionComputation
    about = asked(full, PUT_3000)
    full.ask(
        client,
        "calculateOptionPrice",
        MORNING,
        reqId=1,
        volatility=0.35,
        underPrice=3050.0,
        **about,
    )
    price = found[1][5]
    assert (found[1][1], found[1][3]) == (53, 0.35)
    full.ask(
        client,
        "calculateImpliedVolatility",
        MORNING,
        reqId=2,
        optionPrice=price,
        underPrice=3050.0,
        **about,
    )
    assert found[2][3] == pytest.approx(0.35, rel=1e-9)
    full.ask(
        client,
        "calculateImpliedVolatility",
        MORNING,
        reqId=3,
        optionPrice=5000.0,
        underPrice=3050.0,
        **about,
    )
    assert found[3][3] == -1
    spx = contract_values(full.index("SPX").contract)
    full.ask(
        client, "calculateOptionPrice", MORNING, reqId=4, volatility=0.3, underPrice=3e3, **spx
    )
    assert client.errors() == [(4, 321)]


def test_what_nobody_watches_cannot_be_cancelled(full, client):
    full.ask(client, "cancelRealTimeBars", MORNING, reqId=1)
    full.ask(client, "cancelTickByTickData", MORNING, reqId=2)
    full.ask(client, "cancelCalculateOptionPrice", MORNING, reqId=3)
    assert client.errors() == [(1, 300), (2, 300)]


def test_bars_and_ticks_of_what_is_not_subscribed_to_are_refused(client):
    world = World(FeedSettings(permissions=frozenset()))
    about = asked(world, PUT_3000)
    world.ask(client, "reqRealTimeBars", MORNING, reqId=1, whatToShow="TRADES", **about)
    world.ask(client, "reqTickByTickData", MORNING, reqId=2, tickType="Last", **about)
    assert client.errors() == [(1, 354), (2, 354)]


def test_stand_ins_follow_the_index(full, client):
    euro = words.Contract(symbol="EUR", sec_type="CASH", exchange="IDEALPRO", currency="USD")
    ticker = full.stream(client, 1, full.book.one(euro, MORNING), MORNING)
    spy = words.Contract(symbol="SPY", sec_type="STK", exchange="SMART", currency="USD")
    share = full.stream(client, 2, full.book.one(spy, MORNING), MORNING)
    full.refresh(MORNING)
    assert ticker.hasBidAsk()
    spx = full.exchange.market.index_at("SPX", MORNING)
    assert share.midpoint() == pytest.approx(spx / 10, abs=0.01)


def test_bars_and_ticks_have_kinds_and_come_in_session_hours_only(full, client):
    evening = instant("2020-03-03 18:00")
    about = asked(full, PUT_3000)
    full.ask(client, "reqRealTimeBars", MORNING, reqId=1, whatToShow="YIELD", **about)
    full.ask(client, "reqTickByTickData", MORNING, reqId=2, tickType="Everything", **about)
    assert client.errors() == [(1, 321), (2, 321)]
    full.ask(client, "reqRealTimeBars", evening, reqId=3, whatToShow="TRADES", **about)
    full.ask(client, "reqTickByTickData", evening, reqId=4, tickType="Last", **about)
    full.refresh(evening + timedelta(minutes=1))
    assert client.frames == []
    full.feed.drop(client)
    full.refresh(instant("2020-03-04 10:00"))
    assert client.frames == []
