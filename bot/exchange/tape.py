"""A market that is taken down as it is seen: real quotes for the exchange, and none besides.

A tape is an append-only file of what was read and when. An exchange that trades on it asks the same
questions after a restart and gets the same answers, so nothing may be added to the past: whoever
records does so at instants the exchange has not passed.
"""

import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from bot.errors import HaltTrading, MarketDataMissing
from bot.exchange.journal import cut_torn_line
from bot.exchange.market import DailyBars
from bot.exchange.settlement import instants_of
from bot.ports import DailyCloses
from strategies.model.calendars import TradingCalendar
from strategies.model.expiries import series_instants
from strategies.model.instruments import FutureContract, Instrument, OptionContract, Right
from strategies.model.quotes import IndexValue, OptionChain, Quote
from strategies.model.snapshots import DailyHistory, MarketQuotes

_VERSION = 1
_NOBODY = (0.0, 0.0)


class TapeUnusable(HaltTrading):
    """The tape is damaged, of another account, or at its end."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(
            f"{path}: {why}; to begin anew use another --state-dir, or remove this file, the "
            "exchange's journal and the database's files beside it"
        )


class Tape:
    """What was seen, by name and instant; kept in a file."""

    def __init__(self, path: Path, *, account_id: str, first: date, last: date) -> None:
        """Open a tape, or begin one.

        Args:
            path: The file.
            account_id: Whose it is.
            first: The first session of a tape that is begun; one that is there has its own.
            last: The last session of a tape that is begun.

        Raises: TapeUnusable.
        """
        self._path = path
        self._seen: dict[str, list[tuple[datetime, tuple[float, float]]]] = defaultdict(list)
        self._levels: dict[str, list[tuple[datetime, float]]] = defaultdict(list)
        self.last_at: datetime | None = None  # nothing before it, or at it, is added
        lines = cut_torn_line(path)
        if not lines:
            self.first_session, self.last_session = first, last
            path.parent.mkdir(parents=True, exist_ok=True)
            begin = {"version": _VERSION, "account": account_id}
            self._write(begin | {"first": first.isoformat(), "last": last.isoformat()})
            return
        try:
            header, *entries = [json.loads(line) for line in lines]
            wanted = {"version": _VERSION, "account": account_id}
            if {key: header.get(key) for key in wanted} != wanted:
                raise TapeUnusable(path, f"no tape of {account_id}, version {_VERSION}")
            self.first_session = date.fromisoformat(header["first"])
            self.last_session = date.fromisoformat(header["last"])
            for entry in entries:
                self._take(datetime.fromisoformat(entry["at"]), entry["quotes"], entry["indices"])
        except (ValueError, KeyError, TypeError, AttributeError) as cause:
            raise TapeUnusable(path, f"damaged: {cause!r}") from cause

    @property
    def name(self) -> str:
        """What a journal of the exchange calls the market."""
        return f"Tape {self.first_session}..{self.last_session}"

    def record(
        self, at: datetime, quotes: Mapping[str, Quote], indices: Mapping[str, float]
    ) -> None:
        """Write down what is true at an instant, before anybody acts on it.

        Args:
            at: Later than everything on the tape.
            quotes: By symbol; bid and ask 0 where nobody quotes an instrument.
            indices: Levels by name.
        """
        assert self.last_at is None or at > self.last_at, "a tape is not added to in the past"
        prices = {symbol: (quote.bid, quote.ask) for symbol, quote in quotes.items()}
        at = at.astimezone(UTC)
        self._write({"at": at.isoformat(), "quotes": prices, "indices": dict(indices)})
        self._take(at, prices, indices)

    def quote(self, symbol: str, at: datetime, stands: timedelta | None) -> Quote | None:
        """Return the newest quote up to an instant.

        Args:
            symbol: Of the instrument.
            at: The instant.
            stands: How long a quote is good for; None = until another is seen.
        """
        seen = self._seen.get(symbol, [])
        index = bisect_right(seen, at, key=lambda each: each[0]) - 1
        if index < 0:
            return None
        seen_at, (bid, ask) = seen[index]
        if (bid, ask) == _NOBODY or (stands is not None and at - seen_at >= stands):
            return None
        return Quote(bid=bid, ask=ask, quoted_at=seen_at)

    def level(self, name: str, at: datetime) -> IndexValue | None:
        """Return the newest print of an index up to an instant."""
        seen = self._levels.get(name, [])
        index = bisect_right(seen, at, key=lambda each: each[0]) - 1
        return None if index < 0 else IndexValue(value=seen[index][1], quoted_at=seen[index][0])

    def names(self) -> tuple[str, ...]:
        """Return the indices that were ever seen."""
        return tuple(self._levels)

    def _take(
        self,
        at: datetime,
        quotes: Mapping[str, tuple[float, float]],
        indices: Mapping[str, float],
    ) -> None:
        for symbol, (bid, ask) in quotes.items():
            self._seen[symbol].append((at, (bid, ask)))
        for name, value in indices.items():
            self._levels[name].append((at, value))
        self.last_at = at

    def _write(self, fields: Mapping[str, Any]) -> None:
        with self._path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(fields, separators=(",", ":"), allow_nan=False) + "\n")


class TapeMarket:
    """A Market of what a tape holds; see ``bot.exchange.market.Market`` for the questions.

    It knows no settlement values: the exchange is told those as they are published.
    """

    def __init__(self, tape: Tape, calendar: TradingCalendar, stands: timedelta | None) -> None:
        """Read from ``tape``; a quote is good for ``stands``, None: until another is seen."""
        self._tape = tape
        self._stands = stands
        self.calendar = calendar

    @property
    def first_session(self) -> date:
        """The session the tape began with."""
        return self._tape.first_session

    @property
    def last_session(self) -> date:
        """The last session the tape may be used for."""
        return self._tape.last_session

    def quotes_at(self, at: datetime, extra: Collection[OptionContract] = ()) -> MarketQuotes:
        """Return indices, and the quotes of ``extra``: what else is there nobody wrote down."""
        levels = {name: self._tape.level(name, at) for name in self._tape.names()}
        return MarketQuotes(
            at=at,
            indices={name: level for name, level in levels.items() if level is not None},
            futures=(),
            spx_options=self._chain("SPX", extra, at),
            vix_options=self._chain("VIX", extra, at),
            rate=0.0,
        )

    def quote(self, instrument: Instrument, at: datetime) -> Quote | None:
        """Return a quote on the tape; None where there is none, whoever may quote it."""
        if at >= instants_of(instrument, self.calendar).last_trade_at:
            return None
        return self._tape.quote(instrument.symbol, at, self._stands)

    def index_at(self, name: str, at: datetime) -> float:
        """Return the newest print on the tape; raises MarketDataMissing."""
        level = self._tape.level(name, at)
        if level is None:
            raise MarketDataMissing(f"{name} was not seen before {at.isoformat()}")
        return level.value

    def settlement_value(self, instrument: Instrument) -> float:
        """Raise MarketDataMissing: the exchange is told."""
        raise MarketDataMissing(f"what {instrument} settles to is told when it is published")

    def daily_settle(self, contract: FutureContract, session: date) -> float:
        """Raise MarketDataMissing: the exchange is told."""
        raise MarketDataMissing(f"the settlement of {contract} on {session} is told, not quoted")

    def history(self, before: date) -> DailyHistory:
        """Raise MarketDataMissing: a tape has no past."""
        raise MarketDataMissing(f"no history before {before} on a tape")

    def closes(self, name: str, before: date) -> DailyCloses | None:  # noqa: ARG002 the protocol's
        """Return None: a tape has no past."""
        return None

    def daily_bars(self, name: str, before: date) -> DailyBars | None:  # noqa: ARG002 the protocol's
        """Return None: a tape has no past."""
        return None

    def _chain(
        self, underlying: str, options: Collection[OptionContract], at: datetime
    ) -> OptionChain:
        quotes = {each: self.quote(each, at) for each in options if each.underlying == underlying}
        rows = sorted({(each.expiry, each.root, float(each.strike)) for each in quotes})
        keys = sorted({(expiry, root) for expiry, root, _ in rows})
        bid, ask = np.zeros((len(rows), 2)), np.zeros((len(rows), 2))
        for option, quote in quotes.items():
            row = rows.index((option.expiry, option.root, float(option.strike)))
            column = 0 if option.right is Right.PUT else 1
            if quote is not None:
                bid[row, column], ask[row, column] = quote.bid, quote.ask
        return OptionChain(
            underlying=underlying,
            series=tuple(series_instants(root, expiry, self.calendar) for expiry, root in keys),
            series_index=np.array([keys.index(row[:2]) for row in rows], dtype=np.int64),
            strike=np.array([strike for *_, strike in rows], dtype=np.float64),
            bid=bid,
            ask=ask,
            quoted_at=at,
        )
