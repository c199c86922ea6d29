"""When a condor is closed, and at what price: profit target, stop loss and time exit (rule C9).

Nothing is carried into settlement: the time exit comes weeks before it. A stop can only fire
where the package may still cost that much: with a credit above width / (1 + stop credits) it lies
beyond the wing, the time exit ends such a position, and C7 has bounded its loss.

No close pays what holding on could cost at worst: there would be nothing to gain by it. A close may
go ``close_reach`` of the way from mid to that worst, and stays below it. Where less than
``least_saving`` of the worst is left to save neither stop nor clock asks: the condor is lost, and
an order every interval would not bring it back. It is held on, and asked for again as soon as there
is something to save. On its last day the clock asks whatever is left to save, all of the way to the
worst; what costs that much anyhow is settled at it.

A condor without a value, because its series has no surface, is still closed by stop and clock: its
legs' own quotes say what that costs, and the worst bounds what is paid. The profit target waits for
a value, it is in no hurry.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from strategies.condor.amounts import exact, shown_ratio
from strategies.model.book import Book, CondorLegs, CondorPosition
from strategies.model.instruments import OptionContract
from strategies.model.orders import Leg, OrderIntent, PositionEffect, Urgency
from strategies.model.plan import CondorClose, Gate
from strategies.model.quotes import OptionChain, to_price
from strategies.model.rules import CondorRules
from strategies.model.structures import as_condor, legs_at_work
from strategies.model.ticks import order_tick, round_down, round_up
from strategies.pricing.valuation import CondorValue

LAST_DAYS = 1  # calendar days to expiry on which a condor may trade for the last time


@dataclass(frozen=True, slots=True, kw_only=True)
class Exits:
    """What C9 asks for in one interval."""

    closes: tuple[CondorClose, ...]
    orders: tuple[OrderIntent, ...]
    gates: tuple[Gate, ...]
    reasons: tuple[str, ...]
    lost_ids: frozenset[str] = frozenset()  # held on: closing them would save nothing

    @property
    def closing_ids(self) -> frozenset[str]:
        """The condors that an order of this plan closes."""
        return frozenset(order.condor_id for order in self.orders if order.condor_id is not None)


def plan_exits(
    condors: Sequence[CondorPosition],
    *,
    values: Mapping[str, CondorValue | None],
    chain: OptionChain | None = None,
    purposes_at_work: Collection[str],
    plan_id: str,
    session: date,
    rules: CondorRules,
) -> Exits:
    """Return the condors to close now (C9), with one gate a condor, held or not.

    Args:
        condors: The open condors, in the order their closes should be listed.
        values: The condors' values by id; None where one cannot be priced.
        chain: The SPX quotes of this decision, for condors without a value; None where they are
            too old to act on.
        purposes_at_work: Purposes that have an order at work; they get no second one.
        plan_id: Identity of the plan the orders belong to.
        session: The day of the decision, from which days to expiry count.
        rules: C9's thresholds.
    """
    closes, orders, gates, reasons = [], [], [], []
    lost: set[str] = set()
    for condor in condors:
        mark = _mark(condor.legs, values[condor.condor_id], chain)
        fired = exit_reason(condor, mark, session=session, rules=rules)
        gates.append(_gate(condor, mark, fired, session, rules))
        if fired is None:
            continue
        if isinstance(mark, CloseMark) and (why := nothing_left(condor, mark, session, rules)):
            lost.add(condor.condor_id)
            reasons.append(f"C9: {condor.condor_id} is not closed ({fired.note}; {why})")
            continue
        close = CondorClose(
            condor_id=condor.condor_id,
            rules=("C9",),
            mark_debit=None if isinstance(mark, Unpriceable) else float(mark.debit),
            note=fired.note,
        )
        purpose = f"condor:{condor.condor_id}:close"
        if purpose in purposes_at_work:
            reasons.append(f"C9: {condor.condor_id} is being closed already")
        elif isinstance(mark, Unpriceable):
            why = f"{fired.note}; {mark.reason}"
            reasons.append(f"C9: {condor.condor_id} cannot be priced ({why})")
            closes.append(close)
        else:
            closes.append(close)
            reach = 1.0 if is_last_day(condor, session) else rules.close_reach
            orders.append(_close_order(condor, mark, fired, ("C9",), plan_id, reach))
    return Exits(
        closes=tuple(closes),
        orders=tuple(orders),
        gates=tuple(gates),
        reasons=tuple(reasons),
        lost_ids=frozenset(lost),
    )


def legs_being_closed(book: Book, exits: Exits) -> frozenset[OptionContract]:
    """Return the legs of every condor that an order of this plan or one at work closes."""
    at_work = {
        order.condor_id
        for order in book.working
        if order.condor_id is not None and as_condor(legs_at_work(order)) is None
    }
    closing = at_work | exits.closing_ids
    return frozenset(
        contract
        for condor in book.condors
        if condor.condor_id in closing
        for contract, _ in condor.legs.signed()
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseMark:
    """What buying one condor back costs, index points."""

    debit: Decimal  # at mid
    natural: Decimal  # the most it may cost; the worst at expiry where only the legs are quoted
    is_value: bool  # by a trusted surface; False: by the quotes of the legs alone


@dataclass(frozen=True, slots=True)
class Unpriceable:
    """Nobody can say what buying a condor back costs, and why."""

    reason: str


def _mark(
    legs: CondorLegs, value: CondorValue | None, chain: OptionChain | None
) -> CloseMark | Unpriceable:
    if value is not None:
        return CloseMark(
            debit=to_price(value.mid_debit), natural=to_price(value.natural_debit), is_value=True
        )
    if chain is None:
        return Unpriceable("quotes are too old")
    return quoted_mark(legs, chain)


def quoted_mark(legs: CondorLegs, chain: OptionChain) -> CloseMark | Unpriceable:
    """Return what a condor costs by the quotes of its legs alone, the surface left aside.

    A leg counts at its mid where both sides are quoted. One without a bid counts at its offer if
    it is bought back and as nothing if it is sold. A leg that nobody offers, or that is crossed,
    has no price, and nothing is sent (the risk gate would refuse it too).
    """
    debit = Decimal(0)
    for contract, sign in legs.signed():
        row = chain.find_row(contract)
        quote = None if row is None else chain.quote(contract)
        if quote is None or quote.ask == 0:
            return Unpriceable(f"nobody offers {contract}")
        if quote.bid > quote.ask:
            return Unpriceable(f"{contract} is crossed, {quote.bid:g} x {quote.ask:g}")
        one_sided = 0.0 if sign > 0 else quote.ask
        debit -= sign * to_price(quote.mid if quote.is_two_sided else one_sided)
    return CloseMark(debit=debit, natural=legs.worst_points, is_value=False)


@dataclass(frozen=True, slots=True)
class ExitReason:
    """Which part of C9 fired, and how much of a hurry it is."""

    note: str
    urgency: Urgency
    allowance: Decimal = Decimal(0)  # index points it may pay beyond the natural price


def exit_reason(
    condor: CondorPosition, mark: CloseMark | Unpriceable, *, session: date, rules: CondorRules
) -> ExitReason | None:
    """Return why a condor is closed, the most urgent reason first, or None to keep it (C9).

    Stop: the loss at mid reaches ``stop_loss_credits`` credits. Time: ``time_exit_dte`` calendar
    days or fewer are left. Profit: buying back at mid costs at most ``1 - profit_target`` of the
    credit. Without a value there is no profit target, without a price only the clock.
    """
    credit = condor.entry_credit
    days = (condor.expiry - session).days
    # Exactly, in decimals: as floats 6.6 - 2.2 is less than 2 x 2.2
    profit = None if isinstance(mark, Unpriceable) else credit - mark.debit
    has_value = isinstance(mark, CloseMark) and mark.is_value
    if profit is not None and -profit >= exact(rules.stop_loss_credits) * credit:
        return ExitReason("stop loss", Urgency.NORMAL, exact(rules.stop_allowance))
    if days <= rules.time_exit_dte:
        return ExitReason(f"{days} days to expiry", Urgency.NORMAL)
    if profit is not None and has_value and profit >= exact(rules.profit_target) * credit:
        return ExitReason("profit target", Urgency.PATIENT)
    return None


def is_last_day(condor: CondorPosition, session: date) -> bool:
    """Return whether a condor may trade for the last time: AM-settled, that is the day before."""
    return (condor.expiry - session).days <= LAST_DAYS


def nothing_left(condor: CondorPosition, mark: CloseMark, session: date, rules: CondorRules) -> str:
    """Return what is left to save by closing a condor where it is too little (C9), else nothing.

    Left is the worst at expiry less what buying it back costs at mid; on the last day any of it is
    enough.
    """
    worst = condor.legs.worst_points
    left = worst - mark.debit
    least = Decimal(0) if is_last_day(condor, session) else exact(rules.least_saving) * worst
    return "" if left > least else f"{max(left, Decimal(0)):f} of {worst:f} points left to save"


def _gate(
    condor: CondorPosition,
    mark: CloseMark | Unpriceable,
    fired: ExitReason | None,
    session: date,
    rules: CondorRules,
) -> Gate:
    credit = condor.entry_credit
    profit = None if isinstance(mark, Unpriceable) else (credit - mark.debit) / credit
    stop, target = exact(rules.stop_loss_credits), exact(rules.profit_target)
    threshold = (
        f"keep between -{rules.stop_loss_credits:g} and {rules.profit_target:g} credits, "
        f"more than {rules.time_exit_dte} days"
    )
    note = fired.note if fired is not None else f"{(condor.expiry - session).days} days to expiry"
    if isinstance(mark, CloseMark) and not mark.is_value:
        note += ", by the quotes of its legs"
    return Gate(
        rule="C9",
        name=f"profit of {condor.condor_id} in credits",
        value=None if profit is None else shown_ratio(profit, -stop, target),
        threshold=threshold,
        passed=fired is None,
        note=note,
    )


def with_close(
    exits: Exits,
    condor: CondorPosition,
    *,
    value: CondorValue | None,
    chain: OptionChain | None,
    asked_by: str,
    note: str,
    plan_id: str,
    rules: CondorRules,
) -> tuple[Exits, OrderIntent | None]:
    """Return the exits with the urgent close of one more condor (G6, D3), and its order.

    None, and a reason among the exits, if nobody can say what it costs.

    Args:
        exits: What is closed already.
        condor: The condor.
        value: Its value; None if it has none.
        chain: The SPX quotes, as for ``plan_exits``.
        asked_by: The rule that asks for it.
        note: Why.
        plan_id: Identity of the plan the order belongs to.
        rules: C9's values; they bound what is paid.
    """
    mark = _mark(condor.legs, value, chain)
    if isinstance(mark, Unpriceable):
        why = f"{asked_by}: {condor.condor_id} cannot be closed ({mark.reason})"
        return replace(exits, reasons=(*exits.reasons, why)), None
    close = CondorClose(
        condor_id=condor.condor_id, rules=(asked_by,), mark_debit=float(mark.debit), note=note
    )
    reason = ExitReason(note, Urgency.URGENT, exact(rules.stop_allowance))
    order = _close_order(condor, mark, reason, (asked_by,), plan_id, rules.close_reach)
    closes, orders = (*exits.closes, close), (*exits.orders, order)
    return replace(exits, closes=closes, orders=orders), order


def _close_order(
    condor: CondorPosition,
    mark: CloseMark,
    reason: ExitReason,
    asked_by: tuple[str, ...],
    plan_id: str,
    reach: float,
) -> OrderIntent:
    legs = tuple(Leg(instrument=leg, ratio=-sign) for leg, sign in condor.legs.signed())
    tick = order_tick([leg.instrument for leg in legs], Decimal(1))
    natural = round_up(mark.natural + reason.allowance, tick)
    most = most_to_pay(mark.debit, condor.legs.worst_points, tick, reach)
    worst, limit = min(natural, most), round_down(mark.debit, tick)
    if condor.legs.long_ratio == 1 and condor.legs.one_expiry:
        # Nothing trades at zero. Longs that are more, or later, may be worth more than the shorts
        worst, limit = max(tick, worst), max(tick, limit)
    return OrderIntent(
        plan_id=plan_id,
        purpose=f"condor:{condor.condor_id}:close",
        legs=legs,
        quantity=condor.quantity,
        limit_price=min(limit, worst),
        worst_price=worst,
        effect=PositionEffect.CLOSE,
        urgency=reason.urgency,
        rules=asked_by,
        condor_id=condor.condor_id,
    )


def most_to_pay(mid: Decimal, worst: Decimal, tick: Decimal, reach: float) -> Decimal:
    """Return the most a close may pay (C9): part of the way from mid to the worst, and below it.

    Args:
        mid: What the condor costs at mid, index points.
        worst: The most it can cost at expiry (``CondorLegs.worst_points``).
        tick: Of the package; the result is a multiple of it.
        reach: That part, 0 to 1.
    """
    most = mid + exact(reach) * (worst - mid)
    return min(round_down(most, tick), round_up(worst, tick) - tick)
