"""Arbitrage on surfaces: none where there is none, and each planted one found, named and placed."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.model.calendars import at_exchange
from strategies.pricing import black76
from strategies.pricing.arbitrage import (
    ViolationKind,
    butterfly_violations,
    calendar_violations,
    surface_violations,
)
from strategies.pricing.forwards import future_forwards, parity_forwards
from strategies.pricing.surface import fit_surface
from tests.builders import AT, skewed_vol, spx_chain, vix_chain, vx_futures
from tests.strategies.pricing.recorded_chains import rate_on, read_chain, spx_sessions

RATE = 0.015
STRIKES = np.arange(2300.0, 4000.0, 10.0)


def fit(chain):
    return fit_surface(chain, parity_forwards(chain, AT, RATE))


def spx_surface(vol=None, days=(14, 32, 46, 74)):
    return fit(spx_chain(vol=vol, days=list(days), strikes=STRIKES, tick=0.01))


def fit_vix(vol=None):
    chain = vix_chain(vol=vol)
    return fit_surface(chain, future_forwards(chain, vx_futures(), AT, RATE))


@given(atm=st.floats(0.1, 0.6), slope=st.floats(-0.15, 0.0), curvature=st.floats(0.0, 0.02))
def test_a_plain_skew_has_neither_butterfly_nor_calendar(atm, slope, curvature):
    surface = spx_surface(skewed_vol(atm, slope, curvature))
    assert surface_violations(surface, one_underlying=True) == ()


def test_a_vix_surface_has_no_butterflies():
    assert surface_violations(fit_vix(), one_underlying=False) == ()


def hump(center, height, width=0.5, at_days=46):
    """A skew with a peak of vol at one distance from the money in one expiry."""
    smooth = skewed_vol(0.16)

    def vol(strike, forward, t_years):
        z = np.log(strike / forward) / (0.16 * np.sqrt(t_years))
        peak = height * np.exp(-0.5 * ((z - center) / width) ** 2)
        here = abs(t_years * 365 - at_days) < 1
        return smooth(strike, forward, t_years) + (peak if here else 0.0)

    return vol


@pytest.mark.parametrize("center", [-1.5, 1.2])
def test_a_planted_butterfly_is_named_with_its_series_and_strike(center):
    surface = spx_surface(hump(center, 0.05, 0.4))
    found = butterfly_violations(surface)
    assert [each.kind for each in found] == [ViolationKind.BUTTERFLY]
    (worst,) = found
    assert worst.series_index == 2
    assert worst.earlier_series_index is None
    assert worst.amount > 0.01
    assert worst.log_moneyness == pytest.approx(np.log(worst.strike / 3250.0), abs=1e-3)
    # The peak of vol is where the density is most negative
    deviation = surface.deviation[2]
    assert worst.log_moneyness / deviation == pytest.approx(center, abs=0.6)


def test_the_butterfly_found_does_cost_less_than_nothing():
    surface = spx_surface(hump(-1.5, 0.05, 0.4))
    (worst,) = butterfly_violations(surface)
    forward, t_years = surface.forwards.forward[2], surface.forwards.t_years[2]
    strike = worst.strike + np.array([-5.0, 0.0, 5.0])
    price = black76.price(forward, strike, t_years, surface.vol(2, strike), 1.0, False)
    assert price[0] - 2 * price[1] + price[2] < 0
    strike = worst.strike + 150.0 + np.array([-5.0, 0.0, 5.0])
    price = black76.price(forward, strike, t_years, surface.vol(2, strike), 1.0, False)
    assert price[0] - 2 * price[1] + price[2] > 0


def test_the_density_is_that_of_the_prices():
    """Both sides of the tolerance: the density by Gatheral's formula is the butterfly's price."""
    surface = spx_surface(hump(-1.5, 0.05, 0.4))
    (worst,) = butterfly_violations(surface)
    forward, t_years = surface.forwards.forward[2], surface.forwards.t_years[2]
    strike = worst.strike + np.array([-4.0, 0.0, 4.0])
    price = black76.price(forward, strike, t_years, surface.vol(2, strike), 1.0, False)
    per_point = (price[0] - 2 * price[1] + price[2]) / 16.0
    assert -worst.amount == pytest.approx(per_point * worst.strike * surface.deviation[2], rel=0.05)


def test_a_butterfly_on_vix_is_found_too():
    smooth = skewed_vol(0.85, slope=0.15, curvature=0.0)

    def vol(strike, forward, t_years):
        z = np.log(strike / forward) / (0.85 * np.sqrt(t_years))
        return smooth(strike, forward, t_years) + 0.35 * np.exp(-0.5 * ((z - 1.2) / 0.35) ** 2)

    found = surface_violations(fit_vix(vol), one_underlying=False)
    assert found
    assert {each.kind for each in found} == {ViolationKind.BUTTERFLY}


def test_a_planted_calendar_is_named_with_both_series_and_the_points_missing():
    levels = {14: 0.16, 32: 0.20, 46: 0.14, 74: 0.18}

    def vol(strike, forward, t_years):
        return np.full_like(strike, levels[round(t_years * 365)])

    surface = spx_surface(vol)
    (worst,) = calendar_violations(surface)
    assert worst.kind is ViolationKind.CALENDAR
    assert (worst.series_index, worst.earlier_series_index) == (2, 1)
    t_years = surface.forwards.t_years
    expected = 100 * (0.20 * np.sqrt(t_years[1] / t_years[2]) - 0.14)
    assert worst.amount == pytest.approx(expected, abs=0.1)
    assert surface_violations(surface, one_underlying=True) == (worst,)
    assert surface_violations(surface, one_underlying=False) == ()


def test_a_calendar_on_one_wing_only_is_found_there():
    """Puts far below the money dearer in the earlier expiry than total variance allows."""

    def vol(strike, forward, t_years):
        k = np.log(strike / forward)
        steep = 3.2 if abs(t_years * 365 - 32) < 1 else 0.6
        return 0.16 + steep * np.maximum(-k - 0.06, 0.0) ** 2 * 10

    (worst,) = calendar_violations(spx_surface(vol))
    assert (worst.series_index, worst.earlier_series_index) == (2, 1)
    assert worst.log_moneyness < -0.1


def test_a_tolerance_says_what_does_not_count():
    surface = spx_surface(hump(-1.5, 0.05, 0.4))
    (worst,) = butterfly_violations(surface)
    assert butterfly_violations(surface, tolerance=1.01 * worst.amount) == ()
    assert butterfly_violations(surface, tolerance=0.99 * worst.amount) == (worst,)
    levels = {14: 0.16, 32: 0.20, 46: 0.14, 74: 0.18}
    falling = spx_surface(lambda k, f, t: np.full_like(k, levels[round(t * 365)]))
    (worst,) = calendar_violations(falling)
    assert calendar_violations(falling, tolerance=1.01 * worst.amount) == ()


def test_series_that_cannot_be_trusted_are_not_judged():
    surface = spx_surface(hump(-1.5, 0.05, 0.4))
    ok = np.array([True, True, False, True])
    assert surface_violations(replace(surface, ok=ok), one_underlying=True) == ()
    none = replace(surface, ok=np.zeros(4, dtype=bool))
    assert surface_violations(none, one_underlying=True) == ()


# --- how well a surface fits --------------------------------------------------------------------


def test_a_fit_of_black_quotes_misses_by_a_fraction_of_their_spread():
    quality = spx_surface(skewed_vol(0.16)).quality
    assert (quality.quotes > 50).all()
    assert (quality.vol_points < 0.12).all()
    assert (quality.spreads < 1.0).all()
    assert (quality.inside > 0.7).all()
    assert quality.chain_vol_points < 0.12
    assert quality.chain_spreads < 0.8
    assert quality.chain_inside > 0.75


def test_quality_is_the_weighted_mean_square_of_the_misses():
    surface = spx_surface(hump(-1.5, 0.03, 0.2))
    quality, quoted = surface.quality, surface.quoted
    rows = np.flatnonzero(quoted.series == 2)
    root_t = np.sqrt(surface.forwards.t_years[2])
    strike = surface.forwards.forward[2] * np.exp(quoted.log_moneyness[rows])
    miss = surface.vol(2, strike) - quoted.deviation[rows] / root_t
    half_spread = quoted.error[rows] / root_t
    weight = 1 / (half_spread**2 + (0.01 * quoted.deviation[rows] / root_t) ** 2)
    expected = 100 * np.sqrt((weight * miss**2).sum() / weight.sum())
    assert quality.vol_points[2] == pytest.approx(expected)
    assert quality.spreads[2] == pytest.approx(np.sqrt(np.mean((miss / half_spread / 2) ** 2)))
    assert quality.inside[2] == pytest.approx(np.mean(np.abs(miss) <= half_spread))
    assert quality.quotes[2] == len(rows)
    assert quality.vol_points[2] > 2 * quality.vol_points[1]
    total = quality.quotes.sum()
    assert quality.chain_inside == pytest.approx((quality.inside * quality.quotes).sum() / total)
    squares = (quality.spreads**2 * quality.quotes).sum() / total
    assert quality.chain_spreads == pytest.approx(np.sqrt(squares))


def test_a_bogus_quote_shows_in_the_quality_of_its_series():
    chain = spx_chain(days=[32, 46], vol=skewed_vol(0.16), strikes=STRIKES)
    row = int(np.searchsorted(chain.strike[chain.rows_of(0)], 3000.0))
    bid, ask = chain.bid.copy(), chain.ask.copy()
    bid[row, 0] *= 1.5
    ask[row, 0] *= 1.5
    before, after = fit(chain).quality, fit(replace(chain, bid=bid, ask=ask)).quality
    assert after.vol_points[0] > 2 * before.vol_points[0]
    assert after.vol_points[1] == pytest.approx(before.vol_points[1])
    assert after.inside[0] < before.inside[0]


def test_a_chain_without_a_trusted_series_has_no_quality():
    surface = spx_surface()
    quality = replace(surface, ok=np.zeros(4, dtype=bool)).quality
    assert quality.quotes.tolist() == [0, 0, 0, 0]
    assert quality.vol_points.tolist() == [0.0] * 4
    assert (quality.chain_vol_points, quality.chain_spreads, quality.chain_inside) == (0, 0, 0)


def test_a_vix_surface_has_a_quality_too():
    quality = fit_vix().quality
    assert quality.chain_spreads < 0.5
    assert quality.chain_inside > 0.9


@pytest.mark.parametrize("day", ["2020-03-20", "2022-02-04", "2023-02-07", "2026-07-23"])
def test_recorded_surfaces_fit_and_hold_no_butterfly(day, shared_data):
    session = date.fromisoformat(day)
    folder = shared_data / "spx_option_chains"
    taken = dict(spx_sessions(folder))[session]
    chain = read_chain(folder / f"{day}.csv.gz", "SPX", session, taken)
    at = at_exchange(session, taken)
    surface = fit_surface(chain, parity_forwards(chain, at, rate_on(shared_data, session)))
    assert butterfly_violations(surface) == ()
    # Calendars are found in the far call wing only, where an option costs a tick or two
    for each in calendar_violations(surface):
        assert each.log_moneyness / surface.deviation[each.series_index] > 1.5
        assert each.amount < 2.0
    assert surface.quality.chain_vol_points < 0.3
    assert surface.quality.chain_spreads < 0.5
    assert surface.quality.chain_inside > 0.95
