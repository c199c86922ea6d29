"""Every way to move one side of many condors to another series, in columns (C10, C11).

A book of 60 condors has thousands of rolls to weigh up in each interval. Here they are priced all
at once, and those are marked that ``Desk.obstacle`` would refuse for sure. What is chosen is then
put to the desk, one roll at a time and in exact decimals: the columns only save asking.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import cached_property

import numpy as np

from strategies.condor.rolls import CREDIT_DIGITS, USD_PER_POINT, Desk, Roll, Side
from strategies.model.book import CARRY_A_YEAR, CondorPosition
from strategies.model.fees import DEFAULT_FEES, fee_per_contract
from strategies.model.instruments import OptionContract, Right
from strategies.model.quotes import CALL, PUT, BoolArray, FloatArray, IntArray
from strategies.pricing.margin import condor_margin_usd
from strategies.pricing.shocks import shocked_prices, usual_spx_fraction
from strategies.pricing.valuation import OptionValue

SHOCK_POINTS = 8.0  # VIX points of B1's larger shock
_DAYS_PER_YEAR = 365
_TICKS_A_POINT = 20  # of an SPX package
_STEPS_A_TICK = 5_000  # hundred-thousandths of a point
_LARGE = 10_000_000  # above every strike in thousandths of a point
# Premiums from which another fee applies, and one of each step
_FEE_FROM = (0.05, 0.10, 1.0)
_FEE_AT = (Decimal("0.01"), Decimal("0.05"), Decimal("0.10"), Decimal(1))
_NOWHERE = -1


@dataclass(frozen=True, slots=True)
class Asked:
    """A side that may be moved, and the condor it belongs to."""

    condor: CondorPosition
    old: Side


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moves:
    """The rolls of one side in columns (n,), the earliest series first; n may be 0."""

    short_row: IntArray  # of the chain
    long_row: IntArray
    credit: FloatArray  # index points, on the tick grid, the least its order accepts
    delta: FloatArray  # of the new short, absolute
    days: IntArray  # until the first short of the condor it makes expires
    max_loss_usd: FloatArray  # of the condor it makes
    margin_added_usd: FloatArray
    saved_usd: FloatArray  # under the shock it is judged by; < 0 loses more; NaN where refused
    cost_usd: FloatArray  # > 0, of rolling all of the condor; NaN where refused
    refused: BoolArray  # for sure, whatever else the plan does

    def saving(self, place: int) -> "Saving":
        """Return what one of them saves, and what it costs."""
        return Saving(saved_usd=float(self.saved_usd[place]), cost_usd=float(self.cost_usd[place]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """What a roll saves under a shock, and what it costs: USD for the whole position."""

    saved_usd: float
    cost_usd: float

    @property
    def per_dollar(self) -> float:
        """Dollars of loss saved for each dollar of cost."""
        return self.saved_usd / self.cost_usd


def toward_shock(right: Right) -> tuple[float, float]:
    """Return the SPX fraction and VIX points that a side is defended against.

    Puts: VIX +8 with its usual SPX move, B1's shock. Calls: as large a rise, VIX unmoved.
    """
    fall = usual_spx_fraction(SHOCK_POINTS)
    return (fall, SHOCK_POINTS) if right is Right.PUT else (-fall, 0.0)


class MoveTable:
    """What the sides of a plan's condors may be moved to; worked out when first asked for."""

    def __init__(self, desk: Desk, asked: Sequence[Asked]) -> None:
        """Take the sides that may be asked about, one a condor."""
        self._desk = desk
        self._asked = asked
        self._options: dict[tuple[int, Right], OptionValue] = {}

    def out_in_time(self, condor: CondorPosition) -> Moves:
        """Return the rolls of a condor's side to later expiries, as wide as it is (C10).

        Of the same root, at most ``max_dte`` days away (C2): to C3's delta and to the same strikes.
        They are judged by SPX moving as with VIX +8 toward the side; down with VIX, up without.
        """
        return self._out_in_time[condor.condor_id]

    def further_out(self, condor: CondorPosition) -> Moves:
        """Return the rolls of a condor's side to C3's delta, now or later, further out (C11).

        As wide as it is or wider: the narrowest that costs nothing, or else the widest there is.
        They are judged by VIX +8 with its usual SPX move.
        """
        return self._further_out[condor.condor_id]

    def roll(self, asked: Asked, moves: Moves, place: int) -> Roll:
        """Return one of the moves of a side, priced as the desk prices it."""
        new = Side(
            short=self._option(int(moves.short_row[place]), asked.old.right),
            long=self._option(int(moves.long_row[place]), asked.old.right),
        )
        return self._desk.roll(asked.condor, asked.old, new)

    def _option(self, row: int, right: Right) -> OptionValue:
        if (row, right) not in self._options:
            self._options[row, right] = self._find_option(row, right)
        return self._options[row, right]

    def _find_option(self, row: int, right: Right) -> OptionValue:
        chain = self._desk.valuer.market.spx_options
        series = chain.series[int(chain.series_index[row])]
        strike = Decimal(repr(float(chain.strike[row])))
        value = self._desk.valuer.option(OptionContract(series.root, series.expiry, right, strike))
        assert value is not None, "moves are priced"
        return value

    @cached_property
    def _out_in_time(self) -> dict[str, Moves]:
        return self._moves(_Group.out_in_time)

    @cached_property
    def _further_out(self) -> dict[str, Moves]:
        return self._moves(_Group.further_out)

    def _moves(self, find: "Callable[[_Group], list[Moves]]") -> dict[str, Moves]:
        found: dict[str, Moves] = {}
        for group in self._groups:
            names = (each.condor.condor_id for each in group.asked)
            found |= dict(zip(names, find(group), strict=True))
        return found

    @cached_property
    def _groups(self) -> "list[_Group]":
        members: dict[tuple[str, Right, timedelta], list[Asked]] = {}
        for each in self._asked:
            short, long = each.old.short.contract, each.old.long.contract
            key = (short.root, short.right, long.expiry - short.expiry)
            members.setdefault(key, []).append(each)
        rows = _Rows(self._desk)
        return [_Group(self._desk, rows, asked) for asked in members.values()]


class _Rows:
    """The chain in columns, shared by all groups: where an option stands, what may be traded."""

    def __init__(self, desk: Desk) -> None:
        chain = desk.valuer.market.spx_options
        self.chain = chain
        self.values = desk.valuer.chain("SPX")
        self.starts: list[int] = chain.row_starts.tolist()
        self.days = np.array([desk.days(each.expiry) for each in chain.series], dtype=np.int64)
        self._keys = chain.series_index * _LARGE + np.rint(chain.strike * 1000).astype(np.int64)
        self.may_sell = np.ones(self.values.mid.shape, dtype=np.bool_)
        self.may_buy = self.may_sell.copy()
        for contract in desk.engaged:
            row = desk.valuer.row(contract) if contract.underlying == "SPX" else None
            if row is not None:
                column = PUT if contract.right is Right.PUT else CALL
                self.may_sell[row, column] = desk.may_trade(contract, -1)
                self.may_buy[row, column] = desk.may_trade(contract, 1)

    def find(self, series: IntArray, strike: FloatArray) -> IntArray:
        """Return the rows of strikes in series, -1 where there is none; shapes broadcast."""
        keys = series * _LARGE + np.rint(strike * 1000).astype(np.int64)
        rows = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return np.where((series >= 0) & (self._keys[rows] == keys), rows, _NOWHERE)


class _Group:
    """Sides of one root and right whose longs expire equally much later than their shorts.

    Columns of the sides are (n, 1), of the series (1, k), of the rolls that are found (m,).
    """

    def __init__(self, desk: Desk, rows: _Rows, asked: Sequence[Asked]) -> None:
        self.asked = asked
        self._desk = desk
        self._rows = rows
        short, long = asked[0].old.short.contract, asked[0].old.long.contract
        self._right, self._later = short.right, long.expiry - short.expiry
        self._column, self._outward = (PUT, -1) if short.right is Right.PUT else (CALL, 1)
        chain = rows.chain
        is_own = np.array([each.root == short.root for each in chain.series])
        rules = desk.rules
        in_window = (rows.days >= rules.min_roll_dte) & (rows.days <= rules.max_dte)
        usable = np.flatnonzero(is_own & rows.values.ok & in_window).tolist()
        now = {desk.series_now(each.old) for each in asked}
        self._series = np.array(sorted({*usable, *(n for n in now if n is not None)}), np.int64)
        self._in_window = np.isin(self._series, usable)[None, :]
        found = (
            chain.find_series(short.root, chain.series[n].expiry + self._later)
            for n in self._series.tolist()
        )
        self._long_series = np.array([_NOWHERE if n is None else n for n in found], np.int64)
        self._target = np.array([self._target_row(n) for n in self._series.tolist()], np.int64)
        days = [[each.old.short.days] for each in asked]
        self._is_later = rows.days[self._series][None, :] > np.array(days)
        self._is_now = rows.days[self._series][None, :] == np.array(days)
        self._short_strike = self._of_sides(lambda e: float(e.old.short.contract.strike))
        self._width = self._of_sides(lambda e: float(e.old.width))

    def _of_sides(self, read: Callable[[Asked], float]) -> FloatArray:
        return np.array([[read(each)] for each in self.asked], dtype=np.float64)

    def _target_row(self, series: int) -> int:
        target = self._desk.target(series, self._right)
        row = None if target is None else self._desk.valuer.row(target)
        return _NOWHERE if row is None else row

    # --- which rolls there are ------------------------------------------------------------------

    def out_in_time(self) -> list[Moves]:
        """Return C10's rolls of each side."""
        rows, strike = self._rows, self._rows.chain.strike
        shape = (len(self.asked), len(self._series))
        at_target = np.broadcast_to(self._target[None, :], shape)
        at_strikes = rows.find(self._series[None, :], self._short_strike)
        short = np.stack([at_target, at_strikes], axis=-1)  # (n, k, 2)
        there = short != _NOWHERE
        width = self._outward * self._width[:, :, None]
        long = rows.find(self._long_series[None, :, None], strike[short] + width)
        there &= (long != _NOWHERE) & (self._is_later & self._in_window)[:, :, None]
        side, mid = self._column, rows.values.mid[:, self._column]
        there &= rows.may_sell[short, side] & rows.may_buy[long, side]
        there &= (mid[short] > 0) & (mid[long] > 0)
        numbers, _, _ = np.nonzero(there)
        shock = toward_shock(self._right)
        return self._priced(numbers, short[there], long[there], Decimal("0.05"), shock)

    def further_out(self) -> list[Moves]:
        """Return C11's rolls of each side."""
        rows = self._rows
        wings = [self._wings(n) for n in range(len(self._series))]
        most = max((len(each) for each in wings), default=0)
        if not most:
            return self._priced(*(np.empty(0, np.int64),) * 3, Decimal(0), (0.0, 0.0))
        wing = np.full((len(wings), most), _NOWHERE)  # (k, w), the nearest first
        for n, each in enumerate(wings):
            wing[n, : len(each)] = each
        strike = rows.chain.strike
        target = np.where(self._target == _NOWHERE, 0, self._target)
        width = self._outward * (strike[wing] - strike[target][:, None])
        wide = (wing != _NOWHERE)[None] & (width[None] >= self._width[:, :, None])  # (n, k, w)
        credit = self._credit(
            np.arange(len(self.asked))[:, None, None], target[None, :, None], wing[None]
        )
        paid = wide & (credit >= 0.0)
        counts = np.array([len(each) for each in wings])
        place = np.where(paid.any(axis=-1), paid.argmax(axis=-1), counts[None, :] - 1)  # (n, k)
        moved = self._outward * (strike[target][None, :] - self._short_strike)
        is_out = (moved > 0) | ((moved == 0) & self._is_later)
        there = wide.any(axis=-1) & is_out
        there &= self._is_now | (self._is_later & self._in_window)
        numbers, series = np.nonzero(there)
        shock = toward_shock(Right.PUT)
        long = wing[series, place[numbers, series]]
        return self._priced(numbers, target[series], long, Decimal(0), shock)

    def _wings(self, number: int) -> IntArray:
        """Return the rows that may cover the short at C3's delta of a series, nearest first."""
        series, target = int(self._long_series[number]), int(self._target[number])
        if _NOWHERE in (series, target):
            return np.empty(0, np.int64)
        rows, start = self._rows, self._rows.starts[series]
        strike = rows.chain.strike[start : rows.starts[series + 1]]
        is_out = self._outward * (strike - rows.chain.strike[target]) > 0
        free = self._desk.free.to_buy(series)[:, self._column]
        return start + np.flatnonzero(free & is_out)[:: self._outward]

    # --- what they are worth --------------------------------------------------------------------

    @cached_property
    def _shorts(self) -> FloatArray:
        return self._of_sides(lambda e: e.condor.legs.short_ratio)[:, 0]

    @cached_property
    def _longs(self) -> FloatArray:
        return self._of_sides(lambda e: e.condor.legs.long_ratio)[:, 0]

    @cached_property
    def _old(self) -> FloatArray:
        """(4, n): mid and half spread of the short, then of the long."""
        sides = [each.old for each in self.asked]
        return np.array(
            [
                [side.short.mid for side in sides],
                [0.5 * (side.short.ask - side.short.bid) for side in sides],
                [side.long.mid for side in sides],
                [0.5 * (side.long.ask - side.long.bid) for side in sides],
            ]
        )

    def _mid_credit(self, numbers: IntArray, short: IntArray, long: IntArray) -> FloatArray:
        """Return what rolls bring at mid, as ``Desk.roll`` has it; shapes broadcast."""
        mid = self._rows.values.mid[:, self._column]
        old_short, _, old_long, _ = self._old[:, numbers]
        received = self._shorts[numbers] * (mid[short] - old_short)
        credit: FloatArray = received - self._longs[numbers] * (mid[long] - old_long)
        return credit

    def _credit(self, numbers: IntArray, short: IntArray, long: IntArray) -> FloatArray:
        """Return the least that their orders accept, before it is put on the tick grid."""
        values, side = self._rows.values, self._column
        half = 0.5 * (values.ask[:, side] - values.bid[:, side])
        _, old_short, _, old_long = self._old[:, numbers]
        to_natural = self._shorts[numbers] * (half[short] + old_short)
        to_natural = to_natural + self._longs[numbers] * (half[long] + old_long)
        given_up = self._desk.rules.entry_concession * to_natural
        credit = self._mid_credit(numbers, short, long) - given_up
        rounded: FloatArray = np.round(credit, CREDIT_DIGITS)
        return rounded

    def _priced(
        self,
        numbers: IntArray,
        short: IntArray,
        long: IntArray,
        least: Decimal,
        shock: tuple[float, float],
    ) -> list[Moves]:
        """Return rolls of the sides, priced and judged; ``numbers`` (m,) says whose, ascending."""
        chain, values, side = self._rows.chain, self._rows.values, self._column
        rules, condors = self._desk.rules, [e.condor for e in self.asked]
        steps = np.rint(self._credit(numbers, short, long) * 10.0**CREDIT_DIGITS)
        credit = np.floor(steps / _STEPS_A_TICK) / _TICKS_A_POINT
        # What the other side stays as
        others = [self._other(each) for each in self.asked]
        other_width, other_long, other_days, other_later = np.array(others).T[:, numbers]
        own_days = self._rows.days[chain.series_index[short]]
        width = np.abs(chain.strike[long] - chain.strike[short])
        together = own_days == other_days
        quantity = np.array([each.quantity for each in condors], dtype=np.float64)[numbers]
        dollars = USD_PER_POINT * quantity
        # Max loss (CondorLegs.worst_points) and margin (condor_margin_usd) of what comes out
        own = width + _carry(chain.strike[long], self._later.days)
        other = other_width + _carry(other_long, other_later)
        worst = np.where(together, np.maximum(own, other), own + other) * self._shorts[numbers]
        received = np.array([float(each.entry_credit) for each in condors])[numbers]
        max_loss = (worst - (received + credit)) * dollars
        shares = together & (other_later == 0) & (not self._later)
        shares &= (rules.margin_convention == "cboe") | (width == other_width)
        points = np.where(shares, np.maximum(width, other_width), width + other_width)
        before = [
            float(condor_margin_usd(each.legs, each.quantity, rules.margin_convention))
            for each in condors
        ]
        added = points * self._shorts[numbers] * dollars - np.array(before)[numbers]
        days = np.minimum(own_days, other_days).astype(np.int64)
        bids = np.array([min(e.old.short.bid, e.old.long.bid) for e in self.asked])[numbers]
        refused = (credit < float(least)) | (bids <= 0)
        refused |= (values.bid[short, side] <= 0) | (values.bid[long, side] <= 0)
        refused |= (days <= rules.time_exit_dte) | (own_days < rules.min_roll_dte)
        saved, cost = np.full((2, len(numbers)), np.nan)
        kept = np.flatnonzero(~refused)
        if len(kept):
            number, shorts, longs = numbers[kept], short[kept], long[kept]
            saved[kept] = self._saved_usd(number, shorts, longs, shock) * dollars[kept]
            given_up = self._mid_credit(number, shorts, longs) - credit[kept]
            each = given_up * USD_PER_POINT + self._fees_usd(number, shorts, longs)
            hurdle = np.maximum(0.0, added[kept]) * rules.hurdle
            left = days[kept] - rules.time_exit_dte
            cost[kept] = quantity[kept] * each + hurdle * left / _DAYS_PER_YEAR
        ends = np.searchsorted(numbers, np.arange(len(self.asked) + 1))
        slices = [slice(*ends[n : n + 2]) for n in range(len(self.asked))]
        return [
            Moves(
                short_row=short[own_rows],
                long_row=long[own_rows],
                credit=credit[own_rows],
                delta=np.abs(values.delta[short[own_rows], side]),
                days=days[own_rows],
                max_loss_usd=max_loss[own_rows],
                margin_added_usd=added[own_rows],
                saved_usd=saved[own_rows],
                cost_usd=cost[own_rows],
                refused=refused[own_rows],
            )
            for own_rows in slices
        ]

    def _other(self, asked: Asked) -> tuple[float, float, int, int]:
        """Return width, long strike, days of the short and days beyond them of the side kept."""
        legs, days = asked.condor.legs, self._desk.days
        short, long = legs.short_call, legs.long_call
        if self._right is Right.CALL:
            short, long = legs.short_put, legs.long_put
        left = days(short.expiry)
        width = abs(long.strike - short.strike)
        return float(width), float(long.strike), left, days(long.expiry) - left

    def _saved_usd(
        self, numbers: IntArray, short: IntArray, long: IntArray, shock: tuple[float, float]
    ) -> FloatArray:
        """Return what one contract of each condor saves under a shock.

        Both sides are model prices on the fitted surface, as in the shock table; prices paid for
        the roll do not count.
        """
        held = [(each.old.long.contract, each.old.short.contract) for each in self.asked]
        rows = [[self._desk.valuer.row(contract) for contract in pair] for pair in held]
        old = self._change(np.array(rows, dtype=np.int64), shock)[numbers]
        new = self._change(np.stack([short, long], axis=-1), shock)
        longs, shorts = self._longs[numbers], self._shorts[numbers]
        saved: FloatArray = longs * (new[:, 1] - old[:, 0]) + shorts * (old[:, 1] - new[:, 0])
        return saved

    def _change(self, rows: IntArray, shock: tuple[float, float]) -> FloatArray:
        """Return how many points options in some rows gain under a shock; the shape of ``rows``."""
        valuer, once = self._desk.valuer, np.unique(rows)
        terms = valuer.terms_of_rows("SPX", once, np.full(once.shape, self._right is Right.CALL))
        fraction, points = shock
        gained = shocked_prices(valuer, terms, fraction, points)
        gained = gained - shocked_prices(valuer, terms, 0.0, 0.0)
        return gained[np.searchsorted(once, rows)]

    def _fees_usd(self, numbers: IntArray, short: IntArray, long: IntArray) -> FloatArray:
        """Return the fees of one package."""
        contract, mid = self.asked[0].old.short.contract, self._rows.values.mid[:, self._column]
        steps = [
            float(fee_per_contract(contract, price, DEFAULT_FEES, is_combo=True))
            for price in _FEE_AT
        ]

        def fee(premium: FloatArray) -> FloatArray:
            step = np.searchsorted(_FEE_FROM, np.round(premium, CREDIT_DIGITS), side="right")
            return np.array(steps)[step]

        old_short, _, old_long, _ = self._old[:, numbers]
        longs, shorts = self._longs[numbers], self._shorts[numbers]
        closed: FloatArray = fee(old_long) * longs + fee(old_short) * shorts
        return closed + fee(mid[short]) * shorts + fee(mid[long]) * longs


def _carry(long_strike: FloatArray, days: FloatArray | int) -> FloatArray:
    """Return the carry on the strike of longs that expire later, as ``CondorLegs`` has it.

    Days over 365 leave no fraction of a cent below 1e-6 but none at all.
    """
    cents = long_strike * (100 * float(CARRY_A_YEAR)) * days / _DAYS_PER_YEAR
    return np.ceil(cents - 1e-6) / 100
