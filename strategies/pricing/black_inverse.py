"""Black's formula turned round: the standard deviation behind an out-of-the-money time value.

In units of ``sqrt(F K)``, with ``x = |ln(F/K)|``, ``s = sigma sqrt T``, ``h = x / s`` and
``t = s / 2``

    b(s) = exp(-(h^2 + t^2) / 2) [E((h - t)/sqrt 2) - E((h + t)/sqrt 2)] / 2,   E = erfcx,

which neither underflows nor cancels in the wings. ``ln b`` is concave in s (``b'`` is log-concave,
hence so is its integral), so that its root can be found with Newton steps from anywhere. Steps:
P. Jaeckel, Let's Be Rational (2015), applied to ``ln b`` throughout.

One pass over every row, without a branch: a guess within a few parts in a hundred thousand, then
one step of third order, which leaves the fourth power of the guess's error. The guess is the
option's normal (Bachelier) deviation, a function of one variable that is tabulated, over the root
of a polynomial that makes a lognormal deviation of it. E comes from a table as well, which is four
times faster than computing it. Rows for which this was not enough (deviations above 1.6 or below a
thousandth, strikes beyond three thousand times the forward) are told by the length of Newton's step
and iterated with E computed in full.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import erfcx, ndtr, ndtri

from strategies.model.quotes import BoolArray, FloatArray, IntArray

_ROOT_HALF = math.sqrt(0.5)
_ROOT_EIGHTH = math.sqrt(0.125)
_ROOT_TWO_OVER_PI = math.sqrt(2.0 / math.pi)
_TWO_OVER_ROOT_PI = 2.0 / math.sqrt(math.pi)
_TINY = 1e-300  # keeps quotients at the money on numbers

# E at every 1/4096 from -2 to 28; its derivatives follow from E' = 2 z E - 2 / sqrt(pi), and the
# first term left out of a cubic about the nearest node is below 1e-15 of E
_LOW, _HIGH, _PER_UNIT = -2.0, 28.0, 4096.0
_SCALED_ERFC = erfcx(_LOW + np.arange(round((_HIGH - _LOW) * _PER_UNIT) + 1) / _PER_UNIT)

# Normal deviation over straddle (call + put) as a function of sqrt(ln(1 + |F - K| / (2 value)))
_NORMAL_PER_UNIT = 256.0
_NORMAL_TOP = 27.0  # where doubles end

# (normal / lognormal deviation)^2 = 1 + q P(B, q), q = B normal^2, with P of second degree and
# B = 24 ln(sinh(x / 2) / (x / 2)) / x^2 from the first terms of its series: the power of q that
# remains is fitted within 4e-5 for x < 8, s < 1.6, h < 36
_P, _PB, _PBB = -0.1507221246, 0.1351690823, -0.0680151976
_PQ, _PBQ, _PQQ = -0.0035623763, 0.0017734977, -0.0002924172
_LEAST_SQUARE = 1e-30  # stands for x^2 at the money, where B is 1

_LAST_STEP = 1e-4  # relative: the error left is of its fourth power, below the rounding
_LEAST_PLAIN = 1e-3  # deviation below which E(h - t) - E(h + t) has lost too many digits
_LARGE_DEVIATION = 1.6  # from here the guess may be poor
_SERIES_BELOW = 0.005  # t / sqrt 2 below which that difference is taken from its series
_MOST_STEPS = 60  # Newton steps alone converge in fewer from any start


def _normal_table() -> FloatArray:
    """Return the normal deviation over the straddle at each node, by bisection.

    With eta = |F - K| / deviation the time value over |F - K| is psi = phi(eta) / eta - N(-eta),
    and the straddle over |F - K| is 1 + 2 psi.
    """
    node = np.arange(1, round(_NORMAL_TOP * _NORMAL_PER_UNIT) + 1) / _NORMAL_PER_UNIT
    # ln psi = -ln(2 (exp(node^2) - 1)), which must not overflow
    wanted = -math.log(2.0) - node * node - np.log(-np.expm1(-node * node))
    low, high = np.full(len(node), 1e-6), np.full(len(node), 50.0)
    for _ in range(60):
        eta = 0.5 * (low + high)
        tail = _ROOT_TWO_OVER_PI / eta - erfcx(eta * _ROOT_HALF)
        above = np.log(0.5 * tail) - 0.5 * eta * eta > wanted
        low, high = np.where(above, eta, low), np.where(above, high, eta)
    # (|F - K| / eta) / straddle, and |F - K| / straddle = 1 - exp(-node^2)
    inner = -np.expm1(-node * node) / (0.5 * (low + high))
    return np.concatenate([[math.sqrt(0.5 * math.pi)], inner])


_NORMAL = _normal_table()
_NORMAL_STEPS = np.append(np.diff(_NORMAL), 0.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Roots:
    """Standard deviations and what was worked out on the way, all of shape (n,)."""

    deviation: FloatArray  # sigma sqrt T; may be anything where not found
    near: FloatArray  # E((h - t) / sqrt 2)
    exponent: FloatArray  # (h^2 + t^2) / 2
    elasticity: FloatArray  # d ln b / d ln s
    found: BoolArray


def solve(x: FloatArray, gap: FloatArray, most: FloatArray, target: FloatArray) -> Roots:
    """Return s with ln b(s) = ln target.

    Rows that have no root, among them those with a target that is not between 0 and ``most``, are
    not found; they may be anything and should be solved under ``np.errstate(all="ignore")``.

    Shapes: all (n,). Units: ``x`` is |ln(F/K)|, ``gap`` |F - K|, ``most`` min(F, K) and ``target``
        the out-of-the-money time value, the last three over sqrt(F K).
    """
    start = _start(x, gap, target)
    z = x * _ROOT_HALF
    z /= start
    half = start * _ROOT_EIGHTH
    arguments = np.empty((2, len(x)))
    np.subtract(z, half, out=arguments[0])
    np.add(z, half, out=arguments[1])
    near, far = _tabulated(arguments)
    step, factor, elasticity = _relative_step(z * z, half * half, near - far, target)
    found = np.abs(step) < _LAST_STEP
    step *= factor
    deviation = start + start * step
    found &= arguments[0] > _LOW
    found &= arguments[1] < _HIGH
    found &= start > _LEAST_PLAIN

    # E at the root, from that at the guess
    np.divide(z, 1.0 + step, out=z)
    np.multiply(deviation, _ROOT_EIGHTH, out=half)
    there = z - half
    moved = there - arguments[0]
    near = _continued(near, arguments[0], moved)
    roots = Roots(
        deviation=deviation,
        near=near,
        exponent=z * z + half * half,
        elasticity=elasticity,
        found=found,
    )
    if not found.all():
        _iterate(roots, x, most, target)
    return roots


def _start(x: FloatArray, gap: FloatArray, target: FloatArray) -> FloatArray:
    """Return the first guess of every row."""
    straddle = target + target
    node = np.log1p(gap / (straddle + _TINY))
    np.sqrt(node, out=node)
    node *= _NORMAL_PER_UNIT
    index = node.astype(np.int32)
    node -= index
    normal = _NORMAL_STEPS.take(index, mode="clip")
    normal *= node
    normal += _NORMAL.take(index, mode="clip")
    straddle += gap
    normal *= straddle
    normal *= (x + _TINY) / (gap + _TINY)  # |F - K| over ln(F/K)
    square = x * x
    square += _LEAST_SQUARE
    bow = square * (1.0 / 80.0)
    bow += 1.0
    bow *= square
    bow *= 1.0 / 24.0
    np.log1p(bow, out=bow)
    bow /= square
    bow *= 24.0
    q = normal * normal
    q *= bow
    ratio = (bow * _PBB + _PB) * bow
    ratio += (bow * _PBQ + q * _PQQ + _PQ) * q
    ratio += _P
    ratio *= q
    ratio += 1.0
    np.sqrt(ratio, out=ratio)
    normal /= ratio
    return normal


def _tabulated(z: FloatArray) -> FloatArray:
    """Return E where -1 <= z <= 7, and anything elsewhere."""
    node = (z - _LOW) * _PER_UNIT
    np.rint(node, out=node)
    value = _SCALED_ERFC.take(node.astype(np.int32), mode="clip")
    node *= 1.0 / _PER_UNIT
    node += _LOW
    return _continued(value, node, z - node)


def _continued(value: FloatArray, z: FloatArray, step: FloatArray) -> FloatArray:
    """Return E(z + step) by Taylor's series to the third power, given E(z)."""
    first = z * value
    first += first
    first -= _TWO_OVER_ROOT_PI
    second = z * first
    second += value  # E'' / 2
    third = z * second
    third += first
    third *= 2.0 / 3.0  # E''' / 6
    third *= step
    third += second
    third *= step
    third += first
    third *= step
    third += value
    return third


def _relative_step(
    z_squared: FloatArray, half_squared: FloatArray, difference: FloatArray, target: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return Newton's step toward ln b = ln target over s, and the elasticity of b.

    Between them: the factor that makes a third-order Householder step of Newton's.
    ``z_squared`` is h^2 / 2, ``half_squared`` t^2 / 2, ``difference`` E((h - t) / sqrt 2) -
    E((h + t) / sqrt 2).
    """
    residual = difference / target
    residual *= 0.5
    np.log(residual, out=residual)
    residual -= z_squared
    residual -= half_squared
    elasticity = np.sqrt(half_squared) * (2.0 * math.sqrt(2.0) * _ROOT_TWO_OVER_PI) / difference
    newton = residual / elasticity
    np.negative(newton, out=newton)
    second = z_squared - half_squared
    second += second  # s b''/b'
    second -= elasticity  # s (ln b)'' / (ln b)'
    third = second - elasticity
    third *= second
    third -= 6.0 * z_squared
    third -= half_squared + half_squared  # s^2 (ln b)''' / (ln b)'
    third *= newton
    third *= 1.0 / 6.0
    third += second
    third *= newton
    third += 1.0
    second *= newton
    second *= 0.5
    second += 1.0
    second /= third
    return newton, second, elasticity


def _iterate(roots: Roots, x: FloatArray, most: FloatArray, target: FloatArray) -> None:
    """Put in ``roots`` what the first pass did not find, and E computed in full beside it."""
    possible = ~roots.found
    possible &= (target > 0) & (target < most) & (x < np.inf)
    rows = np.flatnonzero(possible)
    x, most, target = x[rows], most[rows], target[rows]
    s = _careful_start(x, most, target, roots.deviation[rows])
    active: IntArray = np.arange(len(rows))
    for _ in range(_MOST_STEPS):
        here, distance = s[active], x[active]
        z, half = distance / here * _ROOT_HALF, here * _ROOT_EIGHTH
        difference = _difference(z, half)
        step, factor, _ = _relative_step(z * z, half * half, difference, target[active])
        # Far from the root the third-order term can mislead; the plain Newton step cannot
        factor = np.where((factor > 0.5) & (factor < 2.0), factor, 1.0)  # noqa: PLR2004 half, double
        s[active] = here * (1.0 + np.clip(step * factor, -0.75, 3.0))
        active = active[~(np.abs(step) <= _LAST_STEP)]
        if not len(active):
            break
    s[active] = np.nan
    z, half = x / s * _ROOT_HALF, s * _ROOT_EIGHTH
    roots.deviation[rows] = s
    roots.near[rows] = erfcx(z - half)
    roots.exponent[rows] = z * z + half * half
    roots.elasticity[rows] = s * _ROOT_TWO_OVER_PI / _difference(z, half)
    roots.found[rows] = np.isfinite(s)


def _careful_start(
    x: FloatArray, most: FloatArray, target: FloatArray, guess: FloatArray
) -> FloatArray:
    """Return the guess where it is good, else Jaeckel's of 2006 (By Implication).

    That one holds above the inflection s = sqrt(2 x) of b.
    """
    root = np.sqrt(x)
    bend = 0.5 * most * (1.0 - erfcx(root))  # b at the inflection
    tail = (most - target) / (most - bend) * ndtr(-root * _ROOT_HALF)
    above = -2.0 * ndtri(tail)
    poor = ~((guess > 0) & (guess < _LARGE_DEVIATION))
    s = np.where(poor, np.where(target >= bend, above, np.sqrt(2.0 * x)), guess)
    return np.where(s > 0, s, _LARGE_DEVIATION)


def _difference(z: FloatArray, half: FloatArray) -> FloatArray:
    """Return E(z - half) - E(z + half) to full precision however small ``half`` is."""
    middle = erfcx(z)
    first = 2.0 * z * middle - _TWO_OVER_ROOT_PI
    second = z * first + middle
    third = (z * second + first) * (2.0 / 3.0)
    fourth = 0.5 * (z * third + second)
    fifth = 0.4 * (z * fourth + third)
    square = half * half
    series = -2.0 * half * (first + square * (third + square * fifth))
    return np.where(half < _SERIES_BELOW, series, erfcx(z - half) - erfcx(z + half))
