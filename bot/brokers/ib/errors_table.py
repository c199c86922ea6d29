"""What IB's message codes mean here, and what the adapter does about each.

An error message is not an order state: a table can say that a code refuses an order which has never
been acknowledged, or that it says nothing about one; that an order is over follows from its status
and from adding up its executions. A code that is not in the table means "ask again".

Sources: "doc" is IB's own list of message codes; "P9" and "P10" are sections 9 and 10 of the
project's protocol reference, where each row names the reports it rests on.
"""

from dataclasses import dataclass
from enum import Enum


class Scope(Enum):
    """What a code is about."""

    REQUEST = "request"
    ORDER = "order"
    CONNECTION = "connection"


class Reaction(Enum):
    """What the adapter does."""

    NOTICE = "notice"  # words only; nothing has changed
    REFUSED = "refused"  # a new order was not taken; one that was acknowledged lives: reconcile
    CANCEL_TOLD = "cancel told"  # an order was cancelled, says IB: wait for status and quantities
    RECONCILE = "reconcile"  # ask for orders and executions, believe nothing before
    REQUEST_FAILED = "request failed"  # the request has no answer
    FROZEN = "frozen"  # no order entry until IB says the connection is back
    RESUBSCRIBE = "resubscribe"  # the connection is back, subscriptions are gone
    RESYNCHRONISE = "resynchronise"  # the connection is back, subscriptions live
    FARM = "farm"  # the state of one data farm
    NO_LOGIN = "no login"  # this connection is or will be closed
    SLOW_DOWN = "slow down"  # too many messages


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """One row."""

    code: int
    scope: Scope
    reaction: Reaction
    meaning: str
    source: str


def _rows(scope: Scope, reaction: Reaction, *rows: tuple[int, str, str]) -> list[Code]:
    return [
        Code(code=code, scope=scope, reaction=reaction, meaning=meaning, source=source)
        for code, meaning, source in rows
    ]


_R, _O, _C = Scope.REQUEST, Scope.ORDER, Scope.CONNECTION
_ROWS: list[Code] = [
    *_rows(
        _C,
        Reaction.SLOW_DOWN,
        (100, "too many messages a second; may be followed by a disconnect", "doc, P9"),
    ),
    *_rows(
        _C,
        Reaction.NO_LOGIN,
        (326, "client id in use; the gateway closes the socket", "doc, P8"),
        (502, "cannot connect", "doc, P9"),
        (503, "the gateway is too old", "doc, P9"),
        (504, "not connected", "doc, P9"),
        (507, "bad message length, usually because the peer has closed", "doc, P9"),
        (1300, "the socket port has been changed; this connection is about to drop", "doc, P8"),
    ),
    *_rows(_C, Reaction.FROZEN, (1100, "gateway and IB are not connected", "doc, P8")),
    *_rows(_C, Reaction.RESUBSCRIBE, (1101, "connected again, data lost", "doc, P8")),
    *_rows(_C, Reaction.RESYNCHRONISE, (1102, "connected again, data maintained", "doc, P8")),
    *_rows(
        _C,
        Reaction.FARM,
        (2103, "market data farm broken", "doc, P8"),
        (2104, "market data farm connected", "doc, P8"),
        (2105, "historical data farm broken", "doc, P8"),
        (2106, "historical data farm connected", "doc, P8"),
        (2107, "historical data farm inactive, should be available on demand", "doc, P8"),
        (2108, "market data farm inactive, should be available on demand", "doc, P8"),
        (2110, "gateway and IB are not connected, will be restored", "doc, P8"),
        (2119, "market data farm is connecting", "doc, P8"),
        (2157, "security definition farm broken", "doc, P8"),
        (2158, "security definition farm connected", "doc, P8"),
    ),
    *_rows(
        _C,
        Reaction.NOTICE,
        (505, "unknown message id", "doc, P9"),
        (2100, "account data is no longer subscribed", "doc"),
        (10197, "no market data during a competing session", "doc, P8"),
    ),
    *_rows(
        _R,
        Reaction.NOTICE,
        (165, "market scanner or historical data message", "doc, P9"),
        (300, "no such ticker id; the cancel came late", "doc, P9"),
        (366, "no such historical data query; the cancel came late", "doc"),
        (2137, "the order would cross a position of the other side", "doc"),
        (10090, "part of the market data is not subscribed", "doc, P9"),
        (10167, "not subscribed, delayed data is shown", "doc, P9"),
    ),
    *_rows(
        _R,
        Reaction.REQUEST_FAILED,
        (101, "too many market data lines", "doc, P9"),
        (102, "duplicate ticker id", "doc, P9"),
        (162, "historical data: none, no permission, or too many requests", "doc, P9"),
        (200, "no such contract, or more than one", "doc, P9"),
        (320, "the request cannot be read", "doc, P9"),
        (322, "the request cannot be processed", "doc"),
        (354, "market data not subscribed", "doc, P9"),
        (10089, "market data needs a further subscription", "doc, P9"),
        (10168, "not subscribed and delayed data is off", "doc, P9"),
        (10186, "not subscribed and delayed data is off", "doc, P9"),
    ),
    *_rows(
        _O,
        Reaction.REFUSED,
        (107, "incomplete order", "doc, P9"),
        (109, "price too far from the market", "doc, P9"),
        (110, "price off the tick; on a modify the original lives", "doc, P9"),
        (111, "time in force and order type do not go together", "doc, P9"),
        (113, "market on close needs a time in force of DAY", "doc, P9"),
        (116, "exchange closed to the order", "doc, P9"),
        (201, "refused: margin, permission, closed exchange; the text decides", "doc, P9"),
        (203, "the security is not available to this account", "doc, P9"),
        (321, "validation failed, also: the API is read-only; on a modify the order lives", "doc"),
        (328, "trailing stop with these attributes", "doc, P9"),
        (329, "the order type is not possible; on a modify the original lives", "doc, P9"),
        (382, "the price violates the percentage constraint", "doc, P9"),
        (383, "the size violates the constraint", "doc, P9"),
        (387, "order type not possible for this security and exchange", "doc, P9"),
        (388, "the order is smaller than the exchange's minimum", "doc, P9"),
        (391, "the time in force is not possible here", "doc, P9"),
        (434, "size zero", "doc, P9"),
        (436, "an allocation is needed", "doc, P9"),
        (443, "bad percentage", "doc, P9"),
        (460, "no trading permission", "doc, P9"),
        (478, "the parameters contradict the contract's id", "doc, P9"),
        (10058, "prices for legs are not possible here", "P9"),
        (10149, "invalid order id", "P9"),
    ),
    *_rows(
        _O,
        Reaction.NOTICE,
        (399, "order message, for example held until the market opens; the order lives", "P9"),
        (404, "held while shares are located; the order lives", "P9"),
        (492, "price is capped, or another remark", "P9"),
        (2109, "outside-hours attribute ignored; the order lives", "P9"),
        (2161, "a remark on the order; it lives", "P9"),
        (10311, "direct routing may cost more; the order lives", "P9"),
        (10349, "time in force set by a preset; the order lives", "P9"),
    ),
    *_rows(
        _O,
        Reaction.CANCEL_TOLD,
        (202, "cancelled, by us, another client, the exchange or the end of its day", "doc, P9"),
    ),
    *_rows(
        _O,
        Reaction.RECONCILE,
        (103, "duplicate order id: ours, or that of an order that lives", "doc, P9"),
        (104, "a filled order cannot be modified", "doc, P9"),
        (105, "the modification does not match the order, which lives", "P9"),
        (133, "submit failed", "doc, P9"),
        (134, "modify failed", "doc, P9"),
        (135, "no order with that id; often of another client", "doc, P9"),
        (136, "the order cannot be cancelled", "doc"),
        (161, "cancel of an order that cannot be cancelled now, for example one that fills", "P9"),
        (163, "size or price precaution", "P9"),
        (481, "the size was reduced", "P9"),
        (10147, "order to cancel not found; it may live under another client", "P9"),
        (10148, "order cannot be cancelled; no proof that it was", "P9"),
    ),
]

CODES: dict[int, Code] = {row.code: row for row in _ROWS}
assert len(CODES) == len(_ROWS), "one row a code"

_REMARKS = range(2100, 2200)  # "system message codes" that are not errors


def code_of(number: int, *, about_order: bool) -> Code:
    """Return what a code means; one nobody has written down asks for reconciliation.

    Args:
        number: IB's code.
        about_order: Whether it came with the id of an order, rather than of a request or none.
    """
    if (known := CODES.get(number)) is not None:
        return known
    if number in _REMARKS:
        scope = Scope.ORDER if about_order else Scope.CONNECTION
        reaction, meaning = Reaction.NOTICE, "a remark"
    elif about_order:
        scope, reaction, meaning = Scope.ORDER, Reaction.RECONCILE, "not in the table"
    else:
        scope, reaction, meaning = Scope.REQUEST, Reaction.REQUEST_FAILED, "not in the table"
    return Code(code=number, scope=scope, reaction=reaction, meaning=meaning, source="unknown")
