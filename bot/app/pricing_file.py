"""A file of option quotes in, the same quotes with implied vol and greeks out.

Columns: forward, strike, right (C or P), years (to expiry, of 365 days), rate (continuously
compounded, decimal a year), and either price or both bid and ask, of which the mid is taken.
Further columns are kept as they are. Added: iv (decimal), delta (per forward point, discounted),
gamma, vega (points per vol point), theta (points per calendar day).
"""

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from strategies.model.quotes import BoolArray, FloatArray
from strategies.pricing.black76 import greeks
from strategies.pricing.implied_vol import implied_vol

ADDED = ("iv", "delta", "gamma", "vega", "theta")
PROBLEMS_SHOWN = 20
NUMERIC = ("forward", "strike", "years", "rate", "price", "bid", "ask")
_NEEDED = ("forward", "strike", "right", "years", "rate")
_RIGHTS = {"C": True, "CALL": True, "P": False, "PUT": False}
_RATE_MAX = 1.0  # 100 % a year; more is percent where a decimal was meant


class QuoteFileInvalid(Exception):
    """Rows that cannot be priced, each with its line and column."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        shown = list(self.problems[:PROBLEMS_SHOWN])
        if len(self.problems) > PROBLEMS_SHOWN:
            shown.append(f"... and {len(self.problems) - PROBLEMS_SHOWN} more")
        super().__init__("\n".join(shown))


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteRows:
    """The rows of a quote file, as text and as numbers; arrays have shape (n,)."""

    columns: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]
    forward: FloatArray
    strike: FloatArray
    is_call: BoolArray
    years: FloatArray
    rate: FloatArray
    price: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedRows:
    """Quotes with what was added; None where no vol explains the price."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str | float | None, ...], ...]
    unpriced: tuple[int, ...]  # row numbers from 1 whose price no vol explains


def read_quotes(lines: Iterable[str], label: str) -> QuoteRows:
    """Return the quotes of a CSV; ``label`` is what errors call the file.

    Raises: QuoteFileInvalid with every bad cell.
    """
    reader = csv.reader(lines)
    header = tuple(name.strip().lower() for name in next(reader, []))
    problems = _header_problems(header, label)
    if problems:
        raise QuoteFileInvalid(problems)
    has_price = "price" in header
    unused = {"bid", "ask"} if has_price else {"price"}
    numeric = [name for name in NUMERIC if name not in unused]
    values: dict[str, list[float]] = {name: [] for name in numeric}
    is_call: list[bool] = []
    cells: list[tuple[str, ...]] = []
    for row in reader:
        if not any(cell.strip() for cell in row):
            continue
        place = f"{label}:{reader.line_num}"
        if len(row) != len(header):
            problems.append(f"{place}:1: expected {len(header)} cells, found {len(row)}")
            continue
        found = _read_row(dict(zip(header, row, strict=True)), numeric, header, place, problems)
        cells.append(tuple(cell.strip() for cell in row))
        is_call.append(_RIGHTS.get(row[header.index("right")].strip().upper(), False))
        for name in numeric:
            values[name].append(found[name])
    if problems:
        raise QuoteFileInvalid(problems)
    columns = {name: np.array(column, dtype=np.float64) for name, column in values.items()}
    return QuoteRows(
        columns=header,
        cells=tuple(cells),
        forward=columns["forward"],
        strike=columns["strike"],
        is_call=np.array(is_call, dtype=np.bool_),
        years=columns["years"],
        rate=columns["rate"],
        price=columns["price"] if has_price else (columns["bid"] + columns["ask"]) / 2,
    )


def _header_problems(header: Sequence[str], label: str) -> list[str]:
    if not any(header):
        return [f"{label}:1:1: empty; expected a header line with {', '.join(_NEEDED)}, ..."]
    missing = [name for name in _NEEDED if name not in header]
    problems = [f"{label}:1:1: column {name!r} is missing" for name in missing]
    if "price" not in header and not {"bid", "ask"} <= set(header):
        problems.append(f"{label}:1:1: column 'price' is missing, or both 'bid' and 'ask'")
    twice = sorted({name for name in header if header.count(name) > 1})
    problems += [f"{label}:1:1: column {name!r} stands twice" for name in twice]
    taken = [name for name in ADDED if name in header]
    return problems + [
        f"{label}:1:1: column {name!r} would be added, and is there" for name in taken
    ]


_CHECKS: dict[str, tuple[Callable[[float], bool], str]] = {
    "forward": (lambda value: value > 0, "a number above 0"),
    "strike": (lambda value: value > 0, "a number above 0"),
    "years": (lambda value: value > 0, "years to expiry above 0"),
    "rate": (lambda value: abs(value) <= _RATE_MAX, "a decimal rate such as 0.045"),
    "price": (lambda value: value >= 0, "a price of 0 or more"),
    "bid": (lambda value: value >= 0, "a price of 0 or more"),
    "ask": (lambda value: value >= 0, "a price of 0 or more"),
}


def _read_row(
    row: dict[str, str],
    numeric: Sequence[str],
    header: Sequence[str],
    place: str,
    problems: list[str],
) -> dict[str, float]:
    found: dict[str, float] = {}
    for column, name in enumerate(header, start=1):
        text = row[name].strip()
        message = ""
        if name == "right" and text.upper() not in _RIGHTS:
            message = f"expected C or P, found {text!r}"
        elif name in numeric:
            check, expected = _CHECKS[name]
            value = _parse(text)
            if value is None or not np.isfinite(value) or not check(value):
                message = f"expected {expected}, found {text!r}"
            found[name] = np.nan if value is None else value
        if message:
            problems.append(f"{place}:{column}: {name}: {message}")
    if "bid" in found and found["bid"] > found["ask"]:
        column = header.index("bid") + 1
        problems.append(f"{place}:{column}: bid: {row['bid']} is above the ask, {row['ask']}")
    return found


def _parse(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def price_quotes(quotes: QuoteRows) -> PricedRows:
    """Return the quotes with implied vol and greeks."""
    discount = np.exp(-quotes.rate * quotes.years)
    vols = implied_vol(
        quotes.price, quotes.forward, quotes.strike, quotes.years, discount, quotes.is_call
    )
    found = greeks(
        quotes.forward, quotes.strike, quotes.years, vols.vol, discount, quotes.is_call, quotes.rate
    )
    added = np.column_stack([vols.vol, found.delta, found.gamma, found.vega, found.theta])
    rows = [
        (*cells, *(numbers.tolist() if ok else [None] * len(ADDED)))
        for cells, numbers, ok in zip(quotes.cells, added, vols.ok, strict=True)
    ]
    return PricedRows(
        columns=(*quotes.columns, *ADDED),
        rows=tuple(rows),
        unpriced=tuple((np.flatnonzero(~vols.ok) + 1).tolist()),
    )
