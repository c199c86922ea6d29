"""What the hedge would gain in a spike for each dollar it costs: C11's rolls are measured by it."""

from dataclasses import dataclass
from decimal import Decimal

from strategies.alvh.instruments import FALL_POINTS, rank_candidates
from strategies.model.book import HedgePosition
from strategies.model.fees import DEFAULT_FEES, fee_per_contract
from strategies.model.quotes import to_price
from strategies.model.rules import Rules
from strategies.pricing.shocks import shock_pnl, usual_spx_fraction
from strategies.pricing.valuation import Valuer


@dataclass(frozen=True, slots=True, kw_only=True)
class Relief:
    """A hedge under VIX +8 with its usual SPX move, one contract of it."""

    instrument: str
    gain_usd: float
    cost_usd: float  # premium of a call, spread of a future, and fees

    @property
    def per_dollar(self) -> float:
        """Dollars gained in the spike for each dollar of cost."""
        return self.gain_usd / self.cost_usd


def spike_relief(valuer: Valuer, rules: Rules) -> Relief | None:
    """Return what L1's first choice (L5), which a boost would buy, gains in a spike for its cost.

    A call costs its premium, a future the spread that buying and selling it gives away; both cost
    fees. None where L1 has nothing to buy.
    """
    ranked = rank_candidates(valuer, "L1", rules)
    if not ranked:
        return None
    best = ranked[0]
    one = HedgePosition(
        instrument=best.instrument,
        net_contracts=1,
        average_cost=Decimal(0),
        opened_on=valuer.session,
    )
    gain = shock_pnl(valuer, (), (one,), usual_spx_fraction(FALL_POINTS), FALL_POINTS)
    assert gain is not None, "what is ranked is priced"
    fees = fee_per_contract(best.instrument, to_price(best.ask), DEFAULT_FEES, is_combo=False)
    spread = (best.ask - best.bid) * best.instrument.multiplier
    cost = best.premium_usd if best.is_call else spread
    return Relief(instrument=str(best.instrument), gain_usd=gain, cost_usd=cost + float(fees))
