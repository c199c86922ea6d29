"""Margin as the simulated broker asks for it, and which short options nobody covers.

Source: ``docs/market.md``, margin. Options follow Regulation T: every short is paired with a long,
and the pair is margined at the distance of its strikes. Of a put and a call spread only one can
lose, so they share: under ``ib`` where both are equally wide, under ``cboe`` always (the greater
side). The exchange does its own arithmetic and can contradict the bot's.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
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


class _Pair(NamedTuple):
    """A short option and the long that covers it."""

    short: _Lot
    long_expiry: date
    width: Decimal  # index points lost at worst, >= 0
    quantity: int


class _Spread(NamedTuple):
    """A put or call spread whose two legs expire together."""

    right: Right
    short_strike: Decimal
    width: Decimal  # index points, > 0
    quantity: int

    def loss(self, level: Decimal) -> Decimal:
        """Return the points one spread loses if it expires at an index level."""
        beyond = (
            level - self.short_strike if self.right is Right.CALL else self.short_strike - level
        )
        return min(max(Decimal(0), beyond), self.width)


def uncovered_shorts(positions: Mapping[OptionContract, int]) -> list[OptionContract]:
    """Return the short options that no long covers; empty when every short is covered.

    A long covers a short of the same underlying, settlement and right that expires on or before
    it; a VIX option only one of the same expiry (another expiry has another underlying).
    """
    if _has_no_short(positions):
        return []
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
    if _has_no_short(positions):
        return Decimal(0)
    points = Decimal(0)
    together: dict[tuple[str, str, date], list[_Spread]] = defaultdict(list)
    for (underlying, settlement, right, _), group in _groups(positions).items():
        for pair in _pair(group):
            if pair.short.expiry != pair.long_expiry:
                points += pair.width * pair.quantity
            elif pair.width:
                spread = _Spread(right, abs(pair.short.strike), pair.width, pair.quantity)
                together[underlying, settlement, pair.short.expiry].append(spread)
    share = _equal_sides if convention == "ib" else _greater_side
    points += sum(map(share, together.values()))
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


def _has_no_short(positions: Mapping[OptionContract, int]) -> bool:
    return min(positions.values(), default=0) >= 0


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


def _pair(group: Mapping[OptionContract, int]) -> list[_Pair]:
    """Give every short a long, those of its own expiry first, and strikes in order."""
    shorts, longs = _lots(group, -1), _lots(group, 1)
    pairs: list[_Pair] = []
    for expiry in sorted({lot.expiry for lot in shorts}):
        own_shorts = [lot for lot in shorts if lot.expiry == expiry]
        own_longs = [lot for lot in longs if lot.expiry == expiry]
        paired, rest_shorts, rest_longs = _match(own_shorts, own_longs)
        pairs += paired
        shorts = [lot for lot in shorts if lot.expiry != expiry] + rest_shorts
        longs = [lot for lot in longs if lot.expiry != expiry] + rest_longs
    # the latest short first: what may cover it may cover every earlier one too
    for expiry in sorted({lot.expiry for lot in shorts}, reverse=True):
        able = [lot for lot in longs if lot.expiry >= expiry]
        paired, uncovered, rest = _match([s for s in shorts if s.expiry == expiry], able)
        assert not uncovered, "an uncovered short was let in"
        pairs += paired
        longs = [lot for lot in longs if lot.expiry < expiry] + rest
    return pairs


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
) -> tuple[list[_Pair], list[_Lot], list[_Lot]]:
    """Pair the highest short with the highest long, and so on; return pairs and both rests."""
    short_stack = sorted(shorts, key=lambda lot: (lot.strike, lot.expiry))
    long_stack = sorted(longs, key=lambda lot: (lot.strike, lot.expiry))
    pairs: list[_Pair] = []
    while short_stack and long_stack:
        short, long = short_stack.pop(), long_stack.pop()
        quantity = min(short.quantity, long.quantity)
        width = max(Decimal(0), short.strike - long.strike)
        pairs.append(_Pair(short, long.expiry, width, quantity))
        if short.quantity > quantity:
            short_stack.append(short._replace(quantity=short.quantity - quantity))
        if long.quantity > quantity:
            long_stack.append(long._replace(quantity=long.quantity - quantity))
    return pairs, short_stack, long_stack


def _equal_sides(spreads: Sequence[_Spread]) -> Decimal:
    """Return the points of one expiry when only equally wide sides share their margin.

    A put spread shares with a call spread that lies above it. A spread k times as wide as the
    narrowest is k of them on top of each other: that is what condors become when the long of one
    is the short of another.
    """
    narrowest = min(spread.width for spread in spreads)
    strikes: dict[tuple[Decimal, Right], list[Decimal]] = defaultdict(list)
    for spread in spreads:
        width, short_strikes = _stack(spread, narrowest)
        strikes[width, spread.right] += short_strikes * spread.quantity
    points = Decimal(0)
    for width in {width for width, _ in strikes}:
        puts, calls = strikes[width, Right.PUT], strikes[width, Right.CALL]
        points += width * (len(puts) + len(calls) - _sharing(puts, calls))
    return points


def _stack(spread: _Spread, step: Decimal) -> tuple[Decimal, list[Decimal]]:
    """Return the width and the short strikes of the spreads that make up a wider one."""
    if spread.width % step:
        return spread.width, [spread.short_strike]
    away = step if spread.right is Right.CALL else -step
    return step, [spread.short_strike + away * n for n in range(int(spread.width / step))]


def _sharing(puts: Iterable[Decimal], calls: Iterable[Decimal]) -> int:
    """Return how many puts can each be given a call of its own at or above its strike."""
    rising = sorted(puts)
    count = 0
    for call in sorted(calls):
        if count < len(rising) and rising[count] <= call:
            count += 1
    return count


def _greater_side(spreads: Sequence[_Spread]) -> Decimal:
    """Return the points of one expiry when every spread shares: the loss at the worst level."""
    levels = {spread.short_strike for spread in spreads}
    levels |= {
        spread.short_strike + (spread.width if spread.right is Right.CALL else -spread.width)
        for spread in spreads
    }
    return max(
        sum((spread.loss(level) * spread.quantity for spread in spreads), Decimal(0))
        for level in levels
    )
