"""Hedge orders while VIX has come apart from SPX (G9): passive limits, nothing crosses the market.

An order is then priced at mid and stays there. What G6 or G8 demand is exempt: it has to trade.
Without a value of S8 nobody knows of a dislocation, and orders walk as usual.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from strategies.alvh.rebalance import Trade
from strategies.model.orders import Urgency
from strategies.model.plan import Gate
from strategies.model.rules import SignalRules
from strategies.signals.readings import Signals

_EXEMPT: Final = frozenset({"G6", "G8"})


def dislocation_gate(signals: Signals, rules: SignalRules) -> Gate:
    """Return G9's gate: does VIX move with SPX and its future."""
    return Gate(
        rule="G9",
        name="dislocation of VIX, z",
        value=signals.dislocation_z,
        threshold=rules.dislocation_z,
        passed=signals.dislocated is not True,
        note="S8; above: hedge orders stay at mid" if signals.dislocated is True else "S8",
    )


def without_crossing(trades: Sequence[Trade], signals: Signals) -> tuple[Trade, ...]:
    """Return the trades, passive where S8 says so (G9)."""
    if signals.dislocated is not True:
        return tuple(trades)
    return tuple(
        trade if _EXEMPT & set(trade.rules) else replace(trade, urgency=Urgency.PASSIVE)
        for trade in trades
    )
