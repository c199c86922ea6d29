"""Breaks for a person: a table, and what to do about each kind."""

import json
from datetime import datetime

from bot.app.render.tables import Grid
from state.readers import Table
from strategies.model.breaks import BreakKind

_COLUMNS = ("break_id", "kind", "key", "ledger", "broker", "locks", "since", "status")
_JSON_COLUMNS = (*_COLUMNS, "detail", "what_to_do")
_COMPARE = "mend the cause; the next comparison ends it"
_LOOK = "look into docs/operations.md, then `alvh ignore` and `alvh resume`"

_WHAT_TO_DO: dict[BreakKind, str] = {
    BreakKind.POSITION: "find who traded it; it ends by itself once both sides agree",
    BreakKind.CASH: "`alvh balance --amount USD --kind interest|fee|other --reason ...`",
    BreakKind.FOREIGN_FILL: "`alvh adopt ID --condor C0007|--layer L1` or `alvh ignore ID`",
    BreakKind.FOREIGN_ORDER: "cancel that order where it was placed; it ends by itself then",
    BreakKind.UNRECORDED_ORDER: "find the other program; `alvh adopt` or `alvh ignore` its fills",
    BreakKind.LOST_ORDER: "look for the order at the broker; it ends when both sides agree",
    BreakKind.ECHO_DIFFERS: "cancel the order at the broker, mend the preset; " + _LOOK,
    BreakKind.OVERFILL: _LOOK,
    BreakKind.WORSE_PRICE: _LOOK,
    BreakKind.BUST: "check the condor's legs; `alvh ignore ID` once they are right",
    BreakKind.STRUCTURE: "trade what is proposed, or let the bot (reconcile.repair: execute)",
    BreakKind.UNCOVERED: "buy back the short at once; then `alvh reconcile` and `alvh resume`",
    BreakKind.SETTLEMENT_OVERDUE: "ask the broker for the settlement; " + _COMPARE,
    BreakKind.CONTRACT_CHANGED: "compare the contract's terms; " + _LOOK,
    BreakKind.ASSIGNMENT: "close what the bot cannot trade; then `alvh resume`",
}


def what_to_do(kind: str) -> str:
    """Return what ends a break of one kind, in one line."""
    return _WHAT_TO_DO[BreakKind(kind)]


def break_grid(table: Table) -> Grid:
    """Return the breaks of a ledger (``AuditReader.breaks``) to show."""
    rows = []
    for record in table.records():
        named = {
            **record,
            "locks": tuple(json.loads(str(record["locks"]))),
            "since": datetime.fromisoformat(str(record["since"])),
            "what_to_do": what_to_do(str(record["kind"])),
        }
        rows.append(tuple(named[name] for name in _JSON_COLUMNS))
    return Grid(columns=_JSON_COLUMNS, rows=tuple(rows), title="Breaks", leading=len(_COLUMNS))
