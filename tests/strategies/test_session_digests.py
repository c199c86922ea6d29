"""What stays the same all session is hashed once, and still decides the plan's id to the bit."""

from dataclasses import fields, replace

import numpy as np
import pytest

from strategies.decide import decide
from strategies.model.memory import Memory
from strategies.model.rules import Rules
from strategies.model.snapshots import DailyHistory, FactorSeries
from tests.builders import account, book, daily_history, market_snapshot

DAYS = np.array(["2020-01-30", "2020-01-31"], dtype="datetime64[D]")
STRESS = FactorSeries(name="stress", day=DAYS, value=np.array([1.0, 2.0]))
COLUMNS = [entry.name for entry in fields(DailyHistory)]


def plan_id(snapshot) -> str:
    return decide(snapshot, book(), account(), Memory(), Rules())[0].plan_id


@pytest.mark.parametrize(
    "changed",
    [
        {"name": "other"},
        {"day": DAYS - 1},
        {"value": np.array([1.0, np.nextafter(2.0, 3.0)])},
        {"problem": "gone"},
        {"day": DAYS[:1], "value": np.array([1.0])},
    ],
)
def test_e_whatever_a_factor_says_is_part_of_the_plans_id(changed):
    other = replace(STRESS, **changed)
    first = plan_id(market_snapshot(factors=(STRESS,)))
    assert plan_id(market_snapshot(factors=(replace(STRESS),))) == first
    assert plan_id(market_snapshot(factors=(other,))) != first
    assert plan_id(market_snapshot()) != first
    assert plan_id(market_snapshot(factors=(STRESS, other))) != first


@pytest.mark.parametrize("name", [name for name in COLUMNS if name != "session"])
def test_every_column_of_the_history_is_part_of_the_plans_id(name):
    history = daily_history()
    column = getattr(history, name).copy()
    column[-3] = 1.0 if np.isnan(column[-3]) else np.nextafter(column[-3], np.inf)
    first = plan_id(market_snapshot(history=history))
    assert plan_id(market_snapshot(history=replace(history))) == first
    assert plan_id(market_snapshot(history=replace(history, **{name: column}))) != first
