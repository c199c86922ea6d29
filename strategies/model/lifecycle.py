"""The life of an order, as a table: a move that is not in it did not happen.

Three rows look odd and are meant so. UNKNOWN holds its order at its worst case and is left by proof
only. CANCELLED and REJECTED are left when the broker shows that they were not the end: a fill that
crossed the cancel (fault A14), executions before a refusal (A19), an order that is at work after
all. FILLED stays FILLED, and its count may still grow: more than was asked for is the truth all the
same (A32).
"""

from enum import StrEnum

from strategies.model.errors import DomainError


class OrderStatus(StrEnum):
    """Where an order is; broker words are translated at the adapter."""

    PLANNED = "PLANNED"
    ARMED = "ARMED"
    SENDING = "SENDING"
    UNKNOWN = "UNKNOWN"
    LIVE = "LIVE"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"

    @property
    def meaning(self) -> str:
        """What it says of an order, in one sentence."""
        return _MEANINGS[self]


_S = OrderStatus
_MEANINGS = {
    _S.PLANNED: "A plan wants it; nothing was asked of anybody.",
    _S.ARMED: "A person was asked and has agreed.",
    _S.SENDING: "Committed before the first byte: it may be on its way.",
    _S.UNKNOWN: "Sent, or perhaps sent, and not proven to be anywhere; it counts at its worst.",
    _S.LIVE: "The broker works it.",
    _S.PARTIALLY_FILLED: "A part has traded, the broker works the rest.",
    _S.FILLED: "All of it has traded.",
    _S.CANCELLED: "It works no longer: cancelled, expired with its day, or found nowhere twice.",
    _S.REJECTED: "Gate or broker refused it.",
}
_AT_BROKER = frozenset({_S.LIVE, _S.PARTIALLY_FILLED, _S.FILLED, _S.CANCELLED, _S.REJECTED})
_NEXT: dict[OrderStatus, frozenset[OrderStatus]] = {
    # ARMED is where approval is asked; a plan may be dropped before it is sent
    _S.PLANNED: frozenset({_S.ARMED, _S.SENDING, _S.CANCELLED, _S.REJECTED}),
    _S.ARMED: frozenset({_S.SENDING, _S.CANCELLED, _S.REJECTED}),
    _S.SENDING: _AT_BROKER | {_S.UNKNOWN},
    _S.UNKNOWN: _AT_BROKER,  # by proof only
    _S.LIVE: (_AT_BROKER | {_S.UNKNOWN}) - {_S.LIVE},
    _S.PARTIALLY_FILLED: (_AT_BROKER | {_S.UNKNOWN}) - {_S.LIVE, _S.PARTIALLY_FILLED},
    _S.CANCELLED: frozenset({_S.LIVE, _S.PARTIALLY_FILLED, _S.FILLED}),
    _S.REJECTED: frozenset({_S.LIVE, _S.PARTIALLY_FILLED, _S.FILLED, _S.CANCELLED}),
    _S.FILLED: frozenset(),
}
assert _NEXT.keys() == set(OrderStatus) == _MEANINGS.keys(), "every status has a row"

# Orders that may still trade: they count at worst-case risk and block a second one of their purpose
OPEN_STATUSES = frozenset({_S.SENDING, _S.UNKNOWN, _S.LIVE, _S.PARTIALLY_FILLED})


class ImpossibleMove(DomainError):
    """The broker reported a status that cannot follow the one on record."""


def advance(current: OrderStatus, reported: OrderStatus) -> OrderStatus:
    """Return ``reported`` if it may follow ``current``; repeating a status is allowed.

    Raises: ImpossibleMove.
    """
    if may_follow(current, reported):
        return reported
    possible = ", ".join(sorted(_NEXT[current])) or "nothing"
    raise ImpossibleMove(f"{current} -> {reported} cannot be; {current} is followed by {possible}")


def may_follow(current: OrderStatus, reported: OrderStatus) -> bool:
    """Whether a status may follow another; each may be repeated."""
    return reported is current or reported in _NEXT[current]


def life_cycle_page() -> str:
    """Return the table as Markdown, for ``docs/reliability.md``."""
    rows = (
        f"| `{status}` | {status.meaning} | "
        f"{', '.join(f'`{each}`' for each in OrderStatus if each in _NEXT[status]) or '-'} |"
        for status in OrderStatus
    )
    return "\n".join(("| Status | What it says | What may follow |", "|---|---|---|", *rows))
