"""A whole ledger in numbers, for the summary of a run."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from state.amounts import from_micros, instant_of
from state.ledger import Ledger
from state.readers import Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Counts since the ledger began."""

    first_at: datetime | None  # of the first and last decision; None = there was none
    last_at: datetime | None
    sessions: int  # with a decision
    decisions: int
    orders: int  # attempts that were sent
    fills: int  # executions of one leg
    condors_opened: int  # with at least one fill; what rolls made of one counts with it
    condors_closed: int  # or settled, with all that rolls made of them
    condors_open: int
    hedge_fills: dict[str, int]  # by layer
    rules_fired: dict[str, int]  # rule id -> decisions in which it acted
    deposits_usd: Decimal


def read_totals(ledger: Ledger | Path) -> Totals:
    """Return the totals of a ledger, open for writing or not; raises as ``Reader.open`` does."""
    path = ledger.path if isinstance(ledger, Ledger) else ledger
    with Reader.open(path) as reader, reader.moment():
        ((first, last, sessions, decisions),) = reader.raw(_DECISIONS)
        ((orders,),) = reader.raw(_ORDERS)
        ((fills,),) = reader.raw("SELECT count(*) FROM current_fills")
        ((opened, closed, still_open),) = reader.raw(_CONDORS)
        ((deposits,),) = reader.raw(_DEPOSITS)
        return Totals(
            first_at=None if first is None else instant_of(first),
            last_at=None if last is None else instant_of(last),
            sessions=sessions,
            decisions=decisions,
            orders=orders,
            fills=fills,
            condors_opened=opened,
            condors_closed=closed,
            condors_open=still_open,
            hedge_fills=dict(reader.raw(_HEDGE_FILLS)),
            rules_fired=_rules_fired(reader),
            deposits_usd=from_micros(deposits),
        )


def _rules_fired(reader: Reader) -> dict[str, int]:
    decisions: dict[str, set[int]] = {}
    for decision_id, rules in reader.raw(_RULES):
        for rule in rules.split(","):
            decisions.setdefault(rule, set()).add(decision_id)
    return {rule: len(ids) for rule, ids in sorted(decisions.items())}


_DECISIONS = "SELECT min(at), max(at), count(DISTINCT session), count(*) FROM decisions"
_ORDERS = "SELECT count(DISTINCT client_order_id) FROM order_events WHERE status = 'SENDING'"
# "C0007-1" is what a roll made of "C0007"
_CONDORS = """
WITH families AS (
    SELECT sum(quantity) AS held FROM condor_states
    GROUP BY substr(condor_id, 1, instr(condor_id || '-', '-') - 1)
    HAVING max(opened_quantity) > 0
)
SELECT count(*), count(*) FILTER (WHERE held = 0), count(*) FILTER (WHERE held > 0) FROM families
"""
_DEPOSITS = "SELECT coalesce(sum(amount_usd_micros), 0) FROM cash_movements WHERE kind = 'DEPOSIT'"
_HEDGE_FILLS = """
SELECT layer, count(*) FROM current_fills WHERE layer IS NOT NULL GROUP BY layer ORDER BY layer
"""
# The rules that acted: those of orders, of condors, and of layers that change or are held back
_RULES = """
SELECT decision_id, rules FROM layer_plans WHERE trades_json <> '[]' AND rules <> ''
UNION ALL SELECT decision_id, binding_cap FROM layer_plans WHERE binding_cap IS NOT NULL
UNION ALL SELECT decision_id, rules FROM orders WHERE attempt = 1 AND rules <> ''
UNION ALL SELECT decision_id, rules FROM condors WHERE rules <> ''
UNION ALL SELECT decision_id, rules FROM condor_closes WHERE rules <> ''
"""
