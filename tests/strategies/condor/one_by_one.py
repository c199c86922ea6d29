"""The rolls of one side, looked for and priced one at a time: what the columns are measured by."""

from dataclasses import replace
from decimal import Decimal

import numpy as np

from strategies.condor.moves import Asked, Saving
from strategies.condor.rolls import Desk, Roll, Side
from strategies.model.fees import DEFAULT_FEES, fee_per_contract
from strategies.model.instruments import Right
from strategies.model.quotes import CALL, PUT, to_price
from strategies.pricing.shocks import shocked_prices


def series_after(desk: Desk, side: Side) -> list[int]:
    """Return the series a side may be rolled out to in time, the earliest first."""
    old, rules = side.short.contract, desk.rules
    return [
        index
        for index, series in enumerate(desk.valuer.market.spx_options.series)
        if series.root == old.root
        and series.expiry > old.expiry
        and rules.min_roll_dte <= desk.days(series.expiry) <= rules.max_dte
        and desk.valuer.spx.ok[index]
    ]


def at_strikes(desk: Desk, side: Side, index: int) -> Side | None:
    """Return the side at its strikes in another series."""
    expiry = desk.valuer.market.spx_options.series[index].expiry
    later = expiry + (side.long.contract.expiry - side.short.contract.expiry)
    short = replace(side.short.contract, expiry=expiry)
    long = replace(side.long.contract, expiry=later)
    values = desk.valuer.option(short), desk.valuer.option(long)
    if None in values or not desk.may_trade(short, -1) or not desk.may_trade(long, 1):
        return None
    return Side(short=values[0], long=values[1])


def narrowest_paid(desk: Desk, asked: Asked, index: int, least: Decimal) -> Side | None:
    """Return the side at C3's delta, as wide as it is or as its credit needs."""
    old, chain = asked.old, desk.valuer.market.spx_options
    target = desk.target(index, old.right)
    if target is None:
        return None
    later = target.expiry + (old.long.contract.expiry - old.short.contract.expiry)
    series = chain.find_series(target.root, later)
    if series is None:
        return None
    outward, column = (-1, PUT) if old.right is Right.PUT else (1, CALL)
    strikes = chain.strike[chain.rows_of(series)][desk.free.to_buy(series)[:, column]]
    widest = None
    for strike in sorted(strikes, key=lambda each: outward * each):
        if outward * (strike - float(target.strike)) < old.width:
            continue
        contract = replace(target, expiry=later, strike=Decimal(repr(float(strike))))
        widest = Side(short=desk.valuer.option(target), long=desk.valuer.option(contract))
        if desk.roll(asked.condor, old, widest).credit >= least:
            return widest
    return widest


def rolls_out(desk: Desk, asked: Asked) -> list[Roll]:
    """Return C10's rolls of a side to later expiries."""
    return [
        desk.roll(asked.condor, asked.old, new)
        for index in series_after(desk, asked.old)
        for new in (desk.at_target(asked.old, index), at_strikes(desk, asked.old, index))
        if new is not None
    ]


def moves_out(desk: Desk, asked: Asked) -> list[Roll]:
    """Return C11's rolls of a side."""
    now, old = desk.series_now(asked.old), asked.old.short.contract
    outward = -1 if asked.old.right is Right.PUT else 1
    found = []
    for index in (now, *series_after(desk, asked.old)):
        new = narrowest_paid(desk, asked, index, Decimal(0))
        if new is None:
            continue
        short = new.short.contract
        moved = outward * (short.strike - old.strike)
        if moved > 0 or (moved == 0 and short.expiry > old.expiry):
            found.append(desk.roll(asked.condor, asked.old, new))
    return found


def saved_usd(roll: Roll, desk: Desk, shock: tuple[float, float]) -> float:
    """Return how much less a condor loses under a shock once all of it is rolled."""
    terms = desk.valuer.terms([contract for contract, _ in roll.order_legs])
    fractions, points = (np.array([[0.0], [each]]) for each in shock)
    before, after = shocked_prices(desk.valuer, terms, fractions, points)
    ratios = np.array([ratio for _, ratio in roll.order_legs], dtype=np.float64)
    return float((after - before) @ ratios) * roll.condor.quantity * 100


def saving_of(roll: Roll, desk: Desk, shock: tuple[float, float]) -> Saving:
    """Return what a roll saves under a shock, and what it costs."""
    values = (roll.old.long, roll.old.short, roll.new.short, roll.new.long)
    fees = sum(
        float(fee_per_contract(each.contract, to_price(each.mid), DEFAULT_FEES, is_combo=True))
        * abs(ratio)
        for each, (_, ratio) in zip(values, roll.order_legs, strict=True)
    )
    given_up = (roll.mid_credit - float(roll.credit)) * 100
    days = desk.days(roll.expiry) - desk.rules.time_exit_dte
    margin = max(0.0, float(desk.margin_added_usd(roll)))
    cost = roll.condor.quantity * (given_up + fees) + margin * desk.rules.hurdle * days / 365
    return Saving(saved_usd=saved_usd(roll, desk, shock), cost_usd=cost)
