"""Technical indicators on daily bars: RSI, MACD, means and standardised deviations.

All functions are causal: entry t depends on entries up to t and on nothing later, so that a live
value appended as the provisional last bar changes the last entry only.

TA-Lib seeds its averages: Wilder's with the mean of the first ``period`` changes (as Wilder does),
the exponential ones with the mean of the first ``period`` values, both lines of MACD starting on
the bar on which the slow one can. The ``*_warm_bars`` functions say after how many bars less than
0.1 % of a seed is left; before that a signal is absent.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import talib

from strategies.model.errors import MissingData
from strategies.model.quotes import BoolArray, FloatArray, IntArray

MIN_WARM_BARS = 130  # market mechanics, section 10: no signal on fewer bars
SEED_WEIGHT = 0.001  # largest share of a seed in a warm value
YEAR_BARS = 252  # bars over which the scale of a deviation is estimated
WEEK_BARS = 5
FLAT_RSI = 50.0
_DIGITS = 10  # far below any tick, far above rounding noise


class Side(StrEnum):
    """On which side of its signal line a MACD line is."""

    BULLISH = "bullish"
    BEARISH = "bearish"
    LEVEL = "level"  # exactly on it


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Macd:
    """A MACD line and its signal; (n,) each, NaN until both exist. Units: those of the series."""

    line: FloatArray
    signal: FloatArray

    def side(self, bar: int = -1) -> Side:
        """Return the side of the line at one bar."""
        gap = tidy(float(self.line[bar] - self.signal[bar]))
        if gap == 0:
            return Side.LEVEL
        return Side.BULLISH if gap > 0 else Side.BEARISH

    @property
    def has_crossed(self) -> bool:
        """Whether the line came to its present side with the last bar."""
        return self.side() is not Side.LEVEL and self.side(-2) is not self.side()

    @property
    def is_bearish(self) -> BoolArray:
        """Where the line is below its signal: (n,), False while either is NaN."""
        return np.round(self.line - self.signal, _DIGITS) < 0


def tidy(value: float) -> float:
    """Return a reading without the rounding noise that would blur a threshold met exactly."""
    return round(value, _DIGITS)


def tidied(values: FloatArray) -> FloatArray:
    """Return an array of readings rounded like ``tidy``."""
    return np.round(values, _DIGITS)


def rsi(closes: FloatArray, period: int) -> FloatArray:
    """Return Wilder's relative strength index, 0 to 100, NaN for the first ``period`` bars.

    Without any loss it is 100, and without any change since the first bar 50, where TA-Lib has 0.

    Shapes: (n,) -> (n,).
    Source: rules S1 and S2; market mechanics, section 10.
    """
    strength: FloatArray = talib.RSI(closes, period)
    is_flat = np.logical_and.accumulate(closes == closes[:1])
    strength[is_flat & ~np.isnan(strength)] = FLAT_RSI
    return strength


def rsi_warm_bars(period: int) -> int:
    """Return how many bars an RSI needs before less than 0.1 % of its seed is left."""
    return max(MIN_WARM_BARS, period + _decay_bars((period - 1) / period))


def macd(values: FloatArray, fast: int, slow: int, signal: int) -> Macd:
    """Return EMA(fast) - EMA(slow) and the EMA(signal) of it; alpha of EMA(n) is 2 / (n + 1).

    Shapes: (n,) -> (n,) each.
    Source: rules S3 and S4; market mechanics, section 10.
    """
    line, signal_line, _ = talib.MACD(values, fast, slow, signal)
    return Macd(line=line, signal=signal_line)


def macd_warm_bars(slow: int, signal: int) -> int:
    """Return how many bars a MACD needs before less than 0.1 % of its slow seed is left."""
    return max(MIN_WARM_BARS, slow + signal + _decay_bars((slow - 1) / (slow + 1)))


def _decay_bars(kept: float) -> int:
    return math.ceil(math.log(SEED_WEIGHT) / math.log(kept))


def is_below_mean(values: FloatArray, bars: int) -> BoolArray:
    """Return where a value is below the mean of the last ``bars`` values, itself included.

    Shapes: (n,) -> (n,), False before there are enough.
    """
    return tidied(values - talib.SMA(values, bars)) < 0


def week_z_bars() -> int:
    """Return how many bars ``week_deviation_z`` needs for its last value."""
    return WEEK_BARS + YEAR_BARS + 1


def week_deviation_z(closes: FloatArray) -> FloatArray:
    """Return how far each close is from the mean of the 5 before it, in standard deviations.

    z[t] = d[t] / sd(d[t-252..t-1]) with d[t] = close[t] - mean(close[t-5..t-1]). The scale excludes
    the bar that is judged, so a jump does not hide itself. NaN where there are too few bars or no
    variation.

    Shapes: (n,) -> (n,).
    Source: rule R3, "5-day z".
    """
    deviation = np.full_like(closes, np.nan)
    if len(closes) > WEEK_BARS:
        deviation[WEEK_BARS:] = (
            closes[WEEK_BARS:] - talib.SMA(closes, WEEK_BARS)[WEEK_BARS - 1 : -1]
        )
    scale = trailing_sd_before(deviation, YEAR_BARS)
    moves = tidied(scale) > 0
    z = np.full_like(closes, np.nan)
    z[moves] = deviation[moves] / scale[moves]
    return z


def trailing_sd_before(values: FloatArray, bars: int) -> FloatArray:
    """Return the standard deviation of the ``bars`` values before each value.

    Shapes: (n,) -> (n,), NaN where there are fewer.
    """
    before = np.full_like(values, np.nan)
    if np.count_nonzero(~np.isnan(values)) > bars:
        before[1:] = talib.STDDEV(values, bars)[:-1]
    return before


def z_of_last(values: FloatArray, window: int) -> float:
    """Return how far the last value is from the mean of the ``window`` before it, in sigmas.

    The value that is judged counts in neither mean nor sigma, so that it cannot hide itself.

    Shapes: (n,).
    Raises: MissingData if there are too few values, or if those before did not vary.
    Source: rules S9, S13 and E.
    """
    if len(values) <= window:
        raise MissingData(f"{len(values)} bars, {window + 1} needed")
    past = values[-window - 1 : -1]
    sigma = float(past.std())
    if tidy(sigma) == 0:
        raise MissingData("it did not vary")
    return (float(values[-1]) - float(past.mean())) / sigma


def run_lengths(states: IntArray) -> IntArray:
    """Return how many equal entries in a row end at each entry, itself included: (n,) -> (n,)."""
    bars = np.arange(len(states))
    is_start = np.ones(len(states), dtype=np.bool_)
    is_start[1:] = states[1:] != states[:-1]
    return bars - np.maximum.accumulate(np.where(is_start, bars, 0)) + 1
