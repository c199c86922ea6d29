"""Implied vol of Black-76 prices, with the greeks at it: refused only where a price tells nothing.

Every option is turned by parity into the out-of-the-money one of its strike, in units of
``sqrt(F K)``, and solved by ``black_inverse``. What that worked out on the way (one value of the
scaled complementary error function, the exponent of the density) is all the greeks need, so that
the greeks of a chain cost a fifth of its vols. Long columns are worked through in blocks that stay
in the processor's cache.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from strategies.model.quotes import BoolArray, FloatArray
from strategies.pricing.black76 import DAYS_PER_YEAR
from strategies.pricing.black_inverse import Roots, solve

_ROWS_AT_ONCE = 8192
_EPSILON = float(np.finfo(np.float64).eps)
_SMALLEST = float(np.finfo(np.float64).tiny)  # below it doubles lose their digits
_INVERSE_ROOT_TWO_PI = 1.0 / math.sqrt(2.0 * math.pi)
_HALF_ROOT_TWO_PI = 0.5 * math.sqrt(2.0 * math.pi)
# A price in the money is intrinsic value and a rest: rounding the price (a few units in its last
# place) may move the vol by this fraction at most
_ROUNDING_UNITS = 4.0
_MOST_UNCERTAIN = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImpliedVol:
    """Vols and whether each one is known."""

    vol: FloatArray  # annualised decimal, 0 where not ok, never NaN
    ok: BoolArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImpliedGreeks:
    """Vols and the sensitivities of one long option at them; all 0 where not ok, never NaN."""

    vol: FloatArray  # annualised decimal
    ok: BoolArray
    delta: FloatArray  # per +1 point of the forward, discounted
    gamma: FloatArray  # change of delta per +1 point of the forward
    vega: FloatArray  # points per vol point (0.01 of implied vol)
    theta: FloatArray  # points per calendar day, forward and vol unchanged
    vanna: FloatArray  # change of delta per vol point


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
    intrinsic value, a price at or above the discounted forward (call) or strike (put), and a price
    whose own rounding moves the vol by more than one part in a million (deep in the money, within
    a hair of its bound, or below 1e-300).

    Shapes: the arguments broadcast; the result has their common shape.
    Units: index points, years of 365 days, annualised decimal vol.
    """
    columns, shape = _columns(price, forward, strike, t_years, discount, is_call)
    count = columns.count
    vol, ok = np.empty(count), np.empty(count, dtype=np.bool_)
    with np.errstate(all="ignore"):  # what is not a number here compares false and is refused
        for start in range(0, count, _ROWS_AT_ONCE):
            solved = _solve(columns.rows(start))
            block = slice(start, start + _ROWS_AT_ONCE)
            vol[block], ok[block] = solved.vol, solved.ok
    return ImpliedVol(vol=vol.reshape(shape), ok=ok.reshape(shape))


def implied_greeks(
    price: ArrayLike,
    forward: ArrayLike,
    strike: ArrayLike,
    t_years: ArrayLike,
    discount: ArrayLike,
    is_call: ArrayLike,
    rate: float,
) -> ImpliedGreeks:
    """Return the vols at which Black-76 gives ``price``, with delta, gamma, vega, theta and vanna.

    ``rate`` (continuously compounded, per year) is what theta accrues at; it should be the one
    that ``discount`` was made of. Refusals, shapes and units: as ``implied_vol``; units of the
    greeks stand at ``ImpliedGreeks``.
    """
    columns, shape = _columns(price, forward, strike, t_years, discount, is_call)
    count = columns.count
    table, ok = np.empty((6, count)), np.empty(count, dtype=np.bool_)
    with np.errstate(all="ignore"):
        for start in range(0, count, _ROWS_AT_ONCE):
            given = columns.rows(start)
            solved = _solve(given)
            block = slice(start, start + _ROWS_AT_ONCE)
            ok[block] = solved.ok
            _greeks(given, solved, rate, table[:, block])
    if not ok.all():
        table[:, ~ok] = 0.0
    vol, delta, gamma, vega, theta, vanna = (each.reshape(shape) for each in table)
    return ImpliedGreeks(
        vol=vol,
        ok=ok.reshape(shape),
        delta=delta,
        gamma=gamma,
        vega=vega,
        theta=theta,
        vanna=vanna,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Columns:
    """The arguments, broadcast and flat: (n,) each."""

    price: FloatArray
    forward: FloatArray
    strike: FloatArray
    t_years: FloatArray
    discount: FloatArray
    is_call: BoolArray

    @property
    def count(self) -> int:
        return len(self.price)

    def rows(self, start: int) -> "_Columns":
        """Return the block of rows that begins at ``start``."""
        if start == 0 and self.count <= _ROWS_AT_ONCE:
            return self
        block = slice(start, start + _ROWS_AT_ONCE)
        return _Columns(
            self.price[block],
            self.forward[block],
            self.strike[block],
            self.t_years[block],
            self.discount[block],
            self.is_call[block],
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Solved:
    """Vols of one block and what the greeks are made of, (n,) each."""

    vol: FloatArray  # 0 where not ok
    ok: BoolArray
    roots: Roots
    x: FloatArray  # |ln(F/K)|
    root_product: FloatArray  # sqrt(F K)
    time_value: FloatArray  # of the out-of-the-money option, undiscounted
    root_t: FloatArray


def _columns(
    price: ArrayLike,
    forward: ArrayLike,
    strike: ArrayLike,
    t_years: ArrayLike,
    discount: ArrayLike,
    is_call: ArrayLike,
) -> tuple[_Columns, tuple[int, ...]]:
    numbers = (price, forward, strike, t_years, discount)
    given = np.broadcast_arrays(
        *(np.asarray(each, dtype=np.float64) for each in numbers),
        np.asarray(is_call, dtype=np.bool_),
    )
    flat = [each.ravel() for each in given]
    return _Columns(flat[0], flat[1], flat[2], flat[3], flat[4], flat[5]), given[0].shape


def _solve(given: _Columns) -> _Solved:
    price, forward, strike = given.price, given.forward, given.strike
    undiscounted = price / given.discount
    gap = forward - strike
    time_value = np.where(given.is_call, gap, -gap)
    np.maximum(time_value, 0.0, out=time_value)
    np.subtract(undiscounted, time_value, out=time_value)
    np.abs(gap, out=gap)
    least = np.minimum(forward, strike)
    x = gap / least
    np.log1p(x, out=x)  # which keeps the digits of ln(F/K) at the money
    root_product = np.sqrt(forward * strike)
    scale = 1.0 / root_product
    most, target = least * scale, time_value * scale
    gap *= scale
    roots = solve(x, gap, most, target)
    root_t = np.sqrt(given.t_years)
    vol = roots.deviation / root_t
    ok = roots.found & (price > 0)
    ok &= least > 0
    ok &= target >= _SMALLEST
    ok &= target < most * (1.0 - _EPSILON)
    certain = roots.elasticity * time_value
    certain *= _MOST_UNCERTAIN / (_ROUNDING_UNITS * _EPSILON)
    ok &= certain >= undiscounted
    ok &= vol > 0
    ok &= vol < np.inf
    if not ok.all():
        vol[~ok] = 0.0
    return _Solved(
        vol=vol,
        ok=ok,
        roots=roots,
        x=x,
        root_product=root_product,
        time_value=time_value,
        root_t=root_t,
    )


def _greeks(given: _Columns, solved: _Solved, rate: float, out: FloatArray) -> None:
    """Write vol, delta, gamma, vega, theta and vanna into the rows of ``out``.

    With g = exp(-(h^2 + t^2) / 2) / sqrt(2 pi) there is F phi(d1) = K phi(d2) = sqrt(F K) g, and
    sqrt(F K) sqrt(pi / 2) E((h - t) / sqrt 2) g is F N(d1) of an out-of-the-money call and
    K N(-d2) of an out-of-the-money put, whose F N(-d1) is that less the time value.
    """
    vol, delta, gamma, vega, theta, vanna = out
    forward, discount, deviation = given.forward, given.discount, solved.roots.deviation
    vol[:] = solved.vol
    np.negative(solved.roots.exponent, out=vega)
    np.exp(vega, out=vega)
    vega *= solved.root_product
    vega *= _INVERSE_ROOT_TWO_PI  # sqrt(F K) g

    call_is_out = forward <= given.strike
    side = np.where(call_is_out, 1.0, -1.0)
    np.multiply(vega, solved.roots.near, out=delta)
    delta *= _HALF_ROOT_TWO_PI
    delta *= side
    delta += np.where(call_is_out, 0.0, solved.time_value)
    delta /= forward
    delta += np.subtract(given.is_call, call_is_out, dtype=np.float64)
    delta *= discount

    vega *= discount
    np.divide(vega, forward, out=gamma)
    gamma /= deviation  # D phi(d1) / s
    # -d2 = side x / s + s / 2
    np.multiply(side, solved.x, out=vanna)
    vanna /= deviation
    vanna += 0.5 * deviation
    vanna *= gamma
    vanna *= solved.root_t
    vanna *= 0.01
    gamma /= forward
    np.multiply(vega, vol, out=theta)
    theta /= solved.root_t
    theta *= -0.5
    theta += rate * given.price
    theta *= 1.0 / DAYS_PER_YEAR
    vega *= solved.root_t
    vega *= 0.01
