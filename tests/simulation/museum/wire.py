"""The wire of an episode: a gateway with faults of its own between the bot and the exchange.

The bot goes through everything that a paper account goes through: the client library, a socket, the
gateway. What is true stays with the exchange, and is told in the words of the invariants.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.app import ib_ports
from bot.app import wire as inside
from bot.app.ports import Ports
from bot.app.simulation.faults import Answer, Call, Fault
from bot.app.simulation.injectors import Injector
from bot.app.simulation.stage import Stage
from bot.app.simulation.truth import Truth
from bot.brokers.ib.sent_orders import SentOrders
from bot.errors import BrokerUnavailable, OutcomeUnknown
from bot.exchange.orders import WORKING, OrderRecord
from bot.gateway.desk.executions import ExecutionBook
from bot.gateway.desk.ticket import ROUTE_MARK
from bot.gateway.fault_plan import FaultPlan, PlannedFault
from bot.gateway.gateway import Gateway
from bot.gateway.words import Contract, Order
from state.ledger import Ledger
from strategies.model.fills import Fill
from strategies.model.ids import ClientOrderId, is_own_id
from strategies.model.instruments import Instrument

PATIENCE = timedelta(minutes=10)
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)

# Told of an order that reaches the gateway: the client, its number for it, and the order
Placed = Callable[[int, int, Order], None]


def key_of(order_id: str) -> ClientOrderId:
    """Return whose order one at the exchange is: the gateway numbers those it replaces."""
    return ClientOrderId(order_id.partition(ROUTE_MARK)[0])


class WireTruth(Truth):
    """What is true at the exchange, under the ids the gateway's clients know."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(exchange=stage.exchange)
        self.revised: set[str] = set()  # roots of executions that were told wrongly at first

    def fills(self, since: datetime = _BEGINNING) -> tuple[Fill, ...]:
        """Return the executions of the bot's orders in their latest revision, oldest first."""
        found = (
            replace(
                fill,
                client_order_id=key_of(fill.client_order_id),
                revision=2 if fill.exec_root in self.revised else fill.revision,
            )
            for fill in self.exchange.fills(since)
        )
        return tuple(fill for fill in found if is_own_id(fill.client_order_id))

    def foreign_fills(self) -> tuple[Fill, ...]:
        """Return the executions of everybody else's orders."""
        fills = self.exchange.fills(_BEGINNING)
        return tuple(fill for fill in fills if not is_own_id(key_of(fill.client_order_id)))

    def working(self) -> tuple[OrderRecord, ...]:
        """Return the orders of the bot that still trade."""
        return tuple(
            record
            for record in self.exchange.records()
            if record.report.status in WORKING and is_own_id(key_of(record.order.client_order_id))
        )


class Unrest(Injector):
    """Stands for the gateway's faults on the stage: until it is over, nothing is calm."""

    fault_id, waits, kills = "the gateway's", False, False


class Wire:
    """What lies between the bot and the exchange of one stage, through all lives of the bot."""

    def __init__(
        self,
        stage: Stage,
        faults: Sequence[PlannedFault],
        calm_from: datetime,
        on_placed: Placed,
    ) -> None:
        self.plan = FaultPlan(faults)
        self.truth = WireTruth(stage)
        self._stage = stage
        self._on_placed = on_placed
        self._desk: Any = None
        stage.truth = self.truth
        stage.reach = self.reach
        if faults:
            whole = Fault(fault_id=Unrest.fault_id, at=stage.exchange.now, until=calm_from)
            stage._at_work.append(Unrest(whole, stage))

    @asynccontextmanager
    async def reach(self, ledger: Ledger) -> AsyncIterator[Ports]:
        """Give one life of the bot its ports, over a gateway of its own."""
        stage = self._stage
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(inside, "Gateway", self._gateway)
            patch.setattr(ib_ports, "SentOrders", self._sent_orders)
            patch.setattr(ExecutionBook, "correct", self._corrected(ExecutionBook.correct))
            rules = stage.config.rules
            async with inside.embedded(stage.exchange, stage.clock, rules, ledger, None) as end:
                yield Ports(
                    broker=Bounded(end.ports.broker, stage),
                    market_data=Bounded(end.ports.market_data, stage),
                )

    def trade_by_hand(self, order: Order, at: datetime) -> None:
        """Place an order for a contract by hand; ``order.order_ref`` says who does."""
        contract = Contract(con_id=int(order.rest["con_id"]), exchange="SMART")
        self._desk.manual_order(contract, replace(order, rest={}), at)

    def contract_id(self, instrument: Instrument) -> int:
        """Return IB's id of an instrument."""
        return int(self._contracts.of(instrument).con_id)

    def _gateway(self, *arguments: Any) -> Gateway:
        gateway = Gateway(*arguments, self.plan)
        self._desk, self._contracts = gateway.parts.desk, gateway.parts.contracts
        place = self._desk.place

        def placed(
            client_id: int, order_id: int, contract: Contract, order: Order, at: datetime
        ) -> None:
            self._on_placed(client_id, order_id, order)
            place(client_id, order_id, contract, order, at)

        self._desk.place = placed
        return gateway

    def _sent_orders(self, _path: Path | None) -> SentOrders:
        """Remember what was sent in a file, as in front of a gateway that outlives the bot."""
        return SentOrders(self._stage.paths.database.parent / "sent-orders.jsonl")

    def _corrected(self, correct: Callable[..., None]) -> Callable[..., None]:
        def noted(book: ExecutionBook, ticket: Any, line: Any) -> None:
            self.truth.revised.add(line.execution.exec_id.rpartition(".")[0])
            correct(book, ticket, line)

        return noted


class Bounded:
    """A port of which no call may take for ever (I19)."""

    def __init__(self, port: object, stage: Stage) -> None:
        self._port = port
        self._stage = stage

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        method = getattr(self._port, name)

        async def call(*arguments: Answer) -> Answer:
            try:
                async with asyncio.timeout(PATIENCE.total_seconds()) as limit:
                    return await method(*arguments)
            except TimeoutError as silence:
                if not limit.expired():
                    raise
                self._stage.violate("I19", f"{name} has not returned within {PATIENCE}")
                kind = OutcomeUnknown if name in ("submit", "cancel") else BrokerUnavailable
                raise kind(f"{name} has not returned") from silence

        return call


class ByHand(Injector):
    """Somebody buys one contract in the trader's window."""

    fault_id, waits, kills = "by hand", True, False

    def __init__(self, at: datetime, wire: Wire, stage: Stage, instrument: Instrument) -> None:
        super().__init__(Fault(fault_id=self.fault_id, at=at, until=at + timedelta(hours=5)), stage)
        self._wire = wire
        self._instrument = instrument

    async def before(self, call: Call) -> None:
        """Trade at the first question after its time."""
        now = self.stage.now()
        if now < self.fault.at:
            return
        quote = self.stage.exchange.market.quote(self._instrument, now)
        assert quote is not None, "it was chosen because it is quoted"
        self.fire(ends=True)
        order = Order(
            action="BUY",
            total_quantity=Decimal(1),
            order_type="LMT",
            limit_price=Decimal(str(round(quote.ask + 0.5, 1))),
            tif="DAY",
            order_ref="manual-1",
            rest={"con_id": self._wire.contract_id(self._instrument)},
        )
        self._wire.trade_by_hand(order, now)
