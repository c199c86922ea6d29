"""Breakers: which facts lock what may be opened, as functions of thresholds and facts.

Locks about money lock condors only ("SPX"), because a hedge must go on when it is needed most;
those about what the bot can know or reach lock every opening order. None keeps a position from
being reduced.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from state.activity import Activity
from strategies.model.calendars import at_exchange
from strategies.model.locks import WHOLE_BOOK, Lock, LockKind

NO_OPERATOR = "no operator has given a sign"  # begins the reason of that lock
_CONDORS = "SPX"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectionPolicy:
    """Every threshold. None, or a fraction of zero, turns a protection off.

    A default is what a careful desk would write down, wide enough that March 2020 as shipped runs
    through it: its worst day lost 5.2 % and its worst drawdown 20.4 %.
    """

    daily_loss: Decimal = Decimal("0.06")  # of the net liquidation the day began with
    drawdown: Decimal = Decimal("0.25")  # from the highest of the last ``drawdown_days``
    drawdown_days: int = 90
    orders_per_minute: int = 60
    cancels_per_day: int = 1_000
    rejects_in_a_row: int = 5
    rejects_per_hour: int = 10
    reject_lock: timedelta = timedelta(hours=1)
    skips_in_a_row: int = 4  # intervals skipped because of their data
    data_age: timedelta = timedelta(hours=1)  # since the last usable look of this session
    doubt_lock: timedelta = timedelta(minutes=30)  # of a market that contradicts itself
    clock_skew: timedelta = timedelta(seconds=2)
    margin_floor: Decimal = Decimal("0.10")  # excess liquidity, of the net liquidation
    operator_silence: timedelta | None = None
    answer: timedelta = timedelta(seconds=10)  # the broker says what time it is within
    page_again: timedelta = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the breakers look at, at one instant."""

    at: datetime
    session: date
    net_liquidation_usd: Decimal
    excess_liquidity_usd: Decimal
    opening_usd: Decimal | None  # net liquidation the day began with; None on the first day
    peak_usd: Decimal | None
    activity: Activity
    skipped_in_a_row: int = 0
    data_at: datetime | None = None  # of the last usable look; None before the first
    skew: timedelta | None = None  # of the broker's clock, ahead of ours > 0
    silent_since: datetime | None = None  # when an operator last gave a sign


Breaker = Callable[[ProtectionPolicy, Facts], Lock | None]


def _daily_loss(policy: ProtectionPolicy, facts: Facts) -> Lock | None:
    lost = _lost(facts.opening_usd, facts.net_liquidation_usd)
    if not policy.daily_loss or lost < policy.daily_loss:
        return None
    tomorrow = at_exchange(facts.session + timedelta(days=1), time())
    reason = f"the day has lost {lost:.1%} of what it began with, limit {policy.daily_loss:.1%}"
    return _lock(LockKind.DAILY_LOSS, _CONDORS, reason, facts, until=tomorrow)


def _drawdown(policy: ProtectionPolicy, facts: Facts) -> Lock | None:
    lost = _lost(facts.peak_usd, facts.net_liquidation_usd)
    if not policy.drawdown or lost < policy.drawdown:
        return None
    reason = (
        f"{lost:.1%} below the highest of {policy.drawdown_days} days, limit {policy.drawdown:.1%}"
    )
    return drawdown_lock(at=facts.at, reason=reason)


def drawdown_lock(*, at: datetime, reason: str) -> Lock:
    """Return the lock of a drawdown."""
    return Lock(kind=LockKind.DRAWDOWN, key=_CONDORS, reason=reason, set_at=at, until=None)


def _order_rate(policy: ProtectionPolicy, facts: Facts) -> Lock | None:
    activity = facts.activity
    if activity.orders_last_minute > policy.orders_per_minute:
        reason = f"{activity.orders_last_minute} orders in a minute, limit "
        reason += str(policy.orders_per_minute)
    elif activity.cancels_today > policy.cancels_per_day:
        reason = f"{activity.cancels_today} cancels today, limit {policy.cancels_per_day}"
    else:
        return None
    return order_rate_lock(at=facts.at, session=facts.session, reason=reason)


def order_rate_lock(*, at: datetime, session: date, reason: str) -> Lock:
    """Return the lock of too many orders, until the session's midnight."""
    tomorrow = at_exchange(session + timedelta(days=1), time())
    return Lock(kind=LockKind.ORDER_RATE, key=WHOLE_BOOK, reason=reason, set_at=at, until=tomorrow)


def _reject_streak(policy: ProtectionPolicy, facts: Facts) -> Lock | None:
    activity = facts.activity
    if activity.rejected_in_a_row >= policy.rejects_in_a_row:
        reason = f"the broker refused the last {activity.rejected_in_a_row} orders"
    elif activity.rejected_last_hour >= policy.rejects_per_hour:
        reason = f"the broker refused {activity.rejected_last_hour} orders within an hour"
    else:
        return None
    until = facts.at + policy.reject_lock
    return _lock(LockKind.REJECT_STREAK, WHOLE_BOOK, reason, facts, until=until)


def _stale_data(policy: ProtectionPolicy, facts: Facts) -> Lock | None:
    if facts.skipped_in_a_row >= policy.skips_in_a_row:
        reason = f"{facts.skipped_in_a_row} intervals in a row had no usable market"
    elif facts.data_at is not None and facts.at - facts.data_at > policy.data_age:
        minutes = (facts.at - facts.data_at) / timedelta(minutes=1)
        reason = f"the last usable market is {minutes:.0f} minutes old"
    else:
        return None
    return _lock(LockKind.STALE_DATA, WHOLE_BOOK, reason, facts)


def _clock_skew(policy: ProtectionPolicy, facts: Facts) -> Lock | None:
    if facts.skew is None or abs(facts.skew) <= policy.clock_skew:
        return None
    seconds = facts.skew.total_seconds()
    reason = f"the broker's clock is {seconds:+.1f} s from ours; one of the two is wrong"
    return _lock(LockKind.CLOCK_SKEW, WHOLE_BOOK, reason, facts)


def _margin(policy: ProtectionPolicy, facts: Facts) -> Lock | None:
    floor = policy.margin_floor * facts.net_liquidation_usd
    if not policy.margin_floor or facts.excess_liquidity_usd >= floor:
        return None
    reason = f"excess liquidity is {facts.excess_liquidity_usd:,.0f} USD, floor {floor:,.0f}"
    return _lock(LockKind.MARGIN, WHOLE_BOOK, reason, facts)


def _operator_silence(policy: ProtectionPolicy, facts: Facts) -> Lock | None:
    if policy.operator_silence is None or facts.silent_since is None:
        return None
    hours = (facts.at - facts.silent_since) / timedelta(hours=1)
    if facts.at - facts.silent_since <= policy.operator_silence:
        return None
    reason = f"{NO_OPERATOR} for {hours:.0f} hours; `alvh status --ack` gives one"
    return _lock(LockKind.OPERATOR, WHOLE_BOOK, reason, facts)


_BREAKERS: dict[LockKind, Breaker] = {
    LockKind.DAILY_LOSS: _daily_loss,
    LockKind.DRAWDOWN: _drawdown,
    LockKind.ORDER_RATE: _order_rate,
    LockKind.REJECT_STREAK: _reject_streak,
    LockKind.STALE_DATA: _stale_data,
    LockKind.CLOCK_SKEW: _clock_skew,
    LockKind.MARGIN: _margin,
    LockKind.OPERATOR: _operator_silence,
}


def tripped(policy: ProtectionPolicy, facts: Facts) -> dict[LockKind, Lock]:
    """Return the lock of each breaker that trips on these facts."""
    locks = {kind: breaker(policy, facts) for kind, breaker in _BREAKERS.items()}
    return {kind: lock for kind, lock in locks.items() if lock is not None}


def _lost(before: Decimal | None, now: Decimal) -> Decimal:
    return Decimal(0) if before is None or before <= 0 else 1 - now / before


def _lock(
    kind: LockKind, key: str, reason: str, facts: Facts, *, until: datetime | None = None
) -> Lock:
    return Lock(kind=kind, key=key, reason=reason, set_at=facts.at, until=until)
