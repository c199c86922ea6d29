"""Market snapshots as bytes and back, exact to the last bit of every float.

A snapshot is payloads, stored under the hash of their bytes: the market of one instant; the daily
history and the factors, which stay the same all session, cut into calendar years so that the next
session adds its own year and no other; and a list of those years. Each is a JSON header and then
columns. A column of
prices that are whole hundredths is kept as steps between neighbours in hundredths (they compress
to about a byte a price); any other column is kept as the floats themselves. Whether hundredths give
back the same bits is tried for each column, so nothing depends on where quotes came from. A column
that is unknown all year is left out.
"""

import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from functools import lru_cache
from hashlib import sha256
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from state.errors import StateError
from strategies.model.calendars import EXCHANGE_ZONE
from strategies.model.encoding import decode, encode
from strategies.model.instruments import FutureContract, parse_symbol
from strategies.model.overrides import Override
from strategies.model.quotes import FloatArray, FutureQuote, IndexValue, OptionChain, Series
from strategies.model.snapshots import (
    DailyHistory,
    EventAhead,
    EventKind,
    FactorSeries,
    MarketQuotes,
    MarketSnapshot,
)

_FORMAT = 1
_YEARS_FORMAT = 2
_HEADER_LENGTH_BYTES = 4
_HUNDREDTHS = "hundredths"
_FLOATS = "floats"
_LARGEST_STEP = 2**31 - 1
_NAN_BITS = int(np.array(np.nan).view(np.int64))
_HISTORY_COLUMNS = tuple(entry.name for entry in fields(DailyHistory) if entry.name != "session")


class UnreadableSnapshot(StateError):
    """Stored bytes that are not a snapshot in a format known here."""


@dataclass(frozen=True, slots=True)
class Payload:
    """Bytes and the hash that names them."""

    digest: str
    data: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Daily:
    """What stays the same all session."""

    history: DailyHistory
    factors: tuple[FactorSeries, ...]


def compress(data: bytes, level: int) -> bytes:
    """Return ``data`` as zlib stores it."""
    return zlib.compress(data, level)


def decompress(data: bytes) -> bytes:
    """Return what ``compress`` was given; raises UnreadableSnapshot."""
    try:
        return zlib.decompress(data)
    except zlib.error as cause:
        raise UnreadableSnapshot(f"stored bytes do not unpack: {cause}") from cause


def market_payload(snapshot: MarketSnapshot) -> Payload:
    """Return everything of a snapshot but its history and factors, as bytes under their hash."""
    market = snapshot.market
    columns = _Columns()
    header = {
        "format": _FORMAT,
        "session": snapshot.session.isoformat(),
        "opens_at": snapshot.opens_at.isoformat(),
        "closes_at": snapshot.closes_at.isoformat(),
        "is_early_close": bool(snapshot.is_early_close),
        "entry_due": bool(snapshot.entry_due),
        "at": market.at.isoformat(),
        "indices": {
            name: [float(index.value), index.quoted_at.isoformat()]
            for name, index in market.indices.items()
        },
        "futures": [_future_header(quote) for quote in market.futures],
        "spx": _chain_header(market.spx_options, columns),
        "vix": _chain_header(market.vix_options, columns),
        "rate": float(market.rate),
        "overrides": encode(snapshot.overrides),
        "events": None
        if snapshot.events is None
        else [
            [event.kind.value, event.day.isoformat(), int(event.trading_days)]
            for event in snapshot.events
        ],
    }
    return _payload(header, columns)


@lru_cache(maxsize=4)
def daily_payloads(
    history: DailyHistory, factors: tuple[FactorSeries, ...]
) -> tuple[tuple[Payload, ...], Payload]:
    """Return history and factors as bytes: calendar years, and the list that names them.

    Remembered by identity, because both are the same object all session.
    """
    columns = {name: getattr(history, name) for name in _HISTORY_COLUMNS}
    years = list(_years(history.session, columns))
    of_factors = []
    for factor in factors:
        theirs = list(_years(factor.day, {"value": factor.value}))
        of_factors.append([factor.name, factor.problem, [each.digest for each in theirs]])
        years += theirs
    own = len(years) - sum(len(digests) for _, _, digests in of_factors)
    header = {
        "format": _YEARS_FORMAT,
        "history": [each.digest for each in years[:own]],
        "factors": of_factors,
    }
    return tuple(years), _payload(header, _Columns())


def read_daily(listed: bytes, blob: Callable[[str], bytes]) -> Daily:
    """Return history and factors from the list of their years.

    Args:
        listed: The list of ``daily_payloads``.
        blob: Gives the year of a digest.

    Raises: UnreadableSnapshot.
    """
    header, _ = _open(listed, _YEARS_FORMAT)
    days, columns = _joined([blob(digest) for digest in header["history"]], _HISTORY_COLUMNS)
    factors = []
    for name, problem, digests in header["factors"]:
        own_days, own = _joined([blob(digest) for digest in digests], ("value",))
        factors.append(FactorSeries(name=name, day=own_days, value=own["value"], problem=problem))
    return Daily(DailyHistory(session=days, **columns), tuple(factors))


def _years(days: NDArray[np.datetime64], columns: dict[str, FloatArray]) -> Iterator[Payload]:
    """Yield the rows of each calendar year as a payload, oldest first."""
    days = days.astype("datetime64[D]")
    _, starts = np.unique(days.astype("datetime64[Y]"), return_index=True)
    for start, stop in pairwise([*starts.tolist(), len(days)]):
        body = _Columns()
        header: dict[str, Any] = {
            "format": _FORMAT,
            "session": body.add(days[start:stop].astype(np.int64).astype(np.float64)),
        }
        for name, column in columns.items():
            values = np.ascontiguousarray(column[start:stop], dtype=np.float64)
            if (values.view(np.int64) != _NAN_BITS).any():
                header[name] = body.add(values)
        yield _payload(header, body)


def _joined(
    years: list[bytes], names: tuple[str, ...]
) -> tuple[NDArray[np.datetime64], dict[str, FloatArray]]:
    """Return days and columns of consecutive years; a column that a year lacks is NaN there."""
    days = [np.empty(0)]
    columns: dict[str, list[FloatArray]] = {name: [np.empty(0)] for name in names}
    for data in years:
        header, body = _open(data, _FORMAT)
        days.append(_column(header["session"], body))
        for name, parts in columns.items():
            known = name in header
            parts.append(_column(header[name], body) if known else np.full(len(days[-1]), np.nan))
    joined = np.concatenate(days).astype(np.int64).astype("datetime64[D]")
    return joined, {name: np.concatenate(parts) for name, parts in columns.items()}


def read_snapshot(market: bytes, daily: Daily) -> MarketSnapshot:
    """Return the snapshot of a market payload and its session's days.

    Raises: UnreadableSnapshot.
    """
    header, body = _open(market, _FORMAT)
    return MarketSnapshot(
        session=date.fromisoformat(header["session"]),
        opens_at=_instant(header["opens_at"]),
        closes_at=_instant(header["closes_at"]),
        is_early_close=header["is_early_close"],
        entry_due=header["entry_due"],
        market=MarketQuotes(
            at=_instant(header["at"]),
            indices={
                name: IndexValue(value=value, quoted_at=_instant(quoted_at))
                for name, (value, quoted_at) in header["indices"].items()
            },
            futures=tuple(_future(row) for row in header["futures"]),
            spx_options=_chain(header["spx"], body),
            vix_options=_chain(header["vix"], body),
            rate=header["rate"],
        ),
        events=None
        if header["events"] is None
        else tuple(
            EventAhead(kind=EventKind(kind), day=date.fromisoformat(day), trading_days=days)
            for kind, day, days in header["events"]
        ),
        history=daily.history,
        factors=daily.factors,
        overrides=decode(tuple[Override, ...], header["overrides"]),
    )


class _Columns:
    """Columns one after the other, each with the header entry that finds it again."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self._length = 0

    def add(self, column: FloatArray) -> list[Any]:
        """Append a column; return [coding, offset, count]."""
        values = np.ascontiguousarray(column, dtype=np.float64)
        steps = _hundredth_steps(values)
        coding = _FLOATS if steps is None else _HUNDREDTHS
        part = _shuffled(values if steps is None else steps)
        entry = [coding, self._length, len(values)]
        self.parts.append(part)
        self._length += len(part)
        return entry


def _hundredth_steps(values: FloatArray) -> NDArray[np.int32] | None:
    if not np.isfinite(values).all() or (np.abs(values) >= _LARGEST_STEP / 400).any():
        return None
    ticks = np.rint(values * 100).astype(np.int32)
    # Tried on the whole numbers that are stored: they have no -0.0
    exact: bool = bool(((ticks / 100).view(np.int64) == values.view(np.int64)).all())
    if not exact:
        return None
    steps = ticks.copy()
    steps[1:] -= ticks[:-1]
    return steps


def _shuffled(values: FloatArray | NDArray[np.int32]) -> bytes:
    """Return all first bytes, then all second bytes, and so on: like goes to like."""
    planes = values.view(np.uint8).reshape(len(values), values.itemsize)
    return planes.T.tobytes()


def _column(entry: list[Any], body: memoryview) -> FloatArray:
    coding, offset, count = entry
    itemsize = 8 if coding == _FLOATS else 4
    planes = np.frombuffer(body, np.uint8, count * itemsize, offset).reshape(itemsize, count)
    data = np.ascontiguousarray(planes.T)
    if coding == _FLOATS:
        return data.view(np.float64).reshape(count)
    if coding == _HUNDREDTHS:
        return np.cumsum(data.view(np.int32).reshape(count), dtype=np.int64) / 100
    raise UnreadableSnapshot(f"unknown column coding {coding!r}")


def _payload(header: dict[str, Any], columns: _Columns) -> Payload:
    text = json.dumps(header, separators=(",", ":")).encode()
    data = b"".join((len(text).to_bytes(_HEADER_LENGTH_BYTES, "big"), text, *columns.parts))
    return Payload(sha256(data).hexdigest(), data)


def _open(data: bytes, known: int) -> tuple[dict[str, Any], memoryview]:
    length = int.from_bytes(data[:_HEADER_LENGTH_BYTES], "big")
    start = _HEADER_LENGTH_BYTES + length
    try:
        header: dict[str, Any] = json.loads(data[_HEADER_LENGTH_BYTES:start])
    except ValueError as cause:
        raise UnreadableSnapshot(f"the header is not JSON: {cause}") from cause
    if header.get("format") != known:
        raise UnreadableSnapshot(f"format {header.get('format')!r}, expected {known}")
    return header, memoryview(data)[start:]


def _instant(text: str) -> datetime:
    """Return an instant in the zone it came from: UTC where it was UTC, else the exchange's."""
    at = datetime.fromisoformat(text)
    return at.astimezone(EXCHANGE_ZONE if at.utcoffset() else UTC)


def _future_header(quote: FutureQuote) -> list[Any]:
    return [
        quote.contract.symbol,
        float(quote.bid),
        float(quote.ask),
        float(quote.prior_settle),
        quote.last_trade_at.isoformat(),
        quote.settles_at.isoformat(),
        quote.quoted_at.isoformat(),
    ]


def _future(row: list[Any]) -> FutureQuote:
    contract = parse_symbol(row[0])
    if not isinstance(contract, FutureContract):
        raise UnreadableSnapshot(f"{row[0]!r} is not a future")
    return FutureQuote(
        contract=contract,
        bid=row[1],
        ask=row[2],
        prior_settle=row[3],
        last_trade_at=_instant(row[4]),
        settles_at=_instant(row[5]),
        quoted_at=_instant(row[6]),
    )


def _chain_header(chain: OptionChain, columns: _Columns) -> dict[str, Any]:
    return {
        "underlying": chain.underlying,
        "quoted_at": chain.quoted_at.isoformat(),
        "series": [
            [
                series.root,
                series.expiry.isoformat(),
                series.last_trade_at.isoformat(),
                series.settles_at.isoformat(),
            ]
            for series in chain.series
        ],
        "row_starts": chain.row_starts.tolist(),
        "strike": columns.add(chain.strike),
        "bid": [columns.add(chain.bid[:, 0]), columns.add(chain.bid[:, 1])],
        "ask": [columns.add(chain.ask[:, 0]), columns.add(chain.ask[:, 1])],
    }


def _chain(header: dict[str, Any], body: memoryview) -> OptionChain:
    starts = np.asarray(header["row_starts"], dtype=np.int64)
    sizes = starts[1:] - starts[:-1]
    return OptionChain(
        underlying=header["underlying"],
        series=tuple(
            Series(
                root=root,
                expiry=date.fromisoformat(expiry),
                last_trade_at=_instant(last_trade_at),
                settles_at=_instant(settles_at),
            )
            for root, expiry, last_trade_at, settles_at in header["series"]
        ),
        series_index=np.repeat(np.arange(len(sizes), dtype=np.int64), sizes),
        strike=_column(header["strike"], body),
        bid=np.stack([_column(entry, body) for entry in header["bid"]], axis=1),
        ask=np.stack([_column(entry, body) for entry in header["ask"]], axis=1),
        quoted_at=_instant(header["quoted_at"]),
    )
