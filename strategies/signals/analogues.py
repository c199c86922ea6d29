"""Analogues (T1): what VIX did after the past days that were most like today.

A day's state is VIX, the curve slope (S6), backwardation (S7), RSI of VIX (S1) and of SPX (S2),
VVIX/VIX and SPX's drawdown from its 20-day high, all as of its close; today's is that of the live
values. A past day can be an analogue only if the 21 sessions after it are over, so that nothing
is known of it that was not known before today.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import numpy as np
import talib

from strategies.model.errors import MissingData
from strategies.model.plan import Gate
from strategies.model.quotes import FloatArray, IntArray
from strategies.model.rules import Rules
from strategies.model.snapshots import DailyHistory, MarketSnapshot
from strategies.signals.indicators import rsi, rsi_warm_bars, tidied, tidy
from strategies.signals.readings import Signals
from strategies.signals.series import SnapshotSeries

HORIZONS = (5, 10, 21)  # sessions after an analogue
DRAWDOWN_BARS = 20
_MEDIAN, _P75, _P90 = range(3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Analogues:
    """The nearest past days, and the changes of VIX over the 5, 10 and 21 sessions after them.

    Units: VIX points; ``median_5`` is the median of the changes over 5 sessions, and so on.
    """

    days: tuple[date, ...]  # nearest first
    farthest: float  # distance of the last, in standard deviations of the state
    median_5: float
    p75_5: float
    p90_5: float
    median_10: float
    p75_10: float
    p90_10: float
    median_21: float
    p75_21: float
    p90_21: float
    resolves_lower: bool  # a boost not yet in force waits an interval
    may_rise: bool  # B3 may act without S4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Past:
    """The past days that may be analogues; one entry a day, oldest first."""

    row: IntArray  # (n,) into the history
    state: FloatArray  # (7, n), standardised
    mean: FloatArray  # (7,) of the states before that
    sigma: FloatArray  # (7,)
    changes: FloatArray  # (n, 3): of VIX over the sessions after the day


def find_analogues(snapshot: MarketSnapshot, signals: Signals, rules: Rules) -> Analogues:
    """Return the nearest past days, and what VIX did after them.

    Each dimension of the state counts in standard deviations of the past days that may be chosen;
    the nearest by Euclidean distance goes first, and no two chosen ones are fewer than
    ``analogue_gap_days`` sessions apart.

    Raises: MissingData if a dimension of today's state is absent, or if there are fewer than
        ``analogues`` such days.
    Source: rule T1.
    """
    history, windows = snapshot.history, rules.time
    completed = int(np.searchsorted(history.session, np.datetime64(snapshot.session, "D")))
    past = _past_days(history, completed, rules.signals.rsi_period)
    today = (_today(snapshot, signals, rules) - past.mean) / past.sigma
    distance: FloatArray = np.sqrt(((past.state - today[:, None]) ** 2).sum(axis=0))
    left, gap = distance.copy(), windows.analogue_gap_days
    chosen: list[int] = []
    for _ in range(windows.analogues):
        nearest = int(left.argmin())
        if left[nearest] == np.inf:
            raise MissingData(f"{len(chosen)} analogues, {windows.analogues} needed")
        chosen.append(nearest)
        around = past.row[nearest] + np.array([1 - gap, gap])
        first, last = np.searchsorted(past.row, around)
        left[first:last] = np.inf
    figures = np.percentile(past.changes[chosen], (50, 75, 90), axis=0)  # (figure, horizon)
    changes = tidied(figures).T.tolist()
    week, fortnight, month = changes
    return Analogues(
        days=tuple(history.session[past.row[chosen]].astype(object).tolist()),
        farthest=tidy(float(distance[chosen[-1]])),
        median_5=week[_MEDIAN],
        p75_5=week[_P75],
        p90_5=week[_P90],
        median_10=fortnight[_MEDIAN],
        p75_10=fortnight[_P75],
        p90_10=fortnight[_P90],
        median_21=month[_MEDIAN],
        p75_21=month[_P75],
        p90_21=month[_P90],
        resolves_lower=month[_MEDIAN] < 0 and month[_P90] < windows.analogue_calm_p90,
        may_rise=month[_P75] > windows.analogue_act_p75,
    )


def _today(snapshot: MarketSnapshot, signals: Signals, rules: Rules) -> FloatArray:
    series = SnapshotSeries(snapshot, rules.signals)
    readings = {
        "S6": signals.slope,
        "S7": signals.backwardation_fraction,
        "S1": signals.rsi_vix,
        "S2": signals.rsi_spx,
    }
    for rule_id, reading in readings.items():
        if reading is None:
            raise MissingData(f"{rule_id} is absent")
    vix, spx = series.index("VIX"), series.spx[-DRAWDOWN_BARS:]
    drawdown = spx[-1] / spx.max() - 1
    return np.array([vix, *readings.values(), series.index("VVIX") / vix, drawdown])


@lru_cache(maxsize=4)
def _past_days(history: DailyHistory, completed: int, rsi_period: int) -> _Past:
    """Return the days of the first ``completed`` bars that may be analogues.

    A history is compared by its identity: one is made a session, and its days do not change.
    """
    bars = slice(0, completed)
    vix, spx = history.vix_close[bars], history.spx_close[bars]
    vx1, vx2 = history.vx1_settle[bars], history.vx2_settle[bars]
    state = np.column_stack(
        (
            vix,
            (vx2 - vix) / history.vx2_days[bars],
            vx1 / vx2 - 1,
            _where_known(vix, lambda closes: _warm_rsi(closes, rsi_period)),
            _where_known(spx, lambda closes: _warm_rsi(closes, rsi_period)),
            history.vvix_close[bars] / vix,
            _where_known(spx, _drawdown),
        )
    )
    changes = np.full((completed, len(HORIZONS)), np.nan)
    for column, sessions in enumerate(HORIZONS):
        changes[:-sessions, column] = vix[sessions:] - vix[:-sessions]
    row = np.flatnonzero(np.isfinite(state).all(axis=1) & np.isfinite(changes).all(axis=1))
    if not row.size:
        raise MissingData("no past day with all of its state and the 21 sessions after it")
    mean = state[row].mean(axis=0)
    sigma = tidied(state[row].std(axis=0))
    sigma = np.where(sigma > 0, sigma, 1.0)  # what never varied tells no days apart
    return _Past(
        row=row,
        state=np.ascontiguousarray(((state[row] - mean) / sigma).T),
        mean=mean,
        sigma=sigma,
        changes=changes[row],
    )


def _where_known(values: FloatArray, compute: Callable[[FloatArray], FloatArray]) -> FloatArray:
    """Return what is computed from the known values alone, NaN where there is none."""
    known = np.flatnonzero(np.isfinite(values))
    computed = np.full_like(values, np.nan)
    computed[known] = compute(values[known])
    return computed


def _warm_rsi(closes: FloatArray, period: int) -> FloatArray:
    strength = rsi(closes, period) if len(closes) > period else np.full_like(closes, np.nan)
    strength[: rsi_warm_bars(period) - 1] = np.nan
    return strength


def _drawdown(closes: FloatArray) -> FloatArray:
    if len(closes) < DRAWDOWN_BARS:
        return np.full_like(closes, np.nan)
    drawdown: FloatArray = closes / talib.MAX(closes, DRAWDOWN_BARS) - 1
    return drawdown


def analogue_gates(analogues: Analogues, rules: Rules) -> tuple[Gate, ...]:
    """Return T1's figures against their thresholds, as a plan records them."""
    calm, act = rules.time.analogue_calm_p90, rules.time.analogue_act_p75
    nearest = ", ".join(str(day) for day in analogues.days[:3])
    note = f"after {len(analogues.days)} days like today, nearest {nearest}"
    asked = (
        ("change of VIX in 21 sessions, median, below", analogues.median_21, 0.0),
        ("change of VIX in 21 sessions, 90th percentile, below", analogues.p90_21, calm),
    )
    return (
        *(
            Gate(
                rule="T1", name=name, value=value, threshold=limit, passed=value < limit, note=note
            )
            for name, value, limit in asked
        ),
        Gate(
            rule="T1",
            name="change of VIX in 21 sessions, 75th percentile, above",
            value=analogues.p75_21,
            threshold=act,
            passed=analogues.may_rise,
            note=note,
        ),
    )
