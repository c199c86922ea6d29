"""Signals that need the book or the fitted surfaces: S10, S12 and the skew of S13.

What is absent is named in ``missing``, as with the signals of the market alone. Without condors
there is nothing to read S10 and S12 of, and nothing is missing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from strategies.model.book import CondorPosition
from strategies.model.errors import MissingData
from strategies.model.plan import Measures
from strategies.model.quotes import CALL, PUT, FloatArray
from strategies.pricing.valuation import Valuer
from strategies.signals.indicators import tidy
from strategies.signals.migration import deviations, migration
from strategies.signals.readings import Reading

SKEW_DAYS = 30
SKEW_DELTA = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class BookSignals:
    """The signals of one book in one market. None = absent."""

    migrations: dict[str, float | None]  # S10 of each condor, by its id
    vega_per_theta: float | None  # S12: USD per VIX point for each USD per day
    skew_25_delta: float | None  # S13: vol points
    values: dict[str, Reading]  # as a plan records them; "S10 C0007" is one condor's
    missing: tuple[str, ...]

    def lowest_migration(self, condors: Sequence[CondorPosition]) -> float | None:
        """Return S10 of several condors, the lowest; None if one has none, or without condors."""
        moved = [self.migrations[condor.condor_id] for condor in condors]
        known = [each for each in moved if each is not None]
        return min(known) if known and len(known) == len(moved) else None


def read_book_signals(
    valuer: Valuer, condors: Sequence[CondorPosition], measures: Measures | None
) -> BookSignals:
    """Return S10 and S12 of a book, and the skew (S13) of the market it stands in.

    S10 of the book is the lowest of its condors', and absent while one of them has none.

    Args:
        valuer: Values of the market.
        condors: What is held.
        measures: Of condors and hedge; None if they cannot be priced.
    """
    migrations = _migrations(valuer, condors)
    readings: dict[str, Callable[[], float]] = {
        "S13 skew_25_delta": lambda: skew_25_delta(valuer),
        **({"S12 vega_per_theta": lambda: _vega_per_theta(measures)} if condors else {}),
        **{f"S10 {condor_id}": reading for condor_id, reading in migrations.items()},
    }
    values: dict[str, float | None] = {}
    missing: list[str] = []
    for name, reading in readings.items():
        try:
            values[name] = tidy(reading())
        except MissingData as reason:
            values[name] = None
            missing.append(f"{name}: {reason}")
    signals = BookSignals(
        migrations={condor_id: values[f"S10 {condor_id}"] for condor_id in migrations},
        vega_per_theta=values.get("S12 vega_per_theta"),
        skew_25_delta=values["S13 skew_25_delta"],
        values={**values},
        missing=tuple(missing),
    )
    if condors:
        signals.values["S10 migration"] = signals.lowest_migration(condors)
    return signals


def _vega_per_theta(measures: Measures | None) -> float:
    """Return S12 as the book's measures have it; raises MissingData with the reason if not."""
    if measures is None:
        raise MissingData("the book cannot be priced")
    if measures.vega_per_theta is None:
        theta = measures.theta_usd_per_day
        raise MissingData(f"theta is {theta:.2f} USD a day, waiting earns nothing")
    return measures.vega_per_theta


def skew_25_delta(valuer: Valuer) -> float:
    """Return the 25-delta put's vol less the 25-delta call's, at the SPX expiry nearest 30 days.

    Vols are those of the smoothed surface, on straight lines between the listed strikes.

    Units: vol points.
    Raises: MissingData without a trusted surface, or if its strikes do not reach both deltas.
    Source: rule S13.
    """
    series = valuer.market.spx_options.series
    trusted: list[int] = np.flatnonzero(valuer.spx.ok).tolist()
    if not trusted:
        raise MissingData("no SPX series has a surface")
    nearest = min(
        trusted, key=lambda index: abs((series[index].expiry - valuer.session).days - SKEW_DAYS)
    )
    values = valuer.options_in_series("SPX", nearest)
    # both deltas fall as strikes ascend
    put = _vol_at(values.delta[::-1, PUT], values.vol[::-1, PUT], -SKEW_DELTA)
    call = _vol_at(values.delta[::-1, CALL], values.vol[::-1, CALL], SKEW_DELTA)
    return 100.0 * (put - call)


def _vol_at(deltas: FloatArray, vols: FloatArray, delta: float) -> float:
    if not deltas[0] <= delta <= deltas[-1]:
        raise MissingData(f"no strikes around a delta of {delta:g}")
    return float(np.interp(delta, deltas, vols))


def _migrations(
    valuer: Valuer, condors: Sequence[CondorPosition]
) -> dict[str, Callable[[], float]]:
    """Return a reading of S10 for each condor, by its id."""
    spx, to_expiry = valuer.market.indices.get("SPX"), deviations(valuer)

    def reading(condor: CondorPosition) -> Callable[[], float]:
        def read() -> float:
            if spx is None:
                raise MissingData("SPX is not quoted")
            return migration(condor, spot=spx.value, deviations=to_expiry)

        return read

    return {condor.condor_id: reading(condor) for condor in condors}
