"""What one step of a price walk does about each purpose of a plan: decided here, done elsewhere."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from bot.engine.closing_times import ClosingTimes
from bot.engine.prices import (
    PackageQuote,
    QuoteGuard,
    Unpriceable,
    Walks,
    package_quote,
    walk_price,
)
from state.orders import StoredOrder
from strategies.model.lifecycle import OrderStatus
from strategies.model.limits import HaltScope, Limits, Readiness, SystemState
from strategies.model.orders import OrderIntent, PositionEffect, Urgency
from strategies.model.quotes import Quote

RESTING = frozenset({OrderStatus.LIVE, OrderStatus.PARTIALLY_FILLED})
UNSENT = frozenset({OrderStatus.PLANNED, OrderStatus.ARMED})
_TO_SEND = UNSENT | {OrderStatus.CANCELLED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """One purpose of a plan: its latest attempt, and what all attempts together still lack."""

    order: StoredOrder
    remaining: int  # packages, from what is proven to have filled

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to send, to watch or to cancel."""
        if self.order.is_unfinished:
            return False
        return self.order.status is not OrderStatus.CANCELLED or self.remaining <= 0


def errands_of(orders: Iterable[StoredOrder]) -> list[Errand]:
    """Return the errands that are not over, from the orders of one plan in their order."""
    attempts: dict[str, list[StoredOrder]] = {}
    for order in orders:
        attempts.setdefault(order.intent.purpose, []).append(order)
    errands = [
        Errand(
            order=each[-1],
            remaining=each[0].intent.quantity - sum(order.filled_quantity for order in each),
        )
        for each in attempts.values()
    ]
    return [errand for errand in errands if not errand.is_over]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What is known at one step of a plan."""

    elapsed_s: float  # from the decision to when the step was due
    now: datetime
    quotes: Mapping[str, Quote]
    readiness: Readiness


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one step of an errand comes to: an order to send or to withdraw, or neither."""

    order: StoredOrder
    number: int
    reason: str  # of the move, or of leaving it out
    quote: PackageQuote | None = None
    sends: OrderIntent | None = None
    withdraws: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Walker:
    """Decides the steps of price walks."""

    walks: Walks
    guard: QuoteGuard
    closing_times: ClosingTimes
    limits: Limits

    def times(self, intents: Iterable[OrderIntent], decided_at: datetime) -> list[datetime]:
        """Return when each step of these orders is due, and last when the time of all is over."""
        asked = tuple(intents)
        policies = {self.walks.of(intent) for intent in asked} or {self.walks.common}
        steps = {
            decided_at + timedelta(seconds=seconds)
            for policy in policies
            for seconds in policy.times()
        }
        closing = {self.closing_times.ends_at(intent, decided_at) for intent in asked}
        last = max(steps)
        return sorted(steps | {at for at in closing if decided_at < at < last})

    def step(self, errand: Errand, moment: Moment) -> Step | None:
        """Return what an errand's step comes to; None if none of its own is due now."""
        order, intent = errand.order, errand.order.intent
        policy = self.walks.of(intent)
        number = policy.step_at(moment.elapsed_s)
        if order.status in RESTING and (why := self._must_go(errand, number, moment)):
            return Step(order=order, number=number or 0, reason=why, withdraws=True)
        if number is None or not policy.is_due(moment.elapsed_s):
            return None
        if order.status in _TO_SEND:
            if (why_not := self.closing_times.why_not_now(intent, moment.now)) is not None:
                return Step(order=order, number=number, reason=f"left out: {why_not}")
        elif order.status not in RESTING:
            return Step(order=order, number=number, reason=f"left out: it is {order.status}")
        quote = package_quote(intent.legs, moment.quotes, self.guard, moment.now)
        if isinstance(quote, Unpriceable):
            return Step(order=order, number=number, reason=f"left out: {quote.reason}")
        price = walk_price(intent, quote, number, policy, self.limits)
        if order.status in RESTING:
            return self._move(order, number, quote, price)
        return Step(
            order=order,
            number=number,
            reason="the plan's price"
            if order.status is OrderStatus.PLANNED
            else "the walk's price",
            quote=quote,
            sends=self._attempt(errand, price),
        )

    def _must_go(self, errand: Errand, number: int | None, moment: Moment) -> str | None:
        """Return why an order may rest no longer, whatever its price."""
        order, intent = errand.order, errand.order.intent
        if is_forbidden(intent, moment.readiness):
            return f"the bot is {moment.readiness.state}"
        if order.leaves_quantity > errand.remaining:
            return f"{order.leaves_quantity} asked for, {errand.remaining} wanted"
        if number is None:
            return "its time is over"
        if moment.now >= self.closing_times.ends_at(intent, moment.now):
            return "its market closes"
        return None

    def _move(self, order: StoredOrder, number: int, quote: PackageQuote, price: Decimal) -> Step:
        """Move a resting order if the walk wants another price; passive ones stay (G9)."""
        moves = order.intent.urgency is not Urgency.PASSIVE and price != order.intent.limit_price
        reason = f"moves to {price}" if moves else "stands"
        return Step(order=order, number=number, reason=reason, quote=quote, withdraws=moves)

    def _attempt(self, errand: Errand, price: Decimal) -> OrderIntent:
        """Return what is to be sent: the first attempt, or what a cancelled one still lacks."""
        intent = errand.order.intent
        if errand.order.status in UNSENT:
            return intent
        return replace(
            intent,
            quantity=errand.remaining,
            limit_price=price,
            attempt=intent.attempt + 1,
        )


def is_forbidden(intent: OrderIntent, readiness: Readiness) -> bool:
    """Whether a halt wants an order gone that is out already; the gate judges new ones."""
    opens = intent.effect is PositionEffect.OPEN
    match readiness.state, readiness.halt_scope:
        case SystemState.RUNNING, _:
            return False
        case SystemState.HALTED, HaltScope.OPENS:
            return opens and intent.condor_id is not None
        case (
            (SystemState.REDUCE_ONLY, _)
            | (SystemState.HALTED, HaltScope.REDUCE_ONLY)
            | (SystemState.HALTED, HaltScope.FLATTEN)
        ):
            return opens
        case _:
            return True


def in_order_of(orders: Sequence[Errand], steps: Iterable[Step]) -> list[Step]:
    """Return steps in the order of the plan, so that a repeated one asks for the same again."""
    purposes = [errand.order.intent.purpose for errand in orders]
    return sorted(steps, key=lambda step: purposes.index(step.order.intent.purpose))
