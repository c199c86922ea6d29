"""How fast the replayed market answers, and how big its chains are, as JSON.

``python -m benchmarks.market``. Replays February to April 2020.
"""

import json
import time as clock
from datetime import date, time, timedelta
from decimal import Decimal

import numpy as np

from bot.calendars.build import build_calendar
from bot.exchange.replay import ReplayMarket
from bot.exchange.synthetic import SyntheticMarket
from bot.history.store import History
from strategies.model.calendars import at_exchange
from strategies.model.instruments import OptionContract, Right

FIRST, LAST = date(2020, 2, 3), date(2020, 4, 30)


def milliseconds(action) -> float:
    """Return how long one call takes."""
    began = clock.perf_counter()
    action()
    return 1e3 * (clock.perf_counter() - began)


def main() -> None:
    """Print medians and worst cases."""
    calendar, history = build_calendar(date(2018, 1, 1), date(2021, 12, 31)), History.bundled()
    made = milliseconds(lambda: ReplayMarket(history, calendar, first=FIRST, last=LAST, seed=1))
    market = ReplayMarket(history, calendar, first=FIRST, last=LAST, seed=1)
    sessions = calendar.sessions_between(FIRST, LAST)
    first_calls, calls, legs, sizes = [], [], [], []
    for session in sessions:
        at = at_exchange(session, time(10, 0))
        first_calls.append(milliseconds(lambda at=at: market.quotes_at(at)))
        for step in range(1, 10):
            later = at + timedelta(minutes=15 * step)
            calls.append(milliseconds(lambda later=later: market.quotes_at(later)))
        chain = market.quotes_at(at).spx_options
        sizes.append(2 * len(chain.strike))
        row = len(chain.strike) // 2
        series = chain.series[chain.series_index[row]]
        strike = OptionContract(
            series.root, series.expiry, Right.PUT, Decimal(repr(float(chain.strike[row])))
        )
        for step in range(1, 60):
            tick = at + timedelta(seconds=10 * step)
            legs.append(milliseconds(lambda tick=tick, leg=strike: market.quote(leg, tick)))
    world = milliseconds(lambda: SyntheticMarket(calendar, first=FIRST, last=LAST, seed=1))
    report = {
        "replay_made_ms": made,
        "synthetic_made_ms": world,
        "first_call_of_a_session_ms": _summary(first_calls),
        "whole_market_ms": _summary(calls),
        "one_option_ms": _summary(legs),
        "spx_quotes": {"least": min(sizes), "median": float(np.median(sizes)), "most": max(sizes)},
    }
    print(json.dumps(report, indent=2))


def _summary(values: list[float]) -> dict[str, float]:
    return {
        "median": round(float(np.median(values)), 3),
        "p95": round(float(np.quantile(values, 0.95)), 3),
    }


if __name__ == "__main__":
    main()
