"""The order desk of the gateway with stand-ins on it: theirs are filled here, the rest goes on.

SPY and its options are not at the exchange. Limit and market orders for them fill whole, at the far
side of their quote, as soon as that is within the limit. An Adaptive order fills at the middle, to
the tick in its favour, as soon as its limit reaches that. Nothing is asked of the account before.
Stops, pegged orders, combinations, attached orders and what-ifs of stand-ins are refused, and none
of their orders outlives the process.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from bot.exchange.exchange import Exchange
from bot.gateway.contracts.book import ContractBook
from bot.gateway.contracts.errors import ContractRefused
from bot.gateway.contracts.listed import Listed
from bot.gateway.contracts.stands import is_tradable, may_be_tradable, stand_quote
from bot.gateway.desk.announcer import Announcer, Publish
from bot.gateway.desk.blotter import Blotter
from bot.gateway.desk.desk import OrderDesk
from bot.gateway.desk.executions import ExecutionBook, Reported
from bot.gateway.desk.floor import BY_SYSTEM, BY_TRADER
from bot.gateway.desk.hours import midnight_after
from bot.gateway.desk.intake import FILLED, MISMATCH, OFF_TICK
from bot.gateway.desk.memory import Memory
from bot.gateway.desk.reading import Refused, read_order
from bot.gateway.desk.ticket import Status, Ticket, perm_id_of
from bot.gateway.faults import Faults
from bot.gateway.protocol.builders import error_message
from bot.gateway.protocol.message import Message
from bot.gateway.stand_ins.book import StandInBook
from bot.gateway.words import Commission, Contract, Execution, Order
from strategies.model.ids import ClientOrderId, digest
from strategies.model.ticks import round_down, round_up

_UNSUPPORTED: Final = (387, "Unsupported order type for this exchange and security type.")
_TYPES: Final = frozenset({"LMT", "MKT"})
_TIFS: Final = frozenset({"DAY", "GTC", "IOC"})
_OPTION_FEE: Final = Decimal("0.65")  # a contract
_SHARE_FEE: Final = Decimal("0.005")
_LEAST_FEE: Final = Decimal("1.00")  # an order
_CENT: Final = Decimal("0.01")


class StandInDesk:
    """Takes the orders of all clients, as ``OrderDesk`` does.

    Args:
        desk: Takes the orders for what the exchange has.
        book: Where executions of stand-ins are booked.
        exchange: Whose market they follow.
        contracts: What orders may be about.
        faults: What goes wrong.
        publish: Sends a message to a client.
    """

    def __init__(
        self,
        desk: OrderDesk,
        book: StandInBook,
        exchange: Exchange,
        contracts: ContractBook,
        faults: Faults,
        publish: Publish,
    ) -> None:
        self._desk = desk
        self._book = book
        self._exchange = exchange
        self._contracts = contracts
        memory = Memory(None, is_new=True)
        self._blotter = Blotter(memory)
        self._executions = ExecutionBook(exchange.account_id)
        self._announcer = Announcer(publish, faults, self._executions, memory)
        self._listed: dict[ClientOrderId, Listed] = {}
        self._midnight = midnight_after(exchange.now)

    # --- time ---------------------------------------------------------------------------------

    def advance(self, at: datetime) -> None:
        """Bring the exchange to ``at``, and do and tell what is due until then."""
        self._desk.advance(at)
        now = self._exchange.now
        self._announcer.keep_promises(now)
        for ticket in self._blotter.open():
            self._attend(ticket)
        self._book.settle()
        if now >= self._midnight:
            self._midnight = midnight_after(now)
            self._blotter.forget_before(self._midnight - timedelta(days=1))
            self._executions.forget_before(now)

    # --- orders -------------------------------------------------------------------------------

    def place(
        self, client_id: int, order_id: int, contract: Contract, order: Order, at: datetime
    ) -> None:
        """Take an order, or the change of one; what comes of it is published."""
        listed = self._stand_in(contract, at)
        if listed is None:
            self._desk.place(client_id, order_id, contract, order, at)
            return
        self.advance(at)
        if not order.transmit:  # it is heard of when it comes again
            return
        try:
            order = _read(order, self._exchange.account_id)
            known = self._blotter.find(client_id, order_id)
            if known is None:
                self._take(client_id, order_id, contract, listed, order)
            else:
                self._modify(known, listed, order)
        except Refused as refusal:
            self._announcer.tell(client_id, error_message(order_id, refusal.code, refusal.text))

    def _stand_in(self, contract: Contract, at: datetime) -> Listed | None:
        if not may_be_tradable(contract):
            return None
        try:
            listed = self._contracts.one(contract, at)
        except ContractRefused:
            return None
        return listed if is_tradable(listed) else None

    def _take(
        self, client_id: int, order_id: int, contract: Contract, listed: Listed, order: Order
    ) -> None:
        if not self._desk.take_id(client_id, order_id):
            raise Refused(103, "Duplicate order id")
        key = ClientOrderId(f"stand-in {client_id} {order_id}")
        exchange = contract.exchange or listed.contract.exchange
        ticket = Ticket(
            key=key,
            perm_id=perm_id_of(self._exchange.account_id, key),
            client_id=client_id,
            order_id=order_id,
            contract=replace(listed.contract, exchange=exchange),
            lines=(),
            order=order,
            placed_at=self._exchange.now,
        )
        self._listed[key] = listed
        self._blotter.add(ticket)
        self._attend(ticket)

    def _modify(self, ticket: Ticket, listed: Listed, order: Order) -> None:
        if ticket.status is Status.FILLED:
            raise Refused(*FILLED)
        if ticket.is_done:
            raise Refused(103, "Duplicate order id")
        if listed.con_id != ticket.contract.con_id or order.action != ticket.order.action:
            raise Refused(*MISMATCH)
        ticket.order = replace(order, order_ref=ticket.order.order_ref)
        ticket.is_changed = True
        self._announcer.standing(ticket)
        self._attend(ticket)

    def manual_order(self, contract: Contract, order: Order, at: datetime) -> int:
        """Take an order placed by hand in the trader's window; see ``OrderDesk``."""
        return self._desk.manual_order(contract, order, at)

    def cancel(self, client_id: int, order_id: int, at: datetime) -> None:
        """Cancel what is left of an order; what comes of it is published."""
        ticket = self._blotter.find(client_id, order_id)
        if ticket is None:
            self._desk.cancel(client_id, order_id, at)
            return
        self.advance(at)
        if ticket.is_done:
            text = f"OrderId {order_id} that needs to be cancelled cannot be cancelled"
            text = f"{text}, state: {ticket.status}."
            self._announcer.tell(client_id, error_message(order_id, 10148, text))
        else:
            self._end_cancelled(ticket, BY_TRADER)

    def global_cancel(self, client_id: int, at: datetime) -> None:
        """Cancel every order of the account, whoever placed it."""
        self._desk.global_cancel(client_id, at)
        for ticket in self._blotter.open():
            self._end_cancelled(ticket, BY_TRADER)

    def halt(self, at: datetime) -> None:
        """Halt trading at the exchange; stand-ins trade on."""
        self._desk.halt(at)

    def resume(self, at: datetime) -> None:
        """Let trading go on at the exchange."""
        self._desk.resume(at)

    def exercise(self, client_id: int, req_id: int) -> None:
        """Refuse to exercise."""
        self._desk.exercise(client_id, req_id)

    # --- questions ----------------------------------------------------------------------------

    def next_valid_id(self, client_id: int) -> int:
        """Return the lowest order id above all a client has used."""
        return self._desk.next_valid_id(client_id)

    def open_orders(self, client_id: int | None) -> list[Message]:
        """Return openOrder and orderStatus of each open order; None = of every client."""
        messages = self._desk.open_orders(client_id)
        for ticket in self._blotter.open():
            if client_id in {None, ticket.client_id}:
                messages += [ticket.open_order(), ticket.order_status()]
        return messages

    def completed_orders(self, api_only: bool) -> list[Message]:
        """Return the orders that were done today; manual ones too unless ``api_only``."""
        mine = [ticket.completed_order() for ticket in self._blotter.done()]
        return [*self._desk.completed_orders(api_only), *mine]

    def executions(self, wanted: Mapping[str, Any], at: datetime) -> list[Message]:
        """Return today's executions, each followed somewhere by its commission."""
        messages = self._desk.executions(wanted, at)
        for _, line in self._executions.asked(wanted):
            report = line.report()
            assert report is not None, "there are no packages here"
            messages += [line.details(), report]
        return messages

    # --- trading ------------------------------------------------------------------------------

    def _attend(self, ticket: Ticket) -> None:
        """Do for an order what is to be done now."""
        now = self._exchange.now
        last = self._listed[ticket.key].last_trade_at
        is_over = last is not None and last <= now
        if is_over or self._exchange.session_at(now) is None:
            if is_over or (ticket.has_seen_session and ticket.order.tif != "GTC"):
                self._end_cancelled(ticket, BY_SYSTEM)
            elif not ticket.is_told:
                self._announcer.standing(ticket)
            return
        ticket.status, ticket.has_seen_session = Status.SUBMITTED, True
        if not ticket.is_told:
            self._announcer.standing(ticket)
        price = self._price(ticket)
        if price is not None:
            self._fill(ticket, price)
        elif ticket.order.tif == "IOC":
            self._end_cancelled(ticket, BY_SYSTEM)

    def _price(self, ticket: Ticket) -> Decimal | None:
        """Return what an order would fill at now; None if it does not."""
        quote = stand_quote(self._exchange.market, self._listed[ticket.key], self._exchange.now)
        is_buy = ticket.sign > 0
        if quote is None or (quote.ask if is_buy else quote.bid) <= 0:
            return None
        bid, ask = Decimal(repr(quote.bid)), Decimal(repr(quote.ask))
        price = ask if is_buy else bid
        if ticket.order.algo_strategy == "Adaptive":
            middle = (bid + ask) / 2
            price = round_down(middle, _CENT) if is_buy else round_up(middle, _CENT)
        limit = ticket.order.limit_price
        if ticket.order.order_type == "LMT" and limit is not None:
            return price if price * ticket.sign <= limit * ticket.sign else None
        return price

    def _fill(self, ticket: Ticket, price: Decimal) -> None:
        now, listed, quantity = self._exchange.now, self._listed[ticket.key], ticket.total
        fee = _fee(listed, quantity)
        realized = self._book.trade(listed, ticket.sign * quantity, price, fee)
        ticket.filled, ticket.paid, ticket.last_price = quantity, quantity * price, price
        ticket.fees = fee
        self._blotter.end(ticket, Status.FILLED, now, f"Filled Size: {quantity}")
        exec_id = f"{digest('stand-in', ticket.key)[:8]}.{ticket.perm_id:08x}.01.01"
        line = Reported(
            contract=listed.contract,
            execution=Execution(
                exec_id=exec_id,
                executed_at=now,
                account=self._exchange.account_id,
                exchange=listed.contract.primary_exchange or "CBOE",
                side="BOT" if ticket.sign > 0 else "SLD",
                shares=Decimal(quantity),
                price=price,
                perm_id=ticket.perm_id,
                client_id=ticket.client_id,
                order_id=ticket.order_id,
                cum_qty=Decimal(quantity),
                avg_price=price,
                order_ref=ticket.order.order_ref,
            ),
            commission=Commission(exec_id=exec_id, commission=fee, realized_pnl=realized or None),
        )
        self._executions.add(ticket, line)
        self._announcer.executed(ticket, [line])

    def _end_cancelled(self, ticket: Ticket, text: str) -> None:
        self._blotter.end(ticket, Status.CANCELLED, self._exchange.now, text)
        self._announcer.cancelled(ticket)


def _read(order: Order, account_id: str) -> Order:
    """Return an order in the desk's words; raises Refused."""
    order = read_order(order, account_id, 1)
    is_attached = order.parent_id or order.oca_group or order.good_after_time
    if order.order_type not in _TYPES or order.tif not in _TIFS or order.what_if or is_attached:
        raise Refused(*_UNSUPPORTED)
    if order.limit_price is not None and order.limit_price % _CENT != 0:
        raise Refused(*OFF_TICK)
    return order


def _fee(listed: Listed, quantity: int) -> Decimal:
    rate = _SHARE_FEE if listed.tenth_of is None else _OPTION_FEE
    return max(_LEAST_FEE, (rate * quantity).quantize(_CENT))
