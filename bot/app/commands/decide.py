"""`alvh decide`: the pure engine on one stored set of inputs."""

from collections.abc import Sequence
from pathlib import Path

from bot.app.commands.inputs import read_config
from bot.app.exit_codes import CommandFailed, ExitCode
from bot.app.render.console import data_console, note, print_json
from bot.app.render.plans import (
    decision_sentence,
    gate_grid,
    layer_grid,
    market_time,
    measure_grid,
    order_grid,
    regime_words,
    signal_grid,
)
from bot.app.render.tables import print_table
from bot.app.stored_snapshots import read_inputs
from strategies.decide import decide
from strategies.model.encoding import to_json
from strategies.model.errors import DomainError
from strategies.model.plan import Plan
from strategies.model.rules import Rules


def decide_command(
    path: Path, config: Path | None, *, flags: Sequence[str], output: str
) -> ExitCode:
    """Print the plan for the inputs in ``path``.

    The rules are the configuration's where one is given, else those of the file, else the
    defaults. JSON is ``{"memory": ..., "plan": ...}``, canonical: same input, same bytes.
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
        _print_plan(plan)
    return ExitCode.OK


def _print_plan(plan: Plan) -> None:
    console = data_console()
    console.print(f"{market_time(plan.at)}   {decision_sentence(plan)}", markup=False)
    console.print(f"{regime_words(plan.regime)}   hedge: {plan.hedge_state}", markup=False)
    for reason in plan.no_trade_reasons:
        console.print(f"  - {reason}", markup=False)
    if plan.missing:
        console.print(f"  missing: {', '.join(plan.missing)}", markup=False)
    console.print()
    grids = [layer_grid(plan), gate_grid(plan), measure_grid(plan), signal_grid(plan)]
    if plan.orders:
        grids.insert(1, order_grid(plan))
    for grid in grids:
        print_table(console, grid)
    note(f"plan {plan.plan_id}, rules {plan.rules_hash[:16]}")
