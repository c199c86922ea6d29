"""What has to go while the quick ratio is below one (G6, first in the rule book's precedence).

The ratio is (cash + excess liquidity) / maintenance margin. Freeing F of margin takes F off the
maintenance margin and adds F to the excess liquidity; buying condors back costs D of cash. So the
ratio is back at one as soon as

    cash + excess - D + F >= maintenance - F,   that is   2 F - D >= maintenance - cash - excess.

What is being closed or sold already counts. Condors go first, those with the largest margin first,
because a hedge future closed under condors frees margin and adds risk; futures follow, contract by
contract. VIX calls tie up no margin and stay.
"""

import math
from collections.abc import Sequence
from decimal import Decimal

from strategies.alvh.holdings import Lot
from strategies.alvh.rebalance import Sales
from strategies.model.book import Account
from strategies.model.orders import Urgency
from strategies.pricing.margin import future_margin_usd
from strategies.pricing.valuation import FutureValue

_EPSILON = 1e-9


def lacking_usd(account: Account) -> Decimal:
    """Return what 2 F - D has to reach for a quick ratio of one; 0 where it is there, USD."""
    lacking = account.maintenance_margin_usd - account.cash_usd - account.excess_liquidity_usd
    return max(Decimal(0), lacking) if account.maintenance_margin_usd > 0 else Decimal(0)


def relief_usd(margin_usd: Decimal, debit_usd: Decimal) -> Decimal:
    """Return what closing a position adds to 2 F - D, from the margin it frees and its price."""
    return 2 * margin_usd - debit_usd


def sell_for_liquidity(sales: Sales, lots: Sequence[Lot], lacking: Decimal) -> None:
    """Close as many hedge futures as the ratio still lacks, largest margin first (G6).

    Args:
        sales: The plan's sales so far; futures among them, and those at work, count.
        lots: What the hedge holds.
        lacking: What ``2 F - D`` lacks once condors are closed, USD.
    """
    if lacking <= 0:
        return
    reliefs = {
        lot.instrument: float(relief_usd(_margin_usd(lot.value), Decimal(0)))
        for lot in lots
        if isinstance(lot.value, FutureValue)
    }
    futures = [lot for lot in lots if lot.instrument in reliefs]
    missing = float(lacking)
    for lot in futures:
        at_work = abs(lot.contracts) - lot.closable
        missing -= reliefs[lot.instrument] * (sales.sold(lot) + at_work)
    for lot in sorted(futures, key=lambda each: (-reliefs[each.instrument], each.days)):
        if missing <= _EPSILON:
            return
        relief = reliefs[lot.instrument]
        contracts = math.ceil(missing / relief - _EPSILON)
        missing -= relief * sales.sell(lot, contracts, ("G6",), Urgency.URGENT)


def _margin_usd(value: FutureValue) -> Decimal:
    """Return the maintenance margin of one contract, at its mid."""
    settle = Decimal(repr(value.mid))
    _, maintenance = future_margin_usd(value.contract.root, settle, value.days, 1)
    return maintenance
