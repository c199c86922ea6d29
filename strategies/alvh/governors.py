"""What caps a purchase: cost (G1), notional (G3), liquidity (G6) and the vega ceiling (G7).

Governors cap, they never add and never force a sale for cost. Outside a spike or a regime shift
(R3, R4) cost and notional win over the vega floor (rule book, section 11); inside one G1 and G3
leave room for what the floor needs, and G1's hard limit does not stop the core. What activation
and rotation want beyond the floor stays inside the soft limit there too.

- G1 looks ahead: the premium a plan may pay in full is counted with the 365 days behind it, so
  that one purchase cannot jump over the limit.
- G3: premium paid for the calls held and the notional of the futures held, at what they cost,
  over the condors' max loss. The cap is scaled by the CAPM-adjusted volatility forecast ratio: VIX
  over its mean of 252 closes times one plus the CAPM beta of the condors, each and the product
  between 0.5 and 2. Condors that fall with the market have more to insure than others.
- G6: quick ratio = (cash + excess liquidity) / maintenance margin; no margin means no bound. Below
  ``quick_ratio`` L3 does not grow, below 1 nothing opens at all. A purchase also needs its premium
  or its initial margin in excess liquidity.
- G7: with every purchase at work filled and nothing sold, v stays at or below the inner line of the
  band, a little under ``max_net_vega`` (B8).
"""

from decimal import Decimal

import numpy as np

from strategies.alvh.holdings import Lot
from strategies.alvh.instruments import Candidate
from strategies.model.book import Account, CondorPosition
from strategies.model.plan import Gate
from strategies.model.quotes import FloatArray
from strategies.model.rules import GovernorRules
from strategies.pricing.capital import quick_ratio
from strategies.pricing.margin import future_margin_usd
from strategies.signals.regimes import Regime

_FORECAST_CLOSES = 252
_FEWEST_CLOSES = 60
_FORECAST_LOW, _FORECAST_HIGH = 0.5, 2.0
_SURVIVAL = 1.0  # quick ratio below which everything reduces
_EPSILON = 1e-9


def whole(contracts: float) -> int:
    """Return contracts rounded toward zero, forgiving the last digit of a float (L4)."""
    return max(0, int(contracts + _EPSILON))


def quick_ratio_gates(account: Account, rules: GovernorRules) -> tuple[Gate, ...]:
    """Return G6's two gates: may anything open, and may L3 grow."""
    ratio = quick_ratio(account)
    value = "no margin in use" if ratio is None else round(ratio, 4)
    return tuple(
        Gate(
            rule="G6",
            name=name,
            value=value,
            threshold=least,
            passed=ratio is None or ratio >= least,
        )
        for name, least in (
            ("quick ratio to open anything", _SURVIVAL),
            ("quick ratio for L3 to grow", rules.quick_ratio),
        )
    )


def forecast_ratio(
    vix: float | None, vix_closes: FloatArray, condor_beta: float | None
) -> float | None:
    """Return G3's CAPM-adjusted volatility forecast ratio, 0.5 to 2; None without 60 VIX closes.

    Args:
        vix: Now.
        vix_closes: (n,), oldest first, NaN where a day has none.
        condor_beta: CAPM beta of the condors; without one the ratio is not adjusted.
    """
    closes = vix_closes[-_FORECAST_CLOSES:]
    closes = closes[np.isfinite(closes)]
    if vix is None or len(closes) < _FEWEST_CLOSES:
        return None
    beta = 0.0 if condor_beta is None else condor_beta
    return _bounded(_bounded(vix / float(closes.mean())) * _bounded(1.0 + beta))


def _bounded(ratio: float) -> float:
    return min(max(ratio, _FORECAST_LOW), _FORECAST_HIGH)


class Budget:
    """How much may still be bought in one plan; ``take`` books each purchase."""

    def __init__(
        self,
        *,
        account: Account,
        hedge_cost_usd: Decimal,
        lots: tuple[Lot, ...],
        condors: tuple[CondorPosition, ...],
        regime: Regime,
        forecast: float | None,
        rules: GovernorRules,
    ) -> None:
        self._rules = rules
        self._worth = float(account.net_liquidation_usd)
        self._ratio = quick_ratio(account)
        self._liquid = max(0.0, float(account.excess_liquidity_usd))
        self.is_emergency = regime.spike is True or regime.shift is True
        self.forecast = 1.0 if forecast is None else forecast
        self.cost_usd = float(hedge_cost_usd)
        self.max_loss_usd = float(sum((c.max_loss_usd for c in condors), Decimal(0)))
        self._premium_usd = sum(lot.buying * lot.cost_usd for lot in lots if lot.is_call)
        self.notional_usd = sum(lot.at_most * lot.cost_usd for lot in lots)

    @property
    def notional_cap_usd(self) -> float:
        """G3's cap."""
        return self._rules.notional_cap * self.forecast * self.max_loss_usd

    def gates(self) -> tuple[Gate, ...]:
        """Return G1's and G3's gates as they stand before the plan buys anything."""
        share = self.cost_usd / self._worth if self._worth > 0 else None
        value = None if share is None else round(share, 6)
        note = "R3 or R4: the core and the vega floor go on" if self.is_emergency else ""
        limits = (
            ("soft", self._rules.cost_soft, "above: only the L1 core opens"),
            ("hard", self._rules.cost_hard, "above: nothing opens"),
        )
        return (
            *(
                Gate(
                    rule="G1",
                    name=f"hedge cost over net liquidation, {name}",
                    value=value,
                    threshold=limit,
                    passed=share is not None and share <= limit,
                    note=note or above,
                )
                for name, limit, above in limits
            ),
            Gate(
                rule="G3",
                name="hedge notional in USD",
                value=round(self.notional_usd, 2),
                threshold=round(self.notional_cap_usd, 2),
                passed=self.notional_usd <= self.notional_cap_usd,
                note=f"volatility forecast ratio {self.forecast:.3f}",
            ),
        )

    def rooms(
        self,
        candidate: Candidate,
        *,
        layer: str,
        is_core: bool,
        exempt_contracts: int = 0,
    ) -> dict[str, int]:
        """Return how many contracts each governor still allows, by rule id.

        Args:
            candidate: What would be bought.
            layer: The layer it is for.
            is_core: Whether it is the L1 core (G2), which the soft limit of G1 lets through.
            exempt_contracts: Contracts the vega floor needs; inside R3/R4 G1 and G3 let them
                through.
        """
        rules = self._rules
        rooms = {"G6": whole(self._liquid / self._tied_up_usd(candidate))}
        if self._ratio is not None and (
            self._ratio < _SURVIVAL or (layer == "L3" and self._ratio < rules.quick_ratio)
        ):
            rooms["G6"] = 0
        left = self.notional_cap_usd - self.notional_usd
        rooms["G3"] = whole(left / candidate.notional_usd)
        if not (is_core and self.is_emergency):
            limit = rules.cost_hard if is_core else rules.cost_soft
            left = limit * self._worth - self.cost_usd - self._premium_usd
            if candidate.premium_usd > 0:
                rooms["G1"] = whole(left / candidate.premium_usd)
            elif left < 0:
                rooms["G1"] = 0
        if self.is_emergency:
            for rule in ("G1", "G3"):
                if rule in rooms:
                    rooms[rule] = max(rooms[rule], exempt_contracts)
        return rooms

    def take(self, candidate: Candidate, contracts: int) -> None:
        """Book a purchase."""
        self._premium_usd += contracts * candidate.premium_usd
        self.notional_usd += contracts * candidate.notional_usd
        self._liquid -= contracts * self._tied_up_usd(candidate)

    def _tied_up_usd(self, candidate: Candidate) -> float:
        if candidate.is_call:
            return candidate.premium_usd
        settle = Decimal(repr(candidate.ask))
        initial, _ = future_margin_usd(candidate.instrument.root, settle, candidate.days, 1)
        return float(initial)
