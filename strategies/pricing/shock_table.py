"""The book under every combination of an SPX and a VIX move, in one pass: the shock table."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from strategies.model.book import CondorPosition, HedgePosition
from strategies.model.quotes import FloatArray
from strategies.pricing.shocks import holdings, shocked_prices
from strategies.pricing.valuation import Valuer

SPX_FRACTIONS = tuple(each / 1000 for each in range(-200, 101, 25))  # -20 % to +10 %
VIX_POINTS = tuple(each / 10 for each in range(-100, 301, 25))  # -10 to +30


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ShockTable:
    """Gains in USD, one row an SPX move and one column a VIX move: (g, v)."""

    spx_fraction: FloatArray  # (g,)
    vix_points: FloatArray  # (v,)
    condors_usd: FloatArray
    hedges_usd: FloatArray

    @property
    def book_usd(self) -> FloatArray:
        """Condors and hedges together."""
        both: FloatArray = self.condors_usd + self.hedges_usd
        return both

    def worst(self) -> tuple[float, float, float]:
        """Return the SPX fraction, the VIX points and the USD of the book's lowest gain."""
        book = self.book_usd
        row, column = np.unravel_index(int(np.argmin(book)), book.shape)
        return (
            float(self.spx_fraction[row]),
            float(self.vix_points[column]),
            float(book[row, column]),
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
    fractions = np.asarray(spx_fractions, dtype=np.float64)
    points = np.asarray(vix_points, dtype=np.float64)
    assert fractions.ndim == points.ndim == 1, "one axis each"
    condors_usd = _gains(valuer, condors, (), fractions, points)
    hedges_usd = _gains(valuer, (), hedges, np.zeros(1), points)
    if condors_usd is None or hedges_usd is None:
        return None
    return ShockTable(
        spx_fraction=fractions,
        vix_points=points,
        condors_usd=condors_usd,
        hedges_usd=np.broadcast_to(hedges_usd, (len(fractions), len(points))),
    )


def _gains(
    valuer: Valuer,
    condors: Sequence[CondorPosition],
    hedges: Sequence[HedgePosition],
    fractions: FloatArray,
    points: FloatArray,
) -> FloatArray | None:
    """Return gains in USD (g, v), or None if something cannot be priced."""
    held = holdings(valuer, condors, hedges)
    if held is None:
        return None
    gains = np.broadcast_to(held.futures_gain_usd(points), (len(fractions), len(points)))
    if held.terms is None:
        return gains
    base = shocked_prices(valuer, held.terms, 0.0, 0.0)
    moved = shocked_prices(valuer, held.terms, fractions[:, None, None], points[:, None])
    options: FloatArray = (moved - base) @ held.usd_per_point
    return gains + options
