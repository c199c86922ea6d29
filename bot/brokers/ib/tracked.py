"""One order of ours as IB tells it, and where it is in our words."""

from dataclasses import dataclass, field
from decimal import Decimal

from bot.brokers.ib.errors_table import Reaction
from bot.brokers.ib.orders import Package
from bot.ports import OrderReport
from strategies.model.ids import ClientOrderId
from strategies.model.lifecycle import OrderStatus

CANCELLED = frozenset({"Cancelled", "ApiCancelled"})
UNACKNOWLEDGED = frozenset({"", "ApiPending", "PendingSubmit"})
PARKED = "Inactive"
FILLED = "Filled"
REFUSABLE = CANCELLED | UNACKNOWLEDGED | {PARKED}
OVER = CANCELLED | {FILLED}
DONE = frozenset({OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.REJECTED})


@dataclass(slots=True, kw_only=True)
class TrackedOrder:
    """One order of ours as IB tells it."""

    reference: ClientOrderId
    package: Package | None = None  # None while only executions of it are known
    sent: Package | None = None  # as we sent it; None where nobody remembers
    perm_id: int = 0
    order_id: int = 0  # on this connection; 0 if it belongs to another client
    status: str = ""  # IB's last word
    filled_told: int = 0  # the most that a status said was filled
    echo_differs: str = ""  # how IB's order is another than was sent; never forgotten
    note: str = ""
    refusal: str = ""
    cancel_refusal: str = ""
    is_watched: bool = False  # it was open while this process looked, so its fills must add up
    is_completed: bool = False  # IB lists it among those that are over
    is_listed: bool = True  # IB spoke of it when its lists were asked for last
    is_corrected: bool = False  # the exchange has taken back some of what it had filled
    is_in_doubt: bool = False  # the lists are to be asked for before anything is said of it
    # further orders that bear our reference, by permanent id: copied in TWS, or doubled by IB
    twins: dict[int, str] = field(default_factory=dict)

    def is_of(self, perm_id: int) -> bool:
        """Whether a message with this permanent id is about this order, rather than a twin."""
        return not (perm_id and self.perm_id) or perm_id == self.perm_id

    def hear_error(self, reaction: Reaction, words: str) -> None:
        """Take an error that names it: words, or a reason to ask, never a state by itself."""
        match reaction:
            case Reaction.NOTICE:
                pass
            case Reaction.REFUSED:
                self.refusal = words
                self.is_in_doubt = self.status not in REFUSABLE
            case Reaction.CANCEL_TOLD:
                self.note = words
                self.is_in_doubt = self.status not in CANCELLED
            case _:
                self.cancel_refusal = words
                self.is_in_doubt = True


def status_of(order: TrackedOrder, filled: int, quantity: int) -> OrderStatus:
    """Return an order's state in our words: IB's status, believed as far as quantities bear it."""
    if order.package is None or any(status not in OVER for status in order.twins.values()):
        return OrderStatus.UNKNOWN
    is_accounted = order.filled_told <= filled or not order.is_watched
    if filled >= quantity > 0:
        return OrderStatus.FILLED
    if not filled and not order.filled_told and _is_refused(order):
        return OrderStatus.REJECTED
    is_cut = order.status == FILLED and order.is_corrected  # over, and the rest never comes
    if (order.status in CANCELLED or is_cut) and is_accounted:
        return OrderStatus.CANCELLED
    if order.status == PARKED:
        return OrderStatus.UNKNOWN
    return OrderStatus.PARTIALLY_FILLED if filled else OrderStatus.LIVE


def _is_refused(order: TrackedOrder) -> bool:
    """Whether a refusal stands: said, of an order that never worked or does no longer.

    What is parked as Inactive can come back, unless IB lists it among what is over.
    """
    if order.status == PARKED and order.is_completed:
        return True
    return bool(order.refusal) and order.status in REFUSABLE


def report_of(order: TrackedOrder, filled: int) -> OrderReport:
    """Return what is known of an order, given the packages its executions come to."""
    quantity = filled if order.package is None else order.package.quantity
    status = status_of(order, filled, quantity)
    left = max(0, quantity - filled)  # an order may be filled beyond what it asked for (fault A32)
    return OrderReport(
        client_order_id=order.reference,
        broker_order_id=str(order.perm_id) if order.perm_id else "",
        status=status,
        filled_quantity=filled,
        leaves_quantity=0 if status is OrderStatus.REJECTED else left,
        limit_price=Decimal(0) if order.package is None else order.package.limit_price,
        note=(order.refusal or order.note) if status in DONE else "",
        echo_differs=order.echo_differs,
    )


def refused(reference: ClientOrderId, limit_price: Decimal, reason: str) -> OrderReport:
    """Return the report of an order that was refused before it was sent."""
    return OrderReport(
        client_order_id=reference,
        broker_order_id="",
        status=OrderStatus.REJECTED,
        filled_quantity=0,
        leaves_quantity=0,
        limit_price=limit_price,
        note=reason,
    )
