"""The wire inside the process: a simulated gateway, a loopback socket, and the real IB client.

Everything a paper account would go through is gone through, in virtual time: time stands still
while bytes are between the two ends.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta

from bot.app.ib_ports import IbAccess, IbEnd, connected
from bot.app.ports import Connect, Ports
from bot.brokers.ib.data_settings import IbDataSettings
from bot.brokers.ib.session_settings import IbSettings
from bot.clock import SystemClock, VirtualTimeLoop
from bot.exchange.exchange import Exchange
from bot.exchange.market import Market
from bot.exchange.paths import GRID_SECONDS
from bot.gateway.feed.settings import FeedSettings
from bot.gateway.gateway import Gateway
from bot.gateway.settings import GatewaySettings
from state.ledger import Ledger
from strategies.model.calendars import EXCHANGE_ZONE
from strategies.model.rules import Rules

_CLIENT_ID = 1


def over_the_wire(
    exchange: Exchange, clock: SystemClock, rules: Rules, lines: int | None
) -> Connect:
    """Return how to reach an exchange through a gateway of its own; see ``embedded``."""

    @asynccontextmanager
    async def connect(ledger: Ledger) -> AsyncIterator[Ports]:
        async with embedded(exchange, clock, rules, ledger, lines) as end:
            yield end.ports

    return connect


@asynccontextmanager
async def embedded(
    exchange: Exchange,
    clock: SystemClock,
    rules: Rules,
    ledger: Ledger | None,
    lines: int | None,
) -> AsyncIterator[IbEnd]:
    """Start a gateway in front of an exchange, and give our end of connections to it.

    Args:
        exchange: Where orders trade.
        clock: Virtual time.
        rules: They say which quotes matter where lines are few.
        ledger: The books; who only looks has none.
        lines: How many quotes the gateway streams at once; None = all there are.
    """
    market = exchange.market
    settings = GatewaySettings(  # no other limits, and no greeks: the bot works out its own
        messages_per_second=None,
        market_data_lines=lines,
        historical_per_ten_minutes=None,
        heir_client_id=_CLIENT_ID,  # of what was at work while the exchange had no gateway
        feed=FeedSettings(greeks=False),
    )
    gateway = Gateway(exchange, market.calendar, clock, settings)
    port = await gateway.start()
    access = IbAccess(
        settings=IbSettings(
            port=port, client_id=_CLIENT_ID, account=exchange.account_id, requests_per_second=0
        ),
        data=IbDataSettings(lines=lines, grid=timedelta(seconds=GRID_SECONDS), first_prices_s=0.0),
        calendar=market.calendar,
        first_session=market.first_session,
        rules=rules,
        rate=_Rates(market).rate,
        history_before=market.history,
        tops_up=False,
        progress=lambda _: None,  # it takes no time
    )
    try:
        async with connected(access, clock, ledger) as end:
            loop = asyncio.get_running_loop()
            assert isinstance(loop, VirtualTimeLoop), "a simulated run has virtual time"
            with loop.watch(lambda: in_flight(gateway, end)):
                yield end
    finally:
        await gateway.stop()


def in_flight(gateway: Gateway, end: IbEnd) -> bool:
    """Return whether one end has sent what the other has not received."""
    links = gateway.traffic()
    for session in (end.trading, end.data):
        ours = session.traffic()
        if ours is None or not ours.sent:
            continue
        theirs = links.get(ours.port)
        if theirs is None or (ours.sent, ours.received) != (theirs.received, theirs.sent):
            return True
    return False


class _Rates:
    """A market's rate, which is the same all session, and of which IB has no word."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._known: tuple[date, float] | None = None

    def rate(self, at: datetime) -> float:
        """Return the rate of an instant of session hours."""
        session = at.astimezone(EXCHANGE_ZONE).date()
        if self._known is None or self._known[0] != session:
            self._known = session, self._market.quotes_at(at).rate
        return self._known[1]
