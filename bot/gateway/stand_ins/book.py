"""What is held of stand-ins, beside the exchange's account: positions, cash, a plain margin.

Nothing of it exists until somebody trades one, and nothing of it outlives the process.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Final

from bot.exchange.exchange import Exchange
from bot.exchange.settlement import final_value, intrinsic
from bot.gateway.contracts.listed import Listed
from bot.gateway.contracts.stands import StandIn, stand_quote
from bot.gateway.costs import Position, Trade
from strategies.model.book import Account
from strategies.model.calendars import EXCHANGE_ZONE

_ZERO: Final = Decimal(0)
_CENT: Final = Decimal("0.01")
_STOCK_MARGIN: Final = Decimal("0.25")  # of what it is worth
_SHORT_OPTION_MARGIN: Final = Decimal("0.2")  # of what its underlying is worth


class StandInBook:
    """The stand-ins an account holds."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._positions: dict[str, Position] = {}
        self.cash_usd = _ZERO
        self.version = 0  # changes with every trade and settlement

    def trade(
        self, listed: Listed, contracts: int, price: Decimal, commission_usd: Decimal
    ) -> Decimal:
        """Book an execution and return the profit it realized.

        Args:
            listed: The stand-in.
            contracts: Or shares; signed.
            price: Points.
            commission_usd: What it cost.
        """
        stand_in = StandIn(listed)
        position = self._positions.setdefault(stand_in.symbol, Position(instrument=stand_in))
        trade = Trade(
            symbol=stand_in.symbol,
            contracts=contracts,
            price=price,
            commission_usd=commission_usd,
            at=self._exchange.now,
        )
        self.cash_usd -= contracts * price * stand_in.multiplier + commission_usd
        self.version += 1
        return position.take(trade)

    def settle(self) -> None:
        """Turn options that have expired into cash, at a tenth of what the SPXW option is worth."""
        for position in self._positions.values():
            listed = _listed(position)
            settles_at = listed.settles_at
            if not position.net_contracts or settles_at is None or settles_at > self._exchange.now:
                continue
            assert listed.tenth_of is not None, "stocks do not expire"
            points = self._exchange.market.settlement_value(listed.tenth_of)
            worth = intrinsic(listed.tenth_of, final_value(points)) / 10
            self.trade(listed, -position.net_contracts, worth, _ZERO)

    def positions(self) -> tuple[Position, ...]:
        """Return what is held or was held, by symbol."""
        return tuple(self._positions[symbol] for symbol in sorted(self._positions))

    def position(self, symbol: str) -> Position | None:
        """Return what is held, or was held, of a symbol."""
        return self._positions.get(symbol)

    def marks(self) -> dict[str, float]:
        """Return the marks of what is or was held, points; outside session hours of the close."""
        at = self._marked_at()
        return {
            symbol: float(self.mark_at(_listed(position), at))
            for symbol, position in self._positions.items()
        }

    def mark_at(self, listed: Listed, at: datetime) -> Decimal:
        """Return a stand-in's mark at an instant of session hours.

        The middle of its quote; where nobody offers, what exercise would bring.
        """
        market = self._exchange.market
        quote = stand_quote(market, listed, at)
        if quote is not None and quote.ask > 0:
            return (Decimal(repr(quote.bid)) + Decimal(repr(quote.ask))) / 2
        if listed.tenth_of is None:
            return _ZERO
        return intrinsic(listed.tenth_of, final_value(market.index_at("SPX", at))) / 10

    def added_to(self, account: Account, marks: dict[str, float]) -> Account:
        """Return an account with what is held here; of nothing the same."""
        if not self.version:
            return account
        held = [position for position in self._positions.values() if position.net_contracts]
        worth = sum((_value(each, marks) for each in held), _ZERO) + self.cash_usd
        margin = self._margin(held, marks).quantize(_CENT)
        return replace(
            account,
            cash_usd=account.cash_usd + self.cash_usd,
            net_liquidation_usd=account.net_liquidation_usd + worth,
            excess_liquidity_usd=account.excess_liquidity_usd + worth - margin,
            initial_margin_usd=account.initial_margin_usd + margin,
            maintenance_margin_usd=account.maintenance_margin_usd + margin,
        )

    def _margin(self, held: Iterable[Position], marks: dict[str, float]) -> Decimal:
        spot = final_value(self._exchange.market.index_at("SPX", self._marked_at())) / 10
        margin = _ZERO
        for position in held:
            if _listed(position).tenth_of is None:
                margin += abs(_value(position, marks)) * _STOCK_MARGIN
            elif position.net_contracts < 0:
                notional = spot * position.instrument.multiplier * -position.net_contracts
                margin += notional * _SHORT_OPTION_MARGIN
        return margin

    def _marked_at(self) -> datetime:
        """Return the instant whose quotes are marks now: now itself, or the last close."""
        now = self._exchange.now
        if self._exchange.session_at(now) is not None:
            return now
        calendar = self._exchange.market.calendar
        day = now.astimezone(EXCHANGE_ZONE).date()
        if calendar.is_session(day) and calendar.closes_at(day) <= now:
            return calendar.closes_at(day)
        return calendar.closes_at(calendar.previous_session(day))


def _listed(position: Position) -> Listed:
    assert isinstance(position.instrument, StandIn), "nothing else is held here"
    return position.instrument.listed


def _value(position: Position, marks: dict[str, float]) -> Decimal:
    mark = Decimal(repr(marks[position.instrument.symbol]))
    return position.net_contracts * mark * position.instrument.multiplier
