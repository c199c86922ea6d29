"""C9: when a condor is closed, with what urgency and at what price."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from strategies.condor.exits import exit_reason, plan_exits
from strategies.model.orders import PositionEffect, Urgency
from strategies.model.rules import CondorRules
from strategies.pricing.valuation import CondorValue
from tests.builders import TODAY, condor_position, leg

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


def exits(mid: float | None, *, natural=None, condor=CONDOR, session=FAR, at_work=()):
    return plan_exits(
        (condor,),
        values={condor.condor_id: None if mid is None else value(mid, natural)},
        purposes_at_work=at_work,
        plan_id="p",
        session=session,
        rules=RULES,
    )


@pytest.mark.parametrize(
    ("mid", "note"),
    [(1.0001, None), (1.0, "profit target"), (0.9999, "profit target")],
)
def test_c9_takes_profit_at_half_the_credit(mid, note):
    reason = exit_reason(CONDOR, value(mid), session=FAR, rules=RULES)
    assert (reason.note if reason else None) == note
    if reason:
        assert reason.urgency is Urgency.PATIENT


@pytest.mark.parametrize(
    ("mid", "note"),
    [(5.9999, None), (6.0, "stop loss"), (6.0001, "stop loss")],
)
def test_c9_stops_at_a_loss_of_two_credits(mid, note):
    reason = exit_reason(CONDOR, value(mid), session=FAR, rules=RULES)
    assert (reason.note if reason else None) == note
    if reason:
        assert reason.urgency is Urgency.URGENT


@pytest.mark.parametrize("credit", ["2.2", "1.1", "0.55", "3.3", "0.35", "7.05"])
def test_c9_acts_at_its_thresholds_exactly_whatever_the_credit(credit):
    """Mids move in fortieths of a point; one of them apart is enough."""
    condor = replace(CONDOR, entry_credit=Decimal(credit))
    step = Decimal("0.025")

    def note(mid):
        reason = exit_reason(condor, value(float(mid)), session=FAR, rules=RULES)
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
        assert exit_reason(condor, value(each), session=FAR, rules=RULES).note == "stop loss"


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
    reason = exit_reason(CONDOR, value(2.0), session=session, rules=RULES)
    assert (reason.note if reason else None) == note


def test_c9_names_the_most_urgent_reason():
    late = CONDOR.expiry - timedelta(days=5)
    assert exit_reason(CONDOR, value(7.0), session=late, rules=RULES).note == "stop loss"
    assert exit_reason(CONDOR, value(0.5), session=late, rules=RULES).urgency is Urgency.NORMAL


def test_c9_without_a_value_only_the_clock_speaks_and_nothing_is_sent():
    assert exits(None).closes == ()
    late = exits(None, session=CONDOR.expiry - timedelta(days=21))
    assert late.orders == ()
    assert late.closes[0].mark_debit is None
    assert late.reasons == ("C9: C0001 cannot be priced (21 days to expiry)",)
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
        (9.0, 11.0, "9.00", "10.00"),  # ... and never more than the wings are wide
        (0.02, 0.06, "0.05", "0.10"),  # nothing trades at zero
        (11.0, 12.0, "10.00", "10.00"),
    ],
)
def test_a_close_never_pays_more_than_the_width(mid, natural, limit, worst):
    (order,) = exits(mid, natural=natural).orders
    assert (order.limit_price, order.worst_price) == (Decimal(limit), Decimal(worst))


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
