"""The price walk: from mid toward the natural side, on ticks, never past the plan's worst price.

How long a walk takes, how often it moves and what it may give away at most follows from what the
order is for. A reduction that safety asks for is not an addition to a hedge.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from strategies.model.limits import Limits
from strategies.model.orders import Leg, OrderIntent, PositionEffect, Urgency
from strategies.model.quotes import Quote, to_price
from strategies.model.ticks import order_tick, round_down
from strategies.risk.gate import price_collar

_PATIENT_REACH = 0.6  # a patient order stops this far between mid and natural
_URGENT_START = 0.5  # an urgent one starts half way and is there after half its time
_SAFETY_RULES = frozenset({"G6", "G8"})


class OrderClass(StrEnum):
    """What an order is for, as far as its price walk is concerned."""

    CONDOR_ENTRY = "condor_entry"  # opens and rolls
    CONDOR_EXIT = "condor_exit"  # closes that may wait for a price: the profit target
    CONDOR_STOP = "condor_stop"  # closes that may not: stop, time, G6, D3
    HEDGE_ADD = "hedge_add"
    HEDGE_REDUCE = "hedge_reduce"
    HEDGE_URGENT = "hedge_urgent"  # reductions that G6 or G8 ask for, or that are urgent


def class_of(intent: OrderIntent) -> OrderClass:
    """Return what an order is for."""
    opens = intent.effect is PositionEffect.OPEN
    if intent.condor_id is not None:
        if opens:
            return OrderClass.CONDOR_ENTRY
        is_patient = intent.urgency in (Urgency.PATIENT, Urgency.PASSIVE)
        return OrderClass.CONDOR_EXIT if is_patient else OrderClass.CONDOR_STOP
    if opens:
        return OrderClass.HEDGE_ADD
    is_urgent = intent.urgency is Urgency.URGENT or bool(_SAFETY_RULES & set(intent.rules))
    return OrderClass.HEDGE_URGENT if is_urgent else OrderClass.HEDGE_REDUCE


@dataclass(frozen=True, slots=True, kw_only=True)
class WalkPolicy:
    """How long an order may walk, how often its price is looked at, and what it may give away."""

    duration_s: float
    step_s: float
    slippage_fraction: float = 1.0  # of the way from mid to natural
    slippage_points: Decimal | None = None  # from mid, index points; None = no such bound

    @property
    def steps(self) -> int:
        """How many prices a walk has."""
        return max(2, round(self.duration_s / self.step_s))

    def step_at(self, elapsed_s: float) -> int | None:
        """Return the step that is due so long after the decision; None once its time is over."""
        step = int(elapsed_s // self.step_s)
        return step if step < self.steps else None

    def is_due(self, elapsed_s: float) -> bool:
        """Whether one of its own steps begins so long after the decision."""
        return elapsed_s % self.step_s == 0

    def times(self) -> tuple[float, ...]:
        """Return when its steps are due and when its time is over, seconds from the decision."""
        return tuple(step * self.step_s for step in range(self.steps + 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteGuard:
    """What a quote must be like for an order to be priced by it."""

    age_max: timedelta
    width_max: float = 1.0  # of the leg's mid ...
    width_floor: float = 5.0  # ... and a leg no wider than so many points is never too wide


@dataclass(frozen=True, slots=True, kw_only=True)
class Walks:
    """How each class of order walks: its own way, or the common one."""

    common: WalkPolicy
    classes: Mapping[OrderClass, WalkPolicy] = field(default_factory=dict)

    def of(self, intent: OrderIntent) -> WalkPolicy:
        """Return how an order walks."""
        return self.classes.get(class_of(intent), self.common)


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageQuote:
    """What a package costs to buy, index points: > 0 debit, < 0 credit."""

    mid: float
    natural: float  # buying every leg at its worse side

    @property
    def bid(self) -> float:
        """What selling the package to the market brings."""
        return 2 * self.mid - self.natural


@dataclass(frozen=True, slots=True)
class Unpriceable:
    """Why a package has no price now."""

    reason: str


def package_quote(
    legs: Sequence[Leg], quotes: Mapping[str, Quote], guard: QuoteGuard, now: datetime
) -> PackageQuote | Unpriceable:
    """Return the package's quote, or why none of its legs' quotes would be one (faults D1, D2).

    A leg that is bought needs an offer, and a worthless one has no bid. Crossed or locked, too
    wide or too old is no quote at all.
    """
    mid = natural = 0.0
    for leg in legs:
        quote = quotes.get(leg.instrument.symbol)
        if (flaw := _flaw(quote, guard, now)) is not None:
            return Unpriceable(f"{leg.instrument}: {flaw}")
        assert quote is not None, "no quote is a flaw"
        mid += leg.ratio * (quote.bid + quote.ask) / 2
        natural += leg.ratio * (quote.ask if leg.ratio > 0 else quote.bid)
    return PackageQuote(mid=mid, natural=natural)


def _flaw(quote: Quote | None, guard: QuoteGuard, now: datetime) -> str | None:
    """Return what is wrong with a quote."""
    if quote is None or not quote.ask > 0:  # not: NaN is no offer either
        return "nobody offers it"
    shown = f"{quote.bid:g} x {quote.ask:g}"
    if not quote.bid < quote.ask:
        return f"{shown} is {'locked' if quote.bid == quote.ask else 'crossed'}"
    width = quote.ask - quote.bid
    if width > guard.width_floor and width > guard.width_max * quote.mid:
        return f"{shown} is too wide"
    if quote.quoted_at is None:
        return "nobody says how old its quote is"
    if (age := now - quote.quoted_at) > guard.age_max:
        return f"its quote is {age.total_seconds():g} s old"
    return None


def walk_fraction(urgency: Urgency, step: int, steps: int) -> float:
    """Return how far between mid (0) and natural (1) the walk stands at ``step`` of ``steps``."""
    assert 0 <= step < steps, "steps are counted from zero"
    progress = step / (steps - 1)
    match urgency:
        case Urgency.PASSIVE:
            return 0.0
        case Urgency.PATIENT:
            return _PATIENT_REACH * progress
        case Urgency.NORMAL:
            return progress
        case Urgency.URGENT:
            return min(1.0, _URGENT_START + progress)


def walk_price(
    intent: OrderIntent, quote: PackageQuote, step: int, policy: WalkPolicy, limits: Limits
) -> Decimal:
    """Return the limit price of an order at one step of its walk, on the tick grid.

    Rounded down, so that rounding never pays more; never above ``intent.worst_price``, never
    further from mid than the policy's slippage, and never beyond the gate's price collar, which
    would only refuse it.
    """
    fraction = min(walk_fraction(intent.urgency, step, policy.steps), policy.slippage_fraction)
    mid = to_price(quote.mid)
    wanted = to_price(quote.mid + fraction * (quote.natural - quote.mid))
    wanted = min(wanted, intent.worst_price, mid + price_collar(mid, limits))
    if policy.slippage_points is not None:
        wanted = min(wanted, mid + policy.slippage_points)
    instruments = [leg.instrument for leg in intent.legs]
    return round_down(wanted, order_tick(instruments, wanted))
