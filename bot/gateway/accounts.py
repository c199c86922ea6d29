"""The account as IB tells it: its values by key, its portfolio, and profit and loss.

Values that the exchange computes cross exactly, digit by digit; everything IB's list of keys has
beside them follows from these, or is zero.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from bot.errors import MarketDataMissing
from bot.exchange.exchange import Exchange
from bot.exchange.matching import quote_in_cents
from bot.exchange.settlement import final_value, intrinsic
from bot.gateway.contracts.book import ContractBook
from bot.gateway.contracts.listed import Listed
from bot.gateway.contracts.stands import StandIn
from bot.gateway.contracts.tenths import SYMBOL
from bot.gateway.costs import Costs, Position
from bot.gateway.stand_ins.book import StandInBook
from strategies.model.book import Account
from strategies.model.calendars import EXCHANGE_ZONE, TradingCalendar
from strategies.model.errors import MissingData
from strategies.model.instruments import FutureContract, Instrument

CURRENCY = "USD"
BASE = "BASE"
_ZERO = Decimal(0)
_CENT = Decimal("0.01")
_FINE = Decimal("0.00000001")
_REG_T_LEVERAGE = 4  # buying power of a margin account

# Keys that are always zero here, and which of them are told by currency
_ZERO_KEYS = (
    *("AccruedCash", "AccruedDividend", "Billable", "Guarantee", "IndianStockHaircut"),
    *("NetLiquidationUncertainty", "PASharesValue", "PhysicalCertificateValue"),
    *("PostExpirationExcess", "PostExpirationMargin", "TotalDebitCardPendingCharges"),
    *("NLVAndMarginInReview", "IncentiveCoupons"),
)
_ZERO_LEDGER_KEYS = (
    *("AccruedCash", "CorporateBondValue", "Cryptocurrency", "FundValue", "FutureOptionValue"),
    *("FxCashBalance", "IssuerOptionValue", "MoneyMarketFundValue", "MutualFundValue"),
    *("NetDividend", "TBillValue", "TBondValue", "WarrantValue"),
)


class Value(NamedTuple):
    """One account value."""

    key: str
    value: str
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """One line of the portfolio."""

    listed: Listed
    contracts: int
    mark: float
    market_value_usd: Decimal
    average_cost_usd: Decimal
    unrealized_usd: Decimal
    realized_usd: Decimal  # today


class PositionLine(NamedTuple):
    """One position."""

    listed: Listed
    contracts: int
    average_cost_usd: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Profit:
    """Profit and loss of the account or of one contract, USD."""

    daily: Decimal
    unrealized: Decimal
    realized: Decimal


class AccountBook:
    """Reads an exchange's account, and what is held of stand-ins beside it; changes nothing."""

    def __init__(
        self,
        exchange: Exchange,
        contracts: ContractBook,
        calendar: TradingCalendar,
        stand_ins: StandInBook,
    ) -> None:
        self._exchange = exchange
        self._contracts = contracts
        self._calendar = calendar
        self._stand_ins = stand_ins
        self._costs = Costs(exchange)
        self._marks_before: dict[tuple[str, date], Decimal] = {}
        self._looked_at: tuple[datetime, int] | None = None
        self._portfolio: tuple[Holding, ...] = ()
        self._account = exchange.account()

    @property
    def version(self) -> int:
        """A number that changes with every execution, settlement and booking of cash."""
        self._costs.refresh()
        return self._costs.version + self._stand_ins.version

    def position_lines(self) -> tuple[PositionLine, ...]:
        """Return the open positions, by symbol, and those closed today with nothing left."""
        return tuple(
            PositionLine(self._listed(each), each.net_contracts, _average_cost(each))
            for each in self._positions()
        )

    def portfolio(self) -> tuple[Holding, ...]:
        """Return the open positions, by symbol, and those closed today with nothing left."""
        self._look()
        return self._portfolio

    def _look(self) -> None:
        """Ask the exchange for marks and values, once an instant."""
        looked_at = (self._exchange.now, self.version)
        if looked_at == self._looked_at:
            return
        self._looked_at = looked_at
        marks = self._marks()
        today = self._today()
        self._portfolio = tuple(
            self._holding(position, marks.get(position.instrument.symbol, 0.0), today)
            for position in self._positions()
        )
        self._account = self._stand_ins.added_to(self._exchange.account(), marks)

    # --- values -------------------------------------------------------------------------------

    def values(self) -> tuple[Value, ...]:
        """Return every account value, AccountReady first."""
        self._look()
        return tuple(self._values(self._account, self._portfolio))

    def summary(self) -> Mapping[str, Value]:
        """Return the values of the whole account in the account's currency, by key."""
        return {value.key: value for value in self.values() if value.currency != BASE}

    def ledger(self) -> tuple[Value, ...]:
        """Return what ``$LEDGER`` asks for: the values of each currency and of all together."""
        self._look()
        return tuple(self._ledger(self._account, self._portfolio))

    def _values(self, account: Account, portfolio: tuple[Holding, ...]) -> Iterator[Value]:
        net = account.net_liquidation_usd
        equity = account.excess_liquidity_usd + account.maintenance_margin_usd
        available = equity - account.initial_margin_usd
        gross = sum((abs(each.market_value_usd) for each in portfolio), _ZERO)
        yield Value("AccountReady", "true", "")
        yield Value("AccountCode", self._exchange.account_id, "")
        yield Value("AccountOrGroup", self._exchange.account_id, CURRENCY)
        yield Value("AccountType", "INDIVIDUAL", "")
        amounts = {
            "AvailableFunds": available,
            "BuyingPower": max(_ZERO, available * _REG_T_LEVERAGE),
            "EquityWithLoanValue": equity,
            "ExcessLiquidity": account.excess_liquidity_usd,
            "FullAvailableFunds": available,
            "FullExcessLiquidity": account.excess_liquidity_usd,
            "FullInitMarginReq": account.initial_margin_usd,
            "FullMaintMarginReq": account.maintenance_margin_usd,
            "GrossPositionValue": gross,
            "InitMarginReq": account.initial_margin_usd,
            "LookAheadAvailableFunds": available,
            "LookAheadExcessLiquidity": account.excess_liquidity_usd,
            "LookAheadInitMarginReq": account.initial_margin_usd,
            "LookAheadMaintMarginReq": account.maintenance_margin_usd,
            "MaintMarginReq": account.maintenance_margin_usd,
            "NetLiquidation": net,
            "PreviousDayEquityWithLoanValue": equity,
            "RegTEquity": equity,
            "RegTMargin": account.initial_margin_usd,
            "SMA": available,
            "SettledCash": account.cash_usd,
            "TotalCashValue": account.cash_usd,
        }
        for key, amount in amounts.items():
            yield Value(key, plain(amount), CURRENCY)
            if key in _SEGMENTED:
                yield Value(f"{key}-C", "0", CURRENCY)
                yield Value(f"{key}-S", plain(amount), CURRENCY)
        for key in _ZERO_KEYS:
            yield Value(key, "0", CURRENCY)
        cushion = account.excess_liquidity_usd / net if net > 0 else _ZERO
        yield Value("Cushion", plain(cushion.quantize(Decimal("0.000001"))), "")
        leverage = gross / net if net > 0 else _ZERO
        yield Value("Leverage", plain(leverage.quantize(_CENT)), "")
        yield Value("Leverage-S", plain(leverage.quantize(_CENT)), "")
        yield Value("HighestSeverity", "0", "")
        yield Value("LookAheadNextChange", "0", "")
        for key in ("DayTradesRemaining", *(f"DayTradesRemainingT+{day}" for day in range(1, 5))):
            yield Value(key, "-1", "")
        yield Value("SegmentTitle-C", "US Commodities", "")
        yield Value("SegmentTitle-S", "US Securities", "")
        yield Value("TradingType-S", "STKNOPT", "")
        yield Value("WhatIfPMEnabled", "true", "")
        yield from self._ledger(account, portfolio)

    def _ledger(self, account: Account, portfolio: tuple[Holding, ...]) -> Iterator[Value]:
        options = [each for each in portfolio if _type(each) == "OPT"]
        futures = [each for each in portfolio if _type(each) == "FUT"]
        stocks = [each for each in portfolio if _type(each) == "STK"]
        amounts = {
            "CashBalance": account.cash_usd,
            "ExchangeRate": Decimal(1),
            "FuturesPNL": sum((each.unrealized_usd for each in futures), _ZERO),
            "NetLiquidationByCurrency": account.net_liquidation_usd,
            "OptionMarketValue": sum((each.market_value_usd for each in options), _ZERO),
            "RealizedPnL": sum((each.realized_usd for each in portfolio), _ZERO),
            "StockMarketValue": sum((each.market_value_usd for each in stocks), _ZERO),
            "TotalCashBalance": account.cash_usd,
            "UnrealizedPnL": sum((each.unrealized_usd for each in portfolio), _ZERO),
        }
        for currency in (BASE, CURRENCY):
            yield Value("Currency", currency, currency)
            yield Value("RealCurrency", currency, currency)
            for key, amount in amounts.items():
                yield Value(key, plain(amount), currency)
            for key in _ZERO_LEDGER_KEYS:
                yield Value(key, "0", currency)
        yield Value("AccountOrGroup", self._exchange.account_id, BASE)

    # --- profit and loss ----------------------------------------------------------------------

    def profit(self) -> Profit:
        """Return profit and loss of the whole account, of today and of what is open."""
        today = self._today()
        marks = self._marks()
        every = [self._profit(position, marks, today) for position in self._positions()]
        return Profit(
            daily=sum((each.daily for each in every), _ZERO),
            unrealized=sum((each.unrealized for each in every), _ZERO),
            realized=sum((each.realized for each in every), _ZERO),
        )

    def profit_of(self, symbol: str) -> tuple[Holding, Profit] | None:
        """Return one contract's line of the portfolio and its profit; None if it was never held."""
        today = self._today()
        self._costs.refresh()
        if symbol.startswith(SYMBOL):
            position = self._stand_ins.position(symbol)
        else:
            position = self._costs.position(symbol)
        if position is None:
            return None
        if not position.net_contracts and position.day != today:
            return None
        marks = self._marks()
        holding = self._holding(position, marks.get(symbol, 0.0), today)
        return holding, self._profit(position, marks, today)

    def _positions(self) -> list[Position]:
        self._costs.refresh()
        today = self._today()
        every = (*self._costs.positions(), *self._stand_ins.positions())
        return [each for each in every if each.net_contracts or each.day == today]

    def _holding(self, position: Position, mark: float, today: date) -> Holding:
        value = _value(position.instrument, position.net_contracts, Decimal(repr(mark)))
        return Holding(
            listed=self._listed(position),
            contracts=position.net_contracts,
            mark=mark,
            market_value_usd=value,
            average_cost_usd=_average_cost(position),
            unrealized_usd=(value - position.cost_usd).quantize(_FINE).normalize(),
            realized_usd=position.realized_on(today).quantize(_FINE).normalize(),
        )

    def _profit(self, position: Position, marks: Mapping[str, float], today: date) -> Profit:
        instrument = position.instrument
        mark = Decimal(repr(marks.get(instrument.symbol, 0.0)))
        value = _value(instrument, position.net_contracts, mark)
        daily = value
        before = position.contracts_before(today)
        if before:
            daily -= _value(instrument, before, self._mark_before(instrument, today))
        if position.day == today:
            for trade in position.trades:
                daily -= _value(instrument, trade.contracts, trade.price) + trade.commission_usd
        return Profit(
            daily=daily.quantize(_FINE).normalize(),
            unrealized=(value - position.cost_usd).quantize(_FINE).normalize(),
            realized=position.realized_on(today).quantize(_FINE).normalize(),
        )

    def _listed(self, position: Position) -> Listed:
        if isinstance(position.instrument, StandIn):
            return position.instrument.listed
        return self._contracts.of(position.instrument)

    def _marks(self) -> dict[str, float]:
        return {**self._exchange.marks(), **self._stand_ins.marks()}

    def _mark_before(self, instrument: Instrument | StandIn, today: date) -> Decimal:
        """Return an instrument's mark at the last close before ``today``; zero before them all."""
        key = instrument.symbol, today
        if key not in self._marks_before:
            try:
                close = self._calendar.closes_at(self._calendar.previous_session(today))
                mark = (
                    self._stand_ins.mark_at(instrument.listed, close)
                    if isinstance(instrument, StandIn)
                    else _mark_at(self._exchange, instrument, close)
                )
            except (MissingData, MarketDataMissing):
                mark = _ZERO
            self._marks_before[key] = mark
        return self._marks_before[key]

    def _today(self) -> date:
        return self._exchange.now.astimezone(EXCHANGE_ZONE).date()


_SEGMENTED = frozenset(
    {
        *("AvailableFunds", "EquityWithLoanValue", "ExcessLiquidity", "FullAvailableFunds"),
        *("FullExcessLiquidity", "FullInitMarginReq", "FullMaintMarginReq", "InitMarginReq"),
        *("LookAheadAvailableFunds", "LookAheadExcessLiquidity", "LookAheadInitMarginReq"),
        *("LookAheadMaintMarginReq", "MaintMarginReq", "NetLiquidation", "TotalCashValue"),
    }
)


def plain(amount: Decimal) -> str:
    """Return every digit of an amount, without an exponent."""
    return f"{amount:f}"


def _average_cost(position: Position) -> Decimal:
    return position.average_cost_usd.quantize(_FINE).normalize()


def _type(holding: Holding) -> str:
    return holding.listed.contract.sec_type


def _value(instrument: Instrument | StandIn, contracts: int, price: Decimal) -> Decimal:
    return contracts * price * instrument.multiplier


def _mark_at(exchange: Exchange, instrument: Instrument, at: datetime) -> Decimal:
    """Return the mark of an instrument at an instant of session hours, as the exchange marks."""
    market = exchange.market
    quote = market.quote(instrument, at)
    if isinstance(instrument, FutureContract):
        if quote is None or not quote.is_two_sided:
            return final_value(market.index_at(instrument.underlying, at))
    elif quote is None or quote.ask <= 0:
        return intrinsic(instrument, final_value(market.index_at(instrument.underlying, at)))
    bid, ask = quote_in_cents(quote)
    return Decimal(bid + ask) / 200
