"""Whether what IB says was filled and the executions it has told add up."""

from bot.brokers.ib.executions import Executions
from bot.brokers.ib.tracked import TrackedOrder
from strategies.model.ids import ClientOrderId


class Sums:
    """The orders whose executions may not all have been told, and what is lacking of them.

    Args:
        executions: Those that have been told.
    """

    def __init__(self, executions: Executions) -> None:
        self._executions = executions
        self._unsettled: dict[ClientOrderId, TrackedOrder] = {}  # in the order in which they came

    def doubt(self, order: TrackedOrder) -> None:
        """Take note that IB has spoken of executions of an order."""
        self._unsettled[order.reference] = order

    def filled(self, order: TrackedOrder) -> int:
        """Return the packages of which every leg has been executed."""
        return min(self._packages_per_leg(order), default=0)

    def missing(self) -> str:
        """Return what is lacking of the executions IB has spoken of, or an empty text."""
        for reference, order in tuple(self._unsettled.items()):
            if lacking := self._lacking(order):
                return f"{reference}: {lacking}"
            del self._unsettled[reference]
        return ""

    def missing_truth(self) -> str:
        """Return what is lacking besides legs that were never told, or an empty text."""
        for reference, order in self._unsettled.items():
            if exec_id := self._executions.without_commission(reference):
                return f"{reference}: the commission of {exec_id} has not been told"
            if order.filled_told > self.filled(order) and not self._is_loose(order):
                return f"{reference}: {self._lacking(order)}"
        return ""

    def has_loose_legs(self) -> bool:
        """Whether of some package not every leg has been told."""
        return any(self._is_loose(order) for order in self._unsettled.values())

    def keep_earlier_commissions(self) -> None:
        """Let corrections without a commission of their own cost what they correct did."""
        for reference in self._unsettled:
            self._executions.keep_earlier_commissions(reference)

    def _is_loose(self, order: TrackedOrder) -> bool:
        return len(set(self._packages_per_leg(order))) > 1

    def _packages_per_leg(self, order: TrackedOrder) -> list[int]:
        if order.package is None:
            return []
        traded: dict[int, int] = {}
        for line in self._executions.of(order.reference):
            if not line.is_bag:
                con_id = line.contract.conId
                traded[con_id] = traded.get(con_id, 0) + line.side.sign * line.quantity
        return [max(0, int(traded.get(leg.con_id, 0) / leg.ratio)) for leg in order.package.legs]

    def _lacking(self, order: TrackedOrder) -> str:
        """Return which part of an order's executions has not been told."""
        filled = self.filled(order)
        if order.filled_told > filled:
            return f"IB counts {order.filled_told} filled, its executions come to {filled}"
        if self._is_loose(order):
            return "the legs of a package have not all been told"
        if exec_id := self._executions.without_commission(order.reference):
            return f"the commission of {exec_id} has not been told"
        return ""
