"""Which layers are active (L1-L3), and how much factor vega each should hold (L4, L6).

L4: target = share x (-V_c) x scale, in USD per VIX point. L1 always keeps its core (G2) and is
boosted to its full share while RSI(VIX) is latched high (S1) or breadth diverges (S5). L2 acts in
weak, deeply inverted markets or after a rotation (B1), which takes its fraction from L1's boost
and from what B8's floor may make of L1; B2 adds its part of L2's share to that, and activates L2
with that part alone where nothing else does. L3 acts on a confirmed regime shift (R4) or on a low
RSI(VIX) while SPX keeps falling, and grows only while the quick ratio allows it (G6).

L6: ``bias: negative`` never plans a vega-positive book, but spot beyond the wings can make one.
L1 then wants nothing, and L2 and L3 take what the book would be short in a fall
(SPX -7 %, VIX +8) in place of -V_c. L1's short side belongs to ``bias: positive``, not in force.
"""

from dataclasses import dataclass, replace

from strategies.alvh.holdings import LAYERS
from strategies.alvh.rotation import rotation_strength
from strategies.model.memory import RotationMemory
from strategies.model.plan import Gate, LayerReason
from strategies.model.rules import LayerRules, Rules
from strategies.signals.readings import Signals
from strategies.signals.regimes import Regime


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortVega:
    """What the condors are short, USD per VIX point, >= 0: L1's measure, and L2's and L3's."""

    now_usd: float
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
    cut: float = 0.0  # the part that B1 has taken away
    note: str = ""

    def most_usd(self, rules: LayerRules) -> float:
        """Return the most factor vega its largest scale allows (L4, G7)."""
        return rules.max_scale * self.share * self.short_vega_usd

    def most_for_floor_usd(self, rules: LayerRules) -> float:
        """Return the most factor vega that B8's floor may raise it to: B1's cut comes off."""
        return (1.0 - self.cut) * self.most_usd(rules)


def layer_targets(
    signals: Signals,
    regime: Regime,
    *,
    rsi_vix_high: bool,
    rotation: RotationMemory,
    short_vega: ShortVega,
    core_vega_usd: float,
    rules: Rules,
) -> tuple[dict[str, LayerTarget], tuple[Gate, ...]]:
    """Return the target of every layer (L1-L4, B2), and the gates that activation looked at.

    Args:
        signals: The signals; what is absent activates nothing.
        regime: The regime of the interval.
        rsi_vix_high: S1's latch.
        rotation: The rotation in force: it takes from L1 and gives to L2 (B1, B11).
        short_vega: What the condors are short.
        core_vega_usd: Factor vega of the L1 core held.
        rules: Shares, thresholds and bounds.
    """
    gates = (
        *_l1_gates(signals, rsi_vix_high=rsi_vix_high),
        *_l2_gates(signals, rules),
        *_l3_gates(signals, regime, rules),
    )
    targets = {
        "L1": _l1(signals, rsi_vix_high, rotation, short_vega.of("L1"), core_vega_usd, rules),
        "L2": _l2(signals, rotation, short_vega.of("L2"), rules),
        "L3": _l3(signals, regime, short_vega.of("L3"), rules),
    }
    assert tuple(targets) == LAYERS, "one target a layer"
    for target in targets.values():
        assert 0 <= target.scale <= rules.layers.max_scale, "L4 bounds the scale"
    return targets, gates


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


def _l1(
    signals: Signals,
    rsi_vix_high: bool,
    rotation: RotationMemory,
    short_vega_usd: float,
    core_vega_usd: float,
    rules: Rules,
) -> LayerTarget:
    share = rules.layers.l1_share
    boosts = tuple(
        rule for rule, holds in (("S1", rsi_vix_high), ("S5", signals.ad_divergence)) if holds
    )
    fired = ("L1", *boosts) if boosts else ("L1", "G2")
    scale = 1.0 if boosts else 0.0
    if rotation.l1_cut > 0:
        scale *= 1.0 - rotation.l1_cut
        fired = (*fired, "B11" if rotation.restoring_since is not None else "B1")
    full = replace(_target("L1", share, scale, short_vega_usd, fired), cut=rotation.l1_cut)
    # The core is always held, as far as there is anything to hedge
    core = core_vega_usd if short_vega_usd > 0 else 0.0
    most = full.most_usd(rules.layers)
    if full.vega_usd > core:
        return replace(full, reason=LayerReason.BOOST)
    wanted = min(core, most)
    whole_usd = share * short_vega_usd
    core_scale = wanted / whole_usd if whole_usd > 0 else 0.0
    return replace(
        full,
        active=True,
        reason=LayerReason.CORE,
        scale=min(core_scale, rules.layers.max_scale),
        vega_usd=wanted,
    )


def _l2(
    signals: Signals, rotation: RotationMemory, short_vega_usd: float, rules: Rules
) -> LayerTarget:
    layers, strength = rules.layers, 0.0
    fired: tuple[str, ...] = ("L2",)
    if _is_weak_and_inverted(signals, rules):
        strength, fired = 1.0, (*fired, "S2", "S7")
    if rotation.l1_cut > 0:
        strength = max(strength, rotation_strength(rotation, rules.rotation))
        fired = (*fired, "B11" if rotation.restoring_since is not None else "B1")
    # The vega that the cut freed in L1, measured as it was at the flip
    freed = rotation.l1_cut * rotation.l1_weight_at_flip / layers.l2_share
    addon = 0.0
    points = signals.backwardation_points
    if points is not None and points > rules.rotation.addon_points:
        addon, fired = rules.rotation.addon, (*fired, "B2")
    scale = min(layers.max_scale, strength + addon + freed)
    return _target("L2", layers.l2_share, scale, short_vega_usd, fired)


def _l3(signals: Signals, regime: Regime, short_vega_usd: float, rules: Rules) -> LayerTarget:
    fired: tuple[str, ...] = ("L3",)
    if regime.shift is True:
        fired = (*fired, "R4")
    if _is_vix_asleep_in_a_fall(signals):
        fired = (*fired, "S1")
    scale = 1.0 if len(fired) > 1 else 0.0
    return _target("L3", rules.layers.l3_share, scale, short_vega_usd, fired)


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


def _l1_gates(signals: Signals, *, rsi_vix_high: bool) -> tuple[Gate, ...]:
    return (
        Gate(
            rule="L1",
            name="RSI(VIX) latched high",
            value=signals.rsi_vix,
            threshold="latch",
            passed=rsi_vix_high,
            note="S1",
        ),
        Gate(
            rule="L1",
            name="breadth diverges",
            value=_words(signals.ad_divergence),
            threshold="yes",
            passed=signals.ad_divergence is True,
            note="S5",
        ),
    )


def _l2_gates(signals: Signals, rules: Rules) -> tuple[Gate, ...]:
    fraction, points = signals.backwardation_fraction, signals.backwardation_points
    return (
        Gate(
            rule="L2",
            name="RSI(SPX) weak",
            value=signals.rsi_spx,
            threshold=rules.signals.rsi_spx_weak,
            passed=signals.rsi_spx_weak is True,
            note="S2",
        ),
        Gate(
            rule="L2",
            name="backwardation",
            value=fraction,
            threshold=rules.layers.l2_backwardation,
            passed=fraction is not None and fraction > rules.layers.l2_backwardation,
            note="S7",
        ),
        Gate(
            rule="B2",
            name="VX1 - VX2 points",
            value=points,
            threshold=rules.rotation.addon_points,
            passed=points is not None and points > rules.rotation.addon_points,
        ),
    )


def _l3_gates(signals: Signals, regime: Regime, rules: Rules) -> tuple[Gate, ...]:
    falling = (signals.spx_below_sma20, signals.spx_below_5_days_ago)
    return (
        Gate(
            rule="L3",
            name="regime shift",
            value=_words(regime.shift),
            threshold="yes",
            passed=regime.shift is True,
            note="R4",
        ),
        Gate(
            rule="L3",
            name=f"RSI(VIX, {rules.layers.l3_rsi_period}) low",
            value=signals.rsi_vix_l3,
            threshold=rules.signals.rsi_vix_low,
            passed=signals.rsi_vix_l3_low is True,
            note="S1",
        ),
        Gate(
            rule="L3",
            name="SPX keeps falling",
            value=None if None in falling else _words(all(falling)),
            threshold="yes",
            passed=falling == (True, True),
        ),
    )


def _words(holds: bool | None) -> str | None:
    if holds is None:
        return None
    return "yes" if holds else "no"
