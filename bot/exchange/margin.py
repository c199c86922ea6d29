"""Margin as the simulated broker asks for it, and which short options nobody covers.

Source: ``docs/market.md``, margin. Options follow Regulation T: a spread is margined at the
distance of its strikes, a condor on one side (``ib``: only where the sides are equally wide;
``cboe``: the greater side). The exchange does its own arithmetic and can contradict the bot's.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Literal, NamedTuple

from strategies.model.instruments import FutureContract, OptionContract, Right

MarginConvention = Literal["ib", "cboe"]

_OPTION_MULTIPLIER = 100
_MAINTENANCE_POINTS_MIN = Decimal(6)
_MAINTENANCE_SHARE = Decimal("0.45")  # of the settlement
_FAR_MONTH_DAYS = 60  # beyond it a future is the third month or later
_FAR_MONTH_FACTOR = Decimal("0.75")
_INITIAL_FACTOR = Decimal("1.25")


class _Lot(NamedTuple):
    """Options of one right. Call strikes are negated, so that one rule serves both rights."""

    expiry: date
    strike: Decimal
    quantity: int


class _Spread(NamedTuple):
    """A short option and the long that covers it."""

    short_expiry: date
    long_expiry: date
    width: Decimal  # index points lost at worst, >= 0
    quantity: int


def uncovered_shorts(positions: Mapping[OptionContract, int]) -> list[OptionContract]:
    """Return the short options that no long covers; empty when every short is covered.

    A long covers a short of the same underlying, settlement and right that expires on or before
    it; a VIX option only one of the same expiry (another expiry has another underlying).
    """
    uncovered: list[OptionContract] = []
    for group in _groups(positions).values():
        longs_ahead = 0
        for expiry in sorted({contract.expiry for contract in group}, reverse=True):
            here = {c: n for c, n in group.items() if c.expiry == expiry}
            longs_ahead += sum(here.values())
            if longs_ahead < 0:
                uncovered += sorted(c for c, n in here.items() if n < 0)
                longs_ahead = 0
    return uncovered


def option_margin_usd(
    positions: Mapping[OptionContract, int], convention: MarginConvention
) -> Decimal:
    """Return the margin of covered option positions; initial and maintenance are the same.

    Args:
        positions: Net contracts, every short covered (see ``uncovered_shorts``).
        convention: How the two sides of a condor combine.
    """
    points = Decimal(0)
    sides: dict[tuple[str, str, date], dict[Right, Counter[Decimal]]] = defaultdict(
        lambda: {Right.PUT: Counter(), Right.CALL: Counter()}
    )
    for (underlying, settlement, right, _), group in _groups(positions).items():
        for spread in _pair(group):
            if spread.short_expiry == spread.long_expiry:
                key = (underlying, settlement, spread.short_expiry)
                sides[key][right][spread.width] += spread.quantity
            else:
                points += spread.width * spread.quantity
    for side in sides.values():
        puts, calls = side[Right.PUT], side[Right.CALL]
        points += _equal_sides(puts, calls) if convention == "ib" else _greater_sides(puts, calls)
    return points * _OPTION_MULTIPLIER


def future_margin_usd(
    contract: FutureContract, contracts: int, settle: Decimal, session: date
) -> tuple[Decimal, Decimal]:
    """Return initial and maintenance margin of a futures position, long or short.

    maintenance = multiplier x max(6, 0.45 settle), three quarters of it from the third month on;
    initial = 1.25 maintenance. Source: ``docs/market.md``, margin.

    Args:
        contract: VX or VXM.
        contracts: Net contracts.
        settle: The latest daily settlement, index points.
        session: The session of the question.
    """
    points = max(_MAINTENANCE_POINTS_MIN, _MAINTENANCE_SHARE * settle)
    if (contract.expiry - session).days > _FAR_MONTH_DAYS:
        points *= _FAR_MONTH_FACTOR
    maintenance = points * contract.multiplier * abs(contracts)
    return _INITIAL_FACTOR * maintenance, maintenance


_GroupKey = tuple[str, str, Right, date | None]


def _groups(
    positions: Mapping[OptionContract, int],
) -> dict[_GroupKey, dict[OptionContract, int]]:
    """Return the positions by what may cover what."""
    groups: dict[_GroupKey, dict[OptionContract, int]] = defaultdict(dict)
    for contract, net in positions.items():
        own_expiry = contract.expiry if contract.underlying == "VIX" else None
        key = (contract.underlying, contract.settlement.value, contract.right, own_expiry)
        groups[key][contract] = net
    return groups


def _pair(group: Mapping[OptionContract, int]) -> list[_Spread]:
    """Give every short a long, those of its own expiry first, and strikes in order."""
    shorts, longs = _lots(group, -1), _lots(group, 1)
    spreads: list[_Spread] = []
    for expiry in sorted({lot.expiry for lot in shorts}):
        own_shorts = [lot for lot in shorts if lot.expiry == expiry]
        own_longs = [lot for lot in longs if lot.expiry == expiry]
        paired, rest_shorts, rest_longs = _match(own_shorts, own_longs)
        spreads += paired
        shorts = [lot for lot in shorts if lot.expiry != expiry] + rest_shorts
        longs = [lot for lot in longs if lot.expiry != expiry] + rest_longs
    # the latest short first: what may cover it may cover every earlier one too
    for expiry in sorted({lot.expiry for lot in shorts}, reverse=True):
        able = [lot for lot in longs if lot.expiry >= expiry]
        paired, uncovered, rest = _match([s for s in shorts if s.expiry == expiry], able)
        assert not uncovered, "an uncovered short was let in"
        spreads += paired
        longs = [lot for lot in longs if lot.expiry < expiry] + rest
    return spreads


def _lots(group: Mapping[OptionContract, int], side: int) -> list[_Lot]:
    return [
        _Lot(
            contract.expiry,
            contract.strike if contract.right is Right.PUT else -contract.strike,
            side * net,
        )
        for contract, net in group.items()
        if side * net > 0
    ]


def _match(
    shorts: Iterable[_Lot], longs: Iterable[_Lot]
) -> tuple[list[_Spread], list[_Lot], list[_Lot]]:
    """Pair the highest short with the highest long, and so on; return pairs and both rests."""
    short_stack = sorted(shorts, key=lambda lot: (lot.strike, lot.expiry))
    long_stack = sorted(longs, key=lambda lot: (lot.strike, lot.expiry))
    pairs: list[_Spread] = []
    while short_stack and long_stack:
        short, long = short_stack.pop(), long_stack.pop()
        quantity = min(short.quantity, long.quantity)
        width = max(Decimal(0), short.strike - long.strike)
        pairs.append(_Spread(short.expiry, long.expiry, width, quantity))
        if short.quantity > quantity:
            short_stack.append(short._replace(quantity=short.quantity - quantity))
        if long.quantity > quantity:
            long_stack.append(long._replace(quantity=long.quantity - quantity))
    return pairs, short_stack, long_stack


def _equal_sides(puts: Counter[Decimal], calls: Counter[Decimal]) -> Decimal:
    """Return the points of one expiry when only equally wide sides share their margin.

    A spread k times as wide as another is k such spreads on top of each other (that is what two
    condors become when the long of one is the short of the other).
    """
    puts, calls = Counter(puts), Counter(calls)
    shared = Decimal(0)
    for wide, narrow in ((puts, calls), (calls, puts)):
        for width in sorted(wide, reverse=True):
            for step in sorted((w for w in narrow if w and width and width % w == 0), reverse=True):
                stacked = int(width / step)
                quantity = min(wide[width], narrow[step] // stacked)
                wide[width] -= quantity
                narrow[step] -= quantity * stacked
                shared += width * quantity
    return shared + _total(puts) + _total(calls)


def _greater_sides(puts: Counter[Decimal], calls: Counter[Decimal]) -> Decimal:
    """Return the points of one expiry when the wider side carries the margin of both."""
    return max(_total(puts), _total(calls))


def _total(widths: Counter[Decimal]) -> Decimal:
    return sum((width * quantity for width, quantity in widths.items()), Decimal(0))
