"""A plan in words and tables: what was decided, layer by layer, and what stood in the way."""

from collections.abc import Mapping
from datetime import datetime

from bot.app.render.tables import Grid
from strategies.model.calendars import EXCHANGE_ZONE
from strategies.model.encoding import encode
from strategies.model.instruments import parse_symbol
from strategies.model.plan import CondorOpen, LayerPlan, Measures, Plan


def market_time(at: datetime) -> str:
    """Return an instant as the exchange's clocks show it: ``Mon 2020-03-09 10:00 EDT``."""
    return f"{at.astimezone(EXCHANGE_ZONE):%a %Y-%m-%d %H:%M %Z}"


def decision_sentence(plan: Plan) -> str:
    """Return what a plan does in one line, or why it does nothing."""
    parts = [f"close {close.condor_id} ({', '.join(close.rules)})" for close in plan.closes]
    parts += [f"open {_condor_words(condor)}" for condor in plan.opens]
    parts += [_layer_words(layer) for layer in plan.layers if layer.change_contracts]
    if parts:
        return "; ".join(parts)
    reason = plan.no_trade_reasons[0] if plan.no_trade_reasons else plan.hedge_state
    return f"nothing: {reason}" if reason else "nothing"


def _condor_words(condor: CondorOpen) -> str:
    legs = condor.legs
    strikes = "/".join(f"{leg.strike.normalize():f}" for leg, _ in legs.signed())
    expiry = f"{legs.short_put.expiry:%d%b}".upper()
    return f"{condor.quantity} x {condor.condor_id} {expiry} {strikes} for {condor.mid_credit:.2f}"


def _layer_words(layer: LayerPlan) -> str:
    name = str(parse_symbol(layer.instrument)) if layer.instrument else "?"
    rules = f" ({', '.join(layer.rules)})" if layer.rules else ""
    return f"{layer.layer} {layer.change_contracts:+d} {name}{rules}"


def regime_words(regime: dict[str, str]) -> str:
    """Return the regime labels in one line: ``R1 backwardation  R3 spike``."""
    return "  ".join(f"{rule} {label}" for rule, label in sorted(regime.items()))


def layer_grid(plan: Plan) -> Grid:
    """Return the three layers: where they are, where they should be, what is done."""
    columns = (
        "layer",
        "reason",
        "now",
        "target",
        "planned",
        "change",
        "instrument",
        "rules",
        "cap",
        "scale",
        "note",
    )
    rows = tuple(
        (
            layer.layer,
            layer.reason.value,
            round(layer.current_vega_usd),
            round(layer.target_vega_usd),
            round(layer.planned_vega_usd),
            layer.change_contracts,
            _instrument_words(layer.instrument),
            layer.rules,
            layer.binding_cap,
            layer.scale,
            layer.note,
        )
        for layer in plan.layers
    )
    return Grid(columns=columns, rows=rows, title="Hedge layers (USD per VIX point)")


def _instrument_words(symbol: str | None) -> str | None:
    return None if symbol is None else str(parse_symbol(symbol))


def gate_grid(plan: Plan) -> Grid:
    """Return every condition that was looked at."""
    rows = tuple(
        (gate.rule, gate.passed, gate.name, gate.value, gate.threshold, gate.note)
        for gate in plan.gates
    )
    columns = ("rule", "passed", "asked", "value", "threshold", "note")
    return Grid(columns=columns, rows=rows, title="Gates")


def order_grid(plan: Plan) -> Grid:
    """Return the orders in the order they are to be sent."""
    rows = tuple(
        (
            order.quantity,
            order.limit_price,
            "\n".join(str(leg) for leg in order.legs),
            order.rules,
            order.purpose,
            order.worst_price,
            order.urgency.value,
        )
        for order in plan.orders
    )
    columns = ("quantity", "limit", "legs", "rules", "purpose", "worst", "urgency")
    return Grid(columns=columns, rows=rows, title="Orders (price < 0 is a credit)")


MEASURE_WORDS: Mapping[str, str] = {
    "condor_contracts": "condor contracts",
    "condor_factor_vega_usd": "condor vega, USD per VIX point",
    "hedge_factor_vega_usd": "hedge vega, USD per VIX point",
    "net_vega_per_condor": "net vega per condor",
    "delta_usd": "delta, USD per SPX point",
    "gamma_usd": "gamma, change of delta",
    "theta_usd_per_day": "theta, USD per day",
    "loss_vix_5_usd": "VIX +5 shock, USD",
    "loss_vix_8_usd": "VIX +8 shock, USD",
    "breakeven_low": "lower break-even",
    "breakeven_high": "upper break-even",
    "book_breakeven_low": "lower break-even today, hedged",
    "book_breakeven_high": "upper break-even today, hedged",
    "worst_shock_usd": "worst shock, USD",
    "worst_shock": "where it is",
    "shock_coverage": "covered there by the hedge",
    "vega_per_theta": "vega per theta",
    "irr": "expected rate a year",
    "wacc": "cost of capital a year",
    "capm_beta": "beta",
    "quick_ratio": "quick ratio",
}


def measure_grid(plan: Plan) -> Grid:
    """Return the book in numbers before and after the plan."""
    before, after = _measure_values(plan.before), _measure_values(plan.after)
    rows = tuple(
        (words, before.get(name), after.get(name)) for name, words in MEASURE_WORDS.items()
    )
    return Grid(columns=("measure", "before", "after"), rows=rows, title="Book")


def _measure_values(measures: Measures | None) -> dict[str, float | None]:
    return {} if measures is None else encode(measures)


def signal_grid(plan: Plan) -> Grid:
    """Return regimes and signals; a blank value means that its data was absent."""
    rows: list[tuple[str, object]] = [*sorted(plan.regime.items())]
    rows += [(name, value) for name, value in sorted(plan.signals.items())]
    return Grid(columns=("signal", "value"), rows=tuple(rows), title="Regimes and signals")
