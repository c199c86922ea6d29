"""The facts of a case for docs/cases.md, out of its stored files: what the commentary rests on.

Between two marks of the page stand, for each case, the market, the book, what each layer does and
what was not done. They are written, never typed; the reading below them is, and says in a comment
what kind of plan it was written for, so that a plan that has become another one is noticed.
"""

import json
import re
from collections.abc import Iterator

from bot.app.render.plans import (
    condor_words,
    decision_sentence,
    legs_words,
    market_time,
    regime_words,
    symbol_words,
)
from bot.app.stored_snapshots import DecisionInputs, read_inputs
from state.decisions import trades_of
from strategies.model.encoding import decode
from strategies.model.plan import Plan
from strategies.model.snapshots import MarketSnapshot
from tests.golden.cases import CASES, ROOT, Case

PAGE = ROOT / "docs/cases.md"
_BLOCK = "<!-- facts {name} -->\n{text}<!-- end -->"
_NOT_ROLLED = re.compile(r"(C1[01]): (\S+) is not rolled: (.*)")
_POINTS = "USD per VIX point"


def stored_plan(case: Case) -> Plan:
    """Return the plan of a case as it is stored."""
    plan: Plan = decode(Plan, json.loads(case.plan.read_text())["plan"])
    return plan


def kind_of(plan: Plan) -> str:
    """Return what kind of plan it is: who trades which way, and how well hedged it leaves."""
    counts = ((plan.closes, "closes"), (plan.adjusts, "rolls"), (plan.opens, "opens"))
    parts = [f"{words} {len(each)}" for each, words in counts if each]
    for layer in plan.layers:
        signs = {count > 0 for _, count in trades_of(layer)}
        does = {frozenset(): "holds", frozenset({True}): "buys", frozenset({False}): "sells"}
        parts.append(f"{layer.layer} {layer.reason} {does.get(frozenset(signs), 'turns')}")
    return "; ".join([*parts, plan.hedge_state])


def facts(case: Case) -> str:
    """Return the block of a case, Markdown."""
    inputs, plan = read_inputs(case.snapshot), stored_plan(case)
    lines = [
        f"{market_time(plan.at)}: **{decision_sentence(plan)}.**",
        "",
        "| before the decision | |",
        "|---|---|",
        *(f"| {name} | {text} |" for name, text in _state(inputs, plan)),
        "",
        f"| layer | is | holds, wants, plans, {_POINTS} | trades | rules | held back by |",
        "|---|---|---|---|---|---|",
        *_layers(plan),
        "",
        "| book | before | after |",
        "|---|---|---|",
        *_measures(plan),
        "",
        *(f"- {line}" for line in _done(plan)),
        *(f"- not done: {line}" for line in _not_done(plan)),
    ]
    return "\n".join(lines) + "\n"


def renewed(page: str) -> str:
    """Return the page with the facts of every case as its files have them."""
    for case in CASES:
        pattern = _BLOCK.format(name=re.escape(case.name), text=r"(?:.*\n)*?")
        block = _BLOCK.format(name=case.name, text=facts(case))
        page = re.sub(pattern, lambda _, block=block: block, page)
    return page


def _state(inputs: DecisionInputs, plan: Plan) -> Iterator[tuple[str, str]]:
    snapshot, book, account = inputs.snapshot, inputs.book, inputs.account
    yield "SPX, VIX", _levels(snapshot)
    yield "curve", _curve(snapshot)
    yield "regimes", regime_words(plan.regime).replace("  ", ", ")
    cost = book.hedge_cost_365d_usd / account.net_liquidation_usd
    value, margin = account.net_liquidation_usd, account.maintenance_margin_usd
    yield "account", f"{value:,.0f} USD, margin {margin:,.0f}; hedge cost of a year {cost:.2%}"
    condors = (
        f"{each.quantity} x {each.condor_id} {legs_words(each.legs)} for {each.entry_credit:.2f}"
        for each in book.condors
    )
    yield "condors", "<br>".join(condors) or "none"
    hedges = (f"{each.net_contracts:+d} {each.instrument}" for each in book.hedges)
    yield "hedge", ", ".join(hedges) or "none"
    yield "signals", _signals(plan)
    yield "evidence (E)", _evidence(plan)
    yield "analogues (T1)", _analogues(plan)
    yield "governors", _governors(plan)


def _levels(snapshot: MarketSnapshot) -> str:
    history, indices = snapshot.history, snapshot.market.indices
    spx, vix = indices["SPX"].value, indices["VIX"].value
    day, week = (spx / history.spx_close[-n] - 1 for n in (1, 5))
    return (
        f"SPX {spx:,.1f}, {day:+.1%} today and {week:+.1%} in five sessions; "
        f"VIX {vix:.1f}, {vix - history.vix_close[-1]:+.1f} today and "
        f"{vix - history.vix_close[-5]:+.1f} in five sessions"
    )


def _curve(snapshot: MarketSnapshot) -> str:
    futures = (quote for quote in snapshot.market.futures if quote.contract.root == "VX")
    mids = [
        (quote.contract, (quote.bid + quote.ask) / 2)
        for quote in futures
        if quote.contract.expiry > snapshot.session
    ]
    first, second = (mid for _, mid in mids[:2])
    levels = ", ".join(f"{mid:.2f}" for _, mid in mids[:6])
    return f"VX {levels}; VX1 over VX2 {first / second - 1:+.1%}, {first - second:+.2f} points"


def _signals(plan: Plan) -> str:
    names = {
        "S1 rsi_vix": "S1 RSI(VIX)",
        "S2 rsi_spx": "S2 RSI(SPX)",
        "S3 macd_vix": "S3 MACD of VIX",
        "S3 macd_spx": "of SPX",
        "S3 macd_vvix_vix": "of VVIX/VIX",
        "S4 basis_macd": "S4 MACD of the basis",
        "S5 ad_divergence": "S5 divergence",
        "S6 slope_falling_days": "S6 falling days",
        "S8 dislocation_z": "S8 z",
        "S10 migration": "S10",
        "S12 vega_per_theta": "S12",
    }
    return ", ".join(f"{words} {_value(plan.signals.get(name))}" for name, words in names.items())


def _evidence(plan: Plan) -> str:
    votes: dict[str, list[str]] = {}
    for gate in plan.gates:
        if gate.rule == "E" and gate.value is not None:
            factor, _, vote = gate.name.partition(": ")
            votes.setdefault(vote, []).append(factor)
    told = "; ".join(f"{vote}: {', '.join(names)}" for vote, names in votes.items())
    return f"{told}; R5 {plan.regime['R5']}"


def _analogues(plan: Plan) -> str:
    found = [gate for gate in plan.gates if gate.rule == "T1"]
    if not found:
        return "absent"
    told = ", ".join(
        f"{kind} {_value(gate.value)}"
        for kind in ("median", "75th percentile", "90th percentile")
        for gate in found
        if kind in gate.name
    )
    return f"VIX in 21 sessions, {told}; {found[0].note}"


def _governors(plan: Plan) -> str:
    asked = (
        ("G1", "hedge cost", "cost of a year over net liquidation", ".2%"),
        ("G3", "hedge notional", "notional", ",.0f"),
        ("G4", "expected", "expected rate", ".1%"),
        ("G6", "quick ratio to", "quick ratio", ".1f"),
        ("G9", "dislocation", "z", ".1f"),
    )
    told = []
    for rule, start, words, form in asked:
        found = (gate for gate in plan.gates if gate.rule == rule and gate.name.startswith(start))
        gate = next(found, None)
        if gate is None or not isinstance(gate.value, float | int):
            told.append(f"{rule} {words} absent")
        else:
            told.append(f"{rule} {words} {gate.value:{form}} (limit {gate.threshold:{form}})")
    return "; ".join(told)


def _value(value: float | str | bool | None) -> str:
    match value:
        case None:
            return "absent"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:,.0f}" if abs(value) >= 1000 or value.is_integer() else f"{value:,.2f}"
        case _:
            return str(value)


def _layers(plan: Plan) -> Iterator[str]:
    for layer in plan.layers:
        vegas = (layer.current_vega_usd, layer.target_vega_usd, layer.planned_vega_usd)
        trades = ", ".join(f"{n:+d} {symbol_words(symbol)}" for symbol, n in trades_of(layer))
        cells = (
            layer.layer,
            layer.reason.value,
            ", ".join(f"{vega:,.0f}" for vega in vegas),
            trades or "none",
            " ".join(layer.rules),
            layer.binding_cap or layer.note or "nothing",
        )
        yield f"| {' | '.join(cells)} |"


def _measures(plan: Plan) -> Iterator[str]:
    for measures in (plan.before, plan.after):
        assert measures is not None, "a case can be priced"
    rows = (
        ("condors", "condor_contracts", ",d"),
        (f"condors' vega, {_POINTS}", "condor_factor_vega_usd", ",.0f"),
        (f"hedge's vega, {_POINTS}", "hedge_factor_vega_usd", ",.0f"),
        ("net vega per condor, v", "net_vega_per_condor", ".3f"),
        ("delta, USD per SPX point", "delta_usd", ",.0f"),
        ("theta, USD a day", "theta_usd_per_day", ",.0f"),
        ("VIX +5 with its SPX move, USD", "loss_vix_5_usd", ",.0f"),
        ("VIX +8, SPX -7 %, USD", "loss_vix_8_usd", ",.0f"),
        ("expected rate a year (G4)", "irr", ".1%"),
    )
    for words, name, form in rows:
        values = (getattr(measures, name) for measures in (plan.before, plan.after))
        before, after = ("absent" if value is None else f"{value:{form}}" for value in values)
        yield f"| {words} | {before} | {after} |"


def _done(plan: Plan) -> Iterator[str]:
    for close in plan.closes:
        mark = "no value" if close.mark_debit is None else f"{close.mark_debit:.2f} at mid"
        yield f"closes {close.condor_id} ({' '.join(close.rules)}, {close.note}): {mark}"
    for adjust in plan.adjusts:
        legs = legs_words(adjust.new_legs)
        yield f"rolls {adjust.quantity} x {adjust.condor_id} to {legs} ({' '.join(adjust.rules)})"
    for condor in plan.opens:
        yield (
            f"opens {condor_words(condor)}: vega {condor.net_vega:.3f}, deltas "
            f"{condor.short_put_delta:.3f} and {condor.short_call_delta:.3f}"
        )


def _not_done(plan: Plan) -> Iterator[str]:
    """Yield the plan's reasons; rolls of many condors that fail alike are told once a rule."""
    rolls: dict[str, list[str]] = {}
    for reason in plan.no_trade_reasons:
        if match := _NOT_ROLLED.fullmatch(reason):
            rolls.setdefault(match[1], []).append(f"{match[2]}, {match[3]}")
        elif not reason.startswith("C1:"):
            yield reason
    for rule, texts in rolls.items():
        more = f"; and {len(texts) - 1} more" if len(texts) > 1 else ""
        yield f"{rule}: {texts[0]}{more}"
