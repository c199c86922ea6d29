"""What IB has said about our orders, put together by our own ids.

The library's own view is not used: it forgets everything when a connection ends, adds corrections
to what they correct, and takes error messages for states. Here an order is found by its reference
or its permanent id, never by the number it had on some connection; it is over when its status says
so *and* its executions add up.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal

import structlog

from bot.brokers.ib.errors_table import Code, Reaction
from bot.brokers.ib.executions import Executions
from bot.brokers.ib.foreign import Foreign
from bot.brokers.ib.library import (
    CommissionReport,
    Contract,
    Execution,
    Order,
    OrderState,
    is_set,
)
from bot.brokers.ib.orders import (
    Package,
    completed_package_of,
    differences,
    exact,
    line_of,
    package_of,
    reference_of,
)
from bot.brokers.ib.sums import Sums
from bot.brokers.ib.tracked import (
    DONE,
    FILLED,
    OVER,
    UNACKNOWLEDGED,
    TrackedOrder,
    refused,
    report_of,
)
from bot.ports import OrderReport
from strategies.model.fills import Fill
from strategies.model.ids import ClientOrderId, is_own_id
from strategies.model.instruments import Instrument

log = structlog.get_logger(__name__)

_UNSET_ID = 2**31 - 1


class OrderBook:
    """Our orders, by our ids.

    Args:
        instrument_of: Says what a contract is.
    """

    def __init__(self, instrument_of: Callable[[Contract], Instrument]) -> None:
        self.executions = Executions(instrument_of)
        self.sums = Sums(self.executions)
        self.foreign = Foreign()
        self.highest_id = 0  # of this client's orders, in whatever IB has said
        self._account = ""
        self._remembered: Mapping[ClientOrderId, Package] = {}
        self._orders: dict[ClientOrderId, TrackedOrder] = {}
        self._reports: dict[ClientOrderId, OrderReport] = {}  # of those, as they stand
        self._refused_here: dict[ClientOrderId, OrderReport] = {}
        self._by_perm_id: dict[int, ClientOrderId] = {}
        self._by_order_id: dict[int, ClientOrderId] = {}  # of this connection
        self._client_id = -1
        self._open: dict[ClientOrderId, None] = {}  # not known to be over
        self._mentioned: set[ClientOrderId] | None = None  # while lists are being told
        self._waiters: list[asyncio.Future[None]] = []

    # --- questions ----------------------------------------------------------------------------

    def knows(self, reference: ClientOrderId) -> bool:
        """Whether an order was sent, refused or listed under this id."""
        return reference in self._orders or reference in self._refused_here

    def order(self, reference: ClientOrderId) -> TrackedOrder | None:
        """Return what IB said about an order that was sent."""
        return self._orders.get(reference)

    def is_acknowledged(self, reference: ClientOrderId) -> bool:
        """Whether something proves that IB has the order, or has refused it."""
        if reference in self._refused_here:
            return True
        order = self._orders[reference]
        return (
            order.status not in UNACKNOWLEDGED
            or bool(order.refusal)
            or bool(self.executions.of(reference))
        )

    def is_done(self, reference: ClientOrderId) -> bool:
        """Whether nothing can come of an order any more, by status and by adding up."""
        return self.report(reference).status in DONE

    def has_open_orders(self) -> bool:
        """Whether something may still come of an order."""
        return bool(self._open)

    def has_doubts(self) -> bool:
        """Whether IB's lists should be asked for: something was sent and not answered."""
        return any(
            self._orders[each].is_in_doubt or not self.is_acknowledged(each) for each in self._open
        )

    def report(self, reference: ClientOrderId) -> OrderReport:
        """Return what is known of an order."""
        refused = self._refused_here.get(reference)
        return self._reports[reference] if refused is None else refused

    def reports(self) -> tuple[OrderReport, ...]:
        """Return every order IB has spoken of, then those refused before they were sent."""
        untold = {reference for reference in self._open if not self._is_told(reference)}
        told = (report for reference, report in self._reports.items() if reference not in untold)
        return (*told, *self._refused_here.values())

    def fills(self, since: datetime) -> tuple[Fill, ...]:
        """Return the executions whose commission is known, oldest first, in latest revision."""
        return self.executions.fills(since)

    async def wait(self, is_true: Callable[[], bool], seconds: float) -> bool:
        """Wait until something holds, looking after each message; False if time runs out."""
        try:
            async with asyncio.timeout(seconds):
                while not is_true():
                    waiter = asyncio.get_running_loop().create_future()
                    self._waiters.append(waiter)
                    await waiter
        except TimeoutError:
            return is_true()
        return True

    def wake(self) -> None:
        """Let those who wait look again."""
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    # --- what we do ---------------------------------------------------------------------------

    def expect(self, account: str, sent: Mapping[ClientOrderId, Package]) -> None:
        """Learn with what IB's words about orders are to be compared.

        Args:
            account: The account that is traded.
            sent: What processes before this one sent; read when IB lists such an order.
        """
        self._account, self._remembered = account, sent

    def send(self, reference: ClientOrderId, package: Package, order_id: int) -> None:
        """Take note of an order before its first byte leaves."""
        assert not self.knows(reference), "an order is sent once"
        order = TrackedOrder(reference=reference, package=package, sent=package, is_watched=True)
        order.order_id = order_id
        self._see_id(order_id, self._client_id)
        self._orders[reference] = order
        self.executions.expect(reference)
        self._by_order_id[order_id] = reference
        self._open[reference] = None
        self._look(order)

    def unsend(self, reference: ClientOrderId) -> None:
        """Take back ``send``: no byte has left."""
        order = self._orders.pop(reference)
        del self._reports[reference]
        self._by_order_id.pop(order.order_id, None)
        self._open.pop(reference, None)

    def refuse(self, reference: ClientOrderId, limit_price: Decimal, reason: str) -> None:
        """Take note that an order was refused before it was sent."""
        self._refused_here[reference] = refused(reference, limit_price, reason)

    def doubt(self, reference: ClientOrderId) -> None:
        """Have IB's lists asked for before anything else is said of an order."""
        if (order := self._orders.get(reference)) is not None:
            order.is_in_doubt = True
            self._open[reference] = None

    # --- lists --------------------------------------------------------------------------------

    def reconnected(self, client_id: int) -> None:
        """Forget the numbers that only meant something on the connection before."""
        self._client_id = client_id
        self._by_order_id.clear()
        for order in self._orders.values():
            order.order_id = 0

    def begin_lists(self) -> None:
        """Take note that everything is about to be told."""
        self._mentioned = set()
        self.foreign.begin_lists()

    def end_lists(self, *, are_whole: bool) -> None:
        """Take note that everything was told: what was not mentioned is not at IB."""
        mentioned, self._mentioned = self._mentioned or set(), None
        self.foreign.end_lists(are_whole=are_whole)
        if not are_whole:
            return
        for reference in tuple(self._open):
            order = self._orders[reference]
            order.is_in_doubt = False
            order.is_listed = reference in mentioned
        self.wake()

    # --- what IB says (OrderEvents) -----------------------------------------------------------

    def names(self, order_id: int) -> bool:
        """Whether a message's id is that of an order on this connection."""
        return order_id in self._by_order_id

    def open_order(
        self, order_id: int, contract: Contract, order: Order, state: OrderState
    ) -> None:
        """Take an openOrder message."""
        self._see_id(order_id, order.clientId)
        reference = reference_of(order)
        if reference is None:
            self.foreign.open_order(order_id, contract, order, state.status)
            return
        tracked = self._mention(reference, order.permId)
        if state.status not in OVER:  # of what is over IB may leave out the quantity
            self._compare(tracked, contract, order)
        if tracked.package is None or state.status not in OVER:
            tracked.package = package_of(contract, order)
        tracked.is_watched |= state.status not in OVER
        if not tracked.is_of(order.permId):
            self._see_twin(tracked, order.permId, state.status)
            return
        if order_id > 0 and order.clientId == self._client_id:
            tracked.order_id = order_id
            self._by_order_id[order_id] = reference
        self._say(tracked, state.status)

    def order_status(
        self, order_id: int, status: str, filled: float, perm_id: int, client_id: int
    ) -> None:
        """Take an orderStatus message: the permanent id says whose it is, else our number.

        Other clients count their orders from one too, and IB's lists of all orders name them.
        """
        self._see_id(order_id, client_id)
        reference = self._by_perm_id.get(perm_id)
        if reference is None:
            self.foreign.order_status(perm_id, status, filled)
            reference = self._by_order_id.get(order_id)
            if reference is None or client_id != self._client_id:
                return
            known = self._orders[reference].perm_id
            if known and perm_id and known != perm_id:
                self.doubt(reference)  # the number has been given out twice
                return
        tracked = self._mention(reference, perm_id)
        if not tracked.is_of(perm_id):
            self._see_twin(tracked, perm_id, status)
            return
        if int(filled) > tracked.filled_told:
            tracked.filled_told = int(filled)
            self.sums.doubt(tracked)
        self._say(tracked, status)

    def execution(self, contract: Contract, execution: Execution) -> None:
        """Take an execution, live or asked for."""
        line = line_of(contract, execution)
        self._see_id(line.order_id, line.client_id)
        reference = self._by_perm_id.get(line.perm_id)
        if is_own_id(line.reference):
            reference = ClientOrderId(line.reference)
        if reference is None:
            self.foreign.execution(line)
            self.wake()
            return
        tracked = self._mention(reference, line.perm_id)
        before = self.sums.filled(tracked)
        self.executions.take(reference, line)
        corrected_by = max(0, before - self.sums.filled(tracked))
        tracked.filled_told = max(0, tracked.filled_told - corrected_by)
        tracked.is_corrected |= corrected_by > 0
        self.sums.doubt(tracked)
        self._say(tracked, tracked.status)

    def commission(self, report: CommissionReport) -> None:
        """Take a commission report, before or after its execution; one without a figure is none."""
        if is_set(report.commission):
            self.executions.commission(report.execId, exact(report.commission))
            self.wake()

    def completed_order(self, contract: Contract, order: Order, state: OrderState) -> None:
        """Take an order of today that is over."""
        reference = reference_of(order)
        if reference is None:
            self.foreign.over(order.permId)
            return
        tracked = self._mention(reference, order.permId)
        if not tracked.is_of(order.permId):
            self._see_twin(tracked, order.permId, state.status)
            return
        if tracked.package is None:
            tracked.package = completed_package_of(
                contract, order, is_filled=state.status == FILLED
            )
        tracked.is_completed = True
        if is_set(order.filledQuantity):
            tracked.filled_told = max(tracked.filled_told, int(order.filledQuantity))
            if tracked.is_watched:
                self.sums.doubt(tracked)
        if not tracked.note and state.status != FILLED:
            tracked.note = state.completedStatus
        self._say(tracked, state.status)

    def order_error(self, order_id: int, code: Code, text: str) -> None:
        """Take an error that names an order: words, or a reason to ask, never a state by itself."""
        reference = self._by_order_id[order_id]
        order = self._orders[reference]
        words = f"{code.code} {text}"
        log.info("ib says of an order", order=reference, code=code.code, text=text)
        order.hear_error(code.reaction, words)
        if code.reaction is Reaction.REFUSED:
            self._open[reference] = None
        self._look(order)

    # --- inside -------------------------------------------------------------------------------

    def _mention(self, reference: ClientOrderId, perm_id: int) -> TrackedOrder:
        """Return an order IB has spoken of, new or known, and learn its permanent id."""
        tracked = self._orders.get(reference)
        if tracked is None:
            tracked = self._orders[reference] = TrackedOrder(reference=reference)
            self.executions.expect(reference)
            self._open[reference] = None
        tracked.is_listed = True
        if self._mentioned is not None:
            self._mentioned.add(reference)
        if perm_id and perm_id not in self._by_perm_id:
            self._by_perm_id[perm_id] = reference
            tracked.perm_id = tracked.perm_id or perm_id
            for line in self.foreign.claim(perm_id):
                self.executions.take(reference, line)
                self.sums.doubt(tracked)
        return tracked

    def _see_id(self, order_id: int, client_id: int) -> None:
        """Remember the highest number of ours; what has none is named with the largest integer."""
        if client_id == self._client_id and order_id < _UNSET_ID:
            self.highest_id = max(self.highest_id, order_id)

    def _compare(self, tracked: TrackedOrder, contract: Contract, order: Order) -> None:
        """See whether IB holds the order that was sent (faults A26 and A27)."""
        if tracked.sent is None:
            tracked.sent = self._remembered.get(tracked.reference)
        found = differences(tracked.sent, self._account, contract, order)
        if found and found != tracked.echo_differs:
            log.warning("IB holds another order than was sent", order=tracked.reference, how=found)
            tracked.echo_differs = found

    def _is_told(self, reference: ClientOrderId) -> bool:
        """Whether IB lists an order; one known by its executions alone was over before today."""
        order = self._orders[reference]
        return order.is_listed and order.package is not None and self.is_acknowledged(reference)

    def _see_twin(self, tracked: TrackedOrder, perm_id: int, status: str) -> None:
        """Take note of a second order that bears the reference of one of ours.

        Until it is over nothing is certain about ours: nobody may send another in its place.
        """
        if tracked.twins.get(perm_id) not in OVER:
            tracked.twins[perm_id] = status
            log.warning(
                "two orders of one reference", ids=(tracked.perm_id, perm_id), is_now=status
            )
        self._look(tracked)

    def _say(self, tracked: TrackedOrder, status: str) -> None:
        """Take over a status, and see whether the order is over."""
        is_late = tracked.status in OVER and status not in OVER
        if status and not is_late:
            tracked.status = status
        self._look(tracked)

    def _look(self, tracked: TrackedOrder) -> None:
        """See how the order stands now, and let those who wait look."""
        self._reports[tracked.reference] = report_of(tracked, self.sums.filled(tracked))
        if self.is_done(tracked.reference):
            tracked.is_in_doubt = False
            self._open.pop(tracked.reference, None)
        self.wake()
