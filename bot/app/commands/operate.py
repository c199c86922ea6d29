"""`alvh status`, `halt`, `flatten`, `resume`: look at a bot, stop it, let it go on."""

import getpass
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from bot.app.commands.inputs import paths_of, process_of, read_config
from bot.app.config.loader import LoadedConfig
from bot.app.exit_codes import CommandFailed, ExitCode
from bot.app.paths import RunPaths
from bot.app.render.audits import audit_grid, coverage_grids
from bot.app.render.console import data_console, print_json
from bot.app.render.plans import lock_words, market_time
from bot.app.render.tables import print_table
from bot.clock import SystemClock
from bot.engine.control import (
    Command,
    acknowledge,
    pending_commands,
    refuses_resume,
    submit_command,
)
from bot.engine.requests import waiting_requests
from state.audit import AuditReader, Cell, Coverage, Table
from state.errors import InstanceRunning, NoLedger
from state.ledger import Ledger
from state.lock_queries import holding_locks
from strategies.model.limits import HaltScope, SystemState
from strategies.model.locks import Lock

_REASON_LENGTH_MAX = 500


_JOBS_SHOWN = 5


def status_command(
    config_path: Path,
    *,
    flags: Sequence[str],
    state_dir: Path,
    output: str,
    ack: bool = False,
) -> ExitCode:
    """Print what the bot may do, what it holds and what it did last.

    ``ack`` leaves word that an operator has looked.
    """
    config = read_config(config_path, flags)
    paths = paths_of(config, state_dir)
    with AuditReader.open(paths.database) as reader:
        status = reader.status()
        jobs = reader.job_runs()
        last = status["last_decision_at"]
        coverage = None if last is None else reader.coverage(datetime.fromisoformat(str(last)))
        locks = holding_locks(reader, _now(status))
        breaks = reader.breaks()
    if ack:
        acknowledge(paths.control_dir, SystemClock().now())
    status["process"] = process_of(paths.database)
    newest = Table(jobs.columns, jobs.rows[-_JOBS_SHOWN:])
    commands = list(paths.control_dir.glob("*.json"))
    waiting = len(commands) + len(waiting_requests(paths.control_dir))
    if output == "json":
        answer = {
            "status": status,
            "commands_waiting": waiting,
            "jobs": newest.as_json(),
            "locks": [
                {
                    "lock_id": lock.lock_id,
                    "kind": lock.kind,
                    "key": lock.key,
                    "reason": lock.reason,
                    "set_at": lock.set_at.isoformat(),
                    "until": None if lock.until is None else lock.until.isoformat(),
                }
                for lock in locks
            ],
            "breaks": breaks.as_json(),
            "condors": None if coverage is None else coverage.condors.as_json(),
            "hedges": None if coverage is None else coverage.hedges.as_json(),
            "layers": None if coverage is None else coverage.layers.as_json(),
        }
        print_json(json.dumps(answer))
    else:
        _print_status(status, newest, coverage, waiting, locks)
    return ExitCode.OK


def _now(status: Mapping[str, Cell]) -> datetime:
    """Return what time it is for this bot: a simulated run lives in the time of its market."""
    newest = max(str(status["state_at"] or ""), str(status["last_decision_at"] or ""))
    if status["mode"] != "simulated" or not newest:
        return SystemClock().now()
    return datetime.fromisoformat(newest)


def _print_status(
    status: Mapping[str, Cell],
    jobs: Table,
    coverage: Coverage | None,
    waiting: int,
    locks: Sequence[Lock],
) -> None:
    console = data_console()
    process = status["process"]
    who = "not running" if process is None else f"running (process {process or 'unknown'})"
    scope = f" ({status['scope']})" if status["scope"] else ""
    reason = f": {status['reason']}" if status["reason"] else ""
    lines = [
        ("bot", f"{status['mode']} {status['account']}, {who}"),
        ("state", f"{status['state']}{scope}{reason}   by {status['by'] or 'nobody yet'}"),
        ("decided", f"{_when(status['last_decision_at'])}   {status['decisions']} decisions"),
        ("hedge", str(status["hedge_state"] or "nothing decided yet")),
        ("held", f"{status['condors_open']} condors, {status['hedges_held']} hedge positions"),
        ("at work", f"{status['orders_working']} orders"),
    ]
    if status["rules_hash"] is not None:
        version = status["rule_book_version"]
        lines.append(("rules", f"{str(status['rules_hash'])[:16]}, rule book {version}"))
    if status["config_edited"]:
        edited = (
            f"{status['config_edited']} edited since the start: not in force, restart to use it"
        )
        lines.append(("config", edited))
    if status["overrides_in_force"]:
        lines.append(("overrides", f"{status['overrides_in_force']} in force at that decision"))
    lines += [("locked", lock_words(lock)) for lock in locks]
    if status["scope"] == HaltScope.FLATTEN:
        left = f"{status['condors_open']} condors and {status['hedges_held']} hedge positions left"
        lines.append(("flattening", left))
    if waiting:
        lines.append(("commands", f"{waiting} waiting for the running bot"))
    for name, words in lines:
        console.print(f"{name:>10}  {words}", markup=False)
    console.print()
    if coverage is not None:
        for grid in coverage_grids(coverage)[:3]:
            print_table(console, grid)
    print_table(console, audit_grid("jobs", jobs, "Last jobs"))


def _when(cell: Cell) -> str:
    return "never" if cell is None else market_time(datetime.fromisoformat(str(cell)))


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


def flatten_command(
    config_path: Path, *, reason: str, flags: Sequence[str], state_dir: Path, output: str
) -> ExitCode:
    """Close everything, then halt; a bot that does not run does so at its next start."""
    config = read_config(config_path, flags)
    command = _command(SystemState.HALTED, HaltScope.FLATTEN, reason)
    return _carry_out(command, config, paths_of(config, state_dir), output)


def resume_command(
    config_path: Path,
    *,
    reason: str,
    flags: Sequence[str],
    state_dir: Path,
    output: str,
    from_flatten: bool = False,
) -> ExitCode:
    """Lift a halt."""
    config = read_config(config_path, flags)
    command = _command(SystemState.RUNNING, None, reason, ends_flatten=from_flatten)
    return _carry_out(command, config, paths_of(config, state_dir), output)


def _command(
    state: SystemState, scope: HaltScope | None, reason: str, *, ends_flatten: bool = False
) -> Command:
    reason = reason.strip()
    if not 0 < len(reason) <= _REASON_LENGTH_MAX:
        message = f"--reason: expected 1 to {_REASON_LENGTH_MAX} characters"
        raise CommandFailed(message, ExitCode.USAGE)
    return Command(
        state=state,
        scope=scope,
        reason=reason,
        by=getpass.getuser(),
        at=SystemClock().now(),
        ends_flatten=ends_flatten,
    )


def _carry_out(command: Command, config: LoadedConfig, paths: RunPaths, output: str) -> ExitCode:
    if not paths.database.exists():
        raise NoLedger(paths.database)
    acknowledge(paths.control_dir, command.at)  # who gives commands is there
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
        with ledger:
            # The bot stopped before it saw these; what is asked for now comes after them
            for path, waiting in pending_commands(paths.control_dir):
                _record(waiting, ledger)
                path.unlink()
            outcome, words = _record(command, ledger)
    if output == "json":
        answer = {
            "command": _name(command),
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


def _name(command: Command) -> str:
    if command.state is not SystemState.HALTED:
        return "resume"
    return "flatten" if command.scope is HaltScope.FLATTEN else "halt"


def _record(command: Command, ledger: Ledger) -> tuple[str, str]:
    # A bot on the simulated exchange lives in the time of its market, where it goes on from
    # the newest record: one of today would carry it there
    at = ledger.last_event_at() or command.at
    if command.state is not SystemState.HALTED:
        stored = ledger.system_state()
        if stored.state is not SystemState.HALTED:
            return "unchanged", "not halted: there is nothing to resume"
        if (why := refuses_resume(stored, command)) is not None:
            return "unchanged", f"not resumed: {why}"
        with ledger.transaction() as tx:
            # The next start reconciles first, and is RUNNING only when the books agree
            tx.set_system_state(SystemState.STARTING, at, None, command.reason, command.by)
        return "recorded", "the halt is lifted; the next `alvh run` reconciles and goes on"
    with ledger.transaction() as tx:
        tx.set_system_state(command.state, at, command.scope, command.reason, command.by)
    if command.scope is HaltScope.FLATTEN:
        return "recorded", "the next `alvh run` closes everything, condors first, and then halts"
    return "recorded", f"halted ({command.scope}); `alvh resume --reason ...` lifts it"
