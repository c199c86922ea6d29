"""The risk gate's inputs from outside: hard limits from their own file, and readiness facts."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

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
    price_collar_fraction: Decimal  # limit price at most this far from mid, of the mid
    price_collar_points: Decimal  # ... or this many points, whichever is wider
    quote_age_max: timedelta


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
