"""Everything IB said and everything we asked of it, one JSON line each, before anybody acts on it.

The client library changes its state when a message arrives, and some of these changes are wrong;
what was really received can be read here. Accounts are masked, and nothing secret passes this way.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from pathlib import Path
from typing import Any, Protocol, TextIO

from bot.brokers.ib.library import UNSET_ABOVE
from bot.ports import Clock

_UNSET_INTEGER = 2**31 - 1
_NAME = re.compile(r"events-\d{4}-\d{2}-\d{2}\.jsonl")
_SHOWN_AHEAD, _SHOWN_BEHIND = 2, 2


class EventLog(Protocol):
    """Where events go."""

    def write(self, event: str, values: Mapping[str, object]) -> None:
        """Write one event down before it takes effect."""
        ...


class NoLog:
    """Keeps nothing."""

    def write(self, event: str, values: Mapping[str, object]) -> None:
        """Do nothing."""


class EventJournal:
    """JSON lines, one file a day.

    Args:
        folder: Created when the first event comes.
        clock: Says when an event came.
        files_max: So many days are kept; the oldest file goes when a new one begins.
        bytes_max: A day's file does not grow beyond it; the last line then says so.
    """

    def __init__(
        self, folder: Path, clock: Clock, *, files_max: int = 30, bytes_max: int = 256 << 20
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._files_max = files_max
        self._bytes_max = bytes_max
        self._day: date | None = None
        self._file: TextIO | None = None
        self._room = 0

    def write(self, event: str, values: Mapping[str, object]) -> None:
        """Append one event and hand it to the operating system.

        Raises: OSError if it cannot be written.
        """
        at = self._clock.now()
        if self._file is None or at.date() != self._day:
            self._begin(at.date())
        assert self._file is not None
        if self._room <= 0:
            return
        line = _line({"at": at.isoformat(), "event": event, **values})
        self._room -= len(line)
        if self._room <= 0:
            line = _line({"at": at.isoformat(), "event": "journalFull"})
        self._file.write(line)
        self._file.flush()

    def close(self) -> None:
        """Close the day's file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _begin(self, day: date) -> None:
        self.close()
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"events-{day}.jsonl"
        self._file = path.open("a", encoding="utf-8", newline="\n")
        self._day = day
        self._room = self._bytes_max - path.stat().st_size
        ours = sorted(each for each in self._folder.iterdir() if _NAME.fullmatch(each.name))
        for old in ours[: -self._files_max]:
            old.unlink()


def masked(account: str) -> str:
    """Return an account's name with its middle hidden."""
    if len(account) <= _SHOWN_AHEAD + _SHOWN_BEHIND:
        return "*" * len(account)
    hidden = "*" * (len(account) - _SHOWN_AHEAD - _SHOWN_BEHIND)
    return account[:_SHOWN_AHEAD] + hidden + account[-_SHOWN_BEHIND:]


def _line(values: Mapping[str, object]) -> str:
    return json.dumps(values, default=_plain, separators=(",", ":")) + "\n"


def _plain(value: object) -> Any:  # noqa: ANN401 as json wants it
    """Return an object of the library as a mapping of what it sets."""
    if is_dataclass(value) and not isinstance(value, type):
        found = {}
        for field in fields(value):
            content = getattr(value, field.name)
            if content == field.default or content in ("", None, [], _UNSET_INTEGER):
                continue
            if isinstance(content, float) and abs(content) > UNSET_ABOVE:
                content = "unset"
            found[field.name] = masked(content) if _names_account(field.name) else content
        return found
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    return str(value)


def _names_account(field: str) -> bool:
    return field in ("account", "acctNumber", "clearingAccount", "faGroup")
