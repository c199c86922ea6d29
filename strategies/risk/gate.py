"""The pre-trade gate: the only maker of approved orders, with one typed refusal a check.

The checks run in the order of ``CHECKS``, and the first that fails is the answer. Everything the
gate knows comes in as values: the limits of the operator's own file, the engine's readiness facts,
the book with its orders at work, and fresh quotes. ``docs/gate.md`` lists them for operators.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from strategies.model.book import Book
from strategies.model.ids import ClientOrderId
from strategies.model.limits import Limits, Readiness
from strategies.model.orders import _APPROVAL_KEY, ApprovedOrder, OrderIntent
from strategies.model.quotes import Quote
from strategies.risk.checks.identity import check_active_orders, check_identity
from strategies.risk.checks.margin import check_margin, wants_preview
from strategies.risk.checks.permission import (
    check_account,
    check_approval,
    check_connection,
    check_lease,
    check_locks,
    check_state,
)
from strategies.risk.checks.prices import (
    check_price,
    check_qualified,
    check_quotes,
    check_through_market,
    price_collar,
)
from strategies.risk.checks.rates import check_rates, check_turnover
from strategies.risk.checks.request import REPAIR_PREFIX, RefusalReason, Request, Verdict
from strategies.risk.checks.sessions import check_sessions, last_trade_at
from strategies.risk.checks.structure import check_structure
from strategies.risk.checks.worst_case import (
    check_condor_count,
    check_cover,
    check_hedge_count,
    check_max_loss,
    check_premium,
)

__all__ = [
    "CHECKS",
    "REPAIR_PREFIX",
    "Refusal",
    "RefusalReason",
    "approve",
    "last_trade_at",
    "price_collar",
    "wants_preview",
]

CHECKS: tuple[Callable[[Request], Verdict], ...] = (
    check_account,
    check_state,
    check_locks,
    check_lease,
    check_sessions,
    check_connection,
    check_quotes,
    check_qualified,
    check_price,
    check_through_market,
    check_structure,
    check_identity,
    check_active_orders,
    check_cover,
    check_max_loss,
    check_condor_count,
    check_hedge_count,
    check_premium,
    check_margin,
    check_rates,
    check_turnover,
    check_approval,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An order the gate did not let through, and why."""

    intent: OrderIntent
    reason: RefusalReason
    detail: str


def approve(
    intent: OrderIntent,
    *,
    readiness: Readiness,
    limits: Limits,
    book: Book,
    quotes: Mapping[str, Quote],
    orders_seen: Collection[ClientOrderId],
) -> ApprovedOrder | Refusal:
    """Return the order approved, or the first check it fails as a refusal.

    Args:
        intent: The order wanted.
        readiness: The engine's facts of this moment.
        limits: The hard limits, from the operator's own file.
        book: What is held and at work, ``intent`` itself not among it.
        quotes: Current quotes by symbol; at least those of the order's legs.
        orders_seen: Client order ids that were ever sent.

    An opening order adds risk and must pass every check. A closing order must be proven to take
    risk away; it then passes in REDUCE_ONLY, under locks and beyond the day's caps, and a leg
    without a bid does not stop it.
    """
    request = Request(
        intent=intent,
        readiness=readiness,
        limits=limits,
        book=book,
        quotes=quotes,
        orders_seen=orders_seen,
    )
    for check in CHECKS:
        if (verdict := check(request)) is not None:
            reason, detail = verdict
            return Refusal(intent=intent, reason=reason, detail=detail)
    return ApprovedOrder(intent=intent, approved_at=readiness.at, key=_APPROVAL_KEY)
