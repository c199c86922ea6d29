"""T3: the factor vega of a hedge today and in some days, at unchanged forwards."""

from datetime import timedelta

import numpy as np
import pytest

from strategies.alvh.forward_profile import forward_profile, forward_vega
from strategies.model.rules import LayerRules
from strategies.pricing import black76
from strategies.pricing.factor_vega import future_beta
from strategies.pricing.valuation import Valuer
from tests.builders import TODAY, VX_CURVE, hedge_position, instrument, market_quotes, vix_chain

VALUER = Valuer(market_quotes(), TODAY)
L1_CALL, L2_CALL, L3_FUTURE = "VIX 19FEB20 20 C", "VIX 18MAR20 22 C", "VX 20MAY20"


def vega(text, contracts=1, days=(0,)):
    return forward_vega([(instrument(text), contracts)], VALUER, days)


@pytest.mark.parametrize("text", [L1_CALL, L2_CALL, L3_FUTURE, "VXM 19FEB20"])
@pytest.mark.parametrize("contracts", [1, 7, -3])
def test_t3_today_s_vega_is_that_of_the_book(text, contracts):
    held = VALUER.value(instrument(text)).factor_vega_usd * contracts
    assert vega(text, contracts) == (pytest.approx(held),)


def test_t3_a_future_moves_more_as_its_tenor_shortens_and_is_gone_once_expired():
    """18 March is 44 days away."""
    ahead = vega("VX 18MAR20", days=(0, 10, 43, 44, 60))
    assert ahead == pytest.approx([1000 * float(future_beta(n)) for n in (44, 34, 1)] + [0, 0])


def test_t3_a_call_keeps_its_forward_and_its_vol():
    value = VALUER.option(instrument(L2_CALL))
    years = value.t_years - 10 / 365
    delta = black76.greeks(17.0, 22.0, years, value.vol, np.exp(-0.015 * years), True, 0.015).delta
    assert vega(L2_CALL, 5, (10,)) == (pytest.approx(500 * float(delta * future_beta(34))),)


def test_t3_a_call_is_gone_on_the_day_it_expires():
    assert vega(L1_CALL, 5, (16, 30)) == (0.0, 0.0)
    assert vega(L1_CALL, 5, (15,))[0] > 0


def test_t3_positions_add_up():
    both = [(instrument(L1_CALL), 4), (instrument(L3_FUTURE), -1), (instrument(L2_CALL), 2)]
    parts = [forward_vega([each], VALUER) for each in both]
    assert forward_vega(both, VALUER) == pytest.approx(np.sum(parts, axis=0))
    assert forward_vega([], VALUER) == (0.0, 0.0, 0.0, 0.0)


def test_t3_what_cannot_be_priced_has_no_profile():
    unknown = hedge_position("VIX 18MAR20 22.25 C", 1)
    assert forward_vega([(unknown.instrument, 1)], VALUER) is None
    assert forward_profile([unknown], VALUER, LayerRules()) is None


def test_t3_the_profile_names_each_layer_and_the_whole_hedge():
    held = [
        hedge_position(L1_CALL, 30),
        hedge_position(L2_CALL, 20),
        hedge_position(L3_FUTURE, 1),
    ]
    rows = forward_profile(held, VALUER, LayerRules())
    assert [row[0] for row in rows] == ["L1", "L2", "L3", "book"]
    assert rows[0][1:] == pytest.approx(vega(L1_CALL, 30, (0, 10, 30, 60)))
    assert rows[0][3] == rows[0][4] == 0.0  # L1 does not last
    assert rows[1][4] == 0.0
    assert rows[2][4] > rows[2][1] > 0
    for column in range(1, 5):
        assert rows[3][column] == pytest.approx(sum(row[column] for row in rows[:3]))


def test_t3_a_call_without_a_trusted_series_has_no_profile():
    later = {day: level for day, level in VX_CURVE.items() if day > TODAY + timedelta(days=30)}
    valuer = Valuer(market_quotes(vix_options=vix_chain(curve=later)), TODAY)
    assert forward_vega([(instrument(L1_CALL), 1)], valuer) is None
