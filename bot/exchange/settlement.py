"""When contracts stop trading and settle, and what they settle to.

Source: Cboe and CFE specifications as collected in ``docs/market.md``: SPXW settles to the close it
expires on, SPX to the opening (SET), VIX options and futures to the VIX opening (VRO).
"""

from bisect import bisect_right
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_EVEN, Decimal

from strategies.model.calendars import EQUITIES_CLOSE, OPTIONS_OPEN, TradingCalendar, at_exchange
from strategies.model.instruments import Instrument, OptionContract, Right, Settlement

FUTURE_LAST_TRADE = time(9, 0)  # 08:00 Chicago on the final settlement date
_VARIATION = time(16, 0)  # 15:00 Chicago
_VARIATION_EARLY = time(13, 15)  # CFE closes at 12:15 Chicago
_SETTLEMENT_TICK = Decimal("0.01")
_DAILY_SETTLE_TICK = Decimal("0.0001")  # VX daily settlements are averages


def last_trade_at(instrument: Instrument, calendar: TradingCalendar) -> datetime:
    """Return the instant from which an instrument no longer trades, in UTC.

    Raises: MissingData if the calendar ends before a session that matters.
    """
    if not isinstance(instrument, OptionContract):
        return at_exchange(instrument.expiry, FUTURE_LAST_TRADE).astimezone(UTC)
    if instrument.settlement is Settlement.PM:
        return settles_at(instrument, calendar)
    return calendar.closes_at(calendar.previous_session(instrument.expiry)).astimezone(UTC)


def settles_at(instrument: Instrument, calendar: TradingCalendar) -> datetime:
    """Return the instant at which an instrument becomes cash, in UTC."""
    expiry = instrument.expiry
    if not isinstance(instrument, OptionContract) or instrument.settlement is Settlement.AM:
        return at_exchange(expiry, OPTIONS_OPEN).astimezone(UTC)
    if expiry in calendar.early_closes:
        return calendar.equities_close_at(expiry).astimezone(UTC)
    return at_exchange(expiry, EQUITIES_CLOSE).astimezone(UTC)


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

    def marking_instant(self, at: datetime) -> datetime | None:
        """Return ``at`` in session hours, else the last close before it; None before them all."""
        index = bisect_right(self._opens, at) - 1
        return min(at, self._closes[index]) if index >= 0 else None
