"""Market data lines, and where each of them finds its prices on a board."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import numpy as np

from bot.gateway.contracts.listed import Listed
from bot.gateway.contracts.tenths import tenth_asks, tenth_bids, tenth_computations
from bot.gateway.feed.board import NOT_THERE, Board, Roster, SeriesKey
from bot.gateway.feed.greeks import NOT_COMPUTED
from bot.gateway.feed.values import KINDS, NO_TICK, NOBODY, Legs, Values, size_of
from strategies.model.instruments import Right
from strategies.model.quotes import CALL, PUT, FloatArray, IntArray

FEW: Final = 24  # options that are cheaper to ask for one by one than the whole market


@dataclass(slots=True, eq=False)
class Line:
    """One contract one client watches."""

    req_id: int
    listed: Listed
    legs: Legs = ()  # of a package
    generics: frozenset[int] = frozenset()
    wants_greeks: bool = True
    is_open: bool = True
    size: int = field(init=False)

    def __post_init__(self) -> None:
        self.size = size_of(self.listed, self.legs)

    @property
    def is_option(self) -> bool:
        """Whether it is a single option."""
        return self.listed.option is not None


class Arrangement:
    """Lines in an order, with what is needed to find their prices in one go."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.lines = lines
        self.req_ids: IntArray = np.array([line.req_id for line in lines], dtype=np.int64)
        self.sizes: IntArray = np.array([line.size for line in lines], dtype=np.int64)
        self.options = np.array(
            [number for number, line in enumerate(lines) if line.is_option], dtype=np.int64
        )
        self.singles = [(number, line) for number, line in enumerate(lines) if not line.is_option]
        self.spoken = [(number, line) for number, line in enumerate(lines) if line.generics]
        self._tenths = np.array(
            [line.listed.tenth_of is not None for line in lines], dtype=np.bool_
        )  # priced a tenth of what the board says
        self._groups = _grouped(lines)
        self._roster: Roster | None = None
        self._places = np.zeros(len(lines), dtype=np.int64)

    def places(self, roster: Roster) -> IntArray:
        """Return the place of each line on boards of a roster, (n,)."""
        if self._roster is not roster:
            self._roster = roster
            for key, (numbers, strikes, columns) in self._groups.items():
                self._places[numbers] = roster.places(key, strikes, columns)
        return self._places

    def ticks(self, values: Values, board: Board | None, at: datetime, now: datetime) -> FloatArray:
        """Return bid, ask, last and close of each line, (n, 4).

        Args:
            values: Where single contracts are asked for.
            board: The market at ``at``; None = every contract is asked for by itself.
            at: An instant of session hours.
            now: The instant whose last closes are shown.
        """
        ticks = np.full((len(self.lines), KINDS), NO_TICK)
        for number, line in self.singles:
            ticks[number] = values.ticks(line.listed, line.legs, at, now)
        alone = self.options
        if board is not None:
            places = self.places(board.roster)[self.options]
            prices = np.stack([board.bid[places], board.ask[places]], axis=1)
            if self._tenths.any():
                rows = self._tenths[self.options]
                prices[rows, 0] = tenth_bids(prices[rows, 0])
                prices[rows, 1] = tenth_asks(prices[rows, 1])
            ticks[self.options, :2] = np.where(prices > 0, prices, NOBODY)
            alone = self.options[places == NOT_THERE]
        for number in alone.tolist():
            ticks[number] = values.ticks(self.lines[number].listed, (), at, now)
        return ticks

    def computed(self, board: Board, options: IntArray) -> FloatArray:
        """Return the option computations of some lines by number, (n, 3, 8)."""
        places = self.places(board.roster)[options]
        known = board.computations.table[:, places].transpose(1, 0, 2)
        rows = self._tenths[options]
        if rows.any():
            known[rows] = tenth_computations(known[rows], np.array(NOT_COMPUTED))
        return known

    def closes(self, values: Values, now: datetime) -> FloatArray:
        """Return what is left to say when nothing is quoted: the closes, (n, 4)."""
        ticks = np.full((len(self.lines), KINDS), NO_TICK)
        for number, line in self.singles:
            if not line.legs:
                ticks[number, -1] = values.close(line.listed, now)
        return ticks


def _grouped(lines: Sequence[Line]) -> dict[SeriesKey, tuple[IntArray, FloatArray, IntArray]]:
    """Return the options by series: their numbers, strikes and columns."""
    groups: defaultdict[SeriesKey, list[tuple[int, float, int]]] = defaultdict(list)
    for number, line in enumerate(lines):
        contract = line.listed.option
        if contract is not None:
            column = PUT if contract.right is Right.PUT else CALL
            entry = (number, float(contract.strike), column)
            groups[contract.root, contract.expiry].append(entry)
    return {
        key: (
            np.array([each[0] for each in entries], dtype=np.int64),
            np.array([each[1] for each in entries]),
            np.array([each[2] for each in entries], dtype=np.int64),
        )
        for key, entries in groups.items()
    }
