"""C9: when a condor is closed, with what urgency and at what price."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.condor.exits import (
    CloseMark,
    Unpriceable,
    exit_reason,
    legs_being_closed,
    most_to_pay,
    plan_exits,
    quoted_mark,
    with_close,
)
from strategies.model.book import CondorLegs, WorkingOrder
from strategies.model.ids import ClientOrderId
from strategies.model.lifecycle import OrderStatus
from strategies.model.orders import PositionEffect, Urgency
from strategies.model.quotes import CALL, PUT, OptionChain, to_price
from strategies.model.rules import CondorRules
from strategies.pricing.valuation import CondorValue, Valuer
from tests.builders import (
    TODAY,
    book,
    condor_position,
    leg,
    market_quotes,
    option_series,
    quote,
    spx_chain,
)

RULES = CondorRules()
CONDOR = condor_position("SPXW 20MAR20 3040/3050/3405/3415", quantity=7, credit="2.00")
FAR = date(2020, 2, 3)  # 46 days to expiry


def value(mid: float, natural: float | None = None) -> CondorValue:
    return CondorValue(
        mid_debit=mid,
        natural_debit=mid + 0.5 if natural is None else natural,
        delta=0.0,
        gamma=0.0,
        vega=-0.3,
        theta=0.1,
        factor_vega_usd=-25.0,
    )


def mark(mid: float) -> CloseMark:
    return CloseMark(debit=to_price(mid), natural=to_price(mid + 0.5), is_value=True)


def exits(
    mid: float | None,
    *,
    natural=None,
    condor=CONDOR,
    session=FAR,
    at_work=(),
    chain=None,
    rules=RULES,
):
    return plan_exits(
        (condor,),
        values={condor.condor_id: None if mid is None else value(mid, natural)},
        chain=chain,
        purposes_at_work=at_work,
        plan_id="p",
        session=session,
        rules=rules,
    )


def closed_too(planned, worth):
    return with_close(
        planned,
        CONDOR,
        value=worth,
        chain=None,
        asked_by="G6",
        note="quick ratio 0.9000",
        plan_id="p",
        rules=RULES,
    )


@pytest.mark.parametrize(
    ("mid", "note"),
    [(1.0001, None), (1.0, "profit target"), (0.9999, "profit target")],
)
def test_c9_takes_profit_at_half_the_credit(mid, note):
    reason = exit_reason(CONDOR, mark(mid), session=FAR, rules=RULES)
    assert (reason.note if reason else None) == note
    if reason:
        assert reason.urgency is Urgency.PATIENT


@pytest.mark.parametrize(
    ("mid", "note"),
    [(5.9999, None), (6.0, "stop loss"), (6.0001, "stop loss")],
)
def test_c9_stops_at_a_loss_of_two_credits(mid, note):
    reason = exit_reason(CONDOR, mark(mid), session=FAR, rules=RULES)
    assert (reason.note if reason else None) == note
    if reason:
        assert reason.urgency is Urgency.NORMAL  # from mid in even steps


@pytest.mark.parametrize("credit", ["2.2", "1.1", "0.55", "3.3", "0.35", "7.05"])
def test_c9_acts_at_its_thresholds_exactly_whatever_the_credit(credit):
    """Mids move in fortieths of a point; one of them apart is enough."""
    condor = replace(CONDOR, entry_credit=Decimal(credit))
    step = Decimal("0.025")

    def note(mid):
        reason = exit_reason(condor, mark(float(mid)), session=FAR, rules=RULES)
        return reason.note if reason else None

    stop, target = 3 * condor.entry_credit, condor.entry_credit / 2
    assert [note(stop - step), note(stop)] == [None, "stop loss"]
    assert [note(target + step), note(target)] == [None, "profit target"]


@pytest.mark.parametrize("quantity", [1, 3])
def test_c9_stops_on_a_mid_that_was_added_up_from_floats(quantity):
    mid = sum([2.2] * 3)  # 6.6000000000000005
    condor = replace(CONDOR, entry_credit=Decimal("2.2"), quantity=quantity)
    assert 6.6 - 2.2 < 2 * 2.2  # why floats will not do
    for each in (mid, 6.6):
        assert exit_reason(condor, mark(each), session=FAR, rules=RULES).note == "stop loss"


@pytest.mark.parametrize("mid", [5.9999, 5.99999, 1.00001])
def test_c9_a_gate_that_passes_does_not_show_its_threshold(mid):
    (gate,) = exits(mid).gates
    assert gate.passed
    assert -2.0 < gate.value < 0.5


@pytest.mark.parametrize(
    ("days", "note"),
    [(22, None), (21, "21 days to expiry"), (20, "20 days to expiry")],
)
def test_c9_leaves_21_days_before_expiry(days, note):
    session = CONDOR.expiry - timedelta(days=days)
    reason = exit_reason(CONDOR, mark(2.0), session=session, rules=RULES)
    assert (reason.note if reason else None) == note


def test_c9_names_the_most_urgent_reason():
    late = CONDOR.expiry - timedelta(days=5)
    assert exit_reason(CONDOR, mark(7.0), session=late, rules=RULES).note == "stop loss"
    assert exit_reason(CONDOR, mark(0.5), session=late, rules=RULES).urgency is Urgency.NORMAL


def test_c9_without_a_value_only_the_clock_speaks_and_nothing_is_sent():
    assert exits(None).closes == ()
    late = exits(None, session=CONDOR.expiry - timedelta(days=21))
    assert late.orders == ()
    assert late.closes[0].mark_debit is None
    assert late.reasons == ("C9: C0001 cannot be priced (21 days to expiry; quotes are too old)",)
    assert late.closing_ids == frozenset()


def test_a_close_buys_the_condor_back_from_mid_toward_the_natural_price():
    plan = exits(1.0, natural=1.37)
    (order,) = plan.orders
    assert order.purpose == "condor:C0001:close"
    assert order.effect is PositionEffect.CLOSE
    assert order.quantity == 7
    assert order.legs == (
        leg("-1 SPXW 20MAR20 3040 P"),
        leg("+1 SPXW 20MAR20 3050 P"),
        leg("+1 SPXW 20MAR20 3405 C"),
        leg("-1 SPXW 20MAR20 3415 C"),
    )
    assert (order.limit_price, order.worst_price) == (Decimal("1.00"), Decimal("1.40"))
    assert plan.closing_ids == {"C0001"}


@pytest.mark.parametrize(
    ("mid", "natural", "limit", "worst"),
    [
        (6.0, 6.5, "6.00", "6.60"),  # a stop may pay two ticks more
        (6.0, 7.85, "6.00", "7.95"),  # the cap, half of the way from 6 to 10, is just above
        (6.0, 7.90, "6.00", "8.00"),  # at it
        (6.0, 7.95, "6.00", "8.00"),  # beyond it
        (9.0, 11.0, "9.00", "9.50"),
        (9.45, 11.0, "9.45", "9.70"),  # 9.725 on the grid
        (0.02, 0.06, "0.05", "0.10"),  # nothing trades at zero
    ],
)
def test_c9_a_close_pays_part_of_the_way_to_the_width_and_never_the_width(
    mid, natural, limit, worst
):
    (order,) = exits(mid, natural=natural).orders
    assert (order.limit_price, order.worst_price) == (Decimal(limit), Decimal(worst))
    assert order.worst_price < CONDOR.legs.width


@given(
    mid=st.integers(-400, 2400).map(lambda n: Decimal(n) / 40),
    worst=st.integers(20, 1000).map(lambda n: Decimal(n) / 20),
    reach=st.floats(0.0, 1.0),
)
def test_c9_no_close_pays_what_holding_on_costs_at_worst(mid, worst, reach):
    tick = Decimal("0.05")
    most = most_to_pay(mid, worst, tick, reach)
    assert most < worst
    assert most % tick == 0
    if mid <= worst - tick:
        assert mid - tick < most <= mid + Decimal(repr(reach)) * (worst - mid)


def test_c9_the_reach_is_a_rule_value():
    at_mid = exits(6.03, natural=9.0, rules=replace(RULES, close_reach=0.0))
    assert at_mid.orders[0].worst_price == Decimal("6.00")
    assert exits(6.03, natural=9.0).orders[0].worst_price == Decimal("8.00")


# --- what cannot be saved any more ----------------------------------------------------------------


@pytest.mark.parametrize("days", [46, 21, 2])
@pytest.mark.parametrize(
    ("mid", "is_lost"), [(9.475, False), (9.5, True), (9.65, True), (10.05, True), (17.0, True)]
)
def test_c9_neither_stop_nor_clock_asks_where_too_little_is_left_to_save(days, mid, is_lost):
    plan = exits(mid, session=CONDOR.expiry - timedelta(days=days))
    assert bool(plan.orders) is not is_lost
    assert plan.lost_ids == ({"C0001"} if is_lost else set())
    assert bool(plan.closes) is not is_lost
    assert not plan.gates[0].passed


def test_c9_a_plan_says_what_is_left_of_a_condor_that_it_does_not_close():
    assert exits(9.65).reasons == (
        "C9: C0001 is not closed (stop loss; 0.35 of 10 points left to save)",
    )
    late = exits(10.05, session=CONDOR.expiry - timedelta(days=12))
    assert late.reasons == ("C9: C0001 is not closed (stop loss; 0 of 10 points left to save)",)


@pytest.mark.parametrize(("share", "asks"), [(0.0, True), (0.035, False), (0.034, True)])
def test_c9_the_share_that_must_be_left_is_a_rule_value(share, asks):
    plan = exits(9.65, rules=replace(RULES, least_saving=share))
    assert bool(plan.orders) is asks


@pytest.mark.parametrize(
    ("days", "mid", "worst"),
    [
        (2, 9.45, "9.70"),  # half of the way
        (1, 9.45, "9.95"),  # all of the way, and never the worst itself
        (1, 9.65, "9.95"),  # lost the day before, asked for today
        (0, 9.975, "9.95"),
        (0, 10.0, None),  # settlement costs no more
        (0, 10.05, None),
        (0, 0.40, "0.90"),  # the natural price, where that is less
    ],
)
def test_c9_nothing_is_carried_into_settlement_that_anyone_sells_for_less(days, mid, worst):
    dear = mid + 0.5 if mid < 1 else mid + 4.0
    plan = exits(mid, natural=dear, session=CONDOR.expiry - timedelta(days=days))
    assert [str(order.worst_price) for order in plan.orders] == [each for each in [worst] if each]
    assert bool(plan.lost_ids) is (worst is None)


def test_c9_what_is_lost_is_closed_all_the_same_where_g6_or_an_override_asks():
    lost = exits(9.65)
    closed, order = closed_too(lost, value(9.65, 12.0))
    assert closed.orders == (order,)
    assert closed.reasons == lost.reasons


def test_c9_a_later_long_raises_the_worst_by_its_carry_and_the_cap_with_it():
    legs = CONDOR.legs
    late = replace(legs.long_put, expiry=legs.long_put.expiry + timedelta(days=73))
    diagonal = replace(CONDOR, legs=replace(legs, long_put=late))
    assert diagonal.legs.worst_points == Decimal("46.48")  # 10 + 3040 x 6 % x 73 / 365
    (order,) = exits(11.0, natural=60.0, condor=diagonal).orders
    assert order.worst_price == Decimal("28.70")  # half of the way from 11 to 46.48


def test_c9_a_condor_of_ratio_wings_may_be_closed_for_a_credit():
    ratio = replace(CONDOR, legs=replace(CONDOR.legs, long_ratio=2))
    (order,) = exits(-1.22, natural=-0.51, condor=ratio).orders
    assert (order.limit_price, order.worst_price) == (Decimal("-1.25"), Decimal("-0.50"))
    assert [leg.ratio for leg in order.legs] == [-2, 1, 1, -2]
    (order,) = exits(7.0, natural=30.0, condor=replace(ratio, legs=ratio.legs)).orders
    assert order.worst_price == Decimal("8.50")


def test_g6_an_urgent_close_is_capped_too():
    closed, order = closed_too(exits(1.5), value(9.0, 12.0))
    (close,) = closed.closes
    assert (close.rules, close.note, order.rules) == (("G6",), "quick ratio 0.9000", ("G6",))
    assert order.urgency is Urgency.URGENT
    assert order.worst_price == Decimal("9.50")
    blind, nothing = closed_too(exits(1.5), None)
    assert (nothing, blind.orders, blind.closes) == (None, (), ())
    assert blind.reasons == ("G6: C0001 cannot be closed (quotes are too old)",)


def test_a_condor_that_is_being_closed_is_not_closed_again():
    plan = exits(0.5, at_work={"condor:C0001:close"})
    assert plan.orders == plan.closes == ()
    assert plan.reasons == ("C9: C0001 is being closed already",)


def test_every_condor_has_a_gate_whether_it_is_kept_or_not():
    kept, closed = CONDOR, replace(CONDOR, condor_id="C0002")
    plan = plan_exits(
        (kept, closed),
        values={"C0001": value(1.5), "C0002": value(0.5)},
        purposes_at_work=(),
        plan_id="p",
        session=TODAY,
        rules=RULES,
    )
    assert [(g.rule, g.value, g.passed) for g in plan.gates] == [
        ("C9", 0.25, True),
        ("C9", 0.75, False),
    ]
    assert [close.condor_id for close in plan.closes] == ["C0002"]


# --- without a value ------------------------------------------------------------------------------


LEGS_AT = ("0.80 x 1.00", "3.00 x 3.20", "4.00 x 4.40", "1.00 x 1.20")  # of CONDOR, in its order


def leg_quotes(*texts: str) -> OptionChain:
    """Return CONDOR's series with four quoted strikes and no more: no surface fits that."""
    contracts = [contract for contract, _ in CONDOR.legs.signed()]
    bid, ask = np.zeros((4, 2)), np.zeros((4, 2))
    for row, text in enumerate(texts):
        side = PUT if contracts[row].right == "P" else CALL
        bid[row, side], ask[row, side] = quote(text).bid, quote(text).ask
    return replace(
        spx_chain(days=(46,)),
        series=(option_series("SPXW", CONDOR.expiry),),
        series_index=np.zeros(4, dtype=np.int64),
        strike=np.array([float(contract.strike) for contract in contracts]),
        bid=bid,
        ask=ask,
    )


def test_c9_a_series_without_a_surface_has_no_value_but_its_legs_have_quotes():
    chain = leg_quotes(*LEGS_AT)
    assert Valuer(market_quotes(spx_options=chain), TODAY).condor(CONDOR.legs) is None
    found = quoted_mark(CONDOR.legs, chain)
    assert found == CloseMark(debit=Decimal("5.30"), natural=Decimal(10), is_value=False)


@pytest.mark.parametrize(
    ("short_put", "days", "note", "urgency"),
    [
        ("3.00 x 3.20", 46, None, None),  # 5.30: a loss of 1.65 credits
        ("3.60 x 4.00", 46, "stop loss", Urgency.NORMAL),  # 6.00: two credits
        ("3.00 x 3.20", 21, "21 days to expiry", Urgency.NORMAL),
    ],
)
def test_c9_stop_and_clock_act_on_the_legs_quotes(short_put, days, note, urgency):
    chain = leg_quotes(LEGS_AT[0], short_put, *LEGS_AT[2:])
    plan = exits(None, chain=chain, session=CONDOR.expiry - timedelta(days=days))
    assert plan.reasons == ()
    assert [close.note for close in plan.closes] == [each for each in (note,) if each]
    if note is None:
        assert plan.gates[0].passed
        return
    (order,) = plan.orders
    assert order.urgency is urgency
    assert order.limit_price <= to_price(plan.closes[0].mark_debit)
    debit = plan.closes[0].mark_debit
    assert float(order.worst_price) == pytest.approx(debit + (10 - debit) / 2, abs=0.05)
    assert plan.gates[0].note == f"{note}, by the quotes of its legs"


def test_c9_the_profit_target_waits_for_a_value():
    chain = leg_quotes("0.05 x 0.10", "0.10 x 0.15", "0.10 x 0.15", "0.05 x 0.10")
    plan = exits(None, chain=chain)
    assert plan.gates[0].value > RULES.profit_target
    assert plan.orders == plan.closes == ()


def test_c9_a_leg_without_a_bid_costs_its_offer_and_brings_nothing():
    chain = leg_quotes("0 x 0.50", "0 x 0.40", *LEGS_AT[2:])
    assert quoted_mark(CONDOR.legs, chain).debit == Decimal("3.50")


@pytest.mark.parametrize(
    ("row", "text", "reason"),
    [
        (0, "0 x 0", "nobody offers SPXW 20MAR20 3040 P"),
        (1, "3.00 x 0", "nobody offers SPXW 20MAR20 3050 P"),
        (2, "4.40 x 4.00", "SPXW 20MAR20 3405 C is crossed, 4.4 x 4"),
    ],
)
def test_c9_only_a_leg_without_a_price_keeps_a_condor_from_being_closed(row, text, reason):
    texts = [*LEGS_AT]
    texts[row] = text
    assert quoted_mark(CONDOR.legs, leg_quotes(*texts)) == Unpriceable(reason)
    plan = exits(None, chain=leg_quotes(*texts), session=CONDOR.expiry - timedelta(days=21))
    assert plan.orders == ()
    assert plan.closes[0].mark_debit is None
    assert plan.reasons == (f"C9: C0001 cannot be priced (21 days to expiry; {reason})",)


def test_c9_a_condor_whose_strikes_are_no_longer_listed_has_no_price():
    """Fault D4: strikes that are held are not listed any more."""
    chain = leg_quotes(*LEGS_AT)
    other = condor_position("SPXW 20MAR20 3035/3050/3405/3415").legs
    assert quoted_mark(other, chain) == Unpriceable("nobody offers SPXW 20MAR20 3035 P")


# --- legs at close --------------------------------------------------------------------------------


def working(condor_id: str, legs: CondorLegs, sign: int) -> WorkingOrder:
    return WorkingOrder(
        client_order_id=ClientOrderId("A-1"),
        purpose=f"condor:{condor_id}",
        status=OrderStatus.LIVE,
        legs=tuple((contract.symbol, sign * ratio) for contract, ratio in legs.signed()),
        leaves_quantity=1,
        limit_price=Decimal(1),
        layer=None,
        condor_id=condor_id,
    )


def test_the_legs_of_a_condor_count_as_being_closed_from_the_plan_until_the_fill():
    other = condor_position("SPXW 20MAR20 3000/3005/3420/3425", condor_id="C0002")
    held = book(condors=(CONDOR, other))
    kept, closed = exits(1.5), exits(0.5)
    mine = {contract for contract, _ in CONDOR.legs.signed()}
    assert legs_being_closed(held, kept) == frozenset()
    assert legs_being_closed(held, closed) == mine
    at_work = working("C0001", CONDOR.legs, -1)
    assert legs_being_closed(replace(held, working=(at_work,)), kept) == mine


def test_an_entry_at_work_closes_nothing():
    held = book(condors=(CONDOR,), working=(working("C0001", CONDOR.legs, 1),))
    assert legs_being_closed(held, exits(1.5)) == frozenset()
