"""G6: what has to go while the quick ratio is below one."""

from dataclasses import replace
from decimal import Decimal

import pytest

from strategies.alvh.liquidity import lacking_usd, relief_usd, sell_for_liquidity
from strategies.alvh.rebalance import Sales
from strategies.model.orders import Urgency
from strategies.pricing.capital import quick_ratio
from tests.builders import account
from tests.strategies.alvh.builders import lot

NEAR, LATE = "VXM 19FEB20", "VXM 15APR20"
# 100 x max(6, 0.45 x 17.40), three quarters of it beyond 60 days; each counts twice
NEAR_RELIEF, LATE_RELIEF = 1566.0, 1174.5


def futures(near=5, late=5, **facts):
    return (
        lot(NEAR, near, bid=17.39, ask=17.41, **facts),
        lot("VIX 18MAR20 22 C", 50),
        lot(LATE, late, bid=17.39, ask=17.41),
    )


def sold(lacking, lots=None, sales=None):
    lots = futures() if lots is None else lots
    sales = sales or Sales(lots, ())
    sell_for_liquidity(sales, lots, Decimal(str(lacking)))
    assert all(trade.urgency is Urgency.URGENT for trade in sales.trades if "G6" in trade.rules)
    return {str(trade.instrument): -trade.contracts for trade in sales.trades}


@pytest.mark.parametrize(
    ("cash", "excess", "lacking"),
    [("600", "400", "0"), ("600", "399.99", "0.01"), ("600.01", "400", "0"), ("0", "0", "1000")],
)
def test_g6_lacking_is_what_cash_and_excess_leave_of_the_maintenance_margin(cash, excess, lacking):
    holder = replace(
        account(cash=cash, maintenance_margin="1000"), excess_liquidity_usd=Decimal(excess)
    )
    assert lacking_usd(holder) == Decimal(lacking)
    assert (quick_ratio(holder) < 1) is (Decimal(lacking) > 0)


def test_g6_no_margin_lacks_nothing():
    assert lacking_usd(account(cash="-5")) == 0


def test_g6_the_relief_brings_the_ratio_to_one_and_not_further_than_needed():
    """Cash 20, excess 30, maintenance 100: closing what frees 30 and costs 10 makes 70 / 70."""
    assert relief_usd(Decimal(30), Decimal(10)) == 50
    assert (20 - 10 + 30 + 30) / (100 - 30) == 1.0


@pytest.mark.parametrize(
    ("lacking", "expected"),
    [
        (0, {}),
        (0.01, {NEAR: 1}),
        (NEAR_RELIEF, {NEAR: 1}),
        (NEAR_RELIEF + 0.01, {NEAR: 2}),
        (5 * NEAR_RELIEF, {NEAR: 5}),
        (5 * NEAR_RELIEF + 2 * LATE_RELIEF, {NEAR: 5, LATE: 2}),
        (99_999, {NEAR: 5, LATE: 5}),
    ],
)
def test_g6_futures_go_by_contract_the_largest_margin_first_and_calls_stay(lacking, expected):
    assert sold(lacking) == expected


def test_g6_futures_sold_already_count():
    lots = futures(selling=2)
    assert sold(2 * NEAR_RELIEF, lots) == {}
    assert sold(3 * NEAR_RELIEF, lots) == {NEAR: 1}
    sales = Sales(futures(), ())
    sales.sell(futures()[2], 2, ("B10",))
    assert sold(2 * LATE_RELIEF, futures(), sales) == {LATE: 2}


def test_g6_a_future_without_a_value_is_not_sold():
    assert sold(100, (lot(NEAR, 5, priced=False),)) == {}
