"""The limits file: hard limits of the risk gate, kept apart from every strategy value.

Every key is required: a limit that nobody wrote down is no limit.
"""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

from bot.app.config.documents import read_document
from bot.app.config.scalars import Money, Switch, Whole
from bot.app.config.sections import Section, within
from bot.app.config.validation import Layers, validate
from strategies.model.limits import Limits


class LimitsFile(Section):
    """A whole limits file."""

    condor_max_loss_usd: Annotated[Money, within(0, 1_000_000)]
    total_max_loss_usd: Annotated[Money, within(0, 100_000_000)]
    condors_max: Annotated[Whole, within(0, 100_000)]
    hedge_contracts_max: Annotated[Whole, within(0, 100_000)]
    futures_contracts_max: Annotated[Whole, within(0, 10_000)]
    order_premium_usd_max: Annotated[Money, within(0, 10_000_000)]
    orders_per_day_max: Annotated[Whole, within(0, 10_000)]
    orders_per_minute_max: Annotated[Whole, within(0, 1_000)]
    opens_per_day_max: Annotated[Whole, within(0, 1_000)]
    cancels_per_day_max: Annotated[Whole, within(0, 10_000)]
    attempts_per_purpose_max: Annotated[Whole, within(1, 100)]
    turnover_usd_per_day_max: Annotated[Money, within(0, 10_000_000_000)]
    active_orders_per_side_max: Annotated[Whole, within(1, 15)]
    price_collar_fraction: Annotated[Money, within(0, 1)]
    price_collar_points: Annotated[Money, within(0, 5)]
    futures_through_market_fraction: Annotated[Money, within(0, 0.1)]
    quote_age_seconds_max: Annotated[Whole, within(1, 900)]
    margin_required: Switch
    margin_headroom_fraction: Annotated[Money, within(0, 1)]

    def limits(self) -> Limits:
        """Return the values as the risk gate takes them."""
        values = self.model_dump(exclude={"quote_age_seconds_max"})
        return Limits(**values, quote_age_max=timedelta(seconds=self.quote_age_seconds_max))


def load_limits(path: Path, *, label: str | None = None) -> Limits:
    """Return the limits in the file at ``path``; raises ConfigInvalid."""
    return validate(LimitsFile, Layers(document=read_document(path, label=label))).limits()
