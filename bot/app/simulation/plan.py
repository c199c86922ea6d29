"""What an episode is: a world and a list of faults, drawn from one seed, written down as JSON."""

import json
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any, Final

import numpy as np

from bot.app.simulation import families
from bot.app.simulation.faults import Fault
from bot.app.simulation.injectors import INJECTORS, draw_fault
from bot.app.simulation.worlds import WorldPlan, build_scenery, draw_world
from strategies.model.calendars import at_exchange
from strategies.model.encoding import from_json, to_json

# When the bot is at work; what goes wrong at other times is seldom noticed
_BUSY: Final = (time(10, 0), time(15, 0), time(16, 20))
_BUSY_SHARES: Final = (0.45, 0.4, 0.15)
_BEFORE_SHARE: Final = 0.6  # of the faults begin before the bot looks, the others while it works
_BEFORE_S: Final = 20.0
_AFTER_S: Final = 60.0
_FAULTS_A_SESSION: Final = (6.0, 10.0, 15.0)  # quiet, usual, stormy
_WEATHER: Final = "BD"  # connection and market data: while they fail nothing is traded
_WEATHER_SHARE: Final = 0.4  # of the sessions
_KILLS_A_SESSION: Final = 1.1
_SWIZZLES_A_MONTH: Final = 1.5
_SWIZZLED: Final = ("B1", "B14", "B4", "C6")  # gateway, data, socket, database


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodePlan:
    """One bot-month."""

    seed: int
    world: WorldPlan
    faults: tuple[Fault, ...]

    def only(self, faults: tuple[Fault, ...]) -> "EpisodePlan":
        """Return the plan with fewer faults."""
        return replace(self, faults=faults)


def draw_plan(seed: int) -> EpisodePlan:
    """Return the plan of a seed: the same one wherever and whenever it is drawn."""
    assert families.REGISTERED, "faults are registered"
    dice = np.random.default_rng(np.random.SeedSequence((seed, 0x51)))
    world = draw_world(dice)
    calendar = build_scenery(world).calendar
    sessions = calendar.sessions_between(world.first, world.last)
    rate = float(dice.choice(_FAULTS_A_SESSION))
    lively = [name for name in sorted(INJECTORS) if not INJECTORS[name].kills]
    trading = [name for name in lively if name[0] not in _WEATHER]
    deadly = [name for name in sorted(INJECTORS) if INJECTORS[name].kills]
    faults: list[Fault] = []
    for session in sessions:
        among = lively if dice.random() < _WEATHER_SHARE else trading
        drawn = _draw_ids(dice, among, int(dice.poisson(rate)))
        drawn += _draw_ids(dice, deadly, int(dice.poisson(_KILLS_A_SESSION)))
        faults += [draw_fault(dice, name, _draw_instant(dice, session)) for name in drawn]
    for _ in range(int(dice.poisson(_SWIZZLES_A_MONTH))):
        session = sessions[int(dice.integers(len(sessions)))]
        faults += _swizzle(dice, _draw_instant(dice, session))
    return EpisodePlan(seed=seed, world=world, faults=tuple(faults))


def _draw_instant(dice: np.random.Generator, session: date) -> datetime:
    """Return an instant about which the bot is at work."""
    busy = _BUSY[int(dice.choice(len(_BUSY), p=_BUSY_SHARES))]
    is_before = dice.random() < _BEFORE_SHARE
    offset = dice.uniform(-_BEFORE_S, -1) if is_before else dice.uniform(0, _AFTER_S)
    return at_exchange(session, busy) + timedelta(seconds=round(float(offset)))


def _draw_ids(dice: np.random.Generator, names: list[str], count: int) -> list[str]:
    weights = np.array([INJECTORS[name].weight for name in names])
    return [str(name) for name in dice.choice(names, size=count, p=weights / weights.sum())]


def _swizzle(dice: np.random.Generator, at: datetime) -> list[Fault]:
    """Return outages that start in a random order and heal in another."""
    faults = []
    for fault_id in dice.permutation(_SWIZZLED):
        fault = draw_fault(dice, str(fault_id), at + timedelta(seconds=int(dice.integers(90))))
        faults.append(
            replace(fault, until=fault.at + timedelta(seconds=int(dice.integers(5, 240))))
        )
    return faults


def plan_to_json(plan: EpisodePlan) -> str:
    """Return a plan as a text that ``plan_from_json`` reads back."""
    return json.dumps(json.loads(to_json(plan)), indent=1)


def plan_from_json(text: str) -> EpisodePlan:
    """Return the plan that ``plan_to_json`` wrote."""
    plan: Any = from_json(EpisodePlan, text)
    assert isinstance(plan, EpisodePlan), "a plan was written"
    return plan
