"""Collect: everything one interval may look at, fetched before anything is decided."""

from collections.abc import Callable
from datetime import date, datetime, timedelta

from bot.errors import MarketDataMissing
from bot.ports import MarketData
from strategies.model.calendars import EXCHANGE_ZONE, TradingCalendar
from strategies.model.snapshots import EventAhead, MarketSnapshot

# How far the feed's clock may be ahead of ours; it is also asked after ``now`` was read
_CLOCK_SKEW = timedelta(seconds=2)

EventsAhead = Callable[[date], tuple[EventAhead, ...] | None]


async def collect_snapshot(
    market_data: MarketData,
    *,
    session: date,
    entry_due: bool,
    calendar: TradingCalendar,
    events_ahead: EventsAhead,
    now: datetime,
    max_age: timedelta,
    decided_on: datetime | None,
) -> MarketSnapshot:
    """Fetch quotes and history and join them with the session and the events ahead.

    Args:
        market_data: Where they come from.
        session: The session they must belong to.
        entry_due: C1: an entry falls on this interval.
        calendar: When the session opens and closes.
        events_ahead: What is scheduled.
        now: The instant of the interval.
        max_age: Quotes older than this are no market.
        decided_on: The market of the last decision; a feed that stands still is not a new one.

    Raises: MarketDataMissing, BrokerUnavailable (nothing has happened; the interval is skipped).
    """
    market = await market_data.fetch_market()
    if not -_CLOCK_SKEW <= now - market.at <= max_age:
        raise MarketDataMissing(f"the market data is of {market.at.isoformat()}, not of now")
    if decided_on is not None and market.at <= decided_on:
        raise MarketDataMissing(f"the market data stands still since {market.at.isoformat()}")
    history = await market_data.fetch_history(session)
    return MarketSnapshot(
        session=session,
        opens_at=calendar.opens_at(session),
        closes_at=calendar.closes_at(session),
        is_early_close=session in calendar.early_closes,
        entry_due=entry_due,
        market=market,
        events=events_ahead(session),
        history=history,
    )


def closed_because(calendar: TradingCalendar, at: datetime) -> str | None:
    """Return why index options do not trade at ``at``, the close excluded; None if they do."""
    session = at.astimezone(EXCHANGE_ZONE).date()
    if not calendar.is_session(session):
        return f"{session} is no session"
    opens_at, closes_at = calendar.opens_at(session), calendar.closes_at(session)
    if at < opens_at:
        return f"the market opens at {opens_at:%H:%M}"
    if at >= closes_at:
        early = "early, " if session in calendar.early_closes else ""
        return f"the market closed {early}at {closes_at:%H:%M}"
    return None
