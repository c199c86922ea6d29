"""The section ``protections`` of a configuration: thresholds of the breakers, and who is called."""

from datetime import time, timedelta
from decimal import Decimal
from typing import Annotated

from bot.app.config.scalars import ClockTime, Number, Whole
from bot.app.config.sections import Section, within
from bot.engine.breakers import ProtectionPolicy

_SHIPPED = ProtectionPolicy()
_MINUTE, _HOUR = timedelta(minutes=1), timedelta(hours=1)
# Fewer minutes than a few looks would lock at every look
_LOOKS = 3
# An adapter connects anew before it answers, and says better than a deadline what it lacks
_RECONNECT = timedelta(seconds=45)


class ProtectionsSection(Section):
    """What locks the opening of positions for a while, and when somebody is called."""

    daily_loss_fraction: Annotated[Number, within(0, 1)] = float(_SHIPPED.daily_loss)
    drawdown_fraction: Annotated[Number, within(0, 1)] = float(_SHIPPED.drawdown)
    drawdown_days: Annotated[Whole, within(1, 3650)] = _SHIPPED.drawdown_days
    orders_per_minute: Annotated[Whole, within(1, 1000)] = _SHIPPED.orders_per_minute
    cancels_per_day: Annotated[Whole, within(1, 100_000)] = _SHIPPED.cancels_per_day
    rejects_in_a_row: Annotated[Whole, within(1, 100)] = _SHIPPED.rejects_in_a_row
    rejects_per_hour: Annotated[Whole, within(1, 1000)] = _SHIPPED.rejects_per_hour
    reject_lock_minutes: Annotated[Whole, within(1, 1440)] = 60
    skips_in_a_row: Annotated[Whole, within(1, 100)] = _SHIPPED.skips_in_a_row
    data_age_minutes: Annotated[Whole, within(1, 1440)] = 60
    clock_skew_seconds: Annotated[Number, within(1, 60)] = _SHIPPED.clock_skew.total_seconds()
    margin_floor_fraction: Annotated[Number, within(0, 1)] = float(_SHIPPED.margin_floor)
    heartbeat_seconds: Annotated[Whole, within(1, 600)] = 15
    answer_seconds: Annotated[Number, within(1, 120)] = _SHIPPED.answer.total_seconds()
    hung_minutes: Annotated[Whole, within(1, 240)] = 15
    blind_minutes: Annotated[Whole, within(1, 240)] = 10
    page_again_minutes: Annotated[Whole, within(1, 1440)] = 15
    reset_from: ClockTime = time(23, 40)
    reset_to: ClockTime = time(0, 45)
    operator_silence_hours: Annotated[Whole, within(1, 8760)] | None = None

    def policy(
        self, *, interval_minutes: int, in_real_time: bool, broker_answer_s: float
    ) -> ProtectionPolicy:
        """Return it in the engine's words; nobody can be silent in simulated time.

        Args:
            interval_minutes: Between two looks.
            in_real_time: Whether time passes by itself.
            broker_answer_s: How long the broker's adapter waits for an answer.
        """
        silence = self.operator_silence_hours if in_real_time else None
        return ProtectionPolicy(
            daily_loss=_exact(self.daily_loss_fraction),
            drawdown=_exact(self.drawdown_fraction),
            drawdown_days=self.drawdown_days,
            orders_per_minute=self.orders_per_minute,
            cancels_per_day=self.cancels_per_day,
            rejects_in_a_row=self.rejects_in_a_row,
            rejects_per_hour=self.rejects_per_hour,
            reject_lock=self.reject_lock_minutes * _MINUTE,
            skips_in_a_row=self.skips_in_a_row,
            data_age=max(self.data_age_minutes, _LOOKS * interval_minutes) * _MINUTE,
            clock_skew=timedelta(seconds=self.clock_skew_seconds),
            margin_floor=_exact(self.margin_floor_fraction),
            operator_silence=None if silence is None else silence * _HOUR,
            answer=max(
                timedelta(seconds=self.answer_seconds),
                timedelta(seconds=broker_answer_s) + _RECONNECT,
            ),
            page_again=self.page_again_minutes * _MINUTE,
        )


def _exact(number: float) -> Decimal:
    return Decimal(repr(number))
