"""Advance-decline divergence: the index near its high while fewer stocks follow (S5)."""

import numpy as np
import talib

from strategies.model.quotes import BoolArray, FloatArray
from strategies.signals.indicators import YEAR_BARS, tidied, trailing_sd_before


def breadth_bars(window: int) -> int:
    """Return how many bars of breadth S5 needs."""
    return YEAR_BARS + window + 1


def is_near_high(closes: FloatArray, *, window: int, within: float) -> BoolArray:
    """Return where a close is within a fraction of the highest of the last ``window`` closes.

    Shapes: (n,) -> (n,), False before there are ``window`` bars.
    Source: rule S5.
    """
    return tidied(1 - closes / talib.MAX(closes, window)) <= within


def is_breadth_lagging(net_breadth: FloatArray, *, window: int, sigmas: float) -> BoolArray:
    """Return where the cumulative advance-decline line is far below its own high.

    The line is the running sum of net breadth. Far is more than ``sigmas`` standard deviations of
    the line's change over ``window`` days, taken over the 252 such changes before the bar, below
    the highest of its last ``window`` values.

    Shapes: (n,) -> (n,), False before there are ``breadth_bars``.
    Units: ``net_breadth`` is (advances - declines) / (advances + declines).
    Source: rule S5.
    """
    line = np.cumsum(net_breadth)
    change = np.full_like(line, np.nan)
    change[window:] = line[window:] - line[:-window]
    sigma = trailing_sd_before(change, YEAR_BARS)
    return tidied(talib.MAX(line, window) - line - sigmas * sigma) > 0
