"""Executions as IB reports them: one line a leg, one more for a BAG, commissions apart.

A line's execution id is the exchange's own without revision, a dot, and the revision; the line of
the BAG has leg number 0. Lines of one match share order and permanent id.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from itertools import groupby
from typing import Any

from bot.gateway.desk.reading import Refused, read_time
from bot.gateway.desk.ticket import Ticket
from bot.gateway.protocol.builders import commission_message, exec_details_message
from bot.gateway.protocol.message import Message
from bot.gateway.words import Commission, Contract, Execution
from strategies.model.calendars import EXCHANGE_ZONE
from strategies.model.fills import Fill
from strategies.model.instruments import parse_symbol

LIQUIDATION = "liquidation"  # begins the reference of an order that the broker places by itself
_NEWS = -1  # the request id of an execution nobody asked for
_SIDES = {"BUY": "BOT", "SELL": "SLD"}
_PRICE_DIGITS = 8
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """One line of an execution."""

    contract: Contract
    execution: Execution
    commission: Commission | None  # None for a BAG's line: its legs carry it

    def details(self) -> Message:
        """Return its execDetails, as news."""
        return exec_details_message(_NEWS, self.contract, self.execution)

    def report(self) -> Message | None:
        """Return its commissionReport."""
        return None if self.commission is None else commission_message(self.commission)

    def revised(self, revision: int, price: Decimal) -> "Reported":
        """Return the same line in another revision, at another price."""
        exec_id = f"{self.execution.exec_id.rpartition('.')[0]}.{revision:02d}"
        commission = self.commission
        return Reported(
            contract=self.contract,
            execution=replace(self.execution, exec_id=exec_id, price=price),
            commission=None if commission is None else replace(commission, exec_id=exec_id),
        )


@dataclass(slots=True)
class _Cost:
    """What the open contracts of one symbol cost."""

    net: int = 0
    usd: Decimal = Decimal(0)  # paid for the open contracts, commissions included; short < 0


@dataclass(slots=True)
class CostBasis:
    """Average costs, from which realised profit follows."""

    _costs: dict[str, _Cost] = field(default_factory=lambda: defaultdict(_Cost))

    def realized(self, fill: Fill) -> Decimal | None:
        """Take a fill over and return the profit it realises, None if it opens."""
        cost = self._costs[fill.symbol]
        change = fill.signed_quantity
        multiplier = parse_symbol(fill.symbol).multiplier
        paid = change * fill.price * multiplier + fill.commission_usd
        if cost.net * change >= 0:
            cost.net += change
            cost.usd += paid
            return None
        closed = min(abs(cost.net), abs(change))
        basis = cost.usd * closed / abs(cost.net)
        proceeds = -paid * closed / abs(change)
        cost.net += change
        cost.usd = cost.usd - basis if closed < abs(change) or cost.net else Decimal(0)
        if closed < abs(change):  # turned: what is left opens a position on the other side
            cost.usd = paid * (abs(change) - closed) / abs(change)
        return (proceeds - basis).quantize(_CENT)


def matches_of(fills: Sequence[Fill]) -> Iterator[tuple[Fill, ...]]:
    """Return fills by match: those of all legs of an order that traded at one instant."""
    for _, group in groupby(fills, key=lambda fill: fill.exec_root.rpartition(".")[0]):
        yield tuple(group)


class ExecutionBook:
    """Today's executions, each line in its latest revision."""

    def __init__(self, account_id: str) -> None:
        self._account_id = account_id
        self._basis = CostBasis()
        self._lines: dict[str, tuple[Ticket, Reported]] = {}  # by id without revision
        self._day: date | None = None
        self._traded: dict[tuple[str, int], tuple[int, Decimal]] = {}  # contracts, points x them

    def skip(self, fills: Sequence[Fill]) -> None:
        """Take over a match of an order that nobody will ask for any more."""
        for fill in fills:
            self._basis.realized(fill)

    def record(self, ticket: Ticket, fills: Sequence[Fill]) -> tuple[Reported, ...]:
        """Take over one match of a ticket and return its lines, the BAG's first."""
        self._begin_day(fills[0].executed_at)
        packages = fills[0].quantity // abs(ticket.lines[0].ratio)
        net = sum(
            (line.ratio * fill.price for line, fill in zip(ticket.lines, fills, strict=True)),
            Decimal(0),
        )
        ticket.filled += packages
        ticket.paid += packages * net
        ticket.last_price = net
        ticket.fees += sum(fill.commission_usd for fill in fills)
        lines = [self._leg_line(ticket, number, fill) for number, fill in enumerate(fills)]
        if ticket.is_combo:
            lines.insert(0, self._bag_line(ticket, fills[0], packages, net))
        for line in lines:
            self._lines[_root(line)] = (ticket, line)
        return tuple(lines)

    def add(self, ticket: Ticket, line: Reported) -> None:
        """Put a line on record that was made elsewhere."""
        self._begin_day(line.execution.executed_at)
        self._lines[_root(line)] = (ticket, line)

    def correct(self, ticket: Ticket, line: Reported) -> None:
        """Let a line in a later revision replace the one on record."""
        self._lines[_root(line)] = (ticket, line)

    def forget_before(self, at: datetime) -> None:
        """Forget what was executed on days before that of ``at``."""
        self._begin_day(at)

    def asked(self, wanted: Mapping[str, Any]) -> list[tuple[Ticket, Reported]]:
        """Return the lines a filter lets through, oldest first.

        Args:
            wanted: ``clientId``, ``account``, ``time``, ``symbol``, ``secType``, ``exchange`` and
                ``side`` of a reqExecutions; what is empty or 0 lets everything through.
        """
        since = _time_of(wanted)
        client_id = int(wanted.get("clientId") or 0)
        side = str(wanted.get("side") or "").upper()
        side = _SIDES.get(side, side)
        account, symbol, sec_type, exchange = (
            str(wanted.get(name) or "").upper()
            for name in ("account", "symbol", "secType", "exchange")
        )
        found = []
        for ticket, line in self._lines.values():
            told = line.execution
            if client_id and told.client_id != client_id:
                continue
            if since is not None and told.executed_at < since:
                continue
            if side and told.side != side:
                continue
            texts = (told.account, line.contract.symbol, line.contract.sec_type)
            if any(
                asked not in {"", text.upper()}
                for asked, text in zip((account, symbol, sec_type), texts, strict=True)
            ):
                continue
            if exchange not in {"", "SMART", told.exchange}:
                continue
            found.append((ticket, line))
        return found

    def _begin_day(self, at: datetime) -> None:
        day = at.astimezone(EXCHANGE_ZONE).date()
        if day != self._day:
            self._day = day
            self._lines = {}
            self._traded = {}

    def _leg_line(self, ticket: Ticket, number: int, fill: Fill) -> Reported:
        contract = ticket.lines[number].listed.contract
        contracts, value = self._traded.get((ticket.key, number), (0, Decimal(0)))
        contracts += fill.quantity
        value += fill.quantity * fill.price
        self._traded[ticket.key, number] = contracts, value
        exec_id = f"{fill.exec_root}.{fill.revision:02d}"
        return Reported(
            contract=contract,
            execution=self._execution(
                ticket,
                fill,
                exec_id=exec_id,
                exchange="CFE" if contract.sec_type == "FUT" else "CBOE",
                side=_SIDES[fill.side.value],
                shares=Decimal(fill.quantity),
                price=fill.price,
                cum_qty=Decimal(contracts),
                avg_price=round(value / contracts, _PRICE_DIGITS),
            ),
            commission=Commission(
                exec_id=exec_id,
                commission=fill.commission_usd,
                realized_pnl=self._basis.realized(fill),
            ),
        )

    def _bag_line(self, ticket: Ticket, first: Fill, packages: int, net: Decimal) -> Reported:
        root = first.exec_root.rpartition(".")[0]
        return Reported(
            contract=ticket.contract,
            execution=self._execution(
                ticket,
                first,
                exec_id=f"{root}.0.{first.revision:02d}",
                exchange=ticket.contract.exchange,
                side=_SIDES[ticket.order.action],
                shares=Decimal(packages),
                price=net,
                cum_qty=Decimal(ticket.filled),
                avg_price=ticket.average_price,
            ),
            commission=None,
        )

    def _execution(self, ticket: Ticket, fill: Fill, **own: Any) -> Execution:  # noqa: ANN401 fields
        return Execution(
            executed_at=fill.executed_at,
            account=self._account_id,
            perm_id=ticket.perm_id,
            client_id=ticket.client_id,
            order_id=ticket.order_id,
            order_ref=ticket.order.order_ref,
            liquidation=int(ticket.key.startswith(LIQUIDATION)),
            **own,
        )


def _root(line: Reported) -> str:
    return line.execution.exec_id.rpartition(".")[0]


def _time_of(wanted: Mapping[str, Any]) -> datetime | None:
    """Return the instant a filter begins at; one that does not read lets everything through."""
    try:
        return read_time(str(wanted.get("time") or ""))
    except Refused:
        return None
