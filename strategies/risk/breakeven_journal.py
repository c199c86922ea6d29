"""B1's first step: what a flip of the curve would do to the book, before anything is traded.

The shift of the break-evens of condors and hedge together, and the book's profit or loss, for VIX
+5 and +8. Today's break-evens count. Where the book has none today, now or after the shock, because
it is under water or its hedge carries it everywhere, those at expiry take their place, and then
those of the condors alone. The gate's note says which.
"""

from strategies.model.plan import BookBreakevens, Gate, Measures
from strategies.risk.measures import SHOCKS

_NO_CONDORS = "no condors"
_UNKNOWN = "the book cannot be priced"
_NOWHERE = "there is none: the book loses everywhere, or nowhere on this side"


def flip_journal(before: Measures | None) -> tuple[Gate, ...]:
    """Return B1's entries for the book as the flip finds it; values None where nobody knows."""
    losses = (None, None) if before is None else (before.loss_vix_5_usd, before.loss_vix_8_usd)
    gates = []
    for points, loss in zip(SHOCKS, losses, strict=True):
        for side in ("lower", "upper"):
            shift, note = _shift(before, points, side)
            gates.append(_entry(f"shift of the {side} break-even for VIX +{points:g}", shift, note))
        gates.append(_entry(f"profit and loss for VIX +{points:g} in USD", loss, ""))
    return tuple(gates)


def _entry(name: str, value: float | None, note: str) -> Gate:
    return Gate(rule="B1", name=name, value=value, threshold=None, passed=True, note=note)


def _shift(before: Measures | None, points: float, side: str) -> tuple[float | None, str]:
    """Return how far one break-even moves, index points, and which one it is."""
    if before is None or not before.breakevens:
        is_empty = before is not None and before.condor_contracts == 0
        return None, _NO_CONDORS if is_empty else _UNKNOWN
    rows = {(row.hedged, row.vix_points): row for row in before.breakevens}
    for is_hedged, whose in ((True, "condors and hedge"), (False, "condors alone")):
        calm = _levels(rows[is_hedged, 0.0], side)
        shocked = _levels(rows[is_hedged, points], side)
        for (when, was), (_, then) in zip(calm, shocked, strict=True):
            if was is not None and then is not None:
                return round(then - was, 2), f"of {whose}, {when}"
    return None, _NOWHERE


def _levels(row: BookBreakevens, side: str) -> tuple[tuple[str, float | None], ...]:
    """Return one side's levels in the order in which they count."""
    if side == "lower":
        return ("today", row.today_low), ("at expiry", row.expiry_low)
    return ("today", row.today_high), ("at expiry", row.expiry_high)
