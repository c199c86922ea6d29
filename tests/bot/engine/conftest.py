"""Benches: a ledger, a simulated broker and virtual time, new for each test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.bot.engine.fakes import Bench, EngineBench
from tests.state import records


@pytest.fixture(scope="session")
def empty_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new ledger with one run, closed: made once and copied, since making one takes 0.1 s."""
    path = tmp_path_factory.mktemp("ledger") / "empty.sqlite"
    with records.open_ledger(path) as ledger, ledger.transaction() as tx:
        records.start_run(tx)
    return path


@pytest.fixture
def make_bench(tmp_path: Path, empty_ledger: Path) -> Iterator[Callable[..., Bench]]:
    """Makes benches, each in a folder of its own, and closes them after the test."""
    made: list[Bench] = []

    def make(*arguments: object, kind: type[Bench] = Bench, **options: object) -> Bench:
        folder = tmp_path / f"bench-{len(made)}"
        folder.mkdir()
        made.append(kind(folder, empty_ledger, *arguments, **options))
        return made[-1]

    yield make
    for bench in made:
        bench.ledger.close()


@pytest.fixture
def bench(make_bench: Callable[..., Bench]) -> Bench:
    """A bench on a quiet market."""
    return make_bench()


@pytest.fixture
def desk(make_bench: Callable[..., Bench]) -> EngineBench:
    """A whole engine on a quiet market."""
    return make_bench(kind=EngineBench)
