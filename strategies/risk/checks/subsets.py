"""The worst that any subset of orders can do (I6), for up to ten orders by trying every one.

An exposure is a row of whole numbers: dollars at risk, contracts of this and that. Each order that
fills adds its own row. A measure weighs the columns, the size of those that count whichever way
they point and the value of the others. For more orders than are tried each column takes the side
on which its orders add up to more: never less than the worst subset, and more only where one order
adds to one column and takes from another.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from strategies.model.quotes import IntArray

ENUMERATED_MAX = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """How one column of an exposure counts."""

    weight: int = 1  # >= 0
    either_way: bool = False  # its size counts, else its value


def worst_of_any(
    columns: tuple[Column, ...],
    base: tuple[int, ...],
    orders: tuple[tuple[int, ...], ...],
    enumerated_max: int = ENUMERATED_MAX,
) -> int:
    """Return the highest measure of ``base`` with any subset of ``orders`` filled.

    Args:
        columns: How each column counts.
        base: What is there for certain, a number a column.
        orders: What each order adds if it fills, a number a column.
        enumerated_max: Of so many orders every subset is tried; of more, a bound is returned.
    """
    width = len(columns)
    weights = np.array([column.weight for column in columns], dtype=np.int64)
    either_way = np.array([column.either_way for column in columns])
    start = np.array(base, dtype=np.int64).reshape(width)
    effects = np.array(orders, dtype=np.int64).reshape(len(orders), width)
    if len(orders) <= enumerated_max:
        ends = start + _subsets(len(orders)) @ effects
        counted = np.where(either_way, np.abs(ends), ends)
        return int((counted @ weights).max())
    high = start + np.maximum(effects, 0).sum(axis=0)
    low = start + np.minimum(effects, 0).sum(axis=0)
    return int(np.where(either_way, np.maximum(high, -low), high) @ weights)


@lru_cache(maxsize=ENUMERATED_MAX + 1)
def _subsets(orders: int) -> IntArray:
    """Return every subset of so many orders as a row of zeros and ones, shape (2**n, n)."""
    numbers = np.arange(2**orders, dtype=np.int64)[:, None]
    return (numbers >> np.arange(orders, dtype=np.int64)) & 1
