"""Signals of the book: S10, S12 and the skew of S13."""

from dataclasses import fields, replace
from datetime import date, timedelta

import numpy as np
import pytest

from strategies.model.errors import MissingData
from strategies.model.plan import Measures
from strategies.pricing.valuation import Valuer
from strategies.signals.migration import deviations, migration
from strategies.signals.positions import (
    SKEW_DAYS,
    read_book_signals,
    skew_25_delta,
)
from tests.builders import (
    TODAY,
    condor_position,
    flat_vol,
    market_quotes,
    skewed_vol,
    spx_chain,
)

EXPIRY = date(2020, 3, 20)  # 46 days out, 0.355 a year
LEGS = "SPXW 20MAR20 3050/3060/3440/3450"
SERIES = ("SPXW", EXPIRY)


def condor(credit="2.00", spot=3250.0, sigma=0.05, legs=LEGS, **given):
    return condor_position(legs, credit=credit, spot=spot, sigma_sqrt_t=sigma, **given)


def moved(position, *, spot=3250.0, deviation=0.05) -> float:
    return migration(position, spot=spot, deviations={SERIES: deviation})


def measures(ratio: float | None = 4.0, theta=100.0) -> Measures:
    given = {entry.name: 0.0 for entry in fields(Measures) if entry.default is not None}
    values = given | {
        "vega_per_theta": ratio,
        "theta_usd_per_day": theta,
        "forward_vega": (),
        "worst_shock": "",
    }
    return Measures(**values)


# --- S10 ------------------------------------------------------------------------------------------


def test_s10_is_zero_while_nothing_has_moved():
    assert moved(condor()) == pytest.approx(0.0)


def test_s10_is_the_nearest_break_even_in_sigmas_now_less_that_at_entry():
    """Break-evens at 3058 and 3442; 3250 is 192 from either, 3300 is 142 from the upper."""
    assert moved(condor(), spot=3300.0) == pytest.approx(142 / (3300 * 0.05) - 192 / (3250 * 0.05))
    assert moved(condor(), spot=3200.0) == pytest.approx(142 / (3200 * 0.05) - 192 / (3250 * 0.05))
    assert moved(condor(spot=3300.0), spot=3250.0) > 0  # it has come back to the middle


def test_s10_falls_as_vol_rises_and_rises_as_time_passes():
    assert moved(condor(), deviation=0.06) < 0 < moved(condor(), deviation=0.04)


def test_s10_beyond_a_break_even_the_distance_is_negative():
    assert moved(condor(), spot=3500.0) < -192 / (3250 * 0.05)


def test_s10_each_side_has_its_own_expiry():
    later = ("SPXW", date(2020, 4, 17))
    legs = replace(
        condor().legs,
        short_call=replace(condor().legs.short_call, expiry=later[1]),
        long_call=replace(condor().legs.long_call, expiry=later[1]),
    )
    wide = migration(condor(legs=legs), spot=3250.0, deviations={SERIES: 0.05, later: 0.10})
    assert wide == pytest.approx(192 / (3250 * 0.10) - 192 / (3250 * 0.05))


def test_s10_a_side_without_a_break_even_never_counts():
    """Puts 10 wide, calls 20 wide, 12 credited: below there is a profit all the way."""
    legs = "SPXW 20MAR20 3050/3060/3440/3460"
    entry = (3452 - 3250) / (3250 * 0.05)
    assert moved(condor("12.00", legs=legs), spot=3000.0) == pytest.approx(
        (3452 - 3000) / (3000 * 0.05) - entry
    )
    with pytest.raises(MissingData, match="it has no break-even"):
        moved(condor("30.00", legs=legs))


def test_s10_needs_a_surface_of_the_shorts_expiry():
    with pytest.raises(MissingData, match="SPXW 2020-03-20 has no surface"):
        migration(condor(), spot=3250.0, deviations={})


def test_s10_the_deviation_is_the_vol_at_the_money_to_expiry():
    valuer = Valuer(market_quotes(spx_vol=flat_vol(0.16)), TODAY)
    index = valuer.market.spx_options.find_series(*SERIES)
    years = valuer.spx.forwards.t_years[index]
    assert deviations(valuer)[SERIES] == pytest.approx(0.16 * np.sqrt(years), rel=0.01)
    assert len(deviations(valuer)) == len(valuer.market.spx_options.series)


def test_s10_of_a_book_is_that_of_its_worst_condor():
    condors = (condor(), condor(spot=3350.0, condor_id="C0002"), condor(condor_id="C0003"))
    signals = read_book_signals(Valuer(market_quotes(), TODAY), condors, measures())
    each = signals.migrations
    assert set(each) == {"C0001", "C0002", "C0003"}
    assert signals.values["S10 migration"] == min(each.values()) == each["C0001"]
    assert signals.values["S10 C0002"] == each["C0002"] > each["C0001"]
    assert signals.lowest_migration(condors[1:2]) == each["C0002"]
    assert signals.lowest_migration(()) is None
    assert signals.missing == ()


def test_s10_of_a_book_is_absent_while_one_condor_has_none():
    unknown = condor(
        legs="SPXW 19JUN20 3050/3060/3440/3450", condor_id="C0002"
    )  # not a series of the chain
    signals = read_book_signals(Valuer(market_quotes(), TODAY), (condor(), unknown), measures())
    assert signals.migrations["C0001"] is not None
    assert signals.migrations["C0002"] is None
    assert signals.values["S10 migration"] is None
    assert signals.missing == ("S10 C0002: SPXW 2020-06-19 has no surface",)


def test_s10_without_spx_is_absent():
    market = market_quotes()
    blind = replace(market, indices={})
    signals = read_book_signals(Valuer(blind, TODAY), (condor(),), measures())
    assert signals.missing == ("S10 C0001: SPX is not quoted",)
    assert signals.values["S10 migration"] is None


# --- S12 ------------------------------------------------------------------------------------------


def test_s12_is_that_of_the_books_measures():
    valuer = Valuer(market_quotes(), TODAY)
    for ratio in (0.0, 4.0):
        signals = read_book_signals(valuer, (condor(),), measures(ratio=ratio))
        assert signals.vega_per_theta == signals.values["S12 vega_per_theta"] == ratio
        assert signals.missing == ()
    unpriced = read_book_signals(valuer, (condor(),), None)
    assert unpriced.missing == ("S12 vega_per_theta: the book cannot be priced",)


def test_s12_absence_is_recorded_with_its_reason():
    signals = read_book_signals(
        Valuer(market_quotes(), TODAY), (condor(),), measures(ratio=None, theta=-5.0)
    )
    assert signals.vega_per_theta is None
    assert signals.values["S12 vega_per_theta"] is None
    assert signals.missing == (
        "S12 vega_per_theta: theta is -5.00 USD a day, waiting earns nothing",
    )


def test_s10_and_s12_of_no_condors_are_not_asked_and_not_missing():
    signals = read_book_signals(Valuer(market_quotes(), TODAY), (), measures())
    assert set(signals.values) == {"S13 skew_25_delta"}
    assert (signals.migrations, signals.vega_per_theta, signals.missing) == ({}, None, ())


# --- S13 ------------------------------------------------------------------------------------------


def test_s13_a_flat_surface_has_no_skew_and_a_falling_one_has():
    assert skew_25_delta(Valuer(market_quotes(spx_vol=flat_vol(0.16)), TODAY)) == pytest.approx(
        0.0, abs=0.1
    )
    steep, gentle = (
        skew_25_delta(Valuer(market_quotes(spx_vol=skewed_vol(0.16, slope)), TODAY))
        for slope in (-0.18, -0.09)
    )
    assert steep > gentle > 0.5


def test_s13_reads_the_expiry_nearest_30_days():
    assert SKEW_DAYS == 30
    only_32 = market_quotes(spx_options=spx_chain(days=(32,)))
    near, far = (
        market_quotes(spx_options=spx_chain(days=days)) for days in ((21, 32, 46), (32, 60))
    )
    expected = skew_25_delta(Valuer(only_32, TODAY))
    for market in (near, far):
        assert skew_25_delta(Valuer(market, TODAY)) == pytest.approx(expected, abs=1e-6)
    other = skew_25_delta(Valuer(market_quotes(spx_options=spx_chain(days=(46,))), TODAY))
    assert other != pytest.approx(expected, abs=1e-3)


def test_s13_is_absent_without_a_surface_or_without_strikes_that_far_out():
    stale = Valuer(
        market_quotes(spx_options=spx_chain(at=market_quotes().at - timedelta(hours=1))),
        TODAY,
        max_age=timedelta(minutes=2),
    )
    with pytest.raises(MissingData, match="no SPX series has a surface"):
        skew_25_delta(stale)
    narrow = spx_chain(days=(32,), strikes=np.arange(3220.0, 3285.0, 5.0))
    with pytest.raises(MissingData, match=r"no strikes around a delta of -0\.25"):
        skew_25_delta(Valuer(market_quotes(spx_options=narrow), TODAY))
    signals = read_book_signals(stale, (), None)
    assert signals.skew_25_delta is None
    assert signals.missing == ("S13 skew_25_delta: no SPX series has a surface",)
