"""A market that is old, of tomorrow, or standing still is no market to decide on."""

import asyncio
from datetime import timedelta

import pytest

from bot.engine.collect import Factors, collect_snapshot, nothing_fed
from bot.errors import MarketDataMissing
from strategies.model.errors import InvalidQuote
from tests import builders


class StandingFeed:
    """A MarketData that shows one market for ever."""

    def __init__(self, snapshot, refusal=None):
        self._snapshot = snapshot
        self._refusal = refusal

    async def fetch_market(self):
        if self._refusal is not None:
            raise self._refusal
        return self._snapshot.market

    async def fetch_history(self, before):
        return self._snapshot.history


def collect(*, late_s=0.0, decided_on=None, refusal=None):
    snapshot = builders.market_snapshot()
    return asyncio.run(
        collect_snapshot(
            StandingFeed(snapshot, refusal),
            session=snapshot.session,
            entry_due=False,
            calendar=builders.weekday_calendar(builders.TODAY, builders.TODAY),
            events_ahead=lambda session: None,
            factors=Factors((), nothing_fed),
            now=lambda: snapshot.at + timedelta(seconds=late_s),
            max_age=timedelta(seconds=120),
            decided_on=decided_on,
        )
    )


def test_a_market_of_now_or_just_before_is_taken():
    assert collect().at == builders.AT
    assert collect(late_s=120).at == builders.AT


@pytest.mark.parametrize("late_s", [120.001, -2.001, 86_400])
def test_a_market_that_is_too_old_or_of_the_future_is_refused(late_s):
    """Fault D1: stale quotes are no market."""
    with pytest.raises(MarketDataMissing, match="not of now"):
        collect(late_s=late_s)


def test_a_feed_that_stands_still_is_not_decided_on_twice():
    """Fault D1: stale quotes are no market."""
    with pytest.raises(MarketDataMissing, match="stands still"):
        collect(decided_on=builders.AT)


def test_a_market_with_a_broken_print_is_refused_and_not_decided_on():
    with pytest.raises(MarketDataMissing, match="makes no sense: the rate is nan"):
        collect(refusal=InvalidQuote("the rate is nan"))
