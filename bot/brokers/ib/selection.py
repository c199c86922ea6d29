"""Which instruments to stream where a login pays for a limited number of lines.

First what a decision cannot do without, in blocks, in this order: indices; what is held; VX1 and
VX2 and the futures that held VIX options are priced on; what makes each held SPX expiry, then each
held VIX expiry, priceable; VX3; calls for L1; the condor that C2 to C4 would sell; the other months
of VX that are bought; calls for L2 and L3. A block comes whole or not at all, and nothing comes
after one that does not fit: half a surface tells nothing. What fits beside them is more of the
same.

With more lines come more instruments and none goes. Pure: everything comes as an argument.
"""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import chain, zip_longest
from typing import Final, NamedTuple

from bot.brokers.ib.contracts import INDEX_NAMES
from bot.brokers.ib.lines import (
    SeriesRows,
    Streamed,
    Strikes,
    completed_spx,
    completed_vix,
    condor_legs,
    hedge_calls,
    is_tested,
    nearest_first,
)
from bot.brokers.ib.smiles import SeriesKey, Smile, guessed
from strategies.model.instruments import ROOTS, FutureContract

# Lines of IB's smallest package, what one login streams at once
USUAL_LINES: Final = 100
_INDICES: Final = ("SPX", "VIX", "VVIX")  # the others no rule reads
_AROUND: Final = 4  # strikes beside each short and the money
_SIGNAL_MONTHS: Final = 2  # VX1 and VX2
_HEDGE_MONTHS: Final = 3  # VX that L1 and L2 may buy
_LAYERS: Final = ("L1", "L2", "L3")
_SERIES_LENGTH: Final = 12  # root and date of an OCC symbol; a future's symbol is as long


@dataclass(frozen=True, slots=True, kw_only=True)
class Appetite:
    """What the rules may look at, from their own values."""

    condor_days: tuple[int, int]  # to expiry, both included (C2)
    target_days: int  # C2
    is_am_allowed: bool  # C2
    short_delta: float  # C3, absolute
    tested_delta: float  # C10, absolute
    net_vega: tuple[float, float]  # C4, per contract
    is_one_by_one: bool  # whether wings are those of C4
    hedge_days: tuple[tuple[int, int], ...]  # of L1, L2 and L3, both included
    call_deltas: tuple[float, float]  # of VIX calls bought
    call_days_min: int  # fewest days to expiry of a VIX call bought
    months: int  # VX months bought

    def wants(self, root: str, days: int) -> bool:
        """Return whether a series so many days from its expiry may be of interest."""
        if ROOTS[root].underlying == "SPX":
            is_allowed = root != "SPX" or self.is_am_allowed
            return is_allowed and self.condor_days[0] <= days <= self.condor_days[1]
        return any(first <= days <= last for first, last in self.hedge_days)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What is known when instruments are chosen.

    Attributes:
        session: Today.
        spx: Index level.
        vix: Index level.
        futures: Mids of VX, by expiry, as far as they are known.
        smiles: What the last look measured.
        streamed: What is streamed already.
    """

    session: date
    spx: float
    vix: float
    futures: Mapping[date, float] = field(default_factory=dict)
    smiles: Mapping[SeriesKey, Smile] = field(default_factory=dict)
    streamed: Streamed = field(default_factory=Streamed)

    def smile(self, root: str, expiry: date) -> Smile:
        """Return what is known of a series, or guessed."""
        known = self.smiles.get((root, expiry))
        if known is not None:
            return known
        underlying, days = ROOTS[root].underlying, (expiry - self.session).days
        forward = self.spx if underlying == "SPX" else self.futures.get(expiry, self.vix)
        return guessed(underlying, days, forward=forward, vix=self.vix)


class Needs(NamedTuple):
    """What a decision cannot do without, most important first, and what of it does not fit."""

    symbols: tuple[str, ...]
    left_out: tuple[str, ...]  # in words


class _Block(NamedTuple):
    name: str
    symbols: Sequence[str]


def everything(
    series: Sequence[SeriesRows], futures: Sequence[FutureContract], held: Iterable[str]
) -> tuple[str, ...]:
    """Return all that is listed or held."""
    rows = chain.from_iterable(each.symbols for each in series)
    listed = (each.symbol for each in _by_expiry(futures))
    return tuple(dict.fromkeys(chain(sorted(held), INDEX_NAMES, listed, rows)))


def needs(
    series: Sequence[SeriesRows],
    futures: Sequence[FutureContract],
    *,
    view: View,
    held: Iterable[str],
    appetite: Appetite,
    lines: int,
) -> Needs:
    """Return what has to be streamed.

    Args:
        series: The listed options.
        futures: The listed futures.
        view: What is known of the market.
        held: Symbols of open positions and of legs at work.
        appetite: What the rules may look at.
        lines: How many may be streamed.
    """
    taken: dict[str, None] = {}
    left_out: list[str] = []
    for block in _blocks(series, futures, view, sorted(held, key=_by_need), appetite):
        new = [each for each in block.symbols if each not in taken]
        if left_out or len(taken) + len(dict.fromkeys(new)) > lines:
            left_out += [block.name] if new else []
        else:
            taken.update(dict.fromkeys(new))
    return Needs(tuple(taken), tuple(dict.fromkeys(left_out)))


def choose(
    needed: Needs,
    series: Sequence[SeriesRows],
    futures: Sequence[FutureContract],
    *,
    view: View,
    held: Iterable[str],
    appetite: Appetite,
    lines: int,
) -> tuple[str, ...]:
    """Return the names and symbols to stream, most important first: the needs, and what fits.

    Args:
        needed: What ``needs`` returned for the same market and lines.
        series: The listed options.
        futures: The listed futures.
        view: What is known of the market.
        held: Symbols of open positions and of legs at work.
        appetite: What the rules may look at.
        lines: How many may be streamed.
    """
    if needed.left_out:
        return needed.symbols
    more = _more(series, futures, view, frozenset(held), appetite)
    found = dict.fromkeys(needed.symbols)
    for symbol in more:
        if len(found) >= lines:
            break
        found[symbol] = None
    return tuple(found)


def entry_series(
    series: Iterable[SeriesRows], session: date, appetite: Appetite
) -> SeriesRows | None:
    """Return the SPX series that C2 would choose were all of them quoted."""
    wanted = [
        each
        for each in series
        if ROOTS[each.root].underlying == "SPX"
        and appetite.wants(each.root, (each.expiry - session).days)
    ]

    def far(each: SeriesRows) -> tuple[int, date, str]:
        return abs((each.expiry - session).days - appetite.target_days), each.expiry, each.root

    return min(wanted, key=far, default=None)


def _blocks(
    series: Sequence[SeriesRows],
    futures: Sequence[FutureContract],
    view: View,
    held: Sequence[str],
    appetite: Appetite,
) -> Iterator[_Block]:
    """Yield what a decision needs, in order of need."""
    yield from (_Block(name, (name,)) for name in _INDICES)
    yield from (_Block(symbol, (symbol,)) for symbol in held)
    legs: dict[str, list[str]] = {}
    for symbol in held:
        if len(symbol) > _SERIES_LENGTH:
            legs.setdefault(symbol[:_SERIES_LENGTH], []).append(symbol)
    months = sorted({each.expiry for each in futures if each.expiry > view.session})
    near, bought = months[:_SIGNAL_MONTHS], months[: appetite.months]
    own = {each.expiry: each for each in _by_expiry(futures, last="VX")}
    there = [each for each in series if each.symbols and each.symbols[0][:_SERIES_LENGTH] in legs]
    held_vix = [each for each in there if ROOTS[each.root].underlying == "VIX"]
    priced_on = {each.expiry for each in held_vix}
    for expiry in (*near, *sorted(priced_on & own.keys())):
        yield _Block(f"VX of {expiry}", (own[expiry].symbol,))
    for each in (each for each in there if ROOTS[each.root].underlying == "SPX"):
        mine = legs[each.symbols[0][:_SERIES_LENGTH]]
        smile = view.smile(each.root, each.expiry)
        rows = completed_spx(Strikes.of(each, mine), mine, smile, view.streamed)
        yield _Block(f"a surface for {each.root} {each.expiry}", rows)
    for each in held_vix:
        mine = legs[each.symbols[0][:_SERIES_LENGTH]]
        smile = view.smile(each.root, each.expiry)
        rows = completed_vix(Strikes.of(each, mine), mine, smile, view.streamed)
        yield _Block(f"a surface for {each.root} {each.expiry}", rows)
    for expiry in bought[:_HEDGE_MONTHS]:
        yield _Block(f"VX of {expiry}", (own[expiry].symbol,))
    layers = _calls_by_layer(series, bought, view, appetite)
    yield from layers[:1]
    entry = entry_series(series, view.session, appetite)
    if entry is not None:
        yield _Block(f"a condor of {entry.root} {entry.expiry}", _condor(entry, view, appetite))
    for expiry in bought:
        yield _Block(f"VX of {expiry}", (own[expiry].symbol,))
    yield from layers[1:]


def _condor(entry: SeriesRows, view: View, appetite: Appetite) -> list[str]:
    """Return the condor that would be sold, and what prices it."""
    strikes, smile = Strikes.of(entry), view.smile(entry.root, entry.expiry)
    legs = condor_legs(
        strikes,
        smile,
        short_delta=appetite.short_delta,
        net_vega=appetite.net_vega if appetite.is_one_by_one else None,
    )
    return [*legs, *completed_spx(strikes, legs, smile, view.streamed)]


def _calls_by_layer(
    series: Iterable[SeriesRows], months: Iterable[date], view: View, appetite: Appetite
) -> list[_Block]:
    """Return calls of the first expiry that each layer may buy, with their surfaces."""
    found = []
    usable = _vix_series(series, months, view, appetite)
    taken: set[date] = set()
    for layer, (first, last) in zip(_LAYERS, appetite.hedge_days, strict=True):
        for each in usable:
            days = (each.expiry - view.session).days
            # L1 reaches to the next expiry where none of its own can be held long enough
            if each.expiry in taken or (layer != "L1" and not first <= days <= last):
                continue
            taken.add(each.expiry)
            found.append(_Block(f"calls for {layer}", _calls(each, view, appetite)))
            break
    return found


def _vix_series(
    series: Iterable[SeriesRows], months: Iterable[date], view: View, appetite: Appetite
) -> list[SeriesRows]:
    """Return the VIX series that can be bought, soonest first."""
    expiries = frozenset(months)
    return [
        each
        for each in sorted(series, key=lambda each: (each.expiry, each.root))
        if ROOTS[each.root].underlying == "VIX"
        and each.expiry in expiries
        and (each.expiry - view.session).days >= appetite.call_days_min
    ]


def _calls(each: SeriesRows, view: View, appetite: Appetite) -> list[str]:
    strikes, smile = Strikes.of(each), view.smile(each.root, each.expiry)
    calls = hedge_calls(strikes, smile, appetite.call_deltas, view.streamed)
    return [*calls, *completed_vix(strikes, calls, smile, view.streamed)]


# --- beyond need ----------------------------------------------------------------------------------


def _more(
    series: Sequence[SeriesRows],
    futures: Sequence[FutureContract],
    view: View,
    held: Collection[str],
    appetite: Appetite,
) -> Iterator[str]:
    """Yield what is good to have: where to roll to, calls of other months, strikes, the rest."""
    months = sorted({each.expiry for each in futures if each.expiry > view.session})
    bought = months[: appetite.months]
    hedges = _vix_series(series, bought, view, appetite)
    entry = entry_series(series, view.session, appetite)
    for each in series:
        smile = view.smile(each.root, each.expiry)
        is_spx = ROOTS[each.root].underlying == "SPX"
        if is_spx and is_tested(Strikes.of(each), held, smile, appetite.tested_delta):
            yield from _condor(each, view, appetite)
    if entry is not None:
        yield from _strikes_around(entry, view, appetite)
    for each in hedges:
        yield from _calls(each, view, appetite)
    yield from (each.symbol for each in _by_expiry(futures) if each.expiry in bought)
    wanted = [
        each
        for each in series
        if appetite.wants(each.root, (each.expiry - view.session).days) and each not in hedges
    ]
    queues = [
        nearest_first(Strikes.of(each), view.smile(each.root, each.expiry), appetite.short_delta)
        for each in (*hedges, *sorted(wanted, key=lambda each: _far(each, view, appetite)))
    ]
    for rank in zip_longest(*queues):
        yield from (symbol for symbol in rank if symbol is not None)
    yield from INDEX_NAMES
    yield from (each.symbol for each in _by_expiry(futures))


def _strikes_around(entry: SeriesRows, view: View, appetite: Appetite) -> list[str]:
    """Return strikes beside those of a condor: its shorts move with the market."""
    strikes, smile = Strikes.of(entry), view.smile(entry.root, entry.expiry)
    ordered = nearest_first(strikes, smile, appetite.short_delta)
    return ordered[: 4 * _AROUND]


def _far(each: SeriesRows, view: View, appetite: Appetite) -> tuple[float, date, str]:
    days = (each.expiry - view.session).days
    is_spx = ROOTS[each.root].underlying == "SPX"
    return (abs(days - appetite.target_days) if is_spx else math.inf), each.expiry, each.root


def _by_expiry(futures: Iterable[FutureContract], last: str = "") -> list[FutureContract]:
    return sorted(futures, key=lambda each: (each.expiry, each.root == last, each.root))


def _by_need(symbol: str) -> tuple[bool, str, str]:
    """Order what is held: condors before hedges, what expires first before the rest."""
    is_spx = symbol[:6].rstrip() in ROOTS and ROOTS[symbol[:6].rstrip()].underlying == "SPX"
    return not is_spx, symbol[6:_SERIES_LENGTH], symbol
