"""One order as its owner and the desk see it, and the orders at the exchange that work it.

Clients speak from their side: a SELL has a positive price for what it gets. The exchange always
buys a package of signed legs. ``Ticket.sign`` is all that lies between the two.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from bot.exchange.orders import NewOrder
from bot.gateway.contracts.listed import Listed
from bot.gateway.protocol.builders import (
    completed_order_message,
    open_order_message,
    order_status_message,
    time_text,
)
from bot.gateway.protocol.message import Message
from bot.gateway.words import Contract, Order, OrderState
from strategies.model.ids import ClientOrderId, digest
from strategies.model.instruments import Instrument
from strategies.model.orders import Leg

ROUTE_MARK = "~"  # between the key of a ticket and the number of its order at the exchange
_PERM_ID_BITS = 31
_PRICE_DIGITS = 8


class Status(StrEnum):
    """IB's words for where an order is."""

    PRE_SUBMITTED = "PreSubmitted"
    SUBMITTED = "Submitted"
    PENDING_CANCEL = "PendingCancel"
    CANCELLED = "Cancelled"
    FILLED = "Filled"
    INACTIVE = "Inactive"


@dataclass(frozen=True, slots=True)
class Line:
    """One leg of an order as it is listed."""

    listed: Listed
    instrument: Instrument
    ratio: int  # of the client's package: > 0 if a BUY of the package buys it


@dataclass(slots=True, kw_only=True)
class Ticket:
    """An order of a client."""

    key: ClientOrderId  # of its first order at the exchange
    perm_id: int
    client_id: int
    order_id: int
    contract: Contract  # as the gateway writes it
    lines: tuple[Line, ...]
    order: Order
    placed_at: datetime

    status: Status = Status.PRE_SUBMITTED
    why_held: str = ""
    is_told: bool = False  # its owner has had an openOrder
    is_muted: bool = False  # nothing is said until somebody asks
    echo: Mapping[str, Any] = field(default_factory=dict)  # told instead of what it is, if a fault
    is_withheld: bool = False  # its first openOrder waits for its first execution

    routes: int = 0  # orders at the exchange so far
    live: list[ClientOrderId] = field(default_factory=list)  # those that work now
    filled: int = 0  # packages
    paid: Decimal = Decimal(0)  # packages x net price, as the client sees it
    last_price: Decimal = Decimal(0)
    fees: Decimal = Decimal(0)  # commissions of what was filled

    is_triggered: bool = False
    has_seen_session: bool = False  # the session its day order is for
    is_changed: bool = False  # by its owner, since it was placed
    is_parked: bool = False  # Inactive, and does nothing until it is cancelled
    touches: int = 0  # looks in a row that found the trigger price reached
    working_since: datetime | None = None  # its first order went to the exchange then
    next_look: datetime | None = None  # when the desk must look after it; None = not by itself
    ended_at: datetime | None = None
    ended_text: str = ""  # completedStatus

    @property
    def sign(self) -> int:
        """+1 for a BUY, -1 for a SELL."""
        return 1 if self.order.action == "BUY" else -1

    @property
    def total(self) -> int:
        """Packages asked for."""
        return int(self.order.total_quantity)

    @property
    def remaining(self) -> int:
        """Packages still to come."""
        return max(0, self.total - self.filled)

    @property
    def is_combo(self) -> bool:
        """Whether it is a BAG."""
        return self.contract.sec_type == "BAG"

    @property
    def is_done(self) -> bool:
        """Whether nothing can come of it any more."""
        return self.ended_at is not None

    @property
    def average_price(self) -> Decimal:
        """Net price of what was filled."""
        return round(self.paid / self.filled, _PRICE_DIGITS) if self.filled else Decimal(0)

    @property
    def legs(self) -> tuple[Leg, ...]:
        """What the exchange is asked to buy."""
        return tuple(
            Leg(instrument=line.instrument, ratio=line.ratio * self.sign) for line in self.lines
        )

    def exchange_order(self, limit_price: Decimal, quantity: int) -> NewOrder:
        """Return the next order at the exchange for this ticket.

        Args:
            limit_price: What the exchange's package may cost.
            quantity: Packages.
        """
        number = self.routes + 1
        key = self.key if number == 1 else ClientOrderId(f"{self.key}{ROUTE_MARK}{number}")
        return NewOrder(
            client_order_id=key, legs=self.legs, quantity=quantity, limit_price=limit_price
        )

    def with_quantity(self, packages: int) -> Order:
        """Return its order with another quantity."""
        return replace(self.order, total_quantity=Decimal(packages))

    # --- what its owner is told ---------------------------------------------------------------

    def open_order(self, status: Status | None = None) -> Message:
        """Return the openOrder that says how it stands, or stood when it had ``status``."""
        state = OrderState(status=status or self.status)
        if self.filled:
            state = replace(state, commission=self.fees, commission_currency="USD")
        message = open_order_message(
            self.order_id, self.client_id, self.perm_id, self.contract, self.order, state
        )
        return message.saying(**self.echo)

    def order_status(self, status: Status | None = None, client_id: int | None = None) -> Message:
        """Return the orderStatus.

        Args:
            status: If it is told as it stood before.
            client_id: Of who cancelled it, if somebody else did.
        """
        return order_status_message(
            order_id=self.order_id,
            status=status or self.status,
            filled=Decimal(self.filled),
            remaining=Decimal(self.remaining),
            perm_id=self.perm_id,
            client_id=self.client_id if client_id is None else client_id,
            avg_fill_price=self.average_price,
            last_fill_price=self.last_price,
            parent_id=self.order.parent_id,
            why_held=self.why_held if (status or self.status) is Status.PRE_SUBMITTED else "",
        )

    def completed_order(self) -> Message:
        """Return the completedOrder of an order that is done."""
        assert self.ended_at is not None, "only what is done is complete"
        state = OrderState(
            status=self.status,
            completed_time=time_text(self.ended_at),
            completed_status=self.ended_text,
        )
        return completed_order_message(
            self.perm_id, self.contract, self.order, state, Decimal(self.filled)
        )


def perm_id_of(account_id: str, key: str) -> int:
    """Return the permanent id of an order: derived, so that it outlives the process."""
    return int(digest(account_id, key)[:16], 16) % ((1 << _PERM_ID_BITS) - 1) + 1


def key_of(route: str) -> ClientOrderId:
    """Return the key of the ticket an order at the exchange works for."""
    return ClientOrderId(route.partition(ROUTE_MARK)[0])
