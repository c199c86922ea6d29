"""The pre-trade gate: the only maker of approved orders, with one typed refusal a check.

The checks run in the order of ``_CHECKS``, cheapest and most general first, and the first that
fails is the answer. Everything the gate knows comes in as values: the limits of the operator's
own file, the engine's readiness facts, the book with its orders at work, and fresh quotes.

Worst case (I6): orders at work count as filled in full, and their credit as nothing, because the
price walk may still give it away. The bound is therefore at least the loss of every subset.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum

from strategies.model.book import Book, CondorPosition, WorkingOrder
from strategies.model.calendars import EXCHANGE_ZONE
from strategies.model.ids import ClientOrderId
from strategies.model.instruments import (
    ROOTS,
    FutureContract,
    Instrument,
    OptionContract,
    Right,
    Settlement,
)
from strategies.model.limits import HaltScope, Limits, Readiness, SystemState
from strategies.model.orders import (
    _APPROVAL_KEY,
    ApprovedOrder,
    OrderIntent,
    PositionEffect,
)
from strategies.model.quotes import Quote, to_price
from strategies.model.structures import (
    SignedLegs,
    after_roll,
    as_condor,
    legs_at_work,
    option_positions,
    reversed_legs,
)
from strategies.model.ticks import order_tick
from strategies.pricing.margin import condor_max_loss_usd, is_covered
from strategies.risk.cover import uncovered_by

# A feed's clock may be this far ahead of ours; quotes dated later than that are from nowhere
_CLOCK_SKEW_MAX = timedelta(seconds=2)
_VX_EQUIVALENT = {"VX": Decimal(1), "VXM": Decimal("0.1")}


class RefusalReason(StrEnum):
    """Why the gate said no."""

    NOT_RUNNING = "not running"
    HALTED = "halted"
    REDUCE_ONLY = "reduce only"
    LEASE_LOST = "lease lost"
    NOT_CONNECTED = "not connected"
    NOT_RECONCILED = "not reconciled"
    EXPIRED = "contract stopped trading"
    STALE_QUOTES = "stale quotes"
    NO_QUOTE = "no usable quote"
    OFF_TICK = "off the tick grid"
    PRICE_COLLAR = "outside the price collar"
    STRUCTURE = "structure not allowed"
    NOT_A_REDUCTION = "not a reduction"
    NOT_A_ROLL = "not a roll"
    CONDOR_AT_WORK = "condor at work"
    UNCOVERED = "uncovered short"
    DUPLICATE = "duplicate"
    PURPOSE_AT_WORK = "purpose at work"
    CONDOR_MAX_LOSS = "condor max loss"
    TOTAL_MAX_LOSS = "total max loss"
    CONDORS = "condor contracts"
    HEDGE_CONTRACTS = "hedge contracts"
    FUTURES_CONTRACTS = "futures contracts"
    PREMIUM = "order premium"
    ORDERS_PER_DAY = "orders per day"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An order the gate did not let through, and why."""

    intent: OrderIntent
    reason: RefusalReason
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """An intent with everything a check may look at."""

    intent: OrderIntent
    readiness: Readiness
    limits: Limits
    book: Book
    quotes: Mapping[str, Quote]
    orders_seen: Collection[ClientOrderId]

    @property
    def opens(self) -> bool:
        return self.intent.effect is PositionEffect.OPEN

    @property
    def legs(self) -> SignedLegs:
        return tuple((leg.instrument, leg.ratio) for leg in self.intent.legs)

    @property
    def rolls(self) -> CondorPosition | None:
        """The held condor that this order changes into another (C10, C11)."""
        if not self.opens or self.intent.condor_id is None or as_condor(self.legs) is not None:
            return None
        held = (c for c in self.book.condors if c.condor_id == self.intent.condor_id)
        return next(held, None)


_Verdict = tuple[RefusalReason, str] | None


def approve(
    intent: OrderIntent,
    *,
    readiness: Readiness,
    limits: Limits,
    book: Book,
    quotes: Mapping[str, Quote],
    orders_seen: Collection[ClientOrderId],
) -> ApprovedOrder | Refusal:
    """Return the order approved, or the first check it fails as a refusal.

    Args:
        intent: The order wanted.
        readiness: The engine's facts of this moment.
        limits: The hard limits, from the operator's own file.
        book: What is held and at work, ``intent`` itself not among it.
        quotes: Current quotes by symbol; at least those of the order's legs.
        orders_seen: Client order ids that were ever sent.

    An opening order adds risk and must pass every check. A closing order must be proven to take
    risk away; it then passes in REDUCE_ONLY and beyond the day's order count, and a leg without a
    bid does not stop it.
    """
    request = _Request(
        intent=intent,
        readiness=readiness,
        limits=limits,
        book=book,
        quotes=quotes,
        orders_seen=orders_seen,
    )
    for check in _CHECKS:
        if (verdict := check(request)) is not None:
            reason, detail = verdict
            return Refusal(intent=intent, reason=reason, detail=detail)
    return ApprovedOrder(intent=intent, approved_at=readiness.at, key=_APPROVAL_KEY)


# --- may anything be sent at all ------------------------------------------------------------------


def _check_state(request: _Request) -> _Verdict:
    state, scope = request.readiness.state, request.readiness.halt_scope
    if state in (SystemState.STARTING, SystemState.RECONCILING):
        return RefusalReason.NOT_RUNNING, f"the bot is {state}"
    if state is SystemState.HALTED and scope is None:
        scope = HaltScope.ALL
    if scope is HaltScope.ALL:
        return RefusalReason.HALTED, "nothing is sent while halted"
    if not request.opens:
        return None
    if state is SystemState.REDUCE_ONLY or scope is HaltScope.REDUCE_ONLY:
        return RefusalReason.REDUCE_ONLY, "only orders that take risk away are sent"
    if scope is HaltScope.OPENS and request.intent.condor_id is not None:
        return RefusalReason.HALTED, "no condor is opened under this halt"
    return None


def _check_lease(request: _Request) -> _Verdict:
    if not request.readiness.lease_held:
        return RefusalReason.LEASE_LOST, "another process may be trading this account"
    return None


def _check_contract_trades(request: _Request) -> _Verdict:
    today = request.readiness.at.astimezone(EXCHANGE_ZONE).date()
    for instrument, _ in request.legs:
        # AM-settled contracts and futures stop before or early on their expiration date
        is_pm = ROOTS[instrument.root].settlement is Settlement.PM
        if today > instrument.expiry or (today == instrument.expiry and not is_pm):
            return RefusalReason.EXPIRED, f"{instrument} no longer trades on {today}"
    return None


def _check_connection(request: _Request) -> _Verdict:
    if not request.readiness.connected:
        return RefusalReason.NOT_CONNECTED, "the broker cannot be reached"
    if not request.readiness.reconciled:
        return RefusalReason.NOT_RECONCILED, "ledger and broker have not been compared"
    return None


# --- prices ---------------------------------------------------------------------------------------


def _check_quotes(request: _Request) -> _Verdict:
    quoted_at = request.readiness.quotes_at
    if quoted_at is None:
        return RefusalReason.STALE_QUOTES, "nobody says how old the quotes are"
    age, limit = request.readiness.at - quoted_at, request.limits.quote_age_max
    if age < -_CLOCK_SKEW_MAX:
        return RefusalReason.STALE_QUOTES, f"quotes are dated {-age.total_seconds():g} s ahead"
    if age > limit:
        seconds = (age.total_seconds(), limit.total_seconds())
        return RefusalReason.STALE_QUOTES, f"quotes are {seconds[0]:g} s old, limit {seconds[1]:g}"
    for instrument, _ in request.legs:
        quote = request.quotes.get(instrument.symbol)
        if quote is None:
            return RefusalReason.NO_QUOTE, f"nobody quotes {instrument}"
        # A worthless leg has no bid; that must not keep a position from being closed
        usable = quote.is_two_sided or (not request.opens and quote.bid == 0 and quote.ask > 0)
        if not usable:
            return RefusalReason.NO_QUOTE, f"{instrument} is quoted {quote.bid:g} x {quote.ask:g}"
    return None


def _check_price(request: _Request) -> _Verdict:
    intent = request.intent
    instruments = [instrument for instrument, _ in request.legs]
    for price in (intent.limit_price, intent.worst_price):
        if price % order_tick(instruments, price) != 0:
            return RefusalReason.OFF_TICK, f"{price} is no price of this order"
    mid = sum(
        (ratio * to_price(request.quotes[leg.symbol].mid) for leg, ratio in request.legs),
        Decimal(0),
    )
    collar = price_collar(mid, request.limits)
    if abs(intent.limit_price - mid) > collar:
        detail = f"limit {intent.limit_price} is more than {collar:.2f} from mid {mid:.2f}"
        return RefusalReason.PRICE_COLLAR, detail
    # Only an entry must not even intend to go further: an exit walks as far as the collar
    # lets each of its attempts go, and is asked about again at every one of them.
    # A roll does so too, and never pays anything whatever its worst price leaves open.
    if request.opens and request.rolls is None and intent.worst_price - mid > collar:
        detail = f"worst price {intent.worst_price} is more than {collar:.2f} above mid {mid:.2f}"
        return RefusalReason.PRICE_COLLAR, detail
    return None


def price_collar(mid: Decimal, limits: Limits) -> Decimal:
    """Return how far from ``mid`` a limit price may lie, in index points (I15)."""
    return max(limits.price_collar_fraction * abs(mid), limits.price_collar_points)


# --- structure ------------------------------------------------------------------------------------


def _check_structure(request: _Request) -> _Verdict:
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


def _check_roll(request: _Request, held: CondorPosition) -> _Verdict:
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


def _check_condor_close(request: _Request) -> _Verdict:
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


def _check_sale(request: _Request) -> _Verdict:
    (instrument, ratio), *others = request.legs
    if others or abs(ratio) != 1:
        return RefusalReason.STRUCTURE, "a hedge is reduced one instrument at a time"
    held = next(
        (h.net_contracts for h in request.book.hedges if h.instrument == instrument),
        0,
    )
    at_work = sum(
        leg_ratio * order.leaves_quantity
        for order in request.book.working
        for leg, leg_ratio in legs_at_work(order)
        if leg == instrument and leg_ratio * ratio > 0
    )
    left = -(held + at_work) * ratio  # how many contracts this side can still take away
    if request.intent.quantity > left:
        return RefusalReason.NOT_A_REDUCTION, f"{max(left, 0)} {instrument} are left to reduce"
    return None


def _by_symbol(leg: tuple[Instrument, int]) -> str:
    return leg[0].symbol


def _check_cover(request: _Request) -> _Verdict:
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


# --- identity -------------------------------------------------------------------------------------


def _check_identity(request: _Request) -> _Verdict:
    intent = request.intent
    if intent.client_order_id in request.orders_seen:
        return RefusalReason.DUPLICATE, f"{intent.client_order_id} was sent before"
    for order in request.book.working:
        if order.purpose == intent.purpose:
            detail = f"{order.client_order_id} already works for {intent.purpose}"
            return RefusalReason.PURPOSE_AT_WORK, detail
    return None


# --- worst case and limits ------------------------------------------------------------------------


def _check_max_loss(request: _Request) -> _Verdict:
    if not request.opens or request.intent.condor_id is None:
        return None
    limits, book = request.limits, request.book
    loss, added = _loss_usd(request.legs, request.intent, request.rolls)
    if loss > limits.condor_max_loss_usd and added > 0:
        detail = f"{loss:.0f} USD, limit {limits.condor_max_loss_usd:.0f}"
        return RefusalReason.CONDOR_MAX_LOSS, detail
    held = sum((position.max_loss_usd for position in book.condors), Decimal(0))
    at_work = sum((_added_at_work_usd(order, book) for order in book.working), Decimal(0))
    total = held + at_work + added
    if total > limits.total_max_loss_usd and added > 0:
        detail = f"{total:.0f} USD with this order, limit {limits.total_max_loss_usd:.0f}"
        return RefusalReason.TOTAL_MAX_LOSS, detail
    return None


def _loss_usd(
    legs: SignedLegs, intent: OrderIntent, held: CondorPosition | None
) -> tuple[Decimal, Decimal]:
    """Return the max loss of the condor an order makes, and by how much it raises the book's.

    A roll is bounded by the fill that raises it most: none of it, if it lowers the loss.
    """
    if held is None:
        condor = as_condor(legs)
        assert condor is not None, "checked before"
        loss = condor_max_loss_usd(condor, -intent.worst_price, intent.quantity)
        return loss, loss
    rolled = after_roll(held.legs, legs)
    assert rolled is not None, "checked before"
    credit = held.entry_credit - intent.worst_price
    loss = condor_max_loss_usd(rolled, credit, intent.quantity)
    before = condor_max_loss_usd(held.legs, held.entry_credit, intent.quantity)
    return loss, max(Decimal(0), loss - before)


def _added_at_work_usd(order: WorkingOrder, book: Book) -> Decimal:
    """Return what an order at work may add to the max loss, its own credit counted as nothing."""
    legs, leaves = legs_at_work(order), order.leaves_quantity
    if (condor := as_condor(legs)) is not None:
        return condor_max_loss_usd(condor, Decimal(0), leaves)
    for held in book.condors:
        rolled = after_roll(held.legs, legs) if held.condor_id == order.condor_id else None
        if rolled is not None:
            points = max(Decimal(0), rolled.worst_points - held.legs.worst_points)
            return points * rolled.short_put.multiplier * leaves
    return Decimal(0)


def _check_condor_count(request: _Request) -> _Verdict:
    if not request.opens or request.intent.condor_id is None or request.rolls is not None:
        return None  # a roll leaves as many condors as there were
    count = (
        sum(position.quantity for position in request.book.condors)
        + sum(
            order.leaves_quantity
            for order in request.book.working
            if as_condor(legs_at_work(order)) is not None
        )
        + request.intent.quantity
    )
    if count > request.limits.condors_max:
        return RefusalReason.CONDORS, f"{count} with this order, limit {request.limits.condors_max}"
    return None


def _check_hedge_count(request: _Request) -> _Verdict:
    if not request.opens or request.intent.layer is None:
        return None
    limits = request.limits
    worst = _worst_hedges(request)
    instrument = request.intent.legs[0].instrument
    if worst[instrument] > limits.hedge_contracts_max:
        detail = f"{worst[instrument]} {instrument}, limit {limits.hedge_contracts_max}"
        return RefusalReason.HEDGE_CONTRACTS, detail
    if isinstance(instrument, OptionContract):
        return None
    futures = sum(
        (
            contracts * _VX_EQUIVALENT[held.root]
            for held, contracts in worst.items()
            if isinstance(held, FutureContract)
        ),
        Decimal(0),
    )
    if futures > limits.futures_contracts_max:
        detail = f"{futures} VX with this order, limit {limits.futures_contracts_max}"
        return RefusalReason.FUTURES_CONTRACTS, detail
    return None


def _worst_hedges(request: _Request) -> dict[Instrument, int]:
    """Return the most contracts, long or short, of each VIX instrument.

    Every order at work on the worse side of each fills, and none on the other.
    """
    longs: dict[Instrument, int] = {h.instrument: h.net_contracts for h in request.book.hedges}
    shorts = dict(longs)
    at_work = [
        (legs_at_work(order), order.leaves_quantity)
        for order in request.book.working
        if order.layer is not None
    ]
    for legs, quantity in [*at_work, (request.legs, request.intent.quantity)]:
        for instrument, ratio in legs:
            longs[instrument] = longs.get(instrument, 0) + max(ratio, 0) * quantity
            shorts[instrument] = shorts.get(instrument, 0) + min(ratio, 0) * quantity
    return {each: max(longs[each], -shorts[each]) for each in longs}


def _check_premium(request: _Request) -> _Verdict:
    intent, limits = request.intent, request.limits
    instrument = intent.legs[0].instrument
    if not request.opens or intent.layer is None or isinstance(instrument, FutureContract):
        return None
    premium = intent.worst_price * instrument.multiplier * intent.quantity
    if premium > limits.order_premium_usd_max:
        detail = f"{premium:.0f} USD, limit {limits.order_premium_usd_max:.0f}"
        return RefusalReason.PREMIUM, detail
    return None


def _check_rate(request: _Request) -> _Verdict:
    # The count stops a runaway from opening. A close is bounded by what is held, and a stop
    # must not wait until tomorrow.
    if request.opens and request.readiness.orders_today >= request.limits.orders_per_day_max:
        detail = f"{request.readiness.orders_today} sent today, limit reached"
        return RefusalReason.ORDERS_PER_DAY, detail
    return None


_CHECKS: tuple[Callable[[_Request], _Verdict], ...] = (
    _check_state,
    _check_lease,
    _check_contract_trades,
    _check_connection,
    _check_quotes,
    _check_price,
    _check_structure,
    _check_cover,
    _check_identity,
    _check_max_loss,
    _check_condor_count,
    _check_hedge_count,
    _check_premium,
    _check_rate,
)
