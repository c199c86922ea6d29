"""Which condor to sell: expiry (C2), short strikes (C3) and wings (C4).

``bias: negative`` is the only bias in force. A same-expiry 1x1 condor is always short vega, the
more so the wider its wings, so C4's window bounds the width: about 5 to 10 index points at 45
days.

No netting (ours): positions net by contract at the broker. A leg that the book holds with the
other sign would silently take an older condor apart, so such strikes are passed over. So are the
legs of a condor that is being closed: the two orders would meet each other in the market.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import numpy as np

from strategies.model.book import CondorLegs
from strategies.model.instruments import OptionContract, Right
from strategies.model.plan import Gate
from strategies.model.quotes import CALL, PUT, FloatArray, IntArray, to_price
from strategies.model.rules import CondorRules
from strategies.model.ticks import order_tick, round_down
from strategies.pricing.valuation import SeriesValues, Valuer

# A chain whose nearest strike is further than this from the delta aimed at has no such option
_DELTA_TOLERANCE = 0.05
_LEAST_CREDIT = 0.05  # index points: one tick of a package, below it there is none
_MAX_WIDTHS = 20  # of each wing; wider ones are far outside any vega window


@dataclass(frozen=True, slots=True, kw_only=True)
class CondorChoice:
    """The condor that C2-C4 picked. Prices in index points, per condor."""

    legs: CondorLegs
    mid_credit: float
    credit: Decimal  # the least an entry accepts: mid less the concession, on the tick grid
    net_vega: float  # points per vol point
    short_put_delta: float
    short_call_delta: float
    sigma_sqrt_t: float  # at-the-money vol x sqrt(years to settlement)


@dataclass(frozen=True, slots=True)
class _Short:
    """One short strike: its row in the series and its delta."""

    row: int
    delta: float


def choose_expiry(valuer: Valuer, session: date, rules: CondorRules) -> tuple[int | None, Gate]:
    """Return the SPX series nearest to the target days inside the window, earlier first (C2)."""
    chain = valuer.market.spx_options
    usable: list[tuple[int, date, int]] = []
    for index, series in enumerate(chain.series):
        days = (series.expiry - session).days
        contract_settles_pm = series.root == "SPXW"
        if not valuer.spx.ok[index] or not (contract_settles_pm or rules.allow_am_settled):
            continue
        if rules.min_dte <= days <= rules.max_dte:
            usable.append((abs(days - rules.target_dte), series.expiry, index))
    chosen = min(usable)[2] if usable else None
    days_chosen = None if chosen is None else (chain.series[chosen].expiry - session).days
    gate = Gate(
        rule="C2",
        name="days to expiry",
        value=None if days_chosen is None else float(days_chosen),
        threshold=f"{rules.min_dte} .. {rules.max_dte}, nearest {rules.target_dte}",
        passed=chosen is not None,
        note="" if chosen is not None else "no such expiry is quoted",
    )
    return chosen, gate


def choose_condor(
    valuer: Valuer,
    series_index: int,
    *,
    positions: Mapping[OptionContract, int],
    closing: Collection[OptionContract] = (),
    rules: CondorRules,
) -> tuple[CondorChoice | None, tuple[Gate, ...]]:
    """Return the condor of one series by C3 and C4, and their gates; None if a gate failed.

    Args:
        valuer: The market's values.
        series_index: The series C2 chose.
        positions: Signed contracts held and at work; none of them is traded the other way.
        closing: Legs of condors that are being closed; none of them is traded either way.
        rules: The thresholds.
    """
    series = valuer.market.spx_options.series[series_index]
    values = valuer.options_in_series("SPX", series_index)
    free = _Freedom(values, positions, closing, series.root, series.expiry)
    shorts: list[_Short | None] = []
    gates: list[Gate] = []
    for side, name in ((PUT, "short put delta"), (CALL, "short call delta")):
        short = _short_strike(values, side, free.to_sell[:, side], rules)
        shorts.append(short)
        gates.append(
            Gate(
                rule="C3",
                name=name,
                value=None if short is None else round(abs(short.delta), 4),
                threshold=rules.short_delta,
                passed=short is not None,
                note="" if short is not None else "no quoted strike is near that delta",
            )
        )
    short_put, short_call = shorts
    if short_put is None or short_call is None:
        return None, tuple(gates)
    wings = _Wings(values, free, short_put, short_call, rules)
    best = wings.best()
    gates.append(wings.gate(best))
    if best is None:
        return None, tuple(gates)
    put_row, call_row = wings.rows(best)

    def contract(row: int, right: Right) -> OptionContract:
        strike = Decimal(round(float(values.strike[row]) * 1000)) / 1000
        return OptionContract(series.root, series.expiry, right, strike)

    legs = CondorLegs(
        long_put=contract(put_row, Right.PUT),
        short_put=contract(short_put.row, Right.PUT),
        short_call=contract(short_call.row, Right.CALL),
        long_call=contract(call_row, Right.CALL),
    )
    t_years = series.years_from(valuer.market.at)
    choice = CondorChoice(
        legs=legs,
        mid_credit=float(wings.mid_credit[best]),
        credit=wings.credit_on_grid(best),
        net_vega=float(wings.net_vega[best]),
        short_put_delta=short_put.delta,
        short_call_delta=short_call.delta,
        sigma_sqrt_t=valuer.spx.atm_vol(series_index) * t_years**0.5,
    )
    return choice, tuple(gates)


class _Freedom:
    """Which strikes may be sold and bought without netting against the book, (n, 2) each."""

    def __init__(
        self,
        values: SeriesValues,
        positions: Mapping[OptionContract, int],
        closing: Collection[OptionContract],
        root: str,
        expiry: date,
    ) -> None:
        two_sided = values.quoted & (values.bid > 0)
        self.to_sell = two_sided
        self.to_buy = two_sided.copy()
        held_long = {contract for contract, held in positions.items() if held > 0}
        held_short = {contract for contract, held in positions.items() if held < 0}
        for usable, taken in (
            (self.to_sell, held_long.union(closing)),
            (self.to_buy, held_short.union(closing)),
        ):
            for contract in taken:
                if (contract.root, contract.expiry) != (root, expiry):
                    continue
                row = int(np.searchsorted(values.strike, float(contract.strike)))
                if row < len(values.strike) and values.strike[row] == float(contract.strike):
                    usable[row, PUT if contract.right is Right.PUT else CALL] = False


def _short_strike(
    values: SeriesValues, side: int, usable: np.ndarray, rules: CondorRules
) -> _Short | None:
    distance = np.where(usable, np.abs(np.abs(values.delta[:, side]) - rules.short_delta), np.inf)
    if not len(distance):
        return None
    row = int(np.argmin(distance))
    if distance[row] > _DELTA_TOLERANCE:
        return None
    return _Short(row, float(values.delta[row, side]))


class _Wings:
    """Every pair of wings around two short strikes, as matrices (put widths, call widths)."""

    def __init__(
        self,
        values: SeriesValues,
        free: _Freedom,
        short_put: _Short,
        short_call: _Short,
        rules: CondorRules,
    ) -> None:
        self._rules = rules
        below = np.flatnonzero(free.to_buy[: short_put.row, PUT])[::-1][:_MAX_WIDTHS]
        above = np.flatnonzero(free.to_buy[short_call.row + 1 :, CALL])[:_MAX_WIDTHS]
        self._put_rows: IntArray = below
        self._call_rows: IntArray = above + short_call.row + 1
        put_width = values.strike[short_put.row] - values.strike[self._put_rows]
        call_width = values.strike[self._call_rows] - values.strike[short_call.row]
        self.width = np.maximum.outer(put_width, call_width)
        self._equal = np.equal.outer(put_width, call_width)

        def spread(column: FloatArray) -> FloatArray:
            """Long wings less short strikes, for every pair."""
            puts = column[self._put_rows, PUT] - column[short_put.row, PUT]
            calls = column[self._call_rows, CALL] - column[short_call.row, CALL]
            pairs: FloatArray = np.add.outer(puts, calls)
            return pairs

        self.net_vega = spread(values.vega)
        self.mid_credit = -spread(values.mid)
        half_spreads = 0.5 * (values.ask - values.bid)
        to_natural = np.add.outer(
            half_spreads[self._put_rows, PUT] + half_spreads[short_put.row, PUT],
            half_spreads[self._call_rows, CALL] + half_spreads[short_call.row, CALL],
        )
        # Without the noise of floats, so that a credit of nothing is 0 and not 1e-16
        self.credit = np.round(self.mid_credit - rules.entry_concession * to_natural, 5)

    def best(self) -> tuple[int, int] | None:
        """Return the pair inside the vega window with the best credit over max loss (C4).

        Equal wings go first, because Interactive Brokers margins only those as one spread; wings
        of different widths are taken where no equal pair fits the window.
        """
        low, high = self._rules.min_net_vega, self._rules.max_net_vega
        fits = (low <= self.net_vega) & (self.net_vega <= high)
        fits &= (self.credit >= _LEAST_CREDIT) & (self.credit < self.width)
        if (fits & self._equal).any():
            fits &= self._equal
        if not fits.any():
            return None
        max_loss = np.where(fits, self.width - self.credit, 1.0)
        return_on_risk = np.where(fits, self.credit / max_loss, -np.inf)
        put, call = np.unravel_index(int(np.argmax(return_on_risk)), fits.shape)
        return int(put), int(call)

    def rows(self, pair: tuple[int, int]) -> tuple[int, int]:
        """Return the rows of the long put and the long call of a pair."""
        return int(self._put_rows[pair[0]]), int(self._call_rows[pair[1]])

    def credit_on_grid(self, pair: tuple[int, int]) -> Decimal:
        """Return the least credit of a pair, rounded down to the package's tick."""
        strike = OptionContract("SPXW", date.min, Right.PUT, Decimal(1))
        tick = order_tick([strike, strike], Decimal(1))
        return round_down(to_price(float(self.credit[pair])), tick)

    def gate(self, best: tuple[int, int] | None) -> Gate:
        """Return C4's gate: the net vega chosen, or the nearest one there was."""
        low, high = self._rules.min_net_vega, self._rules.max_net_vega
        value: float | None = None
        note = "no wings are quoted" if not self.net_vega.size else ""
        if best is not None:
            value = round(float(self.net_vega[best]), 4)
            note = f"width {float(self.width[best]):g}"
        elif self.net_vega.size:
            outside = np.maximum(low - self.net_vega, self.net_vega - high)
            nearest = np.unravel_index(int(np.argmin(outside)), outside.shape)
            value = round(float(self.net_vega[nearest]), 4)
            note = f"no wings fit with a credit; nearest width {float(self.width[nearest]):g}"
        return Gate(
            rule="C4",
            name="net vega per contract",
            value=value,
            threshold=f"{low:g} .. {high:g}",
            passed=best is not None,
            note=note,
        )
