"""Rolls: one side of a condor closed and another opened in its place, by one order (C10, C11).

Every package that fills turns one condor into one of the next, so an order that fills in part
leaves both. The order starts at mid and may give up ``entry_concession`` of the way to the natural
price, as an entry does; every condition is asked on the least it accepts.

What no roll does, whoever asks for it (``Desk.obstacle``):

- net: no option is sold that the book holds long, nor bought that it holds short, orders at work
  included; a leg of a condor that is being closed is not traded, and nothing is traded both ways
  in one plan;
- raise the max loss past C7: a condor that could lose more than before stays, with all that was
  rolled out of it, within its share of net liquidation, and all margin within its own;
- stay in the last days: the condor expires later than C9's time exit, and what is opened has
  ``min_roll_dte`` days or more.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from functools import lru_cache

from strategies.condor.amounts import exact
from strategies.condor.selection import short_strike
from strategies.condor.wings import Freedom, contract_at
from strategies.model.book import Account, Book, CondorLegs, CondorPosition, root_id
from strategies.model.instruments import OptionContract, Right
from strategies.model.orders import Leg, OrderIntent, PositionEffect, Urgency
from strategies.model.plan import CondorAdjust, Gate
from strategies.model.quotes import CALL, PUT, BoolArray, FloatArray, to_price
from strategies.model.rules import CondorRules
from strategies.model.structures import as_condor
from strategies.model.ticks import order_tick, round_down
from strategies.pricing.margin import condor_margin_usd, condor_max_loss_usd
from strategies.pricing.valuation import OptionValue, Valuer

USD_PER_POINT = 100  # of SPX options
_SURE_USD = 0.01  # no sum of floats here is as far off
CREDIT_DIGITS = 5  # without the noise of floats


@lru_cache(maxsize=4096)  # a plan names each side in several gates
def _spelt(right: Right, low: Decimal, high: Decimal, expiry: date) -> str:
    name = "puts" if right is Right.PUT else "calls"
    strikes = f"{low.normalize():f}/{high.normalize():f}"
    return f"{name} {strikes} of {expiry.day}{expiry:%b%y}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side of a condor, priced: what is short and what covers it."""

    short: OptionValue
    long: OptionValue

    @property
    def right(self) -> Right:
        """Puts or calls."""
        return self.short.contract.right

    @property
    def width(self) -> Decimal:
        """Index points between its strikes."""
        return abs(self.short.contract.strike - self.long.contract.strike)

    def __str__(self) -> str:
        """Return ``puts 3050/3055 of 20MAR20``, strikes ascending."""
        short, long = self.short.contract, self.long.contract
        low, high = min(short.strike, long.strike), max(short.strike, long.strike)
        return _spelt(self.right, low, high, short.expiry)


@dataclass(frozen=True, slots=True, kw_only=True)
class Roll:
    """One way to roll a condor, priced. Index points a condor, the roll alone."""

    condor: CondorPosition
    old: Side
    new: Side
    legs: CondorLegs  # of the condor it makes
    mid_credit: float
    credit: Decimal  # the least its order accepts, on the tick grid; < 0 would be a debit

    @property
    def order_legs(self) -> tuple[tuple[OptionContract, int], ...]:
        """What one package buys: the old side back, then the new one."""
        shorts, longs = self.legs.short_ratio, self.legs.long_ratio
        return (
            (self.old.long.contract, -longs),
            (self.old.short.contract, shorts),
            (self.new.short.contract, -shorts),
            (self.new.long.contract, longs),
        )

    @property
    def makes_a_condor(self) -> bool:
        """Whether its order is one that ``after_roll`` takes for a roll: four options, a condor."""
        legs = self.condor.legs
        own = (legs.long_put, legs.short_put, legs.short_call, legs.long_call)
        opened = (self.new.short.contract, self.new.long.contract)
        return not any(contract in own for contract in opened) and (
            as_condor(self.legs.signed()) is not None
        )

    @property
    def expiry(self) -> date:
        """The day the first short of the condor it makes expires."""
        return min(self.legs.short_put.expiry, self.legs.short_call.expiry)

    @property
    def max_loss_usd(self) -> Decimal:
        """The most the condor it makes can lose, at the least credit."""
        credit = self.condor.entry_credit + self.credit
        return condor_max_loss_usd(self.legs, credit, self.condor.quantity)

    def __str__(self) -> str:
        """Return ``puts 3050/3055 of 20MAR20 to 2950/2955 of 03APR20 for 0.15``."""
        return f"{self.old} to {str(self.new).partition(' ')[2]} for {self.credit}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a rule makes of one condor: a roll, why there is none, or neither if none is asked."""

    roll: Roll | None = None
    gates: tuple[Gate, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """A roll that is ordered: what the plan says of it, its order, and what it makes."""

    adjust: CondorAdjust
    order: OrderIntent
    becomes: CondorPosition  # once all of it has filled at mid


def side_of(valuer: Valuer, legs: CondorLegs, right: Right) -> Side | None:
    """Return one side of a condor; None if it cannot be priced."""
    is_put = right is Right.PUT
    short = valuer.option(legs.short_put if is_put else legs.short_call)
    long = valuer.option(legs.long_put if is_put else legs.long_call)
    return None if short is None or long is None else Side(short=short, long=long)


class Desk:
    """What may be rolled into what in one plan; ``take`` books each roll that is ordered."""

    def __init__(
        self,
        valuer: Valuer,
        book: Book,
        account: Account,
        *,
        positions: Mapping[OptionContract, int],
        closing: Collection[OptionContract],
        margin_used_usd: Decimal,
        rules: CondorRules,
    ) -> None:
        """Take what the rolls of one plan depend on.

        Args:
            valuer: The market's values.
            book: What is held.
            account: For C7: shares of its net liquidation value.
            positions: Signed option contracts held and at work.
            closing: Legs of condors that are being closed.
            margin_used_usd: Margin of the condors held and being opened.
            rules: The thresholds.
        """
        self.valuer = valuer
        self.rules = rules
        self._chain = valuer.market.spx_options
        self._positions = positions
        self._closing = frozenset(closing)
        self.free = Freedom(valuer, positions, closing)
        worth = account.net_liquidation_usd
        self._most_loss_usd = exact(rules.max_loss_fraction) * worth  # C7: of one entry's condors
        self._most_margin_usd = exact(rules.max_margin_fraction) * worth  # C7: of all condors
        self._margin_usd = margin_used_usd
        self._targets: dict[tuple[int, Right], OptionContract | None] = {}
        self._traded: dict[OptionContract, int] = {}  # by rolls taken: > 0 bought, < 0 sold
        self._family_loss_usd: dict[str, Decimal] = {}
        for condor in book.condors:
            root = root_id(condor.condor_id)
            lost = self._family_loss_usd.get(root, Decimal(0))
            self._family_loss_usd[root] = lost + condor.max_loss_usd

    # --- what could be opened -----------------------------------------------------------------

    def days(self, expiry: date) -> int:
        """Return the calendar days to an expiry."""
        return (expiry - self.valuer.session).days

    def series_now(self, side: Side) -> int | None:
        """Return the series of a side's short."""
        contract = side.short.contract
        return self._chain.find_series(contract.root, contract.expiry)

    def at_target(self, side: Side, series_index: int) -> Side | None:
        """Return the side with its short at C3's delta in a series, as wide as it is now."""
        short = self.target(series_index, side.right)
        return None if short is None else self._like(side, short)

    def target(self, series_index: int, right: Right) -> OptionContract | None:
        """Return the option of a series that is sold at C3's delta."""
        key = (series_index, right)
        if key not in self._targets:
            values = self.valuer.options_in_series("SPX", series_index)
            series = self._chain.series[series_index]
            column = PUT if right is Right.PUT else CALL
            usable = self.free.to_sell(series_index)[:, column]
            short = short_strike(values, column, usable, self.rules) if len(usable) else None
            self._targets[key] = (
                None
                if short is None
                else contract_at(series.root, series.expiry, right, values, short.row)
            )
        return self._targets[key]

    def _like(self, side: Side, short: OptionContract) -> Side | None:
        """Return a side of the same width and the same days between its legs, if it may be had."""
        outward = -1 if side.right is Right.PUT else 1
        later = side.long.contract.expiry - side.short.contract.expiry
        strike = short.strike + outward * side.width
        long = OptionContract(short.root, short.expiry + later, short.right, strike)
        if not self.may_trade(short, -1) or not self.may_trade(long, 1):
            return None
        new_short, new_long = self.valuer.option(short), self.valuer.option(long)
        if new_short is None or new_long is None:
            return None
        return Side(short=new_short, long=new_long)

    @property
    def engaged(self) -> frozenset[OptionContract]:
        """The options held, at work or being closed: not all of them may be bought and sold."""
        return self._closing.union(self._positions)

    def may_trade(self, contract: OptionContract, sign: int) -> bool:
        """Return whether an option may be bought (sign > 0) or sold without netting anything."""
        return contract not in self._closing and self._positions.get(contract, 0) * sign >= 0

    def roll(self, condor: CondorPosition, old: Side, new: Side) -> Roll:
        """Return a roll with its prices."""
        shorts, longs = condor.legs.short_ratio, condor.legs.long_ratio
        mid = shorts * (new.short.mid - old.short.mid) - longs * (new.long.mid - old.long.mid)
        to_natural = shorts * (_half_spread(new.short) + _half_spread(old.short))
        to_natural += longs * (_half_spread(new.long) + _half_spread(old.long))
        credit = round(mid - self.rules.entry_concession * to_natural, CREDIT_DIGITS)
        short, long = new.short.contract, new.long.contract
        legs = (
            replace(condor.legs, short_put=short, long_put=long)
            if new.right is Right.PUT
            else replace(condor.legs, short_call=short, long_call=long)
        )
        return Roll(
            condor=condor,
            old=old,
            new=new,
            legs=legs,
            mid_credit=mid,
            credit=round_down(to_price(credit), order_tick([short, long], Decimal(1))),
        )

    # --- what stands in the way ---------------------------------------------------------------

    def obstacle(self, roll: Roll, least: Decimal) -> str:
        """Return why a roll must not be ordered; empty if it may, for ``least`` points or more."""
        if roll.credit < least:
            return f"a credit of {roll.credit}, {least} is needed"
        if not roll.makes_a_condor:
            return "no condor comes of it"
        for value in (roll.old.long, roll.old.short, roll.new.short, roll.new.long):
            if value.bid <= 0:
                return f"nobody bids for {value.contract}"
        for contract, ratio in roll.order_legs:
            if self._traded.get(contract, 0) * ratio < 0:
                return f"{contract} is traded the other way in this plan"
        left, rules = self.days(roll.expiry), self.rules
        if left <= rules.time_exit_dte:
            return f"{left} days are left, more than {rules.time_exit_dte} are needed"
        if (opened := self.days(roll.new.short.contract.expiry)) < rules.min_roll_dte:
            return f"{opened} days to expiry, {rules.min_roll_dte} are needed"
        return self._too_much(roll)

    def _too_much(self, roll: Roll) -> str:
        """Return how a roll would break C7; empty if it does not."""
        before, after = roll.condor.max_loss_usd, roll.max_loss_usd
        family = self._family_loss_usd[root_id(roll.condor.condor_id)] - before + after
        most = self._most_loss_usd
        if after > before and family > most:
            return f"C7: a max loss of {family:.0f} USD, {most:.0f} is allowed"
        added, most = self.margin_added_usd(roll), self._most_margin_usd
        if added > 0 and self._margin_usd + added > most:
            return f"C7: a margin of {self._margin_usd + added:.0f} USD, {most:.0f} is allowed"
        return ""

    def surely_too_much(
        self, condor: CondorPosition, max_loss_usd: FloatArray, margin_added_usd: FloatArray
    ) -> BoolArray:
        """Return which rolls of a condor break C7 by more than floats can be wrong, (n,).

        Args:
            condor: As it is.
            max_loss_usd: Of the condors that the rolls make, (n,).
            margin_added_usd: What they add to the margin in use, (n,).
        """
        before = condor.max_loss_usd
        others = self._family_loss_usd[root_id(condor.condor_id)] - before
        most_loss = max(before, self._most_loss_usd - others)
        most_margin = max(Decimal(0), self._most_margin_usd - self._margin_usd)
        refused: BoolArray = max_loss_usd > float(most_loss) + _SURE_USD
        return refused | (margin_added_usd > float(most_margin) + _SURE_USD)

    def margin_added_usd(self, roll: Roll) -> Decimal:
        """Return what a roll adds to the margin in use; < 0 if it frees some."""
        quantity, convention = roll.condor.quantity, self.rules.margin_convention
        before = condor_margin_usd(roll.condor.legs, quantity, convention)
        return condor_margin_usd(roll.legs, quantity, convention) - before

    # --- ordering -----------------------------------------------------------------------------

    def take(
        self, roll: Roll, *, new_condor_id: str, asked_by: tuple[str, ...], note: str, plan_id: str
    ) -> Ordered:
        """Order a roll in which ``obstacle`` sees none, and book it."""
        condor = roll.condor
        self._family_loss_usd[root_id(condor.condor_id)] += roll.max_loss_usd - condor.max_loss_usd
        self._margin_usd += self.margin_added_usd(roll)
        self._traded |= dict(roll.order_legs)
        value = self.valuer.condor(roll.legs)
        puts = side_of(self.valuer, roll.legs, Right.PUT)
        calls = side_of(self.valuer, roll.legs, Right.CALL)
        assert value is not None, "both sides are priced"
        assert puts is not None, "both sides are priced"
        assert calls is not None, "both sides are priced"
        legs = tuple(Leg(instrument=contract, ratio=ratio) for contract, ratio in roll.order_legs)
        tick = order_tick([leg.instrument for leg in legs], Decimal(1))
        limit = min(-roll.credit, round_down(to_price(-roll.mid_credit), tick))
        adjust = CondorAdjust(
            condor_id=condor.condor_id,
            new_condor_id=new_condor_id,
            new_legs=roll.legs,
            quantity=condor.quantity,
            mid_credit=roll.mid_credit,
            adjustments=condor.adjustments + 1,
            net_vega=value.vega,
            short_put_delta=puts.short.delta,
            short_call_delta=calls.short.delta,
            entry_spot=condor.entry_spot,
            entry_sigma_sqrt_t=condor.entry_sigma_sqrt_t,
            rules=asked_by,
            note=note,
        )
        order = OrderIntent(
            plan_id=plan_id,
            purpose=f"condor:{condor.condor_id}:adjust",
            legs=legs,
            quantity=condor.quantity,
            limit_price=limit,
            worst_price=-roll.credit,
            effect=PositionEffect.OPEN,
            urgency=Urgency.PATIENT,
            rules=asked_by,
            condor_id=condor.condor_id,
        )
        becomes = replace(
            condor,
            condor_id=new_condor_id,
            legs=roll.legs,
            entry_credit=condor.entry_credit - limit,
            adjustments=condor.adjustments + 1,
            rolled_on=self.valuer.session,
        )
        return Ordered(adjust=adjust, order=order, becomes=becomes)


def _half_spread(value: OptionValue) -> float:
    return 0.5 * (value.ask - value.bid)
