"""The data side on a real gateway: two connections of the real library, and the exchange itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from bot.app.ib_ports import appetite_of
from bot.brokers.ib.connection import IbSession
from bot.brokers.ib.data_settings import IbDataSettings
from bot.brokers.ib.history import DailyBars, IbHistory
from bot.brokers.ib.market_data import IbMarketData
from bot.brokers.ib.qualifier import Qualifier
from bot.brokers.ib.session_settings import IbSettings
from bot.exchange.paths import GRID_SECONDS
from bot.exchange.replay import ReplayMarket
from bot.gateway.faults import Faults
from bot.gateway.settings import GatewaySettings
from strategies.model.quotes import OptionChain
from strategies.model.rules import Rules
from strategies.model.snapshots import MarketQuotes
from tests.bot.gateway.running import ACCOUNT, FAST, Running, running_gateway
from tests.builders import AT

EMBEDDED = IbDataSettings(lines=None, grid=timedelta(seconds=GRID_SECONDS), first_prices_s=0.0)
APPETITE = appetite_of(Rules())


@dataclass(kw_only=True)
class DataBench:
    """A gateway, our two connections to it, and the port under test."""

    running: Running
    data: IbSession
    trading: IbSession
    qualifier: Qualifier
    bars: DailyBars
    market_data: IbMarketData
    progress: list[str]

    @property
    def now(self) -> datetime:
        return self.running.clock.now()

    def move_to(self, at: datetime) -> None:
        self.running.clock.move_to(at)

    def in_process(self) -> MarketQuotes:
        """What the exchange itself says now."""
        self.running.exchange.advance_to(self.now)
        return self.running.exchange.quotes_at(self.now)


@asynccontextmanager
async def data_bench(
    market: ReplayMarket | None = None,
    *,
    at: datetime = AT,
    settings: IbDataSettings = EMBEDDED,
    gateway: GatewaySettings = FAST,
    faults: Faults | None = None,
    tops_up: bool = False,
) -> AsyncIterator[DataBench]:
    """Start a gateway and connect to it twice."""
    async with running_gateway(market, at=at, settings=gateway, faults=faults) as running:
        asked = IbSettings(
            port=running.port, client_id=7, account=ACCOUNT, requests_per_second=0, answer_s=5.0
        )
        trading = IbSession(asked, running.clock)
        data = IbSession(asked.for_data(), running.clock)
        calendar = running.exchange.market.calendar
        qualifier = Qualifier(data, calendar)
        bars = DailyBars(data)
        progress: list[str] = []
        market_data = IbMarketData(
            data,
            trading,
            clock=running.clock,
            calendar=calendar,
            qualifier=qualifier,
            rate=lambda at: running.exchange.quotes_at(at).rate,
            history=IbHistory(
                bars, qualifier, calendar, running.exchange.market.history, tops_up=tops_up
            ),
            appetite=APPETITE,
            settings=settings,
            progress=progress.append,
        )
        try:
            yield DataBench(
                running=running,
                data=data,
                trading=trading,
                qualifier=qualifier,
                bars=bars,
                market_data=market_data,
                progress=progress,
            )
        finally:
            data.disconnect()
            trading.disconnect()


def assert_same_market(found: MarketQuotes, expected: MarketQuotes) -> None:
    """Compare to the last digit, instants and their zones included."""
    assert found.at == expected.at
    assert list(found.indices.items()) == list(expected.indices.items())
    assert found.futures == expected.futures
    assert found.rate == expected.rate
    assert_same_chain(found.spx_options, expected.spx_options)
    assert_same_chain(found.vix_options, expected.vix_options)


def assert_same_chain(found: OptionChain, expected: OptionChain) -> None:
    """Compare two chains row by row."""
    assert found.underlying == expected.underlying
    assert found.series == expected.series
    assert str(found.quoted_at) == str(expected.quoted_at)
    for name in ("series_index", "strike", "bid", "ask"):
        one, other = getattr(found, name), getattr(expected, name)
        assert one.dtype == other.dtype
        assert np.array_equal(one, other), name
