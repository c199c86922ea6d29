"""Executions and their commissions: joined from either side, corrections replacing, each once.

IB reports what was executed and what it cost in two messages, in any order, and may repeat both.
An execution becomes a fill when both are known: half a fill would be a wrong one.
"""

from bisect import bisect_left, insort
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from bot.brokers.ib.library import Contract
from bot.brokers.ib.orders import ExecutionLine
from strategies.model.fills import Fill
from strategies.model.ids import ClientOrderId
from strategies.model.instruments import Instrument


class Executions:
    """The executions of our orders.

    Args:
        instrument_of: Says what a contract is.
    """

    def __init__(self, instrument_of: Callable[[Contract], Instrument]) -> None:
        self._instrument_of = instrument_of
        self._lines: dict[str, ExecutionLine] = {}  # by root, latest revision
        self._owners: dict[str, ClientOrderId] = {}  # by root
        self._roots: dict[ClientOrderId, list[str]] = {}
        self._commissions: dict[str, Decimal] = {}  # by execution id, with its revision
        self._fills: dict[str, Fill] = {}  # by root
        self._ages: dict[ClientOrderId, int] = {}
        self._in_order: list[tuple[datetime, int, str]] = []  # instant, age of the order, root

    def expect(self, reference: ClientOrderId) -> None:
        """Learn of an order: at one instant, older orders' executions come first."""
        self._ages.setdefault(reference, len(self._ages))

    def take(self, reference: ClientOrderId, line: ExecutionLine) -> None:
        """Take one over; one that is known, or older than what is known, changes nothing."""
        known = self._lines.get(line.exec_root)
        if known is not None and known.revision >= line.revision:
            return
        if known is None:
            self.expect(reference)
            self._owners[line.exec_root] = reference
            self._roots.setdefault(reference, []).append(line.exec_root)
        self._lines[line.exec_root] = line
        self._book(line)

    def commission(self, exec_id: str, amount_usd: Decimal) -> ClientOrderId | None:
        """Take over what an execution cost; returns whose it is, if it is known."""
        self._commissions[exec_id] = amount_usd
        line = self._lines.get(exec_id.rpartition(".")[0]) or self._lines.get(exec_id)
        if line is None or line.exec_id != exec_id:
            return None
        self._book(line)
        return self._owners[line.exec_root]

    def of(self, reference: ClientOrderId) -> tuple[ExecutionLine, ...]:
        """Return an order's executions in their latest revision."""
        return tuple(self._lines[root] for root in self._roots.get(reference, ()))

    def without_commission(self, reference: ClientOrderId) -> str:
        """Return the id of an execution whose commission is not known; empty if there is none."""
        for line in self.of(reference):
            if not line.is_bag and self.commission_of(line) is None:
                return line.exec_id
        return ""

    def commission_of(self, line: ExecutionLine) -> Decimal | None:
        """Return what an execution cost; one the exchange took back costs nothing, unless told."""
        told = self._commissions.get(line.exec_id)
        return Decimal(0) if told is None and not line.shares else told

    def keep_earlier_commissions(self, reference: ClientOrderId) -> None:
        """Let a correction without a commission of its own cost what it corrects did."""
        for line in self.of(reference):
            earlier = self._fills.get(line.exec_root)
            if earlier is not None and self.commission_of(line) is None:
                self._commissions[line.exec_id] = earlier.commission_usd
                self._book(line)

    def fills(self, since: datetime) -> tuple[Fill, ...]:
        """Return the executions whose commission is known, oldest first."""
        first = bisect_left(self._in_order, (since, -1, ""))
        return tuple(self._fills[root] for _, _, root in self._in_order[first:])

    def _book(self, line: ExecutionLine) -> None:
        """Make a fill of a line once its commission is known."""
        commission_usd = self.commission_of(line)
        if line.is_bag or commission_usd is None:
            return
        root = line.exec_root
        if root not in self._fills:
            age = self._ages[self._owners[root]]
            insort(self._in_order, (line.executed_at, age, root))
        self._fills[root] = Fill(
            exec_root=root,
            revision=line.revision,
            client_order_id=self._owners[root],
            symbol=self._instrument_of(line.contract).symbol,
            side=line.side,
            quantity=line.quantity,
            price=line.price,
            commission_usd=commission_usd,
            executed_at=line.executed_at,
        )
