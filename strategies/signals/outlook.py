"""Everything read beyond the market's own signals, in one value: E, T1, T2, and S10, S12, S13.

``missing`` names what is absent, as with the signals; ``gates`` is what a plan records.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from strategies.model.book import CondorPosition
from strategies.model.errors import MissingData
from strategies.model.plan import Gate, Measures
from strategies.model.rules import Rules
from strategies.model.snapshots import MarketSnapshot
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
    gates: tuple[Gate, ...]
    missing: tuple[str, ...]


def read_outlook(
    snapshot: MarketSnapshot,
    signals: Signals,
    valuer: Valuer,
    condors: Sequence[CondorPosition],
    measures: Measures | None,
    rules: Rules,
) -> Outlook:
    """Return the outlook of one interval.

    ``measures``: of the book as it is; None if it cannot be priced.

    Source: rules E, R5, T1, T2, S10, S12 and S13.
    """
    panel = read_panel(snapshot, signals, rules)
    book = read_book_signals(valuer, condors, measures)
    gates = list(panel_gates(panel, rules))
    missing = [*panel.missing, *book.missing]

    def unless_missing(rule_id: str, find: Callable[[], T]) -> T | None:
        try:
            return find()
        except MissingData as reason:
            missing.append(f"{rule_id}: {reason}")
            gates.append(
                Gate(
                    rule=rule_id,
                    name="the past's answer",
                    value=None,
                    threshold=None,
                    passed=False,
                    note=str(reason),
                )
            )
            return None

    analogues = unless_missing("T1", lambda: find_analogues(snapshot, signals, rules))
    if analogues is not None:
        gates.extend(analogue_gates(analogues, rules))
    reactions = unless_missing("T2", lambda: read_event_reactions(snapshot, rules))
    if reactions is not None:
        gates.append(event_gate(reactions))
    return Outlook(
        panel=panel,
        analogues=analogues,
        reactions=reactions,
        book=book,
        gates=tuple(gates),
        missing=tuple(missing),
    )
