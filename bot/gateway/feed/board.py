"""The whole market at one instant as flat columns, and where each contract stands in them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property

import numpy as np

from bot.gateway.feed.greeks import Computations, compute
from strategies.model.instruments import FutureContract
from strategies.model.quotes import FloatArray, IntArray, OptionChain
from strategies.model.snapshots import MarketQuotes

SeriesKey = tuple[str, date]  # root and expiry

NOT_THERE = 0  # the place of what is not on the board


@dataclass(frozen=True, slots=True, eq=False)
class Roster:
    """Where contracts stand: first nothing, then SPX options, VIX options and futures.

    The put of a row of a chain comes before its call. A roster lasts until the listing changes.
    """

    starts: Mapping[SeriesKey, tuple[int, FloatArray]]  # place of the first put, strikes
    futures: Mapping[FutureContract, int]

    def places(self, key: SeriesKey, strikes: FloatArray, columns: IntArray) -> IntArray:
        """Return the places of options of one series; ``NOT_THERE`` where it has no such row."""
        if key not in self.starts:
            return np.zeros(len(strikes), dtype=np.int64)
        start, listed = self.starts[key]
        row = np.searchsorted(listed, strikes)
        is_there = listed[np.minimum(row, len(listed) - 1)] == strikes
        result: IntArray = np.where(is_there, start + 2 * row + columns, NOT_THERE)
        return result


class Board:
    """Bids and asks of one instant by place, 0 where nobody quotes, and what follows from them."""

    def __init__(self, quotes: MarketQuotes, roster: Roster) -> None:
        self.quotes = quotes
        self.roster = roster
        zero = np.zeros(1)
        chains = (quotes.spx_options, quotes.vix_options)
        futures = quotes.futures
        self.bid = np.concatenate(
            [zero, *(each.bid.ravel() for each in chains), [each.bid for each in futures]]
        )
        self.ask = np.concatenate(
            [zero, *(each.ask.ravel() for each in chains), [each.ask for each in futures]]
        )

    @property
    def quoted_at(self) -> datetime:
        """When these quotes were last known to be true."""
        return self.quotes.spx_options.quoted_at

    @cached_property
    def computations(self) -> Computations:
        """Implied vols and greeks of every option, by place."""
        return compute(self.quotes, self.bid, self.ask)


class Boards:
    """Makes boards; contracts keep their places while the listing stays."""

    def __init__(self) -> None:
        self._listing: tuple[object, ...] = ()
        self._roster = Roster({}, {})
        self._board: Board | None = None

    def of(self, quotes: MarketQuotes) -> Board:
        """Return the board of a market; of the same market the same board."""
        if self._board is not None and self._board.quotes is quotes:
            return self._board
        self._board = Board(quotes, self._roster_of(quotes))
        return self._board

    def _roster_of(self, quotes: MarketQuotes) -> Roster:
        spx, vix = quotes.spx_options, quotes.vix_options
        contracts = tuple(each.contract for each in quotes.futures)
        listing = (spx.series, vix.series, contracts)
        if (
            self._listing[:3] != listing
            or not _same(self._listing[3], spx.strike)
            or not _same(self._listing[4], vix.strike)
        ):
            self._listing = (*listing, spx.strike, vix.strike)
            self._roster = _roster((spx, vix), contracts)
        return self._roster


def _same(known: object, column: FloatArray) -> bool:
    return known is column or (isinstance(known, np.ndarray) and np.array_equal(known, column))


def _roster(chains: Sequence[OptionChain], futures: Sequence[FutureContract]) -> Roster:
    starts: dict[SeriesKey, tuple[int, FloatArray]] = {}
    first = 1
    for chain in chains:
        rows = chain.row_starts.tolist()
        for series, start, stop in zip(chain.series, rows, rows[1:], strict=False):
            if stop > start:
                starts[series.root, series.expiry] = (first + 2 * start, chain.strike[start:stop])
        first += 2 * len(chain.strike)
    places = {contract: first + number for number, contract in enumerate(futures)}
    return Roster(starts=starts, futures=places)
