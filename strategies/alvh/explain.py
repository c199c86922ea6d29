"""What a plan says of each layer: its numbers, its trades, its choice, and what held it back."""

from collections.abc import Sequence
from dataclasses import dataclass

from strategies.alvh.holdings import LAYERS, Lot
from strategies.alvh.layers import LayerTarget
from strategies.alvh.rebalance import Attempt, Sales, Trade, Wish
from strategies.model.plan import Gate, LayerPlan, LayerReason
from strategies.model.rules import LayerRules

_DIGITS = 6  # of dollars and scales; beyond it floats only differ by the order of a sum
_EPSILON = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerStory:
    """Everything about one layer that its plan tells."""

    target: LayerTarget
    wish: Wish
    attempt: Attempt
    lots: tuple[Lot, ...]  # its own
    trades: tuple[Trade, ...]  # its own
    planned_usd: float  # factor vega once the plan has filled
    max_scale: float  # L4's bound
    short_usd: float = 0.0  # L6: what it should be short besides, USD per VIX point
    kept_because: str = ""  # why what it holds above its wish stays

    @property
    def plan(self) -> LayerPlan:
        """The layer as a plan records it."""
        target, wish, attempt = self.target, self.wish, self.attempt
        main = _main(self.trades)
        fired = [*target.rules, *(rule for trade in self.trades for rule in trade.rules)]
        if wish.floor_raise_usd > _EPSILON:
            fired.append("B8")
        full = target.full_usd
        return LayerPlan(
            layer=target.layer,
            active=target.active,
            reason=target.reason,
            share=target.share,
            scale=min(round(wish.uncapped_usd / full, _DIGITS), self.max_scale) if full else 0.0,
            current_vega_usd=_held_usd(self.lots),
            target_vega_usd=round(wish.uncapped_usd - self.short_usd, _DIGITS),
            planned_vega_usd=round(self.planned_usd, _DIGITS),
            current_contracts=sum(lot.contracts for lot in self.lots),
            change_contracts=0 if main is None else main.contracts,
            instrument=None if main is None else main.instrument.symbol,
            runner_up=_symbol(attempt) if self._is_chosen_traded else None,
            rules=tuple(dict.fromkeys(fired)),
            binding_cap=attempt.cap,
            note="; ".join(note for note in (target.note, attempt.note, self.kept_because) if note),
            trades=_listed(self.trades),
        )

    @property
    def gates(self) -> tuple[Gate, ...]:
        """What it chose and what that beat (L5), and the cap that binds with value and limit."""
        return (*self._choice(), *self._cap())

    @property
    def _is_chosen_traded(self) -> bool:
        """Whether L5's choice is traded at all; a sale of something else has beaten nothing."""
        chosen = self.attempt.chosen
        return chosen is not None and any(t.instrument == chosen.instrument for t in self.trades)

    def _choice(self) -> tuple[Gate, ...]:
        chosen, beaten = self.attempt.chosen, self.attempt.runner_up
        if chosen is None:
            return ()
        over = "nothing else" if beaten is None else beaten.instrument
        return (
            Gate(
                rule="L5",
                name=f"score of {self.target.layer}'s choice, VIX points",
                value=round(chosen.score, _DIGITS),
                threshold=None if beaten is None else round(beaten.score, _DIGITS),
                passed=self._is_chosen_traded,
                note=f"{chosen.instrument} over {over}",
            ),
        )

    def _cap(self) -> tuple[Gate, ...]:
        attempt, layer = self.attempt, self.target.layer
        limit: float | None
        if attempt.cap == "G7" and attempt.room is None:
            name = f"{layer}'s wish, USD per VIX point"
            value, limit = self.wish.uncapped_usd, self.wish.vega_usd
        elif attempt.cap is None or attempt.chosen is None:
            return ()
        else:
            name, value = f"contracts {layer} lacks", float(attempt.wanted)
            limit = None if attempt.room is None else float(attempt.room)
        return (
            Gate(
                rule=attempt.cap,
                name=name,
                value=round(value, _DIGITS),
                threshold=None if limit is None else round(limit, _DIGITS),
                passed=False,
                note="" if attempt.chosen is None else str(attempt.chosen.instrument),
            ),
        )


def why_kept(
    story_lots: Sequence[Lot],
    sales: Sales,
    wish: Wish,
    planned_usd: float,
    *,
    keep_usd: float,
    held_by: str,
) -> str:
    """Return why a layer keeps what it holds above its wish; empty where it does not.

    Args:
        story_lots: The layer's lots.
        sales: The plan's sales.
        wish: What it should hold.
        planned_usd: What it will hold.
        keep_usd: The line of all layers down to which surplus is sold (B8).
        held_by: Why it gives up no surplus at all; empty where it does.
    """
    units = [lot.unit_vega_usd for lot in story_lots if lot.unit_vega_usd > 0]
    above = planned_usd - wish.uncapped_usd
    if not units or above < min(units) - _EPSILON:
        return ""
    if held_by:
        why = held_by
    elif sales.left_vega_usd() - keep_usd < min(units):
        why = "what the vega floor needs is not sold (B8)"
    elif all(lot.is_fresh for lot in story_lots if sales.left(lot)):
        why = "opened in this session, it stays until the next (B9)"
    elif any(sales.sold(lot) for lot in story_lots):
        why = "the rest follows by increments (B9)"
    else:
        why = "inside the no-trade zone (B9), or its sale is at work"
    return f"holds {above:.0f} USD a VIX point above its target: {why}"


def unpriceable_layer(
    layer: str, lots: Sequence[Lot], sales: Sales, rules: LayerRules
) -> LayerPlan:
    """Return the plan of a layer without a target, because the condors have no value."""
    own = tuple(lot for lot in lots if lot.layer == layer)
    trades = tuple(trade for trade in sales.trades if trade.layer == layer)
    main = _main(trades)
    return LayerPlan(
        layer=layer,
        active=layer == "L1",
        reason=LayerReason.CORE if layer == "L1" else LayerReason.INACTIVE,
        share=shares(rules)[layer],
        scale=0.0,
        current_vega_usd=_held_usd(own),
        target_vega_usd=0.0,
        planned_vega_usd=round(sales.left_vega_usd(layer), _DIGITS),
        current_contracts=sum(lot.contracts for lot in own),
        change_contracts=0 if main is None else main.contracts,
        instrument=None if main is None else main.instrument.symbol,
        runner_up=None,
        rules=(layer,),
        binding_cap=None,
        note="the book cannot be priced: no target",
        trades=_listed(trades),
    )


def shares(rules: LayerRules) -> dict[str, float]:
    """Return each layer's share of -V_c."""
    return dict(zip(LAYERS, (rules.l1_share, rules.l2_share, rules.l3_share), strict=True))


def _main(trades: Sequence[Trade]) -> Trade | None:
    return max(trades, key=lambda trade: abs(trade.vega_usd), default=None)


def _listed(trades: Sequence[Trade]) -> tuple[tuple[str, int], ...]:
    return tuple((trade.instrument.symbol, trade.contracts) for trade in trades)


def _symbol(attempt: Attempt) -> str | None:
    return None if attempt.runner_up is None else attempt.runner_up.instrument.symbol


def _held_usd(lots: Sequence[Lot]) -> float:
    return round(sum(lot.contracts * lot.unit_vega_usd for lot in lots), _DIGITS)
