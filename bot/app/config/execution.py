"""How orders are executed: price walks by order class, usable quotes, and closing times."""

from datetime import timedelta
from typing import Annotated, Self

from pydantic import model_validator

from bot.app.config.scalars import Money, Number, Whole
from bot.app.config.sections import Section, misplaced, within
from bot.engine.execute import ExecutionRules
from bot.engine.prices import OrderClass, WalkPolicy

_Seconds = Annotated[Whole, within(10, 600)]
_Points = Annotated[Money, within(0, 100)]


class OrderClassSection(Section):
    """How one class of orders walks; what is not said is as for all."""

    walk_seconds: _Seconds | None = None
    walk_step_seconds: _Seconds | None = None
    slippage_fraction: Annotated[Number, within(0, 1)] = 1.0
    slippage_points: _Points | None = None


class OrderClassesSection(Section):
    """The classes of orders, by what they are for."""

    condor_entry: OrderClassSection = OrderClassSection()
    condor_exit: OrderClassSection = OrderClassSection()
    condor_stop: OrderClassSection = OrderClassSection()
    hedge_add: OrderClassSection = OrderClassSection()
    hedge_reduce: OrderClassSection = OrderClassSection()
    hedge_urgent: OrderClassSection = OrderClassSection()


assert list(OrderClassesSection.model_fields) == list(OrderClass), "each class has a section"


class ExecutionSection(Section):
    """How an order walks from mid toward the natural side, and when it has to be gone."""

    walk_seconds: _Seconds = 120
    walk_step_seconds: _Seconds = 30
    quote_width_max: Annotated[Number, within(0.01, 10)] = 1.0
    quote_width_floor: Annotated[Number, within(0, 100)] = 5.0
    withdraw_before_close_seconds: Annotated[Whole, within(0, 3600)] = 10
    no_opens_before_close_minutes: Annotated[Whole, within(0, 390)] = 0
    classes: OrderClassesSection = OrderClassesSection()

    @model_validator(mode="after")
    def _steps_fit(self) -> Self:
        if self.walk_step_seconds > self.walk_seconds:
            message = f"{self.walk_step_seconds} is longer than walk_seconds, {self.walk_seconds}"
            raise misplaced("walk_step_seconds", message)
        for name in OrderClass:
            policy = self._policy(name)
            if policy.step_s > policy.duration_s:
                message = f"{policy.step_s} is longer than walk_seconds, {policy.duration_s}"
                raise misplaced(("classes", name, "walk_step_seconds"), message)
        return self

    @property
    def walk(self) -> WalkPolicy:
        """The walk of every class of which nothing else is said."""
        return WalkPolicy(duration_s=self.walk_seconds, step_s=self.walk_step_seconds)

    @property
    def rules(self) -> ExecutionRules:
        """Everything else, as the executor takes it."""
        return ExecutionRules(
            classes={
                name: policy for name in OrderClass if (policy := self._policy(name)) != self.walk
            },
            width_max=self.quote_width_max,
            width_floor=self.quote_width_floor,
            withdraw_before=timedelta(seconds=self.withdraw_before_close_seconds),
            no_opens_before=timedelta(minutes=self.no_opens_before_close_minutes),
        )

    def _policy(self, name: OrderClass) -> WalkPolicy:
        said: OrderClassSection = getattr(self.classes, name)
        return WalkPolicy(
            duration_s=said.walk_seconds or self.walk_seconds,
            step_s=said.walk_step_seconds or self.walk_step_seconds,
            slippage_fraction=said.slippage_fraction,
            slippage_points=said.slippage_points,
        )
