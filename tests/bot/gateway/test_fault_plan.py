"""A plan of faults strikes when everything it names is true, and always alike."""

from datetime import UTC, datetime, timedelta

import pytest

from bot.gateway.fault_plan import BadFaultPlan, FaultPlan, PlannedFault
from bot.gateway.faults import FaultKind

NOON = datetime(2020, 2, 3, 12, tzinfo=UTC)
DROPPED = FaultKind.ORDER_DROPPED


def planned(kind: FaultKind = DROPPED, **named: object) -> PlannedFault:
    return PlannedFault(kind=kind, **named)


def strikes(plan: FaultPlan, count: int, kind: FaultKind = DROPPED, **about: object) -> list[bool]:
    about = about or {"client_id": 1}
    return [plan.strikes(kind, **about) is not None for _ in range(count)]


def test_an_empty_plan_never_strikes():
    assert not any(strikes(FaultPlan(), 5))


def test_an_entry_without_conditions_strikes_once_at_the_next_occasion():
    plan = FaultPlan([planned(details={"seconds": 4})])
    fault = plan.strikes(DROPPED, client_id=1)
    assert fault is not None
    assert fault.seconds() == 4
    assert not any(strikes(plan, 3))
    assert [(each.kind, each.about) for each in plan.struck] == [(DROPPED, {"client_id": 1})]


def test_occasions_are_counted_where_the_particulars_match():
    plan = FaultPlan([planned(nth=2, times=2, matching={"order_ref": ("a", "b")})])
    refs = ["a", "x", "b", "a", "b"]
    struck = [plan.strikes(DROPPED, order_ref=ref) is not None for ref in refs]
    assert struck == [False, False, True, True, False]


def test_a_particular_that_is_not_told_does_not_match():
    assert not any(strikes(FaultPlan([planned(matching={"sec_type": "BAG"})]), 3, client_id=1))


def test_nothing_strikes_before_its_instant():
    plan = FaultPlan([planned(at=NOON)])
    assert plan.strikes(DROPPED, client_id=1) is None
    plan.strikes(FaultKind.CLOCK_SKEW, at=NOON - timedelta(seconds=1))
    assert plan.strikes(DROPPED, client_id=1) is None
    plan.strikes(FaultKind.CLOCK_SKEW, at=NOON)  # the plan learns what time it is
    assert plan.strikes(DROPPED, client_id=1) is not None


def test_what_a_connection_never_has_is_refused_in_words():
    with pytest.raises(BadFaultPlan, match=r"never has order_ref or sec_type, so it would never"):
        planned(FaultKind.HALF_OPEN, matching={"order_ref": "a", "sec_type": "BAG"})


def test_connections_are_struck_at_the_nth_request_of_whatever_kind():
    plan = FaultPlan([planned(FaultKind.NIGHTLY_RESET, nth=2)])
    for _ in range(3):
        assert plan.strikes(FaultKind.NIGHTLY_RESET, at=NOON) is None
    asked = {"at": NOON, "message_kind": "reqPositions", "client_id": 1}
    assert plan.strikes(FaultKind.NIGHTLY_RESET, **asked) is None
    assert plan.strikes(FaultKind.NIGHTLY_RESET, **asked) is not None


def test_looks_at_the_clock_are_not_counted_as_occasions():
    plan = FaultPlan([planned(FaultKind.SOCKET_CLOSED, nth=1), planned(nth=1)])
    assert plan.strikes(FaultKind.SOCKET_CLOSED, at=NOON) is None
    assert plan.strikes(FaultKind.SOCKET_CLOSED, at=NOON, message_kind="placeOrder") is not None


def test_dice_fall_the_same_for_the_same_seed_and_otherwise_for_another():
    def rolled(seed: int) -> list[bool]:
        return strikes(FaultPlan([planned(probability=0.3, times=None)], seed=seed), 1000)

    assert rolled(1) == rolled(1) != rolled(2)
    assert 250 < sum(rolled(1)) < 350


def test_the_dice_of_two_entries_are_their_own():
    alone = strikes(FaultPlan([planned(probability=0.5, times=None)]), 50)
    other = planned(FaultKind.CANCEL_IGNORED, probability=0.5, times=None)
    plan = FaultPlan([planned(probability=0.5, times=None), other])
    both = []
    for _ in range(50):
        plan.strikes(FaultKind.CANCEL_IGNORED, client_id=1)
        both += strikes(plan, 1)
    assert both == alone


def test_the_instants_are_known_beforehand():
    later = NOON + timedelta(hours=1)
    plan = FaultPlan([planned(at=later), planned(), planned(FaultKind.HALF_OPEN, at=NOON)])
    assert plan.instants == (NOON, later)


@pytest.mark.parametrize(
    "wrong",
    [
        {"at": datetime(2020, 2, 3)},  # noqa: DTZ001 that is what is wrong
        {"nth": 0},
        {"probability": 1.5},
        {"times": 0},
    ],
)
def test_an_entry_that_can_mean_nothing_is_refused(wrong):
    with pytest.raises(BadFaultPlan):
        planned(**wrong)
