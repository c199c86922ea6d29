"""Order entry: what an order must satisfy before it may meet the market."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from bot.exchange.margin import uncovered_shorts
from bot.exchange.market import Market
from bot.exchange.matching import from_cents, quote_in_cents
from bot.exchange.orders import NewOrder, OrderRecord, RejectReason
from bot.exchange.settlement import SessionPhases, instants_of
from bot.exchange.valuation import Valuation
from strategies.model.errors import InvalidInstrument, MissingData
from strategies.model.fees import FeeSchedule, fee_per_contract
from strategies.model.instruments import Instrument, OptionContract
from strategies.model.quotes import Quote

ACTIVE_ORDERS_MAX = 20  # per contract and side (IB's limit)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an order was not let in."""

    reason: RejectReason
    detail: str

    def __str__(self) -> str:
        """Return the broker's words."""
        return f"{self.reason}: {self.detail}"


@dataclass(frozen=True, slots=True)
class Admission:
    """The terms on which an order was let in."""

    expires_at: datetime
    requirement_usd: Decimal  # available funds it may take, >= 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What an order would bind and cost, USD, if all of it filled at its limit."""

    equity_before: Decimal
    initial_before: Decimal
    maintenance_before: Decimal
    equity_after: Decimal
    initial_after: Decimal
    maintenance_after: Decimal
    fees: Decimal  # commissions and exchange fees


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryDesk:
    """Examines orders against the market, the clock and the account."""

    market: Market
    phases: SessionPhases
    valuation: Valuation
    fees: FeeSchedule

    def examine(
        self, order: NewOrder, working: Iterable[OrderRecord], at: datetime
    ) -> Admission | Refusal:
        """Return the terms of an order that may work from ``at`` on, or why it may not.

        Args:
            order: What arrived.
            working: The orders already at work.
            at: The instant, in UTC.
        """
        if (flaw := order.flaw()) is not None:
            return Refusal(*flaw)
        expires_at = self._expires_at(order, at)
        if isinstance(expires_at, Refusal):
            return expires_at
        quotes = {leg.instrument: self.market.quote(leg.instrument, at) for leg in order.legs}
        if absent := [str(instrument) for instrument, quote in quotes.items() if quote is None]:
            return Refusal(RejectReason.NOT_LISTED, ", ".join(absent))
        others = tuple(working)
        if refusal := _too_many(order, others) or self._uncovered(order, others):
            return refusal
        requirement = self.valuation.requirement_usd(
            order.legs, order.quantity, order.limit_price, at
        )
        requirement += self._fees_usd(order, quotes)
        available = self.valuation.available_usd(at) - sum(each.reserved_usd for each in others)
        if requirement > max(Decimal(0), available):
            return Refusal(
                RejectReason.MARGIN,
                f"the order takes {requirement:.2f} USD, {available:.2f} USD are available",
            )
        return Admission(expires_at, max(Decimal(0), requirement))

    def estimate(self, order: NewOrder, at: datetime) -> Estimate:
        """Return what an order of quoted legs would bind and cost, at an instant of session hours.

        Args:
            order: What would be asked for.
            at: The instant, in UTC.
        """
        quotes = {leg.instrument: self.market.quote(leg.instrument, at) for leg in order.legs}
        fees = self._fees_usd(order, quotes)
        equity, initial, maintenance = self.valuation.binding(at)
        spent, bound, kept = self.valuation.binding_of(
            order.legs, order.quantity, order.limit_price, at
        )
        return Estimate(
            equity_before=equity,
            initial_before=initial,
            maintenance_before=maintenance,
            equity_after=equity - spent - fees,
            initial_after=initial + bound,
            maintenance_after=maintenance + kept,
            fees=fees,
        )

    def _expires_at(self, order: NewOrder, at: datetime) -> datetime | Refusal:
        """Return when a day order for these legs stops working."""
        session = self.phases.trading_session(at)
        if session is None:
            return Refusal(RejectReason.OUTSIDE_SESSION, f"{at:%Y-%m-%d %H:%M:%S} UTC")
        calendar = self.market.calendar
        expires_at = calendar.closes_at(session).astimezone(UTC)
        for leg in order.legs:
            try:
                last_trade_at = instants_of(leg.instrument, calendar).last_trade_at
            except (InvalidInstrument, MissingData) as cause:
                return Refusal(RejectReason.NOT_LISTED, str(cause))
            if last_trade_at <= at:
                return Refusal(RejectReason.AFTER_LAST_TRADE, str(leg.instrument))
            expires_at = min(expires_at, last_trade_at)
        return expires_at

    def _uncovered(self, order: NewOrder, others: Sequence[OrderRecord]) -> Refusal | None:
        """Refuse an order that may leave a short option without cover.

        Packages are guaranteed, so a package that covers its own shorts can never uncover anything.
        Every other order at work is assumed to fill too, because it may take a cover away.
        """
        threats = [
            (each.order.legs, each.report.leaves_quantity)
            for each in others
            if not _covers_itself(each.order)
        ]
        own = (order.legs, order.quantity)
        for packages in ([own], [own, *threats]) if threats else ([own],):
            if bare := uncovered_shorts(self.valuation.options_after(packages)):
                return Refusal(RejectReason.UNCOVERED, ", ".join(map(str, bare)))
        return None

    def _fees_usd(self, order: NewOrder, quotes: Mapping[Instrument, Quote | None]) -> Decimal:
        """Return the fees of the whole order if every leg trades at its mid."""
        total = Decimal(0)
        for leg in order.legs:
            quote = quotes[leg.instrument]
            assert quote is not None, "legs nobody quotes were refused"
            bid, ask = quote_in_cents(quote)
            price = from_cents((bid + ask) // 2)
            fee = fee_per_contract(leg.instrument, price, self.fees, is_combo=order.is_combo)
            total += fee * abs(leg.ratio) * order.quantity
        return total


def _too_many(order: NewOrder, others: Sequence[OrderRecord]) -> Refusal | None:
    """Refuse an order beyond the limit of active orders per contract and side."""
    if len(others) < ACTIVE_ORDERS_MAX:  # no contract is in one order twice
        return None
    sides = Counter((leg.instrument, leg.ratio > 0) for each in others for leg in each.order.legs)
    for leg in order.legs:
        if sides[leg.instrument, leg.ratio > 0] >= ACTIVE_ORDERS_MAX:
            return Refusal(RejectReason.TOO_MANY_ORDERS, f"{ACTIVE_ORDERS_MAX} on {leg.instrument}")
    return None


def _covers_itself(order: NewOrder) -> bool:
    """Whether a package, bought by an empty account, leaves no short option uncovered."""
    options = {
        leg.instrument: leg.ratio
        for leg in order.legs
        if isinstance(leg.instrument, OptionContract)
    }
    return not uncovered_shorts(options)
