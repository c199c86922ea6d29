"""Whether decisions leave memory behind: what the process holds over 100,000 of them, as JSON.

``python -m benchmarks.memory`` prints; ``--write`` renews ``docs/speed.md``, ``--decisions`` makes
fewer. A small market and book, so that it ends within minutes; prices differ from decision to
decision, each decision is given the memory of the one before, and every 26 of them a new session
begins with a history of its own, so that what is remembered of a session is forgotten in turn.
After a tenth of the way a line is fitted through the resident memory and through the number of
blocks that the interpreter has allocated; the slopes are given with their standard errors.
"""

import argparse
import gc
import json
import os
import re
import sys
import time
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy is imported

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.large_market import LargeMarket, account, own_history
from strategies.decide import decide
from strategies.model.memory import Memory
from strategies.model.rules import Rules

PAGE = Path(__file__).resolve().parents[1] / "docs" / "speed.md"
STATM = Path("/proc/self/statm")
SPX_QUOTES, VIX_QUOTES, CONDORS, LOTS = 480, 108, 5, 6
DECISIONS, SAMPLES, DECISIONS_A_SESSION = 100_000, 200, 26
MARKETS = 16
WARM_UP = 0.1  # of all decisions: caches fill, the allocator settles


def resident_bytes() -> int:
    """Return the resident memory of this process."""
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def sampled(decisions: int) -> np.ndarray:
    """Return (samples, 3): decisions made, resident bytes, allocated blocks."""
    large = LargeMarket()
    markets = [
        large.snapshot(spx_quotes=SPX_QUOTES, vix_quotes=VIX_QUOTES, number=n, entry_due=n % 5 == 0)
        for n in range(MARKETS)
    ]
    book = large.book(markets[0], condors=CONDORS, lots=LOTS)
    rules, worth, memory = Rules(), account(), Memory()
    every = max(1, decisions // SAMPLES)
    rows = np.zeros((decisions // every, 3))  # made beforehand: it must not count as growth
    session = list(markets)
    for number in range(decisions):
        if number % DECISIONS_A_SESSION == 0:
            history = own_history(large.history)
            session = [replace(each, history=history) for each in markets]
        _, memory = decide(session[number % MARKETS], book, worth, memory, rules)
        if number % every == every - 1:
            gc.collect()
            rows[number // every] = number + 1, resident_bytes(), sys.getallocatedblocks()
    return rows


def slope(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Return the slope of a line through the points, and its standard error."""
    away = x - x.mean()
    spread = float(away @ away)
    found = float(away @ (y - y.mean())) / spread
    rest = y - y.mean() - found * away
    return found, float(np.sqrt(rest @ rest / (len(x) - 2) / spread))


def main() -> None:
    """Print, and write if asked to."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--decisions", type=int, default=DECISIONS)
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    started = time.perf_counter()
    table = sampled(asked.decisions)
    settled = table[table[:, 0] > WARM_UP * asked.decisions]
    resident, resident_error = slope(settled[:, 0], settled[:, 1])
    blocks, blocks_error = slope(settled[:, 0], settled[:, 2])
    report = {
        "benchmark": "memory",
        "decisions": asked.decisions,
        "seconds": round(time.perf_counter() - started, 1),
        "resident_mb": {
            "settled": round(float(settled[0, 1]) / 2**20, 1),
            "end": round(float(settled[-1, 1]) / 2**20, 1),
            "most": round(float(settled[:, 1].max()) / 2**20, 1),
        },
        "resident_bytes_a_decision": round(resident, 3),
        "resident_error": round(resident_error, 3),
        "blocks_a_decision": round(blocks, 6),
        "blocks_error": round(blocks_error, 6),
    }
    print(json.dumps(report, indent=2))
    if asked.write:
        marked = re.compile(r"(<!-- memory -->\n).*?(\n<!-- end -->)", flags=re.DOTALL)
        page = PAGE.read_text()
        assert marked.search(page), "docs/speed.md has no markers"
        block = page_block(report)
        PAGE.write_text(marked.sub(lambda found: found[1] + block + found[2], page))


def page_block(report) -> str:
    """Return the measured part of ``docs/speed.md``."""
    resident = report["resident_mb"]
    return f"""
{report["decisions"]:,} decisions: {resident["settled"]:.1f} MB resident once settled,
{resident["end"]:.1f} MB at the end, {resident["most"]:.1f} MB at most. The slope is
{report["resident_bytes_a_decision"]:.2f} +- {report["resident_error"]:.2f} bytes of resident memory
and {report["blocks_a_decision"]:.5f} +- {report["blocks_error"]:.5f} allocated blocks a decision.
""".strip()


if __name__ == "__main__":
    main()
