"""G5: beta of the book and its cost of capital; G6's ratio."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.model.rules import GovernorRules
from strategies.pricing.capital import capm_beta, quick_ratio, wacc
from tests.builders import account

RULES = GovernorRules()


def test_g5_beta_is_delta_dollars_over_net_liquidation():
    assert capm_beta(
        delta_usd=100.0, hedge_vega_usd=0.0, spx=3000.0, account=account()
    ) == pytest.approx(0.3)


def test_g5_the_hedge_counts_with_its_usual_spx_move():
    """VIX +1 goes with SPX -0.875 %: 875 USD a VIX point are -100,000 USD a whole SPX."""
    assert capm_beta(
        delta_usd=0.0, hedge_vega_usd=875.0, spx=3000.0, account=account()
    ) == pytest.approx(-0.1)


@pytest.mark.parametrize(("spx", "worth"), [(None, "1000000"), (3000.0, "0"), (3000.0, "-5")])
def test_g5_without_an_index_or_equity_there_is_no_beta(spx, worth):
    assert capm_beta(delta_usd=1.0, hedge_vega_usd=0.0, spx=spx, account=account(worth)) is None
    assert wacc(beta=None, account=account(worth), rate=0.03, rules=RULES) is None


@pytest.mark.parametrize(
    ("cash", "margin", "expected"),
    [
        ("1000000", "300000", 0.03 + 0.4 * 0.05),  # nothing is borrowed
        ("300000", "300000", 0.03 + 0.4 * 0.05),
        ("50000", "300000", (1.0 * 0.05 + 0.25 * 0.045) / 1.25),  # a quarter million is
        ("-250000", "0", (1.0 * 0.05 + 0.25 * 0.045) / 1.25),
    ],
)
def test_g5_wacc_weighs_equity_and_margin_debt(cash, margin, expected):
    holder = account(cash=cash, maintenance_margin=margin)
    assert wacc(beta=0.4, account=holder, rate=0.03, rules=RULES) == pytest.approx(expected)


@given(beta=st.floats(-2, 2), more=st.floats(0, 1))
def test_g5_wacc_rises_with_beta(beta, more):
    low, high = (
        wacc(beta=each, account=account(), rate=0.02, rules=RULES) for each in (beta, beta + more)
    )
    assert high >= low


def test_g6_the_quick_ratio_is_liquid_means_over_maintenance_margin():
    holder = account(cash="200000", maintenance_margin="400000")
    assert quick_ratio(holder) == pytest.approx((200_000 + 600_000) / 400_000)
    assert quick_ratio(account()) is None
    assert quick_ratio(account(maintenance_margin=str(Decimal("0.01")))) > 0
