"""How fast layers may go to their targets: B9's step, doubled by fear (E), or at once (B5).

S12 above ``vega_per_theta`` says that the book carries more vega than its theta pays for: every
layer then goes to its target in this interval, up and down. Governors and the ceiling (G7) still
cap it, and the no-trade zone of B9 stays.
"""

from dataclasses import dataclass, replace

from strategies.model.plan import Gate
from strategies.model.rules import Rules
from strategies.signals.panel import Verdict

_WHOLE = 1.0  # of a layer's target


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The pace of one interval."""

    increment: float  # B9's step, of a layer's target; 1 = at once
    rules: tuple[str, ...]  # what changed it
    is_to_target: bool  # B5: layers give up surplus too
    gates: tuple[Gate, ...]

    def apply(self, rules: Rules) -> Rules:
        """Return the rules with this interval's step."""
        return replace(rules, rotation=replace(rules.rotation, increment=self.increment))


def pace_of(vega_per_theta: float | None, verdict: Verdict | None, rules: Rules) -> Pace:
    """Return the pace of this interval (B5, B9, E).

    Args:
        vega_per_theta: S12; None where the book cannot be priced or earns nothing by waiting.
        verdict: What the spike is (R5); None outside of one (R3).
        rules: Thresholds and steps.
    """
    limit, increment = rules.rotation.vega_per_theta, rules.rotation.increment
    to_target = vega_per_theta is not None and vega_per_theta > limit
    changed: tuple[str, ...] = ()
    if verdict is Verdict.FEAR:
        increment, changed = min(_WHOLE, increment * rules.panel.fear_step), ("E",)
    if to_target:
        increment, changed = _WHOLE, ("B5",)
    gate = Gate(
        rule="B5",
        name="vega per theta above which layers go to target",
        value=vega_per_theta,
        threshold=limit,
        passed=to_target,
        note="S12" if vega_per_theta is not None else "S12: no value, or no theta is earned",
    )
    return Pace(increment=increment, rules=changed, is_to_target=to_target, gates=(gate,))
