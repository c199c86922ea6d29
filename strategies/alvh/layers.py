"""Which layers are active (L1-L3), and how much factor vega each should hold (L4, L6).

L4: target = share x (-V_c) x scale, in USD per VIX point. L1 always keeps its core (G2) and is
boosted toward its full share while its boost is in force (S1, S5; ``boost``).

L2 acts in weak, deeply inverted markets, after a rotation (B1, B3), which takes its fraction from
L1's boost and from what B8's floor may make of L1, and before an event (B4); the strongest of them
counts. B2 adds its part of L2's share to that, and activates L2 with that part alone where nothing
else does; what the rotation freed in L1 is added too, and in B6's window L2 grows by the options
that it asks for.

L3 acts on a confirmed regime shift (R4), on a low RSI(VIX) while SPX keeps falling, or where B3
sends its weight there (T3), and grows only while the quick ratio allows it (G6).

L6: ``bias: negative`` never plans a vega-positive book, but spot beyond the wings can make one.
L1 then wants nothing, and L2 and L3 take what the book would be short in a fall (SPX -7 %, VIX +8)
in place of -V_c. Against a book meant to be vega-positive (C5) L1 is short besides: ``short_side``.
"""

from dataclasses import dataclass, replace

from strategies.alvh.boost import Boost
from strategies.alvh.holdings import LAYERS
from strategies.alvh.rotation import moved_to, rotation_rule, rotation_strength
from strategies.model.memory import RotationMemory
from strategies.model.plan import Gate, LayerReason
from strategies.model.rules import LayerRules, Rules
from strategies.signals.readings import Signals
from strategies.signals.regimes import Regime


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortVega:
    """What the condors are short, USD per VIX point, >= 0: L1's measure, and L2's and L3's."""

    now_usd: float  # before an event as T2 projects it
    in_a_fall_usd: float | None = None  # asked only where the condors are not short now (L6)

    def of(self, layer: str) -> float:
        """Return the short vega that a layer takes its share of."""
        if layer == "L1" or self.now_usd > 0 or self.in_a_fall_usd is None:
            return self.now_usd
        return self.in_a_fall_usd


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerTarget:
    """One layer's wish, before floors, ceilings and caps."""

    layer: str
    active: bool
    reason: LayerReason
    share: float
    scale: float  # 0 .. max_scale
    short_vega_usd: float
    vega_usd: float  # wanted, USD per VIX point
    rules: tuple[str, ...]
    cut: float = 0.0  # the part that a rotation has taken away
    note: str = ""

    @property
    def full_usd(self) -> float:
        """Its share of what the condors are short, USD per VIX point."""
        return self.share * self.short_vega_usd

    def most_usd(self, rules: LayerRules) -> float:
        """Return the most factor vega its largest scale allows (L4, G7)."""
        return rules.max_scale * self.full_usd

    def most_for_floor_usd(self, rules: LayerRules) -> float:
        """Return the most factor vega that B8's floor may raise it to: the cut comes off."""
        return (1.0 - self.cut) * self.most_usd(rules)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What other rules ask of the layers in this interval, besides the market's own gates."""

    boost: Boost  # L1's
    rotation: RotationMemory  # B1, B3, B11
    event_scale: float | None = None  # B4; None = it does not act
    theta_window_usd: float | None = None  # B6: what L2 should hold for it, USD per VIX point
    core_vega_usd: float = 0.0  # factor vega of the L1 core held


def layer_targets(
    signals: Signals, regime: Regime, *, asked: Asked, short_vega: ShortVega, rules: Rules
) -> tuple[dict[str, LayerTarget], tuple[Gate, ...]]:
    """Return the target of every layer (L1-L4, B2, B4, B6), and the gates of activation.

    Args:
        signals: The signals; what is absent activates nothing.
        regime: The regime of the interval.
        asked: What boost, rotation, event and theta window ask for.
        short_vega: What the condors are short.
        rules: Shares, thresholds and bounds.
    """
    targets = {
        "L1": _l1(asked, short_vega.of("L1"), rules),
        "L2": _l2(signals, asked, short_vega.of("L2"), rules),
        "L3": _l3(signals, regime, asked.rotation, short_vega.of("L3"), rules),
    }
    assert tuple(targets) == LAYERS, "one target a layer"
    for target in targets.values():
        assert 0 <= target.scale <= rules.layers.max_scale, "L4 bounds the scale"
    return targets, _gates(signals, regime, rules)


def _target(
    layer: str, share: float, scale: float, short_vega_usd: float, fired: tuple[str, ...]
) -> LayerTarget:
    active = scale > 0
    return LayerTarget(
        layer=layer,
        active=active,
        reason=LayerReason.ACTIVE if active else LayerReason.INACTIVE,
        share=share,
        scale=scale,
        short_vega_usd=short_vega_usd,
        vega_usd=share * scale * short_vega_usd,
        rules=fired,
    )


def _l1(asked: Asked, short_vega_usd: float, rules: Rules) -> LayerTarget:
    boost, rotation, share = asked.boost, asked.rotation, rules.layers.l1_share
    fired = ("L1", *boost.rules) if boost.scale > 0 else ("L1", "G2", *boost.rules)
    scale = boost.scale
    if rotation.l1_cut > 0:
        scale *= 1.0 - rotation.l1_cut
        fired = (*fired, rotation_rule(rotation))
    full = replace(
        _target("L1", share, scale, short_vega_usd, fired), cut=rotation.l1_cut, note=boost.note
    )
    # The core is always held, as far as there is anything to hedge
    core = asked.core_vega_usd if short_vega_usd > 0 else 0.0
    if full.vega_usd > core:
        return replace(full, reason=LayerReason.BOOST)
    wanted = min(core, full.most_usd(rules.layers))
    core_scale = wanted / full.full_usd if full.full_usd > 0 else 0.0
    return replace(
        full,
        active=True,
        reason=LayerReason.CORE,
        scale=min(core_scale, rules.layers.max_scale),
        vega_usd=wanted,
    )


def _l2(signals: Signals, asked: Asked, short_vega_usd: float, rules: Rules) -> LayerTarget:
    rotation, share = asked.rotation, rules.layers.l2_share
    strength, freed, fired = _rotated("L2", share, rotation, rules)
    if _is_weak_and_inverted(signals, rules):
        strength, fired = max(strength, 1.0), ("S2", "S7", *fired)
    if asked.event_scale is not None:
        strength, fired = max(strength, asked.event_scale), (*fired, "B4")
    addon = 0.0
    points = signals.backwardation_points
    if points is not None and points > rules.rotation.addon_points:
        addon, fired = rules.rotation.addon, (*fired, "B2")
    scale, full = strength + addon + freed, share * short_vega_usd
    if asked.theta_window_usd is not None and full > 0:
        scale, fired = max(scale, asked.theta_window_usd / full), (*fired, "B6")
    return _target("L2", share, min(rules.layers.max_scale, scale), short_vega_usd, ("L2", *fired))


def _l3(
    signals: Signals,
    regime: Regime,
    rotation: RotationMemory,
    short_vega_usd: float,
    rules: Rules,
) -> LayerTarget:
    share = rules.layers.l3_share
    strength, freed, fired = _rotated("L3", share, rotation, rules)
    if regime.shift is True:
        strength, fired = 1.0, (*fired, "R4")
    if _is_vix_asleep_in_a_fall(signals):
        strength, fired = 1.0, (*fired, "S1")
    scale = min(rules.layers.max_scale, strength + freed)
    return _target("L3", share, scale, short_vega_usd, ("L3", *fired))


def _rotated(
    layer: str, share: float, rotation: RotationMemory, rules: Rules
) -> tuple[float, float, tuple[str, ...]]:
    """Return how strongly a rotation activates a layer, the scale that L1's vega adds, and why.

    The vega that the cut freed in L1 is measured as it was at the flip.
    """
    moved = moved_to(layer, rotation)
    if moved <= 0:
        return 0.0, 0.0, ()
    strength = rotation_strength(layer, rotation, rules.rotation)
    return strength, moved * rotation.l1_weight_at_flip / share, (rotation_rule(rotation),)


def _is_weak_and_inverted(signals: Signals, rules: Rules) -> bool:
    fraction = signals.backwardation_fraction
    inverted = fraction is not None and fraction > rules.layers.l2_backwardation
    return signals.rsi_spx_weak is True and inverted


def _is_vix_asleep_in_a_fall(signals: Signals) -> bool:
    return (
        signals.rsi_vix_l3_low is True
        and signals.spx_below_sma20 is True
        and signals.spx_below_5_days_ago is True
    )


# --- gates ----------------------------------------------------------------------------------------


def _gates(signals: Signals, regime: Regime, rules: Rules) -> tuple[Gate, ...]:
    falling = (signals.spx_below_sma20, signals.spx_below_5_days_ago)
    keeps_falling = None if None in falling else all(falling)
    layers, rotation = rules.layers, rules.rotation
    return (
        Gate(
            rule="L2",
            name="RSI(SPX) weak",
            value=signals.rsi_spx,
            threshold=rules.signals.rsi_spx_weak,
            passed=signals.rsi_spx_weak is True,
            note="S2",
        ),
        _above(
            "L2", "backwardation", signals.backwardation_fraction, layers.l2_backwardation, "S7"
        ),
        _above("B2", "VX1 - VX2 points", signals.backwardation_points, rotation.addon_points),
        _yes("L3", "regime shift", regime.shift, "R4"),
        Gate(
            rule="L3",
            name=f"RSI(VIX, {layers.l3_rsi_period}) low",
            value=signals.rsi_vix_l3,
            threshold=rules.signals.rsi_vix_low,
            passed=signals.rsi_vix_l3_low is True,
            note="S1",
        ),
        _yes("L3", "SPX keeps falling", keeps_falling),
    )


def _above(rule: str, name: str, value: float | None, threshold: float, note: str = "") -> Gate:
    passed = value is not None and value > threshold
    return Gate(rule=rule, name=name, value=value, threshold=threshold, passed=passed, note=note)


def _yes(rule: str, name: str, holds: bool | None, note: str = "") -> Gate:
    value = None if holds is None else "yes" if holds else "no"
    return Gate(rule=rule, name=name, value=value, threshold="yes", passed=holds is True, note=note)
