"""What is looked at from outside while a bot lives: the catalogue's words, to the letter.

The auditor of every simulated month compares ledger and exchange. Here stands what it cannot see in
process or sees only after a job: numbers of orders on the wire, terms of orders on the wire, two
orders of one purpose that stay, intervals that come to nothing long after the last fault.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import text

from bot.app.simulation.faults import Call
from bot.app.simulation.stage import Stage
from bot.engine.engine import DECIDED_BEFORE
from bot.exchange.orders import WORKING, OrderRecord
from bot.gateway.words import Order
from state.crash_points import CrashPoint
from state.errors import UnknownRecord
from strategies.model.ids import ClientOrderId
from strategies.model.limits import SystemState
from tests.simulation.museum.wire import PATIENCE, key_of

_TOGETHER = timedelta(seconds=60)  # T_dup of I2
_LOOKS = ("entry", "interval")


class Watch:
    """Looks at one stage from outside."""

    def __init__(self, stage: Stage) -> None:
        self.pages: list[str] = []
        self._stage = stage
        self._numbers: dict[tuple[int, int], str] = {}  # client and number: whose order
        self._highest: Counter[int] = Counter()
        self._followed: dict[str, datetime] = {}  # since when an order has a successor
        self._told: set[str] = set()
        stage.listeners.append(self._listen)

    def _listen(self, what: str, about: Call | CrashPoint) -> None:
        if self._stage.ledger is None:
            return
        if what == "called" or about is CrashPoint.JOB_RECORDED:
            self._look_for(self._once())
        if about is CrashPoint.JOB_RECORDED:
            self._look_for(self._alive())

    def _look_for(self, wrong: Iterator[tuple[str, str]]) -> None:
        for invariant, detail in wrong:
            if detail not in self._told:
                self._told.add(detail)
                self._stage.violate(invariant, detail)

    def placed(self, client_id: int, order_id: int, order: Order) -> None:
        """Look at an order that arrives at the gateway."""
        self._look_for(_one_price(order))
        if not order.what_if:
            self._look_for(self._as_committed(order))
            self._look_for(self._new_number(client_id, order_id, order))

    def _as_committed(self, order: Order) -> Iterator[tuple[str, str]]:
        """I1, where it counts: what arrives is on record."""
        assert self._stage.ledger is not None, "somebody lives and sends"
        try:
            intent = self._stage.ledger.order(ClientOrderId(order.order_ref)).intent
        except UnknownRecord:
            yield "I1", f"{order.order_ref} is on the wire and not on record"
            return
        if order.total_quantity > intent.quantity:
            yield "I1", f"{order.order_ref}: {order.total_quantity} sent, {intent.quantity} meant"

    def _new_number(self, client_id: int, order_id: int, order: Order) -> Iterator[tuple[str, str]]:
        """I13: a number is used once, and each is higher than those before."""
        owner = self._numbers.get((client_id, order_id))
        self._numbers[client_id, order_id] = order.order_ref
        if owner is None and order_id < self._highest[client_id]:
            yield "I13", f"number {order_id} comes after {self._highest[client_id]}"
        elif owner not in (None, order.order_ref):
            yield "I13", f"number {order_id} is that of {owner}, and of {order.order_ref} now"
        self._highest[client_id] = max(self._highest[client_id], order_id)

    def _once(self) -> Iterator[tuple[str, str]]:
        """I2 at every instant: no purpose fills beyond its quantity or has two orders for long."""
        ledger, now = self._stage.ledger, self._stage.now()
        assert ledger is not None, "somebody lives"
        last = ledger.last_decision()
        if last is None:
            return
        purposes: dict[str, str] = {}
        wanted: dict[str, int] = {}
        for stored in ledger.orders_of_plan(last.plan_id):
            purposes[stored.client_order_id] = stored.intent.purpose
            wanted.setdefault(stored.intent.purpose, stored.intent.quantity)
        sent: defaultdict[str, list[OrderRecord]] = defaultdict(list)  # oldest first
        for record in self._stage.exchange.records():
            if (purpose := purposes.get(key_of(record.order.client_order_id))) is not None:
                sent[purpose].append(record)
        for purpose, records in sent.items():
            quantity = wanted[purpose]
            if sum(record.report.filled_quantity for record in records) > quantity:
                yield "I2", f"{purpose}: {quantity} wanted, more filled"
            for record in records[:-1]:
                since = self._followed.setdefault(record.order.client_order_id, now)
                if record.report.status in WORKING and now - since >= _TOGETHER:
                    yield "I2", f"{purpose}: two orders at work after {_TOGETHER}"

    def _alive(self) -> Iterator[tuple[str, str]]:
        """I19: ten minutes after the last fault intervals run, or somebody has halted the bot."""
        stage = self._stage
        ledger, now = stage.ledger, stage.now()
        assert ledger is not None, "somebody lives"
        calm_since = stage.disturbed_at or datetime.min.replace(tzinfo=now.tzinfo)
        if not stage.is_calm or now - calm_since <= PATIENCE or not stage.is_open():
            return
        if ledger.system_state().state is SystemState.HALTED:
            return
        with ledger._reading() as connection:
            query = text("SELECT job, outcome, note FROM job_runs ORDER BY rowid DESC LIMIT 1")
            job, outcome, note = connection.execute(query).one()
        if job in _LOOKS and outcome == "skipped" and note not in DECIDED_BEFORE:
            called = "" if self.pages else "; nobody was called"
            yield "I19", f"long after the last fault nothing is decided: {note}{called}"


def _one_price(order: Order) -> Iterator[tuple[str, str]]:
    """I15: a package has one price, on the grid of packages; its legs have none (10058)."""
    if any(price is not None for price in order.leg_prices):
        prices = ", ".join(str(price) for price in order.leg_prices)
        yield "I15", f"{order.order_ref} has prices for its legs: {prices}"
