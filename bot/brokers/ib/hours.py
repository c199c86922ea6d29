"""Session hours, outside which there is no market to look at."""

from datetime import date, datetime

from bot.errors import MarketDataMissing
from strategies.model.calendars import EXCHANGE_ZONE, TradingCalendar


def session_at(calendar: TradingCalendar, at: datetime) -> date:
    """Return the session whose hours contain an instant, open and close included.

    Raises: MarketDataMissing.
    """
    local = at.astimezone(EXCHANGE_ZONE)
    session = local.date()
    if not calendar.is_session(session):
        raise MarketDataMissing(f"no quotes on {session}: it is not a session")
    if not calendar.opens_at(session) <= at <= calendar.closes_at(session):
        raise MarketDataMissing(f"no quotes at {local:%Y-%m-%d %H:%M:%S}: not in session hours")
    return session
