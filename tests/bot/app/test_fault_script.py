"""A fault script becomes a plan, and each of its mistakes is told where it stands."""

from datetime import timedelta

import pytest

from bot.app.config.fault_script import load_fault_script
from bot.app.config.problems import ConfigInvalid
from bot.gateway.faults import FaultKind
from tests.builders import instant

SCRIPT = """\
seed: 3
faults:
  - kind: order_rejected
    nth: 2
    where: {sec_type: BAG}
    text: no margin
  - kind: connectivity_lost
    at: 2020-02-03T10:15
    seconds: 30
    data_kept: false
  - {kind: commission_late, times: always, seconds: 4.5}
"""


def test_entries_strike_as_they_are_written(tmp_path):
    path = tmp_path / "script.yaml"
    path.write_text(SCRIPT)
    plan = load_fault_script(path)
    at = instant("2020-02-03 10:15")
    assert plan.instants == (at,)
    assert plan.strikes(FaultKind.CONNECTIVITY_LOST, at=at - timedelta(seconds=1)) is None
    lost = plan.strikes(FaultKind.CONNECTIVITY_LOST, at=at)
    assert (lost.seconds(), lost.details["data_kept"]) == (30, False)
    assert plan.strikes(FaultKind.ORDER_REJECTED, sec_type="OPT") is None
    assert plan.strikes(FaultKind.ORDER_REJECTED, sec_type="BAG") is None
    refused = plan.strikes(FaultKind.ORDER_REJECTED, sec_type="BAG")
    assert refused.details["text"] == "no margin"
    for _ in range(3):
        assert plan.strikes(FaultKind.COMMISSION_LATE, order_ref="x").seconds() == 4.5


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("order_rejected", "order_rejekted", "did you mean 'order_rejected'?"),
        ("nth: 2", "nth: 0", "script.yaml:4:10: faults[0].nth: 0 is outside 1 .. 1,000,000"),
        ("sec_type: BAG", "sectype: BAG", "faults[0].where.sectype: unknown key; did you mean"),
        ("at: 2020-02-03T10:15", "at: at ten", "script.yaml:8:9: faults[1].at: expected a time"),
        ("times: always", "times: never", "faults[2].times: expected a number from 1 or always"),
        ("seed: 3\n", "seed: 3\nseeds: 4\n", "script.yaml:2:1: seeds: unknown key"),
        ("data_kept: false", "data_kept: perhaps", "data_kept: expected true or false"),
    ],
)
def test_each_mistake_is_told_where_it_stands(tmp_path, old, new, expected):
    path = tmp_path / "script.yaml"
    path.write_text(SCRIPT.replace(old, new))
    with pytest.raises(ConfigInvalid) as caught:
        load_fault_script(path)
    assert expected in str(caught.value)
