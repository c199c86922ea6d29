"""Factor vega: everything in dollars per one point of spot VIX (rule book, section 1).

How far a VX future moves with spot VIX falls with its days to expiry (the Samuelson effect). The
table was measured on daily point moves of 2013-2026; between the middles of its buckets beta is
interpolated linearly in days, before the first it is that of the first, and after the last it
goes on falling as days^-0.57, the exponent of the power law fitted to the same data. A beta hedge
holds on average only: at 31-45 days one day's response ranges from 0.24 to 0.77 (10-90 %).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from strategies.model.quotes import FloatArray

VIX_DAYS = 30.0  # the tenor of spot VIX
_SHORTEST_TENOR_DAYS = 7.0
_FIT_SCALE = 0.52
_FIT_EXPONENT = -0.57


@dataclass(frozen=True, slots=True, kw_only=True)
class BetaTable:
    """Measured response of VX to one point of spot VIX, by days to expiry, ascending."""

    days: tuple[float, ...]
    beta: tuple[float, ...]

    def __post_init__(self) -> None:
        assert len(self.days) == len(self.beta) > 0, "one beta for each number of days"
        assert all(0 <= beta <= 1 for beta in self.beta), "a future moves less than spot"


# Middles of the buckets 1-7, 8-14, 15-21, 22-30, 31-45, 46-60, 61-90, 91-120, 121-150, 151-180 and
# 181-270 calendar days. Source: docs/market.md, "Beta of VX to spot VIX".
_BUCKET_DAYS = (4.0, 11.0, 18.0, 26.0, 38.0, 53.0, 75.5, 105.5, 135.5, 165.5, 225.5)
MEASURED_2013_2026 = BetaTable(
    days=_BUCKET_DAYS, beta=(0.69, 0.65, 0.56, 0.57, 0.46, 0.41, 0.32, 0.25, 0.22, 0.19, 0.16)
)
MEASURED_2021_2026 = BetaTable(
    days=_BUCKET_DAYS, beta=(0.72, 0.63, 0.58, 0.60, 0.48, 0.40, 0.32, 0.25, 0.22, 0.19, 0.16)
)


def spx_vega_weight(days: ArrayLike) -> FloatArray:
    """Return w(T) = sqrt(30 / max(T, 7)): vol points of a T-day SPX option per point of VIX."""
    tenor = np.maximum(np.asarray(days, dtype=np.float64), _SHORTEST_TENOR_DAYS)
    weight: FloatArray = np.sqrt(VIX_DAYS / tenor)
    return weight


def future_beta(days: ArrayLike, table: BetaTable = MEASURED_2013_2026) -> FloatArray:
    """Return the points a VX future moves per point of spot VIX; at most 1.

    Shapes: the result has the shape of ``days`` (calendar days to expiry).
    """
    days = np.asarray(days, dtype=np.float64)
    within = np.interp(days, table.days, table.beta)
    last = table.days[-1]
    beyond: FloatArray = within * (np.maximum(days, last) / last) ** _FIT_EXPONENT
    return beyond


def fitted_future_beta(days: ArrayLike) -> FloatArray:
    """Return the power law min(1, 0.52 (days / 30)^-0.57) fitted to the table from 20 days on."""
    days = np.maximum(np.asarray(days, dtype=np.float64), 1.0)
    return np.minimum(1.0, _FIT_SCALE * (days / VIX_DAYS) ** _FIT_EXPONENT)
