"""Which instruments to stream where a login pays for a limited number of lines.

Everything is put in one order of importance, and as many are streamed as there are lines; with
more lines come more instruments and none goes. Pure: what the rules look at comes as an argument.
"""

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain, zip_longest
from statistics import NormalDist
from typing import Final, NamedTuple

from bot.brokers.ib.contracts import INDEX_NAMES
from strategies.model.instruments import ROOTS, FutureContract

# Lines of IB's smallest package, what one login streams at once
USUAL_LINES: Final = 100
_NEAR_MONTHS: Final = 5  # futures beyond are hardly traded; they come last
# Puts trade above the VIX and calls below it: how far a delta lies out, beside a flat smile
_PUT_SKEW: Final = 1.25
_CALL_SKEW: Final = 0.70
_LEAST_DAYS: Final = 1.0
_STRIKE_AT: Final = 13  # in an OCC symbol; the right stands before it


class SeriesRows(NamedTuple):
    """The listed options of one root and expiry, as OCC symbols."""

    root: str
    expiry: date
    symbols: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Appetite:
    """What the rules may look at, from their own values."""

    condor_days: tuple[int, int]  # to expiry, both included
    short_deltas: tuple[float, ...]  # absolute, of the sold legs
    wing_points: tuple[float, ...]  # from the sold to the bought legs
    hedge_days: tuple[tuple[int, int], ...]  # tenor buckets of VIX calls, both included
    hedge_moneyness: tuple[float, ...]  # strikes of VIX calls over the VIX

    def wants(self, root: str, days: int) -> bool:
        """Return whether a series so many days from its expiry may be of interest."""
        if ROOTS[root].underlying == "SPX":
            return self.condor_days[0] <= days <= self.condor_days[1]
        return any(first <= days <= last for first, last in self.hedge_days)


class _Target(NamedTuple):
    right: str
    strike: float


def choose(
    series: Sequence[SeriesRows],
    futures: Sequence[FutureContract],
    *,
    session: date,
    spx: float,
    vix: float,
    held: Iterable[str],
    working: Iterable[str],
    appetite: Appetite,
    lines: int | None,
) -> tuple[str, ...]:
    """Return the names and symbols to stream, most important first.

    Args:
        series: The listed options.
        futures: The listed futures.
        session: Today.
        spx: Index level.
        vix: Index level.
        held: Symbols of open positions; they come before everything.
        working: Symbols of legs at work; they come next.
        appetite: What the rules may look at.
        lines: How many may be streamed; None = everything that is listed, and what is held.
    """
    by_expiry = sorted(futures, key=lambda each: (each.expiry, each.root))
    months = sorted({each.expiry for each in by_expiry})[:_NEAR_MONTHS]
    near = [each.symbol for each in by_expiry if each.expiry in months]
    far = [each.symbol for each in by_expiry if each.expiry not in months]
    first = chain(sorted(held), sorted(working), INDEX_NAMES, near)
    if lines is None:
        rows = chain.from_iterable(each.symbols for each in series)
        return tuple(dict.fromkeys(chain(first, far, rows)))
    ranked = _ranked(series, session=session, spx=spx, vix=vix, appetite=appetite)
    return tuple(dict.fromkeys(chain(first, ranked, far)))[:lines]


def _ranked(
    series: Sequence[SeriesRows], *, session: date, spx: float, vix: float, appetite: Appetite
) -> Iterator[str]:
    """Yield options: the one nearest to every target of every series, then the next nearest."""
    queues = []
    for each in _by_interest(series, session, appetite):
        days = max((each.expiry - session).days, _LEAST_DAYS)
        is_spx = ROOTS[each.root].underlying == "SPX"
        targets = _condor_targets(spx, vix, days, appetite) if is_spx else _calls(vix, appetite)
        queues += [_nearest(each.symbols, target) for target in targets]
    for rank in zip_longest(*queues):
        yield from (symbol for symbol in rank if symbol is not None)


def _by_interest(
    series: Iterable[SeriesRows], session: date, appetite: Appetite
) -> list[SeriesRows]:
    middle = sum(appetite.condor_days) / 2

    def interest(each: SeriesRows) -> tuple[float, date, str]:
        days = (each.expiry - session).days
        away = abs(days - middle) if ROOTS[each.root].underlying == "SPX" else 0.0
        return away, each.expiry, each.root

    wanted = (each for each in series if appetite.wants(each.root, (each.expiry - session).days))
    return sorted(wanted, key=interest)


def _condor_targets(spx: float, vix: float, days: float, appetite: Appetite) -> list[_Target]:
    """Return the sold legs, the bought ones, and a pair at the money, which tells the forward."""
    deviation = vix / 100.0 * math.sqrt(days / 365.0)
    quantile = NormalDist().inv_cdf
    targets = []
    for delta in appetite.short_deltas:
        out = -quantile(delta) * deviation
        put = spx * math.exp(-_PUT_SKEW * out)
        call = spx * math.exp(_CALL_SKEW * out)
        targets += [_Target("P", put), _Target("C", call)]
        for points in appetite.wing_points:
            targets += [_Target("P", put - points), _Target("C", call + points)]
    return [_Target("P", spx), _Target("C", spx), *targets]


def _calls(vix: float, appetite: Appetite) -> list[_Target]:
    return [_Target("C", vix * share) for share in appetite.hedge_moneyness]


def _nearest(symbols: Collection[str], target: _Target) -> list[str]:
    of_right = [each for each in symbols if each[_STRIKE_AT - 1] == target.right]
    thousandths = target.strike * 1000

    def distance(symbol: str) -> tuple[float, int]:
        strike = int(symbol[_STRIKE_AT:])
        return abs(strike - thousandths), strike

    return sorted(of_right, key=distance)
