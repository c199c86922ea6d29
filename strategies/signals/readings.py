"""Every signal of one market (S1-S9, S11, S13), and what else regimes and layers ask of it.

A signal whose input is missing, too old or too short is None and named in ``missing``: absent,
never zero. Live values may be ``max_quote_age_s`` old, history ``max_history_age_days``.

S9's signed imbalance of trades against quotes is recorded as absent by every plan: it needs trades,
and no snapshot has any. What also needs the book is read in ``positions``.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from types import NoneType
from typing import Any, NamedTuple

import numpy as np

from strategies.model.errors import MissingData
from strategies.model.quotes import FloatArray
from strategies.model.rules import Rules
from strategies.model.snapshots import EventAhead, EventKind, MarketSnapshot
from strategies.signals.breadth import breadth_bars, is_breadth_lagging, is_near_high
from strategies.signals.curve import (
    contango_closes,
    deep_backwardation_lengths,
    falling_days,
    slopes,
)
from strategies.signals.dislocation import dislocation_z
from strategies.signals.indicators import (
    WEEK_BARS,
    Macd,
    Side,
    is_below_mean,
    macd,
    macd_warm_bars,
    rsi,
    rsi_warm_bars,
    tidy,
    week_deviation_z,
    week_z_bars,
    z_of_last,
)
from strategies.signals.series import SnapshotSeries, require_bars

Reading = float | str | bool | None  # as a plan records it
Reader = Callable[[SnapshotSeries, Rules], Reading]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """The signals of one snapshot. None = absent."""

    rsi_vix: float | None  # S1, 0 to 100
    rsi_vix_low: bool | None  # S1
    rsi_vix_l3: float | None  # S1 over the period of the L3 gate
    rsi_vix_l3_low: bool | None
    rsi_spx: float | None  # S2
    rsi_spx_weak: bool | None  # S2
    macd_vix: Side | None  # S3: the side of the line today
    macd_vix_crossed: bool | None  # it came to this side today
    macd_spx: Side | None
    macd_spx_crossed: bool | None
    macd_vvix_vix: Side | None
    macd_vvix_vix_crossed: bool | None
    basis_macd: Side | None  # S4: the side of the line today
    basis_macd_crossed: bool | None  # it came to this side today
    ad_divergence: bool | None  # S5
    slope: float | None  # S6, index points per day
    slope_falling_days: int | None  # S6: days in a row, today included
    backwardation_fraction: float | None  # S7: VX1 / VX2 - 1
    backwardation_points: float | None  # S7: VX1 - VX2
    contango_closes: int | None  # S7: completed closes in a row beyond R1's dead band
    deep_backwardation_closes: int | None  # S7: completed closes in a row above R4's threshold
    dislocation_z: float | None  # S8
    dislocated: bool | None  # S8
    order_flow_z: float | None  # S9
    skew_index: float | None  # S13: Cboe SKEW at its newest close
    skew_index_z: float | None
    cor1m: float | None  # S13: implied correlation at its newest close
    cor1m_z: float | None
    vix_day_change_points: float | None  # R3
    vix_day_change_fraction: float | None  # R3
    vix_z5: float | None  # R3: the "5-day z"
    vix_below_5_mean: bool | None  # R3
    spx_below_sma50: bool | None  # R4, over ``regime.shift_sma`` days
    spx_below_sma20: bool | None  # L3, over ``layers.l3_sma`` days
    spx_below_5_days_ago: bool | None  # L3
    events: tuple[EventAhead, ...] | None  # S11
    values: dict[str, Reading]  # every reading by rule id and name, as a plan records it
    missing: tuple[str, ...]  # one line a reading that is None: "S3 macd_spx: SPX is 300 s old"


def read_signals(snapshot: MarketSnapshot, rules: Rules) -> Signals:
    """Return every signal of a snapshot, from completed bars with today's live value as the last.

    Source: rules S1-S9, S11 and S13.
    """
    series = SnapshotSeries(snapshot, rules.signals)
    readings: dict[str, Any] = {}
    values: dict[str, Reading] = {"S9 trade_imbalance": None}
    missing: list[str] = []
    for rule_id, readers in _READERS.items():
        for name, reader in readers.items():
            reading, reason = _read(reader, series, rules)
            threshold = _THRESHOLDS.get(name)
            read = {name: reading}
            if threshold is not None:
                read[threshold.name] = None if reason else threshold.is_met(reading, rules)
            for each, value in read.items():
                readings[each] = value
                values[f"{rule_id} {each}"] = _as_recorded(value)
                if reason:
                    missing.append(f"{rule_id} {each}: {reason}")
    for kind, days in days_to_events(snapshot.events).items():
        values[f"S11 {kind}_days"] = days
        if days is None:
            missing.append(f"S11 {kind}_days: not in the event calendar")
    return Signals(events=snapshot.events, values=values, missing=tuple(missing), **readings)


def days_to_events(events: tuple[EventAhead, ...] | None) -> dict[EventKind, float | None]:
    """Return the trading days to the next event of each kind; None where none is known (S11)."""
    days: dict[EventKind, float | None] = dict.fromkeys(EventKind)
    for event in sorted(events or (), key=lambda event: -event.trading_days):
        days[event.kind] = float(event.trading_days)
    return days


def _read(reader: Reader, series: SnapshotSeries, rules: Rules) -> tuple[Any, str]:
    """Return a reading, or None and the reason why it is absent."""
    try:
        reading = reader(series, rules)
    except MissingData as reason:
        return None, str(reason)
    if not isinstance(reading, float):
        return reading, ""
    return (tidy(reading), "") if math.isfinite(reading) else (None, "not a number")


def _as_recorded(reading: Reading) -> Reading:
    # A count is recorded as the number it is read back as, a side as its text.
    if isinstance(reading, Side):
        return reading.value
    return reading if isinstance(reading, (str, bool, NoneType)) else float(reading)


def daily_macd(values: FloatArray, rules: Rules) -> Macd:
    """Return the S3 MACD of a series; raises MissingData before it is warm."""
    windows = rules.signals
    require_bars(values, macd_warm_bars(windows.macd_slow, windows.macd_signal))
    return macd(values, windows.macd_fast, windows.macd_slow, windows.macd_signal)


def basis_macd(series: SnapshotSeries, rules: Rules) -> Macd:
    """Return the S4 MACD of VX1 - VX2; raises MissingData before it is warm."""
    windows = rules.signals
    basis = series.curve.points
    require_bars(basis, macd_warm_bars(windows.basis_slow, windows.macd_signal))
    return macd(basis, windows.basis_fast, windows.basis_slow, windows.macd_signal)


def _rsi(values: FloatArray, period: int) -> float:
    require_bars(values, rsi_warm_bars(period))
    return tidy(float(rsi(values, period)[-1]))


def _ad_divergence(series: SnapshotSeries, rules: Rules) -> bool:
    windows = rules.signals
    breadth = series.closes("net_breadth", series.rows("net_breadth"))
    require_bars(series.spx, windows.divergence_window)
    require_bars(breadth, breadth_bars(windows.divergence_window))
    near_high = is_near_high(
        series.spx, window=windows.divergence_window, within=windows.divergence_near_high
    )
    lagging = is_breadth_lagging(
        breadth, window=windows.divergence_window, sigmas=windows.divergence_sigmas
    )
    return bool(near_high[-1] and lagging[-1])


def _falling_days(series: SnapshotSeries, _: Rules) -> int:
    rows = series.rows("vix_close", "vx1_settle", "vx2_settle", "vx2_days")
    vix = np.append(series.closes("vix_close", rows), series.index("VIX"))
    return falling_days(series.curve_with_today(rows), vix)


def _deep_closes(series: SnapshotSeries, rules: Rules) -> int:
    threshold = rules.regime.shift_backwardation
    return int(deep_backwardation_lengths(series.curve_closes, threshold)[-1])


def _dislocation(series: SnapshotSeries, rules: Rules) -> float:
    rows = series.rows("vix_close", "spx_close", "vx1_settle", "vx2_settle", "vx2_days")
    z = dislocation_z(
        vix=np.append(series.closes("vix_close", rows), series.index("VIX")),
        spx=np.append(series.closes("spx_close", rows), series.index("SPX")),
        curve=series.curve_with_today(rows),
        window=rules.signals.dislocation_window,
    )
    return tidy(z)


def _vix_before(series: SnapshotSeries) -> float:
    """Return the close of VIX that today's change is counted from: that of the last session."""
    rows = series.rows("vix_close")
    if rows[-1] != series.completed_bars - 1:
        raise MissingData("VIX has no close of the session before")
    return float(series.closes("vix_close", rows)[-1])


def _order_flow(series: SnapshotSeries, rules: Rules) -> float:
    rows = series.rows("vix_call_volume", "vix_put_volume")
    calls, puts = series.closes("vix_call_volume", rows), series.closes("vix_put_volume", rows)
    traded = calls + puts > 0
    calls, puts = calls[traded], puts[traded]
    return z_of_last((calls - puts) / (calls + puts), rules.signals.order_flow_window)


def _newest(series: SnapshotSeries, column: str) -> float:
    return float(series.closes(column, series.rows(column))[-1])


def _newest_z(series: SnapshotSeries, column: str, rules: Rules) -> float:
    return z_of_last(series.closes(column, series.rows(column)), rules.panel.window)


def _week_z(series: SnapshotSeries, _: Rules) -> float:
    require_bars(series.vix, week_z_bars())
    return float(week_deviation_z(series.vix)[-1])


def _is_below_mean(values: FloatArray, bars: int) -> bool:
    require_bars(values, bars)
    return bool(is_below_mean(values, bars)[-1])


def _is_below_week_ago(series: SnapshotSeries, _: Rules) -> bool:
    require_bars(series.spx, WEEK_BARS + 1)
    return bool(series.spx[-1] < series.spx[-1 - WEEK_BARS])


class _Threshold(NamedTuple):
    """A reading that says whether another is beyond its threshold."""

    name: str  # its field
    is_met: Callable[[float, Rules], bool]


_THRESHOLDS = {
    "rsi_vix": _Threshold("rsi_vix_low", lambda x, r: x < r.signals.rsi_vix_low),
    "rsi_vix_l3": _Threshold("rsi_vix_l3_low", lambda x, r: x < r.signals.rsi_vix_low),
    "rsi_spx": _Threshold("rsi_spx_weak", lambda x, r: x < r.signals.rsi_spx_weak),
    "dislocation_z": _Threshold("dislocated", lambda x, r: abs(x) > r.signals.dislocation_z),
}

# Every other reading but S11, under its rule and the name of its field.
_READERS: dict[str, dict[str, Reader]] = {
    "S1": {
        "rsi_vix": lambda s, r: _rsi(s.vix, r.signals.rsi_period),
        "rsi_vix_l3": lambda s, r: _rsi(s.vix, r.layers.l3_rsi_period),
    },
    "S2": {"rsi_spx": lambda s, r: _rsi(s.spx, r.signals.rsi_period)},
    "S3": {
        "macd_vix": lambda s, r: daily_macd(s.vix, r).side(),
        "macd_vix_crossed": lambda s, r: daily_macd(s.vix, r).has_crossed,
        "macd_spx": lambda s, r: daily_macd(s.spx, r).side(),
        "macd_spx_crossed": lambda s, r: daily_macd(s.spx, r).has_crossed,
        "macd_vvix_vix": lambda s, r: daily_macd(s.vvix_over_vix, r).side(),
        "macd_vvix_vix_crossed": lambda s, r: daily_macd(s.vvix_over_vix, r).has_crossed,
    },
    "S4": {
        "basis_macd": lambda s, r: basis_macd(s, r).side(),
        "basis_macd_crossed": lambda s, r: basis_macd(s, r).has_crossed,
    },
    "S5": {"ad_divergence": _ad_divergence},
    "S6": {
        "slope": lambda s, _: float(slopes(s.curve_today, np.array([s.index("VIX")]))[0]),
        "slope_falling_days": _falling_days,
    },
    "S7": {
        "backwardation_fraction": lambda s, _: float(s.curve_today.fraction[0]),
        "backwardation_points": lambda s, _: float(s.curve_today.points[0]),
        "contango_closes": lambda s, r: contango_closes(s.curve_closes, r.regime.dead_band),
        "deep_backwardation_closes": _deep_closes,
    },
    "S8": {"dislocation_z": _dislocation},
    "S9": {"order_flow_z": _order_flow},
    "S13": {
        "skew_index": lambda s, _: _newest(s, "skew_close"),
        "skew_index_z": lambda s, r: _newest_z(s, "skew_close", r),
        "cor1m": lambda s, _: _newest(s, "cor1m_close"),
        "cor1m_z": lambda s, r: _newest_z(s, "cor1m_close", r),
    },
    "R3": {
        "vix_day_change_points": lambda s, _: float(s.vix[-1] - _vix_before(s)),
        "vix_day_change_fraction": lambda s, _: float(s.vix[-1] / _vix_before(s) - 1),
        "vix_z5": _week_z,
        "vix_below_5_mean": lambda s, _: _is_below_mean(s.vix, WEEK_BARS),
    },
    "R4": {"spx_below_sma50": lambda s, r: _is_below_mean(s.spx, r.regime.shift_sma)},
    "L3": {
        "spx_below_sma20": lambda s, r: _is_below_mean(s.spx, r.layers.l3_sma),
        "spx_below_5_days_ago": _is_below_week_ago,
    },
}
