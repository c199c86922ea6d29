"""`alvh keys` and `alvh override`: sign an exception from the rules, hand it in, list them (D3)."""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from bot.app.commands.inputs import parse_time, paths_of, read_config, write_text
from bot.app.config.loader import LoadedConfig
from bot.app.exit_codes import CommandFailed, ExitCode
from bot.app.paths import RunPaths
from bot.app.render.audits import audit_grid
from bot.app.render.console import data_console, note, print_json
from bot.app.render.tables import Grid, print_grid, print_table
from bot.approvals.overrides import (
    OverrideRecord,
    SignedOverride,
    check_not_expired,
    read_override,
    sign_override,
)
from bot.approvals.signatures import SigningKey
from bot.clock import SystemClock
from bot.engine.overrides import record_override, submit_override, waiting_overrides
from state.audit import AuditReader
from state.errors import InstanceRunning, OverrideReplayed
from state.ledger import Ledger
from strategies.model.calendars import EXCHANGE_ZONE

_MILLISECONDS = 1000
_FILE_BYTES_MAX = 100_000


def new_key_command(name: str, out: Path, *, output: str) -> ExitCode:
    """Make a key pair: the private half in a file, the public half for the configuration."""
    key = SigningKey.generate()
    key.write(out)
    if output == "json":
        print_json(json.dumps({"name": name, "public_key": key.public_text, "file": str(out)}))
        return ExitCode.OK
    console = data_console()
    console.print(f"private key in {out}: only you can read it, and nobody can replace it")
    console.print("put this into the configuration:\n", markup=False)
    console.print(f"governance:\n  keys:\n    {name}: {key.public_text}", markup=False)
    return ExitCode.OK


def list_keys_command(config_path: Path, *, flags: Sequence[str], output: str) -> ExitCode:
    """Print whose signatures a configuration believes."""
    rows = tuple(sorted(read_config(config_path, flags).bot.governance.keys.items()))
    print_grid(Grid(columns=("name", "public_key"), rows=rows, title="Keys"), output)
    return ExitCode.OK


def sign_command(
    config_path: Path,
    *,
    action: str,
    reason: str,
    signer: str,
    key: Path,
    begins: str | None,
    ends: str,
    serial: int | None,
    out: Path | None,
    flags: Sequence[str],
    state_dir: Path,
) -> ExitCode:
    """Write a signed override for the account of a configuration, unless a bot would refuse it."""
    config = read_config(config_path, flags)
    now = SystemClock().now()
    expires_at = parse_time(ends, "--until", end_of_day=True)
    assert expires_at is not None, "it was given"
    record = OverrideRecord(
        action=action,
        reason=reason.strip(),
        signer=signer,
        account=config.account,
        serial=int(now.timestamp() * _MILLISECONDS) if serial is None else serial,
        issued_at=parse_time(begins, "--from") or _market_time(config, state_dir) or now,
        expires_at=expires_at,
    )
    signed = sign_override(record, SigningKey.read(key))
    config.override_policy.verified(signed)
    if out is None:
        print_json(signed.as_json())
    else:
        write_text(out, signed.as_json() + "\n")
    note(f"{record.override_id}: {action}, {_span(record)}")
    return ExitCode.OK


def submit_command(
    config_path: Path, file: Path, *, flags: Sequence[str], state_dir: Path, output: str
) -> ExitCode:
    """Hand in a signed override: to the running bot, or straight to the ledger of a stopped one."""
    config = read_config(config_path, flags)
    signed = _read(file)
    paths = paths_of(config, state_dir)
    now = _market_time(config, state_dir) or SystemClock().now()
    check_not_expired(config.override_policy.verified(signed), now)
    outcome = _hand_in(signed, config, paths, now)
    record = signed.record
    if output == "json":
        answer = {"override_id": record.override_id, "action": record.action, "outcome": outcome}
        print_json(json.dumps(answer))
    else:
        words = "on record" if outcome == "recorded" else "left for the running bot"
        line = f"{record.override_id} is {words}: {record.action}, {_span(record)}"
        data_console().print(line, markup=False)
    return ExitCode.OK


def _hand_in(signed: SignedOverride, config: LoadedConfig, paths: RunPaths, now: datetime) -> str:
    try:
        ledger = Ledger.open(
            paths.database, mode=config.mode, account=config.account, now=SystemClock().now()
        )
    except InstanceRunning:
        # One process writes the ledger: the running bot, which verifies it again
        _refuse_spent(signed, config, paths)
        submit_override(paths.control_dir, signed)
        return "submitted"
    with ledger:
        record_override(signed, config.override_policy, ledger, ledger.last_event_at() or now)
    return "recorded"


def _refuse_spent(signed: SignedOverride, config: LoadedConfig, paths: RunPaths) -> None:
    record = signed.record
    key = config.override_policy.keys[record.signer]
    with AuditReader.open(paths.database) as reader:
        used_by = reader.override_with(key, record.serial)
    if used_by is not None:
        raise OverrideReplayed(record.override_id, serial=record.serial, used_by=used_by)


def list_overrides_command(
    config_path: Path, *, flags: Sequence[str], state_dir: Path, output: str
) -> ExitCode:
    """Print the overrides on record, and those that wait for the running bot."""
    config = read_config(config_path, flags)
    paths = paths_of(config, state_dir)
    with AuditReader.open(paths.database) as reader:
        table = reader.overrides()
    waiting = [read_override(path.read_text()).record for path in _files(paths)]
    if output == "json":
        answer = table.as_json() | {"waiting": [record.override_id for record in waiting]}
        print_json(json.dumps(answer))
        return ExitCode.OK
    console = data_console()
    print_table(console, audit_grid("overrides", table))
    for record in waiting:
        line = f"waiting for the running bot: {record.override_id} {record.action}"
        console.print(line, markup=False)
    return ExitCode.OK


def _files(paths: RunPaths) -> list[Path]:
    return waiting_overrides(paths.control_dir)


def _read(file: Path) -> SignedOverride:
    try:
        if file.stat().st_size > _FILE_BYTES_MAX:
            raise CommandFailed(f"{file}: too large for an override", ExitCode.USAGE)
        return read_override(file.read_text(encoding="utf-8"))
    except UnicodeDecodeError as cause:
        raise CommandFailed(f"{file}: not UTF-8 text", ExitCode.USAGE) from cause
    except OSError as cause:
        message = f"{file}: cannot be read: {cause.strerror}"
        raise CommandFailed(message, ExitCode.USAGE) from cause


def _market_time(config: LoadedConfig, state_dir: Path) -> datetime | None:
    """Return the time a bot on a simulated market lives in; None where it is the wall's."""
    database = paths_of(config, state_dir).database
    if config.mode != "simulated" or not database.exists():
        return None
    with AuditReader.open(database) as reader:
        last = reader.status()["last_decision_at"]
    return None if last is None else datetime.fromisoformat(str(last))


def _span(record: OverrideRecord) -> str:
    first, last = (
        f"{at.astimezone(EXCHANGE_ZONE):%Y-%m-%d %H:%M}"
        for at in (record.issued_at, record.expires_at)
    )
    return f"from {first} until {last} New York"
