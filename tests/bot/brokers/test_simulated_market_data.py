"""Market data of the simulated broker: the market itself, plus what the account holds."""

from decimal import Decimal

import pytest

from bot.brokers.simulated import SimulatedMarketData
from bot.errors import MarketDataMissing
from tests.bot.brokers.benches import ManualClock
from tests.bot.exchange.venue.fakes import CALL, ScriptedMarket, new_order, open_exchange
from tests.builders import AT, instant, instrument, option

OFF_GRID = "SPXW 06MAR20 2415 P"  # below the lowest strike the market lists, and between strikes


async def test_the_whole_market_is_that_of_the_clocks_instant():
    market = ScriptedMarket()
    clock = ManualClock(AT)
    data = SimulatedMarketData(open_exchange(market), clock)
    quotes = await data.fetch_market()
    assert quotes.at == AT
    assert quotes.spx_options.quote(option("SPXW 06MAR20 3050 P")) == market.quote(
        option("SPXW 06MAR20 3050 P"), AT
    )


async def test_a_held_option_is_quoted_even_where_the_market_no_longer_lists_its_strike():
    market = ScriptedMarket()
    exchange = open_exchange(market)
    clock = ManualClock(AT)
    data = SimulatedMarketData(exchange, clock)
    held = option(OFF_GRID)
    assert (await data.fetch_market()).spx_options.find_row(held) is None
    exchange.submit(new_order("a", OFF_GRID, 1, "0.50"), AT)
    await clock.sleep(60)
    assert (await data.fetch_market()).spx_options.find_row(held) is not None


async def test_the_whole_market_is_asked_for_once_an_instant():
    market = ScriptedMarket()
    exchange = open_exchange(market)
    clock = ManualClock(AT)
    data = SimulatedMarketData(exchange, clock)
    exchange.submit(new_order("a", CALL, 1, "0.90"), AT)
    await clock.sleep(60)
    await data.fetch_market()
    exchange.account()
    await data.fetch_market()
    assert market.whole_market_calls == 1


async def test_an_earlier_instant_asked_for_again_shows_what_has_been_bought_since():
    exchange = open_exchange(ScriptedMarket())
    clock = ManualClock(AT)
    data = SimulatedMarketData(exchange, clock)
    exchange.submit(new_order("a", OFF_GRID, 1, "0.50"), AT)
    assert (await data.fetch_market()).spx_options.find_row(option(OFF_GRID)) is None
    exchange.advance_to(instant("2020-02-03 10:01"))
    assert (await data.fetch_market()).spx_options.find_row(option(OFF_GRID)) is not None


async def test_single_quotes_leave_out_what_nobody_quotes():
    data = SimulatedMarketData(open_exchange(), ManualClock(AT))
    quotes = await data.fetch_quotes([instrument(CALL), instrument("VX 17JUN20")])
    assert list(quotes) == [instrument(CALL).symbol]
    assert 0 < Decimal(str(quotes[instrument(CALL).symbol].bid)) < 2


async def test_outside_session_hours_there_is_no_market():
    data = SimulatedMarketData(open_exchange(), ManualClock(instant("2020-02-03 16:20")))
    with pytest.raises(MarketDataMissing):
        await data.fetch_market()


async def test_history_ends_before_the_day_it_is_asked_for():
    data = SimulatedMarketData(open_exchange(), ManualClock(AT))
    history = await data.fetch_history(AT.date())
    assert str(history.session[-1]) < str(AT.date())
