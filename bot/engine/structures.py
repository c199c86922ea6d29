"""Structures: condors whose legs are not held in their ratio, and shorts that nothing covers."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from bot.engine.breaks import instrument_or_none, trades_no_more
from strategies.model.book import Book, CondorPosition
from strategies.model.breaks import Break, BreakKind
from strategies.model.instruments import Instrument, OptionContract
from strategies.model.locks import WHOLE_BOOK
from strategies.pricing.margin import is_covered


@dataclass(frozen=True, slots=True, kw_only=True)
class Structure:
    """What is held of one condor: its legs, and by how much they are uneven."""

    condor_id: str
    held: Mapping[Instrument, int]  # contracts of its legs, long > 0
    whole: int  # condors that these make up
    uneven: Mapping[Instrument, int]  # what is held beyond whole condors, never 0
    is_own: bool  # whether only orders of the bot and adopted executions made it so

    @property
    def changes(self) -> tuple[tuple[Instrument, int], ...]:
        """What to trade next to make it even by closing, in order of the symbols.

        Shorts are bought back first, and nothing is sold before they are gone (fault A29): the
        longs may be all that covers them.
        """
        ends = {instrument: -contracts for instrument, contracts in self.uneven.items()}
        buys = {instrument: count for instrument, count in ends.items() if count > 0}
        chosen = buys or ends
        return tuple(sorted(chosen.items(), key=lambda change: change[0].symbol))


def broken_structures(
    book: Book,
    owners: Mapping[str, str],
    ratios: Mapping[str, Mapping[Instrument, int]],
    at: datetime,
) -> tuple[Structure, ...]:
    """Return each condor whose legs are not held in their ratio, by id.

    Args:
        book: What is held, loose legs included.
        owners: The condor that a loose symbol belongs to, where there is one.
        ratios: The legs of condors of which no whole one may be held.
        at: Now; what trades no more by then is being settled, and no leg is missed.
    """
    loose: defaultdict[str, dict[Instrument, int]] = defaultdict(dict)
    for each in book.loose:
        condor_id = owners.get(each.instrument.symbol)
        if condor_id is not None and not trades_no_more(each.instrument, at):
            loose[condor_id][each.instrument] = each.net_contracts
    held = {condor.condor_id: condor for condor in book.condors}
    return tuple(
        _structure(condor_id, held.get(condor_id), parts, ratios.get(condor_id, {}))
        for condor_id, parts in sorted(loose.items())
    )


def _structure(
    condor_id: str,
    position: CondorPosition | None,
    loose: Mapping[Instrument, int],
    ratios: Mapping[Instrument, int],
) -> Structure:
    contracts: Counter[Instrument] = Counter(loose)
    if position is not None:
        ratios = dict(position.legs.signed())
        for leg, ratio in ratios.items():
            contracts[leg] += ratio * position.quantity
    whole = max(0, min((contracts[leg] // n for leg, n in ratios.items()), default=0))
    uneven = {
        leg: contracts[leg] - whole * ratios.get(leg, 0)
        for leg in contracts
        if contracts[leg] != whole * ratios.get(leg, 0)
    }
    held = {leg: count for leg, count in contracts.items() if count}
    return Structure(
        condor_id=condor_id, held=held, whole=whole, uneven=uneven, is_own=uneven == loose
    )


def structure_break(structure: Structure, at: datetime) -> Break:
    """Return the break of a condor that is not whole, with what would make it even.

    Where executions of others have a part in it, an operator says first whose they are.
    """
    todo = " and ".join(
        f"{'buy' if count > 0 else 'sell'} {abs(count)} {instrument}"
        for instrument, count in structure.changes
    )
    if not structure.is_own:
        todo = f"adopt or ignore what others traded, then {todo}"
    return Break(
        kind=BreakKind.STRUCTURE,
        key=structure.condor_id,
        detail=f"{structure.condor_id} is not whole: beside {structure.whole} condors it holds "
        f"{_contracts_in_words(structure.uneven)}; proposed: {todo or 'nothing'}",
        ledger_value=_contracts_in_words(structure.held),
        broker_value=f"{structure.whole} whole",
        locks=(structure.condor_id,),
        found_at=at,
    )


def uncovered_breaks(
    positions: Mapping[str, int], at: datetime, side: str = "the ledger"
) -> Iterator[Break]:
    """Yield each short option that no long covers (invariant I7); expired ones owe nothing more."""
    options: dict[OptionContract, int] = {}
    for symbol, contracts in positions.items():
        instrument = instrument_or_none(symbol)
        if isinstance(instrument, OptionContract) and not trades_no_more(instrument, at):
            options[instrument] = contracts
    for option in is_covered(options):
        yield Break(
            kind=BreakKind.UNCOVERED,
            key=option.symbol,
            detail=f"{side} holds {options[option]} {option}, and no long covers all of them",
            ledger_value="covered",
            broker_value=str(options[option]),
            locks=(WHOLE_BOOK,),
            found_at=at,
        )


def _contracts_in_words(contracts: Mapping[Instrument, int]) -> str:
    parts = sorted(contracts.items(), key=lambda held: held[0].symbol)
    return ", ".join(f"{count:+d} {instrument}" for instrument, count in parts) or "nothing"
