"""A market of an invented history: a seed makes a world, the replay makes its quotes."""

from collections.abc import Sequence
from datetime import date, timedelta

from bot.calendars.build import build_calendar
from bot.exchange.replay import ReplayMarket
from bot.exchange.world import BURN_IN_SESSIONS, InventedHistory, WorldParameters
from bot.history.store import ScheduledEvent
from strategies.model.calendars import TradingCalendar

_DAYS_PER_SESSION = 1.5  # calendar days that hold one session, holidays and a margin included


class SyntheticMarket(ReplayMarket):
    """Keeps the ``Market`` protocol over sessions that never were."""

    def __init__(
        self,
        calendar: TradingCalendar,
        *,
        first: date,
        last: date,
        seed: int,
        parameters: WorldParameters | None = None,
        events: Sequence[ScheduledEvent] = (),
    ) -> None:
        """Invent ``BURN_IN_SESSIONS`` sessions of history, then the days to be traded.

        A world with a later ``last`` begins with the same days.

        Args:
            calendar: Sessions until a year past ``last``; those before ``first`` that it lacks
                are taken from the bundled calendar.
            first: Where quoting begins; the first session on or after it.
            last: Where it ends; the last session on or before it.
            seed: Of the world and of its intraday paths, not negative.
            parameters: Of the model, if not the usual ones.
            events: What is scheduled on its days.

        Raises: MarketDataMissing if there is no session, or the calendar ends too early.
        """
        known = calendar.sessions_between(date.min, last)
        reach = timedelta(days=BURN_IN_SESSIONS * _DAYS_PER_SESSION)
        earliest = min(known[0] if known else first, first - reach)
        before = build_calendar(earliest, calendar.sessions[0] - timedelta(days=1))
        whole = TradingCalendar(
            sessions=before.sessions + calendar.sessions,
            early_closes=before.early_closes | calendar.early_closes,
        )
        count = len(whole.sessions_between(date.min, first - timedelta(days=1)))
        sessions = whole.sessions_between(date.min, last)[count - BURN_IN_SESSIONS :]
        world = InventedHistory(sessions, whole, parameters or WorldParameters(), seed, events)
        super().__init__(world, calendar, first=first, last=last, seed=seed)
