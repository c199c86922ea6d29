"""Every numbered crash point of the twelve canonical scenarios, in five flavours.

A flavour is where a death falls: before a commit, after it and before the wire, after the wire and
before its answer, after the answer and before its commit, and during recovery from such a death.
After each death a new process finishes the job, and what must always hold is checked against the
exchange's own records.
"""

import hashlib
import itertools
import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.app.commands.inputs import paths_of, read_config
from bot.app.reports import RunOptions
from bot.app.run import Outcome, live
from bot.clock import SystemClock
from state.crash_points import CrashPoint, SimulatedDeath, crashing
from state.ledger import Ledger
from strategies.model.breaks import BreakKind
from strategies.model.instruments import OptionContract, parse_symbol
from strategies.pricing.margin import is_covered
from tests.simulation.canonical import CONFIG, INTERFERENCE, STORY, Scenario, exchange_of, wire

ROOT = Path(__file__).parents[2]
INTERFERED = "manual interference"
SCENARIOS = {**STORY, INTERFERED: INTERFERENCE}
SWEPT = [name for name, scenario in SCENARIOS.items() if scenario.is_swept]
_MEMORY = Path("/dev/shm")
_REMEMBERED = {".sqlite", ".sqlite-wal", ".anchor", ".jsonl", ".json", ".override"}
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


class Silent:
    """An observer that looks away."""

    def on_interval(self, report: object) -> None:
        pass

    def on_session(self, report: object) -> None:
        pass

    def on_note(self, text: str) -> None:
        pass


class Death:
    """Comes at a numbered crash point; what was under way beside it dies with it."""

    def __init__(self, number: int) -> None:
        self._left = number

    def __call__(self, point: CrashPoint) -> None:
        self._left -= 1
        if self._left <= 0:
            raise SimulatedDeath(point)


class Canonical:
    """The story, lived once in peace, with an image of the files before each of its jobs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        shutil.copy(ROOT / "limits.yaml", folder)
        (folder / "config.yaml").write_text(CONFIG)
        self.config = read_config(folder / "config.yaml", [])
        self.images: dict[str, Path] = {}
        current = folder / "whole"
        current.mkdir()
        for name, scenario in STORY.items():
            self.prepare(current, scenario)
            self.images[name] = self.image(current, f"before {name}")
            outcome = self.live(current, scenario.at)
            assert outcome.halted is None or name == "halt", (name, outcome)
            assert outcome.differences == (), name
            if name == "nightly restart":
                interfered = self.image(current, f"before {INTERFERED}")
                self.prepare(interfered, INTERFERENCE)
                self.images[INTERFERED] = interfered
        self.whole = current

    def prepare(self, folder: Path, scenario: Scenario) -> None:
        """Let people do what they do before a job."""
        if scenario.before is not None:
            scenario.before(folder, self.config)

    def image(self, source: Path, name: str) -> Path:
        """Copy the files of a bot."""
        target = self._folder / name
        shutil.rmtree(target, ignore_errors=True)
        return shutil.copytree(source, target)

    def live(
        self, folder: Path, until: datetime, hook: Callable[[CrashPoint], None] = lambda _: None
    ) -> Outcome:
        """Live from the files of ``folder`` until an instant, or until ``hook`` kills."""
        paths = paths_of(self.config, folder)
        with crashing(hook), self.ledger(folder) as ledger:
            wiring = wire(folder, self.config)
            options = RunOptions(until=until)
            return live(self.config, paths, options, Silent(), wiring=wiring, ledger=ledger)

    def ledger(self, folder: Path) -> Ledger:
        """Open the books of a bot."""
        return Ledger.open(
            paths_of(self.config, folder).database,
            mode=self.config.mode,
            account=self.config.account,
            now=SystemClock().now(),
        )

    def violations(self, folder: Path, outcome: Outcome) -> list[str]:
        """Return what does not hold of the files that lives have left."""
        found = [f"I4, I5: {each}" for each in outcome.differences]
        exchange = exchange_of(folder, self.config)
        with self.ledger(folder) as ledger:
            exchange.advance_to(ledger.last_event_at())
            own = [fill for fill in exchange.fills(_BEGINNING) if fill.client_order_id[0] == "A"]
            if sorted(own, key=lambda fill: fill.exec_root) != sorted(
                ledger.fills_since(_BEGINNING), key=lambda fill: fill.exec_root
            ):
                found.append("I3: fills differ")
            if ledger.positions() != exchange.positions():
                found.append("I4: positions differ")
            if ledger.cash_usd() != exchange.account().cash_usd:
                found.append("I5: cash differs")
            found += [f"I17: {each}" for each in ledger.rebuild_projections_and_compare()]
            if any(fill.client_order_id[0] != "A" for fill in exchange.fills(_BEGINNING)):
                kinds = {each.kind for each in ledger.open_breaks()}
                locked = {each.key for each in ledger.locks(ledger.last_event_at())}
                if BreakKind.FOREIGN_FILL not in kinds or "VIX" not in locked:
                    found.append(f"I24: breaks {kinds}, locks {locked}")
            wanted: dict[tuple[str, str], int] = {}
            filled: Counter[tuple[str, str]] = Counter()
            at_work: Counter[tuple[str, str]] = Counter()
            for record in exchange.records():
                order_id = record.order.client_order_id
                if order_id[0] != "A":
                    continue
                intent = ledger.order(order_id).intent  # raises where I1 does not hold
                key = (intent.plan_id, intent.purpose)
                wanted[key] = max(wanted.get(key, 0), intent.quantity)
                filled[key] += record.report.filled_quantity
                at_work[key] += record.report.status.value in ("LIVE", "PARTIALLY_FILLED")
            found += [f"I2: {key} filled {n}" for key, n in filled.items() if n > wanted[key]]
            found += [f"I2: {n} orders at work for {key}" for key, n in at_work.items() if n > 1]
        return found + self._uncovered(exchange)

    def _uncovered(self, exchange: object) -> list[str]:
        """I7: at each instant every short had its long."""
        by_instant: dict[datetime, list] = defaultdict(list)
        for fill in exchange.fills(_BEGINNING):
            by_instant[fill.executed_at].append((fill.symbol, fill.signed_quantity))
        for move in exchange.cash_movements(_BEGINNING):
            if move.quantity:
                by_instant[move.booked_at].append((move.symbol, move.quantity))
        held: Counter[OptionContract] = Counter()
        found = []
        for at in sorted(by_instant):
            for symbol, change in by_instant[at]:
                if isinstance(instrument := parse_symbol(symbol), OptionContract):
                    held[instrument] += change
            found += [f"I7: {each} bare at {at}" for each in is_covered(dict(held))]
        return found

    def numbered(self, image: Path, until: datetime) -> list[tuple[CrashPoint, str]]:
        """Return the crash points of one job in order, each with a digest of the files there."""
        passed: list[tuple[CrashPoint, str]] = []
        folder = self.image(image, "counted")

        def note(point: CrashPoint) -> None:
            hasher = hashlib.sha256()
            for path in sorted(folder.rglob("*")):
                if path.is_file() and path.suffix in _REMEMBERED:
                    hasher.update(path.read_bytes())
            passed.append((point, hasher.hexdigest()))

        self.live(folder, until, note)
        return passed

    def die(self, image: Path, until: datetime, *numbers: int, halts: bool) -> list[str]:
        """Die at numbered points, one life after the other, then finish the job; what is wrong."""
        folder = self.image(image, "lived")
        for number in numbers:
            with suppress(SimulatedDeath):
                self.live(folder, until, Death(number))
        outcome = self.live(folder, until)
        wrong = self.violations(folder, outcome)
        if outcome.halted is not None and not halts:
            wrong.append(f"I19: halted: {outcome.halted}")
        return [f"died at {numbers}: {each}" for each in wrong]


@pytest.fixture(scope="module")
def story(tmp_path_factory) -> Iterator[Canonical]:
    """The story, lived in peace; in memory, since no death here is one of the machine."""
    if not _MEMORY.is_dir():
        yield Canonical(tmp_path_factory.mktemp("canonical"))
        return
    with tempfile.TemporaryDirectory(dir=_MEMORY) as folder:
        yield Canonical(Path(folder))


def test_the_story_has_what_a_sweep_is_for(story):
    exchange = exchange_of(story.whole, story.config)
    exchange.advance_to(STORY["expiry AM"].at)
    fills = exchange.fills(_BEGINNING)
    matches: dict[str, set[str]] = defaultdict(set)
    for fill in fills:
        matches[fill.client_order_id].add(fill.exec_root.split(".")[1])
    assert any(len(each) > 1 for each in matches.values()), "an order filled in parts"
    settled = {each.symbol for each in exchange.cash_movements(_BEGINNING) if each.quantity}
    assert {parse_symbol(symbol).root for symbol in settled} == {"SPX", "SPXW", "VIX"}
    assert story.violations(story.whole, Outcome(run_id="")) == []


def told_apart(points: Sequence[tuple[CrashPoint, str]]) -> list[int]:
    """Return the numbers of the points that leave other files than the point before them.

    Of points that leave the same bytes one stands for all: a new process cannot tell them apart.
    """
    digests = [None, *(digest for _, digest in points)]
    pairs = enumerate(itertools.pairwise(digests), start=1)
    return [number for number, (before, here) in pairs if before != here]


@pytest.mark.parametrize("name", SWEPT)
def test_a_death_at_every_point_that_can_be_told_apart(story, name, record_property):
    """Faults A2 to A9: the acknowledgement, the fill or the commit is lost with the process."""
    scenario = SCENARIOS[name]
    points = story.numbered(story.images[name], scenario.at)
    numbers = told_apart(points)
    wrong = [
        each
        for number in numbers
        for each in story.die(story.images[name], scenario.at, number, halts=name == "halt")
    ]
    record_property("crash_points", len(numbers))
    assert wrong == []
    assert len(numbers) >= 5


@pytest.mark.slow
@pytest.mark.parametrize("name", SWEPT)
def test_a_death_at_every_numbered_point(story, name, record_property):
    scenario = SCENARIOS[name]
    points = story.numbered(story.images[name], scenario.at)
    wrong = [
        each
        for number in range(1, len(points) + 1)
        for each in story.die(story.images[name], scenario.at, number, halts=name == "halt")
    ]
    record_property("crash_points", len(points))
    assert wrong == []


@pytest.mark.parametrize("name", SWEPT)
def test_a_death_in_the_recovery_from_a_death(story, name, record_property):
    """Once for each kind of point, early or late in the recovery."""
    scenario = SCENARIOS[name]
    points = story.numbered(story.images[name], scenario.at)
    last = {point: number for number, (point, _) in enumerate(points, start=1)}
    pairs = [(number, 3 if number % 2 else 12) for number in last.values()]
    wrong = [
        each
        for pair in pairs
        for each in story.die(story.images[name], scenario.at, *pair, halts=name == "halt")
    ]
    record_property("crash_points", 2 * len(pairs))
    assert wrong == []
