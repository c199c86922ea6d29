"""`alvh backup`, `restore`, `migrate`, `archive` and `healthcheck`: the files, and who watches."""

import getpass
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from bot.app.commands.findings import Finding, Outcome
from bot.app.commands.inputs import paths_of, process_of, read_config
from bot.app.config.loader import LoadedConfig
from bot.app.exit_codes import CommandFailed, ExitCode
from bot.app.host import FREE_BYTES_MIN
from bot.app.paths import RunPaths
from bot.app.render.console import data_console, print_json
from bot.app.render.tables import Grid, print_grid
from bot.clock import SystemClock
from bot.engine.heartbeat import read_heartbeat
from state.archives import SUFFIX, unpacked, write_archive
from state.audit import AuditReader
from state.backups import Manifest, restore_backup, rotate, sha256_of, take_backup
from state.errors import NoLedger, StateError
from state.leases import Lease
from state.ledger import BUSY_TIMEOUT_MS, Ledger
from state.upgrades import upgrade_if_older
from strategies.model.limits import HaltScope, SystemState

_REASON_LENGTH_MAX = 500
_MEGABYTE = 1_000_000
_STAMP = "%Y%m%dT%H%M%S%fZ"


def backup_command(
    config_path: Path,
    *,
    to: Path | None,
    keep: int | None,
    flags: Sequence[str],
    state_dir: Path,
    output: str,
) -> ExitCode:
    """Back a running or stopped bot's ledger and journals up, and read the backup back."""
    config = read_config(config_path, flags)
    paths = paths_of(config, state_dir)
    now = SystemClock().now()
    target = to or paths.backups_dir / f"{paths.database.stem}-{now:{_STAMP}}"
    manifest = take_backup(paths.database, target, _companions(paths), now)
    removed: tuple[Path, ...] = ()
    if keep is not None:
        removed = rotate(target.parent, mode=config.mode, account=config.account, keep=keep)
    answer = _told(manifest, target) | {"removed": [str(folder) for folder in removed]}
    words = [f"{target}: {_words(manifest)}; read back and whole"]
    words += [f"{folder}: removed, {keep} are kept" for folder in removed]
    return _answer(answer, words, output)


def restore_command(
    config_path: Path,
    source: Path,
    *,
    reason: str,
    flags: Sequence[str],
    state_dir: Path,
    output: str,
) -> ExitCode:
    """Put a backup or an archive in the place of a stopped bot's files; the next start reconciles.

    What was there is kept. The ledger says who did it and why.
    """
    reason = reason.strip()
    if not 0 < len(reason) <= _REASON_LENGTH_MAX:
        message = f"--reason: expected 1 to {_REASON_LENGTH_MAX} characters"
        raise CommandFailed(message, ExitCode.USAGE)
    if not source.exists():
        raise CommandFailed(f"{source}: there is no such backup", ExitCode.USAGE)
    config = read_config(config_path, flags)
    paths = paths_of(config, state_dir)
    now = SystemClock().now()
    aside = paths.state_dir / "aside" / f"{paths.database.stem}-{now:{_STAMP}}"
    who = getpass.getuser()
    lease = Lease.take(paths.database, now)
    try:
        with _folder_of(source) as folder:
            manifest = restore_backup(
                folder,
                paths.database,
                _companions(paths),
                binding=(config.mode, config.account),
                aside=aside,
            )
        # Under the same lease: nobody begins to trade on it before it says what it is
        told = f"restored from {source}: {reason}"
        epoch = _record_restore(config, paths, told, who, now, lease)
    finally:
        lease.release()
    answer = _told(manifest, source) | {
        "aside": str(aside),
        "epoch": epoch,
        "by": who,
        "reason": reason,
    }
    words = [
        f"{paths.database}: is now {_words(manifest)}",
        f"{aside}: what was there before",
        "the next `alvh run` compares it with the broker before it trades",
    ]
    return _answer(answer, words, output)


def migrate_command(
    config_path: Path, *, flags: Sequence[str], state_dir: Path, output: str
) -> ExitCode:
    """Bring an older ledger up to date, as the next run would; the older file is kept."""
    config = read_config(config_path, flags)
    database = paths_of(config, state_dir).database
    if not database.exists():
        raise NoLedger(database)
    lease = Lease.take(database, SystemClock().now())
    try:
        upgrade = upgrade_if_older(
            database, binding=(config.mode, config.account), busy_timeout_ms=BUSY_TIMEOUT_MS
        )
    finally:
        lease.release()
    if upgrade is None:
        answer: dict[str, Any] = {"database": str(database), "outcome": "unchanged"}
        return _answer(answer, [f"{database}: is up to date"], output)
    answer = {
        "database": str(database),
        "outcome": "migrated",
        "from": upgrade.before,
        "to": upgrade.after,
        "records": dict(upgrade.records),
        "kept": str(upgrade.kept),
    }
    rows = sum(upgrade.records.values())
    words = [
        f"{database}: schema {upgrade.before} to {upgrade.after}, {rows:,} records proved the same",
        f"{upgrade.kept}: the file as it was",
    ]
    return _answer(answer, words, output)


def archive_command(
    config_path: Path, *, to: Path | None, flags: Sequence[str], state_dir: Path, output: str
) -> ExitCode:
    """Write a finished account's ledger and journals as one compressed file, and read it back."""
    config = read_config(config_path, flags)
    paths = paths_of(config, state_dir)
    if not paths.database.exists():
        raise NoLedger(paths.database)
    now = SystemClock().now()
    target = to or paths.state_dir / "archives" / f"{paths.database.stem}-{now:{_STAMP}}{SUFFIX}"
    if not target.name.endswith(SUFFIX):
        raise CommandFailed(f"--to: expected a name that ends in {SUFFIX}", ExitCode.USAGE)
    lease = Lease.take(paths.database, now)  # a bot that runs is not finished
    try:
        manifest = write_archive(paths.database, target, _companions(paths), now)
    finally:
        lease.release()
    answer = _told(manifest, target) | {"sha256": sha256_of(target), "bytes": target.stat().st_size}
    size = f"{target.stat().st_size / _MEGABYTE:,.1f} MB"
    words = [f"{target}: {_words(manifest)}; {size}, read back and whole", answer["sha256"]]
    return _answer(answer, words, output)


def healthcheck_command(
    config_path: Path, *, flags: Sequence[str], state_dir: Path, output: str
) -> ExitCode:
    """Say to a supervisor whether the bot runs as it should: 0, 1 if not, 5 if it is halted."""
    config = read_config(config_path, flags)
    paths = paths_of(config, state_dir)
    findings = [_process(paths), _heart(paths), _room(paths), _ledger(config, paths)]
    rows = tuple((item.check, item.outcome, item.found, item.fix) for item in findings)
    print_grid(Grid(columns=("check", "outcome", "found", "fix"), rows=rows), output)
    if any(item.outcome is Outcome.FAIL for item in findings):
        return ExitCode.FAILED
    halted = any(item.check == _HALTED for item in findings)
    return ExitCode.HALTED if halted else ExitCode.OK


_HALTED = "halted"


def _process(paths: RunPaths) -> Finding:
    holder = process_of(paths.database)
    if holder is None:
        found, fix = f"no process has the lease of {paths.database}", "start it: alvh run"
        return Finding(check="process", outcome=Outcome.FAIL, found=found, fix=fix)
    found = f"process {holder or 'unknown'} has the lease"
    return Finding(check="process", outcome=Outcome.PASS, found=found)


def _heart(paths: RunPaths) -> Finding:
    beat = read_heartbeat(paths.heartbeat)
    if beat is None:
        found, fix = f"{paths.heartbeat}: no sign of life yet", "look at the log"
        return Finding(check="heartbeat", outcome=Outcome.FAIL, found=found, fix=fix)
    late_s = (SystemClock().now() - beat.next_by).total_seconds()
    if late_s > 0:
        found = (
            f"the last sign of life was at {beat.at:%Y-%m-%d %H:%M:%S} UTC, {late_s:,.0f} s late"
        )
        fix = f"process {beat.process_id} hangs: look at its log, restart it"
        return Finding(check="heartbeat", outcome=Outcome.FAIL, found=found, fix=fix)
    found = f"on time: {beat.at:%Y-%m-%d %H:%M:%S} UTC, {beat.state}"
    return Finding(check="heartbeat", outcome=Outcome.PASS, found=found)


def _room(paths: RunPaths) -> Finding:
    try:
        free = shutil.disk_usage(paths.state_dir).free
    except OSError as cause:
        found = f"{paths.state_dir}/: {cause.strerror}"
        return Finding(check="disk", outcome=Outcome.FAIL, found=found, fix="mend it")
    outcome = Outcome.PASS if free >= FREE_BYTES_MIN else Outcome.FAIL
    found = f"{free / _MEGABYTE:,.0f} MB free for {paths.state_dir}/"
    fix = "" if outcome is Outcome.PASS else f"free {FREE_BYTES_MIN / _MEGABYTE:,.0f} MB"
    return Finding(check="disk", outcome=outcome, found=found, fix=fix)


def _ledger(config: LoadedConfig, paths: RunPaths) -> Finding:
    try:
        with AuditReader.open(paths.database) as reader:
            status = reader.status()
    except StateError as cause:
        fix = "look at the log; alvh restore puts a backup in its place"
        return Finding(check="database", outcome=Outcome.FAIL, found=str(cause), fix=fix)
    if status["state"] == SystemState.HALTED:
        found = f"{config.mode} {config.account}: HALTED ({status['scope']}): {status['reason']}"
        fix = "`alvh resume --reason ...` once the cause is understood"
        return Finding(check=_HALTED, outcome=Outcome.WARN, found=found, fix=fix)
    found = f"{config.mode} {config.account}: {status['state']}, {status['decisions']} decisions"
    return Finding(check="database", outcome=Outcome.PASS, found=found)


def _companions(paths: RunPaths) -> dict[str, Path]:
    """Return the journals beside a ledger, by their names in a backup."""
    return {
        "exchange.jsonl": paths.exchange_journal,
        "exchange.desk.jsonl": paths.desk_file,
        "tape.jsonl": paths.tape,
        "ib": paths.ib_events,
    }


@contextmanager
def _folder_of(source: Path) -> Iterator[Path]:
    if source.is_dir():
        yield source
        return
    with unpacked(source) as folder:
        yield folder


def _record_restore(
    config: LoadedConfig,
    paths: RunPaths,
    reason: str,
    who: str,
    now: datetime,
    lease: Lease,
) -> int:
    """Write into the restored ledger that it is one, under an epoch of its own.

    A halt that stood in it stands again: restoring is no way around `alvh resume`.
    """
    with Ledger.open(
        paths.database, mode=config.mode, account=config.account, now=now, lease=lease
    ) as ledger:
        stored = ledger.system_state()
        at = ledger.last_event_at() or now  # a simulated run lives in the time of its market
        scope: HaltScope | None = None
        state = SystemState.STARTING
        if stored.state is SystemState.HALTED:
            state, scope = stored.state, stored.scope
            reason = f"{stored.reason}; {reason}"
        with ledger.transaction() as tx:
            tx.set_system_state(state, at, scope, reason, who)
        return ledger.epoch


def _told(manifest: Manifest, place: Path) -> dict[str, Any]:
    return {"place": str(place)} | manifest.as_json()


def _words(manifest: Manifest) -> str:
    tail = "" if manifest.last_sequence is None else f", event {manifest.last_sequence:,}"
    size = sum(file.size for file in manifest.files) / _MEGABYTE
    return (
        f"{manifest.mode} {manifest.account} of {manifest.made_at}, schema {manifest.schema}"
        f"{tail}, {len(manifest.files)} files, {size:,.1f} MB"
    )


def _answer(answer: Mapping[str, Any], words: Sequence[str], output: str) -> ExitCode:
    if output == "json":
        print_json(json.dumps(answer))
    else:
        for line in words:
            data_console().print(line, markup=False)
    return ExitCode.OK
