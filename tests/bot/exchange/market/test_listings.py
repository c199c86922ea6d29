"""Listings: the expiries that existed, enough strikes, fixed for the session."""

from datetime import date, timedelta

import numpy as np
import pytest

from bot.exchange.listings import build_listing, spx_strikes, vix_strikes


def listed(calendar, history, session: date):
    before = calendar.previous_session(session)
    return build_listing(
        spx_strikes(
            session,
            calendar,
            history.daily("SPX").close_on(before),
            history.daily("VIX").close_on(before),
        )
    )


def test_spring_2020_lists_mondays_wednesdays_fridays_and_ends_of_month(calendar, history):
    listing = listed(calendar, history, date(2020, 2, 10))
    weeklies = [s.expiry for s in listing.series if s.root == "SPXW"]
    near = [day for day in weeklies if day <= date(2020, 4, 15)]
    assert date(2020, 2, 12) in near
    assert date(2020, 3, 31) in near  # a Tuesday, the end of the quarter
    others = {day for day in near if day.weekday() in (1, 3)}
    # 18 February follows Presidents' Day, 9 April precedes Good Friday
    assert others == {date(2020, 2, 18), date(2020, 3, 31), date(2020, 4, 9)}


def test_2023_lists_every_weekday_nearby(calendar, history):
    listing = listed(calendar, history, date(2023, 6, 5))
    near = {s.expiry for s in listing.series if s.root == "SPXW" and s.expiry < date(2023, 6, 16)}
    assert near == set(calendar.sessions_between(date(2023, 6, 5), date(2023, 6, 15)))


def test_monthlies_reach_six_months_in_both_settlements(calendar, history):
    listing = listed(calendar, history, date(2020, 2, 10))
    for root in ("SPX", "SPXW"):
        expiries = {s.expiry for s in listing.series if s.root == root}
        assert {date(2020, 3, 20), date(2020, 6, 19), date(2020, 7, 17)} <= expiries


@pytest.mark.parametrize(
    "session",
    [date(2018, 8, 6), date(2020, 2, 3), date(2020, 3, 17), date(2020, 4, 30), date(2023, 6, 9)],
)
def test_a_chain_has_two_thousand_quotes_and_not_many_more_than_it_needs(
    session, calendar, history
):
    assert 2000 <= 2 * len(listed(calendar, history, session).strike) <= 4500


@pytest.mark.parametrize("session", [date(2020, 2, 3), date(2020, 3, 17), date(2023, 6, 9)])
def test_condor_expiries_have_five_point_strikes_around_16_delta(session, calendar, history):
    before = calendar.previous_session(session)
    close = history.daily("SPX").close_on(before)
    vix = history.daily("VIX").close_on(before)
    listing = listed(calendar, history, session)
    for index, series in enumerate(listing.series):
        days = (series.expiry - session).days
        if days not in range(40, 48):
            continue
        strikes = listing.strike[listing.series_index == index]
        deviation = vix / 100 * np.sqrt(days / 365)
        for z in (-0.9, 0.6):
            target = 5 * round(close * np.exp(z * deviation) / 5)
            assert {target - 10, target - 5, target, target + 5, target + 10} <= set(strikes)


def test_rows_are_in_chain_order_without_repeats(calendar, history):
    listing = listed(calendar, history, date(2020, 3, 2))
    keys = [(s.expiry, s.root) for s in listing.series]
    assert keys == sorted(keys)
    steps = np.diff(listing.series_index)
    assert (steps >= 0).all()
    assert (np.diff(listing.strike)[steps == 0] > 0).all()


def test_most_of_yesterdays_strikes_are_listed_again_on_an_ordinary_day(calendar, history):
    days = [date(2020, 2, 12), date(2020, 2, 13)]
    keys = []
    for day in days:
        listing = listed(calendar, history, day)
        keys.append(
            {
                (listing.series[index].root, listing.series[index].expiry, strike)
                for index, strike in zip(listing.series_index, listing.strike, strict=True)
                if listing.series[index].expiry > days[1] + timedelta(days=20)
            }
        )
    assert len(keys[0] & keys[1]) > 0.75 * len(keys[0])


def test_vix_strikes_follow_the_listing_rule(calendar):
    expiries = [date(2020, 2, 19), date(2020, 3, 18)]
    (_, strikes), _ = vix_strikes(date(2020, 2, 3), calendar, expiries, 18.0)
    listed_strikes = set(strikes.tolist())
    assert {10.0, 10.5, 14.5, 15.0, 16.0, 49.0, 50.0, 55.0, 95.0, 100.0} <= listed_strikes
    assert not {15.5, 51.0, 101.0} & listed_strikes
    (_, stressed), _ = vix_strikes(date(2020, 2, 3), calendar, expiries, 80.0)
    assert {110.0, 160.0} <= set(stressed.tolist())
