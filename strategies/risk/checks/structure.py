"""Structure: what an opening order may be, and the proof that any other takes risk away (I10)."""

from strategies.model.book import CondorPosition
from strategies.model.instruments import FutureContract, Instrument, OptionContract, Right
from strategies.model.structures import (
    after_roll,
    as_condor,
    legs_at_work,
    option_positions,
    reversed_legs,
)
from strategies.risk.checks.request import RefusalReason, Request, Verdict
from strategies.risk.cover import uncovered_contracts


def check_structure(request: Request) -> Verdict:
    """The order is one of the shapes that are traded; each has its own proof."""
    if request.repairs:
        return _check_repair(request)
    if not request.opens:
        return _check_condor_close(request) if request.intent.condor_id else _check_sale(request)
    if request.intent.condor_id is not None:
        if request.rolls is not None:
            return _check_roll(request, request.rolls)
        condor = as_condor(request.legs)
        if condor is None:
            return RefusalReason.STRUCTURE, "a condor opens as its four legs, or not"
        if not 0 < -request.intent.worst_price < condor.worst_points:
            return RefusalReason.STRUCTURE, f"a credit of {-request.intent.worst_price} is none"
        return None
    (instrument, ratio), *others = request.legs
    is_future = isinstance(instrument, FutureContract)  # may be sold short (L6)
    if others or abs(ratio) != 1 or (ratio < 0 and not is_future) or instrument.underlying != "VIX":
        return RefusalReason.STRUCTURE, "a hedge opens as one long VIX instrument, or short future"
    if isinstance(instrument, OptionContract) and instrument.right is not Right.CALL:
        return RefusalReason.STRUCTURE, f"{instrument} is not a call"
    return None


def _check_roll(request: Request, held: CondorPosition) -> Verdict:
    """C10, C11: one side of a held condor for another of the same right, and nothing paid for it.

    Some of the condors may become others while the rest stays as it is, in any number.
    """
    intent, condor_id = request.intent, held.condor_id
    if after_roll(held.legs, request.legs) is None:
        return RefusalReason.NOT_A_ROLL, f"these legs do not make another condor of {condor_id}"
    if intent.worst_price > 0:
        return RefusalReason.NOT_A_ROLL, f"a roll pays nothing, this one {intent.worst_price}"
    if intent.quantity > held.quantity:
        return RefusalReason.NOT_A_ROLL, f"{condor_id} has {held.quantity} condors to roll"
    for order in request.book.working:
        if order.condor_id == condor_id:
            detail = f"{order.client_order_id} already works on {condor_id}"
            return RefusalReason.CONDOR_AT_WORK, detail
    return None


def _check_condor_close(request: Request) -> Verdict:
    condor_id = request.intent.condor_id
    held = next((c for c in request.book.condors if c.condor_id == condor_id), None)
    if held is None:
        return RefusalReason.NOT_A_REDUCTION, f"{condor_id} is not in the book"
    closing = reversed_legs(held.legs.signed())
    if sorted(request.legs, key=_by_symbol) != sorted(closing, key=_by_symbol):
        return RefusalReason.NOT_A_REDUCTION, f"these are not the legs of {condor_id}, reversed"
    at_work = sum(
        order.leaves_quantity
        for order in request.book.working
        if order.condor_id == condor_id and as_condor(legs_at_work(order)) is None
    )
    left = held.quantity - at_work
    if request.intent.quantity > left:
        return RefusalReason.NOT_A_REDUCTION, f"{condor_id} has {left} condors left to close"
    return None


def _check_sale(request: Request) -> Verdict:
    (instrument, ratio), *others = request.legs
    if others or abs(ratio) != 1:
        return RefusalReason.STRUCTURE, "a hedge is reduced one instrument at a time"
    held = sum(h.net_contracts for h in request.book.hedges if h.instrument == instrument)
    left = -(held + _at_work(request, instrument, ratio)) * ratio
    if request.intent.quantity > left:
        return RefusalReason.NOT_A_REDUCTION, f"{max(left, 0)} {instrument} are left to reduce"
    return None


def _check_repair(request: Request) -> Verdict:
    """One leg that buys or sells what is loose away, or buys what a bare short lacks (fault A29).

    A loose long that a short leans on stays: that is for the check of cover to say.
    """
    (instrument, ratio), *others = request.legs
    if others or abs(ratio) != 1:
        return RefusalReason.NOT_A_REPAIR, "a repair trades one instrument at a time"
    quantity = request.intent.quantity
    loose = sum(h.net_contracts for h in request.book.loose if h.instrument == instrument)
    at_work = _at_work(request, instrument, ratio)
    if quantity <= -(loose + at_work) * ratio:
        return None
    if ratio > 0 and isinstance(instrument, OptionContract):
        positions = option_positions(request.book)
        held = positions.get(instrument, 0) + at_work
        before = uncovered_contracts({**positions, instrument: held})
        after = uncovered_contracts({**positions, instrument: held + quantity})
        if after == before - quantity:
            return None
    return RefusalReason.NOT_A_REPAIR, f"{quantity} {instrument} mend nothing that is loose"


def _at_work(request: Request, instrument: Instrument, ratio: int) -> int:
    """Return the signed contracts of one instrument that orders of the same side may yet trade."""
    return sum(
        leg_ratio * order.leaves_quantity
        for order in request.book.working
        for leg, leg_ratio in legs_at_work(order)
        if leg == instrument and leg_ratio * ratio > 0
    )


def _by_symbol(leg: tuple[Instrument, int]) -> str:
    return leg[0].symbol
