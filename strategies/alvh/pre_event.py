"""Before an event: how strongly L2 acts (B4), and the vega that the hedge is sized on (T2).

B4: while R2 holds L2 is active with scale clip(1 + k x shortfall, low, high), the shortfall being
what the nearest break-even has lost since entry, in standard deviations: -S10, below zero where it
has gained.

T2: the hedge is sized on what the condors would be short if the event moved VIX up by the 90 %
absolute reaction of past events of its kind, SPX by its usual share; never on less than now.
"""

from collections.abc import Sequence

from strategies.model.book import CondorPosition
from strategies.model.plan import Gate
from strategies.model.rules import RotationRules
from strategies.pricing.shocks import shock_pnls, usual_spx_fraction
from strategies.pricing.valuation import Valuer
from strategies.signals.event_reactions import EventReactions
from strategies.signals.regimes import Regime

_HALF_POINT = 0.5  # the slope is that of one VIX point around a level


def event_scale(
    regime: Regime, migration: float | None, rules: RotationRules
) -> tuple[float | None, Gate]:
    """Return the scale that B4 gives to L2, None while it does not act, and its gate.

    ``migration``: S10 of the book, standard deviations; absent, B4 is silent.
    """
    scale = None
    if regime.pre_event is True and migration is not None:
        wanted = 1.0 - rules.event_k * migration
        scale = min(max(wanted, rules.event_scale_low), rules.event_scale_high)
    note = "R2: no event is near" if regime.pre_event is False else "R2"
    if regime.pre_event is True and migration is None:
        note = "S10 is absent"
    gate = Gate(
        rule="B4",
        name="scale of L2 before an event",
        value=None if scale is None else round(scale, 6),
        threshold=f"{rules.event_scale_low:g} .. {rules.event_scale_high:g}",
        passed=scale is not None,
        note=note,
    )
    return scale, gate


def vega_short_at(
    valuer: Valuer, condors: Sequence[CondorPosition], vix_points: Sequence[float]
) -> tuple[float, ...] | None:
    """Return what the condors are short once VIX has moved, SPX by its usual share with it.

    The slope of their loss in VIX around each of the moves, SPX staying where it then is.

    Units: USD per VIX point, short > 0. None if they cannot be priced.
    """
    shocks = [
        (usual_spx_fraction(points), points + step)
        for points in vix_points
        for step in (-_HALF_POINT, _HALF_POINT)
    ]
    gains = shock_pnls(valuer, condors, (), shocks)
    if gains is None:
        return None
    return tuple(below - above for below, above in zip(gains[::2], gains[1::2], strict=True))


def projected_short_vega(
    valuer: Valuer,
    condors: Sequence[CondorPosition],
    now_usd: float,
    reactions: EventReactions,
) -> tuple[float, Gate]:
    """Return -V_c across the next event, never less than now, and T2's gate.

    ``now_usd``: -V_c as it is, USD per VIX point. What the two slopes differ by is added to it.
    """
    slopes = vega_short_at(valuer, condors, (0.0, reactions.vix_abs90))
    projected = now_usd if slopes is None else max(now_usd, now_usd + slopes[1] - slopes[0])
    gate = Gate(
        rule="T2",
        name="-V_c across the next event, over now, USD per VIX point",
        value=round(projected, 6),
        threshold=round(now_usd, 6),
        passed=projected > now_usd,
        note=f"VIX +{reactions.vix_abs90:.2f}: 90 % of {reactions.events} past {reactions.kind}",
    )
    return projected, gate
