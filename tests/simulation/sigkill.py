"""Real SIGKILLs at random instants of a real bot on a real file system (fault C1).

A world is built once; each life of a bot is a child process that lives in it, from start-up to the
end of a story, and is killed at an instant drawn at random. The next child takes over from the
files, and is killed in its turn, until one reaches the end. Then ledger, exchange and a backup are
compared: fills one to one, positions, cash to the cent, no purpose traded twice. Forking saves the
second that an interpreter takes to import the bot; for the files it writes, the child is a process
like any other.

    python -m tests.simulation.sigkill --kills 500 --seed 1 --out evidence.json
"""

import argparse
import json
import os
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from bot.app.accounts import open_account
from bot.app.commands.inputs import paths_of, read_config
from bot.app.config.loader import LoadedConfig
from bot.app.reports import RunOptions
from bot.app.run import live
from bot.app.wiring import World, build_world, wire
from bot.clock import SystemClock
from bot.errors import BotError
from bot.exchange.thin import ThinReplayMarket
from state.backups import DATABASE, take_backup
from state.errors import StateError
from state.files import file_system_of
from state.ledger import Ledger
from strategies.model.fills import Fill

ROOT = Path(__file__).parents[2]
CONFIG = """\
name: sigkill
broker:
  kind: simulated
  transport: in_process
  starting_cash_usd: 1_000_000
  seed: {seed}
  market: {{kind: replay, from: {first}, to: {last}}}
limits: limits.yaml
schedule: {{interval_minutes: 60, first_interval: "10:00", last_interval: "14:00"}}
"""
# One purpose of one plan never trades more than it was meant to, whatever its attempts
_TOO_MUCH = """
SELECT orders.decision_id, orders.purpose, sum(states.filled), max(orders.quantity)
FROM orders JOIN order_states AS states USING (client_order_id)
GROUP BY orders.decision_id, orders.purpose HAVING sum(states.filled) > max(orders.quantity)
"""
_LIFE_ENDS_S = 120.0  # a life that hangs is a failure, not a wait
_POLL_S = 0.002
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class Silent:
    """An observer that looks away."""

    def on_interval(self, report: object) -> None:
        pass

    def on_session(self, report: object) -> None:
        pass

    def on_note(self, text: str) -> None:
        pass


@dataclass(slots=True, kw_only=True)
class Evidence:
    """What was done, and what came of it."""

    seed: int
    kills: int = 0
    stories: int = 0  # lived to the end after their kills, and compared
    undisturbed: int = 0  # of these, with the very fills of a story in peace
    lives: int = 0
    kills_in_a_story: list[int] = field(default_factory=list)
    found_dead_with: dict[str, int] = field(default_factory=dict)  # files beside the database
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0
    python: str = sys.version.split()[0]
    file_system: str | None = None


class Bot:
    """A configuration and its world; ``live`` is one life, in this process."""

    def __init__(self, folder: Path, *, seed: int, first: str, last: str) -> None:
        shutil.copy(ROOT / "limits.yaml", folder)
        path = folder / "config.yaml"
        path.write_text(CONFIG.format(seed=seed, first=first, last=last))
        self.config: LoadedConfig = read_config(path, [])
        world = build_world(self.config)
        assert isinstance(world, World), "a simulated one"
        market = world.broker.market
        thin = ThinReplayMarket(  # few contracts: a life is short, and its files are the same
            world.history, world.calendar, first=market.first, last=market.last, seed=seed
        )
        self._world = replace(world, market=thin)

    def live(self, state_dir: Path) -> str | None:
        """Live to the end of the story; return what halted it."""
        paths = paths_of(self.config, state_dir)
        with Ledger.open(
            paths.database,
            mode=self.config.mode,
            account=self.config.account,
            now=SystemClock().now(),
        ) as ledger:
            wiring = wire(self._world, paths)
            outcome = live(self.config, paths, RunOptions(), Silent(), wiring=wiring, ledger=ledger)
        return outcome.halted or "; ".join(outcome.differences) or None

    def start(self, state_dir: Path) -> int:
        """Let a child live; return its process id."""
        child = os.fork()
        if child:
            return child
        try:  # whatever happens, the child must not return into its parent's work
            halted = self.live(state_dir)
            if halted is not None:
                (state_dir / "halted.txt").write_text(halted)
            os._exit(0 if halted is None else 1)
        except BaseException as failure:  # noqa: BLE001 told to the parent
            (state_dir / "halted.txt").write_text(repr(failure))
            os._exit(2)

    def fills(self, state_dir: Path) -> tuple[Fill, ...]:
        """Check ledger, backup and exchange against each other; return what was traded."""
        config, paths = self.config, paths_of(self.config, state_dir)
        exchange = open_account(self._world.broker, self._world.market, paths.exchange_journal)
        with Ledger.open(
            paths.database, mode=config.mode, account=config.account, now=SystemClock().now()
        ) as ledger:
            _require(ledger.rebuild_projections_and_compare() == (), "projections differ")
            # Its journal ends with the last thing it was told; what was at work traded after that
            exchange.advance_to(ledger.last_event_at() or exchange.now)
            booked = ledger.fills_since(_LONG_AGO)
            _require(booked == exchange.fills(_LONG_AGO), "fills are not those of the exchange")
            _require(ledger.positions() == exchange.positions(), "positions differ")
            _require(ledger.cash_usd() == exchange.account().cash_usd, "cash differs")
            _require(not ledger.open_intents(), "an order is still in the air")
        take_backup(paths.database, state_dir / "copy", {}, SystemClock().now())  # reads it all
        connection = sqlite3.connect(state_dir / "copy" / DATABASE)
        try:
            _require(connection.execute(_TOO_MUCH).fetchall() == [], "traded more than was meant")
        finally:
            connection.close()
        return booked


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise WrongBooks(what)


class WrongBooks(Exception):
    """What a story left behind does not fit together."""


def wait(child: int, seconds: float) -> int | None:
    """Wait for a child so long; return its exit code, None if it still lives."""
    ends = time.monotonic() + seconds
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() >= ends:
            return None
        time.sleep(_POLL_S)  # noqa: TID251 real processes are waited for


def kill_and_compare(
    folder: Path,
    *,
    kills: int,
    seed: int,
    first: str = "2020-02-24",
    last: str = "2020-02-25",
    tell: Callable[[Evidence], None] = lambda _: None,
) -> Evidence:
    """Kill bots so often; every story must end as if nobody had been killed."""
    dice = np.random.default_rng(seed)
    evidence = Evidence(seed=seed)
    began = time.monotonic()
    bot = Bot(folder, seed=11, first=first, last=last)
    peaceful = folder / "peaceful"
    peaceful.mkdir()
    lasted = time.monotonic()
    assert wait(bot.start(peaceful), _LIFE_ENDS_S) == 0, "the story does not end in peace"
    lasted = time.monotonic() - lasted
    wanted = bot.fills(peaceful)
    assert wanted, "a story without fills proves nothing"
    evidence.file_system = file_system_of(folder)
    while evidence.kills < kills:
        evidence.seconds = round(time.monotonic() - began, 1)
        tell(evidence)  # of the stories so far
        state_dir = folder / f"story-{evidence.stories}"
        state_dir.mkdir()
        killed = _live_through(bot, state_dir, dice, lasted, evidence)
        evidence.kills_in_a_story.append(killed)
        evidence.stories += 1
        halted = state_dir / "halted.txt"
        if halted.exists():
            evidence.failures.append(f"story {evidence.stories}: {halted.read_text()}")
            continue
        try:
            evidence.undisturbed += bot.fills(state_dir) == wanted
        except (WrongBooks, StateError, BotError) as failure:
            evidence.failures.append(f"story {evidence.stories}: {failure}")
            continue
        shutil.rmtree(state_dir)
    evidence.seconds = round(time.monotonic() - began, 1)
    return evidence


def _live_through(
    bot: Bot, state_dir: Path, dice: np.random.Generator, lasted: float, evidence: Evidence
) -> int:
    """Live and be killed until a life reaches the end; return the kills."""
    killed = 0
    while True:
        evidence.lives += 1
        child = bot.start(state_dir)
        # Short lives die in recovery, long ones in the middle of a day
        code = wait(child, float(dice.uniform(0.0, lasted * dice.choice([0.1, 0.5, 1.0]))))
        if code is None:
            os.kill(child, signal.SIGKILL)
            code = wait(child, _LIFE_ENDS_S)
        if code != -signal.SIGKILL:
            return killed
        killed += 1
        evidence.kills += 1
        beside = sorted(path.suffix.lstrip(".") for path in state_dir.glob("*.sqlite*"))
        files = " ".join(beside) or "nothing"
        evidence.found_dead_with[files] = evidence.found_dead_with.get(files, 0) + 1


def main() -> None:
    """Kill as often as the command line says, and write the evidence."""
    parser = argparse.ArgumentParser(description="Kill a bot at random instants.")
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()

    def tell(evidence: Evidence) -> None:
        if options.out is not None:
            options.out.write_text(json.dumps(asdict(evidence), indent=1) + "\n")

    with tempfile.TemporaryDirectory(prefix="sigkill-") as folder:
        evidence = kill_and_compare(Path(folder), kills=options.kills, seed=options.seed, tell=tell)
    tell(evidence)
    print(json.dumps(asdict(evidence), indent=1))  # noqa: T201 the answer
    sys.exit(1 if evidence.failures else 0)


if __name__ == "__main__":
    main()
