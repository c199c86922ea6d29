"""A real gateway over a replayed market, on a loopback port, with a clock that tests move."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache

from bot.calendars.build import build_calendar
from bot.exchange.exchange import Exchange
from bot.exchange.replay import ReplayMarket
from bot.gateway.faults import Faults
from bot.gateway.feed.settings import FeedSettings
from bot.gateway.gateway import Gateway
from bot.gateway.settings import GatewaySettings
from bot.history.store import History
from strategies.model.calendars import TradingCalendar
from tests.bot.brokers.benches import ManualClock
from tests.builders import AT
from tests.ib_client import IB

ACCOUNT = "DU0000001"
CASH = Decimal(1_000_000)
# no limits and no greeks, as a gateway inside the bot has it
FAST = GatewaySettings(
    messages_per_second=None,
    market_data_lines=None,
    historical_per_ten_minutes=None,
    feed=FeedSettings(greeks=False),
)


@cache
def trading_calendar() -> TradingCalendar:
    """Sessions of 2016 to 2022."""
    return build_calendar(date(2016, 1, 1), date(2022, 12, 31))


@cache
def spring_2020() -> ReplayMarket:
    """Real sessions from February to April 2020."""
    return ReplayMarket(
        History.bundled(),
        trading_calendar(),
        first=date(2020, 2, 3),
        last=date(2020, 4, 30),
        seed=7,
    )


@dataclass(kw_only=True)
class Running:
    """A gateway that listens, and what it was made of."""

    gateway: Gateway
    exchange: Exchange
    clock: ManualClock
    port: int = 0
    connected: list[IB] = field(default_factory=list)

    async def connect(self, client_id: int = 1, **arguments: object) -> IB:
        """Return an ib_insync client that is connected and synchronized."""
        ib = IB()
        ib.client.MaxRequests = 0  # its own throttle off
        await ib.connectAsync(
            "127.0.0.1", self.port, **({"clientId": client_id, "timeout": 4} | arguments)
        )
        self.connected.append(ib)
        return ib

    async def pass_time(self, to: datetime | None = None, **step: float) -> None:
        """Let messages arrive, move the clock to an instant or by a step, and pump."""
        await settle()
        self.clock.move_to(to or self.clock.now() + timedelta(**step))
        self.gateway.pump(self.clock.now())
        await settle()


@asynccontextmanager
async def running_gateway(
    market: ReplayMarket | None = None,
    *,
    at: datetime = AT,
    settings: GatewaySettings = FAST,
    faults: Faults | None = None,
    **exchange_changes: object,
) -> AsyncIterator[Running]:
    """Start a gateway at an instant; its clients and itself are gone afterwards.

    Args:
        market: Spring 2020, unless given.
        at: Where the clock stands, 10:00 on a quiet Monday.
        settings: Of the gateway.
        faults: What goes wrong.
        exchange_changes: Arguments of the exchange that are not the usual ones.
    """
    market = market or spring_2020()
    arguments = {"account_id": ACCOUNT, "starting_cash_usd": CASH, "seed": 7} | exchange_changes
    exchange = Exchange(market, **arguments)
    clock = ManualClock(at)
    gateway = Gateway(exchange, market.calendar, clock, settings, faults)
    running = Running(gateway=gateway, exchange=exchange, clock=clock)
    running.port = await gateway.start(0)
    try:
        yield running
    finally:
        for ib in running.connected:
            ib.disconnect()
        await gateway.stop()
        await settle()


async def settle(turns: int = 20) -> None:
    """Let bytes cross the loopback and be read at the other end."""
    for _ in range(turns):
        await asyncio.sleep(0)
    await asyncio.sleep(0.01)


def limited(**changes: object) -> GatewaySettings:
    """Return the settings of a gateway inside the bot with some limits on."""
    return replace(FAST, **changes)
