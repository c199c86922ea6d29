"""What the client library is made to read at a time, and to forget."""

from bot.brokers.ib.library import new_client, read_in_pieces
from bot.brokers.ib.quotes import Streams
from tests.bot.brokers.ib.data_bench import data_bench


async def test_a_stream_that_has_ended_leaves_nothing_behind_and_can_begin_again():
    async with data_bench() as bench:
        market = await bench.market_data.fetch_market()
        contract = next(
            ticker.contract
            for symbol, ticker in bench.market_data._streams.tickers.items()
            if symbol.startswith("SPXW")
        )
        ib, streams = await bench.trading.ready(), Streams()
        streams.add(ib, {"one": contract})
        await bench.trading.fence()
        first = streams.tickers["one"]
        assert first.ask > 0
        (request,) = ib.wrapper.reqId2Ticker
        assert streams.name_of(request) == "one"
        streams.drop(["one"])
        assert not ib.wrapper.tickers
        assert not ib.wrapper.reqId2Ticker
        assert streams.name_of(request) is None
        streams.add(ib, {"one": contract})
        bench.move_to(market.at)
        await bench.trading.fence()
        assert streams.tickers["one"].ask > 0
        assert len(ib.wrapper.tickers) == 1


async def test_little_is_read_at_a_time():
    async with data_bench() as bench:
        sizes = []
        ib = await bench.data.ready()
        ib.client.conn.hasData += lambda data: sizes.append(len(data))
        await bench.market_data.fetch_market()
        assert sum(sizes) > 100_000
        assert max(sizes) <= 8 * 1024


def test_a_transport_that_reads_as_it_likes_is_let_alone():
    class Other:
        __slots__ = ()

    ib = new_client(requests_per_second=0)
    ib.client.conn.transport = Other()
    read_in_pieces(ib)
    ib.client.conn.transport = None
