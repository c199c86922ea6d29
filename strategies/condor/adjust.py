"""Adjustments: a tested side (C10), after the response to a spike (C11), one roll a condor.

A side is tested when the absolute delta of its short reaches ``tested_delta``. Then, for a net
credit on the price its order accepts:

- the untested side is rolled *in*: same expiry and width, short at C3's delta, nearer than it is;
- or the tested side is rolled *out* in time, to C3's delta or to the same strikes, as wide as it
  is, in a later expiry of the window.

In goes first, since it leaves the max loss of the condor smaller and opens no other expiry. A roll
out must not make worse what it is a defence against: the loss where SPX moves 7 % further toward
the tested side (down: with VIX +8, B1's shock). Of these the one goes that leaves the short with
the smallest delta; then the larger credit, then the earlier expiry. A condor is rolled at most
``max_adjustments`` times, at most once a session, and not while an order of it is at work. A roll
that nobody takes is asked for again, under a new id, ``roll_wait_intervals`` later or in the next
session, whichever comes first.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np

from strategies.condor.amounts import exact, shown_ratio
from strategies.condor.moves import Asked, Moves, MoveTable, toward_shock
from strategies.condor.rolls import Answer, Desk, Ordered, Roll, Side, side_of
from strategies.condor.spike import Rival, spike_roll
from strategies.model.book import Book, CondorPosition, root_id
from strategies.model.instruments import OptionContract, Right
from strategies.model.memory import Memory
from strategies.model.orders import OrderIntent
from strategies.model.plan import CondorAdjust, Gate

LEAST_CREDIT = Decimal("0.05")  # index points, C10: one tick of a package


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustments:
    """What C10 and C11 ask for in one interval."""

    ordered: tuple[Ordered, ...] = ()
    gates: tuple[Gate, ...] = ()
    reasons: tuple[str, ...] = ()
    # For the memory
    rolls: tuple[tuple[str, int], ...] = ()  # (root id, rolls asked for)
    waits: tuple[tuple[str, int], ...] = ()  # (root id, intervals until it may be asked again)

    @property
    def adjusts(self) -> tuple[CondorAdjust, ...]:
        """What the plan says of them."""
        return tuple(each.adjust for each in self.ordered)

    @property
    def orders(self) -> tuple[OrderIntent, ...]:
        """Their orders."""
        return tuple(each.order for each in self.ordered)

    @property
    def closed_legs(self) -> frozenset[OptionContract]:
        """The options that they take off."""
        return frozenset(
            leg.instrument
            for order in self.orders
            for leg in order.legs[:2]
            if isinstance(leg.instrument, OptionContract)
        )

    def without(self, orders: Collection[OrderIntent]) -> "Adjustments":
        """Return the adjustments that are left when some of their orders are not sent."""
        return replace(self, ordered=tuple(o for o in self.ordered if o.order not in orders))

    def after(self, condors: Sequence[CondorPosition]) -> tuple[CondorPosition, ...]:
        """Return condors as they will be once every roll has filled at mid."""
        becomes = {each.adjust.condor_id: each.becomes for each in self.ordered}
        return tuple(becomes.get(condor.condor_id, condor) for condor in condors)


def plan_adjustments(
    condors: Sequence[CondorPosition],
    desk: Desk,
    *,
    book: Book,
    spike: bool,
    hedge: Callable[[], Rival | None],
    safety: Sequence[Gate],
    memory: Memory,
    plan_id: str,
) -> Adjustments:
    """Return the rolls to order now (C10, C11), with the gates of every condor looked at.

    Args:
        condors: Held, and not closed by this plan.
        desk: What may be rolled into what.
        book: Everything held and at work.
        spike: R3 holds and C11 is switched on.
        hedge: Tells what the hedge would do in place of C11; None where it has nothing to buy.
        safety: Gates that nothing opens past.
        memory: How many rolls of each condor have been asked for, and which of them just now.
        plan_id: Identity of the plan the orders belong to.
    """
    asked_for = dict(memory.rolls)
    waits = _waits_left(memory, desk)
    ordered: list[Ordered] = []
    gates: list[Gate] = []
    reasons: list[str] = []
    sides = {condor.condor_id: _near_and_far(condor, desk) for condor in condors}
    blocked = {
        condor.condor_id: _blocked(
            condor, book, safety, desk, waits.get(root_id(condor.condor_id), 0)
        )
        for condor in condors
    }
    table = MoveTable(
        desk,
        [
            Asked(condor, both[0])
            for condor in condors
            if (both := sides[condor.condor_id]) is not None and not blocked[condor.condor_id]
        ],
    )
    for condor in condors:
        both = sides[condor.condor_id]
        if both is None:
            gates.append(_delta_gate(condor, None, desk))
            continue
        near, far = both
        root, why = root_id(condor.condor_id), blocked[condor.condor_id]
        answers = {}
        if spike:
            answers["C11"] = spike_roll(Asked(condor, near), table, desk, hedge, why)
        if not spike or answers["C11"].roll is None:
            answers["C10"] = tested_roll(Asked(condor, near), far, table, desk, why)
        for rule, answer in answers.items():
            gates += answer.gates
            if answer.why:
                reasons.append(f"{rule}: {condor.condor_id} is not rolled: {answer.why}")
            if answer.roll is None:
                continue
            asked_for[root] = asked_for.get(root, 0) + 1
            ordered.append(
                desk.take(
                    answer.roll,
                    new_condor_id=f"{root}-{asked_for[root]}",
                    asked_by=(rule,),
                    note=str(answer.roll),
                    plan_id=plan_id,
                )
            )
    held = {root_id(condor.condor_id) for condor in book.condors}
    waits |= {root_id(each.adjust.condor_id): desk.rules.roll_wait_intervals for each in ordered}
    return Adjustments(
        ordered=tuple(ordered),
        gates=tuple(gates),
        reasons=tuple(reasons),
        rolls=tuple(sorted((root, n) for root, n in asked_for.items() if root in held)),
        waits=tuple(sorted((root, n) for root, n in waits.items() if n and root in held)),
    )


def _waits_left(memory: Memory, desk: Desk) -> dict[str, int]:
    """Return how many intervals, this one included, each condor just asked for still waits."""
    if memory.session != desk.valuer.session:
        return {}
    return {root: left - 1 for root, left in memory.roll_waits}


def _blocked(
    condor: CondorPosition, book: Book, safety: Sequence[Gate], desk: Desk, waits: int
) -> str:
    """Return why a condor must not be rolled at all; empty if it may."""
    for gate in safety:
        if not gate.passed:
            return f"{gate.rule}: {gate.name} {gate.value}"
    for order in book.working:
        if order.condor_id == condor.condor_id:
            return f"{order.purpose} is at work"
    if condor.rolled_on == desk.valuer.session:
        return "it has been rolled in this session"
    if waits:
        return f"nobody took the last roll; {waits} intervals until the next, or the next session"
    if condor.adjustments >= desk.rules.max_adjustments:
        return f"{condor.adjustments} adjustments of at most {desk.rules.max_adjustments}"
    return ""


def _near_and_far(condor: CondorPosition, desk: Desk) -> tuple[Side, Side] | None:
    """Return a condor's sides, that with the larger delta first; None if one has no price."""
    puts = side_of(desk.valuer, condor.legs, Right.PUT)
    calls = side_of(desk.valuer, condor.legs, Right.CALL)
    if puts is None or calls is None:
        return None
    return (puts, calls) if _delta(puts) >= _delta(calls) else (calls, puts)


def _delta(side: Side) -> float:
    return abs(side.short.delta)


def _delta_gate(condor: CondorPosition, near: Side | None, desk: Desk) -> Gate:
    tested = desk.rules.tested_delta
    delta = None if near is None else _delta(near)
    return Gate(
        rule="C10",
        name=f"short delta of {condor.condor_id}",
        value=None if delta is None else shown_ratio(Decimal(repr(delta)), exact(tested)),
        threshold=tested,
        passed=delta is not None and delta < tested,
        note="it cannot be priced" if near is None else str(near),
    )


def tested_roll(asked: Asked, far: Side, table: MoveTable, desk: Desk, blocked: str) -> Answer:
    """Return what is done about a tested side (C10): the roll, or why there is none.

    Args:
        asked: A condor that is held and not being closed, and its side whose short has the larger
            delta.
        far: The other side.
        table: What the first of them may be moved to; asked if it is tested and nothing blocks it.
        desk: What may be rolled into what.
        blocked: Why it must not be rolled at all; empty if it may.
    """
    condor = asked.condor
    gate = _delta_gate(condor, asked.old, desk)
    if gate.passed:
        return Answer(gates=(gate,))
    if blocked:
        return Answer(gates=(gate,), why=blocked)
    ways = (
        _way_in(condor, far, desk),
        _way_out(asked, table, desk),
    )
    chosen = next((way for way in ways if not way.obstacle), None)
    gates = (gate, *(_way_gate(condor, way, chosen) for way in ways))
    if chosen is None:
        why = "; ".join(f"{way.name}: {way.obstacle}" for way in ways)
        return Answer(gates=gates, why=why)
    return Answer(roll=chosen.roll, gates=gates)


@dataclass(frozen=True, slots=True)
class _Way:
    """The best roll of one kind, and what stands in its way."""

    name: str
    roll: Roll | None
    obstacle: str


def _way_in(condor: CondorPosition, far: Side, desk: Desk) -> _Way:
    """Return the roll of the untested side to C3's delta, if that is nearer than it is."""
    now = desk.series_now(far)
    new = None if now is None else desk.at_target(far, now)
    inward = 1 if far.right is Right.PUT else -1
    if new is None or inward * (new.short.contract.strike - far.short.contract.strike) <= 0:
        return _Way("in", None, "nothing fits")
    roll = desk.roll(condor, far, new)
    return _way("in", roll, desk.obstacle(roll, LEAST_CREDIT))


def _way_out(asked: Asked, table: MoveTable, desk: Desk) -> _Way:
    """Return the roll of the tested side to a later expiry that leaves the smallest delta.

    Of those that may be ordered; or else the one with the largest credit.
    """
    moves = table.out_in_time(asked.condor)
    if not len(moves.credit):
        return _Way("out in time", None, "nothing fits")
    refused = moves.refused | (moves.saved_usd < 0)
    refused |= desk.surely_too_much(asked.condor, moves.max_loss_usd, moves.margin_added_usd)
    order = np.lexsort((moves.days, -moves.credit, moves.delta))
    for place in order[~refused[order]].tolist():
        roll = table.roll(asked, moves, place)
        if not desk.obstacle(roll, LEAST_CREDIT):
            return _Way("out in time", roll, "")
    place = int(order[moves.credit[order].argmax()])
    roll = table.roll(asked, moves, place)
    return _way(
        "out in time", roll, desk.obstacle(roll, LEAST_CREDIT) or _worse(moves, place, roll)
    )


def _worse(moves: Moves, place: int, roll: Roll) -> str:
    """Return how much more a roll out would lose where it is meant to lose less."""
    saved, (toward, _) = moves.saving(place).saved_usd, toward_shock(roll.old.right)
    return f"with SPX {toward:+.0%} it loses {-saved:.0f} USD more"


def _way(name: str, roll: Roll, obstacle: str) -> _Way:
    return _Way(name, roll, obstacle and f"{roll}: {obstacle}")


def _way_gate(condor: CondorPosition, way: _Way, chosen: _Way | None) -> Gate:
    note = way.obstacle or str(way.roll)
    if chosen is not None and way is not chosen and not way.obstacle:
        note = f"runner-up: {note}"
    return Gate(
        rule="C10",
        name=f"net credit of rolling {condor.condor_id} {way.name}",
        value=None if way.roll is None else float(way.roll.credit),
        threshold=float(LEAST_CREDIT),
        passed=not way.obstacle,
        note=note,
    )
