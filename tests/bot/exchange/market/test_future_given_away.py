"""What has been seen of a replayed day says little of the rest of it."""

from collections import defaultdict
from datetime import date

import numpy as np
import pytest

from benchmarks.intraday_paths import (
    foretold,
    lag_one,
    quarter_hour_returns,
    rank_correlation,
    recorded_returns,
    residuals_seen_and_to_come,
    variance_ratio,
    whole_sessions,
)
from bot.exchange.replay import ReplayMarket
from bot.exchange.residuals import ELASTICITIES
from tests.bot.exchange.market.conftest import FIRST as SPRING_FIRST
from tests.bot.exchange.market.conftest import LAST as SPRING_LAST

FIRST, LAST = date(2016, 1, 4), date(2025, 12, 31)
EVERY = 12  # sessions
SEEDS = 6


@pytest.fixture(scope="module")
def decade(history, calendar) -> ReplayMarket:
    return ReplayMarket(history, calendar, first=FIRST, last=LAST, seed=7)


@pytest.fixture(scope="module")
def sessions(calendar) -> list[date]:
    return whole_sessions(calendar, FIRST, LAST)[::EVERY]


@pytest.fixture(scope="module")
def springs(history, calendar) -> list[ReplayMarket]:
    """Several draws of the same three months: they hold few days, and fewer that matter."""
    return [
        ReplayMarket(history, calendar, first=SPRING_FIRST, last=SPRING_LAST, seed=seed)
        for seed in range(SEEDS)
    ]


def test_what_vix_does_not_explain_by_0945_says_little_of_the_rest(decade, history, sessions):
    pairs = residuals_seen_and_to_come(decade, history, sessions)
    assert set(pairs) == {"VX 1-2", "VX 3-6", *ELASTICITIES}
    for name, found in pairs.items():
        assert len(found) >= 200
        assert abs(rank_correlation(found)) < 0.2, name


def test_nor_does_it_in_the_panic_of_2020(springs, history, calendar):
    pooled = defaultdict(list)
    for market in springs:
        days = whole_sessions(calendar, SPRING_FIRST, SPRING_LAST)
        for name, found in residuals_seen_and_to_come(market, history, days).items():
            pooled["futures" if name.startswith("VX ") else "indices"].append(found)
    for name, draws in pooled.items():
        assert abs(rank_correlation(np.concatenate(draws))) < 0.2, name


def test_spx_neither_trends_nor_reverts_within_the_day(decade, sessions):
    returns = quarter_hour_returns(decade, sessions)
    assert abs(lag_one(returns)) < 0.08
    assert 0.8 < variance_ratio(returns) < 1.25


def test_spring_2020_neither_trends_nor_reverts_within_the_day(springs, calendar):
    days = whole_sessions(calendar, SPRING_FIRST, SPRING_LAST)
    returns = [quarter_hour_returns(market, days) for market in springs]
    assert abs(np.mean([lag_one(each) for each in returns])) < 0.05
    assert 0.8 < np.mean([variance_ratio(each) for each in returns]) < 1.25


def test_the_first_quarter_of_an_hour_foretells_no_more_than_it_did_in_the_market(decade, sessions):
    # recorded 2025-26: 0.20
    assert abs(foretold(quarter_hour_returns(decade, sessions))) < 0.3


def test_recorded_quarter_hours_are_like_the_replayed_ones(shared_data, decade, sessions):
    recorded = recorded_returns(shared_data / "intraday")
    replayed = quarter_hour_returns(decade, sessions)
    assert len(recorded) > 200
    assert lag_one(replayed) == pytest.approx(lag_one(recorded), abs=0.12)
    assert variance_ratio(replayed) == pytest.approx(variance_ratio(recorded), abs=0.25)
