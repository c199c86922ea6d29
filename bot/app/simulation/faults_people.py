"""Faults E: people, other programs, and the broker's own hand in the account."""

from abc import ABC, abstractmethod
from dataclasses import replace
from decimal import Decimal
from itertools import groupby
from typing import Final

from bot.app.simulation.faults import Answer, Call
from bot.app.simulation.injectors import Injector, injects
from bot.engine.control import Command, submit_command
from strategies.model.instruments import Instrument, OptionContract, Right, parse_symbol
from strategies.model.limits import HaltScope, SystemState
from strategies.model.orders import Leg
from strategies.model.quotes import OptionChain

_A_SPREAD: Final = 2  # legs


class _Trader(Injector, ABC):
    """Somebody trades the bot's account, once, when the market next answers."""

    who: str

    async def before(self, call: Call) -> None:
        """Trade when the market is open for sure: the bot asks for quotes."""
        if call.name == "fetch_market" and self.stage.is_open() and self.trade():
            self.fire(ends=True)

    @abstractmethod
    def trade(self) -> bool:
        """Send the order; False if there is nothing to trade."""

    def send(self, legs: tuple[Leg, ...], quantity: int) -> bool:
        """Send it to the exchange."""
        return self.stage.truth.trade(self.who, legs, quantity, self.stage.now())


@injects("E1", weight=0.15, waits=True)
class HalfClosed(_Trader):
    """The operator closes one side of a condor by hand."""

    who = "manual"

    def trade(self) -> bool:
        """Close the put or call spread of one expiry."""
        held = _options(self.stage.truth.exchange.positions())
        spreads = [legs for legs in _spreads(held) if len(legs) == _A_SPREAD]
        if not spreads:
            return False
        legs = spreads[0]
        quantity = min(abs(contracts) for _, contracts in legs)
        closing = tuple(
            Leg(instrument=each, ratio=-1 if contracts > 0 else 1) for each, contracts in legs
        )
        return self.send(closing, quantity)


@injects("E2", weight=0.07, waits=True)
class OtherClient(_Trader):
    """Another program buys an option in the same account."""

    who = "client"

    def trade(self) -> bool:
        """Buy one of the options the account holds, or the first VIX call that is quoted."""
        chain = self.stage.truth.exchange.quotes_at(self.stage.now()).vix_options
        row = len(chain.strike) // 2
        return self.send((Leg(instrument=_call_at(chain, row), ratio=1),), 1)


@injects("E3", weight=0.25, waits=True)
class Liquidated(_Trader):
    """The broker sells what it likes."""

    who = "liquidation"

    def trade(self) -> bool:
        """Sell half of a long VIX option."""
        held = _options(self.stage.truth.exchange.positions())
        longs = [each for each in held if each[0].underlying == "VIX" and each[1] > 1]
        if not longs:
            return False
        instrument, contracts = longs[0]
        return self.send((Leg(instrument=instrument, ratio=-1),), contracts // 2)


@injects("E21", weight=0.5, waits=True)
class HaltDuringSubmit(Injector):
    """The kill switch is pressed while an order is being sent."""

    async def before(self, call: Call) -> None:
        """Press it."""
        if call.name == "submit" and self.is_its_turn():
            self.fire(ends=True)
            command = Command(
                state=SystemState.HALTED,
                scope=HaltScope.ALL,
                reason="kill switch",
                by="simulated operator",
                at=self.stage.now(),
            )
            submit_command(self.stage.paths.control_dir, command)


@injects("E4", weight=0.5, lasts_s=(600.0, 36000.0))
class HouseMarginRaised(Injector):
    """The broker asks for more margin than before."""

    def after(self, call: Call, answer: Answer) -> Answer:
        """Leave nothing over once an order has filled."""
        if call.name != "preview":
            return answer
        self.fire()
        return replace(answer, excess_liquidity_after_usd=Decimal(-1))


def _options(positions: dict[str, int]) -> list[tuple[OptionContract, int]]:
    parsed = ((parse_symbol(symbol), net) for symbol, net in sorted(positions.items()))
    return [(each, net) for each, net in parsed if isinstance(each, OptionContract)]


def _spreads(held: list[tuple[OptionContract, int]]) -> list[list[tuple[Instrument, int]]]:
    def side(each: tuple[OptionContract, int]) -> tuple[str, str, str]:
        return each[0].root, str(each[0].expiry), each[0].right

    spx = sorted((each for each in held if each[0].underlying == "SPX"), key=side)
    return [list(group) for _, group in groupby(spx, key=side)]


def _call_at(chain: OptionChain, row: int) -> OptionContract:
    series = chain.series[int(chain.series_index[row])]
    strike = Decimal(str(chain.strike[row])).normalize()
    return OptionContract(series.root, series.expiry, Right.CALL, strike)
