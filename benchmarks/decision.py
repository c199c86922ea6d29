"""How long one whole decision takes, how that grows, and a peer's time for a part of it, as JSON.

``python -m benchmarks.decision`` measures; ``--write`` renews the figures of ``docs/speed.md``. One
decision is ``strategies.decide.decide`` on a market of 20,000 SPX and 1,000 VIX option quotes and
nine futures, with an entry due and a book of 60 condors and 40 hedge lots: surfaces, signals,
exits, entry, hedge, governors, measures before and after, and the digest that makes the plan's id.
No two in a row see the same market. One thread on one core. The peer is QuantLib, which solves the
vol of each of the chain's out-of-the-money quotes and works out five greeks, one by one: less than
what a decision does with them, and without deciding anything.
"""

import json
import os
import re
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy is imported
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.large_market import (
    FUTURES,
    SESSION,
    LargeMarket,
    account,
    own_history,
    with_condors,
)
from benchmarks.pricing import quantlib
from strategies.decide import decide
from strategies.model.book import Book
from strategies.model.memory import Memory, RegimeMemory
from strategies.model.rules import Rules
from strategies.model.snapshots import MarketSnapshot
from strategies.pricing.valuation import Valuer

PAGE = Path(__file__).resolve().parents[1] / "docs" / "speed.md"
SPX_QUOTES, VIX_QUOTES, CONDORS, LOTS = 20_000, 1_000, 60, 40
QUOTE_COUNTS = (2_500, 5_000, 10_000, 20_000, 40_000)
CONDOR_COUNTS = (0, 15, 30, 60, 120)
MARKETS = 8  # taken in turn
DECISIONS, CURVE_DECISIONS, PEER_ROUNDS = 201, 15, 3
TESTED_DECISIONS = 41
TARGET_MS, TESTED_LIMIT_MS = 30.0, 40.0
BAR = 40  # characters of the longest


def durations(work: Callable[[int], object], count: int) -> list[float]:
    """Return the milliseconds of so many calls, after two to warm up."""
    work(0)
    work(1)
    found = []
    for number in range(count):
        started = time.perf_counter()
        work(number)
        found.append(1e3 * (time.perf_counter() - started))
    return found


def deciding(markets: list[MarketSnapshot], book: Book) -> Callable[[int], object]:
    """Return a decision on one market after the other, with the memory of one made before."""
    rules, worth = Rules(), account()
    _, memory = decide(markets[-1], book, worth, Memory(), rules)
    return lambda number: decide(markets[number % len(markets)], book, worth, memory, rules)


def peer_ms(market: MarketSnapshot) -> tuple[int, float]:
    """Return the out-of-the-money quotes and how long QuantLib takes for their vols and greeks."""
    valuer = Valuer(market.market, SESSION)
    quoted, forwards = valuer.spx.quoted, valuer.spx.forwards
    series = quoted.series
    forward, discount = forwards.forward[series], forwards.discount[series]
    t_years = forwards.t_years[series]
    strike = forward * np.exp(quoted.log_moneyness)
    chain = market.market.spx_options
    row = chain.row_starts[series]
    mids = []
    for n, first in enumerate(row.tolist()):
        rows = chain.strike[first : chain.row_starts[series[n] + 1]]
        at = first + int(np.abs(rows - strike[n]).argmin())
        column = int(quoted.is_call[n])
        mids.append(0.5 * float(chain.bid[at, column] + chain.ask[at, column]))
    durations = []
    for _ in range(PEER_ROUNDS):
        spent = 0.0
        for index in np.unique(series).tolist():
            own = series == index
            columns = [
                each[own].tolist()
                for each in (strike, t_years, discount, quoted.is_call, np.array(mids))
            ]
            started = time.perf_counter()
            quantlib(float(forwards.forward[index]), *columns)
            spent += 1e3 * (time.perf_counter() - started)
        durations.append(spent)
    return len(series), statistics.median(durations)


def with_tested_condors(large: LargeMarket) -> dict[str, object]:
    """Return the CPU time of decisions in which every condor of the book is tested (C10, C11).

    CPU time and not the clock's, as rolls are many small steps that a busy machine interrupts.
    """
    markets = [large.snapshot(spx_quotes=SPX_QUOTES, number=n) for n in range(MARKETS)]
    book = large.book(markets[0], condors=CONDORS, lots=LOTS, tested=True)
    rules, worth = Rules(), account()
    found: dict[str, object] = {"condors": CONDORS, "limit_ms": TESTED_LIMIT_MS}
    for name, spike in (("quiet", False), ("spike", True)):
        memory = Memory(session=SESSION, regime=RegimeMemory(spike=spike))
        plan, _ = decide(markets[0], book, worth, memory, rules)
        assert (plan.regime["R3"] == "spike") is spike, "what was asked for"
        busy = []
        for n in range(TESTED_DECISIONS):
            started = time.process_time()
            decide(markets[n % MARKETS], book, worth, memory, rules)
            busy.append(1e3 * (time.process_time() - started))
        found[name] = {
            "cpu_ms": round(statistics.median(busy), 1),
            "rolls": len(plan.adjusts),
            "gates": len(plan.gates),
        }
    return found


def headline(large: LargeMarket) -> dict[str, object]:
    """Return the durations of the decision all is about, beside the peer's."""
    markets = [large.snapshot(spx_quotes=SPX_QUOTES, number=n) for n in range(MARKETS)]
    book = large.book(markets[0], condors=CONDORS, lots=LOTS)
    assert 2 * len(markets[0].market.vix_options.strike) == VIX_QUOTES
    busy = time.process_time()
    with_entry = durations(deciding(markets, book), DECISIONS)
    busy = 1e3 * (time.process_time() - busy) / (DECISIONS + 3)  # warmed up by three
    quiet = [replace(market, entry_due=False) for market in markets]
    without = durations(deciding(quiet, book), DECISIONS // 4)
    cold = []
    for n in range(5):
        market = replace(markets[n], history=own_history(large.history))
        decision = deciding([markets[-1]], book)
        decision(0)
        started = time.perf_counter()
        decide(market, book, account(), Memory(), Rules())
        cold.append(1e3 * (time.perf_counter() - started))
    quotes, peer = peer_ms(markets[0])
    median = statistics.median(with_entry)
    return {
        "decision_ms": _summary(with_entry),
        "decision_cpu_ms_mean": round(busy, 2),  # beside the median it tells a busy machine
        "without_an_entry_ms": _summary(without),
        "first_of_a_session_ms": round(statistics.median(cold), 1),
        "quantlib": {
            "quotes": quotes,
            "ms": round(peer, 1),
            "times_a_decision": round(peer / median, 1),
        },
        "target_ms": TARGET_MS,
        "is_within_target": median < TARGET_MS,
    }


def cost_curve(large: LargeMarket) -> dict[str, object]:
    """Return medians over quotes and condors, and the plane through them."""
    most = max(CONDOR_COUNTS)
    points = []
    for quotes in QUOTE_COUNTS:
        markets = [large.snapshot(spx_quotes=quotes, number=n) for n in range(3)]
        whole = large.book(markets[0], condors=most, lots=LOTS)
        for condors in CONDOR_COUNTS:
            work = deciding(markets, with_condors(whole, condors))
            median = statistics.median(durations(work, CURVE_DECISIONS))
            points.append((quotes, condors, median))
    table = np.array(points)
    design = np.column_stack([np.ones(len(table)), table[:, 0] / 1000.0, table[:, 1]])
    plane, *_ = np.linalg.lstsq(design, table[:, 2], rcond=None)
    rest = table[:, 2] - design @ plane
    r_squared = 1.0 - float(rest @ rest) / float(((table[:, 2] - table[:, 2].mean()) ** 2).sum())
    return {
        "points": [
            {"spx_quotes": quotes, "condors": condors, "median_ms": round(ms, 2)}
            for quotes, condors, ms in points
        ],
        "fit": {
            "fixed_ms": round(float(plane[0]), 2),
            "ms_per_1000_quotes": round(float(plane[1]), 3),
            "ms_per_condor": round(float(plane[2]), 4),
            "r_squared": round(r_squared, 4),
            "worst_miss_ms": round(float(np.abs(rest).max()), 2),
        },
    }


def _summary(values: list[float]) -> dict[str, float]:
    return {
        "median": round(statistics.median(values), 2),
        "p95": round(float(np.quantile(values, 0.95)), 2),
        "decisions": len(values),
    }


# --- the page -------------------------------------------------------------------------------------


def page_block(report: dict[str, object]) -> str:
    """Return the measured part of ``docs/speed.md``."""
    decision, quiet = report["decision_ms"], report["without_an_entry_ms"]
    peer, fit = report["quantlib"], report["fit"]
    tested = report["tested"]
    rows = {
        f"a decision with an entry due, median of {decision['decisions']}": decision["median"],
        "95 of 100 are faster than": decision["p95"],
        "without an entry, median": quiet["median"],
        "the first of a session, nothing remembered": report["first_of_a_session_ms"],
        f"all {tested['condors']} condors tested, CPU": tested["quiet"]["cpu_ms"],
        "the same in a spike, CPU": tested["spike"]["cpu_ms"],
        f"QuantLib: vol and five greeks of {peer['quotes']:,} quotes": peer["ms"],
    }
    table = "\n".join(f"| {what} | {ms:.1f} |" for what, ms in rows.items())
    bars = "\n".join(plot(report["points"]))
    return f"""
| what | ms |
|---|---|
{table}

QuantLib takes {peer["times_a_decision"]:.1f} times as long as the whole decision for the vols and
greeks of its out-of-the-money quotes alone.

Median milliseconds by SPX quotes and condors in the book:

```text
{bars}
```

The plane through them is {fit["fixed_ms"]:.1f} ms, {fit["ms_per_1000_quotes"]:.2f} ms for each
1,000 quotes and {fit["ms_per_condor"]:.3f} ms for each condor: R^2 {fit["r_squared"]:.3f},
{fit["worst_miss_ms"]:.1f} ms off at the worst point.
""".strip()


def plot(points: list[dict[str, float]]) -> list[str]:
    """Return one bar a point."""
    longest = max(point["median_ms"] for point in points)
    lines = ["quotes  condors      ms"]
    for point in points:
        bar = "#" * max(1, round(BAR * point["median_ms"] / longest))
        lines.append(
            f"{point['spx_quotes']:6,d}  {point['condors']:7d}  {point['median_ms']:6.1f}  {bar}"
        )
    return lines


def main() -> None:
    """Print, and write if asked to."""
    large = LargeMarket()
    report: dict[str, object] = {
        "benchmark": "decision",
        "spx_quotes": SPX_QUOTES,
        "vix_quotes": VIX_QUOTES,
        "futures": FUTURES,
        "condors": CONDORS,
        "hedge_lots": LOTS,
        "sessions_of_history": len(large.history.session),
        **headline(large),
        "tested": with_tested_condors(large),
        **cost_curve(large),
    }
    print(json.dumps(report, indent=2))
    if "--write" in sys.argv[1:]:
        marked = re.compile(r"(<!-- measured -->\n).*?(\n<!-- end -->)", flags=re.DOTALL)
        page = PAGE.read_text()
        assert marked.search(page), "docs/speed.md has no markers"
        block = page_block(report)
        PAGE.write_text(marked.sub(lambda found: found[1] + block + found[2], page))


if __name__ == "__main__":
    main()
