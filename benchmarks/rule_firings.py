"""On how many days of the bundled history each signal, regime and layer gate holds, as JSON.

``python -m benchmarks.rule_firings``. One look a day at 16:00 New York time, 13:00 on early closes,
when the replayed SPX stands on its close, with the bot's own memory from day to day. The table in
``docs/rules.md`` is made from this, so that a gate that never opens is seen.
"""

import json
from collections import Counter
from dataclasses import replace
from datetime import date, time

from bot.calendars.build import build_calendar
from bot.exchange.replay import ReplayMarket
from bot.history.store import History
from strategies.model.calendars import at_exchange
from strategies.model.memory import Curve, Memory
from strategies.model.rules import Rules
from strategies.model.snapshots import MarketSnapshot
from strategies.signals.readings import read_signals
from strategies.signals.regimes import classify_regime

# VVIX has no value on the days left out between the ranges
RANGES = (
    (date(2007, 1, 4), date(2010, 11, 10)),
    (date(2010, 11, 15), date(2013, 5, 10)),
    (date(2013, 5, 15), date(2026, 6, 1)),
)
LOOK = time(16, 0)


def held_on(signals, regime, latch, rules) -> dict[str, bool]:
    """Return what holds in one look."""
    fraction, points = signals.backwardation_fraction, signals.backwardation_points
    deep = fraction is not None and fraction > rules.layers.l2_backwardation
    falling = signals.spx_below_sma20 is True and signals.spx_below_5_days_ago is True
    return {
        "S1 latch high": latch,
        "S1 low": signals.rsi_vix_low is True,
        "S2 weak": signals.rsi_spx_weak is True,
        "S4 bullish": signals.basis_macd == "bullish",
        "S5 divergence": signals.ad_divergence is True,
        "S7 above 3 %": deep,
        "S8 dislocated": signals.dislocated is True,
        "R1 contango": regime.curve is Curve.CONTANGO,
        "R1 flat": regime.curve is Curve.FLAT,
        "R1 backwardation": regime.curve is Curve.BACKWARDATION,
        "R1 flips (B1 begins)": regime.flipped_now,
        "R2 pre-event": regime.pre_event is True,
        "R3 spike": regime.spike is True,
        "R4 shift": regime.shift is True,
        "R3 or R4: G1 lets the floor through": regime.spike is True or regime.shift is True,
        "L1 boost: S1 or S5": latch or signals.ad_divergence is True,
        "L2: S2 and S7": signals.rsi_spx_weak is True and deep,
        "L3: R4": regime.shift is True,
        "L3: S1 low and SPX falling": signals.rsi_vix_l3_low is True and falling,
        "B2 above 3 points": points is not None and points > rules.rotation.addon_points,
    }


def main() -> None:
    """Print days and shares."""
    rules, history = Rules(), History.bundled()
    calendar = build_calendar(date(2004, 1, 1), date(2027, 12, 31))
    days: Counter[str] = Counter()
    absent: Counter[str] = Counter()
    looked_at, memory = 0, Memory()
    for first, last in RANGES:
        market = ReplayMarket(history, calendar, first=first, last=last, seed=7)
        for session in calendar.sessions_between(first, last):
            early = session in calendar.early_closes
            at = at_exchange(session, time(13, 0) if early else LOOK)
            quotes = market.quotes_at(at)
            snapshot = MarketSnapshot(
                session=session,
                opens_at=calendar.opens_at(session),
                closes_at=calendar.closes_at(session),
                is_early_close=early,
                entry_due=False,
                market=quotes,
                events=history.events_ahead(session, calendar),
                history=market.history(session),
            )
            signals = read_signals(snapshot, rules)
            regime, regime_memory, latch = classify_regime(signals, snapshot, memory, rules)
            memory = replace(memory, session=session, rsi_vix_high=latch, regime=regime_memory)
            looked_at += 1
            days.update(k for k, holds in held_on(signals, regime, latch, rules).items() if holds)
            absent.update(line.split(":")[0] for line in signals.missing)
    rows = {
        name: {"days": days[name], "share": round(days[name] / looked_at, 4)}
        for name in held_on(signals, regime, latch, rules)
    }
    span = [str(RANGES[0][0]), str(RANGES[-1][1])]
    print(json.dumps({"span": span, "days": looked_at, "held": rows, "absent": absent}, indent=1))


if __name__ == "__main__":
    main()
