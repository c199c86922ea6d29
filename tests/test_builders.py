"""The literals tests are written in give back what they were read from."""

from datetime import date

import pytest

from strategies.model.quotes import Quote
from tests.builders import (
    condor_legs,
    daily_history,
    instrument,
    leg,
    market_snapshot,
    option,
    quote,
    vx_futures,
    weekday_calendar,
)


@pytest.mark.parametrize(
    "text", ["SPXW 18DEC26 5800 P", "VIX 18MAR20 22.5 C", "SPX 20MAR20 3250 C", "VX 15APR20"]
)
def test_an_instrument_literal_round_trips(text):
    assert str(instrument(text)) == text


def test_a_leg_literal_keeps_its_ratio_and_defaults_to_one():
    assert str(leg("-2 SPXW 18DEC26 5800 P")) == "-2 SPXW 18DEC26 5800 P"
    assert leg("VX 15APR20").ratio == 1


def test_a_quote_literal_is_bid_by_ask():
    assert quote("12.30 x 12.40") == Quote(bid=12.30, ask=12.40)


def test_a_condor_literal_names_its_four_options():
    legs = condor_legs("SPXW 18DEC26 6100/6150/7050/7100")
    assert legs.long_put == option("SPXW 18DEC26 6100 P")
    assert legs.short_call == option("SPXW 18DEC26 7050 C")
    assert legs.put_width == legs.call_width == 50


def test_a_calendar_has_the_weekdays_less_the_holidays():
    calendar = weekday_calendar(date(2020, 2, 3), date(2020, 2, 10), holidays=[date(2020, 2, 5)])
    assert [day.day for day in calendar.sessions] == [3, 4, 6, 7, 10]


def test_a_snapshot_is_consistent_in_itself():
    snapshot = market_snapshot()
    assert snapshot.opens_at < snapshot.at < snapshot.closes_at
    assert snapshot.history.session[-1].astype(date) < snapshot.session
    assert len(snapshot.market.spx_options.strike) > 1000
    assert [each.contract.root for each in vx_futures()[:2]] == ["VX", "VXM"]


def test_a_history_repeats_its_oldest_value_in_front_of_a_short_column():
    history = daily_history(sessions=5, vix=[20.0, 21.0])
    assert history.vix_close.tolist() == [20.0, 20.0, 20.0, 20.0, 21.0]
