"""The life of an order, as a table: a move that is not in it did not happen."""

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


_S = OrderStatus
_AT_BROKER = frozenset({_S.LIVE, _S.PARTIALLY_FILLED, _S.FILLED, _S.CANCELLED, _S.REJECTED})
_NEXT: dict[OrderStatus, frozenset[OrderStatus]] = {
    # ARMED is where approval is asked; a plan may be dropped before it is sent
    _S.PLANNED: frozenset({_S.ARMED, _S.SENDING, _S.CANCELLED, _S.REJECTED}),
    _S.ARMED: frozenset({_S.SENDING, _S.CANCELLED}),
    _S.SENDING: _AT_BROKER | {_S.UNKNOWN},
    _S.UNKNOWN: _AT_BROKER,  # by proof only
    _S.LIVE: _AT_BROKER | {_S.UNKNOWN},
    _S.PARTIALLY_FILLED: (_AT_BROKER | {_S.UNKNOWN}) - {_S.LIVE},
    _S.CANCELLED: frozenset({_S.FILLED, _S.PARTIALLY_FILLED}),  # a fill can cross a cancel
    _S.FILLED: frozenset(),
    _S.REJECTED: frozenset(),
}
assert _NEXT.keys() == set(OrderStatus), "every status has a row"

# Orders that may still trade: they count at worst-case risk and block a second one of their purpose
OPEN_STATUSES = frozenset({_S.SENDING, _S.UNKNOWN, _S.LIVE, _S.PARTIALLY_FILLED})


class ImpossibleMove(DomainError):
    """The broker reported a status that cannot follow the one on record."""


def advance(current: OrderStatus, reported: OrderStatus) -> OrderStatus:
    """Return ``reported`` if it may follow ``current``; repeating a status is allowed.

    Raises: ImpossibleMove.
    """
    if reported is current or reported in _NEXT[current]:
        return reported
    raise ImpossibleMove(f"{current} -> {reported}")
