"""A smooth vol for every strike of a chain, fitted series by series to out-of-the-money mids.

In each series the total variance, over that at the money, is a cubic P-spline (Eilers and Marx,
1996: uniform B-splines with a penalty on second differences) of a coordinate

    u = arcsinh(z / 1.5),   z = ln(K/F) / (atm vol sqrt T),

which is fine around the money and coarse in the wings. Weights are those of the quotes: half the
spread over vega is what a vol is uncertain by. Where nothing is quoted the penalty continues the
curve straight in u. All series are fitted at once.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from strategies.model.quotes import CALL, PUT, BoolArray, FloatArray, IntArray, OptionChain
from strategies.pricing.forwards import Forwards
from strategies.pricing.implied_vol import implied_vol

_SCALE = 1.5  # of z inside arcsinh
_REACH = 2.6  # |u| covered: |z| up to 10; beyond it the vol stays what it is there
_STEP = 0.4
_INTERVALS = round(2 * _REACH / _STEP)
_COEFFICIENTS = _INTERVALS + 3
_SMOOTHING = 1.0  # weight of the penalty; see the error on recorded chains in the tests
_NOISE = 0.02  # of the variance: what a spline may miss a vol by however tight the quote
_OUTLIER = 4.0  # errors beyond which a quote counts less
_FEWEST_QUOTES = 5
_FEWEST_EACH_SIDE = 2  # of the money
_LEAST_VARIANCE = 0.01  # of that at the money
_LEAST_SPREAD = 0.01  # points; a locked market is not exact
_LEAST_VEGA = 1e-6
_ROWS_AT_ONCE = 2048  # of the normal equations: temporaries that stay in the cache
_INVERSE_ROOT_TWO_PI = 1.0 / math.sqrt(2.0 * math.pi)

_DIFFERENCES = np.diff(np.eye(_COEFFICIENTS), n=2, axis=0)
# The second term keeps the system solvable for a series without a single quote
_PENALTY = _SMOOTHING * (_DIFFERENCES.T @ _DIFFERENCES) + 1e-9 * np.eye(_COEFFICIENTS)
_FOUR = np.arange(4)
_PAIRS = _FOUR[:, None] * _COEFFICIENTS + _FOUR  # offsets of a 4 x 4 block in the flat system


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class QuotedVols:
    """Vols of the out-of-the-money quotes that tell one, in chain order, shape (n,)."""

    series: IntArray
    is_call: BoolArray
    log_moneyness: FloatArray  # ln(K/F)
    deviation: FloatArray  # vol x sqrt(T)
    error: FloatArray  # of the deviation: half the spread over vega


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FitQuality:
    """How well the smoothed vols meet the quoted ones: one entry a series, and of the chain.

    All 0 for a series that is not ok.
    """

    quotes: IntArray  # (k,) vols that were fitted
    vol_points: FloatArray  # (k,) root mean square miss, weighted as in the fit
    spreads: FloatArray  # (k,) root mean square of the miss over bid to ask, each quote once
    inside: FloatArray  # (k,) share of quotes whose bid and ask the fit lies between
    chain_vol_points: float
    chain_spreads: float
    chain_inside: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Surface:
    """Smoothed vols of one chain."""

    forwards: Forwards
    ok: BoolArray  # (k,) series whose fit can be trusted: enough quotes, on both sides of the money
    deviation: FloatArray  # (k,) atm vol x sqrt(T) that the coordinate is measured in
    coefficients: FloatArray  # (k, 16) of the splines
    quoted: QuotedVols  # what was fitted

    def vol(self, series_index: IntArray | int, strike: ArrayLike) -> FloatArray:
        """Return the vol at each strike, annualised decimal; 0 where the series is not ok.

        Shapes: ``series_index`` (n,) or a scalar, ``strike`` (n,); the result has their common
        shape.
        """
        ok = self.ok[series_index]
        forward = np.where(ok, self.forwards.forward[series_index], 1.0)
        deviation = np.where(ok, self.deviation[series_index], 1.0)
        t_years = np.where(ok, self.forwards.t_years[series_index], 1.0)
        first, weights = _basis(np.log(np.asarray(strike) / forward) / deviation)
        ratio = _spline(self.coefficients, np.asarray(series_index), first, weights)
        vol: FloatArray = deviation * np.sqrt(np.maximum(ratio, _LEAST_VARIANCE) / t_years)
        return np.where(ok, vol, 0.0)

    def atm_vol(self, series_index: int) -> float:
        """Return the vol at the forward; 0 if the series is not ok."""
        return float(self.vol(series_index, self.forwards.forward[series_index]))

    @property
    def quality(self) -> FitQuality:
        """How well the surface meets its quotes; worked out each time it is asked for."""
        quoted, count = self.quoted, len(self.ok)
        rows = np.flatnonzero(self.ok[quoted.series])
        series, deviation, error = (
            quoted.series[rows],
            quoted.deviation[rows],
            quoted.error[rows],
        )
        strike = self.forwards.forward[series] * np.exp(quoted.log_moneyness[rows])
        root_t = np.sqrt(self.forwards.t_years[series])
        miss = self.vol(series, strike) * root_t - deviation
        weight = 1.0 / (error * error + (0.5 * _NOISE * deviation) ** 2)
        each = np.stack(
            [
                np.ones(len(rows)),
                weight,
                weight * (100.0 * miss / root_t) ** 2,
                (0.5 * miss / error) ** 2,
                np.abs(miss) <= error,
            ]
        )
        sums = np.stack([np.bincount(series, column, count) for column in each])
        quotes, weights, squares, spreads, inside = sums
        held, total = np.maximum(quotes, 1.0), sums.sum(axis=1)
        all_quotes = max(float(total[0]), 1.0)
        return FitQuality(
            quotes=quotes.astype(np.int64),
            vol_points=np.sqrt(squares / np.where(weights > 0, weights, 1.0)),
            spreads=np.sqrt(spreads / held),
            inside=inside / held,
            chain_vol_points=math.sqrt(float(total[2]) / float(total[1])) if total[1] else 0.0,
            chain_spreads=math.sqrt(float(total[3]) / all_quotes),
            chain_inside=float(total[4]) / all_quotes,
        )


def fit_surface(chain: OptionChain, forwards: Forwards) -> Surface:
    """Return the smoothed vols of a chain.

    Only out-of-the-money quotes with a bid and an offer that are not crossed count. A quote that
    lies more than four errors off the first fit is given less weight in a second one.
    """
    vols = _quoted_vols(chain, forwards)
    ok, deviation = _scales(vols, forwards)
    series = vols.series
    scale = np.where(deviation > 0, deviation, 1.0)
    first, weights = _basis(vols.log_moneyness / scale[series])
    target = (vols.deviation / scale[series]) ** 2
    # d(variance ratio) = 2 ratio d(vol) / vol, and d(vol sqrt T) = half spread / normalised vega
    error: FloatArray = np.hypot(2.0 * target * vols.error / vols.deviation, _NOISE * target)
    weight: FloatArray = 1.0 / (error * error)
    coefficients = _solve(series, first, weights, target, weight, len(ok))
    fitted = _spline(coefficients, series, first, weights)
    miss = np.abs(fitted - target) / (_OUTLIER * error)
    if (miss > 1.0).any():
        weight = weight / np.maximum(miss, 1.0) ** 2
        # A series is solved by itself: those without an outlier keep what they have
        again = np.bincount(series, miss > 1.0, len(ok)) > 0
        rows = np.flatnonzero(again[series])
        number = np.cumsum(again) - 1
        coefficients[again] = _solve(
            number[series[rows]],
            first[rows],
            weights[:, rows],
            target[rows],
            weight[rows],
            int(again.sum()),
        )
    return Surface(
        forwards=forwards,
        ok=ok,
        deviation=deviation,
        coefficients=coefficients,
        quoted=vols,
    )


def _quoted_vols(chain: OptionChain, forwards: Forwards) -> QuotedVols:
    is_call = chain.strike >= forwards.forward[chain.series_index]
    bid = np.where(is_call, chain.bid[:, CALL], chain.bid[:, PUT])
    ask = np.where(is_call, chain.ask[:, CALL], chain.ask[:, PUT])
    rows = np.flatnonzero(forwards.ok[chain.series_index] & (bid > 0) & (ask >= bid))
    bid, ask, is_call, strike = bid[rows], ask[rows], is_call[rows], chain.strike[rows]
    series = chain.series_index[rows]
    forward, t_years = forwards.forward[series], forwards.t_years[series]
    discount = forwards.discount[series]
    vol = implied_vol(0.5 * (bid + ask), forward, strike, t_years, discount, is_call)
    deviation = np.where(vol.ok, vol.vol, 1.0) * np.sqrt(t_years)
    log_moneyness = np.log(strike / forward)
    d1 = 0.5 * deviation - log_moneyness / deviation
    vega = discount * forward * _INVERSE_ROOT_TWO_PI * np.exp(-0.5 * d1 * d1)
    error: FloatArray = 0.5 * np.maximum(ask - bid, _LEAST_SPREAD) / np.maximum(vega, _LEAST_VEGA)
    good = slice(None) if vol.ok.all() else np.flatnonzero(vol.ok)
    return QuotedVols(
        series=series[good],
        is_call=is_call[good],
        log_moneyness=log_moneyness[good],
        deviation=deviation[good],
        error=error[good],
    )


def _scales(vols: QuotedVols, forwards: Forwards) -> tuple[BoolArray, FloatArray]:
    """Return which series can be fitted, and the mean deviation of the quotes beside the money."""
    series_count = len(forwards.ok)
    puts = np.bincount(vols.series[~vols.is_call], minlength=series_count)
    count = np.bincount(vols.series, minlength=series_count)
    ok = (puts >= _FEWEST_EACH_SIDE) & (count - puts >= _FEWEST_EACH_SIDE)
    ok &= count >= _FEWEST_QUOTES
    first_call = (np.cumsum(count) - count + puts)[ok]
    deviation = np.zeros(series_count)
    deviation[ok] = 0.5 * (vols.deviation[first_call - 1] + vols.deviation[first_call])
    return ok, deviation


def _basis(z: FloatArray) -> tuple[IntArray, FloatArray]:
    """Return the first of the four splines alive at each z, and their values (4, ...)."""
    position = (np.arcsinh(z * (1.0 / _SCALE)) + _REACH) * (1.0 / _STEP)
    position = np.clip(position, 0.0, _INTERVALS)
    first = np.minimum(position.astype(np.int64), _INTERVALS - 1)
    t = position - first
    rest = 1.0 - t
    t_squared = t * t
    weights = np.empty((4, *np.shape(z)))
    weights[0] = rest * rest * rest * (1.0 / 6.0)
    weights[1] = 2.0 / 3.0 - t_squared + 0.5 * t_squared * t
    weights[3] = t_squared * t * (1.0 / 6.0)
    weights[2] = 1.0 - weights[0] - weights[1] - weights[3]
    return first, weights


def _spline(
    coefficients: FloatArray, series: IntArray, first: IntArray, weights: FloatArray
) -> FloatArray:
    """Return the splines of ``series`` where ``first`` and ``weights`` are those of ``_basis``."""
    flat, start = coefficients.ravel(), series * _COEFFICIENTS + first
    value: FloatArray = weights[0] * flat[start]
    for n in (1, 2, 3):
        value += weights[n] * flat[start + n]
    return value


def _solve(
    series: IntArray,
    first: IntArray,
    basis: FloatArray,
    target: FloatArray,
    weight: FloatArray,
    series_count: int,
) -> FloatArray:
    """Return the coefficients (k, 16) of the penalised weighted least squares of every series.

    Shapes: ``basis`` (4, n); ``series``, ``first``, ``target`` and ``weight`` (n,).
    """
    size = _COEFFICIENTS
    corner = series * (size * size) + first * (size + 1)
    weighted = basis * weight
    system = np.zeros(series_count * size * size)
    for start in range(0, len(series), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        products = weighted[:, None, rows] * basis[None, :, rows]
        cells = corner[rows, None, None] + _PAIRS
        # row by row, as the sums have always been taken: another order has other last digits
        np.add.at(system, cells.ravel(), products.reshape(_PAIRS.size, -1).T.ravel())
    right = np.bincount(
        ((series * size + first)[:, None] + _FOUR).ravel(),
        (weighted * target).T.ravel(),
        series_count * size,
    ).reshape(series_count, size, 1)
    solution = np.linalg.solve(system.reshape(series_count, size, size) + _PENALTY, right)
    return np.asarray(solution[..., 0], dtype=np.float64)
