"""The heartbeat: a small file that a running bot renews, for those who watch it from outside.

The bot writes it from its own loop, so that a loop that hangs stops beating; `alvh healthcheck`
reads it. It is read by machines only and is not part of the ledger.
"""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """A sign of life."""

    at: datetime  # of the wall clock, also in a simulated run
    process_id: int
    state: str  # a SystemState, or what the bot is about
    next_by: datetime  # the next sign comes by then; later means that something hangs


def write_heartbeat(file: Path, beat: Heartbeat) -> None:
    """Replace the last sign of life; the file is whole at every moment."""
    body = asdict(beat) | {"at": beat.at.isoformat(), "next_by": beat.next_by.isoformat()}
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps(body))
    partial.replace(file)


def read_heartbeat(file: Path) -> Heartbeat | None:
    """Return the last sign of life; None if there never was one that can be read."""
    try:
        body = json.loads(file.read_text())
        return Heartbeat(
            at=datetime.fromisoformat(body["at"]),
            process_id=int(body["process_id"]),
            state=str(body["state"]),
            next_by=datetime.fromisoformat(body["next_by"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
