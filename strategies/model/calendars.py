"""The trading calendar as a value: which days are sessions and when each one opens and closes."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from strategies.model.errors import MissingData

EXCHANGE_ZONE = ZoneInfo("America/New_York")
OPTIONS_OPEN = time(9, 30)
OPTIONS_CLOSE = time(16, 15)  # index options; expiring SPXW stop at 16:00
EQUITIES_CLOSE = time(16, 0)
OPTIONS_EARLY_CLOSE = time(13, 15)
EQUITIES_EARLY_CLOSE = time(13, 0)


def at_exchange(day: date, clock_time: time) -> datetime:
    """Return the instant of a New York wall-clock time on ``day``."""
    return datetime.combine(day, clock_time, tzinfo=EXCHANGE_ZONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class TradingCalendar:
    """Sessions of Cboe index options, ascending, with the early closes among them."""

    sessions: tuple[date, ...]
    early_closes: frozenset[date]

    def __post_init__(self) -> None:
        assert all(a < b for a, b in zip(self.sessions, self.sessions[1:], strict=False)), (
            "sessions ascend"
        )
        assert self.early_closes <= set(self.sessions), "an early close is a session"

    def is_session(self, day: date) -> bool:
        """Return whether ``day`` is a trading day; raises MissingData outside the calendar."""
        index = self._index(day)
        return self.sessions[index] == day

    def previous_session(self, day: date) -> date:
        """Return the last session strictly before ``day``; raises MissingData if none is known."""
        index = bisect_left(self.sessions, day)
        if index == 0:
            raise MissingData(f"no session before {day} in the calendar")
        return self.sessions[index - 1]

    def next_session(self, day: date) -> date:
        """Return the first session strictly after ``day``; raises MissingData if none is known."""
        index = bisect_right(self.sessions, day)
        if index == len(self.sessions):
            raise MissingData(f"no session after {day} in the calendar")
        return self.sessions[index]

    def sessions_between(self, first: date, last: date) -> tuple[date, ...]:
        """Return the sessions from ``first`` to ``last``, both included."""
        return self.sessions[bisect_left(self.sessions, first) : bisect_right(self.sessions, last)]

    def trading_days_until(self, today: date, day: date) -> int:
        """Return how many sessions lie after ``today`` up to and including ``day``."""
        return bisect_right(self.sessions, day) - bisect_right(self.sessions, today)

    def opens_at(self, session: date) -> datetime:
        """Return when index options open on a session."""
        assert self.is_session(session), f"{session} is not a session"
        return at_exchange(session, OPTIONS_OPEN)

    def closes_at(self, session: date) -> datetime:
        """Return when index options close on a session, early closes included."""
        assert self.is_session(session), f"{session} is not a session"
        early = session in self.early_closes
        return at_exchange(session, OPTIONS_EARLY_CLOSE if early else OPTIONS_CLOSE)

    def equities_close_at(self, session: date) -> datetime:
        """Return when equities, and with them expiring SPXW options, close on a session."""
        assert self.is_session(session), f"{session} is not a session"
        early = session in self.early_closes
        return at_exchange(session, EQUITIES_EARLY_CLOSE if early else EQUITIES_CLOSE)

    def _index(self, day: date) -> int:
        if not self.sessions or not self.sessions[0] <= day <= self.sessions[-1]:
            raise MissingData(f"{day} is outside the calendar")
        return bisect_left(self.sessions, day)
