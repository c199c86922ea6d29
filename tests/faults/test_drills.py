"""Each fault that the simulation does not inject is drilled, in two of its variations each time."""

import pytest

from tests.faults import drills
from tests.faults.drilling import DRILLS

FAULTS = """
A9 A13 A21 A23 A24 A25 A26 A27 A29 A30 A31 A32 A33
B3 B5 B6 B8 B9 B10 B11 B16 B17
C2 C3 C4 C5 C9 C10 C12 C13 C14 C15 C16 C17 C18 C19
"""


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("fault_id", FAULTS.split())
def test_a_drill_ends_as_the_catalogue_requires(fault_id, seed, tmp_path):
    assert drills.REGISTERED
    DRILLS[fault_id](seed, tmp_path)
