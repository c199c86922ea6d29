"""The hall of the museum: a short episode for each bug, lived with the bug or without it."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from pathlib import Path

import pytest

from bot.app import run
from bot.app.simulation import worlds
from bot.app.simulation.campaign import working_folder
from bot.app.simulation.episode import run_episode
from bot.app.simulation.faults import Fault
from bot.app.simulation.plan import EpisodePlan
from bot.app.simulation.stage import Stage, Violation
from bot.app.simulation.worlds import WorldPlan
from bot.gateway.fault_plan import PlannedFault
from state.errors import StateError
from strategies.model.calendars import at_exchange
from tests.simulation.museum.power import Machine, PowerCut
from tests.simulation.museum.watch import Watch
from tests.simulation.museum.wire import Wire

LIMITS = Path(__file__).parents[3] / "limits.yaml"
MONDAY = date(2020, 2, 3)
QUIET_MONDAY = WorldPlan(
    kind="replay", first=MONDAY, last=MONDAY, seed=7, cash_usd=1_000_000, packages_most=4
)
_WALK = "walk_seconds: 60"

Patch = Callable[[pytest.MonkeyPatch], None]
Guest = Callable[[Stage, Wire | None], None]


def at(hours: int, minutes: int = 0, seconds: int = 0, *, day: date = MONDAY) -> datetime:
    """Return an instant of New York, in UTC."""
    return at_exchange(day, time(hours, minutes, seconds)).astimezone(UTC)


_ELEVEN = at(11)


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """Where and when a bug shows.

    Attributes:
        world: The market.
        faults: Of the catalogue, in process.
        gateway: Faults of the gateway; None where there is none.
        calm_from: By when the gateway's faults are over.
        walk_s: How long orders walk.
        power_cut_at: When the power goes.
        guest: Puts something else on the stage.
    """

    world: WorldPlan = QUIET_MONDAY
    faults: Sequence[Fault] = ()
    gateway: Sequence[PlannedFault] | None = None
    calm_from: datetime = _ELEVEN
    walk_s: int = 60
    power_cut_at: datetime | None = None
    guest: Guest = lambda stage, wire: None

    def lasting(self, last: date) -> "Episode":
        """Return the episode with more days."""
        return replace(self, world=replace(self.world, last=last))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bug:
    """One exhibit."""

    number: int
    name: str
    what: str
    source: str
    caught_by: str  # the invariant
    episode: Episode
    patch: Patch


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What came of an episode."""

    violations: tuple[Violation, ...]
    waits_for: frozenset[str]  # faults that were planned and did not happen

    @property
    def found(self) -> frozenset[str]:
        """The invariants that did not hold."""
        return frozenset(each.invariant for each in self.violations)

    def evidence(self, invariant: str) -> str:
        """Return what was said first of an invariant that did not hold."""
        return next(each.detail for each in self.violations if each.invariant == invariant)


def live(episode: Episode, bug: Patch | None = None) -> Visit:
    """Return what came of an episode, lived with a bug or without one."""
    plan = EpisodePlan(seed=1, world=episode.world, faults=tuple(episode.faults))
    stages: list[Stage] = []
    watches: list[Watch] = []
    wires: list[Wire] = []
    machine = Machine()

    def prepare(stage: Stage) -> None:
        stages.append(stage)
        watches.append(Watch(stage))
        wire = None
        if episode.gateway is not None:
            wire = Wire(stage, episode.gateway, episode.calm_from, watches[0].placed)
            wires.append(wire)
        if episode.power_cut_at is not None:
            stage._at_work.append(PowerCut(episode.power_cut_at, machine, stage))
        episode.guest(stage, wire)

    class HeardAlerts:
        """Alerts that somebody may have heard."""

        def raise_alert(self, severity: str, text: str) -> None:
            if severity == "page":
                watches[0].pages.append(text)

    disk = nullcontext() if episode.power_cut_at is None else machine.running()
    with pytest.MonkeyPatch.context() as patch, working_folder() as folder, disk:
        walk = worlds._CONFIG.replace(_WALK, f"walk_seconds: {episode.walk_s}")
        patch.setattr(worlds, "_CONFIG", walk)
        patch.setattr(run, "LogAlerts", HeardAlerts)
        if bug is not None:
            bug(patch)
        try:
            run_episode(plan, LIMITS, folder / "museum", prepare=prepare)
        except StateError as refusal:  # the ledger is not opened any more
            stages[0].violate("I19", f"the bot cannot be started again: {refusal}"[:200])
    planned = {each.kind.value for each in episode.gateway or ()}
    planned |= {each.fault_id for each in episode.faults}
    struck = {each.kind.value for wire in wires for each in wire.plan.struck}
    return Visit(
        violations=tuple(stages[0].violations),
        waits_for=frozenset(planned - struck - stages[0].fired.keys()),
    )
