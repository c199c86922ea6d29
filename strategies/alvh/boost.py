"""L1's boost: who asks for it, whether it has to wait, and how large it is (L1, E, T1, B7).

S1 or S5 asks. A boost that is not in force yet is held up:

- in a technical spike (R3, R5) until it has been asked for ``technical_intervals`` in a row (E);
- one interval where days like this one resolved lower (T1), unless momentum permits adding (B7).

In force it is the full share, ``technical_boost`` of it in a technical spike, and ``momentum_cut``
less while VVIX/VIX is bearish and SPX bullish (B7).

B7's permission - VVIX/VIX bullish, SPX bearish - waives no governor and starts nothing by itself.
"""

from dataclasses import dataclass, replace

from strategies.model.memory import BoostMemory
from strategies.model.plan import Gate
from strategies.model.rules import PanelRules, Rules
from strategies.signals.analogues import Analogues
from strategies.signals.indicators import Side
from strategies.signals.panel import Verdict
from strategies.signals.readings import Signals


@dataclass(frozen=True, slots=True, kw_only=True)
class Boost:
    """L1's boost in one interval."""

    memory: BoostMemory
    scale: float  # 0 = not in force, 1 = L1's full share
    rules: tuple[str, ...]  # those that ask, and those that changed it
    note: str = ""  # what holds it up
    gates: tuple[Gate, ...] = ()


def advance_boost(
    memory: BoostMemory,
    signals: Signals,
    *,
    rsi_vix_high: bool,
    verdict: Verdict | None,
    analogues: Analogues | None,
    rules: Rules,
) -> Boost:
    """Return the boost of this interval.

    Args:
        memory: How long it has been asked for.
        signals: S5, and S3 for B7; what is absent does nothing.
        rsi_vix_high: S1's latch.
        verdict: What the spike is (R5); None outside of one (R3).
        analogues: T1; None where absent.
        rules: Thresholds and fractions.
    """
    permits, opposes, momentum_gate = _momentum(signals)
    gates = [*_asking_gates(signals, rsi_vix_high=rsi_vix_high), momentum_gate]
    asking = tuple(
        rule for rule, holds in (("S1", rsi_vix_high), ("S5", signals.ad_divergence)) if holds
    )
    if not asking:
        return Boost(memory=BoostMemory(), scale=0.0, rules=(), gates=tuple(gates))
    is_technical = verdict is Verdict.TECHNICAL
    if not memory.in_force:
        asked = memory.asked_intervals + 1
        memory = replace(memory, asked_intervals=asked)
        if is_technical:
            gates.append(_intervals_gate(asked, rules.panel))
            if asked < rules.panel.technical_intervals:
                return _waiting(memory, asking, "E", gates)
        if analogues is not None and analogues.resolves_lower:
            if not (permits or memory.waited):
                return _waiting(replace(memory, waited=True), asking, "T1", gates)
            gates.append(_wait_gate("B7 permits it" if permits else "it has waited", passed=True))
        memory = replace(memory, in_force=True)
    scale, changed = 1.0, tuple[str, ...]()
    if is_technical:
        scale, changed = scale * rules.panel.technical_boost, ("E",)
    if opposes:
        scale, changed = scale * (1.0 - rules.rotation.momentum_cut), (*changed, "B7")
    return Boost(memory=memory, scale=scale, rules=(*asking, *changed), gates=tuple(gates))


def _waiting(
    memory: BoostMemory, asking: tuple[str, ...], held_by: str, gates: list[Gate]
) -> Boost:
    if held_by == "T1":
        gates.append(_wait_gate("it waits one interval", passed=False))
    return Boost(
        memory=memory,
        scale=0.0,
        rules=(held_by,),
        note=f"{held_by} holds up the boost asked for by {' and '.join(asking)}",
        gates=tuple(gates),
    )


def _asking_gates(signals: Signals, *, rsi_vix_high: bool) -> tuple[Gate, ...]:
    diverges = signals.ad_divergence
    return (
        Gate(
            rule="L1",
            name="RSI(VIX) latched high",
            value=signals.rsi_vix,
            threshold="latch",
            passed=rsi_vix_high,
            note="S1",
        ),
        Gate(
            rule="L1",
            name="breadth diverges",
            value=None if diverges is None else "yes" if diverges else "no",
            threshold="yes",
            passed=diverges is True,
            note="S5",
        ),
    )


def _intervals_gate(asked: int, rules: PanelRules) -> Gate:
    return Gate(
        rule="E",
        name="intervals that asked for the boost, technical spike",
        value=float(asked),
        threshold=float(rules.technical_intervals),
        passed=asked >= rules.technical_intervals,
        note="R5",
    )


def _wait_gate(note: str, *, passed: bool) -> Gate:
    return Gate(
        rule="T1",
        name="a boost not yet in force",
        value="resolves lower",
        threshold="does not",
        passed=passed,
        note=note,
    )


def _momentum(signals: Signals) -> tuple[bool, bool, Gate]:
    """Return whether momentum permits adding, whether it cuts boosts, and B7's gate."""
    pair = (signals.macd_vvix_vix, signals.macd_spx)
    permits = pair == (Side.BULLISH, Side.BEARISH)
    opposes = pair == (Side.BEARISH, Side.BULLISH)
    says = "permits adding" if permits else "cuts boosts" if opposes else "neither"
    gate = Gate(
        rule="B7",
        name="MACD of VVIX/VIX and of SPX",
        value=None if None in pair else f"{pair[0]}, {pair[1]}",
        threshold=f"{Side.BULLISH}, {Side.BEARISH}",
        passed=permits,
        note=f"S3: {says}",
    )
    return permits, opposes, gate
