"""Where the whole book stops making money: condors alone and with the hedge, shocked or not (C12).

What a book has gained since it was opened: the credits received less what its condors cost to buy
back, and what its hedge is worth beyond its cost. Today's levels come from model prices on a grid
of SPX moves, a cubic through the four nearest points between them; those at expiry are exact, from
the strikes. Both bound the region around the best outcome between the outermost shorts, so that
what a ratio wing gains far out does not count. A VIX shock moves the surface and the hedge; it
matters to the levels at expiry through what the hedge gains by it.
"""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

import numpy as np

from strategies.model.book import CondorPosition, HedgePosition
from strategies.model.plan import BookBreakevens
from strategies.model.quotes import BoolArray, FloatArray
from strategies.pricing.repricing import Holding, Repricer, Shocks
from strategies.pricing.shocks import usual_spx_fraction

VIX_SHOCKS: Final = (0.0, 5.0, 8.0)  # none, and those of B1 and C12
# In steps of SPX's usual move for one VIX point, so that the usual move of each shock is among
# them: each of the first twelve (10.5 %), every other one beyond (to 21 %)
_STEPS: Final = (*range(-24, -12, 2), *range(-12, 13), *range(14, 25, 2))
PROFILE: Final = Shocks.of([-step * usual_spx_fraction(1.0) for step in _STEPS], VIX_SHOCKS)
_DIGITS = 2  # of a level: SPX is quoted in cents
_CUBIC = 4  # points that a cubic goes through
_HALVINGS = 20  # of a step: to a millionth

Edges = tuple[float | None, float | None]


def usual_loss_usd(gains_usd: FloatArray, vix_points: float) -> float:
    """Return the gain under a shock of ``VIX_SHOCKS`` with its usual SPX move.

    Shapes: ``gains_usd`` (g, v) of the profile.
    """
    return float(gains_usd[_STEPS.index(-vix_points), VIX_SHOCKS.index(vix_points)])


def book_breakevens(
    repricer: Repricer,
    condors: Sequence[CondorPosition],
    hedges: Sequence[HedgePosition],
    *,
    short: Holding,
    hedge: Holding,
    short_gains_usd: FloatArray,
    hedge_gains_usd: FloatArray,
    spx: float,
) -> tuple[BookBreakevens, ...]:
    """Return the break-evens of condors alone and of the book, today and under each shock.

    Args:
        repricer: What knows the model prices.
        condors: What is held; without condors there is nothing to break even.
        hedges: What insures them.
        short: The condors in the repricer's columns.
        hedge: The hedges in its columns.
        short_gains_usd: What the condors gain under the profile, (g, v).
        hedge_gains_usd: What the hedges gain, (g, v).
        spx: The index.
    """
    if not condors:
        return ()
    credit = float(sum(100 * each.quantity * each.entry_credit for each in condors))
    paid = float(
        sum(each.net_contracts * each.instrument.multiplier * each.average_cost for each in hedges)
    )
    short_now = repricer.value_usd(short) + credit
    hedge_now = repricer.value_usd(hedge) - paid
    levels = spx * (1.0 + PROFILE.spx_fraction)
    inside = _between_shorts(condors, levels)
    kinks, paid_at_kinks = repricer.at_expiry_usd(short)
    kinks_inside = _between_shorts(condors, kinks)
    rows = []
    for is_hedged in (False, True):
        for column, points in enumerate(VIX_SHOCKS):
            banked = hedge_gains_usd[:, column] + hedge_now if is_hedged else np.zeros(len(levels))
            today = _grid_edges(levels, short_gains_usd[:, column] + short_now + banked, inside)
            expiry = _piecewise_edges(kinks, paid_at_kinks + credit + banked[0], kinks_inside)
            rows.append(
                BookBreakevens(
                    vix_points=points,
                    hedged=is_hedged,
                    today_low=_shown(today[0]),
                    today_high=_shown(today[1]),
                    expiry_low=_shown(expiry[0]),
                    expiry_high=_shown(expiry[1]),
                )
            )
    return tuple(rows)


def _between_shorts(condors: Sequence[CondorPosition], levels: FloatArray) -> BoolArray:
    low = min(float(each.legs.short_put.strike) for each in condors)
    high = max(float(each.legs.short_call.strike) for each in condors)
    inside: BoolArray = (levels >= low) & (levels <= high)
    return inside if inside.any() else np.ones(len(levels), dtype=np.bool_)


def _sides(gained: FloatArray, inside: BoolArray) -> tuple[int | None, int | None] | None:
    """Return the losing places nearest to the best one below and above; None without a gain."""
    best = int(np.where(inside, gained, -np.inf).argmax())
    if gained[best] <= 0:
        return None
    losing = np.flatnonzero(gained <= 0).tolist()
    place = bisect_left(losing, best)
    return (
        losing[place - 1] if place > 0 else None,
        losing[place] if place < len(losing) else None,
    )


def _piecewise_edges(levels: FloatArray, gained: FloatArray, inside: BoolArray) -> Edges:
    """Return where the straight pieces through (levels, gained) meet zero."""
    sides = _sides(gained, inside)
    if sides is None:
        return None, None

    def zero(losing: int, gaining: int) -> float:
        share = gained[losing] / (gained[losing] - gained[gaining])
        return float(levels[losing] + share * (levels[gaining] - levels[losing]))

    low, high = sides
    return (
        None if low is None else zero(low, low + 1),
        None if high is None else zero(high, high - 1),
    )


def _grid_edges(levels: FloatArray, gained: FloatArray, inside: BoolArray) -> Edges:
    """Return where the smooth curve through (levels, gained) meets zero."""
    sides = _sides(gained, inside)
    if sides is None:
        return None, None
    low, high = sides
    return (
        None if low is None else _cubic_zero(levels, gained, low, low + 1),
        None if high is None else _cubic_zero(levels, gained, high, high - 1),
    )


def _cubic_zero(levels: FloatArray, gained: FloatArray, losing: int, gaining: int) -> float:
    """Return the zero between two neighbours of the cubic through them and their neighbours."""
    first = min(max(min(losing, gaining) - 1, 0), len(levels) - _CUBIC)
    start, step = float(levels[losing]), float(levels[gaining] - levels[losing])
    x = ((levels[first : first + _CUBIC] - start) / step).tolist()
    y = gained[first : first + _CUBIC].tolist()
    # Newton's divided differences
    c1 = [(y[n + 1] - y[n]) / (x[n + 1] - x[n]) for n in range(3)]
    c2 = [(c1[n + 1] - c1[n]) / (x[n + 2] - x[n]) for n in range(2)]
    c3 = (c2[1] - c2[0]) / (x[3] - x[0])
    low, high = 0.0, 1.0  # from the losing to the gaining neighbour
    for _ in range(_HALVINGS):
        u = 0.5 * (low + high)
        value = y[0] + (u - x[0]) * (c1[0] + (u - x[1]) * (c2[0] + (u - x[2]) * c3))
        if value > 0:
            high = u
        else:
            low = u
    return start + 0.5 * (low + high) * step


def _shown(level: float | None) -> float | None:
    return None if level is None else round(level, _DIGITS)
