"""Collect: everything one interval may look at, fetched before anything is decided."""

from collections.abc import Callable
from datetime import date, datetime, timedelta

from bot.errors import MarketDataMissing
from bot.ports import MarketData
from strategies.model.calendars import EXCHANGE_ZONE, TradingCalendar
from strategies.model.errors import InvalidQuote
from strategies.model.factors import absent, known_before
from strategies.model.rules import FactorRule
from strategies.model.snapshots import EventAhead, FactorSeries, MarketSnapshot

# How far the feed's clock may be ahead of ours
_CLOCK_SKEW = timedelta(seconds=2)

EventsAhead = Callable[[date], tuple[EventAhead, ...] | None]
# What was known of a feed before a session; why, if it cannot be read
FactorOf = Callable[[FactorRule, date], FactorSeries]


class Factors:
    """E: the factor feeds of the rules, collected once a session."""

    def __init__(self, rules: tuple[FactorRule, ...], read: FactorOf) -> None:
        """Collect nothing yet.

        Args:
            rules: The feeds.
            read: Reads those that do not come from the broker.
        """
        self._rules = rules
        self._read = read
        self._collected: tuple[date, tuple[FactorSeries, ...]] | None = None

    async def before(self, session: date, market_data: MarketData) -> tuple[FactorSeries, ...]:
        """Return every feed as known before a session, in the rules' order; the same all session.

        Raises: BrokerUnavailable.
        """
        if self._collected is None or self._collected[0] != session:
            feeds = [await self._collect(rule, session, market_data) for rule in self._rules]
            self._collected = (session, tuple(feeds))
        return self._collected[1]

    async def _collect(
        self, rule: FactorRule, session: date, market_data: MarketData
    ) -> FactorSeries:
        if rule.source != "ib":
            return self._read(rule, session)
        closes = await market_data.fetch_closes(rule.series, session)
        if closes is None:
            return absent(rule, f"the broker does not supply {rule.series}")
        return known_before(closes.day, closes.close, rule, session)


def nothing_fed(rule: FactorRule, session: date) -> FactorSeries:
    """Return a feed without observations, where nobody reads files."""
    del session
    return absent(rule, f"nobody reads {rule.series} here")


async def collect_snapshot(
    market_data: MarketData,
    *,
    session: date,
    entry_due: bool,
    calendar: TradingCalendar,
    events_ahead: EventsAhead,
    factors: Factors,
    now: Callable[[], datetime],
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
        factors: The factor feeds.
        now: The clock, read once the quotes are there: to have a chain listed takes seconds.
        max_age: Quotes older than this are no market.
        decided_on: The market of the last decision; a feed that stands still is not a new one.

    Raises: MarketDataMissing, BrokerUnavailable (nothing has happened; the interval is skipped).
    """
    # What is asked for once a session comes first: it takes seconds then, and quotes get old
    history = await market_data.fetch_history(session)
    feeds = await factors.before(session, market_data)
    try:
        market = await market_data.fetch_market()
    except InvalidQuote as cause:  # one broken print ends the interval, not the bot
        raise MarketDataMissing(f"the market data makes no sense: {cause}") from cause
    if not -_CLOCK_SKEW <= now() - market.at <= max_age:
        raise MarketDataMissing(f"the market data is of {market.at.isoformat()}, not of now")
    if decided_on is not None and market.at <= decided_on:
        raise MarketDataMissing(f"the market data stands still since {market.at.isoformat()}")
    return MarketSnapshot(
        session=session,
        opens_at=calendar.opens_at(session),
        closes_at=calendar.closes_at(session),
        is_early_close=session in calendar.early_closes,
        entry_due=entry_due,
        market=market,
        events=events_ahead(session),
        history=history,
        factors=feeds,
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
