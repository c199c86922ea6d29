"""One trading account: cash, holdings and what they cost, exact to the last decimal.

Options are paid for when they trade. Futures are not: a trade only sets the price from which the
next daily settlement pays the difference, so each holding remembers the value its contracts were
last marked or traded at.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal

from bot.exchange.settlement import intrinsic
from strategies.model.fills import CashKind, CashMovement, Fill
from strategies.model.instruments import FutureContract, Instrument, OptionContract, parse_symbol

_AVERAGE_TICK = Decimal("0.00001")


@dataclass(slots=True, kw_only=True)
class Holding:
    """One instrument of the account."""

    instrument: Instrument
    net_contracts: int = 0  # long > 0
    average_price: Decimal = Decimal(0)  # of the open contracts, index points, rounded
    marked_value: Decimal = Decimal(0)  # futures: sum of contracts x price, at trade or last mark

    @property
    def is_idle(self) -> bool:
        """Whether nothing is open and nothing is owed."""
        return self.net_contracts == 0 and self.marked_value == 0

    def unsettled_usd(self, price: Decimal) -> Decimal:
        """Return what a mark of the future at ``price`` would pay."""
        return (self.net_contracts * price - self.marked_value) * self.instrument.multiplier


class TradingAccount:
    """Cash and holdings; every change is a fill or a movement that leaves the method."""

    def __init__(self) -> None:
        self._holdings: dict[Instrument, Holding] = {}
        self.cash_usd = Decimal(0)
        self.version = 0  # changes with every change of a position

    def holdings(self) -> tuple[Holding, ...]:
        """Return every holding that is open or owes variation."""
        return tuple(self._holdings.values())

    def options(self) -> dict[OptionContract, int]:
        """Return the open options and their net contracts."""
        return {
            holding.instrument: holding.net_contracts
            for holding in self._holdings.values()
            if isinstance(holding.instrument, OptionContract)
        }

    def futures(self) -> tuple[tuple[FutureContract, Holding], ...]:
        """Return the futures that are open or owe variation."""
        return tuple(
            (holding.instrument, holding)
            for holding in self._holdings.values()
            if isinstance(holding.instrument, FutureContract)
        )

    def deposit(self, movement_id: str, amount_usd: Decimal, at: datetime) -> CashMovement:
        """Add cash from outside."""
        return self._book(
            CashMovement(
                movement_id=movement_id,
                kind=CashKind.DEPOSIT,
                symbol=None,
                quantity=0,
                price=None,
                amount_usd=amount_usd,
                booked_at=at,
            )
        )

    def record_fill(self, fill: Fill) -> None:
        """Take over an execution."""
        instrument = parse_symbol(fill.symbol)
        holding = self._holdings.setdefault(instrument, Holding(instrument=instrument))
        change = fill.signed_quantity
        holding.average_price = _average_price(holding, change, fill.price)
        holding.net_contracts += change
        if isinstance(instrument, FutureContract):
            holding.marked_value += change * fill.price
        self.cash_usd += fill.cash_flow_usd
        self._forget_if_idle(holding)

    def record_variation(
        self, contract: FutureContract, settle: Decimal, session: date, at: datetime
    ) -> CashMovement:
        """Pay the difference between a future's daily settlement and its last mark."""
        holding = self._holdings[contract]
        amount = holding.unsettled_usd(settle)
        holding.marked_value = holding.net_contracts * settle
        self._forget_if_idle(holding)
        return self._book(
            CashMovement(
                movement_id=f"VAR-{contract.symbol}-{session}",
                kind=CashKind.VARIATION,
                symbol=contract.symbol,
                quantity=0,
                price=settle,
                amount_usd=amount,
                booked_at=at,
            )
        )

    def record_settlement(
        self, instrument: Instrument, value: Decimal, session: date, at: datetime
    ) -> CashMovement:
        """Turn an expired holding into cash.

        Args:
            instrument: What expired.
            value: Its settlement value, index points of the underlying.
            session: The session it settles on.
            at: The instant.

        Returns:
            The movement. Its price is what one unit of the contract was worth: the intrinsic value
            of an option, the final settlement of a future.
        """
        holding = self._holdings.pop(instrument)
        if isinstance(instrument, OptionContract):
            price = intrinsic(instrument, value)
            amount = holding.net_contracts * price * instrument.multiplier
        else:
            price = value
            amount = holding.unsettled_usd(price)
        self.version += 1
        return self._book(
            CashMovement(
                movement_id=f"SET-{instrument.symbol}-{session}",
                kind=CashKind.SETTLEMENT,
                symbol=instrument.symbol,
                quantity=-holding.net_contracts,
                price=price,
                amount_usd=amount,
                booked_at=at,
            )
        )

    def _book(self, movement: CashMovement) -> CashMovement:
        self.cash_usd += movement.amount_usd
        return movement

    def _forget_if_idle(self, holding: Holding) -> None:
        self.version += 1
        if holding.is_idle:
            del self._holdings[holding.instrument]


def _average_price(holding: Holding, change: int, price: Decimal) -> Decimal:
    net = holding.net_contracts
    if net * change < 0:  # reduces, closes or turns the position
        return holding.average_price if abs(change) < abs(net) else price
    total = holding.average_price * abs(net) + price * abs(change)
    return (total / (abs(net) + abs(change))).quantize(_AVERAGE_TICK, ROUND_HALF_EVEN)
