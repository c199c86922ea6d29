"""G2: the L1 core, bought once for each condor that has filled."""

from dataclasses import replace
from decimal import Decimal

import pytest

from strategies.alvh.core import (
    CoreNeed,
    buy_core,
    calls_held,
    condors_to_insure,
    core_held,
    core_vega_usd,
)
from strategies.alvh.governors import Budget
from strategies.alvh.rebalance import Purchases, Sales
from tests.builders import account, condor_position
from tests.strategies.alvh.builders import RULES, candidate, lot, regime, usd

CALL = candidate("VIX 19FEB20 20 C", unit=10.0, bid=0.60, ask=0.64, score=1.0)
DEARER = candidate("VIX 19FEB20 18 C", unit=20.0, bid=1.20, ask=1.24, score=2.0)
FUTURE = candidate("VX 19FEB20", unit=600.0, bid=16.45, ask=16.5, score=0.0)
CONDOR = condor_position("SPXW 20MAR20 3040/3050/3405/3415", quantity=33, credit="2.50")
SECOND = replace(CONDOR, condor_id="C0002")
PLENTY_USD = 1e6


def core(
    ranked=(CALL, DEARER),
    *,
    new=(CONDOR,),
    held=0,
    lots=(),
    lacking=PLENTY_USD,
    most=PLENTY_USD,
    ceiling=PLENTY_USD,
    cost=0.0,
    state=None,
    holder=None,
    rules=RULES,
):
    """Buy the core of new condors: (contracts bought, core afterwards, gate, trades)."""
    lots = tuple(lots)
    sales = Sales(lots, ())
    budget = Budget(
        account=holder or account(),
        hedge_cost_usd=usd(cost),
        lots=lots,
        condors=new,
        regime=state or regime(),
        forecast=1.0,
        rules=rules.governors,
    )
    buying = Purchases(
        lots, sales, budget=budget, ceiling_usd=ceiling, purposes_at_work=(), rules=rules
    )
    need = CoreNeed(
        condors=tuple(new),
        core_contracts=held,
        calls_held=calls_held(lots, sales),
        lacking_usd=lacking,
        most_usd=most,
    )
    after, gate = buy_core(buying, need, ranked, budget=budget, rules=rules)
    assert gate.rule == "G2"
    assert gate.note.startswith("core for C0001")
    return sum(trade.contracts for trade in buying.trades), after, gate, buying.trades


def test_g2_spends_a_tenth_of_the_credit_on_the_best_call():
    bought, after, gate, (trade,) = core()
    assert gate.threshold == pytest.approx(825.0)  # 10 % of 33 x 250
    assert bought == after == 12  # 64 USD each at the offer
    assert gate.value == pytest.approx(768.0)
    assert gate.passed
    assert gate.note == "core for C0001: 12 VIX 19FEB20 20 C"
    assert trade.instrument == CALL.instrument
    assert trade.layer == "L1"
    assert trade.rules == ("L1", "G2")


def test_g2_condors_that_are_new_together_share_one_purchase():
    bought, _, gate, _ = core(new=(CONDOR, SECOND))
    assert bought == 25
    assert gate.threshold == pytest.approx(1650.0)
    assert gate.note == "core for C0001, C0002: 25 VIX 19FEB20 20 C"


@pytest.mark.parametrize(
    ("quantity", "credit", "bought"),
    [(1, "6.39", 0), (1, "6.40", 1), (1, "12.79", 1), (1, "12.80", 2), (3, "2.50", 1)],
)
def test_g2_buys_whole_contracts_and_saves_nothing_up(quantity, credit, bought):
    small = replace(CONDOR, quantity=quantity, entry_credit=Decimal(credit))
    wide = replace(small.legs, long_put=replace(small.legs.long_put, strike=Decimal(3000)))
    count, _, gate, _ = core(new=(replace(small, legs=wide),))
    assert count == bought
    assert gate.passed is (bought > 0)
    if not bought:
        assert "costs 64" in gate.note


def test_g2_the_core_is_made_of_calls():
    bought, _, gate, _ = core((FUTURE,))
    assert bought == 0
    assert not gate.passed
    assert gate.note.endswith("no VIX call of its tenor and delta is quoted")
    assert core((FUTURE, CALL))[0] == 12


# --- which condors are new ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("insured", "at_work", "new"),
    [
        ((), (), ["C0001", "C0002"]),
        (("C0001",), (), ["C0002"]),
        (("C0001", "C0002"), (), []),
        ((), ("condor:C0002:open",), ["C0001"]),
        ((), ("condor:C0001:close",), ["C0002"]),
        ((), ("condor:C0003:open", "hedge:L1:add:VIX"), ["C0001", "C0002"]),
    ],
)
def test_g2_a_condor_is_new_once_its_entry_is_done_until_its_core_is_decided(insured, at_work, new):
    found = condors_to_insure((CONDOR, SECOND), insured, at_work)
    assert [condor.condor_id for condor in found] == new


# --- calls that L1 holds beyond its core ----------------------------------------------------------


@pytest.mark.parametrize(
    ("spare", "lacking", "bought", "after"),
    [
        (0, -PLENTY_USD, 12, 17),  # nothing is spare: the core is bought whatever the band says
        (5, 0.0, 7, 17),  # five of the twelve are there already
        (12, 0.0, 0, 17),
        (30, 0.0, 0, 17),
        (30, 45.0, 4, 17),  # four of the calls that the band still wants
        (30, PLENTY_USD, 12, 17),  # the band wants those held and more
        (5, PLENTY_USD, 12, 17),
    ],
)
def test_g2_calls_held_beyond_the_core_serve_before_any_are_bought(spare, lacking, bought, after):
    held = [lot("VIX 19FEB20 22 C", 5 + spare, cost_usd=0.0)]
    count, core_after, gate, _ = core(held=5, lots=held, lacking=lacking)
    assert (count, core_after) == (bought, after)
    assert gate.passed
    if not bought:
        assert gate.value == 0.0
        assert gate.note == "core for C0001: 12 of the calls held"


def test_g2_where_nothing_may_be_bought_the_calls_held_are_kept_as_core():
    held = [lot("VIX 19FEB20 22 C", 9, cost_usd=0.0)]
    bought, after, gate, _ = core(held=5, lots=held, cost=20_000)
    assert (bought, after) == (0, 9)
    assert not gate.passed
    assert gate.note == "core for C0001: G1 leaves no room"


# --- governors ------------------------------------------------------------------------------------


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


def test_g3_the_core_stays_inside_the_cap_of_the_condors_held():
    held = [lot("VIX 18MAR20 22 C", 1, cost_usd=6_000.0)]
    assert core(lots=held)[0] == 2  # 6,187.50 USD for both


@pytest.mark.parametrize(
    ("ceiling", "most", "bought"),
    [(PLENTY_USD, 59.0, 5), (550.0, PLENTY_USD, 5), (550.0, 30.0, 3), (500.0, 600.0, 0)],
)
def test_g7_the_core_stays_below_the_ceiling_and_l1_s_largest_scale(ceiling, most, bought):
    held = [lot("VIX 18MAR20 22 C", 50, cost_usd=0.0)]
    count, _, gate, _ = core(lots=held, ceiling=ceiling, most=most)
    assert count == bought
    if not bought:
        assert gate.note == "core for C0001: G7 leaves no room"


def test_g6_no_core_below_a_quick_ratio_of_one():
    poor = account("1000", maintenance_margin="999")
    assert core(holder=poor, cost=-1e6)[0] == 0


def test_l7_the_core_goes_to_another_expiry_where_one_is_full():
    later = candidate("VIX 26FEB20 20 C", score=5.0)
    held = [lot("VIX 19FEB20 22 C", 20, cost_usd=0.0)]
    _, _, _, (trade,) = core((CALL, later), held=20, lots=held)
    assert trade.instrument == later.instrument
    full = [*held, lot("VIX 26FEB20 22 C", 20, cost_usd=0.0)]
    bought, after, gate, _ = core((CALL, later), held=40, lots=full, new=(CONDOR,) * 12)
    assert (bought, after) == (0, 40)
    assert gate.note.endswith("L7 leaves no room")


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
    assert calls_held(lots, Sales(lots, ())) == 7


def test_core_vega_counts_the_longest_calls():
    lots = (
        lot("VIX 12FEB20 20 C", 5, unit=8.0),
        lot("VIX 19FEB20 20 C", 5, unit=10.0),
        lot("VIX 18MAR20 22 C", 5, unit=99.0),
    )
    sales = Sales(lots, ())
    assert core_vega_usd(7, lots, sales) == pytest.approx(66.0)
    assert core_vega_usd(0, lots, sales) == 0
