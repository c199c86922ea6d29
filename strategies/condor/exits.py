"""When a condor is closed, and at what price: profit target, stop loss and time exit (rule C9).

Nothing is carried into settlement: the time exit comes weeks before it. A stop can only fire
where the package may still cost that much: with a credit above width / (1 + stop credits) it lies
beyond the wing, the time exit ends such a position, and C7 has bounded its loss.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from strategies.condor.amounts import exact, shown_ratio
from strategies.model.book import CondorPosition
from strategies.model.orders import Leg, OrderIntent, PositionEffect, Urgency
from strategies.model.plan import CondorClose, Gate
from strategies.model.quotes import to_price
from strategies.model.rules import CondorRules
from strategies.model.ticks import order_tick, round_down, round_up
from strategies.pricing.valuation import CondorValue

_STOP_ALLOWANCE = Decimal("0.10")  # points a stop may pay beyond the natural price: two ticks


@dataclass(frozen=True, slots=True, kw_only=True)
class Exits:
    """What C9 asks for in one interval."""

    closes: tuple[CondorClose, ...]
    orders: tuple[OrderIntent, ...]
    gates: tuple[Gate, ...]
    reasons: tuple[str, ...]

    @property
    def closing_ids(self) -> frozenset[str]:
        """The condors that an order of this plan closes."""
        return frozenset(order.condor_id for order in self.orders if order.condor_id is not None)


def plan_exits(
    condors: Sequence[CondorPosition],
    *,
    values: Mapping[str, CondorValue | None],
    purposes_at_work: Collection[str],
    plan_id: str,
    session: date,
    rules: CondorRules,
) -> Exits:
    """Return the condors to close now (C9), with one gate a condor, held or not.

    Args:
        condors: The open condors, in the order their closes should be listed.
        values: The condors' values by id; None where one cannot be priced.
        purposes_at_work: Purposes that have an order at work; they get no second one.
        plan_id: Identity of the plan the orders belong to.
        session: The day of the decision, from which days to expiry count.
        rules: C9's thresholds.
    """
    closes, orders, gates, reasons = [], [], [], []
    for condor in condors:
        value = values[condor.condor_id]
        fired = exit_reason(condor, value, session=session, rules=rules)
        gates.append(_gate(condor, value, fired, session, rules))
        if fired is None:
            continue
        mark = None if value is None else value.mid_debit
        close = CondorClose(
            condor_id=condor.condor_id, rules=("C9",), mark_debit=mark, note=fired.note
        )
        purpose = f"condor:{condor.condor_id}:close"
        if purpose in purposes_at_work:
            reasons.append(f"C9: {condor.condor_id} is being closed already")
        elif value is None:
            reasons.append(f"C9: {condor.condor_id} cannot be priced ({fired.note})")
            closes.append(close)
        else:
            closes.append(close)
            orders.append(_close_order(condor, value, fired, purpose, plan_id))
    return Exits(
        closes=tuple(closes), orders=tuple(orders), gates=tuple(gates), reasons=tuple(reasons)
    )


@dataclass(frozen=True, slots=True)
class ExitReason:
    """Which part of C9 fired, and how much of a hurry it is."""

    note: str
    urgency: Urgency


def exit_reason(
    condor: CondorPosition, value: CondorValue | None, *, session: date, rules: CondorRules
) -> ExitReason | None:
    """Return why a condor is closed, the most urgent reason first, or None to keep it (C9).

    Stop: the loss at mid reaches ``stop_loss_credits`` credits. Time: ``time_exit_dte`` calendar
    days or fewer are left. Profit: buying back at mid costs at most ``1 - profit_target`` of the
    credit. Without a value only the clock can say anything.
    """
    credit = condor.entry_credit
    days = (condor.expiry - session).days
    # Exactly, in decimals: as floats 6.6 - 2.2 is less than 2 x 2.2
    profit = None if value is None else credit - to_price(value.mid_debit)
    if profit is not None and -profit >= exact(rules.stop_loss_credits) * credit:
        return ExitReason("stop loss", Urgency.URGENT)
    if days <= rules.time_exit_dte:
        return ExitReason(f"{days} days to expiry", Urgency.NORMAL)
    if profit is not None and profit >= exact(rules.profit_target) * credit:
        return ExitReason("profit target", Urgency.PATIENT)
    return None


def _gate(
    condor: CondorPosition,
    value: CondorValue | None,
    fired: ExitReason | None,
    session: date,
    rules: CondorRules,
) -> Gate:
    credit = condor.entry_credit
    profit = None if value is None else (credit - to_price(value.mid_debit)) / credit
    stop, target = exact(rules.stop_loss_credits), exact(rules.profit_target)
    threshold = (
        f"keep between -{rules.stop_loss_credits:g} and {rules.profit_target:g} credits, "
        f"more than {rules.time_exit_dte} days"
    )
    days = (condor.expiry - session).days
    return Gate(
        rule="C9",
        name=f"profit of {condor.condor_id} in credits",
        value=None if profit is None else shown_ratio(profit, -stop, target),
        threshold=threshold,
        passed=fired is None,
        note=fired.note if fired is not None else f"{days} days to expiry",
    )


def _close_order(
    condor: CondorPosition, value: CondorValue, fired: ExitReason, purpose: str, plan_id: str
) -> OrderIntent:
    legs = tuple(Leg(instrument=leg, ratio=-sign) for leg, sign in condor.legs.signed())
    tick = order_tick([leg.instrument for leg in legs], Decimal(1))
    natural = to_price(value.natural_debit)
    if fired.urgency is Urgency.URGENT:
        natural += _STOP_ALLOWANCE
    # Beyond the width nothing is bought: holding on cannot lose more than that
    worst = max(tick, round_up(min(natural, condor.legs.width), tick))
    limit = max(tick, round_down(to_price(value.mid_debit), tick))
    return OrderIntent(
        plan_id=plan_id,
        purpose=purpose,
        legs=legs,
        quantity=condor.quantity,
        limit_price=min(limit, worst),
        worst_price=worst,
        effect=PositionEffect.CLOSE,
        urgency=fired.urgency,
        rules=("C9",),
        condor_id=condor.condor_id,
    )
