"""What condors hold and tie up, the orders that may still open or roll some counted as filled."""

from dataclasses import dataclass
from decimal import Decimal

from strategies.model.book import Book
from strategies.model.instruments import OptionContract
from strategies.model.structures import after_roll, as_condor, legs_at_work, option_positions
from strategies.pricing.margin import MarginConvention, condor_margin_usd


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """The book with its opening and rolling orders filled."""

    positions: dict[OptionContract, int]  # signed contracts
    margin_usd: Decimal
    entries_at_work: int


def read_exposure(book: Book, convention: MarginConvention) -> Exposure:
    """Return what the condors of a book hold and tie up at most.

    A roll at work adds what it opens and takes nothing off, since it may not fill; closes at work
    change nothing either.
    """
    positions = option_positions(book)
    held = {condor.condor_id: condor.legs for condor in book.condors}
    margin = sum(
        (condor_margin_usd(each.legs, each.quantity, convention) for each in book.condors),
        Decimal(0),
    )
    entries = 0
    for order in book.working:
        legs, leaves = legs_at_work(order), order.leaves_quantity
        kept = held.get(order.condor_id or "")
        if (opened := as_condor(legs)) is not None:
            entries += 1
            margin += condor_margin_usd(opened, leaves, convention)
        elif kept is not None and (rolled := after_roll(kept, legs)) is not None:
            added = condor_margin_usd(rolled, leaves, convention)
            margin += max(Decimal(0), added - condor_margin_usd(kept, leaves, convention))
        else:
            continue
        own = dict(kept.signed()) if kept is not None else {}
        for contract, ratio in legs:
            assert isinstance(contract, OptionContract), "condors are made of options"
            if own.get(contract, 0) * ratio >= 0:
                positions[contract] = positions.get(contract, 0) + ratio * leaves
    return Exposure(positions=positions, margin_usd=margin, entries_at_work=entries)
