"""Instants at which something is due for an order, apart from what it is worth then."""

from datetime import UTC, datetime, time, timedelta
from typing import Final

from bot.exchange.exchange import GRID, Exchange
from bot.gateway.desk.reading import read_time
from bot.gateway.desk.ticket import Ticket
from strategies.model.calendars import EXCHANGE_ZONE, at_exchange

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
FOR_EVER: Final = datetime.max.replace(tzinfo=UTC)
BEFORE_CLOSE: Final = 2 * GRID  # the exchange matches last one grid instant before its close


def next_grid(at: datetime) -> datetime:
    """Return the first instant after ``at`` at which the exchange matches."""
    return _EPOCH + ((at - _EPOCH) // GRID + 1) * GRID


def closes_at(ticket: Ticket, exchange: Exchange) -> datetime:
    """Return when a day order ends that works now: with the session or with its contract."""
    session = exchange.session_at(exchange.now)
    assert session is not None, "asked in session hours only"
    closes = exchange.market.calendar.closes_at(session).astimezone(UTC)
    ends = [line.listed.last_trade_at for line in ticket.lines]
    return min([closes, *(end.astimezone(UTC) for end in ends if end is not None)])


def has_stopped_trading(ticket: Ticket, at: datetime) -> bool:
    """Whether one of its contracts does not trade any more."""
    ends = (line.listed.last_trade_at for line in ticket.lines)
    return any(end is not None and end <= at for end in ends)


def good_till(ticket: Ticket) -> datetime | None:
    """Return when an order with a date ends."""
    return read_time(ticket.order.good_till_date) if ticket.order.tif == "GTD" else None


def midnight_after(at: datetime) -> datetime:
    """Return when the exchange's day of an instant is over."""
    local = at.astimezone(EXCHANGE_ZONE)
    return at_exchange(local.date() + timedelta(days=1), time(0)).astimezone(UTC)
