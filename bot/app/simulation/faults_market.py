"""Faults D: market data and the calendar."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np

from bot.app.simulation.faults import Answer, Argument, Call
from bot.app.simulation.injectors import Injector, injects
from bot.errors import MarketDataMissing, OrderRejected
from strategies.model.errors import InvalidQuote
from strategies.model.fills import CashKind, CashMovement
from strategies.model.quotes import OptionChain
from strategies.model.snapshots import MarketQuotes

_SPIKE = 1.04


@injects("D1", weight=0.3, lasts_s=(60.0, 1800.0))
class StaleQuotes(Injector):
    """The feed stands still."""

    def after(self, call: Call, answer: Answer) -> Answer:
        """Give quotes the age they have."""
        if call.name in ("fetch_market", "fetch_quotes"):
            self.fire()
            return self.stage.aged(answer, minutes=6)
        return answer


@injects("D2", weight=0.5, lasts_s=(30.0, 900.0))
class CrossedMarket(Injector):
    """Bids above offers, on every second option."""

    def after(self, call: Call, answer: Answer) -> Answer:
        """Exchange bid and offer."""
        if call.name == "fetch_quotes":
            self.fire()
            crossed = sorted(answer)[::2]
            return answer | {
                symbol: replace(answer[symbol], bid=answer[symbol].ask, ask=answer[symbol].bid)
                for symbol in crossed
            }
        if call.name == "fetch_market":
            self.fire()
            return _with_chains(answer, _crossed)
        return answer


@injects("D3", weight=0.3, lasts_s=(30.0, 900.0))
class Sentinels(Injector):
    """NaN, -1 and the largest double where prices should be."""

    async def before(self, call: Call) -> None:
        """Be refused where values are parsed, as the adapter does."""
        if call.name == "fetch_market":
            self.fire()
            raise InvalidQuote("SPX chain: a bid is negative or not finite")

    def after(self, call: Call, answer: Answer) -> Answer:
        """Leave out what cannot be parsed."""
        if call.name == "fetch_quotes":
            self.fire()
            return {symbol: answer[symbol] for symbol in sorted(answer)[1::2]}
        return answer


@injects("D4", weight=0.7, lasts_s=(60.0, 3600.0))
class MissingStrikes(Injector):
    """Some strikes are not listed."""

    def after(self, call: Call, answer: Answer) -> Answer:
        """Leave out every third row."""
        if call.name == "fetch_market":
            self.fire()
            return _with_chains(answer, lambda chain: _rows(chain, 3))
        return answer


@injects("D5", weight=0.4, lasts_s=(60.0, 1800.0))
class ChainHalfLoaded(Injector):
    """Only the nearest series have arrived."""

    def after(self, call: Call, answer: Answer) -> Answer:
        """Leave out the later half."""
        if call.name == "fetch_market":
            self.fire()
            return _with_chains(answer, _first_half)
        return answer


class _IndexOff(Injector):
    """One index is told wrongly for a while."""

    index: str
    off_by: float

    def after(self, call: Call, answer: Answer) -> Answer:
        """Move it."""
        if call.name == "fetch_market" and self.index in answer.indices:
            self.fire()
            told = answer.indices[self.index]
            moved = replace(told, value=told.value * self.off_by)
            return replace(answer, indices={**answer.indices, self.index: moved})
        return answer


@injects("D6", weight=0.4, lasts_s=(60.0, 3600.0))
class IndexLags(_IndexOff):
    """The index stands where its options have long left."""

    index, off_by = "SPX", 1.05


@injects("D7", weight=0.4, lasts_s=(60.0, 3600.0))
class VolatilityDiverges(_IndexOff):
    """VIX and its futures and options tell different stories."""

    index, off_by = "VIX", 1.9


@injects("D8", weight=0.7, lasts_s=(1.0, 40.0))
class Spike(Injector):
    """One print of SPX and VIX is far off."""

    @classmethod
    def draw_arguments(cls, dice: np.random.Generator) -> dict[str, Argument]:
        """Return by how much."""
        return {"factor": round(float(_SPIKE ** dice.choice([-1, 1])), 4)}

    def after(self, call: Call, answer: Answer) -> Answer:
        """Move the indices for one look."""
        if call.name == "fetch_market":
            self.fire(ends=True)
            factor = self.fault.number("factor")
            indices = {
                name: replace(index, value=index.value * factor)
                for name, index in answer.indices.items()
            }
            return replace(answer, indices=indices)
        return answer


@injects("D9", weight=0.2, lasts_s=(300.0, 3600.0))
class MarketHalted(Injector):
    """Trading is halted everywhere: no quotes, and new orders are refused."""

    async def before(self, call: Call) -> None:
        """Refuse quotes and orders; cancels pass."""
        if call.name in ("fetch_market", "fetch_quotes"):
            self.fire()
            raise MarketDataMissing("trading is halted, market wide")
        if call.name == "submit":
            self.fire()
            raise OrderRejected("trading is halted, market wide")


@injects("D18", weight=0.8, waits=True)
class SettlementDelayed(Injector):
    """A settlement value is published late; until then the position stands and nothing is paid."""

    @classmethod
    def draw_arguments(cls, dice: np.random.Generator) -> dict[str, Argument]:
        """Return by how much."""
        return {"late_s": round(float(np.exp(dice.uniform(np.log(600), np.log(90_000)))))}

    def after(self, call: Call, answer: Answer) -> Answer:
        """Keep back what was settled since this began, in every answer alike."""
        late = self._late()
        if not late or self._is_published():
            return answer
        if call.name == "fetch_cash_movements":
            self.fire()
            return tuple(each for each in answer if each not in late)
        if call.name == "fetch_positions":
            self.fire()
            standing = {each.symbol: -each.quantity for each in late}
            return answer | {symbol: net for symbol, net in standing.items() if net}
        if call.name == "fetch_account":
            self.fire()
            unpaid = sum(each.amount_usd for each in late)
            return replace(answer, cash_usd=answer.cash_usd - unpaid)
        return answer

    def _is_published(self) -> bool:
        late_s = timedelta(seconds=self.fault.number("late_s"))
        self.is_over = self.fired_at is not None and self.stage.now() >= self.fired_at + late_s
        return self.is_over

    def _late(self) -> tuple[CashMovement, ...]:
        booked = self.stage.exchange.cash_movements(self.fault.at)
        return tuple(each for each in booked if each.kind is CashKind.SETTLEMENT)


def _with_chains(market: MarketQuotes, change: Any) -> MarketQuotes:  # noqa: ANN401
    return replace(
        market, spx_options=change(market.spx_options), vix_options=change(market.vix_options)
    )


def _crossed(chain: OptionChain) -> OptionChain:
    bid, ask = chain.bid.copy(), chain.ask.copy()
    bid[::2], ask[::2] = chain.ask[::2], chain.bid[::2]
    return replace(chain, bid=bid, ask=ask)


def _rows(chain: OptionChain, every: int) -> OptionChain:
    keep = np.arange(len(chain.strike)) % every != 0
    return _kept(chain, keep)


def _first_half(chain: OptionChain) -> OptionChain:
    return _kept(chain, chain.series_index <= len(chain.series) // 2)


def _kept(chain: OptionChain, keep: np.ndarray) -> OptionChain:
    numbers = np.unique(chain.series_index[keep])
    renumbered = np.searchsorted(numbers, chain.series_index[keep])
    return replace(
        chain,
        series=tuple(chain.series[int(number)] for number in numbers),
        series_index=renumbered,
        strike=chain.strike[keep],
        bid=chain.bid[keep],
        ask=chain.ask[keep],
    )
