"""A market a test can write by hand, and short ways to trade on it."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from math import sin

import numpy as np

from bot.errors import MarketDataMissing
from bot.exchange.exchange import Exchange
from bot.exchange.orders import NewOrder
from strategies.model.calendars import EXCHANGE_ZONE, TradingCalendar, at_exchange
from strategies.model.expiries import future_instants, series_instants
from strategies.model.ids import ClientOrderId
from strategies.model.instruments import FutureContract, Instrument, OptionContract, Right
from strategies.model.quotes import FutureQuote, IndexValue, OptionChain, Quote
from strategies.model.snapshots import DailyHistory, MarketQuotes
from tests.builders import AT, daily_history, leg, weekday_calendar

FIRST = date(2020, 2, 3)
LAST = date(2020, 3, 31)
PRESIDENTS_DAY = date(2020, 2, 17)
GOOD_FRIDAY = date(2020, 4, 10)
EARLY_CLOSE = date(2020, 2, 27)  # invented
SPXW_EXPIRIES = (date(2020, 2, 5), date(2020, 2, 27), date(2020, 3, 6), date(2020, 3, 20))
SPX_EXPIRIES = (date(2020, 2, 21), date(2020, 3, 20))
VIX_EXPIRIES = (date(2020, 2, 19), date(2020, 3, 18), date(2020, 4, 15))
_TICK = {"SPX": 0.05, "VIX": 0.01}
_HALF_SPREAD = {"SPX": 0.10, "VIX": 0.04}
_TIME_VALUE = {"SPX": 30.0, "VIX": 1.5}  # index points at the money
_REACH = {"SPX": 100.0, "VIX": 8.0}  # index points over which time value decays


def calendar() -> TradingCalendar:
    """Weekdays of late 2019 to mid 2021 with the holidays that matter here."""
    return weekday_calendar(
        date(2019, 12, 2),
        date(2021, 6, 30),
        holidays=[PRESIDENTS_DAY, GOOD_FRIDAY],
        early_closes=[EARLY_CLOSE],
    )


@dataclass
class ScriptedMarket:
    """A Market whose prices are simple functions of time.

    An option's mid is its intrinsic value plus a time value that decays with the distance of the
    strike; futures stand half a point above one another. ``scripted`` replaces the quote of single
    instruments: a quote, None for "not listed", or a function of the instant.
    """

    spx: Callable[[datetime], float] = lambda at: 3200.0
    vix: Callable[[datetime], float] = lambda at: 16.0
    scripted: Mapping[Instrument, Quote | Callable[[datetime], Quote | None] | None] = field(
        default_factory=dict
    )
    settlements: Mapping[Instrument, float] = field(default_factory=dict)
    daily_settles: Mapping[tuple[FutureContract, date], float] = field(default_factory=dict)
    first_session: date = FIRST
    last_session: date = LAST
    calendar: TradingCalendar = field(default_factory=calendar)
    strike_step: int = 10
    whole_market_calls: int = 0

    def quote(self, instrument: Instrument, at: datetime) -> Quote | None:
        self._check_hours(at)
        if instrument in self.scripted:
            entry = self.scripted[instrument]
            return entry(at) if callable(entry) else entry
        if isinstance(instrument, FutureContract):
            return self._future_quote(instrument, at)
        if instrument.expiry not in _EXPIRIES[instrument.root]:
            return None
        terms = series_instants(instrument.root, instrument.expiry, self.calendar)
        if at >= terms.last_trade_at:
            return None
        column = 0 if instrument.right is Right.PUT else 1
        bid, ask = self._option_prices(
            instrument.underlying, np.array([float(instrument.strike)]), at
        )
        return Quote(bid=float(bid[0, column]), ask=float(ask[0, column]))

    def quotes_at(self, at: datetime, extra: Collection[OptionContract] = ()) -> MarketQuotes:
        self._check_hours(at)
        self.whole_market_calls += 1
        spx_strikes = np.arange(2500.0, 3801.0, self.strike_step)
        return MarketQuotes(
            at=at,
            indices={
                "SPX": IndexValue(value=self.spx(at), quoted_at=at),
                "VIX": IndexValue(value=self.vix(at), quoted_at=at),
            },
            futures=self._futures(at),
            spx_options=self._chain("SPX", ("SPX", "SPXW"), spx_strikes, at, extra),
            vix_options=self._chain("VIX", ("VIX",), np.arange(10.0, 60.0, 1.0), at, extra),
            rate=0.015,
        )

    def index_at(self, name: str, at: datetime) -> float:
        self._check_hours(at)
        return {"SPX": self.spx, "VIX": self.vix}[name](at)

    def settlement_value(self, instrument: Instrument) -> float:
        if instrument in self.settlements:
            return self.settlements[instrument]
        at = at_exchange(instrument.expiry, datetime.min.time().replace(hour=10))
        return (self.spx if instrument.underlying == "SPX" else self.vix)(at)

    def daily_settle(self, contract: FutureContract, session: date) -> float:
        if (contract, session) in self.daily_settles:
            return self.daily_settles[contract, session]
        at = at_exchange(session, datetime.min.time().replace(hour=13))
        return self._future_mid(contract, at)

    def history(self, before: date) -> DailyHistory:
        return daily_history(before=before)

    # --- prices -----------------------------------------------------------------------------

    def _check_hours(self, at: datetime) -> None:
        day = at.astimezone(EXCHANGE_ZONE).date()
        if not (self.first_session <= day <= self.last_session and self.calendar.is_session(day)):
            raise MarketDataMissing(f"{day} is no session of this market")
        if not self.calendar.opens_at(day) <= at <= self.calendar.closes_at(day):
            raise MarketDataMissing(f"{at} is outside session hours")

    def _option_prices(
        self, underlying: str, strikes: np.ndarray, at: datetime
    ) -> tuple[np.ndarray, np.ndarray]:
        level = (self.spx if underlying == "SPX" else self.vix)(at)
        value = _TIME_VALUE[underlying] * np.exp(-np.abs(strikes - level) / _REACH[underlying])
        intrinsic = np.stack([np.maximum(strikes - level, 0), np.maximum(level - strikes, 0)], 1)
        mid = intrinsic + value[:, None]
        tick, half = _TICK[underlying], _HALF_SPREAD[underlying]
        bid = np.round(np.maximum(np.floor((mid - half) / tick + 1e-9), 0) * tick, 2)
        ask = np.round(np.maximum(np.ceil((mid + half) / tick - 1e-9), 1) * tick, 2)
        return bid, ask

    def _chain(
        self,
        underlying: str,
        roots: Iterable[str],
        strikes: np.ndarray,
        at: datetime,
        extra: Collection[OptionContract],
    ) -> OptionChain:
        every = [
            series_instants(root, expiry, self.calendar)
            for root in roots
            for expiry in _EXPIRIES[root]
        ]
        series = sorted(
            (each for each in every if at < each.last_trade_at),
            key=lambda each: (each.expiry, each.root),
        )
        columns = []
        for each in series:
            own = {float(c.strike) for c in extra if (c.root, c.expiry) == (each.root, each.expiry)}
            columns.append(np.array(sorted({*strikes.tolist(), *own})))
        strike = np.concatenate(columns)
        bid, ask = self._option_prices(underlying, strike, at)
        index = np.repeat(np.arange(len(series)), [len(column) for column in columns])
        chain = OptionChain(
            underlying=underlying,
            series=tuple(series),
            series_index=index,
            strike=strike,
            bid=bid,
            ask=ask,
            quoted_at=at,
        )
        self._put_scripted(chain, at)
        return chain

    def _put_scripted(self, chain: OptionChain, at: datetime) -> None:
        for instrument in self.scripted:
            if isinstance(instrument, OptionContract) and instrument.underlying == chain.underlying:
                row = chain.find_row(instrument)
                quote = self.quote(instrument, at) or Quote(bid=0.0, ask=0.0)
                if row is not None:
                    column = 0 if instrument.right is Right.PUT else 1
                    chain.bid[row, column] = quote.bid
                    chain.ask[row, column] = quote.ask

    def _future_mid(self, contract: FutureContract, at: datetime) -> float:
        months = sum(expiry < contract.expiry for expiry in VIX_EXPIRIES)
        return round((self.vix(at) + 0.5 * (months + 1)) * 20) / 20

    def _future_quote(self, contract: FutureContract, at: datetime) -> Quote | None:
        if contract.expiry not in VIX_EXPIRIES:
            return None
        if at >= future_instants(contract.expiry, self.calendar).last_trade_at:
            return None
        mid = self._future_mid(contract, at)
        return Quote(bid=round(mid - 0.05, 2), ask=round(mid + 0.05, 2))

    def _futures(self, at: datetime) -> tuple[FutureQuote, ...]:
        quotes = []
        for expiry in VIX_EXPIRIES:
            contract = FutureContract("VX", expiry)
            terms = future_instants(expiry, self.calendar)
            if (quote := self.quote(contract, at)) is not None:
                quotes.append(
                    FutureQuote(
                        contract=contract,
                        bid=quote.bid,
                        ask=quote.ask,
                        prior_settle=quote.mid,
                        last_trade_at=terms.last_trade_at,
                        settles_at=terms.settles_at,
                        quoted_at=at,
                    )
                )
        return tuple(quotes)


_EXPIRIES = {
    "SPX": SPX_EXPIRIES,
    "SPXW": SPXW_EXPIRIES,
    "VIX": VIX_EXPIRIES,
    "VIXW": (),
}

CASH = Decimal(1_000_000)
CONDOR = (
    "+1 SPXW 06MAR20 3000 P, -1 SPXW 06MAR20 3050 P, -1 SPXW 06MAR20 3350 C, +1 SPXW 06MAR20 3400 C"
)
CONDOR_CLOSE = CONDOR.translate(str.maketrans("+-", "-+"))
CALL = "VIX 18MAR20 25 C"
VX = "VX 18MAR20"


def new_order(client_order_id: str, legs: str, quantity: int, limit: str) -> NewOrder:
    """Return an order; its legs are literals divided by commas."""
    return NewOrder(
        client_order_id=ClientOrderId(client_order_id),
        legs=tuple(leg(text.strip()) for text in legs.split(",")),
        quantity=quantity,
        limit_price=Decimal(limit),
    )


def open_exchange(market: ScriptedMarket | None = None, **changes: object) -> Exchange:
    """Return an exchange with a million dollars, on a quiet market unless told otherwise."""
    arguments = {"account_id": "SIM1", "starting_cash_usd": CASH, "seed": 7} | changes
    return Exchange(market or ScriptedMarket(), **arguments)


def restless_market() -> ScriptedMarket:
    """A market in which everything moves from one grid instant to the next."""

    def seconds(at: datetime) -> float:
        return (at - AT).total_seconds()

    return ScriptedMarket(
        spx=lambda at: 3200 + 40 * sin(seconds(at) / 9000) + 3 * sin(seconds(at) / 37),
        vix=lambda at: 17 - 2 * sin(seconds(at) / 9000) + 0.3 * sin(seconds(at) / 53),
    )
