"""Quotes that may not be used are named with what helps; after a break all is streamed anew."""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.errors import BrokerUnavailable, HaltTrading, MarketDataMissing
from bot.gateway.fault_plan import FaultPlan, PlannedFault
from bot.gateway.faults import FaultKind
from bot.gateway.feed.settings import FeedSettings, Product
from bot.gateway.protocol.builders import error_message
from tests.bot.brokers.ib.data_bench import EMBEDDED, DataBench, assert_same_market, data_bench
from tests.bot.gateway.running import limited
from tests.builders import AT, instrument

MINUTE = timedelta(minutes=1)
LIMITED = replace(EMBEDDED, lines=60)
LEG = instrument("SPXW 20MAR20 3200 P")


def plan(kind: FaultKind, **details: object) -> FaultPlan:
    return FaultPlan([PlannedFault(kind=kind, at=AT + MINUTE, details=details)], seed=1)


async def same(bench: DataBench) -> None:
    expected = bench.in_process()
    assert_same_market(await bench.market_data.fetch_market(), expected)


async def test_a_farm_that_is_down_ends_the_interval_until_it_is_back():
    """Fault B14: no quotes, and what is decided on them waits."""
    faults = plan(FaultKind.MARKET_FARM_DOWN, seconds=60)
    async with data_bench(faults=faults) as bench:
        await same(bench)
        bench.move_to(AT + MINUTE)
        with pytest.raises(MarketDataMissing, match=r"market data farm usfarm .* is down"):
            await bench.market_data.fetch_market()
        with pytest.raises(MarketDataMissing, match="is down"):
            await bench.market_data.fetch_quotes([LEG])
        bench.move_to(AT + 3 * MINUTE)
        await same(bench)
        assert await bench.market_data.fetch_quotes([LEG])


async def test_a_competing_session_halts_until_quotes_come_again():
    """Fault B7: the session is not fought for."""
    faults = plan(FaultKind.COMPETING_SESSION, seconds=60)
    async with data_bench(faults=faults) as bench:
        await same(bench)
        bench.move_to(AT + MINUTE)
        with pytest.raises(HaltTrading, match=r"another session .* \(10197\); log it out"):
            await bench.market_data.fetch_market()
        bench.move_to(AT + 3 * MINUTE)
        await same(bench)


async def test_quotes_that_turn_delayed_without_a_word_are_no_market():
    """Fault B15: no interval is decided on delayed data."""
    faults = plan(FaultKind.SILENT_DELAYED_DATA, seconds=60)
    async with data_bench(faults=faults, at=AT, settings=LIMITED) as bench:
        await bench.market_data.fetch_market()
        await bench.market_data.fetch_quotes([LEG])
        bench.move_to(AT + MINUTE)
        with pytest.raises(
            MarketDataMissing, match="are delayed; subscribe to it in Client Portal"
        ):
            await bench.market_data.fetch_market()
        with pytest.raises(MarketDataMissing, match="are delayed"):
            await bench.market_data.fetch_quotes([LEG])
        bench.move_to(AT + 3 * MINUTE)
        await bench.market_data.fetch_market()


async def test_delayed_quotes_will_do_where_they_are_allowed():
    faults = plan(FaultKind.SILENT_DELAYED_DATA, seconds=60)
    settings = replace(LIMITED, allows_delayed=True)
    async with data_bench(faults=faults, settings=settings) as bench:
        bench.move_to(AT + MINUTE)
        assert (await bench.market_data.fetch_market()).indices["SPX"].value > 0


@pytest.mark.parametrize(
    ("product", "name"),
    [(Product.INDICES, "SPX"), (Product.FUTURES, "VX"), (Product.OPTIONS, "(SPXW|VIX) ")],
)
async def test_a_missing_subscription_is_named_with_the_fix(product, name):
    feed = FeedSettings(greeks=False, permissions=frozenset(Product) - {product})
    async with data_bench(gateway=limited(feed=feed), settings=LIMITED) as bench:
        with pytest.raises(
            MarketDataMissing, match=rf"shows no live quotes of {name}.*354.*Portal"
        ):
            await bench.market_data.fetch_market()
        with pytest.raises(MarketDataMissing, match="shows no live quotes"):
            await bench.market_data.fetch_market()


async def test_delayed_quotes_are_asked_for_where_they_are_allowed():
    feed = FeedSettings(greeks=False, permissions=frozenset(Product) - {Product.OPTIONS})
    settings = replace(LIMITED, allows_delayed=True)
    async with data_bench(gateway=limited(feed=feed), settings=settings) as bench:
        market = await bench.market_data.fetch_market()
        assert (market.vix_options.ask > 0).any()
        legs = await bench.market_data.fetch_quotes([LEG])
        assert legs[LEG.symbol].ask > 0
        kinds = {each.marketDataType for each in bench.market_data._streams.tickers.values()}
        assert kinds == {1, 3}


async def test_too_few_lines_are_named_with_the_setting():
    settings = replace(EMBEDDED, lines=60)
    async with data_bench(gateway=limited(market_data_lines=20), settings=settings) as bench:
        with pytest.raises(MarketDataMissing, match=r"lower broker\.market_data_lines"):
            await bench.market_data.fetch_market()


async def test_a_refusal_is_asked_about_again_at_the_next_look():
    async with data_bench(settings=LIMITED) as bench:
        await bench.market_data.fetch_market()
        roster = bench.running.gateway.parts.roster
        (session,) = [each for each in roster if each.client_id == bench.data.settings.client_id]
        request = next(iter(bench.data.ib.wrapper.reqId2Ticker))
        session.send(error_message(request, 354, "Requested market data is not subscribed."))
        bench.move_to(AT + MINUTE)
        assert "SPX" in (await bench.market_data.fetch_market()).indices
        bench.move_to(AT + 2 * MINUTE)
        assert "SPX" in (await bench.market_data.fetch_market()).indices


async def test_data_that_ib_has_lost_is_asked_for_again():
    faults = plan(FaultKind.CONNECTIVITY_LOST, seconds=60, data_kept=False)
    async with data_bench(faults=faults) as bench:
        await same(bench)
        await bench.running.pass_time(minutes=1)
        with pytest.raises(BrokerUnavailable, match="1100"):
            await bench.market_data.fetch_market()
        await bench.running.pass_time(minutes=2)
        await same(bench)


async def test_a_connection_lost_while_subscribing_is_no_market():
    async with data_bench() as bench:
        await bench.data.ready()
        lost = bench.data.fence

        async def fence() -> None:
            if len(bench.market_data._streams.tickers) > 0:
                bench.data.disconnect()
            await lost()

        bench.data.fence = fence  # type: ignore[method-assign]
        with pytest.raises(BrokerUnavailable, match="lost while a chain was subscribed"):
            await bench.market_data.fetch_market()
        bench.data.fence = lost  # type: ignore[method-assign]
        await same(bench)
        again = bench.trading.fence

        async def break_it() -> None:
            bench.trading.disconnect()
            await again()

        bench.move_to(AT + MINUTE)  # the look at the chain does not tell any more
        await bench.trading.ready()
        bench.trading.fence = break_it  # type: ignore[method-assign]
        with pytest.raises(BrokerUnavailable, match="lost while legs were subscribed"):
            await bench.market_data.fetch_quotes([LEG])
        bench.trading.fence = again  # type: ignore[method-assign]
        assert await bench.market_data.fetch_quotes([LEG])


async def test_subscriptions_wait_for_what_the_throttle_lets_pass():
    settings = replace(EMBEDDED, lines=60)
    async with data_bench(settings=settings) as bench:
        paced = replace(bench.data.settings, requests_per_second=4)
        bench.data.settings = paced
        assert [len(each) for each in bench.market_data._streams._batches(range(25))] == [10, 10, 5]
        bench.data.settings = replace(paced, requests_per_second=0)
        assert [len(each) for each in bench.market_data._streams._batches(range(25))] == [25]
        assert [len(each) for each in bench.market_data._streams._batches([])] == []


async def test_a_closed_socket_costs_a_new_chain_and_nothing_else():
    faults = plan(FaultKind.SOCKET_CLOSED)
    async with data_bench(faults=faults) as bench:
        await same(bench)
        await bench.market_data.fetch_quotes([LEG])
        bench.move_to(AT + MINUTE)
        with suppress(BrokerUnavailable):  # closed in the middle of the question
            await bench.market_data.fetch_market()
        await same(bench)
        assert await bench.market_data.fetch_quotes([LEG])
