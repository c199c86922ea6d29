"""G1, G3 and G6: what caps a purchase."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from strategies.alvh.governors import Budget, forecast_ratio, quick_ratio_gates
from strategies.model.rules import GovernorRules
from strategies.pricing.capital import quick_ratio
from tests.builders import account, condor_position
from tests.strategies.alvh.builders import candidate, lot, regime, usd

RULES = GovernorRules()
CALL = candidate("VIX 18MAR20 22 C", unit=10.0, bid=0.96, ask=1.00)  # 100 USD each
FUTURE = candidate("VX 18MAR20", unit=500.0, bid=16.95, ask=17.0)  # 17,000 USD each
CONDORS = (condor_position("SPXW 20MAR20 3040/3050/3405/3415", quantity=100, credit="2.00"),)


def budget(
    *,
    cost=0.0,
    lots=(),
    condors=CONDORS,
    state=None,
    forecast=1.0,
    holder=None,
    rules=RULES,
) -> Budget:
    return Budget(
        account=holder or account(),
        hedge_cost_usd=usd(cost),
        lots=tuple(lots),
        condors=condors,
        regime=state or regime(),
        forecast=forecast,
        rules=rules,
    )


def rooms(what=CALL, *, layer="L2", core=False, exempt=0, **facts):
    return budget(**facts).rooms(what, layer=layer, is_core=core, exempt_contracts=exempt)


# --- G1 -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cost", "expected"),
    [(0, 100), (9_900, 1), (9_901, 0), (10_000, 0), (15_000, 0), (-5_000, 150)],
)
def test_g1_soft_limit_counts_the_premium_to_be_paid(cost, expected):
    assert rooms(cost=cost)["G1"] == expected


@pytest.mark.parametrize(("cost", "expected"), [(10_000, 100), (19_900, 1), (19_901, 0)])
def test_g1_the_core_goes_on_up_to_the_hard_limit(cost, expected):
    assert rooms(cost=cost, layer="L1", core=True)["G1"] == expected


@pytest.mark.parametrize(("cost", "allowed"), [(10_000, True), (10_000.01, False)])
def test_g1_futures_pay_no_premium_and_stop_above_the_limit(cost, allowed):
    assert rooms(FUTURE, cost=cost).get("G1", 99) == (99 if allowed else 0)


@pytest.mark.parametrize("state", [regime(spike=True), regime(shift=True)])
def test_g1_in_a_spike_or_a_shift_the_floor_and_the_core_go_on_and_nothing_else(state):
    assert rooms(cost=50_000, state=state)["G1"] == 0
    assert rooms(cost=9_900, state=state)["G1"] == 1  # the soft limit
    assert rooms(cost=50_000, exempt=7, state=state)["G1"] == 7
    assert rooms(cost=0, exempt=7, state=state)["G1"] == 100
    assert rooms(FUTURE, cost=50_000, exempt=2, state=state)["G1"] == 2
    assert rooms(FUTURE, cost=50_000, state=state)["G1"] == 0
    assert "G1" not in rooms(cost=50_000, layer="L1", core=True, state=state)


@pytest.mark.parametrize("state", [regime(spike=None, shift=None), regime()])
def test_g1_binds_where_the_regime_is_not_known(state):
    assert rooms(cost=50_000, state=state)["G1"] == 0


def test_g1_purchases_at_work_and_taken_count():
    working = lot("VIX 18MAR20 25 C", 0, buying=50, cost_usd=100.0)
    assert rooms(lots=[working])["G1"] == 50
    spending = budget()
    spending.take(CALL, 30)
    assert spending.rooms(CALL, layer="L2", is_core=False)["G1"] == 70


@pytest.mark.parametrize(
    ("cost", "soft", "hard"),
    [
        (10_000, True, True),
        (10_001, False, True),
        (20_000, False, True),
        (20_001, False, False),
    ],
)
def test_g1_gates_show_cost_and_limits(cost, soft, hard):
    first, second, _ = budget(cost=cost).gates()
    assert (first.passed, second.passed) == (soft, hard)
    assert first.value == pytest.approx(cost / 1e6)
    assert (first.threshold, second.threshold) == (0.01, 0.02)


# --- G3 -------------------------------------------------------------------------------------------


def test_g3_caps_notional_over_the_condors_max_loss():
    """100 condors of 800 USD: 25 % are 20,000 USD."""
    assert budget().notional_cap_usd == pytest.approx(20_000)
    assert rooms()["G3"] == 200
    assert rooms(FUTURE)["G3"] == 1
    assert rooms(condors=())["G3"] == 0


@pytest.mark.parametrize(("ratio", "expected"), [(0.5, 100), (1.0, 200), (2.0, 400), (None, 200)])
def test_g3_scales_with_the_volatility_forecast(ratio, expected):
    assert rooms(forecast=ratio)["G3"] == expected


def test_g3_counts_what_was_paid_and_what_is_at_work():
    held = lot("VIX 18MAR20 25 C", 60, buying=20, cost_usd=100.0)
    future = lot("VXM 18MAR20", 2, cost_usd=1_600.0)
    assert rooms(lots=[held, future])["G3"] == 88
    spending = budget(lots=[held, future])
    spending.take(CALL, 80)
    assert spending.rooms(CALL, layer="L2", is_core=False)["G3"] == 8
    assert spending.notional_usd == pytest.approx(19_200)


def test_g3_gives_way_to_the_vega_floor_in_a_spike_only():
    assert rooms(condors=(), exempt=7)["G3"] == 0
    assert rooms(condors=(), exempt=7, state=regime(spike=True))["G3"] == 7
    assert rooms(exempt=7, state=regime(shift=True))["G3"] == 200


def test_g3_never_forces_a_sale():
    crowded = budget(lots=[lot("VIX 18MAR20 25 C", 900, cost_usd=100.0)])
    assert crowded.rooms(CALL, layer="L2", is_core=False)["G3"] == 0
    assert not crowded.gates()[2].passed


@pytest.mark.parametrize(
    ("vix", "closes", "expected"),
    [
        (20.0, np.full(300, 16.0), 1.25),
        (80.0, np.full(300, 16.0), 2.0),
        (6.0, np.full(300, 16.0), 0.5),
        (16.0, np.concatenate([np.full(100, 90.0), np.full(252, 16.0)]), 1.0),
        (16.0, np.concatenate([np.full(59, 16.0), np.full(200, np.nan)]), None),
        (32.0, np.concatenate([np.full(60, 16.0), np.full(192, np.nan)]), 2.0),
        (None, np.full(300, 16.0), None),
        (16.0, np.array([]), None),
    ],
)
def test_g3_forecast_ratio_is_vix_over_its_mean_of_a_year(vix, closes, expected):
    expected = None if expected is None else pytest.approx(expected)
    assert forecast_ratio(vix, closes, 0.0) == expected
    assert forecast_ratio(vix, closes, None) == expected


# --- G6 -------------------------------------------------------------------------------------------


def holder(ratio: str):
    """Maintenance of 1,000; cash + excess make the ratio."""
    return replace(
        account("1000000"),
        maintenance_margin_usd=Decimal(1000),
        cash_usd=Decimal(ratio) * 1000 - 500,
        excess_liquidity_usd=Decimal(500),
    )


def test_g6_quick_ratio_is_cash_and_excess_over_maintenance():
    assert quick_ratio(holder("1.7")) == pytest.approx(1.7)
    assert quick_ratio(account()) is None


@pytest.mark.parametrize(
    ("ratio", "opens", "grows"),
    [("0.999", False, False), ("1", True, False), ("1.499", True, False), ("1.5", True, True)],
)
def test_g6_below_one_and_a_half_l3_may_not_grow_and_below_one_nothing_opens(ratio, opens, grows):
    cheap = candidate("VIX 20MAY20 40 C", bid=0.01, ask=0.01)
    facts = {"holder": holder(ratio), "condors": CONDORS}
    assert (rooms(cheap, layer="L3", **facts)["G6"] > 0) is grows
    for layer in ("L1", "L2"):
        assert (rooms(cheap, layer=layer, **facts)["G6"] > 0) is opens
    survive, grow = quick_ratio_gates(holder(ratio), RULES)
    assert (survive.passed, grow.passed) == (opens, grows)


def test_g6_no_margin_in_use_bounds_nothing():
    assert [gate.passed for gate in quick_ratio_gates(account(), RULES)] == [True, True]
    assert quick_ratio_gates(account(), RULES)[0].value == "no margin in use"


def test_g6_a_purchase_needs_its_premium_or_margin_in_excess_liquidity():
    little = replace(account(), excess_liquidity_usd=Decimal(950))
    assert rooms(holder=little)["G6"] == 9
    # initial margin of one VX at 17.00: 1.25 x 1,000 x 0.45 x 17
    enough = replace(account(), excess_liquidity_usd=Decimal("9562.50"))
    assert rooms(FUTURE, holder=enough)["G6"] == 1
    short = replace(account(), excess_liquidity_usd=Decimal("9562.49"))
    assert rooms(FUTURE, holder=short)["G6"] == 0


@pytest.mark.parametrize(
    ("beta", "expected"),
    [(0.5, 1.5), (0.0, 1.0), (-0.25, 0.75), (-0.5, 0.5), (-0.51, 0.5), (1.0, 2.0), (1.01, 2.0)],
)
def test_g3_condors_that_fall_with_the_market_have_more_to_insure(beta, expected):
    assert forecast_ratio(20.0, np.full(252, 20.0), beta) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("vix", "beta", "expected"),
    [(30.0, 0.2, 1.8), (30.0, 0.6, 2.0), (8.0, -0.9, 0.5), (5.0, 0.5, 0.75)],
)
def test_g3_the_adjusted_ratio_stays_between_a_half_and_two(vix, beta, expected):
    assert forecast_ratio(vix, np.full(252, 20.0), beta) == pytest.approx(expected)


def test_g3_futures_sold_short_count_with_what_they_stand_for():
    short = lot("VX 18MAR20", -1, cost_usd=17_000.0, unit=500.0)
    assert budget(lots=[short]).notional_usd == 17_000
    assert rooms(FUTURE, lots=[short])["G3"] == 0
