"""Streams: what one client is subscribed to, and reading its tickers."""

import math
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from bot.brokers.ib.library import IB, Contract, Ticker, end_stream
from bot.ports import Clock
from strategies.model.quotes import Quote

_LOOK_AGAIN_S: Final = 0.05
_NO_PRICE: Final = 1e7  # points; IB spells an unset number 1.7976931348623157e308
_DELAYED: Final = 3  # asked for: live where there is live
LIVE: Final = 1  # market data types: 2 is frozen, 3 delayed, 4 delayed and frozen


def price(points: float) -> float:
    """Return a price IB sent; what it spells -1, 0, its unset double or not at all is 0."""
    return points if 0 < points < _NO_PRICE else 0.0


def quote_of(ticker: Ticker, at: datetime) -> Quote:
    """Return the bid and the offer of a ticker, known to be true at an instant."""
    return Quote(bid=price(ticker.bid), ask=price(ticker.ask), quoted_at=at)


def newest_tick(tickers: Iterable[Ticker]) -> datetime | None:
    """Return when the last tick of any of these came; None if there has been none."""
    return max((each.time for each in tickers if each.time is not None), default=None)


class Streams:
    """The market data subscriptions of one client.

    The library finds a ticker by the identity of its contract, so the contract objects must be the
    same all along; they are kept here beside their tickers.
    """

    def __init__(self, *, allows_delayed: bool = False) -> None:
        """Stream nothing yet.

        Args:
            allows_delayed: Whether IB may show delayed quotes where it shows no live ones.
        """
        self._allows_delayed = allows_delayed
        self._ib: IB | None = None
        self._tickers: dict[str, Ticker] = {}
        self._contracts: dict[str, Contract] = {}
        self._names: dict[int, str] = {}  # by the identity of the ticker

    def __len__(self) -> int:
        return len(self._tickers)

    def __contains__(self, name: str) -> bool:
        return name in self._tickers

    @property
    def tickers(self) -> Mapping[str, Ticker]:
        """The ticker of each name or symbol that is streamed."""
        return self._tickers

    def name_of(self, request_id: int) -> str | None:
        """Return what is streamed by a request; None if it is none of these streams."""
        if self._ib is None:
            return None
        ticker = self._ib.wrapper.reqId2Ticker.get(request_id)
        return None if ticker is None else self._names.get(id(ticker))

    def forget(self) -> None:
        """Take note that every subscription is gone: the connection or IB's data was lost."""
        for ticker in self._tickers.values():
            _blank(ticker)
        self._tickers.clear()
        self._contracts.clear()
        self._names.clear()
        self._ib = None

    def add(self, ib: IB, wanted: Mapping[str, Contract]) -> tuple[str, ...]:
        """Stream what is wanted beside what is streamed already; return what is new.

        Args:
            ib: The client; another one than before has no subscriptions.
            wanted: Contracts by name or symbol.
        """
        if ib is not self._ib:
            self.forget()
            self._ib = ib
            if self._allows_delayed:
                ib.reqMarketDataType(_DELAYED)
        new = tuple(name for name in wanted if name not in self._tickers)
        for name in new:
            ticker = self._tickers[name] = ib.reqMktData(wanted[name])
            self._names[id(ticker)] = name
            self._contracts[name] = wanted[name]
        return new

    def drop(self, names: Iterable[str]) -> None:
        """Stop streaming."""
        for name in names:
            assert self._ib is not None, "what is streamed was asked of a client"
            end_stream(self._ib, self._contracts.pop(name))
            ticker = self._tickers.pop(name)
            del self._names[id(ticker)]
            _blank(ticker)


async def first_prices(tickers: Iterable[Ticker], clock: Clock, within_s: float) -> None:
    """Wait until each ticker has a price of some kind, or has had time enough to get one."""
    waiting = list(tickers)
    deadline = clock.now() + timedelta(seconds=within_s)
    while waiting := [each for each in waiting if not _has_price(each)]:
        if clock.now() >= deadline:
            return
        await clock.sleep(_LOOK_AGAIN_S)


def _has_price(ticker: Ticker) -> bool:
    return not all(math.isnan(each) for each in (ticker.bid, ticker.ask, ticker.last))


def _blank(ticker: Ticker) -> None:
    """Clear what a stream has left: nobody who still has its ticker is to take it for a price."""
    ticker.time = None
    ticker.bid = ticker.ask = ticker.last = ticker.close = math.nan
    ticker.marketDataType = LIVE
