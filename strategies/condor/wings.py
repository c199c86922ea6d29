"""The longs of a condor: how far out, how many and how late (C4, C5).

``bias: negative`` buys one long for each short in the same expiry. Such a condor is always short
vega, the more so the wider its wings, since the short is nearer the money and has the more vega of
the two; C4's window therefore bounds the width: about 5 to 10 index points at 45 days. For
``bias: neutral`` and ``positive`` (C5) the wings are ratio wings, two longs to one short or three
to two, or diagonal ones, with longs of a later expiry.

Net vega is the raw vega of the options, index points per vol point, as the seeds count it. A later
long answers less to VIX than that: V_c of a diagonal condor can be short where its net vega is not,
so C5's gate shows both, and L6 goes by V_c.

No netting (ours): positions net by contract at the broker. A leg that the book holds with the
other sign would silently take an older condor apart, so such strikes are passed over. So are the
legs of a condor that is being closed: the two orders would meet each other in the market.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import numpy as np

from strategies.model.book import CARRY_A_YEAR, CondorLegs
from strategies.model.instruments import OptionContract, Right
from strategies.model.plan import Gate
from strategies.model.quotes import CALL, PUT, BoolArray, FloatArray, IntArray, to_price
from strategies.model.rules import CondorRules
from strategies.model.structures import CONDOR_RATIOS
from strategies.model.ticks import order_tick, round_down
from strategies.pricing.valuation import SeriesValues, Valuer

_LEAST_CREDIT = 0.05  # index points: one tick of a package, below it there is none
_CREDIT_DIGITS = 5  # without the noise of floats, so that a credit of nothing is 0 and not 1e-16
_DAYS_PER_YEAR = 365.0


@dataclass(frozen=True, slots=True)
class Short:
    """One short strike: its row in the series and its delta."""

    row: int
    delta: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Wings:
    """A whole condor, priced. Index points per condor."""

    legs: CondorLegs
    mid_credit: float
    credit: Decimal  # the least an entry accepts: mid less the concession, on the tick grid
    net_vega: float  # points per vol point


class Freedom:
    """Which options may be sold and bought without netting against the book."""

    def __init__(
        self,
        valuer: Valuer,
        positions: Mapping[OptionContract, int],
        closing: Collection[OptionContract],
    ) -> None:
        self._valuer = valuer
        held_long = (contract for contract, held in positions.items() if held > 0)
        held_short = (contract for contract, held in positions.items() if held < 0)
        self._not_to_sell = _by_series((*held_long, *closing))
        self._not_to_buy = _by_series((*held_short, *closing))

    def to_sell(self, series_index: int) -> BoolArray:
        """Return which options of a series may be sold: (n, 2), columns PUT and CALL."""
        return self._free(series_index, self._not_to_sell)

    def to_buy(self, series_index: int) -> BoolArray:
        """Return which options of a series may be bought: (n, 2), columns PUT and CALL."""
        return self._free(series_index, self._not_to_buy)

    def _free(
        self, series_index: int, taken: Mapping[tuple[str, date], list[OptionContract]]
    ) -> BoolArray:
        values = self._valuer.options_in_series("SPX", series_index)
        series = self._valuer.market.spx_options.series[series_index]
        free: BoolArray = values.quoted & (values.bid > 0)
        there = taken.get((series.root, series.expiry), [])
        if there and len(values.strike):
            strike = np.array([float(contract.strike) for contract in there])
            column = np.array([PUT if each.right is Right.PUT else CALL for each in there])
            row = np.minimum(np.searchsorted(values.strike, strike), len(values.strike) - 1)
            listed = values.strike[row] == strike
            free[row[listed], column[listed]] = False
        return free


def _by_series(
    contracts: Iterable[OptionContract],
) -> dict[tuple[str, date], list[OptionContract]]:
    groups: dict[tuple[str, date], list[OptionContract]] = {}
    for contract in contracts:
        groups.setdefault((contract.root, contract.expiry), []).append(contract)
    return groups


def bias_gate(rules: CondorRules) -> Gate | None:
    """Return C5's refusal of a bias that the wings asked for can never have, or None."""
    if rules.bias == "negative" or rules.wings != "one_by_one":
        return None
    return Gate(
        rule="C5",
        name=f"wings of {rules.bias} bias",
        value=rules.wings,
        threshold="ratio, diagonal or either",
        passed=False,
        note="a same-expiry 1x1 condor is never vega-positive: "
        "each long lies further out than its short and has less vega",
    )


def choose_wings(
    valuer: Valuer,
    series_index: int,
    short_put: Short,
    short_call: Short,
    *,
    free: Freedom,
    rules: CondorRules,
    most_points: float | None = None,
) -> tuple[Wings | None, Gate]:
    """Return the wings with the best credit over max loss inside the vega window (C4, C5).

    Equal wings go first, because Interactive Brokers margins only those as one spread; wings of
    different widths are taken where no equal pair fits the window. Under C5, wings that C7 can
    afford go first.

    Args:
        valuer: The market's values.
        series_index: The series of the shorts.
        short_put: The put sold.
        short_call: The call sold.
        free: Which options may be bought.
        rules: The thresholds; ``bias_gate`` has been asked already.
        most_points: The max loss of one condor that C7 still allows, index points; None = any.
    """
    shapes = [
        _Shape(valuer, series_index, long_index, ratios, short_put, short_call, free, rules)
        for long_index, ratios in _shapes(valuer, series_index, rules)
    ]
    found = [
        (shape, pair)
        for shape in shapes
        if (pair := shape.best(None if rules.bias == "negative" else most_points)) is not None
    ]
    if not found:
        return None, _refusal(shapes, rules)
    shape, pair = max(found, key=lambda each: each[0].rank(each[1], most_points))
    wings = shape.wings(pair)
    return wings, _gate(rules, wings.net_vega, passed=True, note=shape.note(pair))


def _shapes(
    valuer: Valuer, series_index: int, rules: CondorRules
) -> list[tuple[int, tuple[int, int]]]:
    """Return the series of the longs and the ratios of longs and shorts that are looked at."""
    one_by_one, *ratios = CONDOR_RATIOS
    if rules.bias == "negative":
        return [(series_index, one_by_one)]
    shapes = []
    if rules.wings in ("ratio", "either"):
        shapes += [(series_index, each) for each in ratios]
    if rules.wings in ("diagonal", "either"):
        all_series = valuer.market.spx_options.series
        short = all_series[series_index]
        shapes += [
            (index, one_by_one)
            for index, series in enumerate(all_series)
            if series.root == short.root
            and 0 < (series.expiry - short.expiry).days <= rules.diagonal_max_days
            and valuer.spx.ok[index]
        ]
    return shapes


def vega_window(rules: CondorRules) -> tuple[float, float]:
    """Return the least and the most net vega per contract of the bias asked for."""
    if rules.bias == "positive":
        return rules.positive_min_net_vega, rules.positive_max_net_vega
    if rules.bias == "neutral":
        return -rules.neutral_net_vega, rules.neutral_net_vega
    return rules.min_net_vega, rules.max_net_vega


def _gate(rules: CondorRules, net_vega: float | None, *, passed: bool, note: str) -> Gate:
    low, high = vega_window(rules)
    return Gate(
        rule="C4" if rules.bias == "negative" else "C5",
        name="net vega per contract",
        value=None if net_vega is None else round(net_vega, 4),
        threshold=f"{low:g} .. {high:g}",
        passed=passed,
        note=note,
    )


def _refusal(shapes: list["_Shape"], rules: CondorRules) -> Gate:
    """Return the gate of wings that are not there: how near the nearest came."""
    nearest = min(
        (shape for shape in shapes if shape.net_vega.size),
        key=lambda shape: shape.outside.min(),
        default=None,
    )
    if nearest is None:
        return _gate(rules, None, passed=False, note="no wings are quoted")
    pair = nearest.place(nearest.outside.argmin())
    note = f"no wings fit with a credit; nearest {nearest.note(pair)}"
    return _gate(rules, float(nearest.net_vega[pair]), passed=False, note=note)


Pair = tuple[int, int]


class _Shape:
    """Every pair of wings of one kind around two shorts, as matrices (put wings, call wings)."""

    def __init__(
        self,
        valuer: Valuer,
        short_index: int,
        long_index: int,
        ratios: tuple[int, int],
        short_put: Short,
        short_call: Short,
        free: Freedom,
        rules: CondorRules,
    ) -> None:
        series = valuer.market.spx_options.series
        self._valuer = valuer
        self._short_series, self._long_series = series[short_index], series[long_index]
        self._shorts = shorts = valuer.options_in_series("SPX", short_index)
        self._longs = longs = valuer.options_in_series("SPX", long_index)
        self._put, self._call = short_put, short_call
        self._n_long, self._n_short = ratios
        put_strike = shorts.strike[short_put.row]
        call_strike = shorts.strike[short_call.row]
        may_buy = free.to_buy(long_index)
        # the nearest first
        put_rows = np.flatnonzero(may_buy[:, PUT] & (longs.strike < put_strike))[::-1]
        call_rows = np.flatnonzero(may_buy[:, CALL] & (longs.strike > call_strike))
        self._put_rows: IntArray = put_rows
        self._call_rows: IntArray = call_rows
        self._put_width: FloatArray = put_strike - longs.strike[put_rows]
        self._call_width: FloatArray = longs.strike[call_rows] - call_strike
        self._days = (self._long_series.expiry - self._short_series.expiry).days
        carry = float(CARRY_A_YEAR) * self._days / _DAYS_PER_YEAR
        self.worst: FloatArray = self._n_short * np.maximum.outer(
            self._put_width + carry * longs.strike[put_rows],
            self._call_width + carry * longs.strike[call_rows],
        )
        self.net_vega = self._net(longs.vega, shorts.vega)
        self.mid_credit = -self._net(longs.mid, shorts.mid)
        to_natural = self._sum(0.5 * (longs.ask - longs.bid), 0.5 * (shorts.ask - shorts.bid))
        credit = self.mid_credit - rules.entry_concession * to_natural
        self.credit: FloatArray = np.round(credit, _CREDIT_DIGITS)
        low, high = vega_window(rules)
        self.outside: FloatArray = np.maximum(low - self.net_vega, self.net_vega - high)

    def _net(self, of_longs: FloatArray, of_shorts: FloatArray) -> FloatArray:
        """Return longs less shorts, of every pair."""
        put, call = of_shorts[self._put.row, PUT], of_shorts[self._call.row, CALL]
        net: FloatArray = np.add.outer(
            self._n_long * of_longs[self._put_rows, PUT] - self._n_short * put,
            self._n_long * of_longs[self._call_rows, CALL] - self._n_short * call,
        )
        return net

    def _sum(self, of_longs: FloatArray, of_shorts: FloatArray) -> FloatArray:
        """Return longs and shorts added up, of every pair."""
        return self._net(of_longs, -of_shorts)

    def best(self, most_points: float | None) -> Pair | None:
        """Return the pair inside the window with the best credit over max loss; None if none."""
        fits = (self.outside <= 0) & (self.credit >= _LEAST_CREDIT) & (self.credit < self.worst)
        first = [self._days == 0 and np.equal.outer(self._put_width, self._call_width)]
        if most_points is not None:
            first.append(self.worst - self.credit <= most_points)
        for preferred in first:
            if (fits & preferred).any():
                fits &= preferred
        if not fits.any():
            return None
        max_loss = np.where(fits, self.worst - self.credit, 1.0)
        return self.place(np.where(fits, self.credit / max_loss, -np.inf).argmax())

    def rank(self, pair: Pair, most_points: float | None) -> tuple[bool, float]:
        """Return what makes a pair better than one of another shape; the greater wins."""
        max_loss = float(self.worst[pair] - self.credit[pair])
        affordable = most_points is None or max_loss <= most_points
        return affordable, float(self.credit[pair]) / max_loss

    def place(self, flat: np.intp) -> Pair:
        """Return the row and column of a place counted along the rows."""
        put, call = np.unravel_index(int(flat), self.net_vega.shape)
        return int(put), int(call)

    def wings(self, pair: Pair) -> Wings:
        """Return a pair as contracts and amounts."""
        short, long = self._short_series, self._long_series
        put_row, call_row = int(self._put_rows[pair[0]]), int(self._call_rows[pair[1]])
        legs = CondorLegs(
            long_put=contract_at(long.root, long.expiry, Right.PUT, self._longs, put_row),
            short_put=contract_at(short.root, short.expiry, Right.PUT, self._shorts, self._put.row),
            short_call=contract_at(
                short.root, short.expiry, Right.CALL, self._shorts, self._call.row
            ),
            long_call=contract_at(long.root, long.expiry, Right.CALL, self._longs, call_row),
            short_ratio=self._n_short,
            long_ratio=self._n_long,
        )
        tick = order_tick([legs.long_put, legs.short_put], Decimal(1))
        return Wings(
            legs=legs,
            mid_credit=float(self.mid_credit[pair]),
            credit=round_down(to_price(float(self.credit[pair])), tick),
            net_vega=float(self.net_vega[pair]),
        )

    def note(self, pair: Pair) -> str:
        """Return a pair in words: ``width 5``, ``2:1, width 180, V_c -12 USD``."""
        width = max(self._put_width[pair[0]], self._call_width[pair[1]])
        words = f"width {width:g}"
        if (self._n_long, self._n_short) == (1, 1) and not self._days:
            return words
        kind = f"{self._days} days later" if self._days else f"{self._n_long}:{self._n_short}"
        value = self._valuer.condor(self.wings(pair).legs)
        assert value is not None, "every leg was priced to be chosen"
        return f"{kind}, {words}, V_c {value.factor_vega_usd:.0f} USD"


def contract_at(
    root: str, expiry: date, right: Right, values: SeriesValues, row: int
) -> OptionContract:
    """Return the option of one row of a series."""
    strike = Decimal(round(float(values.strike[row]) * 1000)) / 1000
    return OptionContract(root, expiry, right, strike)
