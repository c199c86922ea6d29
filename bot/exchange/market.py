"""The simulated market as the exchange sees it: a pure function of (seed, session, instant).

Two markets keep this protocol: ``ReplayMarket`` (real sessions) and ``SyntheticMarket`` (a
stochastic world). Asking twice, in any order and from any process, gives the same numbers.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bot.ports import DailyCloses
from strategies.model.calendars import TradingCalendar
from strategies.model.instruments import FutureContract, Instrument, OptionContract
from strategies.model.quotes import FloatArray, Quote
from strategies.model.snapshots import DailyHistory, MarketQuotes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DailyBars:
    """The daily bars of one index, oldest first; arrays (n,). NaN: the vendor does not tell."""

    day: NDArray[np.datetime64]  # datetime64[D], ascending
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray


class Market(Protocol):
    """What the exchange and the simulated data feed need to know of a market."""

    @property
    def calendar(self) -> TradingCalendar:
        """Every session the market knows, with some before and after the tradable range."""
        ...

    @property
    def first_session(self) -> date:
        """The first session on which the market quotes."""
        ...

    @property
    def last_session(self) -> date:
        """The last session on which the market quotes."""
        ...

    def quotes_at(self, at: datetime, extra: Collection[OptionContract] = ()) -> MarketQuotes:
        """Return the whole market at an instant of session hours.

        Args:
            at: An aware instant between a session's open and its close, both included.
            extra: Valid contracts to quote beside the listed ones, such as positions whose
                strikes the market has since left behind. Duplicates and expired ones are ignored.

        Raises: MarketDataMissing outside session hours or outside the market's range.
        """
        ...

    def quote(self, instrument: Instrument, at: datetime) -> Quote | None:
        """Return one instrument's quote, equal to that of ``quotes_at`` to the last digit.

        Any valid strike of a listed series is priced. None means that nobody quotes it: it has
        stopped trading, or is not listed.

        Raises: MarketDataMissing outside session hours or outside the market's range.
        """
        ...

    def index_at(self, name: str, at: datetime) -> float:
        """Return SPX, VIX, VVIX, VIX9D, VIX3M or VIX6M in index points.

        Raises: MarketDataMissing.
        """
        ...

    def settlement_value(self, instrument: Instrument) -> float:
        """Return what an expiring instrument settles to, in index points of its underlying.

        The official close for SPXW, the opening (SET) for SPX, the VIX opening (VRO) for VIX
        options and futures.

        Raises: MarketDataMissing.
        """
        ...

    def daily_settle(self, contract: FutureContract, session: date) -> float:
        """Return the daily settlement of a future, index points; raises MarketDataMissing."""
        ...

    def history(self, before: date) -> DailyHistory:
        """Return completed daily bars of sessions strictly before ``before``."""
        ...

    def closes(self, name: str, before: date) -> DailyCloses | None:
        """Return the closes of an index on sessions strictly before ``before``; None if unknown."""
        ...

    def daily_bars(self, name: str, before: date) -> DailyBars | None:
        """Return the bars of an index on sessions strictly before ``before``; None if unknown."""
        ...
