"""What is owned and owed: condors, hedge positions, orders at work, and the account."""

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import ROUND_CEILING, Decimal

from strategies.model.encoding import LEFT_OUT_IF_EMPTY
from strategies.model.ids import ClientOrderId
from strategies.model.instruments import Instrument, OptionContract
from strategies.model.lifecycle import OrderStatus

# A bound: no dollar rate was above it since 2001, nor the dividend yield of the index in 40 years
CARRY_A_YEAR = Decimal("0.06")
_CENT = Decimal("0.01")


def _carry(short: OptionContract, long: OptionContract) -> Decimal:
    """Return the most that discounting takes from a long that outlives its short, index points."""
    days = (long.expiry - short.expiry).days
    if not days:
        return Decimal(0)
    return (long.strike * CARRY_A_YEAR * days / 365).quantize(_CENT, ROUND_CEILING)


@dataclass(frozen=True, slots=True, kw_only=True)
class CondorLegs:
    """The options of an iron condor, and how many of each make one condor.

    Ratio wings hold more longs than shorts (2:1, 3:2). Diagonal wings hold longs that expire after
    the shorts. A side rolled out in time gives puts and calls expiries of their own. A long never
    expires before the short of its side (C5, C10, G8).
    """

    long_put: OptionContract
    short_put: OptionContract
    short_call: OptionContract
    long_call: OptionContract
    short_ratio: int = 1
    long_ratio: int = 1  # >= short_ratio

    @property
    def put_width(self) -> Decimal:
        """Index points between the put strikes."""
        return self.short_put.strike - self.long_put.strike

    @property
    def call_width(self) -> Decimal:
        """Index points between the call strikes."""
        return self.long_call.strike - self.short_call.strike

    @property
    def width(self) -> Decimal:
        """The wider of the two wings, index points."""
        return max(self.put_width, self.call_width)

    @property
    def one_expiry(self) -> bool:
        """Whether all four options expire together."""
        last = self.long_put.expiry
        return last == self.short_put.expiry == self.short_call.expiry == self.long_call.expiry

    @property
    def worst_points(self) -> Decimal:
        """The most one condor can cost at expiry, its credit not deducted, index points.

        Each short is paired with one long. A long that expires later is worth at least the
        discounted distance to its strike, so such a pair can cost the carry on that strike on top.
        Further longs are worth nothing at worst. Of two sides that expire together only one can
        lose; of two that do not, both can.
        """
        put = self.put_width + _carry(self.short_put, self.long_put)
        call = self.call_width + _carry(self.short_call, self.long_call)
        both_can_lose = self.short_put.expiry != self.short_call.expiry
        return (put + call if both_can_lose else max(put, call)) * self.short_ratio

    def signed(self) -> tuple[tuple[OptionContract, int], ...]:
        """Return each leg with its ratio, long > 0, puts first, strikes ascending."""
        return (
            (self.long_put, self.long_ratio),
            (self.short_put, -self.short_ratio),
            (self.short_call, -self.short_ratio),
            (self.long_call, self.long_ratio),
        )


def root_id(condor_id: str) -> str:
    """Return the id a condor was first opened under: "C0007" of "C0007-2" (C10, C11)."""
    return condor_id.partition("-")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class CondorPosition:
    """One open condor position."""

    condor_id: str
    legs: CondorLegs
    quantity: int  # condors, > 0
    entry_credit: Decimal  # index points received per condor
    opened_at: datetime
    entry_spot: float  # SPX at entry (S10)
    entry_sigma_sqrt_t: float  # at-the-money implied vol x sqrt(years) at entry (S10)
    adjustments: int = 0  # how often it has been rolled (C10, C11)
    rolled_on: date | None = None  # session of the first fill of the last roll

    @property
    def max_loss_usd(self) -> Decimal:
        """The most it can lose at expiry, credit kept."""
        return (self.legs.worst_points - self.entry_credit) * 100 * self.quantity

    @property
    def expiry(self) -> date:
        """The day its first short expires."""
        return min(self.legs.short_put.expiry, self.legs.short_call.expiry)


@dataclass(frozen=True, slots=True, kw_only=True)
class HedgePosition:
    """One VIX instrument held as a hedge. Its layer follows from its days to expiry (B10)."""

    instrument: Instrument
    net_contracts: int  # long > 0, never 0
    average_cost: Decimal  # index points paid per contract
    opened_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class LoosePosition:
    """Contracts held that are part of no whole condor and no hedge.

    Unevenly filled or busted legs of a condor's orders, and what others traded in the account.
    """

    instrument: Instrument
    net_contracts: int  # long > 0, never 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkingOrder:
    """An order that may still trade (SENDING, UNKNOWN, LIVE or PARTIALLY_FILLED)."""

    client_order_id: ClientOrderId
    purpose: str
    status: OrderStatus
    legs: tuple[tuple[str, int], ...]  # (symbol, ratio)
    leaves_quantity: int  # packages not yet filled
    limit_price: Decimal
    layer: str | None
    condor_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """Everything the bot holds and has at work. Order within the tuples carries no meaning."""

    condors: tuple[CondorPosition, ...]
    hedges: tuple[HedgePosition, ...]
    working: tuple[WorkingOrder, ...]
    hedge_cost_365d_usd: Decimal  # G1: premium, carry, commissions less payouts; a cost is > 0
    # Left out where there is none, which is nearly always: older decisions know no such thing
    loose: tuple[LoosePosition, ...] = field(default=(), metadata=LEFT_OUT_IF_EMPTY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The account as the broker reports it."""

    net_liquidation_usd: Decimal
    cash_usd: Decimal
    initial_margin_usd: Decimal
    maintenance_margin_usd: Decimal
    excess_liquidity_usd: Decimal
