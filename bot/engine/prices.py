"""The price walk: from mid toward the natural side, on ticks, never past the plan's worst price."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from strategies.model.limits import Limits
from strategies.model.orders import Leg, OrderIntent, Urgency
from strategies.model.quotes import Quote, to_price
from strategies.model.ticks import order_tick, round_down
from strategies.risk.gate import price_collar

_PATIENT_REACH = 0.6  # a patient order stops this far between mid and natural
_URGENT_START = 0.5  # an urgent one starts half way and is there after half its time


@dataclass(frozen=True, slots=True, kw_only=True)
class WalkPolicy:
    """How long an order may walk, and how often its price is looked at again."""

    duration_s: float
    step_s: float

    @property
    def steps(self) -> int:
        """How many prices a walk has."""
        return max(2, round(self.duration_s / self.step_s))


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageQuote:
    """What a package costs to buy, index points: > 0 debit, < 0 credit."""

    mid: float
    natural: float  # buying every leg at its worse side


def package_quote(legs: Sequence[Leg], quotes: Mapping[str, Quote]) -> PackageQuote | None:
    """Return the package's quote, or None while a leg lacks the side the order would trade on.

    A leg that is sold needs a bid and a leg that is bought needs an offer; a crossed leg is no
    quote at all.
    """
    mid = natural = 0.0
    for leg in legs:
        quote = quotes.get(leg.instrument.symbol)
        if quote is None or quote.ask <= 0 or quote.bid > quote.ask:
            return None
        mid += leg.ratio * (quote.bid + quote.ask) / 2
        natural += leg.ratio * (quote.ask if leg.ratio > 0 else quote.bid)
    return PackageQuote(mid=mid, natural=natural)


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
    intent: OrderIntent, quote: PackageQuote, step: int, steps: int, limits: Limits
) -> Decimal:
    """Return the limit price of an order at one step of its walk, on the tick grid.

    Rounded down, so that rounding never pays more; never above ``intent.worst_price``, and never
    beyond the gate's price collar, which would only refuse it.
    """
    fraction = walk_fraction(intent.urgency, step, steps)
    mid = to_price(quote.mid)
    wanted = to_price(quote.mid + fraction * (quote.natural - quote.mid))
    wanted = min(wanted, intent.worst_price, mid + price_collar(mid, limits))
    instruments = [leg.instrument for leg in intent.legs]
    return round_down(wanted, order_tick(instruments, wanted))
