"""The futures curve: its state (R1), slope (S6), and how long either has lasted."""

import numpy as np

from strategies.model.memory import Curve
from strategies.model.quotes import FloatArray, IntArray
from strategies.signals.indicators import run_lengths, tidied, tidy
from strategies.signals.series import FuturesCurve

_CURVES = {1: Curve.BACKWARDATION, 0: Curve.FLAT, -1: Curve.CONTANGO}


def curve_signs(fraction: FloatArray, dead_band: float) -> IntArray:
    """Return +1 in backwardation, -1 in contango and 0 inside the dead band, its edges included.

    Shapes: (n,) -> (n,).
    Units: ``fraction`` is VX1 / VX2 - 1.
    Source: rule R1.
    """
    rounded = tidied(fraction)
    return (rounded > dead_band).astype(np.int64) - (rounded < -dead_band)


def curve_of(sign: int) -> Curve:
    """Return the curve that a sign of ``curve_signs`` stands for."""
    return _CURVES[sign]


def curve_at(fraction: float, dead_band: float) -> Curve:
    """Return what one reading of VX1 / VX2 - 1 says of the curve (R1)."""
    return curve_of(int(curve_signs(np.array([fraction]), dead_band)[0]))


def contango_closes(curve: FuturesCurve, dead_band: float) -> int:
    """Return how many closes in a row, up to the last, were in contango (R4, B11)."""
    signs = curve_signs(curve.fraction, dead_band)
    return int(run_lengths(signs)[-1]) if signs[-1] < 0 else 0


def deep_backwardation_lengths(curve: FuturesCurve, threshold: float) -> IntArray:
    """Return how many closes in a row were in backwardation above ``threshold`` at each close.

    Shapes: (n,).
    Source: rule R4.
    """
    is_deep = tidied(curve.fraction) > threshold
    return np.where(is_deep, run_lengths(is_deep.astype(np.int64)), 0)


def slopes(curve: FuturesCurve, vix: FloatArray) -> FloatArray:
    """Return (VX2 - VIX) / days to VX2's expiry, index points per day: (n,).

    Source: rule S6.
    """
    return (curve.vx2 - vix) / curve.vx2_days


def falling_days(curve: FuturesCurve, vix: FloatArray) -> int:
    """Return on how many days in a row, up to the last, the slope (S6) fell.

    On a day on which VX2 became another future the two slopes have different tenors, and a longer
    one is flatter by itself: such a day neither ends nor lengthens the run.
    """
    slope = slopes(curve, vix)
    days = 0
    for bar in range(len(slope) - 1, 0, -1):
        if curve.vx2_days[bar] > curve.vx2_days[bar - 1]:
            continue
        if tidy(slope[bar] - slope[bar - 1]) >= 0:
            break
        days += 1
    return days
