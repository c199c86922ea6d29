"""Does the market trade, and does the contract still: sessions and last trades (I22)."""

from datetime import datetime

from strategies.model.calendars import EXCHANGE_ZONE, TradingCalendar, at_exchange
from strategies.model.errors import MissingData
from strategies.model.expiries import VX_LAST_TRADE
from strategies.model.instruments import ROOTS, FutureContract, Instrument, Settlement
from strategies.risk.checks.request import RefusalReason, Request, Verdict


def check_sessions(request: Request) -> Verdict:
    """The regular session is on, and no leg has had its last trade.

    Outside regular hours nothing is sent at all, futures included: the price limits that hold
    for VX then (fault D10) cannot be met.
    """
    calendar, at = request.readiness.calendar, request.readiness.at
    if calendar is None:
        return _check_dates(request)
    try:
        return _check_hours(calendar, at) or _check_last_trades(request, calendar)
    except MissingData as missing:
        return RefusalReason.NO_CALENDAR, str(missing)


def _check_hours(calendar: TradingCalendar, at: datetime) -> Verdict:
    today = at.astimezone(EXCHANGE_ZONE).date()
    if not calendar.is_session(today):
        return RefusalReason.MARKET_CLOSED, f"{today} is no session"
    opens, closes = calendar.opens_at(today), calendar.closes_at(today)
    if not opens <= at < closes:
        hours = f"{opens:%H:%M} .. {closes:%H:%M}"
        return RefusalReason.MARKET_CLOSED, f"the session of {today} is {hours} in New York"
    return None


def _check_last_trades(request: Request, calendar: TradingCalendar) -> Verdict:
    for instrument, _ in request.legs:
        last = last_trade_at(instrument, calendar)
        if last is not None and request.readiness.at >= last:
            detail = f"{instrument} traded last on {last:%Y-%m-%d %H:%M} in New York"
            return RefusalReason.EXPIRED, detail
    return None


def last_trade_at(instrument: Instrument, calendar: TradingCalendar) -> datetime | None:
    """Return when a contract trades last; None if that is beyond the calendar's end.

    PM-settled options stop when equities close on their expiration date, AM-settled ones when
    options close the session before, VX futures at 09:00 on it (faults D14, D15, D16). One whose
    date is no session, closed at short notice, stops with the session before: the earliest that
    it can be (fault D13).

    Raises: MissingData if the calendar begins only after it.
    """
    expiry = instrument.expiry
    if expiry > calendar.sessions[-1]:
        return None
    if calendar.is_session(expiry):
        if isinstance(instrument, FutureContract):
            return at_exchange(expiry, VX_LAST_TRADE)
        if instrument.settlement is Settlement.PM:
            return calendar.equities_close_at(expiry)
    return calendar.closes_at(calendar.previous_session(expiry))


def _check_dates(request: Request) -> Verdict:
    """Judge by expiration dates alone, where nobody follows sessions."""
    today = request.readiness.at.astimezone(EXCHANGE_ZONE).date()
    for instrument, _ in request.legs:
        # AM-settled contracts and futures stop before or early on their expiration date
        is_pm = ROOTS[instrument.root].settlement is Settlement.PM
        if today > instrument.expiry or (today == instrument.expiry and not is_pm):
            return RefusalReason.EXPIRED, f"{instrument} no longer trades on {today}"
    return None
