"""Where a condor stops making money: at expiry, today, and today under a VIX shock (rule C12)."""

import math
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import ArrayLike

from strategies.model.book import CondorLegs
from strategies.model.quotes import BoolArray, FloatArray, IntArray
from strategies.pricing.shocks import shocked_prices
from strategies.pricing.valuation import Valuer

_GRID_POINTS = 65
_REACH = 0.25  # SPX moves looked at, down and up, as a fraction
_STEP = 2 * _REACH / (_GRID_POINTS - 1)
_FINE_POINTS = 9  # inside the step that holds a break-even; straight lines between them
_GRID = np.linspace(-_REACH, _REACH, _GRID_POINTS)
_PLACES = np.arange(_GRID_POINTS)
_FINE = np.linspace(0.0, _STEP, _FINE_POINTS)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Breakevens:
    """SPX levels that bound the profit of a condor, one entry a VIX shock; all arrays (v,).

    NaN on a side without one: profit as far as was looked, or, where ``..._gains`` is false, none
    anywhere.
    """

    vix_points: FloatArray
    today_low: FloatArray
    today_high: FloatArray
    today_gains: BoolArray
    expiry_low: FloatArray
    expiry_high: FloatArray
    expiry_gains: BoolArray


def expiry_breakevens(legs: CondorLegs, credit: Decimal) -> tuple[float | None, float | None]:
    """Return the SPX levels nearest to the shorts, below and above, where the payoff is zero.

    The payoff is that at the shorts' expiry, each side at its own, longs at their intrinsic value:
    later longs are worth more. None on a side that keeps a profit all the way, because the credit
    exceeds what the side can cost, and on both sides if there is no credit. Beyond a ratio wing
    the payoff comes back to zero once more, far out; that level is not returned.

    Units: ``credit`` and the result in index points.
    """
    each = credit / legs.short_ratio
    low = float(legs.short_put.strike - each) if 0 < each < legs.put_width else None
    high = float(legs.short_call.strike + each) if 0 < each < legs.call_width else None
    return low, high


def shocked_breakevens(
    legs: CondorLegs,
    credit: Decimal,
    valuer: Valuer,
    vix_points: ArrayLike,
    hedge_points: ArrayLike = 0.0,
) -> Breakevens | None:
    """Return the break-evens of a condor, today and at expiry, under several VIX shocks at once.

    ``hedge_points``: what the hedge gains under each shock, in index points of one condor; the
    levels are then those of condor and hedge together, the hedge worth at the condor's expiry what
    it is worth right after the shock. Today's levels come from model prices on the fitted surface
    moved as in ``shocks`` and bound the region around the best outcome between the shorts, within
    25 % of the index; beyond a ratio wing there may be another. None if the condor or the index
    cannot be priced.

    Shapes: ``vix_points`` (v,), ``hedge_points`` (v,) or a scalar.
    Units: index points.
    """
    points = np.asarray(vix_points, dtype=np.float64)
    banked = np.broadcast_to(float(credit) + np.asarray(hedge_points), points.shape)
    today = _today(legs, banked, valuer, points)
    if today is None:
        return None
    levels, gains = today
    alive = banked > 0
    short_put, short_call = float(legs.short_put.strike), float(legs.short_call.strike)
    each = banked / legs.short_ratio
    below, above = each < float(legs.put_width), each < float(legs.call_width)
    return Breakevens(
        vix_points=points,
        today_low=levels[:, 0],
        today_high=levels[:, 1],
        today_gains=gains,
        expiry_low=np.where(alive & below, short_put - each, np.nan),
        expiry_high=np.where(alive & above, short_call + each, np.nan),
        expiry_gains=alive,
    )


def today_breakevens(
    legs: CondorLegs, credit: Decimal, valuer: Valuer, vix_shock: float = 0.0
) -> tuple[float | None, float | None]:
    """Return the SPX levels at which buying the condor back now would cost its credit.

    Model prices on the fitted surface moved as in ``shocks``, VIX ``vix_shock`` points higher.
    The levels bound the region around the best outcome between the shorts; None on a side where
    the condor gains as far as 25 % from here, and on both sides if it gains nowhere between the
    shorts or cannot be priced.

    Units: index points.
    """
    today = _today(legs, np.array([float(credit)]), valuer, np.array([vix_shock]))
    if today is None:
        return None, None
    low, high = today[0][0].tolist()
    return (None if math.isnan(low) else low), (None if math.isnan(high) else high)


def _today(
    legs: CondorLegs, banked: FloatArray, valuer: Valuer, points: FloatArray
) -> tuple[FloatArray, BoolArray] | None:
    """Return lower and upper levels (v, 2), NaN where none, and whether there is any gain (v,).

    ``banked`` (v,): points that buying the condor back may cost.
    """
    terms = valuer.terms([contract for contract, _ in legs.signed()])
    spx = valuer.market.indices.get("SPX")
    if terms is None or spx is None:
        return None
    signs = np.array([float(sign) for _, sign in legs.signed()])

    def gain(fraction: FloatArray) -> FloatArray:
        """Return the gain (v, g) at SPX moves (g,) or (v, g)."""
        prices = shocked_prices(valuer, terms, fraction[..., None], points[:, None, None])
        gained: FloatArray = prices @ signs + banked[:, None]
        return gained

    gained = gain(_GRID)
    between = _between_shorts(legs, spx.value)
    best = (between[0] + gained[:, between].argmax(axis=1))[:, None]
    losing = gained <= 0
    lower = np.where(losing & (best > _PLACES), _PLACES, -1).max(axis=1)
    upper = np.where(losing & (best < _PLACES), _PLACES, _GRID_POINTS).min(axis=1)
    gains: BoolArray = gained[:, between].max(axis=1) > 0
    sides = np.stack([lower, upper - 1], axis=1)
    known = gains[:, None] & (sides >= 0) & (sides < _GRID_POINTS - 1)
    fine = _GRID[np.where(known, sides, 0)][..., None] + _FINE
    values = gain(fine.reshape(len(points), -1)).reshape(-1, _FINE_POINTS)
    zeros = _zeros(fine.reshape(-1, _FINE_POINTS), values).reshape(known.shape)
    return np.where(known, spx.value * (1.0 + zeros), np.nan), gains


def _between_shorts(legs: CondorLegs, spot: float) -> IntArray:
    """Return the places of the grid between the shorts; the nearest one if none is."""
    low = float(legs.short_put.strike) / spot - 1.0
    high = float(legs.short_call.strike) / spot - 1.0
    between = np.flatnonzero((low <= _GRID) & (high >= _GRID))
    if len(between):
        return between
    return np.argsort(np.abs(_GRID - 0.5 * (low + high)), kind="stable")[:1]


def _zeros(x: FloatArray, y: FloatArray) -> FloatArray:
    """Return where the straight pieces through each row of (x, y) first meet zero."""
    signs = np.sign(y)
    left = (signs[:, 1:] != signs[:, :-1]).argmax(axis=1)
    row = np.arange(len(y))
    x0, x1, y0, y1 = x[row, left], x[row, left + 1], y[row, left], y[row, left + 1]
    rise = np.where(y1 == y0, 1.0, y1 - y0)  # equal only where there is no zero to find
    zeros: FloatArray = x0 - y0 * (x1 - x0) / rise
    return zeros
