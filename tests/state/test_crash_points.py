"""Crash points do nothing until a simulation listens."""

import pytest

from state.crash_points import CrashPoint, SimulatedDeath, crash_point, crashing


def test_nobody_listens_outside_a_simulation():
    crash_point(CrashPoint.LEDGER_BEFORE_COMMIT)


def test_a_simulation_hears_each_point_and_may_die_at_it():
    heard = []

    def die_at_the_second(point: CrashPoint) -> None:
        heard.append(point)
        if len(heard) == 2:
            raise SimulatedDeath(point)

    with crashing(die_at_the_second):
        crash_point(CrashPoint.ORDER_BEFORE_SENDING)
        with pytest.raises(SimulatedDeath):
            crash_point(CrashPoint.ORDER_AFTER_SENDING)
    crash_point(CrashPoint.ORDER_AFTER_SUBMIT)  # nobody listens any more
    assert heard == [CrashPoint.ORDER_BEFORE_SENDING, CrashPoint.ORDER_AFTER_SENDING]


def test_one_simulation_at_a_time():
    with crashing(print), pytest.raises(AssertionError), crashing(print):
        pass
