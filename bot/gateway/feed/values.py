"""What one contract's ticks say at one instant."""

import math
from collections.abc import Sequence
from datetime import datetime
from decimal import ROUND_FLOOR, Decimal
from typing import Final

from bot.errors import MarketDataMissing
from bot.exchange.market import Market
from bot.gateway.contracts.listed import Listed
from bot.gateway.contracts.stands import stand_quote
from bot.gateway.contracts.symbols import SETTLEMENT_INDICES
from bot.gateway.feed.closes import Closes
from strategies.model.instruments import FutureContract, OptionContract
from strategies.model.quotes import Quote
from strategies.model.ticks import leg_tick

BID, ASK, LAST, CLOSE = range(4)
KINDS: Final = 4
NOBODY: Final = math.inf  # bids or offers here: IB says -1, size 0
NO_TICK: Final = -math.inf  # is ever sent of this kind for this contract

Ticks = tuple[float, float, float, float]  # bid, ask, last, close
Legs = Sequence[tuple[Listed, int]]  # with signed ratios: what one package holds

NOTHING_QUOTED: Final = Quote(bid=0.0, ask=0.0)
_PACKAGE_DECIMALS: Final = 5  # sums of prices on ticks
_SPX_OPTION_SIZE: Final = 25
_VIX_OPTION_SIZE: Final = 100
_FUTURE_SIZE: Final = 15
_STAND_SIZE: Final = 100


class Values:
    """Ticks of single contracts."""

    def __init__(self, market: Market, closes: Closes) -> None:
        self._market = market
        self._closes = closes

    def quote(self, listed: Listed, at: datetime) -> Quote:
        """Return what is bid and offered; 0 where nobody does."""
        if listed.instrument is not None:
            return self._market.quote(listed.instrument, at) or NOTHING_QUOTED
        if listed.stand_in is not None:
            return stand_quote(self._market, listed, at) or NOTHING_QUOTED
        return NOTHING_QUOTED

    def ticks(self, listed: Listed, legs: Legs, at: datetime, now: datetime) -> Ticks:
        """Return the values of a contract's ticks.

        Args:
            listed: The contract.
            legs: Of a package, else nothing.
            at: The instant of session hours whose quotes are shown.
            now: The instant whose last close is shown.
        """
        if legs:
            return self._package(legs, at)
        if listed.index is not None:
            value = self.index(listed.index, at)
            last = NO_TICK if value is None else value
            return NO_TICK, NO_TICK, last, self.close(listed, now)
        quote = self.quote(listed, at)
        return of_quote(listed, quote.bid, quote.ask, self.close(listed, now))

    def close(self, listed: Listed, at: datetime) -> float:
        """Return the last close, or ``NO_TICK``."""
        if listed.option is not None:
            return NO_TICK
        close = self._closes.of(listed, at)
        return NO_TICK if close is None else close

    def index(self, name: str, at: datetime) -> float | None:
        """Return an index, or None where it has no value; opening values are never streamed."""
        if name in SETTLEMENT_INDICES:
            return None
        try:
            return self._market.index_at(name, at)
        except MarketDataMissing:
            return None

    def _package(self, legs: Legs, at: datetime) -> Ticks:
        """Return what a package costs and brings, leg by leg at their own quotes."""
        bid = ask = 0.0
        for listed, ratio in legs:
            quote = self.quote(listed, at)
            if quote.ask <= 0:
                return NOBODY, NOBODY, NO_TICK, NO_TICK
            bid += ratio * (quote.bid if ratio > 0 else quote.ask)
            ask += ratio * (quote.ask if ratio > 0 else quote.bid)
        return round(bid, _PACKAGE_DECIMALS), round(ask, _PACKAGE_DECIMALS), NO_TICK, NO_TICK


def of_quote(listed: Listed, bid: float, ask: float, close: float) -> Ticks:
    """Return the ticks of what is bid and offered, 0 being nobody."""
    last = NO_TICK
    if 0 < bid <= ask and isinstance(listed.instrument, FutureContract):
        last = traded_price(listed.instrument, bid, ask)
    elif listed.stand_in is not None and listed.option is None:
        last = bid
    return bid or NOBODY, ask or NOBODY, last, close


def traded_price(contract: FutureContract, bid: float, ask: float) -> float:
    """Return where a future last traded: the mid, on a tick."""
    mid = (Decimal(repr(bid)) + Decimal(repr(ask))) / 2
    tick = leg_tick(contract, mid)
    return float((mid / tick).to_integral_value(ROUND_FLOOR) * tick)


def size_of(listed: Listed, legs: Legs) -> int:
    """Return how many contracts each quote is for: the same at all times, 0 of an index."""
    if legs:
        return max(1, min(size_of(leg, ()) // abs(ratio) for leg, ratio in legs))
    instrument = listed.instrument
    if isinstance(instrument, OptionContract):
        return _SPX_OPTION_SIZE if instrument.underlying == "SPX" else _VIX_OPTION_SIZE
    if instrument is not None:
        return _FUTURE_SIZE
    return 0 if listed.index is not None else _STAND_SIZE


def price_of(what: str, ticks: Ticks) -> float | None:
    """Return the price that IB's whatToShow names: TRADES, MIDPOINT, BID or ASK; None = none."""
    bid, ask, last, _ = ticks
    price = {"BID": bid, "ASK": ask, "TRADES": last}.get(what, NO_TICK)
    if what == "MIDPOINT" or (what == "TRADES" and last == NO_TICK):
        price = round((bid + ask) / 2, 5) if math.isfinite(bid) and math.isfinite(ask) else last
    return price if math.isfinite(price) else None
