"""What the exchange's journal does not know of orders, kept beside it.

The exchange remembers its orders and fills; not who placed them under which id, what waits for a
trigger or for tomorrow, and how an order ended. One JSON line a fact, in a file of its own. It is
of no use without the exchange's journal, so it is begun anew with it.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from os import SEEK_END
from pathlib import Path
from typing import Any, Final

from bot.gateway.desk.ticket import Status, Ticket
from bot.gateway.words import Contract, Order
from strategies.model.encoding import UndecodableValue, decode, encode
from strategies.model.ids import ClientOrderId

_SUFFIX: Final = ".desk.jsonl"
_PLAIN: Final = str | int | float | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """An order was transmitted, or is given up before; nothing of it is at the exchange yet."""

    at: datetime
    key: ClientOrderId
    client_id: int
    order_id: int
    contract: Contract
    order: Order
    is_transmitted: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """An order is meant otherwise from here on."""

    key: ClientOrderId
    order: Order


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduced:
    """An order is for fewer packages, because another one of its group has filled."""

    key: ClientOrderId
    packages: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """An order is inactive, and does nothing until it is cancelled."""

    key: ClientOrderId


@dataclass(frozen=True, slots=True, kw_only=True)
class Routed:
    """An order that had waited went to the exchange for the first time."""

    key: ClientOrderId
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """Nothing more comes of an order."""

    key: ClientOrderId
    at: datetime
    status: Status
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrected:
    """An execution was told wrong at first; its second revision is right."""

    exec_root: str
    at: datetime | None = None  # older files do not say


Fact = Placed | Changed | Reduced | Parked | Routed | Ended | Corrected
_KINDS: Final[dict[str, Any]] = {
    "placed": Placed,
    "changed": Changed,
    "reduced": Reduced,
    "parked": Parked,
    "routed": Routed,
    "ended": Ended,
    "corrected": Corrected,
}


class Memory:
    """An append-only file of facts; without a path nothing is kept."""

    def __init__(self, journal_path: Path | None, *, is_new: bool) -> None:
        """Open the file beside a journal.

        Args:
            journal_path: The exchange's journal.
            is_new: Whether that journal was begun just now; what an older one left is removed.
        """
        self._path = None if journal_path is None else journal_path.with_suffix(_SUFFIX)
        if self._path is None or not self._path.exists():
            return
        if is_new:
            self._path.unlink()
        else:
            _end_last_line(self._path)

    def facts(self) -> Iterator[Fact]:
        """Return what is on record, oldest first; a line that does not read is left out."""
        if self._path is None or not self._path.exists():
            return
        for line in self._path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                fact = _read(json.loads(line))
            except (json.JSONDecodeError, UndecodableValue, KeyError, TypeError, AttributeError):
                continue  # torn by a kill, or of another version: the exchange knows the order
            yield fact

    def placed(self, ticket: Ticket, *, is_transmitted: bool = True) -> None:
        """Write down that an order is about to work, or was only ever meant to."""
        self._append(
            Placed(
                at=ticket.placed_at,
                key=ticket.key,
                client_id=ticket.client_id,
                order_id=ticket.order_id,
                contract=ticket.contract,
                order=ticket.order,
                is_transmitted=is_transmitted,
            )
        )

    def changed(self, ticket: Ticket) -> None:
        """Write down that an order is about to be changed."""
        self._append(Changed(key=ticket.key, order=ticket.order))

    def reduced(self, ticket: Ticket) -> None:
        """Write down what is left of an order of a group."""
        self._append(Reduced(key=ticket.key, packages=ticket.total))

    def parked(self, ticket: Ticket) -> None:
        """Write down that an order is inactive."""
        self._append(Parked(key=ticket.key))

    def routed(self, ticket: Ticket, at: datetime) -> None:
        """Write down when an order that had waited went to the exchange."""
        self._append(Routed(key=ticket.key, at=at))

    def ended(self, ticket: Ticket) -> None:
        """Write down how an order ended."""
        assert ticket.ended_at is not None, "it has ended"
        self._append(
            Ended(key=ticket.key, at=ticket.ended_at, status=ticket.status, text=ticket.ended_text)
        )

    def corrected(self, exec_root: str, at: datetime) -> None:
        """Write down that an execution was corrected."""
        self._append(Corrected(exec_root=exec_root, at=at))

    def _append(self, fact: Fact) -> None:
        if self._path is None:
            return
        kind = next(name for name, each in _KINDS.items() if isinstance(fact, each))
        fields = {"kind": kind} | _written(fact)
        with self._path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(fields, separators=(",", ":")) + "\n")


def _end_last_line(path: Path) -> None:
    """Let the next line begin as one, also after a line that a kill has torn."""
    with path.open("r+b") as file:
        if file.seek(0, SEEK_END) == 0:
            return
        file.seek(-1, SEEK_END)
        if file.read(1) != b"\n":
            file.write(b"\n")


def _written(fact: Fact) -> dict[str, Any]:
    """Return a fact as plain JSON; what is echoed only is kept apart, it has no types."""
    if not isinstance(fact, Placed | Changed):
        fields: dict[str, Any] = encode(fact)
        return fields
    rest = {
        name: float(value) if isinstance(value, Decimal) else value
        for name, value in fact.order.rest.items()
        if isinstance(value, _PLAIN | Decimal)
    }
    fields = encode(replace(fact, order=replace(fact.order, rest={})))
    del fields["order"]["rest"]
    return fields | {"rest": rest}


def _read(fields: dict[str, Any]) -> Fact:
    kind = _KINDS[fields.pop("kind")]
    rest = fields.pop("rest", None)
    fact: Fact = decode(kind, fields)
    if isinstance(fact, Placed | Changed) and rest:
        return replace(fact, order=replace(fact.order, rest=rest))
    return fact
