"""Domain values from short literals, and whole markets from a forward, a vol and a spread.

Instruments, legs and quotes are round-trip literals: ``str(option("SPXW 18DEC26 5800 P"))`` is the
text again. Chains are priced with Black-76, so a test knows the vol behind every quote.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal

import numpy as np

from strategies.model.book import (
    Account,
    Book,
    CondorLegs,
    CondorPosition,
    HedgePosition,
    WorkingOrder,
)
from strategies.model.calendars import EXCHANGE_ZONE, TradingCalendar, at_exchange
from strategies.model.instruments import (
    ROOTS,
    FutureContract,
    Instrument,
    OptionContract,
    Right,
    Settlement,
)
from strategies.model.orders import Leg
from strategies.model.quotes import (
    FloatArray,
    FutureQuote,
    IndexValue,
    OptionChain,
    Quote,
    Series,
)
from strategies.model.snapshots import (
    DailyHistory,
    EventAhead,
    FactorSeries,
    MarketQuotes,
    MarketSnapshot,
)
from strategies.pricing import black76

VolFunction = Callable[[FloatArray, float, float], FloatArray]  # (strike, forward, t_years) -> vol
Spread = float | Callable[[FloatArray], FloatArray]  # points, or a function of the mid

# A quiet Monday morning; VIX futures of the four months after it
AT = datetime(2020, 2, 3, 10, 0, tzinfo=EXCHANGE_ZONE)
TODAY = AT.date()
_WEEK_AGO = TODAY - timedelta(days=7)
VX_CURVE = {
    date(2020, 2, 19): 16.5,
    date(2020, 3, 18): 17.0,
    date(2020, 4, 15): 17.4,
    date(2020, 5, 20): 17.6,
    date(2020, 6, 17): 17.7,
    date(2020, 7, 22): 17.9,
}


# --- literals -----------------------------------------------------------------------------------


def instant(text: str) -> datetime:
    """Return a New York wall-clock time: ``instant("2020-02-03 10:00")``."""
    return datetime.fromisoformat(text).replace(tzinfo=EXCHANGE_ZONE)


def _day(text: str) -> date:
    return datetime.strptime(text, "%d%b%y").date()  # noqa: DTZ007 a date, no zone


def option(text: str) -> OptionContract:
    """Return the option of ``"SPXW 18DEC26 5800 P"``."""
    root, expiry, strike, right = text.split()
    return OptionContract(root, _day(expiry), Right(right), Decimal(strike))


def future(text: str) -> FutureContract:
    """Return the future of ``"VX 15APR20"``."""
    root, expiry = text.split()
    return FutureContract(root, _day(expiry))


def instrument(text: str) -> Instrument:
    """Return the option or future of a literal, by its root."""
    return option(text) if ROOTS[text.split()[0]].is_option else future(text)


def leg(text: str) -> Leg:
    """Return the leg of ``"-1 SPXW 18DEC26 5800 P"``; without a ratio it is +1."""
    first, _, rest = text.partition(" ")
    if first.lstrip("+-").isdigit():
        return Leg(instrument=instrument(rest), ratio=int(first))
    return Leg(instrument=instrument(text), ratio=1)


def quote(text: str) -> Quote:
    """Return the quote of ``"12.30 x 12.40"``."""
    bid, ask = text.split(" x ")
    return Quote(bid=float(bid), ask=float(ask))


def condor_legs(text: str) -> CondorLegs:
    """Return the legs of ``"SPXW 18DEC26 6100/6150/7050/7100"``, strikes ascending."""
    root, expiry, strikes = text.split()
    low_put, put, call, high_call = (Decimal(strike) for strike in strikes.split("/"))
    day = _day(expiry)
    return CondorLegs(
        long_put=OptionContract(root, day, Right.PUT, low_put),
        short_put=OptionContract(root, day, Right.PUT, put),
        short_call=OptionContract(root, day, Right.CALL, call),
        long_call=OptionContract(root, day, Right.CALL, high_call),
    )


# --- calendars and series -----------------------------------------------------------------------


def weekday_calendar(
    first: date,
    last: date,
    *,
    holidays: Iterable[date] = (),
    early_closes: Iterable[date] = (),
) -> TradingCalendar:
    """Return a calendar of every weekday from ``first`` to ``last`` but the holidays."""
    closed = set(holidays)
    days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    saturday = 5
    return TradingCalendar(
        sessions=tuple(day for day in days if day.weekday() < saturday and day not in closed),
        early_closes=frozenset(early_closes),
    )


def _weekday_before(day: date) -> date:
    back = {0: 3, 6: 2}.get(day.weekday(), 1)
    return day - timedelta(days=back)


def option_series(root: str, expiry: date) -> Series:
    """Return a series with its usual instants; the weekday before counts as the session before."""
    if ROOTS[root].settlement is Settlement.PM:
        close = at_exchange(expiry, time(16))
        return Series(root=root, expiry=expiry, last_trade_at=close, settles_at=close)
    return Series(
        root=root,
        expiry=expiry,
        last_trade_at=at_exchange(_weekday_before(expiry), time(16, 15)),
        settles_at=at_exchange(expiry, time(9, 30)),
    )


# --- vols ---------------------------------------------------------------------------------------


def flat_vol(vol: float) -> VolFunction:
    """Return a vol function that is the same everywhere."""
    return lambda strike, forward, t_years: np.full_like(strike, vol)


def skewed_vol(atm: float, slope: float = -0.18, curvature: float = 0.02) -> VolFunction:
    """Return ``atm (1 + slope z + curvature z^2)``, z = ln(K/F) / (atm sqrt T) kept within 4."""

    def vol(strike: FloatArray, forward: float, t_years: float) -> FloatArray:
        z = np.clip(np.log(strike / forward) / (atm * math.sqrt(t_years)), -4.0, 4.0)
        smile: FloatArray = atm * (1.0 + slope * z + curvature * z * z)
        return smile

    return vol


def _spx_spread(mid: FloatArray) -> FloatArray:
    return np.maximum(0.10, 0.02 * mid)


def _vix_spread(mid: FloatArray) -> FloatArray:
    return np.maximum(0.02, 0.04 * mid)


# --- chains, futures, markets -------------------------------------------------------------------


def option_chain(
    underlying: str,
    series: Sequence[Series],
    *,
    at: datetime,
    forwards: Sequence[float],
    strikes: Sequence[FloatArray],
    vol: VolFunction,
    spread: Spread,
    rate: float = 0.015,
    tick: float = 0.0,
) -> OptionChain:
    """Return a chain quoted around Black-76 values.

    Bids are rounded down and offers up to ``tick`` (0 = exact); a bid below 0 becomes "no bid".
    """
    index = np.concatenate([np.full(len(k), n, dtype=np.int64) for n, k in enumerate(strikes)])
    strike = np.concatenate(strikes).astype(np.float64)
    mids = []
    for each, forward, column in zip(series, forwards, strikes, strict=True):
        t_years = each.years_from(at)
        discount = math.exp(-rate * t_years)
        sigma = vol(column.astype(np.float64), forward, t_years)
        pair = [
            black76.price(forward, column, t_years, sigma, discount, is_call)
            for is_call in (False, True)
        ]
        mids.append(np.stack(pair, axis=1))
    mid = np.concatenate(mids)
    half = (spread(mid) if callable(spread) else np.full_like(mid, spread)) / 2
    bid, ask = np.maximum(mid - half, 0.0), mid + half
    if tick:
        bid = np.round(np.floor(bid / tick + 1e-9) * tick, 6)
        ask = np.round(np.ceil(ask / tick - 1e-9) * tick, 6)
    return OptionChain(
        underlying=underlying,
        series=tuple(series),
        series_index=index,
        strike=strike,
        bid=bid,
        ask=ask,
        quoted_at=at,
    )


def spx_chain(
    *,
    at: datetime = AT,
    spot: float = 3250.0,
    days: Sequence[int] = (7, 14, 21, 32, 46, 60, 74),
    root: str = "SPXW",
    strikes: FloatArray | None = None,
    vol: VolFunction | None = None,
    spread: Spread = _spx_spread,
    rate: float = 0.015,
    tick: float = 0.05,
) -> OptionChain:
    """Return an SPX chain whose series expire so many calendar days after ``at``.

    The forward of every series is ``spot`` (dividends eat the carry). Strikes default to every 5
    points from 20 % below to 12 % above.
    """
    series = [option_series(root, at.date() + timedelta(days=n)) for n in days]
    if strikes is None:
        strikes = np.arange(round(0.8 * spot / 5) * 5, 1.12 * spot, 5.0)
    return option_chain(
        "SPX",
        series,
        at=at,
        forwards=[spot] * len(series),
        strikes=[strikes] * len(series),
        vol=vol or skewed_vol(0.15),
        spread=spread,
        rate=rate,
        tick=tick,
    )


def vix_chain(
    *,
    at: datetime = AT,
    curve: Mapping[date, float] = VX_CURVE,
    strikes: FloatArray | None = None,
    vol: VolFunction | None = None,
    spread: Spread = _vix_spread,
    rate: float = 0.015,
    tick: float = 0.01,
) -> OptionChain:
    """Return a VIX chain with one monthly series per future of ``curve``, calls dearer upward."""
    if strikes is None:
        strikes = np.concatenate(
            [np.arange(10, 25, 0.5), np.arange(25, 50, 2.5), np.arange(50, 91, 5.0)]
        )
    days = sorted(curve)
    return option_chain(
        "VIX",
        [option_series("VIX", day) for day in days],
        at=at,
        forwards=[curve[day] for day in days],
        strikes=[strikes] * len(days),
        vol=vol or skewed_vol(0.85, slope=0.15, curvature=0.0),
        spread=spread,
        rate=rate,
        tick=tick,
    )


def vx_futures(
    *,
    at: datetime = AT,
    curve: Mapping[date, float] = VX_CURVE,
    spread: float = 0.05,
    roots: Sequence[str] = ("VX", "VXM"),
) -> tuple[FutureQuote, ...]:
    """Return the quotes of every root for every expiry of ``curve``, ascending."""
    return tuple(
        FutureQuote(
            contract=FutureContract(root, expiry),
            bid=curve[expiry] - spread / 2,
            ask=curve[expiry] + spread / 2,
            prior_settle=curve[expiry],
            last_trade_at=at_exchange(expiry, time(9)),
            settles_at=at_exchange(expiry, time(9, 30)),
            quoted_at=at,
        )
        for expiry in sorted(curve)
        for root in sorted(roots)
    )


def index_values(
    at: datetime = AT,
    *,
    spx: float = 3250.0,
    vix: float = 16.0,
    vvix: float = 95.0,
    vix9d: float = 15.5,
    vix3m: float = 17.2,
    vix6m: float = 18.0,
) -> dict[str, IndexValue]:
    """Return index prints, all taken at ``at``."""
    values = {"SPX": spx, "VIX": vix, "VVIX": vvix, "VIX9D": vix9d, "VIX3M": vix3m, "VIX6M": vix6m}
    return {name: IndexValue(value=value, quoted_at=at) for name, value in values.items()}


def market_quotes(
    *,
    at: datetime = AT,
    spx: float = 3250.0,
    vix: float = 16.0,
    curve: Mapping[date, float] = VX_CURVE,
    rate: float = 0.015,
    spx_vol: VolFunction | None = None,
    vix_vol: VolFunction | None = None,
    spx_options: OptionChain | None = None,
    vix_options: OptionChain | None = None,
    futures: tuple[FutureQuote, ...] | None = None,
    indices: dict[str, IndexValue] | None = None,
) -> MarketQuotes:
    """Return a whole market around an SPX level, a VIX level and a VX curve."""
    return MarketQuotes(
        at=at,
        indices=index_values(at, spx=spx, vix=vix) if indices is None else indices,
        futures=vx_futures(at=at, curve=curve) if futures is None else futures,
        spx_options=(
            spx_chain(at=at, spot=spx, vol=spx_vol, rate=rate)
            if spx_options is None
            else spx_options
        ),
        vix_options=(
            vix_chain(at=at, curve=curve, vol=vix_vol, rate=rate)
            if vix_options is None
            else vix_options
        ),
        rate=rate,
    )


def daily_history(
    *,
    before: date = TODAY,
    sessions: int = 300,
    spx: Sequence[float] | FloatArray | None = None,
    vix: Sequence[float] | FloatArray | None = None,
    vvix: Sequence[float] | FloatArray | None = None,
    vx1: Sequence[float] | FloatArray | None = None,
    vx2: Sequence[float] | FloatArray | None = None,
    breadth: Sequence[float] | FloatArray | None = None,
) -> DailyHistory:
    """Return weekday bars that end before ``before``; a column not given drifts quietly.

    A given column may be shorter than ``sessions``; it is then the newest part and the oldest
    value is repeated in front of it.
    """
    days: list[date] = []
    day = before
    for _ in range(sessions):
        day = _weekday_before(day)
        days.append(day)
    step = np.arange(sessions)

    def column(given: Sequence[float] | FloatArray | None, default: FloatArray) -> FloatArray:
        if given is None:
            return default.astype(np.float64)
        values = np.asarray(given, dtype=np.float64)
        missing = sessions - len(values)
        return np.concatenate([np.full(max(missing, 0), values[0]), values[-sessions:]])

    wiggle = np.sin(step / 3.0)
    return DailyHistory(
        session=np.array(days[::-1], dtype="datetime64[D]"),
        spx_close=column(spx, 3250.0 * np.exp(0.0004 * (step - sessions) + 0.004 * wiggle)),
        vix_close=column(vix, 15.5 - 0.5 * wiggle),
        vvix_close=column(vvix, 95.0 - 2.0 * wiggle),
        vx1_settle=column(vx1, 16.5 - 0.3 * wiggle),
        vx2_settle=column(vx2, 17.0 - 0.2 * wiggle),
        vx2_days=np.full(sessions, 45.0),
        net_breadth=column(breadth, 0.1 * wiggle + 0.02),
    )


def market_snapshot(
    *,
    market: MarketQuotes | None = None,
    history: DailyHistory | None = None,
    entry_due: bool = True,
    is_early_close: bool = False,
    events: tuple[EventAhead, ...] | None = (),
    factors: tuple[FactorSeries, ...] = (),
) -> MarketSnapshot:
    """Return a snapshot of one interval; the session is the day of the market's instant."""
    market = market or market_quotes()
    session = market.at.astimezone(EXCHANGE_ZONE).date()
    calendar = TradingCalendar(
        sessions=(session,), early_closes=frozenset({session} if is_early_close else ())
    )
    return MarketSnapshot(
        session=session,
        opens_at=calendar.opens_at(session),
        closes_at=calendar.closes_at(session),
        is_early_close=is_early_close,
        entry_due=entry_due,
        market=market,
        events=events,
        history=history or daily_history(before=session),
        factors=factors,
    )


# --- books --------------------------------------------------------------------------------------


def condor_position(
    legs: CondorLegs | str,
    *,
    condor_id: str = "C0001",
    quantity: int = 1,
    credit: str = "1.00",
    opened_at: datetime = AT,
    spot: float = 3250.0,
    sigma_sqrt_t: float = 0.05,
) -> CondorPosition:
    """Return an open condor; ``legs`` may be a literal of ``condor_legs``."""
    return CondorPosition(
        condor_id=condor_id,
        legs=condor_legs(legs) if isinstance(legs, str) else legs,
        quantity=quantity,
        entry_credit=Decimal(credit),
        opened_at=opened_at,
        entry_spot=spot,
        entry_sigma_sqrt_t=sigma_sqrt_t,
    )


def hedge_position(
    text: str, net_contracts: int, *, cost: str = "1.00", opened_on: date = _WEEK_AGO
) -> HedgePosition:
    """Return a hedge of a week ago: ``hedge_position("VIX 18MAR20 25 C", 10)``."""
    return HedgePosition(
        instrument=instrument(text),
        net_contracts=net_contracts,
        average_cost=Decimal(cost),
        opened_on=opened_on,
    )


def book(
    *,
    condors: Sequence[CondorPosition] = (),
    hedges: Sequence[HedgePosition] = (),
    working: Sequence[WorkingOrder] = (),
    hedge_cost_365d_usd: str = "0",
) -> Book:
    """Return a book; empty unless told otherwise."""
    return Book(
        condors=tuple(condors),
        hedges=tuple(hedges),
        working=tuple(working),
        hedge_cost_365d_usd=Decimal(hedge_cost_365d_usd),
    )


def account(
    net_liquidation: str = "1000000",
    *,
    cash: str | None = None,
    initial_margin: str = "0",
    maintenance_margin: str = "0",
) -> Account:
    """Return an account; excess liquidity is what maintenance margin leaves."""
    liquidation = Decimal(net_liquidation)
    return Account(
        net_liquidation_usd=liquidation,
        cash_usd=liquidation if cash is None else Decimal(cash),
        initial_margin_usd=Decimal(initial_margin),
        maintenance_margin_usd=Decimal(maintenance_margin),
        excess_liquidity_usd=liquidation - Decimal(maintenance_margin),
    )
