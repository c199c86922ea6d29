"""The hedge of one interval: rotation, activation, band, sales, core, purchases, in that order.

The order is the rule book's precedence (section 11): the over-hedge ceiling (G7, B8), rotation
(B1, B3, B11), activation (L1-L3, B4-B7), the vega floor (B8), the governors (G1, G3) and the
increments (B9).

The hedge is sized on the condors that are held and that this plan does not close. One that the
plan opens is hedged, core and all, from the next interval on, once it has filled.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from strategies.alvh.asking import may_l3_grow, read_asking, rotate
from strategies.alvh.core import (
    CoreNeed,
    buy_core,
    calls_held,
    condors_to_insure,
    core_held,
    core_vega_usd,
)
from strategies.alvh.explain import LayerStory, unpriceable_layer, why_kept
from strategies.alvh.governors import Budget, forecast_ratio, quick_ratio_gates
from strategies.alvh.harvest import Harvest, sell_harvest
from strategies.alvh.hedge_plan import HedgeInputs, HedgePlan
from strategies.alvh.holdings import LAYERS, Lot, read_lots, with_reach
from strategies.alvh.instruments import Candidate, rank_candidates
from strategies.alvh.layers import Asked, LayerTarget, layer_targets
from strategies.alvh.liquidity import sell_for_liquidity
from strategies.alvh.orders import order_of
from strategies.alvh.pace import pace_of
from strategies.alvh.passive import dislocation_gate, without_crossing
from strategies.alvh.rebalance import (
    Attempt,
    Band,
    Purchases,
    Sales,
    Trade,
    Wish,
    layer_wishes,
    sell_above_ceiling,
    sell_above_wish,
    sell_due,
    sell_rotated,
)
from strategies.alvh.return_cap import cap_by_return
from strategies.alvh.rotation import (
    contracts_to_keep,
    is_selling_step,
    is_selling_underway,
    rotation_rule,
)
from strategies.alvh.short_side import (
    ShortSide,
    buy_back,
    sell_short,
    short_ceiling_usd,
    short_side,
)
from strategies.model.book import CondorPosition, root_id
from strategies.model.instruments import Instrument
from strategies.model.memory import RotationMemory
from strategies.model.plan import Gate, LayerReason

_EPSILON = 1e-9


def plan_hedge(inputs: HedgeInputs) -> HedgePlan:
    """Return the hedge's part of the plan (rules L, B and G)."""
    snapshot = inputs.snapshot
    inputs = replace(inputs, rules=with_reach(inputs.rules, snapshot.market, snapshot.session))
    lots = read_lots(inputs.book, inputs.valuer, snapshot.session, inputs.rules.layers)
    if inputs.condor_vega_usd is None:
        return _hold(inputs, lots)
    return _Planner(inputs, lots, inputs.condor_vega_usd).plan()


def _insured(inputs: HedgeInputs, new: Sequence[CondorPosition] = ()) -> tuple[str, ...]:
    """Return the first ids of the condors in the book whose core has been decided (G2)."""
    decided = {*inputs.memory.condors_insured, *(root_id(condor.condor_id) for condor in new)}
    return tuple(sorted(decided & {root_id(condor.condor_id) for condor in inputs.book.condors}))


def _without_value(lots: Sequence[Lot]) -> tuple[str, ...]:
    return tuple(str(lot.instrument) for lot in lots if lot.value is None)


def _hold(inputs: HedgeInputs, lots: Sequence[Lot]) -> HedgePlan:
    """Leave the hedge as it is, because the condors cannot be priced; only B10 and G6 go on."""
    memory, rules = inputs.memory, inputs.rules
    sales = Sales(lots, inputs.purposes_at_work)
    sell_due(sales, lots, rules)
    sell_for_liquidity(sales, lots, inputs.lacking_usd)
    trades = without_crossing(sales.trades, inputs.signals)
    return HedgePlan(
        layers=tuple(unpriceable_layer(layer, lots, sales, rules.layers) for layer in LAYERS),
        reductions=tuple(order_of(trade, inputs.plan_id) for trade in trades),
        additions=(),
        trades=trades,
        gates=(
            *quick_ratio_gates(inputs.account, rules.governors),
            dislocation_gate(inputs.signals, rules.signals),
        ),
        reasons=("the hedge stays as it is: the book cannot be priced", *sales.reasons),
        missing=(),
        unpriced=_without_value(lots),
        cap=None,
        zone_usd=0.0,
        rotation=rotate(inputs, None),
        boost=memory.boost,
        core_contracts=core_held(memory.core_contracts, lots, sales),
        condors_insured=_insured(inputs),
        harvest_armed=memory.harvest_armed,
        harvesting=memory.harvesting,
        halving=memory.halving,
        harvested=memory.harvested,
    )


class _Planner:
    """One hedge on its way from lots to trades.

    While a lot has no value only reductions go on that rest on what is known: G6, B10, B1's where
    all of L1 has a value, and what the ceiling trims although that lot counts as nothing. Nothing
    is added and no surplus sold: v is not known.
    """

    def __init__(self, inputs: HedgeInputs, lots: tuple[Lot, ...], condor_vega_usd: float) -> None:
        self._pace = pace_of(
            inputs.vega_per_theta,
            condor_vega_usd + sum(lot.contracts * lot.unit_vega_usd for lot in lots),
            inputs.verdict,
            inputs.rules,
            is_spike=inputs.regime.spike is True,
        )
        self._in = inputs
        self._lots = lots
        self._condor_vega_usd = condor_vega_usd
        self._condors = sum(condor.quantity for condor in inputs.condors)
        self._gates: list[Gate] = []
        self._missing: list[str] = []
        self._unpriced = _without_value(lots)
        self._ranked: dict[str, tuple[Candidate, ...]] = {}
        self._new = self._new_condors()

    def plan(self) -> HedgePlan:
        inputs, rules, lots = self._in, self._in.rules, self._lots
        asking = read_asking(inputs, lots, lambda: self._candidates("L2"))
        rotation = asking.rotation
        self._gates += [*asking.gates, *self._pace.gates]

        sales = Sales(lots, inputs.purposes_at_work)
        sell_due(sales, lots, rules)
        sell_for_liquidity(sales, lots, inputs.lacking_usd)
        is_cutting = is_selling_step(inputs.memory.rotation, rotation)
        if is_selling_underway(rotation):
            sell_rotated(sales, lots, contracts_to_keep(rotation), rotation_rule(rotation))
        core = core_held(inputs.memory.core_contracts, lots, sales)
        targets, gates = layer_targets(
            inputs.signals,
            inputs.regime,
            asked=Asked(
                boost=asking.boost,
                rotation=rotation,
                event_scale=asking.event_scale,
                theta_window_usd=asking.window.target_usd(sales.left_vega_usd("L2")),
                core_vega_usd=core_vega_usd(core, lots, sales),
            ),
            short_vega=asking.short_vega,
            rules=rules,
        )
        self._gates += gates
        if is_cutting:  # in the steps of B1 and B3 nothing but a new core adds to L1
            targets["L1"] = _at_most(targets["L1"], sales.left_vega_usd("L1"))

        band = Band.of(self._condor_vega_usd, self._condors, rules)
        trimmed = sell_above_ceiling(
            sales, lots, band, self._wishes_above(targets, sales, band), keep_calls=core
        )
        shorts = short_side(self._condor_vega_usd, rules)
        selling = self._pace.selling.apply(rules)
        buy_back(sales, lots, shorts.target_usd, band, selling)
        permitted = self._permitted(targets, is_cutting=is_cutting)
        budget = self._budget()
        wishes = layer_wishes(
            targets,
            {layer: sales.left_vega_usd(layer) for layer in LAYERS},
            band=band,
            permitted=self._cheapest_first(permitted, sales, band),
            reach=self._reach(self._purchases(sales, budget, band), sales, band),
            rules=rules,
        )
        keeps = {layer: self._keeps_surplus(targets[layer], rotation) for layer in LAYERS}
        # but what exceeds L1's largest scale (L4) or what a rotation has cut
        is_core_wanted = wishes["L1"].vega_usd >= core_vega_usd(core, lots, sales) - _EPSILON
        for layer in LAYERS:
            if not keeps[layer]:
                sell_above_wish(
                    sales,
                    lots,
                    wishes[layer],
                    layer=layer,
                    keep_usd=band.keep_usd,
                    keep_calls=core if layer == "L1" and is_core_wanted else 0,
                    trimmed_usd=trimmed[layer],
                    asked_by=(*targets[layer].rules, *self._pace.selling.rules),
                    rules=selling,
                )

        harvest = self._harvest(sales, band)
        purchases = self._purchases(sales, budget, band)
        self._gates += [*budget.gates(), *quick_ratio_gates(inputs.account, rules.governors)]
        core = core_held(core, lots, sales)  # less what has been sold since
        core, core_gates, decided = self._core(
            core, purchases, budget, sales, targets, wishes, band
        )
        self._gates += core_gates
        core_bought = {trade.instrument: trade.contracts for trade in purchases.trades}
        filled = self._fill(
            purchases,
            sales,
            targets,
            wishes,
            permitted,
            band,
            options_first=asking.window.is_open,
            harvested=harvest.layers,
        )
        sold: tuple[Trade, ...] = ()
        if shorts.gate is not None:
            self._gates.append(shorts.gate)
            sold, filled["L1"], targets["L1"] = self._sell_short(
                shorts, budget, sales, targets["L1"], filled["L1"]
            )
        filled |= self._cap_by_return(
            purchases, sales, filled, sold=sold, core=core_bought, budget=budget, band=band
        )
        rotation = _with_core(rotation, purchases.trades)
        cap = filled["L1"].cap
        if shorts.gate is None:
            cap = self._floor_cap(filled, sales, purchases, band, permitted, rotation)
        self._gates.append(dislocation_gate(inputs.signals, rules.signals))
        reductions = without_crossing(sales.trades, inputs.signals)
        additions = without_crossing((*purchases.trades, *sold), inputs.signals)
        trades = (*reductions, *additions)
        stories = [
            self._story(layer, targets, wishes, filled, sales, trades, band, keeps, shorts)
            for layer in LAYERS
        ]
        return HedgePlan(
            layers=tuple(story.plan for story in stories),
            reductions=tuple(order_of(trade, inputs.plan_id) for trade in reductions),
            additions=tuple(order_of(trade, inputs.plan_id) for trade in additions),
            trades=trades,
            gates=(*self._gates, *(gate for story in stories for gate in story.gates)),
            reasons=(*self._held_back(), *sales.reasons, *_shortfalls(filled, core_gates)),
            missing=tuple(self._missing),
            unpriced=self._unpriced,
            cap=cap,
            zone_usd=max(attempt.zone_usd for attempt in filled.values()),
            rotation=rotation,
            boost=asking.boost.memory,
            core_contracts=core,
            condors_insured=_insured(inputs, decided),
            harvest_armed=harvest.armed,
            harvesting=harvest.harvesting,
            halving=harvest.halving,
            harvested=harvest.harvested,
        )

    # --- what there is ----------------------------------------------------------------------------

    def _new_condors(self) -> tuple[CondorPosition, ...]:
        inputs = self._in
        # Sized on what was filled: nothing of this plan's rolls has been
        held = inputs.condors if inputs.as_filled is None else inputs.as_filled
        new = condors_to_insure(held, inputs.memory.condors_insured, inputs.purposes_at_work)
        if new and self._unpriced:
            return ()
        if new and not self._are_calls_seen():
            self._missing.append("G2 core: VIX or its options; it waits")
            return ()
        return new

    def _are_calls_seen(self) -> bool:
        return "VIX" in self._in.snapshot.market.indices and bool(self._in.valuer.vix.ok.any())

    def _is_call_offered(self) -> bool:
        return any(candidate.is_call for candidate in self._candidates("L1"))

    def _held_back(self) -> tuple[str, ...]:
        if not self._unpriced:
            return ()
        return (f"nothing is added to the hedge: no value for {', '.join(self._unpriced)}",)

    def _budget(self) -> Budget:
        inputs = self._in
        vix = inputs.snapshot.market.indices.get("VIX")
        ratio = forecast_ratio(
            None if vix is None else vix.value,
            inputs.snapshot.history.vix_close,
            inputs.condor_beta,
        )
        if ratio is None:
            self._missing.append("G3 volatility forecast ratio: VIX or its history; taken as 1")
        elif inputs.condor_beta is None:
            self._missing.append("G3 beta of the condors: not adjusted for it")
        return Budget(
            account=inputs.account,
            hedge_cost_usd=inputs.book.hedge_cost_365d_usd,
            lots=self._lots,
            condors=inputs.condors,
            regime=inputs.regime,
            forecast=ratio,
            rules=inputs.rules.governors,
        )

    def _purchases(self, sales: Sales, budget: Budget, band: Band) -> Purchases:
        return Purchases(
            self._lots,
            sales,
            budget=budget,
            ceiling_usd=band.inner_usd,
            purposes_at_work=self._in.purposes_at_work,
            rules=self._pace.buying.apply(self._in.rules),
        )

    def _candidates(self, layer: str) -> tuple[Candidate, ...]:
        if layer not in self._ranked:
            held = {lot.instrument for lot in self._lots if lot.at_most > 0 and not lot.is_short}
            self._ranked[layer] = rank_candidates(self._in.valuer, layer, self._in.rules, held)
        return self._ranked[layer]

    # --- what is allowed --------------------------------------------------------------------------

    def _permitted(
        self, targets: Mapping[str, LayerTarget], *, is_cutting: bool
    ) -> tuple[str, ...]:
        """Return the layers B8's floor may raise."""
        allowed = {
            "L1": not is_cutting,
            "L2": targets["L2"].active,
            "L3": targets["L3"].active and may_l3_grow(self._in),
        }
        return tuple(layer for layer in LAYERS if allowed[layer])

    def _cheapest_first(
        self,
        permitted: Sequence[str],
        sales: Sales,
        band: Band,
    ) -> tuple[str, ...]:
        is_ranked = len(permitted) < 2  # noqa: PLR2004 one or none
        if is_ranked or sales.left_vega_usd() >= band.floor_usd:
            return tuple(permitted)
        scores = {
            layer: min((c.score for c in self._candidates(layer)), default=float("inf"))
            for layer in permitted
        }
        return tuple(sorted(permitted, key=lambda layer: (scores[layer], layer)))

    def _wishes_above(
        self, targets: Mapping[str, LayerTarget], sales: Sales, band: Band
    ) -> dict[str, float]:
        """Return what layers want where v is above the band, so that the floor raises none (B8)."""
        wishes = layer_wishes(
            targets,
            {layer: sales.left_vega_usd(layer) for layer in LAYERS},
            band=band,
            permitted=(),
            reach=lambda _, wish_usd: wish_usd,
            rules=self._in.rules,
        )
        return {layer: wish.uncapped_usd for layer, wish in wishes.items()}

    def _reach(
        self, purchases: Purchases, sales: Sales, band: Band
    ) -> Callable[[str, float], float]:
        """Return how far a layer can come toward a wish with what may be bought (B8)."""
        missing = max(0.0, band.floor_usd - sales.left_vega_usd())

        def reach(layer: str, wish_usd: float) -> float:
            if missing == 0:
                return wish_usd  # the floor asks for nothing
            return purchases.reach_usd(
                layer, wish_usd, self._candidates(layer), floor_missing_usd=missing
            )

        return reach

    def _keeps_surplus(self, target: LayerTarget, rotation: RotationMemory) -> str:
        """Return why a layer sells nothing that it holds above its wish; empty where it does.

        A layer that still acts keeps it (B8 acts when v leaves the band): otherwise every swing of
        V_c would be traded back and forth. One that no longer acts, that B11 unwinds, or that B5
        sends to its target lets it go.
        """
        if self._unpriced:
            return f"no value for {', '.join(self._unpriced)}"
        if target.layer == "L1" and self._new and self._is_call_offered():
            return "its surplus may become the core of a new condor (G2)"
        acts = target.reason is LayerReason.BOOST or (
            target.reason is LayerReason.ACTIVE and rotation.restoring_since is None
        )
        if acts and not self._pace.sells_surplus:
            return "the layer acts and v is in the band (B8)"
        return ""

    # --- what is bought ---------------------------------------------------------------------------

    def _core(
        self,
        held: int,
        purchases: Purchases,
        budget: Budget,
        sales: Sales,
        targets: Mapping[str, LayerTarget],
        wishes: Mapping[str, Wish],
        band: Band,
    ) -> tuple[int, tuple[Gate, ...], tuple[CondorPosition, ...]]:
        """Buy the core; return its contracts, G2's gate, and the condors it is decided for.

        While no call of L1's tenor can be had nothing is decided: the condors stay new.
        """
        if not self._new:
            return held, (), ()
        rules, in_l1_usd = self._in.rules, sales.left_vega_usd("L1")
        need = CoreNeed(
            condors=self._new,
            core_contracts=held,
            calls_held=calls_held(self._lots, sales),
            lacking_usd=max(
                wishes["L1"].vega_usd - in_l1_usd,
                band.floor_usd - sum(wish.vega_usd for wish in wishes.values()),
            ),
            most_usd=targets["L1"].most_usd(rules.layers) - in_l1_usd,
        )
        ranked = self._candidates("L1")
        is_decided = any(candidate.is_call for candidate in purchases.free("L1", ranked))
        core, gate = buy_core(purchases, need, ranked, budget=budget, rules=rules)
        return core, (gate,), self._new if is_decided else ()

    def _fill(
        self,
        purchases: Purchases,
        sales: Sales,
        targets: Mapping[str, LayerTarget],
        wishes: Mapping[str, Wish],
        permitted: Sequence[str],
        band: Band,
        *,
        options_first: bool,
        harvested: Collection[str],
    ) -> dict[str, Attempt]:
        filled = {}
        for layer in LAYERS:
            wish = wishes[layer]
            if layer in harvested:
                filled[layer] = Attempt(note="harvested in this interval: nothing is added (B12)")
                continue
            if self._unpriced or wish.vega_usd - sales.left_vega_usd(layer) <= _EPSILON:
                filled[layer] = Attempt(cap="G7" if wish.is_lowered else None)
                continue
            held = sales.left_vega_usd() + sum(purchases.vega_usd(each) for each in LAYERS)
            asked_by = (*targets[layer].rules, *self._pace.buying.rules)
            if wish.floor_raise_usd > _EPSILON and layer in permitted:
                asked_by = (*asked_by, "B8")
            filled[layer] = purchases.fill(
                layer,
                wish,
                self._candidates(layer),
                floor_missing_usd=max(0.0, band.floor_usd - held),
                asked_by=asked_by,
                options_first=options_first and layer == "L2",
            )
        return filled

    def _cap_by_return(
        self,
        purchases: Purchases,
        sales: Sales,
        filled: Mapping[str, Attempt],
        *,
        sold: Sequence[Trade],
        core: Mapping[Instrument, int],
        budget: Budget,
        band: Band,
    ) -> dict[str, Attempt]:
        """Leave out what the book's return does not carry (G4); return the layers that it caps."""
        if self._unpriced:
            return {}
        held = [(lot.instrument, sales.expected(lot)) for lot in self._lots]
        planned = sales.left_vega_usd() + sum(purchases.vega_usd(layer) for layer in LAYERS)
        capped = cap_by_return(
            purchases.trades,
            held=[*held, *((trade.instrument, trade.contracts) for trade in sold)],
            core=core,
            spare_vega_usd=planned - band.floor_usd if budget.is_emergency else float("inf"),
            returns=self._in.returns,
            rules=self._in.rules.governors,
        )
        purchases.keep(capped.kept)
        self._gates.append(capped.gate)
        self._missing += capped.missing
        kept = {
            layer: sum(t.contracts for t in capped.kept if t.layer == layer) for layer in LAYERS
        }
        return {
            layer: replace(filled[layer], cap="G4", room=kept[layer]) for layer in capped.left_out
        }

    def _harvest(self, sales: Sales, band: Band) -> Harvest:
        """Sell what B12 harvests; nothing while v is not known."""
        memory = self._in.memory
        if self._unpriced:
            return Harvest(
                armed=memory.harvest_armed,
                harvesting=memory.harvesting,
                halving=memory.halving,
                harvested=memory.harvested,
            )
        harvest = sell_harvest(
            sales,
            self._lots,
            self._in.signals,
            memory,
            keep_usd=band.keep_usd,
            session=self._in.snapshot.session,
            rules=self._in.rules,
        )
        self._gates += harvest.gates
        return harvest

    def _sell_short(
        self,
        shorts: ShortSide,
        budget: Budget,
        sales: Sales,
        target: LayerTarget,
        bought: Attempt,
    ) -> tuple[tuple[Trade, ...], Attempt, LayerTarget]:
        """Sell L1's futures short (L6); return the trades, what held them back, and L1's target."""
        if self._unpriced or shorts.target_usd == 0:
            return (), bought, target
        selling = Purchases(
            self._lots,
            sales,
            budget=budget,
            ceiling_usd=short_ceiling_usd(self._condor_vega_usd, self._condors, self._in.rules),
            purposes_at_work=self._in.purposes_at_work,
            rules=self._pace.buying.apply(self._in.rules),
            side=-1,
        )
        attempt = sell_short(
            selling, self._lots, sales, shorts.target_usd, self._candidates("L1"), self._in.rules
        )
        target = replace(
            target,
            active=True,
            reason=LayerReason.ACTIVE,
            rules=tuple(dict.fromkeys((*target.rules, "L6"))),
            note=f"short {shorts.target_usd:.0f} USD a VIX point is wanted (L6)",
        )
        return selling.trades, attempt, target

    # --- what is said about it --------------------------------------------------------------------

    def _floor_cap(
        self,
        filled: Mapping[str, Attempt],
        sales: Sales,
        purchases: Purchases,
        band: Band,
        permitted: Sequence[str],
        rotation: RotationMemory,
    ) -> str | None:
        """Return what keeps v below the band once everything is filled, or None if it is not."""
        held = sales.left_vega_usd() + sum(purchases.vega_usd(layer) for layer in LAYERS)
        if held >= band.floor_usd - _EPSILON:
            return None
        caps = {each.cap for each in filled.values()}
        for cap in ("G6", "G7", "G3", "G1", "G4", "L5", "L7", "L4", "B9"):
            if cap in caps:
                return cap
        return rotation_rule(rotation) if "L1" not in permitted else "L4"

    def _story(
        self,
        layer: str,
        targets: Mapping[str, LayerTarget],
        wishes: Mapping[str, Wish],
        filled: Mapping[str, Attempt],
        sales: Sales,
        trades: Sequence[Trade],
        band: Band,
        keeps: Mapping[str, str],
        shorts: ShortSide,
    ) -> LayerStory:
        lots = tuple(lot for lot in self._lots if lot.layer == layer)
        own = tuple(trade for trade in trades if trade.layer == layer)
        planned = sum(lot.expected * lot.unit_vega_usd for lot in lots)
        planned += sum(trade.vega_usd for trade in own)
        return LayerStory(
            target=targets[layer],
            wish=wishes[layer],
            attempt=filled[layer],
            lots=lots,
            trades=own,
            planned_usd=planned,
            max_scale=self._in.rules.layers.max_scale,
            short_usd=shorts.target_usd if layer == "L1" else 0.0,
            kept_because=why_kept(
                lots, sales, wishes[layer], planned, keep_usd=band.keep_usd, held_by=keeps[layer]
            ),
        )


def _at_most(target: LayerTarget, vega_usd: float) -> LayerTarget:
    if target.vega_usd <= vega_usd:
        return target
    full = target.full_usd
    return replace(target, vega_usd=vega_usd, scale=vega_usd / full if full > 0 else 0.0)


def _with_core(rotation: RotationMemory, purchases: Sequence[Trade]) -> RotationMemory:
    """Let a core bought while B1 or B3 sells count among what it found: it is cut alike."""
    if not rotation.l1_at_flip:
        return rotation
    bought = {t.instrument.symbol: t.contracts for t in purchases if t.layer == "L1"}
    return replace(
        rotation,
        l1_at_flip=tuple(
            (symbol, contracts + bought.get(symbol, 0)) for symbol, contracts in rotation.l1_at_flip
        ),
    )


def _shortfalls(filled: Mapping[str, Attempt], core_gates: Sequence[Gate]) -> tuple[str, ...]:
    capped = tuple(
        f"{fill.cap}: {layer} stays short of its target"
        for layer, fill in filled.items()
        if fill.cap is not None
    )
    return (
        *capped,
        *(f"{gate.rule}: no {gate.note}" for gate in core_gates if not gate.passed),
    )
