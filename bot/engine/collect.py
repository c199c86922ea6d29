"""Collect: everything one interval may look at, fetched before anything is decided."""

from collections.abc import Callable
from datetime import date, datetime

from bot.ports import MarketData
from strategies.model.calendars import TradingCalendar
from strategies.model.snapshots import EventAhead, MarketSnapshot

EventsAhead = Callable[[date], tuple[EventAhead, ...] | None]


async def collect_snapshot(
    market_data: MarketData,
    *,
    session: date,
    entry_due: bool,
    calendar: TradingCalendar,
    events_ahead: EventsAhead,
) -> MarketSnapshot:
    """Fetch quotes and history and join them with the session and the events ahead.

    Raises: MarketDataMissing, BrokerUnavailable (nothing has happened; the interval is skipped).
    """
    market = await market_data.fetch_market()
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


def is_open(calendar: TradingCalendar, at: datetime) -> bool:
    """Return whether index options trade at ``at``, the close excluded."""
    session = at.astimezone(calendar.opens_at(calendar.sessions[0]).tzinfo).date()
    if not calendar.is_session(session):
        return False
    return calendar.opens_at(session) <= at < calendar.closes_at(session)
