"""Which instrument a layer buys: the cheapest carry and the most convexity (L5), staggered (L7).

Everything is put per unit of factor vega, in VIX points, so that calls and futures compare:

    score = carry_weight x carry - convexity_weight x convexity,   the lowest score wins.

- carry: what holding for ``carry_days`` costs. A future rolls toward spot VIX in a straight line; a
  call loses theta besides its share (delta) of that roll. The spread is paid once and added.
- convexity: what VIX +8 pays beyond a straight line (8 points per unit). The future behind a call
  moves 8 x beta(t) points and its vol stays.

What the layer holds already goes before anything whose score is better by less than
``held_margin``: scores of neighbouring strikes change places with every quote, and a layer that
followed each of them would splinter into lots of a call or two.

Ties go to the order of the rule book's table for the layer. Candidates have a two-sided quote,
stay inside the first ``months`` VX months and can be held for five days at least before B10 rolls
them; calls cost at least ``min_premium`` and have a delta inside the window. VIX call spreads, VXX
and VIXM and their options, and the variance strip are not traded: the nearest outright calls and
futures stand in for them.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import numpy as np

from strategies.alvh.holdings import LEAST_HOLDING_DAYS, layer_of
from strategies.model.instruments import ROOTS, Instrument, OptionContract, Right
from strategies.model.quotes import CALL, FloatArray
from strategies.model.rules import LayerRules, Rules
from strategies.pricing import black76
from strategies.pricing.factor_vega import future_beta
from strategies.pricing.valuation import Valuer

FALL_POINTS = 8.0  # VIX points of a fall, SPX -7 % (L4, L5)
# Order of preference in the rule book's table of layers, for equal scores
_CALLS_FIRST = {"L1": True, "L2": False, "L3": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One instrument a layer may buy. Lower scores are better."""

    instrument: Instrument
    bid: float
    ask: float
    days: int
    unit_vega_usd: float  # of one contract, USD per VIX point
    score: float  # VIX points
    is_call: bool
    carry: float = 0.0  # the score's parts, VIX points, not weighted
    convexity: float = 0.0

    @property
    def expiry(self) -> date:
        """The day it expires."""
        return self.instrument.expiry

    @property
    def premium_usd(self) -> float:
        """The most one contract can cost in premium; 0 for a future."""
        return self.ask * self.instrument.multiplier if self.is_call else 0.0

    @property
    def notional_usd(self) -> float:
        """G3's measure of one contract: premium at risk, or a future's notional."""
        return self.ask * self.instrument.multiplier


def rank_candidates(
    valuer: Valuer, layer: str, rules: Rules, held: Collection[Instrument] = ()
) -> tuple[Candidate, ...]:
    """Return what a layer may buy, best first (L5); empty where spot VIX or quotes are missing.

    Args:
        valuer: Prices of the interval.
        layer: The layer.
        rules: Tenors, windows, weights and the margin of what is held.
        held: What is held long, or being bought.
    """
    spot = valuer.market.indices.get("VIX")
    if spot is None:
        return ()
    found = [
        *_calls(valuer, layer, spot.value, rules),
        *_futures(valuer, layer, spot.value, rules),
    ]
    calls_first = _CALLS_FIRST[layer]

    def place(each: Candidate) -> tuple[float, bool, bool, str]:
        is_held = each.instrument in held
        score = each.score - (rules.layers.held_margin if is_held else 0.0)
        return score, not is_held, each.is_call is not calls_first, each.instrument.symbol

    return tuple(sorted(found, key=place))


def _last_expiry(valuer: Valuer, most: int) -> date:
    months = sorted(
        {
            quote.contract.expiry
            for quote in valuer.market.futures
            if quote.contract.expiry > valuer.session
        }
    )
    return months[:most][-1] if months else date.max


def _futures(valuer: Valuer, layer: str, spot: float, rules: Rules) -> list[Candidate]:
    found = []
    last = _last_expiry(valuer, rules.layers.months)
    for quote in valuer.market.futures:
        contract = quote.contract
        days = (contract.expiry - valuer.session).days
        value = valuer.future(contract)
        if (
            value is None
            or days - rules.rotation.future_roll_days < LEAST_HOLDING_DAYS
            or layer_of(days, rules.layers) != layer
            or days > rules.layers.l3_max_days
            or contract.expiry > last
            or (contract.root == "VXM" and not rules.layers.use_vxm)
        ):
            continue
        roll = rules.layers.carry_days * (value.mid - spot) / days
        carry = (roll + value.ask - value.bid) / value.beta
        found.append(
            Candidate(
                instrument=contract,
                bid=value.bid,
                ask=value.ask,
                days=days,
                unit_vega_usd=value.factor_vega_usd,
                score=rules.layers.carry_weight * carry,  # a future has no convexity
                is_call=False,
                carry=carry,
            )
        )
    return found


def _calls(valuer: Valuer, layer: str, spot: float, rules: Rules) -> list[Candidate]:
    found = []
    last = _last_expiry(valuer, rules.layers.months)
    for index, series in enumerate(valuer.market.vix_options.series):
        days = (series.expiry - valuer.session).days
        if (
            not valuer.vix.ok[index]
            or days - rules.rotation.option_roll_days < LEAST_HOLDING_DAYS
            or layer_of(days, rules.layers) != layer
            or days > rules.layers.l3_max_days
            or series.expiry > last
        ):
            continue
        found.extend(_calls_of_series(valuer, index, days, spot, rules))
    return found


def _calls_of_series(
    valuer: Valuer, index: int, days: int, spot: float, rules: Rules
) -> list[Candidate]:
    values = valuer.options_in_series("VIX", index)
    layers = rules.layers
    delta, mid, bid, ask = (
        column[:, CALL] for column in (values.delta, values.mid, values.bid, values.ask)
    )
    rows = np.flatnonzero(
        values.quoted[:, CALL]
        & (bid > 0)
        & (mid >= layers.min_premium)
        & (delta >= layers.call_delta_low)
        & (delta <= layers.call_delta_high)
    )
    if not len(rows):
        return []
    strike, vol, delta = values.strike[rows], values.vol[rows, CALL], delta[rows]
    spread, theta = (ask - bid)[rows], values.theta[rows, CALL]
    beta = float(future_beta(days))
    unit = delta * beta  # points of the call per VIX point
    roll_down = (values.forward - spot) / days
    carry = (layers.carry_days * (delta * roll_down - theta) + spread) / unit
    discount = float(valuer.vix.forwards.discount[index])

    def price(forward: float) -> FloatArray:
        return black76.price(forward, strike, values.t_years, vol, discount, is_call=True)

    gain = price(values.forward + FALL_POINTS * beta) - price(values.forward)
    convexity = gain / unit - FALL_POINTS
    scores = layers.carry_weight * carry - layers.convexity_weight * convexity
    series = valuer.market.vix_options.series[index]
    return [
        Candidate(
            instrument=OptionContract(
                series.root, series.expiry, Right.CALL, Decimal(round(strike[n] * 1000)) / 1000
            ),
            bid=float(bid[row]),
            ask=float(ask[row]),
            days=days,
            unit_vega_usd=float(unit[n]) * ROOTS[series.root].multiplier,
            score=float(scores[n]),
            is_call=True,
            carry=float(carry[n]),
            convexity=float(convexity[n]),
        )
        for n, row in enumerate(rows)
    ]


def is_staggered(at_expiry: int, in_layer: int, rules: LayerRules) -> bool:
    """Return whether one expiry may hold ``at_expiry`` of a layer's ``in_layer`` contracts (L7)."""
    if in_layer < rules.stagger_from_contracts:
        return True
    return at_expiry <= rules.stagger_max_share * in_layer + 1e-9
