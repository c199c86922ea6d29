"""What an order is made of, read from its legs: a condor, its exact reverse, or one instrument."""

import itertools
from collections.abc import Iterable

from strategies.model.book import Book, CondorLegs, WorkingOrder
from strategies.model.instruments import Instrument, OptionContract, Right, parse_symbol

SignedLegs = tuple[tuple[Instrument, int], ...]

_CONDOR_LEGS = 4


def as_condor(legs: Iterable[tuple[Instrument, int]]) -> CondorLegs | None:
    """Return the iron condor that buying these signed legs opens, or None if they are not one.

    One: four SPX options of one root and expiry with ratios of one, long the lowest put, short a
    higher put, short a call above it and long a call above that.
    """
    sides: dict[tuple[Right, int], OptionContract] = {}
    count = 0
    for instrument, ratio in legs:
        count += 1
        if not isinstance(instrument, OptionContract) or instrument.underlying != "SPX":
            return None
        sides[instrument.right, ratio] = instrument
    wanted = {(Right.PUT, 1), (Right.PUT, -1), (Right.CALL, -1), (Right.CALL, 1)}
    if count != _CONDOR_LEGS or sides.keys() != wanted:
        return None
    condor = CondorLegs(
        long_put=sides[Right.PUT, 1],
        short_put=sides[Right.PUT, -1],
        short_call=sides[Right.CALL, -1],
        long_call=sides[Right.CALL, 1],
    )
    contracts = [contract for contract, _ in condor.signed()]
    strikes = [contract.strike for contract in contracts]
    one_series = len({(contract.root, contract.expiry) for contract in contracts}) == 1
    ascending = all(a < b for a, b in itertools.pairwise(strikes))
    return condor if one_series and ascending else None


def reversed_legs(legs: Iterable[tuple[Instrument, int]]) -> SignedLegs:
    """Return the legs with every sign turned."""
    return tuple((instrument, -ratio) for instrument, ratio in legs)


def legs_at_work(order: WorkingOrder) -> SignedLegs:
    """Return the instruments and ratios of an order at work."""
    return tuple((parse_symbol(symbol), ratio) for symbol, ratio in order.legs)


def option_positions(book: Book) -> dict[OptionContract, int]:
    """Return net option contracts by contract, condors and hedges together; long > 0."""
    positions: dict[OptionContract, int] = {}
    for condor in book.condors:
        for contract, sign in condor.legs.signed():
            positions[contract] = positions.get(contract, 0) + sign * condor.quantity
    for hedge in book.hedges:
        if isinstance(hedge.instrument, OptionContract):
            held = positions.get(hedge.instrument, 0)
            positions[hedge.instrument] = held + hedge.net_contracts
    return positions
