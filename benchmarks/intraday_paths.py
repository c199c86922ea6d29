"""What replayed paths look like within the day and what they give away of its rest, as JSON.

``python -m benchmarks.intraday_paths [--first 2016-01-04] [--last 2025-12-31] [--every 6]
[--seeds 3] [--recorded folder]``. With a folder of recorded bars (``spx_5min.csv.gz``) the figures
of SPX are shown of them too.
"""

import argparse
import csv
import gzip
import json
import math
from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Final

import numpy as np

from bot.calendars.build import build_calendar
from bot.exchange.facts import read_facts
from bot.exchange.replay import ReplayMarket
from bot.exchange.residuals import ELASTICITIES, future_deviation, index_deviation
from bot.history.store import History
from strategies.model.calendars import TradingCalendar, at_exchange
from strategies.model.quotes import FloatArray
from strategies.pricing.factor_vega import future_beta

OPENS, SEEN_AT, CLOSES = time(9, 30), time(9, 45), time(16, 0)
QUARTERS: Final = 26  # of an hour, in a session
FUTURES: Final = 6  # months looked at


def main() -> None:
    """Print the figures of each seed and of all together."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=date.fromisoformat, default=date(2016, 1, 4))
    parser.add_argument("--last", type=date.fromisoformat, default=date(2025, 12, 31))
    parser.add_argument("--every", type=int, default=6, help="sessions")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--recorded", type=Path)
    arguments = parser.parse_args()
    history = History.bundled()
    calendar = build_calendar(date(2007, 1, 1), date(2027, 12, 31))
    sessions = whole_sessions(calendar, arguments.first, arguments.last)[:: arguments.every]
    residuals, returns = defaultdict(list), []
    for seed in range(arguments.seeds):
        market = ReplayMarket(
            history, calendar, first=arguments.first, last=arguments.last, seed=seed
        )
        for name, pairs in residuals_seen_and_to_come(market, history, sessions).items():
            residuals[name].append(pairs)
        returns.append(quarter_hour_returns(market, sessions))
    report: dict[str, object] = {
        "sessions": len(sessions),
        "spx": [of_returns(each) for each in returns],
        "residuals_seen_and_to_come": {
            name: {
                "each_seed": [round(rank_correlation(each), 3) for each in draws],
                "all": round(rank_correlation(np.concatenate(draws)), 3),
            }
            for name, draws in residuals.items()
        },
    }
    if arguments.recorded:
        report["recorded_spx"] = of_returns(recorded_returns(arguments.recorded))
    print(json.dumps(report, indent=2))


def whole_sessions(calendar: TradingCalendar, first: date, last: date) -> list[date]:
    """Return the sessions without an early close."""
    return [
        session
        for session in calendar.sessions_between(first, last)
        if calendar.equities_close_at(session) == at_exchange(session, CLOSES)
    ]


def residuals_seen_and_to_come(
    market: ReplayMarket, history: History, sessions: Sequence[date]
) -> dict[str, FloatArray]:
    """Return what VIX does not explain until 09:45 and from there to the close, (n, 2).

    By what it is of, in units of the usual deviation on such a day. Futures begin at yesterday's
    settlement, indices at the open.
    """
    found = defaultdict(list)
    for session in sessions:
        facts = read_facts(history, session, market.calendar.previous_session(session))
        opens, last = market.calendar.opens_at(session), market.calendar.closes_at(session)
        early, ends = at_exchange(session, SEEN_AT), at_exchange(session, CLOSES)
        vix = {at: market.index_at("VIX", at) for at in (opens, early, ends, last)}
        mids = [_future_mids(market, at) for at in (early, ends)]
        for rank, future in enumerate(facts.futures[:FUTURES]):
            days = float((future.expiry - session).days)
            prices = [future.settle_before, *(mid[future.expiry] for mid in mids)]
            lead = [facts.vix_before, vix[early], vix[ends]]
            beta = float(future_beta(days))
            unexplained = np.diff(np.array(prices) - beta * np.array(lead))
            usual = future_deviation(days, facts.vix, facts.vix_before)
            found["VX 1-2" if rank < 2 else "VX 3-6"].append(unexplained / usual)
        logs = np.diff([math.log(vix[at]) for at in (opens, early, last)])
        for name in facts.followers:
            moves = np.diff([math.log(market.index_at(name, at)) for at in (opens, early, last)])
            unexplained = moves - ELASTICITIES[name] * logs
            found[name].append(unexplained / index_deviation(name, facts.vix))
    return {name: np.array(pairs) for name, pairs in found.items()}


def rank_correlation(pairs: FloatArray) -> float:
    """Return the correlation of ranks of two columns: one wild day does not decide."""
    ranks = pairs.argsort(axis=0).argsort(axis=0)
    return float(np.asarray(np.corrcoef(ranks.T))[0, 1])


def quarter_hour_returns(market: ReplayMarket, sessions: Sequence[date]) -> FloatArray:
    """Return log returns of SPX from the open to the close, (sessions, 26)."""
    steps = [timedelta(minutes=15 * step) for step in range(QUARTERS + 1)]
    paths = [
        [market.index_at("SPX", at_exchange(session, OPENS) + step) for step in steps]
        for session in sessions
    ]
    returns: FloatArray = np.diff(np.log(np.array(paths)), axis=1)
    return returns


def recorded_returns(folder: Path) -> FloatArray:
    """Return the same of recorded five-minute bars, on days without gaps."""
    bars: dict[str, dict[int, float]] = defaultdict(dict)
    with gzip.open(folder / "spx_5min.csv.gz", "rt") as lines:
        for row in csv.DictReader(lines):
            began = datetime.fromisoformat(row["time_ny"])
            minute = 60 * began.hour + began.minute
            day = bars[row["time_ny"][:10]]
            day.setdefault(minute, float(row["open"]))
            day[minute + 5] = float(row["close"])
    grid = [60 * OPENS.hour + OPENS.minute + 15 * step for step in range(QUARTERS + 1)]
    whole = [[day[at] for at in grid] for day in bars.values() if all(at in day for at in grid)]
    returns: FloatArray = np.diff(np.log(np.array(whole)), axis=1)
    return returns


def lag_one(returns: FloatArray) -> float:
    """Return the autocorrelation of neighbouring returns within the days, mean nought."""
    return float((returns[:, :-1] * returns[:, 1:]).sum() / (returns**2).sum())


def variance_ratio(returns: FloatArray) -> float:
    """Return the variance of whole days over the sum of those of their parts."""
    return float((returns.sum(axis=1) ** 2).sum() / (returns**2).sum())


def foretold(returns: FloatArray) -> float:
    """Return the rank correlation of the first return of a day with the sum of the others."""
    return rank_correlation(np.stack([returns[:, 0], returns[:, 1:].sum(axis=1)], axis=1))


def of_returns(returns: FloatArray) -> dict[str, float]:
    """Return the figures of one set of returns, (sessions, 26)."""
    return {
        "lag_1": round(lag_one(returns), 3),
        "variance_ratio": round(variance_ratio(returns), 3),
        "first_quarter_and_rest": round(foretold(returns), 3),
    }


def _future_mids(market: ReplayMarket, at: datetime) -> dict[date, float]:
    return {
        quote.contract.expiry: quote.quote.mid
        for quote in market.quotes_at(at).futures
        if quote.contract.root == "VX"
    }


if __name__ == "__main__":
    main()
