"""The VIX index: by hand, in the continuous limit, and against the exchange on real chains."""

import math
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.model.calendars import EXCHANGE_ZONE, at_exchange
from strategies.model.quotes import CALL, PUT, OptionChain
from strategies.pricing import black76
from strategies.pricing.vix_index import strip_variance, vix_index
from tests.builders import AT, flat_vol, option_chain, option_series, skewed_vol, spx_chain
from tests.strategies.pricing.recorded_chains import rate_on, read_chain, spx_sessions

# strike, put bid, put ask, call bid, call ask
BY_HAND = np.array(
    [
        [60.0, 0.1, 0.3, 40.0, 41.0],  # beyond two puts without a bid: does not count
        [65.0, 0.0, 0.2, 35.0, 36.0],
        [70.0, 0.0, 0.2, 30.0, 31.0],
        [80.0, 0.4, 0.6, 20.6, 21.0],
        [85.0, 0.0, 0.9, 15.8, 16.2],  # one without a bid is passed over
        [90.0, 1.4, 1.6, 11.4, 11.8],
        [100.0, 4.4, 4.6, 5.0, 5.2],
        [110.0, 11.0, 11.4, 1.4, 1.6],
        [115.0, 15.5, 16.0, 0.7, 0.9],
        [120.0, 20.0, 20.6, 0.0, 0.4],
        [125.0, 25.0, 25.6, 0.0, 0.2],
        [130.0, 30.0, 30.6, 0.2, 0.4],
    ]
)


def strip(table, t_years=0.08, rate=0.05):
    bid, ask = table[:, [1, 3]], table[:, [2, 4]]
    assert (PUT, CALL) == (0, 1)
    return strip_variance(table[:, 0], bid, ask, t_years, rate)


def test_a_strip_worked_out_by_hand():
    found = strip(BY_HAND)
    growth = math.exp(0.05 * 0.08)
    # Put and call are closest at 100: 4.5 and 5.1
    forward = 100 + growth * 0.6
    assert found.forward == pytest.approx(forward)
    assert found.k0 == 100.0
    assert found.strike.tolist() == [80.0, 90.0, 100.0, 110.0, 115.0]
    terms = [
        10.0 / 80**2 * 0.5,  # the lowest: distance to the next
        10.0 / 90**2 * 1.5,
        10.0 / 100**2 * 4.8,  # both rights, averaged
        7.5 / 110**2 * 1.5,
        5.0 / 115**2 * 0.8,
    ]
    assert found.contribution == pytest.approx([growth * each for each in terms])
    expected = 2 / 0.08 * growth * sum(terms) - (forward / 100 - 1) ** 2 / 0.08
    assert found.variance == pytest.approx(expected)


def test_the_strike_at_the_forward_itself_is_the_middle_one():
    table = BY_HAND.copy()
    table[6] = [100.0, 4.4, 4.6, 4.4, 4.6]
    assert strip(table).k0 == 100.0


def test_a_strip_that_tells_no_variance_is_refused():
    one_sided = BY_HAND.copy()
    one_sided[:, 1] = 0.0
    assert strip(one_sided) is None  # no strike with both rights
    assert strip(BY_HAND[6:8]) is None  # two strikes
    above = BY_HAND[8:].copy()
    above[:, 3:] = [0.5, 0.6]
    assert strip(above) is None  # every strike above the forward


def chain_of(days, *, at=AT, vol=None, rate=0.015, roots=None, strikes=None):
    roots = roots or ["SPXW"] * len(days)
    series = [
        option_series(root, at.date() + timedelta(days=n))
        for root, n in zip(roots, days, strict=True)
    ]
    strikes = np.arange(600.0, 9000.0, 5.0) if strikes is None else strikes
    return option_chain(
        "SPX",
        series,
        at=at,
        forwards=[3250.0] * len(series),
        strikes=[strikes] * len(series),
        vol=vol or flat_vol(0.2),
        spread=0.0,
        rate=rate,
    )


@given(vol=st.floats(0.08, 0.9), rate=st.floats(0.0, 0.08))
def test_on_flat_black_vols_the_index_is_the_vol(vol, rate):
    reading = vix_index(chain_of([25, 32], vol=flat_vol(vol), rate=rate), AT, rate)
    # Strikes five points apart add dK^2 / (24 F^2) of a fraction that is largest where vol is low
    assert reading.value == pytest.approx(100 * vol, rel=1e-3)


def test_on_a_mixture_of_lognormals_it_is_the_log_contract():
    """-2 E ln(S/F) is known in closed form for a mixture: an answer by other means."""
    weights, vols, factors = (0.85, 0.15), (0.13, 0.35), (1.018, None)
    factors = (factors[0], (1 - weights[0] * factors[0]) / weights[1])
    strike = np.arange(300.0, 9000.0, 1.0)
    t_years, rate = 30 / 365, 0.03
    discount = math.exp(-rate * t_years)
    mid = np.zeros((len(strike), 2))
    for weight, vol, factor in zip(weights, vols, factors, strict=True):
        for column, is_call in ((PUT, False), (CALL, True)):
            mid[:, column] += weight * black76.price(
                3250.0 * factor, strike, t_years, vol, discount, is_call
            )
    mid[mid < 1e-12] = 0.0
    found = strip_variance(strike, mid, mid, t_years, rate)
    exact = sum(
        weight * (vol**2 * t_years - 2 * math.log(factor))
        for weight, vol, factor in zip(weights, vols, factors, strict=True)
    )
    assert found.forward == pytest.approx(3250.0, abs=1e-6)
    assert found.variance * t_years == pytest.approx(exact, rel=2e-5)


def test_total_variance_is_interpolated_in_minutes():
    vols = {25: 0.15, 32: 0.25}

    def vol(strike, forward, t_years):
        return np.full_like(strike, vols[round(t_years * 365)])

    reading = vix_index(chain_of([25, 32], vol=vol), AT, 0.015)
    # From 10:00 to 16:00 so many days later
    near, following = 25 * 1440 + 360, 32 * 1440 + 360
    nearer = (following - 43200) / (following - near)
    total = near * 0.15**2 * nearer + following * 0.25**2 * (1 - nearer)
    assert reading.value == pytest.approx(100 * math.sqrt(total / 43200), rel=1e-3)
    assert reading.near_strip.variance == pytest.approx(0.15**2, rel=2e-3)
    assert reading.next_strip.variance == pytest.approx(0.25**2, rel=2e-3)


def test_an_expiry_exactly_thirty_days_away_is_all_of_it():
    at = datetime(2020, 2, 5, 16, 0, tzinfo=EXCHANGE_ZONE)
    vols = {30: 0.15, 34: 0.25}

    def vol(strike, forward, t_years):
        return np.full_like(strike, vols[round(t_years * 365)])

    reading = vix_index(chain_of([30, 34], at=at, vol=vol), at, 0.015)
    assert reading.value == pytest.approx(15.0, rel=1e-3)


@pytest.mark.parametrize("days", [[23, 32], [25, 37], [25], [32], [7, 60]])
def test_without_an_expiry_on_each_side_of_thirty_days_there_is_no_index(days):
    assert vix_index(chain_of(days), AT, 0.015) is None


def test_each_week_counts_by_its_last_expiry_and_the_morning_settled_root():
    # 3 February 2020 is a Monday: Fridays are 25 and 32 days away, and 28 February is one of them
    chain = chain_of(
        [25, 28, 30, 32, 32, 35], roots=["SPXW", "SPXW", "SPXW", "SPX", "SPXW", "SPXW"]
    )
    reading = vix_index(chain, AT, 0.015)
    assert reading.near.expiry == date(2020, 2, 28)
    assert reading.next.expiry == date(2020, 3, 6)
    assert reading.next.root == "SPX"


def test_a_change_of_the_clocks_does_not_change_the_count():
    """Clocks go forward on 8 March 2020, before the second expiry: every day has 1,440 minutes."""
    local = vix_index(chain_of([25, 36], at=AT), AT, 0.015)
    elsewhere = AT.astimezone(UTC)
    assert vix_index(chain_of([25, 36], at=AT), elsewhere, 0.015).value == local.value


def test_each_series_may_have_its_own_rate():
    chain = chain_of([25, 32], rate=0.02)
    one, each = vix_index(chain, AT, 0.02), vix_index(chain, AT, np.array([0.02, 0.02]))
    assert one.value == each.value
    assert vix_index(chain, AT, np.array([0.02, 0.05])).value != one.value


def test_an_empty_strip_means_no_index():
    chain = chain_of([25, 32])
    bid = chain.bid.copy()
    bid[chain.rows_of(1)] = 0.0
    assert vix_index(replace(chain, bid=bid), AT, 0.015) is None


def test_strips_that_add_up_to_no_variance_mean_no_index():
    """Strikes far apart above the forward's: what the forward is beyond it outweighs all quotes."""
    chain = chain_of([25, 32], strikes=np.array([2995.0, 3000.0, 3100.0]))
    puts, calls = [0.05, 0.05, 0.0], [100.05, 95.05, 0.05]
    mids = np.tile(np.column_stack([puts, calls]), (2, 1))
    flat = replace(chain, bid=mids, ask=np.maximum(mids, 0.05))
    rows = flat.rows_of(0)
    strip = strip_variance(flat.strike[rows], flat.bid[rows], flat.ask[rows], 25 / 365, 0.015)
    assert strip.variance < 0
    assert vix_index(flat, AT, 0.015) is None


def test_a_skew_lifts_the_index_above_the_vol_at_the_money():
    chain = spx_chain(
        days=[25, 32], vol=skewed_vol(0.16), strikes=np.arange(1600.0, 4200.0, 5.0), tick=0.01
    )
    assert isinstance(chain, OptionChain)
    assert 16.5 < vix_index(chain, AT, 0.015).value < 22.0


# Recorded at the close, all strikes, an expiry on each side; the crash of 2020 had moved on by the
# time the options' close was taken, a quarter of an hour after the index's
AT_THE_CLOSE = {
    "2020-03-20": 0.5,
    "2022-02-04": 0.03,
    "2023-02-07": 0.03,
    "2023-04-14": 0.03,
    "2023-05-19": 0.03,
    "2023-05-23": 0.03,
    "2023-06-08": 0.03,
    "2023-09-01": 0.03,
    "2023-09-14": 0.03,
}


@pytest.mark.parametrize("day", AT_THE_CLOSE)
def test_recorded_chains_give_the_index_that_the_exchange_published(day, shared_data):
    folder = shared_data / "spx_option_chains"
    session = date.fromisoformat(day)
    taken = dict(spx_sessions(folder))[session]
    assert taken == time(16, 15)
    chain = read_chain(folder / f"{session}.csv.gz", "SPX", session, taken)
    closes = np.genfromtxt(
        shared_data / "vix_daily.csv", delimiter=",", names=True, dtype=None, encoding="utf-8"
    )
    published = float(closes["close"][closes["date"] == day][0])
    reading = vix_index(chain, at_exchange(session, taken), rate_on(shared_data, session))
    assert reading.value == pytest.approx(published, abs=AT_THE_CLOSE[day])
