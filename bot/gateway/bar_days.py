"""Completed days: what is official of each, as far as it was published at an instant."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

import numpy as np

from bot.errors import MarketDataMissing
from bot.exchange.market import Market
from bot.exchange.settlement import variation_at
from bot.gateway.bar_prices import Prices, Shape
from bot.gateway.contracts.listed import Listed
from bot.gateway.contracts.symbols import SETTLEMENT_INDICES, STANDS
from strategies.model.calendars import EXCHANGE_ZONE, TradingCalendar
from strategies.model.errors import MissingData
from strategies.model.expiries import series_instants, spx_am_expiries, vx_expiries
from strategies.model.instruments import FutureContract, OptionContract, Right
from strategies.model.quotes import FloatArray

_LISTED_AHEAD: Final = timedelta(days=300)  # how long before its expiry a contract has prices
_OPTION_DAYS_MOST: Final = 60  # each has to be drawn
_QUOTE_SAMPLES: Final = 6  # of an option's day
_MONTH: Final = timedelta(days=31)
_ANY_STRIKE: Final = Decimal(100)
_LONG_AGO: Final = date(1900, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyBar:
    """One day's bar."""

    day: date
    shape: Shape


def completed_days(
    market: Market, listed: Listed, first: date, end: datetime, shown: str
) -> list[DailyBar]:
    """Return the bars of days that were complete at ``end``, from ``first`` on, oldest first."""
    instrument = listed.instrument
    if isinstance(instrument, FutureContract):
        return list(_settlements(market, instrument, first, end))
    if instrument is not None:
        return list(_option_days(market, listed, instrument, first, end, shown))
    if listed.index in SETTLEMENT_INDICES:
        return list(_openings(market, listed.index, first, end))
    if listed.index is not None:
        return _index_days(market, listed.index, first, end, lambda prices: prices)
    stand = STANDS[listed.con_id]
    return _index_days(
        market, "SPX", first, end, lambda prices: np.round(stand.base + stand.per_spx * prices, 5)
    )


def first_day(market: Market, listed: Listed, at: datetime) -> date | None:
    """Return the first day a contract has a bar of; None if it has none yet."""
    instrument = listed.instrument
    first = _LONG_AGO
    if isinstance(instrument, OptionContract):
        first = max(market.first_session, instrument.expiry - _LISTED_AHEAD)
        return first if market.calendar.opens_at(_session_from(market, first)) <= at else None
    if isinstance(instrument, FutureContract):
        first = instrument.expiry - _LISTED_AHEAD
    found = completed_days(market, listed, first, at, "TRADES")
    return found[0].day if found else None


def _session_from(market: Market, day: date) -> date:
    return market.calendar.sessions_between(day, market.last_session)[0]


def _index_days(
    market: Market,
    name: str,
    first: date,
    end: datetime,
    scaled: Callable[[FloatArray], FloatArray],
) -> list[DailyBar]:
    bars = market.daily_bars(name, _open_day(market.calendar, name, end))
    if bars is None:
        return []
    rows = (bars.day >= np.datetime64(first)) & np.isfinite(bars.close)
    # what the vendor does not tell is the close; a few of its ranges leave out an end
    opens = np.where(np.isfinite(bars.open), bars.open, bars.close)
    columns = (
        opens,
        np.fmax(bars.high, np.maximum(opens, bars.close)),
        np.fmin(bars.low, np.minimum(opens, bars.close)),
        bars.close,
    )
    prices = scaled(np.column_stack([column[rows] for column in columns])).tolist()
    return [
        DailyBar(day=day, shape=Shape(open=open_, high=high, low=low, close=close))
        for day, (open_, high, low, close) in zip(bars.day[rows].tolist(), prices, strict=True)
    ]


def _open_day(calendar: TradingCalendar, name: str, end: datetime) -> date:
    """Return the first day whose close is not known yet at ``end``."""
    day = end.astimezone(EXCHANGE_ZONE).date()
    try:
        if not calendar.is_session(day):
            return day
    except MissingData:
        return day
    is_spx = name == "SPX"
    closes_at = calendar.equities_close_at(day) if is_spx else calendar.closes_at(day)
    return day + timedelta(days=1) if end >= closes_at else day


def _openings(market: Market, name: str, first: date, end: datetime) -> Iterator[DailyBar]:
    """Yield SET or VRO on the days on which something settles to it."""
    calendar = market.calendar
    last = end.astimezone(EXCHANGE_ZONE).date()
    first = max(first, calendar.sessions[0] + _MONTH)
    expiries = spx_am_expiries if name == "SET" else vx_expiries
    root = SETTLEMENT_INDICES[name]
    for expiry in expiries(first, last, calendar) if first <= last else ():
        if series_instants(root, expiry, calendar).settles_at > end:
            continue
        option = OptionContract(root, expiry, Right.CALL, _ANY_STRIKE)
        try:
            yield DailyBar(day=expiry, shape=_flat(market.settlement_value(option)))
        except MarketDataMissing:
            continue


def _settlements(
    market: Market, future: FutureContract, first: date, end: datetime
) -> Iterator[DailyBar]:
    """Yield the daily settlements of a future, and the final one on its last day."""
    calendar = market.calendar
    first = max(first, future.expiry - _LISTED_AHEAD)
    last = min(future.expiry, end.astimezone(EXCHANGE_ZONE).date())
    final = series_instants("VIX", future.expiry, calendar).settles_at
    for session in calendar.sessions_between(first, last):
        published_at = final if session == future.expiry else variation_at(session, calendar)
        if published_at > end:
            continue
        try:
            yield DailyBar(day=session, shape=_flat(market.daily_settle(future, session)))
        except MarketDataMissing:
            continue


def _option_days(
    market: Market, listed: Listed, option: OptionContract, first: date, end: datetime, shown: str
) -> Iterator[DailyBar]:
    calendar = market.calendar
    prices = Prices(market, listed, shown)
    last = min(option.expiry, end.astimezone(EXCHANGE_ZONE).date(), market.last_session)
    sessions = calendar.sessions_between(max(first, market.first_session), last)
    for session in sessions[-_OPTION_DAYS_MOST:]:
        opens_at, closes_at = calendar.opens_at(session), calendar.closes_at(session)
        assert listed.last_trade_at is not None, "options expire"
        closes_at = min(closes_at, listed.last_trade_at)
        if opens_at < closes_at <= end:
            shape = prices.bar(opens_at, closes_at, _QUOTE_SAMPLES)
            if shape is not None:
                yield DailyBar(day=session, shape=shape)


def _flat(price: float) -> Shape:
    return Shape(open=price, high=price, low=price, close=price)
