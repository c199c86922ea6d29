"""A calendar and a replay of spring 2020 for every test of the simulated market."""

from datetime import date

import pytest

from bot.calendars.build import build_calendar
from bot.exchange.replay import ReplayMarket
from bot.history.store import History
from strategies.model.calendars import TradingCalendar

FIRST, LAST = date(2020, 2, 3), date(2020, 4, 30)


@pytest.fixture(scope="session")
def history() -> History:
    return History.bundled()


@pytest.fixture(scope="session")
def calendar() -> TradingCalendar:
    return build_calendar(date(2007, 1, 1), date(2027, 12, 31))


@pytest.fixture(scope="session")
def spring_2020(history, calendar) -> ReplayMarket:
    return ReplayMarket(history, calendar, first=FIRST, last=LAST, seed=7)
