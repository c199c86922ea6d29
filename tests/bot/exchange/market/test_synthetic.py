"""Invented worlds: positive, repeatable, and with the weather of real ones."""

from datetime import date, time

import numpy as np
import pytest

from bot.calendars.build import build_calendar
from bot.errors import MarketDataMissing
from bot.exchange.synthetic import SyntheticMarket
from bot.exchange.world import BURN_IN_SESSIONS, InventedHistory, WorldParameters
from bot.history.store import History
from strategies.model.calendars import at_exchange
from tests.bot.exchange.market.test_replay import assert_nothing_is_free
from tests.builders import instant

FIRST, LAST = date(2023, 1, 3), date(2023, 3, 31)


@pytest.fixture(scope="module")
def world_calendar():
    return build_calendar(date(2022, 6, 1), date(2024, 12, 31))


@pytest.fixture(scope="module")
def market(world_calendar) -> SyntheticMarket:
    return SyntheticMarket(world_calendar, first=FIRST, last=LAST, seed=4)


@pytest.fixture(scope="module")
def decades() -> list[InventedHistory]:
    calendar = build_calendar(date(2004, 1, 1), date(2025, 12, 31))
    sessions = calendar.sessions_between(date(2005, 1, 3), date(2024, 12, 31))
    return [InventedHistory(sessions, calendar, WorldParameters(), seed) for seed in range(3)]


def test_every_price_is_positive_and_every_bar_holds_its_ends(decades):
    for world in decades:
        for name in ("SPX", "VIX", "VVIX", "VIX9D", "VIX3M", "VIX6M"):
            series = world.daily(name)
            assert (series.low > 0).all()
            for end in (series.open, series.close):
                assert (series.low <= end).all()
                assert (end <= series.high).all()


def test_twenty_years_hold_calms_spikes_and_an_inverted_curve(decades):
    for world in decades:
        vix = world.daily("VIX").close
        curves = [world.vx_contracts_on(day) for day in world.daily("VIX").session.tolist()]
        first, second = (np.array([curve[rank][1] for curve in curves]) for rank in (0, 1))
        assert 14 < np.median(vix) < 21
        assert (vix < 13.5).mean() > 0.05
        assert vix.max() > 45
        assert np.abs(np.diff(vix)).max() > 10
        assert 0.55 < (second > first).mean() < 0.9
        assert (first > 1.03 * second).mean() > 0.02


def test_vix_rises_when_spx_falls(decades):
    for world in decades:
        returns = np.diff(np.log(world.daily("SPX").close))
        changes = np.diff(world.daily("VIX").close)
        assert np.corrcoef(returns, changes)[0, 1] < -0.6
        assert 0.10 < returns.std() * np.sqrt(252) < 0.25


def test_futures_settle_to_the_vix_and_are_listed_nine_months_out(decades):
    world = decades[0]
    vix = world.daily("VIX")
    for session in vix.session[::400].tolist():
        curve = world.vx_contracts_on(session)
        assert len(curve) == 9
        assert all(expiry > session for expiry, _ in curve)
    expiry = world.vx_contracts_on(vix.session[1000].item())[0][0]
    assert world.final_settlement(expiry) == vix.open[vix.rows_before(expiry)]


def test_the_same_seed_is_the_same_world(world_calendar, market):
    again = SyntheticMarket(world_calendar, first=FIRST, last=LAST, seed=4)
    at = instant("2023-02-15 11:00")
    assert (again.quotes_at(at).spx_options.ask == market.quotes_at(at).spx_options.ask).all()
    other = SyntheticMarket(world_calendar, first=FIRST, last=LAST, seed=5)
    assert other.index_at("SPX", at) != market.index_at("SPX", at)


def test_a_longer_world_begins_with_the_same_days(world_calendar, market):
    longer = SyntheticMarket(world_calendar, first=FIRST, last=date(2023, 6, 30), seed=4)
    at = instant("2023-03-31 15:00")
    assert longer.index_at("VIX", at) == market.index_at("VIX", at)
    assert longer.quotes_at(at).futures == market.quotes_at(at).futures


def test_the_burn_in_gives_a_full_history_before_the_first_day(market):
    history = market.history(FIRST)
    assert history.session.shape == (BURN_IN_SESSIONS,)
    assert market.history(FIRST) is history
    assert np.isnan(history.skew_close).all()
    assert np.isnan(history.is_cpi).all()
    assert history.session[-1] == np.datetime64("2022-12-30")
    assert np.isfinite(history.vx2_settle).all()
    assert (history.vx2_days > 20).all()
    assert (np.abs(history.net_breadth) < 1).all()


def test_t2_an_invented_world_knows_what_is_scheduled_on_its_days(world_calendar, market):
    events = History.bundled().events()
    scheduled = SyntheticMarket(world_calendar, first=FIRST, last=LAST, seed=4, events=events)
    bars = scheduled.history(date(2023, 2, 15))
    assert bars.session[bars.is_cpi == 1][-1] == np.datetime64("2023-02-14")
    assert bars.session[bars.is_fomc == 1][-1] == np.datetime64("2023-02-01")
    assert np.array_equal(bars.spx_close, market.history(date(2023, 2, 15)).spx_close)


def test_a_synthetic_market_quotes_like_a_replayed_one(market, world_calendar):
    for session in world_calendar.sessions_between(FIRST, LAST)[::12]:
        quotes = market.quotes_at(at_exchange(session, time(12, 0)))
        assert 2 * len(quotes.spx_options.strike) >= 2000
        assert set(quotes.indices) == {"SPX", "VIX", "VVIX", "VIX9D", "VIX3M", "VIX6M"}
        assert {quote.contract.root for quote in quotes.futures} == {"VX", "VXM"}
        assert_nothing_is_free(quotes.spx_options)
        assert_nothing_is_free(quotes.vix_options)


def test_futures_end_on_the_invented_settlements(market, world_calendar):
    for session in world_calendar.sessions_between(FIRST, LAST)[::12]:
        for quote in market.quotes_at(world_calendar.equities_close_at(session)).futures:
            assert quote.bid <= market.daily_settle(quote.contract, session) <= quote.ask


def test_a_world_without_sessions_is_refused(world_calendar):
    with pytest.raises(MarketDataMissing, match="no session from 2023-01-07 to 2023-01-08"):
        SyntheticMarket(world_calendar, first=date(2023, 1, 7), last=date(2023, 1, 8), seed=1)
