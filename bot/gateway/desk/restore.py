"""The desk of a process that begins where another one ended.

Orders and fills come from the exchange, which has read its journal; whose they are and what waits
comes from the desk's own memory. An order the memory does not know was placed without a gateway:
client 0 sees it as a manual one, unless another client is its heir.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time
from decimal import Decimal

from bot.exchange.exchange import Exchange
from bot.exchange.orders import WORKING, OrderRecord
from bot.gateway.contracts.book import ContractBook
from bot.gateway.contracts.errors import NoDefinition
from bot.gateway.desk.blotter import MANUAL_CLIENT, Blotter
from bot.gateway.desk.executions import ExecutionBook, matches_of
from bot.gateway.desk.floor import BY_SYSTEM, BY_TRADER
from bot.gateway.desk.memory import (
    Changed,
    Corrected,
    Ended,
    Fact,
    Parked,
    Placed,
    Reduced,
    Routed,
)
from bot.gateway.desk.reading import Refused, read_contract, read_time
from bot.gateway.desk.ticket import Line, Status, Ticket, key_of, perm_id_of
from bot.gateway.words import ComboLeg, Contract, Order
from strategies.model.calendars import EXCHANGE_ZONE
from strategies.model.ids import ClientOrderId
from strategies.model.lifecycle import OrderStatus

_REENTERED = frozenset({"GTC", "GTD"})


@dataclass(slots=True)
class _Past:
    """What is on record of one ticket."""

    placed: Placed | None = None
    order: Order | None = None
    is_changed: bool = False  # by its owner
    is_parked: bool = False
    routed_at: datetime | None = None  # if it had waited before
    ended: Ended | None = None
    records: list[OrderRecord] = field(default_factory=list)

    def reduce(self, packages: int) -> None:
        """Take in that its order is for fewer packages; of a lost one the exchange knows."""
        if self.order is not None:
            self.order = replace(self.order, total_quantity=Decimal(packages))


class Restorer:
    """Fills a blotter and an execution book with today's orders and with those still open."""

    def __init__(
        self,
        exchange: Exchange,
        contracts: ContractBook,
        blotter: Blotter,
        executions: ExecutionBook,
        account_id: str,
        *,
        holds_orders: bool,
        heir: int,
    ) -> None:
        self._exchange = exchange
        self._contracts = contracts
        self._blotter = blotter
        self._executions = executions
        self._account_id = account_id
        self._holds_orders = holds_orders
        self._heir = heir
        self._today = _midnight_before(exchange.now)

    def restore(self, facts: Iterable[Fact]) -> list[Ticket]:
        """Take in what is known, and return the tickets that are open, oldest first.

        The exchange knows no instant at which nothing reached it, so it is brought to the last
        one the memory knows: what waits must not trade before it was placed.
        """
        facts = tuple(facts)
        instants = [
            fact.at
            for fact in facts
            if isinstance(fact, Placed | Routed | Ended | Corrected) and fact.at is not None
        ]
        self._exchange.advance_to(max(instants, default=self._exchange.now))
        self._today = _midnight_before(self._exchange.now)
        pasts: dict[ClientOrderId, _Past] = defaultdict(_Past)
        corrected = set()
        for fact in facts:
            match fact:
                case Placed():
                    pasts[fact.key] = _Past(placed=fact, order=fact.order)
                    self._blotter.use_id(fact.client_id, fact.order_id)
                case Changed():
                    pasts[fact.key].order = fact.order
                    pasts[fact.key].is_changed = True
                case Reduced():
                    pasts[fact.key].reduce(fact.packages)
                case Parked():
                    pasts[fact.key].is_parked = True
                case Routed():
                    pasts[fact.key].routed_at = fact.at
                case Ended():
                    pasts[fact.key].ended = fact
                case Corrected():
                    corrected.add(fact.exec_root)
        for record in self._exchange.records():
            pasts[key_of(record.order.client_order_id)].records.append(record)
        for key, past in pasts.items():
            if (ticket := self._ticket(key, past)) is not None:
                self._blotter.add(ticket)
        self._replay_fills(corrected)
        return self._settle(pasts)

    def _ticket(self, key: ClientOrderId, past: _Past) -> Ticket | None:
        """Return the ticket of an order, None if nobody will ask for it any more."""
        if past.ended is not None and past.ended.at < self._today:
            return None
        if past.placed is None or past.order is None:
            return self._inherited(key, past) if past.records else None
        stays = past.is_parked or past.ended is not None
        is_lost = not self._holds_orders and _goes_at_once(past.order)
        if not past.records and not stays and (is_lost or not past.placed.is_transmitted):
            return None  # it was on its way when the process ended, or about to be given up
        try:
            contract, lines = self._described(past)
        except (Refused, NoDefinition):
            return None
        return self._made(key, past, past.placed.client_id, past.placed.order_id, contract, lines)

    def _described(self, past: _Past) -> tuple[Contract, tuple[Line, ...]]:
        assert past.placed is not None, "asked of what was placed"
        if not past.records:
            return read_contract(past.placed.contract, self._contracts, self._exchange.now)
        sign = 1 if past.placed.order.action == "BUY" else -1
        return past.placed.contract, self._lines(past.records[0], sign)

    def _lines(self, record: OrderRecord, sign: int) -> tuple[Line, ...]:
        return tuple(
            Line(self._contracts.of(leg.instrument), leg.instrument, leg.ratio * sign)
            for leg in record.order.legs
        )

    def _inherited(self, key: ClientOrderId, past: _Past) -> Ticket | None:
        first = past.records[0]
        is_open = any(record.report.status in WORKING for record in past.records)
        if not is_open and not self._today <= first.expires_at < datetime.max.replace(tzinfo=UTC):
            return None
        is_combo = first.order.is_combo
        is_sale = not is_combo and first.order.legs[0].ratio < 0
        sign = -1 if is_sale else 1
        past.order = Order(
            action="SELL" if is_sale else "BUY",
            total_quantity=Decimal(first.order.quantity),
            order_type="LMT",
            limit_price=first.order.limit_price * sign,
            account=self._account_id,
            order_ref=key,
        )
        lines = self._lines(first, sign)
        contract = lines[0].listed.contract
        if is_combo:
            contract, lines = read_contract(_bag(lines), self._contracts, self._exchange.now)
        is_manual = self._heir == MANUAL_CLIENT
        blotter = self._blotter
        order_id = blotter.next_manual_id() if is_manual else blotter.next_valid_id(self._heir)
        return self._made(key, past, self._heir, order_id, contract, lines)

    def _made(
        self,
        key: ClientOrderId,
        past: _Past,
        client_id: int,
        order_id: int,
        contract: Contract,
        lines: tuple[Line, ...],
    ) -> Ticket:
        assert past.order is not None, "a ticket has an order"
        ticket = Ticket(
            key=key,
            perm_id=perm_id_of(self._account_id, key),
            client_id=client_id,
            order_id=order_id,
            contract=contract,
            lines=lines,
            order=past.order,
            placed_at=past.placed.at if past.placed is not None else self._today,
        )
        ticket.routes = len(past.records)
        ticket.live = [
            record.order.client_order_id
            for record in past.records
            if record.report.status in WORKING
        ]
        ticket.is_told = True
        ticket.is_changed = past.is_changed
        ticket.is_triggered = bool(past.records)
        had_session = self._exchange.session_at(ticket.placed_at) is not None
        ticket.has_seen_session = bool(past.records) or had_session
        ticket.working_since = (past.routed_at or ticket.placed_at) if past.records else None
        return ticket

    def _replay_fills(self, corrected: set[str]) -> None:
        for match in matches_of(self._exchange.fills_from(0)):
            ticket = self._blotter.of_route(match[0].client_order_id)
            if ticket is None:
                self._executions.skip(match)
                continue
            for line in self._executions.record(ticket, match):
                root = line.execution.exec_id.rpartition(".")[0]
                if root in corrected:
                    self._executions.correct(ticket, line.revised(2, line.execution.price))
        self._executions.forget_before(self._exchange.now)

    def _settle(self, pasts: Mapping[ClientOrderId, _Past]) -> list[Ticket]:
        """Give each ticket the status it had come to."""
        open_tickets = []
        for ticket in tuple(self._blotter.open()):
            past = pasts[ticket.key]
            if (ended := past.ended) is not None:
                self._blotter.end_as_known(ticket, ended.status, ended.at, ended.text)
            elif past.is_parked:
                ticket.status, ticket.is_parked = Status.INACTIVE, True
            elif past.records and not ticket.remaining:
                text = f"Filled Size: {ticket.filled}"
                self._blotter.end(ticket, Status.FILLED, self._last_fill(past), text)
            elif ticket.live:
                ticket.status = Status.SUBMITTED
                open_tickets.append(ticket)
            elif not past.records or ticket.order.tif in _REENTERED:
                open_tickets.append(ticket)
            else:
                self._end_as_at_exchange(ticket, past.records[-1])
        return open_tickets

    def _end_as_at_exchange(self, ticket: Ticket, last: OrderRecord) -> None:
        """End a ticket whose last order at the exchange is done."""
        now = self._exchange.now
        report = last.report
        if report.status is OrderStatus.REJECTED and not ticket.filled and ticket.routes == 1:
            self._blotter.end(ticket, Status.INACTIVE, now, f"Rejected by System: {report.note}")
            return
        has_expired = last.expires_at <= now
        text = BY_SYSTEM if has_expired else BY_TRADER
        self._blotter.end(ticket, Status.CANCELLED, min(now, last.expires_at), text)

    def _last_fill(self, past: _Past) -> datetime:
        keys = {record.order.client_order_id for record in past.records}
        fills = [
            fill.executed_at
            for fill in self._exchange.fills(self._today)
            if fill.client_order_id in keys
        ]
        return max(fills, default=self._exchange.now)


def _midnight_before(at: datetime) -> datetime:
    day = at.astimezone(EXCHANGE_ZONE).date()
    return datetime.combine(day, time(0), EXCHANGE_ZONE).astimezone(UTC)


def _goes_at_once(order: Order) -> bool:
    """Whether an order is at the exchange as soon as it is placed."""
    waits = order.parent_id or read_time(order.good_after_time) is not None
    return order.order_type == "LMT" and order.tif == "DAY" and not waits


def _bag(lines: Iterable[Line]) -> Contract:
    legs = tuple(
        ComboLeg(
            con_id=line.listed.con_id,
            ratio=abs(line.ratio),
            action="BUY" if line.ratio > 0 else "SELL",
            exchange="SMART",
        )
        for line in lines
    )
    return Contract(sec_type="BAG", exchange="SMART", currency="USD", combo_legs=legs)
