"""What a check of the gate looks at, and how it says no."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from strategies.model.book import Book, CondorPosition
from strategies.model.ids import ClientOrderId
from strategies.model.limits import Limits, Readiness
from strategies.model.orders import OrderIntent, PositionEffect
from strategies.model.quotes import Quote
from strategies.model.structures import SignedLegs, as_condor

REPAIR_PREFIX = "repair:"  # of the purpose of an order that mends what is held unevenly


class RefusalReason(StrEnum):
    """Why the gate said no, in the order of the checks."""

    WRONG_ACCOUNT = "wrong account"
    NOT_RUNNING = "not running"
    HALTED = "halted"
    REDUCE_ONLY = "reduce only"
    LOCKED = "locked"
    LEASE_LOST = "lease lost"
    NO_CALENDAR = "no calendar"
    MARKET_CLOSED = "market closed"
    EXPIRED = "contract stopped trading"
    NOT_CONNECTED = "not connected"
    NOT_RECONCILED = "not reconciled"
    STALE_QUOTES = "stale quotes"
    NO_QUOTE = "no usable quote"
    NOT_QUALIFIED = "contract not qualified"
    OFF_TICK = "off the tick grid"
    WORSE_THAN_PLAN = "worse than planned"
    PRICE_COLLAR = "outside the price collar"
    THROUGH_MARKET = "through the market"
    STRUCTURE = "structure not allowed"
    NOT_A_REDUCTION = "not a reduction"
    NOT_A_ROLL = "not a roll"
    NOT_A_REPAIR = "not a repair"
    CONDOR_AT_WORK = "condor at work"
    DUPLICATE = "duplicate"
    PURPOSE_AT_WORK = "purpose at work"
    ACTIVE_ORDERS = "orders at work in one contract"
    UNCOVERED = "uncovered short"
    CONDOR_MAX_LOSS = "condor max loss"
    TOTAL_MAX_LOSS = "total max loss"
    CONDORS = "condor contracts"
    HEDGE_CONTRACTS = "hedge contracts"
    FUTURES_CONTRACTS = "futures contracts"
    PREMIUM = "order premium"
    MARGIN_UNKNOWN = "margin unknown"
    MARGIN = "margin headroom"
    ORDERS_PER_DAY = "orders per day"
    ORDER_RATE = "order rate"
    OPENS_PER_DAY = "opens per day"
    CANCELS_PER_DAY = "cancels per day"
    ATTEMPTS = "attempts"
    TURNOVER = "turnover"
    NOT_APPROVED = "not approved"


Verdict = tuple[RefusalReason, str] | None  # None lets the order pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An intent with everything a check may look at."""

    intent: OrderIntent
    readiness: Readiness
    limits: Limits
    book: Book
    quotes: Mapping[str, Quote]
    orders_seen: Collection[ClientOrderId]

    @property
    def repairs(self) -> bool:
        """Whether the order claims to mend what is held unevenly; the structure must prove it."""
        return self.intent.purpose.startswith(REPAIR_PREFIX)

    @property
    def opens(self) -> bool:
        """Whether the order adds risk; any other is proven to take it away."""
        return self.intent.effect is PositionEffect.OPEN and not self.repairs

    @property
    def legs(self) -> SignedLegs:
        """The instruments and ratios of the order."""
        return tuple((leg.instrument, leg.ratio) for leg in self.intent.legs)

    @property
    def rolls(self) -> CondorPosition | None:
        """The held condor that this order changes into another (C10, C11)."""
        if not self.opens or as_condor(self.legs) is not None:
            return None  # the rest of a condor that has filled in part is no roll of it
        held = (c for c in self.book.condors if c.condor_id == self.intent.condor_id)
        return next(held, None)
