"""Markets and books as large as one wants, for the benchmarks of a whole decision.

Real levels of one session, option values on the simulated exchange's surfaces, quotes with its
widths and ticks. What is made larger is the listing: as many SPX strikes of SPXW and SPX expiries
of the next half year as asked for, every 5 points around the money and every 25 beyond, and VIX
options on every VX future. The book is what so many entries and hedge purchases could have left.
"""

import math
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal

import numpy as np

from bot.calendars.build import build_calendar
from bot.exchange.listings import Listing, build_listing, spx_strikes
from bot.exchange.quoting import MarketState, spx_chain, vix_chain
from bot.exchange.spreads import future_quote
from bot.exchange.spx_surface import SpxSurface, VolLevels
from bot.history.store import History
from strategies.model.book import (
    Account,
    Book,
    CondorLegs,
    CondorPosition,
    HedgePosition,
)
from strategies.model.calendars import TradingCalendar, at_exchange
from strategies.model.expiries import series_instants, vx_expiries
from strategies.model.instruments import FutureContract, OptionContract, Right
from strategies.model.quotes import FutureQuote, IndexValue, OptionChain, to_price
from strategies.model.snapshots import DailyHistory, EventAhead, MarketQuotes, MarketSnapshot
from strategies.pricing.valuation import Valuer

SESSION = date(2024, 6, 3)  # a Monday; SPX expiries on every weekday
FUTURES = 9
_FINE, _COARSE = 5.0, 25.0  # strike steps
_COARSE_SHARE = 0.2  # of a series' strikes
_VIX_STRIKES = np.concatenate([np.arange(10, 25, 0.5), np.arange(25, 200, 2.5)])
_CONDOR_DAYS = (22, 47)
_FUTURES_HELD, _CALL_MONTHS = 4, 6
_MINUTES = 5  # between the markets of one seed


class LargeMarket:
    """Snapshots of one session with as many quotes as asked for, and books to go with them."""

    def __init__(self, history: History | None = None) -> None:
        self._source = history or History.bundled()
        self.calendar: TradingCalendar = build_calendar(date(2003, 1, 1), date(2026, 12, 31))
        self.history: DailyHistory = self._source.daily_history(SESSION)
        self.events: tuple[EventAhead, ...] | None = self._source.events_ahead(
            SESSION, self.calendar
        )
        self._levels = {
            name: float(self._source.daily(name).close_on(SESSION))
            for name in ("SPX", "VIX", "VVIX", "VIX9D", "VIX3M", "VIX6M")
        }
        self._curve = self._futures()

    def snapshot(
        self, *, spx_quotes: int, vix_quotes: int = 1000, number: int = 0, entry_due: bool = True
    ) -> MarketSnapshot:
        """Return a market; another ``number`` is another instant with other prices."""
        at = at_exchange(SESSION, time(10, 0)) + timedelta(minutes=_MINUTES * (number % 70))
        move = 0.002 * math.sin(1.7 * number)  # of SPX; VIX goes the other way
        spx, vix_factor = self._levels["SPX"] * (1.0 + move), math.exp(-4.0 * move)
        levels = VolLevels(
            vix9d=self._levels["VIX9D"] * vix_factor,
            vix=self._levels["VIX"] * vix_factor,
            vix3m=self._levels["VIX3M"] * vix_factor**0.6,
            vix6m=self._levels["VIX6M"] * vix_factor**0.45,
            vvix=self._levels["VVIX"],
        )
        state = MarketState(
            at=at,
            spx=spx,
            levels=levels,
            futures={day: value * vix_factor**0.5 for day, value in self._curve.items()},
            surface=SpxSurface(levels),
            rate=self._source.rate_on(SESSION),
        )
        values = {
            "SPX": spx,
            "VIX": levels.vix,
            "VVIX": levels.vvix,
            "VIX9D": levels.vix9d,
            "VIX3M": levels.vix3m,
            "VIX6M": levels.vix6m,
        }
        market = MarketQuotes(
            at=at,
            indices={name: IndexValue(value=each, quoted_at=at) for name, each in values.items()},
            futures=self._future_quotes(state),
            spx_options=spx_chain(self._spx_listing(spx_quotes // 2), state),
            vix_options=vix_chain(self._vix_listing(vix_quotes // 2), state),
            rate=state.rate,
        )
        assert 2 * len(market.spx_options.strike) == spx_quotes, "as many as asked for"
        return MarketSnapshot(
            session=SESSION,
            opens_at=self.calendar.opens_at(SESSION),
            closes_at=self.calendar.closes_at(SESSION),
            is_early_close=False,
            entry_due=entry_due,
            market=market,
            events=self.events,
            history=self.history,
        )

    def book(
        self, snapshot: MarketSnapshot, *, condors: int, lots: int, tested: bool = False
    ) -> Book:
        """Return a book of condors and of calls and futures.

        The condors are near their entry deltas; or, ``tested``, every other one has its puts and
        the rest their calls beyond C10's.
        """
        return Book(
            condors=_condors(snapshot, condors, tested=tested),
            hedges=_hedges(snapshot, lots),
            working=(),
            hedge_cost_365d_usd=Decimal(20_000),
        )

    def _futures(self) -> dict[date, float]:
        """Return the settlements of the nearest futures; months beyond the history's repeat it."""
        settled = dict(self._source.vx_contracts_on(SESSION))
        days = vx_expiries(
            SESSION + timedelta(days=1), SESSION + timedelta(days=300), self.calendar
        )
        farthest = settled[max(settled)]
        return {day: settled.get(day, farthest) for day in days[:FUTURES]}

    def _future_quotes(self, state: MarketState) -> tuple[FutureQuote, ...]:
        quotes = []
        for month, (day, value) in enumerate(state.futures.items(), start=1):
            instants = series_instants("VIX", day, self.calendar)
            bid, ask = future_quote(value, "VX", month, state.levels.vix)
            quotes.append(
                FutureQuote(
                    contract=FutureContract("VX", day),
                    bid=bid,
                    ask=ask,
                    prior_settle=self._curve[day],
                    last_trade_at=instants.last_trade_at,
                    settles_at=instants.settles_at,
                    quoted_at=state.at,
                )
            )
        return tuple(quotes)

    def _spx_listing(self, rows: int) -> Listing:
        close, vix = self._levels["SPX"], self._levels["VIX"]
        series = [each for each, _ in spx_strikes(SESSION, self.calendar, close, vix)]
        series = [each for each in series if each.expiry > SESSION]
        most = max(8, rows // 40)  # a small market has fewer expiries rather than no strikes
        series = series if len(series) <= most else _around_condors(series, most)
        counts = [rows // len(series) + (n < rows % len(series)) for n in range(len(series))]
        return build_listing(
            (each, _strikes(close, count)) for each, count in zip(series, counts, strict=True)
        )

    def _vix_listing(self, rows: int) -> Listing:
        days = list(self._curve)
        counts = [rows // len(days) + (n < rows % len(days)) for n in range(len(days))]
        return build_listing(
            (series_instants("VIX", day, self.calendar), _VIX_STRIKES[:count])
            for day, count in zip(days, counts, strict=True)
        )


def account() -> Account:
    """Return an account that carries the largest of these books."""
    return Account(
        net_liquidation_usd=Decimal(5_000_000),
        cash_usd=Decimal(4_800_000),
        initial_margin_usd=Decimal(300_000),
        maintenance_margin_usd=Decimal(280_000),
        excess_liquidity_usd=Decimal(4_720_000),
    )


def with_condors(book: Book, condors: int) -> Book:
    """Return the book with its first condors only."""
    return replace(book, condors=book.condors[:condors])


def own_history(history: DailyHistory) -> DailyHistory:
    """Return a copy of a history, about which nothing is remembered."""
    names = history.__dataclass_fields__
    return DailyHistory(**{name: getattr(history, name).copy() for name in names})


def _around_condors(series, most: int):
    """Return the expiries nearest to those that condors are opened in."""
    nearest = sorted(series, key=lambda each: abs((each.expiry - SESSION).days - 40))[:most]
    return sorted(nearest, key=lambda each: (each.expiry, each.root))


def _strikes(close: float, count: int) -> np.ndarray:
    """Return so many strikes: a fine grid around the money, a coarse one beyond."""
    coarse = int(_COARSE_SHARE * count)
    fine = count - coarse
    center = _FINE * round(close / _FINE)
    low = center - _FINE * round(0.62 * fine)  # more puts than calls
    high = low + _FINE * (fine - 1)
    puts = round(0.7 * coarse)
    below = _COARSE * (math.ceil(low / _COARSE) - 1) - _COARSE * np.arange(puts)
    above = _COARSE * (math.floor(high / _COARSE) + 1) + _COARSE * np.arange(coarse - puts)
    return np.concatenate([below, low + _FINE * np.arange(fine), above])


def _condors(
    snapshot: MarketSnapshot, count: int, *, tested: bool = False
) -> tuple[CondorPosition, ...]:
    """Return condors of 12 to 20 delta, 5 to 25 points wide, over the expiries that hold some.

    Tested ones have 30 to 42 delta on one side and 8 on the other.
    """
    chain = snapshot.market.spx_options
    valuer = Valuer(snapshot.market, SESSION)
    first, last = _CONDOR_DAYS
    series = [
        n
        for n, each in enumerate(chain.series)
        if each.root == "SPXW" and first <= (each.expiry - SESSION).days <= last
    ]
    spx = snapshot.market.indices["SPX"].value
    found: list[CondorPosition] = []
    for number in range(count):
        index = series[number % len(series)]
        values = valuer.options_in_series("SPX", index)
        step = ((number // len(series)) % 7) / 7
        near = far = 0.12 + 0.08 * step
        if tested:
            near, far = 0.30 + 0.12 * step, 0.08
        puts, calls = (near, far) if number % 2 else (far, near)
        put = int(np.abs(values.delta[:, 0] + puts).argmin())
        call = int(np.abs(values.delta[:, 1] - calls).argmin())
        wing = 1 + number % 5
        legs = _legs(chain, index, put - wing, put, call, call + wing)
        value = valuer.condor(legs)
        assert value is not None, "both wings are quoted"
        found.append(
            CondorPosition(
                condor_id=f"C{number + 1:04d}",
                legs=legs,
                quantity=1 + number % 3,
                entry_credit=to_price(round(max(value.mid_debit, 0.2) * 1.1, 2)),
                opened_at=snapshot.at - timedelta(days=14),
                entry_spot=spx * 0.99,
                entry_sigma_sqrt_t=0.045,
            )
        )
    return tuple(found)


def _legs(chain: OptionChain, series_index: int, *rows: int) -> CondorLegs:
    series, start = chain.series[series_index], chain.rows_of(series_index).start
    strikes = [Decimal(repr(float(chain.strike[start + row]))) for row in rows]
    rights = (Right.PUT, Right.PUT, Right.CALL, Right.CALL)
    long_put, short_put, short_call, long_call = (
        OptionContract(series.root, series.expiry, right, strike)
        for right, strike in zip(rights, strikes, strict=True)
    )
    return CondorLegs(
        long_put=long_put, short_put=short_put, short_call=short_call, long_call=long_call
    )


def _hedges(snapshot: MarketSnapshot, lots: int) -> tuple[HedgePosition, ...]:
    """Return futures of the first months, then calls of the first six, a few contracts each."""
    futures = [each.contract for each in snapshot.market.futures]
    strikes = (14, 15, 16, 17, 18, 19, 20, 21, 22, 24)
    calls = [
        OptionContract("VIX", future.expiry, Right.CALL, Decimal(strike))
        for strike in strikes
        for future in futures[:_CALL_MONTHS]
    ]
    held = [_lot(future, 1, "15.00", snapshot.at) for future in futures[:_FUTURES_HELD]]
    held += [_lot(call, 1 + n % 4, "1.10", snapshot.at) for n, call in enumerate(calls)]
    assert len(held) >= lots, "that many strikes and months"
    return tuple(held[:lots])


def _lot(instrument, contracts: int, cost: str, at: datetime) -> HedgePosition:
    return HedgePosition(
        instrument=instrument,
        net_contracts=contracts,
        average_cost=Decimal(cost),
        opened_on=at.date() - timedelta(days=10),
    )
