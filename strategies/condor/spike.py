"""Spike response, the first line of ALVH: shorts are moved out before a layer is boosted (C11).

While R3 holds, a condor whose short has come further than C3's tolerance from C3's delta may have
that side moved out: its short to C3's delta in the same expiry or in a later one of the window, as
wide as it is or as much wider as a net credit of nothing or more needs. It is moved where that
saves more of the loss under B1's shock (VIX +8 with its usual SPX move) for a dollar of cost than
the hedge would.

A roll costs what its order may give up from mid, its fees, and the hurdle rate (C8) on the margin
it adds until the condor's time exit.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from strategies.condor.amounts import exact, shown_ratio
from strategies.condor.rolls import USD_PER_POINT, Answer, Desk, Roll, Side, saved_usd
from strategies.model.book import CondorPosition
from strategies.model.fees import DEFAULT_FEES, fee_per_contract
from strategies.model.instruments import Right
from strategies.model.plan import Gate
from strategies.model.quotes import to_price
from strategies.pricing.shocks import usual_spx_fraction

SHOCK_POINTS = 8.0  # VIX points of B1's larger shock
_LEAST_CREDIT = Decimal(0)
_DAYS_PER_YEAR = 365
_LEAST_COST_USD = 0.01  # so that a roll that costs nothing has a rate
_DIGITS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """What the hedge would do instead."""

    name: str  # of its first choice
    per_dollar: float  # dollars gained under B1's shock for each dollar of cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """What a roll saves under B1's shock, and what it costs: USD for the whole position."""

    saved_usd: float
    cost_usd: float

    @property
    def per_dollar(self) -> float:
        """Dollars of spike loss saved for each dollar of cost."""
        return self.saved_usd / self.cost_usd


def spike_roll(
    condor: CondorPosition,
    away: Side,
    desk: Desk,
    hedge: Callable[[], Rival | None],
    blocked: str,
) -> Answer:
    """Return how a condor answers a spike (C11): the roll, or why there is none.

    Args:
        condor: Held, and not being closed.
        away: Its side whose short has the larger delta.
        desk: What may be rolled into what.
        hedge: Tells what the hedge would do, None if nothing; asked where there is a roll to judge.
        blocked: Why it must not be rolled at all; empty if it may.
    """
    rules = desk.rules
    most = exact(rules.short_delta) + exact(rules.delta_tolerance)
    delta = abs(away.short.delta)
    moved = Gate(
        rule="C11",
        name=f"short delta of {condor.condor_id} in a spike",
        value=shown_ratio(Decimal(repr(delta)), most),
        threshold=float(most),
        passed=delta <= most,
        note=str(away),
    )
    if moved.passed:
        return Answer(gates=(moved,))
    if blocked:
        return Answer(gates=(moved,), why=blocked)
    roll, obstacle = _best(condor, away, desk)
    credit = Gate(
        rule="C11",
        name=f"net credit of moving {condor.condor_id} out",
        value=None if roll is None else float(roll.credit),
        threshold=float(_LEAST_CREDIT),
        passed=roll is not None,
        note=obstacle if roll is None else str(roll),
    )
    if roll is None:
        return Answer(gates=(moved, credit), why=obstacle)
    saving, rival = saving_of(roll, desk), hedge()
    asked = 0.0 if rival is None else rival.per_dollar
    instead = "no hedge to buy" if rival is None else f"the hedge is {rival.name}"
    is_better = saving.saved_usd > 0 and saving.per_dollar > asked
    judged = Gate(
        rule="C11",
        name=f"spike loss saved a dollar by rolling {condor.condor_id}",
        value=round(saving.per_dollar, _DIGITS),
        threshold=round(asked, _DIGITS),
        passed=is_better,
        note=f"{saving.saved_usd:.0f} USD for {saving.cost_usd:.0f}; {instead}",
    )
    gates = (moved, credit, judged)
    if is_better:
        return Answer(roll=roll, gates=gates)
    return Answer(gates=gates, why=f"{roll} saves {saving.per_dollar:.2f} a dollar, {instead}")


def _best(condor: CondorPosition, old: Side, desk: Desk) -> tuple[Roll | None, str]:
    """Return the roll out that saves most for a dollar; None, and why, if none may be ordered."""
    now = desk.series_now(old)
    found: list[Roll] = []
    refused: list[tuple[Decimal, str]] = []
    for index in (*(() if now is None else (now,)), *desk.series_after(old)):
        new = desk.narrowest_paid(condor, old, index, _LEAST_CREDIT)
        if new is None or not _is_out(old, new):
            continue
        roll = desk.roll(condor, old, new)
        obstacle = desk.obstacle(roll, _LEAST_CREDIT)
        if obstacle:
            refused.append((roll.max_loss_usd, f"{roll}: {obstacle}"))
        else:
            found.append(roll)
    if found:
        return max(found, key=lambda each: saving_of(each, desk).per_dollar), ""
    return None, min(refused)[1] if refused else "nothing further out fits"


def _is_out(old: Side, new: Side) -> bool:
    """Whether a short lies further out, or as far and later."""
    outward = -1 if old.right is Right.PUT else 1
    moved = outward * (new.short.contract.strike - old.short.contract.strike)
    return moved > 0 or (moved == 0 and new.short.contract.expiry > old.short.contract.expiry)


def saving_of(roll: Roll, desk: Desk) -> Saving:
    """Return what a roll saves under VIX +8 with its usual SPX move, and what it costs."""
    saved = saved_usd(roll, desk.valuer, usual_spx_fraction(SHOCK_POINTS), SHOCK_POINTS)
    values = (roll.old.long, roll.old.short, roll.new.short, roll.new.long)
    fees = sum(
        float(fee_per_contract(each.contract, to_price(each.mid), DEFAULT_FEES, is_combo=True))
        * abs(ratio)
        for each, (_, ratio) in zip(values, roll.order_legs, strict=True)
    )
    given_up = (roll.mid_credit - float(roll.credit)) * USD_PER_POINT
    days = desk.days(roll.expiry) - desk.rules.time_exit_dte
    margin = max(0.0, float(desk.margin_added_usd(roll)))
    cost = roll.condor.quantity * (given_up + fees)
    cost += margin * desk.rules.hurdle * days / _DAYS_PER_YEAR
    return Saving(saved_usd=saved, cost_usd=max(_LEAST_COST_USD, cost))
