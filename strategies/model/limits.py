"""The risk gate's inputs from outside: hard limits from their own file, and readiness facts."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from strategies.model.calendars import TradingCalendar
from strategies.model.locks import Lock


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Hard limits, loaded from the limits file; no strategy can change or read past them."""

    condor_max_loss_usd: Decimal  # of one condor position
    total_max_loss_usd: Decimal  # all condors and opening orders at work, worst case
    condors_max: int  # condor contracts open and at work
    hedge_contracts_max: int  # of one VIX instrument
    futures_contracts_max: int  # VX-equivalents over all layers
    order_premium_usd_max: Decimal  # debit one hedge order may pay
    orders_per_day_max: int
    orders_per_minute_max: int
    opens_per_day_max: int  # condors begun in a session, walks and remainders of one counted once
    cancels_per_day_max: int  # beyond it nothing opens; cancels always flow
    attempts_per_purpose_max: int  # prices tried for one opening order of a plan
    turnover_usd_per_day_max: Decimal  # price x multiplier x contracts, all legs
    active_orders_per_side_max: int  # at work in one contract and side; the broker refuses more
    price_collar_fraction: Decimal  # limit price at most this far from mid, of the mid
    price_collar_points: Decimal  # ... or this many points, whichever is wider
    futures_through_market_fraction: Decimal  # a future's limit beyond the far side, of that side
    quote_age_max: timedelta
    margin_required: bool  # nothing opens without the broker's word on margin
    margin_headroom_fraction: Decimal  # of net liquidation, to be left once an order has filled


class SystemState(StrEnum):
    """What the bot may do."""

    STARTING = "STARTING"
    RECONCILING = "RECONCILING"
    RUNNING = "RUNNING"
    REDUCE_ONLY = "REDUCE_ONLY"
    HALTED = "HALTED"


class HaltScope(StrEnum):
    """How much a halt forbids."""

    OPENS = "opens"  # nothing opens; hedges and closes go on
    REDUCE_ONLY = "reduce-only"  # only orders that take risk away
    ALL = "all"  # nothing is sent
    FLATTEN = "flatten"  # everything is being closed, then nothing is sent

    def at_least(self, other: "HaltScope | None") -> "HaltScope":
        """Return the stricter of two scopes: a further halt never loosens the one that stands."""
        order = list(HaltScope)
        return self if other is None else max(self, other, key=order.index)


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """What was done lately, for the caps on rates (I16)."""

    orders_last_minute: int = 0
    opens_today: int = 0  # condors begun
    cancels_today: int = 0
    turnover_usd_today: Decimal = Decimal(0)  # price x multiplier x contracts of every fill


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginFacts:
    """What the broker says of the account once an order has filled, USD."""

    net_liquidation_usd: Decimal  # as it is
    initial_margin_after_usd: Decimal
    maintenance_margin_after_usd: Decimal
    excess_liquidity_after_usd: Decimal
    refusal: str = ""  # the broker's words, if it would not take the order


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderApproval:
    """One order of a plan that a person let through, and how far it may go (I20).

    The plan's id is made of all it contains: with the purpose it names the legs too.
    """

    plan_id: str
    purpose: str
    quantity: int  # packages at most
    worst_price: Decimal
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """The facts the gate needs from outside, gathered by the engine for each order."""

    at: datetime
    state: SystemState
    halt_scope: HaltScope | None  # None = not halted
    connected: bool
    reconciled: bool
    lease_held: bool
    orders_today: int
    quotes_at: datetime | None = None  # when the oldest quote shown to the gate was true
    locks: tuple[Lock, ...] = ()  # those that hold now
    account_agrees: bool = True  # mode, ledger and the broker's account belong together (I11)
    unqualified: frozenset[str] = frozenset()  # symbols the broker does not know as they were (D20)
    calendar: TradingCalendar | None = None  # None = only expiration dates count
    throughput: Throughput = Throughput()
    margin: MarginFacts | None = None  # of the order in question, None = nobody asked
    approvals: tuple[OrderApproval, ...] | None = None  # None = nobody has to approve
