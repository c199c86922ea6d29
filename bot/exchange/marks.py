"""What a portfolio of options is worth at mid, read from whole chains at once."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from strategies.model.instruments import OptionContract, Right
from strategies.model.quotes import CALL, PUT, FloatArray, IntArray, OptionChain
from strategies.model.snapshots import MarketQuotes

_SCALE = 100_000  # mids are summed as whole hundred-thousandths of a point


class _SeriesHoldings(NamedTuple):
    """Options held in one series, in columns of length n."""

    contracts: tuple[OptionContract, ...]
    strikes: FloatArray
    columns: IntArray  # PUT or CALL
    weights: IntArray  # net contracts x multiplier


class OptionPortfolio:
    """Option positions, arranged once for being valued often."""

    def __init__(self, positions: Mapping[OptionContract, int]) -> None:
        by_series: dict[tuple[str, date], list[OptionContract]] = defaultdict(list)
        for contract in positions:
            by_series[contract.root, contract.expiry].append(contract)
        self._series = {
            key: _SeriesHoldings(
                contracts=tuple(contracts),
                strikes=np.array([float(c.strike) for c in contracts]),
                columns=np.array([CALL if c.right is Right.CALL else PUT for c in contracts]),
                weights=np.array([positions[c] * c.multiplier for c in contracts]),
            )
            for key, contracts in by_series.items()
        }

    def value_usd(
        self, quotes: MarketQuotes, unquoted: Callable[[OptionContract], Decimal]
    ) -> Decimal:
        """Return the portfolio's market value at mid, longs > 0.

        Args:
            quotes: Chains; an option with no offer there counts as not quoted.
            unquoted: Gives the value of one option (index points) that the chains do not quote.
        """
        total = 0
        extra = Decimal(0)
        chains = (quotes.spx_options, quotes.vix_options)
        places = {
            (series.root, series.expiry): (chain, index)
            for chain in chains
            for index, series in enumerate(chain.series)
        }
        for key, held in self._series.items():
            if key not in places:
                missing = list(range(len(held.contracts)))
            else:
                mids, found = _mids(*places[key], held)
                total += int((held.weights * np.rint(mids * _SCALE).astype(np.int64))[found].sum())
                missing = np.flatnonzero(~found).tolist()
            for position in missing:
                value = unquoted(held.contracts[position])
                extra += int(held.weights[position]) * value
        return Decimal(total) / _SCALE + extra


def _mids(
    chain: OptionChain, series_index: int, held: _SeriesHoldings
) -> tuple[FloatArray, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """Return mids in points, (n,), and which of them the chain really quotes."""
    rows = chain.rows_of(series_index)
    strikes = chain.strike[rows]
    place = np.minimum(np.searchsorted(strikes, held.strikes), len(strikes) - 1)
    bid = chain.bid[rows][place, held.columns]
    ask = chain.ask[rows][place, held.columns]
    return (bid + ask) / 2, (strikes[place] == held.strikes) & (ask > 0)
