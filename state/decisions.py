"""Decisions as rows: what one interval looked at, decided and left behind."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from state.errors import UnreadableDecision
from state.snapshots import UnreadableSnapshot, compress, decompress
from strategies.model.book import Account, Book, CondorLegs
from strategies.model.encoding import UndecodableValue, from_json, to_json
from strategies.model.memory import Memory
from strategies.model.plan import CondorAdjust, CondorOpen, Gate, LayerPlan, Plan
from strategies.model.snapshots import MarketSnapshot

Row = dict[str, Any]
Condition = tuple[str, str, float | str | None]  # a gate's rule, name and threshold

_PLAN_LEVEL = 6  # of zlib: a tenth smaller than at level 3 for 0.1 ms more, hardly above it


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionInputs:
    """What a decision was given besides the snapshot and the rules."""

    book: Book
    account: Account
    memory: Memory


@dataclass(frozen=True, slots=True)
class DecisionTexts:
    """What a decision was given and what came of it, as canonical JSON."""

    inputs: str
    plan: str
    memory_after: str

    @classmethod
    def of(cls, inputs: DecisionInputs, plan: Plan, memory_after: Memory) -> "DecisionTexts":
        """Return the texts of the values."""
        return cls(to_json(inputs), to_json(plan), to_json(memory_after))


def sha256(text: str) -> str:
    """Return the digest that stands for a large text in the chain of events."""
    return hashlib.sha256(text.encode()).hexdigest()


@contextmanager
def of_this_version(plan_id: str) -> Iterator[None]:
    """Say of a decision that does not unpack or decode which one it is.

    Raises: UnreadableDecision.
    """
    try:
        yield
    except (UndecodableValue, UnreadableSnapshot) as cause:
        raise UnreadableDecision(plan_id, cause) from cause


def pack(text: str) -> bytes:
    """Return canonical JSON, compressed."""
    return compress(text.encode(), _PLAN_LEVEL)


def unpack_text(data: bytes) -> str:
    """Return the canonical JSON that ``pack`` compressed."""
    return decompress(data).decode()


def unpack_plan(data: bytes) -> Plan:
    """Return the plan that ``pack`` was given."""
    return from_json(Plan, unpack_text(data))


def unpack_inputs(data: bytes) -> DecisionInputs:
    """Return the inputs that ``pack`` was given."""
    return from_json(DecisionInputs, unpack_text(data))


def joined(rules: tuple[str, ...]) -> str:
    """Return rule ids as they stand in a column."""
    return ",".join(rules)


def decision_row(
    run_id: str,
    snapshot: MarketSnapshot,
    account: Account,
    plan: Plan,
    texts: DecisionTexts,
    digests: tuple[str, str],
) -> Row:
    """Return the row of the decision itself; ``digests`` name its market and history blobs."""
    indices = snapshot.market.indices
    return {
        "plan_id": plan.plan_id,
        "run_id": run_id,
        "at": plan.at,
        "session": plan.session,
        "entry_due": snapshot.entry_due,
        "rules_hash": plan.rules_hash,
        "curve": plan.curve.value,
        "hedge_state": plan.hedge_state,
        "spx": indices["SPX"].value if "SPX" in indices else None,
        "vix": indices["VIX"].value if "VIX" in indices else None,
        "net_liquidation_usd": account.net_liquidation_usd,
        "cash_usd": account.cash_usd,
        "maintenance_margin_usd": account.maintenance_margin_usd,
        "condor_contracts": plan.before.condor_contracts if plan.before else None,
        "net_vega_before": plan.before.net_vega_per_condor if plan.before else None,
        "net_vega_after": plan.after.net_vega_per_condor if plan.after else None,
        "order_count": len(plan.orders),
        "no_trade_reasons": "; ".join(plan.no_trade_reasons),
        "missing": ", ".join(plan.missing),
        "regime_json": to_json(plan.regime),
        "signals_json": to_json(plan.signals),
        "before_json": to_json(plan.before) if plan.before else None,
        "after_json": to_json(plan.after) if plan.after else None,
        "memory_json": texts.memory_after,
        "market_digest": digests[0],
        "history_digest": digests[1],
        "inputs": pack(texts.inputs),
        "plan": pack(texts.plan),
    }


def condition_of(gate: Gate) -> Condition:
    """Return what a gate asks."""
    return gate.rule, gate.name, gate.threshold


def condition_rows(ids: Mapping[Condition, int]) -> list[Row]:
    """Return one row a condition."""
    return [
        {"condition_id": number, "rule": rule, "name": name, "threshold": threshold}
        for (rule, name, threshold), number in ids.items()
    ]


def gate_rows(decision_id: int, plan: Plan, ids: Mapping[Condition, int]) -> list[Row]:
    """Return one row a gate; ``ids`` are those of the conditions."""
    return [
        {
            "decision_id": decision_id,
            "position": position,
            "condition_id": ids[condition_of(gate)],
            "value": gate.value,
            "passed": gate.passed,
            "note": gate.note,
        }
        for position, gate in enumerate(plan.gates)
    ]


def trades_of(layer: LayerPlan) -> tuple[tuple[str, int], ...]:
    """Return everything a layer trades: (symbol, signed contracts)."""
    if layer.trades or layer.instrument is None or not layer.change_contracts:
        return layer.trades
    return ((layer.instrument, layer.change_contracts),)


def layer_rows(decision_id: int, plan: Plan) -> list[Row]:
    """Return one row a layer, changed or not."""
    return [
        {
            "decision_id": decision_id,
            "position": position,
            "layer": layer.layer,
            "active": layer.active,
            "reason": layer.reason.value,
            "share": layer.share,
            "scale": layer.scale,
            "current_vega_usd": layer.current_vega_usd,
            "target_vega_usd": layer.target_vega_usd,
            "planned_vega_usd": layer.planned_vega_usd,
            "current_contracts": layer.current_contracts,
            "change_contracts": layer.change_contracts,
            "instrument": layer.instrument,
            "runner_up": layer.runner_up,
            "rules": joined(layer.rules),
            "binding_cap": layer.binding_cap,
            "note": layer.note,
            "trades_json": to_json(trades_of(layer)),
        }
        for position, layer in enumerate(plan.layers)
    ]


def condor_rows(decision_id: int, plan: Plan) -> list[Row]:
    """Return one row a condor to open, and one a condor that another is to be rolled into."""
    return [_opened_row(condor) | _common(decision_id, plan, condor) for condor in plan.opens] + [
        _rolled_row(adjust) | _common(decision_id, plan, adjust) for adjust in plan.adjusts
    ]


def _opened_row(condor: CondorOpen) -> Row:
    unrolled = {"rolled_from": None, "adjustments": 0, "note": ""}
    return {"condor_id": condor.condor_id, **_leg_columns(condor.legs), **unrolled}


def _rolled_row(adjust: CondorAdjust) -> Row:
    return {
        "condor_id": adjust.new_condor_id,
        **_leg_columns(adjust.new_legs),
        "rolled_from": adjust.condor_id,
        "adjustments": adjust.adjustments,
        "note": adjust.note,
    }


def _leg_columns(legs: CondorLegs) -> Row:
    return {
        "long_put": legs.long_put.symbol,
        "short_put": legs.short_put.symbol,
        "short_call": legs.short_call.symbol,
        "long_call": legs.long_call.symbol,
        "short_ratio": legs.short_ratio,
        "long_ratio": legs.long_ratio,
        "expiry": min(legs.short_put.expiry, legs.short_call.expiry),
    }


def _common(decision_id: int, plan: Plan, condor: CondorOpen | CondorAdjust) -> Row:
    return {
        "decision_id": decision_id,
        "session": plan.session,
        "planned_quantity": condor.quantity,
        "mid_credit": condor.mid_credit,
        "net_vega": condor.net_vega,
        "short_put_delta": condor.short_put_delta,
        "short_call_delta": condor.short_call_delta,
        "entry_spot": condor.entry_spot,
        "entry_sigma_sqrt_t": condor.entry_sigma_sqrt_t,
        "rules": joined(condor.rules),
    }


def close_rows(decision_id: int, plan: Plan) -> list[Row]:
    """Return one row a condor to close."""
    return [
        {
            "decision_id": decision_id,
            "condor_id": close.condor_id,
            "rules": joined(close.rules),
            "mark_debit": close.mark_debit,
            "note": close.note,
        }
        for close in plan.closes
    ]
