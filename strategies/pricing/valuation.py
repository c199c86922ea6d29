"""What every instrument of one market is worth and how it moves, worked out once a decision.

An option is priceable when its series has a trusted surface and its own quote has an offer, and a
bid (0 counts: nobody bids) that is not above it. Its mark is the mid of that quote; its vol and
greeks come from the surface. A future is priceable when both sides are quoted and not crossed.
Anything else has no value here: never a guess.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cached_property

import numpy as np

from strategies.model.book import CondorLegs
from strategies.model.instruments import FutureContract, Instrument, OptionContract, Right
from strategies.model.quotes import CALL, PUT, BoolArray, FloatArray, IntArray, OptionChain
from strategies.model.snapshots import MarketQuotes
from strategies.pricing import black76
from strategies.pricing.factor_vega import future_beta, spx_vega_weight
from strategies.pricing.forwards import Forwards, future_forwards, parity_forwards
from strategies.pricing.surface import Surface, fit_surface

_OPTION_MULTIPLIER = 100.0  # USD per point of SPX, SPXW, VIX and VIXW options alike


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionValue:
    """One long option: its quote, and its greeks per contract in index points."""

    contract: OptionContract
    bid: float  # 0 = nobody bids
    ask: float
    mid: float
    vol: float  # of the smoothed surface
    delta: float  # per point of the forward
    gamma: float
    vega: float  # per vol point
    theta: float  # per calendar day
    factor_vega_usd: float  # USD per +1 point of spot VIX
    days: int  # calendar days to expiry
    t_years: float
    forward: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FutureValue:
    """One long VIX future."""

    contract: FutureContract
    bid: float
    ask: float
    mid: float
    days: int
    beta: float
    factor_vega_usd: float  # USD per +1 point of spot VIX


@dataclass(frozen=True, slots=True, kw_only=True)
class CondorValue:
    """One short iron condor: what closing it costs and how the position moves, index points."""

    mid_debit: float  # to buy it back at the mids
    natural_debit: float  # to buy it back at the offers, longs sold at the bids
    delta: float
    gamma: float
    vega: float
    theta: float
    factor_vega_usd: float  # USD per +1 point of spot VIX


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SeriesValues:
    """One series in columns: ``strike`` (n,), all else (n, 2) with the columns PUT and CALL."""

    ok: bool  # whether the surface of the series can be trusted; if not nothing is quoted
    days: int
    t_years: float
    forward: float
    strike: FloatArray
    bid: FloatArray
    ask: FloatArray
    mid: FloatArray  # 0 where not quoted
    vol: FloatArray
    delta: FloatArray
    gamma: FloatArray
    vega: FloatArray
    theta: FloatArray
    quoted: BoolArray  # priceable: an offer, and a bid (possibly 0) that is not above it


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChainValues:
    """One chain in columns (m, 2), PUT and CALL, rows as the chain has them."""

    ok: BoolArray  # (k,) whether the surface of a series can be trusted
    bid: FloatArray
    ask: FloatArray
    mid: FloatArray  # 0 where not priceable
    delta: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Terms:
    """What the model price of some options depends on, in columns (n,)."""

    is_spx: BoolArray
    series_index: IntArray  # into the option's own chain
    is_call: BoolArray
    strike: FloatArray
    forward: FloatArray
    discount: FloatArray
    t_years: FloatArray
    days: FloatArray


class Valuer:
    """Values of one market; built once a decision, each chain worked out when first asked for.

    ``max_age``: a chain or future quoted longer ago than this, or dated further ahead, has no
    values; None = any age.
    """

    def __init__(
        self, market: MarketQuotes, session: date, max_age: timedelta | None = None
    ) -> None:
        self.market = market
        self.session = session
        self._max_age = max_age
        self._options: dict[OptionContract, OptionValue | None] = {}
        self._condors: dict[CondorLegs, CondorValue | None] = {}

    @cached_property
    def spx(self) -> Surface:
        """The surface of the SPX options, on forwards by put-call parity."""
        return self._spx_values.surface

    @cached_property
    def vix(self) -> Surface:
        """The surface of the VIX options, on the VX futures of their expiries."""
        return self._vix_values.surface

    def option(self, contract: OptionContract) -> OptionValue | None:
        """Return the value of an option, or None if it cannot be priced."""
        try:
            return self._options[contract]
        except KeyError:
            value = self._chain_values(contract.underlying).option(contract)
            self._options[contract] = value
            return value

    def future(self, contract: FutureContract) -> FutureValue | None:
        """Return the value of a future, or None if it cannot be priced."""
        return self._futures.get(contract)

    def value(self, instrument: Instrument) -> OptionValue | FutureValue | None:
        """Return the value of either, or None if it cannot be priced."""
        if isinstance(instrument, OptionContract):
            return self.option(instrument)
        return self.future(instrument)

    def options_in_series(self, underlying: str, series_index: int) -> SeriesValues:
        """Return every option of one series of the chain on ``underlying``, in columns."""
        return self._chain_values(underlying).series(series_index)

    def chain(self, underlying: str) -> ChainValues:
        """Return every option of the chain on ``underlying``, in columns."""
        return self._chain_values(underlying).columns()

    def row(self, contract: OptionContract) -> int | None:
        """Return the row of a contract in its chain, None if it is not quoted."""
        return self._chain_values(contract.underlying).row(contract)

    def condor(self, legs: CondorLegs) -> CondorValue | None:
        """Return the value of one short condor, or None if one of its legs cannot be priced."""
        try:
            return self._condors[legs]
        except KeyError:
            value = self._condors[legs] = self._condor(legs)
            return value

    def _condor(self, legs: CondorLegs) -> CondorValue | None:
        long_put, short_put = self.option(legs.long_put), self.option(legs.short_put)
        short_call, long_call = self.option(legs.short_call), self.option(legs.long_call)
        if long_put is None or short_put is None or short_call is None or long_call is None:
            return None
        long, short = legs.long_ratio, legs.short_ratio
        return CondorValue(
            mid_debit=(
                short * short_put.mid
                + short * short_call.mid
                - long * long_put.mid
                - long * long_call.mid
            ),
            natural_debit=(
                short * short_put.ask
                + short * short_call.ask
                - long * long_put.bid
                - long * long_call.bid
            ),
            delta=(
                long * long_put.delta
                - short * short_put.delta
                - short * short_call.delta
                + long * long_call.delta
            ),
            gamma=(
                long * long_put.gamma
                - short * short_put.gamma
                - short * short_call.gamma
                + long * long_call.gamma
            ),
            vega=(
                long * long_put.vega
                - short * short_put.vega
                - short * short_call.vega
                + long * long_call.vega
            ),
            theta=(
                long * long_put.theta
                - short * short_put.theta
                - short * short_call.theta
                + long * long_call.theta
            ),
            factor_vega_usd=(
                long * long_put.factor_vega_usd
                - short * short_put.factor_vega_usd
                - short * short_call.factor_vega_usd
                + long * long_call.factor_vega_usd
            ),
        )

    def terms(self, contracts: Sequence[OptionContract]) -> Terms | None:
        """Return what the contracts' model prices depend on; None if a series has no surface."""
        rows = [self._chain_values(each.underlying).terms(each) for each in contracts]
        known = [row for row in rows if row is not None]
        if len(known) < len(rows):
            return None
        return Terms(
            is_spx=np.array([each.underlying == "SPX" for each in contracts], dtype=np.bool_),
            series_index=np.array([row[0] for row in known], dtype=np.int64),
            is_call=np.array([each.right is Right.CALL for each in contracts], dtype=np.bool_),
            strike=np.array([float(each.strike) for each in contracts]),
            forward=np.array([row[1] for row in known]),
            discount=np.array([row[2] for row in known]),
            t_years=np.array([row[3] for row in known]),
            days=np.array([row[4] for row in known], dtype=np.float64),
        )

    def terms_of_rows(self, underlying: str, rows: IntArray, is_call: BoolArray) -> Terms:
        """Return what the model prices of options in trusted series depend on.

        Shapes: ``rows`` of the chain on ``underlying`` and ``is_call`` (n,).
        """
        chain = self._chain_values(underlying)
        return chain.terms_of_rows(rows, is_call)

    def _chain_values(self, underlying: str) -> "_ChainValues":
        return self._spx_values if underlying == "SPX" else self._vix_values

    @cached_property
    def _spx_values(self) -> "_ChainValues":
        chain, market = self.market.spx_options, self.market
        forwards = parity_forwards(chain, market.at, market.rate)
        return _ChainValues(chain, self._trusted(chain, forwards), self.session, market.rate)

    @cached_property
    def _vix_values(self) -> "_ChainValues":
        chain, market = self.market.vix_options, self.market
        quotes = [each for each in market.futures if self._is_fresh(each.quoted_at)]
        forwards = future_forwards(chain, quotes, market.at, market.rate)
        return _ChainValues(chain, self._trusted(chain, forwards), self.session, market.rate)

    @cached_property
    def _futures(self) -> dict[FutureContract, FutureValue]:
        quotes = [
            each
            for each in self.market.futures
            if each.quote.is_two_sided and self._is_fresh(each.quoted_at)
        ]
        days = [(each.contract.expiry - self.session).days for each in quotes]
        betas: list[float] = future_beta(days).tolist()
        return {
            each.contract: FutureValue(
                contract=each.contract,
                bid=each.bid,
                ask=each.ask,
                mid=(each.bid + each.ask) / 2,
                days=left,
                beta=beta,
                factor_vega_usd=beta * each.contract.multiplier,
            )
            for each, left, beta in zip(quotes, days, betas, strict=True)
        }

    def _trusted(self, chain: OptionChain, forwards: Forwards) -> Forwards:
        """Return the forwards, none of them ok if the chain is too old."""
        if self._is_fresh(chain.quoted_at):
            return forwards
        return replace(forwards, ok=np.zeros_like(forwards.ok))

    def _is_fresh(self, quoted_at: datetime) -> bool:
        return self._max_age is None or abs(self.market.at - quoted_at) <= self._max_age


class _ChainValues:
    """The values of one chain: its surface, and every option in one table."""

    def __init__(self, chain: OptionChain, forwards: Forwards, session: date, rate: float) -> None:
        self.surface = fit_surface(chain, forwards)
        self._chain = chain
        self._rate = rate
        self._series = {(each.root, each.expiry): n for n, each in enumerate(chain.series)}
        self._days = [(each.expiry - session).days for each in chain.series]
        self._starts: list[int] = chain.row_starts.tolist()
        self._ok: list[bool] = self.surface.ok.tolist()
        self._forward: list[float] = forwards.forward.tolist()
        self._discount: list[float] = forwards.discount.tolist()
        self._t_years: list[float] = forwards.t_years.tolist()

    def option(self, contract: OptionContract) -> OptionValue | None:
        """Return the value of a contract, or None if it cannot be priced."""
        row = self.row(contract)
        if row is None:
            return None
        series_index = self._series[contract.root, contract.expiry]
        column = CALL if contract.right is Right.CALL else PUT
        bid, ask, mid, vol, delta, gamma, vega, theta, factor_vega = self._table[
            :, row, column
        ].tolist()
        if not mid:
            return None
        return OptionValue(
            contract=contract,
            bid=bid,
            ask=ask,
            mid=mid,
            vol=vol,
            delta=delta,
            gamma=gamma,
            vega=vega,
            theta=theta,
            factor_vega_usd=factor_vega,
            days=self._days[series_index],
            t_years=self._t_years[series_index],
            forward=self._forward[series_index],
        )

    def row(self, contract: OptionContract) -> int | None:
        """Return the row of a contract, None if it is not quoted."""
        series_index = self._series.get((contract.root, contract.expiry))
        if series_index is None:
            return None
        start, stop = self._starts[series_index], self._starts[series_index + 1]
        strike = float(contract.strike)
        row = bisect_left(self._strikes, strike, start, stop)
        return None if row == stop or self._strikes[row] != strike else row

    def columns(self) -> ChainValues:
        """Return the whole chain in columns."""
        table = self._table
        return ChainValues(
            ok=self.surface.ok, bid=table[0], ask=table[1], mid=table[2], delta=table[4]
        )

    def series(self, series_index: int) -> SeriesValues:
        """Return one series in columns."""
        rows = slice(self._starts[series_index], self._starts[series_index + 1])
        table = self._table[:, rows]
        return SeriesValues(
            ok=self._ok[series_index],
            days=self._days[series_index],
            t_years=self._t_years[series_index],
            forward=self._forward[series_index],
            strike=self._chain.strike[rows],
            bid=table[0],
            ask=table[1],
            mid=table[2],
            vol=table[3],
            delta=table[4],
            gamma=table[5],
            vega=table[6],
            theta=table[7],
            quoted=table[2] > 0,
        )

    def terms(self, contract: OptionContract) -> tuple[int, float, float, float, int] | None:
        """Return series index, forward, discount, years and days; None without a surface."""
        n = self._series.get((contract.root, contract.expiry))
        if n is None or not self._ok[n]:
            return None
        return n, self._forward[n], self._discount[n], self._t_years[n], self._days[n]

    def terms_of_rows(self, rows: IntArray, is_call: BoolArray) -> Terms:
        """Return what the model prices of the options in some rows depend on."""
        series, forwards = self._chain.series_index[rows], self.surface.forwards
        return Terms(
            is_spx=np.full(rows.shape, self._chain.underlying == "SPX"),
            series_index=series,
            is_call=is_call,
            strike=self._chain.strike[rows],
            forward=forwards.forward[series],
            discount=forwards.discount[series],
            t_years=forwards.t_years[series],
            days=np.array(self._days, dtype=np.float64)[series],
        )

    @cached_property
    def _strikes(self) -> list[float]:
        strikes: list[float] = self._chain.strike.tolist()
        return strikes

    @cached_property
    def _table(self) -> FloatArray:
        """(9, m, 2): bid, ask, mid, vol, delta, gamma, vega, theta, factor vega in USD."""
        chain, surface, forwards = self._chain, self.surface, self.surface.forwards
        series = chain.series_index
        ok = surface.ok[series]
        forward = np.where(ok, forwards.forward[series], chain.strike)
        t_years = np.where(ok, forwards.t_years[series], 0.0)
        discount = forwards.discount[series]
        vol = surface.vol(series, chain.strike)
        call = black76.greeks(forward, chain.strike, t_years, vol, discount, True, self._rate)
        priceable = ok[:, None] & (chain.ask > 0) & (chain.ask >= chain.bid)
        table = np.empty((9, len(ok), 2))
        table[0] = chain.bid
        table[1] = chain.ask
        table[2] = np.where(priceable, 0.5 * (chain.bid + chain.ask), 0.0)
        table[3] = vol[:, None]
        table[4, :, CALL] = call.delta
        table[4, :, PUT] = call.delta - discount  # parity: C - P = D (F - K)
        table[5] = call.gamma[:, None]
        table[6] = call.vega[:, None]
        table[7, :, CALL] = call.theta
        accrual = self._rate * discount * (forward - chain.strike) / black76.DAYS_PER_YEAR
        table[7, :, PUT] = call.theta - accrual
        days = np.array(self._days)
        if chain.underlying == "SPX":
            weight = _OPTION_MULTIPLIER * spx_vega_weight(days)
            table[8] = table[6] * weight[series, None]
        else:
            weight = _OPTION_MULTIPLIER * future_beta(days)
            table[8] = table[4] * weight[series, None]
        return table
