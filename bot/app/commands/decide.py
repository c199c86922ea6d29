"""`alvh decide`: the pure engine on one stored set of inputs."""

from collections.abc import Sequence
from pathlib import Path

from bot.app.commands.inputs import read_config
from bot.app.exit_codes import CommandFailed, ExitCode
from bot.app.render.console import data_console, note, print_json
from bot.app.render.decision import print_decision
from bot.app.render.pictures import write_plan_pictures
from bot.app.stored_snapshots import read_inputs
from strategies.decide import decide
from strategies.model.encoding import to_json
from strategies.model.errors import DomainError
from strategies.model.plan import Plan
from strategies.model.rules import Rules


def decide_command(
    path: Path,
    config: Path | None,
    *,
    flags: Sequence[str],
    output: str,
    pictures: Path | None = None,
) -> ExitCode:
    """Print the plan for the inputs in ``path``.

    The rules are the configuration's where one is given, else those of the file, else the
    defaults. JSON is ``{"memory": ..., "plan": ...}``, canonical: same input, same bytes. Into the
    folder ``pictures``, if one is named, go the layers and their forward vega.
    """
    inputs = read_inputs(path)
    rules = inputs.rules or Rules()
    if config is not None:
        rules = read_config(config, flags).rules
    elif flags:
        raise CommandFailed("--set changes a configuration: name it by --config", ExitCode.USAGE)
    try:
        plan, memory = decide(inputs.snapshot, inputs.book, inputs.account, inputs.memory, rules)
    except DomainError as cause:
        raise CommandFailed(f"{path}: cannot be decided on: {cause}", ExitCode.USAGE) from cause
    if output == "json":
        print_json(to_json({"plan": plan, "memory": memory}))
    else:
        print_decision(data_console(), plan, memory, rules)
    if pictures is not None:
        for picture in _draw(plan, pictures):
            note(f"picture {picture}")
    return ExitCode.OK


def _draw(plan: Plan, folder: Path) -> list[Path]:
    try:
        return write_plan_pictures(plan, folder)
    except OSError as cause:
        message = f"--pictures {folder}: {cause.strerror}"
        raise CommandFailed(message, ExitCode.USAGE) from cause
