"""Market rules: price increments by price, as messages of the API list them.

The ids are this gateway's own but for 26, IB's rule of one cent. The steps are those of
``strategies.model.ticks``; a contract's ``minTick`` is the finest of them.
"""

from collections.abc import Mapping
from typing import Any, Final

CENT_RULE: Final = 26
_SPX_RULE: Final = 110
_VIX_RULE: Final = 109
_VX_RULE: Final = 67
_HALF_PIP_RULE: Final = 239

_STEPS: Final[dict[int, tuple[tuple[float, float], ...]]] = {
    CENT_RULE: ((0.0, 0.01),),
    _SPX_RULE: ((0.0, 0.05), (3.0, 0.1)),
    _VIX_RULE: ((0.0, 0.01), (3.0, 0.05)),
    _VX_RULE: ((0.0, 0.05),),
    _HALF_PIP_RULE: ((0.0, 0.00005),),
}
_BY_CLASS: Final = {
    "SPX": _SPX_RULE,
    "SPXW": _SPX_RULE,
    "VIX": _VIX_RULE,
    "VX": _VX_RULE,
    "EUR.USD": _HALF_PIP_RULE,
}


def rule_id_of(trading_class: str) -> int:
    """Return the rule of a trading class; whatever is not listed moves by cents."""
    return _BY_CLASS.get(trading_class, CENT_RULE)


def market_rule(rule_id: int) -> tuple[Mapping[str, Any], ...] | None:
    """Return a rule's price increments, each from its low edge on; None if it is unknown."""
    steps = _STEPS.get(rule_id)
    if steps is None:
        return None
    return tuple({"lowEdge": low_edge, "increment": increment} for low_edge, increment in steps)
