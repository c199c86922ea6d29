"""Matching: when an order fills, how much of it, and at what price a leg.

The model is stated and argued in ``docs/fills.md``. Prices inside this module are whole cents (all
quotes lie on ticks of a cent or more), so nothing is lost between a net price and its legs.
"""

import hashlib
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from math import ceil, floor

from strategies.model.instruments import Instrument, OptionContract
from strategies.model.orders import Leg
from strategies.model.quotes import Quote

_CENTS = 100
_SNAP = 1e-6  # of a cent: a quote this near a whole cent is that cent
_UINT64_SPAN = 2**64
_CENT = Decimal("0.01")
_CENTS_A_LEG = 2  # enough for any two ratios up to three without a common divisor


@dataclass(frozen=True, slots=True, kw_only=True)
class FillModel:
    """How generous the market is to orders that do not cross the spread. Design judgement."""

    probability_max: float = 0.20  # a grid instant, for an order one tick short of the offer
    combo_width: float = 0.5  # a combo's half spread over the sum of its legs' half spreads
    spx_option_packages: tuple[int, int] = (5, 50)  # displayed a grid instant, least and most
    vix_option_packages: tuple[int, int] = (20, 200)
    future_packages: tuple[int, int] = (5, 30)

    def displayed_range(self, instrument: Instrument) -> tuple[int, int]:
        """Return the least and the most packages the market shows at once."""
        if not isinstance(instrument, OptionContract):
            return self.future_packages
        return (
            self.spx_option_packages if instrument.underlying == "SPX" else self.vix_option_packages
        )


DEFAULT_FILL_MODEL = FillModel()


@dataclass(frozen=True, slots=True)
class LegQuote:
    """One leg's market."""

    ratio: int  # > 0 bought, < 0 sold
    bid: int  # cents, 0 = no bid
    ask: int  # cents, > 0


@dataclass(frozen=True, slots=True)
class PackageQuote:
    """What the package costs to buy."""

    legs: tuple[LegQuote, ...]
    natural: int  # cents: bought legs at the ask, sold legs at the bid
    mid_twice: int  # cents, twice the sum of the legs' mids: always whole


def quote_package(
    legs: Sequence[Leg], quote_of: Callable[[Instrument], Quote | None]
) -> PackageQuote | None:
    """Return the package's market, or None where it has none.

    Every leg needs an offer and an uncrossed quote. A leg that is sold without a bid counts as
    worth nothing if the package buys another leg, and kills the package otherwise.
    """
    sells_only = all(leg.ratio < 0 for leg in legs)
    quotes = []
    for leg in legs:
        quote = quote_of(leg.instrument)
        if quote is None or quote.ask <= 0 or quote.bid > quote.ask:
            return None
        if sells_only and quote.bid <= 0:
            return None
        quotes.append(LegQuote(leg.ratio, *quote_in_cents(quote)))
    natural = sum(q.ratio * (q.ask if q.ratio > 0 else q.bid) for q in quotes)
    mid_twice = sum(q.ratio * (q.bid + q.ask) for q in quotes)
    return PackageQuote(tuple(quotes), natural, mid_twice)


def quote_in_cents(quote: Quote) -> tuple[int, int]:
    """Return bid and ask in whole cents; a price off that grid goes to its worse side."""
    return floor(quote.bid * _CENTS + _SNAP), ceil(quote.ask * _CENTS - _SNAP)


def to_cents(price: Decimal) -> int:
    """Return a price on a cent grid as whole cents."""
    cents = price / _CENT
    assert cents == int(cents), f"{price} is not in whole cents"
    return int(cents)


def from_cents(cents: int) -> Decimal:
    """Return whole cents as a price."""
    return Decimal(cents).scaleb(-2)


def package_offer(package: PackageQuote, combo_width: float, tick: int) -> int:
    """Return what the market asks for a package, in cents on a grid of ``tick`` cents.

    A single leg is offered at natural. The legs of a combo hedge each other, so its market is
    ``combo_width`` of the way from mid to natural, rounded against the buyer.
    """
    if len(package.legs) == 1:
        return package.natural
    twice = package.mid_twice + combo_width * (2 * package.natural - package.mid_twice)
    return min(package.natural, ceil(twice / 2 / tick - _SNAP) * tick)


def fill_probability(
    limit: int, package: PackageQuote, offer: int, probability_max: float
) -> float:
    """Return the chance that an order trades at one grid instant.

    1 at the offer or better; p_max ((L - mid) / (offer - mid))^2 between mid and offer; 0 at mid
    and below.

    Args:
        limit: Cents the package may cost.
        package: Its market.
        offer: What the market asks for it, cents.
        probability_max: The chance just short of the offer.
    """
    if limit >= offer:
        return 1.0
    beyond_mid = 2 * limit - package.mid_twice
    if beyond_mid <= 0:
        return 0.0
    share = beyond_mid / (2 * offer - package.mid_twice)
    return probability_max * share * share


@dataclass(frozen=True, slots=True)
class Draw:
    """The luck of one order at one grid instant."""

    chance: float  # [0, 1): the order trades when this is below its probability
    size: float  # [0, 1): where the displayed size lies in its range

    def displayed(self, least: int, most: int) -> int:
        """Return the packages the market shows."""
        return least + int(self.size * (most - least + 1))


def draw(seed: int, legs: Sequence[Leg], quantity: int, instant: datetime) -> Draw:
    """Return the luck of an order at an instant: a hash, so no other order or question matters.

    It rests on what is asked for and not on the order's id, which is derived from a whole plan: the
    last bit of a float in there, another one on another interpreter, must not change fills. The
    order of the legs is nothing the market sees.
    """
    asked = sorted(f"{leg.ratio}*{leg.instrument.symbol}" for leg in legs)
    text = f"{seed}|{','.join(asked)}|{quantity}|{instant.isoformat()}"
    data = hashlib.blake2b(text.encode(), digest_size=16).digest()
    first, second = int.from_bytes(data[:8], "big"), int.from_bytes(data[8:], "big")
    return Draw(first / _UINT64_SPAN, second / _UINT64_SPAN)


def allocate(package: PackageQuote, net: int) -> tuple[int, ...] | None:
    """Split a net price over the legs, in cents, exactly.

    Each leg moves from its mid toward its worse side by the same share of its half spread; what
    rounding leaves over is spread over the legs of ratio one, widest first, or over pairs of legs
    where none has that ratio. No leg trades at zero.

    Returns:
        One price a leg, in cents; None if no split keeps every leg at a cent or more.
    """
    span = 2 * package.natural - package.mid_twice
    share = (2 * net - package.mid_twice) / span if span else 0.0
    prices = []
    for leg in package.legs:
        side = 1 if leg.ratio > 0 else -1
        halves = leg.bid + leg.ask + side * share * (leg.ask - leg.bid)
        prices.append(max(1, floor(halves / 2 + 0.5)))
    return _balance(package.legs, prices, net)


def _balance(legs: Sequence[LegQuote], prices: list[int], net: int) -> tuple[int, ...] | None:
    """Move legs a cent or two at a time, in turns, until the net is exact."""
    residual = net - sum(leg.ratio * price for leg, price in zip(legs, prices, strict=True))
    way = 1 if residual > 0 else -1
    moves = _moves(legs, way)
    while residual:
        before = residual
        for move in moves:
            moved = {index: prices[index] + cents for index, cents in move.items()}
            if residual and min(moved.values()) >= 1:
                for index, price in moved.items():
                    prices[index] = price
                residual -= way
        if residual == before:
            return None
    return tuple(prices)


def _moves(legs: Sequence[LegQuote], way: int) -> list[dict[int, int]]:
    """Return the moves of leg prices that change the net by one cent, the widest legs first.

    Each leg of ratio one makes a move of its own; where no leg has, two legs together do.
    """
    widest = sorted(range(len(legs)), key=lambda index: legs[index].bid - legs[index].ask)
    units = [{index: way * legs[index].ratio} for index in widest if abs(legs[index].ratio) == 1]
    cents = sorted(range(-_CENTS_A_LEG, _CENTS_A_LEG + 1), key=abs)
    return units or [
        {first: a, second: b}
        for first, second in itertools.combinations(widest, 2)
        for a, b in itertools.product(cents, repeat=2)
        if a * legs[first].ratio + b * legs[second].ratio == way
    ]
