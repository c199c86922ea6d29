"""Market snapshots as bytes and back, exact to the last bit of every float.

A snapshot is two payloads, stored under the hash of their bytes: the market of one instant, and the
daily history, which stays the same all session. Each is a JSON header and then columns. A column of
prices that are whole hundredths is kept as steps between neighbours in hundredths (they compress
to about a byte a price); any other column is kept as the floats themselves. Whether hundredths give
back the same bits is tried for each column, so nothing depends on where quotes came from.
"""

import json
import zlib
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from state.errors import StateError
from strategies.model.calendars import EXCHANGE_ZONE
from strategies.model.instruments import FutureContract, parse_symbol
from strategies.model.quotes import FloatArray, FutureQuote, IndexValue, OptionChain, Series
from strategies.model.snapshots import (
    DailyHistory,
    EventAhead,
    EventKind,
    MarketQuotes,
    MarketSnapshot,
)

_FORMAT = 1
_HEADER_LENGTH_BYTES = 4
_HUNDREDTHS = "hundredths"
_FLOATS = "floats"
_LARGEST_STEP = 2**31 - 1
_HISTORY_COLUMNS = tuple(entry.name for entry in fields(DailyHistory) if entry.name != "session")


class UnreadableSnapshot(StateError):
    """Stored bytes that are not a snapshot in a format known here."""


@dataclass(frozen=True, slots=True)
class Payload:
    """Bytes and the hash that names them."""

    digest: str
    data: bytes


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
    """Return everything of a snapshot but its daily history, as bytes under their hash."""
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
        "events": None
        if snapshot.events is None
        else [
            [event.kind.value, event.day.isoformat(), int(event.trading_days)]
            for event in snapshot.events
        ],
    }
    return _payload(header, columns)


def history_payload(history: DailyHistory) -> Payload:
    """Return the daily history of a snapshot, as bytes under their hash."""
    columns = _Columns()
    sessions = history.session.astype("datetime64[D]").astype(np.int64)
    header: dict[str, Any] = {
        "format": _FORMAT,
        "session": columns.add(sessions.astype(np.float64)),
        **{name: columns.add(getattr(history, name)) for name in _HISTORY_COLUMNS},
    }
    return _payload(header, columns)


def read_snapshot(market: bytes, history: bytes) -> MarketSnapshot:
    """Return the snapshot of two payloads; raises UnreadableSnapshot."""
    header, body = _open(market)
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
        history=_history(history),
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


def _open(data: bytes) -> tuple[dict[str, Any], memoryview]:
    length = int.from_bytes(data[:_HEADER_LENGTH_BYTES], "big")
    start = _HEADER_LENGTH_BYTES + length
    try:
        header: dict[str, Any] = json.loads(data[_HEADER_LENGTH_BYTES:start])
    except ValueError as cause:
        raise UnreadableSnapshot(f"the header is not JSON: {cause}") from cause
    if header.get("format") != _FORMAT:
        raise UnreadableSnapshot(f"format {header.get('format')!r}, known is {_FORMAT}")
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


def _history(data: bytes) -> DailyHistory:
    header, body = _open(data)
    sessions = _column(header["session"], body).astype(np.int64).astype("datetime64[D]")
    return DailyHistory(
        session=sessions, **{name: _column(header[name], body) for name in _HISTORY_COLUMNS}
    )
