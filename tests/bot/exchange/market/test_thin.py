"""A thin market is the whole one with fewer rows."""

from datetime import date
from decimal import Decimal

import pytest

from bot.app.wiring import calendar_around
from bot.exchange.replay import ReplayMarket
from bot.exchange.thin import ThinReplayMarket, ThinSyntheticMarket
from bot.history.store import History
from strategies.model.calendars import at_exchange
from strategies.model.instruments import OptionContract, Right

FIRST, LAST = date(2019, 3, 4), date(2019, 3, 8)


@pytest.fixture(scope="module")
def calendar():
    return calendar_around(FIRST, LAST)


def test_a_thin_market_quotes_what_it_lists_as_the_whole_one_does(calendar):
    history = History.bundled()
    thin = ThinReplayMarket(history, calendar, first=FIRST, last=LAST, seed=5)
    whole = ReplayMarket(history, calendar, first=FIRST, last=LAST, seed=5)
    at = at_exchange(FIRST, calendar.opens_at(FIRST).time().replace(hour=11))
    few = thin.quotes_at(at).spx_options
    assert 200 < len(few.strike) < 700 < len(whole.quotes_at(at).spx_options.strike)
    for row in range(0, len(few.strike), 40):
        series = few.series[few.series_index[row]]
        strike = Decimal(int(few.strike[row]))
        contract = OptionContract(series.root, series.expiry, Right.PUT, strike)
        assert few.quote(contract) == whole.quotes_at(at, [contract]).spx_options.quote(contract)


def test_an_entry_finds_its_strikes(calendar):
    market = ThinSyntheticMarket(calendar, first=FIRST, last=LAST, seed=5)
    chain = market.quotes_at(calendar.opens_at(FIRST)).spx_options
    expiries = {
        series.expiry for series in chain.series if (series.expiry - FIRST).days in range(40, 48)
    }
    assert expiries
    at_most = max(len(chain.strike[chain.rows_of(n)]) for n in range(len(chain.series)))
    assert at_most > 40
