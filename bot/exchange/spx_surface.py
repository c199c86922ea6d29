"""The implied-vol surface of SPX at one instant, from VIX9D, VIX, VIX3M, VIX6M and VVIX.

Each volatility index is the price of a variance swap of its tenor; between them the swap rate is
interpolated in the square root of time. A mixture turns a swap rate into option prices: with
probability ``1 - q`` the index ends in a *core* distribution given by an SSVI smile, with the small
probability ``q`` (growing with time) it has crashed to a lognormal far below. The core makes the
smile between the 5-delta strikes, the crash the far puts, without which a smile that fits those
strikes falls short of the VIX by 6 %. The at-the-money level of the core is solved so that core and
crash together cost exactly the swap rate: the surface reproduces the VIX it was made from.

Tilt and curvature follow VVIX, the one index that says how steep the smile is today. The constants
were fitted to the chains before 2023 by ``benchmarks/surface_fit.py --fit``; ``docs/market.md``
states the errors on later ones.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from bot.exchange.smiles import Slices, solve_theta, total_variance, without_arbitrage
from strategies.model.quotes import FloatArray
from strategies.pricing import black76

DIVIDEND_YIELD: Final = 0.016  # per year; implied by parity in 2020-2023 chains, 0.015 to 0.021

# Tenors at which the smile is built; between them it is linear in (theta, psi, chi).
_NODE_DAYS: Final = np.array([1, 3, 9, 18, 30, 45, 65, 93, 135, 183, 365, 800], dtype=np.float64)
_NODE_YEARS: Final = _NODE_DAYS / 365.0
_WITH_ORIGIN: Final = np.concatenate(([0.0], _NODE_YEARS))
_INDEX_DAYS: Final = (1.0, 9.0, 30.0, 93.0, 183.0, 365.0)
_DAY_OVER_NINE_DAYS: Final = 0.9  # VIX1D over VIX9D, median of 2023-2026
_YEAR_EXTENSION: Final = 0.5  # of the slope between VIX3M and VIX6M carried on to one year
_LEAST_FORWARD_VOL: Final = 0.3  # of the vol before: forward variance never falls under its square
_REFITS: Final = 4
_SAME: Final = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The fitted constants of tilt, curvature and crash.

    In at-the-money deviations both tilt (chi / sqrt(theta)) and bend (psi / sqrt(theta)) build up
    with the tenor as ``most sqrt(days / (days + build_up))``: quickly when the vol of vol is high.
    """

    bend_most: float = 1.06
    bend_days: float = 23.7  # build-up at VIX 20 and VVIX 100
    bend_vix: float = 2.82  # elasticity of the build-up to VIX
    bend_vvix: float = -5.58  # and to VVIX
    tilt_most: float = 0.765
    tilt_days_calm: float = 116.0  # build-up at and below the calm VVIX
    tilt_days_excited: float = 17.0  # at and above the excited one, geometric between them
    vvix_calm: float = 90.0
    vvix_excited: float = 112.0
    crash_rate: float = 0.015  # per year
    crash_mean: float = -0.45  # log of the crashed forward over the forward
    crash_deviation: float = 0.45


FITTED_SHAPE: Final = Shape()
_BEND_DAYS_LEAST: Final = 2.0
_BEND_DAYS_MOST: Final = 200.0
_STEEPEST_RHO: Final = 0.9
_CRASH_SHARE_MOST: Final = 0.4  # of the lowest swap variance; keeps a core in the calmest markets


@dataclass(frozen=True, slots=True, kw_only=True)
class VolLevels:
    """Volatility indices of one instant, index points."""

    vix9d: float
    vix: float
    vix3m: float
    vix6m: float
    vvix: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SpxSmiles:
    """The surface at the expiries of interest; arrays (k,)."""

    core: Slices
    crash_weight: FloatArray
    core_shift: FloatArray  # core forward over forward
    crash_shift: float  # crashed forward over forward
    crash_total_variance: FloatArray


class SpxSurface:
    """Smiles of every tenor at one instant."""

    def __init__(self, levels: VolLevels, shape: Shape = FITTED_SHAPE) -> None:
        """Build the smiles.

        Args:
            levels: The indices; all positive.
            shape: Tilt, curvature and crash.
        """
        self._shape = shape
        swap = _swap_variance(levels)
        self._crash_rate = _crash_rate(swap, shape)
        bend = _bend(levels, shape)
        rho = -np.minimum(_tilt(levels, shape) / bend, _STEEPEST_RHO)
        safe = self._fit_swaps(swap, rho, bend)
        # at zero tenor nothing has happened yet: all three start from nought
        self._theta = np.concatenate(([0.0], safe.theta))
        self._psi = np.concatenate(([0.0], safe.psi))
        self._chi = np.concatenate(([0.0], safe.chi))

    def at(self, t_years: FloatArray) -> SpxSmiles:
        """Return the smiles of expiries ``t_years`` away, (k,), each positive."""
        theta = np.interp(t_years, _WITH_ORIGIN, self._theta)
        core = Slices(
            theta=theta,
            psi=np.interp(t_years, _WITH_ORIGIN, self._psi),
            chi=np.interp(t_years, _WITH_ORIGIN, self._chi),
        )
        weight = self._crash_rate * t_years
        fall = math.exp(self._shape.crash_mean)
        return SpxSmiles(
            core=core,
            crash_weight=weight,
            core_shift=(1.0 - weight * fall) / (1.0 - weight),
            crash_shift=fall,
            crash_total_variance=self._shape.crash_deviation**2 + theta,
        )

    def _fit_swaps(self, swap: FloatArray, rho: FloatArray, bend: FloatArray) -> Slices:
        """Return arbitrage-free slices with which core and crash cost ``swap``.

        A mixture's log contract is the mixture of its parts' log contracts, each of which is worth
        its variance less twice the log of its forward over the whole's. Where a steeply inverted
        curve leaves no room for the fitted bend, the level is solved again with what fits.
        """
        shape = self._shape
        weight = self._crash_rate * _NODE_YEARS
        core_shift = (1.0 - weight * math.exp(shape.crash_mean)) / (1.0 - weight)
        crash = weight * (shape.crash_deviation**2 - 2.0 * shape.crash_mean)
        core = (swap - crash) / (1.0 - weight) + 2.0 * np.log(core_shift)
        odds = weight / (1.0 - weight)  # the crash rides on the core's variance as well
        theta = solve_theta(core, odds, rho, bend)
        wanted = bend * np.sqrt(theta)
        safe = without_arbitrage(theta, wanted, rho)
        for _ in range(_REFITS):
            if (np.abs(safe.psi - wanted) <= _SAME * wanted).all():
                break
            rho = safe.chi / safe.psi
            bend = safe.psi / np.sqrt(safe.theta)
            theta = solve_theta(core, odds, rho, bend, start=safe.theta)
            wanted = safe.psi * np.sqrt(theta / safe.theta)
            safe = without_arbitrage(theta, wanted, rho)
        return safe


def option_values(
    smiles: SpxSmiles,
    series_index: np.ndarray[tuple[int], np.dtype[np.int64]],
    forward: FloatArray,
    strike: FloatArray,
    discount: FloatArray,
) -> FloatArray:
    """Return the values of puts and calls, (m, 2), index points.

    Args:
        smiles: Of k series.
        series_index: (m,) into the series.
        forward: (k,) index points.
        strike: (m,) index points.
        discount: (k,) discount factors.
    """
    own = Slices(
        theta=smiles.core.theta[series_index],
        psi=smiles.core.psi[series_index],
        chi=smiles.core.chi[series_index],
    )
    own_forward = forward[series_index]
    own_discount = discount[series_index]
    weight = smiles.crash_weight[series_index]
    core_forward = own_forward * smiles.core_shift[series_index]
    is_call = strike >= own_forward
    core_vol = np.sqrt(total_variance(np.log(strike / core_forward), own))
    crash_vol = np.sqrt(smiles.crash_total_variance)[series_index]
    core = black76.price(core_forward, strike, 1.0, core_vol, own_discount, is_call)
    crash_forward = own_forward * smiles.crash_shift
    crash = black76.price(crash_forward, strike, 1.0, crash_vol, own_discount, is_call)
    out_of_the_money = (1.0 - weight) * core + weight * crash
    return both_rights(out_of_the_money, is_call, own_forward, strike, own_discount)


def both_rights(
    out_of_the_money: FloatArray,
    is_call: np.ndarray[tuple[int], np.dtype[np.bool_]],
    forward: FloatArray,
    strike: FloatArray,
    discount: FloatArray,
) -> FloatArray:
    """Return puts and calls, (m, 2), from the option out of the money, by put-call parity."""
    parity = discount * (forward - strike)
    put = np.where(is_call, out_of_the_money - parity, out_of_the_money)
    call = np.where(is_call, out_of_the_money, out_of_the_money + parity)
    return np.stack((put, call), axis=1)


def _bend(levels: VolLevels, shape: Shape) -> FloatArray:
    """Return psi / sqrt(theta) at the nodes."""
    build_up = (
        shape.bend_days
        * (levels.vix / 20.0) ** shape.bend_vix
        * (levels.vvix / 100.0) ** shape.bend_vvix
    )
    build_up = min(max(build_up, _BEND_DAYS_LEAST), _BEND_DAYS_MOST)
    bend: FloatArray = shape.bend_most * np.sqrt(_NODE_DAYS / (_NODE_DAYS + build_up))
    return bend


def _tilt(levels: VolLevels, shape: Shape) -> FloatArray:
    """Return -chi / sqrt(theta) at the nodes."""
    range_ = math.log(shape.vvix_excited / shape.vvix_calm)
    excited = min(max(math.log(levels.vvix / shape.vvix_calm) / range_, 0.0), 1.0)
    build_up = shape.tilt_days_calm * (shape.tilt_days_excited / shape.tilt_days_calm) ** excited
    tilt: FloatArray = shape.tilt_most * np.sqrt(_NODE_DAYS / (_NODE_DAYS + build_up))
    return tilt


def _swap_variance(levels: VolLevels) -> FloatArray:
    """Return total variance of a variance swap to each node, rising with the tenor."""
    year = levels.vix6m + _YEAR_EXTENSION * (levels.vix6m - levels.vix3m)
    year = max(year, 0.7 * levels.vix6m)
    day = _DAY_OVER_NINE_DAYS * levels.vix9d
    indices = (day, levels.vix9d, levels.vix, levels.vix3m, levels.vix6m, year)
    vol = np.interp(np.sqrt(_NODE_DAYS), np.sqrt(_INDEX_DAYS), indices) / 100.0
    variance = (vol * vol * _NODE_YEARS).tolist()
    for index in range(1, len(variance)):
        step = _NODE_YEARS[index] - _NODE_YEARS[index - 1]
        before = variance[index - 1] / _NODE_YEARS[index - 1]
        least = variance[index - 1] + _LEAST_FORWARD_VOL**2 * before * step
        variance[index] = max(variance[index], least)
    return np.array(variance)


def _crash_rate(swap: FloatArray, shape: Shape) -> float:
    """Return crashes per year: the fitted rate, or less where the swap would hardly pay for it."""
    fall = math.exp(shape.crash_mean)
    # variance per year that the crash adds to a log contract, the core's shift taken off
    cost = shape.crash_deviation**2 - 2.0 * shape.crash_mean - 2.0 * (1.0 - fall)
    lowest = float((swap / _NODE_YEARS).min())
    return min(shape.crash_rate, _CRASH_SHARE_MOST * lowest / cost)
