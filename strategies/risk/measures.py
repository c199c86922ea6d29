"""The book in numbers: net vega per condor, greeks, shock losses and break-evens (rule C12)."""

from collections.abc import Mapping, Sequence

from strategies.model.book import CondorPosition, HedgePosition
from strategies.model.plan import Measures
from strategies.pricing.breakevens import expiry_breakevens
from strategies.pricing.shocks import shock_pnls, usual_spx_fraction
from strategies.pricing.valuation import CondorValue, OptionValue, Valuer

SHOCKS = (5.0, 8.0)  # VIX points of B1 and C12
_DIGITS = 6  # what a plan records; beyond it floats only differ by the order of a sum


def condor_vega_usd(
    condors: Sequence[CondorPosition], values: Mapping[str, CondorValue | None]
) -> float | None:
    """Return V_c, the factor vega of the condors in USD per VIX point; None if one has no value.

    ``values``: by condor id, of one condor each.
    """
    total = 0.0
    for condor in condors:
        value = values[condor.condor_id]
        if value is None:
            return None
        total += condor.quantity * value.factor_vega_usd
    return total


def measure(
    valuer: Valuer,
    condors: Sequence[CondorPosition],
    hedges: Sequence[HedgePosition],
    values: Mapping[str, CondorValue | None],
) -> Measures | None:
    """Return the measures of a book; None if something in it cannot be priced.

    ``values``: the condors' values by id, of one condor each.

    Units: money in USD. Delta and gamma are the condors' own, the hedge's SPX delta (through the
    index it insures against) excluded; theta is that of the whole book, futures having none.
    Break-evens are those at expiry, the nearest of all condors on each side.
    """
    condor_vega = condor_vega_usd(condors, values)
    if condor_vega is None:
        return None
    delta = gamma = theta = hedge_vega = 0.0
    for condor in condors:
        value = values[condor.condor_id]
        assert value is not None, "V_c has a value, so has each condor"
        dollars = condor.quantity * condor.legs.short_put.multiplier
        delta += dollars * value.delta
        gamma += dollars * value.gamma
        theta += dollars * value.theta
    for hedge in hedges:
        worth = valuer.value(hedge.instrument)
        if worth is None:
            return None
        hedge_vega += hedge.net_contracts * worth.factor_vega_usd
        if isinstance(worth, OptionValue):
            theta += hedge.net_contracts * hedge.instrument.multiplier * worth.theta
    shocks = [(usual_spx_fraction(points), points) for points in SHOCKS]
    losses = shock_pnls(valuer, condors, hedges, shocks)
    if losses is None:
        return None
    edges = [expiry_breakevens(condor.legs, condor.entry_credit) for condor in condors]
    contracts = sum(condor.quantity for condor in condors)
    net_vega = (condor_vega + hedge_vega) / (100 * contracts) if contracts else None
    return Measures(
        condor_contracts=contracts,
        condor_factor_vega_usd=round(condor_vega, _DIGITS),
        hedge_factor_vega_usd=round(hedge_vega, _DIGITS),
        net_vega_per_condor=None if net_vega is None else round(net_vega, _DIGITS),
        delta_usd=round(delta, _DIGITS),
        gamma_usd=round(gamma, _DIGITS),
        theta_usd_per_day=round(theta, _DIGITS),
        loss_vix_5_usd=round(losses[0], _DIGITS),
        loss_vix_8_usd=round(losses[1], _DIGITS),
        breakeven_low=max((low for low, _ in edges if low is not None), default=None),
        breakeven_high=min((high for _, high in edges if high is not None), default=None),
    )
