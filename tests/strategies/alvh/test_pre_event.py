"""B4 and T2: how strongly L2 acts before an event, and the vega the hedge is sized on."""

from dataclasses import replace
from datetime import date

import pytest

from strategies.alvh.pre_event import event_scale, projected_short_vega, vega_short_at
from strategies.model.snapshots import EventKind
from strategies.pricing.shocks import shock_pnl, usual_spx_fraction
from strategies.pricing.valuation import Valuer
from strategies.signals.event_reactions import EventReactions
from tests.builders import TODAY, condor_position, market_quotes, vix_chain
from tests.strategies.alvh.builders import RULES, regime

VALUER = Valuer(market_quotes(), TODAY)
CONDORS = (condor_position("SPXW 20MAR20 3040/3050/3405/3415", quantity=33, credit="2.50"),)


def reactions(vix_abs90: float) -> EventReactions:
    return EventReactions(
        kind=EventKind.FOMC,
        day=date(2020, 2, 5),
        trading_days=2,
        events=24,
        vix_mean=-0.2,
        vix_abs90=vix_abs90,
        skew_mean=None,
        skew_abs90=None,
    )


@pytest.mark.parametrize(
    ("migration", "scale"),
    [
        (1.2, 0.5),  # the break-evens are further off than at entry: less will do
        (1.0, 0.5),
        (0.98, 0.51),
        (0.4, 0.8),
        (0.0, 1.0),
        (-0.2, 1.1),
        (-0.98, 1.49),
        (-1.0, 1.5),
        (-1.2, 1.5),  # L4
    ],
)
def test_b4_l2_goes_with_what_the_break_even_has_lost_or_gained(migration, scale):
    found, gate = event_scale(replace(regime(), pre_event=True), migration, RULES.rotation)
    assert found == pytest.approx(scale)
    assert gate.value == pytest.approx(scale)
    assert gate.passed


def test_b4_the_scale_stays_inside_its_bounds():
    narrow = replace(RULES.rotation, event_scale_high=1.2)
    state = replace(regime(), pre_event=True)
    assert event_scale(state, -2.0, narrow)[0] == 1.2
    assert event_scale(state, 0.0, replace(RULES.rotation, event_k=0.0))[0] == 1.0


@pytest.mark.parametrize(
    ("near", "migration", "note"),
    [
        (False, -0.5, "R2: no event is near"),
        (None, -0.5, "R2"),
        (True, None, "S10 is absent"),
    ],
)
def test_b4_is_silent_without_an_event_or_without_s10(near, migration, note):
    found, gate = event_scale(replace(regime(), pre_event=near), migration, RULES.rotation)
    assert found is None
    assert gate.value is None
    assert not gate.passed
    assert gate.note == note


# --- T2 -------------------------------------------------------------------------------------------


def test_t2_the_slope_is_the_condors_loss_for_one_point_more():
    (slope,) = vega_short_at(VALUER, CONDORS, (3.0,))
    spx = usual_spx_fraction(3.0)
    gains = [shock_pnl(VALUER, CONDORS, (), spx, points) for points in (2.5, 3.5)]
    assert slope == pytest.approx(gains[0] - gains[1])


@pytest.mark.parametrize("move", [0.0, 1.5, 3.0])
def test_t2_the_hedge_is_sized_on_the_vega_across_the_event(move):
    slopes = vega_short_at(VALUER, CONDORS, (0.0, move))
    projected, gate = projected_short_vega(VALUER, CONDORS, 500.0, reactions(move))
    assert projected == pytest.approx(max(500.0, 500.0 + slopes[1] - slopes[0]))
    assert (gate.rule, gate.threshold) == ("T2", 500.0)
    assert gate.value == pytest.approx(projected)
    assert gate.passed is (projected > 500.0)
    assert gate.note == f"VIX +{move:.2f}: 90 % of 24 past fomc"


def test_t2_never_less_than_now():
    """So far down the condors are past their shorts, where they are short no vega any more."""
    slopes = vega_short_at(VALUER, CONDORS, (0.0, 30.0))
    assert slopes[1] < slopes[0]
    assert projected_short_vega(VALUER, CONDORS, 500.0, reactions(30.0))[0] == 500.0


def test_t2_a_fall_toward_the_puts_makes_the_condors_shorter_of_vega():
    far = (condor_position("SPXW 20MAR20 2900/2910/3600/3610", quantity=33, credit="1.00"),)
    projected, gate = projected_short_vega(VALUER, far, 500.0, reactions(4.0))
    assert projected > 500.0
    assert gate.passed


def test_t2_what_cannot_be_priced_is_not_projected():
    blind = Valuer(market_quotes(spx_options=vix_chain()), TODAY)
    assert vega_short_at(blind, CONDORS, (1.0,)) is None
    projected, gate = projected_short_vega(blind, CONDORS, 500.0, reactions(2.0))
    assert projected == 500.0
    assert not gate.passed
