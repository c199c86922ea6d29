"""Which condor to sell: expiry (C2), short strikes (C3) and, by ``wings``, the longs (C4, C5)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import numpy as np

from strategies.condor.wings import Freedom, Short, bias_gate, choose_wings
from strategies.model.book import CondorLegs
from strategies.model.instruments import OptionContract
from strategies.model.plan import Gate
from strategies.model.quotes import CALL, PUT, BoolArray
from strategies.model.rules import CondorRules
from strategies.pricing.valuation import SeriesValues, Valuer


@dataclass(frozen=True, slots=True, kw_only=True)
class CondorChoice:
    """The condor that C2-C5 picked. Prices in index points, per condor."""

    legs: CondorLegs
    mid_credit: float
    credit: Decimal  # the least an entry accepts: mid less the concession, on the tick grid
    net_vega: float  # points per vol point
    short_put_delta: float
    short_call_delta: float
    sigma_sqrt_t: float  # at-the-money vol x sqrt(years to settlement)


def choose_expiry(valuer: Valuer, session: date, rules: CondorRules) -> tuple[int | None, Gate]:
    """Return the SPX series nearest to the target days inside the window, earlier first (C2)."""
    chain = valuer.market.spx_options
    usable: list[tuple[int, date, int]] = []
    for index, series in enumerate(chain.series):
        days = (series.expiry - session).days
        contract_settles_pm = series.root == "SPXW"
        if not valuer.spx.ok[index] or not (contract_settles_pm or rules.allow_am_settled):
            continue
        if rules.min_dte <= days <= rules.max_dte:
            usable.append((abs(days - rules.target_dte), series.expiry, index))
    chosen = min(usable)[2] if usable else None
    days_chosen = None if chosen is None else (chain.series[chosen].expiry - session).days
    gate = Gate(
        rule="C2",
        name="days to expiry",
        value=None if days_chosen is None else float(days_chosen),
        threshold=f"{rules.min_dte} .. {rules.max_dte}, nearest {rules.target_dte}",
        passed=chosen is not None,
        note="" if chosen is not None else "no such expiry is quoted",
    )
    return chosen, gate


def choose_condor(
    valuer: Valuer,
    series_index: int,
    *,
    positions: Mapping[OptionContract, int],
    closing: Collection[OptionContract] = (),
    rules: CondorRules,
    most_points: float | None = None,
) -> tuple[CondorChoice | None, tuple[Gate, ...]]:
    """Return the condor of one series by C3 and C4 or C5, and their gates; None if a gate failed.

    Args:
        valuer: The market's values.
        series_index: The series C2 chose.
        positions: Signed contracts held and at work; none of them is traded the other way.
        closing: Legs of condors that are being closed; none of them is traded either way.
        rules: The thresholds.
        most_points: The max loss of one condor that C7 allows, index points; None = any.
    """
    if (refusal := bias_gate(rules)) is not None:
        return None, (refusal,)
    values = valuer.options_in_series("SPX", series_index)
    free = Freedom(valuer, positions, closing)
    to_sell = free.to_sell(series_index)
    shorts: list[Short | None] = []
    gates: list[Gate] = []
    for side, name in ((PUT, "short put delta"), (CALL, "short call delta")):
        short = short_strike(values, side, to_sell[:, side], rules)
        shorts.append(short)
        gates.append(
            Gate(
                rule="C3",
                name=name,
                value=None if short is None else round(abs(short.delta), 4),
                threshold=rules.short_delta,
                passed=short is not None,
                note="" if short is not None else "no quoted strike is near that delta",
            )
        )
    short_put, short_call = shorts
    if short_put is None or short_call is None:
        return None, tuple(gates)
    wings, gate = choose_wings(
        valuer,
        series_index,
        short_put,
        short_call,
        free=free,
        rules=rules,
        most_points=most_points,
    )
    gates.append(gate)
    if wings is None:
        return None, tuple(gates)
    t_years = valuer.market.spx_options.series[series_index].years_from(valuer.market.at)
    choice = CondorChoice(
        legs=wings.legs,
        mid_credit=wings.mid_credit,
        credit=wings.credit,
        net_vega=wings.net_vega,
        short_put_delta=short_put.delta,
        short_call_delta=short_call.delta,
        sigma_sqrt_t=valuer.spx.atm_vol(series_index) * t_years**0.5,
    )
    return choice, tuple(gates)


def short_strike(
    values: SeriesValues, side: int, usable: BoolArray, rules: CondorRules
) -> Short | None:
    """Return the usable strike nearest to C3's delta; None if none is near enough.

    Args:
        values: The series.
        side: PUT or CALL.
        usable: Which strikes may be sold, (n,).
        rules: The delta aimed at, and how far from it a short may be.
    """
    distance = np.where(usable, np.abs(np.abs(values.delta[:, side]) - rules.short_delta), np.inf)
    row = int(np.argmin(distance))
    # A chain whose nearest strike is further than this from the delta aimed at has no such option
    if distance[row] > rules.delta_tolerance:
        return None
    return Short(row, float(values.delta[row, side]))
