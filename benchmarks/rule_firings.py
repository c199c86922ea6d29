"""On how many days of the bundled history each signal, regime and layer gate holds, as JSON.

``python -m benchmarks.rule_firings`` prints; ``--write`` renews the table of
``docs/conventions.md``, so that a gate that never opens is seen. One look a day at 16:00 New York
time, 13:00 on early closes, when the replayed SPX stands on its close, with the bot's own memory
from day to day. What depends on the book (condors, hedge, account) is not counted.
"""

import json
import re
import sys
from collections import Counter
from dataclasses import dataclass, replace
from datetime import date, time
from pathlib import Path

from bot.calendars.build import build_calendar
from bot.exchange.replay import ReplayMarket
from bot.history.store import History
from strategies.alvh.boost import Boost, advance_boost
from strategies.alvh.shift_ahead import asks_for_shift
from strategies.model.calendars import at_exchange
from strategies.model.errors import MissingData
from strategies.model.memory import Curve, Memory
from strategies.model.rules import Rules
from strategies.model.snapshots import MarketSnapshot
from strategies.signals.analogues import Analogues, find_analogues
from strategies.signals.event_reactions import EventReactions, read_event_reactions
from strategies.signals.indicators import Side
from strategies.signals.panel import Panel, Verdict, read_panel
from strategies.signals.readings import Signals, read_signals
from strategies.signals.regimes import Regime, classify_regime

PAGE = Path(__file__).resolve().parents[1] / "docs" / "conventions.md"

# VVIX has no value on the days left out between the ranges
RANGES = (
    (date(2007, 1, 4), date(2010, 11, 10)),
    (date(2010, 11, 15), date(2013, 5, 10)),
    (date(2013, 5, 15), date(2026, 6, 1)),
)
LOOK = time(16, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Everything read on one day."""

    signals: Signals
    regime: Regime
    latch: bool  # S1
    panel: Panel
    analogues: Analogues | None
    reactions: EventReactions | None
    asks_for_shift: bool  # B3
    boost: Boost
    armed: bool  # B12
    harvests: bool


def unless_missing(find, *given):
    """Return what ``find`` finds, or None."""
    try:
        return find(*given)
    except MissingData:
        return None


def look(snapshot: MarketSnapshot, memory: Memory, rules: Rules) -> tuple[Look, Memory]:
    """Return one day's look, and the memory for the next."""
    signals = read_signals(snapshot, rules)
    regime, regime_memory, latch = classify_regime(signals, snapshot, memory, rules)
    panel = read_panel(snapshot, signals, rules)
    analogues = unless_missing(find_analogues, snapshot, signals, rules)
    asks, _ = asks_for_shift(signals, regime, analogues, rules.rotation)
    boost = advance_boost(
        memory.boost,
        signals,
        rsi_vix_high=latch,
        verdict=panel.verdict if regime.spike is True else None,
        analogues=analogues,
        rules=rules,
    )
    is_bearish = signals.macd_vix is Side.BEARISH
    is_high = signals.rsi_vix is not None and signals.rsi_vix > rules.rotation.harvest_rsi
    armed = memory.harvest_armed or (is_high and not is_bearish)
    found = Look(
        signals=signals,
        regime=regime,
        latch=latch,
        panel=panel,
        analogues=analogues,
        reactions=unless_missing(read_event_reactions, snapshot, rules),
        asks_for_shift=asks,
        boost=boost,
        armed=armed,
        harvests=armed and is_bearish,
    )
    return found, replace(
        memory,
        session=snapshot.session,
        rsi_vix_high=latch,
        regime=regime_memory,
        boost=boost.memory,
        harvest_armed=armed and not is_bearish,
    )


def held_on(day: Look, rules: Rules) -> dict[str, bool]:
    """Return what holds in one look, in the order of the page."""
    signals, regime, boost = day.signals, day.regime, day.boost
    fraction, points = signals.backwardation_fraction, signals.backwardation_points
    deep = fraction is not None and fraction > rules.layers.l2_backwardation
    falling = signals.spx_below_sma20 is True and signals.spx_below_5_days_ago is True
    momentum = (signals.macd_vvix_vix, signals.macd_spx)
    spike, verdict = regime.spike is True, day.panel.verdict
    days = signals.slope_falling_days
    flow, votes = signals.order_flow_z, {each.name: each.vote for each in day.panel.votes}
    return {
        "S1 latch high": day.latch,
        "S1 low": signals.rsi_vix_low is True,
        "S2 weak": signals.rsi_spx_weak is True,
        "S3 VIX bearish": signals.macd_vix is Side.BEARISH,
        "S4 bullish": signals.basis_macd is Side.BULLISH,
        "S5 divergence": signals.ad_divergence is True,
        "S6 falling for 3 days": days is not None and days >= rules.rotation.shift_falling_days,
        "S7 above 3 %": deep,
        "S8 dislocated (G9 stays passive)": signals.dislocated is True,
        "S9 beyond 1 on either side": flow is not None and abs(flow) > rules.panel.neutral_z,
        "S11 an event today": any(each.trading_days == 0 for each in signals.events or ()),
        "S13 COR1M votes fear": votes.get("correlation") == 1,
        "R1 contango": regime.curve is Curve.CONTANGO,
        "R1 flat": regime.curve is Curve.FLAT,
        "R1 backwardation": regime.curve is Curve.BACKWARDATION,
        "R1 flips (B1 begins)": regime.flipped_now,
        "R2 pre-event (B4, T2)": regime.pre_event is True,
        "R3 spike (C11)": spike,
        "R3 and R5 fear": spike and verdict is Verdict.FEAR,
        "R3 and R5 technical": spike and verdict is Verdict.TECHNICAL,
        "R3 and R5 undecided": spike and verdict is Verdict.UNDECIDED,
        "R4 shift": regime.shift is True,
        "R3 or R4: G1 lets the floor through": spike or regime.shift is True,
        "L1 boost asked for: S1 or S5": day.latch or signals.ad_divergence is True,
        "L1 boost in force": boost.scale > 0,
        "L1 boost held up by E": boost.scale == 0 and "E" in boost.rules,
        "L1 boost held up by T1": boost.scale == 0 and "T1" in boost.rules,
        "L2: S2 and S7": signals.rsi_spx_weak is True and deep,
        "L3: R4": regime.shift is True,
        "L3: S1 low and SPX falling": signals.rsi_vix_l3_low is True and falling,
        "B2 above 3 points": points is not None and points > rules.rotation.addon_points,
        "B3 asks for a shift": day.asks_for_shift,
        "B7 permits": momentum == (Side.BULLISH, Side.BEARISH),
        "B7 cuts boosts": momentum == (Side.BEARISH, Side.BULLISH),
        "B12 armed": day.armed,
        "B12 harvests": day.harvests,
        "T1 known": day.analogues is not None,
        "T1 resolves lower": day.analogues is not None and day.analogues.resolves_lower,
        "T1 may rise": day.analogues is not None and day.analogues.may_rise,
        "T2 known": day.reactions is not None,
    }


def main() -> None:
    """Print days and shares."""
    rules, history = Rules(), History.bundled()
    calendar = build_calendar(date(2004, 1, 1), date(2027, 12, 31))
    days: Counter[str] = Counter()
    absent: Counter[str] = Counter()
    looked_at, memory, names = 0, Memory(), []
    for first, last in RANGES:
        market = ReplayMarket(history, calendar, first=first, last=last, seed=7)
        for session in calendar.sessions_between(first, last):
            early = session in calendar.early_closes
            at = at_exchange(session, time(13, 0) if early else LOOK)
            snapshot = MarketSnapshot(
                session=session,
                opens_at=calendar.opens_at(session),
                closes_at=calendar.closes_at(session),
                is_early_close=early,
                entry_due=False,
                market=market.quotes_at(at),
                events=history.events_ahead(session, calendar),
                history=market.history(session),
            )
            day, memory = look(snapshot, memory, rules)
            held = held_on(day, rules)
            looked_at, names = looked_at + 1, list(held)
            days.update(name for name, holds in held.items() if holds)
            absent.update(line.split(":")[0] for line in (*day.signals.missing, *day.panel.missing))
    rows = {name: {"days": days[name], "share": round(days[name] / looked_at, 4)} for name in names}
    span = [str(RANGES[0][0]), str(RANGES[-1][1])]
    print(json.dumps({"span": span, "days": looked_at, "held": rows, "absent": absent}, indent=1))
    if "--write" in sys.argv[1:]:
        lines = ["| what | days | share |", "|---|---|---|"]
        lines += [
            f"| {name} | {row['days']:,} | {100 * row['share']:.1f} % |"
            for name, row in rows.items()
        ]
        marked = re.compile(r"(<!-- firings -->\n).*?(\n<!-- end -->)", flags=re.DOTALL)
        page = PAGE.read_text()
        assert marked.search(page), "docs/conventions.md has no markers"
        block = "\n".join(lines)
        PAGE.write_text(marked.sub(lambda found: found[1] + block + found[2], page))


if __name__ == "__main__":
    main()
