"""The order desk of the simulated gateway: what IB does with orders, over our exchange.

Rules for ids. A ticket is the desk's record of one order of a client. Its key is the order's
``orderRef`` where that is usable and new, otherwise derived from client and order id; the first
order at the exchange has the key as its id, later ones (re-pricing, modification, the next day) the
key with a number. A plain day limit order therefore reaches the exchange exactly as it would
without a gateway, and dice, ids and fills are the same. The permanent id is derived from the key.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.exchange.entry import Refusal
from bot.exchange.exchange import Exchange
from bot.gateway.contracts.book import ContractBook
from bot.gateway.desk import pricing
from bot.gateway.desk.announcer import Announcer, Publish
from bot.gateway.desk.blotter import MANUAL_CLIENT, Blotter
from bot.gateway.desk.executions import ExecutionBook
from bot.gateway.desk.floor import BY_SYSTEM, BY_TRADER, Floor
from bot.gateway.desk.hours import midnight_after
from bot.gateway.desk.intake import FILLED, MISMATCH, OFF_TICK, Intake, acts_otherwise
from bot.gateway.desk.memory import Memory
from bot.gateway.desk.reading import Refused, refusal_words
from bot.gateway.desk.restore import Restorer
from bot.gateway.desk.ticket import Status, Ticket
from bot.gateway.desk.what_if import what_if_messages
from bot.gateway.faults import FaultKind, Faults
from bot.gateway.protocol.builders import error_message
from bot.gateway.protocol.message import Message
from bot.gateway.words import Contract, Order
from strategies.model.ids import ClientOrderId

_OUTSIDE_RTH_IGNORED = (
    "Order Event Warning:Attribute 'Outside Regular Trading Hours' is ignored based on the order"
    " type and destination. PlaceOrder is now being processed."
)


class OrderDesk:
    """Takes the orders of all clients.

    Args:
        exchange: Where they end up.
        contracts: What they may be about.
        faults: What goes wrong.
        publish: Sends a message to a client.
        account_id: The one account.
        holds_orders: Whether a plain day limit order that comes outside session hours waits for
            the next session, with notice 399, as at IB. Without it such an order is refused (201)
            in the exchange's words, as it is without a gateway. All other orders wait in any case.
        heir: The client that has the orders at work of which the desk's memory knows nothing.
    """

    def __init__(
        self,
        exchange: Exchange,
        contracts: ContractBook,
        faults: Faults,
        publish: Publish,
        account_id: str,
        *,
        holds_orders: bool = False,
        heir: int = MANUAL_CLIENT,
    ) -> None:
        self._exchange = exchange
        self._faults = faults
        self._memory = Memory(exchange.journal_path, is_new=exchange.is_new)
        self._blotter = Blotter(self._memory)
        self._executions = ExecutionBook(account_id)
        self._announcer = Announcer(publish, faults, self._executions, self._memory)
        self._floor = Floor(
            exchange,
            self._blotter,
            self._executions,
            self._announcer,
            holds_orders=holds_orders,
        )
        self._intake = Intake(exchange, contracts, self._blotter, account_id)
        self._midnight = midnight_after(exchange.now)
        self._quiet_at: datetime | None = None  # nothing has been asked since we were there
        restorer = Restorer(
            exchange,
            contracts,
            self._blotter,
            self._executions,
            account_id,
            holds_orders=holds_orders,
            heir=heir,
        )
        for ticket in restorer.restore(self._memory.facts()):
            self._floor.resume(ticket)
        self._floor.fills_seen = len(exchange.fills_from(0))

    # --- time ---------------------------------------------------------------------------------

    def advance(self, at: datetime) -> None:
        """Bring the exchange to ``at`` and do and tell what is due until then."""
        at = at.astimezone(UTC)
        if at == self._quiet_at:
            return
        while (due := self._next_due()) <= at:
            self._step(due)
        self._step(at)
        self._quiet_at = at

    def _begin(self, at: datetime) -> None:
        """Come to an instant at which somebody asks for something."""
        self.advance(at)
        self._quiet_at = None

    def _next_due(self) -> datetime:
        promise, look = self._announcer.next_promise(), self._blotter.next_look()
        return min(each for each in (promise, look, self._midnight) if each is not None)

    def _step(self, at: datetime) -> None:
        self._exchange.advance_to(at)
        self._floor.collect()
        self._announcer.keep_promises(self._exchange.now)
        for ticket in self._blotter.due(self._exchange.now):
            self._floor.attend(ticket)
        if self._exchange.now >= self._midnight:
            self._begin_day()

    def _begin_day(self) -> None:
        """Forget yesterday's: IB shows completed orders and executions of a day."""
        now = self._exchange.now
        self._midnight = midnight_after(now)
        for ticket in self._blotter.open():
            if ticket.is_parked:
                self._floor.end_cancelled(ticket, BY_SYSTEM)
        self._blotter.forget_before(self._midnight - timedelta(days=1))
        self._executions.forget_before(now)

    # --- orders -------------------------------------------------------------------------------

    def place(
        self, client_id: int, order_id: int, contract: Contract, order: Order, at: datetime
    ) -> None:
        """Take an order, or the change of one; what comes of it is published."""
        self._begin(at)
        if order.what_if:
            self._what_if(client_id, order_id, contract, order)
            return
        if (draft := self._intake.drafted(client_id, order_id)) is not None:
            self._take(client_id, order_id, contract, order, draft.key)
            return
        known = self._blotter.find(client_id, order_id)
        if known is not None and (not known.is_done or known.status is Status.FILLED):
            self._modify(known, contract, order)
        elif self._blotter.is_used(client_id, order_id):
            self._announcer.tell(client_id, error_message(order_id, 103, "Duplicate order id"))
        elif order_id <= 0 and client_id != MANUAL_CLIENT:
            self._announcer.tell(
                client_id, error_message(order_id, 10149, f"Invalid order id: {order_id}")
            )
        else:
            self._take(client_id, order_id, contract, order)

    def manual_order(self, contract: Contract, order: Order, at: datetime) -> int:
        """Take an order placed by hand in the trader's window; client 0 sees it.

        Returns:
            The id client 0 knows it by, a negative one.
        """
        self._begin(at)
        order_id = self._blotter.next_manual_id()
        self._take(MANUAL_CLIENT, order_id, contract, replace(order, transmit=True))
        return order_id

    def _take(
        self,
        client_id: int,
        order_id: int,
        contract: Contract,
        order: Order,
        key: ClientOrderId | None = None,
    ) -> None:
        """Make a ticket of a new order and work it once it is transmitted."""
        if self._strikes_new(FaultKind.ORDER_DROPPED, client_id, contract, order):
            return
        self._blotter.use_id(client_id, order_id)
        try:
            ticket = self._intake.ticket(client_id, order_id, contract, order, key)
        except Refused as refusal:
            self._announcer.tell(client_id, error_message(order_id, refusal.code, refusal.text))
            return
        if not order.transmit:
            self._intake.keep(ticket)
            return
        for each in self._intake.transmitted_with(ticket):
            self._start(each)

    def _strikes_new(
        self, kind: FaultKind, client_id: int, contract: Contract, order: Order
    ) -> bool:
        """Whether a fault strikes an order that has no ticket."""
        about = {"client_id": client_id, "order_ref": order.order_ref}
        return self._faults.strikes(kind, sec_type=contract.sec_type, **about) is not None

    def _what_if(self, client_id: int, order_id: int, contract: Contract, order: Order) -> None:
        """Answer what an order would bind; nothing is placed and no id is used up."""
        if self._strikes_new(FaultKind.WHAT_IF_SILENT, client_id, contract, order):
            return
        unset_first = self._strikes_new(FaultKind.WHAT_IF_UNSET_FIRST, client_id, contract, order)
        try:
            ticket = self._intake.ticket(
                client_id, order_id, contract, order, ClientOrderId("what if")
            )
            answers = what_if_messages(ticket, self._exchange, unset_first=unset_first)
        except Refused as refusal:
            answers = [error_message(order_id, refusal.code, refusal.text)]
        for answer in answers:
            self._announcer.tell(client_id, answer)

    def _start(self, ticket: Ticket) -> None:
        """Let an order work, as far as nothing is made to go wrong."""
        strikes = self._announcer.strikes
        announcer = self._announcer
        self._memory.placed(ticket)
        self._blotter.add(ticket)
        if strikes(FaultKind.PRICE_REFUSED, ticket) is not None:
            self._floor.refuse(ticket, *OFF_TICK, note="price off tick")
            return
        if (fault := strikes(FaultKind.ORDER_REJECTED, ticket)) is not None:
            note = str(fault.details.get("text", "rejected on demand"))
            self._floor.refuse(ticket, *refusal_words(note), note=note)
            return
        if strikes(FaultKind.ORDER_INACTIVE, ticket) is not None:
            ticket.status, ticket.is_parked, ticket.is_told = Status.INACTIVE, True, True
            self._memory.parked(ticket)
            announcer.say(ticket, ticket.order_status())
            return
        ticket.is_muted = strikes(FaultKind.LOST_ACK, ticket) is not None
        if (fault := strikes(FaultKind.ECHO_CHANGED, ticket)) is not None:
            ticket.echo = fault.details
        ticket.is_withheld = strikes(FaultKind.FILL_BEFORE_OPEN_ORDER, ticket) is not None
        self._floor.attend(ticket)
        if ticket.is_done:
            return
        if ticket.order.outside_rth and ticket.is_combo and ticket.contract.symbol != "SPX":
            announcer.error(ticket, 2109, _OUTSIDE_RTH_IGNORED)
        if (fault := strikes(FaultKind.ORDER_NOTICE, ticket)) is not None:
            code = int(fault.details.get("code", 399))
            announcer.error(ticket, code, str(fault.details.get("text", "Order Message")))
        if (fault := strikes(FaultKind.ORDER_CANCELLED_BY_SYSTEM, ticket)) is not None:
            due = self._exchange.now + timedelta(seconds=fault.seconds())
            reason = str(fault.details.get("text", ""))
            announcer.at(due, lambda: self._cancel_by_system(ticket, reason))

    def _cancel_by_system(self, ticket: Ticket, reason: str) -> None:
        if not ticket.is_done:
            self._floor.withdraw(ticket)
            self._floor.end_cancelled(ticket, BY_SYSTEM, reason=reason)

    # --- changes ------------------------------------------------------------------------------

    def _modify(self, ticket: Ticket, contract: Contract, order: Order) -> None:
        """Change an order at work; where that is refused, the original lives."""
        try:
            self._strike_change(ticket)
            order = self._intake.changed(ticket, contract, order)
        except Refused as refusal:
            self._announcer.error(ticket, refusal.code, refusal.text)
            return
        before, stood = ticket.order, tuple(ticket.live)
        ticket.order = order
        doubles = False
        if stood and pricing.is_fixed(ticket) and order.limit_price is not None:
            doubles = self._strikes(FaultKind.MODIFY_DOUBLES, ticket)
            limit = order.limit_price * ticket.sign
            wanted = ticket.exchange_order(limit, ticket.remaining)
            verdict = self._exchange.verdict(wanted, instead_of=() if doubles else stood)
            if isinstance(verdict, Refusal):
                ticket.order = before
                self._announcer.error(ticket, *refusal_words(verdict))
                return
        ticket.is_changed = True
        self._memory.changed(ticket)
        if doubles:
            ticket.live.clear()
            self._floor.attend(ticket)
            ticket.live[:0] = stood
        elif not stood or acts_otherwise(before, order):
            self._floor.withdraw(ticket)
            self._floor.attend(ticket)
        if not ticket.is_done:
            self._announcer.standing(ticket)

    def _strike_change(self, ticket: Ticket) -> None:
        """Refuse a change where something is made to go wrong; raises Refused."""
        refusals = {
            FaultKind.MODIFY_FILLED: FILLED,
            FaultKind.MODIFY_MISMATCH: MISMATCH,
            FaultKind.PRICE_REFUSED: OFF_TICK,
        }
        for kind, words in refusals.items():
            if self._strikes(kind, ticket):
                raise Refused(*words)

    def cancel(self, client_id: int, order_id: int, at: datetime) -> None:
        """Cancel what is left of an order; what comes of it is published."""
        self._begin(at)
        if (draft := self._intake.drafted(client_id, order_id)) is not None:
            self._memory.placed(draft, is_transmitted=False)
            self._blotter.add(draft)
            self._floor.end_cancelled(draft, BY_TRADER)
            return
        ticket = self._blotter.find(client_id, order_id) or self._blotter.foreign(order_id)
        if ticket is None or self._strikes(FaultKind.CANCEL_NOT_FOUND, ticket):
            text = f"OrderId {order_id} that needs to be cancelled is not found."
            self._announcer.tell(client_id, error_message(order_id, 10147, text))
        elif ticket.status is Status.INACTIVE and ticket.is_done:
            text = "Cancel attempted when order is not in a cancellable state."
            text = f"{text} Order permId = {ticket.perm_id}"
            self._announcer.tell(client_id, error_message(order_id, 161, text))
        elif ticket.is_done:
            text = f"OrderId {order_id} that needs to be cancelled cannot be cancelled"
            text = f"{text}, state: {ticket.status}."
            self._announcer.tell(client_id, error_message(order_id, 10148, text))
        elif not self._strikes(FaultKind.CANCEL_IGNORED, ticket):
            self._cancel(ticket, by=client_id)

    def _strikes(self, kind: FaultKind, ticket: Ticket) -> bool:
        return self._announcer.strikes(kind, ticket) is not None

    def _cancel(self, ticket: Ticket, *, by: int | None) -> None:
        self._floor.withdraw(ticket)
        self._floor.end_cancelled(ticket, BY_TRADER, by=by)

    def global_cancel(self, client_id: int, at: datetime) -> None:
        """Cancel every order of the account, whoever placed it."""
        del client_id
        self._begin(at)
        for ticket in self._blotter.open():
            if not ticket.is_done:  # a parent takes its children along
                self._cancel(ticket, by=None)

    def halt(self, at: datetime) -> None:
        """Halt trading: orders are held, none is at the exchange."""
        self._begin(at)
        self._floor.halt()

    def resume(self, at: datetime) -> None:
        """Let trading go on; orders that were held go to the exchange."""
        self._begin(at)
        self._floor.reopen()

    def exercise(self, client_id: int, req_id: int) -> None:
        """Refuse to exercise: cash settled index options exercise by themselves."""
        text = (
            "Error processing request.-'bN' : cause - European style options settled in cash are"
            " exercised at expiry only"
        )
        self._announcer.tell(client_id, error_message(req_id, 322, text))

    # --- questions ----------------------------------------------------------------------------

    def take_id(self, client_id: int, order_id: int) -> bool:
        """Use an order id up for an order that is not the desk's; False if it was used."""
        is_free = not self._blotter.is_used(client_id, order_id)
        self._blotter.use_id(client_id, order_id)
        return is_free

    def next_valid_id(self, client_id: int) -> int:
        """Return the lowest order id above all a client has used."""
        return self._blotter.next_valid_id(client_id)

    def open_orders(self, client_id: int | None) -> list[Message]:
        """Return openOrder and orderStatus of each open order.

        Args:
            client_id: Whose; None for those of every client. Client 0 sees manual orders as its
                own.
        """
        messages = []
        for ticket in self._blotter.open():
            if client_id in {None, ticket.client_id}:
                _heard(ticket)
                messages += [ticket.open_order(), ticket.order_status()]
        return messages

    def completed_orders(self, api_only: bool) -> list[Message]:
        """Return the orders that were done today.

        Args:
            api_only: Leave manual orders out.
        """
        messages = []
        for ticket in self._blotter.done():
            if not api_only or ticket.order_id > 0:
                _heard(ticket)
                messages.append(ticket.completed_order())
        return messages

    def executions(self, wanted: Mapping[str, Any], at: datetime) -> list[Message]:
        """Return today's executions, then their commissions, for a reqExecutions.

        Args:
            wanted: The filter's values.
            at: The instant of the question.
        """
        self._begin(at)
        found = self._executions.asked(wanted)
        for ticket, _ in found:
            _heard(ticket)
        reports = (line.report() for _, line in found)
        return [
            *(line.details() for _, line in found),
            *(report for report in reports if report is not None),
        ]


def _heard(ticket: Ticket) -> None:
    """From here on its owner knows of an order whose acknowledgement was lost."""
    ticket.is_muted = ticket.is_withheld = False
    ticket.is_told = True
