"""What is read beyond the market's own signals, in one value: E, T1, T2, S10, S12, S13 and D4.

``missing`` names what is absent, as with the signals; ``gates`` is what a plan records.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import TypeVar

from strategies.model.book import CondorPosition
from strategies.model.errors import MissingData
from strategies.model.fees import DEFAULT_FEES
from strategies.model.memory import Memory
from strategies.model.plan import Gate, Measures
from strategies.model.rules import Rules
from strategies.model.snapshots import MarketSnapshot
from strategies.pricing.parity_watch import best_parity_edge, fine_tuning_gate, parity_gate
from strategies.pricing.valuation import Valuer
from strategies.signals.analogues import Analogues, analogue_gates, find_analogues
from strategies.signals.event_reactions import EventReactions, event_gate, read_event_reactions
from strategies.signals.panel import Panel, panel_gates, read_panel
from strategies.signals.positions import BookSignals, read_book_signals
from strategies.signals.readings import Signals

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """The evidence panel, the past's answers, and the signals of the book. None = absent."""

    panel: Panel  # E, R5
    analogues: Analogues | None  # T1
    reactions: EventReactions | None  # T2
    book: BookSignals  # S10, S12, S13
    parity_used_on: date | None  # D4, for the next decision
    gates: tuple[Gate, ...]
    missing: tuple[str, ...]


def read_outlook(
    snapshot: MarketSnapshot,
    signals: Signals,
    valuer: Valuer,
    condors: Sequence[CondorPosition],
    measures: Measures | None,
    memory: Memory,
    rules: Rules,
) -> Outlook:
    """Return the outlook of one interval.

    ``measures``: of the book as it is; None if it cannot be priced.

    Source: rules E, R5, T1, T2, S10, S12, S13 and D4.
    """
    panel = read_panel(snapshot, signals, rules)
    book = read_book_signals(valuer, condors, measures)
    gates = list(panel_gates(panel, rules))
    missing = [*panel.missing, *book.missing]

    def unless_missing(rule_id: str, name: str, find: Callable[[], T]) -> T | None:
        try:
            return find()
        except MissingData as reason:
            missing.append(f"{rule_id} {name}: {reason}")
            gates.append(_absent(rule_id, name, str(reason)))
            return None

    analogues = unless_missing("T1", "analogues", lambda: find_analogues(snapshot, signals, rules))
    if analogues is not None:
        gates.extend(analogue_gates(analogues, rules))
    reactions = unless_missing(
        "T2", "event reactions", lambda: read_event_reactions(snapshot, rules)
    )
    if reactions is not None:
        gates.append(event_gate(reactions))
    parity_used_on = memory.parity_used_on
    for underlying in ("SPX", "VIX"):
        edge = unless_missing(
            "D4",
            f"{underlying} parity",
            partial(best_parity_edge, valuer, underlying, DEFAULT_FEES),
        )
        if edge is None:
            continue
        gates.append(parity_gate(edge))
        chosen = fine_tuning_gate(edge, parity_used_on, snapshot.session)
        if underlying == "VIX" and chosen is not None:
            gates.append(chosen)
            parity_used_on = snapshot.session
    return Outlook(
        panel=panel,
        analogues=analogues,
        reactions=reactions,
        book=book,
        parity_used_on=parity_used_on,
        gates=tuple(gates),
        missing=tuple(missing),
    )


def _absent(rule_id: str, name: str, reason: str) -> Gate:
    return Gate(rule=rule_id, name=name, value=None, threshold=None, passed=False, note=reason)
