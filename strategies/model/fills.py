"""Fills: what was executed, one record an execution of one leg."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache

from strategies.model.ids import ClientOrderId
from strategies.model.instruments import parse_symbol

# Reading a symbol takes longer than everything else about a fill
_instrument_of = lru_cache(maxsize=4096)(parse_symbol)


class Side(StrEnum):
    """The side of an execution (FIX tag 54)."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        """+1 for a purchase, -1 for a sale."""
        return 1 if self is Side.BUY else -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One execution of one leg, in its latest revision."""

    exec_root: str  # the broker's execution id without its revision
    revision: int  # 1 as first reported; the highest one counts
    client_order_id: ClientOrderId
    symbol: str
    side: Side
    quantity: int  # contracts, > 0; 0 in a higher revision: the exchange took it back
    price: Decimal  # index points
    commission_usd: Decimal  # commission and exchange fees, a cost is > 0
    executed_at: datetime

    @property
    def signed_quantity(self) -> int:
        """Contracts, long > 0."""
        return self.side.sign * self.quantity

    @property
    def cash_flow_usd(self) -> Decimal:
        """Cash in > 0, commission included. Futures pay no premium: only the commission moves."""
        return _cash_flow_usd(self.symbol, self.signed_quantity, self.price, self.commission_usd)


class ExternalSource(StrEnum):
    """Who traded the account besides the bot."""

    MANUAL = "MANUAL"  # a person, in TWS or on a telephone
    CLIENT = "CLIENT"  # another program
    LIQUIDATION = "LIQUIDATION"  # the broker


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalFill:
    """One execution in the account that no order of the bot explains, in its latest revision."""

    exec_root: str
    revision: int
    source: ExternalSource
    reference: str  # orderRef, client id: whatever the broker says of who it was
    symbol: str  # as ours; what the bot does not trade keeps the broker's own words
    side: Side
    quantity: int  # contracts; 0 in a higher revision: the exchange took it back
    price: Decimal
    commission_usd: Decimal
    executed_at: datetime

    @property
    def signed_quantity(self) -> int:
        """Contracts, long > 0."""
        return self.side.sign * self.quantity

    @property
    def cash_flow_usd(self) -> Decimal:
        """Cash in > 0, commission included, of an instrument that the bot knows."""
        return _cash_flow_usd(self.symbol, self.signed_quantity, self.price, self.commission_usd)


def _cash_flow_usd(symbol: str, signed: int, price: Decimal, commission_usd: Decimal) -> Decimal:
    instrument = _instrument_of(symbol)
    if instrument.root in ("VX", "VXM"):
        return -commission_usd
    return -signed * price * instrument.multiplier - commission_usd


class CashKind(StrEnum):
    """Cash that moves without an order."""

    DEPOSIT = "DEPOSIT"
    SETTLEMENT = "SETTLEMENT"  # an option or future expired into cash
    VARIATION = "VARIATION"  # a future was marked to its daily settlement
    ADJUSTMENT = "ADJUSTMENT"  # booked by an operator: interest, fees, what nobody else explains


@dataclass(frozen=True, slots=True, kw_only=True)
class CashMovement:
    """One movement of cash reported by the broker that no fill explains.

    A settlement also closes ``quantity`` contracts of ``symbol`` (the position that expired).
    """

    movement_id: str  # the broker's, unique; a replay collides
    kind: CashKind
    symbol: str | None
    quantity: int  # contracts the position changes by (settlement only, signed), else 0
    price: Decimal | None  # settlement value per unit, index points
    amount_usd: Decimal  # cash in > 0
    booked_at: datetime
