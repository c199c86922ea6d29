"""Faults A: between an order and what the bot learns of it."""

from dataclasses import replace
from datetime import timedelta

import numpy as np

from bot.app.simulation.faults import Answer, Argument, Call
from bot.app.simulation.injectors import Injector, injects
from bot.errors import BrokerUnavailable, OrderRejected, OutcomeUnknown
from bot.ports import OrderReport
from state.crash_points import CrashPoint, SimulatedDeath
from strategies.model.lifecycle import OrderStatus


class _AwayAfter(Injector):
    """Once it has fired, nobody answers for a while."""

    @classmethod
    def draw_arguments(cls, dice: np.random.Generator) -> dict[str, Argument]:
        """Return for how long."""
        return {"away_s": round(float(np.exp(dice.uniform(np.log(3), np.log(1200)))))}

    async def before(self, call: Call) -> None:
        """Be away, or back again."""
        if self.fired_at is None or not call.is_wire:
            return
        if self.stage.now() >= self.fired_at + timedelta(seconds=self.fault.number("away_s")):
            self.is_over = True
        else:
            raise BrokerUnavailable("connection lost while an order was being sent")


@injects("A1", weight=1.5, waits=True)
class HalfAnOrder(_AwayAfter):
    """The connection drops in the middle of an order, and is gone for a while."""

    async def before(self, call: Call) -> None:
        """Lose the order; from then on nobody answers."""
        await super().before(call)
        if call.name == "submit" and not self.has_fired and self.is_its_turn():
            self.fire()
            raise OutcomeUnknown("the connection dropped after half of the order")


@injects("A2", weight=2, waits=True)
class AcknowledgementLost(Injector):
    """The order is live, its acknowledgement never arrives."""

    def after(self, call: Call, answer: Answer) -> Answer:
        """Lose the answer to one order."""
        if call.name == "submit" and self.is_its_turn():
            self.fire(ends=True)
            raise OutcomeUnknown("no acknowledgement within the deadline")
        return answer


@injects("A3", weight=1.5, waits=True)
class FilledWhileAway(_AwayAfter):
    """The acknowledgement is lost, and the broker is away while the order fills."""

    def after(self, call: Call, answer: Answer) -> Answer:
        """Lose the answer to one order."""
        if call.name == "submit" and not self.has_fired and self.is_its_turn():
            self.fire()
            raise OutcomeUnknown("the connection was lost with the acknowledgement")
        return answer


@injects("A4", weight=1.5, waits=True)
class NeverArrived(Injector):
    """The order never reaches the broker, and nobody says so."""

    async def before(self, call: Call) -> None:
        """Swallow one order."""
        if call.name == "submit" and self.is_its_turn():
            self.fire(ends=True)
            raise OutcomeUnknown("no acknowledgement within the deadline")


class _DeathAt(Injector):
    """The process dies at one of a few points."""

    points: tuple[CrashPoint, ...]

    def at_point(self, point: CrashPoint) -> None:
        """Die there."""
        if point in self.points and self.is_its_turn():
            self.fire(ends=True)
            raise SimulatedDeath(point)


@injects("A5", kills=True, waits=True)
class DeathBeforeTheWire(_DeathAt):
    """Between the commit of SENDING and the first byte."""

    points = (CrashPoint.ORDER_AFTER_SENDING, CrashPoint.SUBMIT_BEFORE_WIRE)


@injects("A6", kills=True, waits=True)
class DeathBeforeTheAcknowledgement(_DeathAt):
    """Between the last byte and the acknowledgement."""

    points = (CrashPoint.SUBMIT_AFTER_WIRE, CrashPoint.SUBMIT_BEFORE_ACK)


@injects("A7", kills=True, waits=True)
class DeathBeforeTheCommit(_DeathAt):
    """Between the acknowledgement and its commit."""

    points = (CrashPoint.ORDER_AFTER_SUBMIT, CrashPoint.ORDER_AFTER_CANCEL)


@injects("A8", kills=True, waits=True)
class DeathBeforeAFillIsBooked(_DeathAt):
    """Between being told of a fill and its commit."""

    points = (CrashPoint.FILLS_BEFORE_COMMIT,)


@injects("A9", kills=True, waits=True)
class DeathAfterAFillIsBooked(_DeathAt):
    """Between the commit of a fill and the next decision."""

    points = (CrashPoint.FILLS_BOOKED,)


@injects("A10", weight=3, lasts_s=(60.0, 3600.0))
class ExecutionsTwice(Injector):
    """Each execution is told twice."""

    def after(self, call: Call, answer: Answer) -> Answer:
        """Repeat what there is."""
        if call.name == "fetch_fills" and answer:
            self.fire()
            return (*answer, *answer)
        return answer


@injects("A11", weight=3, lasts_s=(60.0, 3600.0))
class ExecutionsAgain(Injector):
    """Executions that were told long ago are told again."""

    def after(self, call: Call, answer: Answer) -> Answer:
        """Tell everything since the beginning."""
        if call.name == "fetch_fills" and len(everything := self.stage.truth.fills()) > len(answer):
            self.fire()
            return everything
        return answer


@injects("A12", weight=0.5, waits=True)
class Correction(Injector):
    """The exchange corrects the price of its last execution by a tick."""

    async def before(self, call: Call) -> None:
        """Correct it, for good, as soon as there is one."""
        if call.is_wire and self.stage.truth.correct_last_fill():
            self.fire(ends=True)


@injects("A14", weight=1.5, lasts_s=(60.0, 3600.0))
class LateFill(Injector):
    """A cancel is confirmed, and the order fills after it."""

    async def before(self, call: Call) -> None:
        """Confirm the next cancel without passing it on."""
        if call.name == "cancel" and self.stage.truth.pretend_cancelled(call.arguments[0]):
            self.fire()

    def end(self) -> None:
        """Cancel what has not filled by now."""
        self.stage.truth.end_pretence()


@injects("A15", weight=2, waits=True)
class CancelInDoubt(Injector):
    """A cancel crosses a fill; the broker says that it does not find the order."""

    def after(self, call: Call, answer: Answer) -> Answer:
        """Lose the confirmation."""
        if call.name == "cancel" and self.is_its_turn():
            self.fire(ends=True)
            raise OutcomeUnknown("10147: order to cancel is not found")
        return answer


@injects("A16", weight=2.5, lasts_s=(60.0, 36000.0))
class InformationAsError(Injector):
    """What is only information arrives like an error."""

    def after(self, call: Call, answer: Answer) -> Answer:
        """Let the report carry an informational code."""
        if call.name in ("submit", "cancel") and isinstance(answer, OrderReport):
            self.fire()
            return replace(answer, note="10349: order TIF was set to DAY based on order preset")
        return answer


@injects("A17", weight=1.5, waits=True)
class Rejected(Injector):
    """The broker refuses an order."""

    async def before(self, call: Call) -> None:
        """Refuse it."""
        if call.name == "submit" and self.is_its_turn():
            self.fire(ends=True)
            raise OrderRejected("201: order rejected: insufficient margin")


@injects("A18", weight=1.5, waits=True)
class Inactive(Injector):
    """The broker parks an order: it may come back."""

    def after(self, call: Call, answer: Answer) -> Answer:
        """Say that it is inactive, while it works."""
        if call.name == "submit" and self.is_its_turn():
            self.fire(ends=True)
            raise OutcomeUnknown("parked by the broker (Inactive), may come back")
        return answer


@injects("A19", weight=1.5, waits=True)
class RejectedAfterAPart(Injector):
    """The broker ends an order that is filled in part."""

    async def before(self, call: Call) -> None:
        """Cancel the rest of the first order that is filled in part."""
        if call.is_wire and self.stage.truth.end_partial(
            OrderStatus.REJECTED, "201: rejected after a partial fill"
        ):
            self.fire(ends=True)


@injects("A20", weight=2, lasts_s=(30.0, 200.0))
class FilledWithoutExecutions(Injector):
    """Orders are said to be filled, their executions come later."""

    def after(self, call: Call, answer: Answer) -> Answer:
        """Keep back what was executed since this began."""
        if call.name != "fetch_fills":
            return answer
        known = tuple(fill for fill in answer if fill.executed_at < self.fault.at)
        if len(known) < len(answer):
            self.fire()
        return known


@injects("A22", weight=3, lasts_s=(30.0, 600.0))
class CommissionLate(Injector):
    """Commission reports come late; an execution is not told before its commission is known."""

    def after(self, call: Call, answer: Answer) -> Answer:
        """Keep back the newest execution."""
        if call.name == "fetch_fills" and answer and answer[-1].executed_at >= self.fault.at:
            self.fire()
            return answer[:-1]
        return answer


@injects("A28", weight=2, waits=True)
class FilledInPart(Injector):
    """Of a package order some packages fill, and the rest never does."""

    def after(self, call: Call, answer: Answer) -> Answer:
        """Be seen when an order is filled in part; the exchange shows few packages at once."""
        if call.name == "fetch_orders" and any(
            report.status is OrderStatus.PARTIALLY_FILLED for report in answer
        ):
            self.fire(ends=True)
            self.stage.truth.end_partial(OrderStatus.CANCELLED, "the rest was cancelled")
        return answer
