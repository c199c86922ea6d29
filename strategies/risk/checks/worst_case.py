"""Limits in the worst case (I6): whichever of the orders at work fill, this one with them.

Orders at work count in full at their limit price, UNKNOWN ones too; the price walk asks the gate
again before it gives any more away. What is held and over a limit already does not stop an order
that adds nothing to it.
"""

from collections.abc import Iterator
from decimal import ROUND_CEILING, Decimal

from strategies.model.book import Book, CondorPosition, LoosePosition, WorkingOrder
from strategies.model.instruments import FutureContract, Instrument, OptionContract, Right
from strategies.model.structures import (
    SignedLegs,
    after_roll,
    as_condor,
    legs_at_work,
    option_positions,
)
from strategies.pricing.margin import condor_max_loss_usd, is_covered
from strategies.risk.checks.request import RefusalReason, Request, Verdict
from strategies.risk.checks.subsets import Column, worst_of_any
from strategies.risk.cover import uncovered_by

_MICROS = 1_000_000
_MINIS = {"VX": 10, "VXM": 1}  # VXM in one contract
_VALUE, _SIZE = Column(), Column(either_way=True)


def check_cover(request: Request) -> Verdict:
    """G8: nothing becomes uncovered, whichever of the orders at work fill, this one with them.

    Fills of whole packages stand for partial ones: no order here turns a contract's position
    from long to short, so that cover changes linearly on the way to the full fill.
    """
    base = option_positions(request.book)
    if request.opens and (uncovered := is_covered(base)):
        return RefusalReason.UNCOVERED, f"the book is short {uncovered[0]} without cover"
    at_work = [_option_change(legs_at_work(o), o.leaves_quantity) for o in request.book.working]
    this = _option_change(request.legs, request.intent.quantity)
    if short := uncovered_by(base, at_work, this):
        return RefusalReason.UNCOVERED, f"{short} would be without cover"
    return None


def _option_change(legs: SignedLegs, quantity: int) -> dict[OptionContract, int]:
    return {leg: ratio * quantity for leg, ratio in legs if isinstance(leg, OptionContract)}


# --- max loss -------------------------------------------------------------------------------------


def check_max_loss(request: Request) -> Verdict:
    """The condor this order makes, and all of them together, lose no more than they may."""
    if not request.opens or request.intent.condor_id is None:
        return None
    limits, book = request.limits, request.book
    loss, added = _loss_usd(request)
    if added <= 0:
        return None
    if loss > limits.condor_max_loss_usd:
        detail = f"{loss:.0f} USD, limit {limits.condor_max_loss_usd:.0f}"
        return RefusalReason.CONDOR_MAX_LOSS, detail
    held = sum((position.max_loss_usd for position in book.condors), loose_loss_usd(book.loose))
    at_work = tuple((_micros(loss_at_work_usd(order, book)),) for order in book.working)
    worst = worst_of_any((_VALUE,), (_micros(held) + _micros(added),), at_work)
    if worst > limits.total_max_loss_usd * _MICROS:
        total = Decimal(worst) / _MICROS
        detail = f"{total:.0f} USD with this order, limit {limits.total_max_loss_usd:.0f}"
        return RefusalReason.TOTAL_MAX_LOSS, detail
    return None


def _loss_usd(request: Request) -> tuple[Decimal, Decimal]:
    """Return the max loss of the condor an order makes, and by how much it raises the book's.

    A roll is bounded by the fill that raises it most: none of it, if it lowers the loss.
    """
    intent, held = request.intent, request.rolls
    if held is None:
        condor = as_condor(request.legs)
        assert condor is not None, "checked before"
        loss = condor_max_loss_usd(condor, -intent.worst_price, intent.quantity)
        return loss, loss
    rolled = after_roll(held.legs, request.legs)
    assert rolled is not None, "checked before"
    credit = held.entry_credit - intent.worst_price
    loss = condor_max_loss_usd(rolled, credit, intent.quantity)
    before = condor_max_loss_usd(held.legs, held.entry_credit, intent.quantity)
    return loss, max(Decimal(0), loss - before)


def loss_at_work_usd(order: WorkingOrder, book: Book) -> Decimal:
    """Return what an order at work adds to the max loss if it fills in full at its limit.

    A close takes its condors' max loss away, a hedge changes nothing.
    """
    legs, leaves = legs_at_work(order), order.leaves_quantity
    if (condor := as_condor(legs)) is not None:
        return condor_max_loss_usd(condor, -order.limit_price, leaves)
    held = next((c for c in book.condors if c.condor_id == order.condor_id), None)
    if held is None:
        return Decimal(0)
    rolled = after_roll(held.legs, legs)
    if rolled is not None:
        points = rolled.worst_points - held.legs.worst_points + order.limit_price
        return points * rolled.short_put.multiplier * leaves
    return -_closed_usd(held, legs, leaves)


def _closed_usd(held: CondorPosition, legs: SignedLegs, quantity: int) -> Decimal:
    """Return the max loss that ends with a close; none if these legs do not close the condor."""
    if {leg: -ratio for leg, ratio in legs} != dict(held.legs.signed()):
        return Decimal(0)
    return condor_max_loss_usd(held.legs, held.entry_credit, min(quantity, held.quantity))


def loose_loss_usd(loose: tuple[LoosePosition, ...]) -> Decimal:
    """Return the most that loose SPX options can come to cost at expiry, all expiring at once.

    Beyond the highest strike only calls matter and nothing changes while they are covered; an
    uncovered one opens nothing anyway. What was paid or received for them is booked already.
    """
    options = [
        (each.instrument, each.net_contracts)
        for each in loose
        if isinstance(each.instrument, OptionContract) and each.instrument.underlying == "SPX"
    ]
    worst = Decimal(0)
    for index in (Decimal(0), *(option.strike for option, _ in options)):
        worth = sum(
            (_intrinsic(option, index) * option.multiplier * held for option, held in options),
            Decimal(0),
        )
        worst = max(worst, -worth)
    return worst


def _intrinsic(option: OptionContract, index: Decimal) -> Decimal:
    distance = index - option.strike
    return max(Decimal(0), distance if option.right is Right.CALL else -distance)


def _micros(usd: Decimal) -> int:
    return int((usd * _MICROS).to_integral_value(ROUND_CEILING))


# --- contracts ------------------------------------------------------------------------------------


def check_condor_count(request: Request) -> Verdict:
    """Condor contracts, open and at work, are no more than they may be."""
    if not request.opens or request.intent.condor_id is None or request.rolls is not None:
        return None  # a roll leaves as many condors as there were
    held = sum(position.quantity for position in request.book.condors)
    at_work = tuple(
        (order.leaves_quantity,)
        for order in request.book.working
        if as_condor(legs_at_work(order)) is not None
    )
    count = worst_of_any((_VALUE,), (held + request.intent.quantity,), at_work)
    if count > request.limits.condors_max:
        return RefusalReason.CONDORS, f"{count} with this order, limit {request.limits.condors_max}"
    return None


def check_hedge_count(request: Request) -> Verdict:
    """Contracts of one VIX instrument and futures of all, long or short, are within limits."""
    if not request.opens or request.intent.layer is None:
        return None
    limits = request.limits
    instrument = request.intent.legs[0].instrument
    worst = _worst_contracts(request, {instrument: _SIZE})
    if worst > limits.hedge_contracts_max:
        detail = f"{worst} {instrument}, limit {limits.hedge_contracts_max}"
        return RefusalReason.HEDGE_CONTRACTS, detail
    if isinstance(instrument, OptionContract):
        return None
    futures: dict[Instrument, Column] = {
        future: Column(weight=_MINIS[future.root], either_way=True)
        for future in _hedges(request)
        if isinstance(future, FutureContract)
    }
    minis = _worst_contracts(request, futures)
    if minis > limits.futures_contracts_max * _MINIS["VX"]:
        count = Decimal(minis) / _MINIS["VX"]
        detail = f"{count} VX with this order, limit {limits.futures_contracts_max}"
        return RefusalReason.FUTURES_CONTRACTS, detail
    return None


def _hedges(request: Request) -> set[Instrument]:
    """Return every instrument that is or may come to be held as a hedge, or lies loose."""
    held = {instrument for instrument, _ in _singles(request.book)}
    at_work = {leg for order in request.book.working for leg, _ in legs_at_work(order)}
    return held | at_work | {leg for leg, _ in request.legs}


def _singles(book: Book) -> Iterator[tuple[Instrument, int]]:
    """Return what is held apart from condors: hedges, and what lies loose."""
    yield from ((held.instrument, held.net_contracts) for held in book.hedges)
    yield from ((held.instrument, held.net_contracts) for held in book.loose)


def _worst_contracts(request: Request, columns: dict[Instrument, Column]) -> int:
    """Return the highest weighed number of contracts, whichever orders at work fill."""
    base = dict.fromkeys(columns, 0)
    for instrument, contracts in _singles(request.book):
        if instrument in base:
            base[instrument] += contracts
    for instrument, ratio in request.legs:  # one leg, and it is counted wherever it is asked about
        base[instrument] += ratio * request.intent.quantity
    at_work = []
    for order in request.book.working:
        legs = dict(legs_at_work(order))
        row = tuple(legs.get(each, 0) * order.leaves_quantity for each in columns)
        if any(row):
            at_work.append(row)
    return worst_of_any(tuple(columns.values()), tuple(base.values()), tuple(at_work))


def check_premium(request: Request) -> Verdict:
    """One hedge order pays no more premium than it may."""
    intent, limits = request.intent, request.limits
    instrument = intent.legs[0].instrument
    if not request.opens or intent.layer is None or isinstance(instrument, FutureContract):
        return None
    premium = intent.worst_price * instrument.multiplier * intent.quantity
    if premium > limits.order_premium_usd_max:
        detail = f"{premium:.0f} USD, limit {limits.order_premium_usd_max:.0f}"
        return RefusalReason.PREMIUM, detail
    return None
