"""A feed whose quotes are as old as their ticks, on a login with few lines."""

import math
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest

from bot.brokers.ib import lean_ticks
from bot.brokers.ib.contracts import ContractUnknown
from bot.brokers.ib.data_settings import IbDataSettings
from bot.brokers.ib.library import Ticker
from bot.brokers.ib.listing import read_listing
from bot.brokers.ib.qualifier import Expirations
from bot.brokers.ib.quotes import first_prices, newest_tick, price, quote_of
from bot.brokers.ib.selection import SeriesRows
from bot.errors import MarketDataMissing
from strategies.model.calendars import at_exchange
from strategies.model.instruments import FutureContract
from strategies.model.quotes import Quote
from tests.bot.brokers.benches import ManualClock
from tests.bot.brokers.ib.data_bench import EMBEDDED, DataBench, data_bench
from tests.bot.brokers.ib.worlds import calendar
from tests.builders import AT, instrument
from tests.ib_client import ticker_with

REAL = IbDataSettings(lines=100, leg_lines=12, first_prices_s=0.2)


def tickers(bench: DataBench) -> dict[str, Ticker]:
    return dict(bench.market_data._streams.tickers)


async def test_no_more_is_streamed_than_the_login_pays_for():
    async with data_bench(settings=REAL) as bench:
        market = await bench.market_data.fetch_market()
        assert len(tickers(bench)) == 88
        assert {"SPX", "VIX", "VVIX"} <= set(tickers(bench))
        expected = bench.in_process()
        for found, whole in (
            (market.spx_options, expected.spx_options),
            (market.vix_options, expected.vix_options),
        ):
            assert 0 < len(found.strike) < len(whole.strike)
        assert market.futures == tuple(
            replace(quote, quoted_at=tickers(bench)[quote.contract.symbol].time)
            for quote in expected.futures
            if quote.contract.symbol in tickers(bench)
        )


async def test_quotes_are_as_old_as_their_ticks():
    async with data_bench(settings=REAL) as bench:
        market = await bench.market_data.fetch_market()
        found = tickers(bench)
        assert market.indices["SPX"].quoted_at == found["SPX"].time
        spx = [each for symbol, each in found.items() if symbol.startswith("SPX ")]
        spx += [each for symbol, each in found.items() if symbol.startswith("SPXW")]
        assert market.spx_options.quoted_at == newest_tick(spx)
        wanted = instrument("SPXW 20MAR20 3200 P")
        legs = await bench.market_data.fetch_quotes([wanted])
        ticker = bench.market_data._legs._streams.tickers[wanted.symbol]
        assert legs[wanted.symbol].quoted_at == ticker.time


async def test_a_chain_nobody_has_quoted_yet_is_no_market():
    async with data_bench(settings=REAL) as bench:
        await bench.market_data.fetch_market()
        for symbol, ticker in tickers(bench).items():
            if symbol.startswith("VIX ") and len(symbol) == 21:
                ticker.time = None
        with pytest.raises(MarketDataMissing, match="no quotes of VIX options"):
            await bench.market_data.fetch_market()
        tickers(bench)["SPX"].time = None
        with pytest.raises(MarketDataMissing, match="has not sent a price yet"):
            await bench.market_data.fetch_market()


async def test_there_is_no_market_without_a_print_of_both_indices():
    async with data_bench() as bench:
        await bench.market_data.fetch_market()
        tickers(bench)["VVIX"].last = -1.0
        assert "VVIX" not in (await bench.market_data.fetch_market()).indices
        tickers(bench)["VIX"].last = math.nan
        with pytest.raises(MarketDataMissing, match="no print of VIX"):
            await bench.market_data.fetch_market()


async def test_a_future_nobody_quotes_is_left_out():
    async with data_bench() as bench:
        market = await bench.market_data.fetch_market()
        first = market.futures[0].contract
        ticker = tickers(bench)[first.symbol]
        ticker.bid, ticker.ask = -1.0, -1.0
        again = await bench.market_data.fetch_market()
        assert again.futures == market.futures[1:]


@pytest.mark.parametrize("kind", [2, 4])
async def test_frozen_quotes_are_no_market_even_where_delayed_ones_will_do(kind):
    async with data_bench(settings=replace(REAL, allows_delayed=True)) as bench:
        await bench.market_data.fetch_market()
        tickers(bench)["VIX"].marketDataType = 3
        await bench.market_data.fetch_market()
        tickers(bench)["SPX"].marketDataType = kind
        with pytest.raises(MarketDataMissing, match="quotes of SPX are frozen"):
            await bench.market_data.fetch_market()


async def test_strikes_follow_the_market():
    crash = date(2020, 3, 12)
    async with data_bench(at=at_exchange(crash, time(9, 30)), settings=REAL) as bench:
        await bench.market_data.fetch_market()
        before = set(tickers(bench))
        await bench.market_data.fetch_market()
        assert set(tickers(bench)) == before
        bench.move_to(at_exchange(crash, time(15, 45)))
        market = await bench.market_data.fetch_market()
        assert set(tickers(bench)) != before
        assert len(tickers(bench)) == 88
        spot = market.indices["SPX"].value
        assert market.spx_options.strike.min() < spot < market.spx_options.strike.max()


@pytest.mark.parametrize(
    ("missing", "problem"),
    [
        ("SPXW", r"chain of SPX has no class SPXW \(it has SPX\); is the account permitted"),
        ("VX", "no monthly VX futures"),
        ("index", "knows no index SPX"),
    ],
)
async def test_a_root_that_is_gone_is_named(missing, problem):
    async with data_bench() as bench:
        qualifier = bench.qualifier
        if missing == "SPXW":

            async def expirations(underlying: str) -> tuple[Expirations, ...]:
                return (Expirations("SPX", ("20200320",)),)

            qualifier.expirations = expirations  # type: ignore[method-assign]
        elif missing == "VX":

            async def futures(root: str) -> tuple[FutureContract, ...]:
                return ()

            qualifier.futures = futures  # type: ignore[method-assign]
        else:

            async def index(name: str) -> None:
                return None

            qualifier.index = index  # type: ignore[method-assign]
        with pytest.raises(ContractUnknown, match=problem):
            await read_listing(
                qualifier,
                calendar(),
                AT.date(),
                appetite=None,
                held=(),
                progress=bench.progress.append,
            )


async def test_first_prices_are_waited_for_no_longer_than_they_may_take():
    clock = ManualClock(AT)
    silent, priced, unquoted = Ticker(), ticker_with(last=1.0), ticker_with(bid=-1.0, ask=-1.0)
    await first_prices([priced, unquoted], clock, 5)
    assert clock.now() == AT
    await first_prices([priced, silent], clock, 5)
    assert timedelta(seconds=5) <= clock.now() - AT < timedelta(seconds=5.1)


@pytest.mark.parametrize(
    ("sent", "read"), [(1.5, 1.5), (-1.0, 0.0), (0.0, 0.0), (math.nan, 0.0), (math.inf, 0.0)]
)
def test_what_ib_spells_as_nothing_is_zero(sent, read):
    assert price(sent) == read


def test_a_crossed_quote_comes_as_it_is():
    crossed = quote_of(ticker_with(bid=2.0, ask=1.0), AT)
    assert crossed == Quote(bid=2.0, ask=1.0, quoted_at=AT)
    assert not crossed.is_two_sided


async def test_lean_ticks_are_those_of_the_library():
    async with data_bench() as bench:
        ib = await bench.trading.ready()
        lean = await bench.data.ready()
        contracts = await bench.qualifier.qualify(
            [instrument("SPXW 20MAR20 3200 P"), instrument("VX 18MAR20")]
        )
        index = await bench.qualifier.index("SPX")
        assert index is not None
        lean_ticks.install(lean)
        lean_ticks.install(lean)  # once is enough
        pairs = [
            (ib.reqMktData(each), lean.reqMktData(each)) for each in [*contracts.values(), index]
        ]
        for seconds in (10, 20):
            bench.move_to(AT + timedelta(seconds=seconds))
            await bench.trading.fence()
            await bench.data.fence()
            for usual, ticker in pairs:
                for name in ("bid", "ask", "last", "close"):
                    one, other = getattr(usual, name), getattr(ticker, name)
                    assert one == other or (math.isnan(one) and math.isnan(other)), name
                assert isinstance(ticker.time, datetime)
                assert ticker.time.tzinfo == UTC
        handler = lean.client.decoder.handlers[1]
        handler(["1", "6", "999999", "1", "5.0", "1", "0"])  # of a request nobody made
        request = lean.wrapper.ticker2ReqId["mktData"][pairs[0][1]]
        handler(["1", "6", str(request), "6", "7.5", "1", "0"])  # the day's high: the usual way
        assert pairs[0][1].high == 7.5
        handler(["1", "6", str(request), "1", "", "0", "0"])  # nothing said
        assert pairs[0][1].bid > 0


def test_the_embedded_feed_needs_no_patience():
    assert EMBEDDED.lines is None
    assert EMBEDDED.first_prices_s == 0


async def test_expiries_past_the_calendar_or_on_no_session_are_left_alone():
    async with data_bench() as bench:
        qualifier = bench.qualifier
        whole, series = qualifier.expirations, qualifier.series

        async def years(underlying: str) -> tuple[Expirations, ...]:
            found = await whole(underlying)
            return tuple(Expirations(each.root, (*each.last_trades, "20301220")) for each in found)

        async def moved(root: str, last_trade: str) -> tuple[SeriesRows, ...]:
            found = await series(root, last_trade)
            return tuple(
                each._replace(expiry=date(2020, 3, 21))
                if (root, each.expiry) == ("SPXW", date(2020, 3, 20))
                else each
                for each in found
            )

        qualifier.expirations = years  # type: ignore[method-assign]
        qualifier.series = moved  # type: ignore[method-assign]
        market = await bench.market_data.fetch_market()
        expected = bench.in_process()
        gone = ("SPXW", date(2020, 3, 20))
        assert [(each.root, each.expiry) for each in market.spx_options.series] == [
            (each.root, each.expiry)
            for each in expected.spx_options.series
            if (each.root, each.expiry) != gone
        ]
        assert not any("20301220" in each for each in bench.progress)
