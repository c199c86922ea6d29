"""The pictures of a run, drawn from its ledger."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

from bot.app.render.payoffs import payoff_curve
from bot.app.render.svg import (
    CurveShot,
    ForwardProfile,
    LayerBars,
    LayerHistory,
    ProfitHistory,
    curve_svg,
    forward_svg,
    layer_bars_svg,
    layers_svg,
    payoff_svg,
    profit_svg,
)
from state.audit import AuditReader, Cell, Table
from state.explanations import FORWARD_DAYS
from state.replays import StoredDecision, stored_decision
from strategies.model.calendars import EXCHANGE_ZONE
from strategies.model.plan import Measures, Plan
from strategies.pricing.valuation import Valuer


def write_run_pictures(database: Path, out_dir: Path) -> list[Path]:
    """Draw layers, profit and loss, VIX curve and payoff into ``out_dir``; return the files.

    A ledger without decisions has no pictures; one without condors has no payoff, and no plan.svg
    and forward.svg, which are of its last decision with condors.
    """
    with AuditReader.open(database) as reader:
        decisions = reader.decisions()
        if not len(decisions):
            return []
        status = reader.status()
        owner = f"{status['mode']} {status['account']}"
        pictures = {
            "layers.svg": layers_svg(
                _layer_history(decisions, reader.hedge(changes_only=False)),
                f"Hedge layers, {owner}",
            ),
            "curve.svg": curve_svg(_curve_shots(reader, decisions), "VIX futures curve"),
        }
        profit = reader.pnl()
        if len(profit):
            pictures["pnl.svg"] = profit_svg(_profit_history(profit), f"Profit and loss, {owner}")
        held = _last_with_condors(reader, decisions)
        if held is not None:
            pictures["payoff.svg"] = _payoff(held)
            pictures |= plan_pictures(held.plan)
    return _write(pictures, out_dir)


def write_plan_pictures(plan: Plan, out_dir: Path) -> list[Path]:
    """Draw one decision's layers and forward vega into ``out_dir``; return the files."""
    return _write(plan_pictures(plan), out_dir)


def plan_pictures(plan: Plan) -> dict[str, str]:
    """Return the pictures of one decision by file name: its layers, and T3's forward vega."""
    when = f"{plan.at.astimezone(EXCHANGE_ZONE):%d %b %Y %H:%M} New York"
    bars = LayerBars(
        names=[layer.layer for layer in plan.layers],
        current_usd=[layer.current_vega_usd for layer in plan.layers],
        target_usd=[layer.target_vega_usd for layer in plan.layers],
        planned_usd=[layer.planned_vega_usd for layer in plan.layers],
    )
    pictures = {"plan.svg": layer_bars_svg(bars, f"Hedge layers, {when}")} if plan.layers else {}
    profile = ForwardProfile(
        days=[float(day) for day in FORWARD_DAYS],
        before_usd=_forward(plan.before),
        after_usd=_forward(plan.after),
    )
    if profile.before_usd or profile.after_usd:
        title = f"Factor vega of the hedge at unchanged forwards, {when}"
        pictures["forward.svg"] = forward_svg(profile, title)
    return pictures


def _forward(measures: Measures | None) -> dict[str, list[float]]:
    if measures is None:
        return {}
    return {layer: list(vegas) for layer, *vegas in measures.forward_vega}


def _write(pictures: Mapping[str, str], out_dir: Path) -> list[Path]:
    out_dir.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, text in pictures.items():
        path = out_dir / name
        path.write_text(text, encoding="utf-8")
        paths.append(path)
    return paths


def _layer_history(decisions: Table, layers: Table) -> LayerHistory:
    current: dict[str, list[float | None]] = {}
    target: dict[str, list[float | None]] = {}
    for row in layers.records():
        layer = str(row["layer"])
        current.setdefault(layer, []).append(_number(row["current_vega_usd"]))
        target.setdefault(layer, []).append(_number(row["target_vega_usd"]))
    return LayerHistory(
        sessions=_sessions(decisions),
        vix=[_number(cell) for cell in decisions.column("vix")],
        curve=[str(cell) for cell in decisions.column("curve")],
        current_usd=current,
        target_usd=target,
    )


def _profit_history(profit: Table) -> ProfitHistory:
    condors, hedge, total = [], [], []
    for row in profit.records():
        condors.append(_sum(row["condor_realised_usd"], row["condor_unrealised_usd"]))
        hedge.append(_sum(row["hedge_realised_usd"], row["hedge_unrealised_usd"]))
        total.append(condors[-1] + hedge[-1] - _sum(row["fees_usd"]))
    return ProfitHistory(
        sessions=_sessions(profit), total_usd=total, condors_usd=condors, hedge_usd=hedge
    )


def _curve_shots(reader: AuditReader, decisions: Table) -> list[CurveShot]:
    """Return the curve of the first decision, of the one with the highest VIX, and of the last."""
    plans = [str(cell) for cell in decisions.column("plan_id")]
    vix = [_number(cell) or 0.0 for cell in decisions.column("vix")]
    chosen = sorted({0, vix.index(max(vix)), len(plans) - 1})
    return [_curve_shot(stored_decision(reader, plans[index])) for index in chosen]


def _curve_shot(decision: StoredDecision) -> CurveShot:
    futures = [item for item in decision.snapshot.market.futures if item.contract.root == "VX"]
    vix = decision.snapshot.market.indices.get("VIX")
    spot = f", VIX {vix.value:.1f}" if vix else ""
    return CurveShot(
        label=f"{decision.at.astimezone(EXCHANGE_ZONE):%d %b %H:%M}{spot}",
        days=[float((item.contract.expiry - decision.session).days) for item in futures],
        prices=[(item.bid + item.ask) / 2 for item in futures],
    )


def _last_with_condors(reader: AuditReader, decisions: Table) -> StoredDecision | None:
    held = [row for row in decisions.records() if row["condor_contracts"]]
    return stored_decision(reader, str(held[-1]["plan_id"])) if held else None


def _payoff(decision: StoredDecision) -> str:
    market = decision.snapshot.market
    curve = payoff_curve(
        decision.book.condors,
        market.indices["SPX"].value,
        Valuer(market, decision.session),
    )
    return payoff_svg(
        curve, f"Condor book, {decision.at.astimezone(EXCHANGE_ZONE):%d %b %Y %H:%M} New York"
    )


def _sessions(table: Table) -> Sequence[date]:
    return [date.fromisoformat(str(cell)) for cell in table.column("session")]


def _number(cell: Cell) -> float | None:
    return None if cell is None else float(cell)


def _sum(*cells: Cell) -> float:
    return sum(float(cell) for cell in cells if cell is not None)
