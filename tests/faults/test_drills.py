"""Each fault that the simulation does not inject is drilled, in two of its variations each time."""

import pytest

from benchmarks.reliability import faults_named
from bot.app.simulation import families
from bot.app.simulation.catalogue import catalogued_faults
from bot.app.simulation.injectors import INJECTORS
from tests.faults.drilling import DRILLS
from tests.faults.drills import drilled_faults


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("fault_id", drilled_faults(), ids="fault {}".format)
def test_a_drill_ends_as_the_catalogue_requires(fault_id, seed, tmp_path):
    """What is injected by drills.

    Faults A9, A13, A21, A23, A24, A25, A26, A27, A29, A30, A31, A32, A33.
    Faults B3, B5, B6, B8, B9, B10, B11, B16, B17.
    Faults C2, C3, C4, C5, C9, C10, C12, C13, C14, C15, C16, C17, C18, C19.
    Faults D6, D7, D10, D11, D12, D13, D14, D15, D16, D17, D18, D19, D20.
    Faults E4, E5, E6, E7, E8, E9, E10, E11, E12, E13, E14, E15, E16, E17, E18.
    Faults E19, E20, E22, E23, E24, E25.
    """
    DRILLS[fault_id](seed, tmp_path)


def test_every_fault_of_the_catalogue_is_injected_by_the_simulation_or_by_a_drill():
    assert families.REGISTERED
    catalogue = {fault.fault_id for fault in catalogued_faults()}
    assert set(INJECTORS) | set(DRILLS) == catalogue


def test_the_page_on_reliability_finds_each_drill():
    told = test_a_drill_ends_as_the_catalogue_requires.__doc__
    assert faults_named("", told) == set(DRILLS)
