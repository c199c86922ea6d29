"""When contracts settle and futures are marked, and to how many decimals.

Source: Cboe and CFE specifications as collected in ``docs/market.md``.
"""

from bisect import bisect_right
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_EVEN, Decimal
from typing import NamedTuple

from strategies.model.calendars import TradingCalendar, at_exchange
from strategies.model.expiries import future_instants, series_instants
from strategies.model.instruments import Instrument, OptionContract, Right

_VARIATION = time(16, 0)  # 15:00 Chicago
_VARIATION_EARLY = time(13, 15)  # CFE closes at 12:15 Chicago
_SETTLEMENT_TICK = Decimal("0.01")
_DAILY_SETTLE_TICK = Decimal("0.0001")  # VX daily settlements are averages


class Instants(NamedTuple):
    """The two instants that matter of a contract, in UTC."""

    last_trade_at: datetime  # from here on it no longer trades
    settles_at: datetime  # here it becomes cash


def instants_of(instrument: Instrument, calendar: TradingCalendar) -> Instants:
    """Return when an instrument stops trading and when it settles.

    Raises: InvalidInstrument if it expires on no session, MissingData past the calendar's end.
    """
    terms = (
        series_instants(instrument.root, instrument.expiry, calendar)
        if isinstance(instrument, OptionContract)
        else future_instants(instrument.expiry, calendar)
    )
    return Instants(terms.last_trade_at.astimezone(UTC), terms.settles_at.astimezone(UTC))


def variation_at(session: date, calendar: TradingCalendar) -> datetime:
    """Return the instant at which futures are marked to the daily settlement, in UTC."""
    early = session in calendar.early_closes
    return at_exchange(session, _VARIATION_EARLY if early else _VARIATION).astimezone(UTC)


def final_value(points: float) -> Decimal:
    """Return a settlement value, published to the cent."""
    return _rounded(points, _SETTLEMENT_TICK)


def daily_value(points: float) -> Decimal:
    """Return a daily settlement of a future, published to the hundredth of a cent."""
    return _rounded(points, _DAILY_SETTLE_TICK)


def intrinsic(option: OptionContract, settlement: Decimal) -> Decimal:
    """Return what one option is worth at a settlement value, index points, never negative."""
    sign = 1 if option.right is Right.CALL else -1
    return max(Decimal(0), sign * (settlement - option.strike))


def _rounded(points: float, tick: Decimal) -> Decimal:
    return Decimal(repr(float(points))).quantize(tick, ROUND_HALF_EVEN)


class SessionPhases:
    """The instants at which something happens by itself, over a range of sessions."""

    def __init__(self, calendar: TradingCalendar, first: date, last: date) -> None:
        sessions = calendar.sessions_between(first, last)
        assert sessions, "a market has sessions"
        self._sessions = sessions
        self._opens = [calendar.opens_at(day).astimezone(UTC) for day in sessions]
        self._closes = [calendar.closes_at(day).astimezone(UTC) for day in sessions]
        self._variations = {variation_at(day, calendar): day for day in sessions}
        equities = [calendar.equities_close_at(day).astimezone(UTC) for day in sessions]
        self._instants = sorted({*self._opens, *equities, *self._variations})
        self._is_phase = frozenset(self._instants)

    def __contains__(self, at: datetime) -> bool:
        return at in self._is_phase

    def after(self, at: datetime) -> datetime | None:
        """Return the next opening, expiry or daily settlement after ``at``."""
        index = bisect_right(self._instants, at)
        return self._instants[index] if index < len(self._instants) else None

    def variation_session(self, at: datetime) -> date | None:
        """Return the session whose futures are marked at exactly ``at``."""
        return self._variations.get(at)

    def trading_session(self, at: datetime) -> date | None:
        """Return the session that is open at ``at``; the closing instant is no longer open."""
        index = bisect_right(self._opens, at) - 1
        return self._sessions[index] if index >= 0 and at < self._closes[index] else None

    def next_open(self, at: datetime) -> datetime | None:
        """Return when the next session after ``at`` opens; None after the last one."""
        index = bisect_right(self._opens, at)
        return self._opens[index] if index < len(self._opens) else None

    def marking_instant(self, at: datetime) -> datetime | None:
        """Return ``at`` in session hours, else the last close before it; None before them all."""
        index = bisect_right(self._opens, at) - 1
        return min(at, self._closes[index]) if index >= 0 else None
