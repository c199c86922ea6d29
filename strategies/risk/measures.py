"""The book in numbers: vega, greeks, shocks, break-evens, return and capital (C12, G4-G6, S12).

One ``Measurer`` a decision measures the book before and after the plan; the options of both are
priced once. What is recorded is rounded: beyond it floats differ by the order of a sum only.
"""

from collections.abc import Mapping, Sequence

from strategies.model.book import Account, CondorPosition, HedgePosition
from strategies.model.plan import BookBreakevens, Measures
from strategies.model.rules import Rules
from strategies.model.snapshots import DailyHistory
from strategies.pricing.breakevens import expiry_breakevens
from strategies.pricing.capital import capm_beta, quick_ratio, wacc
from strategies.pricing.repricing import Repricer, Shocks
from strategies.pricing.returns import Expectation, irr, realised_ratio
from strategies.pricing.shock_table import SPX_FRACTIONS, VIX_POINTS, table_of
from strategies.pricing.valuation import CondorValue, OptionValue, Valuer
from strategies.risk.book_breakevens import (
    PROFILE,
    VIX_SHOCKS,
    book_breakevens,
    usual_loss_usd,
)

SHOCKS = VIX_SHOCKS[1:]  # VIX points of B1 and C12
_DIGITS = 6
_CENTS = 2
_TABLE = Shocks.of(SPX_FRACTIONS, VIX_POINTS)


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


def vega_per_theta(net_vega_usd: float, theta_usd_per_day: float) -> float | None:
    """Return S12, the dollars per VIX point that each dollar a day is earned with.

    Absent where the book earns nothing by waiting: theta zero or below.
    """
    return abs(net_vega_usd) / theta_usd_per_day if theta_usd_per_day > 0 else None


class Measurer:
    """Measures the books of one decision."""

    def __init__(
        self, valuer: Valuer, account: Account, history: DailyHistory, rules: Rules
    ) -> None:
        self._valuer = valuer
        self._account = account
        self._rules = rules
        ratio = realised_ratio(history, valuer.session)
        self._repricer = Repricer(valuer, (PROFILE, _TABLE), ratio)
        # What books are expected to return; None while nobody knows how far vol is realised
        self.expectation = (
            None
            if ratio is None
            else Expectation(valuer, self._repricer, rules.condor.margin_convention)
        )

    def measure(
        self,
        condors: Sequence[CondorPosition],
        hedges: Sequence[HedgePosition],
        values: Mapping[str, CondorValue | None],
    ) -> Measures | None:
        """Return the measures of a book; None if something in it cannot be priced.

        ``values``: the condors' values by id, of one condor each.

        Units: money in USD. Delta and gamma are the condors' own, the hedge's SPX delta (through
        the index it insures against) excluded; beta counts it. Theta is that of the whole book,
        futures having none. ``breakeven_low`` and ``_high`` are at expiry, the nearest of all
        condors on each side. The account is as it is now, before and after alike.
        """
        valuer, rules = self._valuer, self._rules
        condor_vega = condor_vega_usd(condors, values)
        short, hedge = self._repricer.condors(condors), self._repricer.hedges(hedges)
        hedged = self._hedge_vega_and_theta(hedges)
        if condor_vega is None or short is None or hedge is None or hedged is None:
            return None
        hedge_vega, theta = hedged
        delta = gamma = 0.0
        for condor in condors:
            value = values[condor.condor_id]
            assert value is not None, "V_c has a value, so has each condor"
            dollars = condor.quantity * condor.legs.short_put.multiplier
            delta += dollars * value.delta
            gamma += dollars * value.gamma
            theta += dollars * value.theta
        short_gains = self._repricer.gains_usd(short)
        hedge_gains = self._repricer.gains_usd(hedge)
        losses = [usual_loss_usd(short_gains + hedge_gains, points) for points in SHOCKS]
        worst = table_of(self._repricer, _TABLE, short, hedge, grid=1).worst()
        index = valuer.market.indices.get("SPX")
        spx = None if index is None else index.value
        breakevens: tuple[BookBreakevens, ...] = ()
        if spx is not None:
            breakevens = book_breakevens(
                self._repricer,
                condors,
                hedges,
                short=short,
                hedge=hedge,
                short_gains_usd=short_gains,
                hedge_gains_usd=hedge_gains,
                spx=spx,
            )
        today = next((each for each in breakevens if each.hedged and not each.vix_points), None)
        edges = [expiry_breakevens(condor.legs, condor.entry_credit) for condor in condors]
        contracts = sum(condor.quantity for condor in condors)
        net_vega = condor_vega + hedge_vega
        beta = capm_beta(delta_usd=delta, hedge_vega_usd=hedge_vega, spx=spx, account=self._account)
        cost_of_capital = wacc(
            beta=beta, account=self._account, rate=valuer.market.rate, rules=rules.governors
        )
        expected = None
        if self.expectation is not None:
            condor_flows = self.expectation.condors(condors, values, short)
            hedge_flows = self.expectation.hedges(
                ((each.instrument, each.net_contracts) for each in hedges), hedge
            )
            if condor_flows is not None and hedge_flows is not None:
                expected = irr(condor_flows + hedge_flows).rate
        return Measures(
            condor_contracts=contracts,
            condor_factor_vega_usd=round(condor_vega, _DIGITS),
            hedge_factor_vega_usd=round(hedge_vega, _DIGITS),
            net_vega_per_condor=_rounded(net_vega / (100 * contracts) if contracts else None),
            delta_usd=round(delta, _DIGITS),
            gamma_usd=round(gamma, _DIGITS),
            theta_usd_per_day=round(theta, _DIGITS),
            loss_vix_5_usd=round(losses[0], _DIGITS),
            loss_vix_8_usd=round(losses[1], _DIGITS),
            breakeven_low=max((low for low, _ in edges if low is not None), default=None),
            breakeven_high=min((high for _, high in edges if high is not None), default=None),
            irr=_rounded(expected),
            wacc=_rounded(cost_of_capital),
            capm_beta=_rounded(beta),
            vega_per_theta=_rounded(vega_per_theta(net_vega, theta)),
            quick_ratio=_rounded(quick_ratio(self._account)),
            worst_shock_usd=round(worst.book_usd, _CENTS),
            worst_shock=str(worst),
            shock_coverage=_rounded(worst.coverage),
            book_breakeven_low=None if today is None else today.today_low,
            book_breakeven_high=None if today is None else today.today_high,
            breakevens=breakevens,
        )

    def _hedge_vega_and_theta(self, hedges: Sequence[HedgePosition]) -> tuple[float, float] | None:
        """Return factor vega and theta of the hedge in USD; None if something has no value."""
        vega = theta = 0.0
        for hedge in hedges:
            worth = self._valuer.value(hedge.instrument)
            if worth is None:
                return None
            vega += hedge.net_contracts * worth.factor_vega_usd
            if isinstance(worth, OptionValue):
                theta += hedge.net_contracts * hedge.instrument.multiplier * worth.theta
        return vega, theta


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)
