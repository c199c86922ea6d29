"""Weight from L1 to a longer layer: on a flip (B1), ahead of one (B3), and back again (B11).

B1 cuts the L1 contracts that the flip finds, by ``flip_cut``, in equal parts over
``flip_intervals`` priced intervals: part by part each instrument is sold down to what is left of
its number at the flip, rounded in favour of keeping. The freed capital goes to L2 as vega: L2
becomes active (rule L2, "or rotation B1/B3") with a strength that grows with the cut, and its scale
gains the share of -V_c that the sold contracts stood for at the flip, within L4's bound.

B3 does the same ahead of a flip, by ``shift_ahead``, in one step, and gives the weight to the layer
that T3 names. It begins only where nothing is cut. A flip that follows cuts L1 from where it stands
to B1's fraction; what that adds goes to L2.

A bot that starts in backwardation has not seen the flip: it takes the rotation as completed,
without sales.

Only those steps do nothing but sell. After them, and as long as the cut stands, L1 wants (1 - cut)
of what it would want without the rotation: it refills toward that by increments (B9) and rolls
what comes due (B10).

B11 begins with ``restore_closes`` contango closes on or after the session of the flip, or the last
session in which B3 asked for its shift, and lets the cut shrink in equal parts over
``restore_days`` sessions; L1's boost and the other layer's part follow it. A flip that comes while
L1 is still cut cuts it from where it stands to the fraction, never further, and what L2 gets stays
measured on the L1 that the first of them found.

The rotation is carried in weights, so that it survives re-bucketing, expiries and a changing book.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from strategies.alvh.holdings import Lot, expected_vega_usd
from strategies.model.memory import Curve, RotationMemory
from strategies.model.rules import RotationRules
from strategies.signals.regimes import Regime


def advance_rotation(
    rotation: RotationMemory,
    *,
    regime: Regime,
    shift_to: str | None = None,
    l1_lots: Sequence[Lot] | None,
    short_vega_usd: float,
    session: date,
    sessions_before: NDArray[np.datetime64],
    rules: RotationRules,
) -> RotationMemory:
    """Return the rotation after this interval (B1, B3, B11).

    Args:
        rotation: The rotation as the last decision left it.
        regime: This interval's regime; a flip in it starts B1, contango closes start B11.
        shift_to: The layer that B3 moves weight to, or None while it does not ask for that.
        l1_lots: L1 as it is, or None where the book cannot be priced: B1 and B3 then wait.
        short_vega_usd: -V_c, > 0 for a short-vega book.
        session: Today.
        sessions_before: Completed sessions, ascending; they count B11's days.
        rules: Fractions and lengths.
    """
    if regime.flipped_now:
        is_cut_already = rotation.l1_cut >= rules.flip_cut
        rotation = replace(
            rotation,
            flips_rotated=rotation.flips_rotated + 1,
            flipped_on=session,
            steps_left=0 if is_cut_already else rules.flip_intervals,
            l1_cut_at_flip=rotation.l1_cut,
            l1_at_flip=(),
            restoring_since=None,
            l1_cut_at_restore=0.0,
        )
    elif regime.found_inverted:
        rotation = replace(rotation, l1_cut=rules.flip_cut, flipped_on=session)
    elif _is_restored(rotation, regime, sessions_before, rules):
        rotation = replace(
            rotation,
            steps_left=0,
            l1_at_flip=(),
            restoring_since=session,
            l1_cut_at_restore=rotation.l1_cut,
        )
    if rotation.restoring_since is not None:
        return _restore(rotation, rotation.restoring_since, sessions_before, rules)
    if l1_lots is None:
        return rotation
    if rotation.steps_left == 0:
        if shift_to is not None and rotation.l1_cut == rotation.shifted:
            return _shifted(rotation, shift_to, l1_lots, short_vega_usd, session, rules)
        return _without_what_is_done(rotation, l1_lots)
    if rotation.steps_left == rules.flip_intervals:
        rotation = _as_found(rotation, l1_lots, short_vega_usd)
    rotation = replace(rotation, steps_left=rotation.steps_left - 1)
    return replace(rotation, l1_cut=max(rotation.l1_cut, _cut_so_far(rotation, rules)))


def _shifted(
    rotation: RotationMemory,
    layer: str,
    l1_lots: Sequence[Lot],
    short_vega_usd: float,
    session: date,
    rules: RotationRules,
) -> RotationMemory:
    """Begin B3's shift, or note that it is still asked for."""
    if rotation.shifted > 0:
        return replace(_without_what_is_done(rotation, l1_lots), shifted_on=session)
    if short_vega_usd <= 0:
        return rotation
    return replace(
        _as_found(rotation, l1_lots, short_vega_usd),
        l1_cut=rules.shift_ahead,
        l1_cut_at_flip=0.0,
        shifted=rules.shift_ahead,
        shifted_on=session,
        shifted_to=layer,
    )


def _as_found(
    rotation: RotationMemory, l1_lots: Sequence[Lot], short_vega_usd: float
) -> RotationMemory:
    """Remember L1 as a flip or a shift finds it; its weight only where nothing is cut yet."""
    weight = rotation.l1_weight_at_flip
    if rotation.l1_cut == 0:
        weight = expected_vega_usd(l1_lots) / short_vega_usd if short_vega_usd > 0 else 0.0
    return replace(
        rotation,
        l1_at_flip=tuple(
            sorted((lot.instrument.symbol, lot.contracts) for lot in l1_lots if lot.contracts > 0)
        ),
        l1_weight_at_flip=_settled(weight),
    )


def _settled(weight: float) -> float:
    """Return a weight to nine digits: two machines that differ in the last bit agree on it.

    It is the one figure of the market in the memory, and with the memory it enters plan ids.
    """
    return float(f"{max(0.0, weight):.9g}")


def _without_what_is_done(rotation: RotationMemory, l1_lots: Sequence[Lot]) -> RotationMemory:
    """Forget the contracts of which B1 or B3 has sold its part: they may be bought again."""
    keep = contracts_to_keep(rotation)
    unsold = {
        lot.instrument.symbol
        for lot in l1_lots
        if lot.contracts > keep.get(lot.instrument.symbol, lot.contracts)
    }
    return replace(
        rotation, l1_at_flip=tuple(each for each in rotation.l1_at_flip if each[0] in unsold)
    )


def _is_restored(
    rotation: RotationMemory,
    regime: Regime,
    sessions_before: NDArray[np.datetime64],
    rules: RotationRules,
) -> bool:
    closes = regime.contango_closes
    for day in (rotation.flipped_on, rotation.shifted_on):
        if closes is not None and day is not None:
            closes = min(closes, int((sessions_before >= np.datetime64(day, "D")).sum()))
    return (
        (rotation.l1_cut > 0 or rotation.steps_left > 0)
        and rotation.restoring_since is None
        and regime.curve is Curve.CONTANGO
        and closes is not None
        and closes >= rules.restore_closes
    )


def _restore(
    rotation: RotationMemory,
    since: date,
    sessions_before: NDArray[np.datetime64],
    rules: RotationRules,
) -> RotationMemory:
    elapsed = int((sessions_before >= np.datetime64(since, "D")).sum())
    left = max(0.0, 1.0 - (elapsed + 1) / rules.restore_days)
    if left == 0:
        return RotationMemory(flips_rotated=rotation.flips_rotated)
    return replace(rotation, l1_cut=rotation.l1_cut_at_restore * left)


def _cut_so_far(rotation: RotationMemory, rules: RotationRules) -> float:
    done = rules.flip_intervals - rotation.steps_left
    start = min(rotation.l1_cut_at_flip, rules.flip_cut)
    return start + (rules.flip_cut - start) * done / rules.flip_intervals


def moved_to(layer: str, rotation: RotationMemory) -> float:
    """Return the part of L1 that a layer has been given: B3's goes where T3 sent it, B1's to L2."""
    ahead = min(rotation.shifted, rotation.l1_cut)
    if layer == "L2":
        return rotation.l1_cut - (ahead if rotation.shifted_to != layer else 0.0)
    return ahead if rotation.shifted_to == layer else 0.0


def rotation_strength(layer: str, rotation: RotationMemory, rules: RotationRules) -> float:
    """Return how much of a layer's share the rotation activates: 1 is all, as a completed B1."""
    return min(1.0, moved_to(layer, rotation) / rules.flip_cut)


def rotation_rule(rotation: RotationMemory) -> str:
    """Return the rule that the cut in force stands for: B11, B1 or B3."""
    if rotation.restoring_since is not None:
        return "B11"
    return "B1" if rotation.l1_cut > rotation.shifted else "B3"


def is_selling_underway(rotation: RotationMemory) -> bool:
    """Return whether B1 or B3 is still selling L1 contracts, or is doing so for the last time."""
    return bool(rotation.l1_at_flip) or rotation.steps_left > 0


def is_selling_step(before: RotationMemory, after: RotationMemory) -> bool:
    """Return whether B1 or B3 takes a step in this interval: L1 then only sells."""
    return after.restoring_since is None and (
        after.flips_rotated != before.flips_rotated
        or after.steps_left != before.steps_left
        or after.shifted > before.shifted
    )


def contracts_to_keep(rotation: RotationMemory) -> Mapping[str, int]:
    """Return what B1 or B3 leaves of each L1 instrument so far, by symbol, rounded up."""
    # of what the flip found, which an earlier rotation may have cut already
    found = 1.0 - rotation.l1_cut_at_flip
    cut = max(0.0, 1.0 - (1.0 - rotation.l1_cut) / found)
    # the nudge keeps 0.5 x 4 from becoming 1.9999
    return {
        symbol: contracts - int(contracts * cut + 1e-9) for symbol, contracts in rotation.l1_at_flip
    }
