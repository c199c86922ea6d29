"""The implied-vol smiles of VIX options at one instant, from VVIX and the VIX futures.

Each expiry has its own underlying, the VX future of that expiry, and so a smile of its own: SSVI,
tilted upward. VVIX sets the level at 30 days; shorter expiries are higher and longer ones
lower, the more so the higher VVIX is (a shock to the VIX fades). The smile is flatter when the
future is already high. The constants were fitted to calls of 2022 and 2023 by
``benchmarks/surface_fit.py --fit``; ``docs/market.md`` states the errors in 2024.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from bot.exchange.smiles import Slices, total_variance
from bot.exchange.spx_surface import both_rights
from strategies.model.quotes import FloatArray, IntArray
from strategies.pricing import black76


@dataclass(frozen=True, slots=True, kw_only=True)
class VixShape:
    """The fitted constants. Tenor is ln(days / 30), height ln(future / 18), VVIX ln(VVIX / 90)."""

    level: float = -0.109  # log of at-the-money vol over VVIX
    level_tenor: float = -0.088
    level_tenor_squared: float = -0.027
    level_tenor_vvix: float = -0.394
    tilt: float = 0.536  # inverse hyperbolic tangent of rho
    tilt_height: float = 0.197
    bend: float = 0.227  # log of psi / sqrt(theta)
    bend_tenor: float = -0.005
    bend_height: float = -0.501
    bend_vvix: float = 0.239


FITTED_VIX_SHAPE: Final = VixShape()

# Beyond what the fit has seen the constants are not trusted: their arguments stop here.
_DAYS_RANGE: Final = (4.0, 250.0)
_FUTURE_RANGE: Final = (11.0, 40.0)
_VVIX_RANGE: Final = (65.0, 220.0)
_STEEPEST: Final = 0.98  # share of the butterfly bounds that a smile may use


def vix_smiles(
    futures: FloatArray, t_years: FloatArray, vvix: float, shape: VixShape = FITTED_VIX_SHAPE
) -> Slices:
    """Return one smile an expiry, free of butterflies, (k,).

    Args:
        futures: (k,) VX of each expiry, index points.
        t_years: (k,) years to settlement, positive.
        vvix: VVIX, index points.
        shape: The constants.
    """
    tenor = np.log(np.clip(t_years * 365.0, *_DAYS_RANGE) / 30.0)
    height = np.log(np.clip(futures, *_FUTURE_RANGE) / 18.0)
    excited = math.log(min(max(vvix, _VVIX_RANGE[0]), _VVIX_RANGE[1]) / 90.0)
    vol = (vvix / 100.0) * np.exp(
        shape.level
        + shape.level_tenor * tenor
        + shape.level_tenor_squared * tenor * tenor
        + shape.level_tenor_vvix * tenor * excited
    )
    theta = vol * vol * t_years
    root_theta = vol * np.sqrt(t_years)
    rho = np.tanh(shape.tilt + shape.tilt_height * height)
    bend = np.exp(
        shape.bend
        + shape.bend_tenor * tenor
        + shape.bend_height * height
        + shape.bend_vvix * excited
    )
    steep = 1.0 + rho
    psi = np.minimum(bend * root_theta, _STEEPEST * 2.0 * np.sqrt(theta / steep))
    psi = np.minimum(psi, _STEEPEST * 4.0 / steep)
    return Slices(theta=theta, psi=psi, chi=rho * psi)


def vix_option_values(
    smiles: Slices,
    series_index: IntArray,
    futures: FloatArray,
    strike: FloatArray,
    discount: FloatArray,
) -> FloatArray:
    """Return the values of puts and calls, (m, 2), index points: Black-76 on the future.

    Args:
        smiles: Of k series.
        series_index: (m,) into the series.
        futures: (k,) index points.
        strike: (m,) index points.
        discount: (k,) discount factors.
    """
    own = Slices(
        theta=smiles.theta[series_index],
        psi=smiles.psi[series_index],
        chi=smiles.chi[series_index],
    )
    forward, own_discount = futures[series_index], discount[series_index]
    is_call = strike >= forward
    vol = np.sqrt(total_variance(np.log(strike / forward), own))
    value = black76.price(forward, strike, 1.0, vol, own_discount, is_call)
    return both_rights(value, is_call, forward, strike, own_discount)
