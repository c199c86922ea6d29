"""Strikes worth a line: few that make a series priceable, and those that may be traded.

A series can be priced once its forward is known, by three strikes at which put and call are quoted,
and its surface, by five quotes out of the money, two of them on each side. Held legs and those that
may be traded count, so that a held condor takes four lines beside its own.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np

from bot.brokers.ib.smiles import Smile
from strategies.model.quotes import FloatArray

PAIRS: Final = 3  # put and call at one strike: fewer tell no forward
_QUOTES: Final = 5  # out of the money: fewer tell no surface
_EACH_SIDE: Final = 2
_REACH: Final = 4.0  # deviations of a leg that may tell something of the rest
_SAME: Final = 0.2  # deviations that make no difference between two strikes
_SAME_DELTA: Final = 0.04
_WINGS: Final = 3  # widths of equal wings looked at
_LEAST_CREDIT: Final = 0.05
_SLACK: Final = 0.02  # points per vol point: vegas at the edge of the window
_OTHER_WINGS: Final = (0.11, 0.07, 0.04)  # deltas of longs where wings are not those of C4
_STRIKE_AT: Final = 13  # in an OCC symbol; the right stands before it


class SeriesRows(NamedTuple):
    """The listed options of one root and expiry, as OCC symbols."""

    root: str
    expiry: date
    symbols: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Strikes:
    """The strikes of a series at which both rights are listed, ascending."""

    prefix: str
    thousandths: tuple[int, ...]

    @classmethod
    def of(cls, series: SeriesRows, legs: Sequence[str] = ()) -> "Strikes":
        """Return those of a series, and those of legs, which may no longer be in the listing."""
        listed = _strikes(series.symbols)
        more = {int(each[_STRIKE_AT:]) for each in legs}.difference(listed.thousandths)
        return cls(listed.prefix, tuple(sorted({*listed.thousandths, *more}))) if more else listed

    @property
    def points(self) -> list[float]:
        """The strikes in index points."""
        return [each / 1000 for each in self.thousandths]

    def symbol(self, right: str, index: int) -> str:
        """Return the OCC symbol of one option."""
        return f"{self.prefix}{right}{self.thousandths[index]:08d}"


@lru_cache(maxsize=256)
def _strikes(symbols: tuple[str, ...]) -> Strikes:
    rights: dict[str, set[int]] = {"P": set(), "C": set()}
    for symbol in symbols:
        rights[symbol[_STRIKE_AT - 1]].add(int(symbol[_STRIKE_AT:]))
    return Strikes(symbols[0][: _STRIKE_AT - 1], tuple(sorted(rights["P"] & rights["C"])))


@dataclass(frozen=True, slots=True)
class Streamed:
    """What is streamed already: as good as what is a little nearer."""

    symbols: frozenset[str] = frozenset()
    unquoted: frozenset[str] = (
        frozenset()
    )  # of these: without a bid or an offer, which tell nothing


def completed_spx(
    strikes: Strikes, legs: Iterable[str], smile: Smile, streamed: Streamed
) -> list[str]:
    """Return what makes a series with these legs priceable: a pair at the money, and more.

    The second and the third pair are made of legs, where there are any, and their counterparts.
    """
    if not strikes.thousandths:
        return []
    z = smile.z(strikes.points)
    legs = [each for each in legs if each not in streamed.unquoted]
    found = dict.fromkeys(_pair_at(strikes, z, streamed.symbols))
    mine = {*legs, *found}
    place = {each: index for index, each in enumerate(strikes.thousandths)}
    of_legs = [place[t] for each in legs if (t := int(each[_STRIKE_AT:])) in place]
    near = sorted({index for index in of_legs if abs(z[index]) < _REACH}, key=lambda n: abs(z[n]))
    below, above = [n for n in near if z[n] < 0], [n for n in near if z[n] >= 0]
    others = sorted(range(len(z)), key=lambda n: abs(z[n]))
    pairs = _count_pairs(strikes, mine)
    for index in (*below[:1], *above[:1], *near, *others):
        if pairs >= PAIRS:
            break
        both = [strikes.symbol(right, index) for right in "PC"]
        if set(both) <= mine or streamed.unquoted.intersection(both):
            continue
        found.update(dict.fromkeys(each for each in both if each not in mine))
        mine.update(both)
        pairs += 1
    return [*found, *_quotes(strikes, mine, z, streamed)]


def completed_vix(
    strikes: Strikes, legs: Iterable[str], smile: Smile, streamed: Streamed
) -> list[str]:
    """Return what makes a series with these legs priceable; its forward is a future's."""
    if not strikes.thousandths:
        return []
    mine = {each for each in legs if each not in streamed.unquoted}
    return _quotes(strikes, mine, smile.z(strikes.points), streamed)


def condor_legs(
    strikes: Strikes,
    smile: Smile,
    *,
    short_delta: float,
    net_vega: tuple[float, float] | None,
) -> list[str]:
    """Return the shorts of a condor and the wings that may go with them.

    Args:
        strikes: Of the series.
        smile: Of the series.
        short_delta: Of the shorts (C3).
        net_vega: The window of C4; None where wings are other ones than equal and as many.
    """
    if not strikes.thousandths:
        return []
    points = strikes.points
    puts, calls = (smile.deltas(points, is_call=is_call) for is_call in (False, True))
    short_put = int(np.abs(puts - short_delta).argmin())
    short_call = int(np.abs(calls - short_delta).argmin())
    shorts = [strikes.symbol("P", short_put), strikes.symbol("C", short_call)]
    if net_vega is None:
        longs = [strikes.symbol("P", int(np.abs(puts - each).argmin())) for each in _OTHER_WINGS]
        longs += [strikes.symbol("C", int(np.abs(calls - each).argmin())) for each in _OTHER_WINGS]
        return [*shorts, *longs]
    vega = smile.vegas(points)
    put_price = smile.prices(points, is_call=False)
    call_price = smile.prices(points, is_call=True)
    place = {each: index for index, each in enumerate(strikes.thousandths)}
    ranked = []
    for put in range(short_put):
        width = strikes.thousandths[short_put] - strikes.thousandths[put]
        call = place.get(strikes.thousandths[short_call] + width)
        if call is None:
            continue
        net = float(vega[put] - vega[short_put] + vega[call] - vega[short_call])
        outside = max(net_vega[0] - net, net - net_vega[1], 0.0)
        credit = float(
            put_price[short_put] - put_price[put] + call_price[short_call] - call_price[call]
        )
        worth = max(credit, _LEAST_CREDIT) / max(width / 1000 - credit, _LEAST_CREDIT)
        ranked.append((outside if outside > _SLACK else 0.0, -worth, put, call))
    wings = [(put, call) for _, _, put, call in sorted(ranked)[:_WINGS]]
    if not ranked or min(ranked)[0] > 0:  # no equal pair fits: wings of different widths may
        last = len(points) - 1
        near = range(1, _WINGS)
        wings[1:] = [(max(short_put - n, 0), min(short_call + n, last)) for n in near]
    longs = [
        symbol
        for put, call in wings
        for symbol in (strikes.symbol("P", put), strikes.symbol("C", call))
    ]
    return [*shorts, *longs]


def is_tested(strikes: Strikes, legs: Iterable[str], smile: Smile, delta: float) -> bool:
    """Return whether any of these legs has this delta or a greater one."""
    return any(
        float(smile.deltas([int(leg[_STRIKE_AT:]) / 1000], is_call=leg[_STRIKE_AT - 1] == "C")[0])
        >= delta
        for leg in legs
        if leg.startswith(strikes.prefix)
    )


def hedge_calls(
    strikes: Strikes, smile: Smile, deltas: tuple[float, float], streamed: Streamed
) -> list[str]:
    """Return calls spread over a window of deltas, both ends included."""
    if not strikes.thousandths:
        return []
    found = smile.deltas(strikes.points, is_call=True)
    calls = [strikes.symbol("C", n) for n in range(len(found))]
    low, high = deltas
    inside = _SAME_DELTA / 2
    targets = (0.5 * (low + high), low + inside, high - inside)
    chosen = (
        _nearest(
            range(len(found)), np.abs(found - target), calls, streamed.symbols, same=_SAME_DELTA
        )
        for target in targets
    )
    return list(dict.fromkeys(calls[index] for index in chosen))


def nearest_first(strikes: Strikes, smile: Smile, short_delta: float) -> list[str]:
    """Return the options of a series out of the money, those near the shorts and the money first.

    A strike beside the money comes as a pair.
    """
    if not strikes.thousandths:
        return []
    points = strikes.points
    z = smile.z(points)
    calls = smile.deltas(points, is_call=True)
    puts = smile.deltas(points, is_call=False)
    short_put = float(z[int(np.abs(puts - short_delta).argmin())])
    short_call = float(z[int(np.abs(calls - short_delta).argmin())])
    queues = [
        [strikes.symbol("P", n) for n in _around(z, short_put) if z[n] < 0],
        [strikes.symbol("C", n) for n in _around(z, short_call) if z[n] >= 0],
        [strikes.symbol("P", n) for n in _around(z, 0.0)],
        [strikes.symbol("C", n) for n in _around(z, 0.0)],
    ]
    longest = max(len(each) for each in queues)
    ranked = (each[n] for n in range(longest) for each in queues if n < len(each))
    return list(dict.fromkeys(ranked))


def _around(z: FloatArray, middle: float) -> list[int]:
    distance = [abs(each - middle) for each in z]
    return sorted(range(len(distance)), key=lambda n: distance[n])


def _pair_at(strikes: Strikes, z: FloatArray, streamed: Collection[str]) -> list[str]:
    """Return put and call at the money, those that are streamed if they are near enough."""

    def both(index: int) -> list[str]:
        return [strikes.symbol(right, index) for right in "PC"]

    near = [n for n in range(len(z)) if abs(z[n]) < _SAME and all(s in streamed for s in both(n))]
    index = min(near or range(len(z)), key=lambda n: abs(z[n]))
    return both(index)


def _count_pairs(strikes: Strikes, symbols: Collection[str]) -> int:
    return sum(
        strikes.symbol("P", n) in symbols and strikes.symbol("C", n) in symbols
        for n in range(len(strikes.thousandths))
    )


def _quotes(
    strikes: Strikes, mine: Collection[str], z: FloatArray, streamed: Streamed
) -> list[str]:
    """Return what is missing to five quotes out of the money, two of them on each side."""
    rights = ["P" if each < 0 else "C" for each in z]
    own = [strikes.symbol(right, n) for n, right in enumerate(rights)]
    have = [n for n, symbol in enumerate(own) if symbol in mine and abs(z[n]) < _REACH]
    found: list[int] = []

    def count(right: str) -> int:
        # none at the money, where the next tick makes a put's strike a call's
        return sum(rights[n] == right and abs(z[n]) > _SAME / 2 for n in (*have, *found))

    def add(right: str) -> bool:
        taken = {*have, *found}
        free = [n for n in range(len(own)) if rights[n] == right and n not in taken]
        free = [n for n in free if own[n] not in streamed.unquoted]
        side = [n for n in free if abs(z[n]) > _SAME / 2] or free
        if side:
            found.append(_nearest(side, np.abs(z), own, streamed.symbols, same=_SAME))
        return bool(side)

    for right in "PC":
        while count(right) < _EACH_SIDE and add(right):
            pass
    while len(have) + len(found) < _QUOTES and add("P" if count("P") < count("C") else "C"):
        pass
    return [own[n] for n in found]


def _nearest(
    places: Iterable[int],
    distance: FloatArray,
    symbols: Sequence[str],
    streamed: Collection[str],
    *,
    same: float,
) -> int:
    """Return the nearest place; one that is streamed counts as so much nearer."""

    def far(index: int) -> tuple[float, int]:
        bonus = same if symbols[index] in streamed else 0.0
        return float(distance[index]) - bonus, index

    return min(places, key=far)
