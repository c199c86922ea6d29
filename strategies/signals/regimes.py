"""The regime of one interval (R1-R4), with hysteresis; the panel decides R5.

Two kinds of evidence move a regime: the interval at hand, and the daily closes that became known
since the last decision. Closes count once, on the first call of a session. The first call ever
goes through the whole history, so that a bot that starts late is where one that had run all along
would be; what it finds there is a state, never a flip. The memory goes in and comes out as a value.

A flip is the way from contango to backwardation. Flat in between is part of it: from backwardation
to flat and back nothing has flipped.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TypeVar

import numpy as np

from strategies.model.errors import MissingData
from strategies.model.memory import Curve, Memory, RegimeMemory
from strategies.model.quotes import BoolArray, FloatArray
from strategies.model.rules import RegimeRules, Rules, SignalRules
from strategies.model.snapshots import MarketSnapshot
from strategies.signals.breadth import is_breadth_lagging, is_near_high
from strategies.signals.curve import curve_at, curve_of, curve_signs, deep_backwardation_lengths
from strategies.signals.indicators import (
    WEEK_BARS,
    Side,
    is_below_mean,
    rsi,
    rsi_warm_bars,
    run_lengths,
    tidied,
    week_deviation_z,
)
from strategies.signals.readings import Signals, daily_macd, days_to_events
from strategies.signals.series import SnapshotSeries

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Regime:
    """The regimes of one interval. None = absent: the data to tell are missing."""

    curve: Curve  # R1, as confirmed
    flipped_now: bool  # R1: backwardation was confirmed in this call, as first since contango
    found_inverted: bool  # R1: the first curve ever known is backwardation; its flip was not seen
    restored_now: bool  # R1: contango was confirmed in this call, as first since backwardation
    contango_closes: int | None  # completed closes in a row (B11)
    pre_event: bool | None  # R2
    spike: bool | None  # R3
    shift: bool | None  # R4
    labels: dict[str, str]  # "R1".."R4" -> state, as a plan records it


def classify_regime(
    signals: Signals, snapshot: MarketSnapshot, memory: Memory, rules: Rules
) -> tuple[Regime, RegimeMemory, bool]:
    """Return the regime, the regime memory for the next decision, and the S1 latch of RSI(VIX).

    R1 changes when ``confirm_closes`` daily closes or ``confirm_intervals`` calls in a row say the
    same; flat is a reading inside the dead band. An interval without a reading breaks a row, and
    closes of before the curve's last change do not count.
    R2 holds from ``pre_event_days`` trading days before an event through its day. R3 and R4 stay
    until their leaving condition holds; where both conditions hold, entering wins. What is absent
    moves nothing.

    Source: rules S1 (latch) and R1-R4.
    """
    settled, turned, latch = _after_closes(snapshot, memory, rules)
    known = settled
    settled = _after_interval(
        settled, signals.backwardation_fraction, snapshot.session, rules.regime
    )
    if known.curve is not Curve.UNKNOWN and settled.side is not known.side:
        turned = settled.side

    spike = _spike_now(settled.spike, signals, rules.regime)
    shift = _shift_now(settled.shift, signals, rules.regime)
    pre_event = _pre_event_now(signals, rules.regime)
    if signals.rsi_vix is not None:
        latch = _rsi_latch(latch, np.array([signals.rsi_vix]), rules.signals)

    regime = Regime(
        curve=settled.curve,
        flipped_now=turned is Curve.BACKWARDATION,
        found_inverted=(
            memory.regime.curve is Curve.UNKNOWN
            and settled.curve is Curve.BACKWARDATION
            and turned is None
        ),
        restored_now=turned is Curve.CONTANGO,
        contango_closes=signals.contango_closes,
        pre_event=pre_event,
        spike=spike,
        shift=shift,
        labels={
            "R1": "absent" if settled.curve is Curve.UNKNOWN else str(settled.curve),
            "R2": _label("pre-event", holds=pre_event),
            "R3": _label("spike", holds=spike),
            "R4": _label("shift", holds=shift),
        },
    )
    kept = replace(
        settled,
        spike=settled.spike if spike is None else spike,
        shift=settled.shift if shift is None else shift,
    )
    return regime, kept, latch


def _label(name: str, *, holds: bool | None) -> str:
    if holds is None:
        return "absent"
    return name if holds else "none"


def _after_interval(
    memory: RegimeMemory, fraction: float | None, session: date, rules: RegimeRules
) -> RegimeMemory:
    if fraction is None:
        return replace(memory, candidate=Curve.UNKNOWN, candidate_intervals=0)
    said = curve_at(fraction, rules.dead_band)
    intervals = memory.candidate_intervals + 1 if said is memory.candidate else 1
    memory = replace(memory, candidate=said, candidate_intervals=intervals)
    return memory if intervals < rules.confirm_intervals else _confirmed(memory, said, session)


def _confirmed(memory: RegimeMemory, curve: Curve, since: date) -> RegimeMemory:
    if curve is memory.curve:
        return memory
    side = memory.side if curve is Curve.FLAT else curve
    return replace(memory, curve=curve, curve_since=since, side=side)


def _pre_event_now(signals: Signals, rules: RegimeRules) -> bool | None:
    days = days_to_events(signals.events).values()
    if any(ahead is not None and ahead <= rules.pre_event_days for ahead in days):
        return True
    return None if None in days else False


def _spike_now(spike: bool, signals: Signals, rules: RegimeRules) -> bool | None:
    points, fraction = signals.vix_day_change_points, signals.vix_day_change_fraction
    if points is None or fraction is None:
        return None
    z = np.nan if signals.vix_z5 is None else signals.vix_z5
    enters = _is_spike(np.array([points]), np.array([fraction]), np.array([z]), rules)
    leaves = signals.vix_below_5_mean is True and signals.macd_vix is Side.BEARISH
    return held(spike, enters=enters, leaves=np.array([leaves]))


def _shift_now(shift: bool, signals: Signals, rules: RegimeRules) -> bool | None:
    contango, deep = signals.contango_closes, signals.deep_backwardation_closes
    if contango is None or deep is None:
        return None
    if shift or deep < rules.shift_closes:
        return shift and contango < rules.shift_leave_closes
    weak = (signals.ad_divergence, signals.spx_below_sma50)
    if any(weak):
        return True
    return None if None in weak else False


def held(state: bool, *, enters: BoolArray, leaves: BoolArray) -> bool:
    """Return a two-state regime after a row of bars: the last condition that held decides.

    Where a bar both enters and leaves, it enters. Shapes: (n,) each, oldest first.
    """
    decisive = np.flatnonzero(enters | leaves)
    return bool(enters[decisive[-1]]) if decisive.size else state


def _rsi_latch(latch: bool, strengths: FloatArray, rules: SignalRules) -> bool:
    return held(
        latch, enters=strengths > rules.rsi_vix_high, leaves=strengths < rules.rsi_vix_reset
    )


def _is_spike(
    points: FloatArray, fraction: FloatArray, z: FloatArray, rules: RegimeRules
) -> BoolArray:
    return (
        (points >= rules.spike_points) | (fraction >= rules.spike_fraction) | (z >= rules.spike_z)
    )


def _after_closes(
    snapshot: MarketSnapshot, memory: Memory, rules: Rules
) -> tuple[RegimeMemory, Curve | None, bool]:
    """Take up the closes since the last decision's session.

    Returns the memory, the side to which the curve has turned (None = it has not; the first call
    ever finds a state, not a turn), and the latch.
    """
    regime, latch = memory.regime, memory.rsi_vix_high
    if regime.side is Curve.UNKNOWN and regime.curve is not Curve.FLAT:
        regime = replace(regime, side=regime.curve)
    if memory.session is not None and memory.session >= snapshot.session:
        return regime, None, latch
    since = None if memory.session is None else np.datetime64(memory.session, "D")
    closes = SnapshotSeries(snapshot, rules.signals)
    unturned: tuple[RegimeMemory, Curve | None] = (regime, None)
    after, turned = _unless_missing(_curve_after, unturned, closes, since, rules)
    after = replace(
        after,
        spike=_unless_missing(_spike_after, regime.spike, closes, since, rules),
        shift=_unless_missing(_shift_after, regime.shift, closes, since, rules),
    )
    turned = None if regime.curve is Curve.UNKNOWN else turned
    return after, turned, _unless_missing(_latch_after, latch, closes, since, rules)


def _unless_missing(
    step: Callable[[T, SnapshotSeries, np.datetime64 | None, Rules], T],
    state: T,
    closes: SnapshotSeries,
    since: np.datetime64 | None,
    rules: Rules,
) -> T:
    try:
        return step(state, closes, since, rules)
    except MissingData:
        return state


def _curve_after(
    known: tuple[RegimeMemory, Curve | None],
    closes: SnapshotSeries,
    since: np.datetime64 | None,
    rules: Rules,
) -> tuple[RegimeMemory, Curve | None]:
    """Return the memory after the closes since ``since``, and the side the curve turned to."""
    memory, turned = known
    signs = curve_signs(closes.curve_closes.fraction, rules.regime.dead_band)
    new = closes.rows_since(closes.curve_rows, since)
    valid = 0
    if memory.curve_since is not None:
        valid = closes.rows_since(closes.curve_rows, np.datetime64(memory.curve_since, "D"))
    lengths = np.minimum(run_lengths(signs), np.arange(len(signs)) + 1 - valid)
    for row in new + np.flatnonzero(lengths[new:] >= rules.regime.confirm_closes):
        side = memory.side
        day_after = closes.session_of(closes.curve_rows[row]) + timedelta(days=1)
        memory = _confirmed(memory, curve_of(int(signs[row])), day_after)
        turned = turned if memory.side is side else memory.side
    return memory, turned


def _latch_after(
    latch: bool, closes: SnapshotSeries, since: np.datetime64 | None, rules: Rules
) -> bool:
    rows = closes.rows("vix_close")
    period = rules.signals.rsi_period
    strengths = tidied(rsi(closes.closes("vix_close", rows), period))
    new = max(closes.rows_since(rows, since), rsi_warm_bars(period) - 1)
    return _rsi_latch(latch, strengths[new:], rules.signals)


def _spike_after(
    spike: bool, closes: SnapshotSeries, since: np.datetime64 | None, rules: Rules
) -> bool:
    rows = closes.rows("vix_close")
    vix = closes.closes("vix_close", rows)
    enters = np.zeros(len(vix), dtype=np.bool_)
    enters[1:] = _is_spike(
        tidied(np.diff(vix)),
        tidied(vix[1:] / vix[:-1] - 1),
        tidied(week_deviation_z(vix)[1:]),
        rules.regime,
    )
    leaves = is_below_mean(vix, WEEK_BARS) & daily_macd(vix, rules).is_bearish
    new = closes.rows_since(rows, since)
    return held(spike, enters=enters[new:], leaves=leaves[new:])


def _shift_after(
    shift: bool, closes: SnapshotSeries, since: np.datetime64 | None, rules: Rules
) -> bool:
    curve, rows, regime = closes.curve_closes, closes.curve_rows, rules.regime
    deep = deep_backwardation_lengths(curve, regime.shift_backwardation)
    signs = curve_signs(curve.fraction, regime.dead_band)
    enters = (deep >= regime.shift_closes) & _is_spx_weak(closes, rules)[rows]
    leaves = (signs < 0) & (run_lengths(signs) >= regime.shift_leave_closes)
    new = closes.rows_since(rows, since)
    return held(shift, enters=enters[new:], leaves=leaves[new:])


def _is_spx_weak(closes: SnapshotSeries, rules: Rules) -> BoolArray:
    """Return where S5 holds or SPX is below its mean (R4), one entry a completed bar."""
    windows = rules.signals
    rows = closes.rows("spx_close")
    spx = closes.closes("spx_close", rows)
    is_weak = np.zeros(closes.completed_bars, dtype=np.bool_)
    is_weak[rows] = is_near_high(
        spx, window=windows.divergence_window, within=windows.divergence_near_high
    )
    is_weak &= _is_lagging(closes, windows)
    is_weak[rows] |= is_below_mean(spx, rules.regime.shift_sma)
    return is_weak


def _is_lagging(closes: SnapshotSeries, windows: SignalRules) -> BoolArray:
    is_lagging = np.zeros(closes.completed_bars, dtype=np.bool_)
    try:
        rows = closes.rows("net_breadth")
    except MissingData:
        return is_lagging
    is_lagging[rows] = is_breadth_lagging(
        closes.closes("net_breadth", rows),
        window=windows.divergence_window,
        sigmas=windows.divergence_sigmas,
    )
    return is_lagging
