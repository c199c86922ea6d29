"""What open contracts cost and what closed ones brought, as IB tells it: commissions included.

Built from the fills and settlements of the account alone. An average cost is USD a contract, so it
contains the multiplier; what a position of futures cost is told the same way although nothing was
paid for it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import NamedTuple

from bot.exchange.exchange import Exchange
from bot.gateway.contracts.stands import StandIn
from strategies.model.calendars import EXCHANGE_ZONE
from strategies.model.fills import CashKind
from strategies.model.instruments import Instrument, parse_symbol

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """A change of a position: an execution, or an expiry into cash."""

    symbol: str
    contracts: int  # signed
    price: Decimal
    commission_usd: Decimal
    at: datetime


@dataclass(slots=True, kw_only=True)
class Position:
    """One contract the account holds, or has held."""

    instrument: Instrument | StandIn
    net_contracts: int = 0
    cost_usd: Decimal = _ZERO  # of the open contracts; negative for what was sold
    realized_usd: Decimal = _ZERO  # since ``day`` began
    day: date = date.min
    trades: list[Trade] = field(default_factory=list)  # of ``day``

    @property
    def average_cost_usd(self) -> Decimal:
        """What one open contract cost."""
        return self.cost_usd / self.net_contracts if self.net_contracts else _ZERO

    def contracts_before(self, day: date) -> int:
        """Return the position at the beginning of ``day``, which no trade is after."""
        if self.day != day:
            return self.net_contracts
        return self.net_contracts - sum(trade.contracts for trade in self.trades)

    def realized_on(self, day: date) -> Decimal:
        """Return what closing contracts has brought on ``day``."""
        return self.realized_usd if self.day == day else _ZERO

    def take(self, trade: Trade) -> Decimal:
        """Change the position and return the profit this realized."""
        day = trade.at.astimezone(EXCHANGE_ZONE).date()
        if day != self.day:
            self.day = day
            self.realized_usd = _ZERO
            self.trades.clear()
        self.trades.append(trade)
        closed = _closed_part(self.net_contracts, trade.contracts)
        multiplier = self.instrument.multiplier
        commission = trade.commission_usd * abs(closed) / abs(trade.contracts)
        basis = self.average_cost_usd * closed
        realized = basis - closed * trade.price * multiplier - commission if closed else _ZERO
        opened = trade.contracts - closed
        self.cost_usd += basis + opened * trade.price * multiplier
        self.cost_usd += trade.commission_usd - commission
        self.net_contracts += trade.contracts
        if not self.net_contracts:
            self.cost_usd = _ZERO
        self.realized_usd += realized
        return realized


def _closed_part(net: int, change: int) -> int:
    """Return how much of a change closes what is there, with the sign of the change."""
    if net * change >= 0:
        return 0
    return change if abs(change) <= abs(net) else -net


class _News(NamedTuple):
    name: str  # unique
    at: datetime
    trade: Trade | None  # None: only cash has moved


class Costs:
    """The positions of an exchange's account with what they cost."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._positions: dict[str, Position] = {}
        self._seen_until = datetime.min.replace(tzinfo=UTC)
        self._seen: set[str] = set()  # of the last instant
        self._bookings = 0  # of the exchange, when we looked last
        self.version = 0  # changes with every fill and every movement of cash

    def refresh(self) -> None:
        """Take over what has happened since the last call."""
        if self._exchange.bookings == self._bookings:
            return
        self._bookings = self._exchange.bookings
        since = self._seen_until
        news = [*self._fills(since), *self._movements(since)]
        for name, at, trade in sorted(news, key=lambda each: each[1]):
            if name in self._seen:
                continue
            if at > self._seen_until:
                self._seen_until = at
                self._seen.clear()
            self._seen.add(name)
            self.version += 1
            if trade is not None:
                self.position(trade.symbol).take(trade)

    def position(self, symbol: str) -> Position:
        """Return the position in one contract, an empty one for what was never held."""
        if symbol not in self._positions:
            self._positions[symbol] = Position(instrument=parse_symbol(symbol))
        return self._positions[symbol]

    def positions(self) -> tuple[Position, ...]:
        """Return every contract that is held or was held, by symbol."""
        return tuple(self._positions[symbol] for symbol in sorted(self._positions))

    def _fills(self, since: datetime) -> Iterator[_News]:
        for fill in self._exchange.fills(since):
            trade = Trade(
                symbol=fill.symbol,
                contracts=fill.signed_quantity,
                price=fill.price,
                commission_usd=fill.commission_usd,
                at=fill.executed_at,
            )
            yield _News(fill.exec_root, fill.executed_at, trade)

    def _movements(self, since: datetime) -> Iterator[_News]:
        for movement in self._exchange.cash_movements(since):
            trade = None
            if movement.kind is CashKind.SETTLEMENT and movement.quantity:
                assert movement.symbol is not None, "what settles is a contract"
                assert movement.price is not None, "and it settles at a price"
                trade = Trade(
                    symbol=movement.symbol,
                    contracts=movement.quantity,
                    price=movement.price,
                    commission_usd=_ZERO,
                    at=movement.booked_at,
                )
            yield _News(movement.movement_id, movement.booked_at, trade)
