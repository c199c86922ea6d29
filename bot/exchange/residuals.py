"""What spot VIX does not explain of a day of a VX future or of another volatility index.

Only its sum over the day is known. How it came about is drawn as a Brownian bridge from nought to
that sum: where the bridge is as wide as such sums are, what has been seen of one tells nothing of
what is still to come (``python -m benchmarks.intraday_paths``). The widths are measured; they grow
with the day's range of the VIX, as the sums do.
"""

import math
from typing import Final

import numpy as np

from bot.exchange.paths import Bar
from strategies.model.quotes import FloatArray

# Change of the log of an index per change of the log of VIX; daily, 2011-2022, see docs/market.md
ELASTICITIES: Final = {"VIX9D": 1.50, "VIX3M": 0.60, "VIX6M": 0.41, "VVIX": 0.57}

_SLOW_INDICES: Final = ("VIX3M", "VIX6M")
_PANIC_FROM: Final = 40.0  # residuals over 55 are 1.65 times those over 30, 2007-2026

FUTURE_GAP_SHARE: Final = 0.25  # of the variance of a future's residual; comes before the open
FUTURES_LIKENESS: Final = 0.85  # correlation of two futures' residuals
INDICES_LIKENESS: Final = 0.5  # of two indices' residuals, in logs

# Deviation of a future's residual over sqrt(range of VIX since the close before x that close),
# by days to expiry, 2011-2026
_FUTURE_DAYS: Final = (4.0, 18.0, 38.0, 53.0, 75.0, 105.0, 135.0, 165.0)
_FUTURE_DEVIATION: Final = (0.068, 0.062, 0.058, 0.058, 0.051, 0.048, 0.045, 0.043)
# Deviation of an index's residual over ln(high / low) of VIX, open to close, 2011-2026
_INDEX_DEVIATION: Final = {"VIX9D": 0.65, "VIX3M": 0.20, "VIX6M": 0.175, "VVIX": 0.33}


def future_deviation(days: float, vix: Bar, vix_before: float) -> float:
    """Return the usual size of a future's residual over one day, points.

    Args:
        days: Calendar days to its expiry.
        vix: The day's bar.
        vix_before: The close of the day before.
    """
    reach = max(vix.high, vix_before) - min(vix.low, vix_before)
    scale = float(np.interp(days, _FUTURE_DAYS, _FUTURE_DEVIATION))
    return scale * math.sqrt(reach * vix_before) * _panic(vix_before)


def index_deviation(name: str, vix: Bar) -> float:
    """Return the usual size of an index's residual from the open to the close, in logs."""
    panic = _panic(vix.open) if name in _SLOW_INDICES else 1.0
    return _INDEX_DEVIATION[name] * math.log(vix.high / vix.low) * panic


def _panic(vix: float) -> float:
    """Return how much farther than usual the curve strays when VIX is very high."""
    return max(1.0, vix / _PANIC_FROM)


def day_deviation(usual: FloatArray, residual: FloatArray) -> FloatArray:
    """Return the deviation of one day's bridges, given the usual ones and the day's residuals.

    Days differ in how far things stray, so a large residual speaks of a wild day. A bridge much
    narrower than its sum would be a straight line, and give the sum away.
    """
    deviation: FloatArray = np.sqrt((1.0 - _DAY_WEIGHT) * usual**2 + _DAY_WEIGHT * residual**2)
    return deviation


_DAY_WEIGHT: Final = 0.5


def share_known(clock: FloatArray, end: int, gap_share: float) -> FloatArray:
    """Return the share of a day's residual variance that has come about, (nodes,).

    It is ``gap_share`` at the open and 1 from node ``end`` on.
    """
    passed: FloatArray = np.minimum(clock / clock[end], 1.0)
    result: FloatArray = gap_share + (1.0 - gap_share) * passed
    return result


def bridges(rng: np.random.Generator, share: FloatArray, count: int, likeness: float) -> FloatArray:
    """Return standard Brownian bridges in the clock ``share``, (count, nodes).

    Each is nought at share 0, which lies before the first node if that one's share is above 0, and
    at share 1. Two of them have correlation ``likeness``.
    """
    steps = np.sqrt(np.diff(share, prepend=0.0))
    normals = rng.standard_normal((count + 1, len(share)))
    mixed = math.sqrt(likeness) * normals[0] + math.sqrt(1.0 - likeness) * normals[1:]
    walks = np.cumsum(mixed * steps, axis=1)
    result: FloatArray = walks - share * walks[:, -1:]
    return result
