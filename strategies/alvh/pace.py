"""How fast layers may go to their targets: B9's step, doubled by fear (E), or at once (B5).

S12 above ``vega_per_theta`` says that the book carries more vega than its theta pays for. In that
interval layers go to their targets at once, on the side that brings the net vega down: a book that
is short of vega buys what it lacks, one that is long of it sells what layers hold above their
targets. Governors, floor and ceiling (B8, G7) still cap it, and B9's no-trade zone stays.

In a spike (R3) B5 sells nothing: a quotient that is high because theta has all but gone says little
about vega there, and what is given up early in a spike is bought back dearer within hours.
"""

from dataclasses import dataclass, replace

from strategies.model.plan import Gate
from strategies.model.rules import Rules
from strategies.signals.panel import Verdict

_WHOLE = 1.0  # of a layer's target


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """B9's step of one side in one interval."""

    increment: float  # of a layer's target; 1 = at once
    rules: tuple[str, ...] = ()  # what changed it

    def apply(self, rules: Rules) -> Rules:
        """Return the rules with this step."""
        return replace(rules, rotation=replace(rules.rotation, increment=self.increment))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The pace of one interval."""

    buying: Step
    selling: Step
    sells_surplus: bool  # B5: layers that act give up what they hold above their targets
    gates: tuple[Gate, ...]


def pace_of(
    vega_per_theta: float | None,
    net_vega_usd: float,
    verdict: Verdict | None,
    rules: Rules,
    *,
    is_spike: bool,
) -> Pace:
    """Return the pace of this interval (B5, B9, E).

    Args:
        vega_per_theta: S12; None where the book cannot be priced or earns nothing by waiting.
        net_vega_usd: V_c + V_h, USD per VIX point.
        verdict: What the spike is (R5); None outside of one (R3).
        rules: Thresholds and steps.
        is_spike: Whether R3 holds: B5 then only buys.
    """
    limit, increment = rules.rotation.vega_per_theta, rules.rotation.increment
    usual = Step(increment=increment)
    if verdict is Verdict.FEAR:
        usual = Step(increment=min(_WHOLE, increment * rules.panel.fear_step), rules=("E",))
    is_above = vega_per_theta is not None and vega_per_theta > limit
    at_once = Step(increment=_WHOLE, rules=("B5",))
    buys, is_long = is_above and net_vega_usd < 0, is_above and net_vega_usd > 0
    sells = is_long and not is_spike
    side = "S12: no value, or no theta is earned" if vega_per_theta is None else "S12"
    if buys:
        side = "S12: what lacks is bought at once"
    elif sells:
        side = "S12: surplus is sold at once"
    elif is_long:
        side = "S12: no surplus is sold at once in a spike (R3)"
    gate = Gate(
        rule="B5",
        name="vega per theta above which layers go to target",
        value=vega_per_theta,
        threshold=limit,
        passed=buys or sells,
        note=side,
    )
    return Pace(
        buying=at_once if buys else usual,
        selling=at_once if sells else usual,
        sells_surplus=sells,
        gates=(gate,),
    )
