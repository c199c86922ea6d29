"""The evidence panel (E) and the nature of a spike (R5): fear, technical or undecided.

Each factor votes fear or technical beyond its thresholds and abstains between them; a factor
without its data is absent. Neither counts in the weighted mean.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from functools import partial

import numpy as np

from strategies.model.errors import MissingData
from strategies.model.plan import Gate
from strategies.model.quotes import FloatArray
from strategies.model.rules import FactorRule, Rules
from strategies.model.snapshots import FactorSeries, MarketSnapshot
from strategies.signals.indicators import Side, tidy, z_of_last
from strategies.signals.readings import Signals
from strategies.signals.series import SnapshotSeries, require_bars

REIT_FACTOR = "reit"  # name of the factor feed that stands for REIT index stress
_SAID = {1: "fear", -1: "technical", 0: "abstains", None: "absent"}


class Verdict(StrEnum):
    """What a spike is, as the panel sees it (R5)."""

    FEAR = "fear"
    TECHNICAL = "technical"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One factor's vote."""

    name: str
    vote: int | None  # +1 fear, -1 technical, 0 inside its neutral band; None = absent
    value: float | None
    threshold: str  # "fear > 1, technical < -1"
    weight: float
    note: str = ""  # why it is absent

    @property
    def gate(self) -> Gate:
        """The vote as a plan records it; passed = it voted fear or technical."""
        return Gate(
            rule="E",
            name=f"{self.name}: {_SAID[self.vote]}",
            value=self.value,
            threshold=self.threshold,
            passed=bool(self.vote),
            note=self.note,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Every vote of one interval, and what they come to."""

    votes: tuple[Vote, ...]
    mean: float | None  # weighted, of those that voted fear or technical; None = nobody did
    verdict: Verdict

    @property
    def missing(self) -> tuple[str, ...]:
        """One line for each absent factor."""
        return tuple(f"E {vote.name}: {vote.note}" for vote in self.votes if vote.vote is None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bounds:
    """Beyond which values a factor votes; a value that is both is fear."""

    fear_above: float | None = None
    fear_below: float | None = None
    technical_above: float | None = None
    technical_below: float | None = None

    def vote(self, value: float) -> int:
        if _is_beyond(value, self.fear_above, self.fear_below):
            return 1
        return -1 if _is_beyond(value, self.technical_above, self.technical_below) else 0

    def __str__(self) -> str:
        sides = {
            "fear >": self.fear_above,
            "fear <": self.fear_below,
            "technical >": self.technical_above,
            "technical <": self.technical_below,
        }
        return ", ".join(f"{side} {at:g}" for side, at in sides.items() if at is not None)


def _is_beyond(value: float, above: float | None, below: float | None) -> bool:
    return (above is not None and value > above) or (below is not None and value < below)


def read_panel(snapshot: MarketSnapshot, signals: Signals, rules: Rules) -> Panel:
    """Return the vote of every factor, built in and fed, and the verdict.

    The weighted mean of the votes of +1 and -1 decides at ``decide_at`` and beyond; otherwise, and
    with nobody voting, the panel is undecided.

    Source: rules E and R5.
    """
    votes = (
        *_built_in(SnapshotSeries(snapshot, rules.signals), signals, rules),
        *_fed(snapshot, rules),
    )
    weight = sum(vote.weight for vote in votes if vote.vote)
    if weight == 0:
        return Panel(votes=votes, mean=None, verdict=Verdict.UNDECIDED)
    mean = tidy(sum(vote.weight * (vote.vote or 0) for vote in votes) / weight)
    verdict = Verdict.UNDECIDED
    if abs(mean) >= rules.panel.decide_at:
        verdict = Verdict.FEAR if mean > 0 else Verdict.TECHNICAL
    return Panel(votes=votes, mean=mean, verdict=verdict)


def panel_gates(panel: Panel, rules: Rules) -> tuple[Gate, ...]:
    """Return one gate a factor, and R5's; passed = it decides."""
    verdict = Gate(
        rule="R5",
        name="weighted mean of the votes, absolute",
        value=None if panel.mean is None else abs(panel.mean),
        threshold=rules.panel.decide_at,
        passed=panel.verdict is not Verdict.UNDECIDED,
        note=panel.verdict.value,
    )
    return (*(vote.gate for vote in panel.votes), verdict)


# --- built-in factors -----------------------------------------------------------------------------


def _built_in(series: SnapshotSeries, signals: Signals, rules: Rules) -> tuple[Vote, ...]:
    """Return the votes of the factors that the rule book names, REIT stress apart."""
    panel, dead_band = rules.panel, rules.regime.dead_band
    apart, neutral = rules.signals.dislocation_z, panel.neutral_z
    fear_high = _Bounds(fear_above=neutral, technical_below=-neutral)
    return (
        _vote(
            "curve",
            panel.curve_weight,
            _Bounds(fear_above=dead_band, technical_below=-dead_band),
            lambda: _known(signals.backwardation_fraction, "S7"),
        ),
        _breadth(series, signals, rules),
        _vvix(series, signals, rules),
        _vote("flow", panel.flow_weight, fear_high, lambda: _known(signals.order_flow_z, "S9")),
        _vote(
            "dislocation",
            panel.dislocation_weight,
            _Bounds(technical_above=apart, technical_below=-apart),
            lambda: _known(signals.dislocation_z, "S8"),
        ),
        _vote("credit", panel.credit_weight, fear_high, lambda: _credit_z(series, rules)),
        _vote(
            "correlation",
            panel.correlation_weight,
            fear_high,
            lambda: _known(signals.cor1m_z, "S13"),
        ),
    )


def _vote(name: str, weight: float, bounds: _Bounds, read: Callable[[], float]) -> Vote:
    vote, value, note = None, None, ""
    try:
        value = tidy(read())
        vote = bounds.vote(value)
    except MissingData as reason:
        note = str(reason)
    return Vote(name=name, vote=vote, value=value, threshold=str(bounds), weight=weight, note=note)


def _known(reading: float | None, rule_id: str) -> float:
    if reading is None:
        raise MissingData(f"{rule_id} is absent")
    return reading


def _breadth(series: SnapshotSeries, signals: Signals, rules: Rules) -> Vote:
    """Return the vote of the A/D line: its change over S5's window as a z, or S5 itself."""
    neutral, window = rules.panel.neutral_z, rules.signals.divergence_window

    def change_z() -> float:
        line = np.cumsum(series.closes("net_breadth", series.rows("net_breadth")))
        return z_of_last(line[window:] - line[:-window], rules.panel.window)

    bounds = _Bounds(fear_below=-neutral, technical_above=neutral)
    vote = _vote("breadth", rules.panel.breadth_weight, bounds, change_z)
    return replace(vote, vote=1, note="S5 diverges") if signals.ad_divergence else vote


def _vvix(series: SnapshotSeries, signals: Signals, rules: Rules) -> Vote:
    """Return the vote of VVIX/VIX: its z, where S3 has turned to the same side."""
    neutral = rules.panel.neutral_z
    vote = _vote(
        "vvix",
        rules.panel.vvix_weight,
        _Bounds(fear_above=neutral, technical_below=-neutral),
        lambda: z_of_last(series.vvix_over_vix, rules.panel.window),
    )
    side = signals.macd_vvix_vix
    if vote.vote and side is not (Side.BULLISH if vote.vote > 0 else Side.BEARISH):
        return replace(vote, vote=0, note=f"S3 is {side or 'absent'}")
    return vote


def _credit_z(series: SnapshotSeries, rules: Rules) -> float:
    spreads = series.closes("credit_spread", series.rows("credit_spread"))
    return z_of_last(spreads, rules.panel.window)


# --- factor feeds ---------------------------------------------------------------------------------


def _fed(snapshot: MarketSnapshot, rules: Rules) -> tuple[Vote, ...]:
    """Return the votes of the configured feeds; REIT stress is one, absent where it is not fed."""
    feeds = {each.name: each for each in snapshot.factors}
    votes = []
    for rule in rules.panel.factors:
        weight = rule.weight * (rules.panel.reit_weight if rule.name == REIT_FACTOR else 1.0)
        bounds = _Bounds(
            fear_above=rule.fear_above,
            fear_below=rule.fear_below,
            technical_above=rule.technical_above,
            technical_below=rule.technical_below,
        )
        read = partial(_fed_value, rule, feeds.get(rule.name), snapshot.session)
        votes.append(_vote(rule.name, weight, bounds, read))
    if all(rule.name != REIT_FACTOR for rule in rules.panel.factors):
        votes.append(
            Vote(
                name=REIT_FACTOR,
                vote=None,
                value=None,
                threshold="",
                weight=rules.panel.reit_weight,
                note="no factor feed has this name",
            )
        )
    return tuple(votes)


def _fed_value(rule: FactorRule, feed: FactorSeries | None, session: date) -> float:
    """Return the transformed newest observation of before the session."""
    if feed is None or feed.problem:
        raise MissingData("it is not fed" if feed is None else feed.problem)
    today = np.datetime64(session, "D")
    known = np.flatnonzero((feed.day < today) & np.isfinite(feed.value))
    if not known.size:
        raise MissingData("no observation yet")
    age_days = int((today - feed.day[known[-1]]).astype(np.int64))
    if age_days > rule.max_age:
        raise MissingData(f"the newest observation is {age_days} days old")
    return _TRANSFORMS[rule.transform](feed.value[known], rule.window)


def _level(values: FloatArray, _: int) -> float:
    return float(values[-1])


def _change(values: FloatArray, window: int) -> float:
    require_bars(values, window + 1)
    return float(values[-1] - values[-1 - window])


def _percentile(values: FloatArray, window: int) -> float:
    """Return the share of the ``window`` values before the last that lie below it, in percent."""
    require_bars(values, window + 1)
    return 100.0 * float((values[-window - 1 : -1] < values[-1]).mean())


_TRANSFORMS: dict[str, Callable[[FloatArray, int], float]] = {
    "level": _level,
    "change": _change,
    "zscore": z_of_last,
    "percentile": _percentile,
}
