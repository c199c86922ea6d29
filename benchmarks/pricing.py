"""How fast and how exactly options are priced, beside the libraries that do the same work.

Prints one JSON document. Speed: for each of 20,000 out-of-the-money quotes the implied vol, then
five greeks (here delta, gamma, vega, theta and vanna; each peer the five that it offers for a whole
column), on one thread, all in the same run on the same quotes. Exactness: vols of prices that were
computed to sixty digits and rounded once, by region; a vol that is off by more than a millionth, or
missing, counts as failed. Peers (the dependency group ``bench``) that are not installed are named
under ``not_installed``.
"""

import importlib.util
import json
import math
import os
import statistics
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy is imported

import numpy as np
import QuantLib

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from strategies.pricing import black76
from strategies.pricing.arbitrage import surface_violations
from strategies.pricing.implied_vol import implied_greeks, implied_vol
from strategies.pricing.shock_table import shock_table
from strategies.pricing.valuation import Valuer
from strategies.pricing.vix_index import vix_index
from tests.builders import (
    TODAY,
    VX_CURVE,
    condor_legs,
    condor_position,
    hedge_position,
    market_quotes,
    spx_chain,
    vix_chain,
)

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


def in_turn(works: dict[str, Callable[[], object]], rounds: int = 15) -> dict[str, list[float]]:
    """Return the durations of every work, one run of each a round, so that all meet the same load.

    A work that takes less than a few milliseconds is run three times a round and counts its median.
    """
    durations: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            durations[name].append(median_seconds(work, 3 if name == "ours" else 1))
    return durations


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
    return implied_greeks(price, forward, strike, t_years, discount, is_call, RATE)


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
        each.rho(t_years)
        vols.append(deviation / math.sqrt(t_years))
    return np.array(vols)


Chain = tuple[np.ndarray, ...]  # undiscounted price, forward, strike, years, is_call


def iv_engine_vols(chain: Chain) -> np.ndarray:
    """Return the vols by iv-engine on one thread; NaN where it refuses."""
    import iv_engine

    price, forward, strike, t_years, is_call = chain
    vols = np.empty(len(price))
    for right in (True, False):
        rows = is_call == right
        columns = (each[rows] for each in (price, forward, strike, t_years))
        vols[rows] = iv_engine.implied_volatilities(*columns, right, False)
    return vols


def iv_engine_work(chain: Chain) -> Callable[[], None]:
    """Return vols, deltas, gammas, vegas, vannas and vommas by iv-engine on one thread.

    It takes one right a call: the rows are parted before the clock runs.
    """
    import iv_engine

    *floats, is_call = chain
    parts = [
        (right, [np.ascontiguousarray(each[is_call == right]) for each in floats])
        for right in (True, False)
    ]

    def work() -> None:
        for right, (price, forward, strike, t_years) in parts:
            vol = iv_engine.implied_volatilities(price, forward, strike, t_years, right, False)
            terms = (forward, strike, t_years, vol)
            iv_engine.deltas(*terms, right, False)
            iv_engine.gammas(*terms, False)
            iv_engine.vegas(*terms, False)
            iv_engine.vannas(*terms, False)
            iv_engine.vommas(*terms, False)

    return work


def jaeckel_vols(chain: Chain) -> np.ndarray:
    """Return the vols by fast-vollib in its Jaeckel mode."""
    from fast_vollib.jackel import jackel_iv_black

    return jackel_iv_black(*chain)


def halley_vols(chain: Chain) -> np.ndarray:
    """Return the vols by fast-vollib in its fastest mode, by Halley's method."""
    from fast_vollib.backends import numpy_backend

    price, forward, strike, t_years, is_call = chain
    flags, no_rate = np.where(is_call, "c", "p"), np.zeros(len(price))
    return numpy_backend.implied_volatility(
        "black", price, forward, strike, t_years, no_rate, flags, on_error="ignore"
    )


def fast_vollib_work(chain: Chain, vols: Callable[[Chain], np.ndarray]) -> Callable[[], None]:
    """Return vols, then delta, gamma, theta, rho and vega, by fast-vollib."""
    from fast_vollib.backends import numpy_backend

    _, forward, strike, t_years, is_call = chain
    flags, rate = np.where(is_call, "c", "p"), np.full(len(forward), RATE)

    def work() -> None:
        numpy_backend.greeks("black", flags, forward, strike, t_years, rate, vols(chain))

    return work


def work_of(name: str, chain: Chain) -> Callable[[], None]:
    """Return what one peer does for vols and five greeks."""
    if name == "iv_engine_serial":
        return iv_engine_work(chain)
    return fast_vollib_work(chain, vols_of_peers()[name])


def slower(rounds: dict[str, list[float]], name: str) -> float:
    """Return the median over the rounds of a peer's duration over ours."""
    pairs = zip(rounds[name], rounds["ours"], strict=True)
    return round(statistics.median(theirs / own for theirs, own in pairs), 2)


def our_vols(chain: Chain) -> np.ndarray:
    """Return our vols; NaN where refused."""
    price, forward, strike, t_years, is_call = chain
    found = implied_vol(price, forward, strike, t_years, 1.0, is_call)
    return np.where(found.ok, found.vol, np.nan)


def vols_of_peers() -> dict[str, Callable[[Chain], np.ndarray]]:
    """Return what computes vols, by name of the peers that are installed."""
    peers: dict[str, Callable[[Chain], np.ndarray]] = {}
    if importlib.util.find_spec("iv_engine"):
        peers["iv_engine_serial"] = iv_engine_vols
    if importlib.util.find_spec("fast_vollib"):
        peers["fast_vollib_jaeckel"] = jaeckel_vols
        peers["fast_vollib_halley"] = halley_vols
    return peers


def speed() -> dict[str, object]:
    """Return all durations, their ratios and the errors of the vols."""
    forward, strike, t_years, discount, is_call, vol, price = quotes()
    lists = [each.tolist() for each in (strike, t_years, discount, is_call, price)]
    found = ours(forward, strike, t_years, discount, is_call, price)
    assert found.ok.all()
    reference = quantlib(forward, *lists)
    vols_s = median_seconds(
        lambda: implied_vol(price, forward, strike, t_years, discount, is_call), 61
    )
    their_s = median_seconds(lambda: quantlib(forward, *lists), 3)
    chain = (price / discount, np.full(QUOTES, forward), strike, t_years, is_call)
    rounds = in_turn(
        {
            "ours": lambda: ours(forward, strike, t_years, discount, is_call, price),
            **{name: work_of(name, chain) for name in vols_of_peers()},
        }
    )
    our_s = statistics.median(rounds["ours"])
    peers = {}
    for name, vols in vols_of_peers().items():
        with np.errstate(all="ignore"):
            error = float(np.nanmax(np.abs(vols(chain) - vol)))
        peers[name] = {
            "ms": round(1e3 * statistics.median(rounds[name]), 3),
            "times_slower_than_ours": slower(rounds, name),
            "vol_error_max": error,
        }
    return {
        "quotes": QUOTES,
        "implied_vol_ms": round(1e3 * vols_s, 3),
        "implied_vol_and_greeks_ms": round(1e3 * our_s, 3),
        "quantlib_loop_ms": round(1e3 * their_s, 3),
        "times_faster_than_quantlib": round(their_s / our_s, 1),
        "vol_error_max": float(np.abs(found.vol - vol).max()),
        "quantlib_vol_error_max": float(np.abs(reference - vol).max()),
        "peers": peers,
    }


def wings() -> dict[str, object]:
    """Return how long as many quotes take that reach nine deviations from the money."""
    generator = np.random.default_rng(11)
    deviation = np.exp(generator.uniform(math.log(0.01), 0.0, QUOTES))
    side = np.where(generator.random(QUOTES) < 0.6, -1.0, 1.0)
    forward = np.full(QUOTES, 3250.0)
    strike = forward * np.exp(side * generator.uniform(0.0, 9.0, QUOTES) * deviation)
    vol = generator.uniform(0.1, 1.0, QUOTES)
    t_years, is_call = (deviation / vol) ** 2, strike >= forward
    price = black76.price(forward, strike, t_years, vol, 1.0, is_call)
    chain = (price, forward, strike, t_years, is_call)
    works: dict[str, Callable[[], object]] = {
        "ours": lambda: ours(forward, strike, t_years, 1.0, is_call, price),
        **{name: work_of(name, chain) for name in vols_of_peers()},
    }
    with np.errstate(all="ignore"):
        rounds = in_turn(works)
    report: dict[str, object] = {
        name: {
            "ms": round(1e3 * statistics.median(rounds[name]), 3),
            "times_slower_than_ours": slower(rounds, name),
        }
        for name in works
    }
    return {"wings_to_nine_deviations": report}


# Out of the money: range of |ln(K/F)| / s and of s = vol sqrt(T)
REGIONS = {
    "at the money": ((0.0, 0.5), (0.01, 1.0)),
    "half to three deviations": ((0.5, 3.0), (0.01, 1.0)),
    "three to nine deviations": ((3.0, 9.0), (0.01, 1.0)),
    "nine to thirty-seven deviations": ((9.0, 37.0), (0.01, 0.5)),
    "high vol (s 1 to 6)": ((0.0, 1.0), (1.0, 6.0)),
    "last minutes (s 0.00001 to 0.01)": ((0.0, 6.0), (1e-5, 1e-2)),
}
DRAWS = 150


def exact_price(forward, strike, t_years, vol, is_call) -> float:
    """Return the undiscounted price to sixty digits, rounded once."""
    import mpmath

    with mpmath.workdps(60):
        forward, strike, t_years, vol = map(mpmath.mpf, (forward, strike, t_years, vol))
        deviation = vol * mpmath.sqrt(t_years)
        d1 = mpmath.log(forward / strike) / deviation + deviation / 2
        sign = 1 if is_call else -1
        near, far = mpmath.ncdf(sign * d1), mpmath.ncdf(sign * (d1 - deviation))
        return float(sign * (forward * near - strike * far))


def exactness() -> dict[str, object]:
    """Return largest absolute errors of vols and counts of failures, by region and library."""
    if not importlib.util.find_spec("mpmath"):
        return {}
    generator = np.random.default_rng(3)
    table = {}
    for region, (distances, deviations) in REGIONS.items():
        deviation = np.exp(generator.uniform(*np.log(deviations), DRAWS))
        side = np.where(generator.random(DRAWS) < 0.5, 1.0, -1.0)
        forward = np.full(DRAWS, 3250.0)
        strike = forward * np.exp(side * generator.uniform(*distances, DRAWS) * deviation)
        vol = generator.uniform(0.1, 1.5, DRAWS)
        t_years, is_call = (deviation / vol) ** 2, strike >= forward
        terms = zip(forward, strike, t_years, vol, is_call, strict=True)
        price = np.array([exact_price(*each) for each in terms])
        chain = (price, forward, strike, t_years, is_call)
        row = {"lowest_price": float(price.min())}
        for name, vols in {"ours": our_vols, **vols_of_peers()}.items():
            with np.errstate(all="ignore"):
                error = np.abs(vols(chain) - vol)
                failed = ~(error < 1e-6)
            row[name] = {
                "vol_error_max": float(error[~failed].max(initial=0.0)),
                "failed_share": round(float(failed.mean()), 3),
            }
        table[region] = row
    return {"exactness_against_mpmath": table}


def not_installed() -> list[str]:
    """Return the packages of the dependency group ``bench`` that are not there."""
    names = {"iv-engine": "iv_engine", "fast-vollib": "fast_vollib", "mpmath": "mpmath"}
    return [name for name, module in names.items() if not importlib.util.find_spec(module)]


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

    condors = [condor_position(legs) for _ in range(10)]
    hedges = [hedge_position("VIX 18MAR20 22 C", 10), hedge_position("VX 15APR20", 1)]
    table = shock_table(built, condors, hedges)
    assert table is not None

    def thousand(work: Callable[[], object]) -> Callable[[], None]:
        def run() -> None:
            for _ in range(1000):
                work()

        return run

    return {
        "spx_quotes": 2 * spx_rows,
        "vix_quotes": 2 * vix_rows,
        "valuer_build_ms": round(1e3 * median_seconds(build, 50), 3),
        "shock_table_cells": int(table.book_usd.size),
        "shock_table_of_ten_condors_ms": round(
            1e3 * median_seconds(lambda: shock_table(built, condors, hedges), 20), 3
        ),
        "fit_quality_ms": round(1e3 * median_seconds(lambda: built.spx.quality, 20), 3),
        "arbitrage_checks_ms": round(
            1e3 * median_seconds(lambda: surface_violations(built.spx, one_underlying=True), 20),
            3,
        ),
        "vix_index_ms": round(
            1e3 * median_seconds(lambda: vix_index(market.spx_options, market.at, RATE), 20), 3
        ),
        "option_us": round(
            1e3 * median_seconds(thousand(lambda: built.option(legs.short_put)), 5), 2
        ),
        "condor_us": round(1e3 * median_seconds(thousand(lambda: built.condor(legs)), 5), 2),
    }


if __name__ == "__main__":
    report = {
        "benchmark": "pricing",
        "not_installed": not_installed(),
        **speed(),
        **wings(),
        **valuer(),
        **exactness(),
    }
    print(json.dumps(report, indent=2))
