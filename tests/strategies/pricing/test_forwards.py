"""Forwards: by parity for SPX, by the VX future of the same expiry for VIX."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.pricing.forwards import future_forwards, parity_forwards
from tests.builders import (
    AT,
    VX_CURVE,
    option_chain,
    option_series,
    skewed_vol,
    spx_chain,
    vix_chain,
    vx_futures,
)

FAR = AT.replace(year=2021)


@given(
    forward=st.floats(1000.0, 8000.0),
    rate=st.floats(-0.01, 0.08),
    spread=st.floats(0.02, 3.0),
    atm=st.floats(0.08, 0.9),
)
def test_parity_finds_the_forward_a_chain_was_priced_on(forward, rate, spread, atm):
    series = [option_series("SPXW", AT.date().replace(month=3, day=20))]
    strikes = np.round(forward * np.linspace(0.8, 1.15, 71))
    chain = option_chain(
        "SPX",
        series,
        at=AT,
        forwards=[forward],
        strikes=[strikes],
        vol=skewed_vol(atm),
        spread=lambda mid: np.minimum(np.full_like(mid, spread), mid),
        rate=rate,
    )
    found = parity_forwards(chain, AT, rate)
    assert found.ok.all()
    assert found.forward[0] == pytest.approx(forward, abs=1e-6 * forward)
    assert found.t_years[0] == series[0].years_from(AT)
    assert found.discount[0] == pytest.approx(np.exp(-rate * found.t_years[0]))


def test_rounding_to_ticks_moves_the_forward_by_cents_only():
    found = parity_forwards(spx_chain(tick=0.05), AT, 0.015)
    assert found.ok.all()
    assert found.forward == pytest.approx(np.full(len(found.ok), 3250.0), abs=0.05)


def test_one_wild_quote_beside_the_money_does_not_move_the_forward():
    chain = spx_chain(tick=0.0)
    bid, ask = chain.bid.copy(), chain.ask.copy()
    row = int(np.searchsorted(chain.strike[chain.rows_of(0)], 3250.0))
    bid[row, 1] += 40.0
    ask[row, 1] += 40.0
    found = parity_forwards(replace(chain, bid=bid, ask=ask), AT, 0.015)
    assert found.ok[0]
    assert found.forward[0] == pytest.approx(3250.0, abs=0.01)


def test_quotes_that_disagree_about_the_forward_give_none(generator):
    chain = spx_chain(tick=0.0, spread=0.1)
    noise = generator.uniform(0.0, 30.0, (len(chain.strike), 1))
    noisy = replace(chain, bid=chain.bid + noise * [0, 1], ask=chain.ask + noise * [0, 1])
    found = parity_forwards(noisy, AT, 0.015)
    assert not found.ok.any()
    assert (found.forward == 0).all()


def test_one_sided_and_crossed_quotes_do_not_vote():
    chain = spx_chain(days=[14])
    nobody_bids = replace(chain, bid=np.zeros_like(chain.bid))
    crossed = replace(chain, bid=chain.ask + 1.0)
    for each in (nobody_bids, crossed):
        assert not parity_forwards(each, AT, 0.015).ok.any()
    two_pairs = np.zeros_like(chain.bid)
    near = np.argsort(np.abs(chain.strike - 3250.0))[:2]
    two_pairs[near] = chain.bid[near]
    assert not parity_forwards(replace(chain, bid=two_pairs), AT, 0.015).ok.any()


def test_a_settled_series_has_no_forward():
    chain = spx_chain(days=[7, 400])
    found = parity_forwards(chain, FAR, 0.015)
    assert found.ok.tolist() == [False, True]


def test_an_empty_chain_has_no_forwards():
    chain = replace(
        spx_chain(days=[7]),
        series=(),
        series_index=np.array([], dtype=np.int64),
        strike=np.array([]),
        bid=np.empty((0, 2)),
        ask=np.empty((0, 2)),
    )
    assert parity_forwards(chain, AT, 0.015).ok.shape == (0,)


def test_a_vix_forward_is_the_mid_of_its_own_future():
    found = future_forwards(vix_chain(), vx_futures(), AT, 0.015)
    assert found.ok.all()
    assert found.forward == pytest.approx([VX_CURVE[day] for day in sorted(VX_CURVE)])


def test_the_mini_future_stands_in_where_vx_is_not_quoted_on_both_sides():
    first = min(VX_CURVE)
    futures = tuple(
        replace(each, bid=0.0) if each.contract.root == "VX" else replace(each, ask=each.ask + 0.2)
        for each in vx_futures()
        if each.contract.expiry == first
    )
    found = future_forwards(vix_chain(), futures, AT, 0.015)
    assert found.ok.tolist() == [True] + [False] * (len(VX_CURVE) - 1)
    assert found.forward[0] == pytest.approx(VX_CURVE[first] + 0.1)


def test_a_vix_series_without_a_future_of_its_expiry_has_no_forward():
    chain = vix_chain(curve={**VX_CURVE, AT.date().replace(day=12): 16.2})  # a weekly
    found = future_forwards(chain, vx_futures(), AT, 0.015)
    assert found.ok.tolist() == [False] + [True] * len(VX_CURVE)
