"""What capital costs and how liquid it is: beta of the book, WACC (G5) and quick ratio (G6).

    WACC = E / (E + D) x (rf + beta x ERP) + D / (E + D) x margin rate

with E the net liquidation value, D what is borrowed (maintenance margin beyond the cash held), rf
the market's rate and the margin rate a fixed spread above it. Beta is the CAPM beta of the book
from its delta dollars: what it gains in shares of E when SPX rises by its own value. The hedge
counts with the SPX move that usually goes with its VIX points.
"""

from strategies.model.book import Account
from strategies.model.rules import GovernorRules
from strategies.pricing.shocks import usual_spx_fraction


def quick_ratio(account: Account) -> float | None:
    """Return (cash + excess liquidity) / maintenance margin (G6); None if no margin is in use."""
    if account.maintenance_margin_usd <= 0:
        return None
    liquid = account.cash_usd + account.excess_liquidity_usd
    return float(liquid / account.maintenance_margin_usd)


def capm_beta(
    *, delta_usd: float, hedge_vega_usd: float, spx: float | None, account: Account
) -> float | None:
    """Return the CAPM beta of the book (G5); None without SPX or without any value of one's own.

    Args:
        delta_usd: Of the condors, USD per SPX point.
        hedge_vega_usd: Of the hedge, USD per VIX point.
        spx: The index.
        account: Its net liquidation value is what the gains are shares of.
    """
    worth = float(account.net_liquidation_usd)
    if spx is None or worth <= 0:
        return None
    hedge_usd = hedge_vega_usd / usual_spx_fraction(1.0)  # per whole SPX, as its points go with it
    return (delta_usd * spx + hedge_usd) / worth


def wacc(
    *, beta: float | None, account: Account, rate: float, rules: GovernorRules
) -> float | None:
    """Return the weighted average cost of capital a year (G5), decimal; None without a beta.

    ``rate``: risk-free, a year, decimal.
    """
    if beta is None:
        return None
    equity = float(account.net_liquidation_usd)
    debt = max(0.0, float(account.maintenance_margin_usd - account.cash_usd))
    cost_of_equity = rate + beta * rules.equity_risk_premium
    cost_of_debt = rate + rules.margin_spread
    return (equity * cost_of_equity + debt * cost_of_debt) / (equity + debt)
