"""Where a bot keeps its files: one database a mode and account, beside its logs and reports."""

from dataclasses import dataclass
from pathlib import Path

STATE_DIR = Path("var")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPaths:
    """The files of one bot. Nothing is created by naming them."""

    state_dir: Path
    database: Path  # the ledger
    exchange_journal: Path  # inputs of the simulated exchange
    desk_file: Path  # what the embedded gateway knows beside that
    tape: Path  # real quotes that a simulated exchange traded on
    ib_events: Path  # folder of everything IB said
    control_dir: Path  # commands for the running bot
    heartbeat: Path  # the running bot's last sign of life
    log_file: Path
    reports_dir: Path
    backups_dir: Path


def run_paths(state_dir: Path, *, mode: str, account: str) -> RunPaths:
    """Return the files of the bot of one mode and account under ``state_dir``."""
    name = f"{mode}-{account}"
    return RunPaths(
        state_dir=state_dir,
        database=state_dir / f"{name}.sqlite",
        exchange_journal=state_dir / f"{name}.exchange.jsonl",
        desk_file=state_dir / f"{name}.exchange.desk.jsonl",
        tape=state_dir / f"{name}.tape.jsonl",
        ib_events=state_dir / "ib" / name,
        control_dir=state_dir / "control" / name,
        heartbeat=state_dir / f"{name}.heartbeat.json",
        log_file=state_dir / "logs" / f"{name}.log",
        reports_dir=state_dir / "reports",
        backups_dir=state_dir / "backups",
    )
