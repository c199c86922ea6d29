"""What the exchange was told: one JSON line an input, written before it takes effect.

The exchange is deterministic, so its inputs are its state: a new process that reads them again
holds the same orders, fills, cash and positions as the one that was killed.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bot.errors import HaltTrading
from bot.exchange.orders import NewOrder
from strategies.model.encoding import UndecodableValue, decode, encode
from strategies.model.ids import ClientOrderId

_VERSION = 1


class JournalDamaged(HaltTrading):
    """A line of the journal, other than a torn last one, does not read."""


class JournalMismatch(HaltTrading):
    """The journal belongs to another world."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What the inputs were given to; the same inputs mean something else anywhere else."""

    account_id: str
    seed: int
    market: str  # which market, which sessions, and a fingerprint of its prices
    terms: str  # cash, fees, fill model and margin convention


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """An order reached the exchange."""

    at: datetime
    order: NewOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelAsked:
    """A cancel of a working order reached the exchange."""

    at: datetime
    client_order_id: ClientOrderId


Input = Submitted | CancelAsked
_KINDS: dict[str, type[Submitted] | type[CancelAsked]] = {
    "submit": Submitted,
    "cancel": CancelAsked,
}


class Journal:
    """An append-only file of inputs."""

    def __init__(self, path: Path, world: World) -> None:
        """Open or create the journal of ``world``.

        A last line that was not written to its end never took effect; it is cut off.

        Raises: JournalMismatch if the file belongs to another world, JournalDamaged.
        """
        whole = _cut_torn_line(path)
        header, *lines = whole or [_header(world)]
        _check_header(path, header, world)
        self.inputs: tuple[Input, ...] = tuple(
            _read_input(path, number, line) for number, line in enumerate(lines, start=2)
        )
        self._path = path
        if not whole:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._write(header)

    def append(self, entry: Input) -> None:
        """Write one input down, out of this process's hands, before anybody acts on it."""
        kind = next(name for name, each in _KINDS.items() if isinstance(entry, each))
        self._write(_line({"kind": kind} | encode(entry)))

    def _write(self, line: str) -> None:
        # opened anew each time: inputs are few, and nothing is left open when a process ends
        with self._path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(line + "\n")


def _cut_torn_line(path: Path) -> list[str]:
    """Return the whole lines of a file and cut off what follows them."""
    if not path.exists():
        return []
    data = path.read_bytes()
    end = data.rfind(b"\n") + 1
    if end < len(data):
        with path.open("r+b") as file:
            file.truncate(end)
    return data[:end].decode(errors="replace").splitlines()


def _line(fields: dict[str, Any]) -> str:
    return json.dumps(fields, separators=(",", ":"), allow_nan=False)


def _header(world: World) -> str:
    return _line({"kind": "world", "version": _VERSION} | encode(world))


def _check_header(path: Path, header: str, world: World) -> None:
    found = _parse(path, 1, header)
    wanted = {"kind": "world", "version": _VERSION} | encode(world)
    differences = [
        f"{name} is {found.get(name)!r} there and {value!r} here"
        for name, value in wanted.items()
        if found.get(name) != value
    ]
    if differences:
        raise JournalMismatch(f"{path.name} records another world: {'; '.join(differences)}")


def _read_input(path: Path, number: int, line: str) -> Input:
    fields = _parse(path, number, line)
    kind = _KINDS.get(fields.pop("kind", ""))
    if kind is None:
        raise JournalDamaged(f"{path.name}, line {number}: no kind of input")
    try:
        entry: Input = decode(kind, fields)
    except UndecodableValue as cause:
        raise JournalDamaged(f"{path.name}, line {number}: {cause}") from cause
    return entry


def _parse(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        fields = json.loads(line)
    except json.JSONDecodeError as cause:
        raise JournalDamaged(f"{path.name}, line {number}: {cause.msg}") from cause
    if not isinstance(fields, dict):
        raise JournalDamaged(f"{path.name}, line {number}: not an object")
    return fields
