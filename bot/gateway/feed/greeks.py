"""Option computations: the vols of bid, ask and mid, and the greeks at them.

They are those of ``strategies.pricing``: Black-76 on the forward of each series, which is also what
stands as the underlying's price (SPX from put-call parity, VIX the future). What a price does not
tell is -1, and -2 for greeks, as IB writes it.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from strategies.model.quotes import FloatArray, OptionChain
from strategies.model.snapshots import MarketQuotes
from strategies.pricing.forwards import Forwards, future_forwards, parity_forwards
from strategies.pricing.implied_vol import implied_greeks

BID, ASK, MODEL = range(3)
TICK_TYPES: Final = (10, 11, 13)
DELAYED_TICK_TYPES: Final = (80, 81, 83)
_VALUES: Final = 8  # vol, delta, price, present value of dividends, gamma, vega, theta, underlying
NOT_COMPUTED: Final = (-1.0, -2.0, -1.0, -1.0, -2.0, -2.0, -2.0, -1.0)


@dataclass(frozen=True, slots=True, eq=False)
class Computations:
    """By side (bid, ask, mid), place on the board and value, as tickOptionComputation has them."""

    table: FloatArray  # (3, places, 8); place 0 is nothing


def compute(quotes: MarketQuotes, bid: FloatArray, ask: FloatArray) -> Computations:
    """Return the computations of every option of a market.

    Args:
        quotes: The market.
        bid: By place: nothing, SPX options, VIX options, then the rest.
        ask: Likewise.
    """
    spx, vix = quotes.spx_options, quotes.vix_options
    forwards = (
        (spx, parity_forwards(spx, quotes.at, quotes.rate)),
        (vix, future_forwards(vix, quotes.futures, quotes.at, quotes.rate)),
    )
    forward, discount, t_years, strike, is_call, known = (
        np.concatenate(columns)
        for columns in zip(*(_columns(chain, each) for chain, each in forwards), strict=True)
    )
    count = len(strike)
    bid, ask = bid[1 : count + 1], ask[1 : count + 1]
    two_sided = (bid > 0) & (ask > 0)
    prices = np.stack([bid, ask, np.where(two_sided, 0.5 * (bid + ask), 0.0)])
    found = implied_greeks(prices, forward, strike, t_years, discount, is_call, quotes.rate)
    ok = found.ok & known
    table = np.empty((3, count + 1, _VALUES))
    table[:] = NOT_COMPUTED
    body = table[:, 1:]
    columns = (found.vol, found.delta, None, None, found.gamma, found.vega, found.theta, None)
    for number, column in enumerate(columns):
        if column is not None:
            body[:, :, number] = np.where(ok, column, NOT_COMPUTED[number])
    body[:, :, 2] = np.where(prices > 0, prices, -1.0)
    body[:, :, 3] = 0.0
    body[:, :, 7] = np.where(known, forward, -1.0)
    return Computations(table)


def _columns(chain: OptionChain, forwards: Forwards) -> tuple[NDArray[Any], ...]:
    """Return forward, discount, years, strike, is_call and known of each option, puts first."""
    series = np.repeat(chain.series_index, 2)
    ok = forwards.ok[series]
    return (
        np.where(ok, forwards.forward[series], 1.0),
        forwards.discount[series],
        np.where(ok, forwards.t_years[series], 1.0),
        np.repeat(chain.strike, 2),
        np.tile(np.array([False, True]), len(chain.strike)),
        ok,
    )
