"""Orders as the exchange keeps them: what was asked for, and what has become of it."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

from bot.ports import OrderReport
from strategies.model.ids import ClientOrderId
from strategies.model.instruments import OptionContract
from strategies.model.lifecycle import OrderStatus
from strategies.model.orders import Leg
from strategies.model.ticks import order_tick

LEGS_MAX = 4
_NEVER = datetime.max.replace(tzinfo=UTC)  # for orders that never worked
WORKING = frozenset({OrderStatus.LIVE, OrderStatus.PARTIALLY_FILLED})


class RejectReason(StrEnum):
    """Why the exchange refused an order."""

    DUPLICATE_ID = "duplicate client order id"
    LEGS = "legs"
    QUANTITY = "quantity"
    PRICE_OFF_TICK = "price off tick"
    OUTSIDE_SESSION = "outside session hours"
    AFTER_LAST_TRADE = "after last trade time"
    NOT_LISTED = "not listed"
    TOO_MANY_ORDERS = "too many active orders"
    UNCOVERED = "uncovered short option"
    MARGIN = "insufficient excess liquidity"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrder:
    """A limit order for the day: buy ``quantity`` packages of signed legs, pay at most the limit.

    The sign convention is that of ``strategies.model.orders``: a negative limit is a credit. The
    exchange judges an order by its effect on the account, not by what its sender calls it.
    """

    client_order_id: ClientOrderId
    legs: tuple[Leg, ...]
    quantity: int  # packages
    limit_price: Decimal  # index points for one package

    @property
    def is_combo(self) -> bool:
        """Whether several legs trade at one net price."""
        return len(self.legs) > 1

    def flaw(self) -> tuple[RejectReason, str] | None:
        """Return what makes the order impossible in any market, or None."""
        instruments = [leg.instrument for leg in self.legs]
        ratios = [leg.ratio for leg in self.legs]
        if not 1 <= len(self.legs) <= LEGS_MAX:
            return RejectReason.LEGS, f"{len(self.legs)} legs, from 1 to {LEGS_MAX} are possible"
        if 0 in ratios or len(set(instruments)) < len(instruments):
            return RejectReason.LEGS, "a leg has ratio 0 or stands twice"
        if math.gcd(*ratios) > 1:
            return RejectReason.LEGS, "the ratios have a common divisor"
        kinds = {(isinstance(i, OptionContract), i.underlying, i.multiplier) for i in instruments}
        if len(kinds) > 1:
            return RejectReason.LEGS, "legs of different products"
        if self.quantity <= 0:
            return RejectReason.QUANTITY, f"{self.quantity} packages"
        tick = order_tick(instruments, self.limit_price)
        if self.limit_price % tick != 0:
            return RejectReason.PRICE_OFF_TICK, f"{self.limit_price} is not a multiple of {tick}"
        return None


def report_of(
    order: NewOrder,
    broker_order_id: str,
    status: OrderStatus,
    *,
    filled: int = 0,
    note: str = "",
) -> OrderReport:
    """Return what the broker says about an order.

    ``leaves_quantity`` is the unfilled rest also of a cancelled order: what its owner may want to
    ask for again. Nothing is left of a rejected one.
    """
    assert 0 <= filled <= max(0, order.quantity), "an order never fills beyond its quantity"
    return OrderReport(
        client_order_id=order.client_order_id,
        broker_order_id=broker_order_id,
        status=status,
        filled_quantity=filled,
        leaves_quantity=0 if status is OrderStatus.REJECTED else order.quantity - filled,
        limit_price=order.limit_price,
        note=note,
    )


@dataclass(slots=True, kw_only=True)
class OrderRecord:
    """One order in the exchange's memory."""

    order: NewOrder
    report: OrderReport
    expires_at: datetime = _NEVER  # a working order is gone at this instant
    requirement_usd: Decimal = Decimal(0)  # available funds the whole order may take, >= 0
    matches: int = 0
    is_resting: bool = False  # it has stood through a grid instant without being marketable

    @property
    def reserved_usd(self) -> Decimal:
        """What the unfilled rest may still take of the available funds."""
        return self.requirement_usd * self.report.leaves_quantity / self.order.quantity

    def move(self, status: OrderStatus, *, filled: int, note: str = "") -> None:
        """Give the order its new state."""
        assert self.report.status in WORKING, "a done order stays as it is"
        self.report = report_of(
            self.order, self.report.broker_order_id, status, filled=filled, note=note
        )
