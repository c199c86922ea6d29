"""Audit answers for people: the columns that matter first, chains indented, pictures in text."""

import re
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from rich.console import Console

from bot.app.render.plans import MEASURE_WORDS
from bot.app.render.tables import Grid, cell_text
from state.audit import Cell, Coverage, Explanation, Table
from strategies.model.errors import InvalidInstrument
from strategies.model.instruments import OptionContract, parse_symbol

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")
_AMOUNT = re.compile(r"-?\d+\.\d+")
_SYMBOL = re.compile(r"[A-Z]{2,4} +\d{6}([CP]\d{8})?")
# Rules at the beginning of a reason; a reason may have "; " inside
_REASON_RULE = re.compile(r"(?:^|; )([A-Z]\d+): ")
_STANDING = "C1: entry due no, wanted yes"
_HASH_SHOWN = 16
_LEGS = ("long_put", "short_put", "short_call", "long_call")
_CENT = Decimal("0.01")
_DECIMALS_SHOWN = 4
_INDENT = "   "
_HANGING = "    "

# What a person wants to see first; the rest follows as the table has it and is named when it
# does not fit
_FIRST: Mapping[str, str] = {
    "fills": "at symbol quantity price for exec_id commission rules",
    "costs": "at purpose class filled arrival_mid fill slippage slippage_usd steps seconds",
    "orders": "at purpose quantity status limit_price order_id filled rules",
    "hedge": "at layer change instrument current_vega_usd target_vega_usd rules binding_cap",
    "decisions": "at spx vix curve orders hedge_state held_back_by opens closes",
    "condors": "condor at status opened_quantity strikes entry_credit realised_usd close_rules",
    "pnl": "session net_liquidation_usd day_pnl_usd condor_realised_usd condor_unrealised_usd "
    "hedge_realised_usd hedge_unrealised_usd fees_usd",
    "jobs": "at job outcome note",
    "states": "at state scope by reason",
    "runs": "at run_id decisions seed package_version rules_hash",
    "overrides": "override_id action signer effect_usd orders_made orders_withheld reason",
    "steward": "at kind what rules v_before v_after irr_before irr_after by",
    "edits": "at file run_id digest_found digest_in_force",
    "positions": "symbol quantity average_cost opened_on condors",
    "coverage condors": "condor quantity expiry strikes entry_credit breakeven_low breakeven_high "
    "max_loss_usd",
    "coverage hedges": "instrument quantity average_cost opened_on",
    "coverage layers": "layer reason current_vega_usd target_vega_usd change rules binding_cap",
}


def audit_grid(name: str, table: Table, title: str = "") -> Grid:
    """Return an audit table for the terminal: the columns people look for, then the others."""
    records = table.records()
    columns = list(table.columns)
    wanted = _FIRST.get(name, "").split()
    if "for" in wanted:  # a fill is for a layer or for a condor, never for both
        columns.append("for")
        records = [record | {"for": record["layer"] or record["condor"]} for record in records]
    if "strikes" in wanted:
        columns.append("strikes")
        records = [record | {"strikes": _strikes(record)} for record in records]
    if "held_back_by" in wanted:
        columns.append("held_back_by")
        records = [record | {"held_back_by": _held_back_by(record)} for record in records]
    first = [column for column in wanted if column in columns]
    order = [*first, *(column for column in columns if column not in first)]
    rows = tuple(tuple(readable(column, record[column]) for column in order) for record in records)
    return Grid(columns=tuple(order), rows=rows, title=title, leading=len(first) or None)


def _held_back_by(record: Mapping[str, Cell]) -> str:
    """Return the rules behind a decision's reasons, with how often: ``C10 x3, G4``.

    That no entry was due (C1) stands in every interval without one, and is left out.
    """
    reasons = str(record["no_trade_reasons"] or "")
    rules = Counter(_REASON_RULE.findall(reasons.replace(_STANDING, "")))
    return ", ".join(rule if times == 1 else f"{rule} x{times}" for rule, times in rules.items())


def _strikes(record: Mapping[str, Cell]) -> str:
    """Return the four strikes of a condor: ``2350/2355/3050/3060``."""
    legs = [parse_symbol(str(record[leg])) for leg in _LEGS]
    return "/".join(
        f"{leg.strike.normalize():f}" for leg in legs if isinstance(leg, OptionContract)
    )


def readable(name: str, cell: Cell) -> object:
    """Return a cell as the value it spells: an instant, an amount, an instrument, a short hash."""
    if not isinstance(cell, str):
        return cell
    if _INSTANT.fullmatch(cell):
        return datetime.fromisoformat(cell)
    if name.endswith(("_hash", "_digest")) or name == "plan_id":
        return cell[:_HASH_SHOWN]
    if _AMOUNT.fullmatch(cell) and not name.endswith("_id"):
        amount = Decimal(cell)
        if name.endswith("_usd"):
            return amount.quantize(_CENT)
        return round(amount, _DECIMALS_SHOWN).normalize() if amount % _CENT else amount
    if name == "measure":
        return MEASURE_WORDS.get(cell, cell)
    if name.endswith("rules"):
        return cell.replace(",", " ")
    return _SYMBOL.sub(lambda match: _instrument(match[0]), cell)


def _instrument(symbol: str) -> str:
    try:
        return str(parse_symbol(symbol))
    except InvalidInstrument:
        return symbol


def print_why(console: Console, chain: Explanation) -> None:
    """Write the chain from an execution back to the configuration, one step further in each."""
    outline = _Outline(console)
    for fill in chain.fills.records():
        outline.step("fill", fill, "exec_id")
    if not len(chain.fills):
        outline.line(0, f"order {chain.asked}: not filled")
    outline.step("order", chain.order, "order_id", depth=1)
    outline.items(2, "events", [_event_words(event) for event in chain.events.records()])
    outline.step("decision", chain.decision, "plan_id", depth=2)
    outline.items(3, "regime", outline.flow(3, chain.regime))
    if chain.layer is not None:
        outline.step("layer", chain.layer, "layer", depth=3)
    if chain.condor is not None:
        outline.step("condor", chain.condor, "condor", depth=3)
    if len(chain.lineage) > 1 or chain.lineage.column("condor") != [chain.order["condor"]]:
        lines = [_lineage_words(step) for step in chain.lineage.records()]
        outline.items(3, "condors it came from, newest first", lines)
    outline.items(3, "quotes of the legs", [_quote_words(leg) for leg in chain.quotes.records()])
    outline.items(3, "gates", [_gate_words(gate) for gate in chain.gates.records()])
    outline.items(3, "signals", outline.flow(3, chain.signals))
    measures = _worded(chain.measures).records()
    outline.items(3, "book", [_measure_words(measure) for measure in measures])
    outline.step("run", chain.provenance, "run_id", depth=3)


class _Outline:
    """Lines that go further in with every step back."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def line(self, depth: int, text: str) -> None:
        margin = _INDENT * depth
        for part in textwrap.wrap(
            text,
            self._console.width,
            initial_indent=margin,
            subsequent_indent=margin + _HANGING,
        ):
            self._console.print(part, markup=False)

    def step(self, kind: str, record: Mapping[str, Cell], key: str, *, depth: int = 0) -> None:
        self.line(depth, f"{kind} {record[key]}")
        rest = {name: cell for name, cell in record.items() if name != key}
        self.items(depth, "", self.flow(depth, rest))

    def items(self, depth: int, title: str, lines: Sequence[str]) -> None:
        if lines and title:
            self.line(depth, title)
        for text in lines:
            for part in textwrap.wrap(
                text,
                self._console.width,
                initial_indent=_INDENT * depth + _HANGING,
                subsequent_indent=_INDENT * depth + _HANGING * 2,
                drop_whitespace=True,
            ):
                self._console.print(part, markup=False)

    def flow(self, depth: int, record: Mapping[str, Cell]) -> list[str]:
        """Return ``name=value`` pairs in lines that break between pairs only."""
        room = self._console.width - len(_INDENT * depth + _HANGING)
        lines: list[str] = []
        for name, cell in record.items():
            if cell in (None, ""):
                continue
            pair = f"{name}={cell_text(readable(name, cell))}"
            if lines and len(lines[-1]) + len(pair) + 2 <= room:
                lines[-1] += f"  {pair}"
            else:
                lines.append(pair)
        return lines


def _lineage_words(step: Mapping[str, Cell]) -> str:
    at = cell_text(readable("at", step["at"]))
    made = "opened" if step["rolled_from"] is None else f"rolled from {step['rolled_from']}"
    note = f"  ({step['note']})" if step["note"] else ""
    return (
        f"{step['condor']} {made} {at} by {str(step['rules']).replace(',', ' ')}: "
        f"{_strikes(step)}, {step['status']}, order {step['order_id']}{note}"
    )


def _event_words(event: Mapping[str, Cell]) -> str:
    price = "" if event["limit_price"] is None else f" at {event['limit_price']}"
    note = f"  ({event['note']})" if event["note"] else ""
    at = str(event["at"])
    return f"{at}  {event['status']}{price}  filled {event['filled']} of {_total(event)}{note}"


def _total(event: Mapping[str, Cell]) -> int:
    return int(event["filled"] or 0) + int(event["leaves"] or 0)


def _quote_words(leg: Mapping[str, Cell]) -> str:
    return f"{leg['ratio']:+d} {leg['instrument']}: {leg['bid']} x {leg['ask']}"


def _gate_words(gate: Mapping[str, Cell]) -> str:
    verdict = "passed" if gate["passed"] else "FAILED"
    value = "absent" if gate["value"] is None else cell_text(gate["value"])
    note = f"  ({gate['note']})" if gate["note"] else ""
    wanted = "" if gate["threshold"] is None else f", wanted {cell_text(gate['threshold'])}"
    return f"{gate['rule']:>3} {verdict}  {gate['name']}: {value}{wanted}{note}"


def _measure_words(measure: Mapping[str, Cell]) -> str:
    before, after = cell_text(measure["before"]) or "-", cell_text(measure["after"]) or "-"
    return f"{readable('measure', measure['measure'])}: {before} -> {after}"


def _worded(measures: Table) -> Table:
    """Return the measures a person reads as lines; break-evens and forward vega are tables."""
    rows = (row for row in measures.rows if row[0] in MEASURE_WORDS)
    return Table(measures.columns, tuple(rows))


def coverage_grids(coverage: Coverage) -> list[Grid]:
    """Return the tables of a coverage: condors, hedges, layers, the book in numbers."""
    return [
        audit_grid("coverage condors", coverage.condors, "Condors"),
        audit_grid("coverage hedges", coverage.hedges, "Hedges"),
        audit_grid("coverage layers", coverage.layers, "Layers (USD per VIX point)"),
        audit_grid(
            "measures", _worded(coverage.measures), "The book before and after the decision"
        ),
    ]
