"""What the exchange was told: one JSON line an input, written before it takes effect.

The exchange is deterministic, so its inputs are its state: a new process that reads them again
holds the same orders, fills, cash and positions as the one that was killed.

That holds for one version of the exchange and one world. The first line says which; each input says
what the exchange had come to when it arrived, so that a program whose exchange has changed notices
on the way and does not go on from a state that never was.
"""

import json
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from bot.errors import HaltTrading
from bot.exchange.orders import NewOrder
from strategies.model.encoding import UndecodableValue, decode, encode
from strategies.model.ids import ClientOrderId

_VERSION = 2  # of the lines, and of the exchange where a change of it is meant
_ANEW = "to begin anew use another --state-dir, or remove this file and the database's beside it"


class JournalDamaged(HaltTrading):
    """A line other than a torn last one does not read, or contradicts what came before it."""

    def __init__(self, path: Path, number: int, found: str) -> None:
        self.path = path
        self.number = number
        super().__init__(f"{path}, line {number}: {found}; {_ANEW}")


class JournalMismatch(HaltTrading):
    """The journal belongs to another world."""

    def __init__(self, path: Path, differences: str) -> None:
        self.path = path
        super().__init__(
            f"{path} records another simulated world: {differences}. A run goes on only in the "
            f"world it began in; {_ANEW}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What the inputs were given to; the same inputs mean something else anywhere else."""

    account_id: str
    seed: int
    market: str  # which market, which sessions, and a fingerprint of its prices
    starting_cash_usd: Decimal
    margin: str  # convention
    terms: str  # a digest of fees and fill model


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """An order reached the exchange."""

    at: datetime
    before: str  # what the exchange had come to when it arrived
    order: NewOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelAsked:
    """A cancel of a working order reached the exchange."""

    at: datetime
    before: str  # what the exchange had come to when it arrived
    client_order_id: ClientOrderId


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A settlement was published, where the market itself does not know it."""

    at: datetime
    before: str  # what the exchange had come to when it arrived
    symbol: str
    session: date
    is_final: bool  # else a daily mark
    points: float


Input = Submitted | CancelAsked | Told
_LINES_BEFORE_INPUTS = 1
_KINDS: dict[str, type[Submitted] | type[CancelAsked] | type[Told]] = {
    "submit": Submitted,
    "cancel": CancelAsked,
    "told": Told,
}


class Journal:
    """An append-only file of inputs."""

    def __init__(self, path: Path, world: World) -> None:
        """Open or create the journal of ``world``.

        A last line that was not written to its end never took effect; it is cut off.

        Raises: JournalMismatch if the file belongs to another world, JournalDamaged.
        """
        whole = cut_torn_line(path)
        header, *lines = whole or [_header(world)]
        _check_header(path, header, world)
        self.inputs: tuple[Input, ...] = tuple(
            _read_input(path, number, line)
            for number, line in enumerate(lines, start=_LINES_BEFORE_INPUTS + 1)
        )
        self.path = path
        self.is_new = not whole
        if self.is_new:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._write(header)

    def contradiction(self, index: int, found: str) -> JournalDamaged:
        """Return the error that ``inputs[index]`` cannot have happened."""
        number = index + _LINES_BEFORE_INPUTS + 1
        return JournalDamaged(
            self.path, number, f"{found}; the program or its data changed since it was written"
        )

    def append(self, entry: Input) -> None:
        """Write one input down, out of this process's hands, before anybody acts on it."""
        kind = next(name for name, each in _KINDS.items() if isinstance(entry, each))
        self._write(_line({"kind": kind} | encode(entry)))

    def _write(self, line: str) -> None:
        # opened anew each time: inputs are few, and nothing is left open when a process ends
        with self.path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(line + "\n")


def require_world(path: Path, world: World) -> None:
    """Check without changing anything that a journal, if there is one, is of ``world``.

    Raises: JournalMismatch, JournalDamaged.
    """
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        header = file.readline()
    if header.endswith("\n"):  # a torn first line is cut off when a run begins
        _check_header(path, header, world)


def cut_torn_line(path: Path) -> list[str]:
    """Return the whole lines of a file and cut off what follows them; another's file is left."""
    if not path.exists():
        return []
    data = path.read_bytes()
    is_ours = data.startswith(b"{")
    end = data.rfind(b"\n") + 1 if is_ours else len(data)
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
        raise JournalMismatch(path, "; ".join(differences))


def _read_input(path: Path, number: int, line: str) -> Input:
    fields = _parse(path, number, line)
    kind = _KINDS.get(fields.pop("kind", ""))
    if kind is None:
        raise JournalDamaged(path, number, "no kind of input")
    try:
        entry: Input = decode(kind, fields)
    except UndecodableValue as cause:
        raise JournalDamaged(path, number, str(cause)) from cause
    return entry


def _parse(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        fields = json.loads(line)
    except json.JSONDecodeError as cause:
        raise JournalDamaged(path, number, cause.msg) from cause
    if not isinstance(fields, dict):
        raise JournalDamaged(path, number, "not an object")
    return fields
