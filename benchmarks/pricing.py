"""How fast options are priced: implied vols and greeks beside QuantLib, and a Valuer's building.

Prints one JSON document. Both sides of the ratio do the same work on the same quotes in this run:
for each of 20,000 out-of-the-money quotes the implied vol, then delta, gamma, vega and theta.
"""

import json
import math
import statistics
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import QuantLib

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from strategies.pricing import black76
from strategies.pricing.implied_vol import implied_vol
from strategies.pricing.valuation import Valuer
from tests.builders import TODAY, VX_CURVE, condor_legs, market_quotes, spx_chain, vix_chain

QUOTES = 20_000
RATE = 0.02
SERIES_DAYS = (2, 4, 7, 9, 11, 14, 16, 18, 21, 25, 28, 32, 35, 39, 46, 53, 60, 74, 95, 130)


def median_seconds(work: Callable[[], object], repeats: int) -> float:
    """Return the median duration of ``work`` over so many runs, after one to warm up."""
    work()
    durations = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        durations.append(time.perf_counter() - started)
    return statistics.median(durations)


def quotes():
    """Return forward, strikes, years, discounts, rights, true vols and prices of the quotes."""
    generator = np.random.default_rng(7)
    forward = 3250.0
    strike = forward * np.exp(generator.uniform(-0.25, 0.15, 2 * QUOTES))
    t_years = generator.uniform(0.02, 0.5, 2 * QUOTES)
    vol = generator.uniform(0.12, 0.6, 2 * QUOTES)
    discount = np.exp(-RATE * t_years)
    is_call = strike >= forward
    price = black76.price(forward, strike, t_years, vol, discount, is_call)
    rows = np.flatnonzero(price > 0.05)[:QUOTES]
    assert len(rows) == QUOTES
    columns = (strike, t_years, discount, is_call, vol, price)
    return forward, *(each[rows] for each in columns)


def ours(forward, strike, t_years, discount, is_call, price):
    """Return vols and greeks of all quotes at once."""
    found = implied_vol(price, forward, strike, t_years, discount, is_call)
    greeks = black76.greeks(forward, strike, t_years, found.vol, discount, is_call, RATE)
    return found, greeks


def quantlib(forward, strikes, years, discounts, rights, prices):
    """Return the vol of each quote after its greeks, one by one."""
    vols = []
    rows = zip(strikes, years, discounts, rights, prices, strict=True)
    for strike, t_years, discount, is_call, price in rows:
        right = QuantLib.Option.Call if is_call else QuantLib.Option.Put
        deviation = QuantLib.blackFormulaImpliedStdDev(
            right, strike, forward, price, discount, 0.0, 0.1, 1e-12, 200
        )
        each = QuantLib.BlackCalculator(
            QuantLib.PlainVanillaPayoff(right, strike), forward, deviation, discount
        )
        each.deltaForward()
        each.gammaForward()
        each.vega(t_years)
        each.theta(forward, t_years)
        vols.append(deviation / math.sqrt(t_years))
    return np.array(vols)


def against_quantlib() -> dict[str, float]:
    """Return both durations, their ratio and the errors of the vols."""
    forward, strike, t_years, discount, is_call, vol, price = quotes()
    lists = [each.tolist() for each in (strike, t_years, discount, is_call, price)]
    found, _ = ours(forward, strike, t_years, discount, is_call, price)
    assert found.ok.all()
    reference = quantlib(forward, *lists)
    our_s = median_seconds(lambda: ours(forward, strike, t_years, discount, is_call, price), 15)
    their_s = median_seconds(lambda: quantlib(forward, *lists), 3)
    return {
        "quotes": QUOTES,
        "implied_vol_and_greeks_ms": round(1e3 * our_s, 3),
        "quantlib_loop_ms": round(1e3 * their_s, 3),
        "times_faster_than_quantlib": round(their_s / our_s, 1),
        "vol_error_max": float(np.abs(found.vol - vol).max()),
        "quantlib_vol_error_max": float(np.abs(reference - vol).max()),
    }


def valuer() -> dict[str, float]:
    """Return how long a Valuer takes to build, and to answer."""
    market = market_quotes(
        spx_options=spx_chain(days=SERIES_DAYS, strikes=np.linspace(2600, 3500, 60) // 5 * 5),
        vix_options=vix_chain(
            curve=VX_CURVE,
            strikes=np.concatenate([np.arange(10, 25, 0.5), np.arange(25, 53, 1.0)]),
        ),
    )
    spx_rows, vix_rows = len(market.spx_options.strike), len(market.vix_options.strike)

    def build() -> Valuer:
        built = Valuer(market, TODAY)
        for underlying in ("SPX", "VIX"):
            built.options_in_series(underlying, 0)
        return built

    built = build()
    expiry = market.spx_options.series[14].expiry
    assert expiry > date(2020, 3, 1)
    strikes = market.spx_options.strike[market.spx_options.rows_of(14)].astype(int).tolist()
    low_put, put, call, high_call = (strikes[n] for n in (30, 31, 50, 51))
    legs = condor_legs(f"SPXW {expiry:%d%b%y} {low_put}/{put}/{call}/{high_call}")
    assert built.condor(legs) is not None

    def thousand(work: Callable[[], object]) -> Callable[[], None]:
        def run() -> None:
            for _ in range(1000):
                work()

        return run

    return {
        "spx_quotes": 2 * spx_rows,
        "vix_quotes": 2 * vix_rows,
        "valuer_build_ms": round(1e3 * median_seconds(build, 50), 3),
        "option_us": round(
            1e3 * median_seconds(thousand(lambda: built.option(legs.short_put)), 5), 2
        ),
        "condor_us": round(1e3 * median_seconds(thousand(lambda: built.condor(legs)), 5), 2),
    }


if __name__ == "__main__":
    print(json.dumps({"benchmark": "pricing", **against_quantlib(), **valuer()}, indent=2))
