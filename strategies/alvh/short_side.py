"""L1's short side: VIX futures sold against a book that is meant to be vega-positive (L6, C5).

With ``bias: positive`` and V_c > 0 L1 is short VX or VXM for its share of V_c, so that the book
keeps the rest. Only futures: a short call would be uncovered (G8). Additions go by the rules of any
purchase - L5's score turned round, L4's whole contracts, L7, B9's step, G1, G3, G6 with the margin
of a short future - and the mirrored ceiling: none may take v below ``-band_high``, at its worst.

Contracts are bought back by B9's step while more are short than the share asks for, and all at once
where V_c is no longer positive or the bias has changed, or down to the share where v has fallen
below the band: there the short side is what makes the book short.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from strategies.alvh.holdings import Lot
from strategies.alvh.instruments import Candidate
from strategies.alvh.rebalance import Attempt, Band, Purchases, Sales, Wish, no_trade_zone
from strategies.model.orders import Urgency
from strategies.model.plan import Gate, Measures
from strategies.model.rules import Rules

_EPSILON = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortSide:
    """What L1 should be short, USD per VIX point, >= 0."""

    target_usd: float
    gate: Gate | None = None  # None where the bias asks for no short side


def short_side(condor_vega_usd: float, rules: Rules) -> ShortSide:
    """Return what L1 should be short against the condors (L6).

    ``condor_vega_usd``: V_c, USD per VIX point.
    """
    if rules.condor.bias != "positive":
        return ShortSide(target_usd=0.0)
    meant_long = is_meant_long(condor_vega_usd, rules)
    target = rules.layers.l1_share * condor_vega_usd if meant_long else 0.0
    gate = Gate(
        rule="L6",
        name="V_c to be short of, USD per VIX point",
        value=round(condor_vega_usd, 6),
        threshold=0.0,
        passed=meant_long,
        note=f"L1 short for {rules.layers.l1_share:g} of it",
    )
    return ShortSide(target_usd=target, gate=gate)


def is_meant_long(condor_vega_usd: float, rules: Rules) -> bool:
    """Return whether the condors are vega-positive and meant to be (C5, L6)."""
    return rules.condor.bias == "positive" and condor_vega_usd > 0


def vega_above(measures: Measures, rules: Rules) -> float | None:
    """Return v as the upper edge of the band judges it (B8, G7); None without condors.

    Against condors that are meant to be long that is what the hedge adds to them.
    """
    if not is_meant_long(measures.condor_factor_vega_usd, rules):
        return measures.net_vega_per_condor
    return measures.hedge_factor_vega_usd / (100 * measures.condor_contracts)


def short_ceiling_usd(condor_vega_usd: float, condors: int, rules: Rules) -> float:
    """Return the most short vega the hedge may reach: v at the lower edge of the mirrored band.

    It ends as far inside that edge as purchases do inside the upper one (B8, G7).
    """
    high = min(rules.rotation.band_high, rules.governors.max_net_vega)
    zone = rules.rotation.no_trade_fraction * (high - rules.rotation.band_low)
    return max(0.0, condor_vega_usd + (high - zone) * 100 * condors)


def short_usd(lots: Sequence[Lot], sales: Sales) -> float:
    """Return the short vega of the lots once plan and orders at work have filled, >= 0."""
    return -sum(sales.expected(lot) * lot.unit_vega_usd for lot in lots if lot.is_short)


def buy_back(
    sales: Sales, lots: Sequence[Lot], target_usd: float, band: Band, rules: Rules
) -> None:
    """Buy back what is short beyond the target (L6), shortest expiry first.

    At once without a target, and where v is below the band; else by one increment (B9).
    """
    held = short_usd(lots, sales)
    excess = held - target_usd
    if excess <= _EPSILON:
        return
    is_urgent = target_usd == 0 or sales.left_vega_usd() < band.floor_usd
    left = excess if is_urgent else min(excess, rules.rotation.increment * held)
    at_least = 1
    for lot in lots:
        unit = lot.unit_vega_usd
        if not lot.is_short or unit <= 0:
            continue
        if not is_urgent and excess < no_trade_zone(unit, target_usd, rules):
            return
        contracts = max(at_least, int(left / unit + _EPSILON))
        urgency = Urgency.URGENT if is_urgent else Urgency.NORMAL
        closed = sales.sell(lot, contracts, ("L6",) if is_urgent else ("L6", "B9"), urgency)
        left -= closed * unit
        excess -= closed * unit
        at_least = 0 if closed else at_least


def sell_short(
    purchases: Purchases,
    lots: Sequence[Lot],
    sales: Sales,
    target_usd: float,
    candidates: Sequence[Candidate],
    rules: Rules,
) -> Attempt:
    """Sell futures short, one increment toward the target (L6, L5, L7, B9, G1, G3, G6, G7).

    ``purchases``: of side -1. ``candidates``: L1's, ranked for buying.
    """
    if target_usd <= short_usd(lots, sales):
        return Attempt()
    wish = Wish(vega_usd=target_usd, uncapped_usd=target_usd, floor_raise_usd=0.0, is_lowered=False)
    return purchases.fill(
        "L1",
        wish,
        _ranked_for_selling(candidates, rules),
        floor_missing_usd=0.0,
        asked_by=("L1", "L6"),
    )


def _ranked_for_selling(candidates: Sequence[Candidate], rules: Rules) -> list[Candidate]:
    """Return the futures, those first whose roll pays the seller most; the spread is paid too."""

    def turned(future: Candidate) -> Candidate:
        spread = (future.ask - future.bid) * future.instrument.multiplier / future.unit_vega_usd
        return replace(future, score=2 * rules.layers.carry_weight * spread - future.score)

    futures = [turned(each) for each in candidates if not each.is_call]
    return sorted(futures, key=lambda each: (each.score, each.instrument.symbol))
