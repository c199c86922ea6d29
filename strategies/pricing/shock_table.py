"""The book under every combination of an SPX and a VIX move: the shock table."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from strategies.model.book import CondorPosition, HedgePosition
from strategies.model.quotes import FloatArray
from strategies.pricing.repricing import Holding, Repricer, Shocks
from strategies.pricing.valuation import Valuer

SPX_FRACTIONS = tuple(each / 100 for each in range(-20, 11, 5))  # -20 % to +10 %
VIX_POINTS = tuple(float(each) for each in range(-10, 31, 5))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cell:
    """One shock of the table."""

    spx_fraction: float
    vix_points: float
    condors_usd: float  # a gain is > 0
    hedges_usd: float

    @property
    def book_usd(self) -> float:
        """Condors and hedges together."""
        return self.condors_usd + self.hedges_usd

    @property
    def coverage(self) -> float | None:
        """The hedges' gain over the condors' loss; < 0 where both lose, None without a loss."""
        return self.hedges_usd / -self.condors_usd if self.condors_usd < 0 else None

    def __str__(self) -> str:
        """Return ``SPX -20 %, VIX +10``."""
        return f"SPX {100 * self.spx_fraction:+g} %, VIX {self.vix_points:+g}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ShockTable:
    """Gains in USD, one row an SPX move and one column a VIX move: (g, v)."""

    shocks: Shocks
    condors_usd: FloatArray
    hedges_usd: FloatArray  # the same in every row

    @property
    def book_usd(self) -> FloatArray:
        """Condors and hedges together."""
        both: FloatArray = self.condors_usd + self.hedges_usd
        return both

    def worst(self) -> Cell:
        """Return where the book's gain is lowest; of equal ones to the cent, the first.

        Cells in which SPX and VIX move the same way are shown, but no hedge is judged by a crash
        that calms the market.
        """
        opposed = np.multiply.outer(self.shocks.spx_fraction, self.shocks.vix_points) <= 0
        assert opposed.any(), "a shock table has a cell in which SPX and VIX part"
        book = np.where(opposed, self.book_usd.round(2), np.inf)
        row, column = divmod(int(book.argmin()), book.shape[1])
        return Cell(
            spx_fraction=float(self.shocks.spx_fraction[row]),
            vix_points=float(self.shocks.vix_points[column]),
            condors_usd=float(self.condors_usd[row, column]),
            hedges_usd=float(self.hedges_usd[row, column]),
        )


def table_of(
    repricer: Repricer, shocks: Shocks, condors: Holding, hedges: Holding, grid: int = 0
) -> ShockTable:
    """Return the table of a book under ``shocks``, which are the repricer's ``grid``."""
    return ShockTable(
        shocks=shocks,
        condors_usd=repricer.gains_usd(condors, grid),
        hedges_usd=repricer.gains_usd(hedges, grid),
    )


def shock_table(
    valuer: Valuer,
    condors: Sequence[CondorPosition],
    hedges: Sequence[HedgePosition],
    spx_fractions: ArrayLike = SPX_FRACTIONS,
    vix_points: ArrayLike = VIX_POINTS,
) -> ShockTable | None:
    """Return the gains of condors and hedges under each pair of shocks, conventions of ``shocks``.

    None if something held cannot be priced. Condors move with both shocks, hedges with VIX alone.

    Shapes: ``spx_fractions`` (g,), ``vix_points`` (v,); none of them may be empty.
    """
    shocks = Shocks.of(spx_fractions, vix_points)
    repricer = Repricer(valuer, (shocks,))
    short, hedge = repricer.condors(condors), repricer.hedges(hedges)
    if short is None or hedge is None:
        return None
    return table_of(repricer, shocks, short, hedge)
