"""`alvh reconcile`, `adopt`, `ignore`, `balance`, `unlock`: what keeps the bot from opening."""

import asyncio
import getpass
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

from bot.app.commands.inputs import paths_of, read_config
from bot.app.config.loader import LoadedConfig
from bot.app.exit_codes import CommandFailed, ExitCode
from bot.app.logs import LogAlerts, start_logging
from bot.app.paths import RunPaths
from bot.app.render.breaks import break_grid, what_to_do
from bot.app.render.console import data_console, note, print_json
from bot.app.render.tables import grid_json, print_table
from bot.app.wiring import build_world, wire
from bot.clock import SystemClock, virtual_time
from bot.engine.reconcile import Reconciler
from bot.engine.requests import (
    CashReason,
    Request,
    RequestKind,
    RequestRefused,
    carry_out,
    submit_request,
)
from bot.errors import BooksDisagree
from state.audit import AuditReader
from state.errors import InstanceRunning, NoLedger
from state.ledger import Ledger

_REASON_LENGTH_MAX = 500
_LOOKS_A_SECOND = 5
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def reconcile_command(
    config_path: Path, *, wait_s: float, flags: Sequence[str], state_dir: Path, output: str
) -> ExitCode:
    """Compare now, through the running bot or without one, and print what does not agree."""
    config = read_config(config_path, flags)
    paths = _paths(config, state_dir)
    request = _request(RequestKind.COMPARE, "asked for")
    try:
        ledger = Ledger.open(
            paths.database, mode=config.mode, account=config.account, now=request.at
        )
    except InstanceRunning as running:
        asked = submit_request(paths.control_dir, request)
        if not _is_taken(asked, wait_s):
            note(
                f"the running bot (process {running.pid}) has not compared yet; it does so at its "
                "next look. This is what was on record before:"
            )
    else:
        with ledger:
            _compare(config, paths, ledger)
    return _print_breaks(paths, output)


def _compare(config: LoadedConfig, paths: RunPaths, ledger: Ledger) -> None:
    """Connect and compare as a start does, without starting anything."""
    start_logging(paths.log_file, config.bot.logging.level)
    wiring = wire(build_world(config), paths)
    start = max(wiring.begins_at, wiring.known_until, ledger.last_event_at() or _LONG_AGO)

    async def compare() -> None:
        async with wiring.connect(ledger) as ports:
            await ports.broker.connect()
            books = Reconciler(
                ledger,
                ports.broker,
                wiring.clock,
                LogAlerts(),
                config.reconcile_policy,
                paths.control_dir,
            )
            try:
                await books.reconcile()
            except BooksDisagree:
                note("this halts: the next `alvh run` does not trade before it is resolved")

    if wiring.in_real_time:
        asyncio.run(compare())
        return
    with virtual_time(start) as loop:
        loop.run_until_complete(compare())


def _is_taken(path: Path, wait_s: float) -> bool:
    """Wait until the running bot has taken a request; False if it takes too long."""
    for _ in range(round(wait_s * _LOOKS_A_SECOND)):
        if not path.exists():
            return True
        asyncio.run(SystemClock().sleep(1 / _LOOKS_A_SECOND))
    return not path.exists()


def _print_breaks(paths: RunPaths, output: str) -> ExitCode:
    with AuditReader.open(paths.database) as reader:
        table = reader.breaks()
    grid = break_grid(table)
    if output == "json":
        print_json(grid_json(grid))
    else:
        console = data_console()
        print_table(console, grid)
        for record in table.records():
            line = f"{record['break_id']}  {record['detail']}"
            console.print(line, markup=False)
            console.print(f"{' ':>11}{what_to_do(str(record['kind']))}", markup=False)
    is_open = any(record["status"] == "open" for record in table.records())
    return ExitCode.FAILED if is_open else ExitCode.OK


def adopt_command(
    config_path: Path,
    break_id: str,
    *,
    condor: str | None,
    layer: str | None,
    reason: str,
    flags: Sequence[str],
    state_dir: Path,
    output: str,
) -> ExitCode:
    """Let what somebody else traded belong to a condor or a hedge layer from now on."""
    if (condor is None) is (layer is None):
        raise CommandFailed("give one of --condor and --layer", ExitCode.USAGE)
    request = _request(RequestKind.ADOPT, reason, break_id=break_id, condor_id=condor, layer=layer)
    return _hand_in(request, read_config(config_path, flags), state_dir, output)


def ignore_command(
    config_path: Path,
    break_id: str,
    *,
    reason: str,
    flags: Sequence[str],
    state_dir: Path,
    output: str,
) -> ExitCode:
    """Let a break stand: it locks nothing any more while its values stay."""
    request = _request(RequestKind.IGNORE, reason, break_id=break_id)
    return _hand_in(request, read_config(config_path, flags), state_dir, output)


def balance_command(
    config_path: Path,
    *,
    amount: str,
    kind: str,
    reason: str,
    flags: Sequence[str],
    state_dir: Path,
    output: str,
) -> ExitCode:
    """Book cash that the broker has moved and nobody else explains."""
    try:
        amount_usd = Decimal(amount)
    except InvalidOperation as cause:
        message = f"--amount: expected USD like 3.20 or -12.5, found {amount!r}"
        raise CommandFailed(message, ExitCode.USAGE) from cause
    if not amount_usd.is_finite() or amount_usd == 0:
        raise CommandFailed("--amount: expected an amount that is not zero", ExitCode.USAGE)
    request = _request(
        RequestKind.BALANCE, reason, amount_usd=amount_usd, cash_reason=CashReason(kind)
    )
    return _hand_in(request, read_config(config_path, flags), state_dir, output)


def unlock_command(
    config_path: Path,
    lock_id: str,
    *,
    reason: str,
    flags: Sequence[str],
    state_dir: Path,
    output: str,
) -> ExitCode:
    """Take a lock away that no break holds."""
    request = _request(RequestKind.UNLOCK, reason, lock_id=lock_id)
    return _hand_in(request, read_config(config_path, flags), state_dir, output)


def _hand_in(request: Request, config: LoadedConfig, state_dir: Path, output: str) -> ExitCode:
    paths = _paths(config, state_dir)
    try:
        ledger = Ledger.open(
            paths.database, mode=config.mode, account=config.account, now=request.at
        )
    except InstanceRunning as running:
        submit_request(paths.control_dir, request)
        outcome = "submitted"
        shows = "status" if request.kind is RequestKind.UNLOCK else "reconcile"
        words = f"left for the running bot (process {running.pid}); `alvh {shows}` shows it done"
    else:
        with ledger:
            outcome = "recorded"
            try:
                words = carry_out(request, ledger, ledger.last_event_at() or request.at)
            except RequestRefused as refusal:
                raise CommandFailed(str(refusal), ExitCode.USAGE) from refusal
    if output == "json":
        answer = {
            "command": request.kind,
            "outcome": outcome,
            "break_id": request.break_id or None,
            "lock_id": request.lock_id or None,
            "reason": request.reason,
            "by": request.by,
            "at": request.at.isoformat(),
        }
        print_json(json.dumps(answer))
    else:
        data_console().print(words, markup=False)
    return ExitCode.OK


def _request(kind: RequestKind, reason: str, **parts: object) -> Request:
    reason = reason.strip()
    if not 0 < len(reason) <= _REASON_LENGTH_MAX:
        message = f"--reason: expected 1 to {_REASON_LENGTH_MAX} characters"
        raise CommandFailed(message, ExitCode.USAGE)
    at = SystemClock().now()
    return Request(kind=kind, by=getpass.getuser(), reason=reason, at=at, **parts)  # type: ignore[arg-type]


def _paths(config: LoadedConfig, state_dir: Path) -> RunPaths:
    paths = paths_of(config, state_dir)
    if not paths.database.exists():
        raise NoLedger(paths.database)
    return paths
