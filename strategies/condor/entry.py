"""Whether a condor is sold now and how many: schedule (C1), credit (C6), size (C7), return (C8).

Prices: the entry starts at mid and may give up ``entry_concession`` of the way to the natural
price. Every gate and the size are computed on the least credit it accepts, so that no fill of the
order can break them.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import ROUND_FLOOR, Decimal

from strategies.condor.amounts import exact, shown_ratio
from strategies.condor.selection import CondorChoice, choose_condor, choose_expiry
from strategies.model.book import Account
from strategies.model.instruments import OptionContract
from strategies.model.orders import Leg, OrderIntent, PositionEffect, Urgency
from strategies.model.plan import CondorOpen, Gate
from strategies.model.quotes import to_price
from strategies.model.rules import CondorRules
from strategies.model.snapshots import MarketSnapshot
from strategies.model.ticks import order_tick, round_down
from strategies.pricing.margin import condor_margin_usd, condor_max_loss_usd
from strategies.pricing.returns import condor_irr, realised_ratio
from strategies.pricing.valuation import Valuer

_MULTIPLIER = 100  # USD per SPX point
_RATE_DIGITS = 6
_NO_SPOT = Gate(rule="S", name="SPX index", value=None, threshold="a fresh value", passed=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What C1-C8 made of one interval."""

    opened: CondorOpen | None
    order: OrderIntent | None
    gates: tuple[Gate, ...]

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why no condor is opened; empty if one is."""
        return tuple(_sentence(gate) for gate in self.gates if not gate.passed)


def _sentence(gate: Gate) -> str:
    value = "absent" if gate.value is None else f"{gate.value}"
    note = f" ({gate.note})" if gate.note else ""
    return f"{gate.rule}: {gate.name} {value}, wanted {gate.threshold}{note}"


def schedule_gates(
    snapshot: MarketSnapshot, *, entries_at_work: int, rules: CondorRules
) -> tuple[Gate, ...]:
    """Return C1's gates: is an entry due, and is nothing in its way."""
    gates = [
        Gate(
            rule="C1",
            name="entry due",
            value="yes" if snapshot.entry_due else "no",
            threshold="yes",
            passed=snapshot.entry_due,
        )
    ]
    if not snapshot.entry_due:
        return tuple(gates)
    left = snapshot.closes_at - snapshot.at
    if snapshot.is_early_close:
        needed = timedelta(hours=rules.min_hours_before_early_close)
        gates.append(
            Gate(
                rule="C1",
                name="hours before the early close",
                value=round(left / timedelta(hours=1), 4),
                threshold=rules.min_hours_before_early_close,
                passed=left >= needed,
            )
        )
    if rules.skip_event_days:
        today = [str(e.kind) for e in snapshot.events or () if e.trading_days == 0]
        gates.append(
            Gate(
                rule="C1",
                name="event today",
                value=None if snapshot.events is None else ", ".join(today) or "none",
                threshold="none",
                # Without a calendar nobody knows; who asked to sit events out does so then
                passed=snapshot.events is not None and not today,
                note="" if snapshot.events is not None else "no event calendar",
            )
        )
    gates.append(
        Gate(
            rule="C1",
            name="entries still at work",
            value=float(entries_at_work),
            threshold=0.0,
            passed=entries_at_work == 0,
        )
    )
    return tuple(gates)


def plan_entry(
    snapshot: MarketSnapshot,
    valuer: Valuer,
    *,
    account: Account,
    condor_id: str,
    positions: Mapping[OptionContract, int],
    closing: Collection[OptionContract] = (),
    margin_used_usd: Decimal,
    hedge_share: float,
    wacc: float | None,
    plan_id: str,
    rules: CondorRules,
) -> Entry:
    """Return the condor to open by C2-C8, with every gate that was looked at.

    Args:
        snapshot: The interval; its schedule (C1) has been asked already.
        valuer: The market's values.
        account: For C7: shares of its net liquidation value.
        condor_id: The id the condor will have.
        positions: Signed option contracts held and at work.
        closing: Legs of condors that are being closed; none of them is traded.
        margin_used_usd: Margin of the condors held and being opened.
        hedge_share: For C8: what the hedge of a condor costs, as a share of its credit (G2).
        wacc: For C8: the cost of capital a year (G5), decimal; None where it is not known.
        plan_id: Identity of the plan the order belongs to.
        rules: The thresholds.
    """
    spot = snapshot.market.indices.get("SPX")
    if spot is None:
        return Entry(opened=None, order=None, gates=(_NO_SPOT,))
    series_index, expiry_gate = choose_expiry(valuer, snapshot.session, rules)
    if series_index is None:
        return Entry(opened=None, order=None, gates=(expiry_gate,))
    budget = exact(rules.max_loss_fraction) * account.net_liquidation_usd
    choice, choice_gates = choose_condor(
        valuer,
        series_index,
        positions=positions,
        closing=closing,
        rules=rules,
        most_points=float(budget) / _MULTIPLIER,
    )
    gates = [expiry_gate, *choice_gates]
    if choice is None:
        return Entry(opened=None, order=None, gates=tuple(gates))
    gates.append(credit_gate(choice, rules))
    quantity, size_gates = size(choice, account, margin_used_usd, rules)
    gates.extend(size_gates)
    gates.append(
        return_gate(
            choice,
            valuer,
            ratio=realised_ratio(snapshot.history, snapshot.session),
            hedge_share=hedge_share,
            wacc=wacc,
            rules=rules,
        )
    )
    if not all(gate.passed for gate in gates):
        return Entry(opened=None, order=None, gates=tuple(gates))
    bias = "C4" if rules.bias == "negative" else "C5"
    asked_by = ("C1", "C2", "C3", bias, "C6", "C7", "C8")
    opened = CondorOpen(
        condor_id=condor_id,
        legs=choice.legs,
        quantity=quantity,
        mid_credit=choice.mid_credit,
        net_vega=choice.net_vega,
        short_put_delta=choice.short_put_delta,
        short_call_delta=choice.short_call_delta,
        entry_spot=spot.value,
        entry_sigma_sqrt_t=choice.sigma_sqrt_t,
        rules=asked_by,
    )
    legs = tuple(Leg(instrument=leg, ratio=sign) for leg, sign in choice.legs.signed())
    tick = order_tick([leg.instrument for leg in legs], choice.credit)
    worst = -choice.credit
    order = OrderIntent(
        plan_id=plan_id,
        purpose=f"condor:{condor_id}:open",
        legs=legs,
        quantity=quantity,
        limit_price=min(worst, round_down(to_price(-choice.mid_credit), tick)),
        worst_price=worst,
        effect=PositionEffect.OPEN,
        urgency=Urgency.PATIENT,
        rules=asked_by,
        condor_id=condor_id,
    )
    return Entry(opened=opened, order=order, gates=tuple(gates))


def credit_gate(choice: CondorChoice, rules: CondorRules) -> Gate:
    """Return C6: the least credit over the widest wing, that of every short of a condor."""
    width, floor = choice.legs.width * choice.legs.short_ratio, exact(rules.min_credit_to_width)
    return Gate(
        rule="C6",
        name="credit over width",
        value=shown_ratio(choice.credit / width, floor),
        threshold=rules.min_credit_to_width,
        passed=choice.credit >= floor * width,
        note=f"credit {choice.credit} of {width}",
    )


def size(
    choice: CondorChoice, account: Account, margin_used_usd: Decimal, rules: CondorRules
) -> tuple[int, tuple[Gate, ...]]:
    """Return how many condors to sell, rounded down, and C7's two gates.

    The max loss of the position stays within its share of net liquidation value, and the margin
    of all condors within theirs; margin by the convention of the rules.
    """
    worth = account.net_liquidation_usd
    loss = condor_max_loss_usd(choice.legs, choice.credit, 1)
    by_loss = _floor(exact(rules.max_loss_fraction) * worth, loss)
    margin = condor_margin_usd(choice.legs, 1, rules.margin_convention)
    most = exact(rules.max_margin_fraction) * worth
    by_margin = _floor(most - margin_used_usd, margin)
    quantity = max(0, min(by_loss, by_margin))
    gates = (
        Gate(
            rule="C7",
            name="condors by max loss",
            value=float(by_loss),
            threshold=1.0,
            passed=by_loss >= 1,
            note=f"{loss:.0f} USD each, {rules.max_loss_fraction:.1%} of {worth:.0f}",
        ),
        Gate(
            rule="C7",
            name="condors by margin",
            value=float(by_margin),
            threshold=1.0,
            passed=by_margin >= 1,
            note=f"{margin_used_usd:.0f} USD used of {most:.0f}",
        ),
    )
    return quantity, gates


def return_gate(
    choice: CondorChoice,
    valuer: Valuer,
    *,
    ratio: float | None,
    hedge_share: float,
    wacc: float | None,
    rules: CondorRules,
) -> Gate:
    """Return C8: expected IRR on the least credit, net of hedge cost, over hurdle and WACC.

    A rate that nobody can tell is no reason to sell. Without a WACC the hurdle alone counts. A
    condor that is not short vega (C5) buys no core: L6 sells futures against it.

    Args:
        choice: The condor.
        valuer: The market's values.
        ratio: Physical over implied vol (``realised_ratio``); None = not known.
        hedge_share: What its hedge costs, as a share of the credit (G2).
        wacc: The cost of capital a year (G5), decimal; None = not known.
        rules: The hurdle, and whose margin is the capital invested.
    """
    value = valuer.condor(choice.legs)
    buys_core = value is None or value.factor_vega_usd < 0
    hedge_usd = exact(hedge_share) * choice.credit * choice.legs.short_put.multiplier
    expected = condor_irr(
        valuer,
        choice.legs,
        credit=choice.credit,
        hedge_usd=hedge_usd if buys_core else Decimal(0),
        ratio=ratio,
        convention=rules.margin_convention,
    )
    needed = rules.hurdle if wacc is None else max(rules.hurdle, wacc)
    cost = "WACC not known" if wacc is None else f"WACC {wacc:.2%}"
    known = f"hurdle {rules.hurdle:.2%}, {cost}"
    return Gate(
        rule="C8",
        name="expected IRR net of hedge cost",
        value=None if expected.rate is None else round(expected.rate, _RATE_DIGITS),
        threshold=round(needed, _RATE_DIGITS),
        passed=expected.reaches(needed) is True,
        note=known if expected.reason is None else f"{expected.reason}; {known}",
    )


def _floor(budget: Decimal, unit: Decimal) -> int:
    return int((budget / unit).to_integral_value(ROUND_FLOOR))
