"""Commissions and exchange fees of one leg. Every figure is a default, dated, and configurable.

Source: Interactive Brokers tiered options pricing, Cboe customer fees, CFE fee schedule; see
``docs/market.md`` for the date and evidence of each.
"""

from dataclasses import dataclass
from decimal import Decimal

from strategies.model.instruments import Instrument, OptionContract


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeSchedule:
    """USD per contract unless said otherwise."""

    as_of: str = "2026-11"
    option_commission: Decimal = Decimal("0.65")  # premium >= 0.10
    option_commission_low: Decimal = Decimal("0.50")  # premium 0.05 to 0.10
    option_commission_lowest: Decimal = Decimal("0.25")  # premium < 0.05
    option_minimum_per_order: Decimal = Decimal("1.00")
    spx_exchange: Decimal = Decimal("0.45")  # premium >= 1
    spx_exchange_low: Decimal = Decimal("0.36")  # premium < 1
    vix_exchange_simple: tuple[Decimal, ...] = (
        Decimal("0.10"),
        Decimal("0.25"),
        Decimal("0.45"),
        Decimal("0.50"),
    )
    vix_exchange_complex: tuple[Decimal, ...] = (
        Decimal("0.05"),
        Decimal("0.17"),
        Decimal("0.35"),
        Decimal("0.50"),
    )
    orf: Decimal = Decimal("0.0330")
    occ: Decimal = Decimal("0.025")
    vx_commission: Decimal = Decimal("0.85")
    vx_exchange: Decimal = Decimal("1.51")
    vxm_commission: Decimal = Decimal("0.25")
    vxm_exchange: Decimal = Decimal("0.20")
    futures_regulatory: Decimal = Decimal("0.02")


DEFAULT_FEES = FeeSchedule()
_VIX_TIERS = (
    Decimal("0.10"),
    Decimal("0.99"),
    Decimal("1.99"),
)  # upper bounds of the first three premium tiers


def fee_per_contract(
    instrument: Instrument, price: Decimal, schedule: FeeSchedule, *, is_combo: bool
) -> Decimal:
    """Return commission plus exchange and regulatory fees of one contract traded at ``price``.

    The broker's minimum per order is not included; see ``order_minimum_top_up``.
    """
    commission = commission_per_contract(instrument, price, schedule)
    if not isinstance(instrument, OptionContract):
        exchange = schedule.vxm_exchange if instrument.root == "VXM" else schedule.vx_exchange
        return commission + exchange + schedule.futures_regulatory
    if instrument.underlying == "SPX":
        exchange = schedule.spx_exchange if price >= 1 else schedule.spx_exchange_low
    else:
        tiers = schedule.vix_exchange_complex if is_combo else schedule.vix_exchange_simple
        exchange = tiers[sum(price > bound for bound in _VIX_TIERS)]
    return commission + exchange + schedule.orf + schedule.occ


def commission_per_contract(
    instrument: Instrument, price: Decimal, schedule: FeeSchedule
) -> Decimal:
    """Return the broker's own part of the fees of one contract traded at ``price``."""
    if not isinstance(instrument, OptionContract):
        return schedule.vxm_commission if instrument.root == "VXM" else schedule.vx_commission
    if price >= Decimal("0.10"):
        return schedule.option_commission
    if price >= Decimal("0.05"):
        return schedule.option_commission_low
    return schedule.option_commission_lowest


def order_minimum_top_up(commission_usd: Decimal, schedule: FeeSchedule) -> Decimal:
    """Return what is added when an option order's commissions stay under the broker's minimum."""
    return max(Decimal(0), schedule.option_minimum_per_order - commission_usd)
