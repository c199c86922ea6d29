"""Break-even migration (S10): how much nearer the break-evens are than when a condor was opened."""

from collections.abc import Mapping
from datetime import date

import numpy as np

from strategies.model.book import CondorPosition
from strategies.model.errors import MissingData
from strategies.pricing.breakevens import expiry_breakevens
from strategies.pricing.valuation import Valuer

Deviations = Mapping[tuple[str, date], float]  # (root, expiry) -> vol at the money x sqrt(years)


def deviations(valuer: Valuer) -> Deviations:
    """Return the standard deviation to expiry of every SPX series with a trusted surface."""
    surface, series = valuer.spx, valuer.market.spx_options.series
    trusted = np.flatnonzero(surface.ok)
    vol = surface.vol(trusted, surface.forwards.forward[trusted])
    return {
        (series[index].root, series[index].expiry): deviation
        for index, deviation in zip(
            trusted.tolist(),
            (vol * np.sqrt(surface.forwards.t_years[trusted])).tolist(),
            strict=True,
        )
    }


def migration(condor: CondorPosition, *, spot: float, deviations: Deviations) -> float:
    """Return the distance from spot to the nearest break-even now, less what it was at entry.

    A distance is (break-even at expiry - spot) / (spot x sigma sqrt T), > 0 while spot lies between
    the break-evens; the nearer side counts, now and at entry each, and a side without a break-even
    never does. Below 0 they have come closer.

    Units: standard deviations to expiry.
    Raises: MissingData without any break-even, or if the expiry of a short has no trusted surface.
    Source: rule S10.
    """
    legs, entry = condor.legs, condor.entry_spot
    now, then = [], []
    shorts = (legs.short_put, -1.0), (legs.short_call, 1.0)
    levels = expiry_breakevens(legs, condor.entry_credit)
    for level, (short, side) in zip(levels, shorts, strict=True):
        if level is None:
            continue
        deviation = deviations.get((short.root, short.expiry))
        if deviation is None:
            raise MissingData(f"{short.root} {short.expiry} has no surface")
        now.append(side * (level - spot) / (spot * deviation))
        then.append(side * (level - entry) / (entry * condor.entry_sigma_sqrt_t))
    if not now:
        raise MissingData("it has no break-even")
    return min(now) - min(then)
