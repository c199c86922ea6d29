"""Benches: a broker, a clock that moves on request, and orders priced from its own quotes.

A card asks its bench for everything it needs, so the same cards run on every broker that has one.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from bot.brokers.simulated import SimulatedBroker, SimulatedMarketData
from bot.exchange.orders import NewOrder
from strategies.model.ids import ClientOrderId
from strategies.model.instruments import Instrument
from strategies.model.orders import (
    _APPROVAL_KEY,
    ApprovedOrder,
    Leg,
    OrderIntent,
    PositionEffect,
    Urgency,
)
from strategies.model.quotes import Quote
from strategies.model.ticks import order_tick, round_down, round_up
from tests.bot.exchange.venue.fakes import open_exchange, restless_market
from tests.builders import AT, leg


class ManualClock:
    """A clock that moves when it is told to, or when somebody sleeps."""

    def __init__(self, at: datetime) -> None:
        self._at = at.astimezone(UTC)

    def now(self) -> datetime:
        return self._at

    async def sleep(self, seconds: float) -> None:
        self._at += timedelta(seconds=seconds)

    def move_to(self, at: datetime) -> None:
        self._at = at.astimezone(UTC)


class SimulatedBench:
    """The simulated broker on a restless market, 10:00 on a quiet Monday."""

    starting_cash_usd = Decimal(1_000_000)

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self.clock = ManualClock(AT)
        self._attach()

    def _attach(self) -> None:
        exchange = open_exchange(
            restless_market(),
            starting_cash_usd=self.starting_cash_usd,
            journal_path=self._journal,
        )
        self.broker = SimulatedBroker(exchange, self.clock)
        self.market_data = SimulatedMarketData(exchange, self.clock)

    async def restart(self) -> None:
        """Replace the broker by that of a new process."""
        self._attach()
        await self.broker.connect()

    async def open(self) -> None:
        """Be ready for ``broker.connect``."""

    async def close(self) -> None:
        """Leave nothing behind."""

    async def trade_by_hand(self, legs: str, quantity: int, limit: Decimal, who: str) -> None:
        """Place an order that is not the bot's; ``who`` begins with liquidation if it is IB's."""
        self.broker._exchange.submit(
            NewOrder(
                client_order_id=ClientOrderId(who),
                legs=legs_of(legs),
                quantity=quantity,
                limit_price=limit,
            ),
            self.clock.now(),
        )

    async def price(self, legs: str, share: float) -> Decimal:
        """Return a limit so far between mid (0) and natural (1); rounded away from mid beyond 1."""
        quotes = await self.market_data.fetch_quotes([each.instrument for each in legs_of(legs)])
        return package_price(legs, share, lambda instrument: quotes[instrument.symbol])


def package_price(legs: str, share: float, quote_of: Callable[[Instrument], Quote]) -> Decimal:
    """Return a limit so far between mid (0) and natural (1); rounded away from mid beyond 1."""
    every = legs_of(legs)
    mid = natural = 0.0
    for each in every:
        quote = quote_of(each.instrument)
        mid += each.ratio * quote.mid
        natural += each.ratio * (quote.ask if each.ratio > 0 else quote.bid)
    price = Decimal(repr(round(mid + share * (natural - mid), 6)))
    tick = order_tick([each.instrument for each in every], price)
    return round_up(price, tick) if share >= 1 else round_down(price, tick)


def legs_of(text: str) -> tuple[Leg, ...]:
    """Return legs from literals divided by commas."""
    return tuple(leg(part.strip()) for part in text.split(","))


def approved(legs: str, quantity: int, limit: Decimal, *, attempt: int = 1) -> ApprovedOrder:
    """Return an approved hedge order; approval itself is not what the cards are about."""
    intent = OrderIntent(
        plan_id="plan",
        purpose="hedge:L1:card",
        legs=legs_of(legs),
        quantity=quantity,
        limit_price=limit,
        worst_price=limit,
        effect=PositionEffect.OPEN,
        urgency=Urgency.NORMAL,
        rules=("L1",),
        layer="L1",
        attempt=attempt,
    )
    return ApprovedOrder(intent=intent, approved_at=AT, key=_APPROVAL_KEY)
