"""What the rules ask of the hedge in one interval, before anything is bought or sold.

Rotation (B1, B3 with T3's tenor, B11), L1's boost (S1, S5, E, T1, B7), what the condors are short
of (L4, L6, T2), the event (B4) and the theta window (B6): each with its gates.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from strategies.alvh.boost import Boost, advance_boost
from strategies.alvh.forward_profile import forward_vega
from strategies.alvh.hedge_plan import HedgeInputs
from strategies.alvh.holdings import Lot
from strategies.alvh.instruments import FALL_POINTS, Candidate
from strategies.alvh.layers import ShortVega
from strategies.alvh.pre_event import event_scale, projected_short_vega, vega_short_at
from strategies.alvh.rotation import advance_rotation
from strategies.alvh.shift_ahead import SHORTAGE_DAYS, asks_for_shift, shortest_tenor
from strategies.alvh.theta_window import ThetaWindow, theta_window
from strategies.model.memory import RotationMemory
from strategies.model.plan import Gate
from strategies.pricing.capital import quick_ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Everything that is asked of the hedge in one interval."""

    rotation: RotationMemory
    boost: Boost
    short_vega: ShortVega
    event_scale: float | None
    window: ThetaWindow
    gates: tuple[Gate, ...]


def read_asking(
    inputs: HedgeInputs, lots: Sequence[Lot], l2_candidates: Callable[[], Sequence[Candidate]]
) -> Asking:
    """Return what is asked of the hedge in this interval.

    Args:
        inputs: What it is planned on.
        lots: What it holds.
        l2_candidates: Tells what L2 may buy, best first.
    """
    rotation, rotation_gates = _rotation(inputs, lots)
    boost = advance_boost(
        inputs.memory.boost,
        inputs.signals,
        rsi_vix_high=inputs.rsi_vix_high,
        verdict=inputs.verdict,
        analogues=inputs.analogues,
        rules=inputs.rules,
    )
    short_vega, projection_gates = _short_vega(inputs)
    scale, event_gate = event_scale(inputs.regime, inputs.migration, inputs.rules.rotation)
    window = theta_window(
        inputs.valuer, inputs.condors, inputs.book.hedges, l2_candidates, inputs.rules.rotation
    )
    return Asking(
        rotation=rotation,
        boost=boost,
        short_vega=short_vega,
        event_scale=scale,
        window=window,
        gates=(
            *rotation_gates,
            *boost.gates,
            *projection_gates,
            event_gate,
            *window.gates,
        ),
    )


def rotate(
    inputs: HedgeInputs, l1_lots: Sequence[Lot] | None, shift_to: str | None = None
) -> RotationMemory:
    """Return the rotation after this interval (B1, B3, B11).

    ``l1_lots``: None where the book cannot be priced.
    """
    return advance_rotation(
        inputs.memory.rotation,
        regime=inputs.regime,
        shift_to=shift_to,
        l1_lots=l1_lots,
        short_vega_usd=inputs.short_vega_usd,
        session=inputs.snapshot.session,
        sessions_before=inputs.snapshot.history.session,
        rules=inputs.rules.rotation,
    )


def may_l3_grow(inputs: HedgeInputs) -> bool:
    """Return whether G6 lets L3 grow."""
    ratio = quick_ratio(inputs.account)
    return ratio is None or ratio >= inputs.rules.governors.quick_ratio


def _rotation(inputs: HedgeInputs, lots: Sequence[Lot]) -> tuple[RotationMemory, tuple[Gate, ...]]:
    asks, gates = asks_for_shift(
        inputs.signals, inputs.regime, inputs.analogues, inputs.rules.rotation
    )
    shift_to = None
    if asks:
        shift_to, gate = shortest_tenor(
            forward_vega(
                [(lot.instrument, lot.expected) for lot in lots], inputs.valuer, SHORTAGE_DAYS
            ),
            inputs.short_vega_usd,
            may_l3_grow=may_l3_grow(inputs),
            rules=inputs.rules.layers,
        )
        gates = (*gates, gate)
    l1_lots = [lot for lot in lots if lot.layer == "L1"]
    is_priced = all(lot.value is not None for lot in l1_lots)
    return rotate(inputs, l1_lots if is_priced else None, shift_to), gates


def _short_vega(inputs: HedgeInputs) -> tuple[ShortVega, tuple[Gate, ...]]:
    """Return what the condors are short: now, across the next event (T2), or in a fall (L6)."""
    now = inputs.short_vega_usd
    if now > 0:
        if inputs.regime.pre_event is not True or inputs.reactions is None:
            return ShortVega(now_usd=now), ()
        projected, gate = projected_short_vega(inputs.valuer, inputs.condors, now, inputs.reactions)
        return ShortVega(now_usd=projected), (gate,)
    slopes = vega_short_at(inputs.valuer, inputs.condors, (FALL_POINTS,))
    if not inputs.condors or slopes is None:
        return ShortVega(now_usd=now), ()
    return ShortVega(now_usd=now, in_a_fall_usd=max(0.0, slopes[0])), ()
