"""The smoothed surface: close to the vols behind the quotes, and calm where they are bad."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.pricing.forwards import future_forwards, parity_forwards
from strategies.pricing.surface import fit_surface
from tests.builders import AT, VX_CURVE, skewed_vol, spx_chain, vix_chain, vx_futures

RATE = 0.015


def fit(chain):
    return fit_surface(chain, parity_forwards(chain, AT, RATE))


def deviations(chain, atm):
    t_years = np.array([series.years_from(AT) for series in chain.series])
    return np.log(chain.strike / 3250.0) / (atm * np.sqrt(t_years[chain.series_index]))


def true_vols(chain, vol, forward=3250.0):
    return np.concatenate(
        [
            vol(chain.strike[chain.rows_of(n)], forward, series.years_from(AT))
            for n, series in enumerate(chain.series)
        ]
    )


@given(
    atm=st.floats(0.09, 0.8),
    slope=st.floats(-0.25, 0.0),
    curvature=st.floats(0.0, 0.04),
)
def test_gives_back_the_vols_a_chain_was_priced_with(atm, slope, curvature):
    vol = skewed_vol(atm, slope, curvature)
    strikes = np.arange(2200.0, 4200.0, 10.0)
    chain = spx_chain(vol=vol, days=[14, 32, 46, 74], strikes=strikes)
    surface = fit(chain)
    assert surface.ok.all()
    near = np.abs(deviations(chain, atm)) < 1.5  # beyond ten deltas on both sides
    error = surface.vol(chain.series_index, chain.strike) - true_vols(chain, vol)
    assert np.abs(error[near]).max() < 0.01 * atm


def test_at_the_money_it_is_exact_to_a_tenth_of_a_vol_point():
    surface = fit(spx_chain(vol=skewed_vol(0.16)))
    for index in range(len(surface.ok)):
        assert surface.atm_vol(index) == pytest.approx(0.16, abs=0.001)


def test_a_bogus_quote_hardly_bends_its_neighbourhood():
    chain = spx_chain(days=[46], vol=skewed_vol(0.16))
    row = int(np.searchsorted(chain.strike, 3100.0))
    bid, ask = chain.bid.copy(), chain.ask.copy()
    bid[row, 0] *= 2.0
    ask[row, 0] *= 2.0
    before = fit(chain).vol(0, chain.strike)
    after = fit(replace(chain, bid=bid, ask=ask)).vol(0, chain.strike)
    assert np.abs(after - before).max() < 0.003


def test_quotes_nobody_bids_for_and_crossed_ones_do_not_count():
    chain = spx_chain(days=[46], vol=skewed_vol(0.16))
    bid = chain.bid.copy()
    wing = chain.strike < 2900
    bid[wing] = 0.0
    crossed = (chain.strike > 2950) & (chain.strike < 2960)
    bid[crossed] = chain.ask[crossed] * 3
    surface = fit(replace(chain, bid=bid))
    assert surface.ok.all()
    near = np.abs(chain.strike - 3150) < 200
    reference = fit(chain).vol(0, chain.strike)
    assert surface.vol(0, chain.strike)[near] == pytest.approx(reference[near], abs=0.001)


def test_beyond_the_last_quote_the_vol_stays_finite_and_positive():
    surface = fit(spx_chain(vol=skewed_vol(0.16)))
    strikes = np.array([1.0, 500.0, 1500.0, 6000.0, 50_000.0])
    for index in range(len(surface.ok)):
        vol = surface.vol(index, strikes)
        assert (vol > 0.01).all()
        assert (vol < 2.0).all()


def test_a_series_without_enough_quotes_on_both_sides_is_not_trusted():
    chain = spx_chain(days=[14, 46])
    bid = chain.bid.copy()
    rows = chain.rows_of(0)
    calls_only = chain.strike[rows] < 3250
    bid[rows][calls_only, 0] = 0.0
    surface = fit_surface(replace(chain, bid=bid), parity_forwards(chain, AT, RATE))
    assert surface.ok.tolist() == [False, True]
    assert surface.atm_vol(0) == 0.0
    assert (surface.vol(chain.series_index, chain.strike)[rows] == 0).all()


def test_vol_answers_for_scalars_and_arrays_alike():
    surface = fit(spx_chain())
    several = surface.vol(np.array([0, 1, 1]), [3200.0, 3250.0, 3300.0])
    assert several.shape == (3,)
    assert float(surface.vol(1, 3250.0)) == several[1]


def test_a_vix_chain_has_calls_dearer_upward():
    chain = vix_chain()
    surface = fit_surface(chain, future_forwards(chain, vx_futures(), AT, RATE))
    assert surface.ok.all()
    low, high = surface.vol(1, [17.0, 30.0])
    assert low == pytest.approx(0.85, abs=0.01)
    vol = skewed_vol(0.85, slope=0.15, curvature=0.0)
    forward = VX_CURVE[chain.series[1].expiry]
    expected = vol(np.array([30.0]), forward, chain.series[1].years_from(AT))[0]
    assert high == pytest.approx(expected, abs=0.01)
