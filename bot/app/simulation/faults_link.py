"""Faults B: the connection and the gateway."""

from bot.app.simulation.faults import Answer, Call
from bot.app.simulation.injectors import Injector, injects
from bot.errors import BrokerUnavailable, MarketDataMissing, OutcomeUnknown

_DEADLINE_S = 10.0  # after which the adapter gives up waiting for an answer


@injects("B1", weight=0.8, lasts_s=(5.0, 1800.0))
class LinkLost(Injector):
    """1100: the gateway has lost its servers; 1102: it has them back, and lost nothing."""

    async def before(self, call: Call) -> None:
        """Refuse everything."""
        self.fire()
        raise BrokerUnavailable(f"1100: connectivity lost; {call.name} was not sent")


@injects("B2", weight=0.3, lasts_s=(5.0, 1800.0))
class LinkAndStreamsLost(Injector):
    """1100, then 1101: what was subscribed is gone, and quotes come back later than the link."""

    async def before(self, call: Call) -> None:
        """Refuse orders for the first half, quotes for all of it."""
        half = self.fault.at + (self.fault.until - self.fault.at) / 2
        if call.is_wire and self.stage.now() >= half:
            return
        self.fire()
        if call.is_wire:
            raise BrokerUnavailable("1100: connectivity lost")
        raise MarketDataMissing("1101: no stream has ticked since the link is back")


@injects("B3", weight=0.05, lasts_s=(36000.0, 54000.0))
class StuckAtLogin(LinkLost):
    """1100 for ten hours and more: the gateway is stuck at its login."""


@injects("B4", weight=0.4, lasts_s=(20.0, 600.0))
class HalfOpenSocket(Injector):
    """Nothing arrives any more and nobody says so."""

    async def before(self, call: Call) -> None:
        """Answer nothing until the deadline."""
        self.fire()
        await self.stage.clock.sleep(_DEADLINE_S)
        if call.name in ("submit", "cancel"):
            raise OutcomeUnknown(f"no answer to {call.name} within {_DEADLINE_S:.0f} s")
        raise BrokerUnavailable(f"no answer to {call.name} within {_DEADLINE_S:.0f} s")


@injects("B7", weight=0.3, lasts_s=(60.0, 1800.0))
class CompetingSession(Injector):
    """Another session of the same login takes the market data."""

    async def before(self, call: Call) -> None:
        """Refuse quotes."""
        if call.name in ("fetch_market", "fetch_quotes"):
            self.fire()
            raise MarketDataMissing("10197: no market data during a competing live session")


@injects("B12", weight=0.6, lasts_s=(30.0, 600.0))
class NeverAnswered(Injector):
    """One question is never answered; the adapter's deadline is all that ends it."""

    async def before(self, call: Call) -> None:
        """Let the first question of this time wait for nothing."""
        if call.name.startswith("fetch"):
            self.fire(ends=True)
            await self.stage.clock.sleep(_DEADLINE_S)
            raise BrokerUnavailable(f"no answer to {call.name} within {_DEADLINE_S:.0f} s")


@injects("B13", weight=2, lasts_s=(60.0, 3600.0))
class OutOfOrder(Injector):
    """Answers arrive in another order, and three times."""

    def after(self, call: Call, answer: Answer) -> Answer:
        """Turn them round and repeat them."""
        if isinstance(answer, tuple) and answer and call.name.startswith("fetch"):
            self.fire()
            return answer[::-1] * 3
        return answer


@injects("B14", weight=0.6, lasts_s=(30.0, 1800.0))
class DataFarmDown(Injector):
    """2103: the market data farm is down, orders and account go on."""

    async def before(self, call: Call) -> None:
        """Refuse quotes."""
        if call.name in ("fetch_market", "fetch_quotes"):
            self.fire()
            raise MarketDataMissing("2103: market data farm connection is broken")


@injects("B15", weight=0.3, lasts_s=(60.0, 3600.0))
class DelayedData(Injector):
    """Quotes are fifteen minutes old, and nobody says so but their time."""

    def after(self, call: Call, answer: Answer) -> Answer:
        """Give quotes the age they have."""
        if call.name in ("fetch_market", "fetch_quotes"):
            self.fire()
            return self.stage.aged(answer, minutes=15)
        return answer
