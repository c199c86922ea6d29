"""From a placeOrder to a ticket: ids, keys, and orders that wait to be transmitted."""

from dataclasses import replace
from typing import Final

from bot.exchange.exchange import Exchange
from bot.exchange.orders import RejectReason
from bot.gateway.contracts.book import ContractBook
from bot.gateway.desk import pricing
from bot.gateway.desk.blotter import Blotter
from bot.gateway.desk.reading import (
    Refused,
    read_contract,
    read_order,
    refusal_words,
    same_combination,
)
from bot.gateway.desk.ticket import ROUTE_MARK, Status, Ticket, perm_id_of
from bot.gateway.words import Contract, Order
from strategies.model.ids import ClientOrderId

_REF_LENGTH_MAX: Final = 64
FILLED: Final = (104, "Cannot modify a filled order.")
MISMATCH: Final = (105, "Order being modified does not match original order.-")
OFF_TICK: Final = refusal_words(RejectReason.PRICE_OFF_TICK)


class Intake:
    """Makes tickets of what clients ask for, and reads how they want one changed."""

    def __init__(
        self, exchange: Exchange, contracts: ContractBook, blotter: Blotter, account_id: str
    ) -> None:
        self._exchange = exchange
        self._contracts = contracts
        self._blotter = blotter
        self._account_id = account_id
        self._drafts: dict[tuple[int, int], Ticket] = {}  # not transmitted yet

    # --- new orders ---------------------------------------------------------------------------

    def ticket(
        self,
        client_id: int,
        order_id: int,
        contract: Contract,
        order: Order,
        key: ClientOrderId | None = None,
    ) -> Ticket:
        """Return the ticket of a new order.

        Args:
            client_id: Whose order it is.
            order_id: Its id for that client.
            contract: What it is about.
            order: What is wanted.
            key: The key if it has one already.

        Raises: Refused.
        """
        written, lines = read_contract(contract, self._contracts, self._exchange.now)
        order = read_order(order, self._account_id, len(lines))
        if order.parent_id and not self._knows(client_id, order.parent_id):
            raise Refused(135, f"Can't find order with id ={order.parent_id}")
        key = key or self._key(client_id, order_id, order.order_ref)
        ticket = Ticket(
            key=key,
            perm_id=perm_id_of(self._account_id, key),
            client_id=client_id,
            order_id=order_id,
            contract=written,
            lines=lines,
            order=order,
            placed_at=self._exchange.now,
        )
        if order.order_type != "LMT" and pricing.off_tick(ticket):
            raise Refused(*OFF_TICK)
        return ticket

    def _knows(self, client_id: int, order_id: int) -> bool:
        found = self._blotter.find(client_id, order_id)
        return found is not None or (client_id, order_id) in self._drafts

    def _key(self, client_id: int, order_id: int, order_ref: str) -> ClientOrderId:
        """Return the order's reference if it can serve as an id, else a derived one."""
        plain = order_ref.isascii() and order_ref.isprintable() and ROUTE_MARK not in order_ref
        if order_ref and plain and len(order_ref) <= _REF_LENGTH_MAX and self._is_free(order_ref):
            return ClientOrderId(order_ref)
        base = f"client {client_id} order {order_id}"
        names = (base if number == 1 else f"{base} #{number}" for number in range(1, 1 << 31))
        return ClientOrderId(next(name for name in names if self._is_free(name)))

    def _is_free(self, key: str) -> bool:
        name = ClientOrderId(key)
        is_draft = any(draft.key == name for draft in self._drafts.values())
        is_known = self._blotter.has_key(name) or self._exchange.record(name) is not None
        return not (is_draft or is_known)

    # --- orders to be transmitted later -------------------------------------------------------

    def keep(self, ticket: Ticket) -> None:
        """Keep an order that is not transmitted yet."""
        self._drafts[ticket.client_id, ticket.order_id] = ticket

    def drafted(self, client_id: int, order_id: int) -> Ticket | None:
        """Give an order back that waited to be transmitted."""
        return self._drafts.pop((client_id, order_id), None)

    def transmitted_with(self, ticket: Ticket) -> list[Ticket]:
        """Return what an order takes to the market with it: parent and siblings, itself last."""
        if not ticket.order.parent_id:
            return [ticket]
        family = [
            draft
            for (client_id, order_id), draft in self._drafts.items()
            if client_id == ticket.client_id
            and ticket.order.parent_id in {order_id, draft.order.parent_id}
        ]
        for draft in family:
            del self._drafts[draft.client_id, draft.order_id]
        return [*family, ticket]

    # --- changes ------------------------------------------------------------------------------

    def changed(self, ticket: Ticket, contract: Contract, order: Order) -> Order:
        """Return how an order is to be meant from here on.

        Args:
            ticket: The order.
            contract: As the client repeats it; a BAG must be spelled as the gateway spells it.
            order: What is wanted now.

        Raises: Refused.
        """
        if ticket.status is Status.FILLED:
            raise Refused(*FILLED)
        order = read_order(order, self._account_id, len(ticket.lines))
        if not self._is_same(ticket, contract) or order.action != ticket.order.action:
            raise Refused(*MISMATCH)
        if order.total_quantity <= ticket.filled:
            raise Refused(MISMATCH[0], f"{MISMATCH[1]} {ticket.filled} have been filled.")
        if order.order_type != "LMT" and pricing.off_tick(replace(ticket, order=order)):
            raise Refused(*OFF_TICK)
        return replace(order, order_ref=ticket.order.order_ref, parent_id=ticket.order.parent_id)

    def _is_same(self, ticket: Ticket, contract: Contract) -> bool:
        if ticket.is_combo:
            return same_combination(ticket.contract, contract)
        written, _ = read_contract(contract, self._contracts, self._exchange.now)
        return written.con_id == ticket.contract.con_id


def acts_otherwise(before: Order, order: Order) -> bool:
    """Whether a change makes a difference at the exchange."""
    return replace(before, rest={}, transmit=True) != replace(order, rest={}, transmit=True)
