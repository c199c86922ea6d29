"""`alvh status`, `halt` and `resume`: look at a bot, stop it, let it go on; running or not."""

import getpass
import json
from collections.abc import Sequence
from pathlib import Path

from bot.app.commands.inputs import paths_of, read_config
from bot.app.config.loader import LoadedConfig
from bot.app.exit_codes import CommandFailed, ExitCode
from bot.app.paths import RunPaths
from bot.app.render.console import data_console, print_json
from bot.clock import SystemClock
from bot.engine.control import Command, submit_command
from state.errors import InstanceRunning, NoLedger
from state.ledger import Ledger
from strategies.model.limits import HaltScope, SystemState

_REASON_LENGTH_MAX = 500


def halt_command(
    config_path: Path,
    *,
    reason: str,
    scope: str,
    flags: Sequence[str],
    state_dir: Path,
    output: str,
) -> ExitCode:
    """Halt the bot; the halt is on record before this returns, or waits for the running bot."""
    config = read_config(config_path, flags)
    command = _command(SystemState.HALTED, HaltScope(scope), reason)
    return _carry_out(command, config, paths_of(config, state_dir), output)


def resume_command(
    config_path: Path, *, reason: str, flags: Sequence[str], state_dir: Path, output: str
) -> ExitCode:
    """Lift a halt."""
    config = read_config(config_path, flags)
    command = _command(SystemState.RUNNING, None, reason)
    return _carry_out(command, config, paths_of(config, state_dir), output)


def _command(state: SystemState, scope: HaltScope | None, reason: str) -> Command:
    reason = reason.strip()
    if not 0 < len(reason) <= _REASON_LENGTH_MAX:
        message = f"--reason: expected 1 to {_REASON_LENGTH_MAX} characters"
        raise CommandFailed(message, ExitCode.USAGE)
    return Command(
        state=state, scope=scope, reason=reason, by=getpass.getuser(), at=SystemClock().now()
    )


def _carry_out(command: Command, config: LoadedConfig, paths: RunPaths, output: str) -> ExitCode:
    if not paths.database.exists():
        raise NoLedger(paths.database)
    try:
        ledger = Ledger.open(
            paths.database, mode=config.mode, account=config.account, now=command.at
        )
    except InstanceRunning as running:
        # One process writes the ledger: the running bot does, and it looks before every send
        submit_command(paths.control_dir, command)
        outcome = "submitted"
        words = f"left for the running bot (process {running.pid}), which obeys before it sends"
    else:
        outcome, words = _record(command, ledger)
    if output == "json":
        answer = {
            "command": "halt" if command.state is SystemState.HALTED else "resume",
            "outcome": outcome,
            "scope": command.scope,
            "reason": command.reason,
            "by": command.by,
            "at": command.at.isoformat(),
        }
        print_json(json.dumps(answer))
    else:
        data_console().print(words, markup=False)
    return ExitCode.OK


def _record(command: Command, ledger: Ledger) -> tuple[str, str]:
    with ledger:
        if command.state is not SystemState.HALTED:
            if ledger.system_state().state is not SystemState.HALTED:
                return "unchanged", "not halted: there is nothing to resume"
            with ledger.transaction() as tx:
                # The next start reconciles first, and is RUNNING only when the books agree
                tx.set_system_state(
                    SystemState.STARTING, command.at, None, command.reason, command.by
                )
            return "recorded", "the halt is lifted; the next `alvh run` reconciles and goes on"
        with ledger.transaction() as tx:
            tx.set_system_state(
                command.state, command.at, command.scope, command.reason, command.by
            )
    return "recorded", f"halted ({command.scope}); `alvh resume --reason ...` lifts it"
