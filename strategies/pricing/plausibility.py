"""Whether the parts of a market fit together; where they do not, nothing is opened on them.

An index that lags its options, a VIX that has left its futures behind, options that contradict
their future: one of the two is wrong, and nobody here knows which.
"""

from dataclasses import dataclass

import numpy as np

from strategies.model.snapshots import MarketQuotes
from strategies.pricing.forwards import Forwards, future_forwards, parity_forwards

# The forward of a near series may differ from the index by carry and by how long a print is old
_SPX_APART_MAX = 0.015
_CARRY_A_YEAR = 0.06
# VX1 settled between 0.62 and 1.36 of the VIX close from 2004 to 2026; within days it went further
_VX_TO_VIX = (0.40, 2.00)
_VIX_PARITY_APART_MAX = 0.10


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketDoubt:
    """Two parts of a market that contradict each other."""

    underlying: str  # "SPX" or "VIX": on which nothing is opened
    reason: str


def market_doubts(market: MarketQuotes) -> tuple[MarketDoubt, ...]:
    """Return where the market contradicts itself; what is absent contradicts nothing.

    SPX is held against the put-call parity forward of its nearest series (faults D6, D8), the VIX
    against its nearest future, and the VIX options of each expiry against its future (fault D7).
    """
    found = (_spx_doubt(market), _vix_doubt(market), _vix_parity_doubt(market))
    return tuple(doubt for doubt in found if doubt is not None)


def _spx_doubt(market: MarketQuotes) -> MarketDoubt | None:
    index = market.indices.get("SPX")
    forwards = parity_forwards(market.spx_options, market.at, market.rate)
    nearest = _nearest(forwards)
    if index is None or not index.value > 0 or nearest is None:
        return None
    forward, years = float(forwards.forward[nearest]), float(forwards.t_years[nearest])
    apart = abs(forward / index.value - 1)
    if apart <= _SPX_APART_MAX + _CARRY_A_YEAR * years:
        return None
    reason = f"SPX is {index.value:.2f}, its options say {forward:.2f}"
    return MarketDoubt(underlying="SPX", reason=reason)


def _vix_doubt(market: MarketQuotes) -> MarketDoubt | None:
    index = market.indices.get("VIX")
    quoted = [each for each in market.futures if each.quote.is_two_sided]
    if index is None or not index.value > 0 or not quoted:
        return None
    ratio = quoted[0].quote.mid / index.value
    if _VX_TO_VIX[0] <= ratio <= _VX_TO_VIX[1]:
        return None
    reason = f"VIX is {index.value:.2f}, {quoted[0].contract} is {quoted[0].quote.mid:.2f}"
    return MarketDoubt(underlying="VIX", reason=reason)


def _vix_parity_doubt(market: MarketQuotes) -> MarketDoubt | None:
    chain = market.vix_options
    by_parity = parity_forwards(chain, market.at, market.rate)
    by_future = future_forwards(chain, market.futures, market.at, market.rate)
    both = np.flatnonzero(by_parity.ok & by_future.ok)
    if not both.size:
        return None
    apart = np.abs(by_parity.forward[both] / by_future.forward[both] - 1)
    worst = int(both[int(apart.argmax())])
    if apart.max() <= _VIX_PARITY_APART_MAX:
        return None
    series = chain.series[worst]
    reason = (
        f"the VIX options of {series.expiry} say {by_parity.forward[worst]:.2f}, "
        f"their future is {by_future.forward[worst]:.2f}"
    )
    return MarketDoubt(underlying="VIX", reason=reason)


def _nearest(forwards: Forwards) -> int | None:
    """Return the series with a forward that expires first."""
    known = np.flatnonzero(forwards.ok)
    return int(known[int(forwards.t_years[known].argmin())]) if known.size else None
