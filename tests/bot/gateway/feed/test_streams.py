"""Streams: equal to the exchange's quotes to the last digit, and silent about what stays."""

from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest

from bot.gateway import words
from bot.gateway.feed.frames import PIECE_BYTES
from bot.gateway.feed.settings import FeedSettings, Product
from bot.gateway.protocol.message import Message
from strategies.model.instruments import OptionContract, Right
from tests.bot.gateway.feed.conftest import World, market_data_request
from tests.builders import future, instant, option

MORNING = instant("2020-03-03 10:00")
EVENING = instant("2020-03-03 18:00")


def every_option(world, at):
    """Return the options of the whole market in chain order, puts first."""
    quotes = world.exchange.quotes_at(at)
    for chain in (quotes.spx_options, quotes.vix_options):
        for row in range(len(chain.strike)):
            series = chain.series[chain.series_index[row]]
            strike = Decimal(repr(float(chain.strike[row])))
            for right in (Right.PUT, Right.CALL):
                yield world.book.of(OptionContract(series.root, series.expiry, right, strike))


def watch_everything(world, client, at):
    """Stream the whole listing; return the tickers of the options, futures and indices."""
    quotes = world.exchange.quotes_at(at)
    listed = list(every_option(world, at))
    listed += [world.book.of(each.contract) for each in quotes.futures]
    listed += [world.index(name) for name in quotes.indices]
    return [world.stream(client, number, each, at) for number, each in enumerate(listed, 1)]


def expected(quotes):
    """Return the prices a client should have of the whole listing: bid and ask, or last, close."""
    chains = (quotes.spx_options, quotes.vix_options)
    bids = [*(each.bid.ravel() for each in chains), [each.bid for each in quotes.futures]]
    asks = [*(each.ask.ravel() for each in chains), [each.ask for each in quotes.futures]]
    return (np.concatenate(side) for side in (bids, asks))


def test_the_whole_chain_crosses_to_the_last_digit(world, client):
    tickers = watch_everything(world, client, MORNING)
    for minutes in (0, 15, 16, 30):
        at = MORNING + timedelta(minutes=minutes)
        world.refresh(at)
        quotes = world.exchange.quotes_at(at)
        bid, ask = expected(quotes)
        count = len(bid)
        assert [t.bid if t.bidSize else 0.0 for t in tickers[:count]] == bid.tolist()
        assert [t.ask if t.askSize else 0.0 for t in tickers[:count]] == ask.tolist()
        futures = tickers[count - len(quotes.futures) : count]
        assert [t.close for t in futures] == [each.prior_settle for each in quotes.futures]
        assert [t.last for t in tickers[count:]] == [v.value for v in quotes.indices.values()]
    assert client.messages == []


def test_only_what_has_changed_is_said_again(world, client):
    watch_everything(world, client, MORNING)
    world.refresh(MORNING)
    client.forget()
    world.refresh(MORNING)
    world.refresh(MORNING + timedelta(seconds=5))  # the market moves every ten seconds
    assert client.frames == []
    before = world.exchange.quotes_at(MORNING)
    later = MORNING + timedelta(minutes=15)
    world.refresh(later)
    changed = sum(
        int((one != two).sum())
        for one, two in zip(
            expected(before), expected(world.exchange.quotes_at(later)), strict=True
        )
    )
    quoted = [each for each in client.frames if each[0] == "1" and each[3] in ("1", "2")]
    assert len(quoted) == changed
    assert max(client.pieces) <= PIECE_BYTES


def test_the_market_is_looked_at_once_a_second(world, client, monkeypatch):
    watch_everything(world, client, MORNING)
    world.refresh(MORNING)
    looks = []
    whole = world.exchange.quotes_at
    monkeypatch.setattr(world.exchange, "quotes_at", lambda at: looks.append(at) or whole(at))
    for number in range(50):
        world.refresh(MORNING + timedelta(seconds=60, milliseconds=number))
    assert looks == [MORNING + timedelta(seconds=60)]


def test_few_lines_are_asked_for_one_by_one_with_the_same_result(world, client):
    quotes = world.exchange.quotes_at(MORNING)
    listed = list(every_option(world, MORNING))[400:404]
    tickers = [world.stream(client, n, each, MORNING) for n, each in enumerate(listed)]
    world.refresh(MORNING)
    for ticker, each in zip(tickers, listed, strict=True):
        quote = quotes.spx_options.quote(each.instrument)
        assert (ticker.bid, ticker.ask) == (quote.bid, quote.ask)


def test_nobody_bidding_is_minus_one_and_no_size(world, client):
    far = world.book.of(option("SPXW 04MAR20 2000 P"))
    ticker = world.stream(client, 7, far, MORNING)
    world.refresh(MORNING)
    assert world.exchange.market.quote(far.instrument, MORNING).bid == 0
    assert (ticker.bid, ticker.bidSize) == (-1.0, 0.0)
    assert ticker.ask > 0
    assert ticker.askSize > 0
    assert not ticker.hasBidAsk()


def test_what_has_expired_is_nobodys(world, client):
    dying = world.book.of(option("SPXW 04MAR20 3050 C"))
    ticker = world.stream(client, 1, dying, instant("2020-03-04 15:50"))
    world.refresh(instant("2020-03-04 15:50"))
    assert ticker.hasBidAsk()
    world.refresh(instant("2020-03-04 16:05"))
    assert (ticker.bid, ticker.ask, ticker.askSize) == (-1.0, -1.0, 0.0)


def test_a_subscription_begins_with_its_parameters_and_its_data_type(world, client):
    world.stream(client, 5, world.index("SPX"), MORNING)
    world.refresh(MORNING)
    assert [each[0] for each in client.frames[:2]] == ["81", "58"]
    assert client.frames[0][:3] == ["81", "5", "0.01"]
    assert client.frames[1] == ["58", "1", "5", "1"]


def test_indices_print_their_last_close_and_time_without_sizes(world, client):
    ticker = world.stream(client, 5, world.index("SPX"), MORNING)
    world.refresh(MORNING)
    assert ticker.last == world.exchange.market.index_at("SPX", MORNING)
    assert ticker.lastSize == 0
    assert ticker.close == 3090.23  # of 2 March 2020
    assert client.of("46", 5)[-1][3:] == ["45", str(int(MORNING.timestamp()))]
    assert np.isnan(ticker.bid)


def test_a_futures_close_is_the_settlement_before_and_after_the_session_the_new_one(world, client):
    march = future("VX 18MAR20")
    ticker = world.stream(client, 1, world.book.of(march), MORNING)
    world.refresh(MORNING)
    settle = world.exchange.market.daily_settle
    assert ticker.close == settle(march, instant("2020-03-02 10:00").date())
    world.refresh(instant("2020-03-03 16:10"))
    assert ticker.close == settle(march, instant("2020-03-02 10:00").date())
    world.refresh(instant("2020-03-03 16:16"))
    assert ticker.close == settle(march, MORNING.date())


def test_outside_session_hours_a_live_stream_is_silent_and_a_frozen_one_shows_the_close(
    world, client
):
    contract = world.book.of(option("SPXW 20MAR20 3000 P"))
    live = world.stream(client, 1, contract, EVENING)
    world.feed.handle(client, _message("reqMarketDataType", type=2), EVENING)
    frozen = world.stream(client, 2, contract, EVENING)
    world.refresh(EVENING)
    assert np.isnan(live.bid)
    quote = world.exchange.market.quote(contract.instrument, instant("2020-03-03 16:15"))
    assert (frozen.bid, frozen.ask) == (quote.bid, quote.ask)
    assert frozen.marketDataType == 2
    morning = instant("2020-03-04 09:45")
    world.refresh(morning)
    assert frozen.marketDataType == 1
    assert live.bid == frozen.bid == world.exchange.market.quote(contract.instrument, morning).bid


def test_before_the_first_session_there_is_nothing_to_show(world, client):
    early = instant("2020-03-01 12:00")
    for number in (1, 2):  # live and frozen
        world.feed.handle(client, _message("reqMarketDataType", type=number), early)
        world.stream(client, number, world.index("SPX"), early)
    world.refresh(early)
    assert {each[3] for each in client.frames if each[0] == "1"} == {"9"}  # the close before
    client.forget()
    world.refresh(early + timedelta(minutes=1))
    assert client.frames == []


def test_a_night_brings_settlements_and_nothing_else(world, client):
    world.stream(client, 1, world.book.of(future("VX 18MAR20")), MORNING)
    world.refresh(instant("2020-03-03 16:14"))
    client.forget()
    for clock in ("16:20", "16:21", "23:00"):
        world.refresh(instant(f"2020-03-03 {clock}"))
    assert [each[3] for each in client.frames] == ["9"]


def test_a_snapshot_ends_and_uses_no_line(world, client):
    ticker = client.watch(3)
    snapshot = market_data_request(3, world.index("VIX").contract, snapshot=True)
    world.feed.handle(client, snapshot, MORNING)
    assert ticker.last == world.exchange.market.index_at("VIX", MORNING)
    assert [each.kind for each in client.messages] == ["tickSnapshotEnd"]
    assert world.feed.lines(client) == 0


def test_cancelled_and_dropped_lines_are_silent(world, client):
    world.stream(client, 1, world.index("SPX"), MORNING)
    world.stream(client, 2, world.index("VIX"), MORNING)
    world.refresh(MORNING)
    assert world.feed.lines(client) == 2
    assert world.feed.request_ids(client) == (1, 2)
    client.forget()
    world.feed.handle(client, _message("cancelMktData", reqId=1), MORNING)
    world.refresh(MORNING + timedelta(minutes=1))
    assert client.of("1", 1) == []
    assert client.of("1", 2)
    world.feed.drop(client)
    client.forget()
    world.refresh(MORNING + timedelta(minutes=2))
    assert client.frames == []
    assert world.feed.lines() == 0


def test_errors_of_streams_have_their_codes(world, client):
    spx = world.index("SPX")
    world.stream(client, 1, spx, MORNING)
    world.stream(client, 1, spx, MORNING)
    world.stream(client, 2, spx, MORNING, "233,9999")
    world.feed.handle(client, _message("cancelMktData", reqId=3), MORNING)
    world.feed.handle(client, _message("reqMarketDataType", type=5), MORNING)
    assert client.errors() == [(1, 102), (2, 321), (3, 300), (-1, 321)]


@pytest.mark.parametrize("code", [354, 10089, 10168, 10186])
def test_what_is_not_subscribed_to_is_refused_or_shown_late(client, code):
    world = World(
        FeedSettings(greeks=False, permissions=frozenset({Product.INDICES}), refusal=code)
    )
    contract = world.book.of(option("SPXW 20MAR20 3000 P"))
    world.stream(client, 1, contract, MORNING)
    assert client.errors() == [(1, code)]
    assert world.feed.lines(client) == 0
    world.feed.handle(client, _message("reqMarketDataType", type=3), MORNING)
    late = world.stream(client, 2, contract, MORNING)
    world.refresh(MORNING)
    assert client.errors()[-1] == (2, 10167)
    then = world.exchange.market.quote(contract.instrument, MORNING - timedelta(minutes=15))
    assert (late.bid, late.ask, late.marketDataType) == (then.bid, then.ask, 3)
    assert {each[3] for each in client.of("1", 2)} == {"66", "67"}


def test_without_the_index_options_have_prices_and_no_greeks(client):
    world = World(FeedSettings(permissions=frozenset({Product.OPTIONS})))
    ticker = world.stream(client, 1, world.book.of(option("SPXW 20MAR20 3000 P")), MORNING)
    world.refresh(MORNING)
    assert client.errors() == [(1, 10090)]
    assert ticker.hasBidAsk()
    assert ticker.modelGreeks is None


def test_a_package_is_quoted_from_its_legs(world, client):
    legs = [(option("SPXW 20MAR20 2900 P"), 1), (option("SPXW 20MAR20 2950 P"), -1)]
    bag = words.Contract(
        symbol="SPX",
        sec_type="BAG",
        exchange="SMART",
        currency="USD",
        combo_legs=tuple(
            words.ComboLeg(
                con_id=world.book.of(contract).con_id,
                ratio=1,
                action="BUY" if ratio > 0 else "SELL",
            )
            for contract, ratio in legs
        ),
    )
    ticker = client.watch(9)
    world.feed.handle(client, market_data_request(9, bag), MORNING)
    world.refresh(MORNING)
    low, high = (world.exchange.market.quote(contract, MORNING) for contract, _ in legs)
    assert ticker.bid == pytest.approx(low.bid - high.ask)
    assert ticker.ask == pytest.approx(low.ask - high.bid)
    assert ticker.ask < 0 < ticker.askSize  # a credit is a price


def test_what_cannot_be_found_or_is_not_for_sale_is_refused(world, client):
    nothing = words.Contract(symbol="SPX", sec_type="OPT", last_trade_date="20200399")
    world.feed.handle(client, market_data_request(1, nothing), MORNING)
    empty = words.Contract(symbol="SPX", sec_type="BAG")
    world.feed.handle(client, market_data_request(2, empty), MORNING)
    known = words.Contract(symbol="SPX", sec_type="IND", exchange="CBOE")
    world.feed.handle(client, market_data_request(3, known, regulatorySnapshot=True), MORNING)
    codes = dict(client.errors())
    assert codes.keys() == {1, 2, 3}
    assert (codes[2], codes[3]) == (200, 321)


def test_a_farm_that_is_down_stands_still_and_one_that_lags_says_delayed(world, client):
    ticker = world.stream(client, 1, world.index("SPX"), MORNING)
    world.refresh(MORNING)
    first = ticker.last
    world.feed.stand_still(MORNING + timedelta(minutes=5))
    world.refresh(MORNING + timedelta(minutes=4))
    assert ticker.last == first
    later = MORNING + timedelta(minutes=6)
    world.refresh(later)
    assert ticker.last == world.exchange.market.index_at("SPX", later)
    world.feed.fall_behind(MORNING + timedelta(minutes=20))
    behind = MORNING + timedelta(minutes=10)
    world.refresh(behind)
    assert ticker.marketDataType == 3
    assert ticker.last == world.exchange.market.index_at("SPX", behind - timedelta(minutes=15))
    world.refresh(MORNING + timedelta(minutes=21))
    assert ticker.marketDataType == 1


def _message(kind, **values):
    return Message(kind, values)
