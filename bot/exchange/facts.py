"""What is known of a session before its paths are drawn: real bars, settlements and the rate."""

import math
from dataclasses import dataclass
from datetime import date
from typing import Final, Protocol

from bot.errors import MarketDataMissing
from bot.exchange.paths import Bar, clean_bar
from bot.exchange.residuals import ELASTICITIES
from bot.history.store import DailySeries
from strategies.model.errors import MissingData
from strategies.model.snapshots import DailyHistory

_REQUIRED: Final = ("SPX", "VIX", "VVIX", "VIX3M")
_FUTURES_LEAST: Final = 2
_FAR_AWAY: Final = 2.0  # an unknown range reaches from half of both ends to twice


class DailySource(Protocol):
    """A daily history to replay: the bundled one, or an invented one."""

    def daily(self, name: str) -> DailySeries:
        """Return SPX, VIX, VVIX, VIX9D, VIX3M or VIX6M."""
        ...

    def find(self, name: str) -> DailySeries | None:
        """Return an index by name, or None if there is none."""
        ...

    def vx_contracts_on(self, session: date) -> tuple[tuple[date, float], ...]:
        """Return (expiry, settlement) of every monthly VX that expires after ``session``."""
        ...

    def final_settlement(self, expiry: date) -> float | None:
        """Return the final settlement of the monthly VX expiring on ``expiry``, if known."""
        ...

    def rate_on(self, session: date) -> float:
        """Return the continuously compounded rate of a session; raises MissingData."""
        ...

    def daily_history(self, before: date) -> DailyHistory:
        """Return completed daily bars strictly before a date."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FutureDay:
    """One VX future's day."""

    expiry: date
    settle_before: float
    settle: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFacts:
    """Everything the paths of one session must agree with."""

    session: date
    spx: Bar
    vix: Bar
    followers: dict[str, Bar]  # VVIX and VIX3M always, VIX9D and VIX6M where they exist
    spx_before: float  # close of the session before
    vix_before: float
    futures: tuple[FutureDay, ...]  # ascending by expiry
    rate: float  # continuously compounded, decimal per year


def read_facts(source: DailySource, session: date, before: date) -> SessionFacts:
    """Return the facts of a session.

    Args:
        source: The history.
        session: The day itself.
        before: The session before it.

    Raises: MarketDataMissing naming the day and the series that is absent.
    """
    for day in (before, session):
        for name in _REQUIRED:
            if source.daily(name).close_on(day) is None:
                raise MarketDataMissing(f"{name} has no value on {day}")
    vix = _bar(source.daily("VIX"), session)
    vix_before = _close(source, "VIX", before)
    followers = {
        name: _follower_bar(source.daily(name), session, before, vix, vix_before, elasticity)
        for name, elasticity in ELASTICITIES.items()
        if source.daily(name).close_on(session) is not None
    }
    try:
        rate = source.rate_on(session)
    except MissingData as cause:
        raise MarketDataMissing(f"RATE has no value before {session}") from cause
    return SessionFacts(
        session=session,
        spx=_bar(source.daily("SPX"), session),
        vix=vix,
        followers=followers,
        spx_before=_close(source, "SPX", before),
        vix_before=vix_before,
        futures=_futures(source, session, before),
        rate=rate,
    )


def _futures(source: DailySource, session: date, before: date) -> tuple[FutureDay, ...]:
    """Return the futures that settled on both days; one listed today trades from tomorrow."""
    settled_before = dict(source.vx_contracts_on(before))
    futures = tuple(
        FutureDay(expiry=expiry, settle_before=settled_before[expiry], settle=settle)
        for expiry, settle in source.vx_contracts_on(session)
        if expiry in settled_before and math.isfinite(settle + settled_before[expiry])
    )
    if len(futures) < _FUTURES_LEAST:
        raise MarketDataMissing(
            f"VX has {len(futures)} futures settled on both {before} and {session}; "
            f"{_FUTURES_LEAST} are needed"
        )
    return futures


def _close(source: DailySource, name: str, session: date) -> float:
    close = source.daily(name).close_on(session)
    assert close is not None, f"{name} on {session} was checked"
    return close


def _row(series: DailySeries, session: date) -> tuple[float, float, float, float]:
    row = series.rows_before(session)
    columns = (series.open, series.high, series.low, series.close)
    open_, high, low, close = (float(column[row]) for column in columns)
    return open_, high, low, close


def _bar(series: DailySeries, session: date) -> Bar:
    return clean_bar(*_row(series, session))


def _follower_bar(
    series: DailySeries, session: date, before: date, vix: Bar, vix_before: float, elasticity: float
) -> Bar:
    """Return an index's bar; what its vendor left out follows from the VIX of the day."""
    open_, high, low, close = _row(series, session)
    if not math.isfinite(open_):
        # only what VIX says: any share of the rest would give the close away at the open
        previous = series.close_on(before) or close
        open_ = previous * math.exp(elasticity * math.log(vix.open / vix_before))
    if not math.isfinite(high + low):
        low, high = min(open_, close) / _FAR_AWAY, max(open_, close) * _FAR_AWAY
    return clean_bar(open_, high, low, close)
