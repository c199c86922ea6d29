"""Taking what a spike has paid: part of the long calls is sold (B12).

Two things call for it. RSI(VIX) above ``harvest_rsi`` arms a harvest; once S3(VIX) is then bearish
``harvest_share`` of every long call is sold, once an arming: it is armed again only by an RSI above
the threshold while S3 is not bearish, and the reset of S1's latch disarms it. And a call that is
worth ``harvest_multiple`` times what it cost on average is sold by the same share, once as long as
it is held.

A harvest is done once what is held has shrunk to what it leaves, whoever sold it. Until then it is
asked for again as long as its reason holds: an order that has not filled has harvested nothing.

The core is no exception. A harvest is one sale, not throttled by increments (B9), but it comes
after band and layers in the rule book's precedence: it stays above the line at which surplus is
kept (B8). What it may not sell at all stays armed; contracts are rounded in favour of keeping.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from strategies.alvh.governors import whole
from strategies.alvh.holdings import Lot
from strategies.alvh.rebalance import Sales
from strategies.model.memory import Memory
from strategies.model.plan import Gate
from strategies.model.rules import RotationRules, Rules
from strategies.signals.indicators import Side
from strategies.signals.readings import Signals

_RULES: Final = ("B12",)
_DIGITS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Harvest:
    """What B12 has done, and what it remembers."""

    armed: bool
    harvesting: tuple[tuple[str, int], ...]  # (symbol, contracts to be left) while it is armed
    halving: tuple[tuple[str, int], ...]  # the same of what the multiple calls for
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
    rules: Rules,
) -> Harvest:
    """Sell what B12 harvests and return what it remembers.

    Args:
        sales: The plan's sales so far; what they leave of a call is what is halved.
        lots: What the hedge holds.
        signals: S1 and S3; without them nothing is armed or fires.
        memory: Whether a harvest is armed, what has been asked for, and what has been harvested.
        keep_usd: Factor vega that the hedge keeps (B8).
        session: Today.
        rules: Threshold, multiple and share, and where S1's latch resets.
    """
    rotation = rules.rotation
    calls = [lot for lot in lots if lot.is_call and lot.contracts > 0]
    held = {lot.instrument.symbol: lot.contracts for lot in calls}
    is_bearish = signals.macd_vix is Side.BEARISH
    is_high = signals.rsi_vix is not None and signals.rsi_vix > rotation.harvest_rsi
    is_reset = signals.rsi_vix is not None and signals.rsi_vix < rules.signals.rsi_vix_reset
    asked = _unfilled(memory.harvesting, held)
    is_done = bool(memory.harvesting) and not asked
    armed = memory.harvest_armed and not is_done and not is_reset
    armed = armed or (is_high and signals.macd_vix is not None and not is_bearish)
    asked = asked if armed else {}
    fires = armed and is_bearish

    known, halving = dict(memory.harvested), _unfilled(memory.halving, held)
    known |= {symbol: session.isoformat() for symbol, _ in memory.halving if symbol not in halving}
    dear = {
        lot.instrument.symbol
        for lot in calls
        if _multiple(lot) >= rotation.harvest_multiple and lot.instrument.symbol not in known
    }
    halving = {symbol: left for symbol, left in halving.items() if symbol in dear}

    layers, sold, first = set(), 0, not asked
    for lot in calls:
        symbol = lot.instrument.symbol
        is_turn = fires and (first or symbol in asked)
        if not is_turn and symbol not in dear:
            continue
        left = min((t[symbol] for t in (asked, halving) if symbol in t), default=None)
        contracts = _sell(sales, lot, left, keep_usd, rotation)
        sold += contracts > 0
        if contracts or lot.selling:
            layers.add(lot.layer)
        if left is None and not contracts:
            continue
        left = lot.contracts - contracts if left is None else left
        if is_turn:
            asked[symbol] = left
        if symbol in dear:
            halving[symbol] = left
    return Harvest(
        armed=armed,
        harvesting=tuple(sorted(asked.items())),
        halving=tuple(sorted(halving.items())),
        harvested=tuple(sorted((symbol, day) for symbol, day in known.items() if symbol in held)),
        gates=(
            *_gates(signals, armed=armed, fires=fires, sold=sold, rules=rotation),
            _multiple_gate(calls, known, halving, rotation),
        ),
        layers=frozenset(layers),
    )


def _unfilled(asked: Sequence[tuple[str, int]], held: Mapping[str, int]) -> dict[str, int]:
    """Return what was asked for, of which more is held than is to be left."""
    return {symbol: left for symbol, left in asked if held.get(symbol, 0) > left}


def _multiple(lot: Lot) -> float:
    """Return what a call is worth at its mid over what it cost; 0 where nobody knows."""
    if lot.value is None or lot.cost_usd <= 0:
        return 0.0
    return lot.value.mid * lot.instrument.multiplier / lot.cost_usd


def _sell(sales: Sales, lot: Lot, left: int | None, keep_usd: float, rules: RotationRules) -> int:
    """Sell down to what was to be left, or the share of what there is where nothing was yet."""
    closable = sales.left(lot)
    wanted = whole(rules.harvest_share * closable)
    if left is not None:  # and no more than the share of what has been added since
        wanted = min(wanted, closable - left)
    if lot.unit_vega_usd > 0:
        wanted = min(wanted, whole((sales.left_vega_usd() - keep_usd) / lot.unit_vega_usd))
    return sales.sell(lot, wanted, _RULES)


def _gates(
    signals: Signals,
    *,
    armed: bool,
    fires: bool,
    sold: int,
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
            note=f"S3; {sold} calls harvested",
        ),
    )


def _multiple_gate(
    calls: Sequence[Lot],
    known: Mapping[str, str],
    halving: Mapping[str, int],
    rules: RotationRules,
) -> Gate:
    """Return the gate of the call that has multiplied most, and when it was halved if it was."""
    dearest = max(calls, key=_multiple, default=None)
    best = None if dearest is None else _multiple(dearest)
    passed = best is not None and best >= rules.harvest_multiple
    note = "" if dearest is None else f"{dearest.instrument}"
    if dearest is not None and passed:
        symbol = dearest.instrument.symbol
        if symbol in known:
            note += f", halved on {known[symbol]}"
        elif symbol in halving:
            note += f", being sold down to {halving[symbol]}"
        else:
            note += ", kept: a single one, or the vega floor needs it"
    return Gate(
        rule="B12",
        name="dearest call over its cost",
        value=None if best is None else round(best, _DIGITS),
        threshold=rules.harvest_multiple,
        passed=passed,
        note=note,
    )
