"""Every order of the day, found by what clients and the exchange call it."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime

from bot.gateway.desk.memory import Memory
from bot.gateway.desk.ticket import Status, Ticket, key_of
from strategies.model.ids import ClientOrderId

MANUAL_CLIENT = 0  # who sees orders placed by hand


class Blotter:
    """The tickets of the desk and the ids that are taken.

    Args:
        memory: Is told of each ticket nothing more comes of, and of each the desk itself has cut.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._by_key: dict[ClientOrderId, Ticket] = {}
        self._by_id: dict[tuple[int, int], Ticket] = {}
        self._open: dict[ClientOrderId, Ticket] = {}
        self._used: dict[int, set[int]] = defaultdict(set)
        self._highest: dict[int, int] = defaultdict(int)
        self._manual = 0  # lowest id of a manual order; they count down

    # --- ids ----------------------------------------------------------------------------------

    def use_id(self, client_id: int, order_id: int) -> None:
        """Take an order id for good, whatever becomes of its order."""
        self._used[client_id].add(order_id)
        self._highest[client_id] = max(self._highest[client_id], order_id)
        self._manual = min(self._manual, order_id)

    def is_used(self, client_id: int, order_id: int) -> bool:
        """Whether a client has used an id."""
        return order_id in self._used[client_id]

    def next_valid_id(self, client_id: int) -> int:
        """Return the next id of a client."""
        return self._highest[client_id] + 1

    def next_manual_id(self) -> int:
        """Return the id client 0 will see a manual order under."""
        return self._manual - 1

    # --- tickets ------------------------------------------------------------------------------

    def add(self, ticket: Ticket) -> None:
        """Take a ticket in."""
        assert ticket.key not in self._by_key, "keys are unique"
        self.use_id(ticket.client_id, ticket.order_id)
        self._by_key[ticket.key] = ticket
        self._by_id[ticket.client_id, ticket.order_id] = ticket
        if not ticket.is_done:
            self._open[ticket.key] = ticket

    def find(self, client_id: int, order_id: int) -> Ticket | None:
        """Return the ticket a client knows by an id."""
        return self._by_id.get((client_id, order_id))

    def foreign(self, order_id: int) -> Ticket | None:
        """Return the only open ticket of any client with an id."""
        found = [ticket for ticket in self._open.values() if ticket.order_id == order_id]
        return found[0] if len(found) == 1 else None

    def of_route(self, route: ClientOrderId) -> Ticket | None:
        """Return the ticket an order at the exchange belongs to."""
        return self._by_key.get(key_of(route))

    def has_key(self, key: ClientOrderId) -> bool:
        """Whether a ticket has a key."""
        return key in self._by_key

    def reduce(self, ticket: Ticket, packages: int) -> None:
        """Let a ticket be for fewer packages than its owner asked for."""
        ticket.order = ticket.with_quantity(packages)
        self._memory.reduced(ticket)

    def route(self, ticket: Ticket, at: datetime) -> None:
        """Take note that a ticket has an order at the exchange, of the first one since when."""
        if ticket.working_since is None:
            ticket.working_since = at
            if at != ticket.placed_at:
                self._memory.routed(ticket, at)

    def end(self, ticket: Ticket, status: Status, at: datetime, text: str) -> None:
        """Let nothing come of a ticket any more."""
        self.end_as_known(ticket, status, at, text)
        self._memory.ended(ticket)

    def end_as_known(self, ticket: Ticket, status: Status, at: datetime, text: str) -> None:
        """Let a ticket be done of which that is on record."""
        ticket.status, ticket.ended_at, ticket.ended_text = status, at, text
        ticket.next_look = None
        self.leave(ticket)

    def leave(self, ticket: Ticket) -> None:
        """Drop a ticket that is done from those that are looked after."""
        if ticket.is_done and not ticket.live:
            self._open.pop(ticket.key, None)

    def open(self) -> Iterator[Ticket]:
        """Return the tickets something may still come of, oldest first."""
        return (ticket for ticket in tuple(self._open.values()) if not ticket.is_done)

    def working(self) -> tuple[Ticket, ...]:
        """Return the tickets with orders at the exchange, oldest first."""
        return tuple(ticket for ticket in self._open.values() if ticket.live)

    def done(self) -> Iterator[Ticket]:
        """Return the tickets that are done and not forgotten, oldest first."""
        return (ticket for ticket in self._by_key.values() if ticket.is_done)

    def children(self, parent: Ticket) -> tuple[Ticket, ...]:
        """Return the open tickets attached to one."""
        return tuple(
            ticket
            for ticket in self.open()
            if ticket.client_id == parent.client_id and ticket.order.parent_id == parent.order_id
        )

    def parent(self, ticket: Ticket) -> Ticket | None:
        """Return the ticket one is attached to."""
        if not ticket.order.parent_id:
            return None
        return self.find(ticket.client_id, ticket.order.parent_id)

    def group(self, ticket: Ticket) -> tuple[Ticket, ...]:
        """Return the other open tickets of which only one should fill.

        Attached orders of one parent are such a group even if they name none.
        """
        order = ticket.order
        if order.oca_group:
            return tuple(
                each
                for each in self.open()
                if each is not ticket and each.order.oca_group == order.oca_group
            )
        parent = self.parent(ticket)
        if parent is None:
            return ()
        return tuple(each for each in self.children(parent) if each is not ticket)

    def next_look(self) -> datetime | None:
        """Return when the first ticket must be looked after."""
        return min(
            (t.next_look for t in self._open.values() if t.next_look is not None), default=None
        )

    def due(self, now: datetime) -> list[Ticket]:
        """Return the tickets that must be looked after now, oldest first."""
        return [
            ticket
            for ticket in self._open.values()
            if ticket.next_look is not None and ticket.next_look <= now
        ]

    def forget_before(self, midnight: datetime) -> None:
        """Forget what was done before an instant; its ids stay taken."""
        old = [t for t in self._by_key.values() if t.ended_at is not None and t.ended_at < midnight]
        for ticket in old:
            if not ticket.live:
                del self._by_key[ticket.key]
                del self._by_id[ticket.client_id, ticket.order_id]
