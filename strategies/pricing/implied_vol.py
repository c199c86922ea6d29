"""Implied vol of Black-76 prices: exact where a price carries information, refused elsewhere.

Every option is turned by parity into the out-of-the-money one of its strike, in units of
``D sqrt(F K)``. With ``x = -|ln(F/K)|``, ``s = sigma sqrt T``, ``h = x / s`` and ``t = s / 2``

    b(s) = exp(-(h^2 + t^2) / 2) [E((-h - t)/sqrt 2) - E((t - h)/sqrt 2)] / 2,   E = erfcx,

which neither underflows nor cancels in the wings. ``ln b`` is concave in s (``b'`` is log-concave,
hence so is its integral), so that its root can be found with Newton steps from anywhere; steps of
third order get there in two or three. Start: P. Jaeckel, By Implication (2006). Steps: P. Jaeckel,
Let's Be Rational (2015), applied to ``ln b`` throughout.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import erfcx, ndtr, ndtri

from strategies.model.quotes import BoolArray, FloatArray

_INVERSE_ROOT_TWO = 1.0 / math.sqrt(2.0)
_ROOT_TWO_OVER_PI = math.sqrt(2.0 / math.pi)
_EPSILON = float(np.finfo(np.float64).eps)
# A step of this relative size leaves an error of its fourth power, which is below the rounding
_LAST_STEP = 2e-4
_SMALLEST = 1e-200  # keeps a division at the money finite
_MOST_STEPS = 40  # Newton steps alone converge in fewer from any start
# A price is a difference of numbers the size of forward and strike: rounding those (a few units in
# their last place) may move the vol by this fraction at most
_ROUNDING_UNITS = 4.0
_MOST_UNCERTAIN = 1e-6
_LEAST_DEVIATION = 1e-5  # vol x sqrt(T) below which b itself cannot be computed well
_SMALLEST_DEVIATION = 1e-7  # keeps the steps on numbers; what ends here is refused
_LARGE_DEVIATION = 0.7  # beyond it the guess to first order in time is poor
_SMALL_TARGET = 0.03

# eta = |F - K| / (normal deviation) as a function of the normal time value over |F - K|,
# psi(eta) = phi(eta) / eta - N(-eta), tabulated at equal steps of sqrt(top - ln psi)
_TABLE_TOP = 6.0
_NODES_PER_UNIT = 128.0
_NODES = 3500  # reaches ln psi = -740, where doubles end


def _normal_table() -> FloatArray:
    """Return eta at each node, by bisection of ln psi, which falls in eta."""
    wanted = _TABLE_TOP - (np.arange(_NODES) / _NODES_PER_UNIT) ** 2
    low, high = np.full(_NODES, 1e-4), np.full(_NODES, 50.0)
    for _ in range(60):
        eta = 0.5 * (low + high)
        tail = _ROOT_TWO_OVER_PI / eta - erfcx(eta * _INVERSE_ROOT_TWO)
        above = np.log(0.5 * tail) - 0.5 * eta * eta > wanted
        low, high = np.where(above, eta, low), np.where(above, high, eta)
    middle: FloatArray = 0.5 * (low + high)
    return middle


_ETA = _normal_table()
_ETA_STEPS = np.diff(_ETA)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImpliedVol:
    """Vols and whether each one is known."""

    vol: FloatArray  # annualised decimal, 0 where not ok, never NaN
    ok: BoolArray


def implied_vol(
    price: ArrayLike,
    forward: ArrayLike,
    strike: ArrayLike,
    t_years: ArrayLike,
    discount: ArrayLike,
    is_call: ArrayLike,
) -> ImpliedVol:
    """Return the vols at which Black-76 gives ``price``.

    Not ok, with vol 0: inputs that are not finite and positive, a price at or below the discounted
    intrinsic value, a price at or above the discounted forward (call) or strike (put), a time
    value so small beside forward and strike that rounding those alone moves the vol by more than
    one part in a million, and vol x sqrt(T) below 0.00001.

    Shapes: the arguments broadcast; the result has their common shape.
    Units: index points, years of 365 days, annualised decimal vol.
    """
    given = [
        np.asarray(each, dtype=np.float64) for each in (price, forward, strike, t_years, discount)
    ]
    columns = np.broadcast_arrays(*given, np.asarray(is_call, dtype=np.bool_))
    shape = columns[0].shape
    price, forward, strike, t_years, discount, is_call = (each.ravel() for each in columns)
    with np.errstate(all="ignore"):  # what is not a number here compares false and is refused
        known = np.isfinite(price) & np.isfinite(forward) & np.isfinite(strike)
        known &= np.isfinite(t_years) & np.isfinite(discount) & (discount > 0)
        known &= (price > 0) & (forward > 0) & (strike > 0) & (t_years > 0)
        scale = 1.0 / np.sqrt(forward * strike)
        undiscounted = price / discount
        intrinsic = np.maximum(np.where(is_call, forward - strike, strike - forward), 0.0)
        target = (undiscounted - intrinsic) * scale
        gap = np.abs(forward - strike)  # the logarithm of 1 + gap keeps its digits at the money
        x = -np.log1p(gap / np.minimum(forward, strike))
        most = np.exp(0.5 * x)
        rounding = _ROUNDING_UNITS * _EPSILON * (forward + strike) * scale
        known &= (target > rounding) & (target < most * (1.0 - _EPSILON))
        rows = np.flatnonzero(known)
        deviation = _solve(x[rows], target[rows], most[rows])
        h, t = x[rows] / deviation, 0.5 * deviation
        slope = 0.5 * _ROOT_TWO_OVER_PI * np.exp(-0.5 * (h * h + t * t))
        certain = rounding[rows] <= _MOST_UNCERTAIN * slope * deviation
        certain &= deviation >= _LEAST_DEVIATION
    total = np.zeros(price.shape)
    total[rows[certain]] = deviation[certain] / np.sqrt(t_years[rows[certain]])
    known[rows] = certain
    return ImpliedVol(vol=total.reshape(shape), ok=known.reshape(shape))


def _solve(x: FloatArray, target: FloatArray, most: FloatArray) -> FloatArray:
    """Return s with ln b(s) = ln target; every target lies strictly between 0 and ``most``."""
    log_target = np.log(target)
    s = _start(x, target, most, log_target)
    moved = _step(x, s, log_target)
    rows = np.flatnonzero(np.abs(moved - s) > _LAST_STEP * s)
    s = moved
    for _ in range(_MOST_STEPS):
        if not len(rows):
            return s
        here = s[rows]
        moved = _step(x[rows], here, log_target[rows])
        s[rows] = moved
        rows = rows[np.abs(moved - here) > _LAST_STEP * here]
    s[rows] = np.nan  # compares false: refused by the caller
    return s


def _start(
    x: FloatArray, target: FloatArray, most: FloatArray, log_target: FloatArray
) -> FloatArray:
    """Return a first guess of s, within a few parts in ten thousand where options are quoted.

    The option's normal (Bachelier) vol, from a table of one dimension, turned into a lognormal one
    to first order in time. Where that is not small, or the table ends: Jaeckel's 2006 guess above
    the inflection s = sqrt(2 |x|) of b.
    """
    moneyness = np.maximum(1.0 / most - most, _SMALLEST)  # |F - K| / sqrt(F K) = 2 sinh |x| / 2
    log_ratio = log_target - np.log(moneyness)
    node = np.sqrt(np.maximum(_TABLE_TOP - log_ratio, 0.0)) * _NODES_PER_UNIT
    index = np.minimum(node.astype(np.int64), _NODES - 2)
    eta = _ETA[index] + (node - index) * _ETA_STEPS[index]
    normal = -x / eta  # normal deviation / ((F - K) / ln(F/K))
    # s^2 ln((F - K) / (ln(F/K) sqrt(F K))) / x^2, which tends to s^2 / 24 at the money
    bow = np.log1p(x * x / 24.0 * (1.0 + x * x / 80.0)) / (x * x + _SMALLEST)
    s: FloatArray = normal * (1.0 + bow * normal * normal)
    money = log_ratio >= _TABLE_TOP
    rows = np.flatnonzero(money | (s > _LARGE_DEVIATION))
    if len(rows):
        x, target, most, money = x[rows], target[rows], most[rows], money[rows]
        root = np.sqrt(-x)
        bend = 0.5 * most * (1.0 - erfcx(root))  # b at the inflection
        tail = (most - target) / (most - bend) * ndtr(-root * _INVERSE_ROOT_TWO)
        small = math.sqrt(2.0 * math.pi) * (target - 0.5 * x)  # b is straight at the money
        above = np.where(money & (target < _SMALL_TARGET), small, -2.0 * ndtri(tail))
        s[rows] = np.where(money | (target >= bend), above, s[rows])
    return np.maximum(s, _SMALLEST_DEVIATION)


def _step(x: FloatArray, s: FloatArray, log_target: FloatArray) -> FloatArray:
    """Return s after one third-order Householder step toward ln b(s) = ln target."""
    h, t = x / s, 0.5 * s
    gap = erfcx((h + t) * -_INVERSE_ROOT_TWO) - erfcx((t - h) * _INVERSE_ROOT_TWO)
    h_squared, t_squared = h * h, t * t
    residual = np.log(0.5 * gap) - 0.5 * (h_squared + t_squared) - log_target
    slope = _ROOT_TWO_OVER_PI / gap  # (ln b)' = b'/b
    newton = -residual / slope
    bend = (h_squared - t_squared) / s  # b''/b'
    second = bend - slope  # (ln b)'' / (ln b)'
    third = bend * (bend - 3.0 * slope) + 2.0 * slope * slope
    third -= (3.0 * h_squared + t_squared) / (s * s)
    factor = (1.0 + 0.5 * second * newton) / (1.0 + newton * (second + third * newton / 6.0))
    # Far from the root the third-order term can mislead; the plain Newton step cannot
    factor = np.where((factor > 0.5) & (factor < 2.0), factor, 1.0)  # noqa: PLR2004 half, double
    stepped: FloatArray = np.clip(s + newton * factor, 0.25 * s, 4.0 * s)
    return np.maximum(stepped, _SMALLEST_DEVIATION)
