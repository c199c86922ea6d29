"""Caps on how much is done in a day and in a minute (I16).

They stop a runaway from opening. A close is bounded by what is held, and a stop must not wait
until tomorrow; a cancel never comes to the gate at all.
"""

from decimal import Decimal

from strategies.model.quotes import to_price
from strategies.model.structures import as_condor
from strategies.risk.checks.request import RefusalReason, Request, Verdict


def check_rates(request: Request) -> Verdict:
    """No cap on orders, opens, cancels or attempts is reached."""
    if not request.opens:
        return None
    facts, limits, attempt = request.readiness, request.limits, request.intent.attempt
    throughput = facts.throughput
    if facts.orders_today >= limits.orders_per_day_max:
        return RefusalReason.ORDERS_PER_DAY, f"{facts.orders_today} sent today, limit reached"
    if throughput.orders_last_minute >= limits.orders_per_minute_max:
        detail = f"{throughput.orders_last_minute} sent within a minute, limit reached"
        return RefusalReason.ORDER_RATE, detail
    # The first attempt of a condor begins it; what it still lacks is part of the same
    begins = attempt == 1 and request.intent.condor_id is not None and as_condor(request.legs)
    if begins and throughput.opens_today >= limits.opens_per_day_max:
        return RefusalReason.OPENS_PER_DAY, f"{throughput.opens_today} begun today, limit reached"
    if throughput.cancels_today >= limits.cancels_per_day_max:
        return RefusalReason.CANCELS_PER_DAY, f"{throughput.cancels_today} today, limit reached"
    if attempt > limits.attempts_per_purpose_max:
        return RefusalReason.ATTEMPTS, f"attempt {attempt}, limit {limits.attempts_per_purpose_max}"
    return None


def check_turnover(request: Request) -> Verdict:
    """What trades today, this order with it, stays within the cap."""
    if not request.opens:
        return None
    limit = request.limits.turnover_usd_per_day_max
    own = sum(
        (
            abs(ratio) * to_price(request.quotes[leg.symbol].mid) * leg.multiplier
            for leg, ratio in request.legs
        ),
        Decimal(0),
    )
    total = request.readiness.throughput.turnover_usd_today + own * request.intent.quantity
    if total > limit:
        return RefusalReason.TURNOVER, f"{total:.0f} USD with this order, limit {limit:.0f}"
    return None
