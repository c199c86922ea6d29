"""Historical bars of anything the market knows; nothing of what is published after ``at``.

Daily bars carry what is official: bars of indices, daily and final settlements of futures, SET and
VRO on the days they are published. Of settlements only one price is known, so open, high and low
are the close. Today's bar, and every intraday bar, is sampled from the market itself; those of
options and futures are made of quotes, so nothing is said of volume.

Only the regular session trades here, so useRTH changes nothing.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from bot.exchange.market import Market
from bot.gateway.bar_days import completed_days, first_day
from bot.gateway.bar_prices import Prices, Shape, shows
from bot.gateway.bar_requests import (
    DAY,
    BarRequest,
    BarsRefused,
    history_error,
    read_bar_request,
)
from bot.gateway.contracts.details import zone_of
from bot.gateway.contracts.listed import Listed
from bot.gateway.protocol.message import Message
from strategies.model.calendars import EXCHANGE_ZONE, OPTIONS_OPEN, at_exchange

_WEEK: Final = 7 * DAY
_GRID: Final = timedelta(seconds=10)  # the market does not move in between
_SAMPLES_OF_A_BAR: Final = 30
_BARS_MOST: Final = 50_000
_QUOTED_BARS_MOST: Final = 2_500  # each takes two quotes
_SAMPLES_TODAY: Final = 400
_QUOTES_TODAY: Final = 8
_SESSIONS_PER_DAY: Final = 1.5  # calendar days that surely hold a session, holidays included
_HOLIDAYS: Final = timedelta(days=10)


class _Stretch(NamedTuple):
    """Time without a break in which a contract trades."""

    start: datetime
    end: datetime


class _Bar(NamedTuple):
    """A bar and when it begins; of days, weeks and months only the day matters."""

    starts_at: datetime
    shape: Shape


def historical_data(
    values: Mapping[str, Any], listed: Listed, market: Market, at: datetime
) -> Message:
    """Return the historicalData (or historicalSchedule) that answers a reqHistoricalData.

    Args:
        values: Of the request.
        listed: The contract it names.
        market: Where prices come from.
        at: Now; whatever end is asked for, nothing later is told.

    Raises: BarsRefused with code 162 or 321.
    """
    request = read_bar_request(values)
    end = min(request.end or at, at)
    if request.shown == "SCHEDULE":
        return _schedule(request, listed, market, end)
    bars = _bars(request, listed, market, end)
    if not bars:
        raise _no_data(listed, request)
    zone, zone_name = zone_of(listed)
    return Message(
        "historicalData",
        {
            "reqId": request.req_id,
            "start": f"{bars[0].starts_at.astimezone(zone):%Y%m%d %H:%M:%S} {zone_name}",
            "end": f"{end.astimezone(zone):%Y%m%d %H:%M:%S} {zone_name}",
            "bars": tuple(
                {"date": _date_text(bar, request, zone, zone_name), **_values(bar.shape, request)}
                for bar in bars
            ),
        },
    )


def historical_update(
    values: Mapping[str, Any], listed: Listed, market: Market, at: datetime
) -> Message | None:
    """Return the historicalDataUpdate of the bar under way, for a request that is kept up to date.

    None while the contract does not trade.

    Raises: BarsRefused with code 162 or 321.
    """
    request = read_bar_request(values)
    if not shows(listed, request.shown):
        raise _no_data(listed, request)
    if request.is_intraday:
        bars = _intraday(request, listed, market, at, last_only=True)
    else:
        bars = _today(request, listed, market, at)
    if not bars:
        return None
    zone, zone_name = zone_of(listed)
    bar = bars[-1]
    return Message(
        "historicalDataUpdate",
        {
            "reqId": request.req_id,
            "date": _date_text(bar, request, zone, zone_name),
            **_values(bar.shape, request),
        },
    )


def head_timestamp(
    values: Mapping[str, Any], listed: Listed, market: Market, at: datetime
) -> Message:
    """Return the headTimestamp that answers a reqHeadTimestamp: the first bar's day, at the open.

    Raises: BarsRefused (162).
    """
    shown = values["whatToShow"].strip().upper()
    first = first_day(market, listed, at) if shows(listed, shown) else None
    if first is None:
        raise history_error(f"No head time stamp: {listed.contract.symbol} {shown}")
    opens_at = at_exchange(first, OPTIONS_OPEN)
    is_epoch = int(values.get("formatDate", 1)) == 2  # noqa: PLR2004 IB's number
    in_utc = f"{opens_at.astimezone(UTC):%Y%m%d-%H:%M:%S}"
    text = str(int(opens_at.timestamp())) if is_epoch else in_utc
    return Message("headTimestamp", {"reqId": values["reqId"], "text": text})


# --- which bars -------------------------------------------------------------------------------


def _bars(request: BarRequest, listed: Listed, market: Market, end: datetime) -> list[_Bar]:
    if not shows(listed, request.shown):
        raise _no_data(listed, request)
    if request.is_intraday:
        return _intraday(request, listed, market, end)
    days = _completed(request, listed, market, end)
    today = _today(request, listed, market, end)
    if days and today and days[-1].starts_at.date() == today[0].starts_at.date():
        today = []
    bars = days + today
    if request.in_sessions:
        bars = bars[-request.days :]
    if request.size == DAY:
        return bars
    groups = groupby(bars, key=lambda bar: _period(bar.starts_at.date(), request.size))
    return [_merged(list(group)) for _, group in groups]


def _completed(request: BarRequest, listed: Listed, market: Market, end: datetime) -> list[_Bar]:
    reach = timedelta(days=request.days, seconds=request.seconds)
    if request.in_sessions:
        reach = reach * _SESSIONS_PER_DAY + _HOLIDAYS
    first = (end.astimezone(EXCHANGE_ZONE) - reach).date()
    days = completed_days(market, listed, first, end, request.shown)
    return [_Bar(at_exchange(bar.day, OPTIONS_OPEN), bar.shape) for bar in days]


def _today(request: BarRequest, listed: Listed, market: Market, end: datetime) -> list[_Bar]:
    """Return the bar of the day under way, if it has begun."""
    stretches = _sessions(listed, market, end, end.astimezone(EXCHANGE_ZONE).date())
    if not stretches:
        return []
    stretch = stretches[-1]
    prices = Prices(market, listed, request.shown)
    samples = _QUOTES_TODAY if prices.is_quoted else _SAMPLES_TODAY
    shape = prices.bar(stretch.start, min(end, stretch.end), samples)
    day = stretch.start.astimezone(EXCHANGE_ZONE).date()
    return [] if shape is None else [_Bar(at_exchange(day, OPTIONS_OPEN), shape)]


def _intraday(
    request: BarRequest,
    listed: Listed,
    market: Market,
    end: datetime,
    *,
    last_only: bool = False,
) -> list[_Bar]:
    prices = Prices(market, listed, request.shown)
    stretches = _stretches(request, listed, market, end)
    most = _QUOTED_BARS_MOST if prices.is_quoted else _BARS_MOST
    if sum((stop - start) / request.size for start, stop in stretches) > most:
        raise history_error("Time length exceed max.")
    starts = [
        (start, stop, stretch.end)
        for stretch in stretches
        for start, stop in _cuts(stretch, request.size)
    ]
    if last_only:
        starts = starts[-1:]
    bars = []
    for start, stop, stretch_end in starts:
        last = stop if stop == stretch_end else max(start, stop - _GRID)
        samples = 1 if prices.is_quoted else _SAMPLES_OF_A_BAR
        shape = prices.bar(start, last, samples)
        if shape is not None:
            bars.append(_Bar(start, shape))
    return bars


def _stretches(
    request: BarRequest, listed: Listed, market: Market, end: datetime
) -> list[_Stretch]:
    """Return when intraday bars are asked for: sessions up to ``end``, the last one cut."""
    if listed.contract.sec_type == "CASH":  # currencies trade at any hour
        reach = timedelta(days=request.days, seconds=request.seconds)
        return [_Stretch(end - reach, end)]
    if request.seconds:
        sessions = _sessions(listed, market, end, end.astimezone(EXCHANGE_ZONE).date() - _HOLIDAYS)
        if not sessions:
            return []
        start = sessions[-1].end - timedelta(seconds=request.seconds)
        return [_Stretch(max(start, sessions[-1].start), sessions[-1].end)]
    reach = timedelta(days=request.days)
    if request.in_sessions:
        reach = reach * _SESSIONS_PER_DAY + _HOLIDAYS
    sessions = _sessions(listed, market, end, (end.astimezone(EXCHANGE_ZONE) - reach).date())
    return sessions[-request.days :] if request.in_sessions else sessions


def _sessions(listed: Listed, market: Market, end: datetime, first: date) -> list[_Stretch]:
    """Return a contract's sessions that began before ``end``, as far as they have gone."""
    calendar = market.calendar
    last = min(end.astimezone(EXCHANGE_ZONE).date(), market.last_session)
    stretches = []
    for session in calendar.sessions_between(max(first, market.first_session), last):
        opens_at = calendar.opens_at(session)
        stops_at = min(calendar.closes_at(session), end)
        if listed.last_trade_at is not None:
            stops_at = min(stops_at, listed.last_trade_at)
        if opens_at <= stops_at:
            stretches.append(_Stretch(opens_at, stops_at))
    return stretches


def _cuts(stretch: _Stretch, size: timedelta) -> Iterator[tuple[datetime, datetime]]:
    """Yield the bars of a stretch; they begin on multiples of their size on the clock."""
    seconds = int(size.total_seconds())
    start = stretch.start
    while start < stretch.end:
        clock = int(start.timestamp())
        stop = datetime.fromtimestamp(clock - clock % seconds + seconds, UTC)
        yield start, min(stop, stretch.end)
        start = stop


# --- how bars are told ------------------------------------------------------------------------


def _date_text(bar: _Bar, request: BarRequest, zone: ZoneInfo, zone_name: str) -> str:
    if not request.is_intraday:
        return f"{bar.starts_at:%Y%m%d}"
    if request.is_epoch:
        return str(int(bar.starts_at.timestamp()))
    return f"{bar.starts_at.astimezone(zone):%Y%m%d %H:%M:%S} {zone_name}"


def _values(shape: Shape, request: BarRequest) -> dict[str, Any]:
    """Return a bar's values; -1 says that a view without trades has no volume."""
    nothing = 0 if request.shown in {"TRADES", "ADJUSTED_LAST"} else -1
    return {
        "open": shape.open,
        "high": shape.high,
        "low": shape.low,
        "close": shape.close,
        "volume": nothing,
        "wap": float(nothing),
        "barCount": nothing,
    }


def _schedule(request: BarRequest, listed: Listed, market: Market, end: datetime) -> Message:
    """Return the sessions of the days asked for, their times on the contract's own clocks."""
    zone, zone_name = zone_of(listed)
    reach = timedelta(days=request.days) * _SESSIONS_PER_DAY + _HOLIDAYS
    last = end.astimezone(EXCHANGE_ZONE).date()
    first = last - (reach if request.in_sessions else timedelta(days=request.days))
    days = market.calendar.sessions_between(first, last)
    if request.in_sessions:
        days = days[-request.days :]
    sessions = [
        (day, market.calendar.opens_at(day), market.calendar.closes_at(day)) for day in days
    ]
    if not sessions:
        raise _no_data(listed, request)

    def text(instant: datetime) -> str:
        return f"{instant.astimezone(zone):%Y%m%d-%H:%M:%S}"

    return Message(
        "historicalSchedule",
        {
            "reqId": request.req_id,
            "start": text(sessions[0][1]),
            "end": text(sessions[-1][2]),
            "timeZone": zone_name,
            "sessions": tuple(
                {"start": text(opens), "end": text(closes), "refDate": f"{day:%Y%m%d}"}
                for day, opens, closes in sessions
            ),
        },
    )


def _no_data(listed: Listed, request: BarRequest) -> BarsRefused:
    contract = listed.contract
    name = f"{contract.symbol}@{contract.exchange} {request.shown.capitalize()}"
    return history_error(f"HMDS query returned no data: {name}")


def _period(day: date, size: timedelta) -> tuple[int, int]:
    year, week, _ = day.isocalendar()
    return (year, week) if size == _WEEK else (day.year, day.month)


def _merged(bars: list[_Bar]) -> _Bar:
    """Return a week or a month, dated by its last day."""
    return _Bar(
        bars[-1].starts_at,
        Shape(
            open=bars[0].shape.open,
            high=max(bar.shape.high for bar in bars),
            low=min(bar.shape.low for bar in bars),
            close=bars[-1].shape.close,
        ),
    )
