"""G2: the L1 core, bought with each condor."""

from decimal import Decimal

import pytest

from strategies.alvh.core import OpeningCondor, buy_core, core_held, core_vega_usd
from strategies.alvh.governors import Budget
from strategies.alvh.rebalance import Purchases, Sales
from tests.builders import account
from tests.strategies.alvh.builders import RULES, candidate, lot, regime, usd

CALL = candidate("VIX 19FEB20 20 C", unit=10.0, bid=0.60, ask=0.64, score=1.0)
DEARER = candidate("VIX 19FEB20 18 C", unit=20.0, bid=1.20, ask=1.24, score=2.0)
FUTURE = candidate("VX 19FEB20", unit=600.0, bid=16.45, ask=16.5, score=0.0)
OPENING = OpeningCondor(
    quantity=33,
    credit=Decimal("2.50"),
    max_loss_usd=Decimal(24_750),
    factor_vega_usd=-800.0,
)


def core(
    ranked=(CALL, DEARER),
    *,
    opening=OPENING,
    lots=(),
    cost=0.0,
    state=None,
    holder=None,
    rules=RULES,
):
    lots = tuple(lots)
    sales = Sales(lots, ())
    budget = Budget(
        account=holder or account(),
        hedge_cost_usd=usd(cost),
        lots=lots,
        condors=(),
        regime=state or regime(),
        forecast=1.0,
        rules=rules.governors,
    )
    buying = Purchases(
        lots, sales, budget=budget, ceiling_usd=0.0, purposes_at_work=(), rules=rules
    )
    bought, gate = buy_core(
        buying,
        opening,
        ranked,
        budget=budget,
        sales=sales,
        condor_vega_usd=0.0,
        condors=0,
        rules=rules,
    )
    assert gate.rule == "G2"
    assert gate.passed is (bought > 0)
    return bought, gate, buying.trades


def test_g2_spends_a_tenth_of_the_credit_on_the_best_call():
    bought, gate, (trade,) = core()
    assert gate.threshold == pytest.approx(825.0)  # 10 % of 33 x 250
    assert bought == 12  # 64 USD each at the offer
    assert gate.value == pytest.approx(768.0)
    assert trade.instrument == CALL.instrument
    assert trade.layer == "L1"
    assert trade.rules == ("L1", "G2")


@pytest.mark.parametrize(
    ("quantity", "credit", "bought"),
    [(1, "6.39", 0), (1, "6.40", 1), (1, "12.79", 1), (1, "12.80", 2), (3, "2.50", 1)],
)
def test_g2_buys_whole_contracts_and_saves_nothing_up(quantity, credit, bought):
    opening = OpeningCondor(
        quantity=quantity,
        credit=Decimal(credit),
        max_loss_usd=Decimal(900),
        factor_vega_usd=-800.0,
    )
    count, gate, _ = core(opening=opening)
    assert count == bought
    if not bought:
        assert "costs 64" in gate.note


def test_g2_the_core_is_made_of_calls():
    assert core((FUTURE,))[0] == 0
    assert core((FUTURE,))[1].note == "no VIX call of its tenor and delta is quoted"
    assert core((FUTURE, CALL))[0] == 12


@pytest.mark.parametrize(
    ("cost", "state", "bought"),
    [
        (10_000, None, 12),  # the soft limit lets the core through
        (19_300, None, 10),
        (20_000, None, 0),
        (50_000, None, 0),
        (50_000, regime(spike=True), 12),
    ],
)
def test_g1_the_hard_limit_stops_the_core_outside_spikes(cost, state, bought):
    assert core(cost=cost, state=state)[0] == bought


def test_g3_the_core_stays_inside_the_cap_of_its_own_condor():
    held = [lot("VIX 18MAR20 22 C", 1, cost_usd=6_000.0)]
    assert core(lots=held)[0] == 2  # 6,187.50 USD for both


def test_g7_the_core_counts_against_the_band_of_the_book_with_its_condor():
    """Ceiling: 0.10 x 100 x 33 + 800 = 1,130; L1's largest scale: 1.5 x 0.5 x 800 = 600."""
    assert core(lots=[lot("VIX 19FEB20 22 C", 55, cost_usd=0.0)])[0] == 5
    assert core(lots=[lot("VIX 18MAR20 22 C", 108, cost_usd=0.0)])[0] == 5
    full = core(lots=[lot("VIX 19FEB20 22 C", 60, cost_usd=0.0)])
    assert full[0] == 0
    assert full[1].note == "G7 leaves no room"


def test_g6_no_core_below_a_quick_ratio_of_one():
    poor = account("1000", maintenance_margin="999")
    assert core(holder=poor, cost=-1e6)[0] == 0


def test_l7_the_core_goes_to_another_expiry_where_one_is_full():
    later = candidate("VIX 26FEB20 20 C", score=5.0)
    held = [lot("VIX 19FEB20 22 C", 20, cost_usd=0.0)]
    _, _, (trade,) = core((CALL, later), lots=held)
    assert trade.instrument == later.instrument


# --- what counts as core --------------------------------------------------------------------------


def test_core_contracts_are_never_more_than_the_calls_l1_holds():
    lots = (
        lot("VIX 19FEB20 20 C", 8, selling=1),
        lot("VX 19FEB20", 3, unit=600.0),
        lot("VIX 18MAR20 22 C", 50),
    )
    sales = Sales(lots, ())
    assert core_held(5, lots, sales) == 5
    assert core_held(9, lots, sales) == 7
    sales.sell(lots[0], 4, ("B1",))
    assert core_held(9, lots, sales) == 3
    assert core_held(9, (), Sales((), ())) == 0


def test_core_vega_counts_the_longest_calls():
    lots = (
        lot("VIX 12FEB20 20 C", 5, unit=8.0),
        lot("VIX 19FEB20 20 C", 5, unit=10.0),
        lot("VIX 18MAR20 22 C", 5, unit=99.0),
    )
    sales = Sales(lots, ())
    assert core_vega_usd(7, lots, sales) == pytest.approx(66.0)
    assert core_vega_usd(0, lots, sales) == 0
