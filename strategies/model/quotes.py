"""Quotes, in columns: option chains and futures as they stood at one instant."""

import math
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final

import numpy as np
from numpy.typing import NDArray

from strategies.model.errors import InvalidQuote, MissingData
from strategies.model.instruments import FutureContract, OptionContract, Right

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

PUT: Final = 0  # columns of OptionChain.bid and .ask
CALL: Final = 1
SECONDS_PER_YEAR: Final = 365.0 * 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Every strike of one root and expiry, with the two instants that matter."""

    root: str
    expiry: date
    last_trade_at: datetime  # no order may be in the market later than this
    settles_at: datetime  # when the settlement value is taken; pricing runs to here

    def years_from(self, at: datetime) -> float:
        """Return the year fraction (365 days) from ``at`` to settlement."""
        return (self.settles_at - at).total_seconds() / SECONDS_PER_YEAR


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OptionChain:
    """All quoted options on one underlying: one row a strike, columns PUT and CALL.

    Rows of one series are contiguous and their strikes ascend. A price of 0 means that nobody
    quotes that side. Shapes: ``series_index`` and ``strike`` (m,); ``bid`` and ``ask`` (m, 2).

    Raises: InvalidQuote if a price is negative or not finite, or if shapes or order are wrong.
    """

    underlying: str
    series: tuple[Series, ...]  # ascending by expiry, then root
    series_index: IntArray  # (m,) into ``series``, ascending
    strike: FloatArray  # (m,) index points
    bid: FloatArray  # (m, 2) index points, 0 = no bid
    ask: FloatArray  # (m, 2) index points, 0 = no offer
    quoted_at: datetime  # when the oldest of these quotes was last known to be true

    def __post_init__(self) -> None:
        rows = len(self.strike)
        if self.series_index.shape != (rows,) or {self.bid.shape, self.ask.shape} != {(rows, 2)}:
            raise InvalidQuote(f"{self.underlying} chain: columns differ in length")
        for name, prices in (("bid", self.bid), ("ask", self.ask), ("strike", self.strike)):
            if not (np.isfinite(prices).all() and (prices >= 0).all()):
                raise InvalidQuote(f"{self.underlying} chain: a {name} is negative or not finite")
        steps = np.diff(self.series_index)
        if (steps < 0).any() or (np.diff(self.strike)[steps == 0] <= 0).any():
            raise InvalidQuote(f"{self.underlying} chain: rows are not in order")

    @property
    def row_starts(self) -> IntArray:
        """The first row of each series, and one past the last row: (len(series) + 1,)."""
        return np.searchsorted(self.series_index, np.arange(len(self.series) + 1))

    def rows_of(self, series_index: int) -> slice:
        """Return the rows of one series."""
        starts = np.searchsorted(self.series_index, [series_index, series_index + 1])
        return slice(int(starts[0]), int(starts[1]))

    def find_series(self, root: str, expiry: date) -> int | None:
        """Return the index of a series, or None if it is not quoted."""
        for index, series in enumerate(self.series):
            if series.expiry == expiry and series.root == root:
                return index
        return None

    def find_row(self, contract: OptionContract) -> int | None:
        """Return the row of a contract, or None if it is not quoted."""
        series_index = self.find_series(contract.root, contract.expiry)
        if series_index is None:
            return None
        rows = self.rows_of(series_index)
        row = int(rows.start) + int(np.searchsorted(self.strike[rows], float(contract.strike)))
        if row == rows.stop or self.strike[row] != float(contract.strike):
            return None
        return row

    def quote(self, contract: OptionContract) -> "Quote":
        """Return the quote of one contract; raises MissingData if it is not in the chain."""
        row = self.find_row(contract)
        if row is None:
            raise MissingData(f"{contract} is not in the chain")
        column = PUT if contract.right is Right.PUT else CALL
        return Quote(bid=float(self.bid[row, column]), ask=float(self.ask[row, column]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """A bid and an offer in index points; 0 means nobody quotes that side."""

    bid: float
    ask: float
    quoted_at: datetime | None = None  # when it was last known to be true; None = nobody said

    @property
    def is_two_sided(self) -> bool:
        """Whether both sides are quoted and not crossed."""
        return 0 < self.bid <= self.ask

    @property
    def mid(self) -> float:
        """Half way between bid and ask; raises InvalidQuote unless offered and not crossed."""
        if not 0 <= self.bid <= self.ask or self.ask == 0:
            raise InvalidQuote(f"no mid of {self.bid} x {self.ask}")
        return (self.bid + self.ask) / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class FutureQuote:
    """One future as it stood: bid, ask and the settlement of the session before.

    Raises: InvalidQuote if bid or ask is negative or not finite; 0 means nobody quotes that side.
    """

    contract: FutureContract
    bid: float
    ask: float
    prior_settle: float
    last_trade_at: datetime
    settles_at: datetime
    quoted_at: datetime

    def __post_init__(self) -> None:
        if not (0 <= self.bid < math.inf and 0 <= self.ask < math.inf):
            raise InvalidQuote(f"{self.contract} is quoted {self.bid} x {self.ask}")

    @property
    def quote(self) -> Quote:
        """Its bid and ask."""
        return Quote(bid=self.bid, ask=self.ask)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexValue:
    """One index print (SPX, VIX, VVIX, VIX9D, VIX3M, VIX6M).

    Raises: InvalidQuote if it is infinite; NaN, zero and less are a print that nobody uses.
    """

    value: float
    quoted_at: datetime

    def __post_init__(self) -> None:
        if math.isinf(self.value):
            raise InvalidQuote(f"an index is {self.value}")


def to_price(points: float) -> Decimal:
    """Return a pricing float as an exact price in hundred-thousandths of a point."""
    return Decimal(repr(round(points, 5)))
