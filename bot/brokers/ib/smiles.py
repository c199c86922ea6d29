"""What is known of a series before its strikes are chosen: its forward, and a vol at each strike.

Measured by the surface of the last look where there was one. Until then it is guessed from VIX:
that finds strikes near enough for a first look, which measures.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Final

import numpy as np

from strategies.model.quotes import FloatArray, OptionChain
from strategies.model.snapshots import MarketQuotes
from strategies.pricing import black76
from strategies.pricing.valuation import Valuer

SeriesKey = tuple[str, date]  # root and expiry

_DAYS_PER_YEAR: Final = 365.0
_LEAST_DAYS: Final = 1.0
# Puts trade above the VIX and calls below it; options on VIX at vols of their own
_PUT_SKEW: Final = 1.25
_CALL_SKEW: Final = 0.70
_VOL_OF_VIX: Final = 0.9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Smile:
    """One series. Strikes and forward in index points."""

    forward: float
    t_years: float
    vol: Callable[[FloatArray], FloatArray]  # annualised decimal, of strikes

    def z(self, strikes: Sequence[float]) -> FloatArray:
        """Return how many deviations to expiry strikes lie above the forward."""
        at_the_money = float(self.vol(np.array([self.forward]))[0])
        deviation = at_the_money * math.sqrt(self.t_years)
        found: FloatArray = np.log(np.asarray(strikes, dtype=np.float64) / self.forward) / deviation
        return found

    def deltas(self, strikes: Sequence[float], *, is_call: bool) -> FloatArray:
        """Return absolute deltas."""
        found: FloatArray = np.abs(self._greeks(strikes, is_call).delta)
        return found

    def vegas(self, strikes: Sequence[float]) -> FloatArray:
        """Return points per vol point."""
        return self._greeks(strikes, True).vega

    def prices(self, strikes: Sequence[float], *, is_call: bool) -> FloatArray:
        """Return model values, undiscounted."""
        at = np.asarray(strikes, dtype=np.float64)
        return black76.price(self.forward, at, self.t_years, self.vol(at), 1.0, is_call)

    def _greeks(self, strikes: Sequence[float], is_call: bool) -> black76.Greeks:
        at = np.asarray(strikes, dtype=np.float64)
        return black76.greeks(self.forward, at, self.t_years, self.vol(at), 1.0, is_call, 0.0)


def guessed(underlying: str, days: int, *, forward: float, vix: float) -> Smile:
    """Return what a series may look like, from the level of VIX alone."""
    level = vix / 100.0

    def vol(strikes: FloatArray) -> FloatArray:
        if underlying == "VIX":
            return np.full(len(strikes), _VOL_OF_VIX)
        return level * np.where(strikes < forward, _PUT_SKEW, _CALL_SKEW)

    return Smile(forward=forward, t_years=max(days, _LEAST_DAYS) / _DAYS_PER_YEAR, vol=vol)


def measured(market: MarketQuotes, session: date) -> Mapping[SeriesKey, Smile]:
    """Return the smile of each series whose surface can be trusted."""
    valuer = Valuer(market, session)
    found: dict[SeriesKey, Smile] = {}
    for chain, surface in (
        (market.spx_options, valuer.spx),
        (market.vix_options, valuer.vix),
    ):
        for index in np.flatnonzero(surface.ok).tolist():
            found[_key(chain, index)] = Smile(
                forward=float(surface.forwards.forward[index]),
                t_years=float(surface.forwards.t_years[index]),
                vol=partial(surface.vol, index),
            )
    return found


def _key(chain: OptionChain, index: int) -> SeriesKey:
    return chain.series[index].root, chain.series[index].expiry
