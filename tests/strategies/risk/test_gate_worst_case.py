"""The gate's worst case (I6) against a book in which every subset of its orders has filled."""

from dataclasses import replace
from decimal import Decimal
from itertools import chain, combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies.model.book import LoosePosition
from strategies.model.lifecycle import OrderStatus
from strategies.model.limits import HaltScope, SystemState
from strategies.model.orders import ApprovedOrder, PositionEffect
from strategies.model.structures import legs_at_work, option_positions
from strategies.pricing.margin import is_covered
from strategies.risk.checks.worst_case import loose_loss_usd, loss_at_work_usd
from strategies.risk.cover import uncovered_contracts
from strategies.risk.gate import RefusalReason
from tests.builders import book, condor_position, hedge_position, instrument
from tests.strategies.risk.test_gate import (
    CALL,
    CONDOR,
    HELD,
    LIMITS,
    READY,
    ask,
    at_work,
    close_condor,
    hedge,
    open_condor,
    reason,
    sell,
)
from tests.strategies.risk.test_gate_rolls import BOOK, WIDER, roll
from tests.strategies.risk.test_gate_rolls import IN as ROLLED_IN
from tests.strategies.risk.test_gate_rolls import QUOTES as ROLL_QUOTES

_R = RefusalReason
VX, VXM = "VX 18MAR20", "VXM 18MAR20"


def loose(text: str, contracts: int) -> LoosePosition:
    return LoosePosition(instrument=instrument(text), net_contracts=contracts)


def another(quantity: int, n: int = 3, limit: str = "-1.50"):
    """Return another condor's opening order at work."""
    return at_work(open_condor(quantity, limit=limit), purpose=f"condor:C{n:04d}:open")


def most_lost(held) -> Decimal:
    return sum((each.max_loss_usd for each in held.condors), loose_loss_usd(held.loose))


def worst_of(held) -> Decimal:
    """Return the highest max loss of a book over every subset of its orders, one by one."""
    losses = [loss_at_work_usd(order, held) for order in held.working]
    subsets = chain.from_iterable(combinations(losses, n) for n in range(len(losses) + 1))
    return max(most_lost(held) + sum(subset, Decimal(0)) for subset in subsets)


opening = st.builds(
    lambda quantity, n, limit: another(quantity, n, f"-{limit}"),
    st.integers(1, 20),
    st.integers(3, 30),
    st.sampled_from(["1.25", "1.50", "2.00"]),
)
closing = st.builds(
    lambda quantity: at_work(close_condor(quantity), purpose="x"), st.integers(1, 10)
)
orders_at_work = st.lists(opening | closing, max_size=7).map(tuple)


@settings(deadline=None)
@given(orders_at_work, st.integers(1, 30), st.integers(4_000, 60_000))
def test_i6_the_gate_refuses_exactly_what_passes_a_limit_in_some_subset(working, quantity, most):
    held = replace(
        book(condors=[condor_position(CONDOR, quantity=10, credit="1.50")]), working=working
    )
    limits = replace(LIMITS, total_max_loss_usd=Decimal(most))
    own = (5 - Decimal("1.25")) * 100 * quantity
    passes = worst_of(held) + own <= most
    assert reason(ask(open_condor(quantity), held=held, limits=limits)) is (
        None if passes else _R.TOTAL_MAX_LOSS
    )


@settings(deadline=None, max_examples=25)
@given(st.lists(opening, min_size=11, max_size=14).map(tuple))
def test_i6_for_more_than_ten_orders_the_bound_holds(working):
    held = replace(HELD, working=working)
    worst = most_lost(held) + sum(loss_at_work_usd(order, held) for order in working)
    for most, expected in ((worst + 3750, None), (worst + 3749, _R.TOTAL_MAX_LOSS)):
        limits = replace(
            LIMITS,
            total_max_loss_usd=Decimal(most),
            active_orders_per_side_max=100,
        )
        assert reason(ask(open_condor(), held=held, limits=limits)) is expected


@pytest.mark.parametrize("status", [OrderStatus.UNKNOWN, OrderStatus.SENDING, OrderStatus.LIVE])
def test_i6_an_order_in_doubt_counts_as_one_that_is_there(status):
    held = replace(HELD, working=(replace(another(10), status=status),))
    for most, expected in (("10750", None), ("10749.99", _R.TOTAL_MAX_LOSS)):
        limits = replace(LIMITS, total_max_loss_usd=Decimal(most))
        assert reason(ask(open_condor(), held=held, limits=limits)) is expected


def test_i6_a_close_at_work_makes_no_room_before_it_fills():
    held = replace(HELD, working=(at_work(close_condor(10)),))
    for most, expected in (("7250", None), ("7249", _R.TOTAL_MAX_LOSS)):  # 3,500 and 3,750
        limits = replace(LIMITS, total_max_loss_usd=Decimal(most))
        assert reason(ask(open_condor(), held=held, limits=limits)) is expected


def test_what_each_kind_of_order_adds_to_the_loss():
    held = replace(BOOK, condors=(*BOOK.condors, replace(BOOK.condors[0], condor_id="C0009")))
    close = close_condor(4, worst="1.50")
    cases = [
        (open_condor(2, limit="-1.50"), 700),
        (close, -1400),
        (replace(close, quantity=40), -3500),  # no more than is held
        (replace(close, condor_id="C0008"), 0),
        (replace(close, legs=close.legs[:2]), 0),
        (hedge(), 0),
        (roll(WIDER, 3), 1425),  # 5 points wider, 0.25 received
        (roll(ROLLED_IN, 3), -75),
    ]
    for intent, usd in cases:
        assert loss_at_work_usd(at_work(intent), held) == usd, intent.purpose


def test_i6_a_book_over_its_limit_stops_no_roll_that_adds_nothing():
    limits = replace(LIMITS, total_max_loss_usd=Decimal(1), condor_max_loss_usd=Decimal(1))
    assert reason(ask(roll(), held=BOOK, quotes=ROLL_QUOTES, limits=limits)) is None


# --- what lies loose ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("positions", "usd"),
    [
        ([], 0),
        ([("SPXW 20MAR20 3050 P", 3)], 0),
        ([("SPXW 20MAR20 3055 P", -1)], 305_500),  # the index at nothing
        ([("SPXW 20MAR20 3050 P", 1), ("SPXW 20MAR20 3055 P", -1)], 500),
        ([("SPXW 20MAR20 3050 P", 2), ("SPXW 20MAR20 3055 P", -1)], 500),
        ([("SPXW 20MAR20 3405 C", 2), ("SPXW 20MAR20 3400 C", -2)], 1000),
        (
            [
                ("SPXW 20MAR20 3050 P", 1),
                ("SPXW 20MAR20 3055 P", -1),
                ("SPXW 20MAR20 3405 C", 1),
                ("SPXW 20MAR20 3400 C", -1),
            ],
            500,  # one side only
        ),
        ([("SPXW 20MAR20 3060 P", 1), ("SPXW 20MAR20 3055 P", -1)], 0),
        ([(CALL, -1), (VX, -1)], 0),  # counted as contracts
    ],
)
def test_loose_options_cost_at_most_what_their_strikes_allow(positions, usd):
    assert loose_loss_usd(tuple(loose(*each) for each in positions)) == usd


def test_i6_loose_verticals_count_in_the_total():
    legs = (loose("SPXW 20MAR20 3050 P", 2), loose("SPXW 20MAR20 3055 P", -2))
    held = replace(HELD, loose=legs)
    for most, expected in (("8250", None), ("8249", _R.TOTAL_MAX_LOSS)):  # 3,500, 1,000, 3,750
        limits = replace(LIMITS, total_max_loss_usd=Decimal(most))
        assert reason(ask(open_condor(), held=held, limits=limits)) is expected


def test_loose_contracts_count_as_hedges_do():
    held = replace(HELD, loose=(loose(CALL, 5),))
    for most, expected in ((25, None), (24, _R.HEDGE_CONTRACTS)):
        limits = replace(LIMITS, hedge_contracts_max=most)
        assert reason(ask(hedge(quantity=10), held=held, limits=limits)) is expected
    futures = replace(book(), loose=(loose(VX, -39),))
    mini = {"ratio": -1, "limit": "-16.98", "worst": "-16.97"}
    assert reason(ask(hedge(VXM, 10, **mini), held=futures)) is None
    assert reason(ask(hedge(VXM, 11, **mini), held=futures)) is _R.FUTURES_CONTRACTS


@pytest.mark.parametrize("contracts", [-1, -3])
def test_g8_a_loose_short_without_cover_forbids_every_open_and_no_close(contracts):
    """Fault E1: the operator closes half a condor."""
    held = replace(HELD, loose=(loose("SPXW 20MAR20 3060 P", contracts),))
    assert reason(ask(open_condor(), held=held)) is _R.UNCOVERED
    assert reason(ask(hedge(), held=held)) is _R.UNCOVERED
    assert reason(ask(close_condor(), held=held)) is None
    assert reason(ask(sell(), held=held)) is None


def test_g8_a_loose_short_that_a_loose_long_covers_forbids_nothing():
    legs = (loose("SPXW 20MAR20 3060 P", -1), loose("SPXW 20MAR20 3050 P", 1))
    assert reason(ask(open_condor(), held=replace(HELD, loose=legs))) is None


# --- futures, whichever orders fill ---------------------------------------------------------------


def test_i6_futures_bought_and_sold_do_not_balance_until_both_have_filled():
    """39 long; a sale at work may not fill, a purchase of minis may."""
    held = book(hedges=[hedge_position("VX 19FEB20", 39, cost="16")])
    sale = hedge(VX, 5, ratio=-1, limit="-17", worst="-16.95")
    held = replace(held, working=(at_work(sale, purpose="s"),))
    limits = replace(LIMITS, futures_contracts_max=45)
    mini = {"limit": "16.98", "worst": "16.99"}
    # 39 + 5 short of another month + minis: whichever way each points
    assert reason(ask(hedge(VXM, 10, **mini), held=held, limits=limits)) is None
    assert reason(ask(hedge(VXM, 11, **mini), held=held, limits=limits)) is _R.FUTURES_CONTRACTS


# --- I10: reduce means reduce ---------------------------------------------------------------------


def filled(held, intent, quantity):
    """Return the book after so many packages of a closing order have filled."""
    signed = {leg.instrument: leg.ratio * quantity for leg in intent.legs}
    condors = tuple(
        replace(each, quantity=each.quantity - quantity)
        for each in held.condors
        if each.condor_id == intent.condor_id
    )
    others = tuple(each for each in held.condors if each.condor_id != intent.condor_id)
    if intent.condor_id is not None and not intent.purpose.startswith("repair:"):
        return replace(held, condors=(*others, *condors))
    kind = "loose" if intent.purpose.startswith("repair:") else "hedges"
    singles = {each.instrument: each for each in getattr(held, kind)}
    for contract, change in signed.items():
        if contract in singles:
            net = singles[contract].net_contracts + change
            singles[contract] = replace(singles[contract], net_contracts=net)
        else:
            singles[contract] = LoosePosition(instrument=contract, net_contracts=change)
    return replace(held, **{kind: tuple(singles.values())})


def risks(held):
    """Return every measure of risk that a reduction must not raise."""
    singles = (*held.hedges, *held.loose)
    futures = {h.instrument: abs(h.net_contracts) for h in singles if h.instrument.root[:2] == "VX"}
    return {
        "loss": sum((each.max_loss_usd for each in held.condors), Decimal(0)),
        "uncovered": Decimal(uncovered_contracts(option_positions(held))),
        "condors": Decimal(sum(each.quantity for each in held.condors)),
        "futures": Decimal(sum(futures.values())),
    }


REDUCING = replace(READY, state=SystemState.REDUCE_ONLY)
LOOSE_LEGS = ["SPXW 20MAR20 3050 P", "SPXW 20MAR20 3055 P", "SPXW 20MAR20 3400 C", CALL, VX]
PRICES = {
    "SPXW 20MAR20 3050 P": ("20.00", "20.20"),
    "SPXW 20MAR20 3055 P": ("20.80", "21.00"),
    "SPXW 20MAR20 3400 C": ("12.80", "13.00"),
    CALL: ("0.60", "0.64"),
    VX: ("16.95", "17.00"),
}


def repair(text: str, contracts: int, **changes):
    """Return a repair that buys (> 0) or sells so many contracts."""
    bid, ask_ = PRICES[text]
    price = ask_ if contracts > 0 else f"-{bid}"
    intent = hedge(text, abs(contracts), ratio=1 if contracts > 0 else -1, limit=price, worst=price)
    return replace(
        intent,
        purpose=f"repair:C0001:{text}",
        effect=PositionEffect.CLOSE,
        **{"layer": None, "condor_id": "C0001", **changes},
    )


reductions = st.one_of(
    st.builds(close_condor, st.integers(1, 12)),
    st.builds(sell, st.just(CALL), st.integers(1, 12)),
    st.builds(
        repair, st.sampled_from(LOOSE_LEGS), st.integers(-5, 5).filter(lambda contracts: contracts)
    ),
    st.builds(lambda n: hedge(VX, n, limit="17", worst="17"), st.integers(1, 5)),
    st.builds(open_condor, st.integers(1, 5)),
)
books = st.builds(
    lambda contracts, calls, shorts, futures: replace(
        book(
            condors=[condor_position(CONDOR, quantity=10, credit="1.50")],
            hedges=[
                hedge_position(text, n)
                for text, n in ((CALL, calls), ("VIX 18MAR20 30 C", shorts), (VX, futures))
                if n
            ],
        ),
        loose=tuple(loose(text, n) for text, n in contracts.items() if n),
    ),
    st.dictionaries(st.sampled_from(LOOSE_LEGS[:3]), st.integers(-4, 4)),
    st.integers(0, 10),
    st.integers(-5, 0),
    st.integers(-5, 5),
)


@settings(deadline=None, max_examples=150)
@given(reductions, books)
def test_i10_what_passes_while_reducing_raises_no_risk_after_any_fill_of_it(intent, held):
    for readiness in (REDUCING, replace(READY, halt_scope=HaltScope.FLATTEN)):
        if isinstance(ask(intent, held=held, readiness=readiness), ApprovedOrder):
            before = risks(held)
            for quantity in range(1, intent.quantity + 1):
                after = risks(filled(held, intent, quantity))
                assert all(after[name] <= before[name] for name in before), (after, before)


@settings(deadline=None)
@given(books)
def test_uncovered_contracts_are_counted_as_cover_is_checked(held):
    positions = option_positions(held)
    assert (uncovered_contracts(positions) == 0) is (not is_covered(positions))


# --- repairs --------------------------------------------------------------------------------------

SHORT = "SPXW 20MAR20 3055 P"
LONG = "SPXW 20MAR20 3050 P"


def broken(*legs, working=()):
    return replace(book(), loose=tuple(loose(*each) for each in legs), working=working)


@pytest.mark.parametrize(
    ("intent", "held", "expected"),
    [
        # a loose short is bought back, no more of it than there is
        (repair(SHORT, 3), broken((SHORT, -3)), None),
        (repair(SHORT, 4), broken((SHORT, -3)), _R.NOT_A_REPAIR),
        (repair(SHORT, 3), broken((SHORT, -3), (LONG, 3)), None),
        (repair(SHORT, 1), broken(), _R.NOT_A_REPAIR),
        # fault A29: the long that is missing is bought
        (repair(LONG, 3), broken((SHORT, -3)), None),
        (repair(LONG, 4), broken((SHORT, -3)), _R.NOT_A_REPAIR),
        (repair(LONG, 2), broken((SHORT, -3), (LONG, 1)), None),
        (repair(LONG, 3), broken((SHORT, -3), (LONG, 1)), _R.NOT_A_REPAIR),
        (repair("SPXW 20MAR20 3400 C", 1), broken((SHORT, -3)), _R.NOT_A_REPAIR),
        # a loose long is sold unless a short leans on it
        (repair(LONG, -3), broken((LONG, 3)), None),
        (repair(LONG, -4), broken((LONG, 3)), _R.NOT_A_REPAIR),
        (repair(LONG, -2), broken((LONG, 3), (SHORT, -1)), None),
        (repair(LONG, -3), broken((LONG, 3), (SHORT, -1)), _R.UNCOVERED),
        (repair(SHORT, -1), broken((SHORT, -3)), _R.NOT_A_REPAIR),
        # futures and calls of VIX
        (repair(VX, 2), broken((VX, -2)), None),
        (repair(VX, 1), broken((SHORT, -1)), _R.NOT_A_REPAIR),
        (repair(VX, -2), broken((VX, 2)), None),
        (repair(CALL, -2, layer="L2", condor_id=None), broken((CALL, 2)), None),
    ],
)
def test_a29_a_repair_takes_away_what_is_loose_or_buys_what_is_missing(intent, held, expected):
    """Fault A29: the missing long is bought first."""
    for effect in PositionEffect:
        verdict = ask(replace(intent, effect=effect), held=held, readiness=REDUCING)
        assert reason(verdict) is expected


def test_a_repair_at_work_is_counted_before_another():
    buying = replace(at_work(repair(SHORT, 2)), purpose="other")
    held = broken((SHORT, -3), working=(buying,))
    assert reason(ask(repair(SHORT, 1), held=held)) is None
    assert reason(ask(repair(SHORT, 2), held=held)) is _R.NOT_A_REPAIR
    covering = replace(at_work(repair(LONG, 2)), purpose="other")
    held = broken((SHORT, -3), working=(covering,))
    assert reason(ask(repair(LONG, 1), held=held)) is None
    assert reason(ask(repair(LONG, 2), held=held)) is _R.NOT_A_REPAIR


def test_a_repair_trades_one_instrument_at_a_time():
    intent = repair(SHORT, 1)
    held = broken((SHORT, -3), (LONG, -3))
    forty = {"limit_price": Decimal(41), "worst_price": Decimal(41)}
    two = replace(intent, legs=(*intent.legs, *repair(LONG, 1).legs), **forty)
    wide = replace(LIMITS, price_collar_points=Decimal(50))
    assert reason(ask(two, held=held, limits=wide)) is _R.NOT_A_REPAIR
    double = replace(intent, legs=(replace(intent.legs[0], ratio=2),), **forty)
    assert reason(ask(double, held=held, limits=wide)) is _R.NOT_A_REPAIR


def test_a_repair_needs_no_permission_to_open():
    held = broken((SHORT, -3))
    full = replace(READY, orders_today=500, approvals=())
    assert reason(ask(repair(SHORT, 3), held=held, readiness=full)) is None
    assert legs_at_work(at_work(repair(SHORT, 3)))[0][0] == instrument(SHORT)
