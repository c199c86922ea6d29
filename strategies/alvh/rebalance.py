"""From targets to trades: the vega band (B8), increments (B9), rolls (B10) and the ceiling (G7).

The wish of a layer (rules L1-L4) becomes what it should hold:

1. Floor (B8): while v lies below the band, what inactive layers still hold beyond their wish is
   kept, longest tenor first, and then the permitted layers - L1 but in the steps of a flip (B1),
   L2 and L3 while they are active - are raised up to their largest scale, L1's less B1's cut,
   cheapest score first. What a layer wants and cannot buy - nothing of its tenor quoted, one
   contract too coarse, a governor without room - insures nothing: the next permitted layer is
   asked for it. What none can buy stays the cheapest one's wish, so that the plan names what binds.
2. Ceiling (B8, G7): purchases end at an inner line, B9's no-trade fraction of the band's width
   below its upper edge. Where the sum of it all would pass it, wishes are lowered, shortest tenor
   first, but not below what is held. Once v is above the upper edge the hedge is trimmed to that
   same line, so that a small move of v back and forth does not buy and sell the same contracts.

Sales come first. What B10 rolls, B1 rotates and the ceiling trims is sold at once; the ceiling
takes what layers hold beyond their wishes before anything that they want. The surplus of a layer
that no longer acts goes by increments (B9), down to a line as far above the floor as the inner one
is below the ceiling; a layer that still acts keeps its surplus until v leaves the band. Purchases
fill the gap that is left by increments, inside the governors and staggered over expiries (L7).

Without condors there is nothing to hedge: every layer's target is zero and what is held is sold,
the core too.
"""

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import chain
from typing import Final, Literal

from strategies.alvh.governors import Budget, whole
from strategies.alvh.holdings import LAYERS, Lot
from strategies.alvh.instruments import Candidate, is_staggered
from strategies.alvh.layers import LayerTarget
from strategies.model.instruments import Instrument
from strategies.model.orders import PositionEffect, Urgency
from strategies.model.rules import Rules

_EPSILON: Final = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """The edges of B8 in dollars of hedge factor vega, for the condors that stay."""

    floor_usd: float  # hedge vega at v = band_low
    ceiling_usd: float  # hedge vega at v = the lower of band_high and G7: above it, trims
    inner_usd: float  # where purchases and trims end: below it by B9's fraction of the width
    keep_usd: float  # where sales of surplus end: above the floor by as much

    @classmethod
    def of(cls, condor_vega_usd: float, condors: int, rules: Rules) -> "Band":
        """Return the band for V_c and N; without condors both edges are zero.

        Against condors that are meant to be vega-positive (L6) the upper edges bound what the
        hedge adds to them: the condors' own vega is no over-hedging.
        """
        if condors == 0:
            return cls(floor_usd=0.0, ceiling_usd=0.0, inner_usd=0.0, keep_usd=0.0)
        low = rules.rotation.band_low
        high = min(rules.rotation.band_high, rules.governors.max_net_vega)
        zone = rules.rotation.no_trade_fraction * max(0.0, high - low)
        is_meant_long = rules.condor.bias == "positive"
        over_usd = min(0.0, condor_vega_usd) if is_meant_long else condor_vega_usd
        return cls(
            floor_usd=low * 100 * condors - condor_vega_usd,
            ceiling_usd=max(0.0, high * 100 * condors - over_usd),
            inner_usd=max(0.0, (high - zone) * 100 * condors - over_usd),
            keep_usd=(low + zone) * 100 * condors - condor_vega_usd,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """Contracts of one instrument to buy (> 0) or sell (< 0) for one layer."""

    instrument: Instrument
    layer: str
    contracts: int
    effect: PositionEffect  # a future may be sold to open (L6), and is then bought to close
    unit_vega_usd: float
    bid: float
    ask: float
    rules: tuple[str, ...]
    urgency: Urgency

    @property
    def vega_usd(self) -> float:
        """The change of the hedge's factor vega, USD per VIX point."""
        return self.contracts * self.unit_vega_usd


# --- what each layer should hold ------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a layer should hold once band and ceiling have spoken, USD per VIX point."""

    vega_usd: float
    uncapped_usd: float  # before the ceiling
    floor_raise_usd: float  # what B8's floor adds to or keeps beyond the layer's own target
    is_lowered: bool  # the ceiling took something


def layer_wishes(
    targets: Mapping[str, LayerTarget],
    held_usd: Mapping[str, float],
    *,
    band: Band,
    permitted: Sequence[str],
    reach: Callable[[str, float], float],
    rules: Rules,
) -> dict[str, Wish]:
    """Return what each layer should hold (B8).

    Args:
        targets: The layers' own targets (L4).
        held_usd: Factor vega of each layer as it is, orders at work filled.
        band: The band's edges.
        permitted: Layers the floor may raise, cheapest first.
        reach: How much of a wish above what it holds a layer can come to hold, by and by.
        rules: The largest scale.
    """
    wanted = {layer: targets[layer].vega_usd for layer in LAYERS}

    def missing() -> float:
        reached = (
            reach(layer, wish) if wish > held_usd[layer] else wish for layer, wish in wanted.items()
        )
        return band.floor_usd - sum(reached)

    for layer in reversed(LAYERS):  # keeping what is there costs nothing; the long end decays least
        surplus = held_usd[layer] - wanted[layer]
        if surplus > 0:
            wanted[layer] += max(0.0, min(missing(), surplus))
    for layer in permitted:
        raised = min(
            wanted[layer] + max(0.0, missing()), targets[layer].most_for_floor_usd(rules.layers)
        )
        within_reach = reach(layer, raised) if raised > held_usd[layer] else raised
        wanted[layer] = max(wanted[layer], within_reach)
    for layer in permitted:
        unmet = band.floor_usd - sum(wanted.values())
        room = targets[layer].most_for_floor_usd(rules.layers) - wanted[layer]
        wanted[layer] += max(0.0, min(unmet, room))
    lowered = dict(wanted)
    for layer in LAYERS:
        excess = sum(lowered.values()) - band.inner_usd
        to_buy = lowered[layer] - held_usd[layer]
        if excess > 0 and to_buy > 0:
            lowered[layer] -= min(excess, to_buy)
    return {
        layer: Wish(
            vega_usd=lowered[layer],
            uncapped_usd=wanted[layer],
            floor_raise_usd=wanted[layer] - targets[layer].vega_usd,
            is_lowered=lowered[layer] < wanted[layer] - _EPSILON,
        )
        for layer in LAYERS
    }


# --- sales ----------------------------------------------------------------------------------------


class Sales:
    """Reductions of one plan, collected lot by lot; what has no bid or is at work is not sold.

    A short lot (L6) is reduced by buying it back.
    """

    def __init__(self, lots: Sequence[Lot], purposes_at_work: Collection[str]) -> None:
        self._lots = lots
        self._at_work = purposes_at_work
        self._trades: dict[Instrument, Trade] = {}
        self.reasons: list[str] = []

    @property
    def trades(self) -> tuple[Trade, ...]:
        """The reductions, shortest expiry first."""
        return tuple(
            self._trades[lot.instrument] for lot in self._lots if lot.instrument in self._trades
        )

    def sold(self, lot: Lot) -> int:
        """Return how many contracts of a lot are closed so far, >= 0."""
        trade = self._trades.get(lot.instrument)
        return 0 if trade is None else abs(trade.contracts)

    def left(self, lot: Lot) -> int:
        """Return how many contracts of a lot can still be closed."""
        return lot.closable - self.sold(lot)

    def expected(self, lot: Lot) -> int:
        """Return the contracts of a lot once the plan and what is at work have filled, signed."""
        trade = self._trades.get(lot.instrument)
        return lot.expected + (0 if trade is None else trade.contracts)

    def left_vega_usd(self, layer: str | None = None) -> float:
        """Return the factor vega that remains, orders at work filled; of one layer or of all."""
        return sum(
            self.expected(lot) * lot.unit_vega_usd
            for lot in self._lots
            if layer in (None, lot.layer)
        )

    def sell(
        self, lot: Lot, contracts: int, rules: tuple[str, ...], urgency: Urgency = Urgency.NORMAL
    ) -> int:
        """Close up to ``contracts`` more of a lot and return how many."""
        contracts = min(contracts, self.left(lot))
        if contracts <= 0:
            return 0
        asked_by = rules[0]
        if lot.value is None or lot.value.bid <= 0:
            self.reasons.append(f"{asked_by}: nobody bids for {lot.instrument}")
            return 0
        if f"hedge:{lot.layer}:reduce:{lot.instrument.symbol}" in self._at_work:
            self.reasons.append(f"{asked_by}: {lot.instrument} is being sold already")
            return 0
        before = self._trades.get(lot.instrument)
        if before is not None:
            rules = tuple(dict.fromkeys((*before.rules, *rules)))
            urgency = before.urgency if before.urgency is Urgency.URGENT else urgency
        closed = contracts + self.sold(lot)
        self._trades[lot.instrument] = Trade(
            instrument=lot.instrument,
            layer=lot.layer,
            contracts=closed if lot.contracts < 0 else -closed,
            effect=PositionEffect.CLOSE,
            unit_vega_usd=lot.unit_vega_usd,
            bid=lot.value.bid,
            ask=lot.value.ask,
            rules=rules,
            urgency=urgency,
        )
        return contracts


def sell_due(sales: Sales, lots: Sequence[Lot], rules: Rules) -> None:
    """Close what is too close to expiry (B10); its layer refills by increments."""
    for lot in lots:
        if lot.is_due(rules.rotation):
            sales.sell(lot, sales.left(lot), ("B10",))


def sell_rotated(sales: Sales, lots: Sequence[Lot], keep: Mapping[str, int], rule: str) -> None:
    """Sell L1 down to what the rotation keeps of it (B1, B3)."""
    for lot in lots:
        kept = keep.get(lot.instrument.symbol)
        if kept is not None and lot.layer == "L1":
            sales.sell(lot, sales.left(lot) - kept, (rule,))


def sell_above_ceiling(
    sales: Sales,
    lots: Sequence[Lot],
    band: Band,
    wishes_usd: Mapping[str, float],
    *,
    keep_calls: int = 0,
) -> dict[str, float]:
    """Above the band trim to its inner line, all at once (B8, G7).

    Surplus goes first, what a layer holds beyond its wish, then the rest; shortest first in both.
    A trim stays above the line at which surplus is kept, unless contracts are so large that v
    cannot be brought below the upper edge otherwise.

    Args:
        sales: The plan's sales so far.
        lots: What the hedge holds, shortest expiry first.
        band: The band's edges.
        wishes_usd: What each layer wants to hold, USD per VIX point.
        keep_calls: The core: so many calls of L1 are no surplus (G2).

    Returns:
        What each layer has given, USD per VIX point.
    """
    if sales.left_vega_usd() <= band.ceiling_usd + _EPSILON:
        return dict.fromkeys(LAYERS, 0.0)
    before = {layer: sales.left_vega_usd(layer) for layer in LAYERS}
    trimmed = [lot for lot in lots if lot.unit_vega_usd > 0 and not lot.is_short]

    def surplus(lot: Lot) -> int:
        room = whole((sales.left_vega_usd(lot.layer) - wishes_usd[lot.layer]) / lot.unit_vega_usd)
        if not (lot.is_call and lot.layer == "L1"):
            return room
        calls = sum(sales.expected(each) for each in lots if each.is_call and each.layer == "L1")
        return min(room, max(0, calls - keep_calls))

    def above_keep(lot: Lot) -> int:
        return whole((sales.left_vega_usd() - band.keep_usd) / lot.unit_vega_usd)

    def trim(lot: Lot, most: int) -> None:
        excess = sales.left_vega_usd() - band.inner_usd
        wanted = math.ceil(excess / lot.unit_vega_usd - _EPSILON)
        sales.sell(lot, min(most, wanted), ("B8", "G7"), Urgency.URGENT)

    for lot in trimmed:
        trim(lot, min(surplus(lot), above_keep(lot)))
    for lot in trimmed:
        trim(lot, above_keep(lot))
    for lot in trimmed:
        if sales.left_vega_usd() > band.ceiling_usd + _EPSILON:
            trim(lot, sales.left(lot))
    return {layer: usd - sales.left_vega_usd(layer) for layer, usd in before.items()}


def sell_above_wish(
    sales: Sales,
    lots: Sequence[Lot],
    wish: Wish,
    *,
    layer: str,
    keep_usd: float,
    keep_calls: int = 0,
    trimmed_usd: float = 0.0,
    asked_by: tuple[str, ...],
    rules: Rules,
) -> None:
    """Reduce one layer toward its wish by one increment (B9), shortest first, rounded to keep.

    ``trimmed_usd``, what the ceiling has taken of the layer in this plan, is part of the increment.

    Never below ``keep_usd`` of all layers: what another layer only wishes for insures nothing yet,
    and what is sold at the floor is bought back when v falls a little. Nor below ``keep_calls``
    calls, the core of L1 (G2); and what was opened in this session stays until the next.
    """
    spare_calls = sum(sales.expected(lot) for lot in lots if lot.layer == layer and lot.is_call)
    spare_calls -= keep_calls
    held = sales.left_vega_usd(layer)
    excess = min(held - wish.vega_usd, sales.left_vega_usd() - keep_usd)
    step = rules.rotation.increment * max(held + trimmed_usd, wish.vega_usd) - trimmed_usd
    at_least = 0 if trimmed_usd > 0 else 1
    for lot in lots:
        unit = lot.unit_vega_usd
        if lot.layer != layer or unit <= 0 or sales.left(lot) <= 0 or lot.is_short or lot.is_fresh:
            continue
        if excess < no_trade_zone(unit, wish.vega_usd, rules):
            return
        contracts = min(whole(excess / unit), max(at_least, whole(step / unit)))
        if lot.is_call:
            contracts = min(contracts, spare_calls)
        sold = sales.sell(lot, contracts, (*asked_by, "B9"))
        spare_calls -= sold if lot.is_call else 0
        excess -= sold * unit
        step -= sold * unit
        at_least = 0 if sold else at_least


def no_trade_zone(unit_vega_usd: float, wish_usd: float, rules: Rules) -> float:
    """Return the gap below which nothing is traded (B9): one contract, or a tenth of the wish."""
    return max(unit_vega_usd, rules.rotation.no_trade_fraction * wish_usd) - _EPSILON


# --- purchases ------------------------------------------------------------------------------------

# Which cap is named where several bind equally: the rule book's precedence (section 11)
_CAPS_IN_ORDER: Final = ("G6", "G7", "G3", "G1", "B9")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What kept a layer from its wish, if anything did."""

    cap: str | None = None
    note: str = ""
    chosen: Candidate | None = None  # the best that anything was left for, bought or not
    runner_up: Candidate | None = None
    wanted: int = 0  # contracts of it that are missing
    room: int | None = None  # contracts that the cap allows; None = it is not counted in contracts
    zone_usd: float = 0.0  # what is missing is less than this, and B9 leaves it alone


class Purchases:
    """Purchases of one plan, layer by layer, inside the governors.

    With ``side`` -1 the same for futures sold short (L6): vega, gaps and ceiling are then counted
    as short vega, and only short lots count as held.
    """

    def __init__(
        self,
        lots: Sequence[Lot],
        sales: Sales,
        *,
        budget: Budget,
        ceiling_usd: float,
        purposes_at_work: Collection[str],
        rules: Rules,
        side: Literal[1, -1] = 1,
    ) -> None:
        self._side = side
        self._sales = sales
        self._budget = budget
        self._rules = rules
        self._at_work = purposes_at_work
        own = [lot for lot in lots if lot.is_short is (side < 0)]
        self._busy = {trade.instrument for trade in sales.trades}
        self._busy |= {lot.instrument for lot in lots if lot.is_short is not (side < 0)}
        self._busy |= {lot.instrument for lot in own if (lot.selling if side > 0 else lot.buying)}
        # G7 at its worst: every purchase at work fills and no sale does
        worst = sum(
            (lot.contracts + (lot.buying if side > 0 else -lot.selling)) * lot.unit_vega_usd
            for lot in lots
        )
        self._ceiling_left_usd = ceiling_usd - side * worst
        self._held_usd = dict.fromkeys(LAYERS, 0.0)
        self._by_expiry: dict[tuple[str, date], int] = {}
        for lot in own:
            place = (lot.layer, lot.instrument.expiry)
            held = side * sales.expected(lot)
            self._held_usd[lot.layer] += held * lot.unit_vega_usd
            self._by_expiry[place] = self._by_expiry.get(place, 0) + held
        self._trades: dict[Instrument, Trade] = {}

    @property
    def trades(self) -> tuple[Trade, ...]:
        """The purchases, in the order they were made."""
        return tuple(self._trades.values())

    @property
    def ceiling_left_usd(self) -> float:
        """The factor vega that G7 still lets the plan buy, USD per VIX point."""
        return self._ceiling_left_usd

    def keep(self, trades: Sequence[Trade]) -> None:
        """Keep only these of the purchases, with their contracts (G4)."""
        self._trades = {trade.instrument: trade for trade in trades}

    def vega_usd(self, layer: str) -> float:
        """Return what the plan adds to a layer, USD per VIX point; negative where sold short."""
        return sum(t.vega_usd for t in self._trades.values() if t.layer == layer)

    def _in_layer_usd(self, layer: str) -> float:
        """Return what the layer will hold on this side with the plan so far, >= 0."""
        return self._held_usd[layer] + self._side * self.vega_usd(layer)

    def free(self, layer: str, ranked: Sequence[Candidate]) -> list[Candidate]:
        """Return the candidates without an order of their own at work or in this plan."""
        prefix = f"hedge:{layer}:add:"
        adding = {purpose for purpose in self._at_work if purpose.startswith(prefix)}
        return [
            candidate
            for candidate in ranked
            if candidate.instrument not in self._busy
            and not (adding and f"{prefix}{candidate.instrument.symbol}" in adding)
        ]

    def buy(
        self, layer: str, candidate: Candidate, contracts: int, asked_by: tuple[str, ...]
    ) -> None:
        """Book a purchase; a second one of the same instrument joins the first."""
        before = self._trades.get(candidate.instrument)
        self._trades[candidate.instrument] = Trade(
            instrument=candidate.instrument,
            layer=layer,
            contracts=self._side * contracts + (0 if before is None else before.contracts),
            effect=PositionEffect.OPEN,
            unit_vega_usd=candidate.unit_vega_usd,
            bid=candidate.bid,
            ask=candidate.ask,
            rules=tuple(dict.fromkeys((*(before.rules if before else ()), *asked_by))),
            urgency=Urgency.NORMAL,
        )
        self._budget.take(candidate, contracts)
        self._ceiling_left_usd -= contracts * candidate.unit_vega_usd
        place = (layer, candidate.expiry)
        self._by_expiry[place] = self._by_expiry.get(place, 0) + contracts

    def keeps_stagger(self, layer: str, candidate: Candidate, contracts: int) -> bool:
        """Return whether L7 still holds for the candidate's expiry after buying ``contracts``."""
        in_layer = sum(held for (where, _), held in self._by_expiry.items() if where == layer)
        at_expiry = self._by_expiry.get((layer, candidate.expiry), 0)
        return is_staggered(at_expiry + contracts, in_layer + contracts, self._rules.layers)

    def fill(
        self,
        layer: str,
        wish: Wish,
        ranked: Sequence[Candidate],
        *,
        floor_missing_usd: float,
        asked_by: tuple[str, ...],
        options_first: bool = False,
    ) -> Attempt:
        """Buy one increment toward a layer's wish (L5, L7, B9, G1, G3, G6, G7).

        Args:
            layer: The layer.
            wish: What it should hold.
            ranked: What it may buy, best first.
            floor_missing_usd: What the vega floor still lacks; R3 and R4 exempt that much from G3.
            asked_by: The rules that want the purchase.
            options_first: Whether any option goes before the futures (L5 in B6's window).
        """
        lowered = "G7" if wish.is_lowered else None
        gap = wish.vega_usd - self._in_layer_usd(layer)
        if gap <= _EPSILON:
            return Attempt(cap=lowered)
        free = self.free(layer, ranked)
        if not free:
            return Attempt(cap="L5", note="nothing of its tenor can be bought")
        zone = no_trade_zone(0.0, wish.vega_usd, self._rules)
        if gap < zone:
            return Attempt(cap=lowered, note="inside the no-trade zone (B9)", zone_usd=zone)
        fitting = [c for c in free if whole(gap / c.unit_vega_usd) >= 1]
        if not fitting:
            return Attempt(
                cap=lowered or "L4", note="less than one contract is missing (L4)", chosen=free[0]
            )
        step = self._rules.rotation.increment * wish.vega_usd
        fitting.sort(key=lambda c: (options_first and not c.is_call, self._outgrows(c, layer, gap)))
        blocked = None
        for candidate in fitting:  # the best one that the governors leave any room for
            attempt = self._room(candidate, layer, gap, step, floor_missing_usd)
            attempt = replace(
                attempt, runner_up=next((c for c in fitting if c is not candidate), None)
            )
            contracts = attempt.wanted if attempt.room is None else attempt.room
            if contracts > 0:
                stopped = self._buy(
                    layer, candidate, contracts, fitting, floor_missing_usd, asked_by
                )
                if stopped is not None:
                    return replace(attempt, cap=stopped, room=None)
                return attempt if attempt.cap else replace(attempt, cap=lowered)
            blocked = blocked or attempt
        assert blocked is not None, "something fits"
        return blocked

    def reach_usd(
        self, layer: str, wish_usd: float, ranked: Sequence[Candidate], *, floor_missing_usd: float
    ) -> float:
        """Return how much of a wish the layer can come to hold: B9's steps and L7 left aside.

        That is all of it where no more is missing than B9's no-trade fraction leaves alone.
        """
        held, most = self._in_layer_usd(layer), 0.0
        missing = wish_usd - held
        zone = no_trade_zone(0.0, wish_usd, self._rules)
        for candidate in self.free(layer, ranked):
            if missing - most < zone:
                break
            wanted = whole(missing / candidate.unit_vega_usd)
            rooms = self._rooms(candidate, layer, floor_missing_usd)
            most = max(most, min(wanted, *rooms.values()) * candidate.unit_vega_usd)
        return wish_usd if missing - most < zone else held + most

    def _rooms(self, candidate: Candidate, layer: str, floor_missing_usd: float) -> dict[str, int]:
        unit = candidate.unit_vega_usd
        rooms = self._budget.rooms(
            candidate, layer=layer, is_core=False, exempt_contracts=whole(floor_missing_usd / unit)
        )
        rooms["G7"] = whole(self._ceiling_left_usd / unit)
        return rooms

    def _outgrows(self, candidate: Candidate, layer: str, gap: float) -> float:
        """Return 0 if G3 lets the candidate fill the whole gap, else its notional per vega.

        Sorting by this keeps the order of L5 among those that can do the job. A future's notional
        is several times that of calls; even where R3 or R4 would let it through, one of them
        could eat what the layers need for weeks.
        """
        unit = candidate.unit_vega_usd
        room = self._budget.rooms(candidate, layer=layer, is_core=False, exempt_contracts=0)["G3"]
        return 0.0 if room >= whole(gap / unit) else candidate.notional_usd / unit

    def _room(
        self,
        candidate: Candidate,
        layer: str,
        gap: float,
        step: float,
        floor_missing_usd: float,
    ) -> Attempt:
        """Return how many contracts are wanted, and which cap allows how many if not all."""
        unit = candidate.unit_vega_usd
        wanted = whole(gap / unit)
        rooms = self._rooms(candidate, layer, floor_missing_usd)
        rooms["B9"] = max(1, whole(step / unit))
        room = min(rooms.values())
        if room >= wanted:
            return Attempt(chosen=candidate, wanted=wanted)
        cap = next(rule for rule in _CAPS_IN_ORDER if rooms.get(rule) == room)
        return Attempt(cap=cap, chosen=candidate, wanted=wanted, room=room)

    def _buy(
        self,
        layer: str,
        best: Candidate,
        contracts: int,
        fitting: Sequence[Candidate],
        floor_missing_usd: float,
        asked_by: tuple[str, ...],
    ) -> str | None:
        """Buy, spread over expiries where the tenor has several (L7).

        Contract by contract, so that every partial fill in that order keeps to the rule too, and
        of the best that still fits into the step; the first may be larger than the step (B9).
        Returns what kept some of it from finding a place: L7, or the governor that closed the
        other expiries.
        """
        if len({candidate.expiry for candidate in fitting}) == 1:
            self.buy(layer, best, contracts, asked_by)
            return None
        left, is_first = contracts * best.unit_vega_usd, True
        while whole(left / best.unit_vega_usd) >= 1:
            inside = (c for c in fitting if whole(left / c.unit_vega_usd) >= 1)
            larger = (c for c in fitting if is_first and whole(left / c.unit_vega_usd) < 1)
            option, block = self._place(layer, chain((best,), inside, larger), floor_missing_usd)
            if option is None:
                return block
            self.buy(layer, option, 1, (*asked_by, "L7"))
            left -= option.unit_vega_usd
            floor_missing_usd -= option.unit_vega_usd
            is_first = False
        return None

    def _place(
        self, layer: str, options: Iterable[Candidate], floor_missing_usd: float
    ) -> tuple[Candidate | None, str]:
        """Return the first that may have one more contract; without one, what forbids it."""
        full: set[date] = set()
        blocks: set[str] = set()
        for option in options:
            if option.expiry in full:
                continue
            if not self.keeps_stagger(layer, option, 1):
                full.add(option.expiry)
                continue
            rooms = self._rooms(option, layer, floor_missing_usd)
            closed = next((rule for rule in _CAPS_IN_ORDER if rooms.get(rule, 1) < 1), None)
            if closed is None:
                return option, ""
            blocks.add(closed)
        return None, next((rule for rule in _CAPS_IN_ORDER if rule in blocks), "L7")
