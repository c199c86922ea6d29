"""How a run reaches its broker and its quotes: a context, because sockets live in a loop."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from bot.ports import Broker, MarketData
from state.ledger import Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What the engine talks to while it runs."""

    broker: Broker
    market_data: MarketData


Connect = Callable[[Ledger], AbstractAsyncContextManager[Ports]]


def standing(broker: Broker, market_data: MarketData) -> Connect:
    """Return how to reach what needs no connection."""

    @asynccontextmanager
    async def connect(_ledger: Ledger) -> AsyncIterator[Ports]:
        yield Ports(broker=broker, market_data=market_data)

    return connect
