"""What options are expected to pay at expiry.

The integral of an option's payoff over a lognormal around the forward whose vol is the physical
one: the smoothed implied vol of its strike times the trailing ratio of realised to implied vol.
For a payoff max(s (S - K), 0) and S = F exp(v z - v^2 / 2), z normal, that integral is
s (F N(s d1) - K N(s d2)): Black's formula with the physical vol and nothing discounted. A condor's
payoff is a sum of such pieces, and so is its expectation. The forward is the market's: nothing is
assumed to be earned by direction.
"""

import numpy as np

from strategies.model.quotes import FloatArray
from strategies.pricing import black76
from strategies.pricing.valuation import Terms, Valuer


def expected_payoffs(valuer: Valuer, terms: Terms, ratio: float) -> FloatArray:
    """Return what one of each option is expected to pay at its expiry, index points.

    Shapes: ``terms`` of n options, the result (n,). ``ratio``: physical over implied vol.
    """
    vol = np.zeros(len(terms.strike))
    for surface, rows in ((valuer.spx, terms.is_spx), (valuer.vix, ~terms.is_spx)):
        if rows.any():
            vol[rows] = surface.vol(terms.series_index[rows], terms.strike[rows])
    return black76.price(
        terms.forward, terms.strike, terms.t_years, ratio * vol, 1.0, terms.is_call
    )
