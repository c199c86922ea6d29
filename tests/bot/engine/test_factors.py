"""Factor feeds on their way into a snapshot (E): once a session, absent rather than wrong."""

import asyncio
from datetime import date

import numpy as np

from bot.engine.collect import Factors, nothing_fed
from bot.ports import DailyCloses
from strategies.model.factors import absent, known_before
from strategies.model.rules import FactorRule

STRESS = FactorRule(name="stress", source="csv", series="stress.csv", fear_above=1.0)
SKEW = FactorRule(name="skew", source="ib", series="SKEW", fear_above=140.0)
NAMELESS = FactorRule(name="dvol", source="ib", series="DVOL", fear_above=80.0)
MONDAY, TUESDAY = date(2020, 3, 16), date(2020, 3, 17)
DAYS = np.array(["2020-03-12", "2020-03-13", "2020-03-16"], dtype="datetime64[D]")


class SkewFeed:
    """A MarketData that supplies SKEW, also of days that are not over."""

    def __init__(self):
        self.asked = []

    async def fetch_closes(self, symbol, before):
        self.asked.append((symbol, before))
        return DailyCloses(day=DAYS, close=np.arange(3.0)) if symbol == "SKEW" else None


def collect(factors, feed, session):
    return asyncio.run(factors.before(session, feed))


def test_e_feeds_come_in_the_order_of_the_rules_and_know_nothing_of_the_day():
    feed = SkewFeed()
    stress, skew, dvol = collect(Factors((STRESS, SKEW, NAMELESS), nothing_fed), feed, MONDAY)
    assert (stress.name, stress.problem) == ("stress", "nobody reads stress.csv here")
    assert skew.day.tolist() == [date(2020, 3, 12), date(2020, 3, 13)]
    assert (dvol.day.size, dvol.problem) == (0, "the broker does not supply DVOL")


def test_e_feeds_are_collected_once_a_session_and_are_the_same_object_all_day():
    asked, feed = [], SkewFeed()

    def read(rule, session):
        asked.append(session)
        return absent(rule, "gone")

    factors = Factors((STRESS, SKEW), read)
    morning = collect(factors, feed, MONDAY)
    assert collect(factors, feed, MONDAY) is morning
    assert asked == [MONDAY]
    next_day = collect(factors, feed, TUESDAY)
    assert asked == [MONDAY, TUESDAY]
    assert feed.asked == [("SKEW", MONDAY), ("SKEW", TUESDAY)]
    assert next_day[1].day.size == 3


def test_e_a_lag_holds_for_what_the_broker_supplies_too():
    lagging = FactorRule(name="skew", source="ib", series="SKEW", fear_above=1.0, lag=1)
    (skew,) = collect(Factors((lagging,), nothing_fed), SkewFeed(), MONDAY)
    assert skew.day.tolist() == [date(2020, 3, 12)]
    assert known_before(DAYS, np.arange(3.0), SKEW, TUESDAY).day.size == 3
