"""Many episodes over several processes."""

import gc
import logging
import multiprocessing
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import structlog

from bot.app.simulation.episode import EpisodeResult, run_episode
from bot.app.simulation.evidence import Evidence
from bot.app.simulation.plan import EpisodePlan, draw_plan

_MEMORY: Final = Path("/dev/shm")  # noqa: S108 a file system in memory, where there is one


def simulate(
    seeds: Sequence[int],
    limits: Path,
    *,
    jobs: int,
    evidence: Evidence,
    on_result: Callable[[int], None] = lambda _: None,
) -> None:
    """Live an episode for each seed and add up what they came to.

    Args:
        seeds: One episode each.
        limits: The limits file the bots obey.
        jobs: Processes at a time.
        evidence: Where the sums go.
        on_result: Called with each seed that is done.
    """
    context = multiprocessing.get_context("spawn")
    waiting = iter(seeds)
    at_work: dict[Future[EpisodeResult], int] = {}
    with (
        working_folder() as folder,
        ProcessPoolExecutor(
            jobs,
            mp_context=context,
            initializer=be_quiet,
        ) as pool,
    ):
        for seed in _first(waiting, 2 * jobs):
            at_work[pool.submit(live_seed, seed, limits, folder)] = seed
        while at_work:
            done, _ = wait(at_work, return_when=FIRST_COMPLETED)
            for future in done:
                seed = at_work.pop(future)
                failure = future.exception()
                if failure is None:
                    evidence.add(future.result())
                else:
                    evidence.fail(seed, f"unexpected {failure!r}")
                on_result(seed)
                for following in _first(waiting, 1):
                    at_work[pool.submit(live_seed, following, limits, folder)] = following


def live_seed(seed: int, limits: Path, folder: Path) -> EpisodeResult:
    """Live the episode of one seed; its files are not kept."""
    return live_plan(draw_plan(seed), limits, folder)


def live_plan(plan: EpisodePlan, limits: Path, folder: Path) -> EpisodeResult:
    """Live one episode in a folder of its own, whose files are not kept."""
    own = folder / f"{plan.seed}"
    gc.disable()  # a seventh of the time; what an episode leaves is collected after it
    try:
        result = run_episode(plan, limits, own)
    finally:
        gc.enable()
        gc.collect()
        shutil.rmtree(own, ignore_errors=True)
    return replace(result, process=os.getpid(), rss_mb=_resident_mb())


def _resident_mb() -> float:
    """Return how much memory this process has; 0 where the system does not say."""
    pages = Path("/proc/self/statm")
    if not pages.exists():
        return 0.0
    resident = int(pages.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return round(resident / 1_000_000, 1)


@contextmanager
def working_folder() -> Iterator[Path]:
    """Yield an empty folder, in memory if there is such a file system."""
    with tempfile.TemporaryDirectory(
        prefix="alvh-simulation-", dir=_MEMORY if _MEMORY.is_dir() else None
    ) as name:
        yield Path(name)


def be_quiet() -> None:
    """Keep a process that lives episodes from logging what goes wrong in them on purpose."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.disable(logging.CRITICAL)


def commit_of_the_program() -> str:
    """Return the commit that is being simulated; empty where there is no repository."""
    git = shutil.which("git")
    if git is None:
        return ""
    folder = Path(__file__).parent
    command = [git, "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=12"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    return found.stdout.strip()


def _first(seeds: Iterator[int], count: int) -> Iterator[int]:
    for _, seed in zip(range(count), seeds, strict=False):
        yield seed
