"""Where an episode happens: a month of a real or an invented market, and a bot's configuration."""

import calendar as months
import shutil
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Final, Literal

import numpy as np

from bot.app.config.loader import LoadedConfig, load_config
from bot.app.wiring import calendar_around
from bot.errors import MarketDataMissing
from bot.exchange.market import Market
from bot.exchange.thin import ThinReplayMarket, ThinSyntheticMarket
from bot.history.factors import FactorFiles
from bot.history.store import History
from strategies.model.calendars import TradingCalendar

_REPLAYED_SHARE: Final = 0.6
_REPLAYED_YEARS: Final = (2008, 2026)  # the indices a replay needs begin in 2007
_INVENTED_YEARS: Final = (1990, 2027)
_LIVELY_SHARE: Final = 0.8  # of the months have weekly options: more is traded in them
_LIVELY_SINCE: Final = 2011
_CASH_USD: Final = (1_000_000, 1_150_000)  # more would ask for condors beyond the limits
_CONFIG = """\
name: simulation
broker:
  kind: simulated
  transport: in_process
  starting_cash_usd: {cash}
  seed: {seed}
  market: {{kind: {kind}, from: {first}, to: {last}}}
  fill_model: {{spx_option_packages: {packages}}}
limits: limits.yaml
execution: {{walk_seconds: 60, walk_step_seconds: 60}}
schedule:
  entries: "mon,tue,wed,thu,fri 10:00"
  interval_minutes: 300
  first_interval: "10:00"
  last_interval: "15:00"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldPlan:
    """Which market, from when to when, and what the account begins with."""

    kind: Literal["replay", "synthetic"]
    first: date
    last: date
    seed: int  # of the market's paths and of luck
    cash_usd: int
    packages_most: int  # of an option package shown at once; few make partial fills


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenery:
    """A world built: nothing in it depends on what the bot does."""

    market: Market
    calendar: TradingCalendar
    history: History
    factors: FactorFiles


def draw_world(dice: np.random.Generator) -> WorldPlan:
    """Return a month of one of the two kinds of market; days without data are drawn again."""
    while True:
        is_replayed = dice.random() < _REPLAYED_SHARE
        years = _REPLAYED_YEARS if is_replayed else _INVENTED_YEARS
        earliest = _LIVELY_SINCE if dice.random() < _LIVELY_SHARE else years[0]
        year, month = int(dice.integers(earliest, years[1] + 1)), int(dice.integers(1, 13))
        world = WorldPlan(
            kind="replay" if is_replayed else "synthetic",
            first=date(year, month, 1),
            last=date(year, month, months.monthrange(year, month)[1]),
            seed=int(dice.integers(1, 1_000_000)),
            cash_usd=int(dice.choice(_CASH_USD)),
            packages_most=int(dice.choice([12, 40, 80])),
        )
        try:
            build_scenery(world)
        except MarketDataMissing:
            continue
        return world


def build_scenery(world: WorldPlan) -> Scenery:
    """Return the world of a plan; history is read once a process. Raises MarketDataMissing."""
    history = _history()
    calendar = calendar_around(world.first, world.last)
    if world.kind == "replay":
        market: Market = ThinReplayMarket(
            history, calendar, first=world.first, last=world.last, seed=world.seed
        )
    else:
        market = ThinSyntheticMarket(
            calendar,
            first=world.first,
            last=world.last,
            seed=world.seed,
            events=history.events(),
        )
    factors = FactorFiles(history, Path, world.last)
    return Scenery(market=market, calendar=calendar, history=history, factors=factors)


@cache
def _history() -> History:
    return History.bundled()


def write_config(world: WorldPlan, limits: Path, folder: Path) -> LoadedConfig:
    """Write the bot's configuration into an empty folder, and return it as the bot reads it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copy(limits, folder / "limits.yaml")
    path = folder / "config.yaml"
    path.write_text(
        _CONFIG.format(
            cash=world.cash_usd,
            seed=world.seed,
            kind=world.kind,
            first=world.first,
            last=world.last,
            packages=f"[1, {world.packages_most}]",
        )
    )
    return load_config(path, environment={})
