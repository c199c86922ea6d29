"""Taking what a spike has paid: part of the long calls is sold (B12).

Two things call for it. RSI(VIX) above ``harvest_rsi`` arms a harvest; once S3(VIX) is then bearish
``harvest_share`` of every long call is sold, once an arming: it is armed again only by an RSI above
the threshold while S3 is not bearish. And a call that is worth ``harvest_multiple`` times what it
cost on average is sold by the same share, once as long as it is held.

The core is no exception. A harvest is one sale, not throttled by increments (B9), but it comes
after band and layers in the rule book's precedence: it stays above the line at which surplus is
kept (B8). What it may not sell at all stays armed; contracts are rounded in favour of keeping.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from strategies.alvh.governors import whole
from strategies.alvh.holdings import Lot
from strategies.alvh.rebalance import Sales
from strategies.model.memory import Memory
from strategies.model.plan import Gate
from strategies.model.rules import RotationRules
from strategies.signals.indicators import Side
from strategies.signals.readings import Signals

_RULES: Final = ("B12",)
_DIGITS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Harvest:
    """What B12 has done, and what it remembers."""

    armed: bool
    harvested: tuple[tuple[str, str], ...]  # (symbol, day) of what the multiple has halved
    gates: tuple[Gate, ...] = ()
    layers: frozenset[str] = frozenset()  # sold from: they add nothing in this interval


def sell_harvest(
    sales: Sales,
    lots: Sequence[Lot],
    signals: Signals,
    memory: Memory,
    *,
    keep_usd: float,
    session: date,
    rules: RotationRules,
) -> Harvest:
    """Sell what B12 harvests and return what it remembers.

    Args:
        sales: The plan's sales so far; what they leave of a call is what is halved.
        lots: What the hedge holds.
        signals: S1 and S3; without them nothing is armed or fires.
        memory: Whether a harvest is armed, and what has been harvested.
        keep_usd: Factor vega that the hedge keeps (B8).
        session: Today.
        rules: Threshold, multiple and share.
    """
    is_bearish = signals.macd_vix is Side.BEARISH
    is_high = signals.rsi_vix is not None and signals.rsi_vix > rules.harvest_rsi
    armed = memory.harvest_armed or (is_high and signals.macd_vix is not None and not is_bearish)
    fires = armed and is_bearish
    known = dict(memory.harvested)
    calls = [lot for lot in lots if lot.is_call and lot.contracts > 0]
    dear = {
        lot.instrument.symbol
        for lot in calls
        if _multiple(lot) >= rules.harvest_multiple and lot.instrument.symbol not in known
    }
    sold = {
        lot.instrument.symbol: lot.layer
        for lot in calls
        if (fires or lot.instrument.symbol in dear) and _sell(sales, lot, keep_usd, rules) > 0
    }
    known |= {symbol: session.isoformat() for symbol in sold if symbol in dear}
    held = {lot.instrument.symbol for lot in calls}
    return Harvest(
        armed=armed and not (fires and bool(sold)),
        harvested=tuple(sorted((symbol, day) for symbol, day in known.items() if symbol in held)),
        gates=(
            *_gates(signals, armed=armed, fires=fires, sold=sold, rules=rules),
            _multiple_gate(calls, known, rules),
        ),
        layers=frozenset(sold.values()),
    )


def _multiple(lot: Lot) -> float:
    """Return what a call is worth at its mid over what it cost; 0 where nobody knows."""
    if lot.value is None or lot.cost_usd <= 0:
        return 0.0
    return lot.value.mid * lot.instrument.multiplier / lot.cost_usd


def _sell(sales: Sales, lot: Lot, keep_usd: float, rules: RotationRules) -> int:
    wanted = whole(rules.harvest_share * sales.left(lot))
    if lot.unit_vega_usd > 0:
        wanted = min(wanted, whole((sales.left_vega_usd() - keep_usd) / lot.unit_vega_usd))
    return sales.sell(lot, wanted, _RULES)


def _gates(
    signals: Signals,
    *,
    armed: bool,
    fires: bool,
    sold: Collection[str],
    rules: RotationRules,
) -> tuple[Gate, ...]:
    return (
        Gate(
            rule="B12",
            name="RSI(VIX) to arm a harvest",
            value=signals.rsi_vix,
            threshold=rules.harvest_rsi,
            passed=armed,
            note="armed" if armed else "not armed",
        ),
        Gate(
            rule="B12",
            name="MACD of VIX",
            value=None if signals.macd_vix is None else signals.macd_vix.value,
            threshold=Side.BEARISH.value,
            passed=fires,
            note=f"S3; {len(sold)} calls harvested",
        ),
    )


def _multiple_gate(calls: Sequence[Lot], known: Mapping[str, str], rules: RotationRules) -> Gate:
    """Return the gate of the call that has multiplied most, and when it was halved if it was."""
    dearest = max(calls, key=_multiple, default=None)
    best = None if dearest is None else _multiple(dearest)
    passed = best is not None and best >= rules.harvest_multiple
    note = "" if dearest is None else f"{dearest.instrument}"
    if dearest is not None and passed:
        day = known.get(dearest.instrument.symbol)
        note += (
            ", kept: a single one, or the vega floor needs it"
            if day is None
            else f", halved on {day}"
        )
    return Gate(
        rule="B12",
        name="dearest call over its cost",
        value=None if best is None else round(best, _DIGITS),
        threshold=rules.harvest_multiple,
        passed=passed,
        note=note,
    )
