"""Faults A of executions and of what the broker holds: too much, too little, another order."""

from abc import ABC, abstractmethod
from dataclasses import replace
from decimal import Decimal
from typing import Final

from bot.app.simulation.faults import Answer, Call, Decided, Fault
from bot.app.simulation.injectors import Injector, injects
from bot.app.simulation.stage import Stage
from bot.exchange.orders import NewOrder
from bot.ports import OrderReport
from strategies.model.ids import ClientOrderId
from strategies.model.lifecycle import OPEN_STATUSES
from strategies.model.orders import Leg, OrderIntent

_WORSE: Final = Decimal(2)  # index points


class _OtherOrder(Injector, ABC):
    """The exchange gets another order than was sent."""

    def instead(self, call: Call) -> Answer:
        """Send the other order once."""
        if call.name != "submit" or self.has_fired or not self.is_its_turn():
            return None
        intent: OrderIntent = call.arguments[0].intent
        if (other := self.other(intent)) is None:
            return None
        self.fire(ends=True)
        return self.stage.truth.place_other(other, self.stage.now())

    @abstractmethod
    def other(self, intent: OrderIntent) -> NewOrder | None:
        """Return what the exchange gets; None if the order will not do."""


@injects("A29", weight=0.4, waits=True)
class OneLegAlone(_OtherOrder):
    """One bought leg of a package executes by itself, and the package is cancelled."""

    def other(self, intent: OrderIntent) -> NewOrder | None:
        """Buy the first leg that is bought, at a price that trades."""
        bought = [leg for leg in intent.legs if leg.ratio > 0]
        if len(intent.legs) == 1 or not bought:
            return None
        legs = (Leg(instrument=bought[0].instrument, ratio=1),)
        price = self.stage.truth.price_that_trades(legs, self.stage.now())
        if price is None:
            return None
        self.stage.truth.legged.add(intent.client_order_id)
        return NewOrder(
            client_order_id=intent.client_order_id,
            legs=legs,
            quantity=intent.quantity,
            limit_price=price,
        )


@injects("A32", weight=0.4, waits=True)
class Overfilled(_OtherOrder):
    """The exchange fills more than was asked for."""

    def other(self, intent: OrderIntent) -> NewOrder | None:
        """Ask for one more."""
        self.stage.truth.ever_pretended.add(intent.client_order_id)
        return NewOrder(
            client_order_id=intent.client_order_id,
            legs=intent.legs,
            quantity=intent.quantity + 1,
            limit_price=intent.limit_price,
        )


@injects("A13", weight=0.3, waits=True)
class Busted(Injector):
    """The exchange takes its newest execution back."""

    async def before(self, call: Call) -> None:
        """Take it back, for good, as soon as there is one."""
        if call.is_wire and self.stage.truth.take_back_last_fill(self.stage.now()):
            self.fire(ends=True)


@injects("A33", weight=0.5, waits=True)
class SamePlanAgain(Injector):
    """The strategy emits a plan with orders a second time."""

    def __init__(self, fault: Fault, stage: Stage) -> None:
        super().__init__(fault, stage)
        self._before: Decided | None = None

    def decided(self, decided: Decided) -> Decided:
        """Return the plan of before."""
        if self._before is not None:
            self.fire(ends=True)
            return self._before
        if decided[0].orders and self.is_its_turn():
            self._before = decided
        return decided


@injects("A31", weight=0.3, waits=True)
class WorseThanItsLimit(Injector):
    """The newest execution turns out to be at a price far beyond its limit."""

    async def before(self, call: Call) -> None:
        """Correct it, for good, as soon as there is one."""
        if call.is_wire and self.stage.truth.correct_last_fill(_WORSE):
            self.fire(ends=True)


class _EchoDiffers(Injector):
    """The broker holds an order otherwise than it was sent."""

    difference: str

    def __init__(self, fault: Fault, stage: Stage) -> None:
        super().__init__(fault, stage)
        self._order_id: ClientOrderId | None = None

    def after(self, call: Call, answer: Answer) -> Answer:
        """Say so of one order, whenever it is told of."""
        is_sent = call.name == "submit" and answer.status in OPEN_STATUSES
        if is_sent and self._order_id is None and self.is_its_turn():
            self._order_id = answer.client_order_id
        if self._order_id is None:
            return answer
        if isinstance(answer, OrderReport):
            return self._told(answer)
        if call.name == "fetch_orders":
            return tuple(self._told(report) for report in answer)
        return answer

    def _told(self, report: OrderReport) -> OrderReport:
        if report.client_order_id != self._order_id:
            return report
        self.fire()
        if report.status not in OPEN_STATUSES:
            self.is_over = True
        return replace(report, echo_differs=self.difference)


@injects("A26", weight=0.4, waits=True)
class TimeInForceChanged(_EchoDiffers):
    """A preset of the broker has changed how long the order lives."""

    difference = "tif GTC instead of DAY"


@injects("A27", weight=0.4, waits=True)
class TermsChanged(_EchoDiffers):
    """The broker echoes another limit than was sent."""

    difference = "limit price 0.05 instead of what was sent"


@injects("A21", weight=2.5, lasts_s=(5.0, 50.0))
class ExecutionsBeforeOrders(Injector):
    """Executions are told of orders that are not listed yet."""

    def __init__(self, fault: Fault, stage: Stage) -> None:
        super().__init__(fault, stage)
        self._unlisted: set[ClientOrderId] = set()

    def after(self, call: Call, answer: Answer) -> Answer:
        """Leave out what was sent since this began."""
        if call.name == "submit":
            self._unlisted.add(call.arguments[0].client_order_id)
        if call.name == "fetch_orders" and self._unlisted:
            listed = tuple(each for each in answer if each.client_order_id not in self._unlisted)
            if len(listed) < len(answer):
                self.fire()
            return listed
        return answer
