"""Spike response, the first line of ALVH: shorts are moved out before a layer is boosted (C11).

While R3 holds, a condor whose short has come further than C3's tolerance from C3's delta may have
that side moved out: its short to C3's delta in the same expiry or in a later one of the window, as
wide as it is or as much wider as a net credit of nothing or more needs. It is moved where that
saves more of the loss under B1's shock (VIX +8 with its usual SPX move) for a dollar of cost than
the hedge would.

A roll costs what its order may give up from mid, its fees, and the hurdle rate (C8) on the margin
it adds until the condor's time exit.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from strategies.condor.amounts import exact, shown_ratio
from strategies.condor.moves import Asked, MoveTable, Saving
from strategies.condor.rolls import Answer, Desk, Roll
from strategies.model.book import CondorPosition
from strategies.model.plan import Gate

_LEAST_CREDIT = Decimal(0)
_SAME_USD = 0.01  # max losses that floats cannot tell apart
_DIGITS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """What the hedge would do instead."""

    name: str  # of its first choice
    per_dollar: float  # dollars gained under B1's shock for each dollar of cost


def spike_roll(
    asked: Asked,
    table: MoveTable,
    desk: Desk,
    hedge: Callable[[], Rival | None],
    blocked: str,
) -> Answer:
    """Return how a condor answers a spike (C11): the roll, or why there is none.

    Args:
        asked: A condor that is held and not being closed, and its side whose short has the larger
            delta.
        table: What that side may be moved to; asked unless it is near C3's delta or blocked.
        desk: What may be rolled into what.
        hedge: Tells what the hedge would do, None if nothing; asked where there is a roll to judge.
        blocked: Why it must not be rolled at all; empty if it may.
    """
    condor, away, rules = asked.condor, asked.old, desk.rules
    most = exact(rules.short_delta) + exact(rules.delta_tolerance)
    delta = abs(away.short.delta)
    moved = Gate(
        rule="C11",
        name=f"short delta of {condor.condor_id} in a spike",
        value=shown_ratio(Decimal(repr(delta)), most),
        threshold=float(most),
        passed=delta <= most,
        note=str(away),
    )
    if moved.passed:
        return Answer(gates=(moved,))
    if blocked:
        return Answer(gates=(moved,), why=blocked)
    best = _best(asked, table, desk)
    if isinstance(best, str):
        return Answer(gates=(moved, _credit_gate(condor, None, best)), why=best)
    roll, saving = best
    credit = _credit_gate(condor, roll, str(roll))
    rival = hedge()
    least = 0.0 if rival is None else rival.per_dollar
    instead = "no hedge to buy" if rival is None else f"the hedge is {rival.name}"
    is_better = saving.saved_usd > 0 and saving.per_dollar > least
    judged = Gate(
        rule="C11",
        name=f"spike loss saved a dollar by rolling {condor.condor_id}",
        value=round(saving.per_dollar, _DIGITS),
        threshold=round(least, _DIGITS),
        passed=is_better,
        note=f"{saving.saved_usd:.0f} USD for {saving.cost_usd:.0f}; {instead}",
    )
    gates = (moved, credit, judged)
    if is_better:
        return Answer(roll=roll, gates=gates)
    return Answer(gates=gates, why=f"{roll} saves {saving.per_dollar:.2f} a dollar, {instead}")


def _credit_gate(condor: CondorPosition, roll: Roll | None, note: str) -> Gate:
    return Gate(
        rule="C11",
        name=f"net credit of moving {condor.condor_id} out",
        value=None if roll is None else float(roll.credit),
        threshold=float(_LEAST_CREDIT),
        passed=roll is not None,
        note=note,
    )


def _best(asked: Asked, table: MoveTable, desk: Desk) -> tuple[Roll, Saving] | str:
    """Return the roll out that saves most for a dollar, or why none may be ordered."""
    moves = table.further_out(asked.condor)
    if not len(moves.credit):
        return "nothing further out fits"
    refused = moves.refused | desk.surely_too_much(
        asked.condor, moves.max_loss_usd, moves.margin_added_usd
    )
    for place in np.argsort(-moves.saved_usd / moves.cost_usd, kind="stable").tolist():
        if not refused[place]:
            roll = table.roll(asked, moves, place)
            if not desk.obstacle(roll, _LEAST_CREDIT):
                return roll, moves.saving(place)
    # The one that comes nearest: it could lose least
    least = moves.max_loss_usd <= moves.max_loss_usd.min() + _SAME_USD
    nearest = [table.roll(asked, moves, place) for place in np.flatnonzero(least).tolist()]
    _, why = min(
        (roll.max_loss_usd, f"{roll}: {desk.obstacle(roll, _LEAST_CREDIT)}") for roll in nearest
    )
    return why
