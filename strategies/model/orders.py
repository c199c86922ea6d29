"""Orders as the domain knows them: what is wanted, and what the risk gate let through.

One sign convention: an order always *buys* a package of signed legs. A negative leg ratio sells
that leg. ``limit_price`` is what the package may cost at most, in index points: positive is a
debit, negative a credit (Interactive Brokers' own convention for combos). Selling three VIX calls
at 2.10 is one leg with ratio -1, quantity 3, limit -2.10.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from strategies.model.errors import InvalidOrder
from strategies.model.ids import ClientOrderId, client_order_id
from strategies.model.instruments import Instrument
from strategies.model.ticks import order_tick


class PositionEffect(StrEnum):
    """Whether an order adds risk or takes it away (FIX tag 77)."""

    OPEN = "OPEN"
    CLOSE = "CLOSE"


class Urgency(StrEnum):
    """How far and how fast the price walk may go from mid toward the natural side."""

    PATIENT = "PATIENT"  # stays short of the natural side
    NORMAL = "NORMAL"  # reaches the natural side at the end of its time
    URGENT = "URGENT"  # starts half way and reaches the natural side early
    PASSIVE = "PASSIVE"  # never crosses: rests at the plan's mid, for the market to come (G9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One instrument of a package; ratio > 0 is bought, < 0 is sold."""

    instrument: Instrument
    ratio: int

    def __str__(self) -> str:
        """Return ``+1 SPXW 18DEC26 5800 P``."""
        return f"{self.ratio:+d} {self.instrument}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderIntent:
    """One order a plan wants.

    ``purpose`` names what the order is for (``condor:<id>:open``, ``hedge:L2:add:<symbol>``); one
    purpose has at most one live or unknown order at a time.

    Raises: InvalidOrder if there are no legs, a ratio or the quantity is zero or negative where it
        must not be, or the limit price is off the tick grid.
    """

    plan_id: str
    purpose: str
    legs: tuple[Leg, ...]
    quantity: int  # packages, > 0
    limit_price: Decimal  # index points for one package; > 0 debit, < 0 credit
    worst_price: Decimal  # the walk never pays more than this; >= limit_price
    effect: PositionEffect
    urgency: Urgency
    rules: tuple[str, ...]  # rule ids that asked for it
    layer: str | None = None  # "L1".."L3" for hedge orders
    condor_id: str | None = None  # for condor orders
    attempt: int = 1

    def __post_init__(self) -> None:
        if not self.legs or self.quantity <= 0 or any(leg.ratio == 0 for leg in self.legs):
            raise InvalidOrder(f"{self.purpose}: needs legs with ratios and a positive quantity")
        if len({leg.instrument for leg in self.legs}) != len(self.legs):
            raise InvalidOrder(f"{self.purpose}: one instrument stands in two legs")
        instruments = [leg.instrument for leg in self.legs]
        for price in (self.limit_price, self.worst_price):
            if price % order_tick(instruments, price) != 0:
                raise InvalidOrder(f"{self.purpose}: price {price} is off the tick grid")
        if self.worst_price < self.limit_price:
            raise InvalidOrder(f"{self.purpose}: worst price is better than the limit")
        if (self.layer is None) == (self.condor_id is None):
            raise InvalidOrder(f"{self.purpose}: an order serves a layer or a condor")

    @property
    def client_order_id(self) -> ClientOrderId:
        """The derived identity of this attempt."""
        legs = ",".join(f"{leg.ratio}*{leg.instrument.symbol}" for leg in self.legs)
        return client_order_id(self.plan_id, self.purpose, f"{legs}x{self.quantity}", self.attempt)


_APPROVAL_KEY = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovedOrder:
    """An order the risk gate let through; only ``strategies.risk.gate.approve`` makes one."""

    intent: OrderIntent
    approved_at: datetime
    key: object

    def __post_init__(self) -> None:
        assert self.key is _APPROVAL_KEY, "only strategies.risk.gate.approve makes an ApprovedOrder"

    @property
    def client_order_id(self) -> ClientOrderId:
        """The derived identity of the approved attempt."""
        return self.intent.client_order_id
