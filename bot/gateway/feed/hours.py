"""Which instant a subscription shows: now, the last close, or a quarter of an hour ago."""

from datetime import date, datetime, timedelta
from enum import IntEnum
from typing import NamedTuple

from bot.exchange.market import Market
from strategies.model.calendars import EXCHANGE_ZONE
from strategies.model.errors import MissingData

DELAY = timedelta(minutes=15)


class DataType(IntEnum):
    """IB's market data types."""

    LIVE = 1
    FROZEN = 2
    DELAYED = 3
    DELAYED_FROZEN = 4


class Shown(NamedTuple):
    """What a subscription shows."""

    type: DataType
    at: datetime | None  # an instant of session hours; None = nothing new


class TradingHours:
    """The sessions of a market, asked by the instant."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._calendar = market.calendar
        self._session = market.first_session
        self._opens_at = self._calendar.opens_at(self._session)
        self._closes_at = self._calendar.closes_at(self._session)

    def shown(self, at: datetime, *, frozen: bool, delayed: bool) -> Shown:
        """Return what is shown at ``at``.

        Args:
            at: Now.
            frozen: Whether the last quotes stand where there are no new ones (types 2 and 4).
            delayed: Whether quotes are a quarter of an hour old (types 3 and 4).
        """
        instant = at - DELAY if delayed else at
        if self._find(instant) and instant <= self._closes_at:
            return Shown(DataType.DELAYED if delayed else DataType.LIVE, instant)
        if not frozen:
            return Shown(DataType.DELAYED if delayed else DataType.LIVE, None)
        last = self._closes_at if self._find(instant) else None
        return Shown(DataType.DELAYED_FROZEN if delayed else DataType.FROZEN, last)

    def closed_session(self, at: datetime) -> date | None:
        """Return the last session whose close has passed at ``at``; None if none is known."""
        if self._find(at):
            if at > self._closes_at:
                return self._session
            day = self._session
        else:
            day = self._market.first_session
        try:
            return self._calendar.previous_session(day)
        except MissingData:
            return None

    def _find(self, at: datetime) -> bool:
        """Move to the last session that has opened at ``at``; False if there is none."""
        day = at.astimezone(EXCHANGE_ZONE).date()
        if day == self._session and at >= self._opens_at:
            return True
        day = min(day, self._market.last_session)
        if day < self._market.first_session:
            return False
        if not self._calendar.is_session(day) or at < self._calendar.opens_at(day):
            day = self._calendar.previous_session(day)
        if day < self._market.first_session:
            return False
        self._session = day
        self._opens_at = self._calendar.opens_at(day)
        self._closes_at = self._calendar.closes_at(day)
        return True
