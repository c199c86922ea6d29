"""The checks of `alvh audit verify`, for a person and for a program."""

from collections.abc import Sequence
from typing import Any

from bot.app.render.tables import Grid
from state.chain import Event
from state.verification import Check, Finding

_SHOWN = 5  # findings of one check; a program gets all


def verification_grid(checks: Sequence[Check]) -> Grid:
    """Return one row a check, and one more for each further finding."""
    rows: list[tuple[str, str, str, str]] = []
    for check in checks:
        if check.holds:
            rows.append((check.name, "ok", check.looked_at, ""))
        for place, finding in enumerate(check.findings[:_SHOWN]):
            name = check.name if place == 0 else ""
            rows.append((name, "WRONG", finding.what, _event_words(finding.event)))
        if len(check.findings) > _SHOWN:
            rows.append(("", "", f"and {len(check.findings) - _SHOWN} more", ""))
    return Grid(columns=("check", "result", "detail", "event"), rows=tuple(rows))


def verification_json(checks: Sequence[Check], bad: Event | None) -> dict[str, Any]:
    """Return every finding, and the first event that one of them names."""
    return {
        "ok": all(check.holds for check in checks),
        "first_bad_event": _event_json(bad),
        "checks": [
            {
                "check": check.name,
                "ok": check.holds,
                "looked_at": check.looked_at,
                "findings": [_finding_json(finding) for finding in check.findings],
            }
            for check in checks
        ],
    }


def _finding_json(finding: Finding) -> dict[str, Any]:
    return {"what": finding.what, "event": _event_json(finding.event)}


def _event_json(event: Event | None) -> dict[str, Any] | None:
    return None if event is None else {"seq": event.seq, "kind": event.kind, "at": event.at}


def _event_words(event: Event | None) -> str:
    return "" if event is None else f"{event.seq} {event.kind} {event.at}"
