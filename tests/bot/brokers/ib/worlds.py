"""Simulated markets for tests of the data side, made once a process."""

from datetime import date
from functools import cache

from bot.calendars.build import build_calendar
from bot.exchange.replay import ReplayMarket
from bot.history.store import History
from strategies.model.calendars import TradingCalendar


@cache
def history() -> History:
    """The bundled history."""
    return History.bundled()


@cache
def calendar() -> TradingCalendar:
    """Sessions from 2016 to 2022."""
    return build_calendar(date(2016, 1, 1), date(2022, 12, 31))


@cache
def spring(first: date = date(2020, 2, 3), last: date = date(2020, 4, 30)) -> ReplayMarket:
    """A replay of real sessions, a crash and two expiries of everything in it."""
    return ReplayMarket(history(), calendar(), first=first, last=last, seed=7)
