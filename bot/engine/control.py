"""Commands from outside the process: halt and resume, dropped as files, picked up by the bot.

Only one connection may ever write the database, so another process never writes to it while the
bot runs. It drops a JSON file into the control folder instead; the bot takes it before its next
send and at every interval.
"""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from strategies.model.limits import HaltScope, SystemState


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One request of an operator."""

    state: SystemState  # HALTED or RUNNING
    scope: HaltScope | None
    reason: str
    by: str
    at: datetime


def submit_command(control_dir: Path, command: Command) -> Path:
    """Leave ``command`` for the running bot; the file appears complete or not at all."""
    control_dir.mkdir(parents=True, exist_ok=True)
    body = asdict(command) | {"at": command.at.isoformat()}
    target = control_dir / f"{command.at:%Y%m%dT%H%M%S%f}-{command.state.lower()}.json"
    partial = target.with_suffix(".partial")
    partial.write_text(json.dumps(body))
    partial.rename(target)
    return target


def pending_commands(control_dir: Path) -> list[tuple[Path, Command]]:
    """Return the commands waiting, oldest first. The caller unlinks each once it is recorded.

    A file that is no command is renamed ``*.refused`` and left for a person to look at.
    """
    if not control_dir.is_dir():
        return []
    found = []
    for path in sorted(control_dir.glob("*.json")):
        try:
            body = json.loads(path.read_text())
            command = Command(
                state=SystemState(body["state"]),
                scope=None if body["scope"] is None else HaltScope(body["scope"]),
                reason=str(body["reason"]),
                by=str(body["by"]),
                at=datetime.fromisoformat(body["at"]),
            )
        except (ValueError, KeyError, TypeError):
            path.rename(path.with_suffix(".refused"))
            continue
        found.append((path, command))
    return found
