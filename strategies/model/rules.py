"""The rules in force, as data: every default of the rule book with its id, bounds and unit.

Each field names the rule it belongs to, what it means and the bounds the configuration enforces,
so that the config schema and the rule reference are generated from here and from nowhere else.
"""

import math
from dataclasses import dataclass, field, fields, is_dataclass
from functools import lru_cache
from typing import Any, Literal

from strategies.model.encoding import to_json
from strategies.model.ids import digest

RULE_BOOK_VERSION = "1.0"


def rule(
    default: Any,  # noqa: ANN401 the field's own type
    what: str,
    *,
    rule_id: str,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:  # noqa: ANN401 as dataclasses.field
    """Declare one rule value: its default, meaning, rule id and the bounds it must stay in."""
    metadata = {"rule": rule_id, "what": what, "low": low, "high": high, "choices": choices}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class CondorRules:
    """C: how condors are chosen, sized and closed."""

    bias: str = rule(
        "negative",
        "vega bias of new condors",
        rule_id="C4",
        choices=("negative", "neutral", "positive"),
    )
    wings: str = rule(
        "one_by_one",
        "wings of new condors; positive and neutral bias need ratio, diagonal or either",
        rule_id="C5",
        choices=("one_by_one", "ratio", "diagonal", "either"),
    )
    min_hours_before_early_close: float = rule(
        2.0, "hours before an early close without entries", rule_id="C1", low=0, high=6
    )
    skip_event_days: bool = rule(False, "skip entries on the day of FOMC, CPI or PPI", rule_id="C1")
    target_dte: int = rule(45, "days to expiry aimed at", rule_id="C2", low=30, high=45)
    min_dte: int = rule(30, "fewest days to expiry", rule_id="C2", low=7, high=45)
    max_dte: int = rule(45, "most days to expiry", rule_id="C2", low=30, high=60)
    allow_am_settled: bool = rule(False, "allow AM-settled SPX", rule_id="C2")
    short_delta: float = rule(
        0.16, "absolute delta of both shorts", rule_id="C3", low=0.15, high=0.20
    )
    delta_tolerance: float = rule(
        0.05,
        "farthest a short's delta may be from the target",
        rule_id="C3",
        low=0.01,
        high=0.10,
    )
    min_net_vega: float = rule(
        -0.35, "lowest net vega per contract", rule_id="C4", low=-2.0, high=0.0
    )
    max_net_vega: float = rule(
        -0.15, "highest net vega per contract", rule_id="C4", low=-2.0, high=0.0
    )
    positive_min_net_vega: float = rule(
        0.18, "lowest net vega per contract, positive bias", rule_id="C5", low=0.0, high=2.0
    )
    positive_max_net_vega: float = rule(
        0.35, "highest net vega per contract, positive bias", rule_id="C5", low=0.0, high=2.0
    )
    neutral_net_vega: float = rule(
        0.05,
        "largest absolute net vega per contract, neutral bias",
        rule_id="C5",
        low=0.0,
        high=0.15,
    )
    diagonal_max_days: int = rule(
        45, "days the long wings may expire after the shorts", rule_id="C5", low=7, high=120
    )
    min_credit_to_width: float = rule(
        0.10, "credit over widest wing, at least", rule_id="C6", low=0.0, high=0.5
    )
    entry_concession: float = rule(
        0.5,
        "share of the way from mid to the natural price an entry may give up",
        rule_id="C6",
        low=0.0,
        high=1.0,
    )
    max_loss_fraction: float = rule(
        0.025,
        "max loss of one condor position over net liquidation",
        rule_id="C7",
        low=0.001,
        high=0.03,
    )
    max_margin_fraction: float = rule(
        0.50, "total condor margin over net liquidation", rule_id="C7", low=0.05, high=0.50
    )
    margin_convention: Literal["ib", "cboe"] = rule(
        "ib", "whose margin of a condor counts", rule_id="C7", choices=("ib", "cboe")
    )
    hurdle: float = rule(
        0.18,
        "expected IRR of a new condor, hedge cost deducted, at least",
        rule_id="C8",
        low=0.18,
        high=0.25,
    )
    profit_target: float = rule(
        0.50, "close at this share of the credit", rule_id="C9", low=0.1, high=0.95
    )
    time_exit_dte: int = rule(21, "close at this many days to expiry", rule_id="C9", low=1, high=30)
    stop_loss_credits: float = rule(
        2.0, "close when the loss reaches this many credits", rule_id="C9", low=0.5, high=5.0
    )
    close_reach: float = rule(
        0.5,
        "share of the way from mid to the worst at expiry that a close may give up",
        rule_id="C9",
        low=0.0,
        high=0.9,
    )
    stop_allowance: float = rule(
        0.10,
        "index points a stop may pay beyond the natural price",
        rule_id="C9",
        low=0.0,
        high=1.0,
    )
    least_saving: float = rule(
        0.05,
        "share of the worst at expiry that a stop or time exit must still save",
        rule_id="C9",
        low=0.0,
        high=0.25,
    )
    tested_delta: float = rule(
        0.30, "absolute delta at which a short is tested", rule_id="C10", low=0.20, high=0.50
    )
    max_adjustments: int = rule(2, "adjustments of one condor", rule_id="C10", low=0, high=2)
    min_roll_dte: int = rule(
        22, "fewest days to expiry of what a roll opens", rule_id="C10", low=7, high=60
    )
    roll_wait_intervals: int = rule(
        8,
        "intervals until a roll that nobody took is asked for again, or else the next session",
        rule_id="C10",
        low=1,
        high=100,
    )
    spike_rolls: bool = rule(
        True, "in a spike roll shorts out before VIX layers are boosted", rule_id="C11"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalRules:
    """S: windows and thresholds of the signals."""

    rsi_period: int = rule(14, "Wilder period of RSI", rule_id="S1", low=2, high=50)
    rsi_vix_high: float = rule(60.0, "RSI(VIX) latches high above", rule_id="S1", low=50, high=90)
    rsi_vix_reset: float = rule(50.0, "RSI(VIX) latch resets below", rule_id="S1", low=30, high=60)
    rsi_vix_low: float = rule(30.0, "RSI(VIX) is low below", rule_id="S1", low=5, high=50)
    rsi_spx_weak: float = rule(35.0, "RSI(SPX) is weak below", rule_id="S2", low=10, high=50)
    macd_fast: int = rule(12, "fast EMA of MACD", rule_id="S3", low=2, high=50)
    macd_slow: int = rule(26, "slow EMA of MACD", rule_id="S3", low=5, high=100)
    macd_signal: int = rule(9, "signal EMA of MACD", rule_id="S3", low=2, high=50)
    basis_fast: int = rule(10, "fast EMA of the basis MACD", rule_id="S4", low=2, high=50)
    basis_slow: int = rule(30, "slow EMA of the basis MACD", rule_id="S4", low=5, high=100)
    divergence_window: int = rule(20, "days of the A/D divergence", rule_id="S5", low=5, high=60)
    divergence_near_high: float = rule(
        0.005, "SPX within this fraction of its high", rule_id="S5", low=0.0, high=0.05
    )
    divergence_sigmas: float = rule(
        1.0, "A/D line below its high by this many sigmas", rule_id="S5", low=0.0, high=5.0
    )
    dislocation_window: int = rule(252, "days of the regression", rule_id="S8", low=60, high=756)
    dislocation_z: float = rule(
        3.0, "absolute residual z that is a dislocation", rule_id="S8", low=1.5, high=10.0
    )
    order_flow_window: int = rule(20, "days of the order flow z", rule_id="S9", low=10, high=120)
    max_quote_age_s: float = rule(
        120.0, "oldest intraday input, seconds", rule_id="S", low=1.0, high=900.0
    )
    max_history_age_days: int = rule(
        5, "calendar days the newest daily bar may be old", rule_id="S", low=1, high=10
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RegimeRules:
    """R: regimes with hysteresis."""

    dead_band: float = rule(
        0.005, "half width of flat around VX1/VX2 - 1 = 0", rule_id="R1", low=0.0, high=0.05
    )
    confirm_closes: int = rule(
        2, "daily closes that confirm a curve state", rule_id="R1", low=1, high=5
    )
    confirm_intervals: int = rule(
        4, "consecutive intervals that confirm a curve state", rule_id="R1", low=1, high=40
    )
    pre_event_days: int = rule(3, "trading days before an event", rule_id="R2", low=0, high=10)
    spike_fraction: float = rule(
        0.20, "VIX rise on the day that is a spike", rule_id="R3", low=0.05, high=1.0
    )
    spike_points: float = rule(
        4.0, "VIX points on the day that are a spike", rule_id="R3", low=1.0, high=20.0
    )
    spike_z: float = rule(3.0, "5-day z of VIX that is a spike", rule_id="R3", low=1.0, high=10.0)
    shift_backwardation: float = rule(
        0.03, "backwardation of a regime shift", rule_id="R4", low=0.0, high=0.2
    )
    shift_closes: int = rule(
        3, "daily closes that confirm a regime shift", rule_id="R4", low=1, high=10
    )
    shift_sma: int = rule(50, "days of the SPX mean", rule_id="R4", low=10, high=250)
    shift_leave_closes: int = rule(
        5, "contango closes that end a regime shift", rule_id="R4", low=1, high=20
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerRules:
    """L: shares, tenors and instruments of the three layers."""

    l1_share: float = rule(0.50, "L1 share of the short vega", rule_id="L1", low=0.40, high=0.60)
    l2_share: float = rule(0.30, "L2 share of the short vega", rule_id="L2", low=0.20, high=0.40)
    l3_share: float = rule(0.20, "L3 share of the short vega", rule_id="L3", low=0.10, high=0.30)
    l1_max_days: int = rule(30, "last day of the L1 tenor", rule_id="L1", low=20, high=45)
    l2_max_days: int = rule(90, "last day of the L2 tenor", rule_id="L2", low=60, high=120)
    l3_max_days: int = rule(190, "last day of the L3 tenor", rule_id="L3", low=120, high=270)
    l2_backwardation: float = rule(
        0.03,
        "backwardation that, with weak RSI(SPX), activates L2",
        rule_id="L2",
        low=0.0,
        high=0.2,
    )
    l3_rsi_period: int = rule(7, "RSI period of the L3 gate", rule_id="L3", low=2, high=30)
    l3_sma: int = rule(20, "days of the SPX mean of the L3 gate", rule_id="L3", low=5, high=100)
    max_scale: float = rule(1.5, "a layer's scale never exceeds", rule_id="L4", low=1.0, high=1.5)
    call_delta_low: float = rule(
        0.10, "lowest delta of a VIX call bought", rule_id="L1", low=0.05, high=0.30
    )
    call_delta_high: float = rule(
        0.30, "highest delta of a VIX call bought", rule_id="L1", low=0.15, high=0.60
    )
    min_premium: float = rule(
        0.10, "cheapest VIX option bought, index points", rule_id="L5", low=0.01, high=1.0
    )
    carry_weight: float = rule(
        1.0, "weight of carry per unit of factor vega", rule_id="L5", low=0.0, high=10.0
    )
    convexity_weight: float = rule(
        1.0,
        "weight of the gain under VIX +8 per unit of factor vega",
        rule_id="L5",
        low=0.0,
        high=10.0,
    )
    carry_days: int = rule(
        10, "calendar days of holding that carry is measured over", rule_id="L5", low=1, high=60
    )
    held_margin: float = rule(
        0.5,
        "score by which what a layer holds may be worse than the best and is still bought",
        rule_id="L5",
        low=0.0,
        high=2.0,
    )
    months: int = rule(6, "VX months bought, nearest first", rule_id="L5", low=2, high=9)
    use_vxm: bool = rule(True, "trade VXM as well as VX", rule_id="L5")
    stagger_from_contracts: int = rule(
        4, "contracts from which expirations are staggered", rule_id="L7", low=2, high=100
    )
    stagger_max_share: float = rule(
        0.60, "largest share of one expiry in a layer", rule_id="L7", low=0.3, high=1.0
    )


FACTOR_SOURCES = ("csv", "parquet", "fred", "ib")
FACTOR_TRANSFORMS = ("level", "change", "zscore", "percentile")
_SUFFIXES = {"csv": ".csv", "parquet": ".parquet"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorRule:
    """E: one factor feed of the evidence panel; its data stands in the snapshot under its name.

    What is compared with the thresholds is, with n = ``window`` observations: *level* the newest
    value; *change* the newest less the one n before it; *zscore* the newest less the mean of the n
    before it, over their deviation; *percentile* the share of the n before it that lie below it, 0
    to 100. Above ``fear_above`` or below ``fear_below`` votes fear, above ``technical_above`` or
    below ``technical_below`` technical, anything else abstains.
    """

    name: str
    source: str  # FACTOR_SOURCES
    series: str  # a file, a bundled FRED series, or the symbol the broker supplies
    transform: str = "level"  # FACTOR_TRANSFORMS
    window: int = 252  # observations of change, zscore and percentile
    fear_above: float | None = None
    fear_below: float | None = None
    technical_above: float | None = None
    technical_below: float | None = None
    weight: float = 1.0
    max_age: int = 7  # calendar days the newest observation may be old; longest gap allowed
    lag: int = 0  # weekdays from an observation's date to the day it is published


FACTOR_BOUNDS = {"window": (1, 5000), "weight": (0.0, 5.0), "max_age": (1, 400), "lag": (0, 250)}
_THRESHOLDS = ("fear_above", "fear_below", "technical_above", "technical_below")
# No value may be asked to vote both ways: (this one, must not be below, that one)
_APART = (
    ("fear_above", "technical_below"),
    ("technical_above", "fear_below"),
    ("fear_above", "fear_below"),
    ("technical_above", "technical_below"),
)
_ONE_OF = (("fear_above", "technical_above"), ("fear_below", "technical_below"))


def factor_faults(factor: FactorRule) -> tuple[tuple[str, str], ...]:
    """Return (field, what was expected) for everything wrong with a factor feed; empty if sound."""
    faults = []
    if not factor.name or not factor.name.replace("_", "").isalnum():
        faults.append(("name", f"expected letters, digits and _, found {factor.name!r}"))
    for key, choices in (("source", FACTOR_SOURCES), ("transform", FACTOR_TRANSFORMS)):
        if (chosen := getattr(factor, key)) not in choices:
            faults.append((key, f"expected one of {', '.join(choices)}; found {chosen!r}"))
    suffix = _SUFFIXES.get(factor.source, "")
    if not factor.series.strip():
        faults.append(("series", "expected a file or the name of a series, found nothing"))
    elif not factor.series.endswith(suffix):
        faults.append(("series", f"expected a {suffix} file, found {factor.series!r}"))
    for key, (low, high) in FACTOR_BOUNDS.items():
        if not low <= (number := getattr(factor, key)) <= high:  # NaN is outside too
            faults.append((key, f"{number} is outside {low:g} .. {high:g}"))
    if factor.transform in ("zscore", "percentile") and factor.window == 1:
        faults.append(("window", f"1 observation has no {factor.transform}; expected 2 or more"))
    return (*faults, *_threshold_faults(factor))


def _threshold_faults(factor: FactorRule) -> list[tuple[str, str]]:
    given = {key: getattr(factor, key) for key in _THRESHOLDS if getattr(factor, key) is not None}
    if not given:
        return [("name", f"{factor.name} never votes; give it one of {', '.join(_THRESHOLDS)}")]
    faults = [
        (key, f"expected a finite number, found {number}")
        for key, number in given.items()
        if not math.isfinite(number)
    ]
    for one, other in _ONE_OF:
        if one in given and other in given:
            faults.append((other, f"one value would vote both ways: {one} is given too"))
    for upper, lower in _APART:
        if upper in given and lower in given and given[upper] < given[lower]:
            message = f"{given[upper]} must not be below {lower}, which is {given[lower]}"
            faults.append((upper, message))
    return faults


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelRules:
    """E and R5: how the evidence panel weighs its votes."""

    decide_at: float = rule(
        0.3, "absolute weighted mean of votes that decides", rule_id="R5", low=0.05, high=1.0
    )
    technical_boost: float = rule(
        0.5, "share of the L1 boost in a technical spike", rule_id="E", low=0.0, high=1.0
    )
    technical_intervals: int = rule(
        2, "intervals that must ask for a boost in a technical spike", rule_id="E", low=1, high=8
    )
    fear_step: float = rule(
        2.0, "B9's step in a spike of fear, times", rule_id="E", low=1.0, high=4.0
    )
    window: int = rule(252, "bars of a built-in factor's z", rule_id="E", low=60, high=756)
    neutral_z: float = rule(
        1.0, "absolute z inside which a built-in factor abstains", rule_id="E", low=0.0, high=3.0
    )
    curve_weight: float = rule(1.0, "weight of curve inversion", rule_id="E", low=0.0, high=5.0)
    breadth_weight: float = rule(1.0, "weight of the A/D line", rule_id="E", low=0.0, high=5.0)
    vvix_weight: float = rule(1.0, "weight of VVIX over VIX", rule_id="E", low=0.0, high=5.0)
    flow_weight: float = rule(1.0, "weight of order flow", rule_id="E", low=0.0, high=5.0)
    dislocation_weight: float = rule(1.0, "weight of dislocation", rule_id="E", low=0.0, high=5.0)
    credit_weight: float = rule(1.0, "weight of the credit spread", rule_id="E", low=0.0, high=5.0)
    correlation_weight: float = rule(
        1.0, "weight of implied correlation", rule_id="E", low=0.0, high=5.0
    )
    reit_weight: float = rule(1.0, "weight of REIT stress", rule_id="E", low=0.0, high=5.0)
    factors: tuple[FactorRule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeRules:
    """T: analogues, event projection and the forward profile."""

    analogues: int = rule(25, "nearest past days looked at", rule_id="T1", low=5, high=200)
    analogue_gap_days: int = rule(
        10, "trading days between analogues", rule_id="T1", low=1, high=60
    )
    analogue_calm_p90: float = rule(
        8.0, "90th percentile of VIX change below which boosts wait", rule_id="T1", low=0, high=30
    )
    analogue_act_p75: float = rule(
        5.0,
        "75th percentile of VIX change above which B3 acts without S4",
        rule_id="T1",
        low=0,
        high=30,
    )
    event_reactions: int = rule(
        24, "past events of a kind looked at", rule_id="T2", low=6, high=200
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationRules:
    """B: rotation and rebalancing."""

    flip_cut: float = rule(
        0.50, "share of L1 rotated into L2 on a flip", rule_id="B1", low=0.40, high=0.60
    )
    flip_intervals: int = rule(
        4, "intervals over which a flip is spread", rule_id="B1", low=1, high=40
    )
    addon_points: float = rule(
        3.0, "VX1 - VX2 points that call the L2 add-on", rule_id="B2", low=0.5, high=20.0
    )
    addon: float = rule(0.25, "the L2 add-on", rule_id="B2", low=0.0, high=0.5)
    shift_ahead: float = rule(
        0.25, "share of L1 that time-shifting moves into L2", rule_id="B3", low=0.05, high=0.50
    )
    shift_falling_days: int = rule(
        3, "days the curve slope falls before L1 is moved ahead", rule_id="B3", low=1, high=10
    )
    event_k: float = rule(
        0.5, "weight of break-even shortfall in the event scale", rule_id="B4", low=0.0, high=2.0
    )
    event_scale_low: float = rule(0.5, "least event scale of L2", rule_id="B4", low=0.0, high=1.0)
    event_scale_high: float = rule(
        1.5, "largest event scale of L2", rule_id="B4", low=1.0, high=1.5
    )
    vega_per_theta: float = rule(
        3.2, "vega per theta above which layers go to target now", rule_id="B5", low=0.5, high=20.0
    )
    theta_window_first: int = rule(
        10,
        "days before a condor's monthly expiry the theta window opens",
        rule_id="B6",
        low=5,
        high=20,
    )
    theta_window_last: int = rule(
        7,
        "days before a condor's monthly expiry the theta window closes",
        rule_id="B6",
        low=1,
        high=15,
    )
    momentum_cut: float = rule(
        0.25,
        "part of a boost that the opposite pair of MACDs takes",
        rule_id="B7",
        low=0.0,
        high=1.0,
    )
    band_low: float = rule(-0.05, "net vega floor", rule_id="B8", low=-0.5, high=0.0)
    band_high: float = rule(0.10, "net vega ceiling", rule_id="B8", low=0.0, high=0.5)
    increment: float = rule(
        0.25,
        "largest step of a layer an interval, of its target",
        rule_id="B9",
        low=0.05,
        high=1.0,
    )
    no_trade_fraction: float = rule(
        0.10, "no-trade zone around the target", rule_id="B9", low=0.0, high=0.5
    )
    option_roll_days: int = rule(
        5, "VIX options close or roll at this many days", rule_id="B10", low=1, high=15
    )
    future_roll_days: int = rule(
        3, "futures close or roll at this many days", rule_id="B10", low=1, high=15
    )
    restore_closes: int = rule(
        3, "contango closes that restore the base", rule_id="B11", low=1, high=10
    )
    restore_days: int = rule(5, "days over which B1-B3 unwind", rule_id="B11", low=1, high=20)
    harvest_rsi: float = rule(
        70.0, "RSI(VIX) that arms the harvest", rule_id="B12", low=60.0, high=95.0
    )
    harvest_multiple: float = rule(
        4.0, "a call worth this many times its cost is harvested", rule_id="B12", low=1.5, high=20.0
    )
    harvest_share: float = rule(0.5, "share a harvest sells", rule_id="B12", low=0.1, high=1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class GovernorRules:
    """G: caps on cost, size and risk."""

    cost_soft: float = rule(
        0.01,
        "trailing 365-day hedge cost over net liquidation: only the core opens above",
        rule_id="G1",
        low=0.0,
        high=0.05,
    )
    cost_hard: float = rule(
        0.02,
        "trailing 365-day hedge cost over net liquidation: nothing opens above",
        rule_id="G1",
        low=0.0,
        high=0.10,
    )
    core_premium: float = rule(
        0.10, "L1 core premium over the condor's credit", rule_id="G2", low=0.08, high=0.12
    )
    notional_cap: float = rule(
        0.25, "hedge notional over condor max loss", rule_id="G3", low=0.15, high=0.25
    )
    quick_ratio: float = rule(
        1.5, "quick ratio below which L3 may not grow", rule_id="G6", low=1.0, high=5.0
    )
    hurdle: float = rule(
        0.18, "expected IRR of the hedged book, at least", rule_id="G4", low=0.18, high=0.25
    )
    equity_risk_premium: float = rule(
        0.05, "equity risk premium a year", rule_id="G5", low=0.0, high=0.15
    )
    margin_spread: float = rule(
        0.015, "margin rate above the risk-free rate, a year", rule_id="G5", low=0.0, high=0.10
    )
    max_net_vega: float = rule(0.10, "net vega no order may pass", rule_id="G7", low=0.0, high=0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Every rule value in force."""

    condor: CondorRules = field(default_factory=CondorRules)
    signals: SignalRules = field(default_factory=SignalRules)
    regime: RegimeRules = field(default_factory=RegimeRules)
    layers: LayerRules = field(default_factory=LayerRules)
    rotation: RotationRules = field(default_factory=RotationRules)
    governors: GovernorRules = field(default_factory=GovernorRules)
    panel: PanelRules = field(default_factory=PanelRules)
    time: TimeRules = field(default_factory=TimeRules)


@lru_cache(maxsize=4)
def rules_hash(rules: Rules) -> str:
    """Return the identity of the rules in force (D1): version of the rule book, and every value."""
    return digest(RULE_BOOK_VERSION, to_json(rules))


def rule_bounds_violations(rules: Rules) -> list[str]:
    """Return one sentence for each value outside the bounds of its rule; empty when all hold."""
    violations = []
    for section in fields(rules):
        group = getattr(rules, section.name)
        assert is_dataclass(group), "rules are grouped in dataclasses"
        for entry in fields(group):
            if "rule" not in entry.metadata:
                continue  # the factor feeds are checked below
            value = getattr(group, entry.name)
            low, high = entry.metadata["low"], entry.metadata["high"]
            choices = entry.metadata["choices"]
            name = f"{section.name}.{entry.name}"
            if choices and value not in choices:
                violations.append(f"{name}: {value!r} is not one of {', '.join(choices)}")
            # asked this way round, NaN is outside too
            if (low is not None and not value >= low) or (high is not None and not value <= high):
                violations.append(f"{name}: {value} is outside {low} .. {high}")
    names = [factor.name for factor in rules.panel.factors]
    for index, factor in enumerate(rules.panel.factors):
        place = f"panel.factors[{index}]"
        violations += [f"{place}.{key}: {message}" for key, message in factor_faults(factor)]
        if factor.name in names[:index]:
            violations.append(f"{place}.name: {factor.name!r} is the name of an earlier factor")
    return violations
