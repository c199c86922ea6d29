"""`alvh simulate`: the whole bot, in simulated months full of faults and deaths."""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from bot.app.commands.inputs import read_config, write_text
from bot.app.exit_codes import CommandFailed, ExitCode
from bot.app.render.console import data_console, note, notes_console, print_json
from bot.app.simulation.campaign import (
    be_quiet,
    commit_of_the_program,
    live_plan,
    simulate,
    working_folder,
)
from bot.app.simulation.evidence import Evidence, write_evidence
from bot.app.simulation.plan import EpisodePlan, draw_plan, plan_from_json, plan_to_json
from bot.app.simulation.shrink import shrink
from strategies.model.encoding import UndecodableValue

_SHOWN = 10  # violations


def simulate_command(
    config: Path,
    *,
    seeds: int,
    first: int,
    seed: int | None,
    plan: Path | None,
    jobs: int | None,
    evidence: Path | None,
    shrinks: bool,
    output: str,
) -> ExitCode:
    """Live episodes and print what they came to; FAILED if an invariant was violated."""
    limits = read_config(config, []).limits_path
    sums = Evidence(commit=commit_of_the_program())
    began = time.perf_counter()
    if plan is not None or seed is not None:
        _live_one(_plan(seed, plan), limits, sums)
    else:
        chosen = range(first, first + seeds)
        with _progress(len(chosen)) as on_result:
            simulate(
                chosen,
                limits,
                jobs=jobs or os.cpu_count() or 1,
                evidence=sums,
                on_result=on_result,
            )
    document = sums.document(time.perf_counter() - began)
    if evidence is not None:
        write_evidence(evidence, document)
    if output == "json":
        print_json(json.dumps(document))
    else:
        _print(sums, document["wall_seconds"])
    if not sums.violations:
        return ExitCode.OK
    if shrinks:
        _shrink(_plan(sums.violations[0]["seed"], plan), sums.violations[0]["invariant"], limits)
    return ExitCode.FAILED


def _plan(seed: int | None, path: Path | None) -> EpisodePlan:
    if path is None:
        assert seed is not None, "a seed or a plan"
        return draw_plan(seed)
    try:
        return plan_from_json(path.read_text())
    except (OSError, UndecodableValue) as cause:
        raise CommandFailed(f"{path}: no plan: {cause}", ExitCode.USAGE) from cause


def _live_one(plan: EpisodePlan, limits: Path, sums: Evidence) -> None:
    be_quiet()
    with working_folder() as folder:
        sums.add(live_plan(plan, limits, folder))


def _shrink(plan: EpisodePlan, invariant: str, limits: Path) -> None:
    """Look for few faults that do the same, and write them down."""
    be_quiet()
    note(f"seed {plan.seed}: {len(plan.faults)} faults; looking for the few that matter")
    with working_folder() as folder:

        def fails(smaller: EpisodePlan) -> bool:
            found = live_plan(smaller, limits, folder).violations
            return any(each.invariant == invariant for each in found)

        small = shrink(plan, fails)
    path = Path(f"simulation-{plan.seed}.json")
    write_text(path, plan_to_json(small))
    faults = ", ".join(f"{fault.fault_id} at {fault.at:%d %H:%M:%S}" for fault in small.faults)
    note(f"{len(small.faults)} of them are enough: {faults or 'none'}")
    note(f"alvh simulate --plan {path}")


def _print(sums: Evidence, seconds: float) -> None:
    console = data_console()
    lived = f"{sums.bot_years:.2f} bot-years, {sums.decisions:,} decisions"
    traded = f"{sums.orders:,} orders, {sums.fills:,} executions"
    faults = f"{sums.faults.total():,} faults of {len(sums.faults)} classes"
    deaths = f"{sums.crashes:,} deaths at {len(sums.deaths)} points, {sums.halts:,} halts"
    checks = f"{sums.checks.total():,} checks of {len(sums.checks)} invariants"
    lines = (
        f"{lived}, {traded}",
        f"{faults}, {sums.effects:,} effects, {deaths}",
        f"{checks}, {len(sums.violations):,} violations",
        f"commit {sums.commit}, {seconds:.0f} s",
    )
    for line in lines:
        console.print(line, markup=False)
    for each in sums.violations[:_SHOWN]:
        text = f"seed {each['seed']} {each['invariant']} {each['at']}: {each['detail']}"
        console.print(text, markup=False)
    if sums.violations:
        seed = sums.violations[0]["seed"]
        console.print(f"again: alvh simulate --seed {seed} (commit {sums.commit})", markup=False)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """Yield what draws a bar on a terminal's stderr, and nothing in a pipe."""
    console = notes_console()
    bar = Progress(
        "simulate",
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with bar:
        task = bar.add_task("simulate", total=total)
        yield lambda _seed: bar.advance(task)
