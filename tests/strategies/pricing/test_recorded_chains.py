"""Forwards and surfaces on recorded SPX and VIX chains; skipped where there are none."""

from datetime import date, time

import numpy as np
import pytest
from scipy.special import ndtr

from strategies.model.calendars import at_exchange
from strategies.pricing import black76
from strategies.pricing.forwards import future_forwards, parity_forwards
from strategies.pricing.implied_vol import implied_vol
from strategies.pricing.surface import fit_surface
from tests.strategies.pricing.recorded_chains import (
    rate_on,
    read_chain,
    spx_sessions,
    vx_settlements,
)

# One each of: the crash of 2020, a rising-rate winter, a quiet summer, and the latest
SESSIONS = ["2020-03-20", "2022-01-07", "2023-12-08", "2026-07-23"]


@pytest.fixture(scope="module", params=SESSIONS)
def recorded(request, shared_data):
    folder = shared_data / "spx_option_chains"
    session = date.fromisoformat(request.param)
    taken = dict(spx_sessions(folder))[session]
    chain = read_chain(folder / f"{session}.csv.gz", "SPX", session, taken)
    at = at_exchange(session, taken)
    forwards = parity_forwards(chain, at, rate_on(shared_data, session))
    return chain, forwards, fit_surface(chain, forwards)


def out_of_the_money(chain, forwards):
    """Vol, half the spread in vol, absolute delta, and which rows they are of."""
    forward = forwards.forward[chain.series_index]
    is_call = chain.strike >= forward
    column = is_call.astype(int)
    each = np.arange(len(column))
    bid, ask = chain.bid[each, column], chain.ask[each, column]
    rows = np.flatnonzero(forwards.ok[chain.series_index] & (bid > 0) & (ask >= bid))
    series = chain.series_index[rows]
    terms = (
        forwards.forward[series],
        chain.strike[rows],
        forwards.t_years[series],
        forwards.discount[series],
        is_call[rows],
    )
    low, vol, high = (implied_vol(price[rows], *terms) for price in (bid, 0.5 * (bid + ask), ask))
    good = low.ok & vol.ok & high.ok
    f, k, t, _, call = (column[good] for column in terms)
    deviation = vol.vol[good] * np.sqrt(t)
    d1 = np.log(f / k) / deviation + deviation / 2
    delta = np.where(call, ndtr(d1), ndtr(-d1))
    return vol.vol[good], (high.vol - low.vol)[good] / 2, delta, rows[good]


def test_every_series_with_quotes_is_fitted(recorded):
    chain, _, surface = recorded
    assert surface.ok.all()
    assert len(chain.series) >= 10


def test_the_median_error_is_far_below_the_spread(recorded):
    chain, forwards, surface = recorded
    vol, half_spread, delta, rows = out_of_the_money(chain, forwards)
    error = np.abs(surface.vol(chain.series_index[rows], chain.strike[rows]) - vol)
    wings = delta > 0.10
    # Measured: 0.00005 to 0.0004 beyond ten deltas, against half spreads of 0.0005 to 0.0084
    assert np.median(error[wings]) < 0.0006
    assert np.median(error[wings]) < 0.2 * np.median(half_spread[wings])
    assert np.quantile(error[wings], 0.99) < max(0.002, np.quantile(half_spread[wings], 0.99))
    assert np.median(error[(delta > 0.04) & ~wings]) < 0.001


def test_no_butterfly_on_the_surface_costs_less_than_nothing(recorded):
    chain, forwards, surface = recorded
    for index, series in enumerate(chain.series):
        t_years = forwards.t_years[index]
        if t_years < 5 / 365:
            continue
        deviation = surface.atm_vol(index) * np.sqrt(t_years)
        strike = forwards.forward[index] * np.exp(np.arange(-2.5, 1.8, 0.1) * deviation)
        vol = surface.vol(index, strike)
        call = black76.price(forwards.forward[index], strike, t_years, vol, 1.0, True)
        slope = np.diff(call) / np.diff(strike)
        assert (np.diff(slope) > 0).all(), f"{series.root} {series.expiry}"
        assert ((slope > -1) & (slope < 0)).all()


def test_forwards_lie_on_one_smooth_curve(recorded):
    _, forwards, _ = recorded
    yearly = np.diff(np.log(forwards.forward)) / np.maximum(np.diff(forwards.t_years), 1 / 365)
    assert np.abs(yearly).max() < 0.5
    assert np.median(np.abs(yearly)) < 0.06


def test_vix_options_agree_with_the_futures_of_their_expiries(shared_data):
    session, taken = date(2023, 5, 15), time(11, 47)
    path = shared_data / "vix_option_chains" / f"{session}.csv.gz"
    chain = read_chain(path, "VIX", session, taken)
    at = at_exchange(session, taken)
    rate = rate_on(shared_data, session)
    by_parity = parity_forwards(chain, at, rate)
    by_future = future_forwards(chain, vx_settlements(shared_data, session), at, rate)
    both = by_parity.ok & by_future.ok
    assert both.sum() >= 4
    # The futures settled four hours after the options were quoted
    assert by_parity.forward[both] == pytest.approx(by_future.forward[both], abs=0.6)
    surface = fit_surface(chain, by_parity)
    vol, half_spread, delta, rows = out_of_the_money(chain, by_parity)
    error = np.abs(surface.vol(chain.series_index[rows], chain.strike[rows]) - vol)
    fitted = surface.ok[chain.series_index[rows]] & (delta > 0.10)
    assert np.median(error[fitted]) < 0.5 * np.median(half_spread[fitted])
    calls = [float(surface.vol(n, 1.5 * by_parity.forward[n])) for n in np.flatnonzero(both)]
    at_the_money = [surface.atm_vol(int(n)) for n in np.flatnonzero(both)]
    assert (np.array(calls) > np.array(at_the_money)).all()
