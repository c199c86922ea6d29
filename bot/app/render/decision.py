"""A whole decision for a person: layer by layer, with what did not happen and why.

What is absent is called absent, with the reason where the plan has one. The same plan always gives
the same text.
"""

import re
import textwrap
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence

from rich.console import Console

from bot.app.render.plans import (
    MEASURE_WORDS,
    condor_words,
    decision_sentence,
    legs_words,
    market_time,
    regime_words,
    symbol_words,
)
from bot.app.render.tables import Grid, cell_text, print_table
from state.decisions import trades_of
from state.explanations import FORWARD_DAYS
from strategies.model.memory import Memory
from strategies.model.plan import BookBreakevens, Gate, LayerPlan, Measures, Plan
from strategies.model.rules import Rules

ABSENT = "absent"
_LAYER_WORDS = {"L1": "shock absorber", "L2": "mid-term buffer", "L3": "second engine"}
# Rules whose gates belong to one layer; others name the layer in what they ask
_LAYER_RULES = {
    "L1": frozenset({"L1", "G2"}),
    "L2": frozenset({"L2", "B1", "B2", "B3", "B4"}),
    "L3": frozenset({"L3"}),
}
_NAMED_LAYER = re.compile(r"\b(L[123])\b")
_GROUPS: tuple[tuple[str, Callable[[str], bool]], ...] = (
    ("Evidence panel (E, R5)", lambda rule: rule in {"E", "R5"}),
    ("Condor gates (C)", lambda rule: rule.startswith("C")),
    ("The past and the next event (T), parity (D4)", lambda rule: rule[0] == "T" or rule == "D4"),
    ("Overrides (D3)", lambda rule: rule == "D3"),
    ("Hedge and governors (L, B, G)", lambda _: True),
)
# The id under which the plan says why a measure is absent, and what to say where it does not
_REASONS = {
    "net_vega_per_condor": ("v", "no condors"),
    "irr": ("IRR", "no invested capital, or not all has a value"),
    "wacc": ("G5", ""),
    "vega_per_theta": ("S12", "no theta is earned"),
    "quick_ratio": ("G6", "no margin in use"),
    "shock_coverage": ("C12", "the condors lose nothing there"),
    "book_breakeven_low": ("C12", "none as far as was looked"),
    "book_breakeven_high": ("C12", "none as far as was looked"),
    "breakeven_low": ("C12", "no condors"),
    "breakeven_high": ("C12", "no condors"),
}
_RATES = frozenset({"irr", "wacc"})


def print_decision(console: Console, plan: Plan, memory: Memory, rules: Rules) -> None:
    """Write a decision: what is done, the layers, the condors, the book, signals, bands, gates."""
    out = _Page(console)
    out.line(f"{market_time(plan.at)}   {decision_sentence(plan)}")
    out.line(f"{regime_words(plan.regime)}   hedge: {plan.hedge_state}")
    out.line(f"plan {plan.plan_id[:16]}   rules {plan.rules_hash[:16]} (D1)")
    shown: set[Gate] = set()
    for layer in plan.layers:
        shown.update(_print_layer(out, plan, layer))
    _print_condors(out, plan)
    _print_orders(out, plan)
    _print_book(out, plan)
    _print_signals(out, plan)
    _print_bands(out, plan, memory, rules)
    left = [gate for gate in plan.gates if gate not in shown]
    for title, belongs in _GROUPS:
        group = [gate for gate in left if belongs(gate.rule)]
        left = [gate for gate in left if gate not in group]
        if group:
            out.heading(title)
            out.gates(group)
    if plan.no_trade_reasons:
        out.heading("Why not more")
        for reason in plan.no_trade_reasons:
            out.line(f"  - {reason}")


class _Page:
    """Lines and tables, none wider than the console."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def line(self, text: str, *, indent: str = "    ") -> None:
        """Write one paragraph; what does not fit goes on further in."""
        margin = text[: len(text) - len(text.lstrip())]
        for part in textwrap.wrap(
            text.lstrip(),
            self.console.width,
            initial_indent=margin,
            subsequent_indent=margin + indent,
        ):
            self.console.print(part, markup=False)

    def heading(self, text: str) -> None:
        """Write the title of a section."""
        self.console.print()
        self.console.print(text, markup=False)

    def grid(self, grid: Grid) -> None:
        """Write a table under its title."""
        self.console.print()
        print_table(self.console, grid)

    def gates(self, gates: Iterable[Gate]) -> None:
        """Write gates, those that did not pass first."""
        for gate in sorted(gates, key=lambda each: each.passed):
            self.line(f"  {gate_words(gate)}", indent=" " * 9)


def gate_words(gate: Gate) -> str:
    """Return one gate: ``no  B3  days the slope has been falling: 1.00 (3.00)  S6``."""
    verdict = "yes" if gate.passed else "no"
    value = ABSENT if gate.value is None else _text(gate.value)
    asked = gate.name if gate.name.endswith(f": {value}") else f"{gate.name}: {value}"
    threshold = "" if gate.threshold in (None, "") else f" ({_text(gate.threshold)})"
    note = f"  {gate.note}" if gate.note else ""
    return f"{verdict:<3} {gate.rule:<3} {asked}{threshold}{note}"


def _text(value: float | str | bool | None) -> str:
    """Return a value of a gate or signal; what counts something stands without decimals."""
    whole = isinstance(value, float) and value.is_integer()
    return cell_text(int(value) if whole and value is not None else value)


# --- layers ---------------------------------------------------------------------------------------


def _print_layer(out: _Page, plan: Plan, layer: LayerPlan) -> list[Gate]:
    out.heading(
        f"{layer.layer} {_LAYER_WORDS[layer.layer]}: {layer.reason.value}   USD per VIX point: "
        f"now {layer.current_vega_usd:,.0f}, target {layer.target_vega_usd:,.0f}, "
        f"planned {layer.planned_vega_usd:,.0f}"
    )
    cap = layer.binding_cap or "none"
    rules = " ".join(layer.rules) or "none"
    out.line(
        f"  share {layer.share:.0%} x scale {layer.scale:.2f}, {layer.current_contracts} contracts"
        f"   rules: {rules}   binding cap: {cap}"
    )
    out.line(f"  change: {_trade_words(layer)}")
    if layer.note:
        out.line(f"  {layer.note}")
    gates = [gate for gate in plan.gates if _is_of_layer(gate, layer.layer)]
    out.gates(gates)
    return gates


def _is_of_layer(gate: Gate, layer: str) -> bool:
    named = _NAMED_LAYER.search(gate.name)
    return named[1] == layer if named else gate.rule in _LAYER_RULES[layer]


def _trade_words(layer: LayerPlan) -> str:
    trades = "; ".join(f"{count:+d} {symbol_words(symbol)}" for symbol, count in trades_of(layer))
    beaten = f", which beat {symbol_words(layer.runner_up)}" if layer.runner_up else ""
    return f"{trades}{beaten}" if trades else "none"


# --- condors and orders ---------------------------------------------------------------------------


def _print_condors(out: _Page, plan: Plan) -> None:
    if not (plan.opens or plan.adjusts or plan.closes):
        return
    out.heading("Condors")
    for close in plan.closes:
        mark = "no value" if close.mark_debit is None else f"{close.mark_debit:.2f} at mid"
        out.line(f"  close {close.condor_id}: {mark}   {' '.join(close.rules)}   {close.note}")
    for adjust in plan.adjusts:
        out.line(
            f"  roll  {adjust.quantity} x {adjust.condor_id} to {adjust.new_condor_id}: "
            f"{legs_words(adjust.new_legs)} for {adjust.mid_credit:.2f} at mid   "
            f"{' '.join(adjust.rules)}   {adjust.note}"
        )
    for condor in plan.opens:
        out.line(
            f"  open  {condor_words(condor)}   {' '.join(condor.rules)}   vega "
            f"{condor.net_vega:.3f}, deltas {condor.short_put_delta:.2f} and "
            f"{condor.short_call_delta:.2f}"
        )


def _print_orders(out: _Page, plan: Plan) -> None:
    if not plan.orders:
        return
    out.heading("Orders, in the order they are sent (price < 0 is a credit)")
    for order in plan.orders:
        legs = ", ".join(str(leg) for leg in order.legs)
        out.line(
            f"  {order.quantity} x {legs} at {order.limit_price}, at worst {order.worst_price}   "
            f"{order.urgency.value.lower()}   {' '.join(order.rules)}"
        )


# --- the book -------------------------------------------------------------------------------------


def _print_book(out: _Page, plan: Plan) -> None:
    if plan.before is None and plan.after is None:
        out.heading("Book: absent, it cannot be priced")
        return
    rows: list[tuple[object, ...]] = []
    reasons: dict[str, list[str]] = {}
    for name, words in MEASURE_WORDS.items():
        before, after = (_measure(each, name) for each in (plan.before, plan.after))
        rows.append((words, before, after))
        if ABSENT in (before, after):
            reasons.setdefault(_why_absent(plan, name), []).append(words)
    out.grid(Grid(columns=("book", "before", "after"), rows=tuple(rows)))
    for reason, names in reasons.items():
        out.line(f"  {ABSENT}: {'; '.join(names)}: {reason}")
    breakevens = _breakeven_rows(plan)
    if breakevens:
        columns = ("SPX break-evens of", "VIX", "today", "after", "at expiry", "after ")
        out.grid(Grid(columns=columns, rows=breakevens))
    forward = _forward_rows(plan)
    if forward:
        days = tuple("now" if day == 0 else f"+{day} d" for day in FORWARD_DAYS)
        title = "Factor vega of the hedge at unchanged forwards, USD per VIX point (T3)"
        out.grid(Grid(columns=("layer", "plan", *days), rows=forward, title=title))


def _measure(measures: Measures | None, name: str) -> object:
    value = None if measures is None else getattr(measures, name)
    if value is None or value == "":
        return ABSENT
    return f"{value:.2%}" if name in _RATES else value


def _why_absent(plan: Plan, name: str) -> str:
    if plan.before is None or plan.after is None:
        return "the book cannot be priced"
    rule, otherwise = _REASONS.get(name, ("", ""))
    said = (text.partition(": ")[2] for text in plan.missing if rule and text.startswith(rule))
    return next(said, otherwise)


def _breakeven_rows(plan: Plan) -> tuple[tuple[object, ...], ...]:
    before = {} if plan.before is None else _by_shock(plan.before)
    after = {} if plan.after is None else _by_shock(plan.after)
    rows = []
    for key in before or after:
        shock, hedged = key
        was, then = before.get(key), after.get(key)
        rows.append(
            (
                "condors and hedge" if hedged else "condors",
                "as it is" if shock == 0 else f"{shock:+g}",
                _range(was, "today"),
                _range(then, "today"),
                _range(was, "expiry"),
                _range(then, "expiry"),
            )
        )
    return tuple(rows)


def _by_shock(measures: Measures) -> dict[tuple[float, bool], BookBreakevens]:
    return {(each.vix_points, each.hedged): each for each in measures.breakevens}


def _range(breakevens: BookBreakevens | None, when: str) -> str:
    if breakevens is None:
        return ABSENT
    low, high = (getattr(breakevens, f"{when}_{side}") for side in ("low", "high"))
    if low is None and high is None:
        return "none"
    below, above = ("none" if level is None else f"{level:,.1f}" for level in (low, high))
    return f"{below} .. {above}"


def _forward_rows(plan: Plan) -> tuple[tuple[object, ...], ...]:
    profiles = [
        (when, measures.forward_vega)
        for when, measures in (("before", plan.before), ("after", plan.after))
        if measures is not None
    ]
    layers = [layer for layer, *_ in profiles[0][1]] if profiles else []
    return tuple(
        (layer, when, *(round(vega) for vega in vegas))
        for wanted in layers
        for when, profile in profiles
        for layer, *vegas in profile
        if layer == wanted
    )


# --- signals, bands and latches -------------------------------------------------------------------


def _print_signals(out: _Page, plan: Plan) -> None:
    out.heading("Signals (S) by id; what is absent moves nothing")
    groups: dict[str, list[str]] = {}
    absent: list[str] = []
    for name, value in plan.signals.items():
        rule, _, words = name.partition(" ")
        if value is None:
            absent.append(name)
        else:
            groups.setdefault(rule, []).append(f"{words} {_text(value)}")
    for rule in sorted(groups, key=_in_numbers):
        out.line(f"  {rule:<4} {',  '.join(groups[rule])}", indent=" " * 5)
    explained = list(plan.missing)
    explained += [name for name in absent if not any(name in text for text in explained)]
    for text in explained:
        out.line(f"  {ABSENT}: {text}")


def _in_numbers(rule: str) -> tuple[str, int]:
    digits = rule.lstrip("".join(c for c in rule if not c.isdigit()))
    return rule[:1], int(digits) if digits.isdigit() else 0


def _print_bands(out: _Page, plan: Plan, memory: Memory, rules: Rules) -> None:
    out.heading("Bands and latches: the row that matches, and what is remembered")
    for line in band_lines(plan, memory, rules):
        out.line(f"  {line}", indent=" " * 5)


def band_lines(plan: Plan, memory: Memory, rules: Rules) -> list[str]:
    """Return one line a band or latch: its id, the value, the row it falls into, what is kept."""
    signals, regime, rotation = plan.signals, memory.regime, memory.rotation
    rsi = _number(signals.get("S1 rsi_vix"))
    slope = _number(signals.get("S7 backwardation_fraction"))
    vega = None if plan.before is None else plan.before.net_vega_per_condor
    high, reset, low = (
        rules.signals.rsi_vix_high,
        rules.signals.rsi_vix_reset,
        rules.signals.rsi_vix_low,
    )
    dead = rules.regime.dead_band
    floor, ceiling = rules.rotation.band_low, rules.rotation.band_high
    mean = next((gate.value for gate in plan.gates if gate.rule == "R5"), None)
    latched = "yes" if memory.rsi_vix_high else "no"
    spike, shift = ("on" if state else "off" for state in (regime.spike, regime.shift))
    waited = "has" if memory.boost.waited else "has not"
    votes = ABSENT if mean is None else _text(mean)
    rsi_row = _row(rsi, (low, reset, high), ("low", "resets", "keeps", "sets"))
    curve_row = _row(slope, (-dead, dead), ("contango", "flat", "backwardation"))
    vega_row = _row(vega, (floor, ceiling), ("below: add", "inside", "above: trim"))
    lately = f"{regime.candidate.value}, {regime.candidate_intervals} in a row"
    unwinding = _since("unwinding since", rotation.restoring_since)
    armed = "armed" if memory.harvest_armed else "not armed"
    decides = rules.panel.decide_at
    cut = f"L1 cut {rotation.l1_cut:.1%}, at most {rules.rotation.flip_cut:.0%}"
    steps = f"{rotation.steps_left} steps left; flips answered {rotation.flips_rotated}"
    return [
        f"S1  RSI(VIX) {rsi_row}; latched high: {latched}",
        f"R1  VX1/VX2 - 1 {curve_row}; confirmed: {regime.curve.value}; lately {lately}",
        f"R2  {plan.regime.get('R2', ABSENT)}; R3 spike {spike}; R4 shift {shift}",
        f"R5  {plan.regime.get('R5', ABSENT)}: mean of the votes {votes}, decides from {decides:g}",
        f"B8  v {vega_row}",
        f"B1  {cut}; {steps}",
        f"B3  shifted {rotation.shifted:.0%}; B11 {unwinding}",
        f"E   boost asked for {memory.boost.asked_intervals} in a row, {waited} waited (T1)",
        f"B12 {armed}",
    ]


def _since(words: str, day: object) -> str:
    return "not unwinding" if day is None else f"{words} {day}"


def _number(value: float | str | bool | None) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _row(value: float | None, bounds: Sequence[float], names: Sequence[str]) -> str:
    """Return the value and the row of a band it falls into: ``72.73, above 60: sets``."""
    if value is None:
        return ABSENT
    place = bisect_right(bounds, value)
    if place == 0:
        where = f"below {bounds[0]:g}"
    elif place == len(bounds):
        where = f"above {bounds[-1]:g}"
    else:
        where = f"in {bounds[place - 1]:g} .. {bounds[place]:g}"
    return f"{cell_text(value)}, {where}: {names[place]}"
