"""Legs at work on a login with few lines: no more than are kept for them, none with old quotes."""

from dataclasses import replace
from datetime import timedelta

from bot.brokers.ib.data_settings import IbDataSettings
from tests.bot.brokers.ib.data_bench import data_bench
from tests.bot.gateway.running import FAST
from tests.builders import instrument

REAL = IbDataSettings(lines=100, leg_lines=4, first_prices_s=0.2)
LEGS = [
    instrument(f"SPXW 20MAR20 {strike} {right}")
    for strike in (3200, 3205, 3210, 3215, 3220)
    for right in "PC"
]


async def test_more_legs_than_lines_are_quoted_by_turns():
    gateway = replace(FAST, market_data_lines=4)
    async with data_bench(settings=REAL, gateway=gateway) as bench:
        for _ in range(2):
            quotes = await bench.market_data._legs.fetch(LEGS)
            market = bench.running.exchange.market
            for leg in LEGS:
                expected = market.quote(leg, bench.now)
                assert (quotes[leg.symbol].bid, quotes[leg.symbol].ask) == (
                    expected.bid,
                    expected.ask,
                )
            assert bench.running.gateway.parts.feed.lines() == 4


async def test_a_leg_that_has_not_ticked_lately_is_asked_for_anew():
    async with data_bench(settings=REAL) as bench:
        await bench.market_data._legs.fetch(LEGS[:2])
        quiet, lively = (bench.market_data._legs._streams.tickers[leg.symbol] for leg in LEGS[:2])
        quiet.time = bench.now - timedelta(seconds=31)
        lively.time = bench.now - timedelta(seconds=29)
        quotes = await bench.market_data._legs.fetch(LEGS[:2])
        assert quotes[LEGS[0].symbol].quoted_at > bench.now - timedelta(seconds=29)
        assert quotes[LEGS[1].symbol].quoted_at == bench.now - timedelta(seconds=29)
