"""A ledger of its own for each test, in a real SQLite file."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from state.ledger import Ledger
from tests.state import records


@pytest.fixture(scope="session")
def empty_ledger_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new ledger with one run, closed: made once and copied, since making one takes 0.1 s."""
    path = tmp_path_factory.mktemp("ledger") / "empty.db"
    with records.open_ledger(path) as ledger, ledger.transaction() as tx:
        records.start_run(tx)
    return path


@pytest.fixture
def path(empty_ledger_file: Path, tmp_path: Path) -> Path:
    """A closed ledger with one run and nothing else."""
    copy = tmp_path / "ledger.db"
    shutil.copy(empty_ledger_file, copy)
    return copy


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    """An open ledger with one run and nothing else."""
    with records.open_ledger(path) as opened:
        yield opened
