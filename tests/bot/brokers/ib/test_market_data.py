"""What comes over the wire is what the exchange says, to the last digit."""

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal

import pytest

from bot.brokers.ib.errors_table import code_of
from bot.errors import HaltTrading, MarketDataMissing
from bot.exchange.orders import NewOrder
from bot.exchange.replay import ReplayMarket
from strategies.model.calendars import at_exchange
from strategies.model.ids import ClientOrderId
from strategies.model.instruments import OptionContract
from tests.bot.brokers.ib.data_bench import EMBEDDED, DataBench, assert_same_market, data_bench
from tests.bot.brokers.ib.worlds import calendar, history
from tests.builders import instrument, leg

TUESDAY = date(2020, 2, 18)


def ny(day: date, hour: int, minute: int = 0, second: int = 0) -> datetime:
    return at_exchange(day, time(hour, minute, second))


async def same(bench: DataBench, at: datetime) -> None:
    bench.move_to(at)
    expected = bench.in_process()
    assert_same_market(await bench.market_data.fetch_market(), expected)


def hold(bench: DataBench, legs: str, quantity: int = 1) -> None:
    """Trade at the exchange itself, at once and at any price."""
    exchange = bench.running.exchange
    wanted = tuple(leg(part.strip()) for part in legs.split(","))
    price = Decimal(0)
    for each in wanted:
        quote = exchange.market.quote(each.instrument, bench.now)
        assert quote is not None
        price += each.ratio * Decimal(str(quote.ask if each.ratio > 0 else quote.bid))
    order = NewOrder(
        client_order_id=ClientOrderId(f"{legs} {bench.now}"),
        legs=wanted,
        quantity=quantity,
        limit_price=(price * 20).to_integral_value() / 20 + Decimal(1),
    )
    report = exchange.submit(order, bench.now)
    assert not report.note
    bench.move_to(bench.now + timedelta(seconds=10))
    exchange.advance_to(bench.now)
    assert exchange.positions()


async def test_every_interval_of_days_with_expiries_is_the_exchange_s_own():
    # the VIX and VX expire on the 19th, SPX standards stop on the 20th and settle on the 21st
    async with data_bench(at=ny(TUESDAY, 9, 30)) as bench:
        for day in calendar().sessions_between(TUESDAY, date(2020, 2, 24)):
            for hour, minute, second in (
                (9, 30, 0),
                (9, 45, 0),
                (12, 0, 7),
                (15, 59, 59),
                (16, 0, 0),
                (16, 0, 10),
                (16, 15, 0),
            ):
                await same(bench, ny(day, hour, minute, second))


async def test_an_early_close_is_the_exchange_s_own():
    friday = date(2019, 11, 29)
    market = ReplayMarket(
        history(), calendar(), first=date(2019, 11, 27), last=date(2019, 12, 2), seed=3
    )
    async with data_bench(market, at=ny(friday, 9, 45)) as bench:
        for at in (ny(friday, 12, 59, 50), ny(friday, 13), ny(friday, 13, 15)):
            await same(bench, at)
        await same(bench, ny(date(2019, 12, 2), 10))


async def test_the_days_before_the_small_future_are_the_exchange_s_own():
    market = ReplayMarket(
        history(), calendar(), first=date(2020, 8, 6), last=date(2020, 8, 11), seed=3
    )
    async with data_bench(market, at=ny(date(2020, 8, 6), 10)) as bench:
        for day in calendar().sessions_between(market.first_session, market.last_session):
            await same(bench, ny(day, 10))
        roots = {each.contract.root for each in bench.in_process().futures}
        assert roots == {"VX", "VXM"}


async def test_held_strikes_stay_in_the_market_when_they_are_no_longer_listed():
    async with data_bench(at=ny(TUESDAY, 10)) as bench:
        await same(bench, bench.now)
        odd = "SPXW 20MAR20 3235 P"
        hold(bench, f"+1 {odd}, -1 SPXW 20MAR20 3230 P")
        hold(bench, "+1 VIX 18MAR20 19 C", 3)
        hold(bench, "+1 VX 18MAR20", 2)
        await same(bench, bench.now)
        far = date(2020, 3, 16)  # 26 percent lower; those strikes are far out of the listing
        for day in (date(2020, 2, 28), far):
            await same(bench, ny(day, 11))
        chain = (await bench.market_data.fetch_market()).spx_options
        held = instrument(odd)
        assert isinstance(held, OptionContract)
        assert chain.find_row(held) is not None
        await same(bench, ny(date(2020, 3, 19), 11))
        await same(bench, ny(date(2020, 3, 20), 15, 59))
        await same(bench, ny(date(2020, 3, 20), 16))  # settled


async def test_a_position_that_is_closed_takes_its_row_along():
    async with data_bench(at=ny(date(2020, 3, 2), 10)) as bench:
        strange = "VIX 18MAR20 62.5 C"
        hold(bench, f"+1 {strange}")
        await same(bench, bench.now)
        hold_back(bench, strange)
        await same(bench, bench.now)
        chain = (await bench.market_data.fetch_market()).vix_options
        assert chain.find_row(instrument(strange)) is None


def hold_back(bench: DataBench, symbol: str) -> None:
    exchange = bench.running.exchange
    order = NewOrder(
        client_order_id=ClientOrderId("close"),
        legs=(leg(f"-1 {symbol}"),),
        quantity=1,
        limit_price=Decimal("-0.01"),
    )
    assert not exchange.submit(order, bench.now).note
    for _ in range(90):
        bench.move_to(bench.now + timedelta(seconds=10))
        exchange.advance_to(bench.now)
        if not exchange.positions():
            return
    pytest.fail("nobody bought it")


async def test_there_is_no_market_outside_session_hours():
    async with data_bench(at=ny(TUESDAY, 9, 29, 59)) as bench:
        with pytest.raises(MarketDataMissing, match="09:29:59: not in session hours"):
            await bench.market_data.fetch_market()
        with pytest.raises(MarketDataMissing, match="not in session hours"):
            await bench.market_data.fetch_quotes([])
        bench.move_to(ny(date(2020, 2, 22), 12))
        with pytest.raises(MarketDataMissing, match="2020-02-22: it is not a session"):
            await bench.market_data.fetch_market()


async def test_reading_a_chain_tells_how_far_it_has_come():
    async with data_bench(at=ny(TUESDAY, 10)) as bench:
        await bench.market_data.fetch_market()
        assert bench.progress[0] == "asking IB for indices and futures"
        assert any("VIX options of 20200317" in each for each in bench.progress)


# --- legs -------------------------------------------------------------------------------------


async def same_legs(bench: DataBench, *symbols: str) -> None:
    wanted = [instrument(symbol) for symbol in symbols]
    found = await bench.market_data.fetch_quotes(wanted)
    market = bench.running.exchange.market
    expected = {each.symbol: market.quote(each, bench.now) for each in wanted}
    assert {key: (each.bid, each.ask) for key, each in found.items()} == {
        key: (each.bid, each.ask) for key, each in expected.items() if each is not None
    }
    assert all(each.quoted_at == bench.now for each in found.values())


LEGS = (
    "SPXW 18FEB20 3380 P",
    "SPXW 20MAR20 3200 P",
    "SPX 20MAR20 3205 C",
    "SPX 21FEB20 3300 C",
    "VIX 19FEB20 14 C",
    "VIX 18MAR20 25 C",
    "VX 19FEB20",
    "VX 15APR20",
    "SPXW 20MAR20 3201 P",  # no such strike
)


async def test_legs_are_quoted_as_the_exchange_quotes_them():
    async with data_bench(at=ny(TUESDAY, 9, 30)) as bench:
        for at in (
            ny(TUESDAY, 9, 30),
            ny(TUESDAY, 10, 0, 5),
            ny(TUESDAY, 15, 59, 55),
            ny(TUESDAY, 16),
            ny(TUESDAY, 16, 15),
            ny(date(2020, 2, 19), 9, 30),
            ny(date(2020, 2, 20), 16, 15),
            ny(date(2020, 2, 21), 10),
        ):
            bench.move_to(at)
            await same_legs(bench, *LEGS)


async def test_legs_are_streamed_where_orders_are_worked_and_no_longer_than_there_is_room():
    settings = replace(EMBEDDED, lines=60, leg_lines=3)
    async with data_bench(at=ny(TUESDAY, 10), settings=settings) as bench:
        await same_legs(bench, *LEGS[1:3])
        await same_legs(bench, *LEGS[4:8])
        await same_legs(bench, LEGS[1])
        feed = bench.running.gateway.parts.feed
        assert feed.lines() == 3
        bench.move_to(bench.now + timedelta(minutes=1))
        await same_legs(bench, *LEGS[1:8])


STREAMED = tuple(LEGS[at] for at in (1, 3, 4, 5, 6, 7))  # of the chains on Tuesday


async def test_legs_seen_a_moment_ago_are_not_asked_for_again():
    async with data_bench(at=ny(TUESDAY, 10)) as bench:
        await bench.market_data.fetch_market()
        await same_legs(bench, *STREAMED)
        assert bench.trading.traffic() is None
        bench.move_to(bench.now + timedelta(seconds=10))
        await same_legs(bench, *STREAMED)
        assert bench.trading.traffic() is not None


@pytest.mark.parametrize("symbol", LEGS)
async def test_legs_after_a_look_are_quoted_as_the_exchange_quotes_them(symbol):
    async with data_bench(at=ny(TUESDAY, 9, 30)) as bench:
        for at in (
            ny(TUESDAY, 10, 0, 5),
            ny(TUESDAY, 16),
            ny(TUESDAY, 16, 15),
            ny(date(2020, 2, 19), 9, 30),
        ):
            bench.move_to(at)
            await bench.market_data.fetch_market()
            await same_legs(bench, symbol)


async def test_streams_that_nothing_proves_are_not_believed():
    async with data_bench(at=ny(TUESDAY, 10)) as bench:
        await bench.market_data.fetch_market()
        bench.data.connection_code(code_of(1100, about_order=False), "IB is not there")
        await same_legs(bench, *STREAMED)
        assert bench.trading.traffic() is not None


async def test_streams_that_may_not_be_used_are_no_quotes():
    async with data_bench(at=ny(TUESDAY, 10)) as bench:
        await bench.market_data.fetch_market()
        bench.data.request_code(1, code_of(10197, about_order=False), "another session")
        with pytest.raises(HaltTrading, match="another session of this login"):
            await bench.market_data.fetch_quotes([instrument(STREAMED[0])])
