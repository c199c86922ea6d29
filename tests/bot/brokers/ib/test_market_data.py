"""What comes over the wire is what the exchange says, to the last digit."""

from tests.bot.brokers.ib.data_bench import assert_same_market, data_bench


async def test_the_market_over_the_wire_is_the_exchange_s_own():
    async with data_bench() as bench:
        found = await bench.market_data.fetch_market()
        assert_same_market(found, bench.in_process())
