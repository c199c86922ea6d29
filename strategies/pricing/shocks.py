"""What the book would gain or lose at once if SPX and VIX jumped: a full repricing.

Conventions, the same everywhere (rules B1, C12, L4). For a VIX move of x points:
SPX options keep their vol at each distance from the forward (K/F), plus x w(T) vol points, the
factor vega convention: the surface travels with the index, as VIX itself is measured at the money.
VX futures move by x beta(t). VIX options keep the vol of their strike; their future moves.
"""

from collections.abc import Sequence
from dataclasses import dataclass

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


def least_move(futures_mid: FloatArray) -> FloatArray:
    """Return the lowest move of each VIX future: none falls below one index point; shape kept."""
    return _LEAST_VIX_FORWARD - futures_mid


def shocked_prices(
    valuer: Valuer, terms: Terms, spx_fraction: ArrayLike, vix_points: ArrayLike
) -> FloatArray:
    """Return model prices in points after SPX moves by a fraction and VIX by points.

    Shapes: ``terms`` has n. Both shocks scalar give (n,); arrays end in an axis of length one, and
        the result has their common shape with n there: (g, 1) and a scalar give (g, n), (g, 1, 1)
        and (v, 1) give (g, v, n).
    """
    points = np.asarray(vix_points, dtype=np.float64)
    fraction = np.where(terms.is_spx, np.asarray(spx_fraction, dtype=np.float64), 0.0)
    vix_move = np.where(terms.is_spx, 0.0, points * future_beta(terms.days))
    forward = terms.forward * (1.0 + fraction)
    forward = np.where(terms.is_spx, forward, np.maximum(forward + vix_move, _LEAST_VIX_FORWARD))
    vol = np.empty(forward.shape)
    spx, vix = np.flatnonzero(terms.is_spx), np.flatnonzero(~terms.is_spx)
    if len(spx):
        at_strike = terms.strike[spx] / (1.0 + fraction[..., spx])
        rise = 0.01 * points * spx_vega_weight(terms.days[spx])
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
    held = holdings(valuer, condors, hedges)
    if held is None:
        return None
    gains = [float(held.futures_gain_usd(points)) for _, points in shocks]
    if held.terms is None:
        return gains
    base = shocked_prices(valuer, held.terms, 0.0, 0.0)
    return [
        gain + float((shocked_prices(valuer, held.terms, *shock) - base) @ held.usd_per_point)
        for gain, shock in zip(gains, shocks, strict=True)
    ]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Holdings:
    """What a book's gain under a shock is made of."""

    terms: Terms | None  # of the options, n of them; None = no options
    usd_per_point: FloatArray  # (n,) of each option, signed by the position
    futures_usd: FloatArray  # (f,) per point of each future, signed by the position
    futures_beta: FloatArray  # (f,)
    futures_mid: FloatArray  # (f,)

    def futures_gain_usd(self, vix_points: ArrayLike) -> FloatArray:
        """Return what the futures gain when VIX moves; the shape is that of ``vix_points``."""
        points = np.asarray(vix_points, dtype=np.float64)[..., None]
        move = np.maximum(points * self.futures_beta, least_move(self.futures_mid))
        gain: FloatArray = (move * self.futures_usd).sum(axis=-1)
        return gain


def holdings(
    valuer: Valuer, condors: Sequence[CondorPosition], hedges: Sequence[HedgePosition]
) -> Holdings | None:
    """Return the options and futures of a book; None if one of them cannot be priced."""
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
    terms = valuer.terms(contracts) if contracts else None
    if contracts and terms is None:
        return None
    return Holdings(
        terms=terms,
        usd_per_point=np.array(dollars_per_point, dtype=np.float64),
        futures_usd=np.array([dollars for dollars, _ in futures], dtype=np.float64),
        futures_beta=np.array([each.beta for _, each in futures], dtype=np.float64),
        futures_mid=np.array([each.mid for _, each in futures], dtype=np.float64),
    )
