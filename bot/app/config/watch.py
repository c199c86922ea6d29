"""Whether the files of a configuration still say what the running bot began with (D1).

Nothing is read again while the bot runs; but that a file was edited under it must not stay silent.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from state.governance import ConfigEdit
from strategies.model.encoding import encode
from strategies.model.rules import Rules


def file_digest(path: Path) -> str | None:
    """Return the SHA-256 of a file's bytes; None if it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


@dataclass(slots=True, kw_only=True)
class ConfigWatch:
    """Looks at files from time to time and tells each edit once."""

    in_force: Mapping[Path, str]  # file -> SHA-256 of what is in force
    _told: dict[Path, str | None] = field(default_factory=dict)

    def look(self) -> list[ConfigEdit]:
        """Return what has changed since the last look: edits, further edits, edits undone."""
        edits = []
        for path, digest in self.in_force.items():
            found = file_digest(path)
            if found == self._told.get(path, digest):
                continue
            self._told[path] = found
            edits.append(ConfigEdit(file=path.name, digest_in_force=digest, digest_found=found))
        return edits


def edit_words(edit: ConfigEdit) -> str:
    """Return what to tell an operator about an edit."""
    if edit.digest_found == edit.digest_in_force:
        return f"{edit.file} is again as it was when the bot started"
    what = "is gone" if edit.digest_found is None else "was edited"
    return (
        f"{edit.file} {what} while the bot runs; it keeps the rules it started with, and a restart "
        "takes over what the file then says"
    )


def rule_changes(rules_json: str, rules: Rules) -> list[str]:
    """Return what differs between stored rules and those in force: ``condor.target_dte 45 -> 40``.

    A value that one of the two does not know, because its program is of another version, is left
    out.
    """
    before = json.loads(rules_json)
    changes = []
    for section, values in encode(rules).items():
        for name, value in values.items():
            was = before.get(section, {}).get(name, value)
            if was != value:
                changes.append(f"{section}.{name} {json.dumps(was)} -> {json.dumps(value)}")
    return changes
