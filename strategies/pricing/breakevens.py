"""Where a condor stops making money: at expiry, today, and today under a VIX shock (rule C12)."""

from decimal import Decimal

import numpy as np

from strategies.model.book import CondorLegs
from strategies.model.quotes import FloatArray
from strategies.pricing.shocks import shocked_prices
from strategies.pricing.valuation import Valuer

_GRID_POINTS = 65
_REACH = 0.25  # SPX moves looked at, down and up, as a fraction
_STEP = 2 * _REACH / (_GRID_POINTS - 1)
_FINE_POINTS = 9  # inside the step that holds a break-even; straight lines between them


def expiry_breakevens(legs: CondorLegs, credit: Decimal) -> tuple[float, float]:
    """Return the SPX levels at which the condor neither gains nor loses at expiry.

    Units: ``credit`` and the result in index points.
    """
    return float(legs.short_put.strike - credit), float(legs.short_call.strike + credit)


def today_breakevens(
    legs: CondorLegs, credit: Decimal, valuer: Valuer, vix_shock: float = 0.0
) -> tuple[float | None, float | None]:
    """Return the SPX levels at which buying the condor back now would cost its credit.

    Model prices on the fitted surface moved as in ``shocks``, VIX ``vix_shock`` points higher.
    The levels bound the region around the best outcome; None on a side where the condor gains as
    far as 25 % from here, and on both sides if it gains nowhere or cannot be priced.

    Units: index points.
    """
    terms = valuer.terms([contract for contract, _ in legs.signed()])
    spx = valuer.market.indices.get("SPX")
    if terms is None or spx is None:
        return None, None
    signs = np.array([float(sign) for _, sign in legs.signed()])

    def gain(fraction: FloatArray) -> FloatArray:
        prices = shocked_prices(valuer, terms, fraction[:, None], vix_shock)
        gained: FloatArray = prices @ signs + float(credit)
        return gained

    grid = np.linspace(-_REACH, _REACH, _GRID_POINTS)
    gained = gain(grid)
    best = int(np.argmax(gained))
    if gained[best] <= 0:
        return None, None
    losing = np.flatnonzero(gained <= 0)
    lower, upper = losing[losing < best], losing[losing > best]
    sides = [int(lower[-1])] if len(lower) else []
    sides += [int(upper[0]) - 1] if len(upper) else []
    fine = grid[sides][:, None] + np.linspace(0.0, _STEP, _FINE_POINTS)
    values = gain(fine.ravel()).reshape(fine.shape)
    levels = [spx.value * (1.0 + _zero(*each)) for each in zip(fine, values, strict=True)]
    return (
        levels[0] if len(lower) else None,
        levels[-1] if len(upper) else None,
    )


def _zero(x: FloatArray, y: FloatArray) -> float:
    """Return where the straight pieces through (x, y) first meet zero."""
    left = int(np.flatnonzero(np.diff(np.sign(y)))[0])
    return float(x[left] - y[left] * (x[left + 1] - x[left]) / (y[left + 1] - y[left]))
