"""What signed overrides change in a decision (D3).

An override withholds orders that the rules want, or closes a condor that they would keep. It stands
behind safety (G6, G8) and the over-hedging ceiling (G7, B8), and before everything else. One that
names a condor holds for all that was rolled out of the same entry, before it was signed or since.
Each one in force leaves a gate, whether it changed anything or not.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from strategies.model.book import root_id
from strategies.model.instruments import OptionContract
from strategies.model.orders import OrderIntent
from strategies.model.overrides import Override, OverrideKind
from strategies.model.plan import Gate, LayerPlan

_ABOVE = frozenset({"G6", "G7", "G8"})  # safety, and the ceiling of B8 and G7
_LAST_DAYS = 1  # a hold never carries a condor into settlement


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """The overrides in force at one instant, oldest first."""

    entries: tuple[Override, ...]

    @classmethod
    def at(cls, overrides: Iterable[Override], at: datetime) -> "Overrides":
        """Return those in force at ``at``."""
        holding = (each for each in overrides if each.in_force(at))
        ordered = sorted(holding, key=lambda each: (each.issued_at, each.override_id))
        return cls(entries=tuple(ordered))

    @property
    def skipping(self) -> Override | None:
        """The override by which no condor is entered."""
        return self._first(OverrideKind.SKIP_ENTRIES, "")

    def closing(self, condor_id: str) -> Override | None:
        """Return the override by which a condor is closed."""
        return self._first(OverrideKind.CLOSE_CONDOR, condor_id)

    def withholding(self, order: OrderIntent, session: date) -> Override | None:
        """Return the override that keeps an order of the rules back; None lets it pass."""
        if _ABOVE.intersection(order.rules) or "D3" in order.rules:
            return None
        if order.layer is not None:
            return self._first(OverrideKind.HOLD_LAYER, order.layer)
        if order.purpose.endswith(":open"):
            return self.skipping
        assert order.condor_id is not None, "an order serves a layer or a condor"
        closing = self.closing(order.condor_id)
        if closing is not None and not order.purpose.endswith(":close"):
            return closing  # nothing else is done to what is being closed
        expiries = [
            leg.instrument.expiry
            for leg in order.legs
            if isinstance(leg.instrument, OptionContract)
        ]
        if (min(expiries) - session).days <= _LAST_DAYS:
            return None
        return self._first(OverrideKind.HOLD_CONDOR, order.condor_id)

    def _first(self, kind: OverrideKind, target: str) -> Override | None:
        for each in self.entries:
            if each.kind is kind and root_id(each.target) == root_id(target):
                return each
        return None


@dataclass(frozen=True, slots=True)
class Withheld:
    """An order of the rules, and the override that kept it back."""

    order: OrderIntent
    override: Override


def split_withheld(
    orders: Sequence[OrderIntent], overrides: Overrides, session: date
) -> tuple[tuple[OrderIntent, ...], tuple[Withheld, ...]]:
    """Return the orders that pass, and those that do not with their overrides."""
    passed, kept = [], []
    for order in orders:
        override = overrides.withholding(order, session)
        if override is None:
            passed.append(order)
        else:
            kept.append(Withheld(order, override))
    return tuple(passed), tuple(kept)


def entry_gate(overrides: Overrides) -> tuple[Gate, ...]:
    """Return the gate of an entry that an override skips; none if nothing is skipped."""
    skipping = overrides.skipping
    if skipping is None:
        return ()
    return (
        Gate(
            rule="D3",
            name="entries are not skipped by override",
            value=skipping.override_id,
            threshold="none",
            passed=False,
            note=_words(skipping),
        ),
    )


def override_gates(
    overrides: Overrides, withheld: Sequence[Withheld], closed: Iterable[str], *, skipped: bool
) -> tuple[Gate, ...]:
    """Return one gate an override in force: what it did in this decision.

    Args:
        overrides: Those in force.
        withheld: Orders of the rules that were kept back.
        closed: Condors that are closed only because of an override.
        skipped: Whether an entry that was due was skipped.
    """
    done: dict[str, list[str]] = {each.override_id: [] for each in overrides.entries}
    for item in withheld:
        done[item.override.override_id].append(f"withheld {item.order.purpose}")
    for condor_id in closed:
        closing = overrides.closing(condor_id)
        assert closing is not None, "it was closed by an override"
        done[closing.override_id].append(f"closed {condor_id}")
    if skipped and overrides.skipping is not None:
        done[overrides.skipping.override_id].append("skipped an entry")
    return tuple(
        Gate(
            rule="D3",
            name=f"override {each.override_id}: {each.action}",
            value="; ".join(done[each.override_id]) or "nothing to change",
            threshold=None,
            passed=not done[each.override_id],
            note=_words(each),
        )
        for each in overrides.entries
    )


def layers_held(
    layers: Sequence[LayerPlan],
    withheld: Sequence[Withheld],
    kept: Mapping[str, tuple[tuple[str, int], ...]],
    kept_vega_usd: Mapping[str, float],
) -> tuple[LayerPlan, ...]:
    """Return layer plans as they are once their withheld orders are not sent.

    Args:
        layers: As the rules plan them.
        withheld: The orders that are not sent.
        kept: By layer, the trades that still are: (symbol, signed contracts).
        kept_vega_usd: By layer, what those change its factor vega by.
    """
    held = {item.order.layer for item in withheld}
    return tuple(
        _held(layer, kept.get(layer.layer, ()), kept_vega_usd.get(layer.layer, 0.0))
        if layer.layer in held
        else layer
        for layer in layers
    )


def _held(layer: LayerPlan, kept: tuple[tuple[str, int], ...], kept_vega_usd: float) -> LayerPlan:
    symbol, change = kept[0] if kept else (None, 0)
    return replace(
        layer,
        planned_vega_usd=layer.current_vega_usd + kept_vega_usd,
        change_contracts=change,
        instrument=symbol,
        runner_up=layer.runner_up if symbol == layer.instrument else None,
        trades=kept,
        binding_cap="D3",
    )


def withheld_reasons(withheld: Sequence[Withheld]) -> tuple[str, ...]:
    """Return why the plan does less than the rules want."""
    return tuple(
        f"D3: {item.order.purpose} is withheld by override {item.override.override_id}"
        for item in withheld
    )


def _words(override: Override) -> str:
    until = f"{override.expires_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return f"signed by {override.signer}, until {until}: {override.reason}"
