"""What an order is made of, read from its legs: a condor, its exact reverse, or one instrument."""

from collections.abc import Iterable
from functools import lru_cache

from strategies.model.book import Book, CondorLegs, WorkingOrder
from strategies.model.instruments import Instrument, OptionContract, Right, parse_symbol

SignedLegs = tuple[tuple[Instrument, int], ...]

_CONDOR_LEGS = 4
_SIDE_LEGS = 2
CONDOR_RATIOS = ((1, 1), (2, 1), (3, 2))  # longs and shorts of a side that make one condor


def as_condor(legs: Iterable[tuple[Instrument, int]]) -> CondorLegs | None:
    """Return the iron condor that buying these signed legs opens, or None if they are not one.

    One: four SPX options of one root, two short and two long; the short put below the short call,
    each long further out than its short and expiring no earlier; on both sides alike one long to
    one short, two to one, or three to two (C5).
    """
    sides: dict[tuple[Right, bool], tuple[OptionContract, int]] = {}
    count = 0
    for instrument, ratio in legs:
        count += 1
        if not isinstance(instrument, OptionContract) or instrument.underlying != "SPX":
            return None
        sides[instrument.right, ratio > 0] = instrument, abs(ratio)
    if count != _CONDOR_LEGS or len(sides) != _CONDOR_LEGS:
        return None
    long_put, long_puts = sides[Right.PUT, True]
    short_put, short_puts = sides[Right.PUT, False]
    short_call, short_calls = sides[Right.CALL, False]
    long_call, long_calls = sides[Right.CALL, True]
    is_condor = (
        len({contract.root for contract, _ in sides.values()}) == 1
        and long_put.strike < short_put.strike < short_call.strike < long_call.strike
        and long_put.expiry >= short_put.expiry
        and long_call.expiry >= short_call.expiry
        and (long_puts, short_puts) == (long_calls, short_calls)
        and (long_puts, short_puts) in CONDOR_RATIOS
    )
    if not is_condor:
        return None
    return CondorLegs(
        long_put=long_put,
        short_put=short_put,
        short_call=short_call,
        long_call=long_call,
        short_ratio=short_puts,
        long_ratio=long_puts,
    )


def after_roll(held: CondorLegs, legs: Iterable[tuple[Instrument, int]]) -> CondorLegs | None:
    """Return what one condor becomes when these signed legs are bought, None if they roll nothing.

    A roll closes one side of the condor whole and opens another of the same right in its place:
    four different options, two of them the condor's. What comes out is a condor again (C10, C11).
    """
    own: dict[Instrument, int] = dict(held.signed())
    closed: set[Instrument] = set()
    opened: dict[Instrument, int] = {}
    for instrument, ratio in legs:
        if own.get(instrument) == -ratio:
            closed.add(instrument)
        else:
            opened[instrument] = ratio
    rights = {each.right for each in opened if isinstance(each, OptionContract)}
    if len(closed) != _SIDE_LEGS or len(opened) != _SIDE_LEGS or len(rights) != 1:
        return None
    if not own.keys().isdisjoint(opened):
        return None
    kept = [leg for leg in own.items() if leg[0] not in closed]
    return as_condor((*kept, *opened.items()))


def reversed_legs(legs: Iterable[tuple[Instrument, int]]) -> SignedLegs:
    """Return the legs with every sign turned."""
    return tuple((instrument, -ratio) for instrument, ratio in legs)


def legs_at_work(order: WorkingOrder) -> SignedLegs:
    """Return the instruments and ratios of an order at work."""
    return tuple((_instrument(symbol), ratio) for symbol, ratio in order.legs)


# The gate asks for the same few orders at work again and again, for each of its checks
_instrument = lru_cache(maxsize=4096)(parse_symbol)


def option_positions(book: Book) -> dict[OptionContract, int]:
    """Return net option contracts by contract, condors, hedges and loose ones; long > 0."""
    positions: dict[OptionContract, int] = {}
    for condor in book.condors:
        for contract, sign in condor.legs.signed():
            positions[contract] = positions.get(contract, 0) + sign * condor.quantity
    singles = [(held.instrument, held.net_contracts) for held in book.hedges]
    singles += [(held.instrument, held.net_contracts) for held in book.loose]
    for instrument, contracts in singles:
        if isinstance(instrument, OptionContract):
            positions[instrument] = positions.get(instrument, 0) + contracts
    return positions
