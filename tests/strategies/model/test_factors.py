"""E: what of a factor feed was known before a session."""

from datetime import date

import numpy as np
import pytest

from strategies.model.factors import absent, known_before
from strategies.model.rules import FactorRule
from strategies.model.snapshots import HISTORY_FROM

DAYS = np.array(
    ["2003-12-31", "2020-02-06", "2020-02-07", "2020-02-08", "2020-02-10"], dtype="datetime64[D]"
)
VALUES = np.arange(5.0)


def rule(lag: int) -> FactorRule:
    return FactorRule(
        name="stress",
        source="csv",
        series="stress.csv",
        transform="level",
        fear_above=1.0,
        lag=lag,
    )


@pytest.mark.parametrize(
    ("lag", "session", "last"),
    [
        (0, "2020-02-07", "2020-02-06"),  # strictly before the session
        (0, "2020-02-11", "2020-02-10"),
        (1, "2020-02-07", None),  # Thursday's is published on Friday
        (1, "2020-02-10", "2020-02-06"),
        (1, "2020-02-11", "2020-02-07"),  # Friday's on Monday
        (1, "2020-02-12", "2020-02-10"),  # Saturday's counts as Monday's, both on Tuesday
    ],
)
def test_e_an_observation_is_known_from_the_day_after_it_was_published(lag, session, last):
    known = known_before(DAYS, VALUES, rule(lag), date.fromisoformat(session))
    days = known.day.astype(str).tolist()
    assert (days[-1] if days else None) == last
    assert (known.name, known.problem) == ("stress", "")
    assert known.value.tolist() == VALUES[1 : 1 + len(days)].tolist()


def test_e_nothing_from_before_the_history_is_looked_at():
    assert date(2003, 12, 31) < HISTORY_FROM
    assert len(known_before(DAYS, VALUES, rule(0), date(2004, 1, 5)).day) == 0


def test_e_an_absent_feed_has_no_observation_and_says_why():
    feed = absent(rule(0), "no file")
    assert (feed.name, feed.problem, len(feed.day), len(feed.value)) == ("stress", "no file", 0, 0)
