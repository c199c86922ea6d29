"""Bids and offers around model values: realistic widths, real ticks, rounded outward.

Widths were read off quoted chains (SPX 2022-2024, VIX 2022-2024): they grow with the square root of
the price and with the VIX. Rounding outward to the tick adds half a tick a side on average, so the
widths here are those of the market less a tick. See ``docs/market.md``.
"""

from typing import Final

import numpy as np

from strategies.model.quotes import FloatArray

_TICK_STEP: Final = 3.0  # index options trade in the finer tick below this price
_SPX_TICKS: Final = (0.05, 0.10)
_VIX_TICKS: Final = (0.01, 0.05)
_ALMOST: Final = 1e-6  # of a tick: a value this close to the grid is on it

_SPX_WIDTH: Final = (0.02, 0.065)  # constant and per square root of the price, VIX at 22
_VIX_WIDTH: Final = (0.02, 0.065)  # VIX at 18
_VX_WIDTH: Final = 0.01  # VX months 1-3 trade one tick wide; the rest comes from rounding
_VXM_WIDTH: Final = 0.03  # thinner than VX, in a finer tick
_FAR_MONTH_WIDTH: Final = 0.05  # added from the fourth month on
_FAR_MONTH: Final = 4
_STRESS_MOST: Final = 6.0


def spx_option_quotes(values: FloatArray, vix: float) -> tuple[FloatArray, FloatArray]:
    """Return bids and offers of SPX options worth ``values``, same shape, 0 = no bid."""
    stress = _stress(vix, calm=19.0, usual=22.0, power=1.4)
    half = 0.5 * stress * (_SPX_WIDTH[0] + _SPX_WIDTH[1] * np.sqrt(values))
    return _two_sided(values, half, _SPX_TICKS)


def vix_option_quotes(values: FloatArray, vix: float) -> tuple[FloatArray, FloatArray]:
    """Return bids and offers of VIX options worth ``values``, same shape, 0 = no bid."""
    stress = _stress(vix, calm=15.0, usual=18.0, power=1.2)
    half = 0.5 * stress * (_VIX_WIDTH[0] + _VIX_WIDTH[1] * np.sqrt(values))
    return _two_sided(values, half, _VIX_TICKS)


def future_quote(value: float, root: str, month: int, vix: float) -> tuple[float, float]:
    """Return bid and offer of a VIX future.

    Args:
        value: The model's middle, index points.
        root: VX or VXM.
        month: 1 for the nearest expiry.
        vix: The VIX, which widens the market.
    """
    tick, width = (0.05, _VX_WIDTH) if root == "VX" else (0.01, _VXM_WIDTH)
    if month >= _FAR_MONTH:
        width += _FAR_MONTH_WIDTH
    half = 0.5 * width * _stress(vix, calm=20.0, usual=20.0, power=1.5)
    bid = np.floor((value - half) / tick + _ALMOST) * tick
    ask = np.ceil((value + half) / tick - _ALMOST) * tick
    return float(np.round(bid, 2)), float(np.round(ask, 2))


def round_to_bid(prices: FloatArray, ticks: tuple[float, float]) -> FloatArray:
    """Return the highest prices on the grid not above ``prices``."""
    fine, coarse = ticks
    rounded: FloatArray = np.where(
        prices < _TICK_STEP,
        np.floor(prices / fine + _ALMOST) * fine,
        np.floor(prices / coarse + _ALMOST) * coarse,
    )
    return rounded.round(2)


def round_to_ask(prices: FloatArray, ticks: tuple[float, float]) -> FloatArray:
    """Return the lowest prices on the grid not below ``prices``."""
    fine, coarse = ticks
    rounded: FloatArray = np.where(
        prices <= _TICK_STEP,
        np.ceil(prices / fine - _ALMOST) * fine,
        np.ceil(prices / coarse - _ALMOST) * coarse,
    )
    return rounded.round(2)


def _two_sided(
    values: FloatArray, half: FloatArray, ticks: tuple[float, float]
) -> tuple[FloatArray, FloatArray]:
    """Return bids, 0 for the worthless, and offers at least a tick above them."""
    bid = np.maximum(round_to_bid(values - half, ticks), 0.0)
    ask = np.maximum(round_to_ask(values + half, ticks), ticks[0])
    return bid, ask


def _stress(vix: float, *, calm: float, usual: float, power: float) -> float:
    """Return how much wider than usual the market is."""
    ratio: float = (max(vix, calm) / usual) ** power
    return min(ratio, _STRESS_MOST)
