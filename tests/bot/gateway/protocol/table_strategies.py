"""Values for any table of the protocol, made from the table itself.

Hypothesis draws a handful of values of each kind; the fields of a message take them in turn. That
is as hard on a codec as drawing each of 140 fields, and a hundred times faster.
"""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from bot.gateway.protocol.layouts import Constant, Field, Group, Item, Layout, Maybe, Values, When
from bot.gateway.protocol.primitives import (
    UNSET_DECIMAL,
    UNSET_DOUBLE,
    UNSET_INT,
    UNSET_LONG,
    Kind,
)

_UNSET_INTEGERS = {int(UNSET_INT), int(UNSET_LONG), int(UNSET_DECIMAL)}
_UNSET_REAL = float(UNSET_DOUBLE)
_SPELLINGS_OF_UNSET = {"", UNSET_DOUBLE, UNSET_INT, UNSET_LONG, UNSET_DECIMAL}

_TEXTS = st.text(
    st.characters(blacklist_characters="\0", blacklist_categories=("Cs",)), max_size=12
)
_INTEGERS = st.integers(-(10**12), 10**12).filter(lambda value: value not in _UNSET_INTEGERS)
_REALS = st.floats(allow_nan=False, allow_infinity=False).filter(lambda x: x != _UNSET_REAL)
_PRICES = st.decimals(-(10**9), 10**9, places=4).map(lambda value: value + Decimal(0))
_DECIDING: dict[str, tuple[Any, ...]] = {  # by them other fields are there or not
    "secType": ("BAG", "OPT", "IND"),
    "orderType": ("LMT", "PEG BENCH", "PEG BEST", "PEG MID", "MKT"),
    "exchange": ("SMART", "IBKRATS", ""),
    "type": (1, 3, 4, 5, 6, 7),
    "competeAgainstBestOffset": (Decimal("Infinity"), Decimal("0.05"), None),
}


@dataclass(frozen=True)
class _Pools:
    texts: Iterator[str]
    integers: Iterator[int]
    reals: Iterator[float]
    prices: Iterator[Decimal]
    choices: Iterator[int]

    def pick(self, options: tuple[Any, ...]) -> Any:
        return options[next(self.choices) % len(options)]


def _turns(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Iterator[Any]]:
    return st.lists(strategy, min_size=1, max_size=5).map(itertools.cycle)


@st.composite
def values_of(draw: st.DrawFn, layout: Layout, version: int) -> dict[str, Any]:
    """Return values for every field the table has at ``version``."""
    pools = _Pools(
        texts=draw(_turns(_TEXTS)),
        integers=draw(_turns(_INTEGERS)),
        reals=draw(_turns(_REALS)),
        prices=draw(_turns(_PRICES)),
        choices=draw(_turns(st.integers(0, 59))),
    )
    return _values(pools, layout.items, version, layout.kind, {})


def _values(
    pools: _Pools, items: Iterable[Item], version: int, kind: str, values: dict[str, Any]
) -> dict[str, Any]:
    for item in items:
        if not item.since <= version <= item.until:
            continue
        match item:
            case Constant():
                pass
            case Field():
                values[item.name] = _value(pools, item, kind)
            case Group():
                values[item.name] = tuple(
                    _values(pools, item.items, version, kind, {})
                    for _ in range(next(pools.choices) % 4)
                )
            case Values():
                count = next(pools.choices) % 4
                values[item.name] = tuple(_of_kind(pools, item.kind) for _ in range(count))
            case Maybe():
                there = next(pools.choices) % 2
                values[item.name] = _values(pools, item.items, version, kind, {}) if there else None
            case When():
                if item.test(values[item.name]):
                    _values(pools, item.items, version, kind, values)
    return values


def _value(pools: _Pools, field: Field, kind: str) -> Any:
    if kind == "tickByTick" and field.name == "tickType":
        return pools.pick((1, 2, 3, 4))
    if field.name in _DECIDING:
        return pools.pick(_DECIDING[field.name])
    return _of_kind(pools, field.kind)


def _of_kind(pools: _Pools, kind: Kind) -> Any:
    if kind.name == "text":
        return next(pools.texts)
    if kind.unset in _SPELLINGS_OF_UNSET and next(pools.choices) % 3 == 0:
        return None
    match kind.name:
        case "0 or 1":
            return next(pools.choices) % 2 == 1
        case "a whole number":
            return next(pools.integers)
        case "a number":
            return next(pools.reals)
        case _:
            return next(pools.prices)
