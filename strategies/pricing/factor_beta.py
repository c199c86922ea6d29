"""Beta of VX to spot VIX, estimated from history: how far futures of each tenor move with VIX.

A constant-maturity future is no contract: it is interpolated each day between the two contracts
around its tenor. What is interpolated here are the changes of those contracts, so that the slide of
a contract down the curve is no part of the change and there is no roll. Beta is the slope of the
daily changes on those of spot VIX, with a constant; its error is White's (HC1), for a few days of
panic have far larger changes than the rest. The table that the bot uses by default (see
``factor_vega``) was measured in this way.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from strategies.model.quotes import FloatArray, IntArray
from strategies.pricing.factor_vega import BetaTable

DateArray = NDArray[np.datetime64]

_DAY = np.timedelta64(1, "D")
_FEWEST_DAYS = 20  # with fewer changes a slope means nothing: NaN
_PARAMETERS = 2  # slope and constant


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TenorChanges:
    """Daily changes of spot VIX and of constant-maturity futures, in points."""

    session: DateArray  # (n,) the later day of each change
    tenor_days: FloatArray  # (k,)
    vix: FloatArray  # (n,)
    future: FloatArray  # (n, k), NaN where no two contracts lie around the tenor


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BetaEstimate:
    """Slopes with their errors: (k,) for one period, (w, k) for several; NaN where too few days."""

    tenor_days: FloatArray  # (k,)
    beta: FloatArray  # points of the future per point of VIX
    error: FloatArray  # standard error of beta
    r_squared: FloatArray
    days: IntArray  # changes that were used

    def band(self, errors: float = 1.96) -> tuple[FloatArray, FloatArray]:
        """Return beta so many standard errors lower and higher (1.96: 95 %)."""
        return self.beta - errors * self.error, self.beta + errors * self.error

    def table(self) -> BetaTable:
        """Return one period as a table for ``future_beta``: tenors that are known, within 0 to 1.

        Raises: ValueError if no tenor is known, or if this is of several periods.
        """
        if self.beta.ndim != 1:
            raise ValueError("a table is of one period")
        known = np.isfinite(self.beta)
        if not known.any():
            raise ValueError("no tenor has enough days")
        return BetaTable(
            days=tuple(self.tenor_days[known].tolist()),
            beta=tuple(np.clip(self.beta[known], 0.0, 1.0).tolist()),
        )


def tenor_changes(
    vix_session: DateArray,
    vix_close: FloatArray,
    trade_date: DateArray,
    contract_expiry: DateArray,
    settle: FloatArray,
    tenor_days: ArrayLike,
) -> TenorChanges:
    """Return changes from each session to the next of VIX and of constant-maturity futures.

    A contract counts on a day if it settled on that session and the one before; its tenor is that
    at the start of the change. The day of final settlement does not count: what is fixed then is
    not a daily settlement.

    Shapes: ``vix_session`` and ``vix_close`` (m,), ascending; ``trade_date``, ``contract_expiry``
        and ``settle`` (r,) in any order; ``tenor_days`` (k,).
    Units: index points, calendar days.
    """
    tenors = np.atleast_1d(np.asarray(tenor_days, dtype=np.float64))
    known = np.isfinite(vix_close)
    session, close = vix_session[known], vix_close[known]

    place = np.searchsorted(session, trade_date)
    inside = place < len(session)
    inside[inside] = session[place[inside]] == trade_date[inside]
    rows = np.flatnonzero(inside & (trade_date < contract_expiry) & np.isfinite(settle))
    rows = rows[np.lexsort((trade_date[rows], contract_expiry[rows]))]
    before, after = rows[:-1], rows[1:]
    follows = (contract_expiry[before] == contract_expiry[after]) & (
        place[after] == place[before] + 1
    )
    before, after = before[follows], after[follows]
    tenor = ((contract_expiry[before] - trade_date[before]) / _DAY).astype(np.float64)
    change = settle[after] - settle[before]

    by_day = np.lexsort((tenor, place[after]))
    day, tenor, change = place[after][by_day], tenor[by_day], change[by_day]
    starts = np.searchsorted(day, np.arange(1, len(session) + 1))
    future = np.full((max(len(session) - 1, 0), len(tenors)), np.nan)
    for row, (start, stop) in enumerate(pairwise(starts.tolist())):
        if start < stop:
            future[row] = np.interp(
                tenors, tenor[start:stop], change[start:stop], left=np.nan, right=np.nan
            )
    return TenorChanges(session=session[1:], tenor_days=tenors, vix=np.diff(close), future=future)


def estimate_beta(changes: TenorChanges) -> BetaEstimate:
    """Return the slopes over the whole period."""
    columns = [_slopes(changes.vix, column) for column in changes.future.T]
    beta, error, r_squared, days = (np.array(each) for each in zip(*columns, strict=True))
    return BetaEstimate(
        tenor_days=changes.tenor_days,
        beta=beta,
        error=error,
        r_squared=r_squared,
        days=days.astype(np.int64),
    )


def rolling_beta(
    changes: TenorChanges, window: int, step: int = 1
) -> tuple[DateArray, BetaEstimate]:
    """Return the last session of each window and the slopes within it: (w,) and (w, k).

    ``window`` changes each, the next ``step`` later; none if the period is shorter than a window.
    """
    assert window > _PARAMETERS, "a line needs more than two points"
    assert step > 0, "windows go forward"
    count, tenors = changes.future.shape
    if count < window:
        nothing = np.empty((0, tenors))
        last = changes.session[:0]
        table = (nothing, nothing, nothing, nothing)
    else:
        last = changes.session[window - 1 :: step]
        vix = sliding_window_view(changes.vix, window)[::step]
        columns = [
            _slopes(vix, sliding_window_view(column, window)[::step]) for column in changes.future.T
        ]
        beta, error, r_squared, days = (
            np.stack(each, axis=1) for each in zip(*columns, strict=True)
        )
        table = (beta, error, r_squared, days)
    return last, BetaEstimate(
        tenor_days=changes.tenor_days,
        beta=table[0],
        error=table[1],
        r_squared=table[2],
        days=table[3].astype(np.int64),
    )


def _slopes(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return slope, its standard error, R2 and count along the last axis, where y is known."""
    known = np.isfinite(y)
    days = known.sum(axis=-1).astype(np.float64)
    held = np.maximum(days, 1.0)[..., None]
    x, y = np.where(known, x, 0.0), np.where(known, y, 0.0)
    x = np.where(known, x - x.sum(axis=-1, keepdims=True) / held, 0.0)
    y = np.where(known, y - y.sum(axis=-1, keepdims=True) / held, 0.0)
    xx, yy = (x * x).sum(axis=-1), (y * y).sum(axis=-1)
    enough = (days >= _FEWEST_DAYS) & (xx > 0)
    xx = np.where(enough, xx, 1.0)
    beta = (x * y).sum(axis=-1) / xx
    rest = y - beta[..., None] * x
    freedom = np.maximum(days - _PARAMETERS, 1.0)
    error = np.sqrt((x * x * rest * rest).sum(axis=-1) * days / freedom) / xx
    r_squared = 1.0 - (rest * rest).sum(axis=-1) / np.where(yy > 0, yy, 1.0)
    return (
        np.where(enough, beta, np.nan),
        np.where(enough, error, np.nan),
        np.where(enough, r_squared, np.nan),
        days,
    )
