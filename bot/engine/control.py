"""Commands from outside the process: halt and resume, dropped as files, picked up by the bot.

Only one connection may ever write the database, so another process never writes to it while the
bot runs. It drops a JSON file into the control folder instead; the bot takes it before its next
send and at every interval, and in real time within a second or so.
"""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import structlog

from bot.ports import Alerts, Clock
from state.ledger import Ledger, StoredSystemState
from strategies.model.limits import HaltScope, SystemState

log = structlog.get_logger(__name__)

_ACKNOWLEDGED = "acknowledged"  # its text says when somebody last looked


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One request of an operator."""

    state: SystemState  # HALTED or RUNNING
    scope: HaltScope | None
    reason: str
    by: str
    at: datetime
    ends_flatten: bool = False  # of a resume: it is meant although everything is being closed


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
                ends_flatten=bool(body.get("ends_flatten", False)),
            )
        except (ValueError, KeyError, TypeError):
            path.rename(path.with_suffix(".refused"))
            continue
        found.append((path, command))
    return found


def acknowledge(control_dir: Path, at: datetime) -> None:
    """Write down that an operator has looked."""
    control_dir.mkdir(parents=True, exist_ok=True)
    (control_dir / _ACKNOWLEDGED).write_text(at.isoformat())


def acknowledged_at(control_dir: Path) -> datetime | None:
    """Return when an operator last looked; None if never, or if nobody can tell."""
    try:
        return datetime.fromisoformat((control_dir / _ACKNOWLEDGED).read_text().strip())
    except (OSError, ValueError):
        return None


def refuses_resume(stored: StoredSystemState, command: Command) -> str | None:
    """Return why a resume does not lift the halt that stands; None if it does."""
    if stored.scope is HaltScope.FLATTEN and not command.ends_flatten:
        return "everything is being closed; `alvh resume --from-flatten` says that this ends"
    return None


class Controls:
    """What the bot may do, as stored, and the commands that change it.

    A halt is on record before anything else happens (I9): whatever sends next asks here first.
    """

    def __init__(self, ledger: Ledger, clock: Clock, alerts: Alerts, control_dir: Path) -> None:
        self._ledger = ledger
        self._clock = clock
        self._alerts = alerts
        self._control_dir = control_dir

    @property
    def stored(self) -> StoredSystemState:
        """What the bot may do, and who said so."""
        return self._ledger.system_state()

    @property
    def is_flattening(self) -> bool:
        """Whether everything is being closed."""
        stored = self.stored
        return stored.state is SystemState.HALTED and stored.scope is HaltScope.FLATTEN

    def take(self) -> bool:
        """Record the halt and resume requests that wait; return whether there were any."""
        waiting = pending_commands(self._control_dir)
        for path, command in waiting:
            stored = self.stored
            if command.state is SystemState.HALTED:
                self._obey(command, SystemState.HALTED)
            elif stored.state is SystemState.HALTED:
                if (why := refuses_resume(stored, command)) is not None:
                    self._alerts.raise_alert("warning", f"not resumed: {why}")
                else:  # leaving a halt re-runs the checks of a start
                    self._obey(command, SystemState.RECONCILING)
            path.unlink()
        return bool(waiting)

    def set_state(
        self, state: SystemState, *, scope: HaltScope | None = None, reason: str, by: str = "bot"
    ) -> None:
        """Record what the bot may do from now on."""
        with self._ledger.transaction() as tx:
            tx.set_system_state(state, self._clock.now(), scope=scope, reason=reason, by=by)

    def acknowledged_at(self) -> datetime | None:
        """Return when an operator last gave a sign of life."""
        return acknowledged_at(self._control_dir)

    def end_flatten(self) -> None:
        """Say that everything is closed: from now on nothing is sent at all."""
        stored, now = self.stored, self._clock.now()
        reason = f"flat: {stored.reason}"
        with self._ledger.transaction() as tx:
            # A halt on top of a halt keeps the stricter scope, so this one is ended first
            tx.set_system_state(SystemState.RECONCILING, now, None, reason, "bot")
            tx.set_system_state(SystemState.HALTED, now, HaltScope.ALL, reason, stored.by)
        self._alerts.raise_alert("page", f"everything is closed ({stored.reason}); halted")

    def _obey(self, command: Command, state: SystemState) -> None:
        log.warning("operator command", state=command.state, reason=command.reason)
        self.set_state(state, scope=command.scope, reason=command.reason, by=command.by)
