"""Prices for bars: what a contract was worth, asked at instants that have passed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from bot.errors import MarketDataMissing
from bot.exchange.market import Market
from bot.gateway.contracts.listed import Listed
from bot.gateway.contracts.stands import stand_value

_GRID: Final = timedelta(seconds=10)  # the market does not move in between
_SIDES: Final = frozenset(("TRADES", "MIDPOINT", "BID", "ASK", "BID_ASK", "ADJUSTED_LAST"))

Sides = tuple[float, float]  # bid and ask; equal for what has one price


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A bar without its date."""

    open: float
    high: float
    low: float
    close: float


class Prices:
    """Reads one contract's price in one of IB's views."""

    def __init__(self, market: Market, listed: Listed, shown: str) -> None:
        assert shown in _SIDES, f"{shown} was refused before"
        self._read = _reader(market, listed)
        self._shown = shown
        self.is_quoted = listed.instrument is not None  # asking for a quote takes a while

    def bar(self, start: datetime, end: datetime, samples: int) -> Shape | None:
        """Return the bar from ``start`` to ``end``, both included; None if there is no price."""
        step = max(_GRID, (end - start) / samples)
        sides = [
            found for at in _instants(start, end, step) if (found := self._read(at)) is not None
        ]
        if not sides:
            return None
        if self._shown == "BID_ASK":  # mean bid, highest ask, lowest bid, mean ask
            bids, asks = [bid for bid, _ in sides], [ask for _, ask in sides]
            return Shape(
                open=round(sum(bids) / len(bids), 5),
                high=max(asks),
                low=min(bids),
                close=round(sum(asks) / len(asks), 5),
            )
        values = [self._view(bid, ask) for bid, ask in sides]
        return Shape(open=values[0], high=max(values), low=min(values), close=values[-1])

    def _view(self, bid: float, ask: float) -> float:
        match self._shown:
            case "BID":
                return bid
            case "ASK":
                return ask
            case _:
                return bid if bid == ask else round((bid + ask) / 2, 5)


def shows(listed: Listed, shown: str) -> bool:
    """Return whether a contract has that view: indices and SET have no sides, pairs no trades.

    Options of stand-ins have no bars.
    """
    if listed.tenth_of is not None:
        return False
    if listed.index is not None:
        return shown == "TRADES"
    if listed.contract.sec_type == "CASH":
        return shown in _SIDES - {"TRADES", "ADJUSTED_LAST"}
    return shown in _SIDES


def _reader(market: Market, listed: Listed) -> Callable[[datetime], Sides | None]:
    def read_index(at: datetime) -> Sides | None:
        assert listed.index is not None
        try:
            value = market.index_at(listed.index, at)
        except MarketDataMissing:
            return None
        return value, value

    def read_quote(at: datetime) -> Sides | None:
        assert listed.instrument is not None
        try:
            quote = market.quote(listed.instrument, at)
        except MarketDataMissing:
            return None
        return None if quote is None or quote.ask <= 0 else (quote.bid, quote.ask)

    def read_stand(at: datetime) -> Sides | None:
        try:
            value = stand_value(market, listed, at)
        except MarketDataMissing:
            return None
        return value, value

    if listed.instrument is not None:
        return read_quote
    return read_index if listed.index is not None else read_stand


def _instants(start: datetime, end: datetime, step: timedelta) -> Iterator[datetime]:
    at = start
    while at < end:
        yield at
        at += step
    yield end
