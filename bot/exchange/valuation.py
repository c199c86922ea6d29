"""What the account is worth and how much of it is free, at the market's marks."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from bot.exchange.accounts import TradingAccount
from bot.exchange.margin import MarginConvention, future_margin_usd, option_margin_usd
from bot.exchange.market import Market
from bot.exchange.marks import OptionPortfolio
from bot.exchange.matching import quote_in_cents
from bot.exchange.settlement import SessionPhases, final_value, intrinsic
from strategies.model.book import Account
from strategies.model.calendars import EXCHANGE_ZONE
from strategies.model.instruments import FutureContract, OptionContract
from strategies.model.orders import Leg
from strategies.model.quotes import Quote
from strategies.model.snapshots import MarketQuotes

Package = tuple[tuple[Leg, ...], int]  # legs and how many


@dataclass(frozen=True, slots=True, kw_only=True)
class _Futures:
    """All futures of the account together, USD."""

    unsettled: Decimal  # variation the next mark would pay
    initial: Decimal
    maintenance: Decimal


class Valuation:
    """Reads one account against the market; changes neither.

    Equity counts cash and unsettled variation. Options have no loan value: the premium of a long
    one is spent, and a short one is margined at the distance of its strikes, its premium being in
    the cash already.
    """

    def __init__(
        self,
        market: Market,
        account: TradingAccount,
        phases: SessionPhases,
        convention: MarginConvention,
    ) -> None:
        self._market = market
        self._account = account
        self._phases = phases
        self._convention = convention
        self._quotes: MarketQuotes | None = None
        self._quotes_version = 0  # of the account whose options the quotes include
        self._options_version = -1
        self._portfolio = OptionPortfolio({})
        self._margin_usd = Decimal(0)

    def quotes_at(self, at: datetime) -> MarketQuotes:
        """Return the whole market with every option held in it.

        Raises: MarketDataMissing outside session hours or outside the market's range.
        """
        version = self._account.version
        if self._quotes is None or self._quotes.at != at or self._quotes_version != version:
            self._quotes = self._market.quotes_at(at, extra=tuple(self._account.options()))
            self._quotes_version = version
        return self._quotes

    def account(self, at: datetime) -> Account:
        """Return the account values at an instant the exchange has reached."""
        self._arrange_options()
        marked_at = self._phases.marking_instant(at)
        cash = self._account.cash_usd
        if marked_at is None or not self._account.holdings():
            return _account(cash, cash, Decimal(0), Decimal(0), cash)
        futures = self._futures(marked_at)
        equity = cash + futures.unsettled
        maintenance = self._margin_usd + futures.maintenance
        return _account(
            equity + self._option_value_usd(marked_at),
            cash,
            self._margin_usd + futures.initial,
            maintenance,
            equity - maintenance,
        )

    def marks(self, at: datetime) -> dict[str, float]:
        """Return the mid of each position by symbol; outside session hours of the last close."""
        marked_at = self._phases.marking_instant(at)
        if marked_at is None:
            return {}
        marks: dict[str, float] = {}
        for option in self._account.options():
            quote = _quoted(option, self.quotes_at(marked_at))
            if quote is None or quote.ask <= 0:
                marks[option.symbol] = float(self._option_mark(option, marked_at))
            else:
                marks[option.symbol] = float(_mid(quote))
        for contract, _ in self._account.futures():
            marks[contract.symbol] = float(self._future_mark(contract, marked_at))
        return marks

    def available_usd(self, at: datetime) -> Decimal:
        """Return equity less initial margin, in session hours."""
        equity, initial, _ = self.binding(at)
        return equity - initial

    def options_after(self, packages: Iterable[Package]) -> dict[OptionContract, int]:
        """Return the open options once these packages have been bought in these quantities."""
        positions = self._account.options()
        for legs, quantity in packages:
            for leg in legs:
                if isinstance(leg.instrument, OptionContract):
                    net = positions.get(leg.instrument, 0) + leg.ratio * quantity
                    positions[leg.instrument] = net
        return {contract: net for contract, net in positions.items() if net}

    def requirement_usd(
        self, legs: tuple[Leg, ...], quantity: int, price: Decimal, at: datetime
    ) -> Decimal:
        """Return how much available funds shrink if packages are bought; fees apart.

        Args:
            legs: What one package holds; its shorts must end up covered.
            quantity: How many packages.
            price: Index points one package costs.
            at: An instant of session hours.
        """
        spent, bound, _ = self.binding_of(legs, quantity, price, at)
        return spent + bound

    def binding(self, at: datetime) -> tuple[Decimal, Decimal, Decimal]:
        """Return equity, initial and maintenance margin, USD, in session hours."""
        self._arrange_options()
        futures = self._futures(at)
        return (
            self._account.cash_usd + futures.unsettled,
            self._margin_usd + futures.initial,
            self._margin_usd + futures.maintenance,
        )

    def binding_of(
        self, legs: tuple[Leg, ...], quantity: int, price: Decimal, at: datetime
    ) -> tuple[Decimal, Decimal, Decimal]:
        """Return what packages take of equity and add to initial and maintenance margin.

        Args: as of ``requirement_usd``.
        """
        first = legs[0].instrument
        spent = price * quantity * first.multiplier
        if isinstance(first, OptionContract):
            self._arrange_options()
            after = option_margin_usd(self.options_after([(legs, quantity)]), self._convention)
            return spent, after - self._margin_usd, after - self._margin_usd
        held = {contract: holding.net_contracts for contract, holding in self._account.futures()}
        bound = kept = Decimal(0)
        for leg in legs:
            contract = leg.instrument
            assert isinstance(contract, FutureContract), "packages do not mix products"
            mark = self._future_mark(contract, at)
            spent -= mark * leg.ratio * quantity * contract.multiplier
            before = held.get(contract, 0)
            now = self._future_margin(contract, before, mark, at)
            then = self._future_margin(contract, before + leg.ratio * quantity, mark, at)
            bound += then[0] - now[0]
            kept += then[1] - now[1]
        return spent, bound, kept

    def _arrange_options(self) -> None:
        if self._options_version == self._account.version:
            return
        options = self._account.options()
        self._portfolio = OptionPortfolio(options)
        self._margin_usd = option_margin_usd(options, self._convention)
        self._options_version = self._account.version

    def _option_value_usd(self, at: datetime) -> Decimal:
        if not self._account.options():
            return Decimal(0)
        return self._portfolio.value_usd(
            self.quotes_at(at), lambda contract: self._option_mark(contract, at)
        )

    def _option_mark(self, contract: OptionContract, at: datetime) -> Decimal:
        """Return the mark of an option nobody quotes: its intrinsic value on the index."""
        return intrinsic(contract, final_value(self._market.index_at(contract.underlying, at)))

    def _futures(self, at: datetime) -> _Futures:
        unsettled = initial = maintenance = Decimal(0)
        for contract, holding in self._account.futures():
            mark = self._future_mark(contract, at)
            unsettled += holding.unsettled_usd(mark)
            margins = self._future_margin(contract, holding.net_contracts, mark, at)
            initial += margins[0]
            maintenance += margins[1]
        return _Futures(unsettled=unsettled, initial=initial, maintenance=maintenance)

    def _future_mark(self, contract: FutureContract, at: datetime) -> Decimal:
        """Return a future's mid; the index where nobody quotes it any more."""
        quote = self._market.quote(contract, at)
        if quote is None or not quote.is_two_sided:
            return final_value(self._market.index_at(contract.underlying, at))
        return _mid(quote)

    def _future_margin(
        self, contract: FutureContract, contracts: int, mark: Decimal, at: datetime
    ) -> tuple[Decimal, Decimal]:
        session = at.astimezone(EXCHANGE_ZONE).date()
        return future_margin_usd(contract, contracts, mark, session)


def _quoted(option: OptionContract, market: MarketQuotes) -> Quote | None:
    chain = market.spx_options if option.underlying == "SPX" else market.vix_options
    return None if chain.find_row(option) is None else chain.quote(option)


def _mid(quote: Quote) -> Decimal:
    bid, ask = quote_in_cents(quote)
    return Decimal(bid + ask) / 200


def _account(
    liquidation: Decimal,
    cash: Decimal,
    initial: Decimal,
    maintenance: Decimal,
    excess: Decimal,
) -> Account:
    return Account(
        net_liquidation_usd=liquidation,
        cash_usd=cash,
        initial_margin_usd=initial,
        maintenance_margin_usd=maintenance,
        excess_liquidity_usd=excess,
    )
