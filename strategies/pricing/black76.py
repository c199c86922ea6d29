"""Black-76: what a European option on a forward is worth, and how that changes.

F forward, K strike, T years, sigma vol (decimal), D discount factor, s = +1 call and -1 put:
``V = D s [F N(s d1) - K N(s d2)]``, ``d1 = ln(F/K) / (sigma sqrt T) + sigma sqrt T / 2``,
``d2 = d1 - sigma sqrt T`` (Black 1976). Without time or vol left an option is worth its discounted
intrinsic value.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from strategies.model.quotes import FloatArray

DAYS_PER_YEAR = 365.0
_INVERSE_ROOT_TWO_PI = 1.0 / math.sqrt(2.0 * math.pi)
_SMALLEST_DEVIATION = 1e-100  # stands for zero in ln(F/K) / deviation, which stays finite


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Greeks:
    """Sensitivities of one long option per index point of price; arrays of one common shape."""

    delta: FloatArray  # per +1 point of the forward, discounted
    gamma: FloatArray  # change of delta per +1 point of the forward
    vega: FloatArray  # points per vol point (0.01 of implied vol)
    theta: FloatArray  # points per calendar day, forward and vol unchanged


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SecondGreeks:
    """How the sensitivities of one long option change; arrays of one common shape.

    Put and call of one strike share all but charm, which differs by the accrual on delta.
    """

    gamma: FloatArray  # of delta per +1 point of the forward
    vanna: FloatArray  # of delta per vol point; also of vega per +1 point of the forward
    volga: FloatArray  # of vega per vol point: points per vol point squared
    charm: FloatArray  # of delta per calendar day that passes
    veta: FloatArray  # of vega per calendar day that passes


def price(
    forward: ArrayLike,
    strike: ArrayLike,
    t_years: ArrayLike,
    vol: ArrayLike,
    discount: ArrayLike,
    is_call: ArrayLike,
) -> FloatArray:
    """Return option values in index points.

    Shapes: the arguments broadcast; the result has their common shape.
    Units: years of 365 days, vol as an annualised decimal. Forward and strike are positive, time
        and vol not negative.
    Source: Black (1976).
    """
    forward, strike = _floats(forward), _floats(strike)
    deviation = _floats(vol) * np.sqrt(_floats(t_years))
    d1 = _d1(forward, strike, deviation)
    sign = np.where(is_call, 1.0, -1.0)
    undiscounted = forward * ndtr(sign * d1) - strike * ndtr(sign * (d1 - deviation))
    value: FloatArray = np.maximum(_floats(discount) * sign * undiscounted, 0.0)
    return value


def greeks(
    forward: ArrayLike,
    strike: ArrayLike,
    t_years: ArrayLike,
    vol: ArrayLike,
    discount: ArrayLike,
    is_call: ArrayLike,
    rate: ArrayLike,
) -> Greeks:
    """Return the sensitivities of ``price``.

    ``rate`` (continuously compounded, per year) is what theta accrues at; it should be the one
    that ``discount`` was made of. Where no time or vol is left gamma and vega are 0.

    Shapes and units: as ``price``; those of the result stand at ``Greeks``.
    """
    forward, strike, vol = _floats(forward), _floats(strike), _floats(vol)
    discount, rate = _floats(discount), _floats(rate)
    root_t = np.sqrt(_floats(t_years))
    deviation = vol * root_t
    d1 = _d1(forward, strike, deviation)
    sign = np.where(is_call, 1.0, -1.0)
    n_d1 = ndtr(sign * d1)
    value = discount * (sign * (forward * n_d1 - strike * ndtr(sign * (d1 - deviation))))
    density = np.where(deviation > 0, discount * _INVERSE_ROOT_TWO_PI * np.exp(-0.5 * d1 * d1), 0.0)
    vega = forward * density * root_t
    # vega x vol / (2 T), written so that T = 0 needs no division
    decay = 0.5 * forward * density * vol / np.maximum(root_t, _SMALLEST_DEVIATION)
    return Greeks(
        delta=discount * sign * n_d1,
        gamma=density / (forward * np.maximum(deviation, _SMALLEST_DEVIATION)),
        vega=vega * 0.01,
        theta=(rate * value - decay) / DAYS_PER_YEAR,
    )


def second_greeks(
    forward: ArrayLike,
    strike: ArrayLike,
    t_years: ArrayLike,
    vol: ArrayLike,
    discount: ArrayLike,
    is_call: ArrayLike,
    rate: ArrayLike,
) -> SecondGreeks:
    """Return the second-order sensitivities of ``price``.

    ``rate`` (continuously compounded, per year) is what charm and veta accrue at; it should be the
    one that ``discount`` was made of. Where no time or vol is left all are 0.

    Shapes and units: as ``price``; those of the result stand at ``SecondGreeks``.
    Source: with phi the normal density, d1' = -d2 / (2 T) and vega = D F phi(d1) sqrt T,
    differentiated once more.
    """
    forward, strike, vol = _floats(forward), _floats(strike), _floats(vol)
    discount, rate, t_years = _floats(discount), _floats(rate), _floats(t_years)
    root_t = np.sqrt(t_years)
    deviation = vol * root_t
    alive = deviation > 0
    d1 = _d1(forward, strike, deviation)
    d2 = d1 - deviation
    density = np.where(alive, discount * _INVERSE_ROOT_TWO_PI * np.exp(-0.5 * d1 * d1), 0.0)
    # Where nothing is alive the density is zero, and these only keep the quotients on numbers
    some_deviation, some_vol = np.where(alive, deviation, 1.0), np.where(alive, vol, 1.0)
    two_years = np.where(alive, 2.0 * t_years, 1.0)
    d1, d2 = np.where(alive, d1, 0.0), np.where(alive, d2, 0.0)
    vega = forward * density * root_t * 0.01
    sign = np.where(is_call, 1.0, -1.0)
    delta = np.where(alive, discount * sign * ndtr(sign * d1), 0.0)
    return SecondGreeks(
        gamma=density / (forward * some_deviation),
        vanna=-0.01 * density * d2 / some_vol,
        volga=0.01 * vega * d1 * d2 / some_vol,
        charm=(rate * delta + density * d2 / two_years) / DAYS_PER_YEAR,
        veta=vega * (rate - (1.0 + d1 * d2) / two_years) / DAYS_PER_YEAR,
    )


def _floats(values: ArrayLike) -> FloatArray:
    return np.asarray(values, dtype=np.float64)


def _d1(forward: FloatArray, strike: FloatArray, deviation: FloatArray) -> FloatArray:
    d1: FloatArray = np.log(forward / strike) / np.maximum(deviation, _SMALLEST_DEVIATION)
    return d1 + 0.5 * deviation
