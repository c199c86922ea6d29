"""Snapshots for signals: whole histories in columns, live values, and no option chains."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import date, datetime, timedelta

import numpy as np

from strategies.model.calendars import EXCHANGE_ZONE
from strategies.model.memory import Curve, Memory, RegimeMemory
from strategies.model.quotes import FloatArray, IndexValue, OptionChain
from strategies.model.snapshots import (
    DailyHistory,
    EventAhead,
    EventKind,
    MarketQuotes,
    MarketSnapshot,
)
from strategies.signals.readings import Signals
from tests.builders import instant, vx_futures

AT = instant("2020-02-03 10:00")
TODAY = AT.date()
VX1_EXPIRY, VX2_EXPIRY = date(2020, 2, 19), date(2020, 3, 18)
NO_EVENT_SOON = tuple(
    EventAhead(kind=kind, day=date(2020, 3, 2), trading_days=20) for kind in EventKind
)


def weekdays_before(day: date, count: int) -> np.ndarray:
    """The last ``count`` weekdays before ``day``, ascending."""
    first = np.busday_offset(np.datetime64(day), -count, roll="forward")
    return np.array([np.busday_offset(first, n) for n in range(count)], dtype="datetime64[D]")


def wavy(count: int, level: float, width: float, period: float = 6.0) -> FloatArray:
    """A calm series around a level."""
    return level + width * np.sin(np.arange(count) / period)


def random_history(seed: int = 1, bars: int = 420, before: date = TODAY) -> DailyHistory:
    """Bars of a plausible market, the same for the same seed: rolls, noise, no gaps."""
    generator = np.random.default_rng(seed)
    returns = generator.normal(0.0003, 0.01, bars)
    vix = 16 * np.exp(np.clip(np.cumsum(-4 * returns + generator.normal(0, 0.02, bars)), -0.6, 1.5))
    vx1 = 0.6 * vix + 7 + generator.normal(0, 0.2, bars)
    vx2 = 0.4 * vix + 10.5 + generator.normal(0, 0.2, bars)
    return DailyHistory(
        session=weekdays_before(before, bars),
        spx_close=3200 * np.exp(np.cumsum(returns)),
        vix_close=vix,
        vvix_close=90 + vix * 0.5 + generator.normal(0, 2, bars),
        vx1_settle=vx1,
        vx2_settle=vx2,
        vx2_days=days_to_vx2(bars),
        net_breadth=np.clip(returns * 30 + generator.normal(0, 0.1, bars), -1, 1),
        skew_close=130 + generator.normal(0, 5, bars),
        cor1m_close=20 + 0.5 * vix + generator.normal(0, 1, bars),
        credit_spread=2 + 0.02 * vix + generator.normal(0, 0.05, bars),
        vix_call_volume=generator.integers(100_000, 900_000, bars).astype(np.float64),
        vix_put_volume=generator.integers(50_000, 500_000, bars).astype(np.float64),
        is_fomc=(np.arange(bars) % 31 == 7).astype(np.float64),
        is_cpi=(np.arange(bars) % 21 == 3).astype(np.float64),
        is_ppi=(np.arange(bars) % 21 == 4).astype(np.float64),
    )


def days_to_vx2(bars: int, last: int = 45) -> FloatArray:
    """Days to VX2's expiry that count down and jump up by 28 when VX1 expires."""
    days = last + np.arange(bars)[::-1] * 7 // 5
    return (29.0 + (days - 29) % 28).astype(np.float64)


def with_columns(history: DailyHistory, **columns: FloatArray) -> DailyHistory:
    """The same bars with other columns; a shorter one replaces the newest values."""
    values = {entry.name: getattr(history, entry.name).copy() for entry in fields(history)}
    for name, column in columns.items():
        given = np.asarray(column, dtype=np.float64)
        values[name][len(values[name]) - len(given) :] = given
    return DailyHistory(**values)


def cut(history: DailyHistory, bars: slice) -> DailyHistory:
    """Some of the bars."""
    return DailyHistory(**{e.name: getattr(history, e.name)[bars] for e in fields(history)})


def no_options(underlying: str, at: datetime) -> OptionChain:
    """A chain of nothing."""
    return OptionChain(
        underlying=underlying,
        series=(),
        series_index=np.empty(0, dtype=np.int64),
        strike=np.empty(0),
        bid=np.empty((0, 2)),
        ask=np.empty((0, 2)),
        quoted_at=at,
    )


def snapshot(
    history: DailyHistory | None = None,
    *,
    at: datetime = AT,
    spx: float | None = 3250.0,
    vix: float | None = 16.0,
    vvix: float | None = 95.0,
    curve: Mapping[date, float] | None = None,
    vx1: float = 16.5,
    vx2: float = 17.0,
    age: timedelta = timedelta(0),
    futures_age: timedelta | None = None,
    events: tuple[EventAhead, ...] | None = NO_EVENT_SOON,
) -> MarketSnapshot:
    """A snapshot with the given live values; None = not quoted."""
    quoted_at = at - age
    session = at.astimezone(EXCHANGE_ZONE).date()
    indices = {
        name: IndexValue(value=value, quoted_at=quoted_at)
        for name, value in {"SPX": spx, "VIX": vix, "VVIX": vvix}.items()
        if value is not None
    }
    futures_at = at - (age if futures_age is None else futures_age)
    return MarketSnapshot(
        session=session,
        opens_at=instant(f"{session} 09:30"),
        closes_at=instant(f"{session} 16:15"),
        is_early_close=False,
        entry_due=False,
        market=MarketQuotes(
            at=at,
            indices=indices,
            futures=vx_futures(
                at=futures_at,
                curve={VX1_EXPIRY: vx1, VX2_EXPIRY: vx2} if curve is None else curve,
            ),
            spx_options=no_options("SPX", at),
            vix_options=no_options("VIX", at),
            rate=0.015,
        ),
        events=events,
        history=random_history() if history is None else history,
    )


def signals(**given) -> Signals:
    """Signals that are all absent but the given ones."""
    absent = dict.fromkeys(entry.name for entry in fields(Signals))
    return Signals(**(absent | {"values": {}, "missing": ()} | given))


def remembered(
    curve: Curve = Curve.CONTANGO, *, session: date | None = TODAY, latch: bool = False, **regime
) -> Memory:
    """A memory of an earlier call of today's session, or of another one."""
    return Memory(session=session, rsi_vix_high=latch, regime=RegimeMemory(curve=curve, **regime))
