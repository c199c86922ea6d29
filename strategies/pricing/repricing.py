"""Books under many shocks at once, each option priced under all of them once a decision.

The books of one decision (before it, after it, condors alone) hold nearly the same options. A
``Repricer`` keeps the model prices of every option it has been asked for, now, under each pair of
shocks of its grids and expected at expiry, so that a further book costs one sum. Conventions as in
``shocks``: condors move with SPX and VIX, hedges with VIX alone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from strategies.model.book import CondorPosition, HedgePosition
from strategies.model.instruments import Instrument, OptionContract
from strategies.model.quotes import FloatArray, IntArray
from strategies.pricing.payoffs import expected_payoffs
from strategies.pricing.shocks import least_move, shocked_prices
from strategies.pricing.valuation import Terms, Valuer


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shocks:
    """Moves of SPX and VIX; every pair of them counts."""

    spx_fraction: FloatArray  # (g,)
    vix_points: FloatArray  # (v,)

    @classmethod
    def of(cls, spx_fraction: ArrayLike, vix_points: ArrayLike) -> "Shocks":
        """Return the grid of two lists; neither may be empty."""
        fraction = np.asarray(spx_fraction, dtype=np.float64)
        points = np.asarray(vix_points, dtype=np.float64)
        assert fraction.ndim == points.ndim == 1, "one axis each"
        assert len(fraction) > 0 < len(points), "a grid has cells"
        return cls(spx_fraction=fraction, vix_points=points)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Holding:
    """Signed positions of one book in the columns of a repricer."""

    spx_usd: FloatArray  # (n,) USD per point of each SPX option
    vix_usd: FloatArray  # (m,) of each VIX option
    futures_usd: FloatArray  # (f,)
    futures_mid: FloatArray  # (f,)
    futures_beta: FloatArray  # (f,)


class Repricer:
    """Model values of books under the grids it was made with.

    ``ratio``: physical over implied vol of expected payoffs; None where none are asked for.
    """

    def __init__(
        self, valuer: Valuer, grids: Sequence[Shocks] = (), ratio: float | None = None
    ) -> None:
        self._valuer = valuer
        self._grids = tuple(grids)
        self._spx = _Columns(valuer, self._grids, ratio)
        # VIX options do not ask where SPX went: one row serves all
        at_rest = np.zeros(1)
        rows = [Shocks(spx_fraction=at_rest, vix_points=grid.vix_points) for grid in self._grids]
        self._vix = _Columns(valuer, rows, ratio)

    def condors(self, condors: Iterable[CondorPosition]) -> Holding | None:
        """Return condors as held; None if one of their options has no surface."""
        return self.holding(
            (contract, float(sign * condor.quantity * contract.multiplier))
            for condor in condors
            for contract, sign in condor.legs.signed()
        )

    def hedges(self, hedges: Iterable[HedgePosition]) -> Holding | None:
        """Return VIX instruments as held; None if one cannot be priced."""
        return self.holding(
            (hedge.instrument, float(hedge.net_contracts * hedge.instrument.multiplier))
            for hedge in hedges
        )

    def holding(self, positions: Iterable[tuple[Instrument, float]]) -> Holding | None:
        """Return positions (USD per point each, long > 0); None if one cannot be priced."""
        spx: list[tuple[OptionContract, float]] = []
        vix: list[tuple[OptionContract, float]] = []
        futures: list[tuple[float, float, float]] = []
        for instrument, usd in positions:
            if isinstance(instrument, OptionContract):
                (spx if instrument.underlying == "SPX" else vix).append((instrument, usd))
                continue
            value = self._valuer.future(instrument)
            if value is None:
                return None
            futures.append((usd, value.mid, value.beta))
        spx_usd, vix_usd = self._spx.weights(spx), self._vix.weights(vix)
        if spx_usd is None or vix_usd is None:
            return None
        columns = np.array(futures, dtype=np.float64).reshape(-1, 3)
        return Holding(
            spx_usd=spx_usd,
            vix_usd=vix_usd,
            futures_usd=columns[:, 0],
            futures_mid=columns[:, 1],
            futures_beta=columns[:, 2],
        )

    def value_usd(self, holding: Holding) -> float:
        """Return what a book is worth now by the model, its futures at their mids; short < 0."""
        return float(
            self._spx.unmoved[: len(holding.spx_usd)] @ holding.spx_usd
            + self._vix.unmoved[: len(holding.vix_usd)] @ holding.vix_usd
            + holding.futures_mid @ holding.futures_usd
        )

    def gains_usd(self, holding: Holding, grid: int = 0) -> FloatArray:
        """Return what a book gains under each pair of one grid, USD: (g, v)."""
        points = self._grids[grid].vix_points[:, None]
        move = np.maximum(points * holding.futures_beta, least_move(holding.futures_mid))
        gains: FloatArray = (
            self._spx.gains(grid, holding.spx_usd)
            + self._vix.gains(grid, holding.vix_usd)
            + move @ holding.futures_usd
        )
        return gains

    def payoffs_usd(self, holding: Holding) -> tuple[FloatArray, FloatArray]:
        """Return days and USD of what each option held is expected to pay; both (n + m,)."""
        spx, vix = len(holding.spx_usd), len(holding.vix_usd)
        return np.concatenate((self._spx.days[:spx], self._vix.days[:vix])), np.concatenate(
            (self._spx.payoff[:spx] * holding.spx_usd, self._vix.payoff[:vix] * holding.vix_usd)
        )

    def at_expiry_usd(self, holding: Holding) -> tuple[FloatArray, FloatArray]:
        """Return SPX strikes, ascending, all held among them, and what the options pay there."""
        count = len(holding.spx_usd)
        strike = self._spx.strike[:count]
        levels = np.unique(strike)
        beyond = self._spx.side[:count] * (levels[:, None] - strike)
        return levels, _weighted(np.maximum(beyond, 0.0), holding.spx_usd)


class _Columns:
    """Model prices of the options of one underlying, one column each, grown as they are asked."""

    def __init__(self, valuer: Valuer, grids: Sequence[Shocks], ratio: float | None) -> None:
        self._valuer = valuer
        self._grids = grids
        self._ratio = ratio
        self._column: dict[OptionContract, int] = {}
        nothing: FloatArray = np.empty(0)
        self.unmoved = self.days = self.payoff = self.strike = nothing
        self.side = nothing  # 1 of a call, -1 of a put
        self._gains: list[FloatArray] = [
            np.empty((len(grid.spx_fraction), len(grid.vix_points), 0)) for grid in grids
        ]

    def weights(self, positions: Sequence[tuple[OptionContract, float]]) -> FloatArray | None:
        """Return USD per point by column; None if an option's series has no surface."""
        columns = self._columns([contract for contract, _ in positions])
        if columns is None:
            return None
        usd = np.zeros(len(self._column))
        np.add.at(usd, columns, [each for _, each in positions])
        return usd

    def gains(self, grid: int, usd: FloatArray) -> FloatArray:
        """Return gains in USD under one grid, (g, v); g is 1 where only VIX counts."""
        return _weighted(self._gains[grid][..., : len(usd)], usd)

    def _columns(self, contracts: Sequence[OptionContract]) -> IntArray | None:
        new = [each for each in dict.fromkeys(contracts) if each not in self._column]
        if new:
            terms = self._valuer.terms(new)
            if terms is None:
                return None
            self._add(terms)
            self._column |= {each: len(self._column) + n for n, each in enumerate(new)}
        return np.array([self._column[each] for each in contracts], dtype=np.int64)

    def _add(self, terms: Terms) -> None:
        now = shocked_prices(self._valuer, terms, 0.0, 0.0)
        self.unmoved = np.concatenate((self.unmoved, now))
        self.days = np.concatenate((self.days, terms.days))
        self.strike = np.concatenate((self.strike, terms.strike))
        self.side = np.concatenate((self.side, np.where(terms.is_call, 1.0, -1.0)))
        if self._ratio is not None:
            payoff = expected_payoffs(self._valuer, terms, self._ratio)
            self.payoff = np.concatenate((self.payoff, payoff))
        for n, grid in enumerate(self._grids):
            fraction, points = grid.spx_fraction[:, None, None], grid.vix_points[:, None]
            gains = shocked_prices(self._valuer, terms, fraction, points) - now
            self._gains[n] = np.concatenate((self._gains[n], gains), axis=-1)


def _weighted(prices: FloatArray, usd: FloatArray) -> FloatArray:
    """Return the sum over the last axis, each column times its dollars.

    Not by the linear algebra library: it would split so small a sum over threads, which is slower
    and whose order depends on their number.
    """
    total: FloatArray = np.einsum("...n,n->...", prices, usd)
    return total
