"""SSVI smiles: a family of implied-variance curves with known conditions against arbitrage.

At log-moneyness k = ln(K/F) the total implied variance is
``w(k) = theta/2 {1 + rho phi k + sqrt((phi k + rho)^2 + 1 - rho^2)}``: theta is the at-the-money
total variance, rho the tilt, phi the curvature. This module writes ``psi = theta phi`` and
``chi = rho psi``, because the conditions are simple in them.

Sources: Gatheral & Jacquier (2014), "Arbitrage-free SVI volatility surfaces"; Hendriks & Martini
(2019), "The extended SSVI volatility surface"; Corbetta, Cohort, Laachir & Martini (2019), "Robust
calibration and arbitrage-free interpolation of SSVI slices"; Fukasawa (2012) for the variance swap.
"""

import math
from dataclasses import dataclass

import numpy as np

from strategies.model.quotes import FloatArray

_STEEPEST = 0.999  # share of the butterfly bounds that a slice may use
_LEAST_GROWTH = 1e-4  # of theta from one slice to the next
_ROUNDS = 3  # of substitution; the error after them is below 0.001 vol points
_ROUNDS_FROM_CLOSE = 1

# Moneyness in at-the-money deviations over which a variance swap is integrated
_X = np.linspace(-10.0, 6.0, 81)
_X_WEIGHT = np.full(_X.shape, _X[1] - _X[0]) / math.sqrt(2 * math.pi)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Slices:
    """SSVI parameters of several expiries; arrays of one shape."""

    theta: FloatArray
    psi: FloatArray
    chi: FloatArray  # rho psi


def total_variance(k: FloatArray, slices: Slices) -> FloatArray:
    """Return total implied variance at log-moneyness ``k``; shapes broadcast."""
    theta, psi = slices.theta, slices.psi
    rho = slices.chi / psi
    bent = psi / theta * k
    variance: FloatArray = (
        0.5 * theta * (1.0 + rho * bent + np.sqrt((bent + rho) ** 2 + 1.0 - rho * rho))
    )
    return variance


def solve_theta(
    swap_variance: FloatArray,
    odds: FloatArray,
    rho: FloatArray,
    bend: FloatArray,
    start: FloatArray | None = None,
) -> FloatArray:
    """Return the theta with which log contract plus ``odds`` times theta cost a given variance.

    A log contract pays ``integral w(k) n(d2(k)) |d2'(k)| dk``. With ``k = x sqrt(theta)`` and
    ``bend = psi / sqrt(theta)`` the smile is theta times a function of x alone, and the integral
    over theta depends on theta only weakly, so a few rounds of substitution settle it, fewer from
    a ``start`` that is close.

    Shapes: (k,) each, one entry a slice, and the result.
    Source: Fukasawa (2012), the normalising transformation of implied volatility.
    """
    bend_column, rho_column = bend[:, None], rho[:, None]
    tilted = bend_column * _X + rho_column
    root = np.sqrt(tilted * tilted + 1.0 - rho_column * rho_column)
    smile = 0.5 * (1.0 + rho_column * bend_column * _X + root)
    smile_slope = 0.5 * bend_column * (rho_column + tilted / root)
    deviation = np.sqrt(smile)
    d2_flat, d2_drift = _X / deviation, 0.5 * deviation
    slope_flat = (1.0 - 0.5 * _X * smile_slope / smile) / deviation
    slope_drift = 0.25 * smile_slope / deviation
    weighted = smile * _X_WEIGHT
    theta = swap_variance / (1.0 + odds) if start is None else start
    for _ in range(_ROUNDS if start is None else _ROUNDS_FROM_CLOSE):
        root_theta = np.sqrt(theta)[:, None]
        d2 = d2_flat + root_theta * d2_drift
        density = np.exp(-0.5 * d2 * d2) * (slope_flat + root_theta * slope_drift)
        theta = swap_variance / ((weighted * density).sum(axis=1) + odds)
    return theta


def without_arbitrage(theta: FloatArray, psi: FloatArray, rho: FloatArray) -> Slices:
    """Return the nearest slices, in order of expiry, that are free of static arbitrage.

    Butterflies: ``psi (1 + |rho|) < 4`` and ``psi^2 (1 + |rho|) <= 4 theta``. Calendars: theta
    rises, psi rises by at least what a change of rho asks and by at most what theta does. Where
    both cannot be had the slice takes the rho before it. Slices between two of these, linear in
    (theta, psi, chi), are free of arbitrage too.

    Shapes: (k,), ascending by expiry.
    Source: Corbetta et al. (2019), propositions 3.1, 3.5 and 4.1.
    """
    thetas, psis, rhos = theta.tolist(), psi.tolist(), rho.tolist()
    for index in range(len(thetas)):
        if index == 0:
            psis[0] = min(psis[0], _butterfly_bound(thetas[0], rhos[0]))
            continue
        before = index - 1
        thetas[index] = max(thetas[index], thetas[before] * (1.0 + _LEAST_GROWTH))
        least, most = _calendar_bounds(index, thetas, psis, rhos)
        if least > most:
            rhos[index] = rhos[before]
            least, most = _calendar_bounds(index, thetas, psis, rhos)
        psis[index] = min(max(psis[index], least), most)
    safe_psi = np.array(psis)
    return Slices(theta=np.array(thetas), psi=safe_psi, chi=np.array(rhos) * safe_psi)


def _butterfly_bound(theta: float, rho: float) -> float:
    steep = 1.0 + abs(rho)
    return _STEEPEST * min(4.0 / steep, 2.0 * math.sqrt(theta / steep))


def _calendar_bounds(
    index: int, thetas: list[float], psis: list[float], rhos: list[float]
) -> tuple[float, float]:
    before = index - 1
    rho, rho_before = rhos[index], rhos[before]
    turn = max((1.0 + rho_before) / (1.0 + rho), (1.0 - rho_before) / (1.0 - rho))
    growth = thetas[index] / thetas[before]
    most = min(psis[before] * growth, _butterfly_bound(thetas[index], rho))
    return psis[before] * turn, most
