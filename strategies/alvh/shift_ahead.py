"""Time-shifting ahead of the flip: whether L1's weight should move now (B3), and where to (T3).

B3 asks while the curve is still in contango (R1), its slope has been falling for
``shift_falling_days`` (S6) and the basis MACD is bullish (S4); where the 75th percentile of what
followed days like this one is high enough (T1) it acts without S4.

T3: in 30 days nothing of L1 is left and the shares of L2 and L3 are what hedges, in 60 days little
more than L3. The weight goes to L2, or to L3 where the hedge as it stands will be further short of
the second than of the first - and L3 may grow (G6).
"""

from strategies.model.memory import Curve
from strategies.model.plan import Gate
from strategies.model.rules import LayerRules, RotationRules
from strategies.signals.analogues import Analogues
from strategies.signals.indicators import Side
from strategies.signals.readings import Signals
from strategies.signals.regimes import Regime

SHORTAGE_DAYS = (30, 60)  # of the forward profile: after L1, and after L2's nearer half


def asks_for_shift(
    signals: Signals, regime: Regime, analogues: Analogues | None, rules: RotationRules
) -> tuple[bool, tuple[Gate, ...]]:
    """Return whether B3 asks for weight to move ahead of a flip, and its gates.

    What is absent does not ask.
    """
    days = signals.slope_falling_days
    in_contango = regime.curve is Curve.CONTANGO
    is_falling = days is not None and days >= rules.shift_falling_days
    is_bullish = signals.basis_macd is Side.BULLISH
    may_rise = analogues is not None and analogues.may_rise
    gates = (
        Gate(
            rule="B3",
            name="curve",
            value=None if regime.curve is Curve.UNKNOWN else str(regime.curve),
            threshold=str(Curve.CONTANGO),
            passed=in_contango,
            note="R1",
        ),
        Gate(
            rule="B3",
            name="days the slope has been falling",
            value=None if days is None else float(days),
            threshold=float(rules.shift_falling_days),
            passed=is_falling,
            note="S6",
        ),
        Gate(
            rule="B3",
            name="basis MACD",
            value=None if signals.basis_macd is None else str(signals.basis_macd),
            threshold=str(Side.BULLISH),
            passed=is_bullish or may_rise,
            note="S4; T1 stands in for it" if may_rise and not is_bullish else "S4",
        ),
    )
    return in_contango and is_falling and (is_bullish or may_rise), gates


def shortest_tenor(
    forward_usd: tuple[float, ...] | None,
    short_vega_usd: float,
    *,
    may_l3_grow: bool,
    rules: LayerRules,
) -> tuple[str, Gate]:
    """Return the layer that weight moved ahead of a flip goes to (T3), and its gate.

    Args:
        forward_usd: The hedge's factor vega in ``SHORTAGE_DAYS``, USD per VIX point; None where
            it has no value.
        short_vega_usd: -V_c, USD per VIX point.
        may_l3_grow: Whether G6 lets L3 grow.
        rules: The shares.
    """
    after_l1 = after_l2 = None
    layer = "L2"
    if forward_usd is not None:
        after_l1 = (rules.l2_share + rules.l3_share) * short_vega_usd - forward_usd[0]
        after_l2 = rules.l3_share * short_vega_usd - forward_usd[1]
        if may_l3_grow and after_l2 > max(0.0, after_l1):
            layer = "L3"
    gate = Gate(
        rule="T3",
        name="short in 60 days, over short in 30, USD per VIX point",
        value=None if after_l2 is None else round(after_l2, 6),
        threshold=None if after_l1 is None else round(after_l1, 6),
        passed=layer == "L3",
        note=f"B3's weight goes to {layer}",
    )
    return layer, gate
