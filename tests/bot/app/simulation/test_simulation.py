"""Simulated months: what they find, that they repeat, and that they can be made small."""

import json
import os
from dataclasses import replace
from datetime import date, time, timedelta
from pathlib import Path

import numpy as np
import pytest

from bot.app.simulation.campaign import be_quiet, simulate
from bot.app.simulation.catalogue import catalogued_faults, invariants
from bot.app.simulation.episode import EpisodeResult, run_episode
from bot.app.simulation.evidence import Evidence, write_evidence
from bot.app.simulation.faults import Fault
from bot.app.simulation.injectors import INJECTORS, draw_fault
from bot.app.simulation.plan import EpisodePlan, draw_plan, plan_from_json, plan_to_json
from bot.app.simulation.shrink import shrink
from bot.app.simulation.truth import Truth
from bot.app.simulation.worlds import WorldPlan
from state.crash_points import CrashPoint
from strategies.model.calendars import at_exchange

LIMITS = Path(__file__).parents[4] / "limits.yaml"
WORLD = WorldPlan(
    kind="replay",
    first=date(2012, 4, 2),
    last=date(2012, 4, 5),
    seed=11,
    cash_usd=1_000_000,
    packages_most=20,
)
TEN = at_exchange(date(2012, 4, 2), time(10, 0))


@pytest.fixture(autouse=True)
def _quiet():
    be_quiet()


def fault(fault_id: str, *, minutes: float = 0, lasts: float = 600, **arguments: float) -> Fault:
    """Return a fault so many minutes after ten o'clock on the first day."""
    at = TEN + timedelta(minutes=minutes)
    until = at + timedelta(minutes=lasts)
    return Fault(fault_id=fault_id, at=at, until=until, arguments=dict(arguments))


def episode(folder: Path, *faults: Fault) -> EpisodeResult:
    """Live the first days of April 2012 with some faults."""
    plan = EpisodePlan(seed=1, world=WORLD, faults=faults)
    return run_episode(plan, LIMITS, folder / "episode")


def test_a_month_in_peace_trades_and_breaks_nothing(tmp_path):
    result = episode(tmp_path)
    assert result.violations == ()
    assert (result.lives, result.halts, result.faults.total()) == (1, 0, 0)
    assert result.fills
    assert {"I1", "I2", "I3", "I4", "I5", "I7", "I14", "I15", "I17", "I19"} <= set(result.checks)


def test_deaths_and_faults_are_survived_and_the_same_seed_leaves_the_same_ledger(tmp_path):
    faults = (
        fault("A2", minutes=-1, lasts=4000),
        fault("A10", minutes=-1, lasts=4000),
        fault("C1", minutes=149, after=10.0),
        fault("B1", minutes=299, lasts=8),
        fault("A6", minutes=1000, lasts=3000),
    )
    once, again = episode(tmp_path, *faults), episode(tmp_path, *faults)
    assert once.violations == ()
    assert once.deaths.total() >= 1
    assert {"A2", "C1", "A10"} <= set(once.faults)
    assert once.ledger_hash == again.ledger_hash  # I23


def test_twenty_months_that_nobody_chose_break_nothing():
    sums = Evidence(commit="")
    simulate(range(20), LIMITS, jobs=os.cpu_count() or 1, evidence=sums)
    assert sums.violations == []
    assert len(sums.hashes) == 20
    assert sums.crashes >= 100
    assert sums.effects >= 1000
    assert len(sums.faults) >= 30
    assert sums.fills >= 200
    assert set(sums.points) == {str(point) for point in CrashPoint}  # each is reached


@pytest.mark.parametrize(
    "fault_id",
    ["A9", "A13", "A21", "A26", "A27", "A29", "A31", "A32", "A33", "B3", "C15", "D6", "D7", "E4"],
)
def test_what_seldom_happens_breaks_nothing(tmp_path, fault_id):
    result = episode(tmp_path, fault(fault_id, minutes=-1, lasts=5000, jump_s=5.0))
    assert result.violations == ()
    assert set(result.faults) == {fault_id}


def test_a_ledger_that_books_what_was_not_executed_is_found_out(tmp_path, monkeypatch):
    honest = Truth.fills
    monkeypatch.setattr(Truth, "fills", lambda truth, *since: honest(truth, *since)[:-1])
    found = {each.invariant for each in episode(tmp_path).violations}
    assert "I3" in found


def test_a_plan_can_be_written_down_and_read_back():
    plan = draw_plan(5)
    assert plan.faults
    assert plan_from_json(plan_to_json(plan)) == plan
    assert draw_plan(5) == plan
    assert draw_plan(6).world != plan.world


def test_every_class_of_faults_is_in_the_catalogue_and_can_be_drawn():
    known = {each.fault_id for each in catalogued_faults()}
    assert set(INJECTORS) <= known
    assert len(INJECTORS) >= 40
    for name in INJECTORS:
        drawn = draw_fault(np.random.default_rng(1), name, TEN)
        assert drawn.until > drawn.at, name


def test_shrinking_leaves_the_faults_that_matter():
    plan = EpisodePlan(
        seed=1,
        world=WORLD,
        faults=tuple(fault("B1", minutes=number) for number in range(40)),
    )
    guilty = (plan.faults[7], plan.faults[31])
    asked = []

    def fails(smaller: EpisodePlan) -> bool:
        asked.append(smaller)
        return all(each in smaller.faults for each in guilty)

    assert shrink(plan, fails).faults == guilty
    assert len(asked) < 80
    assert shrink(plan, lambda _: True).faults == ()


def test_evidence_counts_and_keeps_what_others_wrote(tmp_path):
    result = episode(tmp_path, fault("B1", minutes=-1, lasts=2))
    sums = Evidence(commit="abc")
    sums.add(result)
    sums.add(replace(result, seed=2))
    sums.fail(3, "unexpected error")
    path = tmp_path / "evidence.json"
    path.write_text(json.dumps({"museum_caught": 16, "faults": 1}))
    write_evidence(path, sums.document(12.0))
    written = json.loads(path.read_text())
    assert written["museum_caught"] == 16
    assert written["sigkills"] == 0
    assert written["per_fault"] == {"B1": 2}
    assert written["faults"] >= written["fault_activations"] == 2
    assert written["bot_years"] == round(2 * result.sessions / 252, 2)
    assert set(written["per_invariant"]) <= {each.invariant_id for each in invariants()}
    assert [each["seed"] for each in written["violations"]] == [3]
