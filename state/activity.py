"""How busy the bot is: what its protections count, asked of the newest records only."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cache

from sqlalchemy import bindparam, func, select

from state.amounts import session_of
from state.statements import Statement
from state.tables import DailyPnlRow, JobRunRow, OrderEventRow, OrderRow, columns_of, table_of
from strategies.model.calendars import at_exchange
from strategies.model.lifecycle import OrderStatus

_EVENTS = table_of(OrderEventRow)
_ORDERS = table_of(OrderRow)
_DAILY = table_of(DailyPnlRow)
_JOBS = table_of(JobRunRow)
# More than a day of the busiest bot; a ledger of years is not read through for a count of today
_NEWEST = 5_000
_OPENS = ":open"  # ends the purpose of an order that begins a condor
_MINUTE, _HOUR = timedelta(minutes=1), timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """What was sent and what became of it, counted back from an instant."""

    orders_last_minute: int
    opens_today: int  # condors begun
    cancels_today: int
    rejected_last_hour: int  # by the broker; what our own gate refuses was never sent
    rejected_in_a_row: int  # of the orders sent last, within the hour


def read_activity(connection: sqlite3.Connection, at: datetime) -> Activity:
    """Count the orders sent, cancelled and rejected up to an instant."""
    today = at_exchange(session_of(at), time())
    rows = _lately_query().tuples(connection, since=min(today, at - _HOUR))
    sent: dict[str, str] = {}  # of each order that was sent, in that order: its last status
    sends: list[datetime] = []
    opened: set[str] = set()
    cancels = rejected = 0
    for order_id, when, status, condor_id, purpose in rows:
        if status == OrderStatus.SENDING:
            if when > at - _HOUR:
                sent[order_id] = status
            sends.append(when)
            if when >= today and purpose.endswith(_OPENS):
                opened.add(condor_id)
            continue
        cancels += status == OrderStatus.CANCELLED and when >= today
        if order_id in sent:
            sent[order_id] = status
            rejected += status == OrderStatus.REJECTED
    return Activity(
        orders_last_minute=sum(when > at - _MINUTE for when in sends),
        opens_today=len(opened),
        cancels_today=cancels,
        rejected_last_hour=rejected,
        rejected_in_a_row=_trailing_rejections([*sent.values()]),
    )


@cache
def _lately_query() -> Statement:
    newest = select(func.max(_EVENTS.c.sequence)).scalar_subquery()
    return Statement(
        select(
            *columns_of(_EVENTS, "client_order_id", "at", "status"),
            *columns_of(_ORDERS, "condor_id", "purpose"),
        )
        .join(_ORDERS, _ORDERS.c.client_order_id == _EVENTS.c.client_order_id)
        .where(_EVENTS.c.sequence > newest - _NEWEST, _EVENTS.c.at >= bindparam("since"))
        .order_by(_EVENTS.c.sequence)
    )


def _trailing_rejections(statuses: Sequence[str]) -> int:
    count = 0
    for status in reversed(statuses):
        if status == OrderStatus.SENDING:
            continue  # no answer yet
        if status != OrderStatus.REJECTED:
            break
        count += 1
    return count


def peak_net_liquidation(connection: sqlite3.Connection, since: date) -> Decimal | None:
    """Return the highest net liquidation at the end of a session from a date on."""
    peak: Decimal | None = _peak_query().scalar(connection, since=since)
    return peak


def last_due_times(connection: sqlite3.Connection) -> dict[str, datetime]:
    """Return the latest due time on record of each job."""
    return dict(_due_query().tuples(connection))


@cache
def _peak_query() -> Statement:
    peak = func.max(_DAILY.c.net_liquidation_usd)
    return Statement(select(peak).where(_DAILY.c.session >= bindparam("since")))


@cache
def _due_query() -> Statement:
    return Statement(select(_JOBS.c.job, func.max(_JOBS.c.scheduled_at)).group_by(_JOBS.c.job))
