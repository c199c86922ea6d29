"""Option chains in columns: laid out once a session, read from tickers each time."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

import numpy as np

from bot.brokers.ib.library import Ticker
from bot.brokers.ib.smiles import SeriesKey
from bot.exchange.listings import is_trading
from strategies.model.calendars import TradingCalendar
from strategies.model.expiries import future_instants, series_instants
from strategies.model.instruments import Instrument, OptionContract
from strategies.model.quotes import FloatArray, IntArray, OptionChain, Series

_STRIKE_SCALE: Final = 1000.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Columns:
    """The rows of one underlying: its live series, and the tickers of both rights of a strike."""

    underlying: str
    series: tuple[Series, ...]
    series_index: IntArray  # (m,)
    strike: FloatArray  # (m,)
    tickers: tuple[Ticker, ...]  # (2m,): put, call, put, call; what is not streamed is blank

    def chain(self, quoted_at: datetime) -> OptionChain:
        """Return the quotes as they stand."""
        return OptionChain(
            underlying=self.underlying,
            series=self.series,
            series_index=self.series_index,
            strike=self.strike,
            bid=_prices([ticker.bid for ticker in self.tickers]),
            ask=_prices([ticker.ask for ticker in self.tickers]),
            quoted_at=quoted_at,
        )

    def are_alive(self, at: datetime) -> bool:
        """Return whether every series still trades."""
        return all(is_trading(series, at) for series in self.series)


class SeriesTerms:
    """The instants of each series, worked out once."""

    def __init__(self, calendar: TradingCalendar) -> None:
        self._calendar = calendar
        self._known: dict[SeriesKey, Series] = {}

    def of(self, root: str, expiry: date) -> Series:
        """Return a series; raises InvalidInstrument if the root expires on no such day."""
        key = (root, expiry)
        if key not in self._known:
            self._known[key] = series_instants(root, expiry, self._calendar)
        return self._known[key]

    def is_alive(self, instrument: Instrument, at: datetime) -> bool:
        """Return whether an instrument still trades at an instant."""
        if isinstance(instrument, OptionContract):
            return is_trading(self.of(instrument.root, instrument.expiry), at)
        return at <= future_instants(instrument.expiry, self._calendar).last_trade_at


def lay_out(
    underlying: str,
    rows: Mapping[SeriesKey, Iterable[str]],
    tickers: Mapping[str, Ticker],
    terms: SeriesTerms,
    at: datetime,
) -> Columns:
    """Return the columns of an underlying's series that trade at an instant.

    Args:
        underlying: SPX or VIX.
        rows: OCC symbols by series; a strike is a row as soon as one of its rights is in.
        tickers: Of the symbols that are streamed.
        terms: When series stop trading.
        at: The instant.
    """
    blank = Ticker()
    series: list[Series] = []
    indices: list[int] = []
    strikes: list[float] = []
    columns: list[Ticker] = []
    for key in sorted(rows, key=lambda key: (key[1], key[0])):
        each = terms.of(*key)
        if not is_trading(each, at):
            continue
        own = sorted({int(symbol[13:]) for symbol in rows[key]})
        prefix = f"{key[0]:<6}{key[1]:%y%m%d}"
        indices += [len(series)] * len(own)
        strikes += [thousandths / _STRIKE_SCALE for thousandths in own]
        for thousandths in own:
            columns.append(tickers.get(f"{prefix}P{thousandths:08d}", blank))
            columns.append(tickers.get(f"{prefix}C{thousandths:08d}", blank))
        series.append(each)
    return Columns(
        underlying=underlying,
        series=tuple(series),
        series_index=np.array(indices, dtype=np.int64),
        strike=np.array(strikes, dtype=np.float64),
        tickers=tuple(columns),
    )


def _prices(points: list[float]) -> FloatArray:
    """Return prices in two columns; -1, 0 and nothing at all mean that nobody quotes."""
    found = np.array(points, dtype=np.float64)
    return np.where(found > 0, found, 0.0).reshape(-1, 2)
