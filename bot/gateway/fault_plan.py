"""A plan of what goes wrong, and when: deterministic, whatever the plan says.

An entry strikes the first time everything it names is true: its instant has come, what was reached
matches its particulars, it is the n-th such occasion, the dice of its seed fall so.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from bot.errors import BotError
from bot.gateway.faults import BY_THEMSELVES, Fault, FaultKind

_BITS = 64
_REMEMBERED = 10_000
_INSTANT = "at"  # the only particular of a look at the clock
_OF_REQUESTS = frozenset({"message_kind", "client_id"})


class BadFaultPlan(BotError):
    """An entry of a plan that can mean nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFault:
    """One entry of a plan.

    Attributes:
        kind: What goes wrong.
        at: Not before this instant.
        nth: Not before the n-th occasion that matches, counted from 1.
        probability: Then on each occasion with this probability.
        matching: Particulars an occasion must have; a tuple of values means any of them.
        times: How often it strikes; None for as often as it can.
        details: What the fault is struck with: ``seconds``, ``code``, ``text`` ...

    Raises: BadFaultPlan.
    """

    kind: FaultKind
    at: datetime | None = None
    nth: int | None = None
    probability: float | None = None
    matching: Mapping[str, Any] = field(default_factory=dict)
    times: int | None = 1
    details: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.at is not None and self.at.tzinfo is None:
            raise BadFaultPlan(f"{self.kind}: the instant {self.at} has no time zone")
        if self.nth is not None and self.nth < 1:
            raise BadFaultPlan(f"{self.kind}: occasions are counted from 1, not {self.nth}")
        if self.probability is not None and not 0 <= self.probability <= 1:
            raise BadFaultPlan(f"{self.kind}: {self.probability} is no probability")
        if self.times is not None and self.times < 1:
            raise BadFaultPlan(f"{self.kind}: a fault strikes at least once, not {self.times}")
        unknown = sorted(self.matching.keys() - _OF_REQUESTS)
        if unknown and self.kind in BY_THEMSELVES:
            raise BadFaultPlan(
                f"{self.kind}: strikes at an instant or at a request, which has a message_kind and "
                f"a client_id; it never has {' or '.join(unknown)}, so it would never strike"
            )

    def fits(self, about: Mapping[str, Any]) -> bool:
        """Return whether an occasion has the particulars of this entry."""
        if not (about.keys() - {_INSTANT}) and (self.nth or self.probability is not None):
            return False  # how often somebody looks at the clock means nothing
        return all(
            name in about and _is_among(about[name], wanted)
            for name, wanted in self.matching.items()
        )


@dataclass(slots=True)
class _Entry:
    planned: PlannedFault
    number: int
    occasions: int = 0
    strikes: int = 0

    @property
    def is_spent(self) -> bool:
        return self.planned.times is not None and self.strikes >= self.planned.times


@dataclass(frozen=True, slots=True)
class Struck:
    """A fault that has struck: when, by the instants the plan was told, and where."""

    at: datetime
    kind: FaultKind
    about: Mapping[str, Any]


class FaultPlan:
    """Decides what goes wrong.

    Args:
        entries: The plan.
        seed: Of the dice.
    """

    def __init__(self, entries: Iterable[PlannedFault] = (), *, seed: int = 0) -> None:
        self._seed = seed
        self._entries: dict[FaultKind, list[_Entry]] = {}
        self._count = 0
        self._now = datetime.min.replace(tzinfo=UTC)
        self.struck: deque[Struck] = deque(maxlen=_REMEMBERED)
        for entry in entries:
            self.add(entry)

    def add(self, planned: PlannedFault) -> None:
        """Add an entry; one without conditions strikes at the next occasion."""
        entries = self._entries.setdefault(planned.kind, [])
        entries.append(_Entry(planned, self._count))
        self._count += 1

    @property
    def instants(self) -> tuple[datetime, ...]:
        """The instants at which something may strike by itself, ascending."""
        every = (entry.planned.at for entries in self._entries.values() for entry in entries)
        return tuple(sorted(at for at in every if at is not None))

    def strikes(self, kind: FaultKind, **about: Any) -> Fault | None:  # noqa: ANN401 particulars
        """Return the fault that strikes here and now, or None; see ``Faults``.

        ``at`` among the particulars tells the plan what time it is.
        """
        at = about.get(_INSTANT)
        if at is not None and at > self._now:
            self._now = at
        entries = self._entries.get(kind)
        if entries is None:
            return None
        for entry in entries:
            if self._strikes(entry, about):
                self.struck.append(Struck(self._now, kind, about))
                return Fault(kind=kind, details=entry.planned.details)
        return None

    def _strikes(self, entry: _Entry, about: Mapping[str, Any]) -> bool:
        planned = entry.planned
        if entry.is_spent or not planned.fits(about):
            return False
        if planned.at is not None and self._now < planned.at:
            return False
        entry.occasions += 1
        if planned.nth is not None and entry.occasions < planned.nth:
            return False
        if planned.probability is not None and self._chance(entry) >= planned.probability:
            return False
        entry.strikes += 1
        return True

    def _chance(self, entry: _Entry) -> float:
        """Return a number from 0 to 1 that only seed, entry and occasion decide."""
        name = f"{self._seed}/{entry.number}/{entry.planned.kind}/{entry.occasions}"
        return int.from_bytes(sha256(name.encode()).digest()[: _BITS // 8], "big") / (1 << _BITS)


def _is_among(value: object, wanted: object) -> bool:
    return value in wanted if isinstance(wanted, tuple) else value == wanted
