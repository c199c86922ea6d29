"""What others do in the account: a person in TWS, another program, IB itself.

An execution whose order is not known waits here until it turns out to be one of ours. What is left
once IB's lists have been told belongs to somebody else.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from bot.brokers.ib.library import Contract, Order
from bot.brokers.ib.orders import BAG, ExecutionLine, LegLine, package_of
from bot.brokers.ib.tracked import OVER
from bot.ports import ForeignOrder
from strategies.model.fills import ExternalFill, ExternalSource

_MANUAL_CLIENT = 0  # TWS itself; a program under this id numbers its orders from one
_UNSET_ID = 2**31 - 1  # what IB may name as the id of an order placed by hand
_PRICED = frozenset({"LMT", "STP LMT", "LOC", "LIT", "REL", "MIDPRICE"})


@dataclass(slots=True, kw_only=True)
class _Order:
    contract: Contract
    order: Order
    order_id: int
    filled: int = 0


class Foreign:
    """Executions and orders at work that bear no reference of ours."""

    def __init__(self) -> None:
        self._lines: dict[str, ExecutionLine] = {}  # by root, latest revision
        self._orders: dict[int, _Order] = {}  # at work, by permanent id
        self._told: set[int] | None = None  # while lists are being told

    # --- what IB says -------------------------------------------------------------------------

    def execution(self, line: ExecutionLine) -> None:
        """Keep an execution of an order that is not known as ours."""
        known = self._lines.get(line.exec_root)
        if known is None or known.revision < line.revision:
            self._lines[line.exec_root] = line

    def claim(self, perm_id: int) -> list[ExecutionLine]:
        """Give up the executions of an order that turned out to be ours."""
        self._orders.pop(perm_id, None)
        found = [line for line in self._lines.values() if line.perm_id == perm_id]
        for line in found:
            del self._lines[line.exec_root]
        return found

    def open_order(self, order_id: int, contract: Contract, order: Order, status: str) -> None:
        """Take an openOrder message of somebody else's order."""
        if status in OVER:
            self.over(order.permId)
            return
        known = self._orders.get(order.permId)
        filled = 0 if known is None else known.filled
        self._orders[order.permId] = _Order(
            contract=contract, order=order, order_id=order_id, filled=filled
        )
        if self._told is not None:
            self._told.add(order.permId)

    def order_status(self, perm_id: int, status: str, filled: float) -> None:
        """Take an orderStatus message of an order that is not ours."""
        if status in OVER:
            self.over(perm_id)
        elif (known := self._orders.get(perm_id)) is not None:
            known.filled = max(known.filled, int(filled))

    def over(self, perm_id: int) -> None:
        """Take note that an order is at work no longer."""
        self._orders.pop(perm_id, None)

    def begin_lists(self) -> None:
        """Take note that every order at work is about to be told."""
        self._told = set()

    def end_lists(self, *, are_whole: bool) -> None:
        """Take note that they have been told: what was not named is at work no longer."""
        told, self._told = self._told or set(), None
        if are_whole:
            self._orders = {key: each for key, each in self._orders.items() if key in told}

    # --- questions ----------------------------------------------------------------------------

    def lines(self, since: datetime, account: str) -> tuple[ExecutionLine, ...]:
        """Return executions at or after an instant in an account, oldest first; no BAG's."""
        found = (
            line
            for line in self._lines.values()
            if line.executed_at >= since and line.account in ("", account) and not line.is_bag
        )
        return tuple(sorted(found, key=lambda line: line.executed_at))

    def leg_ids(self, account: str) -> frozenset[int]:
        """Return the ids of the legs of the combinations at work: IB names no more of them."""
        return frozenset(
            leg.con_id
            for each in self._of(account)
            if each.contract.secType == BAG
            for leg in package_of(each.contract, each.order).legs
        )

    def orders(
        self,
        account: str,
        symbol_of: Callable[[Contract], str],
        leg_symbols: Mapping[int, str],
    ) -> tuple[ForeignOrder, ...]:
        """Return the orders at work in an account.

        Args:
            account: Whose.
            symbol_of: Names a contract.
            leg_symbols: Names the legs of combinations, by IB's id.
        """

        def symbol(each: _Order, leg: LegLine) -> str:
            if each.contract.secType == BAG:
                return leg_symbols.get(leg.con_id, str(leg.con_id))
            return symbol_of(each.contract)

        found = []
        for each in self._of(account):
            package = package_of(each.contract, each.order)
            found.append(
                ForeignOrder(
                    broker_order_id=str(each.order.permId),
                    source=_source(each.order.clientId, each.order_id, is_liquidation=False),
                    reference=_reference(each.order.orderRef, each.order.clientId),
                    legs=tuple((symbol(each, leg), leg.ratio) for leg in package.legs),
                    quantity=package.quantity,
                    filled_quantity=each.filled,
                    limit_price=(package.limit_price if each.order.orderType in _PRICED else None),
                )
            )
        return tuple(found)

    def _of(self, account: str) -> Iterable[_Order]:
        return [each for each in self._orders.values() if each.order.account in ("", account)]


def external_fill(line: ExecutionLine, symbol: str, commission_usd: Decimal) -> ExternalFill:
    """Return somebody else's execution in our words."""
    return ExternalFill(
        exec_root=line.exec_root,
        revision=line.revision,
        source=_source(line.client_id, line.order_id, is_liquidation=line.is_liquidation),
        reference=_reference(line.reference, line.client_id),
        symbol=symbol,
        side=line.side,
        quantity=math.ceil(line.shares),  # a part of a share is not nothing
        price=line.price,
        commission_usd=commission_usd,
        executed_at=line.executed_at,
    )


def _source(client_id: int, order_id: int, *, is_liquidation: bool) -> ExternalSource:
    if is_liquidation:
        return ExternalSource.LIQUIDATION
    is_by_hand = client_id == _MANUAL_CLIENT and not 0 < order_id < _UNSET_ID
    return ExternalSource.MANUAL if is_by_hand else ExternalSource.CLIENT


def _reference(order_ref: str, client_id: int) -> str:
    return order_ref or f"client {client_id}"
