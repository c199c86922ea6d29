"""Every write and every sync of the ledger fails once, in every way a disk can fail.

Afterwards the file must be whole, hold everything that was acknowledged, and hold the intent of
every order that was sent; the failure must have been said in our words.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from state.connections import driven_by
from state.errors import StateError
from state.ledger import Ledger
from strategies.model.lifecycle import OrderStatus
from tests.simulation.apsw_driver import Disk, Failure
from tests.state import records
from tests.state.records import AT, record

FILLS = 2
HARD = (Failure.FULL, Failure.BROKEN, Failure.SHORT)


@dataclass(slots=True)
class Story:
    """What a bot was told to be done, and what it did on the strength of it."""

    decided: bool = False  # acknowledged
    sent: list[str] = field(default_factory=list)  # orders on the wire
    fills: list[str] = field(default_factory=list)  # acknowledged
    said: str = ""  # how it ended, if it did not end well


def decide_and_send(ledger: Ledger, story: Story) -> None:
    """Decide, and send two orders, each after its SENDING is committed."""
    intents = [records.hedge_intent("plan-1"), records.hedge_intent("plan-1", layer_name="L2")]
    with ledger.transaction() as tx:
        record(tx, records.plan(orders=intents))
    story.decided = True
    for intent in intents:
        with ledger.transaction() as tx:
            tx.record_order_event(intent.client_order_id, AT, OrderStatus.SENDING)
        story.sent.append(intent.client_order_id)
        with ledger.transaction() as tx:
            tx.record_order_event(intent.client_order_id, AT, OrderStatus.LIVE)


def book_fills(ledger: Ledger, story: Story) -> None:
    """Decide, and book some executions of an order one by one."""
    intent = records.hedge_intent("plan-1")
    with ledger.transaction() as tx:
        record(tx, records.plan(orders=[intent]))
        records.sent(tx, intent)
    story.decided = True
    story.sent.append(intent.client_order_id)
    symbol = intent.legs[0].instrument.symbol
    for number in range(FILLS):
        fill = records.fill(intent.client_order_id, symbol, 1, "0.50", root=f"e{number}")
        with ledger.transaction() as tx:
            tx.record_fill(fill)
        story.fills.append(fill.exec_root)


Scenario = Callable[[Ledger, Story], None]
SCENARIOS: dict[str, Scenario] = {"decision": decide_and_send, "fills": book_fills}


def live(path: Path, disk: Disk, scenario: Scenario) -> Story:
    """Live one scenario on a disk; a failure ends it, as it ends a process."""
    story = Story()
    with driven_by(disk.connect):
        try:
            ledger = records.open_ledger(path)
        except StateError as failure:
            story.said = str(failure)
            return story
        try:
            scenario(ledger, story)
        except StateError as failure:
            story.said = str(failure)
        finally:
            with suppress(StateError):
                ledger.close()
    return story


def require_nothing_lost(path: Path, story: Story) -> None:
    """Open what is left with the SQLite of every day, and compare."""
    with records.open_ledger(path) as ledger:  # which begins with a check of every page
        assert ledger.rebuild_projections_and_compare() == ()
        assert (ledger.last_decision() is not None) >= story.decided
        assert set(story.sent) <= ledger.sent_order_ids()
        booked = {fill.exec_root for fill in ledger.fills_since(AT)}
        assert set(story.fills) <= booked
        assert len(booked) <= len(story.fills) + 1  # at most what was under way


def operations(path: Path, where: Path, scenario: Scenario) -> list[str]:
    """Return what a disk is asked to do from the opening to the end of a scenario."""
    copy = shutil.copy(path, where / "counted.db")
    disk = Disk()
    story = live(copy, disk, scenario)
    assert story.said == ""
    require_nothing_lost(copy, story)
    return disk.operations


@pytest.fixture
def tmp_path(tmp_path) -> Iterator[Path]:
    """A folder in memory where there is one: these tests wait for a disk some thousand times."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as folder:
        yield Path(folder)


@pytest.fixture(params=SCENARIOS)
def scenario(request) -> Scenario:
    return SCENARIOS[request.param]


def points(asked: list[str], failure: Failure) -> Iterator[int]:
    """Yield the operations that can fail in this way."""
    kinds = {
        Failure.FULL: {"write"},
        Failure.SHORT: {"write"},
        Failure.BROKEN: {"write", "sync", "truncate", "delete"},
        Failure.POWER_CUT: {"write", "sync", "truncate", "delete"},
    }
    return (index for index, operation in enumerate(asked) if operation in kinds[failure])


@pytest.mark.parametrize("failure", HARD)
def test_no_write_and_no_sync_can_fail_unnoticed_or_lose_anything(
    path, tmp_path, scenario, failure, record_property
):
    """Faults C7 and C8: ENOSPC, EIO and short writes at every operation there is."""
    asked = operations(path, tmp_path, scenario)
    assert {"write", "sync"} <= set(asked)
    failed = 0
    for index in points(asked, failure):
        copy = Path(shutil.copy(path, tmp_path / f"{index}.db"))
        disk = Disk(fails_at=index, failure=failure)
        story = live(copy, disk, scenario)
        assert disk.has_failed
        require_nothing_lost(copy, story)
        failed += 1
    record_property("disk_faults", failed)


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 20))]
)
def test_a_power_cut_loses_nothing_that_was_acknowledged(
    path, tmp_path, scenario, seed, record_property
):
    """Fault C2: what was not synced is lost in part, in any order, torn in the middle."""
    dice = np.random.default_rng(seed)
    asked = operations(path, tmp_path, scenario)
    for index in points(asked, Failure.POWER_CUT):
        copy = Path(shutil.copy(path, tmp_path / f"{index}.db"))
        disk = Disk(fails_at=index, failure=Failure.POWER_CUT)
        story = live(copy, disk, scenario)
        left = tmp_path / f"left-{index}"
        left.mkdir()
        for name, content in disk.after_power_cut(dice).items():
            (left / name).write_bytes(content)
        require_nothing_lost(left / copy.name, story)
    record_property("disk_faults", len(asked))


def test_the_test_notices_a_disk_that_is_not_waited_for(path, tmp_path):
    """The museum's WAL with synchronous NORMAL: commits are lost, and this test sees it."""

    def hurried(ledger: Ledger, story: Story) -> None:
        intent = records.hedge_intent("plan-1")
        with ledger.transaction(durable=False) as tx:
            record(tx, records.plan(orders=[intent]))
        story.decided = True

    dice = np.random.default_rng(1)
    lost = 0
    asked = operations(path, tmp_path, hurried)
    for index in points(asked, Failure.POWER_CUT):
        copy = Path(shutil.copy(path, tmp_path / f"{index}.db"))
        disk = Disk(fails_at=index, failure=Failure.POWER_CUT)
        story = live(copy, disk, hurried)
        left = tmp_path / f"left-{index}"
        left.mkdir()
        for name, content in disk.after_power_cut(dice).items():
            (left / name).write_bytes(content)
        with records.open_ledger(left / copy.name) as ledger:
            lost += story.decided and ledger.last_decision() is None
    assert lost > 0
