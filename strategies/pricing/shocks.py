"""What the book would gain or lose at once if SPX and VIX jumped: a full repricing.

Conventions, the same everywhere (rules B1, C12, L4). For a VIX move of x points:
SPX options keep their vol at each distance from the forward (K/F), plus x w(T) vol points, the
factor vega convention: the surface travels with the index, as VIX itself is measured at the money.
VX futures move by x beta(t). VIX options keep the vol of their strike; their future moves.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from strategies.model.book import CondorPosition, HedgePosition
from strategies.model.instruments import OptionContract
from strategies.model.quotes import FloatArray
from strategies.pricing import black76
from strategies.pricing.factor_vega import future_beta, spx_vega_weight
from strategies.pricing.valuation import FutureValue, Terms, Valuer

_USUAL_SPX_FRACTION_PER_POINT = -0.00875  # VIX +8 goes with SPX -7 % (rule L4)
_LEAST_VOL = 0.01
_LEAST_VIX_FORWARD = 1.0  # index points


def usual_spx_fraction(vix_points: float) -> float:
    """Return the SPX move that goes with a VIX move: -0.875 % per point."""
    return _USUAL_SPX_FRACTION_PER_POINT * vix_points


def shocked_prices(
    valuer: Valuer, terms: Terms, spx_fraction: ArrayLike, vix_points: float
) -> FloatArray:
    """Return model prices in points after SPX moves by a fraction and VIX by points.

    Shapes: ``spx_fraction`` a scalar, giving (n,), or (g, 1), giving (g, n); ``terms`` has n.
    """
    fraction = np.asarray(spx_fraction, dtype=np.float64)
    fraction = np.where(terms.is_spx, fraction, 0.0)
    vix_move = np.where(terms.is_spx, 0.0, vix_points * future_beta(terms.days))
    forward = terms.forward * (1.0 + fraction)
    forward = np.where(terms.is_spx, forward, np.maximum(forward + vix_move, _LEAST_VIX_FORWARD))
    vol = np.empty(forward.shape)
    spx, vix = np.flatnonzero(terms.is_spx), np.flatnonzero(~terms.is_spx)
    if len(spx):
        at_strike = terms.strike[spx] / (1.0 + fraction[..., spx])
        rise = 0.01 * vix_points * spx_vega_weight(terms.days[spx])
        vol[..., spx] = valuer.spx.vol(terms.series_index[spx], at_strike) + rise
    if len(vix):
        vol[..., vix] = valuer.vix.vol(terms.series_index[vix], terms.strike[vix])
    return black76.price(
        forward,
        terms.strike,
        terms.t_years,
        np.maximum(vol, _LEAST_VOL),
        terms.discount,
        terms.is_call,
    )


def shock_pnl(
    valuer: Valuer,
    condors: Sequence[CondorPosition],
    hedges: Sequence[HedgePosition],
    spx_fraction: float,
    vix_points: float,
) -> float | None:
    """Return the book's gain in USD under a shock; None if something held cannot be priced.

    Both sides of the difference are model prices on the fitted surfaces, so that no shock is no
    gain and a missing quote on one strike does not matter where its series is known.
    """
    gains = shock_pnls(valuer, condors, hedges, ((spx_fraction, vix_points),))
    return None if gains is None else gains[0]


def shock_pnls(
    valuer: Valuer,
    condors: Sequence[CondorPosition],
    hedges: Sequence[HedgePosition],
    shocks: Sequence[tuple[float, float]],
) -> list[float] | None:
    """Return ``shock_pnl`` of several shocks; the book as it is is priced once.

    ``shocks``: (SPX fraction, VIX points) of each.
    """
    contracts: list[OptionContract] = []
    dollars_per_point: list[float] = []
    futures: list[tuple[float, FutureValue]] = []
    for condor in condors:
        for contract, sign in condor.legs.signed():
            contracts.append(contract)
            dollars_per_point.append(sign * condor.quantity * contract.multiplier)
    for hedge in hedges:
        dollars = hedge.net_contracts * hedge.instrument.multiplier
        if isinstance(hedge.instrument, OptionContract):
            contracts.append(hedge.instrument)
            dollars_per_point.append(dollars)
            continue
        future = valuer.future(hedge.instrument)
        if future is None:
            return None
        futures.append((dollars, future))
    gains = [_futures_gain(futures, vix_points) for _, vix_points in shocks]
    if not contracts:
        return gains
    terms = valuer.terms(contracts)
    if terms is None:
        return None
    base = shocked_prices(valuer, terms, 0.0, 0.0)
    usd = np.array(dollars_per_point)
    return [
        gain + float((shocked_prices(valuer, terms, fraction, points) - base) @ usd)
        for gain, (fraction, points) in zip(gains, shocks, strict=True)
    ]


def _futures_gain(futures: Sequence[tuple[float, FutureValue]], vix_points: float) -> float:
    return sum(
        (
            dollars * max(vix_points * future.beta, _LEAST_VIX_FORWARD - future.mid)
            for dollars, future in futures
        ),
        0.0,
    )
