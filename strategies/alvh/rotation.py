"""From L1 into L2 when the curve flips (B1), and back when contango returns (B11).

B1 cuts the L1 contracts that the flip finds, by ``flip_cut``, in equal parts over
``flip_intervals`` priced intervals: part by part each instrument is sold down to what is left of
its number at the flip, rounded in favour of keeping. The freed capital goes to L2 as vega: L2
becomes active (rule L2, "or rotation B1") with a strength that grows with the cut, and its scale
gains the share of -V_c that the sold contracts stood for at the flip, within L4's bound.

A bot that starts in backwardation has not seen the flip: it takes the rotation as completed,
without sales.

Only those steps do nothing but sell. After them, and as long as the cut stands, L1 wants (1 - cut)
of what it would want without the rotation: it refills toward that by increments (B9) and rolls
what comes due (B10).

B11 begins with ``restore_closes`` contango closes on or after the session of the flip and lets the
cut shrink in equal parts over ``restore_days`` sessions; L1's boost and L2's rotation follow it. A
flip that comes while L1 is still cut cuts it from where it stands to the fraction, never further,
and what L2 gets stays measured on the L1 that the first of them found.

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
    l1_lots: Sequence[Lot] | None,
    short_vega_usd: float,
    session: date,
    sessions_before: NDArray[np.datetime64],
    rules: RotationRules,
) -> RotationMemory:
    """Return the rotation after this interval (B1, B11).

    Args:
        rotation: The rotation as the last decision left it.
        regime: This interval's regime; a flip in it starts B1, contango closes start B11.
        l1_lots: L1 as it is, or None where the book cannot be priced: a flip then waits.
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
            restoring_since=session,
            l1_cut_at_restore=rotation.l1_cut,
        )
    if rotation.restoring_since is not None:
        return _restore(rotation, rotation.restoring_since, sessions_before, rules)
    if l1_lots is None:
        return rotation
    if rotation.steps_left == 0:
        return _without_what_is_done(rotation, l1_lots, rules)
    if rotation.steps_left == rules.flip_intervals:
        weight = rotation.l1_weight_at_flip
        if rotation.l1_cut == 0:
            weight = expected_vega_usd(l1_lots) / short_vega_usd if short_vega_usd > 0 else 0.0
        rotation = replace(
            rotation,
            l1_at_flip=tuple(
                sorted((lot.instrument.symbol, lot.contracts) for lot in l1_lots if lot.contracts)
            ),
            l1_weight_at_flip=weight,
        )
    rotation = replace(rotation, steps_left=rotation.steps_left - 1)
    return replace(rotation, l1_cut=max(rotation.l1_cut, _cut_so_far(rotation, rules)))


def _without_what_is_done(
    rotation: RotationMemory, l1_lots: Sequence[Lot], rules: RotationRules
) -> RotationMemory:
    """Forget the contracts of the flip of which B1 has sold its part: they may be bought again."""
    keep = contracts_to_keep(rotation, rules)
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
    if closes is not None and rotation.flipped_on is not None:
        flipped_on = np.datetime64(rotation.flipped_on, "D")
        closes = min(closes, int((sessions_before >= flipped_on).sum()))
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


def rotation_strength(rotation: RotationMemory, rules: RotationRules) -> float:
    """Return how much of L2's share a rotation activates: 0 without one, 1 when it is complete."""
    return min(1.0, rotation.l1_cut / rules.flip_cut)


def is_flip_underway(rotation: RotationMemory) -> bool:
    """Return whether B1 is still selling L1 contracts, or is doing so for the last time."""
    return bool(rotation.l1_at_flip) or rotation.steps_left > 0


def is_step_of_a_flip(before: RotationMemory, after: RotationMemory) -> bool:
    """Return whether B1 takes one of its steps in this interval: L1 then only sells."""
    return after.restoring_since is None and (
        after.flips_rotated != before.flips_rotated or after.steps_left != before.steps_left
    )


def contracts_to_keep(rotation: RotationMemory, rules: RotationRules) -> Mapping[str, int]:
    """Return what B1 leaves of each L1 instrument so far, by symbol, rounded up."""
    # of what the flip found, which an earlier rotation may have cut already
    found = 1.0 - rotation.l1_cut_at_flip
    cut = max(0.0, 1.0 - (1.0 - _cut_so_far(rotation, rules)) / found)
    # the nudge keeps 0.5 x 4 from becoming 1.9999
    return {
        symbol: contracts - int(contracts * cut + 1e-9) for symbol, contracts in rotation.l1_at_flip
    }
