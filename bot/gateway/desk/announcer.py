"""What owners are told, when, and in which order: also where a fault wants it otherwise."""

import heapq
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from bot.gateway.desk.executions import ExecutionBook, Reported
from bot.gateway.desk.memory import Memory
from bot.gateway.desk.ticket import Status, Ticket
from bot.gateway.faults import Fault, FaultKind, Faults
from bot.gateway.protocol.builders import commission_message, error_message
from bot.gateway.protocol.message import Message

Publish = Callable[[Message, int | None], None]
_PRICE_CHANGE = "0.05"
CANCELLED_TEXT = "Order Canceled - reason:"


class Announcer:
    """Speaks to the owners of orders."""

    def __init__(
        self, publish: Publish, faults: Faults, executions: ExecutionBook, memory: Memory
    ) -> None:
        self._publish = publish
        self._faults = faults
        self._executions = executions
        self._memory = memory
        self._later: list[tuple[datetime, int, Callable[[], None]]] = []
        self._promises = 0

    # --- time ---------------------------------------------------------------------------------

    def at(self, instant: datetime, act: Callable[[], None]) -> None:
        """Do something once time has come to ``instant``."""
        self._promises += 1
        heapq.heappush(self._later, (instant, self._promises, act))

    def next_promise(self) -> datetime | None:
        """Return when the next thing is due."""
        return self._later[0][0] if self._later else None

    def keep_promises(self, now: datetime) -> None:
        """Do what is due."""
        while self._later and self._later[0][0] <= now:
            heapq.heappop(self._later)[2]()

    # --- plain words --------------------------------------------------------------------------

    def strikes(self, kind: FaultKind, ticket: Ticket) -> Fault | None:
        """Ask whether a fault strikes an order here."""
        return self._faults.strikes(
            kind,
            client_id=ticket.client_id,
            order_ref=ticket.order.order_ref,
            sec_type=ticket.contract.sec_type,
        )

    def say(self, ticket: Ticket, *messages: Message) -> None:
        """Tell an order's owner, unless nothing is to be heard of the order."""
        if not ticket.is_muted:
            for message in messages:
                self._publish(message, ticket.client_id)

    def tell(self, client_id: int, message: Message) -> None:
        """Tell a client."""
        self._publish(message, client_id)

    def error(self, ticket: Ticket, code: int, text: str) -> None:
        """Tell an order's owner an error or a notice about it."""
        self.say(ticket, error_message(ticket.order_id, code, text))

    def standing(self, ticket: Ticket) -> None:
        """Tell how an order stands now; first of all that it was received."""
        if ticket.is_withheld:
            return
        opened = ticket.open_order()
        if not ticket.is_told:
            ticket.is_told = True
            if ticket.status is Status.SUBMITTED:
                self.say(
                    ticket,
                    opened.saying(status=Status.PRE_SUBMITTED),
                    ticket.order_status(Status.PRE_SUBMITTED),
                )
        self.say(ticket, opened, ticket.order_status())

    def cancelled(self, ticket: Ticket, reason: str = "", *, by: int | None = None) -> None:
        """Tell that an order is cancelled, and why.

        Args:
            ticket: The order.
            reason: Whatever follows the usual words.
            by: The client that cancelled it, if it is not the owner's doing.
        """
        self.say(ticket, ticket.order_status(client_id=by))
        self.error(ticket, 202, f"{CANCELLED_TEXT}{reason}")

    # --- executions ---------------------------------------------------------------------------

    def executed(self, ticket: Ticket, lines: Sequence[Reported]) -> None:
        """Tell of one match: executions, where the order stands, commissions."""
        fills = self._as_first_told(ticket, lines)
        details = [(delay, line.details()) for delay, line in fills]
        reports = self._commissions(ticket, fills)
        standing = [(0.0, ticket.open_order()), (0.0, ticket.order_status())]
        ticket.is_told, ticket.is_withheld = True, False
        fault = self.strikes(FaultKind.FILLED_BEFORE_EXECUTION, ticket)
        if fault is not None or ticket.is_changed:  # IB tells a changed order's status first
            wait = 0.0 if fault is None else fault.seconds(0)
            self._send(ticket, lines, standing)
            self._send(ticket, lines, [(delay + wait, message) for delay, message in details])
            reports = [(delay + wait, message) for delay, message in reports]
        elif self.strikes(FaultKind.COMMISSION_FIRST, ticket) is not None:
            self._send(ticket, lines, [(0.0, message) for _, message in reports])
            self._send(ticket, lines, details)
            self._send(ticket, lines, standing)
            reports = []
        else:
            self._send(ticket, lines, details)
            self._send(ticket, lines, standing)
        self._send(ticket, lines, reports)

    def _as_first_told(
        self, ticket: Ticket, lines: Sequence[Reported]
    ) -> list[tuple[float, Reported]]:
        """Return the lines as they are told at first, with how many seconds each is late."""
        apart = 0.0
        if ticket.is_combo:
            fault = self.strikes(FaultKind.PARTIAL_COMBO, ticket)
            apart = 0.0 if fault is None else fault.seconds()
        told = [(number * apart, line) for number, line in enumerate(lines)]
        if (fault := self.strikes(FaultKind.EXECUTION_CORRECTED, ticket)) is None:
            return told
        place = 1 if ticket.is_combo else 0
        delay, right = told[place]
        change = Decimal(str(fault.details.get("price_change", _PRICE_CHANGE)))
        wrong = right.revised(1, right.execution.price + change)
        told[place] = (delay, wrong)
        self._executions.correct(ticket, wrong)
        corrected = right.revised(2, right.execution.price)
        due = right.execution.executed_at + timedelta(seconds=delay + fault.seconds())
        self.at(due, lambda: self._correct(ticket, corrected, due))
        return told

    def _correct(self, ticket: Ticket, line: Reported, at: datetime) -> None:
        self._executions.correct(ticket, line)
        self._memory.corrected(line.execution.exec_id.rpartition(".")[0], at)
        report = line.report()
        assert report is not None, "legs are corrected, BAG lines are not"
        self.say(ticket, line.details(), report)

    def _commissions(
        self, ticket: Ticket, told: Iterable[tuple[float, Reported]]
    ) -> list[tuple[float, Message]]:
        if self.strikes(FaultKind.COMMISSION_NEVER, ticket) is not None:
            return []
        late = self.strikes(FaultKind.COMMISSION_LATE, ticket)
        unset = self.strikes(FaultKind.COMMISSION_UNSET, ticket) is not None
        reports = []
        for delay, line in told:
            commission = line.commission
            if commission is None:
                continue
            if unset:
                commission = replace(commission, commission=None, realized_pnl=None)
            wait = delay + (0.0 if late is None else late.seconds())
            reports.append((wait, commission_message(commission)))
        return reports

    def _send(
        self,
        ticket: Ticket,
        lines: Sequence[Reported],
        messages: Iterable[tuple[float, Message]],
    ) -> None:
        """Tell each message at once, or some seconds after the execution."""
        executed_at = lines[0].execution.executed_at
        for delay, message in messages:
            if delay > 0:
                self._say_later(ticket, message, executed_at + timedelta(seconds=delay))
            else:
                self.say(ticket, message)

    def _say_later(self, ticket: Ticket, message: Message, due: datetime) -> None:
        self.at(due, lambda: self.say(ticket, message))
