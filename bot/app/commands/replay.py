"""`alvh audit replay`: decide every stored interval again; nothing may come out differently."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from bot.app.commands.audit import AuditSource
from bot.app.commands.inputs import parse_time
from bot.app.exit_codes import CommandFailed, ExitCode
from bot.app.render.console import data_console, note, notes_console, print_json
from bot.app.render.plans import market_time
from bot.app.render.tables import Grid, grid_json
from bot.app.replaying import Replay, replay
from state.replays import Selection

_SHOWN = 20  # differences a terminal is shown
_COLUMNS = ("at", "field", "stored", "decided", "plan_id")


def replay_command(
    source: AuditSource, *, run: str | None, since: str | None, until: str | None, output: str
) -> ExitCode:
    """Print how many intervals were decided again, and the first field that differs in each."""
    selection = Selection(
        since=parse_time(since, "--since"),
        until=parse_time(until, "--until", end_of_day=True),
        run=run,
    )
    began = time.perf_counter()
    with _progress() as on_progress:
        outcome = replay(source.database(), selection, on_progress)
    seconds = time.perf_counter() - began
    if not outcome.decisions:
        raise CommandFailed("no decision is stored there", ExitCode.USAGE)
    if output == "json":
        differing = json.loads(grid_json(_grid(outcome)))
        answer = {
            "decisions": outcome.decisions,
            "differences": len(outcome.differences),
            "intervals": differing,
        }
        print_json(json.dumps(answer))
    else:
        _print(outcome)
    note(f"{seconds:.1f} s, {outcome.decisions / seconds:.0f} decisions/s")
    return ExitCode.FAILED if outcome.differences else ExitCode.OK


def _print(outcome: Replay) -> None:
    console = data_console()
    count = len(outcome.differences)
    plural = "" if count == 1 else "s"
    console.print(
        f"{outcome.decisions:,} decisions decided again: {count:,} difference{plural}",
        markup=False,
    )
    for each in outcome.differences[:_SHOWN]:
        console.print(f"{market_time(each.at)}  {each.field}", markup=False)
        console.print(f"    stored   {each.stored}", markup=False)
        console.print(f"    decided  {each.decided}", markup=False)
    if count > _SHOWN:
        console.print(f"... and {count - _SHOWN:,} more in --format json", markup=False)


def _grid(outcome: Replay) -> Grid:
    rows = tuple(
        (each.at, each.field, each.stored, each.decided, each.plan_id)
        for each in outcome.differences
    )
    return Grid(columns=_COLUMNS, rows=rows)


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """Yield what draws a bar on a terminal's stderr, and nothing in a pipe."""
    console = notes_console()
    bar = Progress(
        "replay",
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with bar:
        task = bar.add_task("replay")
        yield lambda done, total: bar.update(task, completed=done, total=total)
