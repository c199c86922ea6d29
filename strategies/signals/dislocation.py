"""Dislocation: VIX moving apart from what SPX and VX1 explain (S8)."""

import numpy as np

from strategies.model.errors import MissingData
from strategies.model.quotes import FloatArray
from strategies.signals.indicators import tidy
from strategies.signals.series import FuturesCurve, require_bars


def vx1_changes(curve: FuturesCurve) -> FloatArray:
    """Return the daily change of the future that is VX1 on the later day: (n,) -> (n - 1,).

    On a roll day, when the days to VX2's expiry jump up, today's VX1 is yesterday's VX2.
    """
    is_roll = curve.vx2_days[1:] > curve.vx2_days[:-1]
    return curve.vx1[1:] - np.where(is_roll, curve.vx2[:-1], curve.vx1[:-1])


def dislocation_z(*, vix: FloatArray, spx: FloatArray, curve: FuturesCurve, window: int) -> float:
    """Return today's unexplained VIX change in standard deviations of the past ones.

    The daily VIX change is regressed on a constant, the SPX return and the VX1 change over the
    ``window`` days before today; today's residual is judged by the residual standard deviation of
    those days, so that it cannot hide itself.

    Shapes: ``vix``, ``spx`` and the curve are (n,) on the same days, today last.
    Raises: MissingData if there are too few days, or too little variation for a regression.
    Source: rule S8.
    """
    require_bars(vix, window + 2)
    vix_change = np.diff(vix)
    regressors = np.column_stack(
        (np.ones(len(vix_change)), spx[1:] / spx[:-1] - 1, vx1_changes(curve))
    )
    past, response = regressors[-window - 1 : -1], vix_change[-window - 1 : -1]
    coefficients, _, rank, _ = np.linalg.lstsq(past, response, rcond=None)
    if rank < past.shape[1]:
        raise MissingData("SPX and VX1 did not vary enough for a regression")
    residuals = response - past @ coefficients
    sd = float(np.sqrt(residuals @ residuals / (window - past.shape[1])))
    if tidy(sd) == 0:
        raise MissingData("VIX did not vary enough for a regression")
    return float(vix_change[-1] - regressors[-1] @ coefficients) / sd
